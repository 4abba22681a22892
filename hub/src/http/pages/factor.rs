//! A person's second factor: set up, recovery codes, switched off; and the page between password and dashboard that asks for a
//! code.

use askama::Template;
use qrcodegen::{QrCode, QrCodeEcc};

use super::account::leads_back;
use super::words::{Instant, instant};
use super::{Frame, Viewer, page};
use crate::http::login::factor::{self, Second};
use crate::http::login::{self, Caller};
use crate::http::{App, HttpError, Request, Response, route::Params};
use crate::model::totp::FactorSecret;
use crate::model::{FieldError, FieldErrors};

/// The page.
#[derive(Template, Debug)]
#[template(path = "factor.html", whitespace = "minimize")]
pub struct FactorPage {
    frame: Frame,
    username: String,
    state: State,
    notice: Option<&'static str>,
    wrong: Option<String>,
    errors: FieldErrors,
}

/// What there is to see.
#[derive(Debug)]
pub enum State {
    /// There is none.
    Off,
    /// It was begun, and waits for its first code.
    Begun(Option<Shared>),
    /// It is asked for.
    On(On),
    /// These codes, this once.
    Codes(Vec<String>),
}

/// A factor that is asked for.
#[derive(Debug)]
pub struct On {
    since: Instant,
    left: i64,
}

impl On {
    /// Since when, and how many recovery codes are left.
    #[must_use]
    pub fn new(since: crate::model::UtcMs, left: i64) -> Self {
        Self { since: instant(since), left }
    }
}

/// A secret, as it is shown once.
#[derive(Debug)]
pub struct Shared {
    uri: String,
    words: String,
    /// The picture: its width in modules, and a path that fills the dark ones.
    width: i32,
    dark: String,
}

impl Shared {
    /// Of an account's new secret.
    #[must_use]
    pub fn new(secret: &FactorSecret, username: &str) -> Self {
        use std::fmt::Write as _;
        let uri = secret.uri(username);
        let (mut width, mut dark) = (0, String::new());
        // A name is 64 characters at most: the text always fits. Without its picture the secret can still be typed.
        if let Ok(code) = QrCode::encode_text(&uri, QrCodeEcc::Medium) {
            width = code.size() + 8;
            for (y, x) in (0..code.size()).flat_map(|y| (0..code.size()).map(move |x| (y, x))) {
                if code.get_module(x, y) {
                    let _ = write!(dark, "M{} {}h1v1h-1z", x + 4, y + 4);
                }
            }
        }
        Self { uri, words: secret.words(), width, dark }
    }
}

impl FactorPage {
    /// Of the account `username`.
    #[must_use]
    pub fn new(viewer: impl Into<Viewer>, username: &str, state: State) -> Self {
        let frame = Frame::narrow("Second factor", Some(viewer.into())).at("/settings");
        Self { frame, username: username.to_owned(), state, notice: None, wrong: None, errors: FieldErrors::default() }
    }

    /// With what is wrong at a field.
    #[must_use]
    pub fn with(self, field: &'static str, remedy: &str) -> Self {
        Self { errors: FieldErrors(vec![FieldError::new(field, "", remedy)]), ..self }
    }
}

fn view(app: &App, who: &Caller, state: State) -> FactorPage {
    FactorPage::new(Viewer::of(app, who), &who.person.username, state)
}

fn now(app: &App, who: &Caller) -> Result<FactorPage, HttpError> {
    let found = app.wait(app.store.factor(who.person.account_id)).map_err(login::store)?;
    let state = match found {
        None => State::Off,
        Some(factor) => {
            factor.confirmed_at.map_or(State::Begun(None), |since| State::On(On::new(since, factor.codes_left)))
        }
    };
    Ok(view(app, who, state))
}

/// The page again, where there were too many tries.
fn wait(view: FactorPage, retry_after_s: u32) -> Result<Response, HttpError> {
    let wrong = format!("Too many wrong tries. Wait {} min, then try again.", retry_after_s.div_ceil(60));
    let answer = page(429, &FactorPage { wrong: Some(wrong), ..view })?;
    Ok(answer.with("retry-after", &retry_after_s.to_string()))
}

const NO_PASSWORD: &str = "This is not the present password.";
const NO_CODE: &str = "This is not the code of now, or it was used already: each holds half a minute, and is taken once. \
                       Wait for the next one; if that is not right either, see that your device's clock is.";

/// `GET /settings/factor`.
///
/// # Errors
/// Not signed in, or the database is away.
pub fn show(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let notice = (request.query("said") == Some("off")).then_some("The second factor is off.");
    page(200, &FactorPage { notice, ..now(app, &who)? })
}

/// `POST /settings/factor/begin`: shows the secret, once, to who knows the password.
///
/// # Errors
/// Not signed in, or the database is away.
pub fn begin(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    match login::prove(app, request, &who.person, request.form().get("present_password")) {
        Ok(true) => {}
        Ok(false) => return page(422, &now(app, &who)?.with("present_password", NO_PASSWORD)),
        Err(HttpError::TooMany { retry_after_s }) => return wait(now(app, &who)?, retry_after_s),
        Err(error) => return Err(error),
    }
    let Some(secret) = factor::begin(app, &who.person)? else {
        request.notes.nothing();
        return page(200, &now(app, &who)?);
    };
    page(200, &view(app, &who, State::Begun(Some(Shared::new(&secret, &who.person.username)))))
}

/// `POST /settings/factor/confirm`: the first code. From now on one is asked for.
///
/// # Errors
/// Not signed in, or the database is away.
pub fn confirm(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    match factor::confirm(app, &who.person, request.form().get("code")) {
        Ok(Some(codes)) => {
            // Whoever was in without it has to show it.
            app.wait(app.store.end_other_sessions(who.person.account_id, who.session()?)).map_err(login::store)?;
            page(200, &view(app, &who, State::Codes(codes)))
        }
        Ok(None) => page(422, &now(app, &who)?.with("code", NO_CODE)),
        Err(HttpError::TooMany { retry_after_s }) => wait(now(app, &who)?, retry_after_s),
        Err(error) => Err(error),
    }
}

/// `POST /settings/factor/codes`: new recovery codes, for who has the device.
///
/// # Errors
/// Not signed in, or the database is away.
pub fn codes(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    match factor::fits(app, request, &who.person, request.form().get("code")) {
        Ok(true) => {}
        Ok(false) => return page(422, &now(app, &who)?.with("new_code", NO_CODE)),
        Err(HttpError::TooMany { retry_after_s }) => return wait(now(app, &who)?, retry_after_s),
        Err(error) => return Err(error),
    }
    match factor::new_codes(app, &who.person)? {
        Some(codes) => page(200, &view(app, &who, State::Codes(codes))),
        None => {
            request.notes.nothing();
            page(200, &now(app, &who)?)
        }
    }
}

/// `POST /settings/factor/off`: for who knows the password and has the device, or a recovery code.
///
/// # Errors
/// Not signed in, or the database is away.
pub fn off(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let fields = request.form();
    let proved = match login::prove(app, request, &who.person, fields.get("present_password")) {
        Ok(true) => factor::fits(app, request, &who.person, fields.get("code")).map(|fits| (true, fits)),
        Ok(false) => Ok((false, false)),
        Err(error) => Err(error),
    };
    match proved {
        Ok((true, true)) => {
            app.wait(app.store.end_factor(who.person.account_id)).map_err(login::store)?;
            Ok(Response::see_other("/settings/factor?said=off"))
        }
        Ok((false, _)) => page(422, &now(app, &who)?.with("present_password", NO_PASSWORD)),
        Ok((true, false)) => page(422, &now(app, &who)?.with("code", NO_CODE)),
        Err(HttpError::TooMany { retry_after_s }) => wait(now(app, &who)?, retry_after_s),
        Err(error) => Err(error),
    }
}

/// Between password and dashboard.
#[derive(Template, Debug)]
#[template(path = "code.html", whitespace = "minimize")]
pub struct CodePage {
    frame: Frame,
    wrong: Option<String>,
}

impl CodePage {
    /// With what was wrong about the code before.
    #[must_use]
    pub fn new(wrong: Option<String>) -> Self {
        Self { frame: Frame::narrow("Your code", None), wrong }
    }
}

/// `GET /signin/code`.
///
/// # Errors
/// None of its own.
pub fn code_form(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    match request.cookie(app.login.ticket_name()) {
        Some(_) => page(200, &CodePage::new(None)),
        None => Ok(Response::see_other("/signin")),
    }
}

/// `POST /signin/code`.
///
/// # Errors
/// The database is away.
pub fn code(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let Some(ticket) = request.cookie(app.login.ticket_name()) else { return Ok(Response::see_other("/signin")) };
    let fields = request.form();
    let typed = if fields.get("code").trim().is_empty() { fields.get("recovery_code") } else { fields.get("code") };
    match factor::second_step(app, request, ticket, typed) {
        Ok(Second::Done(session)) => {
            let next = request.query("next").filter(|path| leads_back(path)).unwrap_or("/");
            let answer = Response::see_other(next).with("set-cookie", &app.login.ticket_cookie(""));
            Ok(answer.with("set-cookie", &app.login.cookie(&session.token)))
        }
        Ok(Second::Wrong) => page(422, &CodePage::new(Some(NO_CODE.to_owned()))),
        Ok(Second::Stale) => Ok(Response::see_other("/signin").with("set-cookie", &app.login.ticket_cookie(""))),
        Err(HttpError::TooMany { retry_after_s }) => {
            let wrong =
                format!("Too many wrong codes. Wait {} min, or use a recovery code.", retry_after_s.div_ceil(60));
            Ok(page(429, &CodePage::new(Some(wrong)))?.with("retry-after", &retry_after_s.to_string()))
        }
        Err(error) => Err(error),
    }
}
