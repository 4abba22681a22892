use super::*;
use crate::model::{Transition, WebsiteState};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// 2026-11-27 00:00 UTC.
const START: UtcMs = 1_795_737_600_000;

fn job(schedule: &str, grace_ms: i64) -> Job {
    let schedule = JobSchedule::stored(schedule, "UTC").unwrap();
    Job {
        website_id: WebsiteId(uuid::Uuid::nil()),
        ping_id: PingId(uuid::Uuid::nil()),
        plan: JobPlan { name: "Backup".to_owned(), schedule, grace_ms },
        awaited: Awaited::default(),
    }
}

fn ping(at: UtcMs, kind: PingKind, exit_code: Option<u8>) -> Ping {
    Ping { at, kind, exit_code, said: String::new() }
}

fn take(job: &mut Job, at: UtcMs, kind: PingKind) -> Option<Outcome> {
    job.take(&ping(at, kind, None), Outcome::Up).map(|verdict| verdict.outcome)
}

#[test]
fn a_period_runs_from_the_last_ping_and_a_cron_expression_by_the_clock() {
    let mut every = job("every:3600000", 5 * MINUTE);
    assert_eq!(every.missing_at(), None, "nothing is awaited before the first ping");
    assert_eq!(take(&mut every, START, PingKind::Success), Some(Outcome::Up));
    assert_eq!((every.awaited.expected_at, every.missing_at()), (Some(START + HOUR), Some(START + HOUR + 5 * MINUTE)));
    let mut daily = job("0 2 * * *", HOUR);
    take(&mut daily, START, PingKind::Success);
    assert_eq!(daily.missing_at(), Some(START + 3 * HOUR));
    // A machine whose clock is a little ahead reports for 02:00 before it is 02:00 here.
    take(&mut daily, START + 2 * HOUR - 20_000, PingKind::Success);
    assert_eq!(daily.awaited.expected_at, Some(START + DAY + 2 * HOUR));
    take(&mut daily, START + DAY + 2 * HOUR - 40_000, PingKind::Success);
    assert_eq!(daily.awaited.expected_at, Some(START + DAY + 2 * HOUR), "an extra run is not that one");
}

#[test]
fn silence_is_down_since_it_was_due_and_says_so() {
    let mut daily = job("0 2 * * *", 65 * MINUTE);
    take(&mut daily, START, PingKind::Success);
    let missed = daily.miss(None).unwrap();
    assert_eq!((missed.outcome, missed.at), (Outcome::Down, START + 2 * HOUR));
    assert_eq!(missed.failure.as_ref().map(|f| (f.class, f.blame)), Some((Class::PingMissing, Blame::Target)));
    assert_eq!(
        crate::model::verdict::first_sentence(&missed.reason),
        "No ping since 2026-11-27 00:00 UTC; expected by 2026-11-27 03:05 UTC."
    );
    assert!(missed.reason.contains("one good ping makes it up"), "{}", missed.reason);
    assert!(missed.reason.len() <= crate::model::verdict::REASON_BYTES);
    assert_eq!((daily.missing_at(), daily.miss(None)), (None, None), "told once, until it reports");
    assert_eq!(take(&mut daily, START + 5 * HOUR, PingKind::Success), Some(Outcome::Up));
    assert_eq!(daily.awaited.expected_at, Some(START + DAY + 2 * HOUR));
}

#[test]
fn a_failure_counts_at_once_and_waits_for_a_good_one() {
    let mut hourly = job("every:3600000", 5 * MINUTE);
    take(&mut hourly, START, PingKind::Success);
    let mut failed = ping(START + HOUR, PingKind::Fail, Some(3));
    failed.said = "disk\nfull".to_owned();
    let failed = hourly.take(&failed, Outcome::Up).unwrap();
    assert_eq!((failed.outcome, failed.at), (Outcome::Down, START + HOUR));
    assert!(failed.reason.starts_with("It reported exit code 3."), "{}", failed.reason);
    assert_eq!(failed.failure.unwrap().detail, "exit code 3: disk full");
    assert_eq!((hourly.missing_at(), hourly.awaited.exit_code), (None, Some(3)));
    // One that is down and starts awaits no end: it is down already.
    hourly.take(&ping(START + 2 * HOUR, PingKind::Start, None), Outcome::Down);
    assert_eq!(hourly.missing_at(), None);
    assert_eq!(take(&mut hourly, START + 2 * HOUR + MINUTE, PingKind::Success), Some(Outcome::Up));
    assert_eq!(hourly.awaited.took_ms, Some(MINUTE));
}

#[test]
fn a_run_may_take_the_grace_from_its_first_start() {
    let mut daily = job("0 2 * * *", HOUR);
    assert_eq!(take(&mut daily, START + 2 * HOUR + 50 * MINUTE, PingKind::Start), None);
    // It began late, and in time: its end has the whole grace. The very first word may be a start.
    assert_eq!(daily.missing_at(), Some(START + 3 * HOUR + 50 * MINUTE));
    // Killed and started anew: nothing is put off, and the run that ends is timed by itself.
    take(&mut daily, START + 3 * HOUR, PingKind::Start);
    assert_eq!(daily.missing_at(), Some(START + 3 * HOUR + 50 * MINUTE));
    let mut overdue = daily.clone();
    let missed = overdue.miss(None).unwrap();
    assert_eq!((missed.outcome, missed.at), (Outcome::Down, START + 3 * HOUR + 50 * MINUTE));
    assert_eq!(missed.failure.map(|f| f.class), Some(Class::PingOverdue));
    assert!(missed.reason.starts_with("It started at 2026-11-27 02:50 UTC, and has not reported its end within 1 h."));
    take(&mut daily, START + 3 * HOUR + 10 * MINUTE, PingKind::Success);
    assert_eq!(daily.awaited.took_ms, Some(10 * MINUTE));
    // Runs that overlap: the second end has no start left.
    take(&mut daily, START + 4 * HOUR, PingKind::Success);
    assert_eq!((daily.awaited.took_ms, daily.awaited.expected_at), (None, Some(START + DAY + 2 * HOUR)));
}

#[test]
fn what_runs_seldom_is_told_of_each_failure_however_often_it_fails() {
    use crate::model::flapping;
    for (schedule, flaps) in
        [("every:86400000", false), ("0 2 * * *", false), ("0 * * * *", false), ("every:60000", true)]
    {
        let plan = job(schedule, HOUR).plan;
        let interval_ms = plan.schedule.interval_ms(START);
        let mut state = WebsiteState::new(WebsiteId(uuid::Uuid::nil()), Outcome::Up, START, String::new());
        let mut at = START;
        for n in 0..40 {
            let (from, to) = if n % 2 == 0 { (Outcome::Up, Outcome::Down) } else { (Outcome::Down, Outcome::Up) };
            at = plan.expected_after(at).unwrap();
            let change =
                Transition { website_id: state.website_id, at, decided_at: at, from, to, reason: String::new() };
            flapping::count(&mut state, &change, interval_ms);
        }
        assert_eq!(state.flapping_since_at.is_some(), flaps, "{schedule}");
        assert!(!flapping::mutes(Outcome::Down, at, interval_ms, at + 15 * MINUTE), "{schedule}");
    }
}

#[test]
fn what_nobody_could_hear_is_not_missing() {
    let mut daily = job("0 2 * * *", HOUR);
    take(&mut daily, START, PingKind::Success);
    let window = daily.window().unwrap();
    // One that came before is not that of 02:00: it would have left 02:00 to be awaited.
    assert_eq!(window, Span { from_at: START + 2 * HOUR - EARLY_MS, to_at: START + 3 * HOUR + RETRIES_MS });
    let mut extra = daily.clone();
    take(&mut extra, window.from_at - 1, PingKind::Success);
    assert_eq!(extra.missing_at(), daily.missing_at());
    let deaf = Span { from_at: START + 2 * HOUR, to_at: START + 2 * HOUR + 10 * MINUTE };
    let missed = daily.miss(Some(deaf)).unwrap();
    assert_eq!((missed.outcome, missed.failure), (Outcome::Unknown, None));
    assert!(missed.reason.contains("from 2026-11-27 02:00 UTC to 2026-11-27 02:10 UTC"), "{}", missed.reason);
    // The next one is awaited, and nothing excuses that.
    assert_eq!(daily.missing_at(), Some(START + DAY + 3 * HOUR));
    assert_eq!(daily.window().map(|window| window.from_at), Some(START + DAY + 2 * HOUR - EARLY_MS));
    assert_eq!(daily.miss(None).map(|verdict| verdict.outcome), Some(Outcome::Down));
    // What was before the ping it answered is no excuse, however long the grace.
    let mut often = job("every:300000", HOUR);
    take(&mut often, START, PingKind::Success);
    assert_eq!(often.window().map(|window| window.from_at), Some(START));
    // Of a period any ping of that time would have been the one.
    let mut seldom = job("every:86400000", HOUR);
    take(&mut seldom, START, PingKind::Success);
    assert_eq!(seldom.window().map(|window| window.from_at), Some(START + 23 * HOUR));
}

#[test]
fn an_edit_or_a_pause_awaits_anew_and_makes_nothing_missing() {
    let mut hourly = job("every:3600000", 5 * MINUTE);
    hourly.await_anew(Outcome::Unknown, START);
    assert_eq!(hourly.missing_at(), None, "it never reported");
    take(&mut hourly, START, PingKind::Start);
    hourly.await_nothing();
    assert_eq!((hourly.missing_at(), hourly.awaited.started_at), (None, None));
    hourly.await_anew(Outcome::Unknown, START + 9 * HOUR);
    assert_eq!(hourly.awaited.expected_at, Some(START + 10 * HOUR));
    hourly.await_anew(Outcome::Down, START + 9 * HOUR);
    assert_eq!(hourly.missing_at(), None, "what is down waits for a good ping");
}

/// Whatever comes, in whatever order: what is awaited is later than what came, silence is told once, and whether it is up
/// is what the last end said.
#[test]
fn whatever_order_pings_come_in_the_last_end_decides() {
    let mut seed = 11_u64;
    let mut below = |bound: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % bound
    };
    for schedule in ["every:60000", "every:86400000", "*/5 * * * *", "0 2 * * *"] {
        let (mut job, mut verdict, mut at) = (job(schedule, 10 * MINUTE), Outcome::Unknown, START);
        let mut last_end = None;
        for _ in 0..2_000 {
            at += below(40 * MINUTE as u64) as i64;
            while let Some(missing_at) = job.missing_at().filter(|missing_at| *missing_at <= at) {
                let deaf = (below(4) == 0).then(|| Span { from_at: missing_at - MINUTE, to_at: missing_at });
                let decided = job.miss(deaf).unwrap();
                assert!(decided.at <= at && job.missing_at().is_none_or(|next| next > missing_at));
                verdict = decided.outcome;
                last_end = None;
            }
            let kind = [PingKind::Start, PingKind::Success, PingKind::Success, PingKind::Fail][below(4) as usize];
            if let Some(decided) = job.take(&ping(at, kind, None), verdict) {
                assert_eq!(decided.at, at);
                verdict = decided.outcome;
                last_end = Some(decided.outcome);
            }
            assert!(last_end.is_none_or(|last| last == verdict));
            assert_eq!(job.missing_at().is_none(), verdict == Outcome::Down, "{schedule} {:?}", job.awaited);
            assert!(job.awaited.took_ms.is_none_or(|ms| ms >= 0));
        }
    }
}

#[test]
fn what_came_with_a_ping_is_data_and_bounded() {
    assert_eq!(said(b"  one\r\ntwo\tthree\x1b[31m\0\n"), "one\ntwo three[31m");
    assert_eq!(said(&[b'x'; 5_000]).chars().count(), SAID_CHARS);
    assert_eq!(said("a\u{202e}b\u{2066}".as_bytes()), "ab");
    assert_eq!(said(&[b'a', 0xff, b'b']), "a\u{fffd}b");
    assert_eq!(said("é".repeat(3).as_bytes().split_last().unwrap().1), "éé", "cut in the middle of a character");
    assert_eq!(format!("{:?}", PingId(uuid::Uuid::from_u128(7))), "PingId(…)");
}

#[test]
fn every_field_that_is_wrong_is_named() {
    let input = |period: &str, cron: &str, zone: &str, grace: &str| JobInput {
        name: " Nightly   backup ".to_owned(),
        period_s: period.to_owned(),
        cron: cron.to_owned(),
        time_zone: zone.to_owned(),
        grace_s: grace.to_owned(),
    };
    let wrong = |input: JobInput| input.parse().unwrap_err().0.iter().map(|e| e.field).collect::<Vec<_>>();
    for (period, cron, zone, grace, fields) in [
        ("", "", "", "", vec!["period_s"]),
        ("59", "", "", "60", vec!["period_s"]),
        ("31622401", "", "", "60", vec!["period_s"]),
        ("60", "* * * * *", "", "60", vec!["cron"]),
        ("60", "", "Europe/Berlin", "60", vec!["time_zone"]),
        ("", "61 * * * *", "Nowhere/At_All", "59", vec!["time_zone", "cron", "grace_s"]),
        ("9223372036854775807", "", "", "2592001", vec!["period_s", "grace_s"]),
    ] {
        assert_eq!(wrong(input(period, cron, zone, grace)), fields, "{period} {cron} {zone} {grace}");
    }
    for name in ["", "  ", &"x".repeat(97), "a\u{202e}b", "a\u{1b}b"] {
        assert_eq!(wrong(JobInput { name: name.to_owned(), ..input("60", "", "", "") }), ["name"], "{name:?}");
    }
    for good in
        [input("60", "", "", ""), input("", "@daily", "Europe/Berlin", "2592000"), input("", "0 2 * * *", "", "60")]
    {
        let plan = good.parse().unwrap();
        assert_eq!(plan.name, "Nightly backup");
        assert_eq!(JobInput::of(&plan).parse(), Ok(plan.clone()));
        assert_eq!(JobSchedule::stored(&plan.schedule.text(), plan.schedule.time_zone()), Some(plan.schedule));
    }
    assert_eq!(JobSchedule::stored("solar:noon", "UTC"), None, "of a newer version");
}
