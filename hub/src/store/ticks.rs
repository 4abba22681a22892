//! History: ticks and transitions of one website, newest first, in bounded pieces.

use sqlx::FromRow;
use uuid::Uuid;

use super::row::{TICK, TickRow};
use super::{Store, StoreError, read};
use crate::model::{AccountId, Outcome, StoredTick, Transition, UtcMs, WebsiteId};

#[derive(Debug, FromRow)]
pub(super) struct TransitionRow {
    pub website_id: Uuid,
    at: i64,
    decided_at: i64,
    from_verdict: String,
    to_verdict: String,
    reason: String,
}

impl From<TransitionRow> for Transition {
    fn from(row: TransitionRow) -> Self {
        Self {
            website_id: WebsiteId(row.website_id),
            at: row.at,
            decided_at: row.decided_at,
            // A word of a newer version is time of which this one knows nothing.
            from: row.from_verdict.parse().unwrap_or(Outcome::Unknown),
            to: row.to_verdict.parse().unwrap_or(Outcome::Unknown),
            reason: row.reason,
        }
    }
}

impl Store {
    /// Ticks of one of the account's websites with a slot before `before`, newest first.
    ///
    /// # Errors
    /// The database is away.
    pub async fn ticks(
        &self,
        account: AccountId,
        id: WebsiteId,
        before: Option<UtcMs>,
        limit: i64,
    ) -> Result<Vec<StoredTick>, StoreError> {
        let select = format!(
            "select {TICK} from tick where website_id = $2 and slot_at < $3 \
             and exists (select 1 from website where account_id = $1 and website_id = $2) \
             order by website_id desc, slot_at desc, region_id desc, attempt desc limit $4"
        );
        let rows: Vec<TickRow> = read!(self, pool => sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()))
            .bind(account.0).bind(id.0).bind(before.unwrap_or(i64::MAX)).bind(limit.clamp(1, 1_000))
            .fetch_all(pool).await?);
        rows.into_iter().map(StoredTick::try_from).collect()
    }

    /// Changes of verdict of one of the account's websites, newest first.
    ///
    /// # Errors
    /// The database is away.
    pub async fn transitions(
        &self,
        account: AccountId,
        id: WebsiteId,
        limit: i64,
    ) -> Result<Vec<Transition>, StoreError> {
        let rows: Vec<TransitionRow> = read!(self, pool => sqlx::query_as(
            "select website_id, at, decided_at, from_verdict, to_verdict, reason from transition \
             join website using (website_id) where account_id = $1 and website_id = $2 \
             order by decided_at desc, number desc limit $3")
            .bind(account.0).bind(id.0).bind(limit.clamp(1, 1_000)).fetch_all(pool).await?);
        Ok(rows.into_iter().map(Transition::from).collect())
    }
}
