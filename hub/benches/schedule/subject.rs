//! What is measured: the scheduler, as the hub runs it, in a process of its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hub::model::courtesy::Limit;
use hub::model::{AccountId, WebsiteId};
use hub::queue::{Nowhere, Queue};
use hub::schedule::{self, Scheduler};
use hub::store::Store;
use sqlx::{Connection as _, PgConnection};
use tokio::sync::watch;

const WARM: Duration = Duration::from_secs(15);
/// Unless `BENCH_SECONDS` says otherwise.
const MEASURED_S: u64 = 60;
const EDITS: usize = 20;

pub(crate) fn run(queue: &str) {
    tracing_to_stderr();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(measure(queue));
}

fn tracing_to_stderr() {
    let filter = std::env::var("RUST_LOG").unwrap_or_else(|_| "warn".to_owned());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}

async fn measure(queue: &str) {
    let url = std::env::var("DATABASE_URL").unwrap();
    let store = Store::open_postgres(&url).await.unwrap();
    let nowhere = Arc::new(Nowhere::default());
    let queue = match queue {
        "redis" => Queue::redis(&std::env::var("REDIS_URL").unwrap(), None, "bench").unwrap(),
        _ => Queue::Nowhere(nowhere.clone()),
    };
    let to_redis = matches!(queue, Queue::Redis(_));
    let (scheduler, inbox) = Scheduler::channel();
    let (stop, stopping) = watch::channel(false);
    let begun = Instant::now();
    let schedule = tokio::spawn(schedule::run(store.clone(), queue, Limit::default(), inbox, stopping));
    let alive = tokio::spawn({
        let scheduler = scheduler.clone();
        async move {
            loop {
                scheduler.region_alive("EU".parse().unwrap(), hub::clock::now());
                tokio::time::sleep(Duration::from_secs(10)).await;
            }
        }
    });
    let mut connection = PgConnection::connect(&url).await.unwrap();
    // It claims when it has read all websites.
    let start_s = loop {
        let is_claimed: bool = sqlx::query_scalar("select exists (select 1 from schedule_claim where claimed_at > $1)")
            .bind(hub::clock::now() - i64::try_from(begun.elapsed().as_millis()).unwrap())
            .fetch_one(&mut connection)
            .await
            .unwrap();
        if is_claimed {
            break begun.elapsed().as_secs_f64();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    tokio::time::sleep(WARM).await;

    println!("begin");
    nowhere.late();
    let (from, cpu, rows) = (Instant::now(), cpu_s(), rows_written(&mut connection).await);
    let measured_s = std::env::var("BENCH_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(MEASURED_S);
    tokio::time::sleep(Duration::from_secs(measured_s)).await;
    let late = nowhere.late();
    println!("end");
    let seconds = from.elapsed().as_secs_f64();
    let cores = (cpu_s() - cpu) / seconds;
    let writes = (rows_written(&mut connection).await - rows) / seconds;
    if !to_redis {
        let text: Vec<_> = late.iter().map(u64::to_string).collect();
        println!("late {}", text.join(","));
    }
    let (rss, peak) = (status_mib("VmRSS:"), status_mib("VmHWM:"));
    let edit_ms = if to_redis { 0.0 } else { edits(&store, &scheduler, &nowhere, &mut connection).await };
    let per_s: f64 = sqlx::query_scalar("select sum(1000.0::float8 / interval_ms) from website")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    println!("figures {seconds} {per_s} {cores} {rss} {peak} {start_s} {writes} {edit_ms}");
    alive.abort();
    let _ = stop.send(true);
    schedule.await.unwrap().unwrap();
}

/// Median milliseconds from an edit's commit to the look that follows from it, as through this hub.
async fn edits(store: &Store, scheduler: &Scheduler, nowhere: &Nowhere, connection: &mut PgConnection) -> f64 {
    let some: Vec<(uuid::Uuid, uuid::Uuid)> = sqlx::query_as("select website_id, account_id from website limit $1")
        .bind(i64::try_from(EDITS).unwrap())
        .fetch_all(connection)
        .await
        .unwrap();
    let mut all = Vec::new();
    for (id, account) in some {
        let (id, account) = (WebsiteId(id), AccountId(account));
        let website = store.website(account, id).await.unwrap().unwrap();
        store.edit_website(account, id, website.revision, &website.settings, hub::clock::now()).await.unwrap();
        let committed = Instant::now();
        scheduler.changed(id);
        while nowhere.first(id).is_none() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        all.push(committed.elapsed().as_secs_f64() * 1_000.0);
    }
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

/// Rows inserted, changed and deleted so far.
async fn rows_written(connection: &mut PgConnection) -> f64 {
    // What other connections did is told within a second or so.
    tokio::time::sleep(Duration::from_secs(2)).await;
    sqlx::query_scalar("select sum(n_tup_ins + n_tup_upd + n_tup_del)::float8 from pg_stat_user_tables")
        .fetch_one(connection)
        .await
        .unwrap()
}

/// Processor time of this process.
fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after = stat.rsplit_once(')').unwrap().1;
    let ticks: f64 = after.split_whitespace().skip(11).take(2).map(|n| n.parse::<f64>().unwrap()).sum();
    ticks / 100.0
}

fn status_mib(field: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1_024.0
}
