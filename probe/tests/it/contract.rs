//! What a worker does when Redis, or the way there, is not as it should be: the real binary, a real Redis, a fault proxy.

use std::io::Write as _;
use std::process::Command;
use std::time::{Duration, Instant};

use probe::wire::{Check, Target};
use testbed::fault_proxy::{Cut, Fault, FaultProxy};
use testbed::measure::wait_for;
use testbed::pki::{Authority, pem};
use testbed::server::{Server, hold};

use crate::redis_worker::{CHECKS, OK, Redis, Worker, check};

const S: fn(u64) -> Duration = Duration::from_secs;

fn behind_proxy(redis: &Redis) -> (FaultProxy, Worker) {
    let proxy = FaultProxy::start(([127, 0, 0, 1], redis.port).into());
    let worker = Worker::start(proxy.address.port(), "50");
    (proxy, worker)
}

fn signal(redis: &Redis, name: &str) {
    assert!(Command::new("kill").arg(name).arg(redis.child.id().to_string()).status().unwrap().success());
}

/// Slots that arrived, each once, in order.
fn slots(redis: &mut Redis) -> Vec<i64> {
    let mut slots = redis.slots();
    slots.sort_unstable();
    slots.dedup();
    slots
}

#[test]
fn t193_a_connection_that_is_silently_dropped_is_noticed_within_the_block_and_4_s() {
    let mut redis = Redis::start();
    let website = Server::answering(OK);
    let (proxy, _worker) = behind_proxy(&redis);
    wait_for("a sign of life", S(10), || redis.last_heartbeat());
    wait_for("both connections", S(5), || (proxy.connections() == 2).then_some(()));
    proxy.set(Fault::BlackHole);
    let began = Instant::now();
    wait_for("the first to be given up", S(7), || (proxy.connections() > 2).then_some(()));
    assert!(began.elapsed() < S(6), "{:?}", began.elapsed());
    proxy.set(Fault::Pass);
    redis.publish("*", &check(1, &website.url("/")));
    wait_for("the check", S(30), || (slots(&mut redis) == [1]).then_some(()));
}

#[test]
fn t195_a_slow_way_there_slows_and_loses_nothing() {
    let mut redis = Redis::start();
    let website = Server::answering(OK);
    let (proxy, _worker) = behind_proxy(&redis);
    wait_for("a sign of life", S(10), || redis.last_heartbeat());
    let wait = Duration::from_millis(300);
    proxy.set(Fault::Delay { up: wait, down: wait });
    (1..=100).for_each(|slot| drop(redis.publish("*", &check(slot, &website.url("/")))));
    wait_for("all ticks", S(60), || (slots(&mut redis).len() == 100).then_some(()));
    wait_for("all acknowledgements", S(10), || (redis.pending() == 0).then_some(()));
    assert_eq!((redis.slots().len(), proxy.connections()), (100, 2), "no tick twice, no new connection");
}

#[test]
fn t236_a_redis_that_stops_for_a_while_is_not_stormed() {
    let mut redis = Redis::start();
    let website = Server::answering(OK);
    let (proxy, _worker) = behind_proxy(&redis);
    wait_for("a sign of life", S(10), || redis.last_heartbeat());
    for (pause, slot) in [(S(4), 1), (S(30), 2)] {
        let (before, began) = (proxy.connections(), Instant::now());
        signal(&redis, "-STOP");
        wait_for("the pause", pause + S(1), || (began.elapsed() >= pause).then_some(()));
        signal(&redis, "-CONT");
        redis.publish("*", &check(slot, &website.url("/")));
        wait_for("the check", S(40), || (slots(&mut redis).last() == Some(&slot)).then_some(()));
        let made = proxy.connections() - before;
        assert!(made <= began.elapsed().as_secs(), "{made} connections in {:?}", began.elapsed());
    }
    // Nobody listens at all: tried again and again, and less than once a second.
    proxy.set(Fault::Refuse);
    proxy.cut(Cut::Fin);
    let began = Instant::now();
    wait_for("a while", S(11), || (began.elapsed() >= S(10)).then_some(()));
    proxy.set(Fault::Pass);
    redis.publish("*", &check(3, &website.url("/")));
    wait_for("the last check, P11", S(30), || (slots(&mut redis) == [1, 2, 3]).then_some(()));
}

#[test]
fn t237_connections_that_are_killed_each_second_lose_no_check() {
    let mut redis = Redis::start();
    let website = Server::answering(OK);
    let worker = Worker::start(redis.port, "50");
    wait_for("a sign of life", S(10), || redis.last_heartbeat());
    for slot in 1..=20 {
        redis.publish("*", &check(slot, &website.url("/")));
        let _: u64 = redis.run(&["CLIENT", "KILL", "SKIPME", "yes", "TYPE", "normal"]);
        std::thread::sleep(S(1)); // the fault itself
    }
    wait_for("all ticks", S(45), || (slots(&mut redis).len() == 20).then_some(()));
    wait_for("all acknowledgements", S(45), || (redis.pending() == 0).then_some(()));
    assert!(website.connections() <= 25, "{}", website.connections());
    assert!(worker.log().lines().count() < 10, "{}", worker.log());
}

#[test]
fn t167_t221_a_stream_or_group_that_vanishes_is_waited_for_in_peace() {
    let mut redis = Redis::start();
    let website = Server::answering(OK);
    let worker = Worker::start(redis.port, "50");
    redis.publish("*", &check(1, &website.url("/")));
    wait_for("the check", S(10), || (slots(&mut redis) == [1]).then_some(()));
    let before = worker.cpu();
    let _: String = redis.run(&["FLUSHALL"]);
    std::thread::sleep(S(3)); // time in which to misbehave
    assert!(worker.cpu() - before < 20, "{}0 ms", worker.cpu() - before);
    // The hub comes back with the sign of life, which needs nobody's help.
    wait_for("a sign of life", S(12), || redis.last_heartbeat());
    let _: redis::Value = redis.run(&["XGROUP", "CREATE", CHECKS, "eu", "0", "MKSTREAM"]);
    redis.publish("*", &check(2, &website.url("/")));
    wait_for("the next check", S(5), || (slots(&mut redis) == [2]).then_some(()));
    let _: u64 = redis.run(&["XGROUP", "DESTROY", CHECKS, "eu"]);
    wait_for("a line about it", S(5), || worker.log().contains("Waiting for the hub").then_some(()));
    let _: redis::Value = redis.run(&["XGROUP", "CREATE", CHECKS, "eu", "0"]);
    redis.publish("*", &check(3, &website.url("/")));
    // From 0, what was done before comes again: the database knows it.
    wait_for("the check after", S(5), || (slots(&mut redis) == [2, 3]).then_some(()));
    assert_eq!(worker.log().matches("Waiting for the hub").count(), 1, "{}", worker.log());
}

#[test]
fn t224_a_replica_and_a_busy_script_are_waited_out() {
    let mut redis = Redis::start();
    let website = Server::answering(OK);
    let worker = Worker::start(redis.port, "50");
    wait_for("a sign of life", S(10), || redis.last_heartbeat());
    redis.publish("*", &check(1, &website.url("/")));
    wait_for("the check", S(10), || (slots(&mut redis) == [1]).then_some(()));
    let _: String = redis.run(&["CONFIG", "SET", "replica-read-only", "yes"]);
    let _: String = redis.run(&["REPLICAOF", "127.0.0.1", "1"]);
    wait_for("a line about it", S(15), || worker.log().contains("read only replica").then_some(()));
    let _: String = redis.run(&["REPLICAOF", "NO", "ONE"]);
    redis.publish("*", &check(2, &website.url("/")));
    wait_for("the check after", S(30), || (slots(&mut redis) == [1, 2]).then_some(()));
    let _: String = redis.run(&["CONFIG", "SET", "busy-reply-threshold", "100"]);
    let port = redis.port;
    let script = std::thread::spawn(move || {
        let mut other = redis::Client::open(format!("redis://127.0.0.1:{port}")).unwrap().get_connection().unwrap();
        let _ = redis::cmd("EVAL").arg("while true do end").arg(0).query::<redis::Value>(&mut other);
    });
    std::thread::sleep(S(5)); // the fault itself
    let _: String = redis.run(&["SCRIPT", "KILL"]);
    script.join().unwrap();
    redis.publish("*", &check(3, &website.url("/")));
    wait_for("the check after the script", S(30), || (slots(&mut redis) == [1, 2, 3]).then_some(()));
}

#[test]
fn t224_a_replica_whose_master_is_down_and_a_redis_that_loads_its_data_are_waited_out() {
    let port = testbed::port::free();
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().to_str().unwrap();
    let mut redis = Redis::start_at(port, &["--dir", data]);
    let website = Server::answering(OK);
    let mut worker = Worker::start(port, "50");
    wait_for("a sign of life", S(10), || redis.last_heartbeat());
    let _: String = redis.run(&["CONFIG", "SET", "replica-serve-stale-data", "no", "replica-read-only", "no"]);
    let _: String = redis.run(&["REPLICAOF", "127.0.0.1", "1"]);
    wait_for("a line about it", S(15), || worker.log().contains("MASTER is down").then_some(()));
    let _: String = redis.run(&["REPLICAOF", "NO", "ONE"]);
    redis.publish("*", &check(1, &website.url("/")));
    wait_for("the check after", S(30), || (slots(&mut redis) == [1]).then_some(()));
    // A thousand keys, each of which takes 10 ms to load; what it says meanwhile is LOADING.
    let _: String = redis.run(&["EVAL", "for n = 1, 1000 do redis.call('SET', n, n) end return 'OK'", "0"]);
    let _: String = redis.run(&["SAVE"]);
    drop(redis);
    let lines = worker.log().lines().count();
    let slow = ["--dir", data, "--key-load-delay", "10000", "--loading-process-events-interval-bytes", "1024"];
    let mut redis = Redis::start_loading(port, &slow);
    redis.publish("*", &check(2, &website.url("/")));
    wait_for("the check after", S(40), || (slots(&mut redis) == [1, 2]).then_some(()));
    let more = worker.log().lines().count() - lines;
    assert!(more <= 4, "{}", worker.log());
    assert!(worker.stop().success());
}

#[test]
fn t227_a_redis_that_is_too_old_is_named() {
    let said = "*4\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$6\r\n6.2.14\r\n";
    let old = Server::start(move |_, mut stream| {
        let mut asked = [0; 256];
        while matches!(std::io::Read::read(&mut stream, &mut asked), Ok(count) if count > 0) {
            if stream.write_all(said.as_bytes()).is_err() {
                return;
            }
        }
    });
    let mut worker = Worker::start(old.address.port(), "50");
    wait_for("a line about it", S(10), || worker.log().contains("it is 6.2.14; 7.0 or newer is needed").then_some(()));
    assert!(worker.stop().success());
}

#[test]
fn t228_a_wrong_password_and_a_revoked_user_are_told_once_and_healed_by_themselves() {
    let mut redis = Redis::start();
    let website = Server::answering(OK);
    let user = |redis: &mut Redis| {
        let rights = ["+ping", "~betteruptime:*", "+xreadgroup", "+xack", "+xautoclaim", "+xadd"];
        let mut words = vec!["ACL", "SETUSER", "pi", "reset", "on", ">right"];
        words.extend(rights);
        let _: String = redis.run(&words);
    };
    user(&mut redis);
    let port = redis.port;
    let url = |password: &str| format!("redis://pi:{password}@127.0.0.1:{port}");
    let mut stranger = Worker::start_with(port, "50", &[("REDIS_URL", &url("wrong"))]);
    wait_for("a line about it", S(10), || {
        let log = stranger.log().to_lowercase();
        (log.contains("password") || log.contains("authentication")).then_some(())
    });
    let (before, began) = (stranger.cpu(), Instant::now());
    wait_for("a while", S(11), || (began.elapsed() >= S(10)).then_some(()));
    assert!(stranger.cpu() - before < 50, "{}0 ms in ten seconds", stranger.cpu() - before);
    assert_eq!(stranger.log().matches("cannot be").count(), 1, "{}", stranger.log());
    let refused: Vec<redis::Value> = redis.run(&["ACL", "LOG"]);
    assert!(refused.len() <= 10 && !stranger.log().contains("wrong"), "{refused:?}");
    assert!(stranger.stop().success());

    let worker = Worker::start_with(port, "50", &[("REDIS_URL", &url("right"))]);
    redis.publish("*", &check(1, &website.url("/")));
    wait_for("the check", S(10), || (slots(&mut redis) == [1]).then_some(()));
    let _: u64 = redis.run(&["ACL", "DELUSER", "pi"]);
    wait_for("a line about it", S(15), || worker.log().contains("cannot be").then_some(()));
    // Not that its connection was cut, which is all that is known at first.
    let said = worker.log().lines().find(|line| line.contains("cannot be")).unwrap_or_default().to_owned();
    assert!(said.contains("does not know this user") && said.contains("enrol"), "{said}");
    user(&mut redis);
    redis.publish("*", &check(2, &website.url("/")));
    wait_for("the check after", S(40), || (slots(&mut redis) == [1, 2]).then_some(()));
    // A right that is missing, of the one command: checks go on as far as they can.
    let _: String = redis.run(&["ACL", "SETUSER", "pi", "-xadd"]);
    redis.publish("*", &check(3, &website.url("/")));
    std::thread::sleep(S(5)); // time in which to misbehave
    user(&mut redis);
    wait_for("the tick that waited", S(40), || (slots(&mut redis) == [1, 2, 3]).then_some(()));
    assert!(worker.log().lines().count() < 8, "{}", worker.log());
}

#[test]
fn t170_two_workers_of_one_name_both_work_and_no_check_is_lost() {
    let mut redis = Redis::start();
    let website = Server::answering(OK);
    let _one = Worker::start(redis.port, "2");
    // Not in the same millisecond: that is how they are told apart.
    wait_for("a sign of life", S(10), || redis.heartbeats().first().map(|_| ()));
    let _two = Worker::start(redis.port, "2");
    wait_for("signs of life of both", S(20), || {
        let mut starts: Vec<i64> = redis.heartbeats().iter().map(|beat| beat.started_at).collect();
        starts.sort_unstable();
        starts.dedup();
        (starts.len() == 2).then_some(())
    });
    // And not while the other still reads what is pending under the name they share, which is all that one is given.
    wait_for("both to wait for checks", S(20), || {
        let clients: String = redis.run(&["CLIENT", "LIST"]);
        (clients.lines().filter(|client| client.contains(" flags=b ")).count() == 2).then_some(())
    });
    (1..=200).for_each(|slot| drop(redis.publish("*", &check(slot, &website.url("/")))));
    wait_for("all ticks", S(30), || (slots(&mut redis).len() == 200).then_some(()));
    wait_for("all acknowledgements", S(10), || (redis.pending() == 0).then_some(()));
    // What one had just been given when the other began is run by both: the database keeps one.
    assert!(redis.slots().len() < 250, "{}", redis.slots().len());
}

#[test]
fn t164_each_worker_that_dies_of_a_check_is_one_delivery_and_a_living_one_adds_none() {
    let mut redis = Redis::start();
    let silent = Server::start(|_, mut stream| hold(&mut stream));
    let long = check(1, &silent.url("/"));
    redis.publish("*", &Check { target: Target { timeout_ms: 60_000, ..long.target }, ..long });
    let deliveries = |redis: &mut Redis| {
        let pending: Vec<(String, String, u64, u64)> = redis.run(&["XPENDING", CHECKS, "eu", "-", "+", "9"]);
        pending.first().map_or(0, |(.., deliveries)| *deliveries)
    };
    for died in 1..=3 {
        let worker = Worker::start(redis.port, "50");
        wait_for("the check to be begun", S(10), || (silent.connections() == died).then_some(()));
        // Connections that break do not add to it either, but for one reading of what is pending.
        if died == 1 {
            for _ in 0..5 {
                let _: u64 = redis.run(&["CLIENT", "KILL", "SKIPME", "yes", "TYPE", "normal"]);
                std::thread::sleep(S(1)); // the fault itself
            }
        }
        drop(worker);
    }
    let found = deliveries(&mut redis);
    assert!((3..=4).contains(&found), "{found}");
    assert_eq!(silent.connections(), 3);
}

#[test]
fn t169_a_check_that_is_given_away_just_when_the_connection_breaks_is_found_within_p6() {
    let mut redis = Redis::start();
    let website = Server::answering(OK);
    let (proxy, _worker) = behind_proxy(&redis);
    wait_for("a sign of life", S(10), || redis.last_heartbeat());
    wait_for("both connections", S(5), || (proxy.connections() == 2).then_some(()));
    // Redis gives it to a reader whose answer is lost on the way: one that has just begun to wait for it.
    wait_for("the reader to wait", S(10), || {
        let clients: String = redis.run(&["CLIENT", "LIST"]);
        clients.lines().any(|client| client.contains(" flags=b ") && client.contains(" idle=0 ")).then_some(())
    });
    proxy.set(Fault::BlackHole);
    redis.publish("*", &Check { deadline_at: 120_000, ..check(1, &website.url("/")) });
    wait_for("Redis to give it away", S(5), || (redis.pending() == 1).then_some(()));
    proxy.cut(Cut::Fin);
    proxy.set(Fault::Pass);
    wait_for("the check", S(30), || (slots(&mut redis) == [1]).then_some(()));
}

#[test]
fn t197_a_redis_that_moves_to_another_address_is_found_by_its_name() {
    testbed::namespace::run(testbed::test_name!(), |network| {
        network.replace_file("/etc/hosts", "127.0.0.2 redis.test\n");
        let mut first = Redis::start_with(&["--bind", "127.0.0.1", "127.0.0.2"]);
        let port = first.port;
        let url = format!("redis://redis.test:{port}");
        let _worker = Worker::start_with(port, "50", &[("REDIS_URL", &url)]);
        wait_for("a sign of life", S(10), || first.last_heartbeat());
        drop(first);
        // The file that was put over it, which nobody else sees.
        std::fs::write("/etc/hosts", "127.0.0.3 redis.test\n").unwrap();
        let mut second = Redis::start_at(port, &["--bind", "127.0.0.1", "127.0.0.3"]);
        wait_for("a sign of life at the new address", S(40), || second.last_heartbeat());
    });
}

#[test]
fn t235_tls_needs_the_right_authority_and_the_right_name() {
    let (ours, theirs) = (Authority::root("ours"), Authority::root("theirs"));
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (chain, key) = ours.issue(&["localhost"]).pem();
    let (chain, key) = (file("chain.pem", &chain), file("key.pem", &key));
    let right = file("right.pem", &pem("CERTIFICATE", &ours.der()));
    let wrong = file("wrong.pem", &pem("CERTIFICATE", &theirs.der()));
    let tls_port = testbed::port::free();
    let port = tls_port.to_string();
    let mut redis = Redis::start_with(&[
        "--tls-port",
        &port,
        "--tls-cert-file",
        &chain,
        "--tls-key-file",
        &key,
        "--tls-ca-cert-file",
        &right,
        "--tls-auth-clients",
        "no",
    ]);
    let good = format!("rediss://localhost:{tls_port}");
    for (url, ca, said) in [
        (good.as_str(), wrong.as_str(), "UnknownIssuer"),
        (&good, "", "UnknownIssuer"),
        (&format!("rediss://127.0.0.1:{tls_port}"), &right, "not valid for name"),
        (&format!("redis://localhost:{tls_port}"), &right, "cannot be written"),
        (&format!("rediss://localhost:{}", redis.port), &right, "cannot be written"),
    ] {
        let worker = Worker::start_with(redis.port, "50", &[("REDIS_URL", url), ("CA_FILE", ca)]);
        wait_for("a refusal", S(10), || worker.log().contains(said).then_some(()));
        assert_eq!(redis.last_heartbeat(), None, "{url}");
    }
    let website = Server::answering(OK);
    redis.publish("*", &check(1, &website.url("/")));
    let mut worker = Worker::start_with(redis.port, "50", &[("REDIS_URL", &good), ("CA_FILE", &right)]);
    wait_for("the check", S(10), || (slots(&mut redis) == [1]).then_some(()));
    assert!(worker.stop().success());
    let insecure = Command::new(env!("CARGO_BIN_EXE_betteruptime-probe"))
        .env_clear()
        .env("REDIS_URL", format!("{good}/#insecure"))
        .env("CONSUMER_GROUP_REGION_ID", "eu")
        .env("WORKER_ID", "w")
        .output()
        .unwrap();
    assert_eq!(insecure.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&insecure.stderr).contains("#insecure"));
}
