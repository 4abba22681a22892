//! Maintenance, tags and dependencies, as people and programs use them.

use serde_json::{Value, json};

use crate::client::{call, encoded, form, form_page, page, token};
use crate::process::{Hub, Target};

/// Two accounts on one hub, each with its token.
struct Place {
    hub: Hub,
    ann: String,
    bob: String,
    _directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let hub = Hub::start(directory.path(), &[("SIGNUPS", "open")]);
        let (ann, bob) = (token(&hub.url(""), "ann", "correct horse"), token(&hub.url(""), "bob", "correct horse"));
        Self { hub, ann, bob, _directory: directory }
    }

    fn website(&self, token: &str, url: &str) -> String {
        let (status, answer) = call("POST", &self.hub.url("/website"), Some(token), Some(&json!({"url": url})));
        assert_eq!(status, 201, "{answer}");
        answer["id"].as_str().unwrap().to_owned()
    }

    fn api(&self, method: &str, path: &str, token: &str, body: Option<&Value>) -> (u16, Value) {
        call(method, &self.hub.url(&format!("/api/v1/maintenance{path}")), Some(token), body)
    }
}

fn window(name: &str) -> Value {
    json!({
        "name": name, "scope": "all", "time_zone": "Europe/Berlin", "starts": "2026-11-27T00:00",
        "repeats": "daily", "duration_minutes": 1380,
    })
}

/// A window that runs now, whatever the time is, but for the hour in which it does not.
fn running() -> Value {
    let began = jiff::Timestamp::now().as_second() - 600;
    let starts = jiff::Timestamp::from_second(began).unwrap().strftime("%Y-%m-%dT%H:%M").to_string();
    json!({
        "name": "Now", "scope": "all", "time_zone": "UTC", "starts": starts, "repeats": "once",
        "duration_minutes": 120,
    })
}

/// The next Sunday on which clocks in Berlin are put forward, of which the night before is still to come.
fn put_forward() -> jiff::civil::Date {
    let last_sunday_of_march = |year: i16| {
        let last = jiff::civil::date(year, 3, 31);
        last - jiff::Span::new().days(last.weekday().to_sunday_zero_offset())
    };
    let today: jiff::civil::Date = jiff::Timestamp::now().to_string()[..10].parse().unwrap();
    let of_this_year = last_sunday_of_march(today.year());
    if of_this_year > today + jiff::Span::new().days(3) { of_this_year } else { last_sunday_of_march(today.year() + 1) }
}

#[test]
fn programs_plan_read_change_end_and_delete_windows() {
    let place = Place::new();
    let ann = &place.ann;
    let (status, made) = place.api("POST", "", ann, Some(&running()));
    assert_eq!(status, 201, "{made}");
    let path = format!("/{}", made["id"].as_str().unwrap());
    assert!(made["running"]["to_at"].is_string() && made["next"] == json!([]), "{made}");
    assert_eq!(place.api("GET", &path, ann, None), (200, made.clone()));
    assert_eq!(place.api("GET", "", ann, None), (200, json!({"maintenance": [made]})));

    let (status, ended) = place.api("POST", &format!("{path}/end"), ann, None);
    assert_eq!((status, &ended["running"]), (200, &Value::Null), "{ended}");
    assert_eq!(place.api("POST", &format!("{path}/end"), ann, None).0, 409);

    let (status, changed) = place.api("PUT", &path, ann, Some(&window("Nightly")));
    assert_eq!((status, &changed["repeats"], &changed["revision"]), (200, &json!("daily"), &json!(3)), "{changed}");
    assert_eq!(changed["next"].as_array().map(Vec::len), Some(3));
    let local = changed["next"][0]["from_local"].as_str().unwrap();
    assert!(local.contains("T00:00:00+0"), "{local}");
    let mut stale = window("Stale");
    stale["revision"] = json!(2);
    assert_eq!(place.api("PUT", &path, ann, Some(&stale)).0, 409);

    let (status, wrong) = place.api(
        "POST",
        "",
        ann,
        Some(&json!({
            "name": "", "scope": "website", "website_id": "7", "time_zone": "Berlin", "starts": "tomorrow",
            "repeats": "weekly:", "duration_minutes": 0,
        })),
    );
    let fields: Vec<&str> = wrong["errors"].as_array().unwrap().iter().map(|e| e["field"].as_str().unwrap()).collect();
    assert_eq!(status, 422);
    assert_eq!(fields, ["name", "website_id", "starts", "repeats", "duration", "time_zone"]);
    let mut odd = window("Odd");
    odd["until"] = json!("x");
    assert_eq!(place.api("POST", "", ann, Some(&odd)).0, 400);

    assert_eq!(place.api("DELETE", &path, ann, None).0, 204);
    assert_eq!(place.api("GET", &path, ann, None).0, 404);
    assert_eq!(call("GET", &place.hub.url("/api/v1/maintenance"), None, None).0, 401);
}

#[test]
fn i10_anothers_windows_websites_and_parents_are_not_there() {
    let place = Place::new();
    let (ann, bob, base) = (&place.ann, &place.bob, place.hub.url(""));
    let (hers, his) = (place.website(ann, "https://hers.invalid/"), place.website(bob, "https://his.invalid/"));
    let (_, made) = place.api("POST", "", ann, Some(&running()));
    let id = made["id"].as_str().unwrap();
    for (method, path, body) in [
        ("GET", format!("/{id}"), None),
        ("PUT", format!("/{id}"), Some(window("His"))),
        ("POST", format!("/{id}/end"), None),
        ("DELETE", format!("/{id}"), None),
    ] {
        assert_eq!(place.api(method, &path, bob, body.as_ref()).0, 404, "{method} {path}");
    }
    assert_eq!(place.api("GET", "", bob, None).1, json!({"maintenance": []}));
    for path in [format!("/maintenance/{id}/edit"), format!("/maintenance/{id}/delete")] {
        assert_eq!(page(&base, &path, bob).0, 404, "{path}");
    }
    for path in [format!("/maintenance/{id}/end"), format!("/maintenance/{id}/delete")] {
        assert_eq!(form(&base, &path, bob, ""), 404, "{path}");
    }
    assert!(!page(&base, "/maintenance", bob).1.contains("Now"));

    let mut of_hers = window("Hers");
    (of_hers["scope"], of_hers["website_id"]) = (json!("website"), json!(hers));
    assert_eq!(place.api("POST", "", bob, Some(&of_hers)).0, 422);
    let fields = encoded(&[("url", "https://his.invalid/"), ("tags", "x"), ("parent", &hers)]);
    let (status, text) = form_page(&base, &format!("/websites/{his}/edit"), bob, &fields);
    assert!(status == 422 && text.contains("There is no such website of yours"), "{status} {text}");
    let (status, text) = form_page(&base, "/websites/new", bob, &fields);
    assert!(status == 422 && text.contains("There is no such website of yours"), "{status} {text}");
    let (_, text) = page(&base, &format!("/websites/{his}/edit"), bob);
    assert!(!text.contains("hers.invalid") && !text.contains("value=\"x\""), "{text}");
    assert!(page(&base, &format!("/websites/{hers}"), ann).1.contains("it is checked, and nobody is told"));
    assert!(!page(&base, &format!("/websites/{his}"), bob).1.contains("it is checked, and nobody is told"));
}

#[test]
fn people_see_the_night_with_a_change_of_clocks_before_they_save() {
    let place = Place::new();
    let (ann, base) = (&place.ann, place.hub.url(""));
    assert_eq!(page(&base, "/maintenance/new", ann).0, 200);
    let sunday = put_forward();
    let one_day = jiff::Span::new().days(1);
    let (saturday, monday) = (sunday - one_day, sunday + one_day);
    let starts = format!("{saturday}T02:30");
    let mut fields = vec![
        ("name", "Nightly"),
        ("scope", "all"),
        ("time_zone", "Europe/Berlin"),
        ("starts", starts.as_str()),
        ("repeats", "daily"),
        ("hours", "1"),
        ("minutes", "0"),
        ("preview", "1"),
    ];
    let (status, text) = form_page(&base, "/maintenance/new", ann, &encoded(&fields));
    assert_eq!(status, 200);
    for words in [
        format!("Sat {saturday} 02:30 to 03:30 by the clocks of Europe/Berlin"),
        format!("Sun {sunday} 03:30 to 04:30 by the clocks of Europe/Berlin"),
        "clocks are put forward: that time does not exist on this day".to_owned(),
        format!("{monday} 00:30"),
        "value=\"Nightly\"".to_owned(),
    ] {
        assert!(text.contains(&words), "{words}: {text}");
    }
    assert!(page(&base, "/maintenance", ann).1.contains("None is planned"), "a look saves nothing");
    fields.pop();
    assert_eq!(form(&base, "/maintenance/new", ann, &encoded(&fields)), 303);
    let (_, list) = page(&base, "/maintenance", ann);
    assert!(list.contains("every day at 02:30, Europe/Berlin, for 1 h") && list.contains("Upcoming"), "{list}");

    let (_, windows) = place.api("GET", "", ann, None);
    let id = windows["maintenance"][0]["id"].as_str().unwrap();
    let (status, text) = page(&base, &format!("/maintenance/{id}/edit"), ann);
    assert!(
        status == 200 && text.contains("The next ones") && text.contains("name=\"revision\" value=\"1\""),
        "{text}"
    );
    fields[4] = ("repeats", "weekly");
    fields.push(("revision", "1"));
    let (status, text) = form_page(&base, &format!("/maintenance/{id}/edit"), ann, &encoded(&fields));
    assert!(status == 422 && text.contains("Choose at least one day"), "{text}");
    fields.extend([("weekdays", "mon"), ("weekdays", "sun")]);
    assert_eq!(form(&base, &format!("/maintenance/{id}/edit"), ann, &encoded(&fields)), 303);
    assert!(page(&base, "/maintenance", ann).1.contains("every Monday and Sunday at 02:30"));
    let (status, text) = form_page(&base, &format!("/maintenance/{id}/edit"), ann, &encoded(&fields));
    assert!(status == 409 && text.contains("changed meanwhile"), "{text}");

    // What runs is ended from the list.
    let (_, made) = place.api("POST", "", ann, Some(&running()));
    assert!(page(&base, "/maintenance", ann).1.contains("End it now"));
    let path = format!("/maintenance/{}", made["id"].as_str().unwrap());
    assert_eq!(form(&base, &format!("{path}/end"), ann, ""), 303);
    let (_, list) = page(&base, "/maintenance", ann);
    assert!(!list.contains("End it now") && list.contains("Plan it again"), "{list}");
    assert_eq!(page(&base, &format!("{path}/delete"), ann).0, 200);
    assert_eq!(form(&base, &format!("{path}/delete"), ann, ""), 303);
}

#[test]
fn tags_and_a_parent_are_set_on_the_form_and_seen_on_the_pages() {
    let place = Place::new();
    let (ann, base) = (&place.ann, place.hub.url(""));
    let target = Target::start();
    let parent = place.website(ann, "https://parent.invalid/");
    let url = target.url("/");
    let fields = encoded(&[("url", url.as_str()), ("tags", "Shop, eu-west"), ("parent", &parent)]);
    assert_eq!(form(&base, "/websites/new", ann, &fields), 303);
    let (_, list) = call("GET", &place.hub.url("/website"), Some(ann), None);
    let child = list[1]["id"].as_str().unwrap();
    let (_, text) = page(&base, &format!("/websites/{child}"), ann);
    for words in ["href=\"/?tag=eu-west\"", "Depends on <a", "parent.invalid"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let (_, text) = page(&base, "/?tag=shop", ann);
    assert!(text.contains(child) && !text.contains(&parent), "{text}");

    // A program that knows only address and times changes neither.
    let edit = format!("/websites/{child}/edit");
    assert_eq!(form(&base, &edit, ann, &encoded(&[("url", url.as_str()), ("interval_s", "60")])), 303);
    let (_, text) = page(&base, &edit, ann);
    assert!(
        text.contains("value=\"eu-west, shop\"") && text.contains(&format!("value=\"{parent}\" selected")),
        "{text}"
    );
    // Neither tags nor parent are a new revision, and an open form of before saves them all the same.
    let fields = encoded(&[("url", url.as_str()), ("interval_s", "60"), ("tags", ""), ("parent", "")]);
    assert_eq!(form(&base, &edit, ann, &fields), 303);
    let (_, text) = page(&base, &edit, ann);
    assert!(text.contains("name=\"revision\" value=\"2\"") && !text.contains("eu-west"), "{text}");

    let fields = encoded(&[("url", url.as_str()), ("interval_s", "60"), ("tags", "a\u{202e}b"), ("parent", child)]);
    let (status, text) = form_page(&base, &edit, ann, &fields);
    assert!(status == 422 && text.contains("no invisible characters"), "{text}");
    let fields = encoded(&[("url", url.as_str()), ("interval_s", "60"), ("parent", child)]);
    let (status, text) = form_page(&base, &edit, ann, &fields);
    assert!(status == 422 && text.contains("cannot depend on itself"), "{text}");
}
