//! Findings for people and for programs.

use std::fmt::Write as _;

use serde::Serialize;

use super::{Finding, State, worst};

const WIDTH: usize = 80;
/// State and area stand before what was found.
const INDENT: usize = 16;

/// One line each, and what would help below; 80 columns.
#[must_use]
pub fn text(findings: &[Finding], colour: bool) -> String {
    let mut out = String::new();
    for Finding { area, state, found, remedy } in findings {
        let (word, code) = match state {
            State::Ok => ("ok", "32"),
            State::Warn => ("warn", "33"),
            State::Fail => ("FAIL", "31"),
        };
        let padded = format!("{word:<6}");
        let word = if colour { format!("\x1b[{code}m{padded}\x1b[0m") } else { padded };
        for (index, line) in wrap(found, WIDTH - INDENT).iter().enumerate() {
            // Writing to a String does not fail; here and below.
            let _ = match index {
                0 => writeln!(out, "{word}{area:<10}{line}"),
                _ => writeln!(out, "{:INDENT$}{line}", ""),
            };
        }
        for (index, line) in wrap(remedy, WIDTH - INDENT - 3).iter().enumerate().filter(|_| !remedy.is_empty()) {
            let _ = writeln!(out, "{:INDENT$}{}{line}", "", if index == 0 { "-> " } else { "   " });
        }
    }
    let count = |state| findings.iter().filter(|finding| finding.state == state).count();
    let (failed, warned) = (count(State::Fail), count(State::Warn));
    let some = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let _ = match worst(findings) {
        State::Ok => writeln!(out, "\nAll is well."),
        State::Warn => writeln!(out, "\nNothing failed; {}.", some(warned, "warning")),
        State::Fail => writeln!(out, "\n{}, {}.", some(failed, "failure"), some(warned, "warning")),
    };
    out
}

/// `{"ok": ..., "findings": [{"area", "state", "found", "remedy"}]}`.
#[must_use]
pub fn json(findings: &[Finding]) -> String {
    #[derive(Serialize)]
    struct Report<'a> {
        ok: bool,
        findings: &'a [Finding],
    }
    let report = Report { ok: worst(findings) != State::Fail, findings };
    // Texts and a flag: there is nothing in them that could not be JSON.
    serde_json::to_string_pretty(&report).unwrap_or_default()
}

/// Lines of at most `width`; a word that is longer is broken, not shortened: it may be a command to copy.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let mut rest: Vec<char> = word.chars().map(|c| if matches!(c, ' '..='~') { c } else { '?' }).collect();
        while !rest.is_empty() {
            let piece: String = rest.drain(..rest.len().min(width)).collect();
            match lines.last_mut() {
                Some(line) if line.is_empty() => *line = piece,
                Some(line) if line.len() + 1 + piece.len() <= width => {
                    line.push(' ');
                    line.push_str(&piece);
                }
                Some(_) | None => lines.push(piece),
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings() -> Vec<Finding> {
        vec![
            Finding::ok("settings", "Fine."),
            Finding::fail("redis", "word ".repeat(60), "x".repeat(200)),
            Finding::warn("limits", "caf\u{e9}", ""),
        ]
    }

    #[test]
    fn the_text_fits_80_columns_and_is_coloured_only_when_asked() {
        let plain = text(&findings(), false);
        assert!(plain.is_ascii() && !plain.contains('\x1b'), "{plain}");
        for line in plain.lines() {
            assert!(line.len() <= 80, "{line}");
        }
        assert!(plain.starts_with("ok    settings  Fine.\nFAIL  redis     word word"), "{plain}");
        assert!(plain.ends_with("\n1 failure, 1 warning.\n"), "{plain}");
        assert_eq!(plain.matches('x').count(), 200, "nothing is left out");
        assert!(text(&findings(), true).contains("\x1b[31mFAIL"));
    }

    #[test]
    fn the_json_has_one_shape() {
        let report: serde_json::Value = serde_json::from_str(&json(&findings())).unwrap();
        assert_eq!(report["ok"], false);
        assert_eq!(report["findings"][0], serde_json::json!({"area": "settings", "state": "ok", "found": "Fine."}));
        assert_eq!(report["findings"][1]["state"], "fail");
        assert_eq!(report["findings"][2]["state"], "warn");
    }
}
