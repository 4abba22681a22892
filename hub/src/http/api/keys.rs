//! `/api/v1/keys`: keys of programs. None of them gets here: a person makes and revokes them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shape::{At, Id};
use super::{body, given};
use crate::clock;
use crate::http::login;
use crate::http::openapi::{Group, Operation, of};
use crate::http::pages::keys::{noted, of_whom};
use crate::http::{App, HttpError, Request, Response, route::Params};
use crate::model::UtcMs;
use crate::model::api_key::{ApiKey, Expiry, NewKey};
use crate::model::scope::Scopes;

/// What is declared of it.
pub static GROUP: Group = Group {
    name: "API keys",
    about: "Keys of programs. A person makes and revokes them, with the token of a session.",
    operations: &[
        Operation::get(
            "/api/v1/keys",
            "listKeys",
            "Keys, newest first: of the team for its owners, one's own for others.",
        )
        .json(of::<KeyList<'static>>),
        Operation::post("/api/v1/keys", "addKey", "Makes a key. Its text is in this answer, and nowhere again.")
            .body(of::<Wanted>, &[])
            .status(201)
            .json(of::<NewKeyShown<'static>>),
        Operation::delete("/api/v1/keys/:id", "revokeKey", "Revokes a key: it is nothing at once, on every hub."),
    ],
};

/// A key, without its text.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ApiKey")]
struct Shown<'a> {
    id: Id,
    /// How its text begins.
    prefix: String,
    name: &'a str,
    /// What it may: websites:read, channels:write, ...
    scopes: Vec<String>,
    made_by: &'a str,
    created_at: At,
    expires_at: Option<At>,
    is_expired: bool,
    /// When it was last used, about.
    used_at: Option<At>,
}

/// Keys.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ApiKeyList")]
struct KeyList<'a> {
    keys: Vec<Shown<'a>>,
}

/// A key that was made.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "NewApiKey")]
struct NewKeyShown<'a> {
    id: Id,
    /// Its text: told once.
    key: &'a str,
    name: &'a str,
    scopes: Vec<String>,
    expires_at: Option<At>,
}

fn words(scopes: Scopes) -> Vec<String> {
    scopes.to_string().split(',').map(str::to_owned).collect()
}

fn shown(key: &ApiKey, now: UtcMs) -> Shown<'_> {
    Shown {
        id: Id(key.api_key_id.0),
        prefix: format!("bu_{}_", key.api_key_id.0.simple()),
        name: &key.name,
        scopes: words(key.scopes),
        made_by: &key.maker,
        created_at: At(key.created_at),
        expires_at: key.expires_at.map(At),
        is_expired: key.is_over(now),
        used_at: key.used_at.map(At),
    }
}

/// `GET /api/v1/keys` -> 200 `{keys}`, newest first: of the team for its owners, one's own for others.
///
/// # Errors
/// 401, 403 for a key.
pub fn list(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let keys = app.wait(app.store.api_keys(who.account.account_id, of_whom(&who))).map_err(login::store)?;
    let now = clock::now();
    Ok(Response::json(200, &KeyList { keys: keys.iter().map(|key| shown(key, now)).collect() }))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(clippy::option_option, reason = "missing and null are two things")]
#[schemars(rename = "ApiKeyInput")]
struct Wanted {
    /// For people.
    name: String,
    /// What it may: websites:read, channels:write, ...
    scopes: Vec<String>,
    /// 90 when nothing is said; null: never.
    #[serde(default, deserialize_with = "given")]
    expires_in_days: Option<Option<i64>>,
}

/// `POST /api/v1/keys {name, scopes, expires_in_days}` -> 201, the key with `key`, its text, which is never shown again. Without
/// `expires_in_days` it ends after 90 days, with null never.
///
/// # Errors
/// 401, 403 for a key, 409 when there are too many, 422 with the fields that cannot be accepted.
pub fn add(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let wanted: Wanted = body(request, "name and scopes")?;
    let expiry = match wanted.expires_in_days {
        None => Expiry::Days(ApiKey::DAYS),
        Some(None) => Expiry::Never,
        Some(Some(days)) => Expiry::Days(days),
    };
    let scopes: Vec<&str> = wanted.scopes.iter().map(String::as_str).collect();
    let now = clock::now();
    let new = NewKey::of(&wanted.name, &scopes, expiry, now).map_err(HttpError::Fields)?;
    let (id, text) = login::make_key(app, &who, &new)?;
    noted(request, id, &new);
    let key = NewKeyShown {
        id: Id(id.0),
        key: text.expose(),
        name: &new.name,
        scopes: words(new.scopes),
        expires_at: new.expires_at.map(At),
    };
    Ok(Response::json(201, &key).with("cache-control", "no-store"))
}

/// `DELETE /api/v1/keys/:id` -> 204; it is nothing at once, on every hub.
///
/// # Errors
/// 401, 403 for a key, 404 when there is none that is yours to end.
pub fn revoke(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let gone = app.store.revoke_api_key(who.account.account_id, of_whom(&who), params.api_key_id()?);
    let name = app.wait(gone).map_err(login::store)?.ok_or(HttpError::NotFound)?;
    request.notes.about(params.get("id"), &name);
    Ok(Response { status: 204, headers: Vec::new(), body: Vec::new() })
}
