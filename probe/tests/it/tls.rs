//! TLS servers with good and bad certificates.

use std::io::Write;
use std::sync::Arc;

use probe::clock::Clock;
use probe::engine::EngineConfig;
use probe::wire::{Blame, Class, Outcome, Target, Tick};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::PrivateKeyDer;

use crate::server::{Server, assert_down, assert_up, class, head, hold, owner, run_with};

/// Checks a server whose certificate is for `name`, lives from and to these years, and comes from an authority that is
/// `trusted`.
fn visit(name: &str, years: (i32, i32), trusted: bool) -> Tick {
    visit_at(Clock::default(), name, years, trusted)
}

/// The same, at the time `clock` tells.
fn visit_at(clock: Clock, name: &str, years: (i32, i32), trusted: bool) -> Tick {
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_key = KeyPair::generate().unwrap();
    let root = ca.self_signed(&ca_key).unwrap();
    let issuer = Issuer::new(ca, ca_key);
    let mut leaf = CertificateParams::new(vec![name.to_owned()]).unwrap();
    leaf.not_before = date_time_ymd(years.0, 1, 1);
    leaf.not_after = date_time_ymd(years.1, 1, 1);
    let key = KeyPair::generate().unwrap();
    let leaf = leaf.signed_by(&key, &issuer).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    let config = Arc::new(config);
    let server = Server::start(move |_, stream| {
        let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut stream = rustls::StreamOwned::new(connection, stream);
        head(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    });
    let extra_roots = if trusted { vec![root.der().clone()] } else { Vec::new() };
    run_with(EngineConfig { extra_roots, clock, ..owner() }, Target::get(format!("https://{}/", server.address)))
}

#[test]
fn t011_an_address_in_the_certificate_is_up_another_name_is_a_mismatch() {
    let tick = visit("127.0.0.1", (2020, 2090), true);
    assert_up(&tick);
    assert!(tick.phases.tls_us.is_some());
    assert_eq!(tick.certificate.unwrap().tls_version.as_deref(), Some("TLSv1.3"));
    assert_down(&visit("other.example", (2020, 2090), true), Class::TlsNameMismatch);
}

#[test]
fn t009_expired_and_not_yet_valid_are_told_with_the_date() {
    let tick = visit("127.0.0.1", (2020, 2021), true);
    assert_down(&tick, Class::TlsExpired);
    assert!(tick.failure.unwrap().detail.contains("2021-01-01"));
    assert!(tick.certificate.is_some());
    assert_down(&visit("127.0.0.1", (2089, 2090), true), Class::TlsNotYetValid);
}

#[test]
fn t199_certificates_are_judged_by_the_time_that_was_learnt_and_a_clock_that_was_never_set_blames_nobody_else() {
    let at = |at| {
        let clock = Clock::default();
        clock.learn(at);
        clock
    };
    // 2090-01-01.
    let then = 3_786_912_000_000;
    assert_up(&visit_at(at(then), "127.0.0.1", (2089, 2099), true));
    assert_down(&visit_at(at(then), "127.0.0.1", (2020, 2089), true), Class::TlsExpired);
    let tick = visit_at(at(0), "127.0.0.1", (2020, 2090), true);
    assert_eq!((tick.outcome, class(&tick)), (Outcome::Unknown, Some(Class::TlsNotYetValid)), "{tick:?}");
    let failure = tick.failure.unwrap();
    assert_eq!(failure.blame, Blame::Probe);
    assert!(failure.detail.contains("1970-01-01"), "{}", failure.detail);
}

#[test]
fn t010_an_unknown_root_is_untrusted() {
    assert_down(&visit("127.0.0.1", (2020, 2090), false), Class::TlsUntrusted);
}

#[test]
fn t006_a_stalled_handshake_is_a_tls_timeout() {
    let server = Server::start(|_, mut stream| hold(&mut stream));
    let target = Target { timeout_ms: 400, ..Target::get(format!("https://{}/", server.address)) };
    assert_down(&run_with(owner(), target), Class::TlsTimeout);
}

#[test]
fn t008_plain_http_on_the_https_port_is_no_tls() {
    let server = Server::start(|_, mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        hold(&mut stream);
    });
    assert_down(&run_with(owner(), Target::get(format!("https://{}/", server.address))), Class::TlsProtocol);
}
