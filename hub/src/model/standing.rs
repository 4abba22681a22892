//! A website with all that is known of it, while ticks are counted in: what an ingest transaction reads, changes and
//! writes back. Pure; the database is somebody else's.

use std::collections::BTreeSet;

use super::late::{self, Marks};
use super::region::CLOCK_ERROR_MS;
use super::{
    Confirm, Notice, Outcome, RegionState, StoredTick, Transition, UtcMs, Website, WebsiteKind, WebsiteState, backoff,
    certificate, confirm, flapping, issuer, job, regional, verdict,
};

/// Slots are the hub's own; hubs' clocks may differ by a little.
const FUTURE_MS: i64 = 5 * 60_000;

/// What is known of a website, and what of it is to be written.
#[derive(Debug)]
pub struct Standing {
    website: Website,
    /// Ticks of older slots are about another URL, or from before a pause.
    watched_since_at: UtcMs,
    stored: WebsiteState,
    state: WebsiteState,
    regions: Vec<RegionState>,
    touched: BTreeSet<usize>,
}

/// What follows from one tick.
#[derive(Debug, Default)]
pub struct Counted {
    /// Verdicts that changed, in order.
    pub transitions: Vec<Transition>,
    /// What else changed.
    pub notices: Vec<Notice>,
    /// A second look that is wanted.
    pub confirm: Option<Confirm>,
}

impl Standing {
    /// As stored, the website with the interval that holds on its host ([`super::shares`]). The stored end of freshness may
    /// lag behind what the regions say (see [`Standing::changed_state`]).
    #[must_use]
    pub fn new(
        website: Website,
        watched_since_at: UtcMs,
        stored: WebsiteState,
        regions: Vec<RegionState>,
        now: UtcMs,
    ) -> Self {
        // By the pace that held at the last tick, as it was judged then: what is down for an hour by now was not.
        let ticks = regions.iter().map(|region| region.received_at);
        let last_at = ticks.filter(|at| *at <= now.saturating_add(CLOCK_ERROR_MS)).max().unwrap_or(now);
        let known = verdict::fresh_until(&backoff::paced(&website, &stored, last_at), &regions, now);
        // What a job said does not grow old: what is stored is when its flapping is to be looked at.
        let known = known.filter(|_| website.kind == WebsiteKind::Http);
        let fresh_until_at = stored.fresh_until_at.map(|at| known.map_or(at, |known| known.max(at)));
        let state = WebsiteState { fresh_until_at, ..stored.clone() };
        Self { website, watched_since_at, stored, state, regions, touched: BTreeSet::new() }
    }

    /// Which website.
    #[must_use]
    pub fn website(&self) -> &Website {
        &self.website
    }

    /// What the regions last saw, in no order.
    #[must_use]
    pub fn regions(&self) -> &[RegionState] {
        &self.regions
    }

    /// What they say together.
    #[must_use]
    pub fn verdict(&self) -> Outcome {
        self.state.verdict
    }

    /// Why a tick may not be stored; `newest`: the newest slot that a hub may have asked for. One far ahead of that would keep
    /// its region's state from ever moving again.
    #[must_use]
    pub fn refusal(&self, tick: &StoredTick, newest: UtcMs) -> Option<&'static str> {
        // Only pings are ticks of a job, and those do not come from a queue.
        if self.website.kind == WebsiteKind::Job || !self.website.settings.watches_from(&tick.region_id) {
            return Some("not_assigned: the website is not watched from this region");
        }
        (tick.tick.slot_at > newest.saturating_add(FUTURE_MS))
            .then_some("slot_in_future: no hub has asked for this check yet")
    }

    /// [`late::marks`] of a tick of this website, by the pace that holds for what is known so far.
    #[must_use]
    pub fn marks(&self, tick: &StoredTick) -> Marks {
        late::marks(&backoff::paced(&self.website, &self.state, tick.received_at).settings, tick)
    }

    /// Counts one new tick in. Freshness is judged as of when the tick was received, so that a backlog leaves the same
    /// record as ticks taken in at once (I9); and no later than `read_until_at`, up to which all that was received is known:
    /// a region whose ticks are still to be read is not silent. A late tick is history and moves nothing but the time.
    pub fn count(&mut self, tick: &StoredTick, now: UtcMs, read_until_at: UtcMs) -> Counted {
        let mut counted = Counted::default();
        // It says nothing about what is watched now. What is watched since a time to come was changed before the clock was
        // set back; a little later than now it was changed while this batch waited for it.
        let is_past =
            self.watched_since_at <= now.saturating_add(CLOCK_ERROR_MS) && tick.tick.slot_at < self.watched_since_at;
        if self.website.paused || is_past {
            return counted; // kept as history
        }
        // As known before it, wherever the batch began (I9).
        let is_late = self.marks(tick).late;
        let as_of = tick.received_at.min(read_until_at);
        self.run_out(as_of, &mut counted);
        if !is_late {
            self.absorb(tick, now, as_of, &mut counted);
        }
        for transition in &mut counted.transitions {
            transition.decided_at = now;
        }
        counted
    }

    fn absorb(&mut self, tick: &StoredTick, now: UtcMs, as_of: UtcMs, counted: &mut Counted) {
        let before = self.regions.iter().find(|region| region.region_id == tick.region_id);
        let certificate_before_at = before.and_then(|region| region.certificate_not_after_at);
        if !self.see(tick, now) {
            return;
        }
        let (state, transition) = verdict::judge(&self.website, &self.state, &self.regions, as_of);
        self.state = state;
        self.follow(transition, counted);
        counted.notices.extend(regional::judge(&self.website, &mut self.state, &self.regions, as_of));
        self.look_at_certificate(tick, certificate_before_at, as_of, counted);
        self.keep_in_sight();
        // Of a backlog nothing is left to confirm.
        let paced = backoff::paced(&self.website, &self.state, now);
        let is_current = now.saturating_sub(tick.received_at) <= verdict::stale_after_ms(&paced.settings);
        if is_current {
            counted.confirm = confirm::wanted(&self.website, &self.state, &self.regions, tick, now);
        }
    }

    /// Takes a tick into the state of its region; `false`: that knows newer ones.
    fn see(&mut self, tick: &StoredTick, now: UtcMs) -> bool {
        let place = self.regions.iter().position(|r| r.region_id == tick.region_id);
        let Some(state) = verdict::absorb(place.map(|p| &self.regions[p]), tick, now) else { return false };
        let place = match place {
            Some(place) => {
                self.regions[place] = state;
                place
            }
            None => {
                self.regions.push(state);
                self.regions.len() - 1
            }
        };
        self.touched.insert(place);
        true
    }

    fn look_at_certificate(
        &mut self,
        tick: &StoredTick,
        before_at: Option<UtcMs>,
        as_of: UtcMs,
        counted: &mut Counted,
    ) {
        let (website, state, regions) = (&self.website, &mut self.state, self.regions.as_slice());
        if let Some(seen) = certificate::of_website(&tick.tick) {
            counted.notices.extend(issuer::judge(website.website_id, state, regions, tick, seen, before_at));
        } else if state.near_end.is_none() {
            return;
        }
        let since_at = self.watched_since_at.max(website.created_at);
        counted.notices.extend(certificate::judge(website, since_at, state, regions, tick, as_of));
    }

    /// The verdict turns to unknown when its last fresh tick is too old by now; and what flaps no longer ceases to.
    pub fn expire(&mut self, now: UtcMs) -> Counted {
        let mut counted = Counted::default();
        self.run_out(now, &mut counted);
        counted
    }

    /// What time alone changes, as of `now`.
    fn run_out(&mut self, now: UtcMs, counted: &mut Counted) {
        if self.website.kind == WebsiteKind::Job {
            let interval_ms = self.website.settings.interval_ms;
            counted.notices.extend(flapping::end(&mut self.state, interval_ms, now));
            self.state.fresh_until_at = flapping::ends_at(&self.state, interval_ms);
            return;
        }
        if let Some((state, transition)) = verdict::expire(&self.state, now) {
            self.state = state;
            if transition.is_some() {
                counted.notices.extend(regional::end(&mut self.state));
            }
            self.follow(transition, counted);
        }
        counted.notices.extend(flapping::end(&mut self.state, self.website.settings.interval_ms, now));
        self.keep_in_sight();
    }

    /// Takes over what a job's ping, or its absence, says. `tick`: the same as a tick, where it is one.
    pub fn decide(&mut self, decided: &job::Verdict, tick: Option<&StoredTick>, now: UtcMs) -> Counted {
        let mut counted = Counted::default();
        self.run_out(now, &mut counted);
        if let Some(tick) = tick {
            self.see(tick, now);
        }
        let before = &self.state;
        let (verdict, reason) = (decided.outcome, decided.reason.clone());
        if verdict == before.verdict {
            self.state.reason = reason;
            return counted;
        }
        let at = decided.at.max(before.since_at);
        let (website_id, from) = (before.website_id, before.verdict);
        let transition = Transition { website_id, at, decided_at: now, from, to: verdict, reason: reason.clone() };
        self.state = WebsiteState { verdict, since_at: at, reason, ..before.clone() };
        self.follow(Some(transition), &mut counted);
        self.state.fresh_until_at = flapping::ends_at(&self.state, self.website.settings.interval_ms);
        counted
    }

    fn follow(&mut self, transition: Option<Transition>, counted: &mut Counted) {
        let Some(transition) = transition else { return };
        counted.notices.extend(flapping::count(&mut self.state, &transition, self.website.settings.interval_ms));
        counted.transitions.push(transition);
    }

    /// One that flaps and of which nothing is known has no tick to end it, so it runs out once more, when that is due.
    fn keep_in_sight(&mut self) {
        if self.state.verdict == Outcome::Unknown && self.state.fresh_until_at.is_none() {
            self.state.fresh_until_at = flapping::ends_at(&self.state, self.website.settings.interval_ms);
        }
    }

    /// The change of verdict with which it went down, as far as it is known still: what it was before is not. `None`: it is
    /// not down.
    #[must_use]
    pub fn outage(&self, now: UtcMs) -> Option<Transition> {
        let state = &self.state;
        (state.verdict == Outcome::Down).then(|| Transition {
            website_id: state.website_id,
            at: state.since_at,
            decided_at: now,
            from: Outcome::Unknown,
            to: Outcome::Down,
            reason: state.reason.clone(),
        })
    }

    /// Whether its look at once (it was added, edited or resumed) has not come, as far as is stored: whoever was to see to
    /// it may be gone.
    #[must_use]
    pub fn lacks_first_look(&self) -> bool {
        let is_waiting = self.stored.verdict == Outcome::Unknown && self.stored.fresh_until_at.is_some();
        is_waiting && self.regions.is_empty() && !self.website.paused
    }

    /// States of regions that changed.
    pub fn changed_regions(&self) -> impl Iterator<Item = &RegionState> {
        self.touched.iter().filter_map(|place| self.regions.get(*place))
    }

    /// The verdict, when it is worth a write. The end of freshness moves with every tick; it is written when it has moved
    /// by half of what a tick is worth, or back. What is stored is thus never later than the truth, and whoever finds it
    /// passed looks at the regions before he believes it.
    #[must_use]
    pub fn changed_state(&self) -> Option<&WebsiteState> {
        let (before, after) = (&self.stored, &self.state);
        let is_same = (before.verdict, before.since_at, &before.reason)
            == (after.verdict, after.since_at, &after.reason)
            && (&before.recent_changes, before.flapping_since_at) == (&after.recent_changes, after.flapping_since_at)
            && before.failing_regions == after.failing_regions
            && (before.near_end, &before.certificates) == (after.near_end, &after.certificates);
        let worth_ms = verdict::stale_after_ms(&self.website.settings) / 2;
        let stands = match (before.fresh_until_at, after.fresh_until_at) {
            (Some(before), Some(after)) => (0..worth_ms).contains(&after.saturating_sub(before)),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        (!is_same || !stands).then_some(after)
    }

    /// The verdict with its end of freshness, when what is stored is not that.
    #[must_use]
    pub fn exact_state(&self) -> Option<&WebsiteState> {
        (self.stored != self.state).then_some(&self.state)
    }
}
