//! Ticks in: once each, whatever the order; what is bad is put aside.

use std::net::SocketAddr;

use hub::model::{Delays, Note, Outcome, Website, WebsiteSettings};

use super::{Fixture, MINUTE, region_tick, round};

on_both! {
    a_repeated_batch_changes_nothing
    the_order_within_a_batch_does_not_matter
    a_backlog_leaves_the_same_record_as_ticks_taken_in_at_once
    a_tick_survives_the_table
    a_bad_tick_is_put_aside_alone
    t162_one_bad_tick_of_five_hundred_is_put_aside_within_a_second
    t155_the_same_tick_twice_in_one_batch_is_one
    ticks_nobody_asked_for_are_put_aside
    ticks_of_a_deleted_website_are_dropped_and_counted
    hubs_that_ingest_at_once_count_each_tick_once
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
    tick.tick.answer = Some("<title>502 Bad Gateway</title> \u{fc}".into());
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

/// A rule that a tick of 666 bytes breaks.
async fn forbid_666(f: &Fixture) {
    f.execute(match &f.url {
        Some(_) => "alter table tick add check (body_bytes <> 666)",
        None => {
            "create trigger rule before insert on tick when new.body_bytes = 666 begin select raise(abort, 'rule'); end"
        }
    })
    .await;
}

async fn t162_one_bad_tick_of_five_hundred_is_put_aside_within_a_second(f: Fixture) {
    let account = f.account("ann").await.account_id;
    let mut batch = Vec::new();
    for _ in 0..20 {
        let website = f.website(account).await;
        batch.extend((0..25).map(|n| region_tick(&website, "a", f.now - n * MINUTE, Outcome::Up)));
    }
    forbid_666(&f).await;
    batch[321].tick.body_bytes = 666;
    let started = std::time::Instant::now();
    let done = f.store.ingest(&batch, f.now).await.expect("ingest");
    let took = started.elapsed();
    assert_eq!((done.new, f.count("select count(*) from dead_letter").await), (499, 1));
    assert_eq!(f.count("select count(*) from tick").await, 499);
    // A second where nothing else runs; tests share the machine.
    assert!(took < std::time::Duration::from_secs(5), "{took:?}");
}

async fn t155_the_same_tick_twice_in_one_batch_is_one(f: Fixture) {
    let website = f.website(f.account("ann").await.account_id).await;
    let tick = region_tick(&website, "a", f.now, Outcome::Up);
    let done = f.store.ingest(&[tick.clone(), tick.clone(), tick], f.now).await.expect("ingest");
    assert_eq!((done.new, done.known, f.count("select count(*) from tick").await), (1, 2, 1));
}

async fn a_bad_tick_is_put_aside_alone(f: Fixture) {
    let website = f.website(f.account("ann").await.account_id).await;
    let mut batch: Vec<_> = (1..=9).map(|n| region_tick(&website, "a", f.now - n * MINUTE, Outcome::Up)).collect();
    forbid_666(&f).await;
    batch[4].tick.body_bytes = 666;
    let done = f.store.ingest(&batch, f.now).await.expect("ingest");
    assert_eq!((done.new, f.count("select count(*) from dead_letter").await), (8, 1));
    assert_eq!(f.verdict(&website).await, Outcome::Up);
    let again = f.store.ingest(&batch, f.now).await.expect("ingest");
    assert_eq!((again.known, f.count("select count(*) from dead_letter").await), (8, 1));
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
    // T149: what no hub asked that region for.
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

/// Somebody else's transaction, which has changed a website.
async fn holder(f: &Fixture, website: &Website) -> sqlx::Transaction<'static, sqlx::Postgres> {
    let pool = sqlx::PgPool::connect(f.url.as_deref().expect("Postgres")).await.expect("Postgres");
    let mut tx = pool.begin().await.expect("a transaction");
    sqlx::query("set local deadlock_timeout = '30s'").execute(&mut *tx).await.expect("whoever ingests finds out first");
    touch(&mut tx, website).await;
    tx
}

async fn touch(tx: &mut sqlx::PgConnection, website: &Website) {
    let sql = "update website set revision = revision where website_id = $1";
    sqlx::query(sql).bind(website.website_id.0).execute(tx).await.expect("a lock");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t210_a_website_that_is_held_does_not_hold_up_others() {
    let f = Fixture::postgres().await;
    let account = f.account("ann").await.account_id;
    let (one, two) = (f.website(account).await, f.website(account).await);
    let batch = [region_tick(&one, "a", f.now, Outcome::Up), region_tick(&two, "a", f.now, Outcome::Up)];
    let held = holder(&f, &one).await;
    let done = f.store.ingest(&batch, f.now).await.expect("ingest");
    assert_eq!((done.new, done.orphaned, done.busy.iter().collect::<Vec<_>>()), (1, 0, vec![&one.website_id]));
    let started = std::time::Instant::now();
    let done = f.store.ingest_read(&batch, f.now, i64::MAX, false).await.expect("ingest");
    assert_eq!((done.known, done.busy.len()), (1, 1));
    assert!(started.elapsed() < std::time::Duration::from_secs(2), "it did not wait");
    held.rollback().await.expect("an end");
    let done = f.store.ingest_read(&batch, f.now, i64::MAX, false).await.expect("ingest");
    assert_eq!((done.new, done.known, done.busy.len()), (1, 1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t211_a_deadlock_is_tried_again() {
    let f = Fixture::postgres().await;
    let account = f.account("ann").await.account_id;
    let (one, two) = (f.website(account).await, f.website(account).await);
    let batch = [region_tick(&one, "a", f.now, Outcome::Up), region_tick(&two, "a", f.now, Outcome::Up)];
    let mut held = holder(&f, &two).await;
    let (store, now) = (f.store.clone(), f.now);
    let ingest = tokio::spawn(async move { store.ingest(&batch, now).await });
    let started = std::time::Instant::now();
    while f.count(super::WAITING).await == 0 {
        assert!(started.elapsed() < std::time::Duration::from_secs(10), "waited for ingest to wait");
    }
    touch(&mut held, &one).await;
    held.commit().await.expect("the one that goes on");
    let done = ingest.await.expect("a task").expect("ingest");
    assert_eq!((done.new, done.busy.len()), (2, 0));
}
