//! Scripted name servers.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use probe::engine::{Engine, EngineConfig, ResolverConfig};
use probe::wire::{Blame, Class, Tick};
use testbed::measure::{threads, wait_for};
use testbed::name_server::{Answer, Kind, NXDOMAIN, NameServer, Over, Question, Record, SERVFAIL};
use testbed::server::Server;
use testbed::{namespace, test_name};

use crate::checks::{OK, asking_of, assert_down, assert_up, blame, check, owner, run_on, run_with, short};

const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// An A record of 127.0.0.1 as it is in a message, and the same broken off.
const BROKEN: [u8; 9] = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0];

fn ask(servers: &[&NameServer], url: &str) -> Tick {
    run_with(asking_of(servers), short(url, 4_000))
}

/// A name that has an IPv4 address only.
fn v4_only(question: &Question) -> Answer {
    Answer::address(question, HERE)
}

/// The same to both families; the root is known or silent.
fn ask_of_one(root: bool, said: Answer) -> Tick {
    let server = NameServer::udp_only(move |question| match (question.name.as_str(), root) {
        ("", true) => Answer::Records(Vec::new()),
        ("", false) => Answer::Silence,
        (_, _) => said.clone(),
    });
    ask(&[&server], "http://a.example/")
}

fn website() -> (Server, String) {
    let server = Server::answering(OK);
    let url = server.url_of("a.example", "/");
    (server, url)
}

#[test]
fn an_address_is_resolved_and_timed() {
    let (_website, url) = website();
    let server = NameServer::start(v4_only);
    let tick = ask(&[&server], &url);
    assert_up(&tick);
    assert!(tick.phases.dns_us.is_some());
    assert_eq!(server.names(), ["a.example"]);
}

#[test]
fn aliases_are_followed_and_those_that_lead_nowhere_end() {
    let (_website, url) = website();
    let chain = |length: usize, then: Option<Record>| {
        let mut records: Vec<Record> = (1..=length).map(|i| Record::Cname(format!("n{i}.example"), 60)).collect();
        records.extend(then);
        records
    };
    let server = NameServer::start(move |question| match question.kind {
        Kind::A => Answer::Records(chain(3, Some(Record::A(HERE, 60)))),
        Kind::Aaaa | Kind::Ns | Kind::Other(_) => Answer::Records(chain(3, None)),
    });
    assert_up(&ask(&[&server], &url));
    for dead_end in [chain(1, None), vec![Record::Cname("a.example".into(), 60)], chain(200, Some(Record::A(HERE, 60)))]
    {
        let server = NameServer::start(move |question| match question.name.as_str() {
            "" => Answer::Records(Vec::new()),
            _ => Answer::Records(dead_end.clone()),
        });
        let tick = ask(&[&server], "http://a.example/");
        assert_eq!(tick.failure.as_ref().map(|f| f.blame), Some(Blame::Target), "{tick:?}");
        assert!(tick.remote.is_none());
    }
}

#[test]
fn t056_a_silent_name_server_is_a_dns_timeout_and_the_probes_trouble() {
    let tick = ask_of_one(false, Answer::Silence);
    assert_eq!(blame(&tick), Some((Class::DnsTimeout, Blame::Probe)));
    // Three seconds, of the four the check has.
    assert!(tick.total_us < 3_800_000, "{tick:?}");
}

#[test]
fn t056_two_hundred_silent_look_ups_leave_no_thread_behind() {
    let server = NameServer::start(|_| Answer::Silence);
    let engine = Engine::new(asking_of(&[&server])).unwrap();
    let before = threads();
    let most = std::thread::scope(|scope| {
        let checks: Vec<_> = (0..200)
            .map(|i| {
                let engine = &engine;
                // Not to its half second over the budget: two hundred threads wait for a processor here.
                scope.spawn(move || engine.run(&check(short(format!("http://n{i}.example/"), 1_000))))
            })
            .collect();
        let mut most = 0;
        while checks.iter().any(|check| !check.is_finished()) {
            most = most.max(threads());
            std::thread::sleep(Duration::from_millis(10));
        }
        for check in checks {
            assert_eq!(blame(&check.join().unwrap()), Some((Class::DnsTimeout, Blame::Probe)));
        }
        most
    });
    // The checks' own, and those of the name server, which are short.
    assert!(most <= before + 200 + 64, "{most} threads, {before} before");
    wait_for("the threads to end", Duration::from_secs(5), || (threads() <= before).then_some(()));
}

#[test]
fn t057_nxdomain_and_servfail_are_told_apart_and_a_lost_resolver_is_nobodys_outage() {
    assert_down(&ask_of_one(true, Answer::Rcode(NXDOMAIN)), Class::DnsNxdomain);
    assert_down(&ask_of_one(true, Answer::Rcode(SERVFAIL)), Class::DnsServfail);
    assert_eq!(blame(&ask_of_one(false, Answer::Rcode(SERVFAIL))), Some((Class::DnsServfail, Blame::Probe)));
    assert_down(&ask_of_one(true, Answer::Records(Vec::new())), Class::DnsNoAddress);
}

#[test]
fn t057_a_name_without_one_family_has_the_other_even_where_its_server_says_nxdomain() {
    let (_website, url) = website();
    let server = NameServer::start(|question| match question.kind {
        // Later than the wait that is only a preference.
        Kind::A => Answer::Later(Duration::from_millis(100), Box::new(v4_only(question))),
        Kind::Aaaa => Answer::Rcode(NXDOMAIN),
        Kind::Ns | Kind::Other(_) => Answer::Records(Vec::new()),
    });
    assert_up(&ask(&[&server], &url));
    let half = NameServer::start(|question| match question.kind {
        Kind::Aaaa => Answer::Rcode(NXDOMAIN),
        Kind::A | Kind::Ns | Kind::Other(_) => Answer::Silence,
    });
    let tick = ask(&[&half], &url);
    assert_down(&tick, Class::DnsNxdomain);
    assert!(tick.total_us < 1_000_000, "{tick:?}");
}

#[test]
fn t059_search_domains_are_not_used() {
    namespace::run(test_name!(), |network| {
        network
            .replace_file("/etc/resolv.conf", "search corp.example example\noptions ndots:5\nnameserver 127.0.0.1\n");
        let server = NameServer::at(SocketAddr::from((HERE, 53)), |question| match question.name.as_str() {
            "" => Answer::Records(Vec::new()),
            name if name.contains("example") => Answer::address(question, HERE),
            _ => Answer::Rcode(NXDOMAIN),
        });
        let config = EngineConfig { resolver: ResolverConfig::System, ..owner() };
        let tick = run_with(config, short("http://intranet/", 4_000));
        assert_down(&tick, Class::DnsNxdomain);
        assert!(server.names().iter().all(|name| name == "intranet" || name.is_empty()), "{:?}", server.names());
    });
}

#[test]
fn t060_each_check_resolves_afresh_and_tells_the_address_it_used() {
    let website = Server::at(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)), None, |_, mut stream| {
        stream.head();
        stream.say(OK);
    });
    let server = NameServer::start(|question| match question.kind {
        Kind::A => {
            let last = u8::try_from(question.before + 1).unwrap();
            Answer::Records(vec![Record::A(Ipv4Addr::new(127, 0, 0, last), 0)])
        }
        Kind::Aaaa | Kind::Ns | Kind::Other(_) => Answer::Records(Vec::new()),
    });
    let engine = Engine::new(asking_of(&[&server])).unwrap();
    for last in 1..=3 {
        let tick = run_on(&engine, short(website.url_of("a.example", "/"), 4_000));
        assert_up(&tick);
        assert_eq!(tick.remote.map(|remote| remote.ip()), Some(IpAddr::from([127, 0, 0, last])));
    }
    assert_eq!(server.asked_for("a.example", Kind::A), 3);
}

#[test]
fn an_answer_too_long_for_a_datagram_is_asked_for_over_tcp() {
    let (_website, url) = website();
    let server = NameServer::start(|question| match question.over {
        Over::Udp => Answer::Truncated(Vec::new()),
        Over::Tcp => v4_only(question),
    });
    assert_up(&ask(&[&server], &url));
}

#[test]
fn an_answer_too_long_for_a_server_without_tcp_still_gives_what_fits() {
    let (_website, url) = website();
    let server = NameServer::udp_only(|question| match question.kind {
        Kind::A => Answer::Truncated(vec![Record::A(HERE, 60)]),
        Kind::Aaaa | Kind::Ns | Kind::Other(_) => Answer::Records(Vec::new()),
    });
    assert_up(&ask(&[&server], &url));
}

#[test]
fn an_answer_that_cannot_be_had_is_the_names_trouble_only_if_its_server_knows_the_root() {
    for said in [Answer::Truncated(Vec::new()), Answer::Garbage(BROKEN.to_vec())] {
        assert_eq!(blame(&ask_of_one(true, said.clone())), Some((Class::DnsProtocol, Blame::Target)));
        assert_eq!(blame(&ask_of_one(false, said)), Some((Class::DnsProtocol, Blame::Probe)));
    }
}

#[test]
fn noise_is_not_believed() {
    for noise in [Vec::new(), vec![0; 3], vec![0xff; 600], b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()] {
        let tick = ask_of_one(false, Answer::Raw(noise));
        assert_eq!(blame(&tick), Some((Class::DnsTimeout, Blame::Probe)));
    }
}

#[test]
fn a_server_that_hangs_over_tcp_leaves_time_for_the_next() {
    let (_website, url) = website();
    let hangs = NameServer::start(|question| match question.over {
        Over::Udp => Answer::Truncated(Vec::new()),
        Over::Tcp => Answer::Silence,
    });
    let next = NameServer::start(v4_only);
    assert_up(&ask(&[&hangs, &next], &url));
}

#[test]
fn t098_one_check_asks_few_questions_whatever_the_name() {
    // Two families and the root, twice around.
    let limit = 6;
    let silent = NameServer::start(|_| Answer::Silence);
    let labels: Vec<String> = (0..40).map(|i| format!("data{i}")).collect();
    let long = format!("http://{}.example/", labels.join("."));
    ask(&[&silent], &long);
    assert!(silent.questions() <= limit, "{} questions", silent.questions());
    // Aliases are followed in the answer, not by questions of ours.
    let aliases = NameServer::start(|question| Answer::Records(vec![Record::Cname(format!("x{}", question.name), 0)]));
    ask(&[&aliases], "http://a.example/");
    assert!(aliases.questions() <= limit, "{:?}", aliases.names());
    // A name that cannot be is not asked for at all.
    let asked = NameServer::start(v4_only);
    let over_long = vec!["a".repeat(60); 5].join(".");
    let tick = ask(&[&asked], &format!("http://{over_long}/"));
    assert!(tick.failure.is_some());
    assert_eq!(asked.questions(), 0);
}

#[test]
fn t098_redirects_to_ever_new_names_are_limited() {
    let server = Server::start(|number, mut stream| {
        stream.head();
        let port = stream.socket().local_addr().unwrap().port();
        let place = format!("http://data{number}.tenant.example:{port}/");
        stream.say(crate::redirect::to(302, &place));
    });
    let names = NameServer::start(v4_only);
    let tick = ask(&[&names], &server.url_of("a.example", "/"));
    assert_down(&tick, Class::TooManyRedirects);
    assert_eq!(names.names().len(), 6, "{:?}", names.names());
}
