//! What pages and the API read costs what they show, whatever the account and history hold: all of them are asked for, on a
//! database that is full, and how the database went about each statement is looked at.

mod filled;
mod plans;
mod spy;

use std::net::SocketAddr;

use hub::alert::{AlertSettings, Alerts};
use hub::config::SignUps;
use hub::http::route::{self, Kind};
use hub::http::{App, FrontConfig, HttpSettings, Method, start};
use hub::model::TargetRules;
use hub::model::retention::Retention;
use hub::schedule::Scheduler;
use hub::secret::{Secret, SigningKeys};
use hub::store::Store;
use probe::engine::AddressPolicy;

use self::filled::{CHANNEL, Dialect, INCIDENT, JOB, PAGE, POST, Size, WINDOW, path_id};
use self::spy::Asked;
use crate::client::{call, page, token};
use crate::process::KEY;
use crate::services;

/// Pages and API without the rest of the hub: nobody else asks the database anything.
struct Served {
    store: Store,
    base: String,
    token: String,
    dialect: Dialect,
    url: Option<String>,
    directory: tempfile::TempDir,
    _stop: tokio::sync::watch::Sender<bool>,
}

impl Served {
    async fn begin(store: Store, url: Option<String>, directory: tempfile::TempDir) -> Self {
        store.migrate(false).await.unwrap();
        let keys = SigningKeys { current: Secret::new(KEY), accepted: None };
        let (scheduler, inbox) = Scheduler::channel();
        std::mem::forget(inbox); // nobody obeys
        let alerts = Alerts::new(AlertSettings::new(None, AddressPolicy::owner(), Vec::new()), &keys).unwrap();
        let settings = HttpSettings {
            public_url: None,
            sign_ups: SignUps::First,
            target_rules: TargetRules { is_shared: false, own_names: Vec::new() },
            api_requests_per_s: 10_000,
            secure_cookies: false,
            is_loopback: true,
            embedded: true,
            redis: None,
            version: "0",
            shows_design: false,
            retention: Retention { days: 400 },
            state_directory: directory.path().to_owned(),
        };
        let app = App::new(store.clone(), scheduler, alerts, settings, &keys).unwrap();
        let (stop, stopping) = tokio::sync::watch::channel(false);
        let front = FrontConfig::new(SocketAddr::from(([127, 0, 0, 1], 0)), None, false, Vec::new()).unwrap();
        let base = format!("http://{}", start(app, front, stopping).await.unwrap().address);
        let (to, dialect) = (base.clone(), Dialect { is_postgres: url.is_some() });
        let token = tokio::task::spawn_blocking(move || token(&to, "ann", "correct horse")).await.unwrap();
        Self { store, base, token, dialect, url, directory, _stop: stop }
    }

    async fn execute(&self, sql: &str) {
        match &self.url {
            Some(url) => {
                let pool = sqlx::PgPool::connect(url).await.unwrap();
                sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&pool).await.unwrap();
                pool.close().await;
            }
            None => {
                let options = sqlx::sqlite::SqliteConnectOptions::new();
                let file = self.directory.path().join("betteruptime.sqlite");
                let pool = sqlx::SqlitePool::connect_with(options.filename(file)).await.unwrap();
                sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&pool).await.unwrap();
                pool.close().await;
            }
        }
        spy::seen(self.dialect.is_postgres);
    }

    /// What is asked for an answer.
    async fn ask(&self, kind: Kind, path: &str) -> Vec<Asked> {
        let (base, token, path) = (self.base.clone(), self.token.clone(), path.to_owned());
        let of = path.clone();
        let get = move || match kind {
            Kind::Page => page(&base, &path, &token).0,
            Kind::Api | Kind::Open => call("GET", &format!("{base}{path}"), Some(&token), None).0,
        };
        spy::seen(self.dialect.is_postgres);
        let status = tokio::task::spawn_blocking(get).await.unwrap();
        assert!(status == 200, "{of}: {status}");
        spy::seen(self.dialect.is_postgres)
    }
}

/// How each route that reads is asked for. One that is not here and not among [`READS_NOTHING`] fails the test: it is to be
/// added where it belongs.
fn paths(pattern: &str) -> Vec<String> {
    let number = match pattern
        .split('/')
        .find(|part| ["incidents", "channels", "maintenance", "jobs", "status-pages", "status-posts"].contains(part))
    {
        Some("incidents") => INCIDENT + 10_001,
        Some("channels") => CHANNEL + 1,
        Some("maintenance") => WINDOW,
        Some("jobs") => JOB,
        Some("status-pages") => PAGE + 1,
        Some("status-posts") => POST + 10_001,
        _ => 1,
    };
    let path = pattern.replace(":id", &path_id(number));
    let cursor = path_id(7).replace('-', "");
    match pattern {
        "/" | "/websites/fragment" => {
            let after = |sort: &str, rank| format!("?sort={sort}&after={rank}_{cursor}");
            [
                "",
                "?tag=eu",
                &format!("?after=4_{cursor}"),
                &format!("?before=4_{cursor}&tag=eu"),
                "?q=a1&state=up",
                "?tv=1",
                "?choose=1&sort=tag",
                &after("name", 0),
                &after("slowest", 4_294_966_000_u32),
                &after("tag", 0),
            ]
            .map(|query| format!("{path}{query}"))
            .to_vec()
        }
        "/websites/:id" | "/websites/:id/fragment" => {
            // One with much history, over each window; one that depends on another, one that is down, a job.
            let windows =
                ["7d", "30d", "90d"].map(|window| format!("{}?window={window}", pattern.replace(":id", &path_id(1))));
            let asked = format!("{}?asked={}", pattern.replace(":id", &path_id(1)), hub::clock::now());
            let all = [1, 2, 3, JOB].map(|number| pattern.replace(":id", &path_id(number)));
            all.into_iter().chain(windows).chain([asked]).collect()
        }
        "/websites/:id/edit" => [1, 2, 3, JOB].map(|number| pattern.replace(":id", &path_id(number))).to_vec(),
        "/incidents" | "/api/v1/incidents" => ["", "?state=open", "?kind=outage", "?state=open&kind=certificate"]
            .map(|query| format!("{path}{query}"))
            .to_vec(),
        "/dead-letters" | "/api/v1/dead-letters" => {
            ["", "?kind=too_old", "?stream=betteruptime%3Atick%3AEU%3Aw"].map(|query| format!("{path}{query}")).to_vec()
        }
        "/api/v1/alerts" => {
            let channel = format!("?state=any&channel_id={}", path_id(CHANNEL + 1));
            let incident = format!("?state=any&incident_id={}", path_id(INCIDENT + 10_001));
            ["", "?event=opened", &channel, &incident].map(|query| format!("{path}{query}")).to_vec()
        }
        "/status-pages/:id/publish" => {
            vec![path.clone(), format!("{path}?incident={}", path_id(INCIDENT + 10_001))]
        }
        "/api/v1/websites/:id/check" => vec![format!("{path}?asked_at={}", asked_at())],
        "/s/:slug" => vec!["/s/page1".to_owned()],
        "/s/:slug/:file" => ["feed.atom", "feed.json", "logo"].map(|file| format!("/s/page1/{file}")).to_vec(),
        "/status-pages/:id/preview/:file" => vec![path.replace(":file", "logo")],
        "/dead-letters/replay" | "/dead-letters/discard" => vec![format!("{path}?kind=too_old")],
        "/badge/:id/:file" => ["status", "uptime", "latency", "certificate"]
            .map(|what| path.replace(":file", &format!("{what}.json")))
            .to_vec(),
        "/settings/audit" | "/settings/audit.csv" | "/api/v1/audit" | "/api/v1/audit.csv" => {
            let object = path_id(1);
            ["", "?kind=channel", "?person=bob", &format!("?object={object}")]
                .map(|query| format!("{path}{query}"))
                .to_vec()
        }
        _ if !path.contains(':') => vec![path],
        _ => panic!("{pattern}: say in `paths` how it is asked for, or in `READS_NOTHING` why it need not be"),
    }
}

/// A moment ago, as the API says it.
fn asked_at() -> String {
    jiff::Timestamp::from_millisecond(hub::clock::now() - 1_000).unwrap().to_string()
}

/// Forms for those who are not signed in, files, a job's word; and a page that is reached by a signed link, which reads the
/// incident by its key, or the invitation.
const READS_NOTHING: [&str; 12] = [
    "/design",
    "/subscription/confirm/:token",
    "/subscription/end/:token",
    "/signup",
    "/signin",
    "/acknowledge/:token",
    "/join/:token",
    "/ping/:id",
    "/ping/:id/:word",
    "/static/:file",
    "/healthz",
    "/readyz",
];

async fn costs_what_it_shows(served: Served, size: Size) {
    let is_postgres = served.dialect.is_postgres;
    served.execute(&filled::script(size, &served.dialect, hub::clock::now())).await;
    if is_postgres {
        served.execute("analyze").await;
    }
    // How many statements; a window of maintenance would add two, what a website depends on some more.
    let website = format!("/websites/{}", path_id(1));
    for (path, most) in [
        ("/".to_owned(), 10),
        ("/websites/fragment".to_owned(), 10),
        (website.clone(), 10),
        (format!("{website}/fragment"), 9),
    ] {
        let asked = served.ask(Kind::Page, &path).await;
        let texts: Vec<&str> = asked.iter().map(|asked| asked.sql.as_str()).collect();
        assert!(texts.len() <= most, "{path} asks {} statements: {texts:#?}", texts.len());
        assert!(texts.len() > 3, "{path}: statements are not seen: {texts:#?}");
    }
    served.execute(&filled::windows(&served.dialect)).await;
    let mut bad = plans::Bad::default();
    for route in route::ROUTES.iter().filter(|route| route.method == Method::Get) {
        if READS_NOTHING.contains(&route.pattern) {
            continue;
        }
        for path in paths(route.pattern) {
            let asked = served.ask(route.kind, &path).await;
            bad.look(&served, &path, &asked).await;
        }
    }
    // What goes on all the time, whoever looks.
    let (store, now) = (&served.store, hub::clock::now());
    store.claim_alerts(now, 10).await.unwrap();
    store.remind(now).await.unwrap();
    store.review_incidents(now).await.unwrap();
    store.expire_verdicts(now).await.unwrap();
    store.open_missed(now).await.unwrap();
    store.miss_pings(now).await.unwrap();
    store.trim_audit(now).await.unwrap();
    store.claim_mails(now, 10).await.unwrap();
    store.tidy_subscribers(now).await.unwrap();
    bad.look(&served, plans::ALL_THE_TIME, &spy::seen(is_postgres)).await;
    bad.none();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_read_costs_what_it_shows_on_postgres() {
    let url = services::database().await;
    let (_, name) = url.rsplit_once('/').unwrap();
    {
        let pool = sqlx::PgPool::connect(&url).await.unwrap();
        for setting in [
            "session_preload_libraries = 'auto_explain'",
            "auto_explain.log_min_duration = 0",
            "auto_explain.log_level = 'warning'",
            "auto_explain.log_analyze = on",
            "auto_explain.log_timing = off",
        ] {
            let alter = format!("alter database {name} set {setting}");
            sqlx::raw_sql(sqlx::AssertSqlSafe(alter)).execute(&pool).await.unwrap();
        }
        pool.close().await;
    }
    spy::begin();
    let store = Store::open_postgres(&url).await.unwrap();
    let served = Served::begin(store, Some(url), tempfile::tempdir().unwrap()).await;
    let today = hub::clock::now() / 86_400_000;
    let days = (today - 41..today).map(|day| {
        let name = jiff_day(day);
        format!(
            "create table if not exists tick_{name} partition of tick for values from ({}) to ({});",
            day * 86_400_000,
            (day + 1) * 86_400_000
        )
    });
    served.execute(&days.collect::<String>()).await;
    costs_what_it_shows(served, Size { others: 40_000, own: 150, days: 40, incidents: 300 }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_read_costs_what_it_shows_on_sqlite() {
    spy::begin();
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open_sqlite(directory.path()).await.unwrap();
    let served = Served::begin(store, None, directory).await;
    costs_what_it_shows(served, Size { others: 40, own: 30, days: 5, incidents: 12 }).await;
}

fn jiff_day(day: i64) -> String {
    jiff::Timestamp::from_millisecond(day * 86_400_000).unwrap().strftime("%Y%m%d").to_string()
}
