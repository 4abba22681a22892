//! How a component is, and the page as a whole.

use super::super::{Outcome, Span, UtcMs, WebsiteId};
use super::Impact;

probe::named! {
    /// How a component is. In this order the first one of several is told.
    ComponentState {
        /// It does not answer as it should.
        Major = "major_outage",
        /// Some of those who ask get no answer as it should be.
        Partial = "partial_outage",
        /// It is slow.
        Degraded = "degraded_performance",
        /// Work is going on, as announced.
        Maintenance = "under_maintenance",
        /// Nobody can tell.
        Unknown = "unknown",
        /// It answers as it should.
        Operational = "operational",
    }
}

impl ComponentState {
    /// What a verdict says of it.
    #[must_use]
    pub fn of(verdict: Outcome, some_fail: bool, is_paused: bool, in_maintenance: bool) -> Self {
        match (in_maintenance, is_paused, verdict) {
            (true, _, _) => Self::Maintenance,
            (false, true, _) => Self::Unknown,
            (false, false, Outcome::Down) => Self::Major,
            (false, false, _) if some_fail => Self::Partial,
            (false, false, Outcome::Degraded) => Self::Degraded,
            (false, false, Outcome::Up) => Self::Operational,
            (false, false, Outcome::Unknown) => Self::Unknown,
        }
    }

    /// With what its owner says in public. Where something is measured to be worse, that stands.
    #[must_use]
    pub fn said(self, impact: Impact) -> Self {
        match impact {
            Impact::None => self,
            Impact::Degraded => self.min(Self::Degraded),
            Impact::Partial => self.min(Self::Partial),
            Impact::Major => self.min(Self::Major),
            Impact::Maintenance => self.min(Self::Maintenance),
        }
    }

    /// In words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Major => "Major outage",
            Self::Partial => "Partial outage",
            Self::Degraded => "Degraded performance",
            Self::Maintenance => "Under maintenance",
            Self::Unknown => "No current data",
            Self::Operational => "Operational",
        }
    }
}

/// The page as a whole: one outage among components that work is a partial one.
#[must_use]
pub fn overall(states: &[ComponentState]) -> ComponentState {
    let Some(worst) = states.iter().min() else { return ComponentState::Unknown };
    let works = |state: &ComponentState| !matches!(state, ComponentState::Major | ComponentState::Maintenance);
    match worst {
        ComponentState::Major if states.iter().any(works) => ComponentState::Partial,
        worst => *worst,
    }
}

/// When a component did not work, by its verdicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outage {
    /// Which.
    pub website_id: WebsiteId,
    /// Some of those who asked had an answer.
    pub is_partial: bool,
    /// Since when.
    pub from_at: UtcMs,
    /// Until when; `None`: it goes on.
    pub to_at: Option<UtcMs>,
}

impl Outage {
    /// One for each time that a component did not work, newest first: what overlaps is one, and as bad as its worst part.
    #[must_use]
    pub fn joined(mut all: Vec<Self>) -> Vec<Self> {
        all.sort_by_key(|one| (one.website_id, one.from_at));
        let mut joined: Vec<Self> = Vec::new();
        for one in all {
            match joined.last_mut() {
                Some(last) if last.website_id == one.website_id && last.to_at.is_none_or(|to| one.from_at <= to) => {
                    last.is_partial &= one.is_partial;
                    last.to_at = last.to_at.zip(one.to_at).map(|(a, b)| a.max(b));
                }
                Some(_) | None => joined.push(one),
            }
        }
        joined.sort_by_key(|one| (std::cmp::Reverse(one.from_at), one.website_id));
        joined
    }

    /// Without what took place during maintenance alone.
    #[must_use]
    pub fn is_within(&self, quiet: &[Span]) -> bool {
        self.to_at.is_some_and(|to| quiet.iter().any(|span| span.from_at <= self.from_at && to <= span.to_at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_as_its_components_are() {
        use ComponentState::{Degraded, Maintenance, Major, Operational, Partial, Unknown};
        for (states, found) in [
            (&[Operational, Operational][..], Operational),
            (&[Operational, Major], Partial),
            (&[Major, Major], Major),
            (&[Major, Maintenance], Major),
            (&[Degraded, Operational, Maintenance], Degraded),
            (&[Partial, Degraded], Partial),
            (&[Maintenance, Operational], Maintenance),
            (&[Unknown, Operational], Unknown),
            (&[], Unknown),
        ] {
            assert_eq!(overall(states), found, "{states:?}");
        }
    }

    #[test]
    fn a_state_is_what_is_measured_or_worse() {
        use ComponentState::{Degraded, Maintenance, Major, Operational, Partial, Unknown};
        let of = ComponentState::of;
        assert_eq!(of(Outcome::Down, true, false, true), Maintenance);
        assert_eq!(of(Outcome::Down, false, true, false), Unknown, "nobody looks");
        assert_eq!(of(Outcome::Down, true, false, false), Major);
        assert_eq!(of(Outcome::Up, true, false, false), Partial);
        assert_eq!(of(Outcome::Unknown, false, false, false), Unknown);
        assert_eq!(Operational.said(Impact::Partial), Partial);
        assert_eq!(Major.said(Impact::Degraded), Major, "a word makes nothing better");
        assert_eq!(Unknown.said(Impact::None), Unknown);
        assert_eq!(Unknown.said(Impact::Degraded), Degraded);
    }

    #[test]
    fn outages_that_overlap_are_one() {
        let id = |n| WebsiteId(uuid::Uuid::from_u128(n));
        let one = |n, is_partial, from_at, to_at| Outage { website_id: id(n), is_partial, from_at, to_at };
        let joined = Outage::joined(vec![
            one(1, false, 20, None),
            one(1, true, 10, Some(25)),
            one(2, true, 5, Some(6)),
            one(1, false, 1, Some(2)),
        ]);
        assert_eq!(joined, [one(1, false, 10, None), one(2, true, 5, Some(6)), one(1, false, 1, Some(2))]);
        let quiet = [Span { from_at: 0, to_at: 10 }];
        assert!(one(1, false, 1, Some(2)).is_within(&quiet) && !one(1, false, 1, None).is_within(&quiet));
    }
}
