//! When what is still unread was written, at the earliest. A worker chooses the ids of what it writes, so they may tell of
//! any time, and one worker's must not hold back the time of all. How much there was tells the truth: what comes after as
//! many entries as a stream had at some moment was written after that moment.

use std::collections::BTreeMap;

use crate::model::UtcMs;

/// Of each worker's stream, by key.
#[derive(Debug, Default)]
pub(super) struct Behind {
    streams: BTreeMap<String, Stream>,
}

#[derive(Debug, Default)]
struct Stream {
    /// What was not handed out yet was written after this; 0: that is not known.
    since: UtcMs,
    unread: Option<Unread>,
}

#[derive(Debug, Default)]
struct Unread {
    /// What its ids say, of the last that was read.
    said_at: UtcMs,
    /// What comes after so many more was written after that moment.
    mark: Option<(usize, UtcMs)>,
}

impl Behind {
    /// Nothing is known any more: what was handed out before is handed out again.
    pub(super) fn forget(&mut self) {
        self.streams.clear();
    }

    /// Asked at `at`, a stream had no more than it gave.
    pub(super) fn all(&mut self, key: &str, at: UtcMs) {
        if let Some(stream) = self.streams.get_mut(key) {
            *stream = Stream { since: at, unread: None };
        } else {
            self.streams.insert(key.to_owned(), Stream { since: at, unread: None });
        }
    }

    /// A stream gave `count` new entries, the last of `said_at` by its id, and has more.
    pub(super) fn more(&mut self, key: &str, count: usize, said_at: UtcMs) {
        let stream = self.streams.entry(key.to_owned()).or_default();
        let unread = stream.unread.get_or_insert_default();
        unread.said_at = said_at;
        if let Some((left, at)) = &mut unread.mark {
            *left = left.saturating_sub(count);
            if *left == 0 {
                stream.since = stream.since.max(*at);
                unread.mark = None;
            }
        }
    }

    /// Streams with more to read, of which it is to be told how long they are ([`Self::length`]).
    pub(super) fn unmarked(&self) -> Vec<String> {
        let is_unmarked = |stream: &Stream| stream.unread.as_ref().is_some_and(|unread| unread.mark.is_none());
        self.streams.iter().filter(|(_, stream)| is_unmarked(stream)).map(|(key, _)| key.clone()).collect()
    }

    /// At `at` a stream had so many entries.
    pub(super) fn length(&mut self, key: &str, entries: usize, at: UtcMs) {
        if let Some(unread) = self.streams.get_mut(key).and_then(|stream| stream.unread.as_mut()) {
            unread.mark = Some((entries, at));
        }
    }

    /// Streams that are gone are forgotten.
    pub(super) fn retain(&mut self, is_there: impl Fn(&str) -> bool) {
        self.streams.retain(|key, _| is_there(key));
    }

    /// What is not read yet was written after this; `None`: all is read.
    pub(super) fn written_after(&self) -> Option<UtcMs> {
        let unread = |stream: &Stream| stream.unread.as_ref().map(|unread| stream.since.max(unread.said_at));
        self.streams.values().filter_map(unread).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t206_chosen_ids_hold_the_time_back_no_longer_than_it_takes_to_read_what_there_was() {
        let mut behind = Behind::default();
        behind.all("honest", 1_000);
        behind.more("liar", 100, 7);
        assert_eq!(behind.written_after(), Some(7), "nothing is known of it: it may be from before the start");
        assert_eq!(behind.unmarked(), ["liar"]);
        behind.length("liar", 250, 1_500);
        for _ in 0..2 {
            behind.more("liar", 100, 8);
            assert_eq!(behind.written_after(), Some(8));
        }
        behind.more("liar", 100, 9);
        assert_eq!(behind.written_after(), Some(1_500), "there were 250, and 300 were read since");
        behind.length("liar", 100_000, 3_000);
        behind.more("liar", 100, 2_000);
        assert_eq!(behind.written_after(), Some(2_000), "honest ids tell more");
        behind.all("liar", 4_000);
        assert_eq!(behind.written_after(), None);
        behind.more("liar", 100, 1);
        assert_eq!(behind.written_after(), Some(4_000), "it had been read to its end");
        behind.retain(|key| key == "honest");
        assert_eq!(behind.written_after(), None);
    }
}
