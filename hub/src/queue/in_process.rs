//! The embedded probe: the same engine and pool as the probe's, fed without Redis. Bounded both ways.

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

use super::{Delivery, QueueError, Receipt};
use crate::clock;

/// Checks that may wait for a thread.
const WAITING: usize = 5_000;
/// Reports that may wait for ingest.
const REPORTS: usize = 10_000;
const HEARTBEAT_EVERY: Duration = Duration::from_secs(10);

pub struct InProcess {
    pool: Arc<Pool>,
    canaries: Arc<Keeper>,
    reports: mpsc::Sender<Report>,
    incoming: Mutex<Incoming>,
    concurrency: u16,
    started_at: i64,
    names: Option<(RegionId, WorkerId)>,
    counters: Arc<Counters>,
}

#[derive(Default)]
struct Counters {
    checks: AtomicU64,
    expired: AtomicU64,
    forbidden: AtomicU64,
}

struct Incoming {
    reports: mpsc::Receiver<Report>,
    beat_at: Option<Instant>,
}

impl InProcess {
    pub(super) fn start(engine: Arc<Engine>, canaries: Canaries, concurrency: u16) -> Self {
        let (reports, receiver) = mpsc::channel(REPORTS);
        let canaries = Arc::new(Keeper::new(canaries, Engine::clone(&engine)));
        Self {
            pool: Arc::new(Pool::start(engine, canaries.clone(), concurrency)),
            canaries,
            reports,
            incoming: Mutex::new(Incoming { reports: receiver, beat_at: None }),
            concurrency,
            started_at: clock::now(),
            names: "LOCAL".parse().ok().zip("hub".parse().ok()),
            counters: Arc::default(),
        }
    }

    pub(super) fn publish(&self, checks: &mut Vec<Check>) -> Result<(), QueueError> {
        let waiting = self.pool.in_flight();
        let fits = checks.len().min(WAITING.saturating_sub(waiting));
        for check in checks.drain(..fits) {
            let (reports, counters) = (self.reports.clone(), self.counters.clone());
            let (may_wait, publish_ms) = (check.may_wait(), check.scheduled_publish_ms());
            self.pool.submit(check, may_wait, move |ran| match ran {
                Ran::Tick(mut tick) => {
                    // No queue lies between the scheduler and the pool; the wait for a thread is the pool's to tell.
                    (tick.delays.publish_ms, tick.delays.queue_ms) = (publish_ms, Some(0));
                    counters.checks.fetch_add(1, Ordering::Relaxed);
                    if tick.failure.as_ref().is_some_and(|failure| failure.blame == Blame::Policy) {
                        counters.forbidden.fetch_add(1, Ordering::Relaxed);
                    }
                    hand_over(&reports, Report::Tick(tick));
                }
                Ran::Expired => {
                    let expired = counters.expired.fetch_add(1, Ordering::Relaxed) + 1;
                    tracing::debug!(expired, "A check waited too long for a thread and was not run.");
                }
            });
        }
        if checks.is_empty() { Ok(()) } else { Err(QueueError::Full { waiting }) }
    }

    pub(super) fn waiting(&self) -> u64 {
        self.pool.in_flight() as u64
    }

    pub(super) async fn next_reports(&self) -> Vec<Delivery> {
        let mut guard = self.incoming.lock().await;
        let Incoming { reports, beat_at } = &mut *guard;
        let mut taken = Vec::new();
        if beat_at.is_none_or(|at| at.elapsed() >= HEARTBEAT_EVERY) {
            *beat_at = Some(Instant::now());
            taken.push(Report::Heartbeat(self.heartbeat()));
        } else {
            let _ = tokio::time::timeout(Duration::from_secs(1), reports.recv_many(&mut taken, 500)).await;
        }
        let Some((region, worker)) = &self.names else { return Vec::new() };
        let received_at = clock::now();
        let nothing: Arc<str> = "".into();
        let delivery = |report| Delivery {
            region: region.clone(),
            worker: worker.clone(),
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

    fn heartbeat(&self) -> Heartbeat {
        Heartbeat {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: self.started_at,
            sent_at: clock::now(),
            concurrency: self.concurrency,
            in_flight: u16::try_from(self.pool.in_flight()).unwrap_or(u16::MAX),
            checks: self.counters.checks.load(Ordering::Relaxed),
            expired: self.counters.expired.load(Ordering::Relaxed),
            network: self.canaries.network(),
            finds_no_names: self.canaries.finds_no_names(),
            excused: self.canaries.excused(),
            forbidden: self.counters.forbidden.load(Ordering::Relaxed),
            ..Heartbeat::default()
        }
    }

    pub(super) async fn close(&self) {
        let pool = self.pool.clone();
        let stopped = tokio::task::spawn_blocking(move || pool.stop(Duration::from_secs(15)));
        if let Ok(left) = stopped.await
            && left > 0
        {
            tracing::warn!(left, "Checks were still running at the stop.");
        }
        self.canaries.end_soon();
    }
}

/// Waits for room on a check's thread, which is the bound. On the scheduler's own, where a tick comes from only when no
/// thread could be had, it must not wait.
fn hand_over(reports: &mpsc::Sender<Report>, report: Report) {
    let lost = match reports.try_send(report) {
        Ok(()) => false,
        Err(TrySendError::Full(report)) if Handle::try_current().is_err() => reports.blocking_send(report).is_err(),
        Err(TrySendError::Full(_) | TrySendError::Closed(_)) => true,
    };
    if lost {
        tracing::warn!("A tick could not be taken in: the hub has stopped, or does not keep up.");
    }
}
