//! How long answers took, drawn by region: the half of them, 95 and 99 of a hundred as steps, where the time went below, and
//! outages behind. Pieces without an answer are gaps. Shapes have attributes alone, no style; the same figures stand in a table.

use std::fmt::Write as _;

use super::website_words as say;
use super::window::Window;
use super::words::took;
use crate::model::roll_up::RollUp;
use crate::model::{Phases, RegionId, Span, UtcMs};
use crate::store::{Latency, Series, SeriesAsked};

/// Regions that are drawn; of more, the page would be too long for anybody.
const SHOWN: usize = 8;
/// Units of the picture: it is as wide and high as its place is.
const WIDTH: usize = 960;
const HEIGHT: u32 = 200;
/// A drawing is cut off where 99 of a hundred took more than so many times what 95 did: one straggler would flatten all.
const STRAGGLE: u32 = 3;

/// The drawings of all regions, on one scale.
#[derive(Debug, Default)]
pub(super) struct Charts {
    pub(super) links: Vec<WindowLink>,
    /// Under the axis, in columns of equal width.
    pub(super) labels: Vec<String>,
    /// The scale: its end and its half.
    pub(super) full: String,
    pub(super) half: String,
    /// The same of the mean times of phases.
    pub(super) phases_full: String,
    pub(super) width: usize,
    /// How wide a piece is.
    pub(super) step: usize,
    pub(super) piece: &'static str,
    /// What goes beyond the scale is cut off.
    pub(super) is_cut: bool,
    pub(super) has_outages: bool,
    pub(super) charts: Vec<Chart>,
    /// Regions that are not drawn.
    pub(super) more: usize,
}

/// A way to another window.
#[derive(Debug)]
pub(super) struct WindowLink {
    pub(super) name: &'static str,
    pub(super) words: &'static str,
    pub(super) is_here: bool,
}

/// The drawing of a region.
#[derive(Debug)]
pub(super) struct Chart {
    pub(super) region: String,
    /// What it shows, in a sentence.
    pub(super) text: String,
    /// Of the whole window: p50, p95, p99.
    pub(super) took: [String; 3],
    pub(super) half: String,
    pub(super) most: String,
    pub(super) nearly_all: String,
    pub(super) phases: Vec<(&'static str, String)>,
    pub(super) outages: Vec<(i64, i64)>,
    /// A line a piece, as far as time has come.
    pub(super) rows: Vec<Row>,
}

/// The figures of a piece.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) at: String,
    pub(super) took: [String; 3],
    pub(super) checks: String,
    pub(super) down: String,
}

/// What of a piece is drawn, in microseconds.
#[derive(Debug, Clone, Copy)]
struct Drawn {
    quantiles: [u32; 3],
    phases: [u32; 6],
}

impl Drawn {
    fn of(roll_up: &RollUp) -> Option<Self> {
        let quantile = |per_mille| roll_up.latency.quantile_us(per_mille);
        let quantiles = [quantile(500)?, quantile(950)?, quantile(990)?];
        let mean = |sum: i64| roll_up.mean_us(sum).and_then(|us| u32::try_from(us).ok()).unwrap_or(0);
        Some(Self { quantiles, phases: roll_up.phases_us.map(mean) })
    }
}

impl Charts {
    /// Of a window; `latency` is all of it at once, `outages` are those of the website.
    pub(super) fn new(
        window: Window,
        series: &Series,
        latency: Option<&Latency>,
        outages: &[Span],
        now: UtcMs,
    ) -> Self {
        let asked = window.series(now);
        let SeriesAsked { span, piece_ms, .. } = asked;
        let begins: Vec<UtcMs> = std::iter::successors(Some(span.from_at), |at| Some(at + piece_ms))
            .take_while(|at| *at < span.to_at)
            .collect();
        let step = (WIDTH / begins.len().max(1)).max(1);
        let shown: Vec<(&RegionId, Vec<Option<Drawn>>)> = series
            .iter()
            .map(|(region, pieces)| (region, begins.iter().map(|at| pieces.get(at).and_then(Drawn::of)).collect()))
            .filter(|(_, drawn): &(_, Vec<_>)| drawn.iter().any(Option::is_some))
            .collect();
        let drawn = || shown.iter().take(SHOWN).flat_map(|(_, drawn)| drawn.iter().flatten());
        let most = drawn().map(|d| d.quantiles[1]).max().unwrap_or(1);
        let nearly_all = drawn().map(|d| d.quantiles[2]).max().unwrap_or(1);
        let is_cut = nearly_all > most.saturating_mul(STRAGGLE);
        let full = nice(if is_cut { most.saturating_mul(3) / 2 } else { nearly_all });
        let phases_full = nice(drawn().map(|d| d.phases.iter().sum()).max().unwrap_or(1));
        let width = step * begins.len();
        let outages: Vec<(i64, i64)> = outages.iter().filter_map(|outage| place(*outage, span, width)).collect();
        let scale = Scale { step, full, phases_full };
        let chart = |(region, drawn): &(&RegionId, Vec<Option<Drawn>>)| {
            let pieces = series.get(*region);
            let rows = begins.iter().take_while(|at| **at < now);
            let rows = rows.map(|at| Row::new(window, *at, pieces.and_then(|pieces| pieces.get(at)))).collect();
            let whole = latency.and_then(|latency| latency.regions.get(*region));
            Chart::new(region, whole, drawn, &scale, outages.clone(), rows, window)
        };
        let link =
            |other: Window| WindowLink { name: other.as_str(), words: say::window(other), is_here: other == window };
        Self {
            links: Window::ALL.map(link).into(),
            labels: begins.iter().step_by(window.labelled_every()).map(|at| say::axis(window, *at)).collect(),
            full: took(full),
            half: took(full / 2),
            phases_full: took(phases_full),
            width,
            step,
            piece: say::piece(window),
            is_cut,
            has_outages: !outages.is_empty(),
            charts: shown.iter().take(SHOWN).map(chart).collect(),
            more: shown.len().saturating_sub(SHOWN),
        }
    }
}

/// From figures to units.
struct Scale {
    step: usize,
    full: u32,
    phases_full: u32,
}

impl Chart {
    fn new(
        region: &RegionId,
        whole: Option<&RollUp>,
        drawn: &[Option<Drawn>],
        scale: &Scale,
        outages: Vec<(i64, i64)>,
        rows: Vec<Row>,
        window: Window,
    ) -> Self {
        let quantile = |n: usize| -> Vec<Option<u32>> {
            drawn.iter().map(|d| d.and_then(|d| d.quantiles.get(n).map(|us| height(*us, scale.full)))).collect()
        };
        let (half, most, nearly_all) = (quantile(0), quantile(1), quantile(2));
        let names = Phases::default().named().map(|(name, _)| name);
        let below = |n: usize| -> Vec<Option<u32>> {
            let sum = |d: &Drawn| d.phases.iter().take(n).sum();
            drawn.iter().map(|d| d.as_ref().map(|d| height(sum(d), scale.phases_full))).collect()
        };
        let phases = names.into_iter().enumerate().map(|(n, name)| (name, band(&below(n), &below(n + 1), scale.step)));
        let per_mille = [500, 950, 990];
        let took = per_mille.map(|n| {
            whole.and_then(|all| all.latency.quantile_us(n)).map_or_else(|| "–".to_owned(), super::words::took)
        });
        Self {
            region: region.to_string(),
            text: say::chart(window, region.as_str(), &took, outages.len()),
            took,
            half: line(&half, scale.step),
            most: band(&half, &most, scale.step),
            nearly_all: band(&most, &nearly_all, scale.step),
            phases: phases.filter(|(_, path)| !path.is_empty()).collect(),
            outages,
            rows,
        }
    }
}

impl Row {
    fn new(window: Window, at: UtcMs, roll_up: Option<&RollUp>) -> Self {
        let dash = || "–".to_owned();
        let quantile = |per_mille| roll_up.and_then(|of| of.latency.quantile_us(per_mille)).map_or_else(dash, took);
        Self {
            at: say::begin(window, at),
            took: [500, 950, 990].map(quantile),
            checks: roll_up.map_or_else(dash, |of| of.ticks.to_string()),
            down: roll_up.map_or_else(dash, |of| of.down.to_string()),
        }
    }
}

/// The next number that is easily halved and read: 1 to 8 with zeros behind it.
fn nice(us: u32) -> u32 {
    let us = us.max(1);
    let power = 10_u32.pow(us.ilog10());
    let steps = [1, 2, 3, 4, 5, 6, 8].map(|n: u32| n.saturating_mul(power));
    steps.into_iter().find(|step| *step >= us).unwrap_or_else(|| power.saturating_mul(10))
}

/// From below, at most all of it.
fn height(us: u32, full: u32) -> u32 {
    let part = u64::from(us) * u64::from(HEIGHT) / u64::from(full.max(1));
    u32::try_from(part).unwrap_or(HEIGHT).min(HEIGHT)
}

/// Where a span stands and how wide it is: never too narrow to be seen. `None`: it is not within.
fn place(span: Span, window: Span, width: usize) -> Option<(i64, i64)> {
    let within = window.within(span.from_at, span.to_at)?;
    let (all, width) = ((window.to_at - window.from_at).max(1), i64::try_from(width).unwrap_or(1));
    let unit = |at: UtcMs| (at - window.from_at) * width / all;
    let (x, end) = (unit(within.from_at), unit(within.to_at));
    Some((x.min(width - 3), (end - x).max(3)))
}

/// Steps along the heights; where there is none, nothing.
fn line(heights: &[Option<u32>], step: usize) -> String {
    let mut path = String::new();
    let mut before: Option<u32> = None;
    for (n, height) in heights.iter().enumerate() {
        // Writing to a String cannot fail.
        match (before, height) {
            (None, Some(at)) => _ = write!(path, "M{} {}h{step}", n * step, HEIGHT - at),
            (Some(from), Some(at)) if from == *at => _ = write!(path, "h{step}"),
            (Some(from), Some(at)) => _ = write!(path, "v{}h{step}", i64::from(from) - i64::from(*at)),
            (_, None) => {}
        }
        before = *height;
    }
    path
}

/// What is between two heights, as steps.
fn band(low: &[Option<u32>], high: &[Option<u32>], step: usize) -> String {
    let both: Vec<Option<(u32, u32)>> = low.iter().zip(high).map(|(low, high)| Some(((*low)?, (*high)?))).collect();
    let mut path = String::new();
    let mut n = 0;
    while n < both.len() {
        let run: Vec<(u32, u32)> = both.iter().skip(n).map_while(|piece| *piece).collect();
        if run.iter().any(|(low, high)| low != high) {
            let highs: Vec<Option<u32>> = run.iter().map(|(_, high)| Some(*high)).collect();
            path.push_str(&line(&highs, step).replacen("M0", &format!("M{}", n * step), 1));
            let mut at = run.last().map_or(0, |(_, high)| *high);
            for (low, _) in run.iter().rev() {
                if *low != at {
                    let _ = write!(path, "v{}", i64::from(at) - i64::from(*low));
                }
                at = *low;
                let _ = write!(path, "h-{step}");
            }
            path.push('z');
        }
        n += run.len().max(1);
    }
    path
}

#[cfg(test)]
mod tests {
    use super::super::invented::{self, NOW};
    use super::*;

    #[test]
    fn gaps_are_gaps_and_steps_are_as_high_as_their_figures() {
        let heights = [Some(10), Some(10), None, Some(30), Some(20)];
        assert_eq!(line(&heights, 8), "M0 190h8h8M24 170h8v10h8");
        let zero = heights.map(|height: Option<u32>| height.map(|_| 0));
        assert_eq!(band(&zero, &heights, 8), "M0 190h8h8v10h-8h-8zM24 170h8v10h8v20h-8h-8z");
        assert_eq!(band(&zero, &zero, 8), "", "of a phase that never took place there is nothing");
    }

    #[test]
    fn a_scale_ends_with_a_round_number() {
        assert_eq!(
            [1, 9, 85_000, 412_345, 900_000, 4_000_000_000].map(nice),
            [1, 10, 100_000, 500_000, 1_000_000, 4_000_000_000]
        );
        assert_eq!((height(50, 100), height(500, 100), height(u32::MAX, 1)), (100, 200, 200));
    }

    #[test]
    fn an_outage_is_seen_however_short_and_only_within_the_window() {
        let window = Span { from_at: 1_000, to_at: 2_000 };
        let at = |from_at, to_at| place(Span { from_at, to_at }, window, 100);
        assert_eq!((at(1_500, 1_501), at(0, 1_100), at(1_999, 9_000)), (Some((50, 3)), Some((0, 10)), Some((97, 3))));
        assert_eq!((at(0, 900), at(2_000, 2_100)), (None, None));
    }

    #[test]
    fn each_region_is_drawn_on_one_scale_with_its_figures_beside() {
        for window in Window::ALL {
            let past = invented::past(window.series(NOW), false);
            let charts = Charts::new(window, &past.series, Some(&past.latencies[window as usize]), &past.outages, NOW);
            assert_eq!(charts.charts.len(), 3, "{window:?}");
            assert!((6..=7).contains(&charts.labels.len()) && charts.width <= WIDTH, "{window:?}");
            for chart in &charts.charts {
                assert!(chart.half.starts_with('M') && chart.most.ends_with('z') && !chart.phases.is_empty());
                assert!(chart.text.contains(&chart.region) && chart.rows.len() >= 20, "{}", chart.text);
                assert!(chart.rows.iter().any(|row| row.took[0] == "–"), "there is a gap");
                assert!(!chart.outages.is_empty());
            }
        }
    }
}
