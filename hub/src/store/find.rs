//! Lists for programs: websites, alerts and tags that fit a filter, and changes of verdict, page by page.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::FromRow;
use uuid::Uuid;

use super::board::{ROW_FROM, Row, select_row};
use super::ids::Ids;
use super::ticks::TransitionRow;
use super::ties::tags_of_row;
use super::{Store, StoreError, read};
use crate::model::{
    AccountId, BoardRow, Tag, Transition, TransitionCursor, WebsiteCursor, WebsiteFilter, WebsiteId, WebsiteName,
};

/// Sets of tags that are counted through; a website has ten at most.
const TAG_SETS: i64 = 10_000;

/// Which websites of account `$1` fit; one text whatever is asked for. `$6` is in lower case.
const FITS: &str = "account_id = $1 and (cast($2 as text) is null or kind = $2) \
    and (cast($3 as text) is null or verdict = $3) and (cast($4 as boolean) is null or paused = $4) \
    and (cast($5 as text) is null or replace(',' || tags || ',', ',' || $5 || ',', '') <> ',' || tags || ',') \
    and (cast($6 as text) is null or replace(lower(url), $6, '') <> lower(url))";

#[derive(FromRow)]
struct NumberedRow {
    number: i64,
    #[sqlx(flatten)]
    row: TransitionRow,
}

impl Store {
    /// At most `limit` of the account's websites that fit, oldest first, those that follow `after`. What regions saw, how the
    /// last 24 hours were spent, and maintenance is not read.
    ///
    /// # Errors
    /// The database is away.
    pub async fn websites_found(
        &self,
        account: AccountId,
        filter: &WebsiteFilter,
        after: Option<WebsiteCursor>,
        limit: i64,
    ) -> Result<Vec<BoardRow>, StoreError> {
        let after = after.unwrap_or(WebsiteCursor::FIRST);
        let select = format!(
            "select {} from {ROW_FROM} where {FITS} and (website.created_at, website_id) > ($7, $8) \
             order by website.created_at, website_id limit $9",
            select_row()
        );
        let rows: Vec<Row> = read!(self, pool => sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()))
            .bind(account.0).bind(filter.kind.map(|kind| kind.as_str())).bind(filter.verdict.map(|word| word.as_str()))
            .bind(filter.paused).bind(filter.tag.as_ref().map(Tag::as_str)).bind(filter.text.as_deref())
            .bind(after.created_at).bind(after.id.0).bind(limit.clamp(1, 1_000)).fetch_all(pool).await?);
        rows.into_iter().map(Row::complete).collect()
    }

    /// Which of the account's websites fit, oldest first, at most `limit`.
    ///
    /// # Errors
    /// The database is away.
    pub async fn website_ids_found(
        &self,
        account: AccountId,
        filter: &WebsiteFilter,
        limit: i64,
    ) -> Result<Vec<WebsiteId>, StoreError> {
        let select =
            format!("select website_id from {ROW_FROM} where {FITS} order by website.created_at, website_id limit $7");
        let ids: Vec<Uuid> = read!(self, pool => sqlx::query_scalar(sqlx::AssertSqlSafe(select.as_str()))
            .bind(account.0).bind(filter.kind.map(|kind| kind.as_str())).bind(filter.verdict.map(|word| word.as_str()))
            .bind(filter.paused).bind(filter.tag.as_ref().map(Tag::as_str)).bind(filter.text.as_deref())
            .bind(limit.clamp(1, 1_000)).fetch_all(pool).await?);
        Ok(ids.into_iter().map(WebsiteId).collect())
    }

    /// Which of these websites are the account's.
    ///
    /// # Errors
    /// The database is away.
    pub async fn websites_of(&self, account: AccountId, ids: &[WebsiteId]) -> Result<BTreeSet<WebsiteId>, StoreError> {
        let asked = Ids(ids.iter().map(|id| id.0).collect());
        let select = format!("select website_id from website where account_id = $1 and website_id {}", self.one_of(2));
        let found: Vec<Uuid> = read!(self, pool => sqlx::query_scalar(sqlx::AssertSqlSafe(select.as_str()))
            .bind(account.0).bind(asked.clone()).fetch_all(pool).await?);
        Ok(found.into_iter().map(WebsiteId).collect())
    }

    /// Those of these websites that are the account's, by name.
    ///
    /// # Errors
    /// The database is away.
    pub async fn websites_named(&self, account: AccountId, ids: &[WebsiteId]) -> Result<Vec<WebsiteName>, StoreError> {
        let asked = Ids(ids.iter().map(|id| id.0).collect());
        let select = format!(
            "select website_id, url from website where account_id = $1 and website_id {} order by url, website_id",
            self.one_of(2)
        );
        let found: Vec<(Uuid, String)> = read!(self, pool => sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()))
            .bind(account.0).bind(asked.clone()).fetch_all(pool).await?);
        Ok(found.into_iter().map(|(id, url)| WebsiteName { website_id: WebsiteId(id), url }).collect())
    }

    /// Tags of the account's websites, sorted, and how many websites have each.
    ///
    /// # Errors
    /// The database is away.
    pub async fn tags(&self, account: AccountId) -> Result<Vec<(Tag, i64)>, StoreError> {
        let sets: Vec<(String, i64)> = read!(self, pool => sqlx::query_as(
            "select tags, count(*) from website where account_id = $1 and tags <> '' group by tags order by tags limit $2")
            .bind(account.0).bind(TAG_SETS).fetch_all(pool).await?);
        let mut counts = BTreeMap::new();
        for (tags, websites) in &sets {
            tags_of_row(tags).into_iter().for_each(|tag| *counts.entry(tag).or_insert(0) += websites);
        }
        Ok(counts.into_iter().collect())
    }

    /// Changes of verdict of one of the account's websites, newest first, those before `before`, each with its place; at most
    /// `limit`.
    ///
    /// # Errors
    /// The database is away.
    pub async fn transitions_page(
        &self,
        account: AccountId,
        id: WebsiteId,
        before: Option<TransitionCursor>,
        limit: i64,
    ) -> Result<Vec<(TransitionCursor, Transition)>, StoreError> {
        let before = before.unwrap_or(TransitionCursor { decided_at: i64::MAX, number: i64::MAX });
        let rows: Vec<NumberedRow> = read!(self, pool => sqlx::query_as(
            "select number, website_id, at, decided_at, from_verdict, to_verdict, transition.reason from transition \
             join website using (website_id) where account_id = $1 and website_id = $2 \
             and (decided_at, number) < ($3, $4) order by decided_at desc, number desc limit $5")
            .bind(account.0).bind(id.0).bind(before.decided_at).bind(before.number).bind(limit.clamp(1, 1_000))
            .fetch_all(pool).await?);
        let place = |row: &NumberedRow| TransitionCursor { decided_at: row.row.decided_at, number: row.number };
        Ok(rows.into_iter().map(|row| (place(&row), row.row.into())).collect())
    }
}
