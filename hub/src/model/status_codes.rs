//! Status codes that count as up, as people type them.

use probe::wire::StatusRule;

use super::{FieldError, FieldErrors};

/// `200-299, 301`; `2xx` is a range too. Ranges that meet become one.
pub(super) fn accept(text: &str, errors: &mut FieldErrors) -> StatusRule {
    let one = |part: &str| -> Option<(u16, u16)> {
        if let Some(hundred) = part.to_ascii_lowercase().strip_suffix("xx") {
            return hundred.parse::<u16>().ok().filter(|n| *n < 10).map(|n| (n * 100, n * 100 + 99));
        }
        let (low, high) = part.split_once('-').unwrap_or((part, part));
        Some((low.trim().parse().ok()?, high.trim().parse().ok()?))
    };
    let spread = text.replace(" -", "-").replace("- ", "-");
    let parts = spread.split(|c: char| c == ',' || c == ';' || c.is_whitespace()).filter(|part| !part.is_empty());
    let ranges: Option<Vec<_>> = parts.map(one).collect();
    let Some(mut ranges) = ranges else {
        errors.push(FieldError::new("accept", text, "Give status codes and ranges such as 200-299, 301."));
        return StatusRule::default();
    };
    if ranges.is_empty() {
        return StatusRule::default();
    }
    ranges.sort_unstable();
    let mut joined: Vec<(u16, u16)> = Vec::new();
    for (low, high) in ranges {
        match joined.last_mut() {
            // A range that is the wrong way round is left as it is, to be refused.
            Some(last) if last.0 <= last.1 && low <= high && low <= last.1.saturating_add(1) => {
                last.1 = last.1.max(high);
            }
            Some(_) | None => joined.push((low, high)),
        }
    }
    StatusRule(joined)
}

/// As it is typed.
#[must_use]
pub fn accept_text(rule: &StatusRule) -> String {
    let one = |(low, high): &(u16, u16)| if low == high { low.to_string() } else { format!("{low}-{high}") };
    rule.0.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_codes_are_typed_as_people_write_them() {
        for (typed, ranges, shown) in [
            ("200-299, 301, 404", vec![(200, 299), (301, 301), (404, 404)], "200-299, 301, 404"),
            ("404 200;201", vec![(200, 201), (404, 404)], "200-201, 404"),
            ("2xx,3XX", vec![(200, 399)], "200-399"),
            ("200 - 299", vec![(200, 299)], "200-299"),
            ("250-400, 200-300", vec![(200, 400)], "200-400"),
            (" , ", vec![(200, 299)], "200-299"),
            ("299-200", vec![(299, 200)], "299-200"),
        ] {
            let mut errors = FieldErrors::default();
            let rule = accept(typed, &mut errors);
            assert_eq!((rule.0.clone(), errors.is_empty()), (ranges, true), "{typed}");
            assert_eq!(accept_text(&rule), shown);
        }
        for bad in ["ok", "200-", "-1", "20x", "xx", "200..299", "70000"] {
            let mut errors = FieldErrors::default();
            accept(bad, &mut errors);
            assert!(errors.of("accept").is_some(), "{bad}");
        }
    }
}
