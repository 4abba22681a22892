//! How hubs, workers and Redis are started.

use std::path::{Path, PathBuf};

use super::{REGIONS, World};
use crate::postgres::DATABASE;
use crate::process::Process;

/// A key that passes the start-up check; of no use anywhere else.
const KEY: &str = "kR3vT9qLx2WnB7yHf5CsJ8dGa1EpZ0mU4oQ6";

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

impl World {
    pub(super) fn hub(&self, n: usize) -> Process {
        let name = format!("hub-{n}");
        let state = self.directory.path().join(format!("{name}-state"));
        let clock = self.clock_file(&name);
        let postgres = if self.size.examined { self.hubs_to_postgres[n].address.port() } else { self.postgres.port };
        let redis = if self.size.examined { self.hubs_to_redis[n].address.port() } else { self.redis_port };
        hub(&name, &self.size.bin, self.directory.path())
            .variable("LISTEN", &format!("127.0.0.1:{}", self.hub_ports[n]))
            .variable("STATE_DIRECTORY", state.to_str().unwrap())
            .variable("DATABASE_URL", &format!("postgres://test@127.0.0.1:{postgres}/{DATABASE}"))
            .variable("REDIS_URL", &format!("redis://127.0.0.1:{redis}"))
            .variable("FAIL_CLOCK_FILE", clock.to_str().unwrap())
    }

    /// The file that moves a process' clock.
    #[must_use]
    pub fn clock_file(&self, name: &str) -> PathBuf {
        self.directory.path().join(format!("{name}-clock"))
    }

    pub(super) fn probe(&self, n: usize) -> Process {
        let (region, worker) = (REGIONS[n / self.size.workers], n % self.size.workers);
        let name = format!("probe-{region}-{worker}");
        let disk = self.disks.as_ref().map_or(self.directory.path(), |d| &d.spool);
        let spool = disk.join(&name);
        std::fs::create_dir(&spool).unwrap();
        let redis = if self.size.examined { self.workers_to_redis.address.port() } else { self.redis_port };
        Process::new(&name, &self.size.bin.join("betteruptime-probe"), self.directory.path())
            .variable("REDIS_URL", &format!("redis://127.0.0.1:{redis}"))
            .variable("CONSUMER_GROUP_REGION_ID", region)
            .variable("WORKER_ID", &format!("w{worker}"))
            .variable("CONCURRENCY", &self.size.concurrency.to_string())
            .variable("ALLOW_PRIVATE", "127.0.0.0/8")
            .variable("SPOOL_DIRECTORY", spool.to_str().unwrap())
            .variable("FAIL_CLOCK_FILE", self.clock_file(&name).to_str().unwrap())
            .variable("CANARIES", "off")
    }
}

/// A hub that has not been told yet where it listens, and where database and queue are.
pub(crate) fn hub(name: &str, bin: &Path, directory: &Path) -> Process {
    Process::new(name, &bin.join("betteruptime-hub"), directory)
        .variable("JWT_SECRET_KEY", KEY)
        // All websites are on one machine.
        .variable("HOST_CHECKS_PER_S", "1000")
        .variable("CANARIES", "off")
        .variable("RUST_LOG", "info")
}

pub(crate) fn redis(directory: &Path, port: u16) -> Process {
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
