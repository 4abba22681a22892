//! How the last days of a component were spent: a bar each, and a sentence for whoever does not see them.

use crate::http::pages::{instant_of, share};
use crate::model::status_page::Day;
use crate::model::{Uptime, UtcMs};

/// Days that are named to whoever does not see bars.
const NAMED: usize = 8;
/// A day with less than this was bad.
const BAD_PPM: u32 = 990_000;
const ALL_PPM: u32 = 1_000_000;
/// Of a bar.
const HEIGHT: u32 = 30;

#[derive(Debug)]
pub(super) struct DaysView {
    pub(super) bars: Vec<Bar>,
    pub(super) share: String,
    pub(super) coverage: String,
    pub(super) summary: String,
}

#[derive(Debug)]
pub(super) struct Bar {
    pub(super) x: usize,
    pub(super) class: &'static str,
    /// Top and height, where it is no whole bar.
    pub(super) part: Option<(u32, u32)>,
    pub(super) title: String,
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
    pub(super) fn new(days: &[Day], sum: &Uptime) -> Self {
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
    pub(super) fn new(n: usize, day: &Day) -> Self {
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

#[cfg(test)]
mod tests {
    use super::*;

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
