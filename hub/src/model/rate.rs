//! How often one may ask: a bucket that fills at a steady pace and holds ten seconds of it. Of each bucket only the instant is
//! kept at which it is full again, so that one that nobody uses takes no room.

use std::collections::HashMap;
use std::hash::Hash;

/// So many seconds of its pace a bucket holds: whoever was quiet may ask as often at once.
pub const BURST_S: u32 = 10;
const SECOND_US: i64 = 1_000_000;

/// What came of asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// Whether it is let through.
    pub admitted: bool,
    /// How often one may ask at once from now on.
    pub left: u32,
    /// Seconds until one may ask again, where one may not now; else until the bucket is full.
    pub wait_s: u32,
}

/// Buckets by whom they are for. A table is bounded: where there are too many, those that are nearest to being full are
/// forgotten, which is what costs least.
#[derive(Debug)]
pub struct Buckets<K> {
    full_at_us: HashMap<K, i64>,
    most: usize,
}

impl<K: Hash + Eq + Copy> Buckets<K> {
    /// A table of at most `most`.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { full_at_us: HashMap::new(), most: most.max(1) }
    }

    /// `who` asks, at `now_us` of a clock that never goes back, who may `per_s` times a second. What is refused costs nothing.
    pub fn ask(&mut self, who: K, per_s: u32, now_us: i64) -> Asked {
        let one_us = (SECOND_US / i64::from(per_s.max(1))).max(1);
        let holds_us = one_us * i64::from(per_s.max(1)) * i64::from(BURST_S);
        if self.full_at_us.len() >= self.most && !self.full_at_us.contains_key(&who) {
            self.forget(now_us);
        }
        let full_at_us = self.full_at_us.entry(who).or_insert(now_us);
        let used_us = (*full_at_us - now_us).max(0) + one_us;
        let admitted = used_us <= holds_us;
        if admitted {
            *full_at_us = now_us + used_us;
        }
        let (missing_us, free_us) = if admitted { (used_us, holds_us - used_us) } else { (used_us - holds_us, 0) };
        Asked {
            admitted,
            left: u32::try_from(free_us / one_us).unwrap_or(u32::MAX),
            wait_s: u32::try_from(missing_us.div_euclid(SECOND_US) + 1).unwrap_or(u32::MAX),
        }
    }

    fn forget(&mut self, now_us: i64) {
        self.full_at_us.retain(|_, full_at_us| *full_at_us > now_us);
        if self.full_at_us.len() < self.most {
            return;
        }
        // Half of them at once, so that each newcomer pays for few.
        let mut all: Vec<i64> = self.full_at_us.values().copied().collect();
        let middle = all.len() / 2;
        let (_, bound, _) = all.select_nth_unstable(middle);
        let bound = *bound;
        self.full_at_us.retain(|_, full_at_us| *full_at_us > bound);
    }

    /// How many are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.full_at_us.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.full_at_us.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_seconds_at_once_and_then_the_pace() {
        let mut buckets = Buckets::new(10);
        let admitted = (0..500).filter(|_| buckets.ask("a", 20, 1_000).admitted).count();
        assert_eq!(admitted, 200);
        let refused = buckets.ask("a", 20, 1_000);
        assert_eq!((refused.admitted, refused.left, refused.wait_s), (false, 0, 1));
        assert!(buckets.ask("b", 20, 1_000).admitted, "each has its own");
        assert!(!buckets.ask("a", 20, 50_999).admitted && buckets.ask("a", 20, 51_000).admitted);
        assert!(!buckets.ask("a", 20, 51_000).admitted, "one more each fiftieth of a second");
        // A long time later all of it is there again, and no more.
        assert_eq!((0..500).filter(|_| buckets.ask("a", 20, 3_600 * SECOND_US).admitted).count(), 200);
    }

    #[test]
    fn over_any_time_nobody_gets_more_than_the_pace_and_a_burst() {
        for per_s in [1, 3, 7, 100, 9_999, 100_000] {
            let mut buckets = Buckets::new(1);
            let for_s = 30;
            let asked = i64::from(per_s) * for_s * 3;
            let admitted =
                (0..asked).filter(|n| buckets.ask((), per_s, n * for_s * SECOND_US / asked).admitted).count();
            let most = i64::from(per_s) * (for_s + i64::from(BURST_S));
            let admitted = i64::try_from(admitted).unwrap();
            // A pace that does not divide a million is rounded to the microsecond.
            assert!(admitted <= most + most / 10 && admitted >= most - most / 100 - 1, "{per_s}: {admitted} of {most}");
        }
    }

    #[test]
    fn whoever_is_told_how_long_to_wait_gets_in_then() {
        let mut buckets = Buckets::new(10);
        while buckets.ask("a", 1, 500_000).admitted {}
        let told = buckets.ask("a", 1, 500_000);
        assert!(buckets.ask("a", 1, 500_000 + i64::from(told.wait_s) * SECOND_US).admitted, "{told:?}");
    }

    #[test]
    fn whoever_comes_under_many_names_fills_no_memory_and_gets_no_friend_in() {
        let mut buckets = Buckets::new(1_000);
        while buckets.ask(0, 5, 0).admitted {}
        for n in 1..50_000 {
            assert!(buckets.ask(n, 5, 10).admitted);
            assert!(buckets.len() <= 1_000);
        }
        assert!(!buckets.ask(0, 5, 20).admitted, "whoever used his up is the last to be forgotten");
    }
}
