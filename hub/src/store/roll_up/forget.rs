//! Hours that are not kept any more, of whatever version counted them: taken away by and by, a day of a website at a time.

use sqlx::FromRow;
use uuid::Uuid;

use crate::model::roll_up::{Grain, Progress};
use crate::model::{UtcMs, WebsiteId};
use crate::store::{Store, StoreError, read, write};

/// Websites looked at in one step. Of each a day's hours go at most: some thousand rows.
const WEBSITES: i64 = 100;

/// What one step took away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForgottenHours {
    /// Rows.
    pub rows: u64,
    /// Websites up to this one have none any more; `None`: none has.
    pub after: Option<WebsiteId>,
}

#[derive(FromRow)]
struct OldRow {
    website_id: Uuid,
    newest_day_at: Option<i64>,
    oldest_hour_at: Option<i64>,
}

impl Store {
    /// Takes away some of the hours that are not kept any more, of websites after this one.
    ///
    /// # Errors
    /// The database is away.
    pub async fn forget_hours(&self, after: WebsiteId) -> Result<ForgottenHours, StoreError> {
        let Some(progress) = self.roll_up_progress().await? else { return Ok(ForgottenHours { rows: 0, after: None }) };
        // Two looks at the key for each.
        let rows: Vec<OldRow> = read!(self, pool => sqlx::query_as(
            "select website_id, \
             (select max(starts_at) from roll_up where roll_up.website_id = these.website_id and grain = 'day') as newest_day_at, \
             (select min(starts_at) from roll_up where roll_up.website_id = these.website_id and grain = 'hour' \
             and starts_at >= $2) as oldest_hour_at \
             from (select website_id from website where website_id > $1 order by website_id limit $3) these order by website_id")
            .bind(after.0).bind(first_forgettable(&progress)).bind(WEBSITES).fetch_all(pool).await?);
        let next = rows.last().filter(|_| rows.len() as i64 == WEBSITES).map(|row| WebsiteId(row.website_id));
        let old: Vec<(Uuid, UtcMs, UtcMs)> = rows.iter().filter_map(|row| old_day(&progress, row)).collect();
        if old.is_empty() {
            return Ok(ForgottenHours { rows: 0, after: next });
        }
        let gone = write!(self, pool => {
            let mut tx = pool.begin().await?;
            let mut gone = 0;
            for (website, from_at, to_at) in &old {
                gone += sqlx::query(
                    "delete from roll_up where website_id = $1 and grain = 'hour' and starts_at >= $2 and starts_at < $3")
                    .bind(website).bind(from_at).bind(to_at).execute(&mut *tx).await?.rows_affected();
            }
            tx.commit().await?;
            gone
        });
        // Of the same ones there may be more.
        Ok(ForgottenHours { rows: gone, after: Some(after) })
    }
}

fn first_forgettable(progress: &Progress) -> UtcMs {
    progress.forgettable_hours(UtcMs::MAX).map_or(UtcMs::MAX, |hours| hours.from_at)
}

/// The oldest day of a website of which there are hours that are not kept.
fn old_day(progress: &Progress, row: &OldRow) -> Option<(Uuid, UtcMs, UtcMs)> {
    let (newest_day_at, oldest_hour_at) = row.newest_day_at.zip(row.oldest_hour_at)?;
    let hours = progress.forgettable_hours(newest_day_at)?;
    let to_at = Grain::Day.end_of(oldest_hour_at).min(hours.to_at);
    (oldest_hour_at < to_at).then_some((row.website_id, oldest_hour_at.max(hours.from_at), to_at))
}
