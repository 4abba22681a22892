//! Every secret there is, made so that it can be found again, and then looked for in all that a hub says (T276, I11): its log at
//! debug level, each page and answer, its metrics, what its commands print, and what it says about input it refuses.

use std::process::Command;
use std::time::Duration;

use hub::http::Method;
use hub::http::route::ROUTES;
use serde_json::json;

use crate::client::{call, encoded, form_page, page};
use crate::incident_pages::Told;
use crate::services::{database, wait_until};
use crate::tenants::{anns_things, kind_of, path_of};

const KEY: &str = "mkrA3vT9qLx2WnB7yHf5CsJ8dGa1EpZ0mU4oQ6";
const METRICS: &str = "mkrB3vT9qLx2WnB7yHf5CsJ8dGa1EpZ0mU4oQ6";

/// Where some of it stands, when it does.
fn found<'a>(text: &str, secrets: &'a [String]) -> Vec<&'a str> {
    secrets.iter().map(String::as_str).filter(|secret| text.contains(secret)).collect()
}

fn none(what: &str, text: &str, secrets: &[String]) {
    let found = found(text, secrets);
    assert!(found.is_empty(), "{what} tells {found:?}: {text}");
}

#[test]
fn t276_no_secret_is_in_a_log_a_page_an_answer_or_what_a_command_prints() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let url = runtime.block_on(database());
    // Whoever may come without a password is not asked for one.
    let mut with_password = url::Url::parse(&url).unwrap();
    with_password.set_password(Some("mkrDatabase")).unwrap();
    let environment = [
        ("DATABASE_URL", with_password.as_str()),
        ("JWT_SECRET_KEY", KEY),
        ("METRICS_TOKEN", METRICS),
        ("RUST_LOG", "debug"),
    ];
    let told = Told::start(directory.path(), &environment);
    let base = told.base.as_str();
    let has = anns_things(&runtime, &told, &url);
    let mut secrets: Vec<String> = [
        "mkrDatabase",
        KEY,
        METRICS,
        "mkrHeader",
        "mkrBody",
        "mkrBearer",
        "mkrHook",
        "mkrSlack",
        "mkrMail",
        "mkrNtfy",
        "mkrTelegram",
    ]
    .map(str::to_owned)
    .to_vec();

    // What users trust it with. How a website is asked is for its form to say; then it is asked so.
    let watched = told.website.url("/?token=mkrQuery");
    let website = [
        ("url", watched.as_str()),
        ("interval_s", "60"),
        ("timeout_s", "5"),
        ("method", "POST"),
        ("headers", "X-Key: mkrHeader"),
        ("body", "mkrBody"),
        ("sign_in", "bearer"),
        ("token", "mkrBearer"),
    ];
    let (status, text) = form_page(base, "/websites/new", &told.ann, &encoded(&website));
    assert_eq!(status, 303, "{text}");
    wait_until("the website to be asked", Duration::from_secs(20), || told.website.last().contains("mkrBody"));
    let (_, all) = told.api("GET", "/websites?limit=200", None);
    let all = all["websites"].as_array().unwrap();
    let made = all.iter().find(|one| one["url"] == watched.as_str()).unwrap_or_else(|| panic!("{all:?}"));
    let made = made["id"].as_str().unwrap().to_owned();
    for channel in [
        json!({"kind": "webhook", "name": "A", "url": "https://hooks.example.com/mkrHook"}),
        json!({"kind": "slack", "name": "B", "url": "https://hooks.slack.com/services/mkrSlack"}),
        json!({"kind": "email", "name": "C", "server": "mail.example.com", "username": "ann", "password": "mkrMail",
            "from": "a@example.com", "to": ["b@example.com"]}),
        json!({"kind": "ntfy", "name": "D", "server": "https://ntfy.sh", "topic": "mkrNtfy-topic", "token": "tk_mkrNtfy"}),
        json!({"kind": "telegram", "name": "E", "token": "123456:mkrTelegramAAAAAAAAAAAAAAAAAAAAAAAAAA", "chat": "1"}),
        // Refused: what is wrong is said without what was sent.
        json!({"kind": "webhook", "name": "", "url": "ftp://mkrHook", "secret": "mkrHook"}),
        json!({"kind": "slack", "name": "F", "url": "https://evil.example.com/mkrSlack"}),
        json!({"kind": "telegram", "name": "G", "token": "mkrTelegram", "chat": ""}),
        json!({"kind": "ntfy", "name": "H", "server": "x", "topic": "mkrNtfy/", "token": "mkrNtfy"}),
    ] {
        let (_, answer) = told.api("POST", "/channels", Some(&channel));
        none(&format!("{channel}"), &answer.to_string(), &secrets);
        if let Some(secret) = answer["secret"].as_str() {
            secrets.push(secret.to_owned());
        }
    }
    let (_, key) = told.api("POST", "/keys", Some(&json!({"name": "CI", "scopes": ["read"]})));
    let key = key["key"].as_str().or(key["secret"].as_str()).unwrap_or_else(|| panic!("a key: {key}")).to_owned();
    let (status, _) = call("GET", &format!("{base}/api/v1/websites"), Some(&key), None);
    assert_eq!(status, 200);
    secrets.push(key.rsplit('_').next().unwrap().to_owned());
    // As links carry it; the one that made it is shown it once.
    let (_, invitation) = told.api("POST", "/invitations", Some(&json!({"role": "viewer"})));
    let link = invitation["url"].as_str().or(invitation["link"].as_str()).unwrap_or_else(|| panic!("{invitation}"));
    secrets.push(link.rsplit('/').next().unwrap().to_owned());
    let (_, begun) =
        form_page(base, "/settings/factor/begin", &told.ann, &encoded(&[("present_password", "correct horse")]));
    let shared = begun.split("secret=").nth(1).and_then(|rest| rest.split('&').next()).expect("a secret").to_owned();
    secrets.push(shared);
    secrets.push(told.ann.clone());
    secrets.push("correct horse".to_owned());

    // What people type where it is wrong.
    let guess = json!({"username": "ann", "password": "mkrGuess"});
    let (status, answer) = call("POST", &format!("{base}/signin"), None, Some(&guess));
    secrets.push("mkrGuess".to_owned());
    none("a wrong password", &answer.to_string(), &secrets);
    assert_eq!(status, 400);
    let (_, answer) = call("GET", &format!("{base}/api/v1/websites"), Some(&format!("{key}x")), None);
    none("a key that was mistyped", &answer.to_string(), &secrets);
    let (_, text) = form_page(
        base,
        "/settings/password",
        &told.ann,
        &encoded(&[
            ("present_password", "mkrGuess"),
            ("new_password", "mkrNewOne1"),
            ("new_password_again", "mkrOther"),
        ]),
    );
    secrets.extend(["mkrNewOne1".to_owned(), "mkrOther".to_owned()]);
    none("a new password that is refused", &text, &secrets);

    // All there is to read.
    let mut seen = 0;
    for route in ROUTES.iter().filter(|route| route.method == Method::Get) {
        let is_link = ["/acknowledge/", "/ping/", "/static/", "/join/", "/s/", "/subscription/"]
            .iter()
            .any(|open| route.pattern.starts_with(open));
        if is_link || route.pattern == "/api/v1/events" {
            continue;
        }
        let named = route.pattern.contains("/:");
        let path = if named { path_of(route.pattern, &has[kind_of(route.pattern)]) } else { route.pattern.to_owned() };
        let (_, text) = page(base, &path, &told.ann);
        none(&path, &text, &secrets);
        seen += 1;
    }
    assert!(seen > 60, "{seen}");
    // Of the website itself; its form shows the body, and no other secret.
    let all_but_body: Vec<String> = secrets.iter().filter(|secret| *secret != "mkrBody").cloned().collect();
    none("its form", &page(base, &format!("/websites/{made}/edit"), &told.ann).1, &all_but_body);
    for path in ["/websites/{}", "/websites/{}/fragment", "/api/v1/websites/{}", "/api/v1/websites/{}/ticks"] {
        let path = path.replace("{}", &made);
        let (status, text) = page(base, &path, &told.ann);
        assert_eq!(status, 200, "{path}");
        none(&path, &text, &secrets);
    }
    let config = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build();
    let agent: ureq::Agent = config.into();
    let mut metrics =
        agent.get(format!("{base}/metrics")).header("authorization", format!("Bearer {METRICS}")).call().unwrap();
    assert_eq!(metrics.status(), 200);
    none("/metrics", &metrics.body_mut().read_to_string().unwrap(), &secrets);
    for arguments in [vec!["config", "show"], vec!["doctor"], vec!["doctor", "--json"], vec!["export"]] {
        let program = env!("CARGO_BIN_EXE_betteruptime-hub");
        let mut command = Command::new(program);
        let done =
            command.args(&arguments).env_clear().envs(environment).current_dir(directory.path()).output().unwrap();
        let said = [done.stdout, done.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).join("\n");
        none(&format!("{arguments:?}"), &said, &secrets);
    }
    none("the log", &told.hub.process.log(), &secrets);
    let arguments = std::fs::read_to_string(format!("/proc/{}/cmdline", told.hub.process.id())).unwrap();
    none("its command line", &arguments, &secrets);
}
