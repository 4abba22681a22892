//! Failures seen while the probe's own network is cut off, in networks of our own: they say nothing about the website.

use std::net::{IpAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use probe::canary::{Canaries, Keeper};
use probe::engine::{Engine, EngineConfig};
use probe::pool::{Pool, Ran};
use probe::wire::{
    self, Blame, Check, Class, Heartbeat, MAX_CHECK_BYTES, NetworkState, Outcome, Phase, Report, Target, Tick,
};
use testbed::measure::wait_for;
use testbed::name_server::{Answer, NameServer};
use testbed::namespace::Network;
use testbed::server::Server;
use testbed::{namespace, test_name};

use crate::checks::{OK, asking_of, assert_down, assert_unknown, assert_up, check, detail, knowing, owner, short};

pub(crate) const PUBLIC: &str = "93.184.216.34";
const PUBLIC_V6: &str = "2606:2800::1";
pub(crate) const CANARY: &str = "1.1.1.1";
const CANARY_V6: &str = "2606:4700:4700::1111";

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A fake machine that accepts connections at a port and says this.
pub(crate) fn machine(network: &Network, address: &str, port: u16, says: &'static str) -> Server {
    network.elsewhere(ip(address));
    Server::at((ip(address), port).into(), None, move |_, mut stream| {
        stream.head();
        stream.say(says);
    })
}

/// Takes back all that was cut. Servers are ended by a connection, so also at the end of a test.
pub(crate) fn mend(network: &Network) {
    network.nft("flush chain inet testbed in");
}

/// An engine with canaries and a pool before it, as workers and hubs have them.
pub(crate) struct Watch {
    pool: Pool,
    pub(crate) keeper: Arc<Keeper>,
}

impl Watch {
    pub(crate) fn new(config: EngineConfig, canaries: &str, concurrency: u16) -> Self {
        let engine = Engine::new(config).unwrap();
        let keeper = Arc::new(Keeper::new(Canaries::parse(canaries).unwrap(), engine.clone()));
        Self { pool: Pool::start(Arc::new(engine), keeper.clone(), concurrency), keeper }
    }

    fn run_all(&self, targets: Vec<Target>) -> Vec<Tick> {
        let (tell, told) = mpsc::channel();
        let count = targets.len();
        for target in targets {
            let tell = tell.clone();
            self.pool.submit(check(target), Duration::from_secs(60), move |ran| match ran {
                Ran::Tick(tick) => tell.send(*tick).unwrap(),
                Ran::Expired => unreachable!("there is time for all"),
            });
        }
        (0..count).map(|_| told.recv_timeout(Duration::from_secs(60)).unwrap()).collect()
    }

    fn run(&self, target: Target) -> Tick {
        self.run_all(vec![target]).remove(0)
    }

    pub(crate) fn get(&self, url: &str) -> Tick {
        self.run(short(url, 5_000))
    }
}

/// A server counts whom the kernel has let in before.
fn wait_for_connections(server: &Server, count: usize) {
    wait_for("connections", Duration::from_secs(10), || (server.connections() >= count).then_some(()));
    assert_eq!(server.connections(), count);
}

#[test]
fn t188_a_dead_website_is_down_while_a_canary_answers_and_unknown_while_none_does() {
    namespace::run(test_name!(), |network| {
        let canary = machine(network, CANARY, 443, "");
        for silent in ["9.9.9.9", CANARY_V6] {
            network.elsewhere(ip(silent));
            network.drop_to(ip(silent));
        }
        // Nothing listens there.
        network.elsewhere(ip(PUBLIC));
        network.elsewhere(ip(PUBLIC_V6));
        let config = knowing(&[("both.example", PUBLIC), ("both.example", PUBLIC_V6)]);
        let watch = Watch::new(config, "1.1.1.1:443,9.9.9.9:443,[2606:4700:4700::1111]:443", 10);
        assert_eq!(watch.keeper.network(), NetworkState::Unasked);

        assert_down(&watch.get(&format!("http://{PUBLIC}/")), Class::ConnectRefused);
        assert_eq!(watch.keeper.network(), NetworkState::Works);
        wait_for_connections(&canary, 1);
        // IPv6 has a canary of its own, which is silent; a website that has both families is reached over either.
        let tick = watch.get(&format!("http://[{PUBLIC_V6}]/"));
        assert_unknown(&tick, Class::ConnectRefused, Blame::Probe);
        let said = "The probe's own network failed at the same time: no canary answered ([2606:4700:4700::1111]:443). \
                    What the check saw: ";
        assert!(detail(&tick).starts_with(said), "{tick:?}");
        assert_down(&watch.get("http://both.example/"), Class::ConnectRefused);
        assert_eq!(watch.keeper.network(), NetworkState::Works);

        network.drop_to(ip(CANARY));
        let tick = wait_for("the cut to be seen", Duration::from_secs(20), || {
            Some(watch.get(&format!("http://{PUBLIC}/"))).filter(|tick| tick.outcome == Outcome::Unknown)
        });
        assert_unknown(&tick, Class::ConnectRefused, Blame::Probe);
        assert_eq!(tick.failure.as_ref().unwrap().phase, Phase::Connect);
        assert!(tick.total_us < 1_000_000 && tick.total_us == tick.phases.sum_us(), "not part of the phases: {tick:?}");
        assert!(detail(&tick).contains("(1.1.1.1:443, 9.9.9.9:443). What the check saw: 93.184.216.34:80 refused"));
        assert_eq!(watch.keeper.network(), NetworkState::CutOff);
        let excused = watch.keeper.excused();
        assert!(excused >= 2, "{excused}");

        mend(network);
        wait_for("the return to be seen", Duration::from_secs(20), || {
            Some(watch.get(&format!("http://{PUBLIC}/"))).filter(|tick| tick.outcome == Outcome::Down)
        });
        assert_eq!(watch.keeper.network(), NetworkState::Works);

        // Whoever cannot ask any more cannot say that it is the website.
        watch.keeper.end_soon();
        let tick = watch.get(&format!("http://{PUBLIC}/"));
        assert_unknown(&tick, Class::ConnectRefused, Blame::Probe);
        let said = "Whether the probe's own network worked could not be found out: the probe was stopping. ";
        assert!(detail(&tick).starts_with(said), "{tick:?}");
    });
}

#[test]
fn t005_an_unreachable_host_is_down_only_if_the_canaries_are_fine() {
    namespace::run(test_name!(), |network| {
        network.elsewhere(ip(PUBLIC));
        network.reject_to(ip(PUBLIC));
        let canary = machine(network, CANARY, 443, "");
        let url = format!("http://{PUBLIC}/");
        assert_down(&Watch::new(owner(), "1.1.1.1:443", 1).get(&url), Class::ConnectUnreachable);
        wait_for_connections(&canary, 1);
        network.reject_to(ip(CANARY));
        assert_unknown(&Watch::new(owner(), "1.1.1.1:443", 1).get(&url), Class::ConnectUnreachable, Blame::Probe);
        // Who turned them off is told what was seen.
        assert_down(&Watch::new(owner(), "off", 1).get(&url), Class::ConnectUnreachable);
        mend(network);
    });
}

#[test]
fn canaries_behind_a_firewall_excuse_nothing_while_another_website_answers() {
    namespace::run(test_name!(), |network| {
        network.elsewhere(ip(CANARY));
        network.drop_to(ip(CANARY));
        network.elsewhere(ip(PUBLIC));
        let healthy = machine(network, "93.184.216.35", 80, OK);
        let dead = format!("http://{PUBLIC}/");
        let watch = Watch::new(owner(), "1.1.1.1:443", 2);
        let tick = std::thread::scope(|scope| {
            let look = scope.spawn(|| watch.get(&dead));
            // Checked again and again, as many websites would be, so that one of them falls into the round.
            while !look.is_finished() {
                assert_up(&watch.get(&healthy.url("/")));
                std::thread::sleep(Duration::from_millis(50));
            }
            look.join().unwrap()
        });
        assert_down(&tick, Class::ConnectRefused);
        assert_eq!((watch.keeper.network(), watch.keeper.excused()), (NetworkState::Works, 0));

        // Nobody answers: the same failure is excused, also right after a good answer of the other website, to a probe
        // that has not learnt yet that its canaries are blocked.
        let watch = Watch::new(owner(), "1.1.1.1:443", 2);
        assert_up(&watch.get(&healthy.url("/")));
        network.drop_to(ip("93.184.216.35"));
        let tick = watch.get(&dead);
        mend(network);
        assert_unknown(&tick, Class::ConnectRefused, Blame::Probe);
        assert!(detail(&tick).contains("no canary answered (1.1.1.1:443)"), "{tick:?}");

        // What this machine's own rules hold back was not asked.
        network.ip(&["route", "add", "prohibit", "1.0.0.1/32"]);
        let tick = Watch::new(owner(), "1.0.0.1:443", 2).get(&dead);
        assert_unknown(&tick, Class::ConnectRefused, Blame::Probe);
        assert!(detail(&tick).contains("this machine's own rules or limits let nobody be asked"), "{tick:?}");
    });
}

#[test]
fn eight_canaries_are_asked_within_one_round_and_the_last_of_them_is_heard() {
    namespace::run(test_name!(), |network| {
        let addresses: Vec<String> = (1..=8).map(|last| format!("1.1.1.{last}")).collect();
        let (last, others) = addresses.split_last().unwrap();
        for silent in others {
            network.elsewhere(ip(silent));
            network.drop_to(ip(silent));
        }
        let canary = machine(network, last, 443, "");
        network.elsewhere(ip(PUBLIC));
        let list: Vec<String> = addresses.iter().map(|address| format!("{address}:443")).collect();
        let look = || Watch::new(owner(), &list.join(","), 1).get(&format!("http://{PUBLIC}/"));
        assert_down(&look(), Class::ConnectRefused);
        wait_for_connections(&canary, 1);
        network.drop_to(ip(last));
        let tick = look();
        mend(network);
        assert_unknown(&tick, Class::ConnectRefused, Blame::Probe);
        let waited_us = tick.delays.report_us.unwrap();
        // A round lasts 2.5 s, two of them twice as long.
        assert!((2_400_000..4_500_000).contains(&waited_us), "{waited_us}");
    });
}

#[test]
fn t057_a_name_that_cannot_be_looked_up_is_excused_while_the_canaries_fail_too() {
    namespace::run(test_name!(), |network| {
        let canary = machine(network, CANARY, 443, "");
        let names = NameServer::start(|_| Answer::Rcode(3));
        let watch = || Watch::new(asking_of(&[&names]), "1.1.1.1:443", 1);
        assert_down(&watch().get("http://a.example/"), Class::DnsNxdomain);
        wait_for_connections(&canary, 1);
        network.reject_to(ip(CANARY));
        assert_unknown(&watch().get("http://a.example/"), Class::DnsNxdomain, Blame::Probe);
        // The canary's own name is part of the question.
        let watch = Watch::new(asking_of(&[&names]), "canary.example:443", 1);
        assert_unknown(&watch.get("http://a.example/"), Class::DnsNxdomain, Blame::Probe);
        mend(network);
    });
}

#[test]
fn nobody_is_asked_for_what_a_network_cannot_cause_and_on_this_machine() {
    namespace::run(test_name!(), |network| {
        let canary = machine(network, CANARY, 443, "");
        let website = machine(network, PUBLIC, 80, "HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n");
        network.count("canary", "ip daddr 1.1.1.1");
        let watch = Watch::new(owner(), "1.1.1.1:443", 10);
        assert_down(&watch.get(&website.url("/")), Class::HttpStatus);
        assert_up(&watch.get(&Server::answering(OK).url("/")));
        assert_down(&watch.get("http://127.0.0.1:9/"), Class::ConnectRefused);
        assert_down(&watch.get("http://localhost:9/"), Class::ConnectRefused);
        let tick = watch.run(Target { timeout_ms: 1_000, ..Target::get("http://169.254.169.254/") });
        assert_unknown(&tick, Class::BlockedByPolicy, Blame::Policy);
        assert_eq!((canary.connections(), network.counted("canary")), (0, 0));
        assert_eq!((watch.keeper.network(), watch.keeper.excused()), (NetworkState::Unasked, 0));
    });
}

#[test]
fn fifty_failures_at_once_cost_a_round_or_two() {
    namespace::run(test_name!(), |network| {
        let canary = machine(network, CANARY, 443, "");
        network.elsewhere(ip(PUBLIC));
        network.drop_to(ip(PUBLIC));
        let fifty = || (0..50).map(|n| Target { timeout_ms: 1_500, ..Target::get(format!("http://{PUBLIC}/{n}")) });
        let watch = Watch::new(owner(), "1.1.1.1:443", 50);
        for tick in watch.run_all(fifty().collect()) {
            assert_down(&tick, Class::ConnectTimeout);
        }
        assert!(canary.connections() <= 2, "{}", canary.connections());
        network.reject_to(ip(CANARY));
        // What leaves, of which each round has one: it is told at once that there is no way.
        network.count("rounds", "ip daddr 1.1.1.1 tcp flags & (syn|ack) == syn");
        for tick in watch.run_all(fifty().collect()) {
            assert_unknown(&tick, Class::ConnectTimeout, Blame::Probe);
        }
        assert!((1..=2).contains(&network.counted("rounds")), "{}", network.counted("rounds"));
        assert_eq!((watch.keeper.excused(), watch.keeper.network()), (50, NetworkState::CutOff));
        mend(network);
    });
}

/// A redis-server on loopback, which needs no network; ends with the value.
pub(crate) struct Redis {
    child: Child,
    connection: redis::Connection,
    pub(crate) directory: tempfile::TempDir,
}

impl Redis {
    const PORT: &'static str = "6379";

    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let child = Command::new("redis-server")
            .args(["--port", Self::PORT, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir"])
            .arg(directory.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        wait_for("redis-server to listen", Duration::from_secs(10), || TcpStream::connect("127.0.0.1:6379").ok());
        let connection = redis::Client::open("redis://127.0.0.1:6379").unwrap().get_connection().unwrap();
        let mut redis = Self { child, connection, directory };
        let _: redis::Value = redis.run(&["XGROUP", "CREATE", "betteruptime:website:eu", "eu", "0", "MKSTREAM"]);
        redis
    }

    fn run<T: redis::FromRedisValue>(&mut self, words: &[&str]) -> T {
        redis::cmd(words[0]).arg(&words[1..]).query(&mut self.connection).unwrap()
    }

    pub(crate) fn publish(&mut self, check: &Check) {
        let body = wire::encode(check, MAX_CHECK_BYTES).unwrap();
        let _: String = self.run(&["XADD", "betteruptime:website:eu", "*", "v", "1", "kind", "check", "body", &body]);
    }

    pub(crate) fn reports(&mut self) -> (Vec<Tick>, Option<Heartbeat>) {
        type Entry = (String, Vec<(Vec<u8>, Vec<u8>)>);
        let entries: Vec<Entry> = self.run(&["XRANGE", "betteruptime:tick:eu:w", "-", "+"]);
        let (mut ticks, mut last) = (Vec::new(), None);
        for (_, fields) in &entries {
            match wire::decode_report(fields.iter().map(|(n, v)| (n.as_slice(), v.as_slice()))).unwrap() {
                Report::Tick(tick) => ticks.push(*tick),
                Report::Heartbeat(heartbeat) => last = Some(heartbeat),
                Report::DeadLetter(letter) => unreachable!("{letter:?}"),
            }
        }
        (ticks, last)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The binary beside that Redis; killed with the value.
pub(crate) struct Worker(Child);

impl Worker {
    /// It logs to `log`.
    pub(crate) fn start(log: &Path, settings: &[(&str, &str)]) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_betteruptime-probe"))
            .env_clear()
            .envs([("REDIS_URL", "redis://127.0.0.1:6379"), ("CONSUMER_GROUP_REGION_ID", "eu"), ("WORKER_ID", "w")])
            .envs(settings.iter().copied())
            .stderr(std::fs::File::create(log).unwrap())
            .spawn()
            .unwrap();
        Self(child)
    }

    pub(crate) fn threads(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/task", self.0.id())).unwrap().count()
    }

    /// SIGTERM, at which it ends well.
    pub(crate) fn stop(mut self) {
        assert!(Command::new("kill").arg(self.0.id().to_string()).status().unwrap().success());
        let ended = wait_for("the probe to end", Duration::from_secs(20), || self.0.try_wait().unwrap());
        assert!(ended.success());
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn t188_a_worker_cut_from_all_targets_calls_nothing_down_and_says_that_it_is_blind() {
    namespace::run(test_name!(), |network| {
        let _canary = machine(network, CANARY, 443, "");
        let website = machine(network, PUBLIC, 80, OK);
        network.reject_to(ip(PUBLIC));
        network.reject_to(ip(CANARY));
        let mut redis = Redis::start();
        let log = redis.directory.path().join("probe.log");
        let worker = Worker::start(&log, &[("CANARIES", "1.1.1.1:443")]);
        for slot_at in 1..=5 {
            let target = short(website.url("/"), 5_000);
            redis.publish(&Check { slot_at, deadline_at: 120_000, published_at: 0, ..check(target) });
        }
        let ticks = wait_for("five ticks", Duration::from_secs(30), || {
            Some(redis.reports().0).filter(|ticks| ticks.len() == 5)
        });
        for tick in &ticks {
            assert_unknown(tick, Class::ConnectUnreachable, Blame::Probe);
        }
        let heartbeat = |redis: &mut Redis, network| {
            wait_for("the heartbeat to say so", Duration::from_secs(30), || {
                redis.reports().1.filter(|heartbeat| heartbeat.network == network)
            })
        };
        assert_eq!(heartbeat(&mut redis, NetworkState::CutOff).excused, 5);
        // Nothing fails any more, nothing is even checked: the return is seen all the same.
        mend(network);
        assert_eq!(heartbeat(&mut redis, NetworkState::Works).excused, 5);
        let told = std::fs::read_to_string(&log).unwrap();
        assert_eq!((told.matches("cut off").count(), told.matches("is back").count()), (1, 1), "{told}");
        worker.stop();
    });
}
