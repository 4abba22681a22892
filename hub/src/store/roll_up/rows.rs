//! Roll-ups as they are stored, and what they become.

use std::collections::BTreeSet;

use sqlx::FromRow;
use uuid::Uuid;

use super::Key;
use crate::model::histogram::Histogram;
use crate::model::roll_up::{Grain, RollUp};
use crate::model::{RegionId, Span, UtcMs, WebsiteId};
use crate::store::StoreError;
use crate::store::incidents::write_rows;
use crate::store::ingest::Transaction;
use crate::store::row::{narrow, parse};

pub(super) const ROLL_UP: &str = "website_id, starts_at, region_id, ticks, up, degraded, down, unknown, late, dns_us, \
    connect_us, tls_us, send_us, wait_us, receive_us, total_us, least_us, most_us, latency";

#[derive(FromRow)]
pub(super) struct RollUpRow {
    website_id: Uuid,
    starts_at: i64,
    region_id: String,
    ticks: i64,
    up: i64,
    degraded: i64,
    down: i64,
    unknown: i64,
    late: i64,
    dns_us: i64,
    connect_us: i64,
    tls_us: i64,
    send_us: i64,
    wait_us: i64,
    receive_us: i64,
    total_us: i64,
    least_us: Option<i64>,
    most_us: Option<i64>,
    latency: Vec<u8>,
}

impl RollUpRow {
    fn read(self) -> Result<(Key, RollUp), StoreError> {
        let latency = Histogram::from_bytes(&self.latency).map_err(|e| StoreError::Corrupt(e.to_string()))?;
        let key = (WebsiteId(self.website_id), self.starts_at, parse::<RegionId>(&self.region_id)?);
        let roll_up = RollUp {
            ticks: self.ticks,
            up: self.up,
            degraded: self.degraded,
            down: self.down,
            unknown: self.unknown,
            late: self.late,
            phases_us: [self.dns_us, self.connect_us, self.tls_us, self.send_us, self.wait_us, self.receive_us],
            total_us: self.total_us,
            least_us: self.least_us.map(narrow).transpose()?,
            most_us: self.most_us.map(narrow).transpose()?,
            latency,
        };
        if i64::try_from(roll_up.latency.count()).is_ok_and(|durations| durations <= roll_up.answered()) {
            Ok((key, roll_up))
        } else {
            Err(StoreError::Corrupt("its durations are more than its answers".to_owned()))
        }
    }
}

/// Those that are understood. One that is not (somebody edited it, or a newer version wrote it) is told of and left out:
/// what it holds is never shown as history.
pub(super) fn understood(rows: Vec<RollUpRow>) -> Vec<(Key, RollUp)> {
    let one = |row: RollUpRow| {
        let (id, starts_at) = (WebsiteId(row.website_id), row.starts_at);
        row.read()
            .inspect_err(|error| tracing::error!(website.id = %id, starts_at, %error, "A roll-up is left out."))
            .ok()
    };
    rows.into_iter().filter_map(one).collect()
}

/// Those of the websites that are there, and stay so until the end of the transaction.
pub(super) async fn held(tx: &mut Transaction, ids: &BTreeSet<WebsiteId>) -> Result<BTreeSet<WebsiteId>, StoreError> {
    let there: Vec<Uuid> = match tx {
        // In order of id, as whoever stores ticks takes them.
        Transaction::Postgres(tx) => {
            let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
            let sql = "select website_id from website where website_id = any($1) order by website_id for key share";
            sqlx::query_scalar(sql).bind(ids).fetch_all(&mut **tx).await?
        }
        Transaction::Sqlite(tx) => {
            let mut there = Vec::new();
            for id in ids {
                let sql = "select website_id from website where website_id = $1";
                there.extend(sqlx::query_scalar::<_, Uuid>(sql).bind(id.0).fetch_optional(&mut **tx).await?);
            }
            there
        }
    };
    Ok(there.into_iter().map(WebsiteId).collect())
}

/// Written in the place of those that know less: a count of fewer ticks (retention has taken the others since, or another
/// hub has counted meanwhile) replaces nothing.
pub(in crate::store) async fn write(
    tx: &mut Transaction,
    grain: Grain,
    rows: &[((WebsiteId, UtcMs, RegionId), RollUp)],
) -> Result<(), StoreError> {
    write_rows!(tx, rows, "roll_up", r {
        website_id => r.0.0.0,
        grain => grain.as_str(),
        starts_at => r.0.1,
        region_id => r.0.2.as_str(),
        ticks => r.1.ticks,
        up => r.1.up,
        degraded => r.1.degraded,
        down => r.1.down,
        unknown => r.1.unknown,
        late => r.1.late,
        dns_us => r.1.phases_us[0],
        connect_us => r.1.phases_us[1],
        tls_us => r.1.phases_us[2],
        send_us => r.1.phases_us[3],
        wait_us => r.1.phases_us[4],
        receive_us => r.1.phases_us[5],
        total_us => r.1.total_us,
        least_us => r.1.least_us.map(i64::from),
        most_us => r.1.most_us.map(i64::from),
        latency => r.1.latency.to_bytes(),
    }, "on conflict (website_id, grain, starts_at, region_id) do update set ticks = excluded.ticks, up = excluded.up, \
        degraded = excluded.degraded, down = excluded.down, unknown = excluded.unknown, late = excluded.late, \
        dns_us = excluded.dns_us, connect_us = excluded.connect_us, tls_us = excluded.tls_us, \
        send_us = excluded.send_us, wait_us = excluded.wait_us, receive_us = excluded.receive_us, \
        total_us = excluded.total_us, least_us = excluded.least_us, most_us = excluded.most_us, \
        latency = excluded.latency where excluded.ticks >= roll_up.ticks");
    Ok(())
}

/// Takes the hours of a day away, of those websites of which it is counted.
pub(super) async fn forget_hours(tx: &mut Transaction, ids: &[WebsiteId], day: Span) -> Result<(), StoreError> {
    const HOURS: &str = "grain = 'hour' and starts_at >= $2 and starts_at < $3 and exists (select 1 from roll_up as counted \
        where counted.website_id = roll_up.website_id and counted.grain = 'day' and counted.starts_at = $2)";
    let Span { from_at, to_at } = day;
    match tx {
        Transaction::Postgres(tx) => {
            let sql = format!("delete from roll_up where website_id = any($1) and {HOURS}");
            let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
            sqlx::query(sqlx::AssertSqlSafe(sql)).bind(ids).bind(from_at).bind(to_at).execute(&mut **tx).await?;
        }
        Transaction::Sqlite(tx) => {
            let sql = format!("delete from roll_up where website_id = $1 and {HOURS}");
            for id in ids {
                let query = sqlx::query(sqlx::AssertSqlSafe(sql.as_str()));
                query.bind(id.0).bind(from_at).bind(to_at).execute(&mut **tx).await?;
            }
        }
    }
    Ok(())
}
