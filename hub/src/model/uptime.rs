//! Uptime is arithmetic over intervals: how long each verdict held within a window. One formula for whoever shows a figure
//! (docs/ARCHITECTURE.md, "How uptime is counted"): windows that follow each other add up to the whole, to the millisecond.

use std::collections::BTreeMap;

use super::{FieldError, FieldErrors, Outcome, Span, Transition, Uptime, UtcMs};

/// A day of UTC.
pub const DAY_MS: i64 = 86_400_000;
/// The longest window there are figures of: a year, and what a calendar may add to it.
pub const LONGEST_MS: i64 = 400 * DAY_MS;
/// A clock of whoever asks may be this far ahead.
const AHEAD_MS: i64 = 60_000;

impl Uptime {
    /// Share of the observed time that was available: (up + degraded) / (up + degraded + down). `None` when nothing
    /// was observed.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "milliseconds of a window are far below 2^52")]
    pub fn ratio(&self) -> Option<f64> {
        let good = self.up_ms + self.degraded_ms;
        let observed = good + self.down_ms;
        (observed > 0).then(|| good as f64 / observed as f64)
    }

    /// Share of the window that was observed at all; maintenance is no part of it. `None` when there was nothing to observe:
    /// all of it was maintenance, or before the website was added.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "milliseconds of a window are far below 2^52")]
    pub fn coverage_ratio(&self) -> Option<f64> {
        let observed = self.up_ms + self.degraded_ms + self.down_ms;
        let window = observed + self.unknown_ms;
        (window > 0).then(|| observed as f64 / window as f64)
    }

    /// The same, where nothing to observe is nothing observed.
    #[must_use]
    pub fn coverage(&self) -> f64 {
        self.coverage_ratio().unwrap_or(0.0)
    }

    /// All of it.
    #[must_use]
    pub fn window_ms(&self) -> i64 {
        self.up_ms + self.degraded_ms + self.down_ms + self.unknown_ms + self.maintenance_ms
    }

    /// Adds another window, or another part of the same.
    pub fn merge(&mut self, other: &Self) {
        self.up_ms += other.up_ms;
        self.degraded_ms += other.degraded_ms;
        self.down_ms += other.down_ms;
        self.unknown_ms += other.unknown_ms;
        self.maintenance_ms += other.maintenance_ms;
    }

    fn add(&mut self, verdict: Outcome, ms: i64) {
        match verdict {
            Outcome::Up => self.up_ms += ms,
            Outcome::Degraded => self.degraded_ms += ms,
            Outcome::Down => self.down_ms += ms,
            Outcome::Unknown => self.unknown_ms += ms,
        }
    }
}

/// Since when a verdict holds: since what it was decided on began, and never later than it was decided. What was decided
/// before an instant says therefore nothing of the time after it, but what held then.
#[must_use]
pub fn holds_from(transition: &Transition) -> UtcMs {
    transition.at.min(transition.decided_at)
}

/// How `[from, to)` was spent. Maintenance (`quiet`: in order, without overlaps) is nothing else besides, whatever the
/// verdict was meanwhile. `transitions` are in order of decision, all that may matter to the window: those decided since
/// `from`, at least up to the first that holds from `to` on or later; `now_verdict` holds since the last of them. Instants
/// that run backwards count as the one before them, so the parts always add up to the window.
#[must_use]
pub fn over(transitions: &[Transition], now_verdict: Outcome, from: UtcMs, to: UtcMs, quiet: &[Span]) -> Uptime {
    let mut uptime = Uptime::default();
    let mut add = |verdict: Outcome, from: UtcMs, to: UtcMs| {
        let parts = quiet.iter().filter_map(|span| span.within(from, to));
        let quiet_ms: i64 = parts.map(|part| part.to_at - part.from_at).sum();
        uptime.maintenance_ms += quiet_ms;
        uptime.add(verdict, (to - from).max(0) - quiet_ms);
    };
    let mut at = from;
    for transition in transitions {
        let end = holds_from(transition).clamp(at, to.max(at));
        add(transition.from, at, end);
        at = end;
    }
    add(now_verdict, at, to);
    uptime
}

/// When a verdict held within a window, oldest first. `newest` are the newest changes, newest first, and `is_all` says that there
/// are no others: of the time before the oldest of them is known what it says, unless more are left out.
#[must_use]
pub fn spans_of(
    verdict: Outcome,
    newest: &[Transition],
    is_all: bool,
    now_verdict: Outcome,
    window: Span,
) -> Vec<Span> {
    let oldest = newest.last();
    let mut at = match oldest {
        Some(change) if !is_all => holds_from(change).max(window.from_at),
        Some(_) | None => window.from_at,
    };
    let mut spans: Vec<Span> = Vec::new();
    let mut add = |held: Outcome, from_at: UtcMs, to_at: UtcMs| {
        if held != verdict || from_at >= to_at {
            return;
        }
        match spans.last_mut() {
            Some(last) if last.to_at == from_at => last.to_at = to_at,
            Some(_) | None => spans.push(Span { from_at, to_at }),
        }
    };
    for change in newest.iter().rev() {
        let end = holds_from(change).clamp(at, window.to_at.max(at));
        add(change.from, at, end);
        at = end;
    }
    add(now_verdict, at, window.to_at);
    spans
}

/// A window as what its whole days come to, and the rests that have to be counted. `days` are those that are kept, by their
/// begin, each from when the website was added; the window begins no earlier than that.
#[must_use]
pub fn pieces(window: Span, created_at: UtcMs, days: &BTreeMap<UtcMs, Uptime>) -> (Uptime, Vec<Span>) {
    let (mut sum, mut rests) = (Uptime::default(), Vec::<Span>::new());
    let mut at = window.from_at;
    while at < window.to_at {
        let day_at = at - at.rem_euclid(DAY_MS);
        let end = day_at.saturating_add(DAY_MS);
        let is_whole = at == day_at.max(created_at) && end <= window.to_at;
        match days.get(&day_at).filter(|_| is_whole) {
            Some(day) => sum.merge(day),
            None => {
                let rest = Span { from_at: at, to_at: end.min(window.to_at) };
                match rests.last_mut() {
                    Some(last) if last.to_at == rest.from_at => last.to_at = rest.to_at,
                    Some(_) | None => rests.push(rest),
                }
            }
        }
        at = end;
    }
    (sum, rests)
}

/// A window as the days in it that are kept, and the rests before and after them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outline {
    /// The piece of a day before them.
    pub before: Option<Span>,
    /// Whole days, from the begin of the first to the end of the last; empty where there are none.
    pub days: Span,
    /// What follows them.
    pub after: Option<Span>,
}

/// The same as [`pieces`] finds where the days of `counted` are kept, all of them and no others.
#[must_use]
pub fn outline(window: Span, created_at: UtcMs, counted: Span) -> Outline {
    let day_of = |at: UtcMs| at - at.rem_euclid(DAY_MS);
    let Span { from_at, to_at } = window;
    let day_at = day_of(from_at);
    let first = if from_at == day_at.max(created_at) { day_at } else { day_at.saturating_add(DAY_MS) };
    let (first, end) = (first.max(counted.from_at), day_of(to_at.min(counted.to_at)));
    let part = |from_at, to_at| (from_at < to_at).then_some(Span { from_at, to_at });
    if end <= first {
        return Outline { before: None, days: Span { from_at, to_at: from_at }, after: part(from_at, to_at) };
    }
    Outline { before: part(from_at, first), days: Span { from_at: first, to_at: end }, after: part(end, to_at) }
}

/// The windows of so many days that end now.
#[must_use]
pub fn windows_of_days<const N: usize>(now: UtcMs, days: [i64; N]) -> [Span; N] {
    days.map(|days| Span { from_at: now.saturating_sub(days * DAY_MS), to_at: now })
}

/// A window as somebody asked for it, `from` and `to` in RFC 3339 with any offset. Without an end it ends now, without a
/// begin it is the day before its end.
///
/// # Errors
/// The fields named: no instants, the wrong way round, in the future, longer than [`LONGEST_MS`].
pub fn asked_window(from: &str, to: &str, now: UtcMs) -> Result<Span, FieldErrors> {
    let mut errors = FieldErrors::default();
    let mut instant = |field, given: &str, otherwise: UtcMs| match given {
        "" => Some(otherwise),
        given => {
            let at = given.parse().ok().map(|at: jiff::Timestamp| at.as_millisecond());
            if at.is_none() {
                let remedy = "Give an instant as 2026-11-24T02:30:00Z, or with an offset.";
                errors.push(FieldError::new(field, given, remedy));
            }
            at
        }
    };
    let to_at = instant("to", to, now);
    let from_at = instant("from", from, to_at.unwrap_or(now).saturating_sub(DAY_MS));
    let (Some(from_at), Some(to_at)) = (from_at, to_at) else { return Err(errors) };
    if to_at > now.saturating_add(AHEAD_MS) {
        errors.push(FieldError::new("to", to, "Give an instant that is not in the future, or none for now."));
    }
    let to_at = to_at.min(now);
    if from_at >= to_at && errors.is_empty() {
        errors.push(FieldError::new("from", from, "Give an instant before the end of the window."));
    }
    if to_at.saturating_sub(from_at) > LONGEST_MS {
        let remedy = format!("Give a window of at most {} days.", LONGEST_MS / DAY_MS);
        errors.push(FieldError::new("from", from, remedy));
    }
    if errors.is_empty() { Ok(Span { from_at, to_at }) } else { Err(errors) }
}

#[cfg(test)]
mod histories;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::WebsiteId;

    fn change(at: UtcMs, from: Outcome, to: Outcome) -> Transition {
        let website_id = WebsiteId(uuid::Uuid::nil());
        Transition { website_id, at, decided_at: at, from, to, reason: String::new() }
    }

    #[test]
    fn the_parts_add_up_to_the_window() {
        let changes = [
            change(100, Outcome::Unknown, Outcome::Up),
            change(600, Outcome::Up, Outcome::Down),
            change(500, Outcome::Down, Outcome::Up), // the clock went back: a span of nothing, not of less
            change(900, Outcome::Up, Outcome::Degraded),
        ];
        let uptime = over(&changes, Outcome::Degraded, 0, 1_000, &[]);
        assert_eq!(uptime, Uptime { unknown_ms: 100, up_ms: 800, degraded_ms: 100, ..Uptime::default() });
    }

    #[test]
    fn when_a_verdict_held_is_told_as_far_as_changes_are_known() {
        let newest = [
            change(900, Outcome::Up, Outcome::Down),
            change(600, Outcome::Degraded, Outcome::Up),
            change(500, Outcome::Down, Outcome::Degraded),
            change(100, Outcome::Up, Outcome::Down),
        ];
        let window = Span { from_at: 50, to_at: 1_000 };
        let of = |newest: &[Transition], is_all| -> Vec<(UtcMs, UtcMs)> {
            let spans = spans_of(Outcome::Down, newest, is_all, Outcome::Down, window);
            spans.into_iter().map(|span| (span.from_at, span.to_at)).collect()
        };
        assert_eq!(of(&newest, true), [(100, 500), (900, 1_000)]);
        assert_eq!(of(&newest[..3], true), [(50, 500), (900, 1_000)], "it was down when the window began");
        assert_eq!(of(&newest[..3], false), [(900, 1_000)], "what was before is not known");
        assert_eq!(of(&[], true), [(50, 1_000)]);
    }

    #[test]
    fn what_was_before_the_window_does_not_count() {
        let changes = [change(100, Outcome::Unknown, Outcome::Up), change(1_500, Outcome::Up, Outcome::Down)];
        let uptime = over(&changes, Outcome::Down, 1_000, 2_000, &[]);
        assert_eq!(uptime, Uptime { up_ms: 500, down_ms: 500, ..Uptime::default() });
        assert_eq!(uptime.ratio(), Some(0.5));
    }

    #[test]
    fn maintenance_is_left_out_of_the_figure_and_kept_in_the_window() {
        let changes = [change(100, Outcome::Up, Outcome::Down), change(400, Outcome::Down, Outcome::Up)];
        let quiet =
            [Span { from_at: -50, to_at: 50 }, Span { from_at: 200, to_at: 500 }, Span { from_at: 990, to_at: 2_000 }];
        let uptime = over(&changes, Outcome::Up, 0, 1_000, &quiet);
        assert_eq!(uptime, Uptime { up_ms: 540, down_ms: 100, maintenance_ms: 360, ..Uptime::default() });
        assert_eq!(uptime.coverage(), 1.0);
        let all = over(&changes, Outcome::Up, 0, 1_000, &[Span { from_at: -5, to_at: 5_000 }]);
        assert_eq!((all.ratio(), all.maintenance_ms), (None, 1_000));
        // Clocks that went back, and an end before the begin.
        assert_eq!(over(&changes, Outcome::Up, 1_000, 900, &quiet).maintenance_ms, 0);
    }

    #[test]
    fn the_outline_of_a_window_is_its_pieces_where_all_days_are_kept() {
        let mut state = 7_u64;
        let mut below = |n: i64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            i64::try_from(state >> 33).unwrap_or(0).rem_euclid(n)
        };
        for _ in 0..5_000 {
            // Begins and ends of days are as likely as instants within them.
            let mut instant = |days| below(days) * DAY_MS + below(2) * below(DAY_MS);
            let created_at = instant(6);
            let [first, last] = [instant(9), instant(9)].map(|at| at / DAY_MS);
            let counted = Span { from_at: first * DAY_MS, to_at: last * DAY_MS };
            let (a, b) = (instant(9).max(created_at), instant(9).max(created_at));
            let window = Span { from_at: a.min(b), to_at: a.max(b) };
            let all = (first..last).map(|day| (day * DAY_MS, Uptime { up_ms: 1, ..Uptime::default() }));
            let (sum, rests) = pieces(window, created_at, &all.collect());
            let outline = outline(window, created_at, counted);
            assert_eq!((outline.days.to_at - outline.days.from_at) / DAY_MS, sum.up_ms, "{window:?} {created_at}");
            assert_eq!(outline.before.into_iter().chain(outline.after).collect::<Vec<_>>(), rests, "{window:?}");
        }
    }

    #[test]
    fn nothing_observed_is_no_percentage() {
        let uptime = over(&[], Outcome::Unknown, 0, 1_000, &[]);
        assert_eq!((uptime.ratio(), uptime.coverage(), uptime.coverage_ratio()), (None, 0.0, Some(0.0)));
        let before = over(&[], Outcome::Unknown, 1_000, 1_000, &[]);
        assert_eq!((before.ratio(), before.coverage_ratio()), (None, None), "there was nothing to observe");
    }
}
