//! A verdict that is not reached yet asks for a second look.

use super::verdict::{Vote, vote};
use super::{Outcome, RegionId, RegionState, StoredTick, UtcMs, Website, WebsiteId, WebsiteState, backoff};

/// Second looks per slot.
pub(super) const MAX_ATTEMPT: u16 = 2;

/// A second look at a first failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirm {
    /// Which website.
    pub website_id: WebsiteId,
    /// Slot of the failing tick.
    pub slot_at: UtcMs,
    /// Attempt of the second look: 1 and up.
    pub attempt: u16,
    /// Where from.
    pub regions: Vec<RegionId>,
    /// How long to wait first: none elsewhere, a little at the same place, so that a blip can pass.
    pub delay_ms: i64,
}

/// The second look a tick asks for, if any: a first failure is looked at from the other regions at once, or again from
/// the same place after a moment; a first good tick of a website that is down likewise. `after` is the verdict with
/// the tick counted in.
#[must_use]
pub(super) fn wanted(
    website: &Website,
    after: &WebsiteState,
    regions: &[RegionState],
    tick: &StoredTick,
    now: UtcMs,
) -> Option<Confirm> {
    let paced = backoff::paced(website, after, now);
    let website = paced.as_ref();
    let seen = &tick.tick;
    let own = regions.iter().find(|r| r.region_id == tick.region_id)?;
    let is_newest = (own.slot_at, own.attempt) == (seen.slot_at, seen.attempt);
    // That a region fails alone for long is known: the others are not asked again with each of its looks.
    let is_known = after.failing_regions.contains(&tick.region_id);
    let failing = !is_known && vote(own, website, after, now) == Vote::Down && seen.outcome == Outcome::Down;
    let recovering = own.good_streak == 1 && own.failing_since_at.is_some();
    let is_open = match after.verdict {
        Outcome::Down => recovering,
        Outcome::Up | Outcome::Degraded | Outcome::Unknown => failing || recovering,
    };
    if !is_newest || !is_open || seen.attempt >= MAX_ATTEMPT {
        return None;
    }
    // One that cannot tell would confirm nothing.
    let others: Vec<_> = regions
        .iter()
        .filter(|r| r.region_id != tick.region_id && matches!(vote(r, website, after, now), Vote::Up | Vote::Degraded))
        .map(|r| r.region_id.clone())
        .collect();
    let attempt = seen.attempt + 1;
    if failing && !others.is_empty() {
        // Elsewhere, at once, and only for the slot's own check: a confirmation does not ask for confirmations.
        return (seen.attempt == 0).then_some(Confirm {
            website_id: website.website_id,
            slot_at: seen.slot_at,
            attempt,
            regions: others,
            delay_ms: 0,
        });
    }
    Some(Confirm {
        website_id: website.website_id,
        slot_at: seen.slot_at,
        attempt,
        regions: vec![tick.region_id.clone()],
        // 0.5 s, then 1.5 s: three looks within the 2 s of P4, and a blip shorter than that wakes nobody.
        delay_ms: 500 + 1_000 * i64::from(seen.attempt),
    })
}
