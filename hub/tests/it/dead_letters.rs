//! Dead letters as their operators meet them: page, API and commands beside a running hub.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::client::{call, encoded, form, form_page, page, token};
use crate::process::{Hub, KEY, Target};
use crate::services::{database, wait_until};

/// The hub's database, past the hub.
enum Database {
    Postgres(String),
    Sqlite(std::path::PathBuf),
}

impl Database {
    async fn execute(&self, sql: &str) {
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        match self {
            Self::Postgres(url) => {
                let pool = sqlx::PgPool::connect(url).await.unwrap();
                sqlx::raw_sql(sql).execute(&pool).await.map(|_| ()).unwrap();
            }
            Self::Sqlite(file) => {
                let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file);
                let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
                sqlx::raw_sql(sql).execute(&pool).await.map(|_| ()).unwrap();
            }
        }
    }

    /// A letter; its id ends with `n`.
    async fn put(&self, n: u32, reason: &str, raw: &str) {
        let now = hub::clock::now() + i64::from(n);
        let hex: String = raw.bytes().map(|b| format!("{b:02x}")).collect();
        let (id, raw) = match self {
            Self::Postgres(_) => (format!("'{}'", id(n)), format!("'\\x{hex}'")),
            Self::Sqlite(_) => (format!("x'{}'", id(n).replace('-', "")), format!("x'{hex}'")),
        };
        let reason = reason.replace('\'', "''");
        self.execute(&format!(
            "insert into dead_letter (dead_letter_id, stream, reason, raw, created_at) \
             values ({id}, 'betteruptime:tick:LOCAL:hub', '{reason}', {raw}, {now})"
        ))
        .await;
    }
}

fn id(n: u32) -> String {
    format!("00000000-0000-0000-0000-{n:012}")
}

fn tick(website: &str, slot_at: i64) -> String {
    format!(
        r#"{{"website_id":"{website}","slot_at":{slot_at},"attempt":0,"kind":"scheduled","started_at":{slot_at},
            "outcome":"up","phases":{{}},"total_us":1,"body_bytes":0,"truncated":false,"hops":[]}}"#
    )
}

/// Runs a command of the hub; exit code, and what it said.
fn run(directory: &Path, environment: &[(&str, &str)], arguments: &[&str], input: &str) -> (i32, String) {
    use std::io::Write as _;
    let mut child = Command::new(env!("CARGO_BIN_EXE_betteruptime-hub"))
        .env_clear()
        .envs(environment.iter().copied())
        .current_dir(directory)
        .args(arguments)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].map(|said| String::from_utf8(said).unwrap()).concat();
    (output.status.code().unwrap_or(-1), said)
}

#[test]
fn an_operator_sees_replays_and_discards_on_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let database = Database::Sqlite(directory.path().join("data/betteruptime.sqlite"));
    an_operator_sees_replays_and_discards(directory.path(), &database, &[]);
}

#[test]
fn an_operator_sees_replays_and_discards_on_postgres() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let url = runtime.block_on(database());
    let environment = [("DATABASE_URL", url.as_str()), ("JWT_SECRET_KEY", KEY)];
    an_operator_sees_replays_and_discards(directory.path(), &Database::Postgres(url.clone()), &environment);
}

fn an_operator_sees_replays_and_discards(directory: &Path, database: &Database, environment: &[(&str, &str)]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let target = Target::start();
    let hub = Hub::start(directory, environment);
    let base = hub.url("");
    let ann = token(&base, "ann", "correct horse");
    let (_, empty) = page(&base, "/dead-letters", &ann);
    assert!(empty.contains("There are none.") && !empty.contains("badge"), "{empty}");
    let url = json!({"url": target.url("/watched?key=hunter2")});
    let website = call("POST", &hub.url("/website"), Some(&ann), Some(&url)).1["id"].as_str().unwrap().to_owned();
    wait_until("the first look", Duration::from_secs(10), || target.hits() >= 1);
    let slot = hub::clock::now() - 120_000;
    let wire = |body: &str| format!("v=1\nkind=tick\nbody={body}\n");
    runtime.block_on(async {
        database.put(1, "kind \"tick\" is not expected on this stream", &wire(&tick(&website, slot))).await;
        let expired = json!({"entry_id": "1-0", "reason": "expired", "detail": "It waited.", "website_id": website});
        database.put(2, "expired: It waited.", &expired.to_string()).await;
        database.put(3, "body is not understood: invalid type: string \"hunter2\"", "{\"password\":\"hunter2\"}").await;
        database.put(4, "hub_failed: x", &tick("00000000-0000-0000-0000-00000000dead", slot)).await;
    });

    // The page.
    let (status, list) = page(&base, "/dead-letters", &ann);
    assert_eq!(status, 200);
    for part in [
        "Dead letters <b class=\"badge\">4</b>",
        "LOCAL, worker hub",
        "Check the website now",
        "a website that is gone",
        &format!("href=\"/websites/{website}\""),
        "127.0.0.1",
        "(hidden)",
    ] {
        assert!(list.contains(part), "{part} in {list}");
    }
    assert!(!list.contains("hunter2"), "{list}");
    assert!(page(&base, "/", &ann).1.contains("Dead letters: 4"));
    let (_, expired) = page(&base, "/dead-letters?kind=expired", &ann);
    assert_eq!(expired.matches("<li class=\"card\"").count(), 1, "{expired}");

    // The API.
    let api =
        |method: &str, path: &str| call(method, &hub.url(&format!("/api/v1/dead-letters{path}")), Some(&ann), None);
    let (status, first) = api("GET", "?limit=3");
    let ids = |page: &Value| -> Vec<String> {
        let letters = page["dead_letters"].as_array().cloned().unwrap_or_default();
        letters.iter().map(|l| l["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!((status, ids(&first)), (200, vec![id(4), id(3), id(2)]));
    let (_, second) = api("GET", &format!("?limit=3&after={}", first["next"].as_str().unwrap()));
    assert_eq!((ids(&second), &second["next"]), (vec![id(1)], &Value::Null));
    assert!(!format!("{first}{second}").contains("hunter2"));
    assert_eq!(api("GET", "?after=x").0, 400);
    for (path, field) in [("?limit=0", "limit"), ("?limit=x", "limit")] {
        let (status, problem) = api("GET", path);
        assert_eq!((status, &problem["errors"][0]["field"]), (422, &json!(field)), "{problem}");
    }
    let (status, done) = api("POST", &format!("/{}/replay", id(1)));
    assert_eq!((status, &done["result"]), (200, &json!("stored")), "{done}");
    assert_eq!(api("POST", &format!("/{}/replay", id(1))).0, 404);
    let (_, shown) = call("GET", &hub.url(&format!("/status/{website}")), Some(&ann), None);
    assert!(shown["ticks"].as_array().is_some_and(|ticks| !ticks.is_empty()), "{shown}");
    let (status, problem) = api("POST", &format!("/{}/replay", id(4)));
    assert!(status == 409 && problem["title"].as_str().unwrap().contains("is gone"), "{problem}");
    assert!(page(&base, "/dead-letters", &ann).1.contains("UTC: The website it was about is gone."));
    assert_eq!(api("DELETE", &format!("/{}", id(4))).0, 204);
    assert_eq!((api("DELETE", &format!("/{}", id(4))).0, api("DELETE", "/nonsense").0), (404, 404));

    // The page's forms.
    let before = target.hits();
    let (status, _) = form_page(&base, &format!("/dead-letters/{}/replay", id(2)), &ann, "kind=&stream=");
    assert_eq!(status, 303);
    wait_until("the look that was asked for", Duration::from_secs(10), || target.hits() > before);
    let (_, sure) = page(&base, "/dead-letters/discard?kind=not_understood", &ann);
    assert!(sure.contains("1 dead letter of the kind"), "{sure}");
    let fields = |until: &str| encoded(&[("kind", "not_understood"), ("stream", ""), ("until", until)]);
    assert_eq!(form(&base, "/dead-letters/discard", &ann, &fields("")), 400);
    assert_eq!(form(&base, "/dead-letters/discard", &ann, &fields("1000")), 303);
    assert_eq!(ids(&api("GET", "").1), [id(3)], "it came after the question");
    let later = (hub::clock::now() + 60_000).to_string();
    assert_eq!(form(&base, "/dead-letters/discard", &ann, &fields(&later)), 303);
    assert_eq!(ids(&api("GET", "").1), Vec::<String>::new());

    // The commands.
    let command = |arguments: &[&str]| run(directory, environment, &[&["dead-letters"], arguments].concat(), "");
    assert_eq!(command(&["list"]), (0, "There are no dead letters.\n".to_owned()));
    runtime.block_on(async {
        for n in 10..16 {
            database.put(n, "hub_failed: x", &tick(&website, slot - 60_000 * i64::from(n))).await;
        }
        database.put(20, "expired: \"password\":\"hunter2\"", "hunter2").await;
    });
    let (code, text) = command(&["list", "--kind", "hub_failed"]);
    assert!(code == 0 && text.lines().count() == 7 && text.contains("LOCAL/hub"), "{text}");
    let (code, text) = command(&["list", "--json"]);
    let letters: Value = serde_json::from_str(&text).unwrap();
    assert!(code == 0 && letters.as_array().unwrap().len() == 7 && letters[0]["is_replayable"] == false, "{text}");
    let (code, text) = command(&["show", &id(20)]);
    assert!(code == 0 && text.contains("not in a form"), "{text}");
    let (code, text) = command(&["replay", &id(10)]);
    assert_eq!((code, text.as_str()), (0, "Replayed; the letter is gone.\n"));
    let (code, text) = command(&["replay", &id(20)]);
    assert!(code == 1 && text.contains("the letter stays") && text.contains("only be discarded"), "{text}");
    let (code, text) = command(&["replay", "--all"]);
    assert!(code == 0 && text.contains("Asked for: 6. Replayed: 5.") && text.contains("reason: 1."), "{text}");
    assert_eq!(command(&["discard", &id(20)]), (0, "Discarded.\n".to_owned()));
    assert_eq!(command(&["discard", "--all"]), (0, "Discarded: 0.\n".to_owned()));
    assert_eq!((command(&["discard"]).0, command(&["replay", &id(1), "--all"]).0), (2, 2));
    let (code, text) = command(&["show", &id(20)]);
    assert!(code == 1 && text.contains("there is no dead letter"), "{text}");
    assert!(!hub.process.log().contains("hunter2"), "{}", hub.process.log());
}

/// T146: for whoever is no operator there is nothing here, not even a letter that exists.
#[test]
fn t146_a_stranger_finds_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let database = Database::Sqlite(directory.path().join("data/betteruptime.sqlite"));
    let hub = Hub::start(directory.path(), &[("SIGNUPS", "open")]);
    let base = hub.url("");
    let eve = token(&base, "eve", "correct horse");
    let (code, said) = run(directory.path(), &[], &["user", "create", "olga"], "correct horse\n");
    assert_eq!(code, 0, "{said}");
    let account = json!({"username": "olga", "password": "correct horse"});
    let olga = call("POST", &hub.url("/signin"), None, Some(&account)).1["token"].as_str().unwrap().to_owned();
    let url = json!({"url": "https://private.example.com/"});
    let website = call("POST", &hub.url("/website"), Some(&eve), Some(&url)).1["id"].as_str().unwrap().to_owned();
    runtime.block_on(database.put(1, "hub_failed: x", &tick(&website, 1)));
    let nothing = page(&base, "/nowhere", &eve).1;
    for path in ["/dead-letters", "/dead-letters/discard", "/dead-letters/replay"] {
        assert_eq!(page(&base, path, &eve), (404, nothing.clone()), "{path}");
        assert_eq!(page(&base, path, &olga).0, 200, "{path}");
    }
    let one = format!("/dead-letters/{}", id(1));
    for path in ["/dead-letters/discard", "/dead-letters/replay", &format!("{one}/discard"), &format!("{one}/replay")] {
        assert_eq!(form(&base, path, &eve, "until=9999999999999"), 404, "{path}");
    }
    let api = hub.url("/api/v1");
    for (method, path) in [("GET", "/dead-letters"), ("DELETE", &one), ("POST", &format!("{one}/replay"))] {
        assert_eq!(call(method, &format!("{api}{path}"), Some(&eve), None).0, 404, "{path}");
        assert_eq!(call(method, &format!("{api}{path}"), None, None).0, 401, "{path}");
    }
    assert!(!page(&base, "/", &eve).1.contains("dead-letters"));
    // The operator learns that there is one, and nothing of whose website it is about.
    let (_, list) = page(&base, "/dead-letters", &olga);
    assert!(list.contains("a website of another account") && !list.contains("private.example.com"), "{list}");
    assert!(page(&base, "/", &olga).1.contains("badge"));
    // A page elsewhere cannot make the operator's browser discard anything.
    let config = ureq::Agent::config_builder().max_redirects(0).http_status_as_error(false).proxy(None).build();
    let forged = ureq::Agent::from(config)
        .post(format!("{base}{one}/discard"))
        .header("cookie", format!("betteruptime_session={olga}"))
        .header("origin", "http://evil.example")
        .header("content-type", "application/x-www-form-urlencoded")
        .send("");
    assert_eq!(forged.unwrap().status().as_u16(), 403);
    assert_eq!(form(&base, &format!("{one}/discard"), &olga, ""), 303);
}
