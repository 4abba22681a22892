//! What the ticks of an hour or a day come to, for one website from one region: counts, sums, and how long those took that
//! were answered well. Finer than an hour, history is read from the ticks themselves.
//!
//! A roll-up is counted whole, from all ticks there are. Ticks are only ever added, so of two counts of the same hour the
//! one of more ticks knows all that the other knows; which of them was written last makes no difference.

mod progress;

use super::histogram::Histogram;
use super::{Outcome, Phases, UtcMs};

pub use progress::{HOURS_KEPT_DAYS, Place, Progress, Task, Work};

/// A span that is rolled up, of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grain {
    /// 60 minutes.
    Hour,
    /// 24 hours.
    Day,
}

impl Grain {
    /// What a tick or a verdict comes later than this after the end of its hour or day is noted, so that it is counted
    /// again.
    const NOTED_AFTER_MS: i64 = 5 * 60_000;
    /// An hour or a day is counted so long after its end. What comes until then comes into the first count; the minutes
    /// between the two are for clocks that differ, and for transactions that take long.
    const SETTLED_AFTER_MS: i64 = 10 * 60_000;

    /// As stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    /// How long it is.
    #[must_use]
    pub const fn ms(self) -> i64 {
        match self {
            Self::Hour => 3_600_000,
            Self::Day => 86_400_000,
        }
    }

    /// Begin of the one that an instant falls into.
    #[must_use]
    pub fn start_of(self, at: UtcMs) -> UtcMs {
        at.saturating_sub(at.rem_euclid(self.ms()))
    }

    /// End of the one that an instant falls into.
    #[must_use]
    pub fn end_of(self, at: UtcMs) -> UtcMs {
        self.start_of(at).saturating_add(self.ms())
    }

    /// Whether what is known of `at` only now may have missed the count of its hour or day.
    #[must_use]
    pub fn is_late(self, at: UtcMs, now: UtcMs) -> bool {
        self.end_of(at) <= now.saturating_sub(Self::NOTED_AFTER_MS)
    }

    /// Begin of the first that may not be counted yet.
    #[must_use]
    pub fn settled_until(self, now: UtcMs) -> UtcMs {
        self.start_of(now.saturating_sub(Self::SETTLED_AFTER_MS))
    }
}

/// What of a tick is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CountedTick {
    /// How it ended.
    pub outcome: Outcome,
    /// It came long after its slot.
    pub late: bool,
    /// Where its time went.
    pub phases: Phases,
    /// All of it.
    pub total_us: u32,
}

/// What ticks come to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RollUp {
    /// How many there were.
    pub ticks: i64,
    /// Of them, up.
    pub up: i64,
    /// Of them, degraded.
    pub degraded: i64,
    /// Of them, down.
    pub down: i64,
    /// Of them, unknown: the website is not to blame.
    pub unknown: i64,
    /// Of all, those that came long after their slot.
    pub late: i64,
    /// Sums over those up or degraded that were measured, by phase, in the order of [`Phases::named`]. A phase that did not
    /// take place adds nothing.
    pub phases_us: [i64; 6],
    /// Sum of their whole durations.
    pub total_us: i64,
    /// The shortest of these.
    pub least_us: Option<u32>,
    /// The longest.
    pub most_us: Option<u32>,
    /// All of them.
    pub latency: Histogram,
}

impl RollUp {
    /// Counts a tick.
    pub fn count(&mut self, tick: &CountedTick) {
        self.ticks += 1;
        self.late += i64::from(tick.late);
        match tick.outcome {
            Outcome::Up => self.up += 1,
            Outcome::Degraded => self.degraded += 1,
            Outcome::Down => self.down += 1,
            Outcome::Unknown => self.unknown += 1,
        }
        match tick.outcome {
            Outcome::Up | Outcome::Degraded => {}
            Outcome::Down | Outcome::Unknown => return,
        }
        // A job that only said that it has run: nobody knows how long it took.
        if tick.total_us == 0 && tick.phases == Phases::default() {
            return;
        }
        for (sum, (_, us)) in self.phases_us.iter_mut().zip(tick.phases.named()) {
            *sum = sum.saturating_add(i64::from(us.unwrap_or(0)));
        }
        self.total_us = self.total_us.saturating_add(i64::from(tick.total_us));
        self.least_us = Some(self.least_us.map_or(tick.total_us, |us| us.min(tick.total_us)));
        self.most_us = self.most_us.max(Some(tick.total_us));
        self.latency.record(tick.total_us);
    }

    /// Adds what another came to: of other hours, or of another region.
    pub fn merge(&mut self, other: &Self) {
        let sums = [
            (&mut self.ticks, other.ticks),
            (&mut self.up, other.up),
            (&mut self.degraded, other.degraded),
            (&mut self.down, other.down),
            (&mut self.unknown, other.unknown),
            (&mut self.late, other.late),
            (&mut self.total_us, other.total_us),
        ];
        for (sum, more) in sums.into_iter().chain(self.phases_us.iter_mut().zip(other.phases_us)) {
            *sum = sum.saturating_add(more);
        }
        self.least_us = [self.least_us, other.least_us].into_iter().flatten().min();
        self.most_us = self.most_us.max(other.most_us);
        self.latency.merge(&other.latency);
    }

    /// How many were up or degraded.
    #[must_use]
    pub fn answered(&self) -> i64 {
        self.up.saturating_add(self.degraded)
    }

    /// The mean of a sum over those of them that were measured, in microseconds; `None`: there were none.
    #[must_use]
    pub fn mean_us(&self, sum_us: i64) -> Option<i64> {
        let measured = i64::try_from(self.latency.count()).unwrap_or(i64::MAX);
        (measured > 0).then(|| sum_us.saturating_add(measured / 2) / measured)
    }
}

#[cfg(test)]
mod tests;
