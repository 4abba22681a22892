//! What an owner may say in public of an incident: a draft, made of what is known, that he reads before it is published. Nothing
//! that is for the team alone is in it: no address, no region, no cause; websites are called as the page calls them. No sentence
//! depends on whether a name is one thing or several.

use super::super::message::words::instant;
use super::super::{ClosedAs, Incident, IncidentKind, WebsiteId};
use super::{Component, Impact, PostInput, PostKind, UpdateInput, UpdateState};

/// Characters of names in a title; more of them are counted.
const NAMES: usize = 80;

/// What is to be published of an incident on a page, and then changed by whoever publishes it. `affected`: what is on the page
/// and concerned, in the page's order.
#[must_use]
pub fn post(incident: &Incident, affected: &[&Component]) -> PostInput {
    let names = named(affected);
    let (title, impact) = match incident.kind {
        IncidentKind::Outage => (format!("{names} not available"), Impact::Major),
        IncidentKind::Regional => (format!("{names} not reachable from everywhere"), Impact::Partial),
        IncidentKind::Flapping => (format!("Interruptions of {names}"), Impact::Partial),
        IncidentKind::Certificate => (format!("{names}: new certificate"), Impact::None),
        // Of no website, and so on no page.
        IncidentKind::Operator => (String::new(), Impact::None),
    };
    let update = if incident.closed_at.is_some() {
        UpdateInput { state: UpdateState::Resolved.to_string(), said: past(incident, &names) }
    } else {
        UpdateInput { state: UpdateState::Investigating.to_string(), said: present(incident, &names) }
    };
    PostInput {
        kind: PostKind::Incident.to_string(),
        title,
        // What is over has no effect any more.
        impact: if incident.closed_at.is_some() { Impact::None } else { impact }.to_string(),
        components: affected.iter().map(|one| one.website_id.to_string()).collect(),
        incident_id: incident.incident_id.to_string(),
        update,
    }
}

/// The update that says that it is over. Where nobody saw it recover there are no words for it.
#[must_use]
pub fn resolved(incident: &Incident, affected: &[&Component]) -> UpdateInput {
    let names = named(affected);
    let at = instant(incident.ended_at.or(incident.closed_at).unwrap_or(incident.opened_at));
    let said = match incident.kind {
        _ if incident.closed_as != Some(ClosedAs::Recovered) => String::new(),
        IncidentKind::Outage => format!("Since {at} {names} can be used again."),
        IncidentKind::Regional => format!("Since {at} {names} can be reached from everywhere again."),
        IncidentKind::Flapping => format!("Since {at} {names} can be used without interruptions again."),
        IncidentKind::Certificate => "The new certificate is in use.".to_owned(),
        IncidentKind::Operator => String::new(),
    };
    UpdateInput { state: UpdateState::Resolved.to_string(), said }
}

/// Which of a page's websites an incident is about: those that fail still, or, when none does, all that were in it. `parts`: its
/// websites, and whether each fails still.
#[must_use]
pub fn affected<'a>(page: impl Iterator<Item = &'a Component>, parts: &[(WebsiteId, bool)]) -> Vec<&'a Component> {
    let fails = |one: &Component| parts.iter().find(|(id, _)| *id == one.website_id).map(|(_, fails)| *fails);
    let all: Vec<_> = page.filter_map(|one| fails(one).map(|fails| (one, fails))).collect();
    let is_any = all.iter().any(|(_, fails)| *fails);
    all.into_iter().filter(|(_, fails)| *fails || !is_any).map(|(one, _)| one).collect()
}

fn present(incident: &Incident, names: &str) -> String {
    const SOON: &str = "We are looking into it, and will say here what we find.";
    let at = instant(incident.began_at);
    match incident.kind {
        IncidentKind::Outage => format!("Since {at} {names} cannot be used. {SOON}"),
        IncidentKind::Regional => format!("Since {at} {names} cannot be reached from some places. {SOON}"),
        IncidentKind::Flapping => format!("Since {at} {names} can be used only with interruptions. {SOON}"),
        IncidentKind::Certificate => {
            "The certificate ends soon, and we are replacing it. There is nothing that you have to do.".to_owned()
        }
        IncidentKind::Operator => String::new(),
    }
}

fn past(incident: &Incident, names: &str) -> String {
    let (from, to) = (instant(incident.began_at), instant(incident.ended_at.unwrap_or(incident.opened_at)));
    let what = match incident.kind {
        _ if incident.closed_as != Some(ClosedAs::Recovered) => return String::new(),
        IncidentKind::Outage => "could not be used",
        IncidentKind::Regional => "could not be reached from some places",
        IncidentKind::Flapping => "could be used only with interruptions",
        IncidentKind::Certificate | IncidentKind::Operator => return String::new(),
    };
    format!("From {from} to {to} {names} {what}. That is over.")
}

/// "Shop", "Shop and Blog", "Shop, Blog and 3 more", or "5 services" where names are long.
fn named(affected: &[&Component]) -> String {
    let name = |one: &&Component| one.name.split_whitespace().collect::<Vec<_>>().join(" ");
    let names = match affected {
        [] => String::new(),
        [one] => name(one),
        [one, other] => format!("{} and {}", name(one), name(other)),
        [one, other, rest @ ..] => format!("{}, {} and {} more", name(one), name(other), rest.len()),
    };
    match (affected.len(), names.chars().count()) {
        (_, 1..=NAMES) => names,
        (..=1, _) => "One of our services".to_owned(),
        (n, _) => format!("{n} of our services"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AccountId, IncidentId};

    const BEGAN: i64 = 1_795_521_600_000; // 2026-11-24 12:00 UTC

    fn incident(kind: IncidentKind, closed_as: Option<ClosedAs>) -> Incident {
        Incident {
            incident_id: IncidentId(uuid::Uuid::from_u128(7)),
            account_id: AccountId(uuid::Uuid::nil()),
            kind,
            cause_key: "host:db-7.internal:connect".to_owned(),
            cause: "The server 10.0.0.7 refused the connection, seen from EU-WEST".to_owned(),
            began_at: BEGAN,
            opened_at: BEGAN + 4_000,
            ended_at: closed_as.map(|_| BEGAN + 1_800_000),
            closed_at: closed_as.map(|_| BEGAN + 1_803_000),
            closed_as,
            acknowledged_at: None,
            acknowledged_by: None,
            muted_by: None,
        }
    }

    fn component(n: u128, name: &str) -> Component {
        Component { website_id: WebsiteId(uuid::Uuid::from_u128(n)), name: name.to_owned() }
    }

    #[test]
    fn a_draft_says_in_public_what_is_known_and_can_be_published_as_it_is() {
        let shop = component(1, "Shop");
        let all_kinds = [
            (IncidentKind::Outage, "Shop not available", "Since 2026-11-24 12:00 UTC Shop cannot be used. We are"),
            (IncidentKind::Regional, "Shop not reachable from everywhere", "cannot be reached from some places."),
            (IncidentKind::Flapping, "Interruptions of Shop", "can be used only with interruptions."),
            (IncidentKind::Certificate, "Shop: new certificate", "The certificate ends soon"),
        ];
        for (kind, title, said) in all_kinds {
            let post = post(&incident(kind, None), &[&shop]);
            assert_eq!(post.title, title);
            assert!(post.update.said.contains(said), "{post:?}");
            let draft = post.parse().unwrap();
            assert_eq!((draft.state, draft.kind), (UpdateState::Investigating, PostKind::Incident));
            assert_eq!((draft.components, draft.incident_id.is_some()), (vec![shop.website_id], true));
        }
    }

    #[test]
    fn nothing_internal_is_in_a_draft() {
        let shop = component(1, "Shop");
        for kind in IncidentKind::ALL {
            for closed_as in [None].into_iter().chain(ClosedAs::ALL.iter().copied().map(Some)) {
                let incident = incident(*kind, closed_as);
                let (post, update) = (post(&incident, &[&shop]), resolved(&incident, &[&shop]));
                let text = format!("{} {} {}", post.title, post.update.said, update.said);
                for inner in ["10.0.0.7", "EU-WEST", "internal", "refused", "://", "host:"] {
                    assert!(!text.contains(inner), "{text}");
                }
            }
        }
    }

    #[test]
    fn what_is_over_is_said_to_be_over_where_somebody_saw_it_recover() {
        let shop = component(1, "Shop");
        let over = incident(IncidentKind::Outage, Some(ClosedAs::Recovered));
        let post = post(&over, &[&shop]);
        assert_eq!((post.update.state.as_str(), post.impact.as_str()), ("resolved", "none"));
        let said = "From 2026-11-24 12:00 UTC to 2026-11-24 12:30 UTC Shop could not be used. That is over.";
        assert_eq!(post.update.said, said);
        assert_eq!(resolved(&over, &[&shop]).said, "Since 2026-11-24 12:30 UTC Shop can be used again.");
        let paused = incident(IncidentKind::Outage, Some(ClosedAs::Paused));
        assert_eq!(resolved(&paused, &[&shop]).said, "", "nobody knows that");
    }

    #[test]
    fn many_and_long_names_are_counted_so_that_a_title_fits() {
        let all: Vec<Component> = (0..5).map(|n| component(n, "Shop \n front")).collect();
        let all: Vec<&Component> = all.iter().collect();
        assert_eq!(named(&all[..1]), "Shop front");
        assert_eq!(named(&all[..2]), "Shop front and Shop front");
        assert_eq!(named(&all), "Shop front, Shop front and 3 more");
        let long = component(1, &"x".repeat(100));
        assert_eq!(named(&[&long]), "One of our services");
        assert_eq!(named(&[&long, &long, &long]), "3 of our services");
    }

    #[test]
    fn those_that_fail_still_are_affected_or_else_all_that_were() {
        let page = [component(1, "a"), component(2, "b"), component(3, "c")];
        let of = |parts: &[(u128, bool)]| -> Vec<String> {
            let parts: Vec<_> = parts.iter().map(|(n, fails)| (WebsiteId(uuid::Uuid::from_u128(*n)), *fails)).collect();
            affected(page.iter(), &parts).into_iter().map(|one| one.name.clone()).collect()
        };
        assert_eq!(of(&[(1, false), (3, true), (9, true)]), ["c"]);
        assert_eq!(of(&[(1, false), (3, false)]), ["a", "c"]);
        assert!(of(&[(9, true)]).is_empty());
    }
}
