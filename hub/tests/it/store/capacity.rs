//! Room that is foretold, and room that is used.

use std::path::Path;

use hub::model::capacity::Part;
use hub::model::retention::Retention;
use hub::model::sealed::{DAY_MS, day_of};
use hub::model::{UtcMs, WebsiteSettings};
use hub::operator::capacity::Capacity;
use sqlx::AssertSqlSafe;

use super::sealed::seal;
use super::{Fixture, MINUTE, sqlite};
use crate::history::COLUMNS;

const DAYS: i64 = 6;
const KEPT: Retention = Retention { days: 400 };
/// Minutes between two checks, and how many websites have them.
const WEBSITES: [(i64, usize); 3] = [(1, 3), (5, 8), (30, 10)];
/// What is this small is as large as the pages it is on.
const SMALL_BYTES: u64 = 300_000;
/// So much may what is foretold be off: a quarter.
const OFF: f64 = 0.25;

impl Fixture {
    /// Ticks of all websites, in order of time; noise of about as many bits a phase as networks have.
    async fn noisy_ticks(&self, from: UtcMs, to: UtcMs) {
        let random = |range: i64| match self.url {
            Some(_) => format!("cast(floor(random() * {range}) as bigint)"),
            None => format!("(abs(random()) % {range})"),
        };
        let noise = |base: i64, range: i64| format!("{base} + {}", random(range));
        let phases = [(1_500, 900), (40_000, 5_000), (42_000, 7_000), (30, 23), (60_000, 27_000), (400, 430)];
        let [dns, connect, tls, send, wait, receive] = phases.map(|(base, range)| noise(base, range));
        let (most, span) = ((to - from) / MINUTE, to - from);
        let sql = format!(
            "insert into tick ({COLUMNS}) with recursive s (n) as (select cast(0 as bigint) union all select n + 1 from s \
             where n + 1 < {most}), r (r) as (select 'INDIA' union all select 'USA'), \
             t as materialized (select website_id, r, {from} + 17000 + n * interval_ms as at, {dns} as dns, {connect} as connect, \
             {tls} as tls, {send} as send, {wait} as wait, {receive} as receive from website, r, s where n * interval_ms < {span}) \
             select website_id, at, r, 0, 'w1', at + 400 + {}, 'scheduled', at + {}, 'up', null, null, null, null, dns, connect, tls, \
             send, wait, receive, dns + connect + tls + send + wait + receive, 200, '203.0.113.7:443', 23456, 1 = 0, 1900000000000, \
             'R11', 'www.example.com', 'TLSv1.3', '', {}, {}, {}, {} from t order by at",
            random(3),
            random(5),
            random(4),
            random(3),
            noise(80, 110),
            noise(140, 180)
        );
        let sql = AssertSqlSafe(sql);
        match &self.url {
            Some(url) => {
                let pool = sqlx::PgPool::connect(url).await.expect("Postgres");
                sqlx::query(sql).execute(&pool).await.map(|_| ()).expect("ticks");
            }
            None => {
                let pool = sqlite(self.directory.path()).await;
                sqlx::query(sql).execute(&pool).await.map(|_| ()).expect("ticks");
            }
        }
    }

    async fn capacity(&self, now: UtcMs) -> Capacity {
        Capacity::read(&self.store, KEPT, self.directory.path(), now).await.expect("the room")
    }
}

/// Within a quarter, for whatever is not as small as the pages it is on.
async fn what_is_foretold_is_near_what_is_used(f: Fixture) {
    // Before yesterday is packed, so that there is something raw of each kind.
    let now = day_of(f.now) + 5 * 60 * MINUTE;
    let from = day_of(now) - DAYS * DAY_MS;
    for day in 0..=DAYS {
        f.store.ensure_partitions(from + day * DAY_MS).await.expect("partitions");
    }
    let ann = f.account("ann").await.account_id;
    for (minutes, count) in WEBSITES {
        for n in 0..count {
            let url = format!("https://{minutes}-{n}.example.com/");
            let regions = ["INDIA", "USA"].map(|region| region.parse().expect("a region")).to_vec();
            let settings = WebsiteSettings { interval_ms: minutes * MINUTE, regions, ..WebsiteSettings::new(url) };
            f.store.add_website(ann, &settings, from).await.expect("a website");
        }
    }
    f.noisy_ticks(from, now).await;
    let ticks = |days: f64| (days * f.ticks_a_day()) as u64;
    let before = f.capacity(now).await;
    let raw = before.used.parts[&Part::Raw];
    assert!(raw > ticks(6.0) * 120, "{raw}");
    f.roll(now).await;
    let looked = seal(&f.store, KEPT, now).await;
    assert!(looked.ticks > ticks(4.9), "{looked:?}");
    if let Some(url) = &f.url {
        let pool = sqlx::PgPool::connect(url).await.expect("Postgres");
        sqlx::query("vacuum analyze").execute(&pool).await.map(|_| ()).expect("a vacuum");
    }
    let found = f.capacity(now).await;
    assert!((found.plan.ticks_a_day() - f.ticks_a_day()).abs() < 1.0, "{:?}", found.plan.loads);
    let mut compared = 0;
    for line in found.lines() {
        let used = line.used.expect("counted");
        println!("{:?}: foretold {}, used {used}", line.part, line.now);
        if used >= SMALL_BYTES {
            compared += 1;
            let ratio = line.now as f64 / used as f64;
            assert!((1.0 - OFF..1.0 + OFF).contains(&ratio), "{:?}: foretold {}, used {used}", line.part, line.now);
        }
    }
    assert!(compared >= 3, "raw, packed and rolled up are all large enough to be compared");
    assert!(found.used.total >= found.used.parts.values().sum::<u64>());
    assert_eq!(found.space.is_some(), f.url.is_none(), "of the disk of Postgres nobody here knows");
    assert!(found.plan.growth_a_day(now) > 0 && found.foretold().1 > found.foretold().0);
}

impl Fixture {
    fn ticks_a_day(&self) -> f64 {
        WEBSITES.iter().map(|(minutes, count)| 2.0 * *count as f64 * 1_440.0 / *minutes as f64).sum()
    }
}

/// Paused ones are not looked at; "all regions" are those that were heard of; jobs report once an hour.
async fn what_is_watched_is_counted_by_interval_and_regions(f: Fixture) {
    assert_eq!(f.store.loads(f.now).await.expect("loads"), []);
    assert_eq!(f.capacity(f.now).await.plan.checks_a_second() as u64, 0);
    let ann = f.account("ann").await.account_id;
    let paused = f.website(ann).await;
    f.store.set_paused(ann, paused.website_id, true, f.now).await.expect("a pause");
    f.website(ann).await;
    f.website(f.account("bob").await.account_id).await;
    let one = f.store.loads(f.now).await.expect("loads");
    assert_eq!(
        one.iter().map(|load| (load.websites, load.regions)).collect::<Vec<_>>(),
        [(2, 1)],
        "one region at least"
    );
    assert_eq!((one[0].interval_ms, one[0].age_ms), (MINUTE, 60 * MINUTE));
    f.execute(
        "insert into region (region_id, created_at) values ('A', 0), ('B', 0), ('C', 0); \
         insert into worker (region_id, worker_id, seen_at, version, concurrency, checks, clock_offset_ms) values \
         ('A', 'w', 9000000000000, '', 1, 0, 0), ('A', 'v', 9000000000000, '', 1, 0, 0), ('B', 'w', 9000000000000, '', 1, 0, 0), \
         ('C', 'w', 1, '', 1, 0, 0)",
    )
    .await;
    let two = f.store.loads(f.now).await.expect("loads");
    assert_eq!((two[0].websites, two[0].regions), (2, 2), "C was not heard of for long");
}

/// What is shown is read of no directory that is not there, and of no table that is empty.
async fn an_installation_without_anything_has_room(f: Fixture) {
    let found = Capacity::read(&f.store, KEPT, Path::new("/nowhere/at/all"), f.now).await.expect("the room");
    assert_eq!((found.space, found.full_in_days(), found.foretold()), (None, None, (0, 0)));
    let json = found.as_json();
    let names: Vec<&str> = json.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "at_full_retention_bytes",
            "checks_per_s",
            "disk_bytes",
            "free_bytes",
            "full_in_days",
            "growth_bytes_per_day",
            "incidents_used_bytes",
            "parts",
            "predicted_bytes",
            "redis_bytes_per_hour_without_hub",
            "retention_days",
            "ticks_per_day",
            "used_bytes",
            "websites",
        ],
        "programs rely on them"
    );
    let parts: Vec<&str> = json["parts"].as_array().into_iter().flatten().filter_map(|p| p["part"].as_str()).collect();
    assert_eq!(parts, ["raw_ticks", "sealed_ticks", "roll_ups", "uptime_days", "state"]);
}

on_both! {
    what_is_foretold_is_near_what_is_used
    what_is_watched_is_counted_by_interval_and_regions
    an_installation_without_anything_has_room
}
