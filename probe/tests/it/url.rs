//! URLs an engine must not trust: an order may be older than the rule it was saved under.

use std::net::{IpAddr, TcpListener};

use probe::wire::{Blame, Class, Outcome, Target};
use testbed::name_server::{Answer, NameServer};
use testbed::server::Server;

use crate::checks::{
    OK, asking_of, assert_unknown, assert_up, class, detail, get, knowing, owner, public, run, run_with, short,
};

#[track_caller]
fn assert_unsupported(url: &str) {
    let tick = get(url);
    assert_eq!((tick.outcome, class(&tick)), (Outcome::Unknown, Some(Class::Unsupported)), "{url}: {tick:?}");
    assert_unknown(&tick, Class::Unsupported, Blame::Probe);
    assert!(tick.remote.is_none() && tick.total_us == 0, "{url}: {tick:?}");
}

#[test]
fn t065_only_http_and_https_are_asked() {
    for url in [
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "data:text/plain,x",
        "ws://127.0.0.1/",
        "gopher://127.0.0.1/",
        "127.0.0.1",
        "//127.0.0.1/",
        "/path",
        "nonsense",
        "",
        "http:///",
        "http://",
        "https://?q",
    ] {
        assert_unsupported(url);
    }
}

#[test]
fn t066_credentials_in_a_url_are_refused_and_not_repeated() {
    let server = Server::answering(OK);
    for user in ["user:pa%20ssword@", "user@", ":password@"] {
        let url = server.url("/").replace("http://", &format!("http://{user}"));
        let tick = get(url);
        assert_unknown(&tick, Class::Unsupported, Blame::Probe);
        let text = serde_json::to_string(&tick).unwrap();
        assert!(!text.contains("ssword") && !text.contains("user@"), "{text}");
        assert!(detail(&tick).contains("credentials"), "{tick:?}");
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn t067_the_normal_form_is_what_is_asked() {
    let server = Server::answering(OK);
    let port = server.address.port();
    for (typed, asked) in [
        (format!("HTTP://A.EXAMPLE:{port}"), "/"),
        (format!("http://a.example:{port}/x/../y/./z#frag"), "/y/z"),
        (format!("http://a.example:{port}/%7euser?Q=%2F#"), "/%7euser?Q=%2F"),
        (format!("http://a.example:{port}/a b"), "/a%20b"),
        (format!(" http://a.example:{port}/\t\n"), "/"),
    ] {
        assert_up(&run_with(knowing(&[("a.example", "127.0.0.1")]), short(typed, 5_000)));
        let head = server.heads().pop().unwrap().to_ascii_lowercase();
        assert!(head.starts_with(&format!("get {} ", asked.to_ascii_lowercase())), "{head}");
        assert!(head.contains(&format!("host: a.example:{port}\r\n")), "{head}");
    }
}

#[test]
fn t068_impossible_ports_do_not_become_others() {
    for port in ["0", "65536", "65616", "-1", "8o80", "80 80", "99999999999"] {
        assert_unsupported(&format!("http://127.0.0.1:{port}/"));
    }
}

#[test]
fn t070_international_names_are_asked_for_in_their_ascii_form() {
    let names = NameServer::start(|question| Answer::address(question, IpAddr::from([127, 0, 0, 1])));
    let server = Server::answering(OK);
    let url = server.url_of("M\u{fc}nchen.example", "/");
    assert_up(&run_with(asking_of(&[&names]), short(url, 5_000)));
    assert_eq!(names.names(), ["xn--mnchen-3ya.example"]);
    assert!(server.heads()[0].to_ascii_lowercase().contains("host: xn--mnchen-3ya.example:"));
}

#[test]
fn t071_names_that_cannot_be_are_not_asked_for() {
    let names = NameServer::start(|question| Answer::address(question, IpAddr::from([127, 0, 0, 1])));
    for host in [
        "xn--a".to_owned(),
        "xn--.example".to_owned(),
        "a".repeat(64),
        vec!["a".repeat(60); 5].join("."),
        "a..b".to_owned(),
        ".a".to_owned(),
        "a b.example".to_owned(),
        "a%00b".to_owned(),
    ] {
        let tick = run_with(asking_of(&[&names]), short(format!("http://{host}/"), 2_000));
        assert!(matches!(class(&tick), Some(Class::Unsupported | Class::DnsNxdomain)), "{host}: {tick:?}");
        assert!(tick.remote.is_none());
    }
    assert_eq!(names.questions(), 0);
}

#[test]
fn t073_odd_spellings_of_loopback_are_blocked_by_policy_not_down() {
    for host in [
        "127.0.0.1",
        "2130706433",
        "0x7f.1",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "127.0.1",
        "0",
        "0x0",
        "\u{ff11}\u{ff12}\u{ff17}.0.0.1",
        "127.0.0.1.",
        "[::ffff:127.0.0.1]",
        "[::1]",
    ] {
        let tick = run_with(public(owner()), Target::get(format!("http://{host}:9/")));
        assert_eq!((tick.outcome, class(&tick)), (Outcome::Unknown, Some(Class::BlockedByPolicy)), "{host}");
        assert_eq!((tick.failure.unwrap().blame, tick.remote), (Blame::Policy, None));
    }
}

#[test]
fn t074_addresses_in_brackets_are_judged_as_what_they_hold_or_refused() {
    for host in ["[::ffff:10.0.0.1]", "[::ffff:a00:1]", "[::]", "[fe80::1]", "[::10.0.0.1]", "[64:ff9b::10.0.0.1]"] {
        let tick = run_with(public(owner()), Target::get(format!("http://{host}/")));
        assert_unknown(&tick, Class::BlockedByPolicy, Blame::Policy);
    }
    for host in ["[fe80::1%25eth0]", "[fe80::1%eth0]", "[v1.x]", "[::1", "::1]", "[]", "[127.0.0.1]", "[1:2:3]"] {
        assert_unsupported(&format!("http://{host}/"));
    }
}

#[test]
fn t076_the_longest_url_works_and_a_longer_one_is_not_asked() {
    let server = Server::answering(OK);
    let base = server.url("/?q=");
    let url = |length: usize| format!("{base}{}", "x".repeat(length - base.len()));
    assert_up(&get(url(2_048)));
    assert!(server.heads()[0].contains(&"x".repeat(2_048 - base.len())));
    assert_unsupported(&url(2_049));
    assert_eq!(server.connections(), 1);
}

#[test]
fn t077_a_query_is_sent_and_told_nowhere() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let good = Server::answering(OK);
    let bad = Server::answering("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n");
    let onward = Server::answering(crate::redirect::to(302, &bad.url("/x?token=hunter2#hunter2")));
    let garbage = Server::answering("hunter? no");
    let query = "/p?token=hunter2";
    for url in
        [good.url(query), bad.url(query), onward.url(query), garbage.url(query), format!("http://{closed}{query}")]
    {
        let tick = get(url);
        assert!(!serde_json::to_string(&tick).unwrap().contains("hunter2"), "{tick:?}");
    }
    for head in [&good.heads()[0], &bad.heads()[0]] {
        assert!(head.starts_with("GET /p?token=hunter2 HTTP/1.1\r\n"), "{head}");
    }
}

#[test]
fn t078_names_of_this_machine_and_of_metadata_are_refused_on_shared_probes() {
    let metadata: IpAddr = [169, 254, 169, 254].into();
    let names = NameServer::start(move |question| Answer::address(question, metadata));
    for host in [
        "localhost",
        "LOCALHOST",
        "localhost.",
        "a.localhost",
        "a.b.localhost.",
        "metadata.google.internal",
        "metadata.google.internal.",
    ] {
        let tick = run_with(public(asking_of(&[&names])), short(format!("http://{host}/"), 3_000));
        assert_eq!((tick.outcome, class(&tick)), (Outcome::Unknown, Some(Class::BlockedByPolicy)), "{host}: {tick:?}");
    }
    assert!(names.names().iter().all(|name| name == "metadata.google.internal"), "{:?}", names.names());
}

#[test]
fn a_url_in_another_normal_form_is_the_same_website() {
    let server = Server::answering(OK);
    let tick = run(Target::get(server.url("")));
    assert_up(&tick);
    assert_eq!(tick.hops[0].url, server.url("/"));
}
