//! A scripted name server.

use std::net::UdpSocket;
use std::time::Duration;

use probe::engine::{EngineConfig, ResolverConfig};
use probe::wire::{Blame, Class, Target, Tick};

use crate::server::{Server, assert_down, assert_up, class, owner, run_with};

/// Answers questions with an RCODE for the name and 0 for the root; 0 gives 127.0.0.1 to A. `None`: silence.
fn ask(rcode: Option<u8>, root: bool, url: &str) -> Tick {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let server = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0u8; 512];
        while let Ok((length, peer)) = socket.recv_from(&mut buffer) {
            let mut answer = buffer[..length].to_vec();
            answer[2] |= 0x80;
            let is_root = answer[12] == 0;
            match rcode {
                _ if is_root && !root => continue,
                _ if is_root => {}
                None => continue,
                Some(0) if answer[length - 3] == 1 => {
                    answer[7] = 1;
                    answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1]);
                }
                Some(rcode) => answer[3] |= rcode,
            }
            let _ = socket.send_to(&answer, peer);
        }
    });
    let resolver = ResolverConfig::Fixed { servers: vec![server], hosts: Vec::new() };
    run_with(EngineConfig { resolver, ..owner() }, Target { timeout_ms: 4_000, ..Target::get(url) })
}

#[test]
fn an_address_is_resolved_and_timed() {
    let server = Server::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let tick = ask(Some(0), true, &format!("http://a.example:{}/", server.address.port()));
    assert_up(&tick);
    assert!(tick.phases.dns_us.is_some());
}

#[test]
fn t056_a_silent_name_server_is_a_dns_timeout_and_the_probes_trouble() {
    let tick = ask(None, false, "http://a.example/");
    assert_eq!((class(&tick), tick.failure.map(|f| f.blame)), (Some(Class::DnsTimeout), Some(Blame::Probe)));
    assert!(tick.total_us < 3_200_000);
}

#[test]
fn t057_nxdomain_and_servfail_are_told_apart_and_a_lost_resolver_is_nobodys_outage() {
    assert_down(&ask(Some(3), true, "http://a.example/"), Class::DnsNxdomain);
    assert_down(&ask(Some(2), true, "http://a.example/"), Class::DnsServfail);
    let lost = ask(Some(2), false, "http://a.example/");
    assert_eq!((class(&lost), lost.failure.map(|f| f.blame)), (Some(Class::DnsServfail), Some(Blame::Probe)));
}
