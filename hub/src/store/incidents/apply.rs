//! Changes of verdict, as incidents and alerts, in the transaction of the verdicts: a handful of statements, however many
//! websites change at once; and none for a batch in which nothing changes.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::{alerts, below, evidence, load, save};
use crate::model::{Change, IncidentId, UtcMs, WebsiteId, incident_change, incident_course};
use crate::new_id;
use crate::store::StoreError;
use crate::store::ingest::{Locked, Transaction};

/// Counts the changes in. The websites are locked by the transaction, and their verdicts written. Returns whether alerts
/// are due, which the caller lets be known after it has committed.
pub(in crate::store) async fn apply(
    tx: &mut Transaction,
    mut changes: Vec<Change>,
    locked: Locked,
    now: UtcMs,
) -> Result<bool, StoreError> {
    if changes.is_empty() {
        return Ok(false);
    }
    let ids: BTreeSet<Uuid> = changes.iter().map(|change| change.website_id.0).collect();
    let ids: Vec<Uuid> = ids.into_iter().collect();
    // A fleet that is looked at for the first time changes, and is in no incident.
    if !changes.iter().any(Change::opens) && !load::is_in_one(tx, &ids).await? {
        return Ok(false);
    }
    evidence::add_from_ticks(tx, &mut changes).await?;
    incident_change::sort(&mut changes);
    let accounts = changes.iter().map(|change| change.account_id).collect();
    let ours = load::lock_accounts(tx, &accounts, locked).await?;
    if locked == Locked::Leave {
        let of_others = changes.iter().filter(|change| !ours.contains(&change.account_id));
        let held: BTreeSet<WebsiteId> = of_others.map(|change| change.website_id).collect();
        if !held.is_empty() {
            return Err(StoreError::Held(held));
        }
    }
    let mut courses = load::courses(tx, &changes, &ids).await?;
    let failing: BTreeSet<WebsiteId> = changes.iter().filter(|c| c.opens()).map(|c| c.website_id).collect();
    let mutes = load::mutes(tx, &failing, now).await?;
    incident_course::count(&mut courses, &changes, &mutes, now, || IncidentId(new_id::ordered()));
    courses.retain(|course| course.is_changed || !course.events.is_empty());
    // An alert's key points at its incident, which comes first.
    save::save(tx, &courses, now).await?;
    let mut due = alerts::opened(tx, &courses, now).await?;
    due += alerts::nearer(tx, &courses, now).await?;
    due += alerts::resolved(tx, &courses, now).await?;
    below::mute(tx, &changes, now).await?;
    Ok(due > 0)
}
