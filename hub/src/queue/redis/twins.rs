//! Two workers of one name: both work, and share one identity by mistake (T170).

use std::collections::HashMap;

use crate::model::UtcMs;

/// Names remembered.
const NAMES: usize = 10_000;
/// Between two lines about one name.
const EVERY_MS: i64 = 60_000;

/// Starts of each worker, as its heartbeats tell.
#[derive(Debug, Default)]
pub(super) struct Twins {
    starts: HashMap<String, Starts>,
}

#[derive(Debug)]
struct Starts {
    last: UtcMs,
    before: Option<UtcMs>,
    told_at: Option<UtcMs>,
}

impl Twins {
    /// Notes a heartbeat of the process that started at `started_at`; true when there are two and that is worth a line.
    /// A restart changes the start once, two processes change it back again and again.
    pub(super) fn note(&mut self, stream: &str, started_at: UtcMs, now: UtcMs) -> bool {
        if self.starts.len() >= NAMES && !self.starts.contains_key(stream) {
            self.starts.clear();
        }
        let starts = self.starts.entry(stream.to_owned());
        let known = starts.or_insert(Starts { last: started_at, before: None, told_at: None });
        if known.last == started_at {
            return false;
        }
        let is_back = known.before == Some(started_at);
        known.before = Some(known.last);
        known.last = started_at;
        let is_news = known.told_at.is_none_or(|at| (now - at).abs() >= EVERY_MS);
        if is_back && is_news {
            known.told_at = Some(now);
        }
        is_back && is_news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t170_two_processes_of_one_name_are_told_from_a_restart() {
        let mut twins = Twins::default();
        let mut note = |started_at, now| twins.note("a", started_at, now);
        assert_eq!([note(1, 0), note(1, 10_000), note(2, 20_000), note(2, 30_000), note(3, 40_000)], [false; 5]);
        assert_eq!([note(2, 41_000), note(3, 50_000), note(2, 51_000)], [true, false, false]);
        assert!(note(3, 102_000), "once a minute");
    }
}
