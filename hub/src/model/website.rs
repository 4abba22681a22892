//! A website and what a user may ask of it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::{AccountId, Options, RegionId, UtcMs, WebsiteId};
use probe::wire::Target;

/// What the form offers, in seconds; the API takes any whole second from 10 to 86,400.
pub const INTERVALS_OFFERED_S: [u32; 6] = [30, 60, 180, 300, 900, 3_600];

/// What a user chose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebsiteSettings {
    /// Normal form of the `url` crate: the stored form is the only form (D7).
    pub url: String,
    /// Between two slots of one region: 10 s to 1 day.
    pub interval_ms: i64,
    /// Budget of one check: 1 s to 60 s, at most the interval.
    pub timeout_ms: i64,
    /// Regions to watch from, sorted; empty means all there are.
    pub regions: Vec<RegionId>,
    /// How to ask, and what counts as a good answer.
    pub options: Arc<Options>,
}

impl WebsiteSettings {
    /// The ancestor's default: every 3 minutes.
    pub const DEFAULT_INTERVAL_MS: i64 = 180_000;
    /// P1.
    pub const DEFAULT_TIMEOUT_MS: i64 = 10_000;

    /// Default settings for a URL that is already in normal form.
    #[must_use]
    pub fn new(url: String) -> Self {
        Self {
            url,
            interval_ms: Self::DEFAULT_INTERVAL_MS,
            timeout_ms: Self::DEFAULT_TIMEOUT_MS,
            regions: Vec::new(),
            options: Options::standard(),
        }
    }

    /// What a worker is told.
    #[must_use]
    pub fn target(&self) -> Target {
        Target {
            url: self.url.clone(),
            timeout_ms: u32::try_from(self.timeout_ms).unwrap_or(10_000),
            request: self.options.request.clone(),
            expect: self.options.expect.clone(),
        }
    }

    /// Whether it is watched from `region`.
    #[must_use]
    pub fn watches_from(&self, region: &RegionId) -> bool {
        self.regions.is_empty() || self.regions.contains(region)
    }
}

probe::named! {
    /// How it is known whether it is up.
    WebsiteKind {
        /// Probes ask its address.
        Http = "http",
        /// A job reports itself ([`super::job`]): it is sent no check, and its name stands where others have an address.
        Job = "job",
    }
}

/// What a user asked to watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Website {
    /// Key.
    pub website_id: WebsiteId,
    /// Owner.
    pub account_id: AccountId,
    /// How it is known whether it is up.
    pub kind: WebsiteKind,
    /// What was chosen.
    pub settings: WebsiteSettings,
    /// No checks, no verdicts, until resumed.
    pub paused: bool,
    /// When it was added.
    pub created_at: UtcMs,
    /// Its options were written by a newer version and are not understood: it is not checked until they are set anew, for
    /// a check that leaves out what was asked for would say "up" of something nobody looked at (T288).
    pub is_unreadable: bool,
    /// Grows with every edit; a message about an older revision is out of date.
    pub revision: i64,
}

/// A website as a list offers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebsiteName {
    /// Which.
    pub website_id: WebsiteId,
    /// Its address.
    pub url: String,
}
/// A place in an account's list of websites, oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebsiteCursor {
    /// When the last one seen was made.
    pub created_at: UtcMs,
    /// Which it was.
    pub id: WebsiteId,
}

impl WebsiteCursor {
    /// Before all of them.
    pub const FIRST: Self = Self { created_at: UtcMs::MIN, id: WebsiteId(uuid::Uuid::nil()) };
}

impl fmt::Display for WebsiteCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.created_at, self.id.0.simple())
    }
}

impl FromStr for WebsiteCursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (at, id) = text.split_once('_').ok_or(())?;
        Ok(Self { created_at: at.parse().map_err(|_| ())?, id: id.parse().map_err(|_| ())? })
    }
}
