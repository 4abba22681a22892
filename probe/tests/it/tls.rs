//! TLS servers with good and bad certificates, and some that do not speak it.

use std::sync::Arc;
use std::time::Duration;

use probe::clock::Clock;
use probe::engine::{Engine, EngineConfig};
use probe::wire::{Blame, Class, Expectations, Note, Outcome, RequestOptions, Target, Tick};
use rustls::ServerConfig;
use testbed::measure::{forget_peak, peak_kib};
use testbed::pki::{
    Authority, Identity, Years, self_signed, self_signed_authority, self_signed_v1, server_config_by_name,
};
use testbed::server::Server;

use crate::checks::{
    OK, assert_down, assert_unknown, assert_up, class, detail, expecting, knowing, owner, run, run_on, run_with, short,
};

const NAME: &str = "127.0.0.1";
const VALID: Years = (2020, 2090);

fn trusting(authority: &Authority) -> EngineConfig {
    EngineConfig { extra_roots: vec![authority.der()], ..owner() }
}

/// Checks a server that shows `identity`, and trusts `authority`.
fn visit(authority: &Authority, identity: &Identity) -> Tick {
    let server = Server::answering_tls(identity.server_config(), OK);
    run_with(trusting(authority), short(server.url("/"), 5_000))
}

/// At the time `clock` tells, with a certificate of these years.
fn visit_at(clock: Clock, years: Years) -> Tick {
    let authority = Authority::root("Test Root");
    let server = Server::answering_tls(authority.issue_for(&[NAME], years).server_config(), OK);
    run_with(EngineConfig { clock, ..trusting(&authority) }, short(server.url("/"), 5_000))
}

#[test]
fn t006_a_stalled_handshake_is_a_tls_timeout() {
    for first in ["", "\x16\x03\x03"] {
        let server = Server::start(move |_, mut stream| {
            stream.say(first);
            stream.hold();
        });
        let tick = run(short(format!("https://{}/", server.address), 1_000));
        assert_down(&tick, Class::TlsTimeout);
        assert!(tick.phases.tls_us.is_some_and(|us| us > 900_000), "{tick:?}");
    }
}

#[test]
fn t006_a_stalled_handshake_ends_at_its_own_budget_of_five_seconds() {
    let server = Server::start(|_, mut stream| stream.hold());
    let tick = run(short(format!("https://{}/", server.address), 9_000));
    assert_down(&tick, Class::TlsTimeout);
    assert!(tick.phases.tls_us.is_some_and(|us| (4_900_000..5_500_000).contains(&us)), "{tick:?}");
}

#[test]
fn t006_a_handshake_that_drips_ends_at_the_budget() {
    let server = Server::start(|_, mut stream| {
        // A record that is long in coming.
        stream.drip([&b"\x16\x03\x03\x04\x00"[..], &[2; 200]].concat(), Duration::from_millis(50));
    });
    assert_down(&run(short(format!("https://{}/", server.address), 1_000)), Class::TlsTimeout);
}

#[test]
fn t008_plain_http_on_the_https_port_is_no_tls() {
    let server = Server::start(|_, mut stream| {
        stream.say("HTTP/1.1 400 Bad Request\r\n\r\n");
        stream.hold();
    });
    assert_down(&run(Target::get(format!("https://{}/", server.address))), Class::TlsProtocol);
    // And TLS on the http port is no HTTP.
    let authority = Authority::root("Test Root");
    let server = Server::answering_tls(authority.issue(&[NAME]).server_config(), OK);
    let tick = run(short(format!("http://{}/", server.address), 2_000));
    assert_down(&tick, Class::HttpProtocol);
}

#[test]
fn t009_expired_and_not_yet_valid_are_told_with_the_date() {
    let authority = Authority::root("Test Root");
    let tick = visit(&authority, &authority.issue_for(&[NAME], (2020, 2021)));
    assert_down(&tick, Class::TlsExpired);
    assert!(detail(&tick).contains("2021-01-01"));
    assert!(tick.certificate.is_some());
    let tick = visit(&authority, &authority.issue_for(&[NAME], (2089, 2090)));
    assert_down(&tick, Class::TlsNotYetValid);
    assert!(detail(&tick).contains("2089-01-01"));
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
    assert_down(&visit_at(at(then), (2020, 2089)), Class::TlsExpired);
    // 2089-06-01, before the root's end.
    assert_up(&visit_at(at(3_768_422_400_000), (2089, 2099)));
    let tick = visit_at(at(0), VALID);
    assert_unknown(&tick, Class::TlsNotYetValid, Blame::Probe);
    assert!(detail(&tick).contains("1970-01-01"), "{tick:?}");
}

#[test]
fn t010_an_unknown_root_a_leaf_signed_by_itself_and_an_authority_as_leaf_are_three_reasons() {
    let (ours, theirs) = (Authority::root("Test Root"), Authority::root("Their Root"));
    let unknown = visit(&ours, &theirs.issue(&[NAME]));
    let own = visit(&ours, &self_signed(&[NAME]));
    let authority = visit(&ours, &ours.issue_authority_as_leaf(&[NAME]));
    for tick in [&unknown, &own, &authority] {
        assert_down(tick, Class::TlsUntrusted);
        assert!(tick.certificate.is_some());
    }
    assert!(detail(&unknown).contains("Their Root"), "{unknown:?}");
    let reasons = [detail(&unknown), detail(&own), detail(&authority)];
    assert!(reasons[0] != reasons[1] && reasons[1] != reasons[2] && reasons[0] != reasons[2], "{reasons:?}");
}

#[test]
fn t010_what_a_plain_openssl_line_makes_is_untrusted() {
    let authority = Authority::root("Test Root");
    assert_down(&visit(&authority, &self_signed_authority(&[NAME])), Class::TlsUntrusted);
}

#[test]
fn t011_an_address_in_the_certificate_is_up_another_name_is_a_mismatch() {
    let authority = Authority::root("Test Root");
    let tick = visit(&authority, &authority.issue(&[NAME]));
    assert_up(&tick);
    assert!(tick.phases.tls_us.is_some());
    assert_eq!(tick.certificate.unwrap().tls_version.as_deref(), Some("TLSv1.3"));
    let tick = visit(&authority, &authority.issue(&["other.example"]));
    assert_down(&tick, Class::TlsNameMismatch);
    assert!(detail(&tick).contains("other.example"), "{tick:?}");
    let server = Server::answering_tls(authority.issue(&["*.example.org", "a.b.example.org"]).server_config(), OK);
    for (host, expected) in [
        ("www.example.org", None),
        ("a.b.example.org", None),
        ("example.org", Some(Class::TlsNameMismatch)),
        ("c.b.example.org", Some(Class::TlsNameMismatch)),
    ] {
        let config = EngineConfig { extra_roots: vec![authority.der()], ..knowing(&[(host, "127.0.0.1")]) };
        assert_eq!(class(&run_with(config, short(server.url_of(host, "/"), 5_000))), expected, "{host}");
    }
}

#[test]
fn t012_a_chain_without_its_intermediate_is_untrusted_and_says_so() {
    let root = Authority::root("Test Root");
    let intermediate = root.intermediate("Test Intermediate");
    assert_up(&visit(&root, &intermediate.issue(&[NAME])));
    let tick = visit(&root, &intermediate.issue(&[NAME]).without_intermediates());
    assert_down(&tick, Class::TlsUntrusted);
    assert!(detail(&tick).contains("incomplete"), "{tick:?}");
}

#[test]
fn t013_servers_of_yesterday_have_nothing_in_common_with_us() {
    let hello = |version: [u8; 2], cipher: [u8; 2]| {
        let mut body = version.to_vec();
        body.extend([7; 32]);
        body.push(0);
        body.extend(cipher);
        body.push(0);
        let length = u8::try_from(body.len()).unwrap();
        let mut record = vec![0x16, version[0], version[1], 0, length + 4, 2, 0, 0, length];
        record.extend(body);
        record
    };
    for said in [
        // TLS 1.0 and 1.1 with AES, TLS 1.2 with NULL, RC4 and 3DES.
        hello([3, 1], [0x00, 0x2f]),
        hello([3, 2], [0x00, 0x2f]),
        hello([3, 0], [0x00, 0x05]),
        hello([3, 3], [0x00, 0x02]),
        hello([3, 3], [0x00, 0x05]),
        hello([3, 3], [0x00, 0x0a]),
        // Alerts: protocol_version, handshake_failure, insufficient_security.
        vec![0x15, 3, 1, 0, 2, 2, 70],
        vec![0x15, 3, 3, 0, 2, 2, 40],
        vec![0x15, 3, 3, 0, 2, 2, 71],
    ] {
        let bytes = said.clone();
        let server = Server::start(move |_, mut stream| {
            stream.await_request();
            stream.say(&bytes);
            stream.hold();
        });
        let tick = run(short(format!("https://{}/", server.address), 5_000));
        assert_eq!((tick.outcome, class(&tick)), (Outcome::Down, Some(Class::TlsProtocol)), "{said:?}: {tick:?}");
    }
}

#[test]
fn t014_a_server_that_wants_a_certificate_of_ours_says_so() {
    let authority = Authority::root("Test Root");
    for versions in [&[&rustls::version::TLS12][..], &[&rustls::version::TLS13][..]] {
        let config = authority.issue(&[NAME]).server_config_for_members(&authority, versions);
        let server = Server::tls(config, |_, mut stream| {
            stream.head();
            stream.say(OK);
        });
        let tick = run_with(trusting(&authority), short(server.url("/"), 5_000));
        assert_down(&tick, Class::TlsClientCertRequired);
        assert!(tick.certificate.is_some());
    }
}

fn assert_survived(authority: &Authority, config: Arc<ServerConfig>) -> Tick {
    let server = Server::answering_tls(config, OK);
    let engine = Engine::new(trusting(authority)).unwrap();
    forget_peak();
    let before = peak_kib();
    let tick = run_on(&engine, short(server.url("/"), 5_000));
    let grown = peak_kib().saturating_sub(before);
    // Both sides are in this process.
    assert!(grown < 32 * 1024, "{grown} KiB");
    let named = class(&tick).is_none_or(|class| class.as_str().starts_with("tls_"));
    assert!(named && tick.outcome != Outcome::Unknown, "{tick:?}");
    tick
}

#[test]
fn t015_a_certificate_with_ten_thousand_names_is_survived() {
    let authority = Authority::root("Test Root");
    assert_survived(&authority, authority.issue_many(NAME, 10_000).server_config());
}

#[test]
fn t015_many_names_are_counted_and_eight_are_told() {
    let authority = Authority::root("Test Root");
    let tick = assert_survived(&authority, authority.issue_many(NAME, 2_000).server_config());
    assert_up(&tick);
    let certificate = tick.certificate.unwrap();
    assert_eq!((certificate.names_total, certificate.names.len()), (2_000, 8), "{certificate:?}");
}

#[test]
fn t015_a_chain_of_thirty_certificates_is_survived() {
    let authority = Authority::root("Test Root");
    let deep = authority.issue_deep(&[NAME], 29);
    assert_eq!(deep.chain.len(), 30);
    assert_survived(&authority, deep.server_config());
}

#[test]
fn certificate_facts_are_those_of_the_chain_that_was_sent() {
    let root = Authority::root("Test Root");
    let chain = root.intermediate("Upper").intermediate("Lower");
    let tick = visit(&root, &chain.issue(&["a.example", NAME, "b.example"]));
    assert_up(&tick);
    let certificate = tick.certificate.unwrap();
    assert_eq!((certificate.subject.as_str(), certificate.issuer.as_str()), ("a.example", "Lower"));
    assert_eq!((certificate.not_before_at, certificate.not_after_at), (1_577_836_800_000, 3_786_912_000_000));
    assert_eq!(certificate.names_total, 3);
    assert_eq!(certificate.names, ["a.example", NAME, "b.example"]);
    assert_eq!(certificate.chain, ["Lower", "Upper"]);
}

#[test]
fn t016_each_name_sees_its_own_certificate() {
    let authority = Authority::root("Test Root");
    let (a, b) = (authority.issue(&["a.example"]), authority.issue(&["b.example"]));
    let server = Server::answering_tls(server_config_by_name(&[("a.example", &a), ("b.example", &b)]), OK);
    let names = [("a.example", "127.0.0.1"), ("b.example", "127.0.0.1"), ("c.example", "127.0.0.1")];
    let engine = Engine::new(EngineConfig { extra_roots: vec![authority.der()], ..knowing(&names) }).unwrap();
    for name in ["a.example", "b.example", "a.example"] {
        let tick = run_on(&engine, short(server.url_of(name, "/"), 5_000));
        assert_up(&tick);
        assert_eq!(tick.certificate.unwrap().subject, name);
    }
    let tick = run_on(&engine, short(server.url_of("c.example", "/"), 5_000));
    assert_eq!(tick.outcome, Outcome::Down);
    assert!(class(&tick).is_some_and(|class| class.as_str().starts_with("tls_")), "{tick:?}");
}

#[test]
fn t017_a_check_that_takes_any_certificate_leaves_no_trace() {
    let authority = Authority::root("Test Root");
    let server = Server::answering_tls(self_signed(&["other.example"]).server_config(), OK);
    let engine = Engine::new(trusting(&authority)).unwrap();
    let strict = short(server.url("/"), 5_000);
    let request = RequestOptions { insecure_tls: true, ..RequestOptions::default() };
    let lax = Target { request: request.clone(), ..strict.clone() };
    for _ in 0..2 {
        let tick = run_on(&engine, lax.clone());
        assert_up(&tick);
        assert_eq!(tick.notes, [Note::TlsUnverified]);
        assert_eq!(tick.certificate.unwrap().subject, "other.example");
        let tick = run_on(&engine, strict.clone());
        assert_eq!(tick.outcome, Outcome::Down, "{tick:?}");
        assert!(tick.notes.is_empty());
    }
    // Expired ones are taken as well; a handshake that is none is not.
    let expired = Server::answering_tls(authority.issue_for(&[NAME], (2020, 2021)).server_config(), OK);
    let tick = run_on(&engine, Target { request: request.clone(), ..short(expired.url("/"), 5_000) });
    assert!(matches!(tick.outcome, Outcome::Up | Outcome::Degraded), "{tick:?}");
    assert_eq!(tick.notes, [Note::TlsUnverified]);
    let plain = Server::answering("HTTP/1.1 400 Bad Request\r\n\r\n");
    let tick = run_on(&engine, Target { request, ..short(format!("https://{}/", plain.address), 2_000) });
    assert_eq!(tick.outcome, Outcome::Down, "{tick:?}");
}

#[test]
fn t017_a_certificate_of_the_first_version_is_taken_from_a_server_that_has_its_key_where_any_is() {
    let authority = Authority::root("Test Root");
    let engine = Engine::new(trusting(&authority)).unwrap();
    let request = RequestOptions { insecure_tls: true, ..RequestOptions::default() };
    for versions in [&[&rustls::version::TLS12][..], &[&rustls::version::TLS13][..]] {
        let first = Server::answering_tls(self_signed_v1("device.example").server_config_of(versions), OK);
        let strict = short(first.url("/"), 5_000);
        let tick = run_on(&engine, Target { request: request.clone(), ..strict.clone() });
        assert_up(&tick);
        assert_eq!(tick.notes, [Note::TlsUnverified]);
        assert_eq!(tick.certificate.unwrap().subject, "device.example");
        let tick = run_on(&engine, strict);
        assert_down(&tick, Class::TlsCertificate);
        assert!(detail(&tick).contains("X.509 version 3"), "{tick:?}");

        for copied in [self_signed_v1("device.example"), authority.issue(&[NAME])] {
            let thief = copied.with_key_of(&self_signed(&[NAME]));
            let server = Server::answering_tls(thief.server_config_of(versions), OK);
            let tick = run_on(&engine, Target { request: request.clone(), ..short(server.url("/"), 5_000) });
            assert_down(&tick, Class::TlsCertificate);
            assert!(detail(&tick).contains("signature is wrong"), "{tick:?}");
        }
    }
}

#[test]
fn a_certificate_near_its_end_is_degraded_by_the_measure_that_was_asked_for() {
    const DAY_S: i64 = 86_400;
    let authority = Authority::root("Test Root");
    let now_s = probe::clock::wall() / 1_000;
    let ending = authority.issue_between(&[NAME], now_s - 60 * DAY_S, now_s + 20 * DAY_S + 3_600);
    let server = Server::answering_tls(ending.server_config(), OK);
    for (days, expected) in
        [(None, None), (Some(0), None), (Some(20), None), (Some(21), Some(Class::CertificateEnding))]
    {
        let expect = Expectations { certificate_days: days, ..Expectations::default() };
        let tick = run_with(trusting(&authority), expecting(expect, server.url("/")));
        assert_eq!(class(&tick), expected, "{days:?}: {tick:?}");
        assert_eq!(tick.outcome == Outcome::Degraded, expected.is_some(), "{days:?}: {tick:?}");
    }
}
