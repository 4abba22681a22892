//! What people call an outage: the span in which websites of one account fail for one cause.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::id::id;
use super::{AccountId, Failure, Outcome, Phases, RegionId, UtcMs, WebsiteId, WorkerId};

id! {
    /// Names an incident.
    IncidentId
}

probe::named! {
    /// What kind of trouble it is.
    IncidentKind {
        /// The verdict is down.
        Outage = "outage",
        /// A minority of the regions has seen it fail for long: the website is up, and somebody there cannot reach it.
        Regional = "regional",
        /// It changes between up and down so often that each change is no news.
        Flapping = "flapping",
        /// Its certificate is near its end.
        Certificate = "certificate",
        /// The installation itself is in trouble ([`super::operator`]); of no website, for operators only.
        Operator = "operator",
    }
}

probe::named! {
    /// How an incident ended.
    ClosedAs {
        /// It is well again.
        Recovered = "recovered",
        /// What only a minority of the regions saw is no longer that: it is an outage now, which is an incident of its own, or
        /// nobody can tell.
        Worse = "worse",
        /// What is watched was changed, so that nobody can say how it went on (T250).
        Changed = "changed",
        /// Its owner paused the website.
        Paused = "paused",
        /// The website was deleted.
        Deleted = "deleted",
        /// What it is about is not expected any more: it was stopped or revoked, or not heard of for a day.
        Retired = "retired",
    }
}

probe::named! {
    /// Why nobody is told of an incident.
    MutedBy {
        /// Its owner has work going on.
        Maintenance = "maintenance",
        /// What it depends on is down, which is told.
        Parent = "parent",
        /// It flaps, which is told.
        Flapping = "flapping",
    }
}

/// Websites of one account that fail for one cause, from the first failing tick to the first good one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    /// Which.
    pub incident_id: IncidentId,
    /// Whose.
    pub account_id: AccountId,
    /// What kind of trouble.
    pub kind: IncidentKind,
    /// Websites that fail with the same key while it is open belong to it.
    pub cause_key: String,
    /// The cause in plain words, without a full stop.
    pub cause: String,
    /// Slot of the first failing tick of its first website.
    pub began_at: UtcMs,
    /// When it was decided.
    pub opened_at: UtcMs,
    /// Slot of the tick with which the last of its websites was well again.
    pub ended_at: Option<UtcMs>,
    /// When that was decided; `None`: it goes on.
    pub closed_at: Option<UtcMs>,
    /// How it ended.
    pub closed_as: Option<ClosedAs>,
    /// When somebody took it on.
    pub acknowledged_at: Option<UtcMs>,
    /// Who.
    pub acknowledged_by: Option<String>,
    /// Why nobody is told.
    pub muted_by: Option<MutedBy>,
}

/// An incident as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncidentLine {
    /// The incident.
    pub incident: Incident,
    /// Websites that are or were part of it; none where it concerns the installation.
    pub websites: i64,
    /// Of these, how many fail still.
    pub failing: i64,
    /// Address of the one that failed first; empty where there is none.
    pub first_url: String,
    /// Which that is; it may have been deleted since.
    pub first_website: Option<WebsiteId>,
}

impl IncidentLine {
    /// Where a list goes on after it.
    #[must_use]
    pub fn cursor(&self) -> IncidentCursor {
        IncidentCursor { at: self.incident.opened_at, id: self.incident.incident_id }
    }
}

/// Which incidents: all that fit what is given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct IncidentFilter {
    /// Only those that go on.
    pub open_only: bool,
    /// Only of this kind.
    pub kind: Option<IncidentKind>,
    /// Only those that this website is or was part of.
    pub website: Option<WebsiteId>,
}

/// A place in the list of incidents, newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IncidentCursor {
    /// When the last one seen was opened.
    pub at: UtcMs,
    /// Which it was.
    pub id: IncidentId,
}

impl fmt::Display for IncidentCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.at, self.id.0.simple())
    }
}

impl FromStr for IncidentCursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (at, id) = text.split_once('_').ok_or(())?;
        Ok(Self { at: at.parse().map_err(|_| ())?, id: id.parse().map_err(|_| ())? })
    }
}

/// What came of taking an incident on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TakenOn {
    /// It is done.
    Now,
    /// Somebody had done it before.
    Before,
    /// It was over by then.
    Over,
}

/// A website's part in an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncidentWebsite {
    /// Which; it may have been deleted since.
    pub website_id: WebsiteId,
    /// Its address as it was.
    pub url: String,
    /// Slot of its first failing tick.
    pub began_at: UtcMs,
    /// Slot of its first good one; `None`: it fails still.
    pub ended_at: Option<UtcMs>,
}

probe::named! {
    /// What a line of an incident's timeline tells.
    IncidentEventKind {
        /// It began with this website.
        Opened = "opened",
        /// A further website fails for the same cause.
        Joined = "joined",
        /// A website is well again, or is no longer watched.
        Left = "left",
        /// What is known changed: another class, another region, nobody can tell any more.
        Changed = "changed",
        /// People are told no longer, or again.
        Muted = "muted",
        /// Somebody took it on.
        Acknowledged = "acknowledged",
        /// Somebody wrote something down.
        Note = "note",
        /// It is over.
        Closed = "closed",
    }
}

/// A line of the timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncidentEvent {
    /// When it held (a slot) or was done.
    pub at: UtcMs,
    /// What.
    pub kind: IncidentEventKind,
    /// Of which website.
    pub website_id: Option<WebsiteId>,
    /// In plain words.
    pub said: String,
    /// Who did it, where a person did.
    pub said_by: Option<String>,
    /// What each region saw then.
    pub evidence: Vec<Evidence>,
}

/// What one region had last seen of a website when something was decided. Stored as JSON: fields may be added, with a
/// default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Which region.
    pub region_id: RegionId,
    /// Which worker.
    pub worker_id: WorkerId,
    /// Slot of the tick.
    pub slot_at: UtcMs,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, when not up.
    pub failure: Option<Failure>,
    /// Status code, when it got that far.
    pub status: Option<u16>,
    /// Its phases.
    pub phases: Phases,
    /// Whole duration.
    pub total_us: u32,
    /// The certificate that was shown, where it was read from the tick.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<SeenCertificate>,
    /// The beginning of an answer that was not as asked, likewise ([`super::Tick::answer`]). From a stranger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
}

/// A certificate as a region saw it. Names are a stranger's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenCertificate {
    /// Whom it is for; at most [`SeenCertificate::CHARS`] characters.
    pub subject: String,
    /// Who issued it; likewise.
    pub issuer: String,
    /// Its end.
    pub not_after_at: UtcMs,
}

impl SeenCertificate {
    /// Longest name that is kept.
    pub const CHARS: usize = 80;
}
