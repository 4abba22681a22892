//! How the last 90 days of a component were spent, a bar each.

use super::super::uptime::DAY_MS;
use super::super::{Span, Uptime, UtcMs};

/// Bars.
pub const DAYS: i64 = 90;

/// The days of UTC that are shown, oldest first; the last ends now.
#[must_use]
pub fn day_windows(now: UtcMs) -> Vec<Span> {
    let today = now - now.rem_euclid(DAY_MS);
    let day = |back: i64| {
        let from_at = today - back * DAY_MS;
        Span { from_at, to_at: (from_at + DAY_MS).min(now) }
    };
    (0..DAYS).rev().map(day).collect()
}

/// A day, in parts per million.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Day {
    /// When it began.
    pub at: UtcMs,
    /// Share of what was observed that was available. `None`: nothing was observed, and nothing is known.
    pub uptime_ppm: Option<u32>,
    /// Share that was observed at all, but for maintenance. `None`: there was nothing to observe.
    pub coverage_ppm: Option<u32>,
    /// All that is known of it is maintenance.
    pub is_maintenance: bool,
    /// It was slow for some of it.
    pub was_degraded: bool,
}

impl Day {
    /// Of what its time was spent with.
    #[must_use]
    pub fn of(at: UtcMs, uptime: &Uptime) -> Self {
        let observed = uptime.up_ms + uptime.degraded_ms + uptime.down_ms;
        Self {
            at,
            uptime_ppm: uptime.ratio().map(ppm),
            coverage_ppm: uptime.coverage_ratio().map(ppm),
            is_maintenance: observed == 0 && uptime.maintenance_ms > 0,
            was_degraded: uptime.degraded_ms > 0,
        }
    }
}

/// Rounded down, so that what is not all is never called all.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share is from 0 to 1")]
fn ppm(share: f64) -> u32 {
    (share * 1_000_000.0) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ninety_days_end_now_and_follow_each_other() {
        let now = 20_000 * DAY_MS + 5;
        let days = day_windows(now);
        assert_eq!(days.len(), 90);
        assert!(days.windows(2).all(|two| two[0].to_at == two[1].from_at));
        assert_eq!(days.last(), Some(&Span { from_at: now - 5, to_at: now }));
        assert_eq!(days[0].from_at, (20_000 - 89) * DAY_MS);
    }

    #[test]
    fn what_is_not_known_is_not_up() {
        let day = Day::of(0, &Uptime { unknown_ms: 10, ..Uptime::default() });
        assert_eq!((day.uptime_ppm, day.coverage_ppm), (None, Some(0)));
        let before = Day::of(0, &Uptime::default());
        assert_eq!((before.uptime_ppm, before.coverage_ppm, before.is_maintenance), (None, None, false));
        let almost = Day::of(0, &Uptime { up_ms: 86_399_999, down_ms: 1, ..Uptime::default() });
        assert_eq!(almost.uptime_ppm, Some(999_999));
        assert!(Day::of(0, &Uptime { maintenance_ms: 5, unknown_ms: 1, ..Uptime::default() }).is_maintenance);
    }
}
