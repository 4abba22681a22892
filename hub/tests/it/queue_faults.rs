//! Hub and probes as processes while their Redis fails: nothing is lost that Redis still has, nothing doubled, and all is
//! as before within 30 s (P11).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use redis::{Connection, Value};
use sqlx::Connection as _;

use crate::client::{form, token};
use crate::process::{Hub, KEY, Process, Target, probe};
use crate::services::{Redis, database, wait_until};

const S: fn(u64) -> Duration = Duration::from_secs;

fn run<T: redis::FromRedisValue>(connection: &mut Connection, words: &[&str]) -> T {
    redis::cmd(words[0]).arg(&words[1..]).query(connection).unwrap()
}

/// A hub with websites, and a probe.
struct Bench {
    interval_s: i64,
    directory: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
    redis: Redis,
    database_url: String,
    target: Target,
    hub: Hub,
    _probe: Option<Process>,
}

impl Bench {
    /// With websites at 10 s, whose slots are made good for 5 s.
    fn start(redis: Redis, websites: usize) -> Self {
        Self::start_every(10, redis, websites)
    }

    /// With websites at so many seconds, whose slots are made good for half of them.
    fn start_every(interval_s: i64, redis: Redis, websites: usize) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let database_url = runtime.block_on(database());
        let hub = Self::hub(&directory, &redis, &database_url);
        let probe = probe(directory.path(), &redis.url(), "INDIA", "a");
        wait_until("the region to report", S(20), || hub.process.log().contains("A region reports"));
        let target = Target::start();
        let ann = token(&hub.url(""), "ann", "correct horse");
        for n in 0..websites {
            let body = format!("url={}&interval_s={interval_s}&timeout_s=5", target.url(&format!("/{n}")));
            assert_eq!(form(&hub.url(""), "/websites/new", &ann, &body), 303);
        }
        let bench = Self { interval_s, directory, runtime, redis, database_url, target, hub, _probe: Some(probe) };
        wait_until("first ticks", S(40), || bench.ticks().len() >= websites * 2);
        bench
    }

    fn hub(directory: &tempfile::TempDir, redis: &Redis, database_url: &str) -> Hub {
        let environment = [("DATABASE_URL", database_url), ("REDIS_URL", &redis.url()), ("JWT_SECRET_KEY", KEY)];
        Hub::start(directory.path(), &environment)
    }

    /// Website and slot of each tick.
    fn ticks(&self) -> Vec<(uuid::Uuid, i64)> {
        self.rows("select website_id, slot_at from tick where kind in ('scheduled', 'first')")
    }

    fn rows<R>(&self, sql: &'static str) -> Vec<R>
    where
        R: for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow> + Send + Unpin,
    {
        self.runtime.block_on(async {
            let mut connection = sqlx::PgConnection::connect(&self.database_url).await.unwrap();
            sqlx::query_as(sql).fetch_all(&mut connection).await.unwrap()
        })
    }

    /// Two more rounds of every website within P11 and two intervals.
    fn is_steady_again(&self) {
        let count = |ticks: Vec<(uuid::Uuid, i64)>| {
            let mut by_website: BTreeMap<uuid::Uuid, usize> = BTreeMap::new();
            ticks.into_iter().for_each(|(website, _)| *by_website.entry(website).or_default() += 1);
            by_website
        };
        let before = count(self.ticks());
        wait_until("two more rounds", S(30 + 2 * self.interval_s.unsigned_abs()), || {
            count(self.ticks()).iter().all(|(website, n)| *n >= before[website] + 2)
        });
    }

    /// Slots between `from` and now that have no tick.
    fn missed(&self) -> usize {
        let mut slots: BTreeMap<uuid::Uuid, Vec<i64>> = BTreeMap::new();
        for (website, slot) in
            self.rows::<(uuid::Uuid, i64)>("select website_id, slot_at from tick where kind = 'scheduled'")
        {
            slots.entry(website).or_default().push(slot);
        }
        let gaps = |slots: &mut Vec<i64>| {
            slots.sort_unstable();
            let interval_ms = self.interval_s * 1_000;
            slots.windows(2).map(|w| usize::try_from((w[1] - w[0]) / interval_ms - 1).unwrap()).sum::<usize>()
        };
        slots.values_mut().map(gaps).sum()
    }
}

#[test]
fn t221_after_flushall_all_is_as_before_within_30_s() {
    let bench = Bench::start(Redis::start(), 5);
    let _: String = run(&mut bench.redis.connection(), &["FLUSHALL"]);
    bench.is_steady_again();
    println!("slots missed: {}", bench.missed());
    assert!(bench.missed() <= 10, "{}", bench.missed());
}

#[test]
fn t177_a_redis_with_a_log_that_is_killed_loses_no_tick() {
    // Slots are made good for 10 s: longer than Redis is away, with the wait for the next try after it.
    let redis = Redis::start_with(&["--appendonly", "yes", "--appendfsync", "always"]);
    let mut bench = Bench::start_every(20, redis, 5);
    bench.redis.crash_and_restart();
    bench.is_steady_again();
    println!("slots missed: {}", bench.missed());
    assert_eq!(bench.missed(), 0);
}

#[test]
fn t236_t237_a_redis_that_stops_and_cuts_every_connection_loses_and_doubles_nothing() {
    // Slots are made good for 10 s, of which Redis stands still for 4.
    let bench = Bench::start_every(20, Redis::start(), 5);
    let mut connection = bench.redis.connection();
    let made = |connection: &mut Connection| {
        let stats: String = run(connection, &["INFO", "stats"]);
        let line = stats.lines().find_map(|line| line.strip_prefix("total_connections_received:")).unwrap().to_owned();
        line.trim().parse::<u64>().unwrap()
    };
    let before = made(&mut connection);
    bench.redis.signal("-STOP");
    std::thread::sleep(S(4)); // the fault itself
    bench.redis.signal("-CONT");
    bench.is_steady_again();
    let after = made(&mut connection);
    assert!(after - before <= 12, "{} connections", after - before);
    let began = Instant::now();
    while began.elapsed() < S(20) {
        let _: u64 = run(&mut connection, &["CLIENT", "KILL", "SKIPME", "yes", "TYPE", "normal"]);
        std::thread::sleep(S(1)); // the fault itself
    }
    let killed = made(&mut connection) - after;
    bench.is_steady_again();
    println!("slots missed: {}, connections made while killed for 20 s: {killed}", bench.missed());
    assert_eq!(bench.missed(), 0);
    let visits = bench.target.hits();
    let ticks = u64::try_from(bench.ticks().len()).unwrap();
    assert!(visits <= ticks + 10, "{visits} visits for {ticks} ticks");
    assert!(!bench.hub.process.log().contains("panicked"));
}

#[test]
fn t164_a_check_that_kills_its_worker_is_given_up_and_the_region_goes_on() {
    let bench = Bench::start(Redis::start(), 1);
    let mut connection = bench.redis.connection();
    // As three workers leave it that did not survive it.
    let body = r#"{"website_id":"00000000-0000-0000-0000-000000000007","slot_at":1,"attempt":0,"kind":"scheduled",
        "deadline_at":900000,"published_at":0,"target":{"url":"http://127.0.0.1:9/","timeout_ms":60000}}"#;
    let group = ["XGROUP", "CREATE", "betteruptime:website:USA", "USA", "0", "MKSTREAM"];
    let _: String = run(&mut connection, &group);
    let id: String =
        run(&mut connection, &["XADD", "betteruptime:website:USA", "*", "v", "1", "kind", "check", "body", body]);
    let read = ["XREADGROUP", "GROUP", "USA", "b", "STREAMS", "betteruptime:website:USA", ">"];
    let _: Value = run(&mut connection, &read);
    let claim =
        ["XCLAIM", "betteruptime:website:USA", "USA", "b", "0", &id, "IDLE", "40000", "RETRYCOUNT", "3", "JUSTID"];
    let _: Value = run(&mut connection, &claim);
    // The region is one the hub knows.
    bench.runtime.block_on(async {
        let mut connection = sqlx::PgConnection::connect(&bench.database_url).await.unwrap();
        for sql in [
            "insert into region (region_id, created_at) values ('USA', 0)",
            "insert into worker (region_id, worker_id, seen_at, version, concurrency, checks, clock_offset_ms) \
             values ('USA', 'b', 0, '0.1.0', 1, 0, 0)",
        ] {
            sqlx::query(sql).execute(&mut connection).await.unwrap();
        }
    });
    wait_until("its dead letter", S(20), || {
        let letters: Vec<(String, String)> = bench.rows("select stream, reason from dead_letter");
        letters.iter().any(|(stream, reason)| stream.ends_with(":USA") && reason.starts_with("max_deliveries: "))
    });
    wait_until("the queue to forget it", S(5), || {
        run::<(u64, Value, Value, Value)>(&mut connection, &["XPENDING", "betteruptime:website:USA", "USA"]).0 == 0
    });
    // A region whose worker is killed with a check goes on with the next.
    bench.is_steady_again();
}

#[test]
fn t226_t228_a_policy_that_evicts_and_a_wrong_password_are_told_without_a_storm() {
    let redis = Redis::start_with(&["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"]);
    let bench = Bench::start(redis, 1);
    assert_eq!(bench.hub.process.log().matches("allkeys-lru").count(), 1, "{}", bench.hub.process.log());
    drop(bench);
    let redis = Redis::start_with(&["--requirepass", "right"]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (directory, database_url) = (tempfile::tempdir().unwrap(), runtime.block_on(database()));
    let url = redis.url().replace("redis://", "redis://:wrong@");
    let environment = [("DATABASE_URL", database_url.as_str()), ("REDIS_URL", &url), ("JWT_SECRET_KEY", KEY)];
    let hub = Hub::start(directory.path(), &environment);
    wait_until("a line about it", S(10), || hub.process.log().to_lowercase().contains("password"));
    let mut connection = redis::Client::open(redis.url().replace("redis://", "redis://:right@"))
        .and_then(|client| client.get_connection())
        .unwrap();
    let made = |connection: &mut Connection| run::<String>(connection, &["INFO", "stats"]);
    let number = |text: &str| -> u64 {
        let line = text.lines().find_map(|line| line.strip_prefix("total_connections_received:"));
        line.unwrap().trim().parse().unwrap()
    };
    let (before, began) = (number(&made(&mut connection)), Instant::now());
    wait_until("a while", S(11), || began.elapsed() >= S(10));
    let tries = number(&made(&mut connection)) - before;
    assert!(tries <= 10, "{tries} tries in 10 s");
    assert!(!hub.process.log().contains(":wrong@"));
}

#[test]
fn t224_a_replica_whose_master_is_down_is_waited_out() {
    let bench = Bench::start(Redis::start(), 3);
    let mut connection = bench.redis.connection();
    let stale = ["CONFIG", "SET", "replica-serve-stale-data", "no", "replica-read-only", "no"];
    let _: String = run(&mut connection, &stale);
    let _: String = run(&mut connection, &["REPLICAOF", "127.0.0.1", "1"]);
    wait_until("a line about it", S(15), || bench.hub.process.log().contains("MASTER is down"));
    std::thread::sleep(S(10)); // the fault itself
    let _: String = run(&mut connection, &["REPLICAOF", "NO", "ONE"]);
    bench.is_steady_again();
    let log = bench.hub.process.log();
    println!("slots missed: {}, lines in the log: {}", bench.missed(), log.lines().count());
    assert!(bench.missed() <= 6 && log.lines().count() < 100, "{} {log}", bench.missed());
    assert!(!log.contains("panicked") && !log.contains("to=down"), "{log}");
}

#[test]
fn t223_t224_a_failover_to_a_copy_that_is_5_s_old_and_takes_10_s_to_load_is_as_before_within_30_s() {
    // Each key takes 10 ms to load; what it says meanwhile is LOADING.
    let slow = ["--key-load-delay", "10000", "--loading-process-events-interval-bytes", "1024"];
    let mut bench = Bench::start(Redis::start_with(&slow), 5);
    let mut connection = bench.redis.connection();
    let _: String = run(&mut connection, &["EVAL", "for n = 1, 1000 do redis.call('SET', n, n) end return 'OK'", "0"]);
    let _: String = run(&mut connection, &["SAVE"]);
    std::thread::sleep(S(5)); // what is lost
    bench.redis.crash_and_restart();
    bench.is_steady_again();
    println!("slots missed: {}", bench.missed());
    assert!(bench.missed() <= 15, "{}", bench.missed());
    let log = bench.hub.process.log();
    assert!(!log.contains("panicked") && !log.contains("to=down"), "{log}");
    // What was acknowledged before the copy's time came again, and is known.
    let doubled: Vec<(i64,)> = bench.rows(
        "select count(*) from (select 1 from tick group by website_id, region_id, slot_at, attempt having count(*) > 1) d",
    );
    assert_eq!(doubled[0].0, 0);
}

#[test]
fn t234_a_worker_that_empties_its_own_stream_loses_its_own_reports_and_no_others() {
    let bench = Bench::start(Redis::start(), 3);
    let mut connection = bench.redis.connection();
    let body = r#"{"version":"0.1.0","started_at":1,"sent_at":1,"concurrency":1,"in_flight":0,"checks":0,"expired":0,
        "refused":0,"buffered":0,"dropped":0,"lost":0}"#;
    let key = "betteruptime:tick:USA:z";
    let add = |connection: &mut Connection, left: &str| {
        let words = ["XADD", key, "MAXLEN", left, "*", "v", "1", "kind", "heartbeat", "body", body];
        let _: String = run(connection, &words);
    };
    let began = Instant::now();
    while began.elapsed() < S(10) {
        (0..50).for_each(|_| add(&mut connection, "1000"));
        add(&mut connection, "0");
        std::thread::sleep(Duration::from_millis(20)); // as fast as a thief may
    }
    bench.is_steady_again();
    assert_eq!(bench.missed(), 0);
    // Its reports are taken in again, once it is itself.
    add(&mut connection, "1000");
    wait_until("its stream to be read", S(10), || run::<u64>(&mut connection, &["XLEN", key]) == 0);
    let log = bench.hub.process.log();
    assert!(!log.contains("panicked") && log.lines().count() < 100, "{log}");
}

#[test]
fn an_old_sign_of_life_does_not_revive_a_worker() {
    let mut bench = Bench::start(Redis::start(), 1);
    assert_eq!(bench.hub.process.terminate(), Some(0));
    let mut connection = bench.redis.connection();
    // Written ten minutes ago, while no hub ran.
    let at = hub::clock::now() - 600_000;
    let body = format!(
        r#"{{"version":"0.1.0","started_at":1,"sent_at":{at},"concurrency":1,"in_flight":0,"checks":0,"expired":0,
            "refused":0,"buffered":0,"dropped":0,"lost":0}}"#
    );
    let id = format!("{at}-0");
    let key = "betteruptime:tick:ASIA:z";
    let _: String = run(&mut connection, &["XADD", key, &id, "v", "1", "kind", "heartbeat", "body", &body]);
    bench.hub = Bench::hub(&bench.directory, &bench.redis, &bench.database_url);
    wait_until("it to be read", S(15), || {
        let seen: Vec<(i64,)> = bench.rows("select seen_at from worker where region_id = 'ASIA'");
        seen.first().is_some_and(|(seen_at,)| (seen_at - at).abs() < 5_000)
    });
    bench.is_steady_again();
    let checks: u64 = run(&mut connection, &["EXISTS", "betteruptime:website:ASIA"]);
    let published: u64 = if checks == 0 { 0 } else { run(&mut connection, &["XLEN", "betteruptime:website:ASIA"]) };
    assert_eq!(published, 0, "no check for a region without a worker");
}
