//! Ingest on a real Redis and Postgres, without the rest of the hub.

use std::time::Duration;

use hub::model::{CheckKind, Delays, MadeBy, Outcome, Phases, Tick, UtcMs, Website, WebsiteSettings};
use hub::queue::Queue;
use hub::schedule::Scheduler;
use hub::store::Store;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::services::{Redis, database, wait_until};

const MINUTE: i64 = 60_000;

struct Bench {
    redis: Redis,
    store: Store,
    pool: sqlx::PgPool,
    websites: Vec<Website>,
    now: UtcMs,
}

impl Bench {
    async fn new(websites: usize) -> Self {
        let (redis, url) = (Redis::start(), database().await);
        let store = Store::open_postgres(&url).await.expect("a store");
        store.migrate(false).await.expect("the schema");
        let now = hub::clock::now();
        let account = store.create_account("ann", "hash", MadeBy::Owner, now).await.expect("an account").account_id;
        let settings = WebsiteSettings { interval_ms: MINUTE, ..WebsiteSettings::new("https://example.com/".into()) };
        let mut all = Vec::new();
        for _ in 0..websites {
            all.push(store.add_website(account, &settings, now - 24 * 60 * MINUTE).await.expect("a website"));
        }
        let pool = sqlx::PgPool::connect(&url).await.expect("Postgres");
        Self { redis, store, pool, websites: all, now }
    }

    fn connection(&self) -> redis::Connection {
        redis::Client::open(self.redis.url()).and_then(|c| c.get_connection()).expect("Redis")
    }

    /// As a worker of `region` would have written them, `rounds` for each website, the last one now.
    fn write(&self, region: &str, rounds: i64) {
        let mut connection = self.connection();
        for round in (0..rounds).rev() {
            let mut pipe = redis::pipe();
            for website in &self.websites {
                let body = serde_json::to_string(&tick(website, self.now - round * MINUTE)).expect("JSON");
                let entry = format!("{}-*", self.now - round * MINUTE + 500);
                pipe.cmd("XADD").arg(key(region)).arg(entry).arg("v").arg(1).arg("kind").arg("tick");
                pipe.arg("body").arg(body).ignore();
            }
            pipe.query::<()>(&mut connection).expect("XADD");
        }
    }

    fn waiting(&self, region: &str) -> u64 {
        redis::cmd("XLEN").arg(key(region)).query(&mut self.connection()).expect("XLEN")
    }

    async fn stored(&self, region: &str) -> i64 {
        sqlx::query_scalar("select count(*) from tick where region_id = $1")
            .bind(region)
            .fetch_one(&self.pool)
            .await
            .expect("a count")
    }

    fn start(&self) -> Ingest {
        let queue = Queue::redis(&self.redis.url(), None, "hub-1").expect("a queue");
        let (scheduler, inbox) = Scheduler::channel();
        drop(inbox);
        let (stop, stopping) = watch::channel(false);
        Ingest { stop, task: tokio::spawn(hub::ingest::run(self.store.clone(), queue, scheduler, stopping)) }
    }
}

struct Ingest {
    stop: watch::Sender<bool>,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Ingest {
    async fn stop(self) {
        let _ = self.stop.send(true);
        self.task.await.expect("a task").expect("ingest");
    }
}

fn key(region: &str) -> String {
    format!("betteruptime:tick:{region}:w1")
}

fn tick(website: &Website, slot_at: UtcMs) -> Tick {
    Tick {
        website_id: website.website_id,
        slot_at,
        attempt: 0,
        kind: CheckKind::Scheduled,
        started_at: slot_at,
        outcome: Outcome::Up,
        failure: None,
        phases: Phases::default(),
        total_us: 1,
        status: Some(200),
        remote: None,
        body_bytes: 0,
        truncated: false,
        hops: Vec::new(),
        certificate: None,
        answer: None,
        notes: Vec::new(),
        delays: Delays::default(),
    }
}

async fn until(what: &str, bound: Duration, mut ready: impl FnMut() -> bool) {
    tokio::task::block_in_place(|| wait_until(what, bound, &mut ready));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t158_what_was_read_and_not_acknowledged_is_stored_once() {
    let bench = Bench::new(50).await;
    bench.write("A", 60);
    let mut connection = bench.connection();
    redis::cmd("XGROUP").arg("CREATE").arg(key("A")).arg("hub").arg("0").query::<()>(&mut connection).expect("a group");
    // A hub of the same name read most of it, stored some of that, and died.
    let mut read = redis::cmd("XREADGROUP");
    read.arg("GROUP").arg("hub").arg("hub-1").arg("COUNT").arg(2_500).arg("STREAMS").arg(key("A")).arg(">");
    read.query::<redis::Value>(&mut connection).expect("a read");
    let known = hub::model::StoredTick::received(
        "A".parse().expect("a region"),
        "w1".parse().expect("a worker"),
        bench.now,
        tick(&bench.websites[0], bench.now),
    );
    bench.store.ingest(&[known], bench.now).await.expect("ingest");
    let ingest = bench.start();
    until("all to be acknowledged", Duration::from_secs(60), || bench.waiting("A") == 0).await;
    assert_eq!(bench.stored("A").await, 3_000);
    let pending: (u64, redis::Value, redis::Value, redis::Value) =
        redis::cmd("XPENDING").arg(key("A")).arg("hub").query(&mut connection).expect("XPENDING");
    assert_eq!(pending.0, 0);
    ingest.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t259_news_of_one_worker_does_not_wait_behind_the_backlog_of_another() {
    let bench = Bench::new(100).await;
    bench.write("OLD", 200);
    bench.write("NEW", 1);
    let ingest = bench.start();
    until("the news to be stored", Duration::from_secs(30), || bench.waiting("NEW") == 0).await;
    assert_eq!(bench.stored("NEW").await, 100);
    let (left, all) = (bench.waiting("OLD"), 20_000);
    assert!(left > 0, "the backlog of {all} was stored before");
    until("the backlog to be stored", Duration::from_secs(120), || bench.waiting("OLD") == 0).await;
    assert_eq!(bench.stored("OLD").await, all);
    ingest.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_stored_now_is_stored_later_and_not_acknowledged_before() {
    let bench = Bench::new(10).await;
    let mut locked = bench.pool.begin().await.expect("a transaction");
    sqlx::query("lock table tick in access exclusive mode").execute(&mut *locked).await.expect("a lock");
    bench.write("A", 3);
    let ingest = bench.start();
    let mut connection = bench.connection();
    until("the ticks to be read", Duration::from_secs(10), || {
        let pending: redis::RedisResult<(u64, redis::Value, redis::Value, redis::Value)> =
            redis::cmd("XPENDING").arg(key("A")).arg("hub").query(&mut connection);
        pending.is_ok_and(|p| p.0 == 30)
    })
    .await;
    // Long enough for a try to fail: nobody waits for a lock longer than 2 s.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(bench.waiting("A"), 30);
    locked.rollback().await.expect("an end");
    until("the ticks to be acknowledged", Duration::from_secs(30), || bench.waiting("A") == 0).await;
    assert_eq!(bench.stored("A").await, 30);
    ingest.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backlog_makes_no_website_unknown_in_between() {
    let bench = Bench::new(100).await;
    // Ticks of three hours, of which each holds its website up for two minutes and a half.
    bench.write("A", 180);
    let ingest = bench.start();
    until("the backlog to be stored", Duration::from_secs(120), || bench.waiting("A") == 0).await;
    let changes: Vec<(String, i64)> = sqlx::query_as("select to_verdict, count(*) from transition group by to_verdict")
        .fetch_all(&bench.pool)
        .await
        .expect("a read");
    assert_eq!(changes, [("up".to_owned(), 100)]);
    ingest.stop().await;
}
