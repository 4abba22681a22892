//! Claims among hubs, and what a restarted scheduler asks.

use super::row::parse;
use super::{Pool, Store, StoreError, asked, patiently, read};
use crate::clock;
use crate::model::{RegionId, UtcMs, WebsiteId};

/// A claim that was not confirmed for so long, by the database's clock, may be taken over. A hub claims 2 s ahead, then
/// confirms every second what it holds: one that lives is never late by so much.
const LEASE_MS: i64 = 3_000;
/// Claims this far ahead of the database's clock were made by a clock that was wrong; clocks of hubs may differ by less.
const AHEAD_S: i64 = 60;
/// Published claims are kept for so long.
const KEPT_S: i64 = 3_600;

/// What a hub asks of the claims, once a second. No second may be in two of the lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClaimTurn {
    /// Its own, all of whose checks are out.
    pub published: Vec<i64>,
    /// Its own, not published yet.
    pub held: Vec<i64>,
    /// Wanted: the next ones; also those of which it does not know whether it has them, since an answer was lost.
    pub wanted: Vec<i64>,
    /// Others': taken over when their hub gave them back or does not confirm them. One that is this hub's already was
    /// taken over in a turn whose answer was lost.
    pub watched: Vec<i64>,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClaimAnswer {
    /// Of `held`, those that still are this hub's.
    pub held: Vec<i64>,
    /// Of `wanted`, those that are this hub's now. The others are somebody else's.
    pub made: Vec<i64>,
    /// Of `watched`, those that were taken over.
    pub taken: Vec<i64>,
    /// Of `watched`, those that their hub has published.
    pub over: Vec<i64>,
    /// What all hubs add to the names of slots.
    pub shift_ms: i64,
}

const CLAIM_TURN: &str = "with \
    clock as materialized (select (extract(epoch from clock_timestamp()) * 1000)::bigint as now_at), \
    marked as (update schedule_claim set published_at = now_at from clock \
        where shard = 0 and second_at = any($2) and hub_id = $1 and published_at is null), \
    held as (update schedule_claim set claimed_at = now_at from clock \
        where shard = 0 and second_at = any($3) and hub_id = $1 and published_at is null returning second_at), \
    made as (insert into schedule_claim (second_at, shard, hub_id, claimed_at) \
        select wanted, 0, $1, now_at from unnest($4::bigint[]) wanted, clock \
        on conflict (second_at, shard) do update set claimed_at = excluded.claimed_at \
        where schedule_claim.hub_id = excluded.hub_id and schedule_claim.published_at is null returning second_at), \
    taken as (update schedule_claim set hub_id = $1, claimed_at = now_at from clock \
        where shard = 0 and second_at = any($5) and published_at is null \
        and (hub_id in ('', $1) or now_at - claimed_at not between -$6 and $6) returning second_at), \
    over as (select second_at from schedule_claim \
        where shard = 0 and second_at = any($5) and published_at is not null) \
    select array(select second_at from held), array(select second_at from made), array(select second_at from taken), \
    array(select second_at from over), coalesce((select shift_ms from schedule_shift), 0), (select now_at from clock)";

impl Store {
    /// One turn at the claims, in one statement: marks, confirms, claims and takes over, each row compared and set at
    /// once, by the database's clock, which is learnt. On SQLite there is one hub, and everything is its own.
    ///
    /// # Errors
    /// The database is away: nothing is known to be this hub's.
    pub async fn claim_turn(&self, hub_id: &str, turn: &ClaimTurn) -> Result<ClaimAnswer, StoreError> {
        let Pool::Postgres(pools) = &self.pool else {
            return Ok(ClaimAnswer { held: turn.held.clone(), made: turn.wanted.clone(), ..ClaimAnswer::default() });
        };
        let asked_us = clock::steady_us();
        let (held, made, taken, over, shift_ms, now_at) = asked!(self, pools, pool => sqlx::query_as(CLAIM_TURN)
            .bind(hub_id)
            .bind(&turn.published)
            .bind(&turn.held)
            .bind(&turn.wanted)
            .bind(&turn.watched)
            .bind(LEASE_MS)
            .fetch_one(pool)
            .await?);
        clock::learn(asked_us, now_at);
        Ok(ClaimAnswer { held, made, taken, over, shift_ms })
    }

    /// Gives back what this hub claimed and did not publish: it stops. The rows stay, without an owner: other hubs have
    /// tried to claim those seconds before, and take them over with their next turn.
    ///
    /// # Errors
    /// The database is away; the claims are taken over all the same.
    pub async fn release_claims(&self, hub_id: &str, from: i64) -> Result<(), StoreError> {
        let Pool::Postgres(pools) = &self.pool else { return Ok(()) };
        asked!(self, pools, pool => sqlx::query(
            "update schedule_claim set hub_id = '' where shard = 0 and hub_id = $1 and second_at >= $2 \
             and published_at is null",
        )
        .bind(hub_id)
        .bind(from)
        .execute(pool)
        .await?);
        Ok(())
    }

    /// Forgets claims a clock that was wrong has left (T201): those far ahead of the database's clock, and those this hub
    /// made later than `second`, of which only it knows that they are wrong. Nothing would be published until then.
    /// While a hub lives up there, by the clock of the hubs: it is the database's that is behind, or that hub has the
    /// seconds (T203, T215).
    /// The names of their slots were used: all hubs give the slots of from now on other ones, a millisecond off. Hubs
    /// that find out together count as one.
    ///
    /// # Errors
    /// The database is away.
    pub async fn drop_future_claims(&self, hub_id: &str, second: i64) -> Result<(), StoreError> {
        let Pool::Postgres(pools) = &self.pool else { return Ok(()) };
        asked!(self, pools, pool => sqlx::query(
            "with clock as materialized (select (extract(epoch from clock_timestamp()) * 1000)::bigint as now_at), \
             gone as (delete from schedule_claim using clock \
                where (hub_id = $1 and second_at > $2) or (second_at > now_at / 1000 + $3 and not exists \
                    (select 1 from schedule_claim c where c.second_at > now_at / 1000 + $3 and c.hub_id <> '' \
                        and c.published_at is null and now_at - c.claimed_at between -$4 and $4)) returning 1) \
             update schedule_shift set shift_ms = shift_ms + 1, changed_at = now_at from clock \
             where exists (select 1 from gone) and now_at - changed_at not between 0 and 30000",
        )
        .bind(hub_id)
        .bind(second)
        .bind(AHEAD_S)
        .bind(LEASE_MS)
        .execute(pool)
        .await?);
        Ok(())
    }

    /// Forgets claims of an hour ago, by the database's clock.
    ///
    /// # Errors
    /// The database is away.
    pub async fn drop_old_claims(&self) -> Result<(), StoreError> {
        let Pool::Postgres(pools) = &self.pool else { return Ok(()) };
        asked!(self, pools, pool => sqlx::query("delete from schedule_claim where second_at < extract(epoch from clock_timestamp())::bigint - $1")
            .bind(KEPT_S)
            .execute(pool)
            .await?);
        Ok(())
    }

    /// Whether hubs share this database, so that seconds must be claimed.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        matches!(self.pool, Pool::Postgres(_))
    }

    /// When anybody last published a check, as far as is stored. `None`: never, or nobody knows any more.
    ///
    /// # Errors
    /// The database is away.
    pub async fn last_published_at(&self) -> Result<Option<UtcMs>, StoreError> {
        if let Pool::Postgres(pools) = &self.pool {
            let second: Option<i64> = asked!(self, pools, pool => sqlx::query_scalar("select max(second_at) from schedule_claim where published_at is not null")
                    .fetch_one(pool)
                    .await?);
            return Ok(second.map(|second| second * 1_000));
        }
        Ok(read!(self, pool => sqlx::query_scalar("select max(slot_at) from region_state").fetch_one(pool).await?))
    }

    /// Websites that are down since before `before`, and since when; without those that a region has seen well since.
    ///
    /// # Errors
    /// The database is away.
    pub async fn long_down(&self, before: UtcMs) -> Result<Vec<(WebsiteId, UtcMs)>, StoreError> {
        let rows: Vec<(uuid::Uuid, i64)> = read!(self, pool => sqlx::query_as(
            "select website_id, since_at from website_state s where verdict = 'down' and since_at < $1 \
             and not exists (select 1 from region_state r \
                where r.website_id = s.website_id and r.good_streak > 0 and r.slot_at >= s.since_at)")
            .bind(before).fetch_all(pool).await?);
        Ok(rows.into_iter().map(|(id, since_at)| (WebsiteId(id), since_at)).collect())
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
        Ok(patiently!(self, connection =>
            sqlx::query_scalar("select exists (select 1 from region_state where slot_at > $1)")
                .bind(now + 10_000).fetch_one(connection).await?))
    }
}
