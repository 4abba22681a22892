//! The window of a report, as somebody asked for it: a month of a calendar, days, or instants.

use std::fmt;

use jiff::civil::Date;
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, ToSpan};

use crate::model::uptime::{DAY_MS, LONGEST_MS};
use crate::model::{FieldError, FieldErrors, Span, UtcMs};

/// A clock of whoever asks may be this far ahead.
const AHEAD_MS: i64 = 60_000;
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// By whose calendar days and months are told.
#[derive(Debug, Clone, PartialEq)]
pub struct Zone {
    name: String,
    zone: TimeZone,
}

impl Zone {
    /// Universal time.
    #[must_use]
    pub fn utc() -> Self {
        Self { name: "UTC".to_owned(), zone: TimeZone::UTC }
    }

    /// An IANA name, or an offset as in `+02:00`; nothing is UTC. `None`: neither.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        // A plus that was not encoded comes as a space.
        let plus = text.strip_prefix(' ').map(|rest| format!("+{}", rest.trim()));
        let text = plus.as_deref().unwrap_or(text).trim();
        if text.is_empty() || text.eq_ignore_ascii_case("utc") || text == "Z" {
            return Some(Self::utc());
        }
        if let Some(sign) = text.chars().next().filter(|c| matches!(c, '+' | '-')) {
            let (hours, minutes) = text[1..].split_once(':')?;
            let digits =
                |s: &str| (s.len() == 2 && s.bytes().all(|b| b.is_ascii_digit())).then(|| s.parse::<i32>().ok());
            let (hours, minutes) = (digits(hours)??, digits(minutes)??);
            let seconds = (hours * 60 + minutes) * 60;
            if hours > 14 || minutes > 59 {
                return None;
            }
            let offset = Offset::from_seconds(if sign == '-' { -seconds } else { seconds }).ok()?;
            return Some(Self { name: text.to_owned(), zone: TimeZone::fixed(offset) });
        }
        // As the database of zones spells it.
        let zone = TimeZone::get(text).ok()?;
        let name = zone.iana_name().unwrap_or(text).to_owned();
        Some(Self { name, zone })
    }

    /// Its name, which is read back as the same.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The day there at an instant.
    #[must_use]
    pub fn date(&self, at: UtcMs) -> Date {
        let at = Timestamp::from_millisecond(at).unwrap_or(Timestamp::UNIX_EPOCH);
        at.to_zoned_datetime(self.zone.clone()).date()
    }

    /// When a day begins there.
    fn begin(&self, date: Date) -> Option<UtcMs> {
        Some(date.to_zoned_datetime(self.zone.clone()).ok()?.timestamp().as_millisecond())
    }
}

/// A window as texts; empty ones are not given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WindowInput {
    /// `2026-10`, or `this` for the month so far; nothing at all is the last full month.
    pub month: String,
    /// A first day (`2026-10-01`), or an instant in RFC 3339.
    pub from: String,
    /// A last day, which belongs to it, or an instant, which does not; nothing is now.
    pub to: String,
    /// [`Zone::parse`].
    pub tz: String,
}

/// A window of a report.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// From when until when, which is now at the latest.
    pub span: Span,
    /// Where it ends when all of it is over.
    pub ends_at: UtcMs,
    /// What it is compared with: the month before, of one that is not over as much of it; else as long a span before.
    pub before: Span,
    /// Whose days these are.
    pub zone: Zone,
    /// The month, where it is one.
    pub month: Option<Date>,
}

enum Edge {
    Day(Date),
    Instant(UtcMs),
}

impl WindowInput {
    /// The window.
    ///
    /// # Errors
    /// The fields named: what is no month, day, instant or zone, two kinds at once, the wrong way round, in the future,
    /// longer than 400 days.
    pub fn parse(&self, now: UtcMs) -> Result<Window, FieldErrors> {
        let mut errors = FieldErrors::default();
        let zone = Zone::parse(&self.tz).unwrap_or_else(|| {
            let remedy = "Give the name of a time zone as Europe/Berlin, an offset as +02:00, or UTC.";
            errors.push(FieldError::new("tz", &self.tz, remedy));
            Zone::utc()
        });
        let (month, from, to) = (self.month.trim(), self.from.trim(), self.to.trim());
        let window = if from.is_empty() && to.is_empty() {
            Self::of_month(month, zone, now, &mut errors)
        } else {
            if !month.is_empty() {
                let remedy = "Give either a month, or from and to.";
                errors.push(FieldError::new("month", month, remedy));
            }
            Self::of_edges(from, to, zone, now, &mut errors)
        };
        window.filter(|_| errors.is_empty()).ok_or(errors)
    }

    fn of_month(month: &str, zone: Zone, now: UtcMs, errors: &mut FieldErrors) -> Option<Window> {
        let this = zone.date(now).first_of_month();
        let first = match month {
            "" => this.checked_sub(1.month()).ok(),
            "this" => Some(this),
            given => {
                let is_form = given.len() == 7 && given.as_bytes().get(4) == Some(&b'-');
                let date =
                    format!("{given}-01").parse::<Date>().ok().filter(|d| is_form && (2000..=2100).contains(&d.year()));
                if date.is_none() {
                    errors.push(FieldError::new(
                        "month",
                        given,
                        "Give a month as 2026-10, or \"this\" for the month so far.",
                    ));
                }
                date
            }
        }?;
        if first > this {
            errors.push(FieldError::new("month", month, "That month is still to come; give one that has begun."));
            return None;
        }
        Window::month(first, zone, now)
    }

    fn of_edges(from: &str, to: &str, zone: Zone, now: UtcMs, errors: &mut FieldErrors) -> Option<Window> {
        let mut edge = |field, given: &str| {
            let day = given.parse::<Date>().ok().filter(|_| given.len() == 10).map(Edge::Day);
            let found = day.or_else(|| Some(Edge::Instant(given.parse::<Timestamp>().ok()?.as_millisecond())));
            if found.is_none() {
                let remedy = "Give a day as 2026-10-01, or an instant as 2026-10-01T00:00:00Z.";
                errors.push(FieldError::new(field, given, remedy));
            }
            found
        };
        let begin = if from.is_empty() { None } else { edge("from", from) };
        let end = if to.is_empty() { Some(Edge::Instant(now)) } else { edge("to", to) };
        if from.is_empty() {
            errors.push(FieldError::new("from", "", "Give the first day, or the instant it begins, beside its end."));
        }
        let (begin, end) = (begin?, end?);
        let today = zone.date(now);
        if let Edge::Day(day) = &end
            && *day > today
        {
            errors.push(FieldError::new("to", to, format!("Give a day that has begun: {today} or before.")));
        }
        if let Edge::Instant(at) = &end
            && *at > now.saturating_add(AHEAD_MS)
        {
            errors.push(FieldError::new("to", to, "Give an instant that is not in the future, or none for now."));
        }
        let from_at = match begin {
            Edge::Day(day) => zone.begin(day),
            Edge::Instant(at) => Some(at),
        };
        let ends_at = match end {
            Edge::Day(day) => day.tomorrow().ok().and_then(|day| zone.begin(day)),
            Edge::Instant(at) => Some(at.min(now)),
        };
        let (Some(from_at), Some(ends_at)) = (from_at, ends_at) else {
            // At the end of all calendars.
            let (field, given) = if from_at.is_none() { ("from", from) } else { ("to", to) };
            errors.push(FieldError::new(field, given, "There is no such day; give one that has begun."));
            return None;
        };
        let to_at = ends_at.min(now);
        if from_at >= now {
            errors.push(FieldError::new("from", from, "That is in the future; give a begin that is past."));
        } else if from_at >= to_at {
            errors.push(FieldError::new(
                "from",
                from,
                "The window would end before it begins; give a begin before its end.",
            ));
        }
        if to_at.saturating_sub(from_at) > LONGEST_MS {
            let remedy = format!("Give a window of at most {} days.", LONGEST_MS / DAY_MS);
            errors.push(FieldError::new("from", from, remedy));
        }
        let before = Span { from_at: from_at.saturating_sub(to_at.saturating_sub(from_at)), to_at: from_at };
        Some(Window { span: Span { from_at, to_at }, ends_at, before, zone, month: None })
    }
}

impl Window {
    /// A month of a calendar, as far as it has been; `None`: it has not begun.
    #[must_use]
    pub fn month(first: Date, zone: Zone, now: UtcMs) -> Option<Self> {
        let month_ago = first.checked_sub(1.month()).ok()?;
        let (from_at, ends_at) = (zone.begin(first)?, zone.begin(first.checked_add(1.month()).ok()?)?);
        let to_at = ends_at.min(now);
        if from_at >= to_at {
            return None;
        }
        let before_at = zone.begin(month_ago)?;
        let before_to_at = if ends_at > now { before_at.saturating_add(to_at - from_at).min(from_at) } else { from_at };
        Some(Self {
            span: Span { from_at, to_at },
            ends_at,
            before: Span { from_at: before_at, to_at: before_to_at },
            zone,
            month: Some(first),
        })
    }

    /// So many days of UTC that are over.
    #[must_use]
    pub fn days(from_at: UtcMs, days: i64) -> Self {
        let (ms, zone) = (days.saturating_mul(DAY_MS), Zone::utc());
        let to_at = from_at.saturating_add(ms);
        let before = Span { from_at: from_at.saturating_sub(ms), to_at: from_at };
        Self { span: Span { from_at, to_at }, ends_at: to_at, before, zone, month: None }
    }

    /// What of it has not been yet.
    #[must_use]
    pub fn to_come_ms(&self) -> i64 {
        self.ends_at.saturating_sub(self.span.to_at).max(0)
    }

    /// The parameters of a link to it.
    #[must_use]
    pub fn query(&self) -> Vec<(&'static str, String)> {
        let mut query = match self.month {
            Some(first) => vec![("month", first.strftime("%Y-%m").to_string())],
            None => {
                let rfc3339 = crate::model::message::words::rfc3339;
                vec![("from", rfc3339(self.span.from_at)), ("to", rfc3339(self.span.to_at))]
            }
        };
        if self.zone.name != "UTC" {
            query.push(("tz", self.zone.name.clone()));
        }
        query
    }
}

/// "October 2026", "2026-10-05 to 2026-10-11", or with the time of day; "so far" where it is not over.
impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let so_far = if self.to_come_ms() > 0 { " so far" } else { "" };
        if let Some(first) = self.month {
            let name = usize::try_from(first.month() - 1).ok().and_then(|n| MONTHS.get(n)).unwrap_or(&"");
            return write!(f, "{name} {}{so_far}", first.year());
        }
        let zone = &self.zone;
        let is_days = [self.span.from_at, self.ends_at].iter().all(|at| zone.begin(zone.date(*at)) == Some(*at));
        if is_days {
            return write!(f, "{} to {}{so_far}", zone.date(self.span.from_at), zone.date(self.ends_at - 1));
        }
        let minute = |at| {
            let at = Timestamp::from_millisecond(at).unwrap_or(Timestamp::UNIX_EPOCH);
            at.to_zoned_datetime(zone.zone.clone()).strftime("%Y-%m-%d %H:%M").to_string()
        };
        write!(f, "{} to {}{so_far}", minute(self.span.from_at), minute(self.span.to_at))
    }
}

/// The last `count` months that are over there, newest first: as in `?month=`, and in words.
#[must_use]
pub fn months(zone: &Zone, now: UtcMs, count: usize) -> Vec<(String, String)> {
    let this = zone.date(now).first_of_month();
    let all = std::iter::successors(this.checked_sub(1.month()).ok(), |month| month.checked_sub(1.month()).ok());
    let named = |first: Date| {
        let name = usize::try_from(first.month() - 1).ok().and_then(|n| MONTHS.get(n)).unwrap_or(&"");
        (first.strftime("%Y-%m").to_string(), format!("{name} {}", first.year()))
    };
    all.take(count).map(named).collect()
}
