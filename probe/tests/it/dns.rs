//! Scripted name servers.

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::time::Duration;

use probe::engine::{EngineConfig, ResolverConfig};
use probe::wire::{Blame, Class, Target, Tick};

use crate::server::{Server, assert_down, assert_up, owner, run_with};

const NXDOMAIN: u8 = 3;
const SERVFAIL: u8 = 2;

/// What a name server says to a question.
enum Say {
    Nothing,
    /// An RCODE; with 0 the name has no such record.
    Rcode(u8),
    /// 127.0.0.1.
    Address,
    /// 127.0.0.1 beside others that do not fit.
    Truncated,
    /// Nothing fits.
    TruncatedToNothing,
    /// An answer that breaks off.
    Garbled,
}

/// What is asked.
#[derive(Clone, Copy, PartialEq)]
enum Asked {
    Root,
    V4,
    V6,
}

/// Answers until the test run ends. Nothing listens on its port over TCP, unless the test does.
fn name_server(script: impl Fn(Asked) -> Say + Send + 'static) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let address = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0u8; 512];
        while let Ok((length, peer)) = socket.recv_from(&mut buffer) {
            let mut answer = buffer[..length].to_vec();
            let asked = match (answer[12], answer[length - 3]) {
                (0, _) => Asked::Root,
                (_, 1) => Asked::V4,
                (_, _) => Asked::V6,
            };
            answer[2] |= 0x80;
            let mut add = |bits: u8, bytes: &[u8]| {
                answer[2] |= bits;
                answer[7] = 1;
                answer.extend(bytes);
            };
            let address = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1];
            match script(asked) {
                Say::Nothing => continue,
                Say::Rcode(rcode) => answer[3] |= rcode,
                Say::Address => add(0, &address),
                Say::Truncated => add(2, &address),
                Say::TruncatedToNothing => add(2, &[]),
                Say::Garbled => add(0, &address[..9]),
            }
            let _ = socket.send_to(&answer, peer);
        }
    });
    address
}

fn ask(servers: Vec<SocketAddr>, url: &str) -> Tick {
    let resolver = ResolverConfig::Fixed { servers, hosts: Vec::new() };
    run_with(EngineConfig { resolver, ..owner() }, Target { timeout_ms: 4_000, ..Target::get(url) })
}

/// The same to both families; the root is known or silent.
fn ask_of_one(root: bool, say: impl Fn() -> Say + Send + 'static) -> Tick {
    let server = name_server(move |asked| match (asked, root) {
        (Asked::Root, true) => Say::Rcode(0),
        (Asked::Root, false) => Say::Nothing,
        (Asked::V4 | Asked::V6, _) => say(),
    });
    ask(vec![server], "http://a.example/")
}

fn website() -> (Server, String) {
    let server = Server::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let url = format!("http://a.example:{}/", server.address.port());
    (server, url)
}

fn blame(tick: &Tick) -> Option<(Class, Blame)> {
    tick.failure.as_ref().map(|failure| (failure.class, failure.blame))
}

#[test]
fn an_address_is_resolved_and_timed() {
    let (_website, url) = website();
    let server = name_server(|asked| if asked == Asked::V4 { Say::Address } else { Say::Rcode(0) });
    let tick = ask(vec![server], &url);
    assert_up(&tick);
    assert!(tick.phases.dns_us.is_some());
}

#[test]
fn t056_a_silent_name_server_is_a_dns_timeout_and_the_probes_trouble() {
    let tick = ask_of_one(false, || Say::Nothing);
    assert_eq!(blame(&tick), Some((Class::DnsTimeout, Blame::Probe)));
    assert!(tick.total_us < 3_200_000);
}

#[test]
fn t057_nxdomain_and_servfail_are_told_apart_and_a_lost_resolver_is_nobodys_outage() {
    assert_down(&ask_of_one(true, || Say::Rcode(NXDOMAIN)), Class::DnsNxdomain);
    assert_down(&ask_of_one(true, || Say::Rcode(SERVFAIL)), Class::DnsServfail);
    assert_eq!(blame(&ask_of_one(false, || Say::Rcode(SERVFAIL))), Some((Class::DnsServfail, Blame::Probe)));
}

#[test]
fn t057_a_name_without_one_family_has_the_other_even_where_its_server_says_nxdomain() {
    let (_website, url) = website();
    let server = name_server(|asked| match asked {
        Asked::V4 => {
            // Later than the wait that is only a preference.
            std::thread::sleep(Duration::from_millis(100));
            Say::Address
        }
        Asked::V6 => Say::Rcode(NXDOMAIN),
        Asked::Root => Say::Rcode(0),
    });
    assert_up(&ask(vec![server], &url));
    let half = name_server(|asked| if asked == Asked::V6 { Say::Rcode(NXDOMAIN) } else { Say::Nothing });
    let tick = ask(vec![half], &url);
    assert_down(&tick, Class::DnsNxdomain);
    assert!(tick.total_us < 1_000_000, "{tick:?}");
}

#[test]
fn an_answer_too_long_for_a_server_without_tcp_still_gives_what_fits() {
    let (_website, url) = website();
    let server = name_server(|asked| if asked == Asked::V4 { Say::Truncated } else { Say::Rcode(0) });
    assert_up(&ask(vec![server], &url));
}

#[test]
fn an_answer_that_cannot_be_had_is_the_names_trouble_only_if_its_server_knows_the_root() {
    for say in [|| Say::TruncatedToNothing, || Say::Garbled] {
        assert_eq!(blame(&ask_of_one(true, say)), Some((Class::DnsProtocol, Blame::Target)));
        assert_eq!(blame(&ask_of_one(false, say)), Some((Class::DnsProtocol, Blame::Probe)));
    }
}

#[test]
fn a_server_that_hangs_over_tcp_leaves_time_for_the_next() {
    let (_website, url) = website();
    let (server, _accepts_and_hangs) = loop {
        let server = name_server(|_| Say::TruncatedToNothing);
        // The port may be taken over TCP.
        if let Ok(listener) = TcpListener::bind(server) {
            break (server, listener);
        }
    };
    let next = name_server(|asked| if asked == Asked::V4 { Say::Address } else { Say::Rcode(0) });
    assert_up(&ask(vec![server, next], &url));
}
