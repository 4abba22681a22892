//! Streams with entries larger than any report. They are read apart from the others, few entries at a time, so that they
//! cost their own worker's time and no one else's.

use std::collections::BTreeMap;

use probe::wire::MAX_TICK_BYTES;

/// Bytes of an entry: its fields' names and values together, and what each field costs beside. What is larger is no
/// report, and none of it is kept.
pub(super) const MAX_ENTRY: usize = 2 * MAX_TICK_BYTES;
/// Bytes of a field beside its name and value: those may be empty, and of empty ones there may be millions.
pub(super) const PER_FIELD: usize = 64;
/// Bytes of such entries that are asked for at once.
const AT_ONCE: usize = 4 * 1024 * 1024;
/// Bytes of such entries that may wait in Redis.
const KEPT: usize = 256 * 1024 * 1024;
/// Reports in a row, none of them larger than it may be, after which a stream is like any other.
const CALM: usize = 1_000;
/// Streams remembered. For one more another is forgotten, and found out again.
const STREAMS: usize = 10_000;

/// By key.
#[derive(Debug, Default)]
pub(super) struct Sizes {
    large: BTreeMap<String, Large>,
}

#[derive(Debug)]
struct Large {
    /// The largest one since the stream was last calm.
    bytes: usize,
    /// Asked for at once.
    count: usize,
    calm: usize,
}

impl Sizes {
    /// Whether a stream is to be read alone.
    pub(super) fn is_large(&self, key: &str) -> bool {
        self.large.contains_key(key)
    }

    /// Entries to ask a stream for, at most `most`.
    pub(super) fn count(&self, key: &str, most: usize) -> usize {
        self.large.get(key).map_or(most, |large| large.count.min(most)).max(1)
    }

    /// A stream gave `count` entries, the largest of `bytes`. True when that is what makes it a large one.
    pub(super) fn note(&mut self, key: &str, count: usize, bytes: usize) -> bool {
        if bytes > MAX_ENTRY {
            let is_new = self.insert(key);
            if let Some(large) = self.large.get_mut(key) {
                large.bytes = large.bytes.max(bytes);
                large.count = AT_ONCE / large.bytes;
                large.calm = 0;
            }
            return is_new;
        }
        if count > 0
            && let Some(large) = self.large.get_mut(key)
        {
            large.calm += count;
            large.count = large.count.saturating_mul(2).max(1);
            if large.calm >= CALM {
                self.large.remove(key);
            }
        }
        false
    }

    /// What was asked of a stream, `count` entries, was too much to be read. True when that is news.
    pub(super) fn overran(&mut self, key: &str, count: usize) -> bool {
        let is_new = self.insert(key);
        if let Some(large) = self.large.get_mut(key) {
            large.bytes = large.bytes.max(super::link::MOST / count.max(1));
            large.count = (count / 8).max(1);
            large.calm = 0;
        }
        is_new
    }

    fn insert(&mut self, key: &str) -> bool {
        if self.large.contains_key(key) {
            return false;
        }
        if self.large.len() >= STREAMS {
            self.large.pop_first();
        }
        self.large.insert(key.to_owned(), Large { bytes: 0, count: 1, calm: 0 });
        true
    }

    /// Entries of a stream that may wait in Redis, at most `most`.
    pub(super) fn cap(&self, key: &str, most: u64) -> u64 {
        let bytes = self.large.get(key).map_or(0, |large| large.bytes);
        KEPT.checked_div(bytes).map_or(most, |entries| (entries as u64).clamp(1, most))
    }

    /// Streams that are gone are forgotten.
    pub(super) fn retain(&mut self, is_there: impl Fn(&str) -> bool) {
        self.large.retain(|key, _| is_there(key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_of_large_entries_is_asked_for_few_until_it_is_calm() {
        let mut sizes = Sizes::default();
        assert_eq!((sizes.count("a", 1_000), sizes.cap("a", 100_000)), (1_000, 100_000));
        assert!(!sizes.note("a", 1_000, MAX_ENTRY) && !sizes.is_large("a"));
        assert!(sizes.note("a", 3, 1 << 20) && !sizes.note("a", 3, 1 << 19));
        assert_eq!((sizes.count("a", 1_000), sizes.cap("a", 100_000)), (4, 256));
        assert_eq!(sizes.count("b", 1_000), 1_000);
        for _ in 0..6 {
            assert!(sizes.is_large("a"));
            let count = sizes.count("a", 1_000);
            sizes.note("a", count, 400);
        }
        assert_eq!(sizes.count("a", 1_000), 256);
        sizes.note("a", 0, 0);
        sizes.note("a", 1_000, 400);
        assert!(!sizes.is_large("a"));
    }

    #[test]
    fn what_was_too_much_is_asked_for_in_fewer_pieces_down_to_one() {
        let mut sizes = Sizes::default();
        assert!(sizes.overran("a", 1_000));
        let counts: Vec<usize> = std::iter::from_fn(|| {
            let count = sizes.count("a", 1_000);
            assert!(!sizes.overran("a", count));
            Some(count)
        })
        .take(4)
        .collect();
        assert_eq!(counts, [125, 15, 1, 1]);
        sizes.retain(|_| false);
        assert!(!sizes.is_large("a"));
    }
}
