//! How the rest of the hub speaks to the scheduler: short messages on a bounded channel, sent without waiting.

use tokio::sync::mpsc;

use crate::model::{CheckKind, Confirm, RegionId, UtcMs, WebsiteId};

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
}

/// Commands that may wait. Over that the oldest truth is in the database anyway: the scheduler is told to resync.
pub const COMMANDS_WAITING: usize = 10_000;

impl Scheduler {
    /// A handle and the end the scheduler reads.
    #[must_use]
    pub fn channel() -> (Self, mpsc::Receiver<Command>) {
        let (commands, receiver) = mpsc::channel(COMMANDS_WAITING);
        (Self { commands }, receiver)
    }

    /// A website was added, edited, paused, resumed or deleted.
    pub fn changed(&self, website_id: WebsiteId) {
        self.send(Command::Changed(website_id));
    }

    /// Check it now, from all its regions.
    pub fn check_now(&self, website_id: WebsiteId, kind: CheckKind) {
        self.send(Command::CheckNow(website_id, kind));
    }

    /// Look again at a failure.
    pub fn confirm(&self, confirm: Confirm) {
        self.send(Command::Confirm(confirm));
    }

    /// A worker of the region was heard of at that time.
    pub fn region_alive(&self, region_id: RegionId, at: UtcMs) {
        self.send(Command::RegionAlive(region_id, at));
    }

    fn send(&self, command: Command) {
        if let Err(error) = self.commands.try_send(command) {
            tracing::error!(%error, "The scheduler does not keep up; a message to it was dropped.");
        }
    }
}
