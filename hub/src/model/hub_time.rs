//! One time for all hubs that share a database: the database's, carried on by this machine's steady clock. Pure.
//!
//! An answer with the time was written between question and receipt, so the true offset of the two clocks lies between
//! two bounds (Cristian, "Probabilistic clock synchronization", 1989); the next answers narrow them. A slow answer
//! therefore tells little, and moves nothing.

/// How far two clocks may drift apart, in microseconds a second: NTP turns each by 500 at most (RFC 5905, MAXFREQ).
const DRIFT_US_PER_S: i64 = 1_000;
/// Instants are told in whole milliseconds.
const ROUNDING_US: i64 = 1_000;

/// What time it is said to be, and when that was asked and heard by the steady clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// Asked, in microseconds of the steady clock.
    pub asked_us: i64,
    /// Heard, in microseconds of the steady clock.
    pub heard_us: i64,
    /// What was said, in UTC milliseconds.
    pub at_ms: i64,
}

/// What follows from an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Learnt {
    /// It fits what was known.
    Fits,
    /// It is the first.
    First,
    /// It cannot be true together with what was known: a clock was set, by about so many milliseconds.
    Set {
        /// Positive: ahead.
        by_ms: i64,
    },
}

/// The database's clock minus the steady one, in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HubTime {
    known: Option<Known>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Known {
    /// Where the offset lies, as of `heard_us`.
    low_us: i64,
    high_us: i64,
    heard_us: i64,
    /// The one that is used: it moves as little as the bounds allow.
    offset_us: i64,
}

impl HubTime {
    /// Nothing is known yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { known: None }
    }

    /// The offset, when anything is known.
    #[must_use]
    pub fn offset_us(&self) -> Option<i64> {
        self.known.map(|known| known.offset_us)
    }

    /// Takes an answer in.
    pub fn learn(&mut self, told: Told) -> Learnt {
        let at_us = told.at_ms.saturating_mul(1_000);
        let (low, high) = (
            at_us.saturating_sub(told.heard_us).saturating_sub(ROUNDING_US),
            at_us.saturating_sub(told.asked_us).saturating_add(ROUNDING_US),
        );
        let middle = low.midpoint(high);
        let anew = Known { low_us: low, high_us: high, heard_us: told.heard_us, offset_us: middle };
        let Some(known) = &mut self.known else {
            self.known = Some(anew);
            return Learnt::First;
        };
        let age_us = told.heard_us.saturating_sub(known.heard_us).max(0);
        let drift = (age_us / 1_000_000).saturating_mul(DRIFT_US_PER_S).saturating_add(DRIFT_US_PER_S);
        let (low, high) = (low.max(known.low_us.saturating_sub(drift)), high.min(known.high_us.saturating_add(drift)));
        if low > high {
            let by_ms = middle.saturating_sub(known.offset_us) / 1_000;
            *known = anew;
            return Learnt::Set { by_ms };
        }
        let offset_us = known.offset_us.clamp(low, high);
        *known = Known { low_us: low, high_us: high, heard_us: told.heard_us, offset_us };
        Learnt::Fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000;

    fn told(asked_us: i64, heard_us: i64, at_ms: i64) -> Told {
        Told { asked_us, heard_us, at_ms }
    }

    #[test]
    fn the_first_answer_is_taken_and_better_ones_narrow_it() {
        let mut time = HubTime::new();
        assert_eq!(time.offset_us(), None);
        // The database is 5 s ahead; the first answer took a second, and was written at its end.
        assert_eq!(time.learn(told(0, S, 6_000)), Learnt::First);
        assert_eq!(time.offset_us(), Some(5_500_000));
        assert_eq!(time.learn(told(2 * S, 2 * S + 1_000, 7_000)), Learnt::Fits);
        let offset = time.offset_us().unwrap_or(0);
        assert!((offset - 5 * S).abs() <= 2_000, "{offset}");
    }

    #[test]
    fn a_slow_answer_moves_nothing() {
        let mut time = HubTime::new();
        time.learn(told(0, 1_000, 5_000));
        let before = time.offset_us();
        for (asked, heard) in [(S, 4 * S), (S, 60 * S)] {
            // Written at the very beginning, or at the very end.
            for at_us in [asked, heard] {
                let mut time = time;
                assert_eq!(time.learn(told(asked, heard, (at_us + 5 * S) / 1_000)), Learnt::Fits);
                assert_eq!(time.offset_us(), before, "{asked} {heard} {at_us}");
            }
        }
    }

    #[test]
    fn drift_is_followed_and_is_no_setting_of_the_clock() {
        let mut time = HubTime::new();
        for second in 0..10_000 {
            // 400 microseconds a second.
            let at_us = second * S + second * 400 + 7 * S;
            let learnt = time.learn(told(second * S - 500, second * S + 500, at_us / 1_000));
            assert_ne!(std::mem::discriminant(&learnt), std::mem::discriminant(&Learnt::Set { by_ms: 0 }), "{second}");
            let error = time.offset_us().unwrap_or(0) + second * S - at_us;
            assert!(error.abs() < 4_000, "{error} at {second}");
        }
    }

    #[test]
    fn t203_a_clock_that_was_set_is_followed_at_once() {
        let mut time = HubTime::new();
        time.learn(told(0, 1_000, 1_000_000));
        assert_eq!(time.learn(told(S, S + 1_000, 401_000)), Learnt::Set { by_ms: -600_000 });
        assert_eq!(time.learn(told(2 * S, 2 * S + 1_000, 402_000)), Learnt::Fits);
        assert_eq!(time.learn(told(3 * S, 3 * S + 1_000, 433_000)), Learnt::Set { by_ms: 30_000 });
    }

    #[test]
    fn absurd_answers_do_not_overflow() {
        let mut time = HubTime::new();
        for at_ms in [i64::MIN, i64::MAX, 0, i64::MAX] {
            time.learn(told(i64::MIN, i64::MAX, at_ms));
            time.learn(told(0, 0, at_ms));
        }
        assert!(time.offset_us().is_some());
    }
}
