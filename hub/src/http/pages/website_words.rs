//! How the page of a website says things: its state, its figures, its days. Views hold these words, templates the headings.

use super::window::Window;
use super::words::{self, Instant, Mark, instant, lasted, percent, span};
use crate::model::backoff::{Outlook, outlook};
use crate::model::issuer::IssuerChange;
use crate::model::message::words::{day as date, line};
use crate::model::verdict::without_codes;
use crate::model::{BoardRow, CheckKind, Uptime, UtcMs};

/// The figure of a page that has no others.
pub(super) const UPTIME_24H: &str = "Uptime, last 24 h";

/// Why it is in its state.
pub(super) fn reason(row: &BoardRow, mark: Mark) -> String {
    match mark {
        Mark::Paused => "No checks are made until it is resumed.".to_owned(),
        _ if row.website.is_unreadable => words::UNREADABLE.to_owned(),
        Mark::Pending => "The first check is on its way.".to_owned(),
        Mark::Down | Mark::Degraded | Mark::Unknown | Mark::Up => without_codes(&row.state.reason),
    }
}

/// Why a check was made that the schedule alone did not ask for.
pub(super) fn kind(kind: CheckKind) -> &'static str {
    match kind {
        CheckKind::Scheduled => "",
        CheckKind::First => "first check",
        CheckKind::Manual => "asked for",
        CheckKind::Confirm => "second look",
    }
}

/// What came of a button.
pub(super) fn said(said: &str) -> Option<&'static str> {
    Some(match said {
        "paused" => "It is paused: nobody looks at it, and nobody is told.",
        "resumed" => "It is watched again.",
        _ => return None,
    })
}

/// A window, in a link.
pub(super) fn window(window: Window) -> &'static str {
    match window {
        Window::Day => "24 hours",
        Window::Week => "7 days",
        Window::Month => "30 days",
        Window::Quarter => "90 days",
    }
}

/// What a step of the drawing stands for.
pub(super) fn piece(window: Window) -> &'static str {
    match window {
        Window::Day => "an hour",
        Window::Week => "three hours",
        Window::Month | Window::Quarter => "a day",
    }
}

fn format(at: UtcMs, form: &str) -> String {
    jiff::Timestamp::from_millisecond(at).map(|at| at.strftime(form).to_string()).unwrap_or_default()
}

/// Under the axis.
pub(super) fn axis(window: Window, at: UtcMs) -> String {
    match window {
        Window::Day => format(at, "%H:%M"),
        Window::Week => format(at, "%a"),
        Window::Month | Window::Quarter => format(at, "%-d %b"),
    }
}

/// When a piece began, in the table.
pub(super) fn begin(window: Window, at: UtcMs) -> String {
    match window {
        Window::Day | Window::Week => format(at, "%a %-d %b, %H:%M"),
        Window::Month | Window::Quarter => format(at, "%a %-d %b"),
    }
}

/// A day without its year.
pub(super) fn short_day(at: UtcMs) -> String {
    format(at, "%-d %b")
}

/// A drawing, for whoever does not see it.
pub(super) fn chart(of: Window, region: &str, took: &[String; 3], outages: usize) -> String {
    let [half, most, nearly_all] = took;
    let outages = match outages {
        0 => "no outage".to_owned(),
        1 => "1 outage".to_owned(),
        n => format!("{n} outages"),
    };
    format!(
        "{region}, last {}: half of the answers took no longer than {half}, 95 of 100 no longer than {most}, 99 of 100 no \
         longer than {nearly_all}; {outages}.",
        window(of)
    )
}

/// A day of the strip.
pub(super) fn day(at: UtcMs, day: Option<&Uptime>, is_today: bool) -> String {
    let name = if is_today { "Today".to_owned() } else { format(at, "%a %-d %b %Y") };
    let Some(day) = day else { return format!("{name}: not known") };
    let known = day.up_ms + day.degraded_ms + day.down_ms;
    let mut parts = Vec::new();
    if known > 0 {
        parts.push(format!("{} up", percent(day.up_ms + day.degraded_ms, known)));
    }
    for (ms, what) in [(day.down_ms, "down"), (day.degraded_ms, "degraded"), (day.maintenance_ms, "in maintenance")] {
        if ms > 0 {
            parts.push(format!("{what} for {}", lasted(ms)));
        }
    }
    if day.unknown_ms > 0 && known > 0 && day.unknown_ms >= 60_000 {
        parts.push(format!("{} known", percent(known, known + day.unknown_ms)));
    }
    if parts.is_empty() { format!("{name}: not known") } else { format!("{name}: {}", parts.join(", ")) }
}

/// A day on which there was nothing to watch.
pub(super) fn day_before(at: UtcMs) -> String {
    format!("{}: before it was added", format(at, "%a %-d %b %Y"))
}

/// The strip, in a sentence.
pub(super) fn strip(known: usize, troubled: i64) -> String {
    let days = if known == 1 { "1 day".to_owned() } else { format!("{known} days") };
    match troubled {
        0 => format!("{days} known of the last 90, none with an outage"),
        1 => format!("{days} known of the last 90, 1 with an outage"),
        n => format!("{days} known of the last 90, {n} with an outage"),
    }
}

/// How often, and when next: less often while it is down for long.
fn checked(row: &BoardRow, now: UtcMs) -> String {
    let interval_ms = row.website.settings.interval_ms;
    let Outlook { factor, next_at } = outlook(row, now);
    let mut text = format!("{} from each region", words::every(interval_ms));
    if factor > 1 {
        text = format!("{text}; {} while it is down for long, until it answers", words::every(factor * interval_ms));
        if let Some(next_at) = next_at {
            text = format!("{text}; next at {} UTC", instant(next_at).words);
        }
    }
    text
}

/// What it is watched for, and how.
pub(super) fn facts(row: &BoardRow, now: UtcMs) -> Vec<(&'static str, String)> {
    let settings = &row.website.settings;
    let uptime = words::share(&row.uptime_24h);
    let mut uptime = match uptime.coverage {
        Some(coverage) => format!("{} ({coverage} of the time is known)", uptime.share),
        None => uptime.share,
    };
    if row.uptime_24h.maintenance_ms >= 60_000 {
        uptime = format!("{uptime}, without {} of maintenance", lasted(row.uptime_24h.maintenance_ms));
    }
    let regions: Vec<&str> = settings.regions.iter().map(|r| r.as_str()).collect();
    let mut facts = vec![
        (UPTIME_24H, uptime),
        ("Checked", checked(row, now)),
        ("Waits for an answer", format!("{} at most", span(settings.timeout_ms))),
        ("Regions", if regions.is_empty() { "all".to_owned() } else { regions.join(", ") }),
    ];
    facts.extend(super::settings_words::facts(&settings.options));
    facts.push(("Added", format!("{} UTC", instant(row.website.created_at).words)));
    facts
}

/// A host whose websites ask for more than it gets.
pub(super) fn crowded(share: f64) -> (&'static str, String) {
    let percent = (share * 100.0).round().clamp(1.0, 99.0);
    (
        "Its host is crowded",
        format!(
            "all websites on it ask for more checks than one host gets here; {percent:.0} % of the slots are used, the others \
             are left out, taking turns"
        ),
    )
}

/// Names that a certificate is for, of so many.
pub(super) fn names(names: &[String], total: usize) -> String {
    let shown: Vec<String> = names.iter().take(4).map(|name| line(name, 80)).collect();
    match total.saturating_sub(shown.len()) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// When a certificate ends: the time left, and the instant.
pub(super) fn ends(end_at: UtcMs, now: UtcMs) -> (String, Instant) {
    let left = if end_at > now { format!("Ends in {}", lasted(end_at - now)) } else { "It has ended".to_owned() };
    (left, instant(end_at))
}

/// That somebody else issues it now.
pub(super) fn issuer_changed(change: &IssuerChange) -> String {
    format!("It changed from {} to {} on {}.", line(&change.from, 80), line(&change.to, 80), date(change.at))
}
