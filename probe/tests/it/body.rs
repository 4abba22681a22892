//! Bodies: slow, endless, badly framed, cut off.

use std::time::{Duration, Instant};

use probe::engine::{Engine, EngineConfig};
use probe::wire::{Class, Outcome};
use testbed::measure::{thread_cpu, wait_for};
use testbed::pki::Authority;
use testbed::server::{Connection, Server};
use testbed::{namespace, test_name};

use crate::checks::{answer, assert_down, assert_up, class, get, owner, run, run_on, run_with, short};

const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
const MIB: u32 = 1024 * 1024;

#[test]
fn t019_a_dripped_body_ends_at_the_budget_and_keeps_the_time_of_the_first_byte() {
    let server = Server::start(|_, mut stream| {
        stream.head();
        stream.say("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n");
        stream.drip([b'x'; 400], Duration::from_millis(50));
    });
    let tick = run(short(server.url("/"), 1_000));
    assert_down(&tick, Class::BodyTimeout);
    assert!(tick.phases.wait_us.is_some_and(|us| us < 500_000), "{tick:?}");
    assert!(tick.total_us >= 900_000);
    assert_eq!(tick.status, Some(200));
}

fn endless(stream: &mut Connection) {
    stream.head();
    stream.say(CHUNKED);
    stream.say_for_ever([b"1000\r\n".to_vec(), vec![b'x'; 4096], b"\r\n".to_vec()].concat());
}

#[test]
fn t020_an_endless_chunked_body_is_cut_at_the_cap() {
    let server = Server::start(|_, mut stream| endless(&mut stream));
    let tick = get(server.url("/"));
    assert_up(&tick);
    assert_eq!((tick.body_bytes, tick.truncated), (MIB, true));
    wait_for("the socket to be closed", Duration::from_secs(5), || (server.open() == 0).then_some(()));
}

#[test]
fn t020_no_more_than_the_cap_crosses_the_wire() {
    namespace::run(test_name!(), |network| {
        // What the kernel takes ahead of the reader is no byte of ours: here it takes little.
        network.sysctl("net/ipv4/tcp_rmem", "4096 16384 32768");
        network.sysctl("net/ipv4/tcp_wmem", "4096 16384 32768");
        let server = Server::start(|_, mut stream| endless(&mut stream));
        let tick = get(server.url("/"));
        assert_up(&tick);
        assert!(tick.truncated);
        wait_for("the socket to be closed", Duration::from_secs(5), || (server.open() == 0).then_some(()));
        assert!(server.written() < u64::from(MIB) * 12 / 10, "{} bytes", server.written());
    });
}

#[test]
fn t021_one_byte_chunks_and_trailers_without_end_are_cut_by_what_crosses_the_wire() {
    for (first, then) in [("", "1\r\nx\r\n"), ("2\r\nhi\r\n0\r\n", "A: b\r\n")] {
        let server = Server::start(move |_, mut stream| {
            stream.head();
            stream.say(format!("{CHUNKED}{first}"));
            stream.say_for_ever(then.repeat(1_000));
        });
        let engine = Engine::new(owner()).unwrap();
        let before = thread_cpu();
        let tick = run_on(&engine, short(server.url("/"), 5_000));
        let cpu = thread_cpu().saturating_sub(before);
        assert_up(&tick);
        assert!(tick.truncated && tick.body_bytes < MIB / 4, "{tick:?}");
        assert!(cpu < Duration::from_secs(1), "{cpu:?}");
    }
    let endless = Server::start(|_, mut stream| {
        stream.head();
        stream.say(format!("{CHUNKED}0\r\nA: "));
        stream.say_for_ever([b'x'; 4096]);
    });
    assert_down(&get(endless.url("/")), Class::HttpProtocol);
}

#[test]
fn t023_bad_chunk_sizes_are_protocol_errors() {
    for size in ["zz", "ffffffffffffffff", "ffffffffffffffffff", "-5", "", "0x5", "5 5"] {
        let tick = answer(format!("{CHUNKED}{size}\r\nhello\r\n0\r\n\r\n"));
        assert_eq!(tick.outcome, Outcome::Down, "{size:?}: {tick:?}");
        assert!(matches!(class(&tick), Some(Class::HttpProtocol | Class::BodyIncomplete)), "{size}: {tick:?}");
    }
    let tick = answer(format!("{CHUNKED}5;name=value\r\nhello\r\n0\r\nTrailer: x\r\n\r\n"));
    assert_up(&tick);
    assert_eq!(tick.body_bytes, 5);
}

#[test]
fn t042_chunks_are_not_looked_for_where_there_are_none() {
    // HTTP/1.0 knows no chunks (RFC 9112, 6.1); the field means nothing there.
    let tick = answer("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nplain text");
    assert_up(&tick);
    assert_eq!(tick.body_bytes, 10);
}

#[test]
fn t023_a_chunk_size_with_a_sign_is_no_chunk_size() {
    let tick = answer(format!("{CHUNKED}+5\r\nhello\r\n0\r\n\r\n"));
    assert!(matches!(class(&tick), Some(Class::HttpProtocol | Class::BodyIncomplete)), "{tick:?}");
}

#[test]
fn t024_a_body_declared_huge_is_cut_at_the_cap() {
    let server = Server::start(|_, mut stream| {
        stream.head();
        stream.say("HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n");
        stream.say_for_ever([b'x'; 4096]);
    });
    let started = Instant::now();
    let tick = get(server.url("/"));
    assert_up(&tick);
    assert!(started.elapsed() < Duration::from_secs(4));
    assert_eq!((tick.body_bytes, tick.truncated), (MIB, true));
}

#[test]
fn t024_a_body_of_exactly_the_cap_is_whole_and_one_byte_more_is_not() {
    for (length, truncated) in [(MIB, false), (MIB + 1, true)] {
        let body = "x".repeat(length as usize);
        for answered in [
            format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}"),
            format!("HTTP/1.0 200 OK\r\n\r\n{body}"),
            format!("{CHUNKED}{length:x}\r\n{body}\r\n0\r\n\r\n"),
        ] {
            let tick = answer(answered);
            assert_up(&tick);
            assert_eq!((tick.body_bytes, tick.truncated), (MIB, truncated));
        }
    }
}

#[test]
fn t048_a_body_shorter_than_declared_is_incomplete_by_fin_and_by_rst() {
    for part in ["HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhi", &format!("{CHUNKED}5\r\nhi")] {
        let tick = answer(part);
        assert_down(&tick, Class::BodyIncomplete);
        assert_eq!((tick.status, tick.body_bytes), (Some(200), 2));
        let part = part.to_owned();
        let rst = Server::start(move |_, mut stream| {
            stream.await_request();
            stream.say(&part);
            // The reset may not overtake what was said.
            stream.pause(Duration::from_millis(200));
        });
        let tick = get(rst.url("/"));
        assert_down(&tick, Class::BodyIncomplete);
        assert_eq!(tick.status, Some(200));
    }
}

#[test]
fn t061_a_tls_session_may_end_without_a_word_after_a_whole_body_only() {
    let authority = Authority::root("Test Root");
    let config = authority.issue(&["127.0.0.1"]).server_config();
    for (part, expected) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello".to_owned(), None),
        (format!("{CHUNKED}5\r\nhello\r\n0\r\n\r\n"), None),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello".to_owned(), Some(Class::BodyIncomplete)),
        (format!("{CHUNKED}9\r\nhello"), Some(Class::BodyIncomplete)),
        // Only the end of the connection tells the end of the body. Servers that leave out the last word are too many
        // to call each of them down; browsers take it, too.
        ("HTTP/1.1 200 OK\r\n\r\nhello".to_owned(), None),
    ] {
        let said = part.clone();
        let server = Server::tls(config.clone(), move |_, mut stream| {
            stream.head();
            stream.say(&said);
            stream.cut();
        });
        let trusting = EngineConfig { extra_roots: vec![authority.der()], ..owner() };
        let tick = run_with(trusting, short(server.url("/"), 5_000));
        assert_eq!(class(&tick), expected, "{part}: {tick:?}");
        assert_eq!(tick.outcome == Outcome::Up, expected.is_none(), "{part}: {tick:?}");
    }
}
