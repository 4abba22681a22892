//! Facts and sentences, of certificates that webpki really judged.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::ServerName;
use rustls::{InvalidMessage, PeerIncompatible, RootCertStore};
use testbed::pki::{self, Authority, Identity};

use super::*;

/// 2026-11-24.
const NOW_S: u64 = 1_795_478_400;
const HOST: &str = "shop.example";

fn shown(identity: &Identity) -> Shown {
    Shown::read(&identity.chain[0], &identity.chain[1..]).unwrap()
}

/// What is said of a chain where only `root` is trusted; `None` when it is good.
fn verdict(root: &Authority, identity: &Identity) -> Option<(Class, String)> {
    let mut roots = RootCertStore::empty();
    roots.add(root.der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
    let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(NOW_S));
    let name = ServerName::try_from(HOST).unwrap();
    let error = verifier.verify_server_cert(&identity.chain[0], &identity.chain[1..], &name, &[], now).err()?;
    let seen = Seen { shown: Some(shown(identity)), client_certificate_asked: false };
    Some(judge(&error, &seen, HOST))
}

#[track_caller]
fn assert_says(found: Option<(Class, String)>, class: Class, words: &str) {
    let (found, sentence) = found.unwrap();
    assert!(found == class && sentence.contains(words), "{found:?}: {sentence}");
}

#[test]
fn dates_are_those_of_the_calendar() {
    assert_eq!(date(0), "1970-01-01");
    assert_eq!(date(951_782_400_000), "2000-02-29");
    assert_eq!(date(1_795_478_400_000), "2026-11-24");
    assert_eq!(date(-1), "1969-12-31");
}

#[test]
fn names_dates_issuer_and_chain_are_told() {
    let root = Authority::root("Root One");
    let identity = root.intermediate("Middle One").issue_for(&[HOST, "127.0.0.1", "::1"], (2024, 2030));
    let facts = shown(&identity).facts(Some("TLSv1.3".to_owned()));
    assert_eq!(facts.names, [HOST, "127.0.0.1", "::1"]);
    assert_eq!((facts.names_total, facts.issuer.as_str()), (3, "Middle One"));
    assert_eq!(facts.chain, ["Middle One"]);
    assert_eq!((date(facts.not_before_at), date(facts.not_after_at)), ("2024-01-01".into(), "2030-01-01".into()));
    assert_eq!(facts.tls_version.as_deref(), Some("TLSv1.3"));
    assert_eq!(facts.issuer_organization, None);
    assert_eq!(verdict(&root, &identity), None);
    let facts = shown(&Authority::root_of("R11", "Let's Encrypt").issue(&[HOST])).facts(None);
    assert_eq!((facts.issuer.as_str(), facts.issuer_organization.as_deref()), ("R11", Some("Let's Encrypt")));
}

#[test]
fn t009_the_date_that_counts_is_told() {
    let root = Authority::root("Root");
    assert_says(verdict(&root, &root.issue_for(&[HOST], (2020, 2021))), Class::TlsExpired, "ended on 2021-01-01");
    assert_says(verdict(&root, &root.issue_for(&[HOST], (2089, 2090))), Class::TlsNotYetValid, "begins on 2089-01-01");
    let seen = Seen { shown: Some(shown(&root.issue_for(&[HOST], (2020, 2090)))), client_certificate_asked: false };
    let [time, not_after] =
        [NOW_S, 1_600_000_000].map(|s| UnixTime::since_unix_epoch(std::time::Duration::from_secs(s)));
    let above = TlsError::InvalidCertificate(CertificateError::ExpiredContext { time, not_after });
    assert_says(
        Some(judge(&above, &seen, HOST)),
        Class::TlsExpired,
        "authority above the website's ended on 2020-09-13",
    );
}

#[test]
fn t010_three_reasons_for_no_trust() {
    let root = Authority::root("Root");
    assert_says(verdict(&root, &pki::self_signed(&[HOST])), Class::TlsUntrusted, "signed by itself");
    let stranger = Authority::root("Stranger");
    assert_says(verdict(&root, &stranger.issue(&[HOST])), Class::TlsUntrusted, "issuer \"Stranger\" is not trusted");
    for authority in [root.issue_authority_as_leaf(&[HOST]), pki::self_signed_authority(&[HOST])] {
        assert_says(verdict(&root, &authority), Class::TlsUntrusted, "that of an authority");
    }
}

#[test]
fn t011_the_names_it_is_for_are_told() {
    let root = Authority::root("Root");
    let said = |names: &[&str]| verdict(&root, &root.issue(names));
    let few = "for \"a.example\" and \"b.example\", not for shop.example";
    assert_says(said(&["a.example", "b.example"]), Class::TlsNameMismatch, few);
    let many = "for \"a.example\", \"b.example\" and 2 more, not";
    assert_says(said(&["a.example", "b.example", "c.example", "d.example"]), Class::TlsNameMismatch, many);
}

#[test]
fn t012_a_chain_without_its_middle_is_said_to_be_incomplete() {
    let root = Authority::root("Root");
    let upper = root.intermediate("Upper");
    let lower = upper.intermediate("Lower");
    assert_says(
        verdict(&root, &lower.issue(&[HOST]).without_intermediates()),
        Class::TlsUntrusted,
        "sent no intermediate",
    );
    let mut gap = lower.issue(&[HOST]);
    gap.chain.remove(1);
    assert_says(verdict(&root, &gap), Class::TlsUntrusted, "not among the certificates the server sent");
    let stranger = Authority::root("Stranger");
    let elsewhere = stranger.intermediate("Middle").issue(&[HOST]);
    assert_says(verdict(&root, &elsewhere), Class::TlsUntrusted, "chain ends at the issuer \"Stranger\"");
}

#[test]
fn t013_t014_what_a_server_says_is_told_apart() {
    let alert = |alert, asked| {
        let seen = Seen { shown: None, client_certificate_asked: asked };
        Some(judge(&TlsError::AlertReceived(alert), &seen, HOST))
    };
    assert_says(alert(AlertDescription::ProtocolVersion, false), Class::TlsProtocol, "only older versions");
    assert_says(alert(AlertDescription::HandshakeFailure, false), Class::TlsProtocol, "no TLS cipher in common");
    assert_says(alert(AlertDescription::HandshakeFailure, true), Class::TlsClientCertRequired, "of their own");
    assert_says(alert(AlertDescription::CertificateRequired, false), Class::TlsClientCertRequired, "of their own");
    let said = |error: TlsError| Some(judge(&error, &Seen::default(), HOST));
    let old = TlsError::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13);
    assert_says(said(old), Class::TlsProtocol, "only older versions");
    let large = TlsError::InvalidMessage(InvalidMessage::HandshakePayloadTooLarge);
    assert_says(said(large), Class::TlsCertificate, "larger than 64 KiB");
}

#[test]
fn t015_thousands_of_names_and_a_long_chain_are_counted_and_not_kept() {
    let root = Authority::root("Root");
    let facts = shown(&root.issue_many(HOST, 10_000)).facts(None);
    assert_eq!((facts.names.len(), facts.names_total >= 10_000), (NAMES_TOLD, true), "{}", facts.names_total);
    let deep = root.issue_deep(&[HOST], 30);
    assert_eq!(shown(&deep).facts(None).chain.len(), CHAIN_TOLD);
    assert_says(verdict(&root, &deep), Class::TlsCertificate, "longer than is checked");
}

#[test]
fn what_is_cut_short_or_changed_is_no_certificate_or_another_and_never_a_panic() {
    let identity = Authority::root("Root").intermediate("Middle").issue(&[HOST]);
    let der = identity.chain[0].as_ref();
    for end in 0..der.len() {
        let _ = Shown::read(&CertificateDer::from(&der[..end]), &[CertificateDer::from(&der[end..])]);
    }
    for at in 0..der.len() {
        for change in [0x01, 0x80, 0xff] {
            let mut changed = der.to_vec();
            changed[at] ^= change;
            let _ = Shown::read(&CertificateDer::from(changed), &identity.chain[1..]);
        }
    }
}
