//! Second factors and their recovery codes.

use super::{Store, StoreError, read, write};
use crate::model::totp::{FactorSecret, SECRET_BYTES};
use crate::model::{AccountId, UtcMs};

/// Codes that may be looked at in a window, whoever types them and wherever: of a million codes three hold at a time. Who does
/// that knows the password; recovery codes are taken all the same.
const MOST_TRIES: i64 = 10;
const WINDOW_MS: i64 = 15 * 60_000;

/// The second factor of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Factor {
    /// Shared with its device.
    pub secret: FactorSecret,
    /// Since when it is asked for; `None`: it was begun and never confirmed.
    pub confirmed_at: Option<UtcMs>,
    /// Recovery codes that were not used.
    pub codes_left: i64,
}

impl Store {
    /// The factor of an account, also one that was only begun.
    ///
    /// # Errors
    /// The database is away.
    pub async fn factor(&self, account: AccountId) -> Result<Option<Factor>, StoreError> {
        let row: Option<(Vec<u8>, Option<i64>, i64)> = read!(self, pool => sqlx::query_as(
            "select secret, confirmed_at, (select count(*) from recovery_code r \
             where r.account_id = factor.account_id and used_at is null) from factor where account_id = $1")
            .bind(account.0).fetch_optional(pool).await?);
        Ok(row.and_then(|(secret, confirmed_at, codes_left)| {
            let secret: [u8; SECRET_BYTES] = secret.try_into().ok()?;
            Some(Factor { secret: FactorSecret(secret), confirmed_at, codes_left })
        }))
    }

    /// Begins one, instead of one that was begun before; false when one is confirmed, and nothing was done.
    ///
    /// # Errors
    /// The database is away.
    pub async fn begin_factor(
        &self,
        account: AccountId,
        secret: &FactorSecret,
        now: UtcMs,
    ) -> Result<bool, StoreError> {
        let made = write!(self, pool => sqlx::query(
            "insert into factor (account_id, secret, made_at) values ($1, $2, $3) \
             on conflict (account_id) do update set secret = excluded.secret, made_at = excluded.made_at \
             where factor.confirmed_at is null")
            .bind(account.0).bind(secret.0.as_slice()).bind(now).execute(pool).await?.rows_affected());
        Ok(made == 1)
    }

    /// Confirms the one that was begun with this secret, by a code of `step`; with it its recovery codes. False when another was
    /// begun meanwhile, or it is confirmed already.
    ///
    /// # Errors
    /// The database is away.
    pub async fn confirm_factor(
        &self,
        account: AccountId,
        secret: &FactorSecret,
        step: i64,
        codes: &[[u8; 32]],
        now: UtcMs,
    ) -> Result<bool, StoreError> {
        Ok(write!(self, pool => {
            let mut transaction = pool.begin().await?;
            let confirmed = sqlx::query("update factor set confirmed_at = $4, used_step = $3, tries = 0 \
                                         where account_id = $1 and secret = $2 and confirmed_at is null")
                .bind(account.0).bind(secret.0.as_slice()).bind(step).bind(now)
                .execute(&mut *transaction).await?.rows_affected() == 1;
            if confirmed {
                sqlx::query("delete from recovery_code where account_id = $1")
                    .bind(account.0).execute(&mut *transaction).await?;
                for code in codes {
                    sqlx::query("insert into recovery_code (account_id, code_hash) values ($1, $2)")
                        .bind(account.0).bind(code.as_slice()).execute(&mut *transaction).await?;
                }
            }
            transaction.commit().await?;
            confirmed
        }))
    }

    /// Counts a code that is about to be looked at, so that many at once are no more than one after another. False: there were
    /// too many.
    ///
    /// # Errors
    /// The database is away.
    pub async fn count_factor_try(&self, account: AccountId, now: UtcMs) -> Result<bool, StoreError> {
        // A window that began in the future is from a clock that has run back since.
        let counted = write!(self, pool => sqlx::query(
            "update factor set tries = case when tries_since_at between $2 and $3 then tries + 1 else 1 end, \
             tries_since_at = case when tries_since_at between $2 and $3 then tries_since_at else $3 end \
             where account_id = $1 and (tries < $4 or tries_since_at not between $2 and $3)")
            .bind(account.0).bind(now - WINDOW_MS).bind(now).bind(MOST_TRIES).execute(pool).await?.rows_affected());
        Ok(counted == 1)
    }

    /// Takes a code that was right, of `step`; false when that or a later one was taken before.
    ///
    /// # Errors
    /// The database is away.
    pub async fn use_factor_step(&self, account: AccountId, step: i64) -> Result<bool, StoreError> {
        let used = write!(self, pool => sqlx::query(
            "update factor set used_step = $2, tries = 0 \
             where account_id = $1 and used_step < $2 and confirmed_at is not null")
            .bind(account.0).bind(step).execute(pool).await?.rows_affected());
        Ok(used == 1)
    }

    /// Takes a recovery code; false when it is none of this account's, or was used.
    ///
    /// # Errors
    /// The database is away.
    pub async fn use_recovery_code(&self, account: AccountId, code: &[u8; 32], now: UtcMs) -> Result<bool, StoreError> {
        let used = write!(self, pool => sqlx::query(
            "update recovery_code set used_at = $3 where account_id = $1 and code_hash = $2 and used_at is null \
             and exists (select 1 from factor where factor.account_id = $1 and confirmed_at is not null)")
            .bind(account.0).bind(code.as_slice()).bind(now).execute(pool).await?.rows_affected());
        Ok(used == 1)
    }

    /// New recovery codes instead of all that there were; false without a confirmed factor.
    ///
    /// # Errors
    /// The database is away.
    pub async fn replace_recovery_codes(&self, account: AccountId, codes: &[[u8; 32]]) -> Result<bool, StoreError> {
        Ok(write!(self, pool => {
            let mut transaction = pool.begin().await?;
            // The factor's row is held: two at once come one after the other.
            let has = sqlx::query("update factor set tries = tries where account_id = $1 and confirmed_at is not null")
                .bind(account.0).execute(&mut *transaction).await?.rows_affected() == 1;
            if has {
                sqlx::query("delete from recovery_code where account_id = $1")
                    .bind(account.0).execute(&mut *transaction).await?;
                for code in codes {
                    sqlx::query("insert into recovery_code (account_id, code_hash) values ($1, $2)")
                        .bind(account.0).bind(code.as_slice()).execute(&mut *transaction).await?;
                }
            }
            transaction.commit().await?;
            has
        }))
    }

    /// Forgets an account's factor and its codes; false when there was none.
    ///
    /// # Errors
    /// The database is away.
    pub async fn end_factor(&self, account: AccountId) -> Result<bool, StoreError> {
        Ok(write!(self, pool => {
            let mut transaction = pool.begin().await?;
            sqlx::query("delete from recovery_code where account_id = $1")
                .bind(account.0).execute(&mut *transaction).await?;
            let had = sqlx::query("delete from factor where account_id = $1")
                .bind(account.0).execute(&mut *transaction).await?.rows_affected() > 0;
            transaction.commit().await?;
            had
        }))
    }
}
