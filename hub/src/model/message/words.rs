//! Names, instants and durations as people read them.

use ::url::Url;

use crate::model::incident_words::BY_LINK;
use crate::model::{Evidence, Incident, UtcMs, cause};

/// A duration: "45 s", "12 min", "2 h 5 min", "3 d 4 h".
#[must_use]
pub fn lasting(ms: i64) -> String {
    let seconds = ms.max(0) / 1_000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    let pair = |high: i64, unit: &str, low: i64, small: &str| match low {
        0 => format!("{high} {unit}"),
        low => format!("{high} {unit} {low} {small}"),
    };
    match seconds {
        ..60 => format!("{seconds} s"),
        60..3_600 => format!("{minutes} min"),
        3_600..86_400 => pair(hours, "h", minutes % 60, "min"),
        86_400.. => pair(days, "d", hours % 24, "h"),
    }
}

/// An instant: "2026-11-27 00:41 UTC".
#[must_use]
pub fn instant(at: UtcMs) -> String {
    format("%Y-%m-%d %H:%M UTC", at)
}

/// Its day: "2026-11-27".
#[must_use]
pub fn day(at: UtcMs) -> String {
    format("%Y-%m-%d", at)
}

/// The same for machines: RFC 3339, with milliseconds.
#[must_use]
pub fn rfc3339(at: UtcMs) -> String {
    format("%Y-%m-%dT%H:%M:%S%.3fZ", at)
}

fn format(form: &str, at: UtcMs) -> String {
    jiff::Timestamp::from_millisecond(at).map(|at| at.strftime(form).to_string()).unwrap_or_default()
}

/// A website's address without what may be secret, its query (T077); a job's name as it is.
#[must_use]
pub fn masked(url: &str) -> String {
    match url.split_once('?').filter(|_| is_address(url)) {
        Some((place, _)) => format!("{place}?…"),
        None => url.to_owned(),
    }
}

/// Whether it is the address of a website, and not the name of a job, in which `:`, `?` and `#` are what they are.
#[must_use]
pub fn is_address(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}

/// How a website is called in a sentence: its address without scheme, query and a slash at its end.
#[must_use]
pub fn name(url: &str) -> String {
    if !is_address(url) {
        return line(url, 120);
    }
    let Ok(parsed) = Url::parse(url) else { return line(&masked(url), 120) };
    let host = parsed.host_str().unwrap_or_default();
    let port = parsed.port().map(|port| format!(":{port}")).unwrap_or_default();
    let path = parsed.path().trim_end_matches('/');
    let query = if parsed.query().is_some() { "?…" } else { "" };
    line(&format!("{host}{port}{path}{query}"), 120)
}

/// One line of at most `limit` characters: whatever breaks lines, hides, or turns the order of what stands around it
/// becomes a space.
#[must_use]
pub fn line(text: &str, limit: usize) -> String {
    let mut one = String::new();
    let mut chars = text.chars().map(|c| if is_unprintable(c) { ' ' } else { c });
    one.extend(chars.by_ref().take(limit));
    if chars.next().is_some() {
        one.pop();
        one.push('…');
    }
    one.trim().to_owned()
}

/// Control characters, and the format characters by which text looks like other text.
#[must_use]
pub fn is_unprintable(c: char) -> bool {
    let is_format =
        matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    c.is_control() || is_format
}

/// Who took an incident on, as the begin of a sentence: a link names nobody.
#[must_use]
pub fn acknowledging(incident: &Incident) -> String {
    let by = incident.acknowledged_by.as_deref().filter(|by| *by != BY_LINK);
    line(by.unwrap_or("Somebody"), 80)
}

/// What a region has seen.
#[must_use]
pub fn seen(evidence: &Evidence) -> String {
    let Some(failure) = &evidence.failure else { return "up".to_owned() };
    let words = cause::sentence(failure);
    match evidence.status {
        Some(status) if failure.class == crate::model::Class::HttpStatus => format!("{words}: {status}"),
        Some(_) | None => words.to_owned(),
    }
}

/// The same text with a full stop at its end.
#[must_use]
pub fn sentence(text: &str) -> String {
    let text = line(text, 400);
    if text.is_empty() || text.ends_with(['.', '!', '?', '…']) { text } else { format!("{text}.") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_instants_read_as_people_say_them() {
        for (ms, words) in [
            (-5, "0 s"),
            (45_900, "45 s"),
            (60_000, "1 min"),
            (12 * 60_000 + 59_000, "12 min"),
            (3_600_000, "1 h"),
            (7_500_000, "2 h 5 min"),
            (86_400_000, "1 d"),
            (3 * 86_400_000 + 4 * 3_600_000, "3 d 4 h"),
        ] {
            assert_eq!(lasting(ms), words);
        }
        assert_eq!(instant(1_795_000_000_000), "2026-11-18 11:06 UTC");
        assert_eq!(rfc3339(1_795_000_000_042), "2026-11-18T11:06:40.042Z");
    }

    #[test]
    fn t077_a_website_is_called_by_its_address_without_its_query() {
        assert_eq!(name("https://www.example.com/"), "www.example.com");
        assert_eq!(name("https://example.com:8443/a/b/?token=hunter2"), "example.com:8443/a/b?…");
        assert_eq!(masked("https://example.com/?token=hunter2"), "https://example.com/?…");
    }

    #[test]
    fn a_line_is_one_line() {
        assert_eq!(line("a\r\nBcc: b\u{202e}c", 80), "a  Bcc: b c");
        assert_eq!(line(&"x".repeat(200), 10), "xxxxxxxxx…");
    }
}
