//! What a file keeps of an account (`command::manifest`): reading all of it, and writing what a plan says in one transaction.
//!
//! The statements are those of the pages and the API, so that a change has the same effects: a new revision, what was known
//! forgotten, incidents closed, hubs told. All of it holds, or nothing; whoever is killed before the commit has done nothing.

mod apply;

use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

pub use self::apply::Applied;
use super::{Pool, Store, StoreError, read, write};
use crate::model::manifest::{About, ChannelSpec, JobSpec, Known, Managed, Space, Spec, State, WebsiteSpec};
use crate::model::{
    Account, AccountId, ChannelDraft, Keeping, MadeBy, Ties, UtcMs, WebsiteCursor, WebsiteId, WebsiteKind,
};

/// Jobs read at once.
const AT_ONCE: i64 = 1_000;

fn table(space: Space) -> (&'static str, &'static str) {
    match space {
        Space::Websites => ("website", "website_id"),
        Space::Channels => ("channel", "channel_id"),
        Space::Maintenance => ("maintenance", "maintenance_id"),
        Space::StatusPages => ("status_page", "status_page_id"),
    }
}

impl Store {
    /// The account of that name, without regard to case, or the team of that id: names of teams are anybody's to choose,
    /// and what is applied may hold secrets. Without a name the oldest two, which tell whether there is only one. Those
    /// that are being deleted are none.
    ///
    /// # Errors
    /// The database is away.
    pub async fn accounts_named(&self, name: Option<&str>) -> Result<Vec<Account>, StoreError> {
        let rows: Vec<(Uuid, String, UtcMs, bool)> = read!(self, pool => sqlx::query_as(
            "select account_id, username, created_at, by_open_sign_up from account where ending_at is null \
             and ($1 = '' or username_key in ($1, 'team/' || $1)) order by created_at, account_id limit 2")
            .bind(name.unwrap_or_default().to_lowercase()).fetch_all(pool).await?);
        let account = |(id, username, created_at, by_open_sign_up)| Account {
            account_id: AccountId(id),
            username,
            created_at,
            made_by: MadeBy::of(by_open_sign_up),
        };
        Ok(rows.into_iter().map(account).collect())
    }

    /// All that a file can keep of an account.
    ///
    /// # Errors
    /// The database is away.
    pub async fn managed_state(&self, account: AccountId) -> Result<State, StoreError> {
        let websites = self.websites(account).await?;
        let ids: Vec<WebsiteId> = websites.iter().map(|website| website.website_id).collect();
        let mut ties = self.ties(account).await?;
        let keepings = self.keepings(account, ids).await?;
        let mut marks: HashMap<Space, BTreeMap<Uuid, Managed>> = HashMap::new();
        for space in [Space::Websites, Space::Channels, Space::Maintenance, Space::StatusPages] {
            marks.insert(space, self.managed_of(account, space).await?);
        }
        let mut mark = |space: Space, id: Uuid| marks.get_mut(&space).and_then(|marks| marks.remove(&id));
        let mut plans = HashMap::new();
        let mut after: Option<WebsiteCursor> = None;
        loop {
            let jobs = self.jobs(account, after, AT_ONCE).await?;
            let Some(last) = jobs.last() else { break };
            after = Some(WebsiteCursor { created_at: last.website.created_at, id: last.website.website_id });
            plans.extend(jobs.into_iter().map(|known| (known.website.website_id, known.job.plan)));
        }
        let mut objects = Vec::new();
        for website in websites {
            let id = website.website_id;
            let about = About {
                ties: ties.remove(&id).unwrap_or_else(Ties::default),
                keeping: keepings.get(&id).copied().unwrap_or_else(Keeping::default),
                paused: website.paused,
            };
            let spec = match (website.kind, plans.remove(&id)) {
                (WebsiteKind::Job, Some(plan)) => Spec::Job(Box::new(JobSpec { plan, about })),
                // Deleted meanwhile.
                (WebsiteKind::Job, None) => continue,
                (WebsiteKind::Http, _) => Spec::Website(Box::new(WebsiteSpec { settings: website.settings, about })),
            };
            objects.push(Known {
                id: id.0,
                spec,
                managed: mark(Space::Websites, id.0),
                revision: website.revision,
                is_unreadable: website.is_unreadable,
            });
        }
        for channel in self.channels(account).await? {
            let draft = ChannelDraft {
                name: channel.name,
                settings: channel.settings,
                tells_regional: channel.tells_regional,
                tells_operator: channel.tells_operator,
                waits_ms: channel.waits_ms,
                reminds_ms: channel.reminds_ms,
                cap_per_hour: channel.cap_per_hour,
                second_channel_id: channel.second_channel_id,
            };
            objects.push(Known {
                id: channel.channel_id.0,
                spec: Spec::Channel(Box::new(ChannelSpec { draft, is_on: channel.is_on })),
                managed: mark(Space::Channels, channel.channel_id.0),
                revision: channel.revision,
                is_unreadable: channel.unreadable.is_some(),
            });
        }
        for window in self.maintenance(account).await? {
            objects.push(Known {
                id: window.maintenance_id.0,
                spec: Spec::Maintenance(Box::new(window.plan)),
                managed: mark(Space::Maintenance, window.maintenance_id.0),
                revision: window.revision,
                is_unreadable: false,
            });
        }
        for page in self.status_pages(account).await? {
            objects.push(Known {
                id: page.status_page_id.0,
                managed: mark(Space::StatusPages, page.status_page_id.0),
                revision: page.revision,
                spec: Spec::StatusPage(Box::new(page.plan)),
                is_unreadable: false,
            });
        }
        Ok(State { objects })
    }

    /// Which of the account's objects are kept in files, and under which keys.
    ///
    /// # Errors
    /// The database is away.
    pub async fn managed_of(&self, account: AccountId, space: Space) -> Result<BTreeMap<Uuid, Managed>, StoreError> {
        let (table, id) = table(space);
        let sql = format!(
            "select {id}, managed_by, managed_key from {table} where account_id = $1 and managed_key is not null"
        );
        let rows: Vec<(Uuid, Option<String>, String)> = read!(self, pool =>
            sqlx::query_as(sqlx::AssertSqlSafe(sql.as_str())).bind(account.0).fetch_all(pool).await?);
        Ok(rows.into_iter().map(|(id, by, key)| (id, Managed { by: by.unwrap_or_default(), key })).collect())
    }

    /// Which file keeps one of the account's objects. `None`: none does, or it is not yours.
    ///
    /// # Errors
    /// The database is away.
    pub async fn managed(&self, account: AccountId, space: Space, id: Uuid) -> Result<Option<Managed>, StoreError> {
        let (table, key) = table(space);
        let sql = format!(
            "select managed_by, managed_key from {table} where account_id = $1 and {key} = $2 and managed_key is not null"
        );
        let row: Option<(Option<String>, String)> = read!(self, pool =>
            sqlx::query_as(sqlx::AssertSqlSafe(sql.as_str())).bind(account.0).bind(id).fetch_optional(pool).await?);
        Ok(row.map(|(by, key)| Managed { by: by.unwrap_or_default(), key }))
    }

    /// For the scheduler: websites that a command beside this hub has changed, each with its number; 1,000 at most. On SQLite
    /// alone: elsewhere hubs follow each other.
    ///
    /// # Errors
    /// The database is away.
    pub async fn changed_beside(&self) -> Result<Vec<(i64, WebsiteId)>, StoreError> {
        let Pool::Sqlite { read, .. } = &self.pool else { return Ok(Vec::new()) };
        let rows: Vec<(i64, Uuid)> =
            sqlx::query_as("select number, website_id from website_beside order by number limit 1000")
                .fetch_all(read)
                .await?;
        Ok(rows.into_iter().map(|(number, id)| (number, WebsiteId(id))).collect())
    }

    /// Forgets those up to this number: they were read.
    ///
    /// # Errors
    /// The database is away.
    pub async fn forget_beside(&self, up_to: i64) -> Result<(), StoreError> {
        write!(self, pool => sqlx::query("delete from website_beside where number <= $1")
            .bind(up_to).execute(pool).await.map(|_| ())?);
        Ok(())
    }
}
