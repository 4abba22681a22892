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
use crate::secret::{Secret, SigningKeys};
use read::Reader;

pub use sources::{Sources, is_own_secret};

/// Where all settings are listed, for who has the source and for who has the package.
pub const ALL_SETTINGS: &str = "All settings are listed in .env.example, which packages have as \
    /usr/share/doc/betteruptime-hub/examples/all-settings.env";

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
    /// `JWT_SECRET_KEY_ACCEPTED`: another key whose signatures count too, while one takes the other's place.
    pub jwt_secret_key_accepted: Option<Secret>,
    /// `DEAD_MAN_URL`: asked for every minute while the hub works; whoever it belongs to raises the alarm when that stops.
    /// A secret: whoever has it can keep the alarm quiet. Default: nobody.
    pub dead_man_url: Option<Secret>,
    /// `METRICS_LISTEN`: address of a listener of its own for `/metrics`. Default: none. One that others reach needs
    /// `metrics_token`.
    pub metrics_listen: Option<SocketAddr>,
    /// `METRICS_TOKEN`, at least 16 characters: whoever sends it as a bearer token may read `/metrics`, also where the pages
    /// are. Default: nobody.
    pub metrics_token: Option<Secret>,
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
    /// `API_REQUESTS_PER_S`: requests of the API that one key or person may make a second, on average over ten; 1 to 100,000
    /// (default 100). Each hub counts for itself.
    pub api_requests_per_s: u32,
    /// `RETENTION_DAYS`: whole days for which history is kept; 2 to 3,650 (default 400). Incidents and changes of verdict
    /// stay.
    pub retention: Retention,
    /// `MAX_WEBSITES_PER_ACCOUNT`: websites, jobs among them, that one account or team may have; 1 to 1,000,000 (default: any
    /// number; 100 where anybody may sign up).
    pub max_websites: Option<i64>,
    /// `DESIGN_PAGE` (0 or 1, default 0): `/design` shows the parts that pages are made of, for whoever works on them. No data.
    pub design_page: bool,
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
            metrics_listen: read.metrics_listen(),
            sign_ups: read.sign_ups(),
            log_format: read.log_format(),
            concurrency: read.number("CONCURRENCY", 1..=2_000, 50),
            host_checks_per_s: read.number("HOST_CHECKS_PER_S", 1..=1_000, PER_HOST_S),
            api_requests_per_s: read.number("API_REQUESTS_PER_S", 1..=100_000, 100),
            retention: Retention { days: read.number("RETENTION_DAYS", 2..=3_650, Retention::DEFAULT.days) },
            max_websites: read.max_websites(),
            design_page: read.number("DESIGN_PAGE", 0..=1, 0_u32) == 1,
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
            jwt_secret_key_accepted: sources.secret("JWT_SECRET_KEY_ACCEPTED", &mut read.errors),
            dead_man_url: sources.secret("DEAD_MAN_URL", &mut read.errors),
            metrics_token: sources.secret("METRICS_TOKEN", &mut read.errors),
        };
        let mut errors = read.errors;
        check::admin_url(config.redis_admin_url.as_ref(), config.redis_url.is_some(), &mut errors);
        check::urls(config.database_url.as_ref(), config.redis_url.as_ref(), &mut errors);
        check::metrics(config.metrics_listen, config.metrics_token.as_ref(), &mut errors);
        check::dead_man_url(config.dead_man_url.as_ref(), &mut errors);
        check::signing_keys(&config, &mut errors);
        if errors.is_empty() { Ok(config) } else { Err(errors) }
    }

    /// The keys of the settings; `None`: they are in the state directory.
    #[must_use]
    pub fn signing_keys(&self) -> Option<SigningKeys> {
        let current = self.jwt_secret_key.clone()?;
        Some(SigningKeys { current, accepted: self.jwt_secret_key_accepted.clone() })
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
