//! Checks out, reports in: Redis streams, or channels inside this process. The only Redis of the hub.

mod in_process;
mod nowhere;
mod redis;

pub use self::redis::acl;
pub use in_process::EmbeddedWorker;
pub use nowhere::{Nowhere, Tally};

use std::sync::Arc;
use std::time::Duration;

use probe::canary::Canaries;
use probe::engine::Engine;
use probe::wire::{Check, RegionId, Report, UtcMs, WireError, WorkerId};

pub use self::redis::{GivenUp, RedisInfo};
use crate::model::Region;

/// Why the queue did not do it.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// Redis is away, or refused.
    #[error("Redis: {0}")]
    Redis(#[from] ::redis::RedisError),
    /// A check that cannot be sent.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The embedded probe does not keep up; the checks were not taken.
    #[error("the embedded probe has {waiting} checks waiting, more than it may")]
    Full {
        /// How many.
        waiting: usize,
    },
}

/// What to acknowledge once the effect of a report is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    stream: Arc<str>,
    entry_id: String,
}

/// A report as it arrived.
#[derive(Debug)]
pub struct Delivery {
    /// From the stream's key.
    pub region: RegionId,
    /// From the stream's key.
    pub worker: WorkerId,
    /// When the queue got it, by the hub's clock; never later than now.
    pub received_at: UtcMs,
    /// What it says, or why it is not understood.
    pub report: Result<Report, WireError>,
    /// The body as it came, for the dead letters; empty when it was understood.
    pub raw: Vec<u8>,
    /// For the acknowledgement.
    pub receipt: Receipt,
}

/// Checks of a region on their way to its workers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Checks that are not done, those that are under way among them.
    pub waiting: u64,
    /// How long the first one that no worker has begun has waited, in milliseconds; `None`: that is not known.
    pub oldest_ms: Option<i64>,
}

/// What was read at once.
#[derive(Debug, Default)]
pub struct Reports {
    /// The reports, of each worker in its order.
    pub deliveries: Vec<Delivery>,
    /// There are more, received later than this. `None`: these are all there are.
    pub read_until_at: Option<UtcMs>,
}

/// The queue. Cheap to clone; clones share connections.
#[derive(Clone)]
pub enum Queue {
    /// Streams (DESIGN 5).
    Redis(Arc<redis::RedisQueue>),
    /// This process.
    InProcess(Arc<in_process::InProcess>),
    /// Nowhere: for measurements.
    Nowhere(Arc<Nowhere>),
}

impl Queue {
    /// Streams of the Redis at `url`; with `rediss://` whom the system trusts is trusted, and the authorities of `ca_file`.
    /// `consumer` is this hub's stable name in the group `hub`.
    ///
    /// # Errors
    /// The URL is not understood, or the file cannot be read. Redis being away is not an error.
    pub fn redis(url: &str, ca_file: Option<&str>, consumer: &str) -> Result<Self, QueueError> {
        Ok(Self::Redis(Arc::new(redis::RedisQueue::new(url, ca_file, consumer)?)))
    }

    /// A queue and a probe inside this process, region `LOCAL`.
    #[must_use]
    pub fn in_process(engine: Engine, canaries: &Canaries, concurrency: u16) -> Self {
        let names = "LOCAL".parse().ok().zip("hub".parse().ok());
        let worker = names.map(|(region, worker)| EmbeddedWorker { region, worker, engine });
        Self::with_workers(worker.into_iter().collect(), canaries, concurrency)
    }

    /// A queue and these probes inside this process, of as many regions; each runs `concurrency` checks at once.
    #[must_use]
    pub fn with_workers(workers: Vec<EmbeddedWorker>, canaries: &Canaries, concurrency: u16) -> Self {
        Self::InProcess(Arc::new(in_process::InProcess::start(workers, canaries, concurrency)))
    }

    /// Publishes checks for a region, in order, and takes out those that are.
    ///
    /// # Errors
    /// What is left was not published; publishing it again is harmless.
    pub async fn publish(&self, region: &RegionId, checks: &mut Vec<Check>) -> Result<(), QueueError> {
        match self {
            Self::Redis(queue) => queue.publish(region, checks).await,
            Self::InProcess(queue) => queue.publish(region, checks),
            Self::Nowhere(queue) => {
                queue.publish(checks);
                Ok(())
            }
        }
    }

    /// The next reports, some thousands at most, as many from each worker while all have more; waits for at most 2 s. After
    /// a start or an error, first those that were delivered to this hub before and not acknowledged.
    ///
    /// # Errors
    /// Redis is away.
    pub async fn next_reports(&self) -> Result<Reports, QueueError> {
        match self {
            Self::Redis(queue) => queue.next_reports().await,
            Self::InProcess(queue) => Ok(Reports { deliveries: queue.next_reports().await, read_until_at: None }),
            Self::Nowhere(_) => {
                tokio::time::sleep(Duration::from_secs(2)).await;
                Ok(Reports::default())
            }
        }
    }

    /// Acknowledges and deletes reports whose effect is stored.
    ///
    /// # Errors
    /// Redis is away; they will be delivered again, which is harmless.
    pub async fn acknowledge(&self, receipts: &[Receipt]) -> Result<(), QueueError> {
        match self {
            Self::Redis(queue) => queue.acknowledge(receipts).await,
            Self::InProcess(_) | Self::Nowhere(_) => Ok(()),
        }
    }

    /// Reports were not acknowledged: they are handed out again, before new ones.
    pub async fn again(&self) {
        match self {
            Self::Redis(queue) => queue.again().await,
            Self::InProcess(_) | Self::Nowhere(_) => {}
        }
    }

    /// Whether a report that is not acknowledged is handed out again one day, also to another process. If not, who was
    /// given it has the only one.
    #[must_use]
    pub fn hands_out_again(&self) -> bool {
        matches!(self, Self::Redis(_))
    }

    /// Whether reports wait that nobody will hand out after the end of this process.
    pub async fn holds_reports(&self) -> bool {
        match self {
            Self::Redis(_) | Self::Nowhere(_) => false,
            Self::InProcess(queue) => queue.holds_reports().await,
        }
    }

    /// Makes stream and group of a region. From `0`: what was written before is not lost.
    ///
    /// # Errors
    /// Redis is away.
    pub async fn ensure_region(&self, region: &RegionId) -> Result<(), QueueError> {
        match self {
            Self::Redis(queue) => queue.ensure_region(region).await,
            Self::InProcess(_) | Self::Nowhere(_) => Ok(()),
        }
    }

    /// Checks of a region not yet done.
    ///
    /// # Errors
    /// Redis is away.
    pub async fn waiting(&self, region: &RegionId) -> Result<u64, QueueError> {
        match self {
            Self::Redis(queue) => queue.waiting(region).await,
            Self::InProcess(queue) => Ok(queue.waiting(region)),
            Self::Nowhere(_) => Ok(0),
        }
    }

    /// Trims what is done; every 10 s looks after the bounds of streams.
    ///
    /// # Errors
    /// Redis is away.
    pub async fn tidy(&self, regions: &[RegionId]) -> Result<(), QueueError> {
        match self {
            Self::Redis(queue) => queue.tidy(regions).await,
            Self::InProcess(_) | Self::Nowhere(_) => Ok(()),
        }
    }

    /// Checks that workers were given again and again and never finished: each is to be kept as a dead letter.
    ///
    /// # Errors
    /// Redis is away.
    pub async fn given_up(&self, regions: &[RegionId]) -> Result<Vec<GivenUp>, QueueError> {
        match self {
            Self::Redis(queue) => queue.given_up(regions).await,
            Self::InProcess(_) | Self::Nowhere(_) => Ok(Vec::new()),
        }
    }

    /// Their dead letters are stored: nobody is given them again.
    ///
    /// # Errors
    /// Redis is away; telling it again is harmless.
    pub async fn give_up(&self, given_up: &[GivenUp]) -> Result<(), QueueError> {
        match self {
            Self::Redis(queue) => queue.give_up(given_up).await,
            Self::InProcess(_) | Self::Nowhere(_) => Ok(()),
        }
    }

    /// How long the next check of a region that no worker has taken has waited, in milliseconds; `None`: that is not known.
    ///
    /// # Errors
    /// Redis is away.
    pub async fn next_waits_ms(&self, region: &RegionId) -> Result<Option<i64>, QueueError> {
        match self {
            Self::Redis(queue) => queue.next_waits_ms(region).await,
            Self::InProcess(_) | Self::Nowhere(_) => Ok(None),
        }
    }

    /// What waits in a region.
    ///
    /// # Errors
    /// Redis is away, or there is no such region.
    pub async fn backlog(&self, region: &RegionId) -> Result<Backlog, QueueError> {
        match self {
            Self::Redis(queue) => {
                let oldest_ms = queue.next_waits_ms(region).await?;
                Ok(Backlog { waiting: queue.waiting(region).await?, oldest_ms })
            }
            Self::InProcess(queue) => Ok(queue.backlog(region)),
            Self::Nowhere(_) => Ok(Backlog::default()),
        }
    }

    /// How many reports of each of these workers are not taken in yet, in their order; empty where reports do not wait in
    /// streams.
    ///
    /// # Errors
    /// Redis is away.
    pub async fn reports_waiting(&self, workers: &[(&RegionId, &WorkerId)]) -> Result<Vec<u64>, QueueError> {
        match self {
            Self::Redis(queue) => queue.reports_waiting(workers).await,
            Self::InProcess(_) | Self::Nowhere(_) => Ok(Vec::new()),
        }
    }

    /// Workers whose reports were thrown away since this was last asked: they write more than is read.
    pub fn take_floods(&self) -> Vec<(RegionId, WorkerId)> {
        match self {
            Self::Redis(queue) => queue.take_floods(),
            Self::InProcess(_) | Self::Nowhere(_) => Vec::new(),
        }
    }

    /// Deletes what Redis still has of workers and regions that have been silent for a week.
    ///
    /// # Errors
    /// Redis is away.
    pub async fn retire(&self, regions: &[Region], now: UtcMs) -> Result<(), QueueError> {
        match self {
            Self::Redis(queue) => queue.retire(regions, now).await,
            Self::InProcess(_) | Self::Nowhere(_) => Ok(()),
        }
    }

    /// Stops the embedded probe: waits for what is in flight; its reports can still be read.
    pub async fn close(&self) {
        match self {
            Self::Redis(_) | Self::Nowhere(_) => {}
            Self::InProcess(queue) => queue.close().await,
        }
    }
}
