//! Faults, done to a world.

use std::thread::sleep;
use std::time::{Duration, Instant};

use testbed::fault_proxy::{Cut, Fault as Network, FaultProxy};

use super::{Fault, Harm, Link, Outage, Who};
use crate::now;
use crate::process::{Process, signal};
use crate::watch::connect;
use crate::world::{World, await_port};

/// How long a fail point may take to be reached.
const POINT: Duration = Duration::from_secs(30);
/// How long a process may take to end after SIGTERM.
const TERM: Duration = Duration::from_secs(25);

impl Fault {
    /// Does it, and returns when everything runs again.
    pub fn inject(self, world: &mut World) -> Outage {
        let from = now();
        let harm = self.run(world);
        Outage { from, back: now(), harm }
    }

    fn run(self, world: &mut World) -> Harm {
        match self {
            Self::Kill(who, away) => {
                world.process(who).kill();
                sleep(away);
                world.revive(who);
                match who {
                    Who::Hub(_) | Who::Probe(_) => Harm::Nothing,
                    Who::Redis | Who::Postgres => Harm::Standstill,
                }
            }
            Self::Pause(who, time) => {
                world.process(who).signal("STOP");
                sleep(time);
                world.process(who).signal("CONT");
                match who {
                    Who::Hub(_) | Who::Probe(_) => Harm::Nothing,
                    Who::Redis | Who::Postgres => Harm::Standstill,
                }
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
                world.probes_to_redis.set(Network::Delay { up: delay, down: delay });
                sleep(time);
                world.probes_to_redis.set(Network::Pass);
                Harm::Nothing
            }
            Self::RegionGone(time) => {
                let workers = world.size.workers;
                world.probes[..workers].iter_mut().for_each(Process::kill);
                sleep(time);
                world.probes[..workers].iter_mut().for_each(Process::start);
                Harm::RegionSilent(0)
            }
            Self::KillAll => {
                for _ in 0..3 {
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
                Harm::Standstill
            }
            Self::FailPoint(who, point, count) => {
                // A clean restart, so that the process knows its point.
                world.process(who).end("TERM", TERM);
                world.process(who).set("FAIL_POINT", Some(&format!("{point}:{count}")));
                world.revive(who);
                world.process(who).aborted(POINT);
                world.process(who).set("FAIL_POINT", None);
                sleep(Duration::from_secs(1));
                world.revive(who);
                Harm::Nothing
            }
            Self::Clock(hub, shift_ms, time) => {
                let file = world.clock_file(hub);
                std::fs::write(&file, shift_ms.to_string()).unwrap();
                sleep(time);
                std::fs::remove_file(&file).unwrap();
                Harm::Nothing
            }
        }
    }
}

impl World {
    fn process(&mut self, who: Who) -> &mut Process {
        match who {
            Who::Hub(n) => &mut self.hubs[n],
            Who::Probe(n) => &mut self.probes[n],
            Who::Redis => &mut self.redis,
            Who::Postgres => &mut self.postgres.process,
        }
    }

    /// Starts a process again and waits until it can work.
    pub fn revive(&mut self, who: Who) {
        match who {
            Who::Hub(n) => self.start_hub(n),
            Who::Probe(n) => self.probes[n].start(),
            Who::Redis => {
                self.redis.start();
                await_port("redis-server", self.redis_port);
            }
            Who::Postgres => self.postgres.begin(),
        }
    }

    fn tell_redis(&self, words: &[&str]) {
        let mut connection = connect(self.redis_port, Duration::from_secs(5)).unwrap();
        let mut command = redis::cmd(words[0]);
        words[1..].iter().for_each(|word| {
            command.arg(*word);
        });
        command.query::<redis::Value>(&mut connection).unwrap();
    }

    fn proxies(&self, link: Link) -> Vec<&FaultProxy> {
        match link {
            Link::Redis => vec![&self.hubs_to_redis, &self.probes_to_redis],
            Link::Postgres => vec![&self.to_postgres],
        }
    }
}

fn each_second(time: Duration, mut act: impl FnMut()) {
    let until = Instant::now() + time;
    while Instant::now() < until {
        act();
        sleep(Duration::from_secs(1));
    }
}

/// Writes until nothing more fits.
fn fill(path: &std::path::Path, mib: usize) {
    use std::io::Write as _;
    let mut file = std::fs::File::create(path).unwrap();
    let page = vec![0_u8; 4096];
    for _ in 0..mib * 256 {
        if file.write_all(&page).is_err() {
            return;
        }
    }
}
