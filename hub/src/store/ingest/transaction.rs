//! One transaction of either database, by what ingest asks of it.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use sqlx::{Postgres, Sqlite};

use super::{Entry, postgres, sqlite};
use crate::model::shares::Shares;
use crate::model::{Standing, StoredTick, Transition, UtcMs, WebsiteId, WebsiteState};
use crate::store::dead_letters::DeadLetter;
use crate::store::roll_up::{self, Due};
use crate::store::{Pool, StoreError, sealed};

/// What to do about a website, or an account's incidents, that another transaction is at work on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Locked {
    /// Wait for it, as long as the database lets one (D17).
    Wait,
    /// Do without it.
    Leave,
}

/// When a verdict ran out, as stored, and whose it is.
pub(super) type Stale = (UtcMs, WebsiteId);

/// What [`Transaction::load`] found.
#[derive(Debug, Default)]
pub(in crate::store) struct Loaded {
    /// In order of id, as was asked for.
    pub standings: Vec<Standing>,
    /// There, and not to be judged here.
    pub not_understood: BTreeSet<WebsiteId>,
}

/// Websites that were said not to be understood, so many at most.
const TOLD: usize = 1_000;
static TOLD_OF: Mutex<BTreeSet<WebsiteId>> = Mutex::new(BTreeSet::new());

impl Loaded {
    /// Takes a website on, or leaves it alone and says so once: a newer version wrote what it knows (both run during an
    /// update), or somebody edited it. Others must not suffer for it.
    pub(super) fn add(&mut self, id: WebsiteId, read: Result<Standing, StoreError>) -> Result<(), StoreError> {
        match read {
            Ok(standing) => self.standings.push(standing),
            Err(StoreError::Corrupt(what)) => {
                self.not_understood.insert(id);
                let mut told = TOLD_OF.lock().unwrap_or_else(PoisonError::into_inner);
                if told.len() < TOLD && told.insert(id) {
                    tracing::error!(website.id = %id, what, "What is known of a website is not understood, and is left \
                        alone: a newer version of the hub wrote it. Run that version.");
                }
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

pub(in crate::store) enum Transaction {
    Postgres(sqlx::Transaction<'static, Postgres>),
    Sqlite(sqlx::Transaction<'static, Sqlite>),
}

impl From<sqlx::Transaction<'static, Postgres>> for Transaction {
    fn from(tx: sqlx::Transaction<'static, Postgres>) -> Self {
        Self::Postgres(tx)
    }
}

impl From<sqlx::Transaction<'static, Sqlite>> for Transaction {
    fn from(tx: sqlx::Transaction<'static, Sqlite>) -> Self {
        Self::Sqlite(tx)
    }
}

/// The same call on either.
macro_rules! either {
    ($self:ident, $tx:ident => $postgres:expr, $sqlite:expr) => {
        match $self {
            Self::Postgres($tx) => $postgres.await,
            Self::Sqlite($tx) => $sqlite.await,
        }
    };
}

impl Transaction {
    pub(in crate::store) async fn begin(pool: &Pool) -> Result<Self, StoreError> {
        Ok(match pool {
            Pool::Postgres(pools) => Self::Postgres(pools.get().begin().await?),
            Pool::Sqlite { write, .. } => Self::Sqlite(write.begin().await?),
        })
    }

    pub(in crate::store) async fn commit(self) -> Result<(), StoreError> {
        match self {
            Self::Postgres(tx) => tx.commit().await?,
            Self::Sqlite(tx) => tx.commit().await?,
        }
        Ok(())
    }

    pub(in crate::store) async fn rollback(self) -> Result<(), StoreError> {
        match self {
            Self::Postgres(tx) => tx.rollback().await?,
            Self::Sqlite(tx) => tx.rollback().await?,
        }
        Ok(())
    }

    /// What is known of the websites, which are nobody else's until the end.
    pub(in crate::store) async fn load(
        &mut self,
        ids: &[WebsiteId],
        locked: Locked,
        shares: &Shares,
        now: UtcMs,
    ) -> Result<Loaded, StoreError> {
        either!(self, tx => postgres::load(tx, ids, locked, shares, now), sqlite::load(tx, ids, shares, now))
    }

    /// Which of the websites that [`Transaction::load`] left out exist.
    pub(super) async fn held_by_others(
        &mut self,
        ids: &[WebsiteId],
        loaded: &Loaded,
    ) -> Result<BTreeSet<WebsiteId>, StoreError> {
        let standings = &loaded.standings;
        let is_loaded = |id: &WebsiteId| {
            standings.binary_search_by_key(id, |s| s.website().website_id).is_ok() || loaded.not_understood.contains(id)
        };
        let missing: Vec<_> = ids.iter().filter(|id| !is_loaded(id)).copied().collect();
        match self {
            Self::Postgres(tx) => postgres::existing(tx, &missing).await,
            Self::Sqlite(_) => Ok(BTreeSet::new()), // one writer
        }
    }

    /// Verdicts that ran out before `now`, as stored: the next ones after `after`, at most `limit`.
    pub(super) async fn stale(&mut self, now: UtcMs, after: Stale, limit: i64) -> Result<Vec<Stale>, StoreError> {
        let found: Vec<(i64, uuid::Uuid)> =
            either!(self, tx => postgres::stale(tx, now, after, limit), sqlite::stale(tx, now, after, limit))?;
        Ok(found.into_iter().map(|(at, id)| (at, WebsiteId(id))).collect())
    }

    /// Which of the ticks, in their order, were not known.
    pub(super) async fn insert_ticks(&mut self, entries: &[Entry<'_>]) -> Result<Vec<bool>, StoreError> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        either!(self, tx => postgres::insert_ticks(tx, entries), sqlite::insert_ticks(tx, entries))
    }

    /// The same, of ticks of any age: one that is packed with its day is known, too.
    pub(super) async fn insert_new(&mut self, entries: &[Entry<'_>], now: UtcMs) -> Result<Vec<bool>, StoreError> {
        let mut is_new = self.insert_ticks(entries).await?;
        let places: Vec<usize> = is_new.iter().enumerate().filter(|(_, new)| **new).map(|(place, _)| place).collect();
        let stored: Vec<&StoredTick> = places.iter().filter_map(|place| Some(entries.get(*place)?.tick)).collect();
        let again = sealed::known_again(self, &stored, now).await?;
        for (place, _) in places.iter().zip(again).filter(|(_, again)| *again) {
            is_new[*place] = false;
        }
        Ok(is_new)
    }

    /// One tick beside those that come from the queue; one that is known stays as it is.
    pub(in crate::store) async fn insert_tick(&mut self, tick: &StoredTick) -> Result<(), StoreError> {
        self.insert_ticks(&[Entry { tick, marks: tick.marks, place: 0 }]).await?;
        roll_up::note(self, Due::of_tick(tick.tick.website_id, tick.tick.slot_at, tick.received_at)).await
    }

    pub(in crate::store) async fn write_regions(&mut self, standings: &[Standing]) -> Result<(), StoreError> {
        if standings.iter().all(|s| s.changed_regions().next().is_none()) {
            return Ok(());
        }
        either!(self, tx => postgres::write_regions(tx, standings), sqlite::write_regions(tx, standings))
    }

    pub(in crate::store) async fn write_states(&mut self, states: &[&WebsiteState]) -> Result<(), StoreError> {
        if states.is_empty() {
            return Ok(());
        }
        either!(self, tx => postgres::write_states(tx, states), sqlite::write_states(tx, states))
    }

    /// In the order they were decided.
    pub(in crate::store) async fn write_transitions(&mut self, transitions: &[Transition]) -> Result<(), StoreError> {
        if transitions.is_empty() {
            return Ok(());
        }
        either!(self, tx => postgres::write_transitions(tx, transitions), sqlite::write_transitions(tx, transitions))?;
        roll_up::note(self, transitions.iter().filter_map(Due::of_verdict)).await
    }

    pub(super) async fn write_dead_letters(&mut self, letters: &[DeadLetter], at: UtcMs) -> Result<(), StoreError> {
        if letters.is_empty() {
            return Ok(());
        }
        either!(self, tx => postgres::write_dead_letters(tx, letters, at), sqlite::write_dead_letters(tx, letters, at))
    }
}
