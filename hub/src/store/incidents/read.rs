//! Incidents as pages, the API and messages want them. Whatever belongs to somebody is asked for with the account.

use sqlx::FromRow;
use uuid::Uuid;

use super::row::{EventRow, INCIDENT, IncidentRow, LINE, LineRow, PartRow};
use crate::model::{
    AccountId, Incident, IncidentCursor, IncidentEvent, IncidentFilter, IncidentId, IncidentLine, IncidentWebsite,
    WebsiteId,
};
use crate::store::ids::Ids;
use crate::store::{Store, StoreError, read, write};

/// Websites of an incident that a message names.
const NAMED: i64 = 20;
/// Lines of the timeline that a message is composed from: the first ones and the last ones are what it is about.
const TOLD: i64 = 100;

/// An incident with what a message about it is composed of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncidentStory {
    /// The incident.
    pub incident: Incident,
    /// The first 20 of its websites, those that still fail before the others, then by when they failed.
    pub websites: Vec<IncidentWebsite>,
    /// How many there are or were.
    pub count: i64,
    /// How many of them fail still.
    pub failing: i64,
    /// Its timeline, oldest first: the last 100 lines.
    pub events: Vec<IncidentEvent>,
}

/// Of those a website fails in, which says most.
const OPEN_FIRST: &str = "order by case i.kind when 'outage' then 0 when 'regional' then 1 when 'flapping' then 2 else 3 end, \
    i.opened_at";

#[derive(FromRow)]
struct OfWebsiteRow {
    is_open: bool,
    #[sqlx(flatten)]
    line: LineRow,
}

impl Store {
    /// The account's incidents that fit, newest first, after `after`; at most 1,000.
    ///
    /// # Errors
    /// The database is away.
    pub async fn incidents(
        &self,
        account: AccountId,
        filter: IncidentFilter,
        after: Option<IncidentCursor>,
        limit: i64,
    ) -> Result<Vec<IncidentLine>, StoreError> {
        let after = after.unwrap_or(IncidentCursor { at: i64::MAX, id: IncidentId(Uuid::max()) });
        // A statement for each way to look, and the page before what is read of each: whoever asks for one website, or for
        // what goes on, does not read through all that the account ever had.
        let (from, of_website) = match filter.website {
            // "cross" keeps SQLite in this order.
            Some(_) => (
                "incident_website mine cross join incident i",
                "i.incident_id = mine.incident_id and mine.website_id = $5",
            ),
            None => ("incident i", "$5 is null"),
        };
        let of_state = if filter.open_only { "and i.closed_at is null" } else { "" };
        let of_kind = if filter.kind.is_some() { "i.kind = $4" } else { "cast($4 as text) is null" };
        let select = format!(
            "select {INCIDENT}, {LINE} from (select i.* from {from} where {of_website} and i.account_id = $1 \
             and (i.opened_at, i.incident_id) < ($2, $3) {of_state} and {of_kind} \
             order by i.opened_at desc, i.incident_id desc limit $6) i \
             order by i.opened_at desc, i.incident_id desc"
        );
        let rows: Vec<LineRow> = read!(self, pool => sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()))
            .bind(account.0).bind(after.at).bind(after.id.0)
            .bind(filter.kind.map(|kind| kind.as_str())).bind(filter.website.map(|id| id.0))
            .bind(limit.clamp(1, 1_000)).fetch_all(pool).await?);
        Ok(rows.into_iter().map(IncidentLine::from).collect())
    }

    /// One of the account's incidents.
    ///
    /// # Errors
    /// The database is away.
    pub async fn incident(&self, account: AccountId, id: IncidentId) -> Result<Option<IncidentLine>, StoreError> {
        let select =
            format!("select {INCIDENT}, {LINE} from incident i where i.account_id = $1 and i.incident_id = $2");
        // The pool for writes: what its reader has just written must be seen.
        let row: Option<LineRow> = write!(self, pool => sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()))
            .bind(account.0).bind(id.0).fetch_optional(pool).await?);
        Ok(row.map(IncidentLine::from))
    }

    /// Some of the account's incidents, in no order; at most 1,000.
    ///
    /// # Errors
    /// The database is away.
    pub async fn incidents_named(
        &self,
        account: AccountId,
        mut ids: Vec<IncidentId>,
    ) -> Result<Vec<IncidentLine>, StoreError> {
        ids.sort_unstable();
        ids.dedup();
        ids.truncate(1_000);
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let select = format!(
            "select {INCIDENT}, {LINE} from incident i where i.account_id = $1 and i.incident_id {}",
            self.one_of(2)
        );
        let ids = Ids(ids.into_iter().map(|id| id.0).collect());
        let rows: Vec<LineRow> = read!(self, pool => sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()))
            .bind(account.0).bind(ids.clone()).fetch_all(pool).await?);
        Ok(rows.into_iter().map(IncidentLine::from).collect())
    }

    /// Websites of one of the account's incidents: those that fail still first, then by when they failed; at most 1,000.
    ///
    /// # Errors
    /// The database is away.
    pub async fn incident_websites(
        &self,
        account: AccountId,
        id: IncidentId,
        limit: i64,
    ) -> Result<Vec<IncidentWebsite>, StoreError> {
        let rows: Vec<PartRow> = read!(self, pool => sqlx::query_as(
            "select w.website_id, w.url, w.began_at, w.ended_at from incident_website w \
             join incident i using (incident_id) where i.account_id = $1 and w.incident_id = $2 \
             order by (w.ended_at is not null), w.began_at, w.website_id limit $3")
            .bind(account.0).bind(id.0).bind(limit.clamp(1, 1_000)).fetch_all(pool).await?);
        Ok(rows.into_iter().map(IncidentWebsite::from).collect())
    }

    /// The timeline of one of the account's incidents, oldest first: the last `limit` lines, at most 1,000.
    ///
    /// # Errors
    /// The database is away.
    pub async fn incident_events(
        &self,
        account: AccountId,
        id: IncidentId,
        limit: i64,
    ) -> Result<Vec<IncidentEvent>, StoreError> {
        let rows: Vec<EventRow> = write!(self, pool => sqlx::query_as(
            "select e.at, e.kind, e.website_id, e.said, e.said_by, e.evidence from incident_event e \
             join incident i using (incident_id) where i.account_id = $1 and e.incident_id = $2 \
             order by e.at desc, e.number desc limit $3")
            .bind(account.0).bind(id.0).bind(limit.clamp(1, 1_000)).fetch_all(pool).await?);
        Ok(rows.into_iter().rev().map(IncidentEvent::from).collect())
    }

    /// Incidents that one of the account's websites became part of last, newest first, at most 1,000; and of all there are the
    /// one it fails in, as of [`Store::open_incident_of`].
    ///
    /// # Errors
    /// The database is away.
    pub async fn incidents_of_website(
        &self,
        account: AccountId,
        website: WebsiteId,
        limit: i64,
    ) -> Result<(Option<Incident>, Vec<IncidentLine>), StoreError> {
        // By when it became part of them, which is in order: incidents are never forgotten. "cross" keeps SQLite in this order.
        let select = format!(
            "select is_open, {INCIDENT}, {LINE} from (select false as is_open, i.* from (select incident_id \
             from incident_website where website_id = $2 order by began_at desc limit $3) mine \
             cross join incident i where i.incident_id = mine.incident_id and i.account_id = $1 union all \
             select * from (select true as is_open, i.* from incident_website mine cross join incident i \
             where i.incident_id = mine.incident_id and mine.website_id = $2 and i.account_id = $1 \
             and mine.ended_at is null and i.closed_at is null {OPEN_FIRST} limit 1) open) i \
             order by i.opened_at desc, i.incident_id desc"
        );
        let rows: Vec<OfWebsiteRow> = read!(self, pool => sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()))
            .bind(account.0).bind(website.0).bind(limit.clamp(1, 1_000)).fetch_all(pool).await?);
        let (open, newest): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.is_open);
        let open = open.into_iter().next().map(|row| IncidentLine::from(row.line).incident);
        Ok((open, newest.into_iter().map(|row| row.line.into()).collect()))
    }

    /// The incident that one of the account's websites is in and fails in: an outage before a regional one before flapping
    /// before a certificate.
    ///
    /// # Errors
    /// The database is away.
    pub async fn open_incident_of(
        &self,
        account: AccountId,
        website: WebsiteId,
    ) -> Result<Option<Incident>, StoreError> {
        let select = format!(
            "select {INCIDENT} from incident_website w join incident i using (incident_id) \
             where i.account_id = $1 and w.website_id = $2 and w.ended_at is null and i.closed_at is null \
             {OPEN_FIRST} limit 1"
        );
        let row: Option<IncidentRow> = read!(self, pool => sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()))
            .bind(account.0).bind(website.0).fetch_optional(pool).await?);
        Ok(row.map(Incident::from))
    }

    /// How many of the account's incidents go on.
    ///
    /// # Errors
    /// The database is away.
    pub async fn count_open_incidents(&self, account: AccountId) -> Result<i64, StoreError> {
        Ok(read!(self, pool => sqlx::query_scalar(
            "select count(*) from incident where account_id = $1 and closed_at is null")
            .bind(account.0).fetch_one(pool).await?))
    }

    /// What the navigation counts: the account's incidents that go on, and dead letters, of those `letters` at most.
    ///
    /// # Errors
    /// The database is away.
    pub async fn count_for_viewer(&self, account: AccountId, letters: i64) -> Result<(i64, i64), StoreError> {
        Ok(read!(self, pool => sqlx::query_as(
            "select (select count(*) from incident where account_id = $1 and closed_at is null), \
             (select count(*) from (select 1 from dead_letter order by created_at, dead_letter_id limit $2) as counted)")
            .bind(account.0).bind(letters).fetch_one(pool).await?))
    }

    /// For whoever composes a message, or follows a signed link: an incident of any account, which is told in it.
    ///
    /// # Errors
    /// The database is away.
    pub async fn incident_for_alert(&self, id: IncidentId) -> Result<Option<IncidentStory>, StoreError> {
        let select = format!("select {INCIDENT}, {LINE} from incident i where i.incident_id = $1");
        let row: Option<LineRow> = write!(self, pool => sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()))
            .bind(id.0).fetch_optional(pool).await?);
        let Some(IncidentLine { incident, websites: count, failing, .. }) = row.map(IncidentLine::from) else {
            return Ok(None);
        };
        let websites = self.incident_websites(incident.account_id, id, NAMED).await?;
        let events = self.incident_events(incident.account_id, id, TOLD).await?;
        Ok(Some(IncidentStory { incident, websites, count, failing, events }))
    }
}
