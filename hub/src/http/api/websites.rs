//! `/api/v1/websites`: what is watched, and what was decided about it. What is asked and expected beyond address, times and
//! regions is left as it is; its form has that.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{body, given, limit, rfc3339};
use crate::clock;
use crate::http::pages::{ties_form, website_save};
use crate::http::{App, HttpError, Request, Response, login, route::Params};
use crate::model::{
    Account, BoardRow, FieldError, FieldErrors, Keeping, KeepingChange, OptionsInput, SettingsInput, Ties, Website,
    WebsiteCursor, WebsiteId, WebsiteKind, WebsiteSettings, tags_of,
};
use crate::store::{Edited, TiesSaved};

/// A website as it is sent: to add one, or what of one is to change.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Sent {
    url: Option<String>,
    interval_s: Option<i64>,
    timeout_s: Option<i64>,
    regions: Option<Vec<String>>,
    tags: Option<Vec<String>>,
    #[serde(deserialize_with = "given")]
    parent_id: Option<Option<String>>,
    #[serde(deserialize_with = "given")]
    retention_days: Option<Option<i64>>,
    #[serde(deserialize_with = "given")]
    uptime_goal_ppm: Option<Option<i64>>,
    is_badge_public: Option<bool>,
    paused: Option<bool>,
    revision: Option<i64>,
}

fn sent(request: &Request) -> Result<Sent, HttpError> {
    if request.media_type() != "application/json" {
        return Err(HttpError::MediaType("application/json"));
    }
    body(request, "a website")
}

/// A field under the name it has here.
fn as_sent(error: FieldError) -> FieldError {
    if error.field == "parent" { FieldError { field: "parent_id", ..error } } else { error }
}

/// All of it, as it is to be.
struct Wanted {
    settings: WebsiteSettings,
    ties: Ties,
    keeping: Keeping,
}

/// What there is; `None`: nothing yet.
struct Known {
    website: Option<Website>,
    ties: Ties,
    keeping: Keeping,
}

impl Sent {
    /// What is given, on top of what there is.
    fn over(&self, app: &App, account: &Account, known: &Known) -> Result<Wanted, HttpError> {
        let mut errors = FieldErrors::default();
        let mut take = |wrong: FieldErrors| wrong.0.into_iter().for_each(|error| errors.push(as_sent(error)));
        let settings = match &known.website {
            Some(website) if !self.has_settings() => Some(website.settings.clone()),
            Some(_) | None => self.settings(app, known.website.as_ref()).map_err(&mut take).ok(),
        };
        if let Some(settings) = &settings
            && known.website.as_ref().is_none_or(|website| website.settings.regions != settings.regions)
            && let Err(wrong) = website_save::regions_exist(app, settings)?
        {
            take(wrong);
        }
        let ties = self.ties(&known.ties).map_err(&mut take).ok();
        if let Some(ties) = &ties
            && ties.parent_id != known.ties.parent_id
            && let Some(wrong) = ties_form::parent_exists(app, account, ties)?
        {
            take(wrong);
        }
        let change = KeepingChange {
            retention_days: self.retention_days,
            uptime_goal_ppm: self.uptime_goal_ppm,
            is_badge_public: self.is_badge_public,
        };
        let keeping = change.over(&known.keeping, app.settings.retention).map_err(take).ok();
        match (settings, ties, keeping) {
            (Some(settings), Some(ties), Some(keeping)) if errors.is_empty() => Ok(Wanted { settings, ties, keeping }),
            _ => Err(HttpError::Fields(errors)),
        }
    }

    /// Whether it is about what is checked.
    fn has_settings(&self) -> bool {
        self.url.is_some() || self.interval_s.is_some() || self.timeout_s.is_some() || self.regions.is_some()
    }

    fn settings(&self, app: &App, before: Option<&Website>) -> Result<WebsiteSettings, FieldErrors> {
        if before.is_some_and(|website| website.kind == WebsiteKind::Job) {
            let remedy = "It is a job, which has no address: change it by /api/v1/jobs, or leave this out.";
            let given = [
                (self.url.is_some(), "url"),
                (self.interval_s.is_some(), "interval_s"),
                (self.timeout_s.is_some(), "timeout_s"),
                (self.regions.is_some(), "regions"),
            ];
            let wrong = given.into_iter().filter(|(is_given, _)| *is_given);
            return Err(FieldErrors(wrong.map(|(_, field)| FieldError::new(field, "", remedy)).collect()));
        }
        let before = before.map(|website| &website.settings);
        let seconds = |given: Option<i64>, ms: Option<i64>| {
            given.or(ms.map(|ms| ms / 1_000)).map(|s| s.to_string()).unwrap_or_default()
        };
        let options = before.map(|settings| OptionsInput::of(&settings.options));
        let known: Vec<String> =
            before.map(|settings| settings.regions.iter().map(ToString::to_string).collect()).unwrap_or_default();
        let regions: Vec<&str> = self.regions.as_ref().unwrap_or(&known).iter().map(String::as_str).collect();
        let input = SettingsInput {
            url: self.url.as_deref().or(before.map(|settings| settings.url.as_str())).unwrap_or_default(),
            interval_s: &seconds(self.interval_s, before.map(|settings| settings.interval_ms)),
            timeout_s: &seconds(self.timeout_s, before.map(|settings| settings.timeout_ms)),
            regions: &regions,
            options: options.as_ref(),
        };
        input.parse(&app.settings.target_rules, before)
    }

    fn ties(&self, before: &Ties) -> Result<Ties, FieldErrors> {
        let tags = self.tags.as_ref().map_or_else(|| Ok(before.tags.clone()), |tags| tags_of(&tags.join(",")))?;
        let parent_id = match &self.parent_id {
            None => before.parent_id,
            Some(None) => None,
            Some(Some(id)) => Some(id.parse().map_err(|_| {
                FieldErrors(vec![FieldError::new("parent_id", id, "Give the id of one of your websites, or null.")])
            })?),
        };
        Ok(Ties { tags, parent_id })
    }
}

fn shown(row: &BoardRow, keeping: &Keeping) -> Value {
    let BoardRow { website, state, ties, .. } = row;
    let settings = &website.settings;
    let is_http = website.kind == WebsiteKind::Http;
    let tags: Vec<&str> = ties.tags.iter().map(crate::model::Tag::as_str).collect();
    json!({
        "id": website.website_id,
        "kind": website.kind.as_str(),
        "url": settings.url,
        "interval_s": is_http.then_some(settings.interval_ms / 1_000),
        "timeout_s": is_http.then_some(settings.timeout_ms / 1_000),
        "regions": settings.regions,
        "status": state.verdict,
        "since_at": rfc3339(state.since_at),
        "reason": state.reason,
        "paused": website.paused,
        "tags": tags,
        "parent_id": ties.parent_id,
        "retention_days": keeping.retention_days,
        "uptime_goal_ppm": keeping.uptime_goal_ppm,
        "is_badge_public": keeping.is_badge_public,
        "created_at": rfc3339(website.created_at),
        "revision": website.revision,
    })
}

fn answer(app: &App, account: &Account, id: WebsiteId, status: u16) -> Result<Response, HttpError> {
    let row = app.wait(app.store.board_row(account.account_id, id, clock::now())).map_err(login::store)?;
    let keeping = app.wait(app.store.keeping(account.account_id, id)).map_err(login::store)?;
    let (row, keeping) = row.zip(keeping).ok_or(HttpError::NotFound)?;
    Ok(Response::json(status, &shown(&row, &keeping)))
}

/// `GET /api/v1/websites?limit=&after=` -> 200 `{websites, next}`, oldest first.
///
/// # Errors
/// 400 for an `after` that was made up, 401, 422.
pub fn list(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account;
    let limit = limit(request)?;
    let after = match request.query("after").unwrap_or_default() {
        "" => None,
        given => Some(given.parse::<WebsiteCursor>().map_err(|()| {
            HttpError::BadRequest(format!("\"after\" is \"{given}\"; take it from \"next\" of the answer before."))
        })?),
    };
    let board = app.store.recent_page(account.account_id, after, limit + 1);
    let mut board = app.wait(board).map_err(login::store)?;
    let has_more = board.len() as i64 > limit;
    board.truncate(limit.unsigned_abs() as usize);
    let ids = board.iter().map(|row| row.website.website_id).collect();
    let keepings = app.wait(app.store.keepings(account.account_id, ids)).map_err(login::store)?;
    let keeping = |row: &BoardRow| keepings.get(&row.website.website_id).copied().unwrap_or_default();
    let websites: Vec<Value> = board.iter().map(|row| shown(row, &keeping(row))).collect();
    let next = board
        .last()
        .filter(|_| has_more)
        .map(|row| WebsiteCursor { created_at: row.website.created_at, id: row.website.website_id }.to_string());
    Ok(Response::json(200, &json!({"websites": websites, "next": next})))
}

/// `GET /api/v1/websites/:id` -> 200.
///
/// # Errors
/// 401, 404 when not yours.
pub fn show(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account;
    answer(app, &account, params.website_id()?, 200)
}

/// `POST /api/v1/websites` -> 201, the website; checked at once.
///
/// # Errors
/// 401, 422 with the fields that cannot be accepted.
pub fn add(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account;
    let (sent, now) = (sent(request)?, clock::now());
    let known = Known { website: None, ties: Ties::default(), keeping: Keeping::default() };
    let Wanted { settings, ties, keeping } = sent.over(app, &account, &known)?;
    let added = app.wait(app.store.add_website_tied(account.account_id, &settings, &ties, now));
    let website =
        added.map_err(login::store)?.map_err(|refused| HttpError::Fields(FieldErrors(vec![as_sent(refused)])))?;
    finish(app, &account, &website, &known.keeping, &keeping, sent.paused)?;
    app.scheduler.changed(website.website_id);
    answer(app, &account, website.website_id, 201)
}

/// `PATCH /api/v1/websites/:id` -> 200, the website. What is not given stays; with `revision`, only as it was at that.
///
/// # Errors
/// 401, 404 when not yours, 409 when it was changed meanwhile, 422 with the fields that cannot be accepted.
pub fn change(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account;
    let (account_id, id) = (account.account_id, params.website_id()?);
    let (sent, now) = (sent(request)?, clock::now());
    let website = app.wait(app.store.website(account_id, id)).map_err(login::store)?.ok_or(HttpError::NotFound)?;
    let ties = app.wait(app.store.ties_of_website(account_id, id)).map_err(login::store)?;
    let keeping = app.wait(app.store.keeping(account_id, id)).map_err(login::store)?;
    let (ties, keeping) = ties.zip(keeping).ok_or(HttpError::NotFound)?;
    let known = Known { website: Some(website.clone()), ties, keeping };
    let revision = sent.revision.unwrap_or(website.revision);
    let meanwhile =
        || HttpError::Conflict("It was changed meanwhile; read it again, then send its revision.".to_owned());
    if revision != website.revision {
        return Err(meanwhile());
    }
    if website.is_unreadable && sent.has_settings() {
        let why =
            "A newer version wrote more settings than this one understands; edit it by its form, which shows them.";
        return Err(HttpError::Conflict(why.to_owned()));
    }
    let wanted = sent.over(app, &account, &known)?;
    let ties = (wanted.ties != known.ties).then_some(&wanted.ties);
    let refused = |error| HttpError::Fields(FieldErrors(vec![as_sent(error)]));
    if wanted.settings != website.settings {
        let saved = app.store.edit_website_tied(account_id, id, revision, &wanted.settings, ties, now);
        match app.wait(saved).map_err(login::store)?.ok_or(HttpError::NotFound)? {
            Edited::Saved(_) => app.scheduler.changed(id),
            Edited::Meanwhile(_) => return Err(meanwhile()),
            Edited::Refused(error) => return Err(refused(error)),
        }
    } else if let Some(ties) = ties {
        match app.wait(app.store.set_ties(account_id, id, ties)).map_err(login::store)? {
            TiesSaved::Saved => {}
            TiesSaved::NotFound => return Err(HttpError::NotFound),
            TiesSaved::Refused(error) => return Err(refused(error)),
        }
    }
    finish(app, &account, &website, &known.keeping, &wanted.keeping, sent.paused)?;
    answer(app, &account, id, 200)
}

/// What is saved beside the settings.
fn finish(
    app: &App,
    account: &Account,
    website: &Website,
    before: &Keeping,
    keeping: &Keeping,
    paused: Option<bool>,
) -> Result<(), HttpError> {
    let id = website.website_id;
    if before != keeping {
        app.wait(app.store.set_keeping(account.account_id, id, keeping)).map_err(login::store)?;
    }
    if let Some(paused) = paused.filter(|paused| *paused != website.paused) {
        app.wait(app.store.set_paused(account.account_id, id, paused, clock::now())).map_err(login::store)?;
        app.scheduler.changed(id);
    }
    Ok(())
}

/// `DELETE /api/v1/websites/:id` -> 204.
///
/// # Errors
/// 401, 404 when not yours.
pub fn delete(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account;
    let id = params.website_id()?;
    if !app.wait(app.store.delete_website(account.account_id, id)).map_err(login::store)? {
        return Err(HttpError::NotFound);
    }
    app.scheduler.changed(id);
    Ok(Response { status: 204, headers: Vec::new(), body: Vec::new() })
}
