//! Notifications of Uptime Kuma, as channels.

use serde_json::{Map, Value};

use super::carry::{Carry, Entries, text};
use super::kuma::Monitor;
use crate::model::manifest::{Kind, Out};

/// A notification; its settings are JSON in a text.
pub(super) fn channel(row: &Monitor<'_>, carry: &mut Carry) {
    let config = match row.get("config") {
        Some(Value::String(text)) => serde_json::from_str::<Map<String, Value>>(text).ok(),
        Some(Value::Object(map)) => Some(map.clone()),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_)) | None => Some(row.fields.clone()),
    };
    let name = row.text("name");
    let what = format!("notification \"{name}\"");
    let Some(config) = config else {
        return carry.lost(what, "Its settings cannot be read.");
    };
    let config = Monitor { fields: &config };
    let kind = config.text("type");
    let key = carry.key(&name, "channel");
    let mut entries: Entries = vec![("key".to_owned(), Out::text(&key)), ("name".to_owned(), Out::text(name))];
    let secret = |entries: &mut Entries, field: &str, found: &str, carry: &mut Carry| {
        let value = config.text(found);
        if !value.is_empty() {
            let value = carry.secret(&key, field, &value);
            entries.push((field.to_owned(), value));
        }
    };
    match kind.as_str() {
        "smtp" => {
            text(&mut entries, "kind", "email");
            text(&mut entries, "server", &config.text("smtpHost"));
            text(&mut entries, "port", &config.text("smtpPort"));
            text(&mut entries, "security", if config.flag("smtpSecure") { "tls" } else { "starttls" });
            text(&mut entries, "username", &config.text("smtpUsername"));
            secret(&mut entries, "password", "smtpPassword", carry);
            text(&mut entries, "from", &config.text("smtpFrom"));
            let to = [config.text("smtpTo"), config.text("smtpCC"), config.text("smtpBCC")].join(",");
            entries.push(("to".to_owned(), Out::List(addresses(&to).into_iter().map(Out::text).collect())));
            if !config.text("smtpCC").is_empty() || !config.text("smtpBCC").is_empty() {
                carry.lost(&what, "Whoever got a copy gets the mail itself.");
            }
            if config.flag("smtpIgnoreTLSError") {
                carry.lost(&what, "The server's certificate is verified here.");
            }
        }
        "slack" => {
            text(&mut entries, "kind", "slack");
            secret(&mut entries, "url", "slackwebhookURL", carry);
        }
        "discord" => {
            text(&mut entries, "kind", "discord");
            secret(&mut entries, "url", "discordWebhookUrl", carry);
        }
        "telegram" => {
            text(&mut entries, "kind", "telegram");
            secret(&mut entries, "token", "telegramBotToken", carry);
            text(&mut entries, "chat", &config.text("telegramChatID"));
            text(&mut entries, "server", &config.text("telegramServerUrl"));
        }
        "ntfy" if !matches!(config.text("ntfyAuthenticationMethod").as_str(), "" | "none" | "accessToken") => {
            return carry.lost(what, "It signs in with a user name; give ntfy an access token and add it by hand.");
        }
        "ntfy" => {
            text(&mut entries, "kind", "ntfy");
            text(&mut entries, "server", &config.text("ntfyserverurl"));
            secret(&mut entries, "topic", "ntfytopic", carry);
            secret(&mut entries, "token", "ntfyaccesstoken", carry);
        }
        "PagerDuty" => {
            text(&mut entries, "kind", "pagerduty");
            secret(&mut entries, "routing_key", "pagerdutyIntegrationKey", carry);
            let server = config.text("pagerdutyIntegrationUrl");
            let server = server.trim_end_matches("/v2/enqueue").trim_end_matches('/');
            if server != "https://events.pagerduty.com" {
                text(&mut entries, "server", server);
            }
        }
        "webhook" => {
            text(&mut entries, "kind", "webhook");
            secret(&mut entries, "url", "webhookURL", carry);
            carry.lost(&what, "Its receiver gets other JSON here, and a signature (docs/ALERTS.md).");
        }
        other => return carry.lost(what, format!("A notification of type {other}: there is no such channel here.")),
    }
    if row.get("active").is_some() && !row.flag("active") {
        entries.push(("is_on".to_owned(), Out::raw(false)));
    }
    carry.take(Kind::Channel, &what, entries);
}

/// Mail addresses of a list, without the names beside them.
pub(super) fn addresses(list: &str) -> Vec<String> {
    let parts = list.split([',', ';', '\n']).map(str::trim).filter(|part| !part.is_empty());
    let bare =
        |part: &str| part.rsplit_once('<').map_or(part, |(_, rest)| rest.trim_end_matches('>')).trim().to_owned();
    parts.map(bare).collect()
}
