//! The layers under ureq: our resolver, a connector that dials and shakes hands, and a stream that keeps the time.
//! ureq's own timeouts stay unset; every wait below has the deadline of its phase or of the check.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use rustls::{ClientConnection, StreamOwned};
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

use super::Shared;
use super::buffers::SmallBuffers;
use super::classify;
use super::dial::dial;
use super::hop::Hop;
use super::limits::{
    BUFFER_BYTES, CONNECT_BUDGET, DNS_BUDGET, MAX_BODY_BYTES, MAX_FRAMING_BYTES, MAX_HEAD_BYTES, TLS_BUDGET,
};
use super::resolve::resolve;
use super::socket::Socket;
use crate::wire::{Failure, Phase};

/// Resolver and connector of one hop.
#[derive(Debug, Clone)]
pub(super) struct Layers {
    pub(super) shared: Arc<Shared>,
    pub(super) hop: Arc<Hop>,
}

impl Layers {
    /// Keeps the failure for the judge; ureq only has to stop.
    fn fail(&self, failure: Failure) -> ureq::Error {
        self.hop.record().failure = Some(failure);
        ureq::Error::ConnectionFailed
    }
}

impl Resolver for Layers {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let hop = &self.hop;
        let deadline = hop.deadline.min(Instant::now() + DNS_BUDGET);
        let found = resolve(&self.shared.dns, &self.shared.policy, &hop.host, hop.port, hop.family, deadline)
            .map_err(|failure| self.fail(failure))?;
        hop.record().name_found = found.was_asked;
        let mut addresses = self.empty();
        for address in found.addresses {
            addresses.push(address);
        }
        Ok(addresses)
    }
}

impl Connector<()> for Layers {
    type Out = Wire;

    fn connect(&self, details: &ConnectionDetails<'_>, _: Option<()>) -> Result<Option<Wire>, ureq::Error> {
        let hop = &self.hop;
        {
            let mut record = hop.record();
            record.addresses = details.addrs.iter().map(std::net::SocketAddr::ip).collect();
            match record.stopwatch.phase() {
                Phase::Dns => record.stopwatch.enter(Phase::Connect),
                Phase::Connect | Phase::Tls | Phase::Send | Phase::Wait | Phase::Receive | Phase::Judge => {
                    record.stopwatch.rename(Phase::Connect);
                }
            }
        }
        let (stream, remote) = dial(&details.addrs, hop.deadline.min(Instant::now() + CONNECT_BUDGET))
            .map_err(|failure| self.fail(failure))?;
        hop.record().remote = Some(remote);
        let stream = if details.needs_tls() {
            hop.record().stopwatch.enter(Phase::Tls);
            let Some(name) = hop.server_name.clone() else {
                return Err(self.fail(classify::bad_server_name(&hop.host.to_string())));
            };
            let deadline = hop.deadline.min(Instant::now() + TLS_BUDGET);
            let (result, seen) = self.shared.tls.handshake(stream, name, deadline, hop.verify);
            let result = result.map_err(|error| {
                self.fail(classify::handshake(&error, &seen, &hop.host.to_string(), self.shared.clock.now()))
            });
            hop.record().seen = seen;
            let mut stream = result?;
            stream.sock.set_deadline(hop.deadline);
            hop.record().tls_version = stream.conn.protocol_version().and_then(|v| v.as_str()).map(tls_name);
            Stream::Tls(Box::new(stream))
        } else {
            Stream::Plain(Socket::new(stream, hop.deadline))
        };
        hop.record().stopwatch.enter(Phase::Send);
        Ok(Some(Wire { hop: Arc::clone(hop), stream, buffers: SmallBuffers::default(), deaf: false }))
    }
}

/// `TLSv1_3` as rustls has it, `TLSv1.3` as people have it.
fn tls_name(name: &str) -> String {
    name.replace('_', ".")
}

#[derive(Debug)]
enum Stream {
    Plain(Socket),
    Tls(Box<StreamOwned<ClientConnection, Socket>>),
}

/// One fresh connection.
#[derive(Debug)]
pub(super) struct Wire {
    hop: Arc<Hop>,
    stream: Stream,
    buffers: SmallBuffers,
    /// The server takes nothing more of the request; what it has to say may be on its way all the same (T050).
    deaf: bool,
}

impl Transport for Wire {
    fn buffers(&mut self) -> &mut dyn Buffers {
        if self.hop.chunked.load(Ordering::Relaxed) {
            self.buffers.follow_chunks(&self.hop);
        }
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), ureq::Error> {
        if self.deaf {
            return Ok(());
        }
        let output = &self.buffers.output()[..amount];
        let written = match &mut self.stream {
            Stream::Plain(socket) => socket.write_all(output),
            Stream::Tls(stream) => stream.write_all(output).and_then(|()| stream.flush()),
        };
        match written {
            Err(error) if is_closed(&error) => {
                self.deaf = true;
                Ok(())
            }
            done => Ok(done?),
        }
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, ureq::Error> {
        {
            let mut record = self.hop.record();
            if record.stopwatch.phase() == Phase::Send {
                record.stopwatch.enter(Phase::Wait);
            }
            match record.head_end {
                None => {
                    // Interim answers without end do not fill the buffer, but they are a head all the same.
                    let head = usize::try_from(record.received).unwrap_or(usize::MAX);
                    if head > MAX_HEAD_BYTES + BUFFER_BYTES {
                        return Err(ureq::Error::LargeResponseHeader(head, MAX_HEAD_BYTES));
                    }
                }
                Some(head_end) => {
                    let limit = u64::from(MAX_BODY_BYTES) + MAX_FRAMING_BYTES;
                    if record.received - head_end > limit {
                        return Err(ureq::Error::BodyExceedsLimit(limit));
                    }
                }
            }
        }
        let buffer = self.buffers.input_append_buf();
        if buffer.is_empty() {
            return Err(ureq::Error::LargeResponseHeader(MAX_HEAD_BYTES + BUFFER_BYTES, MAX_HEAD_BYTES));
        }
        let amount = match &mut self.stream {
            Stream::Plain(socket) => socket.read(buffer),
            Stream::Tls(stream) if self.deaf => hear_out(stream, buffer),
            Stream::Tls(stream) => stream.read(buffer),
        }
        .inspect_err(|error| note(&self.hop, error))?;
        if amount > 0 {
            self.hop.record().receive(&buffer[..amount]);
        }
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        // Connections are never used again.
        false
    }

    fn is_tls(&self) -> bool {
        matches!(self.stream, Stream::Tls(_))
    }
}

/// Reads without the write that comes before it otherwise: what is left of the request would fail again.
fn hear_out(stream: &mut StreamOwned<ClientConnection, Socket>, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match stream.conn.reader().read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            done => return done,
        }
        if stream.conn.read_tls(&mut stream.sock)? == 0 {
            return Ok(0);
        }
        stream.conn.process_new_packets().map_err(io::Error::other)?;
    }
}

/// Whether the other side has closed the connection.
fn is_closed(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(error.kind(), Kind::BrokenPipe | Kind::ConnectionReset | Kind::ConnectionAborted)
}

/// In TLS 1.3 a server refuses a visitor without a certificate after the handshake: the alert arrives while reading.
fn note(hop: &Hop, error: &io::Error) {
    let mut record = hop.record();
    if record.received == 0
        && record.seen.client_certificate_asked
        && let Some(failure) = classify::late_alert(error, &record.seen, &hop.host.to_string())
    {
        record.failure = Some(failure);
    }
}
