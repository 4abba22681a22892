//! A way to Postgres that died in silence.

use std::time::{Duration, Instant};

use testbed::fault_proxy::FaultProxy;

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t193_a_transaction_without_an_answer_is_given_up_and_its_batch_stored_by_another() {
    let f = Fixture::postgres().await;
    let url = f.url.clone().expect("Postgres");
    let account = f.account("ann").await.account_id;
    let website = f.website(account).await;
    let parsed = url::Url::parse(&url).expect("an address");
    let upstream = std::net::SocketAddr::from(([127, 0, 0, 1], parsed.port().expect("a port")));
    let proxy = FaultProxy::start(upstream);
    let mut through = parsed.clone();
    through.set_port(Some(proxy.address.port())).expect("a port");
    let store = Store::open_postgres(through.as_str()).await.expect("a store");
    let batch = [region_tick(&website, "a", f.now, Outcome::Up)];

    // It waits for the website in the middle of its transaction, and hears nothing any more.
    let pool = sqlx::PgPool::connect(&url).await.expect("Postgres");
    let mut held = pool.begin().await.expect("a transaction");
    let sql = "update website set revision = revision where website_id = $1";
    sqlx::query(sql).bind(website.website_id.0).execute(&mut *held).await.expect("a lock");
    let ingest = tokio::spawn({
        let (store, batch, now) = (store.clone(), batch.clone(), f.now);
        async move { store.ingest(&batch, now).await }
    });
    let started = Instant::now();
    while f.count(WAITING).await == 0 {
        assert!(started.elapsed() < Duration::from_secs(10), "waited for ingest to wait");
    }
    proxy.freeze();
    held.rollback().await.expect("an end");

    let error = tokio::time::timeout(Duration::from_secs(20), ingest).await.expect("it gives up").expect("a task");
    assert!(matches!(error, Err(StoreError::Silent)), "{error:?}");
    // What its transaction holds it holds until the database ends it: the batch waits for that, and no longer.
    let stored = tokio::time::timeout(Duration::from_secs(20), async {
        loop {
            match store.ingest(&batch, f.now).await {
                Ok(done) if done.new + done.known == 1 => return,
                Ok(_) | Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    });
    stored.await.expect("stored by another connection");
    assert_eq!(f.count("select count(*) from tick").await, 1);
}
