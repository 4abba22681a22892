//! What of a world a fault gets hold of.

use std::thread::sleep;
use std::time::{Duration, Instant};

use testbed::fault_proxy::FaultProxy;

use super::{Harm, Link, Who};
use crate::process::Process;
use crate::watch::connect;
use crate::world::{World, await_port, wait_until};

/// How long a fail point may take to be reached.
const POINT: Duration = Duration::from_secs(30);
/// After so long without, the other hub is stopped.
const ALONE_AFTER: Duration = Duration::from_secs(8);

impl World {
    pub(super) fn process(&mut self, who: Who) -> &mut Process {
        match who {
            Who::Hub(n) => &mut self.hubs[n],
            Who::Probe(n) => &mut self.probes[n],
            Who::Redis => &mut self.redis,
            Who::Postgres => &mut self.postgres.process,
        }
    }

    /// Waits until a process ended at its fail point. One of two hubs may have all of the schedule for long: the other is
    /// stopped then, until this one has had its turn.
    pub(super) fn await_point(&mut self, who: Who) {
        let has_ended = wait_until(ALONE_AFTER, || self.process(who).is_over());
        let others: Vec<Who> = match who {
            Who::Hub(n) if !has_ended => (0..self.hubs.len()).filter(|other| *other != n).map(Who::Hub).collect(),
            Who::Hub(_) | Who::Probe(_) | Who::Redis | Who::Postgres => Vec::new(),
        };
        others.iter().for_each(|other| self.process(*other).signal("STOP"));
        self.process(who).aborted(POINT);
        others.iter().for_each(|other| self.process(*other).signal("CONT"));
    }

    /// What may come of it when it is away.
    pub(super) fn harm_without(&self, who: Who) -> Harm {
        match who {
            Who::Hub(_) => Harm::Nothing,
            Who::Probe(n) => Harm::WorkerAway(n / self.size.workers),
            Who::Redis | Who::Postgres => Harm::Standstill,
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

    pub(super) fn tell_redis(&self, words: &[&str]) {
        let mut connection = connect(self.redis_port, Duration::from_secs(5)).unwrap();
        let mut command = redis::cmd(words[0]);
        words[1..].iter().for_each(|word| {
            command.arg(*word);
        });
        command.query::<redis::Value>(&mut connection).unwrap();
    }

    pub(super) fn proxies(&self, link: Link) -> Vec<&FaultProxy> {
        match link {
            Link::Redis => self.hubs_to_redis.iter().chain([&self.workers_to_redis]).collect(),
            Link::Postgres => self.hubs_to_postgres.iter().collect(),
        }
    }
}

pub(super) fn each_second(time: Duration, mut act: impl FnMut()) {
    let until = Instant::now() + time;
    while Instant::now() < until {
        act();
        sleep(Duration::from_secs(1));
    }
}

/// Writes until nothing more fits.
pub(super) fn fill(path: &std::path::Path, mib: usize) {
    use std::io::Write as _;
    let mut file = std::fs::File::create(path).unwrap();
    let page = vec![0_u8; 4096];
    for _ in 0..mib * 256 {
        if file.write_all(&page).is_err() {
            return;
        }
    }
}
