//! Counts what came of every check that was due, from what the database, the websites and the dead letters say. Pure, and
//! strict: what is not explained by a rule in `excuse` is against the invariants.

mod count;
mod evidence;
mod excuse;
mod requests;
mod verdicts;

use std::collections::{BTreeMap, BTreeSet};

use hub::model::slots;

use self::excuse::{Trace, excuses, explains_letter, explains_repeat};
use self::requests::{Asked, HUB_MS, LATE_MS, SKEW_MS, crowded, pair};
use crate::target::Manner;
use crate::world::{Place, TIMEOUT_MS};

pub use self::count::{Count, Lost, Seen};
pub use self::evidence::{About, Case, Change, Evidence, Letter, Row};
pub use self::excuse::BACK_MS;
pub use self::verdicts::{CLOSED_AFTER_MS, unseen};

/// A deadline is a span that begins anew in Redis: by so much may it end later.
const DEADLINE_MS: i64 = 1_000;

/// Counts the slots of a span.
#[must_use]
pub fn judge(case: &Case<'_>, evidence: &Evidence) -> Count {
    let mut count = Count::default();
    let asked = requests_of(case, evidence);
    let pairs: Vec<Asked> = (0..case.websites.len())
        .map(|n| {
            let rows: Vec<&Row> = evidence.rows.iter().filter(|row| case.places[row.place].website == n).collect();
            let from: Vec<i64> = rows.iter().map(|row| earliest(case, row, evidence.shift_ms)).collect();
            pair(&asked[n], &rows, &from, case.websites[n].interval_ms)
        })
        .collect();
    let mut letters: BTreeMap<(usize, i64), &str> = BTreeMap::new();
    for letter in &evidence.letters {
        let slot_at = letter.place.and_then(|n| slot_of_letter(&case.places[n], letter.about));
        if let (Some(place), Some(slot_at)) = (letter.place, slot_at) {
            letters.insert((place, slot_at), &letter.kind);
        }
        let is_explained = is_of_age(&letter.kind)
            && letter.place.zip(slot_at).is_some_and(|(place, slot_at)| {
                case.outages.iter().any(|outage| explains_letter(outage, &case.places[place], slot_at))
            });
        if letter.is_new && !is_explained {
            let place = letter.place.map(|n| &case.places[n]);
            let of = place.map_or_else(String::new, |p| format!(" of website {} region {}", p.website, p.region));
            count.letters.push(format!("{}{of}, {:?}", letter.kind, letter.about));
        }
    }
    let of_slots = sort_rows(case, evidence, &pairs, &mut count);
    for (n, place) in case.places.iter().enumerate() {
        let website = &case.websites[place.website];
        let others = &pairs[place.website].others;
        let mut slot_at = slots::next_slot_at(place.phase_ms, place.interval_ms, case.span.0);
        while slot_at < case.span.1 {
            count.expected += 1;
            let began = of_slots.get(&(n, slot_at)).map_or(&[][..], Vec::as_slice);
            let letter = letters.get(&(n, slot_at)).copied();
            let first_other = others.iter().copied().find(|at| slot_before(place, *at) == slot_at);
            if let Some(began_at) = began.iter().min() {
                let late_ms = began_at - slot_at;
                count.stored += 1;
                count.doubled += began.len() as u64 - 1;
                count.lateness_ms.push(late_ms);
                count.late += u64::from(late_ms > LATE_MS);
            } else {
                let asking = first_other.filter(|_| website.region.is_some());
                let trace = Trace { is_asked: asking.is_some(), is_put_away: letter.is_some_and(is_of_age) };
                if case.outages.iter().any(|outage| excuses(outage, place, slot_at, trace)) {
                    count.missed += 1;
                    count.put_away += u64::from(letter.is_some());
                } else {
                    let seen = match (letter, website.region, asking) {
                        (Some(kind), _, _) => Seen::PutAway(kind.to_owned()),
                        (None, Some(_), Some(at)) => Seen::Asking(at),
                        (None, Some(_), None) => Seen::Nowhere,
                        (None, None, _) => Seen::Unclear,
                    };
                    count.lost.push(Lost { website: place.website, region: place.region, slot_at, seen });
                }
            }
            slot_at += place.interval_ms;
        }
    }
    count_repeats(case, &pairs, &of_slots, &mut count);
    let by_schedule: Vec<Vec<i64>> = (0..asked.len())
        .map(|n| {
            let rows = evidence.rows.iter().filter(|row| case.places[row.place].website == n);
            let asides: BTreeSet<i64> =
                rows.zip(&pairs[n].of).filter(|(r, _)| !r.is_scheduled).filter_map(|(_, at)| *at).collect();
            asked[n].iter().copied().filter(|at| !asides.contains(at)).collect()
        })
        .collect();
    count.crowded = crowded(case, &by_schedule);
    count.false_downs = verdicts::false_downs(case, &evidence.changes);
    count.false_unknowns = verdicts::false_unknowns(case, evidence);
    count.lateness_ms.sort_unstable();
    count
}

/// When the check of a row may have begun.
fn earliest(case: &Case<'_>, row: &Row, shift_ms: i64) -> i64 {
    if !row.is_scheduled {
        return i64::MIN;
    }
    let place = &case.places[row.place];
    slots::next_slot_at(place.phase_ms, place.interval_ms, row.slot_at - shift_ms) - HUB_MS
}

/// Requests by website, sorted.
fn requests_of(case: &Case<'_>, evidence: &Evidence) -> Vec<Vec<i64>> {
    let mut asked: Vec<Vec<i64>> = vec![Vec::new(); case.websites.len()];
    for request in &evidence.requests {
        if let Some(times) = asked.get_mut(request.website) {
            times.push(request.at);
        }
    }
    asked.iter_mut().for_each(|times| times.sort_unstable());
    asked
}

/// When the checks of each place and slot began; what belongs to none is counted.
fn sort_rows(
    case: &Case<'_>,
    evidence: &Evidence,
    pairs: &[Asked],
    count: &mut Count,
) -> BTreeMap<(usize, i64), Vec<i64>> {
    let mut of_slots: BTreeMap<(usize, i64), Vec<i64>> = BTreeMap::new();
    let mut next = vec![0_usize; pairs.len()];
    let known_from = evidence.requests.iter().map(|request| request.at).min().unwrap_or(i64::MAX);
    for row in &evidence.rows {
        let place = &case.places[row.place];
        let own = pairs[place.website].of[next[place.website]];
        next[place.website] += 1;
        if !row.is_scheduled {
            continue;
        }
        let slot_at = slots::next_slot_at(place.phase_ms, place.interval_ms, row.slot_at - evidence.shift_ms);
        if slot_at > row.slot_at {
            count.stray += u64::from(row.is_new);
            continue;
        }
        // The website's clock is ours. It is none of that slot, for which somebody has to look in its time.
        let is_early = match own {
            Some(at) => at < slot_at - HUB_MS,
            None => row.started_at < slot_at - SKEW_MS,
        };
        if is_early {
            count.early += u64::from(row.is_new);
            continue;
        }
        let is_scripted = case.websites[place.website].manner == Manner::Scripted;
        let had_to_come = row.is_up && !is_scripted && row.started_at > known_from + SKEW_MS;
        count.invented += u64::from(own.is_none() && had_to_come && row.is_new);
        let is_right = |at: i64| (at - TIMEOUT_MS - SKEW_MS..=at + SKEW_MS).contains(&row.started_at);
        count.misdated += u64::from(row.is_new && own.is_some_and(|at| !is_right(at)));
        let began_at = own.unwrap_or(row.started_at);
        let is_stale = began_at > slots::deadline_at(slot_at, place.interval_ms) + DEADLINE_MS;
        count.stale += u64::from(is_stale && row.is_new);
        of_slots.entry((row.place, slot_at)).or_default().push(began_at);
    }
    of_slots
}

/// Requests that are no tick's, but for the one of a slot without any.
fn count_repeats(case: &Case<'_>, pairs: &[Asked], of_slots: &BTreeMap<(usize, i64), Vec<i64>>, count: &mut Count) {
    for (n, place) in case.places.iter().enumerate() {
        let website = &case.websites[place.website];
        // First and second looks at a website that fails are requests, too.
        if website.region.is_none() || website.manner == Manner::Scripted {
            continue;
        }
        let mut before = None;
        for at in pairs[place.website].others.iter().copied().filter(|at| case.has(*at)) {
            let slot_at = slot_before(place, at);
            let is_first = before.replace(slot_at) != Some(slot_at) && !of_slots.contains_key(&(n, slot_at));
            if is_first {
                continue;
            }
            count.repeated += 1;
            if !case.outages.iter().any(|outage| explains_repeat(outage, at)) {
                count.needless.push((place.website, at));
            }
        }
    }
}

/// The newest slot at an instant, by a hub.
fn slot_before(place: &Place, at: i64) -> i64 {
    slots::next_slot_at(place.phase_ms, place.interval_ms, at + HUB_MS + 1) - place.interval_ms
}

/// The slot a dead letter is about. A check gets to Redis at its slot or, within its grace, later.
fn slot_of_letter(place: &Place, about: About) -> Option<i64> {
    match about {
        About::Tick(slot_at) | About::Check(slot_at) => Some(slot_before(place, slot_at)),
        About::Unknown => None,
    }
}

/// Whether a dead letter says that a check waited, or was tried, for too long: what a fault can make of a good check.
fn is_of_age(kind: &str) -> bool {
    matches!(kind, "expired" | "max_deliveries")
}

#[cfg(test)]
mod tests;
