//! How a website did over the last day, week, month, quarter and year.

use super::words::{lasted, percent, share, took};
use crate::model::uptime::windows_of_days;
use crate::model::{Span, Uptime, UtcMs};
use crate::store::{Latency, UptimeOver};

/// The windows that are shown, by their days.
const WINDOWS: [(&str, i64); 4] = [("24 hours", 1), ("7 days", 7), ("30 days", 30), ("90 days", 90)];
/// And the one of which there is uptime alone.
const LONGEST: (&str, i64) = ("1 year", 365);

/// The windows that are shown, up to now.
pub(super) fn windows(now: UtcMs) -> [Span; 4] {
    windows_of_days(now, WINDOWS.map(|(_, days)| days))
}

/// The year up to now.
pub(super) fn longest(now: UtcMs) -> Span {
    let [year] = windows_of_days(now, [LONGEST.1]);
    year
}

/// A line of the table.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Figure {
    pub(super) window: &'static str,
    /// It was added within the window.
    pub(super) is_young: bool,
    pub(super) uptime: String,
    pub(super) known: String,
    pub(super) p50: String,
    pub(super) p95: String,
    pub(super) p99: String,
    /// How long it was down; empty where it was not.
    pub(super) down: String,
}

/// The table, and what is said below it of maintenance.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Figures {
    pub(super) lines: Vec<Figure>,
    pub(super) maintenance: Option<String>,
}

impl Figures {
    /// Of [`windows`], and of the year where that is there. Those longer than a website is old would all say the same: the first of them stands for all.
    pub(super) fn new(uptimes: &[UptimeOver], latencies: &[Latency], now: UtcMs) -> Self {
        let mut figures = Self::default();
        let all = WINDOWS.into_iter().chain([LONGEST]).zip(windows(now).into_iter().chain([longest(now)]));
        let latencies = latencies.iter().map(Some).chain(std::iter::repeat(None));
        for (((window, _), asked), (over, latency)) in all.zip(uptimes.iter().zip(latencies)) {
            let is_young = over.span.from_at > asked.from_at;
            // After an update older hours are still being counted: what there is of them does not stand for the window.
            let latency = latency.filter(|latency| latency.span.from_at <= over.span.from_at);
            let all = latency.map(|latency| latency.all().latency);
            let quantile = |per_mille| {
                all.as_ref().and_then(|all| all.quantile_us(per_mille)).map_or_else(|| "–".to_owned(), took)
            };
            let (uptime, known) = over.uptime.as_ref().map_or_else(|| ("–".to_owned(), "–".to_owned()), shown);
            let [p50, p95, p99] = [500, 950, 990].map(quantile);
            let down_ms = over.uptime.map_or(0, |uptime| uptime.down_ms);
            let down = if down_ms > 0 { lasted(down_ms) } else { String::new() };
            figures.lines.push(Figure { window, is_young, uptime, known, p50, p95, p99, down });
            let quiet_ms = over.uptime.map_or(0, |uptime| uptime.maintenance_ms);
            figures.maintenance =
                (quiet_ms >= 60_000).then(|| format!("{} of maintenance in {window}", lasted(quiet_ms)));
            if is_young {
                break;
            }
        }
        figures
    }
}

/// Uptime, and how much of the time is known.
fn shown(uptime: &Uptime) -> (String, String) {
    let known = uptime.up_ms + uptime.degraded_ms + uptime.down_ms;
    let all = known + uptime.unknown_ms;
    (share(uptime).share, if all > 0 { percent(known, all) } else { "–".to_owned() })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::roll_up::RollUp;
    use crate::model::uptime::DAY_MS;

    fn over(from_at: UtcMs, to_at: UtcMs, down_ms: i64, maintenance_ms: i64) -> UptimeOver {
        let up_ms = to_at - from_at - down_ms - maintenance_ms;
        let uptime = Some(Uptime { up_ms, down_ms, maintenance_ms, ..Uptime::default() });
        UptimeOver { span: Span { from_at, to_at }, uptime }
    }

    #[test]
    fn a_young_website_has_no_figures_of_the_time_before_it() {
        let now = 1_795_521_600_000;
        let mut roll_up = RollUp { ticks: 1, up: 1, ..RollUp::default() };
        roll_up.latency.record(80_000);
        let regions: BTreeMap<_, _> = [("INDIA".parse().unwrap(), roll_up)].into();
        let latency = |span: Span| Latency {
            span,
            regions: if span.to_at - span.from_at > DAY_MS { regions.clone() } else { BTreeMap::new() },
        };
        let latencies = windows(now).map(latency);
        let uptimes = windows(now).map(|w| over(w.from_at.max(now - 3 * DAY_MS), now, 864_000, DAY_MS / 24));
        let figures = Figures::new(&uptimes, &latencies, now);
        let lines: Vec<_> =
            figures.lines.iter().map(|l| (l.window, l.is_young, &*l.uptime, &*l.known, &*l.p50)).collect();
        assert_eq!(
            lines,
            [("24 hours", false, "98.95 %", "100 %", "–"), ("7 days", true, "99.66 %", "100 %", "80 ms")]
        );
        assert_eq!(figures.maintenance.as_deref(), Some("1 h of maintenance in 7 days"));
        let behind: Vec<_> = latencies
            .iter()
            .map(|latency| Latency { span: Span { from_at: now - 2 * DAY_MS, ..latency.span }, ..latency.clone() })
            .collect();
        assert_eq!(Figures::new(&uptimes, &behind, now).lines[1].p50, "–", "of two days of three");
        let unknown = [UptimeOver { span: windows(now)[0], uptime: None }];
        let figures = Figures::new(&unknown, &latencies, now);
        assert_eq!((&*figures.lines[0].uptime, &*figures.lines[0].known), ("–", "–"));
        assert_eq!(Figures::new(&[], &[], now), Figures::default());
    }
}
