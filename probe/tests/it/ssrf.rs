//! Addresses a probe must not be led to, in a network of our own with fakes of what is to be protected. Nothing here
//! runs where a real one could be reached.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::process::{Command, Stdio};

use probe::engine::{AddressPolicy, EngineConfig};
use probe::wire::{Blame, Class, Outcome, Tick, decode_check};
use testbed::name_server::{Answer, Kind, NameServer, Record};
use testbed::namespace::Network;
use testbed::server::Server;
use testbed::{namespace, test_name};

use crate::checks::{OK, asking_of, assert_unknown, assert_up, check, class, owner, public, run_with, short};
use crate::redirect::to;

const PUBLIC: &str = "93.184.216.34";
const METADATA: &str = "169.254.169.254";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A fake machine with a website.
fn machine(network: &Network, address: &str, says: &str) -> Server {
    network.elsewhere(ip(address));
    let says = says.to_owned();
    Server::at((ip(address), 80).into(), None, move |_, mut stream| {
        stream.head();
        stream.say(&says);
    })
}

/// Asks for names whose first label is the number of an address in the list.
fn by_number(addresses: &'static [&'static str]) -> NameServer {
    NameServer::start(move |question| {
        let number: Option<usize> = question
            .name
            .split('.')
            .next()
            .and_then(|label| label.strip_prefix('n'))
            .and_then(|number| number.parse().ok());
        match number {
            Some(number) => Answer::address(question, ip(addresses[number])),
            None => Answer::Records(Vec::new()),
        }
    })
}

fn assert_all_blocked(network: &Network, addresses: &'static [&'static str]) {
    let names = by_number(addresses);
    network.count_syns();
    for (number, address) in addresses.iter().enumerate() {
        let tick = run_with(public(asking_of(&[&names])), short(format!("http://n{number}.example/"), 3_000));
        assert_eq!(
            (tick.outcome, class(&tick)),
            (Outcome::Unknown, Some(Class::BlockedByPolicy)),
            "{address}: {tick:?}"
        );
        assert_unknown(&tick, Class::BlockedByPolicy, Blame::Policy);
        assert_eq!(tick.remote, None);
        let host = if address.contains(':') { format!("[{address}]") } else { (*address).to_owned() };
        let tick = run_with(public(owner()), short(format!("http://{host}/"), 3_000));
        assert_unknown(&tick, Class::BlockedByPolicy, Blame::Policy);
    }
    assert_eq!(network.syns(), 0, "no SYN may leave");
}

#[test]
fn t081_names_with_special_ipv4_addresses_are_blocked_before_the_first_packet() {
    namespace::run(test_name!(), |network| {
        assert_all_blocked(
            network,
            &[
                "127.0.0.1",
                "127.255.255.254",
                "0.0.0.0",
                "0.1.2.3",
                "10.0.0.5",
                "172.16.0.1",
                "172.31.255.255",
                "192.168.1.1",
                METADATA,
                "169.254.0.1",
                "100.64.0.1",
                "100.100.100.200",
                "192.0.0.1",
                "198.18.0.1",
                "198.19.255.255",
                "224.0.0.1",
                "239.255.255.255",
                "240.0.0.1",
                "255.255.255.255",
                "192.0.2.1",
                "198.51.100.1",
                "203.0.113.1",
            ],
        );
    });
}

#[test]
fn t082_names_with_special_ipv6_addresses_are_blocked_before_the_first_packet() {
    namespace::run(test_name!(), |network| {
        assert_all_blocked(
            network,
            &[
                "::1",
                "::",
                "fc00::1",
                "fd00::5",
                "fd00:ec2::254",
                "fe80::1",
                "febf::1",
                "fec0::1",
                "ff02::1",
                "::ffff:127.0.0.1",
                "::ffff:10.0.0.5",
                "::ffff:169.254.169.254",
                "::127.0.0.1",
                "64:ff9b::7f00:1",
                "64:ff9b::a9fe:a9fe",
                "64:ff9b:1::1",
                "2002:7f00:1::1",
                "2002:a00:5::",
                "2001::1",
                "2001:db8::1",
                "100::1",
            ],
        );
    });
}

#[test]
fn t081_a_name_with_a_public_and_a_private_address_is_visited_at_the_public_one() {
    namespace::run(test_name!(), |network| {
        let website = machine(network, PUBLIC, OK);
        let inside = machine(network, "10.0.0.5", OK);
        let mixed = |question: &testbed::name_server::Question| {
            Answer::addresses(question, &[ip("10.0.0.5"), ip(PUBLIC), ip("fd00::5")])
        };
        let names = NameServer::start(mixed);
        let tick = run_with(public(asking_of(&[&names])), short("http://a.example/", 3_000));
        assert_up(&tick);
        assert_eq!((website.connections(), inside.connections()), (1, 0));
    });
}

/// An A record that changes: public first, private from then on, never to be kept.
fn rebinding() -> NameServer {
    NameServer::start(|question| match (question.kind, question.before) {
        (Kind::A, 0) => Answer::Records(vec![Record::A(PUBLIC.parse().unwrap(), 0)]),
        (Kind::A, _) => Answer::Records(vec![Record::A("10.0.0.5".parse().unwrap(), 0)]),
        (Kind::Aaaa | Kind::Ns | Kind::Other(_), _) => Answer::Records(Vec::new()),
    })
}

#[test]
fn t084_the_address_that_was_judged_is_the_one_that_is_visited() {
    namespace::run(test_name!(), |network| {
        let website = machine(network, PUBLIC, OK);
        let inside = machine(network, "10.0.0.5", OK);
        let names = rebinding();
        let tick = run_with(public(asking_of(&[&names])), short("http://a.example/", 3_000));
        assert_up(&tick);
        assert_eq!(names.asked_for("a.example", Kind::A), 1, "one look-up per hop");
        assert_eq!(tick.remote, Some((ip(PUBLIC), 80).into()));
        let tick = run_with(public(asking_of(&[&names])), short("http://a.example/", 3_000));
        assert_unknown(&tick, Class::BlockedByPolicy, Blame::Policy);
        assert_eq!((website.connections(), inside.connections()), (1, 0));
    });
}

#[test]
fn t084_a_name_that_changes_between_two_hops_is_judged_again() {
    namespace::run(test_name!(), |network| {
        let website = machine(network, PUBLIC, &to(302, "/next"));
        let inside = machine(network, "10.0.0.5", OK);
        let names = rebinding();
        let tick = run_with(public(asking_of(&[&names])), short("http://a.example/", 3_000));
        assert_unknown(&tick, Class::RedirectBlocked, Blame::Policy);
        assert_eq!(names.asked_for("a.example", Kind::A), 2, "one look-up per hop");
        assert_eq!((website.connections(), inside.connections()), (1, 0));
    });
}

#[test]
fn t086_a_redirect_into_a_forbidden_place_is_blocked_at_that_hop() {
    namespace::run(test_name!(), |network| {
        let metadata = machine(network, METADATA, OK);
        let inside = machine(network, "10.0.0.5", OK);
        let own = Server::at(SocketAddr::from(([127, 0, 0, 1], 80)), None, |_, mut stream| {
            stream.head();
            stream.say(OK);
        });
        let names = NameServer::start(|question| match question.name.as_str() {
            "inside.example" => Answer::address(question, ip("10.0.0.5")),
            "metadata.google.internal" => Answer::address(question, ip(METADATA)),
            _ => Answer::address(question, ip(PUBLIC)),
        });
        for place in [
            "http://169.254.169.254/latest/meta-data/",
            "http://0x7f.1/",
            "http://0xa9.0xfe.1/",
            "http://2852039166/",
            "http://inside.example/",
            "http://metadata.google.internal/",
            "http://[fe80::1]/",
            "http://[::ffff:169.254.169.254]/",
            "http://localhost/",
        ] {
            let website = machine(network, PUBLIC, &to(302, place));
            network.ip(&["route", "flush", "cache"]);
            let tick = run_with(public(asking_of(&[&names])), short("http://a.example/", 3_000));
            assert_unknown(&tick, Class::RedirectBlocked, Blame::Policy);
            assert_eq!((tick.hops.len(), website.connections()), (2, 1), "{place}: {tick:?}");
            drop(website);
            network.ip(&["route", "del", "local", &format!("{PUBLIC}/32"), "dev", "lo"]);
        }
        assert_eq!((metadata.connections(), inside.connections(), own.connections()), (0, 0, 0));
    });
}

#[test]
fn t086_metadata_stays_closed_to_an_owner_too() {
    namespace::run(test_name!(), |network| {
        let metadata = machine(network, METADATA, OK);
        let website = machine(network, PUBLIC, &to(302, "http://169.254.169.254/latest/"));
        let tick = run_with(owner(), short(format!("http://{PUBLIC}/"), 3_000));
        assert_unknown(&tick, Class::RedirectBlocked, Blame::Policy);
        let tick = run_with(owner(), short("http://169.254.169.254/", 3_000));
        assert_unknown(&tick, Class::BlockedByPolicy, Blame::Policy);
        assert_eq!((website.connections(), metadata.connections()), (1, 0));
    });
}

#[test]
fn t088_an_order_cannot_ask_for_private_access() {
    let good = serde_json::to_value(check(probe::wire::Target::get("http://10.0.0.5/"))).unwrap();
    let decode = |body: &serde_json::Value| {
        let text = body.to_string();
        decode_check([(&b"v"[..], &b"1"[..]), (b"kind", b"check"), (b"body", text.as_bytes())])
    };
    assert!(decode(&good).is_ok());
    for path in ["/target", "/target/request"] {
        for field in ["allow_private", "policy", "allow"] {
            let mut bad = good.clone();
            if bad.pointer(path).is_none() {
                bad["target"]["request"] = serde_json::json!({});
            }
            bad.pointer_mut(path).unwrap()[field] = serde_json::json!(["0.0.0.0/0"]);
            assert!(decode(&bad).is_err(), "{path} {field}");
        }
    }
}

#[test]
fn t090_proxies_in_the_environment_are_ignored() {
    namespace::run(test_name!(), |network| {
        let website = machine(network, PUBLIC, OK);
        let metadata = machine(network, METADATA, OK);
        let proxy = Server::answering(OK);
        let visit = |url: &str| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_betteruptime-probe"));
            for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
                command.env(name, format!("http://{}", proxy.address));
            }
            command.args(["check", url]).stdin(Stdio::null()).output().unwrap()
        };
        let output = visit(&format!("http://{PUBLIC}/"));
        assert!(output.status.success(), "{output:?}");
        assert_eq!((website.connections(), proxy.connections()), (1, 0));
        assert!(!visit("http://169.254.169.254/").status.success());
        assert_eq!((metadata.connections(), proxy.connections()), (0, 0));
    });
}

/// Visits a port on an address of this machine while these blocks are allowed.
fn visit_own(url: &str, allowed: &[&str]) -> Tick {
    let policy = AddressPolicy::with_allowed(allowed.iter().map(|block| block.parse().unwrap()).collect());
    run_with(EngineConfig { policy, ..owner() }, short(url, 1_000))
}

#[test]
fn t091_this_machines_other_addresses_are_as_closed_as_loopback() {
    namespace::run(test_name!(), |network| {
        for address in ["10.9.8.7", "93.184.216.99", "fd00::9"] {
            network.here(ip(address));
            // Its metrics, or its Redis.
            let listener = TcpListener::bind((ip(address), 0)).unwrap();
            let url = format!("http://{}/", listener.local_addr().unwrap());
            let before = listener.set_nonblocking(true);
            assert!(before.is_ok());
            let tick = visit_own(&url, &["0.0.0.0/0", "::/0"]);
            assert_unknown(&tick, Class::BlockedByPolicy, Blame::Policy);
            assert_eq!(tick.remote, None);
            assert!(listener.accept().is_err(), "nobody came");
            // An operator who names loopback means this machine.
            let tick = visit_own(&url, &["0.0.0.0/0", "::/0", "127.0.0.0/8"]);
            assert_eq!(class(&tick), Some(Class::FirstByteTimeout), "{tick:?}");
        }
    });
}
