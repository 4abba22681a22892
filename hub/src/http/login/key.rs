//! Keys of programs. One opens what its scopes name, on routes of the API alone, and never more than whoever made it may do at
//! this moment. Nothing about keys is remembered between requests: one that was revoked is nothing on every hub at once.

use super::{Caller, Proof, TEAM, random_bytes, store};
use crate::clock;
use crate::http::{App, HttpError, Request};
use crate::model::AccountId;
use crate::model::api_key::{ApiKey, ApiKeyId, NewKey, ShownKey, written};
use crate::secret::Secret;
use crate::store::KeyAdded;

const MISTYPED: &str = "This key was mistyped or cut short: its last characters do not fit the rest.";
/// The same, whichever it is: nobody learns which keys there are.
const UNKNOWN: &str = "This key is not known here, has expired or was revoked.";

/// What a request shows, where that is meant to be a key.
pub fn shown(request: &Request) -> Option<&str> {
    let bearer = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    bearer.or_else(|| request.header("token")).map(str::trim).filter(|text| ShownKey::is_meant(text))
}

/// Who is behind a key, for the rest of the request. Only `access::permit` asks, for routes that a key may reach: for all others
/// whoever shows a key is nobody.
///
/// # Errors
/// [`HttpError::Key`] for what is no key that counts.
pub fn by_key(app: &App, request: &Request, text: &str) -> Result<Caller, HttpError> {
    let shown = ShownKey::read(text).ok_or(HttpError::Key(MISTYPED))?;
    let known = app.wait(app.store.api_key(shown.api_key_id)).map_err(store)?.ok_or(HttpError::Key(UNKNOWN))?;
    let now = clock::now();
    // Hashes of what is random: how long comparing takes tells nothing.
    if known.hash != shown.hash || known.key.is_over(now) {
        return Err(HttpError::Key(UNKNOWN));
    }
    let role = known.role.ok_or(HttpError::Key(UNKNOWN))?;
    // A key is of one team. Who names another with it must not get at this one by mistake.
    if request.header(TEAM).is_some_and(|team| team.parse() != Ok(known.account.account_id)) {
        return Err(HttpError::NotFound);
    }
    if known.key.used_at.is_none_or(|at| now - at >= ApiKey::USE_MS) {
        app.wait(app.store.touch_api_key(known.key.api_key_id, now)).map_err(store)?;
    }
    let caller = Caller {
        account: known.account,
        person: known.person,
        role,
        proof: Proof::Key(known.key.into()),
        has_teams: false,
    };
    Ok(request.caller.get_or_init(|| caller).clone())
}

/// Makes a key for a team; what is given back is shown once and kept nowhere.
///
/// # Errors
/// The team has as many as it may have.
pub fn make_key(app: &App, who: &Caller, new: &NewKey) -> Result<(ApiKeyId, Secret), HttpError> {
    let id = ApiKeyId(uuid::Uuid::now_v7());
    let (text, hash) = written(id, random_bytes().map_err(HttpError::Internal)?);
    let (team, person): (AccountId, AccountId) = (who.account.account_id, who.person.account_id);
    let added = app.wait(app.store.add_api_key(team, person, id, new, hash, clock::now())).map_err(store)?;
    match added {
        KeyAdded::Yes => Ok((id, text)),
        KeyAdded::TooMany => {
            Err(HttpError::Conflict(format!("There are {} keys, as many as may be; revoke one first.", ApiKey::MOST)))
        }
    }
}
