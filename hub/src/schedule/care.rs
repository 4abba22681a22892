//! What is looked after beside the slots, a little each second.

use std::time::Duration;

use tokio::time::Instant;

use super::{MADE_GOOD_MS, Schedule};
use crate::model::{UtcMs, courtesy};
use crate::store::StoreError;

/// How often what was missed is looked after.
const CARE_EVERY: Duration = Duration::from_secs(1);
/// How often regions that reported to other hubs are read.
pub(super) const REGIONS_EVERY: Duration = Duration::from_secs(5);
/// Between two log lines about missed slots.
const TELL_MISSED_EVERY: Duration = Duration::from_secs(10);
/// How often what is of no use any more is deleted.
const CLEAN_EVERY: Duration = Duration::from_secs(60);

impl Schedule {
    /// Makes good what went wrong before: changes that could not be read, messages that were lost, regions that report
    /// to other hubs.
    pub(super) async fn care(&mut self, now: UtcMs) {
        self.follow(now).await;
        if self.reading.is_some()
            && let Err(error) = self.read_page().await
        {
            tracing::warn!(%error, "The websites could not be read again; trying again.");
        }
        if Instant::now() < self.care_at {
            return;
        }
        self.care_at = Instant::now() + CARE_EVERY;
        self.tell_missed();
        self.keep_pace(now).await;
        if self.is_stale && self.reading.is_none() {
            // Page by page, a page a turn: slots come meanwhile.
            (self.is_stale, self.reading) = (false, Some(None));
        }
        for id in std::mem::take(&mut self.unread) {
            self.changed(id, now).await;
        }
        if !self.untaken.is_empty() && !self.publisher.is_away() {
            let untaken = std::mem::take(&mut self.untaken);
            if let Err(error) = self.take_first_looks(&untaken, now).await {
                tracing::debug!(%error, "First looks could not be taken on; trying again.");
                self.untaken = untaken;
            }
        }
        if self.owes_looks && !self.is_stale && self.reading.is_none() && !self.publisher.is_away() {
            self.owes_looks = self.take_some_looks(now).await.unwrap_or(true);
        }
        // Of use for the first moments after a start only.
        self.done_before.retain(|_, at| *at > now - MADE_GOOD_MS);
        if Instant::now() >= self.regions_at {
            self.regions_at = Instant::now() + REGIONS_EVERY;
            self.read_regions(now).await;
        }
        if self.store.is_shared() && self.cleaned_at.elapsed() > CLEAN_EVERY {
            self.cleaned_at = Instant::now();
            if let Err(error) = self.clean().await {
                tracing::debug!(%error, "Claims and changes that are of no use could not be dropped.");
            }
        }
    }

    /// A slot that nobody publishes is a gap in the figures that somebody may wonder about.
    fn tell_missed(&mut self) {
        let untold = self.missed - self.told_missed;
        if untold > 0 && Instant::now() >= self.tell_missed_at {
            self.tell_missed_at = Instant::now() + TELL_MISSED_EVERY;
            self.told_missed = self.missed;
            tracing::warn!(
                slots = untold,
                missed = self.missed,
                "Slots were missed: they were too old when they could be published."
            );
        }
    }

    async fn clean(&self) -> Result<(), StoreError> {
        self.store.drop_old_claims().await?;
        self.store.drop_old_changes().await?;
        self.store.drop_future_claims(&self.claims.hub_id, i64::MAX).await
    }

    async fn read_regions(&mut self, now: UtcMs) {
        match self.store.regions().await {
            Ok(regions) => {
                self.plan.regions_asking(courtesy::regions_asking(&regions, now));
                for region in regions {
                    let seen_at = region.seen_at(now);
                    if now - seen_at < crate::model::Worker::SILENT_AFTER_MS {
                        self.region_alive(&region.region_id, seen_at, now).await;
                    }
                }
            }
            Err(error) => tracing::debug!(%error, "The regions could not be read."),
        }
    }
}
