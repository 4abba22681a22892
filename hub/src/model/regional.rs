//! Regions that cannot reach a website others reach: too few to make it down (P4), and too long to be nothing. Pure.
//!
//! A region joins when it has failed three looks in a row over an interval at least, while the verdict is up or degraded.
//! It leaves when it is good again by the rule of verdicts, or when its failing word is too old to stand. A verdict that
//! turns to down or unknown says all there is to say: nobody is left then.

use super::verdict::{Vote, failing_word, good_since, is_good, stale_after_ms, vote};
use super::{Notice, Outcome, RegionId, RegionState, UtcMs, Website, WebsiteState};

/// Failing looks in a row.
const LOOKS: usize = 3;

/// The regions that fail for long, as of `now`, with the verdict `after` as it was just judged; a notice when they are
/// others than before. `regions` in any order.
pub fn judge(website: &Website, after: &mut WebsiteState, regions: &[RegionState], now: UtcMs) -> Option<Notice> {
    let is_told_by_verdict = match after.verdict {
        Outcome::Up | Outcome::Degraded => false,
        Outcome::Down | Outcome::Unknown => true,
    };
    if is_told_by_verdict {
        return end(after);
    }
    let known = |id: &RegionId| after.failing_regions.contains(id);
    let mut failing: Vec<&RegionState> = regions
        .iter()
        .filter(|region| match vote(region, website, after, now) {
            Vote::Down => known(&region.region_id) || fails_for_long(region, website, after),
            // Its own trouble for a moment ends nothing: it would leave and join by turns.
            Vote::Abstains => {
                known(&region.region_id) && failing_word(region).is_some_and(|at| is_fresh(website, at, now))
            }
            Vote::Up | Vote::Degraded | Vote::Silent => false,
        })
        .collect();
    failing.sort_by(|a, b| a.region_id.cmp(&b.region_id));
    let is_same = failing.iter().map(|r| &r.region_id).eq(&after.failing_regions);
    if is_same {
        return None;
    }
    let joined = failing.iter().filter(|r| !known(&r.region_id)).filter_map(|r| r.failing_since_at);
    let gone: Vec<(&RegionId, Option<&RegionState>)> = after
        .failing_regions
        .iter()
        .filter(|id| failing.iter().all(|r| r.region_id != **id))
        .map(|id| (id, regions.iter().find(|r| r.region_id == *id)))
        .collect();
    let left = gone.iter().map(|(_, region)| region.map_or(now, |region| left_at(region, website, after, now)));
    // What was before the verdict is part of what the verdict before told.
    let at = joined.chain(left).max().unwrap_or(now).max(after.since_at);
    let reason = super::verdict::explain_regional(&failing, &gone, website, after, now);
    after.failing_regions = failing.iter().map(|r| r.region_id.clone()).collect();
    Some(Notice::Regional { website_id: after.website_id, at, regions: after.failing_regions.clone(), reason })
}

/// The verdict tells it now, or nobody can.
pub fn end(after: &mut WebsiteState) -> Option<Notice> {
    if after.failing_regions.is_empty() {
        return None;
    }
    after.failing_regions.clear();
    let reason = match after.verdict {
        Outcome::Down => "It is down as seen from other regions, too.",
        Outcome::Unknown => "No region can tell any more.",
        Outcome::Up | Outcome::Degraded => "All regions that report get an answer.",
    };
    let (website_id, at) = (after.website_id, after.since_at);
    Some(Notice::Regional { website_id, at, regions: Vec::new(), reason: reason.to_owned() })
}

/// By looks since the verdict has held: those before are part of what the verdict before told, and whoever is last to see
/// an outage end is no news.
fn fails_for_long(region: &RegionState, website: &Website, after: &WebsiteState) -> bool {
    let row = region.recent.iter().take_while(|look| look.slot_at >= after.since_at && !is_good(look));
    let is_often = row.filter(|look| look.outcome == Outcome::Down).count() >= LOOKS;
    let since_at = region.failing_since_at.map(|at| at.max(after.since_at));
    is_often && since_at.is_some_and(|at| region.slot_at.saturating_sub(at) >= website.settings.interval_ms)
}

fn is_fresh(website: &Website, at: UtcMs, now: UtcMs) -> bool {
    now.saturating_sub(at) <= stale_after_ms(&website.settings)
}

/// Since when a region no longer counts as failing.
fn left_at(region: &RegionState, website: &Website, after: &WebsiteState, now: UtcMs) -> UtcMs {
    let worth_ms = stale_after_ms(&website.settings);
    match vote(region, website, after, now) {
        Vote::Up | Vote::Degraded => good_since(region),
        Vote::Silent => region.received_at.saturating_add(worth_ms).min(now),
        Vote::Abstains => failing_word(region).map_or(now, |at| at.saturating_add(worth_ms)).min(now),
        Vote::Down => now,
    }
}
