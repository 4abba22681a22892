//! Keys of workers and regions that are gone.

use std::sync::PoisonError;

use probe::wire::{self, RegionId, WorkerId};
use redis::RedisResult;

use super::{RedisQueue, id_ms};
use crate::model::{Region, UtcMs};
use crate::queue::QueueError;

/// Silence of a worker after which its stream is deleted, once it is read.
const GONE_MS: i64 = 7 * 86_400_000;

impl RedisQueue {
    /// T238: deletes streams of workers, and of regions, that were not heard of for a week. A worker's is read before.
    pub(in crate::queue) async fn retire(&self, regions: &[Region], now: UtcMs) -> Result<(), QueueError> {
        let is_gone = |seen_at: UtcMs| now - seen_at > GONE_MS;
        for region in regions {
            let region_id = &region.region_id;
            for worker in region.workers.iter().filter(|worker| is_gone(worker.seen_at)) {
                self.retire_worker(region_id, &worker.worker_id, now).await?;
            }
            if !region.workers.is_empty() && region.workers.iter().all(|worker| is_gone(worker.seen_at)) {
                // What waits there is as old.
                let key = wire::check_key(region_id);
                if let Some((_, last)) = self.ends_of(std::slice::from_ref(&key)).await?.first()
                    && id_ms(last).is_some_and(is_gone)
                {
                    self.unlink(&key).await?;
                }
            }
        }
        Ok(())
    }

    async fn retire_worker(&self, region: &RegionId, worker: &WorkerId, now: UtcMs) -> RedisResult<()> {
        let key = wire::tick_key(region, worker);
        // One whose worker came back a moment ago has a young id.
        let ends = self.tick_ends_of(std::slice::from_ref(&key)).await?;
        if ends.first().is_some_and(|(length, last)| *length == 0 && id_ms(last).is_some_and(|at| now - at > GONE_MS)) {
            self.streams.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
            self.unlink(&key).await?;
        }
        Ok(())
    }

    async fn unlink(&self, key: &str) -> RedisResult<()> {
        let mut command = redis::cmd("UNLINK");
        command.arg(key);
        let deleted: u64 = self.one(command).await?;
        if deleted > 0 {
            tracing::info!(
                stream = key,
                "The stream of a worker or region that has been silent for a week was deleted."
            );
        }
        Ok(())
    }
}
