//! Random histories (I5, I9): websites that fail and recover, workers with troubles of their own, results that come late,
//! twice or in a heap. Each test runs 300 of them, `HISTORIES=100000 cargo test -p hub
//! --lib histories` more.
//!
//! What holds of the record, exactly: the same ticks leave the same transitions and notices whatever order they have within
//! a batch, however often they come again, wherever the line between two batches is, and whenever housekeeping looks for
//! what ran out. Streams that run apart (a hub took in one region's backlog before another's) may date a change
//! otherwise, since nothing recorded is ever rewritten; they come to the same verdict.

use super::world::{Kept, Random};
use super::*;
use crate::model::Notice;

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// Seeds that once found something, and as many more as are asked for.
fn histories() -> impl Iterator<Item = u64> {
    let many = std::env::var("HISTORIES").ok().and_then(|text| text.parse().ok()).unwrap_or(300);
    // 16280: a batch in which an outage of more than an hour ends, and a tick late by the pace after it.
    std::iter::once(16_280).chain(0..many)
}

/// A value per minute, the same for a while.
fn spans<T: Copy>(random: &mut Random, minutes: usize, longest: usize, choose: impl Fn(&mut Random) -> T) -> Vec<T> {
    let mut all = Vec::with_capacity(minutes);
    while all.len() < minutes {
        let value = choose(random);
        let lasts = 1 + random.below(longest);
        all.extend(std::iter::repeat_n(value, lasts.min(minutes - all.len())));
    }
    all
}

/// What a website is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Truth {
    Well,
    Slow,
    Down,
    /// For the regions of which the bit is set.
    DownFor(usize),
    Erratic,
}

/// What a region's worker is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Worker {
    Works,
    /// Says that its own network does not work.
    CutOff,
    /// Nobody hears of it.
    Silent,
    /// Its results come when its link is back: late by minutes.
    Late(i64),
}

fn any_worker(random: &mut Random) -> Worker {
    match random.below(10) {
        0 => Worker::CutOff,
        1 => Worker::Silent,
        2 => Worker::Late(1 + random.below(4) as i64),
        _ => Worker::Works,
    }
}

fn any_truth(random: &mut Random) -> Truth {
    match random.below(8) {
        0 | 1 => Truth::Down,
        2 => Truth::DownFor(random.below(16)),
        3 => Truth::Erratic,
        4 => Truth::Slow,
        _ => Truth::Well,
    }
}

/// The ticks of some regions, in order of slot.
fn history(
    random: &mut Random,
    regions: usize,
    minutes: usize,
    truth: &[Truth],
    workers: &[Vec<Worker>],
) -> Vec<StoredTick> {
    let mut ticks = Vec::new();
    for minute in 0..minutes {
        for (n, name) in NAMES.iter().take(regions).enumerate() {
            let slot_at = START + minute as i64 * MINUTE + n as i64 * 11_000;
            let mut looks = 1;
            for attempt in 0..3 {
                if attempt >= looks {
                    break;
                }
                let fails = match truth[minute] {
                    Truth::Well | Truth::Slow => false,
                    Truth::Down => true,
                    Truth::DownFor(set) => set >> n & 1 == 1,
                    Truth::Erratic => random.one_in(2),
                };
                let slow = truth[minute] == Truth::Slow && !random.one_in(3);
                let seen = if fails {
                    'd'
                } else if slow {
                    's'
                } else {
                    'u'
                };
                looks += u16::from(random.one_in(4));
                let took_ms = i64::from(attempt) * 2_000 + random.below(9_000) as i64;
                let (letter, late_ms) = match workers[n][minute] {
                    Worker::Works => (seen, 0),
                    Worker::CutOff => ('p', 0),
                    Worker::Silent => continue,
                    Worker::Late(minutes) => (seen, minutes * MINUTE),
                };
                ticks.push(StoredTick {
                    received_at: slot_at + took_ms + late_ms,
                    ..tick_at(name, slot_at, attempt, letter)
                });
            }
        }
    }
    ticks.sort_by_key(key);
    ticks
}

fn key(tick: &StoredTick) -> (UtcMs, u16, String) {
    (tick.tick.slot_at, tick.tick.attempt, tick.region_id.to_string())
}

fn any_history(random: &mut Random) -> Vec<StoredTick> {
    let longest = if random.one_in(8) { 300 } else { 60 };
    let (regions, minutes) = (1 + random.below(4), 10 + random.below(longest));
    let truth = spans(random, minutes, 20, any_truth);
    let workers: Vec<_> = (0..regions).map(|_| spans(random, minutes, 12, any_worker)).collect();
    history(random, regions, minutes, &truth, &workers)
}

/// Transitions, notices, verdict and regions.
type Record = (Vec<Transition>, Vec<Notice>, WebsiteState, Vec<RegionState>);

/// All that is recorded, but for when it was decided.
fn record(kept: &Kept) -> Record {
    let transitions = kept.transitions.iter().map(|t| Transition { decided_at: 0, ..t.clone() }).collect();
    let mut regions = kept.regions.clone();
    regions.sort_by(|a, b| a.region_id.cmp(&b.region_id));
    // Its end of freshness is written now and then.
    let state = WebsiteState { fresh_until_at: None, ..kept.state.clone() };
    (transitions, kept.notices.clone(), state, regions)
}

/// The ticks one by one as they are, each as soon as it came.
fn one_by_one(ticks: &[StoredTick]) -> Kept {
    let (mut kept, mut now) = (Kept::new(), 0);
    for tick in ticks {
        now = tick.received_at.max(now);
        kept.ingest(std::slice::from_ref(tick), now);
    }
    kept
}

#[test]
fn i9_the_same_ticks_leave_the_same_record_in_any_batch_order_and_repetition() {
    for seed in histories() {
        let mut random = Random(seed);
        let ticks = any_history(&mut random);
        let wanted = one_by_one(&ticks);
        let (mut kept, mut now, mut from) = (Kept::new(), 0, 0);
        let largest = 1 + random.below(40);
        while from < ticks.len() {
            let until = (from + 1 + random.below(largest)).min(ticks.len());
            let mut batch = ticks[from..until].to_vec();
            for _ in 0..random.below(4) {
                batch.push(ticks[random.below(until)].clone());
            }
            random.shuffle(&mut batch);
            now = batch.iter().map(|t| t.received_at).max().unwrap_or(now).max(now);
            kept.ingest(&batch, now);
            from = until;
            // Housekeeping, when all that came before has been taken in.
            let next_at = ticks[from..].iter().map(|t| t.received_at).min().unwrap_or(now);
            if next_at > now && random.one_in(2) {
                kept.expire(now + random.below(usize::try_from(next_at - now).unwrap_or(0)) as i64);
            }
        }
        assert_eq!(record(&kept), record(&wanted), "seed {seed}");
    }
}

#[test]
fn i9_streams_that_run_apart_come_to_the_same_verdict() {
    for seed in histories() {
        let mut random = Random(seed);
        let mut ticks = any_history(&mut random);
        // Then everybody sees the same for a while.
        let regions: Vec<String> = {
            let all: std::collections::BTreeSet<_> = ticks.iter().map(|t| t.region_id.to_string()).collect();
            all.into_iter().collect()
        };
        let (end, letter) = (START + 400 * MINUTE, if random.one_in(2) { 'u' } else { 'd' });
        for minute in 0..12 {
            ticks.extend(regions.iter().map(|region| tick_at(region, end + minute * MINUTE, 0, letter)));
        }
        let wanted = one_by_one(&ticks);
        // Of each region in its own order, and the regions anyhow.
        let mut left: Vec<std::collections::VecDeque<StoredTick>> = regions
            .iter()
            .map(|region| ticks.iter().filter(|t| t.region_id.as_str() == region).cloned().collect())
            .collect();
        let mut mixed = Vec::with_capacity(ticks.len());
        let mut turn = 0;
        while left.iter().any(|stream| !stream.is_empty()) {
            if random.one_in(8) {
                turn = random.below(left.len());
            }
            match left[turn].pop_front() {
                Some(tick) => mixed.push(tick),
                None => turn = (turn + 1) % left.len(),
            }
        }
        let kept = one_by_one(&mixed);
        // A lone region's backlog may be history by the time the others are heard of; what is known in the end is not.
        assert_eq!(kept.state.verdict, wanted.state.verdict, "seed {seed}");
        assert_eq!(record(&kept).3, record(&wanted).3, "seed {seed}");
        for pair in kept.transitions.windows(2) {
            assert!(pair[0].to == pair[1].from && pair[0].at <= pair[1].at, "seed {seed}: {pair:?}");
        }
        let changes = kept.flaps();
        assert!(changes.windows(2).all(|pair| pair[0].1 != pair[1].1), "seed {seed}");
    }
}

#[test]
fn i5_no_trouble_of_ours_makes_a_healthy_website_down() {
    for seed in histories() {
        let mut random = Random(seed);
        let (regions, minutes) = (1 + random.below(4), 10 + random.below(60));
        let truth = spans(&mut random, minutes, 20, |random| if random.one_in(6) { Truth::Slow } else { Truth::Well });
        let workers: Vec<_> = (0..regions).map(|_| spans(&mut random, minutes, 12, any_worker)).collect();
        let mut ticks = history(&mut random, regions, minutes, &truth, &workers);
        // In any order at all, with the hub's clock where it is in the end.
        random.shuffle(&mut ticks);
        let kept = one_by_one(&ticks);
        assert!(kept.transitions.iter().all(|t| t.to != Outcome::Down), "seed {seed}: {:?}", kept.transitions);
        assert_eq!(kept.notices, [], "seed {seed}");
    }
}

#[test]
fn i5_one_region_that_lies_makes_nothing_down_while_two_others_see_it_well() {
    for seed in histories() {
        let mut random = Random(seed);
        let (regions, minutes) = (3 + random.below(2), 10 + random.below(60));
        let truth = spans(&mut random, minutes, 20, |random| match random.below(3) {
            0 => Truth::Well,
            // Of the last region alone, which may have any other trouble as well.
            _ => Truth::DownFor(1 << (regions - 1)),
        });
        let mut workers = vec![vec![Worker::Works; minutes]; regions - 1];
        workers.push(spans(&mut random, minutes, 12, any_worker));
        let ticks = history(&mut random, regions, minutes, &truth, &workers);
        let kept = one_by_one(&ticks);
        assert!(kept.transitions.iter().all(|t| t.to != Outcome::Down), "seed {seed}: {:?}", kept.transitions);
        let liar = NAMES[regions - 1];
        assert!(kept.regional().iter().all(|(_, names)| names.is_empty() || names == liar), "seed {seed}");
        assert_eq!(kept.flaps(), [], "seed {seed}");
    }
}
