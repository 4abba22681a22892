//! When a check is due, and which hub publishes it.
//!
//! Slots are computed in memory ([`plan`]). Hubs that share a Postgres claim the schedule second by second, a little
//! ahead; a claimed second is published check by check as its milliseconds come, then marked. A second whose hub gave it
//! back or fell silent is taken over (`claim`). No host gets more than its share (`pace`, `asked`). What other hubs change
//! is followed (`changes`). On SQLite there is one hub, nothing to claim and nobody to follow.

mod asked;
mod care;
mod changes;
mod claim;
mod handle;
mod load;
mod obey;
mod pace;
pub mod plan;
mod publish;
mod silent;

pub use handle::{AskedBefore, Command, Inbox, Scheduler};

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::clock::{self, Moment};
use crate::model::courtesy::Limit;
use crate::model::shares::Shares;
use crate::model::{CheckKind, RegionId, UtcMs, Website, WebsiteId, Worker, slots};
use crate::queue::Queue;
use crate::store::{Change, Store};
use crate::vital::Part;
use asked::Waiting;
use changes::Following;
use claim::Claims;
use pace::Pace;
use plan::{Due, Plan};
use publish::Publisher;
use silent::Silent;

/// The resolution of the schedule.
const TICK: Duration = Duration::from_millis(25);
/// Slots older than this are not made good after a start or a standstill (see [`slots::grace_ms`]).
const MADE_GOOD_MS: i64 = 15_000;
/// Of a region that is silent for longer no slot waits.
const SILENT_FOR_LONG_MS: i64 = 600_000;
/// A check that waits here for longer is late.
const LATE_MS: i64 = 10_000;
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
                if schedule.is_in_time(clock::now()) {
                    inbox.vitals.moved(Part::Schedule);
                }
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
    silent: Silent,
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
    /// Of these, how many the log has told of.
    told_missed: u64,
    tell_missed_at: Instant,
    care_at: Instant,
    regions_at: Instant,
    cleaned_at: Instant,
}

impl Schedule {
    /// Claims what is near, publishes what is due.
    async fn turn(&mut self) {
        self.care(clock::now()).await;
        self.claim(clock::now()).await;
        let now = clock::now();
        if self.claims.hold(Moment::now()) {
            let room = self.publisher.room();
            let mut taken = self.silent.again(Instant::now(), room);
            taken.extend(self.claims.take(now, room - taken.len()));
            for (second, due) in taken {
                let is_kept = match self.wanted(&due, now) {
                    Wanted::Now => self.give_out(second, due, now),
                    Wanted::Later => self.silent.keep(second, due),
                    // Of a region without workers people hear elsewhere, once.
                    Wanted::Never | Wanted::ByNobody => true,
                    Wanted::TooLate => false,
                };
                self.missed += u64::from(!is_kept);
            }
        }
        self.store.counts().missed.late.reach(self.missed);
        self.publish_mature(now);
        self.flush().await;
        // A second is marked once all its checks are out.
        let waiting = self.publisher.seconds();
        self.claims.note_published(now.div_euclid(1_000), |second| waiting.contains(&second));
    }

    /// Whether what is due is out, or about to be: the seconds are known to be whose they are, the queue takes checks, and
    /// none waits here for long.
    fn is_in_time(&self, now: UtcMs) -> bool {
        self.claims.hold(Moment::now()) && !self.publisher.is_away() && self.claims.late_ms(now) < LATE_MS
    }

    async fn flush(&mut self) {
        let claims = &self.claims;
        self.publisher.flush(&self.plan, || claims.hold(Moment::now())).await;
    }

    /// Publishes a check whose time has come, or has it wait in the line of its host. False: there is no room.
    fn give_out(&mut self, second: i64, due: Due, now: UtcMs) -> bool {
        let Some((website, region)) = self.plan.of(&due) else { return true };
        let publish_at = self.pace.leaves_at(website, &due, now);
        if publish_at > now {
            let due = Due { in_line: true, publish_at, ..due };
            // Of a second that is marked it waits with those of silent regions.
            return self.claims.hold_back(second, due) || self.silent.keep(second, due);
        }
        if !self.unlooked.is_empty() {
            self.unlooked.remove(&website.website_id);
        }
        self.publisher.add(website, region, due.slot_at, 0, CheckKind::Scheduled, Some(second));
        true
    }

    /// Whether a slot that came up is to be published.
    fn wanted(&self, due: &Due, now: UtcMs) -> Wanted {
        let Some((website, region)) = self.plan.of(due) else { return Wanted::Never };
        // Not before the website was: it gets its first check by command. One from the future is there all the same: the
        // clock was set back.
        if due.slot_at < website.created_at && website.created_at <= now {
            return Wanted::Never;
        }
        if !self.done_before.is_empty() {
            let key = (website.website_id, region.clone());
            if self.done_before.get(&key).is_some_and(|at| *at >= due.slot_at) {
                return Wanted::Never;
            }
        }
        if now - due.slot_at > slots::grace_ms(i64::from(website.interval_ms)) {
            return Wanted::TooLate;
        }
        match self.plan.silent_ms(region, now) {
            silent_ms if silent_ms < Worker::SILENT_AFTER_MS => Wanted::Now,
            silent_ms if silent_ms < SILENT_FOR_LONG_MS => Wanted::Later,
            _ => Wanted::ByNobody,
        }
    }
}

/// What is to become of a slot that came up.
enum Wanted {
    Now,
    /// When its region is heard of, if that is soon.
    Later,
    /// It is missed: this hub, or the one that had it before, stood still.
    TooLate,
    /// It is missed: its region has no worker.
    ByNobody,
    /// It is none, or was done.
    Never,
}
