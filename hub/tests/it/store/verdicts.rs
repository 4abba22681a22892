//! What the ticks make of a website, and when it runs out.

use std::collections::HashMap;

use hub::model::courtesy::HostKey;
use hub::model::shares::Shares;
use hub::model::{Outcome, StoredTick, WebsiteSettings};
use hub::store::Expired;

use super::{Fixture, MINUTE, region_tick, round};

on_both! {
    an_outage_is_recorded_from_its_first_failing_tick_to_its_first_good_one
    a_single_region_needs_three_looks
    a_time_of_blindness_stays_in_the_record
    a_verdict_runs_out_when_its_last_tick_does_though_that_is_rarely_written
    a_clock_that_was_ahead_leaves_no_verdict_standing
    a_clock_that_was_ahead_is_healed_for_more_websites_than_one_statement_takes
    what_nobody_looked_at_yet_is_known_and_runs_out
    the_board_covers_a_day_exactly
    what_is_down_for_long_is_known_until_somebody_sees_it_well
    on_a_crowded_host_a_verdict_stands_as_long_as_its_looks_are_apart
    words_of_a_newer_version_cost_nobody_else_a_verdict
    more_than_one_batch_of_what_is_not_understood_stands_before_nobody
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
    assert_eq!(f.expire(start + 2 * MINUTE).await, []);
    let gone = f.expire(f.now - 20 * MINUTE).await;
    let stale_at = start + MINUTE + 1_000 + 2 * MINUTE + 10_000 + 15_000;
    assert_eq!(gone.iter().map(|t| (t.at, t.to)).collect::<Vec<_>>(), [(stale_at, Outcome::Unknown)]);
    assert_eq!(f.expire(f.now - 20 * MINUTE).await, []);
    f.feed(&[region_tick(&website, "a", f.now - 10 * MINUTE, Outcome::Up)]).await;
    assert_eq!(f.changes(&website).await.last(), Some(&(f.now - 10 * MINUTE, Outcome::Unknown, Outcome::Up)));
}

async fn a_clock_that_was_ahead_leaves_no_verdict_standing(f: Fixture) {
    let website = f.website(f.account("ann").await.account_id).await;
    // The clock is three hours ahead for one look, and is then set right.
    f.feed(&[region_tick(&website, "a", f.now + 180 * MINUTE, Outcome::Up)]).await;
    assert!(f.store.has_future_slots(f.now).await.expect("a read"));
    assert_eq!(f.expire(f.now + 10 * MINUTE).await, []);
    assert_eq!(f.store.shorten_verdicts(f.now).await.expect("an update"), 1);
    assert_eq!(f.store.shorten_verdicts(f.now).await.expect("an update"), 0, "what stands rightly stays");
    let gone = f.expire(f.now + 10 * MINUTE).await;
    assert_eq!(gone.iter().map(|t| t.to).collect::<Vec<_>>(), [Outcome::Unknown]);
    // And what is seen now counts, though it is older than what was seen then.
    f.feed(&[region_tick(&website, "a", f.now + 11 * MINUTE, Outcome::Up)]).await;
    assert_eq!(f.verdict(&website).await, Outcome::Up);
    assert!(!f.store.has_future_slots(f.now + 11 * MINUTE).await.expect("a read"));
}

async fn a_clock_that_was_ahead_is_healed_for_more_websites_than_one_statement_takes(f: Fixture) {
    f.account("ann").await;
    f.execute(match &f.url {
        Some(_) => {
            "insert into website (website_id, account_id, url, interval_ms, timeout_ms, created_at) \
             select gen_random_uuid(), account_id, 'http://a.example/', 60000, 10000, 0 \
             from account, generate_series(1, 25000)"
        }
        None => {
            "insert into website (website_id, account_id, url, interval_ms, timeout_ms, created_at) \
             with recursive series(n) as (select 1 union all select n + 1 from series where n < 25000) \
             select randomblob(16), account_id, 'http://a.example/', 60000, 10000, 0 from account, series"
        }
    })
    .await;
    f.execute(
        "insert into website_state (website_id, verdict, since_at, reason, fresh_until_at) \
         select website_id, 'up', 0, '', 9000000000000 from website",
    )
    .await;
    assert_eq!(f.store.shorten_verdicts(f.now).await.expect("an update"), 25_000);
    assert_eq!(f.count("select count(*) from website_state where fresh_until_at >= 9000000000000").await, 0);
}

async fn what_nobody_looked_at_yet_is_known_and_runs_out(f: Fixture) {
    let account = f.account("ann").await.account_id;
    let (one, two) = (f.website(account).await, f.website(account).await);
    f.feed(&[region_tick(&one, "a", f.now - 59 * MINUTE, Outcome::Up)]).await;
    assert_eq!(f.store.unlooked_websites().await.expect("a read"), [two.website_id]);
    let nothing = Expired::default();
    let expired = f.store.expire_verdicts(f.now - 59 * MINUTE).await.expect("expiry");
    assert_eq!(expired, nothing, "its first look may come yet");
    let expired = f.store.expire_verdicts(f.now - 58 * MINUTE).await.expect("expiry");
    assert_eq!(expired.transitions, [], "unknown it was already");
    assert_eq!(expired.unlooked, [two.website_id], "whoever was to look may be gone");
    assert_eq!(f.store.expire_verdicts(f.now - 57 * MINUTE).await.expect("expiry"), nothing, "told once");
    let row = f.store.board_row(account, two.website_id, f.now).await.expect("the board").expect("the website");
    assert!(row.state.reason.contains("See that a probe runs"), "{}", row.state.reason);
    assert_eq!(row.state.fresh_until_at, None);
}

async fn the_board_covers_a_day_exactly(f: Fixture) {
    let account = f.account("ann").await.account_id;
    let settings = WebsiteSettings::new("https://example.com/".into());
    let day = 24 * 60 * MINUTE;
    let website = f.store.add_website(account, &settings, f.now - 2 * day).await.expect("a website");
    // Long before the window, then within it.
    f.feed(&round(&website, f.now - day - 60 * MINUTE, [("a", Outcome::Up), ("b", Outcome::Up), ("c", Outcome::Up)]))
        .await;
    f.expire(f.now - 60 * MINUTE).await;
    let uptime = f.store.board(account, f.now).await.expect("board")[0].uptime_24h;
    assert_eq!(uptime.up_ms + uptime.degraded_ms + uptime.down_ms + uptime.unknown_ms, day);
    assert_eq!((uptime.ratio(), uptime.unknown_ms), (None, day));
}

async fn a_verdict_runs_out_when_its_last_tick_does_though_that_is_rarely_written(f: Fixture) {
    let website = f.website(f.account("ann").await.account_id).await;
    let start = f.now - 40 * MINUTE;
    let stale_ms = 2 * MINUTE + 10_000 + 15_000;
    let mut written = std::collections::BTreeSet::new();
    let until = "select fresh_until_at from website_state";
    for n in 0..10 {
        let outcomes = [("a", Outcome::Up), ("b", Outcome::Up), ("c", Outcome::Up)];
        f.feed(&round(&website, start + n * MINUTE, outcomes)).await;
        let stored = f.count(until).await;
        let truth = start + n * MINUTE + 1_000 + stale_ms;
        assert!((truth - stale_ms / 2..=truth).contains(&stored), "{stored} of {truth}");
        written.insert(stored);
    }
    assert!(written.len() <= 6, "of thirty ticks: {written:?}");
    let (stored, truth) = (f.count(until).await, start + 9 * MINUTE + 1_000 + stale_ms);
    assert!(stored < truth, "this test is about one that lags");
    assert_eq!(f.expire(stored + 1).await, []);
    assert_eq!((f.count(until).await, f.verdict(&website).await), (truth, Outcome::Up));
    assert_eq!(f.expire(truth).await, []);
    let gone = f.expire(truth + 5_000).await;
    assert_eq!(gone.iter().map(|t| (t.at, t.to)).collect::<Vec<_>>(), [(truth, Outcome::Unknown)]);
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

async fn on_a_crowded_host_a_verdict_stands_as_long_as_its_looks_are_apart(f: Fixture) {
    let website = f.website(f.account("ann").await.account_id).await;
    let shares = Shares::default();
    shares.tell(&HashMap::from([(HostKey::of(&website.settings.url), 0.1)]), f.now - 60 * MINUTE);
    let store = f.store.clone().paced_by(&shares);
    let start = f.now - 50 * MINUTE;
    for n in 0..4 {
        let slot_at = start + 10 * n * MINUTE;
        // Of the second one its worker could not tell for a while: that is not late by the pace here.
        let received_at = slot_at + if n == 1 { 5 * MINUTE } else { 1_000 };
        let tick = StoredTick { received_at, ..region_tick(&website, "a", slot_at, Outcome::Up) };
        let done = store.ingest(&[tick], received_at).await.expect("ingest");
        assert_eq!((done.new, done.late), (1, 0));
        assert_eq!(store.expire_verdicts(slot_at + 9 * MINUTE).await.expect("expiry").transitions, []);
    }
    assert_eq!(f.changes(&website).await, [(start, Outcome::Unknown, Outcome::Up)]);
    let stale_at = start + 30 * MINUTE + 1_000 + 20 * MINUTE + 25_000;
    assert_eq!(store.expire_verdicts(stale_at).await.expect("expiry").transitions, []);
    let gone = store.expire_verdicts(stale_at + 1).await.expect("expiry").transitions;
    assert_eq!(gone.iter().map(|t| (t.at, t.to)).collect::<Vec<_>>(), [(stale_at, Outcome::Unknown)]);
}

async fn words_of_a_newer_version_cost_nobody_else_a_verdict(f: Fixture) {
    let account = f.account("ann").await.account_id;
    let (newer, odd, plain) = (f.website(account).await, f.website(account).await, f.website(account).await);
    let start = f.now - 20 * MINUTE;
    for website in [&newer, &odd, &plain] {
        f.feed(&[region_tick(website, "a", start, Outcome::Up)]).await;
    }
    // The oldest has a verdict, the second a failure of a kind that is not known here.
    f.execute(
        "update website_state set verdict = 'maintenance' \
         where website_id = (select website_id from website order by website_id limit 1); \
         update region_state set outcome = 'down', class = 'quic_timeout', phase = 'quic', blame = 'moon', detail = '' \
         where website_id = (select website_id from website order by website_id limit 1 offset 1)",
    )
    .await;
    let batch = [&newer, &odd, &plain].map(|website| region_tick(website, "a", start + MINUTE, Outcome::Up));
    let done = f.store.ingest(&batch, start + MINUTE).await.expect("ingest");
    assert_eq!((done.new, done.orphaned), (2, 1));
    assert_eq!(f.count("select count(*) from dead_letter where reason like 'not_storable: %newer version%'").await, 1);
    let gone = f.expire(f.now).await;
    let mut ids: Vec<_> = gone.iter().map(|t| t.website_id).collect();
    ids.sort_unstable();
    assert_eq!(ids, [odd.website_id, plain.website_id]);
    assert_eq!(f.count("select count(*) from website_state where verdict = 'maintenance'").await, 1, "left alone");
    assert_eq!(f.expire(f.now).await, []);
    assert_eq!(f.store.board(account, f.now).await.expect("a board").len(), 3, "and it can be looked at");
}

async fn more_than_one_batch_of_what_is_not_understood_stands_before_nobody(f: Fixture) {
    let account = f.account("ann").await.account_id;
    for _ in 0..501 {
        f.website(account).await;
    }
    f.execute("update website_state set verdict = 'maintenance', fresh_until_at = 1").await;
    let plain = f.website(account).await;
    f.feed(&[region_tick(&plain, "a", f.now - 20 * MINUTE, Outcome::Up)]).await;
    let gone = f.expire(f.now).await;
    assert_eq!(gone.iter().map(|t| t.website_id).collect::<Vec<_>>(), [plain.website_id]);
}
