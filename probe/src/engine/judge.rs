//! The answer against what was asked for.

use std::time::{SystemTime, UNIX_EPOCH};

use super::certificate::date;
use super::classify::Trouble;
use super::exchange::Exchange;
use super::limits::CERTIFICATE_WARNING;
use crate::wire::{Blame, Class, Failure, Method, Outcome, Phase, Target, UtcMs};

/// The worker's wall clock.
pub(super) fn now() -> UtcMs {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
}

/// Outcome of a failed exchange: only the target's fault says anything about the target (I5).
pub(super) fn failed(failure: Failure) -> (Outcome, Option<Failure>) {
    let outcome = match failure.blame {
        Blame::Target => Outcome::Down,
        Blame::Probe | Blame::Policy => Outcome::Unknown,
    };
    (outcome, Some(failure))
}

/// Outcome of a complete exchange.
pub(super) fn answered(target: &Target, last: &Exchange, total_us: u32) -> (Outcome, Option<Failure>) {
    let Some(answer) = &last.answer else {
        return failed(trouble(Class::ProbeError, Blame::Probe, "The exchange ended without an answer.".to_owned()));
    };
    if !target.accept.accepts(answer.status) {
        if answer.headers.get("cf-mitigated").is_some_and(|value| value == "challenge") {
            let text = format!("A bot challenge ({}) answered instead of the website.", answer.status);
            return failed(trouble(Class::EdgeBlocked, Blame::Probe, text));
        }
        let hint = match (target.method, answer.status) {
            (Method::Head, 405 | 501) => " The server does not take HEAD; GET may work.",
            (Method::Head | Method::Get, _) => "",
        };
        let text = format!("The website answered with status {}.{hint}", answer.status);
        return failed(trouble(Class::HttpStatus, Blame::Target, text));
    }
    if let Some(certificate) = &last.certificate
        && certificate.not_after_at.saturating_sub(now())
            < i64::try_from(CERTIFICATE_WARNING.as_millis()).unwrap_or(i64::MAX)
    {
        let text = format!("The certificate ends on {}.", date(certificate.not_after_at));
        return (Outcome::Degraded, Some(trouble(Class::CertificateEnding, Blame::Target, text)));
    }
    if let Some(slow_ms) = target.slow_ms
        && u64::from(total_us) > u64::from(slow_ms) * 1000
    {
        let text = format!("The answer took {} ms; more than {slow_ms} ms counts as slow.", total_us / 1000);
        return (Outcome::Degraded, Some(trouble(Class::Slow, Blame::Target, text)));
    }
    (Outcome::Up, None)
}

fn trouble(class: Class, blame: Blame, detail: String) -> Failure {
    Trouble { class, phase: Phase::Judge, blame, detail }.into()
}
