//! Redirects: where they may lead, and what is taken along.

use std::net::TcpListener;

use probe::engine::EngineConfig;
use probe::wire::{
    Blame, Class, Credentials, Expectations, Method, Note, Outcome, RequestOptions, SecretText, StatusRule, Target,
};
use testbed::pki::Authority;
use testbed::server::Server;

use crate::checks::{
    OK, answer, assert_down, assert_unknown, assert_up, class, detail, expecting, get, knowing, owner, run, run_with,
    short,
};
use crate::request::field;

/// A redirect to `to`.
pub(crate) fn to(status: u16, to: &str) -> String {
    format!("HTTP/1.1 {status} Moved\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n")
}

/// Says this to the first, and a good answer to those after it.
fn first(said: String) -> Server {
    Server::start(move |number, mut stream| {
        stream.head();
        stream.say(if number == 0 { said.as_str() } else { OK });
        stream.close();
    })
}

/// With everything that is secret.
fn secretive(method: Method) -> RequestOptions {
    RequestOptions {
        method,
        headers: vec![field("X-Key", "secret-1"), field("Cookie", "a=secret-2")],
        credentials: Some(Credentials::Basic { username: "ann".into(), password: SecretText::new("x") }),
        body: (method == Method::Post).then(|| SecretText::new("secret-3")),
        ..RequestOptions::default()
    }
}

fn names(head: &str) -> Vec<String> {
    head.lines().skip(1).filter_map(|line| line.split_once(':')).map(|(name, _)| name.to_ascii_lowercase()).collect()
}

#[track_caller]
fn assert_secret_fields(head: &str, expected: bool) {
    for name in ["authorization", "cookie", "x-key"] {
        assert_eq!(
            names(head).iter().filter(|found| *found == name).count(),
            usize::from(expected),
            "{name} in {head}"
        );
    }
}

#[test]
fn t029_a_redirect_loop_is_left_after_five_redirects() {
    let server = Server::start(|_, mut stream| {
        let next = if stream.head().starts_with("GET /a ") { "/b" } else { "/a" };
        stream.say(to(302, next));
    });
    let tick = get(server.url("/a"));
    assert_down(&tick, Class::TooManyRedirects);
    assert_eq!(tick.hops.len(), 6);
    assert!(tick.total_us < 5_000_000);
}

#[test]
fn t029_a_loop_of_slow_hops_ends_at_the_budget_of_the_whole_check() {
    let server = Server::start(|_, mut stream| {
        stream.head();
        stream.pause(std::time::Duration::from_millis(1_200));
        stream.say(to(302, "/"));
    });
    // Two hops and a half: half a second may be lost on the way to the third.
    let tick = run(short(server.url("/"), 3_000));
    assert_down(&tick, Class::FirstByteTimeout);
    assert_eq!(tick.hops.len(), 3);
}

#[test]
fn t031_a_redirect_without_location_is_an_answer() {
    for status in [300, 302, 304] {
        let server = Server::answering(format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n"));
        assert_down(&get(server.url("/")), Class::HttpStatus);
        let accept = StatusRule(vec![(300, 399)]);
        assert_up(&run(expecting(Expectations { accept, ..Expectations::default() }, server.url("/"))));
    }
}

#[test]
fn t031_without_redirects_the_redirect_is_the_answer() {
    let other = Server::answering(OK);
    let server = Server::answering(to(302, &other.url("/")));
    let request = RequestOptions { max_redirects: 0, ..RequestOptions::default() };
    let tick = run(Target { request, ..Target::get(server.url("/")) });
    assert_down(&tick, Class::HttpStatus);
    assert_eq!((tick.status, other.connections()), (Some(302), 0));
}

#[test]
fn t033_redirects_to_other_schemes_are_blocked() {
    for place in [
        "file:///etc/passwd",
        "ftp://x/",
        "gopher://x/",
        "data:text/plain,x",
        "javascript:alert(1)",
        "FILE:///etc/passwd",
        "mailto:a@x",
        "ws://127.0.0.1/",
    ] {
        let tick = answer(to(302, place));
        assert_down(&tick, Class::RedirectBlocked);
        assert_eq!(tick.hops.len(), 1);
    }
}

#[test]
fn t033_a_location_that_is_no_url_is_a_protocol_error() {
    for place in ["http://[::1", "http://", "http://a b/", "http://127.0.0.1:65536/"] {
        let tick = answer(to(302, place));
        assert_eq!(tick.outcome, Outcome::Down, "{place}: {tick:?}");
        assert!(matches!(class(&tick), Some(Class::HttpProtocol | Class::RedirectBlocked)), "{place}: {tick:?}");
    }
}

#[test]
fn t034_locations_are_resolved_against_the_current_hop() {
    for (place, expected) in [
        ("?q=1", "/d/e?q=1"),
        ("../x", "/x"),
        ("y", "/d/y"),
        ("/z#part", "/z"),
        ("./", "/d/"),
        ("", "/d/e"),
        ("../../../up", "/up"),
        ("/sp ace", "/sp%20ace"),
    ] {
        let server = first(to(307, place));
        let tick = get(server.url("/d/e"));
        assert_up(&tick);
        let asked: Vec<String> = server.heads().iter().map(|head| head.split(' ').nth(1).unwrap().to_owned()).collect();
        assert_eq!(asked, ["/d/e", expected], "{place:?}");
        assert_eq!(tick.hops.len(), 2);
    }
    let other = Server::answering(OK);
    let server = Server::answering(to(302, &format!("//{}/x", other.address)));
    assert_eq!(get(server.url("/")).remote, Some(other.address));
}

#[test]
fn t035_a_redirect_to_http_is_noted_or_refused_and_nothing_secret_goes_there() {
    let authority = Authority::root("Test Root");
    let plain = Server::answering(OK);
    let config = authority.issue(&["127.0.0.1"]).server_config();
    let secure = Server::answering_tls(config, to(302, &plain.url("/")));
    let trusting = || EngineConfig { extra_roots: vec![authority.der()], ..owner() };
    let target = Target { request: secretive(Method::Get), ..short(secure.url("/"), 5_000) };
    let tick = run_with(trusting(), target.clone());
    assert_up(&tick);
    assert_eq!(tick.notes, [Note::RedirectDowngrade]);
    assert_secret_fields(&secure.heads()[0], true);
    assert_secret_fields(&plain.heads()[0], false);
    let expect = Expectations { require_https: true, ..Expectations::default() };
    let tick = run_with(trusting(), Target { expect: expect.clone(), ..target.clone() });
    assert_down(&tick, Class::RedirectBlocked);
    assert_eq!(plain.connections(), 1, "nothing is sent there");
    let tick = run(expecting(expect, plain.url("/")));
    assert_ne!(tick.outcome, Outcome::Up, "every hop has to be https: {tick:?}");
}

#[test]
fn t035_http_to_https_is_no_downgrade() {
    let authority = Authority::root("Test Root");
    let secure = Server::answering_tls(authority.issue(&["127.0.0.1"]).server_config(), OK);
    let plain = Server::answering(to(301, &secure.url("/")));
    let tick = run_with(EngineConfig { extra_roots: vec![authority.der()], ..owner() }, Target::get(plain.url("/")));
    assert_up(&tick);
    assert!(tick.notes.is_empty() && tick.certificate.is_some());
}

#[test]
fn t036_secret_fields_stay_with_their_origin() {
    let hosts = [("a.example", "127.0.0.1"), ("b.example", "127.0.0.1"), ("example", "127.0.0.1")];
    let other = Server::answering(OK);
    let target = |url: String| Target { request: secretive(Method::Get), ..short(url, 5_000) };
    // Another host, the parent domain, a name below.
    for host in ["b.example", "example"] {
        let place = other.url_of(host, "/");
        let server = first(to(302, &place));
        assert_up(&run_with(knowing(&hosts), target(server.url_of("a.example", "/"))));
        assert_secret_fields(&server.heads()[0], true);
        assert_secret_fields(&other.heads().pop().unwrap(), false);
    }
    // Another port of the same host.
    let server = first(to(302, &other.url_of("a.example", "/")));
    assert_up(&run_with(knowing(&hosts), target(server.url_of("a.example", "/"))));
    assert_secret_fields(&other.heads().pop().unwrap(), false);
    // The same origin, by path, by network path and in full.
    for place in ["/next".to_owned(), String::new()] {
        let server = first(to(302, &place));
        assert_up(&run_with(knowing(&hosts), target(server.url_of("a.example", "/"))));
        assert_secret_fields(&server.heads()[1], true);
    }
}

#[test]
fn t036_what_was_dropped_does_not_come_back() {
    let hosts = [("a.example", "127.0.0.1"), ("b.example", "127.0.0.1")];
    let back = Server::start(|number, mut stream| {
        let head = stream.head();
        let port = stream.socket().local_addr().unwrap().port();
        let next =
            if number == 0 { format!("http://b.example:{port}/") } else { format!("http://a.example:{port}/end") };
        stream.say(if head.starts_with("GET /end ") { OK.to_owned() } else { to(302, &next) });
    });
    let request = secretive(Method::Get);
    assert_up(&run_with(knowing(&hosts), Target { request, ..short(back.url_of("a.example", "/"), 5_000) }));
    let heads = back.heads();
    assert_secret_fields(&heads[0], true);
    assert_secret_fields(&heads[1], false);
    // The Fetch standard removes them for good.
    assert_secret_fields(&heads[2], false);
}

#[test]
fn a_post_becomes_a_get_as_the_fetch_standard_has_it() {
    for (status, asked, expected) in [
        (301, Method::Post, "GET"),
        (302, Method::Post, "GET"),
        (303, Method::Post, "GET"),
        (307, Method::Post, "POST"),
        (308, Method::Post, "POST"),
        (301, Method::Put, "PUT"),
        (302, Method::Delete, "DELETE"),
        (303, Method::Put, "GET"),
        (303, Method::Head, "HEAD"),
        (302, Method::Head, "HEAD"),
    ] {
        let server = Server::start(move |number, mut stream| {
            let head = stream.head().to_ascii_lowercase();
            let length =
                head.lines().find_map(|l| l.strip_prefix("content-length: ")).map_or(0, |l| l.parse().unwrap());
            let mut body = vec![0u8; length];
            std::io::Read::read_exact(&mut stream, &mut body).unwrap();
            let expects_body = number == 1 && matches!(expected, "POST");
            let good = number == 0 || expects_body == (body == b"secret-3");
            stream.say(match (number, good) {
                (0, _) => to(status, "/next"),
                (_, true) => "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_owned(),
                (_, false) => "HTTP/1.1 400 Bad body\r\nContent-Length: 0\r\n\r\n".to_owned(),
            });
            stream.close();
        });
        let tick = run(Target { request: secretive(asked), ..short(server.url("/"), 5_000) });
        assert_up(&tick);
        assert!(server.heads()[1].starts_with(&format!("{expected} /next ")), "{status} {asked}: {:?}", server.heads());
        if expected == "GET" && asked != Method::Get {
            let names = names(&server.heads()[1]);
            assert!(!names.iter().any(|name| name == "content-length" || name == "content-type"), "{names:?}");
        }
    }
}

#[test]
fn a_body_is_not_sent_on_to_another_origin() {
    for status in [307, 308] {
        let other = Server::answering(OK);
        let server = Server::answering(to(status, &other.url("/")));
        let tick = run(Target { request: secretive(Method::Post), ..short(server.url("/"), 5_000) });
        assert_down(&tick, Class::RedirectBlocked);
        assert_eq!(other.connections(), 0);
    }
    // As a GET it has no body, and may go.
    let other = Server::answering(OK);
    let server = Server::answering(to(303, &other.url("/")));
    assert_up(&run(Target { request: secretive(Method::Post), ..short(server.url("/"), 5_000) }));
    assert!(other.heads()[0].starts_with("GET "));
}

#[test]
fn t037_a_broken_later_hop_is_named_without_its_query() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let third = format!("http://{closed}/p?token=secret");
    let second = Server::answering(to(302, &third));
    let server = Server::answering(to(302, &second.url("/second")));
    let tick = get(server.url("/"));
    assert_down(&tick, Class::ConnectRefused);
    assert!(detail(&tick).contains(&format!("http://{closed}/p")), "{tick:?}");
    assert!(!serde_json::to_string(&tick).unwrap().contains("secret"), "{tick:?}");
    assert_eq!(tick.hops.iter().map(|hop| hop.status).collect::<Vec<_>>(), [Some(302), Some(302), None]);
}

#[test]
fn an_address_too_long_to_ask_for_is_not_the_websites_fault() {
    let tick = get(first(to(302, &format!("/?{}", "x".repeat(9_000)))).url("/"));
    assert_unknown(&tick, Class::RedirectBlocked, Blame::Policy);
    let long = first(to(302, &format!("/?{}", "x".repeat(5_000))));
    assert_up(&get(long.url("/")));
}

#[test]
fn t037_a_long_address_leaves_room_for_what_happened_there() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server = Server::answering(to(302, &format!("http://{closed}/{}", "x".repeat(2_000))));
    let tick = get(server.url("/"));
    assert_down(&tick, Class::ConnectRefused);
    assert!(detail(&tick).contains("refused the connection"), "{tick:?}");
}

#[test]
fn the_body_of_a_redirect_is_not_read() {
    let endless = Server::start(|number, mut stream| {
        stream.head();
        if number > 0 {
            stream.say(OK);
            return;
        }
        stream.say("HTTP/1.1 302 F\r\nLocation: /next\r\nTransfer-Encoding: chunked\r\n\r\n");
        stream.say_for_ever("5\r\nhello\r\n");
    });
    let tick = get(endless.url("/"));
    assert_up(&tick);
    assert!(tick.total_us < 2_000_000, "{tick:?}");
}
