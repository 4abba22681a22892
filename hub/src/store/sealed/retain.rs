//! What is past retention goes, in bounded steps.

use sqlx::FromRow;
use uuid::Uuid;

use super::BlockName;
use crate::model::sealed::{self, Place};
use crate::model::{RegionId, UtcMs, WebsiteId};
use crate::store::row::parse;
use crate::store::{Pool, Store, StoreError, read, write};

/// Blocks deleted in one statement: some MB.
pub(super) const AT_ONCE: i64 = 500;
/// Pages given back to the file system in one statement: 4 MB.
const PAGES: i64 = 1_000;

/// Blocks checked at once: a MB.
const CHECKED: i64 = 64;

/// How far blocks were checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckPosition {
    website: Uuid,
    from_at: UtcMs,
    region: String,
}

impl Default for CheckPosition {
    fn default() -> Self {
        Self { website: Uuid::nil(), from_at: UtcMs::MIN, region: String::new() }
    }
}

#[derive(Debug, FromRow)]
struct CheckedRow {
    website_id: Uuid,
    from_at: i64,
    to_at: i64,
    ticks: i64,
    region_id: String,
    keys: Vec<u8>,
    packed: Vec<u8>,
}

/// What one step deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Blocks, of which there may be more.
    pub blocks: u64,
    /// Those of them that were damaged.
    pub damaged: u64,
    /// Ticks that were not packed.
    pub ticks: u64,
}

impl Forgotten {
    /// Says of blocks that are gone how many were damaged.
    pub(super) fn told(gone: &[bool], ticks: u64) -> Self {
        let damaged = gone.iter().filter(|is_damaged| **is_damaged).count() as u64;
        if damaged > 0 {
            tracing::warn!(damaged, "Damaged blocks of history are past retention and were deleted.");
        }
        Self { blocks: gone.len() as u64, damaged, ticks }
    }
}

impl Store {
    /// The oldest day of which there are blocks.
    ///
    /// # Errors
    /// The database is away.
    pub async fn oldest_sealed_day(&self) -> Result<Option<UtcMs>, StoreError> {
        let oldest: Option<i64> = read!(self, pool => sqlx::query_scalar("select min(from_at) from sealed_tick")
            .fetch_one(pool).await?);
        Ok(oldest.map(sealed::day_of))
    }

    /// Where to begin to check: anywhere, for a hub that is often started anew is to come everywhere all the same. Ids of websites
    /// begin with when they were made: one that is made up is before or after all of them.
    ///
    /// # Errors
    /// The database is away.
    pub async fn check_from(&self) -> Result<CheckPosition, StoreError> {
        let website: Option<Uuid> = read!(self, pool => sqlx::query_scalar(
            "select website_id from website order by random() limit 1").fetch_optional(pool).await?);
        Ok(website.map_or_else(CheckPosition::default, |website| CheckPosition { website, ..CheckPosition::default() }))
    }

    /// Checks blocks against what was written, the next ones after a position, a few at a time; whatever is damaged is told.
    /// Returns where to go on.
    ///
    /// # Errors
    /// The database is away.
    pub async fn check_some(&self, from: CheckPosition, now: UtcMs) -> Result<CheckPosition, StoreError> {
        let rows: Vec<CheckedRow> = read!(self, pool => sqlx::query_as(
            "select website_id, from_at, to_at, ticks, region_id, keys, packed from sealed_tick \
             where (website_id, from_at, region_id) > ($1, $2, $3) and damaged_at is null \
             order by website_id, from_at, region_id limit $4")
            .bind(from.website).bind(from.from_at).bind(&from.region).bind(CHECKED).fetch_all(pool).await?);
        // From the beginning, after the end.
        let next = rows.last().filter(|_| rows.len() as i64 == CHECKED).map_or_else(CheckPosition::default, |last| {
            CheckPosition { website: last.website_id, from_at: last.from_at, region: last.region_id.clone() }
        });
        let mut found = Vec::new();
        for row in rows {
            let region: RegionId = parse(&row.region_id)?;
            let place = Place { website_id: WebsiteId(row.website_id), region_id: &region };
            let slots = (row.from_at, row.to_at);
            if let Err(damage) = sealed::check(place, slots, row.ticks, &row.keys, &row.packed) {
                found.push((BlockName { website: row.website_id, from_at: row.from_at, region }, damage));
            }
        }
        self.note_damage(&found, now).await?;
        Ok(next)
    }

    /// Deletes blocks of days before `kept_from`, the oldest first, some at a time; returns nothing when there are no more.
    ///
    /// # Errors
    /// The database is away.
    pub async fn forget_sealed(&self, kept_from: UtcMs) -> Result<Forgotten, StoreError> {
        let gone: Vec<bool> = write!(self, pool => sqlx::query_scalar(
            "delete from sealed_tick where (website_id, from_at, region_id) in (select website_id, from_at, region_id \
             from sealed_tick where from_at < $1 order by from_at limit $2) returning damaged_at is not null")
            .bind(kept_from).bind(AT_ONCE).fetch_all(pool).await?);
        Ok(Forgotten::told(&gone, 0))
    }

    /// Gives room that nothing is in any more back to the file system, some at a time; whether there may be more. Postgres
    /// does so by itself, by dropping days.
    ///
    /// # Errors
    /// The file cannot be written.
    pub async fn give_room_back(&self) -> Result<bool, StoreError> {
        let Pool::Sqlite { write, .. } = &self.pool else { return Ok(false) };
        let free = async || sqlx::query_scalar::<_, i64>("pragma freelist_count").fetch_one(write).await;
        let before = free().await?;
        if before < PAGES {
            return Ok(false); // soon used again
        }
        sqlx::query(sqlx::AssertSqlSafe(format!("pragma incremental_vacuum({PAGES})"))).fetch_all(write).await?;
        Ok(free().await? < before)
    }
}
