//! What answers are made of: names, instants and words, each in one form, which is also the one that is described.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};
use uuid::Uuid;

use super::rfc3339;
use crate::model::look::Looked;
use crate::model::status_page::{Access, Impact, PostKind, UpdateState};
use crate::model::{
    AlertEvent, AlertId, AlertState, Blame, ChannelId, CheckKind, ClosedAs, IncidentEventKind, IncidentId,
    IncidentKind, LetterId, MaintenanceId, MutedBy, NetworkState, Note, Outcome, Phase, Phases, PingKind, UtcMs,
    WebsiteId, WebsiteKind,
};

/// An instant: RFC 3339, UTC, milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At(pub UtcMs);

impl Serialize for At {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&rfc3339(self.0))
    }
}

impl JsonSchema for At {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "At".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "date-time"})
    }
}

/// The name of a thing in paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Id(pub Uuid);

impl JsonSchema for Id {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Id".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "uuid"})
    }
}

macro_rules! from_ids {
    ($($id:ident),+) => { $(impl From<$id> for Id {
        fn from(id: $id) -> Self {
            Self(id.0)
        }
    })+ };
}
from_ids!(WebsiteId, IncidentId, ChannelId, AlertId, LetterId, MaintenanceId);

/// A list of words that has a name.
pub trait Words: Copy {
    /// What the list is called in the description.
    const NAME: &'static str;
    /// All there are.
    fn all() -> Vec<&'static str>;
    /// This one.
    fn word(self) -> &'static str;
}

/// A word of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word<T>(pub T);

impl<T: Words> Serialize for Word<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.word())
    }
}

impl<T: Words> JsonSchema for Word<T> {
    fn schema_name() -> Cow<'static, str> {
        T::NAME.into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "enum": T::all()})
    }
}

macro_rules! words {
    ($($word:ident),+ $(,)?) => { $(impl Words for $word {
        const NAME: &'static str = stringify!($word);

        fn all() -> Vec<&'static str> {
            Self::ALL.iter().map(|word| word.as_str()).collect()
        }

        fn word(self) -> &'static str {
            self.as_str()
        }
    })+ };
}
words!(
    Access,
    AlertEvent,
    AlertState,
    Blame,
    CheckKind,
    ClosedAs,
    IncidentEventKind,
    Impact,
    IncidentKind,
    Looked,
    MutedBy,
    NetworkState,
    Note,
    Outcome,
    Phase,
    PingKind,
    PostKind,
    UpdateState,
    WebsiteKind,
);

/// Why an outcome is not up.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Failure<'a> {
    /// What went wrong, for example dns_nxdomain, connect_refused, tls_expired, http_status. The list only grows.
    class: &'static str,
    /// Where in the exchange.
    phase: Word<Phase>,
    /// Whose fault: only the target's may count as down.
    blame: Word<Blame>,
    /// A sentence for people.
    detail: &'a str,
}

impl<'a> From<&'a crate::model::Failure> for Failure<'a> {
    fn from(failure: &'a crate::model::Failure) -> Self {
        let crate::model::Failure { class, phase, blame, detail } = failure;
        Self { class: class.as_str(), phase: Word(*phase), blame: Word(*blame), detail }
    }
}

/// Durations in microseconds; what did not take place is left out.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Phases")]
pub struct ShownPhases {
    /// Name to addresses.
    #[serde(skip_serializing_if = "Option::is_none")]
    dns_us: Option<u32>,
    /// TCP handshake.
    #[serde(skip_serializing_if = "Option::is_none")]
    connect_us: Option<u32>,
    /// TLS handshake.
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_us: Option<u32>,
    /// Request written.
    #[serde(skip_serializing_if = "Option::is_none")]
    send_us: Option<u32>,
    /// Until the first byte of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    wait_us: Option<u32>,
    /// Rest of head, and body.
    #[serde(skip_serializing_if = "Option::is_none")]
    receive_us: Option<u32>,
}

impl From<Phases> for ShownPhases {
    fn from(phases: Phases) -> Self {
        let Phases { dns_us, connect_us, tls_us, send_us, wait_us, receive_us } = phases;
        Self { dns_us, connect_us, tls_us, send_us, wait_us, receive_us }
    }
}
