//! What chats take. In each, whatever came from outside is text and nothing else: no mention, no link, no format (T272).

use serde_json::{Value, json};

use super::{Message, Tone, words};

/// Cuts to what a service takes, in characters.
fn cut(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(limit.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

fn colour(tone: Tone) -> u32 {
    match tone {
        Tone::Bad => 0x00d2_3f3f,
        Tone::Warning => 0x00d9_8e04,
        Tone::Good => 0x002f_8f4e,
        Tone::Note => 0x0056_6b85,
    }
}

/// Slack reads these three as the begin of links and mentions.
fn of_slack(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Slack, incoming webhook with blocks. What came from outside stands in `plain_text` objects, which know no format, and
/// is escaped there too; only our own links are `mrkdwn`.
pub(super) fn slack(message: &Message) -> Value {
    let plain = |text: &str, limit| json!({"type": "plain_text", "text": cut(&of_slack(text), limit), "emoji": false});
    let mut blocks = vec![
        json!({"type": "header", "text": plain(&message.title, 150)}),
        json!({"type": "section", "text": plain(&message.said, 2_900)}),
    ];
    if !message.facts.is_empty() {
        let fields: Vec<Value> =
            message.facts.iter().take(10).map(|(name, value)| plain(&format!("{name}: {value}"), 1_900)).collect();
        blocks.push(json!({"type": "section", "fields": fields}));
    }
    if !message.list.is_empty() {
        let mut lines = message.list.clone();
        lines.extend(message.more_words());
        blocks.push(json!({"type": "section", "text": plain(&lines.join("\n"), 2_900)}));
    }
    let link = |name: &str, url: &Option<String>| url.as_ref().map(|url| format!("<{}|{name}>", of_slack(url)));
    let links: Vec<String> = [link("Details", &message.links.page), link("Acknowledge", &message.links.acknowledge)]
        .into_iter()
        .flatten()
        .collect();
    if !links.is_empty() {
        blocks.push(json!({"type": "section", "text": {"type": "mrkdwn", "text": links.join("  ·  ")}}));
    }
    json!({
        "text": cut(&of_slack(&message.title), 300), // of the notification
        "mrkdwn": false,
        "unfurl_links": false,
        "blocks": blocks,
    })
}

/// Discord's Markdown, made inert. Names are not turned into links by us; whole addresses Discord finds by itself.
fn of_discord(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\\' | '*' | '_' | '~' | '`' | '|' | '>' | '<' | '[' | ']' | '(' | ')' | '#' | '-' | '@' | ':') {
            safe.push('\\');
        }
        safe.push(c);
    }
    safe
}

/// Discord, webhook with an embed. Nobody is mentioned, whatever the text says.
pub(super) fn discord(message: &Message) -> Value {
    let mut description = of_discord(&message.said);
    if !message.list.is_empty() {
        let mut lines = message.list.clone();
        lines.extend(message.more_words());
        description = format!("{description}\n\n{}", of_discord(&lines.join("\n")));
    }
    if let Some(link) = &message.links.acknowledge {
        description = format!("{}\n\n[Acknowledge]({link})", cut(&description, 1_500));
    }
    // All texts of an embed together may have 6,000 characters.
    let fields: Vec<Value> = message
        .facts
        .iter()
        .take(8)
        .map(|(name, value)| json!({"name": name, "value": cut(&of_discord(value), 400), "inline": value.len() < 40}))
        .collect();
    let mut embed = json!({
        "title": cut(&of_discord(&message.title), 250),
        "description": cut(&description, 2_000),
        "color": colour(message.tone),
        "timestamp": words::rfc3339(message.at),
        "fields": fields,
    });
    if let Some(page) = &message.links.page {
        embed["url"] = json!(page);
    }
    json!({"embeds": [embed], "allowed_mentions": {"parse": []}})
}

/// Telegram, `sendMessage` without a parse mode: all of it is text.
pub(super) fn telegram(message: &Message) -> Value {
    json!({
        "text": cut(&format!("{}\n\n{}", message.title, message.text()), 3_500),
        "link_preview_options": {"is_disabled": true},
    })
}

/// ntfy, published as JSON: all of it is text.
pub(super) fn ntfy(message: &Message) -> Value {
    let (priority, tag) = match message.tone {
        Tone::Bad => (5, "rotating_light"),
        Tone::Warning => (4, "warning"),
        Tone::Good => (3, "white_check_mark"),
        Tone::Note => (3, "information_source"),
    };
    let mut lines = vec![message.said.clone()];
    lines.extend(message.facts.iter().map(|(name, value)| format!("{name}: {value}")));
    lines.extend(message.list.iter().map(|one| format!("- {one}")));
    lines.extend(message.more_words());
    let mut json = json!({
        "title": cut(&message.title, 200),
        "message": cut(&lines.join("\n"), 1_300), // 4,096 bytes, or it becomes a file
        "priority": priority,
        "tags": [tag],
    });
    if let Some(page) = &message.links.page {
        json["click"] = json!(page);
    }
    if let Some(link) = &message.links.acknowledge {
        json["actions"] = json!([{"action": "view", "label": "Acknowledge", "url": link}]);
    }
    json
}
