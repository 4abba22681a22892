//! A ping, and all that follows from it, in one transaction.

use std::time::Duration;

use super::rows::{on, read_job, write_awaited};
use super::website_of;
use crate::model::job::{self, Verdict};
use crate::model::region::CLOCK_ERROR_MS;
use crate::model::{Change, CheckKind, Outcome, Phases, Ping, PingId, Standing, StoredTick, Tick, UtcMs, WebsiteId};
use crate::store::ingest::{Locked, Transaction};
use crate::store::{Store, StoreError, incidents, read};

/// Tries of a ping that met another transaction the other way round.
const TRIES: u32 = 3;

/// What became of a ping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pinged {
    /// It is stored, with all that follows from it.
    Stored,
    /// No job has this id.
    Nobody,
}

impl Store {
    /// Stores a ping: tick, verdict, incident and alert are written with it, or nothing is.
    ///
    /// # Errors
    /// The database is away: nothing was stored, and the job should try again.
    pub async fn take_ping(&self, ping_id: PingId, ping: &Ping) -> Result<Pinged, StoreError> {
        // Whoever makes ids up takes no turn of those who write.
        let is_known: bool = read!(self, pool => sqlx::query_scalar("select exists (select 1 from job where ping_id = $1)")
            .bind(ping_id.0).fetch_one(pool).await?);
        if !is_known {
            return Ok(Pinged::Nobody);
        }
        for _ in 1..TRIES {
            match self.answered(self.ping_once(ping_id, ping)).await {
                Err(error) if error.is_collision() => tokio::time::sleep(Duration::from_millis(20)).await,
                done => return done,
            }
        }
        self.answered(self.ping_once(ping_id, ping)).await
    }

    async fn ping_once(&self, ping_id: PingId, ping: &Ping) -> Result<Pinged, StoreError> {
        let mut tx = Transaction::begin(&self.pool).await?;
        let Some(id) = website_of(&mut tx, ping_id).await? else { return Ok(Pinged::Nobody) };
        let mut loaded = tx.load(&[id], Locked::Wait, &self.shares, ping.at).await?;
        let Some(mut standing) = loaded.standings.pop() else {
            return match loaded.not_understood.is_empty() {
                true => Ok(Pinged::Nobody), // deleted meanwhile
                false => Err(StoreError::Corrupt("the state of a job".to_owned())),
            };
        };
        let Some(mut job) = read_job(&mut tx, id).await?.filter(|job| job.ping_id == ping_id) else {
            return Ok(Pinged::Nobody); // exchanged meanwhile
        };
        let ping = Ping { at: following(job.awaited.pinged_at, ping.at), ..ping.clone() };
        let mut alerts_are_due = false;
        let mut took_ms = None;
        if standing.website().paused {
            job.awaited.pinged_at = Some(ping.at);
        } else if let Some(decided) = job.take(&ping, standing.verdict()) {
            took_ms = job.awaited.took_ms;
            alerts_are_due = decide(&mut tx, &mut standing, &decided, took_ms, ping.at, ping.at).await?;
        }
        write_awaited(&mut tx, &job).await?;
        on!(&mut tx, c => sqlx::query(
            "insert into ping (website_id, at, kind, exit_code, took_ms, said) values ($1, $2, $3, $4, $5, $6) \
             on conflict do nothing")
            .bind(id.0).bind(ping.at).bind(ping.kind.as_str()).bind(ping.exit_code.map(i64::from)).bind(took_ms)
            .bind(&ping.said).execute(c).await.map(|_| ())?);
        on!(&mut tx, c => sqlx::query(
            "delete from ping where website_id = $1 and at <= \
             (select at from ping where website_id = $1 order by at desc limit 1 offset $2)")
            .bind(id.0).bind(job::PINGS_KEPT).execute(c).await.map(|_| ())?);
        tx.commit().await?;
        if alerts_are_due {
            self.ring();
        }
        Ok(Pinged::Stored)
    }
}

/// Pings of one job have an instant each, in the order in which they are stored.
fn following(before: Option<UtcMs>, at: UtcMs) -> UtcMs {
    match before {
        // Unless a clock was wrong by much.
        Some(before) if (at..=at.saturating_add(CLOCK_ERROR_MS)).contains(&before) => before + 1,
        Some(_) | None => at,
    }
}

/// Writes what was decided on a job: the tick at `slot_at`, verdict, incident and alert. Returns whether alerts are due.
pub(super) async fn decide(
    tx: &mut Transaction,
    standing: &mut Standing,
    decided: &Verdict,
    took_ms: Option<i64>,
    slot_at: UtcMs,
    now: UtcMs,
) -> Result<bool, StoreError> {
    let tick = tick(standing.website().website_id, decided, took_ms, slot_at, now);
    if let Some(tick) = &tick {
        tx.insert_tick(tick).await?;
    }
    let counted = standing.decide(decided, tick.as_ref(), now);
    let changes = Change::of(standing.website(), standing.regions(), standing.verdict(), &counted);
    tx.write_regions(std::slice::from_ref(standing)).await?;
    tx.write_states(standing.changed_state().as_slice()).await?;
    tx.write_transitions(&counted.transitions).await?;
    incidents::apply(tx, changes, Locked::Wait, now).await
}

/// A ping, or its absence, as a tick. Nothing is seen when nobody listened.
fn tick(id: WebsiteId, decided: &Verdict, took_ms: Option<i64>, slot_at: UtcMs, now: UtcMs) -> Option<StoredTick> {
    if decided.outcome == Outcome::Unknown {
        return None;
    }
    let total_us = took_ms.map_or(0, |ms| u32::try_from(ms.saturating_mul(1_000)).unwrap_or(u32::MAX));
    let tick = Tick {
        website_id: id,
        slot_at,
        attempt: 0,
        kind: CheckKind::Scheduled,
        started_at: slot_at,
        outcome: decided.outcome,
        failure: decided.failure.clone(),
        phases: Phases::default(),
        total_us,
        status: None,
        remote: None,
        body_bytes: 0,
        truncated: false,
        hops: Vec::new(),
        certificate: None,
        answer: None,
        notes: Vec::new(),
        delays: crate::model::Delays::default(),
    };
    Some(StoredTick::received(job::region()?, job::reporter()?, now, tick))
}
