//! Hubs that pack history and are killed while they do: nothing is lost, nothing is there twice.

use std::time::Duration;

use hub::history::seal::Looked;
use hub::model::retention::Retention;
use hub::model::sealed::{DAY_MS, day_of, settled_before};
use hub::model::{MadeBy, StoredTick, UtcMs, Website, WebsiteSettings};
use hub::store::Store;

use crate::process::{Hub, KEY, run_to_its_end, run_to_its_end_within};
use crate::services::{self, wait_until};
use crate::store::sealed::seal;

const WEBSITES: usize = 40;
const DAYS: i64 = 4;
const STEP_MS: i64 = 600_000;
const KEPT: Retention = Retention { days: 3 };

/// A database with days of ticks in it, written past the store: as many as that take long to come in.
struct World {
    store: Store,
    url: Option<String>,
    directory: tempfile::TempDir,
    websites: Vec<Website>,
    /// When all of it is past, or settled.
    now: UtcMs,
}

macro_rules! raw {
    ($self:expr, $pool:ident => $body:expr) => {
        match &$self.url {
            Some(url) => {
                let $pool = &sqlx::PgPool::connect(url).await.expect("Postgres");
                $body
            }
            None => {
                let file = $self.directory.path().join("data/betteruptime.sqlite");
                let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file);
                let $pool = &sqlx::SqlitePool::connect_with(options).await.expect("SQLite");
                $body
            }
        }
    };
}

pub const COLUMNS: &str = "website_id, slot_at, region_id, attempt, worker_id, received_at, kind, started_at, outcome, class, phase, \
    blame, detail, dns_us, connect_us, tls_us, send_us, wait_us, receive_us, total_us, status, remote, body_bytes, truncated, \
    certificate_not_after_at, certificate_issuer, certificate_subject, tls_version, notes, publish_ms, queue_ms, thread_us, \
    report_us";
/// `w` is a website, `r` a region, `n` a slot.
const VALUES: &str = "website_id, at, r, 0, 'w1', at + 90 + n % 7, 'scheduled', at + n % 5, \
    case when n % 90 < 3 then 'down' else 'up' end, case when n % 90 < 3 then 'first_byte_timeout' end, \
    case when n % 90 < 3 then 'wait' end, case when n % 90 < 3 then 'target' end, \
    case when n % 90 < 3 then 'No answer.' end, 900 + n * 7919 % 300, 40000 + n * 104729 % 900, 42000 + n * 15485863 % 1500, \
    30 + n % 9, 60000 + n * 32452843 % 9000, 400 + n * 49979687 % 100, 150000 + n * 7919 % 300, 200, '203.0.113.7:443', 23456, \
    n % 50 = 0, 1900000000000, 'R11', 'www.example.com', 'TLSv1.3', '', n % 4, n % 3, 80 + n % 40, 140 + n % 60";

impl World {
    async fn new(is_postgres: bool) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(directory.path().join("data")).expect("a directory");
        let url = if is_postgres { Some(services::database().await) } else { None };
        let store = match &url {
            Some(url) => Store::open_postgres(url).await.expect("a store"),
            None => Store::open_sqlite(&directory.path().join("data")).await.expect("a store"),
        };
        store.migrate(false).await.expect("migrations");
        let now = hub::clock::now();
        let ann = store.create_account("ann", "hash", MadeBy::Owner, now).await.expect("an account").account_id;
        let mut websites = Vec::new();
        for n in 0..WEBSITES {
            let settings = WebsiteSettings::new(format!("https://{n}.example.com/"));
            let website = store.add_website(ann, &settings, now).await.expect("a website");
            // Nobody is to look at it.
            store.set_paused(ann, website.website_id, true, now).await.expect("a pause");
            websites.push(website);
        }
        let world = Self { store, url, directory, websites, now };
        // One day more than is kept: of that, everything goes.
        let until = settled_before(now);
        let from = day_of(now) - DAY_MS * (DAYS + 1);
        world.store.ensure_partitions(from).await.expect("partitions");
        let slots = (until - from) / STEP_MS;
        raw!(world, pool => {
            let sql = format!(
                "insert into tick ({COLUMNS}) with recursive s (n) as (select cast(0 as bigint) union all select n + 1 from s where n + 1 < {slots}), \
                 r (r) as (select 'INDIA' union all select 'USA'), \
                 t as (select website_id, r, n, {from} + 17000 + n * {STEP_MS} as at from website, r, s) select {VALUES} from t"
            );
            sqlx::query(sqlx::AssertSqlSafe(sql)).execute(pool).await.expect("ticks");
        });
        world
    }

    async fn all(&self) -> Vec<Vec<StoredTick>> {
        let mut all = Vec::new();
        for website in &self.websites {
            let mut ticks: Vec<StoredTick> = Vec::new();
            loop {
                let slots = KEPT.kept_from(self.now)..=UtcMs::MAX;
                let (account, id) = (website.account_id, website.website_id);
                let more = self.store.ticks_in_order(account, id, &slots, ticks.last(), 1_000).await.expect("ticks");
                if more.is_empty() {
                    break;
                }
                ticks.extend(more);
            }
            all.push(ticks);
        }
        all
    }

    async fn counts(&self) -> (i64, i64) {
        let kept = KEPT.kept_from(self.now);
        let raw = format!("select count(*) from tick where slot_at >= {kept}");
        let packed = format!("select cast(coalesce(sum(ticks), 0) as bigint) from sealed_tick where from_at >= {kept}");
        raw!(self, pool => (
            sqlx::query_scalar(sqlx::AssertSqlSafe(raw)).fetch_one(pool).await.expect("a count"),
            sqlx::query_scalar(sqlx::AssertSqlSafe(packed)).fetch_one(pool).await.expect("a count"),
        ))
    }

    async fn reopen(&mut self) {
        if self.url.is_none() {
            self.store = Store::open_sqlite_beside(&self.directory.path().join("data")).await.expect("a store");
        }
    }
}

async fn survives_kills(mut world: World) {
    let before = world.all().await;
    let in_all: usize = before.iter().map(Vec::len).sum();
    let kept: i64 = in_all.try_into().unwrap();
    assert!(kept > 20_000, "{kept}");
    assert_eq!(world.counts().await, (kept, 0));
    if world.url.is_none() {
        world.store.close().await; // a hub's own file
        world.reopen().await;
    }
    let days = KEPT.days.to_string();
    let url = world.url.clone().unwrap_or_default();
    let mut environment = vec![("RETENTION_DAYS", days.as_str()), ("JWT_SECRET_KEY", KEY)];
    if world.url.is_some() {
        environment.push(("DATABASE_URL", &url));
    }
    let directory = world.directory.path().to_owned();
    let (mut seen, mut kills) = (Vec::new(), 0);
    // Between writing and committing, and after it.
    for point in ["seal.packed:3", "seal.sealed:4", "seal.packed:1"] {
        let environment = [&environment[..], &[("FAIL_POINT", point)]].concat();
        let log = tokio::task::block_in_place(|| run_to_its_end(&directory, &environment));
        assert!(log.contains("ends at the fail point"), "{log}");
        let (raw, packed) = world.counts().await;
        assert_eq!(raw + packed, kept, "after {point}");
        seen.push(packed);
    }
    // At any moment: kill -9.
    let mut moment = 0x9E37_79B9_u32;
    while kills < 10 {
        moment = moment.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let hub = tokio::task::block_in_place(|| Hub::start(&directory, &environment));
        tokio::time::sleep(Duration::from_millis(1_000 + u64::from(moment >> 22))).await;
        tokio::task::block_in_place(|| {
            hub.process.signal("KILL");
            drop(hub);
        });
        kills += 1;
        let (raw, packed) = world.counts().await;
        assert_eq!(raw + packed, kept, "after kill {kills}");
        seen.push(packed);
    }
    println!("packed of {kept} after each end: {seen:?}");
    assert!(seen[12] > seen[2], "hubs were killed before they did anything: {seen:?}");
    if world.url.is_some() {
        let environment = [&environment[..], &[("FAIL_POINT", "seal.dropped:2")]].concat();
        let bound = Duration::from_secs(180);
        let log = tokio::task::block_in_place(|| run_to_its_end_within(bound, &directory, &environment));
        assert!(log.contains("ends at the fail point"), "{log}");
        assert_eq!(world.counts().await, (0, kept), "killed while it dropped days");
    }
    // Two that are left in peace finish it together.
    let finish = async |store: &Store| seal(store, KEPT, world.now).await;
    let (one, two) = match &world.url {
        Some(url) => {
            let other = Store::open_postgres(url).await.expect("a store");
            tokio::join!(finish(&world.store), finish(&other))
        }
        None => (finish(&world.store).await, Looked::default()),
    };
    let rest = finish(&world.store).await;
    println!("the rest: {one:?} {two:?} {rest:?}");
    let after = world.all().await;
    assert_eq!(after.iter().map(Vec::len).sum::<usize>(), in_all);
    for (after, before) in after.iter().zip(&before) {
        assert!(after == before, "content");
    }
    assert_eq!(world.counts().await, (0, kept), "all of it is settled");
    let left = raw!(world, pool => sqlx::query_scalar::<_, i64>("select cast((select count(*) from tick) + \
        (select coalesce(sum(ticks), 0) from sealed_tick) as bigint)").fetch_one(pool).await.unwrap());
    assert_eq!(left, kept, "what is past retention is gone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_that_is_killed_while_it_packs_loses_nothing_and_doubles_nothing_on_postgres() {
    survives_kills(World::new(true).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_that_is_killed_while_it_packs_loses_nothing_and_doubles_nothing_on_sqlite() {
    survives_kills(World::new(false).await).await;
}

/// A real hub, and the commands.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_packs_by_itself_and_its_commands_tell_of_it() {
    let world = World::new(true).await;
    let url = world.url.clone().unwrap();
    let environment = [("RETENTION_DAYS", "3"), ("JWT_SECRET_KEY", KEY), ("DATABASE_URL", url.as_str())];
    let want: usize = world.all().await.first().map(Vec::len).unwrap();
    let mut hub = tokio::task::block_in_place(|| Hub::start(world.directory.path(), &environment));
    let log = || hub.process.log();
    tokio::task::block_in_place(|| {
        wait_until("the first look to end", Duration::from_secs(120), || {
            log().contains("Days that have passed were packed")
        });
    });
    assert_eq!(world.counts().await.0, 0);
    let from = jiff::Timestamp::from_millisecond(KEPT.kept_from(world.now)).unwrap().to_string();
    let id = world.websites[0].website_id.to_string();
    let run = |words: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_betteruptime-hub"))
            .args(words)
            .args([id.as_str(), "--from", &from])
            .env_clear()
            .envs(environment)
            .output()
            .expect("the command");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (code, shown) = tokio::task::block_in_place(|| run(&["history", "show"]));
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("INDIA") && shown.lines().count() > 4, "{shown}");
    let (code, exported) = tokio::task::block_in_place(|| run(&["history", "export"]));
    assert_eq!((code, exported.lines().count()), (Some(0), want));
    raw!(world, pool => {
        let sql = "update sealed_tick set damaged_at = 1, damage = 'x' where (website_id, from_at) in \
            (select website_id, max(from_at) from sealed_tick group by website_id)";
        sqlx::query(sql).execute(pool).await.expect("damage");
    });
    let (code, exported) = tokio::task::block_in_place(|| run(&["history", "export"]));
    assert!(code == Some(1) && exported.lines().count() < want, "{code:?}");
    assert_eq!(hub.process.terminate(), Some(0));
}
