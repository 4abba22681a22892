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
use crate::wire::{Blame, Class, Failure, Hop, Phase, Phases, Target};

/// Everything a check went through.
#[derive(Debug)]
pub(super) struct Journey {
    pub(super) hops: Vec<Hop>,
    pub(super) phases: Phases,
    pub(super) last: Exchange,
    pub(super) failure: Option<Failure>,
}

/// Follows redirects from `url` until an answer is to be judged, or something fails.
pub(super) fn travel(shared: &Arc<Shared>, mut url: Url, target: &Target, deadline: Instant) -> Journey {
    let mut hops: Vec<Hop> = Vec::new();
    let mut phases = Phases::default();
    let mut followed = 0u8;
    let mut retried = false;
    loop {
        let follows =
            |status: u16, headers: &HeaderMap| target.request.max_redirects > 0 && location(status, headers).is_some();
        let mut last = exchange(shared, &url, target.request.method, target.request.ip_family, deadline, follows);
        phases.add(&last.phases);
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
            return Journey { hops, phases, last, failure: Some(failure) };
        }
        let next = last
            .answer
            .as_ref()
            .filter(|_| target.request.max_redirects > 0)
            .and_then(|answer| location(answer.status, &answer.headers));
        let Some(next) = next else { return Journey { hops, phases, last, failure: None } };
        let failure = match resolve(&url, &next) {
            Ok(_) if followed == target.request.max_redirects => too_many(target.request.max_redirects),
            Ok(next) => {
                followed += 1;
                retried = false;
                url = next;
                continue;
            }
            Err(trouble) => trouble,
        };
        return Journey { hops, phases, last, failure: Some(failure.into()) };
    }
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
        return Err(Trouble {
            class: Class::RedirectBlocked,
            phase: Phase::Judge,
            blame: Blame::Target,
            detail: format!("The website redirects to a {} URL; only http and https are followed.", next.scheme()),
        });
    }
    next.set_fragment(None);
    let _ = next.set_username("");
    let _ = next.set_password(None);
    Ok(next)
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
    let detail = format!("After {followed} redirects, at {}: {}", shown(url), failure.detail);
    Failure { class, detail: classify::detail(&detail), ..failure }
}
