//! Where settings come from: the environment, and the lines of a file that the hub may share.

use std::collections::HashMap;

use super::ALL_SETTINGS;

/// The probe's own settings, as `.env.example` lists them.
const PROBES: [&str; 12] = [
    "REDIS_URL",
    "REDIS_URL_FILE",
    "CONSUMER_GROUP_REGION_ID",
    "WORKER_ID",
    "CONCURRENCY",
    "ALLOW_PRIVATE",
    "CANARIES",
    "CA_FILE",
    "SPOOL_DIRECTORY",
    "SPOOL_MIB",
    "METRICS_LISTEN",
    "RUST_LOG",
];

/// The hub's: one file may serve both programs.
const HUBS: [&str; 27] = [
    "LISTEN",
    "PORT",
    "PUBLIC_URL",
    "STATE_DIRECTORY",
    "DATABASE_URL",
    "DATABASE_URL_FILE",
    "REDIS_ADMIN_URL",
    "REDIS_ADMIN_URL_FILE",
    "JWT_SECRET_KEY",
    "JWT_SECRET_KEY_FILE",
    "JWT_SECRET_KEY_ACCEPTED",
    "JWT_SECRET_KEY_ACCEPTED_FILE",
    "SIGNUPS",
    "MAX_WEBSITES_PER_ACCOUNT",
    "API_REQUESTS_PER_S",
    "HOST_CHECKS_PER_S",
    "RETENTION_DAYS",
    "TLS_CERT_FILE",
    "TLS_KEY_FILE",
    "LOG_FORMAT",
    "TRUSTED_PROXIES",
    "DEAD_MAN_URL",
    "DEAD_MAN_URL_FILE",
    "METRICS_TOKEN",
    "METRICS_TOKEN_FILE",
    "DESIGN_PAGE",
    "CONFIG_FILE",
];

/// Both programs have it. Where a hub's settings stand beside it, it is the hub's: a probe that took its port would keep the hub from
/// starting.
const OF_BOTH: &str = "METRICS_LISTEN";

/// Leaves to the hub what is the hub's, where `is_set` tells of a name whether it is set at this place; whether there was any.
pub(super) fn leave_to_hub(values: &mut HashMap<String, String>, is_set: impl Fn(&str) -> bool) -> bool {
    // Platforms set PORT for whatever they run.
    let is_hubs = HUBS.iter().any(|name| *name != "PORT" && is_set(name));
    is_hubs && values.remove(OF_BOTH).is_some()
}

/// The environment's values of the probe's settings. What is not UTF-8 is a problem, told without the value.
pub(super) fn environment(problems: &mut Vec<String>) -> HashMap<String, String> {
    let mut values = HashMap::new();
    for name in PROBES {
        match std::env::var_os(name).map(std::ffi::OsString::into_string) {
            None => {}
            Some(Ok(value)) => {
                values.insert(name.to_owned(), value);
            }
            Some(Err(_)) => problems.push(format!("{name} in the environment is not UTF-8; write it anew")),
        }
    }
    values
}

/// Lines of `NAME=value`; comments start with `#`. A file that cannot be read is a problem.
pub(super) fn read(path: &str, problems: &mut Vec<String>) -> HashMap<String, String> {
    match std::fs::read_to_string(path) {
        Ok(text) => parse(path, &text, problems),
        Err(error) => {
            problems.push(format!("--config {path} cannot be read: {error}"));
            HashMap::new()
        }
    }
}

/// A line that is no setting is a problem (T285): a typo would otherwise be a default nobody asked for. Values are not
/// repeated, they may be secrets.
fn parse(path: &str, text: &str, problems: &mut Vec<String>) -> HashMap<String, String> {
    let mut values = HashMap::new();
    for (index, line) in text.lines().enumerate() {
        let (number, line) = (index + 1, line.trim());
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((name, value)) = line.split_once('=') else {
            problems.push(format!("line {number} of {path} has no \"=\"; write NAME=value, or # before a comment"));
            continue;
        };
        let name = name.trim();
        if !PROBES.contains(&name) && !HUBS.contains(&name) {
            let name: String = name.chars().take(80).flat_map(char::escape_default).collect();
            problems.push(format!("line {number} of {path}: \"{name}\" is not a setting. {ALL_SETTINGS}"));
            continue;
        }
        let value = value.trim();
        let value = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value);
        values.insert(name.to_owned(), value.to_owned());
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t285_a_line_that_is_no_setting_is_named_and_its_value_is_not() {
        let text = "# both\nLISTEN=127.0.0.1:1\nREDIS_ULR=redis://:hunter2@h\n\nhunter2\n WORKER_ID = \"pi-1\" \n";
        let mut problems = Vec::new();
        let values = parse("x.env", text, &mut problems);
        assert_eq!(values.get("WORKER_ID").map(String::as_str), Some("pi-1"));
        assert_eq!(values.len(), 2);
        assert_eq!(problems.len(), 2);
        assert!(problems[0].contains("line 3") && problems[0].contains("REDIS_ULR"), "{problems:?}");
        assert!(problems[1].contains("line 5"), "{problems:?}");
        assert!(!problems.concat().contains("hunter2"), "{problems:?}");
    }

    #[test]
    fn the_example_is_understood() {
        let example = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../.env.example")).unwrap();
        // Settings are "#NAME=value", comments "# words".
        let settings: Vec<&str> =
            example.lines().filter_map(|line| line.strip_prefix('#').filter(|l| !l.starts_with([' ', '#']))).collect();
        let mut problems = Vec::new();
        parse(".env.example", &settings.join("\n"), &mut problems);
        assert!(!settings.is_empty() && problems.is_empty(), "{problems:?}");
    }

    #[test]
    fn a_listener_among_a_hubs_settings_is_the_hubs() {
        let left = |text: &str| {
            let mut values = parse("x.env", text, &mut Vec::new());
            let names: Vec<String> = values.keys().cloned().collect();
            let is_left = leave_to_hub(&mut values, |name| names.iter().any(|known| known == name));
            (is_left, values.contains_key(OF_BOTH))
        };
        assert_eq!(left("METRICS_LISTEN=127.0.0.1:9465\nWORKER_ID=a\nPORT=1\n"), (false, true));
        assert_eq!(left("METRICS_LISTEN=127.0.0.1:9465\nSIGNUPS=first\n"), (true, false));
        assert_eq!(left("SIGNUPS=first\n"), (false, false));
    }
}
