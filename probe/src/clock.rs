//! What time it is. Durations are monotonic everywhere; instants matter for certificates and for the age of a check,
//! and this machine's wall clock may be wrong about both (T198, T199).

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;

use crate::fail_point;
use crate::wire::UtcMs;

/// No instant was learnt yet.
const UNKNOWN: i64 = i64::MIN;

/// A clock that may learn the time from someone who knows better, a worker's from Redis. Clones share what was learnt.
///
/// What was learnt is carried on by the monotonic clock: a Pi that boots in 1970 has its wall clock set at some point,
/// and an offset to that clock would be half a century wrong from then on until it is measured anew.
#[derive(Debug, Clone)]
pub struct Clock {
    start: Instant,
    /// The learnt time at `start`.
    at_start: Arc<AtomicI64>,
}

impl Default for Clock {
    /// The wall clock, until something is learnt.
    fn default() -> Self {
        Self { start: Instant::now(), at_start: Arc::new(AtomicI64::new(UNKNOWN)) }
    }
}

impl Clock {
    /// Learns that it is `at` now.
    pub fn learn(&self, at: UtcMs) {
        self.at_start.store(at.saturating_sub(self.elapsed_ms()).max(UNKNOWN + 1), Ordering::Relaxed);
    }

    /// Now, by the one it learnt from; `None` when that was nobody.
    #[must_use]
    pub fn learnt(&self) -> Option<UtcMs> {
        match self.at_start.load(Ordering::Relaxed) {
            UNKNOWN => None,
            at => Some(at.saturating_add(self.elapsed_ms())),
        }
    }

    /// Now, as well as is known.
    #[must_use]
    pub fn now(&self) -> UtcMs {
        self.learnt().unwrap_or_else(wall)
    }

    fn elapsed_ms(&self) -> i64 {
        i64::try_from(self.start.elapsed().as_millis()).unwrap_or(i64::MAX)
    }
}

/// Certificates are judged by it.
impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        let ms = u64::try_from(self.now()).unwrap_or(0);
        Some(UnixTime::since_unix_epoch(Duration::from_millis(ms)))
    }
}

/// A span in whole microseconds, as ticks have it; at most 71 minutes.
pub(crate) fn micros(span: Duration) -> u32 {
    u32::try_from(span.as_micros()).unwrap_or(u32::MAX)
}

/// A span in whole milliseconds; at most 49 days.
pub(crate) fn millis(span: Duration) -> u32 {
    u32::try_from(span.as_millis()).unwrap_or(u32::MAX)
}

/// This machine's wall clock, right or wrong.
#[must_use]
pub fn wall() -> UtcMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX).saturating_add(fail_point::clock_shift_ms())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t198_what_was_learnt_goes_on_and_is_shared() {
        let clock = Clock::default();
        assert_eq!(clock.learnt(), None);
        assert!((clock.now() - wall()).abs() < 1_000);
        clock.clone().learn(5_000);
        let now = clock.learnt();
        assert!(now.is_some_and(|at| (5_000..6_000).contains(&at)), "{now:?}");
        assert_eq!(clock.current_time().map(|t| t.as_secs()), Some(5));
        clock.learn(-1);
        assert_eq!(clock.current_time().map(|t| t.as_secs()), Some(0));
    }
}
