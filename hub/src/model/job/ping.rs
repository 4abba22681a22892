//! What a job says, as it came.

use crate::model::UtcMs;

/// Characters that are kept of what comes with a ping.
pub const SAID_CHARS: usize = 1_000;
/// Pings that are kept of a job.
pub const PINGS_KEPT: i64 = 50;

/// A capability: whoever knows it may report for the job. Random (version 4); to be shown to its owner, never logged.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PingId(pub uuid::Uuid);

impl std::fmt::Debug for PingId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PingId(…)")
    }
}

impl std::fmt::Display for PingId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::str::FromStr for PingId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        uuid::Uuid::try_parse(text).map(Self)
    }
}

probe::named! {
    /// What a ping says.
    PingKind {
        /// A run began.
        Start = "start",
        /// A run ended well.
        Success = "success",
        /// A run failed.
        Fail = "fail",
    }
}

/// A ping as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ping {
    /// When, by the hub's clock.
    pub at: UtcMs,
    /// What it says.
    pub kind: PingKind,
    /// The exit code it told.
    pub exit_code: Option<u8>,
    /// The beginning of its body ([`said`]).
    pub said: String,
}

/// A ping as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptPing {
    /// As it came.
    pub ping: Ping,
    /// From the start before it, where there was one.
    pub took_ms: Option<i64>,
}

/// The beginning of what came with a ping: printable characters and line ends, [`SAID_CHARS`] at most. What is no UTF-8
/// shows as such.
#[must_use]
pub fn said(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    // A cut in the middle of a character is ours.
    let text = text.trim_matches(|c: char| c.is_whitespace() || c.is_control() || c == '\u{fffd}');
    let shown = |c: char| match c {
        '\n' => Some('\n'),
        '\t' => Some(' '),
        c if c.is_control() || is_direction(c) => None,
        c => Some(c),
    };
    text.chars().filter_map(shown).take(SAID_CHARS).collect()
}

/// Characters that turn the direction of what stands around them.
pub(super) fn is_direction(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
