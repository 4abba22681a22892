//! The timeline of an incident, in words.

use super::issuer::IssuerChange;
use super::message::words::{day, is_address, line};
use super::{ClosedAs, IncidentKind, MutedBy, Outcome, UtcMs};

/// An address without its query, which may be long and hold what is not for everybody's eyes.
pub(super) fn short(url: &str) -> String {
    match url.split_once('?').filter(|_| is_address(url)) {
        Some((place, _)) => format!("{place}?…"),
        None => url.to_owned(),
    }
}

/// A sentence without a full stop, and behind it how it was decided: sentences of their own.
pub(super) fn with_reason(sentence: &str, reason: &str) -> String {
    match reason.trim() {
        "" => format!("{sentence}."),
        reason => format!("{sentence}. {reason}"),
    }
}

pub(super) fn fails(url: &str, kind: IncidentKind, reason: &str) -> String {
    let sentence = match kind {
        IncidentKind::Outage => format!("{url} is down"),
        IncidentKind::Regional => format!("{url} is up, but not for everybody"),
        IncidentKind::Flapping => format!("{url} is unstable"),
        IncidentKind::Certificate => format!("{url} has a certificate near its end"),
        // Of no website.
        IncidentKind::Operator => url.to_owned(),
    };
    with_reason(&sentence, reason)
}

/// Of a website that was in it before its regions changed, or nobody could tell.
pub(super) fn fails_still(url: &str, kind: IncidentKind, reason: &str) -> String {
    let sentence = match kind {
        IncidentKind::Outage => format!("{url} is seen to be down still"),
        IncidentKind::Regional => format!("{url} fails for others now"),
        IncidentKind::Flapping => format!("{url} is unstable still"),
        IncidentKind::Certificate => format!("{url} has a certificate near its end still"),
        IncidentKind::Operator => url.to_owned(),
    };
    with_reason(&sentence, reason)
}

/// A certificate that has come to the next step: less than so much is left of it.
pub(super) fn nearer(url: &str, step_ms: i64, reason: &str) -> String {
    with_reason(&format!("Less than {} are left of the certificate of {url}", lasted(step_ms)), reason)
}

/// What there is in place of a certificate that was near its end.
pub(super) fn renewed(until: Option<UtcMs>) -> String {
    match until {
        Some(until) => format!("The one that is shown now is valid until {}.", day(until)),
        None => "It answers without one now.".to_owned(),
    }
}

pub(super) fn issuer(change: &IssuerChange) -> String {
    format!("The issuer changed from {} to {}", line(&change.from, 80), line(&change.to, 80))
}

pub(super) fn noted(url: &str, said: &str) -> String {
    format!("{url}: {said}.")
}

pub(super) fn unclear(url: &str, reason: &str) -> String {
    with_reason(&format!("Nobody can tell how {url} is"), reason)
}

pub(super) fn well(url: &str, kind: IncidentKind, verdict: Outcome, reason: &str, lasted_ms: i64) -> String {
    let span = lasted(lasted_ms);
    let sentence = match (kind, verdict) {
        (IncidentKind::Outage, Outcome::Degraded) => format!("{url} answers again after {span}, but is degraded"),
        (IncidentKind::Outage, Outcome::Up | Outcome::Down | Outcome::Unknown) => {
            format!("{url} is up again after {span}")
        }
        (IncidentKind::Regional, Outcome::Up | Outcome::Degraded) => {
            format!("{url} is reached from everywhere again after {span}")
        }
        (IncidentKind::Regional, Outcome::Down) => format!("{url} is down for more than a few after {span}"),
        (IncidentKind::Regional, Outcome::Unknown) => format!("Nobody can tell any more how {url} is after {span}"),
        (IncidentKind::Flapping, _) => format!("{url} is stable again after {span}"),
        (IncidentKind::Certificate, _) => format!("The certificate of {url} was renewed"),
        (IncidentKind::Operator, _) => format!("{url} is well again after {span}"),
    };
    with_reason(&sentence, reason)
}

pub(super) fn gone(url: &str, closed_as: ClosedAs) -> String {
    match closed_as {
        ClosedAs::Recovered => format!("{url} is well again."),
        ClosedAs::Worse => format!("{url} is down for more than a few; that is an incident of its own."),
        ClosedAs::Changed => format!("What is watched of {url} was changed, so nobody can say how it went on."),
        ClosedAs::Paused => format!("{url} was paused by its owner."),
        ClosedAs::Deleted => format!("{url} was deleted by its owner."),
        ClosedAs::Retired => format!("{url} is not expected any more."),
    }
}

/// Nobody is told.
pub(super) fn muted(by: MutedBy) -> &'static str {
    match by {
        MutedBy::Maintenance => "Nobody is told for now: maintenance is going on.",
        MutedBy::Parent => "Nobody is told for now: what it depends on is down, which is told.",
        MutedBy::Flapping => "Nobody is told for now: it is unstable, which is told.",
    }
}

/// What a website depends on is down as well, as was seen after people were told of the website.
#[must_use]
pub fn down_as_well(url: &str, since_at: UtcMs) -> String {
    let since = super::message::words::instant(since_at);
    format!("What it depends on, {}, is down as well, since {since}: nobody is told more of it for now.", short(url))
}

/// People are told from now on.
pub(super) const UNMUTED: &str = "It goes on with nothing left to wait for: people are told now.";

/// A span in its two largest units.
#[must_use]
pub fn lasted(ms: i64) -> String {
    let seconds = ms.max(0) / 1_000;
    let (days, hours, minutes, rest) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{rest} s"),
        (0, 0, m) => format!("{m} min"),
        (0, h, 0) => format!("{h} h"),
        (0, h, m) => format!("{h} h {m} min"),
        (1, 0, _) => "1 day".to_owned(),
        (1, h, _) => format!("1 day {h} h"),
        (d, 0, _) => format!("{d} days"),
        (d, h, _) => format!("{d} days {h} h"),
    }
}

/// Somebody took it on; who is beside it.
pub const ACKNOWLEDGED: &str = "Taken on; nobody is reminded from now on.";

/// Who took an incident on by a link of a message, as it is stored: a link names nobody.
pub const BY_LINK: &str = "link";

/// Who took it on, for people.
#[must_use]
pub fn who(by: Option<&str>) -> &str {
    match by {
        Some(BY_LINK) => "somebody with the link",
        Some(by) => by,
        None => "somebody",
    }
}
