//! The probe's settings: flag > environment > file > default, all problems reported at once.

use std::collections::HashMap;
use std::fmt;

use crate::engine::{AddressPolicy, Cidr};
use crate::wire::{RegionId, WorkerId};

/// A Redis URL with its password: neither `Display` nor `Debug` show it.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl(String);

impl RedisUrl {
    /// The URL itself, for the connection.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedisUrl(..)")
    }
}

/// Effective settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `REDIS_URL`, or `REDIS_URL_FILE`: redis:// or rediss://.
    pub redis_url: RedisUrl,
    /// `CONSUMER_GROUP_REGION_ID`.
    pub region: RegionId,
    /// `WORKER_ID` (default: the host's name).
    pub worker: WorkerId,
    /// `CONCURRENCY`: checks run at once, 1 to 2,000 (default 50).
    pub concurrency: u16,
    /// `ALLOW_PRIVATE`: networks beside the public ones, comma-separated CIDRs.
    pub allow_private: Vec<Cidr>,
}

impl Config {
    /// Reads and checks all settings.
    ///
    /// # Errors
    /// One line per problem: variable, what was found, what would work.
    pub fn from(get: impl Fn(&str) -> Option<String>) -> Result<Self, Vec<String>> {
        let get = |name: &str| get(name).map(|v| v.trim().to_owned()).filter(|v| !v.is_empty());
        let mut problems = Vec::new();
        let redis_url = match (get("REDIS_URL"), get("REDIS_URL_FILE")) {
            (Some(_), Some(_)) => {
                problems.push("REDIS_URL and REDIS_URL_FILE are both set; set one of them".to_owned());
                None
            }
            (Some(url), None) => Some(url),
            (None, Some(path)) => match std::fs::read_to_string(&path) {
                Ok(text) => Some(text.trim().to_owned()),
                Err(error) => {
                    problems.push(format!("REDIS_URL_FILE is \"{path}\", which cannot be read: {error}"));
                    None
                }
            },
            (None, None) => {
                problems.push("REDIS_URL is not set; give redis://:password@host:6379 or rediss://...".to_owned());
                None
            }
        };
        let scheme = redis_url.as_deref().and_then(|url| url.split_once("://")).map(|(scheme, _)| scheme);
        if redis_url.is_some() && !matches!(scheme, Some("redis" | "rediss")) {
            let found = scheme.unwrap_or("no scheme");
            problems.push(format!("REDIS_URL starts with \"{found}\"; give redis://... or rediss://..."));
        }
        let region = match get("CONSUMER_GROUP_REGION_ID").map(|text| text.parse::<RegionId>()) {
            Some(Ok(region)) => Some(region),
            Some(Err(error)) => {
                problems.push(format!("CONSUMER_GROUP_REGION_ID: {error}"));
                None
            }
            None => {
                problems.push("CONSUMER_GROUP_REGION_ID is not set; give the region, for example INDIA".to_owned());
                None
            }
        };
        let worker = match get("WORKER_ID").or_else(host_name).map(|text| text.parse::<WorkerId>()) {
            Some(Ok(worker)) => Some(worker),
            Some(Err(error)) => {
                problems.push(format!("WORKER_ID: {error}"));
                None
            }
            None => {
                problems.push("WORKER_ID is not set and this host has no name; give one, for example pi-1".to_owned());
                None
            }
        };
        let concurrency = match get("CONCURRENCY").map(|text| (text.parse::<u16>(), text)) {
            None => 50,
            Some((Ok(number @ 1..=2_000), _)) => number,
            Some((_, text)) => {
                problems.push(format!("CONCURRENCY is \"{text}\"; give a whole number from 1 to 2000"));
                50
            }
        };
        let mut allow_private = Vec::new();
        for text in get("ALLOW_PRIVATE").unwrap_or_default().split(',').filter(|t| !t.trim().is_empty()) {
            match text.parse::<Cidr>() {
                Ok(cidr) => allow_private.push(cidr),
                Err(error) => problems.push(format!("ALLOW_PRIVATE: {error}")),
            }
        }
        match (redis_url, region, worker) {
            (Some(url), Some(region), Some(worker)) if problems.is_empty() => {
                Ok(Self { redis_url: RedisUrl(url), region, worker, concurrency, allow_private })
            }
            _ => Err(problems),
        }
    }

    /// What this machine allows its checks to reach.
    #[must_use]
    pub fn policy(&self) -> AddressPolicy {
        AddressPolicy::with_allowed(self.allow_private.clone())
    }

    /// Effective values for people, secrets masked.
    #[must_use]
    pub fn show(&self) -> String {
        format!(
            "REDIS_URL                 (set)\nCONSUMER_GROUP_REGION_ID  {}\nWORKER_ID                 {}\n\
             CONCURRENCY               {}\nALLOW_PRIVATE             {:?}\n",
            self.region, self.worker, self.concurrency, self.allow_private
        )
    }
}

/// Lines of `NAME=value`; comments start with `#`.
///
/// # Errors
/// The file cannot be read.
pub fn read_file(path: &str) -> Result<HashMap<String, String>, Vec<String>> {
    let text = std::fs::read_to_string(path).map_err(|e| vec![format!("--config {path} cannot be read: {e}")])?;
    let lines = text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'));
    Ok(lines
        .filter_map(|l| l.split_once('='))
        .map(|(n, v)| (n.trim().to_owned(), v.trim().trim_matches('"').to_owned()))
        .collect())
}

fn host_name() -> Option<String> {
    std::fs::read_to_string("/proc/sys/kernel/hostname").ok().map(|name| name.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(values: &[(&str, &str)]) -> Result<Config, Vec<String>> {
        Config::from(|name| values.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
    }

    #[test]
    fn all_problems_are_reported_at_once_and_no_password_is_repeated() {
        let problems = with(&[("REDIS_URL", "http://:hunter2@h"), ("CONCURRENCY", "0"), ("ALLOW_PRIVATE", "x")]);
        let text = problems.unwrap_err().join("\n");
        for part in ["REDIS_URL", "CONSUMER_GROUP_REGION_ID", "CONCURRENCY is \"0\"", "ALLOW_PRIVATE"] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(!text.contains("hunter2"), "{text}");
    }

    #[test]
    fn secrets_are_masked() {
        let config =
            with(&[("REDIS_URL", "redis://:hunter2@h"), ("CONSUMER_GROUP_REGION_ID", "eu"), ("WORKER_ID", "a")]);
        let config = config.unwrap();
        assert!(!format!("{config:?}{}", config.show()).contains("hunter2"));
    }
}
