use super::*;

fn due(slot_at: UtcMs) -> Due {
    Due { website: 0, stamp: 0, region: 0, in_line: false, slot_at, publish_at: slot_at }
}

#[test]
fn a_hub_that_stood_still_does_not_trust_what_it_was_told_before() {
    let mut claims = Claims::new(0);
    let moment = |steady_ms: i64, wall_at| Moment { steady_us: steady_ms * 1_000, wall_at };
    assert!(!claims.hold(moment(0, 0)), "nothing was confirmed yet");
    claims.confirmed = Some(moment(5_000, 1_000_000));
    assert!(claims.hold(moment(5_000, 1_000_000)) && claims.hold(moment(4_900 + HOLDS_MS, 1_000_000 + HOLDS_MS - 100)));
    assert!(!claims.hold(moment(5_000 + HOLDS_MS, 1_000_000)), "it stood still, and its wall clock was set back");
    assert!(!claims.hold(moment(5_000, 1_000_000 + HOLDS_MS)), "its machine was paused, or the wall clock was set");
    assert!(!claims.hold(moment(5_000, 1_000_000 - HOLDS_MS)), "the wall clock was set back");
}

#[test]
fn a_second_is_published_in_order_and_done_when_nothing_of_it_waits() {
    let mut claims = Claims::new(0);
    claims.held.insert(5, Second::new([5_100, 5_200, 5_900].map(due).into()));
    claims.held.insert(6, Second::new(vec![due(6_000)]));
    let slots = |taken: Vec<(i64, Due)>| taken.iter().map(|(_, due)| due.slot_at).collect::<Vec<_>>();
    assert_eq!(slots(claims.take(5_200, 9)), [5_100, 5_200]);
    claims.hold_back(5, Due { publish_at: 6_500, in_line: true, ..due(5_200) });
    assert_eq!(slots(claims.take(6_100, 9)), [5_900, 6_000]);
    claims.note_published(7, |_| false);
    assert_eq!((claims.published.as_slice(), claims.is_empty()), (&[6][..], false), "one is held back");
    assert_eq!(slots(claims.take(6_500, 9)), [5_200]);
    claims.note_published(7, |second| second == 5);
    assert_eq!(claims.published, [6], "it waits for the queue");
    claims.note_published(7, |_| false);
    assert_eq!((claims.published.as_slice(), claims.held.len()), (&[6, 5][..], 0));
}

#[test]
fn no_more_is_taken_than_there_is_room_for_and_the_rest_comes_next() {
    let mut claims = Claims::new(0);
    claims.held.insert(5, Second::new([5_100, 5_200, 5_900].map(due).into()));
    claims.held.insert(6, Second::new([6_000, 6_100].map(due).into()));
    claims.hold_back(5, Due { publish_at: 6_500, in_line: true, ..due(5_050) });
    let mut taken: Vec<i64> = Vec::new();
    for _ in 0..3 {
        let some = claims.take(7_000, 2);
        assert_eq!(some.len(), 2);
        taken.extend(some.iter().map(|(_, due)| due.slot_at));
    }
    assert_eq!(taken, [5_100, 5_200, 5_900, 5_050, 6_000, 6_100]);
    assert_eq!((claims.take(7_000, 0), claims.take(7_000, 9)), (vec![], vec![]));
    claims.note_published(7, |_| false);
    assert_eq!(claims.published, [5, 6]);
}
