//! Every route that names something, asked for what another account has (T146). Made from the table of routes: one that is
//! added without a word here fails.

use std::collections::BTreeMap;

use hub::http::Method;
use hub::http::access::Needs;
use hub::http::route::{Kind, ROUTES, Route};
use serde_json::{Value, json};

use crate::client::{call, encoded, form, form_page, token};
use crate::incident_pages::Told;
use crate::process::KEY;
use crate::services::database;

/// What the names of a path's segments stand for.
pub fn kind_of(pattern: &str) -> &'static str {
    const KINDS: [(&str, &str); 21] = [
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
        ("/status-pages/:id", "page"),
        ("/status-posts/:id", "post"),
        ("/dead-letters/:id", "letter"),
        ("/settings/keys/:id", "key"),
        ("/keys/:id", "key"),
        ("/team/members/:id", "member"),
        ("/members/:id", "member"),
        ("/team/invitations/:id", "invitation"),
        ("/invitations/:id", "invitation"),
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

/// One of everything, ann's, by its kind.
pub fn anns_things(runtime: &tokio::runtime::Runtime, told: &Told, url: &str) -> BTreeMap<String, String> {
    // Rows say more quickly than a failing website would.
    let hook = json!({"kind": "webhook", "name": "Hook", "url": "https://hooks.example.com/1"});
    let channel = told.api("POST", "/channels", Some(&hook)).1;
    let website = json!({"url": "https://anns.example.com/"});
    let website = call("POST", &format!("{}/website", told.base), Some(&told.ann), Some(&website)).1;
    let window = json!({"name": "Night", "scope": "all", "time_zone": "UTC", "starts": "2030-01-01T00:00", "repeats": "once", "duration_minutes": 60});
    let maintenance = told.api("POST", "/maintenance", Some(&window)).1;
    let job = told.api("POST", "/jobs", Some(&json!({"name": "backup", "period_s": 3_600, "grace_s": 600}))).1;
    let ids: Vec<(String, String)> = runtime.block_on(async {
        let pool = sqlx::PgPool::connect(url).await.unwrap();
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
            union all select 'member', account_id::text from a \
            union all select 'schedule', report_schedule_id::text from r";
        sqlx::query_as(rows).fetch_all(&pool).await.unwrap()
    });
    let mut has: BTreeMap<String, String> = ids.into_iter().collect();
    let key = told.api("POST", "/keys", Some(&json!({"name": "CI", "scopes": ["read"]}))).1;
    let sessions = told.api("GET", "/sessions", None).1;
    let page = json!({"name": "Acme", "slug": "acme", "accent": "#1a7f5a", "sections": [{"components": [{"website_id": website["id"], "name": "Shop"}]}]});
    let page = told.api("POST", "/status-pages", Some(&page)).1;
    let post = json!({"kind": "notice", "title": "News", "state": "notice", "said": "We moved."});
    let post =
        told.api("POST", &format!("/status-pages/{}/posts", page["id"].as_str().unwrap_or_default()), Some(&post)).1;
    let invitation = told.api("POST", "/invitations", Some(&json!({"role": "viewer"}))).1;
    for (kind, id) in [
        ("website", &website["id"]),
        ("channel", &channel["id"]),
        ("maintenance", &maintenance["id"]),
        ("job", &job["id"]),
        ("key", &key["id"]),
        ("session", &sessions["sessions"][0]["id"]),
        ("invitation", &invitation["id"]),
        ("page", &page["id"]),
        ("post", &post["id"]),
    ] {
        let id = id.as_str().unwrap_or_else(|| panic!("{kind}: {website} {channel} {maintenance} {job} {sessions}"));
        has.insert(kind.to_owned(), id.to_owned());
    }
    // Dead letters are the operator's: that they are nobody else's is all there is to see.
    has.insert("letter".to_owned(), uuid::Uuid::new_v4().to_string());
    has
}

/// The path of a route that is about `id`.
pub fn path_of(pattern: &str, id: &str) -> String {
    let fill = |part: &str| match part {
        ":id" | ":name" => id.to_owned(),
        ":file" if pattern.starts_with("/status-pages") => "accent.css".to_owned(),
        ":file" => "status.svg".to_owned(),
        part => part.to_owned(),
    };
    pattern.split('/').map(fill).collect::<Vec<_>>().join("/")
}

/// Routes that name something of somebody's: no links that sign themselves, and no files.
fn naming() -> impl Iterator<Item = &'static Route> {
    let open = ["/acknowledge/", "/join/", "/ping/", "/static/", "/s/", "/subscription/"];
    ROUTES.iter().filter(move |r| r.pattern.contains("/:") && !open.iter().any(|open| r.pattern.starts_with(open)))
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

    let has = anns_things(&runtime, &told, &url);

    let mut seen = 0;
    for route in naming() {
        let kind = kind_of(route.pattern);
        let nobodys = if kind == "session" { "1".repeat(64) } else { uuid::Uuid::new_v4().to_string() };
        let anns = has.get(kind).unwrap_or_else(|| panic!("ann has no {kind}"));
        let (theirs, nothing) = (
            asked(base, route.method, route.kind, &path_of(route.pattern, anns), &bob),
            asked(base, route.method, route.kind, &path_of(route.pattern, &nobodys), &bob),
        );
        assert_eq!(theirs, nothing, "{:?} {}", route.method, route.pattern);
        // Input is judged before it is asked whose the thing is; to end a session or a key twice is harmless.
        let twice = ["/settings/sessions/", "/settings/keys/"].iter().any(|start| route.pattern.starts_with(start));
        let said = matches!(theirs.0, 404 | 415 | 422 | 400) || twice;
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
    assert_eq!(told.api("GET", "/keys", None).1["keys"][0]["id"], has["key"]);
    let (status, log) = call("GET", &format!("{base}/api/v1/audit"), Some(&bob), None);
    assert!(status == 200 && !log.to_string().contains("ann"), "{status} {log}");

    // What concerns the whole installation is not there for a stranger.
    for route in ROUTES.iter().filter(|route| !route.pattern.contains("/:")) {
        let is_operators = [
            "/probes",
            "/dead-letters",
            "/capacity",
            "/audit",
            "/api/v1/dead-letters",
            "/api/v1/capacity",
            "/api/v1/installation",
        ];
        if is_operators.iter().any(|start| route.pattern.starts_with(start)) {
            let answer = asked(base, route.method, route.kind, route.pattern, &bob);
            assert_eq!(answer.0, 404, "{:?} {}", route.method, route.pattern);
        }
    }
}

/// Signs somebody up, and in to ann's team by a link.
fn member(told: &Told, name: &str, role: &str) -> String {
    let one = token(&told.base, name, "battery staple");
    let (status, made) = told.api("POST", "/invitations", Some(&json!({"role": role})));
    assert_eq!(status, 201, "{made}");
    let link = made["url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let api = |method: &str, path: &str, body: &Value| {
        call(method, &format!("{}/api/v1{path}", told.base), Some(&one), Some(body))
    };
    let (status, team) = api("POST", "/invitations/accept", &json!({"token": link}));
    assert_eq!(status, 200, "{team}");
    assert_eq!(api("PUT", "/team", &json!({"id": team["id"]})).0, 204);
    one
}

#[test]
fn t146_members_may_what_their_role_says_and_whoever_is_out_is_out() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let url = runtime.block_on(database());
    let environment = [("DATABASE_URL", url.as_str()), ("JWT_SECRET_KEY", KEY), ("SIGNUPS", "open")];
    let told = Told::start(directory.path(), &environment);
    let base = told.base.as_str();
    let has = anns_things(&runtime, &told, &url);
    let (vera, edda) = (member(&told, "vera", "viewer"), member(&told, "edda", "editor"));

    // A viewer sees what there is, and changes nothing; an editor changes it, and not who is in.
    let (mut read, mut written, mut owned) = (0, 0, 0);
    for route in ROUTES {
        let named = route.pattern.contains("/:").then(|| kind_of_named(route.pattern)).flatten();
        let anns = match named {
            Some(kind) => path_of(route.pattern, &has[kind]),
            None if route.pattern.contains("/:") => continue,
            None => route.pattern.to_owned(),
        };
        let ask = |path: &str, who: &str| asked(base, route.method, route.kind, path, who).0;
        let place = format!("{:?} {}", route.method, route.pattern);
        match route.needs {
            Needs::Read(_) => {
                // It does not end.
                if route.pattern == "/api/v1/events" {
                    continue;
                }
                let status = ask(&anns, &vera);
                // A website of today is shown this month.
                let leads_on = status == 303 && route.pattern == "/reports/websites/:id";
                assert!(leads_on || matches!(status, 200 | 304 | 422), "{place}: {status}");
                read += 1;
            }
            Needs::Write(_) => {
                assert_eq!(ask(&anns, &vera), 403, "{place}");
                // Nothing real, so that nothing goes.
                let status = ask(&path_of(route.pattern, &uuid::Uuid::new_v4().to_string()), &edda);
                assert!(status != 403 && status < 500, "{place}: {status}");
                written += 1;
            }
            Needs::Owner => {
                assert_eq!((ask(&anns, &vera), ask(&anns, &edda)), (403, 403), "{place}");
                owned += 1;
            }
            Needs::Nothing | Needs::Person | Needs::Operator => {}
        }
    }
    assert!(read >= 30 && written >= 40 && owned >= 12, "{read} {written} {owned}");
    let note = json!({"note": "Called the data centre."});
    let note_path = format!("{base}/api/v1/incidents/{}/notes", has["incident"]);
    assert_eq!(call("POST", &note_path, Some(&vera), Some(&note)).0, 403);
    assert_eq!(call("POST", &note_path, Some(&edda), Some(&note)).0, 201);
    let (_, incident) = told.api("GET", &format!("/incidents/{}", has["incident"]), None);
    assert!(incident.to_string().contains("\"edda\""), "a person says it, not the team: {incident}");

    // What may not be done is not offered.
    let (_, page) = crate::client::page(base, &format!("/websites/{}", has["website"]), &vera);
    assert!(page.contains("class=\"wrap look\"") && !page.contains("Add website"), "{page}");
    assert!(!crate::client::page(base, "/", &edda).1.contains("wrap look"));

    // Taken out: from the next request on there is nothing of ann's.
    let (_, members) = told.api("GET", "/members", None);
    let id_of = |name: &str| {
        let members = members["members"].as_array().unwrap();
        members.iter().find(|one| one["username"] == name).unwrap()["id"].as_str().unwrap().to_owned()
    };
    assert_eq!(told.api("DELETE", &format!("/members/{}", id_of("vera")), None).0, 204);
    let demoted = told.api("PATCH", &format!("/members/{}", id_of("edda")), Some(&json!({"role": "viewer"}))).0;
    assert_eq!(demoted, 204);
    // What was to be done for the team is not done to what is her own; from then on that is what she sees.
    let hers = encoded(&[("url", "https://veras.example.com/")]);
    assert_eq!(form(base, "/websites/new", &vera, &hers), 409);
    assert_eq!(call("GET", &format!("{base}/website"), Some(&vera), None), (200, json!([])));
    for route in naming() {
        let kind = kind_of(route.pattern);
        let nobodys = if kind == "session" { "1".repeat(64) } else { uuid::Uuid::new_v4().to_string() };
        let ask = |id: &str| asked(base, route.method, route.kind, &path_of(route.pattern, id), &vera);
        assert_eq!(ask(&has[kind]), ask(&nobodys), "{:?} {}", route.method, route.pattern);
    }
    assert_eq!(call("POST", &note_path, Some(&vera), Some(&note)).0, 404);
    assert_eq!(call("POST", &note_path, Some(&edda), Some(&note)).0, 403);
    let team = json!({"id": has["member"]});
    assert_eq!(call("PUT", &format!("{base}/api/v1/team"), Some(&vera), Some(&team)).0, 404);
    assert_eq!(form(base, "/team/switch", &vera, &encoded(&[("team", &has["member"])])), 404);
}

/// The kind of what a path names, but for links that sign themselves, and files.
pub fn kind_of_named(pattern: &str) -> Option<&'static str> {
    naming().any(|route| route.pattern == pattern).then(|| kind_of(pattern))
}

/// Ids inside of what is sent: another's says no more than nobody's.
#[test]
fn t147_an_id_in_a_body_is_as_one_in_a_path() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let url = runtime.block_on(database());
    let environment = [("DATABASE_URL", url.as_str()), ("JWT_SECRET_KEY", KEY), ("SIGNUPS", "open")];
    let told = Told::start(directory.path(), &environment);
    let base = told.base.as_str();
    let has = anns_things(&runtime, &told, &url);
    let bob = token(base, "bob", "battery staple");
    let hook = json!({"kind": "webhook", "name": "Hook", "url": "https://hooks.example.com/2"});
    let (status, channel) = call("POST", &format!("{base}/api/v1/channels"), Some(&bob), Some(&hook));
    assert_eq!(status, 201, "{channel}");

    let window = |id: &str| {
        json!({"name": "Night", "scope": "website", "website_id": id, "time_zone": "UTC",
        "starts": "2030-01-01T00:00", "repeats": "once", "duration_minutes": 60})
    };
    let second = |id: &str| {
        json!({"kind": "webhook", "name": "Two", "url": "https://hooks.example.com/3",
        "second_channel_id": id})
    };
    let tied = |id: &str| json!({"url": "https://bobs.example.com/", "parent_id": id});
    let job = |id: &str| json!({"name": "backup", "period_s": 3_600, "grace_s": 600, "parent_id": id});
    type Made<'a> = &'a dyn Fn(&str) -> Value;
    let bodies: [(&str, &str, &str, Made<'_>); 6] = [
        ("POST", "/maintenance", "website", &window),
        ("POST", "/channels", "channel", &second),
        ("POST", "/websites", "website", &tied),
        ("POST", "/jobs", "website", &job),
        ("PUT", "/team", "member", &|id| json!({"id": id})),
        ("POST", "/invitations/accept", "invitation", &|id| json!({"token": id})),
    ];
    for (method, path, kind, body) in bodies {
        let ask = |id: &str| {
            let (status, mut answer) = call(method, &format!("{base}/api/v1{path}"), Some(&bob), Some(&body(id)));
            if let Some(answer) = answer.as_object_mut() {
                for differs in ["request_id", "id", "created_at", "signing_secret", "ping_url", "ping_id"] {
                    answer.remove(differs);
                }
            }
            (status, answer.to_string().replace(id, "it"))
        };
        let (theirs, nothing) = (ask(&has[kind]), ask(&uuid::Uuid::new_v4().to_string()));
        assert_eq!(theirs.0, nothing.0, "{path}: {theirs:?} {nothing:?}");
        if theirs.0 >= 400 {
            assert_eq!(theirs, nothing, "{path}");
        } else {
            // It was left out.
            assert!(!theirs.1.contains("\"it\""), "{path}: {theirs:?}");
        }
    }
    let schedule = |id: &str| encoded(&[("channel", id), ("rhythm", "monthly")]);
    let ask = |id: &str| form_page(base, "/reports/schedules", &bob, &schedule(id));
    let (theirs, nothing) = (ask(&has["channel"]), ask(&uuid::Uuid::new_v4().to_string()));
    assert_eq!((theirs.0, nothing.0), (422, 422));
    assert_eq!(theirs.1, nothing.1);
    let about = |id: &str| {
        let body = encoded(&[("channel", channel["id"].as_str().unwrap()), ("rhythm", "monthly"), ("website_id", id)]);
        form_page(base, "/reports/schedules", &bob, &body).0
    };
    assert_eq!(about(&has["website"]), about(&uuid::Uuid::new_v4().to_string()));
}
