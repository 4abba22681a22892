//! Rows of jobs, and what they become.

use sqlx::FromRow;
use uuid::Uuid;

use crate::model::job::Awaited;
use crate::model::{Job, JobPlan, JobSchedule, KeptPing, Ping, PingId, WebsiteId};
use crate::store::StoreError;
use crate::store::ingest::Transaction;
use crate::store::row::{narrow, parse};

/// Of [`JobRow`].
pub(super) const JOB: &str = "ping_id, schedule, time_zone, grace_ms, expected_at, awaited_since_at, started_at, \
    restarted_at, pinged_at, ended_at, exit_code, took_ms";

/// Runs one body on the connection of a transaction of either database.
macro_rules! on {
    ($tx:expr, $connection:ident => $body:expr) => {
        match $tx {
            $crate::store::ingest::Transaction::Postgres(tx) => {
                let $connection = &mut **tx;
                $body
            }
            $crate::store::ingest::Transaction::Sqlite(tx) => {
                let $connection = &mut **tx;
                $body
            }
        }
    };
}

pub(in crate::store) use on;

/// Without `Debug`: a ping id is a secret.
#[derive(FromRow)]
pub(super) struct JobRow {
    ping_id: Uuid,
    schedule: String,
    time_zone: String,
    grace_ms: i64,
    expected_at: Option<i64>,
    awaited_since_at: Option<i64>,
    started_at: Option<i64>,
    restarted_at: Option<i64>,
    pinged_at: Option<i64>,
    ended_at: Option<i64>,
    exit_code: Option<i64>,
    took_ms: Option<i64>,
}

impl JobRow {
    pub(super) fn of(self, website_id: WebsiteId, name: &str) -> Result<Job, StoreError> {
        let schedule = JobSchedule::stored(&self.schedule, &self.time_zone)
            .ok_or_else(|| StoreError::Corrupt(format!("the schedule \"{}\" of a job", self.schedule)))?;
        let awaited = Awaited {
            expected_at: self.expected_at,
            since_at: self.awaited_since_at,
            started_at: self.started_at,
            restarted_at: self.restarted_at,
            pinged_at: self.pinged_at,
            ended_at: self.ended_at,
            exit_code: self.exit_code.map(narrow).transpose()?,
            took_ms: self.took_ms,
        };
        let plan = JobPlan { name: name.to_owned(), schedule, grace_ms: self.grace_ms };
        Ok(Job { website_id, ping_id: PingId(self.ping_id), plan, awaited })
    }
}

#[derive(Debug, FromRow)]
pub(super) struct KeptPingRow {
    at: i64,
    kind: String,
    exit_code: Option<i64>,
    took_ms: Option<i64>,
    said: String,
}

impl TryFrom<KeptPingRow> for KeptPing {
    type Error = StoreError;

    fn try_from(row: KeptPingRow) -> Result<Self, StoreError> {
        let exit_code = row.exit_code.map(narrow).transpose()?;
        let ping = Ping { at: row.at, kind: parse(&row.kind)?, exit_code, said: row.said };
        Ok(Self { ping, took_ms: row.took_ms })
    }
}

#[derive(FromRow)]
struct NamedRow {
    url: String,
    #[sqlx(flatten)]
    job: JobRow,
}

/// A job whose website is locked.
pub(super) async fn read_job(tx: &mut Transaction, id: WebsiteId) -> Result<Option<Job>, StoreError> {
    let sql = format!("select url, {JOB} from job join website using (website_id) where website_id = $1");
    let row: Option<NamedRow> = on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql.as_str()))
        .bind(id.0).fetch_optional(c).await?);
    row.map(|row| row.job.of(id, &row.url)).transpose()
}

/// What is awaited of a job whose website is locked.
pub(super) async fn write_awaited(tx: &mut Transaction, job: &Job) -> Result<(), StoreError> {
    let a = &job.awaited;
    on!(tx, c => sqlx::query(
        "update job set expected_at = $2, awaited_since_at = $3, started_at = $4, restarted_at = $5, missing_at = $6, \
         pinged_at = $7, ended_at = $8, exit_code = $9, took_ms = $10 where website_id = $1")
        .bind(job.website_id.0).bind(a.expected_at).bind(a.since_at).bind(a.started_at).bind(a.restarted_at)
        .bind(job.missing_at()).bind(a.pinged_at).bind(a.ended_at).bind(a.exit_code.map(i64::from)).bind(a.took_ms)
        .execute(c).await.map(|_| ())?);
    Ok(())
}
