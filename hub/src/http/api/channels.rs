//! `/api/v1/channels`: where an account is told. What is a secret goes in and never comes out, but for the one that the hub
//! makes for a webhook: that is in the answer to the request that made it, once.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::shape::{At, Id};
use super::{body, done, revision};
use crate::clock;
use crate::http::openapi::{Group, Operation, of};
use crate::http::pages::channel::{load, readable};
use crate::http::pages::channel_form::{makes_secret, parse, too_many};
use crate::http::pages::{channel, channel_words};
use crate::http::{App, HttpError, Request, Response, login, route::Params};
use crate::model::{Account, Channel, ChannelDraft, ChannelInput, ChannelSettings, SecretText, TryResult};
use crate::store::ChannelEdited;

/// What is declared of it.
pub static GROUP: Group = Group {
    name: "Channels",
    about: "Where people are told. What is a secret goes in and never comes out.",
    operations: &[
        Operation::get("/api/v1/channels", "listChannels", "All channels, oldest first. There are 50 at most.")
            .json(of::<ChannelList<'static>>),
        Operation::post(
            "/api/v1/channels",
            "addChannel",
            "Adds a channel. Which fields it needs depends on its kind; a webhook without a secret is given one, which is told once.",
        )
        .body(of::<Sent>, &["name", "kind"])
        .status(201)
        .json(of::<Shown<'static>>)
        .also(&[409]),
        Operation::get("/api/v1/channels/:id", "getChannel", "A channel.").json(of::<Shown<'static>>),
        Operation::patch("/api/v1/channels/:id", "changeChannel", "Changes a channel. What is left out stays as it is.")
            .body(of::<Sent>, &[])
            .json(of::<Shown<'static>>)
            .revision(),
        Operation::delete("/api/v1/channels/:id", "deleteChannel", "Deletes a channel. What waits for it is cancelled.")
            .revision(),
        Operation::post("/api/v1/channels/:id/test", "testChannel", "Sends a message now, and tells what came of it.")
            .json(of::<Tested>),
    ],
};

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

impl JsonSchema for Given {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Given".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["string", "number", "array", "null"], "items": {"type": "string"}})
    }
}

/// Fields of a channel, as they are named in the form. Of a text that is one of several lines a list will do, of a number its
/// text, of nothing null.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "ChannelInput")]
struct Sent {
    /// What its owner calls it.
    name: Given,
    /// email, webhook, slack, discord, telegram, ntfy, pagerduty or alertmanager.
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

/// A channel, without its secrets.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Channel")]
struct Shown<'a> {
    /// Its name in paths.
    id: Id,
    /// What its owner calls it.
    name: &'a str,
    /// What it is: email, webhook, slack, discord, telegram, ntfy, pagerduty or alertmanager.
    kind: &'a str,
    /// A newer version wrote it, and this one cannot send through it.
    is_unreadable: bool,
    /// Where it leads, as far as that is no secret.
    target: String,
    /// What its kind has besides.
    settings: Settings<'a>,
    /// Whether it is used.
    is_on: bool,
    /// Since when it has failed.
    failing_since_at: Option<At>,
    /// When it was given up.
    broken_at: Option<At>,
    /// Why.
    broken_reason: Option<&'a str>,
    /// Also told of what single regions cannot reach.
    tells_regional: bool,
    /// Also told of trouble of the installation.
    tells_operator: bool,
    /// Told of what has lasted so long.
    waits_minutes: i64,
    /// Told again after so long, while nobody has taken it on.
    reminds_minutes: Option<i64>,
    /// Messages an hour; what is more is told in one.
    cap_per_hour: i64,
    /// Told instead while this one does not work.
    second_channel_id: Option<Id>,
    /// When it was added.
    created_at: At,
    /// Grows with every edit.
    revision: i64,
    /// The secret that was made for it by this request: it is told once.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<&'a str>,
}

/// All channels.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ChannelList")]
struct ChannelList<'a> {
    channels: Vec<Shown<'a>>,
}

/// What came of a test.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ChannelTest")]
struct Tested {
    /// delivered; again: it may work later; given_up: it cannot work.
    #[schemars(extend("enum" = ["delivered", "again", "given_up"]))]
    result: &'static str,
    /// What the receiver said.
    said: String,
    /// How long it took.
    took_ms: i64,
}

fn shown(channel: &Channel) -> Shown<'_> {
    Shown {
        id: channel.channel_id.into(),
        name: &channel.name,
        kind: channel.kind_name(),
        is_unreadable: channel.unreadable.is_some(),
        target: channel_words::target_of(channel),
        settings: settings(&channel.settings),
        is_on: channel.is_on,
        failing_since_at: channel.failing_since_at.map(At),
        broken_at: channel.broken.as_ref().map(|(at, _)| At(*at)),
        broken_reason: channel.broken.as_ref().map(|(_, why)| why.as_str()),
        tells_regional: channel.tells_regional,
        tells_operator: channel.tells_operator,
        waits_minutes: channel.waits_ms / 60_000,
        reminds_minutes: channel.reminds_ms.map(|ms| ms / 60_000),
        cap_per_hour: channel.cap_per_hour,
        second_channel_id: channel.second_channel_id.map(Id::from),
        created_at: At(channel.created_at),
        revision: channel.revision,
        secret: None,
    }
}

/// What a channel of a kind has besides, without its secrets.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "ChannelSettings")]
enum Settings<'a> {
    Email {
        server: &'a str,
        port: u16,
        security: &'static str,
        username: &'a str,
        has_password: bool,
        from: &'a str,
        to: &'a [String],
    },
    Telegram {
        chat: &'a str,
        server: Option<&'a str>,
    },
    Ntfy {
        server: &'a str,
        has_token: bool,
    },
    Webhook {
        has_old_secret: bool,
    },
    Pagerduty {
        server: Option<&'a str>,
    },
    Nothing {},
}

fn settings(settings: &ChannelSettings) -> Settings<'_> {
    match settings {
        ChannelSettings::Email { server, port, security, username, password, from, to } => Settings::Email {
            server,
            port: *port,
            security: security.as_str(),
            username,
            has_password: !password.expose().is_empty(),
            from,
            to,
        },
        ChannelSettings::Webhook { old_secret, .. } => Settings::Webhook { has_old_secret: old_secret.is_some() },
        ChannelSettings::Slack { .. } | ChannelSettings::Discord { .. } | ChannelSettings::Alertmanager { .. } => {
            Settings::Nothing {}
        }
        ChannelSettings::Telegram { chat, server, .. } => Settings::Telegram { chat, server: server.as_deref() },
        ChannelSettings::Ntfy { server, token, .. } => Settings::Ntfy { server, has_token: token.is_some() },
        ChannelSettings::Pagerduty { server, .. } => Settings::Pagerduty { server: server.as_deref() },
    }
}

/// With the secret that was made for it now.
fn shown_once<'a>(
    channel: &'a Channel,
    input: &ChannelInput,
    draft: &ChannelDraft,
    stored: Option<&Channel>,
) -> Shown<'a> {
    let mut whole = shown(channel);
    if let (true, ChannelSettings::Webhook { secret, .. }) = (makes_secret(input, draft, stored), &channel.settings) {
        whole.secret = Some(secret.expose());
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
    Ok(Response::json(200, &ChannelList { channels: channels.iter().map(shown).collect() }))
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
    Ok(revision::answer(201, &shown_once(&channel, &input, &draft, None), channel.revision))
}

/// `GET /api/v1/channels/:id` -> 200.
///
/// # Errors
/// 401, 404 when not yours.
pub fn one(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account;
    let channel = load(app, &account, params.channel_id()?)?;
    Ok(revision::answer(200, &shown(&channel), channel.revision))
}

/// `PATCH /api/v1/channels/:id` -> 200, the channel; what is not given stays as it is. With `revision` or `If-Match`
/// nothing is changed unless it is still that.
///
/// # Errors
/// 400, 401, 404 when not yours, 409 or 412 when it was changed meanwhile, 422 with the fields that cannot be accepted.
pub fn change(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account;
    let before = load(app, &account, params.channel_id()?)?;
    readable(&before)?;
    let sent: Sent = body(request, "fields of a channel")?;
    revision::expect(request, sent.revision, before.revision)?;
    let is_on = sent.is_on;
    let names_port = matches!(sent.port, Given::Text(_));
    let mut input = sent.over(ChannelInput::of(&before));
    if !names_port {
        input.follow_protection(&before.settings);
    }
    let draft = parse(app, &account, &input, Some(&before))?.map_err(HttpError::Fields)?;
    let saved = app.store.edit_channel(account.account_id, before.channel_id, before.revision, &draft);
    let ChannelEdited::Saved(channel) = app.wait(saved).map_err(login::store)?.ok_or(HttpError::NotFound)? else {
        return Err(revision::meanwhile(request));
    };
    let channel = switched(app, &account, channel, is_on)?;
    Ok(revision::answer(200, &shown_once(&channel, &input, &draft, Some(&before)), channel.revision))
}

/// `DELETE /api/v1/channels/:id` -> 204.
///
/// # Errors
/// 401, 404 when not yours.
pub fn delete(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account;
    if request.header("if-match").is_some() {
        revision::expect(request, None, load(app, &account, params.channel_id()?)?.revision)?;
    }
    let gone = app.wait(app.store.delete_channel(account.account_id, params.channel_id()?, clock::now()));
    if !gone.map_err(login::store)? {
        return Err(HttpError::NotFound);
    }
    Ok(done())
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
    Ok(Response::json(200, &Tested { result, said: tried.said, took_ms: tried.took_ms }))
}
