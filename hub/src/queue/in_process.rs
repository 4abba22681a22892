//! The embedded probe: the same engine and pool as the probe's, fed without Redis. Bounded both ways. One for each region: a hub
//! has one, a demo several.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use probe::canary::{Canaries, Keeper};
use probe::engine::Engine;
use probe::pool::{Pool, Ran};
use probe::wire::{Blame, Check, Heartbeat, RegionId, Report, WorkerId};
use tokio::runtime::Handle;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Mutex, mpsc};

use super::{Backlog, Delivery, QueueError, Receipt};
use crate::clock;

/// Checks that may wait for a thread.
const WAITING: usize = 5_000;
/// Reports that may wait for ingest.
const REPORTS: usize = 10_000;
const HEARTBEAT_EVERY: Duration = Duration::from_secs(10);

/// A worker that is a part of this process.
#[derive(Debug, Clone)]
pub struct EmbeddedWorker {
    /// Its region, which no other one has.
    pub region: RegionId,
    /// Its name in the region.
    pub worker: WorkerId,
    /// Runs its checks.
    pub engine: Engine,
}

pub struct InProcess {
    workers: Vec<Worker>,
    reports: mpsc::Sender<(Whose, Report)>,
    incoming: Mutex<Incoming>,
    concurrency: u16,
    started_at: i64,
}

/// From which region, and which worker.
type Whose = (RegionId, WorkerId);

struct Worker {
    whose: Whose,
    pool: Arc<Pool>,
    canaries: Arc<Keeper>,
    counters: Arc<Counters>,
}

#[derive(Default)]
struct Counters {
    checks: AtomicU64,
    expired: AtomicU64,
    forbidden: AtomicU64,
}

struct Incoming {
    reports: mpsc::Receiver<(Whose, Report)>,
    beat_at: Option<Instant>,
}

impl InProcess {
    pub(super) fn start(workers: Vec<EmbeddedWorker>, canaries: &Canaries, concurrency: u16) -> Self {
        let (reports, receiver) = mpsc::channel(REPORTS);
        let start = |EmbeddedWorker { region, worker, engine }| {
            let canaries = Arc::new(Keeper::new(canaries.clone(), engine.clone()));
            let pool = Arc::new(Pool::start(Arc::new(engine), canaries.clone(), concurrency));
            Worker { whose: (region, worker), pool, canaries, counters: Arc::default() }
        };
        Self {
            workers: workers.into_iter().map(start).collect(),
            reports,
            incoming: Mutex::new(Incoming { reports: receiver, beat_at: None }),
            concurrency,
            started_at: clock::now(),
        }
    }

    pub(super) fn publish(&self, region: &RegionId, checks: &mut Vec<Check>) -> Result<(), QueueError> {
        let Some(worker) = self.workers.iter().find(|worker| worker.whose.0 == *region) else {
            // Of a region that was there before, and has nobody now: there they would wait for ever.
            checks.clear();
            return Ok(());
        };
        let waiting = worker.pool.in_flight();
        let fits = checks.len().min(WAITING.saturating_sub(waiting));
        for check in checks.drain(..fits) {
            let (reports, counters, whose) = (self.reports.clone(), worker.counters.clone(), worker.whose.clone());
            let (may_wait, publish_ms) = (check.may_wait(), check.scheduled_publish_ms());
            worker.pool.submit(check, may_wait, move |ran| match ran {
                Ran::Tick(mut tick) => {
                    // No queue lies between the scheduler and the pool; the wait for a thread is the pool's to tell.
                    (tick.delays.publish_ms, tick.delays.queue_ms) = (publish_ms, Some(0));
                    counters.checks.fetch_add(1, Ordering::Relaxed);
                    if tick.failure.as_ref().is_some_and(|failure| failure.blame == Blame::Policy) {
                        counters.forbidden.fetch_add(1, Ordering::Relaxed);
                    }
                    hand_over(&reports, (whose, Report::Tick(tick)));
                }
                Ran::Expired => {
                    let expired = counters.expired.fetch_add(1, Ordering::Relaxed) + 1;
                    tracing::debug!(expired, "A check waited too long for a thread and was not run.");
                }
            });
        }
        if checks.is_empty() { Ok(()) } else { Err(QueueError::Full { waiting }) }
    }

    pub(super) fn waiting(&self, region: &RegionId) -> u64 {
        let of_region = self.workers.iter().filter(|worker| worker.whose.0 == *region);
        of_region.map(|worker| worker.pool.in_flight() as u64).sum()
    }

    pub(super) fn backlog(&self, region: &RegionId) -> Backlog {
        let of_region = self.workers.iter().filter(|worker| worker.whose.0 == *region);
        let waits = of_region.filter_map(|worker| worker.pool.oldest_wait()).max().unwrap_or_default();
        let oldest_ms = i64::try_from(waits.as_millis()).unwrap_or(i64::MAX);
        Backlog { waiting: self.waiting(region), oldest_ms: Some(oldest_ms) }
    }

    pub(super) async fn next_reports(&self) -> Vec<Delivery> {
        let mut guard = self.incoming.lock().await;
        let Incoming { reports, beat_at } = &mut *guard;
        let mut taken = Vec::new();
        if beat_at.is_none_or(|at| at.elapsed() >= HEARTBEAT_EVERY) {
            *beat_at = Some(Instant::now());
            let beats = self.workers.iter().map(|of| (of.whose.clone(), Report::Heartbeat(self.heartbeat(of))));
            taken.extend(beats);
        } else {
            let _ = tokio::time::timeout(Duration::from_secs(1), reports.recv_many(&mut taken, 500)).await;
        }
        let received_at = clock::now();
        let nothing: Arc<str> = "".into();
        let delivery = |((region, worker), report)| Delivery {
            region,
            worker,
            received_at,
            report: Ok(report),
            raw: Vec::new(),
            receipt: Receipt { stream: nothing.clone(), entry_id: String::new() },
        };
        taken.into_iter().map(delivery).collect()
    }

    pub(super) async fn holds_reports(&self) -> bool {
        !self.incoming.lock().await.reports.is_empty()
    }

    fn heartbeat(&self, of: &Worker) -> Heartbeat {
        Heartbeat {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: self.started_at,
            sent_at: clock::now(),
            concurrency: self.concurrency,
            in_flight: u16::try_from(of.pool.in_flight()).unwrap_or(u16::MAX),
            checks: of.counters.checks.load(Ordering::Relaxed),
            expired: of.counters.expired.load(Ordering::Relaxed),
            network: of.canaries.network(),
            finds_no_names: of.canaries.finds_no_names(),
            excused: of.canaries.excused(),
            forbidden: of.counters.forbidden.load(Ordering::Relaxed),
            ..Heartbeat::default()
        }
    }

    pub(super) async fn close(&self) {
        let pools: Vec<_> = self.workers.iter().map(|worker| worker.pool.clone()).collect();
        let stop = |pool: Arc<Pool>| tokio::task::spawn_blocking(move || pool.stop(Duration::from_secs(15)));
        let stopping: Vec<_> = pools.into_iter().map(stop).collect();
        for stopped in stopping {
            if let Ok(left) = stopped.await
                && left > 0
            {
                tracing::warn!(left, "Checks were still running at the stop.");
            }
        }
        self.workers.iter().for_each(|worker| worker.canaries.end_soon());
    }
}

/// Waits for room on a check's thread, which is the bound. On the scheduler's own, where a tick comes from only when no
/// thread could be had, it must not wait.
fn hand_over(reports: &mpsc::Sender<(Whose, Report)>, report: (Whose, Report)) {
    let lost = match reports.try_send(report) {
        Ok(()) => false,
        Err(TrySendError::Full(report)) if Handle::try_current().is_err() => reports.blocking_send(report).is_err(),
        Err(TrySendError::Full(_) | TrySendError::Closed(_)) => true,
    };
    if lost {
        tracing::warn!("A tick could not be taken in: the hub has stopped, or does not keep up.");
    }
}
