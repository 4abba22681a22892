//! Cron expressions of five fields, as crontab(5) has them. Own, since the crates there are count in other fields (seconds,
//! years, Sunday as 1) or bring a second library of time; and when a missing run is called one depends on every rule here.
//!
//! When clocks are put forward, a time that does not exist is due at the change: that is when cron runs it. When they are
//! put back, of a time that exists twice the first counts, once.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use crate::model::UtcMs;

/// Longest expression.
const MOST_BYTES: usize = 256;
/// Days that are looked through: 29 February, over the year 2100 that has none.
const AHEAD_DAYS: usize = 8 * 366 + 2;

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
/// Short for five fields.
const SHORT: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

/// A cron expression that falls on some day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    text: String,
    /// Bit n: minute n; and so on.
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    /// Bit 0 is Sunday.
    weekdays: u64,
    /// Day of the month and day of the week are both chosen: either will do.
    either_day: bool,
}

/// Why a text is no cron expression: a sentence with what would work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoCron(String);

/// A field: its name, its bounds, and names of its values from the first on.
struct Field {
    name: &'static str,
    first: u8,
    last: u8,
    names: &'static [&'static str],
}

const FIELDS: [Field; 5] = [
    Field { name: "minute", first: 0, last: 59, names: &[] },
    Field { name: "hour", first: 0, last: 23, names: &[] },
    Field { name: "day of the month", first: 1, last: 31, names: &[] },
    Field { name: "month", first: 1, last: 12, names: &MONTHS },
    // 7 is Sunday, too.
    Field { name: "day of the week", first: 0, last: 7, names: &WEEKDAYS },
];

impl Field {
    fn wrong(&self, part: &str) -> NoCron {
        let Self { name, first, last, .. } = self;
        let part: String = part.chars().take(20).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
        NoCron(format!(
            "The {name} \"{part}\" is none; give {first} to {last}, a list (1,15), a range (1-5), a step (*/5) or *."
        ))
    }

    fn value(&self, text: &str) -> Option<u8> {
        if !text.is_empty() && text.len() <= 2 && text.bytes().all(|b| b.is_ascii_digit()) {
            return text.parse().ok().filter(|value| (self.first..=self.last).contains(value));
        }
        let place = self.names.iter().position(|name| text.eq_ignore_ascii_case(name))?;
        Some(self.first + u8::try_from(place).ok()?)
    }

    /// The values as bits.
    fn parse(&self, text: &str) -> Result<u64, NoCron> {
        let mut bits = 0;
        for part in text.split(',') {
            bits |= self.part(part).ok_or_else(|| self.wrong(part))?;
        }
        Ok(bits)
    }

    fn part(&self, part: &str) -> Option<u64> {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (part, None),
        };
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (self.first, self.last),
            Some((from, to)) => (self.value(from)?, self.value(to)?),
            // A step needs something to step through.
            None if step.is_some() => return None,
            None => (self.value(range)?, self.value(range)?),
        };
        let step = match step {
            Some(step) if step.len() <= 2 && step.bytes().all(|b| b.is_ascii_digit()) => step.parse::<usize>().ok()?,
            Some(_) => return None,
            None => 1,
        };
        if step == 0 || from > to {
            return None;
        }
        Some((from..=to).step_by(step).fold(0, |bits, value| bits | 1 << value))
    }
}

impl FromStr for Cron {
    type Err = NoCron;

    fn from_str(text: &str) -> Result<Self, NoCron> {
        let text = text.trim();
        if text.len() > MOST_BYTES {
            return Err(NoCron(format!("This is too long; {MOST_BYTES} characters are the limit.")));
        }
        let long = SHORT.iter().find(|(short, _)| text.eq_ignore_ascii_case(short)).map(|(_, long)| *long);
        let fields: Vec<&str> = long.unwrap_or(text).split_ascii_whitespace().collect();
        let [minute, hour, day, month, weekday] = *fields.as_slice() else {
            return Err(NoCron(
                "Give five fields: minute, hour, day of the month, month, day of the week, as in \"30 2 * * *\" (every \
                 day at 02:30); or one of @hourly, @daily, @weekly, @monthly, @yearly."
                    .to_owned(),
            ));
        };
        let [of_minute, of_hour, of_day, of_month, of_weekday] = FIELDS;
        let weekdays = of_weekday.parse(weekday)?;
        let cron = Self {
            text: if long.is_some() { text.to_ascii_lowercase() } else { fields.join(" ") },
            minutes: of_minute.parse(minute)?,
            hours: of_hour.parse(hour)?,
            days: of_day.parse(day)?,
            months: of_month.parse(month)?,
            weekdays: (weekdays | weekdays >> 7) & 0x7f,
            either_day: !day.starts_with('*') && !weekday.starts_with('*'),
        };
        // Of all days there are: the calendar repeats within 28 years but for a century's turn.
        let start = Date::constant(2000, 1, 1);
        let has_day = days_from(start).take(AHEAD_DAYS).any(|date| cron.falls_on(date));
        if has_day { Ok(cron) } else { Err(NoCron("No such day exists; see day and month.".to_owned())) }
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Cron {
    /// The first time after `at`. `None`: none within eight years.
    #[must_use]
    pub fn after(&self, zone: &TimeZone, at: UtcMs) -> Option<UtcMs> {
        let now = Timestamp::from_millisecond(at).ok()?;
        // Wall times in order are instants in order, with those that do not exist at the change, and of those that exist
        // twice the first: whatever comes later is later by the clock on the wall, too.
        let wall = now.to_zoned_datetime(zone.clone()).datetime();
        let days = days_from(wall.date()).take(AHEAD_DAYS).filter(|date| self.falls_on(*date));
        days.flat_map(|date| self.times().map(move |time| date.to_datetime(time)))
            .filter(|due| *due > wall)
            .filter_map(|due| instant(zone, due))
            .find(|due_at| *due_at > at)
    }

    fn falls_on(&self, date: Date) -> bool {
        let has = |bits: u64, value: i8| u32::try_from(value).is_ok_and(|value| bits >> value & 1 == 1);
        let is_day = has(self.days, date.day());
        let is_weekday = has(self.weekdays, date.weekday().to_sunday_zero_offset());
        has(self.months, date.month()) && if self.either_day { is_day || is_weekday } else { is_day && is_weekday }
    }

    fn times(&self) -> impl Iterator<Item = Time> {
        let (hours, minutes) = (self.hours, self.minutes);
        let set = |bits: u64, last: i8| (0..=last).filter(move |value| bits >> value & 1 == 1);
        set(hours, 23).flat_map(move |hour| set(minutes, 59).map(move |minute| Time::constant(hour, minute, 0, 0)))
    }
}

fn days_from(first: Date) -> impl Iterator<Item = Date> {
    std::iter::successors(Some(first), |date| date.checked_add(1.day()).ok())
}

/// When a wall time is.
fn instant(zone: &TimeZone, wall: DateTime) -> Option<UtcMs> {
    let wall = zone.to_ambiguous_timestamp(wall);
    let gap = matches!(wall.offset(), jiff::tz::AmbiguousOffset::Gap { .. });
    let earlier = wall.earlier().ok()?;
    // In a gap that is before the change, by the offset after it.
    let at = if gap { zone.following(earlier).next().map_or(earlier, |change| change.timestamp()) } else { earlier };
    Some(at.as_millisecond())
}

#[cfg(test)]
mod tests;
