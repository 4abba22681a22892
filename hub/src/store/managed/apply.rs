//! Writing a plan. Order: websites before the account, always (as `store::incidents` has it); what goes before what comes,
//! which may be limited in number; what is referred to before what refers to it.

mod channels;
mod pages;
mod websites;

use uuid::Uuid;

use super::table;
use crate::model::manifest::{Kind, Space, Spec, Write};
use crate::model::{AccountId, Change, ChannelId, FieldError, MaintenanceId, UtcMs, WebsiteId};
use crate::store::ingest::{Locked, Transaction};
use crate::store::jobs::on;
use crate::store::{Store, StoreError, incidents, status_pages};

/// What became of a plan. Unless it is done, nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Applied {
    /// All of it holds.
    Done,
    /// Somebody else changed something of it first.
    Meanwhile,
    /// One of its websites cannot depend on what it is to depend on.
    Refused(Uuid, FieldError),
    /// Another page of the installation has this `slug` or `domain`.
    Taken(&'static str),
    /// The account would have more of these than it may have.
    TooMany(Kind),
}

impl Store {
    /// Does what a plan of the file `by` says about the account, all of it or nothing.
    ///
    /// # Errors
    /// The database is away, or busy ([`StoreError::is_passing`]): nothing was changed.
    pub async fn apply_manifest(
        &self,
        account: AccountId,
        by: &str,
        writes: &[Write],
        now: UtcMs,
    ) -> Result<Applied, StoreError> {
        if writes.is_empty() {
            return Ok(Applied::Done);
        }
        // Without a bound on the whole: ten thousand objects take their time, and each statement has its own.
        let mut tx = Transaction::begin(&self.pool).await?;
        let most = self.most_websites;
        let mut work = Work { tx: &mut tx, account, by, now, most, gone: Vec::new(), touched: Vec::new() };
        let done = match work.all(writes).await {
            Ok(done) => done,
            Err(error) if status_pages::taken(&error).is_some() => {
                Err(Applied::Taken(status_pages::taken(&error).unwrap_or("slug")))
            }
            Err(StoreError::Database(sqlx::Error::Database(error))) if error.is_unique_violation() => {
                Err(Applied::Meanwhile)
            }
            Err(error) => return Err(error),
        };
        match done {
            Ok(alerts_are_due) => {
                probe::fail_point!("apply.written");
                tx.commit().await?;
                if alerts_are_due {
                    self.ring();
                }
                Ok(Applied::Done)
            }
            Err(refused) => {
                tx.rollback().await?;
                Ok(refused)
            }
        }
    }
}

/// Inside: whether alerts are due; or why nothing is to be changed.
type Done<T> = Result<Result<T, Applied>, StoreError>;

struct Work<'a> {
    tx: &'a mut Transaction,
    account: AccountId,
    by: &'a str,
    now: UtcMs,
    /// Websites and jobs that an account may have.
    most: Option<i64>,
    /// What it is to incidents that websites were changed.
    gone: Vec<Change>,
    /// Websites that hubs are to read again.
    touched: Vec<WebsiteId>,
}

/// Goes on, or returns why not.
macro_rules! ok {
    ($done:expr) => {
        match $done {
            Ok(done) => done,
            Err(refused) => return Ok(Err(refused)),
        }
    };
}

impl Work<'_> {
    async fn all(&mut self, writes: &[Write]) -> Done<bool> {
        self.lock(writes).await?;
        for write in writes {
            if let Write::Remove { id, kind: Kind::Maintenance } = write {
                self.remove_window(MaintenanceId(*id)).await?;
            }
        }
        let (going, staying): (Vec<&Write>, Vec<&Write>) =
            writes.iter().partition(|write| matches!(write, Write::Remove { .. }));
        for write in &staying {
            ok!(self.website(write).await?);
        }
        // Before the websites go that they were about, and they with them.
        for write in staying.iter().filter(|write| matches!(write, Write::Change { .. })) {
            ok!(self.window(write).await?);
        }
        for write in &going {
            ok!(self.website(write).await?);
        }
        ok!(self.ties(writes).await?);
        let changes = std::mem::take(&mut self.gone);
        let alerts_are_due = incidents::apply(self.tx, changes, Locked::Wait, self.now).await?;
        let account = self.account;
        // Two that add at once take turns here, so that limits hold (T120).
        on!(&mut *self.tx, c => sqlx::query("update account set username = username where account_id = $1")
            .bind(account.0).execute(c).await.map(|_| ())?);
        self.room(writes).await?;
        for write in writes {
            if let Write::Remove { id, kind: Kind::Channel } = write {
                self.remove_channel(ChannelId(*id)).await?;
            }
        }
        for write in writes {
            ok!(self.channel(write).await?);
        }
        self.seconds(writes).await?;
        for write in staying.iter().filter(|write| matches!(write, Write::Add { .. })) {
            ok!(self.window(write).await?);
        }
        ok!(self.pages(writes).await?);
        ok!(self.marks(writes).await?);
        self.tell().await?;
        Ok(Ok(alerts_are_due))
    }

    /// Refuses more websites than the account may have, as whoever adds one does.
    async fn room(&mut self, writes: &[Write]) -> Result<(), StoreError> {
        let adds = |write: &Write| matches!(write, Write::Add { spec: Spec::Website(_) | Spec::Job(_), .. });
        let Some(most) = self.most.filter(|_| writes.iter().any(adds)) else { return Ok(()) };
        let account = self.account;
        let has: i64 = on!(&mut *self.tx, c => sqlx::query_scalar("select count(*) from website where account_id = $1")
            .bind(account.0).fetch_one(c).await?);
        if has > most { Err(StoreError::Full { most }) } else { Ok(()) }
    }

    /// Whoever applies to this account waits here for whoever does already; websites are nobody else's from now on.
    async fn lock(&mut self, writes: &[Write]) -> Result<(), StoreError> {
        let account = self.account;
        let mut ids: Vec<Uuid> =
            writes.iter().filter(|write| write.kind().space() == Space::Websites).map(Write::id).collect();
        ids.sort_unstable();
        match &mut *self.tx {
            Transaction::Postgres(tx) => {
                sqlx::query("select pg_advisory_xact_lock(hashtextextended('manifest ' || $1, 0))")
                    .bind(account.0.to_string())
                    .execute(&mut **tx)
                    .await?;
                // In the order of ingest.
                sqlx::query(
                    "select website_id from website where account_id = $1 and website_id = any($2) \
                     order by website_id for update",
                )
                .bind(account.0)
                .bind(ids)
                .execute(&mut **tx)
                .await?;
            }
            // The one writer from its first write on.
            Transaction::Sqlite(tx) => {
                sqlx::query("update account set username = username where account_id = $1")
                    .bind(account.0)
                    .execute(&mut **tx)
                    .await?;
            }
        }
        Ok(())
    }

    /// Which file keeps what, and as what. What is gone, or was taken by another file since it was looked at, is not ours.
    async fn marks(&mut self, writes: &[Write]) -> Done<()> {
        let (account, by) = (self.account, self.by);
        // Two that change their keys would meet in between.
        for key in [false, true] {
            for write in writes {
                let (id, name, is_new) = match write {
                    Write::Add { id, key, .. } => (id, key, true),
                    Write::Change { id, key, .. } | Write::TakeOver { id, key, .. } => (id, key, false),
                    Write::Remove { .. } => continue,
                };
                if !key && is_new {
                    continue;
                }
                let (table, column) = table(write.kind().space());
                let sql = format!(
                    "update {table} set managed_by = $3, managed_key = $4 where account_id = $1 and {column} = $2 \
                     and (managed_by is null or managed_by = $5)"
                );
                let marked = on!(&mut *self.tx, c => sqlx::query(sqlx::AssertSqlSafe(sql.as_str()))
                    .bind(account.0).bind(id).bind(key.then_some(by)).bind(key.then_some(name)).bind(by).execute(c)
                    .await?.rows_affected());
                if marked != 1 {
                    return Ok(Err(Applied::Meanwhile));
                }
            }
        }
        Ok(Ok(()))
    }

    /// On SQLite, the hub that runs beside; on Postgres a trigger has done so.
    async fn tell(&mut self) -> Result<(), StoreError> {
        let Transaction::Sqlite(tx) = &mut *self.tx else { return Ok(()) };
        for id in &self.touched {
            sqlx::query("insert into website_beside (website_id) values ($1)").bind(id.0).execute(&mut **tx).await?;
        }
        Ok(())
    }
}
