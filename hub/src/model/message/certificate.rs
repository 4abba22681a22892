//! What is said of a certificate near its end: how long it has, not for how long it has been so.

use super::told::{over, subject};
use super::{AboutIncident, Tone, words};
use crate::model::{AlertEvent, Evidence, SeenCertificate, UtcMs};

const DAY_MS: i64 = 86_400_000;

/// The certificate that ends first, of those the regions saw.
fn first(about: &AboutIncident) -> Option<&SeenCertificate> {
    about.evidence.iter().filter_map(|seen| seen.certificate.as_ref()).min_by_key(|seen| seen.not_after_at)
}

pub(super) fn told(event: AlertEvent, about: &AboutIncident, now: UtcMs) -> (Tone, String, String) {
    let incident = &about.incident;
    let (subject, is_one) = subject(about);
    let left = first(about).map(|seen| seen.not_after_at.saturating_sub(now));
    let ends = match left {
        _ if incident.closed_at.is_some() => "was near its end".to_owned(),
        None => "is near its end".to_owned(),
        Some(..=0) => "has ended".to_owned(),
        Some(left_ms) => format!("ends in {}", days(left_ms)),
    };
    let title = format!("The certificate of {subject} {ends}");
    let cause = words::sentence(&incident.cause);
    match event {
        AlertEvent::Opened | AlertEvent::Updated | AlertEvent::Reminder => (Tone::Warning, title, cause),
        AlertEvent::Acknowledged => {
            let who = words::acknowledging(incident);
            (Tone::Note, format!("Acknowledged: {title}"), format!("{who} takes care of it. {cause}"))
        }
        AlertEvent::Resolved => {
            let (is, was) = if is_one { ("is", "was") } else { ("are", "were") };
            over(incident, &subject, (is, was), "", &about.said)
        }
        // About no incident; said for completeness.
        AlertEvent::Test | AlertEvent::ChannelBroken | AlertEvent::Summary | AlertEvent::Report => {
            (Tone::Note, subject, cause)
        }
    }
}

/// Rounded to whole days from two on, as people count them: what is told with 14 days left is told a moment later.
fn days(left_ms: i64) -> String {
    match left_ms.saturating_add(DAY_MS / 2) / DAY_MS {
        ..=1 => words::lasting(left_ms),
        days => format!("{days} days"),
    }
}

/// What a region saw.
pub(super) fn seen(evidence: &Evidence) -> String {
    match &evidence.certificate {
        Some(seen) => format!("valid until {}", words::instant(seen.not_after_at)),
        None => words::seen(evidence),
    }
}

/// Whom it is for, and who would renew it.
pub(super) fn facts(about: &AboutIncident, now: UtcMs) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    let Some(seen) = first(about) else { return facts };
    let name = |text: &str| words::line(text, SeenCertificate::CHARS);
    let until = words::instant(seen.not_after_at);
    if seen.not_after_at > now {
        facts.push(("Valid until", until))
    } else {
        facts.push(("Ended", until))
    }
    facts.push(("Issued for", name(&seen.subject)));
    facts.push(("Issued by", name(&seen.issuer)));
    facts.retain(|(_, value)| !value.is_empty());
    facts
}
