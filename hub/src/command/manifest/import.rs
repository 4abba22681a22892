//! `import`: what another program watches, as a file of ours on standard output, or applied at once; and on standard error
//! what could not be carried.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::apply::apply_text;
use super::secrets::{self, SecretFiles};
use super::{Asked, Ended, Place, print, tell_problems, text_of};
use crate::clock;
use crate::command::table;
use crate::config::Config;
use crate::model::import::{self, Import};
use crate::store;

/// How a file of SQLite begins.
const SQLITE: &[u8] = b"SQLite format 3\0";

/// Whose file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Uptime Kuma: its backup or its database.
    Kuma,
    /// Gatus.
    Gatus,
}

/// What is asked for.
#[derive(Debug)]
pub struct AskedImport {
    /// Whose file it is.
    pub source: Source,
    /// The file.
    pub file: PathBuf,
    /// Whose it is to be: a name, of a team its id; the only account there is, if not said.
    pub account: Option<String>,
    /// Applied at once.
    pub apply: bool,
    /// Where secrets are to be written.
    pub secrets_out: Option<PathBuf>,
}

/// `import`: reads the other program's file.
///
/// # Errors
/// It cannot be read, or is none; or as of [`super::apply`].
pub async fn import(config: &Config, asked: &AskedImport) -> anyhow::Result<Ended> {
    let found = match asked.source {
        Source::Kuma => import::kuma(&backup_of(&asked.file).await?),
        Source::Gatus => match import::gatus(&text_of(&asked.file)?, clock::now()) {
            Ok(found) => found,
            Err(problems) => {
                tell_problems(&asked.file, &problems);
                return Ok(Ended::Failed);
            }
        },
    };
    if let Some(file) = &asked.secrets_out {
        secrets::write(file, &found.secrets)?;
    }
    let ended = if asked.apply { apply(config, asked, &found).await? } else { write(&found)? };
    report(asked, &found);
    Ok(ended)
}

async fn backup_of(file: &Path) -> anyhow::Result<serde_json::Value> {
    let shown = file.display();
    let mut begin = [0; 16];
    let is_sqlite = std::fs::File::open(file)
        .and_then(|mut opened| std::io::Read::read_exact(&mut opened, &mut begin))
        .is_ok_and(|()| begin == *SQLITE);
    if is_sqlite {
        let read = store::read_kuma(file).await;
        return read
            .with_context(|| format!("{shown} is no database of Uptime Kuma that can be read here (copy it first)"));
    }
    let backup: serde_json::Value = serde_json::from_str(&text_of(file)?)
        .with_context(|| format!("{shown} is neither JSON nor a file of SQLite"))?;
    if backup.get("monitorList").is_none() {
        bail!("{shown} is no backup of Uptime Kuma: it has no monitorList");
    }
    Ok(backup)
}

fn write(found: &Import) -> anyhow::Result<Ended> {
    let mut out = std::io::stdout().lock();
    write!(out, "{}", found.yaml).and_then(|()| out.flush()).context("the file cannot be written")?;
    Ok(Ended::Fine)
}

async fn apply(config: &Config, asked: &AskedImport, found: &Import) -> anyhow::Result<Ended> {
    let place = Place::open(config, asked.account.as_deref()).await?;
    let secrets = SecretFiles::these(found.secrets.iter().cloned());
    let as_file = Asked { file: asked.file.clone(), account: None, prune: false, secrets: None };
    let done = apply_text(config, &place, &as_file, &found.yaml, &secrets).await;
    place.store.close().await;
    match done? {
        Ok(plan) => {
            print(&plan, &place.account, false)?;
            Ok(Ended::Fine)
        }
        Err(problems) => {
            eprintln!("As a file it was:\n\n{}", found.yaml);
            tell_problems(&asked.file, &problems);
            Ok(Ended::Failed)
        }
    }
}

/// What was carried, and what was not.
fn report(asked: &AskedImport, found: &Import) {
    let counts: Vec<String> = found.counts.iter().map(|(kind, count)| format!("{} {count}", kind.section())).collect();
    eprintln!("Carried: {}.", counts.join(", "));
    if !found.not_carried.is_empty() {
        let rows = found.not_carried.iter().map(|lost| vec![lost.what.clone(), lost.why.clone()]);
        eprint!("\n{}", table(&["NOT CARRIED, OR NOT AS IT WAS", "WHY"], rows));
    }
    match &asked.secrets_out {
        Some(file) => eprintln!("\nSecrets are in {}; give it to plan and apply with --secrets.", file.display()),
        None if !found.secrets.is_empty() && !asked.apply => {
            let names: Vec<&str> = found.secrets.iter().map(|(name, _)| name.as_str()).collect();
            eprintln!(
                "\nSecrets are not in the file; set these, or have them written with --secrets-out FILE: {}.",
                names.join(", ")
            );
        }
        None => {}
    }
}
