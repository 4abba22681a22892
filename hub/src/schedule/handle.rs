//! How the rest of the hub speaks to the scheduler: short messages on a bounded channel, sent without waiting.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};

use crate::model::shares::Shares;
use crate::model::{CheckKind, Confirm, RegionId, UtcMs, WebsiteId};
use crate::vital::Vitals;

/// What the scheduler is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// A website was added, edited, paused, resumed or deleted: read its row again.
    Changed(WebsiteId),
    /// Check it now, from all its regions.
    CheckNow(WebsiteId, CheckKind),
    /// Look again at a failure.
    Confirm(Confirm),
    /// A worker of the region was heard of.
    RegionAlive(RegionId, UtcMs),
}

/// Handle of the scheduler; cheap to clone.
#[derive(Debug, Clone)]
pub struct Scheduler {
    commands: mpsc::Sender<Command>,
    overran: Arc<AtomicBool>,
    asked: Arc<Mutex<HashMap<WebsiteId, UtcMs>>>,
    shares: Shares,
    loaded: watch::Receiver<bool>,
    vitals: Vitals,
}

/// The end the scheduler reads.
#[derive(Debug)]
pub struct Inbox {
    pub(super) commands: mpsc::Receiver<Command>,
    /// Messages were dropped: the websites are to be read again.
    pub(super) overran: Arc<AtomicBool>,
    /// What the schedule tells the others of crowded hosts.
    pub(super) shares: Shares,
    /// All websites are read.
    pub(super) loaded: watch::Sender<bool>,
    /// That it moves.
    pub(super) vitals: Vitals,
}

impl Inbox {
    /// The next command, when there is one: for tests of those who send them.
    pub fn try_next(&mut self) -> Option<Command> {
        self.commands.try_recv().ok()
    }
}

/// Commands that may wait. What does not fit is dropped, and the scheduler reads all websites again.
const COMMANDS_WAITING: usize = 10_000;
/// Between two checks of one website that people asked for: a target is not to be flooded by a button (DESIGN 6.5).
const ASKED_EVERY_MS: i64 = 10_000;

/// A check that somebody asked for a moment ago: what comes of it is the answer to who asks now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AskedBefore {
    /// When that was.
    pub asked_at: UtcMs,
    /// Milliseconds until it may be asked for again.
    pub left_ms: i64,
}

impl Scheduler {
    /// A handle and the end the scheduler reads.
    #[must_use]
    pub fn channel() -> (Self, Inbox) {
        let (sender, commands) = mpsc::channel(COMMANDS_WAITING);
        let overran = Arc::new(AtomicBool::new(false));
        let (shares, (loaded, is_loaded)) = (Shares::default(), watch::channel(false));
        let vitals = Vitals::default();
        let inbox =
            Inbox { commands, overran: overran.clone(), shares: shares.clone(), loaded, vitals: vitals.clone() };
        (Self { commands: sender, overran, asked: Arc::default(), shares, loaded: is_loaded, vitals }, inbox)
    }

    /// A website was added, edited, paused, resumed or deleted.
    pub fn changed(&self, website_id: WebsiteId) {
        self.send(Command::Changed(website_id));
    }

    /// A person asks for a check now, from all regions of the website.
    ///
    /// # Errors
    /// Somebody asked a moment ago.
    pub fn check_now(&self, website_id: WebsiteId, now: UtcMs) -> Result<(), AskedBefore> {
        {
            let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            // Only the last moments are kept, which bounds it.
            asked.retain(|_, at| (0..ASKED_EVERY_MS).contains(&(now - *at)));
            if let Some(at) = asked.get(&website_id) {
                return Err(AskedBefore { asked_at: *at, left_ms: at + ASKED_EVERY_MS - now });
            }
            asked.insert(website_id, now);
        }
        self.send(Command::CheckNow(website_id, CheckKind::Manual));
        Ok(())
    }

    /// The look at once of this website has not come: somebody else was to see to it.
    pub fn look_first(&self, website_id: WebsiteId) {
        self.send(Command::CheckNow(website_id, CheckKind::First));
    }

    /// What share of their slots crowded hosts get, as the schedule has it.
    #[must_use]
    pub fn shares(&self) -> &Shares {
        &self.shares
    }

    /// Whether the parts of this hub move; the schedule says so of itself.
    #[must_use]
    pub fn vitals(&self) -> &Vitals {
        &self.vitals
    }

    /// Waits until the schedule knows all websites, and so the shares are right; or until it is gone.
    pub async fn loaded(&self) {
        let _ = self.loaded.clone().wait_for(|is_loaded| *is_loaded).await;
    }

    /// Look again at a failure.
    pub fn confirm(&self, confirm: Confirm) {
        self.send(Command::Confirm(confirm));
    }

    /// A worker of the region was heard of at that time, by the hub's clock.
    pub fn region_alive(&self, region_id: RegionId, at: UtcMs) {
        self.send(Command::RegionAlive(region_id, at));
    }

    fn send(&self, command: Command) {
        match self.commands.try_send(command) {
            // Closed: the hub stops.
            Ok(()) | Err(TrySendError::Closed(_)) => {}
            Err(TrySendError::Full(_)) => {
                if !self.overran.swap(true, Ordering::Relaxed) {
                    tracing::error!("The scheduler does not keep up; it will read all websites again.");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_website_is_asked_for_once_in_a_while() {
        let (scheduler, mut inbox) = Scheduler::channel();
        let (a, b) = (WebsiteId(uuid::Uuid::from_u128(1)), WebsiteId(uuid::Uuid::from_u128(2)));
        assert_eq!(scheduler.check_now(a, 1_000), Ok(()));
        assert_eq!(scheduler.check_now(a, 4_000), Err(AskedBefore { asked_at: 1_000, left_ms: 7_000 }));
        assert_eq!(scheduler.check_now(b, 4_000), Ok(()));
        assert_eq!(scheduler.check_now(a, 11_000), Ok(()));
        assert_eq!(scheduler.check_now(a, 500), Ok(()), "a clock that was set back locks nobody out");
        assert_eq!(std::iter::from_fn(|| inbox.commands.try_recv().ok()).count(), 4);
    }

    #[test]
    fn what_does_not_fit_is_noticed() {
        let (scheduler, inbox) = Scheduler::channel();
        (0..=COMMANDS_WAITING).for_each(|n| scheduler.changed(WebsiteId(uuid::Uuid::from_u128(n as u128))));
        assert!(inbox.overran.load(Ordering::Relaxed));
    }
}
