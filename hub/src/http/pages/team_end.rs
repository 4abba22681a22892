//! The end of a team, or of one's own account: asked for twice, the second time with the password.

use std::time::{Duration, Instant};

use askama::Template;

use super::team::{act_for, is_of_this};
use super::{Frame, Viewer, page};
use crate::clock;
use crate::http::login::{self, Caller};
use crate::http::{App, HttpError, Request, Response, route::Params};
use crate::model::{AccountId, FieldErrors};
use crate::store::AccountEnded;

/// Whoever asks waits no longer than this for rows to go; the rest is the hubs' to do.
const WAITS: Duration = Duration::from_secs(2);

/// The page.
#[derive(Template, Debug)]
#[template(path = "team_delete.html", whitespace = "minimize")]
pub struct EndPage {
    frame: Frame,
    name: String,
    is_team: bool,
    /// The team: the one that is looked at may be another by the time the form comes.
    this: Option<AccountId>,
    wrong: Option<String>,
    errors: FieldErrors,
}

impl EndPage {
    /// Of a team, or of one's own account.
    #[must_use]
    pub fn new(viewer: impl Into<Viewer>, name: &str, is_team: bool) -> Self {
        let title = if is_team { "Delete this team?" } else { "Delete your account?" };
        let here = if is_team { "/team" } else { "/settings" };
        let frame = Frame::narrow(title, Some(viewer.into())).at(here);
        Self { frame, name: name.to_owned(), is_team, this: None, wrong: None, errors: FieldErrors::default() }
    }

    fn of(app: &App, who: &Caller, is_team: bool) -> Self {
        let name = if is_team { &who.account.username } else { &who.person.username };
        Self { this: is_team.then_some(who.account.account_id), ..Self::new(Viewer::of(app, who), name, is_team) }
    }

    fn again(self, error: HttpError) -> Result<Response, HttpError> {
        match error {
            HttpError::Fields(errors) => page(422, &Self { errors, ..self }),
            HttpError::Conflict(wrong) => page(409, &Self { wrong: Some(wrong), ..self }),
            HttpError::TooMany { retry_after_s } => {
                let wrong = format!("Too many wrong tries. Wait {} min, then try again.", retry_after_s.div_ceil(60));
                let answer = page(429, &Self { wrong: Some(wrong), ..self })?;
                Ok(answer.with("retry-after", &retry_after_s.to_string()))
            }
            error @ (HttpError::BadRequest(_)
            | HttpError::Items(_)
            | HttpError::Method
            | HttpError::Changed
            | HttpError::SignInFirst
            | HttpError::Key(_)
            | HttpError::Forbidden(_)
            | HttpError::NotFound
            | HttpError::MediaType(_)
            | HttpError::Unavailable(_)
            | HttpError::Internal(_)) => Err(error),
        }
    }
}

/// `GET /team/delete`.
///
/// # Errors
/// No owner.
pub fn confirm_team(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    page(200, &EndPage::of(app, &login::signed_in(app, request)?, true))
}

/// `POST /team/delete`.
///
/// # Errors
/// No owner, or the database is away.
pub fn delete_team(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let form = request.form();
    let ended = is_of_this(&form, &who).and_then(|()| end_team(app, request, &who, form.get("password")));
    match ended {
        Ok(()) => {
            act_for(app, &who, who.person.account_id)?;
            Ok(Response::see_other("/team?said=deleted"))
        }
        Err(error) => EndPage::of(app, &who, true).again(error),
    }
}

/// `GET /settings/delete`.
///
/// # Errors
/// Not signed in.
pub fn confirm_account(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    page(200, &EndPage::of(app, &login::signed_in(app, request)?, false))
}

/// `POST /settings/delete`.
///
/// # Errors
/// Not signed in, or the database is away.
pub fn delete_account(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    match end_account(app, request, &who, request.form().get("password")) {
        Ok(()) => Ok(Response::see_other("/").with("set-cookie", &app.login.no_cookie())),
        Err(error) => EndPage::of(app, &who, false).again(error),
    }
}

/// Ends the team that the caller looks at, when the password is his.
///
/// # Errors
/// It is not; or the team is somebody's own account.
pub(in crate::http) fn end_team(app: &App, request: &Request, who: &Caller, given: &str) -> Result<(), HttpError> {
    login::proven(app, request, who, given)?;
    if !app.wait(app.store.end_team(who.account.account_id, clock::now())).map_err(login::store)? {
        let why = "This is somebody's own account: it goes with that person's, under Settings.";
        return Err(HttpError::Conflict(why.to_owned()));
    }
    tracing::info!(account.id = %who.account.account_id, "A team was deleted.");
    request.notes.about(who.account.account_id, &who.account.username);
    follow(app, who.account.account_id);
    Ok(())
}

/// Ends the caller's own account, when the password is his.
///
/// # Errors
/// It is not; or others would be left alone.
pub(in crate::http) fn end_account(app: &App, request: &Request, who: &Caller, given: &str) -> Result<(), HttpError> {
    let hash = login::proven(app, request, who, given)?;
    let person = who.person.account_id;
    match app.wait(app.store.end_account(person, &hash, clock::now())).map_err(login::store)? {
        AccountEnded::Done => {}
        AccountEnded::NotFound => return Err(HttpError::SignInFirst),
        AccountEnded::LastOperator => {
            let why = "Nobody would look after this installation any more. Make another account first, with: \
                       betteruptime-hub user create <name>";
            return Err(HttpError::Conflict(why.to_owned()));
        }
        AccountEnded::OwnsTeams(teams) => {
            let teams = teams.join(", ");
            let why =
                format!("Nobody would own these teams any more: {teams}. Delete them, or make somebody an owner.");
            return Err(HttpError::Conflict(why));
        }
    }
    tracing::info!(account.id = %person, "An account was deleted.");
    request.notes.about(person, &who.person.username);
    follow(app, person);
    Ok(())
}

/// What comes after the end: this hub's schedule forgets, and rows go, as many as do while somebody waits.
fn follow(app: &App, account: AccountId) {
    let began = Instant::now();
    // Other hubs read of it in the database.
    if app.store.is_sqlite() {
        let websites = app.wait(app.store.websites_of_ended(account)).unwrap_or_default();
        websites.into_iter().for_each(|id| app.scheduler.changed(id));
    }
    while began.elapsed() < WAITS {
        match app.wait(app.store.delete_ended()) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                tracing::info!(%error, "The rest of an account is deleted later.");
                break;
            }
        }
    }
}
