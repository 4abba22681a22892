//! What an account decides about itself: where it is signed in, and its password.

use askama::Template;

use super::keys::{self, KeysPart};
use super::words::{Instant, instant};
use super::{Frame, Viewer, page};
use crate::clock;
use crate::http::login::{self, Caller, Changed};
use crate::http::{App, HttpError, Request, Response, route::Params};
use crate::model::{FieldError, FieldErrors, Role, SessionKey, SessionLine};

/// The page.
#[derive(Template, Debug)]
#[template(path = "settings.html", whitespace = "minimize")]
pub struct SettingsPage {
    frame: Frame,
    username: String,
    sessions: Vec<Line>,
    keys: KeysPart,
    wrong_key: Option<String>,
    is_owner: bool,
    notice: Option<&'static str>,
    wrong: Option<String>,
    errors: FieldErrors,
}

#[derive(Debug)]
struct Line {
    name: String,
    agent: String,
    address: String,
    since: Instant,
    seen: Instant,
    is_this: bool,
}

impl SettingsPage {
    /// Of the account that looks, through the session `this`.
    #[must_use]
    pub fn view(viewer: impl Into<Viewer>, username: &str, sessions: Vec<SessionLine>, this: SessionKey) -> Self {
        let known = |text: String, unknown: &str| if text.is_empty() { unknown.to_owned() } else { text };
        let line = |line: SessionLine| Line {
            name: line.session_key.name(),
            agent: known(line.origin.agent, "signed in before an update"),
            address: known(line.origin.address, "unknown"),
            since: instant(line.created_at),
            seen: instant(line.seen_at),
            is_this: line.session_key == this,
        };
        Self {
            frame: Frame::wide("Settings", viewer).at("/settings"),
            username: username.to_owned(),
            sessions: sessions.into_iter().map(line).collect(),
            keys: KeysPart::new(Vec::new(), 0),
            wrong_key: None,
            is_owner: true,
            notice: None,
            wrong: None,
            errors: FieldErrors::default(),
        }
    }
}

fn view(app: &App, who: &Caller) -> Result<SettingsPage, HttpError> {
    let sessions = app.wait(app.store.sessions_of(who.person.account_id, clock::now())).map_err(login::store)?;
    let page = SettingsPage::view(Viewer::of(app, who), &who.person.username, sessions, who.session()?);
    Ok(SettingsPage { keys: keys::fresh(app, who)?, is_owner: who.role >= Role::Owner, ..page })
}

/// With the part of keys as it was typed.
pub(super) fn with_keys(
    app: &App,
    who: &Caller,
    status: u16,
    keys: KeysPart,
    wrong_key: Option<String>,
) -> Result<Response, HttpError> {
    page(status, &SettingsPage { keys, wrong_key, ..view(app, who)? })
}

/// `GET /settings`.
///
/// # Errors
/// Not signed in, or the database is away.
pub fn show(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let view = view(app, &who)?;
    // Words of ours for what was just done; whatever else stands there says nothing.
    let notice = match request.query("said").unwrap_or_default() {
        "password" if view.keys.lines.is_empty() => Some("The password was changed; all other sessions have ended."),
        // Whoever should not have been in may have made one.
        "password" => Some(
            "The password was changed; all other sessions have ended. Keys for programs still let in: revoke those \
             you do not know.",
        ),
        "session" => Some("That session has ended."),
        "sessions" => Some("All other sessions have ended."),
        "key" => Some("The key was revoked; nothing is let in by it any more."),
        _ => None,
    };
    page(200, &SettingsPage { notice, ..view })
}

/// `POST /settings/password`.
///
/// # Errors
/// Not signed in, or the database is away.
pub fn change_password(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let fields = request.form();
    let new = fields.get("new_password");
    if new != fields.get("new_password_again") {
        let differs = FieldError::new("new_password_again", "", "The two are not the same; type the new one twice.");
        return page(422, &SettingsPage { errors: FieldErrors(vec![differs]), ..view(app, &who)? });
    }
    match login::change_password(app, request, &who.person, fields.get("present_password"), new) {
        Ok(Changed::Yes(session)) => {
            let answer = Response::see_other("/settings?said=password");
            Ok(answer.with("set-cookie", &app.login.cookie(&session.token)))
        }
        Ok(Changed::Wrong) => {
            let wrong = FieldError::new("present_password", "", "This is not the present password.");
            page(422, &SettingsPage { errors: FieldErrors(vec![wrong]), ..view(app, &who)? })
        }
        Err(HttpError::Fields(errors)) => page(422, &SettingsPage { errors, ..view(app, &who)? }),
        Err(HttpError::TooMany { retry_after_s }) => {
            let wrong = format!("Too many wrong tries. Wait {} min, then try again.", retry_after_s.div_ceil(60));
            let answer = page(429, &SettingsPage { wrong: Some(wrong), ..view(app, &who)? })?;
            Ok(answer.with("retry-after", &retry_after_s.to_string()))
        }
        Err(error) => Err(error),
    }
}

/// `POST /settings/sessions/:name/end`. Twice is harmless.
///
/// # Errors
/// Not signed in, or no session's name.
pub fn end_session(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let key = params.session_key()?;
    if !app.wait(app.store.end_session_of(who.person.account_id, key)).map_err(login::store)? {
        request.notes.nothing();
    }
    Ok(Response::see_other("/settings?said=session"))
}

/// `POST /settings/sessions/end`: all but the one that asks.
///
/// # Errors
/// Not signed in, or the database is away.
pub fn end_others(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    app.wait(app.store.end_other_sessions(who.person.account_id, who.session()?)).map_err(login::store)?;
    Ok(Response::see_other("/settings?said=sessions"))
}
