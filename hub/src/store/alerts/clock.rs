//! A clock that was ahead and was set right leaves alerts behind that would wait for it to come there again.

use super::super::{Store, StoreError, write};
use super::outbox::LEASE_MS;
use crate::model::UtcMs;
use crate::model::alert_retry::HOUR_MS;

/// No alert that was tried, and none that is held back, is due later than so.
const LATEST_MS: i64 = 2 * HOUR_MS;
/// Nor any other: a channel waits a week at most.
const LATEST_WAIT_MS: i64 = 7 * 24 * HOUR_MS + LATEST_MS;

impl Store {
    /// Lets alerts that can only have been written or claimed by a clock that was ahead leave when they should have, counted
    /// from now. Returns how many.
    ///
    /// # Errors
    /// The database is away.
    pub async fn right_alerts(&self, now: UtcMs) -> Result<u64, StoreError> {
        let righted = write!(self, pool => sqlx::query(
            "update alert set claimed_until = null, \
             created_at = case when created_at > $1 + $2 then $1 else created_at end, \
             due_at = case when created_at > $1 + $2 and due_at > created_at and due_at <= created_at + $4 \
             then $1 + due_at - created_at \
             when created_at > $1 + $2 or (tries > 0 and due_at > $1 + $3) or due_at > $1 + $4 then $1 else due_at end \
             where state = 'waiting' and (claimed_until > $1 + 2 * $2 or created_at > $1 + $2 \
             or (tries > 0 and due_at > $1 + $3) or due_at > $1 + $4)")
            .bind(now).bind(LEASE_MS).bind(LATEST_MS).bind(LATEST_WAIT_MS).execute(pool).await?.rows_affected());
        if righted > 0 {
            tracing::warn!(alerts = righted, "The clock was ahead when these alerts were written; they are sent now.");
        }
        Ok(righted)
    }
}
