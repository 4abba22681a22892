//! Maintenance windows, each seen by its owner only, and what of them is past.
//!
//! A rule holds from `since_at` on. Whoever changes, cuts short or deletes it first writes down what took place under it,
//! in the same transaction: no edit changes what the figures say of the past, and nothing has to run at the end of a
//! window.

mod rows;

use uuid::Uuid;

pub(super) use self::rows::{MAINTENANCE, MaintenanceRow, understood};
use self::rows::{PastOfRow, PastRow};
pub(super) use self::rows::{columns, starts};
use super::{Store, StoreError, read, write};
use crate::model::{AccountId, Maintenance, MaintenanceId, MaintenancePlan, PastMaintenance, Scope, UtcMs};
use crate::new_id;

/// What is past is kept for so long.
pub const PAST_KEPT_MS: i64 = 100 * 86_400_000;

/// What became of a window that was to be added or changed.
#[derive(Debug, Clone, PartialEq)]
pub enum MaintenanceSaved {
    /// It holds.
    Saved(MaintenanceId),
    /// There is no such window, or it is another's.
    NotFound,
    /// It is about a website that is none of the account's.
    NoWebsite,
    /// The account has as many as it may have.
    TooMany,
    /// Somebody else changed it first.
    Meanwhile,
}

/// Writes down what took place under a rule, up to `$now`, inside a transaction.
macro_rules! keep_past {
    ($tx:ident, $window:expr, $now:expr) => {
        for span in $window.spans($now - PAST_KEPT_MS, $now) {
            let (scope, tag, website) = $crate::store::maintenance::columns(&$window.plan.scope);
            sqlx::query(
                "insert into maintenance_past (maintenance_id, account_id, name, scope, tag, website_id, began_at, \
                 ended_at) values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing",
            )
            .bind($window.maintenance_id.0)
            .bind($window.account_id.0)
            .bind(&$window.plan.name)
            .bind(scope)
            .bind(tag)
            .bind(website)
            .bind(span.from_at)
            .bind(span.to_at)
            .execute(&mut *$tx)
            .await?;
        }
        sqlx::query("delete from maintenance_past where account_id = $1 and ended_at < $2")
            .bind($window.account_id.0)
            .bind($now - PAST_KEPT_MS)
            .execute(&mut *$tx)
            .await?;
    };
}

/// The account's window inside a transaction; on Postgres nobody else's until its end, since it is written to.
macro_rules! take {
    ($tx:ident, $account:expr, $id:expr) => {{
        let taken = format!(
            "update maintenance set revision = revision where account_id = $1 and maintenance_id = $2 \
             returning {MAINTENANCE}"
        );
        let row: Option<MaintenanceRow> =
            sqlx::query_as(sqlx::AssertSqlSafe(taken)).bind($account.0).bind($id.0).fetch_optional(&mut *$tx).await?;
        row
    }};
}

/// Whether the account has the website that a scope names.
macro_rules! is_own {
    ($tx:ident, $account:expr, $scope:expr) => {
        match $scope {
            Scope::All | Scope::Tag(_) => true,
            Scope::Website(id) => {
                let found: Option<Uuid> =
                    sqlx::query_scalar("select website_id from website where account_id = $1 and website_id = $2")
                        .bind($account.0)
                        .bind(id.0)
                        .fetch_optional(&mut *$tx)
                        .await?;
                found.is_some()
            }
        }
    };
}

/// Adds a window inside a transaction, unless there are as many as there may be; 1 when it was added.
macro_rules! insert_maintenance {
    ($tx:ident, $account:expr, $id:expr, $plan:expr, $now:expr) => {{
        let (scope, tag, website) = $crate::store::maintenance::columns(&$plan.scope);
        sqlx::query(
            "insert into maintenance (maintenance_id, account_id, name, scope, tag, website_id, time_zone, starts, \
             repeats, duration_ms, created_at, since_at, over_at) \
             select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11, $12 \
             where (select count(*) from maintenance where account_id = $2) < $13",
        )
        .bind($id.0)
        .bind($account.0)
        .bind(&$plan.name)
        .bind(scope)
        .bind(tag)
        .bind(website)
        .bind($plan.rule.time_zone())
        .bind($crate::store::maintenance::starts(&$plan.rule))
        .bind($plan.rule.repeats.to_string())
        .bind($plan.rule.duration_ms)
        .bind($now)
        .bind($plan.rule.over_at())
        .bind(Maintenance::MOST)
        .execute(&mut *$tx)
        .await?
        .rows_affected()
    }};
}

/// Changes a window that was taken, inside its transaction.
macro_rules! update_maintenance {
    ($tx:ident, $account:expr, $id:expr, $row:expr, $plan:expr, $now:expr) => {{
        let (scope, tag, website) = $crate::store::maintenance::columns(&$plan.scope);
        let since_at = $row.since_at.max($now);
        let mut skip_before_at = 0;
        if let Ok(window) = Maintenance::try_from($row) {
            $crate::store::maintenance::keep_past!($tx, window, $now);
            // One that was ended early does not run on because somebody corrects its name.
            let is_same = window.plan.rule == $plan.rule && $plan.rule.over_at().is_none();
            skip_before_at = if is_same { window.skip_before_at } else { 0 };
        }
        sqlx::query(
            "update maintenance set name = $3, scope = $4, tag = $5, website_id = $6, time_zone = $7, starts = $8, \
             repeats = $9, duration_ms = $10, since_at = $11, skip_before_at = $13, over_at = $12, \
             revision = revision + 1 where account_id = $1 and maintenance_id = $2",
        )
        .bind($account.0)
        .bind($id.0)
        .bind(&$plan.name)
        .bind(scope)
        .bind(tag)
        .bind(website)
        .bind($plan.rule.time_zone())
        .bind($crate::store::maintenance::starts(&$plan.rule))
        .bind($plan.rule.repeats.to_string())
        .bind($plan.rule.duration_ms)
        .bind(since_at)
        .bind($plan.rule.over_at())
        .bind(skip_before_at)
        .execute(&mut *$tx)
        .await?;
    }};
}

/// Deletes a window that was taken, inside its transaction.
macro_rules! remove_maintenance {
    ($tx:ident, $account:expr, $id:expr, $row:expr, $now:expr) => {
        if let Ok(window) = Maintenance::try_from($row) {
            $crate::store::maintenance::keep_past!($tx, window, $now);
        }
        sqlx::query("delete from maintenance where account_id = $1 and maintenance_id = $2")
            .bind($account.0)
            .bind($id.0)
            .execute(&mut *$tx)
            .await?;
    };
}

pub(super) use {insert_maintenance, keep_past, remove_maintenance, take, update_maintenance};

impl Store {
    /// Adds a window. It holds from `now` on, also where its first began earlier.
    ///
    /// # Errors
    /// The database is away.
    pub async fn add_maintenance(
        &self,
        account: AccountId,
        plan: &MaintenancePlan,
        now: UtcMs,
    ) -> Result<MaintenanceSaved, StoreError> {
        let id = MaintenanceId(new_id::ordered());
        Ok(write!(self, pool => 'done: {
            let mut tx = pool.begin().await?;
            if !is_own!(tx, account, &plan.scope) {
                break 'done MaintenanceSaved::NoWebsite;
            }
            // Two that add at once take turns here, so that the limit holds (T120).
            sqlx::query("update account set username = username where account_id = $1")
                .bind(account.0).execute(&mut *tx).await?;
            let added = insert_maintenance!(tx, account, id, plan, now);
            tx.commit().await?;
            if added == 1 { MaintenanceSaved::Saved(id) } else { MaintenanceSaved::TooMany }
        }))
    }

    /// Changes a window as it was at `revision`, from `now` on.
    ///
    /// # Errors
    /// The database is away.
    pub async fn edit_maintenance(
        &self,
        account: AccountId,
        id: MaintenanceId,
        revision: i64,
        plan: &MaintenancePlan,
        now: UtcMs,
    ) -> Result<MaintenanceSaved, StoreError> {
        Ok(write!(self, pool => 'done: {
            let mut tx = pool.begin().await?;
            let Some(row) = take!(tx, account, id) else { break 'done MaintenanceSaved::NotFound };
            if row.revision != revision {
                break 'done MaintenanceSaved::Meanwhile;
            }
            if !is_own!(tx, account, &plan.scope) {
                break 'done MaintenanceSaved::NoWebsite;
            }
            update_maintenance!(tx, account, id, row, plan, now);
            tx.commit().await?;
            MaintenanceSaved::Saved(id)
        }))
    }

    /// Ends the one that runs now; those to come stay. `false`: not yours, or none runs.
    ///
    /// # Errors
    /// The database is away.
    pub async fn end_maintenance(&self, account: AccountId, id: MaintenanceId, now: UtcMs) -> Result<bool, StoreError> {
        Ok(write!(self, pool => 'done: {
            let mut tx = pool.begin().await?;
            let Some(row) = take!(tx, account, id) else { break 'done false };
            let window = Maintenance::try_from(row)?;
            if window.running(now).is_none() {
                break 'done false;
            }
            keep_past!(tx, window, now);
            let over_at = window.plan.rule.over_at().map(|_| now);
            sqlx::query(
                "update maintenance set since_at = $3, skip_before_at = $3, over_at = $4, revision = revision + 1 \
                 where account_id = $1 and maintenance_id = $2")
                .bind(account.0).bind(id.0).bind(now).bind(over_at).execute(&mut *tx).await?;
            tx.commit().await?;
            true
        }))
    }

    /// Deletes a window; what took place under it stays. `false`: not yours.
    ///
    /// # Errors
    /// The database is away.
    pub async fn delete_maintenance(
        &self,
        account: AccountId,
        id: MaintenanceId,
        now: UtcMs,
    ) -> Result<bool, StoreError> {
        Ok(write!(self, pool => 'done: {
            let mut tx = pool.begin().await?;
            let Some(row) = take!(tx, account, id) else { break 'done false };
            remove_maintenance!(tx, account, id, row, now);
            tx.commit().await?;
            true
        }))
    }

    /// The account's windows, oldest first.
    ///
    /// # Errors
    /// The database is away.
    pub async fn maintenance(&self, account: AccountId) -> Result<Vec<Maintenance>, StoreError> {
        let select =
            format!("select {MAINTENANCE} from maintenance where account_id = $1 order by created_at, maintenance_id");
        let rows: Vec<MaintenanceRow> = read!(self, pool => sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()))
            .bind(account.0).fetch_all(pool).await?);
        Ok(understood(rows))
    }

    /// All accounts' windows that may cover an instant after `since`, and what took place after it under rules that were
    /// changed or deleted; at most `limit` of each.
    ///
    /// # Errors
    /// The database is away.
    pub(super) async fn maintenance_of_all(
        &self,
        since: UtcMs,
        limit: i64,
    ) -> Result<(Vec<Maintenance>, Vec<(AccountId, PastMaintenance)>), StoreError> {
        let select =
            format!("select {MAINTENANCE} from maintenance order by account_id, created_at, maintenance_id limit $1");
        let (rows, past) = read!(self, pool => {
            let rows: Vec<MaintenanceRow> = sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()))
                .bind(limit).fetch_all(pool).await?;
            let past: Vec<PastOfRow> = sqlx::query_as(
                "select account_id, maintenance_id, name, scope, tag, website_id, began_at, ended_at from maintenance_past \
                 where ended_at > $1 order by account_id, ended_at desc, maintenance_id limit $2")
                .bind(since).bind(limit).fetch_all(pool).await?;
            (rows, past)
        });
        let of = |row: PastOfRow| Some((AccountId(row.account_id), row.past.understood()?));
        Ok((understood(rows), past.into_iter().filter_map(of).collect()))
    }

    /// One of them.
    ///
    /// # Errors
    /// The database is away.
    pub async fn maintenance_window(
        &self,
        account: AccountId,
        id: MaintenanceId,
    ) -> Result<Option<Maintenance>, StoreError> {
        let select = format!("select {MAINTENANCE} from maintenance where account_id = $1 and maintenance_id = $2");
        // The pool for writes: what was just saved must be seen.
        let row: Option<MaintenanceRow> = write!(self, pool => sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()))
            .bind(account.0).bind(id.0).fetch_optional(pool).await?);
        row.map(Maintenance::try_from).transpose()
    }

    /// What took place after `since` under rules that were changed or deleted, newest first, `limit` at most. What took
    /// place under those that are still there follows from them.
    ///
    /// # Errors
    /// The database is away.
    pub async fn past_maintenance(
        &self,
        account: AccountId,
        since: UtcMs,
        limit: i64,
    ) -> Result<Vec<PastMaintenance>, StoreError> {
        let rows: Vec<PastRow> = read!(self, pool => sqlx::query_as(
            "select maintenance_id, name, scope, tag, website_id, began_at, ended_at from maintenance_past \
             where account_id = $1 and ended_at > $2 order by ended_at desc, maintenance_id limit $3")
            .bind(account.0).bind(since).bind(limit.clamp(1, 20_000)).fetch_all(pool).await?);
        Ok(rows.into_iter().filter_map(PastRow::understood).collect())
    }
}
