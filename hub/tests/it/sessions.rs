//! Sessions as their owner meets them: listed, ended, all ended by a new password; and keys that change under them.

use std::process::Command;

use serde_json::{Value, json};

use crate::client::{call, encoded, form, form_page, page, token};
use crate::process::{Hub, KEY};
use crate::services::database;

fn sign_in(base: &str, password: &str) -> (u16, String) {
    let account = json!({"username": "ann", "password": password});
    let (status, answer) = call("POST", &format!("{base}/signin"), None, Some(&account));
    (status, answer["token"].as_str().unwrap_or_default().to_owned())
}

fn sessions(base: &str, token: &str) -> Vec<Value> {
    let (status, answer) = call("GET", &format!("{base}/api/v1/sessions"), Some(token), None);
    assert_eq!(status, 200, "{answer}");
    answer["sessions"].as_array().unwrap().clone()
}

/// Whether a token still opens something.
fn is_in(base: &str, token: &str) -> bool {
    match call("GET", &format!("{base}/website"), Some(token), None).0 {
        200 => true,
        401 => false,
        other => panic!("{other}"),
    }
}

#[test]
fn t135_sessions_are_seen_and_ended_and_a_new_password_ends_all_on_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let hub = Hub::start(directory.path(), &[("SIGNUPS", "open")]);
    sessions_are_seen_and_ended(&hub.url(""), &hub.url(""));
}

#[test]
fn t135_sessions_are_seen_and_ended_and_a_new_password_ends_all_on_two_hubs() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let url = runtime.block_on(database());
    let environment = [("DATABASE_URL", url.as_str()), ("JWT_SECRET_KEY", KEY), ("SIGNUPS", "open")];
    let hubs = (Hub::start(one.path(), &environment), Hub::start(two.path(), &environment));
    sessions_are_seen_and_ended(&hubs.0.url(""), &hubs.1.url(""));
}

fn sessions_are_seen_and_ended(base: &str, other_hub: &str) {
    let ann = token(base, "ann", "correct horse");
    let bob = token(base, "bob", "battery staple");
    let (two, three) = (sign_in(base, "correct horse").1, sign_in(base, "correct horse").1);
    let list = sessions(base, &ann);
    assert_eq!(list.len(), 3);
    assert_eq!(list.iter().filter(|one| one["is_this"] == true).count(), 1);
    assert!(list.iter().all(|one| one["agent"] == "ureq" && one["address"] == "127.0.0.1"), "{list:?}");

    // One of them, by whom it belongs to alone.
    let id_of = |token: &str| {
        let list = sessions(base, token);
        list.iter().find(|one| one["is_this"] == true).unwrap()["id"].as_str().unwrap().to_owned()
    };
    let second = id_of(&two);
    let end = |token: &str, id: &str| call("DELETE", &format!("{base}/api/v1/sessions/{id}"), Some(token), None).0;
    assert_eq!((end(&bob, &second), end(&bob, &"0".repeat(64)), end(&bob, "x")), (404, 404, 404));
    assert_eq!(form(base, &format!("/settings/sessions/{second}/end"), &bob, ""), 303, "says nothing about it");
    assert!(is_in(base, &two) && is_in(other_hub, &two));
    let shown = page(base, "/settings", &ann).1;
    assert!(shown.contains(&format!("/settings/sessions/{second}/end")), "{shown}");
    assert!(!shown.contains(&format!("/settings/sessions/{}/end", id_of(&ann))), "not this one: {shown}");
    assert_eq!(form(base, &format!("/settings/sessions/{second}/end"), &ann, ""), 303);
    assert!(!is_in(base, &two) && !is_in(other_hub, &two), "at once, on every hub");

    // All others.
    assert_eq!(form(base, "/settings/sessions/end", &ann, ""), 303);
    assert!(!is_in(other_hub, &three) && is_in(base, &ann) && is_in(base, &bob));

    // A new password: what is wrong is said at its field, and nothing happens.
    let passwords = |present: &str, new: &str, again: &str| {
        encoded(&[("present_password", present), ("new_password", new), ("new_password_again", again)])
    };
    let four = sign_in(base, "correct horse").1;
    for (body, part) in [
        (passwords("wrong", "trombone lamp", "trombone lamp"), "present-error"),
        (passwords("correct horse", "short", "short"), "new-error"),
        (passwords("correct horse", "trombone lamp", "trombone lamb"), "again-error"),
    ] {
        let (status, text) = form_page(base, "/settings/password", &ann, &body);
        assert!(status == 422 && text.contains(part), "{part}: {status} {text}");
        assert!(!text.contains("trombone") && !text.contains("correct horse"), "{text}");
    }
    assert!(is_in(base, &four));
    let body = passwords("correct horse", "trombone lamp", "trombone lamp");
    let (status, _) = form_page(base, "/settings/password", &ann, &body);
    assert_eq!(status, 303);
    // Whoever has this very cookie is out, too: the browser that asked got another.
    assert!(!is_in(base, &ann) && !is_in(other_hub, &four) && is_in(base, &bob));
    assert_eq!(sign_in(base, "correct horse").0, 400);
    let (status, five) = sign_in(base, "trombone lamp");
    assert_eq!(status, 200);

    // The same by the API.
    let change = |token: &str, present: &str, new: &str| {
        let body = json!({"present_password": present, "new_password": new});
        call("PUT", &format!("{base}/api/v1/password"), Some(token), Some(&body))
    };
    let (status, answer) = change(&five, "correct horse", "another lamp");
    assert_eq!((status, &answer["errors"][0]["field"]), (422, &json!("present_password")), "{answer}");
    let (status, answer) = change(&five, "trombone lamp", "password1");
    assert_eq!((status, &answer["errors"][0]["field"]), (422, &json!("new_password")), "{answer}");
    let (status, answer) = change(&five, "trombone lamp", "another lamp");
    assert_eq!(status, 200, "{answer}");
    assert!(!is_in(base, &five) && is_in(base, answer["token"].as_str().unwrap()));

    // A page that was left open is no way to guess: five wrong ones, then one waits. (One was counted above.)
    let (_, six) = sign_in(base, "another lamp");
    let tries: Vec<u16> = (0..6).map(|_| change(&six, "guess", "yet another lamp").0).collect();
    assert!(tries.ends_with(&[429]) && tries.starts_with(&[422]), "{tries:?}");
    assert!(is_in(base, &six));
}

#[test]
fn t134_another_key_signs_nobody_out() {
    let directory = tempfile::tempdir().unwrap();
    let mut hub = Hub::start(directory.path(), &[]);
    let ann = token(&hub.url(""), "ann", "correct horse");
    let rotate = |environment: &[(&str, &str)]| {
        let program = env!("CARGO_BIN_EXE_betteruptime-hub");
        let mut command = Command::new(program);
        let done = command.args(["key", "rotate"]).env_clear().envs(environment.iter().copied());
        done.current_dir(directory.path()).output().unwrap()
    };
    let done = rotate(&[]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(is_in(&hub.url(""), &ann), "the hub that runs goes on");
    assert_eq!(hub.process.terminate(), Some(0));

    let mut hub = Hub::start(directory.path(), &[]);
    assert!(is_in(&hub.url(""), &ann));
    // A browser is given a token of the new key at once.
    let agent = ureq::Agent::new_with_config(ureq::Agent::config_builder().proxy(None).build());
    let answer = agent.get(hub.url("/")).header("cookie", format!("betteruptime_session={ann}")).call().unwrap();
    let renewed = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
    let renewed = renewed.strip_prefix("betteruptime_session=").and_then(|rest| rest.split(';').next()).unwrap();
    assert_eq!(hub.process.terminate(), Some(0));

    // What the old key signed is nothing once it is gone.
    std::fs::remove_file(directory.path().join("data/jwt-secret-key.old")).unwrap();
    let hub = Hub::start(directory.path(), &[]);
    assert!(!is_in(&hub.url(""), &ann) && is_in(&hub.url(""), renewed));

    // Keys of the settings are not ours to change.
    let refused = rotate(&[("JWT_SECRET_KEY", KEY)]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("JWT_SECRET_KEY_ACCEPTED") && !said.contains(KEY), "{said}");
}

#[test]
fn t125_a_password_kept_at_a_lower_cost_is_kept_at_todays_once_it_was_shown() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let url = runtime.block_on(database());
    let hub = Hub::start(directory.path(), &[("DATABASE_URL", &url), ("JWT_SECRET_KEY", KEY)]);
    token(&hub.url(""), "ann", "another thing");
    // "correct horse" with 8 MiB and one pass, by another implementation.
    let cheap = "$argon2id$v=19$m=8192,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$64zw4y6hGNSGW1HTKDajc74EIkJpCJ+AUBXDspyrFEU";
    let pool = runtime.block_on(sqlx::PgPool::connect(&url)).unwrap();
    let kept = || -> String {
        runtime.block_on(sqlx::query_scalar("select password_hash from account").fetch_one(&pool)).unwrap()
    };
    runtime.block_on(sqlx::query("update account set password_hash = $1").bind(cheap).execute(&pool)).unwrap();
    assert_eq!((sign_in(&hub.url(""), "guess").0, kept()), (400, cheap.to_owned()));
    let (status, ann) = sign_in(&hub.url(""), "correct horse");
    assert!(status == 200 && is_in(&hub.url(""), &ann));
    let now = kept();
    assert!(now.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{now}");
    assert_eq!((sign_in(&hub.url(""), "correct horse").0, kept()), (200, now));
}

/// P9: four hashes of 19 MiB at once, whoever else comes waits a little or is asked to come again.
#[test]
fn t128_forty_who_sign_in_at_once_cost_no_more_memory_than_four() {
    let directory = tempfile::tempdir().unwrap();
    let hub = Hub::start(directory.path(), &[("SIGNUPS", "open")]);
    let base = hub.url("");
    token(&base, "ann", "correct horse");
    let peak_kib = || -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", hub.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    };
    // One at a time costs one hash already; that is in the peak.
    let before = peak_kib();
    let answers: Vec<u16> = std::thread::scope(|scope| {
        let tries: Vec<_> = (0..40)
            .map(|n| {
                let base = &base;
                scope.spawn(move || {
                    let account = json!({"username": format!("user{n}"), "password": "correct horse"});
                    call("POST", &format!("{base}/signin"), None, Some(&account)).0
                })
            })
            .collect();
        tries.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert!(answers.iter().all(|status| matches!(status, 400 | 503)), "{answers:?}");
    assert!(answers.contains(&400), "{answers:?}");
    let grown = peak_kib() - before;
    assert!(grown < 80 * 1024, "three more of 19 MiB, and a little: {grown} KiB");
    assert!(sign_in(&base, "correct horse").0 == 200);
}
