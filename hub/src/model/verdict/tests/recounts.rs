//! Verdicts counted again from what is stored are those that were decided.

use super::world::{Random, World};
use super::*;
use crate::model::recount::{Compared, Recount, compare};

/// Counts again what a world has stored, from `from` to `to`.
fn again(world: &World, from: UtcMs, to: UtcMs) -> Vec<Compared> {
    let kept = &world.kept;
    let before: Vec<_> = kept.transitions.iter().filter(|t| t.decided_at < from).rev().cloned().collect();
    let within: Vec<_> = kept.transitions.iter().filter(|t| (from..=to).contains(&t.decided_at)).cloned().collect();
    let mut count = Recount::new(kept.website.clone(), kept.watched_since_at, from, &before, &within);
    let mut ticks = kept.ticks.clone();
    ticks.sort_by_key(|t| (t.tick.slot_at, t.region_id.clone(), t.tick.attempt));
    let begin = from - Recount::warm_up_ms(&kept.website);
    for tick in ticks.into_iter().filter(|t| (begin..=to).contains(&t.tick.slot_at)) {
        count.add(tick);
    }
    compare(&within, &count.finish(to).transitions, MINUTE)
}

fn any_world(random: &mut Random) -> World {
    let regions = &["a", "b", "c"][..1 + random.below(3)];
    let mut world = World::new();
    let end = START + 150 * MINUTE;
    world.slots(regions, START, end);
    let mut now = START;
    while now < end {
        let until = (now + (1 + random.below(40)) as i64 * MINUTE).min(end);
        let mode = random.below(6);
        let mut dice = random.clone();
        random.next();
        world.run(until, |region, _| match mode {
            0 => Some('d'),
            1 => Some(if dice.one_in(2) { 'd' } else { 'u' }),
            2 => None,
            3 => (region != "a").then_some('u'),
            4 => Some(if region == "b" { 'd' } else { 's' }),
            _ => Some('u'),
        });
        now = until;
        // One of what is unknown leaves no trace in the record.
        if world.kept.state.verdict != Outcome::Unknown && random.one_in(6) {
            world.kept.change(false, EDITED, now);
        }
    }
    world
}

#[test]
fn from_its_beginning_every_history_is_counted_again_to_the_same_changes() {
    for seed in 0..150 {
        let world = any_world(&mut Random(seed));
        let lines = again(&world, START, START + 150 * MINUTE);
        let differ: Vec<_> = lines.iter().filter(|line| !line.agrees()).collect();
        assert!(differ.is_empty(), "seed {seed}: {differ:#?}");
        assert_eq!(lines.len(), world.kept.transitions.len());
    }
}

#[test]
fn from_anywhere_in_between_nearly_every_history_is() {
    let (mut lines, mut differ) = (0, 0);
    for seed in 0..150 {
        let mut random = Random(seed);
        let world = any_world(&mut random);
        let from = START + random.below(120) as i64 * MINUTE;
        let compared = again(&world, from, START + 150 * MINUTE);
        lines += compared.len();
        differ += compared.iter().filter(|line| !line.agrees()).count();
    }
    // Runs of failures that began before what was read are dated by what was.
    assert!(lines > 500 && differ * 100 <= lines, "{differ} of {lines}");
}

#[test]
fn what_differs_is_set_side_by_side() {
    let change = |minute: i64, to| Transition {
        website_id: website().website_id,
        at: minute * MINUTE,
        decided_at: minute * MINUTE,
        from: Outcome::Unknown,
        to,
        reason: String::new(),
    };
    use Outcome::{Down, Up};
    let stored = [change(0, Up), change(10, Down), change(20, Up), change(40, Down)];
    let again = [change(0, Up), change(11, Down), change(20, Up), change(30, Down), change(31, Up)];
    let lines = compare(&stored, &again, MINUTE);
    let shown: Vec<_> = lines
        .iter()
        .map(|l| (l.stored.as_ref().map(|t| t.at / MINUTE), l.again.as_ref().map(|t| t.at / MINUTE), l.agrees()))
        .collect();
    assert_eq!(
        shown,
        [
            (Some(0), Some(0), true),
            (Some(10), Some(11), false),
            (Some(20), Some(20), true),
            (None, Some(30), false),
            (None, Some(31), false),
            (Some(40), None, false),
        ]
    );
}
