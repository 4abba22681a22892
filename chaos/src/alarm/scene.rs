//! Everything that runs: Postgres, Redis, a hub, a worker in each of three regions.

use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use testbed::measure::wait_for;
use testbed::name_server::{Answer, NameServer};

use super::receiver::Receiver;
use crate::fault::partition;
use crate::now;
use crate::postgres::{DATABASE, Postgres, Session};
use crate::process::Process;
use crate::world::{await_port, bin, free_port, programs};

pub(super) const REGIONS: [&str; 3] = ["EUROPE", "INDIA", "USA"];
/// Well-known services, in the eyes of the workers.
const CANARIES: [Ipv4Addr; 2] = [Ipv4Addr::new(11, 8, 8, 8), Ipv4Addr::new(12, 1, 1, 1)];
const NAME_SERVER: Ipv4Addr = Ipv4Addr::new(11, 0, 0, 53);
const ACCOUNT: uuid::Uuid = uuid::Uuid::from_u128(0xACC);
/// Each worker is a user of its own, so that its packets can be told from others'.
const USERS: [u32; 3] = [60_001, 60_002, 60_003];

#[derive(Debug)]
pub(super) struct Scene {
    pub(super) postgres: Postgres,
    pub(super) receiver: Receiver,
    hub: Process,
    probes: Vec<Process>,
    redis: Process,
    _names: NameServer,
    _directory: tempfile::TempDir,
}

impl Scene {
    /// Starts all of it; nothing is watched yet.
    pub(super) fn start() -> Self {
        partition::prepare();
        for network in ["11.0.0.1/8", "12.0.0.1/8"] {
            partition::run("ip", &["addr", "add", network, "dev", "lo"]);
        }
        for canary in CANARIES {
            let listener = std::net::TcpListener::bind((canary, 443)).unwrap();
            std::thread::spawn(move || listener.incoming().for_each(drop));
        }
        let directory = tempfile::Builder::new().prefix("betteruptime-alarm.").tempdir().unwrap();
        let path = directory.path().to_owned();
        let resolver = path.join("resolv.conf");
        std::fs::write(&resolver, format!("nameserver {NAME_SERVER}\n")).unwrap();
        // For this process and its children only: it has a mount namespace of its own.
        partition::run("mount", &["--make-rprivate", "/"]);
        partition::run("mount", &["--bind", resolver.to_str().unwrap(), "/etc/resolv.conf"]);
        let names = NameServer::at((NAME_SERVER, 53).into(), |question| match named(&question.name) {
            Some(address) => Answer::address(question, address),
            None => Answer::Records(Vec::new()),
        });
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let postgres = Postgres::start(&path, free_port(), None);
        let (redis_port, hub_port) = (free_port(), free_port());
        let mut redis = programs::redis(&path, redis_port);
        redis.start();
        await_port("redis-server", redis_port);
        let hub = programs::hub("hub", &bin(), &path)
            .variable("LISTEN", &format!("127.0.0.1:{hub_port}"))
            .variable("STATE_DIRECTORY", path.join("hub-state").to_str().unwrap())
            .variable("DATABASE_URL", &format!("postgres://test@127.0.0.1:{}/{DATABASE}", postgres.port))
            .variable("REDIS_URL", &format!("redis://127.0.0.1:{redis_port}"));
        let receiver = Receiver::start();
        let probes = (0..REGIONS.len()).map(|n| probe(n, &path, redis_port)).collect();
        let mut scene = Self { postgres, receiver, hub, probes, redis, _names: names, _directory: directory };
        scene.hub.start();
        await_port("the hub", hub_port);
        scene.probes.iter_mut().for_each(Process::start);
        scene.add_channel();
        scene
    }

    fn add_channel(&self) {
        let (created_at, url) = (now(), format!("http://{}/", self.receiver.address));
        let secret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
        let settings = serde_json::json!({ "kind": "webhook", "url": url, "secret": secret });
        self.session().execute(&format!(
            "insert into account (account_id, username, username_key, password_hash, created_at) \
             values ('{ACCOUNT}', 'chaos', 'chaos', 'none', {created_at}); \
             insert into channel (channel_id, account_id, name, kind, settings, cap_per_hour, created_at) \
             values ('{}', '{ACCOUNT}', 'receiver', 'webhook', '{settings}', 100000, {created_at})",
            uuid::Uuid::from_u128(0xC)
        ));
    }

    pub(super) fn session(&self) -> Session {
        self.postgres.session()
    }

    /// Watches addresses from now on, every so often.
    pub(super) fn watch(&self, urls: &[String], interval_ms: i64) {
        let created_at = now();
        let sql: String = urls
            .iter()
            .map(|url| {
                let id = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, url.as_bytes());
                format!(
                    "insert into website (website_id, account_id, url, interval_ms, timeout_ms, created_at) \
                     values ('{id}', '{ACCOUNT}', '{url}', {interval_ms}, 10000, {created_at}); \
                     insert into website_state (website_id, verdict, since_at, reason) \
                     values ('{id}', 'unknown', {created_at}, 'new');"
                )
            })
            .collect();
        self.session().execute(&sql);
    }

    /// Waits until so many websites have this verdict, and all of them are seen from all regions.
    pub(super) fn await_verdicts(&self, verdict: &str, count: usize, within: Duration) {
        let mut session = self.session();
        let sql = format!("select count(*) from website_state where verdict = '{verdict}'");
        let sight = "select count(*) from region_state";
        let all = count * REGIONS.len();
        wait_for(&format!("{count} websites to be {verdict}"), within, || {
            let found = usize::try_from(session.rows::<(i64,)>(&sql)[0].0).unwrap();
            let seen = usize::try_from(session.rows::<(i64,)>(sight)[0].0).unwrap();
            (found >= count && seen >= all).then_some(())
        });
    }

    /// Packets of one region's worker to everywhere but this machine's own services vanish.
    pub(super) fn cut(&self, region: usize) {
        partition::nft("add chain inet chaos out { type filter hook output priority 0; }");
        for network in ["11.0.0.0/8", "12.0.0.0/8"] {
            partition::nft(&format!("add rule inet chaos out meta skuid {} ip daddr {network} drop", USERS[region]));
        }
    }

    /// Questions of these regions' workers to the name server vanish, and nothing else does.
    pub(super) fn cut_names(&self, regions: std::ops::Range<usize>) {
        partition::nft("add chain inet chaos out { type filter hook output priority 0; }");
        for user in &USERS[regions] {
            partition::nft(&format!("add rule inet chaos out meta skuid {user} ip daddr {NAME_SERVER} drop"));
        }
    }

    pub(super) fn mend(&self) {
        partition::nft("flush chain inet chaos out");
    }

    pub(super) fn logs(&self) -> String {
        let all = self.probes.iter().chain([&self.hub]);
        all.map(|p| format!("--- {}\n{}\n", p.name, p.log_end())).collect()
    }
}

/// Where `<n>.named.example` is.
pub(super) fn named(name: &str) -> Option<Ipv4Addr> {
    Some(Ipv4Addr::new(11, 4, 0, name.strip_suffix(".named.example")?.parse().ok()?))
}

fn probe(n: usize, directory: &Path, redis_port: u16) -> Process {
    let spool = directory.join(format!("spool-{n}"));
    std::fs::create_dir(&spool).unwrap();
    std::os::unix::fs::chown(&spool, Some(USERS[n]), Some(USERS[n])).unwrap();
    let canaries = CANARIES.map(|address| format!("{address}:443")).join(",");
    Process::new(&format!("probe-{}", REGIONS[n]), &bin().join("betteruptime-probe"), directory)
        .user(Some((USERS[n], USERS[n])))
        .variable("REDIS_URL", &format!("redis://127.0.0.1:{redis_port}"))
        .variable("CONSUMER_GROUP_REGION_ID", REGIONS[n])
        .variable("WORKER_ID", "w0")
        .variable("SPOOL_DIRECTORY", spool.to_str().unwrap())
        .variable("CANARIES", &canaries)
}

impl Drop for Scene {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.logs());
        }
        for process in self.probes.iter_mut().chain([&mut self.hub, &mut self.redis]) {
            process.kill();
        }
    }
}
