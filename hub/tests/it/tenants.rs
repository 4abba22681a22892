//! Every route that names something, asked for what another account has (T146). Made from the table of routes: one that is
//! added without a word here fails.

use std::collections::BTreeMap;

use hub::http::Method;
use hub::http::route::{Kind, ROUTES};
use serde_json::{Value, json};

use crate::client::{call, token};
use crate::incident_pages::Told;
use crate::process::KEY;
use crate::services::database;

/// What the names of a path's segments stand for.
fn kind_of(pattern: &str) -> &'static str {
    const KINDS: [(&str, &str); 13] = [
        ("/websites/:id", "website"),
        ("/api/v1/websites/:id", "website"),
        ("/website/:id", "website"),
        ("/status/:id", "website"),
        ("/badge/:id", "website"),
        ("/reports/websites/:id", "website"),
        ("/reports/schedules/:id", "schedule"),
        ("/api/v1/jobs/:id", "job"),
        ("/incidents/:id", "incident"),
        ("/channels/:id", "channel"),
        ("/alerts/:id", "alert"),
        ("/maintenance/:id", "maintenance"),
        ("/dead-letters/:id", "letter"),
    ];
    let bare = pattern.strip_prefix("/api/v1").unwrap_or(pattern);
    if pattern.contains("sessions/:name") {
        return "session";
    }
    let fits = |(start, _): &&(&str, &str)| {
        [bare, pattern]
            .iter()
            .any(|path| path.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
    };
    KINDS
        .iter()
        .find(fits)
        .map(|(_, kind)| *kind)
        .unwrap_or_else(|| panic!("whose is what {pattern} names? say it here"))
}

/// Status and text of what `token` is answered; what differs from request to request is taken out.
fn asked(base: &str, method: Method, kind: Kind, path: &str, token: &str) -> (u16, String) {
    let config = ureq::Agent::config_builder().max_redirects(0).http_status_as_error(false).proxy(None).build();
    let agent: ureq::Agent = config.into();
    let name = match method {
        Method::Get => "GET",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Patch => "PATCH",
        Method::Delete => "DELETE",
    };
    let request = ureq::http::Request::builder().method(name).uri(format!("{base}{path}"));
    let request = match kind {
        Kind::Page | Kind::Open => request
            .header("cookie", format!("betteruptime_session={token}"))
            .header("origin", base)
            .header("content-type", "application/x-www-form-urlencoded"),
        Kind::Api => request.header("token", token).header("content-type", "application/json"),
    };
    let body = if kind == Kind::Api { "{}" } else { "" };
    let answer = if method == Method::Get {
        agent.run(request.body(()).unwrap())
    } else {
        agent.run(request.body(body.to_owned()).unwrap())
    };
    let mut answer = answer.unwrap_or_else(|e| panic!("{name} {path}: {e}"));
    let status = answer.status().as_u16();
    let text = answer.body_mut().read_to_string().unwrap_or_default();
    if let Ok(Value::Object(mut problem)) = serde_json::from_str(&text) {
        problem.remove("request_id");
        return (status, Value::Object(problem).to_string());
    }
    (status, text)
}

#[test]
fn t146_what_another_has_is_as_if_it_were_not_there() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let url = runtime.block_on(database());
    let environment = [("DATABASE_URL", url.as_str()), ("JWT_SECRET_KEY", KEY), ("SIGNUPS", "open")];
    let told = Told::start(directory.path(), &environment);
    let base = told.base.as_str();
    let bob = token(base, "bob", "battery staple");

    // One of everything, ann's. Rows say more quickly than a failing website would.
    let hook = json!({"kind": "webhook", "name": "Hook", "url": "https://hooks.example.com/1"});
    let channel = told.api("POST", "/channels", Some(&hook)).1;
    let website = json!({"url": "https://anns.example.com/"});
    let website = call("POST", &format!("{base}/website"), Some(&told.ann), Some(&website)).1;
    let window = json!({"name": "Night", "scope": "all", "time_zone": "UTC", "starts": "2030-01-01T00:00", "repeats": "once", "duration_minutes": 60});
    let maintenance = told.api("POST", "/maintenance", Some(&window)).1;
    let job = told.api("POST", "/jobs", Some(&json!({"name": "backup", "period_s": 3_600, "grace_s": 600}))).1;
    let ids: Vec<(String, String)> = runtime.block_on(async {
        let pool = sqlx::PgPool::connect(&url).await.unwrap();
        let rows = "with a as (select account_id from account where username = 'ann'), \
            w as (select * from website where kind = 'http'), \
            i as (insert into incident (incident_id, account_id, kind, cause_key, cause, began_at, opened_at, websites) \
                  select gen_random_uuid(), account_id, 'outage', 'k', 'Refused', 1, 1, 1 from a returning *), \
            iw as (insert into incident_website (incident_id, website_id, url, began_at) \
                   select incident_id, website_id, w.url, 1 from i, w returning website_id), \
            t as (insert into alert (alert_id, account_id, channel_id, channel_name, incident_id, event, number, state, \
                  created_at, due_at) select gen_random_uuid(), i.account_id, gen_random_uuid(), 'Gone', incident_id, \
                  'opened', 1, 'dead', 1, 1 from i returning alert_id), \
            r as (insert into report_schedule (report_schedule_id, account_id, channel_id, scope, rhythm, made_at, next_at) \
                  select gen_random_uuid(), a.account_id, channel_id, 'all', 'monthly', 1, 9000000000000 \
                  from a join channel using (account_id) returning report_schedule_id) \
            select 'incident', incident_id::text from i \
            union all select 'alert', alert_id::text from t \
            union all select 'schedule', report_schedule_id::text from r";
        sqlx::query_as(rows).fetch_all(&pool).await.unwrap()
    });
    let mut has: BTreeMap<String, String> = ids.into_iter().collect();
    let sessions = told.api("GET", "/sessions", None).1;
    for (kind, id) in [
        ("website", &website["id"]),
        ("channel", &channel["id"]),
        ("maintenance", &maintenance["id"]),
        ("job", &job["id"]),
        ("session", &sessions["sessions"][0]["id"]),
    ] {
        let id = id.as_str().unwrap_or_else(|| panic!("{kind}: {website} {channel} {maintenance} {job} {sessions}"));
        has.insert(kind.to_owned(), id.to_owned());
    }
    // Dead letters are the operator's: that they are nobody else's is all there is to see.
    has.insert("letter".to_owned(), uuid::Uuid::new_v4().to_string());

    let mut seen = 0;
    for route in ROUTES.iter().filter(|route| route.pattern.contains("/:")) {
        // Links that sign themselves, and files.
        if ["/acknowledge/", "/ping/", "/static/", "/s/"].iter().any(|open| route.pattern.starts_with(open)) {
            continue;
        }
        let kind = kind_of(route.pattern);
        let path = |id: &str| {
            let fill = |part: &str| match part {
                ":id" | ":name" => id.to_owned(),
                ":file" => "status.svg".to_owned(),
                part => part.to_owned(),
            };
            route.pattern.split('/').map(fill).collect::<Vec<_>>().join("/")
        };
        let nobodys = if kind == "session" { "1".repeat(64) } else { uuid::Uuid::new_v4().to_string() };
        let anns = has.get(kind).unwrap_or_else(|| panic!("ann has no {kind}"));
        let (theirs, nothing) = (
            asked(base, route.method, route.kind, &path(anns), &bob),
            asked(base, route.method, route.kind, &path(&nobodys), &bob),
        );
        assert_eq!(theirs, nothing, "{:?} {}", route.method, route.pattern);
        // Input is judged before it is asked whose the thing is; to end a session twice is harmless.
        let said = matches!(theirs.0, 404 | 415 | 422 | 400) || route.pattern.starts_with("/settings/sessions/");
        assert!(said, "{:?} {}: {}", route.method, route.pattern, theirs.0);
        seen += 1;
    }
    assert!(seen >= 40, "{seen} routes");

    // Nothing of hers has changed.
    for (kind, path) in
        [("channel", "/channels/"), ("incident", "/incidents/"), ("maintenance", "/maintenance/"), ("job", "/jobs/")]
    {
        let (status, answer) = told.api("GET", &format!("{path}{}", has[kind]), None);
        assert_eq!((status, &answer["id"]), (200, &json!(has[kind])), "{kind}: {answer}");
    }
    let (status, website) = call("GET", &format!("{base}/status/{}", has["website"]), Some(&told.ann), None);
    assert_eq!((status, &website["id"]), (200, &json!(has["website"])), "{website}");
    assert_eq!(told.api("GET", "/sessions", None).1["sessions"][0]["id"], has["session"]);

    // What concerns the whole installation is not there for a stranger.
    for route in ROUTES.iter().filter(|route| !route.pattern.contains("/:")) {
        let is_operators = ["/probes", "/dead-letters", "/capacity", "/api/v1/dead-letters", "/api/v1/capacity"];
        if is_operators.iter().any(|start| route.pattern.starts_with(start)) {
            let answer = asked(base, route.method, route.kind, route.pattern, &bob);
            assert_eq!(answer.0, 404, "{:?} {}", route.method, route.pattern);
        }
    }
}
