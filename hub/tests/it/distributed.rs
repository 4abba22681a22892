//! Hub and probes as processes on real Postgres and Redis.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use sqlx::Connection as _;

use crate::client::{call, form, token};
use crate::process::{Hub, KEY, Target, probe};
use crate::services::{Redis, database, wait_until};

const WEBSITES: usize = 12;
/// Slots are made good for 10 s: a hub that is stopped and started again has to be back by then.
const INTERVAL_S: i64 = 20;

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
    for n in 0..WEBSITES {
        // The form's route: the ancestor's has no interval.
        let body = format!("url={}&interval_s={INTERVAL_S}&timeout_s=5", target.url(&format!("/{n}")));
        assert_eq!(form(&hub.url(""), "/websites/new", &ann, &body), 303);
    }
    wait_until("a first tick from each region for each website", Duration::from_secs(20), || {
        let (_, list) = call("GET", &hub.url("/website"), Some(&ann), None);
        let list = list.as_array().cloned().unwrap_or_default();
        list.len() == WEBSITES && list.iter().all(|w| w["ticks"].as_array().is_some_and(|t| t.len() >= 2))
    });

    let slots = |rows: &[Row]| rows.len();
    wait_until("a round of slots", Duration::from_secs(60), || {
        slots(&runtime.block_on(ticks(&database_url))) >= WEBSITES * 2
    });
    assert_eq!(hub.process.terminate(), Some(0));
    let hub = Hub::start(directory.path(), &environment);
    let before = slots(&runtime.block_on(ticks(&database_url)));
    wait_until("two rounds after the restart", Duration::from_secs(80), || {
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
        assert!(gaps.iter().all(|g| *g == INTERVAL_S * 1_000), "{place:?} has a missed or doubled slot: {gaps:?}");
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

    // A region that has retired: Redis will know nothing of it.
    runtime.block_on(async {
        let mut connection = sqlx::PgConnection::connect(&database_url).await.unwrap();
        for sql in [
            "insert into region (region_id, created_at) values ('ASIA', 0)",
            "insert into worker (region_id, worker_id, seen_at, version, concurrency, checks, clock_offset_ms) \
             values ('ASIA', 'a', 0, '0.1.0', 1, 0, 0)",
        ] {
            sqlx::query(sql).execute(&mut connection).await.unwrap();
        }
    });
    redis.crash_and_restart();
    // P11: Redis back, steady within 30 s. A website added now is checked as soon as group and worker are back.
    let second = add("/2")["id"].as_str().unwrap().to_owned();
    wait_until("a tick after Redis lost everything", Duration::from_secs(60), || has_tick(&second));
    let mut connection = ::redis::Client::open(redis.url()).unwrap().get_connection().unwrap();
    wait_until("done checks to be trimmed, retired regions or not", Duration::from_secs(20), || {
        // The last one stays: a stream is trimmed up to what was last delivered.
        ::redis::cmd("XLEN").arg("betteruptime:website:INDIA").query::<u64>(&mut connection).unwrap() <= 1
    });
}

#[test]
fn t160_what_a_hostile_worker_writes_stops_nobody_else() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let (redis, database_url) = (Redis::start(), runtime.block_on(database()));
    let environment = [("DATABASE_URL", database_url.as_str()), ("REDIS_URL", &redis.url()), ("JWT_SECRET_KEY", KEY)];
    let target = Target::start();
    let hub = Hub::start(directory.path(), &environment);
    let _probe = probe(directory.path(), &redis.url(), "INDIA", "a");
    wait_until("the region to report", Duration::from_secs(20), || hub.process.log().contains("A region reports"));
    let ann = token(&hub.url(""), "ann", "correct horse");
    let url = json!({"url": target.url("/")});
    let id = call("POST", &hub.url("/website"), Some(&ann), Some(&url)).1["id"].as_str().unwrap().to_owned();

    let mut connection = ::redis::Client::open(redis.url()).unwrap().get_connection().unwrap();
    let beat = |version: &str| {
        format!(
            r#"{{"version":"{version}","started_at":0,"sent_at":0,"concurrency":1,"in_flight":0,"checks":0,"expired":0,
                "refused":0,"buffered":0,"dropped":0,"lost":0,"stopping":false}}"#
        )
    };
    let tick = |website: &str| {
        format!(
            r#"{{"website_id":"{website}","slot_at":1,"attempt":0,"kind":"scheduled","started_at":1,"outcome":"up",
                "phases":{{}},"total_us":1,"body_bytes":0,"truncated":false,"hops":[]}}"#
        )
    };
    let mut write = |entry: &str, kind: &str, body: &str| {
        let mut command = ::redis::cmd("XADD");
        command
            .arg("betteruptime:tick:EVIL:x")
            .arg(entry)
            .arg("v")
            .arg("1")
            .arg("kind")
            .arg(kind)
            .arg("body")
            .arg(body);
        command.query::<String>(&mut connection).unwrap()
    };
    write("*", "heartbeat", &beat("\\u0000"));
    write("*", "tick", "not json");
    write("*", "nonsense", &"x".repeat(100_000));
    // T150: it says to be another; who it is, is told by the stream's name.
    let claims = r#""hops":[],"region":"INDIA","region_id":"INDIA","worker":"a","worker_id":"a""#;
    write("*", "tick", &tick(&id).replace(r#""hops":[]"#, claims));
    // Letters about checks, which quote nothing of them; the last comes twice.
    let letter = |entry: &str| {
        format!(r#"{{"entry_id":"{entry}","reason":"refused","detail":"This probe does not know the option \"x\"."}}"#)
    };
    for entry in ["1-0", "2-0", "2-0"] {
        write("*", "dead_letter", &letter(entry));
    }
    write("9223372036854775806-0", "heartbeat", &beat("9.9"));
    write("9223372036854775807-0", "tick", &tick(&id));

    let dead = |about: &str| {
        runtime.block_on(async {
            let mut connection = sqlx::PgConnection::connect(&database_url).await.unwrap();
            sqlx::query_scalar::<_, i64>("select count(*) from dead_letter where reason like $1")
                .bind(about)
                .fetch_one(&mut connection)
                .await
                .unwrap()
        })
    };
    let refused = || dead("refused: This probe does not know the option%");
    wait_until("what cannot be understood to be put aside", Duration::from_secs(20), || {
        dead("%") >= 4 && refused() >= 2
    });
    assert_eq!(refused(), 2, "one row for each check, once");
    let url = json!({"url": target.url("/after")});
    let after = call("POST", &hub.url("/website"), Some(&ann), Some(&url)).1["id"].as_str().unwrap().to_owned();
    wait_until("an honest worker's tick", Duration::from_secs(15), || {
        let (_, website) = call("GET", &hub.url(&format!("/status/{after}")), Some(&ann), None);
        website["ticks"].as_array().is_some_and(|t| t.iter().any(|t| t["regionId"] == "INDIA" && t["status"] == "Up"))
    });
    // Of slot 1 nothing is kept under the name that was claimed.
    let claimed = "select count(*) from tick where slot_at = 1 and (region_id = 'INDIA' or worker_id = 'a')";
    let claimed = runtime.block_on(async {
        let mut connection = sqlx::PgConnection::connect(&database_url).await.unwrap();
        sqlx::query_scalar::<_, i64>(claimed).fetch_one(&mut connection).await.unwrap()
    });
    assert_eq!(claimed, 0);
    assert!(!hub.process.log().contains("panicked"), "{}", hub.process.log());
}

#[test]
fn a_slot_waits_a_little_for_a_region_that_was_not_heard_of() {
    // A slot waits for 10 s.
    const INTERVAL_MS: i64 = 20_000;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let (redis, database_url) = (Redis::start(), runtime.block_on(database()));
    let environment = [("DATABASE_URL", database_url.as_str()), ("REDIS_URL", &redis.url()), ("JWT_SECRET_KEY", KEY)];
    let target = Target::start();
    let hub = Hub::start(directory.path(), &environment);
    let mut connection = redis.connection();
    let mut command = ::redis::cmd("XADD");
    command.arg("betteruptime:tick:INDIA:a").arg("*").arg("v").arg("1").arg("kind").arg("heartbeat").arg("body").arg(
        r#"{"version":"0.1.0","started_at":0,"sent_at":0,"concurrency":1,"in_flight":0,"checks":0,"expired":0,
            "refused":0,"buffered":0,"dropped":0,"lost":0,"stopping":false}"#,
    );
    let mut beat = || {
        command.query::<String>(&mut connection).unwrap();
        hub::clock::wall()
    };
    let beat_at = beat();
    wait_until("the region to report", Duration::from_secs(20), || hub.process.log().contains("A region reports"));
    let ann = token(&hub.url(""), "ann", "correct horse");
    let body = format!("url={}&interval_s={}&timeout_s=5", target.url("/"), INTERVAL_MS / 1_000);
    assert_eq!(form(&hub.url(""), "/websites/new", &ann, &body), 303);
    let (_, list) = call("GET", &hub.url("/website"), Some(&ann), None);
    let id = hub::model::WebsiteId(list[0]["id"].as_str().unwrap().parse().unwrap());
    let phase_ms = hub::model::slots::phase_ms(id, &"INDIA".parse().unwrap(), INTERVAL_MS);
    let slot_at = hub::model::slots::next_slot_at(phase_ms, INTERVAL_MS, beat_at + 36_000);

    let mut reader = redis.connection();
    let mut is_given_out = || {
        let mut command = ::redis::cmd("XRANGE");
        command.arg("betteruptime:website:INDIA").arg("-").arg("+");
        let entries: Vec<(String, Vec<String>)> = command.query(&mut reader).unwrap();
        let slot = format!("\"slot_at\":{slot_at},");
        entries.iter().flat_map(|(_, fields)| fields).any(|field| field.contains(&slot))
    };
    wait_until("a slot of the silent region", Duration::from_secs(90), || hub::clock::wall() >= slot_at + 1_500);
    assert!(!is_given_out(), "nobody would look");
    beat();
    wait_until("its check", Duration::from_secs(8), is_given_out);
}
