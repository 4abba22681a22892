//! Waits between tries.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Waits that grow to 30 s, with full jitter, so that a region does not come back in one breath (D27).
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
        let most = 30_000_u64.min(200 << self.tries.min(8));
        self.tries = self.tries.saturating_add(1);
        let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| u64::from(d.subsec_nanos()));
        Duration::from_millis(50 + nanos / 1_000 % most)
    }
}
