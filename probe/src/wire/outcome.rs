//! What came of a check: outcome, class, phase, blame. Each has a fixed text form that is stored, shown and sent.

use serde::{Deserialize, Serialize};

/// Defines an enum with one snake-case text per variant, used in JSON, SQL and on pages alike. The hub uses it too.
#[macro_export]
macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $text)] $variant,)+ }

        impl $name {
            /// Every value, in order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stored and spoken form.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::wire::UnknownName;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err($crate::wire::UnknownName::new(stringify!($name), text)),
                }
            }
        }
    };
}

/// A text that is none of an enum's names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{found}\" is not a known {what}")]
pub struct UnknownName {
    what: &'static str,
    found: String,
}

impl UnknownName {
    /// `found` is cut to 80 characters.
    #[must_use]
    pub fn new(what: &'static str, found: &str) -> Self {
        Self { what, found: found.chars().take(80).collect() }
    }
}

crate::named! {
    /// What a tick says about the website, as seen from one region at one slot.
    Outcome {
        /// Answered as asked.
        Up = "up",
        /// Answered, but slow, or with a warning such as a certificate near its end.
        Degraded = "degraded",
        /// Did not answer as asked.
        Down = "down",
        /// Nothing can be said: our own trouble, or nobody looked.
        Unknown = "unknown",
    }
}

crate::named! {
    /// Where in the exchange it ended.
    Phase {
        /// Name to addresses.
        Dns = "dns",
        /// TCP handshake.
        Connect = "connect",
        /// TLS handshake.
        Tls = "tls",
        /// Request written.
        Send = "send",
        /// Request written, first byte of the answer awaited.
        Wait = "wait",
        /// Rest of head and body.
        Receive = "receive",
        /// The answer is complete; what it says was judged.
        Judge = "judge",
    }
}

crate::named! {
    /// Whose fault it is. Only [`Blame::Target`] may count towards down (invariant I5).
    Blame {
        /// The website, its DNS or its network.
        Target = "target",
        /// The probe, its host or its network.
        Probe = "probe",
        /// A rule of the operator forbade the check.
        Policy = "policy",
    }
}

crate::named! {
    /// Why an outcome is not `up`. The list only grows: the texts are in databases and in other people's scripts.
    Class {
        /// The name does not exist (RFC 1035 RCODE 3).
        DnsNxdomain = "dns_nxdomain",
        /// The name exists but has no address of the asked family.
        DnsNoAddress = "dns_no_address",
        /// The resolver answered with a failure (RCODE 2 and others).
        DnsServfail = "dns_servfail",
        /// No answer from any name server in time.
        DnsTimeout = "dns_timeout",
        /// No name server could be asked: the probe's own trouble.
        DnsUnavailable = "dns_unavailable",
        /// The answer could not be understood.
        DnsProtocol = "dns_protocol",
        /// RST to our SYN.
        ConnectRefused = "connect_refused",
        /// No answer to our SYN in time.
        ConnectTimeout = "connect_timeout",
        /// Network or host unreachable.
        ConnectUnreachable = "connect_unreachable",
        /// Any other failure to connect.
        ConnectFailed = "connect_failed",
        /// TLS handshake not finished in time.
        TlsTimeout = "tls_timeout",
        /// Not TLS, or no version or cipher in common, or a fatal alert.
        TlsProtocol = "tls_protocol",
        /// Certificate past its end date.
        TlsExpired = "tls_expired",
        /// Certificate before its start date.
        TlsNotYetValid = "tls_not_yet_valid",
        /// No chain to a trusted root.
        TlsUntrusted = "tls_untrusted",
        /// Certificate is for other names.
        TlsNameMismatch = "tls_name_mismatch",
        /// Certificate revoked.
        TlsRevoked = "tls_revoked",
        /// The server wants a certificate from us.
        TlsClientCertRequired = "tls_client_cert_required",
        /// Any other certificate error.
        TlsCertificate = "tls_certificate",
        /// Request could not be written in time.
        SendTimeout = "send_timeout",
        /// No first byte in time.
        FirstByteTimeout = "first_byte_timeout",
        /// Head or body not complete in time.
        BodyTimeout = "body_timeout",
        /// Closed without a byte.
        EmptyReply = "empty_reply",
        /// Connection reset or closed in the middle.
        ConnectionLost = "connection_lost",
        /// Not HTTP as RFC 9112 has it.
        HttpProtocol = "http_protocol",
        /// Response head over the limit (P2).
        HeaderTooLarge = "header_too_large",
        /// More header fields than the limit (P2).
        HeaderTooMany = "header_too_many",
        /// Body shorter than declared.
        BodyIncomplete = "body_incomplete",
        /// Body over the limit while its end was needed.
        BodyTooLarge = "body_too_large",
        /// Content coding could not be decoded.
        BodyDecode = "body_decode",
        /// Content coding we do not speak.
        EncodingUnsupported = "encoding_unsupported",
        /// More redirects than allowed.
        TooManyRedirects = "too_many_redirects",
        /// Redirect to a scheme or address that is not allowed.
        RedirectBlocked = "redirect_blocked",
        /// Status code not among the accepted ones.
        HttpStatus = "http_status",
        /// Text that had to be there is not.
        KeywordMissing = "keyword_missing",
        /// Text that must not be there is.
        KeywordPresent = "keyword_present",
        /// Another expectation on the answer failed.
        ExpectationFailed = "expectation_failed",
        /// Answered, but later than asked.
        Slow = "slow",
        /// Certificate ends soon.
        CertificateEnding = "certificate_ending",
        /// A bot challenge answered instead of the website.
        EdgeBlocked = "edge_blocked",
        /// Address not allowed from this probe.
        BlockedByPolicy = "blocked_by_policy",
        /// The check asks for something this probe does not know.
        Unsupported = "unsupported",
        /// The probe's own check budget ended outside any target phase, or it failed internally.
        ProbeError = "probe_error",
        /// A job reported that it failed. Only the hub writes this and the next two: no probe is asked.
        PingFailed = "ping_failed",
        /// A job did not report when it had to.
        PingMissing = "ping_missing",
        /// A job reported its start, and no end in time.
        PingOverdue = "ping_overdue",
    }
}

/// Why an outcome is not `up`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What went wrong.
    pub class: Class,
    /// Where.
    pub phase: Phase,
    /// Whose fault.
    pub blame: Blame,
    /// A sentence for people: printable ASCII, at most 512 bytes (P2), no credentials, no query strings.
    pub detail: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_read_back() {
        for class in Class::ALL {
            assert_eq!(class.as_str().parse(), Ok(*class));
            assert_eq!(serde_json::to_string(class).ok(), Some(format!("\"{class}\"")));
        }
        assert!("Up".parse::<Outcome>().is_err());
    }
}
