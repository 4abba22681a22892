//! What is published on a page, and its updates; subscribers get theirs by the same transaction.

use std::collections::HashMap;

use sqlx::FromRow;
use uuid::Uuid;

use crate::model::status_page::{
    MOST_POSTS, MOST_UPDATES, Post, PostDraft, PostUpdate, StatusPageId, StatusPostId, UpdateState,
};
use crate::model::{AccountId, IncidentId, UtcMs, WebsiteId};
use crate::store::ids::Ids;
use crate::store::row::parse;
use crate::store::{Store, StoreError, read, write};

/// What became of something that was to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PostSaved {
    /// It is published, and so many subscribers will have mail.
    Saved(StatusPostId, u64),
    /// There is no such page or post, or it is another's.
    NotFound,
    /// A component that is not on the page.
    NoComponent,
    /// An incident that is none of the account's.
    NoIncident,
    /// It has as many updates as it may have.
    TooMany,
}

/// A post for its owner: with the name of the page it is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedOn {
    /// The post.
    pub post: Post,
    /// The page's name.
    pub page: String,
}

const POST: &str = "p.status_post_id, p.status_page_id, p.incident_id, p.kind, p.title, p.impact, p.began_at, p.ended_at, \
    p.revision";

#[derive(Debug, FromRow)]
struct PostRow {
    status_post_id: Uuid,
    status_page_id: Uuid,
    incident_id: Option<Uuid>,
    kind: String,
    title: String,
    impact: String,
    began_at: i64,
    ended_at: Option<i64>,
    revision: i64,
}

#[derive(Debug, FromRow)]
struct UpdateRow {
    status_post_id: Uuid,
    status_update_id: Uuid,
    at: i64,
    state: String,
    said: String,
}

impl PostRow {
    fn with(self, components: Vec<WebsiteId>, updates: Vec<PostUpdate>) -> Result<Post, StoreError> {
        Ok(Post {
            status_post_id: StatusPostId(self.status_post_id),
            status_page_id: StatusPageId(self.status_page_id),
            incident_id: self.incident_id.map(IncidentId),
            kind: parse(&self.kind)?,
            title: self.title,
            impact: parse(&self.impact)?,
            began_at: self.began_at,
            ended_at: self.ended_at,
            revision: self.revision,
            components,
            updates,
        })
    }
}

/// Adds an update inside a transaction, and a mail for each who is told; how many.
macro_rules! say {
    ($tx:expr, $new_id:expr, $account:expr, $page:expr, $post:expr, $state:expr, $said:expr, $now:expr) => {{
        let update = Uuid::now_v7();
        sqlx::query("insert into status_update (status_update_id, status_post_id, at, state, said) values ($1, $2, $3, $4, $5)")
            .bind(update)
            .bind($post.0)
            .bind($now)
            .bind($state.as_str())
            .bind($said)
            .execute(&mut *$tx)
            .await?;
        sqlx::query(sqlx::AssertSqlSafe(format!(
            "insert into status_mail (status_mail_id, account_id, status_page_id, status_subscriber_id, status_update_id, \
             state, created_at, due_at) select {}, s.account_id, s.status_page_id, s.status_subscriber_id, $3, 'waiting', $4, $4 \
             from status_subscriber s join status_page p on p.status_page_id = s.status_page_id \
             where s.status_page_id = $1 and s.account_id = $2 and s.confirmed_at is not null and p.channel_id is not null",
            $new_id
        )))
        .bind($page.0)
        .bind($account.0)
        .bind(update)
        .bind($now)
        .execute(&mut *$tx)
        .await?
        .rows_affected()
    }};
}

impl Store {
    /// What makes an id in the database: of ten thousand mails none is made one by one.
    fn made_id(&self) -> &'static str {
        if self.is_sqlite() { "randomblob(16)" } else { "gen_random_uuid()" }
    }

    /// What was published on one of the account's pages: what goes on, then what was over after `since`, newest first.
    ///
    /// # Errors
    /// The database is away.
    pub async fn posts_of(
        &self,
        account: AccountId,
        page: StatusPageId,
        since: UtcMs,
        limit: i64,
    ) -> Result<Vec<Post>, StoreError> {
        let select = format!(
            "select {POST} from status_post p where p.status_page_id = $1 and p.account_id = $2 \
             and (p.ended_at is null or p.ended_at >= $3) \
             order by (p.ended_at is not null), p.began_at desc, p.status_post_id desc limit $4"
        );
        let rows: Vec<PostRow> = write!(self, pool => sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()))
            .bind(page.0).bind(account.0).bind(since).bind(limit.clamp(1, MOST_POSTS)).fetch_all(pool).await?);
        self.with_updates(rows).await
    }

    /// One of the account's posts.
    ///
    /// # Errors
    /// The database is away.
    pub async fn post(&self, account: AccountId, id: StatusPostId) -> Result<Option<PublishedOn>, StoreError> {
        let select = format!("select {POST} from status_post p where p.account_id = $1 and p.status_post_id = $2");
        let row: Option<PostRow> = write!(self, pool => sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()))
            .bind(account.0).bind(id.0).fetch_optional(pool).await?);
        let Some(row) = row else { return Ok(None) };
        let page: Option<String> = write!(self, pool => sqlx::query_scalar(
            "select name from status_page where account_id = $1 and status_page_id = $2")
            .bind(account.0).bind(row.status_page_id).fetch_optional(pool).await?);
        let post = self.with_updates(vec![row]).await?.pop();
        Ok(post.zip(page).map(|(post, page)| PublishedOn { post, page }))
    }

    async fn with_updates(&self, rows: Vec<PostRow>) -> Result<Vec<Post>, StoreError> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let ids = Ids(rows.iter().map(|row| row.status_post_id).collect());
        let updates = format!(
            "select status_post_id, status_update_id, at, state, said from status_update where status_post_id {} \
             order by at desc, status_update_id desc",
            self.one_of(1)
        );
        let components = format!(
            "select status_post_id, website_id from status_post_component where status_post_id {} \
             order by status_post_id, website_id",
            self.one_of(1)
        );
        let updates: Vec<UpdateRow> = write!(self, pool => sqlx::query_as(sqlx::AssertSqlSafe(updates.as_str()))
            .bind(ids.clone()).fetch_all(pool).await?);
        let components: Vec<(Uuid, Uuid)> = write!(self, pool => sqlx::query_as(sqlx::AssertSqlSafe(components.as_str()))
            .bind(ids.clone()).fetch_all(pool).await?);
        let mut said: HashMap<Uuid, Vec<PostUpdate>> = HashMap::new();
        for row in updates {
            let update = PostUpdate { id: row.status_update_id, at: row.at, state: parse(&row.state)?, said: row.said };
            said.entry(row.status_post_id).or_default().push(update);
        }
        let mut about: HashMap<Uuid, Vec<WebsiteId>> = HashMap::new();
        for (post, website) in components {
            about.entry(post).or_default().push(WebsiteId(website));
        }
        rows.into_iter()
            .map(|row| {
                let id = row.status_post_id;
                row.with(about.remove(&id).unwrap_or_default(), said.remove(&id).unwrap_or_default())
            })
            .collect()
    }

    /// Publishes something on one of the account's pages. Of what is over, the oldest goes where there is too much.
    ///
    /// # Errors
    /// The database is away.
    pub async fn publish(
        &self,
        account: AccountId,
        page: StatusPageId,
        draft: &PostDraft,
        now: UtcMs,
    ) -> Result<PostSaved, StoreError> {
        let id = StatusPostId(Uuid::now_v7());
        let ended_at = (draft.state == UpdateState::Resolved).then_some(now);
        Ok(write!(self, pool => 'done: {
            let mut tx = pool.begin().await?;
            // One at a time on each page.
            let is_own = sqlx::query("update status_page set slug = slug where account_id = $1 and status_page_id = $2")
                .bind(account.0).bind(page.0).execute(&mut *tx).await?.rows_affected() == 1;
            if !is_own {
                tx.rollback().await?;
                break 'done PostSaved::NotFound;
            }
            if let Some(incident) = draft.incident_id {
                let found: Option<Uuid> = sqlx::query_scalar(
                    "select incident_id from incident where account_id = $1 and incident_id = $2")
                    .bind(account.0).bind(incident.0).fetch_optional(&mut *tx).await?;
                if found.is_none() {
                    tx.rollback().await?;
                    break 'done PostSaved::NoIncident;
                }
            }
            sqlx::query("insert into status_post (status_post_id, account_id, status_page_id, incident_id, kind, title, impact, \
                began_at, ended_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)")
                .bind(id.0).bind(account.0).bind(page.0).bind(draft.incident_id.map(|id| id.0)).bind(draft.kind.as_str())
                .bind(&draft.title).bind(draft.impact.as_str()).bind(now).bind(ended_at).execute(&mut *tx).await?;
            let mut all = true;
            for website in &draft.components {
                all &= sqlx::query("insert into status_post_component (status_post_id, website_id) \
                    select $1, website_id from status_component where status_page_id = $2 and website_id = $3")
                    .bind(id.0).bind(page.0).bind(website.0).execute(&mut *tx).await?.rows_affected() == 1;
            }
            if !all {
                tx.rollback().await?;
                break 'done PostSaved::NoComponent;
            }
            let told = say!(tx, self.made_id(), account, page, id, draft.state, &draft.said, now);
            sqlx::query("delete from status_post where account_id = $1 and status_page_id = $2 and ended_at is not null \
                and began_at < (select began_at from status_post where account_id = $1 and status_page_id = $2 \
                order by began_at desc, status_post_id desc limit 1 offset $3)")
                .bind(account.0).bind(page.0).bind(MOST_POSTS - 1).execute(&mut *tx).await?;
            tx.commit().await?;
            PostSaved::Saved(id, told)
        }))
    }

    /// Publishes an update. One that resolves ends the post; any other has it go on again.
    ///
    /// # Errors
    /// The database is away.
    pub async fn update_post(
        &self,
        account: AccountId,
        id: StatusPostId,
        state: UpdateState,
        said: &str,
        now: UtcMs,
    ) -> Result<PostSaved, StoreError> {
        Ok(write!(self, pool => 'done: {
            let mut tx = pool.begin().await?;
            // A word without a state changes nothing of what is over.
            let page: Option<Uuid> = sqlx::query_scalar(
                "update status_post set ended_at = case when $3 = 'resolved' then coalesce(ended_at, $4) \
                 when $3 = 'notice' then ended_at end, revision = revision + 1 \
                 where account_id = $1 and status_post_id = $2 returning status_page_id")
                .bind(account.0).bind(id.0).bind(state.as_str()).bind(now).fetch_optional(&mut *tx).await?;
            let Some(page) = page.map(StatusPageId) else {
                tx.rollback().await?;
                break 'done PostSaved::NotFound;
            };
            let has: i64 = sqlx::query_scalar("select count(*) from status_update where status_post_id = $1")
                .bind(id.0).fetch_one(&mut *tx).await?;
            // That it is over can always be said.
            if has >= MOST_UPDATES && (state != UpdateState::Resolved || has > MOST_UPDATES) {
                tx.rollback().await?;
                break 'done PostSaved::TooMany;
            }
            let told = say!(tx, self.made_id(), account, page, id, state, said, now);
            tx.commit().await?;
            PostSaved::Saved(id, told)
        }))
    }

    /// Takes back what was published; mail that was not sent yet is not sent. `false`: not yours.
    ///
    /// # Errors
    /// The database is away.
    pub async fn delete_post(&self, account: AccountId, id: StatusPostId) -> Result<bool, StoreError> {
        Ok(write!(self, pool => sqlx::query("delete from status_post where account_id = $1 and status_post_id = $2")
            .bind(account.0).bind(id.0).execute(pool).await?.rows_affected())
            == 1)
    }

    /// How many are told of a page by mail, how many have not answered yet whether they want it, how many mails wait, and how
    /// many were given up.
    ///
    /// # Errors
    /// The database is away.
    pub async fn subscriber_counts(
        &self,
        account: AccountId,
        page: StatusPageId,
    ) -> Result<(i64, i64, i64, i64), StoreError> {
        Ok(read!(self, pool => sqlx::query_as(
            "select (select count(*) from status_subscriber where account_id = $1 and status_page_id = $2 and confirmed_at is not null), \
             (select count(*) from status_subscriber where account_id = $1 and status_page_id = $2 and confirmed_at is null), \
             (select count(*) from status_mail where account_id = $1 and status_page_id = $2 and state = 'waiting'), \
             (select count(*) from status_mail where account_id = $1 and status_page_id = $2 and state = 'dead')")
            .bind(account.0).bind(page.0).fetch_one(pool).await?))
    }
}
