//! Facts of a certificate for people, and sentences about what is wrong with it.

use rustls::pki_types::CertificateDer;
use rustls::{AlertDescription, CertificateError, Error as TlsError};
use x509_cert::Certificate as X509;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::name::Name;

use super::classify::printable;
use super::limits::MAX_CERTIFICATE_TEXT_BYTES;
use super::tls::Seen;
use crate::wire::{Certificate, Class};

/// Reads the facts; `None` when it is no certificate.
pub(super) fn facts(der: &CertificateDer<'_>, tls_version: Option<String>) -> Option<Certificate> {
    let certificate = X509::from_der(der).ok()?;
    let body = certificate.tbs_certificate();
    let at = |time: x509_cert::time::Time| i64::try_from(time.to_unix_duration().as_millis()).unwrap_or(i64::MAX);
    let subject = common_name(body.subject())
        .or_else(|| match body.get_extension::<SubjectAltName>() {
            Ok(Some((_, SubjectAltName(names)))) => names.iter().find_map(|name| match name {
                GeneralName::DnsName(name) => Some(name.as_str().to_owned()),
                GeneralName::OtherName(_)
                | GeneralName::Rfc822Name(_)
                | GeneralName::DirectoryName(_)
                | GeneralName::EdiPartyName(_)
                | GeneralName::UniformResourceIdentifier(_)
                | GeneralName::IpAddress(_)
                | GeneralName::RegisteredId(_) => None,
            }),
            Ok(None) | Err(_) => None,
        })
        .unwrap_or_default();
    let issuer = common_name(body.issuer()).or_else(|| organization(body.issuer())).unwrap_or_default();
    Some(Certificate {
        not_after_at: at(body.validity().not_after),
        not_before_at: at(body.validity().not_before),
        issuer: printable(&issuer, MAX_CERTIFICATE_TEXT_BYTES),
        subject: printable(&subject, MAX_CERTIFICATE_TEXT_BYTES),
        names: Vec::new(),
        names_total: 0,
        chain: Vec::new(),
        tls_version,
    })
}

fn common_name(name: &Name) -> Option<String> {
    Some(name.common_name().ok()??.value().into_owned()).filter(|text| !text.is_empty())
}

fn organization(name: &Name) -> Option<String> {
    Some(name.organization().ok()??.value().into_owned()).filter(|text| !text.is_empty())
}

fn self_signed(der: &CertificateDer<'_>) -> bool {
    X509::from_der(der).is_ok_and(|c| c.tbs_certificate().subject() == c.tbs_certificate().issuer())
}

/// Class and sentence of a TLS failure.
pub(super) fn judge(error: &TlsError, seen: &Seen, host: &str) -> (Class, String) {
    #[expect(clippy::wildcard_enum_match_arm, reason = "rustls' list is open")]
    match error {
        TlsError::InvalidCertificate(reason) => judge_certificate(reason, seen, host),
        TlsError::AlertReceived(AlertDescription::CertificateRequired) => client_certificate(),
        TlsError::AlertReceived(_) if seen.client_certificate_asked => client_certificate(),
        TlsError::AlertReceived(alert) => {
            (Class::TlsProtocol, format!("The server broke off the TLS handshake with the alert {alert:?}."))
        }
        TlsError::InvalidMessage(_) => {
            (Class::TlsProtocol, "The server does not speak TLS on this port, or not correctly.".to_owned())
        }
        TlsError::PeerIncompatible(reason) => (
            Class::TlsProtocol,
            format!("The server and the probe have no TLS version or cipher in common: {reason:?}."),
        ),
        other => (Class::TlsProtocol, format!("The TLS handshake failed: {other}.")),
    }
}

fn client_certificate() -> (Class, String) {
    (Class::TlsClientCertRequired, "The server asks visitors for a certificate of their own.".to_owned())
}

fn judge_certificate(reason: &CertificateError, seen: &Seen, host: &str) -> (Class, String) {
    let facts = seen.leaf.as_ref().and_then(|leaf| facts(leaf, None));
    let day = |at: Option<i64>| at.map_or_else(|| "an unknown date".to_owned(), date);
    #[expect(clippy::wildcard_enum_match_arm, reason = "rustls' list is open")]
    match reason {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            (Class::TlsExpired, format!("The certificate ended on {}.", day(facts.map(|f| f.not_after_at))))
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            (Class::TlsNotYetValid, format!("The certificate begins on {} only.", day(facts.map(|f| f.not_before_at))))
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            let other = facts.map(|f| f.subject).filter(|subject| !subject.is_empty());
            let other = other.map_or_else(|| "other names".to_owned(), |subject| format!("\"{subject}\""));
            (Class::TlsNameMismatch, format!("The certificate is for {other}, not for {host}."))
        }
        CertificateError::UnknownIssuer => {
            let text = if seen.leaf.as_ref().is_some_and(self_signed) {
                "The certificate is signed by itself, not by a trusted authority.".to_owned()
            } else {
                let issuer = facts.map(|f| f.issuer).unwrap_or_default();
                let hint = if seen.intermediates == 0 {
                    " The server sent no intermediate certificate; its chain may be incomplete."
                } else {
                    ""
                };
                format!("The certificate's issuer \"{issuer}\" is not trusted.{hint}")
            };
            (Class::TlsUntrusted, text)
        }
        CertificateError::Revoked => (Class::TlsRevoked, "The certificate was revoked.".to_owned()),
        CertificateError::Other(inner) if inner.to_string().contains("CaUsedAsEndEntity") => (
            Class::TlsUntrusted,
            "The certificate is that of an authority and may not be used by a website.".to_owned(),
        ),
        other => (Class::TlsCertificate, format!("The certificate is not acceptable: {other}.")),
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
mod tests {
    use super::date;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(951_782_400_000), "2000-02-29");
        assert_eq!(date(1_795_478_400_000), "2026-11-24");
        assert_eq!(date(-1), "1969-12-31");
    }
}
