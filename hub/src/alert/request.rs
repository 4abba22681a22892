//! From what is kept of an alert and the settings of its channel: what goes over the wire; and from what came back: what
//! it means.

use serde_json::Value;
use url::Url;

use super::connect::{Reply, Trouble};
use super::{Alerts, Answered, mail, sign};
use crate::model::alert_retry::{Answer, retry_after_ms};
use crate::model::message::words;
use crate::model::{AlertId, Channel, ChannelSettings, SecretText, UtcMs};

/// Characters of an answer that are kept.
const SAID: usize = 512;
/// Of what a service says about its refusal.
const REASON: usize = 200;

/// Services whose words about a refusal are shown: they tell which setting is wrong. What other receivers say is not
/// (T094): whoever names one must not read through us what lies behind it.
const SERVICES: [&str; 8] = [
    "hooks.slack.com",
    "discord.com",
    "discordapp.com",
    "ptb.discord.com",
    "api.telegram.org",
    "ntfy.sh",
    "events.pagerduty.com",
    "events.eu.pagerduty.com",
];

/// A request that is ready to be sent.
pub(super) struct Outgoing {
    pub url: Url,
    /// Besides those every request has.
    pub headers: Vec<(&'static str, SecretText)>,
    pub body: Vec<u8>,
}

/// Why a channel's settings make no request.
const UNUSABLE: &str = "The settings of the channel cannot be used; look at them and save them again.";

impl Alerts {
    /// One try: sends these bytes and waits for the answer.
    pub(super) async fn send(&self, channel: &Channel, id: AlertId, payload: &str, now: UtcMs) -> Answered {
        let answered = match &channel.settings {
            ChannelSettings::Email { .. } => mail::send(&self.0.client, &self.0.head, &channel.settings, payload).await,
            settings => match outgoing(settings, id, payload, now) {
                Some(outgoing) => {
                    let host = outgoing.url.host_str().unwrap_or_default().to_owned();
                    match self.0.client.post(outgoing).await {
                        Ok(reply) => of_reply(&reply, &host, now),
                        Err(trouble) => of_trouble(&trouble),
                    }
                }
                None => Answered { answer: Answer::Refused, said: UNUSABLE.to_owned() },
            },
        };
        Answered { said: without_secrets(&channel.settings, &words::line(&answered.said, SAID)), ..answered }
    }
}

/// What a failure means.
pub(super) fn of_trouble(trouble: &Trouble) -> Answered {
    let answer = match trouble {
        Trouble::Blocked => Answer::Refused,
        Trouble::Name | Trouble::Connect(_) | Trouble::Tls(_) | Trouble::Timeout(_) | Trouble::Protocol => {
            Answer::Later { after_ms: None }
        }
    };
    Answered { answer, said: trouble.to_string() }
}

fn of_reply(reply: &Reply, host: &str, now: UtcMs) -> Answered {
    let known = hyper::StatusCode::from_u16(reply.status).ok();
    let name = known.and_then(|status| status.canonical_reason()).unwrap_or_default();
    let mut said = format!("It answered {} {name}", reply.status).trim().to_owned();
    let mut after_ms = reply.retry_after.as_deref().and_then(|value| retry_after_ms(value, now));
    let is_taken = (200..300).contains(&reply.status);
    if !is_taken && SERVICES.contains(&host) {
        let text = String::from_utf8_lossy(&reply.body);
        let json: Option<Value> = serde_json::from_str(&text).ok();
        // Telegram says it in the body.
        let asked = json.as_ref().and_then(|json| json.pointer("/parameters/retry_after")).and_then(Value::as_i64);
        after_ms = after_ms.or(asked.map(|s| s.saturating_mul(1_000)));
        let reason = json.as_ref().and_then(reason).unwrap_or(&text);
        if !reason.trim().is_empty() {
            said = format!("{said}: {}", words::line(reason, REASON));
        }
    } else if (300..400).contains(&reply.status) {
        said += ", a redirect, which is not followed";
    }
    said.push('.');
    Answered { answer: Answer::of_status(reply.status, after_ms), said }
}

/// Where services put their words.
fn reason(json: &Value) -> Option<&str> {
    ["/description", "/message", "/error", "/errors/0"].iter().find_map(|place| json.pointer(place)?.as_str())
}

/// Whatever a receiver repeats of what it was sent.
pub(super) fn without_secrets(settings: &ChannelSettings, said: &str) -> String {
    let secrets: Vec<&SecretText> = match settings {
        ChannelSettings::Email { password, .. } => vec![password],
        ChannelSettings::Webhook { url, secret, old_secret } => {
            [Some(url), Some(secret), old_secret.as_ref()].into_iter().flatten().collect()
        }
        ChannelSettings::Slack { url } | ChannelSettings::Discord { url } | ChannelSettings::Alertmanager { url } => {
            vec![url]
        }
        ChannelSettings::Telegram { token, .. } => vec![token],
        ChannelSettings::Ntfy { topic, token, .. } => [Some(topic), token.as_ref()].into_iter().flatten().collect(),
        ChannelSettings::Pagerduty { routing_key, .. } => vec![routing_key],
    };
    secrets
        .iter()
        .filter(|secret| secret.expose().len() >= 4)
        .fold(said.to_owned(), |said, secret| said.replace(secret.expose(), "(hidden)"))
}

/// `None`: the settings are none that we would have saved, or the payload is not ours.
fn outgoing(settings: &ChannelSettings, id: AlertId, payload: &str, now: UtcMs) -> Option<Outgoing> {
    let mut headers = Vec::new();
    let mut body = payload.as_bytes().to_vec();
    let url = match settings {
        ChannelSettings::Email { .. } => return None,
        ChannelSettings::Webhook { url, secret, old_secret } => {
            let (id, timestamp_s) = (id.to_string(), now.div_euclid(1_000));
            let signature = sign::webhook(secret, old_secret.as_ref(), &id, timestamp_s, &body)?;
            headers.push(("webhook-id", SecretText::new(id)));
            headers.push(("webhook-timestamp", SecretText::new(timestamp_s.to_string())));
            headers.push(("webhook-signature", SecretText::new(signature)));
            Url::parse(url.expose())
        }
        ChannelSettings::Slack { url } | ChannelSettings::Discord { url } => Url::parse(url.expose()),
        ChannelSettings::Telegram { token, chat, server } => {
            body = with(payload, "chat_id", chat)?;
            let server = server.as_deref().unwrap_or("https://api.telegram.org");
            Url::parse(&format!("{server}/bot{}/sendMessage", token.expose()))
        }
        ChannelSettings::Ntfy { server, topic, token } => {
            body = with(payload, "topic", topic.expose())?;
            if let Some(token) = token {
                headers.push(("authorization", SecretText::new(format!("Bearer {}", token.expose()))));
            }
            Url::parse(server)
        }
        ChannelSettings::Pagerduty { routing_key, server } => {
            body = with(payload, "routing_key", routing_key.expose())?;
            let server = server.as_deref().unwrap_or("https://events.pagerduty.com");
            Url::parse(&format!("{server}/v2/enqueue"))
        }
        ChannelSettings::Alertmanager { url } => Url::parse(&format!("{}/api/v2/alerts", url.expose())),
    };
    Some(Outgoing { url: url.ok()?, headers, body })
}

/// The payload with what only the channel knows. Its fields are in order of name, so that the bytes are the same each time.
fn with(payload: &str, field: &str, value: &str) -> Option<Vec<u8>> {
    let mut json: Value = serde_json::from_str(payload).ok()?;
    json.as_object_mut()?.insert(field.to_owned(), Value::String(value.to_owned()));
    serde_json::to_vec(&json).ok()
}
