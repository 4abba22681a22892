//! A day in minutes: the real probe with a real Redis, and targets of every kind. By default as many checks as 200
//! websites need in 24 hours at one a minute; RSS, threads and descriptors must stay flat after the first quarter.
//!
//! `cargo bench -p probe --bench soak` ; `-- --checks 20000` for a short one.

#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark that cannot set itself up has failed")]

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use probe::clock::wall;
use probe::wire::{
    self, BODY_FIELD, Check, CheckKind, Content, Expectations, KIND_CHECK, KIND_FIELD, MAX_CHECK_BYTES, Report,
    RequestOptions, Target, VERSION, VERSION_FIELD, WebsiteId,
};
use testbed::pki;
use testbed::server::Server;

const CHECKS: &str = "betteruptime:website:eu";
const TICKS: &str = "betteruptime:tick:eu:soak";
/// 200 websites x 24 h x 60.
const DAY: u64 = 288_000;
/// Lines of the table.
const SAMPLES: u64 = 24;
/// Waiting in the queue at most: the worker is never idle, and Redis stays small.
const AHEAD: u64 = 1_000;
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let wanted = arguments.iter().position(|a| a == "--checks").and_then(|at| arguments.get(at + 1)?.parse().ok());
    let total: u64 = wanted.unwrap_or(DAY);
    let targets = Targets::start();
    let (mut redis, port) = Process::redis();
    let mut connection = redis::Client::open(format!("redis://127.0.0.1:{port}")).unwrap().get_connection().unwrap();
    let group = ["CREATE", CHECKS, "eu", "0", "MKSTREAM"];
    let () = redis::cmd("XGROUP").arg(&group).query(&mut connection).unwrap();
    let mut probe = Process::probe(port);
    println!(
        "{:>9} {:>9} {:>9} {:>8} {:>12} {:>9}",
        "checks", "seconds", "RSS KiB", "threads", "descriptors", "checks/s"
    );
    let started = Instant::now();
    let mut samples: Vec<Sample> = Vec::new();
    let (mut sent, mut next) = (0u64, total / SAMPLES);
    loop {
        let waiting: u64 = redis::cmd("XLEN").arg(CHECKS).query(&mut connection).unwrap();
        let pending: (u64, redis::Value, redis::Value, redis::Value) =
            redis::cmd("XPENDING").arg(CHECKS).arg("eu").query(&mut connection).unwrap();
        let done = sent.saturating_sub(waiting);
        if waiting < AHEAD && sent < total {
            let mut pipe = redis::pipe();
            for _ in 0..(AHEAD - waiting).min(total - sent) {
                add(&mut pipe, targets.check(sent));
                sent += 1;
            }
            let _: Vec<String> = pipe.query(&mut connection).unwrap();
        }
        trim(&mut connection, pending.0);
        if done >= next || done >= total {
            let sample = Sample::of(&probe, done, started.elapsed());
            sample.print(samples.last());
            samples.push(sample);
            next += total / SAMPLES;
        }
        if done >= total {
            break;
        }
        assert!(probe.child.try_wait().unwrap().is_none(), "the probe ended by itself");
        std::thread::sleep(Duration::from_millis(20));
    }
    judge(&samples, &outcomes(&mut connection));
    probe.end();
    redis.end();
}

/// Acknowledged checks are deleted, as the hub does, and of the ticks the newest are kept.
fn trim(connection: &mut redis::Connection, pending: u64) {
    let groups: Vec<std::collections::HashMap<String, redis::Value>> =
        redis::cmd("XINFO").arg("GROUPS").arg(CHECKS).query(connection).unwrap();
    let last: String = redis::from_redis_value(groups[0]["last-delivered-id"].clone()).unwrap();
    let oldest = if pending > 0 {
        let summary: (u64, String, String, redis::Value) =
            redis::cmd("XPENDING").arg(CHECKS).arg("eu").query(connection).unwrap();
        summary.1
    } else {
        // Delivered and acknowledged, the last one included.
        let (ms, number) = last.split_once('-').unwrap();
        format!("{ms}-{}", number.parse::<u64>().unwrap() + 1)
    };
    let _: u64 = redis::cmd("XTRIM").arg(CHECKS).arg("MINID").arg(oldest).query(connection).unwrap();
    let _: u64 = redis::cmd("XTRIM").arg(TICKS).arg("MAXLEN").arg(2_000).query(connection).unwrap();
}

fn add(pipe: &mut redis::Pipeline, check: Check) {
    let body = wire::encode(&check, MAX_CHECK_BYTES).unwrap();
    pipe.cmd("XADD").arg(CHECKS).arg("*").arg(VERSION_FIELD).arg(VERSION);
    pipe.arg(KIND_FIELD).arg(KIND_CHECK).arg(BODY_FIELD).arg(body);
}

/// Outcome and class of the newest ticks, counted.
fn outcomes(connection: &mut redis::Connection) -> Vec<(String, usize)> {
    type Fields = Vec<(Vec<u8>, Vec<u8>)>;
    let entries: Vec<(String, Fields)> = redis::cmd("XRANGE").arg(TICKS).arg("-").arg("+").query(connection).unwrap();
    let mut counts = std::collections::BTreeMap::new();
    for (_, fields) in entries {
        match wire::decode_report(fields.iter().map(|(n, v)| (n.as_slice(), v.as_slice()))) {
            Ok(Report::Tick(tick)) => {
                let class = tick.failure.map_or_else(String::new, |failure| format!(" {}", failure.class));
                *counts.entry(format!("{}{class}", tick.outcome)).or_insert(0) += 1;
            }
            Ok(Report::Heartbeat(beat)) => println!("a heartbeat: {beat:?}"),
            Ok(Report::DeadLetter(_)) | Err(_) => {}
        }
    }
    counts.into_iter().collect()
}

struct Sample {
    checks: u64,
    seconds: f64,
    rss_kib: u64,
    threads: u64,
    descriptors: u64,
}

impl Sample {
    fn of(probe: &Process, checks: u64, elapsed: Duration) -> Self {
        let pid = probe.child.id();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse().unwrap()
        };
        let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count() as u64;
        let seconds = elapsed.as_secs_f64();
        Self { checks, seconds, rss_kib: field("VmRSS:"), threads: field("Threads:"), descriptors }
    }

    fn print(&self, before: Option<&Self>) {
        let (checks, seconds) = before.map_or((0, 0.0), |before| (before.checks, before.seconds));
        let rate = (self.checks - checks) as f64 / (self.seconds - seconds).max(0.001);
        let Self { checks, seconds, rss_kib, threads, descriptors } = self;
        println!("{checks:>9} {seconds:>9.1} {rss_kib:>9} {threads:>8} {descriptors:>12} {rate:>9.0}");
    }
}

/// The first quarter warms up; from there on a leak shows as a slope.
fn judge(samples: &[Sample], outcomes: &[(String, usize)]) {
    let settled = &samples[samples.len() / 4..];
    let (Some(first), Some(last)) = (settled.first(), settled.last()) else { return };
    let per_100k = |a: u64, b: u64| (b as f64 - a as f64) * 100_000.0 / (last.checks - first.checks).max(1) as f64;
    let range = |of: fn(&Sample) -> u64| (settled.iter().map(of).min().unwrap(), settled.iter().map(of).max().unwrap());
    let (rss, threads, descriptors) = (range(|s| s.rss_kib), range(|s| s.threads), range(|s| s.descriptors));
    println!(
        "\nafter the first quarter: RSS {} to {} KiB ({:+.1} KiB per 100,000 checks), threads {} to {}, descriptors {} to {}",
        rss.0,
        rss.1,
        per_100k(first.rss_kib, last.rss_kib),
        threads.0,
        threads.1,
        descriptors.0,
        descriptors.1
    );
    println!("newest ticks:");
    for (outcome, count) in outcomes {
        println!("  {count:>5}  {outcome}");
    }
}

/// Targets of every kind, which live as long as this.
struct Targets {
    targets: Vec<Target>,
    _servers: Vec<Server>,
}

impl Targets {
    fn start() -> Self {
        let identity = pki::self_signed(&["127.0.0.1"]);
        let config = identity.server_config();
        let plain = Server::answering(OK);
        let tls = Server::answering_tls(config.clone(), OK);
        let error = Server::answering("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n");
        let short = Server::answering("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhi");
        let garbage = Server::answering("SSH-2.0-OpenSSH_9.2\r\n");
        let silent = Server::start(|_, mut connection| connection.hold());
        let large = Server::answering([b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![b'x'; 2 << 20]].concat());
        let around = Server::start(|_, mut connection| {
            let head = connection.head();
            let at: u32 = head.split(' ').nth(1).and_then(|path| path[1..].parse().ok()).unwrap_or(0);
            let next = format!("HTTP/1.1 302 F\r\nLocation: /{}\r\nContent-Length: 0\r\n\r\n", at + 1);
            connection.say(if at < 3 { next.as_str() } else { OK });
        });
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let quick = |url: String| Target { timeout_ms: 2_000, ..Target::get(url) };
        let insecure = RequestOptions { insecure_tls: true, ..RequestOptions::default() };
        let expect = Expectations { content: vec![Content::Contains("ell".into())], ..Expectations::default() };
        let pattern = Expectations { content: vec![Content::Matches("^y".into())], ..Expectations::default() };
        let https = format!("https://{}/", tls.address);
        let mut targets = Vec::new();
        for _ in 0..6 {
            targets.push(quick(plain.url("/")));
            targets.push(Target { request: insecure.clone(), ..quick(https.clone()) });
        }
        targets.extend([
            Target { expect, ..quick(plain.url("/")) },
            Target { expect: pattern, ..quick(large.url("/")) },
            quick(https),
            quick(error.url("/")),
            quick(short.url("/")),
            quick(garbage.url("/")),
            Target { timeout_ms: 300, ..quick(silent.url("/")) },
            quick(around.url("/0")),
            quick(format!("http://{closed}/")),
            quick("http://10.255.255.1/".to_owned()),
        ]);
        Self { targets, _servers: vec![plain, tls, error, short, garbage, silent, large, around] }
    }

    fn check(&self, number: u64) -> Check {
        let now = wall();
        let which = usize::try_from(number).unwrap() % self.targets.len();
        Check {
            website_id: WebsiteId(uuid::Uuid::from_u128(which as u128)),
            slot_at: now,
            attempt: 0,
            kind: CheckKind::Scheduled,
            deadline_at: now + 120_000,
            published_at: now,
            target: self.targets[which].clone(),
        }
    }
}

/// A process of ours, ended with the value.
struct Process {
    child: Child,
}

impl Process {
    fn redis() -> (Self, u16) {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let redis = Self { child };
        let until = Instant::now() + Duration::from_secs(10);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < until, "redis-server does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        (redis, port)
    }

    fn probe(port: u16) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_betteruptime-probe"))
            .env_clear()
            .env("REDIS_URL", format!("redis://127.0.0.1:{port}"))
            .env("CONSUMER_GROUP_REGION_ID", "eu")
            .env("WORKER_ID", "soak")
            .env("CONCURRENCY", "50")
            .env("ALLOW_PRIVATE", "127.0.0.0/8")
            .env("CANARIES", "off")
            .env("RUST_LOG", "warn")
            .spawn()
            .unwrap();
        Self { child }
    }

    fn end(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
