//! The only SQL. One text for both databases wherever possible (`$1` parameters, `on conflict`, `returning`); a text
//! enum becomes a type here and nowhere else.
//!
//! Every function that touches what belongs to somebody takes the account first (D24). No transaction is ever put
//! under a timeout, a `select!` or an abort: sqlx 0.9 would hand a poisoned connection to the next user (D18).

mod accounts;
mod alerts;
mod api_keys;
mod audit;
mod backup;
mod board;
mod bulk;
mod capacity;
mod changes;
mod channels;
mod dead_letters;
mod factor;
mod facts;
mod find;
mod history;
mod idempotency;
mod ids;
mod incidents;
mod ingest;
mod installation;
mod jobs;
mod keeping;
mod kuma;
mod lines;
mod live;
mod maintenance;
mod managed;
mod migrate;
mod mutes;
mod open;
mod operator;
mod past;
mod pools;
mod regions;
mod reports;
mod roll_up;
mod row;
mod schedule;
mod sealed;
mod sessions;
mod status_pages;
mod story;
mod teams;
mod ticks;
mod ties;
mod upgrade;
mod uptime;
pub mod wall;
mod websites;

pub use alerts::{ClaimedAlert, NewAlert, TryRecord};
pub use api_keys::KeyAdded;
pub use backup::TableCount;
pub use bulk::NewWebsite;
pub use capacity::UsedBytes;
pub use changes::{Change, Changes, Doorbell, Position};
pub use channels::ChannelEdited;
pub use dead_letters::LetterWebsite;
pub use factor::Factor;
pub use facts::{ChannelFacts, ClockFacts, DatabaseFacts, PostgresFacts};
pub use history::TickWalk;
pub use idempotency::{Begun, OnceKey};
pub use incidents::{IncidentStory, OperatorReviewed, Reviewed};
pub use ingest::{Expired, Ingested, Letter};
pub use installation::{Outbox, PoolUse, Watched};
pub use jobs::{Heard, KnownJob, Missed, Pinged};
pub use kuma::read_kuma;
pub use maintenance::{MaintenanceSaved, PAST_KEPT_MS};
pub use managed::Applied;
pub use reports::{Reported, ScheduleAdded};
pub use roll_up::{ForgottenHours, Latency, RolledUp, Series, SeriesAsked};
pub use schedule::{ClaimAnswer, ClaimTurn};
pub use sealed::{
    CheckPosition, DayFate, EndedDay, Forgotten, OwnPosition, PastOwn, SealPosition, Sealed, SealedBlock,
};
pub use status_pages::{
    AskedSubscription, ClaimedMail, MailTried, PageName, PostOfIncident, PostSaved, PublicComponent, PublicPage,
    PublishedOn, StatusPageSaved, Subscription,
};
pub use story::{StoryAsked, WebsiteStory};
pub use teams::{Accepted, AccountEnded, Joined, MemberChanged};
pub use ties::TiesSaved;
pub use upgrade::Upgrade;
pub use uptime::{SELECT_UPTIME_DAYS, UptimeOver};
pub use websites::Edited;

use sqlx::SqlitePool;

use crate::metrics::Counts;
use crate::model::shares::Shares;
use crate::model::upgrade::Misfit;

/// The database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    pool: Pool,
    /// What of a website's slots is used, where ingest has to know how often it is looked at.
    shares: Shares,
    /// Rung by whoever has committed alerts, so that they leave at once.
    bell: std::sync::Arc<tokio::sync::Notify>,
    /// What this process counts, for all who have the store.
    counts: std::sync::Arc<Counts>,
    /// Websites, jobs among them, that an account may have; `None`: any number.
    most_websites: Option<i64>,
}

#[derive(Debug, Clone)]
enum Pool {
    Postgres(pools::Pools),
    /// One writer, so that nothing ever waits for a lock; readers see the last commit (WAL).
    Sqlite {
        write: SqlitePool,
        read: SqlitePool,
        _lock: std::sync::Arc<Option<std::fs::File>>,
    },
}

/// A uniqueness rule of the database that an insert met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conflict {
    /// An account of that name exists.
    UsernameTaken,
}

/// Why the database did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A uniqueness rule.
    #[error("conflict: {0:?}")]
    Conflict(Conflict),
    /// Another hub owns the SQLite file.
    #[error("another hub runs on {file}; stop it, or give this one its own STATE_DIRECTORY")]
    InUse {
        /// The file.
        file: String,
    },
    /// The SQLite file or its directory cannot be used.
    #[error("{file} cannot be opened: {cause}")]
    File {
        /// The file.
        file: String,
        /// Why.
        cause: std::io::Error,
    },
    /// What is stored cannot be read back: our bug, or somebody edited it.
    #[error("a stored value is not understood: {0}")]
    Corrupt(String),
    /// Migrations.
    #[error("migration failed: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// The database is not for this version of the hub.
    #[error(transparent)]
    Misfit(#[from] Misfit),
    /// A migration never had its table to itself.
    #[error(
        "migration failed: in {tries} tries a table was always in use; end long transactions (a backup, an open psql), \
         then start again"
    )]
    MigrationLocked {
        /// How often it was tried.
        tries: u32,
    },
    /// The account has as many websites as it may have (T120).
    #[error("the account has {most} websites and jobs, as many as it may have")]
    Full {
        /// So many.
        most: i64,
    },
    /// Verdicts of these change, and their accounts are others' for now.
    #[error("{} websites wait for what others do to their accounts", .0.len())]
    Held(std::collections::BTreeSet<crate::model::WebsiteId>),
    /// The database did not answer for longer than it ever takes.
    #[error("database: no answer")]
    Silent,
    /// The database is away, or refused.
    #[error("database: {0}")]
    Database(sqlx::Error),
}

impl Store {
    fn new(pool: Pool) -> Self {
        let (bell, counts) = (std::sync::Arc::default(), std::sync::Arc::default());
        Self { pool, shares: Shares::default(), bell, counts, most_websites: None }
    }

    /// Waits until this process has written an alert. Those of other hubs are found by looking, every second.
    pub async fn alert_written(&self) {
        self.bell.notified().await;
    }

    /// Whoever waits for alerts looks now: some were committed.
    fn ring(&self) {
        self.bell.notify_one();
    }

    /// The same database, where ticks and verdicts are judged by the pace of these hosts.
    #[must_use]
    pub fn paced_by(self, shares: &Shares) -> Self {
        Self { shares: shares.clone(), ..self }
    }

    /// The same database, where an account may have so many websites, jobs among them.
    #[must_use]
    pub fn with_most_websites(self, most: Option<i64>) -> Self {
        Self { most_websites: most, ..self }
    }

    /// What this process has counted since its start.
    #[must_use]
    pub fn counts(&self) -> &std::sync::Arc<Counts> {
        &self.counts
    }

    /// Whether it is a file of this process's own: one writer.
    #[must_use]
    pub fn is_sqlite(&self) -> bool {
        matches!(self.pool, Pool::Sqlite { .. })
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let unique = error.as_database_error().filter(|e| e.is_unique_violation());
        // Postgres names the constraint, SQLite names the column.
        let taken = unique.is_some_and(|e| {
            e.constraint() == Some("account_username_taken") || e.message().contains("account.username_key")
        });
        if taken { Self::Conflict(Conflict::UsernameTaken) } else { Self::Database(error) }
    }
}

impl StoreError {
    /// Whether the same call may succeed later: the database is away, full, locked or busy.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Database(_) | Self::Silent) && !self.is_fault_of_the_data()
    }

    /// Whether another transaction was met the other way round, so that the same call may succeed at once.
    pub(crate) fn is_collision(&self) -> bool {
        // serialization_failure, deadlock_detected
        self.sqlstate().is_some_and(|code| matches!(&*code, "40001" | "40P01"))
    }

    /// Whether something was held by another for longer than one waits for it (`lock_timeout`).
    pub(crate) fn is_lock_timeout(&self) -> bool {
        matches!(self, Self::Held(_)) || self.sqlstate().is_some_and(|code| code == "55P03")
    }

    /// Whether a statement took longer than one may (`statement_timeout`).
    pub(crate) fn is_statement_timeout(&self) -> bool {
        // query_canceled
        self.sqlstate().is_some_and(|code| code == "57014")
    }

    fn sqlstate(&self) -> Option<std::borrow::Cow<'_, str>> {
        match self {
            Self::Database(sqlx::Error::Database(error)) => error.code(),
            _ => None,
        }
    }

    /// Whether something that this version asks for is not in the schema: a table, a column.
    pub(crate) fn is_lacking_schema(&self) -> bool {
        let Self::Database(sqlx::Error::Database(error)) = self else { return false };
        match error.code().as_deref() {
            // undefined_table, undefined_column
            Some("42P01" | "42703") => true,
            // SQLITE_ERROR: of all kinds, told apart by their words alone.
            Some("1") => ["no such table", "no such column"].iter().any(|words| error.message().starts_with(words)),
            Some(_) | None => false,
        }
    }

    /// Whether there is no room for what was to be stored.
    #[must_use]
    pub fn is_full(&self) -> bool {
        // disk_full of Postgres; SQLITE_FULL.
        self.sqlstate().is_some_and(|code| code == "53100" || code == "13")
    }

    /// Whether what was given is at fault, so that the same call can never succeed. All else (database away, full, locked,
    /// read-only, not migrated) may pass: nothing may be given up for it.
    #[must_use]
    pub fn is_fault_of_the_data(&self) -> bool {
        match self {
            Self::Database(sqlx::Error::Database(error)) => error.code().is_some_and(|code| match code.len() {
                // SQLSTATE 22: data exception, 23: integrity constraint.
                5 => code.starts_with("22") || code.starts_with("23"),
                // SQLite's extended codes; the low byte says TOOBIG, CONSTRAINT, MISMATCH or RANGE.
                _ => code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 18 | 19 | 20 | 25)),
            }),
            Self::Corrupt(_) | Self::Conflict(_) | Self::Full { .. } => true,
            Self::Database(error) => {
                matches!(error, sqlx::Error::Encode(_) | sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. })
            }
            Self::InUse { .. }
            | Self::File { .. }
            | Self::Migrate(_)
            | Self::Misfit(_)
            | Self::MigrationLocked { .. }
            | Self::Held(_)
            | Self::Silent => false,
        }
    }
}

/// Runs one body on the pool for writes of either database: it is compiled twice, once per driver. On Postgres it waits for
/// answers no longer than [`Store::answered`] does.
macro_rules! write {
    ($store:expr, $pool:ident => $body:expr) => {
        match &$store.pool {
            $crate::store::Pool::Postgres(pools) => $crate::store::asked!($store, pools, $pool => $body),
            $crate::store::Pool::Sqlite { write: $pool, .. } => $body,
        }
    };
}

/// The same, on the pool for reads.
macro_rules! read {
    ($store:expr, $pool:ident => $body:expr) => {
        match &$store.pool {
            $crate::store::Pool::Postgres(pools) => $crate::store::asked!($store, pools, $pool => $body),
            $crate::store::Pool::Sqlite { read: $pool, .. } => $body,
        }
    };
}

/// The same, on Postgres alone.
macro_rules! asked {
    ($store:expr, $pools:expr, $pool:ident => $body:expr) => {{
        let pool = $pools.get();
        let $pool = &pool;
        $store.answered(async { Ok($body) }).await?
    }};
}

/// Reads once what takes a while: at a start, over whole tables, of which there may be gigabytes. On Postgres within a minute
/// instead of the few seconds every other statement has.
macro_rules! patiently {
    ($store:expr, $connection:ident => $body:expr) => {
        match &$store.pool {
            $crate::store::Pool::Postgres(pools) => {
                let mut tx = pools.get().begin().await?;
                sqlx::query("set local statement_timeout = '60s'").execute(&mut *tx).await?;
                let $connection = &mut *tx;
                let found = $body;
                tx.commit().await?;
                found
            }
            $crate::store::Pool::Sqlite { read: $connection, .. } => $body,
        }
    };
}

/// In a transaction that is to add a website: refuses where the account has as many as it may have. Those that add at once take
/// turns, so that the limit holds (T120).
macro_rules! room {
    ($store:expr, $tx:ident, $account:expr) => {
        if let Some(most) = $store.most_websites {
            sqlx::query("update account set username = username where account_id = $1")
                .bind($account.0)
                .execute(&mut *$tx)
                .await?;
            let has: i64 = sqlx::query_scalar("select count(*) from website where account_id = $1")
                .bind($account.0)
                .fetch_one(&mut *$tx)
                .await?;
            if has >= most {
                $tx.rollback().await?;
                return Err(StoreError::Full { most });
            }
        }
    };
}

use {asked, patiently, read, room, write};
