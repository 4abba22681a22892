//! The one reader: once a second, while somebody listens, it asks what happened since, and tells those it belongs to.
//!
//! What was written at one instant is seen when its transaction is committed, a little later, and other hubs' clocks are not
//! quite ours. Each turn therefore looks back a while, and what was told is remembered for as long.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::{Listeners, Told};
use crate::clock;
use crate::model::{AccountId, LiveEvent, LiveKey, UtcMs};
use crate::store::{Store, StoreError};

/// A turn begins so often, and takes no more than a quarter of the time.
const EVERY: Duration = Duration::from_secs(1);
const REST: u32 = 3;
/// Who has just come waits for no whole turn.
const SOON: Duration = Duration::from_millis(50);
/// How far each turn looks back: at verdicts, which go by the clock that all hubs have in common, and at timelines, whose ids
/// are made by each machine's own.
const VERDICTS_BACK_MS: i64 = 15_000;
const INCIDENTS_BACK_MS: i64 = 120_000;
/// So often those who listen are told to look at everything, at most: what is too much for one account is so for some turns,
/// and all who share its statement would look each second.
const RESET_EVERY_MS: u64 = 5_000;
/// Accounts of one statement, and events it brings: of more, those who listen are told to look at everything.
const ACCOUNTS: usize = 200;
const EVENTS: usize = 2_000;

/// Until told to stop.
pub(in crate::http) async fn run(store: Store, listeners: Arc<Listeners>, mut stopping: watch::Receiver<bool>) {
    let mut reader = Reader::default();
    let mut failed = false;
    while !*stopping.borrow() {
        let (number, accounts) = listeners.begin();
        if accounts.is_empty() {
            reader = Reader::default();
            tokio::select! {
                () = listeners.came.notified() => continue,
                _ = stopping.changed() => return,
            }
        }
        let began = Instant::now();
        match reader.turn(&store, &listeners, &accounts, clock::now()).await {
            Ok(()) => {
                failed = false;
                listeners.done.send_replace(number);
            }
            // Nothing is lost: the next turn looks back as far, or says that everything is to be looked at.
            Err(error) if !failed => {
                failed = true;
                tracing::warn!(%error, "What has just happened could not be read for those who listen.");
            }
            Err(_) => {}
        }
        let pause = EVERY.max(began.elapsed() * REST);
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = listeners.came.notified() => tokio::time::sleep(SOON).await,
            _ = stopping.changed() => {}
        }
    }
}

#[derive(Debug, Default)]
struct Reader {
    /// What was told, or had happened before anybody listened; until when each is to be remembered.
    told: HashMap<LiveKey, UtcMs>,
    /// Whose events are known up to the last turn, and when that was.
    known: HashSet<AccountId>,
    read_at: UtcMs,
    /// Who is still to be told to look at everything, and when the last were.
    owed: HashSet<AccountId>,
    reset_at: UtcMs,
}

impl Reader {
    async fn turn(
        &mut self,
        store: &Store,
        listeners: &Listeners,
        accounts: &[AccountId],
        now: UtcMs,
    ) -> Result<(), StoreError> {
        // After a while in which nothing could be read nobody knows what was missed.
        let is_gap = now.saturating_sub(self.read_at) > VERDICTS_BACK_MS - 5_000;
        for some in accounts.chunks(ACCOUNTS) {
            let limit = i64::try_from(EVENTS).unwrap_or(i64::MAX);
            let verdicts = store.live_verdicts(some, now - VERDICTS_BACK_MS, limit).await?;
            let incidents = store.live_incidents(some, now - INCIDENTS_BACK_MS, limit).await?;
            let is_cut = verdicts.len() >= EVENTS || incidents.len() >= EVENTS;
            let fresh = self.fresh(verdicts.into_iter().chain(incidents), now);
            if is_cut || is_gap {
                self.owed.extend(some.iter().filter(|account| self.known.contains(account)));
                continue;
            }
            for event in fresh.iter().filter(|event| self.known.contains(&event.account_id)) {
                listeners.tell_event(event);
            }
        }
        if !self.owed.is_empty() && now.abs_diff(self.reset_at) >= RESET_EVERY_MS {
            self.owed.drain().for_each(|account| listeners.tell(account, Told::Reset));
            self.reset_at = now;
        }
        self.told.retain(|_, until| *until > now);
        self.known = accounts.iter().copied().collect();
        self.read_at = now;
        Ok(())
    }

    /// Those that were not told yet, in the order in which they were written. From now on they were.
    fn fresh(&mut self, events: impl Iterator<Item = LiveEvent>, now: UtcMs) -> Vec<LiveEvent> {
        // Once more as long as the longest look back: by a clock that is ahead they may be of later than now.
        let until = now + 2 * INCIDENTS_BACK_MS;
        let mut fresh: Vec<LiveEvent> = events.filter(|event| self.told.insert(event.key(), until).is_none()).collect();
        fresh.sort_by_key(|event| event.written_at);
        fresh
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{LiveWhat, Outcome, WebsiteId};

    fn verdict(number: i64, at: UtcMs) -> LiveEvent {
        let (website_id, from, to) = (WebsiteId(uuid::Uuid::nil()), Outcome::Up, Outcome::Down);
        let what = LiveWhat::Verdict { website_id, number, at, from, to };
        LiveEvent { account_id: AccountId(uuid::Uuid::nil()), written_at: at, what }
    }

    #[test]
    fn what_is_read_twice_is_told_once_and_in_order() {
        let mut reader = Reader::default();
        let of = |reader: &mut Reader, events: &[LiveEvent]| -> Vec<UtcMs> {
            reader.fresh(events.iter().cloned(), 1_000).iter().map(|event| event.written_at).collect()
        };
        assert_eq!(of(&mut reader, &[verdict(0, 900), verdict(0, 800)]), [800, 900]);
        assert_eq!(of(&mut reader, &[verdict(0, 900), verdict(1, 900), verdict(0, 800)]), [900]);
        assert!(of(&mut reader, &[verdict(1, 900)]).is_empty());
    }
}
