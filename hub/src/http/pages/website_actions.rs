//! What can be done to a website from its page: each a form of its own, so that it works without script.

use super::{Viewer, delete::DeletePage, page};
use crate::clock;
use crate::http::{App, HttpError, Request, Response, login, looks, route::Params};

/// `POST /websites/:id/check`: now, from all its regions. What comes of it stands on its page.
///
/// # Errors
/// Not yours, or its settings are not understood here.
pub fn check_now(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let id = params.website_id()?;
    if looks::website(app, who.account.account_id, id)?.paused {
        request.notes.nothing();
        return Ok(Response::see_other(&format!("/websites/{id}")));
    }
    let (asked_at, is_new) = looks::ask_or_join(app, id);
    if !is_new {
        request.notes.nothing();
    }
    Ok(Response::see_other(&format!("/websites/{id}?asked={asked_at}#asked")))
}

fn set_paused(app: &App, request: &Request, params: &Params, paused: bool) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let id = params.website_id()?;
    let saved = app.wait(app.store.set_paused(who.account.account_id, id, paused, clock::now()));
    saved.map_err(login::store)?.ok_or(HttpError::NotFound)?;
    app.scheduler.changed(id);
    let said = if paused { "paused" } else { "resumed" };
    Ok(Response::see_other(&format!("/websites/{id}?said={said}")))
}

/// `POST /websites/:id/pause`.
///
/// # Errors
/// Not yours.
pub fn pause(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    set_paused(app, request, params, true)
}

/// `POST /websites/:id/resume`.
///
/// # Errors
/// Not yours.
pub fn resume(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    set_paused(app, request, params, false)
}

/// `GET /websites/:id/delete`: asks first.
///
/// # Errors
/// Not yours.
pub fn confirm_delete(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let found = app.wait(app.store.website(who.account.account_id, params.website_id()?)).map_err(login::store)?;
    let website = found.ok_or(HttpError::NotFound)?;
    page(200, &DeletePage::new(Viewer::of(app, &who), &website))
}

/// `POST /websites/:id/delete`.
///
/// # Errors
/// Not yours.
pub fn delete(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let id = params.website_id()?;
    if !app.wait(app.store.delete_website(who.account.account_id, id)).map_err(login::store)? {
        return Err(HttpError::NotFound);
    }
    app.scheduler.changed(id);
    Ok(Response::see_other("/"))
}
