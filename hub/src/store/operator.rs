//! What hubs and workers say of themselves, for whoever judges how the installation is.

use sqlx::FromRow;
use uuid::Uuid;

use super::row::parse;
use super::{Store, StoreError, read, write};
use crate::model::operator::{DamageCount, DamagedDay, FORGOTTEN_MS, HubReport, LetterCount, WatchedWorker};
use crate::model::{LetterFilter, RegionId, UtcMs, WebsiteId, WorkerId, letter_kind_words};

/// Dead letters that are counted; of more it is said that there are so many.
const COUNTED: i64 = 1_000;
/// Damaged blocks that are named.
const NAMED: i64 = 5;
/// Hubs that are looked at.
const HUBS: i64 = 1_000;

#[derive(Debug, FromRow)]
struct HubRow {
    name: String,
    seen_at: i64,
    hears_since_at: Option<i64>,
    queue_away_since_at: Option<i64>,
    late: String,
    late_since_at: Option<i64>,
    late_at: Option<i64>,
    free_bytes: Option<i64>,
    total_bytes: Option<i64>,
    full_at: Option<i64>,
}

impl From<HubRow> for HubReport {
    fn from(row: HubRow) -> Self {
        Self {
            name: row.name,
            seen_at: row.seen_at,
            hears_since_at: row.hears_since_at,
            queue_away_since_at: row.queue_away_since_at,
            late: row.late,
            late_since_at: row.late_since_at,
            late_at: row.late_at,
            space: row.free_bytes.zip(row.total_bytes),
            full_at: row.full_at,
        }
    }
}

#[derive(Debug, FromRow)]
struct WorkerRow {
    region_id: String,
    worker_id: String,
    seen_at: i64,
    alive_since_at: i64,
    network: String,
    network_since_at: i64,
    clock_offset_ms: i64,
    clock_wrong_since_at: Option<i64>,
    stopped_at: Option<i64>,
    flooded_at: Option<i64>,
}

impl TryFrom<WorkerRow> for WatchedWorker {
    type Error = StoreError;

    fn try_from(row: WorkerRow) -> Result<Self, StoreError> {
        Ok(Self {
            region_id: parse(&row.region_id)?,
            worker_id: parse(&row.worker_id)?,
            seen_at: row.seen_at,
            alive_since_at: row.alive_since_at,
            // A word of a newer version says nothing here.
            network: row.network.parse().unwrap_or_default(),
            network_since_at: row.network_since_at,
            clock_offset_ms: row.clock_offset_ms,
            clock_wrong_since_at: row.clock_wrong_since_at,
            stopped_at: row.stopped_at,
            flooded_at: row.flooded_at,
        })
    }
}

#[derive(Debug, FromRow)]
struct DamagedRow {
    website_id: Uuid,
    region_id: String,
    from_at: i64,
    damaged_at: i64,
}

impl Store {
    /// Writes down how a hub is, and forgets those that were silent for a day.
    ///
    /// # Errors
    /// The database is away, or has no room.
    pub async fn report_hub(&self, hub: &HubReport, now: UtcMs) -> Result<(), StoreError> {
        write!(self, pool => {
            sqlx::query(
                "insert into hub (name, seen_at, hears_since_at, queue_away_since_at, late, late_since_at, late_at, \
                 free_bytes, total_bytes, full_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
                 on conflict (name) do update set seen_at = excluded.seen_at, hears_since_at = excluded.hears_since_at, \
                 queue_away_since_at = excluded.queue_away_since_at, late = excluded.late, \
                 late_since_at = excluded.late_since_at, late_at = excluded.late_at, free_bytes = excluded.free_bytes, \
                 total_bytes = excluded.total_bytes, full_at = excluded.full_at")
                .bind(&hub.name).bind(hub.seen_at).bind(hub.hears_since_at).bind(hub.queue_away_since_at)
                .bind(&hub.late).bind(hub.late_since_at).bind(hub.late_at).bind(hub.space.map(|(free, _)| free))
                .bind(hub.space.map(|(_, total)| total)).bind(hub.full_at).execute(pool).await?;
            sqlx::query("delete from hub where seen_at <= $1").bind(now - FORGOTTEN_MS).execute(pool).await?;
        });
        Ok(())
    }

    /// A hub stops, and is not expected any more.
    ///
    /// # Errors
    /// The database is away.
    pub async fn forget_hub(&self, name: &str) -> Result<(), StoreError> {
        write!(self, pool => sqlx::query("delete from hub where name = $1").bind(name).execute(pool).await.map(|_| ())?);
        Ok(())
    }

    /// How all hubs are, by name.
    ///
    /// # Errors
    /// The database is away.
    pub async fn hubs(&self) -> Result<Vec<HubReport>, StoreError> {
        // The pool for writes: what this hub has just said of itself must be seen.
        let rows: Vec<HubRow> = write!(self, pool => sqlx::query_as(
            "select name, seen_at, hears_since_at, queue_away_since_at, late, late_since_at, late_at, free_bytes, \
             total_bytes, full_at from hub order by name limit $1")
            .bind(HUBS).fetch_all(pool).await?);
        Ok(rows.into_iter().map(HubReport::from).collect())
    }

    /// All workers, by region and name.
    ///
    /// # Errors
    /// The database is away.
    pub async fn watched_workers(&self) -> Result<Vec<WatchedWorker>, StoreError> {
        let rows: Vec<WorkerRow> = read!(self, pool => sqlx::query_as(
            "select region_id, worker_id, seen_at, alive_since_at, network, network_since_at, clock_offset_ms, \
             clock_wrong_since_at, stopped_at, flooded_at from worker order by region_id, worker_id")
            .fetch_all(pool).await?);
        rows.into_iter().map(WatchedWorker::try_from).collect()
    }

    /// A worker wrote more than is read. One that was never heard of is left out: the log has it.
    ///
    /// # Errors
    /// The database is away.
    pub async fn note_flood(&self, region: &RegionId, worker: &WorkerId, at: UtcMs) -> Result<(), StoreError> {
        write!(self, pool => sqlx::query("update worker set flooded_at = $3 where region_id = $1 and worker_id = $2")
            .bind(region.as_str()).bind(worker.as_str()).bind(at).execute(pool).await.map(|_| ())?);
        Ok(())
    }

    /// Dead letters there are: how many, since when, of which kinds.
    ///
    /// # Errors
    /// The database is away.
    pub async fn letter_count(&self) -> Result<LetterCount, StoreError> {
        let count = self.count_dead_letters(&LetterFilter::default(), COUNTED).await?;
        if count == 0 {
            return Ok(LetterCount::default());
        }
        let (oldest_at, newest_at): (Option<i64>, Option<i64>) = read!(self, pool => sqlx::query_as(
            "select (select min(created_at) from dead_letter), (select max(created_at) from dead_letter)")
            .fetch_one(pool).await?);
        let kinds = self.dead_letter_kinds(COUNTED).await?;
        let kinds = kinds.into_iter().map(|(kind, count)| (letter_kind_words(&kind), count)).collect();
        Ok(LetterCount { count, newest_at, oldest_at, kinds })
    }

    /// Blocks of history that are damaged: how many, since when, and which some of them are.
    ///
    /// # Errors
    /// The database is away.
    pub async fn damage_count(&self) -> Result<DamageCount, StoreError> {
        let rows: Vec<DamagedRow> = read!(self, pool => sqlx::query_as(
            "select website_id, region_id, from_at, damaged_at from sealed_tick where damaged_at is not null \
             order by damaged_at limit $1")
            .bind(NAMED).fetch_all(pool).await?);
        let Some(since_at) = rows.first().map(|row| row.damaged_at) else { return Ok(DamageCount::default()) };
        let named = |row: DamagedRow| DamagedDay {
            website_id: WebsiteId(row.website_id),
            region: row.region_id,
            from_at: row.from_at,
        };
        let count = self.count_damaged_blocks().await?;
        Ok(DamageCount { count, since_at: Some(since_at), some: rows.into_iter().map(named).collect() })
    }
}
