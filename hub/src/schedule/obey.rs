//! What the rest of the hub asks of the scheduler, done at once.

use super::asked::Asked;
use super::changes::LOOKS_AT_ONCE;
use super::handle::Command;
use super::{Schedule, is_understood};
use crate::model::{CheckKind, Confirm, RegionId, UtcMs, WebsiteId};

impl Schedule {
    pub(super) async fn obey(&mut self, command: Command, now: UtcMs) {
        match command {
            // Where hubs share a database the change is in the table they all follow.
            Command::Changed(_) if self.store.is_shared() => {
                if let Err(error) = self.catch_up(now).await {
                    tracing::warn!(%error, "A change could not be read; trying again.");
                }
            }
            Command::Changed(id) => self.changed(id, now).await,
            Command::CheckNow(id, kind) => {
                self.check_all(id, kind, now);
            }
            Command::Confirm(confirm) => self.confirm(confirm, now),
            Command::RegionAlive(region, at) => self.region_alive(&region, at, now).await,
        }
        self.flush().await;
    }

    /// Reads a website's row again: added, edited, paused, resumed or deleted.
    pub(super) async fn changed(&mut self, id: WebsiteId, now: UtcMs) {
        match self.store.scheduled_website(id).await {
            Ok(Some(website)) if is_understood(&website) => {
                let is_news = self.plan.website(id).is_none_or(|w| w.revision < website.revision);
                self.plan.put(&website);
                if is_news {
                    self.look_first(id, now);
                }
            }
            Ok(Some(_) | None) => {
                self.plan.remove(id);
                self.unlooked.remove(&id);
            }
            Err(error) => {
                tracing::warn!(website.id = %id, %error, "A change could not be read; trying again.");
                self.unread.insert(id);
            }
        }
    }

    /// The look at once, from every region that lives; without any it waits for the first one.
    pub(super) fn look_first(&mut self, id: WebsiteId, now: UtcMs) {
        if self.check_all(id, CheckKind::First, now) == 0 && self.plan.website(id).is_some() {
            self.unlooked.insert(id);
        }
    }

    /// Returns how many regions were asked.
    fn check_all(&mut self, id: WebsiteId, kind: CheckKind, now: UtcMs) -> usize {
        let Some(website) = self.plan.website(id) else { return 0 };
        let mut regions = self.plan.live_regions(now);
        regions.retain(|region| website.watches_from(region));
        let asked = regions.len();
        for region in regions {
            self.ask(Asked { website_id: id, region, slot_at: now, attempt: 0, kind }, now, now);
        }
        asked
    }

    pub(super) async fn region_alive(&mut self, region: &RegionId, at: UtcMs, now: UtcMs) {
        let was_live = self.plan.is_live(region, now);
        let is_new = self.plan.region_alive(region, at);
        if is_new || !was_live {
            tracing::info!(%region, "A region reports.");
        }
        // With every sign of life: a Redis that lost its data lost the group too, and a worker waits for it.
        self.publisher.open(region).await;
        let plan = &self.plan;
        let waits = |id: &WebsiteId| plan.website(*id).is_none_or(|w| w.watches_from(region));
        // Of an import the rest comes with the next signs of life, or with its slots.
        let most = usize::try_from(LOOKS_AT_ONCE).unwrap_or(usize::MAX);
        let ready: Vec<WebsiteId> = self.unlooked.extract_if(waits).take(most).collect();
        for id in ready {
            self.look_first(id, now);
        }
    }

    fn confirm(&mut self, confirm: Confirm, now: UtcMs) {
        let Confirm { website_id, slot_at, attempt, .. } = confirm;
        // Of a website that is down for long only a good look is looked at again.
        self.pace.resume(website_id);
        for region in confirm.regions {
            let asked = Asked { website_id, region, slot_at, attempt, kind: CheckKind::Confirm };
            self.ask(asked, now + confirm.delay_ms, now);
        }
    }
}
