//! Windows as they are stored, and what they become.

use sqlx::FromRow;
use uuid::Uuid;

use crate::model::{
    AccountId, Maintenance, MaintenanceId, MaintenancePlan, PastMaintenance, Rule, Scope, Span, WebsiteId,
};
use crate::store::StoreError;
use crate::store::row::parse;

pub(in crate::store) const MAINTENANCE: &str = "maintenance_id, account_id, name, scope, tag, website_id, time_zone, starts, \
    repeats, duration_ms, created_at, since_at, skip_before_at, revision";

#[derive(Debug, FromRow)]
pub(in crate::store) struct MaintenanceRow {
    maintenance_id: Uuid,
    account_id: Uuid,
    name: String,
    scope: String,
    tag: Option<String>,
    website_id: Option<Uuid>,
    time_zone: String,
    starts: String,
    repeats: String,
    duration_ms: i64,
    created_at: i64,
    pub(in crate::store) since_at: i64,
    skip_before_at: i64,
    pub(in crate::store) revision: i64,
}

impl TryFrom<MaintenanceRow> for Maintenance {
    type Error = StoreError;

    fn try_from(row: MaintenanceRow) -> Result<Self, StoreError> {
        let (starts, repeats) = (parse(&row.starts)?, parse(&row.repeats)?);
        let duration_ms = row.duration_ms.clamp(Rule::LEAST_MS, Rule::MOST_MS);
        let rule = Rule::new(&row.time_zone, starts, repeats, duration_ms);
        let rule = rule.ok_or_else(|| StoreError::Corrupt(format!("no time zone is named {}", row.time_zone)))?;
        Ok(Self {
            maintenance_id: MaintenanceId(row.maintenance_id),
            account_id: AccountId(row.account_id),
            plan: MaintenancePlan { name: row.name, scope: scope_of(&row.scope, row.tag, row.website_id)?, rule },
            created_at: row.created_at,
            since_at: row.since_at,
            skip_before_at: row.skip_before_at,
            revision: row.revision,
        })
    }
}

/// Those that are understood. One that is not (a newer version knows a zone that this one does not) counts as not there,
/// and its owner is told of outages rather than not.
pub(in crate::store) fn understood(rows: Vec<MaintenanceRow>) -> Vec<Maintenance> {
    let one = |row: MaintenanceRow| {
        let id = row.maintenance_id;
        Maintenance::try_from(row)
            .inspect_err(|error| tracing::warn!(maintenance.id = %id, %error, "A maintenance window is left out."))
            .ok()
    };
    rows.into_iter().filter_map(one).collect()
}

fn scope_of(scope: &str, tag: Option<String>, website: Option<Uuid>) -> Result<Scope, StoreError> {
    match (scope, tag, website) {
        ("all", _, _) => Ok(Scope::All),
        ("tag", Some(tag), _) => Ok(Scope::Tag(parse(&tag)?)),
        ("website", _, Some(id)) => Ok(Scope::Website(WebsiteId(id))),
        (other, _, _) => Err(StoreError::Corrupt(format!("{other} is no scope"))),
    }
}

/// A scope as three columns.
pub(in crate::store) fn columns(scope: &Scope) -> (&'static str, Option<&str>, Option<Uuid>) {
    match scope {
        Scope::All => ("all", None, None),
        Scope::Tag(tag) => ("tag", Some(tag.as_str()), None),
        Scope::Website(id) => ("website", None, Some(id.0)),
    }
}

#[derive(Debug, FromRow)]
pub(super) struct PastRow {
    maintenance_id: Uuid,
    name: String,
    scope: String,
    tag: Option<String>,
    website_id: Option<Uuid>,
    began_at: i64,
    ended_at: i64,
}

/// The same, and whose it is.
#[derive(Debug, FromRow)]
pub(super) struct PastOfRow {
    pub(super) account_id: Uuid,
    #[sqlx(flatten)]
    pub(super) past: PastRow,
}

impl PastRow {
    /// As of rules that are not understood ([`understood`]): one account's row must not end what is counted for all.
    pub(super) fn understood(self) -> Option<PastMaintenance> {
        let id = self.maintenance_id;
        PastMaintenance::try_from(self)
            .inspect_err(|error| tracing::warn!(maintenance.id = %id, %error, "A past window is left out."))
            .ok()
    }
}

impl TryFrom<PastRow> for PastMaintenance {
    type Error = StoreError;

    fn try_from(row: PastRow) -> Result<Self, StoreError> {
        Ok(Self {
            maintenance_id: MaintenanceId(row.maintenance_id),
            name: row.name,
            scope: scope_of(&row.scope, row.tag, row.website_id)?,
            span: Span { from_at: row.began_at, to_at: row.ended_at },
        })
    }
}

/// Wall time as one column.
pub(in crate::store) fn starts(rule: &Rule) -> String {
    rule.starts.strftime("%Y-%m-%dT%H:%M").to_string()
}
