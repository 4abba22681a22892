//! What is known of regions beside an incident's evidence, read for its page.

use std::collections::BTreeMap;

use crate::clock;
use crate::http::login::{self, Caller};
use crate::http::{App, HttpError};
use crate::model::roll_up::RollUp;
use crate::model::uptime::DAY_MS;
use crate::model::{IncidentEvent, IncidentLine, Outcome, RegionId, RegionState, Span, UtcMs, WebsiteId, job};

/// Ticks of the time in which it began that are looked through for the first failing ones.
const TICKS: i64 = 300;
/// How long before it the usual is looked for.
const USUAL_MS: i64 = 7 * DAY_MS;

/// What is known of regions beside the evidence.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// What each saw last, while it goes on.
    pub latest: Vec<RegionState>,
    /// Slot of each one's first failing look.
    pub first: BTreeMap<RegionId, UtcMs>,
    /// What half of the answers took no longer than before it, in microseconds.
    pub usual_us: BTreeMap<RegionId, u32>,
}

/// Reads what is known beside the evidence.
///
/// # Errors
/// The database is away.
pub(super) fn find(app: &App, who: &Caller, line: &IncidentLine, events: &[IncidentEvent]) -> Result<Known, HttpError> {
    let (store, account, incident) = (&app.store, who.account.account_id, &line.incident);
    let Some(opening) = events.iter().find(|event| !event.evidence.is_empty()) else { return Ok(Known::default()) };
    let is_job = opening.evidence.iter().all(|seen| job::is_reporter(&seen.region_id, &seen.worker_id));
    let Some(id): Option<WebsiteId> = opening.website_id.or(line.first_website).filter(|_| !is_job) else {
        return Ok(Known::default());
    };
    let slots = incident.began_at..=incident.opened_at.max(incident.began_at);
    let ticks = app.wait(store.ticks_in_order(account, id, &slots, None, TICKS)).map_err(login::store)?;
    let mut first = BTreeMap::new();
    for stored in ticks.iter().filter(|stored| stored.tick.outcome == Outcome::Down) {
        first.entry(stored.region_id.clone()).or_insert(stored.tick.slot_at);
    }
    let before = Span { from_at: incident.began_at - USUAL_MS, to_at: incident.began_at };
    let usual = app.wait(store.latencies(account, id, &[before])).map_err(login::store)?;
    let usual = usual.unwrap_or_default().pop().map(|latency| latency.regions).unwrap_or_default();
    let half = |latency: &RollUp| latency.latency.quantile_us(500);
    let latest = match incident.closed_at {
        Some(_) => Vec::new(),
        None => {
            let row = app.wait(store.board_row(account, id, clock::now())).map_err(login::store)?;
            row.map(|row| row.regions).unwrap_or_default()
        }
    };
    Ok(Known {
        latest,
        first,
        usual_us: usual.into_iter().filter_map(|(region, latency)| Some((region, half(&latency)?))).collect(),
    })
}
