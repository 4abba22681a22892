//! A website that changes between up and down again and again: each change is recorded, and none of them is news.
//! Pure, over instants at which verdicts hold, which are the same in whatever order ticks arrive (I9).
//!
//! Two thresholds far apart, so that what is near one of them makes no chatter (T247): it flaps from the sixth change
//! within an hour on, and until two at most are left in the hour.

use super::{Notice, Outcome, Transition, UtcMs, WebsiteState};

const HOUR_MS: i64 = 3_600_000;
/// An hour is too short for what is looked at every ten minutes.
const INTERVALS: i64 = 20;
/// It flaps from so many changes within the window on: three outages and three recoveries were told by then.
pub const BEGINS_AT: usize = 6;
/// It ceases when so many are left in the window.
pub const ENDS_AT: usize = 2;

/// So long, and [`STAYS_DOWN_INTERVALS`], is one that flaps down until its outage is no longer one change among others: the
/// window would keep it quiet for an hour, or, of what is looked at once a day, for three weeks.
const STAYS_DOWN_MS: i64 = 15 * 60_000;
/// See [`STAYS_DOWN_MS`].
const STAYS_DOWN_INTERVALS: i64 = 3;

/// Whether nobody is told of an outage since it flaps (T246): until it has stayed down.
#[must_use]
pub fn mutes(verdict: Outcome, since_at: UtcMs, interval_ms: i64, now: UtcMs) -> bool {
    let stays_ms = interval_ms.saturating_mul(STAYS_DOWN_INTERVALS).max(STAYS_DOWN_MS);
    verdict != Outcome::Down || now.saturating_sub(since_at) < stays_ms
}

/// For so long changes are counted.
#[must_use]
pub fn window_ms(interval_ms: i64) -> i64 {
    interval_ms.saturating_mul(INTERVALS).max(HOUR_MS)
}

/// When it ceases to flap unless it changes again; `None`: it does not flap.
#[must_use]
pub fn ends_at(state: &WebsiteState, interval_ms: i64) -> Option<UtcMs> {
    let since_at = state.flapping_since_at?;
    let oldest_that_matters = state.recent_changes.get(ENDS_AT).copied().unwrap_or(since_at);
    Some(oldest_that_matters.saturating_add(window_ms(interval_ms)))
}

/// Takes note of a change of verdict, which `state` has already; tells when it flaps from now on. Only changes between
/// up (or degraded) and down count: not to know is not to change.
pub fn count(state: &mut WebsiteState, change: &Transition, interval_ms: i64) -> Option<Notice> {
    let is_up = |verdict| match verdict {
        Outcome::Up | Outcome::Degraded => Some(true),
        Outcome::Down => Some(false),
        Outcome::Unknown => None,
    };
    let (from, to) = (is_up(change.from)?, is_up(change.to)?);
    if from == to {
        return None;
    }
    state.recent_changes.insert(0, change.at);
    state.recent_changes.truncate(WebsiteState::CHANGES);
    let window_ms = window_ms(interval_ms);
    let recent = state.recent_changes.iter().filter(|at| **at > change.at.saturating_sub(window_ms)).count();
    if state.flapping_since_at.is_some() || recent < BEGINS_AT {
        return None;
    }
    state.flapping_since_at = Some(change.at);
    let reason = format!("It changed between up and down {recent} times within {}.", minutes(window_ms));
    Some(Notice::Flapping { website_id: state.website_id, at: change.at, is_flapping: true, reason })
}

/// Ends it when few enough changes are left in the window as of `now`, backdated to when that was so.
pub fn end(state: &mut WebsiteState, interval_ms: i64, now: UtcMs) -> Option<Notice> {
    let at = ends_at(state, interval_ms).filter(|at| *at <= now)?;
    state.flapping_since_at = None;
    let holds = match state.verdict {
        Outcome::Up => "It is up now",
        Outcome::Degraded => "It is up now, though degraded",
        Outcome::Down => "It is down now",
        Outcome::Unknown => "Nobody can tell how it is now",
    };
    let within = minutes(window_ms(interval_ms));
    let reason = format!("It has changed between up and down no more than {ENDS_AT} times in {within}. {holds}.");
    Some(Notice::Flapping { website_id: state.website_id, at, is_flapping: false, reason })
}

fn minutes(ms: i64) -> String {
    match ms / 60_000 {
        minutes @ ..=119 => format!("{minutes} min"),
        minutes => format!("{} h", minutes / 60),
    }
}

#[cfg(test)]
mod tests;
