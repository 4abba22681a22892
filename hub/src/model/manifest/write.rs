//! Writing YAML: blocks for lists and maps, quotes wherever a text could be read as something else.

use std::fmt::Write as _;

/// What is to be written.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::model) enum Out {
    /// A text.
    Text(String),
    /// A number, `true`, `null` or what else stands as it is.
    Raw(String),
    /// A list.
    List(Vec<Out>),
    /// A map.
    Map(Vec<(String, Out)>),
}

impl Out {
    pub(in crate::model) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub(in crate::model) fn raw(value: impl ToString) -> Self {
        Self::Raw(value.to_string())
    }

    /// A JSON value.
    pub(in crate::model) fn json(value: &serde_json::Value) -> Self {
        use serde_json::Value as Json;
        match value {
            Json::Null | Json::Bool(_) | Json::Number(_) => Self::raw(value),
            Json::String(text) => Self::text(text),
            Json::Array(items) => Self::List(items.iter().map(Self::json).collect()),
            Json::Object(map) => Self::Map(map.iter().map(|(name, value)| (name.clone(), Self::json(value))).collect()),
        }
    }
}

/// As a file.
pub(in crate::model) fn to_yaml(out: &Out) -> String {
    let mut text = String::new();
    block(&mut text, out, 0);
    text
}

fn block(text: &mut String, out: &Out, indent: usize) {
    match out {
        Out::Map(entries) => {
            for (name, value) in entries {
                let _ = write!(text, "{:indent$}{}:", "", quoted(name));
                after_name(text, value, indent);
            }
        }
        Out::List(items) => {
            for item in items {
                if is_inline(item) {
                    let _ = writeln!(text, "{:indent$}- {}", "", inline(item));
                    continue;
                }
                let mut inner = String::new();
                block(&mut inner, item, indent + 2);
                // What begins a block on the line of its dash.
                let _ = write!(text, "{:indent$}- {}", "", inner.trim_start_matches(' '));
            }
        }
        Out::Text(_) | Out::Raw(_) => {
            let _ = writeln!(text, "{:indent$}{}", "", inline(out));
        }
    }
}

fn after_name(text: &mut String, value: &Out, indent: usize) {
    match value {
        value if is_inline(value) => {
            let _ = writeln!(text, " {}", inline(value));
        }
        value => {
            text.push('\n');
            block(text, value, indent + 2);
        }
    }
}

/// What stands on one line: texts, lists of them, and where a secret is.
fn is_inline(out: &Out) -> bool {
    let is_one = |out: &Out| matches!(out, Out::Text(_) | Out::Raw(_));
    match out {
        Out::Text(_) | Out::Raw(_) => true,
        Out::List(items) => items.iter().all(is_one),
        Out::Map(entries) => match entries.as_slice() {
            [] => true,
            [(name, value)] => matches!(name.as_str(), "env" | "file") && is_one(value),
            _ => false,
        },
    }
}

fn inline(out: &Out) -> String {
    match out {
        Out::Text(text) => quoted(text),
        Out::Raw(text) => text.clone(),
        Out::List(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Out::Map(entries) => {
            let parts: Vec<String> =
                entries.iter().map(|(name, value)| format!("{}: {}", quoted(name), inline(value))).collect();
            format!("{{{}}}", parts.join(", "))
        }
    }
}

/// A text as it is, where nothing else could be meant; else in double quotes.
fn quoted(text: &str) -> String {
    let is_word =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '+' | '@' | '=' | '(' | ')');
    let starts = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
    let is_plain = starts && !text.ends_with([' ', ':']) && text.chars().all(|c| is_word(c) || matches!(c, ' ' | ':'));
    let lower = text.to_ascii_lowercase();
    let is_special = matches!(lower.as_str(), "true" | "false" | "yes" | "no" | "on" | "off" | "null" | "y" | "n");
    if is_plain && !is_special && !text.contains(": ") && !text.contains("  ") {
        return text.to_owned();
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
