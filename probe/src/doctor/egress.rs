//! The way out: routes and addresses of this machine, and whether anything out there answers.

use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use super::Finding;
use crate::canary;

const AREA: &str = "egress";
const CONNECT: Duration = Duration::from_secs(3);

/// Which families have a default route, and the addresses others see. Nothing is sent.
pub(super) fn routes() -> Finding {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let four = has_default_v4(&read("/proc/net/route"));
    let six = has_default_v6(&read("/proc/net/ipv6_route"));
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

/// Whether known good endpoints can be connected to, those of a family that this machine does not have left aside.
pub(super) fn canaries(canaries: &[SocketAddr]) -> Finding {
    if canaries.is_empty() {
        return Finding::ok(AREA, "Not tried: there are no canaries.");
    }
    let near: Vec<SocketAddr> = canaries.iter().copied().filter(|at| canary::has_way(at.ip())).collect();
    let answering = std::thread::scope(|scope| {
        let tries: Vec<_> =
            near.iter().map(|at| scope.spawn(|| TcpStream::connect_timeout(at, CONNECT).is_ok())).collect();
        tries.into_iter().map(std::thread::ScopedJoinHandle::join).filter(|up| matches!(up, Ok(true))).count()
    });
    let found = match canaries.len() - near.len() {
        0 => format!("{answering} of {} canaries can be connected to.", canaries.len()),
        far => format!("{answering} of {} canaries can be connected to; to {far} there is no route.", canaries.len()),
    };
    match answering {
        0 => Finding::fail(AREA, found, "let this machine connect outwards, or name canaries that answer"),
        all if all == near.len() => Finding::ok(AREA, found),
        _ => Finding::warn(AREA, found, "replace those that do not answer; a canary should never be down"),
    }
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
    fn canaries_are_counted() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let up = listener.local_addr().unwrap();
        let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert_eq!(canaries(&[]).state, State::Ok);
        assert_eq!(canaries(&[up]).state, State::Ok);
        assert_eq!(canaries(&[up, gone]).state, State::Warn);
        assert_eq!(canaries(&[gone]).state, State::Fail);
    }
}
