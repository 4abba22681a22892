//! The form to add or edit a website.

use askama::Template;

use super::maintenance_form::choices;
use super::options_form::{self, Label, More};
use super::ties_form::{parent_exists, sent_field, ties_of};
use super::{Choice, Frame, Viewer, page, words};
use crate::clock;
use crate::http::{App, Form, HttpError, Request, Response, login, route::Params};
use crate::model::{
    Account, FieldError, FieldErrors, INTERVALS_OFFERED_S, OptionsInput, RegionId, SettingsInput, TargetRules, Ties,
    Website, WebsiteId, WebsiteSettings, url,
};
use crate::store::{Edited, TiesSaved};

/// What stands in the fields: kept as typed, so that a refused form comes back as it was sent.
#[derive(Debug, Clone)]
pub struct Typed {
    /// Address.
    pub url: String,
    /// Seconds between two checks.
    pub interval_s: String,
    /// Seconds to wait.
    pub timeout_s: String,
    /// Slugs of the regions chosen.
    pub regions: Vec<String>,
    /// Tags, by commas; `None`: not sent, and to stay as they are.
    pub tags: Option<String>,
    /// Id of the website it depends on, empty for none; `None`: not sent.
    pub parent: Option<String>,
    /// More settings.
    pub options: OptionsInput,
}

impl Typed {
    /// The fields of an empty form.
    #[must_use]
    pub fn empty() -> Self {
        Self::of(&WebsiteSettings::new(String::new()))
    }

    /// The fields for settings there are.
    #[must_use]
    pub fn of(settings: &WebsiteSettings) -> Self {
        Self {
            url: settings.url.clone(),
            interval_s: (settings.interval_ms / 1_000).to_string(),
            timeout_s: (settings.timeout_ms / 1_000).to_string(),
            regions: settings.regions.iter().map(ToString::to_string).collect(),
            tags: None,
            parent: None,
            options: OptionsInput::of(&settings.options),
        }
    }

    /// As sent.
    #[must_use]
    pub fn sent(form: &Form) -> Self {
        Self {
            url: form.get("url").trim().to_owned(),
            interval_s: form.get("interval_s").trim().to_owned(),
            timeout_s: form.get("timeout_s").trim().to_owned(),
            regions: form.all("regions").into_iter().map(str::to_owned).collect(),
            tags: sent_field(form, "tags"),
            parent: sent_field(form, "parent"),
            options: options_form::sent(form),
        }
    }

    /// The settings; `before`: the website that is edited.
    ///
    /// # Errors
    /// Every field that cannot be accepted.
    pub fn settings(&self, rules: &TargetRules, before: Option<&Website>) -> Result<WebsiteSettings, FieldErrors> {
        let regions: Vec<&str> = self.regions.iter().map(String::as_str).collect();
        let input = SettingsInput {
            url: &self.url,
            interval_s: &self.interval_s,
            timeout_s: &self.timeout_s,
            regions: &regions,
            options: Some(&self.options),
        };
        input.parse(rules, before.map(|website| &website.settings))
    }
}

/// The page.
#[derive(Template, Debug)]
#[template(path = "website_form.html", whitespace = "minimize")]
pub struct FormPage {
    frame: Frame,
    name: Option<String>,
    back: String,
    typed: Typed,
    errors: FieldErrors,
    intervals: Vec<Choice>,
    regions: Vec<Choice>,
    parents: Vec<Choice>,
    more: More,
    wrong_fields: Vec<Label>,
    is_unreadable: bool,
    /// What the fields are about: a save of it changes nothing that was saved since.
    revision: Option<i64>,
    is_outdated: bool,
}

impl FormPage {
    /// To add a website.
    #[must_use]
    pub fn add(viewer: impl Into<Viewer>, regions: &[RegionId], typed: Typed, errors: FieldErrors) -> Self {
        let frame = Frame::narrow("Add website", Some(viewer.into())).at("/websites/new");
        Self::new(frame, None, regions, typed, errors)
    }

    /// To edit one.
    #[must_use]
    pub fn edit(
        viewer: impl Into<Viewer>,
        website: &Website,
        regions: &[RegionId],
        typed: Typed,
        errors: FieldErrors,
    ) -> Self {
        Self::new(Frame::narrow("Edit website", Some(viewer.into())), Some(website), regions, typed, errors)
    }

    fn new(
        frame: Frame,
        website: Option<&Website>,
        regions: &[RegionId],
        mut typed: Typed,
        errors: FieldErrors,
    ) -> Self {
        typed.url = url::without_credentials(&typed.url);
        let mut offered: Vec<i64> = INTERVALS_OFFERED_S.iter().map(|s| i64::from(*s)).collect();
        // The API takes other intervals too; editing such a website keeps its own.
        offered.extend(typed.interval_s.parse::<i64>().ok().filter(|s| (10..=86_400).contains(s)));
        offered.sort_unstable();
        offered.dedup();
        let interval = |s: &i64| {
            let value = s.to_string();
            Choice { words: words::every(s * 1_000), chosen: value == typed.interval_s, value }
        };
        let intervals = offered.iter().map(interval).collect();
        // A region that is chosen stays on the form even while none of its workers was ever heard of.
        let mut slugs: Vec<String> = regions.iter().map(ToString::to_string).collect();
        slugs.extend(typed.regions.iter().filter(|s| s.parse::<RegionId>().is_ok()).cloned());
        slugs.sort_unstable();
        slugs.dedup();
        let region = |slug: String| Choice { chosen: typed.regions.contains(&slug), words: slug.clone(), value: slug };
        let regions = slugs.into_iter().map(region).collect();
        let more = More::new(&typed.options, website.map(|w| &*w.settings.options), &errors);
        let mut wrong_fields: Vec<Label> = Vec::new();
        for label in errors.0.iter().filter_map(|e| options_form::label(e.field)) {
            if wrong_fields.iter().all(|known| known.words != label.words) {
                wrong_fields.push(label);
            }
        }
        Self {
            frame,
            name: website.map(|w| words::name(&w.settings.url)),
            back: website.map_or_else(|| "/".to_owned(), |w| format!("/websites/{}", w.website_id)),
            is_unreadable: website.is_some_and(|w| w.is_unreadable),
            revision: website.map(|w| w.revision),
            is_outdated: false,
            typed,
            errors,
            intervals,
            regions,
            parents: Vec::new(),
            more,
            wrong_fields,
        }
    }

    /// With the account's websites, of which one may be what this one depends on.
    #[must_use]
    pub fn beside(mut self, websites: &[Website], own: Option<WebsiteId>) -> Self {
        let others: Vec<Website> = websites.iter().filter(|w| Some(w.website_id) != own).cloned().collect();
        self.parents = choices(&others, self.typed.parent.as_deref().unwrap_or_default());
        self
    }

    /// Says which regions see nothing at present.
    #[must_use]
    pub fn cut_off(mut self, regions: &[RegionId]) -> Self {
        for choice in &mut self.regions {
            if regions.iter().any(|region| region.as_str() == choice.value) {
                choice.words.push_str(" (cut off: its probes have no network at present)");
            }
        }
        self
    }

    /// Says that somebody else saved first; the next save replaces that.
    #[must_use]
    pub fn outdated(self) -> Self {
        Self { is_outdated: true, ..self }
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

fn show(
    app: &App,
    account: &Account,
    website: Option<&Website>,
    typed: Typed,
    errors: FieldErrors,
) -> Result<Response, HttpError> {
    let status = if errors.is_empty() { 200 } else { 422 };
    page(status, &form(app, account, website, typed, errors)?)
}

fn form(
    app: &App,
    account: &Account,
    website: Option<&Website>,
    typed: Typed,
    errors: FieldErrors,
) -> Result<FormPage, HttpError> {
    let known = app.wait(app.store.regions()).map_err(login::store)?;
    let now = clock::now();
    let cut_off: Vec<RegionId> = known.iter().filter(|r| r.is_cut_off(now)).map(|r| r.region_id.clone()).collect();
    let regions: Vec<RegionId> = known.into_iter().map(|r| r.region_id).collect();
    let view = match website {
        Some(website) => FormPage::edit(Viewer::of(app, account), website, &regions, typed, errors),
        None => FormPage::add(Viewer::of(app, account), &regions, typed, errors),
    };
    let websites = app.wait(app.store.websites(account.account_id)).map_err(login::store)?;
    Ok(view.cut_off(&cut_off).beside(&websites, website.map(|w| w.website_id)))
}

/// `GET /websites/new`.
///
/// # Errors
/// Not signed in, or the database is away.
pub fn new(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account;
    let mut typed = Typed::empty();
    typed.url = request.query("url").unwrap_or_default().to_owned();
    show(app, &account, None, typed, FieldErrors::default())
}

/// `POST /websites/new`.
///
/// # Errors
/// Not signed in, or the database is away.
pub fn create(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account;
    let typed = Typed::sent(&request.form());
    let settings = match typed.settings(&app.settings.target_rules, None) {
        Ok(settings) => settings,
        Err(errors) => return show(app, &account, None, typed, errors),
    };
    if let Err(errors) = regions_exist(app, &settings)? {
        return show(app, &account, None, typed, errors);
    }
    let ties = match typed.ties(&Ties::default()) {
        Ok(ties) => ties,
        Err(errors) => return show(app, &account, None, typed, errors),
    };
    if let Some(errors) = parent_exists(app, &account, &ties)? {
        return show(app, &account, None, typed, errors);
    }
    let website = app.wait(app.store.add_website(account.account_id, &settings, clock::now())).map_err(login::store)?;
    if ties != Ties::default() {
        // Nothing depends on a website that is new: what is refused now was deleted meanwhile.
        app.wait(app.store.set_ties(account.account_id, website.website_id, &ties)).map_err(login::store)?;
    }
    app.scheduler.changed(website.website_id);
    Ok(Response::see_other(&format!("/websites/{}", website.website_id)))
}

/// `GET /websites/:id/edit`.
///
/// # Errors
/// Not yours.
pub fn edit(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account;
    let found = app.wait(app.store.website(account.account_id, params.website_id()?)).map_err(login::store)?;
    let website = found.ok_or(HttpError::NotFound)?;
    let ties = ties_of(app, &account, website.website_id)?;
    let typed = Typed::of(&website.settings).tied(&ties);
    show(app, &account, Some(&website), typed, FieldErrors::default())
}

/// `POST /websites/:id/edit`. A program that knows only address, times and regions may leave out `revision`: all else
/// stays as it is.
///
/// # Errors
/// Not yours.
pub fn save(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account;
    let id = params.website_id()?;
    let before =
        app.wait(app.store.website(account.account_id, id)).map_err(login::store)?.ok_or(HttpError::NotFound)?;
    let sent = request.form();
    let mut typed = Typed::sent(&sent);
    let is_outdated = match sent.get("revision").trim() {
        "" if before.is_unreadable || has_options(&sent) => true,
        "" => {
            typed.options = OptionsInput::of(&before.settings.options);
            false
        }
        revision => revision.parse() != Ok(before.revision),
    };
    let outdated =
        |website: &Website, typed, errors| page(409, &form(app, &account, Some(website), typed, errors)?.outdated());
    let ties_before = ties_of(app, &account, id)?;
    let ties = typed.ties(&ties_before);
    let parsed = match (typed.settings(&app.settings.target_rules, Some(&before)), &ties) {
        (Ok(settings), Ok(_)) => regions_exist(app, &settings)?.map(|()| settings),
        (Err(errors), Ok(_)) => Err(errors),
        (Ok(_), Err(errors)) => Err(errors.clone()),
        (Err(mut errors), Err(more)) => {
            more.0.iter().cloned().for_each(|error| errors.push(error));
            Err(errors)
        }
    };
    let ties = ties.unwrap_or_else(|_| ties_before.clone());
    let is_outdated_edit = is_outdated && parsed.as_ref().is_ok_and(|settings| *settings != before.settings);
    if parsed.is_ok() && !is_outdated_edit && ties != ties_before {
        match app.wait(app.store.set_ties(account.account_id, id, &ties)).map_err(login::store)? {
            TiesSaved::Saved => {}
            TiesSaved::NotFound => return Err(HttpError::NotFound),
            TiesSaved::Refused(error) => return show(app, &account, Some(&before), typed, FieldErrors(vec![error])),
        }
    }
    let settings = match parsed {
        Ok(settings) if settings == before.settings && !before.is_unreadable => {
            return Ok(Response::see_other(&format!("/websites/{id}")));
        }
        Ok(_) if is_outdated => return outdated(&before, typed, FieldErrors::default()),
        Err(errors) if is_outdated => return outdated(&before, typed, errors),
        Err(errors) => return show(app, &account, Some(&before), typed, errors),
        Ok(settings) => settings,
    };
    let saved = app.wait(app.store.edit_website(account.account_id, id, before.revision, &settings, clock::now()));
    match saved.map_err(login::store)?.ok_or(HttpError::NotFound)? {
        Edited::Saved(_) => {
            app.scheduler.changed(id);
            Ok(Response::see_other(&format!("/websites/{id}")))
        }
        Edited::Meanwhile(website) => outdated(&website, typed, FieldErrors::default()),
    }
}

/// Whether a form speaks of "More settings".
fn has_options(form: &Form) -> bool {
    const PLAIN: [&str; 7] = ["url", "interval_s", "timeout_s", "regions", "tags", "parent", "revision"];
    form.0.iter().any(|(name, _)| !PLAIN.contains(&name.as_str()))
}

fn regions_exist(app: &App, settings: &WebsiteSettings) -> Result<Result<(), FieldErrors>, HttpError> {
    if settings.regions.is_empty() {
        return Ok(Ok(()));
    }
    let known = app.wait(app.store.regions()).map_err(login::store)?;
    let unknown = settings.regions.iter().find(|r| known.iter().all(|k| k.region_id != **r));
    Ok(unknown.map_or(Ok(()), |region| {
        let names: Vec<_> = known.iter().map(|r| r.region_id.as_str()).collect();
        let remedy = format!("There is no such region; there are: {}.", names.join(", "));
        Err(FieldErrors(vec![FieldError::new("regions", region.as_str(), remedy)]))
    }))
}
