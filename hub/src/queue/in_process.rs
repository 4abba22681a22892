//! The embedded probe: the same engine and pool as the probe's, fed without Redis. Bounded both ways.

use std::sync::Arc;
use std::time::{Duration, Instant};

use probe::engine::Engine;
use probe::pool::Pool;
use probe::wire::{Check, Heartbeat, RegionId, Report, WorkerId};
use tokio::sync::{Mutex, mpsc};

use super::{Delivery, QueueError};
use crate::clock;

/// Checks that may wait for a thread.
const WAITING: usize = 5_000;
/// Reports that may wait for ingest.
const REPORTS: usize = 10_000;
const HEARTBEAT_EVERY: Duration = Duration::from_secs(10);

pub struct InProcess {
    pool: Arc<Pool>,
    reports: mpsc::Sender<Report>,
    incoming: Mutex<Incoming>,
    concurrency: u16,
    started_at: i64,
    names: Option<(RegionId, WorkerId)>,
}

struct Incoming {
    reports: mpsc::Receiver<Report>,
    beat_at: Option<Instant>,
    /// Handed out and not acknowledged: handed out again when their effect could not be stored.
    pending: Vec<Report>,
}

impl InProcess {
    pub(super) fn start(engine: Arc<Engine>, concurrency: u16) -> Self {
        let (reports, receiver) = mpsc::channel(REPORTS);
        Self {
            pool: Arc::new(Pool::start(engine, concurrency)),
            reports,
            incoming: Mutex::new(Incoming { reports: receiver, beat_at: None, pending: Vec::new() }),
            concurrency,
            started_at: clock::now(),
            names: "LOCAL".parse().ok().zip("hub".parse().ok()),
        }
    }

    pub(super) fn publish(&self, checks: &[Check]) -> Result<(), QueueError> {
        let waiting = self.pool.in_flight();
        if waiting + checks.len() > WAITING {
            return Err(QueueError::Full { waiting });
        }
        for check in checks {
            let reports = self.reports.clone();
            self.pool.submit(check.clone(), move |tick| {
                if reports.blocking_send(Report::Tick(Box::new(tick))).is_err() {
                    log::debug!("A tick came after the hub stopped.");
                }
            });
        }
        Ok(())
    }

    pub(super) fn waiting(&self) -> u64 {
        self.pool.in_flight() as u64
    }

    pub(super) async fn next_reports(&self) -> Vec<Delivery> {
        let mut guard = self.incoming.lock().await;
        let Incoming { reports, beat_at, pending } = &mut *guard;
        if pending.is_empty() {
            if beat_at.is_none_or(|at| at.elapsed() >= HEARTBEAT_EVERY) {
                *beat_at = Some(Instant::now());
                pending.push(Report::Heartbeat(self.heartbeat()));
            } else {
                let _ = tokio::time::timeout(Duration::from_secs(1), reports.recv_many(pending, 500)).await;
            }
        }
        let reports = pending.clone();
        let Some((region, worker)) = &self.names else { return Vec::new() };
        let received_at = clock::now();
        let delivery = |report| Delivery {
            region: region.clone(),
            worker: worker.clone(),
            received_at,
            report: Ok(report),
            raw: Vec::new(),
            entry_id: String::new(),
        };
        reports.into_iter().map(delivery).collect()
    }

    pub(super) async fn acknowledge(&self) {
        self.incoming.lock().await.pending.clear();
    }

    fn heartbeat(&self) -> Heartbeat {
        Heartbeat {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: self.started_at,
            sent_at: clock::now(),
            concurrency: self.concurrency,
            in_flight: u16::try_from(self.pool.in_flight()).unwrap_or(u16::MAX),
            checks: 0,
            expired: 0,
            refused: 0,
            buffered: 0,
            dropped: 0,
            lost: 0,
            stopping: false,
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
    }
}
