//! What time it is, at the edge: rules take instants as arguments.
//!
//! Hubs that share a Postgres go by its clock, which [`crate::store`] asks when it is opened and every second after:
//! slots, claims and freshness mean the same on all of them, whatever their machines' clocks say (T203). On SQLite, and
//! before the first answer, it is the wall clock.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::model::UtcMs;
use crate::model::hub_time::{HubTime, Learnt, Told};

/// Nobody has told the time.
const UNKNOWN: i64 = i64::MIN;
/// From this difference on a wall clock that is wrong is worth a word.
const WRONG_MS: i64 = 1_000;

static TIME: Mutex<HubTime> = Mutex::new(HubTime::new());
/// Of [`TIME`]: what is added to the steady clock.
static OFFSET_US: AtomicI64 = AtomicI64::new(UNKNOWN);
static IS_WRONG_TOLD: AtomicBool = AtomicBool::new(false);
/// What time it was when the clock was set back from the furthest ahead.
static BEFORE: AtomicI64 = AtomicI64::new(UNKNOWN);
/// Where the time stands still, for a demo whose pages are to stay as they are.
static STANDS_AT: AtomicI64 = AtomicI64::new(UNKNOWN);
/// What is further ahead than this was asked for by nobody, whatever a clock said for a moment.
const BELIEVED_MS: i64 = 3_600_000;

/// Now, as all hubs have it.
#[must_use]
pub fn now() -> UtcMs {
    let stands_at = STANDS_AT.load(Ordering::Relaxed);
    if stands_at != UNKNOWN {
        return stands_at;
    }
    match OFFSET_US.load(Ordering::Relaxed) {
        UNKNOWN => wall(),
        offset_us => steady_us().saturating_add(offset_us).div_euclid(1_000),
    }
}

/// From now on it is always `at`, in this process: for a demo in which nothing happens any more.
pub fn stand_still(at: UtcMs) {
    STANDS_AT.store(at, Ordering::Relaxed);
}

/// The newest slot a hub may have asked for, at `now`: later than that when the clock was set back since, since what was under
/// way then comes in after it. At most an hour later.
#[must_use]
pub fn newest(now: UtcMs) -> UtcMs {
    BEFORE.load(Ordering::Relaxed).clamp(now, now.saturating_add(BELIEVED_MS))
}

/// This machine's wall clock, right or wrong. Before 1970 it reads as 0.
#[must_use]
pub fn wall() -> UtcMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
    now.saturating_add(probe::fail_point::clock_shift_ms()) // zero but in tests
}

/// Microseconds since this machine started. Nobody can set it, and it goes on while the machine sleeps
/// (`CLOCK_BOOTTIME`; where there is none, the monotonic clock).
#[must_use]
pub fn steady_us() -> i64 {
    #[cfg(target_os = "linux")]
    const STEADY: rustix::time::ClockId = rustix::time::ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    const STEADY: rustix::time::ClockId = rustix::time::ClockId::Monotonic;
    let at = rustix::time::clock_gettime(STEADY);
    at.tv_sec.saturating_mul(1_000_000).saturating_add(at.tv_nsec / 1_000)
}

/// An instant by the two clocks that together show that this process stood still: one goes on in a suspend, the other is
/// set when a virtual machine that was paused goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// As [`steady_us`].
    pub steady_us: i64,
    /// As [`wall`].
    pub wall_at: UtcMs,
}

impl Moment {
    /// This one.
    #[must_use]
    pub fn now() -> Self {
        Self { steady_us: steady_us(), wall_at: wall() }
    }

    /// Milliseconds since another, by the clock that says more. A wall clock that was set back went on, too.
    #[must_use]
    pub fn since_ms(self, other: Self) -> i64 {
        let steady_ms = self.steady_us.saturating_sub(other.steady_us) / 1_000;
        steady_ms.max(self.wall_at.saturating_sub(other.wall_at).saturating_abs())
    }
}

/// The database was asked the time at `asked_us` of [`steady_us`], and said `at_ms`, which is heard now.
pub fn learn(asked_us: i64, at_ms: UtcMs) {
    let told = Told { asked_us, heard_us: steady_us(), at_ms };
    let mut time = TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let before = now();
    let learnt = time.learn(told);
    OFFSET_US.store(time.offset_us().unwrap_or(UNKNOWN), Ordering::Relaxed);
    drop(time);
    if let Learnt::Set { by_ms: ..0 } = learnt {
        BEFORE.fetch_max(before, Ordering::Relaxed);
    }
    match learnt {
        Learnt::Set { by_ms } if by_ms.saturating_abs() >= WRONG_MS => {
            tracing::warn!(by_ms, "The database's clock was set, and all hubs go by it.");
        }
        Learnt::Fits | Learnt::First | Learnt::Set { .. } => {}
    }
    let off_ms = wall().saturating_sub(now());
    let is_wrong = off_ms.saturating_abs() >= WRONG_MS;
    if is_wrong && !IS_WRONG_TOLD.swap(true, Ordering::Relaxed) {
        tracing::warn!(
            off_ms,
            "This machine's clock and the database's differ. Hubs go by the database's; set the one that is wrong right."
        );
    } else if off_ms.saturating_abs() < WRONG_MS / 2 {
        IS_WRONG_TOLD.store(false, Ordering::Relaxed);
    }
}
