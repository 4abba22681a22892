//! What went wrong, as a sentence a visitor understands.

use super::{Blame, Class, Failure};

/// The sentence for a failure, without a full stop.
#[must_use]
pub fn sentence(failure: &Failure) -> &'static str {
    match failure.blame {
        Blame::Target | Blame::Policy => of(failure.class),
        Blame::Probe => match failure.class {
            // Its own fault by nature. Anything else was seen while its network did not work, and says nothing.
            Class::DnsUnavailable | Class::EdgeBlocked | Class::BlockedByPolicy | Class::Unsupported => {
                of(failure.class)
            }
            _ => of(Class::ProbeError),
        },
    }
}

/// The sentence for a class, when the target is to blame.
pub(super) fn of(class: Class) -> &'static str {
    match class {
        Class::DnsNxdomain => "This name does not exist in DNS",
        Class::DnsNoAddress => "The name has no address in DNS",
        Class::DnsServfail => "Its name servers answered with a failure",
        Class::DnsTimeout => "No answer from DNS in time",
        Class::DnsUnavailable => "The probe could not reach a name server",
        Class::DnsProtocol => "The answer from DNS could not be understood",
        Class::ConnectRefused => "The server refused the connection",
        Class::ConnectTimeout => "No connection in time",
        Class::ConnectUnreachable => "The server could not be reached",
        Class::ConnectFailed => "The connection failed",
        Class::TlsTimeout => "The TLS handshake did not finish in time",
        Class::TlsProtocol => "The TLS handshake failed",
        Class::TlsExpired => "The certificate has expired",
        Class::TlsNotYetValid => "The certificate is not valid yet",
        Class::TlsUntrusted => "The certificate is not from a trusted issuer",
        Class::TlsNameMismatch => "The certificate is for another name",
        Class::TlsRevoked => "The certificate was revoked",
        Class::TlsClientCertRequired => "The server asks for a client certificate",
        Class::TlsCertificate => "The certificate was not accepted",
        Class::SendTimeout => "The request could not be sent in time",
        Class::FirstByteTimeout => "Connected, but no answer in time",
        Class::BodyTimeout => "The answer was not complete in time",
        Class::EmptyReply => "The server closed the connection without an answer",
        Class::ConnectionLost => "The connection was lost in the middle",
        Class::HttpProtocol => "The answer is not HTTP",
        Class::HeaderTooLarge => "The head of the answer is too large",
        Class::HeaderTooMany => "The answer has too many header fields",
        Class::BodyIncomplete => "The answer ended too early",
        Class::BodyTooLarge => "The answer is too large to be judged",
        Class::BodyDecode => "The answer could not be decoded",
        Class::EncodingUnsupported => "The answer has a coding that is not supported",
        Class::TooManyRedirects => "Too many redirects",
        Class::RedirectBlocked => "It redirects to an address that is not allowed",
        Class::HttpStatus => "The status is not one that counts as up",
        Class::KeywordMissing => "A text that has to be there is missing",
        Class::KeywordPresent => "A text that must not be there is there",
        Class::ExpectationFailed => "The answer is not as expected",
        Class::Slow => "It answered, but slowly",
        Class::CertificateEnding => "The certificate ends soon",
        Class::EdgeBlocked => "A bot protection answered instead of the website",
        Class::BlockedByPolicy => "The probe may not ask this address",
        Class::Unsupported => "The probe is too old for this check",
        Class::ProbeError => "The probe had trouble of its own",
        Class::PingFailed => "The job reported that it failed",
        Class::PingMissing => "The job did not report in time",
        Class::PingOverdue => "The job started, and did not report its end in time",
    }
}
