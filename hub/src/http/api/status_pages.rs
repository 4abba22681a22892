//! `/api/v1/status-pages`: what people outside are shown.

use super::status_page_input::{Sent, judged, password, rest};
use super::status_page_shown::{Link, Shown, StatusPageList, shown};
use super::{body, done, is_json, revision};
use crate::clock;
use crate::http::login::{self, Caller};
use crate::http::openapi::{Group, Operation, of};
use crate::http::pages::status_page_form::{refused, too_many};
use crate::http::pages::status_pages::found;
use crate::http::{App, HttpError, Request, Response, route::Params, status};
use crate::model::FieldErrors;
use crate::model::status_page::{StatusPageId, StatusPageInput};
use crate::store::StatusPageSaved;

/// What is declared of it.
pub static GROUP: Group = Group {
    name: "Status pages",
    about: "What people outside are shown: websites by names of your choice.",
    operations: &[
        Operation::get("/api/v1/status-pages", "listStatusPages", "All pages, oldest first. There are 50 at most.")
            .json(of::<StatusPageList<'static>>),
        Operation::post("/api/v1/status-pages", "addStatusPage", "Adds a page.")
            .body(of::<Sent>, &["name", "slug"])
            .status(201)
            .json(of::<Shown<'static>>)
            .also(&[409]),
        Operation::get("/api/v1/status-pages/:id", "getStatusPage", "A page.").json(of::<Shown<'static>>),
        Operation::patch(
            "/api/v1/status-pages/:id",
            "changeStatusPage",
            "Changes a page. What is left out stays as it is.",
        )
        .body(of::<Sent>, &[])
        .json(of::<Shown<'static>>)
        .revision(),
        Operation::delete(
            "/api/v1/status-pages/:id",
            "deleteStatusPage",
            "Deletes a page, with all that was published on it and whoever was told.",
        )
        .revision(),
        Operation::post(
            "/api/v1/status-pages/:id/link",
            "makeStatusPageLink",
            "Makes a private link, told once. The one before opens nothing any more.",
        )
        .json(of::<Link>),
    ],
};

fn answer(
    app: &App,
    request: &Request,
    who: &Caller,
    code: u16,
    saved: StatusPageSaved,
    after: impl FnOnce(StatusPageId) -> Result<(), HttpError>,
) -> Result<Response, HttpError> {
    match saved {
        StatusPageSaved::Saved(id) => {
            after(id)?;
            let page = app.wait(app.store.status_page(who.account.account_id, id)).map_err(login::store)?;
            let page = page.ok_or(HttpError::NotFound)?;
            Ok(revision::answer(code, &shown(&page), page.revision))
        }
        StatusPageSaved::NotFound => Err(HttpError::NotFound),
        StatusPageSaved::TooMany => Err(HttpError::Conflict(too_many())),
        StatusPageSaved::Meanwhile => Err(revision::meanwhile(request)),
        other @ (StatusPageSaved::NoWebsite | StatusPageSaved::NoChannel | StatusPageSaved::Taken(_)) => {
            Err(HttpError::Fields(FieldErrors(refused(&other).into_iter().collect())))
        }
    }
}

/// `GET /api/v1/status-pages` -> 200 `{status_pages}`, oldest first; at most 50.
///
/// # Errors
/// 401.
pub fn list(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account.account_id;
    let pages = app.wait(app.store.status_pages(account)).map_err(login::store)?;
    Ok(Response::json(200, &StatusPageList { status_pages: pages.iter().map(shown).collect() }))
}

/// `GET /api/v1/status-pages/:id` -> 200.
///
/// # Errors
/// 401, 404.
pub fn show(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account.account_id;
    let page = found(app, account, params)?;
    Ok(revision::answer(200, &shown(&page), page.revision))
}

/// `POST /api/v1/status-pages` -> 201, the page.
///
/// # Errors
/// 401, 409 with as many pages as there may be, 422.
pub fn add(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    is_json(request)?;
    let sent: Sent = body(request, "{name, slug, access, sections}")?;
    let fresh = StatusPageInput { shows_uptime: true, tells_outages: true, ..StatusPageInput::default() };
    let (plan, logo) = judged(app, &who, &sent, &sent.over(fresh), None)?;
    let hash = password(app, &sent)?;
    let saved =
        app.wait(app.store.add_status_page(who.account.account_id, &plan, clock::now())).map_err(login::store)?;
    answer(app, request, &who, 201, saved, |id| rest(app, &who, id, hash, logo))
}

/// `PATCH /api/v1/status-pages/:id` -> 200, the page. What is not given stays.
///
/// # Errors
/// 401, 404, 409 or 412 when it was changed meanwhile, 422.
pub fn change(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let account = who.account.account_id;
    let page = found(app, account, params)?;
    is_json(request)?;
    let sent: Sent = body(request, "what is to be changed")?;
    revision::expect(request, sent.revision, page.revision)?;
    let input = sent.over(StatusPageInput::of(&page.plan));
    let (plan, logo) = judged(app, &who, &sent, &input, Some(&page))?;
    let hash = password(app, &sent)?;
    let saved = app.wait(app.store.edit_status_page(account, page.status_page_id, page.revision, &plan));
    answer(app, request, &who, 200, saved.map_err(login::store)?, |id| rest(app, &who, id, hash, logo))
}

/// `DELETE /api/v1/status-pages/:id` -> 204.
///
/// # Errors
/// 401, 404, 412.
pub fn delete(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account.account_id;
    let page = found(app, account, params)?;
    revision::expect(request, None, page.revision)?;
    if !app.wait(app.store.delete_status_page(account, page.status_page_id)).map_err(login::store)? {
        return Err(HttpError::NotFound);
    }
    app.pages.changed(page.status_page_id);
    app.domains.changed();
    Ok(done())
}

/// `POST /api/v1/status-pages/:id/link` -> 200 `{url}`, told once.
///
/// # Errors
/// 401, 404.
pub fn link(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account.account_id;
    let id = params.status_page_id()?;
    let (token, key) = status::new_link()?;
    if !app.wait(app.store.set_page_link(account, id, key)).map_err(login::store)? {
        return Err(HttpError::NotFound);
    }
    app.pages.changed(id);
    let base = app.settings.public_url.clone().unwrap_or_default();
    Ok(Response::json(200, &Link { url: format!("{base}/s/{token}") }).with("cache-control", "no-store"))
}
