//! From what hubs and workers say of themselves: what is wrong with the installation.
//!
//! Silence is told only where somebody listens: it counts from when a hub began to hear, if that is later than the last
//! sign of life. A hub that was away, or whose queue was, does not cry that all workers are silent.

mod workers;

use std::collections::BTreeMap;

use super::{Condition, Finding, Judged, State};
use crate::model::message::words::lasting;
use crate::model::{ClosedAs, NetworkState, RegionId, UtcMs, WebsiteId, WorkerId};

/// Silence that is worth a word. Signs of life come every 10 s: whoever is started again within a minute is none.
pub const SILENT_MS: i64 = 75_000;
/// Who is heard of for so long without a gap is back.
pub const SETTLED_MS: i64 = 20_000;
/// Who stopped or was silent for so long is not expected any more.
pub const FORGOTTEN_MS: i64 = 86_400_000;
/// Without the queue for so long.
const AWAY_MS: i64 = 60_000;
/// A hub that is silent for so long; it speaks every 10 s.
const HUB_SILENT_MS: i64 = 60_000;
/// One that spoke within this speaks for itself.
const HUB_SPEAKS_MS: i64 = 30_000;
/// A part that stands still for so long, besides the half a minute after which it counts as standing.
const LATE_MS: i64 = 30_000;
/// After the last part moved again.
const LATE_OVER_MS: i64 = 30_000;
/// The database had no room within this.
const FULL_MS: i64 = 60_000;
/// And for so long it had: hubs that cannot write try every few seconds.
const FULL_OVER_MS: i64 = 120_000;
const MIB: i64 = 1024 * 1024;

/// How a hub is, in its own words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HubReport {
    /// Of its machine, and its port.
    pub name: String,
    /// When it said so.
    pub seen_at: UtcMs,
    /// Since when it reads what workers report, about when they report it. `None`: it does not.
    pub hears_since_at: Option<UtcMs>,
    /// Since when it cannot reach the queue.
    pub queue_away_since_at: Option<UtcMs>,
    /// Its parts that stand still, in words; empty when none does.
    pub late: String,
    /// Since when one does.
    pub late_since_at: Option<UtcMs>,
    /// When one last did.
    pub late_at: Option<UtcMs>,
    /// Bytes that are free on the disk of its database, and all there are, where it is its own.
    pub space: Option<(i64, i64)>,
    /// When the database last had no room.
    pub full_at: Option<UtcMs>,
}

/// A worker, as far as its operator is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchedWorker {
    /// Its region.
    pub region_id: RegionId,
    /// Which.
    pub worker_id: WorkerId,
    /// When it was last heard of.
    pub seen_at: UtcMs,
    /// Since when without a gap.
    pub alive_since_at: UtcMs,
    /// What its canaries say.
    pub network: NetworkState,
    /// Since when it is cut off, or is not.
    pub network_since_at: UtcMs,
    /// Its wall clock minus the queue's.
    pub clock_offset_ms: i64,
    /// Since when that is more than a minute.
    pub clock_wrong_since_at: Option<UtcMs>,
    /// When it said that it stops; `None`: it runs, or ended without a word.
    pub stopped_at: Option<UtcMs>,
    /// When it last wrote more than is read.
    pub flooded_at: Option<UtcMs>,
}

/// How long the next check of a region has waited for a worker; `None`: that is not known.
pub type RegionLag = BTreeMap<RegionId, i64>;

/// Dead letters there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LetterCount {
    /// How many, as far as they are counted.
    pub count: i64,
    /// When the youngest was put there.
    pub newest_at: Option<UtcMs>,
    /// When the oldest was.
    pub oldest_at: Option<UtcMs>,
    /// By kind of reason, in words.
    pub kinds: Vec<(String, i64)>,
}

/// A day of a website of which a block is damaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamagedDay {
    /// Whose.
    pub website_id: WebsiteId,
    /// From where it was looked at.
    pub region: String,
    /// Its first slot.
    pub from_at: UtcMs,
}

/// Blocks of history that are not what was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DamageCount {
    /// How many, as far as they are counted.
    pub count: i64,
    /// When the first of them was found.
    pub since_at: Option<UtcMs>,
    /// Some of them, those that were found first.
    pub some: Vec<DamagedDay>,
}

/// All that is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// Before anything of it was read.
    pub looked_at: UtcMs,
    /// All hubs that were heard of within a day; the one that looks among them.
    pub hubs: Vec<HubReport>,
    /// All workers.
    pub workers: Vec<WatchedWorker>,
    /// Of regions that were asked about.
    pub lags: RegionLag,
    /// Dead letters.
    pub letters: LetterCount,
    /// Damaged blocks of history.
    pub damage: DamageCount,
}

/// Judges all of it as of `now`.
#[must_use]
pub fn judge(known: &Known, now: UtcMs) -> Judged {
    let mut judged =
        Judged { states: BTreeMap::new(), newest_letter_at: known.letters.newest_at, looked_at: known.looked_at };
    let states = &mut judged.states;
    let speaks = |hub: &&HubReport| now.saturating_sub(hub.seen_at) < HUB_SPEAKS_MS;
    let hubs: Vec<&HubReport> = known.hubs.iter().filter(speaks).collect();
    hubs_of(known, &hubs, states, now);
    store_of(&hubs, states, now);
    workers::judge(known, &hubs, states, now);
    states.insert(Condition::DeadLetters, letters_of(&known.letters, now));
    states.insert(Condition::HistoryDamaged, damage_of(&known.damage, now));
    judged
}

fn hubs_of(known: &Known, speaking: &[&HubReport], states: &mut BTreeMap<Condition, State>, now: UtcMs) {
    let hears = speaking.iter().filter_map(|hub| hub.hears_since_at).min();
    let away: Vec<UtcMs> = speaking.iter().filter_map(|hub| hub.queue_away_since_at).collect();
    let is_away_for_all = !speaking.is_empty() && away.len() == speaking.len();
    // Of those that are away the last one: until then somebody reached it.
    let away_since_at = away.iter().max().copied().unwrap_or(now);
    let queue = if is_away_for_all {
        holds_after(AWAY_MS, away_since_at, Condition::QueueAway.words().said, now)
    } else {
        settled(hears, now)
    };
    states.insert(Condition::QueueAway, queue);
    for hub in &known.hubs {
        let deaf = Condition::HubDeaf(hub.name.clone());
        let late = Condition::HubLate(hub.name.clone());
        let silent = Condition::HubSilent(hub.name.clone());
        let gone_ms = now.saturating_sub(hub.seen_at);
        if gone_ms >= HUB_SPEAKS_MS {
            // What it said last says nothing of now.
            states.insert(deaf, State::Undecided);
            states.insert(late, State::Undecided);
            let said = format!("{} Last heard of {} ago.", silent.words().said, lasting(gone_ms));
            states.insert(silent, holds_after(HUB_SILENT_MS, hub.seen_at, said, now));
            continue;
        }
        states.insert(silent, State::Well(ClosedAs::Recovered));
        let state = match hub.queue_away_since_at {
            Some(since) => {
                let state = holds_after(AWAY_MS, since, deaf.words().said, now);
                if is_away_for_all { explained(state) } else { state }
            }
            None => settled(hub.hears_since_at, now),
        };
        states.insert(deaf, state);
        let state = match (hub.late_since_at, hub.late_at) {
            (Some(since), _) => {
                let said = format!("{} What stands still: {}.", late.words().said, hub.late);
                holds_after(LATE_MS, since, said, now)
            }
            (None, Some(at)) if now.saturating_sub(at) < LATE_OVER_MS => State::Undecided,
            (None, _) => State::Well(ClosedAs::Recovered),
        };
        states.insert(late, state);
    }
}

fn settled(since_at: Option<UtcMs>, now: UtcMs) -> State {
    match since_at {
        Some(since) if now.saturating_sub(since) >= SETTLED_MS => State::Well(ClosedAs::Recovered),
        Some(_) | None => State::Undecided,
    }
}

fn holds_after(after_ms: i64, since_at: UtcMs, said: String, now: UtcMs) -> State {
    if now.saturating_sub(since_at) < after_ms {
        return State::Undecided;
    }
    State::Holds(Finding { since_at, said, is_explained: false })
}

fn explained(state: State) -> State {
    match state {
        State::Holds(finding) => State::Holds(Finding { is_explained: true, ..finding }),
        State::Undecided | State::Well(_) => state,
    }
}

/// Less than this is little room: a twentieth, but no more than 2 GiB, and of a small disk no less than 64 MiB or a tenth.
fn little(total: i64) -> i64 {
    (total / 20).clamp((64 * MIB).min(total / 10), 2048 * MIB)
}

fn store_of(hubs: &[&HubReport], states: &mut BTreeMap<Condition, State>, now: UtcMs) {
    let full_at = hubs.iter().filter_map(|hub| hub.full_at).max();
    let full = match full_at.map(|at| now.saturating_sub(at)) {
        Some(ms) if ms < FULL_MS => State::Holds(Finding {
            since_at: full_at.unwrap_or(now),
            said: Condition::StoreFull.words().said,
            is_explained: false,
        }),
        Some(ms) if ms < FULL_OVER_MS => State::Undecided,
        Some(_) | None => State::Well(ClosedAs::Recovered),
    };
    let is_full = !matches!(full, State::Well(_));
    states.insert(Condition::StoreFull, full);
    let low = match hubs.iter().filter_map(|hub| hub.space).min() {
        // A database that is elsewhere is seen by nobody here.
        None => State::Well(ClosedAs::Retired),
        Some((free, total)) if free < little(total) => {
            let said = format!("{} MiB of {} are free. {}", free / MIB, total / MIB, Condition::StoreLow.words().said);
            let state = State::Holds(Finding { since_at: now, said, is_explained: false });
            if is_full { explained(state) } else { state }
        }
        Some((free, total)) if free < little(total) / 2 * 3 => State::Undecided,
        Some(_) => State::Well(ClosedAs::Recovered),
    };
    states.insert(Condition::StoreLow, low);
}

fn letters_of(letters: &LetterCount, now: UtcMs) -> State {
    if letters.count == 0 {
        return State::Well(ClosedAs::Recovered);
    }
    let kinds: Vec<String> = letters.kinds.iter().take(8).map(|(kind, count)| format!("{kind}: {count}")).collect();
    let said = format!("{} {}.", Condition::DeadLetters.words().said, kinds.join(", "));
    State::Holds(Finding { since_at: letters.oldest_at.unwrap_or(now), said, is_explained: false })
}

fn damage_of(damage: &DamageCount, now: UtcMs) -> State {
    if damage.count == 0 {
        return State::Well(ClosedAs::Recovered);
    }
    let named = |day: &DamagedDay| {
        let date = jiff::Timestamp::from_millisecond(day.from_at).map(|at| at.strftime("%Y-%m-%d").to_string());
        format!("website {}, {}, from {}", day.website_id, date.unwrap_or_default(), day.region)
    };
    let some: Vec<String> = damage.some.iter().map(named).collect();
    let more = if damage.count > some.len() as i64 { "; and more" } else { "" };
    let said = format!("{} {}: {}{more}.", Condition::HistoryDamaged.words().said, damage.count, some.join("; "));
    State::Holds(Finding { since_at: damage.since_at.unwrap_or(now), said, is_explained: false })
}
