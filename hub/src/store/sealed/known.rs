//! Ticks that came, and are in a block already; and the few that something needs to see again.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::FromRow;
use uuid::Uuid;

use crate::model::sealed::{self, DAY_MS, Place};
use crate::model::{RegionId, StoredTick, UtcMs, WebsiteId};
use crate::store::StoreError;
use crate::store::ingest::Transaction;
use crate::store::jobs::on;

use super::row;

/// Website, region, day.
type Days<'a> = BTreeSet<(Uuid, &'a str, UtcMs)>;

#[derive(Debug, FromRow)]
struct KeysRow {
    website_id: Uuid,
    region_id: String,
    from_at: i64,
    keys: Vec<u8>,
}

const KEYS: &str = "select website_id, region_id, from_at, keys from sealed_tick";

/// Which of these ticks, stored a moment ago in this transaction, are in blocks: they came again, and are deleted. To be asked
/// after they were stored: whoever packed them meanwhile has committed then, or holds them still.
///
/// Nothing is read unless one is of a day that has passed.
pub(in crate::store) async fn known_again(
    tx: &mut Transaction,
    stored: &[&StoredTick],
    now: UtcMs,
) -> Result<Vec<bool>, StoreError> {
    let today = sealed::day_of(now);
    let of = |tick: &StoredTick| sealed::day_of(tick.tick.slot_at);
    let days: Days<'_> = stored
        .iter()
        .filter(|tick| of(tick) < today)
        .map(|tick| (tick.tick.website_id.0, tick.region_id.as_str(), of(tick)))
        .collect();
    let mut again = vec![false; stored.len()];
    if days.is_empty() {
        return Ok(again);
    }
    let mut known: BTreeMap<(Uuid, String), BTreeSet<(UtcMs, i64)>> = BTreeMap::new();
    for row in read_keys(tx, &days).await? {
        let Ok(region_id) = row.region_id.parse::<RegionId>() else { continue };
        let place = Place { website_id: WebsiteId(row.website_id), region_id: &region_id };
        // Of one that is damaged nobody knows what it held; whoever reads it says so.
        let keys = sealed::keys(place, row.from_at, &row.keys).unwrap_or_default();
        known.entry((row.website_id, row.region_id)).or_default().extend(keys);
    }
    for (tick, again) in stored.iter().zip(&mut again) {
        let (website, region) = (tick.tick.website_id.0, tick.region_id.as_str());
        let (slot_at, attempt) = (tick.tick.slot_at, i64::from(tick.tick.attempt));
        *again = known.get(&(website, region.to_owned())).is_some_and(|keys| keys.contains(&(slot_at, attempt)));
        if *again {
            on!(tx, connection => sqlx::query(
                "delete from tick where website_id = $1 and slot_at = $2 and region_id = $3 and attempt = $4")
                .bind(website).bind(slot_at).bind(region).bind(attempt).execute(connection).await.map(|_| ())?);
        }
    }
    Ok(again)
}

async fn read_keys(tx: &mut Transaction, days: &Days<'_>) -> Result<Vec<KeysRow>, StoreError> {
    match tx {
        Transaction::Postgres(tx) => {
            let websites: Vec<Uuid> = days.iter().map(|day| day.0).collect();
            let regions: Vec<&str> = days.iter().map(|day| day.1).collect();
            let begins: Vec<i64> = days.iter().map(|day| day.2).collect();
            let sql = format!(
                "select s.* from unnest($1, $2, $3) as k (website_id, region_id, day) cross join lateral ({KEYS} b \
                 where b.website_id = k.website_id and b.region_id = k.region_id and b.from_at >= k.day \
                 and b.from_at < k.day + {DAY_MS} offset 0) s"
            );
            let query = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(websites).bind(regions).bind(begins);
            Ok(query.fetch_all(&mut **tx).await?)
        }
        Transaction::Sqlite(tx) => {
            let sql = format!("{KEYS} where website_id = $1 and region_id = $2 and from_at >= $3 and from_at < $4");
            let mut found = Vec::new();
            for (website, region, day) in days {
                let query = sqlx::query_as(sqlx::AssertSqlSafe(sql.as_str()));
                found.extend(
                    query
                        .bind(website)
                        .bind(region)
                        .bind(day)
                        .bind(day.saturating_add(DAY_MS))
                        .fetch_all(&mut **tx)
                        .await?,
                );
            }
            Ok(found)
        }
    }
}

/// The last attempt of one slot, where it is in a block that can be read.
pub(in crate::store) async fn last_attempt(
    tx: &mut Transaction,
    website: Uuid,
    region: &str,
    slot_at: UtcMs,
) -> Result<Option<StoredTick>, StoreError> {
    let Ok(region_id) = region.parse::<RegionId>() else { return Ok(None) };
    let block: Option<(i64, Vec<u8>, Vec<u8>)> = on!(tx, connection => sqlx::query_as(
        "select from_at, keys, packed from sealed_tick where website_id = $1 and region_id = $2 and from_at >= $3 \
         and from_at <= $4 and to_at >= $4 and damaged_at is null limit 1")
        .bind(website).bind(region).bind(sealed::day_of(slot_at)).bind(slot_at).fetch_optional(connection).await?);
    let Some((from_at, keys, packed)) = block else { return Ok(None) };
    let place = Place { website_id: WebsiteId(website), region_id: &region_id };
    let ticks = sealed::open(place, from_at, &keys, &packed, |(at, _)| at == slot_at).unwrap_or_default();
    ticks.last().map(|tick| row::stored(website, &region_id, tick)).transpose()
}
