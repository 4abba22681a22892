//! `/api/v1/incidents`: what went wrong, since when, what each region saw, and who was told.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cursor::{self, limit};
use super::shape::{At, Failure, Id, ShownPhases, Word};
use super::{alerts, body};
use crate::clock;
use crate::http::login::{self, Caller};
use crate::http::openapi::{Group, Operation, Parameter, ParameterKind, of, parameter};
use crate::http::pages::incident::load;
use crate::http::pages::incident_actions::checked;
use crate::http::pages::incidents::{find, kind, open_only};
use crate::http::{App, HttpError, Request, Response, route::Params};
use crate::model::message::words::masked;
use crate::model::{
    ClosedAs, Evidence, IncidentEvent, IncidentEventKind, IncidentFilter, IncidentKind, IncidentLine, IncidentWebsite,
    MutedBy, Outcome, TakenOn,
};

const KINDS: &[&str] = &["outage", "regional", "flapping", "certificate", "operator"];

/// What is declared of it.
pub static GROUP: Group = Group {
    name: "Incidents",
    about: "What went wrong, since when, what each region saw, and who was told.",
    operations: &[
        Operation::get("/api/v1/incidents", "listIncidents", "Incidents, newest first.")
            .query(&[
                Parameter::LIMIT,
                Parameter::AFTER,
                parameter("state", "Only those that go on, or all.", ParameterKind::OneOf(&["open", "all"])),
                parameter("kind", "Only those of this kind.", ParameterKind::OneOf(KINDS)),
                parameter("website_id", "Only those of this website.", ParameterKind::Id),
            ])
            .json(of::<IncidentList<'static>>),
        Operation::get(
            "/api/v1/incidents/:id",
            "getIncident",
            "An incident, with the first 100 of its websites, its last 200 events and the last 200 alerts about it.",
        )
        .json(of::<Whole<'static>>),
        Operation::post(
            "/api/v1/incidents/:id/acknowledge",
            "acknowledgeIncident",
            "Takes an incident on: nobody is reminded of it any more. To do it twice is harmless.",
        )
        .json(of::<Acknowledged<'static>>),
        Operation::post("/api/v1/incidents/:id/notes", "noteIncident", "Adds a note to an incident.")
            .body(of::<Note>, &["note"])
            .status(201)
            .json(of::<Noted>),
    ],
};

/// Something that went wrong.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Incident")]
struct Shown<'a> {
    /// Its name in paths.
    id: Id,
    kind: Word<IncidentKind>,
    /// In plain words.
    cause: &'a str,
    /// Slot of the first failing tick.
    began_at: At,
    /// When it was decided.
    opened_at: At,
    /// Slot of the tick with which the last of its websites was well again.
    ended_at: Option<At>,
    /// When that was decided; null: it goes on.
    closed_at: Option<At>,
    /// How it ended.
    closed_as: Option<Word<ClosedAs>>,
    /// When somebody took it on.
    acknowledged_at: Option<At>,
    /// Who.
    acknowledged_by: Option<&'a str>,
    /// Why nobody is told.
    muted_by: Option<Word<MutedBy>>,
    /// Websites that are or were part of it.
    website_count: i64,
    /// Of these, how many fail still.
    failing_count: i64,
    /// The one that failed first; it may have been deleted since.
    first_website_id: Option<Id>,
    /// Its address, without the query, which may hold a secret: who may read incidents need not be let see websites.
    first_url: Option<String>,
}

/// A page of incidents.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "IncidentList")]
struct IncidentList<'a> {
    incidents: Vec<Shown<'a>>,
    /// Cursor of the next page; null: this is the last.
    next: Option<String>,
}

/// An incident and its story.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "IncidentStory")]
struct Whole<'a> {
    #[serde(flatten)]
    incident: Shown<'a>,
    websites: Vec<ShownWebsite>,
    events: Vec<ShownEvent<'a>>,
    alerts: Vec<alerts::Shown<'a>>,
}

/// A website's part in an incident.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "IncidentWebsite")]
struct ShownWebsite {
    website_id: Id,
    /// Without the query.
    url: String,
    began_at: At,
    ended_at: Option<At>,
}

/// A step of an incident.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "IncidentEvent")]
struct ShownEvent<'a> {
    at: At,
    kind: Word<IncidentEventKind>,
    website_id: Option<Id>,
    /// In words.
    said: &'a str,
    /// Who said it, where that was a person.
    said_by: Option<&'a str>,
    /// What each region saw.
    evidence: Vec<ShownEvidence<'a>>,
}

/// What a region saw.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Evidence")]
struct ShownEvidence<'a> {
    region: &'a str,
    worker: &'a str,
    slot_at: At,
    outcome: Word<Outcome>,
    failure: Option<Failure<'a>>,
    /// Status code, when it got that far.
    status: Option<u16>,
    phases: ShownPhases,
    total_us: u32,
    certificate: Option<ShownCertificate<'a>>,
    /// The beginning of an answer that was not as asked. From a stranger.
    answer: Option<&'a str>,
}

/// A certificate as a region saw it. Names are a stranger's.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SeenCertificate")]
struct ShownCertificate<'a> {
    subject: &'a str,
    issuer: &'a str,
    not_after_at: At,
}

/// An incident that was taken on.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "IncidentAcknowledged")]
struct Acknowledged<'a> {
    #[serde(flatten)]
    incident: Shown<'a>,
    /// now; before: somebody had done it; over: it has ended.
    #[schemars(extend("enum" = ["now", "before", "over"]))]
    result: &'static str,
}

/// An incident that was noted about.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "IncidentNoted")]
struct Noted {
    id: Id,
}

fn shown(line: &IncidentLine) -> Shown<'_> {
    let incident = &line.incident;
    Shown {
        id: incident.incident_id.into(),
        kind: Word(incident.kind),
        cause: &incident.cause,
        began_at: At(incident.began_at),
        opened_at: At(incident.opened_at),
        ended_at: incident.ended_at.map(At),
        closed_at: incident.closed_at.map(At),
        closed_as: incident.closed_as.map(Word),
        acknowledged_at: incident.acknowledged_at.map(At),
        acknowledged_by: incident.acknowledged_by.as_deref(),
        muted_by: incident.muted_by.map(Word),
        website_count: line.websites,
        failing_count: line.failing,
        first_website_id: line.first_website.map(Id::from),
        first_url: line.first_website.map(|_| masked(&line.first_url)),
    }
}

fn website(website: &IncidentWebsite) -> ShownWebsite {
    ShownWebsite {
        website_id: website.website_id.into(),
        url: masked(&website.url),
        began_at: At(website.began_at),
        ended_at: website.ended_at.map(At),
    }
}

/// Regions in the evidence of all events together, the newest first: an answer has an end (P8).
const EVIDENCE: usize = 2_000;

fn events(events: &[IncidentEvent]) -> Vec<ShownEvent<'_>> {
    let mut left = EVIDENCE;
    let newest_first = events.iter().rev().map(|one| {
        let is_shown = one.evidence.len() <= left;
        left -= if is_shown { one.evidence.len() } else { 0 };
        event(one, is_shown)
    });
    let mut shown: Vec<ShownEvent<'_>> = newest_first.collect();
    shown.reverse();
    shown
}

fn event(event: &IncidentEvent, has_evidence: bool) -> ShownEvent<'_> {
    let seen = if has_evidence { event.evidence.as_slice() } else { &[] };
    ShownEvent {
        at: At(event.at),
        kind: Word(event.kind),
        website_id: event.website_id.map(Id::from),
        said: &event.said,
        said_by: event.said_by.as_deref(),
        evidence: seen.iter().map(evidence).collect(),
    }
}

fn evidence(seen: &Evidence) -> ShownEvidence<'_> {
    ShownEvidence {
        region: seen.region_id.as_str(),
        worker: seen.worker_id.as_str(),
        slot_at: At(seen.slot_at),
        outcome: Word(seen.outcome),
        failure: seen.failure.as_ref().map(Failure::from),
        status: seen.status,
        phases: seen.phases.into(),
        total_us: seen.total_us,
        certificate: seen.certificate.as_ref().map(|certificate| ShownCertificate {
            subject: &certificate.subject,
            issuer: &certificate.issuer,
            not_after_at: At(certificate.not_after_at),
        }),
        answer: seen.answer.as_deref(),
    }
}

fn filter(request: &Request) -> Result<IncidentFilter, HttpError> {
    let website = alerts::id(request, "website_id")?;
    Ok(IncidentFilter { open_only: open_only(request)?, kind: kind(request)?, website })
}

/// `GET /api/v1/incidents?state=&kind=&website_id=&limit=&after=` -> 200 `{incidents, next}`, newest first.
///
/// # Errors
/// 400 for a cursor that is none, 401, 422 for what none of these can be.
pub fn list(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    const LIST: &str = "incidents";
    let account = login::signed_in(app, request)?.account.account_id;
    let found = find(app, account, filter(request)?, cursor::after(request, LIST)?, limit(request)?)?;
    let next = found.incidents.last().filter(|_| found.has_more).map(|line| cursor::write(LIST, &line.cursor()));
    let incidents = found.incidents.iter().map(shown).collect();
    Ok(cursor::page(request, &IncidentList { incidents, next: next.clone() }, next.as_deref()))
}

/// `GET /api/v1/incidents/:id` -> 200, with the first 100 of its `websites`, the last 200 `events` and the last 200
/// `alerts`.
///
/// # Errors
/// 401, 404 when not yours.
pub fn one(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account;
    let found = load(app, &account, params.incident_id()?)?;
    let whole = Whole {
        incident: shown(&found.line),
        websites: found.websites.iter().map(website).collect(),
        events: events(&found.events),
        alerts: found.alerts.iter().map(alerts::shown).collect(),
    };
    Ok(Response::json(200, &whole))
}

/// `POST /api/v1/incidents/:id/acknowledge` -> 200, the incident with `result`: now, before (somebody had done it) or over.
///
/// # Errors
/// 401, 404 when not yours.
pub fn acknowledge(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let Caller { account, person, .. } = login::signed_in(app, request)?;
    let id = params.incident_id()?;
    let (store, by) = (&app.store, &person.username);
    let done = app.wait(store.acknowledge_incident(account.account_id, id, by, clock::now()));
    let taken = done.map_err(login::store)?.ok_or(HttpError::NotFound)?;
    if taken != TakenOn::Now {
        request.notes.nothing();
    }
    let result = match taken {
        TakenOn::Now => "now",
        TakenOn::Before => "before",
        TakenOn::Over => "over",
    };
    let line = app.wait(store.incident(account.account_id, id)).map_err(login::store)?.ok_or(HttpError::NotFound)?;
    Ok(Response::json(200, &Acknowledged { incident: shown(&line), result }))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "IncidentNote")]
struct Note {
    /// For people who look at the incident.
    #[serde(default)]
    note: String,
}

/// `POST /api/v1/incidents/:id/notes {note}` -> 201 `{id}`.
///
/// # Errors
/// 401, 404 when not yours, 422 for none or too long a one.
pub fn note(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let Caller { account, person, .. } = login::signed_in(app, request)?;
    let id = params.incident_id()?;
    let Note { note } = body(request, "{\"note\"}")?;
    let text = checked(&note).map_err(HttpError::Fields)?;
    let kept = app.wait(app.store.note_incident(account.account_id, id, &person.username, text, clock::now()));
    if !kept.map_err(login::store)? {
        return Err(HttpError::NotFound);
    }
    Ok(Response::json(201, &Noted { id: id.into() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_reads_incidents_is_told_no_query() {
        let of = IncidentWebsite {
            website_id: crate::model::WebsiteId(uuid::Uuid::nil()),
            url: "https://example.com/health?token=hunter2".to_owned(),
            began_at: 0,
            ended_at: None,
        };
        assert_eq!(website(&of).url, "https://example.com/health?…");
    }
}
