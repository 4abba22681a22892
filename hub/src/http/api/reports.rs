//! `/api/v1/reports` and `/api/v1/websites/:id/report`: the figures of the report pages, as JSON or CSV.

use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::Semaphore;

use super::shape::{At, Id, Word};
use crate::clock;
use crate::http::openapi::{Answer, Group, Operation, Parameter, ParameterKind, of, parameter};
use crate::http::{App, HttpError, Request, Response, login, route::Params};
use crate::model::histogram::Histogram;
use crate::model::message::words::masked;
use crate::model::report::number::float;
use crate::model::report::{self, Figures, Goal, Report, Row, Window, WindowInput};
use crate::model::{AccountId, FieldError, FieldErrors, Scope, Tag, UtcMs, WebsiteKind};
use crate::store::Reported;

const MONTH: Parameter =
    parameter("month", "A month, 2026-11; the last one when nothing is said.", ParameterKind::Text);
const FROM: Parameter = parameter("from", "First day, instead of a month.", ParameterKind::Text);
const TO: Parameter = parameter("to", "Last day.", ParameterKind::Text);
const ZONE: Parameter =
    parameter("tz", "Time zone of the days: an IANA name; UTC when nothing is said.", ParameterKind::Text);
const GOAL: Parameter =
    parameter("goal", "A goal in percent, 99.9, where a website has none of its own.", ParameterKind::Text);
const TAG: Parameter = parameter("tag", "Only websites with this tag.", ParameterKind::Text);

/// What is declared of it.
pub static GROUP: Group = Group {
    name: "Reports",
    about: "Figures over a month or some days, beside those of the time before.",
    operations: &[
        Operation::get(
            "/api/v1/reports",
            "getReport",
            "A report over all websites, or those with a tag; the worst first.",
        )
        .query(&[TAG, MONTH, FROM, TO, ZONE, GOAL])
        .answer(Answer::JsonOrCsv(of::<GroupReport>)),
        Operation::get("/api/v1/reports.csv", "getReportAsTable", "The same as a table.")
            .query(&[TAG, MONTH, FROM, TO, ZONE, GOAL])
            .answer(Answer::Csv),
        Operation::get("/api/v1/websites/:id/report", "getReportOfWebsite", "A report over a website.")
            .query(&[MONTH, FROM, TO, ZONE, GOAL])
            .answer(Answer::JsonOrCsv(of::<WebsiteReport>)),
        Operation::get("/api/v1/websites/:id/report.csv", "getReportOfWebsiteAsTable", "The same as a table.")
            .query(&[MONTH, FROM, TO, ZONE, GOAL])
            .answer(Answer::Csv),
    ],
};

/// Quantiles of whole durations.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ReportLatency")]
struct Quantiles {
    /// Only of a region.
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    answers: u64,
    p50_us: Option<u32>,
    p95_us: Option<u32>,
    p99_us: Option<u32>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ReportLatencies")]
struct Latencies {
    all: Quantiles,
    regions: Vec<Quantiles>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ReportOutages")]
struct ShownOutages {
    count: i64,
    /// Of these, how many go on.
    open: i64,
    longest_ms: Option<i64>,
    /// Mean time to recover.
    mttr_ms: Option<i64>,
    /// Mean time to detect.
    mttd_ms: Option<i64>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ReportBudget")]
struct ShownBudget {
    allowed_ms: i64,
    used_ms: i64,
    left_ms: i64,
    used_percent: Option<f64>,
    /// How many times faster than the goal allows it is used.
    burn_rate: Option<f64>,
}

/// Figures over a time.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ReportFigures")]
struct ShownFigures {
    uptime_ratio: Option<f64>,
    uptime_percent: Option<f64>,
    coverage_percent: Option<f64>,
    up_ms: i64,
    degraded_ms: i64,
    down_ms: i64,
    unknown_ms: i64,
    maintenance_ms: i64,
    /// Websites of which the history is not counted yet.
    uncounted_websites: usize,
    outages: ShownOutages,
    latency: Latencies,
    /// What a goal allows; null where there is none.
    budget: Option<ShownBudget>,
}

/// A website in a report.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ReportRow")]
struct ShownRow {
    website_id: Id,
    /// Its address, without what could be a secret.
    website: String,
    kind: Word<WebsiteKind>,
    goal_percent: Option<f64>,
    figures: ShownFigures,
    before: Option<ShownFigures>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ReportSpan")]
struct ShownSpan {
    from_at: At,
    to_at: At,
}

/// Of which time it is.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ReportWindow")]
struct ShownWindow {
    title: String,
    from_at: At,
    /// Until when there is something to report of.
    to_at: At,
    /// When the time ends.
    ends_at: At,
    time_zone: String,
    before: ShownSpan,
}

/// A report over several websites.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Report")]
struct GroupReport {
    #[schemars(extend("enum" = ["all", "tag"]))]
    scope: &'static str,
    tag: Option<String>,
    window: ShownWindow,
    /// Quantiles are off by this part of themselves at most.
    quantile_error: f64,
    /// Websites that were added after the time.
    added_later: usize,
    figures: ShownFigures,
    before: Option<ShownFigures>,
    websites: Vec<ShownRow>,
}

/// A report over a website.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "WebsiteReport")]
struct WebsiteReport {
    #[serde(flatten)]
    row: ShownRow,
    window: ShownWindow,
    /// Quantiles are off by this part of themselves at most.
    quantile_error: f64,
}

/// Reports that are read at once: a large one takes seconds, and each keeps one of the sixteen threads that answer requests.
static READING: Semaphore = Semaphore::const_new(4);

/// What of a report is asked for.
pub(in crate::http) struct Asked {
    pub(in crate::http) scope: Scope,
    pub(in crate::http) window: Window,
    pub(in crate::http) goal: Option<Goal>,
}

/// The window's texts in a query.
pub(in crate::http) fn input(request: &Request) -> WindowInput {
    let given = |name| request.query(name).unwrap_or_default().to_owned();
    WindowInput { month: given("month"), from: given("from"), to: given("to"), tz: given("tz") }
}

/// What a query asks for, of one website or, with `tag=` or without, of several.
pub(in crate::http) fn asked(
    request: &Request,
    window: &WindowInput,
    website: Option<Scope>,
    now: UtcMs,
) -> Result<Asked, FieldErrors> {
    let mut errors = FieldErrors::default();
    let given = |name| request.query(name).map(str::trim).unwrap_or_default();
    let scope = match (website, given("tag")) {
        (Some(website), _) => website,
        (None, "") => Scope::All,
        (None, tag) => match tag.parse::<Tag>() {
            Ok(tag) => Scope::Tag(tag),
            Err(why) => {
                errors.push(FieldError::new("tag", tag, format!("Give one tag; {why}.")));
                Scope::All
            }
        },
    };
    let goal = match given("goal") {
        "" => None,
        text => match text.parse::<Goal>() {
            Ok(goal) => Some(goal),
            Err(why) => {
                errors.push(FieldError::new("goal", text, why.to_string()));
                None
            }
        },
    };
    match window.parse(now) {
        Ok(window) if errors.is_empty() => Ok(Asked { scope, window, goal }),
        Ok(_) => Err(errors),
        Err(wrong) => {
            wrong.0.into_iter().for_each(|error| errors.push(error));
            Err(errors)
        }
    }
}

/// The report that is asked for.
pub(in crate::http) fn load(app: &App, account: AccountId, asked: &Asked, now: UtcMs) -> Result<Report, HttpError> {
    let Ok(_turn) = READING.try_acquire() else {
        return Err(HttpError::Unavailable("Many reports are being made; try again in a moment."));
    };
    let found = app.wait(app.store.report(account, &asked.scope, &asked.window, asked.goal, now));
    match found.map_err(login::store)?.ok_or(HttpError::NotFound)? {
        Reported::Report(report) => Ok(*report),
        Reported::Refused(errors) => Err(HttpError::Fields(errors)),
    }
}

/// The website of a path; whether it ends in `.csv`.
pub(in crate::http) fn website(params: &Params) -> Result<(Scope, bool), HttpError> {
    let text = params.get("id");
    let (id, is_csv) = text.strip_suffix(".csv").map_or((text, false), |id| (id, true));
    Ok((Scope::Website(id.parse().map_err(|_| HttpError::NotFound)?), is_csv))
}

/// A report as a file.
pub(in crate::http) fn as_csv(report: &Report) -> Response {
    let window = &report.window;
    let day = |at| window.zone.date(at).to_string();
    let name = format!("report-{}-{}.csv", day(window.span.from_at), day(window.span.to_at - 1));
    Response::new(200, "text/csv; charset=utf-8; header=present", report::csv(report))
        .with("content-disposition", &format!("attachment; filename=\"{name}\""))
        .with("cache-control", "no-store")
}

fn wants_csv(request: &Request) -> bool {
    let accept = request.header("accept").unwrap_or_default();
    request.path.ends_with(".csv") || (accept.contains("text/csv") && !accept.contains("application/json"))
}

fn quantiles(histogram: &Histogram, region: Option<String>) -> Quantiles {
    let quantile = |per_mille| histogram.quantile_us(per_mille);
    Quantiles {
        region,
        answers: histogram.count(),
        p50_us: quantile(500),
        p95_us: quantile(950),
        p99_us: quantile(990),
    }
}

fn figures(figures: &Figures) -> ShownFigures {
    let (uptime, outages) = (&figures.uptime, &figures.outages);
    ShownFigures {
        uptime_ratio: uptime.ratio(),
        uptime_percent: figures.uptime_share().map(float),
        coverage_percent: figures.coverage_share().map(float),
        up_ms: uptime.up_ms,
        degraded_ms: uptime.degraded_ms,
        down_ms: uptime.down_ms,
        unknown_ms: uptime.unknown_ms,
        maintenance_ms: uptime.maintenance_ms,
        uncounted_websites: figures.uncounted,
        outages: ShownOutages {
            count: outages.count,
            open: outages.open,
            longest_ms: (outages.count > 0).then_some(outages.longest_ms),
            mttr_ms: outages.mttr_ms(),
            mttd_ms: outages.mttd_ms(),
        },
        latency: Latencies {
            all: quantiles(&figures.latency_of_all(), None),
            regions: figures.latency.iter().map(|(region, one)| quantiles(one, Some(region.to_string()))).collect(),
        },
        budget: figures.budget.map(|budget| ShownBudget {
            allowed_ms: budget.allowed_ms,
            used_ms: budget.used_ms,
            left_ms: budget.left_ms(),
            used_percent: budget.used_share().map(float),
            burn_rate: budget.burn_rate().map(float),
        }),
    }
}

fn row(row: &Row, goal: Option<Goal>) -> ShownRow {
    let goal = row.subject.goal.or(goal).map(|goal| goal.to_string().parse::<f64>().ok());
    ShownRow {
        website_id: row.subject.website_id.into(),
        website: masked(&row.subject.url),
        kind: Word(row.subject.kind),
        goal_percent: goal.flatten(),
        figures: figures(&row.now),
        before: row.before.as_ref().map(figures),
    }
}

fn window(window: &Window) -> ShownWindow {
    ShownWindow {
        title: window.to_string(),
        from_at: At(window.span.from_at),
        to_at: At(window.span.to_at),
        ends_at: At(window.ends_at),
        time_zone: window.zone.name().to_owned(),
        before: ShownSpan { from_at: At(window.before.from_at), to_at: At(window.before.to_at) },
    }
}

/// `GET /api/v1/reports?tag=&month=&from=&to=&tz=&goal=` -> 200 `{scope, tag, window, quantile_error, added_later, figures,
/// before, websites}`, websites worst first; with `.csv` or `Accept: text/csv` the same as a table.
///
/// # Errors
/// 401, 422 for what is no window, tag or goal, and for more than a report holds.
pub fn group(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account.account_id;
    let now = clock::now();
    let asked = asked(request, &input(request), None, now).map_err(HttpError::Fields)?;
    let report = load(app, account, &asked, now)?;
    if wants_csv(request) {
        return Ok(as_csv(&report));
    }
    let tag = match &report.scope {
        Scope::Tag(tag) => Some(tag.to_string()),
        Scope::All | Scope::Website(_) => None,
    };
    Ok(Response::json(
        200,
        &GroupReport {
            scope: if tag.is_some() { "tag" } else { "all" },
            tag,
            window: window(&report.window),
            quantile_error: Histogram::ERROR,
            added_later: report.added_later,
            figures: figures(&report.all),
            before: report.before.as_ref().map(figures),
            websites: report.rows.iter().map(|one| row(one, report.goal)).collect(),
        },
    ))
}

/// `GET /api/v1/websites/:id/report?month=&from=&to=&tz=&goal=` -> 200 `{window, quantile_error, website_id, website, kind,
/// goal_percent, figures, before}`; with `.csv` or `Accept: text/csv` as a table.
///
/// # Errors
/// 401, 404 when not yours, 422 for what is no window or goal, or one before the website was added.
pub fn one(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account.account_id;
    let now = clock::now();
    let (scope, _) = website(params)?;
    let asked = asked(request, &input(request), Some(scope), now).map_err(HttpError::Fields)?;
    let report = load(app, account, &asked, now)?;
    if wants_csv(request) {
        return Ok(as_csv(&report));
    }
    let row = report.rows.first().map(|one| row(one, report.goal)).ok_or(HttpError::NotFound)?;
    let window = window(&report.window);
    Ok(Response::json(200, &WebsiteReport { row, window, quantile_error: Histogram::ERROR }))
}
