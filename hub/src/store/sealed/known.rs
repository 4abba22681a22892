//! Ticks that came, and are in a block already; and the few that something needs to see again.

use std::collections::BTreeMap;

use sqlx::FromRow;
use uuid::Uuid;

use crate::model::sealed::{self, Place};
use crate::model::{RegionId, StoredTick, UtcMs, WebsiteId};
use crate::store::StoreError;
use crate::store::ingest::Transaction;
use crate::store::jobs::on;

use super::row;

/// First and last slot that is asked about, by website, region and day.
type Days<'a> = BTreeMap<(Uuid, &'a str, UtcMs), (UtcMs, UtcMs)>;

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
/// Nothing is read unless one is of a day that has passed; then the keys of blocks that reach over its slot.
pub(in crate::store) async fn known_again(
    tx: &mut Transaction,
    stored: &[&StoredTick],
    now: UtcMs,
) -> Result<Vec<bool>, StoreError> {
    let today = sealed::day_of(now);
    let mut days = Days::new();
    for tick in stored {
        let slot_at = tick.tick.slot_at;
        let day = sealed::day_of(slot_at);
        if day < today {
            let asked =
                days.entry((tick.tick.website_id.0, tick.region_id.as_str(), day)).or_insert((slot_at, slot_at));
            *asked = (asked.0.min(slot_at), asked.1.max(slot_at));
        }
    }
    let mut again = vec![false; stored.len()];
    if days.is_empty() {
        return Ok(again);
    }
    let mut known: BTreeMap<(Uuid, String), Vec<(UtcMs, i64)>> = BTreeMap::new();
    for row in read_keys(tx, &days).await? {
        let Ok(region_id) = row.region_id.parse::<RegionId>() else { continue };
        let place = Place { website_id: WebsiteId(row.website_id), region_id: &region_id };
        // Of one that is damaged nobody knows what it held; whoever reads it says so.
        let keys = sealed::keys(place, row.from_at, &row.keys).unwrap_or_default();
        known.entry((row.website_id, row.region_id)).or_default().extend(keys);
    }
    known.values_mut().for_each(|keys| keys.sort_unstable());
    let mut gone = Vec::new();
    for (tick, again) in stored.iter().zip(&mut again) {
        let (website, region) = (tick.tick.website_id.0, tick.region_id.as_str());
        let key = (tick.tick.slot_at, i64::from(tick.tick.attempt));
        *again = known.get(&(website, region.to_owned())).is_some_and(|keys| keys.binary_search(&key).is_ok());
        if *again {
            gone.push((website, key.0, region, key.1));
        }
    }
    delete(tx, &gone).await?;
    Ok(again)
}

/// Deletes raw ticks by website, slot, region and attempt.
async fn delete(tx: &mut Transaction, gone: &[(Uuid, UtcMs, &str, i64)]) -> Result<(), StoreError> {
    let slots = || gone.iter().map(|tick| tick.1);
    let (Some(first), Some(last)) = (slots().min(), slots().max()) else { return Ok(()) };
    match tx {
        Transaction::Postgres(tx) => {
            // The bounds are for the planner: it looks at no partition beyond them.
            let sql = "delete from tick using unnest($1, $2, $3, $4) as k (website_id, slot_at, region_id, attempt) \
                where tick.website_id = k.website_id and tick.slot_at = k.slot_at and tick.region_id = k.region_id \
                and tick.attempt = k.attempt and tick.slot_at >= $5 and tick.slot_at <= $6";
            let websites: Vec<Uuid> = gone.iter().map(|tick| tick.0).collect();
            let regions: Vec<&str> = gone.iter().map(|tick| tick.2).collect();
            let attempts: Vec<i64> = gone.iter().map(|tick| tick.3).collect();
            let query =
                sqlx::query(sql).bind(websites).bind(slots().collect::<Vec<i64>>()).bind(regions).bind(attempts);
            query.bind(first).bind(last).execute(&mut **tx).await?;
        }
        Transaction::Sqlite(tx) => {
            let sql = "delete from tick where website_id = $1 and slot_at = $2 and region_id = $3 and attempt = $4";
            for (website, slot_at, region, attempt) in gone {
                sqlx::query(sql).bind(website).bind(slot_at).bind(region).bind(attempt).execute(&mut **tx).await?;
            }
        }
    }
    Ok(())
}

async fn read_keys(tx: &mut Transaction, days: &Days<'_>) -> Result<Vec<KeysRow>, StoreError> {
    match tx {
        Transaction::Postgres(tx) => {
            let websites: Vec<Uuid> = days.keys().map(|day| day.0).collect();
            let regions: Vec<&str> = days.keys().map(|day| day.1).collect();
            let begins: Vec<i64> = days.keys().map(|day| day.2).collect();
            let firsts: Vec<i64> = days.values().map(|asked| asked.0).collect();
            let lasts: Vec<i64> = days.values().map(|asked| asked.1).collect();
            let sql = format!(
                "select s.* from unnest($1, $2, $3, $4, $5) as k (website_id, region_id, day, first_at, last_at) \
                 cross join lateral ({KEYS} b where b.website_id = k.website_id and b.region_id = k.region_id \
                 and b.from_at >= k.day and b.from_at <= k.last_at and b.to_at >= k.first_at offset 0) s"
            );
            let query = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(websites).bind(regions).bind(begins);
            let query = query.bind(firsts).bind(lasts);
            Ok(query.fetch_all(&mut **tx).await?)
        }
        Transaction::Sqlite(tx) => {
            let sql = format!(
                "{KEYS} where website_id = $1 and region_id = $2 and from_at >= $3 and from_at <= $4 and to_at >= $5"
            );
            let mut found = Vec::new();
            for ((website, region, day), (first_at, last_at)) in days {
                let query = sqlx::query_as(sqlx::AssertSqlSafe(sql.as_str()));
                found.extend(
                    query
                        .bind(website)
                        .bind(region)
                        .bind(day)
                        .bind(last_at)
                        .bind(first_at)
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
