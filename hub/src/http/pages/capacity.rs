//! Room on disk: what history is foretold to take, what it takes, what is left. For operators only.

use std::sync::Arc;

use askama::Template;

use super::{Frame, Viewer, page};
use crate::clock;
use crate::http::{App, HttpError, Request, Response, login, route::Params};
use crate::operator::capacity::{Capacity, bytes_words};

/// The page.
#[derive(Debug, Template)]
#[template(path = "capacity.html")]
pub struct CapacityPage {
    frame: Frame,
    lines: Vec<Line>,
    /// What room is foretold from.
    load: String,
    retention_days: u16,
    growth: String,
    /// What is left on the disk, and for how long it lasts.
    disk: Option<String>,
    /// There is little of it.
    is_short: bool,
    /// What Redis would hold, where there is one.
    redis: Option<String>,
}

#[derive(Debug)]
struct Line {
    what: &'static str,
    foretold: String,
    used: String,
    full: String,
    is_sum: bool,
}

impl CapacityPage {
    /// What an operator sees.
    #[must_use]
    pub fn new(viewer: impl Into<Viewer>, capacity: &Capacity, has_redis: bool) -> Self {
        let none = || "–".to_owned();
        let used = |bytes: Option<u64>| bytes.map_or_else(none, bytes_words);
        let mut lines: Vec<Line> = capacity
            .lines()
            .iter()
            .map(|line| Line {
                what: line.part.words(),
                foretold: bytes_words(line.now),
                used: used(line.used),
                full: bytes_words(line.full),
                is_sum: false,
            })
            .collect();
        for (what, bytes) in
            [("Incidents, changes of verdict, alerts", capacity.used.incidents), ("All else", capacity.others())]
        {
            lines.push(Line { what, foretold: none(), used: used(bytes), full: none(), is_sum: false });
        }
        let (now, full) = capacity.foretold();
        lines.push(Line {
            what: "Together",
            foretold: bytes_words(now),
            used: bytes_words(capacity.used.total),
            full: bytes_words(full),
            is_sum: true,
        });
        let plan = &capacity.plan;
        let websites: u64 = plan.loads.iter().map(|load| load.websites).sum();
        let redis = has_redis.then(|| bytes_words(plan.redis_an_hour()));
        Self {
            frame: Frame::wide("Room on disk", viewer).at("/probes"),
            lines,
            load: load_words(websites, plan.checks_a_second(), plan.ticks_a_day()),
            retention_days: plan.retention_days,
            growth: bytes_words(plan.growth_a_day(capacity.at)),
            disk: capacity.space.map(|(free, total)| disk_words(free, total, capacity.full_in_days())),
            is_short: capacity.full_in_days().is_some_and(|days| days < 30),
            redis,
        }
    }
}

fn load_words(websites: u64, a_second: f64, a_day: f64) -> String {
    let rate = match a_second {
        ..0.017 => format!("{:.0} checks an hour", a_second * 3_600.0),
        0.017..1.0 => format!("{:.0} checks a minute", a_second * 60.0),
        _ => format!("{a_second:.0} checks a second"),
    };
    let websites = if websites == 1 { "1 website".to_owned() } else { format!("{websites} websites") };
    format!("{websites}, {rate}, {a_day:.0} results a day")
}

fn disk_words(free: u64, total: u64, full_in_days: Option<u32>) -> String {
    let left = format!("{} of {} are free", bytes_words(free), bytes_words(total));
    match full_in_days {
        None => format!("{left}: enough for more than ten years of this."),
        Some(0) => format!("{left}: not enough for another day of this."),
        Some(1) => format!("{left}: enough for a day of this."),
        Some(days) => format!("{left}: enough for {days} days of this."),
    }
}

/// What was read within the last minutes, or is read now.
///
/// # Errors
/// The database is away.
pub(in crate::http) fn read(app: &App) -> Result<Arc<Capacity>, HttpError> {
    if let Some(kept) = app.capacity.get() {
        return Ok(kept);
    }
    let settings = &app.settings;
    let capacity = Capacity::read(&app.store, settings.retention, &settings.state_directory, clock::now());
    Ok(app.capacity.put(app.wait(capacity).map_err(login::store)?))
}

/// `GET /capacity`.
///
/// # Errors
/// Not for this account, or the database is away.
pub fn show(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let who = login::operator(app, request)?;
    page(200, &CapacityPage::new(Viewer::of(app, &who), &*read(app)?, app.settings.redis.is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        assert_eq!(load_words(1, 1.0 / 60.0, 1_440.0), "1 website, 60 checks an hour, 1440 results a day");
        assert_eq!(load_words(1_000, 83.3, 7_200_000.0), "1000 websites, 83 checks a second, 7200000 results a day");
        let gb = 1_000_000_000;
        assert_eq!(disk_words(5 * gb, 10 * gb, Some(40)), "5.0 GB of 10.0 GB are free: enough for 40 days of this.");
        assert!(disk_words(gb, gb, None).contains("ten years") && disk_words(0, gb, Some(0)).contains("not enough"));
    }
}
