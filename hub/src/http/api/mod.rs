//! JSON for programs. Each module declares in its `GROUP`, beside its handlers, what they read and answer with
//! ([`super::openapi`]).

pub mod alerts;
pub mod ancestor;
pub mod audit;
pub mod bulk;
pub mod capacity;
pub mod channels;
pub mod check;
pub mod cursor;
pub mod dead_letters;
pub mod document;
pub mod events;
pub mod health;
pub mod history;
pub mod incidents;
pub mod jobs;
pub mod keys;
pub mod maintenance;
pub mod regions;
pub mod reports;
mod revision;
pub mod sessions;
pub mod shape;
mod status_page_input;
mod status_page_shown;
pub mod status_pages;
pub mod status_posts;
pub mod teams;
pub mod ticks;
pub mod website_input;
pub mod websites;

use serde::{Deserialize, Deserializer};

use super::{HttpError, Request, Response};
use crate::model::UtcMs;

pub(super) fn rfc3339(at: UtcMs) -> String {
    jiff::Timestamp::from_millisecond(at).map_or_else(|_| String::new(), |t| format!("{t:.3}"))
}

/// The body as JSON. One that is empty is an object without fields.
fn body<'a, T: Deserialize<'a>>(request: &'a Request, expected: &str) -> Result<T, HttpError> {
    let bytes = if request.body.is_empty() { b"{}".as_slice() } else { &request.body };
    serde_json::from_slice(bytes).map_err(|error| HttpError::BadRequest(format!("Send {expected} as JSON: {error}.")))
}

/// Whether a body says that it is JSON.
fn is_json(request: &Request) -> Result<(), HttpError> {
    if request.media_type() == "application/json" { Ok(()) } else { Err(HttpError::MediaType("application/json")) }
}

/// A field that may be missing, or null: `Some(None)` is null.
#[expect(clippy::option_option, reason = "missing and null are two things")]
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(from).map(Some)
}

/// 204.
fn done() -> Response {
    Response { status: 204, headers: Vec::new(), body: Vec::new() }
}
