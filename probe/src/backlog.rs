//! What the reporter has yet to hand over. Bounded: Redis may be away for long.

use std::collections::VecDeque;

use crate::wire::Tick;

/// A check that is over: the entry to acknowledge, and its tick. No tick: it was not run.
pub(crate) struct Finished {
    pub entry_id: String,
    pub tick: Option<Box<Tick>>,
}

/// Ticks to write, and entries that are only to be acknowledged; each in the order they came.
pub(crate) struct Backlog {
    limit: usize,
    ticks: VecDeque<(String, Box<Tick>)>,
    owed: VecDeque<String>,
}

/// What adding something has cost.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Cost {
    /// A tick was dropped, the oldest; its entry is still acknowledged when that is possible.
    pub dropped: bool,
    /// An entry that will not be acknowledged either: Redis hands it out again.
    pub forgotten: Option<String>,
}

impl Backlog {
    /// Keeps at most `limit` ticks, and as many entries without.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, ticks: VecDeque::new(), owed: VecDeque::new() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ticks.is_empty() && self.owed.is_empty()
    }

    /// Ticks that wait.
    pub(crate) fn ticks(&self) -> usize {
        self.ticks.len()
    }

    pub(crate) fn push(&mut self, finished: Finished) -> Cost {
        let mut cost = Cost::default();
        match finished.tick {
            Some(tick) => self.ticks.push_back((finished.entry_id, tick)),
            None => self.owed.push_back(finished.entry_id),
        }
        if self.ticks.len() > self.limit
            && let Some((entry_id, _)) = self.ticks.pop_front()
        {
            cost.dropped = true;
            self.owed.push_back(entry_id);
        }
        if self.owed.len() > self.limit {
            cost.forgotten = self.owed.pop_front();
        }
        cost
    }

    /// The oldest ticks with their entries, at most `count`.
    pub(crate) fn oldest(&self, count: usize) -> impl Iterator<Item = &(String, Box<Tick>)> {
        self.ticks.iter().take(count)
    }

    /// The oldest ticks were written and acknowledged: their entries.
    pub(crate) fn written(&mut self, count: usize) -> impl Iterator<Item = String> {
        self.ticks.drain(..count.min(self.ticks.len())).map(|(entry_id, _)| entry_id)
    }

    /// Entries to acknowledge without a tick.
    pub(crate) fn owed(&self) -> Vec<&str> {
        self.owed.iter().map(String::as_str).collect()
    }

    /// They were acknowledged: the same entries.
    pub(crate) fn settled(&mut self) -> impl Iterator<Item = String> {
        self.owed.drain(..)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::not_run;
    use crate::wire::{Check, CheckKind, Target, WebsiteId};

    #[test]
    fn beyond_its_bound_the_oldest_tick_is_dropped_and_its_entry_is_still_owed() {
        let check = Check {
            website_id: WebsiteId(uuid::Uuid::nil()),
            slot_at: 0,
            attempt: 0,
            kind: CheckKind::Scheduled,
            deadline_at: 0,
            published_at: 0,
            target: Target::get("https://example.com/"),
        };
        let finished = |id: &str, ran: bool| Finished {
            entry_id: id.to_owned(),
            tick: ran.then(|| Box::new(not_run(&check, "It is a test."))),
        };
        let mut backlog = Backlog::new(2);
        for id in ["1-0", "2-0"] {
            assert_eq!(backlog.push(finished(id, true)), Cost::default());
        }
        assert_eq!(backlog.push(finished("3-0", false)), Cost::default());
        assert_eq!(backlog.push(finished("4-0", true)), Cost { dropped: true, forgotten: None });
        assert_eq!((backlog.ticks(), backlog.owed()), (2, vec!["3-0", "1-0"]));
        let cost = backlog.push(finished("5-0", true));
        assert_eq!(cost, Cost { dropped: true, forgotten: Some("3-0".to_owned()) });
        assert_eq!(backlog.oldest(1).map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ["4-0"]);
        assert_eq!(backlog.written(1).collect::<Vec<_>>(), ["4-0"]);
        assert_eq!(backlog.settled().collect::<Vec<_>>(), ["1-0", "2-0"]);
        assert!(!backlog.is_empty());
    }
}
