//! `/api/v1/teams`, `/team`, `/members`, `/invitations`, `/account`: who is in which team.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shape::{At, Id};
use super::{body, done as nothing};
use crate::clock;
use crate::http::login::{self, Caller};
use crate::http::openapi::{Group, Operation, of};
use crate::http::pages::{join, team, team_end};
use crate::http::{App, HttpError, Request, Response, route::Params};
use crate::model::audit::FieldChange;
use crate::model::{AccountId, FieldError, FieldErrors, Invitation, Role};
use crate::store::Accepted;

/// What is declared of it.
pub static GROUP: Group = Group {
    name: "Teams",
    about: "Who is in which team, and what they may there. A request is about the team of the session or key, or the one that the \
            header x-team names.",
    operations: &[
        Operation::get("/api/v1/teams", "listTeams", "One's teams, one's own first.").json(of::<TeamList<'static>>),
        Operation::post("/api/v1/teams", "addTeam", "Makes a team.")
            .body(of::<Named>, &[])
            .status(201)
            .json(of::<Made>),
        Operation::put(
            "/api/v1/team",
            "switchTeam",
            "Says which team the requests of this session are about from now on.",
        )
        .body(of::<Which>, &[])
        .status(204)
        .also(&[404]),
        Operation::patch("/api/v1/team", "renameTeam", "Renames the team.")
            .body(of::<Named>, &[])
            .status(204)
            .also(&[404, 409]),
        Operation::delete("/api/v1/team", "deleteTeam", "Deletes the team and all it has. The password is asked for.")
            .body(of::<Proof>, &[])
            .also(&[404, 409]),
        Operation::post("/api/v1/team/leave", "leaveTeam", "Leaves the team.").status(204).also(&[404]),
        Operation::get("/api/v1/members", "listMembers", "Who is in the team.").json(of::<MemberList<'static>>),
        Operation::patch("/api/v1/members/:id", "changeMember", "Says what a member may do.")
            .body(of::<As>, &[])
            .status(204)
            .also(&[409]),
        Operation::delete("/api/v1/members/:id", "removeMember", "Takes a member out of the team.").also(&[409]),
        Operation::get("/api/v1/invitations", "listInvitations", "Invitations that can be followed.")
            .json(of::<InvitationList<'static>>),
        Operation::post("/api/v1/invitations", "addInvitation", "Makes an invitation. Its address is told this once.")
            .body(of::<As>, &[])
            .status(201)
            .json(of::<NewInvitation>),
        Operation::post(
            "/api/v1/invitations/accept",
            "acceptInvitation",
            "Joins a team: with what the link ends with.",
        )
        .body(of::<Link>, &[])
        .json(of::<Made>)
        .also(&[404]),
        Operation::delete("/api/v1/invitations/:id", "revokeInvitation", "Revokes an invitation."),
        Operation::delete(
            "/api/v1/account",
            "deleteAccount",
            "Deletes one's own account and all it has. The password is asked for.",
        )
        .body(of::<Proof>, &[])
        .also(&[409]),
    ],
};

/// A team of somebody's.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Team")]
struct ShownTeam<'a> {
    id: Id,
    name: &'a str,
    #[schemars(extend("enum" = ["viewer", "editor", "owner"]))]
    role: &'static str,
    /// One's own account.
    is_own: bool,
    /// What requests are about that name none.
    is_this: bool,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "TeamList")]
struct TeamList<'a> {
    teams: Vec<ShownTeam<'a>>,
}

/// The id of a team.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "TeamId")]
struct Made {
    id: Id,
}

/// Somebody who is in a team.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Member")]
struct ShownMember<'a> {
    id: Id,
    username: &'a str,
    #[schemars(extend("enum" = ["viewer", "editor", "owner"]))]
    role: &'static str,
    since_at: At,
    /// The team is that person's own account.
    is_holder: bool,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "MemberList")]
struct MemberList<'a> {
    members: Vec<ShownMember<'a>>,
}

/// An invitation that can be followed.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Invitation")]
struct ShownInvitation<'a> {
    id: Id,
    #[schemars(extend("enum" = ["viewer", "editor", "owner"]))]
    role: &'static str,
    made_by: &'a str,
    made_at: At,
    ends_at: At,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "InvitationList")]
struct InvitationList<'a> {
    invitations: Vec<ShownInvitation<'a>>,
}

/// An invitation that was made.
#[derive(Debug, Serialize, JsonSchema)]
struct NewInvitation {
    id: Id,
    /// Whoever follows it joins: told once.
    url: String,
}

/// A role as it came.
fn role(word: &str) -> Result<Role, HttpError> {
    Role::named(word).ok_or_else(|| {
        HttpError::Fields(FieldErrors(vec![FieldError::new("role", word, "Give viewer, editor or owner.")]))
    })
}

fn shown_team(id: AccountId, name: &str, role: Role, is_own: bool, is_this: bool) -> ShownTeam<'_> {
    ShownTeam { id: Id(id.0), name, role: role.as_str(), is_own, is_this }
}

/// `GET /api/v1/teams`: one's own first; `is_this`: what requests are about that name no team in `x-team`.
///
/// # Errors
/// Not signed in, or the database is away.
pub fn list(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let Caller { account, person, .. } = login::signed_in(app, request)?;
    let found = app.wait(app.store.teams_of(person.account_id)).map_err(login::store)?;
    let is_this = |id| id == account.account_id;
    let own = shown_team(person.account_id, &person.username, Role::Owner, true, is_this(person.account_id));
    let others = found.iter().map(|of| {
        let id = of.team.account_id;
        shown_team(id, &of.team.username, of.role, false, is_this(id))
    });
    Ok(Response::json(200, &TeamList { teams: std::iter::once(own).chain(others).collect() }))
}

/// Whoever has just left the team that his session looked at looks at his own again.
fn at_home(app: &App, request: &Request, who: &Caller) -> Result<(), HttpError> {
    if request.header("x-team").is_some() {
        return Ok(());
    }
    team::act_for(app, who, who.person.account_id)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TeamInput")]
struct Named {
    name: String,
}

/// `POST /api/v1/teams {name}` -> 201 `{id}`.
///
/// # Errors
/// 409 for whoever owns as many as he may, 422 for a name that is none.
pub fn create(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let Named { name } = body(request, "{\"name\"}")?;
    let id = team::made(app, &who, &name)?;
    request.notes.of_team(id);
    request.notes.about(id, &name);
    Ok(Response::json(201, &Made { id: Id(id.0) }))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TeamChoice")]
struct Which {
    id: String,
}

/// `PUT /api/v1/team {id}`: what this session's requests are about from now on -> 204.
///
/// # Errors
/// 404 for whoever is no member.
pub fn switch(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let Which { id } = body(request, "{\"id\"}")?;
    team::act_for(app, &who, id.parse().map_err(|_| HttpError::NotFound)?)?;
    request.notes.nothing();
    Ok(nothing())
}

/// `PATCH /api/v1/team {name}` -> 204.
///
/// # Errors
/// 403 for all but owners, 409 where the team is somebody's own account.
pub fn rename(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let Named { name } = body(request, "{\"name\"}")?;
    team::renamed(app, &who, &name)?;
    Ok(nothing())
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PasswordProof")]
struct Proof {
    password: String,
}

/// `DELETE /api/v1/team {password}`: the team and all it has -> 204.
///
/// # Errors
/// 403 for all but owners, 409 where the team is somebody's own account, 422 for another password.
pub fn delete(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let Proof { password } = body(request, "{\"password\"}")?;
    team_end::end_team(app, request, &who, &password)?;
    at_home(app, request, &who)?;
    Ok(nothing())
}

/// `DELETE /api/v1/account {password}`: one's own account and all it has -> 204.
///
/// # Errors
/// 409 where others would be left without an owner, 422 for another password.
pub fn delete_account(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let Proof { password } = body(request, "{\"password\"}")?;
    team_end::end_account(app, request, &who, &password)?;
    Ok(nothing())
}

/// `POST /api/v1/team/leave` -> 204.
///
/// # Errors
/// 404 for one's own account, 409 for the last owner.
pub fn leave(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let done = app.wait(app.store.remove_member(who.account.account_id, who.person.account_id));
    team::changed(done.map_err(login::store)?)?;
    at_home(app, request, &who)?;
    Ok(nothing())
}

/// `GET /api/v1/members`.
///
/// # Errors
/// Not signed in, or the database is away.
pub fn members(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account;
    let found = app.wait(app.store.members(account.account_id)).map_err(login::store)?;
    let members = found.iter().map(|member| ShownMember {
        id: Id(member.person_id.0),
        username: &member.username,
        role: member.role.as_str(),
        since_at: At(member.since_at),
        is_holder: member.is_holder,
    });
    Ok(Response::json(200, &MemberList { members: members.collect() }))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RoleInput")]
struct As {
    role: String,
}

/// `PATCH /api/v1/members/:id {role}` -> 204.
///
/// # Errors
/// 403 for all but owners, 404 for no member, 409 for the last owner.
pub fn set_role(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account;
    let As { role: word } = body(request, "{\"role\"}")?;
    let role = role(&word)?;
    let done = app.wait(app.store.set_role(account.account_id, params.member_id()?, role));
    team::changed(done.map_err(login::store)?)?;
    request.notes.changed(vec![FieldChange::new("role", "", role.as_str())]);
    Ok(nothing())
}

/// `DELETE /api/v1/members/:id` -> 204.
///
/// # Errors
/// 403 for all but owners, 404 for no member, 409 for the last owner.
pub fn remove(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account;
    let done = app.wait(app.store.remove_member(account.account_id, params.member_id()?));
    team::changed(done.map_err(login::store)?)?;
    Ok(nothing())
}

/// `GET /api/v1/invitations`: those that can be followed.
///
/// # Errors
/// 403 for all but owners.
pub fn invitations(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account;
    let found = app.wait(app.store.invitations(account.account_id, clock::now())).map_err(login::store)?;
    let invitations = found.iter().map(|one: &Invitation| ShownInvitation {
        id: Id(one.invitation_id.0),
        role: one.role.as_str(),
        made_by: &one.made_by,
        made_at: At(one.made_at),
        ends_at: At(one.ends_at),
    });
    Ok(Response::json(200, &InvitationList { invitations: invitations.collect() }))
}

/// `POST /api/v1/invitations {role}` -> 201 `{id, url}`; the address is told this once.
///
/// # Errors
/// 403 for all but owners, 409 for too many that nobody followed.
pub fn invite(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let As { role: word } = body(request, "{\"role\"}")?;
    let (id, url) = team::invited(app, request, &who, role(&word)?)?;
    Ok(Response::json(201, &NewInvitation { id: Id(id.0), url }))
}

/// `DELETE /api/v1/invitations/:id` -> 204.
///
/// # Errors
/// 403 for all but owners, 404 for none of the team's.
pub fn revoke(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account;
    if !app.wait(app.store.revoke_invitation(account.account_id, params.invitation_id()?)).map_err(login::store)? {
        return Err(HttpError::NotFound);
    }
    Ok(nothing())
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "InvitationToken")]
struct Link {
    token: String,
}

/// `POST /api/v1/invitations/accept {token}`: what a link ends with -> 200 `{id}`, the team.
///
/// # Errors
/// 404 for a link that does not work, 409 for a team that is full.
pub fn accept(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let Link { token } = body(request, "{\"token\"}")?;
    match join::accept(app, &who, &token)? {
        Accepted::Joined(team) => {
            request.notes.of_team(team);
            Ok(Response::json(200, &Made { id: Id(team.0) }))
        }
        Accepted::Already(team) => {
            request.notes.nothing();
            Ok(Response::json(200, &Made { id: Id(team.0) }))
        }
        Accepted::Full | Accepted::Nothing => Err(HttpError::NotFound),
    }
}
