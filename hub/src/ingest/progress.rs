//! How far ingest is: while it works off a backlog, its time is that of the backlog. A verdict must not run out because the
//! ticks that hold it up are read a little later.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::model::UtcMs;

/// Without a step forward for so long, the time is now: nothing that is stuck may hide that nobody looks (I6).
const STUCK_AFTER: Duration = Duration::from_secs(30);

/// Up to when reports are stored, per keeper.
pub(super) struct Progress {
    keepers: Mutex<Vec<Reached>>,
}

#[derive(Clone, Copy)]
struct Reached {
    /// `None`: all there is.
    at: Option<UtcMs>,
    stepped: Instant,
}

impl Progress {
    /// Nothing is stored yet.
    pub(super) fn new(keepers: usize) -> Self {
        let nothing = Reached { at: Some(0), stepped: Instant::now() };
        Self { keepers: Mutex::new(vec![nothing; keepers]) }
    }

    /// A keeper has stored what was received up to `at`; `None`: all there was.
    pub(super) fn reached(&self, keeper: usize, at: Option<UtcMs>) {
        let mut keepers = self.keepers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reached) = keepers.get_mut(keeper) {
            // Who is told the same again and again stands still, however much is read meanwhile.
            let is_step = reached.at.zip(at).is_none_or(|(before, at)| at > before);
            let stepped = if is_step { Instant::now() } else { reached.stepped };
            *reached = Reached { at, stepped };
        }
    }

    /// Whether a keeper has not come forward for long.
    pub(super) fn is_stuck(&self) -> bool {
        let keepers = self.keepers.lock().unwrap_or_else(PoisonError::into_inner);
        keepers.iter().any(|keeper| keeper.stepped.elapsed() >= STUCK_AFTER)
    }

    /// As of when verdicts may run out.
    pub(super) fn time(&self, now: UtcMs) -> UtcMs {
        let keepers = self.keepers.lock().unwrap_or_else(PoisonError::into_inner);
        let behind = keepers.iter().filter(|k| k.stepped.elapsed() < STUCK_AFTER).filter_map(|k| k.at);
        behind.min().map_or(now, |at| at.min(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_that_of_the_keeper_furthest_behind() {
        let progress = Progress::new(2);
        assert_eq!(progress.time(100), 0, "nothing runs out before anything was read");
        progress.reached(0, None);
        progress.reached(1, Some(70));
        assert_eq!(progress.time(100), 70);
        progress.reached(1, Some(170));
        assert_eq!(progress.time(100), 100);
        progress.reached(1, None);
        assert_eq!(progress.time(100), 100);
    }

    #[test]
    fn what_is_stuck_holds_nothing_up() {
        let progress = Progress::new(1);
        let long_ago = Instant::now().checked_sub(STUCK_AFTER).expect("an instant");
        progress.keepers.lock().expect("a lock")[0].stepped = long_ago;
        assert_eq!(progress.time(100), 100);
        progress.reached(0, Some(0));
        assert_eq!(progress.time(100), 100, "the same once more is no step");
        assert!(progress.is_stuck());
        progress.reached(0, Some(1));
        assert_eq!(progress.time(100), 1);
        assert!(!progress.is_stuck());
    }
}
