//! Packed ticks of some hours, for whoever counts them.

use std::collections::BTreeMap;

use sqlx::FromRow;
use uuid::Uuid;

use crate::model::sealed::{self, Place, RawTick};
use crate::model::{RegionId, UtcMs, WebsiteId};
use crate::store::StoreError;
use crate::store::ingest::Transaction;

const BLOCK: &str = "website_id, region_id, from_at, to_at, keys, packed, damaged_at is not null as is_damaged \
    from sealed_tick";

/// A block that reaches into one of the hours.
#[derive(Debug, FromRow)]
pub(in crate::store) struct HourBlock {
    pub(in crate::store) website_id: Uuid,
    pub(in crate::store) region_id: String,
    /// First slot.
    pub(in crate::store) from_at: i64,
    /// Last slot.
    pub(in crate::store) to_at: i64,
    keys: Vec<u8>,
    packed: Vec<u8>,
    is_damaged: bool,
}

impl HourBlock {
    /// Those of its ticks whose slots are `wanted`; `None`: it is damaged, or of a newer version. Whoever looks after blocks
    /// tells of it.
    pub(in crate::store) fn open(&self, region_id: &RegionId, wanted: impl Fn(UtcMs) -> bool) -> Option<Vec<RawTick>> {
        if self.is_damaged {
            return None;
        }
        let place = Place { website_id: WebsiteId(self.website_id), region_id };
        sealed::open(place, self.from_at, &self.keys, &self.packed, |(slot_at, _)| wanted(slot_at)).ok()
    }
}

/// Blocks that reach into these hours of these websites, each once; one range of the key for each website and day.
pub(in crate::store) async fn blocks_of_hours(
    tx: &mut Transaction,
    hours: &[(WebsiteId, UtcMs)],
    hour_ms: i64,
) -> Result<Vec<HourBlock>, StoreError> {
    // Blocks are of one day.
    let mut days: BTreeMap<(Uuid, UtcMs), (UtcMs, UtcMs)> = BTreeMap::new();
    for (id, starts_at) in hours {
        let ends_at = starts_at.saturating_add(hour_ms);
        let span = days.entry((id.0, sealed::day_of(*starts_at))).or_insert((*starts_at, ends_at));
        *span = (span.0.min(*starts_at), span.1.max(ends_at));
    }
    match tx {
        Transaction::Postgres(tx) => {
            let websites: Vec<Uuid> = days.keys().map(|(id, _)| *id).collect();
            let begins: Vec<i64> = days.keys().map(|(_, day)| *day).collect();
            let firsts: Vec<i64> = days.values().map(|(first, _)| *first).collect();
            let ends: Vec<i64> = days.values().map(|(_, end)| *end).collect();
            let sql = format!(
                "select s.* from unnest($1, $2, $3, $4) as d (id, day, first_at, end_at) cross join lateral \
                 (select {BLOCK} where website_id = d.id and from_at >= d.day and from_at < d.end_at \
                 and to_at >= d.first_at offset 0) s"
            );
            let query = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(websites).bind(begins).bind(firsts).bind(ends);
            Ok(query.fetch_all(&mut **tx).await?)
        }
        Transaction::Sqlite(tx) => {
            let sql =
                format!("select {BLOCK} where website_id = $1 and from_at >= $2 and from_at < $4 and to_at >= $3");
            let mut found = Vec::new();
            for ((website, day), (first, end)) in days {
                let query = sqlx::query_as(sqlx::AssertSqlSafe(sql.as_str()));
                found.extend(query.bind(website).bind(day).bind(first).bind(end).fetch_all(&mut **tx).await?);
            }
            Ok(found)
        }
    }
}
