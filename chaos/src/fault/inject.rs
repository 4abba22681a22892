//! Faults, done to a world.

use std::thread::sleep;
use std::time::Duration;

use testbed::fault_proxy::{Cut, Fault as Network, FaultProxy};
use testbed::measure::wait_for;

use super::partition::Dropping;
use super::reach::{each_second, fill};
use super::{Fault, Harm, Outage, Road, Way, Who};
use crate::judge::BACK_MS;
use crate::now;
use crate::process::{Process, signal};
use crate::world::World;

/// How long a panic may take to be said.
const POINT: Duration = Duration::from_secs(30);
/// What a process says that was told to panic.
pub(crate) const PANICS: &str = "The fail point";
/// How often everything is killed.
const KILLS: usize = 3;
/// How long a process may take to end after SIGTERM.
const TERM: Duration = Duration::from_secs(25);

impl Fault {
    /// Does it, and returns when everything runs again.
    pub fn inject(self, world: &mut World) -> Outage {
        let from = now();
        let harm = self.run(world);
        let back = now();
        Outage { from, back, until: back + BACK_MS, harm, may_repeat: self.may_repeat(), deaths: self.deaths() }
    }

    fn deaths(self) -> usize {
        if self == Self::KillAll { KILLS } else { 1 }
    }

    /// Where nobody dies, and no answer fails to come, nobody is asked twice.
    fn may_repeat(self) -> bool {
        !matches!(
            self,
            Self::RollingRestart
                | Self::Flush
                | Self::ReadOnlyPostgres(_)
                | Self::FullTables(_)
                | Self::FullSpool(_)
                | Self::FullRedis(_)
                | Self::ReadOnlyRedis(_)
                | Self::SlowLink(_)
                | Self::LossyLink(_)
                | Self::Panic(..)
                | Self::Clock(..)
        )
    }

    fn run(self, world: &mut World) -> Harm {
        match self {
            Self::Kill(who, away) => {
                world.process(who).kill();
                sleep(away);
                world.revive(who);
                world.harm_without(who)
            }
            Self::Pause(who, time) => {
                world.process(who).signal("STOP");
                sleep(time);
                world.process(who).signal("CONT");
                world.harm_without(who)
            }
            Self::RollingRestart => {
                for n in 0..world.hubs.len() {
                    let status = world.hubs[n].end("TERM", TERM);
                    assert!(status.success(), "a hub ended with {status}\n{}", world.hubs[n].log_end());
                    world.start_hub(n);
                    sleep(Duration::from_secs(2));
                }
                for probe in &mut world.probes {
                    let status = probe.end("TERM", TERM);
                    assert!(status.success(), "a worker ended with {status}\n{}", probe.log_end());
                    probe.start();
                    sleep(Duration::from_secs(1));
                }
                Harm::Nothing
            }
            Self::KillBackend => {
                let mut session = world.postgres.session();
                let sql = "select pid from pg_stat_activity where datname = current_database() \
                           and pid <> pg_backend_pid() and backend_type = 'client backend' order by query_start desc limit 1";
                let id: i32 = session.rows::<(i32,)>(sql)[0].0;
                signal(u32::try_from(id).unwrap(), "KILL");
                // All connections end while the others recover.
                sleep(Duration::from_millis(200));
                drop(world.postgres.session());
                Harm::Standstill
            }
            Self::StopPostgres(away) => {
                world.postgres.process.end("QUIT", Duration::from_secs(20));
                sleep(away);
                world.postgres.begin();
                Harm::Standstill
            }
            Self::ReadOnlyPostgres(time) => {
                let mut session = world.postgres.session();
                let mut set = |value: &str| {
                    session.execute(&format!("alter system set default_transaction_read_only = {value}"));
                    session.execute("select pg_reload_conf()");
                };
                set("on");
                sleep(time);
                set("off");
                Harm::Standstill
            }
            Self::FullTables(time) => {
                let ballast = world.disks.as_ref().unwrap().tables.join("ballast");
                fill(&ballast, 96);
                sleep(time);
                std::fs::remove_file(ballast).unwrap();
                Harm::Standstill
            }
            Self::FullSpool(time) => {
                let ballast = world.disks.as_ref().unwrap().spool.join("ballast");
                fill(&ballast, 1);
                world.tell_redis(&["CONFIG", "SET", "maxmemory", "1"]);
                sleep(time);
                world.tell_redis(&["CONFIG", "SET", "maxmemory", "0"]);
                std::fs::remove_file(ballast).unwrap();
                Harm::Standstill
            }
            Self::Flush => {
                world.tell_redis(&["FLUSHALL"]);
                Harm::Forgotten
            }
            Self::EmptyRedis => {
                world.redis.kill();
                let data = world.directory().join("redis");
                std::fs::remove_dir_all(&data).unwrap();
                std::fs::create_dir(&data).unwrap();
                world.revive(Who::Redis);
                Harm::Forgotten
            }
            Self::FullRedis(time) => {
                world.tell_redis(&["CONFIG", "SET", "maxmemory", "1"]);
                sleep(time);
                world.tell_redis(&["CONFIG", "SET", "maxmemory", "0"]);
                Harm::Standstill
            }
            Self::ReadOnlyRedis(time) => {
                world.tell_redis(&["REPLICAOF", "127.0.0.1", "1"]);
                sleep(time);
                world.tell_redis(&["REPLICAOF", "NO", "ONE"]);
                Harm::Standstill
            }
            Self::KillClients(time) => {
                each_second(time, || world.tell_redis(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]));
                Harm::Standstill
            }
            Self::Cut(link, time) => {
                each_second(time, || world.proxies(link).into_iter().for_each(|p| p.cut(Cut::Fin)));
                Harm::Standstill
            }
            Self::HalfOpen(link) => {
                world.proxies(link).into_iter().for_each(FaultProxy::freeze);
                Harm::Nothing
            }
            Self::Hole(link, time) => {
                world.proxies(link).into_iter().for_each(|p| p.set(Network::BlackHole));
                sleep(time);
                for proxy in world.proxies(link) {
                    // What was lost in the meantime makes their streams of bytes nonsense.
                    proxy.freeze();
                    proxy.set(Network::Pass);
                }
                Harm::Standstill
            }
            Self::SlowLink(time) => {
                let delay = Duration::from_millis(300);
                world.workers_to_redis.set(Network::Delay { up: delay, down: delay });
                sleep(time);
                world.workers_to_redis.set(Network::Pass);
                Harm::Nothing
            }
            Self::LossyLink(time) => {
                let (proxy, delay) = (&world.workers_to_redis, Duration::from_millis(150));
                let before = proxy.connections();
                proxy.set(Network::Delay { up: delay, down: delay });
                let dropping = Dropping::start(&Road::WorkersToRedis.ports(world), Way::Both, Some(10));
                sleep(time);
                drop(dropping);
                proxy.set(Network::Pass);
                // Each worker has two, and gives one up after 4 s without an answer.
                let (made, most) =
                    (proxy.connections() - before, world.probes.len() as u64 * 2 * (time.as_secs() / 4 + 1));
                assert!(made <= most, "T195: {made} connections to Redis in {time:?}, {most} at most");
                Harm::Nothing
            }
            Self::Partition(road, way, time) => {
                let dropping = Dropping::start(&road.ports(world), way, None);
                sleep(time);
                drop(dropping);
                match road {
                    Road::HubsToRedis | Road::WorkersToRedis | Road::HubsToPostgres => Harm::Standstill,
                    Road::HubToRedis(_) | Road::HubToPostgres(_) => Harm::Nothing,
                }
            }
            Self::RegionGone(time) => {
                let workers = world.size.workers;
                world.probes[..workers].iter_mut().for_each(Process::kill);
                sleep(time);
                world.probes[..workers].iter_mut().for_each(Process::start);
                Harm::RegionSilent(0)
            }
            Self::KillAll => {
                for _ in 0..KILLS {
                    world.postgres.process.kill();
                    world.redis.kill();
                    world.hubs.iter_mut().chain(&mut world.probes).for_each(Process::kill);
                    world.revive(Who::Postgres);
                    world.revive(Who::Redis);
                    for n in 0..world.hubs.len() {
                        world.start_hub(n);
                    }
                    world.probes.iter_mut().for_each(Process::start);
                    sleep(Duration::from_secs(2));
                }
                Harm::Everything
            }
            Self::FailPoint(who, point, count) => {
                // A clean restart, so that the process knows its point.
                world.process(who).end("TERM", TERM);
                world.process(who).set("FAIL_POINT", Some(&format!("{point}:{count}")));
                world.revive(who);
                world.await_point(who);
                world.process(who).set("FAIL_POINT", None);
                sleep(Duration::from_secs(1));
                world.revive(who);
                world.harm_without(who)
            }
            Self::Panic(who, point, count) => {
                world.process(who).end("TERM", TERM);
                world.process(who).set("FAIL_POINT", Some(&format!("{point}:{count}:panic")));
                world.revive(who);
                world.process(who).set("FAIL_POINT", None);
                let said = format!("{PANICS} {point} panics");
                wait_for(&said, POINT, || world.process(who).log().contains(&said).then_some(()));
                assert_eq!(world.process(who).ended(), None, "{}", world.process(who).log_end());
                Harm::Nothing
            }
            Self::Clock(who, shift_ms, time) => {
                let name = world.process(who).name.clone();
                let file = world.clock_file(&name);
                std::fs::write(&file, shift_ms.to_string()).unwrap();
                if let Who::Probe(n) = who {
                    // One that starts does not know better yet.
                    sleep(time / 2);
                    world.probes[n].end("TERM", TERM);
                    world.probes[n].start();
                    sleep(time / 2);
                } else {
                    sleep(time);
                }
                std::fs::remove_file(&file).unwrap();
                Harm::Nothing
            }
        }
    }
}
