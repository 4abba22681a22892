//! A website that is watched, without a clock, a queue and a database: slots come due, looks that are asked for are made,
//! and everything is kept as the store keeps it, also what it does not write.

use std::collections::{BTreeMap, BTreeSet};

use super::{MINUTE, START, fresh, tick_at, website};
use crate::model::{
    Confirm, Notice, Outcome, RegionState, Standing, StoredTick, Transition, UtcMs, Website, WebsiteState,
};

/// Numbers that are the same in every run (splitmix64).
#[derive(Debug, Clone)]
pub(super) struct Random(pub u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        let wide = u128::from(self.next()) * end.max(1) as u128;
        (wide >> 64) as usize
    }

    pub(super) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(super) fn shuffle<T>(&mut self, list: &mut [T]) {
        for n in (1..list.len()).rev() {
            list.swap(n, self.below(n + 1));
        }
    }
}

/// What a store has of one website, written and read as ingest does.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) website: Website,
    pub(super) watched_since_at: UtcMs,
    pub(super) state: WebsiteState,
    pub(super) regions: Vec<RegionState>,
    seen: BTreeSet<(UtcMs, String, u16)>,
    pub(super) transitions: Vec<Transition>,
    pub(super) notices: Vec<Notice>,
    pub(super) ticks: Vec<StoredTick>,
}

impl Kept {
    pub(super) fn new() -> Self {
        Self {
            website: website(),
            watched_since_at: 0,
            state: fresh(),
            regions: Vec::new(),
            seen: BTreeSet::new(),
            transitions: Vec::new(),
            notices: Vec::new(),
            ticks: Vec::new(),
        }
    }

    fn standing(&self, now: UtcMs) -> Standing {
        Standing::new(self.website.clone(), self.watched_since_at, self.state.clone(), self.regions.clone(), now)
    }

    fn write_regions(&mut self, standing: &Standing) {
        for changed in standing.changed_regions() {
            match self.regions.iter_mut().find(|r| r.region_id == changed.region_id) {
                Some(region) => *region = changed.clone(),
                None => self.regions.push(changed.clone()),
            }
        }
    }

    /// A batch, in whatever order it comes.
    pub(super) fn ingest(&mut self, batch: &[StoredTick], now: UtcMs) -> Vec<Confirm> {
        self.ingest_read(batch, now, UtcMs::MAX)
    }

    /// The same, while ticks received after `read_until_at` are still to be read.
    pub(super) fn ingest_read(&mut self, batch: &[StoredTick], now: UtcMs, read_until_at: UtcMs) -> Vec<Confirm> {
        let mut standing = self.standing(now);
        let mut batch: Vec<&StoredTick> = batch.iter().collect();
        batch.sort_by_key(|t| (t.tick.slot_at, t.tick.attempt, &t.region_id));
        let mut confirm = Vec::new();
        for tick in batch {
            if self.seen.insert((tick.tick.slot_at, tick.region_id.to_string(), tick.tick.attempt)) {
                self.ticks.push(StoredTick { marks: standing.marks(tick), ..tick.clone() });
                let counted = standing.count(tick, now, read_until_at);
                self.transitions.extend(counted.transitions);
                self.notices.extend(counted.notices);
                confirm.extend(counted.confirm);
            }
        }
        self.write_regions(&standing);
        if let Some(state) = standing.changed_state() {
            self.state = state.clone();
        }
        confirm
    }

    /// What housekeeping does every few seconds.
    pub(super) fn expire(&mut self, now: UtcMs) {
        if self.state.fresh_until_at.is_none_or(|until| until >= now) {
            return;
        }
        let mut standing = self.standing(now);
        let counted = standing.expire(now);
        self.transitions.extend(counted.transitions);
        self.notices.extend(counted.notices);
        if let Some(state) = standing.exact_state() {
            self.state = state.clone();
        }
    }

    /// What the store does when its owner edits it, pauses it (`paused`) or resumes it.
    pub(super) fn change(&mut self, paused: bool, reason: &str, now: UtcMs) {
        self.website.paused = paused;
        self.watched_since_at = now;
        self.regions.clear();
        if self.state.verdict != Outcome::Unknown {
            self.transitions.push(Transition {
                website_id: self.website.website_id,
                at: now,
                decided_at: now,
                from: self.state.verdict,
                to: Outcome::Unknown,
                reason: reason.to_owned(),
            });
        }
        self.state = WebsiteState::new(self.website.website_id, Outcome::Unknown, now, reason.to_owned());
        self.state.fresh_until_at = (!paused).then_some(now + super::FIRST_LOOK_WITHIN_MS);
    }

    /// Changes of verdict as (minute, verdict).
    pub(super) fn changes(&self) -> Vec<(i64, Outcome)> {
        self.transitions.iter().map(|t| ((t.at - START).div_euclid(MINUTE), t.to)).collect()
    }

    /// Instants at which it began and ceased to flap.
    pub(super) fn flaps(&self) -> Vec<(UtcMs, bool)> {
        let of = |notice: &Notice| match notice {
            Notice::Flapping { at, is_flapping, .. } => Some((*at, *is_flapping)),
            Notice::Regional { .. }
            | Notice::CertificateNears { .. }
            | Notice::CertificateRenewed { .. }
            | Notice::IssuerChanged { .. } => None,
        };
        self.notices.iter().filter_map(of).collect()
    }

    /// Regions that fail alone, each time they changed, as (minute, names).
    pub(super) fn regional(&self) -> Vec<(i64, String)> {
        let of = |notice: &Notice| match notice {
            Notice::Regional { at, regions, .. } => {
                let names: Vec<_> = regions.iter().map(ToString::to_string).collect();
                Some(((at - START).div_euclid(MINUTE), names.join(",")))
            }
            Notice::Flapping { .. }
            | Notice::CertificateNears { .. }
            | Notice::CertificateRenewed { .. }
            | Notice::IssuerChanged { .. } => None,
        };
        self.notices.iter().filter_map(of).collect()
    }
}

/// A live installation: regions with phases of their own, second looks as they are asked for.
#[derive(Debug)]
pub(super) struct World {
    pub(super) kept: Kept,
    /// What is to come, in order: a look (region, slot, attempt), made at its instant.
    due: BTreeMap<(UtcMs, u64), (String, UtcMs, u16)>,
    number: u64,
    /// Second looks that were asked for.
    pub(super) confirmed: usize,
}

impl World {
    pub(super) fn new() -> Self {
        Self { kept: Kept::new(), due: BTreeMap::new(), number: 0, confirmed: 0 }
    }

    fn plan(&mut self, at: UtcMs, look: (String, UtcMs, u16)) {
        self.number += 1;
        self.due.insert((at, self.number), look);
    }

    /// The slots of `regions` in `[from, to)`, spread over the interval.
    pub(super) fn slots(&mut self, regions: &[&str], from: UtcMs, to: UtcMs) {
        let interval_ms = self.kept.website.settings.interval_ms;
        for (n, region) in (0_i64..).zip(regions) {
            let mut slot_at = from + n * interval_ms / regions.len() as i64;
            while slot_at < to {
                self.plan(slot_at, ((*region).to_owned(), slot_at, 0));
                slot_at += interval_ms;
            }
        }
    }

    /// Lets everything happen, with housekeeping every 5 s. `look` tells what comes of a look (region, instant): a letter of
    /// [`tick_at`], or none when nobody hears of it.
    pub(super) fn run(&mut self, until: UtcMs, mut look: impl FnMut(&str, UtcMs) -> Option<char>) {
        let mut clock = self.due.first_key_value().map_or(until, |((at, _), _)| *at);
        while clock < until {
            while let Some(((at, number), (region, slot_at, attempt))) = self.due.pop_first() {
                if at >= clock + 5_000 || at >= until {
                    self.due.insert((at, number), (region, slot_at, attempt));
                    break;
                }
                let Some(letter) = look(&region, at) else { continue };
                let received_at = at + 200;
                let tick = StoredTick { received_at, ..tick_at(&region, slot_at, attempt, letter) };
                for asked in self.kept.ingest(&[tick], received_at) {
                    self.confirmed += asked.regions.len();
                    for region in &asked.regions {
                        let look = (region.to_string(), asked.slot_at, asked.attempt);
                        self.plan(received_at + asked.delay_ms, look);
                    }
                }
            }
            clock = (clock + 5_000).min(until);
            self.kept.expire(clock);
        }
    }
}
