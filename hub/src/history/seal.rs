//! Days that have passed, packed; what is past retention, deleted; room, given back. All hubs do it, each what no other is at
//! work on. A step is one transaction and takes tenths of a second; between two of them as long is left to those who store
//! ticks.

use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::clock;
use crate::model::retention::Retention;
use crate::model::{UtcMs, sealed};
use crate::store::{SealPosition, Store, StoreError};

/// Between two looks. What comes late is packed as soon.
const EVERY: Duration = Duration::from_secs(60);
/// The longest pause between two steps.
const PAUSE: Duration = Duration::from_secs(1);
/// The first look: a hub that has just started has other things to do.
const FIRST: Duration = Duration::from_secs(1);

/// What one look did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Looked {
    /// Ticks that are packed now.
    pub ticks: u64,
    /// Blocks they are in, or that they joined.
    pub blocks: u64,
    /// Bytes of those.
    pub bytes: u64,
    /// Raw ticks past retention that were deleted.
    pub forgotten: u64,
    /// Blocks past retention that were deleted.
    pub forgotten_blocks: u64,
    /// Days of a website that were left as they are.
    pub left: u64,
    /// Partitions that are gone.
    pub days: u64,
}

/// Until told to stop.
///
/// # Errors
/// Never yet; it ends with the hub.
pub async fn run(store: Store, retention: Retention, mut stopping: watch::Receiver<bool>) -> anyhow::Result<()> {
    let mut wait = FIRST;
    loop {
        let _ = tokio::time::timeout(wait, stopping.wait_for(|stop| *stop)).await;
        if *stopping.borrow() {
            return Ok(());
        }
        match look(&store, retention, clock::now(), &mut stopping).await {
            Ok(Looked { ticks: 0, forgotten: 0, forgotten_blocks: 0, days: 0, .. }) => {}
            Ok(Looked { ticks, blocks, bytes, forgotten, forgotten_blocks, left, days }) => tracing::info!(
                ticks,
                blocks,
                bytes,
                forgotten,
                forgotten_blocks,
                left,
                days,
                "Days that have passed were packed; what is past retention was deleted."
            ),
            Err(error) => tracing::warn!(%error, "History could not be looked after."),
        }
        wait = EVERY;
    }
}

/// One look over all there is, to its end or until told to stop.
///
/// # Errors
/// The database is away: what was done until then is done.
pub async fn look(
    store: &Store,
    retention: Retention,
    now: UtcMs,
    stopping: &mut watch::Receiver<bool>,
) -> Result<Looked, StoreError> {
    let (before, kept_from) = (sealed::settled_before(now), retention.kept_from(now));
    let mut looked = Looked::default();
    if !store.may_seal().await? {
        return Ok(looked);
    }
    let mut position = Some(SealPosition::default());
    while let Some(from) = position {
        let began = Instant::now();
        let step = store.seal_some(from, before, kept_from, now).await?;
        looked.ticks += step.ticks;
        looked.blocks += step.blocks;
        looked.bytes += step.bytes;
        looked.forgotten += step.forgotten;
        looked.left += step.left;
        position = step.next;
        if step.ticks + step.forgotten > 0 && is_told_to_stop(stopping, began.elapsed().min(PAUSE)).await {
            return Ok(looked);
        }
    }
    loop {
        let began = Instant::now();
        let gone = store.forget_sealed(kept_from).await?.blocks;
        looked.forgotten_blocks += gone;
        if gone == 0 || is_told_to_stop(stopping, began.elapsed().min(PAUSE)).await {
            break;
        }
    }
    looked.days = store.drop_empty_days(before).await?.iter().filter(|day| day.is_gone).count() as u64;
    while !*stopping.borrow() && store.give_room_back().await? {
        tokio::task::yield_now().await;
    }
    Ok(looked)
}

async fn is_told_to_stop(stopping: &mut watch::Receiver<bool>, pause: Duration) -> bool {
    let _ = tokio::time::timeout(pause, stopping.wait_for(|stop| *stop)).await;
    *stopping.borrow()
}
