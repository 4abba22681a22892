//! How often a window comes: once, daily, on days of the week or of the month, by the calendar of its zone.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, Weekday};

/// Days of the week; at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weekdays(u8);

/// All of them, Monday first, with the words they are stored, sent and typed as.
pub const WEEKDAYS: [(Weekday, &str); 7] = [
    (Weekday::Monday, "mon"),
    (Weekday::Tuesday, "tue"),
    (Weekday::Wednesday, "wed"),
    (Weekday::Thursday, "thu"),
    (Weekday::Friday, "fri"),
    (Weekday::Saturday, "sat"),
    (Weekday::Sunday, "sun"),
];

impl Weekdays {
    /// These days; `None` without any.
    #[must_use]
    pub fn new(days: impl IntoIterator<Item = Weekday>) -> Option<Self> {
        let bits = days.into_iter().fold(0, |bits, day| bits | Self::bit(day));
        (bits != 0).then_some(Self(bits))
    }

    fn bit(day: Weekday) -> u8 {
        1 << day.to_monday_zero_offset().clamp(0, 6)
    }

    /// Whether `day` is one of them.
    #[must_use]
    pub fn has(self, day: Weekday) -> bool {
        self.0 & Self::bit(day) != 0
    }

    /// In order, Monday first.
    pub fn iter(self) -> impl Iterator<Item = Weekday> {
        WEEKDAYS.into_iter().map(|(day, _)| day).filter(move |day| self.has(*day))
    }

    /// The least number of days between two of them; 7 for one day.
    #[must_use]
    pub fn least_gap_days(self) -> i64 {
        let days: Vec<i64> = self.iter().map(|day| i64::from(day.to_monday_zero_offset())).collect();
        let round = days.iter().zip(days.iter().cycle().skip(1)).map(|(day, next)| (next - day).rem_euclid(7));
        round.map(|gap| if gap == 0 { 7 } else { gap }).min().unwrap_or(7)
    }
}

/// A day of the month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MonthDay {
    /// 1 to 31. A month without it has no window.
    Day(i8),
    /// The last, whichever that is.
    Last,
}

/// How often a window comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeats {
    /// On its first day only.
    Once,
    /// Every day.
    Daily,
    /// On days of the week.
    Weekly(Weekdays),
    /// On a day of the month.
    Monthly(MonthDay),
}

impl Repeats {
    /// Whether one begins on `date`, of a window whose first day is `first` at the earliest.
    #[must_use]
    pub fn falls_on(self, date: Date, first: Date) -> bool {
        date >= first
            && match self {
                Self::Once => date == first,
                Self::Daily => true,
                Self::Weekly(days) => days.has(date.weekday()),
                Self::Monthly(MonthDay::Day(day)) => date.day() == day,
                Self::Monthly(MonthDay::Last) => date.day() == date.days_in_month(),
            }
    }

    /// Days between the beginnings of two at least; `None`: there is only one.
    #[must_use]
    pub fn least_gap_days(self) -> Option<i64> {
        match self {
            Self::Once => None,
            Self::Daily => Some(1),
            Self::Weekly(days) => Some(days.least_gap_days()),
            Self::Monthly(_) => Some(28),
        }
    }
}

/// As stored and sent: `once`, `daily`, `weekly:mon,thu`, `monthly:15`, `monthly:last`.
impl fmt::Display for Repeats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Once => f.write_str("once"),
            Self::Daily => f.write_str("daily"),
            Self::Weekly(days) => {
                let names = WEEKDAYS.iter().filter(|(day, _)| days.has(*day)).map(|(_, name)| *name);
                write!(f, "weekly:{}", names.collect::<Vec<_>>().join(","))
            }
            Self::Monthly(MonthDay::Day(day)) => write!(f, "monthly:{day}"),
            Self::Monthly(MonthDay::Last) => f.write_str("monthly:last"),
        }
    }
}

/// A text that is none of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("give once, daily, weekly:mon,thu, monthly:15 or monthly:last")]
pub struct NoRepeats;

impl FromStr for Repeats {
    type Err = NoRepeats;

    fn from_str(text: &str) -> Result<Self, NoRepeats> {
        let (kind, days) = text.split_once(':').unwrap_or((text, ""));
        match (kind, days) {
            ("once", "") => Ok(Self::Once),
            ("daily", "") => Ok(Self::Daily),
            ("weekly", days) => {
                let day = |name: &str| WEEKDAYS.iter().find(|(_, known)| *known == name.trim()).map(|(day, _)| *day);
                let days: Option<Vec<Weekday>> = days.split(',').map(day).collect();
                days.and_then(Weekdays::new).map(Self::Weekly).ok_or(NoRepeats)
            }
            ("monthly", "last") => Ok(Self::Monthly(MonthDay::Last)),
            ("monthly", day) => match day.trim().parse() {
                Ok(day @ 1..=31) => Ok(Self::Monthly(MonthDay::Day(day))),
                Ok(_) | Err(_) => Err(NoRepeats),
            },
            _ => Err(NoRepeats),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_read_back() {
        for text in ["once", "daily", "weekly:mon", "weekly:mon,thu,sun", "monthly:1", "monthly:31", "monthly:last"] {
            assert_eq!(text.parse::<Repeats>().map(|r| r.to_string()).as_deref(), Ok(text));
        }
        for text in ["", "never", "once:1", "weekly", "weekly:", "weekly:xyz", "monthly", "monthly:0", "monthly:32"] {
            assert_eq!(text.parse::<Repeats>(), Err(NoRepeats), "{text}");
        }
    }

    #[test]
    fn the_gap_between_days_goes_round_the_week() {
        let gap = |text: &str| text.parse::<Repeats>().ok().and_then(Repeats::least_gap_days);
        assert_eq!(
            ["once", "daily", "weekly:wed", "weekly:mon,thu", "weekly:mon,sun", "monthly:last"].map(gap),
            [None, Some(1), Some(7), Some(3), Some(1), Some(28)]
        );
    }
}
