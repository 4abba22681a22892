//! Many websites at once: one transaction each time, all of a batch or nothing of it.

use uuid::Uuid;

use super::ids::Ids;
use super::ingest::{Locked, Transaction};
use super::row::{options_text, regions_text};
use super::ties::{TiesSaved, save_ties, tags_of_row, tags_text};
use super::{Store, StoreError, incidents, jobs, room, write};
use crate::model::verdict::{FIRST_LOOK_WITHIN_MS, NOT_CHECKED, PAUSED, RESUMED};
use crate::model::{
    AccountId, Change, ClosedAs, FieldError, Keeping, Outcome, Tag, Ties, UtcMs, WebsiteId, WebsiteSettings,
};

/// Tries of a transaction that met another the other way round.
const TRIES: u32 = 5;

/// A website that is to be added.
#[derive(Debug, Clone)]
pub struct NewWebsite {
    /// What is checked.
    pub settings: WebsiteSettings,
    /// Its tags, and what it depends on.
    pub ties: Ties,
    /// What is decided about its history.
    pub keeping: Keeping,
    /// It is not watched for now.
    pub paused: bool,
}

impl Store {
    /// Adds websites in one transaction; of each its id, or why what it was to depend on cannot be. Where that is so of any and
    /// `is_whole`, none is added.
    ///
    /// # Errors
    /// The account would have more than it may have, or the database is away: none is added.
    pub async fn add_websites(
        &self,
        account: AccountId,
        websites: &[NewWebsite],
        is_whole: bool,
        now: UtcMs,
    ) -> Result<Vec<Result<WebsiteId, FieldError>>, StoreError> {
        let options: Vec<(String, String)> =
            websites.iter().map(|one| options_text(&one.settings.options)).collect::<Result<_, _>>()?;
        if websites.is_empty() {
            return Ok(Vec::new());
        }
        Ok(write!(self, pool => {
            let mut tx = pool.begin().await?;
            room!(self, tx, account);
            let mut added: Vec<Result<WebsiteId, FieldError>> = Vec::with_capacity(websites.len());
            for (one, (request, expect)) in websites.iter().zip(&options) {
                let (id, settings, keeping) = (WebsiteId(Uuid::now_v7()), &one.settings, &one.keeping);
                sqlx::query("insert into website (website_id, account_id, url, interval_ms, timeout_ms, regions, \
                             request, expect, created_at, paused, retention_days, uptime_goal_ppm, is_badge_public) \
                             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)")
                    .bind(id.0).bind(account.0).bind(&settings.url).bind(settings.interval_ms)
                    .bind(settings.timeout_ms).bind(regions_text(settings)).bind(request).bind(expect).bind(now)
                    .bind(one.paused).bind(keeping.retention_days.map(i64::from))
                    .bind(keeping.uptime_goal_ppm.map(i64::from)).bind(keeping.is_badge_public)
                    .execute(&mut *tx).await?;
                let (reason, until) =
                    if one.paused { (PAUSED, None) } else { (NOT_CHECKED, Some(now + FIRST_LOOK_WITHIN_MS)) };
                sqlx::query("insert into website_state (website_id, verdict, since_at, reason, fresh_until_at) \
                             values ($1, $2, $3, $4, $5)")
                    .bind(id.0).bind(Outcome::Unknown.as_str()).bind(now).bind(reason).bind(until)
                    .execute(&mut *tx).await?;
                if one.ties != Ties::default()
                    && let TiesSaved::Refused(refused) = save_ties!(tx, account, id, &one.ties)
                {
                    sqlx::query("delete from website where website_id = $1").bind(id.0).execute(&mut *tx).await?;
                    added.push(Err(refused));
                } else {
                    added.push(Ok(id));
                }
            }
            if let Some(most) = self.most_websites {
                let has: i64 = sqlx::query_scalar("select count(*) from website where account_id = $1")
                    .bind(account.0).fetch_one(&mut *tx).await?;
                if has > most {
                    tx.rollback().await?;
                    return Err(StoreError::Full { most });
                }
            }
            if is_whole && added.iter().any(Result::is_err) { tx.rollback().await? } else { tx.commit().await? }
            added
        }))
    }

    /// Pauses or resumes those of these websites that are the account's and are not so already: which they were.
    ///
    /// # Errors
    /// The database is away: none is.
    pub async fn set_all_paused(
        &self,
        account: AccountId,
        ids: &[WebsiteId],
        paused: bool,
        now: UtcMs,
    ) -> Result<Vec<WebsiteId>, StoreError> {
        for _ in 1..TRIES {
            match self.pause_all_once(account, ids, paused, now).await {
                // Ingest locks by id, one statement over many by whatever it reads first.
                Err(error) if error.is_collision() => {}
                done => return done,
            }
        }
        self.pause_all_once(account, ids, paused, now).await
    }

    async fn pause_all_once(
        &self,
        account: AccountId,
        ids: &[WebsiteId],
        paused: bool,
        now: UtcMs,
    ) -> Result<Vec<WebsiteId>, StoreError> {
        let asked = Ids(ids.iter().map(|id| id.0).collect());
        let these = self.one_of(1);
        let pause = format!(
            "update website set paused = $2, revision = revision + 1, watched_since_at = $3 \
             where website_id {these} and account_id = $4 and paused <> $2 returning website_id"
        );
        let forget = format!("delete from region_state where website_id {these}");
        let note = format!(
            "insert into transition (website_id, decided_at, number, at, from_verdict, to_verdict, reason) \
             select website_id, $2, (select count(*) from transition t where t.website_id = website_state.website_id \
             and t.decided_at = $2), $2, verdict, 'unknown', $3 from website_state \
             where website_id {these} and verdict <> 'unknown'"
        );
        let state = format!(
            "update website_state set verdict = 'unknown', since_at = $2, reason = $3, fresh_until_at = $4, \
             recent_changes = '', flapping_since_at = null, failing_regions = '', certificate_near = '', \
             certificates = '' where website_id {these}"
        );
        let reason = if paused { PAUSED } else { RESUMED };
        let until = (!paused).then_some(now + FIRST_LOOK_WITHIN_MS);
        let changed: Vec<Uuid> = write!(self, pool => {
            let mut tx = pool.begin().await?;
            let changed: Vec<Uuid> = sqlx::query_scalar(sqlx::AssertSqlSafe(pause.as_str()))
                .bind(asked.clone()).bind(paused).bind(now).bind(account.0).fetch_all(&mut *tx).await?;
            let these = Ids(changed.clone());
            sqlx::query(sqlx::AssertSqlSafe(forget.as_str())).bind(these.clone()).execute(&mut *tx).await?;
            sqlx::query(sqlx::AssertSqlSafe(note.as_str())).bind(these.clone()).bind(now).bind(reason)
                .execute(&mut *tx).await?;
            sqlx::query(sqlx::AssertSqlSafe(state.as_str())).bind(these).bind(now).bind(reason).bind(until)
                .execute(&mut *tx).await?;
            self.commit_all(tx.into(), account, &changed, ClosedAs::Paused, now).await?;
            changed
        });
        Ok(changed.into_iter().map(WebsiteId).collect())
    }

    /// Gives a tag to those of these websites that are the account's, or takes it from them: which are others than before. One
    /// that has as many tags as it may have keeps those.
    ///
    /// # Errors
    /// The database is away: none is.
    pub async fn tag_websites(
        &self,
        account: AccountId,
        ids: &[WebsiteId],
        tag: &Tag,
        is_given: bool,
    ) -> Result<Vec<WebsiteId>, StoreError> {
        for _ in 1..TRIES {
            match self.tag_all_once(account, ids, tag, is_given).await {
                Err(error) if error.is_collision() => {}
                done => return done,
            }
        }
        self.tag_all_once(account, ids, tag, is_given).await
    }

    async fn tag_all_once(
        &self,
        account: AccountId,
        ids: &[WebsiteId],
        tag: &Tag,
        is_given: bool,
    ) -> Result<Vec<WebsiteId>, StoreError> {
        let asked = Ids(ids.iter().map(|id| id.0).collect());
        let these = self.one_of(2);
        let select = format!(
            "select website_id, tags from website where account_id = $1 and website_id {these} order by website_id"
        );
        let changed: Vec<Uuid> = write!(self, pool => {
            let mut tx = pool.begin().await?;
            let known: Vec<(Uuid, String)> = sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()))
                .bind(account.0).bind(asked.clone()).fetch_all(&mut *tx).await?;
            let mut changed = Vec::new();
            for (id, before) in known {
                let Some(after) = with_tag(&before, tag, is_given) else { continue };
                // Whoever has saved others meanwhile keeps them.
                let done = sqlx::query("update website set tags = $3 where account_id = $1 and website_id = $2 and tags = $4")
                    .bind(account.0).bind(id).bind(after).bind(before).execute(&mut *tx).await?;
                if done.rows_affected() == 1 {
                    changed.push(id);
                }
            }
            tx.commit().await?;
            changed
        });
        Ok(changed.into_iter().map(WebsiteId).collect())
    }

    /// Deletes those of these websites that are the account's: which they were.
    ///
    /// # Errors
    /// The database is away: none is.
    pub async fn delete_websites(
        &self,
        account: AccountId,
        ids: &[WebsiteId],
        now: UtcMs,
    ) -> Result<Vec<WebsiteId>, StoreError> {
        for _ in 1..TRIES {
            match self.delete_all_once(account, ids, now).await {
                Err(error) if error.is_collision() => {}
                done => return done,
            }
        }
        self.delete_all_once(account, ids, now).await
    }

    async fn delete_all_once(
        &self,
        account: AccountId,
        ids: &[WebsiteId],
        now: UtcMs,
    ) -> Result<Vec<WebsiteId>, StoreError> {
        let asked = Ids(ids.iter().map(|id| id.0).collect());
        let delete =
            format!("delete from website where website_id {} and account_id = $2 returning website_id", self.one_of(1));
        let gone: Vec<Uuid> = write!(self, pool => {
            let mut tx = pool.begin().await?;
            let gone: Vec<Uuid> = sqlx::query_scalar(sqlx::AssertSqlSafe(delete.as_str()))
                .bind(asked.clone()).bind(account.0).fetch_all(&mut *tx).await?;
            self.commit_all(tx.into(), account, &gone, ClosedAs::Deleted, now).await?;
            gone
        });
        Ok(gone.into_iter().map(WebsiteId).collect())
    }

    /// Commits what made websites forgotten, and with it what that is to their incidents.
    async fn commit_all(
        &self,
        mut tx: Transaction,
        account: AccountId,
        ids: &[Uuid],
        closed_as: ClosedAs,
        now: UtcMs,
    ) -> Result<(), StoreError> {
        if closed_as == ClosedAs::Paused {
            for id in ids {
                jobs::paused(&mut tx, WebsiteId(*id), now).await?;
            }
        }
        let changes = ids.iter().map(|id| Change::gone(WebsiteId(*id), account, "", closed_as, now)).collect();
        let alerts_are_due = incidents::apply(&mut tx, changes, Locked::Wait, now).await?;
        tx.commit().await?;
        if alerts_are_due {
            self.ring();
        }
        Ok(())
    }
}

/// The column with the tag, or without it; `None`: it is so already, or would be too long.
fn with_tag(before: &str, tag: &Tag, is_given: bool) -> Option<String> {
    let mut tags = tags_of_row(before);
    if tags.contains(tag) == is_given || (is_given && tags.len() >= Tag::MOST) {
        return None;
    }
    if is_given {
        tags.push(tag.clone());
        tags.sort_unstable();
    } else {
        tags.retain(|other| other != tag);
    }
    Some(tags_text(&tags))
}
