//! Websites that were seen to be down just before what they depend on was: the looks at it come a little later. What was
//! told stays told, with its end; what was not yet is not told any more.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::rows::read_rows;
use super::{alerts, load, save};
use crate::model::{Change, IncidentKind, MutedBy, UtcMs, WebsiteId, What, incident_words as words};
use crate::store::ingest::Transaction;
use crate::store::{StoreError, mutes};

/// However seldom the parent is looked at: who was told so long ago is at work on it.
const WITHIN_MOST_MS: i64 = 15 * 60_000;

/// Mutes incidents that began within a look of their parents', which begin with these changes. The accounts are locked, and
/// verdicts and incidents of the changes written.
pub(super) async fn mute(tx: &mut Transaction, changes: &[Change], now: UtcMs) -> Result<(), StoreError> {
    let is_outage = |change: &&Change| match &change.what {
        What::Fails { kind, .. } => *kind == IncidentKind::Outage,
        What::Unclear { .. } | What::Well { .. } | What::Noted { .. } | What::Gone(_) => false,
    };
    let down: BTreeSet<Uuid> = changes.iter().filter(is_outage).map(|change| change.website_id.0).collect();
    let parents = read_rows!(
        tx,
        (Uuid,),
        down,
        "select distinct account_id from website where parent_id is not null and parent_id",
        ""
    );
    let accounts: BTreeSet<Uuid> = parents.into_iter().map(|(account,)| account).collect();
    // Those of very many websites are of a host or a network of their own, and are not read here.
    let recent = read_rows!(
        tx,
        (Uuid,),
        accounts,
        "select incident_id from incident where closed_at is null and muted_by is null and kind = 'outage' \
        and websites <= 1000 and opened_at >= $2 and account_id",
        "order by opened_at desc limit 100",
        now.saturating_sub(WITHIN_MOST_MS)
    );
    let ids: Vec<Uuid> = recent.into_iter().map(|(id,)| id).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let mut courses = load::of_ids(tx, &ids).await?;
    load::add_failing(tx, &mut courses).await?;
    let failing: BTreeSet<WebsiteId> = courses.iter().flat_map(|c| c.parts.keys().copied()).collect();
    let mutes = load::mutes(tx, &failing, now).await?;
    let failing: Vec<WebsiteId> = failing.into_iter().collect();
    let above = mutes::down_above(tx, &failing).await?;
    courses.retain_mut(|course| {
        let is_below = course.parts.keys().all(|id| mutes.by.get(id) == Some(&MutedBy::Parent));
        let Some(down) = course.parts.keys().next().and_then(|id| above.get(id)).filter(|_| is_below) else {
            return false;
        };
        if now.saturating_sub(course.incident.opened_at) > down.unseen_ms {
            return false;
        }
        course.mute_late(&words::down_as_well(&down.url, down.since_at), now);
        true
    });
    if courses.is_empty() {
        return Ok(());
    }
    save::save(tx, &courses, now).await?;
    alerts::withdraw(tx, &courses, now).await
}
