//! What is asked of a run besides its count.

use super::Line;
use crate::fault::{Harm, Outage};
use crate::judge::Change;
use crate::process::Process;
use crate::watch::Peaks;
use crate::world::{QUICK_MS, World};

/// P11, in milliseconds.
const RECOVERED_WITHIN_MS: i64 = 30_000;
/// Longer than this without a region its websites are unknown: P5 at [`QUICK_MS`], and a turn of the housekeeping.
const BLIND_MS: i64 = 54_000;

pub(super) fn problems(line: &Line) -> Vec<String> {
    let mut problems = line.count.problems();
    if line.recovery_ms > RECOVERED_WITHIN_MS {
        problems.push(format!("P11 steady only after {} s", line.recovery_ms / 1_000));
    }
    problems
}

/// I6: websites that nobody looked at for long are shown as unknown.
pub(super) fn blindness(world: &World, outage: &Outage, changes: &[Change]) -> Option<String> {
    let silent = match outage.harm {
        Harm::RegionSilent(region) => Some(region),
        Harm::Standstill => None, // all of them
        Harm::Nothing | Harm::Everything | Harm::Forgotten | Harm::WorkerAway(_) => return None,
    };
    if outage.back - outage.from < BLIND_MS {
        return None;
    }
    let blind = world
        .websites
        .iter()
        .enumerate()
        .filter(|(_, w)| (silent.is_none() || w.region == silent) && w.interval_ms <= QUICK_MS);
    let unshown: Vec<usize> = blind
        .map(|(n, _)| n)
        .filter(|n| {
            let in_time = outage.from..=outage.back + 5_000;
            !changes.iter().any(|c| c.website == *n && c.to == "unknown" && in_time.contains(&c.decided_at))
        })
        .collect();
    (!unshown.is_empty()).then(|| format!("I6 not shown as unknown: {unshown:?}"))
}

/// I7.
pub(super) fn unbounded(peaks: &Peaks, concurrency: u16) -> Vec<String> {
    let mut problems = Vec::new();
    for (name, usage) in &peaks.processes {
        let (mib, threads) = match name.split('-').next() {
            Some("hub") => (256, 64),
            Some("probe") => (64, u64::from(concurrency) + 16), // P3
            _ => continue,
        };
        if usage.resident_kib > mib * 1024 || usage.threads > threads || usage.descriptors > 250 {
            problems.push(format!("I7 {name}: {usage:?}"));
        }
    }
    let long = peaks.streams.iter().filter(|(_, length)| **length > 5_000);
    problems.extend(long.map(|(name, length)| format!("I7 {name}: {length} entries")));
    problems
}

/// Panics that nobody asked for.
pub(super) fn panics(process: &Process) -> Option<String> {
    let log = process.log();
    let panics = log.matches("panicked at").count();
    let asked = log.matches("panics, as it was asked to").count();
    (panics > asked).then(|| format!("{} panicked", process.name))
}
