//! What an owner asked for beyond the default, in a line or two. No value that may be a secret.

use crate::model::{Options, accept_text, json_text};
use probe::wire::{Content, Credentials, IpFamily};

/// Lines for the list of settings; none for the defaults.
pub(in crate::http) fn facts(options: &Options) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    let mut add = |name, parts: Vec<String>| {
        if !parts.is_empty() {
            facts.push((name, parts.join(", ")));
        }
    };
    add("Request", request(options));
    add("Up when", up(options));
    add("Degraded when", degraded(options));
    facts
}

fn request(options: &Options) -> Vec<String> {
    let request = &options.request;
    if request.is_default() && !options.expect.require_https {
        return Vec::new();
    }
    let mut parts = vec![request.method.to_string()];
    match request.headers.len() {
        0 => {}
        1 => parts.push("1 header field".to_owned()),
        n => parts.push(format!("{n} header fields")),
    }
    if let Some(body) = &request.body {
        parts.push(format!("a body of {} bytes", body.expose().len()));
    }
    match &request.credentials {
        Some(Credentials::Basic { username, .. }) => parts.push(format!("signed in as {}", short(username))),
        Some(Credentials::Bearer { .. }) => parts.push("signed in by a token".to_owned()),
        None => {}
    }
    if let Some(agent) = &request.user_agent {
        parts.push(format!("as {}", short(agent)));
    }
    match request.max_redirects {
        0 => parts.push("no redirect followed".to_owned()),
        5 => {}
        1 => parts.push("1 redirect followed at most".to_owned()),
        n => parts.push(format!("{n} redirects followed at most")),
    }
    match request.ip_family {
        IpFamily::Any => {}
        IpFamily::V4 => parts.push("IPv4 only".to_owned()),
        IpFamily::V6 => parts.push("IPv6 only".to_owned()),
    }
    if options.expect.require_https {
        parts.push("https only".to_owned());
    }
    if request.insecure_tls {
        parts.push("any certificate is taken".to_owned());
    }
    parts
}

fn up(options: &Options) -> Vec<String> {
    let expect = &options.expect;
    if expect.accept.is_default() && expect.content.is_empty() {
        return Vec::new();
    }
    let mut parts = vec![format!("status {}", accept_text(&expect.accept))];
    parts.extend(expect.content.iter().map(|content| match content {
        Content::Contains(text) => format!("the body contains “{}”", short(text)),
        Content::Lacks(text) => format!("the body does not contain “{}”", short(text)),
        Content::Matches(text) => format!("the body matches “{}”", short(text)),
        Content::JsonEquals { pointer, value } if pointer.is_empty() => {
            format!("the body is {}", short(&json_text(value)))
        }
        Content::JsonEquals { pointer, value } => format!("{} is {}", short(pointer), short(&json_text(value))),
        Content::HeaderEquals { name, value } => format!("{} is “{}”", short(name), short(value)),
    }));
    parts
}

fn degraded(options: &Options) -> Vec<String> {
    let expect = &options.expect;
    let slow = expect.slow_ms.map(|ms| format!("slower than {ms} ms"));
    let certificate = expect.certificate_days.map(|days| match days {
        0 => "never for its certificate".to_owned(),
        1 => "its certificate has less than a day left".to_owned(),
        days => format!("its certificate has less than {days} days left"),
    });
    slow.into_iter().chain(certificate).collect()
}

fn short(text: &str) -> String {
    let mut shown: String = text.chars().take(60).collect();
    if text.chars().nth(60).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use probe::wire::{Expectations, HeaderField, Method, RequestOptions, SecretText, StatusRule};

    #[test]
    fn only_what_differs_is_said_and_nothing_secret() {
        assert_eq!(facts(&Options::default()), []);
        let secret = || SecretText::new("hunter2");
        let request = RequestOptions {
            method: Method::Post,
            headers: vec![HeaderField { name: "X-Api-Key".into(), value: secret() }],
            body: Some(secret()),
            credentials: Some(Credentials::Basic { username: "ann".into(), password: secret() }),
            max_redirects: 0,
            ..RequestOptions::default()
        };
        let content = vec![
            Content::Contains("ok".into()),
            Content::JsonEquals { pointer: "/status".into(), value: serde_json::json!("up") },
        ];
        let expect = Expectations {
            accept: StatusRule(vec![(200, 200), (301, 399)]),
            content,
            slow_ms: Some(2_000),
            ..Expectations::default()
        };
        let said = facts(&Options { request, expect });
        assert_eq!(
            said,
            [
                (
                    "Request",
                    "POST, 1 header field, a body of 7 bytes, signed in as ann, no redirect followed".to_owned()
                ),
                ("Up when", "status 200, 301-399, the body contains “ok”, /status is up".to_owned()),
                ("Degraded when", "slower than 2000 ms".to_owned()),
            ]
        );
    }
}
