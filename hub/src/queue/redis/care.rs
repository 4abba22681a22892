//! What streams need now and then: bounds, ids that Redis' clock has not reached, entries nobody survives, keys of workers
//! that are gone.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use probe::wire::{self, DeadLetter, DeadReason, RegionId, WebsiteId, WorkerId};
use redis::{RedisResult, Value};

use super::{GROUP, RedisQueue, id_ms, is_answer};
use crate::clock;
use crate::model::{Region, UtcMs};
use crate::queue::QueueError;

/// How often.
const EVERY: Duration = Duration::from_secs(10);
/// Entries of one worker's stream. A worker that writes more than hubs read loses its oldest.
const STREAM_CAP: u64 = 100_000;
/// Ids further ahead of Redis' clock are no accident: what is written after them could not be told in time.
const AHEAD_MS: i64 = 60_000;
/// How long a stream whose ids are ahead is read, before it is made anew with what is in it lost.
const READ_FOR: Duration = Duration::from_secs(60);
/// Streams asked about in one go.
const AT_ONCE: usize = 100;
/// Pending entries looked at per region, and in one go.
const PENDING: usize = 10_000;
const PAGE: usize = 1_000;
/// Workers that ended with an entry, and how long the last has not been heard of, until the entry is given up (T164).
const DELIVERIES: u64 = 3;
const IDLE_MS: u64 = 30_000;
/// A worker that is started again each time it dies of an entry never lets it rest.
const DELIVERIES_AT_ALL: u64 = 10;
/// Silence of a worker after which its stream is deleted, once it is read.
const GONE_MS: i64 = 7 * 86_400_000;
/// Checks carried over to a new stream.
const CARRIED: usize = 5_000;

/// A check that is given up, until that is stored and [`RedisQueue::give_up`] was told so.
#[derive(Debug, Clone)]
pub struct GivenUp {
    /// Whose check it was.
    pub region: RegionId,
    /// For the dead letters.
    pub letter: DeadLetter,
}

impl GivenUp {
    /// The stream it was on.
    #[must_use]
    pub fn stream(&self) -> String {
        wire::check_key(&self.region)
    }
}

#[derive(Debug, Default)]
pub(super) struct Care {
    next_at: Option<Instant>,
    /// Streams whose ids are ahead, since when that is known.
    ahead: BTreeMap<String, Instant>,
}

fn is_given_up(idle_ms: u64, deliveries: u64) -> bool {
    deliveries >= DELIVERIES_AT_ALL || (deliveries >= DELIVERIES && idle_ms >= IDLE_MS)
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
            for (key, (length, last)) in some.iter().zip(self.ends_of(some).await?) {
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
    async fn ends_of(&self, keys: &[String]) -> RedisResult<Vec<(u64, String)>> {
        let mut pipe = redis::pipe();
        pipe.ignore_errors();
        for key in keys {
            pipe.cmd("XINFO").arg("STREAM").arg(key);
        }
        let replies: Vec<Value> = self.command(&pipe).await?;
        let end = |reply: Value| {
            let fields: HashMap<String, Value> = redis::from_redis_value(reply).unwrap_or_default();
            let length = fields.get("length").and_then(|v| redis::from_redis_value_ref(v).ok());
            let last = fields.get("last-generated-id").and_then(|v| redis::from_redis_value_ref(v).ok());
            (length.unwrap_or(0), last.unwrap_or_default())
        };
        Ok(replies.into_iter().map(end).collect())
    }

    /// T233: what a worker writes faster than hubs read.
    async fn bound(&self, key: &str, length: u64) -> RedisResult<()> {
        if length <= STREAM_CAP {
            return Ok(());
        }
        let mut command = redis::cmd("XTRIM");
        command.arg(key).arg("MAXLEN").arg(STREAM_CAP);
        let trimmed: u64 = self.one(command).await?;
        tracing::error!(stream = key, trimmed, "A worker wrote more than can be read; its oldest reports are lost.");
        Ok(())
    }

    /// Redis' clock, where it is known.
    fn redis_now(&self) -> Option<UtcMs> {
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
        let now = self.ends_of(&[key.to_owned()]).await?;
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
        let after = self.last_delivered(key, region).await?.unwrap_or_else(|| "0-0".to_owned());
        let mut command = redis::cmd("XRANGE");
        command.arg(key).arg(format!("({after}")).arg("+").arg("COUNT").arg(CARRIED);
        match self.one::<Vec<(String, Fields)>>(command).await {
            Ok(entries) => Ok(entries.into_iter().map(|(_, fields)| fields).collect()),
            Err(error) if is_answer(&error) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// T164: checks that workers were given again and again, and never finished.
    pub(in crate::queue) async fn given_up(&self, regions: &[RegionId]) -> Result<Vec<GivenUp>, QueueError> {
        let mut given_up = Vec::new();
        for region in regions {
            let key = wire::check_key(region);
            let mut from = "-".to_owned();
            for _ in 0..PENDING / PAGE {
                let mut command = redis::cmd("XPENDING");
                command.arg(&key).arg(region.as_str()).arg(&from).arg("+").arg(PAGE);
                let page: Vec<(String, String, u64, u64)> = match self.one(command).await {
                    Ok(page) => page,
                    Err(error) if error.code() == Some("NOGROUP") => break,
                    Err(error) => return Err(error.into()),
                };
                for (id, worker, idle_ms, deliveries) in &page {
                    if is_given_up(*idle_ms, *deliveries) {
                        let letter = self.letter(&key, id, worker, *deliveries).await?;
                        given_up.push(GivenUp { region: region.clone(), letter });
                    }
                }
                match page.last() {
                    Some((last, ..)) if page.len() == PAGE => from = format!("({last}"),
                    Some(_) | None => break,
                }
            }
        }
        Ok(given_up)
    }

    async fn letter(&self, key: &str, id: &str, worker: &str, deliveries: u64) -> RedisResult<DeadLetter> {
        let mut command = redis::cmd("XRANGE");
        command.arg(key).arg(id).arg(id);
        let entries: Vec<(String, Fields)> = match self.one(command).await {
            Ok(entries) => entries,
            Err(error) if is_answer(&error) => Vec::new(), // a right that is missing
            Err(error) => return Err(error),
        };
        let website_id: Option<WebsiteId> = entries.first().and_then(|(_, fields)| {
            let fields = fields.iter().map(|(name, value)| (name.as_slice(), value.as_slice()));
            wire::decode_check(fields).ok().map(|check| check.website_id)
        });
        let worker: String = worker.chars().filter(char::is_ascii_graphic).take(64).collect();
        let detail = format!("Workers were given it {deliveries} times and never finished it, the last was {worker}.");
        let reason = DeadReason::MaxDeliveries;
        Ok(DeadLetter { entry_id: id.to_owned(), reason, detail, website_id, raw: String::new() })
    }

    /// Their dead letters are stored: nobody is given them again.
    pub(in crate::queue) async fn give_up(&self, given_up: &[GivenUp]) -> Result<(), QueueError> {
        let mut pipe = redis::pipe();
        pipe.atomic();
        for GivenUp { region, letter } in given_up {
            let key = wire::check_key(region);
            pipe.cmd("XACK").arg(&key).arg(region.as_str()).arg(&letter.entry_id).ignore();
            pipe.cmd("XDEL").arg(&key).arg(&letter.entry_id).ignore();
        }
        if !given_up.is_empty() {
            self.command::<()>(&pipe).await?;
        }
        Ok(())
    }

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
        let ends = self.ends_of(std::slice::from_ref(&key)).await?;
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

    /// What time Redis says it is: the ids it gives tell the same, but not while a stream's are ahead.
    async fn learn_time(&self) -> RedisResult<()> {
        let mut connection = self.writer().await?;
        let told = redis::cmd("TIME").query_async(&mut connection).await;
        self.note_time(&self.settle(told).await);
        Ok(())
    }

    /// Where it may not be asked, the ids of checks tell it.
    pub(super) fn note_time(&self, told: &RedisResult<(i64, i64)>) {
        match told {
            Ok((seconds, micros)) => {
                let now = seconds.saturating_mul(1_000).saturating_add(micros / 1_000);
                self.clock_offset_ms.store(now.saturating_sub(clock::now()), Ordering::Relaxed);
                self.is_told_time.store(true, Ordering::Relaxed);
            }
            Err(_) => self.is_told_time.store(false, Ordering::Relaxed),
        }
    }
}

type Fields = Vec<(Vec<u8>, Vec<u8>)>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t164_an_entry_is_given_up_when_three_workers_ended_with_it_or_one_does_again_and_again() {
        for (idle_ms, deliveries, expected) in
            [(0, 1, false), (3_600_000, 2, false), (29_000, 3, false), (30_000, 3, true), (0, 9, false), (0, 10, true)]
        {
            assert_eq!(is_given_up(idle_ms, deliveries), expected, "{idle_ms} {deliveries}");
        }
    }
}
