//! The rules by table, and over every order of the same ticks.

mod catalogue;
mod histories;
mod recounts;
mod world;

use super::*;
use crate::model::WebsiteKind;
use crate::model::confirm::{MAX_ATTEMPT, wanted as confirm};
use crate::model::{AccountId, CheckKind, Class, Delays, Failure, Phase, Phases, Tick, WebsiteId};

const MINUTE: i64 = 60_000;
/// Far from zero, so that nothing is before 1970.
const START: i64 = 1_000 * MINUTE;

fn website() -> Website {
    let settings = WebsiteSettings { interval_ms: MINUTE, ..WebsiteSettings::new("https://example.com/".into()) };
    Website {
        website_id: WebsiteId(uuid::Uuid::nil()),
        account_id: AccountId(uuid::Uuid::nil()),
        settings,
        kind: WebsiteKind::Http,
        paused: false,
        created_at: 0,
        is_unreadable: false,
        revision: 1,
    }
}

fn fresh() -> WebsiteState {
    WebsiteState::new(website().website_id, Outcome::Unknown, 0, String::new())
}

/// `u`p, `s`low, `d`own, `p`robe's own trouble.
fn tick(region: &str, minute: i64, attempt: u16, letter: char) -> StoredTick {
    tick_at(region, START + minute * MINUTE, attempt, letter)
}

fn tick_at(region: &str, slot_at: UtcMs, attempt: u16, letter: char) -> StoredTick {
    let (outcome, blame) = match letter {
        'u' => (Outcome::Up, None),
        's' => (Outcome::Degraded, Some(Blame::Target)),
        'd' => (Outcome::Down, Some(Blame::Target)),
        'p' => (Outcome::Down, Some(Blame::Probe)),
        other => panic!("no such letter: {other}"),
    };
    StoredTick {
        region_id: region.parse().expect("a region"),
        worker_id: "w".parse().expect("a worker"),
        received_at: slot_at + 1_000,
        marks: crate::model::late::Marks::default(),
        tick: Tick {
            website_id: website().website_id,
            slot_at,
            attempt,
            kind: CheckKind::Scheduled,
            started_at: slot_at,
            outcome,
            failure: blame.map(|blame| Failure {
                class: if letter == 's' { Class::Slow } else { Class::ConnectTimeout },
                phase: if letter == 's' { Phase::Judge } else { Phase::Connect },
                blame,
                detail: "no answer".into(),
            }),
            phases: Phases::default(),
            total_us: 1,
            status: None,
            remote: None,
            body_bytes: 0,
            truncated: false,
            hops: Vec::new(),
            certificate: None,
            answer: None,
            notes: Vec::new(),
            delays: Delays::default(),
        },
    }
}

/// One text per region, one letter per minute, `.` for none; returns the changes as (minute, verdict) and the state.
fn play(regions: &[&str]) -> (Vec<(i64, Outcome)>, WebsiteState, Vec<RegionState>) {
    let minutes = regions.iter().map(|r| r.len()).max().unwrap_or(0);
    let mut ticks = Vec::new();
    for minute in 0..minutes {
        for (name, letters) in ["a", "b", "c", "d"].iter().zip(regions) {
            if let Some(letter) = letters.chars().nth(minute).filter(|l| *l != '.') {
                ticks.push(tick(name, minute as i64, 0, letter));
            }
        }
    }
    apply(&ticks)
}

fn apply(ticks: &[StoredTick]) -> (Vec<(i64, Outcome)>, WebsiteState, Vec<RegionState>) {
    let (mut state, mut regions, mut changes) = (fresh(), Vec::<RegionState>::new(), Vec::new());
    for tick in ticks {
        if let Some((after, change)) = expire(&state, tick.received_at) {
            state = after;
            changes.extend(change);
        }
        let known = regions.iter().position(|r| r.region_id == tick.region_id);
        let Some(after) = absorb(known.map(|n| &regions[n]), tick, tick.received_at) else { continue };
        match known {
            Some(n) => regions[n] = after,
            None => regions.push(after),
        }
        let (after, change) = judge(&website(), &state, &regions, tick.received_at);
        state = after;
        changes.extend(change);
    }
    (changes.iter().map(|t| ((t.at - START) / MINUTE, t.to)).collect(), state, regions)
}

#[test]
fn verdicts_by_table() {
    use Outcome::{Degraded, Down, Unknown, Up};
    type Row<'a> = (&'a str, &'a [&'a str], &'a [(i64, Outcome)]);
    let table: &[Row<'_>] = &[
        ("never down by default", &["d"], &[]),
        ("one of three fails: no outage (T239)", &["uddddd", "uuuuuu", "uuuuuu"], &[(0, Up)]),
        ("two of three fail (T240)", &["udd", "udd", "uuu"], &[(0, Up), (1, Down)]),
        ("two that disagree make no outage (T241)", &["udd", "uuu"], &[(0, Up)]),
        ("one alone needs three looks", &["uudd", "...."], &[(0, Up)]),
        ("and is down then, since the first", &["uuddd"], &[(0, Up), (2, Down)]),
        ("a blip is no outage (T243)", &["udu", "uuu", "uuu"], &[(0, Up)]),
        ("a lucky tick is no recovery (T244)", &["uddud", "uddud", "uuuuu"], &[(0, Up), (1, Down)]),
        ("two good looks are", &["udduu", "udduu", "uuuuu"], &[(0, Up), (1, Down), (3, Up)]),
        ("the probe's own trouble does not count", &["uppp", "uppp", "uuuu"], &[(0, Up)]),
        ("a good word stands while it is fresh", &["upp"], &[(0, Up)]),
        ("and all of it is no knowledge", &["upppp"], &[(0, Up), (2, Unknown)]),
        ("our own trouble never makes another's failing alone an outage", &["uddddddd", "uuuuupuu"], &[(0, Up)]),
        ("nor does a failing word stand", &["uuudd", "udppp", "uuuuu"], &[(0, Up)]),
        ("half of four regions make no outage", &["udddd", "udddd", "uuuuu", "uuuuu"], &[(0, Up)]),
        ("half of four regions end no outage", &["uddddd", "uddddd", "udduuu", "udduuu"], &[(0, Up), (1, Down)]),
        ("one region's opinion keeps none open (T241)", &["uddddd", "udduuu"], &[(0, Up), (1, Down), (3, Up)]),
        (
            "who comes back and sees it up ends what was decided without him",
            &["uddddddddddd", "uuuu......uu"],
            &[(0, Up), (3, Down), (10, Up)],
        ),
        (
            "who failed alone and is alone now makes no outage of the time others saw it up",
            &["udddddddd", "uuuu....."],
            &[(0, Up), (3, Down)],
        ),
        ("slow from most regions", &["uusss", "uusss", "uuuuu"], &[(0, Up), (2, Degraded)]),
        (
            "and fast again when one slow look of ten is left",
            &["usssuuuuuuuuu", "usssuuuuuuuuu", "uuuuuuuuuuuuu"],
            &[(0, Up), (1, Degraded), (4, Up)],
        ),
        (
            "failing alone for long is not when it went down",
            &["udddddddd", "uuuuuuudd", "uuuuuuuuu"],
            &[(0, Up), (7, Down)],
        ),
        ("silence is seen (P5), and stays seen", &["u.....u"], &[(0, Up), (2, Unknown), (6, Up)]),
    ];
    let wrong: Vec<_> = table.iter().filter(|(_, regions, wanted)| play(regions).0 != *wanted).collect();
    let found: Vec<_> = wrong.iter().map(|(what, regions, _)| (what, play(regions).0)).collect();
    assert!(wrong.is_empty(), "{found:?}");
}

#[test]
fn every_order_of_the_same_ticks_ends_alike() {
    // Ingest sorts a batch by slot, attempt and region; the rules must not care how regions of one slot are ordered.
    let rounds: Vec<Vec<StoredTick>> =
        [('u', 'u', 'u'), ('d', 'd', 'u'), ('d', 'd', 's'), ('u', 'u', 'u'), ('u', 'u', 'u')]
            .iter()
            .enumerate()
            .map(|(n, (a, b, c))| [("a", a), ("b", b), ("c", c)].map(|(r, l)| tick(r, n as i64, 0, *l)).to_vec())
            .collect();
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    let ends: Vec<_> = orders
        .iter()
        .map(|order| {
            let ticks: Vec<_> = rounds.iter().flat_map(|r| order.map(|n| r[n].clone())).collect();
            let repeated: Vec<_> = ticks.iter().flat_map(|t| [t.clone(), t.clone()]).collect();
            let (changes, state, _) = apply(&repeated);
            (changes, state)
        })
        .collect();
    assert!(ends.iter().all(|end| *end == ends[0]), "{ends:?}");
}

#[test]
fn t201_slots_of_a_clock_that_was_set_back_do_not_block_new_ones() {
    let (_, _, regions) = play(&["uuuu"]);
    let late = tick("a", 1, 1, 'd');
    assert_eq!(absorb(Some(&regions[0]), &late, START + 4 * MINUTE), None, "an ordinary late tick");
    let after = absorb(Some(&regions[0]), &late, START + MINUTE).expect("the known slot has not come yet");
    assert_eq!((after.slot_at, after.recent.len()), (late.tick.slot_at, 1));
}

#[test]
fn an_impossible_time_of_receipt_overflows_nothing() {
    let mut odd = tick("a", 0, 0, 'u');
    odd.received_at = i64::MAX;
    let after = absorb(None, &odd, START).expect("a state");
    let (state, _) = judge(&website(), &fresh(), &[after], START);
    assert_eq!(state.fresh_until_at, Some(i64::MAX));
}

#[test]
fn the_reason_is_in_words() {
    let (_, state, _) = play(&["udd", "udd", "uuu"]);
    assert_eq!(
        state.reason,
        "No connection in time, seen from a and b twice in a row (2 of 3 regions that report). c gets an answer. \
         Recorded as connect_timeout in connect. \
         Rule: down when more than half of the reporting regions, and at least two, say so."
    );
}

#[test]
fn a_first_failure_is_looked_at_from_elsewhere_at_once() {
    let (_, state, regions) = play(&["ud", "u.", "u."]);
    let failing = tick("a", 1, 0, 'd');
    let asked = confirm(&website(), &state, &regions, &failing, failing.received_at).expect("a second look");
    let names: Vec<_> = asked.regions.iter().map(|r| r.as_str()).collect();
    assert_eq!((asked.slot_at, asked.attempt, names), (failing.tick.slot_at, 1, vec!["b", "c"]));
}

#[test]
fn a_region_that_cannot_tell_is_not_asked_to_confirm() {
    let (_, state, regions) = play(&["uuuuud", "uppppp"]);
    let failing = tick("a", 5, 0, 'd');
    let asked = confirm(&website(), &state, &regions, &failing, failing.received_at).expect("a second look");
    let names: Vec<_> = asked.regions.iter().map(|r| r.as_str()).collect();
    assert_eq!((names, asked.delay_ms), (vec!["a"], 500), "it looks again itself");
}

#[test]
fn second_looks_come_to_an_end() {
    let mut ticks: Vec<_> = (0..=MAX_ATTEMPT).map(|attempt| tick("a", 0, attempt, 'd')).collect();
    let (_, state, regions) = apply(&ticks);
    let last = ticks.pop().expect("a tick");
    assert_eq!(confirm(&website(), &state, &regions, &last, last.received_at), None);
}

#[test]
fn what_the_regions_say_of_freshness_later_is_what_was_judged() {
    let letters = ['u', 's', 'd', 'p', '.'];
    for n in 0..5_usize.pow(6) {
        let texts =
            [0, 3].map(|first| (first..first + 3).map(|at| letters[n / 5_usize.pow(at) % 5]).collect::<String>());
        let (_, state, regions) = play(&[&texts[0], &texts[1]]);
        let Some(last_at) = regions.iter().map(|r| r.received_at).max() else { continue };
        let later = fresh_until(&website(), &regions, last_at);
        match state.fresh_until_at {
            Some(_) => assert_eq!(later, state.fresh_until_at, "{texts:?}"),
            None => assert!(later.is_none_or(|at| at <= last_at), "{texts:?}: {later:?}"),
        }
    }
    let (_, _, regions) = play(&["u"]);
    assert_eq!(fresh_until(&website(), &regions, START - 2 * MINUTE), None, "a clock was ahead (T201)");
}

#[test]
fn a_website_that_is_down_for_days_is_looked_at_less_often_and_does_not_go_stale_for_it() {
    let website = website();
    let mut regions: Vec<RegionState> = Vec::new();
    let mut state = WebsiteState { verdict: Outcome::Down, since_at: START - 2 * 1_440 * MINUTE, ..fresh() };
    // Down since long before: every fourth slot of both regions, two minutes apart.
    for minute in (0..60).step_by(4) {
        for (region, later) in [("a", 0), ("b", 2)] {
            let tick = tick(region, minute + later, 0, 'd');
            let place = regions.iter().position(|r| r.region_id == tick.region_id);
            let after = absorb(place.map(|p| &regions[p]), &tick, tick.received_at).expect("it is newer");
            match place {
                Some(place) => regions[place] = after,
                None => regions.push(after),
            }
            let (next, change) = judge(&website, &state, &regions, tick.received_at);
            assert!(change.is_none() || minute == 0, "{change:?}");
            let gap = next.fresh_until_at.expect("it is fresh") - tick.received_at;
            assert!(gap >= 2 * 4 * MINUTE, "the next look is 4 minutes away: {gap}");
            state = next;
        }
    }
    assert_eq!(state.verdict, Outcome::Down);
    assert!(!state.reason.contains("silent"), "{}", state.reason);
}
