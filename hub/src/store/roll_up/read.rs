//! How long answers took over any window: roll-ups merged. Whole days of it are read as days, the rest as hours.

use std::collections::BTreeMap;

use sqlx::FromRow;

use super::rows::{ROLL_UP, RollUpRow, understood};
use crate::model::roll_up::{Grain, Progress, RollUp};
use crate::model::{AccountId, RegionId, Span, UtcMs, WebsiteId};
use crate::store::{Store, StoreError, read};

/// Rows of a grain that begin in `[from, to)`.
type Range = (Grain, UtcMs, UtcMs);

/// Ranges read in one statement.
const RANGES: usize = 8;

/// A row of one of several ranges.
#[derive(FromRow)]
struct RangeRow {
    part: i64,
    #[sqlx(flatten)]
    row: RollUpRow,
}

/// Rows of so many ranges, each one of the key: `$1` is the account, `$2` the website, then for each range its grain, from
/// when, until when.
fn select_ranges(ranges: usize) -> String {
    let one = |n: usize| {
        let at = 3 * n + 3;
        format!(
            "select cast({n} as bigint) as part, {ROLL_UP} from roll_up where website_id = $2 and grain = ${at} \
             and starts_at >= ${} and starts_at < ${} \
             and exists (select 1 from website where account_id = $1 and website_id = $2)",
            at + 1,
            at + 2
        )
    };
    (0..ranges).map(one).collect::<Vec<_>>().join(" union all ")
}

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

/// What of a website's answers is to be drawn: pieces of equal length that follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeriesAsked {
    /// From when until when. Hours end with what is counted; of the day that goes on there are its hours.
    pub span: Span,
    /// What is read. Hours are kept for ten days.
    pub grain: Grain,
    /// How long a piece is: a multiple of the grain.
    pub piece_ms: i64,
}

/// What the ticks of each piece come to, by region and the begin of the piece. Of a piece without any there is nothing.
pub type Series = BTreeMap<RegionId, BTreeMap<UtcMs, RollUp>>;

/// The days, and the hours before and after, of a window; each `[from, to)`.
pub(super) fn parts(span: Span) -> [(Grain, UtcMs, UtcMs); 3] {
    let Span { from_at, to_at } = span;
    let first_day = Grain::Day.start_of(from_at.saturating_add(Grain::Day.ms() - 1)).min(to_at);
    let after_days = Grain::Day.start_of(to_at).max(first_day);
    [(Grain::Hour, from_at, first_day), (Grain::Day, first_day, after_days), (Grain::Hour, after_days, to_at)]
}

/// What of a window is told by roll-ups: widened to whole hours, where those are not kept any more to whole days, as far as
/// they are counted.
pub(super) fn counted(window: Span, progress: Option<&Progress>) -> Span {
    let (counted_since, counted_until, hours_since) =
        progress.map_or((0, 0, 0), |known| (known.hours_counted_since(), known.hours.at, known.hours_kept_since()));
    let grain = |at| if at < hours_since { Grain::Day } else { Grain::Hour };
    let last = grain(window.to_at);
    let to_at = last.start_of(window.to_at.saturating_add(last.ms() - 1)).min(counted_until);
    let from_at = grain(window.from_at).start_of(window.from_at).max(counted_since);
    Span { from_at: from_at.min(to_at), to_at }
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
        Ok(Some(self.latencies_of(account, id, progress.as_ref(), windows, None).await?.0))
    }

    /// The same, where it is known how far counting has come, and what is to be drawn: in one statement, whatever the number
    /// of windows.
    pub(in crate::store) async fn latencies_of(
        &self,
        account: AccountId,
        id: WebsiteId,
        progress: Option<&Progress>,
        windows: &[Span],
        series: Option<&SeriesAsked>,
    ) -> Result<(Vec<Latency>, Series), StoreError> {
        let windows: Vec<Span> = windows.iter().map(|window| counted(*window, progress)).collect();
        let ranges = ranges_of(&windows, series.map(|asked| (asked.grain, asked.span.from_at, asked.span.to_at)));
        let mut known: BTreeMap<(&'static str, UtcMs, RegionId), RollUp> = BTreeMap::new();
        for ranges in ranges.chunks(RANGES) {
            let select = select_ranges(ranges.len());
            let rows: Vec<RangeRow> = read!(self, pool => {
                let query = sqlx::query_as(sqlx::AssertSqlSafe(select.as_str())).bind(account.0).bind(id.0);
                let bound = |query, (grain, from, to): &Range| bind_range(query, grain.as_str(), *from, *to);
                ranges.iter().fold(query, bound).fetch_all(pool).await?
            });
            let mut of_grain: BTreeMap<&'static str, Vec<RollUpRow>> = BTreeMap::new();
            for RangeRow { part, row } in rows {
                if let Some((grain, ..)) = usize::try_from(part).ok().and_then(|part| ranges.get(part)) {
                    of_grain.entry(grain.as_str()).or_default().push(row);
                }
            }
            for (grain, rows) in of_grain {
                known.extend(understood(rows).into_iter().map(|((_, at, region), row)| ((grain, at, region), row)));
            }
        }
        let latency = |span: Span| {
            let mut regions: BTreeMap<RegionId, RollUp> = BTreeMap::new();
            for (grain, from, to) in parts(span).into_iter().filter(|(_, from, to)| from < to) {
                let rows = known.iter().filter(|((g, at, _), _)| *g == grain.as_str() && (from..to).contains(at));
                for ((.., region), roll_up) in rows {
                    regions.entry(region.clone()).or_default().merge(roll_up);
                }
            }
            Latency { span, regions }
        };
        let series = series.map(|asked| series_of(&known, asked)).unwrap_or_default();
        Ok((windows.into_iter().map(latency).collect(), series))
    }
}

/// Rows that were read, by the pieces they lie in.
fn series_of(known: &BTreeMap<(&'static str, UtcMs, RegionId), RollUp>, asked: &SeriesAsked) -> Series {
    let SeriesAsked { span, grain, piece_ms } = *asked;
    let mut series = Series::new();
    // A day is counted when it is over: until then its hours stand for it.
    let today = Grain::Day.start_of(span.to_at.saturating_sub(1));
    for ((name, at, region), roll_up) in known {
        let is_asked = *name == grain.as_str() || (grain == Grain::Day && *at >= today);
        if is_asked && (span.from_at..span.to_at).contains(at) {
            let begin = at - (at - span.from_at).rem_euclid(piece_ms.max(1));
            series.entry(region.clone()).or_default().entry(begin).or_default().merge(roll_up);
        }
    }
    series
}

/// Binds the grain of a range, from when and until when.
fn bind_range<'q, D: sqlx::Database>(
    query: sqlx::query::QueryAs<'q, D, RangeRow, D::Arguments>,
    grain: &'static str,
    from: UtcMs,
    to: UtcMs,
) -> sqlx::query::QueryAs<'q, D, RangeRow, D::Arguments>
where
    i64: sqlx::Type<D> + for<'e> sqlx::Encode<'e, D>,
    &'static str: sqlx::Type<D> + for<'e> sqlx::Encode<'e, D>,
{
    query.bind(grain).bind(from).bind(to)
}

/// What is to be read of windows that lie within each other, and beside them, each row once: ranges of one grain that overlap or
/// touch are one.
fn ranges_of(windows: &[Span], beside: Option<Range>) -> Vec<Range> {
    let mut ranges: Vec<Range> = Vec::new();
    for grain in [Grain::Hour, Grain::Day] {
        let all = windows.iter().flat_map(|window| parts(*window)).chain(beside);
        let mut these: Vec<_> = all.filter(|(g, from, to)| *g == grain && from < to).collect();
        these.sort_by_key(|(_, from, to)| (*from, *to));
        for (_, from, to) in these {
            match ranges.last_mut() {
                Some((last, _, end)) if *last == grain && *end >= from => *end = (*end).max(to),
                Some(_) | None => ranges.push((grain, from, to)),
            }
        }
    }
    ranges
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

    #[test]
    fn windows_that_lie_within_each_other_read_each_row_once() {
        const HOUR: i64 = 3_600_000;
        const DAY: i64 = 24 * HOUR;
        let windows = [1, 7, 30, 90].map(|days| Span { from_at: (100 - days) * DAY + HOUR, to_at: 100 * DAY + HOUR });
        let ranges = ranges_of(&windows, None);
        let head = |day: i64| (Grain::Hour, day * DAY + HOUR, (day + 1) * DAY);
        let mut expected = vec![head(10), head(70), head(93), head(99)];
        expected[3].2 = 100 * DAY + HOUR; // goes on with the hours of today
        expected.push((Grain::Day, 11 * DAY, 100 * DAY));
        assert_eq!(ranges, expected);
        assert!(ranges.len() <= RANGES, "in one statement");
        assert_eq!(ranges_of(&[Span { from_at: HOUR, to_at: HOUR }], None), []);
        let week = Some((Grain::Hour, 93 * DAY, 100 * DAY));
        let hours = |(grain, from, to): &Range| (*grain == Grain::Hour).then_some((*from, *to));
        let read: Vec<_> = ranges_of(&windows, week).iter().filter_map(hours).collect();
        assert_eq!(read[2..], [(93 * DAY, 100 * DAY + HOUR)], "what is drawn besides is read with it");
    }

    #[test]
    fn what_is_drawn_is_in_pieces_and_the_day_that_goes_on_is_its_hours() {
        const HOUR: i64 = 3_600_000;
        const DAY: i64 = 24 * HOUR;
        let region: RegionId = "A".parse().unwrap();
        let one = || RollUp { ticks: 1, ..RollUp::default() };
        let known =
            [("day", 8 * DAY), ("day", 9 * DAY), ("hour", 9 * DAY), ("hour", 10 * DAY), ("hour", 10 * DAY + HOUR)]
                .map(|(grain, at)| ((grain, at, region.clone()), one()));
        let known = known.into_iter().collect();
        let drawn = |asked: &SeriesAsked| -> Vec<(i64, i64)> {
            series_of(&known, asked).remove(&region).unwrap().into_iter().map(|(at, of)| (at, of.ticks)).collect()
        };
        let days = SeriesAsked { span: Span { from_at: 9 * DAY, to_at: 11 * DAY }, grain: Grain::Day, piece_ms: DAY };
        assert_eq!(drawn(&days), [(9 * DAY, 1), (10 * DAY, 2)]);
        let hours = SeriesAsked { grain: Grain::Hour, piece_ms: 3 * HOUR, ..days };
        assert_eq!(drawn(&hours), [(9 * DAY, 1), (10 * DAY, 2)]);
    }
}
