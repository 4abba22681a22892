use jiff::civil::DateTime;

use super::*;

fn cron(text: &str) -> Cron {
    text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

/// An instant by its wall time in UTC.
fn utc(text: &str) -> UtcMs {
    let wall: DateTime = text.parse().unwrap();
    TimeZone::UTC.to_ambiguous_timestamp(wall).compatible().unwrap().as_millisecond()
}

fn shown(at: UtcMs) -> String {
    Timestamp::from_millisecond(at).unwrap().strftime("%Y-%m-%dT%H:%M").to_string()
}

/// The next `count` after an instant, in UTC.
fn next(text: &str, zone_name: &str, from: &str, count: usize) -> Vec<String> {
    let (cron, zone) = (cron(text), zone(zone_name));
    let times = std::iter::successors(cron.after(&zone, utc(from)), |at| cron.after(&zone, *at));
    times.take(count).map(shown).collect()
}

#[test]
fn expressions_of_a_crontab_are_read() {
    for (text, from, expected) in [
        ("* * * * *", "2026-11-27T10:00", "2026-11-27T10:01"),
        ("30 2 * * *", "2026-11-27T02:30", "2026-11-28T02:30"),
        ("*/15 8-17 * * mon-fri", "2026-11-27T17:45", "2026-11-30T08:00"),
        ("0 0 1,15 * *", "2026-11-02T00:00", "2026-11-15T00:00"),
        ("0 0 29 2 *", "2096-03-01T00:00", "2104-02-29T00:00"),
        ("0 12 * JAN Sun", "2026-11-27T00:00", "2027-01-03T12:00"),
        ("0 0 * * 7", "2026-11-27T00:00", "2026-11-29T00:00"),
        ("0 0 * * 5-7", "2026-11-28T00:00", "2026-11-29T00:00"),
        ("59 23 31 12 *", "2026-12-31T23:59", "2027-12-31T23:59"),
        ("5-20/5 0 * * *", "2026-11-27T00:10", "2026-11-27T00:15"),
        ("@hourly", "2026-11-27T10:00", "2026-11-27T11:00"),
        ("@Daily", "2026-11-27T10:00", "2026-11-28T00:00"),
        ("@weekly", "2026-11-27T10:00", "2026-11-29T00:00"),
        ("@monthly", "2026-11-27T10:00", "2026-12-01T00:00"),
        ("@yearly", "2026-11-27T10:00", "2027-01-01T00:00"),
        // Both chosen: either will do; a star that steps does not count as chosen.
        ("0 0 13 * fri", "2026-11-07T00:00", "2026-11-13T00:00"),
        ("0 0 13 * fri", "2026-11-13T00:00", "2026-11-20T00:00"),
        ("0 0 */2 * fri", "2026-11-20T00:00", "2026-11-27T00:00"),
    ] {
        assert_eq!(next(text, "UTC", from, 1), [expected], "{text} after {from}");
    }
    assert_eq!(cron(" 0  2 * *\t* ").to_string(), "0 2 * * *");
    assert_eq!(cron(&cron("@DAILY").to_string()), cron("@daily"));
}

#[test]
fn what_is_none_is_refused_with_what_would_work() {
    for text in [
        "",
        "* * * *",
        "* * * * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * 32 * *",
        "* * * 13 *",
        "* * * * 8",
        "5-1 * * * *",
        "*/0 * * * *",
        "5/10 * * * *",
        "1,,2 * * * *",
        "-1 * * * *",
        "+1 * * * *",
        "1- * * * *",
        "a * * * *",
        "* * * monday *",
        "*/ * * * *",
        "1-2-3 * * * *",
        "@reboot",
        "@every 5m",
        "٣ * * * *",
        "001 * * * *",
        "* * * * mon-",
        "L * * * *",
        "0 0 31 2 *",
        "0 0 30,31 feb *",
        "99999999999999999999 * * * *",
    ] {
        let error = text.parse::<Cron>().expect_err(text).to_string();
        assert!(error.ends_with('.') && error.len() < 300, "{text}: {error}");
    }
    let long = format!("{} * * * *", ["1"; 300].join(","));
    assert!(long.parse::<Cron>().is_err());
    let error = "0 25 * * *".parse::<Cron>().unwrap_err().to_string();
    assert!(error.contains("hour \"25\"") && error.contains("0 to 23"), "{error}");
}

#[test]
fn clocks_that_are_put_forward_make_it_due_at_the_change_and_put_back_once() {
    // Europe/Berlin: 2027-03-28 02:00 becomes 03:00 (01:00 UTC), 2026-10-25 03:00 becomes 02:00 (01:00 UTC).
    assert_eq!(
        next("30 2 * * *", "Europe/Berlin", "2027-03-27T00:00", 3),
        ["2027-03-27T01:30", "2027-03-28T01:00", "2027-03-29T00:30"]
    );
    assert_eq!(
        next("30 2 * * *", "Europe/Berlin", "2026-10-24T00:00", 3),
        ["2026-10-24T00:30", "2026-10-25T00:30", "2026-10-26T01:30"]
    );
    assert_eq!(
        next("0,30 * * * *", "Europe/Berlin", "2027-03-28T00:00", 4),
        ["2027-03-28T00:30", "2027-03-28T01:00", "2027-03-28T01:30", "2027-03-28T02:00"]
    );
    // From within the hour that comes again.
    assert_eq!(next("30 2 * * *", "Europe/Berlin", "2026-10-25T01:10", 1), ["2026-10-26T01:30"]);
    // Half an hour (Lord Howe), and a whole day that was left out (Apia, 2011-12-30).
    assert_eq!(next("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00", 1), ["2026-10-03T15:30"]);
    assert_eq!(
        next("0 12 * * *", "Pacific/Apia", "2011-12-29T20:00", 3),
        ["2011-12-29T22:00", "2011-12-30T10:00", "2011-12-30T22:00"]
    );
}

/// Numbers that look like chance, the same each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn field(&mut self, first: u64, last: u64) -> String {
        let span = last - first + 1;
        let one = first + self.below(span);
        let other = first + self.below(span);
        match self.below(6) {
            0 | 1 => "*".to_owned(),
            2 => format!("*/{}", 1 + self.below(span)),
            3 => format!("{}-{}", one.min(other), one.max(other)),
            4 => format!("{one},{other}"),
            _ => one.to_string(),
        }
    }
}

/// Each minute of the clock on the wall, looked at one after the other.
fn slowly(cron: &Cron, zone: &TimeZone, from: UtcMs, minutes: i64) -> Option<UtcMs> {
    let due = |wall: DateTime| {
        let bit = |bits: u64, value: i8| bits >> value & 1 == 1;
        cron.falls_on(wall.date()) && bit(cron.hours, wall.hour()) && bit(cron.minutes, wall.minute())
    };
    let local = |at: UtcMs| Timestamp::from_millisecond(at).unwrap().to_zoned_datetime(zone.clone()).datetime();
    let mut latest = local(from - 86_400_000);
    for n in -1_439..=minutes {
        let at = from + n * 60_000;
        let wall = local(at);
        // Every time on the wall that has come since the last new one: one, several when clocks go forward, none of those
        // that were there before.
        let mut is_due = false;
        while latest < wall {
            latest = latest.checked_add(1.minute()).unwrap();
            is_due |= due(latest);
        }
        if is_due && at > from {
            return Some(at);
        }
    }
    None
}

#[test]
fn it_finds_what_looking_at_every_minute_finds() {
    let mut chance = Chance(7);
    let zones = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"];
    let starts = ["2026-10-24T21:17", "2026-10-31T23:00", "2027-03-13T20:00", "2027-03-27T22:59", "2026-10-03T14:00"];
    let mut found = 0;
    for n in 0..400 {
        let mut text = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)].map(|(first, last)| chance.field(first, last));
        if n % 2 == 0 {
            // Rare days would make a slow search of them all.
            (text[2], text[3], text[4]) = ("*".to_owned(), "*".to_owned(), "*".to_owned());
        }
        let Ok(cron) = text.join(" ").parse::<Cron>() else { continue };
        let zone = zone(zones[chance.below(5) as usize]);
        let from = utc(starts[chance.below(5) as usize]) + chance.below(600) as i64 * 60_000;
        let slow = slowly(&cron, &zone, from, 2_000);
        let fast = cron.after(&zone, from).filter(|at| *at <= from + 2_000 * 60_000);
        assert_eq!(fast.map(shown), slow.map(shown), "{cron} in {zone:?} after {}", shown(from));
        found += usize::from(slow.is_some());
    }
    assert!(found > 200, "{found}");
}
