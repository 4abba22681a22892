//! `/api/v1/websites`: what is watched, and what was decided about it. What is asked and expected beyond address, times and
//! regions is left as it is; its form has that.

use schemars::JsonSchema;
use serde::Serialize;

use super::check;
use super::cursor::{self, limit};
use super::shape::{At, Id, Word};
use super::website_input::{Judge, Known, Sent, Wanted, as_sent};
use super::{body, done, revision};
use crate::clock;
use crate::http::openapi::{Group, Operation, Parameter, ParameterKind, of, parameter};
use crate::http::{App, HttpError, Request, Response, login, route::Params};
use crate::model::{
    Account, BoardRow, FieldError, FieldErrors, Keeping, Outcome, Tag, Ties, Website, WebsiteCursor, WebsiteFilter,
    WebsiteId, WebsiteKind,
};
use crate::store::{Edited, TiesSaved};

/// What is declared of it.
pub static GROUP: Group = Group {
    name: "Websites",
    about: "What is watched, and what is known of it now.",
    operations: &[
        Operation::get("/api/v1/websites", "listWebsites", "Websites, oldest first. Jobs are among them.")
            .query(&[
                Parameter::LIMIT,
                Parameter::AFTER,
                parameter("state", "Only those with this verdict.", ParameterKind::OneOf(STATES)),
                parameter("tag", "Only those with this tag.", ParameterKind::Text),
                parameter("kind", "Only those of this kind.", ParameterKind::OneOf(&["http", "job"])),
                parameter("paused", "Only those that are paused, or that are not.", ParameterKind::Bool),
                parameter(
                    "q",
                    "Only those with this in their address or name, however it is written.",
                    ParameterKind::Text,
                ),
            ])
            .json(of::<WebsiteList<'static>>),
        Operation::post("/api/v1/websites", "addWebsite", "Adds a website. It is checked at once.")
            .body(of::<Sent>, &["url"])
            .status(201)
            .json(of::<Shown<'static>>),
        Operation::get("/api/v1/websites/:id", "getWebsite", "A website.").json(of::<Shown<'static>>),
        Operation::patch(
            "/api/v1/websites/:id",
            "changeWebsite",
            "Changes a website. What is left out stays as it is; what is known under other settings is forgotten.",
        )
        .body(of::<Sent>, &[])
        .json(of::<Shown<'static>>)
        .revision(),
        Operation::delete("/api/v1/websites/:id", "deleteWebsite", "Deletes a website, and what is known of it.")
            .revision(),
        check::ASK,
        check::LOOK,
    ],
};

const STATES: &[&str] = &["up", "degraded", "down", "unknown"];

/// A website, and what is known of it now.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Website")]
struct Shown<'a> {
    /// Its name in paths.
    id: Id,
    /// Whether probes ask its address, or it reports itself.
    kind: Word<WebsiteKind>,
    /// Its address; of a job its name.
    url: &'a str,
    /// Seconds between two checks from one region; null for a job.
    interval_s: Option<i64>,
    /// Seconds one check may take; null for a job.
    timeout_s: Option<i64>,
    /// Where it is watched from; empty: from everywhere.
    regions: Vec<&'a str>,
    /// The verdict.
    status: Word<Outcome>,
    /// Since when that holds.
    since_at: At,
    /// Why, in words: regions, phases, classes and the rule.
    reason: &'a str,
    /// Whether it is not watched for now.
    paused: bool,
    /// Words it is sorted by.
    tags: Vec<&'a str>,
    /// The website it depends on.
    parent_id: Option<Id>,
    /// For how many days its ticks are kept; null: for as long as the installation keeps them.
    retention_days: Option<u16>,
    /// Its goal in parts per million.
    uptime_goal_ppm: Option<u32>,
    /// Whether its badges are shown to everybody.
    is_badge_public: bool,
    /// When it was added.
    created_at: At,
    /// Grows with every edit.
    revision: i64,
}

/// A page of websites.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "WebsiteList")]
struct WebsiteList<'a> {
    websites: Vec<Shown<'a>>,
    /// Cursor of the next page; null: this is the last.
    next: Option<String>,
}

fn sent(request: &Request) -> Result<Sent, HttpError> {
    if request.media_type() != "application/json" {
        return Err(HttpError::MediaType("application/json"));
    }
    body(request, "a website")
}

fn shown<'a>(row: &'a BoardRow, keeping: &Keeping) -> Shown<'a> {
    let BoardRow { website, state, ties, .. } = row;
    let settings = &website.settings;
    let is_http = website.kind == WebsiteKind::Http;
    Shown {
        id: website.website_id.into(),
        kind: Word(website.kind),
        url: &settings.url,
        interval_s: is_http.then_some(settings.interval_ms / 1_000),
        timeout_s: is_http.then_some(settings.timeout_ms / 1_000),
        regions: settings.regions.iter().map(crate::model::RegionId::as_str).collect(),
        status: Word(state.verdict),
        since_at: At(state.since_at),
        reason: &state.reason,
        paused: website.paused,
        tags: ties.tags.iter().map(Tag::as_str).collect(),
        parent_id: ties.parent_id.map(Id::from),
        retention_days: keeping.retention_days,
        uptime_goal_ppm: keeping.uptime_goal_ppm,
        is_badge_public: keeping.is_badge_public,
        created_at: At(website.created_at),
        revision: website.revision,
    }
}

fn answer(app: &App, account: &Account, id: WebsiteId, status: u16) -> Result<Response, HttpError> {
    let row = app.wait(app.store.board_row(account.account_id, id, clock::now())).map_err(login::store)?;
    let keeping = app.wait(app.store.keeping(account.account_id, id)).map_err(login::store)?;
    let (row, keeping) = row.zip(keeping).ok_or(HttpError::NotFound)?;
    let decided = revision::decided(&(&row.ties, &keeping));
    Ok(revision::answer_decided(status, &shown(&row, &keeping), row.website.revision, &decided))
}

/// A parameter that is one of some words.
pub(super) fn one_of<T: std::str::FromStr>(
    request: &Request,
    name: &'static str,
    words: &str,
) -> Result<Option<T>, HttpError> {
    let Some(given) = request.query(name) else { return Ok(None) };
    let wrong = |_| HttpError::Fields(FieldErrors(vec![FieldError::new(name, given, format!("Give {words}."))]));
    given.parse().map(Some).map_err(wrong)
}

/// Which websites a query asks for.
fn filter(request: &Request) -> Result<WebsiteFilter, HttpError> {
    let text = |name| request.query(name).map(str::trim).filter(|text| !text.is_empty());
    let tag = match text("tag") {
        None => None,
        Some(given) => Some(given.parse::<Tag>().map_err(|why| {
            HttpError::Fields(FieldErrors(vec![FieldError::new("tag", given, format!("Give one tag; {why}."))]))
        })?),
    };
    Ok(WebsiteFilter {
        kind: one_of(request, "kind", "http or job")?,
        verdict: one_of(request, "state", "up, degraded, down or unknown")?,
        tag,
        text: text("q").map(str::to_lowercase),
        paused: one_of(request, "paused", "true or false")?,
    })
}

/// `GET /api/v1/websites?state=&tag=&kind=&paused=&q=&limit=&after=` -> 200 `{websites, next}`, oldest first.
///
/// # Errors
/// 400 for an `after` that was made up, 401, 422.
pub fn list(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    const LIST: &str = "websites";
    let account = login::signed_in(app, request)?.account.account_id;
    let (limit, after, filter) = (limit(request)?, cursor::after(request, LIST)?, filter(request)?);
    let found = app.store.websites_found(account, &filter, after, limit + 1);
    let mut found = app.wait(found).map_err(login::store)?;
    let has_more = cursor::cut(&mut found, limit);
    let ids = found.iter().map(|row| row.website.website_id).collect();
    let keepings = app.wait(app.store.keepings(account, ids)).map_err(login::store)?;
    let keeping = |row: &BoardRow| keepings.get(&row.website.website_id).copied().unwrap_or_default();
    let websites = found.iter().map(|row| shown(row, &keeping(row))).collect();
    let place = |row: &BoardRow| WebsiteCursor { created_at: row.website.created_at, id: row.website.website_id };
    let next = found.last().filter(|_| has_more).map(|row| cursor::write(LIST, &place(row)));
    Ok(cursor::page(request, &WebsiteList { websites, next: next.clone() }, next.as_deref()))
}

/// `GET /api/v1/websites/:id` -> 200.
///
/// # Errors
/// 401, 404 when not yours.
pub fn show(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account;
    answer(app, &account, params.website_id()?, 200)
}

/// `POST /api/v1/websites` -> 201, the website; checked at once.
///
/// # Errors
/// 401, 422 with the fields that cannot be accepted.
pub fn add(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account;
    let (sent, now) = (sent(request)?, clock::now());
    let known = Known { website: None, ties: Ties::default(), keeping: Keeping::default() };
    let wanted = Judge::new(app, &account).over(&sent, &known)?.map_err(HttpError::Fields)?;
    let Wanted { settings, ties, keeping } = wanted;
    let added = app.wait(app.store.add_website_tied(account.account_id, &settings, &ties, now));
    let website =
        added.map_err(login::store)?.map_err(|refused| HttpError::Fields(FieldErrors(vec![as_sent(refused)])))?;
    finish(app, &account, &website, &known.keeping, &keeping, sent.paused)?;
    app.scheduler.changed(website.website_id);
    answer(app, &account, website.website_id, 201)
}

/// `PATCH /api/v1/websites/:id` -> 200, the website. What is not given stays; with `revision` or `If-Match`, only as it was
/// at that.
///
/// # Errors
/// 401, 404 when not yours, 409 or 412 when it was changed meanwhile, 422 with the fields that cannot be accepted.
pub fn change(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account;
    let (account_id, id) = (account.account_id, params.website_id()?);
    let (sent, now) = (sent(request)?, clock::now());
    let website = app.wait(app.store.website(account_id, id)).map_err(login::store)?.ok_or(HttpError::NotFound)?;
    let ties = app.wait(app.store.ties_of_website(account_id, id)).map_err(login::store)?;
    let keeping = app.wait(app.store.keeping(account_id, id)).map_err(login::store)?;
    let (ties, keeping) = ties.zip(keeping).ok_or(HttpError::NotFound)?;
    let known = Known { website: Some(website.clone()), ties, keeping };
    let decided = revision::decided(&(&known.ties, &known.keeping));
    revision::expect_decided(request, sent.revision, website.revision, &decided)?;
    if website.is_unreadable && sent.has_settings() {
        let why =
            "A newer version wrote more settings than this one understands; edit it by its form, which shows them.";
        return Err(HttpError::Conflict(why.to_owned()));
    }
    let wanted = Judge::new(app, &account).over(&sent, &known)?.map_err(HttpError::Fields)?;
    let ties = (wanted.ties != known.ties).then_some(&wanted.ties);
    let refused = |error| HttpError::Fields(FieldErrors(vec![as_sent(error)]));
    if wanted.settings != website.settings {
        let saved = app.store.edit_website_tied(account_id, id, website.revision, &wanted.settings, ties, now);
        match app.wait(saved).map_err(login::store)?.ok_or(HttpError::NotFound)? {
            Edited::Saved(_) => app.scheduler.changed(id),
            Edited::Meanwhile(_) => return Err(revision::meanwhile(request)),
            Edited::Refused(error) => return Err(refused(error)),
        }
    } else if let Some(ties) = ties {
        match app.wait(app.store.set_ties(account_id, id, ties)).map_err(login::store)? {
            TiesSaved::Saved => {}
            TiesSaved::NotFound => return Err(HttpError::NotFound),
            TiesSaved::Refused(error) => return Err(refused(error)),
        }
    }
    finish(app, &account, &website, &known.keeping, &wanted.keeping, sent.paused)?;
    answer(app, &account, id, 200)
}

/// What is saved beside the settings.
fn finish(
    app: &App,
    account: &Account,
    website: &Website,
    before: &Keeping,
    keeping: &Keeping,
    paused: Option<bool>,
) -> Result<(), HttpError> {
    let id = website.website_id;
    if before != keeping {
        app.wait(app.store.set_keeping(account.account_id, id, keeping)).map_err(login::store)?;
    }
    if let Some(paused) = paused.filter(|paused| *paused != website.paused) {
        app.wait(app.store.set_paused(account.account_id, id, paused, clock::now())).map_err(login::store)?;
        app.scheduler.changed(id);
    }
    Ok(())
}

/// `DELETE /api/v1/websites/:id` -> 204.
///
/// # Errors
/// 401, 404 when not yours.
pub fn delete(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account;
    let id = params.website_id()?;
    if request.header("if-match").is_some() {
        let website = app.wait(app.store.website(account.account_id, id)).map_err(login::store)?;
        revision::expect(request, None, website.ok_or(HttpError::NotFound)?.revision)?;
    }
    if !app.wait(app.store.delete_website(account.account_id, id)).map_err(login::store)? {
        return Err(HttpError::NotFound);
    }
    app.scheduler.changed(id);
    Ok(done())
}
