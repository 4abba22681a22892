//! The error budget: how long a website may be down in a window and still reach its goal.
//!
//! Of a window, what is maintenance or unknown is no part of it, as of uptime itself: it neither uses the budget nor adds to
//! it. What is left is *countable*: what was observed, and what of the window is still to come. Then
//!
//! - allowed = countable x (1 - goal), used = time down, left = allowed - used,
//! - burn rate = (used / allowed) / (observed / countable), which is (1 - uptime) / (1 - goal): 1 uses the budget up just at
//!   the end of the window, and it is at most 1 exactly where the uptime is at least the goal.

use std::fmt;
use std::str::FromStr;

use crate::model::keeping::{per_cent, ppm_of};
use crate::model::{Keeping, Uptime};

const WHOLE_PPM: i64 = 1_000_000;

/// A share of the observed time that a website should be available, in parts of a million: 50 % to 99.9999 %, as what an
/// owner may decide ([`Keeping`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Goal(u32);

/// Why a text is no goal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Give a percentage from 50 to 99.9999, for example 99.9.")]
pub struct NoGoal;

impl Goal {
    /// From parts of a million; `None`: no goal there can be.
    #[must_use]
    pub fn of_ppm(ppm: i64) -> Option<Self> {
        let ppm = u32::try_from(ppm).ok()?;
        (Keeping::LEAST_GOAL_PPM..=Keeping::MOST_GOAL_PPM).contains(&ppm).then_some(Self(ppm))
    }
}

impl FromStr for Goal {
    type Err = NoGoal;

    /// A percentage as people write it: "99.9", "99,95 %".
    fn from_str(text: &str) -> Result<Self, NoGoal> {
        ppm_of(text.trim()).and_then(|ppm| Self::of_ppm(ppm.into())).ok_or(NoGoal)
    }
}

impl fmt::Display for Goal {
    /// "99.95", without more zeros than it has.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&per_cent(self.0))
    }
}

/// A budget, or the sum of several.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Budget {
    /// How long may be down, rounded down to the millisecond.
    pub allowed_ms: i64,
    /// How long was.
    pub used_ms: i64,
    /// What of the window was observed.
    pub observed_ms: i64,
    /// That, and what is to come.
    pub countable_ms: i64,
}

impl Budget {
    /// Of one website; `to_come_ms`: so much of its window has not been yet.
    #[must_use]
    pub fn new(uptime: &Uptime, goal: Goal, to_come_ms: i64) -> Self {
        let observed_ms = uptime.up_ms + uptime.degraded_ms + uptime.down_ms;
        let countable_ms = observed_ms.saturating_add(to_come_ms.max(0));
        let allowed = i128::from(countable_ms) * i128::from(WHOLE_PPM - i64::from(goal.0)) / i128::from(WHOLE_PPM);
        Self {
            allowed_ms: i64::try_from(allowed).unwrap_or(i64::MAX),
            used_ms: uptime.down_ms,
            observed_ms,
            countable_ms,
        }
    }

    /// Adds another website's.
    pub fn merge(&mut self, other: &Self) {
        self.allowed_ms = self.allowed_ms.saturating_add(other.allowed_ms);
        self.used_ms = self.used_ms.saturating_add(other.used_ms);
        self.observed_ms = self.observed_ms.saturating_add(other.observed_ms);
        self.countable_ms = self.countable_ms.saturating_add(other.countable_ms);
    }

    /// What is left; less than nothing where more was used.
    #[must_use]
    pub fn left_ms(&self) -> i64 {
        self.allowed_ms - self.used_ms
    }

    /// Used of allowed, in thousandths of a per cent, rounded up; `None`: nothing is allowed.
    #[must_use]
    pub fn used_share(&self) -> Option<i64> {
        up(i128::from(self.used_ms) * 100_000, self.allowed_ms.into())
    }

    /// The burn rate in thousandths, rounded up, so that 1 is no more than 1; `None`: nothing is allowed, or was observed.
    #[must_use]
    pub fn burn_rate(&self) -> Option<i64> {
        // Each is below 2^53 for 200 websites and 400 days, so that products of three fit.
        let used = i128::from(self.used_ms) * i128::from(self.countable_ms) * 1_000;
        up(used, i128::from(self.allowed_ms) * i128::from(self.observed_ms))
    }
}

fn up(part: i128, whole: i128) -> Option<i64> {
    if whole <= 0 {
        return None;
    }
    i64::try_from((part + whole - 1).div_euclid(whole)).ok()
}
