//! Changes of websites that other hubs, and whoever else writes to the database, made. A trigger writes each into
//! `website_change` in the transaction of the change itself. Postgres only: SQLite has one hub.

use std::collections::HashSet;

use sqlx::postgres::{PgListener, PgPoolOptions};
use uuid::Uuid;

use super::row::{WEBSITE, WebsiteRow};
use super::{Pool, Store, StoreError, asked};
use crate::model::{UtcMs, Website, WebsiteId};

/// Changes are kept for so long, by the database's clock.
const KEPT_MS: i64 = 600_000;
/// Changes read at once. Of more (an import), all websites are read instead.
const AT_ONCE: i64 = 10_000;
/// Changes forgotten at once.
const FORGOTTEN_AT_ONCE: i64 = 100_000;
/// The notification's channel.
const CHANNEL: &str = "betteruptime_website";

/// How far a reader of the changes has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Position {
    /// The oldest transaction that was open then: everything older was seen.
    open_from: i64,
    /// When that was, by the database's clock.
    at: UtcMs,
    /// When that server was started: another one may count transactions that this one has seen once more.
    server: UtcMs,
    /// Changes of newer transactions that were seen as well.
    seen: HashSet<i64>,
}

/// A change of a website.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// Its number.
    pub number: i64,
    /// The website that was added, edited, paused, resumed or deleted.
    pub website_id: WebsiteId,
}

/// What was read.
#[derive(Debug, PartialEq, Eq)]
pub enum Changes {
    /// These, in the order they were written.
    Some(Vec<Change>),
    /// More than can be told one by one, or the log no longer reaches back: all websites are to be read.
    TooMany,
}

/// Oldest open transaction, the database's time, the start of its server; a change's number and website, if there is one.
type ChangeRow = (i64, i64, i64, Option<i64>, Option<Uuid>);

impl Store {
    /// Where a reader starts that is about to read all websites. `None`: nobody else can change them.
    ///
    /// # Errors
    /// The database is away.
    pub async fn changes_position(&self) -> Result<Option<Position>, StoreError> {
        let Pool::Postgres(pools) = &self.pool else { return Ok(None) };
        let (open_from, at, server): (i64, i64, i64) = asked!(self, pools, pool => sqlx::query_as(
            "select pg_snapshot_xmin(pg_current_snapshot())::text::bigint, \
             (extract(epoch from clock_timestamp()) * 1000)::bigint, \
             (extract(epoch from pg_postmaster_start_time()) * 1000)::bigint",
        )
        .fetch_one(pool)
        .await?);
        Ok(Some(Position { open_from, at, server, seen: HashSet::new() }))
    }

    /// Changes committed since `position`, which moves on.
    ///
    /// # Errors
    /// The database is away: the position stays.
    pub async fn changes_since(&self, position: &mut Position) -> Result<Changes, StoreError> {
        let Pool::Postgres(pools) = &self.pool else { return Ok(Changes::Some(Vec::new())) };
        // One statement, one snapshot: what it does not show was written by a transaction that it calls open.
        let rows: Vec<ChangeRow> = asked!(self, pools, pool => sqlx::query_as(
            "select pg_snapshot_xmin(pg_current_snapshot())::text::bigint, \
             (extract(epoch from clock_timestamp()) * 1000)::bigint, \
             (extract(epoch from pg_postmaster_start_time()) * 1000)::bigint, c.number, c.website_id \
             from (select 1) one left join website_change c on c.written_by >= $1 order by c.number limit $2",
        )
        .bind(position.open_from)
        .bind(AT_ONCE + 1)
        .fetch_all(pool)
        .await?);
        let Some((open_from, at, server, ..)) = rows.first().copied() else { return Ok(Changes::Some(Vec::new())) };
        let found: Vec<Change> = rows
            .into_iter()
            .filter_map(|(.., number, id)| Some(Change { number: number?, website_id: WebsiteId(id?) }))
            .collect();
        // A minute early: rows are deleted by the same clock.
        let reaches_back = (at - position.at) < KEPT_MS - 60_000;
        // After a failover, or a crash, transactions that the old server lost are counted again: changes written by them
        // look as if they had been seen.
        let is_same = server == position.server && open_from >= position.open_from;
        if !is_same || !reaches_back || i64::try_from(found.len()).unwrap_or(i64::MAX) > AT_ONCE {
            *position = Position { open_from, at, server, seen: HashSet::new() };
            return Ok(Changes::TooMany);
        }
        let seen = found.iter().map(|change| change.number).collect();
        let before = std::mem::replace(position, Position { open_from, at, server, seen });
        Ok(Changes::Some(found.into_iter().filter(|change| !before.seen.contains(&change.number)).collect()))
    }

    /// For the scheduler: those of these websites that exist and are not paused.
    ///
    /// # Errors
    /// The database is away.
    pub async fn scheduled_among(&self, ids: &[WebsiteId]) -> Result<Vec<Website>, StoreError> {
        let Pool::Postgres(pools) = &self.pool else { return Ok(Vec::new()) };
        let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        let sql = format!("select {WEBSITE} from website where website_id = any($1) and not paused and kind = 'http'");
        let rows: Vec<WebsiteRow> =
            asked!(self, pools, pool => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(ids).fetch_all(pool).await?);
        rows.into_iter().map(Website::try_from).collect()
    }

    /// Takes on looks at once that changes in the table ask for and nobody has taken on, at most `limit`.
    ///
    /// # Errors
    /// The database is away.
    pub async fn take_some_first_looks(&self, limit: i64) -> Result<Vec<WebsiteId>, StoreError> {
        let Pool::Postgres(pools) = &self.pool else { return Ok(Vec::new()) };
        let ids: Vec<Uuid> = asked!(self, pools, pool => sqlx::query_scalar(
            "with mine as (select number from website_change where not looked \
                           order by number limit $1 for update skip locked) \
             update website_change c set looked = true from mine where c.number = mine.number returning c.website_id",
        )
        .bind(limit)
        .fetch_all(pool)
        .await?);
        Ok(ids.into_iter().map(WebsiteId).collect())
    }

    /// Takes on the look at once that these changes ask for: those of them nobody else did.
    ///
    /// # Errors
    /// The database is away.
    pub async fn take_first_looks(&self, changes: &[Change]) -> Result<Vec<WebsiteId>, StoreError> {
        let Pool::Postgres(pools) = &self.pool else { return Ok(Vec::new()) };
        let numbers: Vec<i64> = changes.iter().map(|change| change.number).collect();
        // In one order, so that two hubs never wait for each other.
        let ids: Vec<Uuid> = asked!(self, pools, pool => sqlx::query_scalar(
            "with mine as (select number from website_change where number = any($1) and not looked \
                           order by number for update skip locked) \
             update website_change c set looked = true from mine where c.number = mine.number returning c.website_id",
        )
        .bind(numbers)
        .fetch_all(pool)
        .await?);
        Ok(ids.into_iter().map(WebsiteId).collect())
    }

    /// Forgets changes that everybody has read; a part of them, so that it ends in time also after a large import.
    ///
    /// # Errors
    /// The database is away.
    pub async fn drop_old_changes(&self) -> Result<(), StoreError> {
        let Pool::Postgres(pools) = &self.pool else { return Ok(()) };
        asked!(self, pools, pool => sqlx::query(
            "delete from website_change where number in (select number from website_change \
             where at < (extract(epoch from clock_timestamp()) * 1000)::bigint - $1 order by at limit $2 \
             for update skip locked)",
        )
        .bind(KEPT_MS)
        .bind(FORGOTTEN_AT_ONCE)
        .execute(pool)
        .await?);
        Ok(())
    }

    /// A doorbell, on a connection of its own. `None`: nobody else can change websites.
    ///
    /// # Errors
    /// The database is away, or something in between (a pooler) does not pass it on. Nothing is lost then: the changes
    /// are in the table.
    pub async fn doorbell(&self) -> Result<Option<Doorbell>, StoreError> {
        let Pool::Postgres(pools) = &self.pool else { return Ok(None) };
        let options = pools.get().connect_options().as_ref().clone();
        let own = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None).connect_with(options);
        let mut listener = PgListener::connect_with(&own.await?).await?;
        listener.ignore_pool_close_event(true);
        listener.eager_reconnect(false);
        listener.listen(CHANNEL).await?;
        Ok(Some(Doorbell { listener }))
    }
}

/// Rings when websites changed, nearly always; what it says is nothing to rely on.
#[derive(Debug)]
pub struct Doorbell {
    listener: PgListener,
}

impl Doorbell {
    /// Waits until it rings.
    ///
    /// # Errors
    /// The connection is gone: there is to be a new one.
    pub async fn rings(&mut self) -> Result<(), StoreError> {
        match self.listener.try_recv().await? {
            Some(_) => Ok(()),
            None => Err(StoreError::Database(sqlx::Error::PoolClosed)),
        }
    }
}
