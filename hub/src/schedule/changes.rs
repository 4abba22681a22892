//! Following what is changed through other hubs, or by hand. The truth is a table that every change of a website is
//! written into by its own transaction; a notification is only the doorbell. One that is not heard (the connection is
//! half-open, a pooler does not pass it on) costs a second.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::{Schedule, is_understood};
use crate::model::{UtcMs, WebsiteId};
use crate::store::{Change, Changes, Position, Store, StoreError};

/// How often the table is read without being called.
const READ_EVERY: Duration = Duration::from_secs(1);
/// Looks taken on per second after an import.
pub(super) const LOOKS_AT_ONCE: i64 = 1_000;
/// Looks at once that may wait for the queue.
const UNTAKEN: usize = 10_000;
/// How long to wait before the doorbell is mended, at most.
const MEND_WITHIN: Duration = Duration::from_secs(30);

/// How far this hub has followed.
#[derive(Debug)]
pub(super) struct Following {
    /// `None`: nobody else changes websites here.
    pub(super) position: Option<Position>,
    rang: Arc<AtomicBool>,
    read_at: Instant,
    listening: Option<tokio::task::JoinHandle<()>>,
}

impl Following {
    /// From `position` on; listens when there is somebody to listen to.
    pub(super) fn start(store: &Store, position: Option<Position>) -> Self {
        let rang = Arc::new(AtomicBool::new(false));
        let listening = position.is_some().then(|| tokio::spawn(listen(store.clone(), rang.clone())));
        Self { position, rang, read_at: Instant::now() + READ_EVERY, listening }
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        // Its connection is its own: nothing that others use is cut off half-way.
        if let Some(task) = &self.listening {
            task.abort();
        }
    }
}

/// Listens for ever; what rang while nobody listened is found when it listens again.
async fn listen(store: Store, rang: Arc<AtomicBool>) {
    let mut pause = Duration::from_secs(1);
    loop {
        match store.doorbell().await {
            Ok(None) => return,
            Ok(Some(mut bell)) => {
                pause = Duration::from_secs(1);
                rang.store(true, Ordering::Relaxed);
                while bell.rings().await.is_ok() {
                    rang.store(true, Ordering::Relaxed);
                }
                tracing::debug!("The connection for notifications is gone; there will be a new one.");
            }
            Err(error) => {
                tracing::debug!(%error, "Notifications cannot be listened for; changes are read every second.")
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(MEND_WITHIN);
    }
}

impl Schedule {
    /// Reads what changed, when it is time or somebody rang.
    pub(super) async fn follow(&mut self, now: UtcMs) {
        let following = &mut self.following;
        let rang = following.rang.swap(false, Ordering::Relaxed);
        if !(rang || Instant::now() >= following.read_at) {
            return;
        }
        following.read_at = Instant::now() + READ_EVERY;
        if following.position.is_none() {
            if let Err(error) = self.follow_beside(now).await {
                tracing::warn!(%error, "Changes made beside this hub could not be read; trying again.");
            }
            return;
        }
        if let Err(error) = self.catch_up(now).await {
            tracing::warn!(%error, "Changes of websites could not be read; trying again.");
        }
    }

    /// Reads what commands beside this hub have changed (SQLite, of which it is the only hub).
    async fn follow_beside(&mut self, now: UtcMs) -> Result<(), StoreError> {
        let changed = self.store.changed_beside().await?;
        let Some((last, _)) = changed.last().copied() else { return Ok(()) };
        let mut ids: Vec<WebsiteId> = changed.into_iter().map(|(_, id)| id).collect();
        ids.sort_unstable();
        ids.dedup();
        for id in ids {
            self.changed(id, now).await;
        }
        self.flush().await;
        // Only now: what was not read before a crash comes again.
        self.store.forget_beside(last).await
    }

    /// Reads and applies all changes that are committed.
    pub(super) async fn catch_up(&mut self, now: UtcMs) -> Result<(), StoreError> {
        let Some(mut position) = self.following.position.clone() else { return Ok(()) };
        match self.store.changes_since(&mut position).await? {
            Changes::TooMany => {
                tracing::info!("Too much changed to be followed one by one; all websites are read again.");
                (self.is_stale, self.owes_looks) = (true, true);
            }
            Changes::Some(changes) if changes.is_empty() => {}
            Changes::Some(changes) => self.apply(&changes, now).await?,
        }
        // Only now: what could not be applied comes again.
        self.following.position = Some(position);
        Ok(())
    }

    async fn apply(&mut self, changes: &[Change], now: UtcMs) -> Result<(), StoreError> {
        let mut ids: Vec<WebsiteId> = changes.iter().map(|change| change.website_id).collect();
        ids.sort_unstable();
        ids.dedup();
        let websites = self.store.scheduled_among(&ids).await?;
        let there: HashSet<WebsiteId> = websites.iter().filter(|w| is_understood(w)).map(|w| w.website_id).collect();
        websites.iter().filter(|w| there.contains(&w.website_id)).for_each(|website| self.plan.put(website));
        for id in ids.iter().filter(|id| !there.contains(id)) {
            self.plan.remove(*id);
            self.unlooked.remove(id);
        }
        tracing::debug!(websites = ids.len(), "Changes were followed.");
        // Every hub sees the change; one of them looks at once.
        let asked: Vec<Change> = changes.iter().filter(|c| there.contains(&c.website_id)).copied().collect();
        if asked.is_empty() {
            return Ok(());
        }
        if self.publisher.is_away() {
            // Another hub, whose queue is not, looks sooner. What it leaves is taken on when the queue is back.
            self.untaken.extend(asked);
            self.untaken.truncate(UNTAKEN);
            return Ok(());
        }
        self.take_first_looks(&asked, now).await
    }

    /// Takes on some of the looks at once that nobody has taken on yet; tells whether there may be more.
    pub(super) async fn take_some_looks(&mut self, now: UtcMs) -> Result<bool, StoreError> {
        let mut mine = self.store.take_some_first_looks(LOOKS_AT_ONCE).await?;
        let may_be_more = !mine.is_empty();
        mine.sort_unstable();
        mine.dedup();
        mine.into_iter().for_each(|id| self.look_first(id, now));
        Ok(may_be_more)
    }

    /// Takes on and does the looks at once that no other hub has taken on.
    pub(super) async fn take_first_looks(&mut self, changes: &[Change], now: UtcMs) -> Result<(), StoreError> {
        let mut mine = self.store.take_first_looks(changes).await?;
        mine.sort_unstable();
        mine.dedup();
        mine.into_iter().for_each(|id| self.look_first(id, now));
        Ok(())
    }
}
