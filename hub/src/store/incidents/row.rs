//! Rows of incidents, and what they become.

use sqlx::FromRow;
use uuid::Uuid;

use crate::model::{
    AccountId, Incident, IncidentEvent, IncidentEventKind, IncidentId, IncidentKind, IncidentLine, IncidentWebsite,
    WebsiteId,
};

pub(super) const INCIDENT: &str = "i.incident_id, i.account_id, i.kind, i.cause_key, i.cause, i.began_at, i.opened_at, \
    i.ended_at, i.closed_at, i.closed_as, i.acknowledged_at, i.acknowledged_by, i.muted_by";

/// Of [`LineRow`], where `i` is an incident. The website that failed first, if there is one, is looked up by key: for a join
/// all parts of all incidents may be read.
pub(super) const LINE: &str = "i.websites, (select count(*) from incident_website w where w.incident_id = i.incident_id \
    and w.ended_at is null) as failing, coalesce((select w.url from incident_website w where w.incident_id = i.incident_id \
    order by w.began_at, w.website_id limit 1), '') as first_url, (select w.website_id from incident_website w \
    where w.incident_id = i.incident_id order by w.began_at, w.website_id limit 1) as first_website";

#[derive(Debug, FromRow)]
pub(super) struct IncidentRow {
    incident_id: Uuid,
    account_id: Uuid,
    kind: String,
    cause_key: String,
    cause: String,
    began_at: i64,
    opened_at: i64,
    ended_at: Option<i64>,
    closed_at: Option<i64>,
    closed_as: Option<String>,
    acknowledged_at: Option<i64>,
    acknowledged_by: Option<String>,
    muted_by: Option<String>,
}

impl From<IncidentRow> for Incident {
    /// A word of a newer version costs no more than itself: the nearest that is known here stands for it.
    fn from(row: IncidentRow) -> Self {
        Self {
            incident_id: IncidentId(row.incident_id),
            account_id: AccountId(row.account_id),
            kind: row.kind.parse().unwrap_or(IncidentKind::Outage),
            cause_key: row.cause_key,
            cause: row.cause,
            began_at: row.began_at,
            opened_at: row.opened_at,
            ended_at: row.ended_at,
            closed_at: row.closed_at,
            closed_as: row.closed_as.and_then(|word| word.parse().ok()),
            acknowledged_at: row.acknowledged_at,
            acknowledged_by: row.acknowledged_by,
            muted_by: row.muted_by.map(|word| word.parse().unwrap_or(crate::model::MutedBy::Maintenance)),
        }
    }
}

#[derive(Debug, FromRow)]
pub(super) struct LineRow {
    #[sqlx(flatten)]
    incident: IncidentRow,
    websites: i64,
    failing: i64,
    first_url: String,
    first_website: Option<Uuid>,
}

impl From<LineRow> for IncidentLine {
    fn from(row: LineRow) -> Self {
        Self {
            incident: row.incident.into(),
            websites: row.websites,
            failing: row.failing,
            first_url: row.first_url,
            first_website: row.first_website.map(WebsiteId),
        }
    }
}

#[derive(Debug, FromRow)]
pub(super) struct PartRow {
    website_id: Uuid,
    url: String,
    began_at: i64,
    ended_at: Option<i64>,
}

impl From<PartRow> for IncidentWebsite {
    fn from(row: PartRow) -> Self {
        let website_id = WebsiteId(row.website_id);
        Self { website_id, url: row.url, began_at: row.began_at, ended_at: row.ended_at }
    }
}

#[derive(Debug, FromRow)]
pub(super) struct EventRow {
    at: i64,
    kind: String,
    website_id: Option<Uuid>,
    said: String,
    said_by: Option<String>,
    evidence: Option<String>,
}

impl From<EventRow> for IncidentEvent {
    fn from(row: EventRow) -> Self {
        Self {
            at: row.at,
            kind: row.kind.parse().unwrap_or(IncidentEventKind::Changed),
            website_id: row.website_id.map(WebsiteId),
            said: row.said,
            said_by: row.said_by,
            // What a newer version saw more of is left out, not the line.
            evidence: row.evidence.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default(),
        }
    }
}
