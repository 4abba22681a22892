//! Maintenance: the owner has work going on, as announced. Checks run and are marked, nobody is told.
//!
//! A window is a rule in local wall time of a zone. When it holds is computed, never stored. A start that does not exist,
//! since clocks were put forward, is as late after the change as it would have been without it (RFC 5545: 02:30 is then
//! 03:30); of one that exists twice the first counts. A duration is elapsed time: an hour is an hour, whatever clocks do.

mod repeats;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::id::id;
use super::{AccountId, Tag, UtcMs, WebsiteId};

pub use repeats::{MonthDay, NoRepeats, Repeats, WEEKDAYS, Weekdays};

const DAY_MS: i64 = 86_400_000;

id! {
    /// Names a maintenance window.
    MaintenanceId
}

/// Which websites of the account it is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// All there are.
    All,
    /// Those that bear a tag at the time one asks.
    Tag(Tag),
    /// One.
    Website(WebsiteId),
}

impl Scope {
    /// The website, where it is about one.
    #[must_use]
    pub fn website(&self) -> Option<WebsiteId> {
        match self {
            Self::All | Self::Tag(_) => None,
            Self::Website(id) => Some(*id),
        }
    }
}

impl Scope {
    /// Whether a website is among them.
    #[must_use]
    pub fn covers(&self, website: WebsiteId, tags: &[Tag]) -> bool {
        match self {
            Self::All => true,
            Self::Tag(tag) => tags.contains(tag),
            Self::Website(id) => *id == website,
        }
    }
}

/// From an instant to another, which does not belong to it any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// Begin.
    pub from_at: UtcMs,
    /// End.
    pub to_at: UtcMs,
}

impl Span {
    /// Whether there is nothing of it.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.from_at >= self.to_at
    }

    /// Whether it has begun and has not ended.
    #[must_use]
    pub fn holds(self, at: UtcMs) -> bool {
        self.from_at <= at && at < self.to_at
    }

    /// What of it lies within `[from, to)`.
    #[must_use]
    pub fn within(self, from: UtcMs, to: UtcMs) -> Option<Self> {
        let part = Self { from_at: self.from_at.max(from), to_at: self.to_at.min(to) };
        (part.from_at < part.to_at).then_some(part)
    }
}

/// When windows begin, and how long they last.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    zone: TimeZone,
    time_zone: String,
    /// Wall time of the first, or of the day from which on it may come; whole minutes.
    pub starts: DateTime,
    /// How often.
    pub repeats: Repeats,
    /// Elapsed time, [`Rule::LEAST_MS`] to [`Rule::MOST_MS`].
    pub duration_ms: i64,
}

impl Rule {
    /// A minute.
    pub const LEAST_MS: i64 = 60_000;
    /// A week.
    pub const MOST_MS: i64 = 7 * DAY_MS;
    /// Further ahead nothing is looked for: the longest way is from January 31 to March 31.
    const AHEAD_DAYS: i64 = 70;

    /// A rule; `None`: no zone of this name is known.
    #[must_use]
    pub fn new(time_zone: &str, starts: DateTime, repeats: Repeats, duration_ms: i64) -> Option<Self> {
        let zone = TimeZone::get(time_zone).ok()?;
        Some(Self { zone, time_zone: time_zone.to_owned(), starts, repeats, duration_ms })
    }

    /// Name of its zone.
    #[must_use]
    pub fn time_zone(&self) -> &str {
        &self.time_zone
    }

    /// Wall time in its zone.
    #[must_use]
    pub fn local(&self, at: UtcMs) -> DateTime {
        timestamp(at).to_zoned_datetime(self.zone.clone()).datetime()
    }

    /// What clocks in its zone are ahead of UTC, in words as in `+02:00`.
    #[must_use]
    pub fn offset(&self, at: UtcMs) -> String {
        timestamp(at).to_zoned_datetime(self.zone.clone()).strftime("%:z").to_string()
    }

    /// All that share an instant with `[from, to)`, in order.
    #[must_use]
    pub fn overlapping(&self, from: UtcMs, to: UtcMs) -> Vec<Span> {
        // A local date may be a day beside that of UTC, and a start a change of clocks beside its date.
        let first = self.date(from.saturating_sub(self.duration_ms + 2 * DAY_MS));
        let last = self.date(to.saturating_add(2 * DAY_MS));
        let spans = self.begun(first, last).map(|(_, span)| span);
        let mut spans: Vec<Span> = spans.filter(|span| span.within(from, to).is_some()).collect();
        spans.dedup();
        spans
    }

    /// The next that begin at `at` or later, `count` at most.
    #[must_use]
    pub fn next(&self, at: UtcMs, count: usize) -> Vec<Span> {
        let mut spans: Vec<Span> = Vec::new();
        let mut from = self.date(at.saturating_sub(2 * DAY_MS)).max(self.starts.date());
        while spans.len() < count {
            let mut found = self.begun(from, from.saturating_add(Self::AHEAD_DAYS.days()));
            let Some((date, span)) = found.find(|(_, span)| span.from_at >= at && spans.last() != Some(span)) else {
                break;
            };
            spans.push(span);
            let Ok(next) = date.tomorrow() else { break };
            from = next;
        }
        spans
    }

    /// When the last one ends; `None`: there is no last.
    #[must_use]
    pub fn over_at(&self) -> Option<UtcMs> {
        match self.repeats {
            Repeats::Once => self.on(self.starts.date()).map(|span| span.to_at),
            Repeats::Daily | Repeats::Weekly(_) | Repeats::Monthly(_) => None,
        }
    }

    /// Those of the dates from `first` to `last`, with the date of each.
    fn begun(&self, first: Date, last: Date) -> impl Iterator<Item = (Date, Span)> {
        let starts = self.starts.date();
        let dates = std::iter::successors(Some(first.max(starts)), |date| date.tomorrow().ok());
        dates
            .take_while(move |date| *date <= last)
            .filter(move |date| self.repeats.falls_on(*date, starts))
            .filter_map(|date| Some((date, self.on(date)?)))
    }

    /// The one of that date.
    fn on(&self, date: Date) -> Option<Span> {
        let wall = date.to_datetime(self.starts.time());
        let from_at = self.zone.to_ambiguous_timestamp(wall).compatible().ok()?.as_millisecond();
        Some(Span { from_at, to_at: from_at + self.duration_ms })
    }

    fn date(&self, at: UtcMs) -> Date {
        self.local(at).date()
    }
}

fn timestamp(at: UtcMs) -> Timestamp {
    let end = if at < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_millisecond(at).unwrap_or(end)
}

/// What an owner chose.
#[derive(Debug, Clone, PartialEq)]
pub struct MaintenancePlan {
    /// For people, 1 to 64 characters.
    pub name: String,
    /// Which websites.
    pub scope: Scope,
    /// When.
    pub rule: Rule,
}

/// A maintenance window as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Maintenance {
    /// Which.
    pub maintenance_id: MaintenanceId,
    /// Whose.
    pub account_id: AccountId,
    /// What its owner chose.
    pub plan: MaintenancePlan,
    /// When it was made.
    pub created_at: UtcMs,
    /// Since when it is as it is. What was before is kept apart: an edit changes no past.
    pub since_at: UtcMs,
    /// What begins earlier does not take place: it was ended early.
    pub skip_before_at: UtcMs,
    /// Grows with every edit.
    pub revision: i64,
}

impl Maintenance {
    /// Windows an account may have.
    pub const MOST: i64 = 200;

    /// What of `[from, to)` is maintenance by this window as it stands, in order.
    #[must_use]
    pub fn spans(&self, from: UtcMs, to: UtcMs) -> Vec<Span> {
        let mut spans = self.plan.rule.overlapping(from.max(self.since_at), to);
        spans.retain(|span| span.from_at >= self.skip_before_at);
        spans.into_iter().filter_map(|span| span.within(from.max(self.since_at), to)).collect()
    }

    /// The one that holds at `at`, with its whole length; of several, the one that ends last.
    #[must_use]
    pub fn running(&self, at: UtcMs) -> Option<Span> {
        if at < self.since_at {
            return None;
        }
        let spans = self.plan.rule.overlapping(at, at.saturating_add(1));
        spans.into_iter().filter(|span| span.from_at >= self.skip_before_at).max_by_key(|span| span.to_at)
    }

    /// The next after `at`, `count` at most.
    #[must_use]
    pub fn next(&self, at: UtcMs, count: usize) -> Vec<Span> {
        self.plan.rule.next(at.saturating_add(1).max(self.skip_before_at), count)
    }
}

/// A window that took place under a rule that was edited, ended early or deleted since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastMaintenance {
    /// Of which window; it may be gone.
    pub maintenance_id: MaintenanceId,
    /// Its name as it was.
    pub name: String,
    /// What it covered.
    pub scope: Scope,
    /// When.
    pub span: Span,
}

/// Spans as one list without overlaps, in order.
#[must_use]
pub fn united(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_unstable();
    let mut all: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match all.last_mut() {
            Some(last) if span.from_at <= last.to_at => last.to_at = last.to_at.max(span.to_at),
            Some(_) | None => all.push(span),
        }
    }
    all
}

#[cfg(test)]
mod tests;
