//! Several hubs on one Postgres: what they tell each other, what each may publish, and that they can be stopped, killed
//! and paused in any order.

mod claims;
mod time;

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant};

use hub::model::{AccountId, MadeBy, Website, WebsiteId, WebsiteSettings};
use hub::store::{Change, Changes, Edited, Store};
use serde_json::json;
use sqlx::Connection as _;

use crate::client::{call, form, token};
use crate::process::{Hub, KEY, Target, probe};
use crate::services::{Redis, database, wait_until};

/// Two hubs' stores on one database, and an account.
async fn two() -> (Store, Store, String, AccountId) {
    let url = database().await;
    let one = Store::open_postgres(&url).await.expect("a store");
    one.migrate(false).await.expect("migrations");
    let two = Store::open_postgres(&url).await.expect("a store");
    let account = one.create_account("ann", "hash", MadeBy::Owner, 1).await.expect("an account").account_id;
    (one, two, url, account)
}

async fn website(store: &Store, account: AccountId) -> Website {
    store.add_website(account, &WebsiteSettings::new("http://a.example/".into()), 1).await.expect("a website")
}

fn told(changes: Changes) -> Vec<Change> {
    match changes {
        Changes::Some(changes) => changes,
        Changes::TooMany => panic!("too many"),
    }
}

fn ids(changes: &[Change]) -> Vec<WebsiteId> {
    changes.iter().map(|change| change.website_id).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_way_to_change_a_website_is_told_to_other_hubs_once() {
    let (one, two, url, account) = two().await;
    let mut position = two.changes_position().await.expect("a position").expect("Postgres has one");
    assert_eq!(told(two.changes_since(&mut position).await.unwrap()), []);
    let website = website(&one, account).await;
    let id = website.website_id;
    let added = told(two.changes_since(&mut position).await.unwrap());
    assert_eq!(ids(&added), [id]);
    assert_eq!(told(two.changes_since(&mut position).await.unwrap()), [], "once");

    let edited = one.edit_website(account, id, 1, &WebsiteSettings::new("http://b.example/".into()), 2).await;
    assert!(matches!(edited, Ok(Some(Edited::Saved(_)))));
    one.set_paused(account, id, true, 3).await.unwrap();
    one.set_paused(account, id, false, 4).await.unwrap();
    let mut connection = sqlx::PgConnection::connect(&url).await.unwrap();
    sqlx::raw_sql("update website set url = 'http://c.example/'").execute(&mut connection).await.unwrap();
    assert_eq!(ids(&told(two.changes_since(&mut position).await.unwrap())), [id; 4], "also by hand");
    let seen = two.scheduled_website(id).await.unwrap().unwrap();
    assert_eq!((seen.revision, seen.settings.url.as_str()), (5, "http://c.example/"), "a change by hand is a revision");
    sqlx::raw_sql("update website set watched_since_at = 9").execute(&mut connection).await.unwrap();
    assert_eq!(told(two.changes_since(&mut position).await.unwrap()), [], "nothing that is planned by");
    sqlx::raw_sql("delete from account").execute(&mut connection).await.unwrap();
    assert_eq!(ids(&told(two.changes_since(&mut position).await.unwrap())), [id], "with its account");
    assert_eq!(two.scheduled_among(&[id]).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_was_numbered_first_and_committed_last_is_not_missed() {
    let (one, two, url, account) = two().await;
    let (first, second) = (website(&one, account).await.website_id, website(&one, account).await.website_id);
    let mut position = two.changes_position().await.unwrap().unwrap();
    let mut connection = sqlx::PgConnection::connect(&url).await.unwrap();
    let mut slow = connection.begin().await.unwrap();
    sqlx::query("update website set interval_ms = 20000 where website_id = $1")
        .bind(first.0)
        .execute(&mut *slow)
        .await
        .unwrap();
    one.set_paused(account, second, true, 2).await.unwrap();
    assert_eq!(ids(&told(two.changes_since(&mut position).await.unwrap())), [second]);
    assert_eq!(told(two.changes_since(&mut position).await.unwrap()), []);
    slow.commit().await.unwrap();
    assert_eq!(ids(&told(two.changes_since(&mut position).await.unwrap())), [first]);
    assert_eq!(told(two.changes_since(&mut position).await.unwrap()), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_is_read_as_a_whole_and_what_is_old_is_forgotten() {
    let (one, two, url, account) = two().await;
    let mut position = two.changes_position().await.unwrap().unwrap();
    let mut connection = sqlx::PgConnection::connect(&url).await.unwrap();
    sqlx::query(
        "insert into website (website_id, account_id, url, interval_ms, timeout_ms, created_at) \
         select gen_random_uuid(), $1, 'http://a.example/' || n, 60000, 10000, 1 from generate_series(1, 10001) n",
    )
    .bind(account.0)
    .execute(&mut connection)
    .await
    .unwrap();
    assert_eq!(two.changes_since(&mut position).await.unwrap(), Changes::TooMany);
    // While transactions of others in the same cluster are open, they are told once more.
    let all_told = async {
        while two.changes_since(&mut position).await.unwrap() == Changes::TooMany {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), all_told).await.expect("they end");
    assert_eq!(told(two.changes_since(&mut position).await.unwrap()), []);
    sqlx::raw_sql("update website_change set at = at - 700000").execute(&mut connection).await.unwrap();
    one.drop_old_changes().await.unwrap();
    let left: i64 = sqlx::query_scalar("select count(*) from website_change").fetch_one(&mut connection).await.unwrap();
    assert_eq!(left, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_hub_looks_first_and_the_doorbell_rings() {
    let (one, two, _, account) = two().await;
    let mut bell = two.doorbell().await.expect("a doorbell").expect("Postgres has one");
    let mut position = two.changes_position().await.unwrap().unwrap();
    let id = website(&one, account).await.website_id;
    tokio::time::timeout(Duration::from_secs(10), bell.rings()).await.expect("it rings").expect("the connection holds");
    let changes = told(two.changes_since(&mut position).await.unwrap());
    let (a, b) = tokio::join!(one.take_first_looks(&changes), two.take_first_looks(&changes));
    let mut both = a.unwrap();
    both.extend(b.unwrap());
    assert_eq!(both, [id]);
}

#[test]
fn what_ends_on_one_hub_ends_on_the_other() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let (redis, url) = (Redis::start(), runtime.block_on(database()));
    let environment = [("DATABASE_URL", url.as_str()), ("REDIS_URL", &redis.url()), ("JWT_SECRET_KEY", KEY)];
    let (one, two) = (Hub::start(directory.path(), &environment), Hub::start(directory.path(), &environment));
    let ann = token(&one.url(""), "ann", "correct horse");
    assert_eq!(call("GET", &two.url("/website"), Some(&ann), None).0, 200, "one key, one account, two hubs");
    assert_eq!(form(&one.url(""), "/signout", &ann, ""), 303);
    // P9 allows 5 s; nothing is kept in between.
    assert_eq!(call("GET", &two.url("/website"), Some(&ann), None).0, 401);
    let (_, again) =
        call("POST", &two.url("/signin"), None, Some(&json!({"username": "ann", "password": "correct horse"})));
    let ann = again["token"].as_str().unwrap().to_owned();
    runtime.block_on(async {
        let mut connection = sqlx::PgConnection::connect(&url).await.unwrap();
        sqlx::raw_sql("delete from account").execute(&mut connection).await.unwrap();
    });
    assert_eq!(call("GET", &two.url("/website"), Some(&ann), None).0, 401);
    let wrong = json!({"username": "ann", "password": "correct horse"});
    assert_eq!(call("POST", &one.url("/signin"), None, Some(&wrong)).0, 400);
}

#[test]
fn a_first_look_taken_on_by_a_hub_that_died_is_done_by_another() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let (redis, url) = (Redis::start(), runtime.block_on(database()));
    let redis_url = redis.url();
    let environment = [("DATABASE_URL", url.as_str()), ("REDIS_URL", &redis_url), ("JWT_SECRET_KEY", KEY)];
    let target = Target::start();
    let hub = Hub::start(directory.path(), &environment);
    let _probe = probe(directory.path(), &redis_url, "INDIA", "a");
    wait_until("the region to report", Duration::from_secs(20), || hub.process.log().contains("A region reports"));
    token(&hub.url(""), "ann", "correct horse");
    // Added through a hub that took its look on, and was killed 88 s ago; its slot comes within a day.
    let address = target.url("/");
    let added = format!(
        "begin; \
         insert into website (website_id, account_id, url, interval_ms, timeout_ms, created_at) \
         select gen_random_uuid(), account_id, '{address}', 86400000, 5000, 1 from account; \
         insert into website_state (website_id, verdict, since_at, reason, fresh_until_at) \
         select website_id, 'unknown', 1, 'not checked yet', \
         (extract(epoch from clock_timestamp()) * 1000)::bigint + 2000 from website; \
         update website_change set looked = true; \
         commit"
    );
    runtime.block_on(async {
        let mut connection = sqlx::PgConnection::connect(&url).await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(added)).execute(&mut connection).await.unwrap();
    });
    wait_until("the look", Duration::from_secs(20), || target.hits() > 0);
    wait_until("its result", Duration::from_secs(10), || ticks(&runtime, &url) == 1);
    assert!(hub.process.log().contains("asked for again"), "{}", hub.process.log());
    std::thread::sleep(Duration::from_secs(6)); // a turn of what asks again
    assert_eq!(target.hits(), 1, "once");
}

const WEBSITES: usize = 40;
/// Slots are made good for 10 s, and taken over within 5.
const INTERVAL_S: i64 = 20;

#[test]
fn t292_hubs_stopped_killed_and_paused_lose_no_slot() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let (redis, url) = (Redis::start(), runtime.block_on(database()));
    let redis_url = redis.url();
    let environment = [
        ("DATABASE_URL", url.as_str()),
        ("REDIS_URL", &redis_url),
        ("JWT_SECRET_KEY", KEY),
        ("RUST_LOG", "info,hub::schedule=debug"),
    ];
    let target = Target::start();
    let mut one = Hub::start(directory.path(), &environment);
    let mut two = Hub::start(directory.path(), &environment);
    let _probes = ["a", "b"].map(|worker| probe(directory.path(), &redis_url, "INDIA", worker));
    for hub in [&one, &two] {
        wait_until("the region to report", Duration::from_secs(20), || hub.process.log().contains("A region reports"));
    }
    let ann = token(&one.url(""), "ann", "correct horse");
    let followed = || two.process.log().matches("Changes were followed").count();
    assert_eq!(followed(), 0);
    let body = |n: usize| format!("url={}&interval_s={INTERVAL_S}&timeout_s=5", target.url(&format!("/{n}")));
    assert_eq!(form(&one.url(""), "/websites/new", &ann, &body(0)), 303);
    let added = Instant::now();
    // P9 allows 5 s.
    wait_until("the other hub to know", Duration::from_secs(5), || followed() > 0);
    eprintln!("an edit reached the other hub within {:?} (a log file is looked at)", added.elapsed());
    (1..WEBSITES).for_each(|n| assert_eq!(form(&one.url(""), "/websites/new", &ann, &body(n)), 303));

    // (website, slot) of the scheduled checks.
    let slots = || {
        runtime.block_on(async {
            let mut connection = sqlx::PgConnection::connect(&url).await.unwrap();
            sqlx::query_as::<_, (uuid::Uuid, i64)>("select website_id, slot_at from tick where kind = 'scheduled'")
                .fetch_all(&mut connection)
                .await
                .unwrap()
        })
    };
    let rounds = |more: usize| {
        let before = slots().len();
        wait_until("more slots", Duration::from_secs(90), || slots().len() >= before + more * WEBSITES);
    };
    rounds(1);
    one.process.signal("STOP");
    std::thread::sleep(Duration::from_secs(10)); // as long as the fault lasts
    one.process.signal("CONT");
    rounds(1);
    assert_eq!(one.process.terminate(), Some(0));
    one = Hub::start(directory.path(), &environment);
    let doubled_by_a_stop = target.hits() as usize - ticks(&runtime, &url);
    two.process.signal("KILL");
    rounds(1);
    two = Hub::start(directory.path(), &environment);
    one.process.signal("KILL");
    rounds(2);

    let mut by_website: BTreeMap<uuid::Uuid, Vec<i64>> = BTreeMap::new();
    for (website, slot_at) in slots() {
        by_website.entry(website).or_default().push(slot_at);
    }
    assert_eq!(by_website.len(), WEBSITES);
    // Where in the interval a website's slots are is chance: so many of them are in three seconds in a row.
    let seconds: Vec<i64> = by_website.values().map(|of| of[0].rem_euclid(INTERVAL_S * 1_000) / 1_000).collect();
    let crowd = |from: i64| seconds.iter().filter(|second| (**second - from).rem_euclid(INTERVAL_S) < 3).count();
    let busiest = (0..INTERVAL_S).map(crowd).max().unwrap_or_default();
    for (website, mut slots) in by_website {
        slots.sort_unstable();
        let gaps: HashSet<i64> = slots.windows(2).map(|w| w[1] - w[0]).collect();
        assert_eq!(gaps, HashSet::from([INTERVAL_S * 1_000]), "{website}: a slot is missing: {slots:?}");
    }
    wait_until("all that was asked to be stored", Duration::from_secs(10), || {
        target.hits() as usize >= ticks(&runtime, &url)
    });
    let doubled = target.hits() as usize - ticks(&runtime, &url);
    eprintln!("requests beyond one per slot: {doubled_by_a_stop} around pause and stop, {doubled} in all");
    // What a killed hub published in the second it did not live to mark, twice; and one round trip of a paused hub.
    assert!(doubled <= 2 * busiest + 3, "{doubled}, at most {busiest} in three seconds");
    assert!(!two.process.log().contains("panicked") && !one.process.log().contains("panicked"));
}

fn ticks(runtime: &tokio::runtime::Runtime, url: &str) -> usize {
    runtime.block_on(async {
        let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
        let count: i64 = sqlx::query_scalar("select count(*) from tick").fetch_one(&mut connection).await.unwrap();
        usize::try_from(count).unwrap()
    })
}
