//! What breaks, for how long, and what may come of it.

mod inject;

use std::fmt;
use std::time::Duration;

/// Who it happens to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Who {
    /// A hub, by number.
    Hub(usize),
    /// A worker, by number.
    Probe(usize),
    /// Redis.
    Redis,
    /// The postmaster.
    Postgres,
}

/// Which connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Link {
    /// Of hubs and workers to Redis.
    Redis,
    /// Of the hubs to Postgres.
    Postgres,
}

/// One fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// kill -9, and a start after a while.
    Kill(Who, Duration),
    /// Not scheduled by the kernel for a while (SIGSTOP, SIGCONT).
    Pause(Who, Duration),
    /// Hubs, then workers: SIGTERM, the end awaited, started again.
    RollingRestart,
    /// kill -9 of one server process of Postgres, which then restarts all of them.
    KillBackend,
    /// An immediate stop of Postgres (no checkpoint, connections cut), started again after a while.
    StopPostgres(Duration),
    /// Every write is refused.
    ReadOnlyPostgres(Duration),
    /// The tables' disk is full.
    FullTables(Duration),
    /// FLUSHALL.
    Flush,
    /// Redis is killed and comes back with nothing.
    EmptyRedis,
    /// Every XADD is refused.
    FullRedis(Duration),
    /// Redis becomes the replica of a machine that is not there.
    ReadOnlyRedis(Duration),
    /// Every connection is killed, each second.
    KillClients(Duration),
    /// Every connection is cut, each second.
    Cut(Link, Duration),
    /// Connections that exist are dead and nobody says so; new ones work.
    HalfOpen(Link),
    /// What is sent is lost, also on new connections.
    Hole(Link, Duration),
    /// 300 ms each way between workers and Redis.
    SlowLink(Duration),
    /// The workers' spool has no room, while Redis refuses.
    FullSpool(Duration),
    /// Both workers of a region are away.
    RegionGone(Duration),
    /// Everything is killed at once, three times in a row (T179).
    KillAll,
    /// A process ends at a named point, the n-th time it comes by.
    FailPoint(Who, &'static str, u32),
    /// A hub's clock is off for a while.
    Clock(usize, i64, Duration),
}

/// When it happened, and what it excuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outage {
    /// Just before it began.
    pub from: i64,
    /// When everything ran again.
    pub back: i64,
    /// What may come of it.
    pub harm: Harm,
}

/// What may come of a fault: which slots may be without a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harm {
    /// None.
    Nothing,
    /// Checks could not be given out, carried, or taken in: where that lasted longer than a slot may be late, the slots of
    /// that time are marked as missed, not caught up (DESIGN 6.5).
    Standstill,
    /// What Redis held is gone: checks that were due, and ticks that were not taken in.
    Forgotten,
    /// One region measured nothing.
    RegionSilent(usize),
}

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Named points, whose process ends there, and which.
pub const POINTS: [(Who, &str, u32); 9] = [
    (Who::Hub(0), "schedule.claimed", 5),
    (Who::Hub(1), "schedule.due", 5),
    (Who::Hub(0), "schedule.published", 5),
    (Who::Hub(1), "ingest.stored", 5),
    (Who::Hub(0), "ingest.committed", 5),
    (Who::Hub(1), "ingest.acknowledged", 5),
    (Who::Probe(0), "probe.read", 5),
    (Who::Probe(2), "probe.ran", 5),
    (Who::Probe(3), "probe.written", 5),
];

impl Fault {
    /// The most telling ones, for every test run.
    #[must_use]
    pub fn few() -> Vec<Self> {
        vec![
            Self::Kill(Who::Hub(0), s(4)),
            Self::FailPoint(Who::Probe(0), "probe.written", 3),
            Self::Kill(Who::Redis, s(1)),
            Self::FailPoint(Who::Hub(1), "ingest.committed", 3),
            Self::StopPostgres(s(1)),
            Self::Kill(Who::Probe(2), s(3)),
        ]
    }

    /// All of them. `mounts`: those that need small disks as well.
    #[must_use]
    pub fn all(mounts: bool) -> Vec<Self> {
        let mut all = vec![
            Self::Kill(Who::Hub(0), s(4)),
            Self::Kill(Who::Probe(0), s(3)),
            Self::Kill(Who::Probe(3), s(60)),
            Self::Kill(Who::Redis, s(1)),
            Self::KillBackend,
            Self::Kill(Who::Postgres, s(1)),
            Self::StopPostgres(s(1)),
            Self::StopPostgres(s(12)),
            Self::Pause(Who::Hub(1), s(10)),
            Self::Pause(Who::Probe(1), s(10)),
            Self::Pause(Who::Redis, s(4)),
            Self::Pause(Who::Redis, s(30)),
            Self::RollingRestart,
            Self::Flush,
            Self::EmptyRedis,
            Self::FullRedis(s(8)),
            Self::ReadOnlyRedis(s(8)),
            Self::KillClients(s(20)),
            Self::Cut(Link::Redis, s(15)),
            Self::Cut(Link::Postgres, s(15)),
            Self::HalfOpen(Link::Redis),
            Self::HalfOpen(Link::Postgres),
            Self::Hole(Link::Redis, s(10)),
            Self::Hole(Link::Postgres, s(10)),
            Self::SlowLink(s(20)),
            Self::ReadOnlyPostgres(s(10)),
            Self::RegionGone(s(60)),
            Self::KillAll,
            Self::Clock(1, 300_000, s(15)),
            Self::Clock(0, -600_000, s(15)),
            Self::Clock(1, 30_000, s(15)),
        ];
        all.extend(POINTS.map(|(who, point, count)| Self::FailPoint(who, point, count)));
        if mounts {
            all.extend([Self::FullSpool(s(10)), Self::FullTables(s(30))]);
        }
        all
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hub(_) => "a hub",
            Self::Probe(_) => "a worker",
            Self::Redis => "Redis",
            Self::Postgres => "Postgres",
        })
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Redis => "Redis",
            Self::Postgres => "Postgres",
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill(who, away) => write!(f, "{who} killed, away {} s", away.as_secs()),
            Self::Pause(who, time) => write!(f, "{who} stopped for {} s (SIGSTOP)", time.as_secs()),
            Self::RollingRestart => f.write_str("rolling restart (SIGTERM)"),
            Self::KillBackend => f.write_str("a Postgres backend killed"),
            Self::StopPostgres(away) => write!(f, "Postgres stopped hard, away {} s", away.as_secs()),
            Self::ReadOnlyPostgres(time) => write!(f, "Postgres read-only for {} s", time.as_secs()),
            Self::FullTables(time) => write!(f, "disk of the tables full for {} s", time.as_secs()),
            Self::Flush => f.write_str("Redis FLUSHALL"),
            Self::EmptyRedis => f.write_str("Redis killed, back empty"),
            Self::FullRedis(time) => write!(f, "Redis out of memory for {} s", time.as_secs()),
            Self::ReadOnlyRedis(time) => write!(f, "Redis read-only for {} s", time.as_secs()),
            Self::KillClients(time) => write!(f, "CLIENT KILL of all, each second, {} s", time.as_secs()),
            Self::Cut(link, time) => write!(f, "connections to {link} cut, each second, {} s", time.as_secs()),
            Self::HalfOpen(link) => write!(f, "connections to {link} half-open"),
            Self::Hole(link, time) => write!(f, "no way to {link} for {} s", time.as_secs()),
            Self::SlowLink(time) => write!(f, "300 ms between workers and Redis, {} s", time.as_secs()),
            Self::FullSpool(time) => write!(f, "spool and Redis full for {} s", time.as_secs()),
            Self::RegionGone(time) => write!(f, "all workers of a region away {} s", time.as_secs()),
            Self::KillAll => f.write_str("everything killed, three times"),
            Self::FailPoint(who, point, _) => write!(f, "{who} ends at {point}"),
            Self::Clock(_, shift_ms, time) => {
                write!(f, "a hub's clock {:+} s for {} s", shift_ms / 1_000, time.as_secs())
            }
        }
    }
}
