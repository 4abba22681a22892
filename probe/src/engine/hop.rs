//! What one hop needs to know and what it finds out; shared by resolver, connector and transport of that hop.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rustls::pki_types::ServerName;
use url::{Host, Url};

use super::limits::{MAX_BEGINNING_BYTES, MAX_HOP_URL_BYTES};
use super::stopwatch::Stopwatch;
use super::tls::Seen;
use crate::wire::{Failure, IpFamily, Phase};

/// One exchange to be made.
#[derive(Debug)]
pub(super) struct Hop {
    pub(super) host: Host<String>,
    pub(super) port: u16,
    pub(super) server_name: Option<ServerName<'static>>,
    pub(super) family: IpFamily,
    /// End of the whole check.
    pub(super) deadline: Instant,
    /// Whether the certificate must be good.
    pub(super) verify: bool,
    /// The body that is being read is chunked.
    pub(super) chunked: AtomicBool,
    /// A chunk's size is not one.
    pub(super) unsound: AtomicBool,
    record: Mutex<Record>,
}

/// What came of it so far.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) stopwatch: Stopwatch,
    /// Addresses there were to connect to.
    pub(super) addresses: Vec<IpAddr>,
    /// A name server was asked for the host, and found it.
    pub(super) name_found: bool,
    pub(super) remote: Option<SocketAddr>,
    pub(super) seen: Seen,
    pub(super) tls_version: Option<String>,
    /// Bytes received, head included.
    pub(super) received: u64,
    /// `received` when the head was complete.
    pub(super) head_end: Option<u64>,
    /// The beginning of the answer, for a sentence about what it was.
    pub(super) beginning: Vec<u8>,
    /// Set by the layer that knows best what went wrong; the error that travels through ureq says less.
    pub(super) failure: Option<Failure>,
}

impl Hop {
    /// `None` when the URL has no host or no port.
    pub(super) fn new(url: &Url, family: IpFamily, deadline: Instant, verify: bool) -> Option<Self> {
        let host = url.host()?.to_owned();
        let server_name = match &host {
            Host::Domain(name) => ServerName::try_from(name.strip_suffix('.').unwrap_or(name).to_owned()).ok(),
            Host::Ipv4(address) => Some(ServerName::from(std::net::IpAddr::from(*address))),
            Host::Ipv6(address) => Some(ServerName::from(std::net::IpAddr::from(*address))),
        };
        let first = if matches!(host, Host::Domain(_)) { Phase::Dns } else { Phase::Connect };
        Some(Self {
            port: url.port_or_known_default().filter(|port| *port != 0)?,
            host,
            server_name,
            family,
            deadline,
            verify,
            chunked: AtomicBool::new(false),
            unsound: AtomicBool::new(false),
            record: Mutex::new(Record::new(first)),
        })
    }

    pub(super) fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The record, for the last time.
    pub(super) fn finish(&self) -> Record {
        std::mem::replace(&mut *self.record(), Record::new(Phase::Judge))
    }
}

impl Record {
    fn new(first: Phase) -> Self {
        Self {
            stopwatch: Stopwatch::start(first),
            addresses: Vec::new(),
            name_found: false,
            remote: None,
            seen: Seen::default(),
            tls_version: None,
            received: 0,
            head_end: None,
            beginning: Vec::new(),
            failure: None,
        }
    }

    /// The head of the answer is complete; what comes from here on is its body.
    pub(super) fn end_head(&mut self) {
        self.head_end = Some(self.received);
    }

    /// Counts bytes of the answer; the first end the wait.
    pub(super) fn receive(&mut self, bytes: &[u8]) {
        if self.received == 0 {
            self.stopwatch.enter(Phase::Receive);
            self.beginning.extend_from_slice(&bytes[..bytes.len().min(MAX_BEGINNING_BYTES)]);
        }
        self.received += bytes.len() as u64;
    }
}

/// A URL fit for storage: no query, no fragment, no credentials, not too long.
pub(super) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    // Fails for URLs without a host only, which have no credentials.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    super::classify::printable(url.as_str(), MAX_HOP_URL_BYTES)
}
