//! Failures in private networks, which their gateways speak for.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use probe::wire::{Blame, Check, Class, NetworkState, Outcome, Target};
use testbed::measure::wait_for;
use testbed::namespace::Network;
use testbed::server::Server;
use testbed::{namespace, test_name};

use crate::canary::{CANARY, PUBLIC, Redis, Watch, Worker, ip, machine, mend};
use crate::checks::{OK, assert_down, assert_unknown, assert_up, check, detail, owner};

/// A cable between this network and another machine's, which is the gateway.
struct Lan {
    gateway: Child,
}

impl Lan {
    const HERE: &'static str = "192.168.9.2/24";
    const GATEWAY: &'static str = "192.168.9.1/24";

    fn new(network: &Network) -> Self {
        network.ip(&["link", "add", "lan0", "type", "veth", "peer", "name", "lan1"]);
        let own = std::fs::read_link("/proc/self/ns/net").unwrap();
        let gateway = Command::new("unshare").args(["--net", "sleep", "100"]).stdin(Stdio::null()).spawn().unwrap();
        let pid = gateway.id().to_string();
        wait_for("the gateway's network", Duration::from_secs(10), || {
            std::fs::read_link(format!("/proc/{pid}/ns/net")).ok().filter(|other| *other != own)
        });
        network.ip(&["link", "set", "lan1", "netns", &pid]);
        network.ip(&["address", "add", Self::HERE, "dev", "lan0"]);
        network.ip(&["link", "set", "lan0", "up"]);
        let lan = Self { gateway };
        lan.at_gateway(&["address", "add", Self::GATEWAY, "dev", "lan1"]);
        lan.at_gateway(&["link", "set", "lan1", "up"]);
        lan
    }

    fn at_gateway(&self, arguments: &[&str]) {
        self.there("ip", arguments);
    }

    fn there(&self, program: &str, arguments: &[&str]) {
        let pid = self.gateway.id().to_string();
        let done = Command::new("nsenter").args(["--net", "--target", &pid, program]).args(arguments).status();
        assert!(done.unwrap().success(), "{program} {arguments:?}");
    }

    /// A network behind the gateway, in which there are a website that is dead and one that is well.
    fn behind(&self, network: &Network) -> Server {
        self.at_gateway(&["address", "add", "10.1.0.7/32", "dev", "lan1"]);
        network.ip(&["route", "add", "10.1.0.0/24", "via", "192.168.9.1"]);
        machine(network, "10.1.0.8", 80, OK)
    }

    /// The gateway, and all that was there, is gone.
    fn cut(&self, network: &Network) {
        self.at_gateway(&["address", "flush", "dev", "lan1"]);
        network.ip(&["neigh", "flush", "dev", "lan0"]);
    }
}

impl Drop for Lan {
    fn drop(&mut self) {
        let _ = self.gateway.kill();
        let _ = self.gateway.wait();
    }
}

#[test]
fn t005_a_dead_device_of_the_lan_is_down_unless_the_gateway_is_dead_too() {
    namespace::run(test_name!(), |network| {
        let lan = Lan::new(network);
        let canary = machine(network, CANARY, 443, "");
        let watch = Watch::new(owner(), "1.1.1.1:443", 10);
        let device = "http://192.168.9.7/";
        // Nobody is there who could tell; then a gateway that answers.
        assert_down(&watch.get(device), Class::ConnectUnreachable);
        assert_eq!(watch.keeper.network(), NetworkState::Unasked);
        network.ip(&["route", "add", "default", "via", "192.168.9.1"]);
        assert_down(&watch.get(device), Class::ConnectUnreachable);
        assert_eq!(watch.keeper.network(), NetworkState::Works);

        lan.cut(network);
        let tick = watch.get(device);
        assert_unknown(&tick, Class::ConnectUnreachable, Blame::Probe);
        assert!(detail(&tick).contains("the gateway 192.168.9.1 could not be reached"), "{tick:?}");
        assert_eq!((watch.keeper.network(), watch.keeper.excused()), (NetworkState::CutOff, 1));
        // The gateway itself cannot be its own excuse.
        assert_down(&watch.get("http://192.168.9.1/"), Class::ConnectUnreachable);
        assert_eq!(canary.connections(), 0, "the internet is nobody's business here");
    });
}

/// A website behind the gateway that refuses.
const DEAD: &str = "http://10.1.0.7/";

#[test]
fn a_gateway_that_stops_to_answer_excuses_nothing_once_a_website_behind_it_has_answered() {
    namespace::run(test_name!(), |network| {
        let lan = Lan::new(network);
        let well = lan.behind(network);
        let watch = Watch::new(owner(), "1.1.1.1:443", 10);
        let silence = || network.nft("add rule inet testbed in ip saddr 192.168.9.1 tcp sport 9 drop");
        assert_down(&watch.get(DEAD), Class::ConnectRefused);

        silence();
        let tick = watch.get(DEAD);
        assert_unknown(&tick, Class::ConnectRefused, Blame::Probe);
        assert!(detail(&tick).contains("the gateway 192.168.9.1 could not be reached"), "{tick:?}");
        // It comes back together with the website behind it: it was the network.
        mend(network);
        assert_up(&watch.get(&well.url("/")));
        let back = || (watch.keeper.network() == NetworkState::Works).then_some(());
        wait_for("the gateway to be asked again", Duration::from_secs(10), back);

        silence();
        assert_unknown(&watch.get(DEAD), Class::ConnectRefused, Blame::Probe);
        assert_up(&watch.get(&well.url("/")));
        wait_for("the gateway not to be missed any more", Duration::from_secs(30), || {
            Some(watch.get(DEAD)).filter(|tick| tick.outcome == Outcome::Down)
        });
        assert_eq!(watch.keeper.network(), NetworkState::Works);
        mend(network);
    });
}

#[test]
fn a_gateway_whose_firewall_says_no_is_there_and_one_that_is_gone_is_not() {
    namespace::run(test_name!(), |network| {
        let lan = Lan::new(network);
        let _well = lan.behind(network);
        for rule in [
            "add table inet testbed",
            "add chain inet testbed in { type filter hook input priority 0; }",
            "add rule inet testbed in tcp dport 9 reject with icmpx type admin-prohibited",
        ] {
            lan.there("nft", &[rule]);
        }
        let watch = Watch::new(owner(), "1.1.1.1:443", 10);
        assert_down(&watch.get(DEAD), Class::ConnectRefused);
        assert_eq!(watch.keeper.network(), NetworkState::Works);
        lan.cut(network);
        for _ in 0..2 {
            assert_unknown(&watch.get(DEAD), Class::ConnectUnreachable, Blame::Probe);
        }
    });
}

#[test]
fn a_link_without_a_gateway_is_not_excused_by_one_elsewhere() {
    namespace::run(test_name!(), |network| {
        let lan = Lan::new(network);
        network.ip(&["route", "add", "default", "via", "192.168.9.1"]);
        lan.cut(network);
        network.ip(&["link", "add", "bridge0", "type", "veth", "peer", "name", "bridge1"]);
        network.ip(&["address", "add", "172.17.0.1/16", "dev", "bridge0"]);
        for end in ["bridge0", "bridge1"] {
            network.ip(&["link", "set", end, "up"]);
        }
        let watch = Watch::new(owner(), "1.1.1.1:443", 1);
        assert_down(&watch.get("http://172.17.0.2/"), Class::ConnectUnreachable);
        assert_eq!(watch.keeper.network(), NetworkState::Unasked);
    });
}

#[test]
fn p3_threads_stay_few_while_everything_fails_behind_many_gateways() {
    const CHECKS: u8 = 10;
    const PRIVATE: u8 = 8;
    namespace::run(test_name!(), |network| {
        let _lan = Lan::new(network);
        let canaries: Vec<String> = (1..=8).map(|last| format!("1.1.1.{last}")).collect();
        for silent in canaries.iter().map(String::as_str).chain([PUBLIC]) {
            network.elsewhere(ip(silent));
            network.drop_to(ip(silent));
        }
        let mut redis = Redis::start();
        let list: Vec<String> = canaries.iter().map(|address| format!("{address}:443")).collect();
        let settings =
            [("CANARIES", &*list.join(",")), ("ALLOW_PRIVATE", "10.0.0.0/8"), ("CONCURRENCY", &*CHECKS.to_string())];
        let worker = Worker::start(&redis.directory.path().join("probe.log"), &settings);
        for number in 0..CHECKS {
            // Nobody is at the gateways' addresses, which takes the kernel three seconds to find out.
            let url = if number < PRIVATE {
                let (net, gateway) = (format!("10.{number}.0.0/16"), format!("192.168.9.{}", 100 + number));
                network.ip(&["route", "add", &net, "via", &gateway]);
                format!("http://10.{number}.0.1/")
            } else {
                format!("http://{PUBLIC}/{number}")
            };
            let timeout_ms = if number < PRIVATE { 10_000 } else { 3_000 };
            let target = Target { timeout_ms, ..Target::get(url) };
            let slot_at = i64::from(number) + 1;
            redis.publish(&Check { slot_at, deadline_at: 120_000, published_at: 0, ..check(target) });
        }
        let mut peak = 0;
        let ticks = wait_for("all ticks", Duration::from_secs(40), || {
            peak = peak.max(worker.threads());
            Some(redis.reports().0).filter(|ticks| ticks.len() == usize::from(CHECKS))
        });
        assert!(peak <= usize::from(CHECKS) + 16, "{peak} threads");
        for tick in &ticks {
            assert_eq!(tick.outcome, Outcome::Unknown, "{tick:?}");
        }
        let saying = |words: &str| ticks.iter().filter(|tick| detail(tick).contains(words)).count();
        assert_eq!(saying("no canary answered"), usize::from(CHECKS - PRIVATE));
        let (gone, too_many) = (saying("could not be reached"), saying("too many networks were to be asked at once"));
        assert!(gone >= 3 && too_many >= 1 && gone + too_many == usize::from(PRIVATE), "{gone} {too_many}");
        worker.stop();
    });
}
