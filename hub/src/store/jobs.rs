//! Jobs: what they are and what they said, each seen by its owner only, but for whoever knows its ping id.
//!
//! A job is a website of its own kind; its row here is read and written under the lock of its website, as verdicts are.

mod look;
mod ping;
mod rows;

use uuid::Uuid;

pub use self::look::{Heard, Missed};
pub use self::ping::Pinged;
pub(super) use self::rows::on;
use self::rows::{JOB, JobRow, KeptPingRow, read_job, write_awaited};
use super::ingest::Transaction;
use super::row::{STATE, StateFields, WEBSITE, WebsiteRow};
use super::ties::{TiesSaved, save_ties};
use super::{Edited, Store, StoreError, read, room, write};
use crate::model::{
    AccountId, FieldError, Job, JobPlan, KeptPing, Outcome, PingId, Ties, UtcMs, Website, WebsiteCursor, WebsiteId,
    WebsiteState, job,
};
use crate::new_id;

/// A job with what holds of it.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownJob {
    /// The website that it is.
    pub website: Website,
    /// Its verdict.
    pub state: WebsiteState,
    /// What is special about it.
    pub job: Job,
}

#[derive(sqlx::FromRow)]
struct KnownRow {
    #[sqlx(flatten)]
    website: WebsiteRow,
    #[sqlx(flatten)]
    state: StateFields,
    #[sqlx(flatten)]
    job: JobRow,
}

impl TryFrom<KnownRow> for KnownJob {
    type Error = StoreError;

    fn try_from(row: KnownRow) -> Result<Self, StoreError> {
        let website = Website::try_from(row.website)?;
        let job = row.job.of(website.website_id, &website.settings.url)?;
        Ok(Self { state: row.state.shown(website.website_id), job, website })
    }
}

/// Jobs of account `$1`.
fn select_job() -> String {
    format!(
        "select {WEBSITE}, {STATE}, {JOB} from website join website_state using (website_id) \
         join job using (website_id) where account_id = $1"
    )
}

/// Adds a job inside a transaction.
macro_rules! insert_job {
    ($tx:ident, $account:expr, $id:expr, $ping_id:expr, $plan:expr, $now:expr) => {{
        // Nobody noted that hubs live while there was nothing to hear: that was no time of deafness.
        sqlx::query("update listening set alive_at = $1 where alive_at < $1 and not exists (select 1 from job)")
            .bind($now)
            .execute(&mut *$tx)
            .await?;
        sqlx::query(
            "insert into website (website_id, account_id, kind, url, interval_ms, timeout_ms, regions, created_at) \
             values ($1, $2, 'job', $3, $4, 10000, $5, $6)",
        )
        .bind($id)
        .bind($account.0)
        .bind(&$plan.name)
        .bind($plan.schedule.interval_ms($now))
        .bind($crate::model::job::REGION)
        .bind($now)
        .execute(&mut *$tx)
        .await?;
        sqlx::query("insert into website_state (website_id, verdict, since_at, reason) values ($1, $2, $3, $4)")
            .bind($id)
            .bind($crate::model::Outcome::Unknown.as_str())
            .bind($now)
            .bind($crate::model::job::NEW)
            .execute(&mut *$tx)
            .await?;
        sqlx::query("insert into job (website_id, ping_id, schedule, time_zone, grace_ms) values ($1, $2, $3, $4, $5)")
            .bind($id)
            .bind($ping_id)
            .bind($plan.schedule.text())
            .bind($plan.schedule.time_zone())
            .bind($plan.grace_ms)
            .execute(&mut *$tx)
            .await?;
    }};
}
pub(super) use insert_job;

impl Store {
    /// Adds a job; nothing is awaited of it until its first ping.
    ///
    /// # Errors
    /// The database is away.
    pub async fn add_job(&self, account: AccountId, plan: &JobPlan, now: UtcMs) -> Result<WebsiteId, StoreError> {
        let added = self.add_job_tied(account, plan, &Ties::default(), now).await?;
        added.map_err(|refused| StoreError::Corrupt(refused.remedy))
    }

    /// Adds a job with its ties, both or neither: inside, why what it was to depend on cannot be.
    ///
    /// # Errors
    /// The database is away.
    pub async fn add_job_tied(
        &self,
        account: AccountId,
        plan: &JobPlan,
        ties: &Ties,
        now: UtcMs,
    ) -> Result<Result<WebsiteId, FieldError>, StoreError> {
        let (id, ping_id) = (new_id::ordered(), new_id::random());
        let refused = write!(self, pool => 'done: {
            let mut tx = pool.begin().await?;
            room!(self, tx, account);
            insert_job!(tx, account, id, ping_id, plan, now);
            if *ties != Ties::default()
                && let TiesSaved::Refused(refused) = save_ties!(tx, account, WebsiteId(id), ties)
            {
                tx.rollback().await?;
                break 'done Some(refused);
            }
            tx.commit().await?;
            None
        });
        Ok(match refused {
            Some(refused) => Err(refused),
            None => Ok(WebsiteId(id)),
        })
    }

    /// Changes the plan of a job as it was at `revision`. What is known stays, for it is about the same job; what is awaited
    /// is so from now on. `None`: not yours.
    ///
    /// # Errors
    /// The database is away.
    pub async fn edit_job(
        &self,
        account: AccountId,
        id: WebsiteId,
        revision: i64,
        plan: &JobPlan,
        now: UtcMs,
    ) -> Result<Option<Edited>, StoreError> {
        self.edit_job_tied(account, id, revision, plan, None, now).await
    }

    /// The same, with its ties where they are given: all of it or nothing.
    ///
    /// # Errors
    /// The database is away.
    pub async fn edit_job_tied(
        &self,
        account: AccountId,
        id: WebsiteId,
        revision: i64,
        plan: &JobPlan,
        ties: Option<&Ties>,
        now: UtcMs,
    ) -> Result<Option<Edited>, StoreError> {
        let changed = self
            .answered(async {
                let mut tx = Transaction::begin(&self.pool).await?;
                let changed = edit_plan(&mut tx, account, id, revision, plan, now).await?;
                if changed == 1
                    && let Some(ties) = ties
                    && let TiesSaved::Refused(refused) = on!(&mut tx, c => save_ties!(c, account, id, ties))
                {
                    tx.rollback().await?;
                    return Ok(Err(refused));
                }
                if changed == 1 {
                    await_plan(&mut tx, id, plan, now).await?;
                }
                tx.commit().await?;
                Ok(Ok(changed == 1))
            })
            .await?;
        let changed = match changed {
            Ok(changed) => changed,
            Err(refused) => return Ok(Some(Edited::Refused(refused))),
        };
        let found = self.website(account, id).await?;
        Ok(found.map(|website| if changed { Edited::Saved(website) } else { Edited::Meanwhile(website) }))
    }

    /// Gives a job another address to report to; the one before is nobody's from now on. `false`: not yours, or no job.
    ///
    /// # Errors
    /// The database is away.
    pub async fn rotate_ping_id(&self, account: AccountId, id: WebsiteId) -> Result<bool, StoreError> {
        let changed = write!(self, pool => sqlx::query(
            "update job set ping_id = $3 where website_id = $2 \
             and exists (select 1 from website where account_id = $1 and website_id = $2)")
            .bind(account.0).bind(id.0).bind(new_id::random()).execute(pool).await?.rows_affected());
        Ok(changed == 1)
    }

    /// One of the account's jobs. `None`: not yours, or no job.
    ///
    /// # Errors
    /// The database is away.
    pub async fn job(&self, account: AccountId, id: WebsiteId) -> Result<Option<KnownJob>, StoreError> {
        let select = format!("{} and website_id = $2", select_job());
        // The pool for writes: what was just saved must be seen.
        let row: Option<KnownRow> = write!(self, pool => sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()))
            .bind(account.0).bind(id.0).fetch_optional(pool).await?);
        row.map(KnownJob::try_from).transpose()
    }

    /// At most `limit` of the account's jobs, oldest first, those that follow `after`.
    ///
    /// # Errors
    /// The database is away.
    pub async fn jobs(
        &self,
        account: AccountId,
        after: Option<WebsiteCursor>,
        limit: i64,
    ) -> Result<Vec<KnownJob>, StoreError> {
        let after = after.unwrap_or(WebsiteCursor::FIRST);
        let select = format!(
            "{} and kind = 'job' and (created_at, website_id) > ($2, $3) order by created_at, website_id limit $4",
            select_job()
        );
        let rows: Vec<KnownRow> = write!(self, pool => sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()))
            .bind(account.0).bind(after.created_at).bind(after.id.0).bind(limit.clamp(1, 1_000)).fetch_all(pool).await?);
        rows.into_iter().map(KnownJob::try_from).collect()
    }

    /// The last pings of one of the account's jobs, newest first.
    ///
    /// # Errors
    /// The database is away.
    pub async fn pings(&self, account: AccountId, id: WebsiteId, limit: i64) -> Result<Vec<KeptPing>, StoreError> {
        let rows: Vec<KeptPingRow> = read!(self, pool => sqlx::query_as(
            "select at, ping.kind, exit_code, took_ms, said from ping join website using (website_id) \
             where account_id = $1 and website_id = $2 order by at desc limit $3")
            .bind(account.0).bind(id.0).bind(limit.clamp(1, job::PINGS_KEPT)).fetch_all(pool).await?);
        rows.into_iter().map(KeptPing::try_from).collect()
    }
}

/// Sets name and pace of a job as it was at `revision`; 1 when it was. Its plan is [`await_plan`]'s.
pub(super) async fn edit_plan(
    tx: &mut Transaction,
    account: AccountId,
    id: WebsiteId,
    revision: i64,
    plan: &JobPlan,
    now: UtcMs,
) -> Result<u64, StoreError> {
    Ok(on!(tx, c => sqlx::query(
        "update website set url = $4, interval_ms = $5, revision = revision + 1 where account_id = $1 \
         and website_id = $2 and revision = $3 and kind = 'job'")
        .bind(account.0).bind(id.0).bind(revision).bind(&plan.name).bind(plan.schedule.interval_ms(now))
        .execute(c).await?.rows_affected()))
}

/// From now on this plan holds, and what it says is awaited. Its website is locked.
pub(super) async fn await_plan(
    tx: &mut Transaction,
    id: WebsiteId,
    plan: &JobPlan,
    now: UtcMs,
) -> Result<(), StoreError> {
    on!(tx, c => sqlx::query("update job set schedule = $2, time_zone = $3, grace_ms = $4 where website_id = $1")
        .bind(id.0).bind(plan.schedule.text()).bind(plan.schedule.time_zone()).bind(plan.grace_ms)
        .execute(c).await.map(|_| ())?);
    await_anew(tx, id, now).await
}

/// From now on what a job's plan says is awaited. Its website is locked.
async fn await_anew(tx: &mut Transaction, id: WebsiteId, now: UtcMs) -> Result<(), StoreError> {
    let Some(mut job) = read_job(tx, id).await? else { return Ok(()) };
    let verdict: Option<String> = on!(tx, c => sqlx::query_scalar("select verdict from website_state where website_id = $1")
        .bind(id.0).fetch_optional(c).await?);
    let verdict = verdict.and_then(|verdict| verdict.parse().ok()).unwrap_or(Outcome::Unknown);
    let paused: bool = on!(tx, c => sqlx::query_scalar("select paused from website where website_id = $1")
        .bind(id.0).fetch_one(c).await?);
    if paused {
        job.await_nothing();
    } else {
        job.await_anew(verdict, now);
    }
    write_awaited(tx, &job).await
}

/// After a website was paused or resumed, in the same transaction: what that is to a job. Nobody looks at one, so nothing is
/// to run out.
pub(super) async fn paused(tx: &mut Transaction, id: WebsiteId, now: UtcMs) -> Result<(), StoreError> {
    let is_job = on!(tx, c => sqlx::query(
        "update website_state set fresh_until_at = null, reason = case when reason = $2 then $3 else reason end \
         where website_id = $1 and exists (select 1 from job where job.website_id = $1)")
        .bind(id.0).bind(crate::model::verdict::RESUMED).bind(job::RESUMED).execute(c).await?.rows_affected());
    if is_job == 1 { await_anew(tx, id, now).await } else { Ok(()) }
}

/// Which job a ping id is of.
async fn website_of(tx: &mut Transaction, ping_id: PingId) -> Result<Option<WebsiteId>, StoreError> {
    let id: Option<Uuid> = on!(tx, c => sqlx::query_scalar("select website_id from job where ping_id = $1")
        .bind(ping_id.0).fetch_optional(c).await?);
    Ok(id.map(WebsiteId))
}
