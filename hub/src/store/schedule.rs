//! Claims among hubs, and what a restarted scheduler asks.

use super::row::parse;
use super::{Pool, Store, StoreError, read};
use crate::model::{RegionId, UtcMs, WebsiteId};

impl Store {
    /// Claims a second of the schedule for this hub: `true` when it is ours to publish. On SQLite there is one hub.
    ///
    /// # Errors
    /// The database is away.
    pub async fn claim_second(&self, second_at: i64, hub_id: &str) -> Result<bool, StoreError> {
        let Pool::Postgres(pool) = &self.pool else { return Ok(true) };
        let made = sqlx::query(
            "insert into schedule_claim (second_at, shard, hub_id) values ($1, 0, $2) on conflict do nothing",
        )
        .bind(second_at)
        .bind(hub_id)
        .execute(pool)
        .await?;
        Ok(made.rows_affected() == 1)
    }

    /// Marks claimed seconds as published.
    ///
    /// # Errors
    /// The database is away.
    pub async fn mark_published(&self, from: i64, to: i64, hub_id: &str, now: UtcMs) -> Result<(), StoreError> {
        let Pool::Postgres(pool) = &self.pool else { return Ok(()) };
        sqlx::query(
            "update schedule_claim set published_at = $4 where second_at between $1 and $2 and shard = 0 \
             and hub_id = $3 and published_at is null",
        )
        .bind(from)
        .bind(to)
        .bind(hub_id)
        .bind(now)
        .execute(pool)
        .await?;
        Ok(())
    }

    /// Takes over a second that its hub claimed but did not publish: `true` when it is ours now.
    ///
    /// # Errors
    /// The database is away.
    pub async fn take_over_second(&self, second_at: i64, hub_id: &str) -> Result<bool, StoreError> {
        let Pool::Postgres(pool) = &self.pool else { return Ok(false) };
        let taken = sqlx::query(
            "update schedule_claim set hub_id = $2 where second_at = $1 and shard = 0 and hub_id <> $2 \
             and published_at is null",
        )
        .bind(second_at)
        .bind(hub_id)
        .execute(pool)
        .await?;
        Ok(taken.rows_affected() == 1)
    }

    /// Gives back what this hub claimed and did not publish: it stops. The rows stay, without an owner: other hubs have
    /// tried to claim those seconds before, and take them over as they do those of a hub that died.
    ///
    /// # Errors
    /// The database is away; the claims are taken over all the same.
    pub async fn release_claims(&self, hub_id: &str) -> Result<(), StoreError> {
        let Pool::Postgres(pool) = &self.pool else { return Ok(()) };
        sqlx::query("update schedule_claim set hub_id = '' where hub_id = $1 and published_at is null")
            .bind(hub_id)
            .execute(pool)
            .await?;
        Ok(())
    }

    /// Forgets claims of seconds that lie in the future by the database's own clock: a hub's clock was ahead, or all
    /// clocks were set back; nothing would be published until then (T201).
    ///
    /// # Errors
    /// The database is away.
    pub async fn drop_future_claims(&self) -> Result<(), StoreError> {
        let Pool::Postgres(pool) = &self.pool else { return Ok(()) };
        // 30 s: hubs claim 2 s ahead, and their clocks may differ a little.
        sqlx::query("delete from schedule_claim where second_at > extract(epoch from clock_timestamp())::bigint + 30")
            .execute(pool)
            .await?;
        Ok(())
    }

    /// Forgets claims before a second.
    ///
    /// # Errors
    /// The database is away.
    pub async fn drop_claims(&self, before: i64) -> Result<(), StoreError> {
        let Pool::Postgres(pool) = &self.pool else { return Ok(()) };
        sqlx::query("delete from schedule_claim where second_at < $1").bind(before).execute(pool).await?;
        Ok(())
    }

    /// Whether hubs share this database, so that seconds must be claimed.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        matches!(self.pool, Pool::Postgres(_))
    }

    /// Newest slot stored per website and region: what a restarted hub without claims knows was done.
    ///
    /// # Errors
    /// The database is away.
    pub async fn newest_slots(&self, since: UtcMs) -> Result<Vec<(WebsiteId, RegionId, UtcMs)>, StoreError> {
        let rows: Vec<(uuid::Uuid, String, i64)> = read!(self, pool => sqlx::query_as(
            "select website_id, region_id, slot_at from region_state where slot_at >= $1")
            .bind(since).fetch_all(pool).await?);
        rows.into_iter().map(|(id, region, slot_at)| Ok((WebsiteId(id), parse(&region)?, slot_at))).collect()
    }

    /// Whether results of slots are stored that have not come yet: a clock was ahead.
    ///
    /// # Errors
    /// The database is away.
    pub async fn has_future_slots(&self, now: UtcMs) -> Result<bool, StoreError> {
        // 10 s: hubs' clocks may differ a little.
        Ok(read!(self, pool => sqlx::query_scalar("select exists (select 1 from region_state where slot_at > $1)")
            .bind(now + 10_000).fetch_one(pool).await?))
    }
}
