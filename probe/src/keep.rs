//! The reporter's way to the disk: what is put there when memory is full or the end has come, and how fast it is sent
//! afterwards.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::backlog::Held;
use crate::shared::Shared;
use crate::spool::{MAX_SEGMENT, Spool};
use crate::wire::{self, MAX_TICK_BYTES};

/// Ticks put on disk at once: some 400 KiB of ordinary ones. [`MAX_SEGMENT`] bounds large ones.
const AT_ONCE: usize = 1_000;
/// Ticks sent from disk at once, and how often: 500 a second. They come behind everything else, and many workers come
/// back at the same time.
const SENT_AT_ONCE: usize = 100;
const SENT_BYTES: usize = 256 * 1024;
const SEND_EVERY: Duration = Duration::from_millis(200);

/// The spool, if there is one, and what it cost, counted.
pub(crate) struct Keep<'a> {
    shared: &'a Shared,
    spool: Option<Spool>,
    send_at: Instant,
}

impl<'a> Keep<'a> {
    pub(crate) fn new(shared: &'a Shared, spool: Option<Spool>) -> Self {
        Self { shared, spool, send_at: Instant::now() }
    }

    /// Opens it: entries of what an earlier process put there, at most `count`.
    pub(crate) fn begin(&mut self, count: usize) -> Vec<String> {
        let mut entries = Vec::new();
        if let Some(spool) = &mut self.spool
            && spool.open(Instant::now())
        {
            entries = spool.youngest_entries(count);
        }
        self.count();
        entries
    }

    /// Whether there is a disk to write to.
    pub(crate) fn is_there(&self) -> bool {
        self.spool.is_some()
    }

    /// Ticks on disk.
    pub(crate) fn ticks(&self) -> u64 {
        self.spool.as_ref().map_or(0, Spool::ticks)
    }

    /// Puts the first of these on disk: how many are safe there, or cannot be sent at all.
    pub(crate) fn keep<'h>(&mut self, oldest: impl Iterator<Item = &'h Held>) -> usize {
        let now = Instant::now();
        let Some(spool) = &mut self.spool else { return 0 };
        if !spool.takes(now) {
            return 0;
        }
        let (mut ticks, mut size, mut count) = (Vec::new(), 0, 0);
        for held in oldest.take(AT_ONCE) {
            match wire::encode_tick(&held.tick, MAX_TICK_BYTES) {
                Ok(body) => {
                    size += body.len() + 64;
                    if size > MAX_SEGMENT {
                        break;
                    }
                    ticks.push((held.entry_id.clone(), body));
                }
                Err(error) => {
                    log::error!("A tick of {} cannot be sent: {error}.", held.tick.website_id);
                    self.shared.counters.dropped.fetch_add(1, Ordering::Relaxed);
                }
            }
            count += 1;
        }
        let is_kept = ticks.is_empty() || spool.keep(&ticks, now);
        self.count();
        if is_kept { count } else { 0 }
    }

    /// Whether some of them are to be sent.
    pub(crate) fn is_due(&mut self, now: Instant) -> bool {
        now >= self.send_at && self.spool.as_mut().is_some_and(|spool| spool.open(now) && spool.ticks() > 0)
    }

    /// Some of them, with their entries.
    pub(crate) fn next(&mut self, now: Instant) -> Vec<(String, String)> {
        self.send_at = now + SEND_EVERY;
        let next = self.spool.as_mut().map(|spool| spool.next(SENT_AT_ONCE, SENT_BYTES)).unwrap_or_default();
        self.count();
        next
    }

    /// The first `count` of these are in Redis.
    pub(crate) fn sent(&mut self, count: usize) {
        if let Some(spool) = &mut self.spool {
            spool.sent(count);
        }
        self.count();
    }

    fn count(&mut self) {
        let loss = self.spool.as_mut().map(Spool::take_loss).unwrap_or_default();
        let counters = &self.shared.counters;
        counters.spooled.store(self.ticks(), Ordering::Relaxed);
        counters.dropped.fetch_add(loss.dropped, Ordering::Relaxed);
        counters.damaged.fetch_add(loss.damaged, Ordering::Relaxed);
    }
}
