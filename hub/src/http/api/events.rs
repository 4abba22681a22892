//! `/api/v1/events`: who may listen. The stream itself is the front's (`http::events`).

use crate::http::events::MAY_LISTEN;
use crate::http::openapi::{Answer, Group, Operation};
use crate::http::{App, HttpError, Request, Response, login, route::Params};

/// What is declared of it.
pub static GROUP: Group = Group {
    name: "Live updates",
    about: "What happens, as it happens: server-sent events.",
    operations: &[Operation::get(
        "/api/v1/events",
        "listen",
        "A stream of `ready`, then `verdict` and `incident` as they happen, and `reset` when everything is to be looked at anew. With \
         `Last-Event-ID` it goes on where it ended.",
    )
    .answer(Answer::Text("text/event-stream"))],
};

/// `GET /api/v1/events` -> 200, a stream of `text/event-stream`: `ready`, then `verdict` and `incident` as they happen, `reset`
/// when everything is to be looked at anew.
///
/// # Errors
/// 401; 403 for a key that may not read incidents, which are told of, too; 429 or 503 with `Retry-After` where too many listen.
pub fn listen(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    if let login::Proof::Key(key) = &who.proof
        && !key.scopes.reads(crate::model::scope::Subject::Incidents)
    {
        return Err(HttpError::Forbidden("Incidents are told of, too: the key also needs the scope incidents:read."));
    }
    let account = who.account.account_id.to_string();
    Ok(Response::text(200, "").with(MAY_LISTEN, &account).with("cache-control", "no-store"))
}
