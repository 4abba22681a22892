//! For how long history is kept.

use super::UtcMs;
use super::sealed::{DAY_MS, day_of, end_of};

/// Nobody ran this before (2020-01-01): older slots are a worker's mistake, or its malice. One at a time, those days would keep
/// real ones from their turn for years.
const NEVER_BEFORE: UtcMs = 1_577_836_800_000;

/// How long ticks are kept. What follows from them (changes of verdict, incidents) stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Whole days (UTC) before today: 2 at least for the installation, 1 for a website of its own.
    pub days: u16,
}

impl Retention {
    /// Where nothing is said.
    pub const DEFAULT: Self = Self { days: 400 };

    /// Slots before this are forgotten.
    #[must_use]
    pub fn kept_from(self, now: UtcMs) -> UtcMs {
        day_of(now).saturating_sub(i64::from(self.days) * DAY_MS)
    }

    /// Slots before which go in one turn, where the oldest day there is begins then; `None`: nothing is past retention. One day
    /// at a time: a clock that is wrong by years for an hour must not cost all history.
    #[must_use]
    pub fn forgets_before(self, oldest_day: UtcMs, now: UtcMs) -> Option<UtcMs> {
        let kept_from = self.kept_from(now);
        let end = end_of(oldest_day);
        (end < kept_from).then(|| end.saturating_add(1).max(NEVER_BEFORE.min(kept_from)))
    }

    /// Whether more days are past it than the one that goes in this turn.
    #[must_use]
    pub fn has_more_than(self, before: UtcMs, now: UtcMs) -> bool {
        before > NEVER_BEFORE && before.saturating_add(DAY_MS) < self.kept_from(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sealed::settled_before;

    const TODAY: UtcMs = 1_795_737_600_000;

    #[test]
    fn what_is_kept_is_whole_days() {
        let now = TODAY + 5 * 3_600_000;
        assert_eq!(Retention { days: 1 }.kept_from(now), TODAY - DAY_MS);
        assert_eq!(Retention { days: 400 }.kept_from(UtcMs::MIN), UtcMs::MIN);
        assert_eq!(settled_before(now), TODAY - DAY_MS, "a day settles for six hours");
        assert_eq!(settled_before(now + 3_600_000), TODAY);
    }

    #[test]
    fn what_is_past_it_goes_a_day_at_a_time() {
        let (now, kept) = (TODAY + 7, Retention { days: 3 });
        assert_eq!(kept.forgets_before(TODAY - 3 * DAY_MS, now), None);
        assert_eq!(kept.forgets_before(TODAY - 4 * DAY_MS, now), Some(TODAY - 3 * DAY_MS));
        assert_eq!(kept.forgets_before(TODAY - 90 * DAY_MS, now), Some(TODAY - 89 * DAY_MS));
        assert!(kept.has_more_than(TODAY - 89 * DAY_MS, now) && !kept.has_more_than(TODAY - 4 * DAY_MS, now));
        // What nobody can have measured takes no turn.
        assert_eq!(kept.forgets_before(0, now), Some(NEVER_BEFORE));
        assert!(!kept.has_more_than(NEVER_BEFORE, now));
        assert_eq!(Retention { days: u16::MAX }.forgets_before(day_of(UtcMs::MIN), 0), Some(kept_long()));
    }

    fn kept_long() -> UtcMs {
        Retention { days: u16::MAX }.kept_from(0)
    }
}
