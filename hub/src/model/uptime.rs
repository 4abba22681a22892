//! Uptime is arithmetic over intervals: how long each verdict held within a window.

use super::{Outcome, Span, Transition, Uptime, UtcMs};

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

    /// Share of the window that was observed at all; maintenance is no part of it.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "milliseconds of a window are far below 2^52")]
    pub fn coverage(&self) -> f64 {
        let observed = self.up_ms + self.degraded_ms + self.down_ms;
        let window = observed + self.unknown_ms;
        if window > 0 { observed as f64 / window as f64 } else { 0.0 }
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

/// How `[from, to)` was spent. Maintenance (`quiet`: in order, without overlaps) is nothing else besides, whatever the
/// verdict was meanwhile. `transitions` are in order of decision, all that may matter to the window: those that
/// end in it, or later; `now_verdict` holds since the last of them. Instants that run backwards count as the one
/// before them, so the parts always add up to the window.
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
        let end = transition.at.clamp(at, to.max(at));
        add(transition.from, at, end);
        at = end;
    }
    add(now_verdict, at, to);
    uptime
}

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
    fn nothing_observed_is_no_percentage() {
        let uptime = over(&[], Outcome::Unknown, 0, 1_000, &[]);
        assert_eq!((uptime.ratio(), uptime.coverage()), (None, 0.0));
    }
}
