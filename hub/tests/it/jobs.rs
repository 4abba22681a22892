//! Jobs that report themselves, through the front of a running hub.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::client::{call, encoded, form, form_page, page, token};
use crate::process::{Hub, Target};
use crate::services::wait_until;

/// Sends a request as it stands, and returns the whole answer.
fn raw(address: SocketAddr, method: &str, path: &str, fields: &str, body: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    let head = format!("{method} {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{length}{fields}\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let _ = stream.write_all(body);
    let mut answer = Vec::new();
    let _ = stream.take(1_000_000).read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0)
}

fn said(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

fn add(hub: &Hub, ann: &str, job: &Value) -> (String, String) {
    let (status, added) = call("POST", &hub.url("/api/v1/jobs"), Some(ann), Some(job));
    assert_eq!(status, 201, "{added}");
    let url = added["ping_url"].as_str().unwrap();
    let path = url.strip_prefix(&hub.url("")).unwrap_or_else(|| panic!("{url}"));
    (added["id"].as_str().unwrap().to_owned(), path.to_owned())
}

fn execute(directory: &Path, sql: String) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let file = directory.join("data/betteruptime.sqlite");
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file).busy_timeout(Duration::from_secs(20));
        let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&pool).await.unwrap();
        pool.close().await;
    });
}

#[test]
fn jobs_report_as_they_can_and_nothing_but_what_is_stored_is_ok() {
    let directory = tempfile::tempdir().unwrap();
    let mut hub = Hub::start(directory.path(), &[]);
    let ann = token(&hub.url(""), "ann", "correct horse");
    let (id, path) = add(&hub, &ann, &json!({"name": "Backup", "period_s": 3600, "grace_s": 60}));
    let read = || call("GET", &hub.url(&format!("/api/v1/jobs/{id}")), Some(&ann), None).1;
    assert_eq!((read()["status"].as_str(), read()["missing_at"].as_str()), (Some("unknown"), None));

    let answer = raw(hub.address, "HEAD", &path, "", b"");
    assert_eq!((status(&answer), said(&answer)), (200, ""), "{answer}");
    assert_eq!(read()["status"], "up", "HEAD is a ping");
    let answer = raw(hub.address, "GET", &format!("{path}/start"), "Origin: http://elsewhere.example\r\n", b"");
    assert_eq!((status(&answer), said(&answer)), (200, "OK\n"), "{answer}");
    let lower = answer.to_lowercase();
    assert!(lower.contains("content-type: text/plain") && !lower.contains("set-cookie"), "{answer}");

    // A long log is no reason to lose a ping; of it the beginning is kept, as data.
    let log = format!("<b>disk full</b>\n\u{1b}[31m{}", "x".repeat(300_000));
    let fields = "Content-Type: application/x-www-form-urlencoded\r\nCookie: betteruptime_session=nonsense\r\n";
    let answer = raw(hub.address, "POST", &format!("{path}/3"), fields, log.as_bytes());
    assert_eq!(status(&answer), 200, "{answer}");
    let job = read();
    assert_eq!((job["status"].as_str(), job["last_exit_code"].as_i64()), (Some("down"), Some(3)));
    assert!(
        job["last_duration_ms"].is_i64() && job["reason"].as_str().unwrap().starts_with("It reported exit code 3.")
    );
    let (_, shown) = page(&hub.url(""), &format!("/websites/{id}"), &ann);
    assert!(shown.contains("&#60;b&#62;disk full") && !shown.contains("<b>disk"), "it is text");
    assert!(shown.contains(&hub.url(&path)) && shown.contains("--retry 5"), "{shown}");
    let (_, pings) = call("GET", &hub.url(&format!("/api/v1/jobs/{id}/pings")), Some(&ann), None);
    assert_eq!(pings["pings"][0]["said"].as_str().map(|said| said.chars().count()), Some(1_000));

    for (method, path, expected) in [
        ("GET", format!("{path}/256"), 400),
        ("GET", format!("{path}/-1"), 400),
        ("GET", format!("{path}/stop"), 400),
        ("GET", format!("{path}/0/0"), 404),
        ("GET", "/ping/00000000-0000-4000-8000-000000000000".to_owned(), 404),
        ("GET", "/ping/nobody".to_owned(), 404),
        ("GET", "/ping/".to_owned(), 404),
        ("PUT", path.clone(), 405),
        ("DELETE", path.clone(), 405),
    ] {
        assert_eq!(status(&raw(hub.address, method, &path, "", b"")), expected, "{method} {path}");
    }
    // More than one a second, and a few at once, is told to come later: it is not stored.
    wait_until("too many at once", Duration::from_secs(30), || {
        let one = || raw(hub.address, "GET", &format!("{path}/0"), "", b"");
        let answers: Vec<String> = std::thread::scope(|scope| {
            let asked: Vec<_> = (0..24).map(|_| scope.spawn(one)).collect();
            asked.into_iter().map(|asked| asked.join().unwrap()).collect()
        });
        let refused: Vec<&String> = answers.iter().filter(|answer| status(answer) == 429).collect();
        assert!(refused.iter().all(|answer| answer.to_lowercase().contains("retry-after: 1")), "{answers:?}");
        !refused.is_empty()
    });

    // The database is at its end: nothing is stored, and nothing says it was.
    wait_until("a ping to be taken in again", Duration::from_secs(10), || {
        status(&raw(hub.address, "GET", &path, "", b"")) == 200
    });
    execute(directory.path(), "alter table ping rename to ping_away".to_owned());
    let mut answer = String::new();
    wait_until("a place for a ping", Duration::from_secs(10), || {
        answer = raw(hub.address, "GET", &path, "", b"");
        status(&answer) != 429
    });
    assert!(status(&answer) == 503 && answer.to_lowercase().contains("retry-after: "), "{answer}");

    assert_eq!(hub.process.terminate(), Some(0));
    let secret = path.trim_start_matches("/ping/");
    assert!(!hub.process.log().contains(secret), "{}", hub.process.log());
}

#[test]
fn jobs_are_listed_page_by_page() {
    let directory = tempfile::tempdir().unwrap();
    let hub = Hub::start(directory.path(), &[]);
    let ann = token(&hub.url(""), "ann", "correct horse");
    let made = ["a", "b", "c"].map(|name| add(&hub, &ann, &json!({"name": name, "period_s": 3600})).0);
    let (mut found, mut query) = (Vec::new(), "?limit=2".to_owned());
    loop {
        let (status, page) = call("GET", &hub.url(&format!("/api/v1/jobs{query}")), Some(&ann), None);
        assert_eq!(status, 200, "{page}");
        found.extend(page["jobs"].as_array().unwrap().iter().map(|job| job["id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        query = format!("?limit=2&after={next}");
    }
    assert_eq!(found, made);
    assert_eq!(call("GET", &hub.url("/api/v1/jobs?after=x"), Some(&ann), None).0, 400);
}

#[test]
fn a_job_is_added_read_changed_and_deleted_and_what_is_wrong_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let hub = Hub::start(directory.path(), &[]);
    let base = hub.url("");
    let ann = token(&base, "ann", "correct horse");
    let jobs = hub.url("/api/v1/jobs");
    let wrong = json!({"name": "", "cron": "61 * * * *", "time_zone": "Nowhere/At_All", "grace_s": 5});
    let (status, problem) = call("POST", &jobs, Some(&ann), Some(&wrong));
    let fields: Vec<_> = problem["errors"].as_array().unwrap().iter().map(|e| e["field"].as_str().unwrap()).collect();
    assert_eq!((status, fields), (422, vec!["name", "time_zone", "cron", "grace_s"]), "{problem}");
    assert_eq!(call("POST", &jobs, Some(&ann), Some(&json!({"name": "a", "every": 5}))).0, 400);
    assert_eq!(call("POST", &jobs, None, Some(&json!({"name": "a", "period_s": 60}))).0, 401);

    let (id, path) = add(
        &hub,
        &ann,
        &json!({"name": "Backup", "cron": "30 2 * * *", "time_zone": "Europe/Berlin", "grace_s": 3600}),
    );
    let one = format!("{jobs}/{id}");
    let (_, read) = call("GET", &one, Some(&ann), None);
    assert_eq!((read["cron"].as_str(), read["time_zone"].as_str()), (Some("30 2 * * *"), Some("Europe/Berlin")));
    assert_eq!(call("GET", &jobs, Some(&ann), None).1["jobs"], json!([read]));
    let change = json!({"name": "Backup", "period_s": 86400, "revision": 1});
    let (status, changed) = call("PUT", &one, Some(&ann), Some(&change));
    assert_eq!((status, changed["period_s"].as_i64(), changed["grace_s"].as_i64()), (200, Some(86_400), Some(300)));
    let change = json!({"name": "Backup", "period_s": 60, "revision": 1});
    assert_eq!(call("PUT", &one, Some(&ann), Some(&change)).0, 409);
    let (status, paused) =
        call("PUT", &one, Some(&ann), Some(&json!({"name": "Backup", "period_s": 86400, "paused": true})));
    assert_eq!((status, paused["paused"].as_bool()), (200, Some(true)));
    let (status, rotated) = call("POST", &format!("{one}/ping-url"), Some(&ann), None);
    assert_eq!(status, 200);
    assert_ne!(rotated["ping_url"].as_str().unwrap(), hub.url(&path));
    assert_eq!(call("GET", &hub.url(&path), None, None).0, 404);

    // The ancestor's clients see it as a website; nobody can have it checked.
    let (status, websites) = call("GET", &hub.url("/website"), Some(&ann), None);
    assert_eq!((status, websites[0]["url"].as_str()), (200, Some("Backup")));
    assert_eq!(form(&base, &format!("/websites/{id}/check"), &ann, ""), 409);

    // The form.
    let fields = [("name", "Hourly sync"), ("schedule", "period"), ("period", "90"), ("period_unit", "60")];
    let more = [("grace", "10"), ("grace_unit", "60"), ("tags", "sync, shop")];
    let sent = |fields: &[(&str, &str)]| encoded(&[fields, &more].concat());
    assert_eq!(form(&base, "/jobs/new", &ann, &sent(&fields)), 303);
    let (_, all) = call("GET", &jobs, Some(&ann), None);
    let second = all["jobs"][1].clone();
    assert_eq!((second["period_s"].as_i64(), second["grace_s"].as_i64()), (Some(5_400), Some(600)));
    let edit = format!("/websites/{}/edit", second["id"].as_str().unwrap());
    let (_, shown) = page(&base, &edit, &ann);
    assert!(shown.contains("value=\"90\"") && shown.contains("shop, sync"), "{shown}");
    let wrong = [("name", "Hourly sync"), ("schedule", "cron"), ("cron", "* * * *"), ("time_zone", "UTC")];
    let (status, shown) = form_page(&base, &edit, &ann, &sent(&wrong));
    assert!(status == 422 && shown.contains("Give five fields") && shown.contains("id=\"cron-error\""), "{shown}");
    let right = [("name", "Hourly sync"), ("schedule", "cron"), ("cron", "@hourly"), ("time_zone", "UTC")];
    assert_eq!(form(&base, &edit, &ann, &sent(&right)), 303);
    assert_eq!(call("DELETE", &one, Some(&ann), None).0, 204);
    let (_, all) = call("GET", &jobs, Some(&ann), None);
    assert_eq!((all["jobs"].as_array().unwrap().len(), all["jobs"][0]["cron"].as_str()), (1, Some("@hourly")));
}

#[test]
fn a_job_is_called_by_its_whole_name() {
    let directory = tempfile::tempdir().unwrap();
    let hook = Target::start();
    let hub = Hub::start(directory.path(), &[]);
    let ann = token(&hub.url(""), "ann", "correct horse");
    let channel = json!({"name": "hook", "kind": "webhook", "url": hook.url("/hook")});
    let (status, answer) = call("POST", &hub.url("/api/v1/channels"), Some(&ann), Some(&channel));
    assert_eq!(status, 201, "{answer}");
    for (n, name) in (1..).zip(["shop: backup #1", "site: backup #1", "shop: is it there? #2"]) {
        let (_, path) = add(&hub, &ann, &json!({"name": name, "period_s": 3600}));
        assert_eq!(call("GET", &hub.url(&format!("{path}/fail")), None, None).0, 200);
        wait_until("the message", Duration::from_secs(10), || hook.hits() == n);
        assert!(hook.last().contains(&format!("{name} is down")), "{}", hook.last());
        assert!(page(&hub.url(""), "/", &ann).1.contains(name), "{name}");
    }
}

#[test]
fn silence_is_told_once_and_what_no_hub_could_hear_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let hook = Target::start();
    let mut hub = Hub::start(directory.path(), &[]);
    let ann = token(&hub.url(""), "ann", "correct horse");
    let channel = json!({"name": "hook", "kind": "webhook", "url": hook.url("/hook")});
    let (status, answer) = call("POST", &hub.url("/api/v1/channels"), Some(&ann), Some(&channel));
    assert_eq!(status, 201, "{answer}");
    let (id, path) = add(&hub, &ann, &json!({"name": "Nightly backup", "period_s": 3600, "grace_s": 60}));
    let ping = |hub: &Hub| assert_eq!(call("GET", &hub.url(&path), None, None).0, 200);
    let state = |hub: &Hub| {
        let job = call("GET", &hub.url(&format!("/api/v1/jobs/{id}")), Some(&ann), None).1;
        job["status"].as_str().unwrap_or_default().to_owned()
    };
    // As if the last ping had come so much earlier.
    let earlier = |ms: i64| {
        execute(
            directory.path(),
            format!(
                "update job set expected_at = expected_at - {ms}, missing_at = missing_at - {ms}, \
                 awaited_since_at = awaited_since_at - {ms}, pinged_at = pinged_at - {ms}"
            ),
        );
    };
    let board = |hub: &Hub| page(&hub.url(""), "/", &ann).1;
    assert!(board(&hub).contains("Waits for its first ping"), "{}", board(&hub));
    ping(&hub);
    assert_eq!(state(&hub), "up");
    // Paused and resumed it is awaited, and says nothing of a first ping.
    for done in ["pause", "resume"] {
        assert_eq!(form(&hub.url(""), &format!("/websites/{id}/{done}"), &ann, ""), 303);
    }
    let (_, shown) = page(&hub.url(""), &format!("/websites/{id}"), &ann);
    assert!(shown.contains("has not reported since") && !shown.contains("first ping"), "{shown}");
    assert!(!board(&hub).contains("first ping"), "{}", board(&hub));
    ping(&hub);
    earlier(3_700_000);
    wait_until("the message", Duration::from_secs(10), || hook.hits() == 1);
    let told = hook.last();
    assert!(told.contains("Nightly backup") && told.contains("The job did not report in time"), "{told}");
    assert_eq!(state(&hub), "down");
    ping(&hub);
    wait_until("the end", Duration::from_secs(10), || hook.hits() == 2);
    assert_eq!(state(&hub), "up");

    // The hub is away for ten minutes, over the time it was due.
    assert_eq!(hub.process.terminate(), Some(0));
    earlier(3_700_000);
    execute(directory.path(), "update listening set alive_at = alive_at - 600000".to_owned());
    let hub = Hub::start(directory.path(), &[]);
    wait_until("the look", Duration::from_secs(10), || state(&hub) == "unknown");
    assert!(hub.process.log().contains("No hub was there"), "{}", hub.process.log());
    ping(&hub);
    assert_eq!(state(&hub), "up");
    assert_eq!(hook.hits(), 2, "our own fault is nobody's alarm");
    let incidents = call("GET", &hub.url("/api/v1/incidents"), Some(&ann), None).1;
    assert_eq!(incidents["incidents"].as_array().map(Vec::len), Some(1), "{incidents}");
}
