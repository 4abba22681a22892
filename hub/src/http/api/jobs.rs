//! `/api/v1/jobs`: websites that report themselves.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{body, given, limit, rfc3339};
use crate::clock;
use crate::http::{App, HttpError, Request, Response, login, ping, route::Params};
use crate::model::{
    AccountId, FieldError, FieldErrors, JobInput, JobPlan, JobSchedule, Keeping, KeepingChange, KeptPing, UtcMs,
    WebsiteCursor, WebsiteId, job,
};
use crate::store::{Edited, KnownJob};

/// A job as it is sent: with `period_s`, or with `cron` and its `time_zone`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    name: String,
    #[serde(default)]
    period_s: Option<i64>,
    #[serde(default)]
    cron: Option<String>,
    #[serde(default)]
    time_zone: Option<String>,
    #[serde(default)]
    grace_s: Option<i64>,
    #[serde(default)]
    paused: Option<bool>,
    #[serde(default)]
    revision: Option<i64>,
    #[serde(default, deserialize_with = "given")]
    retention_days: Option<Option<i64>>,
    #[serde(default, deserialize_with = "given")]
    uptime_goal_ppm: Option<Option<i64>>,
    #[serde(default)]
    is_badge_public: Option<bool>,
}

impl Sent {
    fn keeping(&self) -> KeepingChange {
        KeepingChange {
            retention_days: self.retention_days,
            uptime_goal_ppm: self.uptime_goal_ppm,
            is_badge_public: self.is_badge_public,
        }
    }
}

fn sent(request: &Request) -> Result<(JobInput, Sent), HttpError> {
    if request.media_type() != "application/json" {
        return Err(HttpError::MediaType("application/json"));
    }
    let sent: Sent = body(request, "{name, period_s or cron, time_zone, grace_s}")?;
    let input = JobInput {
        name: sent.name.clone(),
        period_s: sent.period_s.map(|s| s.to_string()).unwrap_or_default(),
        cron: sent.cron.clone().unwrap_or_default(),
        time_zone: sent.time_zone.clone().unwrap_or_default(),
        grace_s: sent.grace_s.map(|s| s.to_string()).unwrap_or_default(),
    };
    Ok((input, sent))
}

fn shown(app: &App, request: &Request, known: &KnownJob, keeping: &Keeping) -> Value {
    let KnownJob { website, state, job } = known;
    let (period_s, cron, time_zone) = match &job.plan.schedule {
        JobSchedule::Every { period_ms } => (Some(period_ms / 1_000), None, None),
        JobSchedule::Cron { cron, time_zone, .. } => (None, Some(cron.to_string()), Some(time_zone.as_str())),
    };
    let at = |at: Option<UtcMs>| at.map(rfc3339);
    json!({
        "id": website.website_id,
        "name": job.plan.name,
        "status": state.verdict,
        "since_at": rfc3339(state.since_at),
        "reason": state.reason,
        "paused": website.paused,
        "period_s": period_s,
        "cron": cron,
        "time_zone": time_zone,
        "grace_s": job.plan.grace_ms / 1_000,
        "ping_url": ping::url(app, request, job.ping_id),
        "last_ping_at": at(job.awaited.pinged_at),
        "last_end_at": at(job.awaited.ended_at),
        "last_exit_code": job.awaited.exit_code,
        "last_duration_ms": job.awaited.took_ms,
        "started_at": at(job.awaited.restarted_at),
        "expected_at": at(job.awaited.expected_at),
        "missing_at": at(job.missing_at()),
        "retention_days": keeping.retention_days,
        "uptime_goal_ppm": keeping.uptime_goal_ppm,
        "is_badge_public": keeping.is_badge_public,
        "created_at": rfc3339(website.created_at),
        "revision": website.revision,
    })
}

/// Plan and what is decided about history; `before`: what is decided now.
fn parsed(app: &App, input: &JobInput, sent: &Sent, before: &Keeping) -> Result<(JobPlan, Keeping), HttpError> {
    match (input.parse(), sent.keeping().over(before, app.settings.retention)) {
        (Ok(plan), Ok(keeping)) => Ok((plan, keeping)),
        (Err(errors), Ok(_)) | (Ok(_), Err(errors)) => Err(HttpError::Fields(errors)),
        (Err(mut errors), Err(more)) => {
            more.0.into_iter().for_each(|error| errors.push(error));
            Err(HttpError::Fields(errors))
        }
    }
}

fn found(app: &App, account: AccountId, id: WebsiteId) -> Result<KnownJob, HttpError> {
    app.wait(app.store.job(account, id)).map_err(login::store)?.ok_or(HttpError::NotFound)
}

fn keeping(app: &App, account: AccountId, id: WebsiteId) -> Result<Keeping, HttpError> {
    app.wait(app.store.keeping(account, id)).map_err(login::store)?.ok_or(HttpError::NotFound)
}

/// Where the list is to go on.
fn after(request: &Request) -> Result<Option<WebsiteCursor>, HttpError> {
    let given = request.query("after").unwrap_or_default();
    if given.is_empty() {
        return Ok(None);
    }
    given.parse().map(Some).map_err(|()| {
        let remedy = "Give the value of \"next\" of the page before, or leave it out for the oldest.";
        HttpError::Fields(FieldErrors(vec![FieldError::new("after", given, remedy)]))
    })
}

/// `GET /api/v1/jobs?limit=&after=` -> 200 `{jobs, next}`, oldest first.
///
/// # Errors
/// 401, 422 for a `limit` or an `after` that is none.
pub fn list(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account.account_id;
    let (after, limit) = (after(request)?, limit(request)?);
    let mut jobs = app.wait(app.store.jobs(account, after, limit + 1)).map_err(login::store)?;
    let has_more = jobs.len() as i64 > limit;
    jobs.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let cursor =
        |known: &KnownJob| WebsiteCursor { created_at: known.website.created_at, id: known.website.website_id };
    let next = jobs.last().filter(|_| has_more).map(|last| cursor(last).to_string());
    let ids = jobs.iter().map(|known| known.website.website_id).collect();
    let keepings = app.wait(app.store.keepings(account, ids)).map_err(login::store)?;
    let keeping = |known: &KnownJob| keepings.get(&known.website.website_id).copied().unwrap_or_default();
    let jobs: Vec<Value> = jobs.iter().map(|known| shown(app, request, known, &keeping(known))).collect();
    Ok(Response::json(200, &json!({"jobs": jobs, "next": next})))
}

/// `GET /api/v1/jobs/:id` -> 200.
///
/// # Errors
/// 401, 404.
pub fn show(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account.account_id;
    let id = params.website_id()?;
    Ok(Response::json(200, &shown(app, request, &found(app, account, id)?, &keeping(app, account, id)?)))
}

/// `POST /api/v1/jobs` -> 201, the job.
///
/// # Errors
/// 401, 422.
pub fn add(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account.account_id;
    let ((input, sent), now) = (sent(request)?, clock::now());
    let (plan, decided) = parsed(app, &input, &sent, &Keeping::default())?;
    let id = app.wait(app.store.add_job(account, &plan, now)).map_err(login::store)?;
    if decided != Keeping::default() {
        app.wait(app.store.set_keeping(account, id, &decided)).map_err(login::store)?;
    }
    if sent.paused == Some(true) {
        app.wait(app.store.set_paused(account, id, true, now)).map_err(login::store)?;
    }
    Ok(Response::json(201, &shown(app, request, &found(app, account, id)?, &keeping(app, account, id)?)))
}

/// `PUT /api/v1/jobs/:id` -> 200, the job. With `revision`, only as it was at that; without `paused`, `retention_days`,
/// `uptime_goal_ppm` or `is_badge_public`, those stay.
///
/// # Errors
/// 401, 404, 409 when it was changed meanwhile, 422.
pub fn replace(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account.account_id;
    let id = params.website_id()?;
    let known = found(app, account, id)?;
    let ((input, sent), now) = (sent(request)?, clock::now());
    let before = keeping(app, account, id)?;
    let (plan, decided) = parsed(app, &input, &sent, &before)?;
    let revision = sent.revision.unwrap_or(known.website.revision);
    let meanwhile =
        || HttpError::Conflict("It was changed meanwhile; read it again, then send its revision.".to_owned());
    if plan != known.job.plan {
        let saved = app.wait(app.store.edit_job(account, id, revision, &plan, now)).map_err(login::store)?;
        match saved.ok_or(HttpError::NotFound)? {
            Edited::Saved(_) => {}
            Edited::Meanwhile(_) => return Err(meanwhile()),
            Edited::Refused(error) => return Err(HttpError::Fields(FieldErrors(vec![error]))),
        }
    } else if revision != known.website.revision {
        return Err(meanwhile());
    }
    if decided != before {
        app.wait(app.store.set_keeping(account, id, &decided)).map_err(login::store)?;
    }
    if let Some(paused) = sent.paused.filter(|paused| *paused != known.website.paused) {
        app.wait(app.store.set_paused(account, id, paused, now)).map_err(login::store)?;
    }
    Ok(Response::json(200, &shown(app, request, &found(app, account, id)?, &keeping(app, account, id)?)))
}

/// `DELETE /api/v1/jobs/:id` -> 204.
///
/// # Errors
/// 401, 404.
pub fn delete(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account.account_id;
    let id = found(app, account, params.website_id()?)?.website.website_id;
    if !app.wait(app.store.delete_website(account, id)).map_err(login::store)? {
        return Err(HttpError::NotFound);
    }
    Ok(Response { status: 204, headers: Vec::new(), body: Vec::new() })
}

/// `POST /api/v1/jobs/:id/ping-url` -> 200, the job with another address to report to; the one before is nobody's.
///
/// # Errors
/// 401, 404.
pub fn rotate(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account.account_id;
    let id = params.website_id()?;
    if !app.wait(app.store.rotate_ping_id(account, id)).map_err(login::store)? {
        return Err(HttpError::NotFound);
    }
    Ok(Response::json(200, &shown(app, request, &found(app, account, id)?, &keeping(app, account, id)?)))
}

/// `GET /api/v1/jobs/:id/pings` -> 200 `{pings}`, newest first, as many as are kept.
///
/// # Errors
/// 401, 404.
pub fn pings(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account.account_id;
    let id = found(app, account, params.website_id()?)?.website.website_id;
    let pings = app.wait(app.store.pings(account, id, job::PINGS_KEPT)).map_err(login::store)?;
    let shown = |kept: &KeptPing| {
        let ping = &kept.ping;
        json!({
            "at": rfc3339(ping.at),
            "kind": ping.kind,
            "exit_code": ping.exit_code,
            "duration_ms": kept.took_ms,
            "said": ping.said,
        })
    };
    Ok(Response::json(200, &json!({"pings": pings.iter().map(shown).collect::<Vec<_>>()})))
}
