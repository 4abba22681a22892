//! The hub's settings: read once, checked together, passed down. Nothing else reads the environment.
//!
//! flag > environment > file (`--config FILE`, lines of `NAME=value`) > default. Every secret may also come as
//! `NAME_FILE`, the path of a file that holds it. All problems are reported in one go.

mod sources;

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;

use probe::canary::Canaries;
use probe::engine::Cidr;
use probe::engine::read_roots;
use rustls::pki_types::CertificateDer;

use crate::model::{FieldError, FieldErrors};
use crate::secret::Secret;

pub use sources::Sources;

/// Who may make an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignUps {
    /// The first visitor, who becomes the owner.
    First,
    /// Anyone.
    Open,
    /// Nobody; `user create` still works.
    Closed,
}

impl SignUps {
    /// As written in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl LogFormat {
    /// As written in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

/// Certificate and key of the front, PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// `TLS_CERT_FILE`: chain, leaf first.
    pub certificate: PathBuf,
    /// `TLS_KEY_FILE`.
    pub key: PathBuf,
}

/// Effective settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `LISTEN` (default 127.0.0.1:3001); `PORT` changes only the port.
    pub listen: SocketAddr,
    /// `PUBLIC_URL`: how browsers reach the hub, without a trailing slash. Default: what `LISTEN` says.
    pub public_url: Option<String>,
    /// `STATE_DIRECTORY` (default ./data): SQLite file, generated secrets, sockets. Made with mode 0700.
    pub state_directory: PathBuf,
    /// `DATABASE_URL`: postgres://... Default: SQLite in the state directory.
    pub database_url: Option<Secret>,
    /// `REDIS_URL`: redis://... or rediss://... Default: a queue in this process, region LOCAL.
    pub redis_url: Option<Secret>,
    /// `REDIS_ADMIN_URL`: a user of the same Redis who may make users, to enrol and revoke workers. Default: people do
    /// that themselves.
    pub redis_admin_url: Option<Secret>,
    /// `JWT_SECRET_KEY`, at least 32 bytes. Generated in the state directory when embedded; required otherwise.
    pub jwt_secret_key: Option<Secret>,
    /// `SIGNUPS` (default first).
    pub sign_ups: SignUps,
    /// `LOG_FORMAT` (text or json; default text).
    pub log_format: LogFormat,
    /// `RUST_LOG` (default info).
    pub log_filter: String,
    /// `CONCURRENCY` of the embedded probe, 1 to 2,000 (default 50).
    pub concurrency: u16,
    /// `HOST_CHECKS_PER_S`: checks of the schedule per second that one host gets, of all websites on it; 1 to 1,000
    /// (default 20).
    pub host_checks_per_s: u32,
    /// `CANARIES` of the embedded probe: who is asked whether its own network works.
    pub canaries: Canaries,
    /// `CA_FILE`: certificate authorities that the embedded probe trusts besides Mozilla's, and the connection to Redis
    /// besides the system's, in PEM form.
    pub ca_file: Option<String>,
    /// Those of the file.
    pub extra_roots: Vec<CertificateDer<'static>>,
    /// `TLS_CERT_FILE` and `TLS_KEY_FILE`: the front speaks TLS when both are set.
    pub tls: Option<TlsFiles>,
    /// `TRUSTED_PROXIES`: networks whose `X-Forwarded-For` is believed (default none).
    pub trusted_proxies: Vec<Cidr>,
}

impl Config {
    /// Checks all settings together.
    ///
    /// # Errors
    /// Every problem there is, each with its variable, what was found and what would work.
    pub fn from_sources(sources: &Sources) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::default();
        let mut listen = SocketAddr::from(([127, 0, 0, 1], 3001));
        if let Some(text) = sources.get("LISTEN") {
            match text.parse() {
                Ok(address) => listen = address,
                Err(_) => {
                    errors.push(FieldError::new("LISTEN", text, "Give address:port, for example 127.0.0.1:3001."))
                }
            }
        }
        if let Some(text) = sources.get("PORT").filter(|_| sources.strength("PORT") >= sources.strength("LISTEN")) {
            match text.parse() {
                Ok(port) => listen.set_port(port),
                Err(_) => {
                    errors.push(FieldError::new("PORT", text, "Give a number from 0 to 65535, for example 3001."))
                }
            }
        }
        let public_url = sources.get("PUBLIC_URL").and_then(|text| match url::Url::parse(text) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.host().is_some() && url.path() == "/" => {
                Some(url.as_str().trim_end_matches('/').to_owned())
            }
            Ok(_) | Err(_) => {
                let remedy = "Give scheme and host only, for example https://status.example.com.";
                errors.push(FieldError::new("PUBLIC_URL", text, remedy));
                None
            }
        });
        let sign_ups = match sources.get("SIGNUPS") {
            None | Some("first") => SignUps::First,
            Some("open") => SignUps::Open,
            Some("closed") => SignUps::Closed,
            Some(other) => {
                errors.push(FieldError::new("SIGNUPS", other, "Use first, open or closed."));
                SignUps::Closed
            }
        };
        let log_format = match sources.get("LOG_FORMAT") {
            None | Some("text") => LogFormat::Text,
            Some("json") => LogFormat::Json,
            Some(other) => {
                errors.push(FieldError::new("LOG_FORMAT", other, "Use text or json."));
                LogFormat::Text
            }
        };
        let concurrency = match sources.get("CONCURRENCY").map(|t| (t, t.parse::<u16>())) {
            None => 50,
            Some((_, Ok(number @ 1..=2_000))) => number,
            Some((text, _)) => {
                errors.push(FieldError::new("CONCURRENCY", text, "Give a whole number from 1 to 2000."));
                50
            }
        };
        let host_checks_per_s = match sources.get("HOST_CHECKS_PER_S").map(|t| (t, t.parse::<u32>())) {
            None => crate::model::courtesy::PER_HOST_S,
            Some((_, Ok(number @ 1..=1_000))) => number,
            Some((text, _)) => {
                errors.push(FieldError::new("HOST_CHECKS_PER_S", text, "Give a whole number from 1 to 1000."));
                1
            }
        };
        let given = sources.get("CANARIES").unwrap_or_default();
        let canaries = if given.is_empty() { Ok(Canaries::default()) } else { Canaries::parse(given) };
        let canaries = canaries.unwrap_or_else(|problems| {
            for problem in problems {
                errors.push(FieldError::new("CANARIES", "", format!("{problem}.")));
            }
            Canaries::off()
        });
        let ca_file = sources.get("CA_FILE").filter(|path| !path.is_empty()).map(str::to_owned);
        let extra_roots = ca_file.as_deref().map_or_else(|| Ok(Vec::new()), read_roots).unwrap_or_else(|error| {
            errors.push(FieldError::new("CA_FILE", "", format!("{error}.")));
            Vec::new()
        });
        let tls = match (sources.get("TLS_CERT_FILE"), sources.get("TLS_KEY_FILE")) {
            (Some(certificate), Some(key)) => Some(TlsFiles { certificate: certificate.into(), key: key.into() }),
            (None, None) => None,
            (Some(_), None) => {
                errors.push(FieldError::new("TLS_KEY_FILE", "", "TLS_CERT_FILE is set; name the key's file too."));
                None
            }
            (None, Some(_)) => {
                errors.push(FieldError::new(
                    "TLS_CERT_FILE",
                    "",
                    "TLS_KEY_FILE is set; name the certificate's file too.",
                ));
                None
            }
        };
        let log_filter = sources.get("RUST_LOG").unwrap_or("info").to_owned();
        if let Err(error) = tracing_subscriber::EnvFilter::try_new(&log_filter) {
            let remedy = format!("Use error, warn, info, debug or trace, or name=level pairs ({error}).");
            errors.push(FieldError::new("RUST_LOG", &log_filter, remedy));
        }
        let mut trusted_proxies = Vec::new();
        for text in sources.get("TRUSTED_PROXIES").unwrap_or_default().split(',').map(str::trim) {
            match text.parse::<Cidr>() {
                Ok(cidr) => trusted_proxies.push(cidr),
                Err(_) if text.is_empty() => {}
                Err(_) => {
                    let remedy = "Give networks, separated by commas, for example 127.0.0.1/32,10.0.0.0/8.";
                    errors.push(FieldError::new("TRUSTED_PROXIES", text, remedy));
                }
            }
        }
        let database_url = sources.secret("DATABASE_URL", &mut errors);
        let redis_url = sources.secret("REDIS_URL", &mut errors);
        let redis_admin_url = sources.secret("REDIS_ADMIN_URL", &mut errors);
        check_admin_url(redis_admin_url.as_ref(), redis_url.is_some(), &mut errors);
        let jwt_secret_key = sources.secret("JWT_SECRET_KEY", &mut errors);
        check_urls(database_url.as_ref(), redis_url.as_ref(), &mut errors);
        check_key(jwt_secret_key.as_ref(), redis_url.is_some() || database_url.is_some(), &mut errors);
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Self {
            listen,
            public_url,
            state_directory: sources.get("STATE_DIRECTORY").unwrap_or("./data").into(),
            database_url,
            redis_url,
            redis_admin_url,
            jwt_secret_key,
            sign_ups,
            log_format,
            log_filter,
            concurrency,
            host_checks_per_s,
            canaries,
            ca_file,
            extra_roots,
            tls,
            trusted_proxies,
        })
    }

    /// Nothing beside this process: SQLite, queue and probe inside.
    #[must_use]
    pub fn is_embedded(&self) -> bool {
        self.redis_url.is_none() && self.database_url.is_none()
    }

    /// Whether browsers reach the hub over TLS, so that Secure cookies work.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.tls.is_some() || self.public_url.as_deref().is_some_and(|url| url.starts_with("https://"))
    }

    fn shown_proxies(&self) -> String {
        let list: Vec<String> = self.trusted_proxies.iter().map(ToString::to_string).collect();
        if list.is_empty() { "(none)".to_owned() } else { list.join(",") }
    }

    /// Effective values for people, secrets masked.
    #[must_use]
    pub fn show(&self) -> String {
        let masked = |secret: &Option<Secret>, absent: &str| match secret {
            Some(_) => "(set)".to_owned(),
            None => absent.to_owned(),
        };
        let path = |path: Option<&PathBuf>| path.map_or_else(|| "(off)".to_owned(), |p| p.display().to_string());
        let rows = [
            ("LISTEN", self.listen.to_string()),
            ("PUBLIC_URL", self.public_url.clone().unwrap_or_else(|| "(from LISTEN)".to_owned())),
            ("STATE_DIRECTORY", self.state_directory.display().to_string()),
            ("DATABASE_URL", masked(&self.database_url, "(SQLite in the state directory)")),
            ("REDIS_URL", masked(&self.redis_url, "(queue in this process)")),
            ("REDIS_ADMIN_URL", masked(&self.redis_admin_url, "(none: workers are enrolled by hand)")),
            ("JWT_SECRET_KEY", masked(&self.jwt_secret_key, "(generated in the state directory)")),
            ("SIGNUPS", self.sign_ups.as_str().to_owned()),
            ("CONCURRENCY", self.concurrency.to_string()),
            ("HOST_CHECKS_PER_S", self.host_checks_per_s.to_string()),
            ("CANARIES", self.canaries.to_string()),
            ("CA_FILE", self.ca_file.clone().unwrap_or_default()),
            ("TLS_CERT_FILE", path(self.tls.as_ref().map(|t| &t.certificate))),
            ("TLS_KEY_FILE", path(self.tls.as_ref().map(|t| &t.key))),
            ("TRUSTED_PROXIES", self.shown_proxies()),
            ("LOG_FORMAT", self.log_format.as_str().to_owned()),
            ("RUST_LOG", self.log_filter.clone()),
        ];
        rows.iter().fold(String::new(), |mut text, (name, value)| {
            let _ = writeln!(text, "{name:<16} {value}");
            text
        })
    }
}

fn check_urls(database: Option<&Secret>, redis: Option<&Secret>, errors: &mut FieldErrors) {
    // The value may hold a password, so only its scheme is repeated.
    let scheme = |secret: &Secret| secret.expose().split_once("://").map_or("", |(s, _)| s).to_owned();
    if let Some(scheme) = database.map(scheme).filter(|s| !matches!(s.as_str(), "postgres" | "postgresql")) {
        let remedy = "Give postgres://user:password@host/database, or leave it out for SQLite.";
        errors.push(FieldError::new("DATABASE_URL", &scheme, remedy));
    }
    if let Some(scheme) = redis.map(scheme).filter(|s| !matches!(s.as_str(), "redis" | "rediss")) {
        let remedy = "Give redis://:password@host:6379 or rediss://... for TLS.";
        errors.push(FieldError::new("REDIS_URL", &scheme, remedy));
    }
    if redis.is_some() && database.is_none() {
        let remedy = "REDIS_URL is set, so probes elsewhere report here: SQLite serves one process only. \
                      Give postgres://..., or leave REDIS_URL out.";
        errors.push(FieldError::new("DATABASE_URL", "", remedy));
    }
}

fn check_admin_url(url: Option<&Secret>, has_redis: bool, errors: &mut FieldErrors) {
    let Some(url) = url else { return };
    let scheme = url.expose().split_once("://").map_or("", |(scheme, _)| scheme);
    if !matches!(scheme, "redis" | "rediss") {
        let remedy = "Give redis://user:password@host:6379 or rediss://... of a user who may make users.";
        errors.push(FieldError::new("REDIS_ADMIN_URL", scheme, remedy));
    } else if !has_redis {
        let remedy = "REDIS_URL is not set, so there is nobody to enrol. Set it, or leave this out.";
        errors.push(FieldError::new("REDIS_ADMIN_URL", "", remedy));
    }
}

fn check_key(key: Option<&Secret>, required: bool, errors: &mut FieldErrors) {
    let remedy = "Give at least 32 random bytes, for example the output of: openssl rand -base64 48";
    let Some(key) = key.map(Secret::expose) else {
        if required {
            errors.push(FieldError::new("JWT_SECRET_KEY", "", format!("It is required beside DATABASE_URL. {remedy}")));
        }
        return;
    };
    let distinct = key.bytes().collect::<std::collections::HashSet<_>>().len();
    let sample = ["change", "secret", "example", "replace"].iter().any(|s| key.to_ascii_lowercase().contains(s));
    if key.len() < 32 {
        errors.push(FieldError::new("JWT_SECRET_KEY", "", format!("It has {} bytes. {remedy}", key.len())));
    } else if distinct < 12 || sample {
        errors.push(FieldError::new("JWT_SECRET_KEY", "", format!("It looks like a sample, not a secret. {remedy}")));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn with(values: &[(&str, &str)]) -> Result<Config, FieldErrors> {
        let environment = values.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        Config::from_sources(&Sources { environment, ..Sources::default() })
    }

    const KEY: &str = "q8Zr0pV2mXw9Lk4TnB7yHf3CsJ6dGa1E";

    #[test]
    fn no_environment_at_all_is_fine() {
        let config = with(&[]).unwrap();
        assert!(config.is_embedded());
        assert_eq!(config.listen.to_string(), "127.0.0.1:3001");
    }

    #[test]
    fn a_flag_is_stronger_than_the_environment_whichever_name_it_has() {
        let sources = |flags: &[(&'static str, &str)]| Sources {
            flags: flags.iter().map(|(n, v)| (*n, (*v).to_owned())).collect(),
            environment: HashMap::from([("PORT".to_owned(), "8080".to_owned())]),
            file: HashMap::from([("LISTEN".to_owned(), "0.0.0.0:1".to_owned())]),
        };
        assert_eq!(Config::from_sources(&sources(&[])).unwrap().listen.to_string(), "0.0.0.0:8080");
        let flag = sources(&[("LISTEN", "127.0.0.1:4000")]);
        assert_eq!(Config::from_sources(&flag).unwrap().listen.to_string(), "127.0.0.1:4000");
    }

    #[test]
    fn all_problems_are_reported_at_once() {
        let errors = with(&[
            ("LISTEN", "here"),
            ("SIGNUPS", "maybe"),
            ("REDIS_URL", "redis://h"),
            ("CONCURRENCY", "0"),
            ("HOST_CHECKS_PER_S", "0.5"),
            ("CANARIES", "x,1.1.1.1:443,y"),
            ("RUST_LOG", "hub=loud"),
            ("TRUSTED_PROXIES", "127.0.0.1/32, nginx"),
        ]);
        let fields: Vec<_> = errors.unwrap_err().0.iter().map(|e| e.field).collect();
        let wrong = [
            "LISTEN",
            "SIGNUPS",
            "CONCURRENCY",
            "HOST_CHECKS_PER_S",
            "CANARIES",
            "CANARIES",
            "RUST_LOG",
            "TRUSTED_PROXIES",
            "DATABASE_URL",
            "JWT_SECRET_KEY",
        ];
        assert_eq!(fields, wrong);
    }

    #[test]
    fn t133_a_weak_key_stops_the_start() {
        for weak in ["short", &KEY[..31], &"a".repeat(40), "please-change-me-please-change-me-1234"] {
            assert!(with(&[("JWT_SECRET_KEY", weak)]).is_err(), "{weak}");
        }
        assert!(with(&[("JWT_SECRET_KEY", KEY)]).is_ok());
    }

    #[test]
    fn secrets_are_masked_and_never_quoted_in_errors() {
        let config = with(&[("DATABASE_URL", "postgres://u:hunter2@h/d"), ("JWT_SECRET_KEY", KEY)]).unwrap();
        let shown = format!("{}{config:?}", config.show());
        assert!(!shown.contains("hunter2") && !shown.contains(KEY), "{shown}");
        let errors = with(&[("DATABASE_URL", "mysql://u:hunter2@h/d")]).unwrap_err().to_string();
        assert!(!errors.contains("hunter2") && errors.contains("mysql"), "{errors}");
    }

    #[test]
    fn t278_a_secret_may_come_from_a_file_but_not_from_both() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), format!("{KEY}\n")).unwrap();
        let path = file.path().to_str().unwrap();
        assert_eq!(with(&[("JWT_SECRET_KEY_FILE", path)]).unwrap().jwt_secret_key, Some(Secret::new(KEY)));
        assert!(with(&[("JWT_SECRET_KEY_FILE", path), ("JWT_SECRET_KEY", KEY)]).is_err());
    }
}
