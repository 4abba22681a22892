//! What chats take. In each, whatever came from outside is text and nothing else: no mention, no link, no format (T272).

use serde_json::{Value, json};

use super::{Message, Tone, words};

/// How services count: in UTF-16 code units, or in whole characters, which are never more.
fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// A text written for a service by `write`, a character at a time, of at most `limit` as `size` counts it. What does not fit
/// is cut between two characters, so that nothing is escaped by half.
fn fit(text: &str, limit: usize, size: fn(&str) -> usize, write: fn(char, &mut String)) -> String {
    const MORE: char = '…';
    let (mut fitted, mut one, mut used, mut cut_at) = (String::new(), String::new(), 0, 0);
    let room_for_more = limit.saturating_sub(size(MORE.encode_utf8(&mut [0; 4])));
    for c in text.chars() {
        one.clear();
        write(c, &mut one);
        used += size(&one);
        if used > limit {
            fitted.truncate(cut_at);
            fitted.push(MORE);
            return fitted;
        }
        fitted.push_str(&one);
        if used <= room_for_more {
            cut_at = fitted.len();
        }
    }
    fitted
}

/// As it is.
fn plain(c: char, to: &mut String) {
    to.push(c);
}

fn colour(tone: Tone) -> u32 {
    match tone {
        Tone::Bad => 0x00d2_3f3f,
        Tone::Warning => 0x00d9_8e04,
        Tone::Good => 0x002f_8f4e,
        Tone::Note => 0x0056_6b85,
    }
}

/// Slack reads three characters as the begin of links, mentions and entities.
fn of_slack(c: char, to: &mut String) {
    match c {
        '&' => to.push_str("&amp;"),
        '<' => to.push_str("&lt;"),
        '>' => to.push_str("&gt;"),
        c => to.push(c),
    }
}

/// Slack, incoming webhook with blocks. What came from outside stands in `plain_text` objects, which know no format, and
/// is escaped there too; only our own links are `mrkdwn`.
pub(super) fn slack(message: &Message) -> Value {
    let escaped = |text: &str, limit| fit(text, limit, units, of_slack);
    let plain = |text: &str, limit| json!({"type": "plain_text", "text": escaped(text, limit), "emoji": false});
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
    // A text has room for 3,000; a link that is cut leads nowhere.
    let link = |name: &str, url: &Option<String>| {
        let url = url.as_ref().map(|url| escaped(url, usize::MAX)).filter(|url| url.len() < 1_400)?;
        Some(format!("<{url}|{name}>"))
    };
    let links: Vec<String> = [link("Details", &message.links.page), link("Acknowledge", &message.links.acknowledge)]
        .into_iter()
        .flatten()
        .collect();
    if !links.is_empty() {
        blocks.push(json!({"type": "section", "text": {"type": "mrkdwn", "text": links.join("  ·  ")}}));
    }
    json!({
        "text": escaped(&message.title, 300), // of the notification
        "mrkdwn": false,
        "unfurl_links": false,
        "blocks": blocks,
    })
}

/// Discord's Markdown, made inert. Names are not turned into links by us; whole addresses Discord finds by itself.
fn of_discord(c: char, to: &mut String) {
    if matches!(c, '\\' | '*' | '_' | '~' | '`' | '|' | '>' | '<' | '[' | ']' | '(' | ')' | '#' | '-' | '@' | ':') {
        to.push('\\');
    }
    to.push(c);
}

/// Discord, webhook with an embed. Nobody is mentioned, whatever the text says.
pub(super) fn discord(message: &Message) -> Value {
    let escaped = |text: &str, limit| fit(text, limit, units, of_discord);
    let mut description = message.said.clone();
    if !message.list.is_empty() {
        let mut lines = message.list.clone();
        lines.extend(message.more_words());
        description = format!("{description}\n\n{}", lines.join("\n"));
    }
    // All texts of an embed together may have 6,000 characters: these, a title and six or seven facts.
    let mut description = escaped(&description, 1_500);
    // A link that is cut leads nowhere.
    if let Some(link) = message.links.acknowledge.as_ref().filter(|link| link.len() < 1_000) {
        description = format!("{description}\n\n[Acknowledge]({link})");
    }
    let fields: Vec<Value> = message
        .facts
        .iter()
        .take(7)
        .map(|(name, value)| json!({"name": name, "value": escaped(value, 400), "inline": value.len() < 40}))
        .collect();
    let mut embed = json!({
        "title": escaped(&message.title, 250),
        "description": description,
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
        "text": fit(&format!("{}\n\n{}", message.title, message.text()), 3_900, units, plain),
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
        "title": fit(&message.title, 200, units, plain),
        "message": fit(&lines.join("\n"), 4_000, str::len, plain), // 4,096 bytes, or it becomes a file
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
