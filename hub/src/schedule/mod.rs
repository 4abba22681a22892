//! When a check is due, and which hub publishes it.
//!
//! Slots are computed in memory ([`plan`]). Hubs that share a Postgres claim the schedule second by second, a little
//! ahead; a claimed second is published check by check as its milliseconds come, then marked. A second whose hub gave it
//! back or fell silent is taken over (`claim`). No host gets more than its share (`pace`, `asked`). What other hubs change is followed (`changes`). On SQLite there is one
//! hub, nothing to claim and nobody to follow.

mod asked;
mod changes;
mod claim;
mod handle;
mod obey;
mod pace;
pub mod plan;
mod publish;

pub use handle::{Command, Inbox, Scheduler};

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::clock::{self, Moment};
use crate::model::courtesy::{self, Limit};
use crate::model::shares::Shares;
use crate::model::{CheckKind, RegionId, UtcMs, Website, WebsiteId, slots};
use crate::queue::Queue;
use crate::store::{Change, Store, StoreError};
use asked::Waiting;
use changes::Following;
use claim::Claims;
use pace::Pace;
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
/// How often what is of no use any more is deleted.
const CLEAN_EVERY: Duration = Duration::from_secs(60);
/// Websites read per query.
const PAGE: i64 = 5_000;
/// How long a hub that stops may take to finish the second it has begun.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);

/// Runs the schedule until told to stop.
///
/// # Errors
/// The websites cannot be read at the start.
pub async fn run(
    store: Store,
    queue: Queue,
    limit: Limit,
    mut inbox: Inbox,
    mut stopping: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let mut schedule =
        Schedule::load(store, queue, limit, inbox.shares.clone()).await.context("the websites could not be read")?;
    let _ = inbox.loaded.send(true); // nobody waits for it when ingest has ended
    let mut turns = tokio::time::interval(TICK);
    turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut close_by = None;
    loop {
        tokio::select! {
            _ = turns.tick() => {
                if inbox.overran.swap(false, Ordering::Relaxed) {
                    schedule.is_stale = true;
                }
                schedule.turn().await;
                if let Some(by) = close_by && (schedule.is_done().await || Instant::now() >= by) {
                    schedule.give_back(0).await;
                    return Ok(());
                }
            }
            command = inbox.commands.recv() => match command {
                Some(command) => schedule.obey(command, clock::now()).await,
                None => return Ok(()),
            },
            _ = stopping.changed(), if close_by.is_none() => {
                if !schedule.close(clock::now()).await {
                    return Ok(());
                }
                close_by = Some(Instant::now() + CLOSE_WITHIN);
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

struct Schedule {
    store: Store,
    publisher: Publisher,
    plan: Plan,
    claims: Claims,
    following: Following,
    pace: Pace,
    limit: Limit,
    /// For the others: hosts whose slots are left out.
    shares: Shares,
    asked: Waiting,
    /// Slots done before the start, by what the store knows (SQLite only).
    done_before: HashMap<(WebsiteId, RegionId), UtcMs>,
    /// Websites whose first look waits for a region that lives.
    unlooked: HashSet<WebsiteId>,
    /// Changed websites that could not be read.
    unread: HashSet<WebsiteId>,
    /// Changes whose look at once is left to other hubs while the queue is away.
    untaken: Vec<Change>,
    /// Too much changed to be told one by one: looks at once are taken on some at a time.
    owes_looks: bool,
    /// Messages were lost: all websites are to be read again.
    is_stale: bool,
    /// All websites are being read again, up to this one.
    reading: Option<Option<WebsiteId>>,
    missed: u64,
    care_at: Instant,
    regions_at: Instant,
    cleaned_at: Instant,
}

impl Schedule {
    async fn load(store: Store, queue: Queue, limit: Limit, shares: Shares) -> anyhow::Result<Self> {
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
            publisher: Publisher::new(queue),
            plan: Plan::new(limit),
            pace: Pace::new(limit),
            limit,
            shares,
            claims,
            following: Following::start(&store, position),
            asked: Waiting::default(),
            done_before,
            unlooked: HashSet::new(),
            unread: HashSet::new(),
            untaken: Vec::new(),
            owes_looks: false,
            is_stale: false,
            reading: Some(None),
            missed: 0,
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
    async fn read_page(&mut self) -> Result<(), StoreError> {
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

    /// Claims what is near, publishes what is due.
    async fn turn(&mut self) {
        self.care(clock::now()).await;
        self.claim(clock::now()).await;
        let now = clock::now();
        if self.claims.hold(Moment::now()) {
            for (second, due) in self.claims.take(now, self.publisher.room()) {
                if !self.is_wanted(&due, now) {
                    continue;
                }
                let Some((website, region)) = self.plan.of(&due) else { continue };
                let publish_at = self.pace.leaves_at(website, &due, now);
                if publish_at > now {
                    self.claims.hold_back(second, Due { in_line: true, publish_at, ..due });
                } else {
                    if !self.unlooked.is_empty() {
                        self.unlooked.remove(&website.website_id);
                    }
                    self.publisher.add(website, region, due.slot_at, 0, CheckKind::Scheduled, Some(second));
                }
            }
        }
        self.publish_mature(now);
        self.flush().await;
        // A second is marked once all its checks are out.
        let waiting = self.publisher.seconds();
        self.claims.note_published(now.div_euclid(1_000), |second| waiting.contains(&second));
    }

    async fn flush(&mut self) {
        let claims = &self.claims;
        self.publisher.flush(&self.plan, || claims.hold(Moment::now())).await;
    }

    /// Whether a slot that came up is still to be published.
    fn is_wanted(&mut self, due: &Due, now: UtcMs) -> bool {
        let Some((website, region)) = self.plan.of(due) else { return false };
        // Not before the website was: it gets its first check by command. One from the future is there all the same: the
        // clock was set back.
        if due.slot_at < website.created_at && website.created_at <= now {
            return false;
        }
        if !self.done_before.is_empty() {
            let key = (website.website_id, region.clone());
            if self.done_before.get(&key).is_some_and(|at| *at >= due.slot_at) {
                return false;
            }
        }
        let is_young = now - due.slot_at <= slots::grace_ms(i64::from(website.interval_ms));
        if is_young && self.plan.is_live(region, now) {
            return true;
        }
        self.missed += 1;
        false
    }

    /// Makes good what went wrong before: changes that could not be read, messages that were lost, regions that report
    /// to other hubs.
    async fn care(&mut self, now: UtcMs) {
        self.follow(now).await;
        if self.reading.is_some()
            && let Err(error) = self.read_page().await
        {
            tracing::warn!(%error, "The websites could not be read again; trying again.");
        }
        if Instant::now() < self.care_at {
            return;
        }
        self.care_at = Instant::now() + CARE_EVERY;
        self.keep_pace(now).await;
        if self.is_stale && self.reading.is_none() {
            // Page by page, a page a turn: slots come meanwhile.
            (self.is_stale, self.reading) = (false, Some(None));
        }
        for id in std::mem::take(&mut self.unread) {
            self.changed(id, now).await;
        }
        if !self.untaken.is_empty() && !self.publisher.is_away() {
            let untaken = std::mem::take(&mut self.untaken);
            if let Err(error) = self.take_first_looks(&untaken, now).await {
                tracing::debug!(%error, "First looks could not be taken on; trying again.");
                self.untaken = untaken;
            }
        }
        if self.owes_looks && !self.is_stale && self.reading.is_none() && !self.publisher.is_away() {
            self.owes_looks = self.take_some_looks(now).await.unwrap_or(true);
        }
        // Of use for the first moments after a start only.
        self.done_before.retain(|_, at| *at > now - MADE_GOOD_MS);
        if Instant::now() >= self.regions_at {
            self.regions_at = Instant::now() + REGIONS_EVERY;
            self.read_regions(now).await;
        }
        if self.store.is_shared() && self.cleaned_at.elapsed() > CLEAN_EVERY {
            self.cleaned_at = Instant::now();
            if let Err(error) = self.clean().await {
                tracing::debug!(%error, "Claims and changes that are of no use could not be dropped.");
            }
        }
    }

    async fn clean(&self) -> Result<(), StoreError> {
        self.store.drop_old_claims().await?;
        self.store.drop_old_changes().await?;
        self.store.drop_future_claims(&self.claims.hub_id, i64::MAX).await
    }

    async fn read_regions(&mut self, now: UtcMs) {
        match self.store.regions().await {
            Ok(regions) => {
                self.plan.regions_asking(courtesy::regions_asking(&regions, now));
                for region in regions {
                    let seen_at = region.seen_at(now);
                    if now - seen_at < crate::model::Worker::SILENT_AFTER_MS {
                        self.region_alive(&region.region_id, seen_at, now).await;
                    }
                }
            }
            Err(error) => tracing::debug!(%error, "The regions could not be read."),
        }
    }
}
