//! What became of incidents, written.

use super::rows::write_rows;
use crate::model::{Course, IncidentEvent, IncidentId, IncidentWebsite, UtcMs};
use crate::new_id;
use crate::store::StoreError;
use crate::store::ingest::{Transaction, storable};

/// Lines of the timeline that one transaction can put in order within a millisecond.
const LINES_A_MS: i64 = 1_000_000;
/// Longest line; a note may be as long as a person may write.
const MOST_CHARS: usize = 2_400;

/// Incidents, parts and lines. Those that end come before those that begin: there is one open incident of a cause.
pub(super) async fn save(tx: &mut Transaction, courses: &[Course], now: UtcMs) -> Result<(), StoreError> {
    let mut changed: Vec<&Course> = courses.iter().filter(|c| c.is_changed).collect();
    changed.sort_by_key(|c| c.is_open());
    write_rows!(tx, changed, "incident", c {
        incident_id => c.incident.incident_id.0,
        account_id => c.incident.account_id.0,
        kind => c.incident.kind.as_str(),
        cause_key => storable(&c.incident.cause_key),
        cause => storable(&c.incident.cause),
        began_at => c.incident.began_at,
        opened_at => c.incident.opened_at,
        ended_at => c.incident.ended_at,
        closed_at => c.incident.closed_at,
        closed_as => c.incident.closed_as.map(|word| word.as_str()),
        muted_by => c.incident.muted_by.map(|word| word.as_str()),
        websites => c.websites,
        told_websites => c.told_websites,
        told_at => c.told_at,
        step_ms => c.step_ms,
    }, "on conflict (incident_id) do update set cause = excluded.cause, began_at = excluded.began_at, \
        ended_at = excluded.ended_at, closed_at = excluded.closed_at, closed_as = excluded.closed_as, \
        muted_by = excluded.muted_by, websites = excluded.websites, told_websites = excluded.told_websites, \
        told_at = excluded.told_at, step_ms = excluded.step_ms");
    let parts: Vec<(IncidentId, &IncidentWebsite)> = courses
        .iter()
        .flat_map(|c| c.touched.iter().filter_map(|id| Some((c.incident.incident_id, c.parts.get(id)?))))
        .collect();
    write_rows!(tx, parts, "incident_website", p {
        incident_id => p.0.0,
        website_id => p.1.website_id.0,
        url => p.1.url.as_str(),
        began_at => p.1.began_at,
        ended_at => p.1.ended_at,
    }, "on conflict (incident_id, website_id) do update set began_at = excluded.began_at, ended_at = excluded.ended_at");
    let of = |c: &'_ Course| c.incident.incident_id;
    let events: Vec<(IncidentId, &IncidentEvent)> =
        courses.iter().flat_map(|c| c.events.iter().map(move |event| (of(c), event))).collect();
    save_events(tx, &events, now).await
}

/// Lines of timelines, in order.
pub(super) async fn save_events(
    tx: &mut Transaction,
    events: &[(IncidentId, &IncidentEvent)],
    now: UtcMs,
) -> Result<(), StoreError> {
    let first = now.saturating_mul(LINES_A_MS);
    let rows: Vec<_> =
        (first..).zip(events).map(|(number, (id, event))| (number, *id, *event, new_id::ordered())).collect();
    write_rows!(tx, rows, "incident_event", e {
        event_id => e.3,
        incident_id => e.1.0,
        at => e.2.at,
        number => e.0,
        kind => e.2.kind.as_str(),
        website_id => e.2.website_id.map(|id| id.0),
        said => line(&e.2.said),
        said_by => e.2.said_by.as_deref().map(storable),
        evidence => (!e.2.evidence.is_empty()).then(|| serde_json::to_string(&e.2.evidence).unwrap_or_default()),
    }, "");
    Ok(())
}

/// Postgres cannot store NUL in a text.
fn line(said: &str) -> String {
    said.chars().filter(|c| *c != '\0').take(MOST_CHARS).collect()
}
