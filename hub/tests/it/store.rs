//! The store, on SQLite and on a real Postgres: each test runs on both.

use hub::model::{
    Account, AccountId, Blame, CheckKind, Class, Delays, Failure, MadeBy, Outcome, Phase, Phases, StoredTick, Tick,
    Transition, UtcMs, Website, WebsiteSettings,
};
use hub::store::{Edited, Store, StoreError};

use crate::services;

const MINUTE: i64 = 60_000;
/// Who waits for a lock in this database: other tests have theirs on the same Postgres.
const WAITING: &str =
    "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";

/// A migrated store; the directory must outlive it.
struct Fixture {
    store: Store,
    url: Option<String>,
    directory: tempfile::TempDir,
    now: UtcMs,
}

impl Fixture {
    async fn sqlite() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let store = Store::open_sqlite(directory.path()).await.expect("a SQLite store");
        Self::migrated(store, None, directory).await
    }

    async fn postgres() -> Self {
        let url = services::database().await;
        let store = Store::open_postgres(&url).await.expect("a Postgres store");
        Self::migrated(store, Some(url), tempfile::tempdir().expect("a directory")).await
    }

    async fn migrated(store: Store, url: Option<String>, directory: tempfile::TempDir) -> Self {
        assert_eq!(store.migrate(true).await.expect("a dry run"), store.migrate(false).await.expect("migrations"));
        assert!(store.migrate(false).await.expect("nothing to do").is_empty());
        let now = hub::clock::now() / MINUTE * MINUTE;
        Self { store, url, directory, now }
    }

    async fn account(&self, name: &str) -> Account {
        self.store.create_account(name, "hash", MadeBy::Owner, self.now).await.expect("an account")
    }

    /// Added an hour ago, checked every minute.
    async fn website(&self, account: AccountId) -> Website {
        let settings = WebsiteSettings { interval_ms: MINUTE, ..WebsiteSettings::new("https://example.com/".into()) };
        self.store.add_website(account, &settings, self.now - 60 * MINUTE).await.expect("a website")
    }

    async fn verdict(&self, website: &Website) -> Outcome {
        let row = self.store.board_row(website.account_id, website.website_id, self.now).await.expect("the board");
        row.expect("the website").state.verdict
    }

    /// Ingests each tick as it comes.
    async fn feed(&self, ticks: &[StoredTick]) {
        for tick in ticks {
            self.store.ingest(std::slice::from_ref(tick), tick.received_at).await.expect("ingest");
        }
    }

    /// Verdicts that run out by `at`.
    async fn expire(&self, at: UtcMs) -> Vec<Transition> {
        self.store.expire_verdicts(at).await.expect("expiry").transitions
    }

    async fn changes(&self, website: &Website) -> Vec<(UtcMs, Outcome, Outcome)> {
        let newest_first =
            self.store.transitions(website.account_id, website.website_id, 100).await.expect("transitions");
        newest_first.iter().rev().map(|t| (t.at, t.from, t.to)).collect()
    }

    /// A number from the database, past the store.
    async fn count(&self, sql: &'static str) -> i64 {
        match &self.url {
            Some(url) => {
                let pool = sqlx::PgPool::connect(url).await.expect("Postgres");
                sqlx::query_scalar(sql).fetch_one(&pool).await.expect(sql)
            }
            None => {
                let pool = sqlite(self.directory.path()).await;
                sqlx::query_scalar(sql).fetch_one(&pool).await.expect(sql)
            }
        }
    }

    /// Does something to the database, past the store.
    async fn execute(&self, sql: &'static str) {
        match &self.url {
            Some(url) => {
                let pool = sqlx::PgPool::connect(url).await.expect("Postgres");
                sqlx::raw_sql(sql).execute(&pool).await.expect(sql);
            }
            None => {
                let pool = sqlite(self.directory.path()).await;
                sqlx::raw_sql(sql).execute(&pool).await.expect(sql);
            }
        }
    }
}

/// The SQLite file of a store in `directory`, past the store.
async fn sqlite(directory: &std::path::Path) -> sqlx::SqlitePool {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(directory.join("betteruptime.sqlite"));
    sqlx::SqlitePool::connect_with(options.create_if_missing(true)).await.expect("SQLite")
}

fn saved(edit: Result<Option<Edited>, StoreError>) -> Website {
    match edit.expect("an edit") {
        Some(Edited::Saved(website)) => website,
        other => panic!("{other:?}"),
    }
}

macro_rules! on_both {
    ($($name:ident)+) => {
        mod on_sqlite { $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name($crate::store::Fixture::sqlite().await).await; })+ }
        mod on_postgres { $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name($crate::store::Fixture::postgres().await).await; })+ }
    };
}

mod accounts;
mod api_keys;
mod audit;
mod board;
mod capacity;
mod dead_letters;
mod factor;
mod incidents;
mod ingest;
mod jobs;
mod keeping;
mod late;
mod letters;
mod limits;
mod maintenance;
mod managed;
mod options;
mod own_retention;
mod regions;
mod reports;
mod roll_up;
mod schema;
pub mod sealed;
mod sealed_steps;
mod silence;
mod teams;
mod upgrades;
mod uptime;
mod verdicts;
mod wall;
mod websites;

fn region_tick(website: &Website, region: &str, slot_at: UtcMs, outcome: Outcome) -> StoredTick {
    let failure =
        |class, phase| Some(Failure { class, phase, blame: Blame::Target, detail: "as seen by the worker".to_owned() });
    let tick = Tick {
        website_id: website.website_id,
        slot_at,
        attempt: 0,
        kind: CheckKind::Scheduled,
        started_at: slot_at + 5,
        outcome,
        failure: match outcome {
            Outcome::Up => None,
            Outcome::Degraded => failure(Class::Slow, Phase::Judge),
            Outcome::Down => failure(Class::ConnectRefused, Phase::Connect),
            Outcome::Unknown => None,
        },
        phases: Phases { connect_us: Some(1_500), wait_us: Some(2_500), ..Phases::default() },
        total_us: 4_000,
        status: (outcome == Outcome::Up).then_some(200),
        remote: None,
        body_bytes: 12,
        truncated: false,
        hops: Vec::new(),
        certificate: None,
        answer: None,
        notes: Vec::new(),
        delays: Delays::default(),
    };
    let region = region.parse().expect("a region");
    StoredTick::received(region, "w1".parse().expect("a worker"), slot_at + 1_000, tick)
}

fn round(website: &Website, slot_at: UtcMs, outcomes: [(&str, Outcome); 3]) -> Vec<StoredTick> {
    outcomes.map(|(region, outcome)| region_tick(website, region, slot_at, outcome)).to_vec()
}
