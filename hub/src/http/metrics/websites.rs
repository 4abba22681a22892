//! What is told of each website, and of each region that watches it: under the names of the blackbox exporter where it has
//! one, so that boards and rules made for it go on working. Pure.

use crate::http::pages;
use crate::metrics::families::{
    PROBE_CERTIFICATE, PROBE_DURATION, PROBE_PHASE, PROBE_STATUS, PROBE_SUCCESS, UPTIMES_LEFT_OUT, WEBSITE_COVERAGE,
    WEBSITE_DEGRADED, WEBSITE_INFO, WEBSITE_PAUSED, WEBSITE_UP, WEBSITE_UPTIME, WEBSITES_LEFT_OUT,
};
use crate::metrics::{Family, Page, seconds};
use crate::model::verdict::stale_after_ms;
use crate::model::{Outcome, RegionState, Uptime, UtcMs, WebsiteKind, backoff};
use crate::store::Watched;

/// Websites that are told of.
pub const MOST: i64 = 10_000;
/// The windows of the figures, by their days.
pub(super) const WINDOWS: [(&str, i64); 2] = [("24h", 1), ("30d", 30)];

/// A website, and all that is known of it.
#[derive(Debug)]
pub struct Told {
    id: String,
    name: String,
    watched: Watched,
    /// Of regions that have looked lately.
    regions: Vec<RegionState>,
    /// By window; `None` where it is not counted.
    uptimes: Vec<Option<Uptime>>,
}

impl Told {
    /// As of `now`. Regions that have not looked for longer than counts as fresh say nothing; nor does a website that is
    /// paused.
    #[must_use]
    pub fn new(watched: Watched, regions: Vec<RegionState>, uptimes: Vec<Option<Uptime>>, now: UtcMs) -> Self {
        let (website, state) = (&watched.website, &watched.state);
        let stale_ms = stale_after_ms(&backoff::paced(website, state, now).settings);
        let is_fresh = |region: &RegionState| {
            !website.paused
                && now.saturating_sub(region.received_at) <= stale_ms
                && (website.kind == WebsiteKind::Job || website.settings.watches_from(&region.region_id))
        };
        let regions = regions.into_iter().filter(is_fresh).collect();
        let (id, name) = (website.website_id.to_string(), pages::name_of(&website.settings.url));
        Self { id, name, watched, regions, uptimes }
    }

    /// The verdict, where there is one.
    fn verdict(&self) -> Option<Outcome> {
        let verdict = self.watched.state.verdict;
        (!self.watched.website.paused && verdict != Outcome::Unknown).then_some(verdict)
    }
}

/// Writes all of them; `left_out` are not among them.
pub fn write(page: &mut Page, all: &[Told], left_out: i64) {
    page.family(&WEBSITE_INFO);
    for told in all {
        let labels =
            [("website_id", told.id.as_str()), ("name", &told.name), ("kind", told.watched.website.kind.as_str())];
        page.sample(&WEBSITE_INFO, &labels, 1);
    }
    each(page, &WEBSITE_PAUSED, all, |told| Some(u8::from(told.watched.website.paused)));
    each(page, &WEBSITE_UP, all, |told| told.verdict().map(|verdict| u8::from(verdict != Outcome::Down)));
    each(page, &WEBSITE_DEGRADED, all, |told| told.verdict().map(|verdict| u8::from(verdict == Outcome::Degraded)));
    figures(page, &WEBSITE_UPTIME, all, |uptime| uptime.ratio());
    figures(page, &WEBSITE_COVERAGE, all, Uptime::coverage_ratio);
    regions(page, &PROBE_SUCCESS, all, |region| match region.outcome {
        Outcome::Up | Outcome::Degraded => Some(1),
        Outcome::Down => Some(0),
        Outcome::Unknown => None,
    });
    regions(page, &PROBE_DURATION, all, |region| Some(f64::from(region.total_us) / 1e6));
    page.family(&PROBE_PHASE);
    for told in all.iter().filter(|told| is_http(told)) {
        for region in &told.regions {
            let labels =
                |phase| [("website_id", told.id.as_str()), ("region", region.region_id.as_str()), ("phase", phase)];
            for (phase, us) in phases(region) {
                page.sample(&PROBE_PHASE, &labels(phase), f64::from(us) / 1e6);
            }
        }
    }
    let http: Vec<&Told> = all.iter().filter(|told| is_http(told)).collect();
    regions(page, &PROBE_STATUS, http.iter().copied(), |region| Some(region.status.unwrap_or(0)));
    regions(page, &PROBE_CERTIFICATE, http.iter().copied(), |region| region.certificate_not_after_at.map(seconds));
    page.one(&WEBSITES_LEFT_OUT, left_out);
    let uncounted = all.iter().flat_map(|told| &told.uptimes).filter(|uptime| uptime.is_none()).count();
    page.one(&UPTIMES_LEFT_OUT, uncounted);
}

fn is_http(told: &Told) -> bool {
    told.watched.website.kind == WebsiteKind::Http
}

/// The phases as the blackbox exporter names them; those that did not take place are 0.
fn phases(region: &RegionState) -> [(&'static str, u32); 5] {
    let us = |us: Option<u32>| us.unwrap_or(0);
    let phases = &region.phases;
    [
        ("resolve", us(phases.dns_us)),
        ("connect", us(phases.connect_us)),
        ("tls", us(phases.tls_us)),
        ("processing", us(phases.send_us).saturating_add(us(phases.wait_us))),
        ("transfer", us(phases.receive_us)),
    ]
}

fn each<V: std::fmt::Display>(page: &mut Page, family: &Family, all: &[Told], value: impl Fn(&Told) -> Option<V>) {
    page.family(family);
    for told in all {
        if let Some(value) = value(told) {
            page.sample(family, &[("website_id", &told.id)], value);
        }
    }
}

fn figures(page: &mut Page, family: &Family, all: &[Told], value: impl Fn(&Uptime) -> Option<f64>) {
    page.family(family);
    for told in all {
        for ((window, _), uptime) in WINDOWS.iter().zip(&told.uptimes) {
            if let Some(value) = uptime.as_ref().and_then(&value) {
                page.sample(family, &[("website_id", &told.id), ("window", window)], value);
            }
        }
    }
}

fn regions<'a, V: std::fmt::Display>(
    page: &mut Page,
    family: &Family,
    all: impl IntoIterator<Item = &'a Told>,
    value: impl Fn(&RegionState) -> Option<V>,
) {
    page.family(family);
    for told in all {
        for region in &told.regions {
            if let Some(value) = value(region) {
                page.sample(family, &[("website_id", &told.id), ("region", region.region_id.as_str())], value);
            }
        }
    }
}
