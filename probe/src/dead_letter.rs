//! Why a check was put away unrun, told without repeating what may be a secret.
//!
//! serde's own messages quote values ("invalid type: string \"hunter2\""), so only names of fields and what would have
//! been expected are taken from them.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::entry::Fields;
use crate::wire::{BODY_FIELD, Check, DeadLetter, DeadReason, MAX_CHECK_BYTES, WebsiteId, WireError};

/// Of an entry's body, when it is told at all.
const MAX_RAW_BYTES: usize = 1024;
/// Of a field's name.
const MAX_NAME_BYTES: usize = 64;
/// A sentence.
const MAX_DETAIL_BYTES: usize = 512;

/// The letter for an entry that [`crate::wire::decode_check`] refused.
pub(crate) fn not_understood(entry_id: &str, fields: &Fields, error: &WireError) -> DeadLetter {
    let body = fields.iter().find(|(name, _)| name == BODY_FIELD.as_bytes()).map_or(&[][..], |(_, body)| body);
    let (reason, detail) = match error {
        WireError::Body(_) => why(body),
        WireError::Missing(_) | WireError::Version { .. } | WireError::Kind { .. } | WireError::TooLarge { .. } => {
            (DeadReason::NotUnderstood, format!("{error}."))
        }
    };
    // A check of another version is JSON too, and may hold secrets like any.
    let is_json = serde_json::from_slice::<IgnoredAny>(body).is_ok();
    let raw = if is_json { String::new() } else { printable(body, MAX_RAW_BYTES) };
    let website_id = if is_json && body.len() <= MAX_CHECK_BYTES { website(body) } else { None };
    let detail = printable(detail.as_bytes(), MAX_DETAIL_BYTES);
    DeadLetter { entry_id: entry_id.to_owned(), reason, detail, website_id, raw }
}

/// The letter for a check that was understood and is not run.
pub(crate) fn put_away(entry_id: &str, website_id: WebsiteId, reason: DeadReason, detail: &str) -> DeadLetter {
    let detail = printable(detail.as_bytes(), MAX_DETAIL_BYTES);
    DeadLetter { entry_id: entry_id.to_owned(), reason, detail, website_id: Some(website_id), raw: String::new() }
}

/// What is impossible about a check's instants. Where they lie by the worker's clock says nothing, that may be wrong.
pub(crate) fn impossible(check: &Check) -> Option<String> {
    let instants =
        [("slot_at", check.slot_at), ("published_at", check.published_at), ("deadline_at", check.deadline_at)];
    let (name, at) = instants.into_iter().find(|(_, at)| *at < 0)?;
    Some(format!("{name} is {at}, which is before 1970."))
}

/// Why JSON, or what is not JSON, is not a check.
fn why(body: &[u8]) -> (DeadReason, String) {
    let json = match serde_json::from_slice::<Value>(body) {
        Ok(json) => json,
        // Syntax errors have no values in them.
        Err(error) => return (DeadReason::NotUnderstood, format!("The body is not JSON: {error}.")),
    };
    let Err(error) = serde_json::from_slice::<Check>(body) else {
        return (DeadReason::NotUnderstood, "The body is not a check.".to_owned());
    };
    let text = error.to_string();
    let at = format!("line {}, column {}", error.line(), error.column());
    let named = |prefix: &str| text.strip_prefix(prefix)?.split('`').next().map(shown);
    if let Some(name) = named("unknown field `") {
        return (DeadReason::Refused, format!("This probe does not know the option \"{name}\" ({at})."));
    }
    if let Some(name) = named("missing field `") {
        return (DeadReason::NotUnderstood, format!("The field \"{name}\" is missing ({at})."));
    }
    if let Some(name) = named("duplicate field `") {
        return (DeadReason::NotUnderstood, format!("The field \"{name}\" is there twice ({at})."));
    }
    if let Some(name) = named("unknown variant `") {
        // The name of an option, or the value of one.
        let name = if is_key(&json, &name) { format!("the option \"{name}\"") } else { "a value".to_owned() };
        return (DeadReason::Refused, format!("This probe does not know {name} at {at}."));
    }
    let detail = match text.rsplit_once(", expected ") {
        Some((_, expected)) => format!("The value at {at} is not what it should be: {}.", before_at(expected)),
        None => format!("The value at {at} is not what it should be."),
    };
    (DeadReason::NotUnderstood, detail)
}

/// Without serde_json's " at line 1 column 2", which is told in our words.
fn before_at(text: &str) -> &str {
    text.rsplit_once(" at line ").map_or(text, |(before, _)| before)
}

fn shown(name: &str) -> String {
    printable(name.as_bytes(), MAX_NAME_BYTES)
}

/// Whether a name is that of a field, anywhere. The depth is bounded by the parser.
fn is_key(json: &Value, name: &str) -> bool {
    match json {
        Value::Object(fields) => fields.iter().any(|(key, value)| shown(key) == name || is_key(value, name)),
        Value::Array(values) => values.iter().any(|value| is_key(value, name)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn website(body: &[u8]) -> Option<WebsiteId> {
    #[derive(Deserialize)]
    struct Website {
        website_id: WebsiteId,
    }
    serde_json::from_slice::<Website>(body).ok().map(|found| found.website_id)
}

fn printable(bytes: &[u8], limit: usize) -> String {
    bytes.iter().take(limit).map(|b| if (b' '..=b'~').contains(b) { char::from(*b) } else { '.' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{self, CheckKind, Target};

    const GOOD: &str = r#"{"website_id":"00000000-0000-0000-0000-000000000001","slot_at":1,"attempt":0,
        "kind":"scheduled","deadline_at":9,"published_at":2,
        "target":{"url":"https://example.com/","timeout_ms":10000}}"#;

    fn letter(version: &str, kind: &str, body: &[u8]) -> DeadLetter {
        let fields: Fields = vec![
            (b"v".to_vec(), version.as_bytes().to_vec()),
            (b"kind".to_vec(), kind.as_bytes().to_vec()),
            (b"body".to_vec(), body.to_vec()),
        ];
        let error = wire::decode_check(fields.iter().map(|(n, v)| (n.as_slice(), v.as_slice()))).unwrap_err();
        not_understood("1-0", &fields, &error)
    }

    #[test]
    fn i11_a_letter_tells_the_field_and_never_a_value() {
        let with = |from: &str, to: &str| {
            assert!(GOOD.contains(from), "{from}");
            letter("1", "check", GOOD.replace(from, to).as_bytes())
        };
        let timeout = "\"timeout_ms\":10000";
        for (from, to, reason, part) in [
            (timeout, "\"timeout_ms\":\"hunter2\"", DeadReason::NotUnderstood, "line 3, column 69 is not what"),
            (timeout, "\"timeout_ms\":-5", DeadReason::NotUnderstood, "u32"),
            ("\"slot_at\":1,", "\"slot_at\":99999999999999999999,", DeadReason::NotUnderstood, "i64"),
            ("\"attempt\":0", "\"attempt\":70000", DeadReason::NotUnderstood, "u16"),
            ("\"published_at\":2,", "", DeadReason::NotUnderstood, "\"published_at\" is missing"),
            ("scheduled", "hunter2", DeadReason::Refused, "a value at line 2"),
            ("00000000-0000-0000-0000-000000000001", "hunter2", DeadReason::NotUnderstood, "line 1"),
            (timeout, "\"timeout_ms\":1,\"password\":\"hunter2\"", DeadReason::Refused, "option \"password\""),
            (
                timeout,
                "\"timeout_ms\":1,\"request\":{\"credentials\":{\"digest\":{\"password\":\"hunter2\"}}}",
                DeadReason::Refused,
                "option \"digest\"",
            ),
            (
                timeout,
                "\"timeout_ms\":1,\"request\":{\"credentials\":\"hunter2, expected hunter2\"}",
                DeadReason::Refused,
                "a value at line 3",
            ),
            (
                timeout,
                "\"timeout_ms\":\"hunter2, expected hunter2 at line 7\"",
                DeadReason::NotUnderstood,
                "should be: u32.",
            ),
            (timeout, "\"timeout_ms\":1,\"timeout_ms\":2", DeadReason::NotUnderstood, "\"timeout_ms\" is there twice"),
        ] {
            let letter = with(from, to);
            assert_eq!(letter.reason, reason, "{letter:?}");
            assert!(letter.detail.contains(part), "{part} in {letter:?}");
            assert!(!format!("{letter:?}").contains("hunter2"), "{letter:?}");
            assert_eq!(letter.raw, "", "{letter:?}");
            assert_eq!(letter.website_id.is_some(), !to.starts_with("hunter2") || from == "scheduled", "{letter:?}");
        }
    }

    /// Every value of a check with every option, in turn, as something else.
    #[test]
    fn i11_no_value_of_any_field_is_repeated_whatever_stands_there() {
        let full: Value = serde_json::from_str(
            r#"{"website_id":"00000000-0000-0000-0000-000000000001","slot_at":1,"attempt":0,"kind":"scheduled",
            "deadline_at":9,"published_at":2,"target":{"url":"https://u:hunter2@example.com/","timeout_ms":10000,
            "request":{"method":"POST","headers":[{"name":"x","value":"hunter2"}],"body":"hunter2",
            "credentials":{"basic":{"username":"hunter2","password":"hunter2"}},"user_agent":"hunter2",
            "max_redirects":5,"ip_family":"any","insecure_tls":true},"expect":{"accept":[[200,299]],
            "content":[{"contains":"hunter2"},{"json_equals":{"pointer":"/hunter2","value":"hunter2"}},
            {"header_equals":{"name":"hunter2","value":"hunter2"}}],"slow_ms":1,"certificate_days":7,
            "require_https":true}}}"#,
        )
        .unwrap();
        serde_json::from_value::<Check>(full.clone()).unwrap();
        let others =
            ["\"hunter2\"", "-7e77", "null", "[\"hunter2\"]", "{\"basic\":\"hunter2\"}", "{\"new\":\"hunter2\"}"];
        let (mut places, mut refused) = (Vec::new(), 0);
        pointers(&full, String::new(), &mut places);
        for place in &places {
            for other in others {
                let mut odd = full.clone();
                *odd.pointer_mut(place).unwrap() = serde_json::from_str(other).unwrap();
                let body = odd.to_string().into_bytes();
                if serde_json::from_slice::<Check>(&body).is_ok() {
                    continue;
                }
                refused += 1;
                let letter = letter("1", "check", &body);
                assert!(!format!("{letter:?}").contains("hunter2"), "{place} {other}: {letter:?}");
                assert!(letter.raw.is_empty() && letter.detail.contains("line 1"), "{place} {other}: {letter:?}");
            }
        }
        assert!(places.len() > 40 && refused > 150, "{} {refused}", places.len());
    }

    fn pointers(value: &Value, here: String, places: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                fields.iter().for_each(|(name, value)| pointers(value, format!("{here}/{name}"), places));
            }
            Value::Array(values) => {
                (0..).zip(values).for_each(|(n, value): (usize, _)| pointers(value, format!("{here}/{n}"), places));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
        places.push(here);
    }

    #[test]
    fn t160_what_is_no_json_is_shown_as_far_as_it_can_be_printed() {
        let cut = letter("1", "check", b"{");
        assert_eq!((cut.reason, cut.raw.as_str(), cut.website_id), (DeadReason::NotUnderstood, "{", None));
        assert!(cut.detail.starts_with("The body is not JSON: EOF"), "{cut:?}");
        assert_eq!(letter("1", "check", b"\xff\xfe{}\n").raw, "..{}.");
        let large = letter("1", "check", &vec![b'x'; 1 << 20]);
        assert_eq!((large.raw.len(), large.detail.as_str()), (1024, "body has 1048576 bytes, the limit is 8192."));
        let large = format!("{{\"password\":\"hunter2\",\"x\":\"{}\"}}", "x".repeat(9_000));
        assert_eq!(letter("1", "check", large.as_bytes()).raw, "", "it is JSON");
        assert_eq!(letter("2", "check", GOOD.as_bytes()).raw, "");
        assert_eq!(letter("2", "check", GOOD.as_bytes()).website_id, Some(WebsiteId(uuid::Uuid::from_u128(1))));
        let deep = letter("1", "check", "[".repeat(8_000).as_bytes());
        assert!(deep.detail.len() <= 512 && deep.raw.len() == 1024, "{deep:?}");
        let kind = letter("1", &"dance\u{e9}".repeat(100), b"{}");
        assert!(kind.detail.contains("dance") && kind.detail.is_ascii() && kind.detail.len() < 256, "{kind:?}");
    }

    #[test]
    fn an_instant_before_1970_is_none() {
        let check = |slot_at, published_at, deadline_at| Check {
            website_id: WebsiteId(uuid::Uuid::nil()),
            slot_at,
            attempt: 0,
            kind: CheckKind::Scheduled,
            deadline_at,
            published_at,
            target: Target::get("https://example.com/"),
        };
        assert_eq!(impossible(&check(0, 0, i64::MAX)), None);
        assert_eq!(impossible(&check(-1, 0, 5)).as_deref(), Some("slot_at is -1, which is before 1970."));
        assert!(impossible(&check(0, i64::MIN, 5)).is_some() && impossible(&check(0, 0, -5)).is_some());
    }
}
