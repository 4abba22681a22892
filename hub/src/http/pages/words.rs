//! How figures, instants and states are said on pages.

use crate::model::late::Marks;
use crate::model::message::words::is_address;
use crate::model::{BoardRow, Delays, Note, Outcome, STANDINGS, Uptime, UtcMs, WebsiteKind};

/// What a person is told about a state: a shape, a colour and a word, so that none of them carries it alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// Did not answer as asked. First, because lists show the worst first.
    Down,
    /// Answered, but slow or with a warning.
    Degraded,
    /// Nothing can be said.
    Unknown,
    /// Not checked yet.
    Pending,
    /// Answered as asked.
    Up,
    /// Nobody wants to know at present.
    Paused,
}

impl Mark {
    /// All, the worst first: where one stands in the order of the dashboard, which the database sorts by (`store::lines`).
    pub const ALL: [Self; STANDINGS] =
        [Self::Down, Self::Degraded, Self::Unknown, Self::Pending, Self::Up, Self::Paused];

    /// The mark of a website as a whole.
    #[must_use]
    pub fn of(row: &BoardRow) -> Self {
        if row.website.paused {
            return Self::Paused;
        }
        // Nobody looks at a job: it is its turn to say the first word. One that has is awaited: what is not known of it is
        // unknown, also where what regions saw was forgotten when it was paused.
        if row.website.kind == WebsiteKind::Job && row.state.verdict == Outcome::Unknown && row.pinged_at.is_none() {
            return Self::Pending;
        }
        // Only as long as a first look can still be on its way: after that nobody looks (I6).
        if row.state.verdict == Outcome::Unknown && row.regions.is_empty() && row.state.fresh_until_at.is_some() {
            return Self::Pending;
        }
        row.state.verdict.into()
    }

    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Down => "Down",
            Self::Degraded => "Degraded",
            Self::Unknown => "Unknown",
            Self::Pending => "Pending",
            Self::Up => "Up",
            Self::Paused => "Paused",
        }
    }

    /// Its class in the style sheet.
    #[must_use]
    pub fn class(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Degraded => "degraded",
            Self::Unknown => "unknown",
            Self::Pending => "pending",
            Self::Up => "up",
            Self::Paused => "paused",
        }
    }

    /// Name of its shape and its colour in templates and style sheet. One letter: a list has many.
    #[must_use]
    pub fn letter(self) -> &'static str {
        match self {
            Self::Down => "d",
            Self::Degraded => "g",
            Self::Unknown => "n",
            Self::Pending => "w",
            Self::Up => "u",
            Self::Paused => "p",
        }
    }

    pub(super) fn is_down(self) -> bool {
        self == Self::Down
    }
}

impl From<Outcome> for Mark {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Up => Self::Up,
            Outcome::Degraded => Self::Degraded,
            Outcome::Down => Self::Down,
            Outcome::Unknown => Self::Unknown,
        }
    }
}

/// An instant for machines and for people.
#[derive(Debug, Clone)]
pub(in crate::http) struct Instant {
    pub(in crate::http) machine: String,
    pub(in crate::http) words: String,
}

pub(in crate::http) fn instant(at: UtcMs) -> Instant {
    let Ok(at) = jiff::Timestamp::from_millisecond(at) else {
        return Instant { machine: String::new(), words: "at an impossible time".to_owned() };
    };
    Instant {
        machine: at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        words: at.strftime("%Y-%m-%d %H:%M:%S").to_string(),
    }
}

/// A span, in its two largest units; nothing finer than minutes, so that a page does not change every second.
pub(in crate::http) fn lasted(ms: i64) -> String {
    let minutes = ms.max(0) / 60_000;
    let (days, hours, rest) = (minutes / 1_440, minutes / 60 % 24, minutes % 60);
    match (days, hours, rest) {
        (0, 0, 0) => "less than a minute".to_owned(),
        (0, 0, m) => format!("{m} min"),
        (0, h, 0) => format!("{h} h"),
        (0, h, m) => format!("{h} h {m} min"),
        (1, 0, _) => "1 day".to_owned(),
        (1, h, _) => format!("1 day {h} h"),
        (d, 0, _) => format!("{d} days"),
        (d, h, _) => format!("{d} days {h} h"),
    }
}

/// A short wait: "0.4 s", "12 s".
pub(super) fn seconds(ms: i64) -> String {
    match ms.max(0) {
        ms @ 0..10_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        ms => format!("{} s", ms / 1_000),
    }
}

/// A measured duration: three digits or so.
pub(in crate::http) fn took(us: u32) -> String {
    match us {
        0..10_000 => format!("{}.{} ms", us / 1_000, us / 100 % 10),
        10_000..10_000_000 => format!("{} ms", (us + 500) / 1_000),
        10_000_000.. => format!("{}.{} s", us / 1_000_000, us / 100_000 % 10),
    }
}

/// What else is worth knowing of an answer.
pub(super) fn note(note: Note) -> &'static str {
    match note {
        Note::RedirectDowngrade => "redirected from https to http",
        Note::TlsUnverified => "certificate not verified",
    }
}

/// What is wrong with a tick's instants.
pub(super) fn marks(marks: Marks) -> Vec<&'static str> {
    let words = [(marks.late, "late: no vote"), (marks.clamped, "worker's clock ahead")];
    words.into_iter().filter(|(is_so, _)| *is_so).map(|(_, word)| word).collect()
}

/// Where a check waited outside its exchange: our own time, none of the website's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Own {
    pub(super) total: String,
    pub(super) parts: Vec<String>,
}

pub(super) fn own(delays: &Delays) -> Option<Own> {
    let from_ms = |ms: Option<u32>| ms.map(|ms| ms.saturating_mul(1_000));
    let stages = [
        (from_ms(delays.publish_ms), "after its slot, until it was given out"),
        (from_ms(delays.queue_ms), "in the queue"),
        (delays.thread_us, "until a thread was free"),
        (delays.report_us, "to hand in the result"),
    ];
    let known = || stages.iter().filter_map(|(us, words)| us.map(|us| (us, *words)));
    let total = known().fold(0_u32, |sum, (us, _)| sum.saturating_add(us));
    let parts: Vec<String> = known().map(|(us, words)| format!("{} {words}", took(us))).collect();
    (!parts.is_empty()).then(|| Own { total: took(total), parts })
}

/// Why a website is not checked whose settings nobody here understands.
pub(in crate::http) const UNREADABLE: &str = "A newer version of BetterUptime wrote its settings, and this one does not understand \
    them. It is not checked until they are saved again.";

/// "every 3 minutes".
pub(super) fn every(interval_ms: i64) -> String {
    format!("every {}", span(interval_ms))
}

/// A chosen span: "30 seconds", "minute", "1.5 seconds".
pub(super) fn span(ms: i64) -> String {
    let (count, unit) = match ms {
        ms if ms % 86_400_000 == 0 => (ms / 86_400_000, "day"),
        ms if ms % 3_600_000 == 0 => (ms / 3_600_000, "hour"),
        ms if ms % 60_000 == 0 => (ms / 60_000, "minute"),
        ms if ms % 1_000 == 0 => (ms / 1_000, "second"),
        ms => (ms, "millisecond"),
    };
    if count == 1 { unit.to_owned() } else { format!("{count} {unit}s") }
}

/// Host and path, as people know their websites. `https://` goes without saying; a query may hold secrets and is cut.
pub(in crate::http) fn name(url: &str) -> String {
    let cut = url.split_once(['?', '#']).filter(|_| is_address(url));
    let (place, query) = cut.map_or((url, ""), |(place, _)| (place, "?…"));
    let place = place.strip_prefix("https://").unwrap_or(place);
    let bare = place.strip_suffix('/').filter(|p| !p.trim_start_matches("http://").contains('/'));
    let place = bare.unwrap_or(place);
    let length = place.chars().count();
    if length <= 96 {
        return format!("{place}{query}");
    }
    let start: String = place.chars().take(64).collect();
    let end: String = place.chars().skip(length - 24).collect();
    format!("{start}…{end}{query}")
}

/// A capital letter in front, a full stop at the end: for words that are kept without.
pub(super) fn sentence(words: &str) -> String {
    let mut chars = words.trim().chars();
    let Some(first) = chars.next() else { return String::new() };
    let stop = if words.trim_end().ends_with(['.', '!', '?', '…']) { "" } else { "." };
    // A host name stays as it is written.
    let is_name = words.split_whitespace().next().is_some_and(|word| word.contains(['.', ':', '/']));
    let first = if is_name { first.to_string() } else { first.to_uppercase().collect() };
    format!("{first}{}{stop}", chars.as_str())
}

/// A count that ends at [`crate::replay::COUNTED`]; empty for none.
pub(super) fn counted(count: i64) -> String {
    match count {
        ..=0 => String::new(),
        1..crate::replay::COUNTED => count.to_string(),
        crate::replay::COUNTED.. => format!("{}+", crate::replay::COUNTED),
    }
}

/// A share of known time, and how much was known when that is worth saying.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http) struct Share {
    pub(in crate::http) share: String,
    pub(in crate::http) coverage: Option<String>,
}

/// Rounded down: nothing short of all is 100 %.
pub(in crate::http) fn share(uptime: &Uptime) -> Share {
    let available = uptime.up_ms + uptime.degraded_ms;
    let known = available + uptime.down_ms;
    let whole = known + uptime.unknown_ms;
    if known <= 0 || whole <= 0 {
        return Share { share: "–".to_owned(), coverage: None };
    }
    let covered = i128::from(known) * 1_000 / i128::from(whole);
    let coverage =
        (covered < 999).then(|| if covered < 10 { "< 1 %".to_owned() } else { format!("{} %", covered / 10) });
    Share { share: percent(available, known), coverage }
}

/// Rounded down.
pub(super) fn percent(part: i64, whole: i64) -> String {
    let hundredths = i128::from(part) * 10_000 / i128::from(whole);
    match (hundredths / 100, hundredths % 100) {
        (whole, 0) => format!("{whole} %"),
        (whole, rest) => format!("{whole}.{rest:02} %"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_all_is_a_hundred_percent() {
        let day = 86_400_000;
        let uptime = |down_ms, unknown_ms| Uptime {
            up_ms: day - down_ms - unknown_ms,
            down_ms,
            unknown_ms,
            ..Uptime::default()
        };
        assert_eq!(share(&uptime(0, 0)), Share { share: "100 %".into(), coverage: None });
        assert_eq!(share(&uptime(1, 0)).share, "99.99 %");
        assert_eq!(share(&uptime(0, day / 2)), Share { share: "100 %".into(), coverage: Some("50 %".into()) });
        assert_eq!(share(&uptime(0, day)).share, "–");
        assert_eq!(share(&uptime(day, 0)).share, "0 %");
    }

    #[test]
    fn durations_are_short() {
        assert_eq!([412, 4_250, 123_456, 12_345_678].map(took), ["0.4 ms", "4.2 ms", "123 ms", "12.3 s"]);
        assert_eq!(
            [0, 59_000, 60_000, 7_500_000, 90_000_000].map(lasted),
            ["less than a minute", "less than a minute", "1 min", "2 h 5 min", "1 day 1 h"]
        );
        assert_eq!(
            [30_000, 60_000, 180_000, 3_600_000].map(every),
            ["every 30 seconds", "every minute", "every 3 minutes", "every hour"]
        );
    }

    #[test]
    fn a_name_is_host_and_path() {
        assert_eq!(name("https://example.com/"), "example.com");
        assert_eq!(name("http://example.com/"), "http://example.com");
        assert_eq!(name("https://example.com/a/"), "example.com/a/");
        assert_eq!(name("https://example.com/?token=secret"), "example.com?…");
        assert!(name(&format!("https://example.com/{}", "é".repeat(2_000))).chars().count() < 100);
    }
}
