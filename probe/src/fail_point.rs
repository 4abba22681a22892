//! Points at which the chaos suite ends the process, and a clock it can move (CASES D26, D31). Both are compiled only
//! with the feature `fail-points` and debug assertions, that is in no release build, whatever features it is built with.
//!
//! `FAIL_POINT=name:7` ends the process, as `kill -9` would, the seventh time it comes by the point `name` (without a
//! number: the first time); `name:7:panic` makes only what goes on there panic. `FAIL_CLOCK_FILE` names a file with a
//! number: milliseconds added to the wall clock.

/// Ends the process here when a test asked for it; nothing at all in other builds.
#[cfg(all(feature = "fail-points", debug_assertions))]
#[macro_export]
macro_rules! fail_point {
    ($name:literal) => {
        $crate::fail_point::reached($name)
    };
}

/// Ends the process here when a test asked for it; nothing at all in other builds.
#[cfg(not(all(feature = "fail-points", debug_assertions)))]
#[macro_export]
macro_rules! fail_point {
    ($name:literal) => {};
}

#[cfg(not(all(feature = "fail-points", debug_assertions)))]
pub use off::clock_shift_ms;
#[cfg(all(feature = "fail-points", debug_assertions))]
pub use on::{clock_shift_ms, reached};

#[cfg(not(all(feature = "fail-points", debug_assertions)))]
mod off {
    /// How far a test moved the wall clock, in milliseconds: never.
    #[must_use]
    #[inline]
    pub fn clock_shift_ms() -> i64 {
        0
    }
}

#[cfg(all(feature = "fail-points", debug_assertions))]
mod on {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::{LazyLock, Mutex, PoisonError};
    use std::time::{Duration, Instant};

    /// How long a read of the clock's file is good for.
    const LOOK_EVERY: Duration = Duration::from_millis(20);

    /// The point asked for, at which time it acts, and whether it panics instead of ending the process.
    static ASKED: LazyLock<Option<(String, u64, bool)>> = LazyLock::new(|| {
        let text = std::env::var("FAIL_POINT").ok()?;
        let mut words = text.split(':');
        let (name, count) = (words.next()?.to_owned(), words.next().unwrap_or("1"));
        Some((name, count.parse().unwrap_or(1), words.next() == Some("panic")))
    });
    static PASSED: AtomicU64 = AtomicU64::new(0);

    static CLOCK_FILE: LazyLock<Option<String>> = LazyLock::new(|| std::env::var("FAIL_CLOCK_FILE").ok());
    static CLOCK: Mutex<Option<(Instant, i64)>> = Mutex::new(None);

    /// Called by `fail_point!`.
    pub fn reached(name: &str) {
        let Some((asked, count, panics)) = &*ASKED else { return };
        if asked == name && PASSED.fetch_add(1, Ordering::Relaxed) + 1 == *count {
            assert!(!panics, "The fail point {name} panics, as it was asked to.");
            eprintln!("The process ends at the fail point {name}.");
            std::process::abort();
        }
    }

    /// How far a test moved the wall clock, in milliseconds.
    #[must_use]
    pub fn clock_shift_ms() -> i64 {
        let Some(file) = &*CLOCK_FILE else { return 0 };
        let mut known = CLOCK.lock().unwrap_or_else(PoisonError::into_inner);
        match *known {
            Some((at, shift_ms)) if at.elapsed() < LOOK_EVERY => shift_ms,
            Some(_) | None => {
                let text = std::fs::read_to_string(file).unwrap_or_default();
                let shift_ms = text.trim().parse().unwrap_or(0);
                *known = Some((Instant::now(), shift_ms));
                shift_ms
            }
        }
    }
}
