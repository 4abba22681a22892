//! What ties an account's websites to one another: tags, and what depends on what.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{Store, StoreError, read, write};
use crate::model::{AccountId, FieldError, Tag, Ties, WebsiteId, mute};

/// What became of ties that were to be saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TiesSaved {
    /// They hold.
    Saved,
    /// There is no such website, or it is another's.
    NotFound,
    /// What it was to depend on cannot be.
    Refused(FieldError),
}

/// Tags as one column, back to tags. What is none, since somebody edited it, is left out.
pub(super) fn tags_of_row(text: &str) -> Vec<Tag> {
    text.split(',').filter_map(|tag| tag.parse().ok()).collect()
}

/// Saves ties of a website, which may have been added by the same transaction. Where they are refused, nothing is changed.
macro_rules! save_ties {
    ($tx:ident, $account:expr, $id:expr, $ties:expr) => {
        'done: {
            let (account, id): ($crate::model::AccountId, $crate::model::WebsiteId) = ($account, $id);
            let ties: &$crate::model::Ties = $ties;
            if let Some(parent) = ties.parent_id {
                let edges: Vec<(Uuid, Option<Uuid>)> = sqlx::query_as(
                    "select website_id, parent_id from website where account_id = $1 \
                     and (parent_id is not null or website_id = $2)",
                )
                .bind(account.0)
                .bind(parent.0)
                .fetch_all(&mut *$tx)
                .await?;
                if let Some(refused) = $crate::store::ties::refusal(id, parent, edges) {
                    break 'done TiesSaved::Refused(refused);
                }
            }
            let changed =
                sqlx::query("update website set tags = $3, parent_id = $4 where account_id = $1 and website_id = $2")
                    .bind(account.0)
                    .bind(id.0)
                    .bind($crate::store::ties::tags_text(&ties.tags))
                    .bind(ties.parent_id.map(|id| id.0))
                    .execute(&mut *$tx)
                    .await?
                    .rows_affected();
            if changed == 1 { TiesSaved::Saved } else { TiesSaved::NotFound }
        }
    };
}
pub(super) use save_ties;

/// What is wrong with a parent, by what depends on what. Two that are saved at the same instant may pass together; what
/// comes back on itself is ignored where it is read.
pub(super) fn refusal(id: WebsiteId, parent: WebsiteId, edges: Vec<(Uuid, Option<Uuid>)>) -> Option<FieldError> {
    if edges.iter().all(|(id, _)| *id != parent.0) {
        return Some(FieldError::new("parent", "", "There is no such website of yours; choose another."));
    }
    let edges = edges.into_iter().filter_map(|(id, parent)| Some((WebsiteId(id), WebsiteId(parent?)))).collect();
    mute::refusal(id, parent, &edges)
}

pub(super) fn tags_text(tags: &[Tag]) -> String {
    tags.iter().map(Tag::as_str).collect::<Vec<_>>().join(",")
}

pub(super) fn ties_of(tags: &str, parent: Option<Uuid>) -> Ties {
    Ties { tags: tags_of_row(tags), parent_id: parent.map(WebsiteId) }
}

impl Store {
    /// Tags and parent of those of the account's websites that have any.
    ///
    /// # Errors
    /// The database is away.
    pub async fn ties(&self, account: AccountId) -> Result<BTreeMap<WebsiteId, Ties>, StoreError> {
        let rows: Vec<(Uuid, String, Option<Uuid>)> = read!(self, pool => sqlx::query_as(
            "select website_id, tags, parent_id from website where account_id = $1 \
             and (tags <> '' or parent_id is not null)")
            .bind(account.0).fetch_all(pool).await?);
        Ok(rows.into_iter().map(|(id, tags, parent)| (WebsiteId(id), ties_of(&tags, parent))).collect())
    }

    /// Tags and parent of one of the account's websites. `None`: not yours.
    ///
    /// # Errors
    /// The database is away.
    pub async fn ties_of_website(&self, account: AccountId, id: WebsiteId) -> Result<Option<Ties>, StoreError> {
        // The pool for writes: what was just saved must be seen.
        let row: Option<(String, Option<Uuid>)> = write!(self, pool => sqlx::query_as(
            "select tags, parent_id from website where account_id = $1 and website_id = $2")
            .bind(account.0).bind(id.0).fetch_optional(pool).await?);
        Ok(row.map(|(tags, parent)| ties_of(&tags, parent)))
    }

    /// Sets tags and parent of one of the account's websites. Nothing that is checked changes: it is no new revision, and
    /// what is known of the website stays.
    ///
    /// # Errors
    /// The database is away.
    pub async fn set_ties(&self, account: AccountId, id: WebsiteId, ties: &Ties) -> Result<TiesSaved, StoreError> {
        Ok(write!(self, pool => {
            let mut tx = pool.begin().await?;
            let saved = save_ties!(tx, account, id, ties);
            tx.commit().await?;
            saved
        }))
    }
}
