//! Reports as people and programs get them: page, CSV and JSON say the same to the last digit, to their owner alone.

use std::time::Duration;

use hub::model::{AccountId, MaintenancePlan, Rule, Scope, UtcMs, WebsiteId};
use hub::store::Store;
use serde_json::{Value, json};

use crate::client::{call, encoded, form, page, token};
use crate::process::{Hub, KEY};
use crate::roll_ups::up;
use crate::services::{database, wait_until};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

fn rfc3339(at: UtcMs) -> String {
    jiff::Timestamp::from_millisecond(at).unwrap().to_string()
}

/// The example of docs/ARCHITECTURE.md with the outage it is about, written past the hub, which does not run meanwhile.
async fn write_example(url: Option<&str>, directory: &std::path::Path, id: WebsiteId, midnight: UtcMs) {
    let store = match url {
        Some(url) => Store::open_postgres(url).await.expect("a store"),
        None => Store::open_sqlite(directory).await.expect("the hub's file"),
    };
    macro_rules! write {
        ($pool:expr) => {{
            let pool = $pool;
            let account: uuid::Uuid = sqlx::query_scalar("select account_id from website where website_id = $1")
                .bind(id.0).fetch_one(&pool).await.unwrap();
            for sql in ["delete from transition", "update website set paused = true, created_at = $1, uptime_goal_ppm = 990000",
                "update website_state set verdict = 'up', since_at = $1, fresh_until_at = null"] {
                let query = sqlx::query(sql);
                let query = if sql.contains("$1") { query.bind(midnight) } else { query };
                query.execute(&pool).await.unwrap();
            }
            let half = HOUR / 2;
            for (at, decided_at, from, to) in [
                (midnight + 10 * HOUR, midnight + 10 * HOUR + 21_500, "up", "down"),
                (midnight + 10 * HOUR + half, midnight + 10 * HOUR + half, "down", "up"),
                (midnight + 15 * HOUR, midnight + 15 * HOUR, "up", "unknown"),
                (midnight + 15 * HOUR + half, midnight + 15 * HOUR + half, "unknown", "up"),
            ] {
                sqlx::query("insert into transition (website_id, decided_at, number, at, from_verdict, to_verdict, reason) \
                    values ($1, $2, 0, $3, $4, $5, 'x')")
                    .bind(id.0).bind(decided_at).bind(at).bind(from).bind(to).execute(&pool).await.unwrap();
            }
            let incident = uuid::Uuid::from_u128(77);
            sqlx::query("insert into incident (incident_id, account_id, kind, cause_key, cause, began_at, opened_at, ended_at, \
                closed_at, closed_as, websites) values ($1, $2, 'outage', 'k', 'Refused', $3, $3, $4, $4, 'recovered', 1)")
                .bind(incident).bind(account).bind(midnight + 10 * HOUR).bind(midnight + 10 * HOUR + half)
                .execute(&pool).await.unwrap();
            sqlx::query("insert into incident_website (incident_id, website_id, url, began_at, ended_at) \
                values ($1, $2, 'https://example.invalid/', $3, $4)")
                .bind(incident).bind(id.0).bind(midnight + 10 * HOUR).bind(midnight + 10 * HOUR + half)
                .execute(&pool).await.unwrap();
            pool.close().await;
            account
        }};
    }
    let account = match url {
        Some(url) => write!(sqlx::PgPool::connect(url).await.expect("Postgres")),
        None => {
            let options = sqlx::sqlite::SqliteConnectOptions::new().filename(directory.join("betteruptime.sqlite"));
            write!(sqlx::SqlitePool::connect_with(options).await.expect("SQLite"))
        }
    };
    let starts = rfc3339(midnight + 20 * HOUR)[..16].parse().unwrap();
    let rule = Rule::new("Etc/UTC", starts, "once".parse().unwrap(), HOUR / 2).unwrap();
    let plan = MaintenancePlan { name: "Update".to_owned(), scope: Scope::Website(id), rule };
    store.add_maintenance(AccountId(account), &plan, midnight).await.expect("added");
    let mut ticks: Vec<_> =
        (1..=100).map(|n| up(id, "INDIA", midnight + i64::from(n) * 10 * MINUTE, n * 1_000)).collect();
    ticks.extend((0..10).map(|n| up(id, "USA", midnight + n * HOUR, 1_000_000)));
    store.ensure_partitions(midnight).await.expect("partitions");
    store.ingest(&ticks, midnight + DAY).await.expect("ingest");
    store.close().await;
}

/// Cells of a line of CSV without quotes, by the names above them.
fn cells(csv: &str, line: usize) -> std::collections::BTreeMap<String, String> {
    let lines: Vec<&str> = csv.split("\r\n").collect();
    lines[0].split(',').map(str::to_owned).zip(lines[line].split(',').map(str::to_owned)).collect()
}

fn agree(environment: &[(&str, &str)], url: Option<&str>) {
    let directory = tempfile::tempdir().unwrap();
    let environment = [environment, &[("SIGNUPS", "open")]].concat();
    let mut hub = Hub::start(directory.path(), &environment);
    let (ann, bob) = (token(&hub.url(""), "ann", "correct horse"), token(&hub.url(""), "bob", "correct horse"));
    let (status, made) =
        call("POST", &hub.url("/website"), Some(&ann), Some(&json!({"url": "https://example.invalid/"})));
    assert_eq!(status, 201, "{made}");
    let id = made["id"].as_str().unwrap().to_owned();
    assert_eq!(hub.process.terminate(), Some(0));
    let midnight = hub::clock::wall() / DAY * DAY - 2 * DAY;
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(write_example(url, &directory.path().join("data"), id.parse().unwrap(), midnight));
    let hub = Hub::start(directory.path(), &environment);
    let base = hub.url("");
    let get = |token: Option<&str>, path: &str| call("GET", &format!("{base}{path}"), token, None);
    let day = rfc3339(midnight)[..10].to_owned();
    let query = format!("?from={day}&to={day}");
    wait_until("the day to be counted", Duration::from_secs(60), || {
        get(Some(&ann), &format!("/api/v1/websites/{id}/report{query}")).1["figures"]["latency"]["all"]["answers"]
            == json!(110)
    });

    let (status, one) = get(Some(&ann), &format!("/api/v1/websites/{id}/report{query}"));
    assert_eq!(status, 200, "{one}");
    let figures = &one["figures"];
    assert_eq!(format!("{:.4}", figures["uptime_ratio"].as_f64().unwrap()), "0.9783");
    assert_eq!(figures["uptime_percent"], json!(97.826));
    assert_eq!(
        figures["outages"],
        json!({"count": 1, "open": 0, "longest_ms": HOUR / 2, "mttr_ms": HOUR / 2, "mttd_ms": 21_500})
    );
    assert_eq!(figures["budget"]["burn_rate"], json!(2.174));
    assert_eq!((&one["goal_percent"], &one["before"]), (&json!(99.0), &Value::Null), "it was not there the day before");
    let (_, group) = get(Some(&ann), &format!("/api/v1/reports{query}"));
    assert_eq!((&group["figures"], &group["websites"][0]["figures"]), (figures, figures), "a group of one");

    // The same digits in the tables.
    let names = [
        ("uptime_percent", "/uptime_percent"),
        ("coverage_percent", "/coverage_percent"),
        ("up_ms", "/up_ms"),
        ("down_ms", "/down_ms"),
        ("unknown_ms", "/unknown_ms"),
        ("maintenance_ms", "/maintenance_ms"),
        ("outages", "/outages/count"),
        ("longest_outage_ms", "/outages/longest_ms"),
        ("mttr_ms", "/outages/mttr_ms"),
        ("mttd_ms", "/outages/mttd_ms"),
        ("p50_us", "/latency/all/p50_us"),
        ("p95_us", "/latency/all/p95_us"),
        ("p99_us", "/latency/all/p99_us"),
        ("budget_allowed_ms", "/budget/allowed_ms"),
        ("budget_used_ms", "/budget/used_ms"),
        ("budget_left_ms", "/budget/left_ms"),
        ("budget_used_percent", "/budget/used_percent"),
        ("burn_rate", "/budget/burn_rate"),
    ];
    for (path, line) in [
        (format!("/reports/websites/{id}.csv{query}"), 1),
        (format!("/reports.csv{query}"), 1),
        (format!("/reports.csv{query}"), 4),
        (format!("/api/v1/reports.csv{query}"), 4),
        (format!("/api/v1/websites/{id}/report.csv{query}"), 1),
    ] {
        let (status, csv) = page(&base, &path, &ann);
        assert_eq!(status, 200, "{path}");
        let cells = cells(&csv, line);
        for (column, pointer) in names {
            assert_eq!(cells[column], figures.pointer(pointer).unwrap().to_string(), "{column} of {path}: {csv}");
        }
    }
    for path in [format!("/reports/websites/{id}{query}"), format!("/reports{query}")] {
        let (status, html) = page(&base, &path, &ann);
        assert_eq!(status, 200);
        for part in [
            "97.826 %",
            "97.872 %",
            "30 min",
            "21 s",
            "16 min over 13 min (218 % used)",
            "burn rate 2.174",
            "INDIA",
            "USA",
        ] {
            assert!(html.contains(part), "{part} in {path}: {html}");
        }
        assert!(!html.contains("<script>") && !html.contains("style="), "{html}");
    }
    let (_, html) = page(&base, &format!("/websites/{id}"), &ann);
    assert!(html.contains(&format!("href=\"/reports/websites/{id}\"")) && html.contains("href=\"/reports\""));

    // Theirs alone.
    for path in [format!("/reports/websites/{id}{query}"), format!("/reports/websites/{id}.csv{query}")] {
        assert_eq!(page(&base, &path, &bob).0, 404, "{path}");
    }
    for path in [format!("/api/v1/websites/{id}/report{query}"), format!("/api/v1/websites/{id}/report.csv{query}")] {
        assert_eq!((get(Some(&bob), &path).0, get(None, &path).0), (404, 401), "{path}");
    }
    assert_eq!(get(Some(&bob), &format!("/api/v1/reports{query}")).1["websites"], json!([]));
    assert_eq!((get(None, "/api/v1/reports").0, get(None, "/api/v1/reports.csv").0), (401, 401));
    for path in [format!("/reports{query}"), format!("/reports.csv{query}")] {
        let (status, text) = page(&base, &path, &bob);
        assert!(status == 200 && !text.contains("example.invalid"), "{path}: {status} {text}");
    }

    // What is no report is said, with the field, in all forms.
    for (query, field) in [
        ("?month=2026-13", "month"),
        ("?month=2099-01", "month"),
        ("?from=2026-10-12&to=2026-10-05", "from"),
        ("?from=2024-01-01&to=2026-01-01", "from"),
        ("?from=2099-01-01", "from"),
        ("?to=2026-10-05", "from"),
        ("?from=then&to=now", "from"),
        ("?tz=Atlantis", "tz"),
        ("?goal=101", "goal"),
        ("?from=2020-01-01&to=2020-01-31", "from"),
    ] {
        for path in [format!("/api/v1/websites/{id}/report{query}"), format!("/api/v1/reports{query}")] {
            let (status, wrong) = get(Some(&ann), &path);
            if path.contains("/reports") && query.contains("2020-01-31") {
                assert_eq!((status, &wrong["added_later"]), (200, &json!(1)), "a group may be empty: {wrong}");
                continue;
            }
            assert_eq!((status, &wrong["errors"][0]["field"]), (422, &json!(field)), "{path}: {wrong}");
            assert!(wrong["errors"][0]["remedy"].as_str().unwrap().len() > 10, "{wrong}");
        }
        let (status, html) = page(&base, &format!("/reports/websites/{id}{query}"), &ann);
        assert!(status == 422 && html.contains(&format!("<li>{field}")), "{query}: {status} {html}");
    }
    assert_eq!(get(Some(&ann), "/api/v1/reports?tag=a,b").1["errors"][0]["field"], json!("tag"));

    // By mail.
    let (_, html) = page(&base, "/reports", &ann);
    assert!(html.contains("add a channel of mail"), "{html}");
    let mail = json!({"kind": "email", "name": "Ops", "server": "smtp.example.com", "security": "tls", "from": "up@example.com",
        "to": ["ops@example.com"]});
    let (status, made) = call("POST", &format!("{base}/api/v1/channels"), Some(&ann), Some(&mail));
    assert_eq!(status, 201, "{made}");
    let channel = made["id"].as_str().unwrap().to_owned();
    let add = |token: &str, fields: &[(&str, &str)]| form(&base, "/reports/schedules", token, &encoded(fields));
    assert_eq!(add(&ann, &[("tag", ""), ("rhythm", "monthly"), ("channel", &channel)]), 303);
    assert_eq!(add(&ann, &[("website_id", &id), ("rhythm", "weekly"), ("channel", &channel)]), 303);
    assert_eq!(add(&bob, &[("tag", ""), ("rhythm", "monthly"), ("channel", &channel)]), 422, "another's channel");
    for wrong in [
        vec![("rhythm", "monthly")],
        vec![("rhythm", "hourly"), ("channel", channel.as_str())],
        vec![("rhythm", "weekly"), ("channel", channel.as_str()), ("tag", "a,b")],
        vec![("rhythm", "weekly"), ("channel", channel.as_str()), ("website_id", "x")],
    ] {
        assert_eq!(add(&ann, &wrong), 422, "{wrong:?}");
    }
    let (_, html) = page(&base, "/reports", &ann);
    assert!(
        html.contains("All websites, on the 1st of each month") && html.contains("example.invalid, on Mondays"),
        "{html}"
    );
    let action = html.split("action=\"/reports/schedules/").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let action = format!("/reports/schedules/{action}");
    assert_eq!(form(&base, &action, &bob, ""), 404);
    assert_eq!(form(&base, &action, &ann, ""), 303);
    assert_eq!(form(&base, &action, &ann, ""), 404);
    assert_eq!(page(&base, "/reports", &ann).1.matches("action=\"/reports/schedules/").count(), 1);
}

#[test]
fn page_csv_and_json_agree_and_are_their_owners_alone_on_sqlite() {
    agree(&[], None);
}

#[test]
fn page_csv_and_json_agree_and_are_their_owners_alone_on_postgres() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let url = runtime.block_on(database());
    agree(&[("DATABASE_URL", url.as_str()), ("JWT_SECRET_KEY", KEY)], Some(&url));
}
