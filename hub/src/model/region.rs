//! Regions and the workers in them.

use super::{NetworkState, RegionId, UtcMs, WorkerId};

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
}

impl Worker {
    /// Silence after which a worker counts as gone (P7: heartbeats come every 10 s).
    pub const SILENT_AFTER_MS: i64 = 35_000;

    /// Whether it was heard of lately.
    #[must_use]
    pub fn is_alive(&self, now: UtcMs) -> bool {
        now - self.seen_at < Self::SILENT_AFTER_MS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        };
        let (now, gone) = (100_000, 1_000);
        let of = |workers| Region { region_id: "A".parse().unwrap(), created_at: 0, workers }.is_cut_off(now);
        use NetworkState::{CutOff, Unasked, Works};
        assert!(of(vec![worker(now, CutOff), worker(now, CutOff), worker(gone, Works)]));
        assert!(!of(vec![worker(now, CutOff), worker(now, Works)]));
        assert!(!of(vec![worker(now, Unasked)]) && !of(vec![worker(gone, CutOff)]) && !of(vec![]));
    }
}
