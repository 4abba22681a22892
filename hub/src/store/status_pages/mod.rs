//! Status pages, each changed by its owner only; what of them everybody sees is read by its name ([`public`]).

mod mails;
mod posts;
mod public;
mod published;
mod rows;
mod subscribers;

use std::collections::HashMap;

use uuid::Uuid;

pub use self::mails::{ClaimedMail, MailTried};
pub use self::posts::{PostSaved, PublishedOn};
pub use self::public::{PageName, PublicComponent, PublicPage};
pub use self::published::PostOfIncident;
use self::rows::{ComponentRow, PageRow, STATUS_PAGE};
pub use self::subscribers::{Asked as AskedSubscription, Subscription};
use super::{Store, StoreError, read, write};
use crate::model::status_page::{Logo, MOST_PAGES, StatusPage, StatusPageId, StatusPagePlan};
use crate::model::{AccountId, UtcMs};
use crate::new_id;

/// What became of a page that was to be added or changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatusPageSaved {
    /// It holds.
    Saved(StatusPageId),
    /// There is no such page, or it is another's.
    NotFound,
    /// It shows a website that is none of the account's.
    NoWebsite,
    /// What is to send its mail is no mail channel of the account's.
    NoChannel,
    /// Another page has this `slug` or `domain`.
    Taken(&'static str),
    /// The account has as many as it may have.
    TooMany,
    /// Somebody else changed it first.
    Meanwhile,
}

/// Writes down what is on a page, inside a transaction; false: a website is none of the account's.
macro_rules! put_components {
    ($tx:expr, $account:expr, $id:expr, $plan:expr) => {{
        sqlx::query("delete from status_component where status_page_id = $1").bind($id.0).execute(&mut *$tx).await?;
        let mut all = true;
        for (position, (section, one)) in $plan.components().enumerate() {
            let put = sqlx::query(
                "insert into status_component (status_page_id, position, section, website_id, name) \
                 select $2, $3, $4, website_id, $6 from website where account_id = $1 and website_id = $5",
            )
            .bind($account.0)
            .bind($id.0)
            .bind(i64::try_from(position).unwrap_or(i64::MAX))
            .bind(section)
            .bind(one.website_id.0)
            .bind(&one.name)
            .execute(&mut *$tx)
            .await?;
            all &= put.rows_affected() == 1;
        }
        all
    }};
}

/// Whether what is to send a page's mail is a mail channel of the account's, inside a transaction.
macro_rules! has_channel {
    ($tx:expr, $account:expr, $plan:expr) => {
        match $plan.channel_id {
            None => true,
            Some(channel) => {
                let found: Option<Uuid> = sqlx::query_scalar(
                    "select channel_id from channel where account_id = $1 and channel_id = $2 and kind = 'email'",
                )
                .bind($account.0)
                .bind(channel.0)
                .fetch_optional(&mut *$tx)
                .await?;
                found.is_some()
            }
        }
    };
}

/// Adds a page without what is on it, inside a transaction, unless there are as many as there may be; 1 when it was added.
macro_rules! insert_page {
    ($tx:expr, $account:expr, $id:expr, $plan:expr, $now:expr) => {
        sqlx::query(
            "insert into status_page (status_page_id, account_id, name, slug, domain, access, about, home_url, accent, \
             shows_uptime, tells_outages, channel_id, created_at) select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13 \
             where (select count(*) from status_page where account_id = $2) < $14",
        )
        .bind($id.0)
        .bind($account.0)
        .bind(&$plan.name)
        .bind(&$plan.slug)
        .bind($plan.domain.as_deref())
        .bind($plan.access.as_str())
        .bind(&$plan.about)
        .bind(&$plan.home_url)
        .bind($plan.accent.map(|accent| accent.to_string()).unwrap_or_default())
        .bind($plan.shows_uptime)
        .bind($plan.tells_outages)
        .bind($plan.channel_id.map(|id| id.0))
        .bind($now)
        .bind($crate::model::status_page::MOST_PAGES)
        .execute(&mut *$tx)
        .await?
        .rows_affected()
    };
}

/// Changes a page as it was at a revision, without what is on it, inside a transaction; 1 when it was changed.
macro_rules! update_page {
    ($tx:expr, $account:expr, $id:expr, $revision:expr, $plan:expr) => {
        sqlx::query(
            "update status_page set name = $4, slug = $5, domain = $6, access = $7, about = $8, home_url = $9, accent = $10, \
             shows_uptime = $11, tells_outages = $12, channel_id = $13, revision = revision + 1 \
             where account_id = $1 and status_page_id = $2 and revision = $3",
        )
        .bind($account.0)
        .bind($id.0)
        .bind($revision)
        .bind(&$plan.name)
        .bind(&$plan.slug)
        .bind($plan.domain.as_deref())
        .bind($plan.access.as_str())
        .bind(&$plan.about)
        .bind(&$plan.home_url)
        .bind($plan.accent.map(|accent| accent.to_string()).unwrap_or_default())
        .bind($plan.shows_uptime)
        .bind($plan.tells_outages)
        .bind($plan.channel_id.map(|id| id.0))
        .execute(&mut *$tx)
        .await?
        .rows_affected()
    };
}

/// Deletes a page; 1 when it was there.
macro_rules! remove_page {
    ($tx:expr, $account:expr, $id:expr) => {
        sqlx::query("delete from status_page where account_id = $1 and status_page_id = $2")
            .bind($account.0)
            .bind($id.0)
            .execute(&mut *$tx)
            .await?
            .rows_affected()
    };
}

pub(super) use {has_channel, insert_page, put_components, remove_page, update_page};

/// Which of a page's two names another page has, when that is why it was not written. Rows of others are not seen behind the
/// wall (`store::wall`); that the name is theirs is what the database says.
pub(super) fn taken(error: &StoreError) -> Option<&'static str> {
    let StoreError::Database(sqlx::Error::Database(error)) = error else { return None };
    if !error.is_unique_violation() {
        return None;
    }
    // Postgres names the constraint, SQLite the column.
    let (constraint, message) = (error.constraint().unwrap_or_default(), error.message());
    let is = |name: &str, column: &str| constraint == name || message.contains(column);
    if is("status_page_slug", "status_page.slug") {
        return Some("slug");
    }
    is("status_page_domain", "status_page.domain").then_some("domain")
}

impl Store {
    /// The account's pages, oldest first: 50 at most.
    ///
    /// # Errors
    /// The database is away.
    pub async fn status_pages(&self, account: AccountId) -> Result<Vec<StatusPage>, StoreError> {
        let select = format!(
            "select {STATUS_PAGE} from status_page where account_id = $1 order by created_at, status_page_id limit $2"
        );
        let rows: Vec<PageRow> = read!(self, pool => sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()))
            .bind(account.0).bind(MOST_PAGES).fetch_all(pool).await?);
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let components: Vec<ComponentRow> = read!(self, pool => sqlx::query_as(
            "select c.status_page_id, c.section, c.website_id, c.name from status_page p \
             join status_component c on c.status_page_id = p.status_page_id where p.account_id = $1 \
             order by c.status_page_id, c.position").bind(account.0).fetch_all(pool).await?);
        let mut of: HashMap<Uuid, Vec<ComponentRow>> = HashMap::new();
        for row in components {
            of.entry(row.status_page_id).or_default().push(row);
        }
        let with = |row: PageRow| {
            let components = of.remove(&row.status_page_id).unwrap_or_default();
            row.with(components.into_iter())
        };
        Ok(rows.into_iter().map(with).collect())
    }

    /// One of the account's pages.
    ///
    /// # Errors
    /// The database is away.
    pub async fn status_page(&self, account: AccountId, id: StatusPageId) -> Result<Option<StatusPage>, StoreError> {
        let select = format!("select {STATUS_PAGE} from status_page where account_id = $1 and status_page_id = $2");
        // The pool for writes: what was just saved must be seen.
        let row: Option<PageRow> = write!(self, pool => sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()))
            .bind(account.0).bind(id.0).fetch_optional(pool).await?);
        match row {
            Some(row) => Ok(Some(row.with(self.components_of(id).await?.into_iter()))),
            None => Ok(None),
        }
    }

    async fn components_of(&self, id: StatusPageId) -> Result<Vec<ComponentRow>, StoreError> {
        Ok(write!(self, pool => sqlx::query_as(
            "select status_page_id, section, website_id, name from status_component where status_page_id = $1 order by position")
            .bind(id.0).fetch_all(pool).await?))
    }

    /// Adds a page.
    ///
    /// # Errors
    /// The database is away.
    pub async fn add_status_page(
        &self,
        account: AccountId,
        plan: &StatusPagePlan,
        now: UtcMs,
    ) -> Result<StatusPageSaved, StoreError> {
        or_taken(self.try_add_page(account, plan, now).await)
    }

    async fn try_add_page(
        &self,
        account: AccountId,
        plan: &StatusPagePlan,
        now: UtcMs,
    ) -> Result<StatusPageSaved, StoreError> {
        let id = StatusPageId(new_id::ordered());
        Ok(write!(self, pool => 'done: {
            let mut tx = pool.begin().await?;
            // Two that add at once take turns here, so that the limit holds (T120).
            sqlx::query("update account set username = username where account_id = $1")
                .bind(account.0).execute(&mut *tx).await?;
            if !has_channel!(tx, account, plan) {
                tx.rollback().await?;
                break 'done StatusPageSaved::NoChannel;
            }
            if insert_page!(tx, account, id, plan, now) != 1 {
                tx.rollback().await?;
                break 'done StatusPageSaved::TooMany;
            }
            if !put_components!(tx, account, id, plan) {
                tx.rollback().await?;
                break 'done StatusPageSaved::NoWebsite;
            }
            tx.commit().await?;
            StatusPageSaved::Saved(id)
        }))
    }

    /// Changes a page as it was at `revision`.
    ///
    /// # Errors
    /// The database is away.
    pub async fn edit_status_page(
        &self,
        account: AccountId,
        id: StatusPageId,
        revision: i64,
        plan: &StatusPagePlan,
    ) -> Result<StatusPageSaved, StoreError> {
        or_taken(self.try_edit_page(account, id, revision, plan).await)
    }

    async fn try_edit_page(
        &self,
        account: AccountId,
        id: StatusPageId,
        revision: i64,
        plan: &StatusPagePlan,
    ) -> Result<StatusPageSaved, StoreError> {
        Ok(write!(self, pool => 'done: {
            let mut tx = pool.begin().await?;
            let found: Option<i64> = sqlx::query_scalar(
                "update status_page set revision = revision where account_id = $1 and status_page_id = $2 returning revision")
                .bind(account.0).bind(id.0).fetch_optional(&mut *tx).await?;
            let refused = match found {
                None => Some(StatusPageSaved::NotFound),
                Some(found) if found != revision => Some(StatusPageSaved::Meanwhile),
                Some(_) if !has_channel!(tx, account, plan) => Some(StatusPageSaved::NoChannel),
                Some(_) => None,
            };
            if let Some(refused) = refused {
                tx.rollback().await?;
                break 'done refused;
            }
            update_page!(tx, account, id, revision, plan);
            if !put_components!(tx, account, id, plan) {
                tx.rollback().await?;
                break 'done StatusPageSaved::NoWebsite;
            }
            tx.commit().await?;
            StatusPageSaved::Saved(id)
        }))
    }

    /// Deletes a page, with all that was published on it and whoever was told. `false`: not yours.
    ///
    /// # Errors
    /// The database is away.
    pub async fn delete_status_page(&self, account: AccountId, id: StatusPageId) -> Result<bool, StoreError> {
        Ok(write!(self, pool => {
            let mut tx = pool.begin().await?;
            let gone = remove_page!(tx, account, id);
            tx.commit().await?;
            gone == 1
        }))
    }

    /// Sets what opens a page with a password, or takes it away. `false`: not yours.
    ///
    /// # Errors
    /// The database is away.
    pub async fn set_page_password(
        &self,
        account: AccountId,
        id: StatusPageId,
        hash: Option<&str>,
    ) -> Result<bool, StoreError> {
        Ok(write!(self, pool => sqlx::query(
            "update status_page set password_hash = $3, revision = revision + 1 where account_id = $1 and status_page_id = $2")
            .bind(account.0).bind(id.0).bind(hash).execute(pool).await?.rows_affected())
            == 1)
    }

    /// Sets the link that opens a page, by its SHA-256: the one before opens nothing any more. `false`: not yours.
    ///
    /// # Errors
    /// The database is away.
    pub async fn set_page_link(&self, account: AccountId, id: StatusPageId, key: [u8; 32]) -> Result<bool, StoreError> {
        Ok(write!(self, pool => sqlx::query(
            "update status_page set link_key = $3, revision = revision + 1 where account_id = $1 and status_page_id = $2")
            .bind(account.0).bind(id.0).bind(key.as_slice()).execute(pool).await?.rows_affected())
            == 1)
    }

    /// Gives a page a logo with the tag of its content, or takes it away. `false`: not yours.
    ///
    /// # Errors
    /// The database is away.
    pub async fn set_page_logo(
        &self,
        account: AccountId,
        id: StatusPageId,
        logo: Option<(&Logo, &str)>,
    ) -> Result<bool, StoreError> {
        Ok(write!(self, pool => sqlx::query(
            "update status_page set logo = $3, logo_type = $4, logo_tag = $5, revision = revision + 1 \
             where account_id = $1 and status_page_id = $2")
            .bind(account.0).bind(id.0).bind(logo.map(|(logo, _)| logo.bytes.as_slice()))
            .bind(logo.map(|(logo, _)| logo.kind.as_str())).bind(logo.map(|(_, tag)| tag))
            .execute(pool).await?.rows_affected())
            == 1)
    }

    /// Hosts that are pages' own, each with its page's slug; over all accounts, 10,000 at most.
    ///
    /// # Errors
    /// The database is away.
    pub async fn page_domains(&self) -> Result<Vec<(String, String)>, StoreError> {
        Ok(read!(self, pool => sqlx::query_as(
            "select domain, slug from status_page where domain is not null order by domain limit 10000")
            .fetch_all(pool).await?))
    }
}

fn or_taken(saved: Result<StatusPageSaved, StoreError>) -> Result<StatusPageSaved, StoreError> {
    match saved {
        Err(error) => taken(&error).map(StatusPageSaved::Taken).ok_or(error),
        saved => saved,
    }
}
