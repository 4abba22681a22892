//! Whether the parts of this hub move. Each says so itself, by a store of an integer; who asks is the one who tells the
//! operator, and the one who tells a dead man's switch that all is well.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

/// Without a move for so long a part stands still. The slowest of them move every 10 s.
pub const STANDS_AFTER: Duration = Duration::from_secs(30);
/// What is taken in may be so much older than now, or nobody hears who is silent.
const BEHIND_MS: i64 = 15_000;

/// A part without which nothing is measured, or nobody is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Checks go out in time.
    Schedule,
    /// Results come in, or there are none.
    Ingest,
    /// Verdicts that nothing holds up any more end.
    Review,
    /// Alerts are looked for.
    Alert,
    /// Jobs that do not report are looked for.
    Listen,
    /// The database takes what this hub says of itself.
    Store,
}

impl Part {
    const ALL: [Self; 6] = [Self::Schedule, Self::Ingest, Self::Review, Self::Alert, Self::Listen, Self::Store];

    /// What it does, in words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Schedule => "the schedule",
            Self::Ingest => "taking results in",
            Self::Review => "ending verdicts without results",
            Self::Alert => "sending alerts",
            Self::Listen => "looking for jobs that do not report",
            Self::Store => "writing to the database",
        }
    }
}

/// When each part last moved. Cheap to clone; clones share it.
#[derive(Debug, Clone)]
pub struct Vitals(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    base: Instant,
    /// Milliseconds after `base`; 0: not yet.
    moved: [AtomicI64; 6],
    /// Since when the queue cannot be read, likewise; 0: it can.
    queue_away: AtomicI64,
    has_read: AtomicI64,
    behind_ms: AtomicI64,
    /// When the database last had no room, likewise.
    full: AtomicI64,
}

impl Default for Vitals {
    fn default() -> Self {
        Self(Arc::new(Inner {
            base: Instant::now(),
            moved: Default::default(),
            queue_away: AtomicI64::new(0),
            has_read: AtomicI64::new(0),
            behind_ms: AtomicI64::new(0),
            full: AtomicI64::new(0),
        }))
    }
}

impl Vitals {
    /// Milliseconds since the start, 1 at least. Of a clock that stands still in a suspend, as all who move do.
    fn now(&self) -> i64 {
        i64::try_from(self.0.base.elapsed().as_millis()).unwrap_or(i64::MAX).max(1)
    }

    fn of(&self, part: Part) -> &AtomicI64 {
        let [schedule, ingest, review, alert, listen, store] = &self.0.moved;
        match part {
            Part::Schedule => schedule,
            Part::Ingest => ingest,
            Part::Review => review,
            Part::Alert => alert,
            Part::Listen => listen,
            Part::Store => store,
        }
    }

    /// A part has done what it is there for.
    pub fn moved(&self, part: Part) {
        self.of(part).store(self.now(), Ordering::Relaxed);
    }

    /// The queue was read, or it was not.
    pub fn queue(&self, is_read: bool) {
        if is_read {
            self.0.queue_away.store(0, Ordering::Relaxed);
            self.0.has_read.store(1, Ordering::Relaxed);
        } else {
            // Since the first failure.
            let _ = self.0.queue_away.compare_exchange(0, self.now(), Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// What is taken in is so much older than now.
    pub fn behind(&self, ms: i64) {
        self.0.behind_ms.store(ms, Ordering::Relaxed);
    }

    /// How old what is taken in is, in milliseconds.
    #[must_use]
    pub fn behind_ms(&self) -> i64 {
        self.0.behind_ms.load(Ordering::Relaxed).max(0)
    }

    /// The database had no room.
    pub fn full(&self) {
        self.0.full.store(self.now(), Ordering::Relaxed);
    }

    /// For how long the queue has been away, in milliseconds.
    #[must_use]
    pub fn queue_away_ms(&self) -> Option<i64> {
        let since = Some(self.0.queue_away.load(Ordering::Relaxed)).filter(|since| *since > 0)?;
        Some(self.now().saturating_sub(since))
    }

    /// How long ago the database last had no room, in milliseconds.
    #[must_use]
    pub fn full_ago_ms(&self) -> Option<i64> {
        let at = Some(self.0.full.load(Ordering::Relaxed)).filter(|at| *at > 0)?;
        Some(self.now().saturating_sub(at))
    }

    /// Whether it reads what workers report, about when they report it.
    #[must_use]
    pub fn hears(&self) -> bool {
        self.0.has_read.load(Ordering::Relaxed) > 0
            && self.queue_away_ms().is_none()
            && self.0.behind_ms.load(Ordering::Relaxed) < BEHIND_MS
            && !self.stands(Part::Ingest)
    }

    /// Whether a part has not moved for long, or not yet since a start that takes long.
    #[must_use]
    pub fn stands(&self, part: Part) -> bool {
        let moved = self.of(part).load(Ordering::Relaxed);
        let after_ms = i64::try_from(STANDS_AFTER.as_millis()).unwrap_or(i64::MAX);
        self.now().saturating_sub(moved) > after_ms
    }

    /// Parts that stand still. Without the queue nothing goes out and nothing comes in: that is told by itself.
    #[must_use]
    pub fn standing(&self) -> Vec<Part> {
        let has_queue = self.queue_away_ms().is_none();
        let concerns = |part: &Part| has_queue || !matches!(part, Part::Schedule | Part::Ingest);
        Part::ALL.into_iter().filter(|part| concerns(part) && self.stands(*part)).collect()
    }

    /// Parts that stand still by themselves. `None`: the database took nothing for long, and whatever stands still may wait for
    /// it; nor could anybody be told.
    #[must_use]
    pub fn late(&self) -> Option<Vec<Part>> {
        (!self.stands(Part::Store)).then(|| self.standing())
    }

    /// Why this hub does not work, or not yet; `None`: it measures, stores and tells.
    #[must_use]
    pub fn ailing(&self) -> Option<String> {
        if self.queue_away_ms().is_some() {
            return Some("the queue cannot be reached".to_owned());
        }
        if self.full_ago_ms().is_some_and(|ms| ms < 60_000) {
            return Some("the database has no room".to_owned());
        }
        let still: Vec<&str> = self.standing().into_iter().map(Part::words).collect();
        if !still.is_empty() {
            return Some(format!("it stands still in {}", still.join(", ")));
        }
        let unmoved = Part::ALL.into_iter().find(|part| self.of(*part).load(Ordering::Relaxed) == 0);
        unmoved.map(|part| format!("it has not begun with {}", part.words()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn long_ago() -> Vitals {
        let vitals = Vitals::default();
        let Vitals(inner) = vitals;
        let mut inner = Arc::try_unwrap(inner).expect("one owner");
        inner.base = Instant::now().checked_sub(Duration::from_secs(1_000)).expect("an instant");
        Vitals(Arc::new(inner))
    }

    #[test]
    fn it_works_when_all_parts_have_moved_and_go_on_moving() {
        let vitals = Vitals::default();
        assert!(vitals.ailing().is_some_and(|why| why.contains("not begun")), "not before it does anything");
        Part::ALL.iter().for_each(|part| vitals.moved(*part));
        assert_eq!(vitals.ailing(), None);
        for part in Part::ALL {
            let vitals = long_ago();
            Part::ALL.iter().for_each(|part| vitals.moved(*part));
            assert_eq!(vitals.ailing(), None);
            vitals.of(part).store(vitals.now() - 31_000, Ordering::Relaxed);
            assert_eq!(vitals.standing(), [part]);
            assert!(vitals.ailing().is_some_and(|why| why.contains(part.words())), "{part:?}");
        }
    }

    #[test]
    fn what_waits_for_the_database_does_not_stand_still_by_itself() {
        let vitals = long_ago();
        vitals.queue(true);
        assert_eq!(vitals.late(), None);
        // It takes writes again: what waited for it has a moment to go on.
        vitals.moved(Part::Store);
        Part::ALL.into_iter().filter(|part| *part != Part::Alert).for_each(|part| vitals.moved(part));
        assert_eq!(vitals.late(), Some(vec![Part::Alert]));
        vitals.moved(Part::Alert);
        assert_eq!(vitals.late(), Some(Vec::new()));
    }

    #[test]
    fn without_the_queue_the_parts_behind_it_are_not_at_fault() {
        let vitals = long_ago();
        [Part::Review, Part::Alert, Part::Listen, Part::Store].iter().for_each(|part| vitals.moved(*part));
        vitals.queue(true);
        assert_eq!(vitals.standing(), [Part::Schedule, Part::Ingest]);
        vitals.queue(false);
        vitals.queue(false);
        assert_eq!(vitals.standing(), []);
        assert!(vitals.ailing().is_some_and(|why| why.contains("queue")));
        assert!(!vitals.hears());
        vitals.queue(true);
        vitals.moved(Part::Ingest);
        assert!(vitals.hears() && vitals.queue_away_ms().is_none());
        vitals.behind(20_000);
        assert!(!vitals.hears(), "who is behind hears of the past");
    }
}
