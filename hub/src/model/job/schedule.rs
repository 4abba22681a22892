//! When a job runs: every so often, or as a cron expression says.

use jiff::tz::TimeZone;

use super::{Cron, EARLY_MS};
use crate::model::UtcMs;

/// When a job runs.
#[derive(Debug, Clone, PartialEq)]
pub enum JobSchedule {
    /// So long after its last ping at the latest; 1 minute to 366 days.
    Every {
        /// The period.
        period_ms: i64,
    },
    /// At the times of a cron expression, by the clocks of a zone.
    Cron {
        /// The expression.
        cron: Box<Cron>,
        /// Its zone.
        zone: TimeZone,
        /// Name of the zone.
        time_zone: String,
    },
}

impl JobSchedule {
    /// A minute.
    pub const LEAST_PERIOD_MS: i64 = 60_000;
    /// A leap year.
    pub const MOST_PERIOD_MS: i64 = 366 * 86_400_000;
    /// Beginning of a period as stored.
    const EVERY: &'static str = "every:";

    /// From its stored form; `None`: it is none that this version knows.
    #[must_use]
    pub fn stored(text: &str, time_zone: &str) -> Option<Self> {
        match text.strip_prefix(Self::EVERY) {
            Some(period) => Some(Self::Every { period_ms: period.parse().ok()? }),
            None => Self::cron(text.parse().ok()?, time_zone),
        }
    }

    /// Of an expression; `None`: no zone of this name is known.
    #[must_use]
    pub fn cron(cron: Cron, time_zone: &str) -> Option<Self> {
        let zone = TimeZone::get(time_zone).ok()?;
        Some(Self::Cron { cron: Box::new(cron), zone, time_zone: time_zone.to_owned() })
    }

    /// As stored.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Every { period_ms } => format!("{}{period_ms}", Self::EVERY),
            Self::Cron { cron, .. } => cron.to_string(),
        }
    }

    /// Name of the zone by which it is told.
    #[must_use]
    pub fn time_zone(&self) -> &str {
        match self {
            Self::Every { .. } => "UTC",
            Self::Cron { time_zone, .. } => time_zone,
        }
    }

    /// When the ping after one at `at` is due.
    #[must_use]
    pub fn after(&self, at: UtcMs) -> Option<UtcMs> {
        match self {
            Self::Every { period_ms } => Some(at.saturating_add(*period_ms)),
            Self::Cron { cron, zone, .. } => cron.after(zone, at.saturating_add(EARLY_MS)),
        }
    }

    /// The usual time between two pings as of `at`, where that is short: flapping is counted by it, within an hour. What runs
    /// once a day makes no chatter by failing three times in three weeks, and its next failure must not wait for three days
    /// to be told; each is a fact, and as rare as the job.
    #[must_use]
    pub fn interval_ms(&self, at: UtcMs) -> i64 {
        let interval_ms = match self {
            Self::Every { period_ms } => *period_ms,
            Self::Cron { cron, zone, .. } => {
                let first = cron.after(zone, at);
                let second = first.and_then(|first| cron.after(zone, first));
                first.zip(second).map_or(86_400_000, |(first, second)| second - first)
            }
        };
        interval_ms.clamp(10_000, 180_000)
    }
}
