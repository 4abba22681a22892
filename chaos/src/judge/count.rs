//! What came of the checks, and what of it is against the invariants.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A slot without a tick for which there is no excuse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// The website's number.
    pub website: usize,
    /// The region's number.
    pub region: usize,
    /// The slot.
    pub slot_at: i64,
    /// Where it was last seen.
    pub seen: Seen,
}

/// Where a check without a tick was last seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// At the website, at this instant: the tick was lost.
    Asking(i64),
    /// Nowhere: the check was lost.
    Nowhere,
    /// Two regions ask this website, and nobody can tell whose requests came.
    Unclear,
    /// It became a dead letter of this kind, without need.
    PutAway(String),
}

/// What came of the slots of a span.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Count {
    /// Slots that were due.
    pub expected: u64,
    /// Those with a tick.
    pub stored: u64,
    /// Ticks beyond one for a slot: under a name of their own, since the key forbids two under one.
    pub doubled: u64,
    /// Ticks of no slot there is.
    pub stray: u64,
    /// Requests beyond one for a slot.
    pub repeated: u64,
    /// Of these, those at times when nothing had happened that makes a repetition right: website and instant.
    pub needless: Vec<(usize, i64)>,
    /// Slots missed by design: no tick, and a fault that excuses it.
    pub missed: u64,
    /// Of these, with a dead letter.
    pub put_away: u64,
    /// Ticks whose check began more than a second after its slot.
    pub late: u64,
    /// Slots without a tick and without an excuse.
    pub lost: Vec<Lost>,
    /// Checks that began after their deadline (I8).
    pub stale: u64,
    /// Checks that began before their slot.
    pub early: u64,
    /// Ticks that say their check began at another time than its website was asked.
    pub misdated: u64,
    /// Good ticks of websites nobody had asked.
    pub invented: u64,
    /// Dead letters that no fault explains, in words.
    pub letters: Vec<String>,
    /// Websites that were asked more than twice as often as configured in a stretch of one interval (I8), and when.
    pub crowded: BTreeMap<usize, Vec<i64>>,
    /// Websites that were said to be down while they were not (I5).
    pub false_downs: BTreeSet<usize>,
    /// Websites that were said to be unknown while a region had just reported on them.
    pub false_unknowns: BTreeSet<usize>,
    /// Begin of checks after their slot, in milliseconds, sorted.
    pub lateness_ms: Vec<i64>,
}

impl Count {
    /// Lateness that this share of the checks did not exceed, in milliseconds.
    #[must_use]
    pub fn lateness_at(&self, share: f64) -> i64 {
        let last = self.lateness_ms.len().saturating_sub(1);
        self.lateness_ms.get((last as f64 * share).round() as usize).copied().unwrap_or(0)
    }

    /// What is against the invariants, in words.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let mut problems: Vec<String> = self.lost.iter().take(20).map(|lost| format!("I1 lost: {lost}")).collect();
        let more = self.lost.len().saturating_sub(20);
        let numbers = [
            (more as u64, "I1 lost: more of them"),
            (self.doubled, "I2 doubled ticks"),
            (self.stray, "I2 ticks of no slot there is"),
            (self.invented, "I1 good ticks of websites that nobody had asked"),
            (self.misdated, "T198 ticks that tell of another time than their website was asked at"),
            (self.early, "T203 checks begun before their slot"),
            (self.stale, "I8 checks begun after their deadline"),
        ];
        problems.extend(numbers.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{what}: {n}")));
        let sets = [
            (&self.false_downs, "I5 said to be down while they were not"),
            (&self.false_unknowns, "I6 said to be unknown though a region had just reported"),
        ];
        problems.extend(sets.iter().filter(|(s, _)| !s.is_empty()).map(|(s, what)| format!("{what}: websites {s:?}")));
        if !self.crowded.is_empty() {
            let some: Vec<_> = self.crowded.iter().take(5).collect();
            let n = self.crowded.len();
            problems.push(format!("I8 asked more than twice as often as configured: {n} websites, at {some:?}"));
        }
        if !self.needless.is_empty() {
            let (n, some) = (self.needless.len(), self.needless.iter().take(10).collect::<Vec<_>>());
            problems.push(format!("I8 {n} requests repeated without need (website, instant): {some:?}"));
        }
        problems.extend(self.letters.iter().take(10).map(|letter| format!("a dead letter nobody explains: {letter}")));
        if self.letters.len() > 10 {
            problems.push(format!("dead letters nobody explains: {} in all", self.letters.len()));
        }
        problems
    }

    /// Adds another count.
    pub fn add(&mut self, other: &Self) {
        self.expected += other.expected;
        self.stored += other.stored;
        self.doubled += other.doubled;
        self.stray += other.stray;
        self.repeated += other.repeated;
        self.needless.extend(&other.needless);
        self.missed += other.missed;
        self.put_away += other.put_away;
        self.late += other.late;
        self.lost.extend(other.lost.iter().cloned());
        self.stale += other.stale;
        self.early += other.early;
        self.misdated += other.misdated;
        self.invented += other.invented;
        self.letters.extend(other.letters.iter().cloned());
        self.crowded.extend(other.crowded.clone());
        self.false_downs.extend(&other.false_downs);
        self.false_unknowns.extend(&other.false_unknowns);
        self.lateness_ms.extend(&other.lateness_ms);
        self.lateness_ms.sort_unstable();
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "website {} region {} slot {}: ", self.website, self.region, self.slot_at)?;
        match &self.seen {
            Seen::Asking(at) => write!(f, "asked {} ms after it, tick not stored", at - self.slot_at),
            Seen::Nowhere => f.write_str("never asked"),
            Seen::Unclear => f.write_str("no tick"),
            Seen::PutAway(kind) => write!(f, "a dead letter, {kind}, without need"),
        }
    }
}
