//! A report as a table for spreadsheets: RFC 4180, and no cell that a spreadsheet would take for a formula.

use super::{Figures, Report, number};
use crate::model::Scope;
use crate::model::message::words::{masked, rfc3339};

/// The columns, whose names and meaning stay; new ones come at the end.
const COLUMNS: [&str; 31] = [
    "website_id",
    "website",
    "from_at",
    "to_at",
    "uptime_percent",
    "coverage_percent",
    "up_ms",
    "degraded_ms",
    "down_ms",
    "unknown_ms",
    "maintenance_ms",
    "outages",
    "outages_open",
    "longest_outage_ms",
    "mttr_ms",
    "mttd_ms",
    "p50_us",
    "p95_us",
    "p99_us",
    "goal_percent",
    "budget_allowed_ms",
    "budget_used_ms",
    "budget_left_ms",
    "budget_used_percent",
    "burn_rate",
    "uptime_percent_before",
    "down_ms_before",
    "outages_before",
    "mttr_ms_before",
    "p95_us_before",
    "region",
];

/// A line of names, one of all together (whose id is empty), then each website, worst first; after each one a line per
/// region, with latency alone.
#[must_use]
pub fn csv(report: &Report) -> String {
    let mut text = String::new();
    line(&mut text, &COLUMNS.map(str::to_owned));
    let span = [rfc3339(report.window.span.from_at), rfc3339(report.window.span.to_at)];
    let name = match &report.scope {
        Scope::All => "all websites".to_owned(),
        Scope::Tag(tag) => format!("tag {tag}"),
        Scope::Website(_) => String::new(),
    };
    if !matches!(report.scope, Scope::Website(_)) {
        lines(&mut text, [String::new(), name], &span, "", &report.all, report.before.as_ref());
    }
    for row in &report.rows {
        let goal = row.subject.goal.or(report.goal).map(|goal| goal.to_string()).unwrap_or_default();
        let names = [row.subject.website_id.to_string(), masked(&row.subject.url)];
        lines(&mut text, names, &span, &goal, &row.now, row.before.as_ref());
    }
    text
}

fn lines(
    text: &mut String,
    names: [String; 2],
    span: &[String; 2],
    goal: &str,
    now: &Figures,
    before: Option<&Figures>,
) {
    let all = now.latency_of_all();
    let mut cells: Vec<String> = names.iter().chain(span).cloned().collect();
    cells.extend(figures(now, &all));
    cells.push(goal.to_owned());
    cells.extend(budget(now));
    cells.extend(match before {
        Some(before) => {
            let p95 = before.latency_of_all().quantile_us(950);
            [
                share(before.uptime_share()),
                before.uptime.down_ms.to_string(),
                before.outages.count.to_string(),
                some(before.outages.mttr_ms()),
                some(p95.map(i64::from)),
            ]
        }
        None => [const { String::new() }; 5],
    });
    cells.push(String::new());
    line(text, &cells);
    for (region, histogram) in &now.latency {
        let mut cells = vec![String::new(); COLUMNS.len()];
        let quantiles = [500, 950, 990].map(|q| some(histogram.quantile_us(q).map(i64::from)));
        let [id, name] = names.clone();
        let known = [(0, id), (1, name), (2, span[0].clone()), (3, span[1].clone()), (30, region.to_string())];
        for (place, cell) in known.into_iter().chain((16..).zip(quantiles)) {
            if let Some(known) = cells.get_mut(place) {
                *known = cell;
            }
        }
        line(text, &cells);
    }
}

fn figures(now: &Figures, all: &crate::model::histogram::Histogram) -> [String; 15] {
    let (uptime, outages) = (&now.uptime, &now.outages);
    let quantile = |per_mille| some(all.quantile_us(per_mille).map(i64::from));
    [
        share(now.uptime_share()),
        share(now.coverage_share()),
        uptime.up_ms.to_string(),
        uptime.degraded_ms.to_string(),
        uptime.down_ms.to_string(),
        uptime.unknown_ms.to_string(),
        uptime.maintenance_ms.to_string(),
        outages.count.to_string(),
        outages.open.to_string(),
        if outages.count > 0 { outages.longest_ms.to_string() } else { String::new() },
        some(outages.mttr_ms()),
        some(outages.mttd_ms()),
        quantile(500),
        quantile(950),
        quantile(990),
    ]
}

fn budget(now: &Figures) -> [String; 5] {
    let Some(budget) = &now.budget else { return [const { String::new() }; 5] };
    [
        budget.allowed_ms.to_string(),
        budget.used_ms.to_string(),
        budget.left_ms().to_string(),
        share(budget.used_share()),
        share(budget.burn_rate()),
    ]
}

fn share(thousandths: Option<i64>) -> String {
    thousandths.map(number::decimal).unwrap_or_default()
}

fn some(number: Option<i64>) -> String {
    number.map(|number| number.to_string()).unwrap_or_default()
}

fn line(text: &mut String, cells: &[String]) {
    for (n, one) in cells.iter().enumerate() {
        if n > 0 {
            text.push(',');
        }
        text.push_str(&cell(one));
    }
    text.push_str("\r\n");
}

/// What a spreadsheet would calculate (`=`, `+`, `-`, `@`, also behind a tab or a line break) has an apostrophe before it,
/// but for numbers.
pub(in crate::model) fn cell(text: &str) -> String {
    let is_number =
        text.parse::<f64>().is_ok_and(f64::is_finite) && text.bytes().all(|b| b.is_ascii_digit() || b"-.".contains(&b));
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) && !is_number;
    let safe = if is_formula { format!("'{text}") } else { text.to_owned() };
    if safe.contains([',', '"', '\r', '\n']) { format!("\"{}\"", safe.replace('"', "\"\"")) } else { safe }
}
