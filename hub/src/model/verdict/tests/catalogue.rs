//! The catalogue's cases, each by its number, as an installation lives through them.

use super::world::{Random, World};
use super::*;
use crate::model::{Notice, flapping};
use Outcome::{Degraded, Down, Unknown, Up};

const HOUR: i64 = 60 * MINUTE;
const ABC: [&str; 3] = ["a", "b", "c"];

/// `minutes` of all slots of `regions`; `look` tells by region and minute.
fn watch(regions: &[&str], minutes: i64, look: impl Fn(&str, i64) -> Option<char>) -> World {
    let mut world = World::new();
    let end = START + minutes * MINUTE;
    world.slots(regions, START, end);
    world.run(end, |region, at| look(region, (at - START) / MINUTE));
    world
}

#[test]
fn t239_one_of_three_regions_fails_for_an_hour_no_outage_and_one_quiet_notice() {
    let is_bad = |region: &str, minute| region == "a" && (10..70).contains(&minute);
    let world = watch(&ABC, 120, |region, minute| Some(if is_bad(region, minute) { 'd' } else { 'u' }));
    assert_eq!(world.kept.changes(), [(0, Up)]);
    assert_eq!(world.kept.regional(), [(10, "a".to_owned()), (70, String::new())]);
    let Some(Notice::Regional { reason, .. }) = world.kept.notices.first() else { panic!("{:?}", world.kept.notices) };
    assert_eq!(
        reason,
        "No connection in time, seen from a three times in a row or more. Recorded as connect_timeout in connect. \
         Other regions get an answer, so it is not called down."
    );
    // Elsewhere for its first failing looks, and once more itself when it is good again: what is known is not asked again
    // for an hour.
    assert!(world.confirmed <= 8, "{}", world.confirmed);
}

#[test]
fn t240_two_of_three_regions_fail_an_outage_since_the_first_failing_look_and_decided_at_once() {
    let is_bad = |region: &str, minute| region != "c" && (10..12).contains(&minute);
    let world = watch(&ABC, 30, |region, minute| Some(if is_bad(region, minute) { 'd' } else { 'u' }));
    let outage = world.kept.transitions.iter().find(|t| t.to == Down).expect("an outage");
    assert_eq!(outage.at, START + 10 * MINUTE, "the slot of the first failing look");
    assert!(outage.decided_at - outage.at <= 2_000, "{} ms", outage.decided_at - outage.at);
    assert_eq!(world.kept.changes(), [(0, Up), (10, Down), (12, Up)]);
    assert_eq!(world.kept.regional(), []);
}

#[test]
fn t241_two_regions_that_disagree_make_no_outage_and_one_that_is_left_is_a_single_vantage_point() {
    let world = watch(&["a", "b"], 40, |region, minute| match region {
        "a" => Some(if minute >= 10 { 'd' } else { 'u' }),
        _ => (minute < 20).then_some('u'),
    });
    let outage = world.kept.transitions.iter().find(|t| t.to == Down).expect("an outage");
    assert!(outage.at >= START + 19 * MINUTE, "while b saw it up it was not down: {outage:?}");
    assert_eq!(
        outage.reason,
        "No connection in time, seen from a, the only region that reports, three times in a row or more. \
         b has not reported lately. Recorded as connect_timeout in connect. \
         Rule: with a single vantage point, three failing looks in a row make it down, and two good ones up."
    );
    assert_eq!(world.kept.regional(), [(10, "a".to_owned()), ((outage.at - START) / MINUTE, String::new())]);
}

#[test]
fn t242_all_regions_silent_is_unknown_and_never_down() {
    let world = watch(&ABC, 60, |_, minute| (!(20..40).contains(&minute)).then_some('u'));
    assert_eq!(world.kept.changes(), [(0, Up), (22, Unknown), (40, Up)]);
    assert!(world.kept.transitions[1].reason.starts_with("No region has reported lately, so nobody can tell."));
}

#[test]
fn t243_one_failing_look_is_no_outage_and_is_looked_at_again() {
    for regions in [&ABC[..1], &ABC[..2], &ABC[..]] {
        let mut world = World::new();
        let end = START + 20 * MINUTE;
        world.slots(regions, START, end);
        let mut is_first = true;
        world.run(end, |region, at| {
            let blip = region == "a" && at >= START + 10 * MINUTE && std::mem::take(&mut is_first);
            Some(if blip { 'd' } else { 'u' })
        });
        assert_eq!(world.kept.changes(), [(0, Up)], "{regions:?}");
        assert!(world.confirmed >= 1, "{regions:?}");
    }
}

#[test]
fn t244_one_good_look_among_failures_ends_no_outage() {
    for regions in [&ABC[..1], &ABC[..2], &ABC[..]] {
        let mut world = World::new();
        let end = START + 60 * MINUTE;
        world.slots(regions, START, end);
        let mut looks = 0;
        world.run(end, |_, at| {
            let is_bad = (START + 10 * MINUTE..START + 40 * MINUTE).contains(&at);
            looks += usize::from(is_bad);
            // Every fifth look is a lucky one.
            Some(if is_bad && looks % 5 != 4 { 'd' } else { 'u' })
        });
        assert_eq!(world.kept.changes(), [(0, Up), (10, Down), (40, Up)], "{regions:?}");
    }
}

#[test]
fn t246_looks_that_fail_at_random_for_two_hours_flap_once() {
    for regions in [&ABC[..1], &ABC[..2], &ABC[..]] {
        for seed in 0..15 {
            let mut random = Random(seed);
            let mut world = World::new();
            let end = START + 6 * HOUR;
            world.slots(regions, START, end);
            world.run(end, |_, at| {
                let is_bad = (START + HOUR..START + 3 * HOUR).contains(&at) && random.one_in(2);
                Some(if is_bad { 'd' } else { 'u' })
            });
            let flaps = world.kept.flaps();
            let [(began_at, true), (ended_at, false)] = flaps.as_slice() else {
                panic!("{regions:?} {seed}: {flaps:?}")
            };
            assert!((START + HOUR..START + 3 * HOUR).contains(began_at), "{regions:?} {seed}");
            assert!((START + 2 * HOUR..START + 4 * HOUR + MINUTE).contains(ended_at), "{regions:?} {seed}: {flaps:?}");
            let within = world.kept.transitions.iter().filter(|t| (*began_at..*ended_at).contains(&t.at)).count();
            assert!(within >= 2, "changes go on being recorded");
            assert_eq!(world.kept.state.verdict, Up);
        }
    }
}

#[test]
fn t247_what_changes_near_a_threshold_of_flapping_does_not_chatter() {
    // For ten hours an outage of three minutes every so many minutes: six changes an hour are three outages.
    let flaps = |every: i64| {
        let is_bad = |minute: i64| minute < 600 && minute % every >= every - 3;
        watch(&ABC, 12 * 60, |_, minute| Some(if is_bad(minute) { 'd' } else { 'u' })).kept.flaps().len()
    };
    assert_eq!([30, 40, 60].map(flaps), [0, 0, 0], "fewer than six changes within an hour");
    assert_eq!([10, 15, 19, 20, 21, 22].map(flaps), [2, 2, 2, 2, 2, 2], "six and more: once, whatever comes near");
}

#[test]
fn t248_flapping_that_nobody_sees_the_end_of_ends_all_the_same() {
    // It flaps, and then all regions fall silent for good.
    let world = watch(&ABC, 300, |_, minute| (minute < 90).then_some(if minute % 10 < 5 { 'u' } else { 'd' }));
    let flaps = world.kept.flaps();
    let [(_, true), (ended_at, false)] = flaps.as_slice() else { panic!("{flaps:?}") };
    assert!(*ended_at < START + 151 * MINUTE, "{}", (ended_at - START) / MINUTE);
    assert_eq!((world.kept.state.verdict, world.kept.state.fresh_until_at), (Unknown, None));
    let Some(Notice::Flapping { reason, .. }) = world.kept.notices.last() else { panic!("{:?}", world.kept.notices) };
    assert_eq!(
        reason,
        "It has changed between up and down no more than 2 times in 60 min. Nobody can tell how it is now."
    );
    assert!(flapping::ends_at(&world.kept.state, MINUTE).is_none());
}

#[test]
fn t249_slow_is_what_is_slow_for_three_looks_of_ten_and_not_one_outlier() {
    let verdicts = |every: i64| {
        watch(&ABC, 100, |_, minute| Some(if minute % every == every - 1 { 's' } else { 'u' })).kept.changes()
    };
    assert_eq!(verdicts(10), [(0, Up)], "ten slow looks of a hundred");
    assert_eq!(verdicts(5), [(0, Up)], "twenty");
    assert_eq!(verdicts(3), [(0, Up), (2, Degraded)], "a third");
    assert_eq!(verdicts(4), [(0, Up), (3, Degraded)], "two or three of ten: no chatter");
    // A warning is no matter of luck.
    let (mut regions, mut state) = (Vec::new(), fresh());
    for name in ABC {
        let mut seen = tick(name, 0, 0, 's');
        seen.tick.failure = seen.tick.failure.map(|f| Failure { class: Class::CertificateEnding, ..f });
        regions.extend(absorb(None, &seen, seen.received_at));
        state = judge(&website(), &state, &regions, seen.received_at).0;
    }
    assert_eq!(state.verdict, Degraded);
    assert_eq!(
        state.reason,
        "The certificate ends soon, seen from a, b and c (3 of 3 regions that report). \
         Recorded as certificate_ending in judge. \
         Rule: degraded when more regions say so than say up; slow when 3 of the last 10 looks were."
    );
}

#[test]
fn t250_an_edit_forgets_what_was_known_and_what_was_under_way() {
    let mut world = World::new();
    let end = START + 60 * MINUTE;
    world.slots(&ABC, START, end);
    world.run(START + 20 * MINUTE, |_, _| Some('d'));
    world.kept.change(false, EDITED, START + 20 * MINUTE);
    let old = tick("a", 19, 1, 'd');
    world.kept.ingest(&[old], START + 20 * MINUTE + 100);
    assert_eq!(world.kept.regions, []);
    world.run(end, |_, _| Some('u'));
    assert_eq!(world.kept.changes(), [(0, Down), (20, Unknown), (20, Up)]);
}

#[test]
fn t251_a_paused_website_has_no_news_and_resumes_as_unknown() {
    let mut world = World::new();
    let end = START + 60 * MINUTE;
    world.slots(&ABC, START, end);
    world.run(START + 20 * MINUTE, |_, _| Some('u'));
    world.kept.change(true, PAUSED, START + 20 * MINUTE);
    // What was under way when it was paused, and what nobody should have asked.
    world.run(START + 40 * MINUTE, |_, _| Some('d'));
    assert_eq!(world.kept.changes(), [(0, Up), (20, Unknown)]);
    assert_eq!((world.kept.state.reason.as_str(), world.confirmed), (PAUSED, 0));
    world.kept.change(false, RESUMED, START + 40 * MINUTE);
    assert_eq!(world.kept.state.reason, RESUMED);
    world.run(end, |_, _| Some('u'));
    assert_eq!(world.kept.changes(), [(0, Up), (20, Unknown), (40, Up)]);
    assert_eq!(world.kept.notices, []);
}

#[test]
fn t252_a_new_website_is_unknown_until_its_first_round_neither_up_nor_down_by_default() {
    let mut world = World::new();
    assert_eq!(world.kept.state.verdict, Unknown);
    world.kept.change(false, NOT_CHECKED, START);
    world.kept.expire(START + FIRST_LOOK_WITHIN_MS + 1);
    assert_eq!((world.kept.state.verdict, world.kept.changes()), (Unknown, vec![]));
    assert_eq!(world.kept.state.reason, "No region reports on it. See that a probe runs.");
    for (letter, wanted) in [('u', Up), ('d', Down), ('p', Unknown)] {
        assert_eq!(watch(&ABC, 3, |_, _| Some(letter)).kept.state.verdict, wanted);
    }
    // One failing look before the other regions have spoken is no outage.
    assert_eq!(play(&["d"]).1.verdict, Unknown);
}

#[test]
fn a_region_whose_own_trouble_comes_and_goes_does_not_leave_and_join_each_time() {
    let world = watch(&ABC, 60, |region, minute| match region {
        "a" if minute >= 10 => Some(if minute % 2 == 0 { 'd' } else { 'p' }),
        _ => Some('u'),
    });
    assert_eq!(world.kept.regional(), [(10, "a".to_owned())]);
}

#[test]
fn i5_a_region_that_is_read_more_slowly_than_others_is_not_silent() {
    let record = |is_told: bool| {
        let mut kept = World::new().kept;
        let now = START + 60 * MINUTE;
        kept.ingest(&[tick("a", 0, 0, 'u'), tick("b", 0, 0, 'u')], now);
        let read_until_at = tick("b", 0, 0, 'u').received_at;
        // A backlog of half an hour: one region alone fails, and its ticks are read first.
        let fails: Vec<_> = (1..30).map(|minute| tick("a", minute, 0, 'd')).collect();
        kept.ingest_read(&fails, now, if is_told { read_until_at } else { UtcMs::MAX });
        let answers: Vec<_> = (1..30).map(|minute| tick("b", minute, 0, 'u')).collect();
        kept.ingest(&answers, now);
        kept.changes()
    };
    assert_eq!(record(true), [(0, Up)]);
    assert!(record(false).iter().any(|(_, to)| *to == Down), "what it would be otherwise");
}
