//! `/api/v1/websites/:id/uptime` and `/latency`: figures of a website over any window, the same that its page shows.

use schemars::JsonSchema;
use serde::Serialize;

use super::shape::{At, Id};
use super::ticks;
use crate::clock;
use crate::http::openapi::{Group, Operation, Parameter, of};
use crate::http::{App, HttpError, Request, Response, login, route::Params};
use crate::model::histogram::Histogram;
use crate::model::roll_up::RollUp;
use crate::model::uptime::asked_window;
use crate::model::{Span, Uptime};

/// What is declared of it.
pub static GROUP: Group = Group {
    name: "History",
    about: "What was found, what was made of it, and the figures over any time.",
    operations: &[
        Operation::get("/api/v1/websites/:id/uptime", "getUptime", "How a time was spent. Its parts add up to it.")
            .query(&[Parameter::FROM, Parameter::TO])
            .json(of::<ShownUptime>),
        Operation::get(
            "/api/v1/websites/:id/latency",
            "getLatency",
            "How long answers took, in all and by region. The time is in whole hours, as far as they are counted.",
        )
        .query(&[Parameter::FROM, Parameter::TO])
        .json(of::<ShownLatency>),
        ticks::TICKS,
        ticks::ROUNDS,
        ticks::TRANSITIONS,
    ],
};

/// How a time was spent.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Uptime")]
struct ShownUptime {
    website_id: Id,
    from_at: At,
    to_at: At,
    /// Of the time of which is known how it was, from 0 to 1; null: of none.
    uptime_ratio: Option<f64>,
    /// Of how much of the time is known how it was.
    coverage_ratio: Option<f64>,
    up_ms: i64,
    degraded_ms: i64,
    down_ms: i64,
    unknown_ms: i64,
    maintenance_ms: i64,
}

/// Mean durations of the phases.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "MeanPhases")]
struct Means {
    dns: Option<i64>,
    connect: Option<i64>,
    tls: Option<i64>,
    send: Option<i64>,
    wait: Option<i64>,
    receive: Option<i64>,
    total: Option<i64>,
}

/// What ticks come to.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "LatencyFigures")]
struct Figures {
    /// Only of a region.
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    /// How many there were.
    ticks: i64,
    up: i64,
    degraded: i64,
    down: i64,
    unknown: i64,
    /// Came too late to count.
    late: i64,
    /// Of those up or degraded: their whole duration.
    p50_us: Option<u32>,
    p95_us: Option<u32>,
    p99_us: Option<u32>,
    least_us: Option<u32>,
    most_us: Option<u32>,
    /// In microseconds.
    mean_us: Means,
}

/// How long answers took.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Latency")]
struct ShownLatency {
    website_id: Id,
    from_at: At,
    to_at: At,
    /// Quantiles are off by this part of themselves at most.
    quantile_error: f64,
    all: Figures,
    regions: Vec<Figures>,
}

fn window(request: &Request) -> Result<Span, HttpError> {
    let given = |name| request.query(name).unwrap_or_default();
    asked_window(given("from"), given("to"), clock::now()).map_err(HttpError::Fields)
}

/// `GET /api/v1/websites/:id/uptime?from=&to=` -> 200 `{website_id, from_at, to_at, uptime_ratio, coverage_ratio, up_ms,
/// degraded_ms, down_ms, unknown_ms, maintenance_ms}`. The window begins with the website; its parts add up to it.
///
/// # Errors
/// 401, 404 when not yours, 422 for what is no window, 503 when it changed so often that its days have to be counted first.
pub fn uptime(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account.account_id;
    let (id, window) = (params.website_id()?, window(request)?);
    let found = app.wait(app.store.uptimes(account, id, &[window])).map_err(login::store)?;
    let over = found.and_then(|mut found| found.pop()).ok_or(HttpError::NotFound)?;
    let uptime =
        over.uptime.ok_or(HttpError::Unavailable("The history of this window is not counted yet; try again."))?;
    let Uptime { up_ms, degraded_ms, down_ms, unknown_ms, maintenance_ms } = uptime;
    Ok(Response::json(
        200,
        &ShownUptime {
            website_id: id.into(),
            from_at: At(over.span.from_at),
            to_at: At(over.span.to_at),
            uptime_ratio: uptime.ratio(),
            coverage_ratio: uptime.coverage_ratio(),
            up_ms,
            degraded_ms,
            down_ms,
            unknown_ms,
            maintenance_ms,
        },
    ))
}

/// What ticks come to.
fn shown(roll_up: &RollUp, region: Option<String>) -> Figures {
    let quantile = |per_mille| roll_up.latency.quantile_us(per_mille);
    let mean = |sum| roll_up.mean_us(sum);
    let [dns, connect, tls, send, wait, receive] = roll_up.phases_us;
    Figures {
        region,
        ticks: roll_up.ticks,
        up: roll_up.up,
        degraded: roll_up.degraded,
        down: roll_up.down,
        unknown: roll_up.unknown,
        late: roll_up.late,
        p50_us: quantile(500),
        p95_us: quantile(950),
        p99_us: quantile(990),
        least_us: roll_up.least_us,
        most_us: roll_up.most_us,
        mean_us: Means {
            dns: mean(dns),
            connect: mean(connect),
            tls: mean(tls),
            send: mean(send),
            wait: mean(wait),
            receive: mean(receive),
            total: mean(roll_up.total_us),
        },
    }
}

/// `GET /api/v1/websites/:id/latency?from=&to=` -> 200 `{website_id, from_at, to_at, quantile_error, all, regions}`: of ticks by
/// outcome how many, of those up or degraded the quantiles of their whole duration and the means of their phases. The
/// window is in whole hours, as far as they are counted.
///
/// # Errors
/// 401, 404 when not yours, 422 for what is no window.
pub fn latency(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account.account_id;
    let (id, window) = (params.website_id()?, window(request)?);
    let found = app.wait(app.store.latencies(account, id, &[window])).map_err(login::store)?;
    let latency = found.and_then(|mut found| found.pop()).ok_or(HttpError::NotFound)?;
    let regions = latency.regions.iter().map(|(region, roll_up)| shown(roll_up, Some(region.to_string()))).collect();
    Ok(Response::json(
        200,
        &ShownLatency {
            website_id: id.into(),
            from_at: At(latency.span.from_at),
            to_at: At(latency.span.to_at),
            quantile_error: Histogram::ERROR,
            all: shown(&latency.all(), None),
            regions,
        },
    ))
}
