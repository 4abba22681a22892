//! Stream keys and entries: the Redis contract of both binaries, without Redis.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Check, DeadLetter, Heartbeat, RegionId, Tick, WorkerId};

/// Schema version written to every entry. A reader accepts this one and the one before.
pub const VERSION: u16 = 1;
/// Entry field of the schema version.
pub const VERSION_FIELD: &str = "v";
/// Entry field that says what [`BODY_FIELD`] holds.
pub const KIND_FIELD: &str = "kind";
/// Entry field of the JSON.
pub const BODY_FIELD: &str = "body";
/// Entry field of a check: when it was sent, in milliseconds by Redis' clock as its hub knows it. The entry's id is when it
/// was taken in: by a Redis that stood still meanwhile, or over a way that was cut, much later.
pub const SENT_FIELD: &str = "sent";
/// A [`Check`].
pub const KIND_CHECK: &str = "check";
/// A [`Tick`].
pub const KIND_TICK: &str = "tick";
/// A [`Heartbeat`].
pub const KIND_HEARTBEAT: &str = "heartbeat";
/// A [`DeadLetter`].
pub const KIND_DEAD_LETTER: &str = "dead_letter";
/// Largest body of a check.
pub const MAX_CHECK_BYTES: usize = 8 * 1024;
/// Largest body of a tick, heartbeat or dead letter; [`super::encode_tick`] shortens a tick to it.
pub const MAX_TICK_BYTES: usize = 8 * 1024;

const TICK_PREFIX: &str = "betteruptime:tick:";

/// What a worker writes to its tick stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// A result. Boxed: it is ten times the size of a heartbeat.
    Tick(Box<Tick>),
    /// A sign of life.
    Heartbeat(Heartbeat),
    /// A check that was put away unrun.
    DeadLetter(DeadLetter),
}

/// Why an entry cannot be understood. It is dead-lettered with this text, never retried.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// A field is not there.
    #[error("field \"{0}\" is missing")]
    Missing(&'static str),
    /// Schema version we do not speak.
    #[error("schema version {found} is not understood; this program speaks {VERSION}")]
    Version {
        /// As found.
        found: String,
    },
    /// Not a kind expected on this stream.
    #[error("kind \"{found}\" is not expected on this stream")]
    Kind {
        /// As found, cut.
        found: String,
    },
    /// Over the size limit.
    #[error("body has {found} bytes, the limit is {limit}")]
    TooLarge {
        /// As found.
        found: usize,
        /// The limit.
        limit: usize,
    },
    /// Not the JSON it should be.
    #[error("body is not understood: {0}")]
    Body(String),
}

/// Key of the stream of checks of a region; its group has the region's name.
#[must_use]
pub fn check_key(region: &RegionId) -> String {
    format!("betteruptime:website:{region}")
}

/// Key of the stream one worker writes its ticks to; its group is `hub`.
#[must_use]
pub fn tick_key(region: &RegionId, worker: &WorkerId) -> String {
    format!("{TICK_PREFIX}{region}:{worker}")
}

/// Region and worker of a tick stream's key: the only source of a tick's origin.
#[must_use]
pub fn parse_tick_key(key: &str) -> Option<(RegionId, WorkerId)> {
    let (region, worker) = key.strip_prefix(TICK_PREFIX)?.split_once(':')?;
    Some((region.parse().ok()?, worker.parse().ok()?))
}

/// The JSON body of an entry.
///
/// # Errors
/// Only when a value cannot be JSON, which the wire types rule out; or when it is over `MAX_*_BYTES`.
pub fn encode<T: Serialize>(body: &T, limit: usize) -> Result<String, WireError> {
    let json = serde_json::to_string(body).map_err(|e| WireError::Body(e.to_string()))?;
    if json.len() > limit {
        return Err(WireError::TooLarge { found: json.len(), limit });
    }
    Ok(json)
}

/// Reads an entry of a check stream. `fields` are the entry's fields in any order; the first of a name counts.
///
/// # Errors
/// Any way in which the entry is not a check.
pub fn decode_check<'a>(fields: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Result<Check, WireError> {
    let entry = Entry::read(fields)?;
    match entry.kind {
        b"check" => entry.body(MAX_CHECK_BYTES),
        other => Err(unexpected(other)),
    }
}

/// Reads an entry of a tick stream.
///
/// # Errors
/// Any way in which the entry is none of tick, heartbeat and dead letter.
pub fn decode_report<'a>(fields: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Result<Report, WireError> {
    let entry = Entry::read(fields)?;
    match entry.kind {
        b"tick" => entry.body(MAX_TICK_BYTES).map(|tick| Report::Tick(Box::new(tick))),
        b"heartbeat" => entry.body(MAX_TICK_BYTES).map(Report::Heartbeat),
        b"dead_letter" => entry.body(MAX_TICK_BYTES).map(Report::DeadLetter),
        other => Err(unexpected(other)),
    }
}

struct Entry<'a> {
    kind: &'a [u8],
    body: &'a [u8],
}

impl<'a> Entry<'a> {
    fn read(fields: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Result<Self, WireError> {
        let (mut version, mut kind, mut body) = (None, None, None);
        for (name, value) in fields {
            let slot = match name {
                b"v" => &mut version,
                b"kind" => &mut kind,
                b"body" => &mut body,
                _ => continue,
            };
            slot.get_or_insert(value);
        }
        let version = version.ok_or(WireError::Missing(VERSION_FIELD))?;
        if version != b"1" {
            return Err(WireError::Version { found: printable(version) });
        }
        Ok(Self {
            kind: kind.ok_or(WireError::Missing(KIND_FIELD))?,
            body: body.ok_or(WireError::Missing(BODY_FIELD))?,
        })
    }

    fn body<T: DeserializeOwned>(&self, limit: usize) -> Result<T, WireError> {
        if self.body.len() > limit {
            return Err(WireError::TooLarge { found: self.body.len(), limit });
        }
        serde_json::from_slice(self.body).map_err(|e| WireError::Body(printable(e.to_string().as_bytes())))
    }
}

fn unexpected(kind: &[u8]) -> WireError {
    WireError::Kind { found: printable(kind) }
}

fn printable(bytes: &[u8]) -> String {
    bytes.iter().take(120).map(|b| if (b' '..=b'~').contains(b) { char::from(*b) } else { '.' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{CheckKind, Target, WebsiteId};

    fn check() -> Check {
        Check {
            website_id: WebsiteId(uuid::Uuid::nil()),
            slot_at: 1_000,
            attempt: 0,
            kind: CheckKind::Scheduled,
            deadline_at: 2_000,
            published_at: 1_000,
            target: Target::get("https://example.com/"),
        }
    }

    fn entry<'a>(v: &'a str, kind: &'a str, body: &'a str) -> Vec<(&'a [u8], &'a [u8])> {
        [("v", v), ("kind", kind), ("body", body)].map(|(k, v)| (k.as_bytes(), v.as_bytes())).to_vec()
    }

    #[test]
    fn a_check_survives_the_stream() {
        let json = encode(&check(), MAX_CHECK_BYTES).unwrap_or_default();
        assert_eq!(decode_check(entry("1", KIND_CHECK, &json)), Ok(check()));
    }

    #[test]
    fn unknown_json_fields_are_ignored_and_missing_ones_take_their_default() {
        let json = r#"{"website_id":"00000000-0000-0000-0000-000000000000","slot_at":1000,"attempt":0,
            "kind":"scheduled","deadline_at":2000,"published_at":1000,
            "target":{"url":"https://example.com/","timeout_ms":10000},"new":1}"#;
        assert_eq!(decode_check(entry("1", KIND_CHECK, json)), Ok(check()));
    }

    #[test]
    fn t288_an_option_that_is_not_understood_is_refused_not_left_out() {
        let json = encode(&check(), MAX_CHECK_BYTES).unwrap_or_default();
        for (at, with) in [
            ("\"timeout_ms\":10000", "\"timeout_ms\":10000,\"expect\":{\"contains_later\":1}"),
            ("\"timeout_ms\":10000", "\"timeout_ms\":10000,\"request\":{\"http3\":true}"),
            ("\"timeout_ms\":10000", "\"timeout_ms\":10000,\"dance\":1"),
        ] {
            assert!(json.contains(at), "{json}");
            assert!(matches!(decode_check(entry("1", KIND_CHECK, &json.replace(at, with))), Err(WireError::Body(_))));
        }
    }

    #[test]
    fn how_long_a_check_may_wait_is_on_the_wire() {
        assert_eq!(check().may_wait(), std::time::Duration::from_secs(1));
        assert_eq!(Check { published_at: 3_000, ..check() }.may_wait(), std::time::Duration::ZERO);
        let json = encode(&check(), MAX_CHECK_BYTES).unwrap_or_default().replace("\"published_at\":1000,", "");
        assert!(matches!(decode_check(entry("1", KIND_CHECK, &json)), Err(WireError::Body(_))), "{json}");
    }

    #[test]
    fn a_poisoned_entry_is_refused_with_its_reason() {
        let long = "x".repeat(MAX_CHECK_BYTES + 1);
        assert_eq!(decode_check(entry("2", KIND_CHECK, "{}")), Err(WireError::Version { found: "2".into() }));
        assert_eq!(decode_check(entry("1", KIND_TICK, "{}")), Err(WireError::Kind { found: "tick".into() }));
        assert!(matches!(decode_check(entry("1", KIND_CHECK, &long)), Err(WireError::TooLarge { .. })));
        assert!(matches!(decode_check(entry("1", KIND_CHECK, "{\"a\":")), Err(WireError::Body(_))));
        assert_eq!(decode_check(Vec::new()), Err(WireError::Missing(VERSION_FIELD)));
    }

    #[test]
    fn only_the_key_says_who_wrote_a_tick() {
        let (region, worker) = ("eu-west".parse(), "pi-1.local".parse());
        let (Ok(region), Ok(worker)) = (region, worker) else { unreachable!("valid names") };
        assert_eq!(parse_tick_key(&tick_key(&region, &worker)), Some((region, worker)));
        for bad in ["betteruptime:tick:eu", "betteruptime:tick:eu:a:b", "betteruptime:website:eu", "tick:eu:a"] {
            assert_eq!(parse_tick_key(bad), None, "{bad}");
        }
    }
}
