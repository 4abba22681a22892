//! A database full of websites that have been watched for a while, and the slots they have.

use std::ops::Range;

use hub::model::{RegionId, WebsiteId, backoff, slots};
use hub::store::Store;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

/// Of the host's number in the URL.
const DOWN: &str = "split_part(split_part(url, '.', 2), '-', 2)::bigint % 50 = 7";
const DOWN_FOR_MS: i64 = 2 * 86_400_000;

/// Makes one with so many websites: 80 % every minute, 10 % every 30 s, 5 % every 3 minutes, 5 % every 5; each on a host
/// of its own, with ids that grow as those of the product do (UUID v7). Of a million some are always down: 2 %, for two
/// days. Returns its URL.
pub(crate) async fn database(admin: &str, websites: u64) -> String {
    let mut connection = PgConnection::connect(admin).await.unwrap();
    let name = format!("bench_{}", uuid::Uuid::new_v4().simple());
    sqlx::query(AssertSqlSafe(format!("create database {name}"))).execute(&mut connection).await.unwrap();
    let url = format!("{}/{name}", admin.rsplit_once('/').unwrap().0);
    let store = Store::open_postgres(&url).await.unwrap();
    store.migrate(false).await.unwrap();
    store.close().await;
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let now = hub::clock::now();
    for sql in [
        // What is written here refers to what is there, and no hub follows it.
        "set session_replication_role = replica".to_owned(),
        "set synchronous_commit = off".to_owned(),
        format!(
            "insert into account (account_id, username, username_key, password_hash, created_at) values (gen_random_uuid(), 'ann', 'ann', '', {now})"
        ),
        format!(
            "insert into website (website_id, account_id, url, interval_ms, timeout_ms, created_at) \
             select (lpad(to_hex(1700000000000 + n * 1000), 12, '0') || '7' || substr(md5(n::text), 1, 3) || '8' \
             || substr(md5(n::text), 4, 15))::uuid, account_id, 'https://www.host-' || n || '.example.com/health', \
             case when n % 20 < 16 then 60000 when n % 20 < 18 then 30000 when n % 20 = 18 then 180000 else 300000 end, \
             10000, 1 from account, generate_series(1::bigint, {websites}) n"
        ),
        format!(
            "insert into website_state (website_id, verdict, since_at, reason, fresh_until_at) \
             select website_id, case when {DOWN} then 'down' else 'up' end, \
             case when {DOWN} then {now} - {DOWN_FOR_MS} else {now} end, '', {now} + 2 * interval_ms + 25000 from website"
        ),
        format!(
            "insert into region_state (website_id, region_id, worker_id, slot_at, attempt, received_at, outcome, total_us, \
             failing_streak, good_streak, recent) select website_id, 'EU', 'w', 1, 0, {now}, \
             case when {DOWN} then 'down' else 'up' end, 1, case when {DOWN} then 1 else 0 end, \
             case when {DOWN} then 0 else 1 end, decode(repeat('00', 160), 'hex') from website"
        ),
        format!("insert into region (region_id, created_at) values ('EU', {now})"),
        format!(
            "insert into worker (region_id, worker_id, seen_at, version, concurrency, checks, clock_offset_ms) \
             values ('EU', 'w', {now}, '', 1, 0, 0)"
        ),
        "vacuum analyze".to_owned(),
        "checkpoint".to_owned(),
    ] {
        sqlx::query(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    }
    url
}

pub(crate) async fn drop_database(admin: &str, url: &str) {
    let mut connection = PgConnection::connect(admin).await.unwrap();
    let name = url.rsplit_once('/').unwrap().1;
    sqlx::query(AssertSqlSafe(format!("drop database {name} with (force)"))).execute(&mut connection).await.unwrap();
}

/// The slots of all websites, by the contract between hubs, computed without the schedule.
pub(crate) struct Slots {
    region: RegionId,
    /// Phase and interval.
    up: Vec<(u32, u32)>,
    down: Vec<(WebsiteId, i64)>,
}

impl Slots {
    pub(crate) async fn read(url: &str) -> Self {
        let mut connection = PgConnection::connect(url).await.unwrap();
        let sql = format!("select website_id, interval_ms, {DOWN} from website");
        let rows: Vec<(uuid::Uuid, i64, bool)> =
            sqlx::query_as(AssertSqlSafe(sql)).fetch_all(&mut connection).await.unwrap();
        let mut slots = Self { region: "EU".parse().unwrap(), up: Vec::new(), down: Vec::new() };
        for (id, interval_ms, is_down) in rows {
            let id = WebsiteId(id);
            if is_down {
                slots.down.push((id, interval_ms));
            } else {
                let phase_ms = slots::phase_ms(id, &slots.region, interval_ms);
                slots.up.push((u32::try_from(phase_ms).unwrap(), u32::try_from(interval_ms).unwrap()));
            }
        }
        slots
    }

    /// How many lie in each of these seconds.
    pub(crate) fn by_second(&self, seconds: Range<i64>) -> Vec<u64> {
        let mut counts = vec![0; usize::try_from(seconds.end - seconds.start).unwrap()];
        let (from, to) = (seconds.start * 1_000, seconds.end * 1_000);
        let mut count = |phase_ms: i64, interval_ms: i64, is_used: &dyn Fn(i64) -> bool| {
            let mut slot_at = slots::next_slot_at(phase_ms, interval_ms, from);
            while slot_at < to {
                counts[usize::try_from(slot_at.div_euclid(1_000) - seconds.start).unwrap()] +=
                    u64::from(is_used(slot_at));
                slot_at += interval_ms;
            }
        };
        for (phase_ms, interval_ms) in &self.up {
            count(i64::from(*phase_ms), i64::from(*interval_ms), &|_| true);
        }
        for (id, interval_ms) in &self.down {
            let factor = backoff::factor(*interval_ms, DOWN_FOR_MS);
            count(slots::phase_ms(*id, &self.region, *interval_ms), *interval_ms, &|slot_at| {
                backoff::uses(*id, &self.region, *interval_ms, slot_at, factor)
            });
        }
        counts
    }
}
