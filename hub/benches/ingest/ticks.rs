//! The load: websites, and what ten workers in five regions saw of them.

use std::fmt;
use std::time::Duration;

use hub::model::{
    Blame, Certificate, CheckKind, Class, Delays, Failure, Outcome, Phase, Phases, Tick, UtcMs, WebsiteId,
};
use uuid::Uuid;

use crate::Run;
use crate::cpu::Cpu;

const REGIONS: [&str; 5] = ["ASIA", "EUROPE", "INDIA", "OCEANIA", "USA"];
const WORKERS: [&str; 2] = ["w1", "w2"];
const INTERVAL_MS: i64 = 60_000;

pub struct Load {
    pub ticks: usize,
    websites: usize,
    now: UtcMs,
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let streams = REGIONS.len() * WORKERS.len();
        write!(f, "{} ticks of {} websites x {} regions in {streams} streams", self.ticks, self.websites, REGIONS.len())
    }
}

/// Reports in Redis that are not stored and acknowledged.
pub fn waiting(connection: &mut redis::Connection) -> u64 {
    let mut pipe = redis::pipe();
    for (region, worker) in streams() {
        pipe.cmd("XLEN").arg(key(region, worker));
    }
    pipe.query::<Vec<u64>>(connection).expect("XLEN").iter().sum()
}

fn streams() -> impl Iterator<Item = (&'static str, &'static str)> {
    REGIONS.into_iter().flat_map(|region| WORKERS.into_iter().map(move |worker| (region, worker)))
}

fn key(region: &str, worker: &str) -> String {
    format!("betteruptime:tick:{region}:{worker}")
}

impl Load {
    /// Of 20,000 websites, or fewer so that there are four rounds.
    pub fn new(ticks: usize) -> Self {
        let websites = (ticks / REGIONS.len() / 4).clamp(1, 20_000);
        let per_round = websites * REGIONS.len();
        Self { ticks: (ticks / per_round).max(1) * per_round, websites, now: hub::clock::now() }
    }

    fn website_id(n: usize) -> WebsiteId {
        // As a v7 id: ordered by time, random at the end.
        let random = (n as u128 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835) >> 64;
        WebsiteId(Uuid::from_u128((0x0198_0000_0000_7000 + (n as u128 & 0xfff)) << 64 | 0x8 << 60 | random >> 4))
    }

    fn ids(&self) -> Vec<Uuid> {
        (0..self.websites).map(|n| Self::website_id(n).0).collect()
    }

    pub async fn make_websites_postgres(&self, pool: &sqlx::PgPool) {
        let sql = "with a as (insert into account values (gen_random_uuid(), 'a', 'a', '', 0) returning account_id), \
            w as (insert into website (website_id, account_id, url, interval_ms, timeout_ms, created_at) \
            select id, account_id, 'https://www.example.com/' || id, 60000, 10000, 0 from a, unnest($1) id returning website_id) \
            insert into website_state (website_id, verdict, since_at, reason, fresh_until_at) \
            select website_id, 'unknown', 0, 'not checked yet', $2 from w";
        sqlx::query(sql).bind(self.ids()).bind(self.now + 90_000).execute(pool).await.expect("websites");
        sqlx::raw_sql("analyze website; analyze website_state").execute(pool).await.expect("analyze");
    }

    pub async fn make_websites_sqlite(&self, pool: &sqlx::SqlitePool) {
        let mut tx = pool.begin().await.expect("a transaction");
        let account = Uuid::nil();
        sqlx::query(
            "insert into account (account_id, username, username_key, password_hash, created_at) \
            values ($1, 'a', 'a', '', 0)",
        )
        .bind(account)
        .execute(&mut *tx)
        .await
        .expect("an account");
        for id in self.ids() {
            sqlx::query(
                "insert into website (website_id, account_id, url, interval_ms, timeout_ms, created_at) \
                values ($1, $2, 'https://www.example.com/', 60000, 10000, 0)",
            )
            .bind(id)
            .bind(account)
            .execute(&mut *tx)
            .await
            .expect("a website");
            sqlx::query(
                "insert into website_state (website_id, verdict, since_at, reason, fresh_until_at) \
                values ($1, 'unknown', 0, 'not checked yet', $2)",
            )
            .bind(id)
            .bind(self.now + 90_000)
            .execute(&mut *tx)
            .await
            .expect("its state");
        }
        tx.commit().await.expect("a commit");
    }

    /// Writes all ticks as their workers would have, in order of time.
    pub fn fill(&self, url: &str) {
        let mut connection = redis::Client::open(url).and_then(|c| c.get_connection()).expect("Redis");
        let rounds = self.ticks / self.websites / REGIONS.len();
        // Websites in order of their phase, so that a stream's ids grow.
        let phase = |n: usize| n as i64 * INTERVAL_MS / self.websites as i64;
        for (region, worker) in streams() {
            let (key, turn) = (key(region, worker), usize::from(worker == WORKERS[1]));
            for round in 0..rounds {
                let start_at = self.now - (rounds - round) as i64 * INTERVAL_MS;
                let places: Vec<usize> = (0..self.websites).filter(|n| n % 2 == turn).collect();
                for some in places.chunks(1_000) {
                    let mut pipe = redis::pipe();
                    for n in some {
                        let tick = tick(*n, round, region, start_at + phase(*n));
                        let body = probe::wire::encode_tick(&tick, probe::wire::MAX_TICK_BYTES).expect("a tick");
                        pipe.cmd("XADD").arg(&key).arg(format!("{}-*", tick.slot_at + 350));
                        pipe.arg("v").arg(1).arg("kind").arg("tick").arg("body").arg(body).ignore();
                    }
                    pipe.query::<()>(&mut connection).expect("XADD");
                }
            }
        }
    }

    pub fn run(&self, took: Duration, bare_per_second: f64, cpu: (Cpu, Cpu, Cpu)) -> Run {
        let per_tick = |cpu: Cpu| cpu.0.as_secs_f64() * 1e6 / self.ticks as f64;
        Run {
            per_second: self.ticks as f64 / took.as_secs_f64(),
            bare_per_second,
            hub_us: per_tick(cpu.0),
            database_us: per_tick(cpu.1),
            redis_us: per_tick(cpu.2),
        }
    }

    pub fn tell_one(&self, run: &Run, changes: i64, bare: &str) {
        println!(
            "  {:.0} ticks/s, {changes} verdicts changed, {bare} {:.0} rows/s; us of processor per tick: hub {:.1}, \
             database {:.1}, Redis {:.1}",
            run.per_second, run.bare_per_second, run.hub_us, run.database_us, run.redis_us
        );
    }
}

/// Of 200 websites one is down for all regions in the third round, and one region's own trouble shows now and then.
fn tick(n: usize, round: usize, region: &str, slot_at: UtcMs) -> Tick {
    let id = Load::website_id(n);
    let salt = n.wrapping_mul(31).wrapping_add(round.wrapping_mul(17)).wrapping_add(region.len());
    let failure = |class, phase, blame, detail: &str| Some(Failure { class, phase, blame, detail: detail.to_owned() });
    let (outcome, failure) = match (n % 200, round, salt % 500) {
        (7, 2, _) => {
            let detail = "192.0.2.7:443 refused the connection (ECONNREFUSED), 1 of 1 addresses tried";
            (Outcome::Down, failure(Class::ConnectRefused, Phase::Connect, Blame::Target, detail))
        }
        (_, _, 0) => (Outcome::Degraded, failure(Class::Slow, Phase::Judge, Blame::Target, "took 2.1 s, wanted 2 s")),
        _ => (Outcome::Up, None),
    };
    let jitter = (salt % 997) as u32;
    Tick {
        website_id: id,
        slot_at,
        attempt: 0,
        kind: CheckKind::Scheduled,
        started_at: slot_at + 12,
        outcome,
        status: (outcome != Outcome::Down).then_some(200),
        failure,
        phases: Phases {
            dns_us: Some(1_200 + jitter),
            connect_us: Some(20_000 + jitter),
            tls_us: Some(31_000 + jitter),
            send_us: Some(60),
            wait_us: Some(84_000 + jitter),
            receive_us: Some(900),
        },
        total_us: 137_160 + 4 * jitter,
        remote: Some("203.0.113.17:443".parse().expect("an address")),
        body_bytes: 18_000 + jitter,
        truncated: false,
        hops: Vec::new(),
        certificate: Some(Certificate {
            not_after_at: slot_at + 6_000_000_000,
            not_before_at: slot_at - 1_000_000_000,
            issuer: "R11".into(),
            subject: "www.example.com".into(),
            names: vec!["www.example.com".into(), "example.com".into()],
            names_total: 2,
            issuer_organization: Some("Let's Encrypt".into()),
            chain: vec!["R11".into()],
            tls_version: Some("TLSv1.3".into()),
        }),
        answer: None,
        notes: Vec::new(),
        delays: Delays { publish_ms: Some(3), queue_ms: Some(2), thread_us: Some(90), report_us: Some(150) },
    }
}
