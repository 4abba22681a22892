//! A website that has been down for long is checked less often: it will not mind, and others have to be looked at.
//! Every hub and the verdict count by the same rule, from what is stored: since when it is down.

use std::borrow::Cow;

use super::{BoardRow, Outcome, RegionId, RegionState, UtcMs, Website, WebsiteId, WebsiteState, slots};

const HOUR_MS: i64 = 3_600_000;
/// Never less often than this, unless its owner asked for less.
pub const AT_LEAST_EVERY_MS: i64 = 900_000;
/// For so long a website is checked as often as its owner chose.
pub const AFTER_MS: i64 = HOUR_MS;

/// How many slots there are to one that is used, after so long an outage: two after an hour, four after a day. Each step at
/// most doubles: what counts as fresh at the end of one step, two intervals, still is when the next begins.
#[must_use]
pub fn factor(interval_ms: i64, down_for_ms: i64) -> i64 {
    let wanted = match down_for_ms {
        ..AFTER_MS => 1,
        AFTER_MS..86_400_000 => 2,
        86_400_000.. => 4,
    };
    (AT_LEAST_EVERY_MS / interval_ms.max(1)).clamp(1, wanted)
}

/// Whether a slot is used. Which of the slots that are is different for each website and region: the load is spread, and
/// the regions of one website do not all look in the same interval.
#[must_use]
pub fn uses(website: WebsiteId, region: &RegionId, interval_ms: i64, slot_at: UtcMs, factor: i64) -> bool {
    if factor <= 1 {
        return true;
    }
    let (interval, turn) = (interval_ms.max(1), slots::phase_ms(website, region, 1 << 40) >> 8);
    (slot_at.div_euclid(interval) + turn).rem_euclid(factor) == 0
}

/// The website as it is checked now: with the interval that holds while it is down.
#[must_use]
pub fn paced<'a>(website: &'a Website, state: &WebsiteState, now: UtcMs) -> Cow<'a, Website> {
    let factor = match state.verdict {
        Outcome::Down => factor(website.settings.interval_ms, now.saturating_sub(state.since_at)),
        Outcome::Up | Outcome::Degraded | Outcome::Unknown => 1,
    };
    if factor == 1 {
        return Cow::Borrowed(website);
    }
    let mut slower = website.clone();
    slower.settings.interval_ms *= factor;
    Cow::Owned(slower)
}

/// Whether a region has seen it well since it went down: then it is checked as always.
fn sees_it_well(region: &RegionState, since_at: UtcMs) -> bool {
    region.good_streak > 0 && region.slot_at >= since_at
}

/// How often a website is checked in fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outlook {
    /// Slots to one that is used; 1 but while it is down for long.
    pub factor: i64,
    /// The next slot that is used, of the regions that report.
    pub next_at: Option<UtcMs>,
}

/// How often, and when next, as of `now`.
#[must_use]
pub fn outlook(row: &BoardRow, now: UtcMs) -> Outlook {
    let settings = &row.website.settings;
    let is_long_down = row.state.verdict == Outcome::Down
        && !row.regions.iter().any(|region| sees_it_well(region, row.state.since_at));
    let factor_at = |at: UtcMs| if is_long_down { factor(settings.interval_ms, at - row.state.since_at) } else { 1 };
    let next = |region: &RegionId| {
        let (id, interval_ms) = (row.website.website_id, settings.interval_ms);
        let first = slots::next_slot_at(slots::phase_ms(id, region, interval_ms), interval_ms, now);
        (0..4).map(|n| first + n * interval_ms).find(|at| uses(id, region, interval_ms, *at, factor_at(*at)))
    };
    let regions = row.regions.iter().filter(|r| settings.watches_from(&r.region_id));
    let next_at = regions.filter_map(|r| next(&r.region_id)).min().filter(|_| !row.website.paused);
    Outlook { factor: factor_at(now), next_at }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn the_longer_the_outage_the_rarer_the_checks_and_never_rarer_than_every_15_minutes() {
        let minute = 60_000;
        assert_eq!(
            [0, HOUR_MS - 1, HOUR_MS, 24 * HOUR_MS - 1, 24 * HOUR_MS, i64::MAX].map(|d| factor(minute, d)),
            [1, 1, 2, 2, 4, 4]
        );
        assert_eq!([3, 5, 7, 8, 15, 60, 1_440].map(|n| factor(n * minute, 48 * HOUR_MS)), [4, 3, 2, 1, 1, 1, 1]);
    }

    #[test]
    fn of_every_few_slots_one_is_used_and_not_the_same_one_everywhere() {
        let region: RegionId = "A".parse().unwrap();
        let mut by_turn = [0; 4];
        for n in 0..400 {
            let id = WebsiteId(Uuid::from_u128(n));
            let first = slots::next_slot_at(slots::phase_ms(id, &region, 60_000), 60_000, 0);
            let used: Vec<usize> =
                (0..8).filter(|n| uses(id, &region, 60_000, first + *n as i64 * 60_000, 4)).collect();
            assert_eq!((used.len(), used[1] - used[0]), (2, 4), "{used:?}");
            by_turn[used[0]] += 1;
        }
        assert!(by_turn.iter().all(|n| (60..140).contains(n)), "{by_turn:?}");
    }
}
