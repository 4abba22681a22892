//! What came of a day after it was packed.

use uuid::Uuid;

use super::work::Left;
use crate::model::UtcMs;
use crate::model::sealed::{self, NewOfRegion};
use crate::store::StoreError;
use crate::store::ingest::Transaction;
use crate::store::jobs::on;
use crate::store::row::narrow;

/// Whether what came late of a day that is packed joins it now.
pub(super) async fn joins_now(
    tx: &mut Transaction,
    website: Uuid,
    day: UtcMs,
    end: UtcMs,
    now: UtcMs,
) -> Result<bool, StoreError> {
    let first: Option<i64> = on!(tx, connection => sqlx::query_scalar(
        "select min(received_at) from tick where website_id = $1 and slot_at >= $2 and slot_at < $3")
        .bind(website).bind(day).bind(end).fetch_one(connection).await?);
    Ok(first.is_none_or(|came_first_at| sealed::joins_now(came_first_at, now)))
}

/// What is new, by region.
pub(super) async fn new_of_regions(
    tx: &mut Transaction,
    website: Uuid,
    first_at: UtcMs,
    cut: UtcMs,
) -> Result<Vec<(String, NewOfRegion)>, Left> {
    let rows: Vec<(String, i64, i64, i64)> = on!(tx, connection => sqlx::query_as(
        "select region_id, min(slot_at), max(slot_at), count(*) from tick where website_id = $1 and slot_at >= $2 \
         and slot_at < $3 group by region_id order by region_id")
        .bind(website).bind(first_at).bind(cut).fetch_all(connection).await?);
    let new = |(region, first_at, last_at, ticks): (String, i64, i64, i64)| {
        Ok((region, NewOfRegion { first_at, last_at, ticks: narrow(ticks)? }))
    };
    rows.into_iter().map(new).collect()
}
