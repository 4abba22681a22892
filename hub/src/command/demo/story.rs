//! What went wrong in ninety days, and what goes wrong now: as long before the end of the history, whenever that is.

use std::ops::Range;

use super::dice::below;
use super::scene::{Manner, PLACES, SITES};
use crate::model::UtcMs;

pub(super) const MINUTE: i64 = 60_000;
pub(super) const HOUR: i64 = 60 * MINUTE;
pub(super) const DAY: i64 = 24 * HOUR;
/// How far the history goes back.
pub(super) const DAYS: i64 = 90;

/// How a website fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// It answers with this status.
    Status(u16),
    /// It closes the connection without a word.
    Empty,
    /// Nobody listens.
    Refused,
    /// No answer within the time there is.
    Silence,
    /// What it says lacks a text.
    Content,
    /// It is slow.
    Slow,
}

/// A time in which a website fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    /// Its place in [`SITES`].
    pub site: usize,
    pub during: Range<UtcMs>,
    pub fault: Fault,
    /// Only from here, by its place in [`PLACES`].
    pub only: Option<usize>,
}

/// The story of a history that ends at `end`.
#[derive(Debug)]
pub(super) struct Story {
    pub end: UtcMs,
    /// By website, in order of time; those of one do not overlap.
    troubles: Vec<Vec<Trouble>>,
}

impl Story {
    pub(super) fn until(end: UtcMs) -> Self {
        let mut story = Self { end, troubles: vec![Vec::new(); SITES.len()] };
        for (n, site) in SITES.iter().enumerate() {
            story.of_manner(n, site.manner);
            story.by_chance(n, site.outages);
        }
        for troubles in &mut story.troubles {
            troubles.sort_by_key(|trouble| trouble.during.start);
        }
        story
    }

    /// From so long before the end, for so long.
    fn add(&mut self, site: usize, before_ms: i64, ms: i64, fault: Fault, only: Option<usize>) {
        let from = self.end - before_ms;
        let (during, room) = (from..from + ms, 30 * MINUTE);
        let Some(known) = self.troubles.get_mut(site) else { return };
        // Whatever comes within half an hour of another is one with it, but for what flaps.
        let is_near =
            |other: &Trouble| during.start < other.during.end + room && other.during.start < during.end + room;
        if fault != Fault::Status(502) && known.iter().any(is_near) {
            return;
        }
        known.push(Trouble { site, during, fault, only });
    }

    fn of_manner(&mut self, n: usize, manner: Manner) {
        // What goes on now has no end yet.
        let on = 365 * DAY;
        match manner {
            Manner::Well | Manner::CertificateEnds => {}
            Manner::Slow => {
                self.add(n, 16 * MINUTE, on, Fault::Slow, None);
                for k in 0..14 {
                    let before = k * 6 * DAY + 5 * HOUR + below(4 * DAY, &[n as i64, k, 1]);
                    self.add(n, before, 20 * MINUTE + below(70 * MINUTE, &[n as i64, k, 2]), Fault::Slow, None);
                }
            }
            Manner::OneRegion => {
                self.add(n, 52 * MINUTE, on, Fault::Silence, Some(1));
                self.add(n, 17 * DAY, 3 * HOUR, Fault::Silence, Some(1));
                self.add(n, 46 * DAY, 80 * MINUTE, Fault::Empty, Some(2));
            }
            Manner::OutOfService => {
                for k in 0..7 {
                    self.add(n, 100 * MINUTE + k * 6 * HOUR, 12 * MINUTE, Fault::Status(503), None);
                }
            }
            Manner::WrongContent => self.add(n, 131 * MINUTE, on, Fault::Content, None),
            Manner::Flaps => {
                for k in 0..8 {
                    self.add(n, 8 * MINUTE * k + 5 * MINUTE, 4 * MINUTE, Fault::Status(502), None);
                }
            }
            Manner::Silent => self.add(n, 24 * MINUTE, on, Fault::Empty, None),
            Manner::UnderMaintenance => {
                self.add(n, 36 * MINUTE, on, Fault::Status(503), None);
                self.add(n, 43 * DAY - 5 * MINUTE, 50 * MINUTE, Fault::Refused, None);
            }
        }
    }

    /// More than two days ago.
    fn by_chance(&mut self, n: usize, outages: i64) {
        const FAULTS: [Fault; 5] =
            [Fault::Status(503), Fault::Refused, Fault::Silence, Fault::Status(500), Fault::Empty];
        for k in 0..outages {
            let of = |what: i64| [n as i64, k, what];
            let before = 3 * DAY + below((DAYS - 6) * DAY, &of(3));
            let ms = 4 * MINUTE + below(9 * MINUTE, &of(4)) * (1 + below(8, &of(5)));
            let fault = FAULTS.get(usize::try_from(below(5, &of(6))).unwrap_or(0)).copied().unwrap_or(Fault::Refused);
            self.add(n, before, ms, fault, None);
        }
    }

    /// All of it, website by website.
    pub(super) fn troubles(&self) -> impl Iterator<Item = &Trouble> {
        self.troubles.iter().flatten()
    }

    /// What is wrong with a website as seen from a place.
    pub(super) fn fault(&self, site: usize, place: usize, at: UtcMs) -> Option<Fault> {
        let of_site = self.troubles.get(site)?;
        let holds = |trouble: &&Trouble| trouble.during.contains(&at) && trouble.only.is_none_or(|only| only == place);
        of_site.iter().find(holds).map(|trouble| trouble.fault)
    }

    /// Of a span, how much of it a website was so, as seen from a place.
    pub(super) fn share_ms(&self, site: usize, place: usize, span: &Range<UtcMs>, fault: fn(Fault) -> bool) -> i64 {
        let of_site = self.troubles.get(site).map_or(&[][..], Vec::as_slice);
        let here = of_site.iter().filter(|t| fault(t.fault) && t.only.is_none_or(|only| only == place));
        here.map(|t| (t.during.end.min(span.end) - t.during.start.max(span.start)).max(0)).sum()
    }

    /// Whether results of this instant follow from a trouble.
    pub(super) fn is_told(&self, site: usize, at: UtcMs) -> bool {
        let near = |t: &Trouble| (t.during.start - 5 * MINUTE..t.during.end + 10 * MINUTE).contains(&at);
        self.troubles.get(site).is_some_and(|of_site| of_site.iter().any(near))
    }
}

impl Fault {
    /// It answers, and too late.
    pub(super) fn is_slow(self) -> bool {
        self == Self::Slow
    }

    /// It counts as down.
    pub(super) fn is_down(self) -> bool {
        !self.is_slow()
    }
}

/// How many places there are.
pub(super) const fn places() -> usize {
    PLACES.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_story_is_the_same_as_long_before_its_end_and_has_all_that_is_promised() {
        let (one, other) = (Story::until(1_795_000_000_000), Story::until(1_795_000_000_000 + 12_345_678));
        let told = |story: &Story| -> Vec<_> {
            story.troubles().map(|t| (t.site, story.end - t.during.start, t.fault, t.only)).collect()
        };
        assert_eq!(told(&one), told(&other));
        let now = |fault: Fault| one.troubles().any(|t| t.fault == fault && t.during.contains(&one.end));
        assert!(now(Fault::Content) && now(Fault::Empty) && now(Fault::Slow) && now(Fault::Status(503)));
        let of_beta = one.troubles().filter(|t| t.fault == Fault::Status(502)).count();
        assert_eq!(of_beta, 8);
        for pair in one.troubles.iter().flat_map(|of_site| of_site.windows(2)) {
            assert!(pair[0].during.end < pair[1].during.start, "{pair:?}");
        }
        assert!(one.troubles().count() > 60, "{}", one.troubles().count());
    }
}
