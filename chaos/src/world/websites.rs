//! What is watched, and from where.

use hub::model::{RegionId, WebsiteId, slots};

use super::{REGIONS, Size, World};
use crate::now;
use crate::target::Manner;

/// How long a website may take, in milliseconds.
pub const TIMEOUT_MS: i64 = 5_000;

/// Time between two slots of most websites, in milliseconds. Slots are made good for half of it; what a hub had when it was
/// killed is handed out again 3 to 4 s later, which leaves a busy machine 2 s.
pub const QUICK_MS: i64 = 12_000;

/// A website of the world.
#[derive(Debug, Clone)]
pub struct Website {
    /// Its id.
    pub id: WebsiteId,
    /// How it behaves.
    pub manner: Manner,
    /// Time between two slots.
    pub interval_ms: i64,
    /// The region that watches it; `None`: both.
    pub region: Option<usize>,
}

/// A website as one region watches it.
#[derive(Debug, Clone)]
pub struct Place {
    /// Number of the website.
    pub website: usize,
    /// Number of the region.
    pub region: usize,
    /// Time between two slots.
    pub interval_ms: i64,
    /// Where in the interval they are.
    pub phase_ms: i64,
}

impl World {
    /// Writes websites to the database, at once; hubs that run do not hear of it. `looked`: as if all had been looked at
    /// before, so that nobody looks at all of them at once.
    pub(crate) fn add_websites(&self, numbers: std::ops::Range<usize>, looked: bool) {
        let created_at = now();
        let account = uuid::Uuid::from_u128(0xACC);
        let mut sql = format!(
            "insert into account (account_id, username, username_key, password_hash, created_at) \
             values ('{account}', 'chaos', 'chaos', 'none', {created_at}) on conflict do nothing;"
        );
        for n in numbers {
            let website = &self.websites[n];
            let regions = website.region.map_or("", |r| REGIONS[r]);
            sql += &format!(
                "insert into website (website_id, account_id, url, interval_ms, timeout_ms, regions, created_at) values \
                 ('{id}', '{account}', 'http://{host}/{n}', {interval}, {TIMEOUT_MS}, '{regions}', {created_at}); \
                 insert into website_state (website_id, verdict, since_at, reason) \
                 values ('{id}', 'unknown', {created_at}, 'new');",
                id = website.id.0,
                host = self.targets.host(n),
                interval = website.interval_ms,
            );
            if looked {
                sql += &format!(
                    "insert into region_state (website_id, region_id, worker_id, slot_at, attempt, received_at, outcome, \
                     total_us, failing_streak, good_streak, recent) \
                     values ('{}', '{}', 'w0', 0, 0, 0, 'up', 0, 0, 0, '');",
                    website.id.0, REGIONS[0]
                );
            }
        }
        self.postgres.session().execute(&sql);
    }
}

/// Every manner, interval and choice of regions in each dozen.
pub(super) fn website(n: usize, size: &Size) -> Website {
    let manner = match n % 10 {
        3 | 7 => Manner::Slow,
        9 => Manner::Scripted,
        _ => Manner::Well,
    };
    let manner = if size.examined { manner } else { Manner::Well };
    let is_long = size.examined && n % 6 == 1 && manner == Manner::Well;
    // Where speed is measured nothing is killed.
    let quick_ms = if size.examined { QUICK_MS } else { 10_000 };
    Website {
        id: WebsiteId(uuid::Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + n as u128)),
        manner,
        interval_ms: if is_long { size.long_interval_ms } else { quick_ms },
        region: match (manner, n % 3) {
            _ if !size.examined => None,
            (Manner::Scripted, _) | (_, 2) => None,
            (Manner::Well | Manner::Slow, region) => Some(region),
        },
    }
}

pub(super) fn places(n: usize, website: &Website) -> Vec<Place> {
    let watching = (0..REGIONS.len()).filter(|r| website.region.is_none_or(|only| only == *r));
    watching
        .map(|region| {
            let name: RegionId = REGIONS[region].parse().unwrap();
            let interval_ms = website.interval_ms;
            Place { website: n, region, interval_ms, phase_ms: slots::phase_ms(website.id, &name, interval_ms) }
        })
        .collect()
}
