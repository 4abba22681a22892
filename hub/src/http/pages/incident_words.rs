//! How incidents are said on pages: what it is in one sentence, how it stands, who was told.

use super::words::{self, Mark, instant, lasted};
use crate::model::incident_words::who;
use crate::model::message::Tone;
use crate::model::operator::Condition;
use crate::model::{
    AlertEvent, AlertState, ClosedAs, Incident, IncidentEventKind, IncidentKind, MutedBy, TryResult, UtcMs,
};

/// Its first website, and how many there are beside it.
pub(super) fn about(first_url: &str, websites: i64) -> String {
    let name = words::name(first_url);
    match websites {
        ..=1 => name,
        n => format!("{name} and {} more", n - 1),
    }
}

/// What it is, as one says it. `failing`: how many of its websites do still.
pub(super) fn heading(incident: &Incident, first_url: &str, websites: i64, failing: i64) -> String {
    if incident.kind == IncidentKind::Operator {
        let over = if incident.closed_at.is_some() { "Over: " } else { "" };
        return format!("{over}{}", incident.cause);
    }
    let (about, is_one) = (about(first_url, websites), websites <= 1);
    let is_open = incident.closed_at.is_none();
    // The first one may be among those that are well again.
    if is_open && (1..websites).contains(&failing) {
        let what = match (incident.kind, failing) {
            (IncidentKind::Outage, 1) => "is still down",
            (IncidentKind::Outage, _) => "are still down",
            (IncidentKind::Regional, _) => "still cannot be reached from some regions",
            (IncidentKind::Flapping, 1) => "still keeps going up and down",
            (IncidentKind::Flapping, _) => "still keep going up and down",
            (IncidentKind::Certificate, 1) => "still has a certificate near its end",
            (IncidentKind::Certificate, _) => "still have a certificate near its end",
            (IncidentKind::Operator, _) => "still in trouble",
        };
        return format!("{about}: {failing} of {websites} {what}");
    }
    let what = match (incident.kind, is_open, is_one) {
        (IncidentKind::Outage, true, true) => "is down",
        (IncidentKind::Outage, true, false) => "are down",
        (IncidentKind::Outage, false, true) => "was down",
        (IncidentKind::Outage, false, false) => "were down",
        (IncidentKind::Regional, true, _) => "cannot be reached from some regions",
        (IncidentKind::Regional, false, _) => "could not be reached from some regions",
        (IncidentKind::Flapping, true, true) => "keeps going up and down",
        (IncidentKind::Flapping, true, false) => "keep going up and down",
        (IncidentKind::Flapping, false, _) => "kept going up and down",
        (IncidentKind::Certificate, true, true) => "has a certificate near its end",
        (IncidentKind::Certificate, true, false) => "have a certificate near its end",
        (IncidentKind::Certificate, false, _) => "had a certificate near its end",
        (IncidentKind::Operator, _, _) => "in trouble",
    };
    format!("{about} {what}")
}

/// Its shape and colour.
pub(super) fn mark(incident: &Incident) -> Mark {
    match (incident.closed_at, incident.closed_as, incident.kind) {
        (None, _, IncidentKind::Outage) => Mark::Down,
        (None, _, IncidentKind::Regional | IncidentKind::Flapping | IncidentKind::Certificate) => Mark::Degraded,
        (None, _, IncidentKind::Operator) => match Condition::tone_of(&incident.cause_key) {
            Tone::Bad => Mark::Down,
            Tone::Warning | Tone::Good | Tone::Note => Mark::Degraded,
        },
        (Some(_), Some(ClosedAs::Recovered), _) => Mark::Up,
        (Some(_), Some(ClosedAs::Paused | ClosedAs::Retired), _) => Mark::Paused,
        (Some(_), Some(ClosedAs::Worse), _) => Mark::Down,
        // How it went on nobody can tell.
        (Some(_), Some(ClosedAs::Changed | ClosedAs::Deleted) | None, _) => Mark::Unknown,
    }
}

/// How it stands, in a word or two.
pub(super) fn state(incident: &Incident) -> &'static str {
    match (incident.closed_at, incident.closed_as) {
        (None, _) => "Open",
        (Some(_), Some(ClosedAs::Recovered)) => "Recovered",
        (Some(_), Some(ClosedAs::Worse)) => "Became an outage",
        (Some(_), Some(ClosedAs::Changed)) => "Settings changed",
        (Some(_), Some(ClosedAs::Paused)) => "Paused",
        (Some(_), Some(ClosedAs::Deleted)) => "Deleted",
        (Some(_), Some(ClosedAs::Retired)) => "Not expected any more",
        (Some(_), None) => "Over",
    }
}

/// Its kind, in a word.
pub(super) fn kind(kind: IncidentKind) -> &'static str {
    match kind {
        IncidentKind::Outage => "Outage",
        IncidentKind::Regional => "Regional",
        IncidentKind::Flapping => "Flapping",
        IncidentKind::Certificate => "Certificate",
        IncidentKind::Operator => "Installation",
    }
}

/// What the kind means, where it is not plain.
pub(super) fn kind_explained(kind: IncidentKind) -> Option<&'static str> {
    match kind {
        IncidentKind::Outage => None,
        IncidentKind::Regional => Some("Most regions reach it, so it counts as up. People near the others may not."),
        IncidentKind::Flapping => Some("While that lasts you are not told of each change: only when it is over."),
        IncidentKind::Certificate => Some("You are told again as its end comes nearer, and when it was renewed."),
        IncidentKind::Operator => {
            Some("It concerns this installation, not one website. Operators alone are told of it.")
        }
    }
}

/// When it ended, as far as it has: by slot, else by decision.
pub(super) fn ended_at(incident: &Incident) -> Option<UtcMs> {
    incident.closed_at.map(|closed_at| incident.ended_at.unwrap_or(closed_at))
}

/// For how long it lasted, or has by `now`.
pub(super) fn duration(incident: &Incident, now: UtcMs) -> String {
    lasted(ended_at(incident).unwrap_or(now) - incident.began_at)
}

/// Why nobody is told, in a few words for a list.
pub(super) fn muted(by: MutedBy) -> &'static str {
    match by {
        MutedBy::Maintenance => "muted: maintenance",
        MutedBy::Parent => "muted: depends on what is down",
        MutedBy::Flapping => "muted: flapping",
    }
}

/// The same as a sentence.
pub(super) fn muted_sentence(by: MutedBy, is_open: bool) -> &'static str {
    match (by, is_open) {
        (MutedBy::Maintenance, true) => {
            "Nobody is told while maintenance is going on. If it is still failing then, people are told."
        }
        (MutedBy::Maintenance, false) => "Nobody was told, since maintenance was going on.",
        (MutedBy::Parent, true) => "Nobody is told of this one: what it depends on is down, which is told.",
        (MutedBy::Parent, false) => "Nobody was told of this one: what it depends on was down.",
        (MutedBy::Flapping, true) => "Nobody is told of this change: it keeps going up and down, which is told once.",
        (MutedBy::Flapping, false) => "Nobody was told of this change: it kept going up and down.",
    }
}

/// A shape for a line of the timeline: name of a symbol in `base.html`, and class of its colour.
pub(super) fn event_mark(kind: IncidentEventKind) -> (&'static str, &'static str) {
    match kind {
        IncidentEventKind::Opened | IncidentEventKind::Joined => ("d", "d"),
        IncidentEventKind::Left | IncidentEventKind::Closed => ("u", "u"),
        IncidentEventKind::Changed => ("g", "g"),
        IncidentEventKind::Muted => ("p", "p"),
        IncidentEventKind::Acknowledged => ("k", "k"),
        IncidentEventKind::Note => ("m", "k"),
    }
}

/// What an alert tells.
pub(super) fn event(event: AlertEvent) -> &'static str {
    match event {
        AlertEvent::Opened => "it began",
        AlertEvent::Updated => "what changed",
        AlertEvent::Acknowledged => "somebody took it on",
        AlertEvent::Resolved => "it is over",
        AlertEvent::Reminder => "reminder",
        AlertEvent::Test => "test",
        AlertEvent::ChannelBroken => "another channel was given up",
        AlertEvent::Summary => "what was held back",
        AlertEvent::Report => "report",
    }
}

/// What has become of an alert: mark, word, and the class of both.
pub(super) fn alert_state(state: AlertState, tries: u32) -> (&'static str, &'static str, &'static str) {
    match (state, tries) {
        (AlertState::Waiting, 0) => ("w", "waiting", "pending"),
        (AlertState::Waiting, _) => ("g", "is tried again", "degraded"),
        (AlertState::Delivered, _) => ("u", "delivered", "up"),
        (AlertState::Dead, _) => ("d", "given up", "down"),
        (AlertState::Cancelled, _) => ("p", "not needed", "paused"),
        (AlertState::Folded, _) => ("p", "told in another", "paused"),
    }
}

/// What came of one try: class of its colour, and words.
pub(super) fn try_result(result: TryResult) -> (&'static str, &'static str) {
    match result {
        TryResult::Delivered => ("u", "delivered"),
        TryResult::Again => ("g", "did not work"),
        TryResult::GivenUp => ("d", "cannot work"),
    }
}

/// "ann, 2026-11-24 02:30:00 UTC".
pub(super) fn acknowledged(incident: &Incident) -> Option<String> {
    let at = incident.acknowledged_at?;
    let by = who(incident.acknowledged_by.as_deref());
    Some(format!("{by}, {} UTC", instant(at).words))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AccountId, IncidentId};

    fn incident(kind: IncidentKind, closed_as: Option<ClosedAs>) -> Incident {
        Incident {
            incident_id: IncidentId(uuid::Uuid::nil()),
            account_id: AccountId(uuid::Uuid::nil()),
            kind,
            cause_key: String::new(),
            cause: String::new(),
            began_at: 0,
            opened_at: 1_000,
            ended_at: None,
            closed_at: closed_as.map(|_| 720_000),
            closed_as,
            acknowledged_at: None,
            acknowledged_by: None,
            muted_by: None,
        }
    }

    #[test]
    fn a_heading_is_a_sentence_a_visitor_understands() {
        use IncidentKind::{Flapping, Outage, Regional};
        let url = "https://example.com/";
        for (kind, closed_as, websites, said) in [
            (Outage, None, 1, "example.com is down"),
            (Outage, None, 500, "example.com and 499 more are down"),
            (Outage, Some(ClosedAs::Recovered), 1, "example.com was down"),
            (Outage, Some(ClosedAs::Paused), 2, "example.com and 1 more were down"),
            (Regional, None, 1, "example.com cannot be reached from some regions"),
            (Flapping, None, 1, "example.com keeps going up and down"),
            (Flapping, Some(ClosedAs::Recovered), 3, "example.com and 2 more kept going up and down"),
        ] {
            assert_eq!(heading(&incident(kind, closed_as), url, websites, websites), said);
        }
        let some = |websites, failing| heading(&incident(Outage, None), url, websites, failing);
        assert_eq!(some(3, 1), "example.com and 2 more: 1 of 3 is still down");
        assert_eq!(some(500, 20), "example.com and 499 more: 20 of 500 are still down");
    }

    #[test]
    fn an_incident_without_a_last_good_tick_lasted_until_it_was_closed() {
        assert_eq!(duration(&incident(IncidentKind::Outage, None), 60_000), "1 min");
        assert_eq!(duration(&incident(IncidentKind::Outage, Some(ClosedAs::Deleted)), 9_999_999), "12 min");
    }
}
