//! What an owner asks of a check, from the form to the target and back to the page.

use std::time::Duration;

use serde_json::json;

use crate::client::{call, encoded, form, page, token};
use crate::process::{Hub, Target};
use crate::services::wait_until;

fn only_website(hub: &Hub, token: &str) -> String {
    let (_, list) = call("GET", &hub.url("/website"), Some(token), None);
    list[0]["id"].as_str().expect("a website").to_owned()
}

fn status_of(hub: &Hub, token: &str, id: &str) -> String {
    let (_, website) = call("GET", &hub.url(&format!("/status/{id}")), Some(token), None);
    website["ticks"][0]["status"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_website_is_asked_and_judged_as_its_owner_said() {
    let directory = tempfile::tempdir().unwrap();
    let target = Target::start();
    target.say("all is healthy here");
    let hub = Hub::start(directory.path(), &[("RUST_LOG", "debug")]);
    let base = hub.url("");
    let ann = token(&base, "ann", "correct horse");
    let url = target.url("/health?token=query-secret");
    let fields = [
        ("url", url.as_str()),
        ("interval_s", "30"),
        ("timeout_s", "5"),
        ("method", "POST"),
        ("headers", "X-Tenant: t1\r\nX-Api-Key: header-secret\r\n"),
        ("body", "{\r\n\"probe\": true}"),
        ("sign_in", "basic"),
        ("username", "ann"),
        ("password", "password-secret"),
        ("accept", "200-204"),
        ("content_kind", "contains"),
        ("content_place", ""),
        ("content_value", "healthy"),
        ("content_kind", "contains"),
        ("content_place", ""),
        ("content_value", ""),
    ];
    assert_eq!(form(&base, "/websites/new", &ann, &encoded(&fields)), 303);
    let id = only_website(&hub, &ann);
    wait_until("the first tick", Duration::from_secs(10), || status_of(&hub, &ann, &id) == "Up");
    let asked = target.last().to_ascii_lowercase();
    assert!(asked.starts_with("post /health?token=query-secret http/1.1\r\n"), "{asked}");
    assert!(asked.ends_with("\r\n\r\n{\n\"probe\": true}"), "{asked}");
    for line in ["x-tenant: t1", "x-api-key: header-secret", "authorization: basic yw5uonbhc3n3b3jklxnly3jlda=="] {
        assert!(asked.contains(&format!("\r\n{line}\r\n")), "{line}: {asked}");
    }

    // The form does not tell what is secret, and keeps it when it comes back as it was shown.
    let (status, text) = page(&base, &format!("/websites/{id}/edit"), &ann);
    assert_eq!(status, 200);
    assert!(text.contains("X-Api-Key: (set, hidden)") && !text.contains("header-secret"), "{text}");
    assert!(!text.contains("password-secret"), "{text}");
    let mut again = fields.to_vec();
    again[4].1 = "X-Tenant: t2\nX-Api-Key: (set, hidden)";
    again[8].1 = "";
    again.push(("revision", "1"));
    let hits = target.hits();
    assert_eq!(form(&base, &format!("/websites/{id}/edit"), &ann, &encoded(&again)), 303);
    wait_until("a look at what it is now", Duration::from_secs(10), || target.hits() > hits);
    let asked = target.last().to_ascii_lowercase();
    for line in ["x-tenant: t2", "x-api-key: header-secret", "authorization: basic yw5uonbhc3n3b3jklxnly3jlda=="] {
        assert!(asked.contains(&format!("\r\n{line}\r\n")), "{line}: {asked}");
    }

    target.say("all is lost here");
    wait_until("the verdict", Duration::from_secs(45), || {
        page(&base, &format!("/websites/{id}"), &ann).1.contains("class=\"verdict down\"")
    });
    let (_, text) = page(&base, &format!("/websites/{id}"), &ann);
    assert!(text.contains("A text that has to be there is missing"), "{text}");
    assert!(text.contains("POST, 2 header fields") && text.contains("the body contains “healthy”"), "{text}");

    // T077, I11: nowhere else.
    let log = hub.process.log();
    for secret in ["query-secret", "header-secret", "password-secret"] {
        assert!(!log.contains(secret), "the log has {secret}");
    }
    for (path, what) in [(format!("/websites/{id}"), "page"), ("/".to_owned(), "dashboard")] {
        let (_, text) = page(&base, &path, &ann);
        assert!(!text.contains("header-secret") && !text.contains("password-secret"), "{what}");
    }
    let (_, answer) = call("GET", &hub.url("/website"), Some(&ann), None);
    let answer = answer.to_string();
    assert!(!answer.contains("header-secret") && !answer.contains("password-secret"), "{answer}");
}

#[test]
fn a_save_does_not_undo_what_was_saved_meanwhile() {
    let directory = tempfile::tempdir().unwrap();
    let target = Target::start();
    let hub = Hub::start(directory.path(), &[]);
    let base = hub.url("");
    let ann = token(&base, "ann", "correct horse");
    let url = target.url("/");
    let first = [("url", url.as_str()), ("interval_s", "60"), ("timeout_s", "5"), ("user_agent", "first/1")];
    assert_eq!(form(&base, "/websites/new", &ann, &encoded(&first)), 303);
    let edit = format!("/websites/{}/edit", only_website(&hub, &ann));
    let agent = |shown: &str| page(&base, &edit, &ann).1.contains(&format!("value=\"{shown}\""));
    let save = |agent: &str, revision: &str| {
        let mut fields = first.to_vec();
        fields[3].1 = agent;
        fields.push(("revision", revision));
        crate::client::form_page(&base, &edit, &ann, &encoded(&fields))
    };
    let (_, shown) = page(&base, &edit, &ann);
    assert!(shown.contains("name=\"revision\" value=\"1\""), "{shown}");
    assert_eq!(save("second/1", "1").0, 303);
    // The other window, which was opened before.
    let (status, text) = save("third/1", "1");
    assert_eq!(status, 409);
    assert!(text.contains("changed meanwhile") && text.contains("value=\"third/1\""), "{text}");
    assert!(text.contains("name=\"revision\" value=\"2\"") && agent("second/1"), "{text}");
    assert_eq!(save("second/1", "1").0, 303, "nothing to change");
    assert_eq!(save("third/1", "2").0, 303);
    // A program from before there were more settings leaves them alone; one that knows them says what it has seen.
    assert_eq!(form(&base, &edit, &ann, &encoded(&[("url", &url), ("interval_s", "120")])), 303);
    assert!(agent("third/1") && page(&base, &edit, &ann).1.contains("name=\"revision\" value=\"4\""));
    assert_eq!(form(&base, &edit, &ann, &encoded(&first)), 409);
    assert!(agent("third/1"));
}

#[test]
fn a_refused_form_comes_back_with_what_is_wrong_and_without_passwords() {
    let directory = tempfile::tempdir().unwrap();
    let hub = Hub::start(directory.path(), &[]);
    let base = hub.url("");
    let ann = token(&base, "ann", "correct horse");
    let fields = [
        ("url", "https://user:url-secret@example.com/?token=x"),
        ("interval_s", "60"),
        ("timeout_s", "5"),
        ("method", "POST"),
        ("body", "hello"),
        ("sign_in", "bearer"),
        ("token", "token-secret"),
        ("headers", "Cookie: cookie-secret"),
        ("accept", "2000"),
    ];
    let (status, text) = crate::client::form_page(&base, "/websites/new", &ann, &encoded(&fields));
    assert_eq!(status, 422, "{text}");
    for secret in ["url-secret", "token-secret", "cookie-secret"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    for words in
        ["Not saved yet", "More settings, Sign in", "id=\"accept-error\"", "hello</textarea>", "value=\"2000\""]
    {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert_eq!(call("GET", &hub.url("/website"), Some(&ann), None).1, json!([]));
}

#[test]
fn t076_an_address_of_2048_bytes_works_end_to_end() {
    let directory = tempfile::tempdir().unwrap();
    let target = Target::start();
    let hub = Hub::start(directory.path(), &[]);
    let base = hub.url("");
    let ann = token(&base, "ann", "correct horse");
    let of = |bytes: usize| {
        let start = target.url("/");
        format!("{start}{}", "x".repeat(bytes - start.len()))
    };
    let (status, answer) = call("POST", &hub.url("/website"), Some(&ann), Some(&json!({"url": of(2_049)})));
    assert_eq!(status, 400, "{answer}");
    assert_eq!(form(&base, "/websites/new", &ann, &encoded(&[("url", &of(2_049))])), 422);
    assert_eq!(form(&base, "/websites/new", &ann, &encoded(&[("url", &of(2_048))])), 303);
    let id = only_website(&hub, &ann);
    wait_until("the first tick", Duration::from_secs(10), || status_of(&hub, &ann, &id) == "Up");
    let path = of(2_048).split_off(target.url("").len());
    // Its slot may come by now, too.
    assert!(target.hits_of(&path) >= 1, "{}", target.last());
    for shown in ["/".to_owned(), format!("/websites/{id}"), format!("/websites/{id}/edit")] {
        assert_eq!(page(&base, &shown, &ann).0, 200, "{shown}");
    }
}

#[test]
fn t066_an_address_that_is_none_is_refused_without_its_password() {
    let directory = tempfile::tempdir().unwrap();
    let hub = Hub::start(directory.path(), &[]);
    let base = hub.url("");
    let ann = token(&base, "ann", "correct horse");
    for address in ["http:///user:hunter2@host/", "http://\\user:hunter2@host/", "http://user:hun/ter2@host/"] {
        let (status, answer) = call("POST", &hub.url("/website"), Some(&ann), Some(&json!({"url": address})));
        assert_eq!(status, 400, "{answer}");
        let (status, text) = crate::client::form_page(&base, "/websites/new", &ann, &encoded(&[("url", address)]));
        assert_eq!(status, 422, "{text}");
        for text in [answer.to_string(), text] {
            assert!(!text.contains("ter2") && !text.contains("user:"), "{address}: {text}");
        }
    }
}

#[test]
fn t078_names_of_the_inside_are_refused_where_anybody_may_sign_up() {
    let directory = tempfile::tempdir().unwrap();
    let hub = Hub::start(directory.path(), &[("SIGNUPS", "open")]);
    let base = hub.url("");
    let ann = token(&base, "ann", "correct horse");
    for inside in ["http://localhost/", "http://a.localhost./", "http://metadata.google.internal/"] {
        let (status, answer) = call("POST", &hub.url("/website"), Some(&ann), Some(&json!({"url": inside})));
        assert_eq!(status, 400, "{inside}: {answer}");
        assert!(answer.to_string().contains("public one"), "{answer}");
    }
}

#[test]
fn t078_strangers_do_not_become_the_owners_when_sign_ups_are_closed_behind_them() {
    let directory = tempfile::tempdir().unwrap();
    let mut hub = Hub::start(directory.path(), &[("SIGNUPS", "open")]);
    let bob = token(&hub.url(""), "bob", "correct horse");
    assert_eq!(hub.process.terminate(), Some(0));

    let inside = json!({"url": "http://localhost:8080/"});
    let mut hub = Hub::start(directory.path(), &[("SIGNUPS", "closed")]);
    let (status, answer) = call("POST", &hub.url("/website"), Some(&bob), Some(&inside));
    assert_eq!(status, 400, "{answer}");
    let target = Target::start();
    let by_address = json!({"url": target.url("/")});
    let (status, website) = call("POST", &hub.url("/website"), Some(&bob), Some(&by_address));
    assert_eq!(status, 201, "{website}");
    let id = website["id"].as_str().unwrap();
    wait_until("the refusal", Duration::from_secs(10), || !status_of(&hub, &bob, id).is_empty());
    assert_eq!(target.hits(), 0);
    let log = hub.process.log();
    assert_eq!(log.matches("made while SIGNUPS was open").count(), 1, "{log}");
    assert_eq!(hub.process.terminate(), Some(0));

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let file = directory.path().join("data/betteruptime.sqlite");
        let pool = sqlx::SqlitePool::connect_with(sqlx::sqlite::SqliteConnectOptions::new().filename(file));
        let sql = "update account set by_open_sign_up = false where username = 'bob'";
        let pool = pool.await.unwrap();
        assert_eq!(sqlx::query(sql).execute(&pool).await.unwrap().rows_affected(), 1);
        pool.close().await;
    });
    let hub = Hub::start(directory.path(), &[("SIGNUPS", "closed")]);
    assert_eq!(call("POST", &hub.url("/website"), Some(&bob), Some(&inside)).0, 201, "he is one of ours");
    assert!(!hub.process.log().contains("made while SIGNUPS was open"));
}

#[test]
fn a_website_of_a_newer_version_is_left_alone_and_said_so() {
    let directory = tempfile::tempdir().unwrap();
    let target = Target::start();
    let mut hub = Hub::start(directory.path(), &[]);
    let ann = token(&hub.url(""), "ann", "correct horse");
    for path in ["/odd", "/fine"] {
        let (status, _) = call("POST", &hub.url("/website"), Some(&ann), Some(&json!({"url": target.url(path)})));
        assert_eq!(status, 201);
    }
    let id = only_website(&hub, &ann);
    wait_until("a look at both", Duration::from_secs(10), || {
        target.hits_of("/odd") >= 1 && target.hits_of("/fine") >= 1
    });
    assert_eq!(hub.process.terminate(), Some(0));
    let before = target.hits_of("/odd");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let file = directory.path().join("data/betteruptime.sqlite");
        let pool = sqlx::SqlitePool::connect_with(sqlx::sqlite::SqliteConnectOptions::new().filename(file));
        let sql = "update website set expect = '{\"sings\": \"hunter2\"}' where url like '%/odd'";
        let pool = pool.await.unwrap();
        assert_eq!(sqlx::query(sql).execute(&pool).await.unwrap().rows_affected(), 1);
        pool.close().await;
    });

    let hub = Hub::start(directory.path(), &[]);
    let (base, website) = (hub.url(""), format!("/websites/{id}"));
    let (status, text) = page(&base, &website, &ann);
    assert_eq!(status, 200);
    assert!(text.contains("A newer version of BetterUptime wrote its settings"), "{text}");
    let log = hub.process.log();
    assert!(log.contains("A website is not checked") && !log.contains("hunter2"), "{log}");
    let (status, text) = crate::client::form_page(&base, &format!("{website}/check"), &ann, "");
    assert!(status == 409 && text.contains("does not understand"), "{status}: {text}");
    // Saved anew, it is checked at once.
    assert_eq!(target.hits_of("/odd"), before, "whoever does not understand it leaves it alone");
    assert_eq!(form(&base, &format!("{website}/edit"), &ann, &encoded(&[("url", &target.url("/odd"))])), 409);
    let seen = [("url", target.url("/odd")), ("revision", "1".to_owned())];
    let seen = seen.each_ref().map(|(name, value)| (*name, value.as_str()));
    assert_eq!(form(&base, &format!("{website}/edit"), &ann, &encoded(&seen)), 303);
    wait_until("a look at it", Duration::from_secs(10), || target.hits_of("/odd") > before);
}
