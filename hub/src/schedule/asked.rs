//! Checks that nobody's slot asks for: first looks, second looks, "check now". Each host gets them one by one, on a line
//! of their own beside the schedule's.

use std::collections::BTreeMap;

use super::Schedule;
use crate::model::{CheckKind, RegionId, UtcMs, WebsiteId, slots};

/// Checks that may wait; what comes on top is dropped and counted. The slots of a website come all the same.
const WAITING: usize = 20_000;

/// A check that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) website_id: WebsiteId,
    pub(super) region: RegionId,
    pub(super) slot_at: UtcMs,
    pub(super) attempt: u16,
    pub(super) kind: CheckKind,
}

/// Those that wait: for their moment, then for their turn.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// With whether it stands in its host's line already.
    by_moment: BTreeMap<UtcMs, Vec<(Asked, bool)>>,
    number: usize,
    dropped: u64,
}

impl Waiting {
    fn put(&mut self, at: UtcMs, asked: Asked, in_line: bool) {
        if self.number >= WAITING {
            self.dropped += 1;
            if self.dropped.is_power_of_two() {
                tracing::warn!(dropped = self.dropped, "Too many checks were asked for at once; some were dropped.");
            }
            return;
        }
        self.number += 1;
        self.by_moment.entry(at).or_default().push((asked, in_line));
    }

    fn take(&mut self, now: UtcMs) -> Vec<(Asked, bool)> {
        if self.by_moment.first_key_value().is_none_or(|(at, _)| *at > now) {
            return Vec::new();
        }
        let later = self.by_moment.split_off(&(now + 1));
        let mature: Vec<_> = std::mem::replace(&mut self.by_moment, later).into_values().flatten().collect();
        self.number -= mature.len();
        mature
    }

    /// The clock was set back.
    pub(super) fn clear(&mut self) {
        *self = Self { dropped: self.dropped, ..Self::default() };
    }
}

impl Schedule {
    /// Asks for a check, not before `at`.
    pub(super) fn ask(&mut self, asked: Asked, at: UtcMs, now: UtcMs) {
        if at > now { self.asked.put(at, asked, false) } else { self.stand_in_line(asked, now) }
    }

    fn stand_in_line(&mut self, asked: Asked, now: UtcMs) {
        let Some(website) = self.plan.website(asked.website_id) else { return };
        // As in Publisher::add.
        let by = slots::deadline_at(asked.slot_at, i64::from(website.interval_ms))
            + if asked.kind == CheckKind::Confirm { i64::from(website.timeout_ms) + 5_000 } else { 0 };
        match self.pace.asked.join(website.host, now, by) {
            Some(at) if at <= now => self.publish_asked(&asked, now),
            Some(at) => self.asked.put(at, asked, true),
            None => self.pace.leave_out(1),
        }
    }

    /// Publishes what has waited long enough.
    pub(super) fn publish_mature(&mut self, now: UtcMs) {
        for (asked, in_line) in self.asked.take(now) {
            if in_line { self.publish_asked(&asked, now) } else { self.stand_in_line(asked, now) }
        }
    }

    fn publish_asked(&mut self, asked: &Asked, now: UtcMs) {
        let Some(website) = self.plan.website(asked.website_id) else { return };
        if self.plan.is_live(&asked.region, now) {
            self.publisher.add(website, &asked.region, asked.slot_at, asked.attempt, asked.kind, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn what_was_asked_for_comes_in_time_and_is_bounded() {
        let mut waiting = Waiting::default();
        let asked = |n| Asked {
            website_id: WebsiteId(Uuid::from_u128(n)),
            region: "A".parse().unwrap(),
            slot_at: 0,
            attempt: 0,
            kind: CheckKind::Manual,
        };
        waiting.put(20, asked(2), false);
        waiting.put(10, asked(1), true);
        assert_eq!(waiting.take(9), []);
        assert_eq!(waiting.take(10), [(asked(1), true)]);
        (0..WAITING as u128 + 5).for_each(|n| waiting.put(30, asked(n), false));
        assert_eq!((waiting.take(30).len(), waiting.dropped, waiting.number), (WAITING, 6, 0));
    }
}
