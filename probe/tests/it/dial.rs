//! Addresses that do not answer, refuse or cannot be reached, in a network of our own.

use std::net::IpAddr;

use probe::wire::{Class, Phase};
use testbed::server::Server;
use testbed::{namespace, test_name};

use crate::checks::{OK, assert_down, assert_up, knowing, owner, run_with, short};

const PUBLIC: &str = "93.184.216.34";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn at(address: &str, port: u16) -> Server {
    Server::at((ip(address), port).into(), None, |_, mut stream| {
        stream.head();
        stream.say(OK);
    })
}

#[test]
fn t003_a_syn_into_the_void_is_a_connect_timeout() {
    namespace::run(test_name!(), |network| {
        network.elsewhere(ip(PUBLIC));
        network.count_syns();
        network.drop_to(ip(PUBLIC));
        // The whole check's budget wins, and the connect budget of five seconds does where it is shorter.
        for (timeout_ms, least_us, most_us) in [(1_000, 900_000, 1_500_000), (9_000, 4_900_000, 5_500_000)] {
            let tick = run_with(owner(), short(format!("http://{PUBLIC}/"), timeout_ms));
            assert_down(&tick, Class::ConnectTimeout);
            assert_eq!(tick.failure.as_ref().unwrap().phase, Phase::Connect);
            assert!((least_us..most_us).contains(&tick.phases.connect_us.unwrap()), "{tick:?}");
            assert!(tick.phases.send_us.is_none() && tick.status.is_none());
        }
        assert!(network.syns() >= 2);
    });
}

#[test]
fn t005_a_host_that_a_router_calls_unreachable_is_unreachable() {
    namespace::run(test_name!(), |network| {
        for address in [PUBLIC, "2606:4700::5"] {
            network.elsewhere(ip(address));
            network.reject_to(ip(address));
            let host = if address.contains(':') { format!("[{address}]") } else { address.to_owned() };
            let tick = run_with(owner(), short(format!("http://{host}/"), 3_000));
            assert_down(&tick, Class::ConnectUnreachable);
            assert!(tick.total_us < 1_500_000, "{tick:?}");
        }
    });
}

#[test]
fn t005_a_probe_without_a_network_blames_itself() {
    namespace::run(test_name!(), |_| {
        let tick = run_with(owner(), short(format!("http://{PUBLIC}/"), 3_000));
        crate::checks::assert_unknown(&tick, Class::ConnectUnreachable, probe::wire::Blame::Probe);
    });
}

#[test]
fn t052_a_broken_ipv6_does_not_hide_a_healthy_ipv4() {
    namespace::run(test_name!(), |network| {
        network.elsewhere(ip(PUBLIC));
        let _server = at(PUBLIC, 80);
        // Without a route, unreachable, dropped, refused.
        let (unreachable, dropped, refused) = ("2606:4700::6", "2606:4700::7", "2606:4700::8");
        for address in [unreachable, dropped, refused] {
            network.elsewhere(ip(address));
        }
        network.reject_to(ip(unreachable));
        network.drop_to(ip(dropped));
        for broken in ["2606:4700::5", unreachable, dropped, refused] {
            let config = knowing(&[("a.example", broken), ("a.example", PUBLIC)]);
            let tick = run_with(config, short("http://a.example/", 5_000));
            assert_up(&tick);
            assert_eq!(tick.remote, Some((ip(PUBLIC), 80).into()), "{broken}");
        }
    });
}

fn sixteen() -> Vec<String> {
    (1..=16).map(|last| format!("93.184.216.{last}")).collect()
}

#[test]
fn t053_of_many_addresses_few_are_tried() {
    namespace::run(test_name!(), |network| {
        let addresses = sixteen();
        for address in &addresses {
            network.elsewhere(ip(address));
        }
        let _eleventh = at(&addresses[10], 80);
        network.count_syns();
        let hosts: Vec<(&str, &str)> = addresses.iter().map(|address| ("a.example", address.as_str())).collect();
        let tick = run_with(knowing(&hosts), short("http://a.example/", 3_000));
        if tick.failure.is_some() {
            assert_down(&tick, Class::ConnectRefused);
        } else {
            assert_eq!(tick.remote, Some((ip(&addresses[10]), 80).into()));
        }
        assert!(tick.total_us < 1_000_000, "{tick:?}");
    });
}

#[test]
fn t053_of_many_slow_addresses_four_are_tried() {
    namespace::run(test_name!(), |network| {
        let addresses = sixteen();
        for address in &addresses {
            network.elsewhere(ip(address));
            network.drop_to(ip(address));
        }
        network.count("beyond", "ip daddr { 93.184.216.5-93.184.216.16 } tcp flags & (syn|ack) == syn");
        network.count_syns();
        let hosts: Vec<(&str, &str)> = addresses.iter().map(|address| ("a.example", address.as_str())).collect();
        let tick = run_with(knowing(&hosts), short("http://a.example/", 8_000));
        assert_down(&tick, Class::ConnectTimeout);
        assert!(tick.phases.connect_us.unwrap() < 5_500_000, "{tick:?}");
        assert!(network.syns() >= 4);
        assert_eq!(network.counted("beyond"), 0);
    });
}
