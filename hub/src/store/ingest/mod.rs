//! Ticks in: one transaction per batch (D14), a handful of statements whatever its size. The database decides which ticks
//! are new; only those change a state, and everything they change is committed with them.
//!
//! What is decided is pure and one text ([`Standing`]); how rows are read and written differs by database: arrays on
//! Postgres, row by row on SQLite, which runs in this process.

mod columns;
mod expire;
mod missed;
mod postgres;
mod sqlite;
mod transaction;

use std::collections::{BTreeSet, HashSet};
use std::time::{Duration, Instant};

pub use self::expire::Expired;
use self::transaction::Loaded;
pub(in crate::store) use self::transaction::{Locked, Transaction};
use super::dead_letters::DeadLetter;
use super::roll_up::{self, Due};
use super::{Store, StoreError, incidents};
use crate::clock;
use crate::model::late::Marks;
use crate::model::{Change, Confirm, Standing, StoredTick, Transition, UtcMs, WebsiteId};

/// What became of a batch.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Ingested {
    /// Stored now.
    pub new: usize,
    /// Stored before: redelivered.
    pub known: usize,
    /// Of those stored now: came long after their slot, and have no vote.
    pub late: usize,
    /// Not stored: their website is gone; or (kept as dead letters) it is not watched from that region, their slot has
    /// not come yet, or what is known of their website is not understood.
    pub orphaned: usize,
    /// Verdicts that changed.
    pub transitions: Vec<Transition>,
    /// Second looks that are wanted.
    pub confirm: Vec<Confirm>,
    /// Websites that others hold for longer than a batch may wait: nothing of theirs was stored, their ticks are to be
    /// given again.
    pub busy: BTreeSet<WebsiteId>,
}

impl Ingested {
    fn add(&mut self, more: Self) {
        self.new += more.new;
        self.known += more.known;
        self.late += more.late;
        self.orphaned += more.orphaned;
        self.transitions.extend(more.transitions);
        self.confirm.extend(more.confirm);
        self.busy.extend(more.busy);
    }
}

/// A message that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// The stream it came on.
    pub stream: String,
    /// Why it was given up.
    pub reason: String,
    /// The message; at most 64 KiB of it are kept.
    pub raw: Vec<u8>,
}

/// When a batch is judged.
#[derive(Debug, Clone, Copy)]
struct AsOf {
    /// The hub's time.
    now: UtcMs,
    /// No tick received before this is still to be read.
    read_until_at: UtcMs,
    /// When it was given. What is halved and tried again may be stored minutes later.
    given: Instant,
}

impl AsOf {
    /// The hub's time as it is by now.
    fn by_now(self) -> UtcMs {
        self.now.saturating_add(i64::try_from(self.given.elapsed().as_millis()).unwrap_or(i64::MAX))
    }
}

/// A tick of a batch that may be stored.
struct Entry<'a> {
    tick: &'a StoredTick,
    marks: Marks,
    /// Where its website's [`Standing`] is.
    place: usize,
}

/// Kept, to be replayed by a hub that understands the rest.
const NOT_UNDERSTOOD: &str = "not_storable: what is known of its website was written by a newer version of the hub";

/// Tries of a batch that met another transaction the other way round (T211).
const TRIES: u32 = 5;
/// A batch that takes the database too long is halved while it is larger than this: a quarter of a keeper's, halved twice
/// more. What cannot do so few in time is away, for whoever waits and for whoever ends the hub.
const HALVED_ABOVE: usize = 125;
/// Whoever does not answer so simple a question does not answer.
const PING_WITHIN: Duration = Duration::from_secs(2);

impl Store {
    /// Stores a batch of ticks and all that follows from them, in one transaction. A batch that the database refuses
    /// for what is in it is halved until the bad tick is alone; that one goes to the dead letters (T162). One that takes
    /// a slow database too long is halved, too, or it would be given again for ever and never be stored.
    ///
    /// # Errors
    /// The database is away: nothing was stored, the same batch may be given again.
    pub async fn ingest(&self, ticks: &[StoredTick], now: UtcMs) -> Result<Ingested, StoreError> {
        self.ingest_or_halve(ticks, AsOf { now, read_until_at: UtcMs::MAX, given: Instant::now() }, Locked::Wait).await
    }

    /// The same, of a backlog: all ticks that were received up to `read_until_at` are stored or among these. A region that
    /// is read more slowly than others is not silent for that. Unless it `may_wait`, without those whose websites other
    /// transactions are at work on (T210).
    ///
    /// # Errors
    /// As of [`Store::ingest`].
    pub async fn ingest_read(
        &self,
        ticks: &[StoredTick],
        now: UtcMs,
        read_until_at: UtcMs,
        may_wait: bool,
    ) -> Result<Ingested, StoreError> {
        let as_of = AsOf { now, read_until_at, given: Instant::now() };
        self.ingest_or_halve(ticks, as_of, if may_wait { Locked::Wait } else { Locked::Leave }).await
    }

    async fn ingest_or_halve(
        &self,
        ticks: &[StoredTick],
        as_of: AsOf,
        mut locked: Locked,
    ) -> Result<Ingested, StoreError> {
        let mut tries = 1;
        let error = loop {
            match self.answered(self.ingest_whole(ticks, as_of, locked)).await {
                Ok(done) => return Ok(done),
                // Somebody holds a website for seconds: the others do not wait for it.
                Err(error) if locked == Locked::Wait && error.is_lock_timeout() => locked = Locked::Leave,
                Err(error) if tries < TRIES && error.is_collision() => {
                    tracing::info!(%error, "A batch of ticks met another transaction; trying again.");
                    tokio::time::sleep(Duration::from_millis(u64::from(20 * tries))).await;
                    tries += 1;
                }
                // Somebody holds what belongs to an account, whose verdicts wait.
                Err(error) if error.is_lock_timeout() => return self.ingest_apart(ticks, as_of, error).await,
                Err(error) => break error,
            }
        };
        if !error.is_fault_of_the_data() && !self.is_too_much(ticks, &error).await {
            return Err(error);
        }
        if let [tick] = ticks {
            let letter = DeadLetter::of(tick, &format!("not_storable: {error}"));
            self.dead_letter(&letter.stream, &letter.reason, &letter.raw, as_of.now).await?;
            return Ok(Ingested::default());
        }
        let (left, right) = ticks.split_at(ticks.len() / 2);
        let mut done = Box::pin(self.ingest_or_halve(left, as_of, locked)).await?;
        done.add(Box::pin(self.ingest_or_halve(right, as_of, locked)).await?);
        Ok(done)
    }

    /// Whether a database that answers had no time for all of these at once.
    async fn is_too_much(&self, ticks: &[StoredTick], error: &StoreError) -> bool {
        if ticks.len() <= HALVED_ABOVE {
            return false;
        }
        let is_too_much = match error {
            StoreError::Silent => tokio::time::timeout(PING_WITHIN, self.ping()).await.is_ok_and(|asked| asked.is_ok()),
            error => error.is_statement_timeout(),
        };
        if is_too_much {
            tracing::warn!(%error, ticks = ticks.len(), "A batch of ticks takes the database too long; it is halved.");
        }
        is_too_much
    }

    /// Ticks of which some cannot be stored for now, without waiting: by websites, until those are alone (T210).
    async fn ingest_apart(&self, ticks: &[StoredTick], as_of: AsOf, error: StoreError) -> Result<Ingested, StoreError> {
        if let StoreError::Held(held) = error {
            // It is known which: the others are stored at once, however many these are.
            tracing::info!(websites = held.len(), "Verdicts wait for another transaction.");
            let rest: Vec<_> = ticks.iter().filter(|tick| !held.contains(&tick.tick.website_id)).cloned().collect();
            let mut done = Ingested { busy: held, ..Ingested::default() };
            if !rest.is_empty() {
                done.add(Box::pin(self.ingest_or_halve(&rest, as_of, Locked::Leave)).await?);
            }
            return Ok(done);
        }
        let ids: BTreeSet<WebsiteId> = ticks.iter().map(|tick| tick.tick.website_id).collect();
        if ids.len() <= 1 {
            tracing::info!(%error, "A verdict waits for another transaction.");
            return Ok(Ingested { busy: ids, ..Ingested::default() });
        }
        let Some(middle) = ids.iter().nth(ids.len() / 2) else { return Err(error) };
        let (left, right): (Vec<_>, Vec<_>) = ticks.iter().cloned().partition(|tick| tick.tick.website_id < *middle);
        let mut done = Box::pin(self.ingest_or_halve(&left, as_of, Locked::Leave)).await?;
        done.add(Box::pin(self.ingest_or_halve(&right, as_of, Locked::Leave)).await?);
        Ok(done)
    }

    async fn ingest_whole(&self, ticks: &[StoredTick], as_of: AsOf, locked: Locked) -> Result<Ingested, StoreError> {
        let mut tx = Transaction::begin(&self.pool).await?;
        let (done, alerts_are_due) = match self.ingest_in(&mut tx, ticks, as_of, locked).await {
            Ok(done) => done,
            Err(error) => {
                // Now, not when the connection is used again: whoever tries the rest at once would meet our locks.
                if let Err(error) = tx.rollback().await {
                    tracing::debug!(%error, "A transaction was not rolled back; its connection ends.");
                }
                return Err(error);
            }
        };
        if done.new > 0 {
            probe::fail_point!("ingest.stored");
        }
        tx.commit().await?;
        if alerts_are_due {
            self.ring();
        }
        Ok(done)
    }

    /// Returns also whether alerts are due.
    async fn ingest_in(
        &self,
        tx: &mut Transaction,
        ticks: &[StoredTick],
        as_of: AsOf,
        locked: Locked,
    ) -> Result<(Ingested, bool), StoreError> {
        let AsOf { now, read_until_at, .. } = as_of;
        let mut done = Ingested::default();
        let mut ids: Vec<WebsiteId> = ticks.iter().map(|t| t.tick.website_id).collect();
        ids.sort_unstable();
        ids.dedup();
        let mut loaded = tx.load(&ids, locked, &self.shares, now).await?;
        if locked == Locked::Leave && loaded.standings.len() < ids.len() {
            done.busy = tx.held_by_others(&ids, &loaded).await?;
        }
        let (entries, letters) = sort_out(ticks, &loaded, now, &mut done);
        let standings = &mut loaded.standings;
        tx.write_dead_letters(&letters, now).await?;
        let is_new = tx.insert_new(&entries, now).await?;
        let (mut changes, mut due) = (Vec::new(), Vec::new());
        // Its hour may have been counted since the batch was given.
        let stored_at = as_of.by_now();
        for (entry, is_new) in entries.iter().zip(is_new) {
            if !is_new {
                done.known += 1;
                continue;
            }
            done.new += 1;
            done.late += usize::from(entry.marks.late);
            due.extend(Due::of_tick(entry.tick.tick.website_id, entry.tick.tick.slot_at, stored_at));
            let Some(standing) = standings.get_mut(entry.place) else { continue };
            let counted = standing.count(entry.tick, now, read_until_at);
            changes.extend(Change::of(standing.website(), standing.regions(), standing.verdict(), &counted));
            done.transitions.extend(counted.transitions);
            done.confirm.extend(counted.confirm);
        }
        tx.write_regions(standings).await?;
        let states: Vec<_> = standings.iter().filter_map(Standing::changed_state).collect();
        tx.write_states(&states).await?;
        tx.write_transitions(&done.transitions).await?;
        roll_up::note(tx, due).await?;
        let alerts_are_due = incidents::apply(tx, changes, locked, now).await?;
        Ok((done, alerts_are_due))
    }

    /// Keeps messages that were given up, each once.
    ///
    /// # Errors
    /// The database is away.
    pub async fn keep_dead_letters(&self, letters: &[Letter], at: UtcMs) -> Result<(), StoreError> {
        if letters.is_empty() {
            return Ok(());
        }
        let letters: Vec<_> = letters.iter().map(|l| DeadLetter::new(&l.stream, &l.reason, &l.raw)).collect();
        self.answered(async {
            let mut tx = Transaction::begin(&self.pool).await?;
            tx.write_dead_letters(&letters, at).await?;
            tx.commit().await
        })
        .await
    }
}

/// What of a batch may be stored, in order of slot, so that states move forward whatever order the queue had (I9); and
/// letters about what may not. The same tick twice is one.
fn sort_out<'a>(
    ticks: &'a [StoredTick],
    loaded: &Loaded,
    now: UtcMs,
    done: &mut Ingested,
) -> (Vec<Entry<'a>>, Vec<DeadLetter>) {
    let mut entries = Vec::with_capacity(ticks.len());
    let mut letters = Vec::new();
    let (standings, newest) = (&loaded.standings, clock::newest(now));
    for tick in ticks {
        let id = tick.tick.website_id;
        let place = standings.binary_search_by_key(&id, |s| s.website().website_id);
        let Some((place, standing)) = place.ok().and_then(|place| Some((place, standings.get(place)?))) else {
            // Given again, or gone.
            done.orphaned += usize::from(!done.busy.contains(&id));
            if loaded.not_understood.contains(&id) {
                letters.push(DeadLetter::of(tick, NOT_UNDERSTOOD));
            }
            continue;
        };
        if let Some(reason) = standing.refusal(tick, newest) {
            done.orphaned += 1;
            letters.push(DeadLetter::of(tick, reason));
            continue;
        }
        entries.push(Entry { tick, marks: standing.marks(tick), place });
    }
    entries.sort_by_key(|e| (e.tick.tick.slot_at, e.tick.tick.attempt, &e.tick.region_id));
    let mut seen = HashSet::with_capacity(entries.len());
    let all = entries.len();
    entries.retain(|e| seen.insert(key_of(e.tick)));
    done.known += all - entries.len();
    (entries, letters)
}

/// What makes a tick one row.
fn key_of(tick: &StoredTick) -> (WebsiteId, UtcMs, &str, u16) {
    (tick.tick.website_id, tick.tick.slot_at, tick.region_id.as_str(), tick.tick.attempt)
}

/// Postgres cannot store NUL in a text; and no text of a target is longer than P2 allows.
pub(in crate::store) fn storable(text: &str) -> std::borrow::Cow<'_, str> {
    const MOST: usize = 512;
    if text.len() <= MOST && !text.contains('\0') {
        return text.into();
    }
    text.chars().filter(|c| *c != '\0').take(MOST).collect::<String>().into()
}
