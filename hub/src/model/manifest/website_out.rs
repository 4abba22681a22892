//! A website of a file the other way round: field by field, to be compared, and as it is written.

use probe::wire::{Content, Credentials, HeaderField};

use super::export::Vars;
use super::spec::Facts;
use super::write::Out;
use crate::model::{Options, RegionId, SecretText, WebsiteSettings, accept_text, is_shown_header, json_text};

pub(super) fn facts(settings: &WebsiteSettings, facts: &mut Facts) {
    let (request, expect) = (&settings.options.request, &settings.options.expect);
    // A query may be a secret (T077).
    let (place, query) = settings.url.split_once('?').map_or((settings.url.as_str(), None), |(a, b)| (a, Some(b)));
    facts.plain("url", place);
    if let Some(query) = query {
        facts.secret("url's query", &SecretText::new(query));
    }
    facts.plain("interval_s", settings.interval_ms / 1_000);
    facts.plain("timeout_s", settings.timeout_ms / 1_000);
    if !settings.regions.is_empty() {
        facts.plain("regions", region_names(settings).join(", "));
    }
    facts.plain("request.method", request.method);
    for (n, HeaderField { name, value }) in request.headers.iter().enumerate() {
        let nth = request.headers[..n].iter().filter(|other| other.name.eq_ignore_ascii_case(name)).count();
        let field =
            if nth == 0 { format!("request.headers.{name}") } else { format!("request.headers.{name} ({})", nth + 1) };
        if is_shown_header(name) {
            facts.plain(&field, value.expose());
        } else {
            facts.secret(&field, value);
        }
    }
    if let Some(body) = &request.body {
        facts.secret("request.body", body);
    }
    match &request.credentials {
        None => {}
        Some(Credentials::Basic { username, password }) => {
            facts.plain("request.sign_in.username", username);
            facts.secret("request.sign_in.password", password);
        }
        Some(Credentials::Bearer { token }) => facts.secret("request.sign_in.token", token),
    }
    facts.some("request.user_agent", request.user_agent.as_ref());
    facts.plain("request.max_redirects", request.max_redirects);
    facts.plain("request.ip_family", request.ip_family);
    facts.flag("request.insecure_tls", request.insecure_tls);
    facts.plain("expect.accept", accept_text(&expect.accept));
    for (n, content) in expect.content.iter().enumerate() {
        facts.plain(&format!("expect.content.{}", n + 1), content_text(content));
    }
    facts.some("expect.slow_ms", expect.slow_ms);
    facts.some("expect.certificate_days", expect.certificate_days);
    facts.flag("expect.require_https", expect.require_https);
}

fn region_names(settings: &WebsiteSettings) -> Vec<&str> {
    settings.regions.iter().map(RegionId::as_str).collect()
}

fn content_text(content: &Content) -> String {
    match content {
        Content::Contains(text) => format!("contains {text}"),
        Content::Lacks(text) => format!("lacks {text}"),
        Content::Matches(text) => format!("matches {text}"),
        Content::JsonEquals { pointer, value } => format!("json {pointer} equals {}", json_text(value)),
        Content::HeaderEquals { name, value } => format!("header {name} equals {value}"),
    }
}

/// As it is written; what is as by default is left out.
pub(super) fn out(settings: &WebsiteSettings, vars: &mut Vars<'_>, entries: &mut Vec<(String, Out)>) {
    let standard = Options::default();
    let (request, expect) = (&settings.options.request, &settings.options.expect);
    entries.push(("url".to_owned(), Out::text(&settings.url)));
    entries.push(("interval_s".to_owned(), Out::raw(settings.interval_ms / 1_000)));
    entries.push(("timeout_s".to_owned(), Out::raw(settings.timeout_ms / 1_000)));
    if !settings.regions.is_empty() {
        let regions = region_names(settings).into_iter().map(Out::text).collect();
        entries.push(("regions".to_owned(), Out::List(regions)));
    }
    let mut asked: Vec<(String, Out)> = Vec::new();
    let mut add = |name: &str, value: Out| asked.push((name.to_owned(), value));
    if request.method != standard.request.method {
        add("method", Out::text(request.method.to_string()));
    }
    if !request.headers.is_empty() {
        let mut value = |header: &HeaderField| {
            if is_shown_header(&header.name) {
                Out::text(header.value.expose())
            } else {
                vars.secret(&format!("HEADER_{}", header.name))
            }
        };
        let named: Vec<(String, Out)> = request.headers.iter().map(|h| (h.name.clone(), value(h))).collect();
        let mut names: Vec<String> = named.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
        names.sort_unstable();
        let is_unique = names.windows(2).all(|pair| pair[0] != pair[1]);
        let pair = |(name, value)| Out::Map(vec![("name".to_owned(), Out::text(name)), ("value".to_owned(), value)]);
        add("headers", if is_unique { Out::Map(named) } else { Out::List(named.into_iter().map(pair).collect()) });
    }
    if request.body.is_some() {
        add("body", vars.secret("BODY"));
    }
    match &request.credentials {
        None => {}
        Some(Credentials::Basic { username, .. }) => {
            let password = vars.secret("PASSWORD");
            let parts = vec![("username".to_owned(), Out::text(username)), ("password".to_owned(), password)];
            add("sign_in", Out::Map(parts));
        }
        Some(Credentials::Bearer { .. }) => add("sign_in", Out::Map(vec![("token".to_owned(), vars.secret("TOKEN"))])),
    }
    if let Some(agent) = &request.user_agent {
        add("user_agent", Out::text(agent));
    }
    if request.max_redirects != standard.request.max_redirects {
        add("max_redirects", Out::raw(request.max_redirects));
    }
    if request.ip_family != standard.request.ip_family {
        add("ip_family", Out::text(request.ip_family.to_string()));
    }
    if request.insecure_tls {
        add("insecure_tls", Out::raw(true));
    }
    let mut expected: Vec<(String, Out)> = Vec::new();
    let mut add = |name: &str, value: Out| expected.push((name.to_owned(), value));
    if expect.accept != standard.expect.accept {
        add("accept", Out::text(accept_text(&expect.accept)));
    }
    if !expect.content.is_empty() {
        add("content", Out::List(expect.content.iter().map(content_out).collect()));
    }
    if let Some(ms) = expect.slow_ms {
        add("slow_ms", Out::raw(ms));
    }
    if let Some(days) = expect.certificate_days {
        add("certificate_days", Out::raw(days));
    }
    if expect.require_https {
        add("require_https", Out::raw(true));
    }
    for (name, part) in [("request", asked), ("expect", expected)] {
        if !part.is_empty() {
            entries.push((name.to_owned(), Out::Map(part)));
        }
    }
}

fn content_out(content: &Content) -> Out {
    let one = |name: &str, value: Out| (name.to_owned(), value);
    Out::Map(match content {
        Content::Contains(text) => vec![one("contains", Out::text(text))],
        Content::Lacks(text) => vec![one("lacks", Out::text(text))],
        Content::Matches(text) => vec![one("matches", Out::text(text))],
        Content::JsonEquals { pointer, value } => {
            vec![one("json", Out::Text(pointer.clone())), one("equals", Out::json(value))]
        }
        Content::HeaderEquals { name, value } => vec![one("header", Out::text(name)), one("equals", Out::text(value))],
    })
}
