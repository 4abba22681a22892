//! One website: what holds, why, how the time was spent, and what was seen lately.

use askama::Template;

use super::certificate::CertificatePart;
use super::chart::Charts;
use super::figures::{Figures, longest, windows};
use super::job::{self, JobPart};
use super::looks_part::LooksPart;
use super::short_name::ShortName;
use super::strip::Strip;
use super::waterfall::{Waterfall, scale_us, waterfall};
pub use super::window::Window;
use super::words::{self, Instant, Mark, Own, instant, lasted, took};
use super::{Frame, Viewer, etag, incidents, maintenance_words::minute, page, website_words as say};
use crate::clock;
use crate::http::login::{self, Caller};
use crate::http::looks::{self, Looks};
use crate::http::{App, HttpError, Request, Response, ping, route::Params};
use crate::model::manifest::Managed;
use crate::model::scope::Subject;
use crate::model::verdict::without_codes;
use crate::model::{
    self, BoardRow, Incident, IncidentLine, KeptPing, MutedBy, Note, Outcome, Phases, RegionState, Span, StoredTick,
    Transition, Uptime, UtcMs, Website, WebsiteId, WebsiteKind, cause, look, uptime,
};
use crate::store::{KnownJob, Latency, Series, StoryAsked, UptimeOver, WebsiteStory};

pub use super::website_actions::{check_now, confirm_delete, delete, pause, resume};

/// Ticks shown on the page.
pub const TICKS_SHOWN: i64 = 40;
/// Changes of state shown on the page.
pub const CHANGES_SHOWN: usize = 10;
/// Changes that are looked through for outages; those before are not marked in the drawing.
pub const CHANGES_READ: i64 = 400;
/// Incidents shown on the page.
pub const INCIDENTS_SHOWN: i64 = 5;

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
    /// What of it renews itself is drawn over this window.
    window: Window,
    /// And shows what came of a check that was asked for then.
    asked_at: Option<UtcMs>,
    /// What came of the last button.
    said: Option<&'static str>,
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
            window: view.window,
            asked_at: view.looks.as_ref().map(|looks| looks.asked_at),
            said: None,
            badges: None,
        })
    }

    /// With a word on what was just done, by its name in the address.
    #[must_use]
    pub fn said(self, said: &str) -> Self {
        Self { said: say::said(said), ..self }
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
    name: ShortName,
    url: String,
    unicode: Option<String>,
    paused: bool,
    mark: Mark,
    since: Option<Instant>,
    lasted: String,
    reason: String,
    /// What comes of a check that was asked for.
    looks: Option<LooksPart>,
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
    window: Window,
    charts: Charts,
    strip: Strip,
    certificate: Option<CertificatePart>,
}

/// What is known of a website's past, beside its figures.
#[derive(Debug)]
pub struct Past<'a> {
    /// What answers took, piece by piece.
    pub series: &'a Series,
    /// The window of that at once.
    pub latency: Option<&'a Latency>,
    /// When it was down.
    pub outages: &'a [Span],
    /// Its days, by their begin.
    pub days: &'a std::collections::BTreeMap<UtcMs, Uptime>,
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
            name: ShortName(words::name(&row.website.settings.url)),
            url: row.website.settings.url.clone(),
            unicode: model::unicode_host(&row.website.settings.url),
            paused: row.website.paused,
            mark,
            since: settled.then(|| instant(row.state.since_at)),
            lasted: lasted(now - row.state.since_at),
            reason: say::reason(row, mark),
            looks: None,
            waterfalls: row.regions.iter().map(|r| waterfall(r, notes_of(r, ticks), scale)).collect(),
            scale: took(scale),
            phase_names: Phases::default().named().to_vec(),
            ticks: ticks.iter().map(TickLine::new).collect(),
            changes: transitions.iter().take(CHANGES_SHOWN).map(Change::new).collect(),
            open: None,
            incidents: Vec::new(),
            facts: say::facts(row, now),
            maintenance: row.maintenance_until.map(minute),
            tags: row.ties.tags.iter().map(ToString::to_string).collect(),
            parent: None,
            job: None,
            figures: Figures::default(),
            window: Window::default(),
            charts: Charts::default(),
            strip: Strip::default(),
            certificate: CertificatePart::new(row, ticks, now),
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

    /// With what came of a check that was asked for.
    #[must_use]
    pub(in crate::http) fn with_looks(self, looks: Option<&Looks>, now: UtcMs) -> Self {
        Self { looks: looks.map(|looks| LooksPart::new(looks, now)), ..self }
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
            self.facts.retain(|(name, _)| *name != say::UPTIME_24H);
        }
        self
    }

    /// With a window drawn, and the last 90 days.
    #[must_use]
    pub fn with_past(self, window: Window, past: &Past<'_>, created_at: UtcMs, now: UtcMs) -> Self {
        let charts = Charts::new(window, past.series, past.latency, past.outages, now);
        Self { window, charts, strip: Strip::new(past.days, created_at, now), ..self }
    }

    /// With a word on its host, where only a share of the slots is used.
    #[must_use]
    pub fn with_share(mut self, share: f64) -> Self {
        if share < 1.0 {
            self.facts.push(say::crowded(share));
        }
        self
    }
}

impl TickLine {
    fn new(stored: &StoredTick) -> Self {
        let tick = &stored.tick;
        Self {
            at: instant(tick.slot_at),
            kind: say::kind(tick.kind),
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

struct Loaded {
    story: WebsiteStory,
    window: Window,
    who: Caller,
    ticks: Vec<StoredTick>,
    open: Option<Incident>,
    incidents: Vec<IncidentLine>,
    parent: Option<Website>,
    muted: Option<MutedBy>,
    job: Option<(KnownJob, Vec<KeptPing>, String)>,
    looks: Option<Looks>,
    now: UtcMs,
}

impl Loaded {
    fn view(&self, app: &App) -> WebsiteView {
        let WebsiteStory { row, changes, uptimes, latencies, series, days, .. } = &self.story;
        let (window, now) = (self.window, self.now);
        let view = WebsiteView::new(row, &self.ticks, changes, now);
        let share = app.scheduler.shares().of(&row.website.settings.url);
        let view = view.with_incidents(self.open.as_ref(), &self.incidents, now).with_share(share);
        let view = view.below(self.parent.as_ref(), self.muted).with_looks(self.looks.as_ref(), now);
        let view = match &self.job {
            Some((known, pings, url)) => view.with_job(row, known, pings, url.clone(), now),
            None => view,
        };
        let is_all = i64::try_from(changes.len()).unwrap_or(i64::MAX) < CHANGES_READ;
        let drawn = window.series(now).span;
        let drawn = Span { to_at: drawn.to_at.min(now), ..drawn };
        let outages = uptime::spans_of(Outcome::Down, changes, is_all, row.state.verdict, drawn);
        let latency = latencies.get(window as usize);
        let past = Past { series, latency, outages: &outages, days };
        view.with_figures(uptimes, latencies, now).with_past(window, &past, row.website.created_at, now)
    }
}

fn load(app: &App, request: &Request, params: &Params) -> Result<Loaded, HttpError> {
    let who = login::signed_in(app, request)?;
    let (store, account_id, website_id) = (&app.store, who.account.account_id, params.website_id()?);
    let now = clock::now();
    let (window, windows) = (Window::of(request), windows(now));
    let series = Some(window.series(now));
    let wanted = StoryAsked { windows: &windows, longest: Some(longest(now)), series, changes: CHANGES_READ };
    let story = app.wait(store.website_story(account_id, website_id, &wanted, now));
    let story = story.map_err(login::store)?.ok_or(HttpError::NotFound)?;
    let row = &story.row;
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
    let asked_at = request.query("asked").and_then(|at| at.parse().ok()).filter(|at| look::is_recent(*at, now));
    let looks = match asked_at.filter(|_| row.website.kind == WebsiteKind::Http) {
        Some(at) => Some(looks::find(app, &row.website, at, now)?),
        None => None,
    };
    Ok(Loaded { story, window, job, looks, who, ticks, open, incidents, parent, muted, now })
}

/// `GET /websites/:id`.
///
/// # Errors
/// Not yours.
pub fn show(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let loaded = load(app, request, params)?;
    let viewer = Viewer::of(app, &loaded.who);
    let view = loaded.view(app);
    let WebsiteStory { row, keeping, managed, .. } = loaded.story;
    let around = WebsitePage::around(viewer, &row, &view).map_err(anyhow::Error::from)?;
    let around = around.kept_in(managed).said(request.query("said").unwrap_or_default());
    page(200, &if keeping.is_badge_public { around.with_badges(ping::base(app, request)) } else { around })
}

/// `GET /websites/:id/fragment`: what changes by itself, for the page's script.
///
/// # Errors
/// Not yours.
pub fn fragment(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    super::fragment(&load(app, request, params)?.view(app))
}
