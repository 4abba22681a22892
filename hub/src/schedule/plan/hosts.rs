//! What hosts are asked for, and which of them are crowded. Most hosts have one website; a million of those are looked up
//! by the website's place and have no entry of their own.

use std::collections::HashMap;

use super::Watched;
use super::index::Index;
use crate::model::courtesy::{HostKey, Limit};

/// What a host is asked for per day: by websites watched from everywhere, per region; and by others.
#[derive(Debug, Default, Clone, Copy)]
struct Demand {
    everywhere: u64,
    named: u64,
    websites: u32,
}

impl Demand {
    fn of(website: &Watched) -> Self {
        let (per_region, regions) = website.demand();
        let (everywhere, named) = match regions {
            0 => (u64::from(per_region), 0),
            regions => (0, u64::from(per_region) * u64::from(regions)),
        };
        Self { everywhere, named, websites: 1 }
    }

    fn and(self, other: Self) -> Self {
        Self {
            everywhere: self.everywhere + other.everywhere,
            named: self.named + other.named,
            websites: self.websites + other.websites,
        }
    }

    fn without(self, other: Self) -> Self {
        Self {
            everywhere: self.everywhere.saturating_sub(other.everywhere),
            named: self.named.saturating_sub(other.named),
            websites: self.websites.saturating_sub(other.websites),
        }
    }
}

/// The hosts of all websites. Each call is given the websites by place.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    limit: Limit,
    /// The websites that have a host of their own.
    alone: Index,
    /// Hosts that had several at some time and have one still.
    shared: HashMap<HostKey, Demand>,
    /// Hosts that are asked for more than they may get, with the share of their slots that is used.
    crowded: HashMap<HostKey, f64>,
}

type Websites = [Option<Watched>];

fn at(websites: &Websites, place: u32) -> Option<&Watched> {
    websites.get(place as usize)?.as_ref()
}

impl Hosts {
    pub(super) fn new(limit: Limit) -> Self {
        Self { limit, ..Self::default() }
    }

    pub(super) fn crowded(&self) -> &HashMap<HostKey, f64> {
        &self.crowded
    }

    /// A website came to its place.
    pub(super) fn come(&mut self, place: u32, websites: &Websites, regions: usize) {
        let Some(website) = at(websites, place) else { return };
        let (host, key_of) = (website.host, |place| Some(at(websites, place)?.host));
        let mut demand = Demand::of(website);
        if let Some(shared) = self.shared.get_mut(&host) {
            *shared = shared.and(demand);
            demand = *shared;
        } else if let Some(other) = self.alone.remove(host, key_of).and_then(|other| at(websites, other)) {
            demand = demand.and(Demand::of(other));
            self.shared.insert(host, demand);
        } else {
            self.alone.insert(host, place, key_of);
        }
        self.weigh(host, demand, regions);
    }

    /// A website is about to leave its place.
    pub(super) fn go(&mut self, place: u32, websites: &Websites, regions: usize) {
        let Some(website) = at(websites, place) else { return };
        let host = website.host;
        let mut left = Demand::default();
        if let Some(shared) = self.shared.get_mut(&host) {
            *shared = shared.without(Demand::of(website));
            left = *shared;
            if left.websites == 0 {
                self.shared.remove(&host);
            }
        } else {
            self.alone.remove(host, |place| Some(at(websites, place)?.host));
        }
        self.weigh(host, left, regions);
    }

    /// There are more regions now.
    pub(super) fn weigh_all(&mut self, websites: &Websites, regions: usize) {
        let alone: Vec<_> = self.alone.places().filter_map(|place| at(websites, place)).collect();
        for website in alone {
            self.weigh(website.host, Demand::of(website), regions);
        }
        for (host, demand) in self.shared.clone() {
            self.weigh(host, demand, regions);
        }
    }

    fn weigh(&mut self, host: HostKey, demand: Demand, regions: usize) {
        let per_day = demand.everywhere as f64 * regions as f64 + demand.named as f64;
        let share = self.limit.share(per_day / 86_400.0);
        if share < 1.0 {
            self.crowded.insert(host, share);
        } else {
            self.crowded.remove(&host);
        }
    }
}
