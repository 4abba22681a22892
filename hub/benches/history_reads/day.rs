//! One day of ticks, and what was decided in it.

use hub::model::UtcMs;
use hub::model::sealed::DAY_MS;
use sqlx::{AssertSqlSafe, PgPool};

use crate::made;

/// Websites of the account that has many.
pub const WEBSITES: i64 = 1_000;
/// Accounts with one website each, looked at by one region.
pub const SMALL: i64 = 300;
pub const REGIONS: i64 = 5;
/// A website in so many has an outage on a day.
const OUTAGE_IN: i64 = 77;

/// Minutes between two slots of the website with number `k`, from 1.
pub const INTERVAL: &str = "case when k > 1000 then 30 when k <= 50 then 1 when k <= 450 then 5 else 30 end";

/// Ticks of a day.
pub const A_DAY: i64 = REGIONS * (50 * 1_440 + 400 * 288 + 550 * 48) + SMALL * 48;

/// The partition of a day.
pub fn partition(day: UtcMs) -> String {
    let day = jiff::Timestamp::from_millisecond(day).expect("a day").strftime("%Y%m%d").to_string();
    format!("tick_{day}")
}

/// Websites with their numbers and intervals, and the outages of a day: the same whoever asks.
fn websites(day: UtcMs) -> String {
    format!(
        "w as materialized (select website_id, account_id, url, k, {INTERVAL} as minutes, abs(hashtext(k || ':{day}')) as dice \
         from (select website_id, account_id, url, row_number() over (order by website_id) as k from website) n), \
         o as materialized (select *, dice % {OUTAGE_IN} = 0 as has_outage, \
         {day} + (dice / {OUTAGE_IN} % 1300) * 60000::bigint as from_at, \
         {day} + (dice / {OUTAGE_IN} % 1300 + greatest(minutes + 1, 12 + dice / 1000 % 45)) * 60000::bigint as to_at from w)"
    )
}

/// Makes the ticks of a day, into its partition, which is empty then. Not logged: it is made again where it is lost.
pub async fn ticks(pool: &PgPool, day: UtcMs) {
    let table = partition(day);
    // In order of the key: most of it is packed and gone minutes later.
    let slots = format!(
        "with {}, p as (select o.*, r, abs(hashtext(website_id::text || r)) as h from o, generate_series(1, {REGIONS}) r \
         where k <= {WEBSITES} or r = 1), \
         s as (select p.*, {day} + h % (minutes * 60000) + n * minutes * 60000::bigint as slot \
         from p, generate_series(0, 1439) n where n < 1440 / minutes), \
         t as (select website_id, k, 'REGION-' || r as region, r, h, slot, 5000 + h % 150000 as way, \
         2000 + (k * 7919) % 60000 as work, (has_outage and slot >= from_at and slot < to_at) or random() < 0.0003 as down from s)",
        websites(day)
    );
    let insert = made::insert(&table, &slots, "website_id, slot, region");
    for sql in [format!("truncate {table}"), format!("alter table {table} set unlogged"), insert] {
        sqlx::query(AssertSqlSafe(sql)).execute(pool).await.expect("ticks of a day");
    }
}

/// What was decided on a day: two changes of verdict for each outage, and an incident.
pub async fn decided(pool: &PgPool, day: UtcMs) {
    let outages = websites(day);
    let of = |insert: &str| format!("with {outages} {insert} on conflict do nothing");
    let incident = format!("md5(website_id::text || '{day}')::uuid");
    let sql = [
        of("insert into transition (website_id, decided_at, number, at, from_verdict, to_verdict, reason) \
            select website_id, from_at + 4000, 0, from_at, 'up', 'down', \
            '5 of 5 regions down in connect; rule: more than half of reporting, at least two.' from o where has_outage \
            union all select website_id, to_at + 2000, 0, to_at, 'down', 'up', \
            '5 of 5 regions up; rule: more than half of reporting, at least two.' from o where has_outage"),
        of(&format!(
            "insert into incident (incident_id, account_id, kind, cause_key, cause, began_at, opened_at, ended_at, closed_at, \
             closed_as, websites, told_websites, told_at) select {incident}, account_id, 'outage', 'website:' || website_id, \
             'The connection is refused', from_at, from_at + 4000, to_at, to_at + 2000, 'recovered', 1, 1, from_at + 4000 \
             from o where has_outage"
        )),
        of(&format!(
            "insert into incident_website (incident_id, website_id, url, began_at, ended_at) \
             select {incident}, website_id, url, from_at, to_at from o where has_outage"
        )),
        of(&format!(
            "insert into incident_event (event_id, incident_id, at, number, kind, website_id, said) \
             select md5(website_id::text || '{day}' || word)::uuid, {incident}, \
             case word when 'opened' then from_at else to_at end, case word when 'opened' then 1 else 2 end, word, website_id, \
             case word when 'opened' then '5 of 5 regions down in connect.' else '5 of 5 regions up.' end \
             from o, unnest(array['opened', 'closed']) word where has_outage"
        )),
    ];
    for sql in sql {
        sqlx::query(AssertSqlSafe(sql)).execute(pool).await.expect("what was decided");
    }
}

/// What is known now, after a day that is raw still: as ingest would have left it.
pub async fn now_known(pool: &PgPool, day: UtcMs) {
    let (table, end) = (partition(day), day + DAY_MS);
    let low_first = |number: &str, bytes: i32| {
        let byte = |n: i32| format!("set_byte('\\x00'::bytea, 0, (({number} >> {}) & 255)::int)", n * 8);
        (0..bytes).map(byte).collect::<Vec<_>>().join(" || ")
    };
    // The form of model::recent.
    let packed = format!(
        "{} || {} || {} || case outcome when 'up' then '\\x00'::bytea else '\\x02'::bytea end || '\\x00'::bytea",
        low_first("slot_at", 8),
        low_first("total_us", 4),
        low_first("coalesce(status, 0)", 2),
    );
    let states = format!(
        "insert into region_state (website_id, region_id, worker_id, slot_at, attempt, received_at, outcome, class, phase, blame, \
         detail, dns_us, connect_us, tls_us, send_us, wait_us, receive_us, total_us, status, failing_streak, failing_since_at, \
         good_streak, certificate_not_after_at, recent) \
         with n as (select *, row_number() over (partition by website_id, region_id order by slot_at desc) as back from {table}), \
         l as (select website_id, region_id, string_agg({packed}, ''::bytea order by slot_at desc) as recent from n \
         where back <= 10 group by website_id, region_id) \
         select website_id, region_id, worker_id, slot_at, attempt, received_at, outcome, class, phase, blame, detail, dns_us, \
         connect_us, tls_us, send_us, wait_us, receive_us, total_us, status, (outcome <> 'up')::int, \
         case when outcome <> 'up' then slot_at end, case when outcome = 'up' then 40 else 0 end, certificate_not_after_at, recent \
         from n join l using (website_id, region_id) where back = 1"
    );
    let verdicts = format!(
        "update website_state set verdict = 'up', reason = '5 of 5 regions up; rule: more than half of reporting, at least two.', \
         fresh_until_at = {end} + 3600000, since_at = coalesce((select max(at) from transition t \
         where t.website_id = website_state.website_id), since_at)"
    );
    for sql in ["delete from region_state".to_owned(), states, verdicts, format!("alter table {table} set logged")] {
        sqlx::query(AssertSqlSafe(sql)).execute(pool).await.expect("what is known now");
    }
}
