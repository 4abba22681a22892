//! The probe's settings: flag > environment > file > default, all problems reported at once.

mod file;

use std::collections::HashSet;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use log::LevelFilter;
use rustls::pki_types::CertificateDer;

use crate::canary::Canaries;
use crate::engine::{AddressPolicy, Cidr, read_roots};
use crate::wire::{RegionId, WorkerId};

/// Where all settings are listed, for who has the source and for who has the package.
pub const ALL_SETTINGS: &str = "All settings are listed in .env.example, which packages have as \
    /usr/share/doc/betteruptime-probe/examples/all-settings.env";

/// Checks run at once where nothing else is said.
pub const DEFAULT_CONCURRENCY: u16 = 50;
/// Of the spool, where nothing else is said: some 120,000 ticks.
pub const DEFAULT_SPOOL_MIB: u16 = 64;

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
    /// `WORKER_ID` (default: the host's name, up to its first dot).
    pub worker: WorkerId,
    /// `CONCURRENCY`: checks run at once, 1 to 2,000 (default 50).
    pub concurrency: u16,
    /// `ALLOW_PRIVATE`: networks beside the public ones, comma-separated CIDRs.
    pub allow_private: Vec<Cidr>,
    /// `CANARIES`: who is asked whether this probe's own network works, up to 8 `address:port`, or `off`.
    pub canaries: Canaries,
    /// `CA_FILE`: certificate authorities trusted besides Mozilla's, in PEM form.
    pub ca_file: Option<String>,
    /// Those of the file.
    pub extra_roots: Vec<CertificateDer<'static>>,
    /// `SPOOL_DIRECTORY`: where ticks are kept when memory is full or the worker stops while Redis cannot be written to;
    /// made when it is not there. Absent: memory only.
    pub spool_directory: Option<PathBuf>,
    /// `SPOOL_MIB`: what they may take there, 2 to 4,096 MiB (default 64).
    pub spool_mib: u16,
    /// `METRICS_LISTEN`: where this machine's Prometheus finds `/metrics` and `/probe`; an address of loopback. Absent: nowhere.
    pub metrics_listen: Option<SocketAddr>,
    /// It is set, but among settings of a hub, whose it is then.
    pub metrics_left_to_hub: bool,
    /// `RUST_LOG`: what is logged (default info).
    pub log: LevelFilter,
}

impl Config {
    /// Reads and checks all settings: those of the environment, and of the file where the former has none.
    ///
    /// # Errors
    /// As [`Config::from`], and what is wrong with the file.
    pub fn load(path: Option<&str>) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        let mut environment = file::environment(&mut problems);
        let mut lines = path.map(|path| file::read(path, &mut problems)).unwrap_or_default();
        let names: HashSet<String> = lines.keys().cloned().collect();
        let of_lines = file::leave_to_hub(&mut lines, |name| names.contains(name));
        let of_environment = file::leave_to_hub(&mut environment, |name| std::env::var_os(name).is_some());
        let config = Self::from(|name| environment.get(name).or_else(|| lines.get(name)).cloned());
        match config {
            Ok(config) if problems.is_empty() => {
                let is_left = (of_lines || of_environment) && config.metrics_listen.is_none();
                Ok(Self { metrics_left_to_hub: is_left, ..config })
            }
            Ok(_) => Err(problems),
            Err(others) => Err(problems.into_iter().chain(others).collect()),
        }
    }

    /// Checks all settings, which `get` gives by name.
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
        if redis_url.as_deref().is_some_and(|url| url.ends_with("#insecure")) {
            problems.push(
                "REDIS_URL ends with #insecure, which would trust anybody; give CA_FILE the authority that signed Redis' \
                 certificate"
                    .to_owned(),
            );
        }
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
            None => DEFAULT_CONCURRENCY,
            Some((Ok(number @ 1..=2_000), _)) => number,
            Some((_, text)) => {
                problems.push(format!("CONCURRENCY is \"{text}\"; give a whole number from 1 to 2000"));
                DEFAULT_CONCURRENCY
            }
        };
        let mut allow_private = Vec::new();
        for text in get("ALLOW_PRIVATE").unwrap_or_default().split(',').map(str::trim).filter(|t| !t.is_empty()) {
            match text.parse::<Cidr>() {
                Ok(cidr) => allow_private.push(cidr),
                Err(error) => problems.push(format!("ALLOW_PRIVATE: {error}")),
            }
        }
        let canaries = get("CANARIES").map_or_else(|| Ok(Canaries::default()), |text| Canaries::parse(&text));
        let canaries = canaries.unwrap_or_else(|errors| {
            problems.extend(errors.iter().map(|error| format!("CANARIES: {error}")));
            Canaries::off()
        });
        let ca_file = get("CA_FILE");
        let extra_roots = ca_file.as_deref().map_or_else(|| Ok(Vec::new()), read_roots).unwrap_or_else(|error| {
            problems.push(format!("CA_FILE: {error}"));
            Vec::new()
        });
        let spool_mib = match get("SPOOL_MIB").map(|text| (text.parse::<u16>(), text)) {
            None => DEFAULT_SPOOL_MIB,
            Some((Ok(number @ 2..=4_096), _)) => number,
            Some((_, text)) => {
                problems.push(format!("SPOOL_MIB is \"{text}\"; give a whole number of MiB from 2 to 4096"));
                DEFAULT_SPOOL_MIB
            }
        };
        let metrics_listen = match get("METRICS_LISTEN").map(|text| (text.parse::<SocketAddr>(), text)) {
            None => None,
            Some((Ok(address), _)) => Some(address),
            Some((Err(_), text)) => {
                let text: String = text.chars().take(80).flat_map(char::escape_default).collect();
                problems
                    .push(format!("METRICS_LISTEN is \"{text}\"; give an address and a port, such as 127.0.0.1:9465"));
                None
            }
        };
        let log = match get("RUST_LOG").map(|text| (text.parse::<LevelFilter>(), text)) {
            None => LevelFilter::Info,
            Some((Ok(level), _)) => level,
            Some((Err(_), text)) => {
                let text: String = text.chars().take(80).flat_map(char::escape_default).collect();
                problems.push(format!("RUST_LOG is \"{text}\"; give off, error, warn, info, debug or trace"));
                LevelFilter::Info
            }
        };
        match (redis_url, region, worker) {
            (Some(url), Some(region), Some(worker)) if problems.is_empty() => Ok(Self {
                redis_url: RedisUrl(url),
                region,
                worker,
                concurrency,
                allow_private,
                canaries,
                ca_file,
                extra_roots,
                spool_directory: get("SPOOL_DIRECTORY").map(PathBuf::from),
                spool_mib,
                metrics_listen,
                metrics_left_to_hub: false,
                log,
            }),
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
        let networks: Vec<String> = self.allow_private.iter().map(Cidr::to_string).collect();
        let values = [
            ("REDIS_URL", "(set)".to_owned()),
            ("CONSUMER_GROUP_REGION_ID", self.region.to_string()),
            ("WORKER_ID", self.worker.to_string()),
            ("CONCURRENCY", self.concurrency.to_string()),
            ("ALLOW_PRIVATE", networks.join(",")),
            ("CANARIES", self.canaries.to_string()),
            ("CA_FILE", self.ca_file.clone().unwrap_or_default()),
            ("SPOOL_DIRECTORY", self.spool_directory.as_deref().map(|d| d.display().to_string()).unwrap_or_default()),
            ("SPOOL_MIB", self.spool_mib.to_string()),
            ("METRICS_LISTEN", self.metrics_listen.map_or_else(|| "(off)".to_owned(), |address| address.to_string())),
            ("RUST_LOG", self.log.as_str().to_ascii_lowercase()),
        ];
        values.iter().map(|(name, value)| format!("{name:<26}{value}").trim_end().to_owned() + "\n").collect()
    }
}

/// The host's name, without its domain. Under systemd's `ProcSubset=pid` there is no /proc/sys.
fn host_name() -> Option<String> {
    let read = |path| std::fs::read_to_string(path).ok().and_then(|text| short_name(&text));
    read("/proc/sys/kernel/hostname").or_else(|| read("/etc/hostname"))
}

/// The first label of the first line that is not a comment (hostname(5)).
fn short_name(text: &str) -> Option<String> {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'))?;
    line.split('.').next().filter(|name| !name.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(values: &[(&str, &str)]) -> Result<Config, Vec<String>> {
        Config::from(|name| values.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
    }

    #[test]
    fn all_problems_are_reported_at_once_and_no_password_is_repeated() {
        let problems = with(&[
            ("REDIS_URL", "http://:hunter2@h"),
            ("CONCURRENCY", "0"),
            ("ALLOW_PRIVATE", "x"),
            ("CANARIES", "x,1.1.1.1:443"),
            ("CA_FILE", "/nowhere/ca.pem"),
            ("SPOOL_MIB", "1"),
            ("RUST_LOG", "loud"),
        ]);
        let text = problems.unwrap_err().join("\n");
        for part in [
            "REDIS_URL",
            "CONSUMER_GROUP_REGION_ID",
            "CONCURRENCY is \"0\"",
            "ALLOW_PRIVATE",
            "CANARIES: \"x\"",
            "CA_FILE: \"/nowhere",
            "SPOOL_MIB is \"1\"",
            "RUST_LOG is",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(!text.contains("hunter2"), "{text}");
    }

    #[test]
    fn settings_are_shown_as_they_are_written_and_secrets_are_masked() {
        let config = with(&[
            ("REDIS_URL", "redis://:hunter2@h"),
            ("CONSUMER_GROUP_REGION_ID", "eu"),
            ("WORKER_ID", "a"),
            ("ALLOW_PRIVATE", "192.168.1.0/24, fd00::/8"),
        ]);
        let config = config.unwrap();
        let shown = config.show();
        assert!(!format!("{config:?}{shown}").contains("hunter2"));
        assert!(shown.contains("ALLOW_PRIVATE             192.168.1.0/24,fd00::/8\n"), "{shown}");
        assert!(shown.ends_with("RUST_LOG                  info\n"), "{shown}");
    }

    #[test]
    fn a_host_is_named_by_its_first_label() {
        assert_eq!(short_name("pi-1.lan\n").as_deref(), Some("pi-1"));
        assert_eq!(short_name("# set by hand\n\n pi-1 \n").as_deref(), Some("pi-1"));
        assert_eq!((short_name(""), short_name(".lan")), (None, None));
    }
}
