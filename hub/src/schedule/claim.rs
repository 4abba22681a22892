//! Seconds of the schedule: claimed a little ahead, taken over from hubs that died, and what to do when the clock jumps.

use tokio::time::{Duration, Instant};

use super::{MADE_GOOD_MS, Schedule};
use crate::model::UtcMs;

/// Seconds claimed before they come.
const AHEAD_S: i64 = 2;
/// A claimed second that was not published for so long is taken over: sooner than the grace of the shortest interval
/// (5 s) ends, so that nothing is missed.
const TAKE_OVER_AFTER_S: i64 = 3;
/// How far the clock must have gone back to count as set back; less is waited for.
const SET_BACK_S: i64 = 5;

impl Schedule {
    pub(super) async fn claim(&mut self, now: UtcMs) {
        let second = now.div_euclid(1_000);
        if Instant::now() < self.claim_again_at {
            return;
        }
        self.follow_clock(now).await;
        while self.next_second <= second + AHEAD_S {
            let wanted = self.next_second;
            match self.store.claim_second(wanted, &self.hub_id).await {
                Ok(ours) => {
                    let due = self.plan.due(wanted * 1_000 + 999);
                    if ours {
                        probe::fail_point!("schedule.claimed");
                        self.claimed.insert(wanted, due)
                    } else {
                        self.others.insert(wanted, due)
                    };
                    self.next_second += 1;
                }
                Err(error) => {
                    tracing::warn!(%error, "The schedule cannot be claimed; trying again.");
                    self.claim_again_at = Instant::now() + Duration::from_millis(500);
                    return;
                }
            }
        }
        self.take_over(second).await;
    }

    /// Seconds that their hub claimed and did not publish.
    async fn take_over(&mut self, second: i64) {
        while let Some(entry) = self.others.first_entry() {
            let old = *entry.key();
            if old > second - TAKE_OVER_AFTER_S {
                break;
            }
            match self.store.take_over_second(old, &self.hub_id).await {
                Ok(ours) => {
                    let due = entry.remove();
                    if ours {
                        tracing::warn!(
                            second = old,
                            checks = due.len(),
                            "A second another hub had claimed is taken over."
                        );
                        self.claimed.insert(old, due);
                    }
                }
                Err(_) => break,
            }
        }
    }

    /// The machine slept, or its clock was set. Ahead: what lies between is passed over in one step, however long it
    /// was. Back: the schedule starts anew from now, under other names for the slots (T201).
    async fn follow_clock(&mut self, now: UtcMs) {
        let second = now.div_euclid(1_000);
        let made_good_s = MADE_GOOD_MS / 1_000;
        if self.next_second < second - made_good_s {
            let seconds = second - self.next_second;
            self.next_second = second - made_good_s;
            let passed = self.plan.skip_to(self.next_second * 1_000);
            self.missed += passed;
            tracing::warn!(seconds, slots = passed, "Time jumped ahead; slots were missed.");
        } else if self.next_second > second + AHEAD_S + SET_BACK_S {
            let seconds = self.next_second - second;
            tracing::warn!(seconds, "The clock was set back; the schedule starts anew.");
            self.claimed.clear();
            self.others.clear();
            self.done_before.clear();
            self.later.clear();
            self.next_second = second;
            self.plan.set_back(now);
            let healed = self.store.drop_future_claims().await;
            if let Err(error) = healed.and(self.store.shorten_verdicts(now).await.map(|_| ())) {
                tracing::warn!(%error, "Traces of the wrong clock could not be removed.");
            }
        }
    }
}
