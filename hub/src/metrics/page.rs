//! The text that Prometheus reads: its own format (0.0.4), or OpenMetrics 1.0.

use std::fmt::{Display, Write as _};

use super::Times;
use super::families::{Family, Kind};

/// In which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The text format 0.0.4.
    Prometheus,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    /// What whoever asks would rather have.
    #[must_use]
    pub fn of(accept: &str) -> Self {
        let wants = accept.split(',').any(|one| {
            let mut parts = one.split(';').map(str::trim);
            let is_it = parts.next() == Some("application/openmetrics-text");
            // Versions after 1 may be anything.
            is_it && parts.all(|part| part.strip_prefix("version=").is_none_or(|v| matches!(v, "1.0.0" | "0.0.1")))
        });
        if wants { Self::OpenMetrics } else { Self::Prometheus }
    }

    /// Its media type.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Milliseconds as seconds, for instants and durations alike.
#[must_use]
#[allow(clippy::cast_precision_loss, reason = "instants are far below 2^52 ms")]
pub fn seconds(ms: i64) -> f64 {
    ms as f64 / 1e3
}

/// What is told, as it grows.
#[derive(Debug)]
pub struct Page {
    text: String,
    format: Format,
}

impl Page {
    /// Nothing yet.
    #[must_use]
    pub fn new(format: Format) -> Self {
        Self { text: String::new(), format }
    }

    /// Begins a family: its samples follow, without those of another between them.
    pub fn family(&mut self, family: &Family) {
        let name = match (self.format, family.kind) {
            (Format::OpenMetrics, Kind::Counter) => family.name.strip_suffix("_total").unwrap_or(family.name),
            (Format::OpenMetrics, Kind::Gauge | Kind::Histogram) | (Format::Prometheus, _) => family.name,
        };
        let kind = match family.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let _ = writeln!(self.text, "# HELP {name} {}\n# TYPE {name} {kind}", family.help);
    }

    /// One number of the family.
    pub fn sample(&mut self, family: &Family, labels: &[(&str, &str)], value: impl Display) {
        self.line(family.name, "", labels, value);
    }

    /// A family that is one number.
    pub fn one(&mut self, family: &Family, value: impl Display) {
        self.family(family);
        self.sample(family, &[], value);
    }

    /// The same, where it is known.
    pub fn one_known(&mut self, family: &Family, value: Option<impl Display>) {
        if let Some(value) = value {
            self.one(family, value);
        }
    }

    /// One histogram of the family.
    pub fn times(&mut self, family: &Family, labels: &[(&str, &str)], times: &Times) {
        let (up_to, sum_s) = times.read();
        let ends = Times::BOUNDS_MS.iter().map(|ms| format!("{:?}", *ms as f64 / 1e3)).chain(["+Inf".to_owned()]);
        for (end, count) in ends.zip(up_to) {
            let labels: Vec<_> = labels.iter().copied().chain([("le", end.as_str())]).collect();
            self.line(family.name, "_bucket", &labels, count);
        }
        self.line(family.name, "_sum", labels, sum_s);
        self.line(family.name, "_count", labels, up_to.last().copied().unwrap_or(0));
    }

    fn line(&mut self, name: &str, end: &str, labels: &[(&str, &str)], value: impl Display) {
        self.text.push_str(name);
        self.text.push_str(end);
        for (place, (name, value)) in labels.iter().enumerate() {
            self.text.push(if place == 0 { '{' } else { ',' });
            self.text.push_str(name);
            self.text.push_str("=\"");
            for c in value.chars() {
                match c {
                    '\\' => self.text.push_str("\\\\"),
                    '"' => self.text.push_str("\\\""),
                    '\n' => self.text.push_str("\\n"),
                    // Nothing that would confuse whoever looks at it in a terminal.
                    c if c.is_control() => self.text.push('\u{fffd}'),
                    c => self.text.push(c),
                }
            }
            self.text.push('"');
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {value}");
    }

    /// What was told elsewhere, of gauges only: those read the same in both formats.
    pub fn append(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// The text, without an end.
    #[must_use]
    pub fn part(self) -> String {
        self.text
    }

    /// All of it.
    #[must_use]
    pub fn finish(mut self) -> String {
        match self.format {
            Format::Prometheus => {}
            Format::OpenMetrics => self.text.push_str("# EOF\n"),
        }
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::families::{BATCH, TICKS, WEBSITE_INFO};

    fn page(format: Format) -> String {
        let mut page = Page::new(format);
        page.family(&TICKS);
        page.sample(&TICKS, &[("result", "new")], 7);
        page.family(&WEBSITE_INFO);
        page.sample(&WEBSITE_INFO, &[("website_id", "1"), ("name", "a\"b\\c\nd\u{7}e\u{e9}")], 1);
        page.finish()
    }

    #[test]
    fn labels_are_escaped_and_a_counter_is_named_as_its_format_asks() {
        let text = page(Format::Prometheus);
        assert!(text.contains("# TYPE betteruptime_ticks_total counter\nbetteruptime_ticks_total{result=\"new\"} 7\n"));
        assert!(text.contains("{website_id=\"1\",name=\"a\\\"b\\\\c\\nd\u{fffd}e\u{e9}\"} 1\n"), "{text}");
        assert!(!text.contains("EOF"));
        let text = page(Format::OpenMetrics);
        assert!(text.contains("# TYPE betteruptime_ticks counter\nbetteruptime_ticks_total{result=\"new\"} 7\n"));
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn a_histogram_ends_with_all_of_it() {
        let times = Times::default();
        times.record_ms(70);
        times.record_ms(70_000);
        let mut page = Page::new(Format::Prometheus);
        page.family(&BATCH);
        page.times(&BATCH, &[("a", "b")], &times);
        let text = page.finish();
        for line in [
            "_bucket{a=\"b\",le=\"0.05\"} 0\n",
            "_bucket{a=\"b\",le=\"0.1\"} 1\n",
            "_bucket{a=\"b\",le=\"60.0\"} 1\n",
            "_bucket{a=\"b\",le=\"+Inf\"} 2\n",
            "_sum{a=\"b\"} 70.07\n",
            "_count{a=\"b\"} 2\n",
        ] {
            assert!(text.contains(line), "{line} is not in {text}");
        }
    }

    #[test]
    fn openmetrics_is_for_those_who_ask_for_it() {
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,\
            text/plain;version=0.0.4;q=0.3,*/*;q=0.1";
        assert_eq!(Format::of(prometheus), Format::OpenMetrics);
        assert_eq!(Format::of("application/openmetrics-text"), Format::OpenMetrics);
        for other in ["", "*/*", "text/plain", "application/openmetrics-text;version=2.0.0"] {
            assert_eq!(Format::of(other), Format::Prometheus, "{other}");
        }
    }
}
