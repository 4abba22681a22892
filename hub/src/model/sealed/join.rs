//! Which ticks make which blocks: those of a day that are not packed yet, beside blocks that are there.

use super::{JOINS_AFTER_MS, MAX_TEXTS, MAX_TICKS, RawTick, lengths_of_different};
use crate::model::UtcMs;

/// Ticks of a block, where there is a choice: what a page reads of it is unpacked whole.
const MOST: usize = 20_000;
/// So many make a block of their own after one that is there; fewer would pay for its frame, and join that.
const OF_THEIR_OWN: usize = 500;

/// A block that is there, of the same website, region and day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Its first slot.
    pub from_at: UtcMs,
    /// Its last slot.
    pub to_at: UtcMs,
    /// Its ticks.
    pub ticks: usize,
}

/// What becomes one block, or several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The block they join and take the place of, by its first slot.
    pub replaces: Option<UtcMs>,
    /// What is new, in order.
    pub ticks: Vec<RawTick>,
}

/// Whether what came late of a day that is packed joins it now, the first of it having come then. A clock that was wrong by more
/// says nothing.
#[must_use]
pub fn joins_now(came_first_at: UtcMs, now: UtcMs) -> bool {
    now.saturating_sub(came_first_at).saturating_abs() >= JOINS_AFTER_MS
}

/// New ticks of one region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewOfRegion {
    /// The first slot of them.
    pub first_at: UtcMs,
    /// The last slot of them.
    pub last_at: UtcMs,
    /// How many.
    pub ticks: usize,
}

impl NewOfRegion {
    /// Ticks of blocks that they join, or more.
    fn joined(&self, blocks: &[Known]) -> usize {
        let place = blocks.partition_point(|block| block.from_at <= self.first_at).saturating_sub(1);
        let joins = |(n, block): &(usize, &Known)| match n.cmp(&place) {
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Equal => self.first_at <= block.to_at || self.ticks < OF_THEIR_OWN,
            std::cmp::Ordering::Greater => block.from_at <= self.last_at,
        };
        blocks.iter().enumerate().filter(joins).map(|(_, block)| block.ticks).sum()
    }
}

/// Of how many regions, in this order, what is new is packed in one step: with the blocks that it joins it is `most` ticks, but of
/// one region whatever it is.
#[must_use]
pub fn regions_at_once<'a>(regions: impl IntoIterator<Item = (NewOfRegion, &'a [Known])>, most: usize) -> usize {
    let (mut count, mut all) = (0, 0_usize);
    for (new, blocks) in regions {
        all = all.saturating_add(new.ticks).saturating_add(new.joined(blocks));
        if count > 0 && all > most {
            break;
        }
        count += 1;
    }
    count
}

/// Divides ticks, which are in order, among blocks, which are in order and do not overlap; nor will those that come of it.
#[must_use]
pub fn groups(mut ticks: Vec<RawTick>, blocks: &[Known]) -> Vec<Group> {
    let mut groups = Vec::new();
    while let Some(first_at) = ticks.first().map(|tick| tick.slot_at) {
        let after = blocks.partition_point(|block| block.from_at <= first_at);
        let place = after.saturating_sub(1);
        let next_at = blocks.get(place + 1).map_or(UtcMs::MAX, |next| next.from_at);
        let rest = ticks.split_off(ticks.partition_point(|tick| tick.slot_at < next_at || next_at == UtcMs::MAX));
        let is_apart = |block: &&Known| first_at > block.to_at && ticks.len() >= OF_THEIR_OWN;
        let joined = blocks.get(place).filter(|block| !is_apart(block));
        groups.push(Group { replaces: joined.map(|block| block.from_at), ticks });
        ticks = rest;
    }
    groups
}

/// Ticks of a block and those that join it; of two with one key the packed one stays, for the other came again. In parts that
/// make a block each; a slot is not divided.
#[must_use]
pub fn join(packed: Vec<RawTick>, new: Vec<RawTick>) -> Vec<Vec<RawTick>> {
    let mut all = packed;
    all.extend(new);
    // Stable: packed ones stay before new ones of the same key.
    all.sort_by_key(RawTick::key);
    all.dedup_by(|next, kept| next.key() == kept.key());
    let parts = all.len().div_ceil(MOST).max(1);
    let each = all.len().div_ceil(parts);
    let mut done = Vec::new();
    while all.len() > each.max(1) {
        let mut cut = all.partition_point(|tick| tick.slot_at < all[each].slot_at);
        if cut == 0 {
            cut = all.partition_point(|tick| tick.slot_at <= all[0].slot_at).min(MAX_TICKS);
        }
        let rest = all.split_off(cut);
        done.push(std::mem::replace(&mut all, rest));
    }
    if !all.is_empty() {
        done.push(all);
    }
    let mut fit = Vec::new();
    done.into_iter().for_each(|part| divide(part, &mut fit));
    fit
}

/// Halves a part that has more text than a block may: somebody says something else each time, all day long.
fn divide(mut part: Vec<RawTick>, fit: &mut Vec<Vec<RawTick>>) {
    let (Some(first), Some(last)) = (part.first(), part.last()) else { return };
    let (first_at, middle_at) = (first.slot_at, part[part.len() / 2].slot_at);
    if first_at == last.slot_at || lengths_of_different(&part) <= MAX_TEXTS {
        fit.push(part);
        return;
    }
    // A slot is not divided: the first one may reach beyond the middle.
    let cut_at = if middle_at > first_at { middle_at } else { first_at.saturating_add(1) };
    let cut = part.partition_point(|tick| tick.slot_at < cut_at);
    let rest = part.split_off(cut);
    divide(part, fit);
    divide(rest, fit);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(slots: impl IntoIterator<Item = UtcMs>) -> Vec<RawTick> {
        slots.into_iter().map(|slot_at| RawTick::new(slot_at, 0)).collect()
    }

    fn known(from_at: UtcMs, to_at: UtcMs, ticks: usize) -> Known {
        Known { from_at, to_at, ticks }
    }

    fn sizes(groups: &[Group]) -> Vec<(Option<UtcMs>, usize)> {
        groups.iter().map(|group| (group.replaces, group.ticks.len())).collect()
    }

    #[test]
    fn ticks_join_the_block_they_fall_into_or_are_next_to() {
        assert_eq!(sizes(&groups(ticks(0..10), &[])), [(None, 10)]);
        let two = [known(100, 200, 50), known(300, 400, 50)];
        assert_eq!(sizes(&groups(ticks([50, 150, 250, 300, 350, 500]), &two)), [(Some(100), 3), (Some(300), 3)]);
        assert_eq!(sizes(&groups(ticks(500..1_000), &two)), [(None, 500)], "enough for a block of their own");
        assert_eq!(sizes(&groups(ticks(500..999), &two)), [(Some(300), 499)]);
        assert_eq!(sizes(&groups(ticks((210..220).chain(500..1_000)), &two)), [(Some(100), 10), (None, 500)]);
        assert_eq!(sizes(&groups(ticks(UtcMs::MAX - 1..=UtcMs::MAX), &two)), [(Some(300), 2)]);
        assert_eq!(groups(Vec::new(), &two), []);
    }

    #[test]
    fn a_tick_that_came_again_is_the_packed_one() {
        let mut again = ticks([5, 6, 7]);
        again[1].attempt = 1;
        let mut other = again.clone();
        other.iter_mut().for_each(|tick| tick.set_text(super::super::Text::Kind, Some("again".into())));
        let parts = join(again.clone(), [other, ticks([4, 6])].concat());
        let one = parts.concat();
        assert_eq!((parts.len(), one.len()), (1, 5));
        assert!(again.iter().all(|tick| one.contains(tick)));
        assert_eq!(one.iter().map(RawTick::key).collect::<Vec<_>>(), [(4, 0), (5, 0), (6, 0), (6, 1), (7, 0)]);
    }

    #[test]
    fn what_is_too_much_for_a_block_is_divided_between_slots() {
        let parts = join(ticks(0..30_000), ticks(30_000..45_000));
        assert_eq!(parts.iter().map(Vec::len).collect::<Vec<_>>(), [15_000, 15_000, 15_000]);
        let flood: Vec<_> = (0..50_000).map(|n| RawTick::new(9, n)).collect();
        let parts = join(flood.clone(), ticks([8, 10]));
        assert_eq!(parts.iter().map(Vec::len).collect::<Vec<_>>(), [1, 50_000, 1]);
        assert_eq!(join(Vec::new(), Vec::new()), Vec::<Vec<RawTick>>::new());
    }

    #[test]
    fn what_is_too_much_text_for_a_block_is_divided_too() {
        let mut all = ticks(0..6_000);
        for (n, tick) in all.iter_mut().enumerate() {
            tick.set_text(super::super::Text::Answer, Some(format!("{n:02000}").into()));
        }
        let parts = join(all[..1_000].to_vec(), all[1_000..].to_vec());
        assert_eq!(parts.iter().map(Vec::len).collect::<Vec<_>>(), [3_000, 3_000]);
        assert_eq!(parts.concat(), all);
        let mut all = ticks(std::iter::repeat_n(3, 5_000).chain([4]));
        for (n, tick) in (0..).zip(&mut all) {
            tick.attempt = n;
            tick.set_text(super::super::Text::Answer, Some(format!("{n:02000}").into()));
        }
        let parts = join(all, Vec::new());
        assert_eq!(parts.iter().map(Vec::len).collect::<Vec<_>>(), [5_000, 1], "a slot is not divided");
    }
}
