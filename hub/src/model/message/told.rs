//! What is said of an incident: a title, a sentence or two, and the facts below them.

use super::{AboutIncident, Tone, certificate, words};
use crate::model::incident_words::who;
use crate::model::operator::{Condition, over_words};
use crate::model::verdict::without_codes;
use crate::model::{AlertEvent, ClosedAs, Evidence, Incident, IncidentKind, UtcMs};

/// Who it is about, and whether that is one.
pub(super) fn subject(about: &AboutIncident) -> (String, bool) {
    match (about.website_count, about.websites.first()) {
        (..=1, Some(website)) if !words::name(&website.url).is_empty() => (words::name(&website.url), true),
        (..=1, _) => ("A website".to_owned(), true),
        (count, _) => (format!("{count} websites"), false),
    }
}

/// How it sounds, its title, and what is said.
pub(super) fn of_incident(event: AlertEvent, about: &AboutIncident, now: UtcMs) -> (Tone, String, String) {
    if about.incident.kind == IncidentKind::Certificate {
        return certificate::told(event, about, now);
    }
    let incident = &about.incident;
    if incident.kind == IncidentKind::Operator {
        return of_installation(event, incident, &about.said, now);
    }
    let (subject, is_one) = subject(about);
    let (is, was, goes, fails) = if is_one { ("is", "was", "goes", "fails") } else { ("are", "were", "go", "fail") };
    let lasted = words::lasting(incident.ended_at.unwrap_or(now) - incident.began_at);
    let cause = words::sentence(&incident.cause);
    let bad = match incident.kind {
        IncidentKind::Outage => Tone::Bad,
        IncidentKind::Regional | IncidentKind::Flapping | IncidentKind::Certificate | IncidentKind::Operator => {
            Tone::Warning
        }
    };
    let state = match (incident.kind, incident.closed_at) {
        (IncidentKind::Outage, None) => format!("{is} down"),
        (IncidentKind::Outage, Some(_)) => format!("{was} down for {lasted}"),
        (IncidentKind::Regional, None) => format!("{fails} in some regions"),
        (IncidentKind::Regional, Some(_)) => format!("{was} failing in some regions for {lasted}"),
        (IncidentKind::Flapping, None) => format!("{goes} up and down"),
        (IncidentKind::Flapping, Some(_)) => format!("{was} going up and down for {lasted}"),
        // Told in words of its own.
        (IncidentKind::Certificate, _) => String::new(),
        (IncidentKind::Operator, None) => format!("{is} in trouble"),
        (IncidentKind::Operator, Some(_)) => format!("{was} in trouble for {lasted}"),
    };
    let still =
        if incident.closed_at.is_none() { state.replacen(is, &format!("{is} still"), 1) } else { state.clone() };
    let still = if still == state && incident.closed_at.is_none() { format!("still {state}") } else { still };
    match event {
        AlertEvent::Opened => (bad, format!("{subject} {state}"), cause),
        AlertEvent::Updated => (bad, format!("{subject} {still}"), words::sentence(&without_codes(&about.said))),
        AlertEvent::Acknowledged => {
            let who = words::acknowledging(incident);
            (Tone::Note, format!("Acknowledged: {subject} {state}"), format!("{who} takes care of it. {cause}"))
        }
        AlertEvent::Reminder => {
            (bad, format!("{subject} {still}"), format!("For {lasted}, and nobody has acknowledged it. {cause}"))
        }
        AlertEvent::Resolved => over(incident, &subject, (is, was), &lasted, &about.said),
        // About no incident; said for completeness.
        AlertEvent::Test | AlertEvent::ChannelBroken | AlertEvent::Summary | AlertEvent::Report => {
            (Tone::Note, subject, cause)
        }
    }
}

/// What operators are told: of no website, but of what has to be well for any of them to be watched.
fn of_installation(event: AlertEvent, incident: &Incident, said: &str, now: UtcMs) -> (Tone, String, String) {
    let tone = Condition::tone_of(&incident.cause_key);
    let lasted = words::lasting(incident.ended_at.unwrap_or(now) - incident.began_at);
    let (title, said) = (words::line(&incident.cause, 200), words::line(said, 900));
    match event {
        AlertEvent::Acknowledged => {
            let who = words::acknowledging(incident);
            (Tone::Note, format!("Acknowledged: {title}"), format!("{who} takes care of it."))
        }
        AlertEvent::Reminder => {
            (tone, format!("Still: {title}"), format!("For {lasted}, and nobody has acknowledged it. {said}"))
        }
        AlertEvent::Resolved => {
            let closed_as = incident.closed_as.unwrap_or(ClosedAs::Recovered);
            let tone = if closed_as == ClosedAs::Recovered { Tone::Good } else { Tone::Note };
            let title = incident.cause_key.parse::<Condition>().map_or_else(
                |_| format!("Over: {title}"),
                |condition| words::line(&over_words(&condition, closed_as).title, 200),
            );
            (tone, title, format!("After {lasted}. {said}").trim().to_owned())
        }
        AlertEvent::Updated => (tone, format!("Still: {title}"), said),
        AlertEvent::Opened
        | AlertEvent::Test
        | AlertEvent::ChannelBroken
        | AlertEvent::Summary
        | AlertEvent::Report => (tone, title, said),
    }
}

/// The same when it is over.
pub(super) fn over(
    incident: &Incident,
    subject: &str,
    (is, was): (&str, &str),
    lasted: &str,
    said: &str,
) -> (Tone, String, String) {
    let until = match incident.kind {
        IncidentKind::Outage => format!("while it {was} down"),
        IncidentKind::Regional => "while it failed in some regions".to_owned(),
        IncidentKind::Flapping => "while it went up and down".to_owned(),
        IncidentKind::Certificate => "while its certificate was near its end".to_owned(),
        IncidentKind::Operator => "while it lasted".to_owned(),
    };
    match incident.closed_as.unwrap_or(ClosedAs::Recovered) {
        ClosedAs::Recovered => match incident.kind {
            IncidentKind::Outage => {
                (Tone::Good, format!("{subject} {is} up again"), format!("Up again after {lasted}."))
            }
            IncidentKind::Regional => (
                Tone::Good,
                format!("{subject} {is} well in all regions again"),
                format!("It failed in some regions for {lasted}."),
            ),
            // What holds now is said by whoever closed it.
            IncidentKind::Flapping => (
                Tone::Note,
                format!("{subject} {is} steady again"),
                format!("It went up and down for {lasted}. {}", words::sentence(said)).trim().to_owned(),
            ),
            IncidentKind::Certificate => {
                (Tone::Good, format!("The certificate of {subject} was renewed"), words::sentence(&without_codes(said)))
            }
            IncidentKind::Operator => (Tone::Good, format!("{subject} {is} well again"), format!("After {lasted}.")),
        },
        ClosedAs::Worse => (
            Tone::Warning,
            format!("{subject} {is} worse"),
            format!("It failed in some regions for {lasted}; now it is down, which is told by itself."),
        ),
        ClosedAs::Changed => (
            Tone::Note,
            format!("{subject} {is} watched anew"),
            format!("What is watched was changed {until}, so that nobody can say how it went on."),
        ),
        ClosedAs::Paused => {
            (Tone::Note, format!("{subject} {was} paused"), format!("It was paused {until}: nobody looks at it now."))
        }
        ClosedAs::Deleted => {
            (Tone::Note, format!("{subject} {is} no longer watched"), format!("It was deleted {until}."))
        }
        ClosedAs::Retired => (Tone::Note, format!("{subject} {is} not expected any more"), format!("After {lasted}.")),
    }
}

/// Name and value, none of them empty.
pub(super) fn facts(event: AlertEvent, about: &AboutIncident, now: UtcMs) -> Vec<(&'static str, String)> {
    let incident = &about.incident;
    let mut facts = Vec::new();
    if let (..=1, Some(website)) = (about.website_count, about.websites.first()) {
        facts.push(("Website", words::line(&words::masked(&website.url), 300)));
    }
    // Else it has just been said.
    if !matches!(event, AlertEvent::Opened | AlertEvent::Reminder | AlertEvent::Acknowledged) {
        facts.push(("Cause", words::sentence(&incident.cause)));
    }
    match (incident.kind, incident.ended_at) {
        (IncidentKind::Certificate, _) => facts.extend(certificate::facts(about, now)),
        (_, ended) => {
            facts.push(("Since", words::instant(incident.began_at)));
            match ended {
                Some(ended) => facts.push(("Until", words::instant(ended))),
                None if event != AlertEvent::Opened => facts.push(("For", words::lasting(now - incident.began_at))),
                None => {}
            }
        }
    }
    if let Some(by) = incident.acknowledged_by.as_deref() {
        facts.push(("Acknowledged by", words::line(who(Some(by)), 80)));
    }
    if incident.closed_at.is_none() && !about.evidence.is_empty() {
        let seen_by = |e: &Evidence| match incident.kind {
            IncidentKind::Outage | IncidentKind::Regional | IncidentKind::Flapping | IncidentKind::Operator => {
                words::seen(e)
            }
            IncidentKind::Certificate => certificate::seen(e),
        };
        let seen: Vec<String> =
            about.evidence.iter().take(6).map(|e| format!("{}: {}", e.region_id, seen_by(e))).collect();
        let more = about.evidence.len().saturating_sub(6);
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        facts.push(("Seen from", words::line(&format!("{}{more}", seen.join("; ")), 500)));
    }
    facts.retain(|(_, value)| !value.is_empty());
    facts
}
