//! What can be done to an incident from its page: each a form of its own, so that it works without script.

use super::{Viewer, page};
use crate::clock;
use crate::http::pages::incident::{IncidentPage, load_page};
use crate::http::{App, HttpError, Request, Response, login, route::Params};
use crate::model::{FieldError, FieldErrors, TakenOn};

/// Characters of a note.
pub(in crate::http) const NOTE_CHARS: usize = 2_000;

/// A note as it is kept.
///
/// # Errors
/// Nothing, or too much.
pub(in crate::http) fn checked(text: &str) -> Result<&str, FieldErrors> {
    let text = text.trim();
    let remedy = match text.chars().count() {
        0 => "Write something down first.".to_owned(),
        1..=NOTE_CHARS => return Ok(text),
        n => format!("Keep it to {NOTE_CHARS} characters; these are {n}."),
    };
    // Not echoed: it stands in the field.
    Err(FieldErrors(vec![FieldError::new("note", "", remedy)]))
}

/// `POST /incidents/:id/acknowledge`. Doing it twice is no error: whoever was first stays named.
///
/// # Errors
/// Not yours.
pub fn acknowledge(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let id = params.incident_id()?;
    let done = app.wait(app.store.acknowledge_incident(who.account.account_id, id, &who.person.username, clock::now()));
    match done.map_err(login::store)?.ok_or(HttpError::NotFound)? {
        TakenOn::Now => {}
        TakenOn::Before | TakenOn::Over => request.notes.nothing(),
    }
    Ok(Response::see_other(&format!("/incidents/{id}")))
}

/// `POST /incidents/:id/notes`.
///
/// # Errors
/// Not yours.
pub fn note(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let id = params.incident_id()?;
    let form = request.form();
    let text = match checked(form.get("note")) {
        Ok(text) => text,
        Err(errors) => {
            let found = load_page(app, &who, id)?;
            let view = IncidentPage::new(Viewer::of(app, &who), &found, clock::now());
            return page(422, &view.map_err(anyhow::Error::from)?.again(form.get("note"), errors));
        }
    };
    let kept = app.wait(app.store.note_incident(who.account.account_id, id, &who.person.username, text, clock::now()));
    if !kept.map_err(login::store)? {
        return Err(HttpError::NotFound);
    }
    Ok(Response::see_other(&format!("/incidents/{id}#notes")))
}
