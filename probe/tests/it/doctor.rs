//! `doctor`: the real binary, against a real Redis in the states people find it in.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::redis_worker::{CHECKS, Redis, TICKS};
use testbed::measure::wait_for;

struct Report {
    code: i32,
    json: Value,
    took: Duration,
}

impl Report {
    /// (state, found, remedy) of an area, in order.
    fn area(&self, area: &str) -> Vec<(&str, &str, &str)> {
        self.json["findings"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|finding| finding["area"] == area)
            .map(|finding| {
                let text = |name: &str| finding[name].as_str().unwrap_or_default();
                (text("state"), text("found"), text("remedy"))
            })
            .collect()
    }

    /// The one thing that fails in an area.
    #[track_caller]
    fn failure(&self, area: &str) -> (&str, &str) {
        let failed: Vec<_> = self.area(area).into_iter().filter(|(state, ..)| *state == "fail").collect();
        assert_eq!(failed.len(), 1, "{}", self.json);
        assert_eq!((self.code, &self.json["ok"]), (1, &Value::Bool(false)));
        (failed[0].1, failed[0].2)
    }

    #[track_caller]
    fn assert_none_fails(&self, area: &str) {
        let found = self.area(area);
        assert!(!found.is_empty() && found.iter().all(|(state, ..)| *state != "fail"), "{}", self.json);
    }
}

fn command(url: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_betteruptime-probe"));
    command.env_clear().env("REDIS_URL", url).env("CONSUMER_GROUP_REGION_ID", "eu").env("WORKER_ID", "w");
    // Those it has by itself are far away.
    command.env("CANARIES", "off");
    command.arg("doctor").stdin(Stdio::null());
    command
}

fn doctor(url: &str) -> Report {
    let began = Instant::now();
    let output = command(url).arg("--json").output().unwrap();
    let took = began.elapsed();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!format!("{text}{:?}", output.stderr).contains("hunter2"), "{text}");
    assert!(took < Duration::from_secs(20), "{took:?}");
    Report { code: output.status.code().unwrap(), json: serde_json::from_str(&text).unwrap(), took }
}

impl Redis {
    fn url(&self, user: &str) -> String {
        format!("redis://{user}127.0.0.1:{}", self.port)
    }

    fn user(&mut self, rules: &[&str]) {
        let words = [&["ACL", "SETUSER", "p", "reset", "on", ">hunter2"], rules].concat();
        let _: String = self.run(&words);
    }

    /// Consumers of the region's group, and for how many milliseconds each has not been heard of.
    fn consumers(&mut self) -> BTreeMap<String, u64> {
        let exists: bool = self.run(&["EXISTS", CHECKS]);
        if !exists {
            return BTreeMap::new();
        }
        let consumers: Vec<BTreeMap<String, redis::Value>> = self.run(&["XINFO", "CONSUMERS", CHECKS, "eu"]);
        let field = |consumer: &BTreeMap<String, redis::Value>, name: &str| consumer[name].clone();
        consumers
            .iter()
            .map(|one| {
                let name = redis::from_redis_value(field(one, "name")).unwrap();
                (name, redis::from_redis_value(field(one, "idle")).unwrap())
            })
            .collect()
    }

    /// Everything that a look could have changed.
    fn state(&mut self) -> String {
        let keys: Vec<String> = self.run(&["KEYS", "*"]);
        let mut state = format!("{keys:?}");
        for key in &keys {
            let entries: redis::Value = self.run(&["XRANGE", key, "-", "+"]);
            state += &format!("{entries:?}");
        }
        state += &format!("{:?}", self.consumers().keys());
        let pending: redis::Value = self.run(&["XPENDING", CHECKS, "eu", "-", "+", "10"]);
        // Without the second number, which grows by itself: how long ago it was delivered.
        let redis::Value::Array(pending) = pending else { return state };
        for entry in pending {
            let redis::Value::Array(mut fields) = entry else { continue };
            fields.remove(2);
            state += &format!("{fields:?}");
        }
        state
    }
}

#[test]
fn a_redis_without_users_works_and_is_more_than_a_probe_needs() {
    let mut redis = Redis::start();
    let _: String = redis.run(&["XADD", CHECKS, "*", "v", "1"]);
    // Its own and pending: a careless look would count as one more delivery.
    let _: redis::Value = redis.run(&["XREADGROUP", "GROUP", "eu", "w", "STREAMS", CHECKS, ">"]);
    // Made and empty: a careless XADD would not be refused.
    let _: String = redis.run(&["XGROUP", "CREATE", TICKS, "hub", "0", "MKSTREAM"]);
    let before = redis.state();
    let report = doctor(&redis.url(""));
    assert_eq!(redis.state(), before, "a look changes nothing");
    for area in ["settings", "limits", "trust", "redis", "rights", "clock"] {
        report.assert_none_fails(area);
    }
    let rights = report.area("rights");
    assert_eq!(rights[0].1, "This Redis user may XREADGROUP, XAUTOCLAIM, XACK, XADD.");
    assert_eq!(rights[1].0, "warn");
    assert!(rights[1].1.contains("configuration") && rights[1].1.contains("another worker's name"), "{rights:?}");
    assert!(rights[1].2.contains("ACL SETUSER NAME"), "{rights:?}");
    assert!(report.area("redis").iter().any(|(_, found, _)| found.starts_with("It is redis 7")), "{}", report.json);
    assert!(report.area("clock")[0].1.contains("that of Redis"));
}

#[test]
fn an_acl_user_with_the_rights_of_one_probe_has_nothing_to_mend() {
    let mut redis = Redis::start();
    // As docker-compose.yml has it.
    let rules =
        ["+ping", "+hello", "+client|setname", "%RW~betteruptime:website:eu", "+xreadgroup", "+xack", "+xautoclaim"];
    redis.user(&[&rules[..], &["(-@all +xadd %W~betteruptime:tick:eu:w)"]].concat());
    let report = doctor(&redis.url("p:hunter2@"));
    for area in ["redis", "rights", "clock"] {
        assert!(report.area(area).iter().all(|(state, ..)| *state == "ok"), "{}", report.json);
    }
    assert!(report.area("clock")[0].1.starts_with("Not compared"));
    // The line that doctor itself gives.
    redis.user(&["+ping"]);
    let report = doctor(&redis.url("p:hunter2@"));
    let failed: Vec<_> = report.area("rights").into_iter().filter(|(state, ..)| *state == "fail").collect();
    assert_eq!(failed.len(), 1, "{}", report.json);
    for name in ["XREADGROUP", "XAUTOCLAIM", "XACK", "XADD"] {
        assert!(failed[0].1.contains(name), "{failed:?}");
    }
    let line = failed[0].2.split("ACL SETUSER p reset on >PASSWORD ").nth(1).unwrap();
    let (rules, selector) = line.split_once(" (").unwrap();
    let rules: Vec<&str> = rules.split(' ').collect();
    redis.user(&[&rules[..], &[format!("({selector}").as_str()]].concat());
    let report = doctor(&redis.url("p:hunter2@"));
    for area in ["redis", "rights", "clock"] {
        assert!(report.area(area).iter().all(|(state, ..)| *state == "ok"), "{}", report.json);
    }
    assert!(report.area("clock")[0].1.contains("that of Redis"), "{}", report.json);
}

#[test]
fn a_missing_right_is_named_with_its_key() {
    let mut redis = Redis::start();
    redis.user(&["+ping", "+hello", "%RW~betteruptime:website:eu", "+xreadgroup", "+xack", "+xautoclaim"]);
    let report = doctor(&redis.url("p:hunter2@"));
    let (found, remedy) = report.failure("rights");
    assert_eq!(found, "This Redis user may not: XADD betteruptime:tick:eu:w.");
    assert!(remedy.contains("+xadd %W~betteruptime:tick:eu:w"), "{remedy}");
}

#[test]
fn a_wrong_password_and_a_missing_one_are_told_apart() {
    let mut redis = Redis::start();
    redis.user(&["+@all", "~*"]);
    let report = doctor(&redis.url("p:hunter22@"));
    assert_eq!(report.failure("redis").0, "Redis refuses the user or the password.");
    let _: String = redis.run(&["CONFIG", "SET", "requirepass", "hunter2"]);
    let report = doctor(&redis.url(""));
    assert_eq!(report.failure("redis").0, "Redis asks for a password, and REDIS_URL has none.");
    report.assert_none_fails("settings");
    assert!(doctor(&redis.url(":hunter2@")).area("rights").len() >= 2);
}

#[test]
fn a_look_makes_no_consumer_and_renews_none() {
    let mut redis = Redis::start();
    doctor(&redis.url("")).assert_none_fails("rights");
    assert_eq!(redis.consumers(), BTreeMap::new());
    let _: u64 = redis.run(&["XGROUP", "CREATECONSUMER", CHECKS, "eu", "w"]);
    let idle_ms = wait_for("a consumer that is idle", Duration::from_secs(10), || {
        Some(redis.consumers()["w"]).filter(|idle_ms| *idle_ms > 500)
    });
    let began = Instant::now();
    doctor(&redis.url("")).assert_none_fails("rights");
    let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap();
    let now_ms = redis.consumers()["w"];
    // Both clocks may be off by a little, and far less than it had waited.
    assert!(now_ms + 250 > idle_ms + took_ms, "{idle_ms} ms and {took_ms} ms later {now_ms} ms");
}

#[test]
fn what_a_well_limited_user_is_refused_is_three_commands() {
    let mut redis = Redis::start();
    redis.user(&[
        "+ping",
        "+hello",
        "+time",
        "%RW~betteruptime:website:eu",
        "+xreadgroup",
        "+xautoclaim",
        "+xack",
        "(+xadd %W~betteruptime:tick:eu:w)",
    ]);
    doctor(&redis.url("p:hunter2@")).assert_none_fails("rights");
    let log: Vec<BTreeMap<String, redis::Value>> = redis.run(&["ACL", "LOG"]);
    let mut refused: Vec<String> =
        log.iter().map(|entry| redis::from_redis_value(entry["object"].clone()).unwrap()).collect();
    refused.sort();
    assert_eq!(refused, ["betteruptime:tick:doctor:doctor", "config|get", "exists"]);
}

#[test]
fn a_region_without_a_group_waits_for_its_hub() {
    let mut redis = Redis::start();
    let _: u64 = redis.run(&["DEL", CHECKS]);
    let report = doctor(&redis.url(""));
    report.assert_none_fails("rights");
    let rights = report.area("rights");
    assert!(rights.iter().any(|(state, found, _)| *state == "warn" && found.contains("not opened region eu")));
    let keys: Vec<String> = redis.run(&["KEYS", "*"]);
    assert!(keys.is_empty(), "{keys:?}");
    // Something else lives there.
    let _: String = redis.run(&["SET", CHECKS, "1"]);
    let report = doctor(&redis.url(""));
    let failed: Vec<_> = report.area("rights").into_iter().filter(|(state, ..)| *state == "fail").collect();
    assert!(failed.iter().all(|(_, found, _)| found.contains("WRONGTYPE")) && !failed.is_empty(), "{failed:?}");
}

#[test]
fn a_closed_port_a_silent_one_and_one_that_is_not_redis_are_told_apart() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let report = doctor(&format!("redis://:hunter2@{closed}"));
    assert!(report.failure("redis").0.contains("nothing listens there"));
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    for scheme in ["redis", "rediss"] {
        let report = doctor(&format!("{scheme}://:hunter2@{}", silent.local_addr().unwrap()));
        assert!(report.failure("redis").0.contains("says nothing"), "{}", report.json);
        assert!(report.took < Duration::from_secs(15), "{:?}", report.took);
    }
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in other.incoming() {
            let _ = stream.unwrap().write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let report = doctor(&format!("redis://:hunter2@{address}"));
    assert!(report.failure("redis").0.contains("not understood"), "{}", report.json);
    let report = doctor(&format!("rediss://:hunter2@{address}"));
    assert!(report.failure("redis").0.starts_with("TLS fails"), "{}", report.json);
}

#[test]
fn a_port_that_swallows_everything_is_told_within_15_s() {
    // Full, with nobody who accepts: the kernel drops what comes, as a firewall does.
    let full = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = full.local_addr().unwrap();
    let mut held = Vec::new();
    while let Ok(stream) = std::net::TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
        held.push(stream);
        assert!(held.len() < 10_000);
    }
    let report = doctor(&format!("redis://:hunter2@{address}"));
    assert!(report.failure("redis").0.contains("does not answer"), "{}", report.json);
    assert!(report.took < Duration::from_secs(15), "{:?}", report.took);
}

#[test]
fn unusable_settings_are_all_told_and_the_machine_is_looked_at_all_the_same() {
    let output = command("http://:hunter2@h").env("CONCURRENCY", "0").arg("--json").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains("hunter2"), "{text}");
    let report = Report { code: 2, json: serde_json::from_str(&text).unwrap(), took: Duration::ZERO };
    let problems = report.area("settings");
    assert_eq!(problems.len(), 2, "{text}");
    assert!(problems.iter().all(|(state, _, remedy)| *state == "fail" && !remedy.is_empty()));
    assert!(!report.area("limits").is_empty() && report.area("redis").is_empty());
}

#[test]
fn the_text_fits_80_columns_and_is_plain_where_nobody_looks() {
    let redis = Redis::start();
    let output = command(&redis.url("")).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.is_ascii() && !text.contains('\x1b'), "{text}");
    for line in text.lines() {
        assert!(line.len() <= 80, "{line}");
    }
    assert!(text.starts_with("ok    settings  Region eu, worker w, 50 checks at once"), "{text}");
    assert!(text.contains("\nwarn  rights    This Redis user may do more"), "{text}");
    let words = command(&redis.url("")).arg("now").output().unwrap();
    assert_eq!(words.status.code(), Some(2));
}
