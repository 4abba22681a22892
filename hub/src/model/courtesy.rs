//! No host sees more than its share, however many websites of however many accounts are on it (DESIGN 6.5, T258).
//!
//! The slots of a host are spaced by a rule that every hub computes for every second of the schedule, whoever publishes
//! it: the checks of a host stand in line in the order of their slots, and one leaves it every 1000 / 20 ms. So hubs
//! agree without talking. A host that is asked for more than it may get leaves out slots, evenly and by the same rule.

use std::collections::{BTreeSet, HashMap};

use sha2::{Digest as _, Sha256};

use super::{Region, RegionId, UtcMs, WebsiteId};

/// Checks of the schedule per second that all hubs together publish for one host, when nothing else is set.
pub const PER_HOST_S: u32 = 20;
/// Of the limit so much is used: a line that is as fast as its clients come never empties.
const USED: f64 = 0.9;
/// Between two shares. Made by multiplication alone, which all machines do alike: hubs must agree to the last bit.
const STEP: f64 = 0.95;
/// What is late (the queue was away) is spaced as well; so little is not late.
const SLACK_MS: i64 = 100;

/// A host: the name or address in a URL, whatever scheme, port and path. It is the machine that bears the load, and a
/// stranger with a thousand ports would be a thousand hosts. A hash, since a million names would be most of the schedule;
/// one that nobody can find a second name for, since hosts that share a key share their limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostKey(u64);

impl HostKey {
    /// Of a URL in normal form.
    #[must_use]
    pub fn of(url: &str) -> Self {
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        // An address of IPv6 has colons of its own, in brackets.
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
            Some(_) | None => authority,
        };
        let digest: [u8; 32] = Sha256::digest(host.trim_end_matches('.').as_bytes()).into();
        let [a, b, c, d, e, f, g, h, ..] = digest;
        Self(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
    }
}

/// The limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    per_s: u32,
}

impl Default for Limit {
    fn default() -> Self {
        Self::per_s(PER_HOST_S)
    }
}

impl Limit {
    /// So many checks per host and second, 1 to 1,000.
    #[must_use]
    pub fn per_s(per_s: u32) -> Self {
        Self { per_s: per_s.clamp(1, 1_000) }
    }

    /// Between two checks of the schedule.
    #[must_use]
    pub fn spacing_ms(self) -> i64 {
        1_000 / i64::from(self.per_s)
    }

    /// Between two checks that were asked for (first looks, confirmations, "check now"), on each hub: half the rate of
    /// the schedule, beside it.
    #[must_use]
    pub fn asked_spacing_ms(self) -> i64 {
        2 * self.spacing_ms()
    }

    /// The share of its slots a host gets that is asked for so many checks per second; 1 for nearly all. In steps of 5 %:
    /// with each change of it other slots are used, and one website more or less is to change nothing.
    #[must_use]
    pub fn share(self, demand_per_s: f64) -> f64 {
        let most = f64::from(self.per_s) * USED;
        let share = most / demand_per_s.clamp(most, f64::from(u32::MAX));
        let mut step = 1.0;
        while step / 2.0 >= share {
            step /= 2.0;
        }
        while step > share {
            step *= STEP;
        }
        step
    }
}

/// A region that nobody has heard of for so long takes no part in what hosts are asked for. Long, since each change of a
/// share picks other slots: a region that is restarted changes nothing.
pub const ASKS_FOR_MS: i64 = 600_000;

/// Which regions look at websites that are watched from everywhere. By what is stored of them, which all hubs read:
/// what one hub alone has heard would give hubs different shares.
#[must_use]
pub fn regions_asking(regions: &[Region], now: UtcMs) -> BTreeSet<RegionId> {
    let asking = regions.iter().filter(|region| now - region.seen_at(now) < ASKS_FOR_MS);
    asking.map(|region| region.region_id.clone()).collect()
}

/// Whether a slot of a crowded host is used. Those that are lie as evenly as can be: with a lot for each slot a website
/// would now and then go without a look for longer than its verdict stands (P5). Which ones they are is different for
/// each website and region, and the same on every hub. `interval_ms` is what lies between two slots that may be used.
#[must_use]
pub fn is_used(website: WebsiteId, region: &RegionId, interval_ms: i64, slot_at: UtcMs, share: f64) -> bool {
    if share >= 1.0 {
        return true;
    }
    let turn = super::slots::phase_ms(website, region, 1 << 32) as f64 / (1_u64 << 32) as f64;
    let used_before = |slot: i64| (slot as f64 * share + turn).floor();
    let slot = slot_at.div_euclid(interval_ms.max(1));
    used_before(slot + 1) > used_before(slot)
}

/// Lines before hosts. Only hosts whose line is not empty are kept.
#[derive(Debug)]
pub struct Lines {
    spacing_ms: i64,
    free_at: HashMap<HostKey, UtcMs>,
}

impl Lines {
    /// One check leaves each line per `spacing_ms`.
    #[must_use]
    pub fn new(spacing_ms: i64) -> Self {
        Self { spacing_ms, free_at: HashMap::new() }
    }

    /// When a check that came at `at` may leave; `None` when that is later than `by`, and it does not join the line.
    pub fn join(&mut self, host: HostKey, at: UtcMs, by: UtcMs) -> Option<UtcMs> {
        let free_at = self.free_at.entry(host).or_insert(at);
        let leaves_at = at.max(*free_at);
        if leaves_at > by {
            return None;
        }
        *free_at = leaves_at + self.spacing_ms;
        Some(leaves_at)
    }

    /// The same for a check that was to leave at `planned_at` and comes now: as planned, unless there are many that are
    /// late.
    pub fn join_late(&mut self, host: HostKey, planned_at: UtcMs, now: UtcMs) -> UtcMs {
        self.join(host, planned_at.max(now - SLACK_MS), UtcMs::MAX).unwrap_or(now)
    }

    /// Forgets lines that were empty before `at`.
    pub fn forget(&mut self, at: UtcMs) {
        self.free_at.retain(|_, free_at| *free_at > at);
    }

    /// Lines there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.free_at.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.free_at.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn a_host_is_a_name_whatever_the_scheme_port_and_path() {
        let key = HostKey::of("https://a.example/");
        for url in ["http://a.example/x?y#z", "https://a.example:8443/", "http://a.example./", "https://a.example?q"] {
            assert_eq!(HostKey::of(url), key, "{url}");
        }
        for url in ["https://b.example/", "https://a.example.b/", "https://www.a.example/", "http://[::1]/"] {
            assert_ne!(HostKey::of(url), key, "{url}");
        }
        assert_eq!(HostKey::of("http://[2001:db8::1]:80/"), HostKey::of("http://[2001:db8::1]/"));
        assert_ne!(HostKey::of("http://[2001:db8::1]/"), HostKey::of("http://[2001:db8::2]/"));
    }

    #[test]
    fn t258_checks_of_one_host_leave_one_by_one_and_late_ones_too() {
        let (one, other) = (HostKey(1), HostKey(2));
        let mut lines = Lines::new(50);
        let left: Vec<_> = [0, 10, 20, 500].map(|at| lines.join(one, at, at + 5_000)).into();
        assert_eq!(left, [Some(0), Some(50), Some(100), Some(500)]);
        assert_eq!(lines.join(other, 20, 20), Some(20));
        assert_eq!(
            (0..200).filter_map(|_| lines.join(one, 600, 1_600)).count(),
            21,
            "what would be too late stays out"
        );
        lines.forget(100);
        assert_eq!(lines.len(), 1);

        // As planned, a tick of the schedule late: nothing is held up. All at once after an outage: one by one.
        let mut lines = Lines::new(50);
        assert!((0..100).all(|n| lines.join_late(one, n * 50, n * 50 + 24) <= n * 50 + 24));
        let after: Vec<_> = (100..200).map(|n| lines.join_late(one, n * 50, 20_000)).collect();
        assert_eq!((after.iter().filter(|at| **at <= 20_000).count(), after.last()), (3, Some(&24_850)));
    }

    #[test]
    fn a_crowded_host_leaves_out_slots_of_all_alike() {
        let limit = Limit::per_s(10);
        assert_eq!((limit.share(9.0), limit.share(0.0)), (1.0, 1.0));
        for n in 1..10_000 {
            let (demand, share) = (9.0 + f64::from(n), limit.share(9.0 + f64::from(n)));
            assert!((8.5..=9.0).contains(&(share * demand)), "{demand}: {share}");
        }
        let shares: std::collections::BTreeSet<u64> = (90..180).map(|n| limit.share(f64::from(n)).to_bits()).collect();
        assert!(shares.len() <= 16, "a website more is no change: {}", shares.len());
        let region: RegionId = "A".parse().unwrap();
        for n in 0..50 {
            let id = WebsiteId(Uuid::from_u128(n));
            let used = |share: f64| -> Vec<i64> {
                (0..1_000_i64).filter(|slot| is_used(id, &region, 10_000, slot * 10_000, share)).collect()
            };
            assert!((99..=101).contains(&used(0.1).len()), "{}", used(0.1).len());
            assert!(
                used(0.55).windows(2).all(|pair| pair[1] - pair[0] <= 2),
                "none waits for longer than it stays fresh"
            );
        }
    }
}
