//! A website in a file: address, times, regions, how it is asked and what is expected.

use super::about;
use super::fields::Fields;
use super::problem::Problems;
use super::read::Reading;
use super::secret::{Given, given, given_as};
use super::spec::{Known, Spec, WebsiteSpec};
use super::yaml::{Node, Value};
use crate::model::{
    ContentInput, ContentKind, OptionsInput, SecretText, SettingsInput, SignIn, WebsiteSettings, is_shown_header,
};

const FIELDS: [&str; 7] = ["key", "url", "interval_s", "timeout_s", "regions", "request", "expect"];
const REQUEST: [&str; 8] =
    ["method", "headers", "body", "sign_in", "user_agent", "max_redirects", "ip_family", "insecure_tls"];
const SIGN_IN: [&str; 3] = ["username", "password", "token"];
const EXPECT: [&str; 5] = ["accept", "content", "slow_ms", "certificate_days", "require_https"];
const CONTENT: [&str; 6] = ["contains", "lacks", "matches", "json", "header", "equals"];

pub(super) fn known_fields() -> Vec<&'static str> {
    FIELDS.iter().chain(&about::FIELDS).copied().collect()
}

/// A website of a file. `stored`: the one that it is, where there is one.
pub(super) fn read(fields: &Fields<'_>, stored: Option<&Known>, reading: &mut Reading<'_, '_>) -> Option<Spec> {
    let before = stored.and_then(|known| match &known.spec {
        Spec::Website(website) => Some(&website.settings),
        Spec::Job(_) | Spec::Channel(_) | Spec::Maintenance(_) | Spec::StatusPage(_) => None,
    });
    let (request, expect) = {
        let problems = &mut reading.problems;
        (fields.within("request", &REQUEST, problems), fields.within("expect", &EXPECT, problems))
    };
    let options = options(&request, &expect, before, reading);
    let problems = &mut reading.problems;
    let regions = fields.texts("regions", problems);
    let regions: Vec<&str> = regions.iter().map(String::as_str).collect();
    let (url, interval_s, timeout_s) =
        (fields.text("url", problems), fields.text("interval_s", problems), fields.text("timeout_s", problems));
    let input = SettingsInput {
        url: &url,
        interval_s: &interval_s,
        timeout_s: &timeout_s,
        regions: &regions,
        options: Some(&options),
    };
    let contents = expect.list("content");
    let at = |field: &str| {
        let row = field.strip_prefix("content_").and_then(|n| n.parse::<usize>().ok());
        match (field, row) {
            (_, Some(n)) => {
                let line = contents.get(n.saturating_sub(1)).map_or(expect.line("content"), |node| node.line);
                (line, expect.place("content"))
            }
            ("credentials", _) => (request.line("sign_in"), request.place("sign_in")),
            (field, _) if REQUEST.contains(&field) => (request.line(field), request.place(field)),
            (field, _) if EXPECT.contains(&field) => (expect.line(field), expect.place(field)),
            (field, _) => (fields.line(field), fields.place(field)),
        }
    };
    let settings = input.parse(reading.context.rules, before).map_err(|errors| problems.take(errors, at)).ok();
    if let Some(settings) = &settings
        && before.is_none_or(|before| before.regions != settings.regions)
    {
        let known = reading.context.regions;
        for region in settings.regions.iter().filter(|region| !known.contains(region)) {
            let names: Vec<&str> = known.iter().map(|region| region.as_str()).collect();
            let remedy = format!("There is no such region; there are: {}.", names.join(", "));
            problems.add(fields.line("regions"), fields.place("regions"), region.as_str(), remedy);
        }
    }
    let about = about::read(fields, reading);
    Some(Spec::Website(Box::new(WebsiteSpec { settings: settings?, about })))
}

fn options(
    request: &Fields<'_>,
    expect: &Fields<'_>,
    before: Option<&WebsiteSettings>,
    reading: &mut Reading<'_, '_>,
) -> OptionsInput {
    let (problems, look) = (&mut reading.problems, &mut reading.look);
    let headers = headers(request, look, problems);
    let body = match request.node("body") {
        Some(Node { value: Value::Scalar { text, .. }, .. }) => SecretText::new(text.clone()),
        _ => match given(request, "body", look, problems) {
            Given::Absent => SecretText::default(),
            Given::Value(body) => body,
            Given::Unset => {
                let kept = before.and_then(|before| before.options.request.body.clone());
                if kept.is_none() {
                    problems.add(request.line("body"), request.place("body"), "", "It is not set, and none is stored.");
                }
                kept.unwrap_or_default()
            }
        },
    };
    let sign_in = request.within("sign_in", &SIGN_IN, problems);
    let kind = match (sign_in.node("token").is_some(), request.node("sign_in").is_some()) {
        (true, _) => SignIn::Bearer,
        (false, true) => SignIn::Basic,
        (false, false) => SignIn::None,
    };
    OptionsInput {
        method: request.text("method", problems),
        headers,
        body,
        sign_in: kind.to_string(),
        username: sign_in.text("username", problems),
        password: given(&sign_in, "password", look, problems).input(),
        token: given(&sign_in, "token", look, problems).input(),
        user_agent: request.text("user_agent", problems),
        max_redirects: request.text("max_redirects", problems),
        ip_family: request.text("ip_family", problems),
        insecure_tls: request.flag("insecure_tls", problems).unwrap_or_default(),
        accept: expect.texts("accept", problems).join(", "),
        content: expect.list("content").into_iter().map(|node| content(node, expect, problems)).collect(),
        slow_ms: expect.text("slow_ms", problems),
        certificate_days: expect.text("certificate_days", problems),
        require_https: expect.flag("require_https", problems).unwrap_or_default(),
    }
}

/// Header fields as lines; a value that is not set here stands as that which is stored.
fn headers(request: &Fields<'_>, look: &mut super::secret::Look<'_>, problems: &mut Problems) -> SecretText {
    let mut fields: Vec<(&str, &Node)> = Vec::new();
    match request.node("headers").map(|node| &node.value) {
        Some(Value::Map(entries)) => fields.extend(entries.iter().map(|(name, node)| (name.as_str(), node))),
        Some(Value::List(items)) => {
            for item in items {
                match (item.get("name").and_then(Node::text), item.get("value")) {
                    (Some(name), Some(value)) => fields.push((name, value)),
                    _ => problems.add(item.line, request.place("headers"), "", "Give name and value."),
                }
            }
        }
        None | Some(Value::Null) => {}
        Some(Value::Scalar { .. }) => {
            let place = request.place("headers");
            problems.add(request.line("headers"), place, "", "Give a map of names and values.");
        }
    }
    let mut lines: Vec<String> = Vec::new();
    for (n, (name, node)) in fields.iter().enumerate() {
        let place = format!("{}.{name}", request.place("headers"));
        let is_odd = |text: &str| text.contains(['\n', '\r']);
        if is_odd(name) || name.contains(':') {
            problems.add(node.line, request.place("headers"), name, "This is no name of a header field.");
            continue;
        }
        let nth = fields[..n].iter().filter(|(other, _)| other.eq_ignore_ascii_case(name)).count();
        let value = match (&node.value, is_shown_header(name)) {
            (Value::Scalar { text, .. }, true) => text.clone(),
            _ => match given_as(node, &place, look, problems) {
                Given::Value(value) => value.expose().to_owned(),
                Given::Absent | Given::Unset => OptionsInput::hidden_value(nth),
            },
        };
        if is_odd(&value) {
            problems.add(node.line, place, "", "A value has no line breaks.");
            continue;
        }
        lines.push(format!("{name}: {value}"));
    }
    SecretText::new(lines.join("\n"))
}

fn content(node: &Node, expect: &Fields<'_>, problems: &mut Problems) -> ContentInput {
    let place = expect.place("content");
    let fields = Fields::of(node, &place, &CONTENT, problems);
    let row = |kind: ContentKind, place: String, value: String| ContentInput { kind: kind.to_string(), place, value };
    let said: Vec<&str> = CONTENT[..5].iter().copied().filter(|name| fields.node(name).is_some()).collect();
    let text = |name, problems: &mut Problems| fields.text(name, problems);
    match said.as_slice() {
        ["contains"] => row(ContentKind::Contains, String::new(), text("contains", problems)),
        ["lacks"] => row(ContentKind::Lacks, String::new(), text("lacks", problems)),
        ["matches"] => row(ContentKind::Matches, String::new(), text("matches", problems)),
        ["json"] => {
            let equals = node.get("equals").map(Node::json);
            if equals.is_none() {
                problems.add(node.line, place, "", "Say what it equals.");
            }
            let pointer = text("json", problems);
            row(ContentKind::JsonEquals, pointer, equals.unwrap_or_default().to_string())
        }
        ["header"] => row(ContentKind::HeaderEquals, text("header", problems), text("equals", problems)),
        _ => {
            let remedy = "Give one of contains, lacks, matches, json (with equals) and header (with equals).";
            problems.add(node.line, place, "", remedy);
            ContentInput::default()
        }
    }
}
