//! What programs take: our own webhook (`docs/ALERTS.md`), PagerDuty's events, Alertmanager's alerts.

use serde_json::{Map, Value, json};

use super::{AboutIncident, Message, Tone, words};
use crate::model::operator::Condition;
use crate::model::{AlertEvent, IncidentKind};

/// An alert that ends at no known time must be told an end, or Alertmanager makes it end after minutes.
const OPEN_END_MS: i64 = 30 * 86_400_000;

/// The type of a webhook's payload.
fn type_of(event: AlertEvent) -> &'static str {
    match event {
        AlertEvent::Opened => "incident.opened",
        AlertEvent::Updated => "incident.updated",
        AlertEvent::Acknowledged => "incident.acknowledged",
        AlertEvent::Resolved => "incident.resolved",
        AlertEvent::Reminder => "incident.reminder",
        AlertEvent::Test => "channel.test",
        AlertEvent::ChannelBroken => "channel.broken",
        AlertEvent::Summary => "alerts.held_back",
        AlertEvent::Report => "report",
    }
}

/// Our webhook: `type`, `timestamp` and `data`, as Standard Webhooks suggest. Fields may be added; none changes its
/// meaning while `version` stays.
pub(super) fn webhook(message: &Message) -> Value {
    let mut data = json!({
        "alert_id": message.alert_id.to_string(),
        "title": message.title,
        "text": message.said,
        "url": message.links.page,
        "acknowledge_url": message.links.acknowledge,
    });
    if let Some(about) = &message.about {
        data["incident"] = incident(about);
        data["websites"] = about
            .websites
            .iter()
            .map(|website| {
                json!({
                    "id": website.website_id.to_string(),
                    "url": words::masked(&website.url),
                    "began_at": words::rfc3339(website.began_at),
                    "ended_at": website.ended_at.map(words::rfc3339),
                })
            })
            .collect();
        data["website_count"] = json!(about.website_count);
        data["regions"] = regions(about);
    }
    if let Some(held) = &message.held {
        data["held_back"] = json!({
            "alerts": held.alerts,
            "open_incidents": held.open_count,
            "closed_incidents": held.closed_count,
            "first_open": held.open.iter().map(|one| json!({
                "incident_id": one.incident_id.to_string(),
                "cause": one.cause,
                "began_at": words::rfc3339(one.began_at),
                "url": words::masked(&one.url),
                "website_count": one.website_count,
            })).collect::<Vec<_>>(),
        });
    }
    if message.event == AlertEvent::ChannelBroken {
        data["channel"] = facts(message);
    }
    json!({
        "type": type_of(message.event),
        "version": 1,
        "timestamp": words::rfc3339(message.at),
        "data": data,
    })
}

fn incident(about: &AboutIncident) -> Value {
    let incident = &about.incident;
    json!({
        "id": incident.incident_id.to_string(),
        "kind": incident.kind.as_str(),
        "cause": incident.cause,
        "cause_key": incident.cause_key,
        "began_at": words::rfc3339(incident.began_at),
        "opened_at": words::rfc3339(incident.opened_at),
        "ended_at": incident.ended_at.map(words::rfc3339),
        "closed_at": incident.closed_at.map(words::rfc3339),
        "closed_as": incident.closed_as.map(|closed| closed.as_str()),
        "acknowledged_at": incident.acknowledged_at.map(words::rfc3339),
        "acknowledged_by": incident.acknowledged_by,
        "lasted_ms": incident.ended_at.map(|ended| ended - incident.began_at),
    })
}

fn regions(about: &AboutIncident) -> Value {
    let region = |seen: &crate::model::Evidence| {
        json!({
            "region": seen.region_id.as_str(),
            "worker": seen.worker_id.as_str(),
            "slot_at": words::rfc3339(seen.slot_at),
            "outcome": seen.outcome.as_str(),
            "class": seen.failure.as_ref().map(|failure| failure.class.as_str()),
            "phase": seen.failure.as_ref().map(|failure| failure.phase.as_str()),
            "blame": seen.failure.as_ref().map(|failure| failure.blame.as_str()),
            "status": seen.status,
            "total_us": seen.total_us,
            "text": words::seen(seen),
            "certificate": seen.certificate.as_ref().map(|certificate| json!({
                "subject": certificate.subject,
                "issuer": certificate.issuer,
                "not_after_at": words::rfc3339(certificate.not_after_at),
            })),
        })
    };
    about.evidence.iter().take(50).map(region).collect()
}

fn facts(message: &Message) -> Value {
    let facts = message.facts.iter().map(|(name, value)| ((*name).to_owned(), json!(value)));
    Value::Object(facts.collect::<Map<_, _>>())
}

/// Names what is to be one thing at the receiver, from its begin to its end.
fn dedup_key(message: &Message) -> String {
    match &message.about {
        Some(about) => about.incident.incident_id.to_string(),
        None => message.alert_id.to_string(),
    }
}

/// PagerDuty's Events API v2, without the routing key.
pub(super) fn pagerduty(message: &Message) -> Value {
    let is_closed = message.about.as_ref().is_some_and(|about| about.incident.closed_at.is_some());
    let action = match message.event {
        AlertEvent::Resolved => "resolve",
        AlertEvent::Acknowledged => "acknowledge",
        AlertEvent::Opened
        | AlertEvent::Updated
        | AlertEvent::Reminder
        | AlertEvent::Test
        | AlertEvent::ChannelBroken
        | AlertEvent::Summary
        | AlertEvent::Report => "trigger",
    };
    let mut event = json!({"event_action": action, "dedup_key": dedup_key(message)});
    if action != "trigger" {
        return event;
    }
    let severity = match message.tone {
        Tone::Bad => "critical",
        Tone::Warning => "warning",
        Tone::Good | Tone::Note => "info",
    };
    let mut details = facts(message);
    details["Message"] = json!(message.said);
    if !message.list.is_empty() {
        let mut list = message.list.clone();
        list.extend(message.more_words());
        details["Websites"] = json!(list);
    }
    let first = message.about.as_ref().and_then(|about| about.websites.first());
    let source = first.map(|website| words::name(&website.url)).filter(|name| !name.is_empty());
    event["payload"] = json!({
        "summary": words::line(&message.title, 1_000),
        "source": source.unwrap_or_else(|| "BetterUptime".to_owned()),
        "severity": if is_closed { "info" } else { severity },
        "timestamp": words::rfc3339(message.at),
        "class": message.about.as_ref().map_or("notice", |about| about.incident.kind.as_str()),
        "custom_details": details,
    });
    event["client"] = json!("BetterUptime");
    let links = [("Details", &message.links.page), ("Acknowledge", &message.links.acknowledge)];
    let links: Vec<Value> =
        links.iter().filter_map(|(text, link)| link.as_ref().map(|href| json!({"href": href, "text": text}))).collect();
    event["links"] = json!(links);
    if let Some(page) = &message.links.page {
        event["client_url"] = json!(page);
    }
    event
}

/// What ends at PagerDuty what this message began there.
pub(super) fn pagerduty_end(message: &Message) -> Value {
    json!({"event_action": "resolve", "dedup_key": dedup_key(message)})
}

/// Alertmanager's API v2. Labels name the alert, so that they are the same from begin to end, and few; what changes is in
/// the annotations.
pub(super) fn alertmanager(message: &Message) -> Value {
    let (name, severity) = match &message.about {
        Some(about) => match about.incident.kind {
            IncidentKind::Outage => ("WebsiteDown", "critical"),
            IncidentKind::Regional => ("WebsiteFailsInSomeRegions", "warning"),
            IncidentKind::Flapping => ("WebsiteFlaps", "warning"),
            IncidentKind::Certificate => ("CertificateEnds", "warning"),
            // By what is wrong, as it is while it lasts: labels stay the same to the end.
            IncidentKind::Operator => match Condition::tone_of(&about.incident.cause_key) {
                Tone::Bad => ("InstallationInTrouble", "critical"),
                Tone::Warning | Tone::Good | Tone::Note => ("InstallationInTrouble", "warning"),
            },
        },
        None => match message.event {
            AlertEvent::Test => ("BetterUptimeTest", "info"),
            AlertEvent::Summary => ("AlertsHeldBack", "warning"),
            AlertEvent::Report => ("Report", "info"),
            AlertEvent::ChannelBroken
            | AlertEvent::Opened
            | AlertEvent::Updated
            | AlertEvent::Acknowledged
            | AlertEvent::Resolved
            | AlertEvent::Reminder => ("ChannelBroken", "warning"),
        },
    };
    let mut labels = json!({
        "alertname": name,
        "severity": severity,
        "source": "betteruptime",
        "id": dedup_key(message),
    });
    let (mut starts_at, mut ends_at) = (message.at, message.at + 3_600_000);
    if let Some(about) = &message.about {
        labels["cause"] = json!(words::line(&about.incident.cause_key, 200));
        starts_at = about.incident.began_at;
        ends_at = match (about.incident.closed_at, about.incident.ended_at) {
            (Some(closed), ended) => ended.unwrap_or(closed).max(starts_at + 1),
            (None, _) => message.at + OPEN_END_MS,
        };
    }
    let mut description = message.said.clone();
    for one in message.list.iter().chain(message.more_words().iter()) {
        description = format!("{description}\n{one}");
    }
    let mut annotations = json!({"summary": message.title, "description": description});
    for (fact, value) in &message.facts {
        annotations[fact.to_lowercase().replace(' ', "_")] = json!(value);
    }
    if let Some(link) = &message.links.acknowledge {
        annotations["acknowledge_url"] = json!(link);
    }
    let mut alert = json!({
        "labels": labels,
        "annotations": annotations,
        "startsAt": words::rfc3339(starts_at),
        "endsAt": words::rfc3339(ends_at),
    });
    if let Some(page) = &message.links.page {
        alert["generatorURL"] = json!(page);
    }
    json!([alert])
}
