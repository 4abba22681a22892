//! A past that was made: for a demo, whose history nobody has measured. Results and roll-ups are put where ingest and counting
//! would have left them. Nothing here judges: whoever makes a past judges with [`Store::ingest`] what is to be judged.

use std::collections::BTreeSet;

use super::ingest::Transaction;
use super::jobs::on;
use super::roll_up::{Subject, put_progress, put_roll_ups};
use super::uptime::write_days;
use super::{Store, StoreError, write};
use crate::model::roll_up::{Grain, Progress, RollUp};
use crate::model::{AccountId, RegionId, StoredTick, UtcMs, WebsiteId};

impl Store {
    /// Stores results as they are: no verdict is judged by them. Those that are known stay as they are.
    ///
    /// # Errors
    /// The database is away: nothing was stored.
    pub async fn put_ticks(&self, ticks: &[StoredTick]) -> Result<(), StoreError> {
        let mut tx = Transaction::begin(&self.pool).await?;
        for tick in ticks {
            tx.insert_tick(tick).await?;
        }
        tx.commit().await
    }

    /// Stores what the hours or days of websites came to, each from a region.
    ///
    /// # Errors
    /// The database is away: nothing was stored.
    pub async fn put_roll_ups(
        &self,
        grain: Grain,
        rows: &[((WebsiteId, UtcMs, RegionId), RollUp)],
    ) -> Result<(), StoreError> {
        let mut tx = Transaction::begin(&self.pool).await?;
        put_roll_ups(&mut tx, grain, rows).await?;
        tx.commit().await
    }

    /// Counts how an account's websites spent the days that are over at `now`, by their verdicts; from then on all counting is
    /// done that could be.
    ///
    /// # Errors
    /// The database is away.
    pub async fn put_days(&self, account: AccountId, since: UtcMs, now: UtcMs) -> Result<(), StoreError> {
        let (websites, ties) = (self.websites(account).await?, self.ties(account).await?);
        let until = Grain::Day.settled_until(now);
        let subject = |website: crate::model::Website| Subject {
            website_id: website.website_id,
            account_id: account,
            created_at: website.created_at,
            tags: ties.get(&website.website_id).map(|ties| ties.tags.clone()).unwrap_or_default(),
        };
        let spans: Vec<_> = websites.into_iter().map(|website| (subject(website), since, until)).collect();
        let days = self.uptime_days(&spans).await?;
        let begun = Progress::begin(Some(since), now);
        let at_begin = |place| crate::model::roll_up::Place { at: begun.back_until_at, ..place };
        let counted =
            Progress { hours_back: at_begin(begun.hours_back), days_back: at_begin(begun.days_back), ..begun };
        let mut tx = Transaction::begin(&self.pool).await?;
        write_days(&mut tx, &days).await?;
        put_progress(&mut tx, &counted).await?;
        tx.commit().await
    }

    /// What is known of these websites counts until then, though nobody has looked since.
    ///
    /// # Errors
    /// The database is away.
    pub async fn put_freshness(&self, websites: &BTreeSet<WebsiteId>, until: UtcMs) -> Result<(), StoreError> {
        let mut tx = Transaction::begin(&self.pool).await?;
        for id in websites {
            on!(&mut tx, c => sqlx::query(
                "update website_state set fresh_until_at = $2 where website_id = $1 and fresh_until_at < $2")
                .bind(id.0).bind(until).execute(c).await.map(|_| ())?);
        }
        tx.commit().await
    }

    /// Somebody heard what jobs reported, until then.
    ///
    /// # Errors
    /// The database is away.
    pub async fn put_listening(&self, until: UtcMs) -> Result<(), StoreError> {
        write!(self, pool => sqlx::query("update listening set alive_at = $1").bind(until).execute(pool).await.map(|_| ())?);
        Ok(())
    }

    /// No file keeps what an account has any more.
    ///
    /// # Errors
    /// The database is away.
    pub async fn release(&self, account: AccountId) -> Result<(), StoreError> {
        for table in ["website", "channel", "maintenance"] {
            let sql = format!("update {table} set managed_by = null, managed_key = null where account_id = $1");
            write!(self, pool => sqlx::query(sqlx::AssertSqlSafe(sql.as_str())).bind(account.0).execute(pool).await
                .map(|_| ())?);
        }
        Ok(())
    }
}
