//! Sessions: revocable rows behind the tokens.

use uuid::Uuid;

use super::{Store, StoreError, read, write};
use crate::model::{Account, AccountId, MadeBy, Session, SessionKey, UtcMs};

impl Store {
    /// Starts a session, and forgets those of the account that have ended.
    ///
    /// # Errors
    /// The database is away.
    pub async fn create_session(
        &self,
        account: AccountId,
        key: SessionKey,
        now: UtcMs,
        expires_at: UtcMs,
    ) -> Result<(), StoreError> {
        write!(self, pool => {
            sqlx::query("delete from session where account_id = $1 and expires_at < $2")
                .bind(account.0).bind(now).execute(pool).await?;
            sqlx::query("insert into session (session_key, account_id, created_at, seen_at, expires_at) \
                         values ($1, $2, $3, $3, $4)")
                .bind(key.0.as_slice()).bind(account.0).bind(now).bind(expires_at).execute(pool).await?;
        });
        Ok(())
    }

    /// The session of a key, when it was not ended. Whether it is still in time is the caller's to judge.
    ///
    /// # Errors
    /// The database is away.
    pub async fn session(&self, key: SessionKey) -> Result<Option<Session>, StoreError> {
        let row: Option<(i64, i64, i64, Uuid, String, i64, bool)> = read!(self, pool => sqlx::query_as(
            "select session.created_at, seen_at, expires_at, account_id, username, account.created_at, by_open_sign_up \
             from session join account using (account_id) where session_key = $1")
            .bind(key.0.as_slice()).fetch_optional(pool).await?);
        Ok(row.map(|(created_at, seen_at, expires_at, id, username, since, by_open_sign_up)| Session {
            session_key: key,
            account: Account {
                account_id: AccountId(id),
                username,
                created_at: since,
                made_by: MadeBy::of(by_open_sign_up),
            },
            created_at,
            seen_at,
            expires_at,
        }))
    }

    /// Notes that a person used it.
    ///
    /// # Errors
    /// The database is away.
    pub async fn touch_session(&self, key: SessionKey, now: UtcMs) -> Result<(), StoreError> {
        write!(self, pool => sqlx::query("update session set seen_at = $2 where session_key = $1 and seen_at < $2")
            .bind(key.0.as_slice()).bind(now).execute(pool).await.map(|_| ())?);
        Ok(())
    }

    /// Ends it.
    ///
    /// # Errors
    /// The database is away.
    pub async fn end_session(&self, key: SessionKey) -> Result<(), StoreError> {
        write!(self, pool => sqlx::query("delete from session where session_key = $1")
            .bind(key.0.as_slice()).execute(pool).await.map(|_| ())?);
        Ok(())
    }

    /// Ends all of an account's.
    ///
    /// # Errors
    /// The database is away.
    pub async fn end_sessions_of(&self, account: AccountId) -> Result<(), StoreError> {
        write!(self, pool => sqlx::query("delete from session where account_id = $1")
            .bind(account.0).execute(pool).await.map(|_| ())?);
        Ok(())
    }
}
