//! The phases of the newest tick of each region, on one scale.

use super::words::{self, Mark, took};
use crate::model::{Note, RegionState, cause};

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
pub(super) fn scale_us(regions: &[RegionState]) -> u32 {
    regions.iter().map(|r| r.phases.sum_us()).max().unwrap_or(0).max(1)
}

pub(super) fn waterfall(region: &RegionState, notes: &[Note], scale_us: u32) -> Waterfall {
    let per_mille = |us: u64| us * 1_000 / u64::from(scale_us.max(1));
    let mut parts = Vec::new();
    let mut before_us = 0_u64;
    for (phase, us) in region.phases.named() {
        let Some(us) = us else { continue };
        let (x, end) = (per_mille(before_us), per_mille(before_us + u64::from(us)));
        // Three thousandths: a phase that took place is seen, however short.
        parts.push(Part { phase, x: x.min(997), width: (end - x).max(3) });
        before_us += u64::from(us);
    }
    let values = region.phases.named().map(|(phase, us)| (phase, us.map_or_else(|| "–".to_owned(), took)));
    Waterfall {
        region: region.region_id.to_string(),
        mark: region.outcome.into(),
        parts,
        values: values.to_vec(),
        total: took(region.total_us),
        notes: notes.iter().map(|note| words::note(*note)).collect(),
        why: region.failure.as_ref().map_or("", cause::sentence).to_owned(),
    }
}
