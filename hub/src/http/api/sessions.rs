//! `/api/v1/sessions`: where the account is signed in, and its password.

use serde::Deserialize;
use serde_json::json;

use super::{body, rfc3339};
use crate::clock;
use crate::http::login::{self, Changed};
use crate::http::{App, HttpError, Request, Response, route::Params};
use crate::model::{FieldError, FieldErrors};

/// `GET /api/v1/sessions`.
///
/// # Errors
/// Not signed in, or the database is away.
pub fn list(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let this = who.session()?;
    let sessions = app.wait(app.store.sessions_of(who.person.account_id, clock::now())).map_err(login::store)?;
    let sessions: Vec<_> = sessions
        .iter()
        .map(|line| {
            json!({
                "id": line.session_key.name(),
                "agent": line.origin.agent,
                "address": line.origin.address,
                "created_at": rfc3339(line.created_at),
                "seen_at": rfc3339(line.seen_at),
                "expires_at": rfc3339(line.expires_at),
                "is_this": line.session_key == this,
            })
        })
        .collect();
    Ok(Response::json(200, &json!({"sessions": sessions})))
}

/// `DELETE /api/v1/sessions/:name`: ends it; also the one that asks.
///
/// # Errors
/// Not signed in; none of yours.
pub fn end(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let key = params.session_key()?;
    if !app.wait(app.store.end_session_of(who.person.account_id, key)).map_err(login::store)? {
        return Err(HttpError::NotFound);
    }
    Ok(Response { status: 204, headers: Vec::new(), body: Vec::new() })
}

/// `DELETE /api/v1/sessions`: ends all but the one that asks.
///
/// # Errors
/// Not signed in, or the database is away.
pub fn end_others(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let ended = app.wait(app.store.end_other_sessions(who.person.account_id, who.session()?)).map_err(login::store)?;
    Ok(Response::json(200, &json!({"ended": ended})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Passwords {
    present_password: String,
    new_password: String,
}

/// `PUT /api/v1/password`: the new one; all sessions end, and the answer has the token of a new one.
///
/// # Errors
/// Not signed in; the present password is another, or the new one cannot be accepted.
pub fn change_password(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let sent: Passwords = body(request, "present_password and new_password")?;
    match login::change_password(app, request, &who.person, &sent.present_password, &sent.new_password)? {
        Changed::Yes(session) => Ok(Response::json(200, &json!({"token": session.token}))),
        Changed::Wrong => {
            let wrong = FieldError::new("present_password", "", "This is not the present password.");
            Err(HttpError::Fields(FieldErrors(vec![wrong])))
        }
    }
}
