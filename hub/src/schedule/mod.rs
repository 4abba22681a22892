//! When a check is due, and which hub publishes it.
//!
//! Slots are computed in memory ([`plan`]). Hubs that share a Postgres claim the schedule second by second, a little
//! ahead; a claimed second is published check by check as its milliseconds come, then marked. A second that nobody
//! published within 3 s is taken over. On SQLite there is one hub and nothing to claim.

mod claim;
mod handle;
mod obey;
pub mod plan;
mod publish;

pub use handle::{Command, Inbox, Scheduler};

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::clock;
use crate::model::{CheckKind, Confirm, RegionId, UtcMs, Website, WebsiteId, slots};
use crate::queue::Queue;
use crate::store::{Store, StoreError};
use plan::{Due, Plan};
use publish::Publisher;

/// The resolution of the schedule.
const TICK: Duration = Duration::from_millis(25);
/// Slots older than this are not made good after a start or a standstill (see [`slots::grace_ms`]).
const MADE_GOOD_MS: i64 = 15_000;
/// How often what was missed is looked after.
const CARE_EVERY: Duration = Duration::from_secs(1);
/// How often regions that reported to other hubs are read.
const REGIONS_EVERY: Duration = Duration::from_secs(5);
/// Websites read per query at the start.
const PAGE: i64 = 5_000;

/// Runs the schedule until told to stop.
///
/// # Errors
/// The websites cannot be read at the start.
pub async fn run(
    store: Store,
    queue: Queue,
    mut inbox: Inbox,
    mut stopping: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let mut schedule = Schedule::load(store, queue).await.context("the websites could not be read")?;
    let mut turns = tokio::time::interval(TICK);
    turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = turns.tick() => {
                if inbox.overran.swap(false, Ordering::Relaxed) {
                    schedule.is_stale = true;
                }
                schedule.turn(clock::now()).await;
            }
            command = inbox.commands.recv() => match command {
                Some(command) => schedule.obey(command, clock::now()).await,
                None => return Ok(()),
            },
            _ = stopping.changed() => {
                if let Err(error) = schedule.store.release_claims(&schedule.hub_id).await {
                    tracing::warn!(%error, "Claims could not be given back; another hub takes them over in a while.");
                }
                return Ok(());
            }
        }
    }
}

/// Whether a website can be checked as its owner asked. One that cannot leaves the others alone.
fn is_understood(website: &Website) -> bool {
    if website.is_unreadable {
        tracing::error!(website.id = %website.website_id, "A website is not checked: a newer version of the hub wrote its \
            settings. Run that version again, or save them anew.");
    }
    !website.is_unreadable
}

struct Schedule {
    store: Store,
    publisher: Publisher,
    plan: Plan,
    hub_id: String,
    /// Seconds claimed by this hub and not marked yet, with what is due in them.
    claimed: BTreeMap<i64, Vec<Due>>,
    /// The next second to claim.
    next_second: i64,
    /// Seconds another hub claimed: looked at again in case it died.
    others: BTreeMap<i64, Vec<Due>>,
    /// Second looks that wait for their moment.
    later: Vec<(UtcMs, Confirm)>,
    /// Slots done before the start, by what the store knows (SQLite only).
    done_before: HashMap<(WebsiteId, RegionId), UtcMs>,
    /// Websites whose first look waits for a region that lives.
    unlooked: HashSet<WebsiteId>,
    /// Changed websites that could not be read.
    unread: HashSet<WebsiteId>,
    /// Messages were lost: all websites are to be read again.
    is_stale: bool,
    missed: u64,
    claim_again_at: Instant,
    care_at: Instant,
    regions_at: Instant,
    cleaned_at: Instant,
}

impl Schedule {
    async fn load(store: Store, queue: Queue) -> anyhow::Result<Self> {
        let now = clock::now();
        // Young enough to be made good; older slots are marked missed by never being published.
        let from = now - MADE_GOOD_MS;
        // Traces of a clock that was ahead before this start. Without them removed the hub runs all the same.
        let healed = store.drop_future_claims().await.and(store.shorten_verdicts(now).await.map(|_| ()));
        let was_ahead = healed.and(store.has_future_slots(now).await).unwrap_or_else(|error| {
            tracing::warn!(%error, "Traces of a wrong clock could not be looked for.");
            false
        });
        let done_before = if store.is_shared() {
            HashMap::new()
        } else {
            let newest = store.newest_slots(from).await?.into_iter();
            newest.filter(|(_, _, at)| *at <= now).map(|(w, r, at)| ((w, r), at)).collect()
        };
        let at = Instant::now();
        let mut schedule = Self {
            publisher: Publisher::new(queue),
            plan: Plan::default(),
            hub_id: uuid::Uuid::new_v4().to_string(),
            claimed: BTreeMap::new(),
            next_second: from.div_euclid(1_000),
            others: BTreeMap::new(),
            later: Vec::new(),
            done_before,
            unlooked: HashSet::new(),
            unread: HashSet::new(),
            is_stale: false,
            missed: 0,
            claim_again_at: at,
            care_at: at,
            regions_at: at + REGIONS_EVERY,
            cleaned_at: at,
            store,
        };
        for region in schedule.store.regions().await? {
            // The last heartbeat may be as old as this hub's absence: the region gets the benefit of the doubt once.
            let seen_at = region.workers.iter().map(|w| w.seen_at).max().unwrap_or(0);
            if now - seen_at < 600_000 {
                schedule.plan.region_alive(&region.region_id, now, from);
                schedule.publisher.open(&region.region_id).await;
            }
        }
        schedule.read_all(from).await?;
        if was_ahead {
            tracing::warn!("There are results from the future: the clock was ahead. Slots get other names until then.");
            schedule.plan.set_back(from);
        }
        // Added, edited or resumed just before the last stop.
        for id in schedule.store.unlooked_websites().await? {
            schedule.look_first(id, now);
        }
        let regions = schedule.plan.live_regions(now).len();
        tracing::info!(websites = schedule.plan.len(), regions, "The schedule is loaded.");
        Ok(schedule)
    }

    /// Reads all websites, page by page; slots of what is new count from `from`.
    async fn read_all(&mut self, from: UtcMs) -> Result<(), StoreError> {
        let (mut after, mut found) = (None, HashSet::new());
        loop {
            let page = self.store.scheduled_websites(after, PAGE).await?;
            after = page.last().map(|w| w.website_id);
            let is_last = i64::try_from(page.len()).unwrap_or(i64::MAX) < PAGE;
            for website in page {
                if is_understood(&website) {
                    found.insert(website.website_id);
                    self.plan.put(website, from);
                }
            }
            if is_last {
                self.plan.keep_only(&found);
                return Ok(());
            }
        }
    }

    /// Claims what is near, publishes what is due.
    async fn turn(&mut self, now: UtcMs) {
        self.care(now).await;
        self.claim(now).await;
        let mut ready = Vec::new();
        for due in self.claimed.values_mut() {
            due.retain(|d| {
                let is_due = d.slot_at <= now;
                if is_due {
                    ready.push(d.clone());
                }
                !is_due
            });
        }
        ready.retain(|d| self.is_wanted(d, now));
        for due in ready {
            self.publisher.add(&due.website, due.region_id, due.slot_at, 0, CheckKind::Scheduled);
        }
        let (mature, later) = std::mem::take(&mut self.later).into_iter().partition(|(at, _)| *at <= now);
        self.later = later;
        for (_, confirm) in mature {
            self.publish_confirm(confirm, now);
        }
        self.publisher.flush(now).await;
        // A second is marked once all its checks are out.
        let second = now.div_euclid(1_000);
        if self.publisher.is_empty() {
            let done: Vec<i64> =
                self.claimed.iter().filter(|(s, due)| **s < second && due.is_empty()).map(|(s, _)| *s).collect();
            if let (Some(first), Some(last)) = (done.first(), done.last()) {
                match self.store.mark_published(*first, *last, &self.hub_id, now).await {
                    Ok(()) => done.iter().for_each(|s| {
                        self.claimed.remove(s);
                    }),
                    Err(error) => tracing::debug!(%error, "A claim could not be marked yet."),
                }
            }
        }
        if self.cleaned_at.elapsed() > Duration::from_secs(60) {
            self.cleaned_at = Instant::now();
            let old = self.store.drop_claims(second - 3_600).await;
            if let Err(error) = old.and(self.store.drop_future_claims().await) {
                tracing::debug!(%error, "Claims that are of no use could not be dropped.");
            }
        }
    }

    /// Whether a slot that came up is still to be published.
    fn is_wanted(&mut self, due: &Due, now: UtcMs) -> bool {
        let key = (due.website.website_id, due.region_id.clone());
        let is_done = self.done_before.get(&key).is_some_and(|at| *at >= due.slot_at);
        // Not before the website was: it gets its first check by command.
        let is_current = self.plan.website(due.website.website_id).is_some_and(|w| w.revision == due.website.revision);
        if is_done || !is_current || due.slot_at < due.website.created_at {
            return false;
        }
        let is_young = now - due.slot_at <= slots::grace_ms(due.website.settings.interval_ms);
        if is_young && self.plan.is_live(&due.region_id, now) {
            return true;
        }
        self.missed += 1;
        false
    }

    /// Makes good what went wrong before: changes that could not be read, messages that were lost, regions that report
    /// to other hubs.
    async fn care(&mut self, now: UtcMs) {
        if Instant::now() < self.care_at {
            return;
        }
        self.care_at = Instant::now() + CARE_EVERY;
        if self.is_stale {
            match self.read_all(self.plan_from(now)).await {
                Ok(()) => self.is_stale = false,
                Err(error) => tracing::warn!(%error, "The websites could not be read again; trying again."),
            }
        }
        for id in std::mem::take(&mut self.unread) {
            self.changed(id, now).await;
        }
        if self.store.is_shared() && Instant::now() >= self.regions_at {
            self.regions_at = Instant::now() + REGIONS_EVERY;
            match self.store.regions().await {
                Ok(regions) => {
                    for region in regions {
                        let seen_at = region.workers.iter().map(|w| w.seen_at).max().unwrap_or(0);
                        if now - seen_at < crate::model::Worker::SILENT_AFTER_MS {
                            self.region_alive(&region.region_id, seen_at, now).await;
                        }
                    }
                }
                Err(error) => tracing::debug!(%error, "The regions could not be read."),
            }
        }
    }

    /// From where on new entries of the plan count: what is claimed belongs to what was known before.
    fn plan_from(&self, now: UtcMs) -> UtcMs {
        (self.next_second * 1_000).max(now)
    }
}
