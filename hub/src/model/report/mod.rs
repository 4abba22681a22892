//! Reports: how a website, or a group of them, did over a window, beside the window before it. Uptime is the one formula of
//! [`super::uptime`]; a group's figures are the same formulas over the sums of its websites, so that a group of one says what
//! its website says, and each website weighs as much as it was observed.

mod budget;
mod csv;
mod figures;
pub mod number;
mod schedule;
mod window;
pub mod words;

pub use budget::{Budget, Goal};
pub(in crate::model) use csv::cell;
pub use csv::csv;
pub use figures::{Figures, Latency, Outage, Outages};
pub use schedule::{Due, ReportScheduleId, Rhythm, Schedule};
pub use window::{Window, WindowInput, Zone, months};

use super::uptime::DAY_MS;
use super::{FieldError, FieldErrors, Scope, Span, Uptime, UtcMs, WebsiteId, WebsiteKind};

/// Websites of one report.
pub const MOST_WEBSITES: usize = 200;
/// Days of all its websites together: what is read of roll-ups.
pub const MOST_WEBSITE_DAYS: i64 = 20_000;

/// A website of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Which.
    pub website_id: WebsiteId,
    /// Its address; of a job its name.
    pub url: String,
    /// Who speaks first.
    pub kind: WebsiteKind,
    /// Its time before this is no part of any window.
    pub created_at: UtcMs,
    /// Its own goal.
    pub goal: Option<Goal>,
}

/// What is known of one website and one window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measured {
    /// The window, from when the website was added.
    pub span: Span,
    /// `None`: it changed so often that its days have to be counted first, or that not all of its outages could be read.
    pub uptime: Option<Uptime>,
    /// What its ticks come to, by region; see [`Figures::latency`].
    pub latency: Latency,
    /// Its outages that share an instant with the window, without those that are all in announced maintenance.
    pub outages: Vec<Outage>,
}

/// A website with its figures.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Which.
    pub subject: Subject,
    /// Of the window.
    pub now: Figures,
    /// Of the window before; `None`: it was not there yet.
    pub before: Option<Figures>,
}

/// A report.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// About which websites.
    pub scope: Scope,
    /// Over which window.
    pub window: Window,
    /// A goal for websites that have none of their own, where somebody gave one.
    pub goal: Option<Goal>,
    /// The websites, worst first.
    pub rows: Vec<Row>,
    /// All of them together.
    pub all: Figures,
    /// The same, of the window before; `None`: none of them was there.
    pub before: Option<Figures>,
    /// Websites of the group that were added after the window.
    pub added_later: usize,
}

impl Report {
    /// From what was measured of each website: in the window, and in the one before where it was there already.
    #[must_use]
    pub fn new(
        scope: Scope,
        window: Window,
        goal: Option<Goal>,
        measured: Vec<(Subject, Measured, Option<Measured>)>,
        added_later: usize,
        now: UtcMs,
    ) -> Self {
        let to_come_ms = window.to_come_ms();
        let goal_of = |subject: &Subject| subject.goal.or(goal);
        let all = Figures::of(measured.iter().map(|(subject, m, _)| (m, goal_of(subject), to_come_ms)), now);
        let before: Vec<_> = measured.iter().filter_map(|(s, _, b)| Some((b.as_ref()?, goal_of(s), 0))).collect();
        let before = (!before.is_empty()).then(|| Figures::of(before.into_iter(), now));
        let row = |(subject, m, b): &(Subject, Measured, Option<Measured>)| Row {
            now: Figures::of(std::iter::once((m, goal_of(subject), to_come_ms)), now),
            before: b.as_ref().map(|b| Figures::of(std::iter::once((b, goal_of(subject), 0)), now)),
            subject: subject.clone(),
        };
        let mut rows: Vec<Row> = measured.iter().map(row).collect();
        rows.sort_by(|a, b| a.now.worse_first(&b.now).then_with(|| a.subject.url.cmp(&b.subject.url)));
        Self { scope, window, goal, rows, all, before, added_later }
    }

    /// Websites whose budget is known: those with a goal.
    #[must_use]
    pub fn with_goal(&self) -> usize {
        self.rows.iter().filter(|row| row.now.budget.is_some()).count()
    }
}

/// Whether so many websites over such a window are a report.
///
/// # Errors
/// They are too many: what would work.
pub fn fits(websites: usize, window: &Window) -> Result<(), FieldErrors> {
    let wrong = |field, found: &str, remedy: String| Err(FieldErrors(vec![FieldError::new(field, found, remedy)]));
    if websites > MOST_WEBSITES {
        let remedy = format!("A report holds {MOST_WEBSITES} websites at most; choose a tag that fewer have.");
        return wrong("tag", &format!("more than {MOST_WEBSITES} websites"), remedy);
    }
    let days = window.span.to_at.saturating_sub(window.span.from_at).saturating_add(DAY_MS - 1) / DAY_MS;
    if days.saturating_mul(i64::try_from(websites).unwrap_or(i64::MAX)) > MOST_WEBSITE_DAYS {
        let remedy = format!(
            "A report holds {MOST_WEBSITE_DAYS} days of websites at most; choose a shorter window, or a tag that fewer have."
        );
        return wrong("from", &format!("{days} days of {websites} websites"), remedy);
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::indexing_slicing)]
mod tests;
