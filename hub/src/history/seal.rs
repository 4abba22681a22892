//! Days that have passed, packed; what is past retention, deleted; room, given back. All hubs do it, each what no other is at
//! work on. A step is one transaction and takes tenths of a second; between two of them as long is left to those who store
//! ticks.

use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::clock;
use crate::model::retention::Retention;
use crate::model::{UtcMs, sealed};
use crate::store::{CheckPosition, SealPosition, Store, StoreError};

/// Between two looks. What comes late is packed as soon.
const EVERY: Duration = Duration::from_secs(60);
/// The longest pause between two steps.
const PAUSE: Duration = Duration::from_secs(1);
/// The first look: a hub that has just started has other things to do.
const FIRST: Duration = Duration::from_secs(1);

/// Days past retention go one at a time: a clock that is wrong by years for an hour must not cost all history.
const FORGETS_EVERY: Duration = Duration::from_secs(300);

/// What this hub remembers from one look to the next.
#[derive(Debug)]
pub struct Care {
    retention: Retention,
    forgot: Option<Instant>,
    checked: CheckPosition,
}

impl Care {
    /// Of a hub that has just started.
    #[must_use]
    pub fn new(retention: Retention) -> Self {
        Self { retention, forgot: None, checked: CheckPosition::anywhere() }
    }
}

/// What one look did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Looked {
    /// Ticks that are packed now.
    pub ticks: u64,
    /// Blocks they are in, or that they joined.
    pub blocks: u64,
    /// Bytes of those.
    pub bytes: u64,
    /// Blocks past retention that were deleted.
    pub forgotten: u64,
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
    let (mut care, mut wait) = (Care::new(retention), FIRST);
    loop {
        let _ = tokio::time::timeout(wait, stopping.wait_for(|stop| *stop)).await;
        if *stopping.borrow() {
            return Ok(());
        }
        match look(&store, &mut care, clock::now(), &mut stopping).await {
            Ok(Looked { ticks: 0, forgotten: 0, days: 0, .. }) => {}
            Ok(Looked { ticks, blocks, bytes, forgotten, left, days }) => tracing::info!(
                ticks,
                blocks,
                bytes,
                forgotten,
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
    care: &mut Care,
    now: UtcMs,
    stopping: &mut watch::Receiver<bool>,
) -> Result<Looked, StoreError> {
    let before = sealed::settled_before(now);
    let mut looked = Looked::default();
    if !store.may_seal().await? {
        return Ok(looked);
    }
    let mut position = Some(SealPosition::default());
    while let Some(from) = position {
        let began = Instant::now();
        let step = store.seal_some(from, before, now).await?;
        looked.ticks += step.ticks;
        looked.blocks += step.blocks;
        looked.bytes += step.bytes;
        looked.left += step.left;
        position = step.next;
        if step.ticks > 0 && is_told_to_stop(stopping, began.elapsed().min(PAUSE)).await {
            return Ok(looked);
        }
    }
    looked.forgotten = forget_a_day(store, care, now, stopping).await?;
    looked.days = store.drop_empty_days(before).await?.iter().filter(|day| day.is_gone).count() as u64;
    while !*stopping.borrow() && store.give_room_back().await? {
        tokio::task::yield_now().await;
    }
    care.checked = store.check_some(care.checked.clone(), now).await?;
    Ok(looked)
}

/// Deletes the oldest day, where it is past retention and the last one was not deleted just now.
async fn forget_a_day(
    store: &Store,
    care: &mut Care,
    now: UtcMs,
    stopping: &mut watch::Receiver<bool>,
) -> Result<u64, StoreError> {
    if care.forgot.is_some_and(|forgot| forgot.elapsed() < FORGETS_EVERY) {
        return Ok(0);
    }
    let Some(day) = store.oldest_sealed_day().await? else { return Ok(0) };
    if sealed::end_of(day) >= care.retention.kept_from(now) {
        return Ok(0);
    }
    care.forgot = Some(Instant::now());
    let mut forgotten = 0;
    loop {
        let began = Instant::now();
        let gone = store.forget_sealed(sealed::end_of(day).saturating_add(1)).await?.blocks;
        forgotten += gone;
        if gone == 0 || is_told_to_stop(stopping, began.elapsed().min(PAUSE)).await {
            return Ok(forgotten);
        }
    }
}

async fn is_told_to_stop(stopping: &mut watch::Receiver<bool>, pause: Duration) -> bool {
    let _ = tokio::time::timeout(pause, stopping.wait_for(|stop| *stop)).await;
    *stopping.borrow()
}
