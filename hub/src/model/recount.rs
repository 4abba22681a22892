//! Verdicts counted again from stored ticks, by today's rules, to be held against what was decided when they came. Pure.
//!
//! What cannot be known is taken from the record: the verdict at the beginning, and what the owner did (edits, pauses).
//! Website and settings are those of now, also for the time before an edit.

use std::collections::BTreeMap;

use super::verdict::{self, is_owners_doing};
use super::{Outcome, RegionId, RegionState, Standing, StoredTick, Transition, UtcMs, Website, WebsiteState, flapping};

/// A count under way. Ticks are given in order of slot and are counted in the order in which they were received, as the
/// hub did; between the two lies no more than a tick may be late, so what waits here is bounded.
#[derive(Debug)]
pub struct Recount {
    website: Website,
    watched_since_at: UtcMs,
    state: WebsiteState,
    regions: Vec<RegionState>,
    /// By when they were received; the rest of the key makes the order one.
    waiting: BTreeMap<(UtcMs, UtcMs, u16, RegionId), StoredTick>,
    /// What the owner did, oldest first; each at when it was decided.
    doings: std::vec::IntoIter<Transition>,
    next_doing: Option<Transition>,
    /// Ticks received before this only tell what the regions had seen.
    from: UtcMs,
    transitions: Vec<Transition>,
    counted: u64,
    late: u64,
}

/// What came of a count.
#[derive(Debug)]
pub struct Recounted {
    /// Changes of verdict, in the order of decision. What the owner did is among them.
    pub transitions: Vec<Transition>,
    /// Ticks that had a vote.
    pub counted: u64,
    /// Ticks that came too late for one.
    pub late: u64,
}

impl Recount {
    /// How long before `from` ticks have to be known for the regions to stand as they did: ten looks are kept of each.
    #[must_use]
    pub fn warm_up_ms(website: &Website) -> i64 {
        let looks = RegionState::RECENT as i64 + 1;
        website.settings.interval_ms.saturating_mul(looks).max(2 * verdict::stale_after_ms(&website.settings))
    }

    /// Begins at `from`, with what held then: `before` are the changes decided before it, newest first; none of them: it was
    /// not known yet. `within` are those decided since, in order; only the owner's doings are taken over. The newest of
    /// these is known by `watched_since_at` as well.
    #[must_use]
    pub fn new(
        website: Website,
        watched_since_at: UtcMs,
        from: UtcMs,
        before: &[Transition],
        within: &[Transition],
    ) -> Self {
        let id = website.website_id;
        let mut state = WebsiteState::new(id, Outcome::Unknown, website.created_at, verdict::NOT_CHECKED.to_owned());
        for change in before.iter().rev() {
            let changed = WebsiteState::new(id, change.to, change.at, change.reason.clone());
            let known = std::mem::replace(&mut state, changed);
            if !is_owners_doing(&change.reason) {
                state.recent_changes = known.recent_changes;
                let _ = flapping::count(&mut state, change, website.settings.interval_ms);
            }
        }
        // As fresh as what the regions had said before is.
        state.fresh_until_at = (state.verdict != Outcome::Unknown).then_some(from);
        let mut doings: Vec<_> = within.iter().filter(|change| is_owners_doing(&change.reason)).cloned().collect();
        if is_changed_unseen(watched_since_at, from, within) {
            let at = watched_since_at;
            let (to, reason) = (Outcome::Unknown, verdict::EDITED.to_owned());
            doings.push(Transition { website_id: id, at, decided_at: at, from: to, to, reason });
        }
        let last_doing = before.iter().find(|change| is_owners_doing(&change.reason)).map(|change| change.decided_at);
        let mut doings = doings.into_iter();
        Self {
            // What is paused now was not when its ticks came.
            website: Website { paused: false, ..website },
            watched_since_at: if watched_since_at <= from { watched_since_at } else { last_doing.unwrap_or(0) },
            state,
            regions: Vec::new(),
            waiting: BTreeMap::new(),
            next_doing: doings.next(),
            doings,
            from,
            transitions: Vec::new(),
            counted: 0,
            late: 0,
        }
    }

    /// Changes of verdict so far.
    #[must_use]
    pub fn changes(&self) -> usize {
        self.transitions.len()
    }

    /// Takes the next tick, in order of slot.
    pub fn add(&mut self, tick: StoredTick) {
        if tick.marks.late {
            self.late += u64::from(tick.received_at >= self.from);
            return;
        }
        let slot_at = tick.tick.slot_at;
        let order = (tick.received_at, slot_at, tick.tick.attempt, tick.region_id.clone());
        self.waiting.insert(order, tick);
        // Whatever comes now has a later slot, and was received later still.
        self.count_until(slot_at);
    }

    /// As of `now`, when all ticks were given.
    #[must_use]
    pub fn finish(mut self, now: UtcMs) -> Recounted {
        self.count_until(now);
        self.do_until(now);
        let mut standing = self.standing(now);
        let transitions = standing.expire(now).transitions;
        self.transitions.extend(transitions);
        Recounted { transitions: self.transitions, counted: self.counted, late: self.late }
    }

    fn count_until(&mut self, at: UtcMs) {
        while let Some(next) = self.waiting.first_entry().filter(|next| next.key().0 <= at) {
            let tick = next.remove();
            self.count(&tick);
        }
    }

    fn count(&mut self, tick: &StoredTick) {
        let now = tick.received_at;
        self.do_until(now);
        if now < self.from {
            if tick.tick.slot_at >= self.watched_since_at {
                self.recall(tick);
            }
            return;
        }
        self.counted += 1;
        let mut standing = self.standing(now);
        let counted = standing.count(tick, now, UtcMs::MAX);
        self.keep(&standing);
        self.transitions.extend(counted.transitions);
    }

    fn standing(&self, now: UtcMs) -> Standing {
        let (state, regions) = (self.state.clone(), self.regions.clone());
        Standing::new(self.website.clone(), self.watched_since_at, state, regions, now)
    }

    fn keep(&mut self, standing: &Standing) {
        if let Some(state) = standing.exact_state() {
            self.state = state.clone();
        }
        for changed in standing.changed_regions() {
            match self.regions.iter_mut().find(|region| region.region_id == changed.region_id) {
                Some(region) => *region = changed.clone(),
                None => self.regions.push(changed.clone()),
            }
        }
    }

    /// What a region had seen before.
    fn recall(&mut self, tick: &StoredTick) {
        let known = self.regions.iter().position(|region| region.region_id == tick.region_id);
        let after = verdict::absorb(known.and_then(|place| self.regions.get(place)), tick, tick.received_at);
        let Some(after) = after else { return };
        match known.and_then(|place| self.regions.get_mut(place)) {
            Some(region) => *region = after,
            None => self.regions.push(after),
        }
    }

    /// What the owner did by then.
    fn do_until(&mut self, at: UtcMs) {
        while let Some(doing) = self.next_doing.take_if(|doing| doing.decided_at <= at) {
            self.next_doing = self.doings.next();
            let mut standing = self.standing(doing.decided_at);
            self.transitions.extend(standing.expire(doing.decided_at).transitions);
            self.keep(&standing);
            if self.state.verdict != Outcome::Unknown {
                self.transitions.push(Transition { from: self.state.verdict, ..doing.clone() });
            }
            self.watched_since_at = doing.decided_at;
            self.regions.clear();
            self.state =
                WebsiteState::new(self.website.website_id, Outcome::Unknown, doing.decided_at, doing.reason.clone());
        }
    }
}

/// A change as it was recorded, and as it was counted again; one of them at least.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// As stored.
    pub stored: Option<Transition>,
    /// As counted again.
    pub again: Option<Transition>,
}

impl Compared {
    /// Whether both say the same, whatever the words: those were others in earlier versions.
    #[must_use]
    pub fn agrees(&self) -> bool {
        match (&self.stored, &self.again) {
            (Some(stored), Some(again)) => (stored.at, stored.from, stored.to) == (again.at, again.from, again.to),
            (Some(_), None) | (None, Some(_)) | (None, None) => false,
        }
    }
}

/// Sets the changes side by side. Two belong together when they lead to the same verdict within `near_ms`, in order.
#[must_use]
pub fn compare(stored: &[Transition], again: &[Transition], near_ms: i64) -> Vec<Compared> {
    let is_near = |a: &Transition, b: &Transition| a.to == b.to && a.at.abs_diff(b.at) <= near_ms.unsigned_abs();
    let (mut left, mut right) = (stored.iter().peekable(), again.iter().peekable());
    let mut lines = Vec::with_capacity(stored.len().max(again.len()));
    loop {
        let (takes_left, takes_right) = match (left.peek(), right.peek()) {
            (None, None) => return lines,
            (Some(_), None) => (true, false),
            (None, Some(_)) => (false, true),
            (Some(a), Some(b)) if is_near(a, b) => (true, true),
            (Some(a), Some(b)) => (a.at <= b.at, a.at > b.at),
        };
        let stored = if takes_left { left.next().cloned() } else { None };
        let again = if takes_right { right.next().cloned() } else { None };
        lines.push(Compared { stored, again });
    }
}

/// Where the owner's doings show in the website, but not in the record: it was unknown when it was changed.
#[must_use]
pub fn is_changed_unseen(watched_since_at: UtcMs, from: UtcMs, within: &[Transition]) -> bool {
    let is_seen = |change: &Transition| is_owners_doing(&change.reason) && change.decided_at == watched_since_at;
    watched_since_at > from && !within.iter().any(is_seen)
}
