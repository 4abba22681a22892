//! Waits between tries.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Waits that grow to 6 s, the later half of each by chance, so that a region does not come back in one breath (D27). With
/// the try itself, which may hang for 4 s, work goes on well within 15 s after Redis is back (P11).
/// The first is short: most cuts are over at once. After it a worker, with its two connections, tries less than once a
/// second (T236).
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    tries: u32,
}

impl Backoff {
    pub(crate) fn reset(&mut self) {
        self.tries = 0;
    }

    /// Nothing has failed since the last success.
    pub(crate) fn is_fresh(&self) -> bool {
        self.tries == 0
    }

    pub(crate) fn next(&mut self) -> Duration {
        let most: u64 = match self.tries {
            0 => 300,
            tries => 6_000.min(1_500 << tries.min(8)),
        };
        self.tries = self.tries.saturating_add(1);
        let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| u64::from(d.subsec_nanos()));
        Duration::from_millis(most / 2 + nanos / 1_000 % (most / 2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t236_a_worker_tries_quickly_once_and_then_less_than_once_a_second() {
        let mut backoff = Backoff::default();
        assert!(backoff.is_fresh() && backoff.next() < Duration::from_millis(300) && !backoff.is_fresh());
        let ten: Duration = (0..4).map(|_| backoff.next()).sum();
        // With two connections eight tries.
        assert!(ten >= Duration::from_secs(10), "{ten:?}");
        let most: Vec<Duration> = (0..50).map(|_| backoff.next()).collect();
        assert!(most.iter().all(|wait| (3..6).contains(&wait.as_secs())), "{most:?}");
        backoff.reset();
        assert!(backoff.is_fresh() && backoff.next() < Duration::from_millis(300));
    }
}
