//! What each service says it takes, as rules in our words; and that every message keeps to them, whatever is in it: what
//! breaks one is refused, and nobody is told. Texts are counted in UTF-16 code units, the most that any of them counts.

use super::hostile::{Random, message};
use super::*;
use crate::model::ChannelKind;

fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

fn text(json: &Value) -> &str {
    json.as_str().unwrap_or_else(|| panic!("{json} is no text"))
}

/// A text that is there, of so many units at most.
fn is_text(json: &Value, most: usize) {
    let text = text(json);
    assert!(!text.trim().is_empty(), "an empty text");
    assert!(units(text) <= most, "{} of {most}: {text}", units(text));
}

fn is_link(json: &Value) {
    let url = ::url::Url::parse(text(json)).expect("an address");
    assert!(matches!(url.scheme(), "http" | "https"), "{url}");
}

fn is_instant(json: &Value) {
    let text = text(json);
    assert!(text.parse::<jiff::Timestamp>().is_ok() && text.contains('T') && text.ends_with('Z'), "{text}");
}

/// Only these fields.
fn has_only(json: &Value, known: &[&str]) {
    for name in json.as_object().expect("an object").keys() {
        assert!(known.contains(&name.as_str()), "{name} is unknown there");
    }
}

/// Incoming webhooks and Block Kit: 50 blocks; a header is plain text of 150; a section has a text of 3,000, or up to ten
/// fields of 2,000. No text is empty. Every `&`, `<` and `>` of a text is an entity, or part of a link of ours.
fn slack(json: &Value) {
    has_only(json, &["text", "mrkdwn", "unfurl_links", "blocks"]);
    is_text(&json["text"], 40_000);
    let blocks = json["blocks"].as_array().expect("blocks");
    assert!((1..=50).contains(&blocks.len()));
    let is_plain = |object: &Value, most| {
        has_only(object, &["type", "text", "emoji"]);
        assert_eq!(object["type"], "plain_text");
        is_text(&object["text"], most);
        let bare = ["&amp;", "&lt;", "&gt;"].iter().fold(text(&object["text"]).to_owned(), |t, e| t.replace(e, ""));
        assert!(!bare.contains(['&', '<', '>']), "{bare}");
    };
    for block in blocks {
        match text(&block["type"]) {
            "header" => is_plain(&block["text"], 150),
            "section" if block.get("fields").is_some() => {
                let fields = block["fields"].as_array().expect("fields");
                assert!((1..=10).contains(&fields.len()));
                fields.iter().for_each(|field| is_plain(field, 2_000));
            }
            "section" if block["text"]["type"] == "mrkdwn" => {
                is_text(&block["text"]["text"], 3_000);
                for link in text(&block["text"]["text"]).split("  ·  ") {
                    let (url, name) =
                        link.strip_prefix('<').and_then(|l| l.strip_suffix('>')?.split_once('|')).expect("a link");
                    is_link(&url.replace("&amp;", "&").into());
                    assert!(["Details", "Acknowledge"].contains(&name));
                }
            }
            "section" => is_plain(&block["text"], 3_000),
            other => panic!("a block of type {other}"),
        }
    }
}

/// Webhooks and embeds: a title of 256, a description of 4,096, 25 fields with names of 256 and values of 1,024, none of them
/// empty, 6,000 in all. Nobody is mentioned.
fn discord(json: &Value) {
    has_only(json, &["embeds", "allowed_mentions"]);
    assert_eq!(json["allowed_mentions"], serde_json::json!({"parse": []}));
    let embeds = json["embeds"].as_array().expect("embeds");
    assert_eq!(embeds.len(), 1);
    let embed = &embeds[0];
    has_only(embed, &["title", "description", "color", "timestamp", "fields", "url"]);
    is_text(&embed["title"], 256);
    is_text(&embed["description"], 4_096);
    is_instant(&embed["timestamp"]);
    assert!(embed["color"].as_u64().is_some_and(|colour| colour <= 0x00ff_ffff));
    embed.get("url").into_iter().for_each(is_link);
    let fields = embed["fields"].as_array().expect("fields");
    assert!(fields.len() <= 25);
    let mut all = units(text(&embed["title"])) + units(text(&embed["description"]));
    for field in fields {
        has_only(field, &["name", "value", "inline"]);
        is_text(&field["name"], 256);
        is_text(&field["value"], 1_024);
        assert!(field["inline"].is_boolean());
        all += units(text(&field["name"])) + units(text(&field["value"]));
    }
    assert!(all <= 6_000, "{all} in all");
    if let Some(kept) = text(&embed["title"]).strip_suffix('…') {
        let slashes = kept.chars().rev().take_while(|c| *c == '\\').count();
        assert_eq!(slashes % 2, 0, "half an escape: {kept}");
    }
}

/// `sendMessage`: a text of 1 to 4,096 after its entities; there are none, since no parse mode is named.
fn telegram(json: &Value) {
    has_only(json, &["text", "link_preview_options"]);
    is_text(&json["text"], 4_096);
    assert_eq!(json["link_preview_options"], serde_json::json!({"is_disabled": true}));
}

/// Published as JSON: a message of 4,096 bytes (a longer one becomes a file), priorities from 1 to 5, three actions.
fn ntfy(json: &Value) {
    has_only(json, &["title", "message", "priority", "tags", "click", "actions"]);
    is_text(&json["title"], 250);
    is_text(&json["message"], 4_096);
    assert!(text(&json["message"]).len() <= 4_096, "it would become a file");
    assert!(json["priority"].as_u64().is_some_and(|priority| (1..=5).contains(&priority)));
    json["tags"].as_array().expect("tags").iter().for_each(|tag| is_text(tag, 50));
    json.get("click").into_iter().for_each(is_link);
    let actions = json.get("actions").and_then(Value::as_array).cloned().unwrap_or_default();
    assert!(actions.len() <= 3);
    for action in actions {
        has_only(&action, &["action", "label", "url"]);
        assert_eq!(action["action"], "view");
        is_text(&action["label"], 100);
        is_link(&action["url"]);
    }
}

/// Events API v2: an action, a key of 255 that names the alert; what triggers also has a payload with a summary of 1,024, a
/// source, a severity of four; links have an address and a text. An event has 512 KB.
fn pagerduty(json: &Value) {
    assert!(json.to_string().len() <= 500_000);
    has_only(json, &["event_action", "dedup_key", "payload", "client", "client_url", "links"]);
    is_text(&json["dedup_key"], 255);
    match text(&json["event_action"]) {
        "acknowledge" | "resolve" => has_only(json, &["event_action", "dedup_key"]),
        "trigger" => {
            let payload = &json["payload"];
            has_only(payload, &["summary", "source", "severity", "timestamp", "class", "custom_details"]);
            for field in ["summary", "source", "class"] {
                is_text(&payload[field], 1_024);
            }
            assert!(["critical", "error", "warning", "info"].contains(&text(&payload["severity"])));
            is_instant(&payload["timestamp"]);
            assert!(payload["custom_details"].is_object());
            is_text(&json["client"], 1_024);
            json.get("client_url").into_iter().for_each(is_link);
            for link in json["links"].as_array().expect("links") {
                has_only(link, &["href", "text"]);
                is_link(&link["href"]);
                is_text(&link["text"], 1_024);
            }
        }
        other => panic!("the action {other}"),
    }
}

/// API v2, `postableAlerts`: labels and annotations are texts by names of letters, digits and underscores, not beginning with
/// a digit; instants are RFC 3339, and none ends before it begins; the generator is an address.
fn alertmanager(json: &Value) {
    for alert in json.as_array().expect("a list") {
        has_only(alert, &["labels", "annotations", "startsAt", "endsAt", "generatorURL"]);
        for (name, value) in ["labels", "annotations"].iter().flat_map(|of| alert[*of].as_object().expect("an object"))
        {
            let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
                && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
            assert!(is_name && value.is_string(), "{name}: {value}");
        }
        is_text(&alert["labels"]["alertname"], 100);
        is_instant(&alert["startsAt"]);
        is_instant(&alert["endsAt"]);
        assert!(text(&alert["startsAt"]) < text(&alert["endsAt"]));
        alert.get("generatorURL").into_iter().for_each(is_link);
    }
}

/// Standard Webhooks: a type in words and dots, an instant, and data.
fn webhook(json: &Value) {
    has_only(json, &["type", "version", "timestamp", "data"]);
    is_text(&json["type"], 100);
    assert!(text(&json["type"]).chars().all(|c| c.is_ascii_lowercase() || matches!(c, '.' | '_')));
    is_instant(&json["timestamp"]);
    assert!(json["data"].is_object());
}

/// RFC 5322: lines of 998 at most, in ASCII, as everything else is encoded; a head, an empty line, a body.
fn mail(sent: &str) {
    assert!(sent.is_ascii());
    assert!(sent.split("\r\n").all(|line| line.len() <= 998 && !line.contains(['\r', '\n', '\0'])));
    assert!(sent.contains("\r\n\r\n"));
}

fn check(kind: ChannelKind, sent: &str) {
    assert!(!sent.contains("s3cret"));
    let json = || serde_json::from_str::<Value>(sent).expect("JSON");
    match kind {
        ChannelKind::Email => mail(sent),
        ChannelKind::Webhook => webhook(&json()),
        ChannelKind::Slack => slack(&json()),
        ChannelKind::Discord => discord(&json()),
        ChannelKind::Telegram => telegram(&json()),
        ChannelKind::Ntfy => ntfy(&json()),
        ChannelKind::Pagerduty => pagerduty(&json()),
        ChannelKind::Alertmanager => alertmanager(&json()),
    }
}

#[test]
fn t272_every_message_is_what_its_service_documents_whatever_it_is_about() {
    for event in AlertEvent::ALL.iter().copied() {
        for seed in 0..40 {
            let message = message(event, &mut Random(seed));
            for settings in all_kinds() {
                let (kind, sent) = (settings.kind(), render(&message, &settings));
                let is_fine = std::panic::catch_unwind(|| check(kind, &sent)).is_ok();
                assert!(is_fine, "{event} by {kind}, seed {seed}: {sent:.3000}");
            }
        }
    }
}
