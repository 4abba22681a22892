//! Keys of programs as people and programs meet them (T141), and how often the API may be asked.

use std::time::Duration;

use serde_json::{Value, json};

use crate::client::{call, encoded, form, form_page, page, token};
use crate::process::{Hub, KEY};
use crate::services::{database, wait_until};

/// An answer: status, header fields, body.
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Value,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// Asks as a program does: with header fields of its own choice, and without following redirects.
fn ask(method: &str, url: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Answer {
    let config = ureq::Agent::config_builder().max_redirects(0).http_status_as_error(false).proxy(None).build();
    let agent: ureq::Agent = config.into();
    let mut request = ureq::http::Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = match body {
        Some(body) => agent.run(request.header("content-type", "application/json").body(body.to_string()).unwrap()),
        None => agent.run(request.body(()).unwrap()),
    };
    let mut answer = answer.unwrap_or_else(|e| panic!("{method} {url}: {e}"));
    let headers = answer.headers().iter();
    let headers = headers.map(|(n, v)| (n.to_string(), v.to_str().unwrap_or_default().to_owned())).collect();
    let text = answer.body_mut().read_to_string().unwrap_or_default();
    let body = serde_json::from_str(&text).unwrap_or(Value::Null);
    Answer { status: answer.status().as_u16(), headers, body }
}

fn by_key(method: &str, url: &str, key: &str, body: Option<&Value>) -> Answer {
    ask(method, url, &[("authorization", &format!("Bearer {key}"))], body)
}

/// Makes a key; its id and its text.
fn key(base: &str, token: &str, scopes: &[&str]) -> (String, String) {
    let wanted = json!({"name": scopes.join(" "), "scopes": scopes});
    let (status, made) = call("POST", &format!("{base}/api/v1/keys"), Some(token), Some(&wanted));
    assert_eq!(status, 201, "{made}");
    (made["id"].as_str().unwrap().to_owned(), made["key"].as_str().unwrap().to_owned())
}

#[test]
fn t141_a_key_opens_what_it_names_until_it_is_revoked_on_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let hub = Hub::start(directory.path(), &[("SIGNUPS", "open")]);
    a_key_opens_what_it_names_until_it_is_revoked(&hub.url(""), &hub.url(""));
}

#[test]
fn t141_a_key_opens_what_it_names_until_it_is_revoked_on_two_hubs() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let url = runtime.block_on(database());
    let environment = [("DATABASE_URL", url.as_str()), ("JWT_SECRET_KEY", KEY), ("SIGNUPS", "open")];
    let hubs = (Hub::start(one.path(), &environment), Hub::start(two.path(), &environment));
    let (base, other) = (hubs.0.url(""), hubs.1.url(""));
    a_key_opens_what_it_names_until_it_is_revoked(&base, &other);

    // One whose time is over is nothing, on every hub.
    let cid = token(&base, "cid", "trombone lamp");
    let (_, text) = key(&base, &cid, &["read"]);
    assert_eq!(by_key("GET", &format!("{other}/website"), &text, None).status, 200);
    runtime.block_on(async {
        let pool = sqlx::PgPool::connect(&url).await.unwrap();
        let past = "update api_key set expires_at = 1 where name = 'read'";
        sqlx::query(past).execute(&pool).await.unwrap();
    });
    assert_eq!(by_key("GET", &format!("{other}/website"), &text, None).status, 401);
    let shown = call("GET", &format!("{base}/api/v1/keys"), Some(&cid), None).1;
    assert_eq!(shown["keys"][0]["is_expired"], true, "{shown}");

    // And whatever is kept of one, its secret is not.
    let dump = runtime.block_on(async {
        let pool = sqlx::PgPool::connect(&url).await.unwrap();
        let rows: Vec<String> =
            sqlx::query_scalar("select k::text from api_key k union all select a::text from audit a")
                .fetch_all(&pool)
                .await
                .unwrap();
        rows.join("\n")
    });
    assert!(!dump.contains(&text[36..100]) && dump.contains("cid"), "{dump}");
    for log in [hubs.0.process.log(), hubs.1.process.log()] {
        assert!(!log.contains("bu_"), "{log}");
    }
}

fn a_key_opens_what_it_names_until_it_is_revoked(base: &str, other: &str) {
    let ann = token(base, "ann", "correct horse");
    let (read_id, read) = key(base, &ann, &["read"]);
    let (_, write) = key(base, &ann, &["websites:write"]);

    // Shown once.
    let listed = call("GET", &format!("{base}/api/v1/keys"), Some(&ann), None).1;
    let settings = page(base, "/settings", &ann).1;
    assert_eq!(listed["keys"].as_array().unwrap().len(), 2);
    assert_eq!((&listed["keys"][1]["scopes"], &listed["keys"][1]["made_by"]), (&json!(["read"]), &json!("ann")));
    assert!(listed["keys"][1]["expires_at"].is_string() && listed["keys"][1]["used_at"].is_null(), "{listed}");
    assert!(!listed.to_string().contains(&read[36..]) && !settings.contains(&read[36..]));
    assert!(settings.contains(&read[..36]), "its begin is visible: {settings}");

    // In both headers, on both hubs; the ancestor's routes, too.
    let new = json!({"url": "https://anns.example.com/"});
    assert_eq!(by_key("POST", &format!("{base}/website"), &write, Some(&new)).status, 201);
    assert_eq!(ask("GET", &format!("{other}/website"), &[("token", &read)], None).status, 200);
    let websites = by_key("GET", &format!("{other}/api/v1/websites"), &read, None);
    assert_eq!((websites.status, websites.body["websites"].as_array().unwrap().len()), (200, 1));
    let id = websites.body["websites"][0]["id"].as_str().unwrap().to_owned();
    let used = call("GET", &format!("{base}/api/v1/keys"), Some(&ann), None).1;
    assert!(used["keys"][1]["used_at"].is_string(), "{used}");

    // No more than it names.
    for (method, path, key, expected) in [
        ("POST", "/website", &read, 403),
        ("DELETE", &*format!("/api/v1/websites/{id}"), &read, 403),
        ("POST", "/api/v1/channels", &write, 403),
        ("GET", "/api/v1/channels", &write, 403),
        ("GET", "/api/v1/websites", &write, 200),
        ("GET", "/api/v1/reports", &read, 200),
        // What is a person's, an owner's or an operator's is in no scope.
        ("GET", "/api/v1/sessions", &read, 403),
        ("DELETE", "/api/v1/sessions", &write, 403),
        ("PUT", "/api/v1/password", &write, 403),
        ("GET", "/api/v1/keys", &read, 403),
        ("POST", "/api/v1/keys", &write, 403),
        ("DELETE", &*format!("/api/v1/keys/{read_id}"), &write, 403),
        ("GET", "/api/v1/audit", &read, 403),
        ("GET", "/api/v1/dead-letters", &read, 404),
        ("GET", "/api/v1/capacity", &read, 404),
        ("GET", "/api/v1/installation/audit", &read, 404),
        // Pages are for people.
        ("GET", "/settings", &read, 303),
        ("GET", "/incidents", &read, 303),
        ("POST", "/settings/sessions/end", &write, 303),
        ("POST", "/signout", &write, 303),
    ] {
        let answer = by_key(method, &format!("{base}{path}"), key, None);
        assert_eq!(answer.status, expected, "{method} {path}: {}", answer.body);
        assert_ne!(answer.header("location"), Some("/settings?said=sessions"), "{method} {path}");
    }
    assert_eq!(by_key("GET", &format!("{base}/"), &read, None).header("set-cookie"), None);
    assert_eq!(call("GET", &format!("{base}/website"), Some(&ann), None).0, 200, "nobody was signed out");

    // Nothing that is not one.
    let last = if read.ends_with('0') { "1" } else { "0" };
    let mistyped = by_key("GET", &format!("{base}/website"), &format!("{}{last}", &read[..107]), None);
    assert!(mistyped.status == 401 && mistyped.body.to_string().contains("mistyped"), "{}", mistyped.body);
    assert_eq!(mistyped.header("www-authenticate"), Some("Bearer error=\"invalid_token\""));
    let (unknown, _) = hub::model::api_key::written(hub::model::api_key::ApiKeyId(uuid::Uuid::new_v4()), [3; 32]);
    let id_of_read = hub::model::api_key::ApiKeyId(read_id.parse().unwrap());
    let (forged, _) = hub::model::api_key::written(id_of_read, [3; 32]);
    let answers = [unknown, forged].map(|text| by_key("GET", &format!("{base}/website"), text.expose(), None));
    let said = |answer: &Answer| (answer.status, answer.body["title"].clone());
    assert_eq!(said(&answers[0]), said(&answers[1]));
    assert_eq!(answers[0].status, 401);

    // By the page, without script: shown once, in a field to copy from.
    let fields =
        encoded(&[("name", "Deploy <b>"), ("scopes", "incidents:write"), ("scopes", "read"), ("expires", "never")]);
    let (status, shown) = form_page(base, "/settings/keys", &ann, &fields);
    assert!(status == 200 && shown.contains("Deploy &#60;b&#62;"), "{shown}");
    let made = &shown[shown.find("autocomplete=\"off\">bu_").unwrap() + 19..][..108];
    assert_eq!(by_key("GET", &format!("{base}/api/v1/incidents"), made, None).status, 200);
    let settings = page(base, "/settings", &ann).1;
    assert!(!settings.contains(&made[36..]) && settings.contains("read, incidents:write"), "{settings}");
    for (fields, wrong) in [
        (encoded(&[("name", ""), ("scopes", "read"), ("expires", "90")]), "key-name-error"),
        (encoded(&[("name", "CI"), ("expires", "90")]), "key-scopes-error"),
        (encoded(&[("name", "CI"), ("scopes", "admin"), ("expires", "90")]), "key-scopes-error"),
        (encoded(&[("name", "CI"), ("scopes", "read"), ("expires", "0")]), "3650"),
    ] {
        let (status, shown) = form_page(base, "/settings/keys", &ann, &fields);
        assert!(status == 422 && shown.contains(wrong), "{wrong}: {status} {shown}");
    }

    // Revoked: nothing on every hub, at once.
    assert_eq!(by_key("GET", &format!("{other}/website"), &read, None).status, 200);
    assert_eq!(call("DELETE", &format!("{base}/api/v1/keys/{read_id}"), Some(&ann), None).0, 204);
    assert_eq!(by_key("GET", &format!("{other}/website"), &read, None).status, 401);
    assert_eq!(by_key("GET", &format!("{base}/website"), &read, None).status, 401);
    assert_eq!(call("DELETE", &format!("{base}/api/v1/keys/{read_id}"), Some(&ann), None).0, 404);
    let made_id = &made[3..35];
    assert_eq!(form(base, &format!("/settings/keys/{made_id}/revoke"), &ann, ""), 303);
    assert_eq!(by_key("GET", &format!("{other}/api/v1/incidents"), made, None).status, 401);
    assert_eq!(by_key("GET", &format!("{base}/api/v1/websites"), &write, None).status, 200, "the others go on");
}

#[test]
fn whoever_asks_too_often_waits_and_nobody_else_does() {
    let directory = tempfile::tempdir().unwrap();
    let environment = [
        ("SIGNUPS", "open"),
        ("API_REQUESTS_PER_S", "4"),
        ("TRUSTED_PROXIES", "127.0.0.1/32"),
        ("METRICS_TOKEN", "of-a-test-and-no-other"),
    ];
    let hub = Hub::start(directory.path(), &environment);
    let base = hub.url("");
    let (ann, bob) = (token(&base, "ann", "correct horse"), token(&base, "bob", "battery staple"));
    let (_, one) = key(&base, &ann, &["read"]);
    let (_, two) = key(&base, &ann, &["read"]);
    let url = format!("{base}/api/v1/websites");
    // Forty at once; the machine may take a while over them, in which there are some more.
    let refused = (0..400).map(|_| by_key("GET", &url, &one, None)).find(|answer| answer.status == 429);
    let refused = refused.expect("a bound");
    assert_eq!(refused.header("content-type"), Some("application/problem+json"));
    let wait_s: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=2).contains(&wait_s), "{wait_s}");
    assert_eq!(refused.header("ratelimit-policy"), Some("\"api\";q=40;w=10"));
    assert!(refused.header("ratelimit").unwrap().starts_with("\"api\";r=0;"));
    // Another key of the same person, the person, somebody else.
    assert_eq!(by_key("GET", &url, &two, None).status, 200);
    let answer = ask("GET", &url, &[("token", &ann)], None);
    assert!(answer.status == 200 && answer.header("ratelimit").is_some());
    assert_eq!(ask("GET", &url, &[("token", &bob)], None).status, 200);
    // Pages are not the API.
    assert_eq!(page(&base, "/settings", &ann).0, 200);

    // Who names nobody waits by his address; whoever is known and comes from there does not.
    let from = |address: &str, key: &str| {
        ask("GET", &url, &[("x-forwarded-for", address), ("authorization", &format!("Bearer {key}"))], None).status
    };
    let statuses: Vec<u16> = (0..200).map(|_| from("203.0.113.7", "nonsense")).take_while(|s| *s != 429).collect();
    assert!(statuses.len() < 200 && statuses.len() >= 10 && statuses.iter().all(|s| *s == 401), "{statuses:?}");
    assert_eq!(from("203.0.113.7", &two), 200);
    assert_eq!(from("203.0.113.8", "nonsense"), 401);

    // It passes.
    wait_until("the key to be let in again", Duration::from_secs(10), || by_key("GET", &url, &one, None).status == 200);
    let answer = ask("GET", &format!("{base}/metrics"), &[("authorization", "Bearer of-a-test-and-no-other")], None);
    assert_eq!(answer.status, 200);
}

#[test]
fn whoever_makes_accounts_in_a_loop_waits_and_nobody_else_does() {
    let directory = tempfile::tempdir().unwrap();
    let hub = Hub::start(directory.path(), &[("SIGNUPS", "open"), ("TRUSTED_PROXIES", "127.0.0.1/32")]);
    let url = hub.url("/signup");
    let sign_up = |address: &str, name: &str| {
        let account = json!({"username": name, "password": "correct horse"});
        ask("POST", &url, &[("x-forwarded-for", address)], Some(&account)).status
    };
    assert_eq!(sign_up("203.0.113.7", "ann"), 201);
    // A name that is taken costs as much as one that is not.
    let statuses: Vec<u16> = (0..60).map(|_| sign_up("203.0.113.8", "ann")).take_while(|s| *s != 429).collect();
    assert!((10..60).contains(&statuses.len()) && statuses.iter().all(|status| *status == 400), "{statuses:?}");
    assert_eq!(sign_up("198.51.100.7", "bob"), 201);
}
