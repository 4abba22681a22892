//! How many dead letters are written.

use std::time::{Duration, Instant};

use crate::wire::DeadReason;

const MINUTE: Duration = Duration::from_secs(60);
/// Letters about stale checks per minute.
const EXPIRED: u32 = 50;
/// All others: a hub that is newer than its probes may mean every one of its checks.
const OTHERS: u32 = 2_000;

/// How many letters are written per minute. The rest is counted only: 100,000 checks that went stale while a region was
/// off are one fact, not 100,000.
#[derive(Debug)]
pub(crate) struct Quota {
    began: Instant,
    expired: u32,
    others: u32,
}

/// Whether a letter is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It is.
    Admitted,
    /// It is the first of this minute that is not.
    Full,
    /// Nor is this one.
    StillFull,
}

impl Quota {
    pub(crate) fn new(now: Instant) -> Self {
        Self { began: now, expired: 0, others: 0 }
    }

    pub(crate) fn admit(&mut self, reason: DeadReason, now: Instant) -> Admission {
        if now.saturating_duration_since(self.began) >= MINUTE {
            *self = Self::new(now);
        }
        let (count, limit) = match reason {
            DeadReason::Expired => (&mut self.expired, EXPIRED),
            DeadReason::NotUnderstood | DeadReason::Refused | DeadReason::MaxDeliveries => (&mut self.others, OTHERS),
        };
        *count = count.saturating_add(1);
        match (*count).checked_sub(limit) {
            None | Some(0) => Admission::Admitted,
            Some(1) => Admission::Full,
            Some(_) => Admission::StillFull,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stale_checks_are_told_of_by_the_dozen_and_counted_beyond() {
        let now = Instant::now();
        let mut quota = Quota::new(now);
        let told = (0..100_000).filter(|_| quota.admit(DeadReason::Expired, now) == Admission::Admitted).count();
        assert_eq!(told, 50);
        let told: Vec<Admission> = (0..2_002).map(|_| quota.admit(DeadReason::Refused, now)).collect();
        assert_eq!(told[1_999..], [Admission::Admitted, Admission::Full, Admission::StillFull]);
        assert_eq!(quota.admit(DeadReason::Expired, now + MINUTE), Admission::Admitted);
    }
}
