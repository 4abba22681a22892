//! `/api/v1/websites/:id/uptime` and `/latency`: figures of a website over any window, the same that its page shows.

use serde_json::{Map, Value, json};

use super::rfc3339;
use crate::clock;
use crate::http::{App, HttpError, Request, Response, login, route::Params};
use crate::model::histogram::Histogram;
use crate::model::roll_up::RollUp;
use crate::model::uptime::asked_window;
use crate::model::{Phases, Span, Uptime};

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
        &json!({
            "website_id": id,
            "from_at": rfc3339(over.span.from_at),
            "to_at": rfc3339(over.span.to_at),
            "uptime_ratio": uptime.ratio(),
            "coverage_ratio": uptime.coverage_ratio(),
            "up_ms": up_ms,
            "degraded_ms": degraded_ms,
            "down_ms": down_ms,
            "unknown_ms": unknown_ms,
            "maintenance_ms": maintenance_ms,
        }),
    ))
}

/// What ticks come to.
fn shown(roll_up: &RollUp) -> Map<String, Value> {
    let quantile = |per_mille| roll_up.latency.quantile_us(per_mille);
    let names = Phases::default().named().map(|(name, _)| name);
    let sums = names.into_iter().zip(roll_up.phases_us).chain([("total", roll_up.total_us)]);
    let means: Map<String, Value> = sums.map(|(name, sum)| (name.to_owned(), roll_up.mean_us(sum).into())).collect();
    let fields = [
        ("ticks", json!(roll_up.ticks)),
        ("up", json!(roll_up.up)),
        ("degraded", json!(roll_up.degraded)),
        ("down", json!(roll_up.down)),
        ("unknown", json!(roll_up.unknown)),
        ("late", json!(roll_up.late)),
        ("p50_us", json!(quantile(500))),
        ("p95_us", json!(quantile(950))),
        ("p99_us", json!(quantile(990))),
        ("least_us", json!(roll_up.least_us)),
        ("most_us", json!(roll_up.most_us)),
        ("mean_us", Value::Object(means)),
    ];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
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
    let region = |(region, roll_up): (_, &RollUp)| {
        let mut fields = shown(roll_up);
        fields.insert("region".to_owned(), json!(region));
        Value::Object(fields)
    };
    let regions: Vec<Value> = latency.regions.iter().map(region).collect();
    Ok(Response::json(
        200,
        &json!({
            "website_id": id,
            "from_at": rfc3339(latency.span.from_at),
            "to_at": rfc3339(latency.span.to_at),
            "quantile_error": Histogram::ERROR,
            "all": shown(&latency.all()),
            "regions": regions,
        }),
    ))
}
