//! Websites with what is known now, for lists and pages, from current-state tables only: their cost does not grow with
//! history.

use std::collections::{BTreeMap, HashMap};

use sqlx::FromRow;
use uuid::Uuid;

use super::ids::Ids;
use super::row::{REGION_STATE, RegionStateRow, STATE, StateFields, WEBSITE, WebsiteRow};
use super::ticks::TransitionRow;
use super::ties::ties_of;
use super::{Store, StoreError, read};
use crate::model::maintenance::united;
use crate::model::{
    AccountId, BoardRow, RegionState, Scope, Span, Tag, Transition, UtcMs, Website, WebsiteCursor, WebsiteId, uptime,
};

const DAY_MS: i64 = 86_400_000;

/// All of a website but its regions, of [`ROW_FROM`].
pub(super) fn select_row() -> String {
    // By key: of a join Postgres may read all jobs there are.
    format!(
        "{WEBSITE}, {STATE}, tags, parent_id, \
         (select pinged_at from job where job.website_id = website.website_id) as pinged_at"
    )
}
pub(super) const ROW_FROM: &str = "website join website_state using (website_id)";

#[derive(Debug, FromRow)]
pub(super) struct Row {
    #[sqlx(flatten)]
    website: WebsiteRow,
    #[sqlx(flatten)]
    state: StateFields,
    tags: String,
    parent_id: Option<Uuid>,
    pinged_at: Option<i64>,
}

impl Row {
    /// With the rest: its regions, how the last 24 hours were spent, until when it is in maintenance.
    pub(super) fn complete(self) -> Result<BoardRow, StoreError> {
        let website = Website::try_from(self.website)?;
        Ok(BoardRow {
            state: self.state.shown(website.website_id),
            website,
            regions: Vec::new(),
            uptime_24h: Default::default(),
            ties: ties_of(&self.tags, self.parent_id),
            maintenance_until: None,
            pinged_at: self.pinged_at,
        })
    }
}

/// The account's maintenance within the last 24 hours by what it covers: one look-up a tag, however many windows there
/// are.
#[derive(Default)]
struct Quiet(BTreeMap<Scope, (Vec<Span>, Option<UtcMs>)>);

impl Quiet {
    fn add(&mut self, scope: Scope, spans: Vec<Span>, until: Option<UtcMs>) {
        if spans.is_empty() && until.is_none() {
            return;
        }
        let known = self.0.entry(scope).or_default();
        known.0.extend(spans);
        known.1 = known.1.max(until);
    }

    /// What of it covers a website, without overlaps, and until when it goes on.
    fn of(&self, id: WebsiteId, tags: &[Tag]) -> (Vec<Span>, Option<UtcMs>) {
        if self.0.is_empty() {
            return (Vec::new(), None);
        }
        let scopes = tags.iter().cloned().map(Scope::Tag).chain([Scope::All, Scope::Website(id)]);
        let found: Vec<_> = scopes.filter_map(|scope| self.0.get(&scope)).collect();
        let spans = united(found.iter().flat_map(|(spans, _)| spans.iter().copied()).collect());
        (spans, found.iter().filter_map(|(_, until)| *until).max())
    }
}

impl Store {
    /// All of the account's websites with what is known now, oldest first. Not for pages: there may be very many.
    ///
    /// # Errors
    /// The database is away.
    pub async fn board(&self, account: AccountId, now: UtcMs) -> Result<Vec<BoardRow>, StoreError> {
        let mut rows = self.recent_page(account, None, i64::MAX).await?;
        self.add_day(account, &mut rows, now).await?;
        Ok(rows)
    }

    /// At most `limit` of the account's websites with what regions saw last, oldest first, those that follow `after`. How
    /// the last 24 hours were spent, and maintenance, is not read.
    ///
    /// # Errors
    /// The database is away.
    pub async fn recent_page(
        &self,
        account: AccountId,
        after: Option<WebsiteCursor>,
        limit: i64,
    ) -> Result<Vec<BoardRow>, StoreError> {
        let after = after.unwrap_or(WebsiteCursor::FIRST);
        let select = format!(
            "select {} from {ROW_FROM} where account_id = $1 and (website.created_at, website_id) > ($2, $3) \
             order by website.created_at, website_id limit $4",
            select_row()
        );
        let rows: Vec<Row> = read!(self, pool => sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()))
            .bind(account.0).bind(after.created_at).bind(after.id.0).bind(limit).fetch_all(pool).await?);
        let mut rows = rows.into_iter().map(Row::complete).collect::<Result<Vec<_>, _>>()?;
        self.add_regions(account, &mut rows).await?;
        Ok(rows)
    }

    /// One of the account's websites with what is known now.
    ///
    /// # Errors
    /// The database is away.
    pub async fn board_row(
        &self,
        account: AccountId,
        id: WebsiteId,
        now: UtcMs,
    ) -> Result<Option<BoardRow>, StoreError> {
        let select = format!("select {} from {ROW_FROM} where account_id = $1 and website_id = $2", select_row());
        let row: Option<Row> = read!(self, pool => sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()))
            .bind(account.0).bind(id.0).fetch_optional(pool).await?);
        let mut rows = row.into_iter().map(Row::complete).collect::<Result<Vec<_>, _>>()?;
        self.add_regions(account, &mut rows).await?;
        self.add_day(account, &mut rows, now).await?;
        Ok(rows.pop())
    }

    /// What regions saw last.
    pub(super) async fn add_regions(&self, account: AccountId, rows: &mut [BoardRow]) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let select = format!(
            "select {REGION_STATE} from region_state where website_id {} and {} order by region_id",
            self.one_of(2),
            theirs("region_state")
        );
        let states: Vec<RegionStateRow> = read!(self, pool => sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()))
            .bind(account.0).bind(ids_of(rows)).fetch_all(pool).await?);
        let mut regions: HashMap<Uuid, Vec<RegionState>> = HashMap::new();
        for state in states {
            regions.entry(state.website_id).or_default().push(state.try_into()?);
        }
        for row in rows {
            row.regions = regions.remove(&row.website.website_id.0).unwrap_or_default();
        }
        Ok(())
    }

    /// How the last 24 hours were spent, and maintenance.
    pub(super) async fn add_day(
        &self,
        account: AccountId,
        rows: &mut [BoardRow],
        now: UtcMs,
    ) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        // Why it changed is not asked for.
        let select = format!(
            "select website_id, at, decided_at, from_verdict, to_verdict, '' as reason from transition \
             where website_id {} and {} and decided_at >= $3 order by decided_at, number",
            self.one_of(2),
            theirs("transition")
        );
        let changes: Vec<TransitionRow> = read!(self, pool => sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()))
            .bind(account.0).bind(ids_of(rows)).bind(now - DAY_MS).fetch_all(pool).await?);
        let mut transitions: HashMap<Uuid, Vec<Transition>> = HashMap::new();
        for change in changes {
            transitions.entry(change.website_id).or_default().push(change.into());
        }
        let quiet = self.quiet(account, now).await?;
        for row in rows {
            let id = row.website.website_id;
            let changes = transitions.remove(&id.0).unwrap_or_default();
            // The window begins with the website: a new one is not "unknown" for the time before it.
            let from = (now - DAY_MS).max(row.website.created_at).min(now);
            let (spans, maintenance_until) = quiet.of(id, &row.ties.tags);
            row.uptime_24h = uptime::over(&changes, row.state.verdict, from, now, &spans);
            row.maintenance_until = maintenance_until;
        }
        Ok(())
    }

    /// The account's maintenance within the last 24 hours, as its rules say and as they said.
    async fn quiet(&self, account: AccountId, now: UtcMs) -> Result<Quiet, StoreError> {
        let mut quiet = Quiet::default();
        for window in self.maintenance(account).await? {
            let until = window.running(now).map(|span| span.to_at);
            let spans = window.spans(now - DAY_MS, now);
            quiet.add(window.plan.scope, spans, until);
        }
        for past in self.past_maintenance(account, now - DAY_MS, 1_000).await? {
            quiet.add(past.scope, vec![past.span], None);
        }
        quiet.0.values_mut().for_each(|(spans, _)| *spans = united(std::mem::take(spans)));
        Ok(quiet)
    }
}

/// That the website of a row is of account `$1`: looked up by its key, row by row, since in a join the account's websites would
/// all be read for a few.
fn theirs(table: &str) -> String {
    format!("(select account_id from website where website.website_id = {table}.website_id) = $1")
}

fn ids_of(rows: &[BoardRow]) -> Ids {
    Ids(rows.iter().map(|row| row.website.website_id.0).collect())
}
