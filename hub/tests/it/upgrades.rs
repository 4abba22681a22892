//! From an older version to this one, and back: what is there stays, what is foretold changes nothing, and programs a version
//! apart work beside each other.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use sqlx::migrate::Migrator;

use crate::client::{call, token};
use crate::process::{Hub, KEY, Target, run_to_its_end};
use crate::roll_ups::{DAY, rfc3339};
use crate::services::{Redis, database, wait_until};

const HOUR: i64 = DAY / 24;
const PASSWORD: &str = "correct horse";

/// The migrations of a database: `postgres` or `sqlite`.
pub async fn migrations(kind: &str) -> Migrator {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations").join(kind);
    Migrator::new(directory).await.expect("migrations")
}

/// What hubs of each version may have left, from the migration on that brought its table. `{1}` and so on are ids.
const FILL: [(i64, &str, &str); 17] = [
    (
        1,
        "account",
        "insert into account (account_id, username, username_key, password_hash, created_at) \
        values ({1}, 'Ann', 'ann', '{hash}', {added})",
    ),
    (
        1,
        "website",
        "insert into website (website_id, account_id, url, interval_ms, timeout_ms, created_at, watched_since_at) \
        values ({2}, {1}, '{url}', 60000, 10000, {added}, {added})",
    ),
    (1, "region", "insert into region (region_id, created_at) values ('OLD', {added})"),
    (
        1,
        "worker",
        "insert into worker (region_id, worker_id, seen_at, version, concurrency, checks, clock_offset_ms) \
        values ('OLD', 'w1', {now}, '0.1.0', 50, 7, 3)",
    ),
    (
        1,
        "website_state",
        "insert into website_state (website_id, verdict, since_at, reason) \
        values ({2}, 'up', {up}, 'It is as it was.')",
    ),
    (
        1,
        "transition",
        "insert into transition (website_id, decided_at, number, at, from_verdict, to_verdict, reason) \
        values ({2}, {added}, 0, {added}, 'unknown', 'up', 'first'), ({2}, {down}, 0, {down}, 'up', 'down', 'refused'), \
        ({2}, {up}, 0, {up}, 'down', 'up', 'again')",
    ),
    (
        1,
        "tick",
        "insert into tick (website_id, slot_at, region_id, attempt, worker_id, received_at, kind, started_at, \
        outcome, class, phase, blame, detail, total_us, body_bytes, truncated) values \
        ({2}, {down}, 'OLD', 0, 'w1', {down}, 'scheduled', {down}, 'down', 'connect_refused', 'connect', 'target', 'no', 9, 0, false), \
        ({2}, {up}, 'OLD', 0, 'w1', {up}, 'scheduled', {up}, 'up', null, null, null, null, 4000, 2, false)",
    ),
    (
        1,
        "dead_letter",
        "insert into dead_letter (dead_letter_id, stream, reason, raw, created_at) \
        values ({3}, 'betteruptime:tick:OLD:w1', 'refused: by the old one', {bytes}, {now})",
    ),
    (
        1,
        "session",
        "insert into session (session_key, account_id, created_at, seen_at, expires_at) \
        values ({bytes}, {1}, {now}, {now}, {now} + 86400000)",
    ),
    (
        10,
        "incident",
        "insert into incident (incident_id, account_id, kind, cause_key, cause, began_at, opened_at, ended_at, \
        closed_at, closed_as, websites, told_websites) values ({4}, {1}, 'outage', 'website:{name}', 'refused by the old one', \
        {down}, {down}, {up}, {up}, 'recovered', 1, 1)",
    ),
    (
        10,
        "incident_website",
        "insert into incident_website (incident_id, website_id, url, began_at, ended_at) \
        values ({4}, {2}, '{url}', {down}, {up})",
    ),
    (
        10,
        "incident_event",
        "insert into incident_event (event_id, incident_id, at, number, kind, website_id, said) \
        values ({5}, {4}, {down}, 0, 'opened', {2}, 'It refuses.')",
    ),
    (
        10,
        "alert",
        "insert into alert (alert_id, account_id, channel_id, channel_name, incident_id, event, number, state, \
        created_at, due_at, ended_at) values ({6}, {1}, {7}, 'Mail', {4}, 'opened', 0, 'delivered', {down}, {down}, {down})",
    ),
    (17, "website", "update website set retention_days = 30 where website_id = {2}"),
    (
        24,
        "api_key",
        "insert into api_key (api_key_id, account_id, made_by, name, secret_sha256, scopes, created_at) \
        values ({8}, {1}, {1}, 'old key', {bytes}, 'read', {added})",
    ),
    (
        25,
        "audit",
        "insert into audit (audit_id, account_id, at, person, route, action, kind) \
        values ({9}, {1}, {now}, 'Ann', 'POST /websites', 'added', 'website')",
    ),
    (
        31,
        "status_page",
        "insert into status_page (status_page_id, account_id, name, slug, access, created_at) \
        values ({9}, {1}, 'Old page', 'old', 'public', {added})",
    ),
];

/// Yesterday, of which six of 24 hours were down.
fn fill(is_postgres: bool, url: &str, hash: &str, now: i64) -> impl Fn(&str) -> String {
    let day = now / DAY * DAY - DAY;
    let values = [
        ("{hash}", hash.to_owned()),
        ("{url}", url.to_owned()),
        ("{added}", (day - 2 * HOUR).to_string()),
        ("{down}", (day + 6 * HOUR).to_string()),
        ("{up}", (day + 12 * HOUR).to_string()),
        ("{now}", now.to_string()),
        ("{name}", uuid::Uuid::from_u128(2).to_string()),
        ("{bytes}", if is_postgres { "'\\x00'" } else { "x'00'" }.to_owned()),
    ];
    move |sql| {
        let sql = values.iter().fold(sql.to_owned(), |sql, (name, value)| sql.replace(name, value));
        (1..=9).fold(sql, |sql, n| {
            let id = uuid::Uuid::from_u128(n);
            let id = if is_postgres { format!("'{id}'") } else { format!("x'{}'", id.simple()) };
            sql.replace(&format!("{{{n}}}"), &id)
        })
    }
}

enum Database {
    Postgres(String),
    Sqlite(PathBuf),
}

impl Database {
    /// At this migration, with all that a hub of it may have left.
    async fn at(&self, version: i64, url: &str, hash: &str, now: i64) {
        macro_rules! fill_it {
            ($pool:expr, $kind:literal) => {
                let pool = $pool;
                migrations($kind).await.run_to(version, &pool).await.expect("migrations");
                let filled = fill($kind == "postgres", url, hash, now);
                for (_, _, sql) in FILL.iter().filter(|(since, ..)| *since <= version) {
                    let sql = filled(sql);
                    sqlx::query(AssertSqlSafe(sql.clone()))
                        .execute(&pool)
                        .await
                        .unwrap_or_else(|e| panic!("{sql}: {e}"));
                }
                pool.close().await;
            };
        }
        match self {
            Self::Postgres(url) => {
                fill_it!(sqlx::PgPool::connect(url).await.expect("Postgres"), "postgres");
            }
            Self::Sqlite(file) => {
                fill_it!(sqlite(file).await, "sqlite");
            }
        }
    }

    /// Rows of what was filled in at this version; ticks are counted where they are, packed or not.
    async fn rows(&self, version: i64) -> Vec<(&'static str, i64)> {
        let mut rows = Vec::new();
        let mut tables: Vec<&str> =
            FILL.iter().filter(|(since, ..)| *since <= version).map(|(_, table, _)| *table).collect();
        tables.dedup();
        for table in tables {
            rows.push((table, self.number(&format!("select count(*) from {table}")).await));
        }
        if version >= 15 {
            let sealed = self.number("select cast(coalesce(sum(ticks), 0) as bigint) from sealed_tick").await;
            rows.iter_mut().filter(|(table, _)| *table == "tick").for_each(|(_, ticks)| *ticks += sealed);
        }
        rows
    }

    async fn number(&self, sql: &str) -> i64 {
        match self {
            Self::Postgres(url) => {
                let pool = sqlx::PgPool::connect(url).await.expect("Postgres");
                sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&pool).await.unwrap_or_else(|e| panic!("{sql}: {e}"))
            }
            Self::Sqlite(file) => sqlx::query_scalar(AssertSqlSafe(sql))
                .fetch_one(&sqlite(file).await)
                .await
                .unwrap_or_else(|e| panic!("{sql}: {e}")),
        }
    }

    async fn execute(&self, sql: &'static str) {
        match self {
            Self::Postgres(url) => {
                sqlx::raw_sql(sql).execute(&sqlx::PgPool::connect(url).await.expect("Postgres")).await.expect(sql);
            }
            Self::Sqlite(file) => {
                sqlx::raw_sql(sql).execute(&sqlite(file).await).await.expect(sql);
            }
        }
    }

    /// Of all there is in its schema, and of which migrations were run.
    async fn digest(&self) -> String {
        match self {
            Self::Postgres(url) => {
                let sql = "select md5(string_agg(said, '|' order by said collate \"C\")) from ( \
                    select 'column ' || table_name || '.' || column_name || ' ' || data_type || coalesce(column_default, '') as said \
                        from information_schema.columns where table_schema = 'public' \
                    union all select indexdef from pg_indexes where schemaname = 'public' \
                    union all select 'class ' || relname || relkind::text || coalesce(relacl::text, '') from pg_class \
                        where relnamespace = 'public'::regnamespace \
                    union all select 'rows ' || relname || \
                        (xpath('/row/c/text()', query_to_xml(format('select count(*) as c from %I', relname), false, true, '')))[1]::text \
                        from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') \
                    union all select 'no table') all_of_it";
                let pool = sqlx::PgPool::connect(url).await.expect("Postgres");
                sqlx::query_scalar(sql).fetch_one(&pool).await.expect(sql)
            }
            Self::Sqlite(file) => {
                let directory = file.parent().expect("a directory");
                let Ok(entries) = std::fs::read_dir(directory) else { return "nothing".to_owned() };
                let mut all: Vec<String> = entries
                    .map(|entry| entry.expect("an entry").path())
                    .map(|path| format!("{} {:?}", path.display(), std::fs::read(&path).expect("a file")))
                    .collect();
                all.sort();
                all.join("\n")
            }
        }
    }
}

async fn sqlite(file: &Path) -> sqlx::SqlitePool {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file).create_if_missing(true);
    sqlx::SqlitePool::connect_with(options).await.expect("SQLite")
}

/// A directory to run hubs in, and its database.
struct Place {
    directory: tempfile::TempDir,
    database: Database,
    environment: Vec<(&'static str, String)>,
}

impl Place {
    fn postgres(runtime: &tokio::runtime::Runtime) -> Self {
        let url = runtime.block_on(database());
        let environment = vec![("DATABASE_URL", url.clone()), ("JWT_SECRET_KEY", KEY.to_owned())];
        Self { directory: tempfile::tempdir().unwrap(), database: Database::Postgres(url), environment }
    }

    fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("data");
        std::fs::create_dir(&data).unwrap();
        std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o700)).unwrap();
        let database = Database::Sqlite(data.join("betteruptime.sqlite"));
        Self { directory, database, environment: vec![("JWT_SECRET_KEY", KEY.to_owned())] }
    }

    fn environment(&self) -> Vec<(&str, &str)> {
        self.environment.iter().map(|(name, value)| (*name, value.as_str())).collect()
    }

    fn hub(&self) -> Hub {
        Hub::start(self.directory.path(), &self.environment())
    }

    /// `migrate --dry-run`: the exit code, JSON and text.
    fn foretold(&self) -> (i32, Value, String) {
        let run = |arguments: &[&str]| {
            let output = Command::new(env!("CARGO_BIN_EXE_betteruptime-hub"))
                .env_clear()
                .envs(self.environment())
                .current_dir(self.directory.path())
                .args(arguments)
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap(), said)
        };
        let (code, json, said) = run(&["migrate", "--dry-run", "--json"]);
        let json: Value = serde_json::from_str(&json).unwrap_or_else(|e| panic!("{e}: {json}{said}"));
        let (same, text, _) = run(&["migrate", "--dry-run"]);
        assert_eq!((code, json["ok"].as_bool()), (same, Some(code == 0)), "{json:#}\n{text}");
        (code, json, text)
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// From each of these the newest hub goes on with what is there: the first, those after which there was more to keep, and
/// the one before the newest.
fn is_brought_up_to_date(place: impl Fn(&tokio::runtime::Runtime) -> Place, versions: &[i64]) {
    let (runtime, target, began) = (runtime(), Target::start(), Instant::now());
    let (now, hash) = (hub::clock::now(), hub::http::password::hash_blocking(PASSWORD).unwrap());
    let day = now / DAY * DAY - DAY;
    let id = uuid::Uuid::from_u128(2);
    for &version in versions {
        let place = place(&runtime);
        runtime.block_on(place.database.at(version, &target.url("/old"), &hash, now));
        let before = runtime.block_on(place.database.rows(version));
        let hub = place.hub();
        let signed_in =
            call("POST", &hub.url("/signin"), None, Some(&json!({"username": "ann", "password": PASSWORD})));
        assert_eq!(signed_in.0, 200, "from {version}: {}", signed_in.1);
        let ann = signed_in.1["token"].as_str().unwrap().to_owned();
        let get = |path: &str| call("GET", &hub.url(path), Some(&ann), None);

        let uptime = format!("/api/v1/websites/{id}/uptime?from={}&to={}", rfc3339(day), rfc3339(day + DAY));
        wait_until("yesterday to be counted", Duration::from_secs(30), || get(&uptime).0 == 200);
        let shown = get(&uptime).1;
        assert_eq!(
            (&shown["up_ms"], &shown["down_ms"]),
            (&json!(18 * HOUR), &json!(6 * HOUR)),
            "from {version}: {shown}"
        );
        let asked = call("POST", &hub.url(&format!("/api/v1/websites/{id}/check")), Some(&ann), None);
        assert_eq!(asked.0, 202, "from {version}: {}", asked.1);
        wait_until("it to be checked", Duration::from_secs(30), || {
            let (_, website) = get(&format!("/status/{id}"));
            website["ticks"]
                .as_array()
                .is_some_and(|ticks| ticks.iter().any(|t| t["status"] == "Up" && t["regionId"] != "OLD"))
        });
        let (status, website) = get(&format!("/api/v1/websites/{id}"));
        assert_eq!((status, &website["url"]), (200, &json!(target.url("/old"))), "{website}");
        if version >= 10 {
            let (_, incidents) = get("/api/v1/incidents");
            assert!(incidents.to_string().contains("refused by the old one"), "from {version}: {incidents}");
        }
        let after = runtime.block_on(place.database.rows(version.max(15)));
        for (table, rows) in before {
            let kept = after.iter().find(|(name, _)| *name == table).map(|(_, rows)| *rows);
            assert!(kept >= Some(rows), "from {version}: {table} had {rows}, has {kept:?}");
        }
        let newest = runtime.block_on(place.database.number("select max(version) from _sqlx_migrations"));
        assert!(newest >= 33, "{newest}");
    }
    eprintln!("{} versions in {:?}", versions.len(), began.elapsed());
}

#[test]
fn a_populated_database_of_each_telling_version_is_brought_up_to_date_in_postgres() {
    is_brought_up_to_date(Place::postgres, &[1, 10, 16, 28, 32]);
}

#[test]
fn a_populated_database_of_each_telling_version_is_brought_up_to_date_in_sqlite() {
    is_brought_up_to_date(|_| Place::sqlite(), &[1, 10, 16, 28, 32]);
}

#[test]
fn what_is_foretold_of_an_update_changes_nothing() {
    let runtime = runtime();
    for place in [Place::postgres(&runtime), Place::sqlite()] {
        let is_postgres = matches!(place.database, Database::Postgres(_));
        let digest = || runtime.block_on(place.database.digest());
        let empty = digest();
        let (code, new, text) = place.foretold();
        assert_eq!((code, &new["schema"]), (0, &Value::Null), "{text}");
        assert!(new["migrations"].as_array().is_some_and(|all| all.len() >= 31), "{new:#}");
        assert_eq!(digest(), empty, "of an empty one");

        runtime.block_on(place.database.at(1, "https://example.com/", "hash", hub::clock::now()));
        let first = digest();
        let (code, old, text) = place.foretold();
        assert_eq!((code, &old["schema"], &old["warnings"]), (0, &json!(1), &json!([])), "{text}");
        assert_eq!(digest(), first, "of one that is old");
        let tick = |json: &Value| {
            let all = json["migrations"].as_array().unwrap();
            let notes = all.iter().find(|one| one["version"] == 3).unwrap();
            notes["tables"].as_array().unwrap().iter().find(|table| table["name"] == "tick").unwrap().clone()
        };
        let tick = tick(&old);
        assert!(tick["bytes"].as_u64() > Some(0) && tick["work"] == "moment", "{tick}");
        assert_eq!(tick["lock"], if is_postgres { "ACCESS EXCLUSIVE" } else { "the file" });
        assert_eq!(old["free_bytes"].is_null(), is_postgres);
        assert!(old["extra_bytes"].as_u64().is_some(), "{old:#}");
        for words in ["0003 tick notes, for a moment", "Nothing was changed.", "Room: "] {
            assert!(text.contains(words), "{words}: {text}");
        }

        drop(place.hub());
        let (code, done, text) = place.foretold();
        assert_eq!((code, &done["migrations"], &done["problem"]), (0, &json!([]), &Value::Null), "{text}");
        assert!(text.contains("Nothing is to be done."), "{text}");
        runtime.block_on(place.database.execute(
            "insert into _sqlx_migrations (version, description, success, checksum, execution_time) \
             select 9999, 'later', success, checksum, 0 from _sqlx_migrations where version = 1; \
             update schema_floor set oldest = 9999",
        ));
        let (code, refused, text) = place.foretold();
        assert_eq!(code, 1, "{text}");
        assert!(refused["problem"].as_str().unwrap().contains("migration 9999"), "{refused:#}");
        assert!(text.contains("This would fail: the database is at schema 9999"), "{text}");
    }
}

/// A newer hub was here, and this one is gone back to.
#[test]
fn t291_a_hub_that_is_gone_back_to_runs_or_says_why_not() {
    let runtime = runtime();
    let place = Place::sqlite();
    let mut hub = place.hub();
    let ann = token(&hub.url(""), "ann", PASSWORD);
    assert_eq!(hub.process.terminate(), Some(0));
    runtime.block_on(place.database.execute(
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time) \
         select 9999, 'later', success, checksum, 0 from _sqlx_migrations where version = 1; \
         alter table website add column later text not null default 'x'",
    ));
    let mut hub = place.hub();
    assert!(hub.process.log().contains("The database is at schema 9999, of a newer hub"), "{}", hub.process.log());
    let url = json!({"url": "https://site.example.com/"});
    assert_eq!(call("POST", &hub.url("/website"), Some(&ann), Some(&url)).0, 201);
    assert_eq!(hub.process.terminate(), Some(0));

    runtime.block_on(place.database.execute("update schema_floor set oldest = 9999"));
    let log = run_to_its_end(place.directory.path(), &place.environment());
    for words in ["schema 9999", "know migration 9999", "Install a hub", "restore the backup"] {
        assert!(log.contains(words), "{words}: {log}");
    }
    assert!(!log.contains("panicked") && !log.contains("is missing"), "{log}");
}

/// Of a version before and one after, as far as they could differ by the rules of the wire: fields that are not there yet, and
/// fields that nobody knows here.
#[test]
fn t286_t288_probes_of_other_versions_report_and_are_asked_what_they_know() {
    let runtime = runtime();
    let directory = tempfile::tempdir().unwrap();
    let (redis, database_url) = (Redis::start(), runtime.block_on(database()));
    let environment = [("DATABASE_URL", database_url.as_str()), ("REDIS_URL", &redis.url()), ("JWT_SECRET_KEY", KEY)];
    let hub = Hub::start(directory.path(), &environment);
    let mut connection = redis.connection();
    let mut write = |region: &str, kind: &str, body: &str, more: &[&str]| {
        let mut command = ::redis::cmd("XADD");
        command.arg(format!("betteruptime:tick:{region}:w1")).arg("*").arg("v").arg("1").arg("kind").arg(kind);
        command.arg("body").arg(body).arg(more).query::<String>(&mut connection).unwrap();
    };
    let beat = |more: &str| {
        format!(
            r#"{{"version":"0","started_at":0,"sent_at":0,"concurrency":1,"in_flight":0,"checks":0,"expired":0,
                "refused":0,"buffered":0,"dropped":0,"lost":0{more}}}"#
        )
    };
    write("OLDER", "heartbeat", &beat(""), &[]);
    write("NEWER", "heartbeat", &beat(r#","temperature":{"c":[41]},"stopping":false"#), &["trace", "x"]);
    wait_until("both regions to report", Duration::from_secs(20), || {
        hub.process.log().matches("A region reports").count() >= 2
    });
    let ann = token(&hub.url(""), "ann", PASSWORD);
    let url = json!({"url": "https://site.example.com/"});
    let id = call("POST", &hub.url("/website"), Some(&ann), Some(&url)).1["id"].as_str().unwrap().to_owned();

    // What is sent of a website without options has nothing that a probe of before would have to refuse.
    let mut redis_connection = redis.connection();
    let mut body = String::new();
    wait_until("the check to be sent", Duration::from_secs(20), || {
        let sent: Vec<(String, Vec<String>)> = ::redis::cmd("XRANGE")
            .arg("betteruptime:website:OLDER")
            .arg("-")
            .arg("+")
            .query(&mut redis_connection)
            .unwrap();
        let Some((_, fields)) = sent.into_iter().find(|(_, fields)| fields.iter().any(|field| field == "check")) else {
            return false;
        };
        assert_eq!(fields.iter().position(|field| field == "v").and_then(|at| fields.get(at + 1)).unwrap(), "1");
        body = fields[fields.iter().position(|field| field == "body").unwrap() + 1].clone();
        true
    });
    let check: Value = serde_json::from_str(&body).unwrap();
    let mut names: Vec<&String> = check["target"].as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(names, ["timeout_ms", "url"], "{check}");

    let slot_at = check["slot_at"].as_i64().unwrap();
    let tick = |more: &str| {
        format!(
            r#"{{"website_id":"{id}","slot_at":{slot_at},"attempt":0,"kind":"first","started_at":{slot_at},
                "outcome":"up","phases":{{}},"total_us":1{more}}}"#
        )
    };
    write("OLDER", "tick", &tick(""), &[]);
    let newer = r#","quic":{"rtt_us":7},"body_bytes":1,"hops":[],"delays":{"moon_ms":1},"score":0.5"#;
    write("NEWER", "tick", &tick(newer), &["trace", "x"]);
    wait_until("both ticks to be shown", Duration::from_secs(20), || {
        let (_, website) = call("GET", &hub.url(&format!("/status/{id}")), Some(&ann), None);
        let up = |region: &str| {
            website["ticks"]
                .as_array()
                .is_some_and(|all| all.iter().any(|t| t["regionId"] == region && t["status"] == "Up"))
        };
        up("OLDER") && up("NEWER")
    });
    // A meaning that nobody knows here is put aside, and no website is down for it.
    write("NEWER", "tick", &tick("").replace(r#""outcome":"up""#, r#""outcome":"sideways""#), &[]);
    let place = Database::Postgres(database_url.clone());
    wait_until("it to be put aside", Duration::from_secs(20), || {
        runtime.block_on(place.number("select count(*) from dead_letter where kind = 'not_understood'")) == 1
    });
    assert_eq!(runtime.block_on(place.number("select count(*) from tick where outcome = 'down'")), 0);
}
