//! Where settings are given: flags, the environment, a file; and which names there are.

use std::collections::HashMap;
use std::ffi::OsString;

use crate::model::{FieldError, FieldErrors};
use crate::secret::Secret;

/// Variables that hold secrets, and may be given as `NAME_FILE`.
const SECRETS: [&str; 7] = [
    "DATABASE_URL",
    "REDIS_URL",
    "REDIS_ADMIN_URL",
    "JWT_SECRET_KEY",
    "JWT_SECRET_KEY_ACCEPTED",
    "DEAD_MAN_URL",
    "METRICS_TOKEN",
];
const PLAIN: [&str; 20] = [
    "LISTEN",
    "PORT",
    "PUBLIC_URL",
    "STATE_DIRECTORY",
    "SIGNUPS",
    "LOG_FORMAT",
    "RUST_LOG",
    "CONCURRENCY",
    "HOST_CHECKS_PER_S",
    "API_REQUESTS_PER_S",
    "RETENTION_DAYS",
    "DESIGN_PAGE",
    "MAX_WEBSITES_PER_ACCOUNT",
    "METRICS_LISTEN",
    "CANARIES",
    "CA_FILE",
    "TLS_CERT_FILE",
    "TLS_KEY_FILE",
    "TRUSTED_PROXIES",
    "CONFIG_FILE",
];
/// The probe's: one file may serve both programs.
const PROBES: [&str; 5] = ["CONSUMER_GROUP_REGION_ID", "WORKER_ID", "ALLOW_PRIVATE", "SPOOL_DIRECTORY", "SPOOL_MIB"];

/// Whether a variable holds a secret of the programs themselves, or says where one is.
#[must_use]
pub fn is_own_secret(name: &str) -> bool {
    SECRETS.contains(&name.strip_suffix("_FILE").unwrap_or(name))
}

/// Where a value was given: flags first, then the environment, then the file.
#[derive(Debug, Default)]
pub struct Sources {
    /// From the command line, by variable name.
    pub flags: HashMap<&'static str, String>,
    /// The environment.
    pub environment: HashMap<String, String>,
    /// Lines of the file.
    pub file: HashMap<String, String>,
}

impl Sources {
    /// Flags and the process environment, and the file when one is named.
    ///
    /// # Errors
    /// The file cannot be read, or has a line that is not `NAME=value`, or a name we do not know (T285).
    pub fn gather(flags: HashMap<&'static str, String>) -> Result<Self, FieldErrors> {
        // What is not UTF-8 is none of our values.
        let text = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
        let environment: HashMap<_, _> = std::env::vars_os().filter_map(text).collect();
        let path = flags.get("CONFIG_FILE").or_else(|| environment.get("CONFIG_FILE")).cloned();
        let file = path.map_or_else(|| Ok(HashMap::new()), |path| read_file(&path))?;
        Ok(Self { flags, environment, file })
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let given = self.flags.get(name).or_else(|| self.environment.get(name)).or_else(|| self.file.get(name));
        given.map(|v| v.trim()).filter(|v| !v.is_empty())
    }

    /// How strong the source of a value is: a flag is stronger than the environment, that than the file.
    pub(super) fn strength(&self, name: &str) -> u8 {
        let in_flags = self.flags.contains_key(name);
        match (in_flags, self.environment.contains_key(name), self.file.contains_key(name)) {
            (true, _, _) => 3,
            (false, true, _) => 2,
            (false, false, true) => 1,
            (false, false, false) => 0,
        }
    }

    pub(super) fn secret(&self, name: &'static str, errors: &mut FieldErrors) -> Option<Secret> {
        let from_file = self.get(&format!("{name}_FILE"));
        match (self.get(name), from_file) {
            (Some(_), Some(path)) => {
                errors.push(FieldError::new(name, "", format!("{name}_FILE ({path}) is set too; set one of them.")));
                None
            }
            (Some(value), None) => Some(Secret::new(value)),
            (None, Some(path)) => match std::fs::read_to_string(path) {
                Ok(text) => Some(Secret::new(text.trim_end_matches(['\r', '\n']))),
                Err(error) => {
                    let remedy = format!("{name}_FILE cannot be read ({error}); name a file this user can read.");
                    errors.push(FieldError::new(name, path, remedy));
                    None
                }
            },
            (None, None) => None,
        }
    }
}

fn read_file(path: &str) -> Result<HashMap<String, String>, FieldErrors> {
    let mut errors = FieldErrors::default();
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| {
        errors.push(FieldError::new("CONFIG_FILE", path, format!("It cannot be read: {error}.")));
        String::new()
    });
    let mut values = HashMap::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, value) = line.split_once('=').unwrap_or((line, ""));
        let known = PLAIN.contains(&name)
            || PROBES.contains(&name)
            || SECRETS.iter().any(|s| name.strip_suffix("_FILE").unwrap_or(name) == *s);
        if !known {
            let remedy = format!("Line {} of {path} is not a setting. {}.", number + 1, super::ALL_SETTINGS);
            errors.push(FieldError::new("CONFIG_FILE", name, remedy));
            continue;
        }
        let value = value.trim();
        let unquoted = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value);
        values.insert(name.to_owned(), unquoted.to_owned());
    }
    if errors.is_empty() { Ok(values) } else { Err(errors) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t285_an_unknown_name_in_the_file_stops_the_start() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "# a comment\nLISTEN=127.0.0.1:9\nSIGNUP=open\n").unwrap();
        let errors = read_file(file.path().to_str().unwrap()).unwrap_err();
        assert!(errors.to_string().contains("SIGNUP"), "{errors}");
    }
}
