//! Regions and their workers: who reports, how well, and how another one joins. For operators only.

use std::time::Duration;

use askama::Template;

use super::words::{Instant, instant, lasted, seconds};
use super::{Frame, Viewer, page};
use crate::clock;
use crate::enrolment::{self, Revoked, saved_words};
use crate::http::{App, Form, HttpError, Request, Response, login, route::Params};
use crate::model::enrolment::{Access, Enrolled, KnownProbe, Place, bare_redis_url, known_probes};
use crate::model::uptime::DAY_MS;
use crate::model::{FieldError, FieldErrors, NetworkState, Region, RegionId, UtcMs, job};
use crate::queue::Backlog;
use crate::queue::acl::{AclError, Admin};

/// Regions whose queues are looked at, and for how long.
const REGIONS: usize = 100;
const ASKED_FOR: Duration = Duration::from_secs(2);
/// A check that has waited for longer waits for a worker that is busy or away.
const BEHIND_MS: i64 = 5_000;

/// What the page is told.
#[derive(Debug, Default)]
pub struct Found {
    /// Everybody who was heard of or is enrolled.
    pub probes: Vec<KnownProbe>,
    /// What waits in each region; of one that nobody knows of nothing.
    pub backlogs: Vec<(RegionId, Backlog)>,
    /// There is a queue that workers elsewhere can use.
    pub is_distributed: bool,
    /// The hub may make users.
    pub can_enrol: bool,
    /// Redis' address, offered to a new worker.
    pub redis_url: String,
    /// What could not be looked at.
    pub trouble: Option<String>,
}

/// What was typed into the form.
#[derive(Debug, Clone, Default)]
pub struct Typed {
    /// Region.
    pub region: String,
    /// Worker.
    pub worker: String,
    /// Redis as the worker reaches it.
    pub redis_url: String,
}

/// The page.
#[derive(Template, Debug)]
#[template(path = "probes.html", whitespace = "minimize")]
pub struct ProbesPage {
    frame: Frame,
    said: Option<String>,
    lines: Vec<Line>,
    queues: Vec<QueueLine>,
    is_distributed: bool,
    can_enrol: bool,
    trouble: Option<String>,
    typed: Typed,
    errors: FieldErrors,
}

#[derive(Debug)]
struct Line {
    region: String,
    worker: String,
    state: &'static str,
    mark: &'static str,
    letter: &'static str,
    seen: Option<Instant>,
    ago: String,
    version: String,
    busy: String,
    per_minute: String,
    network: &'static str,
    is_cut_off: bool,
    excused: String,
    clock: String,
    access: &'static str,
    can_revoke: bool,
}

/// What waits in a region.
#[derive(Debug)]
struct QueueLine {
    region: String,
    waiting: u64,
    oldest: String,
    mark: &'static str,
    letter: &'static str,
    state: &'static str,
}

impl QueueLine {
    fn new((region, backlog): &(RegionId, Backlog)) -> Self {
        let (mark, letter, state) = match backlog.oldest_ms {
            None => ("unknown", "n", "not known"),
            Some(ms) if ms > BEHIND_MS => ("degraded", "g", "behind"),
            Some(_) => ("up", "u", "keeps up"),
        };
        let oldest = match backlog.oldest_ms {
            None => "–".to_owned(),
            Some(ms) if ms < 60_000 => seconds(ms),
            Some(ms) => lasted(ms),
        };
        Self { region: region.to_string(), waiting: backlog.waiting, oldest, mark, letter, state }
    }
}

/// The settings of a new worker: shown once.
#[derive(Template, Debug)]
#[template(path = "probe_ticket.html", whitespace = "minimize")]
pub struct TicketPage {
    frame: Frame,
    region: String,
    worker: String,
    saved: String,
    env_file: String,
    rows: usize,
}

impl ProbesPage {
    /// As of `now`; `said`: what came of the last action.
    #[must_use]
    pub fn new(viewer: impl Into<Viewer>, found: Found, typed: Typed, errors: FieldErrors, now: UtcMs) -> Self {
        let can_enrol = found.can_enrol;
        Self {
            frame: Frame::wide("Probes", viewer).at("/probes"),
            said: None,
            queues: found.backlogs.iter().map(QueueLine::new).collect(),
            lines: found.probes.iter().map(|probe| Line::new(probe, can_enrol, now)).collect(),
            is_distributed: found.is_distributed,
            can_enrol,
            trouble: found.trouble,
            typed: Typed {
                redis_url: if typed.redis_url.is_empty() { found.redis_url } else { typed.redis_url },
                ..typed
            },
            errors,
        }
    }

    /// With a sentence about what was done.
    #[must_use]
    pub fn said(self, said: String) -> Self {
        Self { said: Some(said), ..self }
    }
}

impl Line {
    fn new(probe: &KnownProbe, can_enrol: bool, now: UtcMs) -> Self {
        let state = probe.state(now);
        let (mark, letter) = match state {
            "reports" => ("up", "u"),
            "silent" => ("down", "d"),
            _ => ("unknown", "n"),
        };
        let seen = probe.seen.as_ref();
        let dash = || "–".to_owned();
        Self {
            region: probe.place.region.to_string(),
            worker: probe.place.worker.to_string(),
            state,
            mark,
            letter,
            seen: seen.map(|worker| instant(worker.seen_at)),
            ago: seen.map_or_else(dash, |worker| format!("{} ago", lasted(now - worker.seen_at))),
            version: seen.map_or_else(dash, |worker| worker.version.clone()),
            busy: seen.filter(|worker| worker.is_alive(now)).map_or_else(dash, |worker| {
                // In the hub's own process those that wait for a thread are counted, too.
                format!("{} of {}", worker.load.in_flight.min(worker.concurrency), worker.concurrency)
            }),
            per_minute: seen
                .filter(|worker| worker.is_alive(now))
                .and_then(|worker| worker.load.checks_per_minute)
                .map_or_else(dash, |count| count.to_string()),
            network: seen.map_or("–", |worker| network_words(worker.network)),
            is_cut_off: seen
                .is_some_and(|worker| matches!(worker.network, NetworkState::CutOff | NetworkState::NoNames)),
            excused: seen.map_or_else(dash, |worker| worker.excused.to_string()),
            clock: seen.map_or_else(dash, |worker| clock_words(worker.clock_offset_ms)),
            access: probe.access.map_or("–", Access::words),
            can_revoke: can_enrol && matches!(probe.access, Some(Access::Own | Access::Off)),
        }
    }
}

fn network_words(network: NetworkState) -> &'static str {
    match network {
        NetworkState::Unasked => "not in doubt",
        NetworkState::Works => "works",
        NetworkState::CutOff => "cut off",
        NetworkState::NoNames => "finds no names",
    }
}

/// The worker's wall clock against the queue's; a network's delay is part of it.
fn clock_words(offset_ms: i64) -> String {
    let ms = offset_ms.unsigned_abs();
    let size = match ms {
        0..100 => return "right".to_owned(),
        100..10_000 => format!("{ms} ms"),
        10_000..600_000 => format!("{} s", ms / 1_000),
        600_000.. => format!("{} min", ms / 60_000),
    };
    format!("{size} {}", if offset_ms < 0 { "behind" } else { "ahead" })
}

impl TicketPage {
    /// `env_file` holds the password.
    #[must_use]
    pub fn new(viewer: impl Into<Viewer>, place: &Place, saved: String, env_file: &str) -> Self {
        Self {
            frame: Frame::narrow("A new worker", Some(viewer.into())).at("/probes"),
            region: place.region.to_string(),
            worker: place.worker.to_string(),
            saved,
            // The address and the first line take more than one each.
            rows: env_file.lines().count() + 4,
            env_file: env_file.to_owned(),
        }
    }
}

/// What waits in each region. Of one without a stream, and where the queue is away, nothing is known.
fn backlogs(app: &App, regions: &[Region]) -> Vec<(RegionId, Backlog)> {
    let Some(queue) = &app.queue else { return Vec::new() };
    let now = clock::now();
    let watched = regions.iter().filter(|region| !job::is_reserved(&region.region_id));
    let there = watched.filter(|region| now.saturating_sub(region.seen_at(now)) < DAY_MS).take(REGIONS);
    let ids: Vec<&RegionId> = there.map(|region| &region.region_id).collect();
    app.wait(async {
        let mut found = Vec::new();
        // Of very many, or from a queue that is slow, what came in time.
        let asked = tokio::time::timeout(ASKED_FOR, async {
            for id in ids {
                if let Ok(backlog) = queue.backlog(id).await {
                    found.push((id.clone(), backlog));
                }
            }
        });
        if asked.await.is_err() {
            tracing::debug!("The queue did not say in time what waits in it.");
        }
        found
    })
}

fn find(app: &App) -> Result<Found, HttpError> {
    let regions: Vec<Region> = app.wait(app.store.regions()).map_err(login::store)?;
    let backlogs = backlogs(app, &regions);
    let Some(redis) = &app.settings.redis else {
        return Ok(Found { probes: known_probes(&regions, None), backlogs, ..Found::default() });
    };
    let enrolled: Result<Option<Vec<Enrolled>>, AclError> = match &redis.admin_url {
        Some(admin) => {
            app.wait(async { Admin::new(admin.expose(), redis.ca_file.as_deref())?.users().await }).map(Some)
        }
        None => Ok(None),
    };
    let (enrolled, trouble) = match enrolled {
        Ok(enrolled) => (enrolled, None),
        Err(error) => {
            tracing::warn!(%error, "The users of Redis could not be listed.");
            (None, Some("Redis could not be asked who is enrolled; the log says why.".to_owned()))
        }
    };
    Ok(Found {
        probes: known_probes(&regions, enrolled.as_deref()),
        backlogs,
        is_distributed: true,
        can_enrol: redis.admin_url.is_some(),
        redis_url: redis.bare().map(|url| url.to_string()).unwrap_or_default(),
        trouble,
    })
}

/// `GET /probes`.
///
/// # Errors
/// Not for this account.
pub fn show(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let who = login::operator(app, request)?;
    let view =
        ProbesPage::new(Viewer::of(app, &who), find(app)?, Typed::default(), FieldErrors::default(), clock::now());
    page(200, &view)
}

fn place(form: &Form, errors: &mut FieldErrors) -> Option<Place> {
    let (region, worker) = (form.get("region").trim(), form.get("worker").trim());
    let parsed_region = region.parse().map_err(|_| {
        errors.push(FieldError::new("region", region, "Use 1 to 32 letters, digits or -, for example INDIA."));
    });
    let parsed_worker = worker.parse().map_err(|_| {
        errors.push(FieldError::new("worker", worker, "Use 1 to 64 letters, digits or . _ -, for example pi-1."));
    });
    Some(Place { region: parsed_region.ok()?, worker: parsed_worker.ok()? })
}

/// `POST /probes/enrol`: shows the worker's settings, once.
///
/// # Errors
/// Not for this account, or Redis is away.
pub fn enrol(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let who = login::operator(app, request)?;
    let viewer = Viewer::of(app, &who);
    let Some(redis) = &app.settings.redis else { return Err(HttpError::NotFound) };
    let form = request.form();
    let mut errors = FieldErrors::default();
    let place = place(&form, &mut errors).filter(|place| {
        let is_reserved = job::is_reserved(&place.region);
        if is_reserved {
            errors.push(FieldError::new("region", place.region.as_str(), job::RESERVED));
        }
        !is_reserved
    });
    let bare = bare_redis_url(form.get("redis_url")).map_err(|remedy| {
        // It may hold a password.
        errors.push(FieldError::new("redis_url", "", remedy));
    });
    let typed = Typed {
        region: form.get("region").to_owned(),
        worker: form.get("worker").to_owned(),
        redis_url: bare.as_ref().map(ToString::to_string).unwrap_or_default(),
    };
    let again = |status: u16, errors: FieldErrors| {
        page(status, &ProbesPage::new(viewer.clone(), find(app)?, typed.clone(), errors, clock::now()))
    };
    let (Some(place), Ok(bare)) = (place, bare) else { return again(422, errors) };
    let Some(admin) = &redis.admin_url else {
        let command = format!("betteruptime-hub probe enrol {} {} --redis-url {bare}", place.region, place.worker);
        let said = format!("Run this where the hub's settings are: {command}");
        let view = ProbesPage::new(viewer.clone(), find(app)?, typed.clone(), errors, clock::now());
        request.notes.nothing();
        return page(200, &view.said(said));
    };
    let ticket = enrolment::ticket(&place, &bare).map_err(HttpError::Internal)?;
    match app.wait(enrolment::enrol(redis, admin, &place, &ticket)) {
        Ok(saved) => {
            tracing::info!(region = %place.region, worker = %place.worker, by = who.person.username, "A worker was enrolled.");
            request.notes.about(place.user(), "");
            page(200, &TicketPage::new(viewer.clone(), &place, saved_words(&saved), ticket.env_file.expose()))
        }
        Err(error @ AclError::Exists { .. }) => {
            errors.push(FieldError::new("worker", place.worker.as_str(), sentence(&error.to_string())));
            again(409, errors)
        }
        Err(error @ (AclError::NotEnrolled(_) | AclError::Redis(_))) => {
            tracing::warn!(%error, "A worker could not be enrolled.");
            Err(HttpError::Unavailable("Redis did not make the user; the hub's log says why."))
        }
    }
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first: String = chars.next().map(|c| c.to_uppercase().collect()).unwrap_or_default();
    format!("{first}{}.", chars.as_str())
}

/// `POST /probes/revoke`: ends a worker's access at once.
///
/// # Errors
/// Not for this account, no such worker, or Redis is away.
pub fn revoke(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let who = login::operator(app, request)?;
    let place = place(&request.form(), &mut FieldErrors::default()).ok_or(HttpError::NotFound)?;
    let redis = app.settings.redis.as_ref().ok_or(HttpError::NotFound)?;
    let admin = redis.admin_url.as_ref().ok_or(HttpError::NotFound)?;
    let revoked = app.wait(enrolment::revoke(&app.store, redis, admin, &place));
    let Revoked { connections, saved, reports_left } =
        revoked.map_err(|error| match error.downcast_ref::<AclError>() {
            Some(AclError::NotEnrolled(_)) => HttpError::NotFound,
            Some(AclError::Exists { .. } | AclError::Redis(_)) | None => {
                tracing::warn!(error = format!("{error:#}"), "A worker's access could not be revoked.");
                HttpError::Unavailable("Its access may not have ended; the hub's log says why. Try again.")
            }
        })?;
    tracing::info!(region = %place.region, worker = %place.worker, by = who.person.username, "A worker's access was revoked.");
    request.notes.about(place.user(), "");
    let left = match reports_left {
        Some(0) => "All it had reported was taken in.".to_owned(),
        Some(left) => format!("Reports not taken in yet: {left}."),
        None => String::new(),
    };
    let said = format!(
        "Worker {} of region {} has no access any more; connections ended: {connections}. {} {left}",
        place.worker,
        place.region,
        saved_words(&saved)
    );
    let view =
        ProbesPage::new(Viewer::of(app, &who), find(app)?, Typed::default(), FieldErrors::default(), clock::now());
    page(200, &view.said(said))
}
