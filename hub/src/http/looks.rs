//! "Check now", for page and API alike: asking for it, and what has come of it in each region.

use super::{App, HttpError, login};
use crate::clock;
use crate::model::look::{Looked, answers, looked};
use crate::model::uptime::DAY_MS;
use crate::model::{AccountId, RegionId, StoredTick, UtcMs, Website, WebsiteId, WebsiteKind, job};

/// Ticks since then that are looked through.
const TICKS: i64 = 1_000;
/// A slot may be so far ahead of this hub's clock: another's is not the same to the second.
const AHEAD_MS: i64 = 60_000;
/// Regions that are told of.
const REGIONS: usize = 100;

/// What came of it.
#[derive(Debug)]
pub(super) struct Looks {
    /// When it was asked for.
    pub(super) asked_at: UtcMs,
    /// By name.
    pub(super) regions: Vec<RegionLook>,
}

/// In one region.
#[derive(Debug)]
pub(super) struct RegionLook {
    pub(super) region: RegionId,
    pub(super) looked: Looked,
    /// What it saw.
    pub(super) tick: Option<StoredTick>,
    /// When a worker of it was last heard of; 0: never.
    pub(super) seen_at: UtcMs,
}

impl Looks {
    /// No region is waited for any more.
    pub(super) fn is_done(&self) -> bool {
        self.regions.iter().all(|region| region.looked != Looked::Waiting)
    }
}

/// A website of the account's at which one can look now.
///
/// # Errors
/// Not theirs, a job, or its settings are not understood here.
pub(super) fn website(app: &App, account: AccountId, id: WebsiteId) -> Result<Website, HttpError> {
    let found = app.wait(app.store.website(account, id)).map_err(login::store)?;
    let website = found.ok_or(HttpError::NotFound)?;
    if website.kind == WebsiteKind::Job {
        return Err(HttpError::Conflict("A job reports itself; nobody can look at it.".to_owned()));
    }
    if website.is_unreadable {
        return Err(HttpError::Conflict(super::pages::UNREADABLE.to_owned()));
    }
    Ok(website)
}

/// Has all regions of a website look at it now; when that was asked for.
///
/// # Errors
/// It was asked for a moment ago.
pub(super) fn ask(app: &App, id: WebsiteId) -> Result<UtcMs, HttpError> {
    let now = clock::now();
    app.scheduler.check_now(id, now).map_err(|before| HttpError::TooMany {
        retry_after_s: u32::try_from(before.left_ms.div_euclid(1_000) + 1).unwrap_or(10),
    })?;
    Ok(now)
}

/// The same for a person, to whom a look that was asked for a moment ago is shown as well: when that was, and whether it is
/// a new one.
pub(super) fn ask_or_join(app: &App, id: WebsiteId) -> (UtcMs, bool) {
    let now = clock::now();
    match app.scheduler.check_now(id, now) {
        Ok(()) => (now, true),
        Err(before) => (before.asked_at, false),
    }
}

/// What has come of it by `now`.
///
/// # Errors
/// The database is away.
pub(super) fn find(app: &App, website: &Website, asked_at: UtcMs, now: UtcMs) -> Result<Looks, HttpError> {
    let store = &app.store;
    // Not to the end of time: of days to come there may be many, and nothing is in them.
    let slots = asked_at..=now.saturating_add(AHEAD_MS);
    let ticks = store.ticks_in_order(website.account_id, website.website_id, &slots, None, TICKS);
    let mut ticks = answers(app.wait(ticks).map_err(login::store)?);
    let known = app.wait(store.regions()).map_err(login::store)?;
    let seen_at =
        |id: &RegionId| known.iter().find(|region| region.region_id == *id).map_or(0, |region| region.seen_at(now));
    let mut named: Vec<RegionId> = website.settings.regions.clone();
    if named.is_empty() {
        // All there are; one that has been gone for a day is not missed.
        let there = known.iter().filter(|region| now.saturating_sub(region.seen_at(now)) < DAY_MS);
        named = there.map(|region| region.region_id.clone()).filter(|id| !job::is_reserved(id)).collect();
    }
    named.sort();
    named.truncate(REGIONS);
    let regions = named.into_iter().map(|region| {
        let (tick, seen_at) = (ticks.remove(&region), seen_at(&region));
        let looked = looked(asked_at, website.settings.timeout_ms, tick.is_some(), seen_at, now);
        RegionLook { region, looked, tick, seen_at }
    });
    Ok(Looks { asked_at, regions: regions.collect() })
}
