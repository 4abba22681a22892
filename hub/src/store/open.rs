//! Opening, migrating, closing.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::migrate::{Migrate, MigrateError, Migrator};
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::{SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};

use super::pools::Pools;
use super::{Pool, Store, StoreError};
use crate::clock;

static POSTGRES: Migrator = sqlx::migrate!("../migrations/postgres");
static SQLITE: Migrator = sqlx::migrate!("../migrations/sqlite");

/// Tries of a migration whose table others use, a second apart.
const MIGRATION_TRIES: u32 = 30;

/// The newest migration of this version.
pub(super) fn newest_schema(is_sqlite: bool) -> i64 {
    let migrator = if is_sqlite { &SQLITE } else { &POSTGRES };
    migrator.iter().map(|migration| migration.version).max().unwrap_or(0)
}

impl Store {
    /// Opens `betteruptime.sqlite` in `directory`, which exists, for this process alone (D19).
    ///
    /// # Errors
    /// Another hub has it open, or it cannot be read or written.
    pub async fn open_sqlite(directory: &Path) -> Result<Self, StoreError> {
        let file = directory.join("betteruptime.sqlite");
        let failed = |cause| StoreError::File { file: file.display().to_string(), cause };
        let private = |path: &Path| OpenOptions::new().create(true).append(true).mode(0o600).open(path);
        let lock = private(&directory.join("betteruptime.lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => {
                return Err(StoreError::InUse { file: file.display().to_string() });
            }
            Err(std::fs::TryLockError::Error(cause)) => return Err(failed(cause)),
        }
        private(&file).map_err(failed)?; // SQLite gives its side files the mode of the main file
        Self::connect_sqlite(&file, Some(lock)).await
    }

    /// Opens the file that a running hub owns, for one short command: a write waits for the hub's, and the other way.
    ///
    /// # Errors
    /// It cannot be read or written.
    pub async fn open_sqlite_beside(directory: &Path) -> Result<Self, StoreError> {
        Self::connect_sqlite(&directory.join("betteruptime.sqlite"), None).await
    }

    async fn connect_sqlite(file: &Path, lock: Option<File>) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .journal_mode(SqliteJournalMode::Wal)
            // Acknowledged means stored, also after a power cut (I1).
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(5));
        if std::fs::metadata(file).is_ok_and(|found| found.len() == 0) {
            // Of a file that is new: room can be given back piece by piece. One from before keeps it for what comes. Not on
            // every connection: it writes, and whoever has read by then in his transaction may not write any more.
            let mut first = options.clone().auto_vacuum(SqliteAutoVacuum::Incremental).connect().await?;
            sqlx::query("vacuum").execute(&mut first).await?;
            first.close().await?;
        }
        let pool = |most| SqlitePoolOptions::new().max_connections(most).acquire_timeout(Duration::from_secs(5));
        let write = pool(1).connect_with(options.clone()).await?;
        let read = pool(4).connect_with(options).await?;
        Ok(Self::new(Pool::Sqlite { write, read, _lock: Arc::new(lock) }))
    }

    /// Opens Postgres 14 or newer, and goes by its clock from then on.
    ///
    /// # Errors
    /// It cannot be reached, or refuses.
    pub async fn open_postgres(url: &str) -> Result<Self, StoreError> {
        let options = PgConnectOptions::from_str(url)?.application_name("betteruptime-hub").options([
            // D17: a stuck peer must not stop others.
            ("statement_timeout", "5s"),
            ("lock_timeout", "2s"),
            ("idle_in_transaction_session_timeout", "10s"),
            // Our statements take milliseconds; compiling one first takes a hundred, and Postgres chooses to where a table's
            // statistics are not there yet (`bench/history_reads`: a page p99 771 ms with it, 18 without).
            ("jit", "off"),
            // "already exists, skipping" is not news.
            ("client_min_messages", "warning"),
        ]);
        let pools = Pools::open(options).await?;
        let asked_us = clock::steady_us();
        let now_at: i64 = sqlx::query_scalar("select (extract(epoch from clock_timestamp()) * 1000)::bigint")
            .fetch_one(&pools.get())
            .await?;
        clock::learn(asked_us, now_at);
        Ok(Self::new(Pool::Postgres(pools)))
    }

    /// Brings the schema up to date; two hubs that start together take turns. Returns what was, or would be, applied.
    /// A hub that runs meanwhile keeps running: no table is locked for longer than 2 s at a time to wait for a long
    /// reader, such as a backup.
    ///
    /// # Errors
    /// A migration failed, or never had its table to itself; it is rolled back.
    pub async fn migrate(&self, dry_run: bool) -> Result<Vec<String>, StoreError> {
        let migrator = match &self.pool {
            Pool::Postgres(_) => &POSTGRES,
            Pool::Sqlite { .. } => &SQLITE,
        };
        let applied: Vec<i64> = super::write!(self, pool => {
            let mut connection = pool.acquire().await?;
            connection.ensure_migrations_table(&migrator.table_name).await?;
            let applied = connection.list_applied_migrations(&migrator.table_name).await?;
            applied.into_iter().map(|m| m.version).collect()
        });
        let waiting = migrator.iter().filter(|m| !applied.contains(&m.version));
        let names = waiting.map(|m| format!("{:04} {}", m.version, m.description)).collect();
        if !dry_run {
            match &self.pool {
                Pool::Postgres(pools) => {
                    let mut connection = pools.get().acquire().await?;
                    connection.close_on_drop(); // its session settings are not for others
                    migrate_beside_others(migrator, &mut connection).await?;
                    super::wall::build(&mut connection).await;
                }
                Pool::Sqlite { write, .. } => migrator.run(write).await?,
            }
            self.ensure_partitions(clock::now()).await?;
        }
        Ok(names)
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// It does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        super::read!(self, pool => sqlx::query("select 1").execute(pool).await.map(|_| ())?);
        Ok(())
    }

    /// Closes all connections; the SQLite file is then free for another hub.
    pub async fn close(&self) {
        match &self.pool {
            Pool::Postgres(pools) => pools.close().await,
            Pool::Sqlite { write, read, .. } => {
                read.close().await;
                write.close().await;
            }
        }
    }
}

/// Everybody queues behind a migration that waits for its table, so it gives way after 2 s and tries again. Its turn among
/// hubs is waited for as long as it takes: it is a lock that nobody else asks for.
async fn migrate_beside_others(migrator: &Migrator, connection: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::raw_sql("set statement_timeout = 0; set lock_timeout = 0").execute(&mut *connection).await?;
    connection.lock().await?; // again inside of `run`, which does not wait then
    sqlx::raw_sql("set lock_timeout = '2s'").execute(&mut *connection).await?;
    for n in 1..=MIGRATION_TRIES {
        match migrator.run(&mut *connection).await {
            Ok(()) => return Ok(()),
            Err(error) if !is_lock_refused(&error) => return Err(error.into()),
            Err(error) => {
                tracing::warn!(%error, "Try {n} of {MIGRATION_TRIES}: a migration needs a table that others use.");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
    Err(StoreError::MigrationLocked { tries: MIGRATION_TRIES })
}

fn is_lock_refused(error: &MigrateError) -> bool {
    let (MigrateError::Execute(cause) | MigrateError::ExecuteMigration(cause, _)) = error else { return false };
    // lock_not_available, and deadlock_detected for whoever meets a reader of several tables.
    cause.as_database_error().and_then(|e| e.code()).is_some_and(|code| matches!(&*code, "55P03" | "40P01"))
}
