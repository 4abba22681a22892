//! What the reporter has yet to hand over. Bounded: Redis may be away for long.

use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

use crate::clock;
use crate::wire::{DeadLetter, Tick};

/// A check that is over, and its entry, which is to be acknowledged.
pub(crate) struct Finished {
    pub entry_id: String,
    pub end: End,
}

/// What is to be written before the entry is acknowledged.
pub(crate) enum End {
    /// It was run, and the exchange was over at `at` or before, as the tick's delays tell.
    Tick { tick: Box<Tick>, at: Instant },
    /// It was put away unrun, and the hub is to know.
    Letter(Box<DeadLetter>),
    /// It was put away unrun, and is only counted.
    Nothing,
}

/// Ticks and letters to write, and entries that are only to be acknowledged; each in the order they came.
pub(crate) struct Backlog {
    limit: usize,
    letter_limit: usize,
    ticks: VecDeque<Held>,
    letters: VecDeque<(String, Box<DeadLetter>)>,
    owed: VecDeque<String>,
}

/// A tick that waits to be written.
pub(crate) struct Held {
    pub entry_id: String,
    pub tick: Box<Tick>,
    /// Since when; `None` once it was tried: its content stays the same then.
    since: Option<Instant>,
}

impl Held {
    /// Its delays are complete: it is about to be written.
    pub(crate) fn close(&mut self, now: Instant) {
        let Some(since) = self.since.take() else { return };
        let before = Duration::from_micros(u64::from(self.tick.delays.report_us.unwrap_or(0)));
        self.tick.delays.report_us = Some(clock::micros(before + now.saturating_duration_since(since)));
    }
}

/// What adding something has cost.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Cost {
    /// A tick or a letter was dropped, the oldest; its entry is still acknowledged when that is possible.
    pub dropped: bool,
    /// An entry that will not be acknowledged either: Redis hands it out again.
    pub forgotten: Option<String>,
}

impl Backlog {
    /// Keeps at most `limit` ticks, as many entries without, and `letter_limit` letters.
    pub(crate) fn new(limit: usize, letter_limit: usize) -> Self {
        Self { limit, letter_limit, ticks: VecDeque::new(), letters: VecDeque::new(), owed: VecDeque::new() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ticks.is_empty() && self.letters.is_empty() && self.owed.is_empty()
    }

    /// Ticks that wait.
    pub(crate) fn ticks(&self) -> usize {
        self.ticks.len()
    }

    /// Letters that wait.
    pub(crate) fn letters(&self) -> usize {
        self.letters.len()
    }

    pub(crate) fn push(&mut self, finished: Finished) -> Cost {
        let entry_id = finished.entry_id;
        match finished.end {
            End::Tick { tick, at } => self.ticks.push_back(Held { entry_id, tick, since: Some(at) }),
            End::Letter(letter) => self.letters.push_back((entry_id, letter)),
            End::Nothing => self.owed.push_back(entry_id),
        }
        let mut dropped = None;
        if self.ticks.len() > self.limit {
            dropped = self.ticks.pop_front().map(|held| held.entry_id);
        } else if self.letters.len() > self.letter_limit {
            dropped = self.letters.pop_front().map(|(entry_id, _)| entry_id);
        }
        let mut cost = Cost { dropped: dropped.is_some(), forgotten: None };
        self.owed.extend(dropped);
        if self.owed.len() > self.limit {
            cost.forgotten = self.owed.pop_front();
        }
        cost
    }

    /// Whether the next tick costs the oldest.
    pub(crate) fn is_full(&self) -> bool {
        self.ticks.len() >= self.limit
    }

    /// The youngest ticks with their entries, at most `count`, to be written now, in the order they came: the hub's
    /// verdicts need what is new; what came before is history (T187).
    pub(crate) fn youngest(&mut self, count: usize) -> impl Iterator<Item = &Held> {
        let now = Instant::now();
        let older = self.ticks.len().saturating_sub(count);
        self.ticks.iter_mut().skip(older).map(move |held| {
            held.close(now);
            &*held
        })
    }

    /// The oldest ticks with their entries, to be put elsewhere.
    pub(crate) fn oldest(&mut self) -> impl Iterator<Item = &Held> {
        let now = Instant::now();
        self.ticks.iter_mut().map(move |held| {
            held.close(now);
            &*held
        })
    }

    /// Of the oldest ticks those of these entries are safe elsewhere: their entries are owed. Returns those for which there
    /// is no room.
    pub(crate) fn moved(&mut self, entries: &HashSet<String>) -> Vec<String> {
        let count = self.ticks.iter().take_while(|held| entries.contains(&held.entry_id)).count();
        let moved: Vec<String> = self.ticks.drain(..count).map(|held| held.entry_id).collect();
        self.owe(moved)
    }

    /// Entries to acknowledge as soon as that is possible. Returns those for which there is no room, the oldest.
    pub(crate) fn owe(&mut self, entries: Vec<String>) -> Vec<String> {
        self.owed.extend(entries);
        let over = self.owed.len().saturating_sub(self.limit);
        self.owed.drain(..over).collect()
    }

    /// The oldest letters with their entries, at most `count`.
    pub(crate) fn oldest_letters(&self, count: usize) -> impl Iterator<Item = &(String, Box<DeadLetter>)> {
        self.letters.iter().take(count)
    }

    /// The youngest ticks and the oldest letters were written and acknowledged: their entries.
    pub(crate) fn written(&mut self, ticks: usize, letters: usize) -> Vec<String> {
        let older = self.ticks.len().saturating_sub(ticks);
        let ticks = self.ticks.drain(older..).map(|held| held.entry_id);
        let letters = self.letters.drain(..letters.min(self.letters.len())).map(|(entry_id, _)| entry_id);
        ticks.chain(letters).collect()
    }

    /// Entries to acknowledge without anything to write.
    pub(crate) fn owed(&self) -> Vec<&str> {
        self.owed.iter().map(String::as_str).collect()
    }

    /// They were acknowledged: the same entries.
    pub(crate) fn settled(&mut self) -> Vec<String> {
        self.owed.drain(..).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::not_run;
    use crate::wire::{Check, CheckKind, DeadReason, Target, WebsiteId};

    fn tick() -> Box<Tick> {
        let check = Check {
            website_id: WebsiteId(uuid::Uuid::nil()),
            slot_at: 0,
            attempt: 0,
            kind: CheckKind::Scheduled,
            deadline_at: 0,
            published_at: 0,
            target: Target::get("https://example.com/"),
        };
        Box::new(not_run(&check, "It is a test."))
    }

    fn finished(id: &str, end: End) -> Finished {
        Finished { entry_id: id.to_owned(), end }
    }

    fn ran(id: &str) -> Finished {
        finished(id, End::Tick { tick: tick(), at: Instant::now() })
    }

    #[test]
    fn beyond_its_bound_the_oldest_tick_is_dropped_and_its_entry_is_still_owed() {
        let mut backlog = Backlog::new(2, 2);
        for id in ["1-0", "2-0"] {
            assert_eq!(backlog.push(ran(id)), Cost::default());
        }
        assert_eq!(backlog.push(finished("3-0", End::Nothing)), Cost::default());
        assert_eq!(backlog.push(ran("4-0")), Cost { dropped: true, forgotten: None });
        assert_eq!((backlog.ticks(), backlog.owed()), (2, vec!["3-0", "1-0"]));
        let cost = backlog.push(ran("5-0"));
        assert_eq!(cost, Cost { dropped: true, forgotten: Some("3-0".to_owned()) });
        assert!(backlog.is_full());
        assert_eq!(backlog.youngest(1).map(|held| held.entry_id.as_str()).collect::<Vec<_>>(), ["5-0"]);
        assert_eq!(backlog.written(1, 9), ["5-0"]);
        assert_eq!(backlog.settled(), ["1-0", "2-0"]);
        assert!(!backlog.is_empty());
    }

    #[test]
    fn t187_the_youngest_are_written_first_in_their_order_and_the_oldest_are_moved() {
        let mut backlog = Backlog::new(5, 2);
        (1..=5).for_each(|n| assert_eq!(backlog.push(ran(&format!("{n}-0"))), Cost::default()));
        let ids = |held: &Held| held.entry_id.clone();
        assert_eq!(backlog.youngest(2).map(ids).collect::<Vec<_>>(), ["4-0", "5-0"]);
        assert_eq!(backlog.written(2, 0), ["4-0", "5-0"]);
        assert_eq!(backlog.oldest().map(ids).collect::<Vec<_>>(), ["1-0", "2-0", "3-0"]);
        // The first of those that were moved was dropped meanwhile.
        assert!(backlog.moved(&["0-0", "1-0", "2-0"].map(str::to_owned).into()).is_empty());
        assert_eq!((backlog.ticks(), backlog.owed()), (1, vec!["1-0", "2-0"]));
        assert_eq!(backlog.owe((6..10).map(|n| format!("{n}-0")).collect()), ["1-0"], "the oldest, beyond the bound");
        assert_eq!(backlog.settled().len(), 5);
    }

    #[test]
    fn letters_are_bounded_apart_from_ticks() {
        let letter = |id: &str| {
            let letter = DeadLetter {
                entry_id: id.to_owned(),
                reason: DeadReason::Expired,
                detail: String::new(),
                website_id: None,
                raw: String::new(),
            };
            finished(id, End::Letter(Box::new(letter)))
        };
        let mut backlog = Backlog::new(9, 2);
        backlog.push(ran("1-0"));
        for id in ["2-0", "3-0"] {
            assert_eq!(backlog.push(letter(id)), Cost::default());
        }
        assert_eq!(backlog.push(letter("4-0")), Cost { dropped: true, forgotten: None });
        assert_eq!((backlog.ticks(), backlog.owed()), (1, vec!["2-0"]));
        assert_eq!(backlog.oldest_letters(1).map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ["3-0"]);
        assert_eq!(backlog.written(1, 1), ["1-0", "3-0"]);
        assert_eq!(backlog.settled(), ["2-0"]);
        assert!(!backlog.is_empty());
        assert_eq!(backlog.written(0, 9), ["4-0"]);
        assert!(backlog.is_empty());
    }

    #[test]
    fn the_delay_of_a_report_is_that_of_the_first_try() {
        let began = Instant::now();
        let mut held = Held { entry_id: String::new(), tick: tick(), since: Some(began) };
        held.tick.delays.report_us = Some(5);
        held.close(began + Duration::from_millis(2));
        held.close(began + Duration::from_millis(90));
        assert_eq!(held.tick.delays.report_us, Some(2_005));
    }
}
