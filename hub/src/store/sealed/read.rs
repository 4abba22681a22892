//! Sealed ticks of one website, in order, as few blocks as it takes: day by day from the end that is asked for, for blocks are of
//! one day each.

use std::ops::RangeInclusive;

use sqlx::FromRow;
use uuid::Uuid;

use super::{BlockName, row};
use crate::model::sealed::{self, Damage, Place, RawTick};
use crate::model::{AccountId, RegionId, StoredTick, UtcMs, WebsiteId};
use crate::store::StoreError;
use crate::store::ingest::Transaction;
use crate::store::jobs::on;
use crate::store::row::parse;

/// Blocks read in one statement at first, and at most while they are of several days.
const FIRST: i64 = 8;
const MOST: i64 = 64;

/// Which ticks are wanted.
#[derive(Debug, Clone)]
pub(in crate::store) struct Window<'a> {
    pub(in crate::store) account: AccountId,
    pub(in crate::store) website: WebsiteId,
    /// Slots from here on.
    pub(in crate::store) from_at: UtcMs,
    /// Slots up to here.
    pub(in crate::store) to_at: UtcMs,
    /// Those that follow it.
    pub(in crate::store) after: Option<&'a StoredTick>,
    pub(in crate::store) newest_first: bool,
    pub(in crate::store) limit: usize,
}

/// Orders ticks of one website.
pub(in crate::store) type Key<'a> = (UtcMs, &'a str, u16);

pub(in crate::store) fn key_of(tick: &StoredTick) -> Key<'_> {
    (tick.tick.slot_at, tick.region_id.as_str(), tick.tick.attempt)
}

/// Which ticks of a block are wanted, by itself: whoever unpacks is elsewhere.
#[derive(Debug, Clone)]
pub(super) struct Part {
    slots: RangeInclusive<UtcMs>,
    after: Option<(UtcMs, String, u16)>,
    newest_first: bool,
    limit: usize,
}

impl Part {
    /// All of them.
    pub(super) const ALL: Self =
        Self { slots: UtcMs::MIN..=UtcMs::MAX, after: None, newest_first: false, limit: usize::MAX };

    fn of(window: &Window<'_>) -> Self {
        Self {
            slots: window.from_at..=window.to_at,
            after: window.after.map(key_of).map(|(at, region, attempt)| (at, region.to_owned(), attempt)),
            newest_first: window.newest_first,
            limit: window.limit,
        }
    }
}

/// What was found, and what could not be read.
#[derive(Debug, Default)]
pub(in crate::store) struct Found {
    /// In the order that was asked for, as many as were asked for.
    pub(in crate::store) ticks: Vec<StoredTick>,
    pub(in crate::store) damaged: Vec<(BlockName, Damage)>,
}

#[derive(Debug, FromRow)]
pub(super) struct BlockRow {
    region_id: String,
    from_at: i64,
    to_at: i64,
    keys: Vec<u8>,
    packed: Vec<u8>,
}

/// Reads sealed ticks. Work and memory are those of the blocks of the days in which as many ticks are found.
pub(in crate::store) async fn read(tx: &mut Transaction, window: &Window<'_>) -> Result<Found, StoreError> {
    let mut found = Found::default();
    let (mut from_at, mut to_at, mut at_once) = (sealed::day_of(window.from_at), window.to_at, FIRST);
    while found.ticks.len() < window.limit && from_at <= to_at {
        let mut some = blocks(tx, window, from_at, to_at, at_once).await?;
        let Some(day) = some.last().map(|block| sealed::day_of(block.from_at)) else { break };
        if (some.len() as i64) < at_once {
            add_days(window, some, &mut found).await?;
            break;
        }
        // Of the last day there may be more: it comes with the next ones, or at once where it is the only one.
        some.retain(|block| sealed::day_of(block.from_at) != day);
        let is_done = some.is_empty();
        if is_done {
            some = blocks(tx, window, from_at.max(day), to_at.min(sealed::end_of(day)), i64::MAX).await?;
        }
        add_days(window, some, &mut found).await?;
        match (window.newest_first, is_done) {
            (true, true) => to_at = day.saturating_sub(1),
            (true, false) => to_at = to_at.min(sealed::end_of(day)),
            (false, true) => from_at = sealed::end_of(day).saturating_add(1),
            (false, false) => from_at = day,
        }
        at_once = (at_once * 2).min(MOST);
    }
    found.ticks.truncate(window.limit);
    Ok(found)
}

/// Blocks that begin within these instants and reach into the window, in the order that is asked for.
async fn blocks(
    tx: &mut Transaction,
    window: &Window<'_>,
    from_at: UtcMs,
    to_at: UtcMs,
    limit: i64,
) -> Result<Vec<BlockRow>, StoreError> {
    let order = if window.newest_first { "desc" } else { "asc" };
    let sql = format!(
        "select region_id, from_at, to_at, keys, packed from sealed_tick where website_id = $2 and from_at >= $3 \
         and from_at <= $4 and to_at >= $5 and damaged_at is null \
         and exists (select 1 from website where account_id = $1 and website_id = $2) \
         order by from_at {order} limit $6"
    );
    Ok(on!(tx, connection => sqlx::query_as(sqlx::AssertSqlSafe(sql.as_str()))
        .bind(window.account.0).bind(window.website.0).bind(from_at).bind(to_at).bind(window.from_at).bind(limit)
        .fetch_all(connection).await?))
}

/// Adds ticks of whole days, in order of day; those of days that are not needed any more are not unpacked.
async fn add_days(window: &Window<'_>, blocks: Vec<BlockRow>, found: &mut Found) -> Result<(), StoreError> {
    let part = Part::of(window);
    let mut blocks = blocks.into_iter().peekable();
    while let Some(day) = blocks.peek().map(|block| sealed::day_of(block.from_at)) {
        if found.ticks.len() >= window.limit {
            break;
        }
        let mut of_day: Vec<StoredTick> = Vec::new();
        let wanted = window.limit - found.ticks.len();
        let mut these: Vec<BlockRow> = Vec::new();
        while let Some(block) = blocks.next_if(|block| sealed::day_of(block.from_at) == day) {
            these.push(block);
        }
        if window.newest_first {
            these.sort_by_key(|block| std::cmp::Reverse(block.to_at));
        }
        for block in these {
            let is_beyond = of_day.get(wanted - 1).is_some_and(|last| {
                if window.newest_first { block.to_at < last.tick.slot_at } else { block.from_at > last.tick.slot_at }
            });
            if is_beyond {
                break;
            }
            let region: RegionId = parse(&block.region_id)?;
            let (website, from_at) = (window.website.0, block.from_at);
            // A full block is work for a while, most of all on a small machine: not where checks are sent out.
            let unpacked = tokio::task::spawn_blocking({
                let (part, region) = (part.clone(), region.clone());
                move || unpack(&part, website, &region, &block)
            });
            match unpacked.await.map_err(|panic| StoreError::Corrupt(panic.to_string()))? {
                Ok(ticks) => {
                    for tick in ticks {
                        of_day.push(row::stored(website, &region, &tick)?);
                    }
                }
                Err(damage) => found.damaged.push((BlockName { website, from_at, region }, damage)),
            }
            of_day.sort_by(|a, b| {
                let rising = key_of(a).cmp(&key_of(b));
                if window.newest_first { rising.reverse() } else { rising }
            });
            of_day.truncate(wanted);
        }
        found.ticks.append(&mut of_day);
    }
    Ok(())
}

/// The ticks of a block that are in the window, those that come first, as many as are wanted.
pub(super) fn unpack(part: &Part, website: Uuid, region: &RegionId, block: &BlockRow) -> Result<Vec<RawTick>, Damage> {
    let place = Place { website_id: WebsiteId(website), region_id: region };
    let is_wanted = |(slot_at, attempt): (UtcMs, i64)| {
        let follows = part.after.as_ref().is_none_or(|(at, in_region, last)| {
            (slot_at, region.as_str(), attempt) > (*at, in_region.as_str(), i64::from(*last))
        });
        part.slots.contains(&slot_at) && follows
    };
    let mut ticks = sealed::open(place, block.from_at, &block.keys, &block.packed, is_wanted)?;
    if part.newest_first {
        ticks.drain(..ticks.len().saturating_sub(part.limit));
    } else {
        ticks.truncate(part.limit);
    }
    Ok(ticks)
}
