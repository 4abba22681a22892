//! The one place where ticks are read to be counted.

use sqlx::FromRow;
use sqlx::postgres::PgBindIterExt as _;
use uuid::Uuid;

use super::Key;
use crate::model::roll_up::{CountedTick, Grain};
use crate::model::{Outcome, Phases, RegionId, UtcMs, WebsiteId};
use crate::store::{Pool, Store, StoreError, asked};

const COUNTED: &str = "region_id, outcome, late, dns_us, connect_us, tls_us, send_us, wait_us, receive_us, total_us";

#[derive(FromRow)]
struct CountedRow {
    website_id: Uuid,
    starts_at: i64,
    region_id: String,
    outcome: String,
    late: bool,
    dns_us: Option<i64>,
    connect_us: Option<i64>,
    tls_us: Option<i64>,
    send_us: Option<i64>,
    wait_us: Option<i64>,
    receive_us: Option<i64>,
    total_us: i64,
}

impl CountedRow {
    /// `None`: its region has no name, since somebody edited it. Numbers beyond what a tick can have are the nearest.
    fn read(self) -> Option<(Key, CountedTick)> {
        let region: RegionId = self.region_id.parse().ok()?;
        let narrow = |us: i64| u32::try_from(us.max(0)).unwrap_or(u32::MAX);
        let tick = CountedTick {
            // A word of a newer version says nothing about the website.
            outcome: self.outcome.parse().unwrap_or(Outcome::Unknown),
            late: self.late,
            phases: Phases {
                dns_us: self.dns_us.map(narrow),
                connect_us: self.connect_us.map(narrow),
                tls_us: self.tls_us.map(narrow),
                send_us: self.send_us.map(narrow),
                wait_us: self.wait_us.map(narrow),
                receive_us: self.receive_us.map(narrow),
            },
            total_us: narrow(self.total_us),
        };
        Some(((WebsiteId(self.website_id), self.starts_at, region), tick))
    }
}

impl Store {
    /// All ticks of these hours of these websites. One range of the key each, whatever else there is.
    pub(super) async fn ticks_of_hours(
        &self,
        hours: &[(WebsiteId, UtcMs)],
    ) -> Result<Vec<(Key, CountedTick)>, StoreError> {
        let (Some(first), Some(last)) = (hours.iter().map(|h| h.1).min(), hours.iter().map(|h| h.1).max()) else {
            return Ok(Vec::new());
        };
        let hour_ms = Grain::Hour.ms();
        let rows: Vec<CountedRow> = match &self.pool {
            // `offset 0`: each hour is looked up by itself, never joined with a scan. The outer bounds are for the planner: it
            // looks at no partition beyond them.
            Pool::Postgres(pools) => asked!(self, pools, pool => sqlx::query_as(sqlx::AssertSqlSafe(format!(
                "select h.website_id, h.starts_at, {COUNTED} from unnest($1, $2) as h (website_id, starts_at) \
                 cross join lateral (select {COUNTED} from tick where tick.website_id = h.website_id \
                 and slot_at >= h.starts_at and slot_at < h.starts_at + $3 and slot_at >= $4 and slot_at < $5 \
                 offset 0) as t")))
                .bind(hours.iter().map(|h| h.0.0).bind_iter())
                .bind(hours.iter().map(|h| h.1).bind_iter())
                .bind(hour_ms).bind(first).bind(last.saturating_add(hour_ms))
                .fetch_all(pool).await?),
            Pool::Sqlite { read, .. } => {
                let select = format!(
                    "select website_id, $2 as starts_at, {COUNTED} from tick where website_id = $1 \
                     and slot_at >= $2 and slot_at < $3"
                );
                let mut all = Vec::new();
                for (id, starts_at) in hours {
                    let some: Vec<CountedRow> = sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()))
                        .bind(id.0)
                        .bind(starts_at)
                        .bind(starts_at.saturating_add(hour_ms))
                        .fetch_all(read)
                        .await?;
                    all.extend(some);
                }
                all
            }
        };
        Ok(rows.into_iter().filter_map(CountedRow::read).collect())
    }
}
