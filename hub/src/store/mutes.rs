//! Who is not told of, and why: read inside the transaction that decides whether somebody is told.

use std::collections::BTreeMap;

use sqlx::FromRow;
use uuid::Uuid;

use super::ingest::Transaction;
use super::maintenance::{MAINTENANCE, MaintenanceRow, understood};
use super::ties::tags_of_row;
use super::{Pool, Store, StoreError};
use crate::model::{AccountId, Maintenance, MutedBy, Outcome, Tag, UtcMs, WebsiteId, mute};

/// A website as far as it matters whether people are told of it, or of one below it.
#[derive(FromRow)]
struct Row {
    website_id: Uuid,
    account_id: Uuid,
    tags: String,
    parent_id: Option<Uuid>,
    verdict: String,
    url: String,
    since_at: i64,
    interval_ms: i64,
    timeout_ms: i64,
}

/// What a website depends on, and is down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Down {
    pub url: String,
    /// Since when.
    pub since_at: UtcMs,
    /// For so long it may have been down before one of its looks saw it.
    pub unseen_ms: i64,
}

const ROW: &str = "select website_id, account_id, tags, parent_id, verdict, url, since_at, interval_ms, timeout_ms \
    from website join website_state using (website_id) where website_id =";
/// Of those that may still come; the others are not read.
const WINDOWS: &str = "from maintenance where (over_at is null or over_at > $2) and account_id =";

/// Which of the websites nobody is told of at `now`, and why; the others are not in the answer. For websites whose
/// verdict changed and for those of muted incidents, not for each tick: it reads their rows, those of what they depend
/// on (one statement a level, where there is one), and their accounts' windows.
///
/// # Errors
/// The database is away.
pub(super) async fn muted(
    tx: &mut Transaction,
    ids: &[WebsiteId],
    now: UtcMs,
) -> Result<BTreeMap<WebsiteId, MutedBy>, StoreError> {
    let known = Known::of(tx, ids).await?;
    let mut accounts: Vec<Uuid> = ids.iter().filter_map(|id| Some(known.0.get(&id.0)?.account_id)).collect();
    accounts.sort_unstable();
    accounts.dedup();
    let mut windows: BTreeMap<Uuid, Vec<Maintenance>> = BTreeMap::new();
    // Whether one holds is computed from its rule: once a window here, not once a window and website.
    for window in understood(windows_of(tx, &accounts, now).await?).into_iter().filter(|w| w.running(now).is_some()) {
        windows.entry(window.account_id.0).or_default().push(window);
    }
    let mut muted = BTreeMap::new();
    for id in ids {
        let Some(row) = known.0.get(&id.0) else { continue };
        let tags: Vec<Tag> = tags_of_row(&row.tags);
        let windows = windows.get(&row.account_id).map_or(&[][..], Vec::as_slice);
        if let Some(why) = mute::by(*id, &tags, windows, known.above(*id).map(Row::outcome), now) {
            muted.insert(*id, why);
        }
    }
    Ok(muted)
}

/// Of websites below one that is down: the nearest such one above each.
///
/// # Errors
/// The database is away.
pub(super) async fn down_above(
    tx: &mut Transaction,
    ids: &[WebsiteId],
) -> Result<BTreeMap<WebsiteId, Down>, StoreError> {
    let known = Known::of(tx, ids).await?;
    let down = |id: &WebsiteId| {
        let row = known.above(*id).find(|row| row.outcome() == Outcome::Down)?;
        let unseen_ms = row.interval_ms.saturating_add(row.timeout_ms);
        Some((*id, Down { url: row.url.clone(), since_at: row.since_at, unseen_ms }))
    };
    Ok(ids.iter().filter_map(down).collect())
}

impl Row {
    fn outcome(&self) -> Outcome {
        self.verdict.parse().unwrap_or(Outcome::Unknown)
    }
}

/// Websites and all that is above them.
struct Known(BTreeMap<Uuid, Row>);

impl Known {
    /// One statement a level, where there is one.
    async fn of(tx: &mut Transaction, ids: &[WebsiteId]) -> Result<Self, StoreError> {
        let mut known: BTreeMap<Uuid, Row> = BTreeMap::new();
        let mut wanted: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        wanted.sort_unstable();
        wanted.dedup();
        // One level more than may be, to see where a chain has no end.
        for _ in 0..=mute::LEVELS + 1 {
            if wanted.is_empty() {
                break;
            }
            let rows = websites(tx, &wanted).await?;
            wanted = rows.iter().filter_map(|row| row.parent_id).collect();
            known.extend(rows.into_iter().map(|row| (row.website_id, row)));
            wanted.retain(|id| !known.contains_key(id));
            wanted.sort_unstable();
            wanted.dedup();
        }
        Ok(Self(known))
    }

    /// What is above one of them, the nearest first.
    fn above(&self, id: WebsiteId) -> impl Iterator<Item = &Row> {
        let parent_of = move |id: WebsiteId| {
            let row = self.0.get(&id.0)?;
            // Another account's says nothing about this one's.
            let parent = self.0.get(&row.parent_id?).filter(|parent| parent.account_id == row.account_id)?;
            Some(WebsiteId(parent.website_id))
        };
        let above = mute::above(id, parent_of).unwrap_or_default();
        above.into_iter().filter_map(move |id| self.0.get(&id.0))
    }
}

impl Store {
    /// Why nobody is told of one of the account's websites at `now`, for its page.
    ///
    /// # Errors
    /// The database is away.
    pub async fn muted(&self, account: AccountId, id: WebsiteId, now: UtcMs) -> Result<Option<MutedBy>, StoreError> {
        if self.website(account, id).await?.is_none() {
            return Ok(None);
        }
        self.answered(async {
            let mut tx = match &self.pool {
                Pool::Postgres(pools) => Transaction::Postgres(pools.get().begin().await?),
                Pool::Sqlite { read, .. } => Transaction::Sqlite(read.begin().await?),
            };
            let why = muted(&mut tx, &[id], now).await?.remove(&id);
            tx.commit().await?;
            Ok(why)
        })
        .await
    }
}

async fn websites(tx: &mut Transaction, ids: &[Uuid]) -> Result<Vec<Row>, StoreError> {
    match tx {
        Transaction::Postgres(tx) => {
            let select = format!("{ROW} any($1)");
            Ok(sqlx::query_as(sqlx::AssertSqlSafe(select)).bind(ids).fetch_all(&mut **tx).await?)
        }
        Transaction::Sqlite(tx) => {
            let select = format!("{ROW} $1");
            let mut rows = Vec::with_capacity(ids.len());
            for id in ids {
                rows.extend(
                    sqlx::query_as::<_, Row>(sqlx::AssertSqlSafe(select.as_str()))
                        .bind(id)
                        .fetch_optional(&mut **tx)
                        .await?,
                );
            }
            Ok(rows)
        }
    }
}

async fn windows_of(tx: &mut Transaction, accounts: &[Uuid], now: UtcMs) -> Result<Vec<MaintenanceRow>, StoreError> {
    match tx {
        Transaction::Postgres(tx) => {
            let select = format!("select {MAINTENANCE} {WINDOWS} any($1)");
            Ok(sqlx::query_as(sqlx::AssertSqlSafe(select)).bind(accounts).bind(now).fetch_all(&mut **tx).await?)
        }
        Transaction::Sqlite(tx) => {
            let select = format!("select {MAINTENANCE} {WINDOWS} $1");
            let mut rows = Vec::new();
            for account in accounts {
                let found: Vec<MaintenanceRow> = sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()))
                    .bind(account)
                    .bind(now)
                    .fetch_all(&mut **tx)
                    .await?;
                rows.extend(found);
            }
            Ok(rows)
        }
    }
}
