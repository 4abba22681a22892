//! When a check is due, and which hub publishes it.
//!
//! Slots are computed in memory ([`plan`]). Hubs that share a Postgres claim the schedule second by second, a little
//! ahead; a claimed second is published check by check as its milliseconds come, then marked. A second that nobody
//! published within 3 s is taken over. On SQLite there is one hub and nothing to claim.

mod handle;
pub mod plan;
mod publish;

pub use handle::{COMMANDS_WAITING, Command, Scheduler};

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::clock;
use crate::model::{CheckKind, Confirm, RegionId, UtcMs, WebsiteId, slots};
use crate::queue::Queue;
use crate::store::Store;
use plan::{Due, Plan};
use publish::Publisher;

/// The resolution of the schedule.
const TICK: Duration = Duration::from_millis(25);
/// Seconds claimed before they come.
const AHEAD_S: i64 = 2;
/// A claimed second that was not published for so long is taken over: sooner than the grace of the shortest interval
/// (5 s) ends, so that nothing is missed.
const TAKE_OVER_AFTER_S: i64 = 3;
/// Websites read per query at the start.
const PAGE: i64 = 5_000;

/// Runs the schedule until told to stop.
///
/// # Errors
/// The websites cannot be read at the start.
pub async fn run(
    store: Store,
    queue: Queue,
    mut commands: mpsc::Receiver<Command>,
    mut stopping: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let mut schedule = Schedule::load(store, queue).await.context("the websites could not be read")?;
    let mut turns = tokio::time::interval(TICK);
    turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = turns.tick() => schedule.turn(clock::now()).await,
            command = commands.recv() => match command {
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
    missed: u64,
    claim_again_at: Instant,
    cleaned_at: Instant,
}

impl Schedule {
    async fn load(store: Store, queue: Queue) -> anyhow::Result<Self> {
        let now = clock::now();
        // Young enough to be made good; older slots are marked missed by never being published.
        let from = now - 15_000;
        let mut plan = Plan::default();
        for region in store.regions().await? {
            // The last heartbeat may be as old as this hub's absence: the region gets the benefit of the doubt once.
            let seen_at = region.workers.iter().map(|w| w.seen_at).max().unwrap_or(0);
            if now - seen_at < 600_000 {
                plan.region_alive(&region.region_id, now, from);
            }
        }
        let mut after = None;
        loop {
            let page = store.scheduled_websites(after, PAGE).await?;
            after = page.last().map(|w| w.website_id);
            let is_last = i64::try_from(page.len()).unwrap_or(i64::MAX) < PAGE;
            page.into_iter().for_each(|website| plan.put(website, from));
            if is_last {
                break;
            }
        }
        let done_before = if store.is_shared() {
            HashMap::new()
        } else {
            store.newest_slots(from).await?.into_iter().map(|(w, r, at)| ((w, r), at)).collect()
        };
        for region in plan.live_regions(now) {
            if let Err(error) = queue.ensure_region(&region).await {
                tracing::warn!(%region, %error, "The stream of a region could not be made yet.");
            }
        }
        tracing::info!(websites = plan.len(), regions = plan.live_regions(now).len(), "The schedule is loaded.");
        Ok(Self {
            store,
            publisher: Publisher::new(queue),
            plan,
            hub_id: uuid::Uuid::new_v4().to_string(),
            claimed: BTreeMap::new(),
            next_second: from.div_euclid(1_000),
            others: BTreeMap::new(),
            later: Vec::new(),
            done_before,
            missed: 0,
            claim_again_at: Instant::now(),
            cleaned_at: Instant::now(),
        })
    }

    /// Claims what is near, publishes what is due.
    async fn turn(&mut self, now: UtcMs) {
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
                    Ok(()) => self.claimed.retain(|s, _| !done.contains(s)),
                    Err(error) => tracing::debug!(%error, "A claim could not be marked yet."),
                }
            }
        }
        if self.cleaned_at.elapsed() > Duration::from_secs(60) {
            self.cleaned_at = Instant::now();
            if let Err(error) = self.store.drop_claims(second - 3_600).await {
                tracing::debug!(%error, "Old claims could not be dropped.");
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

    async fn claim(&mut self, now: UtcMs) {
        let second = now.div_euclid(1_000);
        if Instant::now() < self.claim_again_at {
            return;
        }
        while self.next_second <= second + AHEAD_S {
            let wanted = self.next_second;
            match self.store.claim_second(wanted, &self.hub_id).await {
                Ok(ours) => {
                    let due = self.plan.due(wanted * 1_000 + 999);
                    if ours {
                        self.claimed.insert(wanted, due)
                    } else {
                        self.others.insert(wanted, due)
                    };
                    self.next_second += 1;
                }
                Err(error) => {
                    tracing::warn!(%error, "The schedule cannot be claimed; trying again.");
                    self.claim_again_at = Instant::now() + Duration::from_millis(500);
                    return;
                }
            }
        }
        while let Some(entry) = self.others.first_entry() {
            let old = *entry.key();
            if old > second - TAKE_OVER_AFTER_S {
                break;
            }
            match self.store.take_over_second(old, &self.hub_id).await {
                Ok(ours) => {
                    let due = entry.remove();
                    if ours {
                        tracing::warn!(
                            second = old,
                            checks = due.len(),
                            "A second another hub had claimed is taken over."
                        );
                        self.claimed.insert(old, due);
                    }
                }
                Err(_) => break,
            }
        }
    }

    async fn obey(&mut self, command: Command, now: UtcMs) {
        match command {
            Command::Changed(id) => match self.store.scheduled_website(id).await {
                Ok(Some(website)) => {
                    let is_news = self.plan.website(id).is_none_or(|w| w.revision < website.revision);
                    // From the first second not yet claimed on: what is claimed belongs to the old revision.
                    self.plan.put(website, (self.next_second * 1_000).max(now));
                    if is_news {
                        self.check_all(id, CheckKind::First, now);
                    }
                }
                Ok(None) => self.plan.remove(id),
                Err(error) => {
                    tracing::error!(website.id = %id, %error, "A change could not be read; it counts from the next start.")
                }
            },
            Command::CheckNow(id, kind) => self.check_all(id, kind, now),
            Command::Confirm(confirm) if confirm.delay_ms > 0 => self.later.push((now + confirm.delay_ms, confirm)),
            Command::Confirm(confirm) => self.publish_confirm(confirm, now),
            Command::RegionAlive(region, at) => {
                let was_live = self.plan.is_live(&region, now);
                let is_new = self.plan.region_alive(&region, at, (self.next_second * 1_000).max(now));
                if is_new || !was_live {
                    tracing::info!(%region, "A region reports.");
                }
                // With every sign of life: a Redis that lost its data lost the group too, and a worker waits for it.
                self.publisher.open(&region).await;
            }
        }
        self.publisher.flush(now).await;
    }

    fn check_all(&mut self, id: WebsiteId, kind: CheckKind, now: UtcMs) {
        let Some(website) = self.plan.website(id).cloned() else { return };
        for region in self.plan.live_regions(now) {
            if website.settings.watches_from(&region) {
                self.publisher.add(&website, region, now, 0, kind);
            }
        }
    }

    fn publish_confirm(&mut self, confirm: Confirm, now: UtcMs) {
        let Some(website) = self.plan.website(confirm.website_id).cloned() else { return };
        for region in confirm.regions {
            if self.plan.is_live(&region, now) {
                self.publisher.add(&website, region, confirm.slot_at, confirm.attempt, CheckKind::Confirm);
            }
        }
    }
}
