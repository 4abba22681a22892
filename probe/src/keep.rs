//! The reporter's way to the disk: what is put there when memory is full or the end has come, and how fast it is sent
//! afterwards. A disk may hang for minutes: it is waited for a little, and has a thread of its own, so that signs of life
//! and ticks go on without it.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::Builder;
use std::time::{Duration, Instant};

use crate::backlog::Held;
use crate::complaint::Complaint;
use crate::shared::Shared;
use crate::spool::{Loss, MAX_SEGMENT, RETRY, Spool};
use crate::wire::{self, MAX_TICK_BYTES};

/// Ticks put on disk at once: some 400 KiB of ordinary ones. [`MAX_SEGMENT`] bounds large ones.
const AT_ONCE: usize = 1_000;
/// Ticks sent from disk at once, and how often: 500 a second. They come behind everything else, and many workers come
/// back at the same time.
const SENT_AT_ONCE: usize = 100;
const SENT_BYTES: usize = 256 * 1024;
const SEND_EVERY: Duration = Duration::from_millis(200);
/// How long the reporter waits for the disk: a good one takes less; what comes later is noticed then.
const WAIT: Duration = Duration::from_secs(1);
/// The same at the start, where nothing else is to be done.
const BEGIN: Duration = Duration::from_secs(5);

/// The spool, if there is one, and what it cost, counted.
pub(crate) struct Keep<'a> {
    shared: &'a Shared,
    disk: Option<Disk>,
    send_at: Instant,
    keep_at: Instant,
    /// Entries of ticks that are on their way to the disk, or are there and were not told of yet.
    moving: HashSet<String>,
    moved: HashSet<String>,
}

/// The thread's end here. One job at a time.
struct Disk {
    jobs: SyncSender<Job>,
    done: Receiver<Done>,
    is_busy: bool,
    asked_at: Instant,
    is_open: bool,
    ticks: u64,
    complaint: Complaint,
}

enum Job {
    /// To open it, and read this many entries of the youngest ticks.
    Begin(usize),
    Keep(Vec<(String, String)>),
    Next,
    Sent(usize),
}

/// How a job ended.
struct Done {
    /// Ticks, with their entries.
    ticks: Vec<(String, String)>,
    is_kept: bool,
    is_open: bool,
    waiting: u64,
    loss: Loss,
}

fn do_it(spool: &mut Spool, job: Job) -> Done {
    let now = Instant::now();
    let (mut ticks, mut is_kept) = (Vec::new(), false);
    match job {
        Job::Begin(count) if spool.open(now) => {
            ticks = spool.youngest_entries(count).into_iter().map(|id| (id, String::new())).collect();
        }
        Job::Keep(some) => is_kept = spool.takes(now) && spool.keep(&some, now),
        Job::Next if spool.open(now) => ticks = spool.next(SENT_AT_ONCE, SENT_BYTES),
        Job::Begin(_) | Job::Next => {}
        Job::Sent(count) => spool.sent(count),
    }
    Done { ticks, is_kept, is_open: spool.is_open(), waiting: spool.ticks(), loss: spool.take_loss() }
}

impl Disk {
    fn start(mut spool: Spool) -> std::io::Result<Self> {
        let (jobs, to_do) = mpsc::sync_channel(1);
        let (tell, done) = mpsc::sync_channel(1);
        Builder::new().name("disk".into()).spawn(move || {
            while let Ok(job) = to_do.recv() {
                if tell.send(do_it(&mut spool, job)).is_err() {
                    return;
                }
            }
        })?;
        let asked_at = Instant::now();
        Ok(Self { jobs, done, is_busy: false, asked_at, is_open: false, ticks: 0, complaint: Complaint::default() })
    }

    /// What came of the last job, when it is done within `wait`.
    fn result(&mut self, wait: Duration) -> Option<Done> {
        if !self.is_busy {
            return None;
        }
        let Ok(done) = self.done.recv_timeout(wait) else {
            if self.asked_at.elapsed() >= BEGIN
                && let Some(more) = self.complaint.due(Instant::now())
            {
                log::error!("The disk of the spool does not answer; ticks are kept in memory meanwhile.{more}");
            }
            return None;
        };
        (self.is_busy, self.is_open, self.ticks) = (false, done.is_open, done.waiting);
        Some(done)
    }
}

impl<'a> Keep<'a> {
    pub(crate) fn new(shared: &'a Arc<Shared>, spool: Option<Spool>) -> Self {
        let disk = spool.and_then(|spool| match Disk::start(spool) {
            Ok(disk) => Some(disk),
            Err(error) => {
                log::error!("There is no thread for the spool ({error}): ticks are kept in memory only.");
                None
            }
        });
        let now = Instant::now();
        Self { shared, disk, send_at: now, keep_at: now, moving: HashSet::new(), moved: HashSet::new() }
    }

    /// Opens it: entries of what an earlier process put there, at most `count`.
    pub(crate) fn begin(&mut self, count: usize) -> Vec<String> {
        let done = self.ask(Job::Begin(count), BEGIN);
        done.into_iter().flat_map(|done| done.ticks).map(|(entry_id, _)| entry_id).collect()
    }

    /// Whether there is a disk to write to.
    pub(crate) fn is_there(&self) -> bool {
        self.disk.is_some()
    }

    /// Ticks on disk.
    pub(crate) fn ticks(&self) -> u64 {
        self.disk.as_ref().map_or(0, |disk| disk.ticks)
    }

    /// Puts the first of these on disk; which of them are safe there [`Self::moved`] tells.
    pub(crate) fn keep<'h>(&mut self, oldest: impl Iterator<Item = &'h Held>) {
        let now = Instant::now();
        // What was asked before may be done by now, and be these.
        self.hear(Duration::ZERO);
        if now < self.keep_at || !self.moved.is_empty() || self.disk.as_ref().is_none_or(|disk| disk.is_busy) {
            return;
        }
        let (mut ticks, mut size) = (Vec::new(), 0);
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
            self.moving.insert(held.entry_id.clone());
        }
        if ticks.is_empty() {
            self.moved = std::mem::take(&mut self.moving);
            return;
        }
        let wait = if self.shared.stop.asked() { self.shared.stop.bound(2 * WAIT) } else { WAIT };
        self.ask(Job::Keep(ticks), wait);
    }

    /// Entries of ticks that are safe on disk, or cannot be sent at all, since the last call.
    pub(crate) fn moved(&mut self) -> HashSet<String> {
        self.hear(Duration::ZERO);
        std::mem::take(&mut self.moved)
    }

    /// Whether some of them are to be sent.
    pub(crate) fn is_due(&mut self, now: Instant) -> bool {
        // One that could not be opened is tried again.
        now >= self.send_at && self.disk.as_ref().is_some_and(|disk| disk.ticks > 0 || !disk.is_open)
    }

    /// Some of them, with their entries.
    pub(crate) fn next(&mut self, now: Instant) -> Vec<(String, String)> {
        let next = self.ask(Job::Next, WAIT).map(|done| done.ticks).unwrap_or_default();
        let is_open = self.disk.as_ref().is_some_and(|disk| disk.is_open);
        self.send_at = now + if is_open { SEND_EVERY } else { RETRY };
        next
    }

    /// The first `count` of these are in Redis.
    pub(crate) fn sent(&mut self, count: usize) {
        self.ask(Job::Sent(count), WAIT);
    }

    /// Gives the disk a job, and waits for its end; `None` while it is at work on this one or another.
    fn ask(&mut self, job: Job, wait: Duration) -> Option<Done> {
        self.hear(Duration::ZERO);
        let disk = self.disk.as_mut().filter(|disk| !disk.is_busy)?;
        disk.is_busy = disk.jobs.try_send(job).is_ok();
        disk.asked_at = Instant::now();
        self.hear(wait)
    }

    /// Notes how the last job ended.
    fn hear(&mut self, wait: Duration) -> Option<Done> {
        let done = self.disk.as_mut()?.result(wait)?;
        if !self.moving.is_empty() {
            let moving = std::mem::take(&mut self.moving);
            if done.is_kept {
                self.moved = moving;
            } else {
                self.keep_at = Instant::now() + RETRY;
            }
        }
        let counters = &self.shared.counters;
        counters.spooled.store(done.waiting, Ordering::Relaxed);
        counters.dropped.fetch_add(done.loss.dropped, Ordering::Relaxed);
        counters.damaged.fetch_add(done.loss.damaged, Ordering::Relaxed);
        Some(done)
    }
}
