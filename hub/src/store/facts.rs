//! What a database is and how it is set, for whoever looks whether all is well. Nothing is written, nor brought up to date.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{Connection as _, FromRow, PgConnection};

use super::migrate::newest_schema;
use super::{Pool, Store, StoreError, asked, read};
use crate::clock;
use crate::model::upgrade::Misfit;
use crate::model::{ChannelSettings, UtcMs};

/// Channels that are looked at.
const CHANNELS: i64 = 10_000;

/// A database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseFacts {
    /// "Postgres 15.18", "SQLite 3.50.4".
    pub version: String,
    /// The newest migration that it has; `None`: it has none.
    pub schema: Option<i64>,
    /// The newest that this version of the hub brings.
    pub newest_schema: i64,
    /// Why this version of the hub cannot use it; `None`: it can, or could when it is up to date.
    pub misfit: Option<Misfit>,
    /// How Postgres is set.
    pub postgres: Option<PostgresFacts>,
}

/// How Postgres is set, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct PostgresFacts {
    /// `server_version_num`, e.g. 150018.
    pub version_number: i32,
    /// `fsync`: on.
    pub fsync: bool,
    /// `full_page_writes`: on.
    pub full_page_writes: bool,
    /// `synchronous_commit` of this user: anything but off.
    pub synchronous_commit: bool,
    /// `max_connections` that this user may have a part of.
    pub connections: i32,
    /// It follows another one, and takes no writes.
    pub is_in_recovery: bool,
}

/// This machine's clock against the database's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockFacts {
    /// The machine's is ahead by so much, in milliseconds.
    pub ahead_ms: i64,
    /// Give or take so much: how long the answer took.
    pub error_ms: i64,
}

/// Whether anybody can be told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChannelFacts {
    /// Channels that are on.
    pub on: i64,
    /// Of these, those that send mail and lack server, sender or receiver, or cannot be read.
    pub unusable: i64,
    /// Channels that were given up, and switched off.
    pub broken: i64,
}

impl Store {
    /// Opens the SQLite file in `directory` to look at it, also beside a hub that runs on it; `None`: there is none.
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn open_sqlite_to_look(directory: &Path) -> Result<Option<Self>, StoreError> {
        let file = directory.join("betteruptime.sqlite");
        if !file.is_file() {
            return Ok(None);
        }
        // Where nobody has it open, no file is made beside it: whoever looks may be another user than the hub.
        let is_open = directory.join("betteruptime.sqlite-wal").exists();
        let options = SqliteConnectOptions::new().filename(&file).read_only(true).immutable(!is_open);
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
        let (write, read) = (pool.clone(), pool);
        Ok(Some(Self::new(Pool::Sqlite { write, read, _lock: std::sync::Arc::new(None) })))
    }

    /// Whether one connection to Postgres can be had. A pool tries again and again, and does not say why it has none.
    ///
    /// # Errors
    /// Why not: nobody is there, the user is not let in, there is no such database.
    pub async fn reach_postgres(url: &str) -> Result<(), StoreError> {
        Ok(PgConnection::connect(url).await?.close().await?)
    }

    /// What it is.
    ///
    /// # Errors
    /// It is away.
    pub async fn facts(&self) -> Result<DatabaseFacts, StoreError> {
        let (version, postgres): (String, Option<PostgresFacts>) = match &self.pool {
            Pool::Postgres(pools) => asked!(self, pools, pool => (
                sqlx::query_scalar("select 'Postgres ' || split_part(current_setting('server_version'), ' ', 1)")
                    .fetch_one(pool).await?,
                Some(sqlx::query_as(
                    "select current_setting('server_version_num')::int as version_number, current_setting('fsync')::bool as fsync, \
                     current_setting('full_page_writes')::bool as full_page_writes, \
                     current_setting('synchronous_commit') <> 'off' as synchronous_commit, \
                     current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int \
                     as connections, pg_is_in_recovery() as is_in_recovery").fetch_one(pool).await?),
            )),
            Pool::Sqlite { read, .. } => {
                (sqlx::query_scalar("select 'SQLite ' || sqlite_version()").fetch_one(read).await?, None)
            }
        };
        let seen = self.seen().await?;
        let newest_schema = newest_schema(self.is_sqlite());
        Ok(DatabaseFacts {
            version,
            schema: seen.newest(),
            newest_schema,
            misfit: seen.misfit(self.is_sqlite()),
            postgres,
        })
    }

    /// The clocks. `None`: there is one.
    ///
    /// # Errors
    /// The database is away.
    pub async fn clock_facts(&self) -> Result<Option<ClockFacts>, StoreError> {
        let Pool::Postgres(pools) = &self.pool else { return Ok(None) };
        let (before_us, wall_at) = (clock::steady_us(), clock::wall());
        let database_at: UtcMs = asked!(self, pools, pool => sqlx::query_scalar(
            "select (extract(epoch from clock_timestamp()) * 1000)::bigint").fetch_one(pool).await?);
        let took_ms = clock::steady_us().saturating_sub(before_us) / 1_000;
        // It was asked half-way.
        let ahead_ms = wall_at.saturating_add(took_ms / 2).saturating_sub(database_at);
        Ok(Some(ClockFacts { ahead_ms, error_ms: took_ms / 2 + 1 }))
    }

    /// The channels of all accounts.
    ///
    /// # Errors
    /// The database is away.
    pub async fn channel_facts(&self) -> Result<ChannelFacts, StoreError> {
        let rows: Vec<(String, bool, bool)> = read!(self, pool => sqlx::query_as(
            "select settings, is_on, broken_at is not null from channel where is_on or broken_at is not null limit $1")
            .bind(CHANNELS).fetch_all(pool).await?);
        let mut facts = ChannelFacts::default();
        for (settings, is_on, is_broken) in rows {
            facts.broken += i64::from(is_broken);
            facts.on += i64::from(is_on);
            facts.unusable += i64::from(is_on && !is_usable(&settings));
        }
        Ok(facts)
    }
}

fn is_usable(settings: &str) -> bool {
    match serde_json::from_str(settings) {
        Ok(ChannelSettings::Email { server, from, to, .. }) => !server.is_empty() && !from.is_empty() && !to.is_empty(),
        Ok(
            ChannelSettings::Webhook { .. }
            | ChannelSettings::Slack { .. }
            | ChannelSettings::Discord { .. }
            | ChannelSettings::Telegram { .. }
            | ChannelSettings::Ntfy { .. }
            | ChannelSettings::Pagerduty { .. }
            | ChannelSettings::Alertmanager { .. },
        ) => true,
        Err(_) => false,
    }
}
