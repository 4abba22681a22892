//! A Redis and a worker of one's own: the real programs, each ending with its value.

use std::net::TcpStream;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use probe::wire::{
    self, BODY_FIELD, Check, DeadLetter, Heartbeat, KIND_CHECK, KIND_FIELD, MAX_CHECK_BYTES, Report, Target, Tick,
    VERSION, VERSION_FIELD, WebsiteId,
};
use testbed::measure::wait_for;

pub(crate) const CHECKS: &str = "betteruptime:website:eu";
pub(crate) const TICKS: &str = "betteruptime:tick:eu:w";
pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

type Fields = Vec<(Vec<u8>, Vec<u8>)>;

/// A redis-server on a free port, with the region's group as the hub makes it; ends with the value.
pub(crate) struct Redis {
    pub(crate) child: Child,
    pub(crate) port: u16,
    pub(crate) connection: redis::Connection,
    _directory: tempfile::TempDir,
}

impl Redis {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// With more arguments for the server.
    pub(crate) fn start_with(arguments: &[&str]) -> Self {
        Self::start_at(testbed::port::free(), arguments)
    }

    pub(crate) fn start_at(port: u16, arguments: &[&str]) -> Self {
        let mut redis = Self::start_loading(port, arguments);
        let _: redis::Value = redis.run(&["XGROUP", "CREATE", CHECKS, "eu", "0", "MKSTREAM"]);
        redis
    }

    /// With data that takes a while to load, its group in it; returns when that is over.
    pub(crate) fn start_loading(port: u16, arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .arg("--dir")
            .arg(directory.path())
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("redis-server ({error}); install it, or run ./test.sh, which does"))
            .unwrap();
        wait_for("redis-server to listen", Duration::from_secs(10), || TcpStream::connect(("127.0.0.1", port)).ok());
        let connection = redis::Client::open(format!("redis://127.0.0.1:{port}")).unwrap().get_connection().unwrap();
        let mut redis = Self { child, port, connection, _directory: directory };
        wait_for("its data", Duration::from_secs(60), || redis::cmd("DBSIZE").query::<u64>(&mut redis.connection).ok());
        redis
    }

    pub(crate) fn run<T: redis::FromRedisValue>(&mut self, words: &[&str]) -> T {
        redis::cmd(words[0]).arg(&words[1..]).query(&mut self.connection).unwrap()
    }

    /// A check as the hub publishes it; `id` is `*`, or tells when Redis is to have made it.
    pub(crate) fn publish(&mut self, id: &str, check: &Check) -> String {
        let (version, body) = (VERSION.to_string(), wire::encode(check, MAX_CHECK_BYTES).unwrap());
        self.run(&["XADD", CHECKS, id, VERSION_FIELD, &version, KIND_FIELD, KIND_CHECK, BODY_FIELD, &body])
    }

    /// Gives everything that is new to `worker`, as if it had not touched it for `idle_ms`.
    pub(crate) fn give(&mut self, worker: &str, idle_ms: u64) -> usize {
        let _: redis::Value = self.run(&["XREADGROUP", "GROUP", "eu", worker, "STREAMS", CHECKS, ">"]);
        let pending: Vec<(String, String, u64, u64)> = self.run(&["XPENDING", CHECKS, "eu", "-", "+", "100", worker]);
        for (id, ..) in &pending {
            let idle = idle_ms.to_string();
            let _: Vec<String> = self.run(&["XCLAIM", CHECKS, "eu", worker, "0", id, "IDLE", &idle, "JUSTID"]);
        }
        pending.len()
    }

    pub(crate) fn reports(&mut self) -> Vec<Report> {
        self.reports_of(TICKS)
    }

    pub(crate) fn ticks_of(&mut self, key: &str) -> Vec<Tick> {
        let tick = |report: Report| match report {
            Report::Tick(tick) => Some(*tick),
            Report::Heartbeat(_) | Report::DeadLetter(_) => None,
        };
        self.reports_of(key).into_iter().filter_map(tick).collect()
    }

    fn reports_of(&mut self, key: &str) -> Vec<Report> {
        let entries: Vec<(String, Fields)> = self.run(&["XRANGE", key, "-", "+"]);
        let decode = |fields: &Fields| wire::decode_report(fields.iter().map(|(n, v)| (n.as_slice(), v.as_slice())));
        entries.iter().map(|(_, fields)| decode(fields).unwrap()).collect()
    }

    pub(crate) fn ticks(&mut self) -> Vec<Tick> {
        self.ticks_of(TICKS)
    }

    /// Slots of the ticks that came, in order.
    pub(crate) fn slots(&mut self) -> Vec<i64> {
        self.ticks().iter().map(|tick| tick.slot_at).collect()
    }

    pub(crate) fn letters(&mut self) -> Vec<DeadLetter> {
        let letter = |report: Report| match report {
            Report::DeadLetter(letter) => Some(letter),
            Report::Heartbeat(_) | Report::Tick(_) => None,
        };
        self.reports().into_iter().filter_map(letter).collect()
    }

    /// An entry as it should not be.
    pub(crate) fn poison(&mut self, fields: &[(&str, &[u8])]) -> String {
        let mut command = redis::cmd("XADD");
        command.arg(CHECKS).arg("*");
        for (name, value) in fields {
            command.arg(name).arg(*value);
        }
        command.query(&mut self.connection).unwrap()
    }

    pub(crate) fn last_heartbeat(&mut self) -> Option<Heartbeat> {
        self.heartbeats().pop()
    }

    pub(crate) fn heartbeats(&mut self) -> Vec<Heartbeat> {
        let heartbeat = |report: Report| match report {
            Report::Heartbeat(heartbeat) => Some(heartbeat),
            Report::Tick(_) | Report::DeadLetter(_) => None,
        };
        self.reports().into_iter().filter_map(heartbeat).collect()
    }

    pub(crate) fn pending(&mut self) -> usize {
        self.run::<Vec<(String, String, u64, u64)>>(&["XPENDING", CHECKS, "eu", "-", "+", "100"]).len()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The binary; killed with the value, after which its log is that of the test.
pub(crate) struct Worker {
    child: Child,
    log: tempfile::NamedTempFile,
}

impl Worker {
    pub(crate) fn start(port: u16, concurrency: &str) -> Self {
        Self::start_with(port, concurrency, &[])
    }

    /// With settings beside the usual ones, or instead of them.
    pub(crate) fn start_with(port: u16, concurrency: &str, settings: &[(&str, &str)]) -> Self {
        let log = tempfile::NamedTempFile::new().unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_betteruptime-probe"))
            .env_clear()
            .env("REDIS_URL", format!("redis://127.0.0.1:{port}"))
            .env("CONSUMER_GROUP_REGION_ID", "eu")
            .env("WORKER_ID", "w")
            .env("CONCURRENCY", concurrency)
            .env("ALLOW_PRIVATE", "127.0.0.0/8")
            .env("CANARIES", "off")
            .envs(settings.iter().copied())
            .stderr(log.reopen().unwrap())
            .spawn()
            .unwrap();
        Self { child, log }
    }

    /// SIGTERM, and how it ended, within the 20 s of DESIGN 8.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        assert!(Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status().unwrap().success());
        wait_for("the probe to end", Duration::from_secs(20), || self.child.try_wait().unwrap())
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.log.path()).unwrap()
    }

    /// Resident memory.
    pub(crate) fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Processor time used so far, in ticks of 10 ms.
    pub(crate) fn cpu(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        println!("{}", self.log());
    }
}

/// A check that may wait two minutes. The hub's clock is of another century, which says nothing about that.
pub(crate) fn check(slot_at: i64, url: &str) -> Check {
    Check {
        website_id: WebsiteId(uuid::Uuid::nil()),
        slot_at,
        attempt: 0,
        kind: probe::wire::CheckKind::Scheduled,
        deadline_at: 120_000,
        published_at: 0,
        target: Target { timeout_ms: 10_000, ..Target::get(url) },
    }
}
