//! What is open, as far as it concerns some websites.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::FromRow;
use uuid::Uuid;

use super::row::{INCIDENT, IncidentRow, PartRow};
use super::rows::read_rows;
use crate::model::{AccountId, Change, Course, IncidentWebsite, Mutes, Outcome, UtcMs, WebsiteId, What, flapping};
use crate::store::ingest::{Locked, Transaction};
use crate::store::{StoreError, mutes};

/// Of [`CourseRow`], where `i` is an incident.
const COURSE: &str = "i.websites, i.told_websites, i.told_at, i.step_ms, (select count(*) from incident_website w \
    where w.incident_id = i.incident_id and w.ended_at is null) as failing, (select max(w.ended_at) from incident_website w \
    where w.incident_id = i.incident_id) as left_at, coalesce((select min(w.began_at) from incident_website w where w.incident_id = i.incident_id), i.began_at) as first_at, \
    (select w.website_id from incident_website w where w.incident_id = i.incident_id order by w.began_at, w.website_id limit 1) \
    as first_website";

#[derive(Debug, FromRow)]
struct CourseRow {
    #[sqlx(flatten)]
    incident: IncidentRow,
    websites: i64,
    told_websites: i64,
    told_at: Option<i64>,
    step_ms: Option<i64>,
    failing: i64,
    left_at: Option<i64>,
    first_at: i64,
    /// None of an incident of the installation.
    first_website: Option<Uuid>,
}

impl From<CourseRow> for Course {
    fn from(row: CourseRow) -> Self {
        Self {
            incident: row.incident.into(),
            websites: row.websites,
            failing: row.failing,
            first: (row.first_at, WebsiteId(row.first_website.unwrap_or_default())),
            left_at: row.left_at,
            told_websites: row.told_websites,
            told_at: row.told_at,
            parts: BTreeMap::new(),
            touched: BTreeSet::new(),
            events: Vec::new(),
            is_changed: false,
            step_ms: row.step_ms,
            tells_opened: false,
            tells_nearer: false,
            tells_resolved: false,
        }
    }
}

#[derive(Debug, FromRow)]
struct OfRow {
    incident_id: Uuid,
    #[sqlx(flatten)]
    part: PartRow,
}

/// One transaction at a time changes an account's incidents, so that two of them can neither open the same one nor each
/// leave the end to the other. The weaker lock: whatever belongs to an account may be written meanwhile. Returns those that
/// are locked: all, unless others are left what they are at work on.
pub(super) async fn lock_accounts(
    tx: &mut Transaction,
    accounts: &BTreeSet<AccountId>,
    locked: Locked,
) -> Result<BTreeSet<AccountId>, StoreError> {
    match tx {
        Transaction::Postgres(tx) => {
            let sql = match locked {
                Locked::Wait => {
                    "select account_id from account where account_id = any($1) order by account_id for no key update"
                }
                Locked::Leave => {
                    "select account_id from account where account_id = any($1) order by account_id \
                     for no key update skip locked"
                }
            };
            let ids: Vec<Uuid> = accounts.iter().map(|id| id.0).collect();
            let locked: Vec<Uuid> = sqlx::query_scalar(sql).bind(ids).fetch_all(&mut **tx).await?;
            Ok(locked.into_iter().map(AccountId).collect())
        }
        Transaction::Sqlite(_) => Ok(accounts.clone()), // one writer
    }
}

/// Whether one of the websites fails in an open incident.
pub(super) async fn is_in_one(tx: &mut Transaction, ids: &[Uuid]) -> Result<bool, StoreError> {
    let found = read_rows!(
        tx,
        (Uuid,),
        ids,
        "select w.incident_id from incident_website w where w.website_id",
        "and w.ended_at is null limit 1"
    );
    Ok(!found.is_empty())
}

/// The open incidents that changes are about, with the parts of their websites.
pub(super) async fn courses(tx: &mut Transaction, changes: &[Change], ids: &[Uuid]) -> Result<Vec<Course>, StoreError> {
    let parts = read_rows!(
        tx,
        OfRow,
        ids,
        "select incident_id, w.website_id, w.url, w.began_at, w.ended_at \
        from incident_website w join incident i using (incident_id) where w.website_id",
        "and i.closed_at is null"
    );
    let mut keys: BTreeSet<(Uuid, &str, &str)> = BTreeSet::new();
    for change in changes {
        if let What::Fails { kind, cause, .. } = &change.what {
            keys.insert((change.account_id.0, kind.as_str(), &cause.key));
        }
    }
    let mut ids: BTreeSet<Uuid> = parts.iter().map(|row| row.incident_id).collect();
    ids.extend(with_keys(tx, keys).await?);
    let ids: Vec<Uuid> = ids.into_iter().collect();
    let mut courses = of_ids(tx, &ids).await?;
    add_parts(&mut courses, parts);
    Ok(courses)
}

/// Open incidents, in order of id, without parts.
pub(super) async fn of_ids(tx: &mut Transaction, ids: &[Uuid]) -> Result<Vec<Course>, StoreError> {
    let select = format!("select {INCIDENT}, {COURSE} from incident i where i.closed_at is null and i.incident_id");
    let rows = read_rows!(tx, CourseRow, ids, select, "");
    let mut courses: Vec<Course> = rows.into_iter().map(Course::from).collect();
    courses.sort_by_key(|c| c.incident.incident_id);
    Ok(courses)
}

async fn with_keys(tx: &mut Transaction, keys: BTreeSet<(Uuid, &str, &str)>) -> Result<Vec<Uuid>, StoreError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    match tx {
        Transaction::Postgres(tx) => {
            let accounts: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
            let kinds: Vec<&str> = keys.iter().map(|key| key.1).collect();
            let causes: Vec<&str> = keys.iter().map(|key| key.2).collect();
            let sql = "select i.incident_id from incident i join unnest($1, $2, $3) as k (account_id, kind, cause_key) \
                 on i.account_id = k.account_id and i.kind = k.kind and i.cause_key = k.cause_key \
                 where i.closed_at is null";
            Ok(sqlx::query_scalar(sql).bind(accounts).bind(kinds).bind(causes).fetch_all(&mut **tx).await?)
        }
        Transaction::Sqlite(tx) => {
            let mut found = Vec::new();
            for (account, kind, cause) in keys {
                let sql = "select incident_id from incident where account_id = $1 and kind = $2 and cause_key = $3 \
                     and closed_at is null";
                let one: Option<Uuid> =
                    sqlx::query_scalar(sql).bind(account).bind(kind).bind(cause).fetch_optional(&mut **tx).await?;
                found.extend(one);
            }
            Ok(found)
        }
    }
}

/// Who of these nobody is told of.
pub(super) async fn mutes(tx: &mut Transaction, ids: &BTreeSet<WebsiteId>, now: UtcMs) -> Result<Mutes, StoreError> {
    if ids.is_empty() {
        return Ok(Mutes::default());
    }
    let ids: Vec<WebsiteId> = ids.iter().copied().collect();
    let by = mutes::muted(tx, &ids, now).await?;
    let ids: Vec<Uuid> = ids.into_iter().map(|id| id.0).collect();
    let flapping = read_rows!(
        tx,
        FlappingRow,
        ids,
        "select website_id, verdict, since_at, interval_ms from website_state join website using (website_id) \
        where flapping_since_at is not null and website_id",
        ""
    );
    let flapping = flapping.into_iter().filter(|row| row.mutes(now)).map(|row| WebsiteId(row.website_id)).collect();
    Ok(Mutes { by, flapping })
}

#[derive(Debug, FromRow)]
struct FlappingRow {
    website_id: Uuid,
    verdict: String,
    since_at: i64,
    interval_ms: i64,
}

impl FlappingRow {
    fn mutes(&self, now: UtcMs) -> bool {
        // A word of a newer version is no outage that is known here.
        let verdict = self.verdict.parse().unwrap_or(Outcome::Unknown);
        flapping::mutes(verdict, self.since_at, self.interval_ms, now)
    }
}

/// Adds the parts of all websites that fail to incidents in order of id.
pub(super) async fn add_failing(tx: &mut Transaction, courses: &mut [Course]) -> Result<(), StoreError> {
    let ids: Vec<Uuid> = courses.iter().map(|c| c.incident.incident_id.0).collect();
    let parts = read_rows!(
        tx,
        OfRow,
        ids,
        "select w.incident_id, w.website_id, w.url, w.began_at, w.ended_at from incident_website w \
            where w.ended_at is null and w.incident_id",
        ""
    );
    add_parts(courses, parts);
    Ok(())
}

fn add_parts(courses: &mut [Course], parts: Vec<OfRow>) {
    for OfRow { incident_id, part } in parts {
        let part = IncidentWebsite::from(part);
        if let Ok(place) = courses.binary_search_by_key(&incident_id, |c| c.incident.incident_id.0)
            && let Some(course) = courses.get_mut(place)
        {
            course.parts.insert(part.website_id, part);
        }
    }
}
