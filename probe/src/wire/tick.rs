//! The answer: what a worker saw.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::{Check, CheckKind, Failure, Outcome, UtcMs, WebsiteId};

/// The result of a check. (website, region, slot, attempt) makes it one row, once; region and worker are told by the
/// stream's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tick {
    /// Copied from the check.
    pub website_id: WebsiteId,
    /// Copied from the check.
    pub slot_at: UtcMs,
    /// Copied from the check.
    pub attempt: u16,
    /// Copied from the check.
    pub kind: CheckKind,
    /// When the exchange began, by the worker's wall clock: a label, never used to order or to measure.
    pub started_at: UtcMs,
    /// What came of it.
    pub outcome: Outcome,
    /// Why the outcome is not up; also set for `Degraded`. Absent only when `outcome` is `Up`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Durations of the phases, summed over the hops.
    pub phases: Phases,
    /// From the first look-up to the last byte read, monotonic; equals the sum of the phases.
    pub total_us: u32,
    /// Status of the last hop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Address the last hop was connected to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<SocketAddr>,
    /// Body bytes read at the last hop, at most the cap of P2.
    #[serde(default)]
    pub body_bytes: u32,
    /// The body went on past the cap.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
    /// Every exchange made, in order: more than one when redirects were followed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hops: Vec<Hop>,
    /// Certificate of the last TLS hop, also when its verification failed. Names and chain are left out where the tick
    /// would be too large for the queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Certificate>,
    /// The beginning of an answer that is not as asked: at most [`Tick::ANSWER_CHARS`] printable characters, runs of space
    /// as one. Absent where nothing is wrong with the answer, nothing of it can be read, or the tick would be too large.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// What else is worth knowing of an answer that counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
    /// Waits of the check outside the exchange: our own, never the website's.
    #[serde(default, skip_serializing_if = "Delays::is_empty")]
    pub delays: Delays,
}

impl Tick {
    /// Longest [`Tick::answer`].
    pub const ANSWER_CHARS: usize = 200;

    /// The tick of a check about which nothing is known yet, begun at `started_at`.
    #[must_use]
    pub fn blank(check: &Check, started_at: UtcMs) -> Self {
        Self {
            website_id: check.website_id,
            slot_at: check.slot_at,
            attempt: check.attempt,
            kind: check.kind,
            started_at,
            outcome: Outcome::Unknown,
            failure: None,
            phases: Phases::default(),
            total_us: 0,
            status: None,
            remote: None,
            body_bytes: 0,
            truncated: false,
            hops: Vec::new(),
            certificate: None,
            answer: None,
            notes: Vec::new(),
            delays: Delays::default(),
        }
    }
}

crate::named! {
    /// Something about an answer that does not change its outcome.
    Note {
        /// An https hop redirected to http (T035). What is secret was not sent there.
        RedirectDowngrade = "redirect_downgrade",
        /// The certificate was not verified, as this website's settings ask (T017).
        TlsUnverified = "tls_unverified",
    }
}

/// Where a check's time went before and after its exchange. The first is a difference of two instants of the hub's
/// clock, the second of Redis' clock, the others are monotonic; no clock is compared with another. `None`: not known,
/// or there was no such stage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delays {
    /// Slot to publication: the hub's lateness. `None` for a check that did not wait for its slot (confirmation, first,
    /// manual).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publish_ms: Option<u32>,
    /// Publication to a worker: the time in the queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue_ms: Option<u32>,
    /// In the worker, until a thread began the check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread_us: Option<u32>,
    /// End of the exchange until the tick was first tried to be written to the queue; a review by canaries is part of
    /// it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report_us: Option<u32>,
}

impl Delays {
    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Monotonic durations in microseconds. `None`: the phase did not take place (no DNS for an IP literal, no TLS for
/// http, nothing after the phase that failed). A phase that failed has the time it took to fail.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phases {
    /// Name to addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns_us: Option<u32>,
    /// TCP handshake, all addresses tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect_us: Option<u32>,
    /// TLS handshake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_us: Option<u32>,
    /// Request written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send_us: Option<u32>,
    /// Until the first byte of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_us: Option<u32>,
    /// Rest of head, and body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receive_us: Option<u32>,
}

impl Phases {
    /// The phases in order with their names; absent ones are `None`.
    #[must_use]
    pub fn named(&self) -> [(&'static str, Option<u32>); 6] {
        [
            ("dns", self.dns_us),
            ("connect", self.connect_us),
            ("tls", self.tls_us),
            ("send", self.send_us),
            ("wait", self.wait_us),
            ("receive", self.receive_us),
        ]
    }

    /// Sum of the phases that took place.
    #[must_use]
    pub fn sum_us(&self) -> u32 {
        self.named().iter().filter_map(|(_, us)| *us).fold(0, u32::saturating_add)
    }

    /// Adds the phases of another hop to these.
    pub fn add(&mut self, other: &Self) {
        fn plus(a: &mut Option<u32>, b: Option<u32>) {
            if let Some(b) = b {
                *a = Some(a.unwrap_or(0).saturating_add(b));
            }
        }
        plus(&mut self.dns_us, other.dns_us);
        plus(&mut self.connect_us, other.connect_us);
        plus(&mut self.tls_us, other.tls_us);
        plus(&mut self.send_us, other.send_us);
        plus(&mut self.wait_us, other.wait_us);
        plus(&mut self.receive_us, other.receive_us);
    }
}

/// One exchange of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hop {
    /// Scheme, host, port and path; the query is left out, it may hold secrets. At most 512 bytes. Where a tick would be
    /// too large for the queue, one hop may stand for several: `(3 hops left out)`.
    pub url: String,
    /// Its status, when it got that far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Its phases.
    pub phases: Phases,
}

/// Facts of a certificate. Texts are printable ASCII, at most 256 bytes each.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// End of validity.
    pub not_after_at: UtcMs,
    /// Start of validity.
    pub not_before_at: UtcMs,
    /// Issuer's common name, or organisation.
    pub issuer: String,
    /// Issuer's organisation, which stays while its intermediates (and so the common name) change; absent where it names
    /// none, or the probe is too old to tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer_organization: Option<String>,
    /// Subject's common name, or first alternative name.
    pub subject: String,
    /// Names it is for: the first eight alternative names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// How many alternative names it has in all.
    #[serde(default)]
    pub names_total: u32,
    /// Subjects of the other certificates the server sent, in its order: the first four.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chain: Vec<String>,
    /// `TLSv1.2`, `TLSv1.3`; absent when the handshake failed before it was settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_version: Option<String>,
}

/// A sign of life, every 10 s (P7), and once when the worker stops.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Version of the probe.
    pub version: String,
    /// Start of the process, by the worker's wall clock. Changes on restart.
    pub started_at: UtcMs,
    /// Now, by the worker's wall clock; the hub compares it with the entry's Redis id (clock offset).
    pub sent_at: UtcMs,
    /// Checks it runs at once.
    pub concurrency: u16,
    /// Checks running now.
    pub in_flight: u16,
    /// Checks run since start.
    pub checks: u64,
    /// Checks not run because their deadline had passed.
    pub expired: u64,
    /// Checks not run because they could not be understood.
    pub refused: u64,
    /// Ticks waiting in memory to be written.
    pub buffered: u32,
    /// Ticks and dead letters dropped because there was no room for them, in memory or on disk.
    pub dropped: u64,
    /// Ticks waiting on disk to be written.
    #[serde(default)]
    pub spooled: u64,
    /// Ticks on disk that could not be read any more.
    #[serde(default)]
    pub damaged: u64,
    /// Checks whose entry vanished while pending (XAUTOCLAIM's third field).
    pub lost: u64,
    /// This machine's wall clock minus Redis' clock, once that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_offset_ms: Option<i64>,
    /// What the canaries say about the worker's own network.
    #[serde(default)]
    pub network: NetworkState,
    /// Its name servers find nothing. Beside `network`, which hubs of before would not understand otherwise.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub finds_no_names: bool,
    /// Failures that were not counted against their website, because the canaries failed too or nobody could tell.
    #[serde(default)]
    pub excused: u64,
    /// Checks that led to an address this probe may not visit. Each has its tick.
    #[serde(default)]
    pub forbidden: u64,
    /// The worker is about to stop.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stopping: bool,
}

crate::named! {
    /// What a worker's canaries say about its own network.
    #[derive(Default)]
    NetworkState {
        /// Nobody asked them lately: nothing failed, or there are none.
        #[default]
        Unasked = "unasked",
        /// The network works.
        Works = "works",
        /// No canary answers: what fails now says nothing about the websites.
        CutOff = "cut_off",
        /// The network is not cut off as far as is known, but its name servers find nothing: nobody can tell how websites
        /// are that are watched by their name. Never sent as such ([`Heartbeat::finds_no_names`]).
        NoNames = "no_names",
    }
}

impl Heartbeat {
    /// How it is with the worker's own network.
    #[must_use]
    pub fn network_state(&self) -> NetworkState {
        match self.network {
            NetworkState::CutOff | NetworkState::NoNames => self.network,
            NetworkState::Unasked | NetworkState::Works if self.finds_no_names => NetworkState::NoNames,
            NetworkState::Unasked | NetworkState::Works => self.network,
        }
    }
}

/// A check that was put away unrun, for the hub to keep with its reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// Redis' id of the entry in the region's stream of checks.
    pub entry_id: String,
    /// Why.
    pub reason: DeadReason,
    /// A sentence for people: printable ASCII, at most 512 bytes.
    pub detail: String,
    /// The website, when that much was understood.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub website_id: Option<WebsiteId>,
    /// The entry's body, cut to 1 KiB of printable ASCII; empty when the body was understood, since it may hold secrets.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub raw: String,
}

crate::named! {
    /// Why a check was put away.
    DeadReason {
        /// Too large, of an unknown version or kind, or not the JSON it should be.
        NotUnderstood = "not_understood",
        /// Past its deadline.
        Expired = "expired",
        /// It asks for what this worker cannot do or its operator forbids.
        Refused = "refused",
        /// Its workers ended while they had it, again and again. Only the hub can tell.
        MaxDeliveries = "max_deliveries",
    }
}
