//! Courtesy, applied: where a second of the schedule is laid out, slots of websites that are down for long are left out,
//! and those of one host are spaced. Every hub lays out every second, so that all agree which second, and so which hub, a
//! check is published in.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::Schedule;
use super::plan::{Due, Watched};
use crate::model::courtesy::{self, Limit, Lines};
use crate::model::{UtcMs, WebsiteId, backoff, shares, slots};
use crate::store::StoreError;

/// How often it is asked which websites are down for long: every 5 s, or as often as the database is busy with the answer
/// for a twentieth of the time, but every 20 s at least: until then a website that answers again is looked at rarely.
const READ_EVERY: Duration = Duration::from_secs(5);
const READ_SHARE: u32 = 20;
const READ_AT_LEAST: Duration = Duration::from_secs(20);
/// Between two log lines about hosts that are asked for too much.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// What was read about those that are down for long, and how long that took.
type DownRead = (Result<Vec<(WebsiteId, UtcMs)>, StoreError>, Duration);

/// What courtesy remembers.
#[derive(Debug)]
pub(super) struct Pace {
    /// Lines of what is planned: the same on every hub.
    planned: Lines,
    /// Lines of what this hub publishes late.
    late: Lines,
    /// Lines of what was asked for.
    pub(super) asked: Lines,
    /// Slots that leave their line in a later second.
    delayed: BTreeMap<i64, Vec<Due>>,
    /// Websites that have been down for long, and since when.
    down: HashMap<WebsiteId, UtcMs>,
    /// They are being read; when there are many that takes a while, and slots come meanwhile.
    reading: Option<JoinHandle<DownRead>>,
    was_read: bool,
    /// Of those that answer again or were edited since the reading began.
    resumed: HashSet<WebsiteId>,
    read_at: Instant,
    tell_at: Instant,
    /// Slots left out or missed for the sake of their host, since the last line about it and in all.
    left_out: (u64, u64),
}

impl Pace {
    pub(super) fn new(limit: Limit) -> Self {
        let now = Instant::now();
        Self {
            planned: Lines::new(limit.spacing_ms()),
            late: Lines::new(limit.spacing_ms()),
            asked: Lines::new(limit.asked_spacing_ms()),
            delayed: BTreeMap::new(),
            down: HashMap::new(),
            reading: None,
            was_read: false,
            resumed: HashSet::new(),
            read_at: now,
            tell_at: now,
            left_out: (0, 0),
        }
    }

    /// The clock was set back: what was planned is void.
    pub(super) fn begin_anew(&mut self, limit: Limit) {
        *self = Self {
            down: std::mem::take(&mut self.down),
            reading: self.reading.take(),
            was_read: self.was_read,
            resumed: std::mem::take(&mut self.resumed),
            left_out: self.left_out,
            ..Self::new(limit)
        };
    }

    pub(super) fn leave_out(&mut self, slots: u64) {
        self.left_out = (self.left_out.0 + slots, self.left_out.1 + slots);
    }

    /// When a check whose time has come may leave: as planned, unless many of its host are late.
    pub(super) fn leaves_at(&mut self, website: &Watched, due: &Due, now: UtcMs) -> UtcMs {
        if due.in_line { due.publish_at } else { self.late.join_late(website.host, due.publish_at, now) }
    }

    /// The website answers again: its slots are all used.
    pub(super) fn resume(&mut self, id: WebsiteId) {
        self.down.remove(&id);
        if self.reading.is_some() {
            self.resumed.insert(id);
        }
    }

    /// Takes in which websites are down for long, once that is read; the first time it is waited for.
    async fn take_down(&mut self) {
        let is_first = !std::mem::replace(&mut self.was_read, true);
        let Some(reading) = self.reading.take_if(|reading| is_first || reading.is_finished()) else { return };
        let resumed = std::mem::take(&mut self.resumed);
        let down = match reading.await {
            Ok((down, took)) => {
                self.read_at = Instant::now() + (took * READ_SHARE).clamp(READ_EVERY, READ_AT_LEAST);
                down
            }
            Err(error) => {
                tracing::warn!(%error, "Reading which websites are down for long was broken off.");
                return;
            }
        };
        match down {
            Ok(down) => self.down = down.into_iter().filter(|(id, _)| !resumed.contains(id)).collect(),
            Err(error) => tracing::debug!(%error, "Which websites are down for long could not be read."),
        }
    }

    /// How many slots there are to one that is used: more than one of a website that has been down for long.
    /// `interval_ms` is what its host leaves of it, as for the verdict.
    fn factor(&self, website: &Watched, interval_ms: i64, slot_at: UtcMs) -> i64 {
        let Some(since_at) = self.down.get(&website.website_id) else { return 1 };
        backoff::factor(interval_ms, slot_at - since_at)
    }
}

impl Schedule {
    /// What is to be published in a second, in order. Seconds come one after another. What is left out is counted where
    /// the second is this hub's.
    pub(super) fn lay_out(&mut self, second: i64, is_ours: bool) -> Vec<Due> {
        let pace = &mut self.pace;
        let mut here = Vec::new();
        while let Some(entry) = pace.delayed.first_entry().filter(|entry| *entry.key() <= second) {
            let of = *entry.key();
            let delayed = entry.remove();
            if of == second {
                here = delayed;
            }
        }
        let mut left_out = 0;
        for due in self.plan.second(second) {
            let Some((website, region)) = self.plan.of(&due) else { continue };
            let interval_ms = i64::from(website.interval_ms);
            let share = match self.plan.crowded() {
                crowded if crowded.is_empty() => 1.0,
                crowded => crowded.get(&website.host).copied().unwrap_or(1.0),
            };
            let factor = match &pace.down {
                down if down.is_empty() => 1,
                _ => pace.factor(website, shares::every(share) * interval_ms, due.slot_at),
            };
            if !backoff::uses(website.website_id, region, interval_ms, due.slot_at, factor) {
                continue;
            }
            // Of the slots that are left: two rules that both count slots must not miss each other for ever.
            if !courtesy::is_used(website.website_id, region, factor * interval_ms, due.slot_at, share) {
                left_out += 1;
                continue;
            }
            let by = due.slot_at + slots::grace_ms(interval_ms);
            // What a region that is gone would do stands before nobody: it is not in the share, and hubs that started
            // since know nothing of it.
            let leaves_at = match self.plan.is_asking(region) {
                true => pace.planned.join(website.host, due.slot_at, by),
                false => Some(due.slot_at),
            };
            match leaves_at {
                None => left_out += 1,
                Some(publish_at) => {
                    let due = Due { publish_at, ..due };
                    match publish_at.div_euclid(1_000) {
                        later if later > second => pace.delayed.entry(later).or_default().push(due),
                        _ => here.push(due),
                    }
                }
            }
        }
        if is_ours {
            pace.leave_out(left_out);
        }
        pace.planned.forget(second * 1_000);
        here.sort_by_key(|due| due.publish_at);
        here
    }

    /// Once in a while: lines nobody stands in are forgotten, and which websites are down for long is read.
    pub(super) async fn keep_pace(&mut self, now: UtcMs) {
        self.pace.late.forget(now);
        self.pace.asked.forget(now);
        if self.pace.left_out.0 > 0 && Instant::now() >= self.pace.tell_at {
            self.pace.tell_at = Instant::now() + TELL_EVERY;
            let (slots, in_all) = self.pace.left_out;
            self.pace.left_out.0 = 0;
            let hosts = self.plan.crowded().len();
            tracing::warn!(
                slots,
                in_all,
                hosts,
                "Slots were left out: their hosts are asked for more than HOST_CHECKS_PER_S."
            );
        }
        self.shares.tell(self.plan.crowded(), now);
        if Instant::now() >= self.pace.read_at && self.pace.reading.is_none() {
            self.pace.read_at = Instant::now() + READ_EVERY;
            let store = self.store.clone();
            self.pace.reading = Some(tokio::spawn(async move {
                let begun = Instant::now();
                (store.long_down(now - backoff::AFTER_MS).await, begun.elapsed())
            }));
        }
        self.pace.take_down().await;
    }
}
