//! What happened and what is planned, as a page tells it.

use super::kept::Shown;
use super::view::{State, state};
use crate::http::pages::{Instant, instant_of, lasted};
use crate::model::UtcMs;
use crate::model::status_page::{ComponentState, Impact, Outage, Post, PostUpdate};

/// Planned work is told of so long before, so many turns of each window, so many in all.
const PLANNED_MS: i64 = 14 * 86_400_000;
const TURNS: usize = 3;
const PLANNED: usize = 12;

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) state: Option<State>,
    pub(super) about: String,
    pub(super) from: Instant,
    pub(super) to: Option<Instant>,
    pub(super) lasted: String,
    pub(super) updates: Vec<UpdateView>,
    pub(super) from_at: UtcMs,
}

#[derive(Debug)]
pub(super) struct UpdateView {
    pub(super) state: &'static str,
    pub(super) said: String,
    pub(super) at: Instant,
}

#[derive(Debug)]
pub(super) struct PlannedView {
    pub(super) about: String,
    pub(super) from: Instant,
    pub(super) to: Instant,
    pub(super) lasted: String,
    pub(super) is_running: bool,
    pub(super) from_at: UtcMs,
}

pub(super) fn planned(shown: &Shown, now: UtcMs) -> Vec<PlannedView> {
    let components = &shown.public.components;
    let mut all = Vec::new();
    for window in &shown.public.maintenance {
        let about: Vec<&str> = components
            .iter()
            .filter(|one| window.plan.scope.covers(one.website_id, &one.tags))
            .map(|one| one.name.as_str())
            .collect();
        if about.is_empty() {
            continue;
        }
        let about = if about.len() == components.len() && about.len() > 1 {
            "All components".to_owned()
        } else {
            about.join(", ")
        };
        let running = window.running(now);
        let next =
            window.next(now, TURNS).into_iter().filter(|span| span.from_at > now && span.from_at - now <= PLANNED_MS);
        // Not what it is called: that is for those who work on it.
        all.extend(running.into_iter().chain(next).map(|span| PlannedView {
            about: about.clone(),
            from: instant_of(span.from_at),
            to: instant_of(span.to_at),
            lasted: lasted(span.to_at - span.from_at),
            is_running: span.from_at <= now,
            from_at: span.from_at,
        }));
    }
    all.sort_by_key(|one| one.from_at);
    all.truncate(PLANNED);
    all
}

impl Entry {
    pub(super) fn of_post(shown: &Shown, post: &Post) -> Self {
        let names = shown.public.components.iter().filter(|one| post.components.contains(&one.website_id));
        let impact = match post.impact {
            Impact::None => None,
            impact => Some(state(ComponentState::Operational.said(impact))),
        };
        let update = |update: &PostUpdate| UpdateView {
            state: update.state.words(),
            said: update.said.clone(),
            at: instant_of(update.at),
        };
        Self {
            id: post.status_post_id.0.simple().to_string(),
            title: post.title.clone(),
            state: impact,
            about: names.map(|one| one.name.as_str()).collect::<Vec<_>>().join(", "),
            from: instant_of(post.began_at),
            to: post.ended_at.map(instant_of),
            lasted: post.ended_at.map(|to| lasted(to - post.began_at)).unwrap_or_default(),
            updates: post.updates.iter().map(update).collect(),
            from_at: post.began_at,
        }
    }

    pub(super) fn of_outage(shown: &Shown, outage: &Outage, now: UtcMs) -> Option<Self> {
        let one = shown.public.components.iter().find(|one| one.website_id == outage.website_id)?;
        let is = state(if outage.is_partial { ComponentState::Partial } else { ComponentState::Major });
        Some(Self {
            id: String::new(),
            title: format!("{}: {}", one.name, is.words.to_lowercase()),
            state: Some(is),
            about: String::new(),
            from: instant_of(outage.from_at),
            to: outage.to_at.map(instant_of),
            lasted: lasted(outage.to_at.unwrap_or(now) - outage.from_at),
            updates: Vec::new(),
            from_at: outage.from_at,
        })
    }
}
