//! Facts of a certificate for people, and sentences about what is wrong with it.

mod der;
pub(super) mod key;

use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::{
    AlertDescription, CertificateError, Error as TlsError, ExtendedKeyPurpose, InvalidMessage, PeerIncompatible,
};

use self::der::Body;
use super::classify::printable;
use super::limits::MAX_CERTIFICATE_TEXT_BYTES;
use super::tls::Seen;
use crate::wire::{Certificate, Class, UtcMs};

/// Names of a certificate that are told, and certificates beside it.
const NAMES_TOLD: usize = 8;
const CHAIN_TOLD: usize = 4;

/// What a server showed of itself: its certificate and those beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shown {
    facts: Certificate,
    /// Subject and issuer are the same.
    self_signed: bool,
    /// Certificates sent beside the leaf.
    others: usize,
    /// One of them is that of the leaf's issuer.
    issuer_sent: bool,
    /// Issuer of the last certificate sent.
    top_issuer: String,
}

impl Shown {
    /// Reads a leaf and the others; `None` when the former is no certificate. The work grows with the size of what was
    /// sent, which rustls limits to 64 KiB; what is kept does not.
    pub(super) fn read(leaf: &CertificateDer<'_>, others: &[CertificateDer<'_>]) -> Option<Self> {
        let text = |text: &str| printable(text, MAX_CERTIFICATE_TEXT_BYTES);
        let leaf = Body::read(leaf)?;
        let mut names: Vec<String> = Vec::new();
        let mut names_total = 0;
        for name in leaf.alternative_names() {
            if names.len() < NAMES_TOLD {
                names.push(text(&name.text()));
            }
            names_total += 1;
        }
        let others_read = || others.iter().filter_map(|other| Body::read(other));
        let top_issuer = others.last().and_then(|other| Body::read(other)).map_or(leaf.issuer, |top| top.issuer);
        Some(Self {
            self_signed: leaf.subject == leaf.issuer,
            others: others.len(),
            issuer_sent: others_read().any(|other| other.subject == leaf.issuer),
            top_issuer: text(&top_issuer.text()),
            facts: Certificate {
                not_after_at: leaf.not_after_at,
                not_before_at: leaf.not_before_at,
                issuer: text(&leaf.issuer.text()),
                issuer_organization: leaf.issuer.organization().map(|name| text(&name)),
                subject: leaf
                    .subject
                    .common_name()
                    .map(|name| text(&name))
                    .or(names.first().cloned())
                    .unwrap_or_default(),
                names,
                names_total,
                chain: others_read().take(CHAIN_TOLD).map(|other| text(&other.subject.text())).collect(),
                tls_version: None,
            },
        })
    }

    /// The facts, over a connection of this version.
    pub(super) fn facts(self, tls_version: Option<String>) -> Certificate {
        Certificate { tls_version, ..self.facts }
    }
}

/// When a certificate ends; `None` when it is none.
#[must_use]
pub fn not_after_at(certificate: &CertificateDer<'_>) -> Option<UtcMs> {
    Body::read(certificate).map(|body| body.not_after_at)
}

/// Class and sentence of a TLS failure.
pub(super) fn judge(error: &TlsError, seen: &Seen, host: &str) -> (Class, String) {
    let protocol = |text: &str| (Class::TlsProtocol, text.to_owned());
    #[expect(clippy::wildcard_enum_match_arm, reason = "rustls' list is open")]
    match error {
        TlsError::InvalidCertificate(reason) => judge_certificate(reason, seen, host),
        TlsError::AlertReceived(AlertDescription::CertificateRequired) => client_certificate(),
        TlsError::AlertReceived(_) if seen.client_certificate_asked => client_certificate(),
        TlsError::AlertReceived(AlertDescription::ProtocolVersion) => protocol(OLD),
        TlsError::AlertReceived(AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity) => {
            protocol("The server and the probe have no TLS cipher in common, as the server says.")
        }
        TlsError::AlertReceived(AlertDescription::UnrecognisedName) => {
            (Class::TlsProtocol, format!("The server says over TLS that it has no website named {host}."))
        }
        TlsError::AlertReceived(alert) => {
            (Class::TlsProtocol, format!("The server broke off the TLS handshake with the alert {alert:?}."))
        }
        TlsError::InvalidMessage(
            InvalidMessage::HandshakePayloadTooLarge | InvalidMessage::CertificatePayloadTooLarge,
        ) => (
            Class::TlsCertificate,
            "The server's certificates are larger than 64 KiB, which is more than is taken.".to_owned(),
        ),
        TlsError::InvalidMessage(_) => protocol("The server does not speak TLS on this port, or not correctly."),
        TlsError::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13 | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => protocol(OLD),
        TlsError::PeerIncompatible(reason) => (
            Class::TlsProtocol,
            format!("The server and the probe have no TLS version or cipher in common: {reason:?}."),
        ),
        other => (Class::TlsProtocol, format!("The TLS handshake failed: {other}.")),
    }
}

const OLD: &str = "The server does not speak TLS 1.2 or 1.3, only older versions, which browsers refuse.";

fn client_certificate() -> (Class, String) {
    (Class::TlsClientCertRequired, "The server asks visitors for a certificate of their own.".to_owned())
}

fn judge_certificate(reason: &CertificateError, seen: &Seen, host: &str) -> (Class, String) {
    let shown = seen.shown.as_ref();
    let ends = shown.map(|shown| shown.facts.not_after_at);
    let begins = shown.map(|shown| shown.facts.not_before_at);
    let certificate = |text: &str| (Class::TlsCertificate, text.to_owned());
    #[expect(clippy::wildcard_enum_match_arm, reason = "rustls' list is open")]
    match reason {
        CertificateError::ExpiredContext { not_after, .. } => (Class::TlsExpired, ended(Some(ms(*not_after)), ends)),
        CertificateError::Expired => (Class::TlsExpired, ended(ends, ends)),
        CertificateError::NotValidYetContext { not_before, .. } => {
            (Class::TlsNotYetValid, begins_later(Some(ms(*not_before)), begins))
        }
        CertificateError::NotValidYet => (Class::TlsNotYetValid, begins_later(begins, begins)),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            let other = shown.map_or_else(|| "other names".to_owned(), names);
            (Class::TlsNameMismatch, format!("The certificate is for {other}, not for {host}."))
        }
        CertificateError::UnknownIssuer => (Class::TlsUntrusted, untrusted(shown)),
        CertificateError::Revoked => (Class::TlsRevoked, "The certificate was revoked.".to_owned()),
        CertificateError::BadSignature => certificate("The certificate's signature is wrong."),
        #[expect(deprecated, reason = "still a variant")]
        CertificateError::UnsupportedSignatureAlgorithm
        | CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            certificate("The certificate is signed in a way that is not trusted any more, or not known.")
        }
        CertificateError::InvalidPurpose => certificate("The certificate is not made for websites."),
        CertificateError::InvalidPurposeContext { required: ExtendedKeyPurpose::ServerAuth, .. } => {
            certificate("The certificate is not made for websites.")
        }
        CertificateError::BadEncoding => certificate("The certificate cannot be read."),
        CertificateError::Other(inner) => other(&inner.to_string()),
        other => (Class::TlsCertificate, format!("The certificate is not acceptable: {other}.")),
    }
}

/// webpki's errors that rustls has no words of its own for; the names are pinned by the tests.
fn other(text: &str) -> (Class, String) {
    if text.contains("CaUsedAsEndEntity") {
        let text = "The certificate is that of an authority (CA:TRUE) and may not be used by a website.";
        return (Class::TlsUntrusted, text.to_owned());
    }
    if text.contains("UnsupportedCertVersion") {
        let text = "The certificate is of an old form (not X.509 version 3), which names no website.";
        return (Class::TlsCertificate, text.to_owned());
    }
    if text.contains("Maximum") {
        return (Class::TlsCertificate, "The chain of certificates is longer than is checked.".to_owned());
    }
    (Class::TlsCertificate, format!("The certificate is not acceptable: {text}."))
}

/// Why nobody vouches for it.
fn untrusted(shown: Option<&Shown>) -> String {
    let Some(shown) = shown else { return "The certificate's issuer is not trusted.".to_owned() };
    if shown.self_signed {
        return "The certificate is signed by itself, not by a trusted authority.".to_owned();
    }
    let issuer = &shown.facts.issuer;
    if shown.issuer_sent {
        return format!("The certificate's chain ends at the issuer \"{}\", which is not trusted.", shown.top_issuer);
    }
    let hint = if shown.others == 0 {
        "The server sent no intermediate certificate; its chain may be incomplete."
    } else {
        "It is not among the certificates the server sent; its chain is incomplete."
    };
    format!("The certificate's issuer \"{issuer}\" is not trusted. {hint}")
}

fn ended(at: Option<UtcMs>, leaf: Option<UtcMs>) -> String {
    format!("{} ended on {}.", whose(at == leaf), day(at))
}

fn begins_later(at: Option<UtcMs>, leaf: Option<UtcMs>) -> String {
    format!("{} begins on {} only.", whose(at == leaf), day(at))
}

fn whose(leaf: bool) -> &'static str {
    if leaf { "The certificate" } else { "A certificate of the authority above the website's" }
}

fn day(at: Option<UtcMs>) -> String {
    at.map_or_else(|| "an unknown date".to_owned(), date)
}

fn ms(time: UnixTime) -> UtcMs {
    i64::try_from(time.as_secs()).map_or(i64::MAX, |seconds| seconds.saturating_mul(1_000))
}

/// `"a.example", "b.example" and 3 more`.
fn names(shown: &Shown) -> String {
    let Certificate { names, names_total, subject, .. } = &shown.facts;
    let told: Vec<String> = names.iter().take(2).map(|name| format!("\"{name}\"")).collect();
    let more = usize::try_from(*names_total).unwrap_or(usize::MAX).saturating_sub(told.len());
    match (told.is_empty(), more) {
        (true, _) if subject.is_empty() => "no name at all".to_owned(),
        (true, _) => format!("\"{subject}\", which is no alternative name,"),
        (false, 0) => told.join(" and "),
        (false, more) => format!("{} and {more} more", told.join(", ")),
    }
}

/// `2026-11-24` of an instant. Days to date after Howard Hinnant's `civil_from_days`.
pub(super) fn date(at: i64) -> String {
    let days = at.div_euclid(86_400_000) + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests;
