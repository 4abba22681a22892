//! Ticks and heartbeats from the workers' streams: found, read, claimed from hubs that died, acknowledged.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use probe::wire::{self, Report};
use redis::{RedisResult, Value};

use super::{BATCH, BLOCK, GROUP, Reading, RedisQueue, id_ms, is_answer};
use crate::clock;
use crate::model::UtcMs;
use crate::queue::{Delivery, QueueError};

const DISCOVER_EVERY: Duration = Duration::from_secs(2);
const CLAIM_EVERY: Duration = Duration::from_secs(30);
const CLAIM_IDLE_MS: u64 = 60_000;

impl Reading {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self { connection: None, own_first: true, claim_at: now + CLAIM_EVERY, discover_at: now }
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

    pub(in crate::queue) async fn next_reports(&self) -> Result<Vec<Delivery>, QueueError> {
        let mut reading = self.reading.lock().await;
        let result = self.read_round(&mut reading).await;
        if let Err(error) = &result {
            reading.connection = None;
            reading.own_first = true;
            reading.discover_at = Instant::now();
            if matches!(error, QueueError::Redis(e) if matches!(e.code(), Some("NOGROUP" | "UNBLOCKED"))) {
                // Redis forgot: groups are made again as the streams are found again.
                self.streams.lock().unwrap_or_else(PoisonError::into_inner).clear();
                tracing::info!("Streams of workers, or their groups, are gone; those that are there are opened again.");
                tokio::time::sleep(Duration::from_millis(100 + clock::now().unsigned_abs() % 400)).await;
                return Ok(Vec::new());
            }
        }
        if let Ok(deliveries) = &result {
            self.watch_names(deliveries);
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
        self.reading.lock().await.own_first = true;
    }

    async fn read_round(&self, reading: &mut Reading) -> Result<Vec<Delivery>, QueueError> {
        if Instant::now() >= reading.discover_at {
            self.discover().await?;
            reading.discover_at = Instant::now() + DISCOVER_EVERY;
        }
        let streams: Vec<String> =
            self.streams.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect();
        if streams.is_empty() {
            tokio::time::sleep(Duration::from_millis(500)).await;
            return Ok(Vec::new());
        }
        if Instant::now() >= reading.claim_at {
            reading.claim_at = Instant::now() + CLAIM_EVERY;
            let claimed = self.claim(&streams).await?;
            if !claimed.is_empty() {
                return Ok(claimed);
            }
        }
        let mut connection = match reading.connection.take() {
            Some(connection) => connection,
            None => self.connect(BLOCK + Duration::from_secs(2)).await?,
        };
        let mut command = redis::cmd("XREADGROUP");
        command.arg("GROUP").arg(GROUP).arg(&self.consumer).arg("COUNT").arg(BATCH);
        if !reading.own_first {
            command.arg("BLOCK").arg(BLOCK.as_millis() as u64);
        }
        command.arg("STREAMS").arg(&streams);
        for _ in &streams {
            command.arg(if reading.own_first { "0" } else { ">" });
        }
        let reply: Value = command.query_async(&mut connection).await?;
        reading.connection = Some(connection);
        let deliveries = parse_streams(reply, self.receiver())?;
        if deliveries.is_empty() {
            reading.own_first = false;
        }
        Ok(deliveries)
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

    pub(in crate::queue) async fn acknowledge(&self, deliveries: &[Delivery]) -> Result<(), QueueError> {
        let mut by_stream: std::collections::BTreeMap<String, Vec<&str>> = std::collections::BTreeMap::new();
        for delivery in deliveries {
            let key = wire::tick_key(&delivery.region, &delivery.worker);
            by_stream.entry(key).or_default().push(&delivery.entry_id);
        }
        if by_stream.is_empty() {
            return Ok(());
        }
        let mut pipe = redis::pipe();
        pipe.atomic();
        for (key, ids) in &by_stream {
            pipe.cmd("XACK").arg(key).arg(GROUP).arg(ids).ignore();
            pipe.cmd("XDEL").arg(key).arg(ids).ignore();
        }
        Ok(self.command::<()>(&pipe).await?)
    }
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
            entry_id,
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
