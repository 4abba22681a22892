//! Ids of what is new, at the edge: random, in the order of time where that helps a database.
//!
//! While a demo is made they come from a series, so that the same page has the same address each time.

use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

use crate::model::UtcMs;

static SERIES: Mutex<Option<Series>> = Mutex::new(None);

#[derive(Debug)]
struct Series {
    at: UtcMs,
    drawn: u64,
}

/// While it lives, ids come from a series. One at a time, in a process in which nothing else is made.
#[derive(Debug)]
pub struct InSeries(());

impl InSeries {
    /// Of ids that say they were made at `at`.
    #[must_use]
    pub fn begin(at: UtcMs) -> Self {
        *SERIES.lock().unwrap_or_else(PoisonError::into_inner) = Some(Series { at, drawn: 0 });
        Self(())
    }
}

impl Drop for InSeries {
    fn drop(&mut self) {
        *SERIES.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// The next of the series, of this version.
fn next(version: u128) -> Option<Uuid> {
    let mut series = SERIES.lock().unwrap_or_else(PoisonError::into_inner);
    let Series { at, drawn } = series.as_mut()?;
    *drawn += 1;
    let at = u128::try_from(*at).unwrap_or(0) & 0xffff_ffff_ffff;
    Some(Uuid::from_u128(at << 80 | version << 76 | 0b10 << 62 | u128::from(*drawn)))
}

/// Of version 7: ids that are made one after the other lie beside each other.
#[must_use]
pub fn ordered() -> Uuid {
    next(7).unwrap_or_else(Uuid::now_v7)
}

/// Of version 4: nobody guesses it.
#[must_use]
pub fn random() -> Uuid {
    next(4).unwrap_or_else(Uuid::new_v4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_the_same_each_time_and_ends_with_its_value() {
        let some = |at| {
            let _series = InSeries::begin(at);
            [ordered(), ordered(), random()]
        };
        let [a, b, c] = some(1_795_000_000_000);
        assert!(a < b && b.as_u128() >> 80 == 1_795_000_000_000, "{a} {b}");
        assert_eq!([a, b, c].map(|id| id.get_version_num()), [7, 7, 4]);
        assert_eq!(some(1_795_000_000_000), [a, b, c]);
        let (d, e) = (random(), random());
        assert!(d != e && d.get_variant() == uuid::Variant::RFC4122);
    }
}
