//! Getting in by an invitation, and showing once more that it is oneself.

use sha2::{Digest as _, Sha256};

use super::enter::with_permit;
use super::{Caller, random_id, store};
use crate::clock;
use crate::config::SignUps;
use crate::http::{App, HttpError, Request, audit, password};
use crate::model::{Account, AccountId, FieldError, FieldErrors, InvitationKey, Offer};
use crate::store::{Conflict, Joined, StoreError};

/// What a link of an invitation ends with (256 random bits), and the key that is kept of it.
///
/// # Errors
/// No random bytes.
pub fn new_invitation() -> Result<(String, InvitationKey), HttpError> {
    let token = random_id().map_err(HttpError::Internal)?;
    let key = invitation_key(&token);
    Ok((token, key))
}

/// The key of what a link ends with.
#[must_use]
pub fn invitation_key(token: &str) -> InvitationKey {
    InvitationKey(Sha256::digest(token.as_bytes()).into())
}

/// Whether whoever follows this link without an account may make one: where anybody may, or an operator made the link.
#[must_use]
pub fn makes_accounts(app: &App, offer: &Offer) -> bool {
    match app.settings.sign_ups {
        SignUps::Open => true,
        SignUps::First | SignUps::Closed => offer.is_operators,
    }
}

/// Makes an account that is a member of the team that a link offers, and uses the link; `None`: it is of no use (any more).
///
/// # Errors
/// Fields that cannot be accepted, or the team is full.
pub fn join_as_new(
    app: &App,
    token: &str,
    username: &str,
    password: &str,
) -> Result<Option<(Account, AccountId)>, HttpError> {
    let mut errors = FieldErrors::default();
    for result in [password::check_username(username), password::check_password(password)] {
        errors.0.extend(result.err().unwrap_or_default().0);
    }
    if !errors.is_empty() {
        return Err(HttpError::Fields(errors));
    }
    // Nobody makes the hub hash passwords who has no link that works.
    let (key, now) = (invitation_key(token), clock::now());
    match app.wait(app.store.offer(key, now)).map_err(store)? {
        Some(offer) if makes_accounts(app, &offer) => {}
        Some(_) | None => return Ok(None),
    }
    let hash = with_permit(app, || password::hash_blocking(password))?.map_err(HttpError::Internal)?;
    let is_closed = match app.settings.sign_ups {
        SignUps::Open => false,
        SignUps::First | SignUps::Closed => true,
    };
    match app.wait(app.store.join_as_new(key, username, &hash, is_closed, now)) {
        Ok(Joined::Yes(account, team)) => Ok(Some((account, team))),
        Ok(Joined::Nothing) => Ok(None),
        Ok(Joined::Full) => Err(HttpError::Conflict(FULL.to_owned())),
        Err(StoreError::Conflict(Conflict::UsernameTaken)) => {
            let remedy = "This name is taken; choose another. If it is yours, sign in first and follow the link again.";
            Err(HttpError::Fields(FieldErrors(vec![FieldError::new("username", username, remedy)])))
        }
        Err(error) => Err(store(error)),
    }
}

/// Why nobody more gets in.
pub const FULL: &str = "The team has as many members as it may have.";

/// The hash of a person's password, where `given` is it; before what cannot be undone.
///
/// # Errors
/// It is not, or too many wrong tries from this network.
pub fn proven(app: &App, request: &Request, who: &Caller, given: &str) -> Result<String, HttpError> {
    let now = clock::now();
    let throttle = &app.login.throttle;
    let one = throttle.begin(&who.person.username, request.client, now).map_err(|retry_after_s| {
        app.store.counts().refused_sign_in.add(1);
        HttpError::TooMany { retry_after_s }
    })?;
    let checked = (|| {
        let found = app.wait(app.store.credentials(&who.person.username)).map_err(store)?;
        let Some((_, hash)) = found.filter(|(found, _)| found.account_id == who.person.account_id) else {
            return Err(HttpError::SignInFirst);
        };
        Ok(with_permit(app, || password::verify_blocking(given, &hash))?.then_some(hash))
    })();
    match checked {
        Ok(None) => {
            audit::wrong_password(app, request, Some(&who.person));
            let wrong = FieldError::new("password", "", "This is not your password.");
            Err(HttpError::Fields(FieldErrors(vec![wrong])))
        }
        Ok(Some(hash)) => {
            throttle.take_back(&one);
            Ok(hash)
        }
        Err(error) => {
            throttle.take_back(&one);
            Err(error)
        }
    }
}
