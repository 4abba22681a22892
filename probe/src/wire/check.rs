//! The order: what the hub asks a worker to do.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{UtcMs, WebsiteId};

/// One unit of work: website x region x slot x attempt, with a deadline. The region is told by the stream's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// The website.
    pub website_id: WebsiteId,
    /// The instant the check was due, by the hub's schedule. Part of the check's identity.
    pub slot_at: UtcMs,
    /// 0 for the slot's own check, 1 and up for confirmations of it.
    pub attempt: u16,
    /// Why it is run.
    pub kind: CheckKind,
    /// Past this instant the check is acknowledged and counted, not run (invariant I8, P6).
    pub deadline_at: UtcMs,
    /// When it was handed to the queue, by the hub's clock like the two above: `deadline_at` minus this is how long it may
    /// wait ([`Check::may_wait`]), whatever the clocks of queue and worker say.
    pub published_at: UtcMs,
    /// What to ask of whom.
    pub target: Target,
}

impl Check {
    /// How long it may wait in queues before it is run; zero for an order whose deadline lies before its publication.
    #[must_use]
    pub fn may_wait(&self) -> Duration {
        let ms = self.deadline_at.saturating_sub(self.published_at);
        Duration::from_millis(u64::try_from(ms).unwrap_or(0))
    }
}

crate::named! {
    /// Why a check is run.
    CheckKind {
        /// Its slot came.
        Scheduled = "scheduled",
        /// The website was just added, changed or resumed.
        First = "first",
        /// A person asked.
        Manual = "manual",
        /// A failure elsewhere or before is to be confirmed.
        Confirm = "confirm",
    }
}

crate::named! {
    /// Request methods a website may ask for (RFC 9110).
    Method {
        /// GET.
        Get = "GET",
        /// HEAD.
        Head = "HEAD",
    }
}

crate::named! {
    /// Which addresses of a name are tried.
    IpFamily {
        /// Both, interleaved (RFC 8305).
        Any = "any",
        /// IPv4 only.
        V4 = "v4",
        /// IPv6 only.
        V6 = "v6",
    }
}

/// What to ask of whom, and what counts as a good answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Absolute http or https URL in the normal form of the `url` crate, at most 2,048 bytes, no credentials.
    pub url: String,
    /// Request method.
    #[serde(default = "get")]
    pub method: Method,
    /// Budget of the whole check, redirects included; 1,000 to 60,000.
    pub timeout_ms: u32,
    /// Which status codes count as up.
    #[serde(default)]
    pub accept: StatusRule,
    /// Slower than this in total counts as degraded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow_ms: Option<u32>,
    /// Redirects followed at most (P2); 0 judges the redirect itself.
    #[serde(default = "five")]
    pub max_redirects: u8,
    /// Which addresses are tried.
    #[serde(default = "any")]
    pub ip_family: IpFamily,
}

fn get() -> Method {
    Method::Get
}

fn five() -> u8 {
    5
}

fn any() -> IpFamily {
    IpFamily::Any
}

impl Target {
    /// A plain GET of `url` with the defaults of the product: 10 s, 200-299 is up, 5 redirects.
    #[must_use]
    pub fn get(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            method: Method::Get,
            timeout_ms: 10_000,
            accept: StatusRule::default(),
            slow_ms: None,
            max_redirects: 5,
            ip_family: IpFamily::Any,
        }
    }
}

/// Status codes that count as up: inclusive ranges. Default 200-299.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StatusRule(pub Vec<(u16, u16)>);

impl Default for StatusRule {
    fn default() -> Self {
        Self(vec![(200, 299)])
    }
}

impl StatusRule {
    /// Whether `status` counts as up.
    #[must_use]
    pub fn accepts(&self, status: u16) -> bool {
        self.0.iter().any(|(low, high)| (*low..=*high).contains(&status))
    }
}
