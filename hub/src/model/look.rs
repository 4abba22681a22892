//! What comes of a look that a person asked for, region by region. Pure.

use std::collections::BTreeMap;

use super::{CheckKind, RegionId, StoredTick, UtcMs, Worker};

/// How long after it was asked for it may be asked about.
pub const ASKED_ABOUT_MS: i64 = 10 * 60_000;
/// What a look may take beside its own time: its turn in the line of its host, the queue, a probe that is busy.
const ON_THE_WAY_MS: i64 = 15_000;

probe::named! {
    /// How far a region is with it.
    Looked {
        /// Its answer may come any moment.
        Waiting = "waiting",
        /// It has looked.
        Answered = "answered",
        /// It should have answered by now.
        Late = "late",
        /// No worker of it reports, so nobody was asked.
        Away = "away",
    }
}

/// How far a region is with a look of `asked_at`. `seen_at`: when a worker of it was last heard of.
#[must_use]
pub fn looked(asked_at: UtcMs, timeout_ms: i64, has_looked: bool, seen_at: UtcMs, now: UtcMs) -> Looked {
    let is_heard = now.saturating_sub(seen_at) < Worker::SILENT_AFTER_MS;
    let is_due = now.saturating_sub(asked_at) >= timeout_ms + ON_THE_WAY_MS;
    match (has_looked, is_heard, is_due) {
        (true, _, _) => Looked::Answered,
        (false, false, _) => Looked::Away,
        (false, true, true) => Looked::Late,
        (false, true, false) => Looked::Waiting,
    }
}

/// Whether what was asked for at that instant may still be asked about: it is no memory of long ago, nor of a clock that was
/// set back.
#[must_use]
pub fn is_recent(asked_at: UtcMs, now: UtcMs) -> bool {
    (-1_000..=ASKED_ABOUT_MS).contains(&now.saturating_sub(asked_at))
}

/// Of the ticks since it was asked for, oldest first, the one that answers for each region: the look itself, or one that its
/// schedule brought meanwhile.
#[must_use]
pub fn answers(ticks: Vec<StoredTick>) -> BTreeMap<RegionId, StoredTick> {
    let mut found: BTreeMap<RegionId, StoredTick> = BTreeMap::new();
    for tick in ticks {
        match found.get(&tick.region_id) {
            Some(known) if known.tick.kind == CheckKind::Manual || tick.tick.kind != CheckKind::Manual => {}
            Some(_) | None => {
                found.insert(tick.region_id.clone(), tick);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_answers_is_waited_for_is_late_or_is_not_there() {
        let (asked, timeout) = (1_000_000, 10_000);
        let state = |has, seen_ago_ms: i64, after_ms: i64| {
            looked(asked, timeout, has, asked + after_ms - seen_ago_ms, asked + after_ms)
        };
        assert_eq!(state(false, 4_000, 0), Looked::Waiting);
        assert_eq!(state(false, 4_000, 24_999), Looked::Waiting);
        assert_eq!(state(false, 4_000, 25_000), Looked::Late, "its own time, and the way");
        assert_eq!(state(false, 35_000, 1_000), Looked::Away);
        assert_eq!(state(true, 90_000, 90_000), Looked::Answered, "what was seen was seen");
        assert_eq!(looked(asked, timeout, false, 0, asked), Looked::Away, "never heard of");
    }

    #[test]
    fn what_was_asked_for_is_forgotten_after_a_while() {
        assert!(is_recent(1_000_000, 1_000_000) && is_recent(1_000_000, 1_000_000 + ASKED_ABOUT_MS));
        assert!(!is_recent(1_000_000, 1_000_001 + ASKED_ABOUT_MS) && !is_recent(1_000_000, 990_000));
        assert!(!is_recent(i64::MIN, i64::MAX) && !is_recent(i64::MAX, 0));
    }
}
