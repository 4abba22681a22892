//! A start: what was done before, who lives, and all websites, page by page.

use std::collections::{HashMap, HashSet};

use anyhow::Context as _;
use tokio::time::Instant;

use super::asked::Waiting;
use super::care::REGIONS_EVERY;
use super::changes::{self, Following};
use super::claim::Claims;
use super::pace::Pace;
use super::plan::Plan;
use super::publish::Publisher;
use super::silent::Silent;
use super::{MADE_GOOD_MS, Schedule, is_understood};
use crate::clock;
use crate::model::courtesy::{self, Limit};
use crate::model::shares::Shares;
use crate::model::{UtcMs, Website, WebsiteId};
use crate::queue::Queue;
use crate::store::{Store, StoreError};

/// Websites read per query.
const PAGE: i64 = 5_000;

/// Where the page after this one begins; `None` after the last one.
fn after_page(page: &[Website]) -> Option<Option<WebsiteId>> {
    let is_full = i64::try_from(page.len()).unwrap_or(i64::MAX) >= PAGE;
    page.last().filter(|_| is_full).map(|website| Some(website.website_id))
}

/// Removes traces of a clock that was ahead; tells whether there were results from the future.
async fn heal(store: &Store, claims: &Claims, now: UtcMs) -> Result<bool, StoreError> {
    store.drop_future_claims(&claims.hub_id, i64::MAX).await?;
    let was_ahead = store.has_future_slots(now).await?;
    if was_ahead {
        store.shorten_verdicts(now).await?;
    }
    Ok(was_ahead)
}

impl Schedule {
    pub(super) async fn load(store: Store, queue: Queue, limit: Limit, shares: Shares) -> anyhow::Result<Self> {
        let now = clock::now();
        // Young enough to be made good; older slots are marked missed by never being published. When nobody published
        // for long, nothing is made good: the load comes back over one interval, and no target is looked at twice in it
        // (T256).
        let published_at = store.last_published_at().await?.unwrap_or(0);
        let makes_good = now - published_at < 2 * MADE_GOOD_MS;
        let from = if makes_good { now - MADE_GOOD_MS } else { now };
        let claims = Claims::new(from);
        // Traces of a clock that was ahead before this start. Without them removed the hub runs all the same.
        let was_ahead = heal(&store, &claims, now).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "Traces of a wrong clock could not be looked for.");
            false
        });
        let mut done_before = HashMap::new();
        if !store.is_shared() {
            let newest = store.newest_slots(from).await?.into_iter();
            done_before.extend(newest.filter(|(_, _, at)| *at <= now).map(|(w, r, at)| ((w, r), at)));
        }
        // Before the websites are read: what changes meanwhile is followed.
        let position = store.changes_position().await?;
        let at = Instant::now();
        let mut schedule = Self {
            publisher: Publisher::new(queue, store.counts().clone()),
            plan: Plan::new(limit),
            pace: Pace::new(limit),
            limit,
            shares,
            claims,
            following: Following::start(&store, position),
            asked: Waiting::default(),
            silent: Silent::new(),
            done_before,
            unlooked: HashSet::new(),
            unread: HashSet::new(),
            untaken: Vec::new(),
            owes_looks: false,
            is_stale: false,
            reading: Some(None),
            missed: 0,
            told_missed: 0,
            tell_missed_at: at,
            care_at: at,
            regions_at: at + REGIONS_EVERY,
            cleaned_at: at,
            store,
        };
        let regions = schedule.store.regions().await?;
        let asking = courtesy::regions_asking(&regions, now);
        for region in regions {
            // The last heartbeat may be as old as this hub's absence: the region gets the benefit of the doubt once.
            if now - region.seen_at(now) < courtesy::ASKS_FOR_MS {
                schedule.plan.region_alive(&region.region_id, now);
                schedule.publisher.open(&region.region_id).await;
            }
        }
        let store = schedule.store.clone();
        let unlooked = tokio::spawn(async move { store.unlooked_websites().await });
        schedule.plan.regions_asking(asking);
        schedule.read_all().await?;
        schedule.shares.tell(schedule.plan.crowded(), now);
        if was_ahead && !schedule.store.is_shared() {
            tracing::warn!("There are results from the future: the clock was ahead. Slots get other names until then.");
            schedule.plan.shift(1, now);
        }
        // Added, edited or resumed just before the last stop.
        let now = clock::now(); // reading a million websites takes longer than a look may wait
        match unlooked.await.context("a reading was broken off")? {
            Ok(mut unlooked) => {
                // Of an import the rest waits for the next signs of life, or its slots.
                let most = usize::try_from(changes::LOOKS_AT_ONCE).unwrap_or(usize::MAX);
                schedule.unlooked.extend(unlooked.split_off(most.min(unlooked.len())));
                unlooked.into_iter().for_each(|id| schedule.look_first(id, now));
            }
            Err(error) => {
                tracing::warn!(%error, "Websites nobody has looked at were not found; they wait for their slots.")
            }
        }
        if !makes_good {
            // Nor is what came while all was read: of a million websites that would be a burst of seconds.
            schedule.claims.next_second = clock::now().div_euclid(1_000);
        }
        let regions = schedule.plan.live_regions(now).len();
        tracing::info!(websites = schedule.plan.len(), regions, "The schedule is loaded.");
        Ok(schedule)
    }

    /// Reads all websites: a page comes while the one before it is taken in.
    async fn read_all(&mut self) -> anyhow::Result<()> {
        let store = self.store.clone();
        let read = |after| {
            let store = store.clone();
            tokio::spawn(async move { store.scheduled_websites(after, PAGE).await })
        };
        let mut coming = self.reading.map(read);
        while let Some(page) = coming.take() {
            let page = page.await.context("reading was broken off")??;
            coming = after_page(&page).map(read);
            self.take_in(&page);
        }
        Ok(())
    }

    /// Reads the next page of all websites.
    pub(super) async fn read_page(&mut self) -> Result<(), StoreError> {
        let Some(after) = self.reading else { return Ok(()) };
        let page = self.store.scheduled_websites(after, PAGE).await?;
        self.take_in(&page);
        Ok(())
    }

    /// Takes in a page of all websites; after the last one what was not there is forgotten.
    fn take_in(&mut self, page: &[Website]) {
        if self.reading == Some(None) {
            self.plan.begin_reading();
        }
        page.iter().filter(|website| is_understood(website)).for_each(|website| self.plan.put(website));
        self.reading = after_page(page);
        if self.reading.is_none() {
            self.plan.end_reading();
        }
    }
}
