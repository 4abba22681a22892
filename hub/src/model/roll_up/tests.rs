use super::*;
use crate::model::WebsiteId;

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
const NOON: UtcMs = 1_795_521_600_000; // 2026-11-24 12:00

fn tick(n: u32) -> CountedTick {
    let outcome = [Outcome::Up, Outcome::Degraded, Outcome::Down, Outcome::Unknown][(n % 4) as usize];
    let phases = Phases { dns_us: (!n.is_multiple_of(3)).then_some(n), wait_us: Some(10 * n), ..Phases::default() };
    CountedTick { outcome, late: n.is_multiple_of(5), phases, total_us: 11 * n }
}

fn of(ticks: impl IntoIterator<Item = u32>) -> RollUp {
    let mut all = RollUp::default();
    ticks.into_iter().for_each(|n| all.count(&tick(n)));
    all
}

#[test]
fn a_day_is_the_merge_of_its_hours_in_any_order() {
    let parts: Vec<RollUp> =
        (0..24).map(|hour| of((hour * 60..hour * 60 + 60).filter(|n| n % 7 != hour % 7))).collect();
    let all = of((0..24).flat_map(|hour| (hour * 60..hour * 60 + 60).filter(move |n| n % 7 != hour % 7)));
    let (mut there, mut back) = (RollUp::default(), RollUp::default());
    parts.iter().for_each(|part| there.merge(part));
    parts.iter().rev().for_each(|part| back.merge(part));
    assert_eq!((&there, &back), (&all, &all));
}

#[test]
fn only_what_was_answered_has_a_duration() {
    let all = of(0..8);
    assert_eq!((all.ticks, all.up, all.degraded, all.down, all.unknown, all.late), (8, 2, 2, 2, 2, 2));
    assert_eq!(all.phases_us, [1 + 4 + 5, 0, 0, 0, 10 * (1 + 4 + 5), 0]);
    assert_eq!((all.total_us, all.least_us, all.most_us, all.latency.count()), (110, Some(0), Some(55), 4));
    assert_eq!((all.answered(), all.mean_us(all.total_us), all.mean_us(all.phases_us[0])), (4, Some(28), Some(3)));
    let down = of([2]);
    // A ping that says that a job has run, and not for how long.
    let mut pings = of([1]);
    pings.count(&CountedTick { outcome: Outcome::Up, late: false, phases: Phases::default(), total_us: 0 });
    assert_eq!((pings.answered(), pings.latency.count(), pings.least_us), (2, 1, Some(11)));
    assert_eq!((pings.mean_us(pings.total_us), pings.latency.quantile_us(500)), (Some(11), Some(11)));
    assert_eq!((down.mean_us(0), down.least_us, down.most_us, down.latency.quantile_us(500)), (None, None, None, None));
}

#[test]
fn hours_and_days_have_one_end_and_are_settled_ten_minutes_later() {
    assert_eq!(
        (Grain::Hour.start_of(-1), Grain::Hour.end_of(-1), Grain::Day.start_of(NOON + 5)),
        (-HOUR, 0, NOON - DAY / 2)
    );
    let minute = 60_000;
    assert_eq!(Grain::Hour.settled_until(NOON + 10 * minute - 1), NOON - HOUR);
    assert_eq!(Grain::Hour.settled_until(NOON + 10 * minute), NOON);
    // Noted before anybody may have counted it.
    assert!(!Grain::Hour.is_late(NOON - 1, NOON + 5 * minute - 1) && Grain::Hour.is_late(NOON - 1, NOON + 5 * minute));
    assert!(!Grain::Hour.is_late(NOON, NOON + HOUR) && !Grain::Hour.is_late(NOON + HOUR, NOON));
    assert!(!Grain::Day.is_late(NOON, NOON + DAY / 2) && Grain::Day.is_late(NOON, NOON + DAY));
    for at in [i64::MIN, i64::MAX] {
        assert!(!Grain::Hour.is_late(i64::MAX, at));
        let _ = (Grain::Hour.settled_until(at), Grain::Day.is_late(at, at));
    }
}

fn website(n: u128) -> WebsiteId {
    WebsiteId(uuid::Uuid::from_u128(n))
}

/// Does all that is to be done, each hour or day in one batch.
fn all_of(mut progress: Progress, now: UtcMs) -> (Vec<Work>, Progress) {
    let mut all = Vec::new();
    while let Some(work) = progress.next(now) {
        progress = progress.done(&work, None);
        all.push(work);
        assert!(all.len() < 1_000);
    }
    (all, progress)
}

#[test]
fn what_ends_is_counted_in_order_and_what_was_before_newest_first() {
    let begun = Progress::begin(Some(NOON - 30 * HOUR), NOON + HOUR / 2);
    let (all, progress) = all_of(begun, NOON + HOUR / 2);
    let of = |task, all: &[Work]| all.iter().filter(|w| w.task == task).map(|w| w.starts_at).collect::<Vec<_>>();
    assert_eq!(of(Task::HoursBack, &all), (1..=36).map(|n| NOON - n * HOUR).collect::<Vec<_>>(), "to a midnight");
    assert_eq!(of(Task::DaysBack, &all), [NOON - DAY / 2 - DAY]);
    assert_eq!((of(Task::Hours, &all).len(), of(Task::Days, &all).len()), (0, 0));
    assert_eq!(progress.next(NOON + HOUR / 2), None);
    // A day later, off meanwhile.
    let (all, progress) = all_of(progress, NOON + DAY + HOUR / 2);
    assert_eq!(of(Task::Hours, &all), (0..24).map(|n| NOON + n * HOUR).collect::<Vec<_>>());
    assert_eq!((of(Task::Days, &all), all.len()), (vec![NOON - DAY / 2], 25));
    assert_eq!(progress.next(NOON + DAY + HOUR), None);
    // Nothing there yet.
    assert_eq!(all_of(Progress::begin(None, NOON), NOON).0, []);
}

#[test]
fn a_batch_goes_on_where_the_one_before_ended() {
    let begun = Progress::begin(Some(NOON), NOON + HOUR / 2);
    let now = NOON + 2 * HOUR;
    let work = begun.next(now).unwrap();
    assert_eq!(work, Work { task: Task::Hours, starts_at: NOON, after: website(0) });
    let some = begun.done(&work, Some(website(7)));
    assert_eq!(some.next(now), Some(Work { after: website(7), ..work }));
    let all = some.clone().done(&some.next(now).unwrap(), None);
    assert_eq!(all.hours, Place { at: NOON + HOUR, after: website(0) });
}

#[test]
fn of_what_is_being_counted_some_websites_are_done() {
    let begun = Progress::begin(Some(NOON), NOON + HOUR / 2);
    let work = begun.next(NOON + 2 * HOUR).unwrap();
    assert_eq!(begun.counted_until(website(1), Grain::Hour), NOON);
    let some = begun.done(&work, Some(website(7)));
    assert_eq!([7, 8].map(|n| some.counted_until(website(n), Grain::Hour)), [NOON + HOUR, NOON]);
    assert_eq!(some.counted_until(website(7), Grain::Day), NOON - DAY / 2);
    let all = some.done(&Work { after: website(7), ..work }, None);
    assert_eq!([7, 8].map(|n| all.counted_until(website(n), Grain::Hour)), [NOON + HOUR; 2]);
}

#[test]
fn what_a_wrong_clock_counted_too_early_is_counted_again() {
    let (_, ahead) = all_of(Progress::begin(Some(NOON), NOON), NOON + 30 * DAY + HOUR / 2);
    let right = ahead.clone().by_clock(NOON + HOUR / 2);
    assert_eq!((right.hours.at, right.days.at), (NOON, NOON - DAY / 2));
    assert_eq!(right.next(NOON + 2 * HOUR).map(|w| w.starts_at), Some(NOON));
    // Another hub's clock that is a little ahead is no wrong one.
    assert_eq!(ahead.clone().by_clock(NOON + 30 * DAY + HOUR / 6), ahead);
}

#[test]
fn a_day_is_merged_once_all_its_hours_are() {
    let work = |task, starts_at| Work { task, starts_at, after: website(0) };
    let midnight = NOON - DAY / 2;
    assert!(work(Task::Hours, midnight - HOUR).completes_day() && !work(Task::Hours, midnight).completes_day());
    assert!(work(Task::HoursBack, midnight).completes_day() && !work(Task::HoursBack, midnight - HOUR).completes_day());
    assert_eq!(work(Task::HoursBack, midnight).ends_at(), midnight + DAY, "who was added at noon has a day");
    assert_eq!(work(Task::HoursBack, midnight + HOUR).ends_at(), midnight + 2 * HOUR);
    assert_eq!(work(Task::Hours, midnight - HOUR).ends_at(), midnight);
}

#[test]
fn hours_are_forgotten_once_their_days_are_counted() {
    let progress = Progress::begin(Some(0), NOON);
    let midnight = NOON - DAY / 2;
    assert_eq!(progress.hours_kept_since(), midnight - 10 * DAY);
    let forgets = |progress: &Progress, task, starts_at| {
        let span = progress.forgets_hours_of(&Work { task, starts_at, after: website(0) })?;
        Some((span.from_at, span.to_at))
    };
    let last = midnight - 11 * DAY;
    assert_eq!(forgets(&progress, Task::HoursBack, last), Some((last, last + DAY)));
    assert_eq!(forgets(&progress, Task::HoursBack, midnight - 10 * DAY), None, "kept");
    assert_eq!(forgets(&progress, Task::HoursBack, last + HOUR), None, "its day is not counted yet");
    let others = [(Task::Hours, midnight), (Task::Days, midnight - DAY), (Task::DaysBack, midnight - 200 * DAY)];
    assert_eq!(others.map(|(task, at)| forgets(&progress, task, at)), [None; 3]);
}

#[test]
fn hours_that_grow_old_are_forgotten_by_the_days_their_website_has() {
    let progress = Progress::begin(Some(0), NOON);
    let midnight = NOON - DAY / 2;
    let back_at = |at| Progress { hours_back: Place { at, after: website(0) }, ..progress.clone() };
    let forgets = |progress: &Progress, newest_day_at| {
        let span = progress.forgettable_hours(newest_day_at)?;
        Some((span.from_at, span.to_at))
    };
    let kept_since = midnight - 10 * DAY;
    assert_eq!(forgets(&back_at(0), midnight - DAY), Some((i64::MIN, kept_since)), "all is counted back");
    assert_eq!(forgets(&back_at(0), midnight + 300 * DAY), Some((i64::MIN, kept_since)), "not by a day of the future");
    assert_eq!(
        forgets(&back_at(0), midnight - 5 * DAY),
        Some((i64::MIN, kept_since - 4 * DAY)),
        "it has newer ones not"
    );
    let day = kept_since - 3 * DAY;
    assert_eq!(forgets(&back_at(day), midnight - DAY), Some((day, kept_since)));
    assert_eq!(
        forgets(&back_at(day + HOUR), midnight - DAY),
        Some((day + DAY, kept_since)),
        "that day is being counted"
    );
    assert_eq!(forgets(&back_at(kept_since), midnight - DAY), None);
}
