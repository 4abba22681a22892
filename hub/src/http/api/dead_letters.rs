//! `/api/v1/dead-letters`: messages that were tried and given up. For operators only; for others there is nothing here.

use serde_json::{Value, json};

use super::{limit, rfc3339};
use crate::http::pages::dead_letters::{after, filter_of, find, payload};
use crate::http::{App, HttpError, Request, Response, login, pages, route::Params};
use crate::model::{KeptLetter, Replay, Subject, masked};
use crate::replay::Replayed;

/// Of one payload: two hundred of them, escaped, stay below the largest answer (P8).
const PAYLOAD_BYTES: usize = 4 * 1024;

/// A letter for programs, as the command line shows it: whoever runs that owns the installation.
#[must_use]
pub fn shown(letter: &KeptLetter, payload_bytes: usize) -> Value {
    with(letter, &masked::payload(&letter.raw, payload_bytes))
}

fn with(letter: &KeptLetter, payload: &masked::Payload) -> Value {
    let (region, worker) = letter.origin().map_or((None, None), |(region, worker)| (Some(region), worker));
    let remedy = match letter.replay() {
        Replay::Tick { .. } | Replay::Letter(_) | Replay::Check(_) | Replay::StillNot(_) => None,
        Replay::Nothing(why) => Some(why),
    };
    json!({
        "id": letter.letter_id.to_string(),
        "created_at": rfc3339(letter.created_at),
        "stream": letter.stream,
        "region": region,
        "worker": worker,
        "subject": match letter.subject() { Subject::Report => "report", Subject::Check => "check" },
        "kind": letter.kind,
        "explanation": letter.explained(),
        "reason": masked::text(&letter.reason),
        "website_id": letter.website_id(),
        "payload": payload.text,
        "payload_is_cut": payload.is_cut,
        "is_replayable": remedy.is_none(),
        "why_not_replayable": remedy,
        "replay_asked_at": letter.replay_asked_at.map(rfc3339),
        "replay_note": letter.replay_note,
    })
}

/// `GET /api/v1/dead-letters?kind=&stream=&limit=&after=` -> 200 `{dead_letters, next}`, newest first.
///
/// # Errors
/// 401, 404 for who is no operator, 422 for a limit or a cursor that is none.
pub fn list(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let account = login::operator(app, request)?.account.account_id;
    let limit = limit(request)?;
    let found = find(app, filter_of(request), after(request)?, limit)?;
    let next = found.letters.last().filter(|_| found.has_more).map(|letter| letter.cursor().to_string());
    let content = |letter| payload(letter, account, &found.websites, PAYLOAD_BYTES);
    let letters: Vec<Value> = found.letters.iter().map(|letter| with(letter, &content(letter))).collect();
    Ok(Response::json(200, &json!({"dead_letters": letters, "next": next})))
}

/// `POST /api/v1/dead-letters/:id/replay` -> 200 `{id, result}`.
///
/// # Errors
/// 401, 404, and 409 when it stays, with the reason.
pub fn replay(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    login::operator(app, request)?;
    let id = params.letter_id()?;
    let replayed = pages::dead_letters::replay_one(app, id)?;
    let result = match &replayed {
        Replayed::Stored => "stored",
        Replayed::Known => "known",
        Replayed::Checked => "checked",
        Replayed::Understood => "understood",
        Replayed::Stays(why) => return Err(HttpError::Conflict(why.clone())),
        Replayed::Gone => return Err(HttpError::NotFound),
    };
    Ok(Response::json(200, &json!({"id": id.to_string(), "result": result, "message": replayed.words()})))
}

/// `DELETE /api/v1/dead-letters/:id` -> 204.
///
/// # Errors
/// 401, 404.
pub fn discard(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    login::operator(app, request)?;
    if !app.wait(app.store.discard_dead_letter(params.letter_id()?)).map_err(login::store)? {
        return Err(HttpError::NotFound);
    }
    Ok(Response { status: 204, headers: Vec::new(), body: Vec::new() })
}
