//! The order: what the hub asks a worker to do.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Target, UtcMs, WebsiteId};

/// One unit of work: website x region x slot x attempt, with a deadline. The region is told by the stream's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// The website.
    pub website_id: WebsiteId,
    /// The instant the check was due, by the hub's schedule. Part of the check's identity.
    pub slot_at: UtcMs,
    /// 0 for the slot's own check, 1 and up for confirmations of it.
    pub attempt: u16,
    /// Why it is run.
    pub kind: CheckKind,
    /// Past this instant the check is acknowledged and counted, not run (invariant I8, P6).
    pub deadline_at: UtcMs,
    /// When it was handed to the queue, by the hub's clock like the two above: `deadline_at` minus this is how long it may
    /// wait ([`Check::may_wait`]), whatever the clocks of queue and worker say.
    pub published_at: UtcMs,
    /// What to ask of whom.
    pub target: Target,
}

impl Check {
    /// One that a person or a scraper of this machine asks for: of no website, in no queue, never too old.
    #[must_use]
    pub fn by_hand(target: Target) -> Self {
        Self {
            website_id: WebsiteId(uuid::Uuid::nil()),
            slot_at: 0,
            attempt: 0,
            kind: CheckKind::Manual,
            deadline_at: UtcMs::MAX,
            published_at: 0,
            target,
        }
    }

    /// How long it may wait in queues before it is run; zero for an order whose deadline lies before its publication.
    #[must_use]
    pub fn may_wait(&self) -> Duration {
        let ms = self.deadline_at.saturating_sub(self.published_at);
        Duration::from_millis(u64::try_from(ms).unwrap_or(0))
    }

    /// How long after its slot it was published; 0 for one that was published before. `None` for one that did not wait for
    /// its slot: a confirmation is asked for after a failing check has taken its time, which is none of the hub's.
    #[must_use]
    pub fn scheduled_publish_ms(&self) -> Option<u32> {
        let ms = self.published_at.saturating_sub(self.slot_at).max(0);
        match self.kind {
            CheckKind::Scheduled => Some(u32::try_from(ms).unwrap_or(u32::MAX)),
            CheckKind::First | CheckKind::Manual | CheckKind::Confirm => None,
        }
    }
}

crate::named! {
    /// Why a check is run.
    CheckKind {
        /// Its slot came.
        Scheduled = "scheduled",
        /// The website was just added, changed or resumed.
        First = "first",
        /// A person asked.
        Manual = "manual",
        /// A failure elsewhere or before is to be confirmed.
        Confirm = "confirm",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_check_of_the_schedule_is_late_by_the_hubs_doing() {
        let of = |kind, published_at| {
            let check = Check {
                website_id: WebsiteId(uuid::Uuid::nil()),
                slot_at: 1_000,
                attempt: 0,
                kind,
                deadline_at: 9_000,
                published_at,
                target: Target::get("http://a.example/"),
            };
            check.scheduled_publish_ms()
        };
        assert_eq!((of(CheckKind::Scheduled, 3_000), of(CheckKind::Scheduled, 900)), (Some(2_000), Some(0)));
        for kind in [CheckKind::First, CheckKind::Manual, CheckKind::Confirm] {
            assert_eq!(of(kind, 3_000), None);
        }
    }
}
