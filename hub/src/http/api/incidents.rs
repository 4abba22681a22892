//! `/api/v1/incidents`: what went wrong, since when, what each region saw, and who was told.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{alerts, body, limit, rfc3339};
use crate::clock;
use crate::http::pages::incident::load;
use crate::http::pages::incident_actions::checked;
use crate::http::pages::incidents::{after, find, kind, open_only};
use crate::http::{App, HttpError, Request, Response, login, route::Params};
use crate::model::{
    Evidence, FieldError, FieldErrors, IncidentEvent, IncidentFilter, IncidentLine, IncidentWebsite, TakenOn,
};

fn shown(line: &IncidentLine) -> Value {
    let incident = &line.incident;
    json!({
        "id": incident.incident_id.to_string(),
        "kind": incident.kind.as_str(),
        "cause": incident.cause,
        "began_at": rfc3339(incident.began_at),
        "opened_at": rfc3339(incident.opened_at),
        "ended_at": incident.ended_at.map(rfc3339),
        "closed_at": incident.closed_at.map(rfc3339),
        "closed_as": incident.closed_as.map(|word| word.as_str()),
        "acknowledged_at": incident.acknowledged_at.map(rfc3339),
        "acknowledged_by": incident.acknowledged_by,
        "muted_by": incident.muted_by.map(|word| word.as_str()),
        "website_count": line.websites,
        "failing_count": line.failing,
        "first_website_id": line.first_website,
        "first_url": line.first_website.map(|_| &line.first_url),
    })
}

fn website(website: &IncidentWebsite) -> Value {
    json!({
        "website_id": website.website_id,
        "url": website.url,
        "began_at": rfc3339(website.began_at),
        "ended_at": website.ended_at.map(rfc3339),
    })
}

/// Regions in the evidence of all events together, the newest first: an answer has an end (P8).
const EVIDENCE: usize = 2_000;

fn events(events: &[IncidentEvent]) -> Vec<Value> {
    let mut left = EVIDENCE;
    let newest_first = events.iter().rev().map(|one| {
        let is_shown = one.evidence.len() <= left;
        left -= if is_shown { one.evidence.len() } else { 0 };
        event(one, is_shown)
    });
    let mut shown: Vec<Value> = newest_first.collect();
    shown.reverse();
    shown
}

fn event(event: &IncidentEvent, has_evidence: bool) -> Value {
    let seen = if has_evidence { event.evidence.as_slice() } else { &[] };
    json!({
        "at": rfc3339(event.at),
        "kind": event.kind.as_str(),
        "website_id": event.website_id,
        "said": event.said,
        "said_by": event.said_by,
        "evidence": seen.iter().map(evidence).collect::<Vec<_>>(),
    })
}

fn evidence(seen: &Evidence) -> Value {
    json!({
        "region": seen.region_id.as_str(),
        "worker": seen.worker_id.as_str(),
        "slot_at": rfc3339(seen.slot_at),
        "outcome": seen.outcome,
        "failure": seen.failure,
        "status": seen.status,
        "phases": seen.phases,
        "total_us": seen.total_us,
        "certificate": seen.certificate.as_ref().map(|certificate| json!({
            "subject": certificate.subject,
            "issuer": certificate.issuer,
            "not_after_at": rfc3339(certificate.not_after_at),
        })),
        "answer": seen.answer,
    })
}

fn filter(request: &Request) -> Result<IncidentFilter, HttpError> {
    let wrong =
        |field, given: &str, remedy: &str| HttpError::Fields(FieldErrors(vec![FieldError::new(field, given, remedy)]));
    let website = match request.query("website_id").unwrap_or_default() {
        "" => None,
        given => Some(given.parse().map_err(|_| wrong("website_id", given, "Give the id of a website."))?),
    };
    Ok(IncidentFilter { open_only: open_only(request)?, kind: kind(request)?, website })
}

/// `GET /api/v1/incidents?state=&kind=&website_id=&limit=&after=` -> 200 `{incidents, next}`, newest first.
///
/// # Errors
/// 401, 422 for what none of these can be.
pub fn list(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account.account_id;
    let found = find(app, account, filter(request)?, after(request)?, limit(request)?)?;
    let next = found.incidents.last().filter(|_| found.has_more).map(|line| line.cursor().to_string());
    let incidents: Vec<Value> = found.incidents.iter().map(shown).collect();
    Ok(Response::json(200, &json!({"incidents": incidents, "next": next})))
}

/// `GET /api/v1/incidents/:id` -> 200, with the first 100 of its `websites`, the last 200 `events` and the last 200
/// `alerts`.
///
/// # Errors
/// 401, 404 when not yours.
pub fn one(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account;
    let found = load(app, &account, params.incident_id()?)?;
    let mut whole = shown(&found.line);
    whole["websites"] = found.websites.iter().map(website).collect();
    whole["events"] = events(&found.events).into();
    whole["alerts"] = found.alerts.iter().map(alerts::shown).collect();
    Ok(Response::json(200, &whole))
}

/// `POST /api/v1/incidents/:id/acknowledge` -> 200, the incident with `result`: now, before (somebody had done it) or over.
///
/// # Errors
/// 401, 404 when not yours.
pub fn acknowledge(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account;
    let id = params.incident_id()?;
    let (store, by) = (&app.store, &account.username);
    let done = app.wait(store.acknowledge_incident(account.account_id, id, by, clock::now()));
    let result = match done.map_err(login::store)?.ok_or(HttpError::NotFound)? {
        TakenOn::Now => "now",
        TakenOn::Before => "before",
        TakenOn::Over => "over",
    };
    let line = app.wait(store.incident(account.account_id, id)).map_err(login::store)?.ok_or(HttpError::NotFound)?;
    let mut whole = shown(&line);
    whole["result"] = result.into();
    Ok(Response::json(200, &whole))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    #[serde(default)]
    note: String,
}

/// `POST /api/v1/incidents/:id/notes {note}` -> 201 `{id}`.
///
/// # Errors
/// 401, 404 when not yours, 422 for none or too long a one.
pub fn note(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account;
    let id = params.incident_id()?;
    let Note { note } = body(request, "{\"note\"}")?;
    let text = checked(&note).map_err(HttpError::Fields)?;
    let kept = app.wait(app.store.note_incident(account.account_id, id, &account.username, text, clock::now()));
    if !kept.map_err(login::store)? {
        return Err(HttpError::NotFound);
    }
    Ok(Response::json(201, &json!({"id": id.to_string()})))
}
