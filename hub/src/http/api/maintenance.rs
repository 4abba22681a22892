//! `/api/v1/maintenance`: windows in which checks run and nobody is told.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::clock;
use crate::http::pages::maintenance_form::{no_website, too_many};
use crate::http::{App, HttpError, Request, Response, login, route::Params};
use crate::model::{AccountId, FieldErrors, Maintenance, MaintenanceId, MaintenanceInput, Rule, Scope, Span, UtcMs};
use crate::store::MaintenanceSaved;

/// Windows to come that are told of each.
const NEXT: usize = 3;

/// A window as it is sent.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    name: String,
    scope: String,
    #[serde(default)]
    tag: Option<String>,
    #[serde(default)]
    website_id: Option<String>,
    time_zone: String,
    starts: String,
    repeats: String,
    duration_minutes: u32,
    #[serde(default)]
    revision: Option<i64>,
}

fn sent(request: &Request) -> Result<(MaintenanceInput, Option<i64>), HttpError> {
    let expected = "{name, scope, tag or website_id, time_zone, starts, repeats, duration_minutes}";
    if request.media_type() != "application/json" {
        return Err(HttpError::MediaType("application/json"));
    }
    let sent: Sent = serde_json::from_slice(&request.body)
        .map_err(|error| HttpError::BadRequest(format!("Send {expected} as JSON: {error}.")))?;
    let input = MaintenanceInput {
        name: sent.name,
        scope: sent.scope,
        tag: sent.tag.unwrap_or_default(),
        website_id: sent.website_id.unwrap_or_default(),
        time_zone: sent.time_zone,
        starts: sent.starts,
        repeats: sent.repeats,
        minutes: sent.duration_minutes.to_string(),
        ..MaintenanceInput::default()
    };
    Ok((input, sent.revision))
}

fn rfc3339(at: UtcMs) -> String {
    jiff::Timestamp::from_millisecond(at).map_or_else(|_| String::new(), |t| format!("{t:.3}"))
}

fn span(rule: &Rule, span: Span) -> Value {
    let local = |at| format!("{}{}", rule.local(at).strftime("%Y-%m-%dT%H:%M:%S"), rule.offset(at));
    json!({
        "from_at": rfc3339(span.from_at),
        "to_at": rfc3339(span.to_at),
        "from_local": local(span.from_at),
        "to_local": local(span.to_at),
    })
}

fn shown(window: &Maintenance, now: UtcMs) -> Value {
    let (plan, rule) = (&window.plan, &window.plan.rule);
    let (scope, tag, website) = match &plan.scope {
        Scope::All => ("all", None, None),
        Scope::Tag(tag) => ("tag", Some(tag.as_str()), None),
        Scope::Website(id) => ("website", None, Some(id)),
    };
    let next: Vec<Value> = window.next(now, NEXT).into_iter().map(|next| span(rule, next)).collect();
    json!({
        "id": window.maintenance_id.to_string(),
        "name": plan.name,
        "scope": scope,
        "tag": tag,
        "website_id": website,
        "time_zone": rule.time_zone(),
        "starts": rule.starts.strftime("%Y-%m-%dT%H:%M").to_string(),
        "repeats": rule.repeats.to_string(),
        "duration_minutes": rule.duration_ms / 60_000,
        "created_at": rfc3339(window.created_at),
        "revision": window.revision,
        "running": window.running(now).map(|running| span(rule, running)),
        "next": next,
    })
}

fn found(app: &App, account: AccountId, id: MaintenanceId) -> Result<Maintenance, HttpError> {
    let window = app.wait(app.store.maintenance_window(account, id)).map_err(login::store)?;
    window.ok_or(HttpError::NotFound)
}

/// `GET /api/v1/maintenance` -> 200 `{maintenance}`, oldest first; at most 200.
///
/// # Errors
/// 401.
pub fn list(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account.account_id;
    let windows = app.wait(app.store.maintenance(account)).map_err(login::store)?;
    let now = clock::now();
    let windows: Vec<Value> = windows.iter().map(|window| shown(window, now)).collect();
    Ok(Response::json(200, &json!({"maintenance": windows})))
}

/// `GET /api/v1/maintenance/:id` -> 200.
///
/// # Errors
/// 401, 404.
pub fn show(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account.account_id;
    let window = found(app, account, params.maintenance_id()?)?;
    Ok(Response::json(200, &shown(&window, clock::now())))
}

fn answer(
    app: &App,
    account: AccountId,
    status: u16,
    saved: MaintenanceSaved,
    input: &MaintenanceInput,
) -> Result<Response, HttpError> {
    match saved {
        MaintenanceSaved::Saved(id) => Ok(Response::json(status, &shown(&found(app, account, id)?, clock::now()))),
        MaintenanceSaved::NotFound => Err(HttpError::NotFound),
        MaintenanceSaved::NoWebsite => Err(HttpError::Fields(FieldErrors(vec![no_website(&input.website_id)]))),
        MaintenanceSaved::TooMany => Err(HttpError::Conflict(too_many())),
        MaintenanceSaved::Meanwhile => {
            Err(HttpError::Conflict("It was changed meanwhile; read it again, then send its revision.".to_owned()))
        }
    }
}

/// `POST /api/v1/maintenance` -> 201, the window.
///
/// # Errors
/// 401, 409 with as many windows as there may be, 422.
pub fn add(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account.account_id;
    let ((input, _), now) = (sent(request)?, clock::now());
    let plan = input.parse(now).map_err(HttpError::Fields)?;
    let saved = app.wait(app.store.add_maintenance(account, &plan, now)).map_err(login::store)?;
    answer(app, account, 201, saved, &input)
}

/// `PUT /api/v1/maintenance/:id` -> 200, the window. With `revision`, only as it was at that.
///
/// # Errors
/// 401, 404, 409 when it was changed meanwhile, 422.
pub fn replace(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account.account_id;
    let id = params.maintenance_id()?;
    let window = found(app, account, id)?;
    let ((input, revision), now) = (sent(request)?, clock::now());
    let plan = input.parse(now).map_err(HttpError::Fields)?;
    let revision = revision.unwrap_or(window.revision);
    let saved = app.wait(app.store.edit_maintenance(account, id, revision, &plan, now)).map_err(login::store)?;
    answer(app, account, 200, saved, &input)
}

/// `DELETE /api/v1/maintenance/:id` -> 204.
///
/// # Errors
/// 401, 404.
pub fn delete(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account.account_id;
    let deleted = app.wait(app.store.delete_maintenance(account, params.maintenance_id()?, clock::now()));
    if !deleted.map_err(login::store)? {
        return Err(HttpError::NotFound);
    }
    Ok(Response { status: 204, headers: Vec::new(), body: Vec::new() })
}

/// `POST /api/v1/maintenance/:id/end` -> 200, the window: the one that runs ends now.
///
/// # Errors
/// 401, 404, 409 when none runs.
pub fn end(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account.account_id;
    let id = found(app, account, params.maintenance_id()?)?.maintenance_id;
    let now = clock::now();
    if !app.wait(app.store.end_maintenance(account, id, now)).map_err(login::store)? {
        return Err(HttpError::Conflict("It does not run now.".to_owned()));
    }
    Ok(Response::json(200, &shown(&found(app, account, id)?, now)))
}
