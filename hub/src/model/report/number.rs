//! Figures as numbers with few decimals: the same digits on pages, in CSV, in JSON and in mails.

use crate::model::Uptime;

/// Thousandths as a decimal, without zeros at its end: "97.826", "100", "-0.5".
#[must_use]
pub fn decimal(thousandths: i64) -> String {
    let sign = if thousandths < 0 { "-" } else { "" };
    let (whole, part) = (thousandths.unsigned_abs() / 1_000, thousandths.unsigned_abs() % 1_000);
    if part == 0 {
        return format!("{sign}{whole}");
    }
    format!("{sign}{whole}.{}", format!("{part:03}").trim_end_matches('0'))
}

/// The same as a number of JSON, which has the same digits.
#[must_use]
#[allow(clippy::cast_precision_loss, reason = "shares and rates are far below 2^52")]
pub fn float(thousandths: i64) -> f64 {
    thousandths as f64 / 1_000.0
}

/// Uptime in thousandths of a per cent, rounded down: nothing short of all is 100 %.
#[must_use]
pub fn uptime_share(uptime: &Uptime) -> Option<i64> {
    let good = uptime.up_ms + uptime.degraded_ms;
    down(good, good + uptime.down_ms)
}

/// Coverage alike; `None`: all of the window was maintenance, or there was none.
#[must_use]
pub fn coverage_share(uptime: &Uptime) -> Option<i64> {
    let observed = uptime.up_ms + uptime.degraded_ms + uptime.down_ms;
    down(observed, observed + uptime.unknown_ms)
}

fn down(part: i64, whole: i64) -> Option<i64> {
    (whole > 0).then(|| i64::try_from(i128::from(part) * 100_000 / i128::from(whole)).unwrap_or(i64::MAX))
}
