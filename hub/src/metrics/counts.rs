//! Counters that only grow, and durations by how long they took: a few atomics, which whoever does the work adds to.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::model::{CheckKind, RegionId, UtcMs};

/// Grows, from 0 at the start of the process.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// So many more.
    pub fn add(&self, more: usize) {
        self.0.fetch_add(more as u64, Ordering::Relaxed);
    }

    /// So many in all, as somebody else counted.
    pub fn reach(&self, total: u64) {
        self.0.fetch_max(total, Ordering::Relaxed);
    }

    /// How many so far.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What was last known; nothing until then.
#[derive(Debug)]
pub struct Gauge(AtomicI64);

impl Default for Gauge {
    fn default() -> Self {
        Self(AtomicI64::new(i64::MIN))
    }
}

impl Gauge {
    /// It is this now.
    pub fn set(&self, value: i64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// What it is, when it is known.
    #[must_use]
    pub fn get(&self) -> Option<i64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|value| *value != i64::MIN)
    }
}

/// Durations, counted by the bounds they are not longer than.
#[derive(Debug, Default)]
pub struct Times {
    /// One for each of [`Times::BOUNDS_MS`], and one for what is longer than all.
    buckets: [AtomicU64; Self::BOUNDS_MS.len() + 1],
    sum_us: AtomicU64,
}

impl Times {
    /// Upper ends of the buckets, in milliseconds. One set for all: 100 ms is what the schedule is measured by, 30 s the
    /// longest that anybody waits for an answer.
    pub const BOUNDS_MS: [u64; 14] = [1, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000];

    /// Counts one.
    pub fn record(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let place = Self::BOUNDS_MS.iter().take_while(|bound| us > **bound * 1_000).count();
        if let Some(bucket) = self.buckets.get(place) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }

    /// Counts one in milliseconds; what is negative, since clocks differ, is none.
    pub fn record_ms(&self, ms: i64) {
        self.record(Duration::from_millis(u64::try_from(ms).unwrap_or(0)));
    }

    /// How many there were up to each bound, the last of them all; and seconds in all.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "the sum is shown, not counted with")]
    pub fn read(&self) -> ([u64; Self::BOUNDS_MS.len() + 1], f64) {
        let mut seen = 0;
        let up_to = self.buckets.each_ref().map(|bucket| {
            seen += bucket.load(Ordering::Relaxed);
            seen
        });
        (up_to, self.sum_us.load(Ordering::Relaxed) as f64 / 1e6)
    }
}

/// Slots nobody was asked to look at, by why.
#[derive(Debug, Default)]
pub struct Missed {
    /// They were too old when they could be published: the hub stood still, or did not keep up.
    pub late: Counter,
    /// Their region had more checks waiting than it may.
    pub region_full: Counter,
    /// The queue did not take them before they were too old.
    pub expired: Counter,
    /// Asked for while too many of these waited already.
    pub dropped: Counter,
}

/// Requests of one route.
#[derive(Debug, Default)]
pub struct Answered {
    /// By class of the status: 1xx to 5xx.
    pub by_class: [Counter; 5],
    /// How long answering took.
    pub times: Times,
}

/// When counting began, which is when the process did.
#[derive(Debug)]
struct Started(UtcMs);

impl Default for Started {
    fn default() -> Self {
        Self(crate::clock::wall())
    }
}

/// Method and pattern of a route.
type RouteKey = (&'static str, &'static str);

/// All that this process counts. One for each store, through which every part of the hub has it.
#[derive(Debug, Default)]
pub struct Counts {
    started: Started,
    /// From a check's slot, or its place in the line of its host, to its publication.
    pub lateness: Times,
    published: [Counter; 4],
    /// Not published.
    pub missed: Missed,
    limits: Mutex<BTreeMap<RegionId, u64>>,
    /// Ticks that were new.
    pub ticks_new: Counter,
    /// Ticks that were there already.
    pub ticks_known: Counter,
    /// Of the new ones: too late for a vote.
    pub ticks_late: Counter,
    /// Ticks of websites that are gone, or not watched from there.
    pub ticks_orphaned: Counter,
    /// Reports that were not understood, or that a worker put away: dead letters.
    pub letters: Counter,
    /// One transaction of ingest.
    pub ingest_batch: Times,
    /// Whatever was asked of the database.
    pub statements: Times,
    /// Statements that took longer than they may.
    pub statement_timeouts: Counter,
    /// Times the database did not answer, and its connections were given up.
    pub silences: Counter,
    /// All days before this are packed, as of the last look.
    pub packed_until_at: Gauge,
    routes: Mutex<BTreeMap<RouteKey, Answered>>,
    /// Connections the front took.
    pub accepted: Counter,
    /// Of these, those that ended.
    pub closed: Counter,
    /// Connections it turned away since there are too many.
    pub refused_all: Counter,
    /// Those it turned away since their client has too many.
    pub refused_client: Counter,
    /// Requests it answered itself, since they are none, too large, or came too slowly.
    pub refused_request: Counter,
    /// Requests for which nobody was free.
    pub refused_busy: Counter,
    /// Who asked to listen, and was turned away since too many do.
    pub refused_listener: Counter,
    /// Connections that gave their place to a newcomer, since nothing was asked in them for longest.
    pub evicted: Counter,
    /// Connections there may be.
    pub front_limit: Gauge,
    /// Who began to listen.
    pub listening: Counter,
    /// Of these, who ended.
    pub listened: Counter,
    /// Who may listen at once.
    pub listener_limit: Gauge,
    /// Answers for everybody that were kept, and new.
    pub cache_fresh: Counter,
    /// Those that were shown since there was no newer one yet.
    pub cache_stale: Counter,
    /// Requests for such answers that went to the application.
    pub cache_asked: Counter,
    /// When the front's own certificate ends.
    pub certificate_ends: Gauge,
    /// Sign-ins that had to wait after too many wrong ones.
    pub refused_sign_in: Counter,
    /// Pings that came too often.
    pub refused_ping: Counter,
    /// Requests of the API that came too often.
    pub refused_api: Counter,
    /// Lines of the audit log that could not be written.
    pub audit_lost: Counter,
    /// Badges shown from memory.
    pub badges_kept: Counter,
    /// Badges for which the database was asked.
    pub badges_made: Counter,
}

/// The words of the kinds, in the order of their counters.
const KINDS: [CheckKind; 4] = [CheckKind::Scheduled, CheckKind::First, CheckKind::Manual, CheckKind::Confirm];

impl Counts {
    /// When this process began, by the wall clock.
    #[must_use]
    pub fn started_at(&self) -> UtcMs {
        self.started.0
    }

    /// A check was published.
    pub fn published(&self, kind: CheckKind) {
        let [scheduled, first, manual, confirm] = &self.published;
        let counter = match kind {
            CheckKind::Scheduled => scheduled,
            CheckKind::First => first,
            CheckKind::Manual => manual,
            CheckKind::Confirm => confirm,
        };
        counter.add(1);
    }

    /// How many were published, by kind.
    pub fn published_by_kind(&self) -> impl Iterator<Item = (&'static str, u64)> {
        KINDS.iter().zip(&self.published).map(|(kind, counter)| (kind.as_str(), counter.get()))
    }

    /// From so many undone checks on a region gets no more.
    pub fn set_limit(&self, region: &RegionId, most: u64) {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner).insert(region.clone(), most);
    }

    /// The same, where it was looked at.
    #[must_use]
    pub fn limit(&self, region: &RegionId) -> Option<u64> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner).get(region).copied()
    }

    /// All days that end before `at` are packed.
    pub fn packed_until(&self, at: UtcMs) {
        self.packed_until_at.set(at);
    }

    /// A request was answered. Patterns, never paths: those may hold what is secret, and there is no end of them.
    pub fn answered(&self, method: &'static str, pattern: &'static str, status: u16, took: Duration) {
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        let route = routes.entry((method, pattern)).or_default();
        let class = usize::from(status / 100).checked_sub(1);
        if let Some(counter) = class.and_then(|class| route.by_class.get(class)) {
            counter.add(1);
        }
        route.times.record(took);
    }

    /// Looks at all routes that were asked for.
    pub fn routes(&self, mut look: impl FnMut(&'static str, &'static str, &Answered)) {
        let routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        routes.iter().for_each(|((method, pattern), answered)| look(method, pattern, answered));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_counted_up_to_every_bound_it_does_not_pass() {
        let times = Times::default();
        for ms in [0, 1, 2, 100, 101, 59_999, 3_600_000] {
            times.record_ms(ms);
        }
        times.record_ms(-5);
        let (up_to, sum_s) = times.read();
        assert_eq!(up_to, [3, 4, 4, 4, 4, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8]);
        assert!((sum_s - 3_660.203).abs() < 1e-6, "{sum_s}");
    }

    #[test]
    fn what_is_not_known_is_no_number() {
        let gauge = Gauge::default();
        assert_eq!(gauge.get(), None);
        gauge.set(0);
        assert_eq!(gauge.get(), Some(0));
    }

    #[test]
    fn requests_are_counted_by_route_and_class() {
        let counts = Counts::default();
        for status in [200, 204, 404, 503, 999, 0] {
            counts.answered("GET", "/websites/:id", status, Duration::from_millis(3));
        }
        let mut seen = Vec::new();
        counts.routes(|method, pattern, answered| {
            seen.push((method, pattern, answered.by_class.each_ref().map(Counter::get)));
        });
        assert_eq!(seen, [("GET", "/websites/:id", [0, 2, 0, 1, 1])]);
    }
}
