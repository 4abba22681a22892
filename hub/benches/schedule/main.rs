//! The real scheduler with 10,000, 100,000 and 1,000,000 websites on a real Postgres, against a queue that leads nowhere
//! and against Redis: how late checks are, what it costs, how long a start takes, how soon an edit acts.
//!
//! `bench/schedule.sh` starts Postgres and Redis and runs it; `bench/schedule.sh 10000 100000` for some sizes only.
//! Each run is a process of its own, which is what is measured; the reader of Redis is not in it.
//!
//! Measured are the slots of some whole seconds. Which there are is computed from the phases, without the schedule; the
//! table's columns:
//!
//! - `missing`, `extra`: slots of these seconds that were not handed out within 3 s of the last second's end, and checks
//!   handed out beyond one per slot (net of each second) or before their slot, summed over the seconds; not shares.
//! - `p50`, `p99`, `max`: from a slot to the moment its check was handed out; with Redis that is the id Redis gave.
//! - `cores`, `RSS`, `writes/s`: of the hub's process during these seconds; rows in Postgres, statistics a second late.
//! - `peak`: most memory since the process began, its start included. `start`: until it publishes.
//! - `edit`, `max`: from an edit's commit to the look at once that follows from it, median and highest of 20.
//! - `load`: of the machine over the last minute: above its number of processors something waited.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a benchmark that cannot set itself up has failed"
)]

mod fill;
mod reader;
mod subject;

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use fill::Slots;
use hub::queue::Tally;
use reader::Reader;
use sqlx::Connection as _;

/// Websites, unless given.
const SIZES: [u64; 3] = [10_000, 100_000, 1_000_000];

fn main() {
    if let Ok(queue) = std::env::var("BENCH_SUBJECT") {
        return subject::run(&queue);
    }
    let given: Vec<u64> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let sizes = if given.is_empty() { SIZES.to_vec() } else { given };
    let admin = std::env::var("DATABASE_URL").expect("DATABASE_URL; bench/schedule.sh sets it");
    let redis = std::env::var("REDIS_URL").expect("REDIS_URL; bench/schedule.sh sets it");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    println!(
        "{:>8} {:>7} {:>8} {:>7} {:>5} {:>4} {:>4} {:>5} {:>5} {:>5} {:>5} {:>5} {:>8} {:>4} {:>4} {:>5}",
        "websites",
        "queue",
        "checks/s",
        "missing",
        "extra",
        "p50",
        "p99",
        "max",
        "cores",
        "RSS",
        "peak",
        "start",
        "writes/s",
        "edit",
        "max",
        "load"
    );
    println!(
        "{:>8} {:>7} {:>8} {:>7} {:>5} {:>4} {:>4} {:>5} {:>5} {:>5} {:>5} {:>5} {:>8} {:>4} {:>4}",
        "", "", "", "", "", "ms", "ms", "ms", "", "MiB", "MiB", "s", "", "ms", "ms"
    );
    for websites in sizes {
        let database = runtime.block_on(fill::database(&admin, websites));
        let slots = runtime.block_on(Slots::read(&database));
        for queue in ["nowhere", "redis"] {
            runtime.block_on(forget_claims(&database));
            println!("{websites:>8} {queue:>7} {}", measure(&database, &redis, queue, &slots));
            std::io::stdout().flush().unwrap();
        }
        runtime.block_on(fill::drop_database(&admin, &database));
    }
}

/// Each run begins as if the last one was long ago.
async fn forget_claims(database: &str) {
    let mut connection = sqlx::PgConnection::connect(database).await.unwrap();
    sqlx::query("truncate schedule_claim").execute(&mut connection).await.unwrap();
}

/// One run: the subject says what it measures and prints its figures; with Redis the lateness comes from the reader.
fn measure(database: &str, redis: &str, queue: &str, slots: &Slots) -> String {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .env("BENCH_SUBJECT", queue)
        .env("DATABASE_URL", database)
        .env("REDIS_URL", redis)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let reader = (queue == "redis").then(|| Reader::start(redis));
    let (mut seconds, mut tally, mut edits, mut figures) = (0..0, Tally::default(), Vec::new(), Vec::new());
    let numbers = |text: &str| text.split(',').map(|n| n.parse().unwrap()).collect();
    let mut load = 0.0;
    for line in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
        let mut words = line.split(' ');
        match (words.next(), words.collect::<Vec<_>>().as_slice()) {
            (Some("begin"), [from, to]) => {
                seconds = from.parse().unwrap()..to.parse().unwrap();
                if let Some(reader) = &reader {
                    reader.tally(seconds.clone());
                }
            }
            (Some("late"), [text]) => tally.late = numbers(text),
            (Some("slots"), [text]) => tally.by_second = numbers(text),
            (Some("early"), [number]) => tally.early = number.parse().unwrap(),
            (Some("end"), []) => {
                load = std::fs::read_to_string("/proc/loadavg").unwrap().split(' ').next().unwrap().parse().unwrap();
                if let Some(reader) = &reader {
                    tally = reader.tally(0..0);
                }
            }
            (Some("edit"), [id, from, to]) => {
                edits.push(((*id).to_owned(), from.parse::<i64>().unwrap(), to.parse::<i64>().unwrap()));
            }
            (Some("figures"), all) => figures = all.iter().map(|n| n.parse::<f64>().unwrap()).collect(),
            _ => eprintln!("{line}"),
        }
    }
    assert!(child.wait().unwrap().success());
    let of_redis = |id: &str| reader.as_ref().and_then(|reader| reader.first(id)).unwrap_or(0);
    let mut edits: Vec<i64> =
        edits.iter().map(|(id, from, to)| if *to > 0 { to - from } else { of_redis(id) - from }).collect();
    edits.sort_unstable();

    let expected = slots.by_second(seconds);
    let short = |(expected, found): (&u64, &u64)| expected.saturating_sub(*found);
    let missing: u64 = expected.iter().zip(&tally.by_second).map(short).sum();
    let extra = tally.by_second.iter().zip(&expected).map(short).sum::<u64>() + tally.early;
    let sum: u64 = tally.late.iter().sum();
    let at = |share: f64| {
        let mut left = (sum as f64 * share) as u64;
        tally.late.iter().position(|n| left.checked_sub(*n).map(|rest| left = rest).is_none()).unwrap_or(0)
    };
    let most = tally.late.iter().rposition(|n| *n > 0).unwrap_or(0);
    let per_s = sum as f64 / expected.len() as f64;
    let [cores, rss, peak, start_s, writes] = figures[..] else { panic!("{figures:?}") };
    let (edit, slowest) = (edits[edits.len() / 2], edits[edits.len() - 1]);
    format!(
        "{per_s:>8.0} {missing:>7} {extra:>5} {:>4} {:>4} {most:>5} {cores:>5.2} {rss:>5.0} {peak:>5.0} {start_s:>5.1} \
         {writes:>8.1} {edit:>4} {slowest:>4} {load:>5.1}",
        at(0.5),
        at(0.99)
    )
}
