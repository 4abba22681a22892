//! `GET /api/v1/events`: what happens, as it happens (server-sent events). The application says whose events they are, as it does
//! for any request; the stream itself is the front's, so that thousands of listeners take no thread. One reader asks the
//! database for all of them, and only while there are any.

mod read;
mod stream;
mod words;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, broadcast, watch};

use crate::model::{AccountId, LiveEvent, LiveKey};

pub(super) use read::run;
pub(super) use stream::{Body, Refused, open};

/// Where it is.
pub(super) const PATH: &str = "/api/v1/events";
/// What the application answers to who may listen: the account whose events they are. No header of this name leaves the front.
pub(super) const MAY_LISTEN: &str = "x-betteruptime-listen";

/// Listeners of one account.
const PER_ACCOUNT: usize = 64;
/// Events that wait for a listener who takes them slowly; then he is left, and asks anew.
const WAITING: usize = 256;

/// What a listener is told.
#[derive(Debug, Clone)]
enum Told {
    /// This, as it is sent.
    Event(LiveKey, Arc<str>),
    /// More happened than is told one by one: all is to be looked at anew.
    Reset,
}

#[derive(Debug)]
struct Group {
    sender: broadcast::Sender<Told>,
    listeners: usize,
    /// The reader's last turn that began before this one came: only a later one knows what had happened before.
    came_in: u64,
}

#[derive(Debug, Default)]
struct All {
    groups: HashMap<AccountId, Group>,
    /// Turns the reader has begun.
    begun: u64,
}

/// Who listens.
#[derive(Debug)]
pub(super) struct Listeners {
    all: Mutex<All>,
    /// Rung when there is a new account among them.
    came: Notify,
    /// The reader's last turn that was done.
    done: watch::Sender<u64>,
}

impl Default for Listeners {
    fn default() -> Self {
        Self { all: Mutex::default(), came: Notify::new(), done: watch::channel(0).0 }
    }
}

/// One who listens, until it is dropped.
#[derive(Debug)]
struct Listener {
    listeners: Arc<Listeners>,
    account: AccountId,
    receiver: broadcast::Receiver<Told>,
    came_in: u64,
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut all = self.listeners.all.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(group) = all.groups.get_mut(&self.account) {
            group.listeners -= 1;
            if group.listeners == 0 {
                all.groups.remove(&self.account);
            }
        }
    }
}

impl Listeners {
    /// One more of an account; `None`: there are too many.
    fn join(self: &Arc<Self>, account: AccountId) -> Option<Listener> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = all.begun;
        let group = all.groups.entry(account).or_insert_with(|| {
            self.came.notify_one();
            Group { sender: broadcast::channel(WAITING).0, listeners: 0, came_in: begun }
        });
        if group.listeners >= PER_ACCOUNT {
            return None;
        }
        group.listeners += 1;
        let (receiver, came_in) = (group.sender.subscribe(), group.came_in);
        Some(Listener { listeners: self.clone(), account, receiver, came_in })
    }

    /// A turn of the reader begins: its number, and whose events it reads.
    fn begin(&self) -> (u64, Vec<AccountId>) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.begun += 1;
        (all.begun, all.groups.keys().copied().collect())
    }

    /// What happened to an account's things is told to who listens for it.
    fn tell(&self, account: AccountId, told: Told) {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(group) = all.groups.get(&account) {
            let _ = group.sender.send(told); // an error: nobody is left
        }
    }

    fn tell_event(&self, event: &LiveEvent) {
        self.tell(event.account_id, Told::Event(event.key(), words::event(event).into()));
    }
}

impl Listener {
    /// Waits until whatever happens from now on is told.
    async fn is_heard(&self) {
        let mut done = self.listeners.done.subscribe();
        let _ = done.wait_for(|done| *done > self.came_in).await; // an error: the front is gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_account_has_so_many_listeners_and_hears_its_own_events() {
        let listeners = Arc::new(Listeners::default());
        let (ann, ben) = (AccountId(uuid::Uuid::from_u128(1)), AccountId(uuid::Uuid::from_u128(2)));
        let mut anns: Vec<Listener> = (0..PER_ACCOUNT).filter_map(|_| listeners.join(ann)).collect();
        assert!(anns.len() == PER_ACCOUNT && listeners.join(ann).is_none());
        let mut bens = listeners.join(ben).unwrap();
        listeners.tell(ann, Told::Reset);
        for one in &mut anns {
            assert!(matches!(one.receiver.try_recv(), Ok(Told::Reset)));
        }
        assert!(bens.receiver.try_recv().is_err());
        drop(anns);
        assert_eq!(listeners.begin().1, [ben]);
        assert!(listeners.join(ann).is_some());
    }

    #[tokio::test]
    async fn a_turn_that_began_before_somebody_came_does_not_count_for_him() {
        let listeners = Arc::new(Listeners::default());
        let (first, _) = listeners.begin();
        let one = listeners.join(AccountId(uuid::Uuid::from_u128(1))).unwrap();
        listeners.done.send_replace(first);
        let soon = std::time::Duration::from_millis(10);
        assert!(tokio::time::timeout(soon, one.is_heard()).await.is_err());
        let (second, _) = listeners.begin();
        listeners.done.send_replace(second);
        one.is_heard().await;
    }
}
