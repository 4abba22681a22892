//! Hop after hop to the answer that counts. ureq's own redirects followed `file:` to the same host and read endless
//! bodies on the way (CASES 2.2), so they are off.

use std::sync::Arc;
use std::time::Instant;

use ureq::http::{HeaderMap, header};
use url::Url;

use super::Shared;
use super::classify::{self, Trouble, printable};
use super::exchange::{Exchange, exchange};
use super::hop::shown;
use super::limits::{MAX_PLACE_BYTES, MAX_REDIRECT_URL_BYTES};
use super::request::Ask;
use crate::wire::{Blame, Class, Failure, Hop, Note, Phase, Phases, Target};

/// Everything a check went through.
#[derive(Debug)]
pub(super) struct Journey {
    pub(super) hops: Vec<Hop>,
    pub(super) phases: Phases,
    pub(super) last: Exchange,
    pub(super) failure: Option<Failure>,
    pub(super) notes: Vec<Note>,
}

/// Follows redirects from `url` until an answer is to be judged, or something fails.
pub(super) fn travel(shared: &Arc<Shared>, mut url: Url, target: &Target, deadline: Instant) -> Journey {
    let mut hops: Vec<Hop> = Vec::new();
    let mut phases = Phases::default();
    let mut followed = 0u8;
    let mut retried = false;
    let mut ask = Ask::first(&target.request);
    let mut notes = Vec::new();
    loop {
        let follows =
            |status: u16, headers: &HeaderMap| target.request.max_redirects > 0 && location(status, headers).is_some();
        let mut last = exchange(shared, &url, target, &ask, deadline, follows);
        phases.add(&last.phases);
        if target.request.insecure_tls && last.phases.tls_us.is_some() && !notes.contains(&Note::TlsUnverified) {
            notes.push(Note::TlsUnverified);
        }
        hops.push(Hop {
            url: shown(&url),
            status: last.answer.as_ref().map(|answer| answer.status),
            phases: last.phases,
        });
        if let Some(failure) = last.failure.take() {
            // A server that closes an idle listener or restarts answers the second time; the first try stays visible.
            if failure.class == Class::EmptyReply && !retried && Instant::now() < deadline {
                retried = true;
                continue;
            }
            let failure = at_hop(failure, followed, &url);
            return Journey { hops, phases, last, failure: Some(failure), notes };
        }
        let answer = last.answer.as_ref().filter(|_| target.request.max_redirects > 0);
        let next = answer.and_then(|answer| Some((answer.status, location(answer.status, &answer.headers)?)));
        let Some((status, next)) = next else {
            let failure = came_in_the_clear(target, &url).map(Failure::from);
            return Journey { hops, phases, last, failure, notes };
        };
        let trouble = match step(target, ask, status, &url, &next) {
            Ok(_) if followed == target.request.max_redirects => too_many(target.request.max_redirects),
            Ok((next, changed)) => {
                if is_downgrade(&url, &next) && !notes.contains(&Note::RedirectDowngrade) {
                    notes.push(Note::RedirectDowngrade);
                }
                followed += 1;
                retried = false;
                (url, ask) = (next, changed);
                continue;
            }
            Err(trouble) => trouble,
        };
        return Journey { hops, phases, last, failure: Some(trouble.into()), notes };
    }
}

/// Where to go from `from`, and what to ask there.
fn step<'a>(
    target: &Target,
    ask: Ask<'a>,
    status: u16,
    from: &Url,
    reference: &str,
) -> Result<(Url, Ask<'a>), Trouble> {
    let next = resolve(from, reference)?;
    if target.expect.require_https && is_downgrade(from, &next) {
        let detail = format!("The website redirects from https to http, at {}; https is required.", shown(&next));
        return Err(blocked(detail));
    }
    let ask = ask.redirected(status, from, &next)?;
    Ok((next, ask))
}

fn is_downgrade(from: &Url, to: &Url) -> bool {
    from.scheme() == "https" && to.scheme() == "http"
}

/// An answer over http where https is required.
fn came_in_the_clear(target: &Target, url: &Url) -> Option<Trouble> {
    (target.expect.require_https && url.scheme() != "https").then(|| Trouble {
        class: Class::ExpectationFailed,
        phase: Phase::Judge,
        blame: Blame::Target,
        detail: format!("The answer came over http, from {}; https is required.", shown(url)),
    })
}

/// Where a redirect leads; the last `Location` counts.
fn location(status: u16, headers: &HeaderMap) -> Option<String> {
    if !matches!(status, 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let value = headers.get_all(header::LOCATION).iter().next_back()?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// The reference against the URL it came from (RFC 3986), if we may go there.
fn resolve(from: &Url, reference: &str) -> Result<Url, Trouble> {
    let mut next = from.join(reference).map_err(|e| Trouble {
        class: Class::HttpProtocol,
        phase: Phase::Judge,
        blame: Blame::Target,
        detail: format!("The redirect's Location \"{}\" is not a URL: {e}.", quoted(reference)),
    })?;
    if !matches!(next.scheme(), "http" | "https") {
        let scheme = next.scheme();
        return Err(blocked(format!("The website redirects to a {scheme} URL; only http and https are followed.")));
    }
    if next.as_str().len() > MAX_REDIRECT_URL_BYTES {
        return Err(Trouble {
            class: Class::RedirectBlocked,
            phase: Phase::Judge,
            blame: Blame::Policy,
            detail: format!(
                "The website redirects to an address of {} bytes; the probe follows up to {MAX_REDIRECT_URL_BYTES}.",
                next.as_str().len()
            ),
        });
    }
    next.set_fragment(None);
    let _ = next.set_username("");
    let _ = next.set_password(None);
    Ok(next)
}

fn blocked(detail: String) -> Trouble {
    Trouble { class: Class::RedirectBlocked, phase: Phase::Judge, blame: Blame::Target, detail }
}

fn quoted(reference: &str) -> String {
    printable(reference.split(['?', '#']).next().unwrap_or_default(), 64)
}

fn too_many(limit: u8) -> Trouble {
    Trouble {
        class: Class::TooManyRedirects,
        phase: Phase::Judge,
        blame: Blame::Target,
        detail: format!("The website redirected more than {limit} times."),
    }
}

/// Says at which hop it happened, and that a redirect led into a forbidden place.
fn at_hop(failure: Failure, followed: u8, url: &Url) -> Failure {
    if followed == 0 {
        return failure;
    }
    let class = if failure.class == Class::BlockedByPolicy { Class::RedirectBlocked } else { failure.class };
    let place = printable(&shown(url), MAX_PLACE_BYTES);
    let detail = format!("After {followed} redirects, at {place}: {}", failure.detail);
    Failure { class, detail: classify::detail(&detail), ..failure }
}
