//! Gatus: its configuration as YAML.

use super::carry::{Carry, Entries, Import, header, reference, tags, text};
use super::gatus_conditions::conditions;
use super::span::{span_ms, span_s};
use super::{gatus_alerting, kuma_channel};
use crate::model::UtcMs;
use crate::model::manifest::{Kind, Node, Out, Problem, Problems, Value, parse};

/// Sections that are about the program itself.
const ITS_OWN: [&str; 13] = [
    "web",
    "storage",
    "security",
    "ui",
    "metrics",
    "connectivity",
    "remote",
    "concurrency",
    "skip-invalid-config-update",
    "disable-monitoring-lock",
    "announcements",
    "debug",
    "tunneling",
];
const CLIENT: [&str; 4] = ["insecure", "ignore-redirect", "timeout", "network"];

/// What a configuration of Gatus watches; `now` dates its maintenance.
///
/// # Errors
/// It is no YAML.
pub fn gatus(yaml: &str, now: UtcMs) -> Result<Import, Vec<Problem>> {
    let mut problems = Problems::default();
    let root = parse(yaml, &mut problems);
    let Some(root) = root.filter(|_| problems.is_empty()) else { return Err(problems.sorted()) };
    let mut carry = Carry::default();
    if let Some(alerting) = root.get("alerting") {
        gatus_alerting::channels(alerting, &mut carry);
    }
    for section in ["endpoints", "services"] {
        for endpoint in list(&root, section) {
            website(endpoint, now, &mut carry);
        }
    }
    for endpoint in list(&root, "external-endpoints") {
        job(endpoint, &mut carry);
    }
    for suite in list(&root, "suites") {
        let why = "A suite asks several addresses one after the other; watch each of them.";
        carry.lost(format!("suite \"{}\"", word(suite, "name")), why);
    }
    if let Some(maintenance) = root.get("maintenance") {
        window(maintenance, None, "maintenance", now, &mut carry);
    }
    let own: Vec<&str> = ITS_OWN.into_iter().filter(|name| root.get(name).is_some()).collect();
    if !own.is_empty() {
        carry.lost(own.join(", "), "These settings are about the program itself.");
    }
    Ok(carry.finish("gatus"))
}

/// The parts of a list.
fn list<'n>(node: &'n Node, name: &str) -> &'n [Node] {
    match node.get(name).map(|node| &node.value) {
        Some(Value::List(items)) => items,
        Some(Value::Null | Value::Scalar { .. } | Value::Map(_)) | None => &[],
    }
}

/// A text; empty where there is none.
pub(super) fn word(node: &Node, name: &str) -> String {
    node.get(name).and_then(Node::text).unwrap_or_default().trim().to_owned()
}

pub(super) fn is_true(node: &Node, name: &str) -> bool {
    word(node, name).eq_ignore_ascii_case("true")
}

/// A text with the name of a variable in it, which Gatus puts the variable's value in place of. `Some(None)`: more than
/// its name.
pub(super) fn variable(text: &str) -> Option<Option<&str>> {
    let plain = text.replace("$$", "");
    let at = plain.find('$')?;
    let after = plain[at + 1..].chars().next();
    if !after.is_some_and(|c| c == '{' || c == '_' || c.is_ascii_alphabetic()) {
        return None;
    }
    let is_name = |name: &&str| {
        !name.is_empty()
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && !name.starts_with(|c: char| c.is_ascii_digit())
    };
    let whole = text.strip_prefix('$');
    let whole = whole.map(|name| name.strip_prefix('{').and_then(|name| name.strip_suffix('}')).unwrap_or(name));
    Some(whole.filter(is_name))
}

/// A secret: where it is, when a variable holds it; else what it is.
pub(super) fn secret(key: &str, field: &str, value: &str, carry: &mut Carry) -> Option<Out> {
    match variable(value) {
        Some(Some(name)) => Some(reference(name)),
        Some(None) => None,
        None => Some(carry.secret(key, field, &value.replace("$$", "$"))),
    }
}

fn title(node: &Node) -> (String, String) {
    let (name, group) = (word(node, "name"), word(node, "group"));
    let whole = if group.is_empty() { name.clone() } else { format!("{group}/{name}") };
    (whole, group)
}

fn website(endpoint: &Node, now: UtcMs, carry: &mut Carry) {
    let (name, group) = title(endpoint);
    let what = format!("endpoint \"{name}\"");
    let url = word(endpoint, "url");
    let scheme = url.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase()).unwrap_or_default();
    let kinds = ["dns", "ssh"];
    if let Some(kind) = kinds.into_iter().find(|kind| endpoint.get(kind).is_some()) {
        return carry.lost(what, format!("It asks by {kind}; http and https are watched here."));
    }
    if !matches!(scheme.as_str(), "http" | "https") {
        let scheme: String = scheme.chars().take(20).collect();
        let how =
            if scheme.is_empty() { "Its address has no scheme".to_owned() } else { format!("It asks by {scheme}") };
        return carry.lost(what, format!("{how}; http and https are watched here."));
    }
    if variable(&url).is_some() {
        return carry.lost(what, "Its address holds a variable; write out what it stands for.");
    }
    let key = carry.key(&name, "website");
    let interval_s = span_s(&word(endpoint, "interval")).unwrap_or(60).clamp(10, 86_400);
    let mut entries: Entries = vec![
        ("key".to_owned(), Out::text(&key)),
        ("url".to_owned(), Out::text(url.replace("$$", "$"))),
        ("interval_s".to_owned(), Out::raw(interval_s)),
    ];
    let client = endpoint.get("client");
    if let Some(Value::Map(parts)) = client.map(|client| &client.value) {
        let odd: Vec<&str> =
            parts.iter().map(|(name, _)| name.as_str()).filter(|name| !CLIENT.contains(name)).collect();
        if !odd.is_empty() {
            return carry.lost(what, format!("client.{} is not known here.", odd.join(", client.")));
        }
    }
    let of_client = |name: &str| client.map(|client| word(client, name)).unwrap_or_default();
    let timeout_s = span_s(&of_client("timeout")).unwrap_or(10).clamp(1, 60).min(interval_s);
    entries.push(("timeout_s".to_owned(), Out::raw(timeout_s)));
    let mut request = match request(endpoint, &key, carry) {
        Ok(request) => request,
        Err(why) => return carry.lost(what, why),
    };
    if of_client("ignore-redirect") == "true" {
        request.push(("max_redirects".to_owned(), Out::raw(0)));
    }
    match of_client("network").as_str() {
        "ip4" => text(&mut request, "ip_family", "v4"),
        "ip6" => text(&mut request, "ip_family", "v6"),
        _ => {}
    }
    if of_client("insecure") == "true" {
        request.push(("insecure_tls".to_owned(), Out::raw(true)));
    }
    if !request.is_empty() {
        entries.push(("request".to_owned(), Out::Map(request)));
    }
    let said: Vec<&str> = list(endpoint, "conditions").iter().filter_map(Node::text).collect();
    if said.iter().any(|condition| variable(condition).is_some()) {
        return carry.lost(what, "A condition holds a variable; write out what it stands for.");
    }
    match conditions(&said) {
        Ok((expect, notes)) => {
            if !expect.is_empty() {
                entries.push(("expect".to_owned(), Out::Map(expect)));
            }
            notes.into_iter().for_each(|note| carry.lost(&what, note));
        }
        Err(why) => return carry.lost(what, why),
    }
    let tags = tags([group], &what, carry);
    if !tags.is_empty() {
        entries.push(("tags".to_owned(), Out::List(tags)));
    }
    if word(endpoint, "enabled") == "false" {
        entries.push(("paused".to_owned(), Out::raw(true)));
    }
    if carry.take(Kind::Website, &what, entries) {
        for own in list(endpoint, "maintenance-windows") {
            window(own, Some(&key), &format!("{what}, maintenance-windows"), now, carry);
        }
    }
}

fn request(endpoint: &Node, key: &str, carry: &mut Carry) -> Result<Entries, String> {
    let mut request = Entries::new();
    let mut method = word(endpoint, "method").to_ascii_uppercase();
    let mut body = endpoint.get("body").and_then(Node::text).unwrap_or_default().to_owned();
    let (mut headers, mut sign_in) = (Entries::new(), None);
    if let Some(Value::Map(fields)) = endpoint.get("headers").map(|node| &node.value) {
        for (name, value) in fields {
            let value = value.text().unwrap_or_default();
            let bearer = value.strip_prefix("Bearer ").map(str::trim);
            match (variable(value), bearer.and_then(variable)) {
                (None, _) => header(key, name, &value.replace("$$", "$"), &mut headers, &mut sign_in, carry),
                (Some(Some(variable)), _) => headers.push((name.clone(), reference(variable))),
                (Some(None), Some(Some(variable))) if name.eq_ignore_ascii_case("authorization") => {
                    sign_in = Some(Out::Map(vec![("token".to_owned(), reference(variable))]));
                }
                (Some(None), _) => {
                    return Err(format!(
                        "Header field {name} holds a variable beside other text; put all of it into one."
                    ));
                }
            }
        }
    }
    if variable(&body).is_some() {
        return Err("Its body holds a variable; put all of the body into a secret.".to_owned());
    }
    if is_true(endpoint, "graphql") {
        body = serde_json::json!({"query": body}).to_string();
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            headers.push(("Content-Type".to_owned(), Out::text("application/json")));
        }
        if method.is_empty() {
            "POST".clone_into(&mut method);
        }
    }
    if !matches!(method.as_str(), "" | "GET") {
        text(&mut request, "method", &method);
    }
    if !body.is_empty() {
        let body = carry.secret(key, "body", &body.replace("$$", "$"));
        request.push(("body".to_owned(), body));
    }
    if !headers.is_empty() {
        request.push(("headers".to_owned(), Out::Map(headers)));
    }
    request.extend(sign_in.map(|sign_in| ("sign_in".to_owned(), sign_in)));
    Ok(request)
}

fn job(endpoint: &Node, carry: &mut Carry) {
    let (name, group) = title(endpoint);
    let what = format!("external endpoint \"{name}\"");
    let period_s = endpoint.get("heartbeat").and_then(|heartbeat| span_s(&word(heartbeat, "interval")));
    let Some(period_s) = period_s.filter(|s| *s > 0) else {
        return carry.lost(what, "It has no heartbeat, so its silence means nothing; say how often it reports.");
    };
    let mut entries: Entries = vec![
        ("key".to_owned(), Out::text(carry.key(&name, "job"))),
        ("name".to_owned(), Out::text(&name)),
        ("period_s".to_owned(), Out::raw(period_s.max(60))),
    ];
    let tags = tags([group], &what, carry);
    if !tags.is_empty() {
        entries.push(("tags".to_owned(), Out::List(tags)));
    }
    if word(endpoint, "enabled") == "false" {
        entries.push(("paused".to_owned(), Out::raw(true)));
    }
    if carry.take(Kind::Job, &what, entries) {
        carry.lost(what, "It has another address to report to here; its page shows it.");
    }
}

fn window(node: &Node, website: Option<&str>, what: &str, now: UtcMs, carry: &mut Carry) {
    if word(node, "enabled") == "false" {
        return;
    }
    let (start, minutes) = (word(node, "start"), span_ms(&word(node, "duration")).map(|ms| ms / 60_000));
    let Some(minutes) = minutes.filter(|minutes| *minutes > 0 && !start.is_empty()) else {
        return carry.lost(what, "It says no start or no duration.");
    };
    let day = |name: &str| name.trim().to_lowercase().chars().take(3).collect::<String>();
    let days: Vec<String> = list(node, "every").iter().filter_map(Node::text).map(day).collect();
    let repeats = if days.is_empty() { "daily".to_owned() } else { format!("weekly:{}", days.join(",")) };
    let date = jiff::Timestamp::from_millisecond(now).map(|at| at.strftime("%Y-%m-%d").to_string()).unwrap_or_default();
    let zone = word(node, "timezone");
    let name = website
        .map_or_else(|| "Maintenance".to_owned(), |key| format!("Maintenance of {key}").chars().take(64).collect());
    let mut entries: Entries =
        vec![("key".to_owned(), Out::text(carry.key(&name, "maintenance"))), ("name".to_owned(), Out::text(name))];
    match website {
        Some(key) => text(&mut entries, "website", key),
        None => text(&mut entries, "scope", "all"),
    }
    text(&mut entries, "time_zone", if zone.is_empty() { "UTC" } else { &zone });
    text(&mut entries, "starts", &format!("{date}T{start}"));
    text(&mut entries, "repeats", &repeats);
    entries.push(("duration_minutes".to_owned(), Out::raw(minutes)));
    carry.take(Kind::Maintenance, what, entries);
}

/// Mail addresses of a list.
pub(super) fn addresses(list: &str) -> Out {
    Out::List(kuma_channel::addresses(list).into_iter().map(Out::text).collect())
}
