//! The form for a maintenance window. It shows the next ones as they would be, so that a change of clocks is seen
//! before it happens.

use askama::Template;

use super::maintenance::window;
use super::maintenance_words::{Turn, turn};
use super::{Choice, Frame, Viewer, kept_in, page, words};
use crate::clock;
use crate::http::login::{self, Caller};
use crate::http::{App, Form, HttpError, Request, Response, route::Params};
use crate::model::maintenance::WEEKDAYS;
use crate::model::manifest::{Managed, Space};
use crate::model::{FieldError, FieldErrors, Maintenance, MaintenanceInput, Rule, UtcMs, WebsiteId, WebsiteName};
use crate::store::MaintenanceSaved;

/// Windows to come that are shown.
const SHOWN: usize = 3;
/// Websites offered in a list: one of many thousands nobody finds what he looks for, and the page has its bound.
const OFFERED: i64 = 2_000;
/// Tags offered: there may be ten for each website.
const TAGS_OFFERED: usize = 500;

/// The page.
#[derive(Template, Debug)]
#[template(path = "maintenance_form.html", whitespace = "minimize")]
pub struct MaintenanceForm {
    frame: Frame,
    typed: MaintenanceInput,
    errors: FieldErrors,
    wrong_fields: Vec<(&'static str, &'static str)>,
    websites: Vec<Choice>,
    tags: Vec<String>,
    zones: Vec<String>,
    weekdays: Vec<Choice>,
    month_days: Vec<Choice>,
    turns: Vec<Turn>,
    /// A preview was asked for, or a stored window is edited.
    is_shown: bool,
    revision: Option<i64>,
    is_outdated: bool,
}

/// What a form may choose from.
#[derive(Debug, Default)]
pub struct Offered {
    /// Websites of the account.
    pub websites: Vec<WebsiteName>,
    /// The tags they bear, sorted.
    pub tags: Vec<String>,
}

impl MaintenanceForm {
    /// Says which file keeps it.
    #[must_use]
    pub fn kept_in(mut self, kept: Option<Managed>) -> Self {
        self.frame.kept_in = kept;
        self
    }

    /// To add a window, or with a revision to edit one.
    #[must_use]
    pub fn new(
        viewer: impl Into<Viewer>,
        revision: Option<i64>,
        typed: MaintenanceInput,
        errors: FieldErrors,
        offered: &Offered,
    ) -> Self {
        let title = if revision.is_some() { "Edit maintenance" } else { "Plan maintenance" };
        let mut wrong_fields: Vec<(&'static str, &'static str)> = Vec::new();
        for field in errors.0.iter().map(|error| label(error.field)) {
            if !wrong_fields.contains(&field) {
                wrong_fields.push(field);
            }
        }
        let weekday = |(day, value): (jiff::civil::Weekday, &str)| Choice {
            words: format!("{day:?}"),
            chosen: typed.weekdays.iter().any(|typed| typed == value),
            value: value.to_owned(),
        };
        let month_day = |value: String| Choice {
            words: if value == "last" { "the last day".to_owned() } else { value.clone() },
            chosen: typed.month_day == value,
            value,
        };
        Self {
            frame: Frame::narrow(title, Some(viewer.into())),
            websites: choices(&offered.websites, &typed.website_id),
            // A list to choose from, not all that may be: any tag can be typed, and the page has its bound (P8).
            tags: offered.tags.iter().take(TAGS_OFFERED).cloned().collect(),
            zones: jiff::tz::db().available().map(|name| name.to_string()).collect(),
            weekdays: WEEKDAYS.into_iter().map(weekday).collect(),
            month_days: (1..=31).map(|day| day.to_string()).chain(["last".to_owned()]).map(month_day).collect(),
            turns: Vec::new(),
            is_shown: false,
            is_outdated: false,
            typed,
            errors,
            wrong_fields,
            revision,
        }
    }

    /// With the next windows of a rule after `now`, `skip_before` at the earliest.
    #[must_use]
    pub fn showing(mut self, rule: &Rule, now: UtcMs) -> Self {
        let running = rule.overlapping(now, now.saturating_add(1));
        let spans = running.into_iter().chain(rule.next(now.saturating_add(1), SHOWN)).take(SHOWN);
        self.turns = spans.map(|span| turn(rule, span)).collect();
        self.is_shown = true;
        self
    }

    /// Says that somebody else saved first.
    #[must_use]
    pub fn outdated(self) -> Self {
        Self { is_outdated: true, ..self }
    }

    fn scope_is(&self, scope: &str) -> bool {
        self.typed.scope == scope
    }

    fn repeats_is(&self, repeats: &str) -> bool {
        self.typed.repeats == repeats
    }

    /// Attributes that tie a field to its error and hint; ours alone, nothing typed.
    fn aria(&self, field: &str, has_hint: bool) -> String {
        match (self.errors.of(field).is_some(), has_hint) {
            (true, true) => format!(" aria-invalid=\"true\" aria-describedby=\"{field}-error {field}-hint\""),
            (true, false) => format!(" aria-invalid=\"true\" aria-describedby=\"{field}-error\""),
            (false, true) => format!(" aria-describedby=\"{field}-hint\""),
            (false, false) => String::new(),
        }
    }
}

/// A field's element and its words.
fn label(field: &str) -> (&'static str, &'static str) {
    match field {
        "name" => ("name", "Name"),
        "scope" => ("scope", "Websites"),
        "tag" => ("tag", "Tag"),
        "website_id" => ("website_id", "Website"),
        "time_zone" => ("time_zone", "Time zone"),
        "starts" => ("starts", "Begins"),
        "repeats" => ("repeats", "Repeats"),
        "weekdays" => ("weekdays", "Days of the week"),
        "month_day" => ("month_day", "Day of the month"),
        _ => ("duration", "Lasts"),
    }
}

/// Websites to choose from, by name.
pub(super) fn choices<'a>(websites: impl IntoIterator<Item = &'a WebsiteName>, chosen: &str) -> Vec<Choice> {
    let choice = |website: &WebsiteName| {
        let value = website.website_id.to_string();
        Choice { words: words::name(&website.url), chosen: value == chosen, value }
    };
    let mut choices: Vec<Choice> = websites.into_iter().map(choice).collect();
    choices.sort_by(|a, b| a.words.cmp(&b.words));
    choices
}

/// Websites that a form offers, `chosen` among them.
pub(super) fn names(app: &App, who: &Caller, chosen: &str) -> Result<Vec<WebsiteName>, HttpError> {
    let chosen: Option<WebsiteId> = chosen.parse().ok();
    app.wait(app.store.website_names(who.account.account_id, OFFERED, chosen.as_slice())).map_err(login::store)
}

fn sent(form: &Form) -> MaintenanceInput {
    let text = |name| form.get(name).trim().to_owned();
    MaintenanceInput {
        name: text("name"),
        scope: text("scope"),
        tag: text("tag"),
        website_id: text("website_id"),
        time_zone: text("time_zone"),
        starts: text("starts"),
        repeats: text("repeats"),
        weekdays: form.all("weekdays").into_iter().map(str::to_owned).collect(),
        month_day: text("month_day"),
        hours: text("hours"),
        minutes: text("minutes"),
    }
}

fn offered(app: &App, who: &Caller, chosen: &str) -> Result<Offered, HttpError> {
    let websites = names(app, who, chosen)?;
    let ties = app.wait(app.store.ties(who.account.account_id)).map_err(login::store)?;
    let mut tags: Vec<String> = ties.into_values().flat_map(|ties| ties.tags).map(|tag| tag.to_string()).collect();
    tags.sort_unstable();
    tags.dedup();
    Ok(Offered { websites, tags })
}

fn form(
    app: &App,
    who: &Caller,
    revision: Option<i64>,
    typed: MaintenanceInput,
    errors: FieldErrors,
) -> Result<MaintenanceForm, HttpError> {
    let offered = offered(app, who, &typed.website_id)?;
    Ok(MaintenanceForm::new(Viewer::of(app, who), revision, typed, errors, &offered))
}

/// `GET /maintenance/new`; `?website=` and `?tag=` choose what it is about.
///
/// # Errors
/// Not signed in, or the database is away.
pub fn new(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let windows = app.wait(app.store.maintenance(who.account.account_id)).map_err(login::store)?;
    // Whoever planned before plans by the same clocks.
    let zone = windows.last().map_or("UTC", |window| window.plan.rule.time_zone());
    let tonight = Rule::new(zone, jiff::civil::DateTime::default(), crate::model::maintenance::Repeats::Once, 0);
    let soon = tonight.map(|rule| rule.local(clock::now() + 3_600_000).strftime("%Y-%m-%dT%H:00").to_string());
    let (website, tag) = (request.query("website").unwrap_or_default(), request.query("tag").unwrap_or_default());
    let scope = match (website, tag) {
        ("", "") => "all",
        ("", _) => "tag",
        (_, _) => "website",
    };
    let typed = MaintenanceInput {
        scope: scope.to_owned(),
        tag: tag.to_owned(),
        website_id: website.to_owned(),
        time_zone: zone.to_owned(),
        starts: soon.unwrap_or_default(),
        repeats: "once".to_owned(),
        month_day: "1".to_owned(),
        hours: "1".to_owned(),
        minutes: "0".to_owned(),
        ..MaintenanceInput::default()
    };
    page(200, &form(app, &who, None, typed, FieldErrors::default())?)
}

/// `POST /maintenance/new`; with `preview`, nothing is saved.
///
/// # Errors
/// Not signed in, or the database is away.
pub fn create(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    take(app, &who, None, &request.form())
}

/// `GET /maintenance/:id/edit`.
///
/// # Errors
/// Not yours.
pub fn edit(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let window = window(app, who.account.account_id, params)?;
    let typed = MaintenanceInput::of(&window.plan);
    let form = form(app, &who, Some(window.revision), typed, FieldErrors::default())?;
    let kept = kept_in(app, who.account.account_id, Space::Maintenance, window.maintenance_id.0)?;
    page(200, &form.showing(&window.plan.rule, clock::now().max(window.skip_before_at)).kept_in(kept))
}

/// `POST /maintenance/:id/edit`; with `preview`, nothing is saved.
///
/// # Errors
/// Not yours.
pub fn save(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let window = window(app, who.account.account_id, params)?;
    take(app, &who, Some(&window), &request.form())
}

fn take(app: &App, who: &Caller, before: Option<&Maintenance>, form_sent: &Form) -> Result<Response, HttpError> {
    let (typed, now) = (sent(form_sent), clock::now());
    let revision = before.map(|window| form_sent.get("revision").parse().unwrap_or(window.revision));
    let plan = match typed.parse(now) {
        Ok(plan) => plan,
        Err(errors) => return page(422, &form(app, who, revision, typed, errors)?),
    };
    if !form_sent.get("preview").is_empty() {
        let shown = form(app, who, revision, typed, FieldErrors::default())?;
        return page(200, &shown.showing(&plan.rule, now));
    }
    let (id, store) = (who.account.account_id, &app.store);
    let saved = match before.zip(revision) {
        Some((window, revision)) => {
            app.wait(store.edit_maintenance(id, window.maintenance_id, revision, &plan, now)).map_err(login::store)?
        }
        None => app.wait(store.add_maintenance(id, &plan, now)).map_err(login::store)?,
    };
    match saved {
        MaintenanceSaved::Saved(_) => Ok(Response::see_other("/maintenance")),
        MaintenanceSaved::NotFound => Err(HttpError::NotFound),
        MaintenanceSaved::NoWebsite => {
            let errors = FieldErrors(vec![no_website(&typed.website_id)]);
            page(422, &form(app, who, revision, typed, errors)?)
        }
        MaintenanceSaved::TooMany => Err(HttpError::Conflict(too_many())),
        MaintenanceSaved::Meanwhile => {
            let newest = before.map(|window| window.revision);
            page(409, &form(app, who, newest, typed, FieldErrors::default())?.outdated())
        }
    }
}

/// Of a website that is not there, or is another's.
#[must_use]
pub fn no_website(found: &str) -> FieldError {
    FieldError::new("website_id", found, "Choose one of your websites.")
}

/// Of an account with as many windows as it may have.
#[must_use]
pub fn too_many() -> String {
    format!("There are {} maintenance windows, which is as many as there may be. Delete one first.", Maintenance::MOST)
}
