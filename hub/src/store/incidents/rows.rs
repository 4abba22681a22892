//! Many rows written or read in one statement on Postgres, which takes arrays, and row by row on SQLite, which runs in this
//! process: one text for each, and one list of values.

/// `insert into $into (columns) <rows> $rest`: `$row` is each of `$rows`, and `$column => $value` what it writes.
macro_rules! write_rows {
    ($tx:expr, $rows:expr, $into:literal, $row:ident { $($column:ident => $value:expr),+ $(,)? }, $rest:literal) => {{
        let (rows, columns) = (&$rows, [$(stringify!($column)),+]);
        if !rows.is_empty() {
            let places: Vec<String> = (1..=columns.len()).map(|n| format!("${n}")).collect();
            let (columns, places) = (columns.join(", "), places.join(", "));
            match $tx {
                $crate::store::ingest::Transaction::Postgres(tx) => {
                    let sql = format!("insert into {} ({columns}) select * from unnest({places}) {}", $into, $rest);
                    let mut query = sqlx::query(sqlx::AssertSqlSafe(sql));
                    $(query = query.bind(sqlx::postgres::PgBindIterExt::bind_iter(rows.iter().map(|$row| { let _ = &$row; $value })));)+
                    query.execute(&mut **tx).await?;
                }
                $crate::store::ingest::Transaction::Sqlite(tx) => {
                    let sql = format!("insert into {} ({columns}) values ({places}) {}", $into, $rest);
                    for $row in rows.iter() {
                        let mut query = sqlx::query(sqlx::AssertSqlSafe(sql.as_str()));
                        $(query = query.bind($value);)+
                        query.execute(&mut **tx).await?;
                    }
                }
            }
        }
    }};
}

/// Rows found by a list of ids. `$select` ends in a comparison with one: ` = any($1)` or ` = $1` is added, then `$rest`. More
/// parameters, `$2` and so on, are bound alike.
macro_rules! read_rows {
    ($tx:expr, $row:ty, $ids:expr, $select:expr, $rest:literal $(, $more:expr)*) => {{
        let (ids, select) = (&$ids, $select);
        let mut found: Vec<$row> = Vec::new();
        if !ids.is_empty() {
            match $tx {
                $crate::store::ingest::Transaction::Postgres(tx) => {
                    let sql = format!("{select} = any($1) {}", $rest);
                    found = sqlx::query_as(sqlx::AssertSqlSafe(sql))
                        .bind(sqlx::postgres::PgBindIterExt::bind_iter(ids.iter().copied()))
                        $(.bind($more))*
                        .fetch_all(&mut **tx).await?;
                }
                $crate::store::ingest::Transaction::Sqlite(tx) => {
                    let sql = format!("{select} = $1 {}", $rest);
                    for id in ids.iter().copied() {
                        let some: Vec<$row> = sqlx::query_as(sqlx::AssertSqlSafe(sql.as_str())).bind(id)
                            $(.bind($more))*
                            .fetch_all(&mut **tx).await?;
                        found.extend(some);
                    }
                }
            }
        }
        found
    }};
}

pub(super) use read_rows;
pub(in crate::store) use write_rows;
