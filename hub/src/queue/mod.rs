//! Checks out, reports in: Redis streams, or channels inside this process. The only Redis of the hub.

mod in_process;
mod nowhere;
mod redis;

pub use nowhere::Nowhere;

use std::sync::Arc;
use std::time::Duration;

use probe::canary::Canaries;
use probe::engine::Engine;
use probe::wire::{Check, RegionId, Report, UtcMs, WireError, WorkerId};

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

/// A report as it arrived, to be acknowledged once its effect is stored.
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
    /// Entry id, for the acknowledgement.
    entry_id: String,
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
    /// Streams of the Redis at `url`; `consumer` is this hub's stable name in the group `hub`.
    ///
    /// # Errors
    /// The URL is not understood. Redis being away is not an error.
    pub fn redis(url: &str, consumer: &str) -> Result<Self, QueueError> {
        Ok(Self::Redis(Arc::new(redis::RedisQueue::new(url, consumer)?)))
    }

    /// A queue and a probe inside this process, region `LOCAL`.
    #[must_use]
    pub fn in_process(engine: Arc<Engine>, canaries: Canaries, concurrency: u16) -> Self {
        Self::InProcess(Arc::new(in_process::InProcess::start(engine, canaries, concurrency)))
    }

    /// Publishes checks for a region, in order, and takes out those that are.
    ///
    /// # Errors
    /// What is left was not published; publishing it again is harmless.
    pub async fn publish(&self, region: &RegionId, checks: &mut Vec<Check>) -> Result<(), QueueError> {
        match self {
            Self::Redis(queue) => queue.publish(region, checks).await,
            Self::InProcess(queue) => queue.publish(checks),
            Self::Nowhere(queue) => {
                queue.publish(checks);
                Ok(())
            }
        }
    }

    /// The next reports; waits for at most 2 s. After a start or an error, first those that were delivered to this hub
    /// before and not acknowledged.
    ///
    /// # Errors
    /// Redis is away.
    pub async fn next_reports(&self) -> Result<Vec<Delivery>, QueueError> {
        match self {
            Self::Redis(queue) => queue.next_reports().await,
            Self::InProcess(queue) => Ok(queue.next_reports().await),
            Self::Nowhere(_) => {
                tokio::time::sleep(Duration::from_secs(2)).await;
                Ok(Vec::new())
            }
        }
    }

    /// Acknowledges and deletes reports whose effect is stored.
    ///
    /// # Errors
    /// Redis is away; they will be delivered again, which is harmless.
    pub async fn acknowledge(&self, deliveries: &[Delivery]) -> Result<(), QueueError> {
        match self {
            Self::Redis(queue) => queue.acknowledge(deliveries).await,
            Self::InProcess(queue) => {
                queue.acknowledge().await;
                Ok(())
            }
            Self::Nowhere(_) => Ok(()),
        }
    }

    /// The effect of the last reports could not be stored: the next turn gets them again.
    pub async fn again(&self) {
        match self {
            Self::Redis(queue) => queue.again().await,
            Self::Nowhere(_) => {}
            Self::InProcess(_) => {} // what is not acknowledged is handed out again
        }
    }

    /// Whether reports are at hand that nobody will hand out again after the end of this process.
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
            Self::InProcess(queue) => Ok(queue.waiting()),
            Self::Nowhere(_) => Ok(0),
        }
    }

    /// Finds the streams of new workers, and trims what is done.
    ///
    /// # Errors
    /// Redis is away.
    pub async fn tidy(&self, regions: &[RegionId]) -> Result<(), QueueError> {
        match self {
            Self::Redis(queue) => queue.tidy(regions).await,
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
