//! Ticks and signs of life to Redis: written first, then the check is acknowledged. A tick that cannot be written is
//! kept, oldest dropped and counted past the bound, and sent with its original content when Redis is back.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use redis::Connection;

use crate::run::Shared;
use crate::wire::{self, KIND_HEARTBEAT, KIND_TICK, MAX_TICK_BYTES, Tick};

/// Ticks kept while Redis is away.
const KEPT: usize = 5_000;
/// P7.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(10);

/// A finished check: its tick, and the entry to acknowledge.
pub(crate) struct Finished {
    pub entry_id: String,
    pub tick: Tick,
}

/// Writes until the channel closes, then what is left for at most `drain`.
pub(crate) fn run(shared: &Arc<Shared>, finished: &Receiver<Finished>, drain: Duration) {
    let mut kept: VecDeque<Finished> = VecDeque::new();
    let mut connection: Option<Connection> = None;
    let mut backoff = crate::run::Backoff::default();
    let mut retry_at = Instant::now();
    let mut beat_at = Instant::now();
    let mut closed_at: Option<Instant> = None;
    loop {
        let wait = beat_at.saturating_duration_since(Instant::now()).min(Duration::from_millis(200));
        match finished.recv_timeout(wait) {
            Ok(first) => {
                kept.push_back(first);
                kept.extend(finished.try_iter().take(500));
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                closed_at.get_or_insert_with(Instant::now);
            }
        }
        while kept.len() > KEPT {
            kept.pop_front();
            shared.counters.dropped.fetch_add(1, Ordering::Relaxed);
        }
        let buffered = u32::try_from(kept.len()).unwrap_or(u32::MAX);
        shared.counters.buffered.store(buffered, Ordering::Relaxed);
        let stopping = closed_at.is_some();
        if Instant::now() >= retry_at {
            let beat = Instant::now() >= beat_at || stopping;
            match write(shared, &mut connection, &kept, beat.then_some(stopping)) {
                Ok(()) => {
                    for done in kept.drain(..) {
                        shared.in_flight().remove(&done.entry_id);
                    }
                    backoff.reset();
                    if beat {
                        beat_at = Instant::now() + HEARTBEAT_EVERY;
                    }
                    if stopping {
                        return;
                    }
                }
                Err(error) => {
                    connection = None;
                    let pause = backoff.next();
                    retry_at = Instant::now() + pause;
                    log::warn!("{} ticks wait: Redis cannot be written to ({error}).", kept.len());
                }
            }
        }
        if let Some(closed) = closed_at {
            if closed.elapsed() > drain {
                log::error!("{} ticks could not be handed over before the stop.", kept.len());
                return;
            }
            std::thread::sleep(Duration::from_millis(50).min(retry_at.saturating_duration_since(Instant::now())));
        }
    }
}

fn write(
    shared: &Shared,
    connection: &mut Option<Connection>,
    ticks: &VecDeque<Finished>,
    beat: Option<bool>,
) -> redis::RedisResult<()> {
    if ticks.is_empty() && beat.is_none() {
        return Ok(());
    }
    let connection = match connection {
        Some(connection) => connection,
        None => connection.insert(shared.connect(Duration::from_secs(4))?),
    };
    // Every XADD before every XACK: a connection that breaks in between repeats a tick, and never loses one.
    let mut pipe = redis::pipe();
    for done in ticks {
        match wire::encode(&done.tick, MAX_TICK_BYTES) {
            Ok(body) => add(&mut pipe, &shared.tick_key, KIND_TICK, &body),
            Err(error) => log::error!("A tick of {} cannot be sent: {error}.", done.tick.website_id),
        }
    }
    if let Some(stopping) = beat {
        match wire::encode(&shared.heartbeat(stopping), MAX_TICK_BYTES) {
            Ok(body) => add(&mut pipe, &shared.tick_key, KIND_HEARTBEAT, &body),
            Err(error) => log::error!("A heartbeat cannot be sent: {error}."),
        }
    }
    let ids: Vec<String> = pipe.query(connection)?;
    if let Some(id) = ids.last() {
        shared.note_redis_time(id);
    }
    if !ticks.is_empty() {
        let mut ack = redis::cmd("XACK");
        ack.arg(&shared.check_key).arg(shared.region.as_str());
        for done in ticks {
            ack.arg(&done.entry_id);
        }
        ack.query::<()>(connection)?;
    }
    Ok(())
}

fn add(pipe: &mut redis::Pipeline, key: &str, kind: &str, body: &str) {
    pipe.cmd("XADD").arg(key).arg("*");
    pipe.arg(wire::VERSION_FIELD).arg(wire::VERSION).arg(wire::KIND_FIELD).arg(kind).arg(wire::BODY_FIELD).arg(body);
}

/// Set when a signal asked to stop.
pub(crate) type Stopping = Arc<AtomicBool>;
