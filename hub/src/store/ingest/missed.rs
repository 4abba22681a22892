//! Outages that no incident tells of: a hub of a version that knows of no incidents decided on them.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::transaction::{Locked, Stale, Transaction};
use crate::model::{Change, Counted, UtcMs, WebsiteId};
use crate::store::{Store, StoreError, incidents, read};

/// Looked at in one transaction: its locks are held for milliseconds.
const AT_ONCE: i64 = 100;
/// Down, and not in an open outage. A verdict and its incident are committed together.
const MISSED: &str = "st.verdict = 'down' and not exists (select 1 from incident_website w \
    join incident i on i.incident_id = w.incident_id where w.website_id = st.website_id and w.ended_at is null \
    and i.kind = 'outage' and i.closed_at is null)";

impl Store {
    /// Begins incidents of websites that are down without one, and tells of them: both versions of the hub run during an
    /// update, and the older one tells nobody. Returns how many websites there were.
    ///
    /// # Errors
    /// The database is away.
    pub async fn open_missed(&self, now: UtcMs) -> Result<usize, StoreError> {
        let (mut opened, mut after) = (0, Some((i64::MIN, WebsiteId(Uuid::nil()))));
        while let Some(from) = after {
            let missed = self.missed(from).await?;
            after = missed.last().copied().filter(|_| missed.len() >= AT_ONCE as usize);
            let mut ids: Vec<WebsiteId> = missed.into_iter().map(|(_, id)| id).collect();
            ids.sort_unstable();
            if !ids.is_empty() {
                opened += self.answered(self.open_some(&ids, now)).await?;
            }
        }
        Ok(opened)
    }

    async fn missed(&self, (at, id): Stale) -> Result<Vec<Stale>, StoreError> {
        let sql = format!(
            "select st.since_at, st.website_id from website_state st where {MISSED} \
             and (st.since_at, st.website_id) > ($1, $2) order by st.since_at, st.website_id limit $3"
        );
        let found: Vec<(i64, Uuid)> = read!(self, pool => sqlx::query_as(sqlx::AssertSqlSafe(sql.as_str()))
            .bind(at).bind(id.0).bind(AT_ONCE).fetch_all(pool).await?);
        Ok(found.into_iter().map(|(at, id)| (at, WebsiteId(id))).collect())
    }

    /// Under the locks with which verdicts are written; what others are at work on is left for the next time.
    async fn open_some(&self, ids: &[WebsiteId], now: UtcMs) -> Result<usize, StoreError> {
        let mut tx = Transaction::begin(&self.pool).await?;
        let standings = tx.load(ids, Locked::Leave, &self.shares, now).await?.standings;
        // Somebody may have been faster.
        let missed = still(&mut tx, ids).await?;
        let mut changes = Vec::new();
        for standing in standings.iter().filter(|s| missed.contains(&s.website().website_id)) {
            let counted = Counted { transitions: standing.outage(now).into_iter().collect(), ..Counted::default() };
            changes.extend(Change::of(standing.website(), standing.regions(), standing.verdict(), &counted));
        }
        let opened = changes.len();
        let alerts_are_due = incidents::apply(&mut tx, changes, Locked::Wait, now).await?;
        tx.commit().await?;
        if alerts_are_due {
            self.ring();
        }
        Ok(opened)
    }
}

async fn still(tx: &mut Transaction, ids: &[WebsiteId]) -> Result<BTreeSet<WebsiteId>, StoreError> {
    let select = format!("select st.website_id from website_state st where {MISSED} and st.website_id");
    let mut found: Vec<Uuid> = Vec::new();
    match tx {
        Transaction::Postgres(tx) => {
            let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
            let sql = format!("{select} = any($1)");
            found = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(ids).fetch_all(&mut **tx).await?;
        }
        Transaction::Sqlite(tx) => {
            let sql = format!("{select} = $1");
            for id in ids {
                let one: Option<Uuid> =
                    sqlx::query_scalar(sqlx::AssertSqlSafe(sql.as_str())).bind(id.0).fetch_optional(&mut **tx).await?;
                found.extend(one);
            }
        }
    }
    Ok(found.into_iter().map(WebsiteId).collect())
}
