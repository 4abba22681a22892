//! What the reporter writes to Redis, and in which order.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use redis::{Connection, RedisResult};

use super::{BATCH, Reporter};
use crate::backlog::Backlog;
use crate::entry;
use crate::wire::{self, KIND_DEAD_LETTER, KIND_HEARTBEAT, KIND_TICK, MAX_TICK_BYTES};

/// Dead letters written at once, beside the ticks.
pub(super) const LETTER_BATCH: usize = 100;
/// P7.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(10);
/// How long a command may take.
const COMMAND: Duration = Duration::from_secs(4);
/// Of the time a stop leaves, kept for the disk.
const DISK: Duration = Duration::from_millis(1_500);

impl Reporter<'_> {
    /// Acknowledges what is owed, and writes one batch and a sign of life, if they are due; then some of what is on disk.
    pub(super) fn write(&mut self, last: bool) -> RedisResult<()> {
        self.note_moved();
        let beat = last || Instant::now() >= self.beat_at;
        let drain = !last && self.keep.is_due(Instant::now());
        if self.backlog.is_empty() && !beat && !drain {
            return Ok(());
        }
        let kept_for_disk = if self.keep.is_there() { DISK } else { Duration::ZERO };
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.shared.connect(COMMAND)?,
        };
        if self.shared.stop.asked() {
            let left = self.shared.stop.left().map_or(COMMAND, |left| left.saturating_sub(kept_for_disk));
            let wait = Some(left.min(COMMAND).max(Duration::from_millis(1)));
            connection.set_read_timeout(wait)?;
            connection.set_write_timeout(wait)?;
        }
        self.write_on(&mut connection, beat.then_some(last))?;
        if drain && self.backlog.ticks() == 0 {
            self.drain(&mut connection)?;
        }
        self.connection = Some(connection);
        Ok(())
    }

    /// Sends some of what is on disk, as it was when it was put there.
    fn drain(&mut self, connection: &mut Connection) -> RedisResult<()> {
        let ticks = self.keep.next(Instant::now());
        if ticks.is_empty() {
            return Ok(());
        }
        let mut pipe = redis::pipe();
        ticks.iter().for_each(|(_, body)| add(&mut pipe, &self.shared.tick_key, KIND_TICK, body));
        let _: Vec<String> = pipe.query(connection)?;
        // Those an earlier process could not acknowledge; of the others Redis knows nothing any more.
        entry::acknowledge(self.shared, connection, &ticks.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>())?;
        self.keep.sent(ticks.len());
        Ok(())
    }

    fn write_on(&mut self, connection: &mut Connection, beat: Option<bool>) -> RedisResult<()> {
        // First, because it needs no memory of a Redis that is full.
        entry::acknowledge(self.shared, connection, &self.backlog.owed())?;
        self.release(Backlog::settled);
        // Every XADD before every XACK: a connection that breaks in between repeats a tick, and never loses one.
        let mut pipe = redis::pipe();
        let mut done: Vec<String> = Vec::new();
        for held in self.backlog.youngest(BATCH) {
            done.push(held.entry_id.clone());
            match wire::encode_tick(&held.tick, MAX_TICK_BYTES) {
                Ok(body) => add(&mut pipe, &self.shared.tick_key, KIND_TICK, &body),
                Err(error) => {
                    log::error!("A tick of {} cannot be sent: {error}.", held.tick.website_id);
                    self.shared.counters.dropped.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        let ticks = done.len();
        for (entry_id, letter) in self.backlog.oldest_letters(LETTER_BATCH) {
            done.push(entry_id.clone());
            match wire::encode(letter, MAX_TICK_BYTES) {
                Ok(body) => add(&mut pipe, &self.shared.tick_key, KIND_DEAD_LETTER, &body),
                Err(error) => {
                    log::error!("A dead letter cannot be sent: {error}.");
                    self.shared.counters.dropped.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        if let Some(stopping) = beat {
            match wire::encode(&self.shared.heartbeat(stopping), MAX_TICK_BYTES) {
                Ok(body) => add(&mut pipe, &self.shared.tick_key, KIND_HEARTBEAT, &body),
                Err(error) => log::error!("A heartbeat cannot be sent: {error}."),
            }
        }
        if !pipe.is_empty() {
            let ids: Vec<String> = pipe.query(connection)?;
            if ticks > 0 {
                crate::fail_point!("probe.written");
            }
            if let Some(id) = ids.last() {
                self.shared.note_redis_time(id);
            }
        }
        if beat.is_some() {
            self.beat_at = Instant::now() + HEARTBEAT_EVERY;
        }
        entry::acknowledge(self.shared, connection, &done.iter().map(String::as_str).collect::<Vec<_>>())?;
        let letters = done.len() - ticks;
        self.release(|backlog| backlog.written(ticks, letters));
        Ok(())
    }
}

fn add(pipe: &mut redis::Pipeline, key: &str, kind: &str, body: &str) {
    pipe.cmd("XADD").arg(key).arg("*");
    pipe.arg(wire::VERSION_FIELD).arg(wire::VERSION).arg(wire::KIND_FIELD).arg(kind).arg(wire::BODY_FIELD).arg(body);
}
