//! Ticks that come long after their slot.

use hub::model::Outcome;

use super::{Fixture, MINUTE, region_tick};

on_both! {
    a_late_tick_is_kept_and_does_not_move_the_state_back
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
