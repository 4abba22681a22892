//! Jobs that report themselves (a dead man's switch): nobody looks at them, they ping, and silence is what is wrong. One
//! region, [`region`], one rule, no majority: a ping is a fact, and so is a missing one, as long as somebody listened.
//!
//! Pure: what a ping changes ([`Job::take`]), and what its absence does ([`Job::miss`]).

mod cron;
mod input;
mod ping;
mod schedule;
mod words;

use super::{Blame, Class, Failure, Outcome, Phase, RegionId, Span, UtcMs, WebsiteId, WorkerId};

pub use cron::Cron;
pub use input::{JobInput, UNITS};
pub use ping::{KeptPing, PINGS_KEPT, Ping, PingId, PingKind, SAID_CHARS, said};
pub use schedule::JobSchedule;
pub use words::{NEW, RESUMED, Words, span_words};

/// The region whose ticks pings are. No worker can enrol in it, and no tick of a worker is taken for a job.
pub const REGION: &str = "ping";

/// Stands where other ticks have the name of their worker.
const REPORTER: &str = "job";
/// What to do about a region of that name.
pub const RESERVED: &str = "This name is taken: jobs that report themselves do so there. Choose another.";

/// Whether no worker may enrol in a region. One of this name that exists goes on as it was: no tick of it is about a job.
#[must_use]
pub fn is_reserved(region: &RegionId) -> bool {
    region.as_str().eq_ignore_ascii_case(REGION)
}

/// [`REGION`] as a name.
#[must_use]
pub fn region() -> Option<RegionId> {
    REGION.parse().ok()
}

/// Whether a tick of this region and worker is a ping, or the want of one.
#[must_use]
pub fn is_reporter(region: &RegionId, worker: &WorkerId) -> bool {
    region.as_str() == REGION && worker.as_str() == REPORTER
}

/// Stands where other ticks have their worker.
#[must_use]
pub fn reporter() -> Option<WorkerId> {
    REPORTER.parse().ok()
}

/// Silence is called so late after the grace: whoever tries again for half a minute, as `curl --retry 5
/// --retry-connrefused` does when a hub restarts or the database is away for a moment, is in time.
pub const RETRIES_MS: i64 = 30_000;
/// A ping this shortly before its time is the one that was awaited: the clock of its machine is a little ahead of ours.
pub const EARLY_MS: i64 = 30_000;
/// When nobody noted for so long that a hub lives, nobody listened meanwhile. It is noted twice as often.
pub const DEAF_MS: i64 = 20_000;

/// What an owner chose.
#[derive(Debug, Clone, PartialEq)]
pub struct JobPlan {
    /// For people, 1 to 96 characters; stands where other websites show their address.
    pub name: String,
    /// When it runs.
    pub schedule: JobSchedule,
    /// How late it may be, and how long it may run; 1 minute to 30 days.
    pub grace_ms: i64,
}

impl JobPlan {
    /// A minute.
    pub const LEAST_GRACE_MS: i64 = 60_000;
    /// Thirty days.
    pub const MOST_GRACE_MS: i64 = 30 * 86_400_000;
    /// When nothing is said.
    pub const DEFAULT_GRACE_MS: i64 = 300_000;

    /// When the ping after one at `at` is due. `None`: never, which no plan that was accepted says.
    #[must_use]
    pub fn expected_after(&self, at: UtcMs) -> Option<UtcMs> {
        self.schedule.after(at)
    }
}

/// What is awaited of a job, and what it said last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Awaited {
    /// When a ping is due. `None`: none is awaited, since none ever came, or it is down or paused.
    pub expected_at: Option<UtcMs>,
    /// Since when that one is awaited: the ping, edit or resumption before.
    pub since_at: Option<UtcMs>,
    /// The first start since the last end: its end is awaited. A run that dies and is started again and again puts
    /// nothing off.
    pub started_at: Option<UtcMs>,
    /// The last start since the last end, from which a run is timed.
    pub restarted_at: Option<UtcMs>,
    /// The last ping of any kind.
    pub pinged_at: Option<UtcMs>,
    /// The last one that told an end.
    pub ended_at: Option<UtcMs>,
    /// The exit code told with that.
    pub exit_code: Option<u8>,
    /// How long that run took, where its start was told.
    pub took_ms: Option<i64>,
}

/// A job as stored, without the website that it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Which.
    pub website_id: WebsiteId,
    /// By which it reports.
    pub ping_id: PingId,
    /// What its owner chose.
    pub plan: JobPlan,
    /// What is awaited.
    pub awaited: Awaited,
}

/// What follows from a ping, or from its absence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What holds.
    pub outcome: Outcome,
    /// Since when.
    pub at: UtcMs,
    /// What went wrong, of what is down.
    pub failure: Option<Failure>,
    /// In words, whole sentences.
    pub reason: String,
}

impl Job {
    /// When silence makes it down. `None`: nothing is awaited.
    #[must_use]
    pub fn missing_at(&self) -> Option<UtcMs> {
        let awaited = &self.awaited;
        // What is down by now awaits nothing, whatever was started.
        let expected_at = awaited.expected_at?;
        Some(awaited.started_at.unwrap_or(expected_at).saturating_add(self.plan.grace_ms))
    }

    /// Counts a ping in. `None`: it changes no verdict, since it is a start. A ping that is here before anybody called it
    /// missing is not missing.
    pub fn take(&mut self, ping: &Ping, verdict: Outcome) -> Option<Verdict> {
        let awaited = &mut self.awaited;
        awaited.pinged_at = Some(ping.at);
        if ping.kind == PingKind::Start {
            awaited.started_at.get_or_insert(ping.at);
            awaited.restarted_at = Some(ping.at);
            if awaited.expected_at.is_none() && verdict != Outcome::Down {
                awaited.expected_at = self.plan.schedule.after(ping.at);
                awaited.since_at = Some(ping.at);
            }
            return None;
        }
        awaited.took_ms = awaited.restarted_at.map(|at| ping.at.saturating_sub(at).max(0));
        (awaited.started_at, awaited.restarted_at) = (None, None);
        (awaited.ended_at, awaited.exit_code) = (Some(ping.at), ping.exit_code);
        let is_good = ping.kind == PingKind::Success;
        awaited.expected_at = self.plan.schedule.after(ping.at).filter(|_| is_good);
        awaited.since_at = awaited.expected_at.map(|_| ping.at);
        let at = ping.at;
        if is_good {
            return Some(Verdict { outcome: Outcome::Up, at, failure: None, reason: words::GOOD.to_owned() });
        }
        let failure = failure(Class::PingFailed, Phase::Judge, &words::failed_detail(ping));
        Some(Verdict { outcome: Outcome::Down, at, failure: Some(failure), reason: words::failed(ping.exit_code) })
    }

    /// When a ping may have come that is missing at [`Job::missing_at`]: of a period as much before its time as it may be
    /// late, of a cron expression no earlier than counts for that time ([`EARLY_MS`]), and not before it was awaited; or from
    /// the start on whose end is missing.
    #[must_use]
    pub fn window(&self) -> Option<Span> {
        let awaited = &self.awaited;
        let from_at = match awaited.started_at {
            Some(started_at) => started_at,
            None => {
                // One that came before would have left the same time to be awaited.
                let early_ms = match self.plan.schedule {
                    JobSchedule::Every { .. } => self.plan.grace_ms,
                    JobSchedule::Cron { .. } => EARLY_MS,
                };
                awaited.expected_at?.saturating_sub(early_ms).max(awaited.since_at.unwrap_or(i64::MIN))
            }
        };
        Some(Span { from_at, to_at: self.missing_at()?.saturating_add(RETRIES_MS) })
    }

    /// Counts in that no ping came. `deaf`: a time within [`Job::window`] in which nobody listened, the last one: then it may
    /// have come and nobody knows, and the next one is awaited. `None`: nothing was awaited.
    pub fn miss(&mut self, deaf: Option<Span>) -> Option<Verdict> {
        let missing_at = self.missing_at()?;
        let (expected_at, started_at) = (self.awaited.expected_at?, self.awaited.started_at);
        let words = Words::of(&self.plan);
        if let Some(deaf) = deaf {
            let next = self.plan.expected_after(deaf.to_at);
            let reason = words.deaf(deaf, next);
            let awaited = &mut self.awaited;
            (awaited.expected_at, awaited.since_at) = (next, Some(deaf.to_at));
            (awaited.started_at, awaited.restarted_at) = (None, None);
            return Some(Verdict { outcome: Outcome::Unknown, at: missing_at, failure: None, reason });
        }
        let (class, at, reason) = match started_at {
            // It was allowed to run for so long.
            Some(started_at) => (Class::PingOverdue, missing_at, words.overdue(started_at, self.plan.grace_ms)),
            None => (Class::PingMissing, expected_at, words.missing(self.awaited.pinged_at, expected_at, missing_at)),
        };
        let awaited = &mut self.awaited;
        (awaited.expected_at, awaited.since_at) = (None, None);
        (awaited.started_at, awaited.restarted_at) = (None, None);
        Some(Verdict { outcome: Outcome::Down, at, failure: Some(failure(class, Phase::Wait, "")), reason })
    }

    /// From `now` on what its plan says is awaited: the plan was changed, or it is watched again. One that never reported is
    /// left to its first ping, and one that is down to its next good one.
    pub fn await_anew(&mut self, verdict: Outcome, now: UtcMs) {
        let has_reported = self.awaited.pinged_at.is_some();
        let awaits = has_reported && verdict != Outcome::Down;
        self.awaited.expected_at = self.plan.expected_after(now).filter(|_| awaits);
        self.awaited.since_at = self.awaited.expected_at.map(|_| now);
    }

    /// Nothing is awaited: it is paused.
    pub fn await_nothing(&mut self) {
        let awaited = &mut self.awaited;
        (awaited.expected_at, awaited.since_at) = (None, None);
        (awaited.started_at, awaited.restarted_at) = (None, None);
    }
}

fn failure(class: Class, phase: Phase, detail: &str) -> Failure {
    Failure { class, phase, blame: Blame::Target, detail: detail.to_owned() }
}

#[cfg(test)]
mod tests;
