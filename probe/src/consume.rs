//! Checks from Redis: own pending ones first, then as many new ones as there are free threads; and what a dead
//! neighbour left. The connection is used for nothing else: it blocks.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use redis::{Connection, RedisResult, Value};

use crate::pool::Pool;
use crate::report::{Finished, Stopping};
use crate::run::{Backoff, Shared};
use crate::wire;

/// Also bounds how long a stop takes.
const BLOCK: Duration = Duration::from_secs(2);
const CLAIM_EVERY: Duration = Duration::from_secs(10);
/// P6.
const CLAIM_IDLE_MS: u32 = 30_000;

/// Reads until asked to stop.
pub(crate) fn run(shared: &Arc<Shared>, pool: &Pool, finished: &SyncSender<Finished>, stopping: &Stopping) {
    let mut connection: Option<Connection> = None;
    let mut backoff = Backoff::default();
    let mut own_first = true;
    let mut claim_at = Instant::now() + CLAIM_EVERY;
    let mut claim_from = "0-0".to_owned();
    while !stopping.load(Ordering::Relaxed) {
        let free = pool.wait_free(Duration::from_millis(200));
        if free == 0 {
            continue;
        }
        let round = (|| {
            let connection = match &mut connection {
                Some(connection) => connection,
                None => connection.insert(shared.connect(BLOCK + Duration::from_secs(2))?),
            };
            if own_first {
                let entries = read(shared, connection, free, "0")?;
                // History is read until it holds nothing that is not already running.
                let started = start(shared, pool, finished, entries, connection)?;
                own_first = started > 0;
                return Ok(());
            }
            if Instant::now() >= claim_at {
                let (next, entries) = claim(shared, connection, free, &claim_from)?;
                if next == "0-0" {
                    claim_at = Instant::now() + CLAIM_EVERY;
                }
                claim_from = next;
                start(shared, pool, finished, entries, connection)?;
                return Ok(());
            }
            let entries = read(shared, connection, free, ">")?;
            start(shared, pool, finished, entries, connection).map(|_| ())
        })();
        match round {
            Ok(()) => backoff.reset(),
            Err(error) => {
                connection = None;
                own_first = true; // a read that failed here may have succeeded there (CASES 2.3)
                let error: redis::RedisError = error;
                if error.code() == Some("NOGROUP") {
                    if backoff.is_fresh() {
                        log::info!("Waiting for the hub to open region {}.", shared.region);
                    }
                    backoff.next_within(Duration::from_secs(2), stopping);
                } else {
                    let pause = backoff.next();
                    log::warn!("Checks cannot be read ({error}); next try in {} ms.", pause.as_millis());
                    crate::run::pause(pause, stopping);
                }
            }
        }
    }
}

/// An entry: its id, and its fields as they came.
type Entry = (String, Fields);

type Fields = Vec<(Vec<u8>, Vec<u8>)>;

fn read(shared: &Shared, connection: &mut Connection, count: usize, from: &str) -> RedisResult<Vec<Entry>> {
    let mut command = redis::cmd("XREADGROUP");
    command.arg("GROUP").arg(shared.region.as_str()).arg(shared.worker.as_str()).arg("COUNT").arg(count);
    if from == ">" {
        command.arg("BLOCK").arg(BLOCK.as_millis() as u64);
    }
    let reply: Value = command.arg("STREAMS").arg(&shared.check_key).arg(from).query(connection)?;
    // Nil, or an array (RESP2) or map (RESP3) of one stream.
    let entries = match reply {
        Value::Array(mut streams) => match streams.pop() {
            Some(Value::Array(mut pair)) => pair.pop(),
            Some(_) | None => None,
        },
        Value::Map(mut streams) => streams.pop().map(|(_, entries)| entries),
        _ => None,
    };
    entries.map_or(Ok(Vec::new()), parse)
}

fn claim(shared: &Shared, connection: &mut Connection, count: usize, from: &str) -> RedisResult<(String, Vec<Entry>)> {
    let reply: (String, Value, Vec<String>) = redis::cmd("XAUTOCLAIM")
        .arg(&shared.check_key)
        .arg(shared.region.as_str())
        .arg(shared.worker.as_str())
        .arg(CLAIM_IDLE_MS)
        .arg(from)
        .arg("COUNT")
        .arg(count.min(10))
        .query(connection)?;
    let lost = reply.2.len();
    if lost > 0 {
        log::warn!("{lost} checks vanished from Redis while they were pending.");
        shared.counters.lost.fetch_add(lost as u64, Ordering::Relaxed);
    }
    Ok((reply.0, parse(reply.1)?))
}

fn parse(entries: Value) -> RedisResult<Vec<Entry>> {
    // An entry that was deleted while pending has nil for its fields: nothing to run.
    let raw: Vec<(String, Option<Fields>)> = redis::from_redis_value(entries)?;
    Ok(raw.into_iter().map(|(id, fields)| (id, fields.unwrap_or_default())).collect())
}

/// Hands entries to the pool; returns how many were not already running.
fn start(
    shared: &Arc<Shared>,
    pool: &Pool,
    finished: &SyncSender<Finished>,
    entries: Vec<Entry>,
    connection: &mut Connection,
) -> RedisResult<usize> {
    let mut started = 0;
    for (entry_id, fields) in entries {
        if shared.in_flight().contains(&entry_id) {
            continue;
        }
        started += 1;
        let fields = fields.iter().map(|(n, v)| (n.as_slice(), v.as_slice()));
        let check = match wire::decode_check(fields) {
            Ok(check) => check,
            Err(error) => {
                log::warn!("Check {entry_id} is not understood and was put away: {error}.");
                shared.counters.refused.fetch_add(1, Ordering::Relaxed);
                acknowledge(shared, connection, &entry_id)?;
                continue;
            }
        };
        if shared.redis_now() > check.deadline_at {
            shared.counters.expired.fetch_add(1, Ordering::Relaxed);
            acknowledge(shared, connection, &entry_id)?;
            continue;
        }
        shared.in_flight().insert(entry_id.clone());
        let (shared, finished) = (shared.clone(), finished.clone());
        pool.submit(check, move |tick| {
            shared.counters.checks.fetch_add(1, Ordering::Relaxed);
            // Waits while the reporter is behind: then no new check is taken either, which is the bound.
            let _ = finished.send(Finished { entry_id, tick });
        });
    }
    Ok(started)
}

fn acknowledge(shared: &Shared, connection: &mut Connection, entry_id: &str) -> RedisResult<()> {
    redis::cmd("XACK").arg(&shared.check_key).arg(shared.region.as_str()).arg(entry_id).query(connection)
}
