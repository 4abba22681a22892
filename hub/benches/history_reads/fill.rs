//! Days, one after the other, as a hub leaves them: while one is counted and packed, the next is made.

use std::time::{Duration, Instant};

use hub::history::roll_up::{Pace, step};
use hub::model::sealed::{DAY_MS, day_of};
use hub::model::{AccountId, MadeBy, UtcMs, WebsiteSettings};
use hub::store::{DayFate, RolledUp, SealPosition, Store};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, PgPool};

use crate::day::{A_DAY, SMALL, WEBSITES, decided, now_known, ticks};
use crate::{SIZES, beside};

/// An hour is counted so long after its end, and a little.
const COUNTED_AFTER_MS: i64 = 15 * 60_000;
/// Turns in which others may have a day before it is left to the next turn.
const DROPS: usize = 10;

/// Where the filling is; a table of its own, so that it goes on where it was ended.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// Begin of the first day.
    pub first: UtcMs,
    /// Begin of the first day that is not packed.
    pub next: UtcMs,
}

impl Place {
    pub async fn read(pool: &PgPool) -> Option<Self> {
        let found = sqlx::query_as("select first_at, next_at from bench_place").fetch_one(pool).await.ok();
        found.map(|(first, next)| Self { first, next })
    }

    async fn write(self, pool: &PgPool) {
        let sql = format!(
            "create table if not exists bench_place (first_at bigint, next_at bigint); delete from bench_place; \
             insert into bench_place values ({}, {})",
            self.first, self.next
        );
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(pool).await.expect("a place");
    }
}

/// Fills the largest database, and leaves copies on the way.
pub async fn grow(url: &str, ticks_wanted: i64) {
    let (name, _) = SIZES[2];
    let target = beside(url, name);
    let mut admin = PgConnection::connect(url).await.expect("the server");
    let exists: bool = sqlx::query_scalar("select exists (select 1 from pg_database where datname = $1)")
        .bind(name)
        .fetch_one(&mut admin)
        .await
        .expect("databases");
    if !exists {
        sqlx::query(AssertSqlSafe(format!("create database {name}"))).execute(&mut admin).await.expect("a database");
    }
    let (mut store, mut pool) = open(&target).await;
    store.migrate(false).await.expect("the schema");
    let days = (ticks_wanted + A_DAY - 1) / A_DAY;
    let mut place = match Place::read(&pool).await {
        Some(place) => place,
        None => begin(&store, &pool, days).await,
    };
    let last = place.first + (days - 1) * DAY_MS;
    println!("{days} days of {A_DAY} ticks, {} websites; next {}", WEBSITES + SMALL, day_name(place.next));
    make(&store, &pool, place.next).await;
    let (mut pace, began, first) = (Pace::default(), Instant::now(), place.next);
    loop {
        // The day that is raw is the last one of a size, or is counted and packed.
        let day = place.next;
        let made = (day - place.first) / DAY_MS + 1;
        let size = SIZES[..2].iter().find(|(_, least)| (made - 1) * A_DAY < *least && made * A_DAY >= *least);
        if day >= last || size.is_some() {
            count(&store, &mut pace, day).await;
            finish(&pool, day).await;
        }
        if day >= last {
            break;
        }
        if let Some((name, _)) = size {
            store.close().await;
            pool.close().await;
            for sql in
                [format!("drop database if exists {name}"), format!("create database {name} template {}", SIZES[2].0)]
            {
                sqlx::query(AssertSqlSafe(sql)).execute(&mut admin).await.expect("a copy");
            }
            println!("{name}: {} ticks", made * A_DAY);
            (store, pool) = open(&target).await;
        }
        let making = async {
            let began = Instant::now();
            make(&store, &pool, day + DAY_MS).await;
            began.elapsed()
        };
        let packing = async {
            let began = Instant::now();
            count(&store, &mut pace, day).await;
            let (counted, began) = (began.elapsed(), Instant::now());
            let (one, other) = tokio::join!(pack(&store, day), pack(&store, day));
            (one + other, counted, began.elapsed())
        };
        let (making, (mut packed, counted, packing)) = tokio::join!(making, packing);
        // What one left to the other.
        packed += pack(&store, day).await;
        let mut drops = 0;
        loop {
            let mut stays = false;
            for ended in store.ended_days(day + DAY_MS).await.expect("days") {
                match store.drop_day(&ended).await.expect("a day") {
                    DayFate::Gone => {}
                    DayFate::Stays => stays = true,
                    DayFate::Unclean => store.clean_up_day(&ended).await.expect("cleaned up"),
                }
            }
            if !stays {
                break;
            }
            drops += 1;
            assert!(drops < DROPS, "a day does not go");
        }
        place.next += DAY_MS;
        place.write(&pool).await;
        let (done, left) = ((place.next - first) / DAY_MS, (last - place.next) / DAY_MS + 1);
        let ends_in = began.elapsed() / u32::try_from(done).unwrap_or(1) * u32::try_from(left).unwrap_or(0);
        println!(
            "{}: {packed} packed; counted in {:.1} s, packed in {:.1} s, next made in {:.1} s; {} ticks in all, {:.1} GB; ends in {} min",
            day_name(day),
            counted.as_secs_f64(),
            packing.as_secs_f64(),
            making.as_secs_f64(),
            (made + 1) * A_DAY,
            size_gb(&pool).await,
            ends_in.as_secs() / 60,
        );
    }
    store.close().await;
    println!("{name}: {} ticks, done in {} s", days * A_DAY, began.elapsed().as_secs());
}

async fn open(url: &str) -> (Store, PgPool) {
    (Store::open_postgres(url).await.expect("a store"), PgPool::connect(url).await.expect("Postgres"))
}

/// Accounts, websites, regions; hours and days are counted from the first day on.
async fn begin(store: &Store, pool: &PgPool, days: i64) -> Place {
    let first = day_of(hub::clock::now()) - days * DAY_MS;
    let settings = |n: i64, interval_ms: i64, regions: &[&str]| WebsiteSettings {
        interval_ms,
        regions: regions.iter().map(|region| region.parse().expect("a region")).collect(),
        ..WebsiteSettings::new(format!("https://www{n}.example.com/"))
    };
    let account = |name: String| async move {
        let made = store.create_account(&name, "hash", MadeBy::Owner, first).await.expect("an account");
        made.account_id
    };
    let add = |account: AccountId, settings: WebsiteSettings| async move {
        store.add_website(account, &settings, first).await.expect("a website");
    };
    let ann = account("ann".to_owned()).await;
    for n in 1..=WEBSITES {
        let minutes = if n <= 50 {
            1
        } else if n <= 450 {
            5
        } else {
            30
        };
        add(ann, settings(n, minutes * 60_000, &[])).await;
    }
    for n in 1..=SMALL {
        let small = account(format!("small{n}")).await;
        add(small, settings(WEBSITES + n, 30 * 60_000, &["REGION-1"])).await;
    }
    // They are up, if nothing is decided.
    sqlx::raw_sql(
        "update website_state set verdict = 'up'; insert into region (region_id, created_at) select 'REGION-' || r, 0 from generate_series(1, 5) r on conflict do nothing; \
         analyze",
    )
    .execute(pool)
    .await
    .expect("regions");
    let begun = store.roll_up_some(first + COUNTED_AFTER_MS, 1).await.expect("a begin");
    assert_eq!(begun, RolledUp::Nothing);
    let place = Place { first, next: first };
    place.write(pool).await;
    place
}

async fn make(store: &Store, pool: &PgPool, day: UtcMs) {
    store.ensure_partitions(day + DAY_MS / 2).await.expect("partitions");
    ticks(pool, day).await;
    decided(pool, day).await;
}

/// Counts the hours of a day, and the day.
async fn count(store: &Store, pace: &mut Pace, day: UtcMs) {
    let now = day + DAY_MS + COUNTED_AFTER_MS;
    while step(store, pace, now).await.expect("a count") != RolledUp::Nothing {}
}

/// Packs what is left of a day; returns how many ticks.
async fn pack(store: &Store, day: UtcMs) -> u64 {
    let (before, now) = (day + DAY_MS, day + DAY_MS + DAY_MS / 4);
    let (mut position, mut ticks) = (Some(SealPosition::default()), 0);
    while let Some(from) = position {
        let step = store.seal_some(from, before, now).await.expect("a step");
        ticks += step.ticks;
        position = step.next;
    }
    ticks
}

/// As the database's own care would leave it after a while.
async fn finish(pool: &PgPool, day: UtcMs) {
    now_known(pool, day).await;
    sqlx::query("vacuum analyze").execute(pool).await.expect("a vacuum");
    sqlx::query("checkpoint").execute(pool).await.expect("a checkpoint");
}

async fn size_gb(pool: &PgPool) -> f64 {
    let sql = "select pg_database_size(current_database())::float8 / 1e9";
    tokio::time::timeout(Duration::from_secs(5), sqlx::query_scalar(sql).fetch_one(pool))
        .await
        .map_or(0.0, |size| size.expect("a size"))
}

fn day_name(day: UtcMs) -> String {
    jiff::Timestamp::from_millisecond(day).map(|at| at.strftime("%Y-%m-%d").to_string()).unwrap_or_default()
}
