//! All incidents of an account: open ones first, then those that are over, newest first.

use std::collections::HashSet;

use askama::Template;

use super::incident_words as say;
use super::words::{Instant, Mark, instant, lasted};
use super::{Frame, Viewer, page};
use crate::clock;
use crate::http::{App, HttpError, Request, Response, login, route::Params};
use crate::model::incident_words::who;
use crate::model::{
    AccountId, FieldError, FieldErrors, Incident, IncidentCursor, IncidentFilter, IncidentId, IncidentKind,
    IncidentLine, UtcMs,
};

/// Incidents on one page.
pub const SHOWN: i64 = 50;
/// Open ones that stand before them.
pub const OPEN_SHOWN: i64 = 100;

/// What a page shows.
#[derive(Debug, Default)]
pub struct Found {
    /// Only those that go on.
    pub open_only: bool,
    /// Only of this kind.
    pub kind: Option<IncidentKind>,
    /// Those that go on, before the page of all: on its first one.
    pub open: Vec<IncidentLine>,
    /// One page, newest first.
    pub incidents: Vec<IncidentLine>,
    /// Where this page begins; `None`: with the newest.
    pub after: Option<IncidentCursor>,
    /// There are older ones.
    pub has_more: bool,
    /// There is a channel that is on.
    pub is_told: bool,
}

/// The page.
#[derive(Template, Debug)]
#[template(path = "incidents.html", whitespace = "minimize")]
pub struct IncidentsPage {
    frame: Frame,
    open_only: bool,
    kind: Option<IncidentKind>,
    tabs: Vec<Tab>,
    is_told: bool,
    entries: Vec<Entry>,
    newest: Option<String>,
    older: Option<String>,
}

/// Which incidents one may look at.
#[derive(Debug)]
struct Tab {
    path: String,
    words: &'static str,
    is_here: bool,
}

/// An incident in a list.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) id: IncidentId,
    pub(super) is_open: bool,
    pub(super) mark: Mark,
    pub(super) state: &'static str,
    pub(super) about: String,
    pub(super) cause: String,
    pub(super) kind: &'static str,
    pub(super) began: Instant,
    pub(super) lasted: String,
    pub(super) notes: Vec<String>,
}

/// So many that follow each other are one line of the list.
const SEVERAL: usize = 3;

/// A line of the list: an incident, or several of one website that follow each other and are over.
#[derive(Debug)]
pub(super) enum Entry {
    /// One.
    One(Line),
    /// Several.
    Several(Several),
}

/// Incidents of one website, newest first.
#[derive(Debug)]
pub(super) struct Several {
    /// The newest, which stands for all.
    pub(super) newest: Line,
    /// The begin of the oldest.
    pub(super) began: Instant,
    /// "7 times in 3 h".
    pub(super) times: String,
    /// How long they lasted together.
    pub(super) together: String,
    /// Not all are of one kind.
    pub(super) is_mixed: bool,
    pub(super) lines: Vec<Line>,
}

/// A website that keeps falling over takes one line, not seven.
fn entries(shown: &[&IncidentLine], now: UtcMs) -> Vec<Entry> {
    let is_like = |a: &&IncidentLine, b: &&IncidentLine| {
        let is_alone = |line: &IncidentLine| line.websites == 1 && line.incident.closed_at.is_some();
        let of = |line: &IncidentLine| line.first_website.map(|id| (id, line.first_url.clone()));
        is_alone(a) && is_alone(b) && of(a).is_some() && of(a) == of(b)
    };
    let mut entries = Vec::new();
    for run in shown.chunk_by(is_like) {
        match run {
            [newest, .., oldest] if run.len() >= SEVERAL => {
                let ended = |line: &IncidentLine| say::ended_at(&line.incident).unwrap_or(now);
                let spans = run.iter().map(|line| (ended(line) - line.incident.began_at).max(0));
                let over_ms = run.iter().map(|line| ended(line)).max().unwrap_or(now) - oldest.incident.began_at;
                let lines: Vec<Line> = run.iter().map(|line| Line::new(line, now)).collect();
                entries.push(Entry::Several(Several {
                    newest: Line::new(newest, now),
                    began: instant(oldest.incident.began_at),
                    times: format!("{} times in {}", run.len(), lasted(over_ms)),
                    together: lasted(spans.sum()),
                    is_mixed: run.iter().any(|line| line.incident.kind != newest.incident.kind),
                    lines,
                }));
            }
            _ => entries.extend(run.iter().map(|line| Entry::One(Line::new(line, now)))),
        }
    }
    entries
}

impl IncidentsPage {
    /// As of `now`.
    #[must_use]
    pub fn new(viewer: impl Into<Viewer>, found: &Found, now: UtcMs) -> Self {
        let path = list(found.open_only, found.kind);
        let here = (found.open_only, found.kind);
        let tab = |words, to: (bool, Option<IncidentKind>)| Tab { path: list(to.0, to.1), words, is_here: to == here };
        let last = found.incidents.last().filter(|_| found.has_more).map(|last| last.cursor().to_string());
        Self {
            frame: Frame::wide("Incidents", viewer).at("/incidents"),
            open_only: found.open_only,
            kind: found.kind,
            tabs: vec![
                tab("All", (false, None)),
                tab("Open", (true, None)),
                tab("Certificates", (false, Some(IncidentKind::Certificate))),
            ],
            is_told: found.is_told,
            entries: entries(&found.shown().collect::<Vec<_>>(), now),
            older: last.map(|cursor| format!("{path}{}after={cursor}", if path.contains('?') { '&' } else { '?' })),
            newest: found.after.map(|_| path),
        }
    }
}

impl Found {
    /// Open ones first. Those that stand there do not stand among the others too; of very many the rest does, and nobody
    /// ends on a page without any before he has seen the last.
    fn shown(&self) -> impl Iterator<Item = &IncidentLine> {
        let first: HashSet<IncidentId> = self.open.iter().map(|line| line.incident.incident_id).collect();
        let is_new = move |line: &&IncidentLine| !first.contains(&line.incident.incident_id);
        self.open.iter().chain(self.incidents.iter().filter(is_new))
    }
}

impl Line {
    pub(super) fn new(listed: &IncidentLine, now: UtcMs) -> Self {
        let line = Self::of(&listed.incident, now);
        if listed.incident.kind == IncidentKind::Operator {
            return Self { about: line.cause, cause: "This installation".to_owned(), ..line };
        }
        Self { about: say::about(&listed.first_url, listed.websites), ..line }
    }

    /// Where it is plain which website is meant.
    pub(super) fn of(incident: &Incident, now: UtcMs) -> Self {
        let mut notes = Vec::new();
        notes.extend(incident.muted_by.map(|by| say::muted(by).to_owned()));
        if incident.acknowledged_at.is_some() {
            notes.push(format!("taken on by {}", who(incident.acknowledged_by.as_deref())));
        }
        Self {
            id: incident.incident_id,
            is_open: incident.closed_at.is_none(),
            mark: say::mark(incident),
            state: say::state(incident),
            about: String::new(),
            cause: incident.cause.clone(),
            kind: say::kind(incident.kind),
            began: instant(incident.began_at),
            lasted: say::duration(incident, now),
            notes,
        }
    }
}

fn list(open_only: bool, kind: Option<IncidentKind>) -> String {
    let parts = [open_only.then(|| "state=open".to_owned()), kind.map(|kind| format!("kind={kind}"))];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "/incidents".to_owned() } else { format!("/incidents?{}", parts.join("&")) }
}

/// Reads one page; one more than is shown tells whether there are others.
///
/// # Errors
/// The database is away.
pub(in crate::http) fn find(
    app: &App,
    account: AccountId,
    filter: IncidentFilter,
    after: Option<IncidentCursor>,
    limit: i64,
) -> Result<Found, HttpError> {
    let found = app.wait(app.store.incidents(account, filter, after, limit + 1));
    let mut incidents = found.map_err(login::store)?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = incidents.len() > limit;
    incidents.truncate(limit);
    let IncidentFilter { open_only, kind, .. } = filter;
    Ok(Found { open_only, kind, incidents, after, has_more, ..Found::default() })
}

/// Which are asked for: `state=open`, or all.
///
/// # Errors
/// Another word.
pub(in crate::http) fn open_only(request: &Request) -> Result<bool, HttpError> {
    match request.query("state").unwrap_or_default() {
        "" | "all" => Ok(false),
        "open" => Ok(true),
        other => {
            let remedy = "Give open or all.";
            Err(HttpError::Fields(FieldErrors(vec![FieldError::new("state", other, remedy)])))
        }
    }
}

/// Of which kind they are to be: `kind=`, or of any.
///
/// # Errors
/// Another word.
pub(in crate::http) fn kind(request: &Request) -> Result<Option<IncidentKind>, HttpError> {
    let given = request.query("kind").unwrap_or_default();
    if given.is_empty() {
        return Ok(None);
    }
    given.parse().map(Some).map_err(|_| {
        let remedy = "Give outage, regional, flapping, certificate or operator.";
        HttpError::Fields(FieldErrors(vec![FieldError::new("kind", given, remedy)]))
    })
}

/// Where the list is to go on.
///
/// # Errors
/// It is none of our cursors.
pub(in crate::http) fn after(request: &Request) -> Result<Option<IncidentCursor>, HttpError> {
    let given = request.query("after").unwrap_or_default();
    if given.is_empty() {
        return Ok(None);
    }
    given.parse().map(Some).map_err(|_| {
        let remedy = "Give the value of \"next\" of the page before, or leave it out for the newest.";
        HttpError::Fields(FieldErrors(vec![FieldError::new("after", given, remedy)]))
    })
}

/// `GET /incidents?state=&kind=&after=`.
///
/// # Errors
/// Not signed in, or the database is away.
pub fn show(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let (open_only, after) = (open_only(request)?, after(request)?);
    let filter = IncidentFilter { open_only, kind: kind(request)?, ..IncidentFilter::default() };
    let mut found = find(app, who.account.account_id, filter, after, SHOWN)?;
    if !open_only && after.is_none() {
        let filter = IncidentFilter { open_only: true, ..filter };
        found.open = find(app, who.account.account_id, filter, None, OPEN_SHOWN)?.incidents;
    }
    if found.incidents.is_empty() {
        let channels = app.wait(app.store.channels(who.account.account_id)).map_err(login::store)?;
        found.is_told = channels.iter().any(|channel| channel.is_on);
    }
    page(200, &IncidentsPage::new(Viewer::of(app, &who), &found, clock::now()))
}
