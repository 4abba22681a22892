//! What each region says, and for how long it stands.

use super::{GOOD_LOOKS, is_targets_fault, stale_after_ms};
use crate::model::region::CLOCK_ERROR_MS;
use crate::model::{Class, Outcome, RecentTick, RegionState, UtcMs, Website, WebsiteSettings, WebsiteState};

/// So many slow looks of the last [`RegionState::RECENT`] make it slow: not one outlier, and not a tenth (T249).
pub(super) const SLOW_LOOKS: usize = 3;
/// With fewer than so many it is fast again: what is near the threshold makes no chatter.
pub(super) const SLOW_LOOKS_LEFT: usize = 2;

/// What a region says of a website.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::model) enum Vote {
    /// It gets an answer.
    Up,
    /// It gets an answer that is slow too often, or comes with a warning.
    Degraded,
    /// It fails, or has not been good for long enough since.
    Down,
    /// Reports, but its trouble is its own, and has been for a while.
    Abstains,
    /// Has not reported lately.
    Silent,
}

/// A region's vote as of `now`. `before` is the verdict so far: what was slow is so until it is clearly not.
pub(in crate::model) fn vote(region: &RegionState, website: &Website, before: &WebsiteState, now: UtcMs) -> Vote {
    let stale_ms = stale_after_ms(&website.settings);
    if !website.settings.watches_from(&region.region_id) || now.saturating_sub(region.received_at) > stale_ms {
        return Vote::Silent;
    }
    match region.outcome {
        Outcome::Down if is_targets_fault(region.failure.as_ref()) => Vote::Down,
        Outcome::Down | Outcome::Unknown => match good_word(region) {
            Some(word) if now.saturating_sub(word.slot_at) > stale_ms => Vote::Abstains,
            Some(word) => how_good(region, word, website, before),
            None => Vote::Abstains,
        },
        Outcome::Up | Outcome::Degraded if region.failing_since_at.is_some() => Vote::Down,
        Outcome::Up | Outcome::Degraded => match region.recent.first() {
            Some(newest) => how_good(region, newest, website, before),
            None if region.outcome == Outcome::Degraded => Vote::Degraded,
            None => Vote::Up,
        },
    }
}

/// Up or degraded, of a region whose last word on the website, `word`, was good.
fn how_good(region: &RegionState, word: &RecentTick, website: &Website, before: &WebsiteState) -> Vote {
    let settings = &website.settings;
    let is_warning = match (&region.failure, region.outcome) {
        // What the newest tick is told to be. One that is slow and warned about is told as the warning.
        (Some(failure), Outcome::Degraded) => failure.class != Class::Slow,
        _ => word.outcome == Outcome::Degraded && !is_slow(word, settings),
    };
    let enough = if before.verdict == Outcome::Degraded { SLOW_LOOKS_LEFT } else { SLOW_LOOKS };
    // After a time of blindness only looks since then count.
    let counts = |look: &&RecentTick| before.verdict != Outcome::Unknown || look.slot_at >= before.since_at;
    let slow = region.recent.iter().filter(counts).filter(|look| is_slow(look, settings)).count();
    if is_warning || slow >= enough { Vote::Degraded } else { Vote::Up }
}

/// Whether a look got its answer later than is asked for.
pub(super) fn is_slow(look: &RecentTick, settings: &WebsiteSettings) -> bool {
    let limit_ms = settings.options.expect.slow_ms;
    look.outcome == Outcome::Degraded && limit_ms.is_none_or(|ms| u64::from(look.total_us) > u64::from(ms) * 1_000)
}

pub(in crate::model) fn is_good(look: &RecentTick) -> bool {
    match look.outcome {
        Outcome::Up | Outcome::Degraded => true,
        Outcome::Down | Outcome::Unknown => false,
    }
}

/// The last tick that said something about the website, when it was a good one and no failing run is open. A failing
/// word does not stand: what failed just before the region's own trouble showed may have been that trouble (I5).
fn good_word(region: &RegionState) -> Option<&RecentTick> {
    let word = region.recent.iter().find(|t| t.outcome != Outcome::Unknown)?;
    (is_good(word) && region.failing_since_at.is_none()).then_some(word)
}

/// Slot of the last tick that said the website fails.
pub(in crate::model) fn failing_word(region: &RegionState) -> Option<UtcMs> {
    region.recent.iter().find(|t| t.outcome == Outcome::Down).map(|t| t.slot_at)
}

/// Slot of the first of the good looks in a row a region is at, as far as the recent ones tell. What it could not tell in
/// between does not break the row.
pub(in crate::model) fn good_since(region: &RegionState) -> UtcMs {
    let row = region.recent.iter().take_while(|t| t.outcome != Outcome::Down);
    row.filter(|t| is_good(t)).last().map_or(region.slot_at, |t| t.slot_at)
}

/// Until when a region's vote stands without a new tick.
pub(super) fn stands_until(region: &RegionState, settings: &WebsiteSettings) -> UtcMs {
    let said_at = match region.outcome {
        Outcome::Down if is_targets_fault(region.failure.as_ref()) => region.received_at,
        Outcome::Up | Outcome::Degraded => region.received_at,
        Outcome::Down | Outcome::Unknown => good_word(region).map_or(region.received_at, |word| word.slot_at),
    };
    said_at.saturating_add(stale_after_ms(settings))
}

/// Until when a verdict stands by what the regions last said: what [`super::judge`] says after a tick, also later. `None`:
/// no region has a voice. What was received after `now` was stamped by a clock that has been set back since (T201).
#[must_use]
pub fn fresh_until(website: &Website, regions: &[RegionState], now: UtcMs) -> Option<UtcMs> {
    let has_voice = |region: &&RegionState| match region.outcome {
        Outcome::Up | Outcome::Degraded => true,
        Outcome::Down if is_targets_fault(region.failure.as_ref()) => true,
        Outcome::Down | Outcome::Unknown => good_word(region).is_some(),
    };
    regions
        .iter()
        .filter(|r| website.settings.watches_from(&r.region_id))
        .filter(|r| r.received_at <= now.saturating_add(CLOCK_ERROR_MS))
        .filter(has_voice)
        .map(|r| stands_until(r, &website.settings))
        .max()
}

/// A region that answers again, and has to do so once more to be believed.
pub(super) fn is_on_trial(region: &RegionState) -> bool {
    region.failing_since_at.is_some() && (1..GOOD_LOOKS).contains(&region.good_streak)
}
