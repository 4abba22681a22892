//! `doctor`, beside hubs that are well and hubs that are not; and the page of room on disk.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{call, page, token};
use crate::process::{Hub, KEY};
use crate::services::{Redis, database, free_port};

/// In each secret that is given: nothing that is printed has it.
const MARKER: &str = "Zq7Marker";

struct Told {
    code: i32,
    json: Value,
    text: String,
}

impl Told {
    fn of(directory: &Path, environment: &[(&str, &str)]) -> Self {
        let run = |arguments: &[&str]| {
            let output = Command::new(env!("CARGO_BIN_EXE_betteruptime-hub"))
                .env_clear()
                .envs(environment.iter().copied())
                .current_dir(directory)
                .args(arguments)
                .stdin(Stdio::null())
                .output()
                .unwrap();
            let (out, err) =
                (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr).into_owned());
            assert!(!out.contains(MARKER) && !err.contains(MARKER), "{out}{err}");
            assert!(!out.contains(KEY) && !out.contains('\u{1b}'), "no secret, and no colour in a pipe: {out}");
            (output.status.code().unwrap(), out)
        };
        let began = Instant::now();
        let (code, out) = run(&["doctor", "--json"]);
        assert!(began.elapsed() < Duration::from_secs(40), "{:?}", began.elapsed());
        let json: Value = serde_json::from_str(&out).unwrap_or_else(|e| panic!("{e}: {out}"));
        assert_eq!(json["ok"], code == 0, "{json}");
        for finding in json["findings"].as_array().unwrap() {
            let is_ok = finding["state"] == "ok";
            assert_eq!(finding["remedy"].is_null(), is_ok, "what is not well has a remedy: {finding}");
        }
        let (same, text) = run(&["doctor"]);
        assert_eq!(same, code, "{text}");
        Self { code, json, text }
    }

    /// States of an area, in order.
    fn states(&self, area: &str) -> Vec<&str> {
        let all = self.json["findings"].as_array().into_iter().flatten();
        all.filter(|finding| finding["area"] == area).filter_map(|finding| finding["state"].as_str()).collect()
    }

    fn found(&self, area: &str) -> String {
        let all = self.json["findings"].as_array().into_iter().flatten();
        let found: Vec<&str> = all.filter(|f| f["area"] == area).filter_map(|f| f["found"].as_str()).collect();
        found.join(" ")
    }

    fn failed(&self) -> Vec<&str> {
        let all = self.json["findings"].as_array().into_iter().flatten();
        all.filter(|finding| finding["state"] == "fail").filter_map(|finding| finding["area"].as_str()).collect()
    }
}

fn files(directory: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn embedded_before_beside_and_after_a_hub() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let before = Told::of(directory.path(), &[]);
    assert_eq!((before.code, before.failed().len()), (0, 0), "{}", before.text);
    assert_eq!((before.states("state"), before.states("database")), (vec!["warn"], vec!["warn"]));
    assert!(files(directory.path()).is_empty(), "nothing is made");

    let mut hub = Hub::start(directory.path(), &[]);
    let ann = token(&hub.url(""), "ann", "correct horse");
    let url = json!({"url": "https://site.example.com/"});
    assert_eq!(call("POST", &hub.url("/website"), Some(&ann), Some(&url)).0, 201);
    crate::services::wait_until("the hub to say that it is there", Duration::from_secs(30), || {
        Told::of(directory.path(), &[]).states("hubs") == ["ok"]
    });
    let beside = Told::of(directory.path(), &[]);
    assert_eq!((beside.code, beside.failed().len()), (0, 0), "{}", beside.text);
    for area in ["settings", "state", "key", "address", "database", "schema", "redis", "capacity", "history", "letters"]
    {
        assert_eq!(beside.states(area), ["ok"], "{area}: {}", beside.text);
    }
    assert_eq!(beside.states("channels"), ["warn"], "nobody is told");
    assert!(beside.found("capacity").contains("free, enough for"), "{}", beside.text);
    let key = std::fs::read_to_string(data.join("jwt-secret-key")).unwrap();
    assert!(!beside.text.contains(key.trim()));

    assert_eq!(hub.process.terminate(), Some(0));
    let left = files(&data);
    let after = Told::of(directory.path(), &[]);
    assert_eq!(
        (after.code, after.states("database"), after.states("hubs")),
        (0, vec!["ok"], vec!["warn"]),
        "{}",
        after.text
    );
    assert_eq!(files(&data), left, "nothing is made beside a file that nobody has open");

    let mode = |path: &Path, mode: u32| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(&data, 0o755);
    mode(&data.join("jwt-secret-key"), 0o644);
    let open = Told::of(directory.path(), &[]);
    assert_eq!((open.code, open.failed()), (1, vec!["state", "key"]), "{}", open.text);
    mode(&data.join("jwt-secret-key"), 0o600);
    mode(&data, 0o700);
    std::fs::write(data.join("betteruptime.sqlite"), "no database at all, and longer than the header of one").unwrap();
    let damaged = Told::of(directory.path(), &[]);
    assert_eq!((damaged.code, damaged.failed()), (1, vec!["database"]), "{}", damaged.text);
}

/// The Postgres of tests runs without fsync, which is to be found.
#[test]
fn distributed_and_well_but_for_what_tests_leave_out() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let redis = Redis::start_with(&["--appendonly", "yes", "--maxmemory-policy", "noeviction"]);
    let (database_url, redis_url) = (runtime.block_on(database()), redis.url());
    let environment = [
        ("DATABASE_URL", &*database_url),
        ("REDIS_URL", &*redis_url),
        ("JWT_SECRET_KEY", KEY),
        ("PUBLIC_URL", "https://up.example.org"),
    ];
    let new = Told::of(directory.path(), &environment);
    assert_eq!((new.states("database"), new.states("schema")), (vec!["ok"], vec!["warn"]), "{}", new.text);
    assert!(new.states("hubs").is_empty() && new.failed() == ["postgres"], "{}", new.text);
    let count = runtime.block_on(async {
        let pool = sqlx::PgPool::connect(&database_url).await.unwrap();
        sqlx::query_scalar::<_, i64>("select count(*) from pg_class where relname = '_sqlx_migrations'")
            .fetch_one(&pool)
            .await
            .unwrap()
    });
    assert_eq!(count, 0, "nothing is written");

    // It says where it listens only where it has no other address to tell.
    let hub = Hub::start(directory.path(), &environment[..3]);
    crate::services::wait_until("the hub to say that it is there", Duration::from_secs(30), || {
        Told::of(directory.path(), &environment).states("hubs") == ["ok"]
    });
    let beside = Told::of(directory.path(), &environment);
    assert_eq!(beside.failed(), ["postgres"], "{}", beside.text);
    assert!(beside.found("postgres").contains("fsync"), "{}", beside.text);
    for area in
        ["settings", "state", "key", "address", "database", "schema", "clock", "hubs", "capacity", "history", "letters"]
    {
        assert_eq!(beside.states(area), ["ok"], "{area}: {}", beside.text);
    }
    assert_eq!(beside.states("redis"), ["ok", "ok"], "{}", beside.text);
    drop(hub);

    runtime.block_on(async {
        let pool = sqlx::PgPool::connect(&database_url).await.unwrap();
        let sql = "delete from _sqlx_migrations where version = (select max(version) from _sqlx_migrations); \
            insert into sealed_tick (website_id, from_at, region_id, to_at, ticks, sealed_at, keys, packed, damaged_at, damage) values \
            ('00000000-0000-0000-0000-000000000001', 1, 'A', 2, 2, 3, '', '', 4, 'its checksum is wrong'); \
            insert into dead_letter (dead_letter_id, stream, reason, raw, created_at) values \
            ('00000000-0000-0000-0000-000000000002', 's', 'Zq7Marker', 'Zq7Marker', 1)";
        sqlx::raw_sql(sql).execute(&pool).await.unwrap();
    });
    redis::cmd("CONFIG").arg(&["SET", "maxmemory-policy", "allkeys-lru"]).query::<()>(&mut redis.connection()).unwrap();
    let worse = Told::of(directory.path(), &environment);
    assert_eq!(worse.failed(), ["postgres", "redis", "history"], "{}", worse.text);
    assert_eq!((worse.states("schema"), worse.states("letters")), (vec!["warn"], vec!["warn"]), "{}", worse.text);
    assert!(worse.found("redis").contains("allkeys-lru"), "{}", worse.text);
}

/// The first start of a hub takes a while, and somebody looks meanwhile.
#[test]
fn a_schema_that_is_being_made_is_told_in_words() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let database_url = runtime.block_on(database());
    let environment = [("DATABASE_URL", &*database_url), ("JWT_SECRET_KEY", KEY)];
    for version in [1, 12, 16] {
        runtime.block_on(async {
            let pool = sqlx::PgPool::connect(&database_url).await.unwrap();
            crate::upgrades::migrations("postgres").await.run_to(version, &pool).await.unwrap();
        });
        let told = Told::of(directory.path(), &environment);
        assert_eq!(told.failed(), ["postgres"], "{}", told.text);
        assert_eq!((told.states("schema"), told.states("capacity")), (vec!["warn"], vec!["warn"]), "{}", told.text);
        assert!(told.text.contains("try again when the hub has started"), "{}", told.text);
        assert!(!told.text.contains("does not exist") && !told.text.contains("relation"), "{}", told.text);
    }
}

#[test]
fn services_that_are_away_and_settings_that_cannot_be_read() {
    let directory = tempfile::tempdir().unwrap();
    let (database_port, redis_port) = (free_port(), free_port());
    let database_url = format!("postgres://hub:{MARKER}@127.0.0.1:{database_port}/hub");
    let redis_url = format!("redis://hub:{MARKER}%40x@127.0.0.1:{redis_port}");
    let key = format!("{KEY}{MARKER}");
    let away = Told::of(
        directory.path(),
        &[
            ("DATABASE_URL", &database_url),
            ("REDIS_URL", &redis_url),
            ("JWT_SECRET_KEY", &key),
            ("LISTEN", "0.0.0.0:3001"),
        ],
    );
    assert_eq!((away.code, away.failed()), (1, vec!["database", "redis"]), "{}", away.text);
    assert_eq!(away.states("address"), ["warn"], "{}", away.text);
    assert!(away.found("database").contains("refused"), "{}", away.text);
    assert!(files(directory.path()).is_empty(), "nothing is made");

    let url = format!("mysql://hub:{MARKER}@127.0.0.1/x");
    let wrong =
        Told::of(directory.path(), &[("DATABASE_URL", &url), ("LISTEN", "nowhere"), ("JWT_SECRET_KEY", MARKER)]);
    assert_eq!((wrong.code, wrong.failed()), (2, vec!["settings"; 3]), "{}", wrong.text);
}

/// For operators; for others there is nothing there.
#[test]
fn room_on_disk_is_shown_to_operators_alone() {
    let directory = tempfile::tempdir().unwrap();
    let hub = Hub::start(directory.path(), &[]);
    let base = hub.url("");
    let ann = token(&base, "ann", "correct horse");
    let url = json!({"url": "https://site.example.com/"});
    assert_eq!(call("POST", &hub.url("/website"), Some(&ann), Some(&url)).0, 201);
    let (status, shown) = page(&base, "/capacity", &ann);
    assert_eq!(status, 200);
    for words in ["Room on disk", "1 website", "Latency by hour and day", "Together", "are free"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    assert!(page(&base, "/probes", &ann).1.contains("href=\"/capacity\""));
    let (status, json) = call("GET", &hub.url("/api/v1/capacity"), Some(&ann), None);
    assert_eq!(
        (status, &json["websites"], json["parts"].as_array().map(Vec::len)),
        (200, &json!(1), Some(5)),
        "{json}"
    );
    assert!(json["used_bytes"].as_u64() > Some(100_000) && json["free_bytes"].as_u64() > Some(0), "{json}");
    assert_eq!(call("GET", &hub.url("/api/v1/capacity"), None, None).0, 401);
    drop(hub);

    let directory = tempfile::tempdir().unwrap();
    let hub = Hub::start(directory.path(), &[("SIGNUPS", "open")]);
    let eve = token(&hub.url(""), "eve", "correct horse");
    assert_eq!(page(&hub.url(""), "/capacity", &eve), (404, page(&hub.url(""), "/nowhere", &eve).1));
    assert_eq!(call("GET", &hub.url("/api/v1/capacity"), Some(&eve), None).0, 404);
}
