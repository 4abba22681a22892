//! `/api/v1/dead-letters`: messages that were tried and given up. For operators only; for others there is nothing here.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::cursor::{self, limit};
use super::done;
use super::shape::{At, Id};
use crate::http::openapi::{Group, Operation, Parameter, ParameterKind, of, parameter};
use crate::http::pages::dead_letters::{filter_of, find, payload};
use crate::http::{App, HttpError, Request, Response, login, pages, route::Params};
use crate::model::{KeptLetter, LetterId, Replay, Subject, masked};
use crate::replay::Replayed;

/// Of one payload: two hundred of them, escaped, stay below the largest answer (P8).
const PAYLOAD_BYTES: usize = 4 * 1024;

/// What is declared of it.
pub static GROUP: Group = Group {
    name: "Dead letters",
    about: "Messages between hub and probes that were tried and given up. For operators.",
    operations: &[
        Operation::get("/api/v1/dead-letters", "listDeadLetters", "Dead letters, newest first.")
            .query(&[
                Parameter::LIMIT,
                Parameter::AFTER,
                parameter("kind", "Only those with this kind of reason.", ParameterKind::Text),
                parameter("stream", "Only those of this stream.", ParameterKind::Text),
            ])
            .json(of::<LetterList>),
        Operation::post("/api/v1/dead-letters/:id/replay", "replayDeadLetter", "Tries a dead letter again.")
            .json(of::<ReplayDone>)
            .also(&[409]),
        Operation::delete("/api/v1/dead-letters/:id", "discardDeadLetter", "Throws a dead letter away."),
    ],
};

/// A message that was given up.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "DeadLetter")]
struct Shown {
    id: Id,
    /// When it was given up.
    created_at: At,
    /// Where it came from.
    stream: String,
    region: Option<String>,
    worker: Option<String>,
    /// A worker's report, or a check.
    #[schemars(extend("enum" = ["report", "check"]))]
    subject: &'static str,
    /// Kind of reason.
    kind: String,
    /// That in a sentence.
    explanation: String,
    /// The reason as it was noted.
    reason: String,
    website_id: Option<Id>,
    /// What is in it, without secrets.
    payload: String,
    /// There is more of it.
    payload_is_cut: bool,
    is_replayable: bool,
    why_not_replayable: Option<String>,
    replay_asked_at: Option<At>,
    /// What came of the last replay.
    replay_note: String,
}

/// A page of dead letters.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "DeadLetterList")]
struct LetterList {
    dead_letters: Vec<Shown>,
    /// Cursor of the next page; null: this is the last.
    next: Option<String>,
}

/// What a replay did.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "DeadLetterReplay")]
struct ReplayDone {
    #[schemars(with = "Id")]
    id: LetterId,
    /// stored: the result is; known: it was before; checked: the website is; understood: another letter has taken its place.
    #[schemars(extend("enum" = ["stored", "known", "checked", "understood"]))]
    result: &'static str,
    message: String,
}

/// A letter for programs, as the command line shows it: whoever runs that owns the installation.
#[must_use]
pub fn shown(letter: &KeptLetter, payload_bytes: usize) -> Value {
    serde_json::to_value(with(letter, masked::payload(&letter.raw, payload_bytes))).unwrap_or_default()
}

fn with(letter: &KeptLetter, payload: masked::Payload) -> Shown {
    let (region, worker) = letter.origin().map_or((None, None), |(region, worker)| (Some(region), worker));
    let remedy = match letter.replay() {
        Replay::Tick { .. } | Replay::Letter(_) | Replay::Check(_) | Replay::StillNot(_) => None,
        Replay::Nothing(why) => Some(why.to_string()),
    };
    Shown {
        id: letter.letter_id.into(),
        created_at: At(letter.created_at),
        stream: letter.stream.clone(),
        region: region.map(|region| region.to_string()),
        worker: worker.map(|worker| worker.to_string()),
        subject: match letter.subject() {
            Subject::Report => "report",
            Subject::Check => "check",
        },
        kind: letter.kind.clone(),
        explanation: letter.explained().to_string(),
        reason: masked::text(&letter.reason),
        website_id: letter.website_id().map(Id::from),
        payload: payload.text,
        payload_is_cut: payload.is_cut,
        is_replayable: remedy.is_none(),
        why_not_replayable: remedy,
        replay_asked_at: letter.replay_asked_at.map(At),
        replay_note: letter.replay_note.clone(),
    }
}

/// `GET /api/v1/dead-letters?kind=&stream=&limit=&after=` -> 200 `{dead_letters, next}`, newest first.
///
/// # Errors
/// 400 for a cursor that is none, 401, 404 for who is no operator, 422 for a limit that is none.
pub fn list(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    const LIST: &str = "dead letters";
    let account = login::operator(app, request)?.account.account_id;
    let limit = limit(request)?;
    let found = find(app, filter_of(request), cursor::after(request, LIST)?, limit)?;
    let next = found.letters.last().filter(|_| found.has_more).map(|letter| cursor::write(LIST, &letter.cursor()));
    let content = |letter| payload(letter, account, &found.websites, PAYLOAD_BYTES);
    let dead_letters = found.letters.iter().map(|letter| with(letter, content(letter))).collect();
    Ok(cursor::page(request, &LetterList { dead_letters, next: next.clone() }, next.as_deref()))
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
    Ok(Response::json(200, &ReplayDone { id, result, message: replayed.words().to_owned() }))
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
    Ok(done())
}
