//! Websites whose owners want less history kept than the installation does.

use hub::history::seal::{Care, look};
use hub::model::Keeping;
use hub::model::retention::Retention;
use hub::model::sealed::{DAY_MS, day_of};
use tokio::sync::watch;

use super::sealed::{KEPT, PACKED, RAW, all, filled, midday, rich_tick, seal};
use super::*;

on_both! {
    a_website_that_keeps_less_loses_its_own_days_one_at_a_time_and_nobody_elses
    what_is_raw_past_a_websites_own_retention_goes_too
    what_is_not_counted_yet_stays
}

async fn keeps(f: &Fixture, website: &Website, days: u16) {
    let keeping = Keeping { retention_days: Some(days), ..Keeping::default() };
    assert!(f.store.set_keeping(website.account_id, website.website_id, &keeping).await.expect("saved"));
}

async fn a_website_that_keeps_less_loses_its_own_days_one_at_a_time_and_nobody_elses(f: Fixture) {
    let (website, fed) = filled(&f).await;
    let now = midday(&f);
    let other = f.website(website.account_id).await;
    let others: Vec<_> =
        (1..=30).map(|n| rich_tick(&other, "a", day_of(now) - 3 * DAY_MS + n * 60 * MINUTE, n)).collect();
    f.store.ingest(&others, now).await.expect("ingest");
    seal(&f.store, KEPT, now).await;
    let transitions = f.changes(&website).await;

    keeps(&f, &website, 1).await;
    let (_stop, mut stopping) = watch::channel(false);
    let mut care = Care::new(KEPT);
    let looked = look(&f.store, &mut care, now, &mut stopping).await.expect("a look");
    assert_eq!(looked.forgotten, 2, "two regions' blocks of the first day");
    let looked = look(&f.store, &mut care, now, &mut stopping).await.expect("a look");
    assert_eq!(looked.forgotten, 0, "the next day waits");
    assert_eq!(seal(&f.store, KEPT, now).await.forgotten, 2, "those of the second");
    let kept_from = Retention { days: 1 }.kept_from(now);
    let kept = fed.iter().filter(|tick| tick.tick.slot_at >= kept_from).count();
    let left = all(&f.store, &website, 1_000).await;
    assert_eq!(left.len(), kept);
    assert!(kept < fed.len() / 2 && left.iter().all(|tick| tick.tick.slot_at >= kept_from));
    assert_eq!(all(&f.store, &other, 1_000).await.len(), others.len(), "nobody else's");
    assert_eq!(f.changes(&website).await, transitions);

    // What the installation keeps is the most.
    keeps(&f, &other, 3_000).await;
    assert_eq!(seal(&f.store, KEPT, now).await.forgotten, 0);
    assert_eq!(seal(&f.store, Retention { days: 2 }, now).await.forgotten, 1);
    assert!(all(&f.store, &other, 1_000).await.len() < others.len());
    assert_eq!(all(&f.store, &website, 1_000).await.len(), kept);
}

async fn what_is_raw_past_a_websites_own_retention_goes_too(f: Fixture) {
    let (website, _) = filled(&f).await;
    let now = midday(&f);
    let other = f.website(website.account_id).await;
    let first_day = day_of(now) - 3 * DAY_MS;
    f.store.ingest(&[rich_tick(&other, "a", first_day + 60 * MINUTE, 3)], now).await.expect("ingest");
    seal(&f.store, KEPT, now).await;
    // Late ticks of a day with a damaged block stay raw.
    f.execute("update sealed_tick set damaged_at = 1, damage = 'x'").await;
    let late = |website: &Website| rich_tick(website, "a", first_day + 61 * MINUTE, 4);
    f.store.ingest(&[late(&website), late(&other)], now).await.expect("ingest");
    seal(&f.store, KEPT, now).await;
    let (raw, packed) = (f.count(RAW).await, f.count(PACKED).await);
    keeps(&f, &website, 2).await;
    seal(&f.store, KEPT, now).await;
    assert_eq!(f.count(RAW).await, raw - 1);
    assert!(f.count(PACKED).await < packed, "damaged ones go with their time");
    assert_eq!(all(&f.store, &other, 10).await.len(), 1, "what came late is shown, the damaged block is not");
}

/// After days without a hub, what they are counted from is there until they are.
async fn what_is_not_counted_yet_stays(f: Fixture) {
    let (website, fed) = filled(&f).await;
    let now = midday(&f);
    seal(&f.store, KEPT, now).await;
    f.store.roll_up_some(now, 1).await.expect("a batch");
    keeps(&f, &website, 1).await;
    f.execute("update roll_up_progress set hours_at = hours_at - 864000000").await;
    assert_eq!(seal(&f.store, KEPT, now).await.forgotten, 0);
    assert_eq!(all(&f.store, &website, 1_000).await.len(), fed.len());
    f.execute("update roll_up_progress set hours_at = hours_at + 864000000").await;
    assert!(seal(&f.store, KEPT, now).await.forgotten > 0);
}
