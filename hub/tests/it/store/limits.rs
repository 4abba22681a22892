//! Nobody waits for a database without an end, and no statement holds up others for long.

use std::time::Duration;

use super::{Fixture, MINUTE, sqlite};

/// What the connections of a store are opened with, as the server has it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statements_locks_and_transactions_have_an_end_on_postgres() {
    let f = Fixture::postgres().await;
    // The store tells by itself: what it takes for a region is what holds on its connection.
    f.execute(
        "alter table worker rename to those; alter table region rename to these; \
         create view region as select current_setting('statement_timeout') || '-' || current_setting('lock_timeout') || '-' || \
         current_setting('idle_in_transaction_session_timeout') || '-' || current_setting('jit') as region_id, 0::bigint as created_at; \
         create view worker as select region_id, 'w' as worker_id, 0::bigint as seen_at, '' as version, 1::bigint as concurrency, \
         0::bigint as checks, 0::bigint as clock_offset_ms, 'works' as network, 0::bigint as excused, 0::bigint as in_flight, \
         0::bigint as counted_at, 0::bigint as counted_checks, 0::bigint as before_at, 0::bigint as before_checks from region",
    )
    .await;
    let regions = f.store.regions().await.expect("regions");
    assert_eq!(regions[0].region_id.as_str(), "5s-2s-10s-off");
    // A statement that takes longer is ended by the server, and its connection is as good as before.
    f.execute(
        "create or replace view region as select 'EU'::text as region_id, 0::bigint as created_at from pg_sleep(60)",
    )
    .await;
    let begun = std::time::Instant::now();
    let refused = f.store.regions().await.expect_err("too long");
    assert!(refused.to_string().contains("statement timeout"), "{refused}");
    assert!(begun.elapsed() < Duration::from_secs(11), "{:?}", begun.elapsed());
    f.store.ping().await.expect("it answers");
}

/// A page does not wait for whoever has locked what it reads (a person with psql, a migration).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_gives_a_lock_up_after_two_seconds_on_postgres() {
    let f = Fixture::postgres().await;
    let website = f.website(f.account("ann").await.account_id).await;
    let pool = sqlx::PgPool::connect(f.url.as_deref().expect("Postgres")).await.expect("Postgres");
    let mut tx = pool.begin().await.expect("a transaction");
    sqlx::query("lock table website_state in access exclusive mode").execute(&mut *tx).await.expect("a lock");
    let begun = std::time::Instant::now();
    let refused = f.store.board_row(website.account_id, website.website_id, f.now).await.expect_err("locked");
    assert!(refused.to_string().contains("lock timeout") && refused.is_passing(), "{refused}");
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    tx.rollback().await.expect("a rollback");
    let row = f.store.board_row(website.account_id, website.website_id, f.now).await.expect("the board");
    assert!(row.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_waits_for_that_of_another_process_and_a_read_does_not_on_sqlite() {
    let f = Fixture::sqlite().await;
    let website = f.website(f.account("ann").await.account_id).await;
    let (account, id) = (website.account_id, website.website_id);
    let pool = sqlite(f.directory.path()).await;
    let mut other = pool.acquire().await.expect("a connection");
    sqlx::query("begin immediate").execute(&mut *other).await.expect("a lock");
    let store = f.store.clone();
    let mut paused = tokio::spawn(async move { store.set_paused(account, id, true, f.now + MINUTE).await });
    assert!(tokio::time::timeout(Duration::from_millis(300), &mut paused).await.is_err(), "it waits");
    let row = f.store.board_row(account, id, f.now).await.expect("a read beside it").expect("the website");
    assert!(!row.website.paused);
    sqlx::query("rollback").execute(&mut *other).await.expect("a rollback");
    let saved = paused.await.expect("a task").expect("a write").expect("the website");
    assert!(saved.paused);
}
