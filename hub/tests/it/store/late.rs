//! Ticks whose instants do not fit when they came.

use hub::model::{Outcome, StoredTick, UtcMs, Website};

use super::{Fixture, MINUTE, region_tick, round};

on_both! {
    a_late_tick_is_kept_and_does_not_move_the_state_back
    t187_what_a_worker_kept_back_is_history_and_has_no_vote
    t187_late_ticks_change_no_closed_verdict
    t206_a_tick_from_the_future_began_when_it_came
}

/// Received at `at`, long after its slot.
fn kept_back(website: &Website, region: &str, slot_at: UtcMs, outcome: Outcome, at: UtcMs) -> StoredTick {
    StoredTick { received_at: at, ..region_tick(website, region, slot_at, outcome) }
}

async fn a_late_tick_is_kept_and_does_not_move_the_state_back(f: Fixture) {
    let website = f.website(f.account("ann").await.account_id).await;
    f.feed(&[region_tick(&website, "a", f.now - MINUTE, Outcome::Up)]).await;
    let late = kept_back(&website, "a", f.now - 5 * MINUTE, Outcome::Down, f.now);
    let done = f.store.ingest(&[late], f.now).await.expect("ingest");
    assert_eq!((done.new, done.late, done.transitions.len(), done.confirm.len()), (1, 1, 0, 0));
    let row = f.store.board_row(website.account_id, website.website_id, f.now).await.expect("board").expect("row");
    assert_eq!((row.state.verdict, row.regions[0].slot_at), (Outcome::Up, f.now - MINUTE));
    assert_eq!(f.store.ticks(website.account_id, website.website_id, None, 10).await.expect("ticks").len(), 2);

    // When it comes after the verdict has run out, record and state agree that it has.
    let later = kept_back(&website, "a", f.now - 4 * MINUTE, Outcome::Down, f.now + 10 * MINUTE);
    let done = f.store.ingest(&[later], f.now + 10 * MINUTE).await.expect("ingest");
    assert_eq!((done.transitions.len(), f.verdict(&website).await), (1, Outcome::Unknown));
}

async fn t187_what_a_worker_kept_back_is_history_and_has_no_vote(f: Fixture) {
    let website = f.website(f.account("ann").await.account_id).await;
    let start = f.now - 30 * MINUTE;
    f.feed(&[region_tick(&website, "a", start, Outcome::Up)]).await;
    f.expire(f.now - 5 * MINUTE).await;
    // Cut off for half an hour in which the website failed each time; then all of it comes at once.
    let backlog: Vec<_> =
        (1..=29).map(|n| kept_back(&website, "a", start + n * MINUTE, Outcome::Down, f.now)).collect();
    let done = f.store.ingest(&backlog, f.now).await.expect("ingest");
    // The last ones came in time.
    assert_eq!((done.new, done.late), (29, 27));
    let (account, id) = (website.account_id, website.website_id);
    let late = |ticks: &[StoredTick]| ticks.iter().filter(|t| t.marks.late).count();
    assert_eq!(late(&f.store.ticks(account, id, None, 100).await.expect("ticks")), 27);
    let row = f.store.board_row(account, id, f.now).await.expect("board").expect("row");
    assert_eq!((row.regions[0].failing_streak, row.regions[0].failing_since_at), (2, Some(start + 28 * MINUTE)));
    // Two looks are no outage; nobody is asked about what is past.
    assert_eq!(f.verdict(&website).await, Outcome::Unknown);
    assert_eq!(f.changes(&website).await.len(), 2);
    let again = f.store.ingest(&backlog, f.now).await.expect("ingest");
    assert_eq!((again.known, again.late), (29, 0));
}

async fn t187_late_ticks_change_no_closed_verdict(f: Fixture) {
    let website = f.website(f.account("ann").await.account_id).await;
    let start = f.now - 20 * MINUTE;
    for n in 0..20 {
        let o = if (5..8).contains(&n) { Outcome::Down } else { Outcome::Up };
        f.feed(&round(&website, start + n * MINUTE, [("a", o), ("b", o), ("c", Outcome::Up)])).await;
    }
    let (changes, board) = (f.changes(&website).await, f.store.board(website.account_id, f.now).await.expect("board"));
    // A fourth region saw it down before, during and after; it could not say so then.
    let backlog: Vec<_> = (0..15).map(|n| kept_back(&website, "d", start + n * MINUTE, Outcome::Down, f.now)).collect();
    let done = f.store.ingest(&backlog, f.now).await.expect("ingest");
    assert_eq!((done.new, done.late, done.transitions.len(), done.confirm.len()), (15, 15, 0, 0));
    assert_eq!(f.changes(&website).await, changes);
    assert_eq!(f.store.board(website.account_id, f.now).await.expect("board"), board);
}

async fn t206_a_tick_from_the_future_began_when_it_came(f: Fixture) {
    let website = f.website(f.account("ann").await.account_id).await;
    let mut ahead = region_tick(&website, "a", f.now - 2 * MINUTE, Outcome::Up);
    ahead.tick.started_at = f.now + 60 * MINUTE;
    let right = region_tick(&website, "a", f.now - MINUTE, Outcome::Up);
    f.feed(&[ahead.clone(), right.clone()]).await;
    let ticks = f.store.ticks(website.account_id, website.website_id, None, 10).await.expect("ticks");
    let seen: Vec<_> = ticks.iter().map(|t| (t.tick.started_at, t.marks.clamped, t.marks.late)).collect();
    assert_eq!(seen, [(right.tick.started_at, false, false), (ahead.received_at, true, false)]);
}
