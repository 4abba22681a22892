//! Files, tables and statements.

use hub::model::Outcome;
use hub::store::Store;

use super::{Fixture, MINUTE, region_tick};

on_both! {
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
            f.store.maintenance(account).await.expect("windows");
            f.store.past_maintenance(account, 0, 10).await.expect("windows");
            f.store.ties(account).await.expect("ties");
            f.store.muted(account, id, f.now).await.expect("an answer");
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
                "alter table maintenance add column added text",
                "alter table maintenance_past add column added text",
            ] {
                f.execute(table).await;
            }
        }
    }
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
    let settled = hub::model::sealed::settled_before(f.now);
    assert_eq!(f.count(partitions).await, 9 + (hub::model::sealed::day_of(f.now) - settled) / 86_400_000);
    let website = f.website(f.account("ann").await.account_id).await;
    f.feed(&[region_tick(&website, "a", f.now, Outcome::Up)]).await;
    assert_eq!(f.count("select count(*) from tick_default").await, 0);
    f.store.ingest(&[region_tick(&website, "a", 1_000, Outcome::Up)], f.now).await.expect("ingest");
    assert_eq!(f.count("select count(*) from tick_default").await, 1);
}

#[test]
fn the_board_never_reads_history() {
    for source in [
        include_str!("../../../src/store/board.rs"),
        include_str!("../../../src/store/lines.rs"),
        include_str!("../../../src/store/story.rs"),
    ] {
        assert!(!source.contains("from tick") && !source.contains("join tick"));
    }
}
