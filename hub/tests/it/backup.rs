//! Backups, and going back to them: nothing of what was there is missing.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _};

use crate::client::{call, token};
use crate::process::{Hub, KEY, Target, probe};
use crate::services::{Redis, database, wait_until};

fn back_up(directory: &Path, to: &str, environment: &[(&str, &str)]) -> Output {
    let program = env!("CARGO_BIN_EXE_betteruptime-hub");
    Command::new(program)
        .env_clear()
        .envs(environment.iter().copied())
        .current_dir(directory)
        .args(["backup", to])
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// A website that has been seen, and what the API says of all of them.
fn watch(hub: &Hub, ann: &str, url: &str) {
    assert_eq!(call("POST", &hub.url("/website"), Some(ann), Some(&json!({ "url": url }))).0, 201);
    wait_until("its first tick", Duration::from_secs(20), || {
        let list = websites(hub, ann);
        list.as_array().is_some_and(|all| all.iter().all(|website| website["ticks"][0]["status"] == "Up"))
    });
}

fn websites(hub: &Hub, ann: &str) -> Value {
    call("GET", &hub.url("/website"), Some(ann), None).1
}

fn rows(table: &str) -> BTreeMap<String, i64> {
    let lines = table.lines().skip(1).take_while(|line| !line.is_empty());
    lines
        .map(|line| line.split_once(char::is_whitespace).unwrap())
        .map(|(t, n)| (t.to_owned(), n.trim().parse().unwrap()))
        .collect()
}

#[test]
fn a_copy_made_while_the_hub_works_is_a_state_directory_to_go_back_to() {
    let directory = tempfile::tempdir().unwrap();
    let target = Target::start();
    let mut hub = Hub::start(directory.path(), &[]);
    let ann = token(&hub.url(""), "ann", "correct horse");
    watch(&hub, &ann, &target.url("/before"));
    let before = websites(&hub, &ann);

    // What one that was killed has left.
    std::fs::create_dir(directory.path().join("copy.part")).unwrap();
    std::fs::write(directory.path().join("copy.part/betteruptime.sqlite"), "half").unwrap();
    let made = back_up(directory.path(), "copy", &[]);
    assert!(made.status.success(), "{}", said(&made));
    let counts = rows(&String::from_utf8_lossy(&made.stdout));
    assert_eq!((counts["account"], counts["website"], counts["session"]), (1, 1, 1), "{counts:?}");
    assert!(counts["tick"] >= 1 && !directory.path().join("copy.part").exists(), "{counts:?}");
    for (name, mode) in [("copy", 0o700), ("copy/jwt-secret-key", 0o600), ("copy/betteruptime.sqlite", 0o600)] {
        let found = std::fs::metadata(directory.path().join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(found, mode, "{name}");
    }
    watch(&hub, &ann, &target.url("/after"));
    let again = back_up(directory.path(), "copy", &[]);
    assert!(!again.status.success() && said(&again).contains("copy is there already"), "{}", said(&again));

    assert_eq!(hub.process.terminate(), Some(0));
    std::fs::remove_dir_all(directory.path().join("data")).unwrap();
    std::fs::rename(directory.path().join("copy"), directory.path().join("data")).unwrap();
    let hub = Hub::start(directory.path(), &[]);
    let now = websites(&hub, &ann);
    assert_eq!(now.as_array().map(Vec::len), Some(1), "what was made after it is not in it; the session is: {now}");
    let (tick, older) = (&before[0]["ticks"][0], now[0]["ticks"].as_array().unwrap());
    assert!(now[0]["id"] == before[0]["id"] && older.contains(tick), "{now}");
}

#[test]
fn a_backup_that_cannot_be_made_says_why_and_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let nothing = back_up(directory.path(), "copy", &[]);
    assert!(
        !nothing.status.success() && said(&nothing).contains("no betteruptime.sqlite in ./data"),
        "{}",
        said(&nothing)
    );
    std::fs::create_dir(directory.path().join("data")).unwrap();
    std::fs::write(
        directory.path().join("data/betteruptime.sqlite"),
        "no database at all, and longer than a header of one",
    )
    .unwrap();
    let broken = back_up(directory.path(), "copy", &[]);
    assert!(!broken.status.success(), "{}", said(&broken));
    let nowhere = back_up(directory.path(), "no/such/place", &[]);
    assert!(!nowhere.status.success() && said(&nowhere).contains("its parent has to be there"), "{}", said(&nowhere));
    let postgres = [
        ("DATABASE_URL", "postgres://u:hunter2@127.0.0.1:1/x"),
        ("REDIS_URL", "redis://127.0.0.1:1"),
        ("JWT_SECRET_KEY", KEY),
    ];
    let elsewhere = back_up(directory.path(), "copy", &postgres);
    assert!(!elsewhere.status.success() && said(&elsewhere).contains("pg_dump"), "{}", said(&elsewhere));
    assert!(!said(&elsewhere).contains("hunter2"));
    let left: Vec<_> = std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["data"]);
}

/// Rows of all tables.
async fn counted(url: &str) -> BTreeMap<String, i64> {
    let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
    let tables: Vec<String> = sqlx::query_scalar("select tablename::text from pg_tables where schemaname = 'public'")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    let mut counts = BTreeMap::new();
    for table in tables {
        let sql = format!("select count(*) from \"{table}\"");
        let rows = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut connection).await.unwrap();
        counts.insert(table, rows);
    }
    counts
}

fn tool(program: &str, arguments: &[&str]) {
    let done = Command::new(program).args(arguments).output().unwrap_or_else(|e| panic!("{program}: {e}"));
    assert!(done.status.success(), "{program} {arguments:?}: {}", said(&done));
}

#[test]
fn postgres_is_dumped_while_the_hub_works_and_restored_with_every_row() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let (redis, database_url, target) = (Redis::start(), runtime.block_on(database()), Target::start());
    let start = |url: &str, redis: &Redis, state: &str| {
        let redis_url = redis.url();
        let environment =
            [("DATABASE_URL", url), ("REDIS_URL", &redis_url), ("JWT_SECRET_KEY", KEY), ("STATE_DIRECTORY", state)];
        Hub::start(directory.path(), &environment)
    };
    let mut hub = start(&database_url, &redis, "one");
    let _probe = probe(directory.path(), &redis.url(), "EU", "a");
    let ann = token(&hub.url(""), "ann", "correct horse");
    watch(&hub, &ann, &target.url("/before"));
    // As docs/OPERATIONS.md says.
    let dump = directory.path().join("betteruptime.dump");
    let file = format!("--file={}", dump.display());
    tool("pg_dump", &["--format=custom", &file, &database_url]);
    watch(&hub, &ann, &target.url("/after"));
    assert_eq!(hub.process.terminate(), Some(0));
    let at_rest = format!("--file={}", directory.path().join("at-rest.dump").display());
    tool("pg_dump", &["--format=custom", &at_rest, &database_url]);

    for (dump, websites_then) in [("at-rest.dump", 2), ("betteruptime.dump", 1)] {
        let restored = runtime.block_on(database());
        let dump = directory.path().join(dump);
        let dump = dump.to_str().unwrap();
        tool("pg_restore", &["--no-owner", "--no-privileges", "--exit-on-error", "--dbname", &restored, dump]);
        let (was, is) = (runtime.block_on(counted(&database_url)), runtime.block_on(counted(&restored)));
        assert_eq!((is["account"], is["website"]), (1, websites_then), "{is:?}");
        if websites_then == 2 {
            assert_eq!(was, is);
        }
        let redis = Redis::start();
        let hub = start(&restored, &redis, "two");
        let list = websites(&hub, &ann);
        assert_eq!(list.as_array().map(|all| all.len() as i64), Some(websites_then), "the session is kept too: {list}");
        assert_eq!(list[0]["ticks"][0]["status"], "Up");
    }
}
