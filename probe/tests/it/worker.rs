//! The life of a worker: the real binary against a real Redis, which each test starts for itself.

use std::io::Write;
use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};

use probe::clock::wall;
use probe::wire::{
    BODY_FIELD, Check, Class, DeadReason, KIND_CHECK, KIND_FIELD, RequestOptions, Target, VERSION_FIELD,
};

use crate::redis_worker::{CHECKS, OK, Redis, Worker, check};
use testbed::measure::wait_for;
use testbed::pki::Authority;
use testbed::server::{Server, head, hold};

#[test]
fn t165_own_checks_come_first_all_of_them_and_void_ones_are_counted_and_not_run() {
    let mut redis = Redis::start();
    let website = Server::answering(OK);
    let url = website.url("/");
    // Five that this worker had read when it died, one of them too old by Redis' clock, one poisoned.
    redis.publish(&format!("{}-0", wall() - 200_000), &check(1, &url));
    for slot in 2..=5 {
        redis.publish("*", &check(slot, &url));
    }
    let _: String = redis.run(&["XADD", CHECKS, "*", VERSION_FIELD, "1", KIND_FIELD, KIND_CHECK, BODY_FIELD, "{"]);
    assert_eq!(redis.give("w", 0), 6);
    redis.publish("*", &check(6, &url));
    let mut worker = Worker::start(redis.port, "1");
    // Less than the time after which they would be claimed.
    wait_for("all ticks", Duration::from_secs(15), || (redis.slots().len() == 5).then_some(()));
    wait_for("all acknowledgements", Duration::from_secs(5), || (redis.pending() == 0).then_some(()));
    assert_eq!(redis.slots(), [2, 3, 4, 5, 6]);
    assert_eq!(website.peers.lock().unwrap().len(), 5, "the void one was not run");
    assert!(worker.stop().success());
    let last = redis.last_heartbeat().unwrap();
    assert_eq!((last.checks, last.expired, last.refused, last.stopping), (5, 1, 1, true));
    let told: Vec<DeadReason> = redis.letters().iter().map(|letter| letter.reason).collect();
    assert_eq!(told, [DeadReason::Expired, DeadReason::NotUnderstood]);
    // Given to this worker before it began, and measured by Redis' clock alone.
    assert!(redis.ticks().iter().all(|tick| tick.delays.queue_ms < Some(60_000)));
}

#[test]
fn t163_a_dead_neighbours_checks_are_taken_over_each_once_and_a_living_ones_are_not() {
    let mut redis = Redis::start();
    let website = Server::answering(OK);
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = std::sync::Mutex::new(released);
    let slow = Server::start(move |_, mut stream| {
        head(&mut stream);
        let _ = released.lock().unwrap().recv_timeout(Duration::from_secs(60));
        let _ = stream.write_all(OK.as_bytes());
    });
    let long = |slot, url: &str| {
        let check = check(slot, url);
        Check { target: Target { timeout_ms: 60_000, ..check.target }, ..check }
    };
    // This worker runs one that takes longer than the time after which checks are taken over.
    let running = redis.publish("*", &long(1, &slow.url("/")));
    let _worker = Worker::start(redis.port, "1");
    wait_for("the long check", Duration::from_secs(10), || slow.peers.lock().unwrap().first().copied());
    let began = Instant::now();
    // A neighbour died with these.
    redis.publish("*", &long(2, &website.url("/")));
    redis.publish("*", &check(3, &website.url("/")));
    redis.give("dead", 0);
    let _other = Worker::start_with(redis.port, "50", &[("WORKER_ID", "v")]);
    let slots = |redis: &mut Redis| {
        let mut slots: Vec<i64> = redis.ticks_of("betteruptime:tick:eu:v").iter().map(|tick| tick.slot_at).collect();
        slots.sort_unstable();
        slots
    };
    wait_for("the dead neighbour's checks", Duration::from_secs(50), || (slots(&mut redis) == [2, 3]).then_some(()));
    assert!(began.elapsed() >= Duration::from_secs(29), "{:?}", began.elapsed());
    wait_for("their acknowledgements", Duration::from_secs(5), || (redis.pending() == 1).then_some(()));
    // All threads of the first are busy all the time, and it renews what it runs all the same.
    wait_for("longer than the idle time", Duration::from_secs(50), || {
        (began.elapsed() > Duration::from_secs(45)).then_some(())
    });
    let pending: Vec<(String, String, u64, u64)> = redis.run(&["XPENDING", CHECKS, "eu", "-", "+", "9"]);
    let [(id, _, idle, deliveries)] = pending.as_slice() else { unreachable!("{pending:?}") };
    assert!(*id == running && *deliveries == 1 && *idle < 20_000, "{pending:?}");
    release.send(()).unwrap();
    wait_for("the long check's tick", Duration::from_secs(10), || (redis.slots() == [1]).then_some(()));
    assert_eq!((slow.connections(), website.connections()), (1, 2));
}

#[test]
fn t180_sigterm_ends_within_20_s_says_goodbye_and_leaves_what_runs_to_a_neighbour() {
    let mut redis = Redis::start();
    let (quick, silent) = (Server::answering(OK), Server::start(|_, mut stream| hold(&mut stream)));
    let hanging = check(1, &silent.url("/"));
    redis.publish("*", &Check { target: Target { timeout_ms: 60_000, ..hanging.target }, ..hanging });
    redis.publish("*", &check(2, &quick.url("/")));
    let mut worker = Worker::start(redis.port, "50");
    wait_for("the quick check", Duration::from_secs(10), || (redis.slots() == [2]).then_some(()));
    wait_for("the hanging check", Duration::from_secs(10), || silent.peers.lock().unwrap().first().copied());
    assert!(worker.stop().success());
    assert!(redis.last_heartbeat().unwrap().stopping);
    assert_eq!((redis.slots(), redis.pending()), (vec![2], 1));
}

#[test]
fn t236_a_redis_that_accepts_and_says_nothing_is_waited_for_in_peace_and_does_not_delay_the_end() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut worker = Worker::start(silent.local_addr().unwrap().port(), "50");
    let _held = silent.accept().unwrap();
    let (before, started) = (worker.cpu(), Instant::now());
    // A measurement needs a span; nothing is waited for.
    std::thread::sleep(Duration::from_secs(2));
    let used = worker.cpu() - before;
    assert!(used < 20, "{used}0 ms of processor time in {:?}", started.elapsed());
    assert!(worker.stop().success());
}

#[test]
fn t187_ticks_are_kept_while_redis_is_away_and_sent_with_their_slots() {
    let mut redis = Redis::start();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = std::sync::Mutex::new(released);
    let website = Server::start(move |_, mut stream| {
        head(&mut stream);
        let _ = released.lock().unwrap().recv_timeout(Duration::from_secs(10));
        let _ = stream.write_all(OK.as_bytes());
    });
    let slow = check(7, &website.url("/"));
    redis.publish("*", &slow);
    let worker = Worker::start(redis.port, "50");
    wait_for("the check", Duration::from_secs(10), || website.peers.lock().unwrap().first().copied());
    let signal = |redis: &Redis, name: &str| {
        assert!(Command::new("kill").arg(name).arg(redis.child.id().to_string()).status().unwrap().success());
    };
    // Stopped, not killed: what it had is still there when it goes on.
    signal(&redis, "-STOP");
    release.send(()).unwrap();
    drop(release);
    wait_for("a write to fail", Duration::from_secs(15), || worker.log().contains("ticks waiting: 1").then_some(()));
    signal(&redis, "-CONT");
    wait_for("the tick", Duration::from_secs(20), || redis.slots().first().copied().filter(|slot| *slot == 7));
    wait_for("the acknowledgement", Duration::from_secs(20), || (redis.pending() == 0).then_some(()));
    assert_eq!(website.peers.lock().unwrap().len(), 1, "it was run once");
}

#[test]
fn a_tick_that_is_too_large_is_written_with_less_in_it() {
    let mut redis = Redis::start();
    // Ten redirects to long paths, and eight names as long as names can be, which makes some 10 KiB.
    let label = "n".repeat(60);
    let names: Vec<String> = (0..8).map(|n| format!("{n}.{label}.{label}.{label}.{label}.test")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let identity = Authority::root("Test Root").issue_for(&names, (2020, 2090));
    let path = format!("/{}", "p".repeat(600));
    let redirect = format!("HTTP/1.1 302 F\r\nLocation: {path}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let website = Server::answering_tls(identity.server_config(), redirect);
    let check = check(1, &website.url(&path));
    let request = RequestOptions { max_redirects: 10, insecure_tls: true, ..check.target.request };
    redis.publish("*", &Check { target: Target { request, ..check.target }, ..check });
    let mut worker = Worker::start(redis.port, "1");
    wait_for("the tick", Duration::from_secs(20), || (redis.slots() == [1]).then_some(()));
    wait_for("its acknowledgement", Duration::from_secs(5), || (redis.pending() == 0).then_some(()));
    assert!(worker.stop().success());
    assert_eq!(redis.last_heartbeat().unwrap().dropped, 0);
    let tick = redis.ticks().remove(0);
    assert_eq!((tick.failure.unwrap().class, tick.hops.len()), (Class::TooManyRedirects, 11));
    let certificate = tick.certificate.unwrap();
    assert_eq!((certificate.names.len(), certificate.names_total), (0, 8));
}
