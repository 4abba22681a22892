//! A report as a message.

use super::{Links, Message, Tone, words};
use crate::model::report::Report;
use crate::model::report::words::{NONE, Said, group};
use crate::model::{AlertEvent, AlertId, UtcMs};

/// Websites that are named, the worst.
const NAMED: usize = 10;

impl Message {
    /// How websites did.
    #[must_use]
    pub fn report(alert_id: AlertId, report: &Report, links: Links, now: UtcMs) -> Self {
        let (window, said) = (&report.window, Said::of(&report.all));
        let is_one = report.scope.website().is_some();
        let name = match report.rows.first().filter(|_| is_one) {
            Some(row) => words::name(&row.subject.url),
            None => words::line(&group(&report.scope), 80),
        };
        let name = if name.is_empty() { "A website".to_owned() } else { name };
        let title = match report.all.uptime_share() {
            Some(_) => format!("{name}: up {} in {window}", said.uptime),
            None => format!("{name}: nothing was observed in {window}"),
        };
        let is_over_budget = report.all.budget.is_some_and(|budget| budget.left_ms() < 0);
        let sentence = match report.all.outages.count {
            0 => "There was no outage.".to_owned(),
            1 => format!("There was 1 outage; it was down for {}.", said.down),
            count if is_one => format!("There were {count} outages; it was down for {} together.", said.down),
            count => format!("There were {count} outages; websites were down for {} together.", said.down),
        };
        let before = report.before.as_ref().map(Said::of);
        let beside = |now: &str, before: Option<&String>| match before.filter(|before| *before != NONE) {
            Some(before) => format!("{now} (before: {before})"),
            None => now.to_owned(),
        };
        let of = |pick: fn(&Said) -> &String| beside(pick(&said), before.as_ref().map(pick));
        let mut facts = vec![
            ("Uptime", of(|s| &s.uptime)),
            ("Known", said.known.clone()),
            ("Down", of(|s| &s.down)),
            ("Outages", of(|s| &s.outages)),
            ("Longest", said.longest.clone()),
            ("Mean time to repair", of(|s| &s.mttr)),
            ("Mean time to detect", said.mttd.clone()),
        ];
        if let Some(budget) = &said.budget {
            let burn = said.burn.as_ref().map(|burn| format!(", {burn}")).unwrap_or_default();
            facts.push(("Error budget", format!("{budget}{burn}")));
        }
        for (region, histogram) in report.all.latency.iter().take(NAMED) {
            let took = [500, 950, 990].map(|q| histogram.quantile_us(q).map(crate::model::report::words::took));
            if let [Some(p50), Some(p95), Some(p99)] = took {
                facts.push(("Answers", format!("{region}: p50 {p50}, p95 {p95}, p99 {p99}")));
            }
        }
        // What there is nothing of needs no line.
        facts.retain(|(_, value)| value != NONE);
        facts.push((
            "Time",
            format!("{} to {}", words::instant(window.span.from_at), words::instant(window.span.to_at)),
        ));
        let line = |row: &crate::model::report::Row| {
            let said = Said::of(&row.now);
            format!("{}: {}, down {}", words::name(&row.subject.url), said.uptime, said.down)
        };
        let list: Vec<String> = if is_one { Vec::new() } else { report.rows.iter().take(NAMED).map(line).collect() };
        let more = if is_one { 0 } else { report.rows.len().saturating_sub(NAMED) };
        Self {
            alert_id,
            event: AlertEvent::Report,
            at: now,
            tone: if is_over_budget { Tone::Warning } else { Tone::Note },
            title,
            said: sentence,
            facts,
            list,
            more: i64::try_from(more).unwrap_or(0),
            links,
            about: None,
            held: None,
        }
    }

    /// A report that cannot be made, and what would help.
    #[must_use]
    pub fn no_report(alert_id: AlertId, window: &str, remedy: &str, links: Links, now: UtcMs) -> Self {
        Self {
            alert_id,
            event: AlertEvent::Report,
            at: now,
            tone: Tone::Note,
            title: format!("No report for {window}"),
            said: words::sentence(remedy),
            facts: Vec::new(),
            list: Vec::new(),
            more: 0,
            links,
            about: None,
            held: None,
        }
    }
}
