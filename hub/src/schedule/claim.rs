//! Seconds of the schedule: claimed a little ahead, confirmed every second, taken over from hubs that died, and what to do
//! when the clock jumps.
//!
//! The fence: nothing is published of a second unless this hub was told a moment ago that the second is still its own: by
//! a clock that a suspend does not stop, and by one that a paused virtual machine finds set when it goes on. A hub that stood still (SIGSTOP, suspend, a slow database) asks first, and drops what others
//! took over. Between the answer and Redis it can still stand still; then a check is run twice and its tick stored once,
//! for its key is unique.

use std::collections::BTreeMap;

use tokio::time::{Duration, Instant};

use super::plan::Due;
use super::silent::Silent;
use super::{MADE_GOOD_MS, Schedule};
use crate::clock::{self, Moment};
use crate::model::UtcMs;
use crate::store::ClaimTurn;

/// Seconds claimed before they come.
const AHEAD_S: i64 = 2;
/// Between two turns at the claims: what is confirmed, marked and claimed is one statement a second.
const TURN_MS: i64 = 1_000;
/// A confirmation holds for so long: half a second less than others wait before they take over
/// (`store::schedule::LEASE_MS`).
const HOLDS_MS: i64 = 2_500;
/// How far the clock must have gone back to count as set back; less is waited for.
const SET_BACK_S: i64 = 5;
/// Another hub's second that is neither published nor to be had is forgotten after this: no slot in it is young enough.
const WATCHED_S: i64 = 30;

/// A second of this hub, and how far it has come in it.
#[derive(Debug, Default)]
pub(super) struct Second {
    due: Vec<Due>,
    done: usize,
    /// Held back for the sake of their host, until their `publish_at`.
    held_back: Vec<Due>,
}

impl Second {
    fn new(due: Vec<Due>) -> Self {
        Self { due, ..Self::default() }
    }

    /// Takes out what is due by now, so many at most.
    fn take(&mut self, now: UtcMs, most: usize) -> Vec<Due> {
        let left = self.due.get(self.done..).unwrap_or_default();
        let number = left.partition_point(|due| due.publish_at <= now).min(most);
        let mut taken = left.get(..number).unwrap_or_default().to_vec();
        self.done += number;
        let held_back = self.held_back.extract_if(.., |due| due.publish_at <= now);
        taken.extend(held_back.take(most - number));
        taken
    }

    fn left(&self) -> usize {
        self.due.len() - self.done + self.held_back.len()
    }
}

/// What this hub has of the schedule, and watches of what others have.
#[derive(Debug)]
pub(super) struct Claims {
    pub(super) hub_id: String,
    held: BTreeMap<i64, Second>,
    watched: BTreeMap<i64, Vec<Due>>,
    /// Published, and not marked yet.
    published: Vec<i64>,
    /// The next second to claim.
    pub(super) next_second: i64,
    /// When the last answer was asked for.
    confirmed: Option<Moment>,
    retry_at: Instant,
    /// The last turn failed, which was said.
    is_failing: bool,
    /// It stops: nothing more is claimed.
    is_closing: bool,
    /// Slots that were not published since their second was lost to another hub, which publishes them.
    lost: u64,
}

impl Claims {
    pub(super) fn new(from: UtcMs) -> Self {
        Self {
            hub_id: uuid::Uuid::new_v4().to_string(),
            held: BTreeMap::new(),
            watched: BTreeMap::new(),
            published: Vec::new(),
            next_second: from.div_euclid(1_000),
            confirmed: None,
            retry_at: Instant::now(),
            is_failing: false,
            is_closing: false,
            lost: 0,
        }
    }

    fn age_ms(&self, moment: Moment) -> i64 {
        self.confirmed.map_or(i64::MAX, |confirmed| moment.since_ms(confirmed))
    }

    /// Whether what is held is known to be this hub's.
    pub(super) fn hold(&self, moment: Moment) -> bool {
        self.age_ms(moment) < HOLDS_MS
    }

    /// Takes out of the held seconds what is due by now, so many at most.
    pub(super) fn take(&mut self, now: UtcMs, most: usize) -> Vec<(i64, Due)> {
        let mut taken = Vec::new();
        for (second, held) in self.held.range_mut(..=now.div_euclid(1_000)) {
            let due = held.take(now, most - taken.len());
            taken.extend(due.into_iter().map(|due| (*second, due)));
        }
        taken
    }

    /// For how long the next of what is due has waited.
    pub(super) fn late_ms(&self, now: UtcMs) -> i64 {
        let next = self.held.values().filter_map(|second| second.due.get(second.done)).map(|due| due.publish_at).min();
        next.map_or(0, |at| now.saturating_sub(at))
    }

    /// Puts a check back that may not leave yet. False: its second is not held any more.
    pub(super) fn hold_back(&mut self, second: i64, due: Due) -> bool {
        let held = self.held.get_mut(&second);
        held.map(|second| second.held_back.push(due)).is_some()
    }

    /// Notes which seconds are done: they are past, and nothing of them waits.
    pub(super) fn note_published(&mut self, second: i64, waits: impl Fn(i64) -> bool) {
        let done = self.held.extract_if(..second, |second, s| s.left() == 0 && !waits(*second));
        self.published.extend(done.map(|(second, _)| second));
    }

    /// Whether nothing is held or to be marked.
    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty() && self.published.is_empty()
    }
}

impl Schedule {
    /// Marks, confirms, claims and takes over, once a second, or sooner when this process stood still.
    pub(super) async fn claim(&mut self, now: UtcMs) {
        let claims = &self.claims;
        if claims.age_ms(Moment::now()) < TURN_MS || Instant::now() < claims.retry_at {
            return;
        }
        self.follow_clock(now).await;
        let second = now.div_euclid(1_000);
        // While the queue is away others may do better: what is held is not confirmed, and nothing is claimed.
        let is_able = !self.publisher.is_away() || !self.store.is_shared();
        let claims = &mut self.claims;
        let wants = is_able && !claims.is_closing;
        let turn = ClaimTurn {
            published: claims.published.clone(),
            held: if is_able { claims.held.keys().copied().collect() } else { Vec::new() },
            wanted: if wants { (claims.next_second..=second + AHEAD_S).collect() } else { Vec::new() },
            watched: if wants { claims.watched.keys().copied().collect() } else { Vec::new() },
        };
        let asked = Moment::now();
        let answer = match self.store.claim_turn(&claims.hub_id, &turn).await {
            Ok(answer) => answer,
            Err(error) => {
                if !std::mem::replace(&mut claims.is_failing, true) {
                    tracing::warn!(%error, "The schedule cannot be claimed, and waits; it is tried again all the time.");
                }
                claims.retry_at = Instant::now() + Duration::from_millis(250);
                return;
            }
        };
        if std::mem::take(&mut claims.is_failing) {
            tracing::info!("The schedule can be claimed again.");
        }
        claims.published.clear();
        if !is_able {
            claims.confirmed = None;
            claims.retry_at = Instant::now() + Duration::from_millis(TURN_MS.unsigned_abs());
            return;
        }
        claims.confirmed = Some(asked);
        if !answer.made.is_empty() {
            probe::fail_point!("schedule.claimed");
        }
        for lost in turn.held.iter().filter(|second| !answer.held.contains(second)) {
            let second = claims.held.remove(lost).unwrap_or_default();
            let left = second.left() + self.publisher.forget_second(*lost);
            // That hub may die, too, before it has published anything: then somebody has to know what was due.
            claims.watched.insert(*lost, second.due);
            claims.lost += left as u64;
            tracing::warn!(
                second = lost,
                checks = left,
                lost = claims.lost,
                "A second was lost to another hub, which took it over."
            );
        }
        if self.store.is_shared() && answer.shift_ms != self.plan.shift_ms() {
            tracing::warn!(shift_ms = answer.shift_ms, "A clock was set back; slots get other names.");
            self.plan.shift(answer.shift_ms, now);
        }
        for wanted in turn.wanted {
            let is_ours = answer.made.contains(&wanted);
            let due = self.lay_out(wanted, is_ours);
            if is_ours {
                self.claims.held.insert(wanted, Second::new(due));
            } else {
                self.claims.watched.insert(wanted, due);
            }
            self.claims.next_second = wanted + 1;
        }
        let claims = &mut self.claims;
        for over in &answer.over {
            claims.watched.remove(over);
        }
        for taken in &answer.taken {
            let due = claims.watched.remove(taken).unwrap_or_default();
            tracing::warn!(second = taken, checks = due.len(), "A second another hub had claimed is taken over.");
            claims.held.insert(*taken, Second::new(due));
        }
        claims.watched.retain(|watched, _| *watched >= second - WATCHED_S);
    }

    /// The machine slept, or its clock was set. Ahead: what lies between is passed over in one step, however long it
    /// was. Back: the schedule starts anew from now, under other names for the slots (T201).
    async fn follow_clock(&mut self, now: UtcMs) {
        let second = now.div_euclid(1_000);
        let made_good_s = MADE_GOOD_MS / 1_000;
        let next_second = self.claims.next_second;
        if next_second < second - made_good_s {
            let seconds = second - made_good_s - next_second;
            self.claims.next_second = second - made_good_s;
            // Of the slots of that time nobody knows here whether other hubs had them.
            let slots = self.plan.count(seconds * 1_000);
            if !self.store.is_shared() {
                self.missed += slots;
            }
            tracing::warn!(
                seconds,
                slots,
                "Seconds of the schedule were passed over: this hub stood still, or time jumped ahead."
            );
        } else if next_second > second + AHEAD_S + SET_BACK_S {
            let seconds = next_second - second;
            tracing::warn!(seconds, "The clock was set back; the schedule starts anew.");
            self.claims.held.clear();
            self.claims.watched.clear();
            self.done_before.clear();
            self.asked.clear();
            self.silent = Silent::new();
            self.pace.begin_anew(self.limit);
            self.claims.next_second = second;
            if !self.store.is_shared() {
                self.plan.shift(self.plan.shift_ms() + 1, now);
            }
            let healed = self.store.drop_future_claims(&self.claims.hub_id, second).await;
            if let Err(error) = healed.and(self.store.shorten_verdicts(now).await.map(|_| ())) {
                tracing::warn!(%error, "Traces of the wrong clock could not be removed.");
            }
        }
    }

    /// It stops: seconds that have not begun are given back at once, the one that has is done to its end, so that nobody
    /// repeats half of it. `false`: there is nobody to give anything to, or the queue ends with this process; then the
    /// next one does that second anew.
    pub(super) async fn close(&mut self, now: UtcMs) -> bool {
        if !self.store.is_shared() || !self.publisher.outlives_us() {
            self.give_back(0).await;
            return false;
        }
        let next = now.div_euclid(1_000) + 1;
        self.claims.is_closing = true;
        self.claims.held.split_off(&next);
        self.give_back(next).await;
        true
    }

    /// The end of it: what is still held goes back, too.
    pub(super) async fn give_back(&self, from: i64) {
        if let Err(error) = self.store.release_claims(&self.claims.hub_id, from).await {
            tracing::warn!(%error, "Claims could not be given back; another hub takes them over in a while.");
        }
    }

    /// Whether all that was held is out and marked.
    pub(super) async fn is_done(&mut self) -> bool {
        if self.claims.held.is_empty() && !self.claims.published.is_empty() {
            self.claims.confirmed = None;
            self.claim(clock::now()).await;
        }
        self.claims.is_empty()
    }
}

#[cfg(test)]
mod tests;
