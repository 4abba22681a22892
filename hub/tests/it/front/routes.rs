//! What holds of every line of the table of routes: headers of its answers, media types, what is done with hostile input. A new
//! route is asked, too (T110, T113, T116, T117, T122, T144, T145).

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;

use hub::http::Method;
use hub::http::route::{Kind, ROUTES, Route};
use serde_json::{Value, json};

use super::{assert_well, connect, exchange, status};
use crate::client::{call, token};
use crate::process::{Hub, KEY};
use crate::services::database;

/// Head of an answer: status line and fields, names in lower case.
struct Head {
    status: u16,
    fields: Vec<(String, String)>,
    text: String,
}

impl Head {
    fn all(&self, name: &str) -> Vec<&str> {
        self.fields.iter().filter(|(n, _)| n == name).map(|(_, value)| value.as_str()).collect()
    }

    fn one(&self, name: &str) -> &str {
        let all = self.all(name);
        assert_eq!(all.len(), 1, "{name} in {}", self.text);
        all[0]
    }
}

fn name(method: Method) -> &'static str {
    match method {
        Method::Get => "GET",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Patch => "PATCH",
        Method::Delete => "DELETE",
    }
}

/// Asks, and reads to the end of the head; the body of what is no stream, too.
fn asked(address: SocketAddr, request: &str) -> (Head, String) {
    let mut stream = connect(address);
    stream.write_all(request.as_bytes()).unwrap();
    let (mut answer, mut piece) = (Vec::new(), [0; 16_384]);
    loop {
        let length = stream.read(&mut piece).unwrap_or(0);
        answer.extend_from_slice(&piece[..length]);
        let text = String::from_utf8_lossy(&answer);
        if length == 0 || (text.contains("\r\n\r\n") && text.to_lowercase().contains("text/event-stream")) {
            break;
        }
    }
    let text = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let fields = head.split("\r\n").skip(1).filter_map(|line| line.split_once(':'));
    let fields = fields.map(|(n, v)| (n.to_lowercase(), v.trim().to_owned())).collect();
    (Head { status: status(head), fields, text: head.to_owned() }, body.to_owned())
}

/// The path of a route, its names replaced.
fn path(route: &Route, id: &str) -> String {
    let part = |part: &'static str| match part {
        ":file" if route.pattern.starts_with("/badge") => "status.svg".to_owned(),
        part if part.starts_with(':') => id.to_owned(),
        part => part.to_owned(),
    };
    route.pattern.split('/').map(part).collect::<Vec<_>>().join("/")
}

fn request(method: &str, target: &str, fields: &str, body: &str) -> String {
    format!(
        "{method} {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: {}\r\n{fields}\r\n{body}",
        body.len()
    )
}

fn assert_secure(head: &Head, of: &str) {
    let policy = head.one("content-security-policy");
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe-"), "{of}: {policy}");
    assert!(policy.contains("frame-ancestors 'none'") || policy.contains("sandbox"), "{of}: {policy}");
    assert_eq!(head.one("x-content-type-options"), "nosniff", "{of}");
    assert_eq!(head.one("referrer-policy"), "same-origin", "{of}");
    assert_eq!(head.one("x-frame-options"), "DENY", "{of}");
    assert_eq!(head.one("cross-origin-opener-policy"), "same-origin", "{of}");
    assert!(head.all("server").is_empty() && head.all("x-powered-by").is_empty(), "{of}: {}", head.text);
    assert!(head.all("strict-transport-security").is_empty(), "{of}: over plain http");
    assert!(head.fields.iter().all(|(name, _)| !name.starts_with("x-betteruptime")), "{of}: {}", head.text);
    let cache = head.one("cache-control");
    let is_private = cache == "no-store" || cache.starts_with("private");
    let is_for_all = ["/static/", "/badge/", "/api/v1/openapi.json", "/s/"].iter().any(|open| of.contains(open));
    assert!(is_private || (is_for_all && cache.starts_with("public")), "{of}: {cache}");
    assert!(head.all("access-control-allow-origin").is_empty() || is_for_all, "{of}");
}

#[test]
fn t144_t145_every_answer_of_every_route_has_its_headers_and_no_inner_word() {
    let directory = tempfile::tempdir().unwrap();
    let hub = Hub::start(directory.path(), &[]);
    let ann = token(&hub.url(""), "ann", "correct horse");
    let id = uuid::Uuid::new_v4().to_string();
    let mut kinds = [0; 2];
    for route in ROUTES {
        let target = path(route, &id);
        for fields in ["", &format!("token: {ann}\r\n"), &format!("Cookie: betteruptime_session={ann}\r\n")] {
            // Signed in, and sent: what it does is other tests'.
            if route.method != Method::Get && !fields.is_empty() && !route.pattern.contains("/:") {
                continue;
            }
            let (head, body) = asked(hub.address, &request(name(route.method), &target, fields, ""));
            let of = format!("{} {target} ({})", name(route.method), head.status);
            assert!(head.status < 500 || route.pattern == "/readyz", "{of}: {body}");
            assert_secure(&head, &of);
            kinds[usize::from(head.status >= 400)] += 1;
            if route.kind == Kind::Api && head.status >= 400 {
                assert_eq!(head.one("content-type"), "application/problem+json", "{of}: {body}");
                let problem: Value = serde_json::from_str(&body).unwrap_or_else(|e| panic!("{of}: {e}: {body}"));
                assert_eq!(problem["status"], head.status, "{of}");
                assert!(problem["title"].as_str().is_some_and(|title| !title.is_empty()), "{of}: {body}");
                assert!(problem["request_id"].as_str().is_some_and(|id| id.len() == 32), "{of}: {body}");
            }
            if head.status >= 400 {
                let lower = body.to_lowercase();
                for inner in
                    ["select ", "sqlx", "sqlite", "postgres", "panicked", ".rs:", "tiny_http", "hyper", "stack"]
                {
                    assert!(!lower.contains(inner), "{of} says {inner}: {body}");
                }
            }
        }
    }
    assert!(kinds.iter().all(|seen| *seen > 40), "{kinds:?}");
    // What the front answers by itself, and what no route has.
    for (line, wanted) in [
        ("GET /nowhere", 404),
        ("GET /api/v1/nowhere", 404),
        ("TRACE /", 405),
        ("TRACE /api/v1/websites", 405),
        ("PUT /signin", 405),
        ("GET /metrics", 404),
        ("GET /debug", 404),
        ("GET /debug/pprof/", 404),
    ] {
        let (method, target) = line.split_once(' ').unwrap();
        let (head, body) = asked(hub.address, &request(method, target, "", ""));
        assert_eq!(head.status, wanted, "{line}: {body}");
        assert_secure(&head, line);
        let is_problem = head.one("content-type") == "application/problem+json";
        assert_eq!(is_problem, target.starts_with("/api/") && method != "PUT", "{line}");
    }
    assert_well(&hub, "every route");
}

#[test]
fn t110_head_is_get_without_its_body_and_other_methods_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let hub = Hub::start(directory.path(), &[]);
    let ann = token(&hub.url(""), "ann", "correct horse");
    let (page, _) = asked(hub.address, &request("GET", "/signin", "", ""));
    assert_eq!(page.status, 200);
    let style = asked(hub.address, &request("GET", "/signin", "", "")).1;
    let style = style.split("href=\"").find(|part| part.starts_with("/static/style.")).unwrap();
    let style = style.split('"').next().unwrap();
    let signed_in = format!("token: {ann}\r\n");
    for (target, fields) in [
        ("/signin", ""),
        (style, ""),
        (style, "Accept-Encoding: gzip\r\n"),
        ("/healthz", ""),
        ("/nowhere", ""),
        ("/api/v1/websites", &signed_in),
        ("/api/v1/events", &signed_in),
    ] {
        let without = |head: &Head| -> Vec<(String, String)> {
            // A clock's, and an answer's own.
            let differs = |name: &str| matches!(name, "date" | "age" | "transfer-encoding" | "ratelimit");
            let mut fields: Vec<_> = head.fields.iter().filter(|(name, _)| !differs(name)).cloned().collect();
            fields.sort();
            fields
        };
        let (got, _) = asked(hub.address, &request("GET", target, fields, ""));
        let (head, body) = asked(hub.address, &request("HEAD", target, fields, ""));
        assert!(body.is_empty() && head.status == got.status, "{target}: {body}");
        if target != "/api/v1/events" {
            assert_eq!(without(&head), without(&got), "{target}");
        }
    }
    for method in ["TRACE", "OPTIONS", "PROPFIND", "BREW", "get", "X"] {
        let (head, _) = asked(hub.address, &request(method, "/", "", ""));
        assert!(matches!(head.status, 400 | 405 | 501), "{method}: {}", head.text);
    }
    assert_well(&hub, "methods");
}

#[test]
fn t113_the_api_takes_json_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let hub = Hub::start(directory.path(), &[]);
    let ann = token(&hub.url(""), "ann", "correct horse");
    let mut seen = 0;
    for route in ROUTES.iter().filter(|route| route.kind == Kind::Api && route.method != Method::Get) {
        let target = path(route, &uuid::Uuid::new_v4().to_string());
        for media_type in ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonx"] {
            let kind = if media_type.is_empty() { String::new() } else { format!("Content-Type: {media_type}\r\n") };
            let fields = format!("{kind}token: {ann}\r\n");
            let (head, body) = asked(hub.address, &request(name(route.method), &target, &fields, "{\"url\": 1}"));
            assert_eq!(head.status, 415, "{target} with {media_type}: {body}");
            seen += 1;
        }
    }
    assert!(seen >= 80, "{seen}");
    assert_well(&hub, "media types");
}

/// Names of parameters that any route reads.
const PARAMETERS: [&str; 16] = [
    "after",
    "before",
    "cursor",
    "limit",
    "state",
    "kind",
    "website_id",
    "tag",
    "from",
    "to",
    "window",
    "quantile",
    "sort",
    "next",
    "month",
    "label",
];

const HOSTILE: [&str; 8] = [
    "%27%20or%201=1%20--",
    "1;%20drop%20table%20website;--",
    "%27;%20update%20website%20set%20paused=true;--",
    "%22%20union%20select%20password_hash%20from%20account--",
    "%0d%0ax-evil:%201",
    "%00",
    "%F0%9F%92%A5%ff%fe",
    "-9223372036854775809",
];

#[test]
fn t116_t117_what_is_asked_for_is_taken_literally_and_splits_no_answer() {
    let directory = tempfile::tempdir().unwrap();
    let hub = Hub::start(directory.path(), &[]);
    let base = hub.url("");
    let ann = token(&base, "ann", "correct horse");
    for n in 0..3 {
        let (status, answer) = call(
            "POST",
            &format!("{base}/website"),
            Some(&ann),
            Some(&json!({"url": format!("https://{n}.example.com/")})),
        );
        assert_eq!(status, 201, "{answer}");
    }
    let list = || call("GET", &format!("{base}/api/v1/websites?limit=50"), Some(&ann), None).1;
    let before = list()["websites"].as_array().unwrap().len();
    let mut seen = 0;
    for route in ROUTES.iter().filter(|route| route.method == Method::Get) {
        let target = path(route, &uuid::Uuid::new_v4().to_string());
        let fields = format!("token: {ann}\r\nCookie: betteruptime_session={ann}\r\n");
        for hostile in HOSTILE {
            // All at once: what is not read does no harm.
            let query: Vec<String> = PARAMETERS.iter().map(|name| format!("{name}={hostile}")).collect();
            let (head, body) =
                asked(hub.address, &request("GET", &format!("{target}?{}", query.join("&")), &fields, ""));
            let of = format!("{target} {hostile} ({})", head.status);
            assert!(head.status < 500 || route.pattern == "/readyz", "{of}: {body}");
            assert!(head.all("x-evil").is_empty(), "{of}: {}", head.text);
            assert!(!body.contains("$argon2"), "{of}");
            seen += 1;
        }
        // In the path, too.
        if route.pattern.contains(':') {
            let target = path(route, "%27or%271%27=%271");
            let (head, body) = asked(hub.address, &request("GET", &target, &fields, ""));
            assert!(matches!(head.status, 400 | 404), "{target}: {} {body}", head.status);
        }
    }
    assert!(seen >= 300, "{seen}");
    assert_eq!(list()["websites"].as_array().unwrap().len(), before);

    // A cursor of ours, one letter changed: nothing is found, or it is refused.
    let first = call("GET", &format!("{base}/api/v1/websites?limit=1"), Some(&ann), None).1;
    let cursor = first["next"].as_str().unwrap_or_else(|| panic!("{first}")).to_owned();
    for place in 0..cursor.len() {
        for letter in ["x", "0", "'", "%00"] {
            let changed = format!("{}{letter}{}", &cursor[..place], &cursor[place + 1..]);
            let target = format!("/api/v1/websites?limit=1&after={changed}");
            let (head, body) = asked(hub.address, &request("GET", &target, &format!("token: {ann}\r\n"), ""));
            assert!(matches!(head.status, 200 | 400 | 422), "{target}: {} {body}", head.status);
        }
    }
    assert_well(&hub, "hostile parameters");
    let log = hub.process.log();
    assert!(!log.contains("panicked") && !log.contains("A request failed"), "{log}");
}

#[test]
fn t136_the_cookie_of_a_session_is_the_hosts_own() {
    let directory = tempfile::tempdir().unwrap();
    let hub = Hub::start(directory.path(), &[("LISTEN", "127.0.0.1:0")]);
    let form = "username=ann&password=correct+horse";
    let origin = format!("Origin: http://{}\r\nContent-Type: application/x-www-form-urlencoded\r\n", hub.address);
    let ask = |target: &str| {
        let request =
            request("POST", target, &origin, form).replace("Host: h\r\n", &format!("Host: {}\r\n", hub.address));
        asked(hub.address, &request)
    };
    for target in ["/signup", "/signin"] {
        let (head, body) = ask(target);
        assert_eq!(head.status, 303, "{target}: {body}");
        let cookie = head.one("set-cookie");
        let (pair, attributes) = cookie.split_once("; ").unwrap();
        let token = pair.strip_prefix("betteruptime_session=").unwrap_or_else(|| panic!("{cookie}"));
        assert!(cookie.len() < 4_096 && token.len() > 100, "{cookie}");
        let attributes: Vec<&str> = attributes.split("; ").collect();
        for wanted in ["Path=/", "HttpOnly", "SameSite=Lax"] {
            assert!(attributes.contains(&wanted), "{cookie}");
        }
        assert!(!cookie.to_lowercase().contains("domain="), "{cookie}");
        assert!(!body.contains(token) && !head.one("location").contains(token), "{target}: {body}");
        let (page, body) = asked(hub.address, &request("GET", "/", &format!("Cookie: {pair}\r\n"), ""));
        assert!(page.status == 200 && !body.contains(token), "the page knows the token");
    }
    let _ = exchange(hub.address, b"");
}

/// Postgres has no text with a zero byte, and SQLite has: what is fine on one must be no 500 on the other.
#[test]
fn t116_a_zero_byte_is_refused_or_found_nowhere_on_postgres() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (directory, url) = (tempfile::tempdir().unwrap(), runtime.block_on(database()));
    let environment = [("DATABASE_URL", url.as_str()), ("JWT_SECRET_KEY", KEY), ("SIGNUPS", "open")];
    let hub = Hub::start(directory.path(), &environment);
    let base = hub.url("");
    let ann = token(&base, "ann", "correct horse");
    for account in [json!({"username": "an\0n", "password": "x"}), json!({"username": "ann", "password": "\0"})] {
        assert_eq!(call("POST", &format!("{base}/signin"), None, Some(&account)).0, 400);
    }
    let wanted = json!({"action": "delete", "filter": {"q": "a\0b"}});
    let (status, answer) = call("POST", &format!("{base}/api/v1/websites/bulk"), Some(&ann), Some(&wanted));
    assert_eq!((status, &answer["errors"][0]["field"]), (422, &json!("q")), "{answer}");
    for target in ["/api/v1/websites?q", "/api/v1/audit?kind", "/settings/audit?person", "/settings/audit.csv?object"] {
        let fields = format!("token: {ann}\r\nCookie: betteruptime_session={ann}\r\n");
        let (head, body) = asked(hub.address, &request("GET", &format!("{target}=a%00b"), &fields, ""));
        assert_eq!(head.status, 400, "{target}: {body}");
    }
    assert!(!hub.process.log().contains("A request failed"), "{}", hub.process.log());
}
