//! All that the page of a website shows of its state and its figures: each row once, in as few statements as there are
//! tables, however many windows are shown.

use std::collections::BTreeMap;

use sqlx::FromRow;

use super::board::{ROW_FROM, Row, select_row};
use super::keeping::{KEEPING, KeepingRow};
use super::roll_up::{PROGRESS, ProgressRow};
use super::uptime::{Announced, Asked};
use super::{Latency, Series, SeriesAsked, Store, StoreError, UptimeOver, read};
use crate::model::manifest::Managed;
use crate::model::roll_up::{Grain, Progress};
use crate::model::uptime::DAY_MS;
use crate::model::{AccountId, BoardRow, Keeping, Span, Transition, Uptime, UtcMs, WebsiteId};

/// What of a website's past is wanted.
#[derive(Debug, Clone, Copy)]
pub struct StoryAsked<'a> {
    /// Windows whose uptime and latency is. They end now at the latest.
    pub windows: &'a [Span],
    /// Another, whose uptime alone is.
    pub longest: Option<Span>,
    /// What is drawn.
    pub series: Option<SeriesAsked>,
    /// So many of its newest changes of verdict, 1,000 at most.
    pub changes: i64,
}

/// A website with what is known now, and how it did over some windows.
#[derive(Debug)]
pub struct WebsiteStory {
    /// What is known now.
    pub row: BoardRow,
    /// What its owner decided about its history and badges.
    pub keeping: Keeping,
    /// Its newest changes of verdict, newest first.
    pub changes: Vec<Transition>,
    /// How the windows were spent, and, last, the longest.
    pub uptimes: Vec<UptimeOver>,
    /// How long answers took in the windows.
    pub latencies: Vec<Latency>,
    /// What is drawn.
    pub series: Series,
    /// Its days, as far as windows go back, by their begin; the last goes on. Of one that is not counted there is nothing.
    pub days: BTreeMap<UtcMs, Uptime>,
    /// Which file keeps it, where one does.
    pub managed: Option<Managed>,
}

#[derive(FromRow)]
struct FirstRow {
    is_announced: bool,
    managed_by: Option<String>,
    managed_key: Option<String>,
    #[sqlx(flatten)]
    row: Row,
    #[sqlx(flatten)]
    keeping: KeepingRow,
}

#[derive(FromRow)]
struct FirstRowCounted {
    #[sqlx(flatten)]
    first: FirstRow,
    #[sqlx(flatten)]
    progress: ProgressRow,
}

/// `$1` is the account, `$2` the website, `$3` since when maintenance that is past matters.
fn select_first(is_counted: bool) -> String {
    let (columns, tables) =
        if is_counted { (format!(", {PROGRESS}"), ", roll_up_progress") } else { Default::default() };
    format!(
        "select {}, {KEEPING}, managed_by, managed_key, (exists (select 1 from maintenance where maintenance.account_id = $1) or exists (select 1 from \
         maintenance_past where maintenance_past.account_id = $1 and ended_at > $3)) as is_announced{columns} \
         from {ROW_FROM}{tables} where website.account_id = $1 and website_id = $2",
        select_row()
    )
}

impl Store {
    /// One of the account's websites as its page shows it; `None`: not theirs.
    ///
    /// # Errors
    /// The database is away.
    pub async fn website_story(
        &self,
        account: AccountId,
        id: WebsiteId,
        wanted: &StoryAsked<'_>,
        now: UtcMs,
    ) -> Result<Option<WebsiteStory>, StoreError> {
        let windows = wanted.windows;
        let day = Span { from_at: now.saturating_sub(DAY_MS), to_at: now };
        let since = windows.iter().chain(&wanted.longest).map(|window| window.from_at).fold(day.from_at, UtcMs::min);
        let Some((first, progress)) = self.first_row(account, id, since).await? else { return Ok(None) };
        let (mut rows, keeping) = ([first.row.complete()?], Keeping::from(first.keeping));
        self.add_regions(account, &mut rows).await?;
        let [mut row] = rows;
        let announced = if first.is_announced { self.announced(account, since).await? } else { Announced::default() };
        let asked = Asked {
            account,
            id,
            created_at: row.website.created_at,
            tags: &row.ties.tags,
            verdict: row.state.verdict,
            counted_until: progress.as_ref().map_or(0, |progress| progress.days.at),
            newest: wanted.changes.clamp(1, 1_000),
        };
        // The day that goes on, and the one before it, which is counted some minutes after its end.
        let today = Grain::Day.start_of(now);
        let ends = [Span { from_at: today - DAY_MS, to_at: today }, Span { from_at: today, to_at: now }];
        let spans: Vec<Span> =
            [day].into_iter().chain(ends).chain(windows.iter().chain(&wanted.longest).copied()).collect();
        let mut spent = self.uptimes_of(&asked, &announced, &spans).await?;
        let uptimes = spent.windows.split_off(3);
        let mut known = spent.windows.into_iter();
        let of_day = known.next().and_then(|over| over.uptime);
        for (over, at) in known.zip([today - DAY_MS, today]) {
            if over.span.from_at < over.span.to_at
                && let Some(uptime) = over.uptime
            {
                spent.days.insert(at, uptime);
            }
        }
        let series = wanted.series.as_ref();
        let (latencies, series) = self.latencies_of(account, id, progress.as_ref(), windows, series).await?;
        row.maintenance_until = announced.until(id, &row.ties.tags, now);
        row.uptime_24h = of_day.unwrap_or_default();
        let managed = first.managed_key.map(|key| Managed { by: first.managed_by.unwrap_or_default(), key });
        let (changes, days) = (spent.newest, spent.days);
        Ok(Some(WebsiteStory { row, keeping, changes, uptimes, latencies, series, days, managed }))
    }

    /// The website, and how far counting has come.
    async fn first_row(
        &self,
        account: AccountId,
        id: WebsiteId,
        since: UtcMs,
    ) -> Result<Option<(FirstRow, Option<Progress>)>, StoreError> {
        let select = select_first(true);
        let found: Option<FirstRowCounted> = read!(self, pool => sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()))
            .bind(account.0).bind(id.0).bind(since).fetch_optional(pool).await?);
        if let Some(FirstRowCounted { first, progress }) = found {
            return Ok(Some((first, Some(progress.into()))));
        }
        // Not theirs; or counting has not begun: that is a matter of the first minute.
        let select = select_first(false);
        let found: Option<FirstRow> = read!(self, pool => sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()))
            .bind(account.0).bind(id.0).bind(since).fetch_optional(pool).await?);
        Ok(found.map(|first| (first, None)))
    }
}
