//! What counts as a good answer.

use serde::{Deserialize, Serialize};

/// What a website's answer has to be.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Expectations {
    /// Which status codes count as up.
    #[serde(skip_serializing_if = "StatusRule::is_default")]
    pub accept: StatusRule,
    /// What must hold of head and body; the first that does not is told.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub content: Vec<Content>,
    /// Slower than this in total counts as degraded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slow_ms: Option<u32>,
    /// Degraded when the certificate has fewer days left. `None`: seven, or a third of a short life; 0: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_days: Option<u16>,
    /// The answer must come over https, and no https hop may lead to http: that is down then, not a note (T035).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub require_https: bool,
}

impl Expectations {
    /// Whether nothing special is expected.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the body has to be read as text, whatever its coding.
    #[must_use]
    pub fn reads_body(&self) -> bool {
        self.content.iter().any(|content| match content {
            Content::Contains(_) | Content::Lacks(_) | Content::Matches(_) | Content::JsonEquals { .. } => true,
            Content::HeaderEquals { .. } => false,
        })
    }
}

/// Something that must hold of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Content {
    /// The body holds this text, byte for byte.
    Contains(String),
    /// The body does not hold this text.
    Lacks(String),
    /// The body matches this regular expression (syntax of the `regex` crate).
    Matches(String),
    /// The body is JSON, and what the pointer (RFC 6901) leads to equals the value.
    JsonEquals {
        /// `/status`, `/checks/0/ok`; empty for the whole document.
        pointer: String,
        /// Any JSON value.
        value: serde_json::Value,
    },
    /// A field of the head has this value, spaces at its ends aside.
    HeaderEquals {
        /// Name, in any case.
        name: String,
        /// Value, in this case.
        value: String,
    },
}

/// Status codes that count as up: inclusive ranges. Default 200-299.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StatusRule(pub Vec<(u16, u16)>);

impl Default for StatusRule {
    fn default() -> Self {
        Self(vec![(200, 299)])
    }
}

impl StatusRule {
    /// Whether this is the product's default.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Whether `status` counts as up.
    #[must_use]
    pub fn accepts(&self, status: u16) -> bool {
        self.0.iter().any(|(low, high)| (*low..=*high).contains(&status))
    }
}

impl std::str::FromStr for StatusRule {
    type Err = String;

    /// Codes and ranges as people write them: `200-299, 301`.
    fn from_str(text: &str) -> Result<Self, String> {
        let code = |text: &str| -> Option<u16> {
            Some(text.trim())
                .filter(|t| t.len() == 3 && t.bytes().all(|b| b.is_ascii_digit()))?
                .parse()
                .ok()
                .filter(|code| *code >= 100)
        };
        let range = |part: &str| match part.split_once('-') {
            Some((low, high)) => Some((code(low)?, code(high)?)).filter(|(low, high)| low <= high),
            None => code(part).map(|code| (code, code)),
        };
        text.split(',').map(range).collect::<Option<Vec<_>>>().map(Self).ok_or_else(|| {
            let found: String = text.chars().take(80).flat_map(char::escape_default).collect();
            format!("\"{found}\" is not a list of status codes; write it like 200-299, 301")
        })
    }
}

impl std::fmt::Display for StatusRule {
    /// As parsing reads it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let range = |(low, high): &(u16, u16)| if low == high { low.to_string() } else { format!("{low}-{high}") };
        f.write_str(&self.0.iter().map(range).collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_codes_are_read_as_they_are_written() {
        for text in ["200-299", "200-299, 301, 404", "999"] {
            assert_eq!(text.parse::<StatusRule>().map(|rule| rule.to_string()).as_deref(), Ok(text));
        }
        for bad in ["", "20", "299-200", "1000", "200-", "2xx", "200,", "+200"] {
            assert!(bad.parse::<StatusRule>().is_err(), "{bad}");
        }
    }
}
