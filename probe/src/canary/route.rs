//! Which gateway can speak for the network around an address: the kernel's tables, as text.

use std::cmp::Reverse;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};

use crate::engine::AddressKind;

/// Of the tables' flags (linux/route.h, linux/ipv6_route.h): in use, by a gateway, refuses, an address of this machine.
const UP: u32 = 0x1;
const BY_GATEWAY: u32 = 0x2;
const REJECT: u32 = 0x200;
const LOCAL: u32 = 0x8000_0000;
/// Nothing is there on most machines; the answer that nothing is there is an answer (RFC 863).
const DISCARD_PORT: u16 = 9;

/// A line of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Route {
    network: IpAddr,
    prefix: u8,
    gateway: Option<IpAddr>,
    metric: u32,
    interface: String,
}

/// Whether the kernel has a way to `address`. Nothing is sent.
pub(super) fn exists(address: IpAddr) -> bool {
    let any: IpAddr = if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let ask = || UdpSocket::bind((any, 0))?.connect((address, DISCARD_PORT));
    !matches!(ask(), Err(error) if error.kind() == std::io::ErrorKind::NetworkUnreachable)
}

/// The gateway to ask about the network around `target`, from /proc/self/net: of /proc/net nothing is there under systemd's
/// `ProcSubset=pid`. `None` when there is none, or when it is the target itself.
pub(super) fn gateway_for(target: IpAddr) -> Option<SocketAddr> {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let routes = match target {
        IpAddr::V4(_) => parse_v4(&read("/proc/self/net/route")),
        IpAddr::V6(_) => parse_v6(&read("/proc/self/net/ipv6_route")),
    };
    let (gateway, interface) = choose(&routes, target)?;
    Some(match gateway {
        IpAddr::V4(_) => SocketAddr::new(gateway, DISCARD_PORT),
        IpAddr::V6(gateway) => {
            let scope = scope_id(&read("/proc/self/net/if_inet6"), interface).unwrap_or(0);
            SocketAddrV6::new(gateway, DISCARD_PORT, 0, scope).into()
        }
    })
}

/// The gateway on the way to `target`; for one that is on a link of ours a gateway on that link. Others know nothing of
/// that link: containers are reached whatever becomes of the router.
fn choose(routes: &[Route], target: IpAddr) -> Option<(IpAddr, &str)> {
    let order = |route: &&Route| (route.prefix, Reverse(route.metric));
    let way = routes.iter().filter(|route| contains(route, target)).max_by_key(order)?;
    let on_the_link = routes
        .iter()
        .filter(|route| route.interface == way.interface)
        .min_by_key(|route| (usable(route, target).is_none(), route.prefix, route.metric));
    [Some(way), on_the_link]
        .into_iter()
        .flatten()
        .find_map(|route| Some((usable(route, target)?, route.interface.as_str())))
}

/// The route's gateway, if it can be asked: not the target, which cannot excuse itself, and not at an address where
/// clouds have their metadata.
fn usable(route: &Route, target: IpAddr) -> Option<IpAddr> {
    let never = |gateway: &IpAddr| gateway.is_ipv4() && AddressKind::of(*gateway) == AddressKind::Never;
    route.gateway.filter(|gateway| *gateway != target && !never(gateway))
}

fn contains(route: &Route, address: IpAddr) -> bool {
    let bits = |address: IpAddr| match address {
        IpAddr::V4(address) => u128::from(u32::from(address)) << 96,
        IpAddr::V6(address) => u128::from(address),
    };
    let mask = u128::MAX.checked_shl(128 - u32::from(route.prefix)).unwrap_or(0);
    route.network.is_ipv4() == address.is_ipv4() && bits(address) & mask == bits(route.network) & mask
}

/// Interface, destination, gateway, flags, three counters, metric, mask; addresses as the machine has them in memory.
fn parse_v4(text: &str) -> Vec<Route> {
    let address = |word: &str| Some(Ipv4Addr::from(u32::from_str_radix(word, 16).ok()?.to_ne_bytes()));
    let line = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [interface, network, gateway, flags, _, _, metric, mask, ..] = words.as_slice() else { return None };
        let flags = u32::from_str_radix(flags, 16).ok()?;
        let prefix = u32::from(address(mask)?).leading_ones();
        let gateway = (flags & BY_GATEWAY != 0).then(|| address(gateway)).flatten().map(IpAddr::from);
        in_use(
            flags,
            Route {
                network: address(network)?.into(),
                // At most 32, or 128 below.
                prefix: u8::try_from(prefix).unwrap_or(0),
                gateway,
                metric: metric.parse().ok()?,
                interface: (*interface).to_owned(),
            },
        )
    };
    text.lines().filter_map(line).collect()
}

/// Destination, prefix, source, prefix, gateway, metric, two counters, flags, interface; all numbers hexadecimal.
fn parse_v6(text: &str) -> Vec<Route> {
    let address = |word: &str| Some(Ipv6Addr::from(u128::from_str_radix(word, 16).ok()?));
    let number = |word: &str| u32::from_str_radix(word, 16).ok();
    let line = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [network, prefix, _, _, gateway, metric, _, _, flags, interface] = words.as_slice() else { return None };
        let flags = number(flags)?;
        let gateway = (flags & BY_GATEWAY != 0).then(|| address(gateway)).flatten().map(IpAddr::from);
        in_use(
            flags,
            Route {
                network: address(network)?.into(),
                prefix: u8::try_from(number(prefix)?).ok()?,
                gateway,
                metric: number(metric)?,
                interface: (*interface).to_owned(),
            },
        )
    };
    text.lines().filter_map(line).collect()
}

fn in_use(flags: u32, route: Route) -> Option<Route> {
    (flags & UP != 0 && flags & (REJECT | LOCAL) == 0).then_some(route)
}

/// The number of an interface, without which a link-local gateway is no address. Address, number, prefix, scope, flags,
/// name.
fn scope_id(text: &str, interface: &str) -> Option<u32> {
    let line = text.lines().find(|line| line.split_whitespace().next_back() == Some(interface))?;
    u32::from_str_radix(line.split_whitespace().nth(1)?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// The table prints addresses as the machine has them in memory.
    fn hex(address: &str) -> String {
        format!("{:08X}", u32::from_ne_bytes(address.parse::<Ipv4Addr>().unwrap().octets()))
    }

    fn line(interface: &str, network: &str, gateway: &str, flags: &str, metric: u32, mask: &str) -> String {
        let (network, gateway, mask) = (hex(network), hex(gateway), hex(mask));
        format!("{interface}\t{network}\t{gateway}\t{flags}\t0\t0\t{metric}\t{mask}\t0\t0\t0   \n")
    }

    #[test]
    fn the_gateway_on_the_way_or_on_the_link_is_asked_and_no_target_about_itself() {
        let text = [
            "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n".to_owned(),
            line("wlan0", "0.0.0.0", "192.168.2.1", "0003", 600, "0.0.0.0"),
            line("eth0", "0.0.0.0", "192.168.1.1", "0003", 100, "0.0.0.0"),
            line("eth0", "192.168.1.0", "0.0.0.0", "0001", 100, "255.255.255.0"),
            line("wlan0", "192.168.2.0", "0.0.0.0", "0001", 600, "255.255.255.0"),
            line("eth0", "10.0.0.0", "192.168.1.2", "0003", 0, "255.0.0.0"),
            line("wg0", "10.8.0.0", "0.0.0.0", "0001", 0, "255.255.255.0"),
            line("docker0", "172.17.0.0", "0.0.0.0", "0001", 0, "255.255.0.0"),
            line("*", "172.16.0.0", "0.0.0.0", "0205", 0, "255.240.0.0"),
        ]
        .concat();
        let routes = parse_v4(&text);
        assert_eq!(routes.len(), 7, "{routes:?}");
        for (target, expected) in [
            ("192.168.1.7", Some("192.168.1.1 eth0")),
            ("192.168.2.7", Some("192.168.2.1 wlan0")),
            ("10.1.2.3", Some("192.168.1.2 eth0")),
            ("100.64.0.1", Some("192.168.1.1 eth0")),
            // Links without a gateway of their own, or with none beside the target.
            ("10.8.0.3", None),
            ("172.17.0.2", None),
            ("192.168.2.1", None),
        ] {
            let chosen = choose(&routes, ip(target)).map(|(gateway, interface)| format!("{gateway} {interface}"));
            assert_eq!(chosen.as_deref(), expected, "{target}");
        }
        let one: Vec<Route> = routes.into_iter().filter(|route| route.interface == "wlan0").collect();
        assert_eq!(choose(&one, ip("192.168.2.1")), None, "a router cannot excuse itself");
        let alone: Vec<Route> = one.into_iter().filter(|route| route.gateway.is_none()).collect();
        assert_eq!((choose(&alone, ip("192.168.2.7")), choose(&[], ip("192.168.2.7"))), (None, None));
        let metadata = parse_v4(&line("eth0", "0.0.0.0", "169.254.169.254", "0003", 0, "0.0.0.0"));
        assert_eq!(choose(&metadata, ip("10.0.0.1")), None);
    }

    #[test]
    fn a_link_local_gateway_is_told_by_its_interface() {
        let text = "\
fd000000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000003 00000000 00000003     eth0
00000000000000000000000000000001 80 00000000000000000000000000000000 00 00000000000000000000000000000000 00000000 00000004 00000000 80200001       lo
00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo
";
        let routes = parse_v6(text);
        assert_eq!(routes.len(), 2, "{routes:?}");
        assert_eq!(choose(&routes, ip("fd00::7")), Some((ip("fe80::1"), "eth0")));
        let interfaces = "00000000000000000000000000000001 01 80 10 80       lo\n\
                          fd000000000000000000000000000002 0c 40 00 80     eth0\n";
        assert_eq!((scope_id(interfaces, "eth0"), scope_id(interfaces, "eth1")), (Some(12), None));
    }
}
