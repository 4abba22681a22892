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
