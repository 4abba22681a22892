//! Where the secrets are that a file names: the environment, files, or a file of lines that was given beside it. They belong
//! to the file, not to the hub's own settings, which is why they are read here.

use std::cell::Cell;
use std::collections::HashMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use sha2::{Digest as _, Sha256};

use super::{Asked, is_stdin};
use crate::config::is_own_secret;
use crate::model::SecretText;
use crate::model::manifest::Reference;

/// Bytes of a secret in a file of its own.
const MOST_BYTES: u64 = 64 * 1024;

/// Without `Debug`: it holds secrets.
pub(super) struct SecretFiles {
    /// Paths that are relative start here.
    directory: PathBuf,
    lines: HashMap<String, SecretText>,
}

impl SecretFiles {
    pub(super) fn of(asked: &Asked) -> anyhow::Result<Self> {
        let directory = match asked.file.parent() {
            Some(parent) if !is_stdin(&asked.file) => parent.to_owned(),
            Some(_) | None => PathBuf::new(),
        };
        let lines = match &asked.secrets {
            Some(file) => lines(file)?,
            None => HashMap::new(),
        };
        Ok(Self { directory, lines })
    }

    /// Those that came with something imported.
    pub(super) fn these(secrets: impl IntoIterator<Item = (String, SecretText)>) -> Self {
        Self { directory: PathBuf::new(), lines: secrets.into_iter().collect() }
    }

    /// A secret; inside, `None`: it is not set.
    pub(super) fn look(&self, reference: &Reference) -> Result<Option<SecretText>, String> {
        match reference {
            // Who writes the file need not be who may read these, and what it names is sent to where it says.
            Reference::Env(name) if is_own_secret(name) => {
                Err("This is a secret of the hub's own; name another variable.".to_owned())
            }
            Reference::Env(name) => match self.lines.get(name) {
                Some(secret) => Ok(Some(secret.clone())),
                None => match std::env::var(name) {
                    Ok(value) => Ok(Some(SecretText::new(value))),
                    Err(std::env::VarError::NotPresent) => Ok(None),
                    Err(std::env::VarError::NotUnicode(_)) => Err("This variable is no text in UTF-8.".to_owned()),
                },
            },
            Reference::File(path) => self.read(Path::new(path)).map(Some),
        }
    }

    fn read(&self, path: &Path) -> Result<SecretText, String> {
        let path = self.directory.join(path);
        let mut text = String::new();
        // A device has no length and no end.
        let file = std::fs::File::open(&path).map(|file| file.take(MOST_BYTES + 1));
        let read = file.and_then(|mut file| file.read_to_string(&mut text));
        let length = read.map_err(|error| format!("This file cannot be read: {error}."))?;
        if u64::try_from(length).is_ok_and(|length| length > MOST_BYTES) {
            return Err("This file is too long for a secret.".to_owned());
        }
        Ok(SecretText::new(text.trim_end_matches(['\r', '\n'])))
    }
}

/// `NAME=value` lines; empty lines and those that begin with # say nothing.
fn lines(file: &Path) -> anyhow::Result<HashMap<String, SecretText>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let mut found = HashMap::new();
    for (n, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#')) {
        let Some((name, value)) = line.split_once('=') else {
            bail!("{}, line {}: write NAME=value", file.display(), n + 1);
        };
        // One of several lines stands in quotes, as JSON writes them.
        let quoted = Some(value).filter(|value| value.starts_with('"'));
        let value = quoted.and_then(|value| serde_json::from_str(value).ok()).unwrap_or_else(|| value.to_owned());
        found.insert(name.trim().to_owned(), SecretText::new(value));
    }
    Ok(found)
}

/// Writes such a file, which only its owner can read; one that is there stays.
pub(super) fn write(file: &Path, secrets: &[(String, SecretText)]) -> anyhow::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let shown = file.display();
    let opened = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
    let mut out = opened.with_context(|| format!("{shown} cannot be written; name a file that is not there yet"))?;
    for (name, secret) in secrets {
        let value = secret.expose();
        let is_plain = !value.starts_with('"') && !value.contains(['\n', '\r']);
        let line =
            if is_plain { format!("{name}={value}\n") } else { format!("{name}={}\n", serde_json::to_string(value)?) };
        out.write_all(line.as_bytes()).with_context(|| format!("{shown} cannot be written"))?;
    }
    out.sync_all().with_context(|| format!("{shown} cannot be written"))
}

/// Random bytes, as often as they are asked for.
pub(super) struct Draws {
    seed: [u8; 32],
    drawn: Cell<u64>,
}

impl Draws {
    pub(super) fn new() -> anyhow::Result<Self> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| anyhow::anyhow!("no random bytes from the system: {error}"))?;
        Ok(Self { seed, drawn: Cell::new(0) })
    }

    pub(super) fn next(&self) -> [u8; 32] {
        self.drawn.set(self.drawn.get() + 1);
        Sha256::new().chain_update(self.seed).chain_update(self.drawn.get().to_be_bytes()).finalize().into()
    }
}
