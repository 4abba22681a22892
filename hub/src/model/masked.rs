//! Messages that were given up, shown without what may be a secret (I11).
//!
//! What is not understood may hold anything: a password where a number should be. So nothing is shown unless the name of
//! its field is known to be harmless; no list of suspicious names is ever complete.

use std::io;

use serde_json::{Map, Value};

use super::kept_letter::Content;

/// What stands in the place of what is not shown.
pub const HIDDEN: &str = "(hidden)";
/// Of a field's name.
const NAME_CHARS: usize = 64;

/// A payload as it may be shown. It is text: whoever shows it escapes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    /// Pretty JSON where it is JSON, otherwise its text; bytes that are no text as `\xNN`.
    pub text: String,
    /// There is more.
    pub is_cut: bool,
}

/// The payload of a dead letter, at most `limit` bytes of it.
#[must_use]
pub fn payload(raw: &[u8], limit: usize) -> Payload {
    shown_payload(raw, limit, true)
}

/// The same for somebody whose website it is not about: nothing tells which website it is (I10).
#[must_use]
pub fn payload_of_others(raw: &[u8], limit: usize) -> Payload {
    shown_payload(raw, limit, false)
}

fn shown_payload(raw: &[u8], limit: usize, is_own: bool) -> Payload {
    let mut shown = String::new();
    let json = match Content::read(raw) {
        Content::Entry { version, kind, body } => {
            for (name, value) in [("v", version), ("kind", kind)] {
                if let Some(value) = value {
                    shown += &format!("{name} = {}\n", text(&printable(value.get(..40).unwrap_or(value))));
                }
            }
            body
        }
        Content::Letter(_) | Content::Tick(_) | Content::Nothing | Content::Other(_) => raw,
    };
    match serde_json::from_slice::<Value>(json) {
        Ok(value) => {
            let mut bounded = Bounded { bytes: Vec::new(), left: limit.saturating_add(1) };
            // It ends early where there is too much.
            let _ = serde_json::to_writer_pretty(&mut bounded, &masked(value, "", is_own));
            shown += &String::from_utf8_lossy(&bounded.bytes);
        }
        // Half a message: of others' nobody can tell what is an address.
        Err(_) if !is_own && !json.is_empty() => shown += HIDDEN,
        Err(_) => shown += &text(&printable(json)),
    }
    cut(inert(&shown), limit)
}

fn cut(mut text: String, limit: usize) -> Payload {
    let is_cut = text.len() > limit;
    text.truncate(text.floor_char_boundary(limit));
    Payload { text, is_cut }
}

struct Bounded {
    bytes: Vec<u8>,
    left: usize,
}

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(self.left);
        if count == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.bytes.extend_from_slice(bytes.get(..count).unwrap_or_default());
        self.left -= count;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Fields of the wire whose texts are no secrets, URLs and sentences apart, which are masked by themselves.
fn is_shown_text(name: &str) -> bool {
    const NAMES: [&str; 23] = [
        "website_id",
        "kind",
        "outcome",
        "class",
        "phase",
        "blame",
        "detail",
        "remote",
        "url",
        "entry_id",
        "reason",
        "raw",
        "version",
        "network",
        "notes",
        "method",
        "tls_version",
        "issuer",
        "subject",
        "names",
        "chain",
        "ip_family",
        "v",
    ];
    NAMES.contains(&name)
}

/// Fields of the wire whose numbers are no secrets.
fn is_shown_number(name: &str) -> bool {
    const NAMES: [&str; 15] = [
        "attempt",
        "status",
        "concurrency",
        "in_flight",
        "checks",
        "expired",
        "refused",
        "buffered",
        "dropped",
        "lost",
        "excused",
        "forbidden",
        "names_total",
        "max_redirects",
        "accept",
    ];
    const UNITS: [&str; 5] = ["_at", "_ms", "_us", "_bytes", "_days"];
    NAMES.contains(&name) || UNITS.iter().any(|unit| name.ends_with(unit))
}

/// Those of them that tell which website it is.
fn names_a_website(name: &str) -> bool {
    ["detail", "remote", "url", "raw", "issuer", "subject", "names", "chain"].contains(&name)
}

fn masked(value: Value, name: &str, is_own: bool) -> Value {
    match value {
        Value::Null | Value::Bool(_) => value,
        Value::Number(_) if is_shown_number(name) => value,
        Value::String(shown) if is_shown_text(name) && (is_own || !names_a_website(name)) => {
            Value::String(text(&shown))
        }
        Value::Number(_) | Value::String(_) => Value::String(HIDDEN.to_owned()),
        Value::Array(values) => Value::Array(values.into_iter().map(|value| masked(value, name, is_own)).collect()),
        Value::Object(fields) => {
            let shown = |(name, value): (String, Value)| {
                let value = masked(value, &name, is_own);
                (name.chars().take(NAME_CHARS).collect(), value)
            };
            Value::Object(fields.into_iter().map(shown).collect::<Map<_, _>>())
        }
    }
}

/// Bytes as text; what is none as `\xNN`.
fn printable(bytes: &[u8]) -> String {
    std::str::from_utf8(bytes).map_or_else(|_| bytes.escape_ascii().to_string(), str::to_owned)
}

/// Characters that would change how others are shown (T152) in the form of an escape.
fn inert(text: &str) -> String {
    let is_odd = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_odd(c) { shown.extend(c.escape_unicode()) } else { shown.push(c) }
    }
    shown
}

/// A sentence or half a message, without what may be a secret: values in quotes that are not of harmless fields, what
/// follows a word such as `password=`, user names, passwords and queries of URLs. What libraries say of a value they did
/// not expect quotes it.
#[must_use]
pub fn text(text: &str) -> String {
    inert(&without_queries(&without_assignments(&without_quoted(text))))
}

fn without_quoted(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let (mut rest, mut name) = (text, String::new());
    while let Some(at) = rest.find(['"', '`']) {
        let (before, from) = rest.split_at(at);
        shown += before;
        let quote = if from.starts_with('"') { '"' } else { '`' };
        let inside = from.get(1..).unwrap_or_default();
        let end = closing(inside, quote);
        let quoted = inside.get(..end.unwrap_or(inside.len())).unwrap_or_default();
        rest = end.and_then(|end| inside.get(end + 1..)).unwrap_or_default();
        let is_name = quote == '"' && end.is_some() && rest.trim_start().starts_with(':');
        let left = shown.trim_end();
        let is_hidden = match left.chars().next_back() {
            _ if is_name => {
                quoted.clone_into(&mut name);
                false
            }
            // serde: invalid type: string "hunter2", expected u32; unknown variant `hunter2`.
            _ if ["string", "variant", "integer", "point", "character"].iter().any(|kind| left.ends_with(kind)) => true,
            // Cut, also where a URL would show where its password ends; or with quotes of its own.
            _ if end.is_none() || quoted.contains('\\') => true,
            Some(':' | '[' | ',') if quote == '"' => !is_shown_text(&name),
            Some(_) | None => false,
        };
        shown.push(quote);
        shown += if is_hidden { HIDDEN } else { quoted };
        shown.extend(end.map(|_| quote));
    }
    shown + rest
}

/// Where a quoted text ends.
fn closing(text: &str, quote: char) -> Option<usize> {
    let mut is_escaped = false;
    text.char_indices().find_map(|(at, c)| {
        let ends = c == quote && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        ends.then_some(at)
    })
}

fn without_assignments(text: &str) -> String {
    const WORDS: [&str; 10] = [
        "password",
        "passwd",
        "secret",
        "token",
        "authorization",
        "cookie",
        "api-key",
        "api_key",
        "apikey",
        "credential",
    ];
    let (lower, mut shown, mut done) = (text.to_ascii_lowercase(), String::with_capacity(text.len()), 0);
    // Where each comes next; looked for again only once it is behind, so that no text takes long.
    let mut next = WORDS.map(|word| lower.find(word));
    loop {
        for (at, word) in next.iter_mut().zip(WORDS) {
            if at.is_some_and(|at| at < done) {
                *at = lower.get(done..).and_then(|rest| rest.find(word)).map(|at| at + done);
            }
        }
        let first = next.iter().zip(WORDS).filter_map(|(at, word)| Some(((*at)?, word))).min();
        let Some((at, word)) = first else { break };
        let after = at + word.len();
        let rest = lower.get(after..).unwrap_or_default();
        let sign = rest.trim_start_matches([' ', 's', '\'', '"']);
        let (from, ends): (usize, &[char]) = match sign.chars().next() {
            Some('=') => (after + rest.len() - sign.len() + 1, &['&', ',', ';', ' ', '\n', '"']),
            // A field of a head: to the end of its line.
            Some(':') => (after + rest.len() - sign.len() + 1, &['\n', '"']),
            Some(_) | None => (after, &[]),
        };
        shown += text.get(done..from).unwrap_or_default();
        done = from;
        if !ends.is_empty() {
            let value = text.get(from..).unwrap_or_default();
            let length = value.find(ends).unwrap_or(value.len());
            if !value.get(..length).unwrap_or_default().trim().is_empty() {
                shown += HIDDEN;
            }
            done = from + length;
        }
    }
    shown + text.get(done..).unwrap_or_default()
}

fn without_queries(text: &str) -> String {
    // Not ': it may stand in a password or a query.
    const ENDS: [char; 7] = [' ', '\n', '\t', '"', '`', '<', '>'];
    text.split_inclusive(ENDS)
        .map(|word| {
            let (body, end) = match word.char_indices().next_back() {
                Some((at, c)) if ENDS.contains(&c) => word.split_at(at),
                Some(_) | None => (word, ""),
            };
            let (place, query) = match body.find(['?', '#']) {
                Some(at) if body.contains("://") || body.get(at..).is_some_and(|query| query.contains('=')) => {
                    (body.get(..at).unwrap_or_default(), format!("?{HIDDEN}"))
                }
                Some(_) | None => (body, String::new()),
            };
            let place = match place.split_once("://") {
                Some((scheme, rest)) => {
                    let host_end = rest.find('/').unwrap_or(rest.len());
                    match rest.get(..host_end).and_then(|authority| authority.rfind('@')) {
                        Some(at) => format!("{scheme}://{HIDDEN}{}", rest.get(at..).unwrap_or_default()),
                        None => place.to_owned(),
                    }
                }
                None => place.to_owned(),
            };
            format!("{place}{query}{end}")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i11_no_value_of_a_check_is_shown_whether_it_is_whole_or_cut() {
        let check = r#"{"website_id":"00000000-0000-0000-0000-000000000001","slot_at":17,"kind":"scheduled","target":{
            "url":"https://u:hunter2@example.com/a?key=hunter2","timeout_ms":10000,
            "request":{"method":"POST","headers":[{"name":"X-Key","value":"hunter2"}],"body":"hunter2",
            "credentials":{"basic":{"username":"hunter2","password":"hunter2"}},"user_agent":"hunter2"},
            "expect":{"accept":[[200,299]],"content":[{"contains":"hunter2"},{"json_equals":{"pointer":"/a","value":
            7777777}}]}},"pin":7777777,"more":["hunter2"],"detail":"string \"hunter2\""}"#;
        let entry = format!("v=1\nkind=check\nbody={check}\n");
        for raw in [check.as_bytes(), entry.as_bytes()] {
            for end in 0..raw.len() {
                let shown = payload(&raw[..end], 1 << 20).text;
                let kept = ["hunter2", "hunter", "7777777"].into_iter().find(|secret| shown.contains(secret));
                // Of a number that is not JSON nobody knows what it is; the last byte makes it JSON.
                assert!(kept.is_none_or(|kept| kept == "7777777"), "{kept:?} in {shown}");
            }
            let shown = payload(raw, 1 << 20).text;
            assert!(!shown.contains("hunter2") && !shown.contains("7777777"), "{shown}");
            for kept in
                ["https://(hidden)@example.com/a?(hidden)", "\"slot_at\": 17", "00000000-0000-0000-0000-000000000001"]
            {
                assert!(shown.contains(kept), "{kept} in {shown}");
            }
        }
    }

    #[test]
    fn i11_sentences_lose_what_they_quote() {
        for (found, expected) in [
            (
                "body is not understood: invalid type: string \"hunter2\", expected u32 at line 1",
                "body is not understood: invalid type: string \"(hidden)\", expected u32 at line 1",
            ),
            ("unknown variant `hunter2`, expected `up`", "unknown variant `(hidden)`, expected `up`"),
            ("field \"v\" is missing", "field \"v\" is missing"),
            ("GET http://a.example/x?token=hunter2 HTTP/1.1", "GET http://a.example/x?(hidden) HTTP/1.1"),
            ("Authorization: Bearer hunter2\nHost: a", "Authorization:(hidden)\nHost: a"),
            ("password=hunter2&x=1", "password=(hidden)&x=1"),
            ("passwords are not shown", "passwords are not shown"),
            ("invalid type: integer `7777777`, expected x", "invalid type: integer `(hidden)`, expected x"),
            ("https://u:hun'ter2@a.example/x?k=hun'ter2", "https://(hidden)@a.example/x?(hidden)"),
            ("{'password': 'hunter2'}", "{'password':(hidden)"),
            ("is it so?", "is it so?"),
        ] {
            assert_eq!(text(found), expected);
        }
    }

    #[test]
    fn i10_of_others_nothing_tells_which_website_it_is() {
        let tick = r#"{"kind":"scheduled","remote":"192.0.2.7:443","hops":[{"url":"https://private.example/a"}],
            "failure":{"detail":"private.example"},"certificate":{"subject":"CN=private.example","names":
            ["private.example"],"issuer":"private.example","chain":["private.example"]}}"#;
        for raw in [tick.to_owned(), format!("v=1\nkind=tick\nbody={tick}\n"), tick[..80].to_owned()] {
            let shown = payload_of_others(raw.as_bytes(), 9_999).text;
            assert!(!shown.contains("private") && !shown.contains("192.0.2.7"), "{shown}");
        }
        assert!(payload_of_others(tick.as_bytes(), 9_999).text.contains("scheduled"));
    }

    #[test]
    fn t152_signs_that_turn_others_around_are_escapes() {
        let shown = payload("{\"detail\":\"a\u{202e}b\u{0}\"}".as_bytes(), 999).text;
        assert!(shown.contains("\\u{202e}") && !shown.contains('\u{202e}'), "{shown}");
        assert_eq!(payload(b"\xff\x00ab", 99).text, "\\xff\\x00ab");
    }

    #[test]
    fn a_payload_has_a_bound() {
        let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
        let wide = format!("{}{}1{}", "[".repeat(100), "1,".repeat(30_000), "]".repeat(100));
        let long = "é".repeat(40_000);
        for raw in [deep, wide, long] {
            let shown = payload(raw.as_bytes(), 4_096);
            assert!(shown.is_cut && shown.text.len() <= 4_096 && shown.text.len() > 4_000);
        }
        assert_eq!(payload(b"", 10), Payload { text: String::new(), is_cut: false });
    }
}
