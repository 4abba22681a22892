//! Packets that vanish, by nft in a network namespace: no FIN, no RST, no answer, as behind a firewall that forgot a
//! connection.

use std::process::{Command, Stdio};

use crate::world::World;

/// Between whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Road {
    /// All hubs and Redis.
    HubsToRedis,
    /// One hub and Redis.
    HubToRedis(usize),
    /// All workers and Redis.
    WorkersToRedis,
    /// All hubs and Postgres.
    HubsToPostgres,
    /// One hub and Postgres (T192).
    HubToPostgres(usize),
}

/// What does not arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Way {
    /// Nothing.
    Both,
    /// What the hub or worker sends.
    There,
    /// What it is answered.
    Back,
}

impl Road {
    /// The ports at which it begins.
    pub(super) fn ports(self, world: &World) -> Vec<u16> {
        let port = |proxy: &testbed::fault_proxy::FaultProxy| proxy.address.port();
        match self {
            Self::HubsToRedis => world.hubs_to_redis.iter().map(port).collect(),
            Self::HubToRedis(n) => vec![port(&world.hubs_to_redis[n])],
            Self::WorkersToRedis => vec![port(&world.workers_to_redis)],
            Self::HubsToPostgres => world.hubs_to_postgres.iter().map(port).collect(),
            Self::HubToPostgres(n) => vec![port(&world.hubs_to_postgres[n])],
        }
    }
}

/// Packets of TCP from and to ports of this machine are dropped until this is dropped: all, or one in so many.
#[derive(Debug)]
pub(super) struct Dropping(());

impl Dropping {
    /// Begins.
    pub(super) fn start(ports: &[u16], way: Way, one_in: Option<u32>) -> Self {
        let chance = one_in.map(|n| format!("numgen random mod {n} == 0 ")).unwrap_or_default();
        for port in ports {
            if way != Way::Back {
                nft(&format!("add rule inet chaos in tcp dport {port} {chance}drop"));
            }
            if way != Way::There {
                nft(&format!("add rule inet chaos in tcp sport {port} {chance}drop"));
            }
        }
        Self(())
    }
}

impl Drop for Dropping {
    fn drop(&mut self) {
        nft("flush chain inet chaos in");
    }
}

/// Makes the network of a new namespace usable.
///
/// # Panics
/// When this process is in the machine's own network, or may not.
pub fn prepare() {
    let devices = std::fs::read_to_string("/proc/self/net/dev").unwrap();
    let others = devices.lines().skip(2).filter(|line| !line.trim_start().starts_with("lo:")).count();
    assert_eq!(others, 0, "only in a network namespace of its own (unshare --net)");
    run("ip", &["link", "set", "lo", "up"]);
    nft("add table inet chaos");
    nft("add chain inet chaos in { type filter hook input priority 0; }");
}

pub(crate) fn nft(rule: &str) {
    run("nft", &[rule]);
}

pub(crate) fn run(program: &str, arguments: &[&str]) {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new(program);
    command.args(arguments).env("PATH", format!("{path}:/usr/sbin:/sbin")).stdin(Stdio::null());
    let status = command.status().unwrap_or_else(|e| panic!("{program}: {e}"));
    assert!(status.success(), "{program} {}", arguments.join(" "));
}
