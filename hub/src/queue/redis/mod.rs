//! Redis streams (DESIGN 5, CASES 6.2). Commands of 7.0 only. Reading blocks and has a connection of its own; redis-rs
//! ends every command after 500 ms unless told otherwise, and what it read is then lost to the caller (CASES 2.3).

pub mod acl;
mod behind;
mod care;
mod discover;
mod given_up;
mod info;
mod lag;
mod link;
mod parse;
mod reach;
mod read;
mod reports;
mod retire;
mod sizes;
mod tidy;
mod twins;

use std::collections::BTreeSet;
use std::sync::Mutex as StdMutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use probe::wire::{self, Check, KIND_CHECK, MAX_CHECK_BYTES, RegionId};
use redis::{RedisResult, Value};
use tokio::sync::Mutex;

use self::link::Link;
use self::reports::Reading;
use super::QueueError;
use crate::clock;

const GROUP: &str = "hub";
const BLOCK: Duration = Duration::from_secs(2);
const BATCH: usize = 500;
/// So much two readings of one clock may differ.
const CLOCK_ERROR_MS: i64 = 1_000;
/// How long a command may take.
const COMMAND: Duration = Duration::from_secs(4);

pub use given_up::GivenUp;
pub use info::RedisInfo;

/// The offset before it is known.
const UNKNOWN: i64 = i64::MIN;

pub struct RedisQueue {
    way: reach::Way,
    gate: StdMutex<reach::Gate>,
    consumer: String,
    writing: Mutex<Option<Link>>,
    /// For questions whose answers may be long.
    asking: Mutex<Option<Link>>,
    reading: Mutex<Reading>,
    sizes: StdMutex<sizes::Sizes>,
    /// Tick streams known, whose group exists.
    streams: StdMutex<BTreeSet<String>>,
    /// Redis' clock minus this machine's steady one, which nobody sets, told by Redis, or learnt from the ids it gives to
    /// checks.
    clock_offset_ms: AtomicI64,
    is_told_time: AtomicBool,
    care: StdMutex<care::Care>,
    twins: StdMutex<twins::Twins>,
    is_policy_told: AtomicBool,
    /// Streams that were cut since that was last asked.
    floods: StdMutex<BTreeSet<String>>,
}

impl RedisQueue {
    pub(super) fn new(url: &str, ca_file: Option<&str>, consumer: &str) -> Result<Self, QueueError> {
        Ok(Self {
            way: reach::Way::new(url, ca_file)?,
            gate: StdMutex::default(),
            consumer: consumer.to_owned(),
            writing: Mutex::new(None),
            asking: Mutex::new(None),
            reading: Mutex::new(Reading::new()),
            sizes: StdMutex::default(),
            streams: StdMutex::default(),
            clock_offset_ms: AtomicI64::new(UNKNOWN),
            is_told_time: AtomicBool::new(false),
            care: StdMutex::default(),
            twins: StdMutex::default(),
            is_policy_told: AtomicBool::new(false),
            floods: StdMutex::default(),
        })
    }

    async fn connect(&self, wait: Duration) -> RedisResult<Link> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner).pass(Instant::now())?;
        let result = self.way.connect(wait).await;
        let chance = u64::from(clock::now().unsigned_abs() as u32);
        self.gate.lock().unwrap_or_else(PoisonError::into_inner).note(result.is_ok(), Instant::now(), chance);
        result
    }

    /// Redis' clock minus the hub's, once that is known.
    fn clock_offset(&self) -> Option<i64> {
        let offset_ms = Some(self.clock_offset_ms.load(Ordering::Relaxed)).filter(|offset_ms| *offset_ms != UNKNOWN)?;
        Some(offset_ms.saturating_add(clock::steady_us() / 1_000).saturating_sub(clock::now()))
    }

    /// It is `at` by Redis' clock.
    fn note_redis(&self, at: i64) {
        self.clock_offset_ms.store(at.saturating_sub(clock::steady_us() / 1_000), Ordering::Relaxed);
    }

    /// The connection for writes, taken out of its slot; anew after an error.
    async fn writer(&self) -> RedisResult<Link> {
        let mut slot = self.writing.lock().await;
        if let Some(link) = &*slot {
            return Ok(link.clone());
        }
        let mut link = self.connect(COMMAND).await?;
        // Before anything is read: when a report was written says whether its worker still lives.
        self.note_time(&redis::cmd("TIME").query_async(&mut link.connection).await);
        self.look_at_policy(&mut link).await;
        *slot = Some(link.clone());
        Ok(link)
    }

    /// Once, where it may be asked: whether Redis throws away streams when it is full.
    async fn look_at_policy(&self, link: &mut Link) {
        let info =
            redis::cmd("INFO").arg("memory").query_async::<String>(&mut link.connection).await.unwrap_or_default();
        if let Some(policy) = reach::evicting_policy(&info)
            && !self.is_policy_told.swap(true, Ordering::Relaxed)
        {
            tracing::error!(
                policy,
                "Redis deletes any key when it is full: checks and results would be lost without a \
                trace. Set maxmemory-policy to noeviction."
            );
        }
    }

    /// A refusal is an answer, and the connection is fine; anything else ends it, and so does what another Redis, or the
    /// same one after signing in again, may answer otherwise.
    async fn settle<T>(&self, result: RedisResult<T>) -> RedisResult<T> {
        if result.as_ref().err().is_some_and(|e| !is_answer(e) || is_elsewhere(e)) {
            *self.writing.lock().await = None;
        }
        result
    }

    async fn command<T: redis::FromRedisValue>(&self, pipe: &redis::Pipeline) -> RedisResult<T> {
        let mut link = self.writer().await?;
        self.settle(pipe.query_async(&mut link.connection).await).await
    }

    async fn one<T: redis::FromRedisValue>(&self, command: redis::Cmd) -> RedisResult<T> {
        let mut link = self.writer().await?;
        self.settle(command.query_async(&mut link.connection).await).await
    }

    /// Asks what may be answered at length, or in words of a worker's: one thing at a time, on a connection of its own,
    /// so that [`link::MOST`] holds for it and nobody's checks wait behind it. Too large an answer is one ([`is_answer`]).
    async fn ask<T: redis::FromRedisValue>(&self, command: redis::Cmd) -> RedisResult<T> {
        let mut slot = self.asking.lock().await;
        let mut link = self.asker(&mut slot).await?;
        let answer = command.query_async(&mut link.connection).await;
        keep(&mut slot, link, answer)
    }

    async fn ask_all<T: redis::FromRedisValue>(&self, pipe: &redis::Pipeline) -> RedisResult<T> {
        let mut slot = self.asking.lock().await;
        let mut link = self.asker(&mut slot).await?;
        let answers = pipe.query_async(&mut link.connection).await;
        keep(&mut slot, link, answers)
    }

    async fn asker(&self, slot: &mut Option<Link>) -> RedisResult<Link> {
        match slot.take() {
            Some(link) => Ok(link),
            None => self.connect(COMMAND).await,
        }
    }

    pub(super) async fn publish(&self, region: &RegionId, checks: &mut Vec<Check>) -> Result<(), QueueError> {
        let key = wire::check_key(region);
        while !checks.is_empty() {
            let count = checks.len().min(BATCH);
            let mut pipe = redis::pipe();
            let sent_at = self.clock_offset().map(|offset_ms| clock::now().saturating_add(offset_ms));
            for check in &checks[..count] {
                let body = match wire::encode(check, MAX_CHECK_BYTES) {
                    Ok(body) => body,
                    Err(error) => {
                        // Alone: all others of its region would wait for it until its deadline.
                        tracing::error!(website.id = %check.website_id, %error, "A check cannot be sent, and is left out.");
                        continue;
                    }
                };
                pipe.cmd("XADD").arg(&key).arg("*");
                pipe.arg(wire::VERSION_FIELD).arg(wire::VERSION).arg(wire::KIND_FIELD).arg(KIND_CHECK);
                if let Some(sent_at) = sent_at {
                    pipe.arg(wire::SENT_FIELD).arg(sent_at);
                }
                pipe.arg(wire::BODY_FIELD).arg(body);
            }
            let asked = Instant::now();
            let ids: Vec<String> = if pipe.is_empty() { Vec::new() } else { self.command(&pipe).await? };
            if let Some(at) = ids.last().and_then(|id| id_ms(id)) {
                // Where its clock was set, what was sent seems to have been on its way for long: once.
                let took_ms = i64::try_from(asked.elapsed().as_millis()).unwrap_or(i64::MAX);
                let late_ms = sent_at.map_or(0, |sent_at| at.saturating_sub(sent_at).saturating_sub(took_ms));
                // An id further ahead was chosen by somebody.
                let was_set = (CLOCK_ERROR_MS..care::AHEAD_MS).contains(&late_ms);
                if was_set || !self.is_told_time.load(Ordering::Relaxed) {
                    self.note_redis(at);
                }
            }
            checks.drain(..count);
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
}

/// Puts a connection back, unless what it answered ended it.
fn keep<T>(slot: &mut Option<Link>, link: Link, answer: RedisResult<T>) -> RedisResult<T> {
    let answer = link.judge(answer);
    if answer.as_ref().err().is_none_or(|e| is_answer(e) && !is_elsewhere(e) && !link::is_too_large(e)) {
        *slot = Some(link);
    }
    answer
}

/// Redis said no; the connection is fine.
fn is_answer(error: &redis::RedisError) -> bool {
    !(error.is_io_error() || error.is_connection_dropped() || error.is_timeout())
}

/// Another Redis is the master now, or this one asks for the password again: the name is looked up anew (T224).
fn is_elsewhere(error: &redis::RedisError) -> bool {
    let text = error.to_string();
    matches!(error.code(), Some("READONLY" | "LOADING" | "MASTERDOWN" | "NOAUTH" | "WRONGPASS"))
        || text.contains("read only replica")
}

/// The instant in an entry's id, by Redis' clock; or what a worker wrote there.
fn id_ms(id: &str) -> Option<i64> {
    id.split('-').next()?.parse().ok()
}
