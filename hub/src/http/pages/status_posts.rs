//! What was published on a status page, for those who publish: a page for each, with its updates.

use askama::Template;

use super::words::{Instant, instant};
use super::{Choice, Frame, Viewer, page};
use crate::clock;
use crate::http::login::{self, Caller};
use crate::http::{App, HttpError, Request, Response, route::Params};
use crate::model::status_page::{MOST_UPDATES, Post, StatusPageId, StatusPostId, UpdateInput, UpdateState, suggest};
use crate::model::{AccountId, FieldError, FieldErrors, IncidentId};
use crate::store::{PostSaved, PublishedOn};

/// A line of what was published.
#[derive(Debug)]
pub(super) struct PostLine {
    pub(super) id: StatusPostId,
    pub(super) title: String,
    pub(super) kind: &'static str,
    pub(super) state: &'static str,
    pub(super) goes_on: bool,
    pub(super) began: Instant,
}

impl PostLine {
    pub(super) fn new(post: &Post) -> Self {
        Self {
            id: post.status_post_id,
            title: post.title.clone(),
            kind: post.kind.as_str(),
            state: post.updates.first().map_or("", |update| update.state.words()),
            goes_on: post.ended_at.is_none(),
            began: instant(post.began_at),
        }
    }
}

pub(super) fn states(chosen: &str) -> Vec<Choice> {
    let choice = |state: &UpdateState| Choice {
        value: state.to_string(),
        words: state.words().to_owned(),
        chosen: state.as_str() == chosen,
    };
    UpdateState::ALL.iter().map(choice).collect()
}

/// The page of one.
#[derive(Template, Debug)]
#[template(path = "status_post.html", whitespace = "minimize")]
pub struct StatusPostPage {
    frame: Frame,
    id: StatusPostId,
    page_id: StatusPageId,
    page: String,
    title: String,
    kind: &'static str,
    impact: &'static str,
    began: Instant,
    ended: Option<Instant>,
    incident: Option<IncidentId>,
    updates: Vec<UpdateLine>,
    states: Vec<Choice>,
    said: String,
    errors: FieldErrors,
}

#[derive(Debug)]
struct UpdateLine {
    state: &'static str,
    at: Instant,
    said: String,
}

/// "Take it back?", without script.
#[derive(Template, Debug)]
#[template(path = "status_post_delete.html", whitespace = "minimize")]
struct DeletePage {
    frame: Frame,
    id: StatusPostId,
    title: String,
}

/// What is wrong with something that the store did not take.
pub(in crate::http) fn refused(saved: &PostSaved) -> Option<FieldError> {
    match saved {
        PostSaved::NoComponent => Some(FieldError::new("components", "", "Choose what is on the page.")),
        PostSaved::NoIncident => {
            Some(FieldError::new("incident_id", "", "Give the id of one of your incidents, or none."))
        }
        PostSaved::TooMany => {
            let remedy = format!("It has {MOST_UPDATES} updates, as many as it may have; end it, and publish another.");
            Some(FieldError::new("said", "", remedy))
        }
        PostSaved::Saved(..) | PostSaved::NotFound => None,
    }
}

fn post(app: &App, account: AccountId, params: &Params) -> Result<PublishedOn, HttpError> {
    let id = params.status_post_id()?;
    app.wait(app.store.post(account, id)).map_err(login::store)?.ok_or(HttpError::NotFound)
}

fn post_page(
    app: &App,
    who: &Caller,
    on: PublishedOn,
    code: u16,
    typed: UpdateInput,
    errors: FieldErrors,
) -> Result<Response, HttpError> {
    let PublishedOn { post, page: page_name } = on;
    let now = post.updates.first().map_or("", |update| update.state.as_str());
    let chosen = if typed.state.is_empty() { now } else { &typed.state };
    let update = |update: &crate::model::status_page::PostUpdate| UpdateLine {
        state: update.state.words(),
        at: instant(update.at),
        said: update.said.clone(),
    };
    page(
        code,
        &StatusPostPage {
            frame: Frame::wide(post.title.clone(), Viewer::of(app, who)).at("/status-pages"),
            id: post.status_post_id,
            page_id: post.status_page_id,
            page: page_name,
            title: post.title.clone(),
            kind: post.kind.as_str(),
            impact: post.impact.words(),
            began: instant(post.began_at),
            ended: post.ended_at.map(instant),
            incident: post.incident_id,
            updates: post.updates.iter().map(update).collect(),
            states: states(chosen),
            said: typed.said,
            errors,
        },
    )
}

/// `GET /status-posts/:id?state=`: with `resolved` its form is filled in with that, in words if the incident recovered.
///
/// # Errors
/// Not yours.
pub fn show(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let on = post(app, who.account.account_id, params)?;
    let typed = match request.query("state").and_then(|state| state.parse::<UpdateState>().ok()) {
        Some(UpdateState::Resolved) => resolved(app, &who, &on.post)?,
        Some(other) => UpdateInput { state: other.to_string(), said: String::new() },
        None => UpdateInput::default(),
    };
    post_page(app, &who, on, 200, typed, FieldErrors::default())
}

/// What may be said of the end of what a post is about.
fn resolved(app: &App, who: &Caller, post: &Post) -> Result<UpdateInput, HttpError> {
    let plain = UpdateInput { state: UpdateState::Resolved.to_string(), said: String::new() };
    let (account, store) = (who.account.account_id, &app.store);
    let Some(id) = post.incident_id else { return Ok(plain) };
    let line = app.wait(store.incident(account, id)).map_err(login::store)?;
    let page = app.wait(store.status_page(account, post.status_page_id)).map_err(login::store)?;
    let Some((line, page)) = line.zip(page) else { return Ok(plain) };
    // What the post is about, by the names that the page has for it.
    let on_page = page.plan.components().map(|(_, one)| one);
    let about: Vec<_> = on_page.filter(|one| post.components.contains(&one.website_id)).collect();
    Ok(suggest::resolved(&line.incident, &about))
}

/// `POST /status-posts/:id/updates`.
///
/// # Errors
/// Not yours.
pub fn update(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let account = who.account.account_id;
    let on = post(app, account, params)?;
    let form = request.form();
    let typed = UpdateInput { state: form.get("state").to_owned(), said: form.get("said").to_owned() };
    let (state, said) = match typed.parse() {
        Ok(parsed) => parsed,
        Err(errors) => return post_page(app, &who, on, 422, typed, errors),
    };
    let id = on.post.status_post_id;
    match app.wait(app.store.update_post(account, id, state, &said, clock::now())).map_err(login::store)? {
        PostSaved::Saved(..) => {
            request.notes.about(id, &on.post.title);
            app.pages.changed(on.post.status_page_id);
            Ok(Response::see_other(&format!("/status-posts/{id}")))
        }
        PostSaved::NotFound => Err(HttpError::NotFound),
        other @ (PostSaved::NoComponent | PostSaved::NoIncident | PostSaved::TooMany) => {
            post_page(app, &who, on, 422, typed, FieldErrors(refused(&other).into_iter().collect()))
        }
    }
}

/// `GET /status-posts/:id/delete`: asks first.
///
/// # Errors
/// Not yours.
pub fn confirm_delete(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let on = post(app, who.account.account_id, params)?;
    let frame = Frame::narrow("Take this back?", Some(Viewer::of(app, &who))).at("/status-pages");
    page(200, &DeletePage { frame, id: on.post.status_post_id, title: on.post.title })
}

/// `POST /status-posts/:id/delete`.
///
/// # Errors
/// Not yours.
pub fn delete(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account.account_id;
    let on = post(app, account, params)?;
    if !app.wait(app.store.delete_post(account, on.post.status_post_id)).map_err(login::store)? {
        return Err(HttpError::NotFound);
    }
    request.notes.about(on.post.status_post_id, &on.post.title);
    app.pages.changed(on.post.status_page_id);
    Ok(Response::see_other(&format!("/status-pages/{}", on.post.status_page_id)))
}
