//! For how long history is kept.

use super::UtcMs;
use super::sealed::{DAY_MS, day_of};

/// How long ticks are kept. What follows from them (changes of verdict, incidents) stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Whole days (UTC) before today, 2 at least.
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sealed::settled_before;

    #[test]
    fn what_is_kept_is_whole_days() {
        let now = 1_795_737_600_000 + 5 * 3_600_000;
        assert_eq!(Retention { days: 1 }.kept_from(now), 1_795_737_600_000 - DAY_MS);
        assert_eq!(Retention { days: 400 }.kept_from(UtcMs::MIN), UtcMs::MIN);
        assert_eq!(settled_before(now), 1_795_737_600_000 - DAY_MS, "a day settles for six hours");
        assert_eq!(settled_before(now + 3_600_000), 1_795_737_600_000);
    }
}
