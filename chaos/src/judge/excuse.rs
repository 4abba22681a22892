//! What a fault excuses, and what it does not. `docs/ARCHITECTURE.md` has these rules as a table.

use hub::model::slots;

use crate::fault::{Harm, Outage};
use crate::world::Place;

/// After what is away is back, so long may slots still be missed (P11).
pub const BACK_MS: i64 = 15_000;
/// A check may be in a worker's hand for so long: the budget of a check (P1).
const IN_HAND_MS: i64 = 10_000;
/// A check or a tick that is in Redis at this age is on its way, unless something is wrong already.
const ON_ITS_WAY_MS: i64 = 2_000;
/// Until a process that starts has taken up its work.
const BEGIN_MS: i64 = 3_000;
/// A check that a worker died with is another's after so long: idle for 30 s, looked for every 10 s (P6).
const RECLAIMED_MS: i64 = 40_000;

/// What is known of a slot without a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Trace {
    /// Its website was asked.
    pub is_asked: bool,
    /// The check became a dead letter since it had waited, or been tried, for too long.
    pub is_put_away: bool,
}

/// Whether a fault explains that a slot has no tick.
#[must_use]
pub(super) fn excuses(outage: &Outage, place: &Place, slot_at: i64, trace: Trace) -> bool {
    let Outage { from, back, until, harm, .. } = *outage;
    let deadline_at = slots::deadline_at(slot_at, place.interval_ms);
    let grace_ms = slots::grace_ms(place.interval_ms);
    // It could not be handed out while it was young enough, or it lay in Redis until it was void.
    let stood_still = || {
        back - from > grace_ms
            && if slot_at >= from {
                slot_at + grace_ms <= until
            } else {
                slot_at >= from - ON_ITS_WAY_MS && deadline_at <= until
            }
    };
    match harm {
        Harm::Nothing => false,
        // Who asked has a tick, and keeps it.
        Harm::Standstill => !trace.is_asked && stood_still(),
        Harm::Everything => {
            (!trace.is_asked || trace.is_put_away)
                && (stood_still() || (from - IN_HAND_MS..from).contains(&slot_at) && deadline_at <= until)
        }
        Harm::Forgotten => (from - ON_ITS_WAY_MS..=back).contains(&slot_at),
        // It waited until it was void; what was in hand may have been asked. Who is back finds what has become void first.
        Harm::RegionSilent(region) => {
            region == place.region
                && slot_at >= from - IN_HAND_MS
                && deadline_at <= until
                && (!trace.is_asked || slot_at < from)
        }
        // Only what it had in hand, and only when that was void before anybody could take it up.
        Harm::WorkerAway(region) => {
            region == place.region
                && trace.is_put_away
                && (from - IN_HAND_MS..=back).contains(&slot_at)
                && deadline_at <= back.min(from + RECLAIMED_MS) + BEGIN_MS
        }
    }
}

/// Whether a fault explains that a check of this slot became a dead letter for its age. Its tick may have been stored: one
/// of those who had it was too late.
#[must_use]
pub(super) fn explains_letter(outage: &Outage, place: &Place, slot_at: i64) -> bool {
    excuses(outage, place, slot_at, Trace { is_asked: false, is_put_away: true })
}

/// Whether a fault explains that a website was asked again at this instant: somebody died with a check in hand or just
/// after handing it out, or an answer did not come and the call was made again.
#[must_use]
pub(super) fn explains_repeat(outage: &Outage, at: i64) -> bool {
    let last = outage.until.max(outage.from + RECLAIMED_MS + BEGIN_MS);
    outage.may_repeat && (outage.from - 1_000..=last).contains(&at)
}

/// The spans in which nothing could be seen or told.
pub(super) fn blind(outages: &[Outage]) -> impl Iterator<Item = (i64, i64)> {
    outages.iter().filter(|o| o.harm != Harm::Nothing).map(|o| (o.from, o.until.max(o.back)))
}
