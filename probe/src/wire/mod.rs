//! What hub and probe say to each other. Pure data with serde; no I/O, no clock.
//!
//! A message is a Redis stream entry with three fields: `v` (schema version), `kind` (what `body` is) and `body`
//! (JSON). Unknown JSON fields are ignored, so that a newer peer can say more, except in what is to be asked and
//! expected of a website: an option that is not understood there makes the check one that cannot be run. Who sent a tick is told by the stream's key, never by the body.

mod check;
mod expect;
mod fit;
mod id;
mod outcome;
mod secret;
mod stream;
mod target;
mod tick;
mod valid;

pub use check::{Check, CheckKind};
pub use expect::{Content, Expectations, StatusRule};
pub use fit::encode_tick;
pub use id::{IdError, RegionId, WebsiteId, WorkerId};
pub use outcome::{Blame, Class, Failure, Outcome, Phase, UnknownName};
pub use secret::SecretText;
pub use stream::{
    BODY_FIELD, KIND_CHECK, KIND_DEAD_LETTER, KIND_FIELD, KIND_HEARTBEAT, KIND_TICK, MAX_CHECK_BYTES, MAX_TICK_BYTES,
    Report, SENT_FIELD, VERSION, VERSION_FIELD, WireError, check_key, decode_check, decode_report, encode,
    parse_tick_key, tick_key,
};
pub use target::{Credentials, HeaderField, IpFamily, Method, RequestOptions, Target};
pub use tick::{Certificate, DeadLetter, DeadReason, Delays, Heartbeat, Hop, NetworkState, Note, Phases, Tick};

pub(crate) use valid::json_depth;
pub use valid::{
    MAX_BODY_BYTES, MAX_CONTENT, MAX_EXPECTED_BYTES, MAX_HEADER_VALUE_BYTES, MAX_HEADERS, MAX_JSON_DEPTH, MAX_PATTERNS,
    MAX_REDIRECTS, MAX_STATUS_RANGES, MAX_TIMEOUT_MS, Problem, pattern,
};

/// An instant: milliseconds since 1970-01-01T00:00:00Z. Names of such values end in `_at`.
pub type UtcMs = i64;
