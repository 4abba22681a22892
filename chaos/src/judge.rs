//! Counts what came of every check that was due, from what the database, the websites and the dead letters say. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use hub::model::slots;

use crate::fault::{Harm, Outage};
use crate::target::{Manner, Request};
use crate::world::{Place, Website};

/// After what is away is back, so long may slots still be missed (P11).
const BACK_MS: i64 = 15_000;
/// Slots of the moments before an outage are part of it.
const BEFORE_MS: i64 = 2_000;
/// A clock that was set back gives its slots other names, a few milliseconds off.
const RENAMED_MS: i64 = 20;
/// How long after its slot a check may begin without counting as late; so long before it, it is no check of that slot.
const LATE_MS: i64 = 1_000;

/// A stored tick of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Number of the place.
    pub place: usize,
    /// The slot.
    pub slot_at: i64,
    /// When its check began.
    pub started_at: i64,
}

/// A check that a worker put away unrun, or a tick that a hub would not store, kept as a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Letter {
    /// Number of the website.
    pub website: usize,
    /// Number of the region.
    pub region: usize,
    /// When Redis got the check, or the slot of the tick.
    pub published_at: i64,
}

/// A change of verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Number of the website.
    pub website: usize,
    /// When it was decided.
    pub decided_at: i64,
    /// To what.
    pub to: String,
}

/// What there is to count.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// Ticks of slots.
    pub rows: Vec<Row>,
    /// Requests at the websites.
    pub requests: Vec<Request>,
    /// Dead letters about checks and ticks.
    pub letters: Vec<Letter>,
    /// Changes of verdicts.
    pub changes: Vec<Change>,
}

/// A slot without a tick for which there is no excuse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// The website's number.
    pub website: usize,
    /// The region's number.
    pub region: usize,
    /// The slot.
    pub slot_at: i64,
    /// Where it was last seen.
    pub seen: Seen,
}

/// Where a check without a tick was last seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// At the website, at this instant: the tick was lost.
    Asking(i64),
    /// Nowhere: the check was lost.
    Nowhere,
    /// Two regions ask this website, and nobody can tell whose requests came.
    Unclear,
}

/// What came of the slots of a span.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Count {
    /// Slots that were due.
    pub expected: u64,
    /// Those with a tick.
    pub stored: u64,
    /// Ticks beyond one for a slot: under a name of their own, since the key forbids two under one.
    pub doubled: u64,
    /// Requests beyond one for a slot: a check whose worker died was done again.
    pub repeated: u64,
    /// Slots missed by design: no tick, an outage or a dead letter that explains it.
    pub missed: u64,
    /// Of these, with a dead letter.
    pub put_away: u64,
    /// Ticks whose check began more than a second after its slot.
    pub late: u64,
    /// Slots without a tick and without an excuse.
    pub lost: Vec<Lost>,
    /// Checks that began after their deadline (I8).
    pub stale: u64,
    /// Checks that began before their slot: a hub's clock was ahead.
    pub early: u64,
    /// Websites that were asked more than twice as often as configured, in any stretch of one interval (I8).
    pub crowded: BTreeSet<usize>,
    /// Healthy websites that were said to be down (I5).
    pub false_downs: BTreeSet<usize>,
    /// Begin of checks after their slot, in milliseconds, sorted.
    pub lateness_ms: Vec<i64>,
}

impl Count {
    /// Lateness that this share of the checks did not exceed, in milliseconds.
    #[must_use]
    pub fn lateness_at(&self, share: f64) -> i64 {
        let last = self.lateness_ms.len().saturating_sub(1);
        self.lateness_ms.get((last as f64 * share).round() as usize).copied().unwrap_or(0)
    }

    /// What is against the invariants, in words.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let mut problems: Vec<String> = self.lost.iter().take(20).map(|lost| format!("I1 lost: {lost}")).collect();
        if self.doubled > 0 {
            problems.push(format!("I2 doubled ticks: {}", self.doubled));
        }
        if !self.false_downs.is_empty() {
            problems.push(format!("I5 healthy websites said to be down: {:?}", self.false_downs));
        }
        if self.early > 0 {
            problems.push(format!("T203 checks begun before their slot: {}", self.early));
        }
        if self.stale > 0 {
            problems.push(format!("I8 checks begun after their deadline: {}", self.stale));
        }
        if !self.crowded.is_empty() {
            problems.push(format!("I8 websites asked more than twice as often as configured: {:?}", self.crowded));
        }
        problems
    }

    /// Adds another count.
    pub fn add(&mut self, other: &Self) {
        self.expected += other.expected;
        self.stored += other.stored;
        self.doubled += other.doubled;
        self.repeated += other.repeated;
        self.missed += other.missed;
        self.put_away += other.put_away;
        self.late += other.late;
        self.lost.extend(other.lost.iter().cloned());
        self.stale += other.stale;
        self.early += other.early;
        self.crowded.extend(&other.crowded);
        self.false_downs.extend(&other.false_downs);
        self.lateness_ms.extend(&other.lateness_ms);
        self.lateness_ms.sort_unstable();
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "website {} region {} slot {}: ", self.website, self.region, self.slot_at)?;
        match self.seen {
            Seen::Asking(at) => write!(f, "asked {} ms after it, tick not stored", at - self.slot_at),
            Seen::Nowhere => f.write_str("never asked"),
            Seen::Unclear => f.write_str("no tick"),
        }
    }
}

/// Counts the slots from `from` to before `to`.
#[must_use]
pub fn judge(
    websites: &[Website],
    places: &[Place],
    (from, to): (i64, i64),
    outages: &[Outage],
    evidence: &Evidence,
) -> Count {
    let mut count = Count::default();
    let mut by_place: BTreeMap<usize, BTreeMap<i64, i64>> = BTreeMap::new();
    for row in &evidence.rows {
        // By a hub whose clock was ahead. It is none of that slot, for which somebody has to look in its time.
        if row.started_at < row.slot_at - LATE_MS {
            count.early += u64::from((from..to).contains(&row.slot_at));
            continue;
        }
        by_place.entry(row.place).or_default().insert(row.slot_at, row.started_at);
    }
    let mut asked: Vec<Vec<i64>> = vec![Vec::new(); websites.len()];
    for request in &evidence.requests {
        if let Some(times) = asked.get_mut(request.website) {
            times.push(request.at);
        }
    }
    asked.iter_mut().for_each(|times| times.sort_unstable());
    let none = BTreeMap::new();
    for (n, place) in places.iter().enumerate() {
        let rows = by_place.get(&n).unwrap_or(&none);
        let website = &websites[place.website];
        let times = &asked[place.website];
        let mut slot_at = slots::next_slot_at(place.phase_ms, place.interval_ms, from);
        while slot_at < to {
            count.expected += 1;
            let within =
                times.partition_point(|t| *t < slot_at)..times.partition_point(|t| *t < slot_at + place.interval_ms);
            // Who asked cannot be told where two regions ask.
            let requests = &times[within];
            if website.region.is_some() && website.manner != Manner::Scripted {
                count.repeated += (requests.len() as u64).saturating_sub(1);
            }
            let found: Vec<i64> = rows.range(slot_at..=slot_at + RENAMED_MS).map(|(_, started)| *started).collect();
            match found.first() {
                Some(started_at) => {
                    count.stored += 1;
                    count.doubled += found.len() as u64 - 1;
                    let late_ms = started_at - slot_at;
                    count.lateness_ms.push(late_ms);
                    count.late += u64::from(late_ms > LATE_MS);
                    count.stale += u64::from(*started_at > slots::deadline_at(slot_at, place.interval_ms) + 1_000);
                }
                None if evidence.letters.iter().any(|letter| is_about(letter, place, slot_at)) => {
                    count.missed += 1;
                    count.put_away += 1;
                }
                None if outages.iter().any(|outage| excuses(outage, place, slot_at)) => count.missed += 1,
                None => count.lost.push(Lost {
                    website: place.website,
                    region: place.region,
                    slot_at,
                    seen: match (website.region, requests.first()) {
                        (Some(_), Some(at)) => Seen::Asking(*at),
                        (Some(_), None) => Seen::Nowhere,
                        (None, _) => Seen::Unclear,
                    },
                }),
            }
            slot_at += place.interval_ms;
        }
    }
    count.crowded = crowded(websites, &asked, (from, to));
    let downs = evidence.changes.iter().filter(|change| change.to == "down" && (from..to).contains(&change.decided_at));
    let healthy = downs.map(|change| change.website).filter(|n| websites[*n].manner != Manner::Scripted);
    count.false_downs = healthy.collect();
    count.lateness_ms.sort_unstable();
    count
}

/// Whether a letter may be about the check of a slot: a check is published at its slot or a little later.
fn is_about(letter: &Letter, place: &Place, slot_at: i64) -> bool {
    letter.website == place.website
        && letter.region == place.region
        && (slot_at - 50..slot_at + place.interval_ms).contains(&letter.published_at)
}

/// Whether an outage explains that a slot has no tick.
fn excuses(outage: &Outage, place: &Place, slot_at: i64) -> bool {
    let Outage { from, back, harm } = *outage;
    let lasts = |before_ms: i64| (from - before_ms..=back + BACK_MS).contains(&slot_at);
    match harm {
        Harm::Nothing => false,
        Harm::Standstill => back - from > slots::grace_ms(place.interval_ms) && lasts(BEFORE_MS),
        Harm::Forgotten => lasts(place.interval_ms),
        Harm::RegionSilent(region) => region == place.region && lasts(place.interval_ms),
    }
}

/// Websites asked more than twice as often as configured, in any stretch of one interval. Not counted: a check that is
/// repeated just before the next one is due, since that is no third one but for some milliseconds.
fn crowded(websites: &[Website], asked: &[Vec<i64>], (from, to): (i64, i64)) -> BTreeSet<usize> {
    let is_crowded = |(website, times): (&Website, &Vec<i64>)| {
        let regions = if website.region.is_some() { 1 } else { crate::world::REGIONS.len() };
        let most = 2 * regions;
        let times: Vec<i64> = times.iter().copied().filter(|t| (from..to).contains(t)).collect();
        website.manner != Manner::Scripted
            && times.windows(most + 1).any(|w| w[most] - w[0] < website.interval_ms * 9 / 10)
    };
    let all = websites.iter().zip(asked).enumerate();
    all.filter(|(_, both)| is_crowded(*both)).map(|(n, _)| n).collect()
}

#[cfg(test)]
mod tests {
    use hub::model::WebsiteId;

    use super::*;

    const AT: i64 = 1_000_000;

    fn setting() -> (Vec<Website>, Vec<Place>) {
        let id = WebsiteId(uuid::Uuid::nil());
        let website = Website { id, manner: Manner::Well, interval_ms: 10_000, region: Some(0) };
        (vec![website], vec![Place { website: 0, region: 0, interval_ms: 10_000, phase_ms: 2_000 }])
    }

    fn count(rows: &[(i64, i64)], requests: &[i64], outages: &[Outage], letters: &[Letter]) -> Count {
        let (websites, places) = setting();
        let evidence = Evidence {
            rows: rows
                .iter()
                .map(|(slot, started)| Row { place: 0, slot_at: AT + slot, started_at: AT + started })
                .collect(),
            requests: requests.iter().map(|at| Request { website: 0, at: AT + at }).collect(),
            letters: letters.to_vec(),
            changes: vec![Change { website: 0, decided_at: AT + 5_000, to: "down".into() }],
        };
        judge(&websites, &places, (AT, AT + 30_000), outages, &evidence)
    }

    #[test]
    fn a_slot_without_a_tick_is_lost_unless_something_explains_it() {
        let rows = [(2_000, 2_010), (22_000, 24_000)];
        let found = count(&rows, &[2_011, 12_400, 24_001], &[], &[]);
        assert_eq!((found.expected, found.stored, found.late, found.missed), (3, 2, 1, 0));
        assert_eq!(found.lost[0].seen, Seen::Asking(AT + 12_400));
        assert_eq!(found.problems().len(), 2, "{:?}", found.problems());

        let letter = Letter { website: 0, region: 0, published_at: AT + 12_003 };
        let found = count(&rows, &[], &[], &[letter]);
        assert_eq!((found.missed, found.put_away, found.lost.len()), (1, 1, 0));

        let outage = |from, back, harm| Outage { from: AT + from, back: AT + back, harm };
        for (outage, lost) in [
            (outage(11_000, 13_000, Harm::Standstill), 1), // shorter than a slot may be late
            (outage(1_000, 9_000, Harm::Standstill), 0),
            (outage(12_500, 19_000, Harm::Standstill), 0),
            (outage(15_000, 25_000, Harm::Standstill), 1),
            (outage(18_000, 18_100, Harm::Forgotten), 0),
            (outage(8_000, 13_000, Harm::RegionSilent(1)), 1),
            (outage(8_000, 13_000, Harm::Nothing), 1),
        ] {
            assert_eq!(count(&rows, &[], &[outage], &[]).lost.len(), lost, "{outage:?}");
        }
    }

    #[test]
    fn two_names_of_a_slot_and_more_requests_than_slots_are_counted() {
        let rows = [(2_000, 2_001), (2_001, 2_002), (12_000, 23_500), (22_000, 22_000)];
        let found = count(&rows, &[2_001, 2_002, 2_900, 22_000], &[], &[]);
        assert_eq!((found.doubled, found.repeated, found.stale), (1, 2, 1));
        assert_eq!(found.crowded, BTreeSet::from([0]));
        assert_eq!(found.false_downs, BTreeSet::from([0]));
        assert_eq!((found.lateness_at(0.0), found.lateness_at(1.0)), (0, 11_500));
    }
}
