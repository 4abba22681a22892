//! What a change of verdict, or a notice, is to incidents: somebody begins to fail, is well again, or nobody can tell.

use super::incident_cause::{self, Cause};
use super::incident_words as words;
use super::{
    AccountId, ClosedAs, Counted, Evidence, IncidentKind, Notice, Outcome, RegionState, Transition, UtcMs, Website,
    WebsiteId,
};

/// What happened to one website.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Which website.
    pub website_id: WebsiteId,
    /// Whose.
    pub account_id: AccountId,
    /// Its address.
    pub url: String,
    /// Since when it holds.
    pub at: UtcMs,
    /// What.
    pub what: What,
    /// What the regions saw then.
    pub evidence: Vec<Evidence>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// It fails.
    Fails {
        /// In which way.
        kind: IncidentKind,
        /// Why.
        cause: Cause,
        /// How it was decided, in words.
        reason: String,
    },
    /// It was down, and nobody can tell any more.
    Unclear {
        /// Why, in words.
        reason: String,
    },
    /// It fails no more.
    Well {
        /// In which way it did.
        kind: IncidentKind,
        /// What its verdict is now.
        verdict: Outcome,
        /// How it was decided, in words.
        reason: String,
    },
    /// Something of it changed that is worth a line of the timeline while its certificate is near its end, and no message.
    Noted {
        /// What, in words.
        said: String,
    },
    /// It is no longer watched as it was.
    Gone(ClosedAs),
}

impl Change {
    /// Of what was counted for a website, in order; the regions and the verdict as of then. Most changes of verdict are
    /// nothing to an incident.
    #[must_use]
    pub fn of(website: &Website, regions: &[RegionState], verdict: Outcome, counted: &Counted) -> Vec<Self> {
        if counted.transitions.is_empty() && counted.notices.is_empty() {
            return Vec::new();
        }
        let evidence = incident_cause::evidence(regions);
        let of_verdicts =
            counted.transitions.iter().filter_map(|t| Some((t.at, of_transition(website, &evidence, t)?)));
        let of_notices = counted.notices.iter().map(|notice| of_notice(website, &evidence, verdict, notice));
        of_verdicts
            .chain(of_notices)
            .map(|(at, what)| Self {
                website_id: website.website_id,
                account_id: website.account_id,
                url: website.settings.url.clone(),
                at,
                what,
                evidence: evidence.clone(),
            })
            .collect()
    }

    /// Of a website that is no longer watched as it was.
    #[must_use]
    pub fn gone(website_id: WebsiteId, account_id: AccountId, url: &str, closed_as: ClosedAs, at: UtcMs) -> Self {
        let (url, what, evidence) = (url.to_owned(), What::Gone(closed_as), Vec::new());
        Self { website_id, account_id, url, at, what, evidence }
    }

    /// Whether an incident may begin with it.
    #[must_use]
    pub fn opens(&self) -> bool {
        match self.what {
            What::Fails { .. } => true,
            What::Unclear { .. } | What::Well { .. } | What::Noted { .. } | What::Gone(_) => false,
        }
    }
}

fn of_transition(website: &Website, evidence: &[Evidence], t: &Transition) -> Option<What> {
    match (t.from, t.to) {
        (_, Outcome::Down) => Some(What::Fails {
            kind: IncidentKind::Outage,
            cause: incident_cause::of_outage(website, evidence),
            reason: t.reason.clone(),
        }),
        (Outcome::Down, Outcome::Unknown) => Some(What::Unclear { reason: t.reason.clone() }),
        // What was down before nobody could tell is over, too.
        (Outcome::Down | Outcome::Unknown, verdict @ (Outcome::Up | Outcome::Degraded)) => {
            Some(What::Well { kind: IncidentKind::Outage, verdict, reason: t.reason.clone() })
        }
        (Outcome::Up | Outcome::Degraded, Outcome::Up | Outcome::Degraded)
        | (Outcome::Up | Outcome::Degraded | Outcome::Unknown, Outcome::Unknown) => None,
    }
}

fn of_notice(website: &Website, evidence: &[Evidence], verdict: Outcome, notice: &Notice) -> (UtcMs, What) {
    match notice {
        Notice::Regional { at, regions, reason, .. } if regions.is_empty() => {
            (*at, What::Well { kind: IncidentKind::Regional, verdict, reason: reason.clone() })
        }
        Notice::Regional { at, regions, reason, .. } => {
            let cause = incident_cause::of_regions(regions, evidence);
            (*at, What::Fails { kind: IncidentKind::Regional, cause, reason: reason.clone() })
        }
        Notice::Flapping { at, is_flapping: true, reason, .. } => {
            let cause = incident_cause::of_flapping(website.website_id);
            (*at, What::Fails { kind: IncidentKind::Flapping, cause, reason: reason.clone() })
        }
        Notice::Flapping { at, is_flapping: false, reason, .. } => {
            (*at, What::Well { kind: IncidentKind::Flapping, verdict, reason: reason.clone() })
        }
        Notice::CertificateNears { at, ends_at, step_ms, reason, .. } => {
            let cause = incident_cause::of_certificate(website, *ends_at, *step_ms);
            let reason = format!("{}. {reason}", cause.words);
            (*at, What::Fails { kind: IncidentKind::Certificate, cause, reason })
        }
        Notice::CertificateRenewed { at, until, .. } => {
            let reason = words::renewed(*until);
            (*at, What::Well { kind: IncidentKind::Certificate, verdict, reason })
        }
        Notice::IssuerChanged { change, .. } => (change.at, What::Noted { said: words::issuer(change) }),
    }
}

/// In the order in which it is to be looked at: by instant, then by website, so that no order of arrival shows; what
/// happened to one website stays in its order.
pub fn sort(changes: &mut [Change]) {
    let mut reached = std::collections::BTreeMap::new();
    // Regions' long failures are backdated to before what was decided meanwhile.
    let keys: Vec<_> = changes
        .iter()
        .map(|change| {
            let at: &mut UtcMs = reached.entry(change.website_id).or_insert(change.at);
            *at = change.at.max(*at);
            (*at, change.website_id)
        })
        .collect();
    let mut places: Vec<_> = (0..changes.len()).collect();
    places.sort_by_key(|place| keys.get(*place).copied());
    let sorted: Vec<_> = places.iter().filter_map(|place| changes.get(*place).cloned()).collect();
    changes.clone_from_slice(&sorted);
}

impl What {
    /// How an incident ends with it, when it is the last; `None`: it does not end this kind.
    pub(super) fn closes(&self, of: IncidentKind) -> Option<ClosedAs> {
        match self {
            // Who sees it fail is told by the outage from now on.
            Self::Fails { kind: IncidentKind::Outage, .. } if of == IncidentKind::Regional => Some(ClosedAs::Worse),
            Self::Fails { .. } | Self::Unclear { .. } | Self::Noted { .. } => None,
            Self::Well { kind, verdict, .. } if *kind == of => Some(match (of, verdict) {
                (IncidentKind::Regional, Outcome::Down | Outcome::Unknown) => ClosedAs::Worse,
                (
                    IncidentKind::Outage
                    | IncidentKind::Regional
                    | IncidentKind::Flapping
                    | IncidentKind::Certificate
                    | IncidentKind::Operator,
                    _,
                ) => ClosedAs::Recovered,
            }),
            Self::Well { .. } => None,
            Self::Gone(closed_as) => Some(*closed_as),
        }
    }

    /// The line of the timeline, of a part that `began_at`.
    pub(super) fn said(&self, url: &str, began_at: UtcMs, at: UtcMs) -> String {
        let url = words::short(url);
        match self {
            Self::Fails { kind, reason, .. } => words::fails(&url, *kind, reason),
            Self::Unclear { reason } => words::unclear(&url, reason),
            Self::Well { kind, verdict, reason } => {
                words::well(&url, *kind, *verdict, reason, at.saturating_sub(began_at))
            }
            Self::Noted { said } => words::noted(&url, said),
            Self::Gone(closed_as) => words::gone(&url, *closed_as),
        }
    }
}
