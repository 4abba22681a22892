//! The table that comes to mind first: a row for each result, with an id, and an index for "the newest of a website".

use std::time::Instant;

use hub::model::sealed::{DAY_MS, day_of};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, PgPool};
use uuid::Uuid;

use crate::beside;
use crate::day::{A_DAY, INTERVAL, REGIONS, SMALL, WEBSITES};
use crate::timing::{Times, table};

const DATABASE: &str = "history_naive";
const ONE: usize = 100;
/// Questions that read all of a website's history.
const LONG: usize = 30;

fn id(number: &str) -> String {
    format!("md5('website ' || {number})::uuid")
}

/// Makes it with a day, with ten, and with `most`, each with the same last day. A hundred million rows take 16 GB, and 4 more while
/// the indexes are made.
pub async fn grow(url: &str, most: i64) {
    let mut admin = PgConnection::connect(url).await.expect("the server");
    let _ = sqlx::query(AssertSqlSafe(format!("create database {DATABASE}"))).execute(&mut admin).await;
    let mut pool = PgConnection::connect(&beside(url, DATABASE)).await.expect("Postgres");
    let until = day_of(hub::clock::now());
    for days in [1, 10, most] {
        let name = format!("naive_{days}d");
        let began = Instant::now();
        // Not logged: it can be made again, and is read alike.
        let create = format!(
            "drop table if exists {name}; create unlogged table {name} (id uuid not null, website_id uuid not null, \
             region text not null, status text not null, response_time_ms int not null, created_at timestamptz not null)"
        );
        sqlx::raw_sql(AssertSqlSafe(create)).execute(&mut pool).await.expect("a table");
        for day in (1..=days).rev().map(|back| until - back * DAY_MS) {
            let sql = format!(
                "insert into {name} with w as (select k, {} as id, {INTERVAL} as minutes, r, abs(hashtext(k || 'r' || r)) as h \
                 from generate_series(1, {}) k, generate_series(1, {REGIONS}) r where k <= {WEBSITES} or r = 1), \
                 s as (select *, {day} + h % (minutes * 60000) + n * minutes * 60000::bigint as slot \
                 from w, generate_series(0, 1439) n where n < 1440 / minutes) \
                 select gen_random_uuid(), id, 'REGION-' || r, case when random() < 0.001 then 'DOWN' else 'UP' end, \
                 (20 + h % 150 + random() * 40)::int, to_timestamp(slot / 1000.0) from s order by slot",
                id("k"),
                WEBSITES + SMALL
            );
            sqlx::query(AssertSqlSafe(sql)).execute(&mut pool).await.expect("a day");
        }
        for sql in [
            format!("alter table {name} add primary key (id)"),
            format!("create index on {name} (website_id, created_at desc)"),
            format!("vacuum analyze {name}"),
        ] {
            sqlx::query(AssertSqlSafe(sql)).execute(&mut pool).await.expect("an index");
        }
        println!("{name}: {} rows in {} s", days * A_DAY, began.elapsed().as_secs());
    }
}

/// The same questions.
pub async fn measure(url: &str) {
    let Ok(pool) = PgPool::connect(&beside(url, DATABASE)).await else { return println!("{DATABASE} is not there.") };
    let sql = format!("select {} from generate_series(1, {WEBSITES}) k order by k", id("k"));
    let websites: Vec<Uuid> = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&pool).await.expect("websites");
    let questions = [
        (
            "the newest 10 of each of 1,000 websites",
            "select count(t.id) from unnest($1) w (id) cross join lateral (select id, status, response_time_ms, created_at \
             from NAIVE where website_id = w.id order by created_at desc limit 10) t",
            LONG,
        ),
        (
            "p95 by region, 90 d, of one website",
            "select count(*) from (select region, percentile_disc(0.95) within group (order by response_time_ms) from NAIVE \
             where website_id = $1[1] and created_at >= now() - interval '90 days' group by region) r",
            LONG,
        ),
        (
            "uptime, 90 d, of one website",
            "select count(*) from NAIVE where website_id = $1[1] and created_at >= now() - interval '90 days' \
             and status = 'UP' having count(*) > 0",
            LONG,
        ),
        (
            "the newest 100 of one website",
            "select count(*) from (select * from NAIVE where website_id = $1[1] order by created_at desc limit 100) n",
            ONE,
        ),
    ];
    let mut lines: Vec<(String, Vec<String>)> =
        questions.iter().map(|(question, _, _)| ((*question).to_owned(), Vec::new())).collect();
    let mut sizes = Vec::new();
    // What is there, by its size.
    let sql = "select relname::text, reltuples::bigint, (pg_total_relation_size(oid) / 1000000)::bigint from pg_class \
        where relname like 'naive\\_%d' and relkind = 'r' order by reltuples";
    let tables: Vec<(String, i64, i64)> = sqlx::query_as(sql).fetch_all(&pool).await.expect("tables");
    for (name, rows, mb) in tables {
        println!("{name}: {rows} rows, {mb} MB with its indexes");
        sizes.push(name.clone());
        for ((_, sql, count), (_, times)) in questions.iter().zip(&mut lines) {
            let sql = sql.replace("NAIVE", &name);
            let of_all = count == &LONG && sql.contains("unnest");
            let asked = Times::of(*count, async |n| {
                let ids = if of_all { websites.clone() } else { vec![websites[n * 7_919 % websites.len()]] };
                let query = sqlx::query_scalar::<_, i64>(AssertSqlSafe(sql.clone())).bind(ids);
                query.fetch_optional(&pool).await.expect("an answer");
            });
            times.push(asked.await.words());
        }
    }
    println!();
    table("the rival's table", &sizes, &lines);
}
