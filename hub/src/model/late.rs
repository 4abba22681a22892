//! Instants of a tick that do not fit when it was received: one that comes long after its slot, or says that it began
//! later than it came.

use super::verdict::stale_after_ms;
use super::{StoredTick, WebsiteSettings};

/// A worker's clock may be this far ahead: what NTP leaves, and the rounding of Redis' clock.
const AHEAD_MS: i64 = 1_000;

/// What is wrong with the instants of a tick.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Marks {
    /// It came when its region had long been unknown (P5): history, which has no vote (T187).
    pub late: bool,
    /// Its start was later than its receipt, which is kept in its place (T206).
    pub clamped: bool,
}

/// The marks of a tick. A check's deadline lies within two minutes of its slot, so only a tick that was kept back (by a
/// worker cut off from the queue) is late; one that waited in the queue is not, since the queue says when it came.
#[must_use]
pub fn marks(settings: &WebsiteSettings, tick: &StoredTick) -> Marks {
    let came_after_ms = tick.received_at.saturating_sub(tick.tick.slot_at);
    Marks {
        late: came_after_ms > stale_after_ms(settings),
        clamped: tick.tick.started_at > tick.received_at.saturating_add(AHEAD_MS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_is_late_when_its_region_had_long_been_unknown() {
        let settings = WebsiteSettings {
            interval_ms: 60_000,
            timeout_ms: 10_000,
            ..WebsiteSettings::new("https://a.example/".into())
        };
        let marks_of = |received_at, started_at| {
            let tick = format!(
                r#"{{"website_id":"00000000-0000-0000-0000-000000000000","slot_at":1000000,"attempt":0,
                    "kind":"scheduled","started_at":{started_at},"outcome":"up","phases":{{}},"total_us":1}}"#
            );
            let tick = serde_json::from_str(&tick).expect("a tick");
            let (region, worker) = ("a".parse().expect("a region"), "w".parse().expect("a worker"));
            marks(&settings, &StoredTick::received(region, worker, received_at, tick))
        };
        let late = |received_at| marks_of(received_at, 0).late;
        assert_eq!([late(1_000_300), late(1_145_000), late(1_145_001), late(i64::MAX)], [false, false, true, true]);
        assert!(!late(0) && !late(i64::MIN), "before its slot is not after it");
        let clamped = |started_at| marks_of(1_000_300, started_at).clamped;
        assert_eq!([clamped(999_000), clamped(1_001_300), clamped(1_001_301)], [false, false, true]);
        assert!(clamped(i64::MAX) && !clamped(i64::MIN));
    }
}
