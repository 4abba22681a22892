//! The one place where ticks are read to be counted: those that are raw and those that are packed with their day.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::FromRow;
use uuid::Uuid;

use super::Key;
use crate::model::roll_up::{CountedTick, Grain};
use crate::model::sealed::{Number, RawTick, Text};
use crate::model::{Outcome, Phases, RegionId, UtcMs, WebsiteId};
use crate::store::ingest::Transaction;
use crate::store::sealed::{HourBlock, blocks_of_hours};
use crate::store::{Store, StoreError};

const COUNTED: &str = "region_id, slot_at, attempt, outcome, late, dns_us, connect_us, tls_us, send_us, wait_us, \
    receive_us, total_us";

/// What makes a tick one: website, region, slot, attempt.
type TickKey = (WebsiteId, RegionId, UtcMs, i64);

#[derive(FromRow)]
struct CountedRow {
    website_id: Uuid,
    region_id: String,
    slot_at: i64,
    attempt: i64,
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

/// Numbers beyond what a tick can have are the nearest.
fn narrow(us: i64) -> u32 {
    u32::try_from(us.max(0)).unwrap_or(u32::MAX)
}

/// A word of a newer version says nothing about the website.
fn outcome(word: &str) -> Outcome {
    word.parse().unwrap_or(Outcome::Unknown)
}

impl CountedRow {
    /// `None`: its region has no name, since somebody edited it.
    fn read(self) -> Option<(TickKey, CountedTick)> {
        let region: RegionId = self.region_id.parse().ok()?;
        let tick = CountedTick {
            outcome: outcome(&self.outcome),
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
        Some(((WebsiteId(self.website_id), region, self.slot_at, self.attempt), tick))
    }
}

fn unpacked(tick: &RawTick) -> CountedTick {
    let us = |column: Number| tick.number(column).map(narrow);
    CountedTick {
        outcome: outcome(tick.text(Text::Outcome).map_or("", |word| &**word)),
        late: tick.number(Number::Late).is_some_and(|late| late != 0),
        phases: Phases {
            dns_us: us(Number::Dns),
            connect_us: us(Number::Connect),
            tls_us: us(Number::Tls),
            send_us: us(Number::Send),
            wait_us: us(Number::Wait),
            receive_us: us(Number::Receive),
        },
        total_us: us(Number::Total).unwrap_or(0),
    }
}

impl Store {
    /// All ticks of these hours of these websites, as of one instant, since sealing moves them meanwhile; one range of a key
    /// each, whatever else there is. Where a block cannot be read there are none of its region in the hours that it reaches
    /// into: what was counted before is not replaced by what is left.
    pub(super) async fn ticks_of_hours(
        &self,
        hours: &[(WebsiteId, UtcMs)],
    ) -> Result<Vec<(Key, CountedTick)>, StoreError> {
        if hours.is_empty() {
            return Ok(Vec::new());
        }
        let (rows, blocks) = self
            .answered(async {
                let mut tx = self.snapshot().await?;
                let rows = raw(&mut tx, hours).await?;
                let blocks = blocks_of_hours(&mut tx, hours, Grain::Hour.ms()).await?;
                tx.commit().await?;
                Ok((rows, blocks))
            })
            .await?;
        let mut ticks: BTreeMap<TickKey, CountedTick> = rows.into_iter().filter_map(CountedRow::read).collect();
        let unreadable = add_packed(&mut ticks, hours, blocks).await;
        let hour_of = |((id, region, slot_at, _), tick): (TickKey, CountedTick)| {
            ((id, Grain::Hour.start_of(slot_at), region), tick)
        };
        let is_whole = |((id, starts_at, region), _): &(Key, CountedTick)| {
            let ends_at = Grain::Hour.end_of(*starts_at);
            !unreadable
                .iter()
                .any(|(of, from, first, last)| (of, from) == (id, region) && *first < ends_at && last >= starts_at)
        };
        Ok(ticks.into_iter().map(hour_of).filter(is_whole).collect())
    }
}

/// Adds what is packed; a tick that came again is one. Returns website, region, first and last slot of blocks that cannot
/// be read.
async fn add_packed(
    ticks: &mut BTreeMap<TickKey, CountedTick>,
    hours: &[(WebsiteId, UtcMs)],
    blocks: Vec<HourBlock>,
) -> Vec<(WebsiteId, RegionId, UtcMs, UtcMs)> {
    let wanted: BTreeSet<(WebsiteId, UtcMs)> = hours.iter().copied().collect();
    let mut unreadable = Vec::new();
    for block in blocks {
        let Ok(region) = block.region_id.parse::<RegionId>() else { continue };
        let id = WebsiteId(block.website_id);
        match block.open(&region, |slot_at| wanted.contains(&(id, Grain::Hour.start_of(slot_at)))) {
            Some(packed) => {
                let keyed =
                    packed.iter().map(|tick| ((id, region.clone(), tick.slot_at, tick.attempt), unpacked(tick)));
                ticks.extend(keyed);
            }
            None => unreadable.push((id, region, block.from_at, block.to_at)),
        }
        // A day is unpacked in less than a millisecond, and there may be hundreds.
        tokio::task::yield_now().await;
    }
    unreadable
}

async fn raw(tx: &mut Transaction, hours: &[(WebsiteId, UtcMs)]) -> Result<Vec<CountedRow>, StoreError> {
    let hour_ms = Grain::Hour.ms();
    match tx {
        Transaction::Postgres(tx) => {
            let websites: Vec<Uuid> = hours.iter().map(|(id, _)| id.0).collect();
            let begins: Vec<i64> = hours.iter().map(|(_, starts_at)| *starts_at).collect();
            let first = begins.iter().min().copied().unwrap_or(0);
            let end = begins.iter().max().copied().unwrap_or(0).saturating_add(hour_ms);
            // `offset 0`: each hour is looked up by itself, never joined with a scan. The outer bounds are for the planner:
            // it looks at no partition beyond them.
            let sql = format!(
                "select h.website_id, {COUNTED} from unnest($1, $2) as h (website_id, starts_at) \
                 cross join lateral (select {COUNTED} from tick where tick.website_id = h.website_id \
                 and slot_at >= h.starts_at and slot_at < h.starts_at + $3 and slot_at >= $4 and slot_at < $5 \
                 offset 0) as t"
            );
            let query = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(websites).bind(begins).bind(hour_ms);
            Ok(query.bind(first).bind(end).fetch_all(&mut **tx).await?)
        }
        Transaction::Sqlite(tx) => {
            let sql = format!(
                "select website_id, {COUNTED} from tick where website_id = $1 and slot_at >= $2 and slot_at < $3"
            );
            let mut all = Vec::new();
            for (id, starts_at) in hours {
                let query = sqlx::query_as(sqlx::AssertSqlSafe(sql.as_str()));
                let query = query.bind(id.0).bind(starts_at).bind(starts_at.saturating_add(hour_ms));
                all.extend(query.fetch_all(&mut **tx).await?);
            }
            Ok(all)
        }
    }
}
