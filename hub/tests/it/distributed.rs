//! Hub and probes as processes on real Postgres and Redis.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use sqlx::Connection as _;

use crate::client::{call, token};
use crate::process::{Hub, KEY, Target, probe};
use crate::services::{Redis, database, wait_until};

const WEBSITES: usize = 12;

type Row = (uuid::Uuid, String, i64, i64, String, String);

async fn ticks(url: &str) -> Vec<Row> {
    let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
    sqlx::query_as("select website_id, region_id, slot_at, attempt, worker_id, kind from tick where kind = 'scheduled'")
        .fetch_all(&mut connection)
        .await
        .unwrap()
}

#[test]
fn two_regions_with_two_workers_each_give_one_tick_per_region_and_slot_across_a_hub_restart() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let (redis, database_url) = (Redis::start(), runtime.block_on(database()));
    let environment = [("DATABASE_URL", database_url.as_str()), ("REDIS_URL", &redis.url()), ("JWT_SECRET_KEY", KEY)];
    let target = Target::start();
    let mut hub = Hub::start(directory.path(), &environment);
    let places = [("INDIA", "a"), ("INDIA", "b"), ("USA", "a"), ("USA", "b")];
    let mut probes: Vec<_> = places.map(|(r, w)| probe(directory.path(), &redis.url(), r, w)).into_iter().collect();
    wait_until("both regions to report", Duration::from_secs(20), || {
        hub.process.log().matches("A region reports").count() >= 2
    });

    let ann = token(&hub.url(""), "ann", "correct horse");
    let cookie = format!("betteruptime_session={ann}");
    for n in 0..WEBSITES {
        // The form's route: the ancestor's has no interval.
        let form = format!("url={}&interval_s=10&timeout_s=5", target.url(&format!("/{n}")));
        let agent: ureq::Agent = ureq::Agent::config_builder().max_redirects(0).build().into();
        let answer = agent
            .post(hub.url("/websites/new"))
            .header("cookie", &cookie)
            .header("origin", hub.url(""))
            .header("content-type", "application/x-www-form-urlencoded")
            .send(form.as_str())
            .unwrap();
        assert_eq!(answer.status().as_u16(), 303);
    }
    wait_until("a first tick from each region for each website", Duration::from_secs(10), || {
        let (_, list) = call("GET", &hub.url("/website"), Some(&ann), None);
        let list = list.as_array().cloned().unwrap_or_default();
        list.len() == WEBSITES && list.iter().all(|w| w["ticks"].as_array().is_some_and(|t| t.len() >= 2))
    });

    let slots = |rows: &[Row]| rows.len();
    wait_until("two rounds of slots", Duration::from_secs(40), || {
        slots(&runtime.block_on(ticks(&database_url))) >= WEBSITES * 2 * 2
    });
    assert_eq!(hub.process.terminate(), Some(0));
    let hub = Hub::start(directory.path(), &environment);
    let before = slots(&runtime.block_on(ticks(&database_url)));
    wait_until("two rounds after the restart", Duration::from_secs(40), || {
        slots(&runtime.block_on(ticks(&database_url))) >= before + WEBSITES * 2 * 2
    });

    let mut by_place: BTreeMap<(uuid::Uuid, String), Vec<i64>> = BTreeMap::new();
    let mut by_worker: BTreeMap<(String, String), usize> = BTreeMap::new();
    for (website, region, slot, _, worker, _) in runtime.block_on(ticks(&database_url)) {
        by_place.entry((website, region.clone())).or_default().push(slot);
        *by_worker.entry((region, worker)).or_default() += 1;
    }
    assert_eq!(by_place.len(), WEBSITES * 2);
    for (place, mut slots) in by_place {
        slots.sort_unstable();
        let gaps: Vec<i64> = slots.windows(2).map(|w| w[1] - w[0]).collect();
        assert!(gaps.iter().all(|g| *g == 10_000), "{place:?} has a missed or doubled slot: {gaps:?}");
    }
    assert_eq!(by_worker.len(), 4, "all workers share the load: {by_worker:?}");
    drop(hub);
    for probe in &mut probes {
        assert_eq!(probe.terminate(), Some(0), "{}", probe.log());
    }
}

#[test]
fn a_redis_that_lost_everything_is_filled_again() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let (mut redis, database_url) = (Redis::start(), runtime.block_on(database()));
    let environment = [("DATABASE_URL", database_url.as_str()), ("REDIS_URL", &redis.url()), ("JWT_SECRET_KEY", KEY)];
    let target = Target::start();
    let hub = Hub::start(directory.path(), &environment);
    let _probe = probe(directory.path(), &redis.url(), "INDIA", "a");
    wait_until("the region to report", Duration::from_secs(20), || hub.process.log().contains("A region reports"));
    let ann = token(&hub.url(""), "ann", "correct horse");
    let add = |path: &str| call("POST", &hub.url("/website"), Some(&ann), Some(&json!({"url": target.url(path)}))).1;
    let has_tick = |id: &str| {
        let (_, website) = call("GET", &hub.url(&format!("/status/{id}")), Some(&ann), None);
        website["ticks"][0]["status"] == "Up"
    };
    let first = add("/1")["id"].as_str().unwrap().to_owned();
    wait_until("the first tick", Duration::from_secs(10), || has_tick(&first));

    redis.crash_and_restart();
    // P11: Redis back, steady within 30 s. A website added now is checked as soon as group and worker are back.
    let second = add("/2")["id"].as_str().unwrap().to_owned();
    wait_until("a tick after Redis lost everything", Duration::from_secs(60), || has_tick(&second));
}
