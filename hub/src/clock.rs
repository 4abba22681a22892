//! The wall clock, at the edge: rules take instants as arguments.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::model::UtcMs;

/// Now. A clock before 1970 reads as 0.
#[must_use]
pub fn now() -> UtcMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
    now.saturating_add(probe::fail_point::clock_shift_ms()) // zero but in tests
}
