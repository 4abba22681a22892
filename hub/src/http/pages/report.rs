//! The report on one website.

use askama::Template;

use super::report_form::{Asking, Sending};
use super::reports::{notes, report_of, sending, tags_of};
use super::short_name::ShortName;
use super::{Frame, Viewer, page};
use crate::clock;
use crate::http::api::reports::{as_csv, website};
use crate::http::{App, HttpError, Request, Response, login, route::Params};
use crate::model::message::words::{lasting, name};
use crate::model::report::words::{Said, took};
use crate::model::report::{Figures, Report, WindowInput};
use crate::model::{Channel, FieldErrors, UtcMs, WebsiteId, WebsiteKind};

/// The page.
#[derive(Template, Debug)]
#[template(path = "report.html", whitespace = "minimize")]
pub struct ReportPage {
    frame: Frame,
    website_id: WebsiteId,
    name: ShortName,
    window: String,
    asking: Asking,
    shown: Option<Shown>,
    sending: Sending,
}

#[derive(Debug)]
struct Shown {
    goal: Option<String>,
    budget: Option<String>,
    burn: Option<String>,
    lines: Vec<(&'static str, String, String)>,
    regions: Vec<(String, [String; 3])>,
    notes: Vec<String>,
    csv: String,
    json: String,
}

impl ReportPage {
    fn new(
        viewer: impl Into<Viewer>,
        (website_id, url): (WebsiteId, &str),
        report: Option<&Report>,
        asking: Asking,
        sending: Sending,
    ) -> Self {
        let (name, window) = (name(url), report.map(|report| report.window.to_string()).unwrap_or_default());
        Self {
            frame: Frame::wide(format!("Report: {name}, {window}"), viewer).at("/reports"),
            shown: report.and_then(|report| Shown::new(report, &asking)),
            website_id,
            name: ShortName(name),
            window,
            asking,
            sending,
        }
    }

    /// With invented figures, to be looked at.
    #[must_use]
    pub fn of(viewer: impl Into<Viewer>, report: &Report, channels: &[Channel], now: UtcMs) -> Option<Self> {
        let subject = &report.rows.first()?.subject;
        let sending = Sending::new(&[], channels, &[], Some(subject.website_id));
        let about = (subject.website_id, subject.url.as_str());
        Some(Self::new(viewer, about, Some(report), Asking::of(report, &[], now), sending))
    }
}

impl Shown {
    fn new(report: &Report, asking: &Asking) -> Option<Self> {
        let row = report.rows.first()?;
        let (now, before) = (Said::of(&row.now), row.before.as_ref().map(Said::of));
        let goal = row.subject.goal.or(report.goal).map(|goal| goal.to_string());
        let is_http = row.subject.kind == WebsiteKind::Http;
        let id = row.subject.website_id;
        let query = asking.query.without_tag();
        let regions = row.now.latency.iter().map(|(region, histogram)| {
            let quantile = |per_mille| histogram.quantile_us(per_mille).map_or_else(|| "–".to_owned(), took);
            (region.to_string(), [500, 950, 990].map(quantile))
        });
        let mut lines = Vec::new();
        let mut add = |what, of: &dyn Fn(&Said, &Figures) -> String| {
            let then = before.as_ref().zip(row.before.as_ref()).map(|(said, figures)| of(said, figures));
            lines.push((what, of(&now, &row.now), then.unwrap_or_else(|| "–".to_owned())));
        };
        add("Uptime", &|said, _| said.uptime.clone());
        add("Known", &|said, _| said.known.clone());
        add("Up", &|_, figures| lasting(figures.uptime.up_ms));
        add("Degraded", &|_, figures| lasting(figures.uptime.degraded_ms));
        add("Down", &|said, _| said.down.clone());
        add("Unknown", &|_, figures| lasting(figures.uptime.unknown_ms));
        add("Maintenance", &|_, figures| lasting(figures.uptime.maintenance_ms));
        add("Outages", &|said, _| said.outages.clone());
        add("Longest outage", &|said, _| said.longest.clone());
        add("Mean time to repair", &|said, _| said.mttr.clone());
        add("Mean time to detect", &|said, _| said.mttd.clone());
        if is_http {
            add("p50", &|said, _| said.p50.clone());
            add("p95", &|said, _| said.p95.clone());
            add("p99", &|said, _| said.p99.clone());
        }
        Some(Self {
            goal,
            budget: now.budget.clone(),
            burn: now.burn.clone(),
            lines,
            regions: if is_http { regions.collect() } else { Vec::new() },
            notes: notes(report),
            csv: format!("/reports/websites/{id}.csv{query}"),
            json: format!("/api/v1/websites/{id}/report{query}"),
        })
    }
}

/// `GET /reports/websites/:id?month=&from=&to=&tz=&goal=`: without any, the last full month; with `.csv` as a table.
///
/// # Errors
/// Not yours.
pub fn show(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let now = clock::now();
    let (scope, is_csv) = website(params)?;
    let id = scope.website().ok_or(HttpError::NotFound)?;
    let known = app.wait(app.store.website(who.account.account_id, id)).map_err(login::store)?;
    let known = known.ok_or(HttpError::NotFound)?;
    // A link to it asks for nothing, which is the last full month; of a website that is younger there is only this one.
    let asks =
        ["month", "from", "to", "tz", "goal"].iter().any(|name| request.query(name).is_some_and(|v| !v.is_empty()));
    let is_young = WindowInput::default().parse(now).is_ok_and(|last| known.created_at >= last.span.to_at);
    if !is_csv && !asks && is_young {
        return Ok(Response::see_other(&format!("/reports/websites/{id}?month=this")));
    }
    let found = report_of(app, request, &who, Some(scope), now)?;
    if is_csv {
        return found.map(|report| as_csv(&report)).map_err(HttpError::Fields);
    }
    let (report, errors) = match found {
        Ok(report) => (Some(report), FieldErrors::default()),
        Err(errors) => (None, errors),
    };
    let status = if report.is_some() { 200 } else { 422 };
    let tags = tags_of(app, &who)?;
    let asking = Asking::new(request, &tags, errors, Some(id), now);
    let sending = sending(app, &who, &tags, Some(id))?;
    let about = (id, known.settings.url.as_str());
    page(status, &ReportPage::new(Viewer::of(app, &who), about, report.as_ref(), asking, sending))
}
