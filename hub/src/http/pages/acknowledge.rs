//! Where a link in a message leads: one incident, and a button that takes it on. Whoever has the link may press it, signed
//! in or not. Looking changes nothing, since scanners of mails and previews of chats follow links.

use askama::Template;

use super::incident_words as say;
use super::words::{self, Mark};
use super::{Frame, Viewer, page};
use crate::clock;
use crate::http::login::{self, Caller};
use crate::http::{App, HttpError, Request, Response, route::Params};
use crate::model::incident_words::BY_LINK;
use crate::model::{AccountId, Incident, IncidentId, TakenOn, UtcMs};
use crate::store::IncidentStory;

/// The page.
#[derive(Template, Debug)]
#[template(path = "acknowledge.html", whitespace = "minimize")]
pub struct AcknowledgePage {
    frame: Frame,
    /// `None`: the link is none of ours, or too old.
    shown: Option<Shown>,
}

#[derive(Debug)]
struct Shown {
    id: IncidentId,
    mark: Mark,
    state: &'static str,
    is_open: bool,
    lasted: String,
    cause: String,
    acknowledged: Option<String>,
    is_theirs: bool,
}

impl AcknowledgePage {
    /// As of `now`; `about`: address of one of its websites, how many there are, and how many fail still; `is_theirs`: who
    /// looks is signed in and owns it.
    #[must_use]
    pub fn new(
        viewer: Option<Viewer>,
        incident: &Incident,
        about: (&str, i64, i64),
        is_theirs: bool,
        now: UtcMs,
    ) -> Self {
        Self {
            frame: Frame::narrow(say::heading(incident, about.0, about.1, about.2), viewer).at("/acknowledge"),
            shown: Some(Shown {
                id: incident.incident_id,
                mark: say::mark(incident),
                state: say::state(incident),
                is_open: incident.closed_at.is_none(),
                lasted: say::duration(incident, now),
                cause: words::sentence(&incident.cause),
                acknowledged: say::acknowledged(incident),
                is_theirs,
            }),
        }
    }

    /// For a link that leads nowhere.
    #[must_use]
    pub fn nowhere(viewer: Option<Viewer>) -> Self {
        Self { frame: Frame::narrow("This link does not work", viewer), shown: None }
    }
}

struct Followed {
    who: Option<Caller>,
    story: Option<IncidentStory>,
    /// It is of a team that who is signed in belongs to, whichever he looks at: he is named.
    is_theirs: bool,
}

impl Followed {
    fn page(&self, app: &App) -> Result<Response, HttpError> {
        let viewer = self.who.as_ref().map(|who| Viewer::of(app, who));
        match &self.story {
            Some(story) => {
                let first = story.websites.first().map_or("", |website| website.url.as_str());
                let about = (first, story.count, story.failing);
                let view = AcknowledgePage::new(viewer, &story.incident, about, self.is_theirs, clock::now());
                page(200, &view)
            }
            None => page(404, &AcknowledgePage::nowhere(viewer)),
        }
    }
}

fn follow(app: &App, request: &Request, params: &Params) -> Result<Followed, HttpError> {
    let who = match login::signed_in(app, request) {
        Ok(who) => Some(who),
        Err(HttpError::SignInFirst) => None,
        Err(error) => return Err(error),
    };
    let story = match app.alerts.acknowledges(params.get("token"), clock::now()) {
        Some(id) => app.wait(app.store.incident_for_alert(id)).map_err(login::store)?,
        None => None,
    };
    let is_theirs = match (&who, &story) {
        (Some(who), Some(story)) => is_in(app, who, story.incident.account_id)?,
        (None, _) | (_, None) => false,
    };
    Ok(Followed { who, story, is_theirs })
}

fn is_in(app: &App, who: &Caller, team: AccountId) -> Result<bool, HttpError> {
    if [who.account.account_id, who.person.account_id].contains(&team) {
        return Ok(true);
    }
    if !who.has_teams {
        return Ok(false);
    }
    let teams = app.wait(app.store.teams_of(who.person.account_id)).map_err(login::store)?;
    Ok(teams.iter().any(|of| of.team.account_id == team))
}

/// `GET /acknowledge/:token`: shows what it is about, and changes nothing.
///
/// # Errors
/// The database is away.
pub fn show(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    follow(app, request, params)?.page(app)
}

/// `POST /acknowledge/:token`.
///
/// # Errors
/// The database is away.
pub fn acknowledge(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let followed = follow(app, request, params)?;
    let Some(story) = &followed.story else { return followed.page(app) };
    let incident = &story.incident;
    let by = followed.who.as_ref().filter(|_| followed.is_theirs).map_or(BY_LINK, |who| who.person.username.as_str());
    let done = app.wait(app.store.acknowledge_incident(incident.account_id, incident.incident_id, by, clock::now()));
    match done.map_err(login::store)?.ok_or(HttpError::NotFound)? {
        TakenOn::Now => {}
        // A link may be followed by anybody, again and again.
        TakenOn::Before | TakenOn::Over => request.notes.nothing(),
    }
    request.notes.about(incident.incident_id, &incident.cause);
    match followed.who.as_ref().filter(|_| followed.is_theirs) {
        Some(who) => {
            request.notes.of(who);
            request.notes.of_team(incident.account_id);
        }
        None => request.notes.somebody(incident.account_id, "whoever had the link"),
    }
    Ok(Response::see_other(&format!("/acknowledge/{}", params.get("token"))))
}
