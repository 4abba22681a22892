//! `/api/v1/sessions`: where the account is signed in, and its password.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shape::At;
use super::{body, done};
use crate::clock;
use crate::http::login::{self, Changed};
use crate::http::openapi::{Group, Operation, of};
use crate::http::{App, HttpError, Request, Response, route::Params};
use crate::model::{FieldError, FieldErrors};

/// What is declared of it.
pub static GROUP: Group = Group {
    name: "Sessions",
    about: "Where a person is signed in, and the password. For the token of a session, not for API keys.",
    operations: &[
        Operation::get("/api/v1/sessions", "listSessions", "Sessions that go on, the one used last first.")
            .json(of::<SessionList>),
        Operation::delete("/api/v1/sessions", "endOtherSessions", "Ends all sessions but the one that asks.")
            .status(200)
            .json(of::<Ended>),
        Operation::delete("/api/v1/sessions/:name", "endSession", "Ends a session; also the one that asks."),
        Operation::put(
            "/api/v1/password",
            "changePassword",
            "Changes the password. All sessions end, and the answer has the token of a new one.",
        )
        .body(of::<Passwords>, &[])
        .json(of::<NewToken>),
    ],
};

/// A session.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Session")]
struct Shown {
    /// Its name in paths.
    id: String,
    /// In words.
    agent: String,
    address: String,
    created_at: At,
    seen_at: At,
    expires_at: At,
    /// The one that asks.
    is_this: bool,
}

/// Sessions that go on.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SessionList")]
struct SessionList {
    sessions: Vec<Shown>,
}

/// How many ended.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SessionsEnded")]
struct Ended {
    ended: u64,
}

/// The token of a new session.
#[derive(Debug, Serialize, JsonSchema)]
struct NewToken {
    token: String,
}

/// `GET /api/v1/sessions`.
///
/// # Errors
/// Not signed in, or the database is away.
pub fn list(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let this = who.session()?;
    let sessions = app.wait(app.store.sessions_of(who.person.account_id, clock::now())).map_err(login::store)?;
    let sessions = sessions.into_iter().map(|line| Shown {
        id: line.session_key.name(),
        is_this: line.session_key == this,
        agent: line.origin.agent,
        address: line.origin.address,
        created_at: At(line.created_at),
        seen_at: At(line.seen_at),
        expires_at: At(line.expires_at),
    });
    Ok(Response::json(200, &SessionList { sessions: sessions.collect() }))
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
    Ok(done())
}

/// `DELETE /api/v1/sessions`: ends all but the one that asks.
///
/// # Errors
/// Not signed in, or the database is away.
pub fn end_others(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let ended = app.wait(app.store.end_other_sessions(who.person.account_id, who.session()?)).map_err(login::store)?;
    Ok(Response::json(200, &Ended { ended }))
}

#[derive(Deserialize, JsonSchema)]
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
        Changed::Yes(session) => Ok(Response::json(200, &NewToken { token: session.token })),
        Changed::Wrong => {
            let wrong = FieldError::new("present_password", "", "This is not the present password.");
            Err(HttpError::Fields(FieldErrors(vec![wrong])))
        }
    }
}
