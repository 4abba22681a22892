//! Which addresses are allowed. A table: nothing here connects to any of them.

use std::net::IpAddr;

use probe::engine::{AddressKind, AddressPolicy, Cidr};

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
