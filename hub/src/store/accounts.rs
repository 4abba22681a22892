//! Accounts.

use uuid::Uuid;

use super::{Store, StoreError, read, write};
use crate::model::{Account, AccountId, MadeBy, UtcMs};
use crate::new_id;

impl Store {
    /// Makes an account.
    ///
    /// # Errors
    /// [`super::Conflict::UsernameTaken`], without regard to case; or the database is away.
    pub async fn create_account(
        &self,
        username: &str,
        hash: &str,
        by: MadeBy,
        now: UtcMs,
    ) -> Result<Account, StoreError> {
        let by_open_sign_up = match by {
            MadeBy::Owner => false,
            MadeBy::Anybody => true,
        };
        let account = Account {
            account_id: AccountId(new_id::ordered()),
            username: username.to_owned(),
            created_at: now,
            made_by: by,
        };
        write!(self, pool => sqlx::query(
            "insert into account (account_id, username, username_key, password_hash, created_at, by_open_sign_up) \
             values ($1, $2, $3, $4, $5, $6)")
            .bind(account.account_id.0).bind(username).bind(username.to_lowercase()).bind(hash).bind(now)
            .bind(by_open_sign_up)
            .execute(pool).await.map(|_| ())?);
        Ok(account)
    }

    /// Makes the owner's account, when there is none yet; `None` when there is.
    ///
    /// # Errors
    /// The database is away.
    pub async fn create_first_account(
        &self,
        username: &str,
        hash: &str,
        now: UtcMs,
    ) -> Result<Option<Account>, StoreError> {
        // Two first visitors at once: the fixed key of the first row decides, on both databases.
        let account_id = AccountId(Uuid::from_u128(1));
        let made = write!(self, pool => sqlx::query(
            "insert into account (account_id, username, username_key, password_hash, created_at) \
             select $1, $2, $3, $4, $5 where not exists (select 1 from account) on conflict do nothing")
            .bind(account_id.0).bind(username).bind(username.to_lowercase()).bind(hash).bind(now)
            .execute(pool).await?.rows_affected());
        let made_by = MadeBy::Owner;
        Ok((made == 1).then(|| Account { account_id, username: username.to_owned(), created_at: now, made_by }))
    }

    /// Account and password hash of a name, without regard to case.
    ///
    /// # Errors
    /// The database is away.
    pub async fn credentials(&self, username: &str) -> Result<Option<(Account, String)>, StoreError> {
        // Nobody is called so, and Postgres takes no text with a zero byte.
        if username.contains('\0') {
            return Ok(None);
        }
        let row: Option<(Uuid, String, i64, String, bool)> = read!(self, pool => sqlx::query_as(
            "select account_id, username, created_at, password_hash, by_open_sign_up from account where username_key = $1")
            .bind(username.to_lowercase()).fetch_optional(pool).await?);
        Ok(row.map(|(id, username, created_at, hash, by_open_sign_up)| {
            let made_by = MadeBy::of(by_open_sign_up);
            (Account { account_id: AccountId(id), username, created_at, made_by }, hash)
        }))
    }

    /// The same of an account.
    ///
    /// # Errors
    /// The database is away.
    pub async fn credentials_of(&self, account: AccountId) -> Result<Option<(Account, String)>, StoreError> {
        let row: Option<(String, i64, String, bool)> = read!(self, pool => sqlx::query_as(
            "select username, created_at, password_hash, by_open_sign_up from account where account_id = $1")
            .bind(account.0).fetch_optional(pool).await?);
        Ok(row.map(|(username, created_at, hash, by_open_sign_up)| {
            let made_by = MadeBy::of(by_open_sign_up);
            (Account { account_id: account, username, created_at, made_by }, hash)
        }))
    }

    /// Another hash of the same password, where it is still `old`; false where it is not, and nothing was done.
    ///
    /// # Errors
    /// The database is away.
    pub async fn replace_password_hash(&self, account: AccountId, old: &str, new: &str) -> Result<bool, StoreError> {
        let replaced = write!(self, pool => sqlx::query(
            "update account set password_hash = $3 where account_id = $1 and password_hash = $2")
            .bind(account.0).bind(old).bind(new).execute(pool).await?.rows_affected());
        Ok(replaced == 1)
    }

    /// Replaces a password.
    ///
    /// # Errors
    /// The database is away.
    pub async fn set_password_hash(&self, account: AccountId, hash: &str) -> Result<(), StoreError> {
        write!(self, pool => sqlx::query("update account set password_hash = $2 where account_id = $1")
            .bind(account.0).bind(hash).execute(pool).await.map(|_| ())?);
        Ok(())
    }

    /// Replaces a password whose hash is still `old`, and ends all sessions of the account with it; false when another change
    /// came first, and nothing was done.
    ///
    /// # Errors
    /// The database is away.
    pub async fn change_password(&self, account: AccountId, old: &str, new: &str) -> Result<bool, StoreError> {
        Ok(write!(self, pool => {
            let mut transaction = pool.begin().await?;
            let changed = sqlx::query("update account set password_hash = $3 where account_id = $1 and password_hash = $2")
                .bind(account.0).bind(old).bind(new).execute(&mut *transaction).await?.rows_affected() == 1;
            if changed {
                sqlx::query("delete from session where account_id = $1")
                    .bind(account.0).execute(&mut *transaction).await?;
            }
            transaction.commit().await?;
            changed
        }))
    }

    /// Whether there is any account.
    ///
    /// # Errors
    /// The database is away.
    pub async fn has_accounts(&self) -> Result<bool, StoreError> {
        let first = "select 1 from account where username_key >= '' order by username_key limit 1";
        let one: Option<i32> = read!(self, pool => sqlx::query_scalar(first).fetch_optional(pool).await?);
        Ok(one.is_some())
    }

    /// How many accounts were made by whoever came while sign-ups were open; whom an operator invited is none of them.
    ///
    /// # Errors
    /// The database is away.
    pub async fn count_strangers(&self) -> Result<i64, StoreError> {
        Ok(read!(self, pool =>
            sqlx::query_scalar("select count(*) from account where by_open_sign_up \
                                and not vouched and not is_team").fetch_one(pool).await?))
    }
}
