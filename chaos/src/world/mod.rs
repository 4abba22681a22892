//! A whole installation on this machine: Postgres, Redis, two hubs, two workers in each of two regions, and the websites
//! they watch; between them proxies that cut and swallow.

mod disks;
pub(crate) mod programs;
mod websites;

use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use testbed::fault_proxy::FaultProxy;
use testbed::measure::wait_for;

pub use self::disks::Disks;
pub use self::programs::bin;
pub use self::websites::{Place, QUICK_MS, TIMEOUT_MS, Website};
use crate::postgres::Postgres;
use crate::process::Process;
use crate::target::Targets;

/// The regions.
pub const REGIONS: [&str; 2] = ["INDIA", "USA"];
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
    /// One website in six has this interval in milliseconds, the others [`QUICK_MS`], or 10 s where speed is measured.
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
    /// Between each hub and Postgres.
    pub hubs_to_postgres: Vec<FaultProxy>,
    /// Between each hub and Redis.
    pub hubs_to_redis: Vec<FaultProxy>,
    /// Between the workers and Redis.
    pub workers_to_redis: FaultProxy,
    /// The websites' servers.
    pub targets: Targets,
    hub_ports: Vec<u16>,
    /// Small disks, where one may be mounted: the spool of a worker, the tables of Postgres.
    pub disks: Option<Disks>,
    directory: tempfile::TempDir,
}

/// A port that is free, and stays it: also while the process that has it is killed and away.
#[must_use]
pub fn free_port() -> u16 {
    testbed::port::free()
}

/// Waits until somebody listens on a port of this machine.
pub fn await_port(what: &str, port: u16) {
    wait_for(&format!("{what} to listen"), Duration::from_secs(60), || TcpStream::connect(("127.0.0.1", port)).ok());
}

impl World {
    /// Starts everything, and returns when every place has had its first slots. `is_root`: small disks may be mounted.
    ///
    /// # Panics
    /// When something does not start.
    #[must_use]
    pub fn start(size: Size, is_root: bool) -> Self {
        let mut world = Self::prepare(size, is_root);
        world.add_websites(0..world.websites.len(), false);
        world.start_processes();
        world.await_steady();
        world
    }

    /// Postgres and Redis run, the schema is there; nothing is watched.
    pub(crate) fn prepare(size: Size, is_root: bool) -> Self {
        let directory = tempfile::Builder::new().prefix("betteruptime-chaos.").tempdir().unwrap();
        let path = directory.path().to_owned();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let disks = is_root.then(|| Disks::mount(&path));
        let postgres = Postgres::start(&path, free_port(), disks.as_ref().map(|d| d.tables.as_path()));
        let redis_port = free_port();
        let redis = programs::redis(&path, redis_port);
        let local = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
        let websites: Vec<Website> = (0..size.websites).map(|n| websites::website(n, &size)).collect();
        let mut world = Self {
            places: websites.iter().enumerate().flat_map(|(n, w)| websites::places(n, w)).collect(),
            targets: Targets::start(websites.iter().map(|w| w.manner).collect(), size.examined),
            websites,
            hubs: Vec::new(),
            probes: Vec::new(),
            redis,
            redis_port,
            hubs_to_postgres: (0..size.hubs).map(|_| FaultProxy::start(local(postgres.port))).collect(),
            hubs_to_redis: (0..size.hubs).map(|_| FaultProxy::start(local(redis_port))).collect(),
            workers_to_redis: FaultProxy::start(local(redis_port)),
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

    /// Waits until every place has a tick of a slot.
    fn await_steady(&self) {
        let mut session = self.postgres.session();
        let quick: usize = self.places.iter().filter(|p| p.interval_ms <= QUICK_MS).count();
        let sql = format!(
            "select count(*) from (select distinct t.website_id, t.region_id from tick t join website w \
             using (website_id) where t.kind = 'scheduled' and w.interval_ms <= {QUICK_MS}) p"
        );
        let started = std::time::Instant::now();
        loop {
            let found = session.rows::<(i64,)>(&sql)[0].0;
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
            disks.unmount();
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
