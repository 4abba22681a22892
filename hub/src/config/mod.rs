//! The hub's settings: read once, checked together, passed down. Nothing else reads the environment.
//!
//! flag > environment > file (`--config FILE`, lines of `NAME=value`) > default. Every secret may also come as
//! `NAME_FILE`, the path of a file that holds it. All problems are reported in one go.

mod check;
mod read;
mod show;
mod sources;

use std::net::SocketAddr;
use std::path::PathBuf;

use probe::canary::Canaries;
use probe::engine::Cidr;
use rustls::pki_types::CertificateDer;

use crate::model::FieldErrors;
use crate::model::courtesy::PER_HOST_S;
use crate::model::retention::Retention;
use crate::secret::Secret;
use read::Reader;

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
    /// `DEAD_MAN_URL`: asked for every minute while the hub works; whoever it belongs to raises the alarm when that stops.
    /// A secret: whoever has it can keep the alarm quiet. Default: nobody.
    pub dead_man_url: Option<Secret>,
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
    /// `RETENTION_DAYS`: whole days for which history is kept; 2 to 3,650 (default 400). Incidents and changes of verdict
    /// stay.
    pub retention: Retention,
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
        let mut read = Reader { sources, errors: FieldErrors::default() };
        let (ca_file, extra_roots) = read.authorities();
        let config = Self {
            listen: read.listen(),
            public_url: read.public_url(),
            state_directory: sources.get("STATE_DIRECTORY").unwrap_or("./data").into(),
            sign_ups: read.sign_ups(),
            log_format: read.log_format(),
            concurrency: read.number("CONCURRENCY", 1..=2_000, 50),
            host_checks_per_s: read.number("HOST_CHECKS_PER_S", 1..=1_000, PER_HOST_S),
            retention: Retention { days: read.number("RETENTION_DAYS", 2..=3_650, Retention::DEFAULT.days) },
            canaries: read.canaries(),
            ca_file,
            extra_roots,
            tls: read.tls(),
            log_filter: read.log_filter(),
            trusted_proxies: read.trusted_proxies(),
            database_url: sources.secret("DATABASE_URL", &mut read.errors),
            redis_url: sources.secret("REDIS_URL", &mut read.errors),
            redis_admin_url: sources.secret("REDIS_ADMIN_URL", &mut read.errors),
            jwt_secret_key: sources.secret("JWT_SECRET_KEY", &mut read.errors),
            dead_man_url: sources.secret("DEAD_MAN_URL", &mut read.errors),
        };
        let mut errors = read.errors;
        check::admin_url(config.redis_admin_url.as_ref(), config.redis_url.is_some(), &mut errors);
        check::urls(config.database_url.as_ref(), config.redis_url.as_ref(), &mut errors);
        check::dead_man_url(config.dead_man_url.as_ref(), &mut errors);
        check::signing_key(config.jwt_secret_key.as_ref(), !config.is_embedded(), &mut errors);
        if errors.is_empty() { Ok(config) } else { Err(errors) }
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
}

#[cfg(test)]
mod tests;
