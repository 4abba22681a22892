//! Spans as Go writes them: `1m30s`, `500ms`, `1.5h`.

/// Milliseconds. `None`: it is none, or longer than a year.
pub(super) fn span_ms(text: &str) -> Option<i64> {
    let mut rest = text.trim();
    let mut ms = 0.0_f64;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest.get(..digits)?.parse().ok()?;
        rest = rest.get(digits..)?;
        let (unit_ms, length) =
            [("ms", 1.0), ("us", 0.001), ("µs", 0.001), ("ns", 0.000_001), ("s", 1e3), ("m", 6e4), ("h", 3.6e6)]
                .iter()
                .find(|(unit, _)| rest.starts_with(unit))
                .map(|(unit, ms)| (*ms, unit.len()))?;
        ms += number * unit_ms;
        rest = rest.get(length..)?;
    }
    (ms <= 366.0 * 86_400_000.0).then_some(ms.round() as i64)
}

/// Whole seconds, rounded up.
pub(super) fn span_s(text: &str) -> Option<i64> {
    span_ms(text).map(|ms| (ms + 999) / 1_000)
}
