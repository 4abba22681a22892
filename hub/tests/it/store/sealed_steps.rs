//! What packing and reading of packed days costs: days that drain slowly, late ticks of many regions, walks over long times.

use hub::model::sealed::{DAY_MS, JOINS_AFTER_MS, day_of};
use hub::store::{SealPosition, TickWalk};

use super::sealed::{KEPT, RAW, all, filled, midday, rich_tick, seal};
use super::*;

on_both! {
    a_walk_unpacks_each_block_once_and_sees_what_joins_it
    a_backlog_that_drains_slowly_packs_its_day_again_every_few_minutes_only
    late_ticks_of_many_regions_join_in_several_steps
    ticks_that_come_again_in_one_batch_are_all_known
}

const BLOCKS: &str = "select count(*) from sealed_tick";
const FORMS: &str = "select count(distinct sealed_at) from sealed_tick";

async fn walked(f: &Fixture, walk: &mut TickWalk, page: i64) -> Vec<StoredTick> {
    let mut ticks = Vec::new();
    loop {
        let more = f.store.next_ticks(walk, page).await.expect("ticks");
        if more.is_empty() {
            return ticks;
        }
        ticks.extend(more);
    }
}

async fn a_walk_unpacks_each_block_once_and_sees_what_joins_it(f: Fixture) {
    let (website, _) = filled(&f).await;
    let now = midday(&f);
    seal(&f.store, KEPT, now).await;
    let (account, id) = (website.account_id, website.website_id);
    let every = all(&f.store, &website, 1_000).await;
    let blocks = f.count(BLOCKS).await.unsigned_abs();
    for page in [1_000, 7] {
        let mut walk = TickWalk::new(account, id, 0..=UtcMs::MAX);
        assert!(walked(&f, &mut walk, page).await == every, "pages of {page}");
        assert_eq!(walk.unpacked_blocks(), blocks, "pages of {page}");
    }
    let (from, to) = (every[20].tick.slot_at, every[every.len() - 20].tick.slot_at);
    let part: Vec<_> = every.iter().filter(|tick| (from..=to).contains(&tick.tick.slot_at)).cloned().collect();
    assert!(walked(&f, &mut TickWalk::new(account, id, from..=to), 50).await == part);
    let bob = f.account("bob").await.account_id;
    assert!(walked(&f, &mut TickWalk::new(bob, id, 0..=UtcMs::MAX), 50).await.is_empty(), "D24");

    // A late tick is raw when the walk begins, and in its block when the walk comes there.
    let late = rich_tick(&website, "a", day_of(now) - 3 * DAY_MS + 20 * 60 * MINUTE + 5, 4);
    f.store.ingest(std::slice::from_ref(&late), now).await.expect("ingest");
    let mut walk = TickWalk::new(account, id, 0..=UtcMs::MAX);
    let mut ticks = f.store.next_ticks(&mut walk, 10).await.expect("ticks");
    assert_eq!(seal(&f.store, KEPT, now + MINUTE).await.ticks, 1);
    ticks.extend(walked(&f, &mut walk, 10).await);
    assert!(ticks == all(&f.store, &website, 1_000).await && ticks.len() == every.len() + 1);
    assert_eq!(walk.unpacked_blocks(), blocks + 1, "the one it joined, again");
}

async fn a_backlog_that_drains_slowly_packs_its_day_again_every_few_minutes_only(f: Fixture) {
    let (website, fed) = filled(&f).await;
    let now = midday(&f);
    seal(&f.store, KEPT, now).await;
    assert_eq!(f.count(FORMS).await, 1);
    let raw = f.count(RAW).await;
    let day = day_of(now) - 2 * DAY_MS;
    // One a minute, as it comes.
    for n in 0..12 {
        let at = now + n * MINUTE;
        let mut late = rich_tick(&website, "a", day + n * MINUTE + 3, n);
        late.received_at = at;
        f.store.ingest(std::slice::from_ref(&late), at).await.expect("ingest");
        assert_eq!(seal(&f.store, KEPT, at).await.ticks, 0, "minute {n}");
        assert_eq!(all(&f.store, &website, 1_000).await.len(), fed.len() + usize::try_from(n).unwrap() + 1);
    }
    assert_eq!((f.count(RAW).await, f.count(FORMS).await), (raw + 12, 1));
    let looked = seal(&f.store, KEPT, now + JOINS_AFTER_MS).await;
    assert_eq!((looked.ticks, looked.blocks), (12, 1), "all of them at once");
    assert_eq!(all(&f.store, &website, 1_000).await.len(), fed.len() + 12);
    // The first count of a clock that was years ahead is none.
    let mut late = rich_tick(&website, "a", day + 4, 3);
    late.received_at = now + 1_000 * DAY_MS;
    f.store.ingest(&[late], now).await.expect("ingest");
    assert_eq!(seal(&f.store, KEPT, now).await.ticks, 1);
}

async fn late_ticks_of_many_regions_join_in_several_steps(f: Fixture) {
    if f.url.is_some() {
        return; // the same, with more
    }
    let website = f.website(f.account("ann").await.account_id).await;
    let now = midday(&f);
    let day = day_of(now) - DAY_MS;
    let regions: Vec<String> = (0..6).map(|n| format!("r{n}")).collect();
    for region in &regions {
        let ticks: Vec<_> = (0..1_440).map(|n| region_tick(&website, region, day + n * MINUTE, Outcome::Up)).collect();
        for batch in ticks.chunks(500) {
            f.store.ingest(batch, now).await.expect("ingest");
        }
    }
    seal(&f.store, KEPT, now).await;
    // Each region has two blocks, since a step takes 4,000; what comes late joins both.
    let late: Vec<_> = regions
        .iter()
        .flat_map(|region| [100, 700].map(|n| region_tick(&website, region, day + n * MINUTE + 1, Outcome::Up)))
        .collect();
    f.store.ingest(&late, now).await.expect("ingest");
    let step = f.store.seal_some(SealPosition::default(), day + DAY_MS, now).await.expect("a step");
    assert_eq!((step.ticks, step.blocks), (10, 10), "8,000 with what they join: five regions");
    let step = f.store.seal_some(step.next.expect("more"), day + DAY_MS, now).await.expect("a step");
    assert_eq!((step.ticks, step.blocks), (2, 2));
    assert_eq!(f.count(RAW).await, 0);
    assert_eq!(all(&f.store, &website, 1_000).await.len(), 6 * 1_442);
}

async fn ticks_that_come_again_in_one_batch_are_all_known(f: Fixture) {
    let (website, fed) = filled(&f).await;
    let now = midday(&f);
    seal(&f.store, KEPT, now).await;
    let (raw, day) = (f.count(RAW).await, day_of(now) - 2 * DAY_MS);
    let mut batch: Vec<_> = fed.iter().filter(|tick| day_of(tick.tick.slot_at) <= day).step_by(3).cloned().collect();
    let again = batch.len();
    batch.push(rich_tick(&website, "a", day + 11, 4));
    let done = f.store.ingest(&batch, now).await.expect("ingest");
    assert_eq!((done.known, done.new), (again, 1));
    assert_eq!(f.count(RAW).await, raw + 1);
}
