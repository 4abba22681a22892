//! What a badge says: a label, a figure in the words of the page, and how good that is. Pure.

use crate::http::pages::{Mark, share, took};
use crate::model::{BoardRow, Uptime, UtcMs, WebsiteKind};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// Below this share of the window, in tenths of a per cent, a figure of uptime comes with how much of the time it stands
/// for. A tenth may be missing after a single night without workers, which says little; a third says another thing.
const SEEN: i128 = 900;

/// There is no figure.
pub(super) const UNKNOWN: &str = "unknown";

/// How good it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Fair,
    Bad,
    /// A figure that is neither.
    Plain,
    /// There is none.
    Unknown,
}

impl Tone {
    #[cfg(test)]
    const ALL: [Self; 5] = [Self::Good, Self::Fair, Self::Bad, Self::Plain, Self::Unknown];

    /// Red, green and blue; white text on it is read easily (WCAG 2.2 AA, as a test counts).
    pub(super) fn colour(self) -> &'static str {
        match self {
            Self::Good => "1a7f37",
            Self::Fair => "8f5a00",
            Self::Bad => "b3261e",
            Self::Plain => "1f5fae",
            Self::Unknown => "5b6470",
        }
    }
}

/// A badge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Badge {
    pub(super) label: String,
    pub(super) message: String,
    pub(super) tone: Tone,
}

impl Badge {
    fn new(label: impl Into<String>, message: impl Into<String>, tone: Tone) -> Self {
        Self { label: label.into(), message: message.into(), tone }
    }

    /// What holds, in the word of the page.
    pub(super) fn status(row: &BoardRow) -> Self {
        if !row.website.paused && row.maintenance_until.is_some() {
            return Self::new("status", "in maintenance", Tone::Plain);
        }
        let mark = Mark::of(row);
        let tone = match mark {
            Mark::Up => Tone::Good,
            Mark::Degraded => Tone::Fair,
            Mark::Down => Tone::Bad,
            Mark::Unknown | Mark::Pending | Mark::Paused => Tone::Unknown,
        };
        Self::new("status", mark.word().to_lowercase(), tone)
    }

    /// The figure of the page. `None`: its days are not counted yet.
    pub(super) fn uptime(window: &str, uptime: Option<&Uptime>) -> Self {
        let label = format!("uptime {window}");
        let available = |uptime: &Uptime| i128::from(uptime.up_ms + uptime.degraded_ms);
        let known = |uptime: &Uptime| available(uptime) + i128::from(uptime.down_ms);
        let Some(uptime) = uptime.filter(|uptime| known(uptime) > 0) else {
            return Self::new(label, UNKNOWN, Tone::Unknown);
        };
        let shown = share(uptime);
        let seen = known(uptime) * 1_000 / (known(uptime) + i128::from(uptime.unknown_ms));
        let message = match shown.coverage {
            Some(coverage) if seen < SEEN => format!("{} of {coverage} seen", shown.share),
            Some(_) | None => shown.share,
        };
        let tone = match available(uptime) * 10_000 / known(uptime) {
            9_990.. => Tone::Good,
            9_900..9_990 => Tone::Fair,
            _ => Tone::Bad,
        };
        Self::new(label, message, tone)
    }

    /// A quantile of whole durations.
    pub(super) fn latency(quantile: &str, us: Option<u32>) -> Self {
        let label = format!("latency {quantile}");
        match us {
            Some(us) => Self::new(label, took(us), Tone::Plain),
            None => Self::new(label, UNKNOWN, Tone::Unknown),
        }
    }

    /// When the certificate ends that was seen last, as on the page.
    pub(super) fn certificate(row: &BoardRow, now: UtcMs) -> Self {
        let newest = row.regions.iter().max_by_key(|region| region.slot_at);
        let Some(end_at) = newest.and_then(|region| region.certificate_not_after_at) else {
            let has_none = row.website.kind == WebsiteKind::Job || row.website.settings.url.starts_with("http://");
            return Self::new("certificate", if has_none { "none" } else { UNKNOWN }, Tone::Unknown);
        };
        let (message, tone) = match end_at.saturating_sub(now) {
            ..=0 => ("has ended".to_owned(), Tone::Bad),
            left @ 1..HOUR_MS => (format!("{} min left", left / 60_000), Tone::Bad),
            left @ HOUR_MS..DAY_MS => (format!("{} h left", left / HOUR_MS), Tone::Bad),
            left => {
                let days = left / DAY_MS;
                let tone = if days < 7 {
                    Tone::Bad
                } else if days < 21 {
                    Tone::Fair
                } else {
                    Tone::Good
                };
                (format!("{days} {} left", if days == 1 { "day" } else { "days" }), tone)
            }
        };
        Self::new("certificate", message, tone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uptime(up_ms: i64, down_ms: i64, unknown_ms: i64) -> Uptime {
        Uptime { up_ms, down_ms, unknown_ms, ..Uptime::default() }
    }

    #[test]
    fn a_figure_is_that_of_the_page_and_says_what_it_stands_for() {
        for (up_ms, down_ms, unknown_ms, message, tone) in [
            (1_000_000, 0, 0, "100 %", Tone::Good),
            (999_899, 101, 0, "99.98 %", Tone::Good),
            (999_999, 1, 0, "99.99 %", Tone::Good),
            (22_500, 500, 500, "97.82 %", Tone::Bad),
            (995, 5, 0, "99.50 %", Tone::Fair),
            (710, 0, 290, "100 % of 71 % seen", Tone::Good),
            (900, 0, 100, "100 %", Tone::Good),
            (899, 0, 101, "100 % of 89 % seen", Tone::Good),
            (1, 0, 999, "100 % of < 1 % seen", Tone::Good),
            (0, 10, 0, "0 %", Tone::Bad),
            (0, 0, 10, UNKNOWN, Tone::Unknown),
        ] {
            let badge = Badge::uptime("30 d", Some(&uptime(up_ms, down_ms, unknown_ms)));
            assert_eq!((&*badge.message, badge.tone), (message, tone), "{up_ms} {down_ms} {unknown_ms}");
            assert_eq!(badge.label, "uptime 30 d");
        }
        assert_eq!(Badge::uptime("30 d", None).message, "unknown");
    }

    #[test]
    fn white_is_read_easily_on_every_colour() {
        let channel = |hex: &str| {
            let value = f64::from(u8::from_str_radix(hex, 16).unwrap()) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        for colour in Tone::ALL.map(Tone::colour).into_iter().chain([super::super::svg::LABEL]) {
            let light =
                0.2126 * channel(&colour[..2]) + 0.7152 * channel(&colour[2..4]) + 0.0722 * channel(&colour[4..]);
            let contrast = 1.05 / (light + 0.05);
            assert!(contrast >= 4.5, "{colour}: {contrast:.2}");
        }
    }
}
