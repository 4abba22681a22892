//! `/api/v1/capacity`: room on disk. For operators only; for others there is nothing here.

use crate::http::pages::capacity::read;
use crate::http::{App, HttpError, Request, Response, login, route::Params};

/// `GET /api/v1/capacity` -> 200, see docs/OPERATIONS.md. At most five minutes old.
///
/// # Errors
/// 401, 404 for who is no operator, 503 when the database is away.
pub fn show(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    login::operator(app, request)?;
    Ok(Response::json(200, &read(app)?.as_json()))
}
