//! `/api/v1/capacity`: room on disk. For operators only; for others there is nothing here.

use schemars::JsonSchema;

use crate::http::openapi::{Group, Operation, of};
use crate::http::pages::capacity::read;
use crate::http::{App, HttpError, Request, Response, login, route::Params};

/// What is declared of it.
pub static GROUP: Group = Group {
    name: "Capacity",
    about: "Room on disk: what is used, and what it will come to. For operators.",
    operations: &[Operation::get("/api/v1/capacity", "getCapacity", "Room on disk. At most five minutes old.")
        .json(of::<Capacity>)],
};

/// Room on disk. A later version may tell more.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "describes what the operator's part writes")]
struct Capacity {
    /// What is watched and not paused.
    websites: u64,
    checks_per_s: f64,
    ticks_per_day: u64,
    retention_days: u16,
    /// What is kept, by why.
    parts: Vec<CapacityPart>,
    incidents_used_bytes: Option<u64>,
    predicted_bytes: u64,
    used_bytes: u64,
    at_full_retention_bytes: u64,
    growth_bytes_per_day: u64,
    free_bytes: Option<u64>,
    disk_bytes: Option<u64>,
    full_in_days: Option<u32>,
    redis_bytes_per_hour_without_hub: u64,
}

/// Part of it.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "describes what the operator's part writes")]
struct CapacityPart {
    #[schemars(extend("enum" = ["raw_ticks", "sealed_ticks", "roll_ups", "uptime_days", "state"]))]
    part: String,
    predicted_bytes: u64,
    used_bytes: Option<u64>,
    at_full_retention_bytes: u64,
}

/// `GET /api/v1/capacity` -> 200, see docs/OPERATIONS.md. At most five minutes old.
///
/// # Errors
/// 401, 404 for who is no operator, 503 when the database is away.
pub fn show(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    login::operator(app, request)?;
    Ok(Response::json(200, &read(app)?.as_json()))
}
