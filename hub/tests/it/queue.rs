//! The queue alone, on a real Redis: bounds, ids that are ahead, checks nobody survives, keys of workers that are gone.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use hub::model::{NetworkState, Region, Worker};
use hub::queue::Queue;
use probe::wire::{Check, CheckKind, DeadReason, RegionId, Target, WebsiteId};
use redis::{Connection, Value};
use testbed::pki::{Authority, pem};

use crate::services::{Redis, free_port};

const CHECKS: &str = "betteruptime:website:INDIA";
const TICKS: &str = "betteruptime:tick:INDIA:a";
const HIGHEST: &str = "18446744073709551615-18446744073709551615";

fn region() -> RegionId {
    "INDIA".parse().unwrap()
}

fn run<T: redis::FromRedisValue>(connection: &mut Connection, words: &[&str]) -> T {
    redis::cmd(words[0]).arg(&words[1..]).query(connection).unwrap()
}

fn check(slot_at: i64) -> Check {
    Check {
        website_id: WebsiteId(uuid::Uuid::from_u128(7)),
        slot_at,
        attempt: 0,
        kind: CheckKind::Scheduled,
        deadline_at: 600_000,
        published_at: 0,
        target: Target::get("https://example.com/"),
    }
}

fn beat(connection: &mut Connection, id: &str) -> Result<String, redis::RedisError> {
    let body = r#"{"version":"0.1.0","started_at":1,"sent_at":1,"concurrency":1,"in_flight":0,"checks":0,"expired":0,
        "refused":0,"buffered":0,"dropped":0,"lost":0}"#;
    let mut command = redis::cmd("XADD");
    command.arg(TICKS).arg(id).arg("v").arg("1").arg("kind").arg("heartbeat").arg("body").arg(body);
    command.query(connection)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Reads and acknowledges what there is: the first rounds look at what this hub was given before.
async fn take_in(queue: &Queue) -> usize {
    for _ in 0..12 {
        let deliveries = queue.next_reports().await.unwrap().deliveries;
        let receipts: Vec<_> = deliveries.iter().map(|delivery| delivery.receipt.clone()).collect();
        queue.acknowledge(&receipts).await.unwrap();
        if !deliveries.is_empty() {
            return deliveries.len();
        }
    }
    0
}

#[test]
fn t164_checks_their_workers_did_not_survive_are_given_up_with_their_reason_and_no_other() {
    let redis = Redis::start();
    let mut connection = redis.connection();
    runtime().block_on(async {
        let queue = Queue::redis(&redis.url(), None, "h").unwrap();
        queue.ensure_region(&region()).await.unwrap();
        let mut checks: Vec<Check> = (1..=4).map(check).collect();
        queue.publish(&region(), &mut checks).await.unwrap();
        let _: Value = run(&mut connection, &["XREADGROUP", "GROUP", "INDIA", "w", "STREAMS", CHECKS, ">"]);
        let pending: Vec<(String, String, u64, u64)> =
            run(&mut connection, &["XPENDING", CHECKS, "INDIA", "-", "+", "9"]);
        // Deliveries and idle time: the third is still somebody's, the fourth kills whoever is started again.
        for ((id, ..), (deliveries, idle)) in
            pending.iter().zip([("3", "31000"), ("2", "99000"), ("3", "1000"), ("10", "0")])
        {
            let mut words = vec!["XCLAIM", CHECKS, "INDIA", "w", "0", id, "IDLE", idle];
            words.extend(["RETRYCOUNT", deliveries, "JUSTID"]);
            let _: Value = run(&mut connection, &words);
        }
        let given_up = queue.given_up(&[region(), "USA".parse().unwrap()]).await.unwrap();
        let ids: Vec<&str> = given_up.iter().map(|g| g.letter.entry_id.as_str()).collect();
        assert_eq!(ids, [pending[0].0.as_str(), pending[3].0.as_str()]);
        let letter = &given_up[0].letter;
        assert_eq!((letter.reason, letter.website_id), (DeadReason::MaxDeliveries, Some(check(1).website_id)));
        assert!(letter.detail.contains("3 times") && letter.detail.ends_with("the last was w."), "{letter:?}");
        queue.give_up(&given_up).await.unwrap();
        queue.give_up(&given_up).await.unwrap();
        let left: Vec<(String, String, u64, u64)> = run(&mut connection, &["XPENDING", CHECKS, "INDIA", "-", "+", "9"]);
        assert_eq!(left.len(), 2);
        assert!(queue.given_up(&[region()]).await.unwrap().is_empty());
    });
}

#[test]
fn what_a_call_that_was_given_up_is_given_later_is_found_within_seconds() {
    let redis = Redis::start();
    let mut connection = redis.connection();
    runtime().block_on(async {
        let queue = Queue::redis(&redis.url(), None, "h").unwrap();
        beat(&mut connection, "*").unwrap();
        assert_eq!(take_in(&queue).await, 1);
        let consumers: Vec<HashMap<String, Value>> = run(&mut connection, &["XINFO", "CONSUMERS", TICKS, "hub"]);
        let consumer: String = redis::from_redis_value_ref(&consumers[0]["name"]).unwrap();
        let _: Value = run(&mut connection, &["CLIENT", "KILL", "SKIPME", "yes"]);
        while queue.ensure_region(&region()).await.is_err() {}
        beat(&mut connection, "*").unwrap();
        let again = loop {
            match queue.next_reports().await {
                Ok(reports) if reports.deliveries.is_empty() => {}
                Ok(reports) => break reports.deliveries,
                Err(_) => {} // its own connections were cut, too
            }
        };
        // What it was given before was read again by now.
        queue.acknowledge(&[again[0].receipt.clone()]).await.unwrap();
        // The call of the connection that is gone, done by a Redis that stood still until now.
        beat(&mut connection, "*").unwrap();
        let late = ["XREADGROUP", "GROUP", "hub", &consumer, "COUNT", "1", "STREAMS", TICKS, ">"];
        let _: Value = run(&mut connection, &late);
        let begun = Instant::now();
        while take_in(&queue).await == 0 {
            assert!(begun.elapsed() < Duration::from_secs(20), "it waits to be claimed, for a minute or two");
        }
    });
}

#[test]
fn t233_a_workers_stream_has_a_bound_and_the_youngest_stay() {
    let redis = Redis::start();
    let mut connection = redis.connection();
    runtime().block_on(async {
        let queue = Queue::redis(&redis.url(), None, "h").unwrap();
        beat(&mut connection, "*").unwrap();
        assert_eq!(take_in(&queue).await, 1);
        for _ in 0..101 {
            let mut pipe = redis::pipe();
            for n in 0..1_000 {
                pipe.cmd("XADD").arg(TICKS).arg("*").arg("n").arg(n).ignore();
            }
            let _: () = pipe.query(&mut connection).unwrap();
        }
        queue.tidy(&[region()]).await.unwrap();
        assert_eq!(run::<u64>(&mut connection, &["XLEN", TICKS]), 100_000);
    });
}

#[test]
fn t204_a_stream_that_somebody_bricked_is_read_and_made_anew() {
    let redis = Redis::start();
    let mut connection = redis.connection();
    runtime().block_on(async {
        let queue = Queue::redis(&redis.url(), None, "h").unwrap();
        beat(&mut connection, "*").unwrap();
        assert_eq!(take_in(&queue).await, 1);
        beat(&mut connection, HIGHEST).unwrap();
        assert!(beat(&mut connection, "*").is_err(), "nobody can write any more");
        queue.tidy(&[region()]).await.unwrap();
        assert!(beat(&mut connection, "*").is_err(), "what is in it is read first");
        assert_eq!(take_in(&queue).await, 1);
        // The hub looks at it every ten seconds.
        let last = Instant::now() + Duration::from_secs(20);
        while beat(&mut connection, "*").is_err() {
            assert!(Instant::now() < last, "it can be written again");
            tokio::time::sleep(Duration::from_millis(200)).await;
            queue.tidy(&[region()]).await.unwrap();
        }
        assert_eq!(take_in(&queue).await, 1, "and is read");
    });
}

#[test]
fn t204_a_bricked_stream_of_checks_is_made_anew_with_the_checks_that_wait() {
    let redis = Redis::start();
    let mut connection = redis.connection();
    runtime().block_on(async {
        let queue = Queue::redis(&redis.url(), None, "h").unwrap();
        queue.ensure_region(&region()).await.unwrap();
        let mut checks: Vec<Check> = (1..=3).map(check).collect();
        queue.publish(&region(), &mut checks).await.unwrap();
        // One is at work, two wait.
        let read = ["XREADGROUP", "GROUP", "INDIA", "w", "COUNT", "1", "STREAMS", CHECKS, ">"];
        let _: Value = run(&mut connection, &read);
        let _: String = run(&mut connection, &["XADD", CHECKS, HIGHEST, "v", "1"]);
        let mut more = vec![check(4)];
        assert!(queue.publish(&region(), &mut more).await.is_err());
        queue.tidy(&[region()]).await.unwrap();
        queue.publish(&region(), &mut more).await.expect("it can be written again");
        // Two that waited, what bricked it, and the new one.
        let info: Vec<std::collections::HashMap<String, Value>> = run(&mut connection, &["XINFO", "GROUPS", CHECKS]);
        assert_eq!((info.len(), run::<u64>(&mut connection, &["XLEN", CHECKS])), (1, 4));
        assert_eq!(queue.waiting(&region()).await.unwrap(), 4);
    });
}

#[test]
fn t238_streams_of_workers_that_are_gone_for_a_week_are_deleted_once_they_are_read() {
    let redis = Redis::start();
    let mut connection = redis.connection();
    runtime().block_on(async {
        let queue = Queue::redis(&redis.url(), None, "h").unwrap();
        queue.ensure_region(&region()).await.unwrap();
        let mut checks = vec![check(1)];
        queue.publish(&region(), &mut checks).await.unwrap();
        beat(&mut connection, "*").unwrap();
        let now = hub::clock::now();
        let worker = Worker {
            worker_id: "a".parse().unwrap(),
            seen_at: now,
            version: String::new(),
            concurrency: 1,
            checks: 0,
            clock_offset_ms: 0,
            network: NetworkState::Works,
            excused: 0,
            load: hub::model::region::Load::default(),
        };
        let regions = [Region { region_id: region(), created_at: now, workers: vec![worker] }];
        let keys = |connection: &mut Connection| {
            let mut keys: Vec<String> = run(connection, &["KEYS", "*"]);
            keys.sort();
            keys
        };
        queue.retire(&regions, now + 6 * 86_400_000).await.unwrap();
        assert_eq!(keys(&mut connection), [TICKS, CHECKS], "a week has not passed");
        queue.retire(&regions, now + 8 * 86_400_000).await.unwrap();
        assert_eq!(keys(&mut connection), [TICKS], "what it wrote was not read yet");
        assert_eq!(take_in(&queue).await, 1);
        queue.retire(&regions, now + 8 * 86_400_000).await.unwrap();
        assert_eq!(keys(&mut connection), Vec::<String>::new());
        // It comes back one day.
        beat(&mut connection, "*").unwrap();
        assert_eq!(take_in(&queue).await, 1);
    });
}

#[test]
fn t235_the_hub_needs_the_right_authority_and_the_right_name() {
    let (ours, theirs) = (Authority::root("ours"), Authority::root("theirs"));
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (chain, key) = ours.issue(&["localhost"]).pem();
    let (chain, key) = (file("chain.pem", &chain), file("key.pem", &key));
    let right = file("right.pem", &pem("CERTIFICATE", &ours.der()));
    let wrong = file("wrong.pem", &pem("CERTIFICATE", &theirs.der()));
    let port = free_port().to_string();
    let mut arguments = vec!["--tls-port", &port, "--tls-cert-file", &chain, "--tls-key-file", &key];
    arguments.extend(["--tls-ca-cert-file", &right, "--tls-auth-clients", "no"]);
    let _redis = Redis::start_with(&arguments);
    runtime().block_on(async {
        let good = format!("rediss://localhost:{port}");
        let by_address = format!("rediss://127.0.0.1:{port}");
        let plain = format!("redis://localhost:{port}");
        for (url, ca_file, said) in [
            (&good, Some(wrong.as_str()), "UnknownIssuer"),
            (&good, None, "UnknownIssuer"),
            (&by_address, Some(&right), "not valid for name"),
            (&plain, Some(&right), ""),
        ] {
            let queue = Queue::redis(url, ca_file, "h").unwrap();
            let error = queue.ensure_region(&region()).await.unwrap_err().to_string();
            assert!(error.contains(said), "{url} {ca_file:?}: {error}");
        }
        let queue = Queue::redis(&good, Some(&right), "h").unwrap();
        queue.ensure_region(&region()).await.unwrap();
        assert!(Queue::redis(&good, Some("/nowhere.pem"), "h").is_err());
    });
}
