//! What was published of an incident, and where it could be: for those who have it in hand.

use sqlx::FromRow;
use uuid::Uuid;

use crate::model::status_page::{MOST_PAGES, StatusPageId, StatusPostId, UpdateState};
use crate::model::{AccountId, IncidentId, UtcMs};
use crate::store::{Store, StoreError, write};

/// A post about an incident, as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostOfIncident {
    /// The post.
    pub post: StatusPostId,
    /// The page it is on.
    pub page: StatusPageId,
    /// Its name.
    pub page_name: String,
    /// The post's title.
    pub title: String,
    /// What its newest update says; `None`: in a word of a newer version.
    pub state: Option<UpdateState>,
    /// When that was said.
    pub said_at: UtcMs,
    /// When it was said to be over; `None`: it goes on.
    pub ended_at: Option<UtcMs>,
}

#[derive(Debug, FromRow)]
struct Row {
    status_post_id: Uuid,
    status_page_id: Uuid,
    page_name: String,
    title: String,
    state: String,
    at: i64,
    ended_at: Option<i64>,
}

impl Store {
    /// What was published of one of the account's incidents: what goes on first, then the newest; 50 at most.
    ///
    /// # Errors
    /// The database is away.
    pub async fn posts_of_incident(
        &self,
        account: AccountId,
        incident: IncidentId,
    ) -> Result<Vec<PostOfIncident>, StoreError> {
        // The pool for writes: who has just published sees it.
        let rows: Vec<Row> = write!(self, pool => sqlx::query_as(
            "select p.status_post_id, p.status_page_id, s.name as page_name, p.title, u.state, u.at, p.ended_at \
             from (select * from status_post where account_id = $1 and incident_id = $2 \
             order by (ended_at is not null), began_at desc, status_post_id desc limit $3) p \
             join status_page s on s.status_page_id = p.status_page_id \
             join status_update u on u.status_update_id = (select n.status_update_id from status_update n \
             where n.status_post_id = p.status_post_id order by n.at desc, n.status_update_id desc limit 1) \
             order by (p.ended_at is not null), p.began_at desc, p.status_post_id desc")
            .bind(account.0).bind(incident.0).bind(MOST_PAGES).fetch_all(pool).await?);
        let shown = |row: Row| PostOfIncident {
            post: StatusPostId(row.status_post_id),
            page: StatusPageId(row.status_page_id),
            page_name: row.page_name,
            title: row.title,
            state: row.state.parse().ok(),
            said_at: row.at,
            ended_at: row.ended_at,
        };
        Ok(rows.into_iter().map(shown).collect())
    }

    /// The account's pages that show a website which is or was part of an incident, oldest first, by id and name.
    ///
    /// # Errors
    /// The database is away.
    pub async fn pages_of_incident(
        &self,
        account: AccountId,
        incident: IncidentId,
    ) -> Result<Vec<(StatusPageId, String)>, StoreError> {
        // By the page: it has a hundred websites at most, an incident may have very many.
        let rows: Vec<(Uuid, String)> = write!(self, pool => sqlx::query_as(
            "select p.status_page_id, p.name from status_page p where p.account_id = $1 \
             and exists (select 1 from status_component c where c.status_page_id = p.status_page_id \
             and exists (select 1 from incident_website w where w.incident_id = $2 and w.website_id = c.website_id)) \
             order by p.created_at, p.status_page_id limit $3")
            .bind(account.0).bind(incident.0).bind(MOST_PAGES).fetch_all(pool).await?);
        Ok(rows.into_iter().map(|(id, name)| (StatusPageId(id), name)).collect())
    }
}
