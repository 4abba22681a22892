//! A database full of websites that have been watched for a while.

use hub::store::Store;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

/// Makes one with so many websites: 80 % every minute, 10 % every 30 s, 5 % every 3 minutes, 5 % every 5; each on a host
/// of its own. Returns its URL.
pub(crate) async fn database(admin: &str, websites: u64) -> String {
    let mut connection = PgConnection::connect(admin).await.unwrap();
    let name = format!("bench_{}", uuid::Uuid::new_v4().simple());
    sqlx::query(AssertSqlSafe(format!("create database {name}"))).execute(&mut connection).await.unwrap();
    let url = format!("{}/{name}", admin.rsplit_once('/').unwrap().0);
    let store = Store::open_postgres(&url).await.unwrap();
    store.migrate(false).await.unwrap();
    store.close().await;
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let now = hub::clock::now();
    for sql in [
        format!(
            "insert into account (account_id, username, username_key, password_hash, created_at) values (gen_random_uuid(), 'ann', 'ann', '', {now})"
        ),
        format!(
            "insert into website (website_id, account_id, url, interval_ms, timeout_ms, created_at) \
             select gen_random_uuid(), account_id, 'https://www.host-' || n || '.example.com/health', \
             case when n % 20 < 16 then 60000 when n % 20 < 18 then 30000 when n % 20 = 18 then 180000 else 300000 end, \
             10000, 1 from account, generate_series(1, {websites}) n"
        ),
        "delete from website_change".to_owned(),
        format!(
            "insert into website_state (website_id, verdict, since_at, reason) select website_id, 'up', {now}, '' from website"
        ),
        format!(
            "insert into region_state (website_id, region_id, worker_id, slot_at, attempt, received_at, outcome, total_us, \
             failing_streak, good_streak, recent) select website_id, 'EU', 'w', 1, 0, {now}, 'up', 1, 0, 1, '' from website"
        ),
        format!("insert into region (region_id, created_at) values ('EU', {now})"),
        format!(
            "insert into worker (region_id, worker_id, seen_at, version, concurrency, checks, clock_offset_ms) \
             values ('EU', 'w', {now}, '', 1, 0, 0)"
        ),
        "vacuum analyze".to_owned(),
    ] {
        sqlx::query(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    }
    url
}

pub(crate) async fn drop_database(admin: &str, url: &str) {
    let mut connection = PgConnection::connect(admin).await.unwrap();
    let name = url.rsplit_once('/').unwrap().1;
    sqlx::query(AssertSqlSafe(format!("drop database {name} with (force)"))).execute(&mut connection).await.unwrap();
}
