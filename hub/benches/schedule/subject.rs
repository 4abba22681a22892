//! What is measured: the scheduler, as the hub runs it, in a process of its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hub::clock;
use hub::model::courtesy::Limit;
use hub::model::{AccountId, WebsiteId};
use hub::queue::{Nowhere, Queue};
use hub::schedule::{self, Scheduler};
use hub::store::Store;
use sqlx::{Connection as _, PgConnection};
use tokio::sync::watch;

/// What came due while it started is made good within this.
const WARM_S: i64 = 15;
/// Seconds of the schedule that are measured, unless `BENCH_SECONDS` says otherwise.
const MEASURED_S: i64 = 30;
/// A slot of these seconds that is not out so long after their end is missing.
const SETTLE_S: i64 = 3;
const EDITS: i64 = 20;
const BETWEEN_EDITS: Duration = Duration::from_millis(100);

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
    let (scheduler, inbox) = Scheduler::channel();
    let (stop, stopping) = watch::channel(false);
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let begun = Instant::now();
    let schedule = tokio::spawn(schedule::run(store.clone(), queue, Limit::default(), inbox, stopping));
    let alive = tokio::spawn({
        let scheduler = scheduler.clone();
        async move {
            loop {
                scheduler.region_alive("EU".parse().unwrap(), clock::now());
                tokio::time::sleep(Duration::from_secs(10)).await;
            }
        }
    });
    // It claims when it has read all websites.
    while !sqlx::query_scalar::<_, bool>("select exists (select 1 from schedule_claim)")
        .fetch_one(&mut connection)
        .await
        .unwrap()
    {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let start_s = begun.elapsed().as_secs_f64();

    let measured_s = std::env::var("BENCH_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(MEASURED_S);
    let from_s = clock::now() / 1_000 + WARM_S;
    let seconds = from_s..from_s + measured_s;
    nowhere.tally(seconds.clone());
    println!("begin {} {}", seconds.start, seconds.end);
    until(seconds.start).await;
    let (from, cpu, rows) = (Instant::now(), cpu_s(), rows_written(&mut connection).await);
    until(seconds.end).await;
    let cores = (cpu_s() - cpu) / from.elapsed().as_secs_f64();
    let writes = (rows_written(&mut connection).await - rows) / from.elapsed().as_secs_f64();
    let (rss, peak) = (status_mib("VmRSS:"), status_mib("VmHWM:"));
    until(seconds.end + SETTLE_S).await;
    let tally = nowhere.tally(0..0);
    println!("late {}", text(&tally.late));
    println!("slots {}", text(&tally.by_second));
    println!("early {}", tally.early);
    println!("end");
    edits(&store, &scheduler, &nowhere, &mut connection).await;
    println!("figures {cores} {rss} {peak} {start_s} {writes}");
    alive.abort();
    let _ = stop.send(true);
    schedule.await.unwrap().unwrap();
}

async fn until(second: i64) {
    let left = u64::try_from(second * 1_000 - clock::now()).unwrap_or(0);
    tokio::time::sleep(Duration::from_millis(left)).await;
}

fn text(numbers: &[u64]) -> String {
    numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(",")
}

/// Edits some websites, as through this hub; prints when each edit was committed, and when the look at once that follows
/// from it was handed out, where that is known here.
async fn edits(store: &Store, scheduler: &Scheduler, nowhere: &Nowhere, connection: &mut PgConnection) {
    let sql = "select website_id, account_id from website join website_state using (website_id) where verdict = 'up' \
        limit $1";
    let some: Vec<(uuid::Uuid, uuid::Uuid)> = sqlx::query_as(sql).bind(EDITS).fetch_all(connection).await.unwrap();
    for (id, account) in some {
        let (id, account) = (WebsiteId(id), AccountId(account));
        let website = store.website(account, id).await.unwrap().unwrap();
        store.edit_website(account, id, website.revision, &website.settings, clock::now()).await.unwrap();
        let committed_at = clock::now();
        scheduler.changed(id);
        tokio::time::sleep(BETWEEN_EDITS).await;
        println!("edit {id} {committed_at} {}", nowhere.first(id).unwrap_or(0));
    }
}

/// Rows inserted, changed and deleted so far. What other connections did lately is told within a second or so.
async fn rows_written(connection: &mut PgConnection) -> f64 {
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
