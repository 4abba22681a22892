//! Publishing something on a status page: a form of its own page, filled in from an incident where one comes from there, so that
//! whoever publishes reads it first.

use askama::Template;

use super::status_pages::found;
use super::status_posts::{refused, states};
use super::{Choice, Frame, Viewer, page};
use crate::clock;
use crate::http::login::{self, Caller};
use crate::http::{App, HttpError, Request, Response, route::Params};
use crate::model::status_page::{Component, Impact, PostInput, StatusPage, StatusPageId, UpdateInput, suggest};
use crate::model::{AccountId, FieldErrors, IncidentFilter, IncidentId, IncidentLine};
use crate::store::PostSaved;

/// Incidents offered to be told of.
const INCIDENTS: i64 = 20;
/// Websites of an incident that are looked for on a page.
const PARTS: i64 = 1_000;

/// The form that publishes something.
#[derive(Debug, Default)]
pub(super) struct PublishPart {
    pub(super) typed: PostInput,
    pub(super) errors: FieldErrors,
    pub(super) components: Vec<Choice>,
    pub(super) impacts: Vec<Choice>,
    pub(super) states: Vec<Choice>,
    pub(super) incidents: Vec<Choice>,
}

/// The page of the form alone.
#[derive(Template, Debug)]
#[template(path = "status_publish.html", whitespace = "minimize")]
struct PublishPage {
    frame: Frame,
    id: StatusPageId,
    page: String,
    /// It was filled in from this one.
    incident: Option<IncidentId>,
    publish: PublishPart,
}

impl PublishPart {
    pub(super) fn is_incident(&self) -> bool {
        self.typed.kind != "notice"
    }

    /// With what it may choose from.
    pub(super) fn on(self, app: &App, account: AccountId, one: &StatusPage) -> Result<Self, HttpError> {
        let filter = IncidentFilter { open_only: true, ..IncidentFilter::default() };
        let mut incidents = app.wait(app.store.incidents(account, filter, None, INCIDENTS)).map_err(login::store)?;
        // The one that is meant may be over, or one of very many.
        if let Ok(id) = self.typed.incident_id.parse::<IncidentId>()
            && incidents.iter().all(|line| line.incident.incident_id != id)
        {
            let meant = app.wait(app.store.incident(account, id)).map_err(login::store)?;
            incidents.splice(0..0, meant);
        }
        let incident = |line: IncidentLine| {
            let value = line.incident.incident_id.to_string();
            let of = match line.first_url.is_empty() {
                true => String::new(),
                false => format!("{}: ", super::words::name(&line.first_url)),
            };
            Choice { words: format!("{of}{}", line.incident.cause), chosen: value == self.typed.incident_id, value }
        };
        let component = |(_, one): (&str, &Component)| {
            let value = one.website_id.to_string();
            Choice { words: one.name.clone(), chosen: self.typed.components.contains(&value), value }
        };
        let impact = |impact: &Impact| Choice {
            value: impact.to_string(),
            words: impact.words().to_owned(),
            chosen: impact.as_str() == self.typed.impact,
        };
        Ok(Self {
            components: one.plan.components().map(component).collect(),
            impacts: Impact::ALL.iter().map(impact).collect(),
            states: states(&self.typed.update.state),
            incidents: incidents.into_iter().map(incident).collect(),
            ..self
        })
    }
}

/// What on a page an incident is about.
///
/// # Errors
/// The database is away.
pub(super) fn affected<'a>(
    app: &App,
    account: AccountId,
    id: IncidentId,
    one: &'a StatusPage,
) -> Result<Vec<&'a Component>, HttpError> {
    let parts = app.wait(app.store.incident_websites(account, id, PARTS)).map_err(login::store)?;
    let parts: Vec<_> = parts.iter().map(|part| (part.website_id, part.ended_at.is_none())).collect();
    Ok(suggest::affected(one.plan.components().map(|(_, one)| one), &parts))
}

fn form(
    app: &App,
    who: &Caller,
    one: &StatusPage,
    code: u16,
    typed: PostInput,
    errors: FieldErrors,
) -> Result<Response, HttpError> {
    let incident = typed.incident_id.parse().ok();
    let publish = PublishPart { typed, errors, ..PublishPart::default() }.on(app, who.account.account_id, one)?;
    let title = format!("Publish on {}", one.plan.name);
    let frame = Frame::narrow(title, Some(Viewer::of(app, who))).at("/status-pages");
    page(code, &PublishPage { frame, id: one.status_page_id, page: one.plan.name.clone(), incident, publish })
}

/// `GET /status-pages/:id/publish?incident=`: the form, filled in from an incident where one is named.
///
/// # Errors
/// Not yours.
pub fn show(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let account = who.account.account_id;
    let one = found(app, account, params)?;
    let typed = match request.query("incident").filter(|given| !given.is_empty()) {
        None => PostInput::default(),
        Some(given) => {
            let id: IncidentId = given.parse().map_err(|_| HttpError::NotFound)?;
            let line = app.wait(app.store.incident(account, id)).map_err(login::store)?.ok_or(HttpError::NotFound)?;
            suggest::post(&line.incident, &affected(app, account, id, &one)?)
        }
    };
    form(app, &who, &one, 200, typed, FieldErrors::default())
}

/// `POST /status-pages/:id/posts`.
///
/// # Errors
/// Not yours.
pub fn publish(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let one = found(app, who.account.account_id, params)?;
    let sent = request.form();
    let typed = PostInput {
        kind: sent.get("kind").to_owned(),
        title: sent.get("title").to_owned(),
        impact: sent.get("impact").to_owned(),
        components: sent.all("components").into_iter().map(str::to_owned).collect(),
        incident_id: sent.get("incident_id").to_owned(),
        update: UpdateInput { state: sent.get("state").to_owned(), said: sent.get("said").to_owned() },
    };
    let draft = match typed.parse() {
        Ok(draft) => draft,
        Err(errors) => return form(app, &who, &one, 422, typed, errors),
    };
    let (account, id) = (who.account.account_id, one.status_page_id);
    let saved = app.wait(app.store.publish(account, id, &draft, clock::now())).map_err(login::store)?;
    match saved {
        PostSaved::Saved(post, _) => {
            request.notes.about(id, &one.plan.name);
            app.pages.changed(id);
            Ok(Response::see_other(&format!("/status-posts/{post}")))
        }
        PostSaved::NotFound => Err(HttpError::NotFound),
        other @ (PostSaved::NoComponent | PostSaved::NoIncident | PostSaved::TooMany) => {
            form(app, &who, &one, 422, typed, FieldErrors(refused(&other).into_iter().collect()))
        }
    }
}
