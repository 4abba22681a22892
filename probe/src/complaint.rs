//! What would be said again and again is said once a minute.

use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_secs(60);

/// One kind of trouble.
#[derive(Debug, Default)]
pub(crate) struct Complaint {
    next_at: Option<Instant>,
    held_back: u32,
}

impl Complaint {
    /// Whether it is said now; if so, what is to be added about those that were not.
    pub(crate) fn due(&mut self, now: Instant) -> Option<String> {
        if self.next_at.is_some_and(|at| now < at) {
            self.held_back = self.held_back.saturating_add(1);
            return None;
        }
        self.next_at = Some(now + EVERY);
        Some(match std::mem::take(&mut self.held_back) {
            0 => String::new(),
            times => format!(" That was so {times} times more since the last such line."),
        })
    }

    /// It is over: the next one is said at once.
    pub(crate) fn over(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t228_trouble_is_told_once_a_minute_with_how_often_it_came() {
        let (now, mut complaint) = (Instant::now(), Complaint::default());
        let at = |s| now + Duration::from_secs(s);
        assert_eq!(complaint.due(now).as_deref(), Some(""));
        assert_eq!((complaint.due(at(1)), complaint.due(at(59))), (None, None));
        assert!(complaint.due(at(60)).is_some_and(|more| more.contains("2 times")));
        assert_eq!(complaint.due(at(61)), None);
        complaint.over();
        assert_eq!(complaint.due(at(62)).as_deref(), Some(""));
    }
}
