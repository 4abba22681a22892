use super::*;

const DAY: i64 = DAY_MS;
/// A midnight.
const MIDNIGHT: UtcMs = 20_000 * DAY;

fn plan(loads: &[Load], retention_days: u16) -> Plan {
    Plan { loads: loads.to_vec(), retention_days, costs: Costs::POSTGRES }
}

const fn load(websites: u64, interval_ms: i64, regions: u64, age_days: i64) -> Load {
    Load { websites, interval_ms, regions, age_ms: age_days * DAY, retention_days: None }
}

/// The table of docs/ARCHITECTURE.md, "Capacity".
#[test]
fn the_table_of_the_documents() {
    for (websites, regions, checks_a_second, raw_gb_a_day) in
        [(1_000_000, 1, 16_666.7, 645.0), (1_000_000, 5, 83_333.3, 3_226.0)]
    {
        let plan = plan(&[load(websites, 60_000, regions, 2)], 400);
        assert!((plan.checks_a_second() - checks_a_second).abs() < 1.0);
        let raw = plan.now(Part::Raw, MIDNIGHT + 6 * 3_600_000 - 1) as f64 / 1.25 / 1e9;
        assert!((raw / raw_gb_a_day - 1.0).abs() < 0.01, "{raw}");
    }
}

#[test]
fn what_a_day_is_from_its_first_minute_to_its_packing() {
    let plan = plan(&[load(1, 60_000, 1, 100)], 400);
    let ticks = |at: UtcMs| plan.now(Part::Raw, MIDNIGHT + at) as f64 / Costs::POSTGRES.raw_tick;
    let hour = 3_600_000;
    for (at, hours) in [(0, 24.0), (5 * hour, 29.0), (6 * hour, 6.0), (12 * hour, 12.0), (DAY - 1, 24.0)] {
        assert!((ticks(at) / 60.0 - hours).abs() < 0.1, "{at}: {}", ticks(at));
    }
}

#[test]
fn history_grows_until_it_is_as_old_as_it_is_kept() {
    let noon = MIDNIGHT + DAY / 2;
    let of = |age: i64, part: Part| plan(&[load(10, 300_000, 2, age)], 30).now(part, noon);
    assert_eq!([of(0, Part::Raw), of(0, Part::Sealed), of(0, Part::RollUps), of(0, Part::UptimeDays)], [0; 4]);
    for part in [Part::Sealed, Part::RollUps, Part::UptimeDays] {
        assert!(of(10, part) < of(20, part), "{part:?}");
    }
    assert_eq!(of(31, Part::Sealed), of(300, Part::Sealed), "retention");
    let own =
        |days| plan(&[Load { retention_days: Some(days), ..load(10, 300_000, 2, 300) }], 30).now(Part::Sealed, noon);
    assert_eq!(own(400), of(300, Part::Sealed), "no longer than the installation");
    assert!(own(7) < own(14) && own(14) < own(30), "an owner may keep less");
    assert!(
        of(11, Part::RollUps) - of(10, Part::RollUps) < (of(10, Part::RollUps) - of(9, Part::RollUps)) / 10,
        "days alone"
    );
    let full = plan(&[load(10, 300_000, 2, 0)], 30);
    assert!(full.full(Part::Sealed) < of(300, Part::Sealed), "the peak of what is raw is not packed");
    assert_eq!(full.full(Part::State), of(0, Part::State));
}

#[test]
fn a_disk_is_full_when_what_is_added_is_more_than_is_free() {
    let noon = MIDNIGHT + DAY / 2;
    let plan = plan(&[load(1_000, 60_000, 5, 0)], 400);
    let growth = |days: u32| {
        let all = |age: i64| {
            let loads = [load(1_000, 60_000, 5, age)];
            Part::ALL.iter().map(|part| Plan { loads: loads.to_vec(), ..plan.clone() }.now(*part, noon)).sum::<u64>()
        };
        all(i64::from(days)) - all(0)
    };
    // What is raw at its peak is in the way, too.
    let free = growth(50) + 10_000_000_000;
    let found = plan.full_in_days(free, noon).unwrap();
    assert!((40..=150).contains(&found), "{found}");
    assert_eq!(plan.full_in_days(0, noon), Some(0));
    assert_eq!(plan.full_in_days(u64::MAX / 4, noon), None);
    let mut last = 0;
    for gb in [5, 10, 20, 40, 80] {
        let days = plan.full_in_days(gb * 1_000_000_000, noon).unwrap_or(FARTHEST_DAYS);
        assert!(days >= last, "more room is no shorter");
        last = days;
    }
}

#[test]
fn nothing_is_watched_and_nothing_overflows() {
    let nothing = plan(&[], 400);
    assert_eq!((nothing.ticks_a_day() as u64, nothing.growth_a_day(MIDNIGHT), nothing.redis_an_hour()), (0, 0, 0));
    assert_eq!(nothing.full_in_days(0, MIDNIGHT), None, "nothing is added");
    let odd = plan(&[load(u32::MAX.into(), 0, 1_000, -5), load(0, -1, 0, i64::MAX / DAY)], 3_650);
    for part in Part::ALL {
        let _ = (odd.now(part, UtcMs::MIN), odd.now(part, UtcMs::MAX), odd.full(part));
    }
}

/// The fill of the bench `history_reads`, as it was measured: ten days of it, the last one raw.
#[test]
fn an_installation_that_was_measured() {
    let loads =
        [load(50, 60_000, 5, 10), load(400, 300_000, 5, 10), load(550, 1_800_000, 5, 10), load(300, 1_800_000, 1, 10)];
    let plan = plan(&loads, 400);
    assert_eq!(plan.ticks_a_day().round() as u64, 1_082_400);
    let midnight = MIDNIGHT;
    for (part, measured) in [(Part::Sealed, 143_237_120_u64), (Part::RollUps, 429_000_000)] {
        let foretold = plan.now(part, midnight) as f64;
        assert!((foretold / measured as f64 - 1.0).abs() < 0.15, "{part:?}: {foretold} for {measured}");
    }
}
