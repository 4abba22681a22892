//! Sign-up and sign-in: one form, two purposes. The ancestor's clients post JSON to the same paths.

use askama::Template;

use super::{Frame, page};
use crate::clock;
use crate::config::SignUps;
use crate::http::login::{self, SignIn};
use crate::http::route::{self, Found, Kind, Params};
use crate::http::{App, HttpError, Method, Request, Response, api::ancestor};
use crate::model::FieldErrors;

/// The page.
#[derive(Template, Debug)]
#[template(path = "sign.html", whitespace = "minimize")]
pub struct SignPage {
    frame: Frame,
    up: bool,
    first: bool,
    open: bool,
    username: String,
    notice: Option<String>,
    errors: FieldErrors,
}

impl SignPage {
    /// Sign-up. `first`: this account becomes the owner's, and the last one that can be made here.
    #[must_use]
    pub fn up(first: bool) -> Self {
        Self::new("Create an account", true, first, true)
    }

    /// Sign-in. `open`: anybody may sign up.
    #[must_use]
    pub fn sign_in(open: bool) -> Self {
        Self::new("Sign in", false, false, open)
    }

    fn new(title: &str, up: bool, first: bool, open: bool) -> Self {
        let frame = Frame::narrow(title, None);
        Self { frame, up, first, open, username: String::new(), notice: None, errors: FieldErrors::default() }
    }

    /// The form again: what was typed stays, except the password.
    #[must_use]
    pub fn again(self, username: &str, errors: FieldErrors) -> Self {
        Self { username: username.to_owned(), errors, ..self }
    }

    /// A sentence about the whole form, such as "Username or password is wrong."
    #[must_use]
    pub fn notice(self, notice: impl Into<String>) -> Self {
        Self { notice: Some(notice.into()), ..self }
    }
}

/// Whether the account made now becomes the owner's: where anybody may sign up, there is no owner.
fn is_first(app: &App) -> Result<bool, HttpError> {
    Ok(match app.settings.sign_ups {
        SignUps::First => login::may_sign_up(app)?,
        SignUps::Open | SignUps::Closed => false,
    })
}

/// `GET /signup`; where nobody may sign up, the other form.
///
/// # Errors
/// The database is away.
pub fn sign_up_form(app: &App, _: &Request, _: &Params) -> Result<Response, HttpError> {
    if !login::may_sign_up(app)? {
        return Ok(Response::see_other("/signin"));
    }
    page(200, &SignPage::up(is_first(app)?))
}

/// `GET /signin`; with no account yet, it is the other form that is needed.
///
/// # Errors
/// The database is away.
pub fn sign_in_form(app: &App, _: &Request, _: &Params) -> Result<Response, HttpError> {
    let open = login::may_sign_up(app)?;
    if is_first(app)? {
        return Ok(Response::see_other("/signup"));
    }
    page(200, &SignPage::sign_in(open))
}

/// `POST /signup`.
///
/// # Errors
/// The database is away; for JSON also what is wrong with the input.
pub fn sign_up(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    if request.media_type() != "application/x-www-form-urlencoded" {
        return ancestor::sign_up(app, request);
    }
    let fields = request.form();
    let username = fields.get("username");
    match login::sign_up(app, request, username, fields.get("password")) {
        Ok(account) => {
            login::end_previous(app, request)?;
            let session = login::new_session(app, request, account, clock::now())?;
            Ok(Response::see_other("/").with("set-cookie", &app.login.cookie(&session.token)))
        }
        Err(HttpError::Fields(errors)) => page(422, &SignPage::up(is_first(app)?).again(username, errors)),
        Err(HttpError::Forbidden(why)) => {
            page(403, &SignPage::up(false).again(username, FieldErrors::default()).notice(why))
        }
        Err(HttpError::TooMany { retry_after_s }) => {
            let notice = format!("Too many accounts were made from here. Wait {} min.", retry_after_s.div_ceil(60));
            let form = SignPage::up(is_first(app)?).again(username, FieldErrors::default()).notice(notice);
            Ok(page(429, &form)?.with("retry-after", &retry_after_s.to_string()))
        }
        Err(error) => Err(error),
    }
}

/// Whether a path is one of our own pages, to be shown after somebody signed in; nothing else is followed (T118).
pub(super) fn leads_back(path: &str) -> bool {
    let is_whole = !path.ends_with("/fragment") && !matches!(path, "/" | "/signin" | "/signin/code" | "/signup");
    is_whole && matches!(route::find(Method::Get, path), Found::Route(route, _) if route.kind == Kind::Page)
}

/// `POST /signin`.
///
/// # Errors
/// Too many tries, or the database is away; for JSON also a wrong name or password.
pub fn sign_in(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    if request.media_type() != "application/x-www-form-urlencoded" {
        return ancestor::sign_in(app, request);
    }
    let fields = request.form();
    let again = |status, notice: String| {
        let form = SignPage::sign_in(login::may_sign_up(app)?);
        page(status, &form.again(fields.get("username"), FieldErrors::default()).notice(notice))
    };
    match login::sign_in(app, request, fields.get("username"), fields.get("password")) {
        Ok(SignIn::Done(session)) => {
            let next = request.query("next").filter(|path| leads_back(path)).unwrap_or("/");
            Ok(Response::see_other(next).with("set-cookie", &app.login.cookie(&session.token)))
        }
        Ok(SignIn::Code(ticket)) => {
            request.notes.nothing();
            let next = request.query("next").filter(|path| leads_back(path));
            let path = next.map_or("/signin/code".to_owned(), |next| format!("/signin/code?next={next}"));
            Ok(Response::see_other(&path).with("set-cookie", &app.login.ticket_cookie(&ticket)))
        }
        Ok(SignIn::Wrong) => again(422, "Username or password is not right.".to_owned()),
        Err(HttpError::TooMany { retry_after_s }) => {
            let notice = format!("Too many wrong tries. Wait {} min, then try again.", retry_after_s.div_ceil(60));
            Ok(again(429, notice)?.with("retry-after", &retry_after_s.to_string()))
        }
        Err(HttpError::Unavailable(why)) => again(503, why.to_owned()),
        Err(error) => Err(error),
    }
}

/// `POST /signout`.
///
/// # Errors
/// The database is away.
pub fn sign_out(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    match login::signed_in(app, request) {
        Ok(who) => app.wait(app.store.end_session(who.session()?)).map_err(login::store)?,
        Err(HttpError::SignInFirst) => {}
        // The session lives on: do not say that it has ended.
        Err(error) => return Err(error),
    }
    Ok(Response::see_other("/signin").with("set-cookie", &app.login.no_cookie()))
}

#[cfg(test)]
mod tests {
    use super::leads_back;

    #[test]
    fn t118_after_signing_in_one_comes_back_to_a_page_of_ours_and_to_nothing_else() {
        let incident = "/incidents/0190b7a0-0000-7000-8000-000000000001";
        assert!(leads_back(incident) && leads_back("/channels"));
        for other in [
            "",
            "/",
            "//evil.example",
            "https://evil.example/",
            "/\\evil.example",
            "/signin",
            "/healthz",
            "/api/v1/incidents",
            "/signout",
            "/incidents/x/fragment",
            "/incidents?next=//evil.example",
        ] {
            assert!(!leads_back(other), "{other}");
        }
    }
}
