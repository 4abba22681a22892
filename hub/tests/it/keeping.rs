//! Retention, goal and badges of a website: by its form, and by the API of websites and jobs.

use serde_json::{Value, json};

use crate::client::{call, encoded, form, form_page, page, token};
use crate::process::Hub;

fn decided(shown: &Value) -> (Option<i64>, Option<i64>, Option<bool>) {
    (shown["retention_days"].as_i64(), shown["uptime_goal_ppm"].as_i64(), shown["is_badge_public"].as_bool())
}

fn wrong<'a>(answer: &'a Value, field: &str) -> &'a Value {
    let errors = answer["errors"].as_array().expect("errors");
    errors.iter().find(|error| error["field"] == field).unwrap_or_else(|| panic!("{field}: {answer}"))
}

#[test]
fn by_the_api_of_websites() {
    let directory = tempfile::tempdir().unwrap();
    let hub = Hub::start(directory.path(), &[("RETENTION_DAYS", "90")]);
    let base = hub.url("");
    let ann = token(&base, "ann", "correct horse");
    let all = hub.url("/api/v1/websites");
    let (status, plain) = call("POST", &all, Some(&ann), Some(&json!({"url": "https://example.com", "paused": true})));
    assert_eq!((status, decided(&plain)), (201, (None, None, Some(false))), "{plain}");
    assert_eq!((plain["url"].as_str(), plain["interval_s"].as_i64()), (Some("https://example.com/"), Some(180)));
    assert_eq!((plain["paused"].as_bool(), plain["kind"].as_str()), (Some(true), Some("http")));
    let sent = json!({
        "url": "https://example.org/", "interval_s": 60, "timeout_s": 5, "tags": ["Shop", "eu"],
        "parent_id": plain["id"], "retention_days": 30, "uptime_goal_ppm": 999_500, "is_badge_public": true,
    });
    let (status, website) = call("POST", &all, Some(&ann), Some(&sent));
    assert_eq!((status, decided(&website)), (201, (Some(30), Some(999_500), Some(true))), "{website}");
    assert_eq!((&website["tags"], &website["parent_id"]), (&json!(["eu", "shop"]), &plain["id"]));
    let one = format!("{all}/{}", website["id"].as_str().unwrap());
    assert_eq!(call("GET", &one, Some(&ann), None).1["uptime_goal_ppm"], 999_500);
    let (_, listed) = call("GET", &format!("{all}?limit=1"), Some(&ann), None);
    assert_eq!(listed["websites"][0]["id"], plain["id"]);
    let next = format!("{all}?limit=1&after={}", listed["next"].as_str().expect("more"));
    let (_, listed) = call("GET", &next, Some(&ann), None);
    assert_eq!((&listed["websites"][0]["id"], &listed["next"]), (&website["id"], &Value::Null));
    assert_eq!(decided(&listed["websites"][0]), (Some(30), Some(999_500), Some(true)));

    // What is not given stays, null is none; none of it is a new revision.
    let patch = |body: Value| call("PATCH", &one, Some(&ann), Some(&body));
    let (status, changed) = patch(json!({"uptime_goal_ppm": null, "revision": 1}));
    assert_eq!((status, decided(&changed)), (200, (Some(30), None, Some(true))), "{changed}");
    assert_eq!((&changed["revision"], &changed["tags"]), (&json!(1), &json!(["eu", "shop"])));
    let (status, changed) = patch(json!({"retention_days": 90, "is_badge_public": false, "parent_id": null}));
    assert_eq!((status, decided(&changed)), (200, (Some(90), None, Some(false))), "{changed}");
    assert_eq!((&changed["parent_id"], &changed["revision"]), (&Value::Null, &json!(1)));
    let (status, changed) = patch(json!({"interval_s": 300}));
    assert_eq!((status, &changed["revision"], &changed["interval_s"]), (200, &json!(2), &json!(300)));
    assert_eq!((decided(&changed), &changed["timeout_s"]), ((Some(90), None, Some(false)), &json!(5)));
    assert_eq!(patch(json!({"interval_s": 60, "revision": 1})).0, 409);

    // Refused with field, what was found, and what would work; then nothing of it is saved.
    let (status, refused) = patch(json!({"retention_days": 91, "uptime_goal_ppm": 1_000_000, "interval_s": 1}));
    assert_eq!(status, 422, "{refused}");
    let days = wrong(&refused, "retention_days");
    assert_eq!(
        (days["found"].as_str(), days["remedy"].as_str().map(|r| r.contains("1 to 90"))),
        (Some("91"), Some(true))
    );
    assert_eq!(wrong(&refused, "uptime_goal_ppm")["found"], "1000000");
    wrong(&refused, "interval_s");
    wrong(&patch(json!({"parent_id": website["id"]})).1, "parent_id");
    assert_eq!(patch(json!({"retention_day": 3})).0, 400, "a name there is not");
    let (_, now) = call("GET", &one, Some(&ann), None);
    assert_eq!((decided(&now), &now["interval_s"], &now["revision"]), (decided(&changed), &json!(300), &json!(2)));

    assert_eq!(call("GET", &one, None, None).0, 401);
    assert_eq!(call("DELETE", &one, Some(&ann), None).0, 204);
    assert_eq!((call("GET", &one, Some(&ann), None).0, patch(json!({})).0), (404, 404));
}

#[test]
fn by_the_api_of_jobs() {
    let directory = tempfile::tempdir().unwrap();
    let hub = Hub::start(directory.path(), &[]);
    let ann = token(&hub.url(""), "ann", "correct horse");
    let all = hub.url("/api/v1/jobs");
    let job = json!({"name": "Backup", "period_s": 3600, "retention_days": 100, "uptime_goal_ppm": 990_000});
    let (status, added) = call("POST", &all, Some(&ann), Some(&job));
    assert_eq!((status, decided(&added)), (201, (Some(100), Some(990_000), Some(false))), "{added}");
    let id = added["id"].as_str().unwrap();
    let one = format!("{all}/{id}");
    let (status, kept) = call("PUT", &one, Some(&ann), Some(&json!({"name": "Backup", "period_s": 7200})));
    assert_eq!((status, decided(&kept)), (200, (Some(100), Some(990_000), Some(false))), "{kept}");
    let change = json!({"name": "Backup", "period_s": 7200, "retention_days": null, "is_badge_public": true});
    let (status, changed) = call("PUT", &one, Some(&ann), Some(&change));
    assert_eq!((status, decided(&changed)), (200, (None, Some(990_000), Some(true))), "{changed}");
    let (_, listed) = call("GET", &all, Some(&ann), None);
    assert_eq!(decided(&listed["jobs"][0]), (None, Some(990_000), Some(true)));
    let refused = json!({"name": "", "period_s": 7200, "retention_days": 0});
    let (status, refused) = call("PUT", &one, Some(&ann), Some(&refused));
    assert_eq!(status, 422, "{refused}");
    wrong(&refused, "name");
    wrong(&refused, "retention_days");
    // It is a website, too, but for what a job has not.
    let website = hub.url(&format!("/api/v1/websites/{id}"));
    let (status, changed) = call("PATCH", &website, Some(&ann), Some(&json!({"retention_days": 7})));
    assert_eq!((status, decided(&changed)), (200, (Some(7), Some(990_000), Some(true))), "{changed}");
    let (status, refused) = call("PATCH", &website, Some(&ann), Some(&json!({"url": "example.com"})));
    assert_eq!(status, 422, "{refused}");
    wrong(&refused, "url");
}

#[test]
fn by_the_forms() {
    let directory = tempfile::tempdir().unwrap();
    let hub = Hub::start(directory.path(), &[("RETENTION_DAYS", "90")]);
    let base = hub.url("");
    let ann = token(&base, "ann", "correct horse");
    let website = |id: &str| call("GET", &hub.url(&format!("/api/v1/websites/{id}")), Some(&ann), None).1;
    let ids = || {
        let (_, listed) = call("GET", &hub.url("/api/v1/websites"), Some(&ann), None);
        let listed = listed["websites"].as_array().expect("websites").clone();
        listed.iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let fields = |days: &'static str, goal: &'static str| {
        vec![
            ("url", "https://example.com/"),
            ("interval_s", "60"),
            ("timeout_s", "5"),
            ("retention_days", days),
            ("uptime_goal", goal),
            ("is_badge_public", "1"),
        ]
    };
    let (status, shown) = form_page(&base, "/websites/new", &ann, &encoded(&fields("91", "99.99999")));
    assert_eq!(status, 422);
    for said in [
        "1 to 90",
        "from 50 to 99.9999",
        "value=\"91\"",
        "value=\"99.99999\"",
        "href=\"#uptime_goal\"",
        "<details class=\"more\" open",
    ] {
        assert!(shown.contains(said), "{said}: {shown}");
    }
    assert!(ids().is_empty(), "nothing was added");
    assert_eq!(form(&base, "/websites/new", &ann, &encoded(&fields("14", "99,95"))), 303);
    let id = ids().pop().expect("a website");
    assert_eq!(decided(&website(&id)), (Some(14), Some(999_500), Some(true)));
    let edit = format!("/websites/{id}/edit");
    let (_, shown) = page(&base, &edit, &ann);
    for said in ["value=\"14\"", "value=\"99.95\"", "name=\"is_badge_public\" value=\"1\" checked"] {
        assert!(shown.contains(said), "{said}: {shown}");
    }
    // Empty is none of one's own; a program that knows nothing of it changes nothing of it.
    let mut some = fields("", "99.95");
    some.push(("revision", "1"));
    some.retain(|(name, _)| *name != "is_badge_public");
    assert_eq!(form(&base, &edit, &ann, &encoded(&some)), 303);
    assert_eq!(decided(&website(&id)), (None, Some(999_500), Some(false)));
    assert_eq!(form(&base, &edit, &ann, &encoded(&[("url", "https://example.com/"), ("interval_s", "120")])), 303);
    assert_eq!(decided(&website(&id)), (None, Some(999_500), Some(false)));
    assert_eq!(website(&id)["interval_s"], 120);

    // A form that was open while something else was decided undoes none of it, unless it is told to.
    let patch = |body| call("PATCH", &hub.url(&format!("/api/v1/websites/{id}")), Some(&ann), Some(&body)).0;
    assert_eq!(patch(json!({"retention_days": 14, "is_badge_public": true})), 200);
    let (_, shown) = page(&base, &edit, &ann);
    assert!(shown.contains("name=\"keeping_shown\" value=\"14 99.95 1\""), "{shown}");
    assert_eq!(patch(json!({"retention_days": 90, "is_badge_public": false})), 200);
    let mut stale = fields("14", "99.95");
    stale.push(("keeping_shown", "14 99.95 1"));
    assert_eq!(form(&base, &edit, &ann, &encoded(&stale)), 303);
    assert_eq!(
        (decided(&website(&id)), &website(&id)["interval_s"]),
        ((Some(90), Some(999_500), Some(false)), &json!(60))
    );
    stale[3].1 = "15";
    assert_eq!(form(&base, &edit, &ann, &encoded(&stale)), 303);
    assert_eq!(decided(&website(&id)), (Some(15), Some(999_500), Some(true)));

    let job = [
        ("name", "Backup"),
        ("schedule", "period"),
        ("period", "1"),
        ("period_unit", "86400"),
        ("grace", "1"),
        ("grace_unit", "3600"),
        ("retention_days", "7"),
        ("uptime_goal", "90"),
    ];
    assert_eq!(form(&base, "/jobs/new", &ann, &encoded(&job)), 303);
    let id = ids().pop().expect("a job");
    assert_eq!(decided(&website(&id)), (Some(7), Some(900_000), Some(false)));
    let mut again = job.to_vec();
    again[6].1 = "8";
    assert_eq!(form(&base, &format!("/websites/{id}/edit"), &ann, &encoded(&again)), 303);
    assert_eq!(decided(&website(&id)), (Some(8), Some(900_000), Some(false)));
    again[6].1 = "0";
    assert_eq!(form(&base, &format!("/websites/{id}/edit"), &ann, &encoded(&again)), 422);
}
