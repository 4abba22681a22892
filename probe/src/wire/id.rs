//! Names of things: a website, a region, a worker. Newtypes, so that one cannot be passed for another.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Why a text is not a valid name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{found}\" is not a {what}; use 1 to {max} of {allowed}, for example {example}")]
pub struct IdError {
    what: &'static str,
    found: String,
    max: usize,
    allowed: &'static str,
    example: &'static str,
}

/// A website: what a user asked to watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WebsiteId(pub Uuid);

impl fmt::Display for WebsiteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for WebsiteId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::try_parse(text).map(Self)
    }
}

macro_rules! slug {
    ($(#[$doc:meta])* $name:ident, $what:literal, $max:literal, $extra:literal, $allowed:literal, $example:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text form.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::try_from(text.to_owned())
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                let fits = (1..=$max).contains(&text.len())
                    && text.bytes().all(|b| b.is_ascii_alphanumeric() || $extra.contains(&b));
                if fits {
                    return Ok(Self(text));
                }
                let found = text.chars().take(80).flat_map(char::escape_default).collect();
                Err(IdError { what: $what, found, max: $max, allowed: $allowed, example: $example })
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

slug!(
    /// A region, e.g. `INDIA`: letters, digits and `-`, 1 to 32 bytes. It is the name of a Redis consumer group and
    /// part of stream keys and ACL patterns, hence the narrow alphabet.
    RegionId, "region", 32, b"-", "A-Z a-z 0-9 -", "INDIA"
);

slug!(
    /// A worker: one probe process in a region. Letters, digits, `.`, `_` and `-` (host names fit), 1 to 64 bytes.
    WorkerId, "worker name", 64, b"._-", "A-Z a-z 0-9 . _ -", "pi-1"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_a_short_slug() {
        for good in ["INDIA", "eu-west-1", "a", &"x".repeat(32)] {
            assert_eq!(good.parse::<RegionId>().map(String::from), Ok(good.to_owned()));
        }
        for bad in ["", "eu west", "eu:west", "eu*", "é", &"x".repeat(33), "a.b"] {
            assert!(bad.parse::<RegionId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_error_names_what_was_found_and_what_would_work() {
        let text = "eu west".parse::<RegionId>().map_err(|e| e.to_string());
        assert_eq!(
            text,
            Err("\"eu west\" is not a region; use 1 to 32 of A-Z a-z 0-9 -, for example INDIA".to_owned())
        );
    }

    #[test]
    fn json_does_not_bypass_the_rule() {
        assert!(serde_json::from_str::<RegionId>("\"a:b\"").is_err());
        assert!(serde_json::from_str::<WorkerId>("\"pi-1.local\"").is_ok());
    }
}
