//! One incident: what it is, how it stands, what each region saw, who was told, and what happened in order.

use askama::Template;

use super::incident_evidence::{Sight, sight};
use super::incident_known;
use super::incident_matrix::{Matrix, matrix};
use super::incident_public::{self, Public};
use super::incident_words as say;
use super::words::{self, Instant, Mark, instant};
use super::{Frame, Viewer, etag, page};
use crate::clock;
use crate::http::login::{self, Caller};
use crate::http::{App, HttpError, Request, Response, route::Params};
use crate::model::incident_words::who;
use crate::model::operator::page_of;
use crate::model::verdict::without_codes;
use crate::model::{
    Account, Alert, AlertState, Channel, ChannelId, FieldErrors, IncidentEvent, IncidentEventKind, IncidentId,
    IncidentKind, IncidentLine, IncidentWebsite, UtcMs, WebsiteId,
};

pub use super::incident_actions::{acknowledge, note};
pub use super::incident_known::Known;
pub use super::incident_public::Published;

/// Websites shown on the page.
pub const WEBSITES_SHOWN: i64 = 100;
/// Lines of the timeline shown on the page, the newest.
pub const EVENTS_SHOWN: i64 = 200;
/// Messages shown on the page, the last: reminders of weeks are many, and an answer has an end (P8).
pub const ALERTS_SHOWN: i64 = 200;
/// Regions in the tables of the timeline, all of them together: each is a kilobyte, and an answer has an end (P8).
pub const EVIDENCE_SHOWN: usize = 200;

/// All the page is made from.
#[derive(Debug, Clone)]
pub struct Found {
    /// The incident.
    pub line: IncidentLine,
    /// The first of its websites, those that fail still before the others.
    pub websites: Vec<IncidentWebsite>,
    /// What happened, in order.
    pub events: Vec<IncidentEvent>,
    /// What was sent, in order.
    pub alerts: Vec<Alert>,
    /// There is a channel that is on.
    pub is_told: bool,
    /// The account's channels, where a message was given up: it may be sent through another.
    pub channels: Vec<Channel>,
    /// What is known of regions beside the timeline.
    pub known: Known,
    /// What the public is told.
    pub published: Published,
}

/// The page.
#[derive(Template, Debug)]
#[template(path = "incident.html", whitespace = "minimize")]
pub struct IncidentPage {
    frame: Frame,
    id: IncidentId,
    fragment: String,
    etag: String,
    note: String,
    errors: FieldErrors,
}

impl IncidentPage {
    /// As of `now`.
    pub fn new(viewer: impl Into<Viewer>, found: &Found, now: UtcMs) -> Result<Self, askama::Error> {
        let view = IncidentView::new(found, now);
        let fragment = view.render()?;
        Ok(Self {
            frame: Frame::wide(view.heading, viewer).at("/incidents"),
            id: found.line.incident.incident_id,
            etag: etag(&fragment),
            fragment,
            note: String::new(),
            errors: FieldErrors::default(),
        })
    }

    /// With a note that was not taken, as it was typed.
    #[must_use]
    pub fn again(self, note: &str, errors: FieldErrors) -> Self {
        Self { note: note.to_owned(), errors, ..self }
    }
}

/// The part that renews itself.
#[derive(Template, Debug)]
#[template(path = "incident_fragment.html", whitespace = "minimize")]
pub struct IncidentView {
    id: IncidentId,
    heading: String,
    mark: Mark,
    state: &'static str,
    is_open: bool,
    kind: &'static str,
    kind_explained: Option<&'static str>,
    began: Instant,
    ended: Option<Instant>,
    lasted: String,
    cause: String,
    /// Of the installation: the page that shows more of it, and its name.
    look: Option<(&'static str, &'static str)>,
    has_websites: bool,
    muted: Option<&'static str>,
    acknowledged: Option<String>,
    /// What each region saw when it began, side by side.
    matrix: Option<Matrix>,
    /// The same of a job, which reports itself.
    sight: Option<Sight>,
    /// Of several websites: which one that is of.
    seen_of: Option<String>,
    is_opening: bool,
    alerts: Vec<Told>,
    is_told: bool,
    public: Public,
    websites: Vec<Part>,
    more_websites: i64,
    events: Vec<Event>,
    has_more_alerts: bool,
    has_more_events: bool,
}

#[derive(Debug)]
struct Part {
    website_id: WebsiteId,
    name: String,
    began: Instant,
    ended: Option<Instant>,
}

/// A message, as it is shown beside the incident it is about.
#[derive(Debug)]
struct Told {
    id: String,
    channel_id: String,
    channel: String,
    event: &'static str,
    at: Instant,
    letter: &'static str,
    state: &'static str,
    class: &'static str,
    said: String,
    next: Option<Instant>,
    is_dead: bool,
    /// Its own channel is gone: those through which it can be sent.
    through: Vec<(ChannelId, String)>,
}

#[derive(Debug)]
struct Event {
    at: Instant,
    letter: &'static str,
    class: &'static str,
    said: String,
    by: Option<String>,
    is_note: bool,
    sight: Option<Sight>,
    key: usize,
}

impl IncidentView {
    /// As of `now`.
    #[must_use]
    pub fn new(found: &Found, now: UtcMs) -> Self {
        let incident = &found.line.incident;
        let is_open = incident.closed_at.is_none();
        let has_websites = incident.kind != IncidentKind::Operator;
        // What opened it stands above; the timeline does not repeat it.
        let opening = found.events.iter().position(|event| !event.evidence.is_empty());
        let opening_event = opening.and_then(|place| found.events.get(place));
        let mut left = EVIDENCE_SHOWN;
        // The newest first, as long as there is room.
        let mut events: Vec<Event> = found
            .events
            .iter()
            .enumerate()
            .rev()
            .map(|(n, event)| {
                let rows = event.evidence.len();
                let is_shown = Some(n) != opening && rows <= left;
                left -= if is_shown { rows } else { 0 };
                Event::new(event, n, is_shown)
            })
            .collect();
        events.reverse();
        let matrix =
            opening_event.and_then(|event| matrix(&event.evidence, &found.events, &found.known, incident.began_at));
        let is_job = matrix.is_none();
        let seen_of = opening_event.filter(|_| found.line.websites > 1).and_then(|event| event.website_id);
        let seen_of = seen_of.and_then(|id| found.websites.iter().find(|website| website.website_id == id));
        Self {
            id: incident.incident_id,
            heading: say::heading(incident, &found.line.first_url, found.line.websites, found.line.failing),
            mark: say::mark(incident),
            state: say::state(incident),
            is_open,
            kind: say::kind(incident.kind),
            kind_explained: say::kind_explained(incident.kind),
            began: instant(incident.began_at),
            ended: say::ended_at(incident).map(instant),
            lasted: say::duration(incident, now),
            cause: explained(found),
            look: page_of(&incident.cause_key).filter(|_| !has_websites).map(|page| (page, page_name(page))),
            has_websites,
            muted: incident.muted_by.map(|by| say::muted_sentence(by, is_open)),
            acknowledged: say::acknowledged(incident),
            sight: opening_event.filter(|_| is_job).and_then(|event| sight(&event.evidence)),
            matrix,
            seen_of: seen_of.map(|website| words::name(&website.url)),
            is_opening: opening_event.is_some_and(|event| event.kind == IncidentEventKind::Opened),
            alerts: found.alerts.iter().map(|alert| Told::new(alert, &found.channels)).collect(),
            is_told: found.is_told,
            public: Public::new(&found.published, incident),
            websites: found.websites.iter().map(Part::new).collect(),
            more_websites: found.line.websites - i64::try_from(found.websites.len()).unwrap_or(i64::MAX),
            events,
            has_more_alerts: is_full(found.alerts.len(), ALERTS_SHOWN),
            has_more_events: is_full(found.events.len(), EVENTS_SHOWN),
        }
    }
}

/// The cause; of the installation, whose cause is the heading, what it means.
fn explained(found: &Found) -> String {
    let incident = &found.line.incident;
    let opening = found.events.iter().find(|event| event.kind == IncidentEventKind::Opened);
    match (incident.kind, opening) {
        (IncidentKind::Operator, Some(event)) => words::sentence(&event.said),
        (
            IncidentKind::Operator
            | IncidentKind::Outage
            | IncidentKind::Regional
            | IncidentKind::Flapping
            | IncidentKind::Certificate,
            _,
        ) => words::sentence(&incident.cause),
    }
}

fn page_name(page: &str) -> &'static str {
    if page == "/dead-letters" { "the dead letters" } else { "the probes" }
}

/// As many as are read: there may be more before them.
fn is_full(read: usize, limit: i64) -> bool {
    i64::try_from(read).unwrap_or(i64::MAX) >= limit
}

impl Part {
    fn new(website: &IncidentWebsite) -> Self {
        Self {
            website_id: website.website_id,
            name: words::name(&website.url),
            began: instant(website.began_at),
            ended: website.ended_at.map(instant),
        }
    }
}

impl Told {
    fn new(alert: &Alert, channels: &[Channel]) -> Self {
        let is_dead = alert.state == AlertState::Dead;
        let is_gone = channels.iter().all(|channel| channel.channel_id != alert.channel_id);
        let others = channels.iter().filter(|channel| is_dead && is_gone && channel.takes_messages());
        let (letter, state, class) = say::alert_state(alert.state, alert.tries);
        Self {
            id: alert.alert_id.to_string(),
            channel_id: alert.channel_id.to_string(),
            channel: alert.channel_name.clone(),
            event: say::event(alert.event),
            at: instant(alert.ended_at.unwrap_or(alert.created_at)),
            letter,
            state,
            class,
            said: alert.said.clone(),
            next: (alert.state == AlertState::Waiting).then(|| instant(alert.due_at)),
            is_dead: is_dead && !is_gone,
            through: others.map(|channel| (channel.channel_id, channel.name.clone())).collect(),
        }
    }
}

impl Event {
    fn new(event: &IncidentEvent, key: usize, shows_sight: bool) -> Self {
        let (letter, class) = say::event_mark(event.kind);
        let is_note = event.kind == IncidentEventKind::Note;
        let by = event.said_by.as_deref().filter(|by| is_note || !event.said.contains(by));
        let by = by.map(|by| if is_note { by.to_owned() } else { who(Some(by)).to_owned() });
        Self {
            at: instant(event.at),
            letter,
            class,
            said: if is_note { event.said.clone() } else { words::sentence(&without_codes(&event.said)) },
            by,
            is_note,
            sight: if shows_sight { sight(&event.evidence) } else { None },
            key,
        }
    }
}

/// Everything about an incident of this account.
///
/// # Errors
/// Not theirs, or the database is away.
pub(in crate::http) fn load(app: &App, account: &Account, id: IncidentId) -> Result<Found, HttpError> {
    let (store, account) = (&app.store, account.account_id);
    let line = app.wait(store.incident(account, id)).map_err(login::store)?.ok_or(HttpError::NotFound)?;
    let websites = app.wait(store.incident_websites(account, id, WEBSITES_SHOWN)).map_err(login::store)?;
    let events = app.wait(store.incident_events(account, id, EVENTS_SHOWN)).map_err(login::store)?;
    let alerts = app.wait(store.alerts_of_incident(account, id, ALERTS_SHOWN)).map_err(login::store)?;
    let has_dead = alerts.iter().any(|alert| alert.state == AlertState::Dead);
    let channels = match alerts.is_empty() || has_dead {
        true => app.wait(store.channels(account)).map_err(login::store)?,
        false => Vec::new(),
    };
    let is_told = !alerts.is_empty() || channels.iter().any(|channel| channel.is_on);
    Ok(Found {
        line,
        websites,
        events,
        alerts,
        is_told,
        channels,
        known: Known::default(),
        published: Published::default(),
    })
}

/// The same, with all that its page shows beside.
///
/// # Errors
/// Not theirs, or the database is away.
pub(super) fn load_page(app: &App, who: &Caller, id: IncidentId) -> Result<Found, HttpError> {
    let found = load(app, &who.account, id)?;
    let published = incident_public::find(app, who, &found.line.incident)?;
    let known = incident_known::find(app, who, &found.line, &found.events)?;
    Ok(Found { known, published, ..found })
}

/// `GET /incidents/:id`.
///
/// # Errors
/// Not yours.
pub fn show(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let found = load_page(app, &who, params.incident_id()?)?;
    let view = IncidentPage::new(Viewer::of(app, &who), &found, clock::now()).map_err(anyhow::Error::from)?;
    page(200, &view)
}

/// `GET /incidents/:id/fragment`: what changes by itself, for the page's script.
///
/// # Errors
/// Not yours.
pub fn fragment(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let found = load_page(app, &who, params.incident_id()?)?;
    super::fragment(&IncidentView::new(&found, clock::now()))
}
