//! What a Prometheus reads of a hub, and what README readers see of a website: the figures of page and API.

use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::client::{call, page, token};
use crate::process::{Hub, KEY, Target, probe};
use crate::roll_ups::{DAY, rfc3339, write_history};
use crate::services::{Redis, database, free_port, wait_until};

const TOKEN: &str = "wL4nQ7xT2vB9kR5mZ8pH";

/// An answer: status, header fields by name in lower case, text.
struct Got {
    status: u16,
    fields: Vec<(String, String)>,
    text: String,
}

impl Got {
    fn field(&self, name: &str) -> &str {
        self.fields.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value)
    }

    /// The value of the first line that begins so.
    fn value(&self, series: &str) -> Option<f64> {
        let line = self.text.lines().find_map(|line| line.strip_prefix(series))?;
        line.trim().parse().ok()
    }
}

fn get(url: &str, fields: &[(&str, &str)]) -> Got {
    let config = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build();
    let agent: ureq::Agent = config.into();
    let request = fields.iter().fold(agent.get(url), |request, (name, value)| request.header(*name, *value));
    let mut answer = request.call().unwrap_or_else(|e| panic!("GET {url}: {e}"));
    let fields = answer.headers().iter();
    let fields = fields.map(|(n, v)| (n.as_str().to_owned(), v.to_str().unwrap_or_default().to_owned())).collect();
    Got { status: answer.status().as_u16(), fields, text: answer.body_mut().read_to_string().unwrap_or_default() }
}

fn metrics(hub: &Hub) -> Got {
    let got = get(&hub.url("/metrics"), &[("authorization", &format!("Bearer {TOKEN}"))]);
    assert_eq!(got.status, 200, "{}", got.text);
    got
}

/// What `promtool check metrics` finds wrong with a text.
fn promtool(text: &str) -> String {
    let mut child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool of Debian's prometheus; install it, or run ./test.sh, which does");
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    format!("{}{}", if output.status.success() { "" } else { "failed: " }, String::from_utf8_lossy(&said))
}

/// A real Prometheus, of loopback alone, that asks a hub every second; ends with the value.
struct Prometheus {
    child: Child,
    base: String,
    _directory: tempfile::TempDir,
}

impl Prometheus {
    fn of(hub: &Hub) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().join("prometheus.yml");
        let text = format!(
            "global: {{scrape_interval: 1s}}\nscrape_configs:\n- job_name: hub\n  authorization: {{credentials: {TOKEN}}}\n  \
             static_configs: [{{targets: ['{}']}}]\n",
            hub.address
        );
        std::fs::write(&config, text).unwrap();
        let address = format!("127.0.0.1:{}", free_port());
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", directory.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("Debian's prometheus; install it, or run ./test.sh, which does");
        let listens = || std::net::TcpStream::connect(&address).is_ok();
        wait_until("Prometheus to listen", Duration::from_secs(20), listens);
        Self { child, base: format!("http://{address}"), _directory: directory }
    }

    /// What it has of a series now.
    fn ask(&self, query: &str) -> Vec<(Value, f64)> {
        let query: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
        let (_, found) = call("GET", &format!("{}/api/v1/query?query={query}", self.base), None, None);
        let found = found["data"]["result"].as_array().cloned().unwrap_or_default();
        let one = |one: Value| (one["metric"].clone(), one["value"][1].as_str().unwrap().parse().unwrap());
        found.into_iter().map(one).collect()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_real_prometheus_reads_a_live_hub_and_a_deleted_website_leaves_it() {
    let directory = tempfile::tempdir().unwrap();
    let target = Target::start();
    let hub = Hub::start(directory.path(), &[("METRICS_TOKEN", TOKEN)]);
    let ann = token(&hub.url(""), "ann", "correct horse");
    let (status, website) =
        call("POST", &hub.url("/website"), Some(&ann), Some(&json!({"url": target.url("/?key=hunter2")})));
    assert_eq!(status, 201, "{website}");
    let id = website["id"].as_str().unwrap();
    let prometheus = Prometheus::of(&hub);
    let success = format!("probe_success{{website_id=\"{id}\",region=\"LOCAL\"}}");
    wait_until("Prometheus to know that it is up", Duration::from_secs(40), || {
        prometheus.ask(&success).iter().any(|(_, value)| *value == 1.0)
    });
    assert_eq!(prometheus.ask("up{job=\"hub\"}").first().map(|(_, up)| *up), Some(1.0));
    let phases = prometheus.ask(&format!("probe_http_duration_seconds{{website_id=\"{id}\"}}"));
    let names: Vec<&str> = phases.iter().map(|(metric, _)| metric["phase"].as_str().unwrap()).collect();
    assert_eq!(names.len(), 5, "{names:?}");
    let sum: f64 = phases.iter().map(|(_, value)| value).sum();
    let whole = prometheus.ask(&format!("probe_duration_seconds{{website_id=\"{id}\"}}"))[0].1;
    assert!((sum - whole).abs() < 0.001, "phases add up: {sum} {whole}");
    let named = prometheus.ask("probe_success * on (website_id) group_left (name) betteruptime_website_info");
    let name = named[0].0["name"].as_str().unwrap();
    assert!(name.ends_with("?…") && !name.contains("hunter2"), "{name}");
    for counted in [
        "betteruptime_ticks_total{result=\"new\"}",
        "betteruptime_checks_published_total{kind=\"first\"}",
        "betteruptime_ingest_batch_duration_seconds_count",
        "betteruptime_http_requests_total{route=\"/website\",status=\"2xx\"}",
        "process_resident_memory_bytes",
        "betteruptime_worker_concurrency",
    ] {
        assert!(prometheus.ask(counted).first().is_some_and(|(_, value)| *value >= 1.0), "{counted}");
    }

    let text = metrics(&hub).text;
    assert_eq!(promtool(&text), "");
    assert!(!text.contains("hunter2") && !text.contains(TOKEN));
    assert_eq!(call("DELETE", &hub.url(&format!("/website/{id}")), Some(&ann), None).0, 200);
    wait_until("its series to be gone", Duration::from_secs(20), || !metrics(&hub).text.contains(id));
    assert_eq!(promtool(&metrics(&hub).text), "");
    wait_until("Prometheus to have none", Duration::from_secs(20), || prometheus.ask(&success).is_empty());
}

#[test]
fn regions_workers_and_queues_are_told_of_by_a_hub_with_redis_and_postgres() {
    let directory = tempfile::tempdir().unwrap();
    let (redis, database_url) = (Redis::start(), tokio::runtime::Runtime::new().unwrap().block_on(database()));
    let url = redis.url();
    let settings =
        [("DATABASE_URL", &*database_url), ("REDIS_URL", &*url), ("JWT_SECRET_KEY", KEY), ("METRICS_TOKEN", TOKEN)];
    let target = Target::start();
    let hub = Hub::start(directory.path(), &settings);
    let worker = probe(directory.path(), &url, "INDIA", "w1");
    let ann = token(&hub.url(""), "ann", "correct horse");
    let (_, website) = call("POST", &hub.url("/website"), Some(&ann), Some(&json!({"url": target.url("/")})));
    let id = website["id"].as_str().unwrap();
    let success = format!("probe_success{{website_id=\"{id}\",region=\"INDIA\"}}");
    wait_until("it to be seen from INDIA", Duration::from_secs(60), || metrics(&hub).value(&success) == Some(1.0));
    // A sign of life or a check may be on its way at the moment of a reading.
    let mut got = metrics(&hub);
    wait_until("nothing to be on its way", Duration::from_secs(60), || {
        got = metrics(&hub);
        [
            "reports_waiting{region=\"INDIA\",worker=\"w1\"}",
            "checks_waiting{region=\"INDIA\"}",
            "lag_seconds{region=\"INDIA\"}",
        ]
        .iter()
        .all(|series| got.value(&format!("betteruptime_queue_{series}")) == Some(0.0))
    });
    for (series, expected) in [
        (format!("betteruptime_website_up{{website_id=\"{id}\"}}"), Some(1.0)),
        (format!("betteruptime_website_uptime_ratio{{website_id=\"{id}\",window=\"24h\"}}"), Some(1.0)),
        ("betteruptime_queue_checks_limit{region=\"INDIA\"}".to_owned(), Some(5_000.0)),
        ("betteruptime_worker_network_ok{region=\"INDIA\",worker=\"w1\"}".to_owned(), Some(1.0)),
        ("betteruptime_store_connections_limit".to_owned(), Some(16.0)),
        ("betteruptime_store_statement_timeouts_total".to_owned(), Some(0.0)),
        ("betteruptime_metrics_read_ok".to_owned(), Some(1.0)),
    ] {
        assert_eq!(got.value(&series), expected, "{series}: {}", got.text);
    }
    assert_eq!(promtool(&got.text), "");
    // A region that does not report any more says nothing, and nothing is made up for it.
    drop(worker);
    drop(redis);
    wait_until("the queue to be missed", Duration::from_secs(60), || {
        !metrics(&hub).text.contains("betteruptime_queue_checks_waiting{")
    });
    let got = metrics(&hub);
    assert_eq!(got.value("betteruptime_metrics_read_ok"), Some(1.0), "the database is there");
    assert!(got.text.contains("process_open_fds"), "{}", got.text);
}

#[test]
fn metrics_are_nobodys_who_may_not_read_them() {
    let directory = tempfile::tempdir().unwrap();
    {
        let hub = Hub::start(directory.path(), &[]);
        let got = get(&hub.url("/metrics"), &[("authorization", "Bearer ")]);
        assert_eq!((got.status, got.text.contains("process_")), (404, false));
    }
    let own = format!("127.0.0.1:{}", free_port());
    let hub = Hub::start(directory.path(), &[("METRICS_LISTEN", &own)]);
    assert_eq!(get(&hub.url("/metrics"), &[]).status, 404, "not where the pages are");
    let got = get(&format!("http://{own}/metrics"), &[]);
    assert_eq!((got.status, got.field("content-type")), (200, "text/plain; version=0.0.4; charset=utf-8"));
    assert!(got.value("betteruptime_build_info").is_none() && got.text.contains("betteruptime_build_info{version="));
    assert_eq!(got.value("betteruptime_metrics_read_ok "), Some(1.0));
    assert_eq!(get(&format!("http://{own}/"), &[]).status, 404);
    assert_eq!(get(&format!("http://{own}/metrics"), &[("host", "evil.example")]).status, 421);
    let open = get(&format!("http://{own}/metrics"), &[("accept", "application/openmetrics-text;version=1.0.0")]);
    assert_eq!(open.field("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert!(
        open.text.ends_with("# EOF\n") && open.text.contains("# TYPE process_cpu_seconds counter\n"),
        "{}",
        open.text
    );
    drop(hub);
    let secret = directory.path().join("token");
    std::fs::write(&secret, format!("{TOKEN}\n")).unwrap();
    let hub = Hub::start(directory.path(), &[("METRICS_TOKEN_FILE", secret.to_str().unwrap())]);
    for wrong in ["", "Bearer x", "Basic eDp5"] {
        let got = get(&hub.url("/metrics"), &[("authorization", wrong)]);
        assert_eq!((got.status, got.field("www-authenticate"), got.text.contains("process_")), (401, "Bearer", false));
    }
    assert!(metrics(&hub).text.contains("process_open_fds"));
}

#[test]
fn the_worked_example_is_one_figure_on_page_api_badge_and_metric() {
    let directory = tempfile::tempdir().unwrap();
    let mut hub = Hub::start(directory.path(), &[]);
    let ann = token(&hub.url(""), "ann", "correct horse");
    let (_, made) = call("POST", &hub.url("/website"), Some(&ann), Some(&json!({"url": "https://example.invalid/"})));
    let id = made["id"].as_str().unwrap().to_owned();
    assert_eq!(hub.process.terminate(), Some(0));
    let now = hub::clock::wall();
    let midnight = now - now.rem_euclid(DAY) - DAY;
    let data = directory.path().join("data");
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        write_history(&data, id.parse().unwrap(), midnight).await;
        // After that day nobody looked: the figure of any window up to now is that of the day.
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(data.join("betteruptime.sqlite"));
        let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
        sqlx::query(
            "insert into transition (website_id, decided_at, number, at, from_verdict, to_verdict, reason) \
             select website_id, $1, 0, $1, 'up', 'unknown', 'x' from website",
        )
        .bind(midnight + DAY)
        .execute(&pool)
        .await
        .unwrap();
        // As after an update: what was before the first start is counted backwards.
        sqlx::raw_sql("update website_state set verdict = 'unknown'; update website set is_badge_public = 1; delete from roll_up_progress")
            .execute(&pool)
            .await
            .unwrap();
        pool.close().await;
    });
    let hub = Hub::start(directory.path(), &[("METRICS_TOKEN", TOKEN)]);
    let since = format!("/api/v1/websites/{id}/uptime?from={}", rfc3339(midnight));
    // Counted or not yet, it is the same.
    for is_counted in [false, true] {
        if is_counted && now.rem_euclid(DAY) > 11 * 60_000 {
            let pool = format!("sqlite:{}", data.join("betteruptime.sqlite").display());
            wait_until("the day to be counted", Duration::from_secs(30), || {
                tokio::runtime::Runtime::new().unwrap().block_on(async {
                    let pool = sqlx::SqlitePool::connect(&pool).await.unwrap();
                    let days: i64 =
                        sqlx::query_scalar("select count(*) from uptime_day").fetch_one(&pool).await.unwrap();
                    pool.close().await;
                    days == 1
                })
            });
            // What was read before is told for so long.
            let read = |got: &Got| got.value("betteruptime_metrics_read_timestamp_seconds").unwrap();
            let before = read(&metrics(&hub));
            wait_until("metrics to be read anew", Duration::from_secs(30), || read(&metrics(&hub)) > before);
        }
        let (status, told) = call("GET", &hub.url(&since), Some(&ann), None);
        assert_eq!(status, 200, "{told}");
        let ratio = told["uptime_ratio"].as_f64().unwrap();
        assert_eq!(format!("{ratio:.4}"), "0.9783");
        let html = page(&hub.url(""), &format!("/websites/{id}"), &ann).1;
        assert!(html.contains(">97.82 %<"), "{html}");
        let badge = get(&hub.url(&format!("/badge/{id}/uptime.json")), &[]);
        assert!(
            badge.text.contains("\"label\":\"uptime 30 d\"") && badge.text.contains("\"message\":\"97.82 %"),
            "{}",
            badge.text
        );
        let image = get(&hub.url(&format!("/badge/{id}/uptime.svg?window=90d")), &[]).text;
        assert!(image.contains("<title>uptime 90 d: 97.82 %"), "{image}");
        let got = metrics(&hub);
        let metric = got.value(&format!("betteruptime_website_uptime_ratio{{website_id=\"{id}\",window=\"30d\"}}"));
        assert_eq!(metric, Some(ratio), "{}", got.text);
        let coverage =
            got.value(&format!("betteruptime_website_uptime_coverage_ratio{{website_id=\"{id}\",window=\"30d\"}}"));
        let expected = told["coverage_ratio"].as_f64().unwrap();
        assert!(coverage.is_some_and(|told| (told - expected).abs() < 0.001), "{coverage:?} {expected}");
        assert_eq!(got.value(&format!("betteruptime_website_up{{website_id=\"{id}\"}}")), None, "nobody can tell");
        assert_eq!(got.value("betteruptime_metrics_uptimes_left_out"), Some(0.0));
    }
}

#[test]
fn a_badge_is_everybodys_or_its_owners_and_to_all_others_there_is_none() {
    let directory = tempfile::tempdir().unwrap();
    let target = Target::start();
    let hub = Hub::start(directory.path(), &[("SIGNUPS", "first")]);
    let ann = token(&hub.url(""), "ann", "correct horse");
    let (_, made) = call("POST", &hub.url("/website"), Some(&ann), Some(&json!({"url": target.url("/")})));
    let id = made["id"].as_str().unwrap().to_owned();
    let badge = |file: &str| hub.url(&format!("/badge/{id}/{file}"));
    let cookie = format!("betteruptime_session={ann}");
    wait_until("its badge to say that it is up", Duration::from_secs(15), || {
        get(&badge("status.json"), &[("cookie", &cookie)]).text.contains("\"message\":\"up\"")
    });
    let own = get(&badge("status.svg"), &[("cookie", &cookie)]);
    assert_eq!((own.status, own.field("cache-control")), (200, "private, max-age=60"));
    assert_eq!((own.field("vary"), own.field("set-cookie")), ("cookie, authorization, token", ""));

    // A stranger is told the same whether or not there is such a website.
    let told = |got: &Got| {
        let mut told: Value = serde_json::from_str(&got.text).unwrap();
        told["request_id"] = Value::Null;
        let fields: Vec<_> = got.fields.iter().filter(|(name, _)| name != "date").cloned().collect();
        (got.status, told, fields)
    };
    let other = hub.url("/badge/0198c0de-0000-7000-8000-000000000000/status.svg");
    let none = told(&get(&other, &[]));
    assert_eq!(none.0, 404);
    for hidden in
        [get(&badge("status.svg"), &[]), get(&other, &[("cookie", &cookie)]), get(&hub.url("/badge/x/status.svg"), &[])]
    {
        assert_eq!(told(&hidden), none);
    }
    // Nor do parameters tell.
    let wrong = |url: &str| {
        let (status, told, _) = told(&get(url, &[]));
        (status, told)
    };
    let refused = wrong(&badge("uptime.svg?window=1y"));
    assert_eq!((refused.0, &refused.1["errors"][0]["field"]), (422, &json!("window")));
    let unknown = hub.url("/badge/0198c0de-0000-7000-8000-000000000000/uptime.svg?window=1y");
    assert_eq!(wrong(&unknown), refused);

    let all = hub.url(&format!("/api/v1/websites/{id}"));
    assert_eq!(call("PATCH", &all, Some(&ann), Some(&json!({"is_badge_public": true}))).0, 200);
    let open = get(&badge("status.svg"), &[]);
    assert_eq!((open.status, open.field("content-type")), (200, "image/svg+xml; charset=utf-8"));
    assert_eq!((open.field("cache-control"), open.field("access-control-allow-origin")), ("public, max-age=60", "*"));
    assert!(open.field("content-security-policy").contains("sandbox"), "{}", open.field("content-security-policy"));
    assert!(open.text.contains("<title>status: up</title>"), "{}", open.text);
    let again = get(&badge("status.svg"), &[("if-none-match", open.field("etag"))]);
    assert_eq!((again.status, again.text.as_str(), again.field("etag")), (304, "", open.field("etag")));
    let labelled = get(&badge("status.svg?label=%3Cb%3E%22shop%22"), &[]);
    assert!(labelled.text.contains("aria-label=\"&lt;b&gt;&quot;shop&quot;: up\""), "{}", labelled.text);
    let shields: Value = serde_json::from_str(&get(&badge("latency.json?quantile=p95"), &[]).text).unwrap();
    assert_eq!(
        (&shields["schemaVersion"], &shields["label"], &shields["isError"]),
        (&json!(1), &json!("latency p95"), &json!(true))
    );
    assert_eq!(get(&badge("certificate.svg"), &[]).text.matches("certificate: none").count(), 2);
    assert!(get(&badge("uptime.svg"), &[]).text.contains("<title>uptime 30 d: 100 %"));
    let (_, html) = page(&hub.url(""), &format!("/websites/{id}"), &ann);
    assert!(html.contains(&format!("![Uptime]({})", badge("uptime.svg"))), "{html}");
    assert_eq!(html.matches("<img src=\"/badge/").count(), 4);

    assert_eq!(call("PATCH", &all, Some(&ann), Some(&json!({"is_badge_public": false}))).0, 200);
    assert!(!page(&hub.url(""), &format!("/websites/{id}"), &ann).1.contains("<img src=\"/badge/"));
    // What is in memory is shown for half a minute; what is not, at once no more.
    assert_eq!(get(&badge("uptime.svg?window=7d"), &[]).status, 404);
    wait_until("the badge to be gone for strangers", Duration::from_secs(40), || {
        get(&badge("status.svg"), &[]).status == 404
    });
}
