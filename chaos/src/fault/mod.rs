//! What breaks, for how long, and what may come of it.

mod inject;
mod list;
pub(crate) mod partition;
mod reach;
mod words;

use std::time::Duration;

pub use self::list::POINTS;
pub use self::partition::{Road, Way, prepare};

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
    /// One packet in ten is lost between workers and Redis, and the others take 150 ms each way (T195).
    LossyLink(Duration),
    /// Packets vanish without a word, by the kernel's filter, also those of connections that exist.
    Partition(Road, Way, Duration),
    /// The workers' spool has no room, while Redis refuses.
    FullSpool(Duration),
    /// Both workers of a region are away.
    RegionGone(Duration),
    /// Everything is killed at once, three times in a row (T179).
    KillAll,
    /// A process ends at a named point, the n-th time it comes by.
    FailPoint(Who, &'static str, u32),
    /// A task of a process panics at a named point, the n-th time it comes by; the process lives.
    Panic(Who, &'static str, u32),
    /// The clock of a hub or a worker is off by so many milliseconds for a while; a worker is started anew meanwhile.
    Clock(Who, i64, Duration),
}

/// When it happened, and what it excuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outage {
    /// Just before it began.
    pub from: i64,
    /// When everything ran again.
    pub back: i64,
    /// When everything was up to date again, and at the latest [`BACK_MS`](crate::judge::BACK_MS) after `back`: no slot
    /// later than this is excused.
    pub until: i64,
    /// What may come of it.
    pub harm: Harm,
    /// Whether a website may be asked twice for one slot.
    pub may_repeat: bool,
    /// How often those who may have had a check in hand died.
    pub deaths: usize,
}

/// What may come of a fault: which slots may be without a tick. [`excuses`](crate::judge) has the exact rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harm {
    /// None.
    Nothing,
    /// Checks could not be given out, carried, or taken in: where that lasted longer than a slot may be late, the slots of
    /// that time are marked as missed, not caught up (DESIGN 6.5).
    Standstill,
    /// The same, and workers died with checks in hand.
    Everything,
    /// What Redis held is gone: checks that were due, and ticks that were not taken in.
    Forgotten,
    /// One region measured nothing.
    RegionSilent(usize),
    /// A worker of this region did not do what it had in hand, for longer than a check is good for.
    WorkerAway(usize),
}
