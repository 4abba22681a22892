use super::*;
use crate::model::WebsiteId;
use Outcome::{Degraded, Down, Unknown, Up};

const MINUTE: i64 = 60_000;

fn state() -> WebsiteState {
    WebsiteState::new(WebsiteId(uuid::Uuid::nil()), Up, 0, String::new())
}

fn change(state: &mut WebsiteState, minute: i64, from: Outcome, to: Outcome) -> Option<Notice> {
    let at = minute * MINUTE;
    let website_id = state.website_id;
    state.verdict = to;
    count(state, &Transition { website_id, at, decided_at: at, from, to, reason: String::new() }, MINUTE)
}

#[test]
fn the_sixth_change_within_the_window_begins_it_and_the_third_last_that_leaves_it_ends_it() {
    let mut state = state();
    for n in 0..5 {
        assert_eq!(
            change(&mut state, 10 * n, if n % 2 == 0 { Up } else { Down }, if n % 2 == 0 { Down } else { Up }),
            None
        );
    }
    let Some(Notice::Flapping { at, is_flapping: true, reason, .. }) = change(&mut state, 50, Down, Up) else {
        panic!("{state:?}")
    };
    assert_eq!((at, state.flapping_since_at), (50 * MINUTE, Some(50 * MINUTE)));
    assert_eq!(reason, "It changed between up and down 6 times within 60 min.");
    // Of those at 30, 40 and 50 the first leaves the window at 90.
    assert_eq!(ends_at(&state, MINUTE), Some(90 * MINUTE));
    assert_eq!(end(&mut state.clone(), MINUTE, 90 * MINUTE - 1), None);
    let Some(Notice::Flapping { at, is_flapping: false, .. }) = end(&mut state, MINUTE, 300 * MINUTE) else {
        panic!("{state:?}")
    };
    assert_eq!((at, state.flapping_since_at), (90 * MINUTE, None), "backdated to when it was so");
    assert_eq!(end(&mut state, MINUTE, 400 * MINUTE), None);
}

#[test]
fn a_sixth_change_an_hour_after_the_first_begins_nothing() {
    let mut state = state();
    let notices = (0..20).filter_map(|n| change(&mut state, 12 * n, Up, Down)).count();
    assert_eq!(notices, 0, "at most five in any hour");
    assert_eq!(state.recent_changes.len(), WebsiteState::CHANGES);
}

#[test]
fn only_changes_between_up_and_down_count() {
    let mut state = state();
    for (n, (from, to)) in
        [(Up, Degraded), (Degraded, Up), (Up, Unknown), (Unknown, Down), (Unknown, Up)].iter().enumerate()
    {
        change(&mut state, n as i64, *from, *to);
    }
    assert_eq!(state.recent_changes, [0; 0]);
    change(&mut state, 9, Degraded, Down);
    assert_eq!(state.recent_changes, [9 * MINUTE]);
}

#[test]
fn what_is_looked_at_rarely_has_a_longer_window() {
    assert_eq!([10_000, 180_000, 900_000, 86_400_000].map(|ms| window_ms(ms) / MINUTE), [60, 60, 300, 28_800]);
    assert_eq!(window_ms(i64::MAX), i64::MAX);
    assert_eq!([60, 300].map(|n| minutes(n * MINUTE)), ["60 min", "5 h"]);
}

#[test]
fn what_stays_down_is_news_although_it_flapped() {
    let minute = 60_000;
    let muted = |verdict, down_ms, interval_ms| mutes(verdict, 0, interval_ms, down_ms);
    assert!(muted(Outcome::Down, 15 * minute - 1, minute) && !muted(Outcome::Down, 15 * minute, minute));
    assert!(muted(Outcome::Down, 30 * minute - 1, 10 * minute) && !muted(Outcome::Down, 30 * minute, 10 * minute));
    assert!(muted(Outcome::Up, i64::MAX, minute) && muted(Outcome::Unknown, i64::MAX, minute));
}
