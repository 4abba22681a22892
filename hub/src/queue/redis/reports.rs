//! Ticks and heartbeats from the workers' streams: found, read, claimed from hubs that died, acknowledged.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use probe::wire::{self, Report};
use redis::aio::MultiplexedConnection;
use redis::{RedisResult, Value};

use super::{BATCH, BLOCK, GROUP, RedisQueue, id_ms, is_answer};
use crate::clock;
use crate::model::UtcMs;
use crate::queue::{Delivery, QueueError, Receipt, Reports};

const DISCOVER_EVERY: Duration = Duration::from_secs(2);
const CLAIM_EVERY: Duration = Duration::from_secs(30);
const CLAIM_IDLE_MS: u64 = 60_000;
/// Reports in one reply: a few megabytes. COUNT is per stream, so each stream is asked for its part of it.
const REPLY: usize = 4_000;
/// Reports of one stream in one reply.
const PER_STREAM: usize = 1_000;

pub(super) struct Reading {
    connection: Option<MultiplexedConnection>,
    /// While what this hub was given before is read again: how far that is, per stream.
    own_after: Option<BTreeMap<String, String>>,
    claim_at: Instant,
    discover_at: Instant,
}

impl Reading {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        let own_after = Some(BTreeMap::new());
        Self { connection: None, own_after, claim_at: now + CLAIM_EVERY, discover_at: now }
    }
}

impl RedisQueue {
    /// Streams of workers that appeared. Without enrolment nobody else can tell that a worker exists.
    async fn discover(&self) -> RedisResult<()> {
        let mut cursor = 0_u64;
        for _ in 0..1_000 {
            let mut command = redis::cmd("SCAN");
            command.arg(cursor).arg("MATCH").arg("betteruptime:tick:*").arg("COUNT").arg(1_000);
            let (next, keys): (u64, Vec<String>) = self.one(command).await?;
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

    pub(in crate::queue) async fn next_reports(&self) -> Result<Reports, QueueError> {
        let mut reading = self.reading.lock().await;
        let result = self.read_round(&mut reading).await;
        if let Err(error) = &result {
            reading.connection = None;
            reading.own_after = Some(BTreeMap::new());
            reading.discover_at = Instant::now();
            if matches!(error, QueueError::Redis(e) if matches!(e.code(), Some("NOGROUP" | "UNBLOCKED"))) {
                // Redis forgot: groups are made again as the streams are found again.
                self.streams.lock().unwrap_or_else(PoisonError::into_inner).clear();
                tracing::info!("Streams of workers, or their groups, are gone; those that are there are opened again.");
                tokio::time::sleep(Duration::from_millis(100 + clock::now().unsigned_abs() % 400)).await;
                return Ok(Reports { deliveries: Vec::new(), read_until_at: Some(0) });
            }
        }
        if let Ok(reports) = &result {
            self.watch_names(&reports.deliveries);
        }
        result
    }

    /// T170.
    fn watch_names(&self, deliveries: &[Delivery]) {
        let mut twins = self.twins.lock().unwrap_or_else(PoisonError::into_inner);
        for delivery in deliveries {
            if let Ok(Report::Heartbeat(beat)) = &delivery.report {
                let stream = wire::tick_key(&delivery.region, &delivery.worker);
                if twins.note(&stream, beat.started_at, clock::now()) {
                    tracing::warn!(stream, "Two workers run under one name; give one of them another WORKER_ID.");
                }
            }
        }
    }

    pub(in crate::queue) async fn again(&self) {
        self.reading.lock().await.own_after = Some(BTreeMap::new());
    }

    async fn read_round(&self, reading: &mut Reading) -> Result<Reports, QueueError> {
        if Instant::now() >= reading.discover_at {
            self.discover().await?;
            reading.discover_at = Instant::now() + DISCOVER_EVERY;
        }
        let streams: Vec<String> =
            self.streams.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect();
        if streams.is_empty() {
            tokio::time::sleep(Duration::from_millis(500)).await;
            return Ok(Reports::default());
        }
        if Instant::now() >= reading.claim_at {
            reading.claim_at = Instant::now() + CLAIM_EVERY;
            let claimed = self.claim(&streams).await?;
            if !claimed.is_empty() {
                return Ok(Reports { deliveries: claimed, read_until_at: None });
            }
        }
        let mut connection = match reading.connection.take() {
            Some(connection) => connection,
            None => self.connect(BLOCK + Duration::from_secs(2)).await?,
        };
        let count = (REPLY / streams.len()).clamp(1, PER_STREAM);
        let mut command = redis::cmd("XREADGROUP");
        command.arg("GROUP").arg(GROUP).arg(&self.consumer).arg("COUNT").arg(count);
        if reading.own_after.is_none() {
            command.arg("BLOCK").arg(BLOCK.as_millis() as u64);
        }
        command.arg("STREAMS").arg(&streams);
        for stream in &streams {
            match &reading.own_after {
                Some(after) => command.arg(after.get(stream).map_or("0", String::as_str)),
                None => command.arg(">"),
            };
        }
        let reply: Value = command.query_async(&mut connection).await?;
        reading.connection = Some(connection);
        let deliveries = parse_streams(reply, self.receiver())?;
        if let Some(after) = &mut reading.own_after {
            for delivery in &deliveries {
                after.insert(delivery.receipt.stream.to_string(), delivery.receipt.entry_id.clone());
            }
            if deliveries.is_empty() {
                reading.own_after = None;
                // What is new is still to be read.
                return Ok(Reports { deliveries, read_until_at: Some(0) });
            }
        }
        let read_until_at = read_until(&deliveries, if reading.own_after.is_some() { 1 } else { count });
        Ok(Reports { deliveries, read_until_at })
    }

    /// [`received_at`] as of now.
    fn receiver(&self) -> impl Fn(&str) -> UtcMs + Copy {
        let (offset_ms, now) = (self.clock_offset(), clock::now());
        move |id| offset_ms.map_or(now, |offset_ms| received_at(id, offset_ms, now))
    }

    /// Reports that another hub read and never acknowledged.
    async fn claim(&self, streams: &[String]) -> Result<Vec<Delivery>, QueueError> {
        let mut claimed = Vec::new();
        for key in streams {
            let mut command = redis::cmd("XAUTOCLAIM");
            command.arg(key).arg(GROUP).arg(&self.consumer).arg(CLAIM_IDLE_MS).arg("0-0").arg("COUNT").arg(BATCH);
            let (_, entries, lost): (String, Value, Vec<String>) = self.one(command).await?;
            if !lost.is_empty() {
                tracing::error!(
                    stream = key,
                    lost = lost.len(),
                    "Reports vanished from Redis while they were pending."
                );
            }
            parse_entries(key, entries, self.receiver(), &mut claimed)?;
        }
        Ok(claimed)
    }

    pub(in crate::queue) async fn acknowledge(&self, receipts: &[Receipt]) -> Result<(), QueueError> {
        let mut by_stream: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for Receipt { stream, entry_id } in receipts {
            by_stream.entry(stream).or_default().push(entry_id);
        }
        if by_stream.is_empty() {
            return Ok(());
        }
        let mut pipe = redis::pipe();
        pipe.atomic();
        for (key, ids) in &by_stream {
            pipe.cmd("XACK").arg(*key).arg(GROUP).arg(ids).ignore();
            pipe.cmd("XDEL").arg(*key).arg(ids).ignore();
        }
        Ok(self.command::<()>(&pipe).await?)
    }
}

/// Streams that gave as many reports as asked for have more: how far the one is that is furthest behind. `None`: all was
/// read.
fn read_until(deliveries: &[Delivery], asked_for: usize) -> Option<UtcMs> {
    let streams = deliveries.chunk_by(|a, b| a.receipt.stream == b.receipt.stream);
    streams.filter(|of| of.len() >= asked_for).filter_map(|of| of.last()).map(|last| last.received_at).min()
}

type Fields = Vec<(Vec<u8>, Vec<u8>)>;

/// When Redis got an entry, by the hub's clock. A worker may choose the id of what it writes, and Redis' clock may have
/// jumped: never later than now, never before 1970 (T206).
fn received_at(entry_id: &str, clock_offset_ms: i64, now: UtcMs) -> UtcMs {
    id_ms(entry_id).map_or(now, |at| at.saturating_sub(clock_offset_ms).clamp(0, now.max(0)))
}

fn parse_streams(reply: Value, received: impl Fn(&str) -> UtcMs + Copy) -> RedisResult<Vec<Delivery>> {
    let mut deliveries = Vec::new();
    let streams: Vec<(String, Value)> = match reply {
        Value::Nil => Vec::new(),
        other => redis::from_redis_value(other)?,
    };
    for (key, entries) in streams {
        parse_entries(&key, entries, received, &mut deliveries)?;
    }
    Ok(deliveries)
}

fn parse_entries(
    key: &str,
    entries: Value,
    received: impl Fn(&str) -> UtcMs,
    deliveries: &mut Vec<Delivery>,
) -> RedisResult<()> {
    let Some((region, worker)) = wire::parse_tick_key(key) else { return Ok(()) };
    let stream: Arc<str> = key.into();
    let entries: Vec<(String, Option<Fields>)> = redis::from_redis_value(entries)?;
    for (entry_id, fields) in entries {
        let fields = fields.unwrap_or_default();
        let report = wire::decode_report(fields.iter().map(|(n, v)| (n.as_slice(), v.as_slice())));
        let received_at = received(&entry_id);
        let raw = match &report {
            Ok(_) => Vec::new(),
            Err(_) => fields.into_iter().flat_map(|(n, v)| [n, b"=".to_vec(), v, b"\n".to_vec()].concat()).collect(),
        };
        deliveries.push(Delivery {
            region: region.clone(),
            worker: worker.clone(),
            received_at,
            report,
            raw,
            receipt: Receipt { stream: stream.clone(), entry_id },
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t206_a_chosen_id_is_no_time_of_receipt() {
        assert_eq!(received_at("1000-3", 0, 5_000), 1_000);
        assert_eq!(received_at("9000-0", 4_000, 5_500), 5_000, "Redis' clock is ahead by 4 s");
        for odd in ["9223372036854775807-0", "18446744073709551615-1", "x", ""] {
            assert_eq!(received_at(odd, 0, 5_000), 5_000, "{odd}");
        }
        assert_eq!(received_at("10-0", i64::MAX, 5_000), 0);
    }
}
