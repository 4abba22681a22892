//! The last ten ticks of a website as a small picture: bars for answers, crosses for failures, rings for the unknown.

use std::fmt::Write as _;

use super::words::{Mark, took};
use crate::model::{Outcome, RecentTick, RegionState};

/// A spark line.
#[derive(Debug, Clone)]
pub(super) struct Spark {
    /// What it says, in words.
    pub(super) text: String,
    /// One path per kind of outcome, since a list has many.
    pub(super) paths: Vec<Path>,
}

/// All marks of one kind.
#[derive(Debug, Clone)]
pub(super) struct Path {
    pub(super) letter: &'static str,
    pub(super) d: String,
}

const HEIGHT: u32 = 20;

/// The ten newest of all regions, oldest first; `None` when there are none.
pub(super) fn spark(regions: &[RegionState]) -> Option<Spark> {
    let mut ticks: Vec<&RecentTick> = regions.iter().flat_map(|r| &r.recent).collect();
    ticks.sort_by_key(|t| std::cmp::Reverse((t.slot_at, t.attempt)));
    ticks.truncate(RegionState::RECENT);
    ticks.reverse();
    of(&ticks)
}

/// Of these, oldest first.
pub(super) fn of(ticks: &[&RecentTick]) -> Option<Spark> {
    let slowest_us = ticks.iter().map(|t| t.total_us).max()?.max(1);
    let mut paths = Vec::new();
    for outcome in Outcome::ALL {
        let mut d = String::new();
        for (n, tick) in ticks.iter().enumerate().filter(|(_, t)| t.outcome == *outcome) {
            // Writing to a String cannot fail.
            let _ = d.write_str(&figure(tick, n * 8, slowest_us));
        }
        if !d.is_empty() {
            paths.push(Path { letter: Mark::from(*outcome).letter(), d });
        }
    }
    Some(Spark { text: text(ticks, slowest_us), paths })
}

fn figure(tick: &RecentTick, x: usize, slowest_us: u32) -> String {
    match tick.outcome {
        Outcome::Up | Outcome::Degraded => {
            let height = u64::from(tick.total_us) * u64::from(HEIGHT) / u64::from(slowest_us);
            format!("M{} {HEIGHT}v-{}", x + 3, height.max(2))
        }
        Outcome::Down => format!("M{x} 7l6 6m0-6l-6 6"),
        Outcome::Unknown => format!("M{x} 10a3 3 0 1 0 6 0a3 3 0 1 0-6 0"),
    }
}

fn text(ticks: &[&RecentTick], slowest_us: u32) -> String {
    let mut text = format!("Last {}:", ticks.len());
    for outcome in Outcome::ALL {
        let count = ticks.iter().filter(|t| t.outcome == *outcome).count();
        if count > 0 {
            let _ = write!(text, " {count} {outcome},");
        }
    }
    let _ = write!(text, " slowest {}", took(slowest_us));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_differs_by_shape() {
        let tick = |outcome| RecentTick { slot_at: 0, attempt: 0, outcome, status: None, total_us: 100 };
        let figures: Vec<String> = Outcome::ALL.iter().map(|o| figure(&tick(*o), 0, 100)).collect();
        assert_eq!(figures[0], "M3 20v-20");
        assert_ne!(figures[0], figures[2]);
        assert_ne!(figures[2], figures[3]);
        assert!(spark(&[]).is_none());
    }
}
