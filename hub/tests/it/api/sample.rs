//! A hub with one of everything.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::client::call;
use crate::incident_pages::Told;
use crate::process::KEY;
use crate::services::{database, wait_until};

/// What there is, by name.
pub struct Sample {
    pub told: Told,
    pub website: String,
    pub job: String,
    pub channel: String,
    pub maintenance: String,
    pub page: String,
    pub post: String,
    pub incident: String,
    pub alert: String,
    pub letter: String,
}

const ROWS: &str = "with a as (select account_id from account where username = 'ann'), \
    w as (select * from website where kind = 'http'), \
    i as (insert into incident (incident_id, account_id, kind, cause_key, cause, began_at, opened_at, websites) \
          select gen_random_uuid(), account_id, 'outage', 'k', 'Refused', 1, 1, 1 from a returning *), \
    iw as (insert into incident_website (incident_id, website_id, url, began_at) \
           select incident_id, website_id, w.url, 1 from i, w returning website_id), \
    t as (insert into alert (alert_id, account_id, channel_id, channel_name, incident_id, event, number, state, \
          created_at, due_at) select gen_random_uuid(), i.account_id, gen_random_uuid(), 'Gone', incident_id, \
          'opened', 1, 'dead', 1, 1 from i returning alert_id), \
    d as (insert into dead_letter (dead_letter_id, stream, reason, raw, created_at) \
          values (gen_random_uuid(), 'betteruptime:tick:LOCAL:w', 'not_understood: odd', '\\x7b7d', 1) returning dead_letter_id), \
    c as (insert into transition (website_id, decided_at, number, at, from_verdict, to_verdict, reason) \
          select website_id, n, 0, n, 'up', 'down', 'Refused.' from w, generate_series(1, 3) n returning 1) \
    select 'incident', incident_id::text from i \
    union all select 'alert', alert_id::text from t \
    union all select 'letter', dead_letter_id::text from d";

impl Sample {
    /// Starts it on a database of its own; ann owns it all, and looks after it.
    pub fn start(runtime: &tokio::runtime::Runtime, directory: &Path) -> Self {
        let url = runtime.block_on(database());
        let environment = [
            ("DATABASE_URL", url.as_str()),
            ("JWT_SECRET_KEY", KEY),
            ("SIGNUPS", "first"),
            ("API_REQUESTS_PER_S", "100000"),
        ];
        let told = Told::start(directory, &environment);
        let id = |answer: (u16, Value)| {
            assert_eq!(answer.0, 201, "{}", answer.1);
            answer.1["id"].as_str().unwrap().to_owned()
        };
        let website = json!({"url": told.website.url("/"), "interval_s": 10, "timeout_s": 5, "tags": ["shop"]});
        let website = id(told.api("POST", "/websites", Some(&website)));
        let window = json!({"name": "Night", "scope": "all", "time_zone": "UTC", "starts": "2030-01-01T00:00", "repeats": "once", "duration_minutes": 60});
        let maintenance = id(told.api("POST", "/maintenance", Some(&window)));
        let job = id(told.api("POST", "/jobs", Some(&json!({"name": "backup", "period_s": 3_600, "grace_s": 600}))));
        let hook = json!({"kind": "webhook", "name": "Hook", "url": told.receiver.url("/hook")});
        let channel = id(told.api("POST", "/channels", Some(&hook)));
        let page = json!({"name": "Acme", "slug": "acme", "sections": [{"components": [{"website_id": website, "name": "Shop"}]}]});
        let page = id(told.api("POST", "/status-pages", Some(&page)));
        let post = json!({"kind": "notice", "title": "News", "state": "notice", "said": "We moved."});
        let post = id(told.api("POST", &format!("/status-pages/{page}/posts"), Some(&post)));
        let rows: Vec<(String, String)> = runtime.block_on(async {
            let pool = sqlx::PgPool::connect(&url).await.unwrap();
            sqlx::query_as(ROWS).fetch_all(&pool).await.unwrap()
        });
        let row = |name: &str| rows.iter().find(|(kind, _)| kind == name).unwrap().1.clone();
        let ticks = format!("/websites/{website}/ticks");
        wait_until("the first tick", Duration::from_secs(20), || {
            !told.api("GET", &ticks, None).1["ticks"].as_array().unwrap().is_empty()
        });
        let (incident, alert, letter) = (row("incident"), row("alert"), row("letter"));
        Self { told, website, job, channel, maintenance, page, post, incident, alert, letter }
    }

    /// The token of ann's session.
    pub fn token(&self) -> &str {
        &self.told.ann
    }

    /// Asks with headers; returns status, headers as they came, and body.
    pub fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> (u16, ureq::http::HeaderMap, Value) {
        ask(&self.told.base, self.token(), method, path, headers, body)
    }
}

/// Asks with headers; returns status, headers as they came, and body.
pub fn ask(
    base: &str,
    token: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<&Value>,
) -> (u16, ureq::http::HeaderMap, Value) {
    let config = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build();
    let agent: ureq::Agent = config.into();
    let request = ureq::http::Request::builder().method(method).uri(format!("{base}{path}")).header("token", token);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let answer = match body {
        Some(body) => agent.run(request.header("content-type", "application/json").body(body.to_string()).unwrap()),
        None => agent.run(request.body(()).unwrap()),
    };
    let mut answer = answer.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
    let text = answer.body_mut().read_to_string().unwrap_or_default();
    let headers = answer.headers().clone();
    (answer.status().as_u16(), headers, serde_json::from_str(&text).unwrap_or(Value::Null))
}

/// The websites of ann.
pub fn websites(told: &Told) -> usize {
    call("GET", &format!("{}/website", told.base), Some(&told.ann), None).1.as_array().unwrap().len()
}
