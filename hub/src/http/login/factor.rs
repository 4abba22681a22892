//! The second step of signing in, where an account has a second factor: between the two stands a ticket, good for ten minutes
//! and for the password that was shown.

use sha2::{Digest as _, Sha256};

use super::enter::{self, prove_slowly};
use super::{NewSession, hex, random_bytes, store};
use crate::clock;
use crate::http::{App, HttpError, Request, audit};
use crate::model::totp::{self, FactorSecret, RECOVERY_CODES};
use crate::model::{Account, AccountId, UtcMs};

/// What a ticket says of the password that was shown: it ends with that password.
pub(super) fn proof_of(hash: &str) -> String {
    hex(&Sha256::digest(hash.as_bytes())[..16])
}

/// What became of the second step.
pub enum Second {
    /// Signed in.
    Done(NewSession),
    /// The code is not one of now.
    Wrong,
    /// The first step is too long ago, or no longer holds.
    Stale,
}

/// Takes the code that a person types after the password.
///
/// # Errors
/// Too many codes that were wrong; the database is away.
pub fn second_step(app: &App, request: &Request, ticket: &str, code: &str) -> Result<Second, HttpError> {
    let now = clock::now();
    let Some((account_id, proof)) = app.login.tokens.ticket(ticket, now) else { return Ok(Second::Stale) };
    let found = app.wait(app.store.credentials_of(account_id)).map_err(store)?;
    let Some((account, hash)) = found.filter(|(_, hash)| proof_of(hash) == proof) else { return Ok(Second::Stale) };
    if confirmed(app, account_id)?.is_none() {
        return Ok(Second::Stale);
    }
    if !fits(app, request, &account, code)? {
        audit::wrong_code(app, request, &account);
        return Ok(Second::Wrong);
    }
    enter::end_previous(app, request)?;
    Ok(enter::start(app, request, account, Some(&hash), now)?.map_or(Second::Stale, Second::Done))
}

/// The secret of an account that is asked for codes.
///
/// # Errors
/// The database is away.
pub(super) fn confirmed(app: &App, account: AccountId) -> Result<Option<FactorSecret>, HttpError> {
    let factor = app.wait(app.store.factor(account)).map_err(store)?;
    Ok(factor.filter(|factor| factor.confirmed_at.is_some()).map(|factor| factor.secret))
}

/// Whether a code is one of now, or an unused recovery code; either is used up by it.
///
/// # Errors
/// Too many tries; the database is away.
pub fn fits(app: &App, request: &Request, account: &Account, code: &str) -> Result<bool, HttpError> {
    let now = clock::now();
    // As for passwords. Recovery codes are counted apart: they are the way out for who has guessed too often.
    if let Some(hash) = totp::recovery_hash(code) {
        let name = format!("{} recovery", account.username);
        return prove_slowly(app, &name, request, now, || {
            app.wait(app.store.use_recovery_code(account.account_id, &hash, now)).map_err(store)
        });
    }
    prove_slowly(app, &format!("{} code", account.username), request, now, || {
        let Some(secret) = confirmed(app, account.account_id)? else { return Ok(false) };
        step_of(app, account.account_id, &secret, code, now)?
            .map_or(Ok(false), |step| app.wait(app.store.use_factor_step(account.account_id, step)).map_err(store))
    })
}

/// The step of a code of now, when another may be looked at.
fn step_of(
    app: &App,
    account: AccountId,
    secret: &FactorSecret,
    code: &str,
    now: UtcMs,
) -> Result<Option<i64>, HttpError> {
    if !app.wait(app.store.count_factor_try(account, now)).map_err(store)? {
        app.store.counts().refused_sign_in.add(1);
        return Err(HttpError::TooMany { retry_after_s: 15 * 60 });
    }
    Ok(secret.step_of(code, now))
}

/// Begins a factor; `None` when the account has one.
///
/// # Errors
/// No random bytes; the database is away.
pub fn begin(app: &App, account: &Account) -> Result<Option<FactorSecret>, HttpError> {
    let secret = FactorSecret(random_bytes().map_err(HttpError::Internal)?);
    let begun = app.wait(app.store.begin_factor(account.account_id, &secret, clock::now())).map_err(store)?;
    Ok(begun.then_some(secret))
}

/// Confirms what was begun by a first code: the recovery codes, to be shown once. `None`: the code is not one of now, or
/// nothing was begun.
///
/// # Errors
/// Too many codes that were wrong; the database is away.
pub fn confirm(app: &App, account: &Account, code: &str) -> Result<Option<Vec<String>>, HttpError> {
    let now = clock::now();
    let found = app.wait(app.store.factor(account.account_id)).map_err(store)?;
    let Some(begun) = found.filter(|factor| factor.confirmed_at.is_none()) else { return Ok(None) };
    let Some(step) = step_of(app, account.account_id, &begun.secret, code, now)? else { return Ok(None) };
    let (codes, hashes) = recovery_codes()?;
    let confirming = app.store.confirm_factor(account.account_id, &begun.secret, step, &hashes, now);
    Ok(app.wait(confirming).map_err(store)?.then_some(codes))
}

/// New recovery codes instead of the old ones, to be shown once; `None` without a factor.
///
/// # Errors
/// No random bytes; the database is away.
pub fn new_codes(app: &App, account: &Account) -> Result<Option<Vec<String>>, HttpError> {
    let (codes, hashes) = recovery_codes()?;
    let replaced = app.wait(app.store.replace_recovery_codes(account.account_id, &hashes)).map_err(store)?;
    Ok(replaced.then_some(codes))
}

fn recovery_codes() -> Result<(Vec<String>, Vec<[u8; 32]>), HttpError> {
    let mut all = (Vec::new(), Vec::new());
    while all.0.len() < RECOVERY_CODES {
        let code = totp::recovery_code(&random_bytes().map_err(HttpError::Internal)?);
        if let Some(hash) = totp::recovery_hash(&code) {
            all.0.push(code);
            all.1.push(hash);
        }
    }
    Ok(all)
}
