//! A page in words and shapes.

use askama::Template;

use super::days::DaysView;
use super::entry::{Entry, PlannedView, planned};
use super::kept::Shown;
use crate::http::assets;
use crate::http::pages::{Instant, instant_of};
use crate::model::status_page::{Access, ComponentState, Post, UpdateState, overall};
use crate::model::{Maintenance, UtcMs};

/// What was read longer ago than this is said to be old.
const OLD_MS: i64 = 60_000;
/// What is over is told of so long, so many in all.
const PAST: usize = 60;

/// The page.
#[derive(Template, Debug)]
#[template(path = "status_public.html", whitespace = "minimize")]
pub(in crate::http) struct PublicView {
    base: String,
    name: String,
    about: String,
    home_url: String,
    overall: State,
    glance: String,
    as_of: Instant,
    is_old: bool,
    logo: Option<String>,
    accent: Option<String>,
    has_feeds: bool,
    is_listed: bool,
    is_preview: bool,
    may_subscribe: bool,
    sections: Vec<SectionView>,
    shows_uptime: bool,
    current: Vec<Entry>,
    planned: Vec<PlannedView>,
    past: Vec<Entry>,
}

#[derive(Debug)]
struct SectionView {
    name: String,
    components: Vec<ComponentView>,
}

#[derive(Debug)]
struct ComponentView {
    name: String,
    state: State,
    days: Option<DaysView>,
}

impl PublicView {
    /// As of `now`. `base`: what its own paths begin with.
    pub(in crate::http) fn new(shown: &Shown, base: &str, may_subscribe: bool, now: UtcMs) -> Self {
        let (public, plan) = (&shown.public, &shown.public.page.plan);
        let states = states(shown, now);
        let all: Vec<ComponentState> = states.clone();
        let mut sections: Vec<SectionView> = Vec::new();
        for (one, is) in public.components.iter().zip(&states) {
            let days = shown.days.get(&one.website_id).map(|(days, sum)| DaysView::new(days, sum));
            let view = ComponentView { name: one.name.clone(), state: state(*is), days };
            match sections.last_mut() {
                Some(last) if last.name == one.section => last.components.push(view),
                Some(_) | None => sections.push(SectionView { name: one.section.clone(), components: vec![view] }),
            }
        }
        let (open, over): (Vec<_>, Vec<_>) = public.posts.iter().partition(|post| post.ended_at.is_none());
        let (fails, failed): (Vec<_>, Vec<_>) = public.outages.iter().partition(|outage| outage.to_at.is_none());
        let of_posts =
            |posts: Vec<&Post>| posts.into_iter().map(|post| Entry::of_post(shown, post)).collect::<Vec<_>>();
        let mut current = of_posts(open);
        current.extend(fails.into_iter().filter_map(|one| Entry::of_outage(shown, one, now)));
        let mut past = of_posts(over);
        past.extend(failed.into_iter().filter_map(|one| Entry::of_outage(shown, one, now)));
        past.sort_by_key(|entry| std::cmp::Reverse(entry.from_at));
        past.truncate(PAST);
        Self {
            name: plan.name.clone(),
            about: plan.about.clone(),
            home_url: plan.home_url.clone(),
            overall: state(overall(&all)),
            glance: glance(&all),
            as_of: instant_of(shown.read_at),
            is_old: now - shown.read_at > OLD_MS,
            logo: public.page.logo_tag.clone(),
            accent: plan.accent.map(|accent| accent.to_string().trim_start_matches('#').to_owned()),
            has_feeds: true,
            is_listed: plan.access == Access::Public,
            is_preview: false,
            may_subscribe,
            shows_uptime: plan.shows_uptime,
            sections,
            current,
            planned: planned(shown, now),
            past,
            base: base.to_owned(),
        }
    }

    /// For its owner, before anybody else sees it.
    pub(in crate::http) fn preview(self) -> Self {
        Self { is_preview: true, has_feeds: false, may_subscribe: false, is_listed: false, ..self }
    }

    fn style(&self) -> &str {
        assets::STATUS_STYLE.url()
    }

    fn home(&self) -> &str {
        if self.base.is_empty() { "/" } else { &self.base }
    }
}

fn running(windows: &[Maintenance], one: &crate::store::PublicComponent, now: UtcMs) -> bool {
    windows.iter().any(|window| window.plan.scope.covers(one.website_id, &one.tags) && window.running(now).is_some())
}

/// How each component is, in their order.
pub(super) fn states(shown: &Shown, now: UtcMs) -> Vec<ComponentState> {
    let public = &shown.public;
    let open: Vec<&Post> = public.posts.iter().filter(|post| post.ended_at.is_none()).collect();
    let one = |one: &crate::store::PublicComponent| {
        let measured =
            ComponentState::of(one.verdict, one.some_fail, one.is_paused, running(&public.maintenance, one, now));
        let said = open.iter().filter(|post| post.components.contains(&one.website_id));
        said.fold(measured, |so_far, post| so_far.said(post.impact))
    };
    public.components.iter().map(one).collect()
}

/// What stands beside the one word for the whole page.
fn glance(states: &[ComponentState]) -> String {
    let count = |wanted: ComponentState| states.iter().filter(|state| **state == wanted).count();
    let of = |n: usize, does: &str, do_all: &str| match (n, states.len()) {
        (n, all) if n == all && all > 1 => format!("All {all} components {do_all}."),
        (1, 1) => format!("The component {does}."),
        (1, all) => format!("1 of {all} components {does}."),
        (n, all) => format!("{n} of {all} components {do_all}."),
    };
    for (wanted, does, do_all) in [
        (ComponentState::Major, "does not work", "do not work"),
        (ComponentState::Partial, "works only in part", "work only in part"),
        (ComponentState::Degraded, "is slow", "are slow"),
        (ComponentState::Maintenance, "is under maintenance", "are under maintenance"),
        (ComponentState::Unknown, "has no current data", "have no current data"),
        (ComponentState::Operational, "works", "work"),
    ] {
        let n = count(wanted);
        if n > 0 {
            return of(n, does, do_all);
        }
    }
    "Nothing is shown here yet.".to_owned()
}

/// An update's state and words on one line each, for feeds.
pub(super) fn told(state: UpdateState, at: UtcMs, said: &str) -> String {
    format!("{} ({} UTC): {said}", state.words(), instant_of(at).words)
}

#[derive(Debug, Clone, Copy)]
pub(super) struct State {
    pub(super) words: &'static str,
    pub(super) class: &'static str,
}

/// The letter of its shape, and of its colour.
pub(super) fn state(state: ComponentState) -> State {
    let class = match state {
        ComponentState::Major => "d",
        ComponentState::Partial => "o",
        ComponentState::Degraded => "g",
        ComponentState::Maintenance => "m",
        ComponentState::Unknown => "n",
        ComponentState::Operational => "u",
    };
    State { words: state.words(), class }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_sentence_says_how_many() {
        use ComponentState::{Degraded, Major, Operational, Unknown};
        for (states, found) in [
            (&[Operational][..], "The component works."),
            (&[Operational, Operational], "All 2 components work."),
            (&[Major, Operational, Degraded], "1 of 3 components does not work."),
            (&[Major, Major], "All 2 components do not work."),
            (&[Unknown, Operational, Unknown], "2 of 3 components have no current data."),
            (&[], "Nothing is shown here yet."),
        ] {
            assert_eq!(glance(states), found);
        }
    }
}
