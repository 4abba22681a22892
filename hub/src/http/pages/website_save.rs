//! A website added or edited by its form ([`super::website_form`]).

use super::maintenance_form::names;
use super::ties_form::{parent_exists, ties_of};
use super::website_form::{FormPage, Typed};
use super::{Viewer, job_form, keeping_form, kept_in, page};
use crate::clock;
use crate::http::login::{self, Caller};
use crate::http::{App, Form, HttpError, Request, Response, route::Params};
use crate::model::manifest::Space;
use crate::model::{
    FieldError, FieldErrors, Keeping, OptionsInput, RegionId, Ties, Website, WebsiteKind, WebsiteSettings,
};
use crate::store::{Edited, TiesSaved};

fn show(
    app: &App,
    who: &Caller,
    website: Option<&Website>,
    typed: Typed,
    errors: FieldErrors,
) -> Result<Response, HttpError> {
    let status = if errors.is_empty() { 200 } else { 422 };
    page(status, &form(app, who, website, typed, errors)?)
}

fn form(
    app: &App,
    who: &Caller,
    website: Option<&Website>,
    typed: Typed,
    errors: FieldErrors,
) -> Result<FormPage, HttpError> {
    let websites = names(app, who, typed.parent.as_deref().unwrap_or_default())?;
    let known = app.wait(app.store.regions()).map_err(login::store)?;
    let now = clock::now();
    let cut_off: Vec<RegionId> = known.iter().filter(|r| r.is_cut_off(now)).map(|r| r.region_id.clone()).collect();
    let regions: Vec<RegionId> = known.into_iter().map(|r| r.region_id).collect();
    let view = match website {
        Some(website) => FormPage::edit(Viewer::of(app, who), website, &regions, typed, errors).kept_in(kept_in(
            app,
            who.account.account_id,
            Space::Websites,
            website.website_id.0,
        )?),
        None => FormPage::add(Viewer::of(app, who), &regions, typed, errors),
    };
    Ok(view.keeps(app.settings.retention).cut_off(&cut_off).beside(&websites, website.map(|w| w.website_id)))
}

/// `GET /websites/new`.
///
/// # Errors
/// Not signed in, or the database is away.
pub fn new(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let mut typed = Typed::empty();
    typed.url = request.query("url").unwrap_or_default().to_owned();
    show(app, &who, None, typed, FieldErrors::default())
}

/// `POST /websites/new`.
///
/// # Errors
/// Not signed in, or the database is away.
pub fn create(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let typed = Typed::sent(&request.form());
    let settings = match typed.settings(&app.settings.target_rules, None) {
        Ok(settings) => settings,
        Err(errors) => return show(app, &who, None, typed, errors),
    };
    if let Err(errors) = regions_exist(app, &settings)? {
        return show(app, &who, None, typed, errors);
    }
    let ties = match typed.ties(&Ties::default()) {
        Ok(ties) => ties,
        Err(errors) => return show(app, &who, None, typed, errors),
    };
    if let Some(errors) = parent_exists(app, &who.account, &ties)? {
        return show(app, &who, None, typed, errors);
    }
    let keeping = match keeping_form::parse(typed.keeping.as_ref(), &Keeping::default(), app.settings.retention) {
        Ok(keeping) => keeping,
        Err(errors) => return show(app, &who, None, typed, errors),
    };
    let added = app.wait(app.store.add_website_tied(who.account.account_id, &settings, &ties, clock::now()));
    let website = match added.map_err(login::store)? {
        Ok(website) => website,
        Err(refused) => return show(app, &who, None, typed, FieldErrors(vec![refused])),
    };
    app.scheduler.changed(website.website_id);
    keeping_form::save(app, &who.account, website.website_id, &Keeping::default(), &keeping)?;
    Ok(Response::see_other(&format!("/websites/{}", website.website_id)))
}

/// `GET /websites/:id/edit`.
///
/// # Errors
/// Not yours.
pub fn edit(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let found = app.wait(app.store.website(who.account.account_id, params.website_id()?)).map_err(login::store)?;
    let website = found.ok_or(HttpError::NotFound)?;
    if website.kind == WebsiteKind::Job {
        return job_form::edit(app, &who, params);
    }
    let ties = ties_of(app, &who.account, website.website_id)?;
    let keeping = keeping_form::keeping_of(app, &who.account, website.website_id)?;
    let typed = Typed::of(&website.settings).tied(&ties).kept(&keeping);
    show(app, &who, Some(&website), typed, FieldErrors::default())
}

/// `POST /websites/:id/edit`. A program that knows only address, times and regions may leave out `revision`: all else
/// stays as it is.
///
/// # Errors
/// Not yours.
pub fn save(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let id = params.website_id()?;
    let before =
        app.wait(app.store.website(who.account.account_id, id)).map_err(login::store)?.ok_or(HttpError::NotFound)?;
    if before.kind == WebsiteKind::Job {
        return job_form::save(app, &who, request, params);
    }
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
        |website: &Website, typed, errors| page(409, &form(app, &who, Some(website), typed, errors)?.outdated());
    let ties_before = ties_of(app, &who.account, id)?;
    let ties = typed.ties(&ties_before);
    let keeping_before = keeping_form::keeping_of(app, &who.account, id)?;
    let keeping = keeping_form::parse(typed.keeping.as_ref(), &keeping_before, app.settings.retention);
    let parsed = match (typed.settings(&app.settings.target_rules, Some(&before)), &ties) {
        (Ok(settings), Ok(_)) => regions_exist(app, &settings)?.map(|()| settings),
        (Err(errors), Ok(_)) => Err(errors),
        (Ok(_), Err(errors)) => Err(errors.clone()),
        (Err(mut errors), Err(more)) => {
            more.0.iter().cloned().for_each(|error| errors.push(error));
            Err(errors)
        }
    };
    let (parsed, keeping) = match (parsed, keeping) {
        (parsed, Ok(keeping)) => (parsed, keeping),
        (Ok(_), Err(errors)) => (Err(errors), keeping_before),
        (Err(mut errors), Err(more)) => {
            more.0.into_iter().for_each(|error| errors.push(error));
            (Err(errors), keeping_before)
        }
    };
    let ties = ties.unwrap_or_else(|_| ties_before.clone());
    let is_edit = before.is_unreadable || parsed.as_ref().is_ok_and(|settings| *settings != before.settings);
    // Ties alone are no new revision; with other settings they are saved together, or nothing is.
    if parsed.is_ok() && !is_edit && ties != ties_before {
        match app.wait(app.store.set_ties(who.account.account_id, id, &ties)).map_err(login::store)? {
            TiesSaved::Saved => {}
            TiesSaved::NotFound => return Err(HttpError::NotFound),
            TiesSaved::Refused(error) => return show(app, &who, Some(&before), typed, FieldErrors(vec![error])),
        }
    }
    let settings = match parsed {
        Ok(settings) if settings == before.settings && !before.is_unreadable => {
            keeping_form::save(app, &who.account, id, &keeping_before, &keeping)?;
            return Ok(Response::see_other(&format!("/websites/{id}")));
        }
        Ok(_) if is_outdated => return outdated(&before, typed, FieldErrors::default()),
        Err(errors) if is_outdated => return outdated(&before, typed, errors),
        Err(errors) => return show(app, &who, Some(&before), typed, errors),
        Ok(settings) => settings,
    };
    let (account_id, revision, tied) =
        (who.account.account_id, before.revision, (ties != ties_before).then_some(&ties));
    let saved = app.wait(app.store.edit_website_tied(account_id, id, revision, &settings, tied, clock::now()));
    match saved.map_err(login::store)?.ok_or(HttpError::NotFound)? {
        Edited::Saved(_) => {
            app.scheduler.changed(id);
            keeping_form::save(app, &who.account, id, &keeping_before, &keeping)?;
            Ok(Response::see_other(&format!("/websites/{id}")))
        }
        Edited::Meanwhile(website) => outdated(&website, typed, FieldErrors::default()),
        Edited::Refused(error) => show(app, &who, Some(&before), typed, FieldErrors(vec![error])),
    }
}

/// Whether a form speaks of "More settings".
fn has_options(form: &Form) -> bool {
    const PLAIN: [&str; 11] = [
        "url",
        "interval_s",
        "timeout_s",
        "regions",
        "tags",
        "parent",
        "revision",
        "retention_days",
        "uptime_goal",
        "is_badge_public",
        "keeping_shown",
    ];
    form.0.iter().any(|(name, _)| !PLAIN.contains(&name.as_str()))
}

/// Whether there are the regions that were chosen.
pub(in crate::http) fn regions_exist(
    app: &App,
    settings: &WebsiteSettings,
) -> Result<Result<(), FieldErrors>, HttpError> {
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
