//! What of evidence is kept with the ticks alone: the certificate, and the beginning of an answer. A region's state is written
//! with every tick and has no room for them; read are only the ticks that something was decided by, when it is.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::FromRow;
use uuid::Uuid;

use crate::model::{Change, SeenCertificate, Tick, UtcMs};
use crate::store::ingest::Transaction;
use crate::store::{StoreError, sealed};

/// Website, region, slot.
type Key = (Uuid, String, UtcMs);

#[derive(Debug, FromRow)]
struct SeenRow {
    website_id: Uuid,
    region_id: String,
    slot_at: i64,
    certificate_not_after_at: Option<i64>,
    certificate_issuer: Option<String>,
    certificate_subject: Option<String>,
    answer: Option<String>,
}

impl SeenRow {
    fn of(website_id: Uuid, region_id: String, tick: Tick) -> Self {
        let certificate = tick.certificate;
        Self {
            website_id,
            region_id,
            slot_at: tick.slot_at,
            certificate_not_after_at: certificate.as_ref().map(|c| c.not_after_at),
            certificate_issuer: certificate.as_ref().map(|c| c.issuer.clone()),
            certificate_subject: certificate.map(|c| c.subject),
            answer: tick.answer,
        }
    }
}

/// Blocks of days that have passed, unpacked for one transaction: some milliseconds each.
const SEALED: usize = 20;

/// Of one slot the last attempt, which is what a region's state is of. Each by its key, whatever the planner makes of how many
/// there are.
const SEEN: &str = "select website_id, region_id, slot_at, certificate_not_after_at, certificate_issuer, \
    certificate_subject, answer from tick";

/// Adds to the evidence of changes what their ticks have of it: one statement. Ticks that are gone add nothing.
pub(super) async fn add_from_ticks(tx: &mut Transaction, changes: &mut [Change]) -> Result<(), StoreError> {
    let keys: BTreeSet<Key> = changes
        .iter()
        .flat_map(|change| {
            let of = |region: &crate::model::RegionId| region.as_str().to_owned();
            change.evidence.iter().map(move |seen| (change.website_id.0, of(&seen.region_id), seen.slot_at))
        })
        .collect();
    if keys.is_empty() {
        return Ok(());
    }
    let mut found: BTreeMap<Key, SeenRow> = read(tx, keys.clone())
        .await?
        .into_iter()
        .map(|row| ((row.website_id, row.region_id.clone(), row.slot_at), row))
        .collect();
    // Of a region that has been silent for days: packed with its day, or gone.
    for key in keys.difference(&found.keys().cloned().collect()).take(SEALED) {
        let (website_id, region_id, slot_at) = key.clone();
        let Some(tick) = sealed::last_attempt(tx, website_id, &region_id, slot_at).await? else { continue };
        found.insert(key.clone(), SeenRow::of(website_id, region_id, tick.tick));
    }
    for change in changes {
        for seen in &mut change.evidence {
            let key = (change.website_id.0, seen.region_id.as_str().to_owned(), seen.slot_at);
            let Some(row) = found.get(&key) else { continue };
            let name = |name: &Option<String>| cut(name.as_deref().unwrap_or_default(), SeenCertificate::CHARS);
            seen.certificate = row.certificate_not_after_at.map(|not_after_at| SeenCertificate {
                subject: name(&row.certificate_subject),
                issuer: name(&row.certificate_issuer),
                not_after_at,
            });
            seen.answer = row.answer.as_deref().map(|answer| cut(answer, Tick::ANSWER_CHARS));
        }
    }
    Ok(())
}

fn cut(text: &str, limit: usize) -> String {
    text.chars().take(limit).collect()
}

async fn read(tx: &mut Transaction, keys: BTreeSet<Key>) -> Result<Vec<SeenRow>, StoreError> {
    match tx {
        Transaction::Postgres(tx) => {
            let websites: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
            let regions: Vec<&str> = keys.iter().map(|key| key.1.as_str()).collect();
            let slots: Vec<i64> = keys.iter().map(|key| key.2).collect();
            let sql = format!(
                "select seen.* from unnest($1, $2, $3) as k (website_id, region_id, slot_at) cross join lateral ({SEEN} t \
                 where t.website_id = k.website_id and t.slot_at = k.slot_at and t.region_id = k.region_id \
                 order by t.attempt desc limit 1) seen"
            );
            let query = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(websites).bind(regions).bind(slots);
            Ok(query.fetch_all(&mut **tx).await?)
        }
        Transaction::Sqlite(tx) => {
            let sql = format!(
                "{SEEN} where website_id = $1 and region_id = $2 and slot_at = $3 order by attempt desc limit 1"
            );
            let mut found = Vec::new();
            for (website, region, slot_at) in keys {
                let query = sqlx::query_as(sqlx::AssertSqlSafe(sql.as_str())).bind(website).bind(region).bind(slot_at);
                found.extend(query.fetch_optional(&mut **tx).await?);
            }
            Ok(found)
        }
    }
}
