//! Sessions: revocable rows behind the tokens.

use uuid::Uuid;

use super::{Store, StoreError, read, write};
use crate::model::{Account, AccountId, MadeBy, Origin, Session, SessionKey, SessionLine, UtcMs};

/// So long a session counts as one that is in use, though nobody came back to it yet.
const NEW_MS: i64 = 10 * 60_000;

impl Store {
    /// Starts a session, and forgets those of the account that have ended: run out, unused for a day, or beyond [`Session::MOST`]
    /// of those used last. `proof`: the hash of the password that was shown for it, `None` where none was. False: that is
    /// not the account's any more, and nothing was done.
    ///
    /// # Errors
    /// The database is away.
    pub async fn create_session(
        &self,
        account: AccountId,
        key: SessionKey,
        origin: &Origin,
        proof: Option<&str>,
        now: UtcMs,
    ) -> Result<bool, StoreError> {
        Ok(write!(self, pool => {
            let mut transaction = pool.begin().await?;
            // The account's row is held: a change of the password comes before, and is seen, or after, and ends it too.
            let holds = sqlx::query("update account set password_hash = password_hash \
                                     where account_id = $1 and password_hash = coalesce($2, password_hash)")
                .bind(account.0).bind(proof).execute(&mut *transaction).await?.rows_affected() == 1;
            if holds {
                // A program that signs in each minute has a hundred in no time, and comes back to none: they go before that of a
                // person who is away for an hour.
                sqlx::query("delete from session where account_id = $1 and (expires_at < $2 or seen_at < $3 \
                             or session_key in (select session_key from session where account_id = $1 \
                             order by (seen_at > created_at or created_at > $5) desc, seen_at desc, created_at desc, \
                             session_key limit 1000 offset $4))")
                    .bind(account.0).bind(now).bind(now - Session::IDLE_MS).bind(Session::MOST - 1).bind(now - NEW_MS)
                    .execute(&mut *transaction).await?;
                sqlx::query("insert into session \
                             (session_key, account_id, created_at, seen_at, expires_at, agent, address) \
                             values ($1, $2, $3, $3, $4, $5, $6)")
                    .bind(key.0.as_slice()).bind(account.0).bind(now).bind(now + Session::LIFE_MS)
                    .bind(&origin.agent).bind(&origin.address).execute(&mut *transaction).await?;
            }
            transaction.commit().await?;
            holds
        }))
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

    /// Those of an account that go on, the one used last first; [`Session::MOST`] at most.
    ///
    /// # Errors
    /// The database is away.
    pub async fn sessions_of(&self, account: AccountId, now: UtcMs) -> Result<Vec<SessionLine>, StoreError> {
        let rows: Vec<(Vec<u8>, String, String, i64, i64, i64)> = read!(self, pool => sqlx::query_as(
            "select session_key, agent, address, created_at, seen_at, expires_at from session \
             where account_id = $1 and expires_at > $2 and seen_at > $3 order by seen_at desc, session_key limit $4")
            .bind(account.0).bind(now).bind(now - Session::IDLE_MS).bind(Session::MOST).fetch_all(pool).await?);
        let line =
            |(key, agent, address, created_at, seen_at, expires_at): (Vec<u8>, String, String, i64, i64, i64)| {
                let session_key = SessionKey(key.try_into().ok()?);
                let expires_at = expires_at.min(seen_at + Session::IDLE_MS);
                Some(SessionLine { session_key, origin: Origin { agent, address }, created_at, seen_at, expires_at })
            };
        Ok(rows.into_iter().filter_map(line).collect())
    }

    /// Ends one of an account's; false when it has none of that key.
    ///
    /// # Errors
    /// The database is away.
    pub async fn end_session_of(&self, account: AccountId, key: SessionKey) -> Result<bool, StoreError> {
        let ended = write!(self, pool => sqlx::query("delete from session where account_id = $1 and session_key = $2")
            .bind(account.0).bind(key.0.as_slice()).execute(pool).await?.rows_affected());
        Ok(ended > 0)
    }

    /// Ends all of an account's but one; how many these were.
    ///
    /// # Errors
    /// The database is away.
    pub async fn end_other_sessions(&self, account: AccountId, kept: SessionKey) -> Result<u64, StoreError> {
        Ok(write!(self, pool => sqlx::query("delete from session where account_id = $1 and session_key <> $2")
            .bind(account.0).bind(kept.0.as_slice()).execute(pool).await?.rows_affected()))
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
