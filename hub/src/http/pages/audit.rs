//! Who changed what: the log of a team for its owners, that of the installation for operators.

use askama::Template;

use super::words::{Instant, instant};
use super::{Choice, Frame, Viewer, page};
use crate::http::login::{self, Caller};
use crate::http::{App, HttpError, Request, Response, route::Params};
use crate::model::audit::{AuditCursor, AuditFilter, AuditLine, KINDS, csv_head, csv_line};
use crate::model::{AccountId, FieldError, FieldErrors};

/// Lines on one page.
const SHOWN: i64 = 50;
/// Lines that are read at once for a table, and its bytes: an answer has 2 MiB at most (P8).
const CSV_AT_ONCE: i64 = 1_000;
const CSV_ROOM: usize = 2 * 1_024 * 1_024 - 64 * 1_024;

/// Whose log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Log {
    /// Of the team that is looked at.
    Team,
    /// Of the installation.
    Installation,
}

impl Log {
    /// The tenant, where it is one's.
    pub(in crate::http) fn account(self, who: &Caller) -> Option<AccountId> {
        match self {
            Self::Team => Some(who.account.account_id),
            Self::Installation => None,
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::Team => "/settings/audit",
            Self::Installation => "/audit",
        }
    }
}

/// The page.
#[derive(Template, Debug)]
#[template(path = "audit.html", whitespace = "minimize")]
pub struct AuditPage {
    frame: Frame,
    path: &'static str,
    other: Option<(&'static str, &'static str)>,
    lines: Vec<Line>,
    kinds: Vec<Choice>,
    filter: AuditFilter,
    is_filtered: bool,
    newest: Option<String>,
    older: Option<String>,
    csv: String,
}

#[derive(Debug)]
struct Line {
    at: Instant,
    person: String,
    key: String,
    address: String,
    action: String,
    kind: String,
    object: String,
    object_id: String,
    changes: Vec<(String, String, String)>,
    times: i64,
}

impl Line {
    fn of(line: &AuditLine) -> Self {
        let deed = &line.deed;
        let changes = deed.changes.iter().map(|one| (one.field.clone(), one.old.clone(), one.new.clone()));
        Self {
            at: instant(line.at),
            person: deed.person.clone(),
            key: deed.key_name.clone(),
            address: deed.address.clone(),
            action: deed.action.clone(),
            kind: deed.kind.clone(),
            object: deed.object.clone(),
            object_id: deed.object_id.clone(),
            changes: changes.collect(),
            times: line.times,
        }
    }
}

/// A filter as a query, and what is added to it.
fn query(filter: &AuditFilter, after: Option<AuditCursor>) -> String {
    let after = after.map(|after| after.to_string());
    let parts = [
        ("kind", filter.kind.as_deref()),
        ("person", filter.person.as_deref()),
        ("object", filter.object_id.as_deref()),
        ("after", after.as_deref()),
    ];
    let mut text = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in parts {
        if let Some(value) = value {
            text.append_pair(name, value);
        }
    }
    let text = text.finish();
    if text.is_empty() { text } else { format!("?{text}") }
}

impl AuditPage {
    /// A page of a log. `is_both`: whoever looks may see the other one, too.
    #[must_use]
    pub(in crate::http) fn new(viewer: impl Into<Viewer>, log: Log, found: &Found, is_both: bool) -> Self {
        let (filter, path) = (&found.filter, log.path());
        let (title, other) = match log {
            Log::Team => ("Who changed what", (Log::Installation.path(), "The installation's log")),
            Log::Installation => {
                ("Who changed what in this installation", (Log::Team.path(), "The log of your things"))
            }
        };
        let kind = |kind: &str| Choice {
            value: kind.to_owned(),
            words: kind.to_owned(),
            chosen: filter.kind.as_deref() == Some(kind),
        };
        let unlisted = filter.kind.as_deref().filter(|given| !KINDS.contains(given));
        let last = found.lines.last().filter(|_| found.has_more).map(AuditLine::cursor);
        Self {
            frame: Frame::wide(title, viewer).at("/settings"),
            path,
            other: is_both.then_some(other),
            lines: found.lines.iter().map(Line::of).collect(),
            kinds: KINDS.into_iter().chain(unlisted).map(kind).collect(),
            is_filtered: *filter != AuditFilter::default(),
            newest: found.after.map(|_| format!("{path}{}", query(filter, None))),
            older: last.map(|last| format!("{path}{}", query(filter, Some(last)))),
            csv: format!("{path}.csv{}", query(filter, None)),
            filter: filter.clone(),
        }
    }
}

/// One page of a log.
#[derive(Debug)]
pub(in crate::http) struct Found {
    pub(in crate::http) lines: Vec<AuditLine>,
    pub(in crate::http) filter: AuditFilter,
    pub(in crate::http) after: Option<AuditCursor>,
    pub(in crate::http) has_more: bool,
}

/// Which lines are asked for: `kind=`, `person=`, `object=`, all that are given.
fn filter(request: &Request) -> AuditFilter {
    let given = |name| request.query(name).map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
    AuditFilter { kind: given("kind"), person: given("person"), object_id: given("object") }
}

fn after(request: &Request) -> Result<Option<AuditCursor>, HttpError> {
    let given = request.query("after").unwrap_or_default();
    if given.is_empty() {
        return Ok(None);
    }
    given.parse().map(Some).map_err(|()| {
        let remedy = "Give the value of \"next\" of the page before, or leave it out for the newest.";
        HttpError::Fields(FieldErrors(vec![FieldError::new("after", given, remedy)]))
    })
}

/// Reads one page; one more than is shown tells whether there are others.
///
/// # Errors
/// The database is away, or the cursor is none of ours.
pub(in crate::http) fn find(
    app: &App,
    request: &Request,
    log: Log,
    after: Option<AuditCursor>,
    limit: i64,
) -> Result<Found, HttpError> {
    let who = login::signed_in(app, request)?;
    let filter = filter(request);
    let found = app.wait(app.store.audit(log.account(&who), &filter, after, limit + 1));
    let mut lines = found.map_err(login::store)?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = lines.len() > limit;
    lines.truncate(limit);
    Ok(Found { lines, filter, after, has_more })
}

fn shown(app: &App, request: &Request, log: Log) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let found = find(app, request, log, after(request)?, SHOWN)?;
    page(200, &AuditPage::new(Viewer::of(app, &who), log, &found, who.person.is_operator()))
}

/// A log as a table, newest first, as much of it as fits an answer; a `Link` with `rel="next"` leads to the rest.
///
/// # Errors
/// The database is away, or the cursor is none of ours.
pub(in crate::http) fn table(app: &App, request: &Request, log: Log) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let (filter, mut place) = (filter(request), after(request)?);
    let mut text = csv_head();
    let next = loop {
        let lines = app.wait(app.store.audit(log.account(&who), &filter, place, CSV_AT_ONCE)).map_err(login::store)?;
        let mut is_full = false;
        for line in &lines {
            let row = csv_line(line);
            if text.len() + row.len() > CSV_ROOM {
                is_full = true;
                break;
            }
            text.push_str(&row);
            place = Some(line.cursor());
        }
        if is_full {
            break place;
        }
        if (lines.len() as i64) < CSV_AT_ONCE {
            break None;
        }
    };
    let answer = Response::new(200, "text/csv; charset=utf-8; header=present", text)
        .with("content-disposition", "attachment; filename=\"audit.csv\"")
        .with("cache-control", "no-store");
    Ok(match next {
        Some(next) => answer.with("link", &format!("<{}{}>; rel=\"next\"", request.path, query(&filter, Some(next)))),
        None => answer,
    })
}

/// `GET /settings/audit?kind=&person=&object=&after=`.
///
/// # Errors
/// Not an owner, or the database is away.
pub fn show(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    shown(app, request, Log::Team)
}

/// `GET /settings/audit.csv`.
///
/// # Errors
/// Not an owner, or the database is away.
pub fn csv(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    table(app, request, Log::Team)
}

/// `GET /audit`: of the installation.
///
/// # Errors
/// Not an operator, or the database is away.
pub fn show_installation(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    shown(app, request, Log::Installation)
}

/// `GET /audit.csv`.
///
/// # Errors
/// Not an operator, or the database is away.
pub fn csv_installation(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    table(app, request, Log::Installation)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::audit::{Deed, FieldChange};

    #[test]
    fn what_people_call_things_is_text_and_a_page_is_small() {
        let hostile = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>";
        let deed = Deed {
            person: hostile.to_owned(),
            key_name: hostile.to_owned(),
            address: hostile.to_owned(),
            kind: hostile.to_owned(),
            object: hostile.to_owned(),
            object_id: hostile.to_owned(),
            changes: vec![FieldChange::new(hostile, hostile, hostile); 3],
            ..Deed::default()
        };
        let line = AuditLine { audit_id: uuid::Uuid::nil(), at: 0, deed, times: 2 };
        let filter = AuditFilter { kind: Some(hostile.to_owned()), person: Some(hostile.to_owned()), object_id: None };
        let found = Found { lines: vec![line; 50], filter, after: None, has_more: true };
        for log in [Log::Team, Log::Installation] {
            let text = AuditPage::new("ann", log, &found, true).render().unwrap();
            assert!(!text.contains("<script>") && !text.contains("<img") && text.contains("&#60;script"), "{text}");
            assert!(!text.contains("onerror=alert(1)>\""), "{text}");
            assert!(text.len() < 120_000, "{}", text.len());
        }
    }
}
