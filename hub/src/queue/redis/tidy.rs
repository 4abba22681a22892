//! Streams of checks: what is done, or void, is deleted.

use std::collections::HashMap;

use probe::wire::{self, RegionId};
use redis::{RedisResult, Value};

use super::link::is_too_large;
use super::{RedisQueue, id_ms, is_answer};
use crate::queue::QueueError;

/// What was handed out so long before the last check is void (a check lives two minutes, a second look a little longer),
/// and holds back no trimming, whoever has it by name.
const VOID_MS: i64 = 600_000;

impl RedisQueue {
    /// Deletes checks that are done: everything older than the oldest one still pending that is not void, or, when none
    /// is, than the last one delivered. Work that nobody has read yet is never touched.
    pub(in crate::queue) async fn tidy(&self, regions: &[RegionId]) -> Result<(), QueueError> {
        for region in regions {
            match self.trim(region).await {
                Ok(()) => {}
                // A region that has retired, or that Redis has forgotten: the others are trimmed all the same.
                Err(error) if error.code() == Some("NOGROUP") => {}
                Err(error) if is_answer(&error) => {
                    tracing::warn!(%region, %error, "Done checks could not be trimmed.");
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(self.look_after(regions).await?)
    }

    async fn trim(&self, region: &RegionId) -> RedisResult<()> {
        let key = wire::check_key(region);
        let oldest = match self.oldest_pending(&key, region.as_str()).await {
            // A worker chooses the name it reads under, of any length: what it has may be as old as can be.
            Err(error) if is_too_large(&error) => Some("0-0".to_owned()),
            oldest => oldest?,
        };
        let delivered = self.last_delivered(&key, region.as_str()).await?;
        let keep_from = match oldest {
            Some(oldest) => Some(unless_void(oldest, delivered.as_deref())),
            // Asked once more: what was delivered between the two questions is pending, and may have to be claimed.
            None => self.oldest_pending(&key, region.as_str()).await?.or(delivered),
        };
        let Some(keep_from) = keep_from else { return Ok(()) };
        let mut command = redis::cmd("XTRIM");
        command.arg(&key).arg("MINID").arg(keep_from);
        self.one::<Value>(command).await.map(|_| ())
    }

    async fn oldest_pending(&self, key: &str, group: &str) -> RedisResult<Option<String>> {
        let mut command = redis::cmd("XPENDING");
        command.arg(key).arg(group);
        let (count, oldest, _, _): (u64, Option<String>, Value, Value) = self.ask(command).await?;
        Ok(oldest.filter(|_| count > 0))
    }

    pub(super) async fn last_delivered(&self, key: &str, group: &str) -> RedisResult<Option<String>> {
        let mut command = redis::cmd("XINFO");
        command.arg("GROUPS").arg(key);
        let groups: Vec<HashMap<String, Value>> = self.one(command).await?;
        let text = |value: &Value| redis::from_redis_value_ref::<String>(value).ok();
        let ours = groups.iter().find(|g| g.get("name").and_then(text).as_deref() == Some(group));
        Ok(ours.and_then(|g| g.get("last-delivered-id")).and_then(text))
    }
}

/// The oldest pending entry, or where what was delivered is not void any more.
fn unless_void(oldest: String, delivered: Option<&str>) -> String {
    let void_until = delivered.and_then(id_ms).map(|at| at.saturating_sub(VOID_MS));
    match id_ms(&oldest).zip(void_until) {
        Some((at, void_until)) if at < void_until => format!("{void_until}-0"),
        Some(_) | None => oldest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_void_holds_back_no_trimming() {
        for (oldest, delivered, expected) in [
            ("700000-1", Some("1300000-0"), "700000-1"),
            ("699999-9", Some("1300000-0"), "700000-0"),
            ("0-0", Some("1300000-0"), "700000-0"),
            ("0-0", Some("5-0"), "0-0"),
            ("5-0", None, "5-0"),
        ] {
            assert_eq!(unless_void(oldest.to_owned(), delivered), expected, "{oldest} {delivered:?}");
        }
    }
}
