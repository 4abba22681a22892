//! The dashboard and the website page, from current-state tables only: their cost does not grow with history.

use std::collections::{BTreeMap, HashMap};

use sqlx::FromRow;
use uuid::Uuid;

use super::row::{REGION_STATE, RegionStateRow, STATE, StateFields, WEBSITE, WebsiteRow};
use super::ticks::TransitionRow;
use super::ties::ties_of;
use super::{Store, StoreError, read};
use crate::model::maintenance::united;
use crate::model::{
    AccountId, BoardRow, RegionState, Scope, Span, Tag, Transition, UtcMs, Website, WebsiteCursor, WebsiteId, uptime,
};

const DAY_MS: i64 = 86_400_000;

#[derive(Debug, FromRow)]
struct Row {
    #[sqlx(flatten)]
    website: WebsiteRow,
    #[sqlx(flatten)]
    state: StateFields,
    tags: String,
    parent_id: Option<Uuid>,
    pinged_at: Option<i64>,
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

/// Some of the websites.
struct Page {
    after: WebsiteCursor,
    limit: i64,
}

impl Page {
    const ALL: Self = Self { after: WebsiteCursor::FIRST, limit: i64::MAX };
}

impl Store {
    /// All of the account's websites with what is known now, oldest first.
    ///
    /// # Errors
    /// The database is away.
    pub async fn board(&self, account: AccountId, now: UtcMs) -> Result<Vec<BoardRow>, StoreError> {
        self.board_of(account, None, &Page::ALL, now).await
    }

    /// At most `limit` of the account's websites with what is known now, oldest first, those that follow `after`.
    ///
    /// # Errors
    /// The database is away.
    pub async fn board_page(
        &self,
        account: AccountId,
        after: Option<WebsiteCursor>,
        limit: i64,
        now: UtcMs,
    ) -> Result<Vec<BoardRow>, StoreError> {
        let after = after.unwrap_or(WebsiteCursor::FIRST);
        self.board_of(account, None, &Page { after, limit }, now).await
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
        Ok(self.board_of(account, Some(id), &Page::ALL, now).await?.pop())
    }

    async fn board_of(
        &self,
        account: AccountId,
        only: Option<WebsiteId>,
        page: &Page,
        now: UtcMs,
    ) -> Result<Vec<BoardRow>, StoreError> {
        let only = only.map(|id| id.0);
        let select_websites = format!(
            "select {WEBSITE}, {STATE}, tags, parent_id, pinged_at from website \
             join website_state using (website_id) left join job using (website_id) \
             where account_id = $1 and ($2 is null or website_id = $2) and (website.created_at, website_id) > ($3, $4) \
             order by website.created_at, website_id limit $5"
        );
        let select_states = format!(
            "select {REGION_STATE} from region_state join website using (website_id) \
             where account_id = $1 and ($2 is null or website_id = $2) and (website.created_at, website_id) > ($3, $4) \
             and (website.created_at, website_id) <= ($5, $6) order by region_id"
        );
        let (rows, states, changes) = read!(self, pool => {
            let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(select_websites.as_str()))
                .bind(account.0).bind(only).bind(page.after.created_at).bind(page.after.id.0).bind(page.limit)
                .fetch_all(pool).await?;
            let last = rows.last().map(|row| (row.website.created_at, row.website.website_id));
            let (last_at, last_id) = last.unwrap_or((i64::MIN, Uuid::nil()));
            let states: Vec<RegionStateRow> = sqlx::query_as(sqlx::AssertSqlSafe(select_states.as_str()))
                .bind(account.0).bind(only).bind(page.after.created_at).bind(page.after.id.0).bind(last_at).bind(last_id)
                .fetch_all(pool).await?;
            let changes: Vec<TransitionRow> = sqlx::query_as(
                "select website_id, at, decided_at, from_verdict, to_verdict, transition.reason from transition \
                 join website using (website_id) \
                 where account_id = $1 and ($2 is null or website_id = $2) and decided_at >= $3 \
                 and (website.created_at, website_id) > ($4, $5) and (website.created_at, website_id) <= ($6, $7) \
                 order by decided_at, number")
                .bind(account.0).bind(only).bind(now - DAY_MS).bind(page.after.created_at).bind(page.after.id.0)
                .bind(last_at).bind(last_id).fetch_all(pool).await?;
            (rows, states, changes)
        });
        let mut regions: HashMap<Uuid, Vec<RegionState>> = HashMap::new();
        for row in states {
            regions.entry(row.website_id).or_default().push(row.try_into()?);
        }
        let mut transitions: HashMap<Uuid, Vec<Transition>> = HashMap::new();
        for row in changes {
            transitions.entry(row.website_id).or_default().push(row.into());
        }
        let quiet = self.quiet(account, now).await?;
        let complete = |row: Row| {
            let key = row.website.website_id;
            let website = Website::try_from(row.website)?;
            let state = row.state.shown(website.website_id);
            let changes = transitions.remove(&key).unwrap_or_default();
            // The window begins with the website: a new one is not "unknown" for the time before it.
            let from = (now - DAY_MS).max(website.created_at).min(now);
            let ties = ties_of(&row.tags, row.parent_id);
            let (spans, maintenance_until) = quiet.of(website.website_id, &ties.tags);
            let uptime_24h = uptime::over(&changes, state.verdict, from, now, &spans);
            let regions = regions.remove(&key).unwrap_or_default();
            let pinged_at = row.pinged_at;
            Ok(BoardRow { website, state, regions, uptime_24h, ties, maintenance_until, pinged_at })
        };
        rows.into_iter().map(complete).collect()
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
