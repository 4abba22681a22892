//! The database of an Uptime Kuma, read as it lies there: rows as JSON, under the names of their columns, whichever version
//! made them.

use std::path::Path;

use serde_json::{Map, Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteRow};
use sqlx::{
    Column as _, ConnectOptions as _, Connection as _, Row as _, SqliteConnection, TypeInfo as _, ValueRef as _,
};

use super::StoreError;

/// Rows of a table.
const MOST: i64 = 10_000;

/// By the names of columns.
type Row = Map<String, Value>;

/// What `model::import::kuma` takes, from the file `kuma.db`. Nothing is written to it.
///
/// # Errors
/// It is no such file, or cannot be read.
pub async fn read_kuma(file: &Path) -> Result<Value, StoreError> {
    // Whoever made it need not be a friend: what its schema says is run as little as possible.
    let options = SqliteConnectOptions::new()
        .filename(file)
        .read_only(true)
        .pragma("trusted_schema", "off")
        .pragma("cell_size_check", "on");
    let mut connection = options.connect().await?;
    let Some(mut monitors) = rows(&mut connection, "monitor").await? else {
        return Err(StoreError::Corrupt("no table of monitors".to_owned()));
    };
    let tags = rows(&mut connection, "tag").await?.unwrap_or_default();
    let worn = rows(&mut connection, "monitor_tag").await?.unwrap_or_default();
    for monitor in &mut monitors {
        let of_it = worn.iter().filter(|row| row.get("monitor_id") == monitor.get("id"));
        let named = of_it.filter_map(|row| {
            let tag = tags.iter().find(|tag| tag.get("id") == row.get("tag_id"))?;
            Some(json!({"name": tag.get("name"), "value": row.get("value")}))
        });
        let named: Vec<Value> = named.collect();
        monitor.insert("tags".to_owned(), Value::Array(named));
    }
    let found = json!({
        "monitorList": monitors,
        "notificationList": rows(&mut connection, "notification").await?.unwrap_or_default(),
        "maintenanceList": rows(&mut connection, "maintenance").await?.unwrap_or_default(),
        "statusPageList": rows(&mut connection, "status_page").await?.unwrap_or_default(),
    });
    connection.close().await?;
    Ok(found)
}

/// Rows of a table; `None`: there is no such table. Not of a view, nor with columns that are computed: those can take all
/// time and memory there is, however small the file.
async fn rows(connection: &mut SqliteConnection, table: &str) -> Result<Option<Vec<Row>>, StoreError> {
    let kind = "select type = 'table' and lower(sql) not like 'create virtual%' \
                and not exists (select 1 from pragma_table_xinfo($1) where hidden <> 0) \
                from sqlite_master where name = $1 and type in ('table', 'view')";
    let is_plain: Option<bool> = sqlx::query_scalar(kind).bind(table).fetch_optional(&mut *connection).await?;
    match is_plain {
        None => return Ok(None),
        Some(false) => return Err(StoreError::Corrupt(format!("{table} that is no table"))),
        Some(true) => {}
    }
    let sql = format!("select * from \"{table}\" order by id limit $1");
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(MOST).fetch_all(connection).await?;
    Ok(Some(rows.iter().map(object).collect()))
}

fn object(row: &SqliteRow) -> Row {
    let value = |n: usize| -> Value {
        let Ok(raw) = row.try_get_raw(n) else { return Value::Null };
        if raw.is_null() {
            return Value::Null;
        }
        // By what is stored: the columns' own types differ from version to version.
        match raw.type_info().name() {
            "INTEGER" | "BOOLEAN" => row.try_get_unchecked::<i64, _>(n).map_or(Value::Null, Value::from),
            "REAL" => row.try_get_unchecked::<f64, _>(n).map_or(Value::Null, Value::from),
            _ => row.try_get_unchecked::<String, _>(n).map_or(Value::Null, Value::from),
        }
    };
    row.columns().iter().enumerate().map(|(n, column)| (column.name().to_owned(), value(n))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_computes_is_not_asked() {
        let directory = tempfile::tempdir().unwrap();
        for (n, schema) in [
            "create view monitor as with recursive r(n) as (select 1 union all select n + 1 from r) select n as id from r",
            "create table monitor (id integer primary key, name text as (printf('%.*c', 1000000, 'x')))",
            "create table other (id integer primary key)",
        ]
        .into_iter()
        .enumerate()
        {
            let file = directory.path().join(format!("{n}.db"));
            let options = SqliteConnectOptions::new().filename(&file).create_if_missing(true);
            let mut made = options.connect().await.unwrap();
            sqlx::raw_sql(schema).execute(&mut made).await.unwrap();
            made.close().await.unwrap();
            assert!(read_kuma(&file).await.is_err(), "{schema}");
        }
    }
}
