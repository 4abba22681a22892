//! The schedule in memory: pure. Slots are periodic, so nothing moves when one comes: per interval and region there is one
//! ordered set of (phase, website), and a second is a range of it. A million websites are about 200 bytes each.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::model::courtesy::{HostKey, Limit};
use crate::model::{RegionId, UtcMs, Website, WebsiteId, Worker};

mod hosts;
mod index;
mod watched;

use hosts::Hosts;
use index::Index;
pub use watched::Watched;

/// A check that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// Place of the website, while its stamp is the same.
    pub(super) website: u32,
    pub(super) stamp: u32,
    pub(super) region: u16,
    /// It stands in the line of those that are late.
    pub in_line: bool,
    /// The slot.
    pub slot_at: UtcMs,
    /// When it is to be published: later than its slot where its host has many.
    pub publish_at: UtcMs,
}

/// Region's number and website's place by phase, for one interval.
type Phases = BTreeMap<u16, BTreeSet<(u32, u32)>>;

/// What is due when.
#[derive(Debug, Default)]
pub struct Plan {
    /// Of the websites, by their id.
    places: Index,
    websites: Vec<Option<Watched>>,
    free: Vec<u32>,
    by_interval: BTreeMap<u32, Phases>,
    /// Regions by number, with the last sign of life.
    regions: Vec<(RegionId, UtcMs)>,
    /// Those that count in what hosts are asked for, as all hubs have them.
    asking: BTreeSet<RegionId>,
    hosts: Hosts,
    /// Added to every phase; see [`Plan::shift`].
    shift_ms: i64,
    /// The last stamp given: a website as it was put is known by it.
    stamp: u32,
    /// Which reading of all websites the newest was.
    reading: u32,
}

impl Plan {
    /// An empty one that gives no host more than `limit`.
    #[must_use]
    pub fn new(limit: Limit) -> Self {
        Self { hosts: Hosts::new(limit), ..Self::default() }
    }

    /// Websites watched.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Notes a sign of life of a region; `true` when the region is new here.
    pub fn region_alive(&mut self, region: &RegionId, at: UtcMs) -> bool {
        if let Some(known) = self.regions.iter_mut().find(|(r, _)| r == region) {
            known.1 = known.1.max(at);
            return false;
        }
        let Ok(number) = u16::try_from(self.regions.len()) else { return false };
        self.regions.push((region.clone(), at));
        self.asking.insert(region.clone());
        let mut added: BTreeMap<u32, Vec<(u32, u32)>> = BTreeMap::new();
        for (place, website) in (0_u32..).zip(&self.websites) {
            let Some(website) = website.as_ref().filter(|w| w.watches_from(region)) else { continue };
            added.entry(website.interval_ms).or_default().push((website.phase_ms(region), place));
        }
        for (interval_ms, phases) in added {
            self.by_interval.entry(interval_ms).or_default().insert(number, phases.into_iter().collect());
        }
        self.hosts.weigh_all(&self.websites, self.asking.len());
        true
    }

    /// These regions are of those that look; one that is gone for good takes nothing from the others.
    pub fn regions_asking(&mut self, asking: BTreeSet<RegionId>) {
        let number = asking.len();
        if std::mem::replace(&mut self.asking, asking).len() != number {
            self.hosts.weigh_all(&self.websites, number);
        }
    }

    /// Whether a region counts in what hosts are asked for.
    #[must_use]
    pub fn is_asking(&self, region: &RegionId) -> bool {
        self.asking.contains(region)
    }

    /// Regions with a worker heard of lately (P7).
    #[must_use]
    pub fn live_regions(&self, now: UtcMs) -> Vec<RegionId> {
        self.regions.iter().filter(|(_, at)| now - at < Worker::SILENT_AFTER_MS).map(|(r, _)| r.clone()).collect()
    }

    /// How long a region has been silent; without end where nothing was ever heard of it.
    #[must_use]
    pub fn silent_ms(&self, region: &RegionId, now: UtcMs) -> i64 {
        self.regions.iter().find(|(known, _)| known == region).map_or(i64::MAX, |(_, at)| now.saturating_sub(*at))
    }

    /// Whether a region has a worker heard of lately.
    #[must_use]
    pub fn is_live(&self, region: &RegionId, now: UtcMs) -> bool {
        self.regions.iter().any(|(r, at)| r == region && now - at < Worker::SILENT_AFTER_MS)
    }

    /// Checks of a region per second, as the plan has it.
    #[must_use]
    pub fn rate_per_s(&self, region: &RegionId) -> f64 {
        let number = (0_u16..).zip(&self.regions).find(|(_, (r, _))| r == region).map(|(n, _)| n);
        let of = |(interval_ms, phases): (&u32, &Phases)| {
            let websites = number.and_then(|n| phases.get(&n)).map_or(0, BTreeSet::len);
            websites as f64 * 1_000.0 / f64::from(*interval_ms)
        };
        self.by_interval.iter().map(of).sum()
    }

    /// Adds a website or takes a newer revision of it.
    pub fn put(&mut self, website: &Website) {
        let id = website.website_id;
        if let Some(known) = self.place(id).and_then(|place| self.websites.get_mut(place as usize)?.as_mut()) {
            known.reading = self.reading;
            if known.revision == website.revision {
                return;
            }
        }
        self.remove(id);
        self.stamp = self.stamp.wrapping_add(1);
        let watched = Watched::new(website, self.stamp, self.reading);
        let place = match self.free.pop() {
            Some(place) => place,
            None => {
                let Ok(place) = u32::try_from(self.websites.len()) else { return };
                self.websites.push(None);
                place
            }
        };
        let phases = self.by_interval.entry(watched.interval_ms).or_default();
        for (number, (region, _)) in (0_u16..).zip(&self.regions) {
            if watched.watches_from(region) {
                phases.entry(number).or_default().insert((watched.phase_ms(region), place));
            }
        }
        if let Some(slot) = self.websites.get_mut(place as usize) {
            *slot = Some(watched);
        }
        self.places.insert(id, place, id_at(&self.websites));
        self.hosts.come(place, &self.websites, self.asking.len());
    }

    fn place(&self, id: WebsiteId) -> Option<u32> {
        self.places.find(id, id_at(&self.websites))
    }

    /// Forgets a website.
    pub fn remove(&mut self, id: WebsiteId) {
        let Some(place) = self.places.remove(id, id_at(&self.websites)) else { return };
        self.hosts.go(place, &self.websites, self.asking.len());
        let Some(website) = self.websites.get_mut(place as usize).and_then(Option::take) else { return };
        if let Some(phases) = self.by_interval.get_mut(&website.interval_ms) {
            for (number, (region, _)) in (0_u16..).zip(&self.regions) {
                if let Some(set) = phases.get_mut(&number) {
                    set.remove(&(website.phase_ms(region), place));
                }
            }
            phases.retain(|_, set| !set.is_empty());
            if phases.is_empty() {
                self.by_interval.remove(&website.interval_ms);
            }
        }
        self.free.push(place);
    }

    /// Hosts that are asked for more than they may get, with the share of their slots that is used.
    #[must_use]
    pub fn crowded(&self) -> &HashMap<HostKey, f64> {
        self.hosts.crowded()
    }

    /// All websites are about to be put again.
    pub fn begin_reading(&mut self) {
        self.reading = self.reading.wrapping_add(1);
    }

    /// Forgets the websites that were not put since.
    pub fn end_reading(&mut self) {
        let gone = self.websites.iter().flatten().filter(|w| w.reading != self.reading).map(|w| w.website_id);
        for id in gone.collect::<Vec<_>>() {
            self.remove(id);
        }
    }

    /// The website, when it is watched.
    #[must_use]
    pub fn website(&self, id: WebsiteId) -> Option<&Watched> {
        self.websites.get(self.place(id)? as usize)?.as_ref()
    }

    /// What a check that was due is about; `None` when the website was edited or deleted since.
    #[must_use]
    pub fn of(&self, due: &Due) -> Option<(&Watched, &RegionId)> {
        let website = self.websites.get(due.website as usize)?.as_ref().filter(|w| w.stamp == due.stamp)?;
        Some((website, &self.regions.get(usize::from(due.region))?.0))
    }

    /// The slots of a second, in order.
    #[must_use]
    pub fn second(&self, second: i64) -> Vec<Due> {
        let (begin_at, mut due) = (second * 1_000, Vec::new());
        for (interval_ms, phases) in &self.by_interval {
            let interval = i64::from(*interval_ms);
            // Phases of this second; they may go round the end of the interval.
            let first = (begin_at - self.shift_ms).rem_euclid(interval);
            for (region, set) in phases {
                let mut take = |from: i64, until: i64, begin_at: UtcMs| {
                    let (Ok(low), Ok(high)) = (u32::try_from(from), u32::try_from(until)) else { return };
                    for (phase, place) in set.range((low, 0)..(high, 0)) {
                        let Some(website) = self.websites.get(*place as usize).and_then(Option::as_ref) else {
                            continue;
                        };
                        let slot_at = begin_at + i64::from(*phase) - from;
                        let (website, stamp) = (*place, website.stamp);
                        due.push(Due { website, stamp, region: *region, in_line: false, slot_at, publish_at: slot_at });
                    }
                };
                take(first, (first + 1_000).min(interval), begin_at);
                if first + 1_000 > interval {
                    take(0, first + 1_000 - interval, begin_at + interval - first);
                }
            }
        }
        // Places and numbers differ between hubs, which are to stand in line in one order.
        let name = |d: &Due| self.of(d).map(|(website, region)| (website.website_id, region));
        due.sort_by(|a, b| a.slot_at.cmp(&b.slot_at).then_with(|| name(a).cmp(&name(b))));
        due
    }

    /// How many slots come in a span of time: known without going through it, since it may be a week.
    #[must_use]
    pub fn count(&self, span_ms: i64) -> u64 {
        let of = |(interval_ms, phases): (&u32, &Phases)| {
            let websites = phases.values().map(|set| set.len() as u64).sum::<u64>();
            websites * u64::try_from(span_ms / i64::from(*interval_ms)).unwrap_or(0)
        };
        self.by_interval.iter().map(of).sum()
    }

    /// What is added to the slots. Slots are named by their instant: after a clock was set back the names were used, and
    /// a millisecond makes the new ones different. Signs of life are none from the future.
    pub fn shift(&mut self, shift_ms: i64, now: UtcMs) {
        self.shift_ms = shift_ms;
        self.regions.iter_mut().for_each(|(_, at)| *at = (*at).min(now));
    }

    /// What is added now.
    #[must_use]
    pub fn shift_ms(&self) -> i64 {
        self.shift_ms
    }
}

fn id_at(websites: &[Option<Watched>]) -> impl Fn(u32) -> Option<WebsiteId> {
    |place| Some(websites.get(place as usize)?.as_ref()?.website_id)
}

#[cfg(test)]
mod tests;
