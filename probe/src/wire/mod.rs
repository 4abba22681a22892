//! What hub and probe say to each other. Pure data with serde; no I/O, no clock.
//!
//! A message is a Redis stream entry with three fields: `v` (schema version), `kind` (what `body` is) and `body`
//! (JSON). Unknown JSON fields are ignored, so that a newer peer can say more; a field whose meaning must be
//! understood raises `v`. Who sent a tick is told by the stream's key, never by the body.

mod check;
mod id;
mod outcome;
mod stream;
mod tick;

pub use check::{Check, CheckKind, IpFamily, Method, StatusRule, Target};
pub use id::{IdError, RegionId, WebsiteId, WorkerId};
pub use outcome::{Blame, Class, Failure, Outcome, Phase, UnknownName};
pub use stream::{
    BODY_FIELD, KIND_CHECK, KIND_FIELD, KIND_HEARTBEAT, KIND_TICK, MAX_CHECK_BYTES, MAX_TICK_BYTES, Report, VERSION,
    VERSION_FIELD, WireError, check_key, decode_check, decode_report, encode, parse_tick_key, tick_key,
};
pub use tick::{Certificate, Heartbeat, Hop, Phases, Tick};

/// An instant: milliseconds since 1970-01-01T00:00:00Z. Names of such values end in `_at`.
pub type UtcMs = i64;
