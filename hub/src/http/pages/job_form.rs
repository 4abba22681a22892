//! The form to add or edit a job that reports itself.

use askama::Template;

use super::keeping_form::KeepingPart;
use super::maintenance_form::{choices, names};
use super::ties_form::{parent_exists, ties_of};
use super::website_form::Typed;
use super::{Choice, Frame, Viewer, keeping_form, kept_in, page};
use crate::clock;
use crate::http::login::{self, Caller};
use crate::http::{App, Form, HttpError, Request, Response, route::Params};
use crate::model::job::UNITS;
use crate::model::manifest::{Managed, Space};
use crate::model::retention::Retention;
use crate::model::{FieldErrors, JobInput, JobPlan, Keeping, KeepingInput, Ties, Website, WebsiteName};
use crate::store::{Edited, KnownJob, TiesSaved};

/// What stands in the fields, as typed.
#[derive(Debug, Clone, Default)]
pub struct JobTyped {
    name: String,
    /// `period` or `cron`.
    schedule: String,
    period: String,
    period_unit: String,
    cron: String,
    time_zone: String,
    grace: String,
    grace_unit: String,
    tags: String,
    parent: String,
    /// `None`: not sent, and to stay as it is.
    keeping: Option<KeepingInput>,
}

impl JobTyped {
    /// Once a day, an hour late at most.
    #[must_use]
    pub fn empty() -> Self {
        let text = str::to_owned;
        Self {
            schedule: text("period"),
            period: text("1"),
            period_unit: text("86400"),
            grace: text("1"),
            grace_unit: text("3600"),
            time_zone: text("UTC"),
            ..Self::default()
        }
    }

    /// The fields for a plan there is.
    #[must_use]
    pub fn of(plan: &JobPlan, ties: &Ties, keeping: &Keeping) -> Self {
        let input = JobInput::of(plan);
        let is_cron = input.period_s.is_empty();
        let empty = Self::empty();
        let (period, period_unit) = if is_cron { (empty.period, empty.period_unit) } else { in_units(&input.period_s) };
        let (grace, grace_unit) = in_units(&input.grace_s);
        Self {
            name: input.name,
            schedule: if is_cron { "cron" } else { "period" }.to_owned(),
            period,
            period_unit,
            cron: input.cron,
            time_zone: if is_cron { input.time_zone } else { empty.time_zone },
            grace,
            grace_unit,
            tags: ties.tags.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
            parent: ties.parent_id.map(|id| id.to_string()).unwrap_or_default(),
            keeping: Some(KeepingInput::of(keeping)),
        }
    }

    /// As sent.
    #[must_use]
    pub fn sent(form: &Form) -> Self {
        let text = |name| form.get(name).trim().to_owned();
        Self {
            name: text("name"),
            schedule: text("schedule"),
            period: text("period"),
            period_unit: text("period_unit"),
            cron: text("cron"),
            time_zone: text("time_zone"),
            grace: text("grace"),
            grace_unit: text("grace_unit"),
            tags: text("tags"),
            parent: text("parent"),
            keeping: keeping_form::sent(form),
        }
    }

    fn plan(&self) -> Result<JobPlan, FieldErrors> {
        let is_cron = self.schedule == "cron";
        let only = |text: &str, is_meant: bool| if is_meant { text.to_owned() } else { String::new() };
        let input = JobInput {
            name: self.name.clone(),
            period_s: only(&seconds(&self.period, &self.period_unit), !is_cron),
            cron: only(if self.cron.is_empty() { "?" } else { &self.cron }, is_cron),
            time_zone: only(&self.time_zone, is_cron),
            grace_s: seconds(&self.grace, &self.grace_unit),
        };
        input.parse()
    }

    fn ties(&self) -> Result<Ties, FieldErrors> {
        let typed = Typed { tags: Some(self.tags.clone()), parent: Some(self.parent.clone()), ..Typed::empty() };
        typed.ties(&Ties::default())
    }
}

/// A number of units as seconds; what is no whole number stays as it is, to be refused as typed.
fn seconds(count: &str, unit: &str) -> String {
    let unit_s = UNITS.iter().map(|(unit_s, _)| *unit_s).find(|unit_s| unit_s.to_string() == unit).unwrap_or(1);
    let product = count.parse::<i64>().ok().and_then(|count| count.checked_mul(unit_s));
    product.map_or_else(|| if count.is_empty() { "-".to_owned() } else { count.to_owned() }, |s| s.to_string())
}

/// Seconds in the largest unit that fits.
fn in_units(seconds: &str) -> (String, String) {
    let s = seconds.parse::<i64>().unwrap_or(0);
    let unit_s = UNITS.iter().rev().map(|(unit_s, _)| *unit_s).find(|unit_s| s % unit_s == 0).unwrap_or(1);
    ((s / unit_s).to_string(), unit_s.to_string())
}

fn units(chosen: &str) -> Vec<Choice> {
    let choice = |(unit_s, words): &(i64, &str)| {
        let value = unit_s.to_string();
        Choice { words: (*words).to_owned(), chosen: value == chosen, value }
    };
    UNITS.iter().map(choice).collect()
}

/// The page.
#[derive(Template, Debug)]
#[template(path = "job_form.html", whitespace = "minimize")]
pub struct JobForm {
    frame: Frame,
    is_new: bool,
    back: String,
    revision: Option<i64>,
    is_outdated: bool,
    typed: JobTyped,
    errors: FieldErrors,
    wrong_fields: Vec<(&'static str, &'static str)>,
    period_units: Vec<Choice>,
    grace_units: Vec<Choice>,
    zones: Vec<String>,
    parents: Vec<Choice>,
    keeping: KeepingPart,
}

impl JobForm {
    /// Says which file keeps it.
    #[must_use]
    pub fn kept_in(mut self, kept: Option<Managed>) -> Self {
        self.frame.kept_in = kept;
        self
    }

    /// To add a job, or to edit that of a website.
    #[must_use]
    pub fn new(
        viewer: impl Into<Viewer>,
        website: Option<&Website>,
        typed: JobTyped,
        errors: FieldErrors,
        websites: &[WebsiteName],
    ) -> Self {
        let title = if website.is_some() { "Edit job" } else { "Add a job that reports itself" };
        let mut wrong_fields: Vec<(&'static str, &'static str)> = Vec::new();
        for field in errors.0.iter().map(|error| label(error.field)) {
            if !wrong_fields.contains(&field) {
                wrong_fields.push(field);
            }
        }
        let own = website.map(|website| website.website_id);
        let others = websites.iter().filter(|other| Some(other.website_id) != own);
        Self {
            frame: Frame::narrow(title, Some(viewer.into())).at(if website.is_some() { "" } else { "/websites/new" }),
            is_new: website.is_none(),
            back: website.map_or_else(|| "/".to_owned(), |w| format!("/websites/{}", w.website_id)),
            revision: website.map(|w| w.revision),
            is_outdated: false,
            period_units: units(&typed.period_unit),
            grace_units: units(&typed.grace_unit),
            zones: jiff::tz::db().available().map(|name| name.to_string()).collect(),
            parents: choices(others, &typed.parent),
            keeping: KeepingPart::new(typed.keeping.as_ref(), &errors, Retention::DEFAULT),
            typed,
            errors,
            wrong_fields,
        }
    }

    /// Says for how long this installation keeps history.
    #[must_use]
    pub fn keeps(mut self, of_all: Retention) -> Self {
        self.keeping.most_days = of_all.days;
        self
    }

    /// Says that somebody else saved first; the next save replaces that.
    #[must_use]
    pub fn outdated(self) -> Self {
        Self { is_outdated: true, ..self }
    }

    fn schedule_is(&self, schedule: &str) -> bool {
        self.typed.schedule == schedule
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
        "period_s" => ("period", "Period"),
        "cron" => ("cron", "Cron expression"),
        "time_zone" => ("time_zone", "Time zone"),
        "grace_s" => ("grace", "Grace"),
        "parent" => ("parent", "Depends on"),
        _ => keeping_form::label(field).unwrap_or(("tags", "Tags")),
    }
}

fn form(
    app: &App,
    who: &Caller,
    website: Option<&Website>,
    typed: JobTyped,
    errors: FieldErrors,
) -> Result<JobForm, HttpError> {
    let websites = names(app, who, &typed.parent)?;
    let kept = match website {
        Some(website) => kept_in(app, who.account.account_id, Space::Websites, website.website_id.0)?,
        None => None,
    };
    let view = JobForm::new(Viewer::of(app, who), website, typed, errors, &websites);
    Ok(view.keeps(app.settings.retention).kept_in(kept))
}

/// `GET /jobs/new`.
///
/// # Errors
/// Not signed in, or the database is away.
pub fn new(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    page(200, &form(app, &who, None, JobTyped::empty(), FieldErrors::default())?)
}

/// A job as typed.
type Parsed = (JobPlan, Ties, Keeping);

/// Plan, ties and what is decided about history as typed; `before`: what is decided now.
fn parsed(
    app: &App,
    who: &Caller,
    typed: &JobTyped,
    before: &Keeping,
) -> Result<Result<Parsed, FieldErrors>, HttpError> {
    let keeping = keeping_form::parse(typed.keeping.as_ref(), before, app.settings.retention);
    let (plan, ties, keeping) = match (typed.plan(), typed.ties(), keeping) {
        (Ok(plan), Ok(ties), Ok(keeping)) => (plan, ties, keeping),
        (plan, ties, keeping) => {
            let mut errors = FieldErrors::default();
            let all = [plan.err(), ties.err(), keeping.err()].into_iter().flatten().flat_map(|wrong| wrong.0);
            all.for_each(|error| errors.push(error));
            return Ok(Err(errors));
        }
    };
    Ok(parent_exists(app, &who.account, &ties)?.map_or(Ok((plan, ties, keeping)), Err))
}

/// `POST /jobs/new`.
///
/// # Errors
/// Not signed in, or the database is away.
pub fn create(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let typed = JobTyped::sent(&request.form());
    let (plan, ties, keeping) = match parsed(app, &who, &typed, &Keeping::default())? {
        Ok(parsed) => parsed,
        Err(errors) => return page(422, &form(app, &who, None, typed, errors)?),
    };
    let added = app.wait(app.store.add_job_tied(who.account.account_id, &plan, &ties, clock::now()));
    match added.map_err(login::store)? {
        Ok(id) => {
            keeping_form::save(app, &who.account, id, &Keeping::default(), &keeping)?;
            Ok(Response::see_other(&format!("/websites/{id}")))
        }
        // Deleted meanwhile.
        Err(refused) => page(422, &form(app, &who, None, typed, FieldErrors(vec![refused]))?),
    }
}

fn known(app: &App, who: &Caller, params: &Params) -> Result<KnownJob, HttpError> {
    let found = app.wait(app.store.job(who.account.account_id, params.website_id()?)).map_err(login::store)?;
    found.ok_or(HttpError::NotFound)
}

/// `GET /websites/:id/edit` of a job.
///
/// # Errors
/// Not yours.
pub fn edit(app: &App, who: &Caller, params: &Params) -> Result<Response, HttpError> {
    let known = known(app, who, params)?;
    let ties = ties_of(app, &who.account, known.website.website_id)?;
    let keeping = keeping_form::keeping_of(app, &who.account, known.website.website_id)?;
    let typed = JobTyped::of(&known.job.plan, &ties, &keeping);
    page(200, &form(app, who, Some(&known.website), typed, FieldErrors::default())?)
}

/// `POST /websites/:id/edit` of a job.
///
/// # Errors
/// Not yours.
pub fn save(app: &App, who: &Caller, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let KnownJob { website, job, .. } = known(app, who, params)?;
    let (id, sent) = (website.website_id, request.form());
    let typed = JobTyped::sent(&sent);
    let keeping_before = keeping_form::keeping_of(app, &who.account, id)?;
    let (plan, ties, keeping) = match parsed(app, who, &typed, &keeping_before)? {
        Ok(parsed) => parsed,
        Err(errors) => return page(422, &form(app, who, Some(&website), typed, errors)?),
    };
    if plan != job.plan {
        let revision = sent.get("revision").trim().parse().unwrap_or(website.revision);
        let saved =
            app.wait(app.store.edit_job_tied(who.account.account_id, id, revision, &plan, Some(&ties), clock::now()));
        match saved.map_err(login::store)?.ok_or(HttpError::NotFound)? {
            Edited::Saved(_) => {}
            Edited::Meanwhile(newest) => {
                let form = form(app, who, Some(&newest), typed, FieldErrors::default())?;
                return page(409, &form.outdated());
            }
            Edited::Refused(error) => {
                return page(422, &form(app, who, Some(&website), typed, FieldErrors(vec![error]))?);
            }
        }
    }
    if plan == job.plan && ties != ties_of(app, &who.account, id)? {
        match app.wait(app.store.set_ties(who.account.account_id, id, &ties)).map_err(login::store)? {
            TiesSaved::Saved => {}
            TiesSaved::NotFound => return Err(HttpError::NotFound),
            TiesSaved::Refused(error) => {
                let newest = known(app, who, params)?.website;
                return page(422, &form(app, who, Some(&newest), typed, FieldErrors(vec![error]))?);
            }
        }
    }
    keeping_form::save(app, &who.account, id, &keeping_before, &keeping)?;
    Ok(Response::see_other(&format!("/websites/{id}")))
}

/// `POST /websites/:id/ping-url`: another address to report to.
///
/// # Errors
/// Not yours.
pub fn rotate(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let id = params.website_id()?;
    if !app.wait(app.store.rotate_ping_id(who.account.account_id, id)).map_err(login::store)? {
        return Err(HttpError::NotFound);
    }
    Ok(Response::see_other(&format!("/websites/{id}")))
}
