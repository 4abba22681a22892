//! What a worker owes at its end, and while its disk hangs: the real binary.

use std::os::unix::fs::DirBuilderExt as _;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use testbed::measure::wait_for;
use testbed::name_server::{Answer, NameServer};
use testbed::server::Server;

use crate::redis_worker::{OK, Redis, Worker, check};
use crate::spool::{files, make_room, publish_and_fill};

const S: fn(u64) -> Duration = Duration::from_secs;

#[test]
fn t187_a_stop_while_the_name_server_says_nothing_puts_what_is_in_memory_on_disk_in_time() {
    testbed::namespace::run(testbed::test_name!(), |network| {
        let is_silent = Arc::new(AtomicBool::new(false));
        let silent = is_silent.clone();
        let names = NameServer::at("127.0.0.1:53".parse().unwrap(), move |question| {
            if silent.load(Ordering::Relaxed) {
                return Answer::Silence;
            }
            Answer::address(question, std::net::Ipv4Addr::LOCALHOST)
        });
        // The system waits for an answer for half a minute: longer than a stop may take.
        network.replace_file("/etc/resolv.conf", "options timeout:30 attempts:1\nnameserver 127.0.0.1\n");
        let (mut redis, directory) = (Redis::start(), tempfile::tempdir().unwrap());
        let website = Server::answering(OK);
        let spool = directory.path().to_str().unwrap().to_owned();
        let url = format!("redis://redis.test:{}", redis.port);
        let mut worker = Worker::start_with(redis.port, "50", &[("SPOOL_DIRECTORY", &spool), ("REDIS_URL", &url)]);
        wait_for("a sign of life", S(10), || redis.last_heartbeat());
        publish_and_fill(&mut redis, 1..=40, &website.url("/"));
        wait_for("the checks", S(20), || (website.connections() >= 40).then_some(()));
        is_silent.store(true, Ordering::Relaxed);
        let asked = names.asked("redis.test");
        wait_for("the reporter to look the name up", S(20), || (names.asked("redis.test") > asked).then_some(()));
        let began = Instant::now();
        assert!(worker.stop().success());
        println!("it ended after {:?}", began.elapsed());
        let kept = files(directory.path());
        assert!(kept.len() == 1 && kept[0].ends_with("-40.ticks"), "{kept:?} {}", worker.log());
        make_room(&mut redis);
    });
}

#[test]
fn t187_a_disk_that_hangs_stops_neither_signs_of_life_nor_reports_nor_the_end() {
    let (mut redis, directory) = (Redis::start(), tempfile::tempdir().unwrap());
    // Opening a pipe to write waits until somebody reads it, as a disk that hangs does: for ever.
    let own = directory.path().join("eu_w");
    std::fs::DirBuilder::new().mode(0o700).create(&own).unwrap();
    assert!(Command::new("mkfifo").arg("-m").arg("600").arg(own.join("lock")).status().unwrap().success());
    let website = Server::answering(OK);
    let spool = directory.path().to_str().unwrap().to_owned();
    let mut worker = Worker::start_with(redis.port, "50", &[("SPOOL_DIRECTORY", &spool)]);
    wait_for("a sign of life", S(12), || redis.last_heartbeat());
    (1..=20).for_each(|slot| drop(redis.publish("*", &check(slot, &website.url("/")))));
    wait_for("all ticks", S(10), || (redis.slots().len() == 20).then_some(()));
    wait_for("the next sign of life", S(15), || (redis.heartbeats().len() >= 2).then_some(()));
    assert!(worker.stop().success());
    assert!(redis.last_heartbeat().unwrap().stopping);
}
