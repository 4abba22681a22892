//! Conditions of Gatus, as what is expected of an answer. One that cannot be said here costs its endpoint: "up" would mean
//! less than it did.

use super::carry::Entries;
use super::pointer::{pointer, value};
use super::span::span_ms;
use crate::model::manifest::Out;

const OPERATORS: [&str; 6] = ["==", "!=", "<=", ">=", "<", ">"];
const DAY_MS: i64 = 86_400_000;

/// What conditions expect, and what of them means something else here; or why one cannot be said.
pub(super) fn conditions(all: &[&str]) -> Result<(Entries, Vec<String>), String> {
    let mut statuses: Vec<bool> = vec![true; 1_000];
    let (mut has_status, mut content, mut notes) = (false, Vec::new(), Vec::new());
    let (mut slow_ms, mut days): (Option<i64>, Option<i64>) = (None, None);
    for condition in all {
        let cannot = || format!("Condition \"{condition}\" cannot be said here.");
        let operator =
            OPERATORS.into_iter().find(|operator| condition.contains(&format!(" {operator} "))).ok_or_else(cannot)?;
        let (left, right) = condition.split_once(&format!(" {operator} ")).ok_or_else(cannot)?;
        let (left, right) = (left.trim(), right.trim());
        match left {
            "[STATUS]" => {
                has_status = true;
                let codes = codes(right).ok_or_else(cannot)?;
                for (code, allowed) in statuses.iter_mut().enumerate() {
                    let holds = |wanted: &usize| match operator {
                        "==" | "!=" => code == *wanted,
                        "<" => code < *wanted,
                        "<=" => code <= *wanted,
                        ">" => code > *wanted,
                        _ => code >= *wanted,
                    };
                    *allowed &= codes.iter().any(holds) != (operator == "!=");
                }
            }
            "[CONNECTED]" if operator == "==" && right == "true" => {}
            "[RESPONSE_TIME]" if operator.starts_with('<') => {
                let ms = right.parse::<i64>().ok().or_else(|| span_ms(right)).ok_or_else(cannot)?;
                slow_ms = Some(slow_ms.map_or(ms, |known| known.min(ms)).max(1));
                notes.push(format!("\"{condition}\": who is slower is degraded here, not down."));
            }
            "[CERTIFICATE_EXPIRATION]" if operator.starts_with('>') => {
                let ms = span_ms(right).ok_or_else(cannot)?;
                days = Some(((ms + DAY_MS - 1) / DAY_MS).clamp(1, 365));
                notes.push(format!("\"{condition}\": whose certificate ends earlier is degraded here, not down."));
            }
            "[BODY]" => content.push(body(operator, right).ok_or_else(cannot)?),
            _ => {
                let path = left.strip_prefix("[BODY]").filter(|_| operator == "==").ok_or_else(cannot)?;
                let is_function = right.contains('(') || right.starts_with('[');
                let pointer = pointer(path).filter(|_| !is_function).ok_or_else(cannot)?;
                let expected = Out::json(&value(right));
                content.push(Out::Map(vec![("json".to_owned(), Out::Text(pointer)), ("equals".to_owned(), expected)]));
            }
        }
    }
    let mut expect = Entries::new();
    if has_status {
        let accept = ranges(&statuses).ok_or("No status fits all of its conditions.")?;
        if accept != "200-299" {
            expect.push(("accept".to_owned(), Out::text(accept)));
        }
    } else {
        // Gatus looks at the status only where a condition says so.
        expect.push(("accept".to_owned(), Out::text("100-599")));
    }
    if !content.is_empty() {
        expect.push(("content".to_owned(), Out::List(content)));
    }
    expect.extend(slow_ms.map(|ms| ("slow_ms".to_owned(), Out::raw(ms))));
    expect.extend(days.map(|days| ("certificate_days".to_owned(), Out::raw(days))));
    Ok((expect, notes))
}

/// `200`, or `any(200, 429)`.
fn codes(text: &str) -> Option<Vec<usize>> {
    let list = text.strip_prefix("any(").and_then(|rest| rest.strip_suffix(')')).unwrap_or(text);
    list.split(',').map(|code| code.trim().parse().ok()).collect()
}

/// Of the codes there are, 100 to 599.
fn ranges(allowed: &[bool]) -> Option<String> {
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for code in (100..=599).filter(|code| allowed.get(*code) == Some(&true)) {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == code => *last = code,
            Some(_) | None => ranges.push((code, code)),
        }
    }
    let text = |(low, high): &(usize, usize)| if low == high { low.to_string() } else { format!("{low}-{high}") };
    (!ranges.is_empty()).then(|| ranges.iter().map(text).collect::<Vec<_>>().join(", "))
}

/// The whole body, or a pattern: `pat(*text*)`.
fn body(operator: &str, right: &str) -> Option<Out> {
    let one = |name: &str, text: &str| Some(Out::Map(vec![(name.to_owned(), Out::text(text))]));
    let pattern = right.strip_prefix("pat(").and_then(|rest| rest.strip_suffix(')'));
    let Some(pattern) = pattern else {
        let is_function = ["any(", "len(", "has("].iter().any(|name| right.starts_with(name));
        return if is_function || operator != "==" {
            None
        } else {
            one("matches", &format!("^\\s*{}\\s*$", escaped(right)))
        };
    };
    let inner = pattern.strip_prefix('*').and_then(|rest| rest.strip_suffix('*'));
    let is_plain = |text: &&str| !text.is_empty() && !text.contains(['*', '?', '[', '\\']);
    match (operator, inner.filter(is_plain)) {
        ("==", Some(text)) => one("contains", text),
        ("!=", Some(text)) => one("lacks", text),
        ("==", None) if !pattern.contains(['?', '[', '\\']) => {
            let parts: Vec<String> = pattern.split('*').map(escaped).collect();
            one("matches", &format!("(?s)^{}$", parts.join(".*")))
        }
        _ => None,
    }
}

/// A text as a regular expression for itself.
fn escaped(text: &str) -> String {
    let special = |c: char| "\\.+*?()|[]{}^$#&-~/".contains(c);
    let mut out = String::new();
    for c in text.chars() {
        if special(c) && !matches!(c, '/' | '-' | '&' | '~' | '#') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}
