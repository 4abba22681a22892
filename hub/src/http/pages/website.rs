//! One website: what holds, why, how the time was spent, and what was seen lately.

use askama::Template;

use super::figures::{Figures, windows};
use super::job::{self, JobPart};
use super::waterfall::{Waterfall, scale_us, waterfall};
use super::words::{self, Instant, Mark, Own, every, instant, lasted, share, span, took};
use super::{Frame, Viewer, etag, incidents, maintenance_words::minute, page, settings_words};
use crate::clock;
use crate::http::login::{self, Caller};
use crate::http::{App, HttpError, Request, Response, ping, route::Params};
use crate::model::backoff::{Outlook, outlook};
use crate::model::issuer::IssuerChange;
use crate::model::manifest::Managed;
use crate::model::message::words::{day, line};
use crate::model::scope::Subject;
use crate::model::verdict::without_codes;
use crate::model::{
    self, BoardRow, CheckKind, Incident, IncidentLine, Keeping, KeptPing, MutedBy, Note, Phases, RegionState,
    StoredTick, Transition, UtcMs, Website, WebsiteId, WebsiteKind, cause,
};
use crate::store::{KnownJob, Latency, UptimeOver, WebsiteStory};

pub use super::website_actions::{check_now, confirm_delete, delete, pause, resume};

/// Ticks shown on the page.
pub const TICKS_SHOWN: i64 = 40;
/// Changes of state shown on the page.
pub const CHANGES_SHOWN: i64 = 10;
/// Incidents shown on the page.
pub const INCIDENTS_SHOWN: i64 = 5;

/// The figure of a page that has no others.
pub(super) const UPTIME_24H: &str = "Uptime, last 24 h";

/// Pings of a job shown on the page.
pub const PINGS_SHOWN: i64 = 25;

/// The page.
#[derive(Template, Debug)]
#[template(path = "website.html", whitespace = "minimize")]
pub struct WebsitePage {
    frame: Frame,
    website_id: WebsiteId,
    is_job: bool,
    fragment: String,
    etag: String,
    badges: Option<Badges>,
}

/// Its badges, where they are for everybody.
#[derive(Debug)]
struct Badges {
    /// How others reach this hub.
    base: String,
    /// Names of their files, and how they are called.
    all: &'static [(&'static str, &'static str)],
}

impl WebsitePage {
    /// Says which file keeps it.
    #[must_use]
    pub fn kept_in(mut self, kept: Option<Managed>) -> Self {
        self.frame.kept_in = kept;
        self
    }

    /// Around the part that renews itself.
    pub fn new(
        viewer: impl Into<Viewer>,
        row: &BoardRow,
        ticks: &[StoredTick],
        transitions: &[Transition],
        now: UtcMs,
    ) -> Result<Self, askama::Error> {
        Self::around(viewer, row, &WebsiteView::new(row, ticks, transitions, now))
    }

    /// Around a view.
    pub fn around(viewer: impl Into<Viewer>, row: &BoardRow, view: &WebsiteView) -> Result<Self, askama::Error> {
        let fragment = view.render()?;
        let title = format!("{}: {}", Mark::of(row).word(), words::name(&row.website.settings.url));
        Ok(Self {
            frame: Frame::wide(title, viewer),
            website_id: row.website.website_id,
            is_job: row.website.kind == WebsiteKind::Job,
            etag: etag(&fragment),
            fragment,
            badges: None,
        })
    }

    /// With its badges, which everybody sees at `base`.
    #[must_use]
    pub fn with_badges(mut self, base: String) -> Self {
        let all: &[_] = if self.is_job {
            &[("status", "Status"), ("uptime", "Uptime")]
        } else {
            &[("status", "Status"), ("uptime", "Uptime"), ("latency", "Latency"), ("certificate", "Certificate")]
        };
        self.badges = Some(Badges { base, all });
        self
    }
}

/// The part that renews itself.
#[derive(Template, Debug)]
#[template(path = "website_fragment.html", whitespace = "minimize")]
pub struct WebsiteView {
    website_id: WebsiteId,
    name: String,
    url: String,
    unicode: Option<String>,
    paused: bool,
    mark: Mark,
    since: Option<Instant>,
    lasted: String,
    reason: String,
    waterfalls: Vec<Waterfall>,
    scale: String,
    phase_names: Vec<(&'static str, Option<u32>)>,
    ticks: Vec<TickLine>,
    changes: Vec<Change>,
    open: Option<incidents::Line>,
    incidents: Vec<incidents::Line>,
    facts: Vec<(&'static str, String)>,
    maintenance: Option<Instant>,
    tags: Vec<String>,
    parent: Option<Parent>,
    /// It reports itself.
    job: Option<JobPart>,
    figures: Figures,
}

/// What a website depends on.
#[derive(Debug)]
struct Parent {
    website_id: WebsiteId,
    name: String,
    /// It is down, or what it depends on: nobody is told of this one.
    mutes: bool,
}

#[derive(Debug)]
struct TickLine {
    at: Instant,
    kind: &'static str,
    marks: Vec<&'static str>,
    region: String,
    worker: String,
    mark: Mark,
    what: &'static str,
    detail: String,
    notes: Vec<&'static str>,
    status: String,
    total: String,
    own: Option<Own>,
    key: String,
}

#[derive(Debug)]
struct Change {
    at: Instant,
    mark: Mark,
    reason: String,
}

impl WebsiteView {
    /// As of `now`; `ticks` and `transitions` newest first.
    #[must_use]
    pub fn new(row: &BoardRow, ticks: &[StoredTick], transitions: &[Transition], now: UtcMs) -> Self {
        let mark = Mark::of(row);
        let settled = !matches!(mark, Mark::Pending | Mark::Paused);
        let scale = scale_us(row.regions.iter().map(|region| &region.phases));
        Self {
            website_id: row.website.website_id,
            name: words::name(&row.website.settings.url),
            url: row.website.settings.url.clone(),
            unicode: model::unicode_host(&row.website.settings.url),
            paused: row.website.paused,
            mark,
            since: settled.then(|| instant(row.state.since_at)),
            lasted: lasted(now - row.state.since_at),
            reason: match mark {
                Mark::Paused => "No checks are made until it is resumed.".to_owned(),
                _ if row.website.is_unreadable => words::UNREADABLE.to_owned(),
                Mark::Pending => "The first check is on its way.".to_owned(),
                Mark::Down | Mark::Degraded | Mark::Unknown | Mark::Up => without_codes(&row.state.reason),
            },
            waterfalls: row.regions.iter().map(|r| waterfall(r, notes_of(r, ticks), scale)).collect(),
            scale: took(scale),
            phase_names: Phases::default().named().to_vec(),
            ticks: ticks.iter().map(TickLine::new).collect(),
            changes: transitions.iter().map(Change::new).collect(),
            open: None,
            incidents: Vec::new(),
            facts: facts(row, now),
            maintenance: row.maintenance_until.map(minute),
            tags: row.ties.tags.iter().map(ToString::to_string).collect(),
            parent: None,
            job: None,
            figures: Figures::default(),
        }
    }

    /// Of a job: where it reports, and what it said.
    #[must_use]
    pub fn with_job(self, row: &BoardRow, known: &KnownJob, pings: &[KeptPing], url: String, now: UtcMs) -> Self {
        let reason = match self.mark {
            Mark::Paused => "What it reports is kept, and changes nothing until it is resumed.".to_owned(),
            Mark::Pending => format!("{} It is watched from its first ping on.", row.state.reason),
            Mark::Down | Mark::Degraded | Mark::Unknown | Mark::Up => self.reason,
        };
        let facts = job::facts(row, known, now);
        let (waterfalls, unicode) = (Vec::new(), None);
        Self { reason, facts, waterfalls, unicode, job: Some(JobPart::new(url, pings)), ..self }
    }

    /// With the incident it fails in now, and all it is or was part of, newest first.
    #[must_use]
    pub fn with_incidents(self, open: Option<&Incident>, all: &[IncidentLine], now: UtcMs) -> Self {
        let open = open.map(|incident| incidents::Line::of(incident, now));
        Self { open, incidents: all.iter().map(|line| incidents::Line::new(line, now)).collect(), ..self }
    }

    /// With what it depends on.
    #[must_use]
    pub fn below(mut self, parent: Option<&Website>, muted: Option<MutedBy>) -> Self {
        self.parent = parent.map(|website| Parent {
            website_id: website.website_id,
            name: words::name(&website.settings.url),
            mutes: muted == Some(MutedBy::Parent),
        });
        self
    }

    /// With figures of the last day, week, month and quarter.
    #[must_use]
    pub fn with_figures(mut self, uptimes: &[UptimeOver], latencies: &[Latency], now: UtcMs) -> Self {
        self.figures = Figures::new(uptimes, latencies, now);
        if !self.figures.lines.is_empty() {
            self.facts.retain(|(name, _)| *name != UPTIME_24H);
        }
        self
    }

    /// With a word on its host, where only a share of the slots is used.
    #[must_use]
    pub fn with_share(mut self, share: f64) -> Self {
        if share < 1.0 {
            let percent = (share * 100.0).round().clamp(1.0, 99.0);
            self.facts.push((
                "Its host is crowded",
                format!(
                    "all websites on it ask for more checks than one host gets here; {percent:.0} % of the slots are used, \
                     the others are left out, taking turns"
                ),
            ));
        }
        self
    }
}

impl TickLine {
    fn new(stored: &StoredTick) -> Self {
        let tick = &stored.tick;
        Self {
            at: instant(tick.slot_at),
            kind: match tick.kind {
                CheckKind::Scheduled => "",
                CheckKind::First => "first check",
                CheckKind::Manual => "asked for",
                CheckKind::Confirm => "second look",
            },
            marks: words::marks(stored.marks),
            region: stored.region_id.to_string(),
            worker: stored.worker_id.to_string(),
            mark: tick.outcome.into(),
            what: tick.failure.as_ref().map_or("Answered as asked", cause::sentence),
            detail: tick.failure.as_ref().map(|f| f.detail.clone()).unwrap_or_default(),
            status: tick.status.map_or_else(|| "–".to_owned(), |s| s.to_string()),
            total: took(tick.total_us),
            notes: tick.notes.iter().map(|note| words::note(*note)).collect(),
            own: words::own(&tick.delays),
            key: format!("{}-{}-{}", tick.slot_at, tick.attempt, stored.region_id),
        }
    }
}

/// Notes of the tick a region's state is about, which is among the newest.
fn notes_of<'a>(region: &RegionState, ticks: &'a [StoredTick]) -> &'a [Note] {
    let is_it = |stored: &&StoredTick| {
        (&stored.region_id, stored.tick.slot_at, stored.tick.attempt)
            == (&region.region_id, region.slot_at, region.attempt)
    };
    ticks.iter().find(is_it).map_or(&[], |stored| &stored.tick.notes)
}

impl Change {
    fn new(transition: &Transition) -> Self {
        Self { at: instant(transition.at), mark: transition.to.into(), reason: without_codes(&transition.reason) }
    }
}

/// How often, and when next: less often while it is down for long.
fn checked(row: &BoardRow, now: UtcMs) -> String {
    let interval_ms = row.website.settings.interval_ms;
    let Outlook { factor, next_at } = outlook(row, now);
    let mut text = format!("{} from each region", every(interval_ms));
    if factor > 1 {
        text = format!("{text}; {} while it is down for long, until it answers", every(factor * interval_ms));
        if let Some(next_at) = next_at {
            text = format!("{text}; next at {} UTC", instant(next_at).words);
        }
    }
    text
}

fn facts(row: &BoardRow, now: UtcMs) -> Vec<(&'static str, String)> {
    let settings = &row.website.settings;
    let uptime = share(&row.uptime_24h);
    let mut uptime = match uptime.coverage {
        Some(coverage) => format!("{} ({coverage} of the time is known)", uptime.share),
        None => uptime.share,
    };
    if row.uptime_24h.maintenance_ms >= 60_000 {
        uptime = format!("{uptime}, without {} of maintenance", lasted(row.uptime_24h.maintenance_ms));
    }
    let regions: Vec<&str> = settings.regions.iter().map(|r| r.as_str()).collect();
    let mut facts = vec![
        (UPTIME_24H, uptime),
        ("Checked", checked(row, now)),
        ("Waits for an answer", format!("{} at most", span(settings.timeout_ms))),
        ("Regions", if regions.is_empty() { "all".to_owned() } else { regions.join(", ") }),
    ];
    facts.extend(settings_words::facts(&settings.options));
    let newest = row.regions.iter().max_by_key(|r| r.slot_at);
    if let Some(end_at) = newest.and_then(|r| r.certificate_not_after_at) {
        let left = if end_at > now { format!("in {}", lasted(end_at - now)) } else { "it has ended".to_owned() };
        facts.push(("Certificate ends", format!("{} UTC ({left})", instant(end_at).words)));
    }
    if let Some(IssuerChange { at, from, to }) = row.state.certificates.read().changed {
        let (from, to) = (line(&from, 80), line(&to, 80));
        facts.push(("Issuer of its certificate", format!("changed from {from} to {to} on {}", day(at))));
    }
    facts.push(("Added", format!("{} UTC", instant(row.website.created_at).words)));
    facts
}

struct Loaded {
    keeping: Keeping,
    managed: Option<Managed>,
    who: Caller,
    row: BoardRow,
    ticks: Vec<StoredTick>,
    changes: Vec<Transition>,
    open: Option<Incident>,
    incidents: Vec<IncidentLine>,
    parent: Option<Website>,
    muted: Option<MutedBy>,
    job: Option<(KnownJob, Vec<KeptPing>, String)>,
    uptimes: Vec<UptimeOver>,
    latencies: Vec<Latency>,
    now: UtcMs,
}

impl Loaded {
    fn view(&self, app: &App) -> WebsiteView {
        let view = WebsiteView::new(&self.row, &self.ticks, &self.changes, self.now);
        let share = app.scheduler.shares().of(&self.row.website.settings.url);
        let view = view.with_incidents(self.open.as_ref(), &self.incidents, self.now).with_share(share);
        let view = view.below(self.parent.as_ref(), self.muted);
        let view = match &self.job {
            Some((known, pings, url)) => view.with_job(&self.row, known, pings, url.clone(), self.now),
            None => view,
        };
        view.with_figures(&self.uptimes, &self.latencies, self.now)
    }
}

fn load(app: &App, request: &Request, params: &Params) -> Result<Loaded, HttpError> {
    let who = login::signed_in(app, request)?;
    let (store, account_id, website_id) = (&app.store, who.account.account_id, params.website_id()?);
    let now = clock::now();
    let windows = windows(now);
    let story = app.wait(store.website_story(account_id, website_id, &windows, CHANGES_SHOWN, now));
    let story = story.map_err(login::store)?.ok_or(HttpError::NotFound)?;
    let WebsiteStory { row, keeping, changes, uptimes, latencies, managed } = story;
    let ticks = app.wait(store.ticks(account_id, website_id, None, TICKS_SHOWN)).map_err(login::store)?;
    let incidents = app.wait(store.incidents_of_website(account_id, website_id, INCIDENTS_SHOWN));
    let (open, incidents) = incidents.map_err(login::store)?;
    let (parent, muted) = match row.ties.parent_id {
        Some(id) => (
            app.wait(store.website(account_id, id)).map_err(login::store)?,
            app.wait(store.muted(account_id, website_id, now)).map_err(login::store)?,
        ),
        None => (None, None),
    };
    let job = match row.website.kind {
        WebsiteKind::Http => None,
        WebsiteKind::Job => app.wait(store.job(account_id, website_id)).map_err(login::store)?,
    };
    let job = match job {
        Some(known) => {
            let pings = app.wait(store.pings(account_id, website_id, PINGS_SHOWN)).map_err(login::store)?;
            // Whoever knows it can report, and so change the verdict.
            let may_report = who.may_write(Subject::Websites);
            let url = if may_report { ping::url(app, request, known.job.ping_id) } else { String::new() };
            Some((known, pings, url))
        }
        None => None,
    };
    Ok(Loaded {
        keeping,
        managed,
        uptimes,
        latencies,
        job,
        who,
        row,
        ticks,
        changes,
        open,
        incidents,
        parent,
        muted,
        now,
    })
}

/// `GET /websites/:id`.
///
/// # Errors
/// Not yours.
pub fn show(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let loaded = load(app, request, params)?;
    let viewer = Viewer::of(app, &loaded.who);
    let around = WebsitePage::around(viewer, &loaded.row, &loaded.view(app)).map_err(anyhow::Error::from)?;
    let around = around.kept_in(loaded.managed);
    page(200, &if loaded.keeping.is_badge_public { around.with_badges(ping::base(app, request)) } else { around })
}

/// `GET /websites/:id/fragment`: what changes by itself, for the page's script.
///
/// # Errors
/// Not yours.
pub fn fragment(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    super::fragment(&load(app, request, params)?.view(app))
}
