//! What a worker does not run, where it never goes, and what it tells of itself: the real binary against a real Redis.

use std::io::Write;
use std::time::Duration;

use probe::clock::wall;
use probe::wire::{self, Blame, Check, Class, DeadReason, MAX_CHECK_BYTES, Outcome, VERSION_FIELD};

use crate::redis_worker::{CHECKS, OK, Redis, TICKS, Worker, check};
use testbed::measure::wait_for;
use testbed::server::{Server, head};

/// An entry, why it is put away, and a part of the sentence.
type Poison<'a> = (Vec<(&'a str, &'a [u8])>, DeadReason, &'a str);

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
