//! The real scheduler with 10,000, 100,000 and 1,000,000 websites on a real Postgres, against a queue that leads nowhere
//! and against Redis: how late checks are, what it costs, how long a start takes, how soon an edit acts.
//!
//! `bench/schedule.sh` starts Postgres and Redis and runs it; `bench/schedule.sh 10000 100000` for some sizes only.
//! Each run is a process of its own, which is what is measured; the reader of Redis is not in it.

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

use reader::Reader;

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
        "{:>9} {:>7} {:>9} {:>7} {:>7} {:>7} {:>8} {:>8} {:>8} {:>8} {:>8} {:>9} {:>8}",
        "websites",
        "queue",
        "checks/s",
        "p50 ms",
        "p99 ms",
        "max ms",
        "missing",
        "cores",
        "RSS MiB",
        "peak",
        "start s",
        "writes/s",
        "edit ms"
    );
    for websites in sizes {
        let database = runtime.block_on(fill::database(&admin, websites));
        for queue in ["nowhere", "redis"] {
            let line = measure(&database, &redis, queue);
            println!("{websites:>9} {queue:>7} {line}");
            std::io::stdout().flush().unwrap();
        }
        runtime.block_on(fill::drop_database(&admin, &database));
    }
}

/// One run: the subject says when it measures and prints its figures; with Redis the lateness comes from the reader.
fn measure(database: &str, redis: &str, queue: &str) -> String {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .env("BENCH_SUBJECT", queue)
        .env("DATABASE_URL", database)
        .env("REDIS_URL", redis)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut reader = (queue == "redis").then(|| Reader::start(redis));
    let (mut late, mut figures) = (Vec::new(), String::new());
    for line in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
        match line.split_once(' ').unwrap_or((&line, "")) {
            ("begin", _) => {
                if let Some(reader) = &reader {
                    reader.late();
                }
            }
            ("late", text) => late = text.split(',').map(|n| n.parse().unwrap()).collect(),
            ("end", _) => {
                if let Some(reader) = reader.take() {
                    late = reader.late();
                }
            }
            ("figures", text) => text.clone_into(&mut figures),
            _ => eprintln!("{line}"),
        }
    }
    assert!(child.wait().unwrap().success());
    let mut figures: Vec<f64> = figures.split(' ').map(|n| n.parse().unwrap()).collect();
    let (seconds, expected_per_s) = (figures.remove(0), figures.remove(0));
    let sum: u64 = late.iter().sum();
    let at = |share: f64| {
        let mut left = (sum as f64 * share) as u64;
        late.iter().position(|n| left.checked_sub(*n).map(|rest| left = rest).is_none()).unwrap_or(0)
    };
    let most = late.iter().rposition(|n| *n > 0).unwrap_or(0);
    let missing = (expected_per_s * seconds - sum as f64) / (expected_per_s * seconds) * 100.0;
    let mut text = format!("{:>9.0} {:>7} {:>7} {most:>7} {missing:>7.1}%", sum as f64 / seconds, at(0.5), at(0.99));
    for (figure, width, digits) in
        figures.into_iter().zip([8, 8, 8, 8, 9, 8]).zip([2, 0, 0, 1, 1, 0]).map(|((f, w), d)| (f, w, d))
    {
        text += &format!(" {figure:>width$.digits$}");
    }
    text
}
