//! Ticks in: one transaction per batch (D14). The database decides which ticks are new; only those change a state,
//! and everything they change is committed with them.

use std::collections::{BTreeMap, HashSet};

use super::row::{REGION_STATE, RegionStateRow, WEBSITE, WebsiteRow, notes_text, parse};
use super::ticks::{DeadLetter, INSERT_DEAD_LETTER};
use super::{Pool, Store, StoreError};
use crate::model::{
    Confirm, RegionState, StoredTick, Transition, UtcMs, Website, WebsiteId, WebsiteState, recent, verdict,
};

/// What became of a batch.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Ingested {
    /// Stored now.
    pub new: usize,
    /// Stored before: redelivered.
    pub known: usize,
    /// Not stored: their website is gone; or (kept as dead letters) it is not watched from that region, or their slot
    /// has not come yet.
    pub orphaned: usize,
    /// Verdicts that changed.
    pub transitions: Vec<Transition>,
    /// Second looks that are wanted.
    pub confirm: Vec<Confirm>,
}

const INSERT_TICK: &str = "insert into tick (website_id, slot_at, region_id, attempt, worker_id, received_at, kind, \
    started_at, outcome, class, phase, blame, detail, dns_us, connect_us, tls_us, send_us, wait_us, receive_us, \
    total_us, status, remote, body_bytes, truncated, certificate_not_after_at, certificate_issuer, \
    certificate_subject, tls_version, notes, publish_ms, queue_ms, thread_us, report_us) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, \
    $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33) on conflict do nothing";

const UPSERT_REGION_STATE: &str = "insert into region_state (website_id, region_id, worker_id, slot_at, attempt, \
    received_at, outcome, class, phase, blame, detail, dns_us, connect_us, tls_us, send_us, wait_us, receive_us, \
    total_us, status, failing_streak, failing_since_at, good_streak, certificate_not_after_at, recent) \
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, \
    $23, $24) on conflict (website_id, region_id) do update set worker_id = excluded.worker_id, \
    slot_at = excluded.slot_at, attempt = excluded.attempt, received_at = excluded.received_at, \
    outcome = excluded.outcome, class = excluded.class, phase = excluded.phase, blame = excluded.blame, \
    detail = excluded.detail, dns_us = excluded.dns_us, connect_us = excluded.connect_us, tls_us = excluded.tls_us, \
    send_us = excluded.send_us, wait_us = excluded.wait_us, receive_us = excluded.receive_us, \
    total_us = excluded.total_us, status = excluded.status, failing_streak = excluded.failing_streak, \
    failing_since_at = excluded.failing_since_at, good_streak = excluded.good_streak, \
    certificate_not_after_at = excluded.certificate_not_after_at, recent = excluded.recent";

/// A website with all that is known of it, inside the transaction.
struct Known {
    website: Website,
    /// Ticks of older slots are about another URL, or from before a pause.
    watched_since_at: UtcMs,
    state: WebsiteState,
    regions: Vec<RegionState>,
    touched: HashSet<usize>,
    /// The verdict's row is to be written.
    changed: bool,
}

impl Known {
    /// Counts one new tick in. Returns the transitions and the second look it asks for. Freshness is judged as of when
    /// the tick was received, so that a backlog leaves the same record as ticks taken in at once (I9).
    fn absorb(&mut self, tick: &StoredTick, now: UtcMs) -> (Vec<Transition>, Option<Confirm>) {
        let mut transitions = Vec::new();
        if let Some((state, transition)) = verdict::expire(&self.state, tick.received_at) {
            self.state = state;
            self.changed = true;
            transitions.extend(transition);
        }
        let place = self.regions.iter().position(|r| r.region_id == tick.region_id);
        let Some(state) = verdict::absorb(place.map(|p| &self.regions[p]), tick, now) else {
            return (transitions, None);
        };
        let place = match place {
            Some(place) => {
                self.regions[place] = state;
                place
            }
            None => {
                self.regions.push(state);
                self.regions.len() - 1
            }
        };
        self.touched.insert(place);
        self.changed = true;
        let (state, transition) = verdict::judge(&self.website, &self.state, &self.regions, tick.received_at);
        self.state = state;
        transitions.extend(transition);
        for transition in &mut transitions {
            transition.decided_at = now;
        }
        // Of a backlog nothing is left to confirm.
        let is_current = now.saturating_sub(tick.received_at) <= verdict::stale_after_ms(&self.website.settings);
        let confirm = verdict::confirm(&self.website, &self.state, &self.regions, tick, now).filter(|_| is_current);
        (transitions, confirm)
    }
}

/// Writes a verdict inside a transaction.
macro_rules! write_state {
    ($tx:ident, $state:expr) => {
        let state: &WebsiteState = $state;
        sqlx::query(
            "update website_state set verdict = $2, since_at = $3, reason = $4, fresh_until_at = $5 where website_id = $1",
        )
        .bind(state.website_id.0)
        .bind(state.verdict.as_str())
        .bind(state.since_at)
        .bind(storable(&state.reason))
        .bind(state.fresh_until_at)
        .execute(&mut *$tx)
        .await?;
    };
}

/// Writes transitions inside a transaction, numbered in the order they were decided.
macro_rules! write_transitions {
    ($tx:ident, $transitions:expr) => {
        for t in $transitions {
            sqlx::query(
                "insert into transition (website_id, decided_at, number, at, from_verdict, to_verdict, reason) \
                 select $1, $2, count(*), $3, $4, $5, $6 from transition where website_id = $1 and decided_at = $2",
            )
            .bind(t.website_id.0)
            .bind(t.decided_at)
            .bind(t.at)
            .bind(t.from.as_str())
            .bind(t.to.as_str())
            .bind(storable(&t.reason))
            .execute(&mut *$tx)
            .await?;
        }
    };
}

impl Store {
    /// Stores a batch of ticks and all that follows from them, in one transaction. A batch that the database refuses
    /// for what is in it is halved until the bad tick is alone; that one goes to the dead letters (T162).
    ///
    /// # Errors
    /// The database is away: nothing was stored, the same batch may be given again.
    pub async fn ingest(&self, ticks: &[StoredTick], now: UtcMs) -> Result<Ingested, StoreError> {
        match self.ingest_whole(ticks, now).await {
            Ok(done) => Ok(done),
            Err(error) if !error.is_fault_of_the_data() => Err(error),
            Err(error) if ticks.len() <= 1 => {
                for tick in ticks {
                    let letter = DeadLetter::of(tick, &format!("not_storable: {error}"));
                    self.dead_letter(&letter.stream, &letter.reason, &letter.raw, now).await?;
                }
                Ok(Ingested::default())
            }
            Err(_) => {
                let (left, right) = ticks.split_at(ticks.len() / 2);
                let mut done = Box::pin(self.ingest(left, now)).await?;
                let more = Box::pin(self.ingest(right, now)).await?;
                done.new += more.new;
                done.known += more.known;
                done.orphaned += more.orphaned;
                done.transitions.extend(more.transitions);
                done.confirm.extend(more.confirm);
                Ok(done)
            }
        }
    }

    async fn ingest_whole(&self, ticks: &[StoredTick], now: UtcMs) -> Result<Ingested, StoreError> {
        // In order of slot, so that states move forward whatever order the queue had (I9).
        let mut ordered: Vec<&StoredTick> = ticks.iter().collect();
        ordered.sort_by_key(|t| (t.tick.slot_at, t.tick.attempt, &t.region_id));
        let ids: BTreeSetOfIds = ordered.iter().map(|t| t.tick.website_id).collect();
        let lock = match &self.pool {
            // Hubs that ingest at once take turns per website, in order of id. The weaker lock, since a transition's
            // foreign key locks the website too, and must not wait for this.
            Pool::Postgres(_) => " for no key update",
            Pool::Sqlite { .. } => "", // one writer
        };
        let select_website = format!("select {WEBSITE} from website where website_id = $1{lock}");
        // Locked too: a verdict that runs out at this moment must not be overwritten unseen.
        let select_state =
            format!("select verdict, since_at, reason, fresh_until_at from website_state where website_id = $1{lock}");
        let select_regions = format!("select {REGION_STATE} from region_state where website_id = $1");
        let mut done = Ingested::default();
        super::write!(self, pool => {
            let mut tx = pool.begin().await?;
            let mut known: BTreeMap<WebsiteId, Known> = BTreeMap::new();
            for id in ids {
                let row: Option<WebsiteRow> = sqlx::query_as(sqlx::AssertSqlSafe(select_website.as_str()))
                    .bind(id.0).fetch_optional(&mut *tx).await?;
                let Some(website) = row.map(Website::try_from).transpose()? else { continue };
                let (verdict, since_at, reason, fresh_until_at): (String, i64, String, Option<i64>) = sqlx::query_as(
                    sqlx::AssertSqlSafe(select_state.as_str()))
                    .bind(id.0).fetch_one(&mut *tx).await?;
                let state = WebsiteState { website_id: id, verdict: parse(&verdict)?, since_at, reason, fresh_until_at };
                let rows: Vec<RegionStateRow> = sqlx::query_as(sqlx::AssertSqlSafe(select_regions.as_str()))
                    .bind(id.0).fetch_all(&mut *tx).await?;
                let regions = rows.into_iter().map(RegionState::try_from).collect::<Result<_, _>>()?;
                let watched_since_at: i64 = sqlx::query_scalar("select watched_since_at from website where website_id = $1")
                    .bind(id.0).fetch_one(&mut *tx).await?;
                known.insert(id, Known { website, watched_since_at, state, regions, touched: HashSet::new(), changed: false });
            }
            for tick in ordered {
                let Some(known) = known.get_mut(&tick.tick.website_id) else {
                    done.orphaned += 1;
                    continue;
                };
                if let Some(reason) = refusal(&known.website, tick, now) {
                    done.orphaned += 1;
                    let letter = DeadLetter::of(tick, reason);
                    sqlx::query(INSERT_DEAD_LETTER).bind(letter.id).bind(&letter.stream).bind(&letter.reason)
                        .bind(&letter.raw).bind(now).execute(&mut *tx).await?;
                    continue;
                }
                let t = &tick.tick;
                let p = &t.phases;
                let failure = t.failure.as_ref();
                let certificate = t.certificate.as_ref();
                let stored = sqlx::query(INSERT_TICK)
                    .bind(t.website_id.0).bind(t.slot_at).bind(tick.region_id.as_str()).bind(i64::from(t.attempt))
                    .bind(tick.worker_id.as_str()).bind(tick.received_at).bind(t.kind.as_str()).bind(t.started_at)
                    .bind(t.outcome.as_str()).bind(failure.map(|f| f.class.as_str()))
                    .bind(failure.map(|f| f.phase.as_str())).bind(failure.map(|f| f.blame.as_str()))
                    .bind(failure.map(|f| storable(&f.detail)))
                    .bind(p.dns_us.map(i64::from)).bind(p.connect_us.map(i64::from)).bind(p.tls_us.map(i64::from))
                    .bind(p.send_us.map(i64::from)).bind(p.wait_us.map(i64::from)).bind(p.receive_us.map(i64::from))
                    .bind(i64::from(t.total_us)).bind(t.status.map(i64::from)).bind(t.remote.map(|r| r.to_string()))
                    .bind(i64::from(t.body_bytes)).bind(t.truncated).bind(certificate.map(|c| c.not_after_at))
                    .bind(certificate.map(|c| storable(&c.issuer))).bind(certificate.map(|c| storable(&c.subject)))
                    .bind(certificate.and_then(|c| c.tls_version.as_deref()).map(storable))
                    .bind(notes_text(&t.notes)).bind(t.delays.publish_ms.map(i64::from))
                    .bind(t.delays.queue_ms.map(i64::from)).bind(t.delays.thread_us.map(i64::from))
                    .bind(t.delays.report_us.map(i64::from))
                    .execute(&mut *tx).await?;
                if stored.rows_affected() == 0 {
                    done.known += 1;
                    continue;
                }
                done.new += 1;
                if known.website.paused || t.slot_at < known.watched_since_at {
                    continue; // kept as history: it says nothing about what is watched now
                }
                let (transitions, confirm) = known.absorb(tick, now);
                done.transitions.extend(transitions);
                done.confirm.extend(confirm);
            }
            for known in known.values() {
                for place in &known.touched {
                    let Some(r) = known.regions.get(*place) else { continue };
                    let failure = r.failure.as_ref();
                    let p = &r.phases;
                    sqlx::query(UPSERT_REGION_STATE)
                        .bind(known.website.website_id.0).bind(r.region_id.as_str()).bind(r.worker_id.as_str())
                        .bind(r.slot_at).bind(i64::from(r.attempt)).bind(r.received_at).bind(r.outcome.as_str())
                        .bind(failure.map(|f| f.class.as_str())).bind(failure.map(|f| f.phase.as_str()))
                        .bind(failure.map(|f| f.blame.as_str())).bind(failure.map(|f| storable(&f.detail)))
                        .bind(p.dns_us.map(i64::from)).bind(p.connect_us.map(i64::from)).bind(p.tls_us.map(i64::from))
                        .bind(p.send_us.map(i64::from)).bind(p.wait_us.map(i64::from)).bind(p.receive_us.map(i64::from))
                        .bind(i64::from(r.total_us)).bind(r.status.map(i64::from)).bind(i64::from(r.failing_streak))
                        .bind(r.failing_since_at).bind(i64::from(r.good_streak)).bind(r.certificate_not_after_at)
                        .bind(recent::pack(&r.recent)).execute(&mut *tx).await?;
                }
                if known.changed {
                    write_state!(tx, &known.state);
                }
            }
            write_transitions!(tx, &done.transitions);
            tx.commit().await?;
        });
        Ok(done)
    }

    /// Verdicts whose last fresh tick is too old turn to unknown, backdated to when they went stale (P5).
    ///
    /// # Errors
    /// The database is away.
    pub async fn expire_verdicts(&self, now: UtcMs) -> Result<Vec<Transition>, StoreError> {
        // What another hub or ingest is at work on is left for the next turn.
        let lock = match &self.pool {
            Pool::Postgres(_) => " for no key update skip locked",
            Pool::Sqlite { .. } => "",
        };
        let select = format!(
            "select website_id, verdict, since_at, fresh_until_at from website_state \
             where fresh_until_at < $1 order by fresh_until_at, website_id limit {EXPIRED_AT_ONCE}{lock}"
        );
        let mut all = Vec::new();
        loop {
            let mut transitions = Vec::new();
            let found = super::write!(self, pool => {
                let mut tx = pool.begin().await?;
                let stale: Vec<(uuid::Uuid, String, i64, i64)> =
                    sqlx::query_as(sqlx::AssertSqlSafe(select.as_str())).bind(now).fetch_all(&mut *tx).await?;
                let found = stale.len();
                for (id, from, since_at, fresh_until_at) in stale {
                    let before = WebsiteState {
                        website_id: WebsiteId(id),
                        verdict: parse(&from)?,
                        since_at,
                        reason: String::new(),
                        fresh_until_at: Some(fresh_until_at),
                    };
                    let Some((state, transition)) = verdict::expire(&before, now) else { continue };
                    write_state!(tx, &state);
                    transitions.extend(transition);
                }
                write_transitions!(tx, &transitions);
                tx.commit().await?;
                found
            });
            all.extend(transitions);
            if found < EXPIRED_AT_ONCE {
                return Ok(all);
            }
        }
    }

    /// After a clock was set back: no verdict may stand longer from now than a fresh one would (I6, T201).
    ///
    /// # Errors
    /// The database is away.
    pub async fn shorten_verdicts(&self, now: UtcMs) -> Result<u64, StoreError> {
        // The sum is model::verdict::stale_after_ms. A minute is left to hubs whose clocks differ: in quiet times nothing
        // is touched.
        // What is down may be checked less often (model::backoff): up to four times the interval, or every 15 minutes.
        const LATEST: &str = "(select $1 + 2 * (case when verdict <> 'down' or interval_ms >= 900000 then interval_ms \
            when interval_ms > 225000 then 900000 else 4 * interval_ms end) + timeout_ms + 15000 from website \
            where website.website_id = website_state.website_id)";
        let sql = format!("update website_state set fresh_until_at = {LATEST} where fresh_until_at > {LATEST} + 60000");
        Ok(super::write!(self, pool =>
            sqlx::query(sqlx::AssertSqlSafe(sql.as_str())).bind(now).execute(pool).await?.rows_affected()))
    }
}

/// Verdicts that expire in one transaction: its locks are held for milliseconds, also when a million go stale at once.
const EXPIRED_AT_ONCE: usize = 500;

/// Slots are the hub's own; hubs' clocks may differ by a little.
const FUTURE_MS: i64 = 5 * 60_000;

/// Why a tick may not be stored. A slot far ahead would keep its region's state from ever moving again.
fn refusal(website: &Website, tick: &StoredTick, now: UtcMs) -> Option<&'static str> {
    if !website.settings.watches_from(&tick.region_id) {
        return Some("not_assigned: the website is not watched from this region");
    }
    (tick.tick.slot_at > now.saturating_add(FUTURE_MS)).then_some("slot_in_future: no hub has asked for this check yet")
}

type BTreeSetOfIds = std::collections::BTreeSet<WebsiteId>;

/// Postgres cannot store NUL in a text; and no text of a target is longer than P2 allows.
fn storable(text: &str) -> String {
    text.chars().filter(|c| *c != '\0').take(512).collect()
}
