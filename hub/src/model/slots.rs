//! When checks are due: `slot = phase + n × interval`, the phase a hash of website and region, so that load is spread
//! and every hub computes the same slots without being told (DESIGN 6.2).

use super::{RegionId, UtcMs, WebsiteId};

/// Offset of the slots of a website and region within its interval: `0 <= phase < interval_ms`. Part of the contract
/// between hubs of different versions: FNV-1a over the 16 bytes of the id and the bytes of the region, mixed.
#[must_use]
pub fn phase_ms(website: WebsiteId, region: &RegionId, interval_ms: i64) -> i64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in website.0.as_bytes().iter().chain(region.as_str().as_bytes()) {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    // FNV leaves neighbours close together; splitmix64's finaliser spreads them.
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^= hash >> 31;
    i64::try_from(hash % u64::try_from(interval_ms.max(1)).unwrap_or(1)).unwrap_or(0)
}

/// First slot at or after `from`.
#[must_use]
pub fn next_slot_at(phase_ms: i64, interval_ms: i64, from: UtcMs) -> UtcMs {
    let interval = interval_ms.max(1);
    from + (phase_ms - from).rem_euclid(interval)
}

/// How late a slot may still be published (a hub was restarted): half its interval, at most 15 s. At most one slot per
/// website and region is that young, so nothing comes in a burst (I8).
#[must_use]
pub fn grace_ms(interval_ms: i64) -> i64 {
    (interval_ms / 2).min(15_000)
}

/// When a check is void (P6).
#[must_use]
pub fn deadline_at(slot_at: UtcMs, interval_ms: i64) -> UtcMs {
    slot_at + interval_ms.min(120_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn region(name: &str) -> RegionId {
        name.parse().unwrap()
    }

    #[test]
    fn phases_do_not_change_between_versions() {
        let id = WebsiteId(Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef));
        assert_eq!(phase_ms(id, &region("INDIA"), 180_000), phase_ms(id, &region("INDIA"), 180_000));
        assert_ne!(phase_ms(id, &region("INDIA"), 180_000), phase_ms(id, &region("USA"), 180_000));
    }

    #[test]
    fn t255_phases_are_spread_over_the_interval() {
        let mut buckets = [0_u32; 60];
        for n in 0..60_000_u128 {
            let phase = phase_ms(WebsiteId(Uuid::from_u128(n)), &region("INDIA"), 60_000);
            buckets[usize::try_from(phase / 1_000).unwrap()] += 1;
        }
        assert!(buckets.iter().all(|n| (850..1_150).contains(n)), "{buckets:?}");
    }

    #[test]
    fn slots_are_regular_and_the_next_one_is_found_from_anywhere() {
        let (phase, interval) = (7_000, 10_000);
        assert_eq!(next_slot_at(phase, interval, 1_000_007_000), 1_000_007_000);
        assert_eq!(next_slot_at(phase, interval, 1_000_007_001), 1_000_017_000);
        assert_eq!(next_slot_at(phase, interval, 1_000_016_999), 1_000_017_000);
    }
}
