//! Signing up and in, and changing the password: where a password is looked at.

use super::{NewSession, factor, key_of, random_id, store};
use crate::clock;
use crate::config::SignUps;
use crate::http::{App, HttpError, Request, audit, password};
use crate::model::{Account, FieldError, FieldErrors, MadeBy, Origin, UtcMs, agent_words};
use crate::store::{Conflict, StoreError};

/// Makes an account.
///
/// # Errors
/// Fields that cannot be accepted, sign-ups are closed, or there were too many from this network.
pub fn sign_up(app: &App, request: &Request, username: &str, password: &str) -> Result<Account, HttpError> {
    let mut errors = FieldErrors::default();
    for result in [password::check_username(username), password::check_password(password)] {
        errors.0.extend(result.err().unwrap_or_default().0);
    }
    if !errors.is_empty() {
        return Err(HttpError::Fields(errors));
    }
    if !may_sign_up(app)? {
        return Err(HttpError::Forbidden("Sign-ups are closed. The owner can make an account for you."));
    }
    let now = clock::now();
    // Else one who makes accounts in a loop has all the time there is for hashes, and learns which names there are.
    app.login.throttle.sign_up(request.client, now).map_err(|retry_after_s| {
        app.store.counts().refused_sign_in.add(1);
        HttpError::TooMany { retry_after_s }
    })?;
    let hash = with_permit(app, || password::hash_blocking(password))?.map_err(HttpError::Internal)?;
    let taken = || {
        let remedy = "This name is taken; choose another.";
        HttpError::Fields(FieldErrors(vec![FieldError::new("username", username, remedy)]))
    };
    let made = match app.settings.sign_ups {
        SignUps::Open => app.wait(app.store.create_account(username, &hash, MadeBy::Anybody, now)).map(Some),
        SignUps::First => app.wait(app.store.create_first_account(username, &hash, now)),
        SignUps::Closed => Ok(None),
    };
    match made {
        Ok(Some(account)) => Ok(account),
        Ok(None) => Err(HttpError::Forbidden("Sign-ups are closed. The owner can make an account for you.")),
        Err(StoreError::Conflict(Conflict::UsernameTaken)) => Err(taken()),
        Err(error) => Err(store(error)),
    }
}

/// Whether an account can be made now.
///
/// # Errors
/// The database is away.
pub fn may_sign_up(app: &App) -> Result<bool, HttpError> {
    Ok(match app.settings.sign_ups {
        SignUps::Open => true,
        SignUps::Closed => false,
        SignUps::First => !app.wait(app.store.has_accounts()).map_err(store)?,
    })
}

/// What became of the first step of signing in.
pub enum SignIn {
    /// Signed in.
    Done(NewSession),
    /// The password is right, and a code is asked for: the ticket for the second step.
    Code(String),
    /// Name or password are not right.
    Wrong,
}

/// Checks name and password and starts a session, or asks for a code; wrong ones take the same time whether or not the name
/// exists.
///
/// # Errors
/// Too many wrong tries for this name from this network.
pub fn sign_in(app: &App, request: &Request, username: &str, password: &str) -> Result<SignIn, HttpError> {
    let now = clock::now();
    let mut found = None;
    let fits = prove_slowly(app, username, request, now, || {
        found = app.wait(app.store.credentials(username)).map_err(store)?;
        let hash = found.as_ref().map_or(app.login.dummy.as_str(), |(_, hash)| hash);
        let fits = with_permit(app, || password::verify_blocking(password, hash))?;
        if !fits {
            // The same for a name that nobody has: it takes as long.
            audit::wrong_password(app, request, found.as_ref().map(|(account, _)| account));
        }
        Ok(fits && found.is_some())
    })?;
    let Some((account, hash)) = found.filter(|_| fits) else { return Ok(SignIn::Wrong) };
    let hash = brought_up(app, &account, password, hash)?;
    if factor::confirmed(app, account.account_id)?.is_some() {
        let ticket = app.login.tokens.issue_ticket(account.account_id, &factor::proof_of(&hash), now);
        return Ok(SignIn::Code(ticket.map_err(HttpError::Internal)?));
    }
    end_previous(app, request)?;
    Ok(start(app, request, account, Some(&hash), now)?.map_or(SignIn::Wrong, SignIn::Done))
}

/// A hash of today's cost for a password that was just right, where the one that is kept is cheaper (T125). Lost against a
/// change of the password, nothing happens.
fn brought_up(app: &App, account: &Account, password: &str, hash: String) -> Result<String, HttpError> {
    if !password::is_cheaper(&hash) {
        return Ok(hash);
    }
    let dearer = with_permit(app, || password::hash_blocking(password))?.map_err(HttpError::Internal)?;
    let replaced = app.wait(app.store.replace_password_hash(account.account_id, &hash, &dearer)).map_err(store)?;
    Ok(if replaced { dearer } else { hash })
}

/// Looks at something a person knows, at most so often for this name from this network; what was right, or was never looked at,
/// does not count.
pub(super) fn prove_slowly(
    app: &App,
    name: &str,
    request: &Request,
    now: UtcMs,
    look: impl FnOnce() -> Result<bool, HttpError>,
) -> Result<bool, HttpError> {
    let throttle = &app.login.throttle;
    let one = throttle.begin(name, request.client, now).map_err(|retry_after_s| {
        app.store.counts().refused_sign_in.add(1);
        HttpError::TooMany { retry_after_s }
    })?;
    let fits = look();
    match fits {
        Ok(false) => {}
        Ok(true) | Err(_) => throttle.take_back(&one),
    }
    fits
}

/// Whether somebody knows what opens a thing that is no account: `name` counts his tries.
///
/// # Errors
/// Too many wrong tries from this network.
pub fn prove_page(app: &App, request: &Request, name: &str, given: &str, hash: &str) -> Result<bool, HttpError> {
    prove_slowly(app, name, request, clock::now(), || {
        // As long as one may be that is set.
        let is_possible = given.chars().count() <= 256;
        Ok(is_possible && with_permit(app, || password::verify_blocking(given, hash))?)
    })
}

/// The hash of a password that is to open something.
///
/// # Errors
/// A password that everybody tries first, or that is too short.
pub fn hash_of(app: &App, given: &str) -> Result<String, HttpError> {
    password::check_password(given).map_err(HttpError::Fields)?;
    with_permit(app, || password::hash_blocking(given))?.map_err(HttpError::Internal)
}

/// Whether somebody who is signed in knows the account's password.
///
/// # Errors
/// Too many wrong tries from this network; the account is gone.
pub fn prove(app: &App, request: &Request, person: &Account, password: &str) -> Result<bool, HttpError> {
    prove_slowly(app, &person.username, request, clock::now(), || {
        let found = app.wait(app.store.credentials_of(person.account_id)).map_err(store)?;
        let (_, hash) = found.ok_or(HttpError::SignInFirst)?;
        let fits = with_permit(app, || password::verify_blocking(password, &hash))?;
        if !fits {
            audit::wrong_password(app, request, Some(person));
        }
        Ok(fits)
    })
}

/// Ends the session that a request's cookie carries: whoever signs in has done with it, or it was planted (T137).
///
/// # Errors
/// The database is away.
pub fn end_previous(app: &App, request: &Request) -> Result<(), HttpError> {
    let cookie = request.cookie(app.login.cookie_name());
    let Some(claims) = cookie.and_then(|token| app.login.tokens.claims(token, None)) else { return Ok(()) };
    app.wait(app.store.end_session(key_of(&claims.sid))).map_err(store)
}

/// Starts a session of an account that has just proved itself.
///
/// # Errors
/// The account is gone, or the database is away.
pub fn new_session(app: &App, request: &Request, account: Account, now: UtcMs) -> Result<NewSession, HttpError> {
    start(app, request, account, None, now)?.ok_or(HttpError::SignInFirst)
}

/// The same; `None`: the password whose hash is `proof` was changed while it was looked at.
pub(super) fn start(
    app: &App,
    request: &Request,
    account: Account,
    proof: Option<&str>,
    now: UtcMs,
) -> Result<Option<NewSession>, HttpError> {
    let id = random_id().map_err(HttpError::Internal)?;
    let key = key_of(&id);
    let origin = Origin {
        agent: agent_words(request.header("user-agent").unwrap_or_default()),
        address: request.client.to_canonical().to_string(),
    };
    if !app.wait(app.store.create_session(account.account_id, key, &origin, proof, now)).map_err(store)? {
        return Ok(None);
    }
    request.notes.by(&account);
    let token = app.login.tokens.issue(account.account_id, &id, now).map_err(HttpError::Internal)?;
    Ok(Some(NewSession { account, token }))
}

/// What became of a change of password.
pub enum Changed {
    /// It is the new one; all sessions have ended, and this one begins.
    Yes(NewSession),
    /// The present password is another.
    Wrong,
}

/// Gives an account a new password, when whoever asks knows the present one. All its sessions end: whoever should not be in
/// is out, also one who has this very cookie.
///
/// # Errors
/// The new password cannot be accepted; too many wrong tries from this network.
pub fn change_password(
    app: &App,
    request: &Request,
    account: &Account,
    present: &str,
    new: &str,
) -> Result<Changed, HttpError> {
    let mut errors = FieldErrors::default();
    for error in password::check_password(new).err().unwrap_or_default().0 {
        errors.push(FieldError::new("new_password", "", error.remedy));
    }
    if !errors.is_empty() {
        return Err(HttpError::Fields(errors));
    }
    let now = clock::now();
    // As with signing in: a page that was left open is no way to guess faster.
    let changed = prove_slowly(app, &account.username, request, now, || {
        let found = app.wait(app.store.credentials_of(account.account_id)).map_err(store)?;
        let (_, old) = found.ok_or(HttpError::SignInFirst)?;
        if !with_permit(app, || password::verify_blocking(present, &old))? {
            audit::wrong_password(app, request, Some(account));
            return Ok(false);
        }
        let hash = with_permit(app, || password::hash_blocking(new))?.map_err(HttpError::Internal)?;
        if !app.wait(app.store.change_password(account.account_id, &old, &hash)).map_err(store)? {
            return Err(HttpError::Conflict("The password was changed elsewhere meanwhile; sign in anew.".to_owned()));
        }
        Ok(true)
    })?;
    if !changed {
        return Ok(Changed::Wrong);
    }
    new_session(app, request, account.clone(), now).map(Changed::Yes)
}

pub(super) fn with_permit<T>(app: &App, work: impl FnOnce() -> T) -> Result<T, HttpError> {
    let wait = tokio::time::Duration::from_secs(3);
    // Made on the runtime: a timer needs one.
    let permit = app.wait(async { tokio::time::timeout(wait, app.login.hashing.acquire()).await });
    let Ok(Ok(_permit)) = permit else {
        return Err(HttpError::Unavailable("Many people are signing in; try again in a moment."));
    };
    Ok(work())
}
