//! `/api/v1/websites/:id/check`: has all regions look now, and tells what comes of it.

use schemars::JsonSchema;
use serde::Serialize;

use super::rfc3339;
use super::shape::{At, Word};
use super::ticks::{ShownTick, shown};
use crate::clock;
use crate::http::looks::{self, Looks};
use crate::http::openapi::{Operation, ParameterKind, of, parameter};
use crate::http::{App, HttpError, Request, Response, login, route::Params};
use crate::model::look::{Looked, is_recent};
use crate::model::{FieldError, FieldErrors, UtcMs, WebsiteId};

/// Declared with the websites.
pub(super) const ASK: Operation = Operation::post(
    "/api/v1/websites/:id/check",
    "checkWebsite",
    "Has all regions of a website look at it now. What comes of it is at `poll`, which is also in `Location`, for ten minutes. It \
     may be asked for every 10 s.",
)
.status(202)
.json(of::<Check<'static>>)
.also(&[409]);

/// Declared with the websites.
pub(super) const LOOK: Operation = Operation::get(
    "/api/v1/websites/:id/check",
    "getCheck",
    "What came of a look that was asked for, region by region. Ask again until `is_done`.",
)
.query(&[parameter("asked_at", "When it was asked for, as it was answered.", ParameterKind::Instant)])
.json(of::<Check<'static>>)
.also(&[409, 422]);

/// A look that was asked for.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Check")]
struct Check<'a> {
    asked_at: At,
    /// No region is waited for any more.
    is_done: bool,
    /// Where to ask how far it is.
    poll: String,
    /// By name.
    regions: Vec<InRegion<'a>>,
}

/// One region.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "CheckInRegion")]
struct InRegion<'a> {
    region: &'a str,
    /// waiting: its answer may come any moment; answered; late: it should have answered by now, its probe may be away; away: no
    /// worker of it reports.
    state: Word<Looked>,
    /// What it saw.
    tick: Option<ShownTick<'a>>,
}

fn answer(status: u16, id: WebsiteId, looks: &Looks) -> Response {
    let poll = format!("/api/v1/websites/{id}/check?asked_at={}", rfc3339(looks.asked_at));
    let regions = looks.regions.iter().map(|one| InRegion {
        region: one.region.as_str(),
        state: Word(one.looked),
        tick: one.tick.as_ref().map(shown),
    });
    let check = Check {
        asked_at: At(looks.asked_at),
        is_done: looks.is_done(),
        poll: poll.clone(),
        regions: regions.collect(),
    };
    let answer = Response::json(status, &check).with("cache-control", "no-store");
    if status == 202 { answer.with("location", &poll) } else { answer }
}

/// `POST /api/v1/websites/:id/check` -> 202 `{asked_at, is_done, poll, regions}`.
///
/// # Errors
/// 401, 404 when not yours, 409 for a job and for what is paused, 429 when it was asked for a moment ago.
pub fn ask(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account.account_id;
    let website = looks::website(app, account, params.website_id()?)?;
    if website.paused {
        return Err(HttpError::Conflict("It is paused: resume it first.".to_owned()));
    }
    let asked_at = looks::ask(app, website.website_id)?;
    let looks = looks::find(app, &website, asked_at, clock::now())?;
    Ok(answer(202, website.website_id, &looks))
}

/// `GET /api/v1/websites/:id/check?asked_at=` -> 200 `{asked_at, is_done, poll, regions}`.
///
/// # Errors
/// 401, 404 when not yours, 409 for a job, 422 for an instant that is none or long ago.
pub fn show(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account.account_id;
    let website = looks::website(app, account, params.website_id()?)?;
    let (given, now) = (request.query("asked_at").map(str::trim).unwrap_or_default(), clock::now());
    let asked_at: Option<UtcMs> = given.parse().ok().map(|at: jiff::Timestamp| at.as_millisecond());
    let Some(asked_at) = asked_at.filter(|at| is_recent(*at, now)) else {
        let remedy = "Give asked_at of the answer to the POST, within ten minutes of it.";
        return Err(HttpError::Fields(FieldErrors(vec![FieldError::new("asked_at", given, remedy)])));
    };
    Ok(answer(200, website.website_id, &looks::find(app, &website, asked_at, now)?))
}
