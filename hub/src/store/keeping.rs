//! What owners decided about the history of their websites. Not read with the websites: the schedule has a million of those
//! in memory.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::ids::Ids;
use super::{Store, StoreError, read, write};
use crate::model::{AccountId, Keeping, WebsiteId};

/// Columns of a [`KeepingRow`].
pub(super) const KEEPING: &str = "retention_days, uptime_goal_ppm, is_badge_public";

#[derive(Debug, sqlx::FromRow)]
pub(super) struct KeepingRow {
    retention_days: Option<i64>,
    uptime_goal_ppm: Option<i64>,
    is_badge_public: bool,
}

impl From<KeepingRow> for Keeping {
    fn from(row: KeepingRow) -> Self {
        Self {
            // The database checks their bounds.
            retention_days: row.retention_days.and_then(|days| days.try_into().ok()),
            uptime_goal_ppm: row.uptime_goal_ppm.and_then(|ppm| ppm.try_into().ok()),
            is_badge_public: row.is_badge_public,
        }
    }
}

#[derive(Debug, sqlx::FromRow)]
struct KeptRow {
    website_id: Uuid,
    #[sqlx(flatten)]
    keeping: KeepingRow,
}

/// Decides about a website.
macro_rules! save_keeping {
    ($on:expr, $account:expr, $id:expr, $keeping:expr) => {
        sqlx::query(
            "update website set retention_days = $3, uptime_goal_ppm = $4, is_badge_public = $5 \
             where account_id = $1 and website_id = $2",
        )
        .bind($account.0)
        .bind($id.0)
        .bind($keeping.retention_days.map(i64::from))
        .bind($keeping.uptime_goal_ppm.map(i64::from))
        .bind($keeping.is_badge_public)
        .execute($on)
        .await?
        .rows_affected()
    };
}
pub(super) use save_keeping;

impl Store {
    /// What was decided about one of the account's websites. `None`: not yours.
    ///
    /// # Errors
    /// The database is away.
    pub async fn keeping(&self, account: AccountId, id: WebsiteId) -> Result<Option<Keeping>, StoreError> {
        let sql = format!("select {KEEPING} from website where account_id = $1 and website_id = $2");
        // The pool for writes: what was just saved must be seen.
        let row: Option<KeepingRow> = write!(self, pool => sqlx::query_as(sqlx::AssertSqlSafe(sql.as_str()))
            .bind(account.0).bind(id.0).fetch_optional(pool).await?);
        Ok(row.map(Keeping::from))
    }

    /// The same of those of the account's websites of which anything was decided.
    ///
    /// # Errors
    /// The database is away.
    pub async fn keepings(
        &self,
        account: AccountId,
        ids: Vec<WebsiteId>,
    ) -> Result<BTreeMap<WebsiteId, Keeping>, StoreError> {
        let ids = Ids(ids.into_iter().map(|id| id.0).collect());
        let sql = format!(
            "select website_id, {KEEPING} from website where account_id = $1 and website_id {} \
             and (retention_days is not null or uptime_goal_ppm is not null or is_badge_public)",
            self.one_of(2)
        );
        let rows: Vec<KeptRow> = read!(self, pool => sqlx::query_as(sqlx::AssertSqlSafe(sql.as_str()))
            .bind(account.0).bind(ids.clone()).fetch_all(pool).await?);
        Ok(rows.into_iter().map(|row| (WebsiteId(row.website_id), row.keeping.into())).collect())
    }

    /// Decides about one of the account's websites. Nothing that is checked changes: it is no new revision. `false`: not yours.
    ///
    /// # Errors
    /// The database is away.
    pub async fn set_keeping(&self, account: AccountId, id: WebsiteId, keeping: &Keeping) -> Result<bool, StoreError> {
        let changed = write!(self, pool => save_keeping!(pool, account, id, keeping));
        Ok(changed == 1)
    }
}
