//! T119: requests that are sent again.

use serde_json::{Value, json};

use super::sample::{ask, websites};
use crate::client::token;
use crate::incident_pages::Told;
use crate::services::database;

const KEY: &str = "4f1c6a1e-0b52-4b8e-9d0e-2f5b4f1f7c11";

#[test]
fn t119_the_same_key_makes_one_thing_whoever_comes_first() {
    let directory = tempfile::tempdir().unwrap();
    let told = Told::start(directory.path(), &[("SIGNUPS", "open")]);
    let (base, ann) = (told.base.as_str(), told.ann.as_str());
    let bob = token(base, "bob", "battery staple");
    let body = json!({"url": "https://once.example.com/"});
    let send = |token: &str, key: &str, path: &str, body: &Value| {
        ask(base, token, "POST", path, &[("idempotency-key", key)], Some(body))
    };
    let answers: Vec<(u16, _, Value)> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..4).map(|_| scope.spawn(|| send(ann, KEY, "/api/v1/websites", &body))).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert!(answers.iter().all(|(status, _, answer)| (*status, answer) == (201, &answers[0].2)), "{answers:?}");
    assert_eq!(answers.iter().filter(|(_, headers, _)| headers.contains_key("idempotency-replayed")).count(), 3);
    assert_eq!(websites(&told), 1);

    // Another body, another path, another account.
    let (status, _, problem) = send(ann, KEY, "/api/v1/websites", &json!({"url": "https://other.example.com/"}));
    assert_eq!((status, problem["errors"][0]["field"].as_str()), (422, Some("Idempotency-Key")), "{problem}");
    assert_eq!(send(ann, KEY, "/api/v1/jobs", &body).0, 422);
    let (status, _, website) = send(&bob, KEY, "/api/v1/websites", &body);
    assert_eq!(status, 201);
    assert_ne!(website["id"], answers[0].2["id"]);

    // What came to nothing may be put right.
    let other = "0123456789abcdef";
    assert_eq!(send(ann, other, "/api/v1/websites", &json!({"url": "ftp://x"})).0, 422);
    assert_eq!(send(ann, other, "/api/v1/websites", &json!({"url": "https://x.example.com/"})).0, 201);
    for odd in ["short", "0123456789 abcdef", &"x".repeat(129)] {
        assert_eq!(send(ann, odd, "/api/v1/websites", &body).0, 400, "{odd}");
    }
}

#[test]
fn a_reservation_that_a_hub_left_behind_is_taken_over() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let url = runtime.block_on(database());
    let environment = [("DATABASE_URL", url.as_str()), ("JWT_SECRET_KEY", crate::process::KEY), ("SIGNUPS", "first")];
    let told = Told::start(directory.path(), &environment);
    let body = json!({"url": "https://once.example.com/"});
    let send = || ask(&told.base, &told.ann, "POST", "/api/v1/websites", &[("idempotency-key", KEY)], Some(&body));
    // What is told once is told again to whoever has the key, and cannot be read from the database.
    let hook = json!({"kind": "webhook", "name": "Hook", "url": told.receiver.url("/hook")});
    let key = [("idempotency-key", "fedcba9876543210")];
    let hooked = || ask(&told.base, &told.ann, "POST", "/api/v1/channels", &key, Some(&hook)).2;
    let (first, second) = (hooked(), hooked());
    assert_eq!(first, second);
    let secret = first["secret"].as_str().unwrap();
    let kept: Vec<Vec<u8>> = runtime.block_on(async {
        let pool = sqlx::PgPool::connect(&url).await.unwrap();
        sqlx::query_scalar("delete from idempotent_answer returning answer").fetch_all(&pool).await.unwrap()
    });
    assert!(secret.len() > 10 && kept.len() == 1);
    assert!(kept.iter().all(|bytes| !bytes.windows(10).any(|part| part == &secret.as_bytes()[..10])));

    let run = |sql: &str| {
        runtime.block_on(async {
            let pool = sqlx::PgPool::connect(&url).await.unwrap();
            sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&pool).await.unwrap().rows_affected()
        })
    };
    assert_eq!(send().0, 201);
    // As a hub leaves it that ends before it has the answer.
    assert_eq!(run("update idempotent_answer set answer = null"), 1);
    let (status, _, problem) = send();
    assert_eq!(status, 409, "it may still be under way: {problem}");
    run("update idempotent_answer set reserved_at = reserved_at - 61000");
    let (status, headers, _) = send();
    assert_eq!((status, headers.contains_key("idempotency-replayed")), (201, false));
    assert!(send().1.contains_key("idempotency-replayed"));
    // A day later it is a request like any other.
    run("update idempotent_answer set reserved_at = reserved_at - 86400000");
    assert!(!send().1.contains_key("idempotency-replayed"));
    // As many as an account may have.
    run("insert into idempotent_answer (account_id, key_hash, request_hash, reserved_at) \
         select account_id, decode(md5(n::text), 'hex'), '', reserved_at from idempotent_answer, generate_series(1, 5000) n");
    let key = [("idempotency-key", "another-key-of-ann")];
    let (status, headers, _) = ask(&told.base, &told.ann, "POST", "/api/v1/websites", &key, Some(&body));
    assert_eq!((status, headers.contains_key("retry-after")), (429, true));
    assert!(send().1.contains_key("idempotency-replayed"), "those there are still hold");
}
