//! What is expected of head and body, a row each: kind, place, value.

use probe::wire::{Content, Expectations, Target};

use super::{FieldError, FieldErrors};

probe::named! {
    /// What a row says.
    ContentKind {
        /// The body holds the value.
        Contains = "contains",
        /// The body does not hold the value.
        Lacks = "lacks",
        /// The body matches the value, a regular expression.
        Matches = "matches",
        /// What the JSON pointer leads to equals the value.
        JsonEquals = "json_equals",
        /// The header field equals the value.
        HeaderEquals = "header_equals",
    }
}

/// A row as typed. One without place and value does not count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContentInput {
    /// A name of [`ContentKind`].
    pub kind: String,
    /// JSON pointer or name of a header field; the other kinds have none.
    pub place: String,
    /// Text, pattern or value.
    pub value: String,
}

/// Names of the rows in errors; as many as there may be.
pub const ROWS: [&str; probe::wire::MAX_CONTENT] = [
    "content_1",
    "content_2",
    "content_3",
    "content_4",
    "content_5",
    "content_6",
    "content_7",
    "content_8",
    "content_9",
    "content_10",
];

impl ContentInput {
    /// The row for an expectation there is.
    #[must_use]
    pub fn of(content: &Content) -> Self {
        let row = |kind: ContentKind, place: &str, value: String| Self {
            kind: kind.to_string(),
            place: place.to_owned(),
            value,
        };
        match content {
            Content::Contains(text) => row(ContentKind::Contains, "", text.clone()),
            Content::Lacks(text) => row(ContentKind::Lacks, "", text.clone()),
            Content::Matches(text) => row(ContentKind::Matches, "", text.clone()),
            Content::JsonEquals { pointer, value } => row(ContentKind::JsonEquals, pointer, json_text(value)),
            Content::HeaderEquals { name, value } => row(ContentKind::HeaderEquals, name, value.clone()),
        }
    }

    /// Whether nothing was typed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.place.trim().is_empty() && self.value.trim().is_empty()
    }

    fn parse(&self) -> Result<Content, String> {
        let kind = if self.kind.is_empty() { Ok(ContentKind::Contains) } else { self.kind.parse() };
        let kind = kind.map_err(|_| "Choose one of the list.".to_owned())?;
        let (place, value) = (self.place.trim(), self.value.as_str());
        match kind {
            ContentKind::Contains => Ok(Content::Contains(value.to_owned())),
            ContentKind::Lacks => Ok(Content::Lacks(value.to_owned())),
            ContentKind::Matches => Ok(Content::Matches(value.to_owned())),
            ContentKind::JsonEquals => Ok(Content::JsonEquals { pointer: place.to_owned(), value: json(value)? }),
            ContentKind::HeaderEquals => {
                Ok(Content::HeaderEquals { name: place.to_owned(), value: value.trim().to_owned() })
            }
        }
    }
}

/// The rows that count; each is judged by itself, so that its error stands beside it.
pub(super) fn parse(rows: &[ContentInput], errors: &mut FieldErrors) -> Vec<Content> {
    let mut all = Vec::new();
    for (n, row) in rows.iter().enumerate().filter(|(_, row)| !row.is_empty()) {
        let Some(field) = ROWS.get(n) else {
            errors.push(FieldError::new("content", "", format!("Give at most {}.", ROWS.len())));
            break;
        };
        let parsed = row.parse().and_then(|content| match wrong(&content) {
            Some(remedy) => Err(remedy),
            None => Ok(content),
        });
        match parsed {
            Ok(content) => all.push(content),
            Err(remedy) => errors.push(FieldError::new(field, &row.value, remedy)),
        }
    }
    all
}

fn wrong(content: &Content) -> Option<String> {
    let expect = Expectations { content: vec![content.clone()], ..Expectations::default() };
    Target { expect, ..Target::get("") }.problems().pop().map(|problem| problem.remedy)
}

/// What is JSON is taken as such, any other word as a text; what begins like JSON and is none is a slip.
fn json(text: &str) -> Result<serde_json::Value, String> {
    let text = text.trim();
    match serde_json::from_str(text) {
        Ok(value) => Ok(value),
        Err(_) if text.is_empty() => Err("Give the value; an empty text is written \"\".".to_owned()),
        Err(_) if text.starts_with(['{', '[', '"']) => Err("This is not JSON; check quotes and brackets.".to_owned()),
        Err(_) => Ok(serde_json::Value::String(text.to_owned())),
    }
}

/// As it is typed: a text that cannot be taken for anything else goes without quotes.
#[must_use]
pub fn json_text(value: &serde_json::Value) -> String {
    match value.as_str() {
        Some(text) if json(text).is_ok_and(|again| again == *value) => text.to_owned(),
        Some(_) | None => value.to_string(),
    }
}
