//! What was said about the websites, against what they were.

use std::collections::BTreeSet;

use super::evidence::{Case, Change, Evidence};
use super::excuse::{BACK_MS, blind};
use crate::fault::Harm;
use crate::target::Manner;
use crate::world::TIMEOUT_MS;

/// A website that is down for so long without a break in which nobody could look is said to be down: its next check, the
/// confirmation, and their ticks (P1, P4).
pub(super) const SEEN_AFTER_MS: i64 = 25_000;
/// The same of one that is up again and said to be down: two good checks (P4), and their ticks.
const ENDED_AFTER_MS: i64 = 30_000;
/// After a website is up again, so long may it take until that is said: two good rounds (P4), and the way.
pub const CLOSED_AFTER_MS: i64 = 45_000;
/// A shorter standstill makes no website unknown.
const NO_TIME_MS: i64 = 20_000;

/// Websites said to be down while they were not (I5).
#[must_use]
pub(super) fn false_downs(case: &Case<'_>, changes: &[Change]) -> BTreeSet<usize> {
    let is_false = |change: &&Change| {
        case.websites[change.website].manner != Manner::Scripted
            || !case.script.iter().any(|(down_at, up_at)| {
                // What was seen may be told only after the queue or the database is back.
                let told = blind(case.outages).filter(|(from, until)| from < up_at && *until >= *up_at - BACK_MS);
                let last = told.map(|(_, until)| until).fold(*up_at, i64::max).saturating_add(BACK_MS);
                (*down_at..=last).contains(&change.decided_at)
            })
    };
    changes.iter().filter(|c| c.is_new && c.to == "down").filter(is_false).map(|c| c.website).collect()
}

/// Websites said to be unknown though Redis had got a good tick of theirs that still counted (P5).
#[must_use]
pub(super) fn false_unknowns(case: &Case<'_>, evidence: &Evidence) -> BTreeSet<usize> {
    let is_false = |change: &&Change| {
        let fresh_ms = 2 * case.websites[change.website].interval_ms + TIMEOUT_MS + 15_000;
        let at = change.decided_at;
        let counts = evidence.rows.iter().any(|row| {
            case.places[row.place].website == change.website
                && row.is_up
                && (at - fresh_ms + 1_000..=at - 1_000).contains(&row.received_at)
        });
        // What Redis got may wait there for the database.
        let waits = case.outages.iter().any(|o| {
            matches!(o.harm, Harm::Standstill | Harm::Everything)
                && o.back - o.from > NO_TIME_MS
                && (o.from..=o.until + BACK_MS).contains(&at)
        });
        counts && !waits
    };
    let unknown = evidence.changes.iter().filter(|c| c.is_new && c.to == "unknown");
    unknown.filter(is_false).map(|change| change.website).collect()
}

/// Outages of the scripted websites: each that could be seen is one incident, and ends.
#[must_use]
pub fn unseen(case: &Case<'_>, changes: &[Change]) -> Vec<String> {
    let mut problems = Vec::new();
    let scripted = case.websites.iter().enumerate().filter(|(_, w)| w.manner == Manner::Scripted);
    for (website, _) in scripted {
        let of: Vec<&Change> = changes.iter().filter(|c| c.website == website).collect();
        for (down_at, up_at) in
            case.script.iter().filter(|(_, up_at)| up_at.saturating_add(CLOSED_AFTER_MS) <= case.span.1)
        {
            let until = up_at + CLOSED_AFTER_MS;
            let said: Vec<&str> =
                of.iter().filter(|c| (*down_at..until).contains(&c.decided_at)).map(|c| c.to.as_str()).collect();
            let times = said.iter().filter(|to| **to == "down").count();
            // One that was not known in between is told anew.
            let may_be_two = said.contains(&"unknown");
            let stands = of.iter().rfind(|c| c.decided_at < until).map(|c| c.to.as_str());
            let clear_ms = |from: i64, to: i64| longest_clear_ms(from, to, case);
            if times == 0 && clear_ms(*down_at, *up_at) >= SEEN_AFTER_MS {
                problems.push(format!("I6 an outage of website {website} at {down_at} was not seen"));
            }
            if times > 1 && !may_be_two {
                problems.push(format!("one outage of website {website} at {down_at} was {times} incidents"));
            }
            if stands == Some("down") && clear_ms(*up_at, until) >= ENDED_AFTER_MS {
                problems.push(format!("the outage of website {website} at {down_at} was not seen to end"));
            }
        }
    }
    problems
}

/// The longest stretch of a span in which we could look.
fn longest_clear_ms(from: i64, to: i64, case: &Case<'_>) -> i64 {
    let mut spans: Vec<(i64, i64)> = blind(case.outages).collect();
    spans.sort_unstable();
    let (mut longest, mut at) = (0, from);
    for (blind_from, blind_until) in spans {
        longest = longest.max(blind_from.min(to) - at);
        at = at.max(blind_until);
    }
    longest.max(to - at)
}
