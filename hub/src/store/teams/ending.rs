//! The end of an account: one transaction shuts it (nobody gets in, nothing is checked, nobody is told), then its rows go in
//! steps that are small, whoever takes them, so that a large history holds up nobody and a hub that dies loses nothing.

use uuid::Uuid;

use super::NO_PASSWORD;
use crate::model::{AccountId, UtcMs, WebsiteId};
use crate::store::{Store, StoreError, read, write};

/// Ticks, or other rows, that one step deletes.
const AT_ONCE: i64 = 5_000;
/// Teams that are named to whoever would leave them without an owner.
const NAMED: i64 = 20;

/// What became of an account that was to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountEnded {
    /// It is shut, and is being deleted.
    Done,
    /// There is none, or its password is another by now.
    NotFound,
    /// Nobody would look after the installation any more.
    LastOperator,
    /// Nobody would own these teams any more.
    OwnsTeams(Vec<String>),
}

/// Shuts an account, in a transaction.
macro_rules! shut {
    ($tx:ident, $account:expr, $now:expr) => {
        for sql in [
            "delete from session where account_id = $1",
            "delete from member where account_id = $1 or person_id = $1",
            "delete from invitation where account_id = $1 or made_by = $1",
            // A program that goes on would fill again what is being emptied.
            "delete from api_key where account_id = $1 or made_by = $1",
            "delete from report_schedule where account_id = $1",
            // Also who is told of them: nobody sees them from now on.
            "delete from status_page where account_id = $1",
            "delete from channel where account_id = $1",
        ] {
            sqlx::query(sql).bind($account.0).execute(&mut *$tx).await?;
        }
        sqlx::query(
            "update alert set state = 'cancelled', ended_at = $2, claimed_until = null, said = $3 \
             where account_id = $1 and state = 'waiting'",
        )
        .bind($account.0)
        .bind($now)
        .bind("The account was deleted.")
        .execute(&mut *$tx)
        .await?;
        // What hubs look at is written down by this, so that all of them stop.
        sqlx::query("update website set paused = true, revision = revision + 1 where account_id = $1 and not paused")
            .bind($account.0)
            .execute(&mut *$tx)
            .await?;
    };
}

impl Store {
    /// Ends a person's account, whose password has this hash: his own team, his sessions, his part in other teams.
    ///
    /// # Errors
    /// The database is away.
    pub async fn end_account(&self, person: AccountId, hash: &str, now: UtcMs) -> Result<AccountEnded, StoreError> {
        Ok(write!(self, pool => 'done: {
            let mut tx = pool.begin().await?;
            // Two operators who go at once take turns here, and owners of one team do.
            sqlx::query("update account set username = username where account_id in (select account_id from account \
                         where account_id = $1 or (not by_open_sign_up and not is_team) or account_id in \
                         (select account_id from member where person_id = $1 and role = 'owner') order by account_id)")
                .bind(person.0).execute(&mut *tx).await?;
            let is_operator: Option<bool> = sqlx::query_scalar(
                "update account set ending_at = $2, password_hash = $3, username_key = $4 where account_id = $1 \
                 and ending_at is null and not is_team and password_hash = $5 returning not by_open_sign_up")
                .bind(person.0).bind(now).bind(NO_PASSWORD).bind(format!("gone/{person}")).bind(hash)
                .fetch_optional(&mut *tx).await?;
            let Some(is_operator) = is_operator else {
                tx.rollback().await?;
                break 'done AccountEnded::NotFound;
            };
            let others: i64 = sqlx::query_scalar(
                "select count(*) from account where not by_open_sign_up and not is_team and ending_at is null")
                .fetch_one(&mut *tx).await?;
            if is_operator && others == 0 {
                tx.rollback().await?;
                break 'done AccountEnded::LastOperator;
            }
            let left: Vec<String> = sqlx::query_scalar(
                "select username from member m join account t using (account_id) where m.person_id = $1 \
                 and m.role = 'owner' and t.is_team and not exists (select 1 from member o where o.account_id = m.account_id \
                 and o.role = 'owner' and o.person_id <> $1) order by username limit $2")
                .bind(person.0).bind(NAMED).fetch_all(&mut *tx).await?;
            if !left.is_empty() {
                tx.rollback().await?;
                break 'done AccountEnded::OwnsTeams(left);
            }
            shut!(tx, person, now);
            tx.commit().await?;
            AccountEnded::Done
        }))
    }

    /// Ends a team that is nobody's own account; false: there is none.
    ///
    /// # Errors
    /// The database is away.
    pub async fn end_team(&self, team: AccountId, now: UtcMs) -> Result<bool, StoreError> {
        Ok(write!(self, pool => {
            let mut tx = pool.begin().await?;
            let is_there = sqlx::query(
                "update account set ending_at = $2 where account_id = $1 and ending_at is null and is_team")
                .bind(team.0).bind(now).execute(&mut *tx).await?.rows_affected() == 1;
            if is_there {
                shut!(tx, team, now);
            }
            tx.commit().await?;
            is_there
        }))
    }

    /// Websites of an account that has ended and are there still, for a scheduler that learns of changes from nobody else.
    ///
    /// # Errors
    /// The database is away.
    pub async fn websites_of_ended(&self, account: AccountId) -> Result<Vec<WebsiteId>, StoreError> {
        let ids: Vec<Uuid> = read!(self, pool => sqlx::query_scalar(
            "select website_id from website join account using (account_id) where account_id = $1 \
             and ending_at is not null order by website_id limit 100000")
            .bind(account.0).fetch_all(pool).await?);
        Ok(ids.into_iter().map(WebsiteId).collect())
    }

    /// Deletes a part of what accounts had that have ended; false: there is nothing left of any.
    ///
    /// # Errors
    /// The database is away, or somebody else was at the same rows: the next call goes on.
    pub async fn delete_ended(&self) -> Result<bool, StoreError> {
        let account: Option<Uuid> = read!(self, pool => sqlx::query_scalar(
            "select account_id from account where ending_at is not null order by ending_at, account_id limit 1")
            .fetch_optional(pool).await?);
        let Some(account) = account else { return Ok(false) };
        let website: Option<Uuid> = read!(self, pool => sqlx::query_scalar(
            "select website_id from website where account_id = $1 order by website_id limit 1")
            .bind(account).fetch_optional(pool).await?);
        if let Some(website) = website {
            return self.delete_some_of(website).await.map(|()| true);
        }
        for sql in [
            "delete from incident where incident_id in (select incident_id from incident where account_id = $1 limit $2)",
            "delete from alert where alert_id in (select alert_id from alert where account_id = $1 limit $2)",
            "delete from maintenance_past where account_id = $1 and maintenance_id in \
             (select maintenance_id from maintenance_past where account_id = $1 limit $2)",
            "delete from audit where audit_id in (select audit_id from audit where account_id = $1 limit $2)",
        ] {
            let gone = write!(self, pool => sqlx::query(sql)
                .bind(account).bind(AT_ONCE / 50).execute(pool).await?.rows_affected());
            if gone > 0 {
                return Ok(true);
            }
        }
        write!(self, pool => sqlx::query("delete from account where account_id = $1 and ending_at is not null")
            .bind(account).execute(pool).await.map(|_| ())?);
        Ok(true)
    }

    /// Some of a website's ticks, oldest first; with the last of them itself, and all that is counted of it.
    async fn delete_some_of(&self, website: Uuid) -> Result<(), StoreError> {
        let until: Option<i64> = read!(self, pool => sqlx::query_scalar(
            "select slot_at from tick where website_id = $1 order by slot_at limit 1 offset $2")
            .bind(website).bind(AT_ONCE).fetch_optional(pool).await?);
        if let Some(until) = until {
            // At least the oldest: of one slot there may be more than go at once.
            write!(self, pool => sqlx::query("delete from tick where website_id = $1 and (slot_at < $2 or slot_at = \
                (select min(slot_at) from tick where website_id = $1))")
                .bind(website).bind(until).execute(pool).await.map(|_| ())?);
            return Ok(());
        }
        write!(self, pool => {
            let mut tx = pool.begin().await?;
            // First the website, so that what is on its way finds it gone; then what came before.
            sqlx::query("delete from website where website_id = $1").bind(website).execute(&mut *tx).await?;
            sqlx::query("delete from tick where website_id = $1").bind(website).execute(&mut *tx).await?;
            sqlx::query("delete from sealed_tick where website_id = $1").bind(website).execute(&mut *tx).await?;
            tx.commit().await?;
        });
        Ok(())
    }
}
