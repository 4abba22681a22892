//! The team one looks at: who is in it, whom it invites; and one's other teams.

use askama::Template;

use super::words::{Instant, instant};
use super::{Frame, Viewer, page};
use crate::clock;
use crate::http::login::{self, Caller};
use crate::http::{App, Form, HttpError, Request, Response, route::Params};
use crate::model::audit::FieldChange;
use crate::model::{AccountId, FieldErrors, Invitation, InvitationId, MOST_TEAMS, Member, Membership, Role, team_name};
use crate::store::MemberChanged;

/// The page.
#[derive(Template, Debug)]
#[template(path = "team.html", whitespace = "minimize")]
pub struct TeamPage {
    frame: Frame,
    /// The team, which each form says: the one that is looked at may be another by then.
    this: AccountId,
    name: String,
    /// Nobody's own account.
    is_shared: bool,
    may: &'static str,
    is_owner: bool,
    members: Vec<MemberLine>,
    invitations: Vec<InvitationLine>,
    teams: Vec<TeamLine>,
    /// What was just made: shown once.
    link: Option<String>,
    notice: Option<&'static str>,
    errors: FieldErrors,
}

#[derive(Debug)]
struct MemberLine {
    id: AccountId,
    name: String,
    role: Role,
    since: Instant,
    is_holder: bool,
    is_me: bool,
}

#[derive(Debug)]
struct InvitationLine {
    id: InvitationId,
    role: &'static str,
    made_by: String,
    ends: Instant,
}

#[derive(Debug)]
struct TeamLine {
    id: AccountId,
    name: String,
    role: &'static str,
    is_this: bool,
}

/// All that is shown.
#[derive(Debug, Clone, Default)]
pub struct TeamFound {
    /// Who is in it.
    pub members: Vec<Member>,
    /// Links that can be followed; of owners alone.
    pub invitations: Vec<Invitation>,
    /// Teams beside one's own.
    pub teams: Vec<Membership>,
}

impl TeamPage {
    /// Of the team that `who` looks at.
    #[must_use]
    pub fn view(viewer: impl Into<Viewer>, who: &Caller, found: TeamFound) -> Self {
        let me = who.person.account_id;
        let member = |member: Member| MemberLine {
            is_me: member.person_id == me,
            id: member.person_id,
            name: member.username,
            role: member.role,
            since: instant(member.since_at),
            is_holder: member.is_holder,
        };
        let invitation = |one: Invitation| InvitationLine {
            id: one.invitation_id,
            role: one.role.as_str(),
            made_by: one.made_by,
            ends: instant(one.ends_at),
        };
        let own = TeamLine {
            id: me,
            name: who.person.username.clone(),
            role: "yours",
            is_this: me == who.account.account_id,
        };
        let team = |of: Membership| TeamLine {
            is_this: of.team.account_id == who.account.account_id,
            id: of.team.account_id,
            name: of.team.username,
            role: of.role.as_str(),
        };
        Self {
            frame: Frame::wide("Team", viewer).at("/team"),
            this: who.account.account_id,
            name: who.account.username.clone(),
            is_shared: !found.members.iter().any(|member| member.is_holder),
            may: match who.role {
                Role::Viewer => "You may look at what it has.",
                Role::Editor => "You may look at what it has, and change it.",
                Role::Owner => "You own it.",
            },
            is_owner: who.role == Role::Owner,
            members: found.members.into_iter().map(member).collect(),
            invitations: found.invitations.into_iter().map(invitation).collect(),
            teams: std::iter::once(own).chain(found.teams.into_iter().map(team)).collect(),
            link: None,
            notice: None,
            errors: FieldErrors::default(),
        }
    }
}

fn view(app: &App, who: &Caller) -> Result<TeamPage, HttpError> {
    let team = who.account.account_id;
    let invitations = match who.role {
        Role::Owner => app.wait(app.store.invitations(team, clock::now())).map_err(login::store)?,
        Role::Viewer | Role::Editor => Vec::new(),
    };
    let found = TeamFound {
        members: app.wait(app.store.members(team)).map_err(login::store)?,
        invitations,
        teams: app.wait(app.store.teams_of(who.person.account_id)).map_err(login::store)?,
    };
    Ok(TeamPage::view(Viewer::of(app, who), who, found))
}

/// `GET /team`.
///
/// # Errors
/// Not signed in, or the database is away.
pub fn show(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let notice = match request.query("said").unwrap_or_default() {
        "role" => Some("The role was changed."),
        "removed" => Some("That member was removed. Keys he made for the team's programs have ended."),
        "left" => Some("You have left the team. Keys you made for its programs have ended."),
        "revoked" => Some("That link does not work any more."),
        "joined" => Some("You are a member now."),
        "already" => Some("You are a member already."),
        "name" => Some("The team has another name."),
        "deleted" => Some("The team was deleted."),
        _ => None,
    };
    page(200, &TeamPage { notice, ..view(app, &who)? })
}

/// `POST /team/switch`: from now on this browser looks at another team of the person's.
///
/// # Errors
/// He is no member of it.
pub fn switch(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let team: AccountId = request.form().get("team").parse().map_err(|_| HttpError::NotFound)?;
    act_for(app, &who, team)?;
    // What somebody looks at is nothing that was done.
    request.notes.nothing();
    Ok(Response::see_other("/"))
}

/// Has the caller's session look at a team.
///
/// # Errors
/// He is no member of it.
pub(in crate::http) fn act_for(app: &App, who: &Caller, team: AccountId) -> Result<(), HttpError> {
    let done = app.wait(app.store.act_for(who.person.account_id, who.session()?, team)).map_err(login::store)?;
    if done { Ok(()) } else { Err(HttpError::NotFound) }
}

/// `POST /team/new`: a team of the person's own making, which is looked at from now on.
///
/// # Errors
/// He owns as many as he may.
pub fn create(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let form = request.form();
    match made(app, &who, form.get("name")) {
        Ok(team) => {
            request.notes.of_team(team);
            request.notes.about(team, form.get("name"));
            act_for(app, &who, team).map(|()| Response::see_other("/team"))
        }
        Err(HttpError::Fields(errors)) => page(422, &TeamPage { errors, ..view(app, &who)? }),
        Err(error) => Err(error),
    }
}

/// Makes a team.
///
/// # Errors
/// Its name cannot be one, or the person owns as many as he may.
pub(in crate::http) fn made(app: &App, who: &Caller, name: &str) -> Result<AccountId, HttpError> {
    let name = team_name(name).map_err(HttpError::Fields)?;
    let made = app.wait(app.store.create_team(who.person.account_id, &name, clock::now())).map_err(login::store)?;
    made.ok_or_else(|| {
        HttpError::Conflict(format!("You own {MOST_TEAMS} teams, as many as you may. Delete one that is not needed."))
    })
}

/// Whether a form is about the team that its sender looks at: in another window he may have gone to another since it was
/// shown.
///
/// # Errors
/// It is about another.
pub(super) fn is_of_this(form: &Form, who: &Caller) -> Result<(), HttpError> {
    match form.get("this") {
        "" => Ok(()),
        this if this.parse() == Ok(who.account.account_id) => Ok(()),
        _ => Err(HttpError::Conflict(format!(
            "Nothing was done: this was about another team, and by now you look at {}, perhaps from another window.",
            who.account.username
        ))),
    }
}

/// `POST /team/name`.
///
/// # Errors
/// No owner, or it goes by its owner's name.
pub fn rename(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let form = request.form();
    is_of_this(&form, &who)?;
    match renamed(app, &who, form.get("name")) {
        Ok(()) => Ok(Response::see_other("/team?said=name")),
        Err(HttpError::Fields(errors)) => page(422, &TeamPage { errors, ..view(app, &who)? }),
        Err(error) => Err(error),
    }
}

/// Gives the caller's team another name.
///
/// # Errors
/// It cannot be one; the team is somebody's own account.
pub(in crate::http) fn renamed(app: &App, who: &Caller, name: &str) -> Result<(), HttpError> {
    let name = team_name(name).map_err(HttpError::Fields)?;
    match app.wait(app.store.rename_team(who.account.account_id, &name)).map_err(login::store)? {
        true => Ok(()),
        false => Err(HttpError::Conflict("This is somebody's own account, and goes by that name.".to_owned())),
    }
}

/// `POST /team/invitations`: makes a link, which is shown this once.
///
/// # Errors
/// No owner, or too many links that nobody followed.
pub fn invite(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let form = request.form();
    is_of_this(&form, &who)?;
    let role = Role::named(form.get("role"))
        .ok_or_else(|| HttpError::BadRequest("Choose viewer, editor or owner.".to_owned()))?;
    let (_, link) = invited(app, request, &who, role)?;
    page(200, &TeamPage { link: Some(link), ..view(app, &who)? })
}

/// Makes an invitation to the caller's team: its id, and the link.
///
/// # Errors
/// No owner (any more), or too many that nobody followed.
pub(in crate::http) fn invited(
    app: &App,
    request: &Request,
    who: &Caller,
    role: Role,
) -> Result<(InvitationId, String), HttpError> {
    let (token, key) = login::new_invitation()?;
    let made = app.store.invite(who.account.account_id, who.person.account_id, key, role, clock::now());
    let id = app.wait(made).map_err(login::store)?.ok_or_else(|| {
        let most = Invitation::MOST;
        HttpError::Conflict(format!("There are {most} links that nobody has followed yet. Revoke one, then try again."))
    })?;
    request.notes.about(id, "");
    request.notes.changed(vec![FieldChange::new("role", "", role.as_str())]);
    // Where people reach us, or at least where this one does.
    let base = app.settings.public_url.clone().unwrap_or_else(|| {
        let scheme = if app.settings.secure_cookies { "https" } else { "http" };
        format!("{scheme}://{}", request.header("host").unwrap_or_default())
    });
    Ok((id, format!("{base}/join/{token}")))
}

/// `POST /team/invitations/:id/revoke`. Twice is harmless.
///
/// # Errors
/// No owner.
pub fn revoke(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let id = params.invitation_id()?;
    if !app.wait(app.store.revoke_invitation(who.account.account_id, id)).map_err(login::store)? {
        return Err(HttpError::NotFound);
    }
    Ok(Response::see_other("/team?said=revoked"))
}

/// What became of a change of the members, for people.
///
/// # Errors
/// He is none of them, or the last owner.
pub(in crate::http) fn changed(done: MemberChanged) -> Result<(), HttpError> {
    match done {
        MemberChanged::Done => Ok(()),
        MemberChanged::NotFound => Err(HttpError::NotFound),
        MemberChanged::LastOwner => Err(HttpError::Conflict(
            "Nobody would own the team any more. Make somebody else an owner first, or delete the team.".to_owned(),
        )),
    }
}

/// `POST /team/members/:id/role`.
///
/// # Errors
/// No owner, no member, or the last owner.
pub fn set_role(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let form = request.form();
    is_of_this(&form, &who)?;
    let role = Role::named(form.get("role"))
        .ok_or_else(|| HttpError::BadRequest("Choose viewer, editor or owner.".to_owned()))?;
    let done = app.store.set_role(who.account.account_id, params.member_id()?, role);
    changed(app.wait(done).map_err(login::store)?)?;
    request.notes.changed(vec![FieldChange::new("role", "", role.as_str())]);
    Ok(Response::see_other("/team?said=role"))
}

/// `POST /team/members/:id/remove`.
///
/// # Errors
/// No owner, no member, or the last owner.
pub fn remove(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    is_of_this(&request.form(), &who)?;
    let done = app.store.remove_member(who.account.account_id, params.member_id()?);
    changed(app.wait(done).map_err(login::store)?)?;
    Ok(Response::see_other("/team?said=removed"))
}

/// `POST /team/leave`.
///
/// # Errors
/// It is one's own account, or one is its last owner.
pub fn leave(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    is_of_this(&request.form(), &who)?;
    let done = app.store.remove_member(who.account.account_id, who.person.account_id);
    changed(app.wait(done).map_err(login::store)?)?;
    act_for(app, &who, who.person.account_id)?;
    Ok(Response::see_other("/team?said=left"))
}
