//! Keys of programs, as part of the settings: which there are, making one, which is shown once, and ending one.

use askama::Template;

use super::words::{Instant, instant};
use super::{Choice, Frame, Viewer, page, settings};
use crate::clock;
use crate::http::login::{self, Caller};
use crate::http::{App, Form, HttpError, Request, Response, route::Params};
use crate::model::api_key::{ApiKey, ApiKeyId, Expiry, NewKey};
use crate::model::scope::Scopes;
use crate::model::{AccountId, FieldErrors, Role, UtcMs};

/// The part of the settings.
#[derive(Debug)]
pub struct KeysPart {
    pub(super) lines: Vec<Line>,
    pub(super) name: String,
    pub(super) wide: Vec<Choice>,
    pub(super) narrow: Vec<Choice>,
    pub(super) expires: Vec<Choice>,
    pub(super) errors: FieldErrors,
    pub(super) is_narrow: bool,
}

#[derive(Debug)]
pub(super) struct Line {
    pub(super) id: ApiKeyId,
    pub(super) name: String,
    pub(super) maker: String,
    pub(super) scopes: String,
    pub(super) made: Instant,
    pub(super) expires: Option<Instant>,
    pub(super) is_over: bool,
    pub(super) used: Option<Instant>,
}

/// What was typed.
#[derive(Debug, Default)]
pub(super) struct Typed {
    name: String,
    scopes: Vec<String>,
    expires: String,
}

impl Typed {
    fn fresh() -> Self {
        Self { expires: ApiKey::DAYS.to_string(), ..Self::default() }
    }

    fn sent(form: &Form) -> Self {
        Self {
            name: form.get("name").to_owned(),
            scopes: form.all("scopes").into_iter().map(str::to_owned).collect(),
            expires: form.get("expires").to_owned(),
        }
    }

    fn parse(&self, now: UtcMs) -> Result<NewKey, FieldErrors> {
        let expiry = match self.expires.as_str() {
            "never" => Expiry::Never,
            "" => Expiry::Days(ApiKey::DAYS),
            days => Expiry::Days(days.parse().unwrap_or(0)),
        };
        NewKey::of(&self.name, &self.scopes.iter().map(String::as_str).collect::<Vec<_>>(), expiry, now)
    }
}

impl KeysPart {
    /// Nothing typed yet.
    #[must_use]
    pub fn new(keys: Vec<ApiKey>, now: UtcMs) -> Self {
        Self::typed(keys, &Typed::fresh(), FieldErrors::default(), now)
    }

    pub(super) fn typed(keys: Vec<ApiKey>, typed: &Typed, errors: FieldErrors, now: UtcMs) -> Self {
        let line = |key: ApiKey| Line {
            id: key.api_key_id,
            is_over: key.is_over(now),
            name: key.name,
            maker: key.maker,
            scopes: key.scopes.to_string().replace(',', ", "),
            made: instant(key.created_at),
            expires: key.expires_at.map(instant),
            used: key.used_at.map(instant),
        };
        let choice = |value: String, words: String| Choice { chosen: typed.scopes.contains(&value), value, words };
        let (wide, narrow): (Vec<_>, Vec<_>) = Scopes::words().into_iter().partition(|word| !word.contains(':'));
        let wide = wide.into_iter().map(|word| {
            let words = if word == "read" { "See everything" } else { "See and change everything" };
            choice(word, words.to_owned())
        });
        let narrow: Vec<_> = narrow.into_iter().map(|word| choice(word.clone(), word)).collect();
        let days = [("30", "in 30 days"), ("90", "in 90 days"), ("365", "in a year"), ("never", "never")];
        let expiry = |(value, words): (&str, &str)| Choice {
            value: value.to_owned(),
            words: words.to_owned(),
            chosen: value == typed.expires,
        };
        Self {
            lines: keys.into_iter().map(line).collect(),
            name: typed.name.clone(),
            wide: wide.collect(),
            is_narrow: narrow.iter().any(|one| one.chosen),
            narrow,
            expires: days.map(expiry).into(),
            errors,
        }
    }
}

/// Whose keys somebody sees and may end: an owner those of the team, others their own.
pub(in crate::http) fn of_whom(who: &Caller) -> Option<AccountId> {
    if who.role >= Role::Owner { None } else { Some(who.person.account_id) }
}

pub(super) fn part(app: &App, who: &Caller, typed: &Typed, errors: FieldErrors) -> Result<KeysPart, HttpError> {
    let keys = app.wait(app.store.api_keys(who.account.account_id, of_whom(who))).map_err(login::store)?;
    Ok(KeysPart::typed(keys, typed, errors, clock::now()))
}

/// The part as it is at first.
pub(super) fn fresh(app: &App, who: &Caller) -> Result<KeysPart, HttpError> {
    part(app, who, &Typed::fresh(), FieldErrors::default())
}

/// A key that was just made.
#[derive(Template, Debug)]
#[template(path = "key_secret.html", whitespace = "minimize")]
pub struct KeyPage {
    frame: Frame,
    name: String,
    text: String,
    base: String,
}

/// `POST /settings/keys`.
///
/// # Errors
/// Not signed in, or the database is away.
pub fn add(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let typed = Typed::sent(&request.form());
    let new = match typed.parse(clock::now()) {
        Ok(new) => new,
        Err(errors) => return settings::with_keys(app, &who, 422, part(app, &who, &typed, errors)?, None),
    };
    match login::make_key(app, &who, &new) {
        Ok((id, text)) => {
            noted(request, id, &new);
            let frame = Frame::narrow("A new key", Some(Viewer::of(app, &who)));
            let base = crate::http::ping::base(app, request);
            page(200, &KeyPage { frame, name: new.name, text: text.expose().to_owned(), base })
        }
        Err(HttpError::Conflict(why)) => {
            let part = part(app, &who, &typed, FieldErrors::default())?;
            settings::with_keys(app, &who, 409, part, Some(why))
        }
        Err(error) => Err(error),
    }
}

/// What the log says of a key that was made.
pub(in crate::http) fn noted(request: &Request, id: ApiKeyId, new: &NewKey) {
    use crate::model::audit::FieldChange;
    let expires = new.expires_at.map_or_else(|| "never".to_owned(), crate::model::message::words::rfc3339);
    request.notes.about(id, &new.name);
    request.notes.changed(vec![
        FieldChange::new("scopes", "", &new.scopes.to_string()),
        FieldChange::new("expires_at", "", &expires),
    ]);
}

/// `POST /settings/keys/:id/revoke`. Twice is harmless.
///
/// # Errors
/// Not signed in, or the database is away.
pub fn revoke(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let gone = app.store.revoke_api_key(who.account.account_id, of_whom(&who), params.api_key_id()?);
    match app.wait(gone).map_err(login::store)? {
        Some(name) => request.notes.about(params.get("id"), &name),
        None => request.notes.nothing(),
    }
    Ok(Response::see_other("/settings?said=key#keys"))
}
