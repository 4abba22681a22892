//! Figures as people and programs get them: page, API and formula agree.

use std::time::Duration;

use hub::model::{AccountId, CheckKind, Delays, MaintenancePlan, Phases, StoredTick, Tick};
use hub::model::{Outcome, Rule, Scope, UtcMs, WebsiteId};
use hub::store::Store;
use serde_json::{Value, json};

use crate::client::{call, page, token};
use crate::process::Hub;
use crate::services::wait_until;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
pub const DAY: i64 = 24 * HOUR;

pub fn rfc3339(at: UtcMs) -> String {
    jiff::Timestamp::from_millisecond(at).unwrap().to_string()
}

pub fn up(id: WebsiteId, region: &str, slot_at: UtcMs, total_us: u32) -> StoredTick {
    let tick = Tick {
        website_id: id,
        slot_at,
        attempt: 0,
        kind: CheckKind::Scheduled,
        started_at: slot_at,
        outcome: Outcome::Up,
        failure: None,
        phases: Phases { wait_us: Some(total_us), ..Phases::default() },
        total_us,
        status: Some(200),
        remote: None,
        body_bytes: 1,
        truncated: false,
        hops: Vec::new(),
        certificate: None,
        answer: None,
        notes: Vec::new(),
        delays: Delays::default(),
    };
    StoredTick::received(region.parse().unwrap(), "w1".parse().unwrap(), slot_at + 500, tick)
}

/// The example of docs/ARCHITECTURE.md, written past the hub, which does not run meanwhile.
pub async fn write_history(directory: &std::path::Path, id: WebsiteId, midnight: UtcMs) {
    let store = Store::open_sqlite(directory).await.expect("the hub's file");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(directory.join("betteruptime.sqlite"));
    let pool = sqlx::SqlitePool::connect_with(options).await.expect("SQLite");
    let account: uuid::Uuid = sqlx::query_scalar("select account_id from website where website_id = $1")
        .bind(id.0)
        .fetch_one(&pool)
        .await
        .unwrap();
    sqlx::raw_sql("delete from transition; update website set paused = 1").execute(&pool).await.unwrap();
    sqlx::query("update website set created_at = $1").bind(midnight).execute(&pool).await.unwrap();
    sqlx::query("update website_state set verdict = 'up', since_at = $1, fresh_until_at = null")
        .bind(midnight)
        .execute(&pool)
        .await
        .unwrap();
    let half = HOUR / 2;
    for (at, from, to) in [
        (midnight + 10 * HOUR, "up", "down"),
        (midnight + 10 * HOUR + half, "down", "up"),
        (midnight + 15 * HOUR, "up", "unknown"),
        (midnight + 15 * HOUR + half, "unknown", "up"),
    ] {
        sqlx::query("insert into transition (website_id, decided_at, number, at, from_verdict, to_verdict, reason) values ($1, $2, 0, $2, $3, $4, 'x')")
            .bind(id.0).bind(at).bind(from).bind(to).execute(&pool).await.unwrap();
    }
    let starts = rfc3339(midnight + 20 * HOUR)[..16].parse().unwrap();
    let rule = Rule::new("Etc/UTC", starts, "once".parse().unwrap(), half).unwrap();
    let plan = MaintenancePlan { name: "Update".to_owned(), scope: Scope::Website(id), rule };
    store.add_maintenance(AccountId(account), &plan, midnight).await.expect("added");
    // 100 answers of 1 to 100 ms from one region; from another ten of 1 s.
    let mut ticks: Vec<_> =
        (1..=100).map(|n| up(id, "INDIA", midnight + i64::from(n) * 10 * MINUTE, n * 1_000)).collect();
    ticks.extend((0..10).map(|n| up(id, "USA", midnight + n * HOUR, 1_000_000)));
    store.ingest(&ticks, midnight + DAY).await.expect("ingest");
    pool.close().await;
    store.close().await;
}

#[test]
fn page_api_and_formula_agree_and_are_their_owners_alone() {
    let directory = tempfile::tempdir().unwrap();
    let mut hub = Hub::start(directory.path(), &[("SIGNUPS", "open")]);
    let (ann, bob) = (token(&hub.url(""), "ann", "correct horse"), token(&hub.url(""), "bob", "correct horse"));
    let (status, made) =
        call("POST", &hub.url("/website"), Some(&ann), Some(&json!({"url": "https://example.invalid/"})));
    assert_eq!(status, 201, "{made}");
    let id = made["id"].as_str().unwrap().to_owned();
    assert_eq!(hub.process.terminate(), Some(0));
    let now = hub::clock::wall();
    let midnight = now - now.rem_euclid(DAY) - DAY;
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(write_history(&directory.path().join("data"), id.parse().unwrap(), midnight));
    let hub = Hub::start(directory.path(), &[("SIGNUPS", "open")]);
    let get =
        |token: Option<&str>, path: &str| call("GET", &hub.url(&format!("/api/v1/websites/{id}{path}")), token, None);
    let day = format!("?from={}&to={}", rfc3339(midnight), rfc3339(midnight + DAY));

    let (status, uptime) = get(Some(&ann), &format!("/uptime{day}"));
    assert_eq!(status, 200, "{uptime}");
    let parts =
        ["up_ms", "degraded_ms", "down_ms", "unknown_ms", "maintenance_ms"].map(|name| uptime[name].as_i64().unwrap());
    assert_eq!(parts, [22 * HOUR + HOUR / 2, 0, HOUR / 2, HOUR / 2, HOUR / 2]);
    let told = ["uptime_ratio", "coverage_ratio"].map(|name| format!("{:.4}", uptime[name].as_f64().unwrap()));
    assert_eq!(told, ["0.9783", "0.9787"]);
    assert_eq!(uptime["from_at"], json!(rfc3339(midnight).replace('Z', ".000Z")));

    let (status, before) = get(Some(&ann), "/uptime?from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z");
    assert_eq!(status, 200, "{before}");
    let told = ["uptime_ratio", "coverage_ratio"].map(|name| &before[name]);
    assert_eq!(told, [&Value::Null; 2], "it was not there: nothing to observe is not nothing observed");

    // Yesterday is counted in the first minutes of a day, and at once later on.
    let is_settled = now.rem_euclid(DAY) > 11 * MINUTE;
    if is_settled {
        wait_until("yesterday to be counted", Duration::from_secs(30), || {
            get(Some(&ann), &format!("/latency{day}")).1["all"]["ticks"] == json!(110)
        });
        let (_, latency) = get(Some(&ann), &format!("/latency{day}"));
        let near = |value: &Value, exact: f64| {
            let told = value.as_f64().unwrap();
            assert!((told - exact).abs() <= 0.01 * exact, "{told} for {exact}");
        };
        let [india, usa] = latency["regions"].as_array().unwrap().as_slice() else { panic!("{latency}") };
        assert_eq!((&india["region"], &usa["region"]), (&json!("INDIA"), &json!("USA")));
        for (field, exact) in [("p50_us", 50_000.0), ("p95_us", 95_000.0), ("p99_us", 99_000.0)] {
            near(&india[field], exact);
            near(&usa[field], 1_000_000.0);
        }
        near(&latency["all"]["p50_us"], 55_000.0);
        near(&latency["all"]["p95_us"], 1_000_000.0);
        assert_eq!(
            (&india["mean_us"]["wait"], &india["mean_us"]["total"], &india["mean_us"]["dns"]),
            (&json!(50_500), &json!(50_500), &json!(0))
        );
        assert_eq!((&latency["quantile_error"], &india["late"]), (&json!(0.01), &json!(0)));
    }

    // The page shows what the API tells of the same window, however far the clock is by then.
    let percent = |answer: &Value| {
        let hundredths = (answer["uptime_ratio"].as_f64().unwrap() * 10_000.0).floor() as i64;
        format!("{}.{:02} %", hundredths / 100, hundredths % 100)
    };
    let week = format!("/uptime?from={}", rfc3339(now - 7 * DAY));
    let before = percent(&get(Some(&ann), &week).1);
    let (status, html) = page(&hub.url(""), &format!("/websites/{id}"), &ann);
    let after = percent(&get(Some(&ann), &week).1);
    assert!(status == 200 && (html.contains(&before) || html.contains(&after)), "{before} {html}");
    assert!(html.contains("7 days<small>since it was added</small>") && !html.contains("row\">30 days"), "{html}");
    assert!(html.contains("30 min of maintenance in 7 days") && !html.contains("Uptime, last 24 h"), "{html}");

    for path in ["/uptime", "/latency"] {
        assert_eq!(get(None, path).0, 401);
        assert_eq!(get(Some(&bob), path).0, 404, "another's");
        let (status, wrong) = get(Some(&ann), &format!("{path}?from=2020-01-01T00:00:00Z&to=soon"));
        assert_eq!((status, &wrong["errors"][0]["field"]), (422, &json!("to")), "{wrong}");
        let reversed = format!("{path}?from={}&to={}", rfc3339(midnight), rfc3339(midnight - 1));
        assert_eq!(get(Some(&ann), &reversed).1["errors"][0]["field"], json!("from"));
        let ahead = format!("{path}?to={}", rfc3339(now + DAY));
        assert_eq!(get(Some(&ann), &ahead).1["errors"][0]["field"], json!("to"));
    }
}
