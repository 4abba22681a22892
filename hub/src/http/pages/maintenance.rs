//! Maintenance windows: which run, which come, which were.

use std::collections::BTreeSet;

use askama::Template;

use super::maintenance_words::{Covered, Turn, minute, rule, turn};
use super::words::{Instant, lasted};
use super::{Frame, Viewer, page};
use crate::clock;
use crate::http::{App, HttpError, Request, Response, login, route::Params};
use crate::model::{Maintenance, MaintenanceId, PastMaintenance, Scope, UtcMs, WebsiteId};
use crate::store::PAST_KEPT_MS;

pub use super::maintenance_form::{create, edit, new, save};

/// Past windows shown.
const PAST_SHOWN: usize = 20;
/// How far they are looked for.
const PAST_LOOKED_FOR_MS: i64 = 31 * 86_400_000;

/// The page.
#[derive(Template, Debug)]
#[template(path = "maintenance.html", whitespace = "minimize")]
pub struct MaintenancePage {
    frame: Frame,
    running: Vec<Line>,
    upcoming: Vec<Line>,
    over: Vec<Line>,
    past: Vec<PastLine>,
    is_full: bool,
}

#[derive(Debug)]
struct Line {
    maintenance_id: MaintenanceId,
    name: String,
    covers: String,
    rule: String,
    turn: Option<Turn>,
    left: String,
    from_at: UtcMs,
}

#[derive(Debug)]
struct PastLine {
    name: String,
    covers: String,
    from: Instant,
    to: Instant,
    lasted: String,
}

impl MaintenancePage {
    /// As of `now`; `past` newest first.
    #[must_use]
    pub(super) fn view(
        viewer: impl Into<Viewer>,
        windows: &[Maintenance],
        past: Vec<PastMaintenance>,
        covered: &Covered<'_>,
        now: UtcMs,
    ) -> Self {
        let (mut running, mut upcoming, mut over) = (Vec::new(), Vec::new(), Vec::new());
        let mut been = past;
        for window in windows {
            let plan = &window.plan;
            let line = |span: Option<crate::model::Span>| Line {
                maintenance_id: window.maintenance_id,
                name: plan.name.clone(),
                covers: covered.words(&plan.scope),
                rule: rule(&plan.rule),
                left: span.map(|span| lasted(span.to_at - now)).unwrap_or_default(),
                from_at: span.map_or(i64::MAX, |span| span.from_at),
                turn: span.map(|span| turn(&plan.rule, span)),
            };
            match (window.running(now), window.next(now, 1).first()) {
                (Some(span), _) => running.push(line(Some(span))),
                (None, Some(span)) => upcoming.push(line(Some(*span))),
                (None, None) => over.push(line(None)),
            }
            let ended = window.spans(now - PAST_LOOKED_FOR_MS, now).into_iter().filter(|span| span.to_at < now);
            been.extend(ended.map(|span| PastMaintenance {
                maintenance_id: window.maintenance_id,
                name: plan.name.clone(),
                scope: plan.scope.clone(),
                span,
            }));
        }
        upcoming.sort_by_key(|line| line.from_at);
        been.sort_by_key(|past| std::cmp::Reverse(past.span.to_at));
        let past = been.into_iter().take(PAST_SHOWN).map(|past| PastLine {
            covers: covered.words(&past.scope),
            from: minute(past.span.from_at),
            to: minute(past.span.to_at),
            lasted: lasted(past.span.to_at - past.span.from_at),
            name: past.name,
        });
        Self {
            frame: Frame::wide("Maintenance", viewer).at("/maintenance"),
            past: past.collect(),
            is_full: i64::try_from(windows.len()).unwrap_or(i64::MAX) >= Maintenance::MOST,
            running,
            upcoming,
            over,
        }
    }
}

/// "Delete it?", without script.
#[derive(Template, Debug)]
#[template(path = "maintenance_delete.html", whitespace = "minimize")]
struct DeletePage {
    frame: Frame,
    name: String,
    is_running: bool,
}

/// `GET /maintenance`.
///
/// # Errors
/// Not signed in, or the database is away.
pub fn show(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let (id, store, now) = (who.account.account_id, &app.store, clock::now());
    let windows = app.wait(store.maintenance(id)).map_err(login::store)?;
    let limit = i64::try_from(PAST_SHOWN).unwrap_or(20);
    let past = app.wait(store.past_maintenance(id, now - PAST_KEPT_MS, limit)).map_err(login::store)?;
    let scopes = windows.iter().map(|window| &window.plan.scope).chain(past.iter().map(|past| &past.scope));
    let named: BTreeSet<WebsiteId> = scopes.filter_map(Scope::website).collect();
    let named: Vec<WebsiteId> = named.into_iter().collect();
    let websites = app.wait(store.website_names(id, 0, &named)).map_err(login::store)?;
    let ties = app.wait(store.ties(id)).map_err(login::store)?;
    let covered = Covered { websites: &websites, ties: &ties };
    page(200, &MaintenancePage::view(Viewer::of(app, &who), &windows, past, &covered, now))
}

pub(super) fn window(app: &App, account: crate::model::AccountId, params: &Params) -> Result<Maintenance, HttpError> {
    let found = app.wait(app.store.maintenance_window(account, params.maintenance_id()?)).map_err(login::store)?;
    found.ok_or(HttpError::NotFound)
}

/// `POST /maintenance/:id/end`: the one that runs ends now. Twice is harmless.
///
/// # Errors
/// Not yours.
pub fn end(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account.account_id;
    let window = window(app, account, params)?;
    app.wait(app.store.end_maintenance(account, window.maintenance_id, clock::now())).map_err(login::store)?;
    Ok(Response::see_other("/maintenance"))
}

/// `GET /maintenance/:id/delete`: asks first.
///
/// # Errors
/// Not yours.
pub fn confirm_delete(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let window = window(app, who.account.account_id, params)?;
    let frame = Frame::narrow("Delete this window?", Some(Viewer::of(app, &who)));
    let is_running = window.running(clock::now()).is_some();
    page(200, &DeletePage { frame, name: window.plan.name, is_running })
}

/// `POST /maintenance/:id/delete`.
///
/// # Errors
/// Not yours.
pub fn delete(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account.account_id;
    let id = params.maintenance_id()?;
    if !app.wait(app.store.delete_maintenance(account, id, clock::now())).map_err(login::store)? {
        return Err(HttpError::NotFound);
    }
    Ok(Response::see_other("/maintenance"))
}
