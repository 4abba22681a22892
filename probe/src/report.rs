//! Ticks, dead letters and signs of life to Redis: written first, then the check is acknowledged. What cannot be written
//! is kept, in memory and then on disk, and sent with its original content when Redis is back: the youngest first, which
//! the hub's verdicts need; what is on disk comes behind, a little at a time.

mod write;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use redis::Connection;

use crate::backlog::{Backlog, End, Finished};
use crate::backoff::Backoff;
use crate::complaint::Complaint;
use crate::connect;
use crate::keep::Keep;
use crate::quota::{Admission, Quota};
use crate::shared::Shared;
use crate::spool::Spool;
use crate::turns::Thread;
use crate::wire::{DeadLetter, DeadReason};

/// Ticks taken from the channel, and written, at once: 4 MiB at the very most.
const BATCH: usize = 500;
/// Ticks kept in memory while Redis is away.
const KEPT: usize = 5_000;
/// Dead letters kept.
const LETTERS_KEPT: usize = 500;
/// How long the reporter looks at nothing but its channel: a stop is noticed within it.
const LOOK: Duration = Duration::from_millis(200);
/// Longest wait between tries once a stop has begun.
const HURRY: Duration = Duration::from_millis(500);

/// Writes until the last call, then what is left for as long as the stop leaves.
pub(crate) fn run(shared: &Arc<Shared>, finished: &Receiver<Finished>, spool: Option<Spool>) {
    let now = Instant::now();
    let mut reporter = Reporter {
        shared,
        backlog: Backlog::new(KEPT, LETTERS_KEPT),
        keep: Keep::new(shared, spool),
        quota: Quota::new(now),
        connection: None,
        backoff: Backoff::default(),
        complaint: Complaint::default(),
        beat_at: now,
    };
    reporter.begin();
    let mut retry_at = now;
    let mut last = false;
    loop {
        shared.turns.begun(Thread::Reporter);
        // Asked before the channel is emptied: whoever made the call had let everything be sent.
        let is_last_call = shared.stop.last_call() && !last;
        let more = last || is_last_call || !reporter.backlog.is_empty();
        let wait = if is_last_call { Duration::ZERO } else { wait(Instant::now(), reporter.beat_at, retry_at, more) };
        match finished.recv_timeout(wait) {
            Ok(first) => {
                reporter.take(first);
                let most = if is_last_call { usize::MAX } else { BATCH };
                for _ in 0..most {
                    if !is_last_call && reporter.is_laden() {
                        break;
                    }
                    let Ok(next) = finished.try_recv() else { break };
                    reporter.take(next);
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            // No sender is left, and the channel does not wait any more.
            Err(RecvTimeoutError::Disconnected) => std::thread::sleep(wait),
        }
        if is_last_call {
            last = true;
            retry_at = Instant::now();
            // It was away a moment ago: first what is certain.
            if !reporter.backoff.is_fresh() {
                reporter.keep_all();
            }
        }
        if Instant::now() >= retry_at {
            match reporter.write(last) {
                Ok(()) if last && reporter.backlog.is_empty() => return,
                Ok(()) => reporter.backoff.reset(),
                Err(error) => {
                    reporter.connection = None;
                    let is_first = reporter.backoff.is_fresh();
                    let pause = reporter.backoff.next();
                    let pause = if shared.stop.asked() { pause.min(HURRY) } else { pause };
                    retry_at = Instant::now() + pause;
                    // A connection that is cut does not say why; a try a moment later does, where it fails.
                    if !(is_first && connect::is_cut(&error)) {
                        reporter.complain(&connect::said(&error));
                    }
                    if last && reporter.may_end() {
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
    shared: &'a Arc<Shared>,
    backlog: Backlog,
    keep: Keep<'a>,
    quota: Quota,
    connection: Option<Connection>,
    backoff: Backoff,
    complaint: Complaint,
    beat_at: Instant,
}

impl Reporter<'_> {
    /// What an earlier process kept on disk was perhaps not acknowledged: it is before any check is read, so that none
    /// of them is run again.
    fn begin(&mut self) {
        let entries = self.keep.begin(KEPT);
        self.backlog.owe(entries);
    }

    /// Whether as many letters wait as are written at once, of a Redis that takes them: more wait in the channel, which
    /// holds the reader up, and none is dropped. While it is away all are taken, since ticks come the same way.
    fn is_laden(&self) -> bool {
        self.backoff.is_fresh() && self.backlog.letters() >= write::LETTER_BATCH
    }

    fn complain(&mut self, error: &str) {
        if let Some(more) = self.complaint.due(Instant::now()) {
            log::warn!(
                "Redis cannot be written to ({error}); ticks waiting: {} in memory, {} on disk.{more}",
                self.backlog.ticks(),
                self.keep.ticks()
            );
        }
    }

    fn take(&mut self, mut finished: Finished) {
        if let End::Letter(letter) = &finished.end
            && !admit(&mut self.quota, letter)
        {
            finished.end = End::Nothing;
        }
        if self.backlog.is_full() {
            self.keep_some();
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

    /// Puts the oldest ticks on disk, as many as one file takes: false when none is there now.
    fn keep_some(&mut self) -> bool {
        self.keep.keep(self.backlog.oldest());
        self.note_moved()
    }

    /// Ticks that are on disk by now are in memory no more.
    fn note_moved(&mut self) -> bool {
        let moved = self.keep.moved();
        if moved.is_empty() {
            return false;
        }
        let forgotten = self.backlog.moved(&moved);
        let mut in_flight = self.shared.in_flight();
        for entry_id in forgotten {
            in_flight.remove(&entry_id);
        }
        drop(in_flight);
        self.count();
        true
    }

    /// Redis cannot be written to at the end: whether nothing is left that would be lost. The goodbye is, but the hub
    /// misses the next sign of life as well; so are acknowledgements and letters of a worker with a disk, which come again
    /// at its next start.
    fn may_end(&mut self) -> bool {
        self.keep_all();
        self.backlog.is_empty() || (self.keep.is_there() && self.backlog.ticks() == 0)
    }

    fn keep_all(&mut self) {
        while self.backlog.ticks() > 0 && self.keep_some() {}
    }

    fn count(&self) {
        let buffered = u32::try_from(self.backlog.ticks()).unwrap_or(u32::MAX);
        self.shared.counters.buffered.store(buffered, Ordering::Relaxed);
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
                DeadReason::NotUnderstood | DeadReason::Refused | DeadReason::MaxDeliveries => {
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
