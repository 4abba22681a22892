//! What only time brings to incidents: mutes that end, growth that is told, websites that went without a word.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::FromRow;
use uuid::Uuid;

use super::rows::read_rows;
use super::{alerts, load, save};
use crate::model::{AccountId, Change, ClosedAs, Course, IncidentKind, UtcMs, WebsiteId, What};
use crate::store::ingest::{Locked, Transaction};
use crate::store::{Store, StoreError, read};

/// People hear at most so often that an incident has grown.
const GROWTH_EVERY_MS: i64 = 60_000;
/// Longest wait for websites whose parent is well again.
const SETTLE_MOST_MS: i64 = 15 * 60_000;
/// How often somebody comes to look.
const LOOK_EVERY_MS: i64 = 5_000;
/// A muted incident is read whole, with what mutes each of its websites; of very many websites it is read so much less often
/// that as many are read at a look, on average. 100,000 are looked at every minute.
const READ_A_LOOK: i64 = 10_000;
/// Incidents looked at in one transaction: its locks are held for milliseconds.
const AT_ONCE: i64 = 100;

/// What a look at the incidents has brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reviewed {
    /// Incidents that people are told of now: nothing mutes them any more.
    pub unmuted: usize,
    /// Incidents of which people are told that they have grown.
    pub grown: usize,
    /// Parts of websites that ended without a word.
    pub mended: usize,
}

impl Store {
    /// Tells of incidents whose mutes are over, and of those that have grown since people were told. Any number of hubs
    /// may look at once: what one is at work on the others leave alone.
    ///
    /// # Errors
    /// The database is away.
    pub async fn review_incidents(&self, now: UtcMs) -> Result<Reviewed, StoreError> {
        let grown_before = now.saturating_sub(GROWTH_EVERY_MS);
        let (mut reviewed, mut after) = (Reviewed::default(), Some(Uuid::nil()));
        while let Some(from) = after {
            // Each answer by itself: a look at a hundred thousand takes longer than one transaction may.
            let found = self.found_after(from, grown_before, now).await?;
            after = found.last().map(|(id, _)| *id).filter(|_| found.len() >= AT_ONCE as usize);
            if !found.is_empty() {
                self.answered(self.review_some(&found, grown_before, now, &mut reviewed)).await?;
            }
        }
        Ok(reviewed)
    }

    async fn found_after(&self, from: Uuid, grown_before: UtcMs, now: UtcMs) -> Result<Vec<(Uuid, Uuid)>, StoreError> {
        let look = now.div_euclid(LOOK_EVERY_MS);
        // Where nothing is muted and nothing has grown, it is one look at two empty indexes.
        Ok(read!(self, pool => sqlx::query_as(
            "select incident_id, account_id from (select incident_id, account_id from incident \
             where closed_at is null and muted_by is not null and incident_id > $1 \
             and $4 % (1 + websites / $5) = 0 order by incident_id limit $3) m \
             union all select incident_id, account_id from (select incident_id, account_id from incident \
             where closed_at is null and muted_by is null and websites > told_websites \
             and coalesce(told_at, 0) <= $2 and incident_id > $1 order by incident_id limit $3) g \
             order by incident_id limit $3")
            .bind(from).bind(grown_before).bind(AT_ONCE).bind(look).bind(READ_A_LOOK).fetch_all(pool).await?))
    }

    async fn review_some(
        &self,
        found: &[(Uuid, Uuid)],
        grown_before: UtcMs,
        now: UtcMs,
        reviewed: &mut Reviewed,
    ) -> Result<(), StoreError> {
        let mut tx = Transaction::begin(&self.pool).await?;
        let free = free_accounts(&mut tx, found).await?;
        let ids: Vec<Uuid> = found.iter().filter(|(_, account)| free.contains(account)).map(|(id, _)| *id).collect();
        let mut courses = load::of_ids(&mut tx, &ids).await?;
        // Somebody may have been faster.
        let mut grown: Vec<Course> = courses
            .extract_if(.., |c| c.incident.muted_by.is_none())
            .filter(|c| c.websites > c.told_websites && c.told_at.is_none_or(|at| at <= grown_before))
            .collect();
        let (unmuted, mut due) = unmute(&mut tx, courses, now).await?;
        due += alerts::updated(&mut tx, &grown, now).await?;
        grown.iter_mut().for_each(|course| course.told(now));
        save::save(&mut tx, &grown, now).await?;
        tx.commit().await?;
        reviewed.unmuted += unmuted;
        reviewed.grown += grown.len();
        if due > 0 {
            self.ring();
        }
        Ok(())
    }

    /// Ends the parts of websites that are gone, paused or well in the way they failed, without their incidents knowing: a
    /// hub of a version that knows of no incidents has seen to them.
    ///
    /// # Errors
    /// The database is away.
    pub async fn mend_incidents(&self, now: UtcMs) -> Result<Reviewed, StoreError> {
        let mut mended = 0;
        let found = self.left_behind().await?;
        for left in found {
            let Some(change) = left.change(now) else { continue };
            mended += usize::from(self.answered(self.mend(change, now)).await?);
        }
        Ok(Reviewed { mended, ..Reviewed::default() })
    }

    async fn left_behind(&self) -> Result<Vec<LeftRow>, StoreError> {
        Ok(read!(self, pool => sqlx::query_as(
            "select i.account_id, i.kind, w.website_id, w.url, s.paused, st.since_at, st.verdict from incident i \
             join incident_website w on w.incident_id = i.incident_id and w.ended_at is null \
             left join website s on s.website_id = w.website_id \
             left join website_state st on st.website_id = w.website_id \
             where i.closed_at is null and (s.website_id is null or s.paused \
             or (i.kind = 'outage' and st.verdict in ('up', 'degraded')) \
             or (i.kind = 'regional' and st.failing_regions = '') \
             or (i.kind = 'flapping' and st.flapping_since_at is null) \
             or (i.kind = 'certificate' and st.certificate_near = '')) limit $1")
            .bind(AT_ONCE).fetch_all(pool).await?))
    }

    /// Returns whether it was as it was found.
    async fn mend(&self, change: Change, now: UtcMs) -> Result<bool, StoreError> {
        let mut tx = Transaction::begin(&self.pool).await?;
        let is_so = is_so(&mut tx, change.website_id.0, &change.what).await?;
        let due = is_so && super::apply(&mut tx, vec![change], Locked::Wait, now).await?;
        tx.commit().await?;
        if due {
            self.ring();
        }
        Ok(is_so)
    }
}

/// A part that should have ended.
#[derive(Debug, FromRow)]
struct LeftRow {
    account_id: Uuid,
    kind: String,
    website_id: Uuid,
    url: String,
    /// `None`: it is gone.
    paused: Option<bool>,
    since_at: Option<i64>,
    verdict: Option<String>,
}

impl LeftRow {
    /// `None`: a newer version wrote what it is.
    fn change(self, now: UtcMs) -> Option<Change> {
        let (id, account) = (WebsiteId(self.website_id), AccountId(self.account_id));
        let kind: IncidentKind = self.kind.parse().ok()?;
        let since_at = self.since_at.unwrap_or(now);
        Some(match self.paused {
            None => Change::gone(id, account, &self.url, ClosedAs::Deleted, now),
            Some(true) => Change::gone(id, account, &self.url, ClosedAs::Paused, since_at),
            Some(false) => {
                let verdict = self.verdict?.parse().ok()?;
                // Of an outage it is known since when; of the others only that nothing else will tell their ends.
                let at = if kind == IncidentKind::Outage { since_at } else { now };
                let what = What::Well { kind, verdict, reason: String::new() };
                Change { what, ..Change::gone(id, account, &self.url, ClosedAs::Recovered, at) }
            }
        })
    }
}

/// Those of the accounts whose incidents nobody is at work on; nobody is until the end of the transaction.
pub(in crate::store) async fn free_accounts(
    tx: &mut Transaction,
    found: &[(Uuid, Uuid)],
) -> Result<BTreeSet<Uuid>, StoreError> {
    let accounts: BTreeSet<Uuid> = found.iter().map(|(_, account)| *account).collect();
    match tx {
        Transaction::Postgres(tx) => {
            let accounts: Vec<Uuid> = accounts.into_iter().collect();
            let sql = "select account_id from account where account_id = any($1) order by account_id \
                 for no key update skip locked";
            let free: Vec<Uuid> = sqlx::query_scalar(sql).bind(accounts).fetch_all(&mut **tx).await?;
            Ok(free.into_iter().collect())
        }
        Transaction::Sqlite(_) => Ok(accounts), // one writer
    }
}

/// Tells of incidents that nothing mutes any more; says of the others what does.
async fn unmute(tx: &mut Transaction, mut courses: Vec<Course>, now: UtcMs) -> Result<(usize, usize), StoreError> {
    load::add_failing(tx, &mut courses).await?;
    let failing: BTreeSet<WebsiteId> = courses.iter().flat_map(|c| c.parts.keys().copied()).collect();
    let mutes = load::mutes(tx, &failing, now).await?;
    let settle_ms = settle_ms(tx, &failing).await?;
    for course in &mut courses {
        let longest = course.parts.keys().filter_map(|id| settle_ms.get(id)).max();
        course.heed(&mutes, longest.copied().unwrap_or_default(), now);
    }
    courses.retain(|course| course.is_changed);
    save::save(tx, &courses, now).await?;
    let due = alerts::opened(tx, &courses, now).await?;
    let is_told = |course: &&Course| course.tells_opened;
    Ok((courses.iter().filter(is_told).count(), due))
}

/// After what they depend on is well again, websites are given the time in which they are looked at, once or twice.
async fn settle_ms(tx: &mut Transaction, ids: &BTreeSet<WebsiteId>) -> Result<BTreeMap<WebsiteId, i64>, StoreError> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows = read_rows!(
        tx,
        (Uuid, i64, i64),
        ids,
        "select website_id, interval_ms, timeout_ms from website \
        where website_id",
        ""
    );
    let settle = |interval_ms: i64, timeout_ms: i64| interval_ms.saturating_mul(2).saturating_add(timeout_ms);
    Ok(rows.into_iter().map(|(id, i, t)| (WebsiteId(id), settle(i, t).min(SETTLE_MOST_MS))).collect())
}

/// Whether it is as it was found, under the lock with which verdicts are written.
async fn is_so(tx: &mut Transaction, website: Uuid, what: &What) -> Result<bool, StoreError> {
    const SELECT: &str = "select paused, verdict, failing_regions, flapping_since_at, certificate_near from website \
        join website_state using (website_id) where website_id = $1";
    let row: Option<(bool, String, String, Option<i64>, String)> = match tx {
        Transaction::Postgres(tx) => {
            sqlx::query("select from website where website_id = $1 for no key update")
                .bind(website)
                .execute(&mut **tx)
                .await?;
            sqlx::query_as(SELECT).bind(website).fetch_optional(&mut **tx).await?
        }
        Transaction::Sqlite(tx) => sqlx::query_as(SELECT).bind(website).fetch_optional(&mut **tx).await?,
    };
    Ok(match (what, row) {
        (What::Gone(ClosedAs::Deleted), row) => row.is_none(),
        (What::Gone(ClosedAs::Paused), Some((paused, ..))) => paused,
        (What::Well { kind, .. }, Some((false, verdict, failing_regions, flapping_since_at, near))) => match kind {
            IncidentKind::Outage => matches!(&*verdict, "up" | "degraded"),
            IncidentKind::Regional => failing_regions.is_empty(),
            IncidentKind::Flapping => flapping_since_at.is_none(),
            IncidentKind::Certificate => near.is_empty(),
            IncidentKind::Operator => false,
        },
        (What::Gone(_) | What::Well { .. } | What::Fails { .. } | What::Unclear { .. } | What::Noted { .. }, _) => {
            false
        }
    })
}
