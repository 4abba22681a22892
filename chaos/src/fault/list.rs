//! Which faults there are.

use std::time::Duration;

use super::{Fault, Link, Road, Way, Who};

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

    /// All of them. `is_root`: also those that need small disks, and a network of our own.
    #[must_use]
    pub fn all(is_root: bool) -> Vec<Self> {
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
            Self::KillClients(s(6)),
            Self::Cut(Link::Redis, s(6)),
            Self::Cut(Link::Postgres, s(6)),
            Self::HalfOpen(Link::Redis),
            Self::HalfOpen(Link::Postgres),
            Self::Hole(Link::Redis, s(10)),
            Self::Hole(Link::Postgres, s(10)),
            Self::SlowLink(s(8)),
            Self::ReadOnlyPostgres(s(10)),
            Self::RegionGone(s(60)),
            Self::KillAll,
            Self::Clock(Who::Hub(1), 300_000, s(8)),
            Self::Clock(Who::Hub(0), -600_000, s(8)),
            Self::Clock(Who::Hub(1), 30_000, s(8)),
            Self::Clock(Who::Hub(0), -30_000, s(8)),
            Self::Clock(Who::Probe(0), 600_000, s(8)),
            Self::Clock(Who::Probe(1), -600_000, s(8)),
            Self::Clock(Who::Probe(2), 30_000, s(8)),
            Self::Clock(Who::Probe(3), -30_000, s(8)),
            Self::Panic(Who::Hub(0), "ingest.stored", 3),
        ];
        all.extend(POINTS.map(|(who, point, count)| Self::FailPoint(who, point, count)));
        if is_root {
            all.extend([Self::FullSpool(s(10)), Self::FullTables(s(30)), Self::LossyLink(s(10))]);
            for road in [Road::HubsToRedis, Road::WorkersToRedis, Road::HubsToPostgres] {
                all.extend([Way::Both, Way::There, Way::Back].map(|way| Self::Partition(road, way, s(8))));
            }
            // What was measured meanwhile comes late (T187).
            all.push(Self::Partition(Road::WorkersToRedis, Way::Both, s(60)));
            // The other hub goes on.
            let alone = [Road::HubToPostgres(0), Road::HubToRedis(1)];
            all.extend(alone.map(|road| Self::Partition(road, Way::Both, s(8))));
        }
        all
    }

    /// Whether it takes so long that once in a campaign is enough.
    #[must_use]
    pub fn is_long(&self) -> bool {
        let time = match self {
            Self::Kill(_, time)
            | Self::Pause(_, time)
            | Self::StopPostgres(time)
            | Self::RegionGone(time)
            | Self::Partition(_, _, time)
            | Self::FullTables(time) => *time,
            _ => Duration::ZERO,
        };
        time >= s(30)
    }
}
