//! Ticks in, verdicts out. A turn takes what the queue has, stores it in one transaction, tells the scheduler what to
//! look at again, and only then acknowledges.

use std::time::Duration;

use probe::wire::{Report, tick_key};
use tokio::sync::watch;

use crate::clock;
use crate::model::{RegionId, StoredTick};
use crate::queue::Queue;
use crate::schedule::Scheduler;
use crate::store::Store;

/// One turn: `true` when there was something to do.
///
/// # Errors
/// Queue or database are away. Nothing is lost: the next turn gets the same reports.
pub async fn step(store: &Store, queue: &Queue, scheduler: &Scheduler) -> anyhow::Result<bool> {
    let deliveries = queue.next_reports().await?;
    if deliveries.is_empty() {
        return Ok(false);
    }
    let now = clock::now();
    let mut ticks = Vec::new();
    let mut beats = Vec::new();
    for delivery in &deliveries {
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
            Err(reason) => {
                let stream = tick_key(&delivery.region, &delivery.worker);
                tracing::warn!(stream, %reason, "A report is not understood; it is kept as a dead letter.");
                store.dead_letter(&stream, &reason.to_string(), &delivery.raw, now).await?;
            }
        }
    }
    store.record_heartbeats(&beats).await?;
    for (region, _, beat, received_at) in beats {
        if !beat.stopping {
            scheduler.region_alive(region, received_at);
        }
    }
    if !ticks.is_empty() {
        let done = store.ingest(&ticks, now).await?;
        for confirm in done.confirm {
            scheduler.confirm(confirm);
        }
        for change in &done.transitions {
            tracing::info!(website.id = %change.website_id, from = %change.from, to = %change.to, reason = change.reason, "The verdict changed.");
        }
        tracing::debug!(new = done.new, known = done.known, orphaned = done.orphaned, "Ticks were stored.");
    }
    queue.acknowledge(&deliveries).await?;
    Ok(true)
}

/// Turns until told to stop; after trouble it waits a little longer each time, at most 5 s.
///
/// # Errors
/// Never by itself: trouble is logged and tried again.
pub async fn run(
    store: Store,
    queue: Queue,
    scheduler: Scheduler,
    mut stopping: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let housekeeping = tokio::spawn(keep_house(store.clone(), queue.clone(), stopping.clone()));
    let mut pause = Duration::from_millis(100);
    while !*stopping.borrow() {
        // Its own task, awaited to the end: a transaction must not be cancelled half-way (D18).
        let turn = {
            let (store, queue, scheduler) = (store.clone(), queue.clone(), scheduler.clone());
            tokio::spawn(async move { step(&store, &queue, &scheduler).await })
        };
        match turn.await {
            Ok(Ok(_)) => pause = Duration::from_millis(100),
            Ok(Err(error)) => {
                tracing::warn!(error = format!("{error:#}"), "Reports could not be taken in; trying again.");
                queue.again().await;
                let _ = tokio::time::timeout(pause, stopping.changed()).await;
                pause = (pause * 2).min(Duration::from_secs(5));
            }
            Err(panic) => {
                tracing::error!(%panic, "A batch of reports failed; it will come again.");
                queue.again().await;
            }
        }
    }
    housekeeping.await?;
    Ok(())
}

/// Every 5 s: verdicts without fresh ticks turn to unknown, done checks are trimmed. Every hour: partitions.
async fn keep_house(store: Store, queue: Queue, mut stopping: watch::Receiver<bool>) {
    let mut turn = 0_u32;
    while !*stopping.borrow() {
        match store.expire_verdicts(clock::now()).await {
            Ok(changes) if !changes.is_empty() => {
                tracing::warn!(websites = changes.len(), "No region reports on some websites; they are unknown now.");
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "Stale verdicts could not be looked for."),
        }
        if turn.is_multiple_of(720)
            && let Err(error) = store.ensure_partitions(clock::now()).await
        {
            tracing::warn!(%error, "Partitions could not be made.");
        }
        let regions: Vec<RegionId> = match store.regions().await {
            Ok(regions) => regions.into_iter().map(|r| r.region_id).collect(),
            Err(_) => Vec::new(),
        };
        if let Err(error) = queue.tidy(&regions).await {
            tracing::debug!(%error, "Done checks could not be trimmed.");
        }
        turn = turn.wrapping_add(1);
        let _ = tokio::time::timeout(Duration::from_secs(5), stopping.changed()).await;
    }
}
