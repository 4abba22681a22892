//! `/design`: the parts that pages are made of, with invented figures, for whoever works on them. Off unless `DESIGN_PAGE=1`:
//! it tells nothing of anybody, and is of use to nobody else.

use std::collections::BTreeMap;

use askama::Template;

use super::chart::Charts;
use super::spark::{self, Spark};
use super::strip::Strip;
use super::waterfall::{self, Waterfall, scale_us};
use super::window::Window;
use super::words::Mark;
use super::{Frame, page, words};
use crate::clock;
use crate::http::{App, HttpError, Request, Response, route::Params};
use crate::model::roll_up::{CountedTick, Grain, RollUp};
use crate::model::uptime::DAY_MS;
use crate::model::{Outcome, Phases, RecentTick, RegionId, Span, Uptime, UtcMs, WebsiteId};
use crate::store::{Series, SeriesAsked};

/// The page.
#[derive(Template, Debug)]
#[template(path = "design.html", whitespace = "minimize")]
pub struct DesignPage {
    frame: Frame,
    marks: [Mark; 6],
    sparks: Vec<Spark>,
    waterfalls: Vec<Waterfall>,
    scale: String,
    phase_names: Vec<(&'static str, Option<u32>)>,
    strip: Strip,
    charts: Charts,
    website_id: WebsiteId,
}

impl DesignPage {
    /// As of an instant.
    #[must_use]
    pub fn new(now: UtcMs) -> Self {
        let phases = phases(40_000);
        Self {
            frame: Frame::wide("Design", "nobody"),
            marks: Mark::ALL,
            sparks: (0..3).filter_map(sample_spark).collect(),
            waterfalls: regions().iter().map(|region| waterfall::of_sample(region.as_str(), &phases)).collect(),
            scale: words::took(scale_us([&phases])),
            phase_names: Phases::default().named().to_vec(),
            strip: Strip::new(&days(now), now - 80 * DAY_MS, now),
            charts: charts(now),
            website_id: WebsiteId(uuid::Uuid::nil()),
        }
    }
}

/// `GET /design`.
///
/// # Errors
/// Not found, unless it was asked for in the settings.
pub fn show(app: &App, _: &Request, _: &Params) -> Result<Response, HttpError> {
    if !app.settings.shows_design {
        return Err(HttpError::NotFound);
    }
    page(200, &DesignPage::new(clock::now()))
}

fn regions() -> Vec<RegionId> {
    ["EU-WEST", "INDIA", "USA"].iter().filter_map(|slug| slug.parse().ok()).collect()
}

fn phases(wait_us: u32) -> Phases {
    Phases {
        dns_us: Some(3_000),
        connect_us: Some(14_000),
        tls_us: Some(31_000),
        send_us: Some(90),
        wait_us: Some(wait_us),
        receive_us: Some(5_000),
    }
}

/// Ten answers, a few of them of each kind.
fn sample_spark(n: u32) -> Option<Spark> {
    let tick = |i: u32| RecentTick {
        slot_at: i64::from(i),
        attempt: 0,
        outcome: match (i + n) % 7 {
            6 if n > 0 => Outcome::Down,
            5 if n > 1 => Outcome::Unknown,
            4 if n > 0 => Outcome::Degraded,
            _ => Outcome::Up,
        },
        status: Some(200),
        total_us: 40_000 + i * 7_919 % 60_000,
    };
    let ticks: Vec<RecentTick> = (0..10).map(tick).collect();
    spark::of(&ticks.iter().collect::<Vec<_>>())
}

/// A good quarter with a little of everything in it.
fn days(now: UtcMs) -> BTreeMap<UtcMs, Uptime> {
    let today = Grain::Day.start_of(now);
    let day = |n: i64| {
        let mut uptime = Uptime { up_ms: DAY_MS, ..Uptime::default() };
        match n {
            3 | 40 => (uptime.down_ms, uptime.up_ms) = (1_020_000, DAY_MS - 1_020_000),
            12 => (uptime.degraded_ms, uptime.up_ms) = (7_200_000, DAY_MS - 7_200_000),
            20..23 => (uptime.unknown_ms, uptime.up_ms) = (DAY_MS, 0),
            30 => (uptime.maintenance_ms, uptime.up_ms) = (DAY_MS, 0),
            _ => {}
        }
        (today - n * DAY_MS, uptime)
    };
    (0..80).map(day).collect()
}

fn charts(now: UtcMs) -> Charts {
    let window = Window::Day;
    let SeriesAsked { span, piece_ms, .. } = window.series(now);
    let mut series = Series::new();
    for (n, region) in (0_u32..).zip(regions()) {
        let pieces = (0..24_u32).filter(|piece| *piece != 9 + n);
        let piece = |piece: u32| (span.from_at + i64::from(piece) * piece_ms, sample_piece(piece, n));
        series.insert(region, pieces.map(piece).collect());
    }
    let outage = Span { from_at: span.from_at + 10 * piece_ms, to_at: span.from_at + 11 * piece_ms };
    Charts::new(window, &series, None, &[outage], now)
}

fn sample_piece(piece: u32, region: u32) -> RollUp {
    let mut roll_up = RollUp::default();
    let evening = if piece > 17 { 60_000 } else { 0 };
    for n in 0..60_u32 {
        let straggler = if n > 56 { 130_000 } else { 0 };
        let phases = phases(30_000 + region * 45_000 + evening + (n * n * 31 + piece * 7_919) % 24_000 + straggler);
        roll_up.count(&CountedTick { outcome: Outcome::Up, late: false, total_us: phases.sum_us(), phases });
    }
    roll_up
}
