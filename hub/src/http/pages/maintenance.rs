//! Maintenance windows: which run, which come, which were.

use std::collections::BTreeSet;

use askama::Template;

use super::maintenance_words::{Covered, Turn, minute, rule, turn};
use super::words::{Instant, lasted};
use super::{Frame, Viewer, page};
use crate::clock;
use crate::http::{App, HttpError, Request, Response, login, route::Params};
use crate::model::{Maintenance, MaintenanceId, PastMaintenance, Scope, Span, UtcMs, WebsiteId};
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
    past: Vec<PastLine>,
    is_full: bool,
}

#[derive(Debug)]
struct Line {
    maintenance_id: MaintenanceId,
    name: String,
    covers: String,
    rule: String,
    turn: Turn,
    left: String,
    from_at: UtcMs,
}

#[derive(Debug)]
struct PastLine {
    name: String,
    covers: String,
    /// When it was; `None`: it never took place.
    when: Option<(Instant, Instant, String)>,
    /// Of a window of which none is to come: it may be planned again, or deleted.
    again: Option<MaintenanceId>,
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
        // Those of which none is to come stand among what was, once each.
        let mut been = past;
        for window in windows {
            let plan = &window.plan;
            let line = |span: Span| Line {
                maintenance_id: window.maintenance_id,
                name: plan.name.clone(),
                covers: covered.words(&plan.scope),
                rule: rule(&plan.rule),
                left: lasted(span.to_at - now),
                from_at: span.from_at,
                turn: turn(&plan.rule, span),
            };
            match (window.running(now), window.next(now, 1).first()) {
                (Some(span), _) => running.push(line(span)),
                (None, Some(span)) => upcoming.push(line(*span)),
                (None, None) => over.push(window),
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
        been.truncate(PAST_SHOWN);
        let words = |span: Span| (minute(span.from_at), minute(span.to_at), lasted(span.to_at - span.from_at));
        let mut past: Vec<PastLine> = Vec::new();
        for one in been {
            let is_over = over.iter().position(|window| window.maintenance_id == one.maintenance_id);
            past.push(PastLine {
                covers: covered.words(&one.scope),
                when: Some(words(one.span)),
                again: is_over.map(|place| over.remove(place).maintenance_id),
                name: one.name,
            });
        }
        // Longer ago than the others, or never.
        past.extend(over.into_iter().map(|window| PastLine {
            name: window.plan.name.clone(),
            covers: covered.words(&window.plan.scope),
            when: last_of(window).map(words),
            again: Some(window.maintenance_id),
        }));
        Self {
            frame: Frame::wide("Maintenance", viewer).at("/maintenance"),
            past,
            is_full: i64::try_from(windows.len()).unwrap_or(i64::MAX) >= Maintenance::MOST,
            running,
            upcoming,
        }
    }
}

/// When a window of which none is to come took place last.
fn last_of(window: &Maintenance) -> Option<Span> {
    let to_at = window.plan.rule.over_at()?;
    let from_at = to_at - window.plan.rule.duration_ms;
    (from_at >= window.skip_before_at && to_at > window.since_at).then_some(Span { from_at, to_at })
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
