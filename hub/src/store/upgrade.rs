//! What an update of the schema would do to this database: read from the migrations that it lacks, and from the sizes of its
//! tables. Nothing is written.

use std::collections::{BTreeMap, BTreeSet};

use super::migrate::{Seen, newest_schema};
use super::{Pool, Store, StoreError, asked};
use crate::model::upgrade::{Dialect, Migration, Misfit, Plan, TableSize, plan, steps};

/// A database, and what would bring it up to date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upgrade {
    /// Whose SQL it speaks.
    pub dialect: Dialect,
    /// The newest migration that it has; `None`: it has none.
    pub schema: Option<i64>,
    /// The newest that this version of the hub brings.
    pub newest_schema: i64,
    /// Why this version of the hub cannot use it.
    pub misfit: Option<Misfit>,
    /// What would be done.
    pub plan: Plan,
}

impl Upgrade {
    /// Of a SQLite file that is yet to be made.
    #[must_use]
    pub fn of_no_file() -> Self {
        Self::new(&Seen::default(), true, &BTreeMap::new())
    }

    fn new(seen: &Seen, is_sqlite: bool, sizes: &BTreeMap<String, TableSize>) -> Self {
        let dialect = dialect(is_sqlite);
        let pending: Vec<Migration<'_>> = seen
            .pending(is_sqlite)
            .map(|m| Migration { version: m.version, description: &m.description, sql: m.sql.as_str() })
            .collect();
        Self {
            dialect,
            schema: seen.newest(),
            newest_schema: newest_schema(is_sqlite),
            misfit: seen.misfit(is_sqlite),
            plan: plan(&pending, dialect, sizes),
        }
    }
}

fn dialect(is_sqlite: bool) -> Dialect {
    if is_sqlite { Dialect::Sqlite } else { Dialect::Postgres }
}

impl Store {
    /// What bringing the schema up to date would do.
    ///
    /// # Errors
    /// The database is away.
    pub async fn upgrade(&self) -> Result<Upgrade, StoreError> {
        let (seen, is_sqlite) = (self.seen().await?, self.is_sqlite());
        let touched: BTreeSet<String> = seen
            .pending(is_sqlite)
            .flat_map(|migration| steps(migration.sql.as_str(), dialect(is_sqlite)))
            .flat_map(|step| step.touches)
            .map(|touch| touch.table)
            .collect();
        let sizes = if touched.is_empty() { BTreeMap::new() } else { self.table_sizes(touched).await? };
        Ok(Upgrade::new(&seen, is_sqlite, &sizes))
    }

    /// Those of these tables that are there.
    async fn table_sizes(&self, tables: BTreeSet<String>) -> Result<BTreeMap<String, TableSize>, StoreError> {
        let tables: Vec<String> = tables.into_iter().collect();
        // Name, with indexes, rows alone, number of rows; the latter -1 where nobody counted.
        let rows: Vec<(String, i64, i64, i64)> = match &self.pool {
            Pool::Postgres(pools) => {
                let sql = "select t.name, sum(pg_total_relation_size(c.oid))::bigint, sum(pg_relation_size(c.oid))::bigint, \
                    case when min(c.reltuples) filter (where c.relkind = 'r' and pg_relation_size(c.oid) > 0) < 0 then -1 \
                        else coalesce(sum(c.reltuples) filter (where c.relkind = 'r' and c.reltuples > 0), 0)::bigint end \
                    from unnest($1::text[]) t (name) cross join lateral (select to_regclass(quote_ident(t.name)) oid) r \
                    join pg_class c on c.oid = r.oid or c.oid in (select relid from pg_partition_tree(r.oid)) \
                    group by t.name";
                asked!(self, pools, pool => sqlx::query_as(sql).bind(&tables).fetch_all(pool).await?)
            }
            Pool::Sqlite { read, .. } => {
                // <https://www.sqlite.org/dbstat.html>: each page of the file is looked at.
                let sql = "select t.tbl_name, cast(sum(d.pgsize) as integer), \
                    cast(sum(case when t.type = 'table' then d.pgsize else 0 end) as integer), -1 \
                    from dbstat d join sqlite_schema t on t.name = d.name where d.aggregate = true group by 1";
                let all: Vec<(String, i64, i64, i64)> = sqlx::query_as(sql).fetch_all(read).await?;
                all.into_iter().filter(|(name, ..)| tables.contains(name)).collect()
            }
        };
        let count = |number: i64| u64::try_from(number).ok();
        let size = |(name, bytes, heap, rows)| {
            let (bytes, heap_bytes) = (count(bytes).unwrap_or(0), count(heap).unwrap_or(0));
            (name, TableSize { bytes, heap_bytes, rows: count(rows) })
        };
        Ok(rows.into_iter().map(size).collect())
    }
}
