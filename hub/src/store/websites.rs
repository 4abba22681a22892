//! Websites, each seen by its owner only.

use uuid::Uuid;

use super::ingest::{Locked, Transaction};
use super::row::{WEBSITE, WebsiteRow, options_text};
use super::ties::{TiesSaved, save_ties};
use super::{Store, StoreError, incidents, jobs, patiently, read, room, write};
use crate::model::verdict::{EDITED, FIRST_LOOK_WITHIN_MS, PAUSED, RESUMED};
use crate::model::{
    AccountId, Change, ClosedAs, FieldError, Ties, UtcMs, Website, WebsiteId, WebsiteKind, WebsiteName, WebsiteSettings,
};
use crate::new_id;

/// Tries of a deletion that met ingest the other way round (T211).
const DELETE_TRIES: u32 = 5;

/// What became of an edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edited {
    /// It holds; the website as it is now.
    Saved(Website),
    /// Nothing was changed, since somebody else changed it first; the website as it is now.
    Meanwhile(Website),
    /// Nothing was changed: what it was to depend on cannot be.
    Refused(FieldError),
}

/// `select` of whole website rows, with the rest of the statement.
macro_rules! select_website {
    ($rest:literal) => {
        sqlx::AssertSqlSafe(format!("select {WEBSITE} from website {}", $rest))
    };
}

/// Forgets the current state of a website inside a transaction; the change of verdict is recorded as one. `$until`:
/// when it counts as looked at by nobody, unless a tick comes.
macro_rules! forget {
    ($tx:ident, $id:expr, $now:expr, $reason:expr, $until:expr) => {
        sqlx::query("update website set watched_since_at = $2 where website_id = $1")
            .bind($id.0)
            .bind($now)
            .execute(&mut *$tx)
            .await?;
        sqlx::query("delete from region_state where website_id = $1").bind($id.0).execute(&mut *$tx).await?;
        sqlx::query(
            "insert into transition (website_id, decided_at, number, at, from_verdict, to_verdict, reason) \
             select website_id, $2, (select count(*) from transition t where t.website_id = $1 and t.decided_at = $2), \
             $2, verdict, 'unknown', $3 from website_state where website_id = $1 and verdict <> 'unknown'",
        )
        .bind($id.0)
        .bind($now)
        .bind($reason)
        .execute(&mut *$tx)
        .await?;
        sqlx::query(
            "update website_state set verdict = 'unknown', since_at = $2, reason = $3, fresh_until_at = $4, \
             recent_changes = '', flapping_since_at = null, failing_regions = '', certificate_near = '', \
             certificates = '' where website_id = $1",
        )
        .bind($id.0)
        .bind($now)
        .bind($reason)
        .bind($until)
        .execute(&mut *$tx)
        .await?;
    };
}

/// Adds a website inside a transaction; its verdict is unknown.
macro_rules! insert_website {
    ($tx:ident, $account:expr, $id:expr, $settings:expr, $request:expr, $expect:expr, $now:expr) => {{
        sqlx::query(
            "insert into website (website_id, account_id, url, interval_ms, timeout_ms, regions, request, expect, \
             created_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind($id.0)
        .bind($account.0)
        .bind(&$settings.url)
        .bind($settings.interval_ms)
        .bind($settings.timeout_ms)
        .bind($crate::store::row::regions_text($settings))
        .bind($request)
        .bind($expect)
        .bind($now)
        .execute(&mut *$tx)
        .await?;
        sqlx::query(
            "insert into website_state (website_id, verdict, since_at, reason, fresh_until_at) \
             values ($1, $2, $3, $4, $5)",
        )
        .bind($id.0)
        .bind($crate::model::Outcome::Unknown.as_str())
        .bind($now)
        .bind($crate::model::verdict::NOT_CHECKED)
        .bind($now + $crate::model::verdict::FIRST_LOOK_WITHIN_MS)
        .execute(&mut *$tx)
        .await?;
    }};
}

/// Sets the settings of a website as it was at a revision, inside a transaction; 1 when it was.
macro_rules! update_website {
    ($tx:ident, $account:expr, $id:expr, $revision:expr, $settings:expr, $request:expr, $expect:expr) => {
        sqlx::query(
            "update website set url = $3, interval_ms = $4, timeout_ms = $5, regions = $6, request = $7, expect = $8, \
             revision = revision + 1 where account_id = $1 and website_id = $2 and revision = $9 and kind = 'http'",
        )
        .bind($account.0)
        .bind($id.0)
        .bind(&$settings.url)
        .bind($settings.interval_ms)
        .bind($settings.timeout_ms)
        .bind($crate::store::row::regions_text($settings))
        .bind($request)
        .bind($expect)
        .bind($revision)
        .execute(&mut *$tx)
        .await?
        .rows_affected()
    };
}

/// Pauses or resumes inside a transaction; 1 when it was otherwise.
macro_rules! pause_website {
    ($tx:ident, $account:expr, $id:expr, $paused:expr) => {
        sqlx::query(
            "update website set paused = $3, revision = revision + 1 \
             where account_id = $1 and website_id = $2 and paused <> $3",
        )
        .bind($account.0)
        .bind($id.0)
        .bind($paused)
        .execute(&mut *$tx)
        .await?
        .rows_affected()
    };
}

/// Deletes a website inside a transaction; 1 when it was there.
macro_rules! remove_website {
    ($tx:ident, $account:expr, $id:expr) => {
        sqlx::query("delete from website where account_id = $1 and website_id = $2")
            .bind($account.0)
            .bind($id.0)
            .execute(&mut *$tx)
            .await?
            .rows_affected()
    };
}

pub(super) use {forget, insert_website, pause_website, remove_website, update_website};

impl Store {
    /// Adds a website; its verdict is unknown until the first round (T252).
    ///
    /// # Errors
    /// The database is away.
    pub async fn add_website(
        &self,
        account: AccountId,
        settings: &WebsiteSettings,
        now: UtcMs,
    ) -> Result<Website, StoreError> {
        let added = self.add_website_tied(account, settings, &Ties::default(), now).await?;
        added.map_err(|refused| StoreError::Corrupt(refused.remedy))
    }

    /// Adds a website with its ties, both or neither: inside, why what it was to depend on cannot be.
    ///
    /// # Errors
    /// The database is away.
    pub async fn add_website_tied(
        &self,
        account: AccountId,
        settings: &WebsiteSettings,
        ties: &Ties,
        now: UtcMs,
    ) -> Result<Result<Website, FieldError>, StoreError> {
        let website = Website {
            website_id: WebsiteId(new_id::ordered()),
            account_id: account,
            kind: WebsiteKind::Http,
            settings: settings.clone(),
            paused: false,
            is_unreadable: false,
            created_at: now,
            revision: 1,
        };
        let (request, expect) = options_text(&settings.options)?;
        let refused = write!(self, pool => 'done: {
            let mut tx = pool.begin().await?;
            room!(self, tx, account);
            insert_website!(tx, account, website.website_id, settings, &request, &expect, now);
            if *ties != Ties::default()
                && let TiesSaved::Refused(refused) = save_ties!(tx, account, website.website_id, ties)
            {
                tx.rollback().await?;
                break 'done Some(refused);
            }
            tx.commit().await?;
            None
        });
        Ok(match refused {
            Some(refused) => Err(refused),
            None => Ok(website),
        })
    }

    /// Changes the settings as they were at `revision`, and no others. What was known under the old ones is forgotten;
    /// history stays. `None`: not yours.
    ///
    /// # Errors
    /// The database is away.
    pub async fn edit_website(
        &self,
        account: AccountId,
        id: WebsiteId,
        revision: i64,
        settings: &WebsiteSettings,
        now: UtcMs,
    ) -> Result<Option<Edited>, StoreError> {
        self.edit_website_tied(account, id, revision, settings, None, now).await
    }

    /// The same, with its ties where they are given: all of it or nothing.
    ///
    /// # Errors
    /// The database is away.
    pub async fn edit_website_tied(
        &self,
        account: AccountId,
        id: WebsiteId,
        revision: i64,
        settings: &WebsiteSettings,
        ties: Option<&Ties>,
        now: UtcMs,
    ) -> Result<Option<Edited>, StoreError> {
        let (request, expect) = options_text(&settings.options)?;
        let changed = write!(self, pool => 'done: {
            let mut tx = pool.begin().await?;
            let changed = update_website!(tx, account, id, revision, settings, &request, &expect);
            if changed == 1
                && let Some(ties) = ties
                && let TiesSaved::Refused(refused) = save_ties!(tx, account, id, ties)
            {
                tx.rollback().await?;
                break 'done Err(refused);
            }
            if changed == 1 {
                let is_watched: bool = sqlx::query_scalar("select not paused from website where website_id = $1")
                    .bind(id.0).fetch_one(&mut *tx).await?;
                let until = is_watched.then_some(now + FIRST_LOOK_WITHIN_MS);
                forget!(tx, id, now, EDITED, until);
            }
            let closed_as = (changed == 1).then_some(ClosedAs::Changed);
            self.commit_forgotten(tx.into(), account, id, closed_as, now).await?;
            Ok(changed)
        });
        let changed = match changed {
            Ok(changed) => changed,
            Err(refused) => return Ok(Some(Edited::Refused(refused))),
        };
        let found = self.website(account, id).await?;
        Ok(found.map(|website| if changed == 1 { Edited::Saved(website) } else { Edited::Meanwhile(website) }))
    }

    /// Pauses or resumes. `None`: not yours.
    ///
    /// # Errors
    /// The database is away.
    pub async fn set_paused(
        &self,
        account: AccountId,
        id: WebsiteId,
        paused: bool,
        now: UtcMs,
    ) -> Result<Option<Website>, StoreError> {
        write!(self, pool => {
            let mut tx = pool.begin().await?;
            let changed = pause_website!(tx, account, id, paused);
            if changed == 1 {
                let reason = if paused { PAUSED } else { RESUMED };
                let until = (!paused).then_some(now + FIRST_LOOK_WITHIN_MS);
                forget!(tx, id, now, reason, until);
            }
            // Nothing is open of what was paused, unless a hub did it that knows of no incidents: what would tell their
            // ends (which regions fail, whether it flaps) was forgotten just now.
            let closed_as = (changed == 1).then_some(ClosedAs::Paused);
            self.commit_forgotten(tx.into(), account, id, closed_as, now).await?;
        });
        self.website(account, id).await
    }

    /// Deletes it and what is known of it. `false`: not yours.
    ///
    /// # Errors
    /// The database is away.
    pub async fn delete_website(&self, account: AccountId, id: WebsiteId) -> Result<bool, StoreError> {
        for _ in 1..DELETE_TRIES {
            match self.delete_once(account, id).await {
                // What depends on it is locked after it, whatever their ids; ingest locks by id.
                Err(error) if error.is_collision() => {}
                done => return done,
            }
        }
        self.delete_once(account, id).await
    }

    async fn delete_once(&self, account: AccountId, id: WebsiteId) -> Result<bool, StoreError> {
        let gone = write!(self, pool => {
            let mut tx = pool.begin().await?;
            let gone = remove_website!(tx, account, id);
            let closed_as = (gone == 1).then_some(ClosedAs::Deleted);
            self.commit_forgotten(tx.into(), account, id, closed_as, crate::clock::now()).await?;
            gone
        });
        Ok(gone == 1)
    }

    /// Commits what made a website forgotten, and with it what that is to its incidents.
    async fn commit_forgotten(
        &self,
        mut tx: Transaction,
        account: AccountId,
        id: WebsiteId,
        closed_as: Option<ClosedAs>,
        now: UtcMs,
    ) -> Result<(), StoreError> {
        if closed_as == Some(ClosedAs::Paused) {
            jobs::paused(&mut tx, id, now).await?;
        }
        // Its address is as its part in them has it.
        let changes = closed_as.map(|closed_as| Change::gone(id, account, "", closed_as, now));
        let alerts_are_due = incidents::apply(&mut tx, changes.into_iter().collect(), Locked::Wait, now).await?;
        tx.commit().await?;
        if alerts_are_due {
            self.ring();
        }
        Ok(())
    }

    /// One of the account's websites.
    ///
    /// # Errors
    /// The database is away.
    pub async fn website(&self, account: AccountId, id: WebsiteId) -> Result<Option<Website>, StoreError> {
        let row: Option<WebsiteRow> = read!(self, pool =>
            sqlx::query_as(select_website!("where account_id = $1 and website_id = $2"))
                .bind(account.0).bind(id.0).fetch_optional(pool).await?);
        row.map(Website::try_from).transpose()
    }

    /// All of the account's websites, oldest first.
    ///
    /// # Errors
    /// The database is away.
    pub async fn websites(&self, account: AccountId) -> Result<Vec<Website>, StoreError> {
        let rows: Vec<WebsiteRow> = read!(self, pool =>
            sqlx::query_as(select_website!("where account_id = $1 order by created_at, website_id"))
                .bind(account.0).fetch_all(pool).await?);
        rows.into_iter().map(Website::try_from).collect()
    }

    /// Names of the account's websites: the oldest, `limit` at most, and `also` these where they are the account's.
    ///
    /// # Errors
    /// The database is away.
    pub async fn website_names(
        &self,
        account: AccountId,
        limit: i64,
        also: &[WebsiteId],
    ) -> Result<Vec<WebsiteName>, StoreError> {
        let places: Vec<String> = (3..also.len() + 3).map(|n| format!("${n}")).collect();
        let these = if places.is_empty() { String::new() } else { format!("or website_id in ({})", places.join(", ")) };
        let select = format!(
            "select website_id, url from website where account_id = $1 and (website_id in (select website_id \
             from website where account_id = $1 order by created_at, website_id limit $2) {these})"
        );
        let rows: Vec<(Uuid, String)> = read!(self, pool => {
            let query = sqlx::query_as(sqlx::AssertSqlSafe(select.as_str())).bind(account.0).bind(limit);
            also.iter().fold(query, |query, id| query.bind(id.0)).fetch_all(pool).await?
        });
        Ok(rows.into_iter().map(|(id, url)| WebsiteName { website_id: WebsiteId(id), url }).collect())
    }

    /// For the scheduler, over all accounts: websites that are not paused and that probes ask, by id, after `after`.
    ///
    /// # Errors
    /// The database is away.
    pub async fn scheduled_websites(&self, after: Option<WebsiteId>, limit: i64) -> Result<Vec<Website>, StoreError> {
        let after = after.map_or(Uuid::nil(), |id| id.0);
        let rows: Vec<WebsiteRow> = read!(self, pool =>
            sqlx::query_as(select_website!("where website_id > $1 and not paused and kind = 'http' order by website_id limit $2"))
                .bind(after).bind(limit).fetch_all(pool).await?);
        rows.into_iter().map(Website::try_from).collect()
    }

    /// For the scheduler: one website; `None` when it is gone or paused.
    ///
    /// # Errors
    /// The database is away.
    pub async fn scheduled_website(&self, id: WebsiteId) -> Result<Option<Website>, StoreError> {
        // The pool for writes: an edit that was just committed must be seen.
        let row: Option<WebsiteRow> = write!(self, pool =>
            sqlx::query_as(select_website!("where website_id = $1 and not paused and kind = 'http'"))
                .bind(id.0).fetch_optional(pool).await?);
        row.map(Website::try_from).transpose()
    }

    /// For the scheduler at its start: websites that nobody has looked at since they were added, edited or resumed.
    ///
    /// # Errors
    /// The database is away.
    pub async fn unlooked_websites(&self) -> Result<Vec<WebsiteId>, StoreError> {
        let ids: Vec<Uuid> = patiently!(self, connection => sqlx::query_scalar(
            "select website_id from website where not paused and kind = 'http' and not exists \
             (select 1 from region_state where region_state.website_id = website.website_id)")
            .fetch_all(connection).await?);
        Ok(ids.into_iter().map(WebsiteId).collect())
    }
}
