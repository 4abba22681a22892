//! How long answers took over any window: roll-ups merged. Whole days of it are read as days, the rest as hours.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::Key;
use super::rows::understood;
use crate::model::roll_up::{Grain, RollUp};
use crate::model::{AccountId, RegionId, Span, UtcMs, WebsiteId};
use crate::store::{Store, StoreError, read};

/// Rows of a grain that begin in `[from, to)`.
type Range = (&'static str, UtcMs, UtcMs);

/// What the ticks of a window come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Latency {
    /// The window in whole hours or days, as far as they are counted.
    pub span: Span,
    /// By region.
    pub regions: BTreeMap<RegionId, RollUp>,
}

impl Latency {
    /// Of all regions together.
    #[must_use]
    pub fn all(&self) -> RollUp {
        let mut all = RollUp::default();
        self.regions.values().for_each(|region| all.merge(region));
        all
    }
}

/// The days, and the hours before and after, of a window; each `[from, to)`.
fn parts(span: Span) -> [(Grain, UtcMs, UtcMs); 3] {
    let Span { from_at, to_at } = span;
    let first_day = Grain::Day.start_of(from_at.saturating_add(Grain::Day.ms() - 1)).min(to_at);
    let after_days = Grain::Day.start_of(to_at).max(first_day);
    [(Grain::Hour, from_at, first_day), (Grain::Day, first_day, after_days), (Grain::Hour, after_days, to_at)]
}

impl Store {
    /// What the ticks of the windows come to, of one of the account's websites; `None`: not theirs. Windows are widened to
    /// whole hours, where those are not kept any more to whole days, and begin and end where counting has come to.
    ///
    /// # Errors
    /// The database is away.
    pub async fn latencies(
        &self,
        account: AccountId,
        id: WebsiteId,
        windows: &[Span],
    ) -> Result<Option<Vec<Latency>>, StoreError> {
        let is_theirs: Option<i64> = read!(self, pool => sqlx::query_scalar(
            "select created_at from website where account_id = $1 and website_id = $2")
            .bind(account.0).bind(id.0).fetch_optional(pool).await?);
        if is_theirs.is_none() {
            return Ok(None);
        }
        let progress = self.roll_up_progress().await?;
        let (counted_since, counted_until, hours_since) =
            progress.map_or((0, 0, 0), |known| (known.hours_counted_since(), known.hours.at, known.hours_kept_since()));
        let whole = |window: &Span| {
            let grain = |at| if at < hours_since { Grain::Day } else { Grain::Hour };
            let last = grain(window.to_at);
            let to_at = last.start_of(window.to_at.saturating_add(last.ms() - 1)).min(counted_until);
            let from_at = grain(window.from_at).start_of(window.from_at).max(counted_since);
            Span { from_at: from_at.min(to_at), to_at }
        };
        let windows: Vec<Span> = windows.iter().map(whole).collect();
        // Windows that lie within each other share their days and their ends: each row is read once.
        let mut parts_read: BTreeMap<Range, Vec<(Key, RollUp)>> = BTreeMap::new();
        let days = windows.iter().map(|window| parts(*window)[1]).filter(|(_, from, to)| from < to);
        let all_days = days.fold(None, |all: Option<(UtcMs, UtcMs)>, (_, from, to)| {
            Some(all.map_or((from, to), |(first, last)| (first.min(from), last.max(to))))
        });
        let mut latencies = Vec::with_capacity(windows.len());
        for span in windows {
            let mut regions: BTreeMap<RegionId, RollUp> = BTreeMap::new();
            for (grain, from, to) in parts(span).into_iter().filter(|(_, from, to)| from < to) {
                let (first, last) = match grain {
                    Grain::Hour => (from, to),
                    Grain::Day => all_days.unwrap_or((from, to)),
                };
                let rows = match parts_read.entry((grain.as_str(), first, last)) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(new) => {
                        new.insert(understood(self.roll_up_rows(account, id, grain, first, last).await?))
                    }
                };
                for ((_, at, region), roll_up) in rows.iter() {
                    if (from..to).contains(at) {
                        regions.entry(region.clone()).or_default().merge(roll_up);
                    }
                }
            }
            latencies.push(Latency { span, regions });
        }
        Ok(Some(latencies))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_days_and_the_hours_around_them() {
        const HOUR: i64 = 3_600_000;
        const DAY: i64 = 24 * HOUR;
        let of = |from_at, to_at| parts(Span { from_at, to_at }).map(|(_, from, to)| (from, to));
        assert_eq!(of(DAY - HOUR, 3 * DAY + HOUR), [(DAY - HOUR, DAY), (DAY, 3 * DAY), (3 * DAY, 3 * DAY + HOUR)]);
        assert_eq!(of(DAY, 2 * DAY), [(DAY, DAY), (DAY, 2 * DAY), (2 * DAY, 2 * DAY)]);
        for (from, to) in [(HOUR, 3 * HOUR), (20 * HOUR, 30 * HOUR), (HOUR, HOUR), (-DAY, -DAY), (0, HOUR)] {
            let [a, b, c] = of(from, to);
            assert_eq!((a.0, a.1, b.1, c.1), (from, b.0, c.0, to), "they follow each other");
            assert_eq!(b.0, b.1, "no whole day in {from}..{to}");
        }
    }
}
