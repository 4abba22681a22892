//! `/api/v1/regions`, `/workers`, `/tags`: where one watches from, who does it, and the words websites are sorted by.

use schemars::JsonSchema;
use serde::Serialize;

use super::shape::{At, Word};
use crate::clock;
use crate::http::openapi::{Group, Operation, ParameterKind, of, parameter};
use crate::http::{App, HttpError, Request, Response, login, route::Params};
use crate::model::{NetworkState, Region};

/// What is declared of it.
pub static GROUP: Group = Group {
    name: "Regions, workers, tags",
    about: "Where one watches from, who does it, and the words websites are sorted by.",
    operations: &[
        Operation::get("/api/v1/regions", "listRegions", "All regions, by name.").json(of::<RegionList<'static>>),
        Operation::get(
            "/api/v1/workers",
            "listWorkers",
            "Workers as last heard of, by region and name. For operators.",
        )
        .query(&[parameter("region", "Only those of this region.", ParameterKind::Text)])
        .json(of::<WorkerList<'static>>),
        Operation::get("/api/v1/tags", "listTags", "All tags, sorted, and how many websites have each.")
            .json(of::<TagList<'static>>),
    ],
};

/// A place one watches from.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Region")]
struct ShownRegion<'a> {
    /// Its name.
    id: &'a str,
    /// When its first worker was first heard of.
    created_at: At,
    /// When a worker was last heard of; null: never, by a clock that can be believed.
    seen_at: Option<At>,
    /// Workers that live.
    workers_alive: usize,
    /// All of these say that their own network does not work.
    is_cut_off: bool,
}

/// All regions.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "RegionList")]
struct RegionList<'a> {
    regions: Vec<ShownRegion<'a>>,
}

/// A probe process, as last heard of.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Worker")]
struct ShownWorker<'a> {
    /// Its name within the region.
    id: &'a str,
    region: &'a str,
    seen_at: At,
    is_alive: bool,
    version: &'a str,
    /// Checks it runs at once.
    concurrency: u16,
    /// Checks run since its start.
    checks: u64,
    /// Its clock minus the queue's.
    clock_offset_ms: i64,
    /// What it says of its own network.
    network: Word<NetworkState>,
    /// Failures it did not count against their website, since its own network failed.
    excused: u64,
    /// Checks handed to it and not finished, at its last sign of life.
    in_flight: u16,
    /// Checks it has run each minute, over the last minute or so; null: it was not there for long enough.
    checks_per_minute: Option<u64>,
}

/// All workers.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "WorkerList")]
struct WorkerList<'a> {
    workers: Vec<ShownWorker<'a>>,
}

/// A word websites are sorted by.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Tag")]
struct ShownTag<'a> {
    tag: &'a str,
    /// How many websites have it.
    websites: i64,
}

/// All tags.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "TagList")]
struct TagList<'a> {
    tags: Vec<ShownTag<'a>>,
}

/// `GET /api/v1/regions` -> 200 `{regions}`, by name.
///
/// # Errors
/// 401.
pub fn list(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    login::signed_in(app, request)?;
    let (found, now) = (app.wait(app.store.regions()).map_err(login::store)?, clock::now());
    let shown = |region: &Region| region.seen_at(now);
    let regions = found.iter().map(|region| ShownRegion {
        id: region.region_id.as_str(),
        created_at: At(region.created_at),
        seen_at: Some(shown(region)).filter(|at| *at > 0).map(At),
        workers_alive: region.workers.iter().filter(|worker| worker.is_alive(now)).count(),
        is_cut_off: region.is_cut_off(now),
    });
    Ok(Response::json(200, &RegionList { regions: regions.collect() }))
}

/// `GET /api/v1/workers?region=` -> 200 `{workers}`.
///
/// # Errors
/// 401, 404 for who is no operator.
pub fn workers(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    login::operator(app, request)?;
    let (found, now) = (app.wait(app.store.regions()).map_err(login::store)?, clock::now());
    let asked = request.query("region").filter(|region| !region.is_empty());
    let of = found.iter().filter(|region| asked.is_none_or(|asked| region.region_id.as_str() == asked));
    let workers = of.flat_map(|region| {
        region.workers.iter().map(move |worker| ShownWorker {
            id: worker.worker_id.as_str(),
            region: region.region_id.as_str(),
            seen_at: At(worker.seen_at),
            is_alive: worker.is_alive(now),
            version: &worker.version,
            concurrency: worker.concurrency,
            checks: worker.checks,
            clock_offset_ms: worker.clock_offset_ms,
            network: Word(worker.network),
            excused: worker.excused,
            in_flight: worker.load.in_flight,
            checks_per_minute: worker.load.checks_per_minute,
        })
    });
    Ok(Response::json(200, &WorkerList { workers: workers.collect() }))
}

/// `GET /api/v1/tags` -> 200 `{tags}`, sorted.
///
/// # Errors
/// 401.
pub fn tags(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account.account_id;
    let found = app.wait(app.store.tags(account)).map_err(login::store)?;
    let tags = found.iter().map(|(tag, websites)| ShownTag { tag: tag.as_str(), websites: *websites }).collect();
    Ok(Response::json(200, &TagList { tags }))
}
