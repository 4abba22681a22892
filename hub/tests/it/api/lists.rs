//! Lists, filters, cursors, revisions, problems.

use std::time::Duration;

use serde_json::{Value, json};

use super::sample::Sample;
use crate::incident_pages::Told;
use crate::services::wait_until;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Follows `Link` until there is none; the entries of all pages.
fn all(sample: &Sample, path: &str, name: &str) -> Vec<Value> {
    let (mut path, mut entries) = (path.to_owned(), Vec::new());
    for _ in 0..50 {
        let (status, headers, body) = sample.ask("GET", &path, &[], None);
        assert_eq!(status, 200, "{path}: {body}");
        entries.extend(body[name].as_array().unwrap_or_else(|| panic!("{body}")).clone());
        let Some(link) = headers.get("link") else {
            assert_eq!(body["next"], Value::Null);
            return entries;
        };
        path = link.to_str().unwrap().split(['<', '>']).nth(1).unwrap().to_owned();
        assert!(path.contains(body["next"].as_str().unwrap()), "{path} has the cursor of {body}");
    }
    panic!("{path} has no end");
}

#[test]
fn lists_come_in_pages_and_t116_refuse_cursors_that_are_none() {
    let (runtime, directory) = (runtime(), tempfile::tempdir().unwrap());
    let sample = Sample::start(&runtime, directory.path());
    for n in 0..4 {
        let url = format!("https://n{n}.example.com/");
        assert_eq!(sample.told.api("POST", "/websites", Some(&json!({"url": url, "paused": n == 0}))).0, 201);
    }
    let website = &sample.website;
    let lists = [
        ("/websites".to_owned(), "websites", 6),
        ("/jobs".to_owned(), "jobs", 1),
        ("/incidents".to_owned(), "incidents", 1),
        ("/alerts".to_owned(), "alerts", 1),
        (format!("/websites/{website}/transitions"), "transitions", 3),
        (format!("/websites/{website}/ticks"), "ticks", 1),
        (format!("/websites/{website}/rounds"), "rounds", 1),
        ("/dead-letters".to_owned(), "dead_letters", 1),
        (format!("/channels/{}/alerts", sample.channel), "alerts", 0),
    ];
    for (path, name, least) in &lists {
        let path = format!("/api/v1{path}");
        let found = all(&sample, &format!("{path}?limit=1"), name);
        assert!(found.len() >= *least, "{path}: {found:?}");
        let mut once: Vec<String> = found.iter().map(Value::to_string).collect();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), found.len(), "{path}: none comes twice");
        for odd in ["1", "7_9", "' or 1=1 --", "AAAAAAAAAAAA", "..%2f"] {
            let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("after", odd).finish();
            let (status, _, body) = sample.ask("GET", &format!("{path}?{query}"), &[], None);
            assert_eq!((status, body["status"].as_u64()), (400, Some(400)), "{path}?{query}: {body}");
        }
        for odd in ["limit=0", "limit=201", "limit=x", "limit="] {
            let (status, _, body) = sample.ask("GET", &format!("{path}?{odd}"), &[], None);
            assert_eq!((status, body["errors"][0]["field"].as_str()), (422, Some("limit")), "{path}?{odd}: {body}");
        }
        assert_eq!(sample.ask("GET", &format!("{path}?limt=1"), &[], None).0, 400, "{path}: no such parameter");
    }
    // One of another list.
    let (_, _, page) = sample.ask("GET", "/api/v1/websites?limit=1", &[], None);
    let next = page["next"].as_str().unwrap();
    assert_eq!(sample.ask("GET", &format!("/api/v1/jobs?after={next}"), &[], None).0, 400);

    let count = |query: &str| all(&sample, &format!("/api/v1/websites?{query}"), "websites").len();
    assert_eq!((count("tag=shop"), count("tag=none"), count("kind=job"), count("kind=http")), (1, 0, 1, 5));
    assert_eq!((count("paused=true"), count("paused=false"), count("q=N1.EXAMPLE"), count("q=%25")), (1, 5, 1, 0));
    assert_eq!(count("q=%27+or+1%3D1+--"), 0);
    assert_eq!(sample.ask("GET", "/api/v1/websites?state=fine", &[], None).0, 422);
    let alerts = |query: &str| all(&sample, &format!("/api/v1/alerts?{query}"), "alerts").len();
    wait_until("what opened to be told", Duration::from_secs(20), || alerts("state=waiting") == 0);
    assert_eq!((alerts("event=opened"), alerts("event=test")), (1, 0));
    assert_eq!(alerts(&format!("incident_id={}", sample.incident)), 1);
    assert_eq!(alerts(&format!("incident_id={}&state=any", sample.incident)), 1);
    assert_eq!(alerts(&format!("incident_id={}&channel_id={}&state=any", sample.incident, sample.channel)), 0);
    for state in ["any", "delivered"] {
        let status = sample.ask("GET", &format!("/api/v1/alerts?state={state}"), &[], None).0;
        assert_eq!(status, 422, "of these there is no end");
    }
    assert_eq!(alerts(&format!("channel_id={}", sample.channel)), 0);
    let ticks = |query: &str| all(&sample, &format!("/api/v1/websites/{website}/ticks?{query}"), "ticks").len();
    assert!(ticks("outcome=up") >= 1 && ticks("region=LOCAL") >= 1);
    assert_eq!(
        (ticks("outcome=down"), ticks("region=MARS"), ticks("from=2001-01-01T00:00:00Z&to=2001-01-02T00:00:00Z")),
        (0, 0, 0)
    );

    let (_, round) = sample.told.api("GET", &format!("/websites/{website}/rounds"), None);
    let round = &round["rounds"][0];
    assert!(round["up"].as_u64().unwrap() >= 1 && !round["reason"].as_str().unwrap().is_empty(), "{round}");
    let (_, tags) = sample.told.api("GET", "/tags", None);
    assert_eq!(tags, json!({"tags": [{"tag": "shop", "websites": 1}]}));
    assert_eq!(sample.told.api("GET", "/regions", None).1["regions"][0]["id"], "LOCAL");
    assert_eq!(sample.told.api("GET", "/workers?region=LOCAL", None).1["workers"][0]["is_alive"], true);
}

#[test]
fn an_edit_is_made_of_what_was_seen() {
    let (runtime, directory) = (runtime(), tempfile::tempdir().unwrap());
    let sample = Sample::start(&runtime, directory.path());
    let things = [
        (format!("/api/v1/websites/{}", sample.website), json!({"interval_s": 20}), json!({"interval_s": 30})),
        (format!("/api/v1/jobs/{}", sample.job), json!({"grace_s": 700}), json!({"grace_s": 800})),
        (format!("/api/v1/channels/{}", sample.channel), json!({"name": "A"}), json!({"name": "B"})),
        (format!("/api/v1/maintenance/{}", sample.maintenance), json!({"name": "A"}), json!({"name": "B"})),
        (format!("/api/v1/status-pages/{}", sample.page), json!({"name": "A"}), json!({"name": "B"})),
    ];
    // Tags and goals make no new revision, and nobody's are lost for that.
    for (path, first, second) in [
        (&things[0].0, json!({"tags": ["one"]}), json!({"tags": ["two"]})),
        (&things[1].0, json!({"uptime_goal_ppm": 990_000}), json!({"uptime_goal_ppm": 999_000})),
    ] {
        let tag = sample.ask("GET", path, &[], None).1["etag"].to_str().unwrap().to_owned();
        assert_eq!(sample.ask("PATCH", path, &[("if-match", &tag)], Some(&first)).0, 200, "{path}");
        assert_eq!(sample.ask("PATCH", path, &[("if-match", &tag)], Some(&second)).0, 412, "{path}");
    }
    for (path, first, second) in &things {
        let (_, headers, before) = sample.ask("GET", path, &[], None);
        let tag = headers["etag"].to_str().unwrap().to_owned();
        let revision = before["revision"].as_i64().unwrap();
        let (status, headers, after) = sample.ask("PATCH", path, &[("if-match", &tag)], Some(first));
        assert_eq!((status, after["revision"].as_i64()), (200, Some(revision + 1)), "{path}: {after}");
        let now = headers["etag"].to_str().unwrap().to_owned();
        // What was not given stays.
        for (name, value) in before.as_object().unwrap() {
            let is_given = first.get(name).is_some();
            let changes = ["revision", "status", "since_at", "reason", "expected_at", "missing_at", "target"];
            assert!(is_given || changes.contains(&name.as_str()) || after[name] == *value, "{path}: {name}");
        }
        for stale in [&tag, &format!("\"{revision}\""), "\"x\"", "7"] {
            let (status, _, problem) = sample.ask("PATCH", path, &[("if-match", stale)], Some(second));
            assert_eq!((status, problem["status"].as_u64()), (412, Some(412)), "{path} {stale}: {problem}");
        }
        assert_eq!(sample.ask("DELETE", path, &[("if-match", &tag)], None).0, 412, "{path}");
        let mut by_field = second.clone();
        by_field["revision"] = json!(revision);
        assert_eq!(sample.ask("PATCH", path, &[], Some(&by_field)).0, 409, "{path}");
        assert_eq!(sample.ask("PATCH", path, &[("if-match", &now)], Some(second)).0, 200, "{path}");
        assert_eq!(sample.ask("PATCH", path, &[("if-match", "*")], Some(first)).0, 200, "{path}");
        assert_eq!(sample.ask("DELETE", path, &[("if-match", "*")], None).0, 204, "{path}");
    }
}

#[test]
fn trouble_is_a_problem_that_says_what_would_help() {
    let directory = tempfile::tempdir().unwrap();
    let told = Told::start(directory.path(), &[]);
    let sample = |method: &str, path: &str, body: Option<&Value>| {
        super::sample::ask(&told.base, &told.ann, method, path, &[], body)
    };
    let bad = json!({"url": "ftp://a", "interval_s": 1});
    for (method, path, body, status) in [
        ("GET", "/api/v1/nothing", None, 404),
        ("GET", "/api/v1/websites/x", None, 404),
        ("PUT", "/api/v1/websites", Some(&bad), 405),
        ("GET", "/api/v1/websites?x=1", None, 400),
        ("POST", "/api/v1/websites", Some(&bad), 422),
    ] {
        let (got, headers, problem) = sample(method, path, body);
        assert_eq!((got, problem["status"].as_u64()), (status, Some(u64::from(status))), "{method} {path}: {problem}");
        assert_eq!(headers["content-type"], "application/problem+json", "{method} {path}");
        assert_eq!(problem["type"], format!("/docs#status-{status}"));
        assert!(problem["title"].is_string() && !problem["request_id"].as_str().unwrap().is_empty(), "{problem}");
    }
    let (_, _, problem) = sample("POST", "/api/v1/websites", Some(&bad));
    let fields: Vec<&str> = problem["errors"].as_array().unwrap().iter().filter_map(|e| e["field"].as_str()).collect();
    assert!(fields.contains(&"url") && fields.contains(&"interval_s"), "{problem}");
    assert!(problem["errors"][0]["remedy"].is_string() && problem["errors"][0]["found"].is_string(), "{problem}");

    let (_, page) = told.page("/docs");
    for part in ["/api/v1/websites/bulk", "Idempotency-Key", "id=\"status-422\"", "id=\"type-Website\""] {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("style=") && !page.contains("<script>"), "nothing that the policy forbids");
}
