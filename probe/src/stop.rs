//! How a worker stops: asked by a signal, the reader first, then the checks, the reporter last; all of it in time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// Shared by all threads of a worker.
#[derive(Debug, Default)]
pub(crate) struct Stop {
    asked: Arc<AtomicBool>,
    ends_at: OnceLock<Instant>,
    last_call: AtomicBool,
}

impl Stop {
    /// SIGTERM and SIGINT ask to stop; a second one changes nothing.
    pub(crate) fn listen(&self) -> std::io::Result<()> {
        for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
            signal_hook::flag::register(signal, self.asked.clone())?;
        }
        Ok(())
    }

    pub(crate) fn asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// From now on everything must be over after `time`.
    pub(crate) fn begin(&self, time: Duration) {
        let _ = self.ends_at.set(Instant::now() + time);
    }

    /// What is left of that time; `None` before it began.
    pub(crate) fn left(&self) -> Option<Duration> {
        self.ends_at.get().map(|at| at.saturating_duration_since(Instant::now()))
    }

    /// `most`, or what is left of the time when that is less. Never zero, which sockets take for endless.
    pub(crate) fn bound(&self, most: Duration) -> Duration {
        self.left().map_or(most, |left| left.min(most)).max(Duration::from_millis(1))
    }

    /// Tells the reporter that what it has now is all it will get, even where checks still run and hold its channel.
    pub(crate) fn call_last(&self) {
        self.last_call.store(true, Ordering::Release);
    }

    pub(crate) fn last_call(&self) -> bool {
        self.last_call.load(Ordering::Acquire)
    }

    /// A wait that a stop cuts short.
    pub(crate) fn pause(&self, wait: Duration) {
        let until = Instant::now() + wait;
        while Instant::now() < until && !self.asked() {
            std::thread::sleep(Duration::from_millis(20).min(until.saturating_duration_since(Instant::now())));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_bounded_by_what_is_left_of_the_stop() {
        let (stop, most) = (Stop::default(), Duration::from_secs(4));
        assert_eq!((stop.left(), stop.bound(most)), (None, most));
        stop.begin(Duration::from_secs(2));
        stop.begin(Duration::from_secs(60));
        assert!(stop.bound(most) <= Duration::from_secs(2), "the first time counts");
        let over = Stop::default();
        over.begin(Duration::ZERO);
        assert_eq!((over.left(), over.bound(most)), (Some(Duration::ZERO), Duration::from_millis(1)));
    }
}
