//! Checks on their way to the queue: collected per region, sent in batches, kept while the queue is away as long as
//! they are worth sending.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::model::{Check, CheckKind, RegionId, UtcMs, Website, slots};
use crate::queue::Queue;

/// Backpressure: from this many undone checks on a region gets no more (I7).
const WAITING: u64 = 5_000;
/// How often a region's backlog is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

pub(super) struct Publisher {
    queue: Queue,
    out: BTreeMap<RegionId, Vec<Check>>,
    full: BTreeMap<RegionId, bool>,
    look_at: Instant,
    retry_at: Instant,
    missed: u64,
}

impl Publisher {
    pub(super) fn new(queue: Queue) -> Self {
        let now = Instant::now();
        Self { queue, out: BTreeMap::new(), full: BTreeMap::new(), look_at: now, retry_at: now, missed: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    pub(super) async fn open(&self, region: &RegionId) {
        if let Err(error) = self.queue.ensure_region(region).await {
            tracing::warn!(%region, %error, "The stream of a region could not be made; it is tried again with its next sign of life.");
        }
    }

    pub(super) fn add(
        &mut self,
        website: &Arc<Website>,
        region: RegionId,
        slot_at: UtcMs,
        attempt: u16,
        kind: CheckKind,
    ) {
        let settings = &website.settings;
        let deadline_at = match kind {
            CheckKind::Scheduled | CheckKind::First | CheckKind::Manual => {
                slots::deadline_at(slot_at, settings.interval_ms)
            }
            // Asked for after the slot's own check took its time.
            CheckKind::Confirm => slots::deadline_at(slot_at, settings.interval_ms) + settings.timeout_ms + 5_000,
        };
        let check = Check {
            website_id: website.website_id,
            slot_at,
            attempt,
            kind,
            deadline_at,
            published_at: slot_at,
            target: settings.target(),
        };
        self.out.entry(region).or_default().push(check);
    }

    /// Sends what there is. What cannot be sent stays until its deadline.
    pub(super) async fn flush(&mut self, now: UtcMs) {
        if self.out.is_empty() || Instant::now() < self.retry_at {
            return;
        }
        if Instant::now() >= self.look_at {
            self.look_at = Instant::now() + LOOK_EVERY;
            for region in self.out.keys() {
                let waiting = self.queue.waiting(region).await.unwrap_or(0);
                self.full.insert(region.clone(), waiting >= WAITING);
            }
        }
        for (region, mut checks) in std::mem::take(&mut self.out) {
            let before = checks.len();
            checks.retain(|c| c.deadline_at > now);
            if self.full.get(&region).copied().unwrap_or(false) {
                checks.clear();
            }
            let lost = before - checks.len();
            if lost > 0 {
                self.missed += lost as u64;
                tracing::warn!(%region, checks = lost, missed = self.missed, "Slots were missed: the region does not keep up.");
            }
            if checks.is_empty() {
                continue;
            }
            checks.iter_mut().for_each(|c| c.published_at = now);
            probe::fail_point!("schedule.due");
            if let Err(error) = self.queue.publish(&region, &mut checks).await {
                tracing::warn!(%region, checks = checks.len(), %error, "Checks could not be published; trying again.");
                self.retry_at = Instant::now() + Duration::from_millis(250);
                self.out.insert(region, checks);
            } else {
                probe::fail_point!("schedule.published");
            }
        }
    }
}
