//! What operators are told of queues: how long checks wait, and who floods his stream.

use std::sync::PoisonError;

use probe::wire::{self, RegionId, WorkerId};

use super::parse::Fields;
use super::{RedisQueue, id_ms, is_answer};
use crate::queue::QueueError;

impl RedisQueue {
    /// The age of the oldest check that nobody was given.
    pub(in crate::queue) async fn next_waits_ms(&self, region: &RegionId) -> Result<Option<i64>, QueueError> {
        let key = wire::check_key(region);
        let after = match self.last_delivered(&key, region.as_str()).await {
            Ok(after) => after.unwrap_or_else(|| "0-0".to_owned()),
            // There is no such stream yet, or it may not be asked.
            Err(error) if is_answer(&error) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let mut command = redis::cmd("XRANGE");
        command.arg(&key).arg(format!("({after}")).arg("+").arg("COUNT").arg(1);
        let next: Vec<(String, Fields)> = match self.ask(command).await {
            Ok(next) => next,
            Err(error) if is_answer(&error) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let written_at = next.first().map(|(id, _)| id_ms(id));
        Ok(match (written_at, self.redis_now()) {
            (None, _) => Some(0),
            (Some(Some(at)), Some(now)) => Some(now.saturating_sub(at).max(0)),
            (Some(_), _) => None,
        })
    }

    /// How many reports of each of these workers wait, in their order.
    pub(in crate::queue) async fn reports_waiting(
        &self,
        workers: &[(&RegionId, &WorkerId)],
    ) -> Result<Vec<u64>, QueueError> {
        if workers.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipe = redis::pipe();
        for (region, worker) in workers {
            pipe.cmd("XLEN").arg(wire::tick_key(region, worker));
        }
        Ok(self.ask_all(&pipe).await?)
    }

    /// Whose streams were cut since this was last asked.
    pub(in crate::queue) fn take_floods(&self) -> Vec<(RegionId, WorkerId)> {
        let cut = std::mem::take(&mut *self.floods.lock().unwrap_or_else(PoisonError::into_inner));
        cut.iter().filter_map(|key| wire::parse_tick_key(key)).collect()
    }
}
