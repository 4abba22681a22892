//! The answer against what was asked for.

use super::certificate::date;
use super::classify::Trouble;
use super::exchange::Exchange;
use super::limits::CERTIFICATE_WARNING;
use crate::wire::{Blame, Certificate, Class, Failure, Method, Outcome, Phase, Target, UtcMs};

/// Outcome of a failed exchange: only the target's fault says anything about the target (I5).
pub(super) fn failed(failure: Failure) -> (Outcome, Option<Failure>) {
    let outcome = match failure.blame {
        Blame::Target => Outcome::Down,
        Blame::Probe | Blame::Policy => Outcome::Unknown,
    };
    (outcome, Some(failure))
}

/// Outcome of an exchange that is complete at `now`.
pub(super) fn answered(target: &Target, last: &Exchange, total_us: u32, now: UtcMs) -> (Outcome, Option<Failure>) {
    let Some(answer) = &last.answer else {
        return failed(trouble(Class::ProbeError, Blame::Probe, "The exchange ended without an answer.".to_owned()));
    };
    if !target.expect.accept.accepts(answer.status) {
        if answer.headers.get("cf-mitigated").is_some_and(|value| value == "challenge") {
            let text = format!("A bot challenge ({}) answered instead of the website.", answer.status);
            return failed(trouble(Class::EdgeBlocked, Blame::Probe, text));
        }
        let hint = match (target.request.method, answer.status) {
            (Method::Head, 405 | 501) => " The server does not take HEAD; GET may work.",
            (_, _) => "",
        };
        let text = format!("The website answered with status {}.{hint}", answer.status);
        return failed(trouble(Class::HttpStatus, Blame::Target, text));
    }
    if let Some(certificate) = &last.certificate
        && ends_soon(certificate, now)
    {
        let text = format!("The certificate ends on {}.", date(certificate.not_after_at));
        return (Outcome::Degraded, Some(trouble(Class::CertificateEnding, Blame::Target, text)));
    }
    if let Some(slow_ms) = target.expect.slow_ms
        && u64::from(total_us) > u64::from(slow_ms) * 1000
    {
        let text = format!("The answer took {} ms; more than {slow_ms} ms counts as slow.", total_us / 1000);
        return (Outcome::Degraded, Some(trouble(Class::Slow, Blame::Target, text)));
    }
    (Outcome::Up, None)
}

/// Whether somebody should have a look: renewal is done with a third of the life left, and with a week at the latest.
/// Certificates that live for six days in all would otherwise be near their end all the time.
fn ends_soon(certificate: &Certificate, now: UtcMs) -> bool {
    let week = i64::try_from(CERTIFICATE_WARNING.as_millis()).unwrap_or(i64::MAX);
    let life = certificate.not_after_at.saturating_sub(certificate.not_before_at);
    certificate.not_after_at.saturating_sub(now) < week.min(life / 3)
}

fn trouble(class: Class, blame: Blame, detail: String) -> Failure {
    Trouble { class, phase: Phase::Judge, blame, detail }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_ends_soon_by_the_measure_of_its_life() {
        const DAY: i64 = 86_400_000;
        // (life, days left, worth a warning)
        for (life, left, expected) in [(90, 8, false), (90, 6, true), (6, 3, false), (6, 1, true), (0, 0, false)] {
            let certificate = Certificate {
                not_before_at: 0,
                not_after_at: life * DAY,
                issuer: String::new(),
                subject: String::new(),
                names: Vec::new(),
                names_total: 0,
                chain: Vec::new(),
                tls_version: None,
            };
            assert_eq!(ends_soon(&certificate, (life - left) * DAY), expected, "{life} days, {left} left");
        }
    }
}
