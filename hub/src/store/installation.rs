//! The whole installation, for its operator: all websites with what is known of them, and how much waits. From tables of
//! what holds now, never from ticks; each reading is a fixed number of statements of bounded length.

use std::time::{Duration, Instant};

use sqlx::FromRow;
use uuid::Uuid;

use super::row::{REGION_STATE, RegionStateRow, STATE, StateFields, WEBSITE, WebsiteRow};
use super::ties::tags_of_row;
use super::{Pool, Store, StoreError, read};
use crate::model::{RegionState, Tag, UtcMs, Website, WebsiteId, WebsiteState};

/// What is counted is counted up to this.
const COUNTED: i64 = 10_000;

#[derive(Debug, FromRow)]
struct WatchedRow {
    #[sqlx(flatten)]
    website: WebsiteRow,
    #[sqlx(flatten)]
    state: StateFields,
    tags: String,
}

/// A website, and what holds of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// The website.
    pub website: Website,
    /// Its verdict.
    pub state: WebsiteState,
    /// Its tags.
    pub tags: Vec<Tag>,
}

/// Alerts on their way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outbox {
    /// Whose time has come, as far as they are counted.
    pub due: i64,
    /// When the first of all that wait is due.
    pub first_due_at: Option<UtcMs>,
    /// Given up, as far as they are counted.
    pub dead: i64,
    /// Incidents that go on, as far as they are counted.
    pub incidents: i64,
    /// Hours and days that are to be counted again, as far as they are counted.
    pub to_count_again: i64,
}

/// How the connections to the database are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolUse {
    /// At work.
    pub in_use: u32,
    /// Open, and free.
    pub idle: u32,
    /// As many as there may be.
    pub most: u32,
    /// How long one was waited for just now.
    pub waited: Duration,
}

impl Store {
    /// At most `most` websites of all accounts, oldest first, and how many there are besides.
    ///
    /// # Errors
    /// The database is away.
    pub async fn all_watched(&self, most: i64) -> Result<(Vec<Watched>, i64), StoreError> {
        // Keys are in the order in which they were made.
        let select = format!(
            "select {WEBSITE}, {STATE}, tags from website join website_state using (website_id) \
             order by website_id limit $1"
        );
        let rows: Vec<WatchedRow> = read!(self, pool => sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()))
            .bind(most).fetch_all(pool).await?);
        let found = i64::try_from(rows.len()).unwrap_or(i64::MAX);
        let left_out = if found < most {
            0
        } else {
            let all: i64 =
                read!(self, pool => sqlx::query_scalar("select count(*) from website").fetch_one(pool).await?);
            all.saturating_sub(found).max(0)
        };
        let watched = |row: WatchedRow| {
            let website = Website::try_from(row.website)?;
            let state = row.state.shown(website.website_id);
            Ok(Watched { state, tags: tags_of_row(&row.tags), website })
        };
        Ok((rows.into_iter().map(watched).collect::<Result<_, StoreError>>()?, left_out))
    }

    /// What each region last saw of the same websites, by website and region.
    ///
    /// # Errors
    /// The database is away.
    pub async fn all_region_states(&self, most: i64) -> Result<Vec<(WebsiteId, RegionState)>, StoreError> {
        let select = format!(
            "select {REGION_STATE} from region_state \
             where website_id in (select website_id from website order by website_id limit $1) \
             order by website_id, region_id"
        );
        let rows: Vec<RegionStateRow> = read!(self, pool => sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()))
            .bind(most).fetch_all(pool).await?);
        rows.into_iter().map(|row| Ok((WebsiteId(row.website_id), row.try_into()?))).collect()
    }

    /// How much waits to be told, goes on, or is to be counted again.
    ///
    /// # Errors
    /// The database is away.
    pub async fn outbox(&self, now: UtcMs) -> Result<Outbox, StoreError> {
        let (due, first_due_at, dead, incidents, to_count_again): (i64, Option<i64>, i64, i64, i64) = read!(self, pool => sqlx::query_as(
            "select (select count(*) from (select 1 from alert where state = 'waiting' and due_at <= $1 limit $2) as a), \
             (select min(due_at) from alert where state = 'waiting'), \
             (select count(*) from (select 1 from alert where state = 'dead' limit $2) as b), \
             (select count(*) from (select 1 from incident where closed_at is null limit $2) as c), \
             (select count(*) from (select 1 from roll_up_due limit $2) as d)")
            .bind(now).bind(COUNTED).fetch_one(pool).await?);
        Ok(Outbox { due, first_due_at, dead, incidents, to_count_again })
    }

    /// How the connections for reading are used, and how long one is waited for.
    ///
    /// # Errors
    /// There was none to be had.
    pub async fn pool_use(&self) -> Result<PoolUse, StoreError> {
        macro_rules! used {
            ($pool:expr) => {{
                let pool = $pool;
                let (size, idle) = (pool.size(), u32::try_from(pool.num_idle()).unwrap_or(u32::MAX));
                let began = Instant::now();
                drop(pool.acquire().await?);
                let most = pool.options().get_max_connections();
                PoolUse { in_use: size.saturating_sub(idle), idle, most, waited: began.elapsed() }
            }};
        }
        Ok(match &self.pool {
            Pool::Postgres(pools) => used!(pools.get()),
            Pool::Sqlite { read, .. } => used!(read),
        })
    }

    /// Whose website it is, when its badges are for everybody.
    ///
    /// # Errors
    /// The database is away.
    pub async fn owner_of_badges(&self, id: WebsiteId) -> Result<Option<crate::model::AccountId>, StoreError> {
        let owner: Option<Uuid> = read!(self, pool => sqlx::query_scalar(
            "select account_id from website where website_id = $1 and is_badge_public")
            .bind(id.0).fetch_optional(pool).await?);
        Ok(owner.map(crate::model::AccountId))
    }
}
