//! Ticks per second from Redis into the database, verdicts included, beside the bare limit of the same run: the same rows
//! by COPY into an equal table of Postgres, by a prepared insert into an equal table of SQLite.
//!
//! `cargo bench -p hub --bench ingest -- [postgres|sqlite] [ticks]`. Postgres is started for the run with its own durability
//! settings (fsync on); or set `BENCH_DATABASE_URL` to one that is running. Redis is started without persistence.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a measurement may fail by panicking"
)]

mod bare;
mod cpu;
mod services;
mod ticks;

use std::time::{Duration, Instant};

use hub::queue::Queue;
use hub::schedule::Scheduler;
use hub::store::Store;
use tokio::sync::watch;

use cpu::Cpu;
use services::{Postgres, Redis};
use ticks::Load;

/// Runs of each measurement; the median is told, with the lowest and the highest.
const RUNS: usize = 3;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let wants = |name: &str| {
        let named = |a: &&String| matches!(a.as_str(), "postgres" | "sqlite");
        arguments.iter().find(named).is_none_or(|a| a == name)
    };
    let ticks = arguments.iter().find_map(|a| a.parse().ok());
    // As the hub's own: as many threads as cores.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    if wants("postgres") {
        runtime.block_on(on_postgres(Load::new(ticks.unwrap_or(400_000))));
    }
    if wants("sqlite") {
        runtime.block_on(on_sqlite(Load::new(ticks.unwrap_or(100_000))));
    }
}

/// Rate and processor time of one run.
struct Run {
    per_second: f64,
    bare_per_second: f64,
    hub_us: f64,
    database_us: f64,
    redis_us: f64,
}

async fn on_postgres(load: Load) {
    let server = Postgres::start();
    println!("Postgres: {}; {load}", server.settings().await);
    let mut runs = Vec::new();
    for _ in 0..RUNS {
        let (redis, url) = (Redis::start(), server.database().await);
        let store = Store::open_postgres(&url).await.expect("a store");
        store.migrate(false).await.expect("the schema");
        let pool = sqlx::PgPool::connect(&url).await.expect("Postgres");
        load.make_websites_postgres(&pool).await;
        load.fill(&redis.url());
        sqlx::query("checkpoint").execute(&pool).await.expect("a checkpoint");
        let before = (Cpu::own(), server.cpu(), redis.cpu());
        let took = drain(&store, &redis).await;
        let cpu = (Cpu::own() - before.0, server.cpu() - before.1, redis.cpu() - before.2);
        let stored: i64 = sqlx::query_scalar("select count(*) from tick").fetch_one(&pool).await.expect("a count");
        assert_eq!(stored, load.ticks as i64, "every tick is stored once");
        let changes: i64 =
            sqlx::query_scalar("select count(*) from transition").fetch_one(&pool).await.expect("a count");
        let bare = bare::copy(&pool).await;
        store.close().await;
        runs.push(load.run(took, bare, cpu));
        load.tell_one(runs.last().expect("a run"), changes, "COPY");
    }
    tell("Postgres", "COPY of the same rows", &runs);
}

async fn on_sqlite(load: Load) {
    println!("SQLite: WAL, synchronous FULL; {load}");
    let mut runs = Vec::new();
    for _ in 0..RUNS {
        let (redis, directory) = (Redis::start(), tempfile::tempdir().expect("a directory"));
        let store = Store::open_sqlite(directory.path()).await.expect("a store");
        store.migrate(false).await.expect("the schema");
        let pool = bare::sqlite(&directory.path().join("betteruptime.sqlite")).await;
        load.make_websites_sqlite(&pool).await;
        load.fill(&redis.url());
        let before = (Cpu::own(), redis.cpu());
        let took = drain(&store, &redis).await;
        let cpu = (Cpu::own() - before.0, Cpu::default(), redis.cpu() - before.1);
        let stored: i64 = sqlx::query_scalar("select count(*) from tick").fetch_one(&pool).await.expect("a count");
        assert_eq!(stored, load.ticks as i64, "every tick is stored once");
        let changes: i64 =
            sqlx::query_scalar("select count(*) from transition").fetch_one(&pool).await.expect("a count");
        let bare = bare::insert(&pool, directory.path()).await;
        store.close().await;
        runs.push(load.run(took, bare, cpu));
        load.tell_one(runs.last().expect("a run"), changes, "bare insert");
    }
    tell("SQLite", "a bare prepared insert of the same rows", &runs);
}

/// Runs ingest until every report is stored and acknowledged.
async fn drain(store: &Store, redis: &Redis) -> Duration {
    let queue = Queue::redis(&redis.url(), None, "bench").expect("a queue");
    // Nobody reads its commands: what it is told is dropped.
    let (scheduler, inbox) = Scheduler::channel();
    drop(inbox);
    let (stop, stopping) = watch::channel(false);
    let mut connection = redis.connect();
    let started = Instant::now();
    let ingest = tokio::spawn(hub::ingest::run(store.clone(), queue, scheduler, stopping));
    let took = tokio::task::spawn_blocking(move || {
        loop {
            if ticks::waiting(&mut connection) == 0 {
                return started.elapsed();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    })
    .await
    .expect("the watcher");
    let _ = stop.send(true);
    ingest.await.expect("ingest").expect("ingest");
    took
}

fn tell(database: &str, bare: &str, runs: &[Run]) {
    let line = |name: &str, of: &dyn Fn(&Run) -> f64, unit: &str| {
        let mut all: Vec<f64> = runs.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        let (low, high) = (all[0], all[all.len() - 1]);
        println!("  {name:<44} {:>10.2} {unit} ({low:.2} to {high:.2})", all[all.len() / 2]);
    };
    println!("{database}, median of {} (lowest to highest):", runs.len());
    line("ticks stored, verdicts included", &|r| r.per_second, "ticks/s");
    line(bare, &|r| r.bare_per_second, "rows/s");
    line("ratio to it", &|r| r.per_second / r.bare_per_second, "");
    line("processor time per tick: hub", &|r| r.hub_us, "us");
    line("processor time per tick: database", &|r| r.database_us, "us");
    line("processor time per tick: Redis", &|r| r.redis_us, "us");
    line("ticks per second of one core, all three", &|r| 1e6 / (r.hub_us + r.database_us + r.redis_us), "");
}
