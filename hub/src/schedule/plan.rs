//! The schedule in memory: pure. A website and region that is watched is one entry in a queue ordered by due time;
//! an edit leaves the old entry behind, which is recognised by its revision when it comes up.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::sync::Arc;

use crate::model::{RegionId, UtcMs, Website, WebsiteId, Worker, slots};

/// A check that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Which website.
    pub website: Arc<Website>,
    /// Where from.
    pub region_id: RegionId,
    /// The slot.
    pub slot_at: UtcMs,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    slot_at: UtcMs,
    website_id: WebsiteId,
    region: u16,
    revision: i64,
}

/// What is due when. Regions are numbered, so that an entry is small.
#[derive(Debug, Default)]
pub struct Plan {
    websites: HashMap<WebsiteId, Arc<Website>>,
    regions: Vec<(RegionId, UtcMs)>,
    queue: BinaryHeap<Reverse<Entry>>,
    /// Added to every phase; see [`Plan::set_back`].
    shift_ms: i64,
}

impl Plan {
    /// Websites watched.
    #[must_use]
    pub fn len(&self) -> usize {
        self.websites.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.websites.is_empty()
    }

    /// Notes a sign of life of a region; `true` when the region is new here.
    pub fn region_alive(&mut self, region: &RegionId, at: UtcMs, now: UtcMs) -> bool {
        if let Some(known) = self.regions.iter_mut().find(|(r, _)| r == region) {
            known.1 = known.1.max(at);
            return false;
        }
        let Ok(number) = u16::try_from(self.regions.len()) else { return false };
        self.regions.push((region.clone(), at));
        let entries: Vec<_> = self.websites.values().filter_map(|w| self.entry(w, number, now)).collect();
        self.queue.extend(entries.into_iter().map(Reverse));
        true
    }

    /// Regions with a worker heard of lately (P7).
    #[must_use]
    pub fn live_regions(&self, now: UtcMs) -> Vec<RegionId> {
        self.regions.iter().filter(|(_, at)| now - at < Worker::SILENT_AFTER_MS).map(|(r, _)| r.clone()).collect()
    }

    /// Whether a region has a worker heard of lately.
    #[must_use]
    pub fn is_live(&self, region: &RegionId, now: UtcMs) -> bool {
        self.regions.iter().any(|(r, at)| r == region && now - at < Worker::SILENT_AFTER_MS)
    }

    /// Adds a website or takes a newer revision of it; slots from `from` on.
    pub fn put(&mut self, website: Website, from: UtcMs) {
        let website = Arc::new(website);
        let known = self.websites.insert(website.website_id, website.clone());
        if known.is_some_and(|k| k.revision == website.revision) {
            return; // its entries are in the queue
        }
        for number in 0..self.regions.len() {
            let entry = u16::try_from(number).ok().and_then(|n| self.entry(&website, n, from));
            self.queue.extend(entry.map(Reverse));
        }
    }

    /// Forgets all websites but these.
    pub fn keep_only(&mut self, ids: &HashSet<WebsiteId>) {
        self.websites.retain(|id, _| ids.contains(id));
    }

    /// Goes on at `from`, after a suspend or a clock that jumped ahead: what lies between is passed over, not made up
    /// for (I8). Returns how many slots that are.
    pub fn skip_to(&mut self, from: UtcMs) -> u64 {
        let current = |e: &Entry| self.websites.get(&e.website_id).filter(|w| w.revision == e.revision);
        let passed = self.queue.iter().filter(|Reverse(e)| e.slot_at < from).filter_map(|Reverse(e)| {
            let interval = current(e)?.settings.interval_ms.max(1);
            u64::try_from((from - 1 - e.slot_at) / interval + 1).ok()
        });
        let passed = passed.sum();
        self.fill(from);
        passed
    }

    /// Goes on at `from`, which lies before what was planned: the clock was set back. Slots are named by their instant,
    /// and those names were used; a millisecond makes the new ones different. Signs of life are none from the future.
    pub fn set_back(&mut self, from: UtcMs) {
        self.shift_ms += 1;
        self.regions.iter_mut().for_each(|(_, at)| *at = (*at).min(from));
        self.fill(from);
    }

    fn fill(&mut self, from: UtcMs) {
        let mut queue = std::mem::take(&mut self.queue).into_vec();
        queue.clear();
        for website in self.websites.values() {
            let regions = (0..self.regions.len()).filter_map(|n| u16::try_from(n).ok());
            queue.extend(regions.filter_map(|n| self.entry(website, n, from)).map(Reverse));
        }
        self.queue = BinaryHeap::from(queue);
    }

    /// Forgets a website.
    pub fn remove(&mut self, id: WebsiteId) {
        self.websites.remove(&id);
    }

    /// The website, when it is watched.
    #[must_use]
    pub fn website(&self, id: WebsiteId) -> Option<&Arc<Website>> {
        self.websites.get(&id)
    }

    fn entry(&self, website: &Website, region: u16, from: UtcMs) -> Option<Entry> {
        let (name, _) = self.regions.get(usize::from(region))?;
        let settings = &website.settings;
        if !settings.watches_from(name) {
            return None;
        }
        let phase = slots::phase_ms(website.website_id, name, settings.interval_ms) + self.shift_ms;
        let slot_at = slots::next_slot_at(phase, settings.interval_ms, from);
        Some(Entry { slot_at, website_id: website.website_id, region, revision: website.revision })
    }

    /// Takes out what is due up to and including `until`; each comes up again one interval later.
    pub fn due(&mut self, until: UtcMs) -> Vec<Due> {
        let mut due = Vec::new();
        while self.queue.peek().is_some_and(|Reverse(e)| e.slot_at <= until) {
            let Some(Reverse(entry)) = self.queue.pop() else { break };
            let Some(website) = self.websites.get(&entry.website_id).filter(|w| w.revision == entry.revision) else {
                continue; // deleted, or edited since
            };
            let Some((region_id, _)) = self.regions.get(usize::from(entry.region)) else { continue };
            due.push(Due { website: website.clone(), region_id: region_id.clone(), slot_at: entry.slot_at });
            let next = Entry { slot_at: entry.slot_at + website.settings.interval_ms, ..entry };
            self.queue.push(Reverse(next));
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AccountId, WebsiteSettings};
    use uuid::Uuid;

    fn website(n: u128, interval_ms: i64) -> Website {
        let settings = WebsiteSettings { interval_ms, ..WebsiteSettings::new("http://a.example/".into()) };
        let (website_id, account_id) = (WebsiteId(Uuid::from_u128(n)), AccountId(Uuid::nil()));
        Website { website_id, account_id, settings, paused: false, created_at: 0, is_unreadable: false, revision: 1 }
    }

    fn region(name: &str) -> RegionId {
        name.parse().unwrap()
    }

    #[test]
    fn every_website_is_due_once_per_region_and_interval() {
        let mut plan = Plan::default();
        plan.region_alive(&region("A"), 0, 0);
        plan.region_alive(&region("B"), 0, 0);
        (0..100).for_each(|n| plan.put(website(n, 10_000), 0));
        let due = plan.due(29_999);
        assert_eq!(due.len(), 100 * 2 * 3);
        let distinct: HashSet<_> = due.iter().map(|d| (d.website.website_id, d.region_id.clone(), d.slot_at)).collect();
        assert_eq!(distinct.len(), due.len());
    }

    #[test]
    fn an_edit_replaces_the_old_slots_and_a_reload_does_not_double_them() {
        let mut plan = Plan::default();
        plan.region_alive(&region("A"), 0, 0);
        plan.put(website(1, 10_000), 0);
        plan.put(website(1, 10_000), 0);
        assert_eq!(plan.due(9_999).len(), 1);
        plan.put(Website { revision: 2, ..website(1, 30_000) }, 10_000);
        assert_eq!(plan.due(39_999).len(), 1);
        plan.remove(WebsiteId(Uuid::from_u128(1)));
        assert_eq!(plan.due(999_999), []);
    }

    #[test]
    fn a_region_that_appears_watches_what_is_there() {
        let mut plan = Plan::default();
        plan.put(website(1, 10_000), 0);
        let mut choosy = website(2, 10_000);
        choosy.settings.regions = vec![region("B")];
        plan.put(choosy, 0);
        assert!(plan.region_alive(&region("A"), 5, 0) && !plan.region_alive(&region("A"), 6, 0));
        assert_eq!(plan.due(9_999).len(), 1);
        assert!(plan.is_live(&region("A"), 35_000) && !plan.is_live(&region("A"), 35_006));
    }

    #[test]
    fn t201_a_clock_that_jumps_passes_over_slots_and_one_set_back_uses_no_name_twice() {
        let mut plan = Plan::default();
        plan.region_alive(&region("A"), 0, 0);
        (0..10).for_each(|n| plan.put(website(n, 10_000), 0));
        let before: HashSet<_> = plan.due(19_999).into_iter().map(|d| (d.website.website_id, d.slot_at)).collect();
        assert_eq!(before.len(), 20);
        assert_eq!(plan.skip_to(50_000), 30, "one minute was passed over, as a number");
        assert_eq!(plan.due(59_999).len(), 10);

        plan.set_back(0);
        let again: HashSet<_> = plan.due(19_999).into_iter().map(|d| (d.website.website_id, d.slot_at)).collect();
        assert_eq!((again.len(), again.intersection(&before).count()), (20, 0));
    }
}
