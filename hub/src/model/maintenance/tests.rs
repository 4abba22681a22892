//! Windows by the calendar of their zone, over changes of clocks, and against a walk from minute to minute.

use uuid::Uuid;

use super::*;

fn rule(zone: &str, starts: &str, repeats: &str, minutes: i64) -> Rule {
    let (starts, repeats) = (starts.parse().expect("a wall time"), repeats.parse().expect("a rhythm"));
    Rule::new(zone, starts, repeats, minutes * 60_000).expect("a zone")
}

fn at(utc: &str) -> UtcMs {
    utc.parse::<Timestamp>().expect("an instant").as_millisecond()
}

/// The next three after an instant, in UTC.
fn next(rule: &Rule, after: &str) -> Vec<String> {
    let words = |at| timestamp(at).strftime("%m-%dT%H:%M").to_string();
    rule.next(at(after), 3).iter().map(|s| format!("{}/{}", words(s.from_at), words(s.to_at))).collect()
}

#[test]
fn a_start_that_does_not_exist_comes_as_late_after_the_change_as_it_would_have() {
    let berlin = rule("Europe/Berlin", "2026-03-28T02:30", "daily", 60);
    let wanted = ["03-28T01:30/03-28T02:30", "03-29T01:30/03-29T02:30", "03-30T00:30/03-30T01:30"];
    assert_eq!(next(&berlin, "2026-03-28T00:00Z"), wanted);
    assert_eq!(berlin.local(at("2026-03-29T01:30Z")).to_string(), "2026-03-29T03:30:00");
    let york = rule("America/New_York", "2026-03-07T02:30", "daily", 60);
    let wanted = ["03-07T07:30/03-07T08:30", "03-08T07:30/03-08T08:30", "03-09T06:30/03-09T07:30"];
    assert_eq!(next(&york, "2026-03-07T00:00Z"), wanted);
    // Clocks are put forward by half an hour there.
    let lord_howe = rule("Australia/Lord_Howe", "2026-10-03T02:15", "daily", 60);
    let wanted = ["10-02T15:45/10-02T16:45", "10-03T15:45/10-03T16:45", "10-04T15:15/10-04T16:15"];
    assert_eq!(next(&lord_howe, "2026-10-02T00:00Z"), wanted);
}

#[test]
fn of_a_start_that_exists_twice_the_first_counts_and_once() {
    let berlin = rule("Europe/Berlin", "2026-10-24T02:30", "daily", 30);
    let wanted = ["10-24T00:30/10-24T01:00", "10-25T00:30/10-25T01:00", "10-26T01:30/10-26T02:00"];
    assert_eq!(next(&berlin, "2026-10-24T00:00Z"), wanted);
    let york = rule("America/New_York", "2026-10-31T01:30", "daily", 30);
    let wanted = ["10-31T05:30/10-31T06:00", "11-01T05:30/11-01T06:00", "11-02T06:30/11-02T07:00"];
    assert_eq!(next(&york, "2026-10-31T00:00Z"), wanted);
    let lord_howe = rule("Australia/Lord_Howe", "2026-04-04T01:45", "daily", 30);
    let wanted = ["04-03T14:45/04-03T15:15", "04-04T14:45/04-04T15:15", "04-05T15:15/04-05T15:45"];
    assert_eq!(next(&lord_howe, "2026-04-03T00:00Z"), wanted);
}

#[test]
fn an_hour_is_an_hour_whatever_clocks_do() {
    // From 23:00 over midnight and the change; six hours each, which end at 06:00 by the wall in spring.
    let spring = rule("Europe/Berlin", "2026-03-28T23:00", "once", 360);
    assert_eq!(spring.over_at(), Some(at("2026-03-29T04:00Z")));
    assert_eq!(spring.local(at("2026-03-29T04:00Z")).to_string(), "2026-03-29T06:00:00");
    let autumn = rule("Europe/Berlin", "2026-10-24T23:00", "once", 360);
    assert_eq!(autumn.local(autumn.over_at().unwrap_or(0)).to_string(), "2026-10-25T04:00:00");
    assert_eq!(rule("UTC", "2026-10-24T23:00", "once", 120).over_at(), Some(at("2026-10-25T01:00Z")));
}

#[test]
fn days_are_those_of_the_zone() {
    // Monday 00:30 in Berlin is Sunday in UTC.
    let weekly = rule("Europe/Berlin", "2026-11-25T00:30", "weekly:mon,fri", 60);
    let wanted = ["11-26T23:30/11-27T00:30", "11-29T23:30/11-30T00:30", "12-03T23:30/12-04T00:30"];
    assert_eq!(next(&weekly, "2026-11-20T00:00Z"), wanted);
    let last = rule("UTC", "2028-01-15T12:00", "monthly:last", 60);
    let wanted = ["01-31T12:00/01-31T13:00", "02-29T12:00/02-29T13:00", "03-31T12:00/03-31T13:00"];
    assert_eq!(next(&last, "2027-12-31T00:00Z"), wanted);
    let on_31 = rule("UTC", "2026-01-31T12:00", "monthly:31", 60);
    let wanted = ["01-31T12:00/01-31T13:00", "03-31T12:00/03-31T13:00", "05-31T12:00/05-31T13:00"];
    assert_eq!(next(&on_31, "2026-01-01T00:00Z"), wanted);
    assert_eq!(next(&rule("UTC", "2031-01-15T12:00", "once", 1), "2026-01-01T00:00Z"), ["01-15T12:00/01-15T12:01"]);
}

#[test]
fn a_window_holds_from_its_begin_to_before_its_end() {
    let plan =
        MaintenancePlan { name: "n".to_owned(), scope: Scope::All, rule: rule("UTC", "2026-11-27T10:00", "daily", 60) };
    let mut window = Maintenance {
        maintenance_id: MaintenanceId(Uuid::nil()),
        account_id: AccountId(Uuid::nil()),
        plan,
        created_at: 0,
        since_at: 0,
        skip_before_at: 0,
        revision: 1,
    };
    let runs = |window: &Maintenance, utc| window.running(at(utc)).is_some();
    let asked = ["2026-11-27T09:59:59Z", "2026-11-27T10:00:00Z", "2026-11-27T10:59:59.999Z", "2026-11-27T11:00:00Z"];
    assert_eq!(asked.map(|utc| runs(&window, utc)), [false, true, true, false]);
    // Ended early, and since then otherwise.
    window.skip_before_at = at("2026-11-27T10:30:00Z");
    assert_eq!(asked.map(|utc| runs(&window, utc)), [false; 4]);
    assert!(runs(&window, "2026-11-28T10:00:00Z"));
    assert_eq!(window.next(at("2026-11-27T10:30:00Z"), 1)[0].from_at, at("2026-11-28T10:00:00Z"));
    window.skip_before_at = 0;
    window.since_at = at("2026-11-27T10:30:00Z");
    assert_eq!(asked.map(|utc| runs(&window, utc)), [false, false, true, false]);
    let spans = window.spans(at("2026-11-27T00:00Z"), at("2026-11-28T10:10Z"));
    let part = |from, to| Span { from_at: at(from), to_at: at(to) };
    let wanted = [part("2026-11-27T10:30Z", "2026-11-27T11:00Z"), part("2026-11-28T10:00Z", "2026-11-28T10:10Z")];
    assert_eq!(spans, wanted);
}

#[test]
fn spans_that_overlap_are_one() {
    let span = |from_at, to_at| Span { from_at, to_at };
    let all = united(vec![span(5, 9), span(1, 3), span(2, 4), span(9, 10), span(6, 7)]);
    assert_eq!(all, [span(1, 4), span(5, 10)]);
}

#[test]
fn instants_out_of_all_bounds_are_harmless() {
    let daily = rule("Europe/Berlin", "2026-03-28T02:30", "daily", 60);
    for at in [i64::MIN, -1, 0, i64::MAX] {
        assert!(daily.overlapping(at, at.saturating_add(1)).is_empty(), "{at}");
        let _ = daily.next(at, 3);
    }
    assert!(Rule::new("Mars/Olympus", daily.starts, Repeats::Once, 60_000).is_none());
    assert!(Rule::new("", daily.starts, Repeats::Once, 60_000).is_none());
}

/// What wall clocks show at each minute from an instant on, a day or more: their own time, and, for as long after they
/// were put forward as they were put forward by, the time they would show without it.
fn clocks(zone: &str, from: UtcMs, minutes: i64) -> Vec<(UtcMs, Vec<DateTime>)> {
    let zone = TimeZone::get(zone).expect("a zone");
    let wall = |at| timestamp(at).to_zoned_datetime(zone.clone()).datetime();
    let mut ahead: Option<(DateTime, i64)> = None;
    let mut before = wall(from - 60_000);
    let mut all = Vec::new();
    for at in (0..minutes).map(|n| from + n * 60_000) {
        let now = wall(at);
        let jumped = before.until((jiff::Unit::Minute, now)).map_or(1, |span| span.get_minutes()) - 1;
        if jumped > 0 {
            ahead = Some((before, jumped));
        }
        let mut shown = vec![now];
        if let Some((missed, left)) = ahead.as_mut() {
            *missed = missed.checked_add(1.minute()).expect("a wall time");
            shown.push(*missed);
            *left -= 1;
        }
        ahead = ahead.filter(|(_, left)| *left > 0);
        before = now;
        all.push((at, shown));
    }
    all
}

/// The same windows found by looking at the clock each minute.
fn walked(rule: &Rule, clocks: &[(UtcMs, Vec<DateTime>)]) -> Vec<Span> {
    let mut begun: Vec<Date> = Vec::new();
    let mut spans = Vec::new();
    for (at, shown) in clocks {
        for wall in shown {
            let date = wall.date();
            let begins = wall.time() == rule.starts.time() && rule.repeats.falls_on(date, rule.starts.date());
            if begins && !begun.contains(&date) {
                begun.push(date);
                spans.push(Span { from_at: *at, to_at: at + rule.duration_ms });
            }
        }
    }
    spans
}

/// Each bit is a day.
fn some_days(bits: i64) -> Weekdays {
    let chosen = WEEKDAYS.iter().enumerate().filter(|(n, _)| bits >> n & 1 == 1).map(|(_, (day, _))| *day);
    Weekdays::new(chosen).expect("a day")
}

#[test]
fn any_rule_holds_when_a_walk_from_minute_to_minute_says_so() {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move |below: i64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        i64::try_from(state >> 33).unwrap_or(0) % below
    };
    let places = [
        ("Europe/Berlin", ["2026-03-26T00:00Z", "2026-10-22T00:00Z"]),
        ("America/New_York", ["2026-03-05T00:00Z", "2026-10-29T00:00Z"]),
        ("Australia/Lord_Howe", ["2026-04-01T00:00Z", "2026-09-30T00:00Z"]),
        ("UTC", ["2028-02-26T00:00Z", "2026-12-29T00:00Z"]),
    ];
    let mut compared = 0;
    for (zone, begins) in places {
        for begin in begins {
            let from = at(begin);
            let days = 7;
            // A week before, so that what began then and lasts is known, too.
            let clocks = clocks(zone, from - 8 * DAY_MS, (days + 8) * 1_440);
            for n in 0..120 {
                let hour = if n % 2 == 0 { random(4) } else { random(24) };
                let starts = timestamp(from - random(9) * DAY_MS).to_zoned_datetime(TimeZone::UTC).date();
                let starts = starts.at(i8::try_from(hour).unwrap_or(0), i8::try_from(random(60)).unwrap_or(0), 0, 0);
                let repeats = match random(5) {
                    0 => Repeats::Once,
                    1 => Repeats::Daily,
                    2 => Repeats::Weekly(some_days(1 + random(127))),
                    3 => Repeats::Monthly(MonthDay::Day(i8::try_from(1 + random(31)).unwrap_or(1))),
                    _ => Repeats::Monthly(MonthDay::Last),
                };
                // Also longer than a day, so that a rule overlaps with itself.
                let minutes = if n % 3 == 0 { 1 + random(10_080) } else { 1 + random(300) };
                let rule = Rule::new(zone, starts, repeats, minutes * 60_000).expect("a zone");
                let wanted = walked(&rule, &clocks);
                let to = from + days * DAY_MS;
                let held: Vec<Span> = wanted.iter().copied().filter(|s| s.within(from, to).is_some()).collect();
                assert_eq!(rule.overlapping(from, to), held, "{zone} {starts} {repeats} {minutes}");
                for _ in 0..20 {
                    let at = from + random(days * 1_440) * 60_000 + random(60_000);
                    let holds = wanted.iter().any(|s| s.holds(at));
                    assert_eq!(!rule.overlapping(at, at + 1).is_empty(), holds, "{zone} {starts} {repeats} {at}");
                    let next = wanted.iter().find(|s| s.from_at >= at).copied();
                    if let Some(next) = next {
                        assert_eq!(rule.next(at, 1), [next], "{zone} {starts} {repeats} {at}");
                    }
                    compared += 1;
                }
            }
        }
    }
    assert_eq!(compared, 4 * 2 * 120 * 20);
}
