//! Options of websites in the store, and what version 0001 left there.

use std::sync::Arc;

use hub::model::{
    ContentInput, FieldErrors, Kept, Options, OptionsInput, SecretText, SettingsInput, TargetRules, WebsiteSettings,
};
use hub::store::Store;
use sqlx::migrate::Migrator;

use super::{Fixture, MINUTE, saved, sqlite};
use crate::services;

on_both! {
    options_survive_the_store
    settings_of_a_newer_version_leave_the_hub_alone
    what_0001_left_is_read_after_0002
}

fn options() -> Arc<Options> {
    let row = |kind: &str, place: &str, value: &str| ContentInput {
        kind: kind.into(),
        place: place.into(),
        value: value.into(),
    };
    let typed = OptionsInput {
        method: "POST".into(),
        headers: SecretText::new("Accept: application/json\nX-Api-Key: k-\"ä\""),
        body: SecretText::new("{\"é\": 1}\n"),
        sign_in: "basic".into(),
        username: "ann".into(),
        password: SecretText::new("hunter2"),
        accept: "200-299, 301".into(),
        content: vec![row("json_equals", "/status", "ok"), row("matches", "", "v[0-9]+"), row("lacks", "", "ß")],
        slow_ms: "1500".into(),
        certificate_days: "14".into(),
        require_https: true,
        insecure_tls: true,
        ..OptionsInput::default()
    };
    let mut errors = FieldErrors::default();
    let options = typed.parse(Kept::Nothing, &mut errors);
    assert!(errors.is_empty(), "{errors}");
    options.shared()
}

async fn options_survive_the_store(f: Fixture) {
    let account = f.account("ann").await.account_id;
    let settings = WebsiteSettings { options: options(), ..WebsiteSettings::new("https://example.com/".into()) };
    let website = f.store.add_website(account, &settings, f.now).await.expect("a website");
    let id = website.website_id;
    assert_eq!(f.store.website(account, id).await.expect("a read"), Some(website.clone()));
    assert_eq!(f.store.board(account, f.now).await.expect("the board")[0].website.settings, settings);
    let scheduled = f.store.scheduled_website(id).await.expect("a read").expect("the website");
    assert_eq!(scheduled.settings.target(), settings.target());

    let plain = WebsiteSettings::new("https://example.com/".into());
    let edited = saved(f.store.edit_website(account, id, 1, &plain, f.now).await);
    assert!(Arc::ptr_eq(&edited.settings.options, &Options::standard()));
    assert_eq!(f.count("select count(*) from website where request = '{}' and expect = '{}'").await, 1);
    let again = saved(f.store.edit_website(account, id, 2, &settings, f.now).await);
    assert_eq!(again.settings, settings);
}

async fn settings_of_a_newer_version_leave_the_hub_alone(f: Fixture) {
    let account = f.account("ann").await.account_id;
    let (odd, fine) = (f.website(account).await, f.website(account).await);
    f.execute(
        "update website set request = '{\"method\": \"QUERY\", \"token\": \"hunter2\"}' \
         where website_id in (select website_id from website order by website_id limit 1)",
    )
    .await;
    let all = f.store.scheduled_websites(None, 10).await.expect("all are read");
    assert_eq!(all.iter().map(|w| w.is_unreadable).collect::<Vec<_>>(), [true, false]);
    assert_eq!(all[1].website_id, fine.website_id);
    assert_eq!(f.store.board(account, f.now).await.expect("the board").len(), 2);
    let text = format!("{all:?}");
    assert!(!text.contains("hunter2"), "{text}");
    // Saved anew, it is one like others.
    assert!(
        !saved(f.store.edit_website(account, odd.website_id, all[0].revision, &odd.settings, f.now).await)
            .is_unreadable
    );
}

/// The first migration alone.
async fn first_migration(directory: &std::path::Path, f: &Fixture) -> Migrator {
    let (kind, first) = match &f.url {
        Some(_) => ("postgres", include_str!("../../../../migrations/postgres/0001_foundation.sql")),
        None => ("sqlite", include_str!("../../../../migrations/sqlite/0001_foundation.sql")),
    };
    let only_first = directory.join(kind);
    std::fs::create_dir(&only_first).expect("a directory");
    std::fs::write(only_first.join("0001_foundation.sql"), first).expect("a file");
    Migrator::new(only_first).await.expect("the first migration")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_that_waits_for_a_long_reader_stops_nobody_else() {
    let f = Fixture::postgres().await;
    let directory = tempfile::tempdir().expect("a directory");
    let url = services::database().await;
    let pool = sqlx::PgPool::connect(&url).await.expect("Postgres");
    first_migration(directory.path(), &f).await.run(&pool).await.expect("0001");

    let mut reader = pool.begin().await.expect("a transaction");
    sqlx::query("select count(*) from tick").fetch_one(&mut *reader).await.expect("a long read, such as a backup");
    let migration = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async { Store::open_postgres(&url).await.expect("a store").migrate(false).await })
    });
    // It waits for the table of the reader, by name or as one of its parts.
    let waits = "select count(*) from pg_locks where relation = 'tick'::regclass and not granted";
    let bound = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while sqlx::query_scalar::<_, i64>(waits).fetch_one(&pool).await.expect("locks") == 0 {
        assert!(std::time::Instant::now() < bound && !migration.is_finished(), "it does not wait for the reader");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let mut hub = pool.begin().await.expect("a running hub");
    sqlx::query("set local lock_timeout = '100ms'").execute(&mut *hub).await.expect("a bound");
    sqlx::query("select count(*), max(request) from website").fetch_one(&mut *hub).await.expect("websites are read");
    sqlx::query("set local lock_timeout = '15s'").execute(&mut *hub).await.expect("a bound");
    sqlx::query("select count(*) from tick").fetch_one(&mut *hub).await.expect("it gives way to those behind it");
    hub.commit().await.expect("the hub goes on");
    assert!(!migration.is_finished());
    reader.commit().await.expect("the reader ends");
    migration.join().expect("a thread").expect("it is done at the next try");
    sqlx::query("select notes from tick").fetch_all(&pool).await.expect("the new column");
}

/// The first migration alone, as a released hub ran it, with rows of every table that changes.
async fn what_0001_left_is_read_after_0002(f: Fixture) {
    let directory = tempfile::tempdir().expect("a directory");
    let migrator = first_migration(directory.path(), &f).await;

    let id = uuid::Uuid::from_u128(1);
    let slot_at = f.now - MINUTE;
    macro_rules! fill {
        ($pool:expr) => {
            let pool = $pool;
            migrator.run(&pool).await.expect("0001");
            for sql in [
                "insert into account values ($1, 'ann', 'ann', 'hash', 1)",
                "insert into website (website_id, account_id, url, interval_ms, timeout_ms, created_at) \
                 values ($1, $1, 'https://example.com/', 60000, 10000, 1)",
                "insert into website_state values ($1, 'unknown', 1, 'not checked yet', null)",
            ] {
                sqlx::query(sql).bind(id).execute(&pool).await.expect(sql);
            }
            for sql in
                ["insert into region values ('a', 1)", "insert into worker values ('a', 'w1', 1, '0.1.0', 50, 7, 3)"]
            {
                sqlx::query(sql).execute(&pool).await.expect(sql);
            }
            let sql = "insert into tick (website_id, slot_at, region_id, attempt, worker_id, received_at, kind, \
                       started_at, outcome, total_us, body_bytes, truncated) \
                       values ($1, $2, 'a', 0, 'w1', $2, 'scheduled', $2, 'up', 4000, 2, false)";
            sqlx::query(sql).bind(id).bind(slot_at).execute(&pool).await.expect(sql);
            pool.close().await;
        };
    }
    let store = match &f.url {
        Some(_) => {
            let url = services::database().await;
            fill!(sqlx::PgPool::connect(&url).await.expect("Postgres"));
            Store::open_postgres(&url).await.expect("a store")
        }
        None => {
            fill!(sqlite(directory.path()).await);
            Store::open_sqlite(directory.path()).await.expect("a store")
        }
    };
    let applied = store.migrate(false).await.expect("what is left");
    assert!(
        applied.iter().any(|name| name.starts_with("0002")) && applied.iter().all(|name| !name.starts_with("0001"))
    );
    let (account, id) = (hub::model::AccountId(id), hub::model::WebsiteId(id));
    let website = store.website(account, id).await.expect("a read").expect("the website");
    let input = SettingsInput { url: "https://example.com", interval_s: "60", ..SettingsInput::default() };
    assert_eq!(website.settings, input.parse(&TargetRules::default(), None).expect("settings"));
    assert!(!website.is_unreadable);
    let ticks = store.ticks(account, id, None, 10).await.expect("ticks");
    assert_eq!((ticks.len(), ticks[0].tick.slot_at, ticks[0].tick.total_us), (1, slot_at, 4_000));
    assert!(ticks[0].tick.notes.is_empty() && ticks[0].tick.delays.is_empty());
    let regions = store.regions().await.expect("regions");
    assert_eq!(regions[0].workers[0].network, hub::model::NetworkState::Unasked);
    // And on it goes.
    let tick = super::region_tick(&website, "a", f.now, hub::model::Outcome::Up);
    assert_eq!(store.ingest(&[tick], f.now + 1_000).await.expect("ingest").new, 1);
}
