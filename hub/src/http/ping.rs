//! Where jobs report: `/ping/<id>`, and under it `start`, `fail` or an exit code. Nobody signs in, and no page of ours calls
//! it: whoever knows the id may report, by GET, HEAD or POST. What is answered with 200 is stored. The id is a secret, so
//! nothing here logs a path, and trouble never leaves as an error that would.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::{App, HttpError, Request, Response, route::Params};
use crate::clock;
use crate::model::{Ping, PingId, PingKind, job};
use crate::store::Pinged;

/// Pings of one id at once; a start and an end may follow each other at once.
const BURST: i64 = 5;
/// One more each.
const ONE_MS: i64 = 1_000;
/// Ids that are counted; those that are quiet are forgotten first.
const KEYS: usize = 10_000;
/// When to try again, where we cannot store it now. `curl --retry 5` waits so long before each of its tries, which together
/// have to outlast an absence that is not written down ([`job::DEAF_MS`]).
const RETRY_AFTER_S: &str = "6";
/// As shown on the page of a job, and in the documents.
#[cfg(test)]
const CURL_RETRIES: i64 = 5;

/// How often each id may report.
#[derive(Debug, Default)]
pub struct PingLimit {
    /// When all that was used up is there again.
    full_at: Mutex<HashMap<uuid::Uuid, i64>>,
}

impl PingLimit {
    /// Whether one more may be taken in at `now_ms`, of a clock that does not jump.
    pub fn admits(&self, id: PingId, now_ms: i64) -> bool {
        let mut known = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KEYS && !known.contains_key(&id.0) {
            known.retain(|_, full_at| *full_at > now_ms);
            if known.len() >= KEYS {
                known.clear();
            }
        }
        let full_at = known.entry(id.0).or_insert(now_ms);
        let next = (*full_at).max(now_ms) + ONE_MS;
        let admits = next - now_ms <= BURST * ONE_MS;
        if admits {
            *full_at = next;
        }
        admits
    }
}

fn text(status: u16, body: &str) -> Response {
    Response::text(status, format!("{body}\n"))
}

/// `/ping/:id`: a run ended well.
///
/// # Errors
/// Never: trouble is an answer.
pub fn plain(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    Ok(take(app, request, params, PingKind::Success, None))
}

/// `/ping/:id/start`, `/ping/:id/fail`, `/ping/:id/0` to `/ping/:id/255`.
///
/// # Errors
/// Never: trouble is an answer.
pub fn with_word(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let word = params.get("word");
    let (kind, exit_code) = match (word, word.parse::<u8>()) {
        ("start", _) => (PingKind::Start, None),
        ("fail", _) => (PingKind::Fail, None),
        (_, Ok(0)) => (PingKind::Success, Some(0)),
        (_, Ok(code)) => (PingKind::Fail, Some(code)),
        (_, Err(_)) => return Ok(text(400, "End the address with start, fail, or an exit code from 0 to 255.")),
    };
    Ok(take(app, request, params, kind, exit_code))
}

fn take(app: &App, request: &Request, params: &Params, kind: PingKind, exit_code: Option<u8>) -> Response {
    let Ok(id) = params.get("id").parse::<PingId>() else { return nobody() };
    if !app.pings.admits(id, clock::steady_us().div_euclid(1_000)) {
        app.store.counts().refused_ping.add(1);
        return text(429, "Too many pings at once: one a second is taken in.").with("retry-after", "1");
    }
    let ping = Ping { at: clock::now(), kind, exit_code, said: job::said(&request.body) };
    match app.wait(app.store.take_ping(id, &ping)) {
        Ok(Pinged::Stored) => text(200, "OK"),
        Ok(Pinged::Nobody) => nobody(),
        Err(error) => {
            tracing::warn!(request.id = %request.request_id, %error, "A ping could not be stored; it was asked to come again.");
            text(503, "Not stored: the database does not answer. Try again in a moment.")
                .with("retry-after", RETRY_AFTER_S)
        }
    }
}

fn nobody() -> Response {
    text(404, "No job reports here. See its page for its address.")
}

/// Where a job reports, as whoever asks now reaches the hub.
#[must_use]
pub fn url(app: &App, request: &Request, id: PingId) -> String {
    format!("{}/ping/{id}", base(app, request))
}

/// How whoever asks now reaches the hub, without a trailing slash.
pub(super) fn base(app: &App, request: &Request) -> String {
    let base = app.settings.public_url.clone().unwrap_or_else(|| {
        let scheme = if app.settings.secure_cookies { "https" } else { "http" };
        format!("{scheme}://{}", request.header("host").unwrap_or("localhost"))
    });
    base.trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_may_report_five_times_at_once_and_then_once_a_second() {
        let limit = PingLimit::default();
        let (one, other) = (PingId(uuid::Uuid::from_u128(1)), PingId(uuid::Uuid::from_u128(2)));
        let admitted = (0..20).filter(|_| limit.admits(one, 1_000)).count();
        assert_eq!(admitted, 5);
        assert!(limit.admits(other, 1_000), "each id has its own share");
        assert!(!limit.admits(one, 1_999) && limit.admits(one, 2_000) && !limit.admits(one, 2_001));
        assert_eq!((0..20).filter(|_| limit.admits(one, 60_000)).count(), 5, "what was refused costs nothing");
    }

    #[test]
    fn whoever_tries_again_as_asked_outlasts_an_absence_that_is_no_excuse() {
        let tries_for_ms = RETRY_AFTER_S.parse::<i64>().unwrap() * 1_000 * CURL_RETRIES;
        assert!(tries_for_ms > job::DEAF_MS && tries_for_ms <= job::RETRIES_MS, "{tries_for_ms}");
    }

    #[test]
    fn whoever_makes_ids_up_fills_no_memory() {
        let limit = PingLimit::default();
        for n in 0..25_000 {
            assert!(limit.admits(PingId(uuid::Uuid::from_u128(n)), 1_000));
        }
        assert!(limit.full_at.lock().unwrap_or_else(PoisonError::into_inner).len() <= KEYS);
    }
}
