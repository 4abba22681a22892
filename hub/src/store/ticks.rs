//! History: transitions of one website in bounded pieces, newest first for those who look, oldest first for whoever counts
//! them again. Its ticks are read in [`super::history`].

use std::ops::RangeInclusive;

use sqlx::FromRow;
use uuid::Uuid;

use super::row::{WEBSITE, WebsiteRow};
use super::{Store, StoreError, read};
use crate::model::{AccountId, Outcome, Transition, UtcMs, Website, WebsiteId};

#[derive(Debug, FromRow)]
pub(super) struct TransitionRow {
    pub website_id: Uuid,
    at: i64,
    pub decided_at: i64,
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

/// A website as its history is read, and since when it is watched as it is now.
#[derive(Debug, FromRow)]
struct WatchedRow {
    #[sqlx(flatten)]
    website: WebsiteRow,
    watched_since_at: i64,
}

impl Store {
    /// For whoever owns the installation, at its command line: a website of whatever account, and since when what it is
    /// now has been watched.
    ///
    /// # Errors
    /// The database is away.
    pub async fn website_of_any(&self, id: WebsiteId) -> Result<Option<(Website, UtcMs)>, StoreError> {
        let select = format!("select {WEBSITE}, watched_since_at from website where website_id = $1");
        let row: Option<WatchedRow> = read!(self, pool => sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()))
            .bind(id.0).fetch_optional(pool).await?);
        row.map(|row| Ok((Website::try_from(row.website)?, row.watched_since_at))).transpose()
    }

    /// Changes of verdict of one of the account's websites that were decided within `decided`, in that order; at most
    /// `limit`, 10,001 at most.
    ///
    /// # Errors
    /// The database is away.
    pub async fn transitions_in_order(
        &self,
        account: AccountId,
        id: WebsiteId,
        decided: &RangeInclusive<UtcMs>,
        limit: i64,
    ) -> Result<Vec<Transition>, StoreError> {
        let rows: Vec<TransitionRow> = read!(self, pool => sqlx::query_as(
            "select website_id, at, decided_at, from_verdict, to_verdict, reason from transition \
             join website using (website_id) where account_id = $1 and website_id = $2 \
             and decided_at >= $3 and decided_at <= $4 order by decided_at, number limit $5")
            .bind(account.0).bind(id.0).bind(*decided.start()).bind(*decided.end())
            .bind(limit.clamp(1, 10_001)).fetch_all(pool).await?);
        Ok(rows.into_iter().map(Transition::from).collect())
    }

    /// Changes of verdict of one of the account's websites decided before `before`, newest first, back to the one that held at
    /// `since`.
    ///
    /// # Errors
    /// The database is away.
    pub async fn transitions_before(
        &self,
        account: AccountId,
        id: WebsiteId,
        since: UtcMs,
        before: UtcMs,
        limit: i64,
    ) -> Result<Vec<Transition>, StoreError> {
        let rows: Vec<TransitionRow> = read!(self, pool => sqlx::query_as(
            "select website_id, at, decided_at, from_verdict, to_verdict, reason from transition \
             join website using (website_id) where account_id = $1 and website_id = $2 and decided_at < $3 \
             and decided_at >= coalesce((select h.decided_at from transition h \
             where h.website_id = $2 and h.decided_at < $4 order by h.decided_at desc limit 1), 0) \
             order by decided_at desc, number desc limit $5")
            .bind(account.0).bind(id.0).bind(before).bind(since).bind(limit.clamp(1, 1_000)).fetch_all(pool).await?);
        Ok(rows.into_iter().map(Transition::from).collect())
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
