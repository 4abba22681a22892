//! Random histories, with clocks that jump: what holds of every window. More with `HISTORIES=100000`.

use super::*;
use crate::model::WebsiteId;
use crate::model::maintenance::united;

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
}

struct History {
    changes: Vec<Transition>,
    last: Outcome,
    quiet: Vec<Span>,
    end: UtcMs,
}

/// Ten days or so. Decisions are dated back, some before the one before them, some wrongly ahead; stored by when they were
/// decided, by a clock that was set back now and then.
fn history(random: &mut Random) -> History {
    let outcomes = [Outcome::Up, Outcome::Down, Outcome::Unknown, Outcome::Degraded];
    let (mut changes, mut decided_at, mut from) = (Vec::new(), 0, outcomes[random.below(4) as usize]);
    for _ in 0..random.below(60) {
        decided_at += match random.below(12) {
            0 => -random.below(DAY_MS),
            1 => 0,
            2 => random.below(3 * DAY_MS),
            _ => random.below(DAY_MS / 4),
        };
        let at = decided_at - random.below(DAY_MS / 8) + if random.below(10) == 0 { random.below(DAY_MS) } else { 0 };
        let to = outcomes[random.below(4) as usize];
        changes.push(Transition {
            website_id: WebsiteId(uuid::Uuid::nil()),
            at,
            decided_at,
            from,
            to,
            reason: String::new(),
        });
        from = to;
    }
    let last = changes.last().map_or(from, |change| change.to);
    changes.sort_by_key(|change| change.decided_at);
    let mut span = || {
        let from_at = random.below(10 * DAY_MS) - DAY_MS;
        Span { from_at, to_at: from_at + random.below(DAY_MS) }
    };
    let quiet = united((0..5).map(|_| span()).collect());
    History { changes, last, quiet, end: decided_at.max(0) + DAY_MS }
}

impl History {
    /// As a store reads it: what was decided since, up to the first that holds from the end on.
    fn over(&self, from: UtcMs, to: UtcMs) -> Uptime {
        let since: Vec<_> = self.changes.iter().filter(|change| change.decided_at >= from).cloned().collect();
        let read = since.iter().position(|change| holds_from(change) >= to).map_or(since.len(), |n| n + 1);
        over(&since[..read], self.last, from, to, &self.quiet)
    }
}

fn histories() -> impl Iterator<Item = (Random, History)> {
    let many = std::env::var("HISTORIES").ok().and_then(|text| text.parse().ok()).unwrap_or(300_u64);
    (0..many).map(|seed| {
        let mut random = Random(seed);
        let history = history(&mut random);
        (random, history)
    })
}

#[test]
fn the_parts_add_up_to_the_window_and_shares_are_shares() {
    for (mut random, history) in histories() {
        let from = random.below(history.end);
        let to = from + random.below(history.end - from) + 1;
        let uptime = history.over(from, to);
        assert_eq!(uptime.window_ms(), to - from);
        let Uptime { up_ms, degraded_ms, down_ms, unknown_ms, maintenance_ms } = uptime;
        assert!([up_ms, degraded_ms, down_ms, unknown_ms, maintenance_ms].iter().all(|ms| *ms >= 0), "{uptime:?}");
        assert!((0.0..=1.0).contains(&uptime.coverage()) && uptime.ratio().is_none_or(|r| (0.0..=1.0).contains(&r)));
        assert_eq!(history.over(to, to), Uptime::default());
    }
}

#[test]
fn windows_that_follow_each_other_add_up_to_the_whole() {
    for (mut random, history) in histories() {
        let mut cuts: Vec<_> = (0..random.below(8) + 2).map(|_| random.below(history.end)).collect();
        cuts.sort_unstable();
        let mut sum = Uptime::default();
        cuts.windows(2).for_each(|cut| sum.merge(&history.over(cut[0], cut[1])));
        let (first, last) = (cuts[0], cuts[cuts.len() - 1]);
        assert_eq!(sum, history.over(first, last), "{cuts:?} of {:?}", history.changes);
    }
}

#[test]
fn days_and_rests_are_the_whole_window_once() {
    for (mut random, history) in histories() {
        let created_at = random.below(history.end);
        let days: BTreeMap<_, _> = (0..history.end / DAY_MS)
            .filter(|_| random.below(5) > 0)
            .map(|n| n * DAY_MS)
            .filter(|day| day + DAY_MS > created_at)
            .map(|day| (day, history.over(day.max(created_at), day + DAY_MS)))
            .collect();
        let from_at =
            if random.below(3) == 0 { created_at } else { created_at + random.below(history.end - created_at) };
        let window = Span { from_at, to_at: from_at + random.below(history.end - from_at) };
        let (mut sum, rests) = pieces(window, created_at, &days);
        rests.iter().for_each(|rest| sum.merge(&history.over(rest.from_at, rest.to_at)));
        assert_eq!(sum, history.over(window.from_at, window.to_at));
        assert!(rests.windows(2).all(|pair| pair[0].to_at < pair[1].from_at), "no two that could be one");
    }
}

#[test]
fn a_window_that_cannot_be_is_told_by_its_field() {
    let now = 1_795_521_600_000; // 2026-11-24T12:00:00Z
    let wrong = |from, to| {
        let errors = asked_window(from, to, now).expect_err("wrong");
        errors.0.iter().map(|error| error.field).collect::<Vec<_>>()
    };
    assert_eq!(wrong("2026-11-24T12:00:00Z", "2026-11-24T11:00:00Z"), ["from"], "reversed");
    assert_eq!(wrong("2026-11-24T11:00:00Z", "2026-11-24T11:00:00Z"), ["from"], "nothing");
    assert_eq!(wrong("", "2026-11-25T00:00:00Z"), ["to"], "in the future");
    assert_eq!(wrong("2025-10-01T00:00:00Z", ""), ["from"], "too long");
    assert_eq!(wrong("0001-01-01T00:00:00Z", "9999-01-01T00:00:00Z"), ["to", "from"]);
    assert_eq!(wrong("yesterday", "1795521600"), ["to", "from"]);
    assert_eq!(wrong("2026-11-24T10:00:00", ""), ["from"], "without an offset it is no instant");
    let right = |from, to| asked_window(from, to, now).map(|span| (span.from_at - now, span.to_at - now));
    assert_eq!(right("", ""), Ok((-DAY_MS, 0)));
    assert_eq!(right("2026-11-24T16:45:00+05:45", "2026-11-24T06:30:00-05:00"), Ok((-3_600_000, -1_800_000)));
    assert_eq!(right("2026-11-24T11:00:00.5Z", "2026-11-24T12:00:59Z"), Ok((-3_599_500, 0)), "a clock a little ahead");
    assert_eq!(right("", "2026-11-20T12:00:00Z"), Ok((-5 * DAY_MS, -4 * DAY_MS)));
}
