//! Ticks in, verdicts out: a reader takes reports from the queue, keepers store them, an acknowledger tells the queue what
//! is stored. The three overlap, with bounded channels in between. Each website belongs to one keeper, so that its ticks
//! are counted in the order they came and keepers never wait for each other's rows.

mod acknowledge;
mod housekeeping;
mod keep;
mod part;
mod progress;
mod read;

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use self::progress::Progress;
use crate::clock;
use crate::queue::Queue;
use crate::schedule::Scheduler;
use crate::store::Store;
use crate::vital::Part;

/// Keepers beside each other on Postgres: while one waits for a commit the other computes.
const KEEPERS: usize = 2;
/// Parts that may wait for a keeper. With the one it works on and the one the reader holds: four batches in memory.
const PARTS_WAITING: usize = 2;
/// Parts that are stored and not acknowledged yet.
const STORED_WAITING: usize = 8;

/// Takes reports in until told to stop, and then until nothing is left that only this process holds. After trouble it
/// waits a little longer each time, at most 5 s.
///
/// # Errors
/// A part of it panicked outside of a batch: our bug.
pub async fn run(
    store: Store,
    queue: Queue,
    scheduler: Scheduler,
    mut stopping: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let vitals = scheduler.vitals().clone();
    // What a tick is worth follows from how often its website is looked at. Nothing it leads to would be done before, either.
    tokio::select! {
        () = scheduler.loaded() => {}
        _ = stopping.wait_for(|is_stopping| *is_stopping) => {}
    }
    let (stored, to_acknowledge) = mpsc::channel(STORED_WAITING);
    let (mut parts, mut keepers) = (Vec::new(), Vec::new());
    // SQLite has one writer.
    let number = if store.is_sqlite() { 1 } else { KEEPERS };
    let progress = Arc::new(Progress::new(number));
    let housekeeping = tokio::spawn(housekeeping::run_on(
        store.clone(),
        queue.clone(),
        scheduler.clone(),
        progress.clone(),
        vitals.clone(),
        stopping.clone(),
    ));
    for place in 0..number {
        let (sender, receiver) = mpsc::channel(PARTS_WAITING);
        parts.push(sender);
        let keeper = keep::Keeper::new(&store, &queue, &scheduler, &vitals, stored.clone(), stopping.clone());
        let (progress, vitals) = (progress.clone(), vitals.clone());
        keepers.push(tokio::spawn(keeper.run(receiver, move |at| {
            progress.reached(place, at);
            let now = clock::now();
            vitals.behind(now.saturating_sub(progress.time(now)));
            // One that stands still holds up its share, however well the others do.
            if !progress.is_stuck() {
                vitals.moved(Part::Ingest);
            }
        })));
    }
    drop(stored);
    let acknowledger = tokio::spawn(acknowledge::run(queue.clone(), to_acknowledge));
    // Each ends when the one before it has.
    read::run(queue, parts, vitals, stopping).await;
    for keeper in keepers {
        keeper.await?;
    }
    acknowledger.await?;
    housekeeping.await?;
    Ok(())
}
