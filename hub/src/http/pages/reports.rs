//! Reports: of a group of websites, worst first, and which are sent by mail.

use std::collections::BTreeSet;

use askama::Template;

use super::report_form::{Asking, Query, Sending, Sent, typed};
use super::short_name::ShortName;
use super::{Frame, Viewer, page};
use crate::clock;
use crate::http::api::reports::{as_csv, asked, load};
use crate::http::login::{self, Caller};
use crate::http::{App, HttpError, Request, Response, route::Params};
use crate::model::message::words::{lasting, name};
use crate::model::report::words::{Said, group, took};
use crate::model::report::{Report, Row};
use crate::model::{Channel, FieldErrors, Scope, Tag, UtcMs, WebsiteId};

/// The page.
#[derive(Template, Debug)]
#[template(path = "reports.html", whitespace = "minimize")]
pub struct ReportsPage {
    frame: Frame,
    asking: Asking,
    about: String,
    shown: Option<Shown>,
    sending: Sending,
}

/// A report on the page.
#[derive(Debug)]
struct Shown {
    all: Said,
    before: Option<Said>,
    regions: Vec<(String, [String; 3])>,
    lines: Vec<Line>,
    notes: Vec<String>,
    csv: String,
    json: String,
}

#[derive(Debug)]
struct Line {
    website_id: WebsiteId,
    name: ShortName,
    said: Said,
    before: Option<String>,
    link: String,
    is_bad: bool,
}

impl ReportsPage {
    /// A report, or what is wrong with the wish for one.
    #[must_use]
    pub(super) fn new(viewer: impl Into<Viewer>, report: Option<&Report>, asking: Asking, sending: Sending) -> Self {
        let about = report.map(|report| group(&report.scope)).unwrap_or_default();
        let title = match report {
            Some(report) => format!("Report: {about}, {}", report.window),
            None => "Reports".to_owned(),
        };
        Self {
            frame: Frame::wide(title, viewer).at("/reports"),
            about,
            shown: report.map(|report| Shown::new(report, &asking.query)),
            asking,
            sending,
        }
    }

    /// With invented figures, to be looked at.
    #[must_use]
    pub fn of(viewer: impl Into<Viewer>, report: &Report, tags: &[Tag], channels: &[Channel], now: UtcMs) -> Self {
        let asking = Asking::of(report, tags, now);
        Self::new(viewer, Some(report), asking, Sending::new(&[], channels, tags, None))
    }
}

impl Shown {
    fn new(report: &Report, query: &Query) -> Self {
        let line = |row: &Row| Line {
            website_id: row.subject.website_id,
            name: ShortName(name(&row.subject.url)),
            said: Said::of(&row.now),
            before: row.before.as_ref().map(|before| Said::of(before).uptime),
            link: query.without_tag(),
            is_bad: row.now.outages.open > 0 || row.now.budget.is_some_and(|budget| budget.left_ms() < 0),
        };
        let regions = report.all.latency.iter().map(|(region, histogram)| {
            let quantile = |per_mille| histogram.quantile_us(per_mille).map_or_else(|| "–".to_owned(), took);
            (region.to_string(), [500, 950, 990].map(quantile))
        });
        Self {
            all: Said::of(&report.all),
            before: report.before.as_ref().map(Said::of),
            regions: regions.collect(),
            lines: report.rows.iter().map(line).collect(),
            notes: notes(report),
            csv: format!("/reports.csv{}", query.all()),
            json: format!("/api/v1/reports{}", query.all()),
        }
    }
}

/// What else has to be known of a report's figures.
pub(super) fn notes(report: &Report) -> Vec<String> {
    let mut notes = Vec::new();
    let (all, websites) = (&report.all, report.rows.len());
    if all.uptime.maintenance_ms >= 60_000 {
        notes.push(format!("Left out: {} of maintenance.", lasting(all.uptime.maintenance_ms)));
    }
    match all.uncounted {
        0 => {}
        1 => notes.push(
            "1 website is no part of the times: its days are still being counted, or it changed too often.".to_owned(),
        ),
        n => notes.push(format!(
            "{n} websites are no part of the times: their days are still being counted, or they changed too often."
        )),
    }
    match report.added_later {
        0 => {}
        1 => notes.push("1 website was added later.".to_owned()),
        n => notes.push(format!("{n} websites were added later.")),
    }
    let with_goal = report.with_goal();
    match (with_goal, report.goal) {
        (0, _) => notes.push(
            "No goal, no budget: give a website an uptime goal in its settings, or one for this report above."
                .to_owned(),
        ),
        (_, Some(goal)) => notes.push(format!("Measured against {goal} % where a website has no goal of its own.")),
        (n, None) if n < websites => {
            notes.push(format!("The budget is that of the {n} of {websites} websites with a goal."))
        }
        (_, None) => {}
    }
    notes
}

pub(super) fn tags_of(app: &App, who: &Caller) -> Result<Vec<Tag>, HttpError> {
    let ties = app.wait(app.store.ties(who.account.account_id)).map_err(login::store)?;
    let tags: BTreeSet<Tag> = ties.into_values().flat_map(|ties| ties.tags).collect();
    Ok(tags.into_iter().collect())
}

/// The account's reports that are sent, and the channels they may take.
pub(super) fn sending(app: &App, who: &Caller, tags: &[Tag], here: Option<WebsiteId>) -> Result<Sending, HttpError> {
    let id = who.account.account_id;
    let schedules = app.wait(app.store.report_schedules(id)).map_err(login::store)?;
    let channels = app.wait(app.store.channels(id)).map_err(login::store)?;
    let named: BTreeSet<WebsiteId> = schedules.iter().filter_map(|one| one.scope.website()).collect();
    let named: Vec<WebsiteId> = named.into_iter().collect();
    let names = if named.is_empty() {
        Vec::new()
    } else {
        app.wait(app.store.website_names(id, 0, &named)).map_err(login::store)?
    };
    let sent: Vec<Sent> = schedules.iter().map(|one| Sent::new(one, &channels, &names)).collect();
    Ok(Sending::new(&sent, &channels, tags, here))
}

/// What is asked for, or what is wrong with it, for a page.
pub(super) fn report_of(
    app: &App,
    request: &Request,
    who: &Caller,
    website: Option<Scope>,
    now: UtcMs,
) -> Result<Result<Report, FieldErrors>, HttpError> {
    let asked = match asked(request, &typed(request), website, now) {
        Ok(asked) => asked,
        Err(errors) => return Ok(Err(errors)),
    };
    match load(app, who.account.account_id, &asked, now) {
        Ok(report) => Ok(Ok(report)),
        Err(HttpError::Fields(errors)) => Ok(Err(errors)),
        Err(error) => Err(error),
    }
}

/// `GET /reports?tag=&month=&from=&to=&tz=&goal=`: without any, all websites over the last full month.
///
/// # Errors
/// Not signed in, or the database is away.
pub fn show(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let now = clock::now();
    let tags = tags_of(app, &who)?;
    let found = report_of(app, request, &who, None, now)?;
    let sending = sending(app, &who, &tags, None)?;
    let (report, errors) = match found {
        Ok(report) => (Some(report), FieldErrors::default()),
        Err(errors) => (None, errors),
    };
    let status = if report.is_some() { 200 } else { 422 };
    let asking = Asking::new(request, &tags, errors, None, now);
    page(status, &ReportsPage::new(Viewer::of(app, &who), report.as_ref(), asking, sending))
}

/// `GET /reports.csv`, asked for like the page.
///
/// # Errors
/// Not signed in; 422 for what is no report.
pub fn csv(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let now = clock::now();
    let report = report_of(app, request, &who, None, now)?.map_err(HttpError::Fields)?;
    Ok(as_csv(&report))
}
