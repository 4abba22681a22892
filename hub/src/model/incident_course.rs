//! What changes do to incidents: which begin, who joins, who leaves, which end, and who is to be told. Pure: what is open
//! and who is muted are arguments, and so are the clock and new ids.

use std::collections::{BTreeMap, BTreeSet};

use super::incident_cause::Cause;
use super::incident_words as words;
use super::{
    Change, ClosedAs, Incident, IncidentEvent, IncidentEventKind, IncidentId, IncidentKind, IncidentWebsite, MutedBy,
    UtcMs, WebsiteId, What,
};

/// Who was well for so long and fails again is news, also where others of the incident have failed all the time.
const NEWS_AFTER_MS: i64 = 15 * 60_000;

/// An open incident, and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Course {
    /// The incident.
    pub incident: Incident,
    /// Websites that are or were part of it.
    pub websites: i64,
    /// Of these, how many fail still.
    pub failing: i64,
    /// The website that failed first, and since when.
    pub first: (UtcMs, WebsiteId),
    /// When the last one of those that fail no more was well.
    pub left_at: Option<UtcMs>,
    /// As many websites were part of it when people were last told; 0: nobody ever was.
    pub told_websites: i64,
    /// When that was. While it is muted: since when nothing mutes it any more.
    pub told_at: Option<UtcMs>,
    /// The parts of the websites at hand.
    pub parts: BTreeMap<WebsiteId, IncidentWebsite>,
    /// Which parts are other than stored.
    pub touched: BTreeSet<WebsiteId>,
    /// New lines of its timeline.
    pub events: Vec<IncidentEvent>,
    /// Something of it is other than stored.
    pub is_changed: bool,
    /// Of certificates: the nearest step that one of its websites has come to ([`super::incident_cause::Cause`]).
    pub step_ms: Option<i64>,
    /// People are to be told that it began.
    pub tells_opened: bool,
    /// People who were told that it began are to be told that it has come to that step.
    pub tells_nearer: bool,
    /// People who were told that it began are to be told that it is over.
    pub tells_resolved: bool,
}

/// Of which websites nobody is told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mutes {
    /// For work that goes on, or what they depend on.
    pub by: BTreeMap<WebsiteId, MutedBy>,
    /// They flap: each outage is no news.
    pub flapping: BTreeSet<WebsiteId>,
}

impl Mutes {
    /// Why nobody is told that this website fails in this way.
    #[must_use]
    pub fn of(&self, kind: IncidentKind, website: WebsiteId) -> Option<MutedBy> {
        let flaps = match kind {
            IncidentKind::Outage => self.flapping.contains(&website),
            IncidentKind::Regional | IncidentKind::Flapping | IncidentKind::Certificate | IncidentKind::Operator => {
                false
            }
        };
        let by = self.by.get(&website).copied().filter(|by| match kind {
            IncidentKind::Outage | IncidentKind::Regional | IncidentKind::Flapping | IncidentKind::Operator => true,
            // What a certificate depends on is its owner.
            IncidentKind::Certificate => *by == MutedBy::Maintenance,
        });
        by.or(flaps.then_some(MutedBy::Flapping))
    }
}

/// Counts changes in, in their order ([`super::incident_change::sort`]). `open`: all open incidents that the websites are
/// or were part of, and those with the keys of what opens; with the websites' parts. New ones are added behind.
pub fn count(
    open: &mut Vec<Course>,
    changes: &[Change],
    mutes: &Mutes,
    now: UtcMs,
    mut new_id: impl FnMut() -> IncidentId,
) {
    for change in changes {
        for course in open.iter_mut().filter(|course| course.is_failing(change.website_id)) {
            if let Some(closed_as) = change.what.closes(course.incident.kind) {
                course.leave(change, closed_as, now);
            }
        }
        match &change.what {
            What::Fails { kind, .. } => fail(open, change, *kind, mutes, now, &mut new_id),
            What::Unclear { .. } => {
                let outages = open.iter_mut().filter(|course| course.incident.kind == IncidentKind::Outage);
                for course in outages.filter(|course| course.is_failing(change.website_id)) {
                    course.say(change, IncidentEventKind::Changed, change.at);
                }
            }
            What::Noted { .. } => {
                let warned = open.iter_mut().filter(|course| course.incident.kind == IncidentKind::Certificate);
                for course in warned.filter(|course| course.is_failing(change.website_id)) {
                    let (change_without, at) = (Change { evidence: Vec::new(), ..change.clone() }, change.at);
                    course.say(&change_without, IncidentEventKind::Changed, at);
                }
            }
            What::Well { .. } | What::Gone(_) => {}
        }
    }
    open.iter_mut().filter(|course| course.tells_opened).for_each(|course| course.told_opened(now));
}

fn fail(
    open: &mut Vec<Course>,
    change: &Change,
    kind: IncidentKind,
    mutes: &Mutes,
    now: UtcMs,
    new_id: &mut impl FnMut() -> IncidentId,
) {
    let What::Fails { cause, reason, .. } = &change.what else { return };
    let id = change.website_id;
    if let Some(course) = open.iter_mut().find(|c| c.incident.kind == kind && c.is_failing(id)) {
        if kind == IncidentKind::Certificate {
            course.near(change, cause);
            return;
        }
        let said = words::fails_still(&words::short(&change.url), kind, reason);
        course.push(IncidentEventKind::Changed, change, change.at, said);
        // Of one website it is known better now; of several the first one speaks for all.
        if course.websites == 1 && course.incident.cause != cause.words {
            course.incident.cause.clone_from(&cause.words);
            course.is_changed = true;
        }
        return;
    }
    let fits = |c: &&mut Course| {
        let incident = &c.incident;
        let key = (incident.account_id, incident.kind, incident.cause_key.as_str());
        c.is_open() && key == (change.account_id, kind, cause.key.as_str())
    };
    let muted_by = mutes.of(kind, id);
    if let Some(course) = open.iter_mut().find(fits) {
        course.join(change, cause, muted_by, now);
        return;
    }
    let incident = Incident {
        incident_id: new_id(),
        account_id: change.account_id,
        kind,
        cause_key: cause.key.clone(),
        cause: cause.words.clone(),
        began_at: change.at,
        opened_at: now,
        ended_at: None,
        closed_at: None,
        closed_as: None,
        acknowledged_at: None,
        acknowledged_by: None,
        muted_by,
    };
    let part = IncidentWebsite { website_id: id, url: change.url.clone(), began_at: change.at, ended_at: None };
    let mut course = Course {
        incident,
        websites: 1,
        failing: 1,
        first: (change.at, id),
        left_at: None,
        told_websites: 0,
        told_at: None,
        parts: BTreeMap::from([(id, part)]),
        touched: BTreeSet::from([id]),
        events: Vec::new(),
        is_changed: true,
        step_ms: cause.step_ms,
        tells_opened: muted_by.is_none(),
        tells_nearer: false,
        tells_resolved: false,
    };
    course.say(change, IncidentEventKind::Opened, change.at);
    if let Some(by) = muted_by {
        course.push_own(IncidentEventKind::Muted, now, words::muted(by));
    }
    open.push(course);
}

impl Course {
    /// Whether it goes on.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.incident.closed_at.is_none()
    }

    /// Whether it goes on for this website, one of those at hand.
    #[must_use]
    pub fn is_failing(&self, id: WebsiteId) -> bool {
        self.is_open() && self.parts.get(&id).is_some_and(|part| part.ended_at.is_none())
    }

    /// Why nobody is told, when that holds for all of its websites that fail; their parts are at hand.
    #[must_use]
    pub fn muted_by(&self, mutes: &Mutes) -> Option<MutedBy> {
        let failing = self.parts.values().filter(|part| part.ended_at.is_none());
        let all: Option<Vec<_>> = failing.map(|part| mutes.of(self.incident.kind, part.website_id)).collect();
        all?.first().copied()
    }

    fn join(&mut self, change: &Change, cause: &Cause, muted_by: Option<MutedBy>, now: UtcMs) {
        let id = change.website_id;
        match self.parts.get_mut(&id) {
            Some(part) => {
                let well_ms = part.ended_at.map_or(0, |at| change.at.saturating_sub(at));
                if well_ms >= NEWS_AFTER_MS && muted_by.is_none() {
                    // It is counted already: as one that people have not been told of.
                    self.told_websites =
                        (self.told_websites.min(self.websites) - 1).max(i64::from(self.told_websites > 0));
                }
                part.ended_at = None;
            }
            None => {
                let (url, began_at) = (change.url.clone(), change.at);
                self.parts.insert(id, IncidentWebsite { website_id: id, url, began_at, ended_at: None });
                self.websites += 1;
            }
        }
        self.touched.insert(id);
        self.failing += 1;
        self.is_changed = true;
        // Who failed first speaks for all, whoever came first.
        if (change.at, id) < self.first {
            self.first = (change.at, id);
            self.incident.began_at = change.at;
            self.incident.cause.clone_from(&cause.words);
        }
        self.say(change, IncidentEventKind::Joined, change.at);
        if self.incident.muted_by.is_some() && muted_by.is_none() {
            self.unmute(now);
        }
        if self.incident.kind == IncidentKind::Certificate {
            // That others of the host show the same certificate is no news.
            self.told_websites = if self.incident.muted_by.is_none() { self.websites } else { self.told_websites };
            self.near(change, cause);
        }
    }

    /// The certificate of one of its websites has come to a step. The first to say so is told, for all of them.
    fn near(&mut self, change: &Change, cause: &Cause) {
        let Some(step_ms) = cause.step_ms.filter(|step_ms| self.step_ms.is_none_or(|before| *step_ms < before)) else {
            return;
        };
        self.step_ms = Some(step_ms);
        self.incident.cause.clone_from(&cause.words);
        self.is_changed = true;
        self.tells_nearer = self.incident.muted_by.is_none();
        let reason = match &change.what {
            What::Fails { reason, .. } => reason.as_str(),
            What::Unclear { .. } | What::Well { .. } | What::Noted { .. } | What::Gone(_) => "",
        };
        let said = words::nearer(&words::short(&change.url), step_ms, reason);
        self.push(IncidentEventKind::Changed, change, change.at, said);
    }

    /// The last one to leave ends it.
    fn leave(&mut self, change: &Change, closed_as: ClosedAs, now: UtcMs) {
        let Some(part) = self.parts.get_mut(&change.website_id) else { return };
        let ended_at = change.at.max(part.began_at);
        part.ended_at = Some(ended_at);
        let said = match &change.what {
            What::Well { .. } => change.what.said(&change.url, part.began_at, change.at),
            What::Fails { .. } | What::Unclear { .. } | What::Noted { .. } | What::Gone(_) => {
                words::gone(&words::short(&part.url), closed_as)
            }
        };
        self.left_at = Some(self.left_at.map_or(ended_at, |at| at.max(ended_at)));
        self.touched.insert(change.website_id);
        self.failing -= 1;
        self.is_changed = true;
        if self.failing > 0 {
            self.push(IncidentEventKind::Left, change, ended_at, said);
            return;
        }
        self.incident.ended_at = self.left_at;
        self.incident.closed_at = Some(now);
        self.incident.closed_as = Some(closed_as);
        // Muted later than told, it is over for those who were told.
        self.tells_resolved = self.incident.muted_by.is_none() || self.told_websites > 0;
        self.push(IncidentEventKind::Closed, change, ended_at, said);
    }

    /// People are told from now on, of all of it.
    fn unmute(&mut self, now: UtcMs) {
        self.incident.muted_by = None;
        self.tells_opened = true;
        self.is_changed = true;
        self.push_own(IncidentEventKind::Muted, now, words::UNMUTED);
    }

    /// Of a muted one, with the parts of all that fail: people are told when nothing mutes it any more. What its websites
    /// depend on is seen well before they are themselves, so they get `settle_ms` to be looked at again.
    pub fn heed(&mut self, mutes: &Mutes, settle_ms: i64, now: UtcMs) {
        let before = self.incident.muted_by;
        if let Some(by) = self.muted_by(mutes) {
            self.is_changed |= self.told_at.is_some();
            self.told_at = None;
            self.mute_by(by, now);
            return;
        }
        match (before, self.told_at) {
            (Some(MutedBy::Parent), None) => {
                self.told_at = Some(now);
                self.is_changed = true;
            }
            (Some(MutedBy::Parent), Some(since_at)) if now < since_at.saturating_add(settle_ms) => {}
            (Some(MutedBy::Parent | MutedBy::Maintenance | MutedBy::Flapping) | None, _) => {
                self.unmute(now);
                self.told_opened(now);
            }
        }
    }

    /// Of one that is told: what its websites depend on is down as well, as was seen a little later, and as `said` says. From
    /// now on it is as if that had been seen first, but that whoever was told hears the end.
    pub fn mute_late(&mut self, said: &str, now: UtcMs) {
        self.incident.muted_by = Some(MutedBy::Parent);
        self.told_at = None;
        self.is_changed = true;
        self.push_own(IncidentEventKind::Muted, now, said);
    }

    /// Nobody is told, for another reason than before.
    fn mute_by(&mut self, by: MutedBy, now: UtcMs) {
        if self.incident.muted_by != Some(by) {
            self.incident.muted_by = Some(by);
            self.is_changed = true;
            self.push_own(IncidentEventKind::Muted, now, words::muted(by));
        }
    }

    /// People are told that it began, and of how many websites; who was told before it was muted hears of those that came
    /// since as of any growth.
    fn told_opened(&mut self, now: UtcMs) {
        let before = self.told_websites;
        self.told(now);
        if before > 0 {
            self.told_websites = before;
        }
    }

    /// People are told how many websites there are.
    pub fn told(&mut self, now: UtcMs) {
        self.told_websites = self.websites;
        self.told_at = Some(now);
        self.is_changed = true;
    }

    fn say(&mut self, change: &Change, kind: IncidentEventKind, at: UtcMs) {
        self.push(kind, change, at, change.what.said(&change.url, change.at, change.at));
    }

    fn push(&mut self, kind: IncidentEventKind, change: &Change, at: UtcMs, said: String) {
        let (website_id, evidence) = (Some(change.website_id), change.evidence.clone());
        self.events.push(IncidentEvent { at, kind, website_id, said, said_by: None, evidence });
    }

    fn push_own(&mut self, kind: IncidentEventKind, at: UtcMs, said: &str) {
        let said = said.to_owned();
        self.events.push(IncidentEvent { at, kind, website_id: None, said, said_by: None, evidence: Vec::new() });
    }
}

#[cfg(test)]
mod tests;
