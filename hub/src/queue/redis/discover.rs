//! Streams of workers, found by their keys.

use std::sync::PoisonError;

use probe::wire;
use redis::RedisResult;

use super::{GROUP, RedisQueue, is_answer};

impl RedisQueue {
    /// Streams of workers that appeared. Without enrolment nobody else can tell that a worker exists.
    pub(super) async fn discover(&self) -> RedisResult<()> {
        let mut cursor = 0_u64;
        for _ in 0..1_000 {
            let mut command = redis::cmd("SCAN");
            command.arg(cursor).arg("MATCH").arg("betteruptime:tick:*").arg("COUNT").arg(1_000);
            let (next, keys): (u64, Vec<String>) = self.ask(command).await?;
            for key in keys {
                let known = self.streams.lock().unwrap_or_else(PoisonError::into_inner).contains(&key);
                if known || wire::parse_tick_key(&key).is_none() {
                    continue;
                }
                match self.create_group(&key, GROUP).await {
                    Ok(()) => tracing::info!(stream = key, "A worker appeared."),
                    // Full: nothing can be made, not even what exists. The group nearly always does, and reading is
                    // what makes room again (CASES 2.4).
                    Err(error) if error.code() == Some("OOM") => {
                        tracing::warn!(stream = key, "Redis is at its memory limit.");
                    }
                    Err(error) if is_answer(&error) => {
                        tracing::warn!(stream = key, %error, "A worker's stream cannot be read.");
                        continue;
                    }
                    Err(error) => return Err(error),
                }
                self.streams.lock().unwrap_or_else(PoisonError::into_inner).insert(key);
            }
            cursor = next;
            if cursor == 0 {
                break;
            }
        }
        Ok(())
    }
}
