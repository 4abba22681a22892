//! Finding websites by a key they have, in few bytes.

use std::hash::{BuildHasher as _, Hash, RandomState};

/// Places of websites by a key that each has. The keys lie with the websites: a place costs four bytes and the room an
/// open table needs, where a map of a million keys would be forty. The hash is seeded, so that nobody chooses names that
/// meet.
///
/// `key_of` is the key at a place; every place that is in here has one.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// A power of two of them, at most three quarters in use; a place lies where its hash says or, where that is taken,
    /// soon after.
    slots: Vec<u32>,
    len: usize,
    seed: RandomState,
}

/// No place: websites are fewer.
const FREE: u32 = u32::MAX;
const LEAST: usize = 16;

impl Index {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// All places, in no order.
    pub(super) fn places(&self) -> impl Iterator<Item = u32> {
        self.slots.iter().copied().filter(|place| *place != FREE)
    }

    pub(super) fn find<K: Hash + Eq>(&self, key: K, key_of: impl Fn(u32) -> Option<K>) -> Option<u32> {
        self.slot_of(key, key_of).and_then(|at| self.slots.get(at).copied())
    }

    /// Adds a place whose key is not in here.
    pub(super) fn insert<K: Hash + Eq>(&mut self, key: K, place: u32, key_of: impl Fn(u32) -> Option<K>) {
        if (self.len + 1) * 4 > self.slots.len() * 3 {
            let slots = vec![FREE; (self.slots.len() * 2).max(LEAST)];
            for place in std::mem::replace(&mut self.slots, slots).into_iter().filter(|place| *place != FREE) {
                if let Some(key) = key_of(place) {
                    self.settle(&key, place);
                }
            }
        }
        self.settle(&key, place);
        self.len += 1;
    }

    /// Takes a place out; returns it.
    pub(super) fn remove<K: Hash + Eq>(&mut self, key: K, key_of: impl Fn(u32) -> Option<K>) -> Option<u32> {
        let mut hole = self.slot_of(key, &key_of)?;
        let removed = std::mem::replace(self.slots.get_mut(hole)?, FREE);
        self.len -= 1;
        // Those after it that would have lain here move up, so that they are found without what is gone.
        let mut at = hole;
        loop {
            at = self.next(at);
            let place = self.slots.get(at).copied().unwrap_or(FREE);
            let Some(key) = Some(place).filter(|place| *place != FREE).and_then(&key_of) else { return Some(removed) };
            let mask = self.slots.len() - 1;
            let (from_home, from_hole) = (at.wrapping_sub(self.home(&key)) & mask, at.wrapping_sub(hole) & mask);
            if from_home >= from_hole {
                self.slots.swap(hole, at);
                hole = at;
            }
        }
    }

    fn home<K: Hash>(&self, key: &K) -> usize {
        self.seed.hash_one(key) as usize & (self.slots.len() - 1)
    }

    fn next(&self, at: usize) -> usize {
        (at + 1) & (self.slots.len() - 1)
    }

    fn slot_of<K: Hash + Eq>(&self, key: K, key_of: impl Fn(u32) -> Option<K>) -> Option<usize> {
        if self.slots.is_empty() {
            return None;
        }
        let mut at = self.home(&key);
        loop {
            match self.slots.get(at) {
                None | Some(&FREE) => return None,
                Some(place) if key_of(*place).is_some_and(|k| k == key) => return Some(at),
                Some(_) => at = self.next(at),
            }
        }
    }

    fn settle<K: Hash>(&mut self, key: &K, place: u32) {
        let mut at = self.home(key);
        while self.slots.get(at).is_some_and(|slot| *slot != FREE) {
            at = self.next(at);
        }
        if let Some(slot) = self.slots.get_mut(at) {
            *slot = place;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Keys whose hashes meet often, since there are few of them for the table; taken out and put in again.
    #[test]
    fn it_finds_what_a_map_finds_whatever_comes_and_goes() {
        let (mut index, mut map) = (Index::default(), BTreeMap::new());
        let mut keys: Vec<Option<u64>> = vec![None; 600];
        let mut chance = 88_172_645_463_325_252_u64;
        for _ in 0..50_000 {
            chance ^= chance << 13;
            chance ^= chance >> 7;
            chance ^= chance << 17;
            let key = chance % 600;
            let place = usize::try_from(key).unwrap();
            let removed = map.remove(&key);
            if removed.is_some() {
                assert_eq!(index.remove(key, |p| keys[p as usize]), removed);
                keys[place] = None;
            } else {
                keys[place] = Some(key);
                index.insert(key, place as u32, |p| keys[p as usize]);
                map.insert(key, place as u32);
            }
            let other = (chance >> 32) % 600;
            assert_eq!(index.find(other, |p| keys[p as usize]), map.get(&other).copied());
            assert_eq!(index.len(), map.len());
        }
        let mut places: Vec<u32> = index.places().collect();
        places.sort_unstable();
        assert_eq!(places, map.values().copied().collect::<Vec<_>>());
        assert!(index.slots.len() <= 1_024, "{}", index.slots.len());
    }
}
