//! No environment at all: SQLite, queue and probe in one process.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use serde_json::json;

use crate::client::{call, form, form_leads, page, token};
use crate::process::{Hub, Target};
use crate::services::wait_until;

fn status_of(hub: &Hub, token: &str, id: &str) -> String {
    let (_, website) = call("GET", &hub.url(&format!("/status/{id}")), Some(token), None);
    website["ticks"][0]["status"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_website_is_checked_seconds_after_it_was_added_and_a_restart_keeps_everything() {
    let directory = tempfile::tempdir().unwrap();
    let target = Target::start();
    let mut hub = Hub::start(directory.path(), &[]);
    let base = hub.url("");
    let ann = token(&base, "ann", "correct horse");
    let (status, website) = call("POST", &hub.url("/website"), Some(&ann), Some(&json!({"url": target.url("/a")})));
    assert_eq!(status, 201, "{website}");
    let id = website["id"].as_str().unwrap().to_owned();
    wait_until("the first tick", Duration::from_secs(8), || status_of(&hub, &ann, &id) == "Up");
    assert_eq!(hub.process.terminate(), Some(0));

    for (name, mode) in [("data", 0o700), ("data/jwt-secret-key", 0o600), ("data/betteruptime.sqlite", 0o600)] {
        let found = std::fs::metadata(directory.path().join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(found, mode, "{name}");
    }

    let hub = Hub::start(directory.path(), &[]);
    let (status, websites) = call("GET", &hub.url("/website"), Some(&ann), None);
    assert_eq!((status, websites[0]["id"].as_str()), (200, Some(id.as_str())), "the session is kept too");
    assert_eq!(websites[0]["ticks"][0]["status"], "Up");
}

#[test]
fn adding_editing_pausing_and_deleting_act_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let target = Target::start();
    let hub = Hub::start(directory.path(), &[]);
    let base = hub.url("");
    let ann = token(&base, "ann", "correct horse");
    let settings = |path: &str| format!("url={}&interval_s=10&timeout_s=5", target.url(path));
    assert_eq!(form(&base, "/websites/new", &ann, &settings("/first")), 303);
    // Every 10 s there is a slot besides: what is awaited is the next look, not how many there were.
    wait_until("a look at what was added", Duration::from_secs(8), || target.hits_of("/first") >= 1);
    let (_, list) = call("GET", &hub.url("/website"), Some(&ann), None);
    let website = format!("/websites/{}", list[0]["id"].as_str().unwrap());

    assert_eq!(form(&base, &format!("{website}/edit"), &ann, &settings("/second")), 303);
    wait_until("a look at what it is now", Duration::from_secs(8), || target.hits_of("/second") >= 1);
    wait_until("its slot", Duration::from_secs(15), || target.hits_of("/second") >= 2);
    let before = target.hits_of("/first");

    assert_eq!(form(&base, &format!("{website}/pause"), &ann, ""), 303);
    let paused_at = target.hits();
    assert_eq!(form(&base, &format!("{website}/check"), &ann, ""), 303);
    assert_eq!(form(&base, &format!("{website}/resume"), &ann, ""), 303);
    wait_until("a look after the resume", Duration::from_secs(4), || target.hits() > paused_at);
    let asked = form_leads(&base, &format!("{website}/check"), &ann, "");
    assert!(asked.0 == 303 && asked.1.contains("?asked="), "{asked:?}");
    wait_until("the look that was asked for", Duration::from_secs(4), || target.hits() >= paused_at + 2);
    let again = form_leads(&base, &format!("{website}/check"), &ann, "");
    assert_eq!(again, asked, "who presses again is shown the look that he asked for");
    let (status, answer) = call("POST", &hub.url(&format!("/api/v1{website}/check")), Some(&ann), None);
    assert_eq!(status, 429, "a button is no way to flood a target, and joining is not asking: {answer}");
    assert_eq!(target.hits_of("/first"), before, "the old address is not looked at again");

    assert_eq!(form(&base, &format!("{website}/delete"), &ann, ""), 303);
    assert_eq!(call("GET", &hub.url("/website"), Some(&ann), None).1, json!([]));
}

#[test]
fn a_stop_waits_for_the_check_in_flight_and_keeps_what_it_found() {
    let directory = tempfile::tempdir().unwrap();
    let target = Target::start();
    target.delay_by(2_000);
    let mut hub = Hub::start(directory.path(), &[]);
    let ann = token(&hub.url(""), "ann", "correct horse");
    let (_, website) = call("POST", &hub.url("/website"), Some(&ann), Some(&json!({"url": target.url("/slow")})));
    let id = website["id"].as_str().unwrap().to_owned();
    wait_until("the check to be under way", Duration::from_secs(8), || target.hits() >= 1);
    assert_eq!(hub.process.terminate(), Some(0));
    let sockets = std::fs::read_dir(directory.path().join("data")).unwrap().flatten();
    let left = sockets.filter(|entry| entry.file_name().to_string_lossy().ends_with(".sock")).count();
    assert_eq!(left, 0, "no socket is left behind");

    let hub = Hub::start(directory.path(), &[]);
    let (_, website) = call("GET", &hub.url(&format!("/status/{id}")), Some(&ann), None);
    assert_eq!(website["ticks"][0]["status"], "Up", "{website}");
    assert!(website["ticks"][0]["responseTimeMs"].as_u64().unwrap() >= 2_000, "{website}");
}

#[test]
fn an_account_can_be_made_beside_a_running_hub() {
    let directory = tempfile::tempdir().unwrap();
    let hub = Hub::start(directory.path(), &[("SIGNUPS", "closed")]);
    assert!(hub.process.log().contains("betteruptime-hub user create"), "{}", hub.process.log());
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_betteruptime-hub"))
        .args(["user", "create", "ann"])
        .env_clear()
        .current_dir(directory.path())
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut command.stdin.take().unwrap(), b"correct horse\n").unwrap();
    assert!(command.wait().unwrap().success());
    let account = json!({"username": "ann", "password": "correct horse"});
    assert_eq!(call("POST", &hub.url("/signin"), None, Some(&account)).0, 200);
}

#[test]
fn a_program_that_keeps_cookies_is_not_taken_for_a_foreign_page() {
    let directory = tempfile::tempdir().unwrap();
    let target = Target::start();
    let hub = Hub::start(directory.path(), &[]);
    let ann = token(&hub.url(""), "ann", "correct horse");
    let config = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build();
    let agent: ureq::Agent = config.into();
    let cookie = format!("betteruptime_session={ann}");
    let body = json!({"url": target.url("/")}).to_string();
    let add = |origin: Option<&str>| {
        let request =
            agent.post(hub.url("/website")).header("cookie", &cookie).header("content-type", "application/json");
        let request = origin.into_iter().fold(request, |request, origin| request.header("origin", origin));
        request.send(&body).unwrap().status().as_u16()
    };
    assert_eq!((add(None), add(Some("http://evil.example"))), (201, 403));
}

#[test]
fn t217_a_second_hub_on_the_same_file_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let _first = Hub::start(directory.path(), &[]);
    let second = std::process::Command::new(env!("CARGO_BIN_EXE_betteruptime-hub"))
        .env_clear()
        .env("LISTEN", "127.0.0.1:0")
        .current_dir(directory.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(1), "{said}");
    assert!(said.contains("another hub runs on") && said.contains("STATE_DIRECTORY"), "{said}");
}

#[test]
fn settings_that_cannot_work_stop_the_start_all_at_once() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_betteruptime-hub"))
        .env_clear()
        .envs([("LISTEN", "nowhere"), ("SIGNUPS", "perhaps"), ("REDIS_URL", "redis://localhost")])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    for name in ["LISTEN is \"nowhere\"", "SIGNUPS is \"perhaps\"", "DATABASE_URL", "JWT_SECRET_KEY"] {
        assert!(said.contains(name), "{name} in {said}");
    }
}

#[test]
fn the_ancestors_routes_answer_as_its_clients_expect() {
    let directory = tempfile::tempdir().unwrap();
    let target = Target::start();
    let hub = Hub::start(directory.path(), &[("SIGNUPS", "open")]);
    let base = hub.url("");
    let (ann, bob) = (token(&base, "ann", "correct horse"), token(&base, "bob", "battery staple"));

    let account = json!({"username": "Ann", "password": "correct horse"});
    assert_eq!(call("POST", &hub.url("/signup"), None, Some(&account)).0, 400, "taken, without regard to case");
    let wrong = [("ann", "wrong horse"), ("nobody", "wrong horse")]
        .map(|(u, p)| call("POST", &hub.url("/signin"), None, Some(&json!({"username": u, "password": p}))));
    assert_eq!((wrong[0].0, wrong[0].1["title"].clone()), (400, wrong[1].1["title"].clone()));

    let url = json!({"url": target.url("/")});
    assert_eq!(call("POST", &hub.url("/website"), None, Some(&url)).0, 401);
    assert_eq!(call("POST", &hub.url("/website"), Some(&ann), Some(&json!({"url": "ftp://a"}))).0, 400);
    let (status, website) = call("POST", &hub.url("/website"), Some(&ann), Some(&url));
    assert_eq!(status, 201);
    let id = website["id"].as_str().unwrap();

    // T146: for bob it is as if it did not exist.
    for (method, path) in [("GET", "/status/"), ("DELETE", "/website/")] {
        let foreign = call(method, &hub.url(&format!("{path}{id}")), Some(&bob), None);
        let random = call(method, &hub.url(&format!("{path}{}", uuid::Uuid::new_v4())), Some(&bob), None);
        assert_eq!((foreign.0, random.0), (404, 404));
        assert_eq!(foreign.1["title"], random.1["title"]);
    }
    assert_eq!(call("GET", &hub.url("/website"), Some(&bob), None).1, json!([]));

    assert_eq!(call("GET", &hub.url(&format!("/status/{id}")), Some(&ann), None).1["url"], target.url("/"));
    assert_eq!(call("DELETE", &hub.url(&format!("/website/{id}")), Some(&ann), None).0, 200);
    assert_eq!(call("GET", &hub.url(&format!("/status/{id}")), Some(&ann), None).0, 404);
    let after = target.hits();
    assert!(after <= 1, "a deleted website is not checked again");
}

/// Follows `Link` until there is none; returns the ids, and how many answers it took.
fn all_websites(hub: &Hub, ann: &str) -> (Vec<String>, usize) {
    let (mut path, mut ids, mut answers) = ("/website".to_owned(), Vec::new(), 0);
    loop {
        let answer = ureq::get(hub.url(&path)).header("token", ann).call();
        let mut answer = answer.unwrap_or_else(|error| panic!("{path}: {error}"));
        answers += 1;
        let list: serde_json::Value = answer.body_mut().with_config().limit(4 << 20).read_json().unwrap();
        ids.extend(list.as_array().unwrap().iter().map(|website| website["id"].as_str().unwrap().to_owned()));
        let Some(link) = answer.headers().get("link") else { return (ids, answers) };
        path = link.to_str().unwrap().split(['<', '>']).nth(1).unwrap().to_owned();
    }
}

#[test]
fn more_websites_than_fit_one_answer_are_listed_in_several_and_shown_on_several_pages() {
    const COUNT: usize = 1_201;
    let directory = tempfile::tempdir().unwrap();
    let hub = Hub::start(directory.path(), &[]);
    let ann = token(&hub.url(""), "ann", "correct horse");
    assert_eq!(all_websites(&hub, &ann), (Vec::new(), 1));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let made: Vec<String> = runtime.block_on(async {
        let store = hub::store::Store::open_sqlite_beside(&directory.path().join("data")).await.unwrap();
        let (account, _) = store.credentials("ann").await.unwrap().unwrap();
        let mut made = Vec::new();
        for n in 0..COUNT {
            // Some at the same instant.
            let at = hub::clock::now() - 1_000_000 + n as i64 / 7;
            let url = format!("http://127.0.0.1:1/{n:04}/{}", "x".repeat(1_990));
            let settings = hub::model::WebsiteSettings::new(url);
            let id = store.add_website(account.account_id, &settings, at).await.unwrap().website_id;
            // Pages are in the order of state: one that changes it meanwhile would be seen twice, or not at all.
            store.set_paused(account.account_id, id, true, at).await.unwrap();
            made.push(id.to_string());
        }
        store.close().await;
        made
    });
    let (mut listed, answers) = all_websites(&hub, &ann);
    assert!(answers > 1, "{answers}");
    listed.sort_unstable();
    let mut made = made;
    made.sort_unstable();
    assert_eq!(listed, made, "each once");
    assert_eq!(call("GET", &hub.url("/website?after=1_2"), Some(&ann), None).0, 400);

    let mut shown = 0;
    let (mut path, mut pages) = ("/".to_owned(), 0);
    loop {
        let (status, text) = crate::client::page(&hub.url(""), &path, &ann);
        assert_eq!(status, 200, "{path}");
        assert!(text.contains(&format!("of {COUNT}</span>")), "{path}");
        (shown, pages) = (shown + text.matches("<a class=\"name\"").count(), pages + 1);
        let Some((before, _)) = text.split_once("\" rel=\"next\"") else { break };
        path = before.rsplit_once("href=\"").unwrap().1.to_owned();
    }
    assert_eq!((shown, pages), (COUNT, 7));
    let (status, first) = crate::client::page(&hub.url(""), "/?after=elsewhere", &ann);
    assert!(status == 200 && first.contains(&format!("1 to 200 of {COUNT}</span>")), "{status}: {first}");
}

#[test]
fn a_check_that_a_program_asks_for_is_told_of_region_by_region() {
    let directory = tempfile::tempdir().unwrap();
    let target = Target::start();
    let hub = Hub::start(directory.path(), &[]);
    let ann = token(&hub.url(""), "ann", "correct horse");
    let api = |method: &str, path: &str, body: Option<&serde_json::Value>| {
        call(method, &hub.url(&format!("/api/v1{path}")), Some(&ann), body)
    };
    let (status, website) = api("POST", "/websites", Some(&json!({"url": target.url("/a"), "interval_s": 3_600})));
    assert_eq!(status, 201, "{website}");
    let path = format!("/websites/{}", website["id"].as_str().unwrap());
    wait_until("the first look", Duration::from_secs(8), || target.hits() >= 1);

    let (status, asked) = api("POST", &format!("{path}/check"), None);
    assert_eq!(status, 202, "{asked}");
    let poll = asked["poll"].as_str().unwrap().strip_prefix("/api/v1").unwrap().to_owned();
    wait_until("the answer", Duration::from_secs(10), || api("GET", &poll, None).1["is_done"] == true);
    let (_, done) = api("GET", &poll, None);
    assert_eq!((&done["regions"][0]["region"], &done["regions"][0]["state"]), (&json!("LOCAL"), &json!("answered")));
    let tick = &done["regions"][0]["tick"];
    assert!(tick["outcome"] == "up" && tick["kind"] == "manual" && tick["phases"]["wait_us"].is_u64(), "{done}");
    assert_eq!(target.hits(), 2, "one look, however often it was asked about");

    // The page shows the same; what is none of a check is no panel.
    let at: jiff::Timestamp = done["asked_at"].as_str().unwrap().parse().unwrap();
    let shown = |asked: &str| page(&hub.url(""), &format!("{path}?asked={asked}"), &ann).1;
    let panel = shown(&at.as_millisecond().to_string());
    assert!(
        panel.contains("The one region that looks at it has answered.") && !panel.contains("Look again"),
        "{panel}"
    );
    assert!(["x", "0", "9999999999999999999", ""].iter().all(|odd| !shown(odd).contains("Checked on demand")));

    let (status, soon) = api("POST", &format!("{path}/check"), None);
    assert_eq!(status, 429, "a program is no way to flood a target either: {soon}");
    for wrong in ["", "?asked_at=x", "?asked_at=2020-01-01T00:00:00Z"] {
        let (status, problem) = api("GET", &format!("{path}/check{wrong}"), None);
        assert_eq!((status, &problem["errors"][0]["field"]), (422, &json!("asked_at")), "{wrong}: {problem}");
    }
    assert_eq!(api("PATCH", &path, Some(&json!({"paused": true}))).0, 200);
    let (status, paused) = api("POST", &format!("{path}/check"), None);
    assert_eq!(status, 409, "{paused}");
    let (_, log) = api("GET", "/audit", None);
    let deeds: Vec<_> = log["lines"].as_array().unwrap().iter().map(|line| line["action"].clone()).collect();
    assert_eq!(deeds.iter().filter(|deed| **deed == "checked at once").count(), 1, "{log}");
    let probes = page(&hub.url(""), "/probes", &ann).1;
    assert!(probes.contains("What waits") && probes.contains("keeps up"), "{probes}");
}
