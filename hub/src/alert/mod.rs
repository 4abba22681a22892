//! Telling people: what the outbox holds is sent, tried again, folded together, or given up for everybody to see. Which
//! alerts there are is decided where incidents are written (`store`), in the same transaction.

use crate::model::{Channel, IncidentId, TryResult, UtcMs};
use crate::store::Store;

/// Sends to channels. Cheap to clone; pages use it to try a channel.
#[derive(Debug, Clone, Default)]
pub struct Alerts {}

/// What came of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// The result.
    pub result: TryResult,
    /// The answer, at most 512 printable characters, without secrets.
    pub said: String,
    /// For how long.
    pub took_ms: i64,
}

impl Alerts {
    /// Sends a test to a channel now, waits for the answer (at most 15 s, P10) and keeps it in the channel's log.
    pub async fn test(&self, _store: &Store, _channel: &Channel, _now: UtcMs) -> Tried {
        Tried { result: TryResult::GivenUp, said: "Nothing can be sent yet.".to_owned(), took_ms: 0 }
    }

    /// The incident that a signed link lets its reader acknowledge, if the link is ours and not too old.
    #[must_use]
    pub fn acknowledges(&self, _token: &str, _now: UtcMs) -> Option<IncidentId> {
        None
    }
}
