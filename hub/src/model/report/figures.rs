//! The figures of a window: of one website, or of several as if they were one.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::budget::{Budget, Goal};
use super::{Measured, number};
use crate::model::histogram::Histogram;
use crate::model::{IncidentId, RegionId, Span, Uptime, UtcMs};

/// Durations of answers, by region.
pub type Latency = BTreeMap<RegionId, Histogram>;

/// A website's part in an outage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outage {
    /// The incident; of several websites it may be one.
    pub incident_id: IncidentId,
    /// Slot of the first failing tick.
    pub began_at: UtcMs,
    /// When it was decided that the website is down; `None`: that is not known any more.
    pub decided_at: Option<UtcMs>,
    /// Slot of the first good tick; `None`: it goes on.
    pub ended_at: Option<UtcMs>,
}

impl Outage {
    /// Whether all of it that lies in the window was announced, so that none of it counts as down.
    #[must_use]
    pub fn is_announced(&self, quiet: &[Span], window: Span, now: UtcMs) -> bool {
        let whole = Span { from_at: self.began_at, to_at: self.ended_at.unwrap_or(now) };
        let Some(part) = whole.within(window.from_at, window.to_at) else { return false };
        let announced = quiet.iter().filter_map(|span| span.within(part.from_at, part.to_at));
        announced.map(|span| span.to_at - span.from_at).sum::<i64>() >= part.to_at - part.from_at
    }
}

/// What outages come to. Of several websites one that they share counts once: from the first that failed to the last that
/// was well again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outages {
    /// How many share an instant with the window.
    pub count: i64,
    /// Of them, how many go on.
    pub open: i64,
    /// The longest, from its begin to its end, also where that is beyond the window; of one that goes on, so far.
    pub longest_ms: i64,
    /// How many have ended.
    pub ended: i64,
    /// All of these together, each from begin to end.
    pub ended_ms: i64,
    /// Of how many it is known when they were decided.
    pub decided: i64,
    /// From first failing tick to decision, of all of these together.
    pub decided_ms: i64,
}

impl Outages {
    fn of(parts: impl Iterator<Item = Outage>, now: UtcMs) -> Self {
        let mut whole: BTreeMap<IncidentId, Outage> = BTreeMap::new();
        for part in parts {
            whole.entry(part.incident_id).and_modify(|known| *known = united(*known, part)).or_insert(part);
        }
        let mut outages = Self::default();
        for outage in whole.into_values() {
            let lasted_ms = outage.ended_at.unwrap_or(now).saturating_sub(outage.began_at).max(0);
            outages.count += 1;
            outages.longest_ms = outages.longest_ms.max(lasted_ms);
            match outage.ended_at {
                Some(_) => {
                    outages.ended += 1;
                    outages.ended_ms = outages.ended_ms.saturating_add(lasted_ms);
                }
                None => outages.open += 1,
            }
            if let Some(decided_at) = outage.decided_at {
                outages.decided += 1;
                let took_ms = decided_at.saturating_sub(outage.began_at).max(0);
                outages.decided_ms = outages.decided_ms.saturating_add(took_ms);
            }
        }
        outages
    }

    /// Mean time to repair: from first failing to first good tick, of those that have ended.
    #[must_use]
    pub fn mttr_ms(&self) -> Option<i64> {
        (self.ended > 0).then(|| self.ended_ms / self.ended)
    }

    /// Mean time to detect: from first failing tick to decision.
    #[must_use]
    pub fn mttd_ms(&self) -> Option<i64> {
        (self.decided > 0).then(|| self.decided_ms / self.decided)
    }
}

/// Two websites' parts in one incident.
fn united(a: Outage, b: Outage) -> Outage {
    // The one that failed first is the one that had to be detected.
    let first = if b.began_at < a.began_at { b } else { a };
    Outage { ended_at: a.ended_at.zip(b.ended_at).map(|(a, b)| a.max(b)), ..first }
}

/// The figures of one window.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// How the time was spent, all websites together.
    pub uptime: Uptime,
    /// Websites whose time is not counted yet, and no part of that.
    pub uncounted: usize,
    /// Their outages.
    pub outages: Outages,
    /// Durations of answers by region, in whole hours that are counted.
    pub latency: Latency,
    /// Of those that have a goal; `None`: none has.
    pub budget: Option<Budget>,
}

impl Figures {
    /// Of what was measured of some websites, each with its goal and what of its window is to come.
    pub fn of<'a>(parts: impl Iterator<Item = (&'a Measured, Option<Goal>, i64)> + Clone, now: UtcMs) -> Self {
        let outages = Outages::of(parts.clone().flat_map(|(m, _, _)| m.outages.iter().copied()), now);
        let mut figures = Self { outages, ..Self::default() };
        for (measured, goal, to_come_ms) in parts {
            match &measured.uptime {
                Some(uptime) => {
                    figures.uptime.merge(uptime);
                    if let Some(goal) = goal {
                        let budget = Budget::new(uptime, goal, to_come_ms);
                        figures.budget.get_or_insert_default().merge(&budget);
                    }
                }
                None => figures.uncounted += 1,
            }
            for (region, histogram) in &measured.latency {
                figures.latency.entry(region.clone()).or_default().merge(histogram);
            }
        }
        figures
    }

    /// Durations of answers from all regions.
    #[must_use]
    pub fn latency_of_all(&self) -> Histogram {
        let mut all = Histogram::default();
        self.latency.values().for_each(|region| all.merge(region));
        all
    }

    /// Order of a report: least uptime first, then longest down; what was not observed at all comes last.
    #[must_use]
    pub fn worse_first(&self, other: &Self) -> Ordering {
        let down = |f: &Self| {
            let observed = f.uptime.up_ms + f.uptime.degraded_ms + f.uptime.down_ms;
            (i128::from(f.uptime.down_ms), i128::from(observed))
        };
        let ((a_down, a_all), (b_down, b_all)) = (down(self), down(other));
        match (a_all > 0, b_all > 0) {
            (true, true) => (b_down * a_all).cmp(&(a_down * b_all)).then(b_down.cmp(&a_down)),
            (is_seen, other_is_seen) => other_is_seen.cmp(&is_seen),
        }
    }

    /// Uptime in thousandths of a per cent, rounded down.
    #[must_use]
    pub fn uptime_share(&self) -> Option<i64> {
        number::uptime_share(&self.uptime)
    }

    /// Coverage alike.
    #[must_use]
    pub fn coverage_share(&self) -> Option<i64> {
        number::coverage_share(&self.uptime)
    }
}
