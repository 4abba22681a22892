//! Connections, heads and bodies of those who mean harm (T101 to T106, T111).

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use super::{assert_well, connect, exchange, status};
use crate::process::Hub;
use crate::services::wait_until;

fn prlimit(pid: u32, most: &str) {
    let set = Command::new("prlimit").args(["--pid", &pid.to_string(), &format!("--nofile={most}")]).status();
    assert!(set.is_ok_and(|status| status.success()), "prlimit, of util-linux");
}

fn kib(hub: &Hub, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", hub.process.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// The status of a request of its own connection; 0 where that was closed.
fn asked(hub: &Hub) -> u16 {
    status(&exchange(hub.address, b"GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"))
}

/// Whether the other end has closed; what came before is thrown away.
fn is_closed(mut stream: &TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    let mut bytes = [0; 4_096];
    loop {
        match stream.read(&mut bytes) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => {
                return !matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut);
            }
        }
    }
}

#[test]
fn t101_more_connections_than_descriptors_keep_nobody_out() {
    let directory = tempfile::tempdir().unwrap();
    // It inherits what this process may, which then takes its own back.
    let own = std::process::id();
    prlimit(own, "256:4096");
    let hub = Hub::start(directory.path(), &[]);
    prlimit(own, "4096:4096");
    let held: Vec<TcpStream> = (0..600)
        .map(|_| {
            let mut stream = connect(hub.address);
            let _ = stream.write_all(b"GET / HTT");
            stream
        })
        .collect();
    for _ in 0..5 {
        assert!(matches!(asked(&hub), 200 | 503), "while 600 are held");
    }
    drop(held);
    wait_until("a connection that is served again", Duration::from_secs(10), || asked(&hub) == 200);
    assert_well(&hub, "600 connections, of which few may be");
}

#[test]
fn t101_without_descriptors_it_waits_and_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let hub = Hub::start(directory.path(), &[]);
    let mut known = connect(hub.address);
    assert_eq!(asked(&hub), 200);
    let open = || std::fs::read_dir(format!("/proc/{}/fd", hub.process.id())).unwrap().count();
    let most = open() + 8;
    prlimit(hub.process.id(), &format!("{most}:4096"));
    let held: Vec<TcpStream> = (0..100).map(|_| connect(hub.address)).collect();
    // Its own word, since /proc does not list the number that a thread waiting in accept(2) has taken already.
    wait_until("the hub to run out of descriptors", Duration::from_secs(10), || {
        hub.process.log().contains("A connection could not be accepted.")
    });
    // Who is there already is served, or told to come again.
    known.write_all(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    let mut answer = [0; 512];
    let length = known.read(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
    assert!(matches!(status(&answer), 200 | 503), "{answer}");
    // Longer than the application is let be silent: that it has no descriptors is not its fault.
    let began = Instant::now();
    let mut held = held;
    while began.elapsed() < Duration::from_secs(17) {
        held.retain(|stream| !is_closed(stream));
        while held.len() < 100 {
            held.push(connect(hub.address));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    drop(held);
    let released = Instant::now();
    wait_until("a connection that is served again", Duration::from_secs(10), || asked(&hub) == 200);
    assert!(released.elapsed() < Duration::from_secs(5), "{:?}", released.elapsed());
    prlimit(hub.process.id(), "4096:4096");
    assert_well(&hub, "no descriptors");
}

#[test]
fn t102_large_heads_are_refused_and_take_no_memory() {
    let directory = tempfile::tempdir().unwrap();
    let hub = Hub::start(directory.path(), &[]);
    let get = |target: &str, fields: &str| format!("GET {target} HTTP/1.1\r\nHost: h\r\n{fields}\r\n");
    let attacks = [
        get("/", &format!("A: {}\r\n", "x".repeat(1_000_000))),
        get("/", &"A: b\r\n".repeat(1_000)),
        get(&format!("/{}", "x".repeat(100_000)), ""),
        get(&format!("/?{}", "a=b&".repeat(10_000)), ""),
        get(&format!("/?{}", "a=b&".repeat(600)), ""),
    ];
    let send = |attack: &str| {
        let answer = exchange(hub.address, attack.as_bytes());
        let shown: String = attack.chars().take(60).collect();
        // 0: reset while it was still sending, since nobody reads on.
        assert!(matches!(status(&answer), 0 | 414 | 431), "{shown}: {answer}");
    };
    attacks.iter().for_each(|attack| send(attack));
    let before = kib(&hub, "VmRSS:");
    (0..20).for_each(|_| attacks.iter().for_each(|attack| send(attack)));
    let after = kib(&hub, "VmRSS:");
    assert!(after < before + 16 * 1_024, "{before} KiB before, {after} after");
    assert_well(&hub, "large heads");
}

#[test]
fn t103_heads_that_drip_end_at_their_deadline_and_hold_nobody_up() {
    let directory = tempfile::tempdir().unwrap();
    let hub = Hub::start(directory.path(), &[]);
    let began = Instant::now();
    let mut dripping: Vec<TcpStream> = (0..400).map(|_| connect(hub.address)).collect();
    let (mut served, mut turns) = (0, 0_usize);
    while !dripping.is_empty() {
        assert!(began.elapsed() < Duration::from_secs(30), "{} still drip after 30 s", dripping.len());
        let byte = &b"GET / HTTP/1.1\r\nHost: h\r\nA: "[turns.min(27)..][..1];
        dripping.retain_mut(|stream| stream.write_all(byte).is_ok() && !is_closed(stream));
        let asks = Instant::now();
        served += usize::from(asked(&hub) == 200 && asks.elapsed() < Duration::from_secs(3));
        turns += 1;
        std::thread::sleep(Duration::from_millis(300));
    }
    assert!(served == turns, "{served} of {turns} requests of somebody else were served");
    assert_well(&hub, "dripping heads");
}

#[test]
fn t103_bodies_that_drip_keep_nobody_out() {
    let directory = tempfile::tempdir().unwrap();
    let hub = Hub::start(directory.path(), &[]);
    prlimit(std::process::id(), "4096:4096");
    let begins = b"POST /signin HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\na";
    let dripping: Vec<TcpStream> = (0..600)
        .map(|_| {
            let mut stream = connect(hub.address);
            let _ = stream.write_all(begins);
            stream
        })
        .collect();
    for _ in 0..10 {
        let asks = Instant::now();
        assert_eq!(asked(&hub), 200);
        assert!(asks.elapsed() < Duration::from_secs(3), "{:?}", asks.elapsed());
    }
    drop(dripping);
    assert_well(&hub, "dripping bodies");
}

#[test]
fn t103_many_idle_connections_give_their_place_to_who_asks() {
    let directory = tempfile::tempdir().unwrap();
    let hub = Hub::start(directory.path(), &[]);
    prlimit(std::process::id(), "4096:4096");
    let idle: Vec<TcpStream> = (0..2_000).map(|_| connect(hub.address)).collect();
    for _ in 0..20 {
        let asks = Instant::now();
        assert_eq!(asked(&hub), 200);
        assert!(asks.elapsed() < Duration::from_secs(3), "{:?}", asks.elapsed());
    }
    drop(idle);
    assert_well(&hub, "2,000 idle connections");
}

#[test]
fn t106_who_takes_nothing_of_what_he_asked_for_is_left() {
    let directory = tempfile::tempdir().unwrap();
    let hub = Hub::start(directory.path(), &[]);
    let before = kib(&hub, "VmRSS:");
    // From the front's memory: it takes no turn of the application to fill what the system holds for a connection.
    let page = exchange(hub.address, b"GET /signup HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    let style = page.split("href=\"").find(|part| part.starts_with("/static/style.")).unwrap();
    let style = style.split('"').next().unwrap();
    let many = format!("GET {style} HTTP/1.1\r\nHost: h\r\n\r\n").repeat(1_000);
    let mut stream = connect(hub.address);
    stream.set_write_timeout(Some(Duration::from_secs(2))).unwrap();
    for _ in 0..100 {
        if stream.write_all(many.as_bytes()).is_err() {
            break; // it stopped reading: that is the bound
        }
    }
    assert_well(&hub, "100,000 requests in one line, nothing read");
    let after = kib(&hub, "VmRSS:");
    assert!(after < before + 32 * 1_024, "{before} KiB before, {after} after");
    // 10 s after it takes nothing more; a minute after it began, however slow the machine is.
    wait_until("the connection to be closed", Duration::from_secs(90), || {
        // Whatever is read would let it go on: only whether it is still there is asked for.
        let ends = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let (ours, theirs) = (stream.local_addr().unwrap().port(), hub.address.port());
        let is_open = |line: &str| {
            let mut words = line.split_whitespace().skip(1);
            let (local, remote, state) = (words.next(), words.next(), words.next());
            local.is_some_and(|a| a.ends_with(&format!(":{theirs:04X}")))
                && remote.is_some_and(|a| a.ends_with(&format!(":{ours:04X}")))
                && state == Some("01")
        };
        !ends.lines().any(is_open)
    });
}

#[test]
fn t111_a_body_that_is_refused_is_not_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let hub = Hub::start(directory.path(), &[]);
    let post = |fields: &str| {
        let request = format!("POST /signin HTTP/1.1\r\nHost: h\r\n{fields}\r\n");
        exchange(hub.address, request.as_bytes())
    };
    let refused = post("Content-Length: 10000000\r\nExpect: 100-continue\r\n");
    assert!(refused.starts_with("HTTP/1.1 413") && !refused.contains(" 100 "), "{refused}");
    assert_eq!(status(&post("Content-Length: 3\r\nExpect: 200-maybe\r\n")), 417);
    let asked = post("Content-Length: 3\r\nExpect: 100-continue\r\n");
    assert!(asked.starts_with("HTTP/1.1 100"), "{asked}");
    assert_well(&hub, "expectations");
}

#[test]
fn a_request_under_way_is_answered_before_the_hub_ends() {
    let directory = tempfile::tempdir().unwrap();
    let mut hub = Hub::start(directory.path(), &[]);
    let mut stream = connect(hub.address);
    let head = "POST /website HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\
                Expect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).unwrap();
    assert!(go_on.starts_with(b"HTTP/1.1 100"), "{}", String::from_utf8_lossy(&go_on));
    let idle = connect(hub.address);
    hub.process.signal("TERM");
    wait_until("the hub to take no more connections", Duration::from_secs(10), || {
        TcpStream::connect(hub.address).is_err()
    });
    wait_until("idle connections to be closed", Duration::from_secs(10), || is_closed(&idle));
    stream.write_all(b"{}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 401") && answer.contains("connection: close"), "{answer}");
    assert_eq!(hub.process.terminate(), Some(0));
}
