//! Websites as witnesses: canaries that a firewall keeps from answering would excuse every outage for ever, although other
//! websites answer over the same network.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::evidence::{Families, Round};

/// Silent rounds in a row with a website's answer in between or meanwhile, after which canaries are taken for blocked. One
/// may be a network that comes and goes.
const CONTRADICTED: u8 = 2;
/// How long the answer of a website stands against the silence of canaries that are blocked: the usual interval of a
/// website. For others it does only when it came during the round: one of a second before is no sign that the network
/// still worked when the check failed.
const WITNESSED: Duration = Duration::from_secs(60);

/// When public websites answered last. Written at every check, so without a lock.
#[derive(Debug)]
pub(super) struct Websites {
    zero: Instant,
    /// Microseconds since `zero`, plus 1; 0: never.
    v4: AtomicU64,
    v6: AtomicU64,
}

impl Websites {
    pub(super) fn new() -> Self {
        Self { zero: Instant::now(), v4: AtomicU64::new(0), v6: AtomicU64::new(0) }
    }

    /// A website at this address answered.
    pub(super) fn note(&self, address: IpAddr, at: Instant) {
        let Ok(us) = u64::try_from(at.saturating_duration_since(self.zero).as_micros()) else { return };
        let last = if address.is_ipv4() { &self.v4 } else { &self.v6 };
        last.fetch_max(us.saturating_add(1), Ordering::Relaxed);
    }

    pub(super) fn last(&self) -> Last {
        let at = |last: &AtomicU64| {
            let us = last.load(Ordering::Relaxed).checked_sub(1)?;
            self.zero.checked_add(Duration::from_micros(us))
        };
        Last { v4: at(&self.v4), v6: at(&self.v6) }
    }
}

/// When a website answered last, by family.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Last {
    pub(super) v4: Option<Instant>,
    pub(super) v6: Option<Instant>,
}

/// What is held against the canaries of each family.
#[derive(Debug, Default)]
pub(super) struct Doubts {
    v4: Doubt,
    v6: Doubt,
}

#[derive(Debug, Default)]
struct Doubt {
    /// End of the last round, if it was silent.
    silent_at: Option<Instant>,
    /// Silent rounds that a website has contradicted, since a canary answered last.
    contradicted: u8,
    told: bool,
}

/// What websites say about a round.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Witness {
    /// Over these the network works, whatever the canaries say.
    pub(super) works: Families,
    /// Over these the canaries are blocked, and that has not been told before.
    pub(super) blocked: Families,
}

impl Doubts {
    /// Weighs a round that ended at `ended`. Pure.
    pub(super) fn weigh(&mut self, round: &Round, ended: Instant, last: Last) -> Witness {
        // Canaries that this machine's own rules hold back are as silent as others.
        let asked = |asked: bool| asked || round.prevented;
        let span = (round.begun, ended);
        let (v4_works, v4_blocked) = self.v4.weigh(asked(round.asked.v4), round.answered.v4, span, last.v4);
        let (v6_works, v6_blocked) = self.v6.weigh(asked(round.asked.v6), round.answered.v6, span, last.v6);
        Witness { works: Families { v4: v4_works, v6: v6_works }, blocked: Families { v4: v4_blocked, v6: v6_blocked } }
    }
}

impl Doubt {
    /// Whether the network works all the same, and whether it is time to tell that the canaries are blocked.
    fn weigh(
        &mut self,
        asked: bool,
        answered: bool,
        (begun, ended): (Instant, Instant),
        last: Option<Instant>,
    ) -> (bool, bool) {
        if answered {
            self.silent_at = None;
            self.contradicted = 0;
            return (true, false);
        }
        let during = last.is_some_and(|last| last >= begun);
        let lately = last.is_some_and(|last| begun.saturating_duration_since(last) < WITNESSED);
        if !asked {
            return (during, false);
        }
        if during || self.silent_at.zip(last).is_some_and(|(silent, last)| last > silent) {
            self.contradicted = self.contradicted.saturating_add(1);
        } else if !lately {
            self.contradicted = 0;
        }
        self.silent_at = Some(ended);
        let blocked = self.contradicted >= CONTRADICTED;
        let tell = blocked && !self.told;
        self.told |= tell;
        (during || (blocked && lately), tell)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const V4: Families = Families { v4: true, v6: false };
    const NONE: Families = Families { v4: false, v6: false };

    #[test]
    fn websites_contradict_canaries_only_where_they_can_know() {
        let zero = Instant::now();
        let at = |ms: u64| zero + Duration::from_millis(ms);
        // (begun, ended, canaries answered, website answered or 0, works, blocked is told)
        type Told = (u64, u64, bool, u64, bool, bool);
        let table: &[(&str, &[Told])] = &[
            ("nobody answers", &[(1_000, 3_000, false, 0, false, false), (9_000, 11_000, false, 0, false, false)]),
            (
                "a busy probe whose cable is pulled: the last answer was a moment ago",
                &[(10_000, 12_000, false, 9_990, false, false), (20_000, 22_000, false, 9_990, false, false)],
            ),
            (
                "websites answer meanwhile",
                &[
                    (10_000, 12_000, false, 11_000, true, false),
                    (20_000, 22_000, false, 20_500, true, true),
                    (30_000, 32_000, false, 31_000, true, false),
                ],
            ),
            (
                "few websites, which answer in between; then nobody",
                &[
                    (10_000, 12_000, false, 5_000, false, false),
                    (20_000, 22_000, false, 15_000, false, false),
                    (30_000, 32_000, false, 15_000, false, false),
                    (80_000, 82_000, false, 75_000, true, true),
                    (130_000, 132_000, false, 75_000, true, false),
                    (140_000, 142_000, false, 75_000, false, false),
                    (150_000, 152_000, false, 145_000, false, false),
                ],
            ),
            (
                "a network that comes and goes: a canary's answer clears the others",
                &[
                    (10_000, 12_000, false, 0, false, false),
                    (20_000, 22_000, false, 15_000, false, false),
                    (24_000, 24_010, true, 23_000, true, false),
                    (30_000, 32_000, false, 29_000, false, false),
                    (40_000, 42_000, false, 29_000, false, false),
                ],
            ),
        ];
        for (what, told) in table {
            let mut doubts = Doubts::default();
            for (begun, ended, answered, website, works, blocked) in *told {
                let answered = if *answered { V4 } else { NONE };
                let round = Round { asked: V4, answered, ..Round::begin(at(*begun)) };
                let last = Last { v4: (*website > 0).then(|| at(*website)), v6: None };
                let witness = doubts.weigh(&round, at(*ended), last);
                let of = |yes: bool| if yes { V4 } else { NONE };
                assert_eq!(witness, Witness { works: of(*works), blocked: of(*blocked) }, "{what}: {begun}");
            }
        }
    }

    #[test]
    fn websites_speak_for_families_without_canaries_and_for_canaries_that_our_own_rules_hold_back() {
        let begun = Instant::now();
        let later = begun + Duration::from_secs(1);
        let last = Last { v4: Some(later), v6: None };
        let mut doubts = Doubts::default();
        for _ in 0..5 {
            let unasked = doubts.weigh(&Round::begin(begun), later, last);
            assert_eq!(unasked, Witness { works: V4, blocked: NONE });
        }
        let prevented = Round { prevented: true, ..Round::begin(begun) };
        assert_eq!(doubts.weigh(&prevented, later, last), Witness { works: V4, blocked: NONE });
        assert_eq!(doubts.weigh(&prevented, later, last), Witness { works: V4, blocked: V4 });
    }

    #[test]
    fn the_last_answer_of_each_family_is_kept() {
        let websites = Websites::new();
        assert!(websites.last().v4.is_none() && websites.last().v6.is_none());
        let (first, second) = (Instant::now(), Instant::now() + Duration::from_secs(1));
        websites.note([93, 184, 216, 34].into(), second);
        websites.note([93, 184, 216, 34].into(), first);
        let last = websites.last();
        assert!(last.v6.is_none());
        assert!(last.v4.is_some_and(|at| at <= second && second - at < Duration::from_millis(1)), "{last:?}");
    }
}
