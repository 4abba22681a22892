//! Whether a check that was read is run: a pure rule of its age.

use std::time::Duration;

use crate::wire::Check;

/// Where entries came from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Round {
    /// Nobody had them before.
    New,
    /// This worker was given them and has lost sight of them.
    Own,
    /// Another worker was given them, and has not renewed them for 30 s: it died, or Redis did not hear of it (T163).
    Claimed,
}

/// When a check is to be run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// At once, or as soon as there is a thread within `may_wait`.
    Now { may_wait: Duration },
    /// Not any more (T165).
    Expired,
}

pub(crate) fn turn(check: &Check, age: Duration) -> Turn {
    match check.may_wait().checked_sub(age) {
        Some(may_wait) => Turn::Now { may_wait },
        None => Turn::Expired,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{CheckKind, Target, WebsiteId};

    #[test]
    fn t165_a_check_is_void_by_its_age() {
        let check = Check {
            website_id: WebsiteId(uuid::Uuid::nil()),
            slot_at: 0,
            attempt: 0,
            kind: CheckKind::Scheduled,
            deadline_at: 1_000_000_120_000,
            published_at: 1_000_000_000_000,
            target: Target::get("https://example.com/"),
        };
        let s = Duration::from_secs;
        for (age, expected) in [
            (0, Turn::Now { may_wait: s(120) }),
            (100, Turn::Now { may_wait: s(20) }),
            (120, Turn::Now { may_wait: s(0) }),
            (121, Turn::Expired),
        ] {
            assert_eq!(turn(&check, s(age)), expected, "{age}");
        }
    }
}
