//! The clock hubs share is the database's.

use hub::clock;
use hub::store::{ClaimTurn, Store};
use sqlx::Connection as _;

use crate::services::database;

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
