//! The ancestor's six routes, as its clients know them: camelCase, `token` header, plain statuses.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::rfc3339;
use super::shape::{At, Id};
use crate::clock;
use crate::http::login::factor::{self, Second};
use crate::http::login::{self, SignIn};
use crate::http::openapi::{Group, Operation, ParameterKind, of, parameter};
use crate::http::{App, HttpError, Request, Response, route::Params};
use crate::model::{
    BoardRow, FieldError, FieldErrors, Outcome, RecentTick, RegionId, SettingsInput, WebsiteCursor, WebsiteId,
};

/// Newest ticks shown per website.
const TICKS: usize = 10;
/// Websites in one answer, and their bytes: an answer has 2 MiB at most (P8).
const MOST: i64 = 2_000;
const ROOM: usize = 2 * 1024 * 1024 - 64 * 1024;

/// What is declared of it.
pub static GROUP: Group = Group {
    name: "The ancestor's routes",
    about: "Kept for clients of the monitor this one comes from. New programs take the others.",
    operations: &[
        Operation::post("/signup", "signUp", "Makes an account, where sign-ups are open.")
            .body(of::<Credentials>, &[])
            .status(201)
            .json(of::<MadeAccount>)
            .also(&[400, 415, 429]),
        Operation::post("/signin", "signIn", "Begins a session; the cookie comes with it.")
            .body(of::<WithCode>, &[])
            .json(of::<Token>)
            .also(&[400, 415, 429]),
        Operation::post("/website", "addWebsiteAsBefore", "Adds a website. It is checked at once.")
            .body(of::<NewWebsite>, &[])
            .status(201)
            .json(of::<MadeWebsite>),
        Operation::get("/website", "listWebsitesAsBefore", "All websites with their newest ticks, oldest first.")
            .query(&[parameter(
                "after",
                "From the `Link` of the answer before, where there was more.",
                ParameterKind::Text,
            )])
            .json(of::<Vec<ShownWebsite>>),
        Operation::get("/status/:id", "getStatusAsBefore", "A website with its newest ticks.").json(of::<ShownWebsite>),
        Operation::delete("/website/:id", "deleteWebsiteAsBefore", "Deletes a website.")
            .status(200)
            .json(of::<Deleted>),
    ],
};

#[derive(JsonSchema)]
#[schemars(rename = "AncestorAccount")]
#[expect(dead_code, reason = "describes what is written")]
struct MadeAccount {
    id: Id,
}

#[derive(JsonSchema)]
#[schemars(rename = "AncestorToken")]
#[expect(dead_code, reason = "describes what is written")]
struct Token {
    token: String,
}

#[derive(JsonSchema)]
#[schemars(rename = "AncestorAdded")]
#[expect(dead_code, reason = "describes what is written")]
struct MadeWebsite {
    id: Id,
    #[schemars(rename = "userId")]
    user_id: Id,
}

#[derive(JsonSchema)]
#[schemars(rename = "AncestorDeleted")]
#[expect(dead_code, reason = "describes what is written")]
struct Deleted {
    id: Id,
}

#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "AncestorWebsite")]
#[expect(dead_code, reason = "describes what is written")]
struct ShownWebsite {
    id: Id,
    url: String,
    user_id: Id,
    time_added: At,
    ticks: Vec<ShownTick>,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "AncestorCredentials")]
struct Credentials {
    username: String,
    password: String,
}

fn body<'a, T: Deserialize<'a>>(request: &'a Request, expected: &str) -> Result<T, HttpError> {
    if request.media_type() != "application/json" {
        return Err(HttpError::MediaType("application/json"));
    }
    serde_json::from_slice(&request.body)
        .map_err(|error| HttpError::BadRequest(format!("Send {expected} as JSON: {error}.")))
}

/// These clients know 400 for whatever is wrong with the input.
fn as_400(error: HttpError) -> HttpError {
    match error {
        HttpError::Fields(errors) => HttpError::BadRequest(errors.to_string()),
        HttpError::Forbidden(why) => HttpError::BadRequest(why.to_owned()),
        HttpError::BadRequest(_)
        | HttpError::Items(_)
        | HttpError::Changed
        | HttpError::SignInFirst
        | HttpError::Key(_)
        | HttpError::NotFound
        | HttpError::Method
        | HttpError::Conflict(_)
        | HttpError::MediaType(_)
        | HttpError::TooMany { .. }
        | HttpError::Unavailable(_)
        | HttpError::Internal(_) => error,
    }
}

/// `POST /signup {username, password}` -> 201 `{id}`.
///
/// # Errors
/// 400 when taken or invalid.
pub fn sign_up(app: &App, request: &Request) -> Result<Response, HttpError> {
    let Credentials { username, password } = body(request, "{\"username\", \"password\"}")?;
    let account = login::sign_up(app, request, &username, &password).map_err(as_400)?;
    request.notes.by(&account);
    Ok(Response::json(201, &json!({"id": account.account_id})))
}

#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "AncestorSignIn")]
struct WithCode {
    username: String,
    password: String,
    /// Where the account has a second factor: the code of now, or a recovery code.
    code: Option<String>,
}

/// `POST /signin {username, password}` -> 200 `{token}` and the cookie. Where the account has a second factor, `code` is one of
/// now, or a recovery code.
///
/// # Errors
/// 400, the same for a wrong name and a wrong password. With the right ones, 422 where a code is needed or is not right.
pub fn sign_in(app: &App, request: &Request) -> Result<Response, HttpError> {
    let WithCode { username, password, code } = body(request, "{\"username\", \"password\"}")?;
    let wrong = || HttpError::BadRequest("Name or password are not right.".to_owned());
    let no_code =
        |found: &str, remedy: &str| HttpError::Fields(FieldErrors(vec![FieldError::new("code", found, remedy)]));
    let session = match login::sign_in(app, request, &username, &password)? {
        SignIn::Done(session) => session,
        SignIn::Wrong => return Err(wrong()),
        SignIn::Code(ticket) => {
            let code = code.ok_or_else(|| no_code("", "Send the code that your device shows, or a recovery code."))?;
            match factor::second_step(app, request, &ticket, &code)? {
                Second::Done(session) => session,
                Second::Wrong => {
                    return Err(no_code("", "This is no unused code of now, nor an unused recovery code."));
                }
                Second::Stale => return Err(wrong()),
            }
        }
    };
    Ok(Response::json(200, &json!({"token": session.token})).with("set-cookie", &app.login.cookie(&session.token)))
}

#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "AncestorWebsiteInput")]
struct NewWebsite {
    url: String,
}

/// `POST /website {url}` -> 201 `{id, userId}`; checked at once.
///
/// # Errors
/// 401, 400.
pub fn add(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account;
    let NewWebsite { url } = body(request, "{\"url\"}")?;
    let input = SettingsInput { url: &url, ..SettingsInput::default() };
    let settings = input.parse(&app.settings.target_rules, None);
    let settings = settings.map_err(|errors| HttpError::BadRequest(errors.to_string()))?;
    let website = app.wait(app.store.add_website(account.account_id, &settings, clock::now())).map_err(login::store)?;
    app.scheduler.changed(website.website_id);
    Ok(Response::json(201, &json!({"id": website.website_id, "userId": account.account_id})))
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "AncestorTick")]
struct ShownTick {
    #[schemars(with = "Id")]
    id: Uuid,
    response_time_ms: u32,
    #[schemars(extend("enum" = ["Up", "Down", "Unknown"]))]
    status: &'static str,
    region_id: String,
    #[schemars(with = "Id")]
    website_id: WebsiteId,
    created_at: String,
}

/// A name for a tick: the ancestor's ticks had one; ours are known by what they are about.
fn tick_id(website: WebsiteId, region: &RegionId, tick: &RecentTick) -> Uuid {
    let name = format!("{region}/{}/{}", tick.slot_at, tick.attempt);
    Uuid::new_v5(&website.0, name.as_bytes())
}

fn shown(row: &BoardRow) -> serde_json::Value {
    let mut ticks: Vec<_> = row.regions.iter().flat_map(|r| r.recent.iter().map(|t| (&r.region_id, t))).collect();
    ticks.sort_by_key(|(region, t)| (std::cmp::Reverse((t.slot_at, t.attempt)), (*region).clone()));
    let website_id = row.website.website_id;
    let ticks: Vec<ShownTick> = ticks
        .into_iter()
        .take(TICKS)
        .map(|(region, tick)| ShownTick {
            id: tick_id(website_id, region, tick),
            response_time_ms: tick.total_us / 1_000,
            status: match tick.outcome {
                Outcome::Up | Outcome::Degraded => "Up",
                Outcome::Down => "Down",
                Outcome::Unknown => "Unknown",
            },
            region_id: region.to_string(),
            website_id,
            created_at: rfc3339(tick.slot_at),
        })
        .collect();
    json!({
        "id": website_id,
        "url": row.website.settings.url,
        "userId": row.website.account_id,
        "timeAdded": rfc3339(row.website.created_at),
        "ticks": ticks,
    })
}

/// `GET /website?after=` -> 200, the account's websites with their newest ticks, oldest first. All of them, unless that were
/// more than fits one answer: then there is a `Link` with `rel="next"` to the rest.
///
/// # Errors
/// 400 for an `after` that was made up, 401.
pub fn list(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account;
    let after = match request.query("after").unwrap_or_default() {
        "" => None,
        given => Some(given.parse::<WebsiteCursor>().map_err(|()| {
            HttpError::BadRequest(format!("\"after\" is \"{given}\"; take it from the Link of the answer before."))
        })?),
    };
    let board = app.wait(app.store.recent_page(account.account_id, after, MOST + 1)).map_err(login::store)?;
    let (mut body, mut last) = (b"[".to_vec(), None);
    for (row, _) in board.iter().zip(0..MOST) {
        let one = serde_json::to_vec(&shown(row)).map_err(anyhow::Error::from)?;
        if last.is_some() && body.len() + one.len() > ROOM {
            break;
        }
        if last.is_some() {
            body.push(b',');
        }
        body.extend(one);
        last = Some(row.website.website_id);
    }
    body.push(b']');
    let answer = Response::new(200, "application/json", body);
    // More follow where the last one that is shown is not the last one there is.
    let Some(row) = board.iter().find(|row| Some(row.website.website_id) == last) else { return Ok(answer) };
    if board.last().is_none_or(|end| end.website.website_id == row.website.website_id) {
        return Ok(answer);
    }
    let next = WebsiteCursor { created_at: row.website.created_at, id: row.website.website_id };
    Ok(answer.with("link", &format!("</website?after={next}>; rel=\"next\"")))
}

/// `GET /status/:id` -> 200, one of them.
///
/// # Errors
/// 401, 404 when not yours.
pub fn status(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account;
    let id = params.website_id()?;
    let row = app.wait(app.store.board_row(account.account_id, id, clock::now())).map_err(login::store)?;
    Ok(Response::json(200, &shown(&row.ok_or(HttpError::NotFound)?)))
}

/// `DELETE /website/:id` -> 200.
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
    Ok(Response::json(200, &json!({"id": id})))
}
