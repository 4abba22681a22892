//! Regions and workers, as their heartbeats tell.

use super::row::{narrow, parse};
use super::{Store, StoreError, read, write};
use crate::model::region::{CLOCK_ERROR_MS, Load};
use crate::model::{Heartbeat, Region, RegionId, UtcMs, Worker, WorkerId};

#[derive(Debug, sqlx::FromRow)]
struct Row {
    region_id: String,
    created_at: i64,
    worker_id: String,
    seen_at: i64,
    version: String,
    concurrency: i64,
    checks: i64,
    clock_offset_ms: i64,
    network: String,
    excused: i64,
    in_flight: i64,
    counted_at: i64,
    counted_checks: i64,
    before_at: i64,
    before_checks: i64,
}

impl Store {
    /// Notes heartbeats that were read at `now`; a region appears with the first one of its first worker. The last
    /// member of each is when the queue received it, by the hub's clock as far as that was known: then the worker was
    /// alive. An older one than what is known changes nothing, and revives no worker that has died since; but one from the
    /// future is of a clock that was wrong, and gives way.
    ///
    /// # Errors
    /// The database is away.
    pub async fn record_heartbeats(
        &self,
        beats: &[(RegionId, WorkerId, Heartbeat, UtcMs)],
        now: UtcMs,
    ) -> Result<(), StoreError> {
        // A count is of this run of it while it grows, and of now while signs of life come.
        let anew = "(excluded.seen_at - worker.counted_at > 300000 or excluded.seen_at < worker.counted_at \
                    or excluded.checks < worker.counted_checks)";
        let moves = "excluded.seen_at - worker.counted_at >= 60000";
        let save = format!(
            "insert into worker (region_id, worker_id, seen_at, version, concurrency, checks, \
             clock_offset_ms, network, excused, alive_since_at, network_since_at, stopped_at, \
             clock_wrong_since_at, in_flight, counted_at, counted_checks) \
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $3, $3, $11, $12, $14, $3, $6) \
             on conflict (region_id, worker_id) do update set \
             alive_since_at = case when worker.stopped_at is not null or worker.seen_at > $10 \
             or excluded.seen_at - worker.seen_at > $13 then excluded.seen_at else worker.alive_since_at end, \
             network_since_at = case when (case when excluded.network in ('cut_off', 'no_names') \
             then excluded.network else 'works' end) = (case when worker.network in ('cut_off', 'no_names') \
             then worker.network else 'works' end) \
             and worker.seen_at <= $10 and worker.network_since_at > 0 then worker.network_since_at else excluded.seen_at end, \
             stopped_at = excluded.stopped_at, clock_wrong_since_at = case when excluded.clock_wrong_since_at is null \
             or worker.clock_wrong_since_at > $10 then excluded.clock_wrong_since_at \
             else coalesce(worker.clock_wrong_since_at, excluded.clock_wrong_since_at) end, \
             before_at = case when {anew} then 0 when {moves} then worker.counted_at else worker.before_at end, \
             before_checks = case when {anew} then 0 when {moves} then worker.counted_checks else worker.before_checks end, \
             counted_at = case when {anew} or {moves} then excluded.seen_at else worker.counted_at end, \
             counted_checks = case when {anew} or {moves} then excluded.checks else worker.counted_checks end, \
             in_flight = excluded.in_flight, seen_at = excluded.seen_at, version = excluded.version, concurrency = excluded.concurrency, \
             checks = excluded.checks, clock_offset_ms = excluded.clock_offset_ms, \
             network = excluded.network, excused = excluded.excused \
             where excluded.seen_at >= worker.seen_at or worker.seen_at > $10"
        );
        for (region, worker, beat, received_at) in beats {
            let offset_ms = beat.sent_at.saturating_sub(*received_at);
            let version: String = beat.version.chars().filter(char::is_ascii_graphic).take(40).collect();
            write!(self, pool => {
                sqlx::query("insert into region (region_id, created_at) values ($1, $2) on conflict do nothing")
                    .bind(region.as_str()).bind(now).execute(pool).await?;
                sqlx::query(sqlx::AssertSqlSafe(save.as_str()))
                    .bind(region.as_str()).bind(worker.as_str()).bind(*received_at)
                    .bind(&version).bind(i64::from(beat.concurrency))
                    .bind(i64::try_from(beat.checks).unwrap_or(i64::MAX)).bind(offset_ms)
                    .bind(beat.network_state().as_str()).bind(i64::try_from(beat.excused).unwrap_or(i64::MAX))
                    .bind(now + CLOCK_ERROR_MS)
                    .bind(beat.stopping.then_some(*received_at))
                    .bind((offset_ms.saturating_abs() > CLOCK_ERROR_MS).then_some(*received_at))
                    .bind(Worker::SILENT_AFTER_MS).bind(i64::from(beat.in_flight))
                    .execute(pool).await?;
            });
        }
        Ok(())
    }

    /// Forgets a worker that has no access any more. Its results stay.
    ///
    /// # Errors
    /// The database is away.
    pub async fn forget_worker(&self, region: &RegionId, worker: &WorkerId) -> Result<(), StoreError> {
        write!(self, pool => sqlx::query("delete from worker where region_id = $1 and worker_id = $2")
            .bind(region.as_str()).bind(worker.as_str()).execute(pool).await.map(|_| ())?);
        Ok(())
    }

    /// All regions with their workers, by name.
    ///
    /// # Errors
    /// The database is away.
    pub async fn regions(&self) -> Result<Vec<Region>, StoreError> {
        let rows: Vec<Row> = read!(self, pool => sqlx::query_as(
            "select region_id, created_at, worker_id, seen_at, version, concurrency, checks, clock_offset_ms, \
             network, excused, in_flight, counted_at, counted_checks, before_at, before_checks from region join worker using (region_id) order by region_id, worker_id").fetch_all(pool).await?);
        let mut regions: Vec<Region> = Vec::new();
        for row in rows {
            let worker = Worker {
                worker_id: parse(&row.worker_id)?,
                seen_at: row.seen_at,
                version: row.version,
                concurrency: narrow(row.concurrency)?,
                checks: narrow(row.checks)?,
                clock_offset_ms: row.clock_offset_ms,
                // A word of a newer version says nothing here.
                network: row.network.parse().unwrap_or_default(),
                excused: narrow(row.excused)?,
                load: Load::new(
                    narrow(row.in_flight)?,
                    (row.before_at, narrow(row.before_checks)?),
                    (row.counted_at, narrow(row.counted_checks)?),
                ),
            };
            let region_id: RegionId = parse(&row.region_id)?;
            let created_at = row.created_at;
            match regions.last_mut() {
                Some(last) if last.region_id == region_id => last.workers.push(worker),
                Some(_) | None => regions.push(Region { region_id, created_at, workers: vec![worker] }),
            }
        }
        Ok(regions)
    }
}
