//! What has just happened, for whoever listens: enough to know what to look at anew, and no more.

use super::{AccountId, IncidentEventKind, IncidentId, Outcome, UtcMs, WebsiteId};

/// Something that happened to what an account watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveEvent {
    /// Whose.
    pub account_id: AccountId,
    /// When it was written down. Of events of two hubs the later one may be read first.
    pub written_at: UtcMs,
    /// What.
    pub what: LiveWhat,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LiveWhat {
    /// A verdict changed.
    Verdict {
        /// Of which website.
        website_id: WebsiteId,
        /// Among those decided in one millisecond.
        number: i64,
        /// Since when the new one holds.
        at: UtcMs,
        /// Before.
        from: Outcome,
        /// After.
        to: Outcome,
    },
    /// An incident has a new line in its timeline.
    Incident {
        /// Which incident.
        incident_id: IncidentId,
        /// The line.
        event_id: uuid::Uuid,
        /// What it is about.
        kind: IncidentEventKind,
        /// Of which website.
        website_id: Option<WebsiteId>,
        /// When it held, or was done.
        at: UtcMs,
    },
}

/// Names an event among all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LiveKey {
    /// Website, when it was decided, number.
    Verdict(WebsiteId, UtcMs, i64),
    /// Line of a timeline.
    Incident(uuid::Uuid),
}

impl LiveEvent {
    /// Its name: what is read twice is told once.
    #[must_use]
    pub fn key(&self) -> LiveKey {
        match self.what {
            LiveWhat::Verdict { website_id, number, .. } => LiveKey::Verdict(website_id, self.written_at, number),
            LiveWhat::Incident { event_id, .. } => LiveKey::Incident(event_id),
        }
    }
}
