//! What room is foretold from, and what is used: a few statements over current state and the sizes of tables, never over
//! history.

use std::collections::BTreeMap;

use sqlx::FromRow;

use super::{Pool, Store, StoreError, asked, read};
use crate::model::capacity::{Costs, Load, Part};
use crate::model::{UtcMs, WebsiteKind};

/// Kinds of websites that are told apart; there are as many as intervals, numbers of regions, ages in months and retentions
/// come together.
const LOADS: i64 = 20_000;
/// Websites that were added within so long of each other are as old.
const AGE_STEP_MS: i64 = 30 * 86_400_000;
/// How often a job is taken to report: its schedule tells it only to people.
const JOB_EVERY_MS: i64 = 3_600_000;
/// A region that was heard of within so long looks at websites that all regions look at.
const REGION_HEARD_MS: i64 = 86_400_000;
/// Pages of a file in which those of each table are counted; of more it would be read for seconds.
const COUNTED_PAGES: i64 = 65_536;

const LOADS_SQL: &str = "select kind, interval_ms, \
    cast(case when regions = '' then 0 else length(regions) - length(replace(regions, ',', '')) + 1 end as bigint) as regions, \
    ($1 - created_at) / $2 as age_step, retention_days, count(*) as websites, \
    cast(avg($1 - created_at) as bigint) as age_ms \
    from website where not paused group by 1, 2, 3, 4, 5 order by 1, 2, 3, 4, 5 limit $3";

/// What it is that takes room, by the tables it is in.
const TABLES: [(&str, &[&str]); 5] = [
    ("sealed_ticks", &["sealed_tick"]),
    ("roll_ups", &["roll_up", "roll_up_due"]),
    ("uptime_days", &["uptime_day"]),
    ("state", &["website", "website_state", "region_state", "job"]),
    ("incidents", &["transition", "incident", "incident_website", "incident_event", "alert", "alert_try", "ping"]),
];

/// Bytes on disk, indexes included.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UsedBytes {
    /// By what it is; empty: the file is too large to be counted through.
    pub parts: BTreeMap<Part, u64>,
    /// Incidents, changes of verdict, alerts and pings, which nobody foretells; `None` like above.
    pub incidents: Option<u64>,
    /// The whole database.
    pub total: u64,
}

impl UsedBytes {
    fn of(sizes: &[(String, i64)], total: i64) -> Self {
        let bytes = |bytes: i64| u64::try_from(bytes).unwrap_or(0);
        let size = |name: &str| sizes.iter().find(|(of, _)| of == name).map(|(_, size)| bytes(*size));
        Self {
            parts: Part::ALL.into_iter().filter_map(|part| Some((part, size(part.as_str())?))).collect(),
            incidents: size("incidents"),
            total: bytes(total),
        }
    }
}

#[derive(FromRow)]
struct LoadRow {
    kind: String,
    interval_ms: i64,
    regions: i64,
    retention_days: Option<i64>,
    websites: i64,
    age_ms: i64,
}

impl Store {
    /// What is watched, by what it costs: the whole installation's.
    ///
    /// # Errors
    /// The database is away.
    pub async fn loads(&self, now: UtcMs) -> Result<Vec<Load>, StoreError> {
        let (rows, (heard, known)): (Vec<LoadRow>, (i64, i64)) = read!(self, pool => (
            sqlx::query_as(LOADS_SQL).bind(now).bind(AGE_STEP_MS).bind(LOADS).fetch_all(pool).await?,
            sqlx::query_as("select (select count(distinct region_id) from worker where seen_at > $1), (select count(*) from region)")
                .bind(now.saturating_sub(REGION_HEARD_MS)).fetch_one(pool).await?,
        ));
        // Where none was heard of for a day (the installation stands still), all that there are come back.
        let regions = if heard > 0 { heard } else { known.max(1) };
        let count = |number: i64| u64::try_from(number).unwrap_or(0);
        let load = |row: LoadRow| {
            let is_job = row.kind == WebsiteKind::Job.as_str();
            Load {
                websites: count(row.websites),
                interval_ms: if is_job { JOB_EVERY_MS } else { row.interval_ms },
                // A job reports from one place, whatever regions there are.
                regions: match row.regions {
                    _ if is_job => 1,
                    0 => count(regions),
                    some => count(some),
                },
                age_ms: row.age_ms.max(0),
                retention_days: row.retention_days.and_then(|days| days.try_into().ok()),
            }
        };
        Ok(rows.into_iter().map(load).collect())
    }

    /// What things take in this database.
    #[must_use]
    pub fn costs(&self) -> Costs {
        match &self.pool {
            Pool::Postgres(_) => Costs::POSTGRES,
            Pool::Sqlite { .. } => Costs::SQLITE,
        }
    }

    /// What is used.
    ///
    /// # Errors
    /// The database is away, or does not say.
    pub async fn used_bytes(&self) -> Result<UsedBytes, StoreError> {
        match &self.pool {
            Pool::Postgres(pools) => {
                // The sizes of files, as the system has them. A day that is dropped meanwhile has none.
                let raw = "select 'raw_ticks', cast(coalesce(sum(pg_total_relation_size(relid)), 0) as bigint) \
                    from pg_partition_tree('tick') where isleaf";
                let sizes = TABLES.iter().fold(raw.to_owned(), |sql, (name, tables)| {
                    let sum: Vec<String> =
                        tables.iter().map(|table| format!("pg_total_relation_size('{table}')")).collect();
                    format!("{sql} union all select '{name}', {}", sum.join(" + "))
                });
                let (sizes, total): (Vec<(String, i64)>, i64) = asked!(self, pools, pool => (
                    sqlx::query_as(sqlx::AssertSqlSafe(sizes)).fetch_all(pool).await?,
                    sqlx::query_scalar("select pg_database_size(current_database())").fetch_one(pool).await?,
                ));
                Ok(UsedBytes::of(&sizes, total))
            }
            Pool::Sqlite { read, .. } => {
                let pages: i64 = sqlx::query_scalar("pragma page_count").fetch_one(read).await?;
                let page_bytes: i64 = sqlx::query_scalar("pragma page_size").fetch_one(read).await?;
                let total = pages.saturating_mul(page_bytes);
                if pages > COUNTED_PAGES {
                    return Ok(UsedBytes::of(&[], total));
                }
                // <https://www.sqlite.org/dbstat.html>: each page of the file is looked at. Keys are under their own names.
                let sql = "select t.tbl_name, cast(sum(d.pgsize) as integer) from dbstat d \
                    join sqlite_schema t on t.name = d.name group by 1";
                let by_table: BTreeMap<String, i64> = sqlx::query_as(sql).fetch_all(read).await?.into_iter().collect();
                let raw = ("raw_ticks", &["tick"][..]);
                let sum = |tables: &[&str]| tables.iter().filter_map(|table| by_table.get(*table)).sum();
                let sizes: Vec<(String, i64)> =
                    [raw].iter().chain(&TABLES).map(|(name, tables)| ((*name).to_owned(), sum(tables))).collect();
                Ok(UsedBytes::of(&sizes, total))
            }
        }
    }
}
