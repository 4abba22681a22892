//! A verdict that is not reached yet asks for a second look.

use super::{RegionId, UtcMs, WebsiteId};

/// A second look at a first failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirm {
    /// Which website.
    pub website_id: WebsiteId,
    /// Slot of the failing tick.
    pub slot_at: UtcMs,
    /// Attempt of the second look: 1 and up.
    pub attempt: u16,
    /// Where from.
    pub regions: Vec<RegionId>,
    /// How long to wait first: none elsewhere, a little at the same place, so that a blip can pass.
    pub delay_ms: i64,
}
