//! Who is not told of, and why: read inside the transaction that decides whether somebody is told.

use std::collections::BTreeMap;

use super::StoreError;
use super::ingest::Transaction;
use crate::model::{MutedBy, UtcMs, WebsiteId};

/// Which of the websites nobody is told of at `now`, and why; the others are not in the answer. For websites whose
/// verdict changed and for those of muted incidents, not for each tick.
///
/// # Errors
/// The database is away.
#[allow(dead_code, reason = "for those who tell of incidents")]
pub(super) async fn muted(
    _tx: &mut Transaction,
    _ids: &[WebsiteId],
    _now: UtcMs,
) -> Result<BTreeMap<WebsiteId, MutedBy>, StoreError> {
    Ok(BTreeMap::new())
}
