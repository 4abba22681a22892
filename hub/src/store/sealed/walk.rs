//! Packed ticks read from one end of a time to the other, a page after the other: each day is unpacked once, and not anew for
//! each of its pages.

use std::collections::BTreeMap;

use sqlx::FromRow;
use uuid::Uuid;

use super::read::{BlockRow, Found, Part, Window, key_of, read, unpack};
use super::{BlockName, row};
use crate::model::sealed::{self, RawTick};
use crate::model::{RegionId, UtcMs};
use crate::store::StoreError;
use crate::store::ingest::Transaction;
use crate::store::jobs::on;
use crate::store::row::parse;

/// Ticks of a day that are kept unpacked, at most: some 100 MB. What has more is unpacked for each page.
const MOST: i64 = 200_000;

/// The blocks of the day that is being read, unpacked, by first slot and region.
#[derive(Debug, Default)]
pub(in crate::store) struct Unpacked {
    blocks: BTreeMap<(UtcMs, String), Kept>,
    /// Blocks unpacked until now.
    pub(in crate::store) opened: u64,
}

#[derive(Debug)]
struct Kept {
    /// Which form of the block it is: ticks may have joined it meanwhile.
    form: (UtcMs, UtcMs, i64),
    region: RegionId,
    ticks: Vec<RawTick>,
}

#[derive(Debug, FromRow)]
struct HeadRow {
    region_id: String,
    from_at: i64,
    to_at: i64,
    ticks: i64,
    sealed_at: i64,
}

impl HeadRow {
    fn form(&self) -> (UtcMs, UtcMs, i64) {
        (self.sealed_at, self.to_at, self.ticks)
    }
}

/// Reads sealed ticks of a window, oldest first, as [`read`] does; blocks of the last day are kept for the next page.
pub(in crate::store) async fn read_on(
    tx: &mut Transaction,
    window: &Window<'_>,
    unpacked: &mut Unpacked,
) -> Result<Found, StoreError> {
    let mut found = Found::default();
    let mut from_at = sealed::day_of(window.from_at);
    while found.ticks.len() < window.limit && from_at <= window.to_at {
        let Some(first) = heads(tx, window, from_at, window.to_at, 1).await?.pop() else { break };
        let day = sealed::day_of(first.from_at);
        let end = sealed::end_of(day);
        let of_day = heads(tx, window, from_at.max(day), end.min(window.to_at), i64::MAX).await?;
        if of_day.iter().map(|head| head.ticks).sum::<i64>() > MOST {
            return read(tx, window).await;
        }
        unpacked.blocks.retain(|(at, region), kept| {
            of_day.iter().any(|head| (head.from_at, &head.region_id) == (*at, region) && head.form() == kept.form)
        });
        for head in of_day {
            if !unpacked.blocks.contains_key(&(head.from_at, head.region_id.clone())) {
                unpack_one(tx, window, head, unpacked, &mut found).await?;
            }
        }
        add_day(window, unpacked, &mut found)?;
        from_at = end.saturating_add(1);
    }
    Ok(found)
}

/// What blocks there are that begin within these instants and reach into the window.
async fn heads(
    tx: &mut Transaction,
    window: &Window<'_>,
    from_at: UtcMs,
    to_at: UtcMs,
    limit: i64,
) -> Result<Vec<HeadRow>, StoreError> {
    Ok(on!(tx, connection => sqlx::query_as(
        "select region_id, from_at, to_at, ticks, sealed_at from sealed_tick where website_id = $2 and from_at >= $3 \
         and from_at <= $4 and to_at >= $5 and damaged_at is null \
         and exists (select 1 from website where account_id = $1 and website_id = $2) order by from_at limit $6")
        .bind(window.account.0).bind(window.website.0).bind(from_at).bind(to_at).bind(window.from_at).bind(limit)
        .fetch_all(connection).await?))
}

async fn unpack_one(
    tx: &mut Transaction,
    window: &Window<'_>,
    head: HeadRow,
    unpacked: &mut Unpacked,
    found: &mut Found,
) -> Result<(), StoreError> {
    let (website, from_at): (Uuid, UtcMs) = (window.website.0, head.from_at);
    let block: Option<BlockRow> = on!(tx, connection => sqlx::query_as(
        "select region_id, from_at, to_at, keys, packed from sealed_tick where website_id = $2 and from_at = $3 \
         and region_id = $4 and exists (select 1 from website where account_id = $1 and website_id = $2)")
        .bind(window.account.0).bind(website).bind(from_at).bind(&head.region_id).fetch_optional(connection).await?);
    let Some(block) = block else { return Ok(()) };
    let region: RegionId = parse(&head.region_id)?;
    let opened = tokio::task::spawn_blocking({
        let region = region.clone();
        move || unpack(&Part::ALL, website, &region, &block)
    });
    match opened.await.map_err(|panic| StoreError::Corrupt(panic.to_string()))? {
        Ok(ticks) => {
            unpacked.opened += 1;
            let form = head.form();
            unpacked.blocks.insert((from_at, head.region_id), Kept { form, region, ticks });
        }
        Err(damage) => found.damaged.push((BlockName { website, from_at, region }, damage)),
    }
    Ok(())
}

/// Adds ticks of the day that is unpacked, in order, as many as are wanted still.
fn add_day(window: &Window<'_>, unpacked: &Unpacked, found: &mut Found) -> Result<(), StoreError> {
    let after = window.after.map(key_of).map(|(at, region, attempt)| (at, region, i64::from(attempt)));
    let wanted = window.limit.saturating_sub(found.ticks.len());
    let mut some: Vec<(UtcMs, &str, i64, &Kept, &RawTick)> = Vec::new();
    for kept in unpacked.blocks.values() {
        let region = kept.region.as_str();
        let is_before = |tick: &RawTick| {
            let (slot_at, attempt) = tick.key();
            slot_at < window.from_at || after.is_some_and(|after| (slot_at, region, attempt) <= after)
        };
        let these = kept.ticks.get(kept.ticks.partition_point(is_before)..).unwrap_or_default();
        let these = these.iter().take_while(|tick| tick.slot_at <= window.to_at).take(wanted);
        some.extend(these.map(|tick| (tick.slot_at, region, tick.attempt, kept, tick)));
    }
    some.sort_by_key(|(slot_at, region, attempt, ..)| (*slot_at, *region, *attempt));
    for (.., kept, tick) in some.into_iter().take(wanted) {
        found.ticks.push(row::stored(window.website.0, &kept.region, tick)?);
    }
    Ok(())
}
