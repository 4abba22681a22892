//! This machine's clock: whether it was ever set, and how far it is from that of Redis, which all workers share.

use super::Finding;
use crate::engine::EARLIEST_NOW_AT;
use crate::wire::UtcMs;

const AREA: &str = "clock";
const NOTICEABLE_MS: u64 = 2_000;
const WRONG_MS: u64 = 60_000;
const REMEDY: &str = "let it be set from the network: timedatectl set-ntp true, or install chrony";

/// Nothing, unless it was never set.
pub(super) fn local(now: UtcMs) -> Option<Finding> {
    (now < EARLIEST_NOW_AT).then(|| {
        let year = 1970 + now.max(0) / 31_556_952_000;
        Finding::fail(AREA, format!("It says {year}, before this program was made."), REMEDY)
    })
}

/// Against Redis: `offset_ms` is this machine's clock minus Redis', `round_trip_ms` how well that is known.
pub(super) fn against_redis(offset_ms: i64, round_trip_ms: u64) -> Finding {
    let ahead = if offset_ms < 0 { "behind" } else { "ahead of" };
    let found = format!("{} ms {ahead} that of Redis, give or take {round_trip_ms} ms.", offset_ms.unsigned_abs());
    let surely = offset_ms.unsigned_abs().saturating_sub(round_trip_ms);
    if surely > WRONG_MS {
        Finding::fail(AREA, found, format!("{REMEDY}; if this machine is right, set that of Redis"))
    } else if surely > NOTICEABLE_MS {
        Finding::warn(AREA, found, REMEDY)
    } else {
        Finding::ok(AREA, found)
    }
}

/// Redis does not tell this user what time it is.
pub(super) fn not_told() -> Finding {
    Finding::ok(AREA, "Not compared: this Redis user may not ask TIME (a running probe learns it from its own ticks).")
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn t198_a_clock_is_judged_by_how_far_it_surely_is_off() {
        for (offset_ms, round_trip_ms, state) in [
            (0, 0, State::Ok),
            (2_000, 0, State::Ok),
            (-2_001, 0, State::Warn),
            (2_500, 900, State::Ok),
            (60_000, 0, State::Warn),
            (-60_001, 0, State::Fail),
            (i64::MIN, 4_000, State::Fail),
        ] {
            assert_eq!(against_redis(offset_ms, round_trip_ms).state, state, "{offset_ms} {round_trip_ms}");
        }
        assert!(against_redis(-5, 0).found.starts_with("5 ms behind that of Redis"));
    }

    #[test]
    fn t198_a_clock_that_was_never_set_is_told() {
        assert_eq!(local(EARLIEST_NOW_AT), None);
        let found = local(3_000).unwrap();
        assert!(found.state == State::Fail && found.found.contains("1970"), "{found:?}");
        assert!(local(1_767_225_600_000).unwrap().found.contains("2026"), "2026-01-01");
    }
}
