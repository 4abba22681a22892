//! Days that have passed, packed: the same history, whoever reads it, whatever comes again or late.

use hub::history::seal::{Care, Looked, look};
use hub::model::retention::Retention;
use hub::model::sealed::{DAY_MS, day_of};
use hub::model::{Certificate, Note};
use tokio::sync::watch;

use super::*;

on_both! {
    sealed_history_reads_as_it_did_before
    a_tick_that_comes_again_after_its_day_was_sealed_is_known
    a_late_tick_is_read_at_once_and_joins_its_day
    a_damaged_block_is_told_kept_and_never_shown
    what_is_past_retention_goes_and_what_follows_from_it_stays
    nothing_is_packed_that_would_lose_a_column
    two_that_seal_at_once_do_it_once
    the_view_tells_people_what_there_is
    a_file_gives_room_back
}

pub(super) const KEPT: Retention = Retention { days: 400 };
const STEP: i64 = 20 * MINUTE;

async fn a_file_gives_room_back(f: Fixture) {
    if f.url.is_some() {
        return; // a day that is dropped does
    }
    f.execute("create table much as select zeroblob(20000000) as bytes").await;
    f.execute("drop table much").await;
    let pages = "select page_count from pragma_page_count";
    let before = f.count(pages).await;
    while f.store.give_room_back().await.expect("room") {}
    let after = f.count(pages).await;
    assert!(before > 4_800 && after < before - 3_500, "{before} {after}");
}

/// Looks until nothing is left to do. What is past retention goes a day at a time, and a hub that has just started begins.
pub async fn seal(store: &Store, retention: Retention, now: UtcMs) -> Looked {
    let (_stop, mut stopping) = watch::channel(false);
    let mut all = Looked::default();
    loop {
        let done = look(store, &mut Care::new(retention), now, &mut stopping).await.expect("a look");
        all.left = done.left;
        if (Looked { left: 0, ..done }) == Looked::default() {
            return all;
        }
        all.ticks += done.ticks;
        all.blocks += done.blocks;
        all.bytes += done.bytes;
        all.forgotten += done.forgotten;
        all.days += done.days;
    }
}

/// Some minutes after midday, so that yesterday has settled.
pub(super) fn midday(f: &Fixture) -> UtcMs {
    day_of(f.now) + DAY_MS / 2 + 7 * MINUTE
}

/// A tick with all that a tick can have, different ones of it by `n`.
pub(super) fn rich_tick(website: &Website, region: &str, slot_at: UtcMs, n: i64) -> StoredTick {
    let outcome = match n % 11 {
        0 => Outcome::Down,
        1 => Outcome::Degraded,
        2 => Outcome::Unknown,
        _ => Outcome::Up,
    };
    let mut tick = region_tick(website, region, slot_at, outcome);
    let us = |most: i64| u32::try_from(n.wrapping_mul(7_919).rem_euclid(most)).unwrap();
    let inner = &mut tick.tick;
    inner.phases = Phases {
        dns_us: (n % 5 != 0).then(|| us(4_000)),
        connect_us: Some(us(90_000)),
        tls_us: (n % 3 != 0).then(|| us(100_000)),
        send_us: Some(us(60)),
        wait_us: (n % 11 != 0).then(|| us(5_000_000)),
        receive_us: (n % 11 != 0).then(|| us(900)),
    };
    inner.total_us = inner.phases.sum_us();
    inner.started_at = slot_at + n % 9;
    inner.remote = (n % 7 != 0).then(|| format!("203.0.113.{}:443", n % 4).parse().unwrap());
    inner.body_bytes = us(70_000);
    inner.truncated = n % 13 == 0;
    inner.answer = (n % 11 == 0).then(|| format!("<title>Gateway {} ünavailable</title>", n % 3));
    inner.notes = if n % 6 == 0 { vec![Note::TlsUnverified, Note::RedirectDowngrade] } else { Vec::new() };
    inner.certificate = (n % 3 != 0).then(|| Certificate {
        not_after_at: slot_at / DAY_MS * DAY_MS + 40 * DAY_MS,
        issuer: "R11".to_owned(),
        subject: "www.example.com".to_owned(),
        tls_version: (n % 4 != 0).then(|| "TLSv1.3".to_owned()),
        ..Certificate::default()
    });
    inner.delays = Delays {
        publish_ms: (n % 4 != 0).then(|| us(5)),
        queue_ms: Some(us(3)),
        thread_us: Some(us(300)),
        report_us: (n % 10 != 0).then(|| us(800)),
    };
    tick.received_at = slot_at + 40 + n % 1_000 + if n % 50 == 0 { 700_000 } else { 0 };
    tick.worker_id = format!("w{}", n % 2).parse().unwrap();
    tick
}

/// Three days and the beginning of the fourth, from two regions, with second attempts.
pub(super) async fn filled(f: &Fixture) -> (Website, Vec<StoredTick>) {
    let website = f.website(f.account("ann").await.account_id).await;
    let now = midday(f);
    f.store.ensure_partitions(now - 3 * DAY_MS).await.expect("partitions");
    let mut ticks = Vec::new();
    for (n, slot_at) in (0..).zip((day_of(now) - 3 * DAY_MS + 17_000..now).step_by(usize::try_from(STEP).unwrap())) {
        for (k, region) in ["b", "a"].into_iter().enumerate() {
            let n = 2 * n + i64::try_from(k).unwrap();
            ticks.push(rich_tick(&website, region, slot_at, n));
            if n % 17 == 0 {
                let mut again = rich_tick(&website, region, slot_at, n + 1);
                again.tick.attempt = 1;
                again.tick.kind = CheckKind::Confirm;
                ticks.push(again);
            }
        }
    }
    for batch in ticks.chunks(500) {
        let done = f.store.ingest(batch, now).await.expect("ingest");
        assert_eq!(done.new, batch.len());
    }
    (website, ticks)
}

/// All of it, oldest first, in pages.
pub async fn all(store: &Store, website: &Website, page: i64) -> Vec<StoredTick> {
    let mut ticks: Vec<StoredTick> = Vec::new();
    loop {
        let more = store
            .ticks_in_order(website.account_id, website.website_id, &(0..=UtcMs::MAX), ticks.last(), page)
            .await
            .expect("ticks");
        if more.is_empty() {
            return ticks;
        }
        ticks.extend(more);
    }
}

async fn newest(f: &Fixture, website: &Website, before: Option<UtcMs>, limit: i64) -> Vec<StoredTick> {
    f.store.ticks(website.account_id, website.website_id, before, limit).await.expect("ticks")
}

pub(super) const RAW: &str = "select count(*) from tick";
pub(super) const PACKED: &str = "select cast(coalesce(sum(ticks), 0) as bigint) from sealed_tick";

async fn sealed_history_reads_as_it_did_before(f: Fixture) {
    let (website, fed) = filled(&f).await;
    let now = midday(&f);
    let before = all(&f.store, &website, 1_000).await;
    assert_eq!(before.len(), fed.len());
    let mut pages = Vec::new();
    let places = [
        None,
        Some(now),
        Some(now - DAY_MS),
        Some(day_of(now)),
        Some(day_of(now) - DAY_MS),
        Some(0),
        Some(fed[200].tick.slot_at),
    ];
    for at in places {
        for limit in [1, 3, 100, 1_000] {
            pages.push((at, limit, newest(&f, &website, at, limit).await));
        }
    }
    let looked = seal(&f.store, KEPT, now).await;
    let old = fed.iter().filter(|tick| tick.tick.slot_at < day_of(now)).count();
    assert_eq!((looked.ticks, looked.left, looked.blocks), (old as u64, 0, 6), "a block for each day and region");
    assert_eq!((f.count(RAW).await, f.count(PACKED).await), ((fed.len() - old) as i64, old as i64));
    for page in [1_000, 100, 7] {
        let after = all(&f.store, &website, page).await;
        assert_eq!(after.len(), before.len(), "pages of {page}");
        assert!(after == before, "pages of {page}");
    }
    for (at, limit, page) in pages {
        assert!(newest(&f, &website, at, limit).await == page, "before {at:?}, {limit}");
    }
    let (from, to) = (fed[150].tick.slot_at, fed[300].tick.slot_at);
    let within =
        f.store.ticks_in_order(website.account_id, website.website_id, &(from..=to), None, 1_000).await.unwrap();
    let want: Vec<_> = before.iter().filter(|tick| (from..=to).contains(&tick.tick.slot_at)).cloned().collect();
    assert!(within == want);
    let bob = f.account("bob").await.account_id;
    assert_eq!(f.store.ticks(bob, website.website_id, None, 10).await.unwrap(), [], "nobody else's");
    assert_eq!(f.store.ticks_in_order(bob, website.website_id, &(0..=now), None, 10).await.unwrap(), []);
    assert_eq!(seal(&f.store, KEPT, now).await, Looked::default(), "there is nothing more to do");
    if f.url.is_some() {
        assert_eq!(looked.days, 3, "partitions that are empty are gone");
        f.store.ensure_partitions(now).await.expect("partitions");
        assert_eq!(seal(&f.store, KEPT, now).await, Looked::default(), "and are not made again");
    }
}

async fn a_tick_that_comes_again_after_its_day_was_sealed_is_known(f: Fixture) {
    let (website, fed) = filled(&f).await;
    let now = midday(&f);
    let before = all(&f.store, &website, 1_000).await;
    seal(&f.store, KEPT, now).await;
    let raw = f.count(RAW).await;
    // Also where it says something else now.
    let mut again = fed.clone();
    again.iter_mut().for_each(|tick| tick.tick.body_bytes += 1);
    for batch in [&fed[..], &again[..]].concat().chunks(400) {
        let done = f.store.ingest(batch, now).await.expect("ingest");
        assert_eq!((done.new, done.known), (0, batch.len()));
    }
    assert_eq!(f.count(RAW).await, raw);
    seal(&f.store, KEPT, now).await;
    assert!(all(&f.store, &website, 1_000).await == before);
}

async fn a_late_tick_is_read_at_once_and_joins_its_day(f: Fixture) {
    let (website, _) = filled(&f).await;
    let now = midday(&f);
    let first = all(&f.store, &website, 1_000).await;
    seal(&f.store, KEPT, now).await;
    let day = day_of(now) - 2 * DAY_MS;
    let late = [
        rich_tick(&website, "a", day, 3),                  // before the first of its day
        rich_tick(&website, "a", day + DAY_MS / 2 + 1, 4), // in the middle
        rich_tick(&website, "b", day + DAY_MS - 1, 5),     // at its end
        rich_tick(&website, "c", day + 5, 6),              // from a region that has none
        rich_tick(&website, "a", day - 40 * DAY_MS, 7),    // of a day of which there is nothing
    ];
    let done = f.store.ingest(&late, now).await.expect("ingest");
    assert_eq!((done.new, done.known), (5, 0));
    let key = |tick: &StoredTick| (tick.tick.slot_at, tick.region_id.clone(), tick.tick.attempt);
    let mut want = first;
    want.extend(late.iter().cloned().map(|tick| {
        let marks = hub::model::late::marks(&website.settings, &tick);
        StoredTick { marks, ..tick }
    }));
    want.sort_by_key(key);
    let keys = |ticks: &[StoredTick]| ticks.iter().map(key).collect::<Vec<_>>();
    let read = all(&f.store, &website, 100).await;
    assert_eq!(keys(&read), keys(&want));
    let blocks = f.count("select count(*) from sealed_tick").await;
    let looked = seal(&f.store, KEPT, now).await;
    assert_eq!((looked.ticks, looked.left), (5, 0));
    assert_eq!(f.count("select count(*) from sealed_tick").await, blocks + 2, "the others joined theirs");
    assert!(all(&f.store, &website, 100).await == read);
    let done = f.store.ingest(&late, now).await.expect("ingest");
    assert_eq!((done.new, done.known), (0, 5));
}

async fn a_damaged_block_is_told_kept_and_never_shown(f: Fixture) {
    let (website, fed) = filled(&f).await;
    let now = midday(&f);
    seal(&f.store, KEPT, now).await;
    let day = day_of(now) - 2 * DAY_MS;
    let of_block = |tick: &&StoredTick| day_of(tick.tick.slot_at) == day && tick.region_id.as_str() == "a";
    let in_block = fed.iter().filter(of_block).count();
    let whole = all(&f.store, &website, 1_000).await;
    f.execute(match f.url {
        Some(_) => "create table kept as select * from sealed_tick; update sealed_tick set packed = \
            overlay(packed placing '\\x00ff00ff'::bytea from 100) where region_id = 'a' and from_at = (select from_at \
            from sealed_tick where region_id = 'a' order by from_at offset 1 limit 1)",
        None => "create table kept as select * from sealed_tick; update sealed_tick set packed = \
            cast(substr(packed, 1, 99) || x'00ff00ff' || substr(packed, 104) as blob) where region_id = 'a' and from_at = \
            (select from_at from sealed_tick where region_id = 'a' order by from_at limit 1 offset 1)",
    })
    .await;
    let rest: Vec<_> = whole.iter().filter(|tick| !of_block(tick)).cloned().collect();
    assert_eq!(rest.len(), whole.len() - in_block);
    assert!(all(&f.store, &website, 100).await == rest, "the others are shown");
    assert_eq!(f.store.count_damaged_blocks().await.unwrap(), 1);
    let blocks = f.store.sealed_blocks(website.website_id, 0, now, 100).await.expect("blocks");
    let damage: Vec<_> = blocks.iter().filter_map(|block| block.damage.clone()).collect();
    assert_eq!((blocks.len(), damage), (6, vec!["its checksum is wrong".to_owned()]));
    // Found also where nobody reads: hubs check a few blocks at each look.
    f.execute("update sealed_tick set damaged_at = null, damage = null").await;
    f.store.check_some(hub::store::CheckPosition::default(), now).await.expect("a check");
    assert_eq!(f.store.count_damaged_blocks().await.unwrap(), 1);
    f.execute("update sealed_tick set to_at = to_at - 1 where from_at = (select max(from_at) from sealed_tick)").await;
    f.store.check_some(hub::store::CheckPosition::default(), now).await.expect("a check");
    assert_eq!(f.store.count_damaged_blocks().await.unwrap(), 3, "two that would not be found");
    f.execute(
        "update sealed_tick set to_at = to_at + 1, damaged_at = null, damage = null \
        where from_at = (select max(from_at) from sealed_tick)",
    )
    .await;
    // What comes late of that day stays as it came, and is shown.
    let late = rich_tick(&website, "a", day + 3, 3);
    assert_eq!(f.store.ingest(std::slice::from_ref(&late), now).await.unwrap().new, 1);
    let looked = seal(&f.store, KEPT, now).await;
    assert_eq!((looked.ticks, looked.left), (0, 1));
    assert_eq!(all(&f.store, &website, 100).await.len(), rest.len() + 1);
    assert_eq!(f.count("select count(*) from sealed_tick").await, 6, "it is not deleted");
    // Put right from a backup.
    f.execute("delete from sealed_tick; insert into sealed_tick select * from kept").await;
    assert_eq!(all(&f.store, &website, 100).await.len(), whole.len() + 1);
    assert_eq!(seal(&f.store, KEPT, now).await.ticks, 1);
    assert_eq!(
        (all(&f.store, &website, 100).await.len(), f.store.count_damaged_blocks().await.unwrap()),
        (whole.len() + 1, 0)
    );
}

async fn what_is_past_retention_goes_and_what_follows_from_it_stays(f: Fixture) {
    let (website, fed) = filled(&f).await;
    let now = midday(&f);
    let old = rich_tick(&website, "a", 1_000, 3);
    f.store.ingest(&[old, rich_tick(&website, "a", -5, 3)], now).await.expect("ingest");
    let transitions = f.changes(&website).await;
    let kept = Retention { days: 2 };
    // What cannot be at once, then a day at a time.
    let (_stop, mut stopping) = watch::channel(false);
    let mut care = Care::new(kept);
    let looked = look(&f.store, &mut care, now, &mut stopping).await.expect("a look");
    assert_eq!((looked.forgotten, looked.left), (2, 0), "1969 and 1970");
    let looked = look(&f.store, &mut care, now, &mut stopping).await.expect("a look");
    assert_eq!(looked.forgotten, 0, "the next day waits");
    let looked = seal(&f.store, kept, now).await;
    assert_eq!(looked.forgotten, 2, "two blocks of the first day");
    let gone = fed.iter().filter(|tick| tick.tick.slot_at < kept.kept_from(now)).count();
    assert!(gone > 100);
    assert_eq!(all(&f.store, &website, 1_000).await.len(), fed.len() - gone);
    assert_eq!(seal(&f.store, kept, now + DAY_MS).await.forgotten, 2);
    let left = all(&f.store, &website, 1_000).await;
    assert!(left.iter().all(|tick| tick.tick.slot_at >= kept.kept_from(now + DAY_MS)) && !left.is_empty());
    assert_eq!(f.changes(&website).await, transitions);
    f.execute("update sealed_tick set damaged_at = 1, damage = 'x'").await;
    seal(&f.store, kept, now + 9 * DAY_MS).await;
    assert_eq!((f.count(RAW).await, f.count(PACKED).await), (0, 0), "damaged ones go with their time");
}

async fn nothing_is_packed_that_would_lose_a_column(f: Fixture) {
    let (website, fed) = filled(&f).await;
    f.execute("alter table tick add column added text").await;
    // Also by a look that began before.
    let step = f.store.seal_some(hub::store::SealPosition::default(), day_of(f.now), f.now).await.expect("a step");
    assert_eq!((step.ticks, step.left, step.next), (0, 1, None));
    assert_eq!(seal(&f.store, KEPT, midday(&f)).await, Looked::default());
    assert_eq!(all(&f.store, &website, 1_000).await.len(), fed.len());
}

async fn two_that_seal_at_once_do_it_once(f: Fixture) {
    let (website, fed) = filled(&f).await;
    let now = midday(&f);
    let more = f.website(website.account_id).await;
    let ticks: Vec<_> = fed
        .iter()
        .map(|tick| {
            let mut tick = tick.clone();
            tick.tick.website_id = more.website_id;
            tick
        })
        .collect();
    for batch in ticks.chunks(500) {
        f.store.ingest(batch, now).await.expect("ingest");
    }
    let before = [all(&f.store, &website, 1_000).await, all(&f.store, &more, 1_000).await];
    let other = match &f.url {
        Some(url) => Store::open_postgres(url).await.expect("a second hub"),
        None => Store::open_sqlite_beside(f.directory.path()).await.expect("another"),
    };
    let (one, two, _) = tokio::join!(seal(&f.store, KEPT, now), seal(&other, KEPT, now), async {
        // People look meanwhile, and see all of it.
        for _ in 0..10 {
            assert_eq!(all(&f.store, &website, 1_000).await.len(), fed.len());
        }
    });
    let (third, old) =
        (seal(&f.store, KEPT, now).await, fed.iter().filter(|t| t.tick.slot_at < day_of(now)).count() as u64);
    assert_eq!(one.ticks + two.ticks + third.ticks, 2 * old, "{one:?} {two:?} {third:?}");
    let after = [all(&f.store, &website, 1_000).await, all(&f.store, &more, 1_000).await];
    assert!(after == before);
    other.close().await;
}

async fn the_view_tells_people_what_there_is(f: Fixture) {
    filled(&f).await;
    seal(&f.store, KEPT, midday(&f)).await;
    assert_eq!(f.count("select count(*) from sealed_tick_summary where bytes > 100 and damage is null").await, 6);
    let sum = f.count("select cast(sum(ticks) as bigint) from sealed_tick_summary where first_slot is not null").await;
    assert_eq!(sum, f.count(PACKED).await);
    // Whatever a worker called a slot.
    f.execute(
        "update sealed_tick set from_at = -9223372036854775807 where from_at = (select min(from_at) from sealed_tick)",
    )
    .await;
    assert_eq!(f.count("select count(*) from sealed_tick_summary where ticks > 0 and bytes_per_tick > 0").await, 6);
    if f.url.is_some() {
        assert_eq!(f.count("select count(first_slot) from sealed_tick_summary").await, 6);
    }
}

/// Whoever reads for long, such as a backup, keeps a day from being dropped, and nobody from storing ticks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_in_use_is_dropped_later_and_ingest_does_not_wait_for_it() {
    let f = Fixture::postgres().await;
    let (website, fed) = filled(&f).await;
    let now = midday(&f);
    let pool = sqlx::PgPool::connect(f.url.as_deref().unwrap()).await.expect("Postgres");
    let mut backup = pool.begin().await.expect("a transaction");
    sqlx::query("lock table tick in access share mode").execute(&mut *backup).await.expect("a long read");
    let began = std::time::Instant::now();
    let storing = async {
        let mut longest = std::time::Duration::ZERO;
        for n in 0..40 {
            let began = std::time::Instant::now();
            f.store.ingest(&[region_tick(&website, "d", now - n * 1_000, Outcome::Up)], now).await.expect("ingest");
            longest = longest.max(began.elapsed());
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        longest
    };
    let (looked, longest) = tokio::join!(seal(&f.store, KEPT, now), storing);
    assert_eq!((looked.days, looked.ticks > 0), (0, true), "in use");
    println!("ingest took {longest:?} at most, in {:?}", began.elapsed());
    assert!(longest < std::time::Duration::from_secs(2), "{longest:?}: longer than a lock is waited for");
    backup.rollback().await.expect("its end");
    assert_eq!(seal(&f.store, KEPT, now).await.days, 3);
    assert_eq!(all(&f.store, &website, 1_000).await.len(), fed.len() + 40);
}
