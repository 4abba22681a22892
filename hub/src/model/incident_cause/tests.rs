use super::super::{AccountId, Phase, Phases, WebsiteKind, WebsiteSettings};
use super::*;

fn website(url: &str) -> Website {
    Website {
        website_id: WebsiteId(uuid::Uuid::from_u128(7)),
        account_id: AccountId(uuid::Uuid::nil()),
        settings: WebsiteSettings::new(url.to_owned()),
        kind: WebsiteKind::Http,
        paused: false,
        created_at: 0,
        is_unreadable: false,
        revision: 1,
    }
}

fn seen(region: &str, class: Option<Class>, status: Option<u16>) -> Evidence {
    Evidence {
        region_id: region.parse().unwrap(),
        worker_id: "w1".parse().unwrap(),
        slot_at: 1_000_000,
        outcome: if class.is_some() { Outcome::Down } else { Outcome::Up },
        failure: class.map(|class| Failure {
            class,
            phase: Phase::Connect,
            blame: Blame::Target,
            detail: String::new(),
        }),
        status,
        phases: Phases::default(),
        total_us: 1,
        certificate: None,
        answer: None,
    }
}

fn key(url: &str, class: Class, status: Option<u16>) -> String {
    of_outage(&website(url), &[seen("a", Some(class), status), seen("b", None, Some(200))]).key
}

#[test]
fn what_a_host_fails_in_is_of_all_its_websites() {
    let host = |part: &str| format!("host:shop.example:{part}");
    for (class, part) in [
        (Class::DnsNxdomain, "dns"),
        (Class::ConnectRefused, "connect"),
        (Class::ConnectTimeout, "connect"),
        (Class::TlsExpired, "tls"),
        (Class::FirstByteTimeout, "answer"),
        (Class::EmptyReply, "answer"),
    ] {
        assert_eq!(key("https://shop.example/cart", class, None), host(part), "{class}");
        assert_eq!(key("http://SHOP.example.:8080/", class, None), host(part), "whatever scheme, port and path");
    }
    assert_eq!(key("https://shop.example/", Class::HttpStatus, Some(503)), host("answer"));
}

#[test]
fn what_concerns_one_address_is_of_one_website() {
    let own = "website:00000000-0000-0000-0000-000000000007";
    for (class, status) in [
        (Class::HttpStatus, Some(404)),
        (Class::KeywordMissing, Some(200)),
        (Class::ExpectationFailed, Some(500)),
        (Class::TooManyRedirects, None),
    ] {
        assert_eq!(key("https://shop.example/cart", class, status), own, "{class}");
    }
}

#[test]
fn what_most_regions_see_is_the_cause_whatever_their_order() {
    let mut regions = vec![
        seen("a", Some(Class::FirstByteTimeout), None),
        seen("b", Some(Class::ConnectRefused), None),
        seen("c", Some(Class::ConnectRefused), None),
        seen("d", None, Some(200)),
    ];
    for _ in 0..regions.len() {
        regions.rotate_left(1);
        let cause = of_outage(&website("https://shop.example/"), &regions);
        assert_eq!((cause.key.as_str(), cause.words.as_str()), {
            ("host:shop.example:connect", "The server refused the connection")
        });
    }
    // What a region saw long ago does not count.
    let old = Evidence { slot_at: 0, ..seen("e", Some(Class::FirstByteTimeout), None) };
    let regions = [old.clone(), Evidence { region_id: "f".parse().unwrap(), ..old }, regions.swap_remove(1)];
    assert_eq!(of_outage(&website("https://shop.example/"), &regions[..2]).key, "host:shop.example:answer");
    assert!(of_outage(&website("https://shop.example/"), &regions).words.starts_with("The server refused"));
}

#[test]
fn the_cause_is_said_in_words() {
    let at = website("https://shop.example/");
    let words = |seen: &[Evidence]| of_outage(&at, seen).words;
    assert_eq!(words(&[seen("a", Some(Class::HttpStatus), Some(503))]), "The server answered with status 503");
    assert_eq!(words(&[]), "It could not be reached");
    let regions = ["INDIA".parse().unwrap(), "USA".parse().unwrap()];
    let both = [seen("INDIA", Some(Class::ConnectTimeout), None), seen("EU", Some(Class::DnsTimeout), None)];
    let cause = of_regions(&regions, &both);
    assert_eq!(cause.key, "region:INDIA,USA");
    assert_eq!(cause.words, "Only INDIA and USA see it fail. No connection in time");
}
