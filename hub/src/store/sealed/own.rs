//! History of websites whose owners want less of it kept than the installation does: what is past that goes, in bounded steps,
//! and nothing of others.

use sqlx::FromRow;
use uuid::Uuid;

use super::Forgotten;
use super::retain::AT_ONCE;
use crate::model::retention::Retention;
use crate::model::sealed::{self, DAY_MS};
use crate::model::{Keeping, UtcMs};
use crate::store::{Store, StoreError, read, write};

/// Websites looked at in one statement: two looks at a key each.
const WEBSITES: i64 = 100;
/// Raw ticks deleted in one statement.
const TICKS: i64 = 5_000;

/// A website of which history is past what its owner wants kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PastOwn {
    website: Uuid,
    /// Slots before this go now.
    before: UtcMs,
}

/// How far websites were looked at; at first none was.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OwnPosition(Uuid);

#[derive(Debug, FromRow)]
struct OwnRow {
    website_id: Uuid,
    retention_days: i64,
    oldest_block_at: Option<i64>,
    oldest_tick_at: Option<i64>,
}

impl Store {
    /// The next websites whose owners want less kept than the installation, `of_all`, does: those of which a day is past that,
    /// and where to go on; `None`: all were looked at.
    ///
    /// # Errors
    /// The database is away.
    pub async fn past_own_retention(
        &self,
        from: OwnPosition,
        of_all: Retention,
        now: UtcMs,
    ) -> Result<(Vec<PastOwn>, Option<OwnPosition>), StoreError> {
        // Raw ticks that nobody's retention is over for yet are in days that are looked into by nobody here.
        let kept_by_all = sealed::day_of(now).saturating_sub(DAY_MS);
        let rows: Vec<OwnRow> = read!(self, pool => sqlx::query_as(
            "select website_id, retention_days, \
             (select min(from_at) from sealed_tick where sealed_tick.website_id = own.website_id) as oldest_block_at, \
             (select min(slot_at) from tick where tick.website_id = own.website_id and slot_at < $2) as oldest_tick_at \
             from (select website_id, retention_days from website where retention_days is not null and website_id > $1 \
             order by website_id limit $3) own order by website_id")
            .bind(from.0).bind(kept_by_all).bind(WEBSITES).fetch_all(pool).await?);
        let next = rows.last().filter(|_| rows.len() as i64 == WEBSITES).map(|row| OwnPosition(row.website_id));
        let past = |row: &OwnRow| {
            let retention_days = row.retention_days.try_into().ok();
            let retention = Keeping { retention_days, ..Keeping::default() }.retention(of_all);
            let oldest_at = [row.oldest_block_at, row.oldest_tick_at].into_iter().flatten().min()?;
            let before = retention.forgets_before(sealed::day_of(oldest_at), now)?;
            Some(PastOwn { website: row.website_id, before })
        };
        Ok((rows.iter().filter_map(past).collect(), next))
    }

    /// Deletes some of what is past a website's own retention; returns nothing when there is no more.
    ///
    /// # Errors
    /// The database is away.
    pub async fn forget_own(&self, past: &PastOwn) -> Result<Forgotten, StoreError> {
        let (gone, ticks): (Vec<bool>, u64) = write!(self, pool => {
            let gone = sqlx::query_scalar(
                "delete from sealed_tick where website_id = $1 and from_at < $2 and (website_id, from_at, region_id) in \
                 (select website_id, from_at, region_id from sealed_tick where website_id = $1 and from_at < $2 limit $3) \
                 returning damaged_at is not null")
                .bind(past.website).bind(past.before).bind(AT_ONCE).fetch_all(pool).await?;
            // Raw are those that came late, or that cannot be packed.
            let ticks = sqlx::query(
                "delete from tick where website_id = $1 and slot_at < $2 and (website_id, slot_at, region_id, attempt) in \
                 (select website_id, slot_at, region_id, attempt from tick where website_id = $1 and slot_at < $2 limit $3)")
                .bind(past.website).bind(past.before).bind(TICKS).execute(pool).await?.rows_affected();
            (gone, ticks)
        });
        Ok(Forgotten::told(&gone, ticks))
    }
}
