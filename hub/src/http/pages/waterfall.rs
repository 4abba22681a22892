//! The phases of the newest tick of each region, on one scale.

use super::words::{self, Mark, took};
use crate::model::{Evidence, Failure, Note, Outcome, Phases, RegionState, StoredTick, cause};

/// One region's bar and figures.
#[derive(Debug, Clone)]
pub(super) struct Waterfall {
    pub(super) region: String,
    pub(super) mark: Mark,
    pub(super) parts: Vec<Part>,
    /// Phase and its duration; a dash where it did not take place.
    pub(super) values: Vec<(&'static str, String)>,
    pub(super) total: String,
    /// Why it is not up.
    pub(super) why: String,
    /// What else is worth knowing.
    pub(super) notes: Vec<&'static str>,
}

/// A phase as thousandths of the scale.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) phase: &'static str,
    pub(super) x: u64,
    pub(super) width: u64,
}

/// The end of the scale: the longest total of all regions.
pub(super) fn scale_us<'a>(phases: impl IntoIterator<Item = &'a Phases>) -> u32 {
    phases.into_iter().map(Phases::sum_us).max().unwrap_or(0).max(1)
}

/// Of the newest tick of a region.
pub(super) fn waterfall(region: &RegionState, notes: &[Note], scale_us: u32) -> Waterfall {
    let region_id = region.region_id.as_str();
    let fall = of(region_id, region.outcome, region.failure.as_ref(), &region.phases, region.total_us, scale_us);
    Waterfall { notes: notes.iter().map(|note| words::note(*note)).collect(), ..fall }
}

/// Of what a region had seen when something was decided.
pub(super) fn of_evidence(seen: &Evidence, scale_us: u32) -> Waterfall {
    of(seen.region_id.as_str(), seen.outcome, seen.failure.as_ref(), &seen.phases, seen.total_us, scale_us)
}

/// Of a tick.
pub(super) fn of_tick(stored: &StoredTick, scale_us: u32) -> Waterfall {
    let tick = &stored.tick;
    let region = stored.region_id.as_str();
    let fall = of(region, tick.outcome, tick.failure.as_ref(), &tick.phases, tick.total_us, scale_us);
    Waterfall { notes: tick.notes.iter().map(|note| words::note(*note)).collect(), ..fall }
}

/// Of phases alone, as long as their scale.
pub(super) fn of_sample(region: &str, phases: &Phases) -> Waterfall {
    of(region, Outcome::Up, None, phases, phases.sum_us(), scale_us([phases]))
}

fn of(
    region: &str,
    outcome: Outcome,
    failure: Option<&Failure>,
    phases: &Phases,
    total_us: u32,
    scale_us: u32,
) -> Waterfall {
    let per_mille = |us: u64| us * 1_000 / u64::from(scale_us.max(1));
    let mut parts = Vec::new();
    let mut before_us = 0_u64;
    for (phase, us) in phases.named() {
        let Some(us) = us else { continue };
        let (x, end) = (per_mille(before_us), per_mille(before_us + u64::from(us)));
        // Three thousandths: a phase that took place is seen, however short.
        parts.push(Part { phase, x: x.min(997), width: (end - x).max(3) });
        before_us += u64::from(us);
    }
    let values = phases.named().map(|(phase, us)| (phase, us.map_or_else(|| "–".to_owned(), took)));
    Waterfall {
        region: region.to_owned(),
        mark: outcome.into(),
        parts,
        values: values.to_vec(),
        total: took(total_us),
        notes: Vec::new(),
        why: failure.map_or("", cause::sentence).to_owned(),
    }
}
