//! Reports that are sent: each seen by its owner only; what is due, over all accounts.

use sqlx::FromRow;
use uuid::Uuid;

use crate::model::report::{ReportScheduleId, Rhythm, Schedule};
use crate::model::{AccountId, AlertId, ChannelId, Scope, UtcMs, WebsiteId};
use crate::store::alerts::NewAlert;
use crate::store::row::parse;
use crate::store::{Store, StoreError, read, write};

const SCHEDULE: &str = "s.report_schedule_id, s.account_id, s.channel_id, s.scope, s.tag, s.website_id, s.rhythm, s.made_at, \
    s.sent_until_at";
/// Read of those that are due, at once: a hub that is told to stop makes those first.
const AT_ONCE: i64 = 5;

/// Nothing is to be looked at later than in so long: what is was written while a clock was ahead.
const FARTHEST_MS: i64 = 40 * 86_400_000;

/// What became of a report that was to be sent from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScheduleAdded {
    /// It is, or was already.
    Added(ReportScheduleId),
    /// The account has as many as it may have.
    TooMany,
    /// The channel is none of the account's, or none of mail; or the website is none of theirs.
    NotTheirs,
}

#[derive(FromRow)]
struct Row {
    report_schedule_id: Uuid,
    account_id: Uuid,
    channel_id: Uuid,
    scope: String,
    tag: Option<String>,
    website_id: Option<Uuid>,
    rhythm: String,
    made_at: i64,
    sent_until_at: Option<i64>,
}

impl TryFrom<Row> for Schedule {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let scope = match (row.scope.as_str(), row.tag, row.website_id) {
            ("all", _, _) => Scope::All,
            ("tag", Some(tag), _) => Scope::Tag(parse(&tag)?),
            ("website", _, Some(id)) => Scope::Website(WebsiteId(id)),
            (other, _, _) => return Err(StoreError::Corrupt(format!("{other} is no scope"))),
        };
        Ok(Self {
            schedule_id: ReportScheduleId(row.report_schedule_id),
            account_id: AccountId(row.account_id),
            scope,
            channel_id: ChannelId(row.channel_id),
            rhythm: parse(&row.rhythm)?,
            made_at: row.made_at,
            sent_until_at: row.sent_until_at,
        })
    }
}

/// Those that are understood; one that a newer version wrote is left to it.
fn understood(rows: Vec<Row>) -> Vec<Schedule> {
    let one = |row: Row| {
        let id = row.report_schedule_id;
        Schedule::try_from(row)
            .inspect_err(|error| tracing::warn!(report.id = %id, %error, "A report that is sent is left out."))
            .ok()
    };
    rows.into_iter().filter_map(one).collect()
}

impl Store {
    /// Sends a report from now on, through one of the account's channels of mail. The same twice is one.
    ///
    /// # Errors
    /// The database is away.
    pub async fn add_report_schedule(
        &self,
        account: AccountId,
        channel: ChannelId,
        scope: &Scope,
        rhythm: Rhythm,
        now: UtcMs,
    ) -> Result<ScheduleAdded, StoreError> {
        let id = ReportScheduleId::of(account, channel, scope, rhythm);
        let (word, tag, website) = match scope {
            Scope::All => ("all", None, None),
            Scope::Tag(tag) => ("tag", Some(tag.as_str()), None),
            Scope::Website(id) => ("website", None, Some(id.0)),
        };
        let next_at = rhythm.next_at(now).unwrap_or(now);
        Ok(write!(self, pool => {
            let mut tx = pool.begin().await?;
            // Two that add at once take turns here, so that the limit holds (T120).
            sqlx::query("update account set username = username where account_id = $1")
                .bind(account.0).execute(&mut *tx).await?;
            let is_theirs: bool = sqlx::query_scalar(
                "select exists (select 1 from channel where account_id = $1 and channel_id = $2 and kind = 'email') \
                 and ($3 is null or exists (select 1 from website where account_id = $1 and website_id = $3))")
                .bind(account.0).bind(channel.0).bind(website).fetch_one(&mut *tx).await?;
            sqlx::query(
                "insert into report_schedule (report_schedule_id, account_id, channel_id, scope, tag, website_id, rhythm, \
                 made_at, next_at) select $1, $2, $3, $4, $5, $6, $7, $8, $9 \
                 where $10 and (select count(*) from report_schedule where account_id = $2) < $11 on conflict do nothing")
                .bind(id.0).bind(account.0).bind(channel.0).bind(word).bind(tag).bind(website).bind(rhythm.as_str())
                .bind(now).bind(next_at).bind(is_theirs).bind(Schedule::MOST).execute(&mut *tx).await?;
            let is_there: bool = sqlx::query_scalar(
                "select exists (select 1 from report_schedule where account_id = $1 and report_schedule_id = $2)")
                .bind(account.0).bind(id.0).fetch_one(&mut *tx).await?;
            tx.commit().await?;
            match (is_theirs, is_there) {
                (false, _) => ScheduleAdded::NotTheirs,
                (true, true) => ScheduleAdded::Added(id),
                (true, false) => ScheduleAdded::TooMany,
            }
        }))
    }

    /// The account's reports that are sent, oldest first.
    ///
    /// # Errors
    /// The database is away.
    pub async fn report_schedules(&self, account: AccountId) -> Result<Vec<Schedule>, StoreError> {
        let select = format!(
            "select {SCHEDULE} from report_schedule s where s.account_id = $1 order by s.made_at, s.report_schedule_id"
        );
        // The pool for writes: what was just added must be seen.
        let rows: Vec<Row> = write!(self, pool => sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()))
            .bind(account.0).fetch_all(pool).await?);
        Ok(understood(rows))
    }

    /// Sends it no more. `false`: not yours.
    ///
    /// # Errors
    /// The database is away.
    pub async fn delete_report_schedule(&self, account: AccountId, id: ReportScheduleId) -> Result<bool, StoreError> {
        Ok(write!(self, pool => sqlx::query(
            "delete from report_schedule where account_id = $1 and report_schedule_id = $2")
            .bind(account.0).bind(id.0).execute(pool).await?.rows_affected())
            == 1)
    }

    /// For the sender, over all accounts: reports whose time has come, a few, where the channel is on. What only a newer
    /// version understands is left to it, and keeps no place.
    ///
    /// # Errors
    /// The database is away.
    pub async fn due_reports(&self, now: UtcMs) -> Result<Vec<Schedule>, StoreError> {
        let select = format!(
            "select {SCHEDULE} from report_schedule s join channel c on c.channel_id = s.channel_id and c.is_on \
             where (s.next_at <= $1 or s.next_at > $2) and s.scope in ('all', 'tag', 'website') \
             and s.rhythm in ('monthly', 'weekly') order by s.next_at, s.report_schedule_id limit $3"
        );
        let rows: Vec<Row> = read!(self, pool => sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()))
            .bind(now).bind(now.saturating_add(FARTHEST_MS)).bind(AT_ONCE).fetch_all(pool).await?);
        Ok(understood(rows))
    }

    /// Puts a report into the outbox, unless one of its window, or of a later one, was put there: whoever does it twice does
    /// it once (I4). One of a window that is still to come does not count: the clock was ahead. Then it is looked at again at
    /// `next_at`. Returns whether it was put there now.
    ///
    /// # Errors
    /// The database is away.
    pub async fn hand_over_report(
        &self,
        id: ReportScheduleId,
        alert: &NewAlert,
        until: UtcMs,
        next_at: UtcMs,
        now: UtcMs,
    ) -> Result<bool, StoreError> {
        let written = write!(self, pool => {
            let mut tx = pool.begin().await?;
            // The row first: two hubs take turns at it.
            let taken = sqlx::query(
                "update report_schedule set sent_until_at = $2, next_at = $3 where report_schedule_id = $1 \
                 and (sent_until_at is null or sent_until_at < $2 or sent_until_at > $4)")
                .bind(id.0).bind(until).bind(next_at).bind(now).execute(&mut *tx).await?.rows_affected();
            let written = sqlx::query(
                "insert into alert (alert_id, account_id, channel_id, channel_name, event, number, state, created_at, \
                 due_at, payload) select $1, $2, $3, $4, $5, 0, 'waiting', $6, $6, $7 where $8 = 1 \
                 on conflict do nothing")
                .bind(alert.alert_id.0).bind(alert.account_id.0).bind(alert.channel_id.0).bind(&alert.channel_name)
                .bind(alert.event.as_str()).bind(now).bind(&alert.payload).bind(i64::try_from(taken).unwrap_or(0))
                .execute(&mut *tx).await?.rows_affected();
            tx.commit().await?;
            written == 1
        });
        if written {
            self.ring();
        }
        Ok(written)
    }

    /// Looks at a report again later: nothing of it is to be sent now.
    ///
    /// # Errors
    /// The database is away.
    pub async fn put_off_report(&self, id: ReportScheduleId, next_at: UtcMs) -> Result<(), StoreError> {
        write!(self, pool => sqlx::query("update report_schedule set next_at = $2 where report_schedule_id = $1")
            .bind(id.0).bind(next_at).execute(pool).await?.rows_affected());
        Ok(())
    }
}

impl AlertId {
    /// Of a report of one window.
    #[must_use]
    pub fn of_report(schedule: ReportScheduleId, until: UtcMs) -> Self {
        let name = format!("report {schedule} {until}");
        Self(Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()))
    }
}
