//! One value out of a JSON document of any size, without building the rest.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::wire::{MAX_JSON_DEPTH, json_depth};

/// A longer value is not compared: what is expected is shorter anyway, and a tree takes many times its text.
const MAX_VALUE_BYTES: usize = 64 * 1024;

/// What a pointer led to.
#[derive(Debug, PartialEq)]
pub(super) enum Found {
    /// This.
    Value(Value),
    /// Something longer than can be compared.
    TooLong,
    /// Nothing.
    Nothing,
}

/// Follows `pointer` (RFC 6901) into `document`.
///
/// # Errors
/// The document is not JSON; what is wrong with it.
pub(super) fn find(document: &[u8], pointer: &str) -> Result<Found, String> {
    let document = document.strip_prefix(b"\xef\xbb\xbf").unwrap_or(document);
    let parts: Vec<String> =
        pointer.split('/').skip(1).map(|part| part.replace("~1", "/").replace("~0", "~")).collect();
    let mut deserializer = serde_json::Deserializer::from_slice(document);
    let found = Lead(&parts).deserialize(&mut deserializer).map_err(|e| e.to_string())?;
    deserializer.end().map_err(|e| e.to_string())?;
    let Some(raw) = found else { return Ok(Found::Nothing) };
    // Deeper or longer than anything that may be expected; building it takes stack and memory.
    if raw.get().len() > MAX_VALUE_BYTES || json_depth(raw.get()) > MAX_JSON_DEPTH {
        return Ok(Found::TooLong);
    }
    serde_json::from_str(raw.get()).map(Found::Value).map_err(|e| e.to_string())
}

/// Whether two values are the same; 1 and 1.0 are.
pub(super) fn equal(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(x), Some(y)) => a == b || x == y,
        (_, _) => a == b,
    }
}

/// The way that is left.
struct Lead<'p>(&'p [String]);

impl<'de> DeserializeSeed<'de> for Lead<'_> {
    type Value = Option<&'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        if self.0.is_empty() {
            return serde::Deserialize::deserialize(deserializer).map(Some);
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Lead<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        let Some((part, rest)) = self.0.split_first() else { return Ok(None) };
        while let Some(key) = map.next_key::<String>()? {
            if key == *part {
                found = map.next_value_seed(Lead(rest))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let Some((part, rest)) = self.0.split_first() else { return Ok(None) };
        let is_index = part == "0" || (!part.starts_with('0') && part.bytes().all(|b| b.is_ascii_digit()));
        let index: Option<usize> = part.parse().ok().filter(|_| is_index);
        let mut found = None;
        for number in 0.. {
            if Some(number) == index {
                match seq.next_element_seed(Lead(rest))? {
                    Some(value) => found = value,
                    None => break,
                }
            } else if seq.next_element::<IgnoredAny>()?.is_none() {
                break;
            }
        }
        Ok(found)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn pointers_lead_where_rfc_6901_says() {
        let document =
            br#"{"foo":["bar","baz"],"":0,"a/b":1,"m~n":8,"k\"l":6,"deep":{"x":[{"y":null}]},"twice":1,"twice":2}"#;
        for (pointer, expected) in [
            ("/foo/0", Found::Value(json!("bar"))),
            ("/foo", Found::Value(json!(["bar", "baz"]))),
            ("/", Found::Value(json!(0))),
            ("/a~1b", Found::Value(json!(1))),
            ("/m~0n", Found::Value(json!(8))),
            ("/k\"l", Found::Value(json!(6))),
            ("/deep/x/0/y", Found::Value(Value::Null)),
            ("/twice", Found::Value(json!(2))),
            ("/foo/2", Found::Nothing),
            ("/foo/01", Found::Nothing),
            ("/foo/-", Found::Nothing),
            ("/foo/0/bar", Found::Nothing),
            ("/none", Found::Nothing),
        ] {
            assert_eq!(find(document, pointer), Ok(expected), "{pointer}");
        }
        assert_eq!(find(b"\xef\xbb\xbf 7", ""), Ok(Found::Value(json!(7))));
    }

    #[test]
    fn what_is_not_json_is_told_and_depth_is_survived() {
        for bad in [&b"<html>"[..], b"", b"{} x", b"{\"a\":", b"\xff"] {
            assert!(find(bad, "/a").is_err(), "{bad:?}");
        }
        let deep = "[".repeat(500_000);
        assert!(find(deep.as_bytes(), "/0").is_err());
        assert!(find(deep.as_bytes(), &"/0".repeat(31)).is_err());
        let closed = format!("[{}{}]", "[".repeat(100), "]".repeat(100));
        assert_eq!(find(closed.as_bytes(), "/0"), Ok(Found::TooLong));
        let long = format!("[\"{}\"]", "x".repeat(MAX_VALUE_BYTES));
        assert_eq!(find(long.as_bytes(), "/0"), Ok(Found::TooLong));
    }

    #[test]
    fn the_stack_of_a_checks_thread_is_enough() {
        let walk = || {
            let pointer = "/0".repeat(MAX_JSON_DEPTH - 1);
            let value = format!("{}1{}", "[".repeat(MAX_JSON_DEPTH), "]".repeat(MAX_JSON_DEPTH));
            let document = format!("{}{value}{}", "[".repeat(MAX_JSON_DEPTH - 1), "]".repeat(MAX_JSON_DEPTH - 1));
            find(document.as_bytes(), &pointer)
        };
        // Half of what the pool gives, in a build that is not optimised.
        let thread = std::thread::Builder::new().stack_size(128 * 1024).spawn(walk).unwrap();
        assert!(matches!(thread.join(), Ok(Ok(Found::Value(_)))));
    }

    #[test]
    fn numbers_are_equal_by_value() {
        assert!(equal(&json!(1), &json!(1.0)) && !equal(&json!(1), &json!("1")) && !equal(&json!(1), &json!(2)));
        assert!(equal(&json!(u64::MAX), &json!(u64::MAX)));
    }
}
