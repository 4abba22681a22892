//! Is it alive, is it ready.

use crate::http::openapi::{Answer, Group, Operation};
use crate::http::{App, HttpError, Request, Response, login, route::Params};

/// What is declared of it.
pub static GROUP: Group = Group {
    name: "Health",
    about: "For whoever looks after the hub: no token is needed.",
    operations: &[
        Operation::get("/healthz", "isAlive", "The process answers.").answer(Answer::Text("text/plain")),
        Operation::get("/readyz", "isReady", "The database answers, too.").answer(Answer::Text("text/plain")),
    ],
};

/// `GET /healthz`: the process answers.
///
/// # Errors
/// None.
#[allow(clippy::unnecessary_wraps, reason = "handlers share one shape")]
pub fn alive(_: &App, _: &Request, _: &Params) -> Result<Response, HttpError> {
    Ok(Response::text(200, "ok\n"))
}

/// `GET /readyz`: the database answers too.
///
/// # Errors
/// 503 when it does not.
pub fn ready(app: &App, _: &Request, _: &Params) -> Result<Response, HttpError> {
    app.wait(app.store.ping()).map_err(login::store)?;
    Ok(Response::text(200, "ready\n"))
}
