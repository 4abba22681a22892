//! Ticks on disk: the real binary, a Redis that is full or away, disks that are full, and kill -9.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use probe::wire::{self, Check, MAX_CHECK_BYTES};
use testbed::measure::wait_for;
use testbed::server::Server;

use crate::redis_worker::{CHECKS, OK, Redis, Worker, check};

/// More than memory keeps.
const MANY: i64 = 6_500;

/// Publishes checks, and in the same instant Redis is full: XADD is refused, everything that needs no memory works
/// (CASES 2.4). The worker writes no tick in between.
pub(crate) fn publish_and_fill(redis: &mut Redis, slots: std::ops::RangeInclusive<i64>, url: &str) {
    let _: String = redis.run(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    let mut pipe = redis::pipe();
    pipe.atomic();
    for slot in slots {
        let body = wire::encode(&Check { deadline_at: 600_000, ..check(slot, url) }, MAX_CHECK_BYTES).unwrap();
        pipe.cmd("XADD").arg(CHECKS).arg("*").arg("v").arg("1").arg("kind").arg("check").arg("body").arg(body).ignore();
    }
    pipe.cmd("CONFIG").arg("SET").arg("maxmemory").arg("1").ignore();
    let _: () = pipe.query(&mut redis.connection).unwrap();
}

pub(crate) fn make_room(redis: &mut Redis) {
    let _: String = redis.run(&["CONFIG", "SET", "maxmemory", "0"]);
}

pub(crate) fn files(directory: &Path) -> Vec<String> {
    let own = directory.join("eu_w");
    let names = fs::read_dir(own).into_iter().flatten().map(|f| f.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".ticks")).collect()
}

/// Slots that arrived, in order of arrival; those that came again are left out.
fn arrived(redis: &mut Redis) -> Vec<i64> {
    let mut seen = std::collections::HashSet::new();
    redis.slots().into_iter().filter(|slot| seen.insert(*slot)).collect()
}

#[test]
fn t225_a_full_redis_costs_no_tick_what_memory_cannot_hold_goes_to_disk_and_the_youngest_arrive_first() {
    let (mut redis, directory) = (Redis::start(), tempfile::tempdir().unwrap());
    let website = Server::answering(OK);
    let spool = directory.path().to_str().unwrap().to_owned();
    let mut worker = Worker::start_with(redis.port, "50", &[("SPOOL_DIRECTORY", &spool)]);
    // It has told Redis that it lives, and knows the time.
    wait_for("a sign of life", Duration::from_secs(10), || redis.last_heartbeat());
    publish_and_fill(&mut redis, 1..=MANY, &website.url("/"));
    wait_for("all checks to be run", Duration::from_secs(120), || {
        (website.connections() >= MANY as usize).then_some(())
    });
    wait_for("ticks on disk", Duration::from_secs(20), || (files(directory.path()).len() >= 2).then_some(()));
    // Entries of ticks that are safe on disk are acknowledged even now.
    let pending = || -> u64 {
        let mut connection =
            redis::Client::open(format!("redis://127.0.0.1:{}", redis.port)).unwrap().get_connection().unwrap();
        let all: (u64, redis::Value, redis::Value, redis::Value) =
            redis::cmd("XPENDING").arg(CHECKS).arg("eu").query(&mut connection).unwrap();
        all.0
    };
    wait_for("acknowledgements", Duration::from_secs(40), || (pending() <= 5_000).then_some(()));
    let resident = worker.resident_kib();
    println!("resident with a full ring and {:?}: {resident} KiB", files(directory.path()));
    let files_then = files(directory.path());
    make_room(&mut redis);
    wait_for("all ticks", Duration::from_secs(60), || (arrived(&mut redis).len() == MANY as usize).then_some(()));
    wait_for("an empty disk", Duration::from_secs(10), || files(directory.path()).is_empty().then_some(()));
    let order = arrived(&mut redis);
    // Slots are in the order of publication, near enough: what was on disk are the oldest.
    let average = |slots: &[i64]| slots.iter().sum::<i64>() / i64::try_from(slots.len()).unwrap();
    let (first, last) = (average(&order[..500]), average(&order[order.len() - 500..]));
    assert!(first > MANY - 1_000 && last < 2_500, "{first} {last}");
    assert!(files_then.iter().all(|name| name.contains("-1000.")), "large files: {files_then:?}");
    assert!(resident < 45_000, "{resident} KiB");
    wait_for("the last acknowledgement", Duration::from_secs(10), || (redis.pending() == 0).then_some(()));
    assert!(worker.stop().success());
    let beat = redis.last_heartbeat().unwrap();
    assert_eq!((beat.dropped, beat.spooled, beat.damaged, beat.buffered), (0, 0, 0, 0));
    let told = redis.heartbeats().iter().any(|beat| beat.spooled > 0);
    println!("a heartbeat told of ticks on disk: {told}");
}

#[test]
fn t187_what_a_stop_puts_on_disk_survives_and_is_sent_by_the_next_start_with_its_own_times() {
    let (mut redis, directory) = (Redis::start(), tempfile::tempdir().unwrap());
    let website = Server::answering(OK);
    let spool = directory.path().to_str().unwrap().to_owned();
    let mut worker = Worker::start_with(redis.port, "50", &[("SPOOL_DIRECTORY", &spool)]);
    wait_for("a sign of life", Duration::from_secs(10), || redis.last_heartbeat());
    publish_and_fill(&mut redis, 1..=40, &website.url("/"));
    wait_for("the checks", Duration::from_secs(20), || (website.connections() >= 40).then_some(()));
    let stopped = Instant::now();
    assert!(worker.stop().success());
    assert!(stopped.elapsed() < Duration::from_secs(12), "{:?}", stopped.elapsed());
    let kept = files(directory.path());
    assert_eq!(kept.len(), 1, "{kept:?} {}", worker.log());
    assert!(kept[0].ends_with("-40.ticks"), "{kept:?}");
    let mode = fs::metadata(directory.path().join("eu_w").join(&kept[0])).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // A torn file and garbage beside it, as a power cut leaves them: they cost nothing else.
    let own = directory.path().join("eu_w");
    let whole = fs::read(own.join(&kept[0])).unwrap();
    fs::write(own.join("000000000099-40.ticks"), &whole[..whole.len() / 2]).unwrap();
    fs::write(own.join("000000000098-7.ticks"), [0x5A; 5_000]).unwrap();
    let before = probe::clock::wall();
    make_room(&mut redis);
    let mut worker = Worker::start_with(redis.port, "50", &[("SPOOL_DIRECTORY", &spool)]);
    wait_for("all ticks", Duration::from_secs(20), || (arrived(&mut redis).len() == 40).then_some(()));
    wait_for("an empty disk", Duration::from_secs(10), || files(directory.path()).is_empty().then_some(()));
    assert!(worker.stop().success());
    assert_eq!(website.connections(), 40, "none was run again");
    assert!(redis.ticks().iter().all(|tick| tick.started_at < before), "their own times");
    let beat = redis.last_heartbeat().unwrap();
    assert!(beat.damaged >= 8 && beat.dropped == 0, "{beat:?}");
}

#[test]
fn t178_kill_9_while_redis_is_full_loses_nothing_that_was_on_disk() {
    let (mut redis, directory) = (Redis::start(), tempfile::tempdir().unwrap());
    let website = Server::answering(OK);
    let spool = directory.path().to_str().unwrap().to_owned();
    let worker = Worker::start_with(redis.port, "50", &[("SPOOL_DIRECTORY", &spool)]);
    wait_for("a sign of life", Duration::from_secs(10), || redis.last_heartbeat());
    publish_and_fill(&mut redis, 1..=MANY, &website.url("/"));
    wait_for("ticks on disk", Duration::from_secs(120), || (files(directory.path()).len() >= 2).then_some(()));
    drop(worker);
    let kept = files(directory.path()).iter().filter(|name| name.contains("-1000.")).count();
    make_room(&mut redis);
    let _worker = Worker::start_with(redis.port, "50", &[("SPOOL_DIRECTORY", &spool)]);
    // What was only in memory is run again, since it was not acknowledged; what was on disk is sent.
    wait_for("all ticks", Duration::from_secs(120), || (arrived(&mut redis).len() == MANY as usize).then_some(()));
    wait_for("an empty disk", Duration::from_secs(10), || files(directory.path()).is_empty().then_some(()));
    assert!(kept >= 1);
    let again = website.connections() - MANY as usize;
    assert!(again <= MANY as usize - kept * 1_000 + 100, "{again} run again, {kept} files");
}

#[test]
fn t187_a_full_disk_is_told_once_and_costs_only_what_memory_cannot_hold() {
    testbed::namespace::run(testbed::test_name!(), |_| {
        let (mut redis, directory) = (Redis::start(), tempfile::tempdir().unwrap());
        let spool = directory.path().to_str().unwrap().to_owned();
        let mount = ["-t", "tmpfs", "-o", "size=96k,mode=0700", "tmpfs", &spool];
        assert!(std::process::Command::new("mount").args(mount).status().unwrap().success());
        let website = Server::answering(OK);
        let mut worker = Worker::start_with(redis.port, "50", &[("SPOOL_DIRECTORY", &spool)]);
        wait_for("a sign of life", Duration::from_secs(10), || redis.last_heartbeat());
        publish_and_fill(&mut redis, 1..=MANY, &website.url("/"));
        wait_for("all checks", Duration::from_secs(100), || (website.connections() >= MANY as usize).then_some(()));
        wait_for("a line about it", Duration::from_secs(10), || {
            worker.log().contains("cannot be written (No space left on device").then_some(())
        });
        assert_eq!(worker.log().matches("No space left").count(), 1, "{}", worker.log());
        assert_eq!(files(directory.path()), Vec::<String>::new(), "nothing half-written is left");
        make_room(&mut redis);
        wait_for("what memory held", Duration::from_secs(30), || (arrived(&mut redis).len() >= 5_000).then_some(()));
        assert!(worker.stop().success());
        let beat = redis.last_heartbeat().unwrap();
        assert_eq!(beat.dropped as usize + arrived(&mut redis).len(), MANY as usize, "{beat:?}");
    });
}
