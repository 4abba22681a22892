//! What streams need now and then: bounds, and ids that Redis' clock has not reached.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use probe::wire::{self, RegionId};
use redis::{RedisResult, Value};

use super::parse::Fields;
use super::{GROUP, RedisQueue, is_answer};
use crate::clock;
use crate::model::UtcMs;

/// How often.
const EVERY: Duration = Duration::from_secs(10);
/// Entries of one worker's stream. A worker that writes more than hubs read loses its oldest.
const STREAM_CAP: u64 = 100_000;
/// Ids further ahead of Redis' clock are no accident: what is written after them could not be told in time.
pub(super) const AHEAD_MS: i64 = 60_000;
/// How long a stream whose ids are ahead is read, before it is made anew with what is in it lost.
const READ_FOR: Duration = Duration::from_secs(60);
/// Streams asked about in one go.
const AT_ONCE: usize = 100;
/// Checks carried over to a new stream.
const CARRIED: usize = 5_000;
/// Of them read at once: they have 8 KiB each at the very most.
const CARRIED_AT_ONCE: usize = 500;

#[derive(Debug, Default)]
pub(super) struct Care {
    next_at: Option<Instant>,
    /// Streams whose ids are ahead, since when that is known.
    ahead: BTreeMap<String, Instant>,
}

impl RedisQueue {
    /// Every 10 s: bounds of the workers' streams, and ids that are ahead.
    pub(super) async fn look_after(&self, regions: &[RegionId]) -> RedisResult<()> {
        {
            let mut care = self.care.lock().unwrap_or_else(PoisonError::into_inner);
            if care.next_at.is_some_and(|at| Instant::now() < at) {
                return Ok(());
            }
            care.next_at = Some(Instant::now() + EVERY);
        }
        self.learn_time().await?;
        let ticks: Vec<String> = self.streams.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect();
        for some in ticks.chunks(AT_ONCE) {
            for (key, (length, last)) in some.iter().zip(self.tick_ends_of(some).await?) {
                self.bound(key, length).await?;
                if self.is_ahead(key, &last) && (length == 0 || self.was_read_long(key)) {
                    self.make_anew(key, GROUP, Vec::new(), length).await?;
                }
            }
        }
        let checks: Vec<String> = regions.iter().map(wire::check_key).collect();
        for some in checks.chunks(AT_ONCE) {
            for (key, (length, last)) in some.iter().zip(self.ends_of(some).await?) {
                if self.is_ahead(key, &last)
                    && let Some(region) = key.rsplit(':').next()
                {
                    let waiting = self.waiting_entries(key, region).await?;
                    let lost = length.saturating_sub(waiting.len() as u64);
                    self.make_anew(key, region, waiting, lost).await?;
                }
            }
        }
        Ok(())
    }

    /// Number of entries and last id of each; of a stream that is not there, nothing.
    pub(super) async fn ends_of(&self, keys: &[String]) -> RedisResult<Vec<(u64, String)>> {
        let mut pipe = redis::pipe();
        pipe.ignore_errors();
        for key in keys {
            pipe.cmd("XINFO").arg("STREAM").arg(key);
        }
        let replies: Vec<Value> = self.ask_all(&pipe).await?;
        let end = |reply: Value| {
            let fields: HashMap<String, Value> = redis::from_redis_value(reply).unwrap_or_default();
            let length = fields.get("length").and_then(|v| redis::from_redis_value_ref(v).ok());
            let last = fields.get("last-generated-id").and_then(|v| redis::from_redis_value_ref(v).ok());
            (length.unwrap_or(0), last.unwrap_or_default())
        };
        Ok(replies.into_iter().map(end).collect())
    }

    /// The same of workers' streams. XINFO STREAM tells it with the first and the last entry, which may be of any size: it
    /// is asked of those alone that have none. Of others the last id that was read tells as much, once it is.
    pub(super) async fn tick_ends_of(&self, keys: &[String]) -> RedisResult<Vec<(u64, String)>> {
        let mut pipe = redis::pipe();
        pipe.ignore_errors();
        for key in keys {
            pipe.cmd("XLEN").arg(key);
            pipe.cmd("XINFO").arg("GROUPS").arg(key);
        }
        let replies: Vec<Value> = self.ask_all(&pipe).await?;
        let text = |value: &Value| redis::from_redis_value_ref::<String>(value).ok();
        let mut ends: Vec<(u64, String)> = Vec::with_capacity(keys.len());
        for pair in replies.chunks(2) {
            let length = pair.first().and_then(|length| redis::from_redis_value_ref(length).ok()).unwrap_or(0);
            let groups: Vec<HashMap<String, Value>> =
                pair.get(1).and_then(|groups| redis::from_redis_value_ref(groups).ok()).unwrap_or_default();
            let ours = groups.iter().find(|group| group.get("name").and_then(text).as_deref() == Some(GROUP));
            ends.push((
                length,
                ours.and_then(|group| group.get("last-delivered-id")).and_then(text).unwrap_or_default(),
            ));
        }
        let empty: Vec<usize> = (0..ends.len().min(keys.len())).filter(|n| ends[*n].0 == 0).collect();
        let empty_keys: Vec<String> = empty.iter().map(|n| keys[*n].clone()).collect();
        if !empty.is_empty() {
            for (n, end) in empty.into_iter().zip(self.ends_of(&empty_keys).await?) {
                ends[n] = end;
            }
        }
        Ok(ends)
    }

    /// T233: what a worker writes faster than hubs read.
    async fn bound(&self, key: &str, length: u64) -> RedisResult<()> {
        let cap = self.sizes.lock().unwrap_or_else(PoisonError::into_inner).cap(key, STREAM_CAP);
        if length <= cap {
            return Ok(());
        }
        let mut command = redis::cmd("XTRIM");
        command.arg(key).arg("MAXLEN").arg(cap);
        let trimmed: u64 = self.one(command).await?;
        self.floods.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned());
        tracing::error!(stream = key, trimmed, "A worker wrote more than can be read; its oldest reports are lost.");
        Ok(())
    }

    /// Redis' clock, where it is known.
    pub(super) fn redis_now(&self) -> Option<UtcMs> {
        self.clock_offset().map(|offset_ms| clock::now().saturating_add(offset_ms))
    }

    fn is_ahead(&self, key: &str, last: &str) -> bool {
        let at = last.split('-').next().and_then(|ms| ms.parse::<u64>().ok()).unwrap_or(0);
        let now = self.redis_now().and_then(|now| u64::try_from(now.saturating_add(AHEAD_MS)).ok());
        let is_ahead = now.is_some_and(|latest| at > latest);
        let mut care = self.care.lock().unwrap_or_else(PoisonError::into_inner);
        if !is_ahead {
            care.ahead.remove(key);
        } else if !care.ahead.contains_key(key) {
            tracing::error!(
                stream = key,
                last,
                "A stream's ids are ahead of Redis' clock: somebody chose them, or the \
                clock was set back. It is read, and then made anew."
            );
            care.ahead.insert(key.to_owned(), Instant::now());
        }
        is_ahead
    }

    fn was_read_long(&self, key: &str) -> bool {
        let care = self.care.lock().unwrap_or_else(PoisonError::into_inner);
        care.ahead.get(key).is_some_and(|since| since.elapsed() >= READ_FOR)
    }

    /// T204: the stream again, empty but for `entries`, so that Redis gives its ids by its clock once more.
    async fn make_anew(&self, key: &str, group: &str, entries: Vec<Fields>, lost: u64) -> RedisResult<()> {
        // Another hub may have done it a moment ago.
        let keys = [key.to_owned()];
        let is_workers = wire::parse_tick_key(key).is_some();
        let now = if is_workers { self.tick_ends_of(&keys).await? } else { self.ends_of(&keys).await? };
        if !now.first().is_some_and(|(_, last)| self.is_ahead(key, last)) {
            return Ok(());
        }
        let mut pipe = redis::pipe();
        pipe.atomic();
        pipe.cmd("UNLINK").arg(key).ignore();
        pipe.cmd("XGROUP").arg("CREATE").arg(key).arg(group).arg("0").arg("MKSTREAM").ignore();
        let carried = entries.len();
        for fields in entries {
            pipe.cmd("XADD").arg(key).arg("*");
            for (name, value) in fields {
                pipe.arg(name).arg(value);
            }
            pipe.ignore();
        }
        self.command::<()>(&pipe).await?;
        self.care.lock().unwrap_or_else(PoisonError::into_inner).ahead.remove(key);
        tracing::warn!(stream = key, carried, lost, "A stream whose ids were ahead of Redis' clock was made anew.");
        Ok(())
    }

    /// Checks that nobody was given yet. Without the right to look at them they are missed.
    async fn waiting_entries(&self, key: &str, region: &str) -> RedisResult<Vec<Fields>> {
        let mut after = self.last_delivered(key, region).await?.unwrap_or_else(|| "0-0".to_owned());
        let mut waiting = Vec::new();
        while waiting.len() < CARRIED {
            let mut command = redis::cmd("XRANGE");
            command.arg(key).arg(format!("({after}")).arg("+").arg("COUNT").arg(CARRIED_AT_ONCE);
            let entries = match self.ask::<Vec<(String, Fields)>>(command).await {
                Ok(entries) => entries,
                Err(error) if is_answer(&error) => break,
                Err(error) => return Err(error),
            };
            let Some((last, _)) = entries.last() else { break };
            after.clone_from(last);
            waiting.extend(entries.into_iter().map(|(_, fields)| fields));
        }
        Ok(waiting)
    }

    /// What time Redis says it is: the ids it gives tell the same, but not while a stream's are ahead.
    async fn learn_time(&self) -> RedisResult<()> {
        let mut link = self.writer().await?;
        let told = redis::cmd("TIME").query_async(&mut link.connection).await;
        self.note_time(&self.settle(told).await);
        Ok(())
    }

    /// Where it may not be asked, the ids of checks tell it.
    pub(super) fn note_time(&self, told: &RedisResult<(i64, i64)>) {
        match told {
            Ok((seconds, micros)) => {
                let now = seconds.saturating_mul(1_000).saturating_add(micros / 1_000);
                self.note_redis(now);
                self.is_told_time.store(true, Ordering::Relaxed);
            }
            Err(_) => self.is_told_time.store(false, Ordering::Relaxed),
        }
    }
}
