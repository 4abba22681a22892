//! Counting what ended, in batches. What is to be counted is read first, at leisure; it is written in one short transaction
//! that takes the next turn ([`Progress::turn`]) and is given up when somebody else had it meanwhile. So whatever is written
//! follows from all that was committed before the turn, hubs need not know of each other, and a hub that dies leaves nothing
//! half done.

mod batch;
mod due;
mod forget;
mod read;
mod rows;
mod several;
mod ticks;

use std::collections::BTreeSet;

use sqlx::FromRow;
use uuid::Uuid;

pub(super) use self::batch::Subject;
pub(super) use self::due::{Due, note};
pub use self::forget::ForgottenHours;
pub use self::read::{Latency, Series, SeriesAsked};
pub(super) use self::rows::write as put_roll_ups;
pub(super) use self::several::latencies_of;
use super::ingest::Transaction;
use super::jobs::on;
use super::uptime::{UptimeDay, write_days};
use super::{Store, StoreError, read, write};
use crate::model::roll_up::{Grain, Place, Progress, RollUp};
use crate::model::{RegionId, Span, UtcMs, WebsiteId};

/// Of which website, since when, from which region.
type Key = (WebsiteId, UtcMs, RegionId);

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RolledUp {
    /// All that is over is counted.
    Nothing,
    /// So much was counted.
    Counted {
        /// Ticks that were read for it.
        ticks: usize,
    },
    /// Another hub was faster; nothing was written.
    Overtaken,
}

/// What a batch writes.
#[derive(Debug, Default)]
struct Batch {
    ticks: usize,
    hours: Vec<(Key, RollUp)>,
    days: Vec<(Key, RollUp)>,
    uptime: Vec<UptimeDay>,
    /// Websites, and the day of theirs whose hours are forgotten.
    forgotten: Option<(Vec<WebsiteId>, Span)>,
    /// Numbers of what was due.
    done: Vec<i64>,
}

impl Batch {
    /// Those of whom something is written.
    fn websites(&self) -> BTreeSet<WebsiteId> {
        let of_ticks = self.hours.iter().chain(&self.days).map(|((id, ..), _)| *id);
        of_ticks.chain(self.uptime.iter().map(|day| day.website_id)).collect()
    }

    /// Without what is about websites that were deleted while it was counted.
    fn leave_out_gone(&mut self, there: &BTreeSet<WebsiteId>) {
        self.hours.retain(|((id, ..), _)| there.contains(id));
        self.days.retain(|((id, ..), _)| there.contains(id));
        self.uptime.retain(|day| there.contains(&day.website_id));
    }
}

#[derive(FromRow)]
pub(super) struct ProgressRow {
    turn: i64,
    hours_at: i64,
    hours_after_id: Uuid,
    days_at: i64,
    days_after_id: Uuid,
    hours_back_at: i64,
    hours_back_after_id: Uuid,
    days_back_at: i64,
    days_back_after_id: Uuid,
    back_until_at: i64,
}

impl From<ProgressRow> for Progress {
    fn from(row: ProgressRow) -> Self {
        let place = |at, after: Uuid| Place { at, after: WebsiteId(after) };
        Self {
            turn: row.turn,
            hours: place(row.hours_at, row.hours_after_id),
            days: place(row.days_at, row.days_after_id),
            hours_back: place(row.hours_back_at, row.hours_back_after_id),
            days_back: place(row.days_back_at, row.days_back_after_id),
            back_until_at: row.back_until_at,
        }
    }
}

pub(super) const PROGRESS: &str = "turn, hours_at, hours_after_id, days_at, days_after_id, hours_back_at, hours_back_after_id, \
    days_back_at, days_back_after_id, back_until_at";

impl Store {
    /// How far counting has come; `None`: it has not begun.
    ///
    /// # Errors
    /// The database is away.
    pub async fn roll_up_progress(&self) -> Result<Option<Progress>, StoreError> {
        let select = format!("select {PROGRESS} from roll_up_progress");
        let row: Option<ProgressRow> = read!(self, pool => sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()))
            .fetch_optional(pool).await?);
        Ok(row.map(Progress::from))
    }

    /// Whether all from before the first start is counted.
    ///
    /// # Errors
    /// The database is away.
    pub async fn is_history_counted(&self) -> Result<bool, StoreError> {
        let progress = self.roll_up_progress().await?;
        Ok(progress.is_some_and(|known| known.hours_back.at <= known.back_until_at))
    }

    async fn begin_roll_up(&self, now: UtcMs) -> Result<Progress, StoreError> {
        let first_at: Option<i64> = read!(self, pool => sqlx::query_scalar("select min(created_at) from website")
            .fetch_one(pool).await?);
        let begun = Progress::begin(first_at, now);
        let insert = insert_progress();
        write!(self, pool => bound(sqlx::query(sqlx::AssertSqlSafe(insert.as_str())), &begun).execute(pool).await.map(|_| ())?);
        // Another hub may have begun a moment ago.
        Ok(self.roll_up_progress().await?.unwrap_or(begun))
    }

    /// Counts the next batch: what came to be known of what is counted already, `at_once` hours of it; hours and days that
    /// have ended, of the next `at_once` websites; and of what was before the first start, as much.
    ///
    /// # Errors
    /// The database is away; nothing of the batch was written.
    pub async fn roll_up_some(&self, now: UtcMs, at_once: usize) -> Result<RolledUp, StoreError> {
        let known = match self.roll_up_progress().await? {
            Some(known) => known,
            None => self.begin_roll_up(now).await?,
        };
        let mut next = known.clone().by_clock(now);
        let (due, numbers) = self.due(at_once).await?;
        let work = next.next(now);
        // In turns where there is both, so that neither waits for the other for ever.
        let batch = match work {
            Some(work) if due.is_empty() || known.turn % 2 == 0 => {
                let (batch, last) = self.count_work(&work, &next, at_once).await?;
                next = next.done(&work, last);
                batch
            }
            Some(_) | None if !due.is_empty() => Batch { done: numbers, ..self.count_due(&due, &next).await? },
            Some(_) | None if next == known => return Ok(RolledUp::Nothing),
            Some(_) | None => Batch::default(),
        };
        let ticks = batch.ticks;
        probe::fail_point!("roll_up.counted");
        Ok(if self.answered(self.write_batch(batch, &next)).await? {
            RolledUp::Counted { ticks }
        } else {
            RolledUp::Overtaken
        })
    }

    /// Whether it was this hub's turn.
    async fn write_batch(&self, mut batch: Batch, next: &Progress) -> Result<bool, StoreError> {
        let mut tx = Transaction::begin(&self.pool).await?;
        let take = "update roll_up_progress set hours_at = $2, hours_after_id = $3, days_at = $4, days_after_id = $5, \
            hours_back_at = $6, hours_back_after_id = $7, days_back_at = $8, days_back_after_id = $9, back_until_at = $10, \
            turn = turn + 1 where turn = $1";
        let taken = on!(&mut tx, c => bound(sqlx::query(take), next).execute(c).await?.rows_affected());
        if taken != 1 {
            tx.rollback().await?;
            return Ok(false);
        }
        let there = rows::held(&mut tx, &batch.websites()).await?;
        batch.leave_out_gone(&there);
        rows::write(&mut tx, Grain::Hour, &batch.hours).await?;
        rows::write(&mut tx, Grain::Day, &batch.days).await?;
        if let Some((ids, day)) = &batch.forgotten {
            rows::forget_hours(&mut tx, ids, *day).await?;
        }
        write_days(&mut tx, &batch.uptime).await?;
        due::done(&mut tx, &batch.done).await?;
        probe::fail_point!("roll_up.written");
        tx.commit().await?;
        probe::fail_point!("roll_up.committed");
        Ok(true)
    }
}

fn insert_progress() -> String {
    format!(
        "insert into roll_up_progress ({PROGRESS}) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict do nothing"
    )
}

/// Notes how far counting is, where nobody has begun.
pub(super) async fn put_progress(tx: &mut Transaction, progress: &Progress) -> Result<(), StoreError> {
    let insert = insert_progress();
    on!(tx, c => bound(sqlx::query(sqlx::AssertSqlSafe(insert.as_str())), progress).execute(c).await.map(|_| ())?);
    Ok(())
}

/// Binds progress in the order of [`PROGRESS`].
fn bound<'q, D: sqlx::Database>(
    query: sqlx::query::Query<'q, D, <D as sqlx::Database>::Arguments>,
    progress: &Progress,
) -> sqlx::query::Query<'q, D, <D as sqlx::Database>::Arguments>
where
    i64: sqlx::Type<D> + for<'e> sqlx::Encode<'e, D>,
    Uuid: sqlx::Type<D> + for<'e> sqlx::Encode<'e, D>,
{
    let places = [progress.hours, progress.days, progress.hours_back, progress.days_back];
    let query =
        places.into_iter().fold(query.bind(progress.turn), |query, place| query.bind(place.at).bind(place.after.0));
    query.bind(progress.back_until_at)
}
