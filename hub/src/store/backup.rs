//! A copy of all there is, as of one moment, beside a hub that goes on working: of SQLite. Postgres has `pg_dump`.

use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, SqliteConnection};

use super::{Pool, Store, StoreError};

/// Rows of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableCount {
    /// The table.
    pub table: String,
    /// How many.
    pub rows: i64,
}

impl Store {
    /// Writes all there is into `file`, which is empty or not there, without pages that nothing is on any more
    /// (<https://www.sqlite.org/lang_vacuum.html#vacuuminto>). What others write meanwhile is not in it. Returns false on
    /// Postgres, where nothing is done.
    ///
    /// # Errors
    /// It cannot be read or written.
    pub async fn copy_into(&self, file: &Path) -> Result<bool, StoreError> {
        let Pool::Sqlite { read, .. } = &self.pool else { return Ok(false) };
        let name = file.to_str().ok_or_else(|| StoreError::Corrupt(format!("{} is not UTF-8", file.display())))?;
        sqlx::query("vacuum into $1").bind(name).execute(read).await?;
        Ok(true)
    }

    /// Reads all of a copy, and counts what is in it, by table.
    ///
    /// # Errors
    /// It cannot be read, or is damaged.
    pub async fn check_copy(file: &Path) -> Result<Vec<TableCount>, StoreError> {
        // Immutable: nothing is written beside it.
        let options = SqliteConnectOptions::new().filename(file).read_only(true).immutable(true);
        let mut copy = options.connect().await?;
        let found: Vec<String> = sqlx::query_scalar("pragma integrity_check(10)").fetch_all(&mut copy).await?;
        if found != ["ok"] {
            return Err(StoreError::Corrupt(format!("{}: {}", file.display(), found.join("; "))));
        }
        let counts = counts(&mut copy).await?;
        copy.close().await?;
        Ok(counts)
    }
}

async fn counts(copy: &mut SqliteConnection) -> Result<Vec<TableCount>, StoreError> {
    let tables: Vec<String> = sqlx::query_scalar(
        "select name from sqlite_master where type = 'table' and name not like 'sqlite\\_%' escape '\\' order by name",
    )
    .fetch_all(&mut *copy)
    .await?;
    let mut counts = Vec::with_capacity(tables.len());
    for table in tables {
        let sql = format!("select count(*) from \"{}\"", table.replace('"', "\"\""));
        let rows = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut *copy).await?;
        counts.push(TableCount { table, rows });
    }
    Ok(counts)
}
