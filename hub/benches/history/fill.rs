//! Days of ticks, made in the database in the order they would have come.

use std::time::{Duration, Instant};

use hub::model::sealed::{DAY_MS, settled_before};
use hub::model::{CheckKind, Delays, MadeBy, Outcome, Phases, StoredTick, Tick, UtcMs, Website, WebsiteSettings};
use hub::store::Store;
use sqlx::PgPool;

use crate::made;

const REGIONS: i64 = 5;
const A_DAY: i64 = REGIONS * 1_440;
const MOST_WEBSITES: i64 = 1_000;

/// What was made.
pub struct Filled {
    pub ticks: i64,
    pub days: i64,
    pub websites: Vec<Website>,
}

/// Whole days that have settled, as many as come near so many ticks.
pub async fn days(store: &Store, pool: &PgPool, ticks: i64) -> Filled {
    let websites = (ticks / A_DAY).clamp(1, MOST_WEBSITES);
    let days = (ticks / A_DAY / websites).max(1);
    let now = hub::clock::now();
    let account = store.create_account("ann", "hash", MadeBy::Owner, now).await.expect("an account").account_id;
    let mut made = Vec::new();
    for n in 0..websites {
        let settings =
            WebsiteSettings { interval_ms: 60_000, ..WebsiteSettings::new(format!("https://www{n}.example.com/")) };
        made.push(store.add_website(account, &settings, now - 400 * DAY_MS).await.expect("a website"));
    }
    let until = settled_before(now);
    for day in (1..=days).rev() {
        store.ensure_partitions(until - day * DAY_MS).await.expect("partitions");
        one_day(pool, until - day * DAY_MS).await;
    }
    sqlx::query("vacuum analyze tick").execute(pool).await.expect("a vacuum");
    Filled { ticks: websites * days * A_DAY, days, websites: made }
}

async fn one_day(pool: &PgPool, day: UtcMs) {
    let slots = format!(
        "with w as (select website_id, row_number() over (order by website_id) as k from website), \
         p as (select website_id, k, r, abs(hashtext(website_id::text || r)) as h from w, generate_series(1, {REGIONS}) r), \
         t as (select website_id, k, 'REGION-' || r as region, r, h, {day} + h % 60000 + s * 60000 as slot, 5000 + h % 150000 as way, \
               2000 + (k * 7919) % 60000 as work, (s + k * 37) % 1440 < 2 and k % 3 = 0 as down \
               from generate_series(0, 1439) s, p)"
    );
    let sql = made::insert("tick", &slots, "slot");
    sqlx::query(sqlx::AssertSqlSafe(sql)).execute(pool).await.expect("a day");
}

/// The table that comes to mind first, and what it takes.
pub async fn naive(pool: &PgPool) -> (f64, f64) {
    let sql = "create table naive as select gen_random_uuid() as id, website_id, region_id as region, upper(outcome) as status, \
        (total_us / 1000)::int as response_time_ms, to_timestamp(slot_at / 1000.0) as created_at from tick; \
        alter table naive add primary key (id); create index on naive (website_id, created_at desc)";
    sqlx::raw_sql(sql).execute(pool).await.expect("a table");
    let sizes = "select pg_table_size('naive')::float8, pg_indexes_size('naive')::float8";
    let found = sqlx::query_as(sizes).fetch_one(pool).await.expect("sizes");
    sqlx::query("drop table naive").execute(pool).await.expect("a drop");
    found
}

/// Ticks of now stored a second, by one batch after another, for so long.
pub async fn ingest_rate(store: &Store, filled: &Filled, time: Duration) -> f64 {
    let (began, mut stored, mut slot_at) = (Instant::now(), 0, hub::clock::now() - 3_600_000);
    while began.elapsed() < time {
        slot_at += 1;
        let tick = |website: &Website| {
            StoredTick::received(
                "REGION-1".parse().unwrap(),
                "w".parse().unwrap(),
                slot_at + 9,
                Tick {
                    website_id: website.website_id,
                    slot_at,
                    attempt: 0,
                    kind: CheckKind::Scheduled,
                    started_at: slot_at,
                    outcome: Outcome::Up,
                    failure: None,
                    phases: Phases { connect_us: Some(900), wait_us: Some(90_000), ..Phases::default() },
                    total_us: 90_900,
                    status: Some(200),
                    remote: None,
                    body_bytes: 5,
                    truncated: false,
                    hops: Vec::new(),
                    certificate: None,
                    answer: None,
                    notes: Vec::new(),
                    delays: Delays::default(),
                },
            )
        };
        let batch: Vec<_> = filled.websites.iter().cycle().take(500.min(filled.websites.len())).map(tick).collect();
        stored += store.ingest(&batch, slot_at + 10).await.expect("ingest").new;
    }
    stored as f64 / began.elapsed().as_secs_f64()
}
