//! Which addresses are allowed. A table: nothing here connects to any of them.

use std::net::{IpAddr, TcpListener, UdpSocket};

use probe::engine::{AddressKind, AddressPolicy, Cidr, EngineConfig};
use probe::wire::{Blame, Class, Outcome, Target};

use crate::server::{Server, class, owner, run_with};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn t081_special_ipv4_addresses_are_refused() {
    let policy = AddressPolicy::public_only();
    for address in [
        "127.0.0.1",
        "127.255.255.254",
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.0.1",
        "169.254.169.254",
        "169.254.0.1",
        "100.64.0.1",
        "100.127.255.255",
        "192.0.0.1",
        "192.0.2.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.1.1.1",
        "240.0.0.1",
        "255.255.255.255",
        "168.63.129.16",
        "192.88.99.1",
    ] {
        assert!(!policy.allows(ip(address)), "{address}");
    }
    for address in
        ["1.1.1.1", "172.15.0.1", "172.32.0.1", "100.63.0.1", "100.128.0.1", "192.0.1.1", "198.20.0.1", "223.1.1.1"]
    {
        assert!(policy.allows(ip(address)), "{address}");
    }
}

#[test]
fn t082_special_ipv6_addresses_are_refused() {
    let policy = AddressPolicy::public_only();
    for address in [
        "::1",
        "::",
        "fc00::1",
        "fd12::1",
        "fe80::1",
        "febf::1",
        "fec0::1",
        "ff02::1",
        "::ffff:10.0.0.1",
        "::ffff:127.0.0.1",
        "::127.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b::169.254.169.254",
        "64:ff9b:1::1",
        "2002:7f00:1::1",
        "2002:808:808::1",
        "2001::1",
        "2001:db8::1",
        "100::1",
        "3fff::1",
        "5f00::1",
        "4000::1",
        "fd00:ec2::254",
    ] {
        assert!(!policy.allows(ip(address)), "{address}");
    }
    for address in ["2606:4700:4700::1111", "2a00:1450::1", "64:ff9b::1.1.1.1"] {
        assert!(policy.allows(ip(address)), "{address}");
    }
}

#[test]
fn t088_a_list_opens_private_networks_never_metadata_and_loopback_only_by_name() {
    let everything: Vec<Cidr> = vec!["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()];
    let policy = AddressPolicy::with_allowed(everything);
    for address in ["10.0.0.1", "192.168.1.1", "fd12::1", "::ffff:10.0.0.1", "203.0.113.1"] {
        assert!(policy.allows(ip(address)), "{address}");
    }
    for address in [
        "127.0.0.1",
        "::1",
        "169.254.169.254",
        "fe80::1",
        "fd00:ec2::254",
        "100.100.100.200",
        "0.0.0.0",
        "::ffff:127.0.0.1",
    ] {
        assert!(!policy.allows(ip(address)), "{address}");
    }
    let named = AddressPolicy::with_allowed(vec!["127.0.0.0/8".parse().unwrap()]);
    assert!(named.allows(ip("127.0.0.1")) && !named.allows(ip("::1")) && !named.allows(ip("169.254.169.254")));
    let narrow = AddressPolicy::with_allowed(vec!["192.168.1.0/24".parse().unwrap()]);
    assert!(narrow.allows(ip("192.168.1.7")) && !narrow.allows(ip("192.168.2.7")));
}

#[test]
fn an_owner_may_watch_his_own_networks_but_not_metadata() {
    let policy = AddressPolicy::owner();
    for address in ["127.0.0.1", "::1", "10.0.0.1", "100.64.0.1", "fd12::1", "1.1.1.1"] {
        assert!(policy.allows(ip(address)), "{address}");
    }
    for address in ["169.254.169.254", "fe80::1", "0.0.0.0", "224.0.0.1", "100.100.100.200", "fd00:ec2::254"] {
        assert!(!policy.allows(ip(address)), "{address}");
    }
    assert_eq!(AddressKind::of(ip("::ffff:192.168.0.1")), AddressKind::Private);
}

#[test]
fn blocks_are_read_strictly() {
    for good in ["10.0.0.0/8", "0.0.0.0/0", "::/0", "fd00::/8", "192.168.1.1"] {
        assert!(good.parse::<Cidr>().is_ok(), "{good}");
    }
    for bad in ["", "10.0.0.0/33", "10.0.0.0/+8", "10.0.0.0/-1", "::/129", "10.0.0/8", "host/8", "10.0.0.0/"] {
        assert!(bad.parse::<Cidr>().is_err(), "{bad}");
    }
}

#[test]
fn t073_odd_spellings_of_loopback_are_blocked_by_policy_not_down() {
    for host in
        ["127.0.0.1", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "[::ffff:127.0.0.1]", "localhost", "a.localhost."]
    {
        let config = probe::engine::EngineConfig { policy: AddressPolicy::public_only(), ..owner() };
        let tick = run_with(config, Target::get(format!("http://{host}:9/")));
        assert_eq!((tick.outcome, class(&tick)), (Outcome::Unknown, Some(Class::BlockedByPolicy)), "{host}");
        assert_eq!((tick.failure.unwrap().blame, tick.remote), (Blame::Policy, None));
    }
}

#[test]
fn t086_a_redirect_into_a_forbidden_place_is_blocked_at_that_hop() {
    for to in ["http://169.254.169.254/latest", "http://0xa9.0xfe.1/", "http://[fe80::1]/"] {
        let server = Server::answering(format!("HTTP/1.1 302 F\r\nLocation: {to}\r\n\r\n"));
        let tick = run_with(owner(), Target::get(server.url("/")));
        assert_eq!((tick.outcome, class(&tick)), (Outcome::Unknown, Some(Class::RedirectBlocked)), "{tick:?}");
        assert_eq!(tick.hops.len(), 2);
    }
}

#[test]
fn t091_this_machines_other_addresses_are_as_closed_as_loopback() {
    // The address other machines know this one by; without a network there is none to test with.
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    let Ok(own) = socket.connect("192.0.2.1:9").and_then(|()| socket.local_addr()) else { return };
    let Ok(listener) = TcpListener::bind((own.ip(), 0)) else { return };
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let visit = |allowed: &[&str]| {
        let policy = AddressPolicy::with_allowed(allowed.iter().map(|block| block.parse().unwrap()).collect());
        run_with(EngineConfig { policy, ..owner() }, Target { timeout_ms: 300, ..Target::get(url.clone()) })
    };
    let tick = visit(&["0.0.0.0/0"]);
    assert_eq!((tick.outcome, class(&tick), tick.remote), (Outcome::Unknown, Some(Class::BlockedByPolicy), None));
    let tick = visit(&["0.0.0.0/0", "127.0.0.0/8"]);
    assert_eq!(class(&tick), Some(Class::FirstByteTimeout), "{tick:?}");
}
