//! `betteruptime-hub replay`: verdicts counted again from what is stored.

use std::path::Path;
use std::process::Command;

use hub::model::{
    Blame, CheckKind, Class, Delays, Failure, MadeBy, Outcome, Phase, Phases, StoredTick, Tick, Website, WebsiteId,
    WebsiteSettings,
};
use hub::store::{Edited, Store};
use serde_json::Value;

use crate::process::KEY;
use crate::services::database;

const MINUTE: i64 = 60_000;

fn tick(website: &Website, region: &str, slot_at: i64, outcome: Outcome) -> StoredTick {
    let tick = Tick {
        website_id: website.website_id,
        slot_at,
        attempt: 0,
        kind: CheckKind::Scheduled,
        started_at: slot_at,
        outcome,
        failure: (outcome == Outcome::Down).then(|| Failure {
            class: Class::ConnectRefused,
            phase: Phase::Connect,
            blame: Blame::Target,
            detail: "refused".to_owned(),
        }),
        phases: Phases::default(),
        total_us: 4_000,
        status: None,
        remote: None,
        body_bytes: 0,
        truncated: false,
        hops: Vec::new(),
        certificate: None,
        answer: None,
        notes: Vec::new(),
        delays: Delays::default(),
    };
    let (region, worker) = (region.parse().unwrap(), "w1".parse().unwrap());
    StoredTick::received(region, worker, slot_at + 300, tick)
}

struct Place {
    directory: tempfile::TempDir,
    url: Option<String>,
}

impl Place {
    async fn store(&self) -> Store {
        let store = match &self.url {
            Some(url) => Store::open_postgres(url).await.unwrap(),
            None => {
                let data = self.directory.path().join("data");
                std::fs::create_dir_all(&data).unwrap();
                Store::open_sqlite(&data).await.unwrap()
            }
        };
        store.migrate(false).await.unwrap();
        store
    }

    async fn execute(&self, sql: &'static str) {
        match &self.url {
            Some(url) => {
                let pool = sqlx::PgPool::connect(url).await.unwrap();
                sqlx::raw_sql(sql).execute(&pool).await.unwrap();
            }
            None => {
                let file = self.directory.path().join("data/betteruptime.sqlite");
                let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file);
                let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
                sqlx::raw_sql(sql).execute(&pool).await.unwrap();
                pool.close().await;
            }
        }
    }

    /// Exit code, and what was said.
    fn replay(&self, id: WebsiteId, arguments: &[&str]) -> (i32, String) {
        run(self.directory.path(), self.url.as_deref(), &id.to_string(), arguments)
    }
}

fn run(directory: &Path, url: Option<&str>, id: &str, arguments: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_betteruptime-hub"))
        .env_clear()
        .envs(url.map(|url| ("DATABASE_URL", url)))
        .envs(url.map(|_| ("JWT_SECRET_KEY", KEY)))
        .current_dir(directory)
        .args(["replay", id])
        .args(arguments)
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].map(|said| String::from_utf8(said).unwrap()).concat();
    (output.status.code().unwrap_or(-1), said)
}

/// What it printed; a line of its log may follow.
fn json(said: &str) -> Value {
    let first = serde_json::Deserializer::from_str(said).into_iter().next();
    first.and_then(Result::ok).unwrap_or_else(|| panic!("no JSON: {said}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verdicts_are_counted_again_on_sqlite() {
    verdicts_are_counted_again(None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verdicts_are_counted_again_on_postgres() {
    verdicts_are_counted_again(Some(database().await)).await;
}

async fn verdicts_are_counted_again(url: Option<String>) {
    let place = Place { directory: tempfile::tempdir().unwrap(), url };
    let store = place.store().await;
    let now = hub::clock::now();
    let start = now - 26 * 60 * MINUTE;
    let account = store.create_account("ann", "hash", MadeBy::Owner, start).await.unwrap().account_id;
    let settings =
        WebsiteSettings { interval_ms: MINUTE, ..WebsiteSettings::new("https://a.example/?key=hunter2".into()) };
    let website = store.add_website(account, &settings, start).await.unwrap();
    // 26 hours of three regions: more than two pages, with an outage every five hours and a silence every eleven; some come
    // too late.
    let (mut batch, mut late) = (Vec::new(), 0);
    for minute in 0..26 * 60_i64 {
        if minute % 660 > 640 {
            continue;
        }
        for (n, region) in ["a", "b", "c"].into_iter().enumerate() {
            let is_bad = region != "c" && minute % 300 >= 290;
            let slot_at = start + minute * MINUTE + n as i64 * 20_000;
            let mut tick = tick(&website, region, slot_at, if is_bad { Outcome::Down } else { Outcome::Up });
            if minute % 97 == 0 && region == "a" {
                tick.received_at += 5 * MINUTE;
                late += 1;
            }
            batch.push(tick);
        }
        if minute == 10 * 60 {
            ingest(&store, &mut batch).await;
            let edit = WebsiteSettings { url: "https://a.example/b?key=hunter2".into(), ..settings.clone() };
            let at = start + minute * MINUTE + 50_000;
            let edited = store.edit_website(account, website.website_id, 1, &edit, at).await.unwrap();
            assert!(matches!(edited, Some(Edited::Saved(_))));
        }
    }
    ingest(&store, &mut batch).await;
    store.expire_verdicts(now).await.unwrap();
    let stored = store.transitions(account, website.website_id, 1_000).await.unwrap();
    assert!(stored.len() > 12, "{}", stored.len());
    store.close().await;

    let all = ["--from", &rfc3339(start), "--json"];
    let (code, said) = place.replay(website.website_id, &all);
    assert_eq!(code, 0, "{said}");
    let told: Value = json(&said);
    assert_eq!(told["differences"], 0);
    assert_eq!(told["changes"].as_array().unwrap().len(), stored.len());
    assert_eq!(told["ticks_late"], late, "{said}");

    // The last day alone begins with what held then.
    let (code, said) = place.replay(website.website_id, &[]);
    assert_eq!(code, 0, "{said}");
    for part in
        ["on a.example", "Before, it was up since", "All agree: ", "settings are those of now", "COUNTED AGAIN (UTC)"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(said.contains("=  ") && !said.contains("hunter2"), "{said}");

    // What was decided otherwise is shown beside.
    place.execute("update transition set at = at - 60000 where to_verdict = 'down'").await;
    place.execute("delete from transition where to_verdict = 'unknown' and reason like 'No region%'").await;
    let (code, said) = place.replay(website.website_id, &[]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("!  ") && said.contains("=  ") && said.contains("Differences: "), "{said}");
    let (code, said) = place.replay(website.website_id, &["--json"]);
    let told: Value = json(&said);
    assert!(code == 1 && told["differences"].as_u64().unwrap() >= 4, "{said}");

    // What is wrong is said.
    let (code, said) = place.replay(website.website_id, &["--from", "2999-01-01T00:00:00Z"]);
    assert!(code == 1 && said.contains("--from has to be before --to"), "{said}");
    let (code, said) = place.replay(website.website_id, &["--from", "yesterday"]);
    assert!(code == 2 && said.contains("--from"), "{said}");
    let (code, said) = place.replay(WebsiteId(uuid::Uuid::nil()), &[]);
    assert!(code == 1 && said.contains("there is no website 00000000"), "{said}");
}

/// As a hub does: in the order of receipt, a few at once.
async fn ingest(store: &Store, batch: &mut Vec<StoredTick>) {
    batch.sort_by_key(|tick| tick.received_at);
    for tick in std::mem::take(batch).chunks(3) {
        store.ingest(tick, tick[tick.len() - 1].received_at).await.unwrap();
    }
}

fn rfc3339(at: i64) -> String {
    jiff::Timestamp::from_millisecond(at).unwrap().to_string()
}
