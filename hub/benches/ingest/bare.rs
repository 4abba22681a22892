//! The bare limits: the same rows into an equal table, and nothing else.

use std::path::Path;
use std::time::Instant;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Executor as _, Row as _, SqlitePool, TypeInfo as _, ValueRef as _};

/// Rows per second of one COPY of all ticks, sent over one connection in the order they were stored.
pub async fn copy(pool: &sqlx::PgPool) -> f64 {
    // By way of a file that the server, on this machine, writes.
    let file = std::env::temp_dir().join(format!("bench-ticks-{}", uuid::Uuid::new_v4().simple()));
    let mut connection = pool.acquire().await.expect("a connection");
    let dump = format!("copy (select * from tick) to '{}'", file.display());
    for sql in [
        dump.as_str(),
        "create table copied (like tick including all) partition by range (slot_at)",
        "create table copied_default partition of copied default",
        "checkpoint",
    ] {
        connection.execute(sqlx::AssertSqlSafe(sql)).await.expect("a statement");
    }
    let rows = std::fs::read(&file).expect("the rows");
    let removed = std::fs::remove_file(&file);
    let started = Instant::now();
    let mut copy = connection.copy_in_raw("copy copied from stdin").await.expect("COPY");
    for chunk in rows.chunks(1 << 20) {
        copy.send(chunk).await.expect("rows");
    }
    let copied = copy.finish().await.expect("the end");
    let took = started.elapsed();
    removed.expect("the file is gone");
    copied as f64 / took.as_secs_f64()
}

pub async fn sqlite(file: &Path) -> SqlitePool {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    SqlitePoolOptions::new().max_connections(1).connect_with(options).await.expect("SQLite")
}

/// Rows per second of a prepared insert, 2,000 rows a transaction, into a file of its own, on the driver the hub uses.
pub async fn insert(from: &SqlitePool, directory: &Path) -> f64 {
    let table: String = sqlx::query_scalar("select sql from sqlite_schema where type = 'table' and name = 'tick'")
        .fetch_one(from)
        .await
        .expect("the table");
    let rows = sqlx::query("select * from tick order by received_at").fetch_all(from).await.expect("the rows");
    let to = sqlite(&directory.join("bare.sqlite")).await;
    to.execute(sqlx::AssertSqlSafe(table)).await.expect("an equal table");
    let width = rows.first().map_or(0, |row| row.len());
    let parameters = (1..=width).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ");
    let insert = format!("insert into tick values ({parameters})");
    let started = Instant::now();
    for some in rows.chunks(2_000) {
        let mut tx = to.begin().await.expect("a transaction");
        for row in some {
            let mut query = sqlx::query(sqlx::AssertSqlSafe(insert.as_str()));
            for n in 0..width {
                query = bind(query, row, n);
            }
            query.execute(&mut *tx).await.expect("a row");
        }
        tx.commit().await.expect("a commit");
    }
    rows.len() as f64 / started.elapsed().as_secs_f64()
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>;

/// A value as it was read. SQLite would turn a text into a number if it were asked to.
fn bind<'q>(query: Query<'q>, row: &sqlx::sqlite::SqliteRow, n: usize) -> Query<'q> {
    let raw = row.try_get_raw(n).expect("a value");
    let kind = if raw.is_null() { "NULL".to_owned() } else { raw.type_info().name().to_owned() };
    match kind.as_str() {
        "NULL" => query.bind(None::<i64>),
        "TEXT" => query.bind(row.try_get_unchecked::<String, _>(n).expect("a text")),
        "BLOB" => query.bind(row.try_get_unchecked::<Vec<u8>, _>(n).expect("a blob")),
        _ => query.bind(row.try_get_unchecked::<i64, _>(n).expect("a number")),
    }
}
