//! How much room history takes: foretold from what is watched, how often, from where, and for how long it is kept. Bytes are
//! what they were measured to be (docs/ARCHITECTURE.md, "Capacity"); checks that backoff leaves out, confirmations and pauses
//! are not foretold.

use super::UtcMs;
use super::roll_up::HOURS_KEPT_DAYS;
use super::sealed::{DAY_MS, settled_before};

/// A day is packed six hours after its end: as much is raw at most.
const RAW_DAYS: f64 = 1.25;
/// Nobody looks further ahead.
const FARTHEST_DAYS: u32 = 3_650;
/// Of a check as it waits in Redis, and of its result; by samples.
const REDIS_CHECK_BYTES: f64 = 400.0;
const REDIS_TICK_BYTES: f64 = 700.0;

/// What things take on disk, indexes included, in bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Costs {
    /// A tick until its day is packed.
    pub raw_tick: f64,
    /// A block of a day that is packed, without its ticks.
    pub block: f64,
    /// A tick in a block.
    pub sealed_tick: f64,
    /// A row of hours or days, without its histogram.
    pub roll_up: f64,
    /// Of its histogram, times the square root of the ticks in it: durations come again in the same buckets.
    pub roll_up_root: f64,
    /// How a website spent a day.
    pub uptime_day: f64,
    /// A website and its verdict.
    pub website: f64,
    /// What a region knows of a website now.
    pub region_state: f64,
}

impl Costs {
    /// Postgres 15; benches `history` and `history_reads`.
    pub const POSTGRES: Self = Self {
        raw_tick: 448.0,
        block: 590.0,
        sealed_tick: 11.8,
        roll_up: 315.0,
        roll_up_root: 3.0,
        uptime_day: 150.0,
        website: 890.0,
        region_state: 540.0,
    };
    /// SQLite 3; the rows of the same benches, copied into a file in the order in which they would have come.
    pub const SQLITE: Self = Self {
        raw_tick: 200.0,
        block: 330.0,
        sealed_tick: 11.8,
        roll_up: 140.0,
        roll_up_root: 3.0,
        uptime_day: 80.0,
        website: 350.0,
        region_state: 300.0,
    };
}

/// Websites that are alike in what they cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// How many; paused ones are none.
    pub websites: u64,
    /// Between two checks from one region.
    pub interval_ms: i64,
    /// From how many regions.
    pub regions: u64,
    /// For how long they have been there, in the mean.
    pub age_ms: i64,
    /// For how many days their owner keeps their ticks; `None`: as long as the installation does.
    pub retention_days: Option<u16>,
}

impl Load {
    fn sources(&self) -> f64 {
        (self.websites * self.regions) as f64
    }

    fn ticks_a_day_each(&self) -> f64 {
        DAY_MS as f64 / self.interval_ms.max(1) as f64
    }
}

/// What is kept, by why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Ticks of days that are not packed.
    Raw,
    /// Ticks of days that are.
    Sealed,
    /// Hours and days of latency.
    RollUps,
    /// How days were spent.
    UptimeDays,
    /// What is known now.
    State,
}

impl Part {
    /// All, in the order in which they are shown.
    pub const ALL: [Self; 5] = [Self::Raw, Self::Sealed, Self::RollUps, Self::UptimeDays, Self::State];

    /// As programs read it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Raw => "raw_ticks",
            Self::Sealed => "sealed_ticks",
            Self::RollUps => "roll_ups",
            Self::UptimeDays => "uptime_days",
            Self::State => "state",
        }
    }

    /// As people read it.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Raw => "Results of the last day or two",
            Self::Sealed => "Results of days before, packed",
            Self::RollUps => "Latency by hour and day",
            Self::UptimeDays => "Uptime by day",
            Self::State => "Websites and what is known now",
        }
    }
}

/// All that room is foretold from.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What is watched.
    pub loads: Vec<Load>,
    /// `RETENTION_DAYS`.
    pub retention_days: u16,
    /// Of the database.
    pub costs: Costs,
}

/// How old history is taken to be.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Age {
    /// As it is, and so many days more; so many days of it are raw.
    In(f64, f64),
    /// As old as it gets.
    Full,
}

impl Plan {
    /// Checks a second, of the schedule alone.
    #[must_use]
    pub fn checks_a_second(&self) -> f64 {
        self.ticks_a_day() / 86_400.0
    }

    /// Ticks a day.
    #[must_use]
    pub fn ticks_a_day(&self) -> f64 {
        self.loads.iter().map(|load| load.sources() * load.ticks_a_day_each()).sum()
    }

    /// Bytes of a part, foretold for `now`.
    #[must_use]
    pub fn now(&self, part: Part, now: UtcMs) -> u64 {
        whole(self.bytes(part, Age::In(0.0, raw_days(now))))
    }

    /// Bytes of a part once history is as old as it is kept. Days of latency and uptime are kept for good: here those of as
    /// many days.
    #[must_use]
    pub fn full(&self, part: Part) -> u64 {
        whole(self.bytes(part, Age::Full))
    }

    /// Bytes that a day adds now; less once history is as old as it is kept. Of websites that were just added: once the first
    /// of their days are packed.
    #[must_use]
    pub fn growth_a_day(&self, now: UtcMs) -> u64 {
        let raw = raw_days(now);
        whole(self.all(Age::In(3.0, raw)) - self.all(Age::In(2.0, raw)))
    }

    /// In how many days so many bytes are full, if nothing else takes some; `None`: not within ten years.
    #[must_use]
    pub fn full_in_days(&self, free_bytes: u64, now: UtcMs) -> Option<u32> {
        // The raw part comes and goes within a day: there has to be room for its peak.
        let used = self.all(Age::In(0.0, raw_days(now)));
        let fits = |days: u32| self.all(Age::In(f64::from(days), RAW_DAYS)) - used <= free_bytes as f64;
        if fits(FARTHEST_DAYS) {
            return None;
        }
        let (mut fitting, mut too_many) = (0, FARTHEST_DAYS);
        while too_many - fitting > 1 {
            let middle = fitting.midpoint(too_many);
            if fits(middle) {
                fitting = middle;
            } else {
                too_many = middle;
            }
        }
        Some(fitting)
    }

    /// Bytes that Redis holds after an hour in which checks are run and no hub takes their results in.
    #[must_use]
    pub fn redis_an_hour(&self) -> u64 {
        whole(self.checks_a_second() * 3_600.0 * (REDIS_CHECK_BYTES + REDIS_TICK_BYTES))
    }

    fn all(&self, age: Age) -> f64 {
        Part::ALL.iter().map(|part| self.bytes(*part, age)).sum()
    }

    fn bytes(&self, part: Part, age: Age) -> f64 {
        self.loads.iter().map(|load| self.of(part, load, age)).sum()
    }

    fn of(&self, part: Part, load: &Load, age: Age) -> f64 {
        let Costs { raw_tick, block, sealed_tick, roll_up, roll_up_root, uptime_day, website, region_state } =
            self.costs;
        let retention = f64::from(self.retention_days);
        let kept = load.retention_days.map_or(retention, |own| retention.min(own.into()));
        let (days, raw) = match age {
            Age::In(more, raw) => {
                let days = load.age_ms.max(0) as f64 / DAY_MS as f64 + more;
                (days, raw.min(days))
            }
            Age::Full => (retention, RAW_DAYS.min(retention)),
        };
        let (sources, each) = (load.sources(), load.ticks_a_day_each());
        match part {
            Part::Raw => sources * each * raw * raw_tick,
            Part::Sealed => {
                // Of a website that is looked at less than daily a day with ticks is a block still.
                let blocks = each.min(1.0);
                sources * (days.min(kept) - raw).max(0.0) * (blocks * block + each * sealed_tick)
            }
            Part::RollUps => {
                let row = |ticks: f64| roll_up + roll_up_root * ticks.max(1.0).sqrt();
                let hours = days.min(f64::from(HOURS_KEPT_DAYS)) * each.min(24.0) * row(each / 24.0);
                sources * (hours + days.floor() * each.min(1.0) * row(each))
            }
            Part::UptimeDays => load.websites as f64 * days.floor() * uptime_day,
            Part::State => load.websites as f64 * website + sources * region_state,
        }
    }
}

/// How much of the last days is raw, as all there is until 06:00.
fn raw_days(now: UtcMs) -> f64 {
    now.saturating_sub(settled_before(now)) as f64 / DAY_MS as f64
}

fn whole(bytes: f64) -> u64 {
    bytes.max(0.0).round() as u64
}

#[cfg(test)]
mod tests;
