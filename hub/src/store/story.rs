//! All that the page of a website shows of its state and its figures: each row once, in as few statements as there are
//! tables, however many windows are shown.

use sqlx::FromRow;

use super::board::{ROW_FROM, Row, select_row};
use super::keeping::{KEEPING, KeepingRow};
use super::roll_up::{PROGRESS, ProgressRow};
use super::uptime::{Announced, Asked};
use super::{Latency, Store, StoreError, UptimeOver, read};
use crate::model::manifest::Managed;
use crate::model::roll_up::Progress;
use crate::model::uptime::DAY_MS;
use crate::model::{AccountId, BoardRow, Keeping, Span, Transition, UtcMs, WebsiteId};

/// A website with what is known now, and how it did over some windows.
#[derive(Debug)]
pub struct WebsiteStory {
    /// What is known now.
    pub row: BoardRow,
    /// What its owner decided about its history and badges.
    pub keeping: Keeping,
    /// Its newest changes of verdict, newest first.
    pub changes: Vec<Transition>,
    /// How the windows were spent.
    pub uptimes: Vec<UptimeOver>,
    /// How long answers took in them.
    pub latencies: Vec<Latency>,
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
    /// One of the account's websites as its page shows it, with figures of `windows` and its newest `changes` changes of
    /// verdict; `None`: not theirs. Windows end now at the latest.
    ///
    /// # Errors
    /// The database is away.
    pub async fn website_story(
        &self,
        account: AccountId,
        id: WebsiteId,
        windows: &[Span],
        changes: i64,
        now: UtcMs,
    ) -> Result<Option<WebsiteStory>, StoreError> {
        let day = Span { from_at: now.saturating_sub(DAY_MS), to_at: now };
        let since = windows.iter().map(|window| window.from_at).fold(day.from_at, UtcMs::min);
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
            newest: changes.clamp(1, 1_000),
        };
        let spans: Vec<Span> = std::iter::once(day).chain(windows.iter().copied()).collect();
        let (mut uptimes, changes) = self.uptimes_of(&asked, &announced, &spans).await?;
        let of_day = uptimes.remove(0);
        let latencies = self.latencies_of(account, id, progress.as_ref(), windows).await?;
        row.maintenance_until = announced.until(id, &row.ties.tags, now);
        row.uptime_24h = of_day.uptime.unwrap_or_default();
        let managed = first.managed_key.map(|key| Managed { by: first.managed_by.unwrap_or_default(), key });
        Ok(Some(WebsiteStory { row, keeping, changes, uptimes, latencies, managed }))
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
