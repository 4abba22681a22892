//! What operators are told of: trouble of the installation itself, not of a website. What holds is judged from what hubs and
//! workers say of themselves ([`judge`]), and what becomes of an operator's incidents follows from that and from what is
//! open ([`count`]). Pure, and without a memory: any hub comes to the same, whichever looks.

mod judge;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use super::message::Tone;
use super::{
    AccountId, ClosedAs, Course, Incident, IncidentEvent, IncidentEventKind, IncidentId, IncidentKind, RegionId, UtcMs,
    WebsiteId, WorkerId,
};

pub use judge::{
    DamageCount, DamagedDay, FORGOTTEN_MS, HubReport, Known, LetterCount, RegionLag, SETTLED_MS, SILENT_MS,
    WatchedWorker, judge,
};
pub use words::{Words, over_words, page_of};

/// People hear at most so often that there are more dead letters.
const MORE_EVERY_MS: i64 = 3_600_000;

/// What can be wrong. There is one open incident of each, and its key names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Condition {
    /// No region measures: no worker of any is heard of (T242).
    AllSilent,
    /// No region can tell: the workers of all that are heard of are cut off from what they watch.
    AllCutOff,
    /// A region is without workers.
    RegionSilent(RegionId),
    /// The workers of a region are cut off from what they watch (`probe_blind`, T188).
    RegionCutOff(RegionId),
    /// The name servers of a region's workers find nothing, though their networks work (T188).
    RegionNoNames(RegionId),
    /// A worker is silent, and others of its region are not.
    WorkerSilent(RegionId, WorkerId),
    /// A worker is cut off, and others of its region are not.
    WorkerCutOff(RegionId, WorkerId),
    /// A worker's name servers find nothing, and those of others of its region do.
    WorkerNoNames(RegionId, WorkerId),
    /// A worker's clock is wrong by more than a minute (T198).
    WorkerClock(RegionId, WorkerId),
    /// A worker writes more than is read, and loses the oldest of it (T233).
    WorkerFloods(RegionId, WorkerId),
    /// No hub reaches the queue.
    QueueAway,
    /// Checks of a region wait for long before a worker takes them.
    QueueLag(RegionId),
    /// There are dead letters (T164).
    DeadLetters,
    /// The disk of the database is nearly full.
    StoreLow,
    /// The database has no room (T209).
    StoreFull,
    /// Blocks of history are not what was written.
    HistoryDamaged,
    /// One of several hubs is silent.
    HubSilent(String),
    /// A part of a hub stands still.
    HubLate(String),
    /// One of several hubs cannot reach the queue.
    HubDeaf(String),
}

impl Condition {
    /// How it sounds: bad where measurement stops, or is about to, for all.
    #[must_use]
    pub fn tone(&self) -> Tone {
        match self {
            Self::AllSilent | Self::AllCutOff | Self::QueueAway | Self::StoreFull | Self::HubLate(_) => Tone::Bad,
            Self::RegionSilent(_)
            | Self::RegionCutOff(_)
            | Self::RegionNoNames(_)
            | Self::WorkerSilent(..)
            | Self::WorkerCutOff(..)
            | Self::WorkerNoNames(..)
            | Self::WorkerClock(..)
            | Self::WorkerFloods(..)
            | Self::QueueLag(_)
            | Self::DeadLetters
            | Self::StoreLow
            | Self::HistoryDamaged
            | Self::HubSilent(_)
            | Self::HubDeaf(_) => Tone::Warning,
        }
    }

    /// How the incident with this key sounds; one of a newer version is a warning.
    #[must_use]
    pub fn tone_of(key: &str) -> Tone {
        key.parse().map_or(Tone::Warning, |condition: Self| condition.tone())
    }
}

/// The key of its incident.
impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AllSilent => f.write_str("regions:silent"),
            Self::AllCutOff => f.write_str("regions:cut_off"),
            Self::RegionSilent(region) => write!(f, "region:{region}:silent"),
            Self::RegionCutOff(region) => write!(f, "region:{region}:cut_off"),
            Self::RegionNoNames(region) => write!(f, "region:{region}:no_names"),
            Self::WorkerSilent(region, worker) => write!(f, "worker:{region}/{worker}:silent"),
            Self::WorkerCutOff(region, worker) => write!(f, "worker:{region}/{worker}:cut_off"),
            Self::WorkerNoNames(region, worker) => write!(f, "worker:{region}/{worker}:no_names"),
            Self::WorkerClock(region, worker) => write!(f, "worker:{region}/{worker}:clock"),
            Self::WorkerFloods(region, worker) => write!(f, "worker:{region}/{worker}:flood"),
            Self::QueueAway => f.write_str("queue:away"),
            Self::QueueLag(region) => write!(f, "queue:{region}:lag"),
            Self::DeadLetters => f.write_str("dead_letters"),
            Self::StoreLow => f.write_str("store:low"),
            Self::StoreFull => f.write_str("store:full"),
            Self::HistoryDamaged => f.write_str("history:damaged"),
            Self::HubSilent(hub) => write!(f, "hub:{hub}:silent"),
            Self::HubLate(hub) => write!(f, "hub:{hub}:late"),
            Self::HubDeaf(hub) => write!(f, "hub:{hub}:queue"),
        }
    }
}

/// A key that is none of ours: a newer version wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownKey;

impl FromStr for Condition {
    type Err = UnknownKey;

    fn from_str(key: &str) -> Result<Self, UnknownKey> {
        match key {
            "regions:silent" => return Ok(Self::AllSilent),
            "regions:cut_off" => return Ok(Self::AllCutOff),
            "queue:away" => return Ok(Self::QueueAway),
            "dead_letters" => return Ok(Self::DeadLetters),
            "store:low" => return Ok(Self::StoreLow),
            "store:full" => return Ok(Self::StoreFull),
            "history:damaged" => return Ok(Self::HistoryDamaged),
            _ => {}
        }
        let (of, rest) = key.split_once(':').ok_or(UnknownKey)?;
        let (name, what) = rest.rsplit_once(':').ok_or(UnknownKey)?;
        let region = || name.parse::<RegionId>().map_err(|_| UnknownKey);
        let worker = || {
            let (region, worker) = name.split_once('/').ok_or(UnknownKey)?;
            Ok((region.parse().map_err(|_| UnknownKey)?, worker.parse().map_err(|_| UnknownKey)?))
        };
        let of_worker = |condition: fn(RegionId, WorkerId) -> Self| worker().map(|(r, w)| condition(r, w));
        match (of, what) {
            ("region", "silent") => region().map(Self::RegionSilent),
            ("region", "cut_off") => region().map(Self::RegionCutOff),
            ("region", "no_names") => region().map(Self::RegionNoNames),
            ("worker", "silent") => of_worker(Self::WorkerSilent),
            ("worker", "cut_off") => of_worker(Self::WorkerCutOff),
            ("worker", "no_names") => of_worker(Self::WorkerNoNames),
            ("worker", "clock") => of_worker(Self::WorkerClock),
            ("worker", "flood") => of_worker(Self::WorkerFloods),
            ("queue", "lag") => region().map(Self::QueueLag),
            ("hub", "silent") => Ok(Self::HubSilent(name.to_owned())),
            ("hub", "late") => Ok(Self::HubLate(name.to_owned())),
            ("hub", "queue") => Ok(Self::HubDeaf(name.to_owned())),
            _ => Err(UnknownKey),
        }
    }
}

/// How it is with a condition now. Between "holds" and "well" there is a stretch in which nothing begins and nothing ends: so
/// that what comes and goes is not told each time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It holds: an incident begins, or goes on.
    Holds(Finding),
    /// Nobody can tell, or it is not over for long enough: what is open goes on, and nothing begins.
    Undecided,
    /// It is over, in this way.
    Well(ClosedAs),
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Since when.
    pub since_at: UtcMs,
    /// What is known of it and what to do, in sentences.
    pub said: String,
    /// Something greater explains it, which is told: no incident begins, and one that is open goes on.
    pub is_explained: bool,
}

/// How it is with all that can be wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Judged {
    /// Conditions that are not in here are those of what is gone: nobody expects anything of it any more.
    pub states: BTreeMap<Condition, State>,
    /// When the youngest dead letter was put there.
    pub newest_letter_at: Option<UtcMs>,
    /// Before anything of it was read. What another hub has done since then it did knowing more.
    pub looked_at: UtcMs,
}

impl Judged {
    /// Of an account that is no operator's any more: it is told that nothing is of its concern.
    #[must_use]
    pub fn of_nobody(looked_at: UtcMs) -> Self {
        Self { looked_at, ..Self::default() }
    }
}

/// What becomes of one account's incidents of this kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counted {
    /// Those that begin and those that end.
    pub changed: Vec<Course>,
    /// Those of which there is more now, which people are to be told.
    pub grown: Vec<Course>,
}

/// Counts what was judged into an account's open incidents. `closed_since`: keys of those that ended after the look began.
pub fn count(
    account_id: AccountId,
    open: Vec<Course>,
    closed_since: &BTreeSet<String>,
    judged: &Judged,
    now: UtcMs,
    mut new_id: impl FnMut() -> IncidentId,
) -> Counted {
    let mut counted = Counted::default();
    let keys: BTreeSet<String> = open.iter().map(|course| course.incident.cause_key.clone()).collect();
    for mut course in open {
        let Ok(condition) = course.incident.cause_key.parse::<Condition>() else { continue };
        match judged.states.get(&condition) {
            Some(State::Undecided) => {}
            Some(State::Holds(finding)) => {
                if has_grown(&condition, course.told_at.unwrap_or(course.incident.opened_at), judged, now) {
                    course.told_at = Some(now);
                    course.is_changed = true;
                    course.events.push(line(IncidentEventKind::Changed, now, &finding.said));
                    counted.grown.push(course);
                }
            }
            // Somebody who had seen more has just begun it.
            Some(State::Well(_)) | None if course.incident.opened_at >= judged.looked_at => {}
            Some(State::Well(closed_as)) => counted.changed.push(end(course, &condition, *closed_as, now)),
            None => counted.changed.push(end(course, &condition, ClosedAs::Retired, now)),
        }
    }
    for (condition, state) in &judged.states {
        let State::Holds(finding) = state else { continue };
        let key = condition.to_string();
        if !finding.is_explained && !keys.contains(&key) && !closed_since.contains(&key) {
            counted.changed.push(begin(account_id, new_id(), key, condition, finding, now));
        }
    }
    counted
}

/// Whether more dead letters came, an hour or longer after people were last told.
#[must_use]
pub fn has_grown(condition: &Condition, told_at: UtcMs, judged: &Judged, now: UtcMs) -> bool {
    *condition == Condition::DeadLetters
        && judged.newest_letter_at.is_some_and(|at| at > told_at)
        && now.saturating_sub(told_at) >= MORE_EVERY_MS
}

fn begin(
    account_id: AccountId,
    incident_id: IncidentId,
    cause_key: String,
    condition: &Condition,
    finding: &Finding,
    now: UtcMs,
) -> Course {
    let began_at = finding.since_at.min(now);
    let incident = Incident {
        incident_id,
        account_id,
        kind: IncidentKind::Operator,
        cause_key,
        cause: condition.words().title,
        began_at,
        opened_at: now,
        ended_at: None,
        closed_at: None,
        closed_as: None,
        acknowledged_at: None,
        acknowledged_by: None,
        muted_by: None,
    };
    Course {
        incident,
        websites: 0,
        failing: 0,
        first: (began_at, WebsiteId(uuid::Uuid::nil())),
        left_at: None,
        parts: BTreeMap::new(),
        touched: BTreeSet::new(),
        told_websites: 0,
        told_at: Some(now),
        step_ms: None,
        events: vec![line(IncidentEventKind::Opened, began_at, &finding.said)],
        is_changed: true,
        tells_opened: true,
        tells_nearer: false,
        tells_resolved: false,
    }
}

fn end(mut course: Course, condition: &Condition, closed_as: ClosedAs, now: UtcMs) -> Course {
    let incident = &mut course.incident;
    incident.ended_at = Some(now.max(incident.began_at));
    incident.closed_at = Some(now);
    incident.closed_as = Some(closed_as);
    let said = over_words(condition, closed_as).said;
    course.events.push(line(IncidentEventKind::Closed, now, &said));
    course.is_changed = true;
    // Whoever was told that it began hears how it ended, also that nobody expects it any more: a pager closes by that.
    course.tells_resolved = true;
    course
}

fn line(kind: IncidentEventKind, at: UtcMs, said: &str) -> IncidentEvent {
    IncidentEvent { at, kind, website_id: None, said: said.to_owned(), said_by: None, evidence: Vec::new() }
}

#[cfg(test)]
mod tests;
