//! Pings that did not come; and whether anybody was there to hear them.

use uuid::Uuid;

use super::ping::decide;
use super::rows::{on, read_job, write_awaited};
use crate::model::job::{DEAF_MS, RETRIES_MS};
use crate::model::region::CLOCK_ERROR_MS;
use crate::model::{JobPlan, Outcome, Span, UtcMs, WebsiteId};
use crate::store::ingest::{Locked, Transaction};
use crate::store::{Store, StoreError, incidents, read, write};

/// Jobs looked at in one transaction: each takes some twenty statements, and their account is nobody else's meanwhile.
const AT_ONCE: i64 = 20;
/// No window in which a ping may have come reaches back further: twice the longest grace, and what is tried again.
const GAPS_KEPT_MS: i64 = 3 * JobPlan::MOST_GRACE_MS;

/// Whether hubs were there to hear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// All the time, or there is nothing to hear.
    All,
    /// Not in this time, which was written down now.
    Not(Span),
}

/// What became of pings that did not come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Missed {
    /// Jobs that are down now.
    pub down: usize,
    /// Of which nobody can tell, since nobody listened.
    pub excused: usize,
}

impl Store {
    /// Notes that a hub lives which can store pings, every few seconds at most. After a longer time without such a note
    /// that time is written down: nobody listened. To be called before [`Store::miss_pings`].
    ///
    /// # Errors
    /// The database is away: nobody listens.
    pub async fn note_listening(&self, now: UtcMs) -> Result<Heard, StoreError> {
        let (alive_at, has_jobs): (i64, bool) = read!(self, pool => sqlx::query_as(
            "select coalesce(max(alive_at), 0), exists (select 1 from job) from listening").fetch_one(pool).await?);
        let since_ms = now.saturating_sub(alive_at);
        // Clocks of hubs may differ a little; one far ahead was wrong.
        if !has_jobs || (-CLOCK_ERROR_MS..DEAF_MS / 2).contains(&since_ms) {
            return Ok(Heard::All);
        }
        let is_gap = since_ms > DEAF_MS;
        let is_mine = write!(self, pool => {
            let mut tx = pool.begin().await?;
            // Of several hubs that find the same, one writes it; the others go on when it has.
            let mine = sqlx::query("update listening set alive_at = $1 where alive_at = $2")
                .bind(now).bind(alive_at).execute(&mut *tx).await?.rows_affected() == 1;
            if mine && is_gap {
                sqlx::query("insert into listening_gap (from_at, to_at) values ($1, $2) \
                             on conflict (from_at) do update set to_at = excluded.to_at")
                    .bind(alive_at).bind(now).execute(&mut *tx).await?;
                sqlx::query("delete from listening_gap where to_at < $1")
                    .bind(now - GAPS_KEPT_MS).execute(&mut *tx).await?;
            }
            tx.commit().await?;
            mine
        });
        Ok(if is_mine && is_gap { Heard::Not(Span { from_at: alive_at, to_at: now }) } else { Heard::All })
    }

    /// Pings that did not come in time make their jobs down, each once, whichever hub looks; or, where nobody listened when
    /// they may have come, unknown.
    ///
    /// # Errors
    /// The database is away.
    pub async fn miss_pings(&self, now: UtcMs) -> Result<Missed, StoreError> {
        let mut all = Missed::default();
        let mut after = Some((i64::MIN, Uuid::nil()));
        while let Some((at, id)) = after {
            let late: Vec<(i64, Uuid)> = read!(self, pool => sqlx::query_as(
                "select missing_at, website_id from job where missing_at <= $1 and (missing_at, website_id) > ($2, $3) \
                 order by missing_at, website_id limit $4")
                .bind(now - RETRIES_MS).bind(at).bind(id).bind(AT_ONCE).fetch_all(pool).await?);
            after = late.last().copied().filter(|_| late.len() >= AT_ONCE as usize);
            let mut ids: Vec<WebsiteId> = late.into_iter().map(|(_, id)| WebsiteId(id)).collect();
            ids.sort_unstable();
            if !ids.is_empty() {
                let some = self.answered(self.miss_some(&ids, now)).await?;
                all.down += some.down;
                all.excused += some.excused;
            }
        }
        Ok(all)
    }

    /// What others are at work on is left for the next time.
    async fn miss_some(&self, ids: &[WebsiteId], now: UtcMs) -> Result<Missed, StoreError> {
        let mut tx = Transaction::begin(&self.pool).await?;
        let mut standings = tx.load(ids, Locked::Leave, &self.shares, now).await?.standings;
        // Each is decided by itself, so that accounts would be locked in the order of their jobs: two that wait for each other
        // end one another, and one that somebody holds would keep all others from being told (T210).
        let wanted: Vec<(Uuid, Uuid)> =
            standings.iter().map(|s| (s.website().website_id.0, s.website().account_id.0)).collect();
        let free = incidents::free_accounts(&mut tx, &wanted).await?;
        standings.retain(|standing| free.contains(&standing.website().account_id.0));
        let (mut missed, mut alerts_are_due) = (Missed::default(), false);
        for mut standing in standings {
            let id = standing.website().website_id;
            // A newer version's schedule is that version's to look after.
            let job = match read_job(&mut tx, id).await {
                Ok(job) => job,
                Err(StoreError::Corrupt(_)) => None,
                Err(error) => return Err(error),
            };
            // A ping may have come, and another hub may have been faster.
            let late = job.filter(|job| job.missing_at().is_some_and(|at| at <= now - RETRIES_MS));
            let Some(mut job) = late else { continue };
            if standing.website().paused {
                // By a hub that knows of no jobs.
                job.await_nothing();
                write_awaited(&mut tx, &job).await?;
                continue;
            }
            let (Some(window), Some(missing_at)) = (job.window(), job.missing_at()) else { continue };
            let deaf = deaf(&mut tx, window).await?;
            let Some(decided) = job.miss(deaf) else { continue };
            match decided.outcome {
                Outcome::Down => missed.down += 1,
                Outcome::Up | Outcome::Degraded | Outcome::Unknown => missed.excused += 1,
            }
            // After what is known, or the evidence would not tell of it.
            let newest = standing.regions().iter().map(|region| region.slot_at).filter(|at| *at < now).max();
            let slot_at = newest.map_or(missing_at, |newest| missing_at.max(newest + 1));
            alerts_are_due |= decide(&mut tx, &mut standing, &decided, None, slot_at, now).await?;
            write_awaited(&mut tx, &job).await?;
        }
        tx.commit().await?;
        if alerts_are_due {
            self.ring();
        }
        Ok(missed)
    }
}

/// The last time within a window in which nobody listened.
async fn deaf(tx: &mut Transaction, window: Span) -> Result<Option<Span>, StoreError> {
    let row: Option<(i64, i64)> = on!(tx, c => sqlx::query_as(
        "select from_at, to_at from listening_gap where to_at > $1 and from_at < $2 order by to_at desc limit 1")
        .bind(window.from_at).bind(window.to_at).fetch_optional(c).await?);
    Ok(row.map(|(from_at, to_at)| Span { from_at, to_at }))
}
