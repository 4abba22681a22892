//! The log of who changed what, as its readers meet it.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::client::{call, encoded, form, form_page, page, token};
use crate::process::{Hub, KEY};
use crate::services::database;

fn log(base: &str, token: &str, query: &str) -> Vec<Value> {
    let (status, answer) = call("GET", &format!("{base}/api/v1/audit{query}"), Some(token), None);
    assert_eq!(status, 200, "{answer}");
    answer["lines"].as_array().unwrap().clone()
}

fn installation(base: &str, token: &str) -> Vec<Value> {
    let (status, answer) = call("GET", &format!("{base}/api/v1/installation/audit?limit=200"), Some(token), None);
    assert_eq!(status, 200, "{answer}");
    answer["lines"].as_array().unwrap().clone()
}

/// Changes of a line as text.
fn changes(line: &Value) -> Vec<String> {
    let list = line["changes"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    list.map(|c| format!("{}: {} > {}", text(&c["field"]), text(&c["old"]), text(&c["new"]))).collect()
}

fn run(directory: &std::path::Path, environment: &[(&str, &str)], arguments: &[&str], input: &str) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_betteruptime-hub"));
    command.args(arguments).env_clear().envs(environment.iter().copied()).env("USER", "root").current_dir(directory);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    assert!(!String::from_utf8_lossy(&done.stderr).contains("audit"), "{}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn whatever_is_changed_is_one_line_on_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let hub = Hub::start(directory.path(), &[]);
    let base = hub.url("");
    whatever_is_changed_is_one_line(&base, directory.path(), &[]);
    // A key of the hub's own that is changed.
    let ann =
        call("POST", &format!("{base}/signin"), None, Some(&json!({"username": "ann", "password": "a new lamp"}))).1;
    run(directory.path(), &[], &["key", "rotate"], "");
    let newest = &installation(&base, ann["token"].as_str().unwrap())[0];
    assert_eq!((&newest["kind"], &newest["person"]), (&json!("signing key"), &json!("command line (root)")));
}

#[test]
fn whatever_is_changed_is_one_line_on_postgres() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let url = runtime.block_on(database());
    let environment = [("DATABASE_URL", url.as_str()), ("JWT_SECRET_KEY", KEY)];
    let hub = Hub::start(directory.path(), &environment);
    whatever_is_changed_is_one_line(&hub.url(""), directory.path(), &environment);
}

fn whatever_is_changed_is_one_line(base: &str, directory: &std::path::Path, environment: &[(&str, &str)]) {
    let ann = token(base, "ann", "correct horse");
    let begun = log(base, &ann, "");
    let said: Vec<_> =
        begun.iter().map(|line| format!("{} {}", line["action"], line["kind"]).replace('"', "")).collect();
    assert_eq!(said, ["signed in session", "signed up account"]);
    assert!(begun.iter().all(|line| line["person"] == "ann" && line["address"] == "127.0.0.1"), "{begun:?}");

    let api = |method: &str, path: &str, body: Option<Value>| {
        call(method, &format!("{base}{path}"), Some(&ann), body.as_ref())
    };
    let mut seen = begun.len();
    // Each step makes one line, which is given back.
    let mut one_more = |what: &str| {
        let lines = log(base, &ann, "?limit=200");
        assert_eq!(lines.len(), seen + 1, "{what}: {:?}", lines.first());
        seen += 1;
        lines[0].clone()
    };

    // A website, by the API, by the ancestor's, by forms.
    let (status, made) = api("POST", "/website", Some(json!({"url": "https://a.example.com/?token=hunter2"})));
    assert_eq!(status, 201, "{made}");
    let line = one_more("added");
    assert_eq!((&line["action"], &line["kind"], &line["object_id"]), (&json!("added"), &json!("website"), &made["id"]));
    assert_eq!((&line["object"], &line["route"]), (&json!("https://a.example.com/?…"), &json!("POST /website")));
    let website = made["id"].as_str().unwrap();
    let (status, answer) =
        api("PATCH", &format!("/api/v1/websites/{website}"), Some(json!({"interval_s": 120, "tags": ["eu"]})));
    assert_eq!(status, 200, "{answer}");
    let line = one_more("changed");
    assert_eq!(line["action"], "changed");
    let told = changes(&line);
    assert!(told.iter().any(|c| c.starts_with("interval_s: ") && c.ends_with(" > 120")), "{told:?}");
    assert!(told.contains(&"tags:  > eu".to_owned()) && told.len() == 2, "{told:?}");
    assert_eq!(form(base, &format!("/websites/{website}/pause"), &ann, ""), 303);
    let line = one_more("paused");
    assert_eq!((&line["action"], changes(&line)), (&json!("paused"), vec!["paused: false > true".to_owned()]));
    assert_eq!(form(base, &format!("/websites/{website}/resume"), &ann, ""), 303);
    one_more("resumed");

    // A channel: its secrets are in no line.
    let hook = json!({"kind": "webhook", "name": "Hook", "url": "https://hooks.example.com/hunter2", "secret": "whsec_aHVudGVyMi1odW50ZXIyLWh1bnRlcjItaHVudGVyMi0="});
    let (status, channel) = api("POST", "/api/v1/channels", Some(hook));
    assert_eq!(status, 201, "{channel}");
    assert_eq!(one_more("a channel")["object"], "Hook");
    let path = format!("/api/v1/channels/{}", channel["id"].as_str().unwrap());
    let (status, answer) = api("PATCH", &path, Some(json!({"url": "https://hooks.example.com/hunter3"})));
    assert_eq!(status, 200, "{answer}");
    assert_eq!(changes(&one_more("a channel's secret")), ["settings: (hidden) > (hidden)"]);
    assert_eq!(form(base, &format!("/channels/{}/off", channel["id"].as_str().unwrap()), &ann, ""), 303);
    assert_eq!(changes(&one_more("a channel off")), ["is_on: true > false"]);

    // A job, by whose page it is a website's route.
    let (_, job) = api("POST", "/api/v1/jobs", Some(json!({"name": "backup", "period_s": 3_600, "grace_s": 600})));
    assert_eq!(one_more("a job")["kind"], "job");
    assert_eq!(form(base, &format!("/websites/{}/pause", job["id"].as_str().unwrap()), &ann, ""), 303);
    let line = one_more("a job paused");
    assert_eq!((&line["kind"], &line["object"]), (&json!("job"), &json!("backup")));

    // A window.
    let window = json!({"name": "Night", "scope": "all", "time_zone": "UTC", "starts": "2030-01-01T00:00", "repeats": "once", "duration_minutes": 60});
    let (status, made) = api("POST", "/api/v1/maintenance", Some(window));
    assert_eq!(status, 201, "{made}");
    assert_eq!(one_more("a window")["object"], "Night");
    assert_eq!(form(base, &format!("/maintenance/{}/delete", made["id"].as_str().unwrap()), &ann, ""), 303);
    assert_eq!(one_more("a window gone")["action"], "deleted");

    // What was not carried out makes none, nor does looking, nor a ping.
    assert_eq!(api("PATCH", &format!("/api/v1/websites/{website}"), Some(json!({"interval_s": 1}))).0, 422);
    assert_eq!(api("DELETE", &format!("/api/v1/websites/{}", uuid::Uuid::new_v4()), None).0, 404);
    assert_eq!(call("POST", &format!("{base}/website"), None, Some(&json!({"url": "https://b.example.com"}))).0, 401);
    assert_eq!(page(base, &format!("/websites/{website}"), &ann).0, 200);
    let ping = job["ping_url"].as_str().unwrap().rsplit_once("/ping/").unwrap().1;
    assert_eq!(call("POST", &format!("{base}/ping/{ping}"), None, None).0, 200);

    // A key, and what it does.
    let (status, key) = api("POST", "/api/v1/keys", Some(json!({"name": "Deploy", "scopes": ["websites:write"]})));
    assert_eq!(status, 201, "{key}");
    let line = one_more("a key");
    assert_eq!((&line["kind"], &line["object"], &line["object_id"]), (&json!("key"), &json!("Deploy"), &key["id"]));
    assert_eq!(changes(&line)[0], "scopes:  > websites:write");
    let text = key["key"].as_str().unwrap();
    let (status, _) = call("DELETE", &format!("{base}/website/{website}"), Some(text), None);
    assert_eq!(status, 200);
    let line = one_more("by a key");
    assert_eq!((&line["person"], &line["key"], &line["key_id"]), (&json!("ann"), &json!("Deploy"), &key["id"]));
    assert_eq!((&line["action"], &line["object"]), (&json!("deleted"), &json!("https://a.example.com/?…")));
    assert_eq!(form(base, &format!("/settings/keys/{}/revoke", key["id"].as_str().unwrap()), &ann, ""), 303);
    let line = one_more("a key revoked");
    assert_eq!((&line["action"], &line["object"]), (&json!("revoked"), &json!("Deploy")));

    // Sign-ins that fail are counted, for the one whose name it is; names that nobody has, for operators.
    let wrong = |name: &str| {
        let account = json!({"username": name, "password": "hunter4 hunter4"});
        assert_eq!(call("POST", &format!("{base}/signin"), None, Some(&account)).0, 400);
    };
    (0..3).for_each(|_| wrong("ann"));
    (0..2).for_each(|_| wrong("nobody"));
    let guesses: Vec<Value> = log(base, &ann, "").into_iter().filter(|line| line["times"] != 1).collect();
    let counted: i64 = guesses.iter().map(|line| line["times"].as_i64().unwrap()).sum();
    assert!(counted == 3 || guesses.len() < 2, "unless the hour ended: {guesses:?}");
    assert!(installation(base, &ann).iter().any(|line| line["object"] == "names nobody has"));

    // A new password. It is an end of sessions, too: go on with the new one.
    let body = encoded(&[
        ("present_password", "correct horse"),
        ("new_password", "a new lamp"),
        ("new_password_again", "a new lamp"),
    ]);
    assert_eq!(form_page(base, "/settings/password", &ann, &body).0, 303);
    let again = json!({"username": "ann", "password": "a new lamp"});
    let ann = call("POST", &format!("{base}/signin"), None, Some(&again)).1["token"].as_str().unwrap().to_owned();
    let lines = log(base, &ann, "?limit=200");
    assert_eq!((&lines[1]["action"], &lines[1]["kind"]), (&json!("changed"), &json!("password")), "{}", lines[1]);

    // Nothing in it is a secret.
    let all = Value::from(lines.clone()).to_string();
    assert!(!all.contains("hunter") && !all.contains("lamp") && !all.contains("horse") && !all.contains(&text[36..]));
    assert!(!all.contains(ping), "the address of a ping is a secret");

    // Pages of it, filters, the table.
    let (mut after, mut paged) = (String::new(), Vec::new());
    loop {
        let (_, found) = call("GET", &format!("{base}/api/v1/audit?limit=5{after}"), Some(&ann), None);
        paged.extend(found["lines"].as_array().unwrap().clone());
        match found["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(paged, lines);
    let jobs = log(base, &ann, "?kind=job");
    assert!(jobs.len() == 2 && jobs.iter().all(|line| line["kind"] == "job"));
    assert_eq!(log(base, &ann, &format!("?object={website}")).len(), 5);
    assert_eq!(log(base, &ann, "?person=bob").len(), 0);
    let (status, shown) = page(base, "/settings/audit?kind=website", &ann);
    assert!(status == 200 && shown.contains("interval_s") && !shown.contains("backup"), "{shown}");
    assert!(shown.contains("<small>with the key Deploy</small>") && shown.contains("/settings/audit.csv?kind=website"));
    let (status, table) = page(base, "/settings/audit.csv", &ann);
    assert_eq!((status, table.lines().count()), (200, lines.len() + 1));
    assert!(table.starts_with("at,person,") && table.contains(",Deploy,"));
    assert_eq!(call("GET", &format!("{base}/api/v1/audit?after=x"), Some(&ann), None).0, 400);

    // Whoever is no owner of them and no operator sees none of it; commands are the operators'.
    run(directory, environment, &["user", "create", "bob"], "battery staple\n");
    let newest = &installation(base, &ann)[0];
    assert_eq!((&newest["object"], &newest["person"]), (&json!("bob"), &json!("command line (root)")));
    assert_eq!((&newest["route"], &newest["action"]), (&json!("user create"), &json!("added")));
    assert!(page(base, "/audit", &ann).1.contains("command line (root)"));
    let bob = json!({"username": "bob", "password": "battery staple"});
    let bob = call("POST", &format!("{base}/signin"), None, Some(&bob)).1["token"].as_str().unwrap().to_owned();
    let bobs = log(base, &bob, "");
    assert!(bobs.len() == 1 && bobs[0]["person"] == "bob", "{bobs:?}");
}
