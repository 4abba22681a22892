//! What operators are told of. Every few seconds this hub writes down how it is, reads how all hubs, workers, queues and
//! dead letters are, and has that judged ([`crate::model::operator`]); what follows becomes incidents of the operators'
//! accounts, which are told like any. Any number of hubs look at the same; whichever comes first writes.

pub mod capacity;
mod dead_man;
pub mod service;
mod space;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::sync::watch;

pub use dead_man::{DeadMan, run as run_dead_man};

use crate::clock;
use crate::model::UtcMs;
use crate::model::operator::{HubReport, Known, RegionLag, WatchedWorker, judge};
use crate::queue::Queue;
use crate::store::{OperatorReviewed, Store, StoreError};
use crate::vital::{Part, Vitals};

/// Bytes that this user may still write where this directory is, or is to be; `None`: the system does not say.
#[must_use]
pub fn free_bytes(directory: &Path) -> Option<u64> {
    let there = directory.ancestors().find(|path| path.exists()).unwrap_or_else(|| Path::new("."));
    space::of(there).and_then(|(free, _)| u64::try_from(free).ok())
}

/// Between two looks.
const EVERY: Duration = Duration::from_secs(10);
/// A clock that is other than expected by so much has jumped: less than any silence that is told.
const JUMP_MS: i64 = 15_000;
/// After that nothing is judged for so many looks: all hubs and most workers say meanwhile how they are.
const UNJUDGED: u8 = 2;
/// Regions whose queues are looked at in one look.
const REGIONS: usize = 500;
/// Longest name of a hub.
const NAME: usize = 100;

/// What one hub knows of itself between two looks.
#[derive(Clone)]
pub struct Watch {
    store: Store,
    queue: Queue,
    vitals: Vitals,
    name: String,
    /// Of the database, where it is a file of ours.
    directory: Option<PathBuf>,
    hears_since_at: Option<UtcMs>,
    late_since_at: Option<UtcMs>,
    late_at: Option<UtcMs>,
}

impl Watch {
    /// Of the hub `name`, whose SQLite file, if it has one, is in `directory`.
    #[must_use]
    pub fn new(store: Store, queue: Queue, vitals: Vitals, name: &str, directory: &Path) -> Self {
        let directory = store.is_sqlite().then(|| directory.to_owned());
        let name = name.chars().filter(char::is_ascii_graphic).take(NAME).collect();
        Self { store, queue, vitals, name, directory, hears_since_at: None, late_since_at: None, late_at: None }
    }

    /// How this hub is now.
    fn report(&mut self, now: UtcMs) -> HubReport {
        let hears = self.vitals.hears();
        self.hears_since_at = if hears { self.hears_since_at.or(Some(now)) } else { None };
        let late = self.vitals.late();
        // A database that was away is no part of this hub that stands still: when this can be said, it is back.
        (self.late_since_at, self.late_at) = match &late {
            None => (None, Some(now)),
            Some(still) if still.is_empty() => (None, self.late_at),
            Some(_) => (self.late_since_at.or(Some(now)), Some(now)),
        };
        let still: Vec<&str> = late.unwrap_or_default().into_iter().map(Part::words).collect();
        HubReport {
            name: self.name.clone(),
            seen_at: now,
            hears_since_at: self.hears_since_at,
            queue_away_since_at: self.vitals.queue_away_ms().map(|ms| now.saturating_sub(ms)),
            late: still.join(", "),
            late_since_at: self.late_since_at,
            late_at: self.late_at,
            space: self.directory.as_deref().and_then(space::of),
            full_at: self.vitals.full_ago_ms().map(|ms| now.saturating_sub(ms)),
        }
    }

    /// Time has jumped: what was noted by the clock before is worth nothing, and whoever listens has to listen anew.
    fn begin_anew(&mut self) {
        (self.hears_since_at, self.late_since_at) = (None, None);
    }

    /// Says how this hub is, and looks at nothing.
    async fn speak(&mut self, now: UtcMs) -> Result<(), StoreError> {
        let report = self.report(now);
        let reported = self.store.report_hub(&report, now).await;
        if reported.as_ref().is_err_and(StoreError::is_full) {
            self.vitals.full();
        }
        reported?;
        self.vitals.moved(Part::Store);
        Ok(())
    }

    /// One look at all there is, as of `now`.
    ///
    /// # Errors
    /// The database is away.
    pub async fn look(&mut self, now: UtcMs) -> Result<OperatorReviewed, StoreError> {
        self.speak(now).await?;
        for (region, worker) in self.queue.take_floods() {
            self.store.note_flood(&region, &worker, now).await?;
        }
        let workers = self.store.watched_workers().await?;
        let lags = self.lags(&workers).await;
        let hubs = self.store.hubs().await?;
        let letters = self.store.letter_count().await?;
        let damage = self.store.damage_count().await?;
        let known = Known { looked_at: now, hubs, workers, lags, letters, damage };
        self.store.review_operators(&judge(&known, now), now).await
    }

    /// How long the next check of each region has waited. What the queue does not tell is not known.
    async fn lags(&self, workers: &[WatchedWorker]) -> RegionLag {
        let mut lags = RegionLag::new();
        let regions: BTreeSet<_> = workers.iter().map(|worker| &worker.region_id).collect();
        for region in regions.into_iter().take(REGIONS) {
            match self.queue.next_waits_ms(region).await {
                Ok(Some(ms)) => drop(lags.insert(region.clone(), ms)),
                Ok(None) => {}
                Err(error) => {
                    tracing::debug!(%error, "How long checks wait could not be asked.");
                    break;
                }
            }
        }
        lags
    }
}

/// Whether the time went on otherwise than it was measured to: this machine slept, or a clock was set. Everybody's last sign of
/// life is as old then, and comes again in its own time.
fn has_jumped(before: (Instant, UtcMs), after: (Instant, UtcMs)) -> bool {
    let measured_ms = i64::try_from(after.0.saturating_duration_since(before.0).as_millis()).unwrap_or(i64::MAX);
    after.1.saturating_sub(before.1).saturating_sub(measured_ms).saturating_abs() > JUMP_MS
}

/// Looks until told to stop; then this hub is expected no more.
///
/// # Errors
/// Never by itself: trouble is logged and tried again.
pub async fn run(mut watch: Watch, mut stopping: watch::Receiver<bool>) -> anyhow::Result<()> {
    let (store, name) = (watch.store.clone(), watch.name.clone());
    let mut is_failing = false;
    let (mut before, mut unjudged) = (None, 0_u8);
    while !*stopping.borrow() {
        let at = (Instant::now(), clock::now());
        if before.replace(at).is_some_and(|before| has_jumped(before, at)) {
            watch.begin_anew();
            unjudged = UNJUDGED;
        }
        let is_judged = unjudged == 0;
        unjudged = unjudged.saturating_sub(1);
        // A task of its own: what makes one look fail costs that one (D29).
        let mut looking = watch.clone();
        let looked = tokio::spawn(async move {
            let looked = if is_judged {
                looking.look(at.1).await
            } else {
                looking.speak(at.1).await.map(|()| OperatorReviewed::default())
            };
            (looking, looked)
        });
        match looked.await {
            Err(panic) => tracing::error!(%panic, "Looking after the installation made the hub fail."),
            Ok((again, Ok(reviewed))) => {
                watch = again;
                is_failing = false;
                if reviewed != OperatorReviewed::default() {
                    let OperatorReviewed { opened, closed, grown } = reviewed;
                    tracing::warn!(opened, closed, grown, "Incidents of the installation changed; operators are told.");
                }
            }
            // Said once: others tell of a database that is away, every few seconds.
            Ok((again, Err(error))) => {
                watch = again;
                if !std::mem::replace(&mut is_failing, true) {
                    tracing::warn!(%error, "How the installation is could not be looked at; trying again.");
                }
            }
        }
        let _ = tokio::time::timeout(EVERY, stopping.changed()).await;
    }
    if let Err(error) = store.forget_hub(&name).await {
        tracing::debug!(%error, "This hub could not take its leave; it is forgotten in a day.");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_slept_and_a_clock_that_was_set_are_jumps_and_a_slow_look_is_none() {
        let (instant, at) = (Instant::now(), 1_795_000_000_000);
        let later = instant + Duration::from_secs(10);
        for (after_ms, jumped) in
            [(10_000, false), (24_000, false), (26_000, true), (8 * 3_600_000, true), (-3_600_000, true)]
        {
            assert_eq!(has_jumped((instant, at), (later, at + after_ms)), jumped, "{after_ms} ms by the clock");
        }
        let much_later = instant + Duration::from_secs(120);
        assert!(!has_jumped((instant, at), (much_later, at + 120_000)), "a look that took two minutes");
    }
}
