//! Slots of regions that fell silent a moment ago. It may be this hub that did not hear: after an outage of the queue it
//! may publish before it has read that they live. A slot waits for its region while it is young enough.

use tokio::time::{Duration, Instant};

use super::plan::Due;

/// How often it is asked whether their regions live.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Slots that wait, some 12 MB of them: those of 15 s of a million websites. More are missed.
const MOST: usize = 300_000;

/// Those that wait, with the seconds they came of. These are marked meanwhile: no other hub has them.
#[derive(Debug)]
pub(super) struct Silent {
    slots: Vec<(i64, Due)>,
    look_at: Instant,
}

impl Silent {
    pub(super) fn new() -> Self {
        Self { slots: Vec::new(), look_at: Instant::now() }
    }

    /// One more waits. False: there are too many.
    pub(super) fn keep(&mut self, second: i64, due: Due) -> bool {
        let is_room = self.slots.len() < MOST;
        if is_room {
            self.slots.push((second, due));
        }
        is_room
    }

    /// Takes out `most` of them at the most, to be looked at again.
    pub(super) fn again(&mut self, now: Instant, most: usize) -> Vec<(i64, Due)> {
        if self.slots.is_empty() || most == 0 || now < self.look_at {
            return Vec::new();
        }
        self.look_at = now + LOOK_EVERY;
        self.slots.drain(..most.min(self.slots.len())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_looked_at_now_and_then_and_is_bounded() {
        let due = |slot_at| Due { website: 0, stamp: 0, region: 0, in_line: false, slot_at, publish_at: slot_at };
        let (mut silent, now) = (Silent::new(), Instant::now() + LOOK_EVERY);
        assert!((0..3).all(|n| silent.keep(n, due(n))));
        assert_eq!(silent.again(now, 0), []);
        assert_eq!(silent.again(now, 2), [(0, due(0)), (1, due(1))]);
        assert_eq!(silent.again(now, 2), [], "a moment later");
        assert_eq!(silent.again(now + LOOK_EVERY, 2), [(2, due(2))]);
        silent.slots = vec![(0, due(0)); MOST];
        assert!(!silent.keep(9, due(9)));
    }
}
