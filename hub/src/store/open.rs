//! Opening and closing.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::{SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _};

use super::pools::Pools;
use super::{Pool, Store, StoreError};
use crate::clock;

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
