//! Alerting of Gatus, as channels.

use super::carry::{Carry, Entries, text};
use super::gatus::{addresses, secret, word};
use crate::model::manifest::{Kind, Node, Out, Value};

/// One channel for each provider that there is one like here.
pub(super) fn channels(alerting: &Node, carry: &mut Carry) {
    let Value::Map(providers) = &alerting.value else { return };
    for (name, node) in providers {
        let what = format!("alerting.{name}");
        let key = carry.key(name, "channel");
        let mut entries: Entries =
            vec![("key".to_owned(), Out::text(&key)), ("name".to_owned(), Out::text(title(name)))];
        let done = match name.as_str() {
            "slack" => secrets(&mut entries, "slack", &key, node, &[("url", "webhook-url")], carry),
            "discord" => secrets(&mut entries, "discord", &key, node, &[("url", "webhook-url")], carry),
            "telegram" => {
                text(&mut entries, "chat", &word(node, "id"));
                text(&mut entries, "server", &word(node, "api-url"));
                secrets(&mut entries, "telegram", &key, node, &[("token", "token")], carry)
            }
            "ntfy" => {
                text(&mut entries, "server", &word(node, "url"));
                secrets(&mut entries, "ntfy", &key, node, &[("topic", "topic"), ("token", "token")], carry)
            }
            "pagerduty" => secrets(&mut entries, "pagerduty", &key, node, &[("routing_key", "integration-key")], carry),
            "email" => {
                text(&mut entries, "server", &word(node, "host"));
                let port = word(node, "port");
                text(&mut entries, "port", &port);
                text(&mut entries, "security", if port == "465" { "tls" } else { "starttls" });
                let username = word(node, "username");
                // As Gatus does: who sends signs in.
                let username = if username.is_empty() && !word(node, "password").is_empty() {
                    word(node, "from")
                } else {
                    username
                };
                text(&mut entries, "username", &username);
                text(&mut entries, "from", &word(node, "from"));
                entries.push(("to".to_owned(), addresses(&word(node, "to"))));
                secrets(&mut entries, "email", &key, node, &[("password", "password")], carry)
            }
            _ => Err("There is no such channel here.".to_owned()),
        };
        if let Err(why) = done {
            carry.lost(what, why);
            continue;
        }
        if node.get("overrides").is_some() {
            carry.lost(&what, "Its overrides by group: all channels are told of all websites here.");
        }
        carry.take(Kind::Channel, &what, entries);
    }
    let why = "All channels are told of all websites here, and a failure is confirmed from other regions at once.";
    carry.lost("which endpoint alerts whom, and thresholds", why);
}

fn title(name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

fn secrets(
    entries: &mut Entries,
    kind: &str,
    key: &str,
    node: &Node,
    fields: &[(&str, &str)],
    carry: &mut Carry,
) -> Result<(), String> {
    text(entries, "kind", kind);
    for (field, theirs) in fields {
        let value = word(node, theirs);
        if value.is_empty() {
            continue;
        }
        match secret(key, field, &value, carry) {
            Some(value) => entries.push(((*field).to_owned(), value)),
            None => return Err(format!("{theirs} holds a variable beside other text; put all of it into one.")),
        }
    }
    Ok(())
}
