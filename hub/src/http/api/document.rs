//! `/api/v1/openapi.json`: the description of all this.

use std::collections::BTreeMap;

use crate::http::openapi::{self, Group, Operation, of};
use crate::http::{App, HttpError, Request, Response, route::Params};

/// What is declared of it.
pub static GROUP: Group = Group {
    name: "Description",
    about: "This description; for people it is at /docs.",
    operations: &[Operation::get("/api/v1/openapi.json", "getDescription", "This API as OpenAPI 3.1.")
        .json(of::<BTreeMap<String, serde_json::Value>>)],
};

/// `GET /api/v1/openapi.json` -> 200.
///
/// # Errors
/// None.
#[allow(clippy::unnecessary_wraps, reason = "handlers share one shape")]
pub fn show(_: &App, _: &Request, _: &Params) -> Result<Response, HttpError> {
    Ok(openapi::answer())
}
