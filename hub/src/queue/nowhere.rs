//! A queue that leads nowhere, for measurements of what comes before it: takes every check, and notes how late it was.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use probe::wire::{Check, CheckKind, UtcMs, WebsiteId};

use crate::clock;

/// Lateness up to here is told by the millisecond; all above is one.
const MOST_MS: usize = 20_000;
/// The time of a slot and of its check come from two clocks.
const CLOCK_ERROR_MS: i64 = 5;

/// What became of the slots of some seconds, whenever they come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    seconds: Range<i64>,
    /// Checks by milliseconds after their slot.
    pub late: Vec<u64>,
    /// Checks by the second of their slot.
    pub by_second: Vec<u64>,
    /// Checks that were handed out before their slot, by more than what clocks on one machine are read apart.
    pub early: u64,
}

impl Tally {
    /// Of the slots in these seconds since 1970.
    #[must_use]
    pub fn of(seconds: Range<i64>) -> Self {
        let number = usize::try_from(seconds.end - seconds.start).unwrap_or(0);
        Self { seconds, late: vec![0; MOST_MS + 1], by_second: vec![0; number], early: 0 }
    }

    /// Counts a check of the schedule that was handed out at `at`.
    pub fn count(&mut self, slot_at: UtcMs, at: UtcMs) {
        let second = slot_at.div_euclid(1_000);
        if !self.seconds.contains(&second) {
            return;
        }
        self.early += u64::from(at.saturating_add(CLOCK_ERROR_MS) < slot_at);
        let late = usize::try_from(at - slot_at).unwrap_or(0).min(MOST_MS);
        let second = usize::try_from(second - self.seconds.start).unwrap_or(0);
        for count in [self.late.get_mut(late), self.by_second.get_mut(second)].into_iter().flatten() {
            *count += 1;
        }
    }
}

/// What it took.
#[derive(Debug, Default)]
pub struct Nowhere {
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    tally: Tally,
    /// When a website was last looked at out of turn.
    first: HashMap<WebsiteId, UtcMs>,
}

impl Nowhere {
    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn publish(&self, checks: &mut Vec<Check>) {
        let (mut taken, now) = (self.taken(), clock::now());
        for check in checks.drain(..) {
            match check.kind {
                CheckKind::Scheduled => taken.tally.count(check.slot_at, now),
                CheckKind::First | CheckKind::Manual | CheckKind::Confirm => {
                    taken.first.insert(check.website_id, now);
                }
            }
        }
    }

    /// Begins another tally; returns what became of the last one.
    pub fn tally(&self, seconds: Range<i64>) -> Tally {
        std::mem::replace(&mut self.taken().tally, Tally::of(seconds))
    }

    /// When a website was last looked at out of turn.
    #[must_use]
    pub fn first(&self, website: WebsiteId) -> Option<UtcMs> {
        self.taken().first.get(&website).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_counted_by_their_own_second_however_late_they_come() {
        let mut tally = Tally::of(10..12);
        for (slot_at, at) in
            [(9_999, 10_000), (10_000, 10_003), (11_999, 15_000), (12_000, 12_000), (10_500, 99_999), (11_000, 10_990)]
        {
            tally.count(slot_at, at);
        }
        assert_eq!((tally.by_second.as_slice(), tally.early), (&[2, 2][..], 1));
        let late: Vec<usize> = (0..=MOST_MS).filter(|ms| tally.late[*ms] > 0).collect();
        assert_eq!(late, [0, 3, 3_001, MOST_MS]);
    }
}
