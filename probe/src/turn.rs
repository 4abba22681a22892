//! Whether a check that was read is run: a pure rule of its age and of who had it before.

use std::time::Duration;

use crate::entry;
use crate::wire::Check;

/// What a neighbour has beyond a check's own timeout to report it, before it counts as dead.
const CLAIM_GRACE: Duration = Duration::from_secs(10);

/// Where entries came from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Round {
    /// Nobody had them before.
    New,
    /// This worker was given them and has lost sight of them, or has waited for its turn.
    Own,
    /// Another worker was given them.
    Claimed,
}

/// When a check is to be run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// At once, or as soon as there is a thread within `may_wait`.
    Now { may_wait: Duration },
    /// Not before this time has passed: who was given it may still be at it (T163).
    Later(Duration),
    /// Not any more (T165).
    Expired,
}

pub(crate) fn turn(check: &Check, age: Duration, round: Round) -> Turn {
    let Some(may_wait) = check.may_wait().checked_sub(age) else { return Turn::Expired };
    // It was given away at least the idle time ago; when exactly, nobody tells.
    let given_up = Duration::from_millis(u64::from(check.target.timeout_ms)) + CLAIM_GRACE;
    let left = given_up.saturating_sub(entry::CLAIM_IDLE);
    match round {
        Round::Claimed if !left.is_zero() => Turn::Later(left),
        Round::New | Round::Own | Round::Claimed => Turn::Now { may_wait },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{CheckKind, Target, WebsiteId};

    #[test]
    fn t165_a_check_is_void_by_its_age_and_t163_a_claimed_one_waits_for_its_first_worker() {
        let check = |timeout_ms| Check {
            website_id: WebsiteId(uuid::Uuid::nil()),
            slot_at: 0,
            attempt: 0,
            kind: CheckKind::Scheduled,
            deadline_at: 1_000_000_120_000,
            published_at: 1_000_000_000_000,
            target: Target { timeout_ms, ..Target::get("https://example.com/") },
        };
        let s = Duration::from_secs;
        for (timeout_ms, age, round, expected) in [
            (10_000, 0, Round::New, Turn::Now { may_wait: s(120) }),
            (10_000, 100, Round::Own, Turn::Now { may_wait: s(20) }),
            (10_000, 121, Round::New, Turn::Expired),
            (10_000, 31, Round::Claimed, Turn::Now { may_wait: s(89) }),
            (60_000, 31, Round::Claimed, Turn::Later(s(40))),
            (60_000, 31, Round::Own, Turn::Now { may_wait: s(89) }),
            (60_000, 66, Round::Claimed, Turn::Later(s(40))),
            (60_000, 121, Round::Claimed, Turn::Expired),
        ] {
            assert_eq!(turn(&check(timeout_ms), s(age), round), expected, "{timeout_ms} {age}");
        }
    }
}
