//! What is past retention goes, in bounded steps.

use crate::model::UtcMs;
use crate::store::{Pool, Store, StoreError, write};

/// Blocks deleted in one statement: some MB.
const AT_ONCE: i64 = 500;
/// Pages given back to the file system in one statement: 4 MB.
const PAGES: i64 = 1_000;

/// What one step deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Blocks, of which there may be more.
    pub blocks: u64,
    /// Those of them that were damaged.
    pub damaged: u64,
}

impl Store {
    /// Deletes blocks of days before `kept_from`, the oldest first, some at a time; returns nothing when there are no more.
    ///
    /// # Errors
    /// The database is away.
    pub async fn forget_sealed(&self, kept_from: UtcMs) -> Result<Forgotten, StoreError> {
        let gone: Vec<bool> = write!(self, pool => sqlx::query_scalar(
            "delete from sealed_tick where (website_id, from_at, region_id) in (select website_id, from_at, region_id \
             from sealed_tick where from_at < $1 order by from_at limit $2) returning damaged_at is not null")
            .bind(kept_from).bind(AT_ONCE).fetch_all(pool).await?);
        let damaged = gone.iter().filter(|is_damaged| **is_damaged).count() as u64;
        if damaged > 0 {
            tracing::warn!(damaged, "Damaged blocks of history are past retention and were deleted.");
        }
        Ok(Forgotten { blocks: gone.len() as u64, damaged })
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
