//! When a message is tried again, and when it is given up (P10).

use super::{TryResult, UtcMs};

const SECOND_MS: i64 = 1_000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
/// The longest wait, and the longest that a receiver may ask for.
pub const HOUR_MS: i64 = 60 * MINUTE_MS;
/// Waits after the first tries; then it is an hour.
const WAITS_MS: [i64; 6] = [5 * SECOND_MS, 30 * SECOND_MS, 2 * MINUTE_MS, 10 * MINUTE_MS, 30 * MINUTE_MS, HOUR_MS];
/// From the first try to the last.
const TRIED_FOR_MS: i64 = 24 * HOUR_MS;
/// Tries of what a receiver refused: it may have been a mistake that somebody mends.
pub const TRIES_REFUSED: u32 = 3;
/// A channel without a success for so long, and with at least so many tries, is given up.
pub const BROKEN_AFTER_MS: i64 = TRIED_FOR_MS;
/// See [`BROKEN_AFTER_MS`].
pub const BROKEN_AFTER_TRIES: i64 = 5;

/// What a receiver did with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Took it.
    Taken,
    /// Will not take it as it is.
    Refused,
    /// Is gone for good (410): its channel is.
    Gone,
    /// Could not be reached, or is in trouble of its own; it may have said how long.
    Later {
        /// For how long it wants to be left alone.
        after_ms: Option<i64>,
    },
}

impl Answer {
    /// What an HTTP status means (T266).
    #[must_use]
    pub fn of_status(status: u16, after_ms: Option<i64>) -> Self {
        match status {
            200..=299 => Self::Taken,
            410 => Self::Gone,
            408 | 425 | 429 | 500.. => Self::Later { after_ms },
            // A redirect is not followed: whoever answers may lead us anywhere.
            0..=499 => Self::Refused,
        }
    }
}

/// What becomes of an alert after a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterTry {
    /// The receiver has it.
    Delivered,
    /// It is tried again then.
    At(UtcMs),
    /// It is given up.
    Dead,
}

impl AfterTry {
    /// What came of the try.
    #[must_use]
    pub fn result(self) -> TryResult {
        match self {
            Self::Delivered => TryResult::Delivered,
            Self::At(_) => TryResult::Again,
            Self::Dead => TryResult::GivenUp,
        }
    }
}

/// What becomes of an alert that had been tried `tries` times before, for the first time at `first_at`, and got `answer` at
/// `now`. The last try is a day after the first. `chance`: 0 to 1, by which the wait is made a fifth shorter to a fifth
/// longer, so that many that failed at once do not come back at once.
#[must_use]
pub fn after_try(tries: u32, first_at: UtcMs, answer: Answer, now: UtcMs, chance: f64) -> AfterTry {
    let (tries, left) = (tries.saturating_add(1), first_at.saturating_add(TRIED_FOR_MS).saturating_sub(now));
    let asked_ms = match answer {
        Answer::Taken => return AfterTry::Delivered,
        Answer::Gone => return AfterTry::Dead,
        Answer::Refused if tries >= TRIES_REFUSED => return AfterTry::Dead,
        Answer::Later { .. } if left <= 0 => return AfterTry::Dead,
        Answer::Refused => 0,
        Answer::Later { after_ms } => after_ms.unwrap_or(0).clamp(0, HOUR_MS),
    };
    let nth = usize::try_from(tries - 1).unwrap_or(usize::MAX);
    let wait = WAITS_MS.get(nth).copied().unwrap_or(HOUR_MS);
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a wait of an hour at most")]
    let wait = (wait as f64 * (0.8 + 0.4 * chance.clamp(0.0, 1.0))) as i64;
    AfterTry::At(now + wait.min(left.max(1)).max(asked_ms))
}

/// How long `Retry-After` asks to wait: seconds, or an instant (RFC 9110, 10.2.3).
#[must_use]
pub fn retry_after_ms(value: &str, now: UtcMs) -> Option<i64> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        return Some(value.parse::<i64>().map_or(HOUR_MS, |s| s.saturating_mul(SECOND_MS)).min(HOUR_MS));
    }
    let at = jiff::fmt::rfc2822::parse(value).ok()?.timestamp().as_millisecond();
    Some(at.saturating_sub(now).clamp(0, HOUR_MS))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATER: Answer = Answer::Later { after_ms: None };

    /// The waits of an alert that always gets the same answer.
    fn waits(answer: Answer, chance: f64) -> Vec<i64> {
        let (mut now, mut waits) = (1_000, Vec::new());
        while let AfterTry::At(at) = after_try(u32::try_from(waits.len()).unwrap(), 1_000, answer, now, chance) {
            waits.push(at - now);
            now = at;
        }
        waits
    }

    #[test]
    fn p10_tries_are_spread_over_a_day() {
        let middle = waits(LATER, 0.5);
        assert_eq!(middle[..7], [5_000, 30_000, 120_000, 600_000, 1_800_000, HOUR_MS, HOUR_MS]);
        for (chance, shortest, tries) in [(0.0, 4_000, 36), (0.5, 5_000, 30), (1.0, 6_000, 26)] {
            let waits = waits(LATER, chance);
            assert_eq!((waits[0], waits.len() + 1), (shortest, tries), "no more than are kept of one alert (50)");
            assert_eq!(waits.iter().sum::<i64>(), 24 * HOUR_MS, "the last is a day after the first");
        }
    }

    #[test]
    fn t266_statuses_have_their_meaning() {
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(Answer::of_status(status, None), Answer::Taken);
        }
        for status in [301, 302, 307, 400, 401, 403, 404, 405, 413, 422, 499] {
            assert_eq!(Answer::of_status(status, None), Answer::Refused, "{status}");
        }
        for status in [408, 425, 429, 500, 502, 503, 504, 599, 999] {
            assert_eq!(Answer::of_status(status, Some(7)), Answer::Later { after_ms: Some(7) }, "{status}");
        }
        assert_eq!(Answer::of_status(410, None), Answer::Gone);
        assert_eq!(waits(Answer::Refused, 0.5), [5_000, 30_000], "three tries");
        assert_eq!(after_try(0, 0, Answer::Gone, 0, 0.5), AfterTry::Dead);
        assert_eq!(after_try(28, 0, Answer::Taken, 25 * HOUR_MS, 0.5), AfterTry::Delivered);
    }

    #[test]
    fn t266_what_a_receiver_asks_for_is_honoured_up_to_an_hour() {
        let after = |ms| after_try(0, 0, Answer::Later { after_ms: Some(ms) }, 0, 0.5);
        assert_eq!(after(90_000), AfterTry::At(90_000));
        assert_eq!(after(1_000), AfterTry::At(5_000), "not sooner than planned");
        assert_eq!(after(i64::MAX), AfterTry::At(HOUR_MS));
        let now = 784_111_777_000; // Sun, 06 Nov 1994 08:49:37 GMT
        assert_eq!(retry_after_ms("120", now), Some(120_000));
        assert_eq!(retry_after_ms("99999999999999999999", now), Some(HOUR_MS));
        assert_eq!(retry_after_ms("Sun, 06 Nov 1994 08:50:37 GMT", now), Some(60_000));
        assert_eq!(retry_after_ms("Sun, 06 Nov 1994 08:40:37 GMT", now), Some(0));
        for nonsense in ["", "soon", "-5", "1.5"] {
            assert_eq!(retry_after_ms(nonsense, now), None, "{nonsense}");
        }
    }
}
