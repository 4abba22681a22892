//! The store, on SQLite and on a real Postgres: each test runs on both.

use std::net::SocketAddr;

use hub::model::{
    Account, AccountId, Blame, CheckKind, Class, Delays, Failure, Heartbeat, MadeBy, NetworkState, Note, Outcome,
    Phase, Phases, SessionKey, StoredTick, Tick, UtcMs, Website, WebsiteId, WebsiteSettings,
};
use hub::store::{Conflict, Edited, Store, StoreError};

use crate::services;

const MINUTE: i64 = 60_000;

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

mod options;

on_both! {
    a_username_is_taken_without_regard_to_case
    of_two_first_visitors_one_becomes_the_owner
    a_session_lives_until_it_is_ended
    nobody_sees_or_changes_anothers_website
    a_repeated_batch_changes_nothing
    the_order_within_a_batch_does_not_matter
    a_backlog_leaves_the_same_record_as_ticks_taken_in_at_once
    a_late_tick_is_kept_and_does_not_move_the_state_back
    a_tick_survives_the_table
    a_bad_tick_is_put_aside_alone
    an_outage_is_recorded_from_its_first_failing_tick_to_its_first_good_one
    a_single_region_needs_three_looks
    a_time_of_blindness_stays_in_the_record
    a_clock_that_was_ahead_leaves_no_verdict_standing
    what_nobody_looked_at_yet_is_known_and_runs_out
    a_paused_website_has_no_verdict
    an_edit_forgets_what_was_known_and_ignores_what_is_on_its_way
    ticks_nobody_asked_for_are_put_aside
    ticks_of_a_deleted_website_are_dropped_and_counted
    hubs_that_ingest_at_once_count_each_tick_once
    heartbeats_make_regions
    the_scheduler_walks_over_all_that_is_not_paused
    the_board_covers_a_day_exactly
    a_dead_letter_is_kept_once
    dead_letters_are_kept_for_a_while_and_not_without_number
    what_is_down_for_long_is_known_until_somebody_sees_it_well
    statements_survive_a_column_more
}

/// A newer hub migrates while this one runs: its prepared statements must not fail.
async fn statements_survive_a_column_more(f: Fixture) {
    let website = f.website(f.account("ann").await.account_id).await;
    let (account, id) = (website.account_id, website.website_id);
    for turn in 0..2 {
        for n in 0..10 {
            f.feed(&[region_tick(&website, "a", f.now - (20 - 10 * turn - n) * MINUTE, Outcome::Up)]).await;
            f.store.board(account, f.now).await.expect("the board");
            f.store.board_row(account, id, f.now).await.expect("a row");
            f.store.ticks(account, id, None, 10).await.expect("ticks");
            f.store.transitions(account, id, 10).await.expect("transitions");
            f.store.websites(account).await.expect("websites");
            f.store.scheduled_websites(None, 10).await.expect("websites");
            f.store.regions().await.expect("regions");
            f.store.credentials("ann").await.expect("credentials");
        }
        if turn == 0 {
            for table in [
                "alter table account add column added text",
                "alter table website add column added text",
                "alter table website_state add column added text",
                "alter table region_state add column added text",
                "alter table tick add column added text",
                "alter table transition add column added text",
                "alter table worker add column added text",
                "alter table region add column added text",
            ] {
                f.execute(table).await;
            }
        }
    }
}

async fn what_is_down_for_long_is_known_until_somebody_sees_it_well(f: Fixture) {
    let account = f.account("ann").await.account_id;
    let (website, other) = (f.website(account).await, f.website(account).await);
    let began = f.now - 50 * MINUTE;
    for website in [&website, &other] {
        f.feed(&["a", "b"].map(|region| region_tick(website, region, began - MINUTE, Outcome::Up))).await;
        f.feed(&["a", "b"].map(|region| region_tick(website, region, began, Outcome::Down))).await;
    }
    assert_eq!(f.store.long_down(began).await.expect("a read"), []);
    let mut down = f.store.long_down(began + 1).await.expect("a read");
    down.sort_unstable();
    let mut both = [(website.website_id, began), (other.website_id, began)];
    both.sort_unstable();
    assert_eq!(down, both);
    f.feed(&[region_tick(&website, "a", began + MINUTE, Outcome::Up)]).await;
    assert_eq!(f.verdict(&website).await, Outcome::Down);
    assert_eq!(f.store.long_down(f.now).await.expect("a read"), [(other.website_id, began)]);
    assert_eq!(f.store.last_published_at().await.expect("a read").is_some(), f.url.is_none(), "claims tell, or slots");
}

fn region_tick(website: &Website, region: &str, slot_at: UtcMs, outcome: Outcome) -> StoredTick {
    let failure =
        |class, phase| Some(Failure { class, phase, blame: Blame::Target, detail: "as seen by the worker".to_owned() });
    StoredTick {
        region_id: region.parse().expect("a region"),
        worker_id: "w1".parse().expect("a worker"),
        received_at: slot_at + 1_000,
        tick: Tick {
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
            notes: Vec::new(),
            delays: Delays::default(),
        },
    }
}

fn round(website: &Website, slot_at: UtcMs, outcomes: [(&str, Outcome); 3]) -> Vec<StoredTick> {
    outcomes.map(|(region, outcome)| region_tick(website, region, slot_at, outcome)).to_vec()
}

async fn a_username_is_taken_without_regard_to_case(f: Fixture) {
    f.account("Änn").await;
    let again = f.store.create_account("äNN", "hash", MadeBy::Anybody, f.now).await;
    assert!(matches!(again, Err(StoreError::Conflict(Conflict::UsernameTaken))), "{again:?}");
    let (account, hash) = f.store.credentials("ÄNN").await.expect("credentials").expect("the account");
    assert_eq!((account.username.as_str(), hash.as_str()), ("Änn", "hash"));
    f.store.set_password_hash(account.account_id, "new").await.expect("set");
    assert_eq!(f.store.credentials("änn").await.expect("credentials").map(|c| c.1), Some("new".to_owned()));
    assert_eq!(f.store.count_accounts().await.expect("count"), 1);
    assert_eq!(f.store.count_strangers().await.expect("count"), 0);
    f.store.create_account("bob", "hash", MadeBy::Anybody, f.now).await.expect("an account");
    assert_eq!(f.store.count_strangers().await.expect("count"), 1);
}

async fn of_two_first_visitors_one_becomes_the_owner(f: Fixture) {
    let tries: Vec<_> = (0..8)
        .map(|n| {
            let store = f.store.clone();
            tokio::spawn(async move { store.create_first_account(&format!("user{n}"), "hash", 1).await })
        })
        .collect();
    let mut made = 0;
    for one in tries {
        made += usize::from(one.await.expect("a task").expect("an answer").is_some());
    }
    assert_eq!((made, f.store.count_accounts().await.expect("count")), (1, 1));
}

async fn a_session_lives_until_it_is_ended(f: Fixture) {
    let account = f.account("ann").await;
    let (one, two) = (SessionKey([1; 32]), SessionKey([2; 32]));
    for key in [one, two] {
        f.store.create_session(account.account_id, key, 1_000, 9_000).await.expect("a session");
    }
    f.store.touch_session(one, 5_000).await.expect("touch");
    f.store.touch_session(one, 4_000).await.expect("touch");
    let session = f.store.session(one).await.expect("a read").expect("the session");
    assert_eq!(
        (session.account, session.created_at, session.seen_at, session.expires_at),
        (account.clone(), 1_000, 5_000, 9_000)
    );
    f.store.end_session(one).await.expect("end");
    assert_eq!(f.store.session(one).await.expect("a read"), None);
    f.store.end_sessions_of(account.account_id).await.expect("end");
    assert_eq!(f.store.session(two).await.expect("a read"), None);
}

async fn nobody_sees_or_changes_anothers_website(f: Fixture) {
    let (ann, bob) = (f.account("ann").await.account_id, f.account("bob").await.account_id);
    let website = f.website(ann).await;
    let id = website.website_id;
    f.feed(&round(&website, f.now - MINUTE, [("a", Outcome::Up), ("b", Outcome::Up), ("c", Outcome::Up)])).await;

    let s = &f.store;
    assert_eq!(s.website(bob, id).await.expect("a read"), None);
    assert_eq!(s.edit_website(bob, id, 1, &website.settings, f.now).await.expect("no"), None);
    assert_eq!(s.set_paused(bob, id, true, f.now).await.expect("no"), None);
    assert!(!s.delete_website(bob, id).await.expect("no"));
    assert_eq!(s.websites(bob).await.expect("a read"), []);
    assert_eq!(s.board(bob, f.now).await.expect("a read"), []);
    assert_eq!(s.board_row(bob, id, f.now).await.expect("a read"), None);
    assert_eq!(s.ticks(bob, id, None, 10).await.expect("a read"), []);
    assert_eq!(s.transitions(bob, id, 10).await.expect("a read"), []);

    assert_eq!(s.website(ann, id).await.expect("a read"), Some(website));
    assert_eq!(s.ticks(ann, id, None, 10).await.expect("a read").len(), 3);
    assert_eq!(s.board(ann, f.now).await.expect("a read").len(), 1);
}

async fn a_repeated_batch_changes_nothing(f: Fixture) {
    let website = f.website(f.account("ann").await.account_id).await;
    let batch: Vec<_> = (0..5)
        .flat_map(|n| {
            let outcome = if n < 2 { Outcome::Up } else { Outcome::Down };
            round(&website, f.now - (5 - n) * MINUTE, [("a", outcome), ("b", outcome), ("c", Outcome::Up)])
        })
        .collect();
    let first = f.store.ingest(&batch, f.now).await.expect("ingest");
    assert_eq!((first.new, first.known), (15, 0));
    let (before, changes) = (f.store.board(website.account_id, f.now).await.expect("board"), f.changes(&website).await);
    for _ in 0..9 {
        let again = f.store.ingest(&batch, f.now + 1).await.expect("ingest");
        assert_eq!((again.new, again.known, again.transitions.len(), again.confirm.len()), (0, 15, 0, 0));
    }
    assert_eq!(f.store.board(website.account_id, f.now).await.expect("board"), before);
    assert_eq!(f.changes(&website).await, changes);
}

async fn the_order_within_a_batch_does_not_matter(f: Fixture) {
    let account = f.account("ann").await.account_id;
    let mut seen = Vec::new();
    for turn in 0..6 {
        let website = f.website(account).await;
        let mut batch: Vec<_> = [Outcome::Up, Outcome::Down, Outcome::Down, Outcome::Up, Outcome::Up]
            .into_iter()
            .enumerate()
            .flat_map(|(n, o)| {
                round(&website, f.now - (5 - n as i64) * MINUTE, [("a", o), ("b", o), ("c", Outcome::Up)])
            })
            .collect();
        let places = batch.len();
        (0..places).for_each(|n| batch.swap(n, (n * 7 + turn * 5) % places));
        f.store.ingest(&batch, f.now).await.expect("ingest");
        seen.push(f.changes(&website).await);
    }
    assert!(seen[0].len() >= 3, "{:?}", seen[0]);
    assert!(seen.iter().all(|s| *s == seen[0]), "{seen:?}");
}

async fn a_backlog_leaves_the_same_record_as_ticks_taken_in_at_once(f: Fixture) {
    let account = f.account("ann").await.account_id;
    let (live, backlog) = (f.website(account).await, f.website(account).await);
    let ticks = |website: &Website| {
        let at = |minutes, outcome| {
            round(website, f.now - minutes * MINUTE, [("a", outcome), ("b", outcome), ("c", outcome)])
        };
        // Up, down, twenty minutes of silence, up.
        [at(50, Outcome::Up), at(49, Outcome::Down), at(48, Outcome::Down), at(28, Outcome::Up), at(27, Outcome::Up)]
            .concat()
    };
    f.feed(&ticks(&live)).await;
    f.store.ingest(&ticks(&backlog), f.now).await.expect("ingest");
    assert_eq!(f.changes(&backlog).await, f.changes(&live).await);
    let verdicts: Vec<_> = f.changes(&live).await.iter().map(|c| c.2).collect();
    let blind = verdicts.iter().position(|v| *v == Outcome::Unknown);
    assert_eq!((verdicts.len() >= 4, blind), (true, Some(2)), "{verdicts:?}");
}

async fn a_late_tick_is_kept_and_does_not_move_the_state_back(f: Fixture) {
    let website = f.website(f.account("ann").await.account_id).await;
    f.feed(&[region_tick(&website, "a", f.now - MINUTE, Outcome::Up)]).await;
    let mut late = region_tick(&website, "a", f.now - 5 * MINUTE, Outcome::Down);
    late.received_at = f.now;
    let done = f.store.ingest(&[late], f.now).await.expect("ingest");
    assert_eq!((done.new, done.transitions.len(), done.confirm.len()), (1, 0, 0));
    let row = f.store.board_row(website.account_id, website.website_id, f.now).await.expect("board").expect("row");
    assert_eq!((row.state.verdict, row.regions[0].slot_at), (Outcome::Up, f.now - MINUTE));
    assert_eq!(f.store.ticks(website.account_id, website.website_id, None, 10).await.expect("ticks").len(), 2);

    // When it comes after the verdict has run out, record and state agree that it has.
    let mut later = region_tick(&website, "a", f.now - 4 * MINUTE, Outcome::Down);
    later.received_at = f.now + 10 * MINUTE;
    let done = f.store.ingest(&[later], f.now + 10 * MINUTE).await.expect("ingest");
    assert_eq!((done.transitions.len(), f.verdict(&website).await), (1, Outcome::Unknown));
}

async fn a_tick_survives_the_table(f: Fixture) {
    let website = f.website(f.account("ann").await.account_id).await;
    let mut tick = region_tick(&website, "eu-west", f.now - MINUTE, Outcome::Down);
    tick.tick.total_us = u32::MAX;
    tick.tick.remote = Some("[2001:db8::1]:443".parse::<SocketAddr>().expect("an address"));
    tick.tick.certificate = Some(hub::model::Certificate {
        not_after_at: f.now,
        not_before_at: f.now - 1,
        issuer: "R11".into(),
        subject: "example.com".into(),
        tls_version: Some("TLSv1.3".into()),
        ..hub::model::Certificate::default()
    });
    tick.tick.notes = vec![Note::RedirectDowngrade, Note::TlsUnverified];
    tick.tick.delays =
        Delays { publish_ms: Some(0), queue_ms: Some(u32::MAX), thread_us: None, report_us: Some(u32::MAX) };
    f.feed(std::slice::from_ref(&tick)).await;
    let mut read = f.store.ticks(website.account_id, website.website_id, None, 10).await.expect("ticks");
    // The start of a certificate's validity is not kept.
    for read in &mut read {
        read.tick.certificate.iter_mut().for_each(|c| c.not_before_at = f.now - 1);
    }
    assert_eq!(read, [tick]);
    let before = f.store.ticks(website.account_id, website.website_id, Some(f.now - MINUTE), 10).await;
    assert_eq!(before.expect("ticks"), []);
}

async fn a_bad_tick_is_put_aside_alone(f: Fixture) {
    let website = f.website(f.account("ann").await.account_id).await;
    let mut batch: Vec<_> = (1..=9).map(|n| region_tick(&website, "a", f.now - n * MINUTE, Outcome::Up)).collect();
    // A rule that one tick of the batch breaks.
    match &f.url {
        Some(url) => {
            let pool = sqlx::PgPool::connect(url).await.expect("Postgres");
            sqlx::query("alter table tick add check (body_bytes <> 666)").execute(&pool).await.expect("a rule");
        }
        None => {
            let options =
                sqlx::sqlite::SqliteConnectOptions::new().filename(f.directory.path().join("betteruptime.sqlite"));
            let pool = sqlx::SqlitePool::connect_with(options).await.expect("SQLite");
            let rule = "create trigger rule before insert on tick when new.body_bytes = 666 \
                        begin select raise(abort, 'rule'); end";
            sqlx::query(rule).execute(&pool).await.expect("a rule");
        }
    }
    batch[4].tick.body_bytes = 666;
    let done = f.store.ingest(&batch, f.now).await.expect("ingest");
    assert_eq!((done.new, f.count("select count(*) from dead_letter").await), (8, 1));
    assert_eq!(f.verdict(&website).await, Outcome::Up);
    let again = f.store.ingest(&batch, f.now).await.expect("ingest");
    assert_eq!((again.known, f.count("select count(*) from dead_letter").await), (8, 1));
}

async fn an_outage_is_recorded_from_its_first_failing_tick_to_its_first_good_one(f: Fixture) {
    let website = f.website(f.account("ann").await.account_id).await;
    let start = f.now - 20 * MINUTE;
    for n in 0..12 {
        let o = if (5..8).contains(&n) { Outcome::Down } else { Outcome::Up };
        f.feed(&round(&website, start + n * MINUTE, [("a", o), ("b", o), ("c", Outcome::Up)])).await;
    }
    let expected = [
        (start, Outcome::Unknown, Outcome::Up),
        (start + 5 * MINUTE, Outcome::Up, Outcome::Down),
        (start + 8 * MINUTE, Outcome::Down, Outcome::Up),
    ];
    assert_eq!(f.changes(&website).await, expected);
    let row = f.store.board_row(website.account_id, website.website_id, f.now).await.expect("board").expect("row");
    assert_eq!(row.uptime_24h.down_ms, 3 * MINUTE);
    assert_eq!(row.regions[0].recent.len(), 10);
}

async fn a_single_region_needs_three_looks(f: Fixture) {
    let website = f.website(f.account("ann").await.account_id).await;
    let slot_at = f.now - MINUTE;
    f.feed(&[region_tick(&website, "a", slot_at - MINUTE, Outcome::Up)]).await;
    for attempt in 0..3_u16 {
        assert_eq!(f.verdict(&website).await, Outcome::Up, "attempt {attempt}");
        let mut tick = region_tick(&website, "a", slot_at, Outcome::Down);
        tick.tick.attempt = attempt;
        let done = f.store.ingest(&[tick], slot_at + 2_000).await.expect("ingest");
        let asked: Vec<_> = done.confirm.iter().map(|c| (c.slot_at, c.attempt, c.regions.len())).collect();
        let wanted = if attempt < 2 { vec![(slot_at, attempt + 1, 1)] } else { vec![] };
        assert_eq!(asked, wanted);
    }
    let row = f.store.board_row(website.account_id, website.website_id, f.now).await.expect("board").expect("row");
    assert_eq!((row.state.verdict, row.state.since_at), (Outcome::Down, slot_at));
    assert!(row.state.reason.contains("single vantage"), "{}", row.state.reason);
}

async fn a_time_of_blindness_stays_in_the_record(f: Fixture) {
    let website = f.website(f.account("ann").await.account_id).await;
    let start = f.now - 40 * MINUTE;
    f.feed(&[region_tick(&website, "a", start, Outcome::Up), region_tick(&website, "a", start + MINUTE, Outcome::Up)])
        .await;
    assert_eq!(f.store.expire_verdicts(start + 2 * MINUTE).await.expect("expiry"), []);
    let gone = f.store.expire_verdicts(f.now - 20 * MINUTE).await.expect("expiry");
    let stale_at = start + MINUTE + 1_000 + 2 * MINUTE + 10_000 + 15_000;
    assert_eq!(gone.iter().map(|t| (t.at, t.to)).collect::<Vec<_>>(), [(stale_at, Outcome::Unknown)]);
    assert_eq!(f.store.expire_verdicts(f.now - 20 * MINUTE).await.expect("expiry"), []);
    f.feed(&[region_tick(&website, "a", f.now - 10 * MINUTE, Outcome::Up)]).await;
    assert_eq!(f.changes(&website).await.last(), Some(&(f.now - 10 * MINUTE, Outcome::Unknown, Outcome::Up)));
}

async fn a_clock_that_was_ahead_leaves_no_verdict_standing(f: Fixture) {
    let website = f.website(f.account("ann").await.account_id).await;
    // The clock is three hours ahead for one look, and is then set right.
    f.feed(&[region_tick(&website, "a", f.now + 180 * MINUTE, Outcome::Up)]).await;
    assert!(f.store.has_future_slots(f.now).await.expect("a read"));
    assert_eq!(f.store.expire_verdicts(f.now + 10 * MINUTE).await.expect("expiry"), []);
    assert_eq!(f.store.shorten_verdicts(f.now).await.expect("an update"), 1);
    assert_eq!(f.store.shorten_verdicts(f.now).await.expect("an update"), 0, "what stands rightly stays");
    let gone = f.store.expire_verdicts(f.now + 10 * MINUTE).await.expect("expiry");
    assert_eq!(gone.iter().map(|t| t.to).collect::<Vec<_>>(), [Outcome::Unknown]);
    // And what is seen now counts, though it is older than what was seen then.
    f.feed(&[region_tick(&website, "a", f.now + 11 * MINUTE, Outcome::Up)]).await;
    assert_eq!(f.verdict(&website).await, Outcome::Up);
    assert!(!f.store.has_future_slots(f.now + 11 * MINUTE).await.expect("a read"));
}

async fn what_nobody_looked_at_yet_is_known_and_runs_out(f: Fixture) {
    let account = f.account("ann").await.account_id;
    let (one, two) = (f.website(account).await, f.website(account).await);
    f.feed(&[region_tick(&one, "a", f.now - 59 * MINUTE, Outcome::Up)]).await;
    assert_eq!(f.store.unlooked_websites().await.expect("a read"), [two.website_id]);
    assert_eq!(f.store.expire_verdicts(f.now - 59 * MINUTE).await.expect("expiry"), [], "its first look may come yet");
    assert_eq!(f.store.expire_verdicts(f.now - 58 * MINUTE).await.expect("expiry"), [], "unknown it was already");
    let row = f.store.board_row(account, two.website_id, f.now).await.expect("the board").expect("the website");
    assert!(row.state.reason.contains("see that a probe runs"), "{}", row.state.reason);
    assert_eq!(row.state.fresh_until_at, None);
}

async fn a_paused_website_has_no_verdict(f: Fixture) {
    let website = f.website(f.account("ann").await.account_id).await;
    f.feed(&round(&website, f.now - 3 * MINUTE, [("a", Outcome::Up), ("b", Outcome::Up), ("c", Outcome::Up)])).await;
    let (account, id) = (website.account_id, website.website_id);
    let paused = f.store.set_paused(account, id, true, f.now - 2 * MINUTE).await.expect("pause").expect("the website");
    assert!(paused.paused && paused.revision == 2);
    f.store.set_paused(account, id, true, f.now - 2 * MINUTE + 1).await.expect("twice is harmless");
    f.feed(&round(&website, f.now - MINUTE, [("a", Outcome::Down), ("b", Outcome::Down), ("c", Outcome::Down)])).await;
    assert_eq!(f.verdict(&website).await, Outcome::Unknown);
    assert_eq!(f.changes(&website).await.last(), Some(&(f.now - 2 * MINUTE, Outcome::Up, Outcome::Unknown)));
    assert_eq!(f.store.scheduled_website(id).await.expect("a read"), None);
    f.store.set_paused(account, id, false, f.now).await.expect("resume");
    assert!(f.store.scheduled_website(id).await.expect("a read").is_some());
    assert_eq!(f.changes(&website).await.len(), 2);
}

async fn an_edit_forgets_what_was_known_and_ignores_what_is_on_its_way(f: Fixture) {
    let website = f.website(f.account("ann").await.account_id).await;
    f.feed(&round(&website, f.now - 3 * MINUTE, [("a", Outcome::Up), ("b", Outcome::Up), ("c", Outcome::Up)])).await;
    let settings = WebsiteSettings { url: "https://example.org/".into(), ..website.settings.clone() };
    let (account, id) = (website.account_id, website.website_id);
    let edited = saved(f.store.edit_website(account, id, 1, &settings, f.now - 2 * MINUTE).await);
    assert_eq!((edited.settings.url.as_str(), edited.revision), (settings.url.as_str(), 2));
    let late = f.store.edit_website(account, id, 1, &website.settings, f.now).await.expect("an answer");
    assert_eq!(late, Some(Edited::Meanwhile(edited)), "what somebody else saved first is not lost");
    let mut late =
        round(&website, f.now - 2 * MINUTE - 1, [("a", Outcome::Down), ("b", Outcome::Down), ("c", Outcome::Down)]);
    late.iter_mut().for_each(|t| t.received_at = f.now - MINUTE);
    f.feed(&late).await;
    assert_eq!(f.verdict(&website).await, Outcome::Unknown);
    f.feed(&round(&website, f.now - MINUTE, [("a", Outcome::Up), ("b", Outcome::Up), ("c", Outcome::Up)])).await;
    assert_eq!(f.verdict(&website).await, Outcome::Up);
}

async fn ticks_nobody_asked_for_are_put_aside(f: Fixture) {
    let account = f.account("ann").await.account_id;
    let regions = vec!["a".parse().expect("a region")];
    let settings = WebsiteSettings { regions, ..WebsiteSettings::new("https://example.com/".into()) };
    let website = f.store.add_website(account, &settings, f.now - MINUTE).await.expect("a website");
    let batch = [
        region_tick(&website, "b", f.now, Outcome::Down),
        region_tick(&website, "a", f.now + 60 * MINUTE, Outcome::Down),
    ];
    for _ in 0..2 {
        let done = f.store.ingest(&batch, f.now).await.expect("ingest");
        assert_eq!((done.new, done.orphaned), (0, 2));
    }
    assert_eq!(f.count("select count(*) from dead_letter where reason like 'not_assigned%'").await, 1);
    assert_eq!(f.count("select count(*) from dead_letter where reason like 'slot_in_future%'").await, 1);
}

async fn ticks_of_a_deleted_website_are_dropped_and_counted(f: Fixture) {
    let website = f.website(f.account("ann").await.account_id).await;
    f.feed(&[region_tick(&website, "a", f.now - 2 * MINUTE, Outcome::Up)]).await;
    assert!(f.store.delete_website(website.account_id, website.website_id).await.expect("delete"));
    let done = f.store.ingest(&[region_tick(&website, "a", f.now - MINUTE, Outcome::Up)], f.now).await.expect("ingest");
    assert_eq!((done.new, done.orphaned), (0, 1));
    assert_eq!(f.store.ticks(website.account_id, website.website_id, None, 10).await.expect("ticks"), []);
    let left = "select (select count(*) from region_state) + (select count(*) from website_state) + \
                (select count(*) from transition)";
    assert_eq!(f.count(left).await, 0);
}

async fn hubs_that_ingest_at_once_count_each_tick_once(f: Fixture) {
    let account = f.account("ann").await.account_id;
    let (one, two) = (f.website(account).await, f.website(account).await);
    let batch: Vec<_> = (1..=10)
        .flat_map(|n| {
            [
                region_tick(&one, "a", f.now - n * MINUTE, Outcome::Up),
                region_tick(&two, "a", f.now - n * MINUTE, Outcome::Up),
            ]
        })
        .collect();
    let hubs: Vec<_> = (0..6)
        .map(|n| {
            let (store, mut batch, now) = (f.store.clone(), batch.clone(), f.now);
            batch.rotate_left(n);
            tokio::spawn(async move { store.ingest(&batch, now).await })
        })
        .collect();
    let mut new = 0;
    for hub in hubs {
        new += hub.await.expect("a task").expect("ingest").new;
    }
    assert_eq!((new, f.changes(&one).await.len(), f.changes(&two).await.len()), (20, 1, 1));
}

async fn heartbeats_make_regions(f: Fixture) {
    let beat = |sent_at: UtcMs, checks| Heartbeat {
        version: "0.1.0".into(),
        started_at: 0,
        sent_at,
        concurrency: 50,
        in_flight: 0,
        checks,
        expired: 0,
        refused: 0,
        buffered: 0,
        dropped: 0,
        lost: 0,
        network: if checks == 1 { NetworkState::Works } else { NetworkState::CutOff },
        excused: checks,
        stopping: false,
        ..Heartbeat::default()
    };
    let of = |worker: &str, beat, at| ("INDIA".parse().expect("a region"), worker.parse().expect("a worker"), beat, at);
    let nul = Heartbeat { version: "0.1\0.0".into(), ..beat(1_000, 3) };
    let beats = [of("pi-1", beat(900, 1), 1_000), of("pi-1", beat(2_250, u64::MAX), 2_000), of("pi-0", nul, 1_000)];
    f.store.record_heartbeats(&beats, 2_500).await.expect("heartbeats, whatever their version says");
    let regions = f.store.regions().await.expect("regions");
    let seen: Vec<_> =
        regions[0].workers.iter().map(|w| (w.worker_id.as_str(), w.seen_at, w.clock_offset_ms)).collect();
    assert_eq!((regions.len(), seen), (1, vec![("pi-0", 2_500, 0), ("pi-1", 2_500, 250)]));
    let told: Vec<_> = regions[0].workers.iter().map(|w| (w.network, w.excused)).collect();
    assert_eq!(told, [(NetworkState::CutOff, 3), (NetworkState::CutOff, i64::MAX as u64)]);
}

async fn the_scheduler_walks_over_all_that_is_not_paused(f: Fixture) {
    let account = f.account("ann").await.account_id;
    let mut wanted = Vec::new();
    for n in 0..7 {
        let website = f.website(account).await;
        if n == 3 {
            f.store.set_paused(account, website.website_id, true, f.now).await.expect("pause");
        } else {
            wanted.push(website.website_id);
        }
    }
    let (mut seen, mut after): (Vec<WebsiteId>, _) = (Vec::new(), None);
    loop {
        let page = f.store.scheduled_websites(after, 2).await.expect("a page");
        let Some(last) = page.last() else { break };
        after = Some(last.website_id);
        seen.extend(page.iter().map(|w| w.website_id));
    }
    wanted.sort();
    assert_eq!(seen, wanted);
}

async fn the_board_covers_a_day_exactly(f: Fixture) {
    let account = f.account("ann").await.account_id;
    let settings = WebsiteSettings::new("https://example.com/".into());
    let day = 24 * 60 * MINUTE;
    let website = f.store.add_website(account, &settings, f.now - 2 * day).await.expect("a website");
    // Long before the window, then within it.
    f.feed(&round(&website, f.now - day - 60 * MINUTE, [("a", Outcome::Up), ("b", Outcome::Up), ("c", Outcome::Up)]))
        .await;
    f.store.expire_verdicts(f.now - 60 * MINUTE).await.expect("expiry");
    let uptime = f.store.board(account, f.now).await.expect("board")[0].uptime_24h;
    assert_eq!(uptime.up_ms + uptime.degraded_ms + uptime.down_ms + uptime.unknown_ms, day);
    assert_eq!((uptime.ratio(), uptime.unknown_ms), (None, day));
}

async fn a_dead_letter_is_kept_once(f: Fixture) {
    for _ in 0..3 {
        f.store.dead_letter("betteruptime:tick:a:w1", "not\0json", b"\0\xff", f.now).await.expect("a dead letter");
    }
    f.store.dead_letter("betteruptime:tick:a:w1", "another", b"{", f.now).await.expect("a dead letter");
    assert_eq!(f.count("select count(*) from dead_letter").await, 2);
}

async fn dead_letters_are_kept_for_a_while_and_not_without_number(f: Fixture) {
    const DAY: i64 = 24 * 60 * MINUTE;
    for (stream, at) in [("a", f.now - 31 * DAY), ("a", f.now - 29 * DAY), ("b", f.now - 31 * DAY), ("c", f.now)] {
        f.store.dead_letter(stream, "old", at.to_string().as_bytes(), at).await.expect("a dead letter");
    }
    assert_eq!(f.store.trim_dead_letters(f.now).await.expect("a trim"), 2);
    assert_eq!(f.count("select count(*) from dead_letter").await, 2);
    // 17,000 more of one stream, each a millisecond younger than the one before.
    f.execute(match &f.url {
        Some(_) => {
            "insert into dead_letter select gen_random_uuid(), 'a', 'r', ''::bytea, \
             (extract(epoch from now()) * 1000)::bigint - 3600000 + n from generate_series(1, 17000) n"
        }
        None => {
            "with recursive s (n) as (select 1 union all select n + 1 from s where n < 17000) \
             insert into dead_letter select randomblob(16), 'a', 'r', x'', \
             cast(strftime('%s', 'now') as integer) * 1000 - 3600000 + n from s"
        }
    })
    .await;
    let mut gone = Vec::new();
    for _ in 0..3 {
        gone.push(f.store.trim_dead_letters(f.now).await.expect("a trim"));
    }
    assert_eq!(gone, [5_000, 2_001, 0]);
    assert_eq!(f.count("select count(*) from dead_letter where stream = 'a'").await, 10_000);
    assert_eq!(f.count("select count(*) from dead_letter where stream = 'a' and reason = 'old'").await, 0);
    assert_eq!(f.count("select count(*) from dead_letter where stream = 'c'").await, 1);
}

#[tokio::test]
async fn a_second_hub_on_the_same_file_is_refused_in_words() {
    let f = Fixture::sqlite().await;
    let refused = Store::open_sqlite(f.directory.path()).await.map(|_| ()).map_err(|e| e.to_string());
    let text = refused.expect_err("the lock is held");
    assert!(text.contains("betteruptime.sqlite") && text.contains("stop it"), "{text}");
    f.store.close().await;
    drop(f.store);
    Store::open_sqlite(f.directory.path()).await.expect("free again");
}

#[tokio::test]
async fn a_tick_without_a_partition_is_stored_all_the_same() {
    let f = Fixture::postgres().await;
    f.store.ensure_partitions(f.now).await.expect("twice is harmless");
    let partitions = "select count(*) from pg_inherits where inhparent = 'tick'::regclass";
    assert_eq!(f.count(partitions).await, 10);
    let website = f.website(f.account("ann").await.account_id).await;
    f.feed(&[region_tick(&website, "a", f.now, Outcome::Up)]).await;
    assert_eq!(f.count("select count(*) from tick_default").await, 0);
    f.store.ingest(&[region_tick(&website, "a", 1_000, Outcome::Up)], f.now).await.expect("ingest");
    assert_eq!(f.count("select count(*) from tick_default").await, 1);
}

#[test]
fn the_board_never_reads_history() {
    let source = include_str!("../../src/store/board.rs");
    assert!(!source.contains("from tick") && !source.contains("join tick"));
}
