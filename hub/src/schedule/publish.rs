//! Checks on their way to the queue: collected per region, sent in batches, kept while the queue is away as long as
//! they are worth sending.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::plan::{Plan, Watched};
use crate::clock;
use crate::metrics::Counts;
use crate::model::{Check, CheckKind, RegionId, UtcMs, slots};
use crate::queue::Queue;

/// Backpressure: from this many undone checks on a region gets no more (I7), or from those of [`WAITING_S`] where that
/// is more: a region that has thousands to do per second has thousands in flight.
const WAITING: u64 = 5_000;
const WAITING_S: f64 = 5.0;
/// Checks that may wait here, in their full size.
const AT_HAND: usize = 20_000;
/// Of these, in a region, those that were asked for: nothing else bounds them while the queue is away.
const ASKED: usize = 5_000;
/// How often a region's backlog is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Between two log lines about the same trouble.
const TELL_EVERY: Duration = Duration::from_secs(10);
/// The queue counts as away when it took nothing for so long.
const AWAY_AFTER: Duration = Duration::from_secs(2);

/// Checks of a region, each with the claimed second it is part of; one that was asked for is part of none.
#[derive(Default)]
struct Out {
    checks: Vec<Check>,
    seconds: Vec<Option<i64>>,
}

impl Out {
    /// Leaves out those that do not fit; returns how many.
    fn keep(&mut self, fits: impl Fn(&Check, Option<i64>) -> bool) -> usize {
        let before = self.checks.len();
        let pairs = std::mem::take(&mut self.checks).into_iter().zip(std::mem::take(&mut self.seconds));
        (self.checks, self.seconds) = pairs.filter(|(check, second)| fits(check, *second)).unzip();
        before - self.checks.len()
    }

    /// Makes room for one more that was asked for, if there is none: those too late to be sent go first, then the oldest
    /// that is no second look, then the oldest. Returns how many went.
    fn make_room(&mut self, now: UtcMs) -> usize {
        if self.checks.len() < ASKED || self.seconds.iter().filter(|second| second.is_none()).count() < ASKED {
            return 0;
        }
        let is_late = |check: &Check, second: Option<i64>| second.is_none() && check.deadline_at <= now;
        if self.checks.iter().zip(&self.seconds).any(|(check, second)| is_late(check, *second)) {
            return self.keep(|check, second| !is_late(check, second));
        }
        let asked = || self.seconds.iter().enumerate().filter(|(_, second)| second.is_none()).map(|(at, _)| at);
        let other = asked().find(|at| self.checks.get(*at).is_some_and(|check| check.kind != CheckKind::Confirm));
        let Some(at) = other.or_else(|| asked().next()) else { return 0 };
        self.checks.remove(at);
        self.seconds.remove(at);
        1
    }

    /// Those that are part of no claimed second.
    fn asked_for(&mut self) -> Self {
        let pairs = std::mem::take(&mut self.checks).into_iter().zip(std::mem::take(&mut self.seconds));
        let (asked, scheduled): (Vec<_>, Vec<_>) = pairs.partition(|(_, second)| second.is_none());
        (self.checks, self.seconds) = scheduled.into_iter().unzip();
        let (checks, seconds) = asked.into_iter().unzip();
        Self { checks, seconds }
    }
}

pub(super) struct Publisher {
    queue: Queue,
    counts: Arc<Counts>,
    out: BTreeMap<RegionId, Out>,
    full: BTreeMap<RegionId, bool>,
    look_at: Instant,
    retry_at: Instant,
    /// Since when the queue takes nothing.
    refused_since: Option<Instant>,
    missed: u64,
    /// Of those missed, how many were not told of yet.
    untold: usize,
    tell_missed_at: Instant,
    tell_refused_at: Instant,
    tell_dropped_at: Instant,
}

impl Publisher {
    pub(super) fn new(queue: Queue, counts: Arc<Counts>) -> Self {
        let now = Instant::now();
        Self {
            queue,
            counts,
            out: BTreeMap::new(),
            full: BTreeMap::new(),
            look_at: now,
            retry_at: now,
            refused_since: None,
            missed: 0,
            untold: 0,
            tell_missed_at: now,
            tell_refused_at: now,
            tell_dropped_at: now,
        }
    }

    /// Whether what is published is done also when this process ends.
    pub(super) fn outlives_us(&self) -> bool {
        match self.queue {
            Queue::Redis(_) => true,
            Queue::InProcess(_) | Queue::Nowhere(_) => false,
        }
    }

    /// Whether the queue has taken nothing for a while.
    pub(super) fn is_away(&self) -> bool {
        self.refused_since.is_some_and(|since| since.elapsed() > AWAY_AFTER)
    }

    /// How many checks of the schedule may be given now: what would only wait here, the schedule keeps in fewer bytes.
    pub(super) fn room(&self) -> usize {
        match self.refused_since {
            Some(_) => 0,
            None => AT_HAND.saturating_sub(self.out.values().map(|out| out.checks.len()).sum()),
        }
    }

    /// Claimed seconds of which checks wait here.
    pub(super) fn seconds(&self) -> BTreeSet<i64> {
        self.out.values().flat_map(|out| out.seconds.iter().flatten().copied()).collect()
    }

    /// Drops the checks of a second that is this hub's no more; returns how many.
    pub(super) fn forget_second(&mut self, lost: i64) -> usize {
        self.out.values_mut().map(|out| out.keep(|_, second| second != Some(lost))).sum()
    }

    pub(super) async fn open(&self, region: &RegionId) {
        if let Err(error) = self.queue.ensure_region(region).await {
            tracing::warn!(%region, %error, "The stream of a region could not be made; it is tried again with its next sign of life.");
        }
    }

    pub(super) fn add(
        &mut self,
        website: &Watched,
        region: &RegionId,
        slot_at: UtcMs,
        attempt: u16,
        kind: CheckKind,
        second: Option<i64>,
    ) {
        let interval_ms = i64::from(website.interval_ms);
        let deadline_at = match kind {
            CheckKind::Scheduled | CheckKind::First | CheckKind::Manual => slots::deadline_at(slot_at, interval_ms),
            // Asked for after the slot's own check took its time.
            CheckKind::Confirm => slots::deadline_at(slot_at, interval_ms) + i64::from(website.timeout_ms) + 5_000,
        };
        let check = Check {
            website_id: website.website_id,
            slot_at,
            attempt,
            kind,
            deadline_at,
            published_at: slot_at,
            target: website.target(),
        };
        let out = match self.out.get_mut(region) {
            Some(out) => out,
            None => self.out.entry(region.clone()).or_default(),
        };
        if second.is_none() {
            let dropped = out.make_room(clock::now());
            self.missed += dropped as u64;
            self.counts.missed.dropped.add(dropped);
            if dropped > 0 && Instant::now() >= self.tell_dropped_at {
                self.tell_dropped_at = Instant::now() + TELL_EVERY;
                tracing::warn!(%region, missed = self.missed, "Too many checks that were asked for wait for the queue; \
                    the oldest are dropped.");
            }
        }
        out.checks.push(check);
        out.seconds.push(second);
    }

    /// Sends what there is; of the schedule only while it `holds`: its seconds are known to be this hub's, which is asked
    /// after each wait for the queue. What cannot be sent stays until its deadline.
    pub(super) async fn flush(&mut self, plan: &Plan, holds: impl Fn() -> bool) {
        if self.out.values().all(|out| out.checks.is_empty()) {
            self.refused_since = None; // whether it is back is found out with the next check
            return;
        }
        if Instant::now() < self.retry_at {
            return;
        }
        self.look(plan).await;
        if self.refused_since.is_some() && self.retry_at > Instant::now() {
            return;
        }
        for (region, out) in &mut self.out {
            let (now, holds) = (clock::now(), holds());
            let is_full = self.full.get(region).copied().unwrap_or(false);
            if is_full || out.checks.iter().any(|check| check.deadline_at <= now) {
                let lost = out.keep(|check, _| !is_full && check.deadline_at > now);
                self.missed += lost as u64;
                if is_full { &self.counts.missed.region_full } else { &self.counts.missed.expired }.add(lost);
                self.untold += lost;
                if self.untold > 0 && Instant::now() >= self.tell_missed_at {
                    self.tell_missed_at = Instant::now() + TELL_EVERY;
                    let checks = std::mem::take(&mut self.untold);
                    tracing::warn!(%region, checks, missed = self.missed, "Slots were missed: the region does not keep up.");
                }
            }
            let mut asked = if holds { Out::default() } else { out.asked_for() };
            let sent = if holds { &mut *out } else { &mut asked };
            if sent.checks.is_empty() {
                continue;
            }
            sent.checks.iter_mut().for_each(|check| check.published_at = now);
            probe::fail_point!("schedule.due");
            // What is sent is gone then.
            let slots: Vec<_> = sent.checks.iter().map(|check| (check.kind, check.slot_at)).collect();
            let result = self.queue.publish(region, &mut sent.checks).await;
            let went = slots.len() - sent.checks.len();
            sent.seconds.drain(..went);
            for (kind, slot_at) in slots.into_iter().take(went) {
                self.counts.published(kind);
                if kind == CheckKind::Scheduled {
                    self.counts.lateness.record_ms(now - slot_at);
                }
            }
            if !holds {
                out.checks.append(&mut asked.checks);
                out.seconds.append(&mut asked.seconds);
            }
            match result {
                Ok(()) => {
                    probe::fail_point!("schedule.published");
                    self.refused_since = None;
                }
                Err(error) => {
                    if Instant::now() >= self.tell_refused_at {
                        self.tell_refused_at = Instant::now() + TELL_EVERY;
                        let checks = out.checks.len();
                        tracing::warn!(%region, checks, %error, "Checks could not be published; trying again.");
                    }
                    self.retry_at = Instant::now() + Duration::from_millis(250);
                    self.refused_since.get_or_insert_with(Instant::now);
                }
            }
        }
    }

    /// Looks at the backlog of regions there is something for; while the queue is away, whether it is back.
    async fn look(&mut self, plan: &Plan) {
        let is_away = self.is_away();
        if Instant::now() < self.look_at && !is_away {
            return;
        }
        self.look_at = Instant::now() + LOOK_EVERY;
        for (region, _) in self.out.iter().filter(|(_, out)| !out.checks.is_empty()) {
            match self.queue.waiting(region).await {
                Ok(waiting) => {
                    let most = WAITING.max((plan.rate_per_s(region) * WAITING_S) as u64);
                    self.counts.set_limit(region, most);
                    self.full.insert(region.clone(), waiting >= most);
                    self.refused_since = None;
                }
                Err(_) if is_away => {
                    self.retry_at = Instant::now() + Duration::from_millis(250);
                    return;
                }
                Err(_) => {
                    self.full.insert(region.clone(), false);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::WebsiteId;
    use probe::wire::Target;

    fn check(kind: CheckKind, slot_at: UtcMs, deadline_at: UtcMs) -> Check {
        let website_id = WebsiteId(uuid::Uuid::nil());
        let target = Target::get("https://example.com/");
        Check { website_id, slot_at, attempt: 0, kind, deadline_at, published_at: 0, target }
    }

    #[test]
    fn what_was_asked_for_while_the_queue_is_away_is_bounded_and_second_looks_go_last() {
        let mut out = Out::default();
        let ask = |out: &mut Out, kind, slot_at, deadline_at| {
            let dropped = out.make_room(100);
            out.checks.push(check(kind, slot_at, deadline_at));
            out.seconds.push(None);
            dropped
        };
        // One of the schedule's is never dropped for them.
        out.checks.push(check(CheckKind::Scheduled, 0, 0));
        out.seconds.push(Some(7));
        assert_eq!(ask(&mut out, CheckKind::Confirm, 1, 900), 0);
        assert_eq!(ask(&mut out, CheckKind::Manual, 2, 900), 0);
        assert_eq!(ask(&mut out, CheckKind::Confirm, 3, 100), 0);
        let rest = i64::try_from(ASKED).unwrap() - 3;
        assert!((0..rest).all(|n| ask(&mut out, CheckKind::Confirm, 10 + n, 900) == 0));
        let slots = |out: &Out| out.checks.iter().take(4).map(|check| check.slot_at).collect::<Vec<_>>();
        assert_eq!((ask(&mut out, CheckKind::First, 9_001, 900), slots(&out)), (1, vec![0, 1, 2, 10]), "too late");
        assert_eq!(
            (ask(&mut out, CheckKind::First, 9_002, 900), slots(&out)),
            (1, vec![0, 1, 10, 11]),
            "no second look"
        );
        assert_eq!(ask(&mut out, CheckKind::Confirm, 9_003, 900), 1);
        assert_eq!(ask(&mut out, CheckKind::Confirm, 9_004, 900), 1);
        assert_eq!(slots(&out), [0, 1, 10, 11], "first looks went before");
        assert_eq!(
            (ask(&mut out, CheckKind::Confirm, 9_005, 900), slots(&out)),
            (1, vec![0, 10, 11, 12]),
            "the oldest"
        );
        assert_eq!((out.checks.len(), out.seconds.len()), (ASKED + 1, ASKED + 1));
    }
}
