//! Where an invitation's link leads: who invites to what, and how to accept. Looking changes nothing, since previews of chats
//! follow links.

use askama::Template;

use super::team::act_for;
use super::{Frame, Viewer, page};
use crate::clock;
use crate::http::login::{self, Caller, FULL};
use crate::http::{App, HttpError, Request, Response, route::Params};
use crate::model::{FieldErrors, Offer};
use crate::store::Accepted;

/// The page.
#[derive(Template, Debug)]
#[template(path = "join.html", whitespace = "minimize")]
pub struct JoinPage {
    frame: Frame,
    /// `None`: the link does not work (any more).
    offer: Option<Shown>,
    token: String,
    /// Whoever has no account may make one here.
    makes_accounts: bool,
    username: String,
    errors: FieldErrors,
}

#[derive(Debug)]
struct Shown {
    name: String,
    may: &'static str,
}

impl JoinPage {
    /// For a link that ends with `token`.
    #[must_use]
    pub fn new(viewer: Option<Viewer>, token: &str, offer: Option<&Offer>, makes_accounts: bool) -> Self {
        let title = match offer {
            Some(offer) => format!("Join {}", offer.name),
            None => "This link does not work".to_owned(),
        };
        let shown = |offer: &Offer| Shown {
            name: offer.name.clone(),
            may: match offer.role {
                crate::model::Role::Viewer => "look at what it has",
                crate::model::Role::Editor => "look at what it has, and change it",
                crate::model::Role::Owner => "do all there is, as its owner",
            },
        };
        Self {
            frame: Frame::narrow(title, viewer).at("/join"),
            offer: offer.map(shown),
            token: token.to_owned(),
            makes_accounts,
            username: String::new(),
            errors: FieldErrors::default(),
        }
    }

    /// The form again: what was typed stays, except the password.
    #[must_use]
    pub fn again(self, username: &str, errors: FieldErrors) -> Self {
        Self { username: username.to_owned(), errors, ..self }
    }
}

fn caller(app: &App, request: &Request) -> Result<Option<Caller>, HttpError> {
    match login::signed_in(app, request) {
        Ok(who) => Ok(Some(who)),
        Err(HttpError::SignInFirst) => Ok(None),
        Err(error) => Err(error),
    }
}

fn view(app: &App, who: Option<&Caller>, token: &str) -> Result<(u16, JoinPage), HttpError> {
    let offer = app.wait(app.store.offer(login::invitation_key(token), clock::now())).map_err(login::store)?;
    let makes_accounts = offer.as_ref().is_some_and(|offer| login::makes_accounts(app, offer));
    let status = if offer.is_some() { 200 } else { 404 };
    Ok((status, JoinPage::new(who.map(|who| Viewer::of(app, who)), token, offer.as_ref(), makes_accounts)))
}

/// `GET /join/:token`.
///
/// # Errors
/// The database is away.
pub fn show(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let (status, view) = view(app, caller(app, request)?.as_ref(), params.get("token"))?;
    page(status, &view)
}

/// `POST /join/:token`: whoever is signed in becomes a member; whoever is not makes an account with it.
///
/// # Errors
/// The team is full, or the database is away.
pub fn join(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let token = params.get("token");
    let who = caller(app, request)?;
    if let Some(who) = &who {
        let accepted = accept(app, who, token)?;
        let (team, said) = match accepted {
            Accepted::Joined(team) => {
                request.notes.of_team(team);
                (team, "/team?said=joined")
            }
            Accepted::Already(team) => {
                request.notes.nothing();
                (team, "/team?said=already")
            }
            Accepted::Full | Accepted::Nothing => {
                let (status, view) = view(app, Some(who), token)?;
                return page(status, &view);
            }
        };
        act_for(app, who, team)?;
        return Ok(Response::see_other(said));
    }
    let fields = request.form();
    let username = fields.get("username");
    match login::join_as_new(app, token, username, fields.get("password")) {
        Ok(Some((account, team))) => {
            login::end_previous(app, request)?;
            let session = login::new_session(app, request, account, clock::now())?;
            // The team is what he came for, and sees who came.
            request.notes.of_team(team);
            login::act_for_new(app, &session, team)?;
            Ok(Response::see_other("/team?said=joined").with("set-cookie", &app.login.cookie(&session.token)))
        }
        Ok(None) => {
            let (_, view) = view(app, None, token)?;
            page(404, &JoinPage { makes_accounts: false, ..view })
        }
        Err(HttpError::Fields(errors)) => {
            let (_, view) = view(app, None, token)?;
            page(422, &view.again(username, errors))
        }
        Err(error) => Err(error),
    }
}

/// Makes the caller a member by a link.
///
/// # Errors
/// The team is full.
pub(in crate::http) fn accept(app: &App, who: &Caller, token: &str) -> Result<Accepted, HttpError> {
    let accepted = app.store.accept_invitation(login::invitation_key(token), who.person.account_id, clock::now());
    match app.wait(accepted).map_err(login::store)? {
        Accepted::Full => Err(HttpError::Conflict(FULL.to_owned())),
        accepted @ (Accepted::Joined(_) | Accepted::Already(_) | Accepted::Nothing) => Ok(accepted),
    }
}
