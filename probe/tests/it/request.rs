//! What is sent: whose fields, which body, over which connection.

use std::collections::HashSet;
use std::io::Read;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use probe::engine::{Engine, EngineConfig};
use probe::wire::{Blame, Class, Credentials, HeaderField, Method, Outcome, Phase, RequestOptions, SecretText, Target};
use testbed::pki::Authority;
use testbed::server::{Connection, Server};
use testbed::{namespace, test_name};

use crate::checks::{
    OK, asking, assert_down, assert_unknown, assert_up, class, detail, get, knowing, owner, run, run_on, run_with,
    short,
};

pub(crate) fn field(name: &str, value: &str) -> HeaderField {
    HeaderField { name: name.to_owned(), value: SecretText::new(value) }
}

fn with(request: RequestOptions, url: String) -> Target {
    Target { request, ..short(url, 5_000) }
}

fn posting(body: String, url: String) -> Target {
    let request =
        RequestOptions { method: Method::Post, body: Some(SecretText::new(body)), ..RequestOptions::default() };
    with(request, url)
}

/// The body of a request whose head says how long it is.
fn body(stream: &mut Connection, head: &str) -> Vec<u8> {
    let length = head.to_ascii_lowercase();
    let length = length.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0").parse().unwrap();
    let mut body = vec![0u8; length];
    stream.read_exact(&mut body).unwrap();
    body
}

#[test]
fn t050_an_answer_before_the_body_was_read_is_the_answer() {
    for (status, expected) in [("200 OK", None), ("413 Too Large", Some(Class::HttpStatus))] {
        let server = Server::start(move |_, mut stream| {
            stream.head();
            stream.say(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n"));
            stream.ignore(Duration::from_secs(5));
        });
        let tick = run(posting("x".repeat(60_000), server.url("/")));
        assert_eq!(class(&tick), expected, "{tick:?}");
        assert!(tick.status.is_some());
    }
}

#[test]
fn t050_an_answer_that_ends_the_connection_while_we_write_is_still_the_answer() {
    namespace::run(test_name!(), |network| {
        network.sysctl("net/ipv4/tcp_rmem", "4096 4096 4096");
        network.sysctl("net/ipv4/tcp_wmem", "4096 4096 4096");
        let server = Server::start(|_, mut stream| {
            stream.head();
            stream.say("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");
        });
        let tick = run(posting("x".repeat(60_000), server.url("/")));
        assert_down(&tick, Class::HttpStatus);
        assert_eq!(tick.status, Some(413));
        // What is left of the request stands in the way of TLS.
        let authority = Authority::root("Test Root");
        let server = Server::tls(authority.issue(&["127.0.0.1"]).server_config(), |_, mut stream| {
            stream.head();
            stream.say("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");
        });
        let trusting = EngineConfig { extra_roots: vec![authority.der()], ..owner() };
        let tick = run_with(trusting, posting("x".repeat(60_000), server.url("/")));
        assert_down(&tick, Class::HttpStatus);
        assert_eq!(tick.status, Some(413));
    });
}

#[test]
fn t054_every_check_has_a_connection_and_a_handshake_of_its_own() {
    let authority = Authority::root("Test Root");
    let resumed = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&resumed);
    let script = move |_: usize, mut stream: Connection| {
        seen.lock().unwrap().push(stream.resumed());
        stream.head();
        stream.say(OK);
        stream.hold();
    };
    for versions in [&[&rustls::version::TLS12][..], &[&rustls::version::TLS13][..]] {
        resumed.lock().unwrap().clear();
        let server = Server::tls(authority.issue(&["127.0.0.1"]).server_config_of(versions), script.clone());
        let engine = Engine::new(EngineConfig { extra_roots: vec![authority.der()], ..owner() }).unwrap();
        for _ in 0..20 {
            let tick = run_on(&engine, short(server.url("/"), 5_000));
            assert_up(&tick);
            assert!(tick.phases.tls_us.is_some() && tick.certificate.is_some());
        }
        let ports: HashSet<u16> = server.peers.lock().unwrap().iter().map(|peer| peer.port()).collect();
        assert_eq!(ports.len(), 20);
        assert_eq!(*resumed.lock().unwrap(), [false; 20]);
    }
}

#[test]
fn t055_cookies_are_not_kept_from_check_to_check_nor_across_a_redirect() {
    let answer = "HTTP/1.1 200 OK\r\nSet-Cookie: a=secret; Path=/\r\nContent-Length: 0\r\n\r\n";
    let server = Server::answering(answer);
    let engine = Engine::new(owner()).unwrap();
    for _ in 0..2 {
        assert_up(&run_on(&engine, Target::get(server.url("/"))));
    }
    let to = server.url("/next");
    let from = Server::answering(format!(
        "HTTP/1.1 302 F\r\nSet-Cookie: b=secret; Path=/\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n"
    ));
    assert_up(&run_on(&engine, Target::get(from.url("/"))));
    assert_eq!(server.heads().len(), 3);
    for head in server.heads() {
        assert!(!head.to_ascii_lowercase().contains("cookie"), "{head}");
    }
}

#[test]
fn t062_the_request_says_who_asks_and_each_field_once() {
    let server = Server::answering(OK);
    assert_up(&get(server.url("/p?q=1")));
    let request = server.heads()[0].to_ascii_lowercase();
    assert!(request.starts_with("get /p?q=1 http/1.1\r\n"), "{request}");
    for field in [
        format!("host: {}\r\n", server.address),
        format!("user-agent: betteruptime/{} (+https://", env!("CARGO_PKG_VERSION")),
        "accept: */*\r\n".to_owned(),
        "accept-encoding: identity\r\n".to_owned(),
        "connection: close\r\n".to_owned(),
    ] {
        assert_eq!(request.matches(&format!("\r\n{field}")).count(), 1, "{field} in {request}");
    }
    for name in ["host", "user-agent", "accept", "accept-encoding", "connection"] {
        assert_eq!(request.matches(&format!("\r\n{name}:")).count(), 1, "{name} in {request}");
    }
    assert!(!request.contains("content-length") && !request.contains("transfer-encoding"), "{request}");
}

#[test]
fn t062_the_host_is_told_without_a_default_port() {
    namespace::run(test_name!(), |_| {
        let authority = Authority::root("Test Root");
        let plain = Server::at(([127, 0, 0, 1], 80).into(), None, |_, mut stream| {
            stream.head();
            stream.say(OK);
        });
        let config = authority.issue(&["a.example"]).server_config();
        let secure = Server::at(([127, 0, 0, 1], 443).into(), Some(config), |_, mut stream| {
            stream.head();
            stream.say(OK);
        });
        let config = EngineConfig { extra_roots: vec![authority.der()], ..knowing(&[("a.example", "127.0.0.1")]) };
        for (url, server) in [("http://a.example:80/", &plain), ("https://a.example:443/", &secure)] {
            assert_up(&run_with(config.clone(), Target::get(url)));
            let head = server.heads()[0].to_ascii_lowercase();
            assert_eq!(head.matches("\r\nhost: a.example\r\n").count(), 1, "{head}");
        }
    });
}

#[test]
fn fields_credentials_and_user_agent_are_sent_once_and_instead_of_ours() {
    let server = Server::answering(OK);
    let basic = Credentials::Basic { username: "ann".into(), password: SecretText::new("pa ss") };
    let bearer = Credentials::Bearer { token: SecretText::new("abc.def") };
    for (credentials, expected) in
        [(basic, "authorization: Basic YW5uOnBhIHNz"), (bearer, "authorization: Bearer abc.def")]
    {
        let request = RequestOptions {
            headers: vec![field("X-Key", "k1"), field("Accept", "application/json"), field("X-Key", "k2")],
            credentials: Some(credentials),
            user_agent: Some("Curl/8".to_owned()),
            ..RequestOptions::default()
        };
        let tick = run(with(request, server.url("/")));
        assert_up(&tick);
        let head = server.heads().pop().unwrap();
        let lines: Vec<String> = head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| format!("{}: {value}", name.to_ascii_lowercase()))
            .collect();
        for line in ["x-key: k1", "x-key: k2", "accept: application/json", "user-agent: Curl/8", expected] {
            assert_eq!(lines.iter().filter(|found| *found == line).count(), 1, "{line} in {head}");
        }
        for name in ["accept", "user-agent", "authorization", "host", "connection"] {
            let name = format!("{name}: ");
            assert_eq!(lines.iter().filter(|found| found.starts_with(&name)).count(), 1, "{name} in {head}");
        }
    }
}

#[test]
fn bodies_are_sent_whole_with_their_length_by_every_method_that_has_one() {
    for method in [Method::Post, Method::Put, Method::Patch, Method::Delete] {
        for text in ["", "{\"a\":\"\u{e4}\"}", &"x".repeat(64 * 1024)] {
            let got = Arc::new(Mutex::new(Vec::new()));
            let seen = Arc::clone(&got);
            let server = Server::start(move |_, mut stream| {
                let head = stream.head();
                let body = body(&mut stream, &head);
                *seen.lock().unwrap() = body;
                stream.say(OK);
            });
            let request = RequestOptions { method, body: Some(SecretText::new(text)), ..RequestOptions::default() };
            assert_up(&run(with(request, server.url("/"))));
            assert_eq!(*got.lock().unwrap(), text.as_bytes());
            let head = server.heads()[0].to_ascii_lowercase();
            assert!(head.starts_with(&method.as_str().to_ascii_lowercase()), "{head}");
            assert!(!head.contains("transfer-encoding"), "{head}");
        }
    }
    let server = Server::answering(OK);
    for method in [Method::Options, Method::Delete, Method::Post] {
        assert_up(&run(asking(method, server.url("/"))));
        assert!(server.heads().pop().unwrap().starts_with(method.as_str()));
    }
}

#[test]
fn t063_head_ignores_a_body_and_a_405_hints_at_get() {
    let server = Server::answering(OK);
    let tick = run(asking(Method::Head, server.url("/")));
    assert_up(&tick);
    assert_eq!(tick.body_bytes, 0);
    assert!(server.heads()[0].starts_with("HEAD / "));
    let server = Server::answering("HTTP/1.1 405 No\r\nContent-Length: 0\r\n\r\n");
    let tick = run(asking(Method::Head, server.url("/")));
    assert_down(&tick, Class::HttpStatus);
    assert!(detail(&tick).contains("GET"));
}

#[test]
fn t064_a_reader_that_stops_is_a_send_timeout() {
    namespace::run(test_name!(), |network| {
        // The smallest windows there are, so that the kernel does not swallow the body.
        network.sysctl("net/ipv4/tcp_rmem", "4096 4096 4096");
        network.sysctl("net/ipv4/tcp_wmem", "4096 4096 4096");
        let server = Server::start(|_, stream| stream.ignore(Duration::from_secs(10)));
        let target = posting("x".repeat(60_000), server.url("/"));
        let tick = run(Target { timeout_ms: 1_000, ..target });
        assert_down(&tick, Class::SendTimeout);
        assert_eq!(tick.failure.unwrap().phase, Phase::Send);
    });
}

#[test]
fn t064_a_reader_that_stops_after_the_kernel_took_all_is_a_first_byte_timeout() {
    let server = Server::start(|_, stream| stream.ignore(Duration::from_secs(10)));
    let target = posting("x".repeat(6_000), server.url("/"));
    assert_down(&run(Target { timeout_ms: 1_000, ..target }), Class::FirstByteTimeout);
}

#[test]
fn t079_fields_that_would_split_or_frame_a_message_are_not_sent() {
    let server = Server::answering(OK);
    let names = [
        "Host",
        "Content-Length",
        "Transfer-Encoding",
        "Connection",
        "Upgrade",
        "TE",
        "Trailer",
        "Expect",
        "Keep-Alive",
        "Proxy-Authorization",
        "Proxy-Connection",
        "",
        "X Y",
        "X:",
        "X\r\nY",
        "X\0",
    ];
    let values = ["a\r\nB: c", "a\rb", "a\nb", "a\0b", "a\u{7f}b"];
    let bad = names.iter().map(|name| field(name, "x")).chain(values.iter().map(|value| field("X", value)));
    for header in bad {
        let request = RequestOptions { headers: vec![header.clone()], ..RequestOptions::default() };
        let tick = run(with(request, server.url("/")));
        assert_unknown(&tick, Class::Unsupported, Blame::Probe);
        assert!(tick.hops.is_empty() && tick.status.is_none(), "{header:?}: {tick:?}");
    }
    assert_eq!(server.connections(), 0, "nothing is sent");
}

#[test]
fn t079_other_options_that_cannot_be_done_are_nobodys_outage() {
    let server = Server::answering(OK);
    let ok = RequestOptions::default;
    let secret = "hunter2\r\nX: y";
    for request in [
        RequestOptions { body: Some(SecretText::new("a body of a GET")), ..ok() },
        RequestOptions { user_agent: Some("a\r\nb".to_owned()), ..ok() },
        RequestOptions { max_redirects: 200, ..ok() },
        RequestOptions { credentials: Some(Credentials::Bearer { token: SecretText::new(secret) }), ..ok() },
        RequestOptions { headers: vec![field("X", "y"); 100], ..ok() },
    ] {
        let tick = run(with(request, server.url("/")));
        assert_unknown(&tick, Class::Unsupported, Blame::Probe);
        assert!(!format!("{tick:?}").contains("hunter2"), "{tick:?}");
    }
    assert_eq!(server.connections(), 0, "nothing is sent");
}

#[test]
fn secrets_of_a_request_are_in_no_tick() {
    let closed = "http://127.0.0.1:1/";
    let bad = Server::answering("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n");
    for url in [closed.to_owned(), bad.url("/p?token=hunter2")] {
        let request = RequestOptions {
            method: Method::Post,
            headers: vec![field("X-Key", "hunter2")],
            body: Some(SecretText::new("hunter2")),
            credentials: Some(Credentials::Basic { username: "a".into(), password: SecretText::new("hunter2") }),
            ..RequestOptions::default()
        };
        let tick = run(with(request, url));
        assert_eq!(tick.outcome, Outcome::Down);
        assert!(!serde_json::to_string(&tick).unwrap().contains("hunter2"), "{tick:?}");
    }
}
