//! A whole installation on this machine: Postgres, Redis, two hubs, two workers in each of two regions, and the websites
//! they watch; between them proxies that cut and swallow.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hub::model::{RegionId, WebsiteId, slots};
use testbed::fault_proxy::FaultProxy;
use testbed::measure::wait_for;

use crate::now;
use crate::postgres::{DATABASE, Postgres};
use crate::process::Process;
use crate::target::{Manner, Targets};

/// The regions.
pub const REGIONS: [&str; 2] = ["INDIA", "USA"];
/// A key that passes the start-up check; of no use anywhere else.
const KEY: &str = "kR3vT9qLx2WnB7yHf5CsJ8dGa1EpZ0mU4oQ6";
/// How long a website may take, in milliseconds.
pub const TIMEOUT_MS: i64 = 5_000;

/// How large a world.
#[derive(Debug, Clone)]
pub struct Size {
    /// Websites.
    pub websites: usize,
    /// Hubs.
    pub hubs: usize,
    /// Workers per region.
    pub workers: usize,
    /// Checks at once per worker.
    pub concurrency: u16,
    /// One website in six has this interval in milliseconds, the others 10 s.
    pub long_interval_ms: i64,
    /// Requests are noted, and connections go through proxies: not where speed is measured.
    pub examined: bool,
    /// Where the binaries are.
    pub bin: PathBuf,
}

impl Default for Size {
    fn default() -> Self {
        let examined = true;
        Self { websites: 60, hubs: 2, workers: 2, concurrency: 20, long_interval_ms: 60_000, examined, bin: bin() }
    }
}

/// A website of the world.
#[derive(Debug, Clone)]
pub struct Website {
    /// Its id.
    pub id: WebsiteId,
    /// How it behaves.
    pub manner: Manner,
    /// Time between two slots.
    pub interval_ms: i64,
    /// The region that watches it; `None`: both.
    pub region: Option<usize>,
}

/// A website as one region watches it.
#[derive(Debug, Clone)]
pub struct Place {
    /// Number of the website.
    pub website: usize,
    /// Number of the region.
    pub region: usize,
    /// Time between two slots.
    pub interval_ms: i64,
    /// Where in the interval they are.
    pub phase_ms: i64,
}

/// Everything that runs.
#[derive(Debug)]
pub struct World {
    /// How large it is.
    pub size: Size,
    /// What is watched.
    pub websites: Vec<Website>,
    /// What is watched from where.
    pub places: Vec<Place>,
    /// The hubs.
    pub hubs: Vec<Process>,
    /// The workers, region by region.
    pub probes: Vec<Process>,
    /// Redis, with its append-only file.
    pub redis: Process,
    /// Its port.
    pub redis_port: u16,
    /// The database.
    pub postgres: Postgres,
    /// Between the hubs and Postgres.
    pub to_postgres: FaultProxy,
    /// Between the hubs and Redis.
    pub hubs_to_redis: FaultProxy,
    /// Between the workers and Redis.
    pub probes_to_redis: FaultProxy,
    /// The websites' servers.
    pub targets: Targets,
    hub_ports: Vec<u16>,
    /// Small disks, where one may be mounted: the spool of a worker, the tables of Postgres.
    pub disks: Option<Disks>,
    directory: tempfile::TempDir,
}

/// File systems in memory that can be filled.
#[derive(Debug)]
pub struct Disks {
    /// Holds the spool directories of all workers; 1 MiB.
    pub spool: PathBuf,
    /// Holds the tables; 96 MiB.
    pub tables: PathBuf,
}

/// Where the binaries of this build are: beside this one, or above it when it is a test. `CHAOS_BIN` names another place.
#[must_use]
pub fn bin() -> PathBuf {
    if let Ok(given) = std::env::var("CHAOS_BIN") {
        return given.into();
    }
    let own = std::env::current_exe().unwrap();
    let directory = own.parent().unwrap();
    let above = if directory.ends_with("deps") { directory.parent().unwrap() } else { directory };
    above.to_owned()
}

/// A port that was free a moment ago.
#[must_use]
pub fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).and_then(|l| l.local_addr()).unwrap().port()
}

/// Waits until somebody listens on a port of this machine.
pub fn await_port(what: &str, port: u16) {
    wait_for(&format!("{what} to listen"), Duration::from_secs(60), || TcpStream::connect(("127.0.0.1", port)).ok());
}

impl World {
    /// Starts everything, and returns when every place has had its first slots. `mounts`: small disks may be mounted.
    ///
    /// # Panics
    /// When something does not start.
    #[must_use]
    pub fn start(size: Size, mounts: bool) -> Self {
        let mut world = Self::prepare(size, mounts);
        world.add_websites(0..world.websites.len(), false);
        world.start_processes();
        world.await_steady();
        world
    }

    /// Postgres and Redis run, the schema is there; nothing is watched.
    pub(crate) fn prepare(size: Size, mounts: bool) -> Self {
        let directory = tempfile::Builder::new().prefix("betteruptime-chaos.").tempdir().unwrap();
        let path = directory.path().to_owned();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let disks = mounts.then(|| Disks { spool: mount(&path, "spool", 1), tables: mount(&path, "tables", 96) });
        let postgres = Postgres::start(&path, free_port(), disks.as_ref().map(|d| d.tables.as_path()));
        let redis_port = free_port();
        let redis = redis(&path, redis_port);
        let local = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
        let websites: Vec<Website> = (0..size.websites).map(|n| website(n, &size)).collect();
        let mut world = Self {
            places: websites.iter().enumerate().flat_map(|(n, w)| places(n, w)).collect(),
            targets: Targets::start(websites.iter().map(|w| w.manner).collect(), size.examined),
            websites,
            hubs: Vec::new(),
            probes: Vec::new(),
            redis,
            redis_port,
            to_postgres: FaultProxy::start(local(postgres.port)),
            hubs_to_redis: FaultProxy::start(local(redis_port)),
            probes_to_redis: FaultProxy::start(local(redis_port)),
            postgres,
            hub_ports: (0..size.hubs).map(|_| free_port()).collect(),
            disks,
            directory,
            size,
        };
        world.redis.start();
        await_port("redis-server", redis_port);
        world.hubs = (0..world.size.hubs).map(|n| world.hub(n)).collect();
        world.probes = (0..REGIONS.len() * world.size.workers).map(|n| world.probe(n)).collect();
        let mut migrate = world.hub(0).arguments(&["migrate"]);
        migrate.start();
        let done = wait_for("the schema", Duration::from_secs(60), || migrate.ended());
        assert!(done.success(), "{}", migrate.log());
        world
    }

    /// Where logs and data are.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    fn hub(&self, n: usize) -> Process {
        let name = format!("hub-{n}");
        let state = self.directory.path().join(format!("{name}-state"));
        let clock = self.clock_file(n);
        let postgres = if self.size.examined { self.to_postgres.address.port() } else { self.postgres.port };
        let redis = if self.size.examined { self.hubs_to_redis.address.port() } else { self.redis_port };
        Process::new(&name, &self.size.bin.join("betteruptime-hub"), self.directory.path())
            .variable("LISTEN", &format!("127.0.0.1:{}", self.hub_ports[n]))
            .variable("STATE_DIRECTORY", state.to_str().unwrap())
            .variable("DATABASE_URL", &format!("postgres://test@127.0.0.1:{postgres}/{DATABASE}"))
            .variable("REDIS_URL", &format!("redis://127.0.0.1:{redis}"))
            .variable("JWT_SECRET_KEY", KEY)
            .variable("CANARIES", "off")
            .variable("RUST_LOG", "info")
            .variable("FAIL_CLOCK_FILE", clock.to_str().unwrap())
    }

    /// The file that moves a hub's clock.
    #[must_use]
    pub fn clock_file(&self, hub: usize) -> PathBuf {
        self.directory.path().join(format!("hub-{hub}-clock"))
    }

    fn probe(&self, n: usize) -> Process {
        let (region, worker) = (REGIONS[n / self.size.workers], n % self.size.workers);
        let name = format!("probe-{region}-{worker}");
        let disk = self.disks.as_ref().map_or(self.directory.path(), |d| &d.spool);
        let spool = disk.join(&name);
        std::fs::create_dir(&spool).unwrap();
        let redis = if self.size.examined { self.probes_to_redis.address.port() } else { self.redis_port };
        Process::new(&name, &self.size.bin.join("betteruptime-probe"), self.directory.path())
            .variable("REDIS_URL", &format!("redis://127.0.0.1:{redis}"))
            .variable("CONSUMER_GROUP_REGION_ID", region)
            .variable("WORKER_ID", &format!("w{worker}"))
            .variable("CONCURRENCY", &self.size.concurrency.to_string())
            .variable("ALLOW_PRIVATE", "127.0.0.0/8")
            .variable("SPOOL_DIRECTORY", spool.to_str().unwrap())
            .variable("CANARIES", "off")
    }

    /// Starts a hub again, and waits until it serves.
    pub fn start_hub(&mut self, n: usize) {
        self.hubs[n].start();
        await_port("a hub", self.hub_ports[n]);
    }

    pub(crate) fn start_processes(&mut self) {
        for n in 0..self.hubs.len() {
            self.start_hub(n);
        }
        self.probes.iter_mut().for_each(Process::start);
    }

    /// Writes websites to the database, at once; hubs that run do not hear of it. `looked`: as if all had been looked at
    /// before, so that nobody looks at all of them at once.
    pub(crate) fn add_websites(&self, numbers: std::ops::Range<usize>, looked: bool) {
        let created_at = now();
        let account = uuid::Uuid::from_u128(0xACC);
        let mut sql = format!(
            "insert into account (account_id, username, username_key, password_hash, created_at) \
             values ('{account}', 'chaos', 'chaos', 'none', {created_at}) on conflict do nothing;"
        );
        for n in numbers {
            let website = &self.websites[n];
            let regions = website.region.map_or("", |r| REGIONS[r]);
            sql += &format!(
                "insert into website (website_id, account_id, url, interval_ms, timeout_ms, regions, created_at) values \
                 ('{id}', '{account}', 'http://{host}/{n}', {interval}, {TIMEOUT_MS}, '{regions}', {created_at}); \
                 insert into website_state (website_id, verdict, since_at, reason) \
                 values ('{id}', 'unknown', {created_at}, 'new');",
                id = website.id.0,
                host = self.targets.address,
                interval = website.interval_ms,
            );
            if looked {
                sql += &format!(
                    "insert into region_state (website_id, region_id, worker_id, slot_at, attempt, received_at, outcome, \
                     total_us, failing_streak, good_streak, recent) \
                     values ('{}', '{}', 'w0', 0, 0, 0, 'up', 0, 0, 0, '');",
                    website.id.0, REGIONS[0]
                );
            }
        }
        self.postgres.session().execute(&sql);
    }

    /// Waits until every place has a tick of a slot.
    fn await_steady(&self) {
        let mut session = self.postgres.session();
        let quick: usize = self.places.iter().filter(|p| p.interval_ms <= 10_000).count();
        let sql = "select count(*) from (select distinct t.website_id, t.region_id from tick t join website w \
                   using (website_id) where t.kind = 'scheduled' and w.interval_ms <= 10000) p";
        let started = std::time::Instant::now();
        loop {
            let found = session.rows::<(i64,)>(sql)[0].0;
            if usize::try_from(found).unwrap() >= quick {
                return;
            }
            assert!(started.elapsed() < Duration::from_secs(90), "{found} of {quick} places report.\n{}", self.logs());
            std::thread::sleep(Duration::from_millis(250));
        }
    }

    /// The ends of all our processes' logs.
    #[must_use]
    pub fn logs(&self) -> String {
        let all = self.hubs.iter().chain(&self.probes);
        all.map(|p| format!("--- {}\n{}\n", p.name, p.log_end())).collect()
    }

    /// Everything with a name that can be killed: hubs, workers, Redis, Postgres.
    pub fn processes(&self) -> impl Iterator<Item = &Process> {
        self.hubs.iter().chain(&self.probes).chain([&self.redis, &self.postgres.process])
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.logs());
        }
        // Before the disks under them go.
        for process in self.probes.iter_mut().chain(&mut self.hubs) {
            process.kill();
        }
        if let Some(disks) = &self.disks {
            self.postgres.process.signal("QUIT");
            let _ = wait_until(Duration::from_secs(10), || self.postgres.process.ended().is_some());
            for disk in [&disks.spool, &disks.tables] {
                let _ = std::process::Command::new("umount").arg(disk).status();
            }
        }
    }
}

/// Waits, and says whether it came.
pub fn wait_until(bound: Duration, mut done: impl FnMut() -> bool) -> bool {
    let until = std::time::Instant::now() + bound;
    while !done() {
        if std::time::Instant::now() >= until {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    true
}

fn redis(directory: &Path, port: u16) -> Process {
    let data = directory.join("redis");
    std::fs::create_dir(&data).unwrap();
    Process::new("redis", Path::new("redis-server"), directory).arguments(&[
        "--port",
        &port.to_string(),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--appendonly",
        "yes",
        "--appendfsync",
        "everysec",
        "--dir",
        data.to_str().unwrap(),
        "--enable-debug-command",
        "local",
    ])
}

fn mount(directory: &Path, name: &str, mib: u32) -> PathBuf {
    let path = directory.join(name);
    std::fs::create_dir(&path).unwrap();
    let options = format!("size={mib}m");
    let done = std::process::Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&path).status();
    assert!(done.is_ok_and(|status| status.success()), "a small disk cannot be mounted; run it as root");
    path
}

/// Every manner, interval and choice of regions in each dozen.
fn website(n: usize, size: &Size) -> Website {
    let manner = match n % 10 {
        3 | 7 => Manner::Slow,
        9 => Manner::Scripted,
        _ => Manner::Well,
    };
    let manner = if size.examined { manner } else { Manner::Well };
    let is_long = size.examined && n % 6 == 1 && manner == Manner::Well;
    Website {
        id: WebsiteId(uuid::Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + n as u128)),
        manner,
        interval_ms: if is_long { size.long_interval_ms } else { 10_000 },
        region: match (manner, n % 3) {
            _ if !size.examined => None,
            (Manner::Scripted, _) | (_, 2) => None,
            (Manner::Well | Manner::Slow, region) => Some(region),
        },
    }
}

fn places(n: usize, website: &Website) -> Vec<Place> {
    let watching = (0..REGIONS.len()).filter(|r| website.region.is_none_or(|only| only == *r));
    watching
        .map(|region| {
            let name: RegionId = REGIONS[region].parse().unwrap();
            let interval_ms = website.interval_ms;
            Place { website: n, region, interval_ms, phase_ms: slots::phase_ms(website.id, &name, interval_ms) }
        })
        .collect()
}
