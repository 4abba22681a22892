//! What may be asked of a website and expected of it: the same rule where settings are saved and before a check is run,
//! since an order may be older than the rule.

use super::{Content, Credentials, Expectations, HeaderField, Method, RequestOptions, Target};

/// Longest budget of a check.
pub const MAX_TIMEOUT_MS: u32 = 60_000;
/// Fields a request may have beside our own.
pub const MAX_HEADERS: usize = 20;
/// Longest value of a field.
pub const MAX_HEADER_VALUE_BYTES: usize = 2_048;
/// Longest body of a request.
pub const MAX_BODY_BYTES: usize = 64 * 1024;
/// Redirects that may be followed at most.
pub const MAX_REDIRECTS: u8 = 10;
/// Ranges of accepted status codes.
pub const MAX_STATUS_RANGES: usize = 16;
/// Things that may be expected of head and body.
pub const MAX_CONTENT: usize = 10;
/// Of these, regular expressions: each may cost a good part of a second on a hostile answer.
pub const MAX_PATTERNS: usize = 2;
/// Steps of a JSON pointer, and levels of the value it is compared with.
pub const MAX_JSON_DEPTH: usize = 32;
/// Longest text, pattern or pointer of an expectation.
pub const MAX_EXPECTED_BYTES: usize = 1_024;

/// Fields that are ours: they frame the message, or decide what is measured (T079).
const OURS: [&str; 15] = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "upgrade",
    "te",
    "trailer",
    "expect",
    "accept-encoding",
    "user-agent",
    "proxy-authorization",
    "proxy-authenticate",
    "proxy-connection",
    "http2-settings",
];

/// Something that cannot be asked or expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Field of [`Target`], [`RequestOptions`] or [`Expectations`].
    pub field: &'static str,
    /// What was found, at most 80 characters; never a secret.
    pub found: String,
    /// What would work, as a sentence.
    pub remedy: String,
}

impl Problem {
    fn new(field: &'static str, found: &str, remedy: impl Into<String>) -> Self {
        let found = found.chars().take(80).flat_map(char::escape_debug).collect();
        Self { field, found, remedy: remedy.into() }
    }
}

/// A regular expression of an expectation, compiled within bounds: bodies come from strangers and patterns from users.
///
/// # Errors
/// Not a pattern, or one that is too large when its repetitions are written out.
pub fn pattern(text: &str) -> Result<regex_lite::Regex, String> {
    let built = regex_lite::RegexBuilder::new(text).size_limit(4 * 1024).nest_limit(32).build();
    built.map_err(|error| error.to_string())
}

impl Target {
    /// Everything about it that cannot be done; empty when it can be run. The URL has rules of its own.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if !(1..=MAX_TIMEOUT_MS).contains(&self.timeout_ms) {
            let found = self.timeout_ms.to_string();
            problems.push(Problem::new("timeout_ms", &found, format!("Give 1 to {MAX_TIMEOUT_MS} milliseconds.")));
        }
        if !self.request.is_default() {
            request(&self.request, &mut problems);
        }
        if !self.expect.is_default() {
            expectations(&self.expect, self.request.method, &mut problems);
        }
        problems
    }
}

fn request(request: &RequestOptions, problems: &mut Vec<Problem>) {
    if request.headers.len() > MAX_HEADERS {
        let found = request.headers.len().to_string();
        problems.push(Problem::new("headers", &found, format!("Give at most {MAX_HEADERS} header fields.")));
    }
    problems.extend(request.headers.iter().take(MAX_HEADERS).filter_map(header));
    if request.credentials.is_some() && request.headers.iter().any(|h| h.name.eq_ignore_ascii_case("authorization")) {
        let remedy = "Give either credentials or this header field, not both.";
        problems.push(Problem::new("headers", "Authorization", remedy));
    }
    if let Some(body) = request.body.as_ref().map(|body| body.expose()).filter(|body| !body.is_empty()) {
        match request.method {
            Method::Post | Method::Put | Method::Patch | Method::Delete => {}
            Method::Get | Method::Head | Method::Options => {
                let remedy = format!("{} is sent without a body; choose POST, PUT, PATCH or DELETE.", request.method);
                problems.push(Problem::new("body", "a body", remedy));
            }
        }
        if body.len() > MAX_BODY_BYTES {
            let found = format!("{} bytes", body.len());
            problems.push(Problem::new("body", &found, format!("Give at most {MAX_BODY_BYTES} bytes.")));
        }
    }
    match &request.credentials {
        Some(Credentials::Basic { username, password }) => {
            let good = |text: &str| text.len() <= 256 && !text.chars().any(char::is_control);
            if username.contains(':') || !good(username) || !good(password.expose()) {
                let remedy = "Give a user name without a colon and a password, each of at most 256 bytes without \
                              control characters.";
                problems.push(Problem::new("credentials", "this user name or password", remedy));
            }
        }
        Some(Credentials::Bearer { token }) => {
            // token68 of RFC 9110, 11.2.
            let token = token.expose();
            let good = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b);
            if !(1..=MAX_HEADER_VALUE_BYTES).contains(&token.len()) || !token.bytes().all(good) {
                let remedy = "Give a token of letters, digits and -._~+/= without the word Bearer.";
                problems.push(Problem::new("credentials", "this token", remedy));
            }
        }
        None => {}
    }
    if let Some(agent) = &request.user_agent
        && (!(1..=256).contains(&agent.len()) || !agent.bytes().all(|b| matches!(b, b' '..=b'~')))
    {
        problems.push(Problem::new("user_agent", agent, "Give 1 to 256 printable ASCII characters, or nothing."));
    }
    if request.max_redirects > MAX_REDIRECTS {
        let found = request.max_redirects.to_string();
        problems.push(Problem::new("max_redirects", &found, format!("Give 0 to {MAX_REDIRECTS}.")));
    }
}

fn header(field: &HeaderField) -> Option<Problem> {
    let (name, value) = (field.name.as_str(), field.value.expose());
    if !(1..=64).contains(&name.len()) || !name.bytes().all(is_token) {
        let remedy = "Give a name of 1 to 64 letters, digits and !#$%&'*+-.^_`|~ (RFC 9110).";
        return Some(Problem::new("headers", name, remedy));
    }
    if let Some(ours) = OURS.iter().find(|ours| name.eq_ignore_ascii_case(ours)) {
        let remedy = match *ours {
            "user-agent" => "Use the setting for the User-Agent.",
            "accept-encoding" => "The probe asks for an answer that is not compressed, and reads gzip all the same.",
            _ => "The probe writes this header field itself.",
        };
        return Some(Problem::new("headers", name, remedy));
    }
    // Field values of RFC 9110 without the obsolete bytes: no CR, LF, NUL, nothing that splits a message.
    if value.len() > MAX_HEADER_VALUE_BYTES || !value.bytes().all(|b| matches!(b, b'\t' | b' '..=b'~')) {
        let remedy = format!("Give a value of at most {MAX_HEADER_VALUE_BYTES} printable ASCII characters.");
        return Some(Problem::new("headers", name, remedy));
    }
    None
}

/// A character of a token (RFC 9110, 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn expectations(expect: &Expectations, method: Method, problems: &mut Vec<Problem>) {
    let ranges = &expect.accept.0;
    let in_order = |(low, high): &(u16, u16)| (100..=999).contains(low) && (*low..=999).contains(high);
    if !(1..=MAX_STATUS_RANGES).contains(&ranges.len()) || !ranges.iter().all(in_order) {
        let found: Vec<String> = ranges.iter().take(8).map(|(low, high)| format!("{low}-{high}")).collect();
        let remedy = format!("Give 1 to {MAX_STATUS_RANGES} status codes or ranges such as 200-299, 301.");
        problems.push(Problem::new("accept", &found.join(", "), remedy));
    }
    if expect.content.len() > MAX_CONTENT {
        let found = expect.content.len().to_string();
        problems.push(Problem::new("content", &found, format!("Give at most {MAX_CONTENT}.")));
    }
    problems.extend(expect.content.iter().take(MAX_CONTENT).filter_map(content));
    if expect.content.iter().filter(|content| matches!(content, Content::Matches(_))).count() > MAX_PATTERNS {
        problems.push(Problem::new("content", "more patterns", format!("Give at most {MAX_PATTERNS} patterns.")));
    }
    if method == Method::Head && expect.reads_body() {
        let remedy = "The answer to HEAD has no body to look into; choose GET.";
        problems.push(Problem::new("content", "an expectation of the body", remedy));
    }
    if let Some(slow_ms) = expect.slow_ms
        && !(1..=MAX_TIMEOUT_MS).contains(&slow_ms)
    {
        let remedy = format!("Give 1 to {MAX_TIMEOUT_MS} milliseconds, or nothing.");
        problems.push(Problem::new("slow_ms", &slow_ms.to_string(), remedy));
    }
    if let Some(days) = expect.certificate_days
        && days > 365
    {
        problems.push(Problem::new("certificate_days", &days.to_string(), "Give 0 to 365 days, or nothing."));
    }
}

fn content(content: &Content) -> Option<Problem> {
    let fits = |text: &str| (1..=MAX_EXPECTED_BYTES).contains(&text.len());
    let long = || format!("Give 1 to {MAX_EXPECTED_BYTES} bytes.");
    match content {
        Content::Contains(text) | Content::Lacks(text) => (!fits(text)).then(|| Problem::new("content", text, long())),
        Content::Matches(text) if !fits(text) => Some(Problem::new("content", text, long())),
        Content::Matches(text) => pattern(text)
            .err()
            .map(|why| Problem::new("content", text, format!("This is not a usable regular expression: {why}."))),
        Content::JsonEquals { pointer, value } => {
            let escapes = |part: &str| part.starts_with(['0', '1']);
            let is_pointer =
                (pointer.is_empty() || pointer.starts_with('/')) && pointer.split('~').skip(1).all(escapes);
            if !is_pointer || pointer.len() > MAX_EXPECTED_BYTES || pointer.split('/').count() > MAX_JSON_DEPTH {
                let remedy = "Give a JSON pointer such as /status or /checks/0/ok (RFC 6901).";
                return Some(Problem::new("content", pointer, remedy));
            }
            let text = value.to_string();
            if json_depth(&text) > MAX_JSON_DEPTH {
                return Some(Problem::new(
                    "content",
                    pointer,
                    format!("Give a value of at most {MAX_JSON_DEPTH} levels."),
                ));
            }
            let size = text.len();
            (size > MAX_EXPECTED_BYTES).then(|| Problem::new("content", &format!("{size} bytes"), long()))
        }
        Content::HeaderEquals { name, value } => {
            if !(1..=64).contains(&name.len()) || !name.bytes().all(is_token) {
                return Some(Problem::new("content", name, "Give the name of a header field, such as Content-Type."));
            }
            (value.len() > MAX_EXPECTED_BYTES).then(|| Problem::new("content", name, long()))
        }
    }
}

/// Levels of arrays and objects in a JSON text.
#[must_use]
pub(crate) fn json_depth(text: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0usize, 0, false, false);
    for byte in text.bytes() {
        match (in_string, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_string = !in_string,
            (false, b'[' | b'{') => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            (false, b']' | b'}') => depth = depth.saturating_sub(1),
            (_, _) => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{SecretText, StatusRule};

    fn asking(request: RequestOptions) -> Vec<&'static str> {
        let target = Target { request, ..Target::get("https://example.com/") };
        target.problems().iter().map(|problem| problem.field).collect()
    }

    fn expecting(expect: Expectations) -> Vec<Problem> {
        Target { expect, ..Target::get("https://example.com/") }.problems()
    }

    fn with_header(name: &str, value: &str) -> RequestOptions {
        let headers = vec![HeaderField { name: name.into(), value: SecretText::new(value) }];
        RequestOptions { headers, ..RequestOptions::default() }
    }

    #[test]
    fn t079_header_fields_that_would_split_or_frame_a_message_are_refused() {
        for (name, value) in
            [("X-Key", "a b\t~"), ("cookie", "a=b"), ("Authorization", "Digest x"), ("accept", "text/html"), ("X", "")]
        {
            assert_eq!(asking(with_header(name, value)), Vec::<&str>::new(), "{name}");
        }
        for name in ["", "X Y", "X:", "X\r\nY", "Host", "content-length", "Transfer-Encoding", "TE", "user-agent", "ü"]
        {
            assert_eq!(asking(with_header(name, "x")), ["headers"], "{name}");
        }
        for value in ["a\r\nB: c", "a\nb", "a\0b", "a\u{7f}", "ü", &"x".repeat(2_049)] {
            assert_eq!(asking(with_header("X", value)), ["headers"], "{value:?}");
        }
    }

    #[test]
    fn a_problem_never_tells_a_secret() {
        let mut request = with_header("X-Key", "hunter2\r\n");
        request.credentials = Some(Credentials::Bearer { token: SecretText::new("hunter2 hunter2") });
        request.body = Some(SecretText::new("hunter2"));
        let target = Target { request, ..Target::get("https://example.com/") };
        let problems = target.problems();
        assert_eq!(problems.len(), 3, "{problems:?}");
        assert!(!format!("{problems:?}{target:?}").contains("hunter2"));
    }

    #[test]
    fn what_is_asked_fits_together() {
        let basic =
            |username: &str| Some(Credentials::Basic { username: username.into(), password: SecretText::new("p:ä") });
        let ok = RequestOptions { credentials: basic("ann"), ..RequestOptions::default() };
        assert_eq!(asking(ok), Vec::<&str>::new());
        assert_eq!(asking(RequestOptions { credentials: basic("a:b"), ..RequestOptions::default() }), ["credentials"]);
        assert_eq!(
            asking(RequestOptions { credentials: basic("a"), ..with_header("authorization", "x") }),
            ["headers"]
        );
        let body = Some(SecretText::new("{}"));
        let get = RequestOptions { body: body.clone(), ..RequestOptions::default() };
        assert_eq!(asking(get), ["body"]);
        assert!(asking(RequestOptions { body, method: Method::Post, ..RequestOptions::default() }).is_empty());
        assert_eq!(asking(RequestOptions { max_redirects: 11, ..RequestOptions::default() }), ["max_redirects"]);
        let agent = Some("x\n".to_owned());
        assert_eq!(asking(RequestOptions { user_agent: agent, ..RequestOptions::default() }), ["user_agent"]);
    }

    #[test]
    fn what_is_expected_can_be_judged() {
        let of = |content| expecting(Expectations { content: vec![content], ..Expectations::default() });
        let json = |pointer: &str| Content::JsonEquals { pointer: pointer.into(), value: serde_json::json!(1) };
        for good in [Content::Contains("ok".into()), Content::Matches("v[0-9]+".into()), json(""), json("/a~1b/0")] {
            assert_eq!(of(good), []);
        }
        for bad in [
            Content::Contains(String::new()),
            Content::Lacks("x".repeat(1_025)),
            Content::Matches("(".into()),
            Content::Matches("(a{100}){100}".into()),
            json("a"),
            json("/~2"),
            Content::HeaderEquals { name: "a b".into(), value: String::new() },
        ] {
            assert_eq!(of(bad.clone()).len(), 1, "{bad:?}");
        }
        for accept in [vec![], vec![(299, 200)], vec![(99, 200)], vec![(200, 1_000)], vec![(200, 200); 17]] {
            let problems = expecting(Expectations { accept: StatusRule(accept.clone()), ..Expectations::default() });
            assert_eq!(problems.len(), 1, "{accept:?}");
        }
        let content = vec![Content::Contains("ok".into())];
        let request = RequestOptions { method: Method::Head, ..RequestOptions::default() };
        let expect = Expectations { content, ..Expectations::default() };
        let head = Target { request, expect, ..Target::get("https://example.com/") };
        assert_eq!(head.problems().len(), 1);
    }
}
