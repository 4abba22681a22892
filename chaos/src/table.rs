//! The results as an aligned table, and as JSON.

use serde_json::{Value, json};

use crate::campaign::{Line, Report};
use crate::watch::Peaks;

/// Rows of text with right-aligned columns but the first.
#[must_use]
pub fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |c: usize| rows.iter().filter_map(|r| r.get(c)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).enumerate();
        let cells: Vec<String> =
            cells.map(|(n, (cell, w))| if n == 0 { format!("{cell:<w$}") } else { format!("{cell:>w$}") }).collect();
        text += cells.join("  ").trim_end();
        text.push('\n');
    }
    text
}

/// The lines of a report.
#[must_use]
pub fn lines(lines: &[Line]) -> String {
    let head = [
        "fault",
        "runs",
        "expected",
        "stored",
        "missed",
        "letters",
        "doubled",
        "lost",
        "repeated",
        "late",
        "recovery s",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(lines.iter().map(|line| {
        let c = &line.count;
        let mut row = vec![line.name.clone()];
        let numbers =
            [line.runs, c.expected, c.stored, c.missed, c.put_away, c.doubled, c.lost.len() as u64, c.repeated, c.late];
        row.extend(numbers.map(|n| n.to_string()));
        row.push(format!("{:.1}", line.recovery_ms as f64 / 1_000.0));
        row
    }));
    aligned(&rows)
}

/// The most that each process and stream took.
#[must_use]
pub fn peaks(peaks: &Peaks) -> String {
    let mut rows = vec![["process", "RSS MiB", "threads", "descriptors"].map(str::to_owned).to_vec()];
    rows.extend(peaks.processes.iter().map(|(name, usage)| {
        let mib = format!("{:.1}", usage.resident_kib as f64 / 1024.0);
        vec![name.clone(), mib, usage.threads.to_string(), usage.descriptors.to_string()]
    }));
    let mut streams = vec![["stream", "entries"].map(str::to_owned).to_vec()];
    streams.extend(peaks.streams.iter().map(|(name, length)| vec![name.clone(), length.to_string()]));
    format!("{}\n{}", aligned(&rows), aligned(&streams))
}

/// Everything, for programs.
#[must_use]
pub fn json(report: &Report) -> Value {
    let lines: Vec<Value> = report
        .lines
        .iter()
        .map(|line| {
            let c = &line.count;
            json!({
                "fault": line.name, "runs": line.runs, "expected": c.expected, "stored": c.stored, "doubled": c.doubled,
                "lost": c.lost.len(), "missed_by_design": c.missed, "dead_letters": c.put_away, "repeated": c.repeated,
                "needless_repeats": c.needless.len(), "stray": c.stray, "early": c.early, "stale": c.stale,
                "unexplained_letters": c.letters.len(), "late": c.late, "recovery_s": line.recovery_ms as f64 / 1_000.0,
            })
        })
        .collect();
    let processes: Value = report
        .peaks
        .processes
        .iter()
        .map(|(name, u)| {
            (name.clone(), json!({"rss_kib": u.resident_kib, "threads": u.threads, "descriptors": u.descriptors}))
        })
        .collect::<serde_json::Map<_, _>>()
        .into();
    json!({
        "faults": lines, "processes": processes, "streams": report.peaks.streams, "problems": report.problems,
        "lateness_ms": {
            "p50": report.total.lateness_at(0.5), "p99": report.total.lateness_at(0.99), "max": report.total.lateness_at(1.0),
        },
    })
}
