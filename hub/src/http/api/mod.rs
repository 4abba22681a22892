//! JSON for programs.

pub mod alerts;
pub mod ancestor;
pub mod capacity;
pub mod channels;
pub mod dead_letters;
pub mod health;
pub mod history;
pub mod incidents;
pub mod jobs;
pub mod maintenance;
pub mod reports;
pub mod sessions;
pub mod websites;

use serde::{Deserialize, Deserializer};

use super::{HttpError, Request};
use crate::model::{FieldError, FieldErrors, UtcMs};

/// Entries of a page of a list, when nothing is said and at most.
const LIMIT: i64 = 50;
const MOST: i64 = 200;

fn rfc3339(at: UtcMs) -> String {
    jiff::Timestamp::from_millisecond(at).map_or_else(|_| String::new(), |t| format!("{t:.3}"))
}

/// The body as JSON. One that is empty is an object without fields.
fn body<'a, T: Deserialize<'a>>(request: &'a Request, expected: &str) -> Result<T, HttpError> {
    let bytes = if request.body.is_empty() { b"{}".as_slice() } else { &request.body };
    serde_json::from_slice(bytes).map_err(|error| HttpError::BadRequest(format!("Send {expected} as JSON: {error}.")))
}

/// A field that may be missing, or null: `Some(None)` is null.
#[expect(clippy::option_option, reason = "missing and null are two things")]
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(from).map(Some)
}

/// How many entries of a list are asked for.
fn limit(request: &Request) -> Result<i64, HttpError> {
    let given = request.query("limit").unwrap_or_default();
    match given.parse() {
        Ok(limit @ 1..=MOST) => Ok(limit),
        Err(_) if given.is_empty() => Ok(LIMIT),
        Ok(_) | Err(_) => {
            let remedy = format!("Give a whole number from 1 to {MOST}.");
            Err(HttpError::Fields(FieldErrors(vec![FieldError::new("limit", given, remedy)])))
        }
    }
}
