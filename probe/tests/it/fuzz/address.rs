//! The address policy against a second table.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use probe::engine::{AddressKind, AddressPolicy};

use super::fuzz;
use super::generate::small;

/// The same rules by arithmetic, from the registries of IANA and CASES D7: blocks nobody may be led to.
const NOT_PUBLIC_V4: [(&str, u32); 17] = [
    ("0.0.0.0", 8),
    ("10.0.0.0", 8),
    ("100.64.0.0", 10),
    ("127.0.0.0", 8),
    ("169.254.0.0", 16),
    ("172.16.0.0", 12),
    ("192.0.0.0", 24),
    ("192.0.2.0", 24),
    ("192.88.99.0", 24),
    ("192.168.0.0", 16),
    ("198.18.0.0", 15),
    ("198.51.100.0", 24),
    ("203.0.113.0", 24),
    ("224.0.0.0", 4),
    ("240.0.0.0", 4),
    ("168.63.129.16", 32),
    ("100.100.100.200", 32),
];
const NOT_PUBLIC_V6: [(&str, u32); 8] = [
    ("64:ff9b:1::", 48),
    ("100::", 64),
    ("2001::", 23),
    ("2001:db8::", 32),
    ("2002::", 16),
    ("3fff::", 20),
    ("5f00::", 16),
    ("fc00::", 7),
];

fn public_v4(address: u32) -> bool {
    !NOT_PUBLIC_V4.iter().any(|(network, prefix)| {
        let network = u32::from(network.parse::<Ipv4Addr>().unwrap());
        (address ^ network).leading_zeros() >= *prefix
    })
}

fn public_v6(address: u128) -> bool {
    let low = u32::try_from(address & 0xffff_ffff).unwrap();
    let high = address >> 32;
    // Compatible, mapped, NAT64.
    if [0, 0xffff, 0x0064_ff9b_0000_0000_0000_0000].contains(&high) {
        return address > 1 && public_v4(low);
    }
    // Global unicast is 2000::/3 only.
    address >> 125 == 1
        && !NOT_PUBLIC_V6.iter().any(|(network, prefix)| {
            let network = u128::from(network.parse::<Ipv6Addr>().unwrap());
            (address ^ network).leading_zeros() >= *prefix
        })
}

#[test]
fn fuzz_addresses_are_public_by_two_tables_or_by_none() {
    let policy = AddressPolicy::public_only();
    fuzz(|random| {
        for _ in 0..1_000 {
            // Near the edges of the blocks, where mistakes are.
            let (network, prefix) = *random.pick(&NOT_PUBLIC_V4);
            let base = u32::from(network.parse::<Ipv4Addr>().unwrap());
            let size = u32::MAX.checked_shr(prefix).unwrap_or(0);
            let v4 = match random.below(5) {
                0 => base.wrapping_sub(1),
                1 => base.wrapping_add(size),
                2 => base.wrapping_add(size).wrapping_add(1),
                3 => base ^ (1 << random.below(32)),
                _ => small(random),
            };
            assert_eq!(policy.allows(Ipv4Addr::from(v4).into()), public_v4(v4), "{}", Ipv4Addr::from(v4));
            let (network, prefix) = *random.pick(&NOT_PUBLIC_V6);
            let base = u128::from(network.parse::<Ipv6Addr>().unwrap());
            let size = u128::MAX >> prefix;
            let v6 = match random.below(8) {
                0 => base.wrapping_sub(1),
                1 => base | size,
                2 => (base | size).wrapping_add(1),
                3 => base ^ (1 << random.below(128)),
                4 => u128::from(v4) | 0xffff << 32,
                5 => u128::from(v4) | 0x0064_ff9b << 96,
                6 => u128::from(v4),
                _ => u128::from(random.next()) << 64 | u128::from(random.next()),
            };
            let address = IpAddr::from(Ipv6Addr::from(v6));
            assert_eq!(policy.allows(address), public_v6(v6), "{address}");
            // Whatever an operator lists, what is never a website stays closed.
            let all = AddressPolicy::with_allowed(vec!["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()]);
            if AddressKind::of(address) == AddressKind::Never {
                assert!(!all.allows(address) && !AddressPolicy::owner().allows(address), "{address}");
            }
        }
    });
}
