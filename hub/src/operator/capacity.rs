//! Room on disk: what history is foretold to take, what it takes, and what is left. For operators: page, API, `doctor`.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::space;
use crate::model::UtcMs;
use crate::model::capacity::{Part, Plan};
use crate::model::retention::Retention;
use crate::store::{Store, StoreError, UsedBytes};

/// What was read is shown for so long: it changes slowly, and takes a look at all websites.
const KEPT: Duration = Duration::from_secs(300);

/// Of one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Capacity {
    /// What room is foretold from.
    pub plan: Plan,
    /// What is used.
    pub used: UsedBytes,
    /// Of the disk of the database, where that is this machine's: bytes free, and all there are.
    pub space: Option<(u64, u64)>,
    /// When it was read.
    pub at: UtcMs,
}

/// What is told of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// Which.
    pub part: Part,
    /// Foretold for now, in bytes.
    pub now: u64,
    /// Used, in bytes; `None`: not counted.
    pub used: Option<u64>,
    /// Foretold for when history is as old as it is kept.
    pub full: u64,
}

impl Capacity {
    /// Reads it. `directory` is where a SQLite file is.
    ///
    /// # Errors
    /// The database is away.
    pub async fn read(store: &Store, retention: Retention, directory: &Path, now: UtcMs) -> Result<Self, StoreError> {
        let plan = Plan { loads: store.loads(now).await?, retention_days: retention.days, costs: store.costs() };
        let used = store.used_bytes().await?;
        let bytes = |bytes: i64| u64::try_from(bytes).unwrap_or(0);
        let space = if store.is_sqlite() { space::of(directory) } else { None };
        Ok(Self { plan, used, space: space.map(|(free, total)| (bytes(free), bytes(total))), at: now })
    }

    /// By part.
    #[must_use]
    pub fn lines(&self) -> [Line; 5] {
        Part::ALL.map(|part| Line {
            part,
            now: self.plan.now(part, self.at),
            used: self.used.parts.get(&part).copied(),
            full: self.plan.full(part),
        })
    }

    /// All that is foretold for now, and for when history is as old as it is kept.
    #[must_use]
    pub fn foretold(&self) -> (u64, u64) {
        self.lines().iter().fold((0, 0), |(now, full), line| (now + line.now, full + line.full))
    }

    /// Used by what nobody foretells, beside incidents; `None`: not counted.
    #[must_use]
    pub fn others(&self) -> Option<u64> {
        let counted = self.used.parts.values().sum::<u64>() + self.used.incidents?;
        Some(self.used.total.saturating_sub(counted))
    }

    /// In how many days the disk is full; `None`: not within ten years, or nobody knows.
    #[must_use]
    pub fn full_in_days(&self) -> Option<u32> {
        self.plan.full_in_days(self.space?.0, self.at)
    }

    /// For programs. Names stay as they are; a version of the hub may add some.
    #[must_use]
    pub fn as_json(&self) -> Value {
        let (now, full) = self.foretold();
        let parts = self.lines().map(|line| {
            json!({
                "part": line.part.as_str(),
                "predicted_bytes": line.now,
                "used_bytes": line.used,
                "at_full_retention_bytes": line.full,
            })
        });
        let websites: u64 = self.plan.loads.iter().map(|load| load.websites).sum();
        json!({
            "websites": websites,
            "checks_per_s": (self.plan.checks_a_second() * 1_000.0).round() / 1_000.0,
            "ticks_per_day": self.plan.ticks_a_day().round() as u64,
            "retention_days": self.plan.retention_days,
            "parts": parts,
            "incidents_used_bytes": self.used.incidents,
            "predicted_bytes": now,
            "used_bytes": self.used.total,
            "at_full_retention_bytes": full,
            "growth_bytes_per_day": self.plan.growth_a_day(self.at),
            "free_bytes": self.space.map(|(free, _)| free),
            "disk_bytes": self.space.map(|(_, total)| total),
            "full_in_days": self.full_in_days(),
            "redis_bytes_per_hour_without_hub": self.plan.redis_an_hour(),
        })
    }
}

/// What was read a moment ago.
#[derive(Debug, Default)]
pub struct CapacityCache(Mutex<Option<(Instant, Arc<Capacity>)>>);

impl CapacityCache {
    /// What was read within the last minutes.
    #[must_use]
    pub fn get(&self) -> Option<Arc<Capacity>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.as_ref().filter(|(at, _)| at.elapsed() < KEPT).map(|(_, capacity)| capacity.clone())
    }

    /// Keeps it for the next ones who ask.
    pub fn put(&self, capacity: Capacity) -> Arc<Capacity> {
        let capacity = Arc::new(capacity);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), capacity.clone()));
        capacity
    }
}

/// Bytes for people: three digits and a unit, of a thousand each.
#[must_use]
pub fn bytes_words(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];
    let (mut size, mut unit) = (bytes as f64, 0);
    while size >= 999.5 && unit + 1 < UNITS.len() {
        size /= 1_000.0;
        unit += 1;
    }
    let digits = if unit == 0 || size >= 99.95 { 0 } else { 1 };
    format!("{size:.digits$} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_three_digits() {
        for (bytes, words) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (99_949, "99.9 kB"),
            (123_456, "123 kB"),
            (999_499, "999 kB"),
            (999_500, "1.0 MB"),
            (1_500_000_000, "1.5 GB"),
            (u64::MAX, "18447 PB"),
        ] {
            assert_eq!(bytes_words(bytes), words);
        }
    }
}
