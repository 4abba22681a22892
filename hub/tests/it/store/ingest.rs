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
