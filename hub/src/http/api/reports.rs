//! `/api/v1/reports` and `/api/v1/websites/:id/report`: the figures of the report pages, as JSON or CSV.

use serde_json::{Map, Value, json};
use tokio::sync::Semaphore;

use super::rfc3339;
use crate::clock;
use crate::http::{App, HttpError, Request, Response, login, route::Params};
use crate::model::histogram::Histogram;
use crate::model::message::words::masked;
use crate::model::report::number::float;
use crate::model::report::{self, Figures, Goal, Report, Row, Window, WindowInput};
use crate::model::{AccountId, FieldError, FieldErrors, Scope, Tag, UtcMs};
use crate::store::Reported;

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

fn quantiles(histogram: &Histogram) -> Map<String, Value> {
    let quantile = |per_mille| json!(histogram.quantile_us(per_mille));
    let fields = [
        ("answers", json!(histogram.count())),
        ("p50_us", quantile(500)),
        ("p95_us", quantile(950)),
        ("p99_us", quantile(990)),
    ];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn figures(figures: &Figures) -> Value {
    let (uptime, outages) = (&figures.uptime, &figures.outages);
    let region = |(region, histogram): (_, &Histogram)| {
        let mut fields = quantiles(histogram);
        fields.insert("region".to_owned(), json!(region));
        Value::Object(fields)
    };
    json!({
        "uptime_ratio": uptime.ratio(),
        "uptime_percent": figures.uptime_share().map(float),
        "coverage_percent": figures.coverage_share().map(float),
        "up_ms": uptime.up_ms,
        "degraded_ms": uptime.degraded_ms,
        "down_ms": uptime.down_ms,
        "unknown_ms": uptime.unknown_ms,
        "maintenance_ms": uptime.maintenance_ms,
        "uncounted_websites": figures.uncounted,
        "outages": {
            "count": outages.count,
            "open": outages.open,
            "longest_ms": (outages.count > 0).then_some(outages.longest_ms),
            "mttr_ms": outages.mttr_ms(),
            "mttd_ms": outages.mttd_ms(),
        },
        "latency": {
            "all": quantiles(&figures.latency_of_all()),
            "regions": figures.latency.iter().map(region).collect::<Vec<_>>(),
        },
        "budget": figures.budget.map(|budget| json!({
            "allowed_ms": budget.allowed_ms,
            "used_ms": budget.used_ms,
            "left_ms": budget.left_ms(),
            "used_percent": budget.used_share().map(float),
            "burn_rate": budget.burn_rate().map(float),
        })),
    })
}

fn row(row: &Row, goal: Option<Goal>) -> Value {
    let goal = row.subject.goal.or(goal).map(|goal| goal.to_string().parse::<f64>().ok());
    json!({
        "website_id": row.subject.website_id,
        "website": masked(&row.subject.url),
        "kind": row.subject.kind.as_str(),
        "goal_percent": goal.flatten(),
        "figures": figures(&row.now),
        "before": row.before.as_ref().map(figures),
    })
}

fn window(window: &Window) -> Value {
    json!({
        "title": window.to_string(),
        "from_at": rfc3339(window.span.from_at),
        "to_at": rfc3339(window.span.to_at),
        "ends_at": rfc3339(window.ends_at),
        "time_zone": window.zone.name(),
        "before": {"from_at": rfc3339(window.before.from_at), "to_at": rfc3339(window.before.to_at)},
    })
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
        &json!({
            "scope": if tag.is_some() { "tag" } else { "all" },
            "tag": tag,
            "window": window(&report.window),
            "quantile_error": Histogram::ERROR,
            "added_later": report.added_later,
            "figures": figures(&report.all),
            "before": report.before.as_ref().map(figures),
            "websites": report.rows.iter().map(|one| row(one, report.goal)).collect::<Vec<_>>(),
        }),
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
    let mut whole = report.rows.first().map(|one| row(one, report.goal)).ok_or(HttpError::NotFound)?;
    whole["window"] = window(&report.window);
    whole["quantile_error"] = json!(Histogram::ERROR);
    Ok(Response::json(200, &whole))
}
