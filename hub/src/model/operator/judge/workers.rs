//! What workers and the checks that wait for them say of regions: who is silent, who is blind, and what explains what.

use std::collections::BTreeMap;

use super::{
    FORGOTTEN_MS, Finding, HubReport, Known, SETTLED_MS, SILENT_MS, State, WatchedWorker, explained, holds_after,
};
use crate::model::message::words::lasting;
use crate::model::operator::Condition;
use crate::model::region::CLOCK_ERROR_MS;
use crate::model::{ClosedAs, NetworkState, RegionId, UtcMs, Worker, WorkerId};

/// A network that is cut off, or name servers that find nothing, for so long is worth a word.
const BLIND_MS: i64 = 60_000;
/// One that works for so long is back.
const WORKS_MS: i64 = 30_000;
/// A clock that is wrong by more (T198), for some signs of life: one that was held up on its way looks like one.
const CLOCK_MS: i64 = 60_000;
const CLOCK_FOR_MS: i64 = 15_000;
/// One that is wrong by less is right again.
const CLOCK_RIGHT_MS: i64 = 30_000;
/// Without anything thrown away for so long a flood is over.
const CALM_MS: i64 = 600_000;
/// A check that waits for so long: those of the shortest timeouts have run out.
const LAG_MS: i64 = 30_000;
const LAG_OVER_MS: i64 = 10_000;

/// In which way a worker does not see what it watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// By its canaries its network is cut off.
    CutOff,
    /// Its name servers find nothing.
    NoNames,
}

/// How a worker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    /// It has been heard of for a while.
    Alive,
    /// It is heard of again, or not for some moments; or its clock is no clock.
    Unclear,
    /// It ended without a word.
    Silent,
    /// It said that it stops.
    Stopped,
    /// It was neither heard of nor expected for a day.
    Forgotten,
}

impl WatchedWorker {
    /// `hears_since_at`: since when anybody listens.
    fn life(&self, hears_since_at: UtcMs, now: UtcMs) -> Life {
        if self.seen_at > now.saturating_add(CLOCK_ERROR_MS) {
            return Life::Unclear;
        }
        let gone_ms = now.saturating_sub(self.seen_at);
        if gone_ms < Worker::SILENT_AFTER_MS && self.stopped_at.is_none() {
            let is_settled = now.saturating_sub(self.alive_since_at) >= SETTLED_MS;
            return if is_settled { Life::Alive } else { Life::Unclear };
        }
        let silent_ms = now.saturating_sub(self.seen_at.max(hears_since_at));
        // After a weekend for which all of it was off it has its time to report, too.
        if gone_ms >= FORGOTTEN_MS && silent_ms >= SILENT_MS {
            return Life::Forgotten;
        }
        match (silent_ms >= SILENT_MS, self.stopped_at) {
            (false, _) => Life::Unclear,
            (true, Some(_)) => Life::Stopped,
            (true, None) => Life::Silent,
        }
    }

    /// Whether it is blind in this way. `None`: it is, or is not, not for long enough.
    fn is_blind(&self, way: Way, now: UtcMs) -> Option<bool> {
        let for_ms = now.saturating_sub(self.network_since_at);
        match (self.network, way) {
            // Of a worker from before an update nobody knows since when: its next sign of life begins it.
            (NetworkState::CutOff, Way::CutOff) | (NetworkState::NoNames, Way::NoNames)
                if self.network_since_at <= 0 =>
            {
                None
            }
            (NetworkState::CutOff, Way::CutOff) | (NetworkState::NoNames, Way::NoNames) => {
                (for_ms >= BLIND_MS).then_some(true)
            }
            // Without a network no name server is reached either.
            (NetworkState::CutOff, Way::NoNames) => None,
            (NetworkState::NoNames, Way::CutOff) | (NetworkState::Works | NetworkState::Unasked, _) => {
                (for_ms >= WORKS_MS).then_some(false)
            }
        }
    }
}

/// A region, by what its workers say.
struct Place<'a> {
    region: &'a RegionId,
    workers: Vec<(&'a WatchedWorker, Life)>,
}

impl<'a> Place<'a> {
    fn of_life(&self, life: Life) -> impl Iterator<Item = &'a WatchedWorker> + '_ {
        self.workers.iter().filter(move |(_, of)| *of == life).map(|(worker, _)| *worker)
    }

    fn is_forgotten(&self) -> bool {
        self.workers.iter().all(|(_, life)| *life == Life::Forgotten)
    }

    /// Nobody reports: `Some(true)` for long enough, `None` not clearly.
    fn is_silent(&self) -> Option<bool> {
        if self.of_life(Life::Alive).next().is_some() {
            return Some(false);
        }
        self.of_life(Life::Unclear).next().is_none().then_some(true)
    }

    /// Nobody is heard of at this moment.
    fn is_quiet(&self, now: UtcMs) -> bool {
        !self.workers.iter().any(|(worker, _)| is_heard(worker, now))
    }

    fn seen_at(&self) -> UtcMs {
        self.workers.iter().map(|(worker, _)| worker.seen_at).max().unwrap_or_default()
    }

    /// All that report are blind in this way: `None` when that is not clear.
    fn is_blind(&self, way: Way, now: UtcMs) -> Option<bool> {
        let heard: Vec<Option<bool>> = self
            .workers
            .iter()
            .filter(|(worker, _)| is_heard(worker, now))
            .map(|(worker, _)| worker.is_blind(way, now))
            .collect();
        if heard.is_empty() {
            return None;
        }
        if heard.contains(&Some(false)) {
            return Some(false);
        }
        heard.iter().all(|one| *one == Some(true)).then_some(true)
    }

    fn blind_since(&self, now: UtcMs) -> UtcMs {
        let heard = self.workers.iter().filter(|(worker, _)| is_heard(worker, now));
        heard.map(|(worker, _)| worker.network_since_at).max().unwrap_or(now)
    }
}

fn is_heard(worker: &WatchedWorker, now: UtcMs) -> bool {
    worker.stopped_at.is_none()
        && (-CLOCK_ERROR_MS..Worker::SILENT_AFTER_MS).contains(&now.saturating_sub(worker.seen_at))
}

pub(super) fn judge(known: &Known, hubs: &[&HubReport], states: &mut BTreeMap<Condition, State>, now: UtcMs) {
    let hears = hubs.iter().filter_map(|hub| hub.hears_since_at).min();
    let mut places: BTreeMap<&RegionId, Place<'_>> = BTreeMap::new();
    for worker in &known.workers {
        let life = hears.map_or(Life::Unclear, |since| worker.life(since, now));
        let place = places.entry(&worker.region_id);
        let place = place.or_insert_with(|| Place { region: &worker.region_id, workers: Vec::new() });
        place.workers.push((worker, life));
    }
    let places: Vec<Place<'_>> = places.into_values().collect();
    let (all_silent, all_cut_off) = (all_silent(&places), all_cut_off(&places, now));
    // What is about to be all of them is told as that; of a region only while another is known to be well.
    let is_all_quiet = !matches!(all_silent, State::Well(_));
    let is_all_cut_off = !matches!(all_cut_off, State::Well(_));
    states.insert(Condition::AllSilent, all_silent);
    states.insert(Condition::AllCutOff, all_cut_off);
    for place in &places {
        let state = silent(place);
        let state = if is_all_quiet { explained(state) } else { state };
        states.insert(Condition::RegionSilent(place.region.clone()), state);
        let condition = Condition::RegionCutOff(place.region.clone());
        let state = blind(place, Way::CutOff, &condition, now);
        states.insert(condition, if is_all_cut_off { explained(state) } else { state });
        let condition = Condition::RegionNoNames(place.region.clone());
        let state = blind(place, Way::NoNames, &condition, now);
        states.insert(condition, state);
        let lag = lag(place, known.lags.get(place.region).copied(), now);
        states.insert(Condition::QueueLag(place.region.clone()), lag);
        for (worker, life) in &place.workers {
            worker_of(place, worker, *life, hears.is_some(), states, now);
        }
    }
}

fn all_silent(places: &[Place<'_>]) -> State {
    // Where there never was a worker nobody expects one.
    if places.is_empty() {
        return State::Well(ClosedAs::Retired);
    }
    let silent: Vec<Option<bool>> = places.iter().map(Place::is_silent).collect();
    if silent.contains(&Some(false)) {
        return State::Well(ClosedAs::Recovered);
    }
    if silent.contains(&None) {
        return State::Undecided;
    }
    let since_at = places.iter().map(Place::seen_at).max().unwrap_or_default();
    let names: Vec<&str> = places.iter().filter(|place| !place.is_forgotten()).map(|p| p.region.as_str()).collect();
    let names = if names.is_empty() { String::new() } else { format!(" Regions: {}.", shortened(&names)) };
    State::Holds(Finding {
        since_at,
        said: format!("{}{names}", Condition::AllSilent.words().said),
        is_explained: false,
    })
}

fn all_cut_off(places: &[Place<'_>], now: UtcMs) -> State {
    let all: Vec<Option<bool>> =
        places.iter().filter(|p| !p.is_quiet(now)).map(|p| p.is_blind(Way::CutOff, now)).collect();
    if all.contains(&Some(false)) {
        return State::Well(ClosedAs::Recovered);
    }
    // Whoever is silent does not say that his network works.
    if all.is_empty() || all.contains(&None) {
        return State::Undecided;
    }
    let since_at = places.iter().filter(|p| !p.is_quiet(now)).map(|p| p.blind_since(now)).max().unwrap_or(now);
    State::Holds(Finding { since_at, said: Condition::AllCutOff.words().said, is_explained: false })
}

fn silent(place: &Place<'_>) -> State {
    if place.is_forgotten() {
        return State::Well(ClosedAs::Retired);
    }
    match place.is_silent() {
        Some(false) => State::Well(ClosedAs::Recovered),
        None => State::Undecided,
        Some(true) => {
            let condition = Condition::RegionSilent(place.region.clone());
            let expected = place.workers.iter().filter(|(_, life)| *life != Life::Forgotten);
            let names: Vec<&str> = expected.map(|(worker, _)| worker.worker_id.as_str()).collect();
            let said = format!("{} Its workers: {}.", condition.words().said, shortened(&names));
            State::Holds(Finding { since_at: place.seen_at(), said, is_explained: false })
        }
    }
}

fn blind(place: &Place<'_>, way: Way, condition: &Condition, now: UtcMs) -> State {
    if place.is_forgotten() {
        return State::Well(ClosedAs::Retired);
    }
    match place.is_blind(way, now) {
        Some(false) => State::Well(ClosedAs::Recovered),
        None => State::Undecided,
        Some(true) => State::Holds(Finding {
            since_at: place.blind_since(now),
            said: condition.words().said,
            is_explained: false,
        }),
    }
}

fn lag(place: &Place<'_>, lag_ms: Option<i64>, now: UtcMs) -> State {
    // What waits for a region without workers is told by that.
    let Some(lag_ms) = lag_ms.filter(|_| !place.is_quiet(now)) else {
        return if place.is_forgotten() { State::Well(ClosedAs::Retired) } else { State::Undecided };
    };
    match lag_ms {
        LAG_MS.. => {
            let said = Condition::QueueLag(place.region.clone()).words().said;
            let said = format!("The next one has waited for {}. {said}", lasting(lag_ms));
            State::Holds(Finding { since_at: now.saturating_sub(lag_ms), said, is_explained: false })
        }
        LAG_OVER_MS..LAG_MS => State::Undecided,
        _ => State::Well(ClosedAs::Recovered),
    }
}

fn worker_of(
    place: &Place<'_>,
    worker: &WatchedWorker,
    life: Life,
    is_heard_at_all: bool,
    states: &mut BTreeMap<Condition, State>,
    now: UtcMs,
) {
    let of =
        |condition: fn(RegionId, WorkerId) -> Condition| condition(worker.region_id.clone(), worker.worker_id.clone());
    let is_alone = place.of_life(Life::Alive).next().is_none();
    let condition = of(Condition::WorkerSilent);
    let state = match life {
        Life::Alive => State::Well(ClosedAs::Recovered),
        Life::Unclear => State::Undecided,
        Life::Stopped | Life::Forgotten => State::Well(ClosedAs::Retired),
        Life::Silent => {
            let said = condition.words().said;
            State::Holds(Finding { since_at: worker.seen_at, said, is_explained: is_alone })
        }
    };
    states.insert(condition, state);
    let is_gone = matches!(life, Life::Stopped | Life::Forgotten);
    let heard = is_heard_at_all && is_heard(worker, now);
    for (way, condition) in [(Way::CutOff, of(Condition::WorkerCutOff)), (Way::NoNames, of(Condition::WorkerNoNames))] {
        let state = match worker.is_blind(way, now).filter(|_| heard) {
            _ if is_gone => State::Well(ClosedAs::Retired),
            None => State::Undecided,
            Some(false) => State::Well(ClosedAs::Recovered),
            Some(true) => {
                let is_explained = place.is_blind(way, now) != Some(false);
                State::Holds(Finding { since_at: worker.network_since_at, said: condition.words().said, is_explained })
            }
        };
        states.insert(condition, state);
    }
    let condition = of(Condition::WorkerClock);
    let off_ms = worker.clock_offset_ms.saturating_abs();
    let state = match worker.clock_wrong_since_at {
        _ if is_gone => State::Well(ClosedAs::Retired),
        _ if !heard => State::Undecided,
        Some(since) if off_ms > CLOCK_MS => {
            let way = if worker.clock_offset_ms < 0 { "behind" } else { "ahead" };
            let said = format!("It is {} {way}. {}", lasting(off_ms), condition.words().said);
            holds_after(CLOCK_FOR_MS, since, said, now)
        }
        Some(_) | None if off_ms < CLOCK_RIGHT_MS => State::Well(ClosedAs::Recovered),
        Some(_) | None => State::Undecided,
    };
    states.insert(condition, state);
    let condition = of(Condition::WorkerFloods);
    let state = match worker.flooded_at {
        Some(at) if now.saturating_sub(at) < CALM_MS => {
            State::Holds(Finding { since_at: at, said: condition.words().said, is_explained: false })
        }
        Some(_) | None => State::Well(ClosedAs::Recovered),
    };
    states.insert(condition, state);
}

/// The first ten of them.
fn shortened(names: &[&str]) -> String {
    let first: Vec<&str> = names.iter().take(10).copied().collect();
    match names.len().saturating_sub(first.len()) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}
