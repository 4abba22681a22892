//! A page in words and shapes.

use askama::Template;

use super::kept::Shown;
use crate::http::assets;
use crate::http::pages::{Instant, instant_of, lasted, share};
use crate::model::status_page::{Access, ComponentState, Day, Outage, Post, UpdateState, overall};
use crate::model::{Maintenance, Uptime, UtcMs};

/// What was read longer ago than this is said to be old.
const OLD_MS: i64 = 60_000;
/// Planned work is told of so long before, so many turns of each window, so many in all.
const PLANNED_MS: i64 = 14 * 86_400_000;
const TURNS: usize = 3;
const PLANNED: usize = 12;
/// What is over is told of so long, so many in all.
const PAST: usize = 60;
/// Days that are named to whoever does not see bars.
const NAMED: usize = 8;
/// A day with less than this was bad.
const BAD_PPM: u32 = 990_000;
const ALL_PPM: u32 = 1_000_000;
/// Of a bar.
const HEIGHT: u32 = 30;

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

#[derive(Debug, Clone, Copy)]
struct State {
    words: &'static str,
    class: &'static str,
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

#[derive(Debug)]
struct DaysView {
    bars: Vec<Bar>,
    share: String,
    coverage: String,
    summary: String,
}

#[derive(Debug)]
struct Bar {
    x: usize,
    class: &'static str,
    /// Top and height, where it is no whole bar.
    part: Option<(u32, u32)>,
    title: String,
}

#[derive(Debug)]
struct Entry {
    id: String,
    title: String,
    state: Option<State>,
    about: String,
    from: Instant,
    to: Option<Instant>,
    lasted: String,
    updates: Vec<UpdateView>,
    from_at: UtcMs,
}

#[derive(Debug)]
struct UpdateView {
    state: &'static str,
    said: String,
    at: Instant,
}

#[derive(Debug)]
struct PlannedView {
    about: String,
    from: Instant,
    to: Instant,
    lasted: String,
    is_running: bool,
    from_at: UtcMs,
}

/// Something that links to the page: a message, a password, a button.
#[derive(Template, Debug)]
#[template(path = "status_bare.html", whitespace = "minimize")]
pub(in crate::http) struct BarePage {
    title: String,
    message: String,
    wrong: Option<String>,
    /// Where a password is sent.
    unlock: Option<String>,
    /// A form without fields: what its button says.
    button: Option<&'static str>,
    back: Option<String>,
}

impl BarePage {
    pub(super) fn new(title: &str, message: &str) -> Self {
        let (title, message) = (title.to_owned(), message.to_owned());
        Self { title, message, wrong: None, unlock: None, button: None, back: None }
    }

    pub(super) fn asking_password(self, base: &str, wrong: Option<&str>) -> Self {
        Self { unlock: Some(format!("{base}/unlock")), wrong: wrong.map(str::to_owned), ..self }
    }

    pub(super) fn with_button(self, words: &'static str) -> Self {
        Self { button: Some(words), ..self }
    }

    pub(super) fn with_back(self, base: &str) -> Self {
        Self { back: Some(if base.is_empty() { "/".to_owned() } else { base.to_owned() }), ..self }
    }

    fn style(&self) -> &str {
        assets::STATUS_STYLE.url()
    }
}

/// The letter of its shape, and of its colour.
fn state(state: ComponentState) -> State {
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

fn planned(shown: &Shown, now: UtcMs) -> Vec<PlannedView> {
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
    fn of_post(shown: &Shown, post: &Post) -> Self {
        let names = shown.public.components.iter().filter(|one| post.components.contains(&one.website_id));
        let impact = match post.impact {
            crate::model::status_page::Impact::None => None,
            impact => Some(state(ComponentState::Operational.said(impact))),
        };
        let update = |update: &crate::model::status_page::PostUpdate| UpdateView {
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

    fn of_outage(shown: &Shown, outage: &Outage, now: UtcMs) -> Option<Self> {
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

/// In hundredths of a per cent, rounded down.
fn per_cent(ppm: u32) -> String {
    let hundredths = ppm / 100;
    match (hundredths / 100, hundredths % 100) {
        (whole, 0) => format!("{whole} %"),
        (whole, rest) => format!("{whole}.{rest:02} %"),
    }
}

impl DaysView {
    fn new(days: &[Day], sum: &Uptime) -> Self {
        let found = share(sum);
        let (is_known, coverage) = (found.share != "–", found.coverage.unwrap_or_else(|| "100 %".to_owned()));
        let named = |day: &&Day| day.uptime_ppm.is_some_and(|ppm| ppm < ALL_PPM);
        let bad: Vec<&Day> = days.iter().rev().filter(named).collect();
        let blank = days.iter().filter(|day| day.uptime_ppm.is_none() && !day.is_maintenance).count();
        let mut summary = if is_known {
            format!("Last {} days: {} available, observed {coverage} of the time.", days.len(), found.share)
        } else {
            format!("Last {} days: no data.", days.len())
        };
        if !bad.is_empty() {
            let list: Vec<String> = bad
                .iter()
                .take(NAMED)
                .map(|day| format!("{} {}", date(day.at), day.uptime_ppm.map(per_cent).unwrap_or_default()))
                .collect();
            let more = bad.len().saturating_sub(NAMED);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            summary.push_str(&format!(" Days below 100 %: {}{more}.", list.join(", ")));
        }
        if blank > 0 && is_known {
            summary.push_str(&format!(" Days without data: {blank}."));
        }
        Self {
            bars: days.iter().enumerate().map(|(n, day)| Bar::new(n, day)).collect(),
            share: if is_known { format!("{} available", found.share) } else { "no data yet".to_owned() },
            coverage: if is_known { format!("observed {coverage}") } else { String::new() },
            summary,
        }
    }
}

fn date(at: UtcMs) -> String {
    instant_of(at).words.get(..10).unwrap_or_default().to_owned()
}

impl Bar {
    fn new(n: usize, day: &Day) -> Self {
        let (class, said) = match (day.uptime_ppm, day.is_maintenance) {
            (None, true) => ("m", "maintenance".to_owned()),
            (None, false) => ("n", "no data".to_owned()),
            (Some(ppm), _) => {
                let class = match ppm {
                    ALL_PPM.. if !day.was_degraded => "u",
                    BAD_PPM.. => "g",
                    _ => "d",
                };
                let seen = day.coverage_ppm.map(per_cent).unwrap_or_else(|| "0 %".to_owned());
                (class, format!("{} available, observed {seen}", per_cent(ppm)))
            }
        };
        // As high as was observed: what is not known stays empty.
        let covered = day.uptime_ppm.and(day.coverage_ppm).unwrap_or(ALL_PPM);
        let height = (u64::from(covered) * u64::from(HEIGHT) / u64::from(ALL_PPM)).clamp(4, u64::from(HEIGHT));
        let height = u32::try_from(height).unwrap_or(HEIGHT);
        let part = (height < HEIGHT).then_some((HEIGHT - height, height));
        Self { x: n * 5, class, part, title: format!("{}: {said}", date(day.at)) }
    }
}

/// An update's state and words on one line each, for feeds.
pub(super) fn told(state: UpdateState, at: UtcMs, said: &str) -> String {
    format!("{} ({} UTC): {said}", state.words(), instant_of(at).words)
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

    #[test]
    fn a_bar_is_as_high_as_was_observed_and_never_up_where_nothing_is_known() {
        let day = |uptime_ppm, coverage_ppm| Day {
            at: 0,
            uptime_ppm,
            coverage_ppm,
            is_maintenance: false,
            was_degraded: false,
        };
        let bar = |day: Day| Bar::new(1, &day);
        let whole = bar(day(Some(ALL_PPM), Some(ALL_PPM)));
        assert_eq!((whole.class, whole.part, whole.x), ("u", None, 5));
        assert_eq!(whole.title, "1970-01-01: 100 % available, observed 100 %");
        let half = bar(day(Some(999_876), Some(500_000)));
        assert_eq!((half.class, half.part), ("g", Some((15, 15))));
        assert_eq!(half.title, "1970-01-01: 99.98 % available, observed 50 %");
        assert_eq!(bar(day(Some(980_000), Some(ALL_PPM))).class, "d");
        let none = bar(day(None, Some(0)));
        assert_eq!((none.class, none.title.as_str()), ("n", "1970-01-01: no data"));
    }
}
