//! Ticks, dead letters and signs of life to Redis: written first, then the check is acknowledged. What cannot be written
//! is kept, oldest dropped and counted past the bound, and sent with its original content when Redis is back.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use redis::{Connection, RedisResult};

use crate::backlog::{Backlog, End, Finished};
use crate::backoff::Backoff;
use crate::entry;
use crate::quota::{Admission, Quota};
use crate::shared::Shared;
use crate::wire::{self, DeadLetter, DeadReason, KIND_DEAD_LETTER, KIND_HEARTBEAT, KIND_TICK, MAX_TICK_BYTES};

/// Ticks kept while Redis is away.
const KEPT: usize = 5_000;
/// Dead letters kept.
const LETTERS_KEPT: usize = 500;
/// Ticks written at once: 4 MiB at the very most.
const BATCH: usize = 500;
/// Dead letters written at once, beside the ticks.
const LETTER_BATCH: usize = 100;
/// P7.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(10);
/// How long a command may take.
const COMMAND: Duration = Duration::from_secs(4);
/// How long the reporter looks at nothing but its channel: a stop is noticed within it.
const LOOK: Duration = Duration::from_millis(200);
/// Longest wait between tries once a stop has begun.
const HURRY: Duration = Duration::from_millis(500);

/// Writes until the last call, then what is left for as long as the stop leaves.
pub(crate) fn run(shared: &Arc<Shared>, finished: &Receiver<Finished>) {
    let now = Instant::now();
    let mut reporter = Reporter {
        shared,
        backlog: Backlog::new(KEPT, LETTERS_KEPT),
        quota: Quota::new(now),
        connection: None,
        backoff: Backoff::default(),
        beat_at: now,
    };
    let mut retry_at = now;
    let mut last = false;
    loop {
        // Asked before the channel is emptied: whoever made the call had let everything be sent.
        if shared.stop.last_call() && !last {
            last = true;
            retry_at = Instant::now();
        }
        let more = last || !reporter.backlog.is_empty();
        let wait = wait(Instant::now(), reporter.beat_at, retry_at, more);
        match finished.recv_timeout(wait) {
            Ok(first) => {
                reporter.take(first);
                finished.try_iter().take(BATCH).for_each(|next| reporter.take(next));
            }
            Err(RecvTimeoutError::Timeout) => {}
            // No sender is left, and the channel does not wait any more.
            Err(RecvTimeoutError::Disconnected) => std::thread::sleep(wait),
        }
        if Instant::now() >= retry_at {
            match reporter.write(last) {
                Ok(()) if last && reporter.backlog.is_empty() => return,
                Ok(()) => reporter.backoff.reset(),
                Err(error) => {
                    reporter.connection = None;
                    let pause = reporter.backoff.next();
                    let pause = if shared.stop.asked() { pause.min(HURRY) } else { pause };
                    retry_at = Instant::now() + pause;
                    log::warn!("Redis cannot be written to ({error}); ticks waiting: {}.", reporter.backlog.ticks());
                    if last && reporter.backlog.is_empty() {
                        // Only the goodbye is lost, and the hub misses the next sign of life as well.
                        return;
                    }
                }
            }
        }
        if last && shared.stop.left().is_none_or(|left| left.is_zero()) {
            log::error!("Ticks not handed over before the stop: {}.", reporter.backlog.ticks());
            return;
        }
    }
}

/// How long to wait for what is finished next: until there is something to write (a sign of life, or at once when
/// there is `more`) and it may be tried.
fn wait(now: Instant, beat_at: Instant, retry_at: Instant, more: bool) -> Duration {
    let due_at = if more { retry_at } else { beat_at.max(retry_at) };
    due_at.saturating_duration_since(now).min(LOOK)
}

struct Reporter<'a> {
    shared: &'a Shared,
    backlog: Backlog,
    quota: Quota,
    connection: Option<Connection>,
    backoff: Backoff,
    beat_at: Instant,
}

impl Reporter<'_> {
    fn take(&mut self, mut finished: Finished) {
        if let End::Letter(letter) = &finished.end
            && !admit(&mut self.quota, letter)
        {
            finished.end = End::Nothing;
        }
        let cost = self.backlog.push(finished);
        if cost.dropped {
            self.shared.counters.dropped.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(entry_id) = cost.forgotten {
            self.shared.in_flight().remove(&entry_id);
        }
        self.count();
    }

    fn count(&self) {
        let buffered = u32::try_from(self.backlog.ticks()).unwrap_or(u32::MAX);
        self.shared.counters.buffered.store(buffered, Ordering::Relaxed);
    }

    /// Acknowledges what is owed, and writes one batch and a sign of life, if they are due.
    fn write(&mut self, last: bool) -> RedisResult<()> {
        let beat = last || Instant::now() >= self.beat_at;
        if self.backlog.is_empty() && !beat {
            return Ok(());
        }
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.shared.connect(COMMAND)?,
        };
        if self.shared.stop.asked() {
            let wait = Some(self.shared.stop.bound(COMMAND));
            connection.set_read_timeout(wait)?;
            connection.set_write_timeout(wait)?;
        }
        self.write_on(&mut connection, beat.then_some(last))?;
        self.connection = Some(connection);
        Ok(())
    }

    fn write_on(&mut self, connection: &mut Connection, beat: Option<bool>) -> RedisResult<()> {
        // First, because it needs no memory of a Redis that is full.
        entry::acknowledge(self.shared, connection, &self.backlog.owed())?;
        self.release(Backlog::settled);
        // Every XADD before every XACK: a connection that breaks in between repeats a tick, and never loses one.
        let mut pipe = redis::pipe();
        let mut done: Vec<String> = Vec::new();
        for held in self.backlog.oldest(BATCH) {
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

    /// Entries that were acknowledged are not in flight any more.
    fn release(&mut self, settle: impl FnOnce(&mut Backlog) -> Vec<String>) {
        let entries = settle(&mut self.backlog);
        let mut in_flight = self.shared.in_flight();
        for entry_id in entries {
            in_flight.remove(&entry_id);
        }
        drop(in_flight);
        self.count();
    }
}

/// Whether a letter is to be written; beyond the quota it is only counted.
fn admit(quota: &mut Quota, letter: &DeadLetter) -> bool {
    let DeadLetter { entry_id, reason, detail, .. } = letter;
    match quota.admit(*reason, Instant::now()) {
        Admission::Admitted => {
            match reason {
                DeadReason::Expired => log::debug!("Check {entry_id} was not run: {detail}"),
                DeadReason::NotUnderstood | DeadReason::Refused => {
                    log::warn!("Check {entry_id} was put away unrun: {detail}");
                }
            }
            true
        }
        Admission::Full => {
            log::warn!("Many checks are put away unrun ({reason}); for the rest of this minute they are only counted.");
            false
        }
        Admission::StillFull => false,
    }
}

fn add(pipe: &mut redis::Pipeline, key: &str, kind: &str, body: &str) {
    pipe.cmd("XADD").arg(key).arg("*");
    pipe.arg(wire::VERSION_FIELD).arg(wire::VERSION).arg(wire::KIND_FIELD).arg(kind).arg(wire::BODY_FIELD).arg(body);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t236_while_redis_is_away_the_reporter_waits_for_its_next_try() {
        let now = Instant::now();
        let after = |ms| now + Duration::from_millis(ms);
        // (heartbeat due, next try, more to write): wait
        for (beat, retry, more, expected) in [
            (0, 100, false, 100),
            (0, 100, true, 100),
            (0, 30_000, true, 200),
            (150, 0, false, 150),
            (10_000, 0, false, 200),
            (10_000, 0, true, 0),
        ] {
            let found = wait(now, after(beat), after(retry), more);
            assert_eq!(found, Duration::from_millis(expected), "{beat} {retry} {more}");
        }
    }
}
