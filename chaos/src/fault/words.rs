//! Faults in words: what a row of the table is about.

use std::fmt;

use super::{Fault, Link, Road, Way, Who};

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
            Self::LossyLink(time) => {
                write!(f, "10 % lost, 300 ms between workers and Redis, {} s", time.as_secs())
            }
            Self::Partition(road, way, time) => write!(f, "{road} cut off, {way}, {} s", time.as_secs()),
            Self::Panic(who, point, _) => write!(f, "{who} panics at {point}"),
            Self::SlowLink(time) => write!(f, "300 ms between workers and Redis, {} s", time.as_secs()),
            Self::FullSpool(time) => write!(f, "spool and Redis full for {} s", time.as_secs()),
            Self::RegionGone(time) => write!(f, "all workers of a region away {} s", time.as_secs()),
            Self::KillAll => f.write_str("everything killed, three times"),
            Self::FailPoint(who, point, _) => write!(f, "{who} ends at {point}"),
            Self::Clock(who, shift_ms, time) => {
                write!(f, "{who}'s clock {:+} s for {} s", shift_ms / 1_000, time.as_secs())
            }
        }
    }
}

impl fmt::Display for Road {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HubsToRedis => "hubs and Redis",
            Self::HubToRedis(_) => "a hub and Redis",
            Self::WorkersToRedis => "workers and Redis",
            Self::HubsToPostgres => "hubs and Postgres",
            Self::HubToPostgres(_) => "a hub and Postgres",
        })
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Both => "both ways",
            Self::There => "requests lost",
            Self::Back => "answers lost",
        })
    }
}
