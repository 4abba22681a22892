//! The way out: routes and addresses of this machine, and whether anything out there answers.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::time::Duration;

use super::Finding;
use crate::canary::{Canaries, Canary};
use crate::engine::AddressKind;

const AREA: &str = "egress";
const CONNECT: Duration = Duration::from_secs(3);
/// Addresses of a canary's name that are tried.
const MAX_ADDRESSES: usize = 2;

/// Which families have a default route, and the addresses others see. Nothing is sent.
pub(super) fn routes() -> Finding {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let four = has_default_v4(&read("/proc/self/net/route"));
    let six = has_default_v6(&read("/proc/self/net/ipv6_route"));
    // Addresses of documentation: nobody's, and routed like anybody's.
    let from = |any: &str, to: &str| source(any, to).map(|ip| format!(" (from {ip})")).unwrap_or_default();
    let (from4, from6) = (from("0.0.0.0:0", "192.0.2.1:9"), from("[::]:0", "[2001:db8::1]:9"));
    match (four, six) {
        (true, true) => Finding::ok(AREA, format!("IPv4{from4} and IPv6{from6} have a default route.")),
        (true, false) => Finding::ok(AREA, format!("IPv4{from4} has a default route, IPv6 has none.")),
        (false, true) => Finding::ok(AREA, format!("IPv6{from6} has a default route, IPv4 has none.")),
        (false, false) => {
            let remedy = "give this machine a gateway; until then it reaches only the networks it is in";
            Finding::warn(AREA, "Neither IPv4 nor IPv6 has a default route.", remedy)
        }
    }
}

/// What came of asking a canary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    /// Somebody is there, be it to refuse.
    Reached,
    /// This machine has no way to its family.
    NoWay,
    /// Nobody, or the name has no address.
    Silent,
}

/// Whether those can be reached who tell a cut-off probe from a website that is down.
pub(super) fn canaries(canaries: &Canaries) -> Finding {
    let list = canaries.list();
    if list.is_empty() {
        return Finding::ok(AREA, "Not tried: there are no canaries (CANARIES).");
    }
    let heard: Vec<Heard> = std::thread::scope(|scope| {
        let asked: Vec<_> = list.iter().map(|canary| scope.spawn(|| ask(canary))).collect();
        asked.into_iter().map(|thread| thread.join().unwrap_or(Heard::Silent)).collect()
    });
    judge(&heard)
}

fn judge(heard: &[Heard]) -> Finding {
    let count = |what| heard.iter().filter(|heard| **heard == what).count();
    let (reached, no_way, silent) = (count(Heard::Reached), count(Heard::NoWay), count(Heard::Silent));
    let all = heard.len();
    let found = match no_way {
        0 => format!("{reached} of {all} canaries can be reached."),
        _ => format!("{reached} of {all} canaries can be reached; {no_way} are of a family without a way out."),
    };
    if reached == 0 {
        let remedy = "let this machine connect outwards, or name others in CANARIES: while none can be reached, no failure \
                      counts against a website";
        return Finding::fail(AREA, found, remedy);
    }
    if silent > 0 {
        return Finding::warn(AREA, found, "name others in CANARIES instead of those that do not answer");
    }
    Finding::ok(AREA, found)
}

fn ask(canary: &Canary) -> Heard {
    let addresses: Vec<SocketAddr> = match canary {
        Canary::Address(address) => vec![*address],
        Canary::Name { name, port } => {
            let found = (name.as_str(), *port).to_socket_addrs().map(Vec::from_iter).unwrap_or_default();
            let allowed = |address: &SocketAddr| AddressKind::of(address.ip()) != AddressKind::Never;
            found.into_iter().filter(allowed).take(MAX_ADDRESSES).collect()
        }
    };
    let mut heard = Heard::Silent;
    for address in addresses {
        match TcpStream::connect_timeout(&address, CONNECT).map_err(|error| error.kind()) {
            Ok(_) | Err(ErrorKind::ConnectionRefused) => return Heard::Reached,
            Err(ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable | ErrorKind::AddrNotAvailable) => {
                heard = Heard::NoWay;
            }
            Err(_) => {}
        }
    }
    heard
}

fn source(any: &str, to: &str) -> Option<IpAddr> {
    let socket = UdpSocket::bind(any).ok()?;
    socket.connect(to).ok()?;
    socket.local_addr().ok().map(|own| own.ip()).filter(|ip| !ip.is_unspecified())
}

/// Columns: interface, destination, gateway, flags (bit 0: up), ..., mask in the eighth.
fn has_default_v4(table: &str) -> bool {
    table.lines().skip(1).any(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let up = words.get(3).and_then(|flags| u32::from_str_radix(flags, 16).ok()).is_some_and(|flags| flags & 1 == 1);
        up && words.get(1) == Some(&"00000000") && words.get(7) == Some(&"00000000")
    })
}

/// Columns: destination, its prefix, source, its prefix, gateway, metric, ..., interface. The loopback's catches what
/// has no route.
fn has_default_v6(table: &str) -> bool {
    table.lines().any(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let zero = words.first().is_some_and(|to| to.bytes().all(|b| b == b'0'));
        zero && words.get(1) == Some(&"00") && words.last().is_some_and(|interface| *interface != "lo")
    })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::super::State;
    use super::*;

    #[test]
    fn default_routes_are_read_from_the_kernels_tables() {
        let head = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n";
        let near = "eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";
        let out = "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n";
        assert!(has_default_v4(&[head, out, near].concat()));
        assert!(!has_default_v4(&[head, near].concat()) && !has_default_v4(""));
        assert!(!has_default_v4(&[head, &out.replace("0003", "0002")].concat()), "down");
        let zeros = "0".repeat(32);
        let line = |interface: &str| format!("{zeros} 00 {zeros} 00 {zeros} ffffffff 1 0 00200200 {interface}\n");
        assert!(has_default_v6(&line("eth0")));
        assert!(!has_default_v6(&line("lo")) && !has_default_v6(""));
    }

    #[test]
    fn who_refuses_was_reached_and_a_family_without_a_way_is_no_fault_of_a_canary() {
        use Heard::{NoWay, Reached, Silent};
        for (heard, state) in [
            (vec![Reached, Reached], State::Ok),
            (vec![Reached, NoWay], State::Ok),
            (vec![Reached, Silent], State::Warn),
            (vec![Silent, NoWay], State::Fail),
            (vec![NoWay], State::Fail),
        ] {
            assert_eq!(judge(&heard).state, state, "{heard:?}");
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let up = listener.local_addr().unwrap();
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert_eq!(canaries(&Canaries::parse(&format!("{up},{closed}")).unwrap()).state, State::Ok);
        assert!(canaries(&Canaries::off()).found.starts_with("Not tried"));
    }
}
