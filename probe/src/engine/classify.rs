//! What went wrong, where, whose fault, and a sentence for people.

use std::fmt::Write as _;
use std::io;

use super::certificate;
use super::dns::DnsError;
use super::hop::Record;
use super::limits::{EARLIEST_NOW_AT, MAX_DETAIL_BYTES, MAX_SNIPPET_BYTES};
use super::tls::Seen;
use crate::wire::{Blame, Class, Failure, IpFamily, Phase, UtcMs};

/// A failure whose sentence may still hold anything.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) class: Class,
    pub(super) phase: Phase,
    pub(super) blame: Blame,
    pub(super) detail: String,
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        Self { class: trouble.class, phase: trouble.phase, blame: trouble.blame, detail: detail(&trouble.detail) }
    }
}

/// Printable ASCII, at most the length a detail may have.
pub(super) fn detail(text: &str) -> String {
    printable(text, MAX_DETAIL_BYTES)
}

/// Printable ASCII of at most `limit` bytes; everything else becomes `?`.
pub(super) fn printable(text: &str, limit: usize) -> String {
    text.chars().map(|c| if matches!(c, ' '..='~') { c } else { '?' }).take(limit).collect()
}

fn target(class: Class, phase: Phase, detail: impl Into<String>) -> Failure {
    Trouble { class, phase, blame: Blame::Target, detail: detail.into() }.into()
}

/// The order asks for something that cannot be done.
pub(super) fn unsupported(why: &str) -> Failure {
    Trouble { class: Class::Unsupported, phase: Phase::Dns, blame: Blame::Probe, detail: why.to_owned() }.into()
}

/// A host that cannot be a TLS server name.
pub(super) fn bad_server_name(host: &str) -> Failure {
    target(Class::TlsNameMismatch, Phase::Tls, format!("{host} cannot be the name of a TLS server."))
}

/// An upgrade nobody asked for.
pub(super) fn switched() -> Failure {
    target(Class::HttpProtocol, Phase::Receive, "The server switched protocols (101) without being asked.")
}

/// A chunk whose size is not a number.
pub(super) fn bad_chunk() -> Failure {
    target(Class::HttpProtocol, Phase::Receive, "The body is not framed as HTTP/1.1: a chunk's size is not a number.")
}

/// A name that gave no address.
pub(super) fn blame_of_dns(name: &str, family: IpFamily, error: &DnsError) -> Failure {
    let of = |works: bool| if works { Blame::Target } else { Blame::Probe };
    let hint = |works: bool| {
        if works { "" } else { " It does not answer for the root either, so the probe's own network is suspected." }
    };
    let (class, blame, detail) = match error {
        DnsError::Nxdomain => (Class::DnsNxdomain, Blame::Target, format!("The name {name} does not exist.")),
        DnsError::NoAddress => {
            let kind = match family {
                IpFamily::Any => "",
                IpFamily::V4 => "IPv4 ",
                IpFamily::V6 => "IPv6 ",
            };
            (Class::DnsNoAddress, Blame::Target, format!("The name {name} has no {kind}address."))
        }
        DnsError::Servfail { rcode, server_works } => (
            Class::DnsServfail,
            of(*server_works),
            format!("The name server failed to look up {name} ({}).{}", rcode_name(*rcode), hint(*server_works)),
        ),
        DnsError::Timeout { server_works } => (
            Class::DnsTimeout,
            of(*server_works),
            format!("The name server did not answer for {name} in time.{}", hint(*server_works)),
        ),
        DnsError::Unavailable { reason } => {
            (Class::DnsUnavailable, Blame::Probe, format!("No name server could be asked: {reason}."))
        }
        DnsError::Protocol { server_works } => (
            Class::DnsProtocol,
            of(*server_works),
            format!("The name server's answer for {name} cannot be read.{}", hint(*server_works)),
        ),
    };
    Trouble { class, phase: Phase::Dns, blame, detail }.into()
}

fn rcode_name(rcode: u8) -> String {
    match rcode {
        1 => "FORMERR".to_owned(),
        2 => "SERVFAIL".to_owned(),
        4 => "NOTIMP".to_owned(),
        5 => "REFUSED".to_owned(),
        other => format!("RCODE {other}"),
    }
}

/// A TLS handshake that failed at `now`.
pub(super) fn handshake(error: &io::Error, seen: &Seen, host: &str, now: UtcMs) -> Failure {
    if let Some(tls) = tls_error(error) {
        let (class, detail) = certificate::judge(tls, seen, host);
        if matches!(class, Class::TlsExpired | Class::TlsNotYetValid) && now < EARLIEST_NOW_AT {
            let today = certificate::date(now);
            let detail = format!("{detail} The probe's clock says {today}, which cannot be: set it.");
            return Trouble { class, phase: Phase::Tls, blame: Blame::Probe, detail }.into();
        }
        return target(class, Phase::Tls, detail);
    }
    if is_timeout(error) {
        return target(Class::TlsTimeout, Phase::Tls, "The TLS handshake was not finished in time.");
    }
    if seen.client_certificate_asked {
        return target(
            Class::TlsClientCertRequired,
            Phase::Tls,
            "The server asks visitors for a certificate of their own.",
        );
    }
    target(Class::ConnectionLost, Phase::Tls, "The server closed the connection during the TLS handshake.")
}

/// An alert after the handshake of a server that had asked for a certificate.
pub(super) fn late_alert(error: &io::Error, seen: &Seen, host: &str) -> Option<Failure> {
    let (class, detail) = certificate::judge(tls_error(error)?, seen, host);
    (class == Class::TlsClientCertRequired).then(|| target(class, Phase::Tls, detail))
}

fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock)
}

/// An exchange that gave no head.
pub(super) fn exchange(error: &ureq::Error, record: &Record) -> Failure {
    if let Some(failure) = &record.failure {
        return failure.clone();
    }
    let phase = record.stopwatch.phase();
    #[expect(clippy::wildcard_enum_match_arm, reason = "ureq's list is open")]
    match error {
        ureq::Error::Io(error) if is_timeout(error) => match phase {
            Phase::Send => target(Class::SendTimeout, phase, "The request could not be written in time."),
            Phase::Receive => target(Class::BodyTimeout, phase, "The head of the answer was not complete in time."),
            Phase::Dns | Phase::Connect | Phase::Tls | Phase::Wait | Phase::Judge => {
                target(Class::FirstByteTimeout, phase, "The server accepted the request but did not answer in time.")
            }
        },
        ureq::Error::Io(error) => match (phase, tls_error(error)) {
            (_, Some(tls)) => {
                let (class, detail) = certificate::judge(tls, &record.seen, "the server");
                target(class, phase, detail)
            }
            (Phase::Receive, None) => target(
                Class::ConnectionLost,
                phase,
                format!("The connection ended in the middle of the head of the answer: {error}."),
            ),
            (Phase::Dns | Phase::Connect | Phase::Tls | Phase::Send | Phase::Wait | Phase::Judge, None) => {
                target(Class::EmptyReply, phase, "The server closed the connection without an answer.")
            }
        },
        ureq::Error::LargeResponseHeader(..) => {
            target(Class::HeaderTooLarge, phase, "The head of the answer is longer than 64 KiB.")
        }
        ureq::Error::Protocol(error) => protocol(error, record),
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => unsupported(&format!("The URL cannot be asked for: {error}.")),
        other => Trouble {
            class: Class::ProbeError,
            phase,
            blame: Blame::Probe,
            detail: format!("The exchange failed in an unforeseen way: {other}."),
        }
        .into(),
    }
}

fn protocol(error: &impl std::fmt::Display, record: &Record) -> Failure {
    let phase = record.stopwatch.phase();
    let text = error.to_string();
    // The protocol crate is not ours to name; its texts are pinned by the tests.
    if text.contains("too many headers") {
        return target(Class::HeaderTooMany, phase, "The answer has more than 128 header fields.");
    }
    let why = if is_folded(&record.beginning) { "a header field is folded over two lines (obsolete)" } else { &text };
    let mut detail = format!("The answer is not HTTP/1.1: {why}.");
    if !record.beginning.is_empty() {
        let snippet = printable(&String::from_utf8_lossy(&record.beginning), MAX_SNIPPET_BYTES);
        // Writing to a String does not fail.
        let _ = write!(detail, " It begins with \"{snippet}\".");
    }
    target(Class::HttpProtocol, phase, detail)
}

/// Whether a line of the head begins with a space (RFC 9112, 5.2).
fn is_folded(beginning: &[u8]) -> bool {
    let text = memchr::memmem::find(beginning, b"\r\n\r\n").map_or(beginning, |end| &beginning[..end]);
    [b"\n ", b"\n\t"].iter().any(|fold| memchr::memmem::find(text, *fold).is_some())
}

/// A body that broke off.
pub(super) fn body(error: io::Error, record: &Record, body_bytes: u32, declared: Option<u64>) -> Failure {
    let phase = Phase::Receive;
    if is_timeout(&error) {
        return target(
            Class::BodyTimeout,
            phase,
            format!("The body was not complete in time; {body_bytes} bytes came."),
        );
    }
    let text = error.to_string();
    match error.downcast::<ureq::Error>() {
        Ok(ureq::Error::Protocol(error)) => {
            return target(Class::HttpProtocol, phase, format!("The body is not framed as HTTP/1.1: {error}."));
        }
        // Only a line that does not end fills the buffer: a chunk's size or a trailer.
        Ok(ureq::Error::LargeResponseHeader(..)) => {
            return target(Class::HttpProtocol, phase, "The body is not framed as HTTP/1.1: a line of it has no end.");
        }
        Ok(_) | Err(_) => {}
    }
    let detail = match declared {
        Some(declared) => format!("The body ended after {body_bytes} of {declared} bytes ({text})."),
        None => format!("The body ended after {body_bytes} bytes, before it was complete ({text})."),
    };
    let class = if record.head_end.is_some() { Class::BodyIncomplete } else { Class::ConnectionLost };
    target(class, phase, detail)
}
