//! Many websites at once.

use serde_json::{Value, json};

use super::sample::websites;
use crate::client::token;
use crate::incident_pages::Told;
use crate::process::KEY;
use crate::services::database;

fn works(told: &Told) {
    let bulk = |body: Value| told.api("POST", "/websites/bulk", Some(&body));
    let many: Vec<Value> = (0..500).map(|n| json!({"url": format!("https://n{n}.example.com/")})).collect();
    let (status, answer) = bulk(json!({"action": "create", "websites": many}));
    assert_eq!((status, answer["done"].as_u64(), answer["failed"].as_u64()), (200, Some(500), Some(0)), "{answer}");
    assert_eq!(websites(told), 500);
    let over: Vec<Value> = (0..501).map(|_| json!({"url": "https://a"})).collect();
    assert_eq!(bulk(json!({"action": "create", "websites": over})).0, 422);
    assert_eq!(bulk(json!({"action": "create", "websites": []})).0, 422);

    // Of each what came of it; or none at all.
    let mixed = json!([
        {"url": "https://good.example.com/", "tags": ["new"], "paused": true, "uptime_goal_ppm": 999_000},
        {"url": "ftp://bad"},
        {"url": "https://child.example.com/", "parent_id": uuid::Uuid::new_v4().to_string()},
    ]);
    let (status, problem) = bulk(json!({"action": "create", "websites": mixed, "all_or_nothing": true}));
    assert_eq!((status, problem["errors"][0]["item"].as_u64()), (422, Some(1)), "{problem}");
    assert_eq!(
        (problem["errors"][1]["item"].as_u64(), problem["errors"][1]["field"].as_str()),
        (Some(2), Some("parent_id"))
    );
    assert_eq!(websites(told), 500);
    let (status, answer) = bulk(json!({"action": "create", "websites": mixed}));
    let results: Vec<&str> =
        answer["results"].as_array().unwrap().iter().filter_map(|r| r["result"].as_str()).collect();
    assert_eq!((status, results), (200, vec!["done", "refused", "refused"]), "{answer}");
    assert_eq!(answer["results"][1]["errors"][0]["field"], "url");
    let good = answer["results"][0]["id"].as_str().unwrap();
    let (_, website) = told.api("GET", &format!("/websites/{good}"), None);
    assert_eq!(
        (&website["paused"], &website["tags"], &website["uptime_goal_ppm"]),
        (&json!(true), &json!(["new"]), &json!(999_000))
    );

    // By name.
    let stranger = uuid::Uuid::new_v4().to_string();
    let (status, answer) = bulk(json!({"action": "resume", "ids": [good, stranger, good]}));
    assert_eq!(
        (status, &answer["results"][0]["result"], &answer["results"][1]["result"]),
        (200, &json!("done"), &json!("not_found")),
        "{answer}"
    );
    let (_, answer) = bulk(json!({"action": "resume", "ids": [good]}));
    assert_eq!(answer["results"][0]["result"], "unchanged");
    assert_eq!(bulk(json!({"action": "pause", "ids": [good, stranger], "all_or_nothing": true})).0, 422);
    let (_, website) = told.api("GET", &format!("/websites/{good}"), None);
    assert_eq!(website["paused"], false, "nothing was done");

    // By a filter, 500 at a time.
    let (status, answer) = bulk(json!({"action": "pause", "filter": {"kind": "http"}}));
    assert_eq!((status, answer["done"].as_u64(), &answer["more"]), (200, Some(500), &json!(true)), "{answer}");
    let (_, answer) = bulk(json!({"action": "pause", "filter": {"kind": "http"}}));
    assert_eq!((answer["done"].as_u64(), &answer["more"]), (Some(1), &json!(false)), "{answer}");
    let (_, page) = told.api("GET", "/websites?paused=true&limit=1", None);
    assert_eq!(page["websites"][0]["reason"], "It was paused by its owner.");
    for odd in [
        json!({"action": "delete", "filter": {}}),
        json!({"action": "delete"}),
        json!({"action": "delete", "ids": [good], "filter": {"kind": "http"}}),
        json!({"action": "delete", "ids": []}),
        json!({"action": "delete", "filter": {"state": "fine"}}),
    ] {
        assert_eq!(bulk(odd.clone()).0, 422, "{odd}");
    }
    assert_eq!(bulk(json!({"action": "burn", "ids": [good]})).0, 400);

    // Nobody else's.
    let bob = token(&told.base, "bob", "battery staple");
    let (_, _, answer) = super::sample::ask(
        &told.base,
        &bob,
        "POST",
        "/api/v1/websites/bulk",
        &[],
        Some(&json!({"action": "delete", "ids": [good]})),
    );
    assert_eq!(answer["results"][0]["result"], "not_found", "{answer}");
    assert_eq!(websites(told), 501);
    let (_, answer) = bulk(json!({"action": "delete", "filter": {"kind": "http"}}));
    assert_eq!((answer["done"].as_u64(), &answer["more"]), (Some(500), &json!(true)));
    assert_eq!(websites(told), 1);
    // Who did that is to be found.
    let (_, log) = told.api("GET", "/audit?limit=1", None);
    let line = &log["lines"][0];
    assert_eq!((&line["kind"], &line["object"]), (&json!("website"), &json!("500 websites were deleted")), "{log}");
    assert!(line["changes"][0]["new"].as_str().is_some_and(|ids| ids.len() == 197), "{log}");
}

#[test]
fn many_websites_at_once_in_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let environment = [("SIGNUPS", "open"), ("MAX_WEBSITES_PER_ACCOUNT", "1000")];
    works(&Told::start(directory.path(), &environment));
}

#[test]
fn many_websites_at_once_in_postgres() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let url = runtime.block_on(database());
    let environment = [
        ("DATABASE_URL", url.as_str()),
        ("JWT_SECRET_KEY", KEY),
        ("SIGNUPS", "open"),
        ("MAX_WEBSITES_PER_ACCOUNT", "1000"),
    ];
    works(&Told::start(directory.path(), &environment));
}
