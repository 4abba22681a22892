//! What is looked after now and then: verdicts that ran out, done checks, partitions, dead letters.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::progress::Progress;
use crate::clock;
use crate::model::RegionId;
use crate::queue::Queue;
use crate::schedule::Scheduler;
use crate::store::{Expired, Reviewed, Store};
use crate::vital::{Part, Vitals};

const EVERY: Duration = Duration::from_secs(5);
/// Turns between two looks at the partitions: an hour.
const PARTITIONS_EVERY: u32 = 720;
/// Turns between two looks at the dead letters: a minute.
const LETTERS_EVERY: u32 = 12;

/// Turns between two looks at old lines of the audit log: a minute.
const AUDIT_EVERY: u32 = 12;

/// Turns between two looks at incidents that nobody ends: a minute.
const MEND_EVERY: u32 = 12;

/// Turns between two looks at checks that nobody finishes: 10 s.
const GIVEN_UP_EVERY: u32 = 2;

/// Keeps checks that nobody finishes as dead letters, and only then takes them out of the queue.
async fn give_up(store: &Store, queue: &Queue, regions: &[RegionId]) -> anyhow::Result<()> {
    let given_up = queue.given_up(regions).await?;
    for check in &given_up {
        let (stream, letter) = (check.stream(), &check.letter);
        let reason = format!("{}: {}", letter.reason, letter.detail);
        tracing::error!(stream, entry = letter.entry_id, reason, "A check was given up; it is kept as a dead letter.");
        store.dead_letter(&stream, &reason, &serde_json::to_vec(letter).unwrap_or_default(), clock::now()).await?;
    }
    Ok(queue.give_up(&given_up).await?)
}

/// What only time brings to incidents; and, every minute, what a hub of an older version left behind.
async fn review(store: &Store, turn: u32) {
    match store.review_incidents(clock::now()).await {
        Ok(Reviewed { unmuted: 0, grown: 0, .. }) => {}
        Ok(Reviewed { unmuted, grown, .. }) => {
            tracing::info!(unmuted, grown, "Incidents are told of that were muted, or have grown.");
        }
        Err(error) => tracing::warn!(%error, "Incidents could not be looked at."),
    }
    if turn.is_multiple_of(MEND_EVERY) {
        match store.mend_incidents(clock::now()).await {
            Ok(Reviewed { mended: 0, .. }) => {}
            Ok(Reviewed { mended, .. }) => {
                tracing::warn!(mended, "Incidents had websites that were well, paused or gone; they left.");
            }
            Err(error) => tracing::warn!(%error, "Incidents could not be mended."),
        }
        match store.open_missed(clock::now()).await {
            Ok(0) => {}
            Ok(missed) => tracing::warn!(missed, "Websites were down without an incident; they have one now."),
            Err(error) => tracing::warn!(%error, "Missed incidents could not be looked for."),
        }
    }
}

/// [`run`], again after a panic: verdicts must run out whatever else goes wrong (I6).
pub(super) async fn run_on(
    store: Store,
    queue: Queue,
    scheduler: Scheduler,
    progress: Arc<Progress>,
    vitals: Vitals,
    stopping: watch::Receiver<bool>,
) {
    let once = || {
        let (store, queue, scheduler) = (store.clone(), queue.clone(), scheduler.clone());
        run(store, queue, scheduler, progress.clone(), vitals.clone(), stopping.clone())
    };
    while let Err(panic) = tokio::spawn(once()).await {
        tracing::error!(%panic, "Housekeeping failed; it begins anew.");
        tokio::time::sleep(EVERY).await;
    }
}

/// Every 5 s: verdicts without fresh ticks turn to unknown, incidents are looked at, done checks are trimmed. Every minute:
/// old dead letters. Every hour: partitions.
async fn run(
    store: Store,
    queue: Queue,
    scheduler: Scheduler,
    progress: Arc<Progress>,
    vitals: Vitals,
    mut stopping: watch::Receiver<bool>,
) {
    let mut turn = 0_u32;
    while !*stopping.borrow() {
        match store.expire_verdicts(progress.time(clock::now())).await {
            Ok(Expired { transitions, unlooked }) => {
                vitals.moved(Part::Review);
                if !transitions.is_empty() {
                    let websites = transitions.len();
                    tracing::warn!(websites, "No region reports on some websites; they are unknown now.");
                }
                if !unlooked.is_empty() {
                    // Whoever had taken them on ended, or its queue forgot them.
                    tracing::info!(websites = unlooked.len(), "Looks at once have not come; they are asked for again.");
                }
                unlooked.into_iter().for_each(|id| scheduler.look_first(id));
            }
            Err(error) => tracing::warn!(%error, "Stale verdicts could not be looked for."),
        }
        review(&store, turn).await;
        if turn.is_multiple_of(PARTITIONS_EVERY)
            && let Err(error) = store.ensure_partitions(clock::now()).await
        {
            tracing::warn!(%error, "Partitions could not be made.");
        }
        if turn.is_multiple_of(LETTERS_EVERY) {
            match store.trim_dead_letters(clock::now()).await {
                Ok(0) => {}
                Ok(letters) => tracing::info!(letters, "Old dead letters were deleted."),
                Err(error) => tracing::warn!(%error, "Old dead letters could not be deleted."),
            }
        }
        if turn.is_multiple_of(LETTERS_EVERY)
            && let Err(error) = store.forget_answers(clock::now()).await
        {
            tracing::warn!(%error, "Answers that were kept for requests sent again could not be deleted.");
        }
        if turn.is_multiple_of(AUDIT_EVERY) {
            match store.trim_audit(clock::now()).await {
                Ok(0) => {}
                Ok(lines) => tracing::info!(lines, "Old lines of the audit log were deleted."),
                Err(error) => tracing::warn!(%error, "Old lines of the audit log could not be deleted."),
            }
        }
        let regions = store.regions().await.unwrap_or_default();
        if turn.is_multiple_of(PARTITIONS_EVERY)
            && let Err(error) = queue.retire(&regions, clock::now()).await
        {
            tracing::debug!(%error, "Streams of workers that are gone could not be looked for.");
        }
        let regions: Vec<_> = regions.into_iter().map(|r| r.region_id).collect();
        if let Err(error) = queue.tidy(&regions).await {
            tracing::debug!(%error, "Done checks could not be trimmed.");
        }
        if turn.is_multiple_of(GIVEN_UP_EVERY)
            && let Err(error) = give_up(&store, &queue, &regions).await
        {
            tracing::debug!(error = format!("{error:#}"), "Checks that nobody finishes could not be looked for.");
        }
        turn = turn.wrapping_add(1);
        let _ = tokio::time::timeout(EVERY, stopping.changed()).await;
    }
}
