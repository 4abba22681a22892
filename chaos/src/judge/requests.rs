//! Which request belongs to which tick, and whether there were too many.

use std::collections::{BTreeMap, BTreeSet};

use hub::model::slots;

use super::evidence::{Case, Row};
use crate::target::Manner;
use crate::world::{REGIONS, TIMEOUT_MS};

/// A worker's clock follows Redis', as exactly as the way there is short: 300 ms each way in the slowest fault.
pub(super) const SKEW_MS: i64 = 1_000;
/// A check that begins this late after its slot is late.
pub(super) const LATE_MS: i64 = 1_000;

/// Hubs go by the database's clock, as exactly as they learn it over a connection; websites by this machine's.
pub(super) const HUB_MS: i64 = 50;

/// What a hub had handed out when it died is handed out again within this: a lease of 3 s, two turns at the claims.
const TAKEN_OVER_MS: i64 = 5_000;

/// The requests at one website.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    /// For each of its ticks in the order given, the request that was its own.
    pub of: Vec<Option<i64>>,
    /// Those that are no tick's.
    pub others: Vec<i64>,
}

/// Gives each tick, in the order in which checks began, the nearest request that no other has. First those that say they
/// began after their slot; what else a tick says may be wrong (T198), and then its slot tells which request was its own.
/// A request that came before the slot of a tick, `from` it on, is its own only when there is no other: the clocks of two
/// regions' workers may differ by more than their slots do.
#[must_use]
pub(super) fn pair(times: &[i64], rows: &[&Row], from: &[i64], interval_ms: i64) -> Asked {
    let longest_ms = slots::deadline_at(0, interval_ms);
    let (mut likely, unlikely): (Vec<usize>, Vec<usize>) =
        (0..rows.len()).partition(|n| rows[*n].is_likely(longest_ms));
    likely.sort_by_key(|n| rows[*n].started_at);
    let mut left: BTreeSet<(i64, usize)> = times.iter().copied().enumerate().map(|(n, at)| (at, n)).collect();
    let mut take = |began_at: i64, within_ms: i64, not_before: i64| {
        let until = began_at + within_ms;
        let within = ((began_at - SKEW_MS).max(not_before).min(until), 0)..(until, 0);
        let nearest = left.range(within).min_by_key(|(at, _)| (at - began_at).abs()).copied()?;
        left.remove(&nearest);
        Some(nearest.0)
    };
    let mut of = vec![None; rows.len()];
    // What fits well first: a tick whose request is not known must not take another's.
    let turns = [
        (SKEW_MS, true, &likely),
        (TIMEOUT_MS + SKEW_MS, true, &likely),
        (TIMEOUT_MS + SKEW_MS, false, &likely),
        (SKEW_MS, false, &unlikely),
    ];
    for (within_ms, in_time, some) in turns {
        for n in some {
            if of[*n].is_none() {
                of[*n] = take(rows[*n].started_at, within_ms, if in_time { from[*n] } else { i64::MIN });
            }
        }
    }
    for n in unlikely {
        if of[n].is_none() {
            of[n] = take(rows[n].slot_at + SKEW_MS, longest_ms - SKEW_MS, i64::MIN);
        }
    }
    Asked { of, others: left.into_iter().map(|(at, _)| at).collect() }
}

impl Row {
    /// Whether it says that its check began when checks of its slot begin.
    fn is_likely(&self, longest_ms: i64) -> bool {
        !self.is_scheduled || (self.slot_at - SKEW_MS..self.slot_at + longest_ms + SKEW_MS).contains(&self.started_at)
    }
}

/// Websites asked more than twice as often as configured, in any stretch of one interval (I8). The first request within a
/// second after a slot counts as made at the slot: some milliseconds between two checks that were both on time make no
/// third one of the next. `asked` is without the looks that are not of the schedule, such as confirmations.
#[must_use]
pub(super) fn crowded(case: &Case<'_>, asked: &[Vec<i64>]) -> BTreeMap<usize, Vec<i64>> {
    let first = |n: usize| {
        let website = &case.websites[n];
        let regions = website.region.map_or(REGIONS.len(), |_| 1);
        let mut taken = BTreeSet::new();
        let mut times: Vec<i64> = asked[n]
            .iter()
            .copied()
            .map(|at| {
                let places = case.places.iter().filter(|p| p.website == n);
                // Those of two regions may lie close together: the later one first, if it is still to be had.
                let mut slots: Vec<i64> = places
                    .map(|p| slots::next_slot_at(p.phase_ms, p.interval_ms, at + HUB_MS - p.interval_ms + 1))
                    .collect();
                slots.sort_unstable_by(|a, b| b.cmp(a));
                slots.into_iter().find(|slot_at| at - slot_at < LATE_MS && taken.insert(*slot_at)).unwrap_or(at)
            })
            .collect();
        times.sort_unstable();
        let found = (0..times.len()).find_map(|first| {
            // Each time that somebody dies with it in hand it may be asked once more.
            let (from, to) = (times[first], times[first] + website.interval_ms);
            let near =
                case.outages.iter().filter(|o| o.may_repeat && o.from - 1_000 <= to && from <= o.back + TAKEN_OVER_MS);
            let most = regions * (1 + near.map(|o| o.deaths).sum::<usize>().max(1));
            let some = times.get(first..=first + most)?;
            let is_too_many = case.has(some[0]) && case.has(some[most]) && some[most] - some[0] < website.interval_ms;
            is_too_many.then(|| some.to_vec())
        });
        found.filter(|_| website.manner != Manner::Scripted).map(|times| (n, times))
    };
    (0..case.websites.len()).filter_map(first).collect()
}
