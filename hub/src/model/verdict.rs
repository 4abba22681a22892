//! Up or down, and why: pure rules over what the regions last saw (P4, P5). No clock; `now` is an argument.
//!
//! Down: more than half of the regions that report agree, and at least two of them while two or more report. One
//! region alone: three failing looks in a row. Up again: two good looks per region, then the same rule. A region
//! without a fresh tick has no vote, nor has one whose trouble is its own (I5); but a good word it gave shortly before
//! stands, so that one hiccup of ours does not leave the decision to a region that fails alone.

mod explain;
mod vote;

use self::explain::Rule;
pub(super) use self::explain::explain_regional;
pub use self::explain::{
    EDITED, NOT_CHECKED, PAUSED, REASON_BYTES, RESUMED, first_sentence, is_owners_doing, without_codes,
};
pub use self::vote::fresh_until;
use self::vote::{SLOW_LOOKS_LEFT, is_slow, stands_until};
pub(super) use self::vote::{Vote, failing_word, good_since, is_good, vote};
use super::region::CLOCK_ERROR_MS;
use super::{
    Blame, Outcome, RecentTick, RegionState, StoredTick, Transition, UtcMs, Website, WebsiteSettings, WebsiteState,
    backoff, certificate,
};

/// Failing looks in a row that count, when one region is all there is.
const SINGLE_VANTAGE_LOOKS: u16 = 3;
/// Good looks in a row until a failing region counts as good again.
const GOOD_LOOKS: u16 = 2;

/// After how long without a tick a region is unknown (P5); of a website that is down for long, or on a crowded host, by the
/// pace it is checked at ([`backoff::paced`], [`super::shares`]).
#[must_use]
pub fn stale_after_ms(settings: &WebsiteSettings) -> i64 {
    stale_ms(settings.interval_ms, settings.timeout_ms)
}

/// The same, of an interval and a timeout.
pub(super) fn stale_ms(interval_ms: i64, timeout_ms: i64) -> i64 {
    interval_ms.saturating_mul(2).saturating_add(timeout_ms + 15_000)
}

/// A website that was added, edited or resumed is looked at at once, for at most a minute: after this long without a
/// tick nobody looks (I6).
pub const FIRST_LOOK_WITHIN_MS: i64 = 90_000;

/// A region's state after one more tick; `None` when the tick is not newer than what is known (late or repeated). What
/// is known from slots that have not come yet does not count: a clock was wrong (T201).
#[must_use]
pub fn absorb(before: Option<&RegionState>, tick: &StoredTick, now: UtcMs) -> Option<RegionState> {
    let seen = &tick.tick;
    let before = before.filter(|b| b.slot_at <= now.saturating_add(CLOCK_ERROR_MS));
    if before.is_some_and(|b| (b.slot_at, b.attempt) >= (seen.slot_at, seen.attempt)) {
        return None;
    }
    let before_streaks = before.map_or((0, None, 0), |b| (b.failing_streak, b.failing_since_at, b.good_streak));
    let (failing_streak, failing_since_at, good_streak) = match seen.outcome {
        Outcome::Up | Outcome::Degraded => {
            let good = before_streaks.2.saturating_add(1);
            (0, before_streaks.1.filter(|_| good < GOOD_LOOKS), good)
        }
        Outcome::Down if is_targets_fault(seen.failure.as_ref()) => {
            (before_streaks.0.saturating_add(1), before_streaks.1.or(Some(seen.slot_at)), 0)
        }
        // Says nothing about the website: the run before it goes on.
        Outcome::Down | Outcome::Unknown => before_streaks,
    };
    let newest = RecentTick {
        slot_at: seen.slot_at,
        attempt: seen.attempt,
        outcome: match seen.outcome {
            Outcome::Down if !is_targets_fault(seen.failure.as_ref()) => Outcome::Unknown,
            other => other,
        },
        status: seen.status,
        total_us: seen.total_us,
    };
    let older = before.map_or(&[][..], |b| &b.recent);
    Some(RegionState {
        region_id: tick.region_id.clone(),
        worker_id: tick.worker_id.clone(),
        slot_at: seen.slot_at,
        attempt: seen.attempt,
        received_at: tick.received_at,
        outcome: seen.outcome,
        failure: seen.failure.clone(),
        phases: seen.phases,
        total_us: seen.total_us,
        status: seen.status,
        failing_streak,
        failing_since_at,
        good_streak,
        certificate_not_after_at: match (certificate::of_website(seen), seen.outcome) {
            (Some(certificate), _) => Some(certificate.not_after_at),
            // It has none any more.
            (None, Outcome::Up | Outcome::Degraded) => None,
            (None, Outcome::Down | Outcome::Unknown) => before.and_then(|b| b.certificate_not_after_at),
        },
        recent: std::iter::once(newest).chain(older.iter().copied()).take(RegionState::RECENT).collect(),
    })
}

fn is_targets_fault(failure: Option<&super::Failure>) -> bool {
    failure.is_none_or(|f| f.blame == Blame::Target)
}

/// What the regions together say now; a transition when it differs from before. `regions` in any order.
#[must_use]
pub fn judge(
    website: &Website,
    before: &WebsiteState,
    regions: &[RegionState],
    now: UtcMs,
) -> (WebsiteState, Option<Transition>) {
    let paced = backoff::paced(website, before, now);
    let website = paced.as_ref();
    let mut voters: Vec<(&RegionState, Vote)> = regions.iter().map(|r| (r, vote(r, website, before, now))).collect();
    voters.sort_by(|a, b| a.0.region_id.cmp(&b.0.region_id));
    let with = |wanted: Vote| voters.iter().filter(move |(_, v)| *v == wanted).map(|(r, _)| *r).collect::<Vec<_>>();
    let (down, degraded, up) = (with(Vote::Down), with(Vote::Degraded), with(Vote::Up));
    let reporting = down.len() + degraded.len() + up.len();

    let (verdict, rule) = match (reporting, down.as_slice()) {
        (0, _) => (Outcome::Unknown, Rule::Silence),
        (1, [only]) if only.failing_streak >= SINGLE_VANTAGE_LOOKS => (Outcome::Down, Rule::Lone),
        // Not enough looks yet, or not enough good ones: what held before holds.
        (1, [_]) => (before.verdict, Rule::Lone),
        (_, down) if down.len() >= 2 && 2 * down.len() > reporting => (Outcome::Down, Rule::Majority),
        // An outage that as many say goes on as say is over goes on, while they are enough to have called it one.
        _ if before.verdict == Outcome::Down && down.len() >= 2 && 2 * down.len() >= reporting => {
            (Outcome::Down, Rule::Half)
        }
        _ if degraded.len() > up.len() => (Outcome::Degraded, Rule::Degraded),
        (_, []) => (Outcome::Up, Rule::AllGood),
        (_, [..]) => (Outcome::Up, Rule::Majority),
    };
    let reason = explain::explain(verdict, rule, &voters);
    let fresh_until_at = voters
        .iter()
        .filter(|(_, v)| matches!(v, Vote::Up | Vote::Degraded | Vote::Down))
        .map(|(r, _)| stands_until(r, &website.settings))
        .max();
    if verdict == before.verdict {
        let state = WebsiteState { reason, fresh_until_at, ..before.clone() };
        return (state, None);
    }
    let settings = &website.settings;
    let since = match verdict {
        Outcome::Down => outage_since(settings, &down, before).max(last_good_elsewhere(regions, &down)),
        // The region that was last to turn made the difference: the others may have said so for hours.
        Outcome::Up => up.iter().map(|r| up_since(settings, r, before)).max(),
        Outcome::Degraded => degraded.iter().map(|r| degraded_since(settings, r, before)).max(),
        Outcome::Unknown => None,
    };
    let at = since.unwrap_or(now).max(before.since_at);
    let transition = Transition {
        website_id: website.website_id,
        at,
        decided_at: now,
        from: before.verdict,
        to: verdict,
        reason: reason.clone(),
    };
    let state = WebsiteState { verdict, since_at: at, reason, fresh_until_at, ..before.clone() };
    (state, Some(transition))
}

/// The verdict after its last fresh tick grew too old: unknown, backdated to that instant (P5). `None`: it still holds.
#[must_use]
pub fn expire(before: &WebsiteState, now: UtcMs) -> Option<(WebsiteState, Option<Transition>)> {
    let at = before.fresh_until_at.filter(|until| *until < now)?.max(before.since_at);
    let reason = match before.verdict {
        // Somebody did look: only its flapping had to be looked at again.
        Outcome::Unknown if before.flapping_since_at.is_some() => before.reason.clone(),
        Outcome::Unknown => explain::UNLOOKED.to_owned(),
        Outcome::Up | Outcome::Degraded | Outcome::Down => explain::SILENT.to_owned(),
    };
    let (website_id, from, to) = (before.website_id, before.verdict, Outcome::Unknown);
    let changes = from != to;
    let transition = changes.then(|| Transition { website_id, at, decided_at: now, from, to, reason: reason.clone() });
    let since_at = if changes { at } else { before.since_at };
    Some((WebsiteState { verdict: to, since_at, reason, fresh_until_at: None, ..before.clone() }, transition))
}

/// When the outage began: with the first tick of the failing runs that belong together. A region that failed alone for
/// hours before is not when the website went down.
fn outage_since(settings: &WebsiteSettings, down: &[&RegionState], before: &WebsiteState) -> Option<UtcMs> {
    let began = |r: &&RegionState| match r.failing_since_at {
        Some(at) if before.verdict != Outcome::Unknown || at >= before.since_at => Some(at),
        // It failed before nobody looked, too; what nobody saw stays unknown.
        Some(_) | None => Some(run_since(settings, r, before, |t| t.outcome == r.outcome)),
    };
    let latest = down.iter().filter_map(began).max()?;
    let one_round_ms = settings.interval_ms + settings.timeout_ms;
    down.iter().filter_map(began).filter(|at| *at >= latest - one_round_ms).min()
}

/// The last good look from a region that does not vote down: while somebody saw it up, it was not down for all. A
/// region that failed alone for hours and is alone now does not make those hours an outage.
fn last_good_elsewhere(regions: &[RegionState], down: &[&RegionState]) -> Option<UtcMs> {
    let others = regions.iter().filter(|r| down.iter().all(|d| d.region_id != r.region_id));
    // With two regions or more down, the majority decides; one region's good looks do not move its beginning.
    others.filter(|_| down.len() == 1).filter_map(|r| r.recent.iter().find(|t| is_good(t))).map(|t| t.slot_at).max()
}

/// Since when a region has been up: with its first good look; or, where it was degraded, its first one that was well.
fn up_since(settings: &WebsiteSettings, region: &RegionState, before: &WebsiteState) -> UtcMs {
    match before.verdict {
        Outcome::Degraded => run_since(settings, region, before, |t| t.outcome == region.outcome),
        Outcome::Up | Outcome::Down | Outcome::Unknown => run_since(settings, region, before, is_good),
    }
}

/// Since when a region has been degraded: with the first of its slow looks, or of the warnings in a row.
fn degraded_since(settings: &WebsiteSettings, region: &RegionState, before: &WebsiteState) -> UtcMs {
    let slow = region.recent.iter().filter(|t| is_slow(t, settings));
    if slow.clone().count() < SLOW_LOOKS_LEFT {
        return run_since(settings, region, before, |t| t.outcome == Outcome::Degraded);
    }
    let good_since = run_since(settings, region, before, is_good);
    slow.map(|t| t.slot_at).filter(|at| *at >= good_since).min().unwrap_or(good_since)
}

/// Slot of the first tick of the run of like looks a region is in, as far as the recent ticks tell: without gaps in which
/// nobody looked. What it could not tell in between does not break the run. After a time of blindness only ticks since
/// then count: it must stay visible (I6).
fn run_since(
    settings: &WebsiteSettings,
    region: &RegionState,
    before: &WebsiteState,
    is_like: impl Fn(&RecentTick) -> bool,
) -> UtcMs {
    let mut since = None;
    for tick in region.recent.iter().filter(|t| t.outcome != Outcome::Unknown).take_while(|t| is_like(t)) {
        let is_gap = since.is_some_and(|since: UtcMs| since.saturating_sub(tick.slot_at) > stale_after_ms(settings));
        if is_gap || (before.verdict == Outcome::Unknown && tick.slot_at < before.since_at) {
            break;
        }
        since = Some(tick.slot_at);
    }
    since.unwrap_or(region.slot_at)
}

#[cfg(test)]
mod tests;
