//! Roll-ups are what a fresh count of the ticks gives, whoever counted, how often, and whatever came late (T173).

use std::collections::BTreeMap;

use hub::history::roll_up::{Pace, step};
use hub::model::roll_up::{CountedTick, Grain, RollUp};
use hub::model::{Outcome, RegionId, Span, StoredTick, UtcMs, Website, WebsiteSettings};
use hub::store::{RolledUp, SealPosition, Store};

use super::{Fixture, MINUTE, region_tick, sqlite};
use crate::process::{Hub, KEY, run_to_its_end};

on_both! {
    the_day_on_which_it_was_added_is_counted_backwards_too
    t173_roll_ups_are_what_a_fresh_count_gives
    t173_hubs_that_count_at_once_count_once
    t173_what_is_packed_is_counted_with_what_comes_late
    t173_a_hub_that_is_killed_anywhere_leaves_nothing_half_done
    t173_a_hub_that_is_killed_ten_times_counts_all
    what_comes_late_is_noted_and_what_comes_in_time_is_not
    what_comes_late_while_its_day_is_being_counted_is_in_it
    a_count_of_fewer_ticks_replaces_nothing
    what_cannot_be_read_is_left_out_and_counted_again
    of_what_is_old_the_days_are_kept
    hours_that_an_older_version_left_go_in_bounded_steps
    websites_that_are_gone_hold_nothing_up
    what_is_written_down_by_hand_is_counted_once
}

const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const REGIONS: [&str; 2] = ["EU-WEST", "INDIA"];

/// Splitmix64: the same numbers in every run.
pub(super) struct Random(pub u64);

impl Random {
    pub(super) fn below(&mut self, end: i64) -> i64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 1) as i64 % end.max(1)
    }
}

/// Of any outcome, with phases that are there or not; its slot lies so long after `from` at most.
fn any_tick(random: &mut Random, website: &Website, from: UtcMs, within_ms: i64) -> StoredTick {
    let slot_at = from + random.below(within_ms);
    let outcome = [Outcome::Up, Outcome::Up, Outcome::Up, Outcome::Degraded, Outcome::Down][random.below(5) as usize];
    let mut tick = region_tick(website, REGIONS[random.below(2) as usize], slot_at, outcome);
    tick.tick.attempt = random.below(2) as u16;
    tick.tick.phases.dns_us = (random.below(3) > 0).then(|| random.below(50_000) as u32);
    tick.tick.phases.wait_us = Some(random.below(900_000) as u32);
    tick.tick.total_us = tick.tick.phases.sum_us();
    tick
}

impl Fixture {
    async fn old_website(&self, days: i64) -> Website {
        let name = format!("owner-{}", uuid::Uuid::new_v4().simple());
        let account = self.account(&name[..20]).await.account_id;
        let settings = WebsiteSettings { interval_ms: MINUTE, ..WebsiteSettings::new("https://example.com/".into()) };
        self.store.add_website(account, &settings, self.now - days * DAY).await.expect("a website")
    }

    /// Counts until there is nothing more to do; how many batches it took.
    pub(super) async fn roll(&self, now: UtcMs) -> usize {
        roll(&self.store, now).await
    }

    /// Takes away all hours that are not kept; how many.
    async fn forget_hours(&self) -> u64 {
        let (mut after, mut gone) = (Some(hub::model::WebsiteId(uuid::Uuid::nil())), 0);
        while let Some(from) = after {
            let step = self.store.forget_hours(from).await.expect("a step");
            (after, gone) = (step.after, gone + step.rows);
        }
        gone
    }

    /// What the ticks of `[from, to)` come to, counted one by one.
    async fn recount(&self, website: &Website, from: UtcMs, to: UtcMs) -> BTreeMap<RegionId, RollUp> {
        let (mut all, mut after) = (BTreeMap::<RegionId, RollUp>::new(), None);
        loop {
            let slots = from..=to - 1;
            let page = self.store.ticks_in_order(website.account_id, website.website_id, &slots, after.as_ref(), 1_000);
            let page = page.await.expect("ticks");
            for stored in &page {
                let tick = CountedTick {
                    outcome: stored.tick.outcome,
                    late: stored.marks.late,
                    phases: stored.tick.phases,
                    total_us: stored.tick.total_us,
                };
                all.entry(stored.region_id.clone()).or_default().count(&tick);
            }
            after = page.last().cloned();
            if page.len() < 1_000 {
                return all;
            }
        }
    }

    async fn rolled(&self, website: &Website, from_at: UtcMs, to_at: UtcMs) -> BTreeMap<RegionId, RollUp> {
        let window = [Span { from_at, to_at }];
        let found = self.store.latencies(website.account_id, website.website_id, &window).await.expect("a read");
        found.expect("the website").pop().expect("a window").regions
    }

    /// Every hour, every day, and all of it.
    async fn agrees(&self, website: &Website, from: UtcMs, to: UtcMs) {
        for grain in [Grain::Hour, Grain::Day] {
            let mut at = grain.start_of(from);
            while at + grain.ms() <= to {
                let (rolled, counted) =
                    (self.rolled(website, at, at + grain.ms()).await, self.recount(website, at, at + grain.ms()).await);
                assert_eq!(rolled, counted, "{grain:?} {at}");
                at += grain.ms();
            }
        }
        assert_eq!(self.rolled(website, from, to).await, self.recount(website, from, to).await);
    }
}

async fn roll(store: &Store, now: UtcMs) -> usize {
    let mut pace = Pace::default();
    for n in 0..100_000 {
        if step(store, &mut pace, now).await.expect("a step") == RolledUp::Nothing {
            return n;
        }
    }
    panic!("it does not come to an end");
}

async fn t173_roll_ups_are_what_a_fresh_count_gives(f: Fixture) {
    let (first, second) = (f.old_website(4).await, f.old_website(3).await);
    let mut random = Random(173);
    let begin = Grain::Day.start_of(f.now - 2 * DAY);
    for hour in 0..40 {
        let (starts_at, ends_at) = (begin + hour * HOUR, begin + (hour + 1) * HOUR);
        let mut batch: Vec<StoredTick> = (0..30).map(|_| any_tick(&mut random, &first, starts_at, HOUR)).collect();
        if hour > 20 {
            batch.extend((0..5).map(|_| any_tick(&mut random, &second, starts_at, HOUR)));
        }
        // What a worker kept back, of any hour before.
        if random.below(3) == 0 {
            let slot_at = begin + random.below(ends_at - begin);
            batch.extend((0..3).map(|n| any_tick(&mut random, &first, slot_at + n * 1_000, 1)));
        }
        f.store.ingest(&batch, ends_at + MINUTE).await.expect("ingest");
        // It began in the middle of all this, and is called at odd times, twice, or not at all.
        if hour > 8 && random.below(3) > 0 {
            let at = ends_at + random.below(30 * MINUTE);
            f.roll(at).await;
            f.roll(at).await;
        }
    }
    let end = begin + 40 * HOUR;
    f.roll(end + 11 * MINUTE).await;
    f.agrees(&first, begin, end).await;
    f.agrees(&second, begin, end).await;
    assert_eq!(f.roll(end + 12 * MINUTE).await, 0, "nothing is counted twice");
    assert_eq!(f.count("select count(*) from roll_up_due").await, 0);
    // Another's, and none.
    let stranger = f.account("stranger").await.account_id;
    let window = [Span { from_at: begin, to_at: end }];
    assert_eq!(f.store.latencies(stranger, first.website_id, &window).await.expect("a read"), None);
}

async fn t173_hubs_that_count_at_once_count_once(f: Fixture) {
    let websites = [f.old_website(2).await, f.old_website(2).await, f.old_website(2).await];
    let other = match &f.url {
        Some(url) => Store::open_postgres(url).await.expect("a second hub"),
        None => f.store.clone(),
    };
    let (mut random, begin) = (Random(7), Grain::Day.start_of(f.now - DAY));
    let end = begin + 26 * HOUR;
    for website in &websites {
        let ticks: Vec<_> = (0..600).map(|_| any_tick(&mut random, website, begin, 26 * HOUR)).collect();
        f.store.ingest(&ticks[..300], end + MINUTE).await.expect("ingest");
        f.store.ingest(&ticks[300..], end + MINUTE).await.expect("ingest");
    }
    let late: Vec<_> = (0..200).map(|n| any_tick(&mut random, &websites[n % 3], begin, 25 * HOUR)).collect();
    let now = end + 11 * MINUTE;
    let (ours, theirs) = (f.store.clone(), other.clone());
    let hubs =
        [tokio::spawn(async move { roll(&ours, now).await }), tokio::spawn(async move { roll(&theirs, now).await })];
    // Meanwhile ticks come in that are late for hours of which some are counted.
    for tick in &late {
        f.store.ingest(std::slice::from_ref(tick), now).await.expect("ingest");
    }
    for hub in hubs {
        hub.await.expect("a hub");
    }
    f.roll(now).await;
    for website in &websites {
        f.agrees(website, begin, end).await;
    }
}

async fn seal_day(f: &Fixture, day: UtcMs, now: UtcMs) {
    let mut next = Some(SealPosition::default());
    while let Some(from) = next {
        next = f.store.seal_some(from, day + DAY, now).await.expect("a step").next;
    }
    assert_eq!(f.count("select count(*) from tick").await, 0, "all is packed");
}

async fn t173_what_is_packed_is_counted_with_what_comes_late(f: Fixture) {
    let website = f.old_website(3).await;
    let day = Grain::Day.start_of(f.now - 2 * DAY);
    let now = day + DAY + 7 * HOUR;
    let tick = |region: &str, minutes: i64| region_tick(&website, region, day + minutes * MINUTE, Outcome::Up);
    let ticks: Vec<_> = (0..90).map(|n| tick("INDIA", n)).chain([tick("USA", 1)]).collect();
    f.store.ingest(&ticks, day + DAY).await.expect("ingest");
    // Packed before anybody has counted it.
    seal_day(&f, day, now).await;
    f.roll(now).await;
    f.agrees(&website, day, day + DAY).await;
    // Fewer than what is packed from there, and more: neither takes its place.
    let late: Vec<_> = (2..50).map(|n| tick("USA", n)).chain([tick("INDIA", 58)]).chain([tick("INDIA", 95)]).collect();
    f.store.ingest(&late, now).await.expect("ingest");
    f.roll(now).await;
    f.agrees(&website, day, day + DAY).await;
    let all = f.rolled(&website, day, day + DAY).await;
    assert_eq!(all.values().map(|roll_up| roll_up.ticks).collect::<Vec<_>>(), [91, 49]);
    seal_day(&f, day, now).await;
    // Of what cannot be read nobody knows how much it was.
    f.execute("update sealed_tick set damaged_at = 1, damage = 'x' where region_id = 'USA'").await;
    let more: Vec<_> = (60..118).map(|n| tick("USA", n)).chain((51..58).map(|n| tick("USA", n))).collect();
    f.store.ingest(&more, now).await.expect("ingest");
    f.roll(now).await;
    let first = f.rolled(&website, day, day + HOUR).await;
    assert_eq!(first.values().map(|roll_up| roll_up.ticks).collect::<Vec<_>>(), [60, 49]);
}

async fn t173_a_hub_that_is_killed_anywhere_leaves_nothing_half_done(f: Fixture) {
    let website = f.old_website(2).await;
    let (mut random, begin) = (Random(9), Grain::Day.start_of(f.now - 2 * DAY));
    let end = begin + 30 * HOUR;
    let ticks: Vec<_> = (0..900).map(|_| any_tick(&mut random, &website, begin, 30 * HOUR)).collect();
    f.store.ingest(&ticks, end + MINUTE).await.expect("ingest");
    let left = f.left_to_hubs().await;
    let environment = left.environment();
    for point in ["roll_up.counted", "roll_up.written", "roll_up.committed", "roll_up.written"] {
        let environment = [environment.as_slice(), &[("FAIL_POINT", point), ("LISTEN", "127.0.0.1:0")]].concat();
        let log = tokio::task::block_in_place(|| run_to_its_end(left.directory.path(), &environment));
        assert!(log.contains(&format!("ends at the fail point {point}")), "it ended elsewhere:\n{log}");
    }
    let f = left.taken_back().await;
    f.roll(f.now).await;
    f.agrees(&website, begin, end).await;
}

/// At whatever moment, while it counts what was there before.
async fn t173_a_hub_that_is_killed_ten_times_counts_all(f: Fixture) {
    let website = f.old_website(10).await;
    f.store.set_paused(website.account_id, website.website_id, true, f.now).await.expect("paused");
    let (mut random, begin) = (Random(10), Grain::Day.start_of(f.now - 9 * DAY));
    let end = begin + 8 * DAY;
    for _ in 0..4 {
        let ticks: Vec<_> = (0..900).map(|_| any_tick(&mut random, &website, begin, 8 * DAY)).collect();
        f.store.ingest(&ticks, end + 2 * MINUTE).await.expect("ingest");
    }
    let left = f.left_to_hubs().await;
    const TURN: &str = "select coalesce(max(turn), 0) from roll_up_progress";
    const IS_DONE: &str = "select count(*) from roll_up_progress where hours_back_at <= back_until_at";
    let mut midway = 0;
    for _ in 0..10 {
        let before = left.count(TURN).await;
        let hub = tokio::task::block_in_place(|| Hub::start(left.directory.path(), &left.environment()));
        for _ in 0..600 {
            if left.count(TURN).await > before + random.below(4) || left.count(IS_DONE).await > 0 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        hub.process.signal("KILL");
        drop(hub);
        midway += i32::from(left.count(IS_DONE).await == 0);
    }
    assert!(midway > 2 && left.count(TURN).await > 10, "{midway} were killed in the middle of it");
    println!("{midway} of 10 were killed in the middle of it, after {} batches.", left.count(TURN).await);
    let f = left.taken_back().await;
    f.roll(f.now).await;
    f.agrees(&website, begin, end).await;
}

/// A database that is left to hubs for a while.
struct Left {
    url: Option<String>,
    directory: tempfile::TempDir,
    state: String,
    now: UtcMs,
}

impl Fixture {
    async fn left_to_hubs(self) -> Left {
        self.store.close().await;
        let state = self.directory.path().display().to_string();
        Left { url: self.url, directory: self.directory, state, now: self.now }
    }
}

impl Left {
    fn environment(&self) -> Vec<(&str, &str)> {
        match &self.url {
            Some(url) => vec![("DATABASE_URL", url.as_str()), ("JWT_SECRET_KEY", KEY)],
            None => vec![("STATE_DIRECTORY", self.state.as_str())],
        }
    }

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

    async fn taken_back(self) -> Fixture {
        let store = match &self.url {
            Some(url) => Store::open_postgres(url).await.expect("Postgres"),
            None => Store::open_sqlite(self.directory.path()).await.expect("SQLite"),
        };
        Fixture { store, url: self.url, directory: self.directory, now: self.now }
    }
}

async fn what_comes_late_is_noted_and_what_comes_in_time_is_not(f: Fixture) {
    let website = f.old_website(2).await;
    let hour = Grain::Hour.start_of(f.now - 3 * HOUR);
    let at = |minutes: i64| region_tick(&website, "INDIA", hour + minutes * MINUTE, Outcome::Up);
    const DUE: &str = "select count(*) from roll_up_due";
    f.store.ingest(&[at(3), at(58)], hour + HOUR).await.expect("ingest");
    f.store.ingest(&[at(59)], hour + HOUR + 4 * MINUTE).await.expect("ingest");
    assert_eq!(f.count(DUE).await, 0, "in time");
    f.store.ingest(&[at(59)], hour + 2 * HOUR).await.expect("ingest");
    assert_eq!(f.count(DUE).await, 0, "known");
    f.roll(hour + HOUR + 10 * MINUTE).await;
    assert_eq!(f.rolled(&website, hour, hour + HOUR).await.values().map(|r| r.ticks).sum::<i64>(), 3);
    f.store.ingest(&[at(10), at(11), at(12)], hour + HOUR + 5 * MINUTE).await.expect("ingest");
    assert_eq!(f.count(DUE).await, 1, "one row for an hour of a batch");
    f.store.ingest(&[at(20)], hour + 3 * HOUR).await.expect("ingest");
    assert_eq!(f.count(DUE).await, 2);
    f.roll(hour + HOUR + 10 * MINUTE).await;
    assert_eq!(f.count(DUE).await, 0);
    f.agrees(&website, hour, hour + HOUR).await;
    assert_eq!(f.rolled(&website, hour, hour + HOUR).await.values().map(|r| r.ticks).sum::<i64>(), 7);
}

async fn what_comes_late_while_its_day_is_being_counted_is_in_it(f: Fixture) {
    let mut websites = [f.old_website(3).await, f.old_website(3).await];
    websites.sort_by_key(|website| website.website_id);
    let (midnight, minute) = (Grain::Day.start_of(f.now), |n: i64| n * MINUTE);
    let day = midnight - DAY;
    f.roll(midnight - minute(30)).await;
    let tick = |at: UtcMs| region_tick(&websites[0], "INDIA", at, Outcome::Up);
    f.store.ingest(&[tick(midnight - minute(20))], midnight - minute(19)).await.expect("ingest");
    // The last hour of the day is counted of the first website, and the day with it; the second is still to come.
    let now = midnight + minute(11);
    assert_eq!(f.store.roll_up_some(now, 1).await.expect("a batch"), RolledUp::Counted { ticks: 1 });
    f.store.ingest(&[tick(day + 10 * HOUR)], now).await.expect("ingest");
    let mut batches = 0;
    while f.store.roll_up_some(now, 1).await.expect("a batch") != RolledUp::Nothing {
        batches += 1;
        assert!(batches < 100, "it does not come to an end");
    }
    f.agrees(&websites[0], day, midnight).await;
}

async fn a_count_of_fewer_ticks_replaces_nothing(f: Fixture) {
    let website = f.old_website(2).await;
    let day = Grain::Day.start_of(f.now - DAY);
    let ticks: Vec<_> = (0..50).map(|n| region_tick(&website, "INDIA", day + n * MINUTE, Outcome::Up)).collect();
    f.store.ingest(&ticks, day + DAY).await.expect("ingest");
    let now = day + DAY + 11 * MINUTE;
    f.roll(now).await;
    let before = f.rolled(&website, day, day + DAY).await;
    assert_eq!(before.values().map(|r| r.ticks).sum::<i64>(), 50);
    // Retention takes the ticks; then one of that hour comes very late.
    f.execute("delete from tick").await;
    let late = region_tick(&website, "INDIA", day + 55 * MINUTE, Outcome::Down);
    f.store.ingest(&[late], now).await.expect("ingest");
    f.roll(now).await;
    assert_eq!(f.count("select count(*) from roll_up_due").await, 0);
    assert_eq!(f.rolled(&website, day, day + DAY).await, before);
    assert_eq!(f.rolled(&website, day, day + HOUR).await, before);
}

async fn what_cannot_be_read_is_left_out_and_counted_again(f: Fixture) {
    let website = f.old_website(2).await;
    let day = Grain::Day.start_of(f.now - DAY);
    let ticks: Vec<_> = (0..90).map(|n| region_tick(&website, "INDIA", day + n * MINUTE, Outcome::Up)).collect();
    f.store.ingest(&ticks, day + DAY).await.expect("ingest");
    let now = day + DAY + 11 * MINUTE;
    f.roll(now).await;
    match f.url {
        Some(_) => f.execute("update roll_up set latency = '\\x0105'").await,
        None => f.execute("update roll_up set latency = x'0105'").await,
    }
    assert_eq!(f.rolled(&website, day, day + 2 * HOUR).await, BTreeMap::new(), "nothing is made up");
    let late = region_tick(&website, "INDIA", day + 30_000, Outcome::Up);
    f.store.ingest(&[late], now).await.expect("ingest");
    f.roll(now).await;
    assert_eq!(f.rolled(&website, day, day + HOUR).await, f.recount(&website, day, day + HOUR).await);
}

async fn the_day_on_which_it_was_added_is_counted_backwards_too(f: Fixture) {
    let account = f.account("ann").await.account_id;
    let day = Grain::Day.start_of(f.now - 3 * DAY);
    let settings = WebsiteSettings { interval_ms: MINUTE, ..WebsiteSettings::new("https://example.com/".into()) };
    let at = [4, 10].map(|hour| day + hour * HOUR);
    for added_at in at {
        let website = f.store.add_website(account, &settings, added_at).await.expect("a website");
        let ticks: Vec<_> =
            (0..50).map(|n| region_tick(&website, "INDIA", added_at + n * MINUTE, Outcome::Up)).collect();
        f.store.ingest(&ticks, added_at + HOUR).await.expect("ingest");
        assert_eq!(f.count("select count(*) from roll_up_due").await, 0, "in time");
    }
    f.roll(f.now).await;
    assert_eq!(f.count("select count(*) from roll_up where grain = 'day'").await, 2);
    for website in f.store.websites(account).await.expect("websites") {
        f.agrees(&website, day, day + DAY).await;
    }
}

async fn of_what_is_old_the_days_are_kept(f: Fixture) {
    let website = f.old_website(130).await;
    let midnight = Grain::Day.start_of(f.now);
    let of_day = |days: i64| midnight - days * DAY;
    for days in [120, 10, 1] {
        let ticks: Vec<_> =
            (0..48).map(|n| region_tick(&website, "INDIA", of_day(days) + n * HOUR / 2, Outcome::Up)).collect();
        f.store.ingest(&ticks, of_day(days) + DAY).await.expect("ingest");
    }
    const HOURS: &str = "select count(*) from roll_up where grain = 'hour'";
    let now = midnight + 11 * MINUTE;
    f.roll(now).await;
    assert_eq!(
        f.count(HOURS).await,
        48,
        "those from before the first start were counted, and of the oldest only the day is kept"
    );
    f.agrees(&website, of_day(10), midnight).await;
    let old = f.recount(&website, of_day(120), of_day(119)).await;
    assert_eq!(f.rolled(&website, of_day(120) + HOUR, of_day(120) + 3 * HOUR).await, old, "by whole days");
    // A clock that is ahead for a moment counts days without ticks.
    f.roll(now + 3 * DAY).await;
    f.forget_hours().await;
    assert_eq!(f.count(HOURS).await, 48, "forgets nothing");
    f.roll(now).await;
    let one = region_tick(&website, "INDIA", midnight + HOUR, Outcome::Up);
    f.store.ingest(&[one], midnight + HOUR + MINUTE).await.expect("ingest");
    f.roll(now + DAY).await;
    assert_eq!(f.forget_hours().await, 24);
    assert_eq!(f.count(HOURS).await, 25, "a day later the next");
    assert_eq!(f.forget_hours().await, 0, "the week before is read by hours");
    // Late by months: its day is counted by all its ticks, and by those alone.
    let late = region_tick(&website, "INDIA", of_day(120) + MINUTE, Outcome::Up);
    f.store.ingest(&[late], now + DAY).await.expect("ingest");
    f.roll(now + DAY).await;
    let with_late = f.recount(&website, of_day(120), of_day(119)).await;
    assert_eq!(f.rolled(&website, of_day(120), of_day(119)).await, with_late);
    assert_ne!(with_late, old);
    assert_eq!((f.count(HOURS).await, f.count("select count(*) from roll_up_due").await), (25, 0));
}

/// Those of 90 more days, which a version before kept.
async fn hours_that_an_older_version_left_go_in_bounded_steps(f: Fixture) {
    let (website, other) = (f.old_website(2).await, f.old_website(2).await);
    let midnight = Grain::Day.start_of(f.now);
    let now = midnight + 11 * MINUTE;
    for website in [&website, &other] {
        let ticks: Vec<_> =
            (0..48).map(|n| region_tick(website, "INDIA", midnight - DAY + n * HOUR / 2, Outcome::Up)).collect();
        f.store.ingest(&ticks, now).await.expect("ingest");
    }
    f.roll(now).await;
    const HOURS: &str = "select count(*) from roll_up where grain = 'hour'";
    let (kept, days) = (f.count(HOURS).await, f.count("select count(*) from roll_up where grain = 'day'").await);
    for _ in 0..2 {
        f.execute(
            "insert into roll_up select website_id, grain, starts_at - 86400000 * (select count(distinct starts_at / 86400000) \
             + 12 from roll_up r where r.grain = 'hour'), region_id, ticks, up, degraded, down, unknown, late, dns_us, \
             connect_us, tls_us, send_us, wait_us, receive_us, total_us, least_us, most_us, latency \
             from roll_up where grain = 'hour'",
        )
        .await;
    }
    let left = f.count(HOURS).await - kept;
    assert_eq!(left, 6 * 24, "three days of each");
    let first = hub::model::WebsiteId(uuid::Uuid::nil());
    let step = f.store.forget_hours(first).await.expect("a step");
    assert_eq!((step.rows, step.after), (48, Some(first)), "a day of each at most, and again the same ones");
    assert_eq!(f.forget_hours().await, 4 * 24);
    assert_eq!(f.count(HOURS).await, kept);
    assert_eq!(f.count("select count(*) from roll_up where grain = 'day'").await, days);
    f.agrees(&website, midnight - DAY, midnight).await;
}

async fn websites_that_are_gone_hold_nothing_up(f: Fixture) {
    let (gone, stays) = (f.old_website(2).await, f.old_website(2).await);
    let day = Grain::Day.start_of(f.now - DAY);
    let now = day + DAY + 11 * MINUTE;
    for website in [&gone, &stays] {
        f.store.ingest(&[region_tick(website, "INDIA", day, Outcome::Up)], now).await.expect("ingest");
    }
    f.store.delete_website(gone.account_id, gone.website_id).await.expect("deleted");
    f.roll(now).await;
    f.agrees(&stays, day, day + DAY).await;
    assert_eq!(f.count("select count(*) from roll_up_due").await, 0);
    f.store.delete_website(stays.account_id, stays.website_id).await.expect("deleted");
    assert_eq!(f.count("select count(*) from roll_up").await + f.count("select count(*) from uptime_day").await, 0);
}

async fn what_is_written_down_by_hand_is_counted_once(f: Fixture) {
    let website = f.old_website(2).await;
    let hour = Grain::Hour.start_of(f.now - 5 * HOUR);
    let ticks: Vec<_> = (0..3).map(|n| region_tick(&website, "INDIA", hour + n * MINUTE, Outcome::Up)).collect();
    f.store.ingest(&ticks, hour + 4 * MINUTE).await.expect("ingest");
    f.roll(hour + 2 * HOUR).await;
    f.execute(
        "insert into roll_up_due (website_id, what, starts_at) select website_id, 'ticks', starts_at + n.ms from roll_up, \
         (select 0 as ms union all select 1 union all select 3540000) as n where grain = 'hour'",
    )
    .await;
    // A slow database has as little to do as with whatever else is counted.
    assert_eq!(f.store.roll_up_some(hour + 2 * HOUR, 1).await.expect("a batch"), RolledUp::Counted { ticks: 3 });
    assert_eq!(f.count("select count(*) from roll_up_due").await, 2);
    f.roll(hour + 2 * HOUR).await;
    f.agrees(&website, hour, hour + HOUR).await;
}

/// What windows read is a range of one index, however much history there is, and never ticks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ninety_days_are_one_range_of_an_index_on_postgres() {
    let f = Fixture::postgres().await;
    let website = f.old_website(100).await;
    f.execute(
        "insert into account values (gen_random_uuid(), 'many', 'many', 'x', 0); \
         insert into website (website_id, account_id, url, interval_ms, timeout_ms, created_at) select gen_random_uuid(), \
         account_id, 'https://example.com/', 60000, 10000, 0 from account, generate_series(1, 50) where username = 'many'; \
         insert into roll_up select website_id, g.grain, n * 86400000, r, 1440, 1440, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, \
         '\\x0100' from website, generate_series(20000::bigint, 20400::bigint) n, (values ('hour'), ('day')) g (grain), \
         (values ('EU'), ('US')) r (r); \
         insert into uptime_day select website_id, n * 86400000, 86400000, 0, 0, 0, 0 from website, \
         generate_series(20000::bigint, 20400::bigint) n; analyze",
    )
    .await;
    let pool = sqlx::PgPool::connect(f.url.as_deref().expect("Postgres")).await.expect("Postgres");
    let (from, to) = (20_100 * DAY, 20_190 * DAY);
    let explain = format!("explain {}", hub::store::SELECT_UPTIME_DAYS);
    let plan: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(explain))
        .bind(website.account_id.0)
        .bind(website.website_id.0)
        .bind(from)
        .bind(to)
        .fetch_all(&pool)
        .await
        .expect("a plan");
    is_a_range(&plan.join("\n"), "uptime_day_pkey");
}

fn is_a_range(plan: &str, index: &str) {
    let is_indexed =
        plan.contains(&format!("Index Scan using {index}")) || plan.contains(&format!("Bitmap Index Scan on {index}"));
    // Whose website it is is asked once; with so few of them, by reading them all.
    let is_whole = plan.contains(&format!("Seq Scan on {}", index.trim_end_matches("_pkey")));
    assert!(is_indexed && !is_whole && !plan.contains("tick"), "{plan}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ninety_days_are_one_range_of_an_index_on_sqlite() {
    let f = Fixture::sqlite().await;
    let pool = sqlite(f.directory.path()).await;
    for (table, select) in [("uptime_day", hub::store::SELECT_UPTIME_DAYS)] {
        let explain = format!("explain query plan {select}");
        let plan: Vec<(i64, i64, i64, String)> =
            sqlx::query_as(sqlx::AssertSqlSafe(explain)).fetch_all(&pool).await.expect("a plan");
        // Whose website it is is asked once, by its key.
        let (.., step) = plan.first().unwrap_or_else(|| panic!("{plan:?}"));
        assert!(
            plan.iter().skip(1).all(|(.., step)| !step.starts_with("SCAN") || step.contains("CONSTANT")),
            "{plan:?}"
        );
        assert!(step.starts_with(&format!("SEARCH {table} USING")) && step.contains("website_id=?"), "{step}");
    }
}

#[test]
fn windows_never_read_ticks() {
    for source in [
        include_str!("../../../src/store/roll_up/read.rs"),
        include_str!("../../../src/store/uptime/mod.rs"),
        include_str!("../../../src/store/uptime/windows.rs"),
        include_str!("../../../src/store/uptime/days.rs"),
    ] {
        assert!(!source.contains("from tick") && !source.contains("join tick"));
    }
}

/// Whoever writes a batch waits here for his turn, while the website is deleted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_website_that_is_deleted_while_it_is_counted_holds_nobody_up() {
    let f = Fixture::postgres().await;
    let (gone, stays) = (f.old_website(2).await, f.old_website(2).await);
    let day = Grain::Day.start_of(f.now - DAY);
    let now = day + DAY + 11 * MINUTE;
    f.roll(day + 11 * MINUTE).await;
    for website in [&gone, &stays] {
        f.store.ingest(&[region_tick(website, "INDIA", day, Outcome::Up)], day + MINUTE).await.expect("ingest");
    }
    let pool = sqlx::PgPool::connect(f.url.as_deref().expect("Postgres")).await.expect("Postgres");
    let mut turn = pool.begin().await.expect("a transaction");
    sqlx::query("select turn from roll_up_progress for update").fetch_all(&mut *turn).await.expect("the turn");
    let counting = tokio::spawn({
        let store = f.store.clone();
        async move { store.roll_up_some(day + HOUR + 11 * MINUTE, 1_000).await }
    });
    tokio::time::timeout(std::time::Duration::from_secs(10), async {
        while f.count(super::WAITING).await == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("it waits for its turn");
    assert!(f.store.delete_website(gone.account_id, gone.website_id).await.expect("deleted"));
    turn.rollback().await.expect("the turn is free");
    let counted = counting.await.expect("no panic").expect("a batch");
    assert!(matches!(counted, RolledUp::Counted { .. }), "{counted:?}");
    f.roll(now).await;
    f.agrees(&stays, day, day + DAY).await;
    assert_eq!(f.count("select count(distinct website_id) from roll_up").await, 1);
}
