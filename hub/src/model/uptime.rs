//! Uptime is arithmetic over intervals: how long each verdict held within a window.

use super::{Outcome, Transition, Uptime, UtcMs};

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

    /// Share of the window that was observed at all.
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

/// How `[from, to)` was spent. `transitions` are in order of decision, all that may matter to the window: those that
/// end in it, or later; `now_verdict` holds since the last of them. Instants that run backwards count as the one
/// before them, so the parts always add up to the window.
#[must_use]
pub fn over(transitions: &[Transition], now_verdict: Outcome, from: UtcMs, to: UtcMs) -> Uptime {
    let mut uptime = Uptime::default();
    let mut at = from;
    for transition in transitions {
        let end = transition.at.clamp(at, to.max(at));
        uptime.add(transition.from, end - at);
        at = end;
    }
    uptime.add(now_verdict, (to - at).max(0));
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
        let uptime = over(&changes, Outcome::Degraded, 0, 1_000);
        assert_eq!(uptime, Uptime { unknown_ms: 100, up_ms: 800, down_ms: 0, degraded_ms: 100 });
    }

    #[test]
    fn what_was_before_the_window_does_not_count() {
        let changes = [change(100, Outcome::Unknown, Outcome::Up), change(1_500, Outcome::Up, Outcome::Down)];
        let uptime = over(&changes, Outcome::Down, 1_000, 2_000);
        assert_eq!(uptime, Uptime { up_ms: 500, down_ms: 500, ..Uptime::default() });
        assert_eq!(uptime.ratio(), Some(0.5));
    }

    #[test]
    fn nothing_observed_is_no_percentage() {
        let uptime = over(&[], Outcome::Unknown, 0, 1_000);
        assert_eq!((uptime.ratio(), uptime.coverage()), (None, 0.0));
    }
}
