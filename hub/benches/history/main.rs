//! Bytes of a tick: raw, with its key, and sealed; beside a table as it would be made at first thought. How long it takes to
//! seal, what that does to those who store ticks meanwhile, and what a page of a website costs before and after.
//!
//! `cargo bench -p hub --bench history -- [ticks, default 1000000]`. Postgres is started for the run, or `BENCH_DATABASE_URL`
//! names one that is running. Made are whole days of websites that five regions look at every minute, the noise of each phase
//! as on the way between two continents, one check in a thousand down for a reason.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a measurement may fail by panicking"
)]

#[allow(dead_code, reason = "shared with the other benches")]
#[path = "../ingest/cpu.rs"]
mod cpu;
mod fill;
mod made;
#[allow(dead_code, reason = "shared with the other benches")]
#[path = "../ingest/services.rs"]
mod services;

use std::time::{Duration, Instant};

use hub::model::sealed::{DAY_MS, settled_before};
use hub::model::{StoredTick, UtcMs, Website};
use hub::store::{DayFate, SealPosition, Store};
use sqlx::PgPool;

use cpu::Cpu;
use services::Postgres;

/// Websites whose ticks are held against the originals, one by one.
const COMPARED: usize = 10;
/// Pages read of each kind.
const PAGES: usize = 200;

fn main() {
    let wanted = std::env::args().skip(1).find_map(|argument| argument.parse().ok());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(measure(wanted.unwrap_or(1_000_000)));
}

async fn measure(ticks: i64) {
    let server = Postgres::start();
    println!("Postgres: {}", server.settings().await);
    let url = server.database().await;
    let store = Store::open_postgres(&url).await.expect("a store");
    store.migrate(false).await.expect("the schema");
    let pool = PgPool::connect(&url).await.expect("Postgres");
    let filled = fill::days(&store, &pool, ticks).await;
    let (in_all, websites) = (filled.ticks, &filled.websites);
    println!("{in_all} ticks: {} websites, 5 regions, {} days", websites.len(), filled.days);
    let raw = bytes(
        &pool,
        "select sum(pg_table_size(relid)), sum(pg_indexes_size(relid)) from pg_partition_tree('tick') where isleaf",
    )
    .await;
    let naive = fill::naive(&pool).await;
    tell("as a rival's: id, url, region, status, ms, instant, and an index", naive, in_all);
    tell("raw", raw, in_all);
    let now = hub::clock::now();
    let sample: Vec<_> = websites.iter().step_by((websites.len() / COMPARED).max(1)).collect();
    let mut originals = Vec::new();
    for website in &sample {
        originals.push(all(&store, website).await);
    }
    pages(&store, websites, now, "raw").await;

    sqlx::query("checkpoint").execute(&pool).await.expect("a checkpoint");
    let alone = fill::ingest_rate(&store, &filled, Duration::from_secs(5)).await;
    let (began, cpu, database) = (Instant::now(), Cpu::own(), server.cpu());
    let sealing = async {
        let (mut position, mut steps, mut sealed, mut blocks, mut bytes) =
            (Some(SealPosition::default()), Vec::new(), 0, 0, 0);
        while let Some(from) = position {
            let step_began = Instant::now();
            let step = store.seal_some(from, settled_before(now), now).await.expect("a step");
            steps.push(step_began.elapsed());
            (sealed, blocks, bytes) = (sealed + step.ticks, blocks + step.blocks, bytes + step.bytes);
            assert_eq!(step.left, 0);
            position = step.next;
        }
        (steps, sealed, blocks, bytes)
    };
    let beside = fill::ingest_rate(&store, &filled, Duration::from_secs(5));
    let ((mut steps, sealed, blocks, packed), beside) = tokio::join!(sealing, beside);
    let took = began.elapsed();
    let (cpu, database) = (Cpu::own() - cpu, server.cpu() - database);
    steps.sort_unstable();
    println!(
        "sealed {sealed} in {:.1} s ({:.0} ticks/s, one hub; processor: hub {:.1} s, Postgres {:.1} s, ingest beside it included), \
         {blocks} blocks; a step p50 {} ms, p99 {} ms",
        took.as_secs_f64(),
        sealed as f64 / took.as_secs_f64(),
        cpu.0.as_secs_f64(),
        database.0.as_secs_f64(),
        steps[steps.len() / 2].as_millis(),
        steps[steps.len() * 99 / 100].as_millis(),
    );
    println!("ingest in batches of 500: {alone:.0} ticks/s before, {beside:.0} ticks/s while sealing");
    sqlx::query("vacuum sealed_tick").execute(&pool).await.expect("a vacuum");
    let after =
        bytes(&pool, "select pg_table_size('sealed_tick')::numeric, pg_indexes_size('sealed_tick')::numeric").await;
    tell("sealed", after, sealed as i64);
    println!("of that the blocks themselves: {:.2} B", packed as f64 / sealed as f64);
    let began = Instant::now();
    let mut dropped = 0;
    for _ in 0..10 {
        for day in store.ended_days(settled_before(now)).await.expect("days") {
            match store.drop_day(&day).await.expect("a day") {
                DayFate::Gone => dropped += 1,
                DayFate::Stays => {}
                DayFate::Unclean => store.clean_up_day(&day).await.expect("cleaned up"),
            }
        }
    }
    println!("{dropped} days dropped whole in {} ms", began.elapsed().as_millis());

    for (website, original) in sample.iter().zip(&originals) {
        let read = all(&store, website).await;
        let old = original.iter().filter(|tick| tick.tick.slot_at < settled_before(now));
        assert!(read.iter().filter(|tick| tick.tick.slot_at < settled_before(now)).eq(old), "{}", website.website_id);
    }
    let compared: usize = originals.iter().map(Vec::len).sum();
    println!("{compared} sealed ticks of {} websites compared with their originals: all equal", sample.len());
    pages(&store, websites, settled_before(now), "sealed").await;
    println!("peak memory of the hub's part: {} MB", peak_mb());
    store.close().await;
}

/// Size of table and of indexes.
async fn bytes(pool: &PgPool, sql: &'static str) -> (f64, f64) {
    let sql = format!("select table_bytes::float8, index_bytes::float8 from ({sql}) as s (table_bytes, index_bytes)");
    sqlx::query_as(sqlx::AssertSqlSafe(sql)).fetch_one(pool).await.expect("sizes")
}

fn tell(what: &str, (table, indexes): (f64, f64), ticks: i64) {
    let each = |bytes: f64| bytes / ticks as f64;
    println!(
        "{what}: {:.2} B per tick ({:.2} table, {:.2} indexes)",
        each(table + indexes),
        each(table),
        each(indexes)
    );
}

async fn all(store: &Store, website: &Website) -> Vec<StoredTick> {
    let mut ticks: Vec<StoredTick> = Vec::new();
    loop {
        let (account, id) = (website.account_id, website.website_id);
        let more = store.ticks_in_order(account, id, &(0..=UtcMs::MAX), ticks.last(), 1_000).await.expect("ticks");
        if more.is_empty() {
            return ticks;
        }
        ticks.extend(more);
    }
}

/// What the page of a website reads, and an hour of a day that has passed.
async fn pages(store: &Store, websites: &[Website], before: UtcMs, what: &str) {
    for (kind, back_ms, limit) in
        [("newest 100", 0, 100), ("100 from the middle of a day", DAY_MS / 2, 100), ("1000", 0, 1_000)]
    {
        let mut took = Vec::new();
        for n in 0..PAGES {
            let website = &websites[n * 7_919 % websites.len()];
            let began = Instant::now();
            let page = store
                .ticks(website.account_id, website.website_id, Some(before - back_ms), limit)
                .await
                .expect("ticks");
            took.push(began.elapsed());
            assert_eq!(page.len() as i64, limit);
        }
        took.sort_unstable();
        let ms = |place: usize| took[place].as_secs_f64() * 1_000.0;
        println!("{what}, {kind}: p50 {:.1} ms, p99 {:.1} ms", ms(PAGES / 2), ms(PAGES * 99 / 100));
    }
}

fn peak_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).unwrap_or(0) / 1_024
}
