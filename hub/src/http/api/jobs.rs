//! `/api/v1/jobs`: websites that report themselves.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cursor::{self, limit};
use super::shape::{At, Id, Word};
use super::{body, done, given, revision};
use crate::clock;
use crate::http::openapi::{Group, Operation, Parameter, of};
use crate::http::{App, HttpError, Request, Response, login, ping, route::Params};
use crate::model::scope::Subject;
use crate::model::{
    AccountId, FieldErrors, JobInput, JobPlan, JobSchedule, Keeping, KeepingChange, KeptPing, Outcome, PingKind,
    WebsiteCursor, WebsiteId, job,
};
use crate::store::{Edited, KnownJob};

/// What is declared of it.
pub static GROUP: Group = Group {
    name: "Jobs",
    about: "Websites that report themselves: silence is what is wrong.",
    operations: &[
        Operation::get("/api/v1/jobs", "listJobs", "Jobs, oldest first.")
            .query(&[Parameter::LIMIT, Parameter::AFTER])
            .json(of::<JobList<'static>>),
        Operation::post("/api/v1/jobs", "addJob", "Adds a job: with a period, or a cron expression and its time zone.")
            .body(of::<Sent>, &["name"])
            .status(201)
            .json(of::<Shown<'static>>),
        Operation::get("/api/v1/jobs/:id", "getJob", "A job.").json(of::<Shown<'static>>),
        Operation::put(
            "/api/v1/jobs/:id",
            "replaceJob",
            "Replaces the plan of a job. Without `paused`, `retention_days`, `uptime_goal_ppm` or `is_badge_public`, those stay.",
        )
        .body(of::<Sent>, &["name"])
        .json(of::<Shown<'static>>)
        .revision(),
        Operation::patch(
            "/api/v1/jobs/:id",
            "changeJob",
            "Changes a job. What is left out stays as it is; a period takes the place of an expression, and the other way round.",
        )
        .body(of::<Sent>, &[])
        .json(of::<Shown<'static>>)
        .revision(),
        Operation::delete("/api/v1/jobs/:id", "deleteJob", "Deletes a job, and what is known of it.").revision(),
        Operation::get("/api/v1/jobs/:id/pings", "listPings", "The last reports of a job, newest first, as many as are kept.")
            .json(of::<PingList<'static>>),
        Operation::post(
            "/api/v1/jobs/:id/ping-url",
            "rotatePingUrl",
            "Gives a job another address to report to. The one before is nobody's from now on.",
        )
        .json(of::<Shown<'static>>),
    ],
};

/// A job as it is sent: with `period_s`, or with `cron` and its `time_zone`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "JobInput")]
struct Sent {
    /// For people.
    #[serde(default)]
    name: Option<String>,
    /// Seconds between two reports.
    #[serde(default)]
    period_s: Option<i64>,
    /// When it runs: five fields.
    #[serde(default)]
    #[schemars(extend("examples" = ["30 2 * * *"]))]
    cron: Option<String>,
    /// IANA name, of an expression; UTC when nothing is said.
    #[serde(default)]
    time_zone: Option<String>,
    /// Seconds a report may be late.
    #[serde(default)]
    grace_s: Option<i64>,
    /// Whether nothing is awaited for now.
    #[serde(default)]
    paused: Option<bool>,
    /// Of a change: only if it is still at this revision.
    #[serde(default)]
    revision: Option<i64>,
    /// For how many days its history is kept; null: for as long as the installation keeps it.
    #[serde(default, deserialize_with = "given")]
    retention_days: Option<Option<i64>>,
    /// Its goal in parts per million; null: none.
    #[serde(default, deserialize_with = "given")]
    uptime_goal_ppm: Option<Option<i64>>,
    /// Whether its badges are shown to everybody.
    #[serde(default)]
    is_badge_public: Option<bool>,
}

/// A job, and what is known of it now.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Job")]
struct Shown<'a> {
    /// Its name in paths, also in those of websites.
    id: Id,
    name: &'a str,
    /// The verdict.
    status: Word<Outcome>,
    since_at: At,
    /// Why, in words.
    reason: &'a str,
    paused: bool,
    /// Seconds between two reports; null where there is an expression.
    period_s: Option<i64>,
    cron: Option<String>,
    /// IANA name, of an expression.
    time_zone: Option<&'a str>,
    /// Seconds a report may be late.
    grace_s: i64,
    /// Where it reports. Whoever knows it may report.
    ping_url: Option<String>,
    last_ping_at: Option<At>,
    last_end_at: Option<At>,
    last_exit_code: Option<u8>,
    last_duration_ms: Option<i64>,
    /// It has begun, and not ended.
    started_at: Option<At>,
    /// When the next report is due.
    expected_at: Option<At>,
    /// When silence makes it down.
    missing_at: Option<At>,
    retention_days: Option<u16>,
    uptime_goal_ppm: Option<u32>,
    is_badge_public: bool,
    created_at: At,
    /// Grows with every edit.
    revision: i64,
}

/// A page of jobs.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "JobList")]
struct JobList<'a> {
    jobs: Vec<Shown<'a>>,
    /// Cursor of the next page; null: this is the last.
    next: Option<String>,
}

/// A report of a job.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Ping")]
struct ShownPing<'a> {
    at: At,
    kind: Word<PingKind>,
    exit_code: Option<u8>,
    /// Since the start before it.
    duration_ms: Option<i64>,
    /// The beginning of what came with it.
    said: &'a str,
}

/// Reports of a job.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PingList")]
struct PingList<'a> {
    pings: Vec<ShownPing<'a>>,
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

fn sent(request: &Request) -> Result<Sent, HttpError> {
    if request.media_type() != "application/json" {
        return Err(HttpError::MediaType("application/json"));
    }
    body(request, "{name, period_s or cron, time_zone, grace_s}")
}

impl Sent {
    /// What it is to be.
    fn input(&self) -> JobInput {
        JobInput {
            name: self.name.clone().unwrap_or_default(),
            period_s: self.period_s.map(|s| s.to_string()).unwrap_or_default(),
            cron: self.cron.clone().unwrap_or_default(),
            time_zone: self.time_zone.clone().unwrap_or_default(),
            grace_s: self.grace_s.map(|s| s.to_string()).unwrap_or_default(),
        }
    }

    /// What is given, on top of what there is.
    fn over(&self, plan: &JobPlan) -> JobInput {
        let (given, mut input) = (self.input(), JobInput::of(plan));
        if self.period_s.is_some() || self.cron.is_some() {
            // Where both are given, that is said to be wrong.
            (input.period_s, input.cron) = (given.period_s, given.cron);
            if self.cron.is_none() {
                input.time_zone = String::new();
            }
        }
        if self.time_zone.is_some() {
            input.time_zone = given.time_zone;
        }
        if self.name.is_some() {
            input.name = given.name;
        }
        if self.grace_s.is_some() {
            input.grace_s = given.grace_s;
        }
        input
    }
}

fn shown<'a>(app: &App, request: &Request, known: &'a KnownJob, keeping: &Keeping) -> Shown<'a> {
    let KnownJob { website, state, job } = known;
    let (period_s, cron, time_zone) = match &job.plan.schedule {
        JobSchedule::Every { period_ms } => (Some(period_ms / 1_000), None, None),
        JobSchedule::Cron { cron, time_zone, .. } => (None, Some(cron.to_string()), Some(time_zone.as_str())),
    };
    // Whoever knows it can report, and so change the verdict: a reader is not told.
    let may_report = login::signed_in(app, request).is_ok_and(|who| who.may_write(Subject::Websites));
    Shown {
        id: website.website_id.into(),
        name: &job.plan.name,
        status: Word(state.verdict),
        since_at: At(state.since_at),
        reason: &state.reason,
        paused: website.paused,
        period_s,
        cron,
        time_zone,
        grace_s: job.plan.grace_ms / 1_000,
        ping_url: may_report.then(|| ping::url(app, request, job.ping_id)),
        last_ping_at: job.awaited.pinged_at.map(At),
        last_end_at: job.awaited.ended_at.map(At),
        last_exit_code: job.awaited.exit_code,
        last_duration_ms: job.awaited.took_ms,
        started_at: job.awaited.restarted_at.map(At),
        expected_at: job.awaited.expected_at.map(At),
        missing_at: job.missing_at().map(At),
        retention_days: keeping.retention_days,
        uptime_goal_ppm: keeping.uptime_goal_ppm,
        is_badge_public: keeping.is_badge_public,
        created_at: At(website.created_at),
        revision: website.revision,
    }
}

fn answer(app: &App, request: &Request, account: AccountId, id: WebsiteId, status: u16) -> Result<Response, HttpError> {
    let (known, keeping) = (found(app, account, id)?, keeping(app, account, id)?);
    let (shown, decided) = (shown(app, request, &known, &keeping), revision::decided(&keeping));
    Ok(revision::answer_decided(status, &shown, known.website.revision, &decided))
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

/// `GET /api/v1/jobs?limit=&after=` -> 200 `{jobs, next}`, oldest first.
///
/// # Errors
/// 400 for an `after` that is none, 401, 422 for a `limit` that is none.
pub fn list(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    const LIST: &str = "jobs";
    let account = login::signed_in(app, request)?.account.account_id;
    let (after, limit) = (cursor::after(request, LIST)?, limit(request)?);
    let mut jobs = app.wait(app.store.jobs(account, after, limit + 1)).map_err(login::store)?;
    let has_more = cursor::cut(&mut jobs, limit);
    let place = |known: &KnownJob| WebsiteCursor { created_at: known.website.created_at, id: known.website.website_id };
    let next = jobs.last().filter(|_| has_more).map(|last| cursor::write(LIST, &place(last)));
    let ids = jobs.iter().map(|known| known.website.website_id).collect();
    let keepings = app.wait(app.store.keepings(account, ids)).map_err(login::store)?;
    let keeping = |known: &KnownJob| keepings.get(&known.website.website_id).copied().unwrap_or_default();
    let jobs = jobs.iter().map(|known| shown(app, request, known, &keeping(known))).collect();
    Ok(cursor::page(request, &JobList { jobs, next: next.clone() }, next.as_deref()))
}

/// `GET /api/v1/jobs/:id` -> 200.
///
/// # Errors
/// 401, 404.
pub fn show(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account.account_id;
    answer(app, request, account, params.website_id()?, 200)
}

/// `POST /api/v1/jobs` -> 201, the job.
///
/// # Errors
/// 401, 422.
pub fn add(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account.account_id;
    let (sent, now) = (sent(request)?, clock::now());
    let (plan, decided) = parsed(app, &sent.input(), &sent, &Keeping::default())?;
    let id = app.wait(app.store.add_job(account, &plan, now)).map_err(login::store)?;
    if decided != Keeping::default() {
        app.wait(app.store.set_keeping(account, id, &decided)).map_err(login::store)?;
    }
    if sent.paused == Some(true) {
        app.wait(app.store.set_paused(account, id, true, now)).map_err(login::store)?;
    }
    answer(app, request, account, id, 201)
}

/// `PUT /api/v1/jobs/:id` -> 200, the job. With `revision` or `If-Match`, only as it was at that; without `paused`,
/// `retention_days`, `uptime_goal_ppm` or `is_badge_public`, those stay.
///
/// # Errors
/// 401, 404, 409 or 412 when it was changed meanwhile, 422.
pub fn replace(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    save(app, request, params, |sent, _| sent.input())
}

/// `PATCH /api/v1/jobs/:id` -> 200, the job. What is not given stays.
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
    wanted: fn(&Sent, &JobPlan) -> JobInput,
) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account.account_id;
    let id = params.website_id()?;
    let known = found(app, account, id)?;
    let (sent, now) = (sent(request)?, clock::now());
    let before = keeping(app, account, id)?;
    revision::expect_decided(request, sent.revision, known.website.revision, &revision::decided(&before))?;
    let (plan, decided) = parsed(app, &wanted(&sent, &known.job.plan), &sent, &before)?;
    if plan != known.job.plan {
        let saved = app.store.edit_job(account, id, known.website.revision, &plan, now);
        match app.wait(saved).map_err(login::store)?.ok_or(HttpError::NotFound)? {
            Edited::Saved(_) => {}
            Edited::Meanwhile(_) => return Err(revision::meanwhile(request)),
            Edited::Refused(error) => return Err(HttpError::Fields(FieldErrors(vec![error]))),
        }
    }
    if decided != before {
        app.wait(app.store.set_keeping(account, id, &decided)).map_err(login::store)?;
    }
    if let Some(paused) = sent.paused.filter(|paused| *paused != known.website.paused) {
        app.wait(app.store.set_paused(account, id, paused, now)).map_err(login::store)?;
    }
    answer(app, request, account, id, 200)
}

/// `DELETE /api/v1/jobs/:id` -> 204.
///
/// # Errors
/// 401, 404.
pub fn delete(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account.account_id;
    let website = found(app, account, params.website_id()?)?.website;
    revision::expect(request, None, website.revision)?;
    let id = website.website_id;
    if !app.wait(app.store.delete_website(account, id)).map_err(login::store)? {
        return Err(HttpError::NotFound);
    }
    Ok(done())
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
    answer(app, request, account, id, 200)
}

/// `GET /api/v1/jobs/:id/pings` -> 200 `{pings}`, newest first, as many as are kept.
///
/// # Errors
/// 401, 404.
pub fn pings(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account.account_id;
    let id = found(app, account, params.website_id()?)?.website.website_id;
    let pings = app.wait(app.store.pings(account, id, job::PINGS_KEPT)).map_err(login::store)?;
    let pings = pings.iter().map(|KeptPing { ping, took_ms }| ShownPing {
        at: At(ping.at),
        kind: Word(ping.kind),
        exit_code: ping.exit_code,
        duration_ms: *took_ms,
        said: &ping.said,
    });
    Ok(Response::json(200, &PingList { pings: pings.collect() }))
}
