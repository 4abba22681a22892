//! Public status pages: what is on them, who may see them, where they are, and what they do while the database is away.

mod away;
mod look;
mod mail;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::client::{call, encoded, form, form_page, token};
use crate::incident_pages::Told;
use crate::process::KEY;
use crate::services::{database, wait_until};

/// What is watched: nobody listens there, and no reader may learn of it.
const SECRET: &str = "http://127.0.0.1:8443/hunter2?key=hunter2";

/// An answer as it came.
pub struct Answer {
    pub status: u16,
    /// In lower case.
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn field(&self, name: &str) -> &str {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).unwrap_or_default()
    }
}

/// Asks under a name.
pub fn ask(address: SocketAddr, method: &str, host: &str, path: &str, fields: &str, body: &str) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {length}\r\n{fields}\r\n{body}"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap_or_else(|| panic!("{path}: no head"));
    let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Answer { status, head, body: answer[end + 4..].to_vec() }
}

impl Told {
    pub fn get(&self, path: &str) -> Answer {
        self.get_as(path, "")
    }

    pub fn get_as(&self, path: &str, fields: &str) -> Answer {
        let host = self.base.trim_start_matches("http://");
        ask(self.hub.address, "GET", host, path, fields, "")
    }

    /// A form that nobody is signed in for.
    pub fn send(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let host = self.base.trim_start_matches("http://");
        let kind = "Content-Type: application/x-www-form-urlencoded\r\n";
        ask(self.hub.address, "POST", host, path, kind, &encoded(fields))
    }

    fn add_website(&self, url: &str) -> String {
        let (status, made) =
            self.api("POST", "/websites", Some(&json!({"url": url, "interval_s": 10, "timeout_s": 5})));
        assert_eq!(status, 201, "{made}");
        made["id"].as_str().unwrap().to_owned()
    }

    pub fn add_page(&self, page: Value) -> String {
        let (status, made) = self.api("POST", "/status-pages", Some(&page));
        assert_eq!(status, 201, "{made}");
        made["id"].as_str().unwrap().to_owned()
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn on_postgres(runtime: &tokio::runtime::Runtime, directory: &Path) -> Told {
    let url = runtime.block_on(database());
    Told::start(directory, &[("DATABASE_URL", url.as_str()), ("JWT_SECRET_KEY", KEY)])
}

fn one(id: &str, name: &str) -> Value {
    json!([{"name": "Web", "components": [{"website_id": id, "name": name}]}])
}

/// What comes of XML, read by a parser: the texts of all entries, and of the elements that a feed must have.
fn atom(xml: &[u8]) -> Value {
    let script = "import json, sys, xml.etree.ElementTree as t\n\
        a = '{http://www.w3.org/2005/Atom}'\n\
        f = t.fromstring(sys.stdin.buffer.read())\n\
        assert f.tag == a + 'feed', f.tag\n\
        one = lambda e, n: e.find(a + n).text\n\
        print(json.dumps({'id': one(f, 'id'), 'title': one(f, 'title'), 'updated': one(f, 'updated'),\n\
            'self': f.find(a + \"link[@rel='self']\").get('href'), 'entries': [{n: one(e, n) for n in ['id', 'title', 'updated', 'published', 'content']} for e in f.findall(a + 'entry')]}))";
    let mut child = Command::new("python3")
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(xml).unwrap();
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success(), "{}\n{}", String::from_utf8_lossy(&done.stderr), String::from_utf8_lossy(xml));
    serde_json::from_slice(&done.stdout).unwrap()
}

#[test]
fn t154_a_page_shows_nothing_but_what_its_owner_put_there() {
    let (runtime, directory) = (runtime(), tempfile::tempdir().unwrap());
    let told = on_postgres(&runtime, directory.path());
    let (shown, private) = (told.add_website(SECRET), told.add_website("https://private.example.com/other"));
    let window = json!({"name": "Secret migration", "scope": "website", "website_id": shown, "time_zone": "UTC",
        "starts": "2031-01-01T00:00", "repeats": "once", "duration_minutes": 60});
    assert_eq!(told.api("POST", "/maintenance", Some(&window)).0, 201);
    // It fails, and what is known of it is full of addresses.
    let incident = told.open_incident();
    let note = json!({"note": "Called Bob about 10.1.2.3"});
    assert_eq!(told.api("POST", &format!("/incidents/{incident}/notes"), Some(&note)).0, 201);
    let page = json!({"name": "Acme status", "slug": "acme", "accent": "#ffee00", "about": "How we are.", "sections": one(&shown, "Shop")});
    let page = told.add_page(page);
    let post = json!({"kind": "incident", "title": "The shop is slow", "impact": "degraded", "components": [shown],
        "incident_id": incident, "state": "investigating", "said": "We are looking."});
    let (status, published) = told.api("POST", &format!("/status-pages/{page}/posts"), Some(&post));
    assert_eq!(status, 201, "{published}");
    let post_id = published["id"].as_str().unwrap().to_owned();
    let update = json!({"state": "identified", "said": "A disk is full."});
    assert_eq!(told.api("POST", &format!("/status-posts/{post_id}/updates"), Some(&update)).0, 201);
    // A component that is not on the page cannot be named on it.
    let odd = json!({"kind": "notice", "title": "x", "state": "notice", "said": "x", "components": [private]});
    assert_eq!(told.api("POST", &format!("/status-pages/{page}/posts"), Some(&odd)).0, 422);

    let answers =
        ["/s/acme", "/s/acme/feed.atom", "/s/acme/feed.json", "/s/acme/accent.css"].map(|path| told.get(path));
    for answer in &answers {
        let text = answer.text();
        assert_eq!(answer.status, 200, "{}: {text}", answer.head);
        assert!(answer.field("cache-control").starts_with("public"), "{}", answer.head);
        assert!(!answer.head.contains("set-cookie"), "{}", answer.head);
        for inner in [
            "127.0.0.1:8443",
            "hunter2",
            "private.example",
            "10.1.2.3",
            "refused",
            "Refused",
            "onnection",
            "Called Bob",
            "migration",
            &incident,
            &shown,
            &private,
            ">ann<",
            "/websites/",
            "/incidents",
        ] {
            assert!(!text.contains(inner), "{inner} in {text}");
        }
    }
    let html = answers[0].text();
    for part in [
        "<title>Major outage – Acme status</title>",
        "Shop: major outage",
        "The shop is slow",
        "A disk is full.",
        "We are looking.",
        "Planned maintenance",
        "2031-01-01 00:00:00",
    ] {
        // Work of years ahead is not told of yet.
        let is_told = part != "Planned maintenance" && !part.starts_with("2031");
        assert_eq!(html.contains(part), is_told, "{part}: {html}");
    }
    assert!(html.contains("role=\"img\" aria-label=\"Last 90 days: 0 % available, observed "), "{html}");
    assert!(html.contains("no data</title>"), "days before it was watched are not up: {html}");
    assert_eq!(html.matches("<rect ").count(), 90);
    // Nothing is loaded from anywhere else.
    for attribute in ["src=\"", "href=\""] {
        for target in html.split(attribute).skip(1).map(|rest| rest.split('"').next().unwrap()) {
            assert!(target.starts_with('/') || target.starts_with('#'), "{target}");
        }
    }
    // Yellow cannot be read on white: it is darker there.
    let css = answers[3].text();
    assert!(
        css.ends_with("@media(prefers-color-scheme:dark){:root{--accent:#ffee00}}\n")
            && !css.starts_with(":root{--accent:#ffee00}"),
        "{css}"
    );

    // Feeds are what they say they are.
    let feed = atom(&answers[1].body);
    assert_eq!(
        (feed["title"].as_str(), feed["entries"].as_array().map(Vec::len)),
        (Some("Acme status"), Some(2)),
        "{feed}"
    );
    assert_eq!(feed["self"], json!(format!("{}/s/acme/feed.atom", told.base)));
    let entry = feed["entries"].as_array().unwrap().iter().find(|entry| entry["title"] == "The shop is slow").unwrap();
    assert!(entry["content"].as_str().unwrap().starts_with("Identified ("), "{entry}");
    assert_eq!(entry["id"], json!(format!("urn:uuid:{post_id}")));
    let feed: Value = serde_json::from_slice(&answers[2].body).unwrap();
    assert_eq!(answers[2].field("content-type"), "application/feed+json");
    assert_eq!(feed["version"], "https://jsonfeed.org/version/1.1");
    for item in feed["items"].as_array().unwrap() {
        for field in ["id", "url", "title", "content_text", "date_published", "date_modified"] {
            assert!(item[field].is_string(), "{field}: {item}");
        }
    }

    // Without what verdicts say there is what was published alone.
    let quiet = json!({"tells_outages": false, "shows_uptime": false});
    assert_eq!(told.api("PATCH", &format!("/status-pages/{page}"), Some(&quiet)).0, 200);
    wait_until("a change to be seen", Duration::from_secs(16), || {
        !told.get("/s/acme").text().contains("Shop: major outage")
    });
    let html = told.get("/s/acme").text();
    assert!(html.contains("The shop is slow") && !html.contains("<rect "), "{html}");

    // Taken back, and gone.
    assert_eq!(told.api("DELETE", &format!("/status-posts/{post_id}"), None).0, 204);
    assert_eq!(told.api("DELETE", &format!("/status-pages/{page}"), None).0, 204);
    wait_until("the end to be seen", Duration::from_secs(16), || told.get("/s/acme").status == 404);
}

#[test]
fn a_page_is_for_whom_its_owner_says() {
    let directory = tempfile::tempdir().unwrap();
    let told = Told::start(directory.path(), &[]);
    let website = told.add_website("https://a.example.com/");
    let page = told.add_page(json!({"name": "Ours", "slug": "ours", "access": "link", "sections": one(&website, "A")}));
    // By its name there is none; and without a link nobody gets in.
    let nothing = told.get("/s/nobodys");
    assert_eq!((nothing.status, nothing.body.clone()), (404, told.get("/s/ours").body));
    let link = || {
        let (status, made) = told.api("POST", &format!("/status-pages/{page}/link"), None);
        assert_eq!(status, 200, "{made}");
        made["url"].as_str().unwrap().strip_prefix(&told.base).unwrap().to_owned()
    };
    let first = link();
    assert!(first.len() >= "/s/k_".len() + 32, "128 bits: {first}");
    let by_link = told.get(&first);
    assert!(by_link.status == 200 && by_link.text().contains("Ours"), "{}", by_link.head);
    assert_eq!(by_link.field("referrer-policy"), "no-referrer");
    assert_eq!(by_link.field("cache-control"), "private, no-store");
    assert!(by_link.field("x-robots-tag").contains("noindex") && by_link.text().contains("noindex"));
    assert!(told.get(&format!("{first}/feed.json")).text().contains("Ours"));
    assert_eq!(told.get("/s/ours").status, 404);
    // What is stored opens nothing, and another link takes the place of the first.
    let second = link();
    wait_until("the first link to end", Duration::from_secs(16), || told.get(&first).status == 404);
    assert_eq!((told.get(&second).status, told.get("/s/k_00000000000000000000000000000000").status), (200, 404));
    let (_, shown) = told.api("GET", &format!("/status-pages/{page}"), None);
    assert_eq!((&shown["has_link"], shown.to_string().contains("k_")), (&json!(true), false), "{shown}");

    // A password.
    let wrong = json!({"access": "password", "password": "1234567"});
    assert_eq!(told.api("PATCH", &format!("/status-pages/{page}"), Some(&wrong)).0, 422);
    let right = json!({"access": "password", "password": "open sesame"});
    let (status, changed) = told.api("PATCH", &format!("/status-pages/{page}"), Some(&right));
    assert!(status == 200 && !changed.to_string().contains("sesame"), "{changed}");
    wait_until("the password to be asked for", Duration::from_secs(16), || {
        told.get("/s/ours").text().contains("type=\"password\"")
    });
    let locked = told.get("/s/ours");
    assert!(!locked.text().contains("Ours") && locked.field("cache-control") == "no-store", "{}", locked.text());
    assert_eq!((told.get("/s/ours/feed.atom").status, told.get(&second).status), (404, 404));
    let refused = told.send("/s/ours/unlock", &[("password", "sesame")]);
    assert!(refused.status == 403 && refused.text().contains("This is not the password"), "{}", refused.text());
    let open = told.send("/s/ours/unlock", &[("password", "open sesame")]);
    assert_eq!((open.status, open.field("location")), (303, "/s/ours"), "{}", open.head);
    let cookie = open.field("set-cookie").to_owned();
    assert!(
        cookie.contains("path=/s/ours;") && cookie.contains("httponly") && cookie.contains("samesite=lax"),
        "{cookie}"
    );
    // As it was sent: the head is in lower case here.
    let open = told.send("/s/ours/unlock", &[("password", "open sesame")]);
    assert_eq!(open.status, 303);
    let cookie = raw_cookie(&told, "/s/ours/unlock", "password=open+sesame");
    let as_reader = format!("Cookie: {cookie}\r\n");
    let seen = told.get_as("/s/ours", &as_reader);
    assert!(seen.status == 200 && seen.text().contains("Ours"), "{}", seen.text());
    assert_eq!(seen.field("cache-control"), "private, no-store");
    assert_eq!(told.get_as("/s/ours/feed.atom", &as_reader).status, 200);
    // It opens this page alone, and no longer than its password is this one.
    assert!(told.get("/s/ours").text().contains("type=\"password\""), "nobody else is let in by it");
    told.add_page(json!({"name": "Theirs", "slug": "theirs", "access": "password", "password": "open sesame"}));
    assert!(told.get_as("/s/theirs", &as_reader).text().contains("type=\"password\""));
    let other = json!({"password": "close sesame"});
    assert_eq!(told.api("PATCH", &format!("/status-pages/{page}"), Some(&other)).0, 200);
    wait_until("the cookie to end", Duration::from_secs(16), || {
        told.get_as("/s/ours", &as_reader).text().contains("type=\"password\"")
    });
    // Guessing is slow.
    let tried: Vec<u16> =
        (0..7).map(|n| told.send("/s/ours/unlock", &[("password", &format!("guess {n}"))]).status).collect();
    assert!(tried.contains(&403) && tried.ends_with(&[429]), "{tried:?}");
    assert_eq!(told.send("/s/ours/unlock", &[("password", "close sesame")]).status, 429);
}

/// The cookie that a form is answered with, as it is sent back.
fn raw_cookie(told: &Told, path: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(told.hub.address).unwrap();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n{body}",
        told.base.trim_start_matches("http://"),
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let line = answer
        .lines()
        .find(|line| line.to_lowercase().starts_with("set-cookie: "))
        .unwrap_or_else(|| panic!("{answer}"));
    line["set-cookie: ".len()..].split(';').next().unwrap().to_owned()
}

#[test]
fn a_page_has_a_host_of_its_own_and_the_host_has_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let told = Told::start(directory.path(), &[]);
    let website = told.add_website("https://a.example.com/");
    let page = json!({"name": "Acme", "slug": "acme", "domain": "Status.Example.com", "sections": one(&website, "A")});
    let page = told.add_page(page);
    let at = |host: &str, path: &str| ask(told.hub.address, "GET", host, path, "", "");
    wait_until("the host to be known", Duration::from_secs(8), || at("status.example.com", "/").status == 200);
    let home = at("STATUS.example.com:8080", "/");
    let html = home.text();
    assert!(html.contains("<h1>Acme</h1>") && html.contains("href=\"/feed.atom\""), "{html}");
    assert!(home.field("cache-control").starts_with("public"), "{}", home.head);
    let style =
        html.split("href=\"").find(|part| part.starts_with("/static/")).unwrap().split('"').next().unwrap().to_owned();
    for (path, status) in [
        (style.as_str(), 200),
        ("/feed.atom", 200),
        ("/feed.json", 200),
        ("/signin", 404),
        ("/signup", 404),
        ("/healthz", 404),
        ("/s/acme", 404),
        ("/websites/new", 404),
        ("/api/v1/websites", 404),
        ("/api/v1/openapi.json", 404),
        ("/status-pages", 404),
        ("/docs", 404),
        ("/badge/x/status.svg", 404),
        ("/unlock/../signin", 404),
    ] {
        let shows = format!("Cookie: betteruptime_session={}\r\ntoken: {}\r\n", told.ann, told.ann);
        let answer = ask(told.hub.address, "GET", "status.example.com", path, &shows, "");
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        assert!(!answer.text().contains("ann") && !answer.head.contains("set-cookie"), "{path}: {}", answer.text());
    }
    let feed = atom(&at("status.example.com", "/feed.atom").body);
    assert_eq!(feed["self"], "http://status.example.com/feed.atom");
    // A host that is in a request and in no page leads where it always led; and the hub's own host is nobody's.
    assert_eq!(at("other.example.com", "/signin").status, 200);
    assert_eq!((told.get("/signin").status, told.get("/s/acme").status), (200, 200));
    for (field, value) in [("domain", "status.example.com"), ("slug", "acme")] {
        let mut again = json!({"name": "Another", "slug": "another"});
        again[field] = json!(value);
        let (status, refused) = told.api("POST", "/status-pages", Some(&again));
        assert_eq!((status, &refused["errors"][0]["field"]), (422, &json!(field)), "{refused}");
    }
    let gone = json!({"domain": null});
    assert_eq!(told.api("PATCH", &format!("/status-pages/{page}"), Some(&gone)).0, 200);
    wait_until("the host to be forgotten", Duration::from_secs(20), || {
        at("status.example.com", "/signin").status == 200
    });
}

#[test]
fn only_who_may_gives_a_page_a_host() {
    let directory = tempfile::tempdir().unwrap();
    let told = Told::start(directory.path(), &[("SIGNUPS", "open")]);
    let bob = token(&told.base, "bob", "battery staple");
    let page = json!({"name": "Mine", "slug": "mine", "domain": "status.example.com"});
    let (status, refused) = call("POST", &told.hub.url("/api/v1/status-pages"), Some(&bob), Some(&page));
    assert_eq!((status, &refused["errors"][0]["field"]), (422, &json!("domain")), "{refused}");
}

#[test]
fn what_another_has_is_on_no_page_of_ours() {
    let directory = tempfile::tempdir().unwrap();
    let told = Told::start(directory.path(), &[("SIGNUPS", "open")]);
    let bob = token(&told.base, "bob", "battery staple");
    let anns = told.add_website("https://anns.example.com/");
    let mail = json!({"kind": "email", "name": "Mail", "server": "mail.example.com", "from": "a@example.com", "to": ["b@example.com"]});
    let (status, channel) = told.api("POST", "/channels", Some(&mail));
    assert_eq!(status, 201, "{channel}");
    let api = |method: &str, path: &str, body: &Value| {
        call(method, &format!("{}/api/v1{path}", told.base), Some(&bob), Some(body))
    };
    for (field, value) in [("sections", one(&anns, "Hers")), ("mail_channel_id", channel["id"].clone())] {
        let mut page = json!({"name": "Bob", "slug": "bobs"});
        page[field] = value;
        let (status, refused) = api("POST", "/status-pages", &page);
        assert_eq!((status, &refused["errors"][0]["field"]), (422, &json!(field)), "{refused}");
    }
    let (status, page) = api("POST", "/status-pages", &json!({"name": "Bob", "slug": "bobs"}));
    assert_eq!(status, 201, "{page}");
    let id = page["id"].as_str().unwrap();
    assert_eq!(told.api("GET", &format!("/status-pages/{id}"), None).0, 404);
    assert_eq!(told.api("GET", "/status-pages", None).1, json!({"status_pages": []}));
}

#[test]
fn an_owner_makes_a_page_by_forms() {
    let directory = tempfile::tempdir().unwrap();
    let told = Told::start(directory.path(), &[]);
    let (one, two) = (told.add_website("https://one.example.com/"), told.add_website("https://two.example.com/"));
    for id in [&one, &two] {
        let path = format!("/websites/{id}");
        assert_eq!(told.api("PATCH", &path, Some(&json!({"paused": true}))).0, 200);
    }
    let (_, fresh) = told.page("/status-pages/new");
    // Each website has a row, without a name: none is shown by accident.
    assert!(
        fresh.contains("value=\"https://one.example.com/\"") && fresh.contains("name=\"row_name\" value=\"\""),
        "{fresh}"
    );
    let mut fields = vec![
        ("name", "Acme"),
        ("slug", "acme"),
        ("access", "public"),
        ("shows_uptime", "1"),
        ("row_website", "https://one.example.com/"),
        ("row_name", "Shop"),
        ("row_section", "Web"),
        ("row_position", "20"),
        ("row_website", "https://two.example.com/"),
        ("row_name", ""),
        ("row_section", ""),
        ("row_position", ""),
        ("row_website", two.as_str()),
        ("row_name", "API <b>"),
        ("row_section", "Web"),
        ("row_position", "10"),
    ];
    let mut wrong = fields.clone();
    wrong[1] = ("slug", "A B");
    wrong[4] = ("row_website", "https://nobodys.example.com/");
    let (status, again) = form_page(&told.base, "/status-pages/new", &told.ann, &encoded(&wrong));
    assert!(status == 422 && again.contains("id=\"slug-error\"") && again.contains("id=\"sections-error\""), "{again}");
    assert!(again.contains("value=\"Shop\"") && again.contains("API &#60;b&#62;"), "{again}");
    fields.push(("more", "1"));
    let (status, more) = form_page(&told.base, "/status-pages/new", &told.ann, &encoded(&fields));
    assert!(status == 200 && more.matches("name=\"row_name\"").count() >= 8, "{more}");
    fields.pop();
    assert_eq!(form(&told.base, "/status-pages/new", &told.ann, &encoded(&fields)), 303);
    let (_, list) = told.api("GET", "/status-pages", None);
    let page = &list["status_pages"][0];
    let names = json!([{"name": "Web", "components": [{"website_id": two, "name": "API <b>"}, {"website_id": one, "name": "Shop"}]}]);
    assert_eq!(
        (&page["sections"], &page["tells_outages"], &page["shows_uptime"]),
        (&names, &json!(false), &json!(true)),
        "{page}"
    );
    let id = page["id"].as_str().unwrap().to_owned();
    let path = format!("/status-pages/{id}");
    assert!(told.get("/s/acme").text().contains("API &#60;b&#62;"));

    // A logo: by its bytes, whatever it is called.
    let send_logo = |bytes: &[u8]| {
        let head = "--b\r\nContent-Disposition: form-data; name=\"logo\"; filename=\"a.svg\"\r\nContent-Type: image/png\r\n\r\n";
        let body = [head.as_bytes(), bytes, b"\r\n--b--\r\n"].concat();
        let config = ureq::Agent::config_builder().max_redirects(0).http_status_as_error(false).proxy(None).build();
        let agent: ureq::Agent = config.into();
        let request = agent.post(format!("{}{path}/logo", told.base)).header("origin", &told.base);
        let request = request.header("cookie", format!("betteruptime_session={}", told.ann));
        request.header("content-type", "multipart/form-data; boundary=b").send(&body[..]).unwrap().status().as_u16()
    };
    assert_eq!(send_logo(b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"), 422);
    let png = [&b"\x89PNG\r\n\x1a\n"[..], &[7; 5_000]].concat();
    assert_eq!(send_logo(&png), 303);
    wait_until("the logo to be seen", Duration::from_secs(16), || {
        told.get("/s/acme").text().contains("<img src=\"/s/acme/logo?")
    });
    let logo = told.get("/s/acme/logo");
    assert_eq!((logo.status, logo.body.as_slice(), logo.field("content-type")), (200, png.as_slice(), "image/png"));
    assert_eq!(logo.field("x-content-type-options"), "nosniff");
    assert!(logo.field("content-security-policy").contains("sandbox"), "{}", logo.head);

    // Preview, publishing, an update, the end.
    let (status, preview) = told.page(&format!("{path}/preview"));
    assert!(
        status == 200 && preview.contains("A preview") && preview.contains(&format!("{path}/preview/logo")),
        "{preview}"
    );
    assert_eq!(told.get(&format!("{path}/preview")).status, 303, "for those who are signed in");
    let said = encoded(&[
        ("kind", "incident"),
        ("title", "Slow"),
        ("impact", "partial"),
        ("components", &one),
        ("state", "investigating"),
        ("said", "We look."),
    ]);
    let (status, _) = form_page(&told.base, &format!("{path}/posts"), &told.ann, &said);
    assert_eq!(status, 303);
    let (_, posts) = told.api("GET", &format!("{path}/posts"), None);
    let post = posts["posts"][0]["id"].as_str().unwrap().to_owned();
    wait_until("it to be published", Duration::from_secs(16), || told.get("/s/acme").text().contains("We look."));
    let html = told.get("/s/acme").text();
    assert!(html.contains("<title>Partial outage – Acme</title>"), "{html}");
    let (status, empty) =
        form_page(&told.base, &format!("/status-posts/{post}/updates"), &told.ann, &encoded(&[("state", "resolved")]));
    assert!(status == 422 && empty.contains("Say something"), "{empty}");
    let over = encoded(&[("state", "resolved"), ("said", "All is well.")]);
    assert_eq!(form(&told.base, &format!("/status-posts/{post}/updates"), &told.ann, &over), 303);
    let (_, after) = told.api("GET", &format!("/status-posts/{post}"), None);
    assert!(after["ended_at"].is_string() && after["updates"][0]["state"] == "resolved", "{after}");

    // An edit of what somebody else changed meanwhile.
    let (_, edit) = told.page(&format!("{path}/edit"));
    assert!(edit.contains("value=\"Shop\"") && edit.contains("name=\"revision\""), "{edit}");
    let mut old = fields.clone();
    old.push(("revision", "1"));
    let (status, meanwhile) = form_page(&told.base, &format!("{path}/edit"), &told.ann, &encoded(&old));
    assert!(status == 409 && meanwhile.contains("changed meanwhile"), "{meanwhile}");
    let (_, ask) = told.page(&format!("{path}/delete"));
    assert!(ask.contains("Delete it"), "{ask}");
    assert_eq!(form(&told.base, &format!("{path}/delete"), &told.ann, ""), 303);
    assert_eq!(told.page(&path).0, 404);
    let (_, log) = told.api("GET", "/audit?kind=status+page", None);
    assert!(log.to_string().contains("Acme"), "{log}");
}
