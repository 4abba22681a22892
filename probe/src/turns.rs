//! Whether the two threads of a worker that talk to Redis go round. Each says so at the top of its loop, whether Redis is there or
//! not: what is away is waited for in short waits, and only a thread that hangs does not come round.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Without a turn for so long a thread hangs. The longest honest turn is a try to connect to a handful of addresses, 4 s each, or
/// the wait for a reporter that writes to a disk that is slow.
pub(crate) const HANGS_AFTER: Duration = Duration::from_secs(60);

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Thread {
    Reader,
    Reporter,
}

/// When each last came round, in milliseconds after `base`.
#[derive(Debug)]
pub(crate) struct Turns {
    base: Instant,
    reader: AtomicU64,
    reporter: AtomicU64,
}

impl Default for Turns {
    fn default() -> Self {
        Self { base: Instant::now(), reader: AtomicU64::new(0), reporter: AtomicU64::new(0) }
    }
}

impl Turns {
    fn of(&self, thread: Thread) -> &AtomicU64 {
        match thread {
            Thread::Reader => &self.reader,
            Thread::Reporter => &self.reporter,
        }
    }

    fn ms(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.base).as_millis()).unwrap_or(u64::MAX)
    }

    /// A thread is at the top of its loop.
    pub(crate) fn begun(&self, thread: Thread) {
        self.of(thread).store(self.ms(Instant::now()), Ordering::Relaxed);
    }

    /// The one that hangs, if one does.
    pub(crate) fn hanging(&self, now: Instant) -> Option<Thread> {
        let most = u64::try_from(HANGS_AFTER.as_millis()).unwrap_or(u64::MAX);
        let hangs = |thread: &Thread| self.ms(now).saturating_sub(self.of(*thread).load(Ordering::Relaxed)) > most;
        [Thread::Reader, Thread::Reporter].into_iter().find(hangs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_does_not_come_round_hangs() {
        let turns = Turns::default();
        let after = |s| turns.base + Duration::from_secs(s);
        assert_eq!(turns.hanging(after(60)), None);
        assert_eq!(turns.hanging(after(61)), Some(Thread::Reader), "not even once");
        turns.reader.store(70_000, Ordering::Relaxed);
        assert_eq!(turns.hanging(after(61)), Some(Thread::Reporter));
        turns.reporter.store(10_000, Ordering::Relaxed);
        assert_eq!((turns.hanging(after(70)), turns.hanging(after(71))), (None, Some(Thread::Reporter)));
        turns.begun(Thread::Reporter);
        assert_eq!(turns.hanging(Instant::now()), None);
    }
}
