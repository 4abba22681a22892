//! Hostile and friendly HTTP servers.

use std::collections::HashSet;
use std::io::Write;
use std::net::{Shutdown, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use probe::wire::{Class, Expectations, Method, Outcome, Phase, RequestOptions, StatusRule, Target};

use crate::server::{Server, assert_down, assert_up, class, get, head, hold, run};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

fn short(url: String, timeout_ms: u32) -> Target {
    Target { timeout_ms, ..Target::get(url) }
}

fn asking(method: Method, url: String) -> Target {
    Target { request: RequestOptions { method, ..RequestOptions::default() }, ..Target::get(url) }
}

fn expecting(expect: Expectations, url: String) -> Target {
    Target { expect, ..Target::get(url) }
}

fn drip(stream: &mut impl Write, bytes: &[u8]) {
    for byte in bytes {
        if stream.write_all(&[*byte]).is_err() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn t001_a_plain_answer_is_up_and_its_phases_are_all_there() {
    let server = Server::answering(OK);
    let tick = get(server.url("/a?token=secret"));
    assert_up(&tick);
    assert_eq!((tick.status, tick.body_bytes, tick.truncated), (Some(200), 2, false));
    assert_eq!(tick.remote, Some(server.address));
    let present: Vec<&str> = tick.phases.named().iter().filter(|(_, us)| us.is_some()).map(|(name, _)| *name).collect();
    assert_eq!(present, ["connect", "send", "wait", "receive"], "no DNS for a literal, no TLS for http");
    assert_eq!(tick.hops.len(), 1);
    assert_eq!(tick.hops[0].url, server.url("/a"), "the query may hold secrets");
}

#[test]
fn t002_silence_ends_at_the_budget_as_first_byte_timeout() {
    let server = Server::start(|_, mut stream| hold(&mut stream));
    let started = Instant::now();
    let tick = run(short(server.url("/"), 400));
    assert!(started.elapsed() >= Duration::from_millis(400));
    assert_down(&tick, Class::FirstByteTimeout);
    assert_eq!(tick.failure.unwrap().phase, Phase::Wait);
    assert!(tick.phases.wait_us.unwrap() >= 390_000);
}

#[test]
fn t004_a_closed_port_is_refused_at_once() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let tick = get(format!("http://{closed}/"));
    assert_down(&tick, Class::ConnectRefused);
    assert!(tick.total_us < 100_000);
    assert_eq!((tick.status, tick.remote), (None, None));
}

#[test]
fn t018_a_dripped_head_ends_at_the_budget() {
    let server = Server::start(|_, mut stream| {
        head(&mut stream);
        drip(&mut stream, &b"HTTP/1.1 200 OK\r\nX: ".iter().copied().chain([b'x'; 200]).collect::<Vec<u8>>());
    });
    assert_down(&run(short(server.url("/"), 600)), Class::BodyTimeout);
}

#[test]
fn t019_a_dripped_body_ends_at_the_budget_and_keeps_the_time_of_the_first_byte() {
    let server = Server::start(|_, mut stream| {
        head(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n");
        drip(&mut stream, &[b'x'; 200]);
    });
    let tick = run(short(server.url("/"), 600));
    assert_down(&tick, Class::BodyTimeout);
    assert!(tick.phases.wait_us.is_some_and(|us| us < 300_000), "{tick:?}");
    assert_eq!(tick.status, Some(200));
}

#[test]
fn t020_an_endless_chunked_body_is_cut_at_the_cap() {
    let server = Server::start(|_, mut stream| {
        head(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        let chunk = [b"1000\r\n".to_vec(), vec![b'x'; 4096], b"\r\n".to_vec()].concat();
        while stream.write_all(&chunk).is_ok() {}
    });
    let tick = get(server.url("/"));
    assert_up(&tick);
    assert_eq!((tick.body_bytes, tick.truncated), (1024 * 1024, true));
}

#[test]
fn t021_one_byte_chunks_and_trailers_without_end_are_cut_by_what_crosses_the_wire() {
    for (first, then) in [("", "1\r\nx\r\n"), ("2\r\nhi\r\n0\r\n", "A: b\r\n")] {
        let server = Server::start(move |_, mut stream| {
            head(&mut stream);
            let _ = write!(stream, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{first}");
            let many = then.repeat(1_000);
            while stream.write_all(many.as_bytes()).is_ok() {}
        });
        let tick = get(server.url("/"));
        assert_up(&tick);
        assert!(tick.truncated && tick.body_bytes < 1024 * 1024 / 4, "{tick:?}");
    }
    let endless = Server::start(|_, mut stream| {
        head(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: ");
        while stream.write_all(&[b'x'; 4096]).is_ok() {}
    });
    assert_down(&get(endless.url("/")), Class::HttpProtocol);
}

#[test]
fn t023_bad_chunk_sizes_are_protocol_errors() {
    for size in ["zz", "ffffffffffffffffff"] {
        let server = Server::answering(format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{size}\r\nhello\r\n0\r\n\r\n"
        ));
        let tick = get(server.url("/"));
        assert_eq!(tick.outcome, Outcome::Down, "{size}: {tick:?}");
        assert!(matches!(class(&tick), Some(Class::HttpProtocol | Class::BodyIncomplete)), "{size}: {tick:?}");
    }
}

#[test]
fn t024_a_body_declared_huge_is_cut_at_the_cap() {
    let server = Server::start(|_, mut stream| {
        head(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n");
        while stream.write_all(&[b'x'; 4096]).is_ok() {}
    });
    let tick = get(server.url("/"));
    assert_up(&tick);
    assert_eq!((tick.body_bytes, tick.truncated), (1024 * 1024, true));
}

#[test]
fn t029_a_redirect_loop_is_left_after_five_redirects() {
    let server = Server::start(|_, mut stream| {
        let to = if head(&mut stream).starts_with("GET /a ") { "/b" } else { "/a" };
        let _ = write!(stream, "HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n");
    });
    let tick = get(server.url("/a"));
    assert_down(&tick, Class::TooManyRedirects);
    assert_eq!(tick.hops.len(), 6);
}

#[test]
fn t031_a_redirect_without_location_is_an_answer() {
    let server = Server::answering("HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n");
    assert_down(&get(server.url("/")), Class::HttpStatus);
    assert_up(&run(expecting(
        Expectations { accept: StatusRule(vec![(300, 399)]), ..Expectations::default() },
        server.url("/"),
    )));
}

#[test]
fn t033_redirects_to_other_schemes_are_blocked() {
    for to in ["file:///etc/passwd", "ftp://x/", "gopher://x/", "data:text/plain,x", "javascript:alert(1)"] {
        let server = Server::answering(format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\n\r\n"));
        assert_down(&get(server.url("/")), Class::RedirectBlocked);
    }
}

#[test]
fn t034_locations_are_resolved_against_the_current_hop() {
    for (to, expected) in [("?q=1", "/d/e?q=1"), ("../x", "/x"), ("y", "/d/y"), ("/z#part", "/z")] {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        let server = Server::start(move |number, mut stream| {
            let request = head(&mut stream);
            seen.lock().unwrap().push(request.split(' ').nth(1).unwrap().to_owned());
            let answer = if number == 0 { format!("HTTP/1.1 307 T\r\nLocation: {to}\r\n\r\n") } else { OK.to_owned() };
            let _ = stream.write_all(answer.as_bytes());
        });
        let tick = get(server.url("/d/e"));
        assert_up(&tick);
        assert_eq!(*asked.lock().unwrap(), ["/d/e", expected]);
        assert_eq!(tick.hops.len(), 2);
    }
    let other = Server::answering(OK);
    let server = Server::answering(format!("HTTP/1.1 302 F\r\nLocation: //{}/x\r\n\r\n", other.address));
    assert_eq!(get(server.url("/")).remote, Some(other.address));
}

#[test]
fn t037_a_broken_later_hop_is_named_without_its_query() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server = Server::answering(format!("HTTP/1.1 302 F\r\nLocation: http://{closed}/p?token=secret\r\n\r\n"));
    let tick = get(server.url("/"));
    assert_down(&tick, Class::ConnectRefused);
    let detail = tick.failure.unwrap().detail;
    assert!(detail.contains(&format!("http://{closed}/p")) && !detail.contains("secret"), "{detail}");
}

#[test]
fn t038_interim_answers_are_passed_over() {
    for interim in ["100 Continue", "103 Early Hints"] {
        assert_up(&get(Server::answering(format!("HTTP/1.1 {interim}\r\n\r\n{OK}")).url("/")));
    }
}

#[test]
fn t039_interim_answers_without_end_are_a_head_too_large() {
    let server = Server::start(|_, mut stream| {
        head(&mut stream);
        while stream.write_all(b"HTTP/1.1 102 Processing\r\n\r\n").is_ok() {}
    });
    assert_down(&get(server.url("/")), Class::HeaderTooLarge);
}

#[test]
fn t040_switching_protocols_unasked_is_a_protocol_error() {
    let server = Server::answering("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n");
    assert_down(&get(server.url("/")), Class::HttpProtocol);
}

#[test]
fn t042_http_1_0_ends_with_the_connection_and_http_0_9_is_no_http() {
    let tick = get(Server::answering("HTTP/1.0 200 OK\r\n\r\nhello").url("/"));
    assert_up(&tick);
    assert_eq!(tick.body_bytes, 5);
    assert_down(&get(Server::answering("<html>hello</html>\n").url("/")), Class::HttpProtocol);
}

#[test]
fn t043_status_lines_are_read_strictly() {
    assert_up(&get(Server::answering("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n").url("/")));
    for status in ["099", "1000", "", "abc"] {
        let server = Server::answering(format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n"));
        assert_down(&get(server.url("/")), Class::HttpProtocol);
    }
    let tick = get(Server::answering("HTTP/1.1 999 X\r\nContent-Length: 0\r\n\r\n").url("/"));
    assert_down(&tick, Class::HttpStatus);
    assert_eq!((tick.status, tick.failure.unwrap().phase), (Some(999), Phase::Judge));
}

#[test]
fn t044_other_protocols_are_quoted_in_printable_ascii() {
    for banner in
        ["SSH-2.0-OpenSSH_9.9\r\n", "-ERR unknown command\r\n", "ICY 200 OK\r\n\r\n", "HTTP/2.0 200 OK\r\n\r\n"]
    {
        let tick = get(Server::answering(banner).url("/"));
        assert_down(&tick, Class::HttpProtocol);
        assert!(tick.failure.unwrap().detail.contains(&banner[..6]));
    }
    let tick = get(Server::answering(b"\x00\xff\x1b[31m\n".repeat(100)).url("/"));
    assert_down(&tick, Class::HttpProtocol);
}

#[test]
fn t045_heads_have_limits() {
    let fields = |count: usize| (0..count).map(|i| format!("X-{i}: y\r\n")).collect::<String>();
    let answer = |fields: &str| format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: 0\r\n\r\n");
    assert_up(&get(Server::answering(answer(&fields(120))).url("/")));
    assert_down(&get(Server::answering(answer(&fields(129))).url("/")), Class::HeaderTooMany);
    assert_up(&get(Server::answering(answer(&format!("X: {}\r\n", "y".repeat(60 * 1024)))).url("/")));
    let long = format!("X: {}\r\n", "y".repeat(66 * 1024));
    assert_down(&get(Server::answering(answer(&long)).url("/")), Class::HeaderTooLarge);
    let endless = Server::start(|_, mut stream| {
        head(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nX: ");
        while stream.write_all(&[b'y'; 4096]).is_ok() {}
    });
    assert_down(&get(endless.url("/")), Class::HeaderTooLarge);
}

#[test]
fn t048_a_body_shorter_than_declared_is_incomplete_by_fin_and_by_rst() {
    let fin = Server::answering("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhi");
    let tick = get(fin.url("/"));
    assert_down(&tick, Class::BodyIncomplete);
    assert_eq!((tick.status, tick.body_bytes), (Some(200), 2));
    let rst = Server::start(|_, mut stream| {
        // Closing with unread bytes makes the kernel send RST.
        let mut first = [0u8; 1];
        let _ = std::io::Read::read(&mut stream, &mut first);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhi");
    });
    let tick = get(rst.url("/"));
    // The reset may overtake the answer.
    assert!(matches!(class(&tick), Some(Class::BodyIncomplete | Class::EmptyReply)), "{tick:?}");
}

#[test]
fn t049_an_empty_reply_is_tried_once_more_and_both_tries_are_visible() {
    let server = Server::start(|_, mut stream| {
        head(&mut stream);
        let _ = stream.shutdown(Shutdown::Both);
    });
    let tick = get(server.url("/"));
    assert_down(&tick, Class::EmptyReply);
    assert_eq!(tick.hops.len(), 2);
    let server = Server::start(|number, mut stream| {
        head(&mut stream);
        if number > 0 {
            let _ = stream.write_all(OK.as_bytes());
        }
    });
    let tick = get(server.url("/"));
    assert_up(&tick);
    assert_eq!(tick.hops.iter().map(|hop| hop.status).collect::<Vec<_>>(), [None, Some(200)]);
}

#[test]
fn t054_every_check_has_a_connection_of_its_own() {
    let server = Server::start(|_, mut stream| {
        head(&mut stream);
        let _ = stream.write_all(OK.as_bytes());
        hold(&mut stream);
    });
    let engine = probe::engine::Engine::new(crate::server::owner()).unwrap();
    for _ in 0..20 {
        assert_up(&engine.run(&crate::server::check(Target::get(server.url("/")))));
    }
    let ports: HashSet<u16> = server.peers.lock().unwrap().iter().map(|peer| peer.port()).collect();
    assert_eq!(ports.len(), 20);
}

#[test]
fn t062_the_request_says_who_asks_and_each_field_once() {
    let request = Arc::new(Mutex::new(String::new()));
    let seen = Arc::clone(&request);
    let server = Server::start(move |_, mut stream| {
        *seen.lock().unwrap() = head(&mut stream).to_ascii_lowercase();
        let _ = stream.write_all(OK.as_bytes());
    });
    assert_up(&get(server.url("/p?q=1")));
    let request = request.lock().unwrap().clone();
    assert!(request.starts_with("get /p?q=1 http/1.1\r\n"), "{request}");
    for field in [
        format!("host: {}", server.address),
        format!("user-agent: betteruptime/{} (+https://", env!("CARGO_PKG_VERSION")),
        "accept: */*".to_owned(),
        "accept-encoding: identity".to_owned(),
        "connection: close".to_owned(),
    ] {
        assert_eq!(request.matches(&format!("\r\n{field}")).count(), 1, "{field} in {request}");
    }
}

#[test]
fn t063_head_ignores_a_body_and_a_405_hints_at_get() {
    let server = Server::answering(OK);
    let tick = run(asking(Method::Head, server.url("/")));
    assert_up(&tick);
    assert_eq!(tick.body_bytes, 0);
    let server = Server::answering("HTTP/1.1 405 No\r\nContent-Length: 0\r\n\r\n");
    let tick = run(asking(Method::Head, server.url("/")));
    assert!(tick.failure.unwrap().detail.contains("GET"));
}

#[test]
fn a_slow_answer_is_degraded() {
    let server = Server::start(|_, mut stream| {
        head(&mut stream);
        std::thread::sleep(Duration::from_millis(60));
        let _ = stream.write_all(OK.as_bytes());
    });
    let tick = run(expecting(Expectations { slow_ms: Some(50), ..Expectations::default() }, server.url("/")));
    assert_eq!((tick.outcome, class(&tick)), (Outcome::Degraded, Some(Class::Slow)));
    assert!(tick.phases.wait_us.unwrap() >= 60_000);
}

#[test]
fn an_order_for_something_else_is_nobodys_outage() {
    for url in ["ftp://example.com/", "nonsense", "http://u:p@127.0.0.1/", "http://127.0.0.1:0/"] {
        let tick = get(url);
        assert_eq!((tick.outcome, class(&tick)), (Outcome::Unknown, Some(Class::Unsupported)), "{url}");
    }
}
