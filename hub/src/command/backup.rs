//! `backup`: a state directory to go back to, made while the hub goes on working.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::table;
use crate::config::Config;
use crate::state_directory::{self, KEYS};
use crate::store::{Store, TableCount};

const DATABASE: &str = "betteruptime.sqlite";

/// Copies the database and the key of sessions into a new directory, which can take the place of `STATE_DIRECTORY` as it
/// is. The copy is read through before it gets its name; one that was cut short never has it.
///
/// # Errors
/// The data is in Postgres; the directory is there already; something cannot be read or written.
pub async fn back_up(config: &Config, directory: &Path) -> anyhow::Result<()> {
    if config.database_url.is_some() {
        bail!(
            "this hub's data is in Postgres, which has the better tool: pg_dump (docs/OPERATIONS.md has the commands, also those to \
             go back)"
        );
    }
    let shown = directory.display();
    if fs::symlink_metadata(directory).is_ok() {
        bail!("{shown} is there already; name a directory that is not, such as one with today's date");
    }
    let state = &config.state_directory;
    if !state.join(DATABASE).is_file() {
        bail!("there is no {DATABASE} in {} (STATE_DIRECTORY); run this where the hub runs", state.display());
    }
    let state = state_directory::prepare(state)?;
    let partial = partial(directory)?;
    clear(&partial)?;
    fs::DirBuilder::new().mode(0o700).create(&partial).with_context(|| {
        format!("{} cannot be made; its parent has to be there, and this user's to write to", partial.display())
    })?;
    let copied = copy(&state, &partial).await;
    let counts = match copied {
        Ok(counts) => counts,
        Err(error) => {
            let _ = clear(&partial);
            return Err(error);
        }
    };
    fs::rename(&partial, directory).with_context(|| format!("{shown} cannot be made"))?;
    File::open(parent(directory)).and_then(|parent| parent.sync_all()).context("the directory cannot be written")?;
    let bytes = fs::metadata(directory.join(DATABASE))?.len();
    report(directory, &counts, bytes, config.jwt_secret_key.is_some())
}

async fn copy(state: &Path, partial: &Path) -> anyhow::Result<Vec<TableCount>> {
    let store = Store::open_sqlite_beside(state).await?;
    let file = partial.join(DATABASE);
    // Its mode is that of the file that is there.
    let empty = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file);
    let made = empty.with_context(|| format!("{} cannot be written", file.display()))?;
    drop(made);
    eprintln!("Copying {} …", state.join(DATABASE).display());
    store.copy_into(&file).await.context("the copy cannot be made")?;
    store.close().await;
    File::open(&file)?.sync_all().with_context(|| format!("{} cannot be written", file.display()))?;
    eprintln!("Reading the copy …");
    let counts = Store::check_copy(&file).await.context("the copy is not good")?;
    for name in KEYS.into_iter().filter(|name| state.join(name).is_file()) {
        let key = fs::read(state.join(name)).with_context(|| format!("{name} cannot be read"))?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(partial.join(name))?;
        file.write_all(&key).and_then(|()| file.sync_all()).with_context(|| format!("{name} cannot be written"))?;
    }
    File::open(partial)?.sync_all()?;
    Ok(counts)
}

fn report(directory: &Path, counts: &[TableCount], bytes: u64, has_key_elsewhere: bool) -> anyhow::Result<()> {
    let rows = counts.iter().map(|count| vec![count.table.clone(), count.rows.to_string()]);
    let mut out = std::io::stdout().lock();
    write!(out, "{}", table(&["TABLE", "ROWS"], rows))?;
    writeln!(out, "\nThe backup is {}, {} KiB.", directory.display(), bytes.div_ceil(1024))?;
    if has_key_elsewhere {
        writeln!(out, "JWT_SECRET_KEY is in the settings and not in it: keep those too.")?;
    }
    writeln!(
        out,
        "It holds secrets (of channels, and whose sessions are valid): keep it as safe as the hub.\nTo go back to it: stop \
         the hub, put it in the place of STATE_DIRECTORY (of the service of the package that is /var/lib/private/betteruptime), start \
         the hub."
    )?;
    Ok(())
}

fn parent(directory: &Path) -> &Path {
    directory.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Where it is written until it is complete.
fn partial(directory: &Path) -> anyhow::Result<PathBuf> {
    let name = directory.file_name().with_context(|| format!("{} has no name", directory.display()))?;
    let mut name = name.to_owned();
    name.push(".part");
    Ok(parent(directory).join(name))
}

/// Removes what a backup that was cut short has left; never what is not ours.
fn clear(partial: &Path) -> anyhow::Result<()> {
    if fs::symlink_metadata(partial).is_err() {
        return Ok(());
    }
    let ours = std::iter::once(DATABASE).chain(KEYS).map(str::to_owned);
    let beside = ["-journal", "-wal", "-shm"].map(|end| format!("{DATABASE}{end}"));
    for name in ours.chain(beside) {
        let _ = fs::remove_file(partial.join(name));
    }
    fs::remove_dir(partial).with_context(|| format!("{} is in the way; remove it", partial.display()))
}
