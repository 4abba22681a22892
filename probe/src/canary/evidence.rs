//! What rounds of canaries say about a failed check. Pure: instants in, a word out.

use std::net::IpAddr;
use std::time::{Duration, Instant};

/// A good round that began in the middle of a check counts while it is this young.
pub(super) const YOUNG: Duration = Duration::from_secs(1);

/// Families of addresses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Families {
    pub(super) v4: bool,
    pub(super) v6: bool,
}

impl Families {
    pub(super) fn has(self, address: IpAddr) -> bool {
        if address.is_ipv4() { self.v4 } else { self.v6 }
    }

    pub(super) fn is_none(self) -> bool {
        !self.v4 && !self.v6
    }

    /// For a sentence; nothing when it is all of them.
    pub(super) fn over(self) -> &'static str {
        match (self.v4, self.v6) {
            (true, false) => " over IPv4",
            (false, true) => " over IPv6",
            (true, true) | (false, false) => "",
        }
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self { v4: self.v4 && other.v4, v6: self.v6 && other.v6 }
    }

    pub(super) fn or(self, other: Self) -> Self {
        Self { v4: self.v4 || other.v4, v6: self.v6 || other.v6 }
    }
}

/// One time all canaries were asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Round {
    pub(super) begun: Instant,
    /// `None` while some have not answered and may yet.
    pub(super) ended: Option<Instant>,
    /// Families over which somebody was asked and has answered, or has not in time. Complete at the end.
    pub(super) asked: Families,
    /// Families over which somebody answered.
    pub(super) answered: Families,
    /// Somebody was not asked, since this machine did not let us.
    pub(super) prevented: bool,
}

impl Round {
    pub(super) fn begin(begun: Instant) -> Self {
        Self { begun, ended: None, asked: Families::default(), answered: Families::default(), prevented: false }
    }

    /// What it says about these families: a canary of one of them where there are any, else anybody. `None`: not known
    /// yet, since only the end tells whether there are any.
    pub(super) fn says(&self, families: Families) -> Option<Evidence> {
        let own = self.answered.and(families);
        if !own.is_none() || (families.is_none() && !self.answered.is_none()) {
            return Some(Evidence::Works);
        }
        self.ended?;
        Some(if families.and(self.asked).is_none() && !self.answered.is_none() {
            Evidence::Works
        } else if self.asked.is_none() && self.prevented {
            Evidence::Nobody(Ignorance::Prevented)
        } else {
            Evidence::CutOff
        })
    }

    fn overlaps(&self, failed: &Failed) -> bool {
        self.begun <= failed.ended && self.ended.is_none_or(|ended| ended >= failed.started)
    }
}

/// A check that failed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Failed {
    pub(super) started: Instant,
    pub(super) ended: Instant,
    /// Over which it tried to reach the website; none when it did not come to that.
    pub(super) families: Families,
}

/// What is known about the network while a check failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Evidence {
    /// It was cut off: the failure says nothing about the website.
    CutOff,
    /// It worked: the failure stands.
    Works,
    /// Nobody knows: the failure may be ours.
    Nobody(Ignorance),
}

/// Why nobody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ignorance {
    /// The probe asks nobody any more.
    Stopping,
    /// No thread could be started.
    NoThread,
    /// No word in the time that a check may wait for one.
    TooLate,
    /// This machine's own rules or limits.
    Prevented,
    /// Others are asked about other networks already, as many as may be at once.
    TooMany,
}

impl Ignorance {
    /// Completes "could not be found out: ".
    pub(super) fn why(self) -> &'static str {
        match self {
            Self::Stopping => "the probe was stopping",
            Self::NoThread => "no thread could be started to ask",
            Self::TooLate => "nobody was heard in time",
            Self::TooMany => "the gateways of too many networks were to be asked at once",
            Self::Prevented => "this machine's own rules or limits let nobody be asked",
        }
    }
}

/// What `rounds`, oldest first, say about a failure; `None` when that takes another round. Nobody answering in a round
/// that overlaps the check is enough to excuse it; after that the first round begun at its end decides, or a good one of
/// a moment ago that began while it ran.
pub(super) fn evidence<'a>(
    rounds: impl DoubleEndedIterator<Item = &'a Round> + Clone,
    failed: &Failed,
    now: Instant,
) -> Option<Evidence> {
    let bad = |round: &Round| round.says(failed.families) == Some(Evidence::CutOff);
    if rounds.clone().any(|round| round.overlaps(failed) && bad(round)) {
        return Some(Evidence::CutOff);
    }
    let after = rounds.clone().find(|round| round.begun >= failed.ended);
    if let Some(said) = after.and_then(|round| round.says(failed.families)) {
        return Some(said);
    }
    let during = |round: &&Round| round.begun >= failed.started && round.begun < failed.ended;
    let newest = rounds.rev().find(during)?;
    let fresh = now.saturating_duration_since(newest.begun) < YOUNG;
    (fresh && newest.says(failed.families) == Some(Evidence::Works)).then_some(Evidence::Works)
}

#[cfg(test)]
mod tests {
    use super::*;

    const V4: Families = Families { v4: true, v6: false };
    const V6: Families = Families { v4: false, v6: true };
    const BOTH: Families = Families { v4: true, v6: true };
    const NONE: Families = Families { v4: false, v6: false };

    #[test]
    fn t188_a_failure_is_excused_by_silence_and_stands_by_an_answer() {
        use Evidence::{CutOff, Works};
        let zero = Instant::now();
        let at = |ms: u64| zero + Duration::from_millis(ms);
        // (begun, ended or 0, answered); the check ran from 10,000 to 15,000.
        type Told = (u64, u64, bool);
        let table: &[(&str, &[Told], u64, Option<Evidence>)] = &[
            ("nobody was asked", &[], 15_000, None),
            ("long before", &[(1_000, 2_000, false), (3_000, 3_010, true)], 15_000, None),
            ("silence that reached into it", &[(8_500, 10_000, false)], 15_000, Some(CutOff)),
            (
                "silence in the middle, then answers",
                &[(11_000, 13_000, false), (14_900, 14_910, true)],
                15_000,
                Some(CutOff),
            ),
            ("answers long ago in the middle", &[(11_000, 11_010, true)], 15_000, None),
            ("answers a moment ago in the middle", &[(14_500, 14_510, true)], 15_000, Some(Works)),
            ("an answer that is there already", &[(14_500, 0, true)], 15_000, Some(Works)),
            ("answers of before it began", &[(9_900, 10_100, true)], 10_200, None),
            ("silence at its end", &[(15_000, 17_000, false)], 17_000, Some(CutOff)),
            ("answers at its end", &[(15_000, 15_010, true)], 15_010, Some(Works)),
            (
                "answers at its end, silence later",
                &[(15_000, 15_010, true), (17_000, 19_000, false)],
                19_000,
                Some(Works),
            ),
            (
                "silence at its end, answers later",
                &[(15_000, 17_000, false), (17_100, 17_110, true)],
                18_000,
                Some(CutOff),
            ),
            ("still waiting", &[(15_000, 0, false)], 16_000, None),
            ("good in the middle, still waiting", &[(14_500, 14_510, true), (15_200, 0, false)], 15_300, Some(Works)),
        ];
        for (what, told, now, expected) in table {
            let rounds: Vec<Round> = told
                .iter()
                .map(|(begun, ended, answered)| Round {
                    begun: at(*begun),
                    ended: (*ended > 0).then(|| at(*ended)),
                    asked: V4,
                    answered: if *answered { V4 } else { NONE },
                    prevented: false,
                })
                .collect();
            // A quick failure of the row that is about one.
            let ended = if *now < 15_000 { at(10_150) } else { at(15_000) };
            let failed = Failed { started: at(10_000), ended, families: V4 };
            assert_eq!(evidence(rounds.iter(), &failed, at(*now)), *expected, "{what}");
        }
    }

    #[test]
    fn each_family_is_spoken_for_by_its_own_canaries_where_it_has_any() {
        // (asked, answered, family of the failure, works)
        let table = [
            (BOTH, V4, V4, true),
            (BOTH, V4, V6, false),
            (BOTH, V4, BOTH, true),
            (BOTH, V4, NONE, true),
            (BOTH, NONE, NONE, false),
            (V4, V4, V6, true),
            (V4, NONE, V6, false),
            (V6, V6, V4, true),
        ];
        let now = Instant::now();
        for (asked, answered, families, works) in table {
            let round = Round { ended: Some(now), asked, answered, ..Round::begin(now) };
            let says = if works { Evidence::Works } else { Evidence::CutOff };
            assert_eq!(round.says(families), Some(says), "{asked:?} {answered:?} {families:?}");
        }
    }

    #[test]
    fn before_its_end_a_round_speaks_only_for_families_that_have_answered() {
        // (answered, family of the failure, works)
        let table = [
            (V4, V4, Some(Evidence::Works)),
            (V4, BOTH, Some(Evidence::Works)),
            (V4, NONE, Some(Evidence::Works)),
            (V4, V6, None),
            (NONE, V4, None),
            (NONE, NONE, None),
        ];
        for (answered, families, says) in table {
            let round = Round { asked: V4, answered, ..Round::begin(Instant::now()) };
            assert_eq!(round.says(families), says, "{answered:?} {families:?}");
        }
    }

    #[test]
    fn whom_this_machine_holds_back_was_not_asked() {
        // (asked, answered, family of the failure, says)
        let table = [
            (NONE, NONE, V4, Evidence::Nobody(Ignorance::Prevented)),
            (V6, NONE, V4, Evidence::CutOff),
            (V6, V6, V4, Evidence::Works),
            (V4, NONE, V4, Evidence::CutOff),
        ];
        let now = Instant::now();
        for (asked, answered, families, says) in table {
            let round = Round { ended: Some(now), asked, answered, prevented: true, ..Round::begin(now) };
            assert_eq!(round.says(families), Some(says), "{asked:?} {answered:?} {families:?}");
        }
    }
}
