//! What holds of every report; and what is no window.

use std::collections::BTreeMap;

use super::csv::cell;
use super::number::{decimal, uptime_share};
use super::*;
use crate::model::histogram::Histogram;
use crate::model::{AccountId, ChannelId, IncidentId};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

fn at(text: &str) -> UtcMs {
    text.parse::<jiff::Timestamp>().expect("an instant").as_millisecond()
}

/// Splitmix64: the same numbers on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, end: i64) -> i64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 1) as i64 % end.max(1)
    }

    fn uptime(&mut self) -> Uptime {
        Uptime {
            up_ms: self.below(31 * DAY_MS),
            degraded_ms: self.below(DAY_MS),
            down_ms: [0, self.below(HOUR), self.below(DAY_MS)][self.below(3) as usize],
            unknown_ms: self.below(DAY_MS),
            maintenance_ms: self.below(DAY_MS),
        }
    }

    fn measured(&mut self) -> Measured {
        let mut latency = BTreeMap::new();
        for region in ["INDIA", "USA"].iter().take(self.below(3) as usize) {
            let mut histogram = Histogram::default();
            (0..self.below(50)).for_each(|_| histogram.record(self.below(2_000_000) as u32));
            latency.insert(region.parse().expect("a region"), histogram);
        }
        let outages = (0..self.below(4)).map(|_| {
            let began_at = self.below(31 * DAY_MS);
            Outage {
                incident_id: IncidentId(uuid::Uuid::from_u128(self.below(6) as u128)),
                began_at,
                decided_at: (self.below(4) > 0).then(|| began_at + self.below(3 * MINUTE)),
                ended_at: (self.below(5) > 0).then(|| began_at + self.below(HOUR)),
            }
        });
        let outages = outages.collect();
        let span = Span { from_at: 0, to_at: 31 * DAY_MS };
        Measured { span, uptime: Some(self.uptime()), latency, outages }
    }
}

fn subject(n: u128) -> Subject {
    Subject {
        website_id: WebsiteId(uuid::Uuid::from_u128(n)),
        url: format!("https://{n}.example.com/"),
        kind: WebsiteKind::Http,
        created_at: 0,
        goal: None,
    }
}

fn window() -> Window {
    Window::days(0, 31)
}

fn goal(text: &str) -> Goal {
    text.parse().expect("a goal")
}

#[test]
fn a_window_is_a_month_unless_something_else_is_asked_for() {
    let now = at("2026-11-28T10:00:00Z");
    let parse = |month: &str, from: &str, to: &str, tz: &str| {
        let input = WindowInput { month: month.into(), from: from.into(), to: to.into(), tz: tz.into() };
        input.parse(now).expect("a window")
    };
    for (month, from, to, tz, words, begin, end, before) in [
        ("", "", "", "", "October 2026", "2026-10-01T00:00:00Z", "2026-11-01T00:00:00Z", "2026-09-01T00:00:00Z"),
        ("2026-03", "", "", "", "March 2026", "2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z", "2026-02-01T00:00:00Z"),
        (
            "this",
            "",
            "",
            "",
            "November 2026 so far",
            "2026-11-01T00:00:00Z",
            "2026-11-28T10:00:00Z",
            "2026-10-01T00:00:00Z",
        ),
        (
            "2026-10",
            "",
            "",
            "Europe/Berlin",
            "October 2026",
            "2026-09-30T22:00:00Z",
            "2026-10-31T23:00:00Z",
            "2026-08-31T22:00:00Z",
        ),
        (
            "2026-10",
            "",
            "",
            " 05:30",
            "October 2026",
            "2026-09-30T18:30:00Z",
            "2026-10-31T18:30:00Z",
            "2026-08-31T18:30:00Z",
        ),
        (
            "",
            "2026-10-05",
            "2026-10-11",
            "",
            "2026-10-05 to 2026-10-11",
            "2026-10-05T00:00:00Z",
            "2026-10-12T00:00:00Z",
            "2026-09-28T00:00:00Z",
        ),
        (
            "",
            "2026-11-28",
            "2026-11-28",
            "UTC",
            "2026-11-28 to 2026-11-28 so far",
            "2026-11-28T00:00:00Z",
            "2026-11-28T10:00:00Z",
            "2026-11-27T14:00:00Z",
        ),
        (
            "",
            "2026-10-05T10:30:00+02:00",
            "2026-10-05T12:30:00+02:00",
            "",
            "2026-10-05 08:30 to 2026-10-05 10:30",
            "2026-10-05T08:30:00Z",
            "2026-10-05T10:30:00Z",
            "2026-10-05T06:30:00Z",
        ),
    ] {
        let window = parse(month, from, to, tz);
        assert_eq!(window.to_string(), words);
        let whole = Span { from_at: at(begin), to_at: at(end) };
        assert_eq!((window.span, window.before.from_at), (whole, at(before)), "{words}");
        assert!(window.before.to_at <= window.span.from_at && window.span.to_at <= window.ends_at, "{words}");
        // The link to it leads to it.
        let query: BTreeMap<_, _> = window.query().into_iter().collect();
        let given = |name: &str| query.get(name).cloned().unwrap_or_default();
        let again = WindowInput { month: given("month"), from: given("from"), to: given("to"), tz: given("tz") };
        assert_eq!(again.parse(now).map(|again| again.span), Ok(whole), "{words}");
    }
    // As much of the month before as there is of this one; and no more than it has.
    let so_far = parse("this", "", "", "");
    assert_eq!(so_far.before.to_at, at("2026-10-28T10:00:00Z"));
    let late = WindowInput { month: "this".into(), ..WindowInput::default() }.parse(at("2026-03-31T12:00:00Z"));
    assert_eq!(late.map(|window| window.before.to_at), Ok(at("2026-03-01T00:00:00Z")));
    let names: Vec<String> =
        months(&Zone::utc(), now, 3).into_iter().map(|(value, words)| format!("{value} {words}")).collect();
    assert_eq!(names, ["2026-10 October 2026", "2026-09 September 2026", "2026-08 August 2026"]);
}

#[test]
fn what_is_no_window_is_named_with_what_would_work() {
    let now = at("2026-11-28T10:00:00Z");
    for (month, from, to, tz, field, remedy) in [
        ("2026-13", "", "", "", "month", "2026-10"),
        ("last", "", "", "", "month", "2026-10"),
        ("2026-1", "", "", "", "month", "2026-10"),
        ("1969-01", "", "", "", "month", "2026-10"),
        ("2026-12", "", "", "", "month", "still to come"),
        ("2026-10", "2026-10-05", "", "", "month", "either a month"),
        ("", "", "2026-10-05", "", "from", "beside its end"),
        ("", "yesterday", "", "", "from", "2026-10-01"),
        ("", "2026-02-30", "", "", "from", "2026-10-01"),
        ("", "2026-10-05T10:00", "", "", "from", "2026-10-01"),
        ("", "2026-10-05", "soon", "", "to", "2026-10-01"),
        ("", "2026-10-12", "2026-10-05", "", "from", "before its end"),
        ("", "2026-10-05T00:00:00Z", "2026-10-05T00:00:00Z", "", "from", "before its end"),
        ("", "2025-10-01", "2026-11-20", "", "from", "400 days"),
        ("", "2026-11-20", "2026-11-29", "", "to", "has begun"),
        ("", "2026-11-20", "2026-11-28T12:00:00Z", "", "to", "not in the future"),
        ("", "2026-12-20", "", "", "from", "in the future"),
        ("", "9999-12-31", "", "", "from", "no such day"),
        ("", "", "", "Atlantis", "tz", "Europe/Berlin"),
        ("", "", "", "+25:00", "tz", "Europe/Berlin"),
        ("", "", "", "+2", "tz", "Europe/Berlin"),
    ] {
        let input = WindowInput { month: month.into(), from: from.into(), to: to.into(), tz: tz.into() };
        let errors = input.parse(now).expect_err(&format!("{input:?}"));
        assert!(errors.of(field).is_some_and(|said| said.contains(remedy)), "{input:?}: {errors}");
    }
    for text in ["", "49.9", "100", "99.99999", "-99", "9e1", "99.9.9", "ninety"] {
        assert!(text.parse::<Goal>().is_err(), "{text}");
    }
    assert_eq!(goal(" 99.95 % ").to_string(), "99.95");
    assert!(fits(MOST_WEBSITES, &window()).is_ok());
    assert!(fits(MOST_WEBSITES + 1, &window()).is_err());
    assert!(fits(MOST_WEBSITES, &Window::days(0, 101)).is_err());
}

#[test]
fn a_budget_and_its_burn_rate_agree_with_the_uptime() {
    let mut random = Random(11);
    for _ in 0..5_000 {
        let (uptime, ppm) = (random.uptime(), 500_000 + random.below(500_000));
        let goal = Goal::of_ppm(ppm).expect("a goal");
        let budget = Budget::new(&uptime, goal, 0);
        assert_eq!(budget.left_ms() + budget.used_ms, budget.allowed_ms);
        let observed = uptime.up_ms + uptime.degraded_ms + uptime.down_ms;
        let is_met =
            i128::from(uptime.up_ms + uptime.degraded_ms) * 1_000_000 >= i128::from(observed) * i128::from(ppm);
        assert_eq!(budget.left_ms() >= 0, is_met, "{uptime:?} {ppm}");
        if let Some(burn) = budget.burn_rate() {
            assert_eq!(burn <= 1_000, is_met, "{uptime:?} {ppm}");
            // Over, the burn rate is the share that was used.
            assert_eq!(Some(burn), budget.used_share().map(|share| (share + 99) / 100));
        }
        // What is unknown or maintenance neither uses the budget nor adds to it.
        let blind = Uptime { unknown_ms: uptime.unknown_ms + DAY_MS, maintenance_ms: 0, ..uptime };
        assert_eq!(Budget::new(&blind, goal, 0), budget);
        // Half-way through, at the same pace, the rate is the same and half of the budget is used.
        let half = Budget::new(&uptime, goal, observed);
        assert!(half.allowed_ms - 2 * budget.allowed_ms <= 1 && half.used_ms == budget.used_ms);
        // Parts add up, in any order.
        let (other, third) = (Budget::new(&random.uptime(), goal, 0), Budget::new(&random.uptime(), goal, HOUR));
        let sum = |parts: [Budget; 3]| {
            parts.iter().fold(Budget::default(), |mut sum, part| {
                sum.merge(part);
                sum
            })
        };
        assert_eq!(sum([budget, other, third]), sum([third, budget, other]));
        assert_eq!(sum([budget, other, third]).used_ms, budget.used_ms + other.used_ms + third.used_ms);
    }
    let day = Uptime { up_ms: DAY_MS - 30 * MINUTE, down_ms: 30 * MINUTE, ..Uptime::default() };
    let budget = Budget::new(&day, goal("99"), 29 * DAY_MS);
    assert_eq!((budget.allowed_ms, budget.left_ms()), (432 * MINUTE, 402 * MINUTE));
    assert_eq!((budget.used_share(), budget.burn_rate()), (Some(6_945), Some(2_084)));
    assert_eq!(Budget::default().burn_rate(), None);
}

#[test]
fn a_group_is_the_sum_of_its_websites_and_one_of_one_is_that_website() {
    let mut random = Random(12);
    let now = 40 * DAY_MS;
    for round in 0..500 {
        let count = 1 + random.below(6);
        let measured: Vec<_> = (0..count)
            .map(|n| {
                let goal = (random.below(2) > 0).then(|| goal("99.9"));
                (
                    Subject { goal, ..subject(n as u128) },
                    random.measured(),
                    (random.below(3) > 0).then(|| random.measured()),
                )
            })
            .collect();
        let report = Report::new(Scope::All, window(), None, measured.clone(), 0, now);
        assert_eq!(report.rows.len(), measured.len());
        let mut sum = Uptime::default();
        report.rows.iter().for_each(|row| sum.merge(&row.now.uptime));
        assert_eq!(report.all.uptime, sum);
        let answers: u64 = report.rows.iter().map(|row| row.now.latency_of_all().count()).sum();
        assert_eq!(report.all.latency_of_all().count(), answers);
        let ids: std::collections::BTreeSet<_> =
            measured.iter().flat_map(|(_, m, _)| m.outages.iter().map(|outage| outage.incident_id)).collect();
        assert_eq!(report.all.outages.count as usize, ids.len(), "each incident once");
        let allowed: i64 = report.rows.iter().filter_map(|row| row.now.budget).map(|budget| budget.allowed_ms).sum();
        assert_eq!(report.all.budget.map_or(0, |budget| budget.allowed_ms), allowed);
        assert!(report.rows.is_sorted_by(|a, b| a.now.worse_first(&b.now).is_le()));
        let shares: Vec<_> = report.rows.iter().filter_map(|row| row.now.uptime_share()).collect();
        assert!(shares.is_sorted(), "{shares:?}");
        if count == 1 {
            let row = &report.rows[0];
            assert_eq!((&report.all, &report.before), (&row.now, &row.before), "round {round}");
        }
    }
}

#[test]
fn an_outage_that_websites_share_counts_once_from_its_first_to_its_last() {
    let outage = |id: u128, began_at, decided_at, ended_at| Outage {
        incident_id: IncidentId(uuid::Uuid::from_u128(id)),
        began_at,
        decided_at,
        ended_at,
    };
    let of = |outages: Vec<Outage>| {
        let span = Span { from_at: 0, to_at: DAY_MS };
        Measured { span, uptime: Some(Uptime::default()), latency: BTreeMap::new(), outages }
    };
    let a = of(vec![outage(1, HOUR, Some(HOUR + 20_000), Some(2 * HOUR)), outage(2, 5 * HOUR, None, Some(6 * HOUR))]);
    let b = of(vec![
        outage(1, HOUR + MINUTE, Some(HOUR + 2 * MINUTE), Some(3 * HOUR)),
        outage(3, 9 * HOUR, Some(9 * HOUR + 40_000), None),
    ]);
    let figures = Figures::of([(&a, None, 0), (&b, None, 0)].into_iter(), 12 * HOUR);
    let outages = figures.outages;
    assert_eq!((outages.count, outages.open, outages.longest_ms), (3, 1, 3 * HOUR));
    assert_eq!((outages.mttr_ms(), outages.mttd_ms()), (Some(90 * MINUTE), Some(30_000)));
    assert_eq!((Outages::default().mttr_ms(), Outages::default().mttd_ms()), (None, None));
    // What was announced is no outage; half of one is.
    let span = Span { from_at: 0, to_at: DAY_MS };
    let quiet = [Span { from_at: 0, to_at: 2 * HOUR }];
    assert!(a.outages[0].is_announced(&quiet, span, 0) && !b.outages[0].is_announced(&quiet, span, 0));
    assert!(!b.outages[1].is_announced(&quiet, span, 12 * HOUR));
}

#[test]
fn a_table_is_rfc_4180_and_holds_no_formula() {
    for (text, safe) in [
        ("=1+1", "'=1+1"),
        ("+49", "'+49"),
        ("@x", "'@x"),
        ("-cmd|' /C calc'!A0", "'-cmd|' /C calc'!A0"),
        ("\t=1", "'\t=1"),
        ("\r=1", "\"'\r=1\""),
        ("=a,\"b\"", "\"'=a,\"\"b\"\"\""),
        ("-250", "-250"),
        ("97.826", "97.826"),
        ("a, \"b\"", "\"a, \"\"b\"\"\""),
        ("https://example.com/", "https://example.com/"),
        ("", ""),
    ] {
        assert_eq!(cell(text), safe, "{text}");
    }
    let mut random = Random(13);
    let job = Subject { url: "=HYPERLINK(\"http://evil\",\"x\")".into(), kind: WebsiteKind::Job, ..subject(7) };
    let measured = vec![(subject(1), random.measured(), None), (job, random.measured(), Some(random.measured()))];
    let text = csv(&Report::new(Scope::All, window(), Some(goal("99.9")), measured, 0, 40 * DAY_MS));
    assert!(text.contains("\"'=HYPERLINK(\"\"http://evil\"\",\"\"x\"\")\"") && text.ends_with("\r\n"), "{text}");
    let plain = text.replace("\"'=HYPERLINK(\"\"http://evil\"\",\"\"x\"\")\"", "x");
    let widths: Vec<usize> = plain.trim_end().split("\r\n").map(|line| line.split(',').count()).collect();
    assert!(widths.iter().all(|width| *width == 31) && widths.len() >= 4, "{widths:?}");
}

#[test]
fn figures_have_few_digits_and_never_more_than_there_is() {
    assert_eq!([97_826, 100_000, 99_900, 5, 0, -500].map(decimal), ["97.826", "100", "99.9", "0.005", "0", "-0.5"]);
    let example = Uptime {
        up_ms: 22 * HOUR + 30 * MINUTE,
        down_ms: 30 * MINUTE,
        unknown_ms: 30 * MINUTE,
        maintenance_ms: 30 * MINUTE,
        ..Uptime::default()
    };
    assert_eq!(uptime_share(&example).map(decimal).as_deref(), Some("97.826"));
    assert_eq!(uptime_share(&Uptime { up_ms: 400 * DAY_MS, down_ms: 1, ..Uptime::default() }), Some(99_999));
    assert_eq!(uptime_share(&Uptime::default()), None);
}

#[test]
fn a_report_is_due_once_after_its_window_and_the_latest_alone() {
    let made_at = at("2026-09-15T12:00:00Z");
    let schedule = |rhythm, sent: Option<&str>| Schedule {
        schedule_id: ReportScheduleId(uuid::Uuid::nil()),
        account_id: AccountId(uuid::Uuid::nil()),
        scope: Scope::All,
        channel_id: ChannelId(uuid::Uuid::nil()),
        rhythm,
        made_at,
        sent_until_at: sent.map(at),
    };
    let due = |rhythm, sent, now: &str| schedule(rhythm, sent).due(at(now)).map(|due| due.window.to_string());
    let monthly = Rhythm::Monthly;
    assert_eq!(due(monthly, None, "2026-09-20T00:00:00Z"), None, "not of before it was made");
    assert_eq!(due(monthly, None, "2026-10-01T05:59:59Z"), None);
    assert_eq!(due(monthly, None, "2026-10-01T06:00:00Z").as_deref(), Some("September 2026"));
    assert_eq!(due(monthly, Some("2026-10-01T00:00:00Z"), "2026-10-31T23:59:59Z"), None);
    assert_eq!(due(monthly, Some("2026-10-01T00:00:00Z"), "2027-01-05T00:00:00Z").as_deref(), Some("December 2026"));
    // A clock was ahead by two years when the last one was sent.
    assert_eq!(due(monthly, Some("2028-10-01T00:00:00Z"), "2026-11-02T00:00:00Z").as_deref(), Some("October 2026"));
    let made_on_the_first = Schedule { made_at: at("2026-10-01T03:00:00Z"), ..schedule(monthly, None) };
    assert_eq!(made_on_the_first.due(at("2026-10-01T06:00:00Z")), None, "not of the month before it was made");
    assert!(made_on_the_first.due(at("2026-11-01T06:00:00Z")).is_some());
    let weekly = Rhythm::Weekly;
    assert_eq!(due(weekly, None, "2026-09-21T06:00:00Z").as_deref(), Some("2026-09-14 to 2026-09-20"));
    assert_eq!(due(weekly, None, "2026-09-21T05:59:59Z"), None);
    assert_eq!(due(weekly, Some("2026-09-21T00:00:00Z"), "2026-09-27T23:00:00Z"), None);
    for rhythm in [monthly, weekly] {
        let mut now = made_at;
        for _ in 0..60 {
            let next = rhythm.next_at(now).expect("a next one");
            assert!(next > now, "{rhythm}");
            assert_eq!(rhythm.latest(next).map(|due| due.at), Some(next));
            assert!(rhythm.latest(next - 1).is_some_and(|due| due.at < next));
            now = next;
        }
    }
}
