//! The clock hubs share is the database's.

use std::time::Duration;

use hub::clock;
use hub::store::{ClaimTurn, Store};
use sqlx::Connection as _;

use crate::client::{form, token};
use crate::process::{Hub, KEY, Target, probe};
use crate::services::{Redis, database, wait_until};

/// A database whose clock is that of this machine and so many milliseconds.
async fn set_clock(url: &str, off_ms: i64) {
    let mut connection = sqlx::PgConnection::connect(url).await.expect("a connection");
    let name: String =
        sqlx::query_scalar("select current_database()").fetch_one(&mut connection).await.expect("a name");
    // What is in the path before the catalogue is found first.
    let sql = format!(
        "alter database {name} set search_path = public, pg_catalog; \
         create or replace function public.clock_timestamp() returns timestamptz language sql volatile as \
         $$ select pg_catalog.clock_timestamp() + interval '{off_ms} milliseconds' $$"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.expect("a clock");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t203_a_hub_goes_by_the_databases_clock_and_follows_when_it_is_set() {
    let url = database().await;
    set_clock(&url, 7_200_000).await;
    let is_off_by = |off_ms: i64| (clock::now() - clock::wall() - off_ms).abs() < 500;
    assert!(is_off_by(0), "nobody was asked yet");
    let store = Store::open_postgres(&url).await.expect("a store");
    assert!(is_off_by(7_200_000), "it was asked when the store was opened");
    store.migrate(false).await.expect("migrations");
    for off_ms in [7_230_000, -600_000, 0] {
        set_clock(&url, off_ms).await;
        store.claim_turn("a", &ClaimTurn::default()).await.expect("a turn");
        assert!(is_off_by(off_ms), "{off_ms}");
    }
    let (first, again) = (clock::now(), clock::now());
    assert!(again >= first);
}

/// What the database says of the checks.
struct Seen<'a> {
    runtime: &'a tokio::runtime::Runtime,
    url: &'a str,
}

impl Seen<'_> {
    fn count(&self, sql: &'static str) -> i64 {
        self.runtime.block_on(async {
            let mut connection = sqlx::PgConnection::connect(self.url).await.expect("a connection");
            sqlx::query_scalar(sql).fetch_one(&mut connection).await.expect("a count")
        })
    }
}

/// The machine's own clock is ten minutes behind from the start; nobody minds. (One hub's beside another's: `chaos`.)
#[test]
fn t201_t203_checks_go_on_when_the_clock_that_hubs_share_is_set_back_and_ahead() {
    const WEBSITES: i64 = 20;
    const INTERVAL_S: i64 = 14;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let (redis, url) = (Redis::start(), runtime.block_on(database()));
    runtime.block_on(set_clock(&url, 600_000));
    let redis_url = redis.url();
    let environment = [("DATABASE_URL", url.as_str()), ("REDIS_URL", &redis_url), ("JWT_SECRET_KEY", KEY)];
    let target = Target::start();
    let one = Hub::start(directory.path(), &environment);
    let two = Hub::start(directory.path(), &environment);
    let _probe = probe(directory.path(), &redis_url, "INDIA", "a");
    for hub in [&one, &two] {
        wait_until("the region to report", Duration::from_secs(20), || hub.process.log().contains("A region reports"));
    }
    assert!(one.process.log().contains("clock and the database's differ"), "{}", one.process.log());
    let ann = token(&two.url(""), "ann", "correct horse");
    for n in 0..WEBSITES {
        let body = format!("url={}&interval_s={INTERVAL_S}&timeout_s=5", target.url(&format!("/{n}")));
        assert_eq!(form(&two.url(""), "/websites/new", &ann, &body), 303);
    }
    let seen = Seen { runtime: &runtime, url: &url };
    let ticks = || seen.count("select count(*) from tick where kind = 'scheduled'");
    let rounds = |more: i64| {
        let enough = ticks() + more * WEBSITES;
        wait_until("more ticks", Duration::from_secs(90), || ticks() >= enough);
    };
    rounds(1);
    for off_ms in [0, 600_000] {
        // Some are under way when it is set.
        target.delay_by(1_500);
        let asked = target.hits();
        wait_until("checks to be under way", Duration::from_secs(30), || target.hits() >= asked + 2);
        runtime.block_on(set_clock(&url, off_ms));
        target.delay_by(0);
        rounds(2);
        eprintln!("{off_ms} ms: {} requests, {} ticks in all", target.hits(), seen.count("select count(*) from tick"));
    }
    assert_eq!(seen.count("select count(*) from dead_letter"), 0);
    assert_eq!(seen.count("select count(*) from transition where to_verdict = 'down'"), 0);
    // Set ahead by more than their freshness they are unknown until their next check, which said so.
    wait_until("all to be up", Duration::from_secs(30), || {
        seen.count("select count(*) from website_state where verdict = 'up'") == WEBSITES
    });
    assert!(!one.process.log().contains("panicked") && !two.process.log().contains("panicked"));
}
