//! Uptime Kuma: the backup of 1.x (JSON), or the rows of its database (1.x and 2.x) under the names of their columns.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::carry::{Carry, Entries, Import, header, tags, text};
use super::kuma_channel::channel;
use super::pointer::{pointer, value};
use crate::model::manifest::{Kind, Out};

/// What an installation of Uptime Kuma watches. `backup`: `{monitorList, notificationList}`, and `maintenanceList`,
/// `statusPageList` where the rows are from a database.
#[must_use]
pub fn kuma(backup: &Value) -> Import {
    let mut carry = Carry::default();
    let list = |name: &str| backup.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let monitors: Vec<Monitor<'_>> =
        list("monitorList").iter().filter_map(Value::as_object).map(|fields| Monitor { fields }).collect();
    let group = |monitor: &Monitor<'_>| Group {
        name: monitor.text("name"),
        parent: monitor.number("parent"),
        is_off: monitor.is_off(),
    };
    let groups: Groups = monitors
        .iter()
        .filter(|monitor| monitor.text("type") == "group")
        .map(|monitor| (monitor.number("id").unwrap_or_default(), group(monitor)))
        .collect();
    for notification in list("notificationList").iter().filter_map(Value::as_object) {
        channel(&Monitor { fields: notification }, &mut carry);
    }
    let mut retried = 0;
    for monitor in &monitors {
        match monitor.text("type").as_str() {
            "http" | "keyword" | "json-query" => {
                retried += usize::from(monitor.number("maxretries").unwrap_or_default() > 0);
                website(monitor, &groups, &mut carry);
            }
            "push" => job(monitor, &groups, &mut carry),
            "group" => {}
            other => {
                carry.lost(monitor.what(), format!("A monitor of type {other}: websites and jobs are watched here."));
            }
        }
    }
    if !groups.is_empty() {
        carry.lost(format!("{} groups", groups.len()), "They are tags now.");
    }
    if retried > 0 {
        let why = "A first failure is confirmed from other regions at once here, so there is no number to set.";
        carry.lost(format!("retries of {retried} monitors"), why);
    }
    if monitors.iter().any(|monitor| !monitor.text("description").is_empty()) {
        carry.lost("descriptions", "A website has none here; its name became its key.");
    }
    if !list("notificationList").is_empty() {
        let why = "All channels are told of all websites here; a channel may wait, and have a cap.";
        carry.lost("which monitor tells which notification", why);
    }
    for window in list("maintenanceList").iter().filter_map(Value::as_object) {
        let window = Monitor { fields: window };
        let why = "Maintenance windows are not carried: add it under maintenance in the file, or on its page.";
        carry.lost(format!("maintenance \"{}\"", window.text("title")), why);
    }
    let pages = list("statusPageList").len();
    if pages > 0 {
        carry.lost(format!("{pages} status pages"), "Make them anew: what is public is for you to name.");
    }
    carry.finish("kuma")
}

/// Monitors that hold others.
type Groups = HashMap<i64, Group>;

struct Group {
    name: String,
    parent: Option<i64>,
    is_off: bool,
}

/// Groups inside one another.
const GROUPS: usize = 5;

/// The groups that a monitor is in, the nearest first.
fn groups_of<'g>(monitor: &Monitor<'_>, groups: &'g Groups) -> impl Iterator<Item = &'g Group> {
    let nearest = monitor.number("parent").and_then(|id| groups.get(&id));
    std::iter::successors(nearest, |group| groups.get(&group.parent?)).take(GROUPS)
}

/// A row: its fields have the names of the backup, or of the database.
pub(super) struct Monitor<'a> {
    pub(super) fields: &'a Map<String, Value>,
}

impl Monitor<'_> {
    /// A field; its name as the database has it, words joined by underscores, which the backup mostly writes together.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        let mut camel = String::new();
        let mut parts = name.split('_');
        camel.push_str(parts.next().unwrap_or_default());
        for part in parts {
            let mut letters = part.chars();
            camel.extend(letters.next().map(|c| c.to_ascii_uppercase()));
            camel.push_str(letters.as_str());
        }
        self.fields.get(name).or_else(|| self.fields.get(&camel)).filter(|value| !value.is_null())
    }

    pub(super) fn text(&self, name: &str) -> String {
        match self.get(name) {
            Some(Value::String(text)) => text.trim().to_owned(),
            Some(Value::Number(number)) => number.to_string(),
            Some(Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) | None => String::new(),
        }
    }

    pub(super) fn number(&self, name: &str) -> Option<i64> {
        match self.get(name)? {
            Value::Number(number) => number.as_i64().or_else(|| number.as_f64().map(|n| n.ceil() as i64)),
            Value::String(text) => text.trim().parse().ok(),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        }
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        match self.get(name) {
            Some(Value::Bool(flag)) => *flag,
            Some(Value::Number(number)) => number.as_i64() != Some(0),
            Some(Value::String(text)) => matches!(text.as_str(), "1" | "true"),
            Some(Value::Null | Value::Array(_) | Value::Object(_)) | None => false,
        }
    }

    /// A list or map, which may be written as JSON in a text.
    fn json(&self, name: &str) -> Option<Value> {
        match self.get(name)? {
            Value::String(text) => serde_json::from_str(text).ok(),
            value => Some(value.clone()),
        }
    }

    fn what(&self) -> String {
        format!("monitor \"{}\"", self.text("name"))
    }

    fn is_off(&self) -> bool {
        self.get("active").is_some() && !self.flag("active")
    }
}

/// Whether it is not watched: what is in a group that is off is not, either.
fn is_paused(monitor: &Monitor<'_>, groups: &Groups) -> bool {
    monitor.is_off() || groups_of(monitor, groups).any(|group| group.is_off)
}

/// Tags of a monitor, and the groups it is in.
fn tag_names(monitor: &Monitor<'_>, groups: &Groups) -> Vec<String> {
    let mut names: Vec<String> = groups_of(monitor, groups).map(|group| group.name.clone()).collect();
    for tag in monitor.json("tags").as_ref().and_then(Value::as_array).into_iter().flatten() {
        let part = |name: &str| tag.get(name).and_then(Value::as_str).unwrap_or_default().trim().to_owned();
        names.push(match (part("name"), part("value")) {
            (name, value) if value.is_empty() => name,
            (name, value) => format!("{name}: {value}"),
        });
    }
    names
}

fn website(monitor: &Monitor<'_>, groups: &Groups, carry: &mut Carry) {
    let what = monitor.what();
    let auth = monitor.text("auth_method");
    let refused = if monitor.flag("upside_down") {
        Some("It is up when its website is down, which there is not here.".to_owned())
    } else if monitor.number("proxy_id").is_some() {
        Some("It is asked through a proxy, which there is not here.".to_owned())
    } else if !matches!(auth.as_str(), "" | "null" | "none" | "basic") {
        Some(format!("It signs in by {auth}; there are user name and password, and tokens, here."))
    } else {
        None
    };
    if let Some(why) = refused {
        return carry.lost(what, why);
    }
    let key = carry.key(&monitor.text("name"), "website");
    let interval_s = monitor.number("interval").unwrap_or(60).clamp(10, 86_400);
    let mut entries: Entries =
        vec![("key".to_owned(), Out::text(&key)), ("url".to_owned(), Out::text(monitor.text("url")))];
    entries.push(("interval_s".to_owned(), Out::raw(interval_s)));
    if let Some(timeout_s) = monitor.number("timeout").filter(|s| *s > 0) {
        if timeout_s > 60 {
            carry.lost(&what, format!("It waited for {timeout_s} s; a minute is the limit here."));
        }
        entries.push(("timeout_s".to_owned(), Out::raw(timeout_s.min(60).min(interval_s))));
    }
    let request = request(monitor, &key, &what, carry);
    if !request.is_empty() {
        entries.push(("request".to_owned(), Out::Map(request)));
    }
    match expect(monitor) {
        Ok(expect) if expect.is_empty() => {}
        Ok(expect) => entries.push(("expect".to_owned(), Out::Map(expect))),
        Err(why) => return carry.lost(what, why),
    }
    let tags = tags(tag_names(monitor, groups), &what, carry);
    if !tags.is_empty() {
        entries.push(("tags".to_owned(), Out::List(tags)));
    }
    if is_paused(monitor, groups) {
        entries.push(("paused".to_owned(), Out::raw(true)));
    }
    carry.take(Kind::Website, &what, entries);
}

fn request(monitor: &Monitor<'_>, key: &str, what: &str, carry: &mut Carry) -> Entries {
    let mut request = Entries::new();
    let method = monitor.text("method").to_ascii_uppercase();
    if !matches!(method.as_str(), "" | "GET") {
        text(&mut request, "method", &method);
    }
    let (mut headers, mut sign_in) = (Entries::new(), None);
    let named = monitor.json("headers");
    for (name, value) in named.as_ref().and_then(Value::as_object).into_iter().flatten() {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        header(key, name, &value, &mut headers, &mut sign_in, carry);
    }
    if named.is_none() && !monitor.text("headers").is_empty() {
        carry.lost(what, "Its header fields are not JSON; none is carried.");
    }
    let body = monitor.text("body");
    if !body.is_empty() && matches!(method.as_str(), "" | "GET" | "HEAD") {
        carry.lost(what, "A request with this method has no body here.");
    } else if !body.is_empty() {
        let kind = match monitor.text("http_body_encoding").as_str() {
            "xml" => "text/xml; charset=utf-8",
            "form" => "application/x-www-form-urlencoded",
            _ => "application/json",
        };
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            headers.push(("Content-Type".to_owned(), Out::text(kind)));
        }
        let body = carry.secret(key, "body", &body);
        request.push(("body".to_owned(), body));
    }
    if !headers.is_empty() {
        request.push(("headers".to_owned(), Out::Map(headers)));
    }
    let user = monitor.text("basic_auth_user");
    let password = monitor.get("basic_auth_pass").and_then(Value::as_str).unwrap_or_default();
    if !user.is_empty() && !matches!(monitor.text("auth_method").as_str(), "none" | "null") {
        let password = carry.secret(key, "password", password);
        sign_in = Some(Out::Map(vec![("username".to_owned(), Out::text(user)), ("password".to_owned(), password)]));
    }
    request.extend(sign_in.map(|sign_in| ("sign_in".to_owned(), sign_in)));
    let redirects = monitor.number("maxredirects").unwrap_or(10);
    if redirects > 10 {
        carry.lost(what, format!("It followed {redirects} redirects; 10 are the limit here."));
    }
    request.push(("max_redirects".to_owned(), Out::raw(redirects.clamp(0, 10))));
    match monitor.text("ip_family").as_str() {
        "ipv4" => text(&mut request, "ip_family", "v4"),
        "ipv6" => text(&mut request, "ip_family", "v6"),
        _ => {}
    }
    if monitor.flag("ignore_tls") {
        request.push(("insecure_tls".to_owned(), Out::raw(true)));
    }
    request
}

/// What is expected; or why that cannot be said here, so that "up" would mean less than it did.
fn expect(monitor: &Monitor<'_>) -> Result<Entries, String> {
    let mut expect = Entries::new();
    let codes = monitor.json("accepted_statuscodes").or_else(|| monitor.json("accepted_statuscodes_json"));
    let codes: Vec<&str> =
        codes.as_ref().and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    if !matches!(codes.as_slice(), [] | ["200-299"]) {
        expect.push(("accept".to_owned(), Out::text(codes.join(", "))));
    }
    let one = |name: &str, value: Out| (name.to_owned(), value);
    let content = match monitor.text("type").as_str() {
        "keyword" => {
            let keyword = monitor.get("keyword").and_then(Value::as_str).unwrap_or_default();
            let name = if monitor.flag("invert_keyword") { "lacks" } else { "contains" };
            vec![one(name, Out::text(keyword))]
        }
        "json-query" => {
            let (path, expected) = (monitor.text("json_path"), monitor.text("expected_value"));
            let operator = monitor.text("json_path_operator");
            if !matches!(operator.as_str(), "" | "==") {
                return Err(format!("Its answer is compared by \"{operator}\"; only equality is known here."));
            }
            let pointer = pointer(&path).ok_or_else(|| {
                format!("\"{path}\" is more than a path into the answer, which is what can be compared here.")
            })?;
            vec![one("json", Out::Text(pointer)), one("equals", Out::json(&value(&expected)))]
        }
        _ => return Ok(expect),
    };
    expect.push(one("content", Out::List(vec![Out::Map(content)])));
    Ok(expect)
}

fn job(monitor: &Monitor<'_>, groups: &Groups, carry: &mut Carry) {
    let what = monitor.what();
    let name = monitor.text("name");
    let key = carry.key(&name, "job");
    let period_s = monitor.number("interval").unwrap_or(60).clamp(60, 31_622_400);
    let retries = monitor.number("maxretries").unwrap_or_default().clamp(0, 1_000);
    let grace_s = (retries * monitor.number("retry_interval").unwrap_or(60).clamp(0, 86_400)).clamp(60, 2_592_000);
    let mut entries: Entries = vec![
        ("key".to_owned(), Out::text(key)),
        ("name".to_owned(), Out::text(name)),
        ("period_s".to_owned(), Out::raw(period_s)),
        ("grace_s".to_owned(), Out::raw(grace_s)),
    ];
    let tags = tags(tag_names(monitor, groups), &what, carry);
    if !tags.is_empty() {
        entries.push(("tags".to_owned(), Out::List(tags)));
    }
    if is_paused(monitor, groups) {
        entries.push(("paused".to_owned(), Out::raw(true)));
    }
    if carry.take(Kind::Job, &what, entries) {
        carry.lost(what, "It has another address to report to here; its page shows it.");
    }
}
