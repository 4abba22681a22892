//! Pages from memory: a crowd costs the database little, and while it is away people are shown what was there before.

use std::time::{Duration, Instant};

use serde_json::json;
use testbed::fault_proxy::{Fault, FaultProxy};

use super::{Told, ask, one, runtime};
use crate::process::KEY;
use crate::services::{database, free_port, wait_until};

/// Series of the hub's metrics whose lines begin so, added up.
fn sum(metrics: &str, name: &str) -> f64 {
    let answer = ask(metrics.parse().unwrap(), "GET", metrics, "/metrics", "", "");
    let text = answer.text();
    text.lines()
        .filter(|line| line.starts_with(name))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}

#[test]
fn a_crowd_is_answered_without_asking_the_database() {
    let directory = tempfile::tempdir().unwrap();
    let metrics = format!("127.0.0.1:{}", free_port());
    let told = Told::start(directory.path(), &[("METRICS_LISTEN", &metrics)]);
    let website = told.add_website("https://a.example.com/");
    let page = told.add_page(json!({"name": "Acme", "slug": "acme", "sections": one(&website, "A")}));
    assert_eq!(told.get("/s/acme").status, 200);
    let asked = || sum(&metrics, "betteruptime_front_cache_total{from=\"application\"}");
    let kept = || sum(&metrics, "betteruptime_front_cache_total{from=\"kept\"}");
    let (before, kept_before) = (asked(), kept());
    for _ in 0..50 {
        let answer = told.get("/s/acme");
        assert!(answer.status == 200 && answer.field("age").parse::<u32>().unwrap() <= 10, "{}", answer.head);
    }
    // A machine that stood still for ten seconds asks once more.
    assert!(asked() - before <= 3.0 && kept() - kept_before >= 47.0, "{before} {} {kept_before} {}", asked(), kept());
    // What changes is seen within fifteen seconds.
    let began = Instant::now();
    assert_eq!(told.api("PATCH", &format!("/status-pages/{page}"), Some(&json!({"about": "We moved."}))).0, 200);
    wait_until("a change to be seen", Duration::from_secs(16), || told.get("/s/acme").text().contains("We moved."));
    assert!(began.elapsed() < Duration::from_secs(16));
}

#[test]
fn while_the_database_is_away_a_page_is_as_it_was_and_says_so() {
    let (runtime, directory) = (runtime(), tempfile::tempdir().unwrap());
    let url = url::Url::parse(&runtime.block_on(database())).unwrap();
    let proxy = FaultProxy::start(([127, 0, 0, 1], url.port().unwrap()).into());
    let mut through = url.clone();
    through.set_port(Some(proxy.address.port())).unwrap();
    let told = Told::start(directory.path(), &[("DATABASE_URL", through.as_str()), ("JWT_SECRET_KEY", KEY)]);
    let website = told.add_website("https://a.example.com/");
    let page = json!({"name": "Acme", "slug": "acme", "domain": "status.example.com", "sections": one(&website, "A")});
    told.add_page(page);
    told.add_page(json!({"name": "Ours", "slug": "ours", "access": "password", "password": "open sesame"}));
    let at_host = || ask(told.hub.address, "GET", "status.example.com", "/", "", "");
    wait_until("the host to be known", Duration::from_secs(8), || at_host().status == 200);
    let before = told.get("/s/acme");
    assert!(before.status == 200 && !before.text().contains("Newer data cannot be read"), "{}", before.text());
    assert_eq!(told.get("/s/ours").status, 200);

    proxy.set(Fault::BlackHole);
    let frozen = Instant::now();
    let mut is_told = false;
    // For longer than the front keeps anything by itself.
    while frozen.elapsed() < Duration::from_secs(95) {
        let began = Instant::now();
        for answer in [told.get("/s/acme"), at_host()] {
            assert!(
                answer.status == 200 && answer.text().contains("As of <time"),
                "{}: {}",
                answer.head,
                answer.text()
            );
            is_told |= answer.text().contains("Newer data cannot be read");
        }
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        // Who may see it is known as well.
        let locked = told.get("/s/ours");
        assert!(locked.status == 200 && locked.text().contains("type=\"password\""), "{}", locked.text());
        std::thread::sleep(Duration::from_secs(2));
    }
    assert!(is_told, "people are told that it is old");
    // Of what nobody has seen nothing can be said.
    assert_eq!(told.get("/s/unseen").status, 503);
    proxy.set(Fault::Pass);
    wait_until("the page to be new again", Duration::from_secs(40), || {
        !told.get("/s/acme").text().contains("Newer data cannot be read")
    });
}
