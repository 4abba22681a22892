//! `/api/v1/channels`: where an account is told. What is a secret goes in and never comes out, but for the one that the hub
//! makes for a webhook: that is in the answer to the request that made it, once.

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use serde_json::{Map, Value, json};

use super::{body, rfc3339};
use crate::clock;
use crate::http::pages::channel::{load, readable};
use crate::http::pages::channel_form::{makes_secret, parse, too_many};
use crate::http::pages::{channel, channel_words};
use crate::http::{App, HttpError, Request, Response, login, route::Params};
use crate::model::{Account, Channel, ChannelDraft, ChannelInput, ChannelSettings, SecretText, TryResult};
use crate::store::ChannelEdited;

/// A field as it came: text or number; a list of texts where several are meant; null for nothing.
#[derive(Debug, Default)]
enum Given {
    /// Not at all: nothing is said about what is stored.
    #[default]
    Absent,
    /// As text.
    Text(String),
}

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = match Value::deserialize(deserializer)? {
            Value::Null => String::new(),
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            Value::Array(list) => {
                let texts: Option<Vec<&str>> = list.iter().map(Value::as_str).collect();
                texts.ok_or_else(|| D::Error::custom("a list of texts is expected"))?.join("\n")
            }
            Value::Bool(_) | Value::Object(_) => return Err(D::Error::custom("a text or a number is expected")),
        };
        Ok(Self::Text(text))
    }
}

/// Fields of a channel, as they are named in the form.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Sent {
    name: Given,
    kind: Given,
    server: Given,
    port: Given,
    security: Given,
    username: Given,
    password: Given,
    from: Given,
    to: Given,
    url: Given,
    secret: Given,
    new_secret: bool,
    drop_old_secret: bool,
    token: Given,
    drop_token: bool,
    chat: Given,
    topic: Given,
    routing_key: Given,
    tells_regional: Option<bool>,
    tells_operator: Option<bool>,
    waits_minutes: Given,
    reminds_minutes: Given,
    cap_per_hour: Given,
    second_channel_id: Given,
    is_on: Option<bool>,
    revision: Option<i64>,
}

impl Sent {
    /// What is given, on top of what there is.
    fn over(self, mut input: ChannelInput) -> ChannelInput {
        let texts = [
            (&mut input.name, self.name),
            (&mut input.kind, self.kind),
            (&mut input.server, self.server),
            (&mut input.port, self.port),
            (&mut input.security, self.security),
            (&mut input.username, self.username),
            (&mut input.from, self.from),
            (&mut input.to, self.to),
            (&mut input.chat, self.chat),
            (&mut input.waits_minutes, self.waits_minutes),
            (&mut input.reminds_minutes, self.reminds_minutes),
            (&mut input.cap_per_hour, self.cap_per_hour),
            (&mut input.second_channel_id, self.second_channel_id),
        ];
        for (field, given) in texts {
            if let Given::Text(text) = given {
                *field = text;
            }
        }
        let secrets = [
            (&mut input.password, self.password),
            (&mut input.url, self.url),
            (&mut input.secret, self.secret),
            (&mut input.token, self.token),
            (&mut input.topic, self.topic),
            (&mut input.routing_key, self.routing_key),
        ];
        for (field, given) in secrets {
            if let Given::Text(text) = given {
                *field = SecretText::new(text);
            }
        }
        input.new_secret = self.new_secret;
        input.drop_old_secret = self.drop_old_secret;
        input.drop_token = self.drop_token;
        input.tells_regional = self.tells_regional.unwrap_or(input.tells_regional);
        input.tells_operator = self.tells_operator.unwrap_or(input.tells_operator);
        input
    }
}

/// A channel without its secrets.
fn shown(channel: &Channel) -> Value {
    json!({
        "id": channel.channel_id.to_string(),
        "name": channel.name,
        "kind": channel.kind_name(),
        "is_unreadable": channel.unreadable.is_some(),
        "target": channel_words::target_of(channel),
        "settings": settings(&channel.settings),
        "is_on": channel.is_on,
        "failing_since_at": channel.failing_since_at.map(rfc3339),
        "broken_at": channel.broken.as_ref().map(|(at, _)| rfc3339(*at)),
        "broken_reason": channel.broken.as_ref().map(|(_, why)| why),
        "tells_regional": channel.tells_regional,
        "tells_operator": channel.tells_operator,
        "waits_minutes": channel.waits_ms / 60_000,
        "reminds_minutes": channel.reminds_ms.map(|ms| ms / 60_000),
        "cap_per_hour": channel.cap_per_hour,
        "second_channel_id": channel.second_channel_id.map(|id| id.to_string()),
        "created_at": rfc3339(channel.created_at),
        "revision": channel.revision,
    })
}

fn settings(settings: &ChannelSettings) -> Value {
    match settings {
        ChannelSettings::Email { server, port, security, username, password, from, to } => json!({
            "server": server, "port": port, "security": security.as_str(), "username": username,
            "has_password": !password.expose().is_empty(), "from": from, "to": to,
        }),
        ChannelSettings::Webhook { old_secret, .. } => json!({"has_old_secret": old_secret.is_some()}),
        ChannelSettings::Slack { .. } | ChannelSettings::Discord { .. } | ChannelSettings::Alertmanager { .. } => {
            Value::Object(Map::new())
        }
        ChannelSettings::Telegram { chat, server, .. } => json!({"chat": chat, "server": server}),
        ChannelSettings::Ntfy { server, token, .. } => json!({"server": server, "has_token": token.is_some()}),
        ChannelSettings::Pagerduty { server, .. } => json!({"server": server}),
    }
}

/// With the secret that was made for it now.
fn shown_once(channel: &Channel, input: &ChannelInput, draft: &ChannelDraft, stored: Option<&Channel>) -> Value {
    let mut whole = shown(channel);
    if let (true, ChannelSettings::Webhook { secret, .. }) = (makes_secret(input, draft, stored), &channel.settings) {
        whole["secret"] = secret.expose().into();
    }
    whole
}

fn switched(app: &App, account: &Account, channel: Channel, is_on: Option<bool>) -> Result<Channel, HttpError> {
    let Some(is_on) = is_on.filter(|is_on| *is_on != channel.is_on) else { return Ok(channel) };
    let done = app.wait(app.store.switch_channel(account.account_id, channel.channel_id, is_on, clock::now()));
    done.map_err(login::store)?.ok_or(HttpError::NotFound)
}

/// `GET /api/v1/channels` -> 200 `{channels}`, oldest first.
///
/// # Errors
/// 401.
pub fn list(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account;
    let channels = app.wait(app.store.channels(account.account_id)).map_err(login::store)?;
    Ok(Response::json(200, &json!({"channels": channels.iter().map(shown).collect::<Vec<_>>()})))
}

/// `POST /api/v1/channels` -> 201, the channel; with `secret` where the hub made one.
///
/// # Errors
/// 400 for what is no such object, 401, 409 when there are too many, 422 with the fields that cannot be accepted.
pub fn create(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account;
    let sent: Sent = body(request, "a channel")?;
    let is_on = sent.is_on;
    let input = sent.over(ChannelInput::fresh());
    let draft = parse(app, &account, &input, None)?.map_err(HttpError::Fields)?;
    let added = app.wait(app.store.add_channel(account.account_id, &draft, clock::now())).map_err(login::store)?;
    let channel = switched(app, &account, added.ok_or_else(|| HttpError::Conflict(too_many()))?, is_on)?;
    Ok(Response::json(201, &shown_once(&channel, &input, &draft, None)))
}

/// `GET /api/v1/channels/:id` -> 200.
///
/// # Errors
/// 401, 404 when not yours.
pub fn one(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account;
    Ok(Response::json(200, &shown(&load(app, &account, params.channel_id()?)?)))
}

/// `PATCH /api/v1/channels/:id` -> 200, the channel; what is not given stays as it is. With `revision` nothing is changed
/// unless it is still the current one.
///
/// # Errors
/// 400, 401, 404 when not yours, 409 when it was changed meanwhile, 422 with the fields that cannot be accepted.
pub fn change(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account;
    let before = load(app, &account, params.channel_id()?)?;
    readable(&before)?;
    let sent: Sent = body(request, "fields of a channel")?;
    let meanwhile = || HttpError::Conflict("The channel was changed meanwhile; get it again.".to_owned());
    if sent.revision.is_some_and(|revision| revision != before.revision) {
        return Err(meanwhile());
    }
    let is_on = sent.is_on;
    let names_port = matches!(sent.port, Given::Text(_));
    let mut input = sent.over(ChannelInput::of(&before));
    if !names_port {
        input.follow_protection(&before.settings);
    }
    let draft = parse(app, &account, &input, Some(&before))?.map_err(HttpError::Fields)?;
    let (id, revision) = (before.channel_id, before.revision);
    let saved = app.wait(app.store.edit_channel(account.account_id, id, revision, &draft)).map_err(login::store)?;
    let ChannelEdited::Saved(channel) = saved.ok_or(HttpError::NotFound)? else { return Err(meanwhile()) };
    let channel = switched(app, &account, channel, is_on)?;
    Ok(Response::json(200, &shown_once(&channel, &input, &draft, Some(&before))))
}

/// `DELETE /api/v1/channels/:id` -> 204.
///
/// # Errors
/// 401, 404 when not yours.
pub fn delete(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account;
    let gone = app.wait(app.store.delete_channel(account.account_id, params.channel_id()?, clock::now()));
    if !gone.map_err(login::store)? {
        return Err(HttpError::NotFound);
    }
    Ok(Response { status: 204, headers: Vec::new(), body: Vec::new() })
}

/// `POST /api/v1/channels/:id/test` -> 200 `{result, said, took_ms}`; `result` is delivered, again (it may work later) or
/// given_up (it cannot work).
///
/// # Errors
/// 401, 404 when not yours, 429 when too many tests are under way.
pub fn test(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account;
    let tried = channel::test_now(app, &account, params.channel_id()?)?;
    let result = match tried.result {
        TryResult::Delivered => "delivered",
        TryResult::Again => "again",
        TryResult::GivenUp => "given_up",
    };
    Ok(Response::json(200, &json!({"result": result, "said": tried.said, "took_ms": tried.took_ms})))
}
