//! The real binary against a real Redis, which each test starts for itself.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use probe::clock::wall;
use probe::wire::{
    self, BODY_FIELD, Blame, Check, Class, DeadLetter, DeadReason, Heartbeat, KIND_CHECK, KIND_FIELD, MAX_CHECK_BYTES,
    Outcome, Report, Target, Tick, VERSION, VERSION_FIELD, WebsiteId,
};

use crate::server::{Server, head, hold};

const CHECKS: &str = "betteruptime:website:eu";
const TICKS: &str = "betteruptime:tick:eu:w";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

type Fields = Vec<(Vec<u8>, Vec<u8>)>;
/// An entry, why it is put away, and a part of the sentence.
type Poison<'a> = (Vec<(&'a str, &'a [u8])>, DeadReason, &'a str);

/// Waits until `ready` gives something, at most `bound`; fails with what was awaited.
pub(crate) fn wait_for<T>(what: &str, bound: Duration, mut ready: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = ready() {
            return found;
        }
        assert!(started.elapsed() < bound, "waited {bound:?} for: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A redis-server on a free port, with the region's group as the hub makes it; ends with the value.
pub(crate) struct Redis {
    child: Child,
    pub(crate) port: u16,
    connection: redis::Connection,
    _directory: tempfile::TempDir,
}

impl Redis {
    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .arg("--dir")
            .arg(directory.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("redis-server ({error}); install it, or run ./test.sh, which does"))
            .unwrap();
        wait_for("redis-server to listen", Duration::from_secs(10), || TcpStream::connect(("127.0.0.1", port)).ok());
        let connection = redis::Client::open(format!("redis://127.0.0.1:{port}")).unwrap().get_connection().unwrap();
        let mut redis = Self { child, port, connection, _directory: directory };
        let _: redis::Value = redis.run(&["XGROUP", "CREATE", CHECKS, "eu", "0", "MKSTREAM"]);
        redis
    }

    pub(crate) fn run<T: redis::FromRedisValue>(&mut self, words: &[&str]) -> T {
        redis::cmd(words[0]).arg(&words[1..]).query(&mut self.connection).unwrap()
    }

    /// A check as the hub publishes it; `id` is `*`, or tells when Redis is to have made it.
    fn publish(&mut self, id: &str, check: &Check) -> String {
        let (version, body) = (VERSION.to_string(), wire::encode(check, MAX_CHECK_BYTES).unwrap());
        self.run(&["XADD", CHECKS, id, VERSION_FIELD, &version, KIND_FIELD, KIND_CHECK, BODY_FIELD, &body])
    }

    /// Gives everything that is new to `worker`, as if it had not touched it for `idle_ms`.
    fn give(&mut self, worker: &str, idle_ms: u64) -> usize {
        let _: redis::Value = self.run(&["XREADGROUP", "GROUP", "eu", worker, "STREAMS", CHECKS, ">"]);
        let pending: Vec<(String, String, u64, u64)> = self.run(&["XPENDING", CHECKS, "eu", "-", "+", "100", worker]);
        for (id, ..) in &pending {
            let idle = idle_ms.to_string();
            let _: Vec<String> = self.run(&["XCLAIM", CHECKS, "eu", worker, "0", id, "IDLE", &idle, "JUSTID"]);
        }
        pending.len()
    }

    fn reports(&mut self) -> Vec<Report> {
        let entries: Vec<(String, Fields)> = self.run(&["XRANGE", TICKS, "-", "+"]);
        let decode = |fields: &Fields| wire::decode_report(fields.iter().map(|(n, v)| (n.as_slice(), v.as_slice())));
        entries.iter().map(|(_, fields)| decode(fields).unwrap()).collect()
    }

    fn ticks(&mut self) -> Vec<Tick> {
        let tick = |report: Report| match report {
            Report::Tick(tick) => Some(*tick),
            Report::Heartbeat(_) | Report::DeadLetter(_) => None,
        };
        self.reports().into_iter().filter_map(tick).collect()
    }

    /// Slots of the ticks that came, in order.
    fn slots(&mut self) -> Vec<i64> {
        self.ticks().iter().map(|tick| tick.slot_at).collect()
    }

    fn letters(&mut self) -> Vec<DeadLetter> {
        let letter = |report: Report| match report {
            Report::DeadLetter(letter) => Some(letter),
            Report::Heartbeat(_) | Report::Tick(_) => None,
        };
        self.reports().into_iter().filter_map(letter).collect()
    }

    /// An entry as it should not be.
    fn poison(&mut self, fields: &[(&str, &[u8])]) -> String {
        let mut command = redis::cmd("XADD");
        command.arg(CHECKS).arg("*");
        for (name, value) in fields {
            command.arg(name).arg(*value);
        }
        command.query(&mut self.connection).unwrap()
    }

    fn last_heartbeat(&mut self) -> Option<Heartbeat> {
        let heartbeat = |report: Report| match report {
            Report::Heartbeat(heartbeat) => Some(heartbeat),
            Report::Tick(_) | Report::DeadLetter(_) => None,
        };
        self.reports().into_iter().filter_map(heartbeat).next_back()
    }

    fn pending(&mut self) -> usize {
        self.run::<Vec<(String, String, u64, u64)>>(&["XPENDING", CHECKS, "eu", "-", "+", "100"]).len()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The binary; killed with the value, after which its log is that of the test.
struct Worker {
    child: Child,
    log: tempfile::NamedTempFile,
}

impl Worker {
    fn start(port: u16, concurrency: &str) -> Self {
        let log = tempfile::NamedTempFile::new().unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_betteruptime-probe"))
            .env_clear()
            .env("REDIS_URL", format!("redis://127.0.0.1:{port}"))
            .env("CONSUMER_GROUP_REGION_ID", "eu")
            .env("WORKER_ID", "w")
            .env("CONCURRENCY", concurrency)
            .env("ALLOW_PRIVATE", "127.0.0.0/8")
            .env("CANARIES", "off")
            .stderr(log.reopen().unwrap())
            .spawn()
            .unwrap();
        Self { child, log }
    }

    /// SIGTERM, and how it ended, within the 20 s of DESIGN 8.
    fn stop(&mut self) -> ExitStatus {
        assert!(Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status().unwrap().success());
        wait_for("the probe to end", Duration::from_secs(20), || self.child.try_wait().unwrap())
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.log.path()).unwrap()
    }

    /// Processor time used so far, in ticks of 10 ms.
    fn cpu(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        println!("{}", self.log());
    }
}

/// A check that may wait two minutes. The hub's clock is of another century, which says nothing about that.
fn check(slot_at: i64, url: &str) -> Check {
    Check {
        website_id: WebsiteId(uuid::Uuid::nil()),
        slot_at,
        attempt: 0,
        kind: probe::wire::CheckKind::Scheduled,
        deadline_at: 120_000,
        published_at: 0,
        target: Target { timeout_ms: 10_000, ..Target::get(url) },
    }
}

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
fn t163_a_dead_neighbours_checks_are_taken_over_once_it_cannot_be_at_them_any_more() {
    let mut redis = Redis::start();
    let website = Server::answering(OK);
    let long = |slot| {
        let check = check(slot, &website.url("/"));
        Check { target: Target { timeout_ms: 40_000, ..check.target }, ..check }
    };
    // With 40 s, 5 s for the report and 30 s in which nobody heard of them, the first two are the neighbour's for 15 s
    // more, whatever their age: they may have waited before it was given them.
    let made_at = wall() - 50_000;
    redis.publish(&format!("{made_at}-0"), &long(1));
    let finished_by_neighbour = redis.publish(&format!("{made_at}-1"), &long(2));
    redis.publish(&format!("{}-0", made_at + 1), &check(3, &website.url("/")));
    redis.give("neighbour", 31_000);
    let _worker = Worker::start(redis.port, "50");
    wait_for("the short check", Duration::from_secs(20), || (redis.slots() == [3]).then_some(()));
    let claimed = Instant::now();
    let _: u64 = redis.run(&["XACK", CHECKS, "eu", &finished_by_neighbour]);
    wait_for("the long check", Duration::from_secs(30), || (redis.slots() == [3, 1]).then_some(()));
    // The short one was claimed a moment before its tick was seen.
    assert!(claimed.elapsed() >= Duration::from_secs(14), "{:?}", claimed.elapsed());
    wait_for("all acknowledgements", Duration::from_secs(5), || (redis.pending() == 0).then_some(()));
    assert_eq!(website.peers.lock().unwrap().len(), 2);
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
fn t160_whatever_a_check_is_it_is_put_away_with_its_reason_and_the_next_is_done() {
    let mut redis = Redis::start();
    let website = Server::answering(OK);
    let good = wire::encode(&check(1, &website.url("/")), MAX_CHECK_BYTES).unwrap();
    let with = |from: &str, to: &str| {
        assert!(good.contains(from), "{good}");
        good.replace(from, to)
    };
    let timeout = "\"timeout_ms\":10000";
    let option = with(timeout, "\"timeout_ms\":10000,\"request\":{\"token\":\"hunter2\"}");
    let negative = with("\"slot_at\":1", "\"slot_at\":-1");
    let deadline = with("\"deadline_at\":120000", "\"deadline_at\":-120000");
    let overflow = with("\"slot_at\":1", "\"slot_at\":18446744073709551616");
    let fraction = with(timeout, "\"timeout_ms\":1e400");
    let wrong = with(timeout, "\"timeout_ms\":\"hunter2\"");
    let large = vec![b'x'; 1 << 20];
    let deep = "[".repeat(8_000);
    let whole = |body: &'static [u8]| [("v", &b"1"[..]), ("kind", &b"check"[..]), ("body", body)];
    let poisons: Vec<Poison<'_>> = vec![
        (vec![("v", b"1"), ("kind", b"check"), ("body", &large)], DeadReason::NotUnderstood, "1048576 bytes"),
        (vec![("v", &large), ("kind", b"check"), ("body", b"{}")], DeadReason::NotUnderstood, "schema version xxx"),
        (whole(b"\xff\xfe\xfd").to_vec(), DeadReason::NotUnderstood, "not JSON"),
        (vec![("v", b"1"), ("kind", b"check")], DeadReason::NotUnderstood, "\"body\" is missing"),
        (vec![("v", b"1"), ("body", b"{}")], DeadReason::NotUnderstood, "\"kind\" is missing"),
        (vec![("dance", b"1")], DeadReason::NotUnderstood, "\"v\" is missing"),
        (vec![("v", b"2"), ("kind", b"check"), ("body", good.as_bytes())], DeadReason::NotUnderstood, "version 2"),
        (vec![("v", b"1"), ("kind", b"dance"), ("body", b"{}")], DeadReason::NotUnderstood, "\"dance\""),
        (whole(b"{").to_vec(), DeadReason::NotUnderstood, "EOF"),
        (whole(b"null").to_vec(), DeadReason::NotUnderstood, "line 1"),
        (vec![("v", b"1"), ("kind", b"check"), ("body", deep.as_bytes())], DeadReason::NotUnderstood, "recursion"),
        (vec![("v", b"1"), ("kind", b"check"), ("body", option.as_bytes())], DeadReason::Refused, "option \"token\""),
        (vec![("v", b"1"), ("kind", b"check"), ("body", negative.as_bytes())], DeadReason::NotUnderstood, "slot_at"),
        (vec![("v", b"1"), ("kind", b"check"), ("body", deadline.as_bytes())], DeadReason::NotUnderstood, "deadline"),
        (vec![("v", b"1"), ("kind", b"check"), ("body", overflow.as_bytes())], DeadReason::NotUnderstood, "i64"),
        (vec![("v", b"1"), ("kind", b"check"), ("body", fraction.as_bytes())], DeadReason::NotUnderstood, "number"),
        (vec![("v", b"1"), ("kind", b"check"), ("body", wrong.as_bytes())], DeadReason::NotUnderstood, "u32"),
    ];
    let mut expected = Vec::new();
    for (slot, (fields, reason, part)) in (1..).zip(&poisons) {
        expected.push((redis.poison(fields), *reason, *part));
        redis.publish("*", &check(slot, &website.url("/")));
    }
    let count = i64::try_from(poisons.len()).unwrap();
    let late = redis.publish(&format!("{}-0", wall() + 1_000), &Check { deadline_at: 0, ..check(99, "http://x/") });
    expected.push((late, DeadReason::Expired, "may wait 0 s"));
    let mut worker = Worker::start(redis.port, "4");
    wait_for("all ticks", Duration::from_secs(30), || {
        let mut slots = redis.slots();
        slots.sort_unstable();
        (slots == (1..=count).collect::<Vec<_>>()).then_some(())
    });
    wait_for("all acknowledgements", Duration::from_secs(10), || (redis.pending() == 0).then_some(()));
    assert!(worker.stop().success());
    let letters = redis.letters();
    assert_eq!(letters.len(), expected.len(), "{letters:?}");
    for (entry_id, reason, part) in &expected {
        let letter = letters.iter().find(|letter| letter.entry_id == *entry_id).unwrap();
        assert_eq!(letter.reason, *reason, "{letter:?}");
        assert!(letter.detail.contains(part), "{part} in {letter:?}");
        assert!(letter.raw.len() <= 1024 && letter.raw.bytes().all(|b| (b' '..=b'~').contains(&b)), "{letter:?}");
    }
    let last = redis.last_heartbeat().unwrap();
    let refused = u64::try_from(expected.len() - 1).unwrap();
    assert_eq!((last.checks, last.refused, last.expired, last.dropped), (refused, refused, 1, 0));
    assert!(!format!("{letters:?}{}", worker.log()).contains("hunter2"));
}

#[test]
fn t160_a_thousand_poisoned_checks_are_all_told_of_and_stale_ones_by_the_dozen() {
    let mut redis = Redis::start();
    let website = Server::answering(OK);
    redis.publish("*", &check(1, &website.url("/")));
    let stale = Check { published_at: 1, deadline_at: 1, ..check(99, "http://x.invalid/") };
    let body = wire::encode(&stale, MAX_CHECK_BYTES).unwrap();
    let mut pipe = redis::pipe();
    for _ in 0..1_000 {
        pipe.cmd("XADD").arg(CHECKS).arg("*").arg("v").arg("1").arg("kind").arg("dance").arg("body").arg("{").ignore();
    }
    let made_at = wall() - 1_000;
    let _: () = pipe.query(&mut redis.connection).unwrap();
    redis.publish("*", &check(2, &website.url("/")));
    let mut worker = Worker::start(redis.port, "50");
    wait_for("the check behind", Duration::from_secs(30), || (redis.slots() == [1, 2]).then_some(()));
    wait_for("all letters", Duration::from_secs(30), || (redis.letters().len() == 1_000).then_some(()));
    // Stale by a second when they come.
    let mut pipe = redis::pipe();
    for _ in 0..3_000 {
        pipe.cmd("XADD")
            .arg(CHECKS)
            .arg("*")
            .arg("v")
            .arg("1")
            .arg("kind")
            .arg("check")
            .arg("body")
            .arg(&body)
            .ignore();
    }
    let _: () = pipe.query(&mut redis.connection).unwrap();
    redis.publish("*", &check(3, &website.url("/")));
    wait_for("the check behind", Duration::from_secs(60), || (redis.slots() == [1, 2, 3]).then_some(()));
    wait_for("all acknowledgements", Duration::from_secs(10), || (redis.pending() == 0).then_some(()));
    assert!(worker.stop().success());
    let last = redis.last_heartbeat().unwrap();
    assert_eq!((last.checks, last.refused, last.expired, last.dropped), (3, 1_000, 3_000, 0));
    let expired = redis.letters().iter().filter(|letter| letter.reason == DeadReason::Expired).count();
    // One minute's worth, or two when the test ran over a minute's end.
    assert!((50..=100).contains(&expired), "{expired}");
    assert!(last.started_at >= made_at);
}

#[test]
fn where_a_checks_time_went_is_told_from_its_slot_to_its_report() {
    let mut redis = Redis::start();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = std::sync::Mutex::new(released);
    let website = Server::start(move |_, mut stream| {
        head(&mut stream);
        let _ = released.lock().unwrap().recv_timeout(Duration::from_secs(10));
        let _ = stream.write_all(OK.as_bytes());
    });
    // Published 7 s after its slot, by the hub's clock; waiting for 3 s, by Redis'.
    let made_at = wall() - 3_000;
    let late = Check { published_at: 7_001, deadline_at: 127_001, ..check(1, &website.url("/")) };
    redis.publish(&format!("{made_at}-0"), &late);
    redis.publish("*", &Check { published_at: 1, ..check(2, &website.url("/")) });
    let _worker = Worker::start(redis.port, "1");
    wait_for("the first check", Duration::from_secs(10), || website.peers.lock().unwrap().first().copied());
    drop(release);
    wait_for("both ticks", Duration::from_secs(10), || (redis.slots() == [1, 2]).then_some(()));
    let ticks = redis.ticks();
    let (first, second) = (ticks[0].delays, ticks[1].delays);
    assert_eq!((first.publish_ms, second.publish_ms), (Some(7_000), Some(0)));
    assert!(first.queue_ms >= Some(2_900) && first.queue_ms < Some(30_000), "{first:?}");
    assert!(second.queue_ms.is_some() && second.queue_ms < first.queue_ms, "{second:?}");
    for (delays, tick) in [(first, &ticks[0]), (second, &ticks[1])] {
        assert!(delays.thread_us.is_some() && delays.report_us > Some(0), "{delays:?}");
        assert_eq!(tick.phases.sum_us(), tick.total_us, "none of it is in the network's times");
    }
}

#[test]
fn t091_the_probes_own_redis_is_never_a_target_and_other_ports_of_its_machine_are() {
    let mut redis = Redis::start();
    let website = Server::answering(OK);
    let own = format!("127.0.0.1:{}", redis.port);
    let target = own.clone();
    let redirect = Server::start(move |_, mut stream| {
        head(&mut stream);
        let _ = write!(stream, "HTTP/1.1 302 F\r\nLocation: http://{target}/\r\nContent-Length: 0\r\n\r\n");
    });
    redis.publish("*", &check(1, &format!("http://{own}/")));
    redis.publish("*", &check(2, &format!("http://127.8.8.8:{}/", redis.port)));
    redis.publish("*", &check(3, &format!("http://[::ffff:127.0.0.1]:{}/", redis.port)));
    redis.publish("*", &check(4, &redirect.url("/")));
    redis.publish("*", &check(5, &website.url("/")));
    let mut worker = Worker::start(redis.port, "1");
    wait_for("all ticks", Duration::from_secs(15), || (redis.slots() == [1, 2, 3, 4, 5]).then_some(()));
    assert!(worker.stop().success());
    let ticks = redis.ticks();
    for (tick, class) in ticks.iter().zip([
        Class::BlockedByPolicy,
        Class::BlockedByPolicy,
        Class::BlockedByPolicy,
        Class::RedirectBlocked,
    ]) {
        let failure = tick.failure.clone().unwrap();
        assert_eq!((tick.outcome, failure.class, failure.blame), (Outcome::Unknown, class, Blame::Policy), "{tick:?}");
        assert!(failure.detail.contains("probe's own Redis"), "{failure:?}");
    }
    assert_eq!(ticks[4].outcome, Outcome::Up, "{:?}", ticks[4]);
    let last = redis.last_heartbeat().unwrap();
    assert_eq!((last.checks, last.forbidden), (5, 4));
    let stats: String = redis.run(&["INFO", "stats"]);
    // Besides this test: a reader, a reporter.
    assert!(
        stats.contains("total_connections_received:4") || stats.contains("total_connections_received:3"),
        "{stats}"
    );
}

#[test]
fn t198_the_offset_of_the_clock_is_ours_minus_redis() {
    let mut redis = Redis::start();
    // What Redis makes from here on has ids an hour ahead: so it says the time is.
    let ahead = wall() + 3_600_000;
    let _: String = redis.run(&["XADD", TICKS, &format!("{ahead}-0"), VERSION_FIELD, "1"]);
    let mut worker = Worker::start(redis.port, "1");
    wait_for("a line about it", Duration::from_secs(15), || {
        worker.log().contains("behind that of Redis").then_some(())
    });
    assert!(worker.stop().success());
    let _: u64 = redis.run(&["XDEL", TICKS, &format!("{ahead}-0")]);
    let offset = redis.last_heartbeat().unwrap().clock_offset_ms.unwrap();
    assert!((-3_600_500..-3_540_000).contains(&offset), "{offset}");
}
