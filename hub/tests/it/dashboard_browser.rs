//! The dashboard and a website's page in real Chromium: with script and without, and what their forms do.

use std::path::Path;
use std::time::Duration;

use fantoccini::{Client, Locator};
use hub::model::histogram::Histogram;
use serde_json::json;

use crate::browser::{Driver, awaited, press, type_into};
use crate::client::{call, encoded, form_page, page, token};
use crate::process::{Hub, Target};

const SOON: Duration = Duration::from_secs(10);
const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

async fn sign_in(client: &Client, hub: &Hub) {
    client.goto(&hub.url("/signin")).await.unwrap();
    type_into(client, "#username", "ann").await;
    type_into(client, "#password", "correct horse").await;
    press(client, "main form button").await;
    awaited(client, "nav[aria-label=Main]", SOON).await;
}

/// Websites of ann's: their ids, in this order.
fn websites(hub: &Hub, token: &str, target: &Target, names: &[(&str, &[&str])]) -> Vec<String> {
    let add = |(path, tags): &(&str, &[&str])| {
        let body = json!({"url": target.url(path), "tags": tags});
        let (status, answer) = call("POST", &hub.url("/api/v1/websites"), Some(token), Some(&body));
        assert_eq!(status, 201, "{answer}");
        answer["id"].as_str().unwrap().to_owned()
    };
    names.iter().map(add).collect()
}

async fn count(client: &Client, selector: &str) -> usize {
    client.find_all(Locator::Css(selector)).await.unwrap().len()
}

/// Nothing goes beyond the edge, from the narrowest phone to a wide screen.
async fn fits(client: &Client, what: &str) {
    for width in [320, 390, 768, 1280, 1920] {
        client.set_window_size(width, 900).await.unwrap();
        let widths = "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]";
        let widths = client.execute(widths, vec![]).await.unwrap();
        assert!(widths[0].as_i64() <= widths[1].as_i64(), "{what} at {width}: {widths}");
    }
    client.set_window_size(1280, 900).await.unwrap();
}

#[test]
fn many_websites_are_found_marked_and_changed_without_script() {
    let directory = tempfile::tempdir().unwrap();
    let (hub, target, driver) = (Hub::start(directory.path(), &[]), Target::start(), Driver::start());
    let ann = token(&hub.url(""), "ann", "correct horse");
    let names: Vec<(String, &[&str])> =
        (0..10).map(|n| (format!("/w{n}"), if n < 3 { &["eu"][..] } else { &[] })).collect();
    let names: Vec<(&str, &[&str])> = names.iter().map(|(path, tags)| (path.as_str(), *tags)).collect();
    let ids = websites(&hub, &ann, &target, &names);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = driver.desk_without_script().await;
        client.set_window_size(1280, 1600).await.unwrap();
        sign_in(&client, &hub).await;
        client.goto(&hub.url("/")).await.unwrap();
        assert_eq!(count(&client, ".board tbody tr").await, 10);
        type_into(&client, "input[type=search]", "/w1").await;
        press(&client, ".finder button").await;
        awaited(&client, ".seg a[href='/']", SOON).await;
        assert_eq!(count(&client, ".board tbody tr").await, 1);
        client.goto(&hub.url("/?sort=tag")).await.unwrap();
        assert_eq!(count(&client, ".board .group").await, 2, "eu, and those without");

        client.goto(&hub.url("/?tag=eu")).await.unwrap();
        press(&client, ".more-ways a[href*='choose=1']").await;
        awaited(&client, ".pick input", SOON).await;
        let script_ran = client.find(Locator::Css("[data-all]")).await.unwrap().is_displayed().await.unwrap();
        assert!(!script_ran, "there is no script here");
        for id in &ids[..2] {
            press(&client, &format!(".pick input[value='{id}']")).await;
        }
        press(&client, ".bulk button[value=pause]").await;
        awaited(&client, ".toast", SOON).await;
        let said = client.find(Locator::Css(".toast")).await.unwrap().text().await.unwrap();
        assert_eq!(said, "2 websites were paused.");
        assert_eq!(count(&client, "td.status.paused").await, 2, "one is back at the same list");
        client.goto(&hub.url("/?state=paused")).await.unwrap();
        assert_eq!(count(&client, ".board tbody tr").await, 2);

        client.goto(&hub.url("/?choose=1&q=/w9")).await.unwrap();
        press(&client, &format!(".pick input[value='{}']", ids[9])).await;
        type_into(&client, "#bulk-tag", "Shop").await;
        press(&client, ".bulk button[value=tag]").await;
        awaited(&client, ".tags a[href*='tag=shop']", SOON).await;
        press(&client, &format!(".pick input[value='{}']", ids[9])).await;
        press(&client, ".bulk button[value=delete]").await;
        awaited(&client, "form.card button.danger", SOON).await;
        let asked = client.find(Locator::Css("main")).await.unwrap().text().await.unwrap();
        assert!(asked.contains("Delete this website?") && asked.contains("/w9"), "{asked}");
        press(&client, "form.card button.danger").await;
        awaited(&client, ".toast", SOON).await;
        client.goto(&hub.url("/")).await.unwrap();
        assert_eq!(count(&client, ".board tbody tr").await, 9);

        client.goto(&hub.url("/?tv=1")).await.unwrap();
        awaited(&client, ".wall h1", SOON).await;
        assert_eq!(count(&client, ".top, nav").await, 0, "nothing but what is");
        client.close().await.unwrap();

        let client = driver.browser().await;
        sign_in(&client, &hub).await;
        for path in ["/", "/?choose=1", "/?tv=1", "/?sort=slowest&q=w"] {
            client.goto(&hub.url(path)).await.unwrap();
            awaited(&client, "h1", SOON).await;
            fits(&client, path).await;
        }
        client.goto(&hub.url("/?choose=1")).await.unwrap();
        press(&client, "[data-all] input").await;
        assert_eq!(count(&client, ".pick input:checked").await, 9);
        // The wall hears of what happens.
        client.goto(&hub.url("/?tv=1")).await.unwrap();
        let before = client.find(Locator::Css("h1")).await.unwrap().text().await.unwrap();
        assert!(before.contains("2 are paused"), "{before}");
        let resume = encoded(&[("action", "resume"), ("id", &ids[0])]);
        assert_eq!(form_page(&hub.url(""), "/websites/bulk", &ann, &resume).0, 303);
        let started = std::time::Instant::now();
        loop {
            let now = client.execute("return document.querySelector('h1').textContent", vec![]).await.unwrap();
            if now.as_str().is_some_and(|text| text.contains("1 is paused")) {
                break;
            }
            assert!(started.elapsed() < Duration::from_secs(30), "{now}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        client.close().await.unwrap();
    });
    let base = hub.url("");
    let none = encoded(&[("action", "pause"), ("back", "tag=eu")]);
    assert_eq!(form_page(&base, "/websites/bulk", &ann, &none).0, 303);
    assert_eq!(form_page(&base, "/websites/bulk", &ann, "action=explode&id=x").0, 404);
    let (status, log) = page(&base, "/settings/audit", &ann);
    assert!(status == 200 && log.contains("2 websites were paused") && log.contains("1 websites were tagged"), "{log}");
}

/// A quarter of history of one website, as counting would have left it.
async fn fill(directory: &Path, now: i64) {
    let mut latency = Histogram::default();
    (0..60).for_each(|n| latency.record(40_000 + n * 1_000));
    let bytes: String = latency.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let (hour, today) = (now - now % HOUR, now - now % DAY);
    let sums = "60000, 600000, 900000, 5000, 2500000, 300000, 4305000, 40000, 99000";
    let row = |grain: &str, at: i64| {
        format!(
            "insert into roll_up select website_id, '{grain}', {at}, 'LOCAL', 60, 60, 0, 0, 0, 0, {sums}, x'{bytes}' from website;"
        )
    };
    let hours = (1..=7 * 24).filter(|n| n % 24 != 5).map(|n| row("hour", hour - n * HOUR));
    let days = (1..=90).filter(|n| n % 30 != 7).map(|n| row("day", today - n * DAY));
    let uptime = (1..=90).map(|n| {
        let (up, down, unknown) = match n {
            3 => (DAY - 600_000, 600_000, 0),
            10 => (0, 0, DAY),
            _ => (DAY, 0, 0),
        };
        format!(
            "insert into uptime_day (website_id, day_at, up_ms, degraded_ms, down_ms, unknown_ms, maintenance_ms) \
                 select website_id, {}, {up}, 0, {down}, {unknown}, 0 from website;",
            today - n * DAY
        )
    });
    let change = |at: i64, from: &str, to: &str| {
        format!(
            "insert into transition (website_id, decided_at, number, at, from_verdict, to_verdict, reason) \
                 select website_id, {at}, 0, {at}, '{from}', '{to}', '1 of 1 regions' from website;"
        )
    };
    let outage = [change(now - 5 * HOUR, "up", "down"), change(now - 5 * HOUR + 600_000, "down", "up")];
    let progress = format!(
        "update website set created_at = {now} - 95 * {DAY}; delete from transition; delete from roll_up_progress; \
         insert into roll_up_progress (turn, hours_at, hours_after_id, days_at, days_after_id, hours_back_at, \
         hours_back_after_id, days_back_at, days_back_after_id, back_until_at) values (1, {hour}, zeroblob(16), {today}, \
         zeroblob(16), 0, zeroblob(16), 0, zeroblob(16), 0);"
    );
    let script: String = std::iter::once(progress).chain(hours).chain(days).chain(uptime).chain(outage).collect();
    let file = directory.join("data/betteruptime.sqlite");
    let pool = sqlx::SqlitePool::connect_with(sqlx::sqlite::SqliteConnectOptions::new().filename(file)).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(script)).execute(&pool).await.unwrap();
    pool.close().await;
}

#[test]
fn a_websites_page_draws_its_past_and_can_be_asked_by_keys_and_without_script() {
    let directory = tempfile::tempdir().unwrap();
    let (mut hub, target, driver) = (Hub::start(directory.path(), &[]), Target::start(), Driver::start());
    let ann = token(&hub.url(""), "ann", "correct horse");
    let id = websites(&hub, &ann, &target, &[("/page", &[])]).remove(0);
    assert_eq!(hub.process.terminate(), Some(0));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(fill(directory.path(), hub::clock::now()));
    let hub = Hub::start(directory.path(), &[("DESIGN_PAGE", "1")]);
    let path = format!("/websites/{id}");
    runtime.block_on(async {
        let client = driver.desk_without_script().await;
        client.set_window_size(1280, 1600).await.unwrap();
        sign_in(&client, &hub).await;
        client.goto(&hub.url(&path)).await.unwrap();
        awaited(&client, ".chart .half", SOON).await;
        assert_eq!(count(&client, ".bars rect").await, 90);
        assert!(count(&client, ".bars .n").await >= 1 && count(&client, ".bars .d").await >= 1, "a day nobody knows");
        assert_eq!(count(&client, ".chart .outage").await, 1, "the outage of this day is marked");
        assert_eq!(count(&client, ".figures tbody tr").await, 5, "24 h, 7 d, 30 d, 90 d, and since it was added");
        for (window, rows) in [("7d", 49..=56), ("30d", 30..=30), ("90d", 90..=90), ("24h", 24..=24)] {
            press(&client, &format!("#window-{window}")).await;
            awaited(&client, &format!("#window-{window}[aria-current]"), SOON).await;
            let found = count(&client, ".chart tbody tr").await;
            assert!(rows.contains(&found), "{window}: {found}");
        }
        press(&client, ".chart summary").await;
        let table = client.find(Locator::Css(".chart table")).await.unwrap().text().await.unwrap();
        assert!(table.contains("69 ms") && table.contains("–"), "{table}");
        // A check is asked for and comes in, without script after a reload.
        let before = target.hits();
        press(&client, "form[action$='/check'] button").await;
        awaited(&client, ".asked th[scope=row]", SOON).await;
        let started = std::time::Instant::now();
        while !page(&hub.url(""), &path, &ann).1.contains("asked for") {
            assert!(started.elapsed() < Duration::from_secs(20), "it was not checked");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(target.hits() > before);
        while count(&client, ".asked td.status.up").await == 0 {
            assert!(started.elapsed() < Duration::from_secs(20), "its answer is not shown");
            press(&client, "#look-again").await;
        }
        assert_eq!(count(&client, "#look-again").await, 0, "nobody is waited for any more");
        client.close().await.unwrap();

        let client = driver.browser().await;
        sign_in(&client, &hub).await;
        for page in [path.as_str(), &format!("{path}?window=90d"), "/design"] {
            client.goto(&hub.url(page)).await.unwrap();
            awaited(&client, ".chart .half", SOON).await;
            fits(&client, page).await;
        }
        // Bars say what they are, step by step.
        client.goto(&hub.url(&format!("{path}?window=30d&said=paused"))).await.unwrap();
        awaited(&client, ".bars[tabindex]", SOON).await;
        assert!(!client.current_url().await.unwrap().as_str().contains("said"), "it is said once");
        let told = async |selector: &str, key: fantoccini::key::Key| {
            client.find(Locator::Css(selector)).await.unwrap().send_keys(&key.to_string()).await.unwrap();
            client.execute("return document.querySelector('#tip:not([hidden])').textContent", vec![]).await.unwrap()
        };
        let today = told(".bars", fantoccini::key::Key::End).await;
        assert!(today.as_str().unwrap().starts_with("Today"), "{today}");
        for _ in 0..2 {
            told(".bars", fantoccini::key::Key::Left).await;
        }
        let outage = told(".bars", fantoccini::key::Key::Left).await;
        assert!(outage.as_str().unwrap().contains("down for 10 min"), "{outage}");
        let first = told(".chart .draw", fantoccini::key::Key::Home).await;
        assert!(first.as_str().unwrap().contains("p50 69 ms"), "{first}");
        client.close().await.unwrap();
    });
    let (status, html) = page(&hub.url(""), "/design", &ann);
    assert!(status == 200 && !html.contains(&id));
    drop(hub);
    let hub = Hub::start(directory.path(), &[]);
    assert_eq!(page(&hub.url(""), "/design", &ann).0, 404, "off unless it is asked for");
}
