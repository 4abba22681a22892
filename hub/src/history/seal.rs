//! Days that have passed, packed; what is past retention, deleted; room, given back. All hubs do it, each what no other is at
//! work on. A step is one transaction and takes tenths of a second; between two of them as long is left to those who store
//! ticks.

use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::clock;
use crate::model::retention::Retention;
use crate::model::{UtcMs, sealed};
use crate::store::{CheckPosition, DayFate, OwnPosition, SealPosition, Store, StoreError};

/// Between two looks. What comes late is packed as soon.
const EVERY: Duration = Duration::from_secs(60);
/// The longest pause between two steps.
const PAUSE: Duration = Duration::from_secs(1);
/// The first look, and until history is counted: a hub that has just started has other things to do.
const FIRST: Duration = Duration::from_secs(1);

/// Between two lines that remind of blocks that are damaged.
const REMIND_EVERY: Duration = Duration::from_secs(3_600);
/// Days past retention go one at a time, those of all websites and those of one that keeps less: a clock that is wrong by years
/// for an hour must not cost all history.
const FORGETS_EVERY: Duration = Duration::from_secs(300);

/// What this hub remembers from one look to the next.
#[derive(Debug)]
pub struct Care {
    retention: Retention,
    forgot: Option<Instant>,
    /// The same of websites that keep less.
    forgot_own: Option<Instant>,
    /// `None`: not begun.
    checked: Option<CheckPosition>,
}

impl Care {
    /// Of a hub that has just started.
    #[must_use]
    pub fn new(retention: Retention) -> Self {
        Self { retention, forgot: None, forgot_own: None, checked: None }
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
    /// Ticks past retention that were deleted and in no block.
    pub forgotten_ticks: u64,
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
    // One that is started over and over (its supervisor does so) does not forget a day each time.
    let began = Some(Instant::now());
    let mut care = Care { forgot: began, forgot_own: began, ..Care::new(retention) };
    let (mut wait, mut reminded) = (FIRST, None::<Instant>);
    loop {
        let _ = tokio::time::timeout(wait, stopping.wait_for(|stop| *stop)).await;
        if *stopping.borrow() {
            return Ok(());
        }
        // First it is counted: an hour of a day that is packed is read at the cost of the whole day, and what is past
        // retention would be gone before it was counted.
        match store.is_history_counted().await {
            Ok(true) => {}
            Ok(false) => {
                wait = FIRST;
                continue;
            }
            Err(error) => {
                tracing::warn!(%error, "History could not be looked after.");
                wait = EVERY;
                continue;
            }
        }
        let now = clock::now();
        let looked = look(&store, &mut care, now, &mut stopping).await;
        if looked.as_ref().is_ok_and(|looked| looked.left == 0) && !*stopping.borrow() {
            store.counts().packed_until(sealed::settled_before(now));
        }
        match looked {
            Ok(Looked { ticks: 0, forgotten: 0, forgotten_ticks: 0, days: 0, .. }) => {}
            Ok(Looked { ticks, blocks, bytes, forgotten, forgotten_ticks, left, days }) => tracing::info!(
                ticks,
                blocks,
                bytes,
                forgotten,
                forgotten_ticks,
                left,
                days,
                "Days that have passed were packed; what is past retention was deleted."
            ),
            Err(error) => tracing::warn!(%error, "History could not be looked after."),
        }
        if reminded.is_none_or(|at| at.elapsed() >= REMIND_EVERY) {
            reminded = Some(Instant::now());
            remind(&store).await;
        }
        wait = EVERY;
    }
}

/// What was said once may have been said weeks ago.
async fn remind(store: &Store) {
    match store.count_damaged_blocks().await {
        Ok(0) => {}
        Ok(blocks) => tracing::warn!(
            blocks,
            "Blocks of history are damaged and not shown, and days of theirs that came late are not packed. Which: select * from \
             sealed_tick_summary where damage is not null. If there is a backup, restore their rows of sealed_tick from that, \
             with damaged_at and damage null."
        ),
        Err(error) => tracing::warn!(%error, "Damaged blocks of history could not be counted."),
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
    let packed = pack(store, before, now, &mut looked, stopping).await;
    if *stopping.borrow() {
        return packed.map(|()| looked);
    }
    // Also where nothing can be packed, for there is no room: this makes some.
    looked.forgotten = forget_a_day(store, care, now, stopping).await?;
    forget_own(store, care, now, &mut looked, stopping).await?;
    looked.days = drop_days(store, before, stopping).await?;
    while !*stopping.borrow() && store.give_room_back().await? {
        tokio::task::yield_now().await;
    }
    let from = match &care.checked {
        Some(position) => position.clone(),
        None => store.check_from().await?,
    };
    care.checked = Some(store.check_some(from, now).await?);
    packed.map(|()| looked)
}

/// Packs what is settled, to its end or until told to stop.
async fn pack(
    store: &Store,
    before: UtcMs,
    now: UtcMs,
    looked: &mut Looked,
    stopping: &mut watch::Receiver<bool>,
) -> Result<(), StoreError> {
    let (mut position, mut told) = (Some(SealPosition::default()), Instant::now());
    while let Some(from) = position {
        let began = Instant::now();
        let step = store.seal_some(from, before, now).await?;
        looked.ticks += step.ticks;
        looked.blocks += step.blocks;
        looked.bytes += step.bytes;
        looked.left += step.left;
        position = step.next;
        let pause = if step.ticks + step.left > 0 { began.elapsed().min(PAUSE) } else { Duration::ZERO };
        if is_told_to_stop(stopping, pause).await {
            return Ok(());
        }
        // The first look over an installation from before may take hours.
        if told.elapsed() >= EVERY && looked.ticks > 0 {
            told = Instant::now();
            let Looked { ticks, blocks, bytes, left, .. } = *looked;
            tracing::info!(ticks, blocks, bytes, left, "Days that have passed are being packed.");
        }
    }
    Ok(())
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
    let Some(before) = care.retention.forgets_before(day, now) else { return Ok(0) };
    care.forgot = Some(Instant::now());
    if care.retention.has_more_than(before, now) {
        let day =
            jiff::Timestamp::from_millisecond(day).map(|at| at.strftime("%Y-%m-%d").to_string()).unwrap_or_default();
        tracing::warn!(
            day,
            retention_days = care.retention.days,
            every_s = FORGETS_EVERY.as_secs(),
            "There is history of more days than are kept: this one is deleted now, the next later. If that is not meant, set \
             RETENTION_DAYS higher, or the clock right."
        );
    }
    let mut forgotten = 0;
    loop {
        let began = Instant::now();
        let gone = store.forget_sealed(before).await?.blocks;
        forgotten += gone;
        if gone == 0 || is_told_to_stop(stopping, began.elapsed().min(PAUSE)).await {
            return Ok(forgotten);
        }
    }
}

/// Of each website that keeps less than the installation does, deletes the oldest day that is past that; all of them in turn,
/// where they were not a moment ago.
async fn forget_own(
    store: &Store,
    care: &mut Care,
    now: UtcMs,
    looked: &mut Looked,
    stopping: &mut watch::Receiver<bool>,
) -> Result<(), StoreError> {
    if care.forgot_own.is_some_and(|forgot| forgot.elapsed() < FORGETS_EVERY) {
        return Ok(());
    }
    care.forgot_own = Some(Instant::now());
    // What is not counted yet is needed still: after days without a hub, counting may be far behind a website that keeps one.
    let now = store.roll_up_progress().await?.map_or(now, |progress| progress.hours.at.min(now));
    let mut position = Some(OwnPosition::default());
    while let Some(from) = position {
        let began = Instant::now();
        let (past, next) = store.past_own_retention(from, care.retention, now).await?;
        position = next;
        let mut pause = began.elapsed().min(PAUSE);
        for website in past {
            loop {
                if is_told_to_stop(stopping, pause).await {
                    return Ok(());
                }
                let began = Instant::now();
                let gone = store.forget_own(&website).await?;
                looked.forgotten += gone.blocks;
                looked.forgotten_ticks += gone.ticks;
                pause = began.elapsed().min(PAUSE);
                if gone.blocks + gone.ticks == 0 {
                    break;
                }
            }
        }
        if is_told_to_stop(stopping, pause).await {
            return Ok(());
        }
    }
    Ok(())
}

/// Drops days that have nothing in them any more; how many.
async fn drop_days(store: &Store, before: UtcMs, stopping: &mut watch::Receiver<bool>) -> Result<u64, StoreError> {
    let mut dropped = 0;
    for day in store.ended_days(before).await? {
        if *stopping.borrow() {
            break;
        }
        match store.drop_day(&day).await? {
            DayFate::Gone => dropped += 1,
            DayFate::Stays => {}
            DayFate::Unclean => {
                tokio::select! {
                    cleaned = store.clean_up_day(&day) => cleaned?,
                    Ok(_) = stopping.wait_for(|stop| *stop) => {}
                }
                // Whatever keeps one from being cleaned up (a backup that runs for hours) keeps the others, too.
                break;
            }
        }
    }
    Ok(dropped)
}

async fn is_told_to_stop(stopping: &mut watch::Receiver<bool>, pause: Duration) -> bool {
    if !pause.is_zero() {
        let _ = tokio::time::timeout(pause, stopping.wait_for(|stop| *stop)).await;
    }
    *stopping.borrow()
}
