//! Redis streams (DESIGN 5, CASES 6.2). Commands of 7.0 only. Reading blocks and has a connection of its own; redis-rs
//! ends every command after 500 ms unless told otherwise, and what it read is then lost to the caller (CASES 2.3).

use std::collections::BTreeSet;
use std::sync::Mutex as StdMutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use probe::wire::{self, Check, KIND_CHECK, MAX_CHECK_BYTES, RegionId};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisResult, Value};
use tokio::sync::Mutex;

use super::{Delivery, QueueError};

const GROUP: &str = "hub";
const BLOCK: Duration = Duration::from_secs(2);
const BATCH: usize = 500;
const DISCOVER_EVERY: Duration = Duration::from_secs(2);
const CLAIM_EVERY: Duration = Duration::from_secs(30);
const CLAIM_IDLE_MS: u64 = 60_000;

pub struct RedisQueue {
    client: Client,
    consumer: String,
    writing: Mutex<Option<MultiplexedConnection>>,
    reading: Mutex<Reading>,
    /// Tick streams known, whose group exists.
    streams: StdMutex<BTreeSet<String>>,
}

struct Reading {
    connection: Option<MultiplexedConnection>,
    own_first: bool,
    claim_at: Instant,
    discover_at: Instant,
}

impl RedisQueue {
    pub(super) fn new(url: &str, consumer: &str) -> Result<Self, QueueError> {
        let now = Instant::now();
        Ok(Self {
            client: Client::open(url)?,
            consumer: consumer.to_owned(),
            writing: Mutex::new(None),
            reading: Mutex::new(Reading {
                connection: None,
                own_first: true,
                claim_at: now + CLAIM_EVERY,
                discover_at: now,
            }),
            streams: StdMutex::default(),
        })
    }

    async fn connect(&self, wait: Duration) -> RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(Some(wait))
            .set_connection_timeout(Some(Duration::from_secs(4)));
        self.client.get_multiplexed_async_connection_with_config(&config).await
    }

    /// The connection for writes, taken out of its slot; anew after an error.
    async fn writer(&self) -> RedisResult<MultiplexedConnection> {
        let mut slot = self.writing.lock().await;
        if let Some(connection) = &*slot {
            return Ok(connection.clone());
        }
        let connection = self.connect(Duration::from_secs(4)).await?;
        *slot = Some(connection.clone());
        Ok(connection)
    }

    /// A refusal is an answer, and the connection is fine; anything else ends it.
    async fn settle<T>(&self, result: RedisResult<T>) -> RedisResult<T> {
        if result.as_ref().err().is_some_and(|e| e.is_io_error() || e.is_connection_dropped() || e.is_timeout()) {
            *self.writing.lock().await = None;
        }
        result
    }

    async fn command<T: redis::FromRedisValue>(&self, pipe: &redis::Pipeline) -> RedisResult<T> {
        let mut connection = self.writer().await?;
        self.settle(pipe.query_async(&mut connection).await).await
    }

    async fn one<T: redis::FromRedisValue>(&self, command: redis::Cmd) -> RedisResult<T> {
        let mut connection = self.writer().await?;
        self.settle(command.query_async(&mut connection).await).await
    }

    pub(super) async fn publish(&self, region: &RegionId, checks: &[Check]) -> Result<(), QueueError> {
        let key = wire::check_key(region);
        for batch in checks.chunks(BATCH) {
            let mut pipe = redis::pipe();
            for check in batch {
                let body = wire::encode(check, MAX_CHECK_BYTES)?;
                pipe.cmd("XADD").arg(&key).arg("*");
                pipe.arg(wire::VERSION_FIELD).arg(wire::VERSION).arg(wire::KIND_FIELD).arg(KIND_CHECK);
                pipe.arg(wire::BODY_FIELD).arg(body).ignore();
            }
            self.command::<()>(&pipe).await?;
        }
        Ok(())
    }

    async fn create_group(&self, key: &str, group: &str) -> RedisResult<()> {
        let mut command = redis::cmd("XGROUP");
        command.arg("CREATE").arg(key).arg(group).arg("0").arg("MKSTREAM");
        match self.one::<Value>(command).await {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Some("BUSYGROUP") => Ok(()),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn ensure_region(&self, region: &RegionId) -> Result<(), QueueError> {
        Ok(self.create_group(&wire::check_key(region), region.as_str()).await?)
    }

    pub(super) async fn waiting(&self, region: &RegionId) -> Result<u64, QueueError> {
        let mut command = redis::cmd("XINFO");
        command.arg("GROUPS").arg(wire::check_key(region));
        let groups: Vec<std::collections::HashMap<String, Value>> = self.one(command).await?;
        let number = |value: Option<&Value>| match value {
            Some(Value::Int(number)) => u64::try_from(*number).unwrap_or(0),
            Some(_) | None => 0,
        };
        Ok(groups.iter().map(|g| number(g.get("pending")) + number(g.get("lag"))).max().unwrap_or(0))
    }

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
                self.create_group(&key, GROUP).await?;
                tracing::info!(stream = key, "A worker appeared.");
                self.streams.lock().unwrap_or_else(PoisonError::into_inner).insert(key);
            }
            cursor = next;
            if cursor == 0 {
                break;
            }
        }
        Ok(())
    }

    pub(super) async fn next_reports(&self) -> Result<Vec<Delivery>, QueueError> {
        let mut reading = self.reading.lock().await;
        let result = self.read_round(&mut reading).await;
        if let Err(error) = &result {
            reading.connection = None;
            reading.own_first = true;
            reading.discover_at = Instant::now();
            if matches!(error, QueueError::Redis(e) if e.code() == Some("NOGROUP")) {
                // Redis forgot: groups are made again as the streams are found again.
                self.streams.lock().unwrap_or_else(PoisonError::into_inner).clear();
            }
        }
        result
    }

    pub(super) async fn again(&self) {
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
        let deliveries = parse_streams(reply)?;
        if deliveries.is_empty() {
            reading.own_first = false;
        }
        Ok(deliveries)
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
            parse_entries(key, entries, &mut claimed)?;
        }
        Ok(claimed)
    }

    pub(super) async fn acknowledge(&self, deliveries: &[Delivery]) -> Result<(), QueueError> {
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

    /// Deletes checks that are done: everything older than the oldest one still pending, or, when none is, than the
    /// last one delivered. Work that nobody has read yet is never touched.
    pub(super) async fn tidy(&self, regions: &[RegionId]) -> Result<(), QueueError> {
        for region in regions {
            let key = wire::check_key(region);
            let mut command = redis::cmd("XPENDING");
            command.arg(&key).arg(region.as_str());
            let (count, oldest, _, _): (u64, Option<String>, Value, Value) = self.one(command).await?;
            let keep_from = if count > 0 { oldest } else { self.last_delivered(&key, region).await? };
            let Some(keep_from) = keep_from else { continue };
            let mut command = redis::cmd("XTRIM");
            command.arg(&key).arg("MINID").arg(keep_from);
            self.one::<Value>(command).await?;
        }
        Ok(())
    }

    async fn last_delivered(&self, key: &str, region: &RegionId) -> RedisResult<Option<String>> {
        let mut command = redis::cmd("XINFO");
        command.arg("GROUPS").arg(key);
        let groups: Vec<std::collections::HashMap<String, Value>> = self.one(command).await?;
        let text = |value: &Value| redis::from_redis_value_ref::<String>(value).ok();
        let ours = groups.iter().find(|g| g.get("name").and_then(text).as_deref() == Some(region.as_str()));
        Ok(ours.and_then(|g| g.get("last-delivered-id")).and_then(text))
    }
}

type Fields = Vec<(Vec<u8>, Vec<u8>)>;

fn parse_streams(reply: Value) -> RedisResult<Vec<Delivery>> {
    let mut deliveries = Vec::new();
    let streams: Vec<(String, Value)> = match reply {
        Value::Nil => Vec::new(),
        other => redis::from_redis_value(other)?,
    };
    for (key, entries) in streams {
        parse_entries(&key, entries, &mut deliveries)?;
    }
    Ok(deliveries)
}

fn parse_entries(key: &str, entries: Value, deliveries: &mut Vec<Delivery>) -> RedisResult<()> {
    let Some((region, worker)) = wire::parse_tick_key(key) else { return Ok(()) };
    let entries: Vec<(String, Option<Fields>)> = redis::from_redis_value(entries)?;
    for (entry_id, fields) in entries {
        let fields = fields.unwrap_or_default();
        let report = wire::decode_report(fields.iter().map(|(n, v)| (n.as_slice(), v.as_slice())));
        let received_at = entry_id.split('-').next().and_then(|t| t.parse().ok()).unwrap_or(0);
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
