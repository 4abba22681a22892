//! What was answered to requests that may be sent again. A row is a reservation until it has an answer; one statement decides
//! who of several does the work.

use super::{Store, StoreError, read, write};
use crate::model::{AccountId, UtcMs};

/// For how long an answer is kept.
const KEPT_MS: i64 = 86_400_000;
/// Whoever has reserved for longer than this is gone: no connection lives so long (P8).
const TAKEN_OVER_AFTER_MS: i64 = 60_000;
/// Of one account, and bytes of their answers.
const MOST: i64 = 5_000;
const MOST_BYTES: i64 = 32 * 1024 * 1024;
/// Tries of a reservation that somebody gives up just then.
const TRIES: u32 = 3;
/// Rows deleted in one statement.
const AT_ONCE: i64 = 1_000;

/// A request of an account that may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OnceKey {
    /// Whose.
    pub account: AccountId,
    /// SHA-256 of who asks and the key that came with it. The key itself is not stored.
    pub key: [u8; 32],
    /// SHA-256 of what is asked for: method, path, query, body.
    pub request: [u8; 32],
}

/// What is to be done about a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// It is the first; its reservation is of this instant.
    Ours(UtcMs),
    /// Another is at it.
    UnderWay,
    /// It was answered so.
    Answered(Vec<u8>),
    /// The key was of another request.
    OtherRequest,
    /// The account has as many answers kept as it may.
    TooMany,
}

impl Store {
    /// Reserves a request. One that has been under way for longer than anybody takes, and one whose answer is too old, is begun
    /// anew.
    ///
    /// # Errors
    /// The database is away.
    pub async fn begin_once(&self, once: &OnceKey, now: UtcMs) -> Result<Begun, StoreError> {
        for _ in 0..TRIES {
            let reserved = write!(self, pool => sqlx::query(
                "insert into idempotent_answer (account_id, key_hash, request_hash, reserved_at) \
                 select $1, $2, $3, $4 where (select count(*) < $7 and coalesce(sum(length(answer)), 0) < $8 \
                 from idempotent_answer where account_id = $1 and reserved_at > $5) \
                 on conflict (account_id, key_hash) do update set request_hash = excluded.request_hash, \
                 reserved_at = excluded.reserved_at, answer = null \
                 where idempotent_answer.reserved_at <= $5 or (idempotent_answer.answer is null \
                 and idempotent_answer.reserved_at <= $6 and idempotent_answer.request_hash = excluded.request_hash)")
                .bind(once.account.0).bind(once.key.as_slice()).bind(once.request.as_slice()).bind(now)
                .bind(now - KEPT_MS).bind(now - TAKEN_OVER_AFTER_MS).bind(MOST).bind(MOST_BYTES).execute(pool).await?
                .rows_affected());
            if reserved == 1 {
                return Ok(Begun::Ours(now));
            }
            // `None`: whoever had it gave it up since, or there are too many.
            if let Some(found) = self.answered_once(once).await? {
                return Ok(found);
            }
        }
        Ok(Begun::TooMany)
    }

    /// What has become of a request that was reserved; `None`: there is no such reservation any more.
    ///
    /// # Errors
    /// The database is away.
    pub async fn answered_once(&self, once: &OnceKey) -> Result<Option<Begun>, StoreError> {
        let row: Option<(Vec<u8>, Option<Vec<u8>>)> = read!(self, pool => sqlx::query_as(
            "select request_hash, answer from idempotent_answer where account_id = $1 and key_hash = $2")
            .bind(once.account.0).bind(once.key.as_slice()).fetch_optional(pool).await?);
        Ok(row.map(|(request, answer)| match answer {
            _ if request != once.request => Begun::OtherRequest,
            Some(answer) => Begun::Answered(answer),
            None => Begun::UnderWay,
        }))
    }

    /// Keeps the answer of a request that was reserved at `reserved_at`; nothing where another has taken it over since.
    ///
    /// # Errors
    /// The database is away.
    pub async fn keep_answer(&self, once: &OnceKey, reserved_at: UtcMs, answer: &[u8]) -> Result<(), StoreError> {
        write!(self, pool => sqlx::query(
            "update idempotent_answer set answer = $4 where account_id = $1 and key_hash = $2 and reserved_at = $3")
            .bind(once.account.0).bind(once.key.as_slice()).bind(reserved_at).bind(answer)
            .execute(pool).await.map(|_| ())?);
        Ok(())
    }

    /// Gives up the reservation of a request that came to nothing: the same key may be used for one that was put right.
    ///
    /// # Errors
    /// The database is away.
    pub async fn release_once(&self, once: &OnceKey, reserved_at: UtcMs) -> Result<(), StoreError> {
        write!(self, pool => sqlx::query(
            "delete from idempotent_answer where account_id = $1 and key_hash = $2 and reserved_at = $3 and answer is null")
            .bind(once.account.0).bind(once.key.as_slice()).bind(reserved_at).execute(pool).await.map(|_| ())?);
        Ok(())
    }

    /// Deletes answers that are kept no longer, some at once; how many these were.
    ///
    /// # Errors
    /// The database is away.
    pub async fn forget_answers(&self, now: UtcMs) -> Result<u64, StoreError> {
        Ok(write!(self, pool => sqlx::query(
            "delete from idempotent_answer where (account_id, key_hash) in (select account_id, key_hash \
             from idempotent_answer where reserved_at <= $1 order by reserved_at limit $2)")
            .bind(now - KEPT_MS).bind(AT_ONCE).execute(pool).await?.rows_affected()))
    }
}
