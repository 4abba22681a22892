//! What everybody sees of a page, read by its name. It goes over all accounts: whoever asks is nobody's. Only what a page says of
//! itself leads to anything: websites that are not on it are not read.

use std::collections::HashMap;

use sqlx::FromRow;
use uuid::Uuid;

use super::rows::{ComponentRow, PageRow, STATUS_PAGE};
use crate::model::status_page::{Logo, Outage, Post, StatusPage, StatusPageId, day_windows};
use crate::model::{AccountId, Maintenance, Outcome, Tag, Uptime, UtcMs, WebsiteId};
use crate::store::row::parse;
use crate::store::ties::ties_of;
use crate::store::uptime::Asked;
use crate::store::{Store, StoreError, read};

/// Outages of one component that are read, newest first.
const OUTAGES: i64 = 20;
/// Posts that are shown.
const POSTS: i64 = 50;

/// By what a page is found.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PageName {
    /// Its name in paths.
    Slug(String),
    /// SHA-256 of what is in its link.
    Link([u8; 32]),
    /// For its owner, who looks at it before anybody else does.
    Own(AccountId, StatusPageId),
}

/// A component, and what is known of it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicComponent {
    /// Which.
    pub website_id: WebsiteId,
    /// The heading it stands under.
    pub section: String,
    /// What it is called in public.
    pub name: String,
    /// Its verdict.
    pub verdict: Outcome,
    /// Some regions fail, too few to make it down.
    pub some_fail: bool,
    /// Not watched for now.
    pub is_paused: bool,
    /// Its tags: maintenance may be about them. Never shown.
    pub tags: Vec<Tag>,
    /// Since when it is watched.
    pub created_at: UtcMs,
}

/// A page with what is needed to show it.
#[derive(Debug, Clone, PartialEq)]
pub struct PublicPage {
    /// The page.
    pub page: StatusPage,
    /// What opens it with a password.
    pub password_hash: Option<String>,
    /// Its logo.
    pub logo: Option<Logo>,
    /// What is on it, in order.
    pub components: Vec<PublicComponent>,
    /// The account's maintenance, whatever it is about.
    pub maintenance: Vec<Maintenance>,
    /// What was published, newest first.
    pub posts: Vec<Post>,
    /// What the verdicts say, since 90 days, newest first.
    pub outages: Vec<Outage>,
    /// Its subscribers can be sent mail.
    pub sends_mail: bool,
}

#[derive(FromRow)]
struct PublicRow {
    #[sqlx(flatten)]
    page: PageRow,
    password_hash: Option<String>,
    logo: Option<Vec<u8>>,
    sends_mail: bool,
}

#[derive(FromRow)]
struct StateRow {
    #[sqlx(flatten)]
    component: ComponentRow,
    paused: bool,
    tags: String,
    created_at: i64,
    verdict: String,
    failing_regions: String,
}

#[derive(FromRow)]
struct OutageRow {
    website_id: Uuid,
    /// `None`: of no kind that is told.
    kind: Option<String>,
    began_at: i64,
    ended_at: Option<i64>,
}

impl Store {
    /// A page with all that is shown of it but its days; `None`: there is none of this name.
    ///
    /// # Errors
    /// The database is away.
    pub async fn public_page(&self, name: &PageName, since: UtcMs) -> Result<Option<PublicPage>, StoreError> {
        let columns = format!(
            "{STATUS_PAGE}, password_hash, logo, exists (select 1 from channel c where c.channel_id = status_page.channel_id \
             and c.account_id = status_page.account_id and c.kind = 'email' and c.is_on) as sends_mail"
        );
        let find = |by: &str| format!("select {columns} from status_page where {by}");
        let row: Option<PublicRow> = match name {
            PageName::Slug(slug) => {
                let select = find("slug = $1");
                read!(self, pool => sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()))
                    .bind(slug).fetch_optional(pool).await?)
            }
            PageName::Link(key) => {
                let select = find("link_key = $1 and access = 'link'");
                read!(self, pool => sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()))
                    .bind(key.as_slice()).fetch_optional(pool).await?)
            }
            PageName::Own(account, id) => {
                let select = find("account_id = $1 and status_page_id = $2");
                read!(self, pool => sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()))
                    .bind(account.0).bind(id.0).fetch_optional(pool).await?)
            }
        };
        let Some(PublicRow { page, password_hash, logo, sends_mail }) = row else { return Ok(None) };
        let page = page.with(std::iter::empty());
        let (id, account) = (page.status_page_id, page.account_id);
        let states: Vec<StateRow> = read!(self, pool => sqlx::query_as(
            "select c.status_page_id, c.section, c.website_id, c.name, w.paused, w.tags, w.created_at, s.verdict, \
             s.failing_regions from status_component c join website w on w.website_id = c.website_id \
             join website_state s on s.website_id = c.website_id where c.status_page_id = $1 and w.account_id = $2 \
             order by c.position").bind(id.0).bind(account.0).fetch_all(pool).await?);
        let components: Vec<PublicComponent> = states
            .into_iter()
            .map(|row| PublicComponent {
                website_id: WebsiteId(row.component.website_id),
                section: row.component.section,
                name: row.component.name,
                // A word of a newer version says nothing to this one.
                verdict: parse(&row.verdict).unwrap_or(Outcome::Unknown),
                some_fail: !row.failing_regions.is_empty(),
                is_paused: row.paused,
                tags: ties_of(&row.tags, None).tags,
                created_at: row.created_at,
            })
            .collect();
        let outages = if page.plan.tells_outages { self.outages_on(id, account, since).await? } else { Vec::new() };
        Ok(Some(PublicPage {
            maintenance: self.maintenance(account).await?,
            posts: self.posts_of(account, id, since, POSTS).await?,
            outages,
            logo: logo.and_then(|bytes| Logo::of(bytes).ok()),
            page,
            password_hash,
            components,
            sends_mail,
        }))
    }

    /// What the verdicts of the last days said of what is on a page; not what took place while work went on.
    async fn outages_on(&self, id: StatusPageId, account: AccountId, since: UtcMs) -> Result<Vec<Outage>, StoreError> {
        // Of each the newest few, by their key: one that changes every minute has thousands, and Postgres would rather go through all
        // there are than be told where to end. SQLite has no lateral joins, and keeps to the order of a "cross" one.
        let (from, count) = if self.is_sqlite() {
            let since = "select x.began_at from incident_website x where x.website_id = c.website_id and x.began_at >= $3 \
                order by x.began_at desc limit 1 offset $4";
            let w =
                format!("incident_website w on w.website_id = c.website_id and w.began_at >= coalesce(({since}), $3)");
            (format!("status_component c cross join {w}"), OUTAGES - 1)
        } else {
            let w = "select w.* from incident_website w where w.website_id = c.website_id and w.began_at >= $3 \
                order by w.website_id, w.began_at desc limit $4";
            (format!("status_component c cross join lateral ({w}) w"), OUTAGES)
        };
        let select = format!(
            "select w.website_id, w.began_at, w.ended_at, (select i.kind from incident i where i.incident_id = w.incident_id \
             and i.account_id = $2 and i.kind in ('outage', 'regional') \
             and (i.muted_by is null or i.muted_by <> 'maintenance')) as kind from {from} where c.status_page_id = $1"
        );
        let rows: Vec<OutageRow> = read!(self, pool => sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()))
            .bind(id.0).bind(account.0).bind(since).bind(count).fetch_all(pool).await?);
        let outage = |row: OutageRow| Outage {
            website_id: WebsiteId(row.website_id),
            is_partial: row.kind.as_deref() == Some("regional"),
            from_at: row.began_at,
            to_at: row.ended_at,
        };
        Ok(Outage::joined(rows.into_iter().filter(|row| row.kind.is_some()).map(outage).collect()))
    }

    /// How each of a page's components spent the last 90 days of UTC, oldest first, by the figures that its owner's pages show
    /// ([`Store::uptimes`]). Of a day that cannot be told there is nothing.
    ///
    /// # Errors
    /// The database is away.
    pub async fn public_days(
        &self,
        account: AccountId,
        components: &[PublicComponent],
        now: UtcMs,
    ) -> Result<HashMap<WebsiteId, Vec<Uptime>>, StoreError> {
        let windows = day_windows(now);
        let since = windows.first().map_or(now, |window| window.from_at);
        let counted_until = self.roll_up_progress().await?.map_or(0, |progress| progress.days.at);
        let announced = self.announced(account, since).await?;
        let mut all = HashMap::new();
        for one in components {
            let asked = Asked {
                account,
                id: one.website_id,
                created_at: one.created_at,
                tags: &one.tags,
                verdict: one.verdict,
                counted_until,
                newest: 0,
            };
            let over = self.uptimes_of(&asked, &announced, &windows).await?.windows;
            let days = over.into_iter().map(|over| {
                // What cannot be told is not known.
                let window_ms = over.span.to_at - over.span.from_at;
                over.uptime.unwrap_or(Uptime { unknown_ms: window_ms, ..Uptime::default() })
            });
            all.insert(one.website_id, days.collect());
        }
        Ok(all)
    }
}
