//! The attacks of CASES 2.1 against the front: after each, the hub is as well as before.

mod attacks;
mod kept;
mod nginx;
mod routes;
mod tls;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::process::Hub;
use crate::services::wait_until;

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(15))).unwrap();
    stream
}

/// Sends bytes and returns what came back until the end, or until 15 s of silence.
fn exchange(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = connect(address);
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.take(1_000_000).read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0)
}

fn assert_well(hub: &Hub, after: &str) {
    let started = Instant::now();
    let answer = exchange(hub.address, b"GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    assert_eq!(status(&answer), 200, "after {after}: {answer}");
    // At once where nothing else runs; tests share the machine.
    assert!(started.elapsed() < Duration::from_secs(8), "slow after {after}");
    assert!(!hub.process.log().contains("panicked"), "a panic after {after}: {}", hub.process.log());
}

#[test]
fn t099_t107_t109_t110_odd_requests_are_refused_and_hurt_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let hub = Hub::start(directory.path(), &[]);
    let post = |framing: &str| format!("POST /signin HTTP/1.1\r\nHost: h\r\n{framing}\r\n\r\nabc");
    let mut cases: Vec<(String, &[u16])> = vec![
        ("GET / HTTP/1.1\r\n\r\n".into(), &[400]),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n".into(), &[400]),
        ("GET http://evil/ HTTP/1.1\r\nHost: h\r\n\r\n".into(), &[400]),
        ("GET / extra HTTP/1.1\r\nHost: h\r\n\r\n".into(), &[400]),
        ("TRACE / HTTP/1.1\r\nHost: h\r\n\r\n".into(), &[405]),
        ("CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n".into(), &[400, 405]),
        ("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n".into(), &[400, 405]),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(), &[0, 400, 405, 505]),
        (format!("GET /{} HTTP/1.1\r\nHost: h\r\n\r\n", "x".repeat(3_000)), &[414]),
        (format!("GET / HTTP/1.1\r\nHost: h\r\nA: {}\r\n\r\n", "x".repeat(1_000_000)), &[0, 431]),
        (format!("GET / HTTP/1.1\r\nHost: h\r\n{}\r\n", "A: b\r\n".repeat(1_000)), &[0, 400, 431]),
        // One chunked request (RFC 9112, 6.3), whose body never ends; never two requests (T107).
        (post("Content-Length: 3\r\nTransfer-Encoding: chunked"), &[400, 408]),
        (post("Content-Length: 3\r\nExpect: nonsense"), &[417]),
    ];
    for length in [
        "100000000000",
        "4000000000000000000",
        "18446744073709551615",
        "-1",
        "+3",
        "3, 3",
        "0x30",
        "3\r\nContent-Length: 4",
    ] {
        cases.push((post(&format!("Content-Length: {length}")), &[400, 413, 431]));
    }
    for name in ["X-Team", "If-Match", "Idempotency-Key", "Token"] {
        cases.push((format!("POST /api/v1/websites HTTP/1.1\r\nHost: h\r\n{name}: caf\u{e9}\r\n\r\n"), &[400]));
    }
    for coding in ["identity", "identity, chunked", "gzip, chunked", "chunked, identity", " chunked\r\n folded"] {
        cases.push((post(&format!("Transfer-Encoding: {coding}")), &[400, 408, 501]));
    }
    for (request, allowed) in &cases {
        let answer = exchange(hub.address, request.as_bytes());
        let shown: String = request.chars().take(80).collect();
        assert!(allowed.contains(&status(&answer)), "{shown:?} was answered with {answer:?}");
        assert!(!answer.to_lowercase().contains("tiny"), "{answer}");
        assert!(answer.matches("HTTP/1.1 ").count() <= 1, "{shown:?} became two requests: {answer}");
    }
    assert_well(&hub, "odd requests");
}

#[test]
fn t100_t103_t106_resets_drips_and_floods_leave_it_well() {
    let directory = tempfile::tempdir().unwrap();
    let hub = Hub::start(directory.path(), &[]);
    for _ in 0..500 {
        let mut stream = connect(hub.address);
        let _ = stream.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"); // closed with the answer unread: a reset
    }
    assert_well(&hub, "500 resets");

    let dripping: Vec<_> = (0..200)
        .map(|_| {
            let mut stream = connect(hub.address);
            let _ = stream.write_all(b"GET / HTT");
            stream
        })
        .collect();
    assert_well(&hub, "200 half requests, still open");
    drop(dripping);

    let mut stream = connect(hub.address);
    stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    let many = "GET / HTTP/1.1\r\nHost: h\r\n\r\n".repeat(2_000);
    for _ in 0..20 {
        if stream.write_all(many.as_bytes()).is_err() {
            break; // it stopped reading: that is the bound
        }
    }
    assert_well(&hub, "a pipeline nobody reads");
}

#[test]
fn t104_a_dripped_body_ends_at_its_deadline() {
    let directory = tempfile::tempdir().unwrap();
    let hub = Hub::start(directory.path(), &[]);
    let answer = exchange(hub.address, b"POST /signin HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nabc");
    assert_eq!(status(&answer), 408, "{answer}");
    assert_well(&hub, "a dripped body");
}

#[test]
fn t138_a_form_from_elsewhere_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let hub = Hub::start(directory.path(), &[]);
    let form = "username=mallory&password=correct+horse";
    for origin in ["Origin: http://evil.example\r\n", "Origin: null\r\n", "Sec-Fetch-Site: cross-site\r\n", ""] {
        let request = format!(
            "POST /signup HTTP/1.1\r\nHost: h\r\n{origin}Content-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{form}",
            form.len()
        );
        assert_eq!(status(&exchange(hub.address, request.as_bytes())), 403, "{origin}");
    }
}

#[test]
fn other_applications_cookies_of_any_bytes_do_no_harm() {
    let directory = tempfile::tempdir().unwrap();
    let hub = Hub::start(directory.path(), &[]);
    for header in ["Cookie: theirs=caf\u{e9}; ours=1", "X-Name: \u{fc}ber"] {
        let request = format!("GET /signup HTTP/1.1\r\nHost: h\r\n{header}\r\nConnection: close\r\n\r\n");
        assert_eq!(status(&exchange(hub.address, request.as_bytes())), 200, "{header}");
    }
    let target = "GET /caf\u{e9} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    assert_eq!(status(&exchange(hub.address, target.as_bytes())), 400);
}

#[test]
fn a_foreign_name_for_our_address_is_not_ours() {
    let directory = tempfile::tempdir().unwrap();
    let hub = Hub::start(directory.path(), &[]);
    let form = "username=mallory&password=correct+horse";
    let sign_up = |host: &str| {
        let request = format!(
            "POST /signup HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{form}",
            form.len()
        );
        exchange(hub.address, request.as_bytes())
    };
    let refused = sign_up("evil.example:3001");
    assert!(status(&refused) == 403 && refused.contains("PUBLIC_URL"), "{refused}");
    wait_until("the log to say so", Duration::from_secs(10), || {
        let log = hub.process.log();
        let told = log.lines().filter(|line| line.contains("A form was refused") && line.contains("evil.example:3001"));
        told.count() == 1
    });
    // As a script sends it: such a page is of our origin to the browser, and any header is its own choice.
    let account = "{\"username\": \"mallory\", \"password\": \"correct horse\"}";
    for proof in ["", "token: x\r\n", "Authorization: Bearer x\r\n"] {
        let request = format!(
            "POST /signup HTTP/1.1\r\nHost: evil.example:3001\r\nOrigin: http://evil.example:3001\r\n{proof}\
             Sec-Fetch-Site: same-origin\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n\
             {account}",
            account.len()
        );
        let refused = exchange(hub.address, request.as_bytes());
        assert!(status(&refused) == 403 && refused.contains("PUBLIC_URL"), "{proof}: {refused}");
    }
    assert_eq!(status(&sign_up("localhost:3001")), 303);
    assert!(hub.process.log().matches("A form was refused").count() < 4, "who asks on and on does not fill the log");
}

/// Header and body as bytes of a GET of `path`.
fn got(address: SocketAddr, path: &str, fields: &str) -> (String, Vec<u8>) {
    let mut stream = connect(address);
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{fields}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap_or_else(|| panic!("{path}: no header"));
    (String::from_utf8_lossy(&answer[..end]).to_lowercase(), answer[end + 4..].to_vec())
}

#[test]
fn text_is_packed_for_who_takes_that_and_is_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let hub = Hub::start(directory.path(), &[]);
    let ann = crate::client::token(&hub.url(""), "ann", "correct horse");
    let (_, page) = got(hub.address, "/signin", "");
    let page = String::from_utf8(page).unwrap();
    let style = page.split("href=\"").find(|part| part.starts_with("/static/style.")).unwrap();
    let style = style.split('"').next().unwrap();
    let session = format!("Cookie: betteruptime_session={ann}\r\n");
    for (path, fields) in [("/signin", ""), (style, ""), ("/", session.as_str()), ("/settings", session.as_str())] {
        let (plain_head, plain) = got(hub.address, path, fields);
        let (head, packed) = got(hub.address, path, &format!("{fields}Accept-Encoding: gzip, br\r\n"));
        assert!(!plain_head.contains("content-encoding"), "{path}: {plain_head}");
        for head in [&plain_head, &head] {
            assert!(head.contains("vary: accept-encoding"), "{path}: {head}");
        }
        assert!(head.contains("content-encoding: gzip"), "{path}: {head}");
        assert!(head.contains(&format!("content-length: {}", packed.len())), "{path}: {head}");
        assert!(packed.len() < plain.len() / 2, "{path}: {} of {}", packed.len(), plain.len());
        let mut again = Vec::new();
        flate2::read::GzDecoder::new(&*packed).read_to_end(&mut again).unwrap();
        assert!(again == plain, "{path}");
    }

    // What renews itself is known again, also by the tag of its packed form.
    let fields = format!("{session}Accept-Encoding: gzip\r\n");
    let (head, _) = got(hub.address, "/websites/fragment", &fields);
    let tag = head.split("etag: ").nth(1).and_then(|rest| rest.split('\r').next()).unwrap().to_owned();
    for tag in [tag.as_str(), tag.trim_start_matches("w/")] {
        let tag = tag.replace("w/", "W/");
        let (head, body) = got(hub.address, "/websites/fragment", &format!("{fields}If-None-Match: {tag}\r\n"));
        assert!(head.starts_with("http/1.1 304") && body.is_empty(), "{tag}: {head}");
    }
    assert_well(&hub, "packing");
}
