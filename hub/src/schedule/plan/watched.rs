//! What the schedule keeps of a website. There may be a million: what all have in common is shared.

use std::sync::Arc;

use probe::wire::Target;

use crate::model::courtesy::HostKey;
use crate::model::{Options, RegionId, UtcMs, Website, WebsiteId, slots};

/// A website as the schedule has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// Key.
    pub website_id: WebsiteId,
    url: Box<str>,
    options: Arc<Options>,
    regions: Box<[RegionId]>,
    /// Between two slots of one region; at least a second, at most a day.
    pub interval_ms: u32,
    /// Budget of one check.
    pub timeout_ms: u32,
    /// Where it is.
    pub host: HostKey,
    /// When it was added.
    pub created_at: UtcMs,
    /// Grows with every edit.
    pub revision: i64,
    pub(super) stamp: u32,
    pub(super) reading: u32,
}

impl Watched {
    pub(super) fn new(website: &Website, stamp: u32, reading: u32) -> Self {
        let settings = &website.settings;
        Self {
            website_id: website.website_id,
            url: settings.url.as_str().into(),
            options: settings.options.clone(),
            regions: settings.regions.as_slice().into(),
            interval_ms: u32::try_from(settings.interval_ms.clamp(1_000, 86_400_000)).unwrap_or(1_000),
            timeout_ms: u32::try_from(settings.timeout_ms).unwrap_or(10_000),
            host: HostKey::of(&settings.url),
            created_at: website.created_at,
            revision: website.revision,
            stamp,
            reading,
        }
    }

    /// Whether it is watched from `region`.
    #[must_use]
    pub fn watches_from(&self, region: &RegionId) -> bool {
        self.regions.is_empty() || self.regions.contains(region)
    }

    /// Checks per day and region, and how many regions were named; none means all there are.
    pub(super) fn demand(&self) -> (u32, u32) {
        (86_400_000 / self.interval_ms.max(1), u32::try_from(self.regions.len()).unwrap_or(0))
    }

    pub(super) fn phase_ms(&self, region: &RegionId) -> u32 {
        u32::try_from(slots::phase_ms(self.website_id, region, i64::from(self.interval_ms))).unwrap_or(0)
    }

    /// What a worker is told.
    #[must_use]
    pub fn target(&self) -> Target {
        Target {
            url: self.url.to_string(),
            timeout_ms: self.timeout_ms,
            request: self.options.request.clone(),
            expect: self.options.expect.clone(),
        }
    }
}
