//! Up or down, and why: pure rules over what the regions last saw (P4, P5). No clock; `now` is an argument.
//!
//! Down: more than half of the regions that report agree, and at least two of them while two or more report. One
//! region alone: three failing looks in a row. Up again: two good looks per region, then the same rule. A region
//! without a fresh tick has no vote, nor has one whose trouble is its own (I5); but a good word it gave shortly before
//! stands, so that one hiccup of ours does not leave the decision to a region that fails alone.

use std::fmt::Write as _;

use super::region::CLOCK_ERROR_MS;
use super::{
    Blame, Confirm, Outcome, RecentTick, RegionState, StoredTick, Transition, UtcMs, Website, WebsiteSettings,
    WebsiteState, backoff,
};

/// Failing looks in a row that count, when one region is all there is.
const SINGLE_VANTAGE_LOOKS: u16 = 3;
/// Good looks in a row until a failing region counts as good again.
const GOOD_LOOKS: u16 = 2;
/// Second looks per slot.
const MAX_ATTEMPT: u16 = 2;

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
        certificate_not_after_at: seen
            .certificate
            .as_ref()
            .map(|c| c.not_after_at)
            .or(before.and_then(|b| b.certificate_not_after_at)),
        recent: std::iter::once(newest).chain(older.iter().copied()).take(RegionState::RECENT).collect(),
    })
}

fn is_targets_fault(failure: Option<&super::Failure>) -> bool {
    failure.is_none_or(|f| f.blame == Blame::Target)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Vote {
    Up,
    Degraded,
    Down,
    /// Reports, but its trouble is its own, and has been for a while.
    Abstains,
    /// Has not reported lately.
    Silent,
}

fn vote(region: &RegionState, website: &Website, now: UtcMs) -> Vote {
    let stale_ms = stale_after_ms(&website.settings);
    if !website.settings.watches_from(&region.region_id) || now.saturating_sub(region.received_at) > stale_ms {
        return Vote::Silent;
    }
    match region.outcome {
        Outcome::Down if is_targets_fault(region.failure.as_ref()) => Vote::Down,
        Outcome::Down | Outcome::Unknown => match good_word(region) {
            Some(word) if now.saturating_sub(word.slot_at) > stale_ms => Vote::Abstains,
            Some(word) if word.outcome == Outcome::Degraded => Vote::Degraded,
            Some(_) => Vote::Up,
            None => Vote::Abstains,
        },
        Outcome::Up | Outcome::Degraded if region.failing_since_at.is_some() => Vote::Down,
        Outcome::Up => Vote::Up,
        Outcome::Degraded => Vote::Degraded,
    }
}

/// The last tick that said something about the website, when it was a good one and no failing run is open. A failing
/// word does not stand: what failed just before the region's own trouble showed may have been that trouble (I5).
fn good_word(region: &RegionState) -> Option<&RecentTick> {
    let word = region.recent.iter().find(|t| t.outcome != Outcome::Unknown)?;
    let is_good = match word.outcome {
        Outcome::Up | Outcome::Degraded => region.failing_since_at.is_none(),
        Outcome::Down | Outcome::Unknown => false,
    };
    is_good.then_some(word)
}

/// Until when a region's vote stands without a new tick.
fn stands_until(region: &RegionState, settings: &WebsiteSettings) -> UtcMs {
    let said_at = match region.outcome {
        Outcome::Down if is_targets_fault(region.failure.as_ref()) => region.received_at,
        Outcome::Up | Outcome::Degraded => region.received_at,
        Outcome::Down | Outcome::Unknown => good_word(region).map_or(region.received_at, |word| word.slot_at),
    };
    said_at.saturating_add(stale_after_ms(settings))
}

/// Until when a verdict stands by what the regions last said: what [`judge`] says after a tick, also later. `None`: no
/// region has a voice. What was received after `now` was stamped by a clock that has been set back since (T201).
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
    let mut voters: Vec<(&RegionState, Vote)> = regions.iter().map(|r| (r, vote(r, website, now))).collect();
    voters.sort_by(|a, b| a.0.region_id.cmp(&b.0.region_id));
    let with = |wanted: Vote| voters.iter().filter(move |(_, v)| *v == wanted).map(|(r, _)| *r).collect::<Vec<_>>();
    let (down, degraded, up) = (with(Vote::Down), with(Vote::Degraded), with(Vote::Up));
    let reporting = down.len() + degraded.len() + up.len();

    let verdict = match (reporting, down.as_slice()) {
        (0, _) => Outcome::Unknown,
        (1, [only]) if only.failing_streak >= SINGLE_VANTAGE_LOOKS => Outcome::Down,
        // Not enough looks yet, or not enough good ones: what held before holds.
        (1, [_]) => before.verdict,
        (_, down) if down.len() >= 2 && 2 * down.len() > reporting => Outcome::Down,
        // An outage that as many say goes on as say is over goes on, while they are enough to have called it one.
        _ if before.verdict == Outcome::Down && down.len() >= 2 && 2 * down.len() >= reporting => Outcome::Down,
        _ if degraded.len() > up.len() => Outcome::Degraded,
        _ => Outcome::Up,
    };
    let reason = explain(verdict, &voters, reporting);
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
        Outcome::Up => up.iter().filter_map(|r| run_since(settings, r, before)).max(),
        Outcome::Degraded => degraded.iter().filter_map(|r| run_since(settings, r, before)).max(),
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
        Outcome::Unknown => "no region reports on it; see that a probe runs",
        Outcome::Up | Outcome::Degraded | Outcome::Down => "no region has reported lately",
    };
    let reason = reason.to_owned();
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
        Some(_) | None => run_since(settings, r, before),
    };
    let latest = down.iter().filter_map(began).max()?;
    let one_round_ms = settings.interval_ms + settings.timeout_ms;
    down.iter().filter_map(began).filter(|at| *at >= latest - one_round_ms).min()
}

/// The last good look from a region that does not vote down: while somebody saw it up, it was not down for all. A
/// region that failed alone for hours and is alone now does not make those hours an outage.
fn last_good_elsewhere(regions: &[RegionState], down: &[&RegionState]) -> Option<UtcMs> {
    let others = regions.iter().filter(|r| down.iter().all(|d| d.region_id != r.region_id));
    let is_good = |t: &&RecentTick| matches!(t.outcome, Outcome::Up | Outcome::Degraded);
    // With two regions or more down, the majority decides; one region's good looks do not move its beginning.
    others.filter(|_| down.len() == 1).filter_map(|r| r.recent.iter().find(is_good)).map(|t| t.slot_at).max()
}

/// Slot of the first tick of the run of equal outcomes a region is in, as far as the recent ticks tell: without gaps in
/// which nobody looked. After a time of blindness only ticks since then count: it must stay visible (I6).
fn run_since(settings: &WebsiteSettings, region: &RegionState, before: &WebsiteState) -> Option<UtcMs> {
    let mut since = region.slot_at;
    for tick in region.recent.iter().take_while(|t| t.outcome == region.outcome) {
        let is_gap = since.saturating_sub(tick.slot_at) > stale_after_ms(settings);
        if is_gap || (before.verdict == Outcome::Unknown && tick.slot_at < before.since_at) {
            break;
        }
        since = tick.slot_at;
    }
    Some(since)
}

fn explain(verdict: Outcome, voters: &[(&RegionState, Vote)], reporting: usize) -> String {
    let names = |wanted: Vote| {
        let list: Vec<_> = voters.iter().filter(|(_, v)| *v == wanted).map(|(r, _)| r.region_id.as_str()).collect();
        list.join(", ")
    };
    let failing: Vec<_> = voters.iter().filter(|(_, v)| *v == Vote::Down).map(|(r, _)| *r).collect();
    let mut text = match (reporting, failing.as_slice()) {
        (0, _) => "no region reports".to_owned(),
        (_, []) if reporting == 1 => format!("answers {}", names(Vote::Up) + &names(Vote::Degraded)),
        (_, []) => format!("answers all {reporting} regions that report"),
        (1, [only]) => format!("fails for {}, {} looks in a row", only.region_id, only.failing_streak),
        (_, some) => format!("{} of {reporting} regions down", some.len()),
    };
    for region in &failing {
        if let Some(failure) = &region.failure {
            let _ = write!(text, "; {}: {} in {} ({})", region.region_id, failure.class, failure.phase, failure.detail);
        }
    }
    for (wanted, why) in [(Vote::Degraded, "degraded"), (Vote::Abstains, "cannot tell"), (Vote::Silent, "silent")] {
        let list = names(wanted);
        if !list.is_empty() {
            let _ = write!(text, "; {why}: {list}");
        }
    }
    match (verdict, reporting, failing.len()) {
        (_, 1, 1) => text.push_str("; rule: three looks in a row, single vantage point"),
        (Outcome::Down | Outcome::Up | Outcome::Degraded | Outcome::Unknown, _, 1..) => {
            text.push_str("; rule: more than half of reporting, at least two");
        }
        (Outcome::Down | Outcome::Up | Outcome::Degraded | Outcome::Unknown, _, 0) => {}
    }
    text
}

/// The second look a tick asks for, if any: a first failure is looked at from the other regions at once, or again from
/// the same place after a moment; a first good tick of a website that is down likewise. `after` is the verdict with
/// the tick counted in.
#[must_use]
pub fn confirm(
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
    let failing = vote(own, website, now) == Vote::Down && seen.outcome == Outcome::Down;
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
        .filter(|r| r.region_id != tick.region_id && matches!(vote(r, website, now), Vote::Up | Vote::Degraded))
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

#[cfg(test)]
mod tests;
