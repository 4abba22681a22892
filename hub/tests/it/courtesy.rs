//! No target sees more than it was promised: many websites on one host, and a hub that comes back.

use std::time::{Duration, Instant};

use hub::model::{MadeBy, WebsiteSettings};
use hub::store::Store;

use crate::client::{call, form, page, token};
use crate::process::{Hub, Target};
use crate::services::wait_until;

/// Requests in each of some seconds, and how many seconds it were, begun ones included: a busy machine looks late.
fn per_second(target: &Target, seconds: usize) -> (Vec<u64>, u64) {
    let begun = Instant::now();
    let mut counts = vec![target.hits()];
    for n in 1..=seconds {
        std::thread::sleep((begun + Duration::from_secs(n as u64)).saturating_duration_since(Instant::now()));
        counts.push(target.hits());
    }
    (counts.windows(2).map(|pair| pair[1] - pair[0]).collect(), begun.elapsed().as_secs() + 1)
}

#[test]
fn t258_many_websites_on_one_host_get_their_share_one_by_one() {
    const PER_S: u64 = 2;
    let directory = tempfile::tempdir().unwrap();
    let target = Target::start();
    let limit = PER_S.to_string();
    let hub = Hub::start(directory.path(), &[("HOST_CHECKS_PER_S", &limit)]);
    let base = hub.url("");
    let ann = token(&base, "ann", "correct horse");
    // 60 websites every 10 s are 6 per second; each is looked at every 40 s at most, and would be unknown after 36.
    for n in 0..60 {
        let body = format!("url={}&interval_s=10&timeout_s=1", target.url(&format!("/{n}")));
        assert_eq!(form(&base, "/websites/new", &ann, &body), 303);
    }
    // First looks besides, at half the rate; a second here is not quite one there.
    let (first, seconds) = per_second(&target, 20);
    assert!(first.iter().all(|hits| *hits <= 4 * (PER_S + PER_S / 2) + 2), "{first:?}");
    assert!(first.iter().sum::<u64>() <= (PER_S + PER_S / 2) * seconds + 4, "{seconds}: {first:?}");
    // By now they are over: none is worth sending after its interval.
    let (steady, seconds) = per_second(&target, 20);
    let sum: u64 = steady.iter().sum();
    // A busy machine makes a second of two or three; the sum is what tells.
    assert!(steady.iter().all(|hits| *hits <= 4 * PER_S + 2), "{steady:?}");
    assert!((PER_S * 20 * 6 / 10..=PER_S * seconds + 4).contains(&sum), "{seconds}: {steady:?}");
    let _ = per_second(&target, 20);
    assert!(!hub.process.log().contains("No region reports"), "{}", hub.process.log());
    let list = call("GET", &hub.url("/website"), Some(&ann), None).1;
    let id = list[0]["id"].as_str().unwrap();
    let (_, text) = page(&base, &format!("/websites/{id}"), &ann);
    assert!(text.contains("Its host is crowded"), "{text}");
    assert!(hub.process.log().contains("Slots were left out"), "{}", hub.process.log());
}

#[test]
fn t256_after_an_hour_off_the_load_comes_back_over_one_interval() {
    const WEBSITES: i64 = 2_000;
    const INTERVAL_S: i64 = 60;
    let directory = tempfile::tempdir().unwrap();
    let target = Target::start();
    let state = directory.path().join("data");
    std::fs::create_dir(&state).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = Store::open_sqlite(&state).await.unwrap();
        store.migrate(false).await.unwrap();
        let account = store.create_account("ann", "hash", MadeBy::Owner, 1).await.unwrap().account_id;
        let settings = WebsiteSettings { interval_ms: INTERVAL_S * 1_000, ..WebsiteSettings::new(target.url("/0")) };
        store.add_website(account, &settings, 1).await.unwrap();
        store.close().await;
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(state.join("betteruptime.sqlite"));
        let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
        let hour_ago = hub::clock::now() - 3_600_000;
        let sql = format!(
            "with recursive n(n) as (select 1 union all select n + 1 from n where n < {WEBSITES} - 1) \
             insert into website (website_id, account_id, url, interval_ms, timeout_ms, created_at) \
             select randomblob(16), account_id, replace(url, '/0', '/' || n), interval_ms, timeout_ms, 1 from website, n; \
             insert into website_state (website_id, verdict, since_at, reason) \
             select website_id, 'unknown', {hour_ago}, '' from website where true on conflict do nothing; \
             insert into region_state (website_id, region_id, worker_id, slot_at, attempt, received_at, outcome, total_us, \
             failing_streak, good_streak, recent) \
             select website_id, 'LOCAL', 'hub', {hour_ago}, 0, {hour_ago}, 'up', 1, 0, 1, x'' from website; \
             insert into region (region_id, created_at) values ('LOCAL', 1); \
             insert into worker (region_id, worker_id, seen_at, version, concurrency, checks, clock_offset_ms) \
             values ('LOCAL', 'hub', {hour_ago}, '', 1, 0, 0)"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&pool).await.unwrap();
        pool.close().await;
    });
    let hub = Hub::start(directory.path(), &[("HOST_CHECKS_PER_S", "1000")]);
    wait_until("the schedule to be loaded", Duration::from_secs(20), || hub.process.log().contains("websites=2000"));
    let (seconds, _) = per_second(&target, 20);
    let per_s = (WEBSITES / INTERVAL_S) as u64;
    // A busy machine makes a second of two or three; what was missed would be hundreds.
    assert!(seconds.iter().all(|hits| *hits <= 5 * per_s), "no burst: {seconds:?}");
    assert!(seconds.iter().sum::<u64>() >= per_s * 20 / 3, "and it is under way: {seconds:?}");
    let twice = (0..WEBSITES).filter(|n| target.hits_of(&format!("/{n}")) > 1).count();
    assert_eq!(twice, 0, "nobody was looked at twice within an interval");
}
