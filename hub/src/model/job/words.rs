//! Why a job's verdict is what it is, by the clocks its owner goes by.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{JobPlan, JobSchedule, Ping};
use crate::model::{Span, UtcMs};

/// Of one that was just added.
pub const NEW: &str = "It has not reported yet.";
/// Of one its owner resumed.
pub const RESUMED: &str = "It was resumed by its owner, and has not reported since.";
/// Of one that is up.
pub(super) const GOOD: &str = "It reported as expected.";
const ONE_GOOD: &str = "and one good ping makes it up again.";

/// Says instants by the clocks of a plan.
#[derive(Debug, Clone)]
pub struct Words {
    zone: TimeZone,
    name: String,
}

impl Words {
    /// By the clocks of a plan.
    #[must_use]
    pub fn of(plan: &JobPlan) -> Self {
        let name = plan.schedule.time_zone().to_owned();
        let zone = match &plan.schedule {
            JobSchedule::Every { .. } => TimeZone::UTC,
            JobSchedule::Cron { zone, .. } => zone.clone(),
        };
        Self { zone, name }
    }

    /// `2026-11-27 02:00 UTC`.
    #[must_use]
    pub fn at(&self, at: UtcMs) -> String {
        match Timestamp::from_millisecond(at) {
            Ok(at) => format!("{} {}", at.to_zoned_datetime(self.zone.clone()).strftime("%Y-%m-%d %H:%M"), self.name),
            Err(_) => "an impossible time".to_owned(),
        }
    }

    pub(super) fn missing(&self, pinged_at: Option<UtcMs>, expected_at: UtcMs, missing_at: UtcMs) -> String {
        let since = pinged_at.map_or_else(|| "No ping yet".to_owned(), |at| format!("No ping since {}", self.at(at)));
        let (expected, by) = (self.at(expected_at), self.at(missing_at));
        format!(
            "{since}; expected by {by}. It was due at {expected}, and the grace was over. Rule: silence counts when time and \
             grace are over, {ONE_GOOD}"
        )
    }

    pub(super) fn overdue(&self, started_at: UtcMs, grace_ms: i64) -> String {
        let (started, grace) = (self.at(started_at), span_words(grace_ms));
        format!(
            "It started at {started}, and has not reported its end within {grace}. Rule: a run may take as long as the \
             grace, counted from the first start, {ONE_GOOD}"
        )
    }

    pub(super) fn deaf(&self, deaf: Span, next: Option<UtcMs>) -> String {
        let (from, to) = (self.at(deaf.from_at), self.at(deaf.to_at));
        let next = next.map(|at| format!(" The next ping is due at {}.", self.at(at))).unwrap_or_default();
        format!("No hub was there to hear it from {from} to {to}, so nobody can tell whether it reported.{next}")
    }
}

pub(super) fn failed(exit_code: Option<u8>) -> String {
    let what = match exit_code {
        Some(code) => format!("It reported exit code {code}."),
        None => "It reported that it failed.".to_owned(),
    };
    format!("{what} Rule: a reported failure counts at once, {ONE_GOOD}")
}

/// What stands with the tick: exit code, and the beginning of what it said.
pub(super) fn failed_detail(ping: &Ping) -> String {
    let code = ping.exit_code.map(|code| format!("exit code {code}"));
    let said = ping.said.split_whitespace().collect::<Vec<_>>().join(" ");
    let parts = [code.unwrap_or_default(), said];
    let text = parts.iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join(": ");
    text.chars().take(480).collect()
}

/// A chosen span: `1 h 30 min`, `2 days`.
#[must_use]
pub fn span_words(ms: i64) -> String {
    let units = [(86_400_000, "day"), (3_600_000, "h"), (60_000, "min"), (1_000, "s")];
    let mut left = ms.max(0);
    let mut parts = Vec::new();
    for (unit_ms, unit) in units {
        let count = left / unit_ms;
        left %= unit_ms;
        match (count, unit) {
            (0, _) => {}
            (1, "day") => parts.push("1 day".to_owned()),
            (count, "day") => parts.push(format!("{count} days")),
            (count, unit) => parts.push(format!("{count} {unit}")),
        }
    }
    if parts.is_empty() { "0 s".to_owned() } else { parts.join(" ") }
}
