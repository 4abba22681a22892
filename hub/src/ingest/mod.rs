//! Ticks in, verdicts out. A turn takes what the queue has, stores it in transactions of bounded size, tells the
//! scheduler what to look at again, and only then acknowledges.

mod housekeeping;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use probe::wire::{Report, tick_key};
use tokio::sync::watch;

use crate::clock;
use crate::model::{StoredTick, UtcMs};
use crate::queue::{Delivery, Queue};
use crate::schedule::Scheduler;
use crate::store::Store;

/// Ticks stored in one transaction: a backlog of many workers must not hold the locks of all its websites for seconds.
const AT_ONCE: usize = 500;

/// One turn: `true` when there was something to do.
///
/// # Errors
/// Queue or database are away. Nothing is lost: the next turn gets the same reports.
pub async fn step(store: &Store, queue: &Queue, scheduler: &Scheduler) -> anyhow::Result<bool> {
    let deliveries = queue.next_reports().await?;
    if deliveries.is_empty() {
        return Ok(false);
    }
    take(store, scheduler, &deliveries, clock::now()).await?;
    queue.acknowledge(&deliveries).await?;
    Ok(true)
}

/// A turn after one that panicked: each report by itself, so that the one that does it is found and kept as a dead
/// letter, and blocks no others (D29).
async fn step_by_step(store: &Store, queue: &Queue, scheduler: &Scheduler) -> anyhow::Result<bool> {
    let deliveries = Arc::new(queue.next_reports().await?);
    let now = clock::now();
    for n in 0..deliveries.len() {
        let (store_, scheduler, batch) = (store.clone(), scheduler.clone(), deliveries.clone());
        let alone = tokio::spawn(async move {
            match batch.get(n..=n) {
                Some(one) => take(&store_, &scheduler, one, now).await,
                None => Ok(()),
            }
        });
        match (alone.await, deliveries.get(n)) {
            (Ok(done), _) => done?,
            (Err(panic), Some(delivery)) => {
                let stream = tick_key(&delivery.region, &delivery.worker);
                tracing::error!(stream, %panic, "A report made the hub fail; it is kept as a dead letter.");
                let raw = match &delivery.report {
                    Ok(Report::Tick(tick)) => serde_json::to_vec(tick).unwrap_or_default(),
                    Ok(Report::DeadLetter(letter)) => serde_json::to_vec(letter).unwrap_or_default(),
                    Ok(Report::Heartbeat(beat)) => serde_json::to_vec(beat).unwrap_or_default(),
                    Err(_) => delivery.raw.clone(),
                };
                store.dead_letter(&stream, "hub_failed: the hub panicked on it", &raw, now).await?;
            }
            (Err(_), None) => {}
        }
    }
    queue.acknowledge(&deliveries).await?;
    Ok(!deliveries.is_empty())
}

/// Dead letters of one turn: thousands that tell of the same are one line.
#[derive(Debug, Default)]
struct Letters {
    number: usize,
    /// Stream and reason of the first.
    first: Option<(String, String)>,
}

impl Letters {
    fn count(&mut self, stream: &str, reason: &str) {
        self.number += 1;
        self.first.get_or_insert_with(|| (stream.to_owned(), reason.to_owned()));
    }

    fn tell(&self) {
        if let Some((stream, reason)) = &self.first {
            let letters = self.number;
            tracing::warn!(
                letters,
                stream,
                reason,
                "Checks were put away unrun, or reports not understood: they are kept as dead letters; the first is named here."
            );
        }
    }
}

/// The effect of reports, stored.
async fn take(store: &Store, scheduler: &Scheduler, deliveries: &[Delivery], now: UtcMs) -> anyhow::Result<()> {
    let mut ticks = Vec::new();
    let mut beats = Vec::new();
    let mut letters = Letters::default();
    for delivery in deliveries {
        match &delivery.report {
            Ok(Report::Tick(tick)) => ticks.push(StoredTick {
                region_id: delivery.region.clone(),
                worker_id: delivery.worker.clone(),
                received_at: delivery.received_at,
                tick: (**tick).clone(),
            }),
            Ok(Report::Heartbeat(beat)) => {
                beats.push((delivery.region.clone(), delivery.worker.clone(), beat.clone(), delivery.received_at));
            }
            Ok(Report::DeadLetter(letter)) => {
                let stream = tick_key(&delivery.region, &delivery.worker);
                let reason = format!("{}: {}", letter.reason, letter.detail);
                tracing::debug!(stream, %reason, entry = letter.entry_id, "A worker put a check away unrun.");
                letters.count(&stream, &reason);
                // The letter, not only what it quotes of the check, which is nothing where that may be secret: its entry
                // tells it from other letters, and makes it one row however often it comes.
                let raw = serde_json::to_vec(letter).unwrap_or_default();
                store.dead_letter(&stream, &reason, &raw, now).await?;
            }
            Err(reason) => {
                let stream = tick_key(&delivery.region, &delivery.worker);
                let reason = reason.to_string();
                tracing::debug!(stream, %reason, "A report is not understood.");
                letters.count(&stream, &reason);
                store.dead_letter(&stream, &reason, &delivery.raw, now).await?;
            }
        }
    }
    letters.tell();
    match store.record_heartbeats(&beats, now).await {
        Ok(()) => {}
        // A sign of life that cannot be stored is worth a line, not a standstill: the next one comes in 10 s.
        Err(error) if error.is_fault_of_the_data() => tracing::error!(%error, "A heartbeat could not be stored."),
        Err(error) => return Err(error).context("heartbeats"),
    }
    for (region, _, beat, received_at) in beats {
        if !beat.stopping {
            // When it was written, not when it was read: an old one revives nobody.
            scheduler.region_alive(region, received_at);
        }
    }
    for some in ticks.chunks(AT_ONCE) {
        let done = store.ingest(some, now).await?;
        for confirm in done.confirm {
            scheduler.confirm(confirm);
        }
        for change in &done.transitions {
            tracing::info!(website.id = %change.website_id, from = %change.from, to = %change.to, reason = change.reason, "The verdict changed.");
        }
        tracing::debug!(new = done.new, known = done.known, orphaned = done.orphaned, "Ticks were stored.");
    }
    Ok(())
}

/// Turns until told to stop, and then until nothing is left that only this process holds. After trouble it waits a
/// little longer each time, at most 5 s.
///
/// # Errors
/// Never by itself: trouble is logged and tried again.
pub async fn run(
    store: Store,
    queue: Queue,
    scheduler: Scheduler,
    stopping: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let housekeeping = tokio::spawn(housekeeping::run(store.clone(), queue.clone(), stopping.clone()));
    let mut pause = Duration::from_millis(100);
    let mut one_by_one = false;
    loop {
        let is_stopping = *stopping.borrow();
        if is_stopping && !queue.holds_reports().await {
            break;
        }
        // Its own task, awaited to the end: a transaction must not be cancelled half-way (D18).
        let turn = {
            let (store, queue, scheduler) = (store.clone(), queue.clone(), scheduler.clone());
            tokio::spawn(async move {
                if one_by_one {
                    step_by_step(&store, &queue, &scheduler).await
                } else {
                    step(&store, &queue, &scheduler).await
                }
            })
        };
        match turn.await {
            Ok(Ok(_)) => {
                (pause, one_by_one) = (Duration::from_millis(100), false);
                continue;
            }
            Ok(Err(error)) => {
                tracing::warn!(error = format!("{error:#}"), "Reports could not be taken in; trying again.");
            }
            Err(panic) => {
                tracing::error!(%panic, "A batch of reports failed; it will come again, one by one.");
                one_by_one = true;
            }
        }
        queue.again().await;
        if is_stopping {
            tokio::time::sleep(pause).await;
        } else {
            let _ = tokio::time::timeout(pause, stopping.clone().changed()).await;
        }
        pause = (pause * 2).min(Duration::from_secs(5));
    }
    housekeeping.await?;
    Ok(())
}
