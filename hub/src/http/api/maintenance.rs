//! `/api/v1/maintenance`: windows in which checks run and nobody is told.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shape::{At, Id};
use super::{body, done, revision};
use crate::clock;
use crate::http::openapi::{Group, Operation, of};
use crate::http::pages::maintenance_form::{no_website, too_many};
use crate::http::{App, HttpError, Request, Response, login, route::Params};
use crate::model::{AccountId, FieldErrors, Maintenance, MaintenanceId, MaintenanceInput, Rule, Scope, Span, UtcMs};
use crate::store::MaintenanceSaved;

/// Windows to come that are told of each.
const NEXT: usize = 3;

const REQUIRED: &[&str] = &["name", "scope", "time_zone", "starts", "repeats", "duration_minutes"];

/// What is declared of it.
pub static GROUP: Group = Group {
    name: "Maintenance",
    about: "Windows in which checks run and nobody is told.",
    operations: &[
        Operation::get("/api/v1/maintenance", "listMaintenance", "All windows, oldest first. There are 200 at most.")
            .json(of::<MaintenanceList<'static>>),
        Operation::post("/api/v1/maintenance", "addMaintenance", "Adds a window.")
            .body(of::<Sent>, REQUIRED)
            .status(201)
            .json(of::<Shown<'static>>)
            .also(&[409]),
        Operation::get("/api/v1/maintenance/:id", "getMaintenance", "A window.").json(of::<Shown<'static>>),
        Operation::put("/api/v1/maintenance/:id", "replaceMaintenance", "Replaces a window.")
            .body(of::<Sent>, REQUIRED)
            .json(of::<Shown<'static>>)
            .revision(),
        Operation::patch(
            "/api/v1/maintenance/:id",
            "changeMaintenance",
            "Changes a window. What is left out stays as it is.",
        )
        .body(of::<Sent>, &[])
        .json(of::<Shown<'static>>)
        .revision(),
        Operation::delete("/api/v1/maintenance/:id", "deleteMaintenance", "Deletes a window. One that runs ends.")
            .revision(),
        Operation::post("/api/v1/maintenance/:id/end", "endMaintenance", "Ends the window that runs now.")
            .json(of::<Shown<'static>>)
            .also(&[409]),
    ],
};

/// A window as it is sent.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "MaintenanceInput")]
struct Sent {
    /// For people.
    name: Option<String>,
    /// all, tag or website.
    scope: Option<String>,
    /// With scope tag.
    tag: Option<String>,
    /// With scope website.
    website_id: Option<String>,
    /// IANA name.
    time_zone: Option<String>,
    /// Wall time there.
    #[schemars(extend("examples" = ["2030-01-01T02:30"]))]
    starts: Option<String>,
    /// once, daily, weekly:mon,tue or monthly:1 to monthly:31 or monthly:last.
    repeats: Option<String>,
    #[schemars(range(min = 1))]
    duration_minutes: Option<u32>,
    /// Of a change: only if it is still at this revision.
    revision: Option<i64>,
}

/// A time of a window.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "MaintenanceSpan")]
struct ShownSpan {
    from_at: At,
    to_at: At,
    /// The same by the clock there.
    from_local: String,
    to_local: String,
}

/// A window.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Maintenance")]
struct Shown<'a> {
    /// Its name in paths.
    id: Id,
    name: &'a str,
    #[schemars(extend("enum" = ["all", "tag", "website"]))]
    scope: &'static str,
    tag: Option<&'a str>,
    website_id: Option<Id>,
    /// IANA name.
    time_zone: &'a str,
    /// Wall time there.
    starts: String,
    repeats: String,
    duration_minutes: i64,
    created_at: At,
    /// Grows with every edit.
    revision: i64,
    /// The one that runs now.
    running: Option<ShownSpan>,
    /// The next ones.
    next: Vec<ShownSpan>,
}

/// All windows.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "MaintenanceList")]
struct MaintenanceList<'a> {
    maintenance: Vec<Shown<'a>>,
}

fn sent(request: &Request) -> Result<Sent, HttpError> {
    if request.media_type() != "application/json" {
        return Err(HttpError::MediaType("application/json"));
    }
    body(request, "{name, scope, tag or website_id, time_zone, starts, repeats, duration_minutes}")
}

impl Sent {
    fn input(&self) -> MaintenanceInput {
        let text = |given: &Option<String>| given.clone().unwrap_or_default();
        MaintenanceInput {
            name: text(&self.name),
            scope: text(&self.scope),
            tag: text(&self.tag),
            website_id: text(&self.website_id),
            time_zone: text(&self.time_zone),
            starts: text(&self.starts),
            repeats: text(&self.repeats),
            minutes: self.duration_minutes.map(|minutes| minutes.to_string()).unwrap_or_default(),
            ..MaintenanceInput::default()
        }
    }

    /// What is given, on top of what there is.
    fn over(&self, plan: &crate::model::MaintenancePlan) -> MaintenanceInput {
        let mut input = MaintenanceInput::of(plan);
        let texts = [
            (&mut input.name, &self.name),
            (&mut input.scope, &self.scope),
            (&mut input.tag, &self.tag),
            (&mut input.website_id, &self.website_id),
            (&mut input.time_zone, &self.time_zone),
            (&mut input.starts, &self.starts),
        ];
        for (field, given) in texts {
            if let Some(given) = given {
                field.clone_from(given);
            }
        }
        if let Some(repeats) = &self.repeats {
            input.repeats.clone_from(repeats);
            (input.weekdays, input.month_day) = Default::default();
        }
        if let Some(minutes) = self.duration_minutes {
            (input.hours, input.minutes) = (String::new(), minutes.to_string());
        }
        input
    }
}

fn span(rule: &Rule, span: Span) -> ShownSpan {
    let local = |at| format!("{}{}", rule.local(at).strftime("%Y-%m-%dT%H:%M:%S"), rule.offset(at));
    ShownSpan {
        from_at: At(span.from_at),
        to_at: At(span.to_at),
        from_local: local(span.from_at),
        to_local: local(span.to_at),
    }
}

fn shown(window: &Maintenance, now: UtcMs) -> Shown<'_> {
    let (plan, rule) = (&window.plan, &window.plan.rule);
    let (scope, tag, website_id) = match &plan.scope {
        Scope::All => ("all", None, None),
        Scope::Tag(tag) => ("tag", Some(tag.as_str()), None),
        Scope::Website(id) => ("website", None, Some(Id::from(*id))),
    };
    Shown {
        id: window.maintenance_id.into(),
        name: &plan.name,
        scope,
        tag,
        website_id,
        time_zone: rule.time_zone(),
        starts: rule.starts.strftime("%Y-%m-%dT%H:%M").to_string(),
        repeats: rule.repeats.to_string(),
        duration_minutes: rule.duration_ms / 60_000,
        created_at: At(window.created_at),
        revision: window.revision,
        running: window.running(now).map(|running| span(rule, running)),
        next: window.next(now, NEXT).into_iter().map(|next| span(rule, next)).collect(),
    }
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
    let maintenance = windows.iter().map(|window| shown(window, now)).collect();
    Ok(Response::json(200, &MaintenanceList { maintenance }))
}

/// `GET /api/v1/maintenance/:id` -> 200.
///
/// # Errors
/// 401, 404.
pub fn show(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account.account_id;
    let window = found(app, account, params.maintenance_id()?)?;
    Ok(revision::answer(200, &shown(&window, clock::now()), window.revision))
}

fn answer(
    app: &App,
    request: &Request,
    account: AccountId,
    status: u16,
    saved: MaintenanceSaved,
    input: &MaintenanceInput,
) -> Result<Response, HttpError> {
    match saved {
        MaintenanceSaved::Saved(id) => {
            let window = found(app, account, id)?;
            Ok(revision::answer(status, &shown(&window, clock::now()), window.revision))
        }
        MaintenanceSaved::NotFound => Err(HttpError::NotFound),
        MaintenanceSaved::NoWebsite => Err(HttpError::Fields(FieldErrors(vec![no_website(&input.website_id)]))),
        MaintenanceSaved::TooMany => Err(HttpError::Conflict(too_many())),
        MaintenanceSaved::Meanwhile => Err(revision::meanwhile(request)),
    }
}

/// `POST /api/v1/maintenance` -> 201, the window.
///
/// # Errors
/// 401, 409 with as many windows as there may be, 422.
pub fn add(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account.account_id;
    let (input, now) = (sent(request)?.input(), clock::now());
    let plan = input.parse(now).map_err(HttpError::Fields)?;
    let saved = app.wait(app.store.add_maintenance(account, &plan, now)).map_err(login::store)?;
    answer(app, request, account, 201, saved, &input)
}

/// `PUT /api/v1/maintenance/:id` -> 200, the window. With `revision` or `If-Match`, only as it was at that.
///
/// # Errors
/// 401, 404, 409 or 412 when it was changed meanwhile, 422.
pub fn replace(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    save(app, request, params, |sent, _| sent.input())
}

/// `PATCH /api/v1/maintenance/:id` -> 200, the window. What is not given stays.
///
/// # Errors
/// 401, 404, 409 or 412 when it was changed meanwhile, 422.
pub fn change(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    save(app, request, params, Sent::over)
}

fn save(
    app: &App,
    request: &Request,
    params: &Params,
    wanted: fn(&Sent, &crate::model::MaintenancePlan) -> MaintenanceInput,
) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account.account_id;
    let id = params.maintenance_id()?;
    let window = found(app, account, id)?;
    let (sent, now) = (sent(request)?, clock::now());
    revision::expect(request, sent.revision, window.revision)?;
    let input = wanted(&sent, &window.plan);
    let plan = input.parse(now).map_err(HttpError::Fields)?;
    let saved = app.wait(app.store.edit_maintenance(account, id, window.revision, &plan, now)).map_err(login::store)?;
    answer(app, request, account, 200, saved, &input)
}

/// `DELETE /api/v1/maintenance/:id` -> 204.
///
/// # Errors
/// 401, 404.
pub fn delete(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account.account_id;
    let id = params.maintenance_id()?;
    if request.header("if-match").is_some() {
        revision::expect(request, None, found(app, account, id)?.revision)?;
    }
    let deleted = app.wait(app.store.delete_maintenance(account, id, clock::now()));
    if !deleted.map_err(login::store)? {
        return Err(HttpError::NotFound);
    }
    Ok(done())
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
    let window = found(app, account, id)?;
    Ok(revision::answer(200, &shown(&window, now), window.revision))
}
