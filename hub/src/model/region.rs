//! Regions and the workers in them.

use super::{NetworkState, RegionId, UtcMs, WorkerId};

/// An instant of the past further ahead of now was stamped by a clock that has been set back since (T201, T203): nobody can
/// tell when it was.
pub const CLOCK_ERROR_MS: i64 = 60_000;

/// A place one watches from. It exists from the first heartbeat of its first worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region {
    /// Its slug.
    pub region_id: RegionId,
    /// First heartbeat of its first worker.
    pub created_at: UtcMs,
    /// Its workers, by name.
    pub workers: Vec<Worker>,
}

impl Region {
    /// When a worker of it was last heard of; 0: never, or a clock was ahead then.
    #[must_use]
    pub fn seen_at(&self, now: UtcMs) -> UtcMs {
        let seen = self.workers.iter().map(|worker| worker.seen_at);
        seen.filter(|at| at.saturating_sub(now) <= CLOCK_ERROR_MS).max().unwrap_or(0)
    }

    /// Whether all workers that live say that their own network does not work: what they see says nothing.
    #[must_use]
    pub fn is_cut_off(&self, now: UtcMs) -> bool {
        let mut alive = self.workers.iter().filter(|worker| worker.is_alive(now)).peekable();
        alive.peek().is_some() && alive.all(|worker| worker.network == NetworkState::CutOff)
    }
}

/// One probe process, as last heard of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worker {
    /// Its name within the region.
    pub worker_id: WorkerId,
    /// When a hub last read a heartbeat, by the hub's clock.
    pub seen_at: UtcMs,
    /// Version it said.
    pub version: String,
    /// Checks it runs at once.
    pub concurrency: u16,
    /// Checks run since its start.
    pub checks: u64,
    /// Its wall clock minus the queue's, at the last heartbeat.
    pub clock_offset_ms: i64,
    /// What its canaries said about its own network, at the last heartbeat.
    pub network: NetworkState,
    /// Failures it did not count against their website, since its canaries failed too; since its start.
    pub excused: u64,
    /// How much it does.
    pub load: Load,
}

/// How much a worker does, as it says itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    /// Checks handed to it and not finished, at the last heartbeat.
    pub in_flight: u16,
    /// Checks it has run each minute, over the last minute or so; `None`: it was not there for long enough.
    pub checks_per_minute: Option<u64>,
}

impl Load {
    /// From its count of checks at two instants. An earlier instant of 0 is none.
    #[must_use]
    pub fn new(in_flight: u16, before: (UtcMs, u64), counted: (UtcMs, u64)) -> Self {
        let took_ms = u64::try_from(counted.0.saturating_sub(before.0)).unwrap_or(0);
        let run = counted.1.saturating_sub(before.1).saturating_mul(60_000).saturating_add(took_ms / 2);
        let per_minute = run.checked_div(took_ms).filter(|_| before.0 > 0);
        Self { in_flight, checks_per_minute: per_minute }
    }
}

impl Worker {
    /// Silence after which a worker counts as gone (P7: heartbeats come every 10 s).
    pub const SILENT_AFTER_MS: i64 = 35_000;

    /// Whether it was heard of lately.
    #[must_use]
    pub fn is_alive(&self, now: UtcMs) -> bool {
        (-CLOCK_ERROR_MS..Self::SILENT_AFTER_MS).contains(&now.saturating_sub(self.seen_at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_is_counted_over_a_minute_or_not_at_all() {
        let per_minute = |before, counted| Load::new(3, before, counted).checks_per_minute;
        assert_eq!(per_minute((0, 0), (1_000, 500)), None, "counted once");
        assert_eq!(per_minute((100_000, 500), (160_000, 740)), Some(240));
        assert_eq!(per_minute((100_000, 500), (170_000, 507)), Some(6));
        assert_eq!(per_minute((100_000, 500), (100_000, 900)), None, "no time went by");
        assert_eq!(per_minute((100_000, 900), (160_000, 5)), Some(0), "one that began anew");
        assert!(per_minute((1, 0), (60_001, u64::MAX)).is_some(), "whatever it says of itself");
    }

    #[test]
    fn t203_a_sign_of_life_from_the_future_is_none() {
        let now = 1_000_000;
        let worker = |seen_at| Worker {
            worker_id: "w".parse().unwrap(),
            seen_at,
            version: String::new(),
            concurrency: 1,
            checks: 0,
            clock_offset_ms: 0,
            network: NetworkState::Works,
            excused: 0,
            load: Load::default(),
        };
        let alive = |seen_at| worker(seen_at).is_alive(now);
        assert_eq!(
            [now - 35_000, now - 34_999, now + 60_000, now + 60_001, i64::MAX].map(alive),
            [false, true, true, false, false]
        );
        let region = |seen: Vec<i64>| Region {
            region_id: "A".parse().unwrap(),
            created_at: 0,
            workers: seen.into_iter().map(worker).collect(),
        };
        assert_eq!(region(vec![5, now + 3_600_000, 7]).seen_at(now), 7);
        assert_eq!((region(vec![now + 3_600_000]).seen_at(now), region(vec![]).seen_at(now)), (0, 0));
    }

    #[test]
    fn a_region_is_cut_off_when_all_its_living_workers_are() {
        let worker = |seen_at, network| Worker {
            worker_id: "w".parse().unwrap(),
            seen_at,
            version: String::new(),
            concurrency: 1,
            checks: 0,
            clock_offset_ms: 0,
            network,
            excused: 0,
            load: Load::default(),
        };
        let (now, gone) = (100_000, 1_000);
        let of = |workers| Region { region_id: "A".parse().unwrap(), created_at: 0, workers }.is_cut_off(now);
        use NetworkState::{CutOff, Unasked, Works};
        assert!(of(vec![worker(now, CutOff), worker(now, CutOff), worker(gone, Works)]));
        assert!(!of(vec![worker(now, CutOff), worker(now, Works)]));
        assert!(!of(vec![worker(now, Unasked)]) && !of(vec![worker(gone, CutOff)]) && !of(vec![]));
    }
}
