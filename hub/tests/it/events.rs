//! `GET /api/v1/events`: what happens is told to those it belongs to, at once, again after a break, and no longer than they may
//! listen.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{call, token};
use crate::incident_pages::Told;
use crate::process::KEY;
use crate::services::{database, wait_until};

/// A stream of events, read as it comes.
struct Stream {
    stream: TcpStream,
    text: String,
    has_ended: bool,
}

impl Stream {
    fn open(address: SocketAddr, fields: &str) -> Self {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let request = format!("GET /api/v1/events HTTP/1.1\r\nHost: h\r\nAccept: text/event-stream\r\n{fields}\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        Self { stream, text: String::new(), has_ended: false }
    }

    /// Of who shows this token, from where an earlier one broke off.
    fn of(address: SocketAddr, token: &str, last: Option<&str>) -> Self {
        let last = last.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
        let mut stream = Self::open(address, &format!("token: {token}\r\n{last}"));
        stream.wait_for("event: ready", Duration::from_secs(15));
        stream
    }

    fn read(&mut self) {
        let mut piece = [0; 16_384];
        loop {
            match self.stream.read(&mut piece) {
                Ok(0) => {
                    self.has_ended = true;
                    return;
                }
                Ok(length) => self.text.push_str(&String::from_utf8_lossy(&piece[..length])),
                Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
                    return;
                }
                Err(_) => {
                    self.has_ended = true;
                    return;
                }
            }
        }
    }

    fn wait_for(&mut self, text: &str, bound: Duration) {
        wait_until(text, bound, || {
            self.read();
            assert!(!self.has_ended || self.text.contains(text), "it ended without {text:?}: {}", self.text);
            self.text.contains(text)
        });
    }

    /// Name, id and data of each event so far.
    fn events(&self) -> Vec<(String, String, Value)> {
        let field = |block: &str, name: &str| {
            block.lines().find_map(|line| line.strip_prefix(&format!("{name}: "))).unwrap_or_default().to_owned()
        };
        let blocks = self.text.split("\n\n").filter(|block| block.contains("event: "));
        blocks
            .map(|block| {
                let data = serde_json::from_str(&field(block, "data")).unwrap_or(Value::Null);
                (field(block, "event"), field(block, "id"), data)
            })
            .collect()
    }
}

#[test]
fn what_happens_is_told_on_sqlite() {
    what_happens_is_told(&[]);
}

#[test]
fn what_happens_is_told_on_postgres() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let url = runtime.block_on(database());
    what_happens_is_told(&[("DATABASE_URL", url.as_str()), ("JWT_SECRET_KEY", KEY)]);
}

fn what_happens_is_told(environment: &[(&str, &str)]) {
    let directory = tempfile::tempdir().unwrap();
    let told = Told::start(directory.path(), &[environment, &[("SIGNUPS", "open")]].concat());
    let address = told.hub.address;
    let bob = token(&told.base, "bob", "battery staple");
    let made = [told.ann.clone(), bob.clone()].map(|who| add(&told, &who));
    let mut anns = Stream::of(address, &told.ann, None);
    let mut bobs = Stream::of(address, &bob, None);
    assert!(
        anns.text.starts_with("HTTP/1.1 200") && anns.text.contains("content-type: text/event-stream"),
        "{}",
        anns.text
    );
    assert!(!anns.text.contains("x-betteruptime"), "{}", anns.text);

    put(directory.path(), environment, &made[0], "down");
    anns.wait_for("event: verdict", Duration::from_secs(10));
    let events = anns.events();
    let (_, id, data) = events.iter().find(|(name, ..)| name == "verdict").unwrap();
    assert_eq!((&data["website_id"], &data["to"]), (&json!(made[0]), &json!("down")), "{data}");
    assert!(data["at"].as_str().is_some_and(|at| at.ends_with('Z')), "{data}");
    let last = id.clone();
    anns.wait_for("event: incident", Duration::from_secs(10));
    let events = anns.events();
    let (.., data) = events.iter().find(|(name, ..)| name == "incident").unwrap();
    assert_eq!((&data["kind"], &data["website_id"]), (&json!("opened"), &json!(made[0])), "{data}");
    assert!(data["incident_id"].is_string() && data.get("said").is_none(), "{data}");
    assert!(last.parse::<i64>().is_ok(), "{last}");
    bobs.read();
    assert!(!bobs.text.contains("event: verdict"), "somebody else's: {}", bobs.text);

    // While nobody listens, something more happens; who comes again is told.
    drop(anns);
    put(directory.path(), environment, &made[0], "up");
    let mut again = Stream::of(address, &told.ann, Some(&last));
    again.wait_for("\"to\":\"up\"", Duration::from_secs(10));
    // Once, though it was both read again and told.
    std::thread::sleep(Duration::from_millis(2_500));
    again.read();
    assert_eq!(again.text.matches("\"to\":\"up\"").count(), 1, "{}", again.text);
    let mut old = Stream::of(address, &told.ann, Some("1000"));
    old.wait_for("event: reset", Duration::from_secs(5));

    // When the session has ended, so does the stream, though nothing is asked on it.
    let ended = Instant::now();
    let (status, sessions) = call("GET", &format!("{}/api/v1/sessions", told.base), Some(&told.ann), None);
    assert_eq!(status, 200, "{sessions}");
    let name = sessions["sessions"][0]["id"].as_str().unwrap_or_else(|| panic!("{sessions}"));
    let (status, answer) = call("DELETE", &format!("{}/api/v1/sessions/{name}", told.base), Some(&told.ann), None);
    assert!(matches!(status, 200 | 204), "{status} {answer}");
    wait_until("the end of a stream whose session has ended", Duration::from_secs(60), || {
        again.read();
        again.has_ended
    });
    assert!(ended.elapsed() < Duration::from_secs(60), "{:?}", ended.elapsed());
    bobs.read();
    assert!(!bobs.has_ended, "another's goes on");
}

/// A job of somebody: nobody looks at it, its verdicts are written by hand.
fn add(told: &Told, who: &str) -> String {
    let job = json!({"name": "backup", "period_s": 86_400, "grace_s": 600});
    let (status, answer) = call("POST", &format!("{}/api/v1/jobs", told.base), Some(who), Some(&job));
    assert_eq!(status, 201, "{answer}");
    answer["id"].as_str().unwrap().to_owned()
}

/// As another hub would: a row in the table, committed a moment after the instant it names.
fn put(directory: &Path, environment: &[(&str, &str)], website: &str, to: &str) {
    let from = if to == "up" { "down" } else { "up" };
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64;
    let sql = "insert into transition (website_id, decided_at, number, at, from_verdict, to_verdict, reason) \
               values ($1, $2, 7, $2, $3, $4, 'by hand')";
    let id: uuid::Uuid = website.parse().unwrap();
    let incident = "insert into incident (incident_id, account_id, kind, cause_key, cause, began_at, opened_at, websites) \
                    select $1, account_id, 'outage', $2, 'Silent', $3, $3, 1 from website where website_id = $4";
    let line = "insert into incident_event (event_id, incident_id, at, number, kind, website_id, said) \
                values ($1, $2, $3, 1, 'opened', $4, 'It is silent.')";
    let (incident_id, event_id) = (uuid::Uuid::now_v7(), uuid::Uuid::now_v7());
    let url = environment.iter().find(|(name, _)| *name == "DATABASE_URL").map(|(_, url)| *url);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        match url {
            Some(url) => {
                let pool = sqlx::PgPool::connect(url).await.unwrap();
                sqlx::query(sql).bind(id).bind(now).bind(from).bind(to).execute(&pool).await.unwrap();
                sqlx::query(incident)
                    .bind(incident_id)
                    .bind(incident_id.to_string())
                    .bind(now)
                    .bind(id)
                    .execute(&pool)
                    .await
                    .unwrap();
                sqlx::query(line).bind(event_id).bind(incident_id).bind(now).bind(id).execute(&pool).await.unwrap();
            }
            None => {
                let options = sqlx::sqlite::SqliteConnectOptions::new()
                    .filename(directory.join("data/betteruptime.sqlite"))
                    .busy_timeout(Duration::from_secs(20));
                let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
                sqlx::query(sql).bind(id).bind(now).bind(from).bind(to).execute(&pool).await.unwrap();
                sqlx::query(incident)
                    .bind(incident_id)
                    .bind(incident_id.to_string())
                    .bind(now)
                    .bind(id)
                    .execute(&pool)
                    .await
                    .unwrap();
                sqlx::query(line).bind(event_id).bind(incident_id).bind(now).bind(id).execute(&pool).await.unwrap();
            }
        }
    });
}

#[test]
fn many_listen_and_take_no_thread_and_who_may_not_is_told_so() {
    let directory = tempfile::tempdir().unwrap();
    let told = Told::start(directory.path(), &[]);
    let address = told.hub.address;
    let threads = || {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", told.hub.process.id())).unwrap();
        tasks.count()
    };
    let mut nobody = Stream::open(address, "Connection: close\r\n");
    nobody.wait_for("HTTP/1.1 401", Duration::from_secs(10));
    let first = Stream::of(address, &told.ann, None);
    let before = threads();
    let mut all: Vec<Stream> = (0..63).map(|_| Stream::open(address, &format!("token: {}\r\n", told.ann))).collect();
    for one in &mut all {
        one.wait_for("event: ready", Duration::from_secs(20));
    }
    // tiny_http has up to four threads that wait for connections, and makes more while there are none.
    assert!(threads() <= before + 16, "{before} threads before, {} now", threads());
    let mut more = Stream::open(address, &format!("token: {}\r\n", told.ann));
    more.wait_for("HTTP/1.1 429", Duration::from_secs(10));
    assert!(more.text.contains("retry-after: 60") && more.text.contains("application/problem+json"), "{}", more.text);
    drop(all);
    wait_until("a place among the listeners", Duration::from_secs(20), || {
        let mut one = Stream::open(address, &format!("token: {}\r\n", told.ann));
        wait_until("an answer", Duration::from_secs(10), || {
            one.read();
            one.text.contains("\r\n\r\n")
        });
        one.text.starts_with("HTTP/1.1 200")
    });

    // A hub that stops does not wait for those who listen.
    let Told { hub, .. } = told;
    let mut hub = hub;
    let began = Instant::now();
    assert_eq!(hub.process.terminate(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    drop(first);
}
