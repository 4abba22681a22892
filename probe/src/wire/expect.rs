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
