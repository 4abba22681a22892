//! Incidents and channels as people and programs meet them, beside a running hub: added, tried, told, taken on.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::client::{call, encoded, form, form_page, page, token};
use crate::process::{Hub, KEY, Target};
use crate::services::{database, free_port, wait_until};

/// A hub that knows its own address, so that its messages have links.
pub struct Told {
    pub hub: Hub,
    pub base: String,
    pub ann: String,
    /// What is watched.
    pub website: Target,
    /// What is told.
    pub receiver: Target,
}

impl Told {
    pub fn start(directory: &Path, environment: &[(&str, &str)]) -> Self {
        let address = format!("127.0.0.1:{}", free_port());
        let base = format!("http://{address}");
        let mut all = vec![("LISTEN", address.as_str()), ("PUBLIC_URL", base.as_str())];
        all.extend_from_slice(environment);
        let hub = Hub::start(directory, &all);
        let ann = token(&base, "ann", "correct horse");
        Self { hub, base, ann, website: Target::start(), receiver: Target::start() }
    }

    pub fn api(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        call(method, &format!("{}/api/v1{path}", self.base), Some(&self.ann), body)
    }

    pub fn page(&self, path: &str) -> (u16, String) {
        page(&self.base, path, &self.ann)
    }

    /// Watches the website and waits for its first look.
    pub fn watch(&self) -> String {
        let fields =
            encoded(&[("url", &self.website.url("/shop?key=hunter2")), ("interval_s", "10"), ("timeout_s", "5")]);
        assert_eq!(form(&self.base, "/websites/new", &self.ann, &fields), 303);
        wait_until("the first look", Duration::from_secs(10), || self.website.hits() >= 1);
        let (_, list) = call("GET", &format!("{}/website", self.base), Some(&self.ann), None);
        list[0]["id"].as_str().unwrap().to_owned()
    }

    /// The one incident that goes on.
    pub fn open_incident(&self) -> String {
        let mut id = String::new();
        wait_until("an incident", Duration::from_secs(30), || {
            let (status, found) = self.api("GET", "/incidents?state=open", None);
            assert_eq!(status, 200, "{found}");
            found["incidents"][0]["id"].as_str().unwrap_or_default().clone_into(&mut id);
            !id.is_empty()
        });
        id
    }
}

/// A page without a session, as whoever follows a link gets it; or its form sent from there.
fn by_link(base: &str, path: &str, is_post: bool) -> (u16, String) {
    let config = ureq::Agent::config_builder().max_redirects(0).http_status_as_error(false).proxy(None).build();
    let agent: ureq::Agent = config.into();
    let url = format!("{base}{path}");
    let answer = if is_post {
        let request = agent.post(url).header("origin", base);
        request.header("content-type", "application/x-www-form-urlencoded").send("")
    } else {
        agent.get(url).call()
    };
    let mut answer = answer.unwrap();
    (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap_or_default())
}

#[test]
fn a_channel_is_added_tried_and_told_of_an_incident_on_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    a_channel_is_added_tried_and_told_of_an_incident(directory.path(), &[]);
}

#[test]
fn a_channel_is_added_tried_and_told_of_an_incident_on_postgres() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let url = runtime.block_on(database());
    let environment = [("DATABASE_URL", url.as_str()), ("JWT_SECRET_KEY", KEY)];
    a_channel_is_added_tried_and_told_of_an_incident(directory.path(), &environment);
}

fn a_channel_is_added_tried_and_told_of_an_incident(directory: &Path, environment: &[(&str, &str)]) {
    let told = Told::start(directory, environment);
    let base = &told.base;
    let (_, none) = told.page("/channels");
    assert!(none.contains("There is none yet") && told.page("/incidents").1.contains("There has been none yet"));

    // A form that is refused comes back filled in, but for secrets.
    let hook = told.receiver.url("/hook/hunter2");
    let (status, wrong) = form_page(
        base,
        "/channels/new",
        &told.ann,
        &encoded(&[("kind", "webhook"), ("name", "Tickets"), ("url", "nowhere/hunter2"), ("cap_per_hour", "0")]),
    );
    assert_eq!(status, 422, "{wrong}");
    for part in ["id=\"url-error\"", "id=\"cap_per_hour-error\"", "value=\"Tickets\"", "type it again"] {
        assert!(wrong.contains(part), "{part}: {wrong}");
    }
    assert!(!wrong.contains("hunter2"), "{wrong}");

    // The secret is shown once.
    let fields = [("kind", "webhook"), ("name", "Tickets"), ("url", hook.as_str())];
    let (status, once) = form_page(base, "/channels/new", &told.ann, &encoded(&fields));
    assert!(status == 200 && once.contains("whsec_"), "{once}");
    let (_, list) = told.api("GET", "/channels", None);
    let id = list["channels"][0]["id"].as_str().unwrap().to_owned();
    let channel = format!("/channels/{id}");
    for path in [channel.clone(), format!("{channel}/edit"), "/channels".to_owned()] {
        let (status, text) = told.page(&path);
        assert!(status == 200 && !text.contains("whsec_") && !text.contains("hunter2"), "{path}: {text}");
    }
    assert!(!list.to_string().contains("whsec_") && !list.to_string().contains("hunter2"), "{list}");

    // A test shows the answer.
    assert_eq!(form(base, &format!("{channel}/test"), &told.ann, ""), 303);
    let (_, tested) = told.page(&format!("{channel}?said=tested"));
    assert!(tested.contains("Test delivered") && told.receiver.last().contains("webhook-signature"), "{tested}");
    told.receiver.answer_with(503);
    let (status, answer) = told.api("POST", &format!("{channel}/test"), None);
    assert_eq!((status, &answer["result"]), (200, &json!("again")), "{answer}");
    let (_, tested) = told.page(&format!("{channel}?said=tested"));
    assert!(tested.contains("Test given up") && tested.contains("503"), "{tested}");
    told.receiver.answer_with(200);
    let before = told.receiver.hits_of("/hook/hunter2");

    // It goes down: page, badge, dashboard, the website's page, and a message with a link.
    let website = told.watch();
    told.website.answer_with(500);
    assert_eq!(form(base, &format!("/websites/{website}/check"), &told.ann, ""), 303);
    let incident = told.open_incident();
    let path = format!("/incidents/{incident}");
    wait_until("the message", Duration::from_secs(20), || told.receiver.hits_of("/hook/hunter2") > before);
    let (_, shown) = told.page(&path);
    for part in ["is down", "What each region saw", "LOCAL", "I am on it", "Tickets", "The status is not one"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(!shown.contains("hunter2"), "a query may hold secrets: {shown}");
    assert!(told.page("/").1.contains("1 incident is open") && told.page("/").1.contains("<b class=\"badge\">1"));
    assert!(told.page(&format!("/websites/{website}")).1.contains(&path));
    assert!(told.page("/incidents").1.contains(&path) && told.page("/incidents?state=open").1.contains(&path));
    let (status, whole) = told.api("GET", &path, None);
    assert_eq!(status, 200, "{whole}");
    assert_eq!(whole["events"][0]["evidence"][0]["region"], "LOCAL", "{whole}");
    assert_eq!(whole["websites"][0]["website_id"], json!(website));
    wait_until("the answer", Duration::from_secs(10), || {
        told.api("GET", &path, None).1["alerts"][0]["state"] == "delivered"
    });

    // Notes.
    assert_eq!(form(base, &format!("{path}/notes"), &told.ann, "note=The+release"), 303);
    let long = encoded(&[("note", &"é".repeat(2_001))]);
    let (status, refused) = form_page(base, &format!("{path}/notes"), &told.ann, &long);
    assert!(status == 422 && refused.contains("Keep it to 2000 characters") && refused.contains("éé"), "{refused}");
    assert_eq!(told.api("POST", &format!("{path}/notes"), Some(&json!({"note": "By program"}))).0, 201);
    let (status, problem) = told.api("POST", &format!("{path}/notes"), Some(&json!({"note": " "})));
    assert_eq!((status, &problem["errors"][0]["field"]), (422, &json!("note")), "{problem}");
    let (_, shown) = told.page(&path);
    assert!(shown.contains("<b>ann</b>: The release") && shown.contains("<b>ann</b>: By program"), "{shown}");

    // Looking at a link changes nothing; pressing its button does, without a session.
    let message = told.receiver.last();
    let link = message.split(&format!("{base}/acknowledge/")).nth(1).and_then(|rest| rest.split('"').next());
    let link = format!("/acknowledge/{}", link.unwrap_or_else(|| panic!("a link in {message}")));
    let (status, asks) = by_link(base, &link, false);
    assert!(status == 200 && asks.contains("I am on it") && asks.contains("is down"), "{asks}");
    assert_eq!(told.api("GET", &path, None).1["acknowledged_at"], Value::Null);
    assert_eq!(by_link(base, &link, true).0, 303);
    let (_, done) = by_link(base, &link, false);
    assert!(done.contains("Taken on by somebody with the link") && !done.contains("I am on it"), "{done}");
    assert_eq!(told.api("GET", &path, None).1["acknowledged_by"], "link");
    assert!(told.page(&path).1.contains("Taken on by somebody with the link"));
    let (status, again) = told.api("POST", &format!("{path}/acknowledge"), None);
    assert_eq!((status, &again["result"], &again["acknowledged_by"]), (200, &json!("before"), &json!("link")));
    for bad in ["/acknowledge/x", &link[..link.len() - 2]] {
        let (status, nowhere) = by_link(base, bad, false);
        assert!(status == 404 && nowhere.contains("This link does not work"), "{bad}: {nowhere}");
        assert_eq!(by_link(base, bad, true).0, 404);
    }

    // It is well again.
    told.website.answer_with(200);
    assert!([303, 429].contains(&form(base, &format!("/websites/{website}/check"), &told.ann, "")));
    wait_until("the end", Duration::from_secs(40), || told.api("GET", &path, None).1["closed_as"] == "recovered");
    assert!(
        told.page(&path).1.contains("was down") && told.page("/incidents?state=open").1.contains("Nothing is open")
    );
    assert!(!told.hub.process.log().contains("hunter2"), "{}", told.hub.process.log());
}

#[test]
fn an_incident_is_published_to_a_status_page_from_its_own_page() {
    let directory = tempfile::tempdir().unwrap();
    let told = Told::start(directory.path(), &[]);
    let website = told.watch();
    let add = |name: &str, slug: &str, sections: Value| {
        let sent = json!({"name": name, "slug": slug, "access": "public", "sections": sections});
        let (status, made) = told.api("POST", "/status-pages", Some(&sent));
        assert_eq!(status, 201, "{made}");
        made["id"].as_str().unwrap().to_owned()
    };
    let page_id =
        add("Shop status", "shop", json!([{"name": "", "components": [{"website_id": website, "name": "The shop"}]}]));
    let other = add("Elsewhere", "elsewhere", json!([]));
    told.website.answer_with(500);
    assert_eq!(form(&told.base, &format!("/websites/{website}/check"), &told.ann, ""), 303);
    let incident = told.open_incident();
    let path = format!("/incidents/{incident}");

    // The form comes filled in, and publishes nothing by itself.
    let (_, shown) = told.page(&path);
    let to = format!("/status-pages/{page_id}/publish?incident={incident}");
    assert!(shown.contains(&to) && shown.contains("Publish to Shop status") && !shown.contains(&other), "{shown}");
    let (status, filled) = told.page(&to);
    assert_eq!(status, 200);
    for part in ["value=\"The shop not available\"", "The shop cannot be used. We are looking", "checked> The shop"] {
        assert!(filled.contains(part), "{part}: {filled}");
    }
    assert!(filled.contains("value=\"investigating\" selected") && filled.contains("value=\"major\" selected"));
    let words = filled.split("<textarea").nth(1).unwrap().split("</textarea>").next().unwrap();
    for inner in ["127.0.0.1", "LOCAL", "http", "status 500"] {
        assert!(!words.contains(inner), "{inner} is for nobody outside: {words}");
    }
    assert!(!page(&told.base, "/s/shop", &told.ann).1.contains("The shop not available"));
    for (odd, code) in [("x", 404), ("01935e7a-0000-7000-8000-000000000000", 404), ("", 200)] {
        assert_eq!(told.page(&format!("/status-pages/{page_id}/publish?incident={odd}")).0, code, "{odd}");
    }

    // A form that is refused is the same form, with what was typed.
    let fields = |title: &str| {
        encoded(&[
            ("kind", "incident"),
            ("title", title),
            ("state", "investigating"),
            ("said", "We look."),
            ("components", website.as_str()),
            ("impact", "major"),
            ("incident_id", incident.as_str()),
        ])
    };
    let posts = format!("/status-pages/{page_id}/posts");
    let (status, again) = form_page(&told.base, &posts, &told.ann, &fields(""));
    assert!(status == 422 && again.contains("Not published yet") && again.contains("We look."), "{again}");
    assert_eq!(form(&told.base, &posts, &told.ann, &fields("Shop is down")), 303);
    let (_, shown) = told.page(&path);
    assert!(shown.contains("Shop is down") && shown.contains("Add an update"), "{shown}");
    assert!(!shown.contains(&to), "it is published there: {shown}");
    wait_until("everybody to see it", Duration::from_secs(20), || {
        page(&told.base, "/s/shop", &told.ann).1.contains("Shop is down")
    });

    // It ends, and what was published does not say so yet.
    told.website.answer_with(200);
    wait_until("the end", Duration::from_secs(60), || told.api("GET", &path, None).1["closed_as"] == "recovered");
    let (_, shown) = told.page(&path);
    assert!(shown.contains("Say that it is resolved"), "{shown}");
    let post = shown.split("/status-posts/").nth(1).and_then(|rest| rest.split('?').next()).unwrap();
    let (_, update) = told.page(&format!("/status-posts/{post}?state=resolved"));
    assert!(
        update.contains("value=\"resolved\" selected") && update.contains("The shop can be used again."),
        "{update}"
    );
    let fields = encoded(&[("state", "resolved"), ("said", "It works again.")]);
    assert_eq!(form(&told.base, &format!("/status-posts/{post}/updates"), &told.ann, &fields), 303);
    let (_, shown) = told.page(&path);
    assert!(shown.contains("Resolved") && !shown.contains("Say that it is resolved"), "{shown}");
    assert!(!shown.contains(&to), "what is over is said once: {shown}");
}

#[test]
fn what_was_given_up_is_sent_again_by_hand() {
    let directory = tempfile::tempdir().unwrap();
    let told = Told::start(directory.path(), &[]);
    let fields = json!({"kind": "webhook", "name": "Tickets", "url": told.receiver.url("/hook")});
    let (status, made) = told.api("POST", "/channels", Some(&fields));
    assert!(status == 201 && made["secret"].as_str().is_some_and(|secret| secret.starts_with("whsec_")), "{made}");
    let channel = format!("/channels/{}", made["id"].as_str().unwrap());
    let website = told.watch();
    // T266: who is gone for good is not asked again, and its channel is switched off.
    told.receiver.answer_with(410);
    told.website.answer_with(500);
    assert_eq!(form(&told.base, &format!("/websites/{website}/check"), &told.ann, ""), 303);
    let path = format!("/incidents/{}", told.open_incident());
    wait_until("the message to be given up", Duration::from_secs(30), || {
        told.api("GET", &path, None).1["alerts"][0]["state"] == "dead"
    });
    let alert = told.api("GET", &path, None).1["alerts"][0]["id"].as_str().unwrap().to_owned();
    assert!(told.page(&path).1.contains("Send again") && told.page(&channel).1.contains("Send again"));
    assert!(told.page("/channels").1.contains("1 message was given up."));
    assert_eq!(told.api("GET", "/alerts", None).1["alerts"][0]["id"], json!(alert));
    wait_until("the channel to be off", Duration::from_secs(10), || {
        told.page(&channel).1.contains("Given up</span></span> since")
            && told.page("/channels").1.contains("Given up since")
    });
    let (status, problem) = told.api("POST", &format!("/alerts/{alert}/replay"), None);
    assert!(status == 409 && problem["title"].as_str().is_some_and(|t| t.contains("channel is off")), "{problem}");
    assert!(told.page(&format!("{channel}?said=channel-off")).1.contains("Switch it on, then send the message again."));
    assert_eq!(form(&told.base, &format!("{channel}/on"), &told.ann, ""), 303);
    told.receiver.answer_with(200);
    assert_eq!(form(&told.base, &format!("/alerts/{alert}/replay"), &told.ann, "back=incident"), 303);
    wait_until("the message", Duration::from_secs(20), || {
        told.api("GET", &format!("{channel}/alerts"), None).1["alerts"][0]["state"] == "delivered"
    });
    let (status, problem) = told.api("POST", &format!("/alerts/{alert}/replay"), None);
    assert!(status == 409 && problem["title"].as_str().is_some_and(|t| t.contains("not given up")), "{problem}");
    assert_eq!(told.api("GET", "/alerts", None).1["alerts"], json!([]));
    assert!(!told.page("/channels").1.contains("given up."));
}

/// I10, T146: for another account there is nothing here, not even with the right ids.
#[test]
fn i10_incidents_channels_and_alerts_are_their_owners_alone() {
    let directory = tempfile::tempdir().unwrap();
    let told = Told::start(directory.path(), &[]);
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_betteruptime-hub"))
        .args(["user", "create", "bob"])
        .env_clear()
        .current_dir(directory.path())
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut command.stdin.take().unwrap(), b"battery staple\n").unwrap();
    assert!(command.wait().unwrap().success());
    let account = json!({"username": "bob", "password": "battery staple"});
    let (_, signed_in) = call("POST", &told.hub.url("/signin"), None, Some(&account));
    let bob = signed_in["token"].as_str().unwrap().to_owned();
    let fields = json!({"kind": "webhook", "name": "Tickets", "url": told.receiver.url("/hook")});
    let (_, made) = told.api("POST", "/channels", Some(&fields));
    let channel = format!("/channels/{}", made["id"].as_str().unwrap());
    let website = told.watch();
    told.website.answer_with(500);
    assert_eq!(form(&told.base, &format!("/websites/{website}/check"), &told.ann, ""), 303);
    let incident = format!("/incidents/{}", told.open_incident());
    let mut alert = String::new();
    wait_until("an alert", Duration::from_secs(10), || {
        let (_, log) = told.api("GET", &format!("{channel}/alerts"), None);
        log["alerts"][0]["id"].as_str().unwrap_or_default().clone_into(&mut alert);
        !alert.is_empty()
    });
    let base = &told.base;
    for path in
        [&incident, &format!("{incident}/fragment"), &channel, &format!("{channel}/edit"), &format!("{channel}/delete")]
    {
        assert_eq!(told.page(path).0, 200, "{path}");
        assert_eq!(page(base, path, &bob).0, 404, "{path}");
    }
    for path in [
        format!("{incident}/acknowledge"),
        format!("{incident}/notes"),
        format!("{channel}/edit"),
        format!("{channel}/test"),
        format!("{channel}/on"),
        format!("{channel}/off"),
        format!("{channel}/delete"),
        format!("/alerts/{alert}/replay"),
    ] {
        assert_eq!(form(base, &path, &bob, "note=x&name=x"), 404, "{path}");
    }
    let note = json!({"note": "x"});
    for (method, path, body) in [
        ("GET", incident.clone(), None),
        ("POST", format!("{incident}/acknowledge"), None),
        ("POST", format!("{incident}/notes"), Some(&note)),
        ("GET", channel.clone(), None),
        ("PATCH", channel.clone(), None),
        ("DELETE", channel.clone(), None),
        ("POST", format!("{channel}/test"), None),
        ("GET", format!("{channel}/alerts"), None),
        ("POST", format!("/alerts/{alert}/replay"), None),
    ] {
        let url = format!("{base}/api/v1{path}");
        assert_eq!(call(method, &url, Some(&bob), body).0, 404, "{method} {path}");
        assert_eq!(call(method, &url, None, body).0, 401, "{method} {path}");
    }
    for (path, field) in [("/incidents", "incidents"), ("/channels", "channels")] {
        let (_, found) = call("GET", &format!("{base}/api/v1{path}"), Some(&bob), None);
        assert_eq!(found[field], json!([]), "{found}");
    }
    assert!(!page(base, "/", &bob).1.contains("incident is open"));
    // What he takes for second channel is none of his.
    let mail = json!({"kind": "slack", "name": "x", "url": "https://hooks.slack.com/services/x", "second_channel_id": made["id"]});
    let (status, problem) = call("POST", &format!("{base}/api/v1/channels"), Some(&bob), Some(&mail));
    assert_eq!((status, &problem["errors"][0]["field"]), (422, &json!("second_channel_id")), "{problem}");
    assert_eq!(told.api("GET", &incident, None).1["acknowledged_at"], Value::Null);
    assert_eq!(told.api("GET", &channel, None).1["is_on"], true);
}

#[test]
fn the_api_of_channels_names_fields_and_keeps_secrets() {
    let directory = tempfile::tempdir().unwrap();
    let told = Told::start(directory.path(), &[]);
    let mail = json!({
        "kind": "email", "name": "On call", "server": "smtp.example.com", "security": "tls", "username": "alerts",
        "password": "hunter2", "from": "alerts@example.com", "to": ["ann@example.com", "bob@example.com"],
        "waits_minutes": 10, "reminds_minutes": 60, "tells_regional": true,
    });
    let (status, made) = told.api("POST", "/channels", Some(&mail));
    assert_eq!(status, 201, "{made}");
    let shown = json!({
        "server": "smtp.example.com", "port": 465, "security": "tls", "username": "alerts", "has_password": true,
        "from": "alerts@example.com", "to": ["ann@example.com", "bob@example.com"],
    });
    assert_eq!((&made["settings"], &made["waits_minutes"], &made["reminds_minutes"]), (&shown, &json!(10), &json!(60)));
    let path = format!("/channels/{}", made["id"].as_str().unwrap());
    let change = json!({"name": "Nights", "is_on": false, "reminds_minutes": null, "revision": made["revision"]});
    let (status, changed) = told.api("PATCH", &path, Some(&change));
    assert_eq!((status, &changed["name"], &changed["is_on"]), (200, &json!("Nights"), &json!(false)), "{changed}");
    assert_eq!((&changed["settings"], &changed["reminds_minutes"]), (&shown, &Value::Null), "the password is kept");
    assert_eq!(told.api("PATCH", &path, Some(&change)).0, 409, "of a revision that is past");
    for (fields, field) in [
        (json!({"kind": "fax"}), "kind"),
        (json!({"kind": "slack", "name": "x", "url": "https://evil.example/hunter2"}), "url"),
        (json!({"kind": "email", "name": ""}), "name"),
    ] {
        let (status, problem) = told.api("POST", "/channels", Some(&fields));
        let fields: Vec<_> = problem["errors"].as_array().unwrap().iter().map(|e| e["field"].clone()).collect();
        assert!(
            status == 422 && fields.contains(&json!(field)) && !problem.to_string().contains("hunter2"),
            "{problem}"
        );
    }
    let (status, problem) = told.api("POST", "/channels", Some(&json!({"sort": "slack"})));
    assert!(status == 400 && problem["title"].as_str().is_some_and(|title| title.contains("sort")), "{problem}");
    let hook = json!({"kind": "webhook", "name": "Hook", "url": told.receiver.url("/")});
    let (_, first) = told.api("POST", "/channels", Some(&hook));
    let hook = format!("/channels/{}", first["id"].as_str().unwrap());
    let (_, second) = told.api("PATCH", &hook, Some(&json!({"new_secret": true})));
    assert!(second["secret"].is_string() && second["secret"] != first["secret"], "{second}");
    assert_eq!(second["settings"]["has_old_secret"], true);
    let (_, list) = told.api("GET", "/channels", None);
    assert!(!list.to_string().contains("whsec_") && !list.to_string().contains("hunter2"), "{list}");
    assert_eq!((told.api("DELETE", &path, None).0, told.api("DELETE", &path, None).0), (204, 404));
    assert_eq!(told.api("GET", "/incidents?after=x", None).0, 400);
    for (path, field) in [("/incidents?state=x", "state"), ("/incidents?kind=x", "kind")] {
        let (status, problem) = told.api("GET", path, None);
        assert_eq!((status, &problem["errors"][0]["field"]), (422, &json!(field)), "{problem}");
    }
}
