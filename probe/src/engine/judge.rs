//! The answer against what was asked for.

use super::certificate::date;
use super::challenge;
use super::classify::Trouble;
use super::exchange::Exchange;
use super::limits::CERTIFICATE_WARNING;
use crate::wire::{Blame, Certificate, Class, Failure, Method, Outcome, Phase, Target, UtcMs};

const DAY_MS: i64 = 86_400_000;

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
    let counts = target.expect.accept.accepts(answer.status);
    // A page that was asked for may say anything.
    let refusal = if counts { &[] } else { answer.beginning.as_slice() };
    if let Some(edge) = challenge::edge(answer.status, &answer.headers, refusal) {
        let text = format!("A bot challenge of {edge} ({}) answered instead of the website.", answer.status);
        return failed(trouble(Class::EdgeBlocked, Blame::Probe, text));
    }
    if !counts {
        let hint = if target.request.method == Method::Head && matches!(answer.status, 405 | 501) {
            " The server does not take HEAD; GET may work."
        } else {
            ""
        };
        let text = format!("The website answered with status {}.{hint}", answer.status);
        return failed(trouble(Class::HttpStatus, Blame::Target, text));
    }
    if let Some(content) = &answer.content {
        return failed(trouble(content.class, content.blame, content.detail.clone()));
    }
    if let Some(certificate) = &last.certificate
        && ends_soon(certificate, target.expect.certificate_days, now)
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

/// Whether somebody should have a look: with less than `days` left, or, if nobody said how many, by a rule of thumb.
/// Renewal is done with a third of the life left, and with a week at the latest; certificates that live for six days in
/// all would otherwise be near their end all the time.
fn ends_soon(certificate: &Certificate, days: Option<u16>, now: UtcMs) -> bool {
    let left = certificate.not_after_at.saturating_sub(now);
    let warning = match days {
        Some(0) => return false,
        Some(days) => i64::from(days) * DAY_MS,
        None => {
            let week = i64::try_from(CERTIFICATE_WARNING.as_millis()).unwrap_or(i64::MAX);
            week.min(certificate.not_after_at.saturating_sub(certificate.not_before_at) / 3)
        }
    };
    left < warning
}

fn trouble(class: Class, blame: Blame, detail: String) -> Failure {
    Trouble { class, phase: Phase::Judge, blame, detail }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_ends_soon_by_the_measure_of_its_life_or_as_its_owner_says() {
        // (life, days left, days asked for, worth a warning)
        for (life, left, asked, expected) in [
            (90, 8, None, false),
            (90, 6, None, true),
            (6, 3, None, false),
            (6, 1, None, true),
            (0, 0, None, false),
            (90, 20, Some(21), true),
            (90, 21, Some(21), false),
            (90, 0, Some(0), false),
        ] {
            let certificate = Certificate { not_after_at: life * DAY_MS, ..Certificate::default() };
            let soon = ends_soon(&certificate, asked, (life - left) * DAY_MS);
            assert_eq!(soon, expected, "{life} days, {left} left, {asked:?} asked for");
        }
    }
}
