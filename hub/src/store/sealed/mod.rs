//! Ticks of days that have passed, in blocks ([`crate::model::sealed`]): packed, read, known again, forgotten. What is in a block
//! is in no other place, but for a tick that came again or late, which is raw until the next look.

mod counted;
mod days;
mod known;
mod late;
mod own;
mod read;
mod retain;
mod row;
mod seal;
mod walk;
mod work;

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

pub(super) use self::counted::{HourBlock, blocks_of_hours};
pub use self::days::{DayFate, EndedDay};
pub(super) use self::known::{known_again, last_attempt};
pub use self::own::{OwnPosition, PastOwn};
pub(super) use self::read::{Window, key_of, read};
pub use self::retain::{CheckPosition, Forgotten};
pub use self::seal::{SealPosition, Sealed};
pub(super) use self::walk::{Unpacked, read_on};
use super::{Store, StoreError, write};
use crate::model::sealed::{self, Damage};
use crate::model::{RegionId, UtcMs, WebsiteId};

/// Where a block is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BlockName {
    website: Uuid,
    from_at: UtcMs,
    region: RegionId,
}

/// Days and blocks that were told of, so many at most: hubs look every minute, and people as often as they like.
const TOLD: usize = 1_000;
static TOLD_OF: Mutex<BTreeSet<(Uuid, UtcMs, String)>> = Mutex::new(BTreeSet::new());

/// Whether this hub has not said so yet.
fn is_news(website: Uuid, at: UtcMs, what: &str) -> bool {
    let mut told = TOLD_OF.lock().unwrap_or_else(PoisonError::into_inner);
    told.len() < TOLD && told.insert((website, at, what.to_owned()))
}

/// A block, as is told of it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct SealedBlock {
    /// From where.
    pub region_id: String,
    /// First slot.
    pub from_at: UtcMs,
    /// Last slot.
    pub to_at: UtcMs,
    /// How many ticks.
    pub ticks: i64,
    /// How many bytes.
    pub bytes: i64,
    /// What is wrong with it.
    pub damage: Option<String>,
}

impl Store {
    /// For whoever owns the installation, at its command line: blocks of a website that reach into a time, oldest first.
    ///
    /// # Errors
    /// The database is away.
    pub async fn sealed_blocks(
        &self,
        website: WebsiteId,
        from_at: UtcMs,
        to_at: UtcMs,
        limit: i64,
    ) -> Result<Vec<SealedBlock>, StoreError> {
        let length = if self.is_sqlite() { "length" } else { "octet_length" };
        let sql = format!(
            "select region_id, from_at, to_at, ticks, cast({length}(keys) + {length}(packed) as bigint) as bytes, damage \
             from sealed_tick where website_id = $1 and from_at >= $2 and from_at <= $3 and to_at >= $4 \
             order by from_at, region_id limit $5"
        );
        Ok(super::read!(self, pool => sqlx::query_as(sqlx::AssertSqlSafe(sql.as_str()))
            .bind(website.0).bind(sealed::day_of(from_at)).bind(to_at).bind(from_at).bind(limit).fetch_all(pool).await?))
    }

    /// For the same: how many ticks of the website in that time, or more, are not shown, for their blocks are damaged.
    ///
    /// # Errors
    /// The database is away.
    pub async fn count_ticks_in_damage(
        &self,
        website: WebsiteId,
        from_at: UtcMs,
        to_at: UtcMs,
    ) -> Result<i64, StoreError> {
        Ok(super::read!(self, pool => sqlx::query_scalar(
            "select cast(coalesce(sum(ticks), 0) as bigint) from sealed_tick where website_id = $1 and from_at >= $2 \
             and from_at <= $3 and to_at >= $4 and damaged_at is not null")
            .bind(website.0).bind(sealed::day_of(from_at)).bind(to_at).bind(from_at).fetch_one(pool).await?))
    }

    /// Marks blocks that are not what was written, and says so once of each.
    pub(super) async fn note_damage(&self, found: &[(BlockName, Damage)], now: UtcMs) -> Result<(), StoreError> {
        for (name, damage) in found {
            let BlockName { website, from_at, region } = name;
            if let Damage::Newer(version) = damage {
                if is_news(*website, *from_at, region.as_str()) {
                    tracing::warn!(website.id = %website, region = %region, from_at, version, "A block of history was written \
                        by a newer version of the hub; this one cannot show it.");
                }
                continue;
            }
            let marked = write!(self, pool => sqlx::query(
                "update sealed_tick set damaged_at = $4, damage = $5 where website_id = $1 and from_at = $2 and region_id = $3 \
                 and damaged_at is null")
                .bind(website).bind(from_at).bind(region.as_str()).bind(now).bind(damage.to_string())
                .execute(pool).await?.rows_affected());
            if marked > 0 {
                tracing::error!(website.id = %website, region = %region, from_at, %damage, "A block of history is damaged. It \
                    is left as it is and not shown; if there is a backup, restore its row of sealed_tick from that.");
            }
        }
        Ok(())
    }

    /// Blocks that are damaged, some thousand at most.
    ///
    /// # Errors
    /// The database is away.
    pub async fn count_damaged_blocks(&self) -> Result<i64, StoreError> {
        Ok(super::read!(self, pool => sqlx::query_scalar(
            "select count(*) from (select 1 from sealed_tick where damaged_at is not null limit 1000) d")
            .fetch_one(pool).await?))
    }
}
