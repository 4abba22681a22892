//! The queue against a worker whose password was stolen: what it writes to its own stream costs the hub a bounded memory,
//! and other workers nothing.

use std::time::{Duration, Instant};

use hub::queue::{Delivery, Queue};
use probe::wire::{Check, CheckKind, RegionId, Report, Target, WebsiteId, WireError};
use redis::{Connection, Value};
use testbed::measure;

use crate::services::Redis;

const THEIRS: &str = "betteruptime:tick:INDIA:a";
const OURS: &str = "betteruptime:tick:USA:b";
const MIB: usize = 1024 * 1024;

fn run<T: redis::FromRedisValue>(connection: &mut Connection, words: &[&str]) -> T {
    redis::cmd(words[0]).arg(&words[1..]).query(connection).unwrap()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn beat(connection: &mut Connection, key: &str, id: &str) {
    let body = r#"{"version":"0.1.0","started_at":1,"sent_at":1,"concurrency":1,"in_flight":0,"checks":0,"expired":0,
        "refused":0,"buffered":0,"dropped":0,"lost":0}"#;
    let mut command = redis::cmd("XADD");
    command.arg(key).arg(id).arg("v").arg("1").arg("kind").arg("heartbeat").arg("body").arg(body);
    let _: String = command.query(connection).unwrap();
}

fn stuff(connection: &mut Connection, key: &str, count: usize, bytes: usize) {
    let text = vec![b'x'; bytes];
    for _ in 0..count {
        let _: String = redis::cmd("XADD").arg(key).arg("*").arg("body").arg(&text).query(connection).unwrap();
    }
}

async fn take(queue: &Queue) -> Vec<Delivery> {
    let deliveries = queue.next_reports().await.unwrap().deliveries;
    let receipts: Vec<_> = deliveries.iter().map(|delivery| delivery.receipt.clone()).collect();
    queue.acknowledge(&receipts).await.unwrap();
    deliveries
}

/// Reads until `ready`, for at most a minute; peak memory meanwhile, in MiB above what it was before.
async fn peak_mib(queue: &Queue, mut ready: impl FnMut(Vec<Delivery>) -> bool) -> u64 {
    let before = measure::resident_kib();
    measure::forget_peak();
    let last = Instant::now() + Duration::from_secs(60);
    while !ready(take(queue).await) {
        assert!(Instant::now() < last, "not within a minute");
    }
    measure::peak_kib().saturating_sub(before) / 1024
}

#[test]
fn t233_entries_of_a_megabyte_are_put_away_without_their_content_in_bounded_memory_and_delay_nobody() {
    let redis = Redis::start();
    let mut connection = redis.connection();
    runtime().block_on(async {
        let queue = Queue::redis(&redis.url(), None, "h").unwrap();
        beat(&mut connection, THEIRS, "*");
        beat(&mut connection, OURS, "*");
        let mut beats = 0;
        peak_mib(&queue, |some| {
            beats += some.len();
            beats == 2
        })
        .await;
        stuff(&mut connection, THEIRS, 400, MIB);
        beat(&mut connection, OURS, "*");
        let (mut away, mut ours) = (0, None);
        let began = Instant::now();
        let peak = peak_mib(&queue, |some| {
            for delivery in some {
                match delivery.report {
                    Err(WireError::TooLarge { found, .. }) => {
                        assert!(found > MIB && delivery.raw.is_empty(), "{found} {}", delivery.raw.len());
                        away += 1;
                    }
                    Ok(Report::Heartbeat(_)) if delivery.region.as_str() == "USA" => ours = Some(began.elapsed()),
                    other => panic!("{other:?}"),
                }
            }
            away >= 400
        })
        .await;
        println!(
            "peak {peak} MiB above; the other worker's came after {ours:?}, all were away after {:?}",
            began.elapsed()
        );
        assert!(peak < 100, "{peak} MiB");
        assert!(ours.is_some_and(|after| after < Duration::from_secs(15)), "{ours:?}");
        assert_eq!((run::<u64>(&mut connection, &["XLEN", THEIRS]), away), (0, 400));
        // It goes on as before, and so does the worker when it is itself again.
        (0..1_200).for_each(|_| beat(&mut connection, THEIRS, "*"));
        let mut beats = 0;
        peak_mib(&queue, |some| {
            beats += some.len();
            beats == 1_200
        })
        .await;
    });
}

#[test]
fn t233_an_entry_larger_than_any_answer_is_passed_over_unread_and_is_looked_after_without_being_read() {
    let redis = Redis::start();
    let mut connection = redis.connection();
    runtime().block_on(async {
        let queue = Queue::redis(&redis.url(), None, "h").unwrap();
        stuff(&mut connection, THEIRS, 3, 150 * MIB);
        beat(&mut connection, THEIRS, "*");
        beat(&mut connection, OURS, "*");
        let (mut unread, mut beats) = (0, 0);
        let peak = peak_mib(&queue, |some| {
            for delivery in some {
                match delivery.report {
                    Ok(_) => beats += 1,
                    Err(WireError::TooLarge { .. }) => unread += 1,
                    Err(other) => panic!("{other:?}"),
                }
            }
            (unread, beats) == (3, 2)
        })
        .await;
        println!("peak {peak} MiB above");
        assert!(peak < 100, "{peak} MiB");
        assert_eq!(run::<u64>(&mut connection, &["XLEN", THEIRS]), 0);
        // Its bound is looked after, and what is first and last in it is not fetched for that.
        stuff(&mut connection, THEIRS, 2, 150 * MIB);
        (0..20).for_each(|_| beat(&mut connection, THEIRS, "*"));
        let before = measure::resident_kib();
        measure::forget_peak();
        queue.tidy(&[]).await.unwrap();
        let peak = measure::peak_kib().saturating_sub(before) / 1024;
        assert!(peak < 20, "{peak} MiB");
        assert_eq!(run::<u64>(&mut connection, &["XLEN", THEIRS]), 16, "of entries so large few may wait");
    });
}

#[test]
fn t233_a_reader_with_a_name_of_megabytes_keeps_no_other_region_from_being_looked_after() {
    let redis = Redis::start();
    let mut connection = redis.connection();
    runtime().block_on(async {
        let queue = Queue::redis(&redis.url(), None, "h").unwrap();
        let regions: Vec<RegionId> = ["INDIA", "USA"].map(|name| name.parse().unwrap()).to_vec();
        let name = "n".repeat(20 * MIB);
        for region in &regions {
            queue.ensure_region(region).await.unwrap();
            let check = Check {
                website_id: WebsiteId(uuid::Uuid::from_u128(7)),
                slot_at: 1,
                attempt: 0,
                kind: CheckKind::Scheduled,
                deadline_at: 600_000,
                published_at: 0,
                target: Target::get("https://example.com/"),
            };
            queue.publish(region, &mut vec![check]).await.unwrap();
            let key = format!("betteruptime:website:{region}");
            let reader = if region.as_str() == "INDIA" { name.as_str() } else { "w" };
            let read = ["XREADGROUP", "GROUP", region.as_str(), reader, "STREAMS", &key, ">"];
            let _: Value = run(&mut connection, &read);
            let pending: (u64, String, Value, Value) = run(&mut connection, &["XPENDING", &key, region.as_str()]);
            let mut words = vec!["XCLAIM", &key, region.as_str(), reader, "0", &pending.1, "IDLE", "99000"];
            words.extend(["RETRYCOUNT", "9", "JUSTID"]);
            let _: Value = run(&mut connection, &words);
        }
        let given_up = queue.given_up(&regions).await.unwrap();
        assert_eq!(given_up.iter().map(|g| g.region.as_str()).collect::<Vec<_>>(), ["USA"]);
        queue.tidy(&regions).await.unwrap();
    });
}

#[test]
fn t206_a_full_stream_of_tiny_ids_holds_the_time_back_no_longer_than_it_takes_to_read_what_it_had() {
    let redis = Redis::start();
    let mut connection = redis.connection();
    runtime().block_on(async {
        let queue = Queue::redis(&redis.url(), None, "h").unwrap();
        let mut written = 0_u64;
        let mut fill = |connection: &mut Connection, count: u64| {
            let mut pipe = redis::pipe();
            for n in written + 1..=written + count {
                pipe.cmd("XADD").arg(THEIRS).arg(format!("1-{n}")).arg("n").arg(n).ignore();
            }
            let _: () = pipe.query(connection).unwrap();
            written += count;
        };
        fill(&mut connection, 5_000);
        beat(&mut connection, OURS, "*");
        // It has more each time, whatever is read.
        let (mut told, mut read) = (Vec::new(), 0);
        for _ in 0..20 {
            fill(&mut connection, 2_000);
            let reports = queue.next_reports().await.unwrap();
            read += reports.deliveries.len();
            let receipts: Vec<_> = reports.deliveries.iter().map(|delivery| delivery.receipt.clone()).collect();
            queue.acknowledge(&receipts).await.unwrap();
            told.push(reports.read_until_at);
        }
        assert!(told[2..].iter().all(Option::is_some), "it always has more: {told:?}");
        let began = hub::clock::now() - 60_000;
        assert!(told.last().unwrap().unwrap() > began, "{read} were read: {told:?}");
        assert!(told[2].unwrap() < began, "at first nothing is known: {told:?}");
    });
}
