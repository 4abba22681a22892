//! The form for a status page. What is on it is a list of rows: a website, what it is called in public, its section and place.
//! A row without a name is not on the page, so that nothing is shown that nobody named.

use std::collections::HashMap;

use askama::Template;

use super::status_pages::{found, may_have_domain};
use super::{Choice, Frame, Viewer, kept_in, page};
use crate::clock;
use crate::http::login::{self, Caller};
use crate::http::{App, Form, HttpError, Request, Response, route::Params};
use crate::model::manifest::{Managed, Space};
use crate::model::status_page::{
    Access, ComponentInput, MOST_COMPONENTS, MOST_PAGES, SectionInput, StatusPage, StatusPageInput,
};
use crate::model::{ChannelKind, FieldError, FieldErrors, WebsiteId, WebsiteName};
use crate::store::StatusPageSaved;

/// Websites offered in a list; others are named by their ids.
const OFFERED: i64 = 2_000;
/// A new page offers a row for each of so few.
const LISTED: usize = 30;
/// Rows that are empty.
const BLANK: usize = 5;

/// The page.
#[derive(Template, Debug)]
#[template(path = "status_page_form.html", whitespace = "minimize")]
pub struct StatusPageForm {
    frame: Frame,
    typed: StatusPageInput,
    rows: Vec<Row>,
    errors: FieldErrors,
    wrong_fields: Vec<(&'static str, &'static str)>,
    websites: Vec<String>,
    sections: Vec<String>,
    channels: Vec<Choice>,
    revision: Option<i64>,
    is_outdated: bool,
    has_password: bool,
    cancel: String,
}

/// A row as it was typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Row {
    website: String,
    name: String,
    section: String,
    position: String,
}

/// What was typed.
struct Typed {
    input: StatusPageInput,
    rows: Vec<Row>,
    password: String,
}

/// A field's element and its words.
fn label(field: &str) -> (&'static str, &'static str) {
    match field {
        "name" => ("name", "Name"),
        "slug" => ("slug", "Address"),
        "domain" => ("domain", "Host of its own"),
        "access" => ("access", "Who may see it"),
        "password" => ("password", "Password"),
        "about" => ("about", "A few words"),
        "home_url" => ("home_url", "Where its title leads"),
        "accent" => ("accent", "Colour"),
        "mail_channel_id" => ("mail_channel_id", "Mail"),
        _ => ("sections", "Websites"),
    }
}

impl StatusPageForm {
    fn access_is(&self, access: &str) -> bool {
        self.typed.access == access
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

/// Websites by what people call them: an address, or an id where two have one.
struct Names {
    by_word: HashMap<String, WebsiteId>,
    by_id: HashMap<WebsiteId, String>,
}

impl Names {
    fn new(names: &[WebsiteName]) -> Self {
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for name in names {
            *counts.entry(name.url.as_str()).or_default() += 1;
        }
        let (mut by_word, mut by_id) = (HashMap::new(), HashMap::new());
        for name in names {
            let is_one = counts.get(name.url.as_str()) == Some(&1);
            let word = if is_one { name.url.clone() } else { name.website_id.to_string() };
            by_word.insert(word.clone(), name.website_id);
            by_id.insert(name.website_id, word);
        }
        Self { by_word, by_id }
    }

    fn word(&self, id: WebsiteId) -> String {
        self.by_id.get(&id).cloned().unwrap_or_else(|| id.to_string())
    }

    fn id(&self, word: &str) -> String {
        self.by_word.get(word.trim()).map_or_else(|| word.trim().to_owned(), ToString::to_string)
    }
}

fn names(app: &App, who: &Caller, before: Option<&StatusPage>) -> Result<Names, HttpError> {
    let also: Vec<WebsiteId> =
        before.into_iter().flat_map(|one| one.plan.components()).map(|(_, one)| one.website_id).collect();
    let names = app.wait(app.store.website_names(who.account.account_id, OFFERED, &also)).map_err(login::store)?;
    Ok(Names::new(&names))
}

fn sent(form: &Form, names: &Names) -> Typed {
    let text = |name| form.get(name).trim().to_owned();
    let columns = ["row_website", "row_name", "row_section", "row_position"].map(|name| form.all(name));
    let [websites, called, sections, positions] = &columns;
    let at = |column: &Vec<&str>, n: usize| column.get(n).map(|text| text.trim().to_owned()).unwrap_or_default();
    let rows: Vec<Row> = (0..called.len().min(4 * MOST_COMPONENTS))
        .map(|n| Row {
            website: at(websites, n),
            name: at(called, n),
            section: at(sections, n),
            position: at(positions, n),
        })
        .collect();
    let mut placed: Vec<&Row> = rows.iter().filter(|row| !row.name.is_empty()).collect();
    placed.sort_by_key(|row| row.position.parse::<i64>().unwrap_or(i64::MAX));
    let mut of: Vec<SectionInput> = Vec::new();
    for row in placed {
        let one = ComponentInput { website_id: names.id(&row.website), name: row.name.clone() };
        match of.iter_mut().find(|section| section.name == row.section) {
            Some(section) => section.components.push(one),
            None => of.push(SectionInput { name: row.section.clone(), components: vec![one] }),
        }
    }
    Typed {
        input: StatusPageInput {
            name: text("name"),
            slug: text("slug"),
            domain: text("domain"),
            access: text("access"),
            about: text("about"),
            home_url: text("home_url"),
            accent: text("accent"),
            shows_uptime: !form.get("shows_uptime").is_empty(),
            tells_outages: !form.get("tells_outages").is_empty(),
            mail_channel_id: text("mail_channel_id"),
            sections: of,
        },
        rows,
        password: form.get("password").to_owned(),
    }
}

/// Rows of what is on a page.
fn rows_of(input: &StatusPageInput, names: &Names) -> Vec<Row> {
    let all = input.sections.iter().flat_map(|section| section.components.iter().map(move |one| (section, one)));
    all.enumerate()
        .map(|(n, (section, one))| Row {
            website: one.website_id.parse().map_or_else(|_| one.website_id.clone(), |id| names.word(id)),
            name: one.name.clone(),
            section: section.name.clone(),
            position: ((n + 1) * 10).to_string(),
        })
        .collect()
}

struct Shape<'a> {
    before: Option<&'a StatusPage>,
    revision: Option<i64>,
    is_outdated: bool,
    kept: Option<Managed>,
}

fn view(
    app: &App,
    who: &Caller,
    names: &Names,
    shape: Shape<'_>,
    typed: Typed,
    errors: FieldErrors,
) -> Result<StatusPageForm, HttpError> {
    let account = who.account.account_id;
    let channels = app.wait(app.store.channels(account)).map_err(login::store)?;
    let channels = channels
        .into_iter()
        .filter(|channel| channel.unreadable.is_none() && channel.settings.kind() == ChannelKind::Email)
        .map(|channel| {
            let value = channel.channel_id.to_string();
            Choice { chosen: value == typed.input.mail_channel_id, words: channel.name, value }
        })
        .collect();
    let mut wrong_fields: Vec<(&'static str, &'static str)> = Vec::new();
    for field in errors.0.iter().map(|error| label(error.field)) {
        if !wrong_fields.contains(&field) {
            wrong_fields.push(field);
        }
    }
    let mut websites: Vec<String> = names.by_word.keys().cloned().collect();
    websites.sort_unstable();
    let mut sections: Vec<String> =
        typed.rows.iter().map(|row| row.section.clone()).filter(|name| !name.is_empty()).collect();
    sections.sort_unstable();
    sections.dedup();
    let mut rows = typed.rows;
    let blank = rows.iter().rev().take_while(|row| row.website.is_empty() && row.name.is_empty()).count();
    rows.extend(std::iter::repeat_n(Row::default(), BLANK.saturating_sub(blank)));
    let title = if shape.before.is_some() { "Edit a status page" } else { "Make a status page" };
    let mut frame = Frame::narrow(title, Some(Viewer::of(app, who))).at("/status-pages");
    frame.kept_in = shape.kept;
    Ok(StatusPageForm {
        frame,
        typed: typed.input,
        rows,
        errors,
        wrong_fields,
        websites,
        sections,
        channels,
        revision: shape.revision,
        is_outdated: shape.is_outdated,
        has_password: shape.before.is_some_and(|before| before.has_password),
        cancel: shape
            .before
            .map_or("/status-pages".to_owned(), |before| format!("/status-pages/{}", before.status_page_id)),
    })
}

/// `GET /status-pages/new`.
///
/// # Errors
/// Not signed in, or the database is away.
pub fn new(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let names = names(app, &who, None)?;
    let mut words: Vec<&String> = names.by_word.keys().collect();
    words.sort_unstable();
    // Each for whoever names it; of many nobody wants all.
    let rows = if words.len() <= LISTED {
        words.into_iter().map(|word| Row { website: word.clone(), ..Row::default() }).collect()
    } else {
        Vec::new()
    };
    let input = StatusPageInput {
        access: Access::Public.to_string(),
        shows_uptime: true,
        tells_outages: true,
        ..StatusPageInput::default()
    };
    let typed = Typed { input, rows, password: String::new() };
    let shape = Shape { before: None, revision: None, is_outdated: false, kept: None };
    page(200, &view(app, &who, &names, shape, typed, FieldErrors::default())?)
}

/// `POST /status-pages/new`; with `more`, further rows are shown and nothing is saved.
///
/// # Errors
/// Not signed in, or the database is away.
pub fn create(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    take(app, &who, None, &request.form())
}

/// `GET /status-pages/:id/edit`.
///
/// # Errors
/// Not yours.
pub fn edit(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let before = found(app, who.account.account_id, params)?;
    let names = names(app, &who, Some(&before))?;
    let input = StatusPageInput::of(&before.plan);
    let typed = Typed { rows: rows_of(&input, &names), input, password: String::new() };
    let kept = kept_in(app, who.account.account_id, Space::StatusPages, before.status_page_id.0)?;
    let shape = Shape { before: Some(&before), revision: Some(before.revision), is_outdated: false, kept };
    page(200, &view(app, &who, &names, shape, typed, FieldErrors::default())?)
}

/// `POST /status-pages/:id/edit`.
///
/// # Errors
/// Not yours.
pub fn save(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let before = found(app, who.account.account_id, params)?;
    take(app, &who, Some(&before), &request.form())
}

/// What is wrong with a page that the store did not take.
#[must_use]
pub(in crate::http) fn refused(saved: &StatusPageSaved) -> Option<FieldError> {
    match saved {
        StatusPageSaved::NoWebsite => {
            Some(FieldError::new("sections", "", "Choose from your websites; one is not, or is gone."))
        }
        StatusPageSaved::NoChannel => {
            Some(FieldError::new("mail_channel_id", "", "Choose one of your mail channels, or none."))
        }
        StatusPageSaved::Taken(field) => Some(FieldError::new(field, "", "Another page has this; give another one.")),
        StatusPageSaved::Saved(_)
        | StatusPageSaved::NotFound
        | StatusPageSaved::TooMany
        | StatusPageSaved::Meanwhile => None,
    }
}

/// Of an account with as many as it may have.
#[must_use]
pub(in crate::http) fn too_many() -> String {
    format!("There are {MOST_PAGES} status pages, which is as many as there may be. Delete one first.")
}

fn take(app: &App, who: &Caller, before: Option<&StatusPage>, form: &Form) -> Result<Response, HttpError> {
    let names = names(app, who, before)?;
    let typed = sent(form, &names);
    let revision = before.map(|before| form.get("revision").parse().unwrap_or(before.revision));
    let shape = |is_outdated| Shape { before, revision, is_outdated, kept: None };
    if !form.get("more").is_empty() {
        let mut typed = typed;
        typed.rows.extend(std::iter::repeat_n(Row::default(), BLANK));
        return page(200, &view(app, who, &names, shape(false), typed, FieldErrors::default())?);
    }
    let password = (!typed.password.is_empty()).then(|| login::hash_of(app, &typed.password)).transpose();
    let password = match password {
        Ok(hash) => hash,
        Err(HttpError::Fields(errors)) => return page(422, &view(app, who, &names, shape(false), typed, errors)?),
        Err(error) => return Err(error),
    };
    let plan = typed.input.parse(&app.settings.target_rules.own_names).and_then(|plan| {
        let was = before.and_then(|before| before.plan.domain.as_deref());
        let mut errors = FieldErrors::default();
        may_have_domain(app, who, plan.domain.as_deref(), was).unwrap_or_else(|error| errors.push(error));
        let has_password = password.is_some() || before.is_some_and(|before| before.has_password);
        if plan.access == Access::Password && !has_password {
            errors.push(FieldError::new("password", "", "Give the password that opens the page."));
        }
        if errors.is_empty() { Ok(plan) } else { Err(errors) }
    });
    let plan = match plan {
        Ok(plan) => plan,
        Err(errors) => return page(422, &view(app, who, &names, shape(false), typed, errors)?),
    };
    let (account, store) = (who.account.account_id, &app.store);
    let saved = match before.zip(revision) {
        Some((before, revision)) => {
            app.wait(store.edit_status_page(account, before.status_page_id, revision, &plan)).map_err(login::store)?
        }
        None => app.wait(store.add_status_page(account, &plan, clock::now())).map_err(login::store)?,
    };
    match saved {
        StatusPageSaved::Saved(id) => {
            if let Some(hash) = password {
                app.wait(store.set_page_password(account, id, Some(&hash))).map_err(login::store)?;
            }
            app.pages.changed(id);
            app.domains.changed();
            Ok(Response::see_other(&format!("/status-pages/{id}")))
        }
        StatusPageSaved::NotFound => Err(HttpError::NotFound),
        StatusPageSaved::TooMany => Err(HttpError::Conflict(too_many())),
        StatusPageSaved::Meanwhile => {
            let shape = Shape { revision: before.map(|before| before.revision), ..shape(true) };
            page(409, &view(app, who, &names, shape, typed, FieldErrors::default())?)
        }
        other @ (StatusPageSaved::NoWebsite | StatusPageSaved::NoChannel | StatusPageSaved::Taken(_)) => {
            let errors = FieldErrors(refused(&other).into_iter().collect());
            page(422, &view(app, who, &names, shape(false), typed, errors)?)
        }
    }
}
