//! Instants of a tick that do not fit when it was received: one that comes long after its slot, or says that it began
//! later than it came.

use super::verdict::stale_after_ms;
use super::{StoredTick, WebsiteSettings};

/// A worker's clock may be this far ahead: what NTP leaves, and the rounding of Redis' clock.
const AHEAD_MS: i64 = 1_000;

/// What is wrong with the instants of a tick.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Marks {
    /// It came when its region had long been unknown (P5): history, which has no vote (T187).
    pub late: bool,
    /// Its start was later than its receipt, which is kept in its place (T206).
    pub clamped: bool,
}

/// The marks of a tick. A check's deadline lies within two minutes of its slot, so only a tick that was kept back (by a
/// worker cut off from the queue) is late; one that waited in the queue is not, since the queue says when it came.
#[must_use]
pub fn marks(settings: &WebsiteSettings, tick: &StoredTick) -> Marks {
    let came_after_ms = tick.received_at.saturating_sub(tick.tick.slot_at);
    Marks {
        late: came_after_ms > stale_after_ms(settings),
        clamped: tick.tick.started_at > tick.received_at.saturating_add(AHEAD_MS),
    }
}
