//! `plan`, `apply`, `export`, `import`: what an account watches, kept in a file. Beside a running hub on either database: it
//! follows what is changed at once.

mod apply;
mod import;
mod secrets;

use std::io::{IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use uuid::Uuid;

pub use self::apply::{apply, plan};
pub use self::import::{AskedImport, Source, import};
use self::secrets::SecretFiles;
use crate::clock;
use crate::config::Config;
use crate::model::manifest::{self, Context, MOST_BYTES, Manifest, Plan, Problem, State};
use crate::model::{Account, RegionId, TargetRules};
use crate::run;
use crate::store::Store;

/// What is asked for.
#[derive(Debug)]
pub struct Asked {
    /// The file; `-`: standard input.
    pub file: PathBuf,
    /// Whose it is: a name, of a team its id; the only account there is, if not said.
    pub account: Option<String>,
    /// What the file had before and has no more is removed.
    pub prune: bool,
    /// A file of `NAME=value` lines, for secrets that are not in the environment.
    pub secrets: Option<PathBuf>,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// All is well.
    Fine,
    /// It was told what is wrong.
    Failed,
    /// The account is not as the file says.
    Drift,
}

/// An account, and what else decides what a file may say about it.
struct Place {
    store: Store,
    account: Account,
    rules: TargetRules,
    regions: Vec<RegionId>,
}

impl Place {
    async fn open(config: &Config, account: Option<&str>) -> anyhow::Result<Self> {
        let store = run::open_store_beside(config).await?.with_most_websites(config.max_websites);
        let facts = store.facts().await?;
        if facts.schema < Some(facts.newest_schema) {
            bail!("the hub that runs on this database is of an older version; restart it with this one first");
        }
        let accounts = store.accounts_named(account).await?;
        let account = match (accounts.as_slice(), account) {
            ([one], _) => one.clone(),
            ([], Some(name)) => bail!("there is no account \"{name}\" (a team is named by its id)"),
            ([], None) => bail!("there is no account yet; make one with: betteruptime-hub user create <name>"),
            (_, _) => bail!("there are several accounts; say which with --account"),
        };
        let rules = run::target_rules_of(config, &store).await?;
        let regions = store.regions().await?.into_iter().map(|region| region.region_id).collect();
        Ok(Self { store, account, rules, regions })
    }

    /// What a text says about the account as it is now.
    async fn read(
        &self,
        text: &str,
        secrets: &SecretFiles,
        config: &Config,
    ) -> anyhow::Result<Result<(State, Manifest), Vec<Problem>>> {
        let state = self.store.managed_state(self.account.account_id).await?;
        let draws = secrets::Draws::new()?;
        let context = Context {
            rules: &self.rules,
            retention: config.retention,
            regions: &self.regions,
            now: clock::now(),
            secrets: &|reference| secrets.look(reference),
            new_id: &Uuid::now_v7,
            random: &|| draws.next(),
        };
        Ok(Manifest::read(text, &state, &context).map(|manifest| (state, manifest)))
    }
}

/// `export`: the account as a file, on standard output.
///
/// # Errors
/// There is no such account, or the database is away.
pub async fn export(config: &Config, account: Option<&str>, name: Option<&str>) -> anyhow::Result<()> {
    let place = Place::open(config, account).await?;
    let state = place.store.managed_state(place.account.account_id).await?;
    place.store.close().await;
    let (text, left_out) = manifest::export(&state, name.unwrap_or(state.file_name()), clock::now());
    let mut out = std::io::stdout().lock();
    write!(out, "{text}").and_then(|()| out.flush()).context("the file cannot be written")?;
    for why in left_out {
        eprintln!("Left out: {why}.");
    }
    Ok(())
}

/// The text of a file, or of standard input.
fn text_of(file: &Path) -> anyhow::Result<String> {
    let shown = file.display();
    let mut bytes = Vec::new();
    let most = u64::try_from(MOST_BYTES)? + 1;
    if is_stdin(file) {
        std::io::stdin().take(most).read_to_end(&mut bytes).context("standard input cannot be read")?;
    } else {
        let opened = std::fs::File::open(file).with_context(|| format!("{shown} cannot be read"))?;
        opened.take(most).read_to_end(&mut bytes).with_context(|| format!("{shown} cannot be read"))?;
    }
    String::from_utf8(bytes).with_context(|| format!("{shown} is no text in UTF-8"))
}

fn is_stdin(file: &Path) -> bool {
    file == Path::new("-")
}

/// Tells all that is wrong with a file.
fn tell_problems(file: &Path, problems: &[Problem]) {
    let name = if is_stdin(file) { "standard input".to_owned() } else { file.display().to_string() };
    let count = if problems.len() == 1 { "one problem".to_owned() } else { format!("{} problems", problems.len()) };
    eprintln!("{name} has {count}; nothing was changed:\n");
    for problem in problems {
        eprintln!("  {problem}");
    }
}

fn print(plan: &Plan, account: &Account, json: bool) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(&manifest::as_json(plan, &account.username))?)?;
    } else {
        let coloured = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        write!(out, "{}", manifest::as_text(plan, coloured))?;
    }
    Ok(())
}
