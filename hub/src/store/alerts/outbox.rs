//! What the sender does with alerts: claims them by one statement, reads what they are about, keeps what is sent before
//! it is sent, and records what came of it. Over all accounts: it is no user's request.

use sqlx::FromRow;
use uuid::Uuid;

use super::super::row::{narrow, parse};
use super::super::{Pool, Store, StoreError, asked, write};
use crate::model::{AccountId, AfterTry, AlertEvent, AlertId, ChannelId, IncidentId, TryResult, UtcMs};

/// How long a hub has for a try before another takes it for dead: a try has 15 s (P10). Both clocks are hubs' clocks, so
/// they may differ by the rest; beyond it a message may leave twice, with the same id.
pub(super) const LEASE_MS: i64 = 60_000;
/// Of one account, at once: receivers of its that hang must not hold those of others.
const OF_ONE_ACCOUNT: i64 = 16;
/// Tries kept of one alert.
const TRIES_KEPT: i64 = 50;
/// Tests kept of one channel.
const TESTS_KEPT: i64 = 20;

/// What is told first of one incident: that it began before all else, that it is over after all else, whatever the clocks of
/// the hubs that wrote the rows say.
macro_rules! rank {
    () => {
        "case event when 'opened' then 0 when 'resolved' then 2 else 1 end"
    };
}

/// An alert that this hub is to send now, and nobody else until `claimed_until`.
#[derive(Clone, PartialEq, Eq)]
pub struct ClaimedAlert {
    /// Which.
    pub alert_id: AlertId,
    /// Whose.
    pub account_id: AccountId,
    /// To which channel.
    pub channel_id: ChannelId,
    /// About which incident.
    pub incident_id: Option<IncidentId>,
    /// What it tells.
    pub event: AlertEvent,
    /// Of the updates and reminders of one incident.
    pub number: i64,
    /// Tries before this one.
    pub tries: u32,
    /// When the first of them was.
    pub first_try_at: Option<UtcMs>,
    /// What was sent at the first try.
    pub payload: Option<String>,
    /// Until when it is ours.
    pub claimed_until: UtcMs,
}

/// Without the payload: it has a link that acknowledges.
impl std::fmt::Debug for ClaimedAlert {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClaimedAlert")
            .field("alert_id", &self.alert_id)
            .field("event", &self.event)
            .field("tries", &self.tries)
            .finish_non_exhaustive()
    }
}

#[derive(FromRow)]
struct ClaimedRow {
    alert_id: Uuid,
    account_id: Uuid,
    channel_id: Uuid,
    incident_id: Option<Uuid>,
    event: String,
    number: i64,
    tries: i64,
    first_try_at: Option<i64>,
    payload: Option<String>,
    claimed_until: i64,
}

impl TryFrom<ClaimedRow> for ClaimedAlert {
    type Error = StoreError;

    fn try_from(row: ClaimedRow) -> Result<Self, StoreError> {
        Ok(Self {
            alert_id: AlertId(row.alert_id),
            account_id: AccountId(row.account_id),
            channel_id: ChannelId(row.channel_id),
            incident_id: row.incident_id.map(IncidentId),
            event: parse(&row.event)?,
            number: row.number,
            tries: narrow(row.tries)?,
            first_try_at: row.first_try_at,
            payload: row.payload,
            claimed_until: row.claimed_until,
        })
    }
}

/// An alert that is about no incident: a test, a notice, a summary.
#[derive(Clone, PartialEq, Eq)]
pub struct NewAlert {
    /// Which.
    pub alert_id: AlertId,
    /// Whose.
    pub account_id: AccountId,
    /// To which channel.
    pub channel_id: ChannelId,
    /// Its name.
    pub channel_name: String,
    /// What it tells.
    pub event: AlertEvent,
    /// What is sent.
    pub payload: String,
}

/// One try, to be recorded.
#[derive(Debug, Clone, Copy)]
pub struct TryRecord<'a> {
    /// When it began.
    pub at: UtcMs,
    /// For how long.
    pub took_ms: i64,
    /// With what result.
    pub result: TryResult,
    /// The answer.
    pub said: &'a str,
    /// What becomes of the alert.
    pub after: AfterTry,
}

impl Store {
    /// Claims alerts that are due: of each channel at most one, of each account a few, at most `limit`, and none while an
    /// earlier one of the same channel and incident, or a summary of the channel, waits.
    ///
    /// # Errors
    /// The database is away.
    pub async fn claim_alerts(&self, now: UtcMs, limit: i64) -> Result<Vec<ClaimedAlert>, StoreError> {
        // One pass over what waits, by windows: compared pair by pair, some thousands that wait took longer than a statement
        // may (5 s), and then nobody was told anything. Whoever has least in flight goes first: receivers of some accounts
        // that hang must not keep all places.
        const SELECT: &str = concat!(
            "with waiting as (select alert_id, account_id, channel_id, incident_id, event, due_at, created_at, number, ",
            "row_number() over (partition by channel_id, incident_id order by ",
            rank!(),
            ", created_at, number, alert_id) as turn, ",
            "max(case when event = 'summary' then 1 else 0 end) over (partition by channel_id) as sums_up, ",
            "max(case when claimed_until > $1 then 1 else 0 end) over (partition by channel_id) as flies, ",
            "sum(case when claimed_until > $1 then 1 else 0 end) over (partition by account_id) as flying ",
            "from alert where state = 'waiting'), ",
            "first as (select alert_id, account_id, due_at, flying, row_number() over (partition by channel_id order by ",
            "due_at, ",
            rank!(),
            ", created_at, number, alert_id) as nth from waiting where due_at <= $1 and flies = 0 ",
            "and (incident_id is null or turn = 1) and (event = 'summary' or sums_up = 0)), ",
            "fair as (select alert_id, due_at, flying + row_number() over (partition by account_id order by due_at, ",
            "alert_id) as nth from first where nth = 1) ",
            "select alert_id from fair where nth <= $3 order by nth, due_at, alert_id limit $4",
        );
        // Since it was last begun with: a replay begins anew, and the tries before it stay to be seen.
        const RETURNING: &str = "alert_id, account_id, channel_id, incident_id, event, number, tries, payload, \
            claimed_until, (select min(t.at) from alert_try t where t.alert_id = alert.alert_id and t.number > \
            (select max(l.number) from alert_try l where l.alert_id = alert.alert_id) - alert.tries) as first_try_at";
        let rows: Vec<ClaimedRow> = match &self.pool {
            // What another hub claimed between our look and our lock does not fit any more, and is left out.
            Pool::Postgres(pools) => {
                let claim = format!(
                    "update alert set claimed_until = $2 where alert_id in (select alert_id from alert \
                     where alert_id = any(array({SELECT})) and state = 'waiting' \
                     and (claimed_until is null or claimed_until <= $1) for update skip locked) returning {RETURNING}"
                );
                asked!(self, pools, pool => sqlx::query_as(sqlx::AssertSqlSafe(claim))
                    .bind(now)
                    .bind(now + LEASE_MS)
                    .bind(OF_ONE_ACCOUNT)
                    .bind(limit)
                    .fetch_all(pool)
                    .await?)
            }
            Pool::Sqlite { write, .. } => {
                let claim =
                    format!("update alert set claimed_until = $2 where alert_id in ({SELECT}) returning {RETURNING}");
                sqlx::query_as(sqlx::AssertSqlSafe(claim))
                    .bind(now)
                    .bind(now + LEASE_MS)
                    .bind(OF_ONE_ACCOUNT)
                    .bind(limit)
                    .fetch_all(write)
                    .await?
            }
        };
        // What a newer hub wrote it will send; it must not take those with it that were claimed at once.
        let readable = rows.into_iter().filter_map(|row| {
            let id = row.alert_id;
            ClaimedAlert::try_from(row)
                .inspect_err(|error| tracing::error!(alert.id = %id, %error, "An alert cannot be read."))
                .ok()
        });
        Ok(readable.collect())
    }

    /// Keeps what is about to be sent, by itself: a crash after this repeats these bytes (I4). Returns what is to be sent:
    /// what was kept before, where something was. `None`: it waits no longer.
    ///
    /// # Errors
    /// The database is away: nothing may be sent.
    pub async fn keep_payload(&self, alert: AlertId, payload: &str) -> Result<Option<String>, StoreError> {
        let kept: Option<Option<String>> = write!(self, pool => sqlx::query_scalar(
            "update alert set payload = coalesce(payload, $2) where alert_id = $1 and state = 'waiting' \
             returning payload")
            .bind(alert.0).bind(payload).fetch_optional(pool).await?);
        Ok(kept.flatten())
    }

    /// Records a try and what becomes of the alert and its channel, in one transaction. `false`: the alert is not ours any
    /// more (its channel was deleted, or another hub took it for ours); the try is kept all the same.
    ///
    /// # Errors
    /// The database is away: the alert will be sent again when its lease ends, as the same.
    pub async fn record_try(&self, alert: &ClaimedAlert, made: TryRecord<'_>) -> Result<bool, StoreError> {
        let ended_at = made.at + made.took_ms;
        let (state, due_at, closed_at) = match made.after {
            AfterTry::Delivered => ("delivered", None, Some(ended_at)),
            AfterTry::At(at) => ("waiting", Some(at), None),
            AfterTry::Dead => ("dead", None, Some(ended_at)),
        };
        let is_delivered = made.after == AfterTry::Delivered;
        Ok(write!(self, pool => {
            let mut tx = pool.begin().await?;
            // The channel before its alerts, as whoever switches it off or deletes it locks them: the other way round, each
            // waited for the other.
            if alert.event != AlertEvent::Test {
                let since = (!is_delivered).then_some(made.at);
                sqlx::query(
                    "update channel set failing_since_at = case when $2 then null else coalesce(failing_since_at, $3) end \
                     where channel_id = $1 and (not $2 or failing_since_at is not null)")
                    .bind(alert.channel_id.0).bind(is_delivered).bind(since).execute(&mut *tx).await?;
            }
            // What the receiver has, it has, whoever holds the lease; its bytes (kilobytes, with a link that acknowledges) are
            // of no more use.
            let changed = sqlx::query(
                "update alert set state = $2, tries = tries + 1, due_at = coalesce($3, due_at), claimed_until = null, \
                 ended_at = $4, said = $5, payload = case when $7 then null else payload end \
                 where alert_id = $1 and state = 'waiting' \
                 and (claimed_until = $6 or $7)")
                .bind(alert.alert_id.0).bind(state).bind(due_at).bind(closed_at).bind(made.said)
                .bind(alert.claimed_until).bind(is_delivered).execute(&mut *tx).await?.rows_affected();
            sqlx::query(
                "insert into alert_try (alert_id, number, at, took_ms, result, said) \
                 select $1, (select coalesce(max(number), 0) + 1 from alert_try where alert_id = $1), $2, $3, $4, $5 \
                 where exists (select 1 from alert where alert_id = $1) on conflict do nothing")
                .bind(alert.alert_id.0).bind(made.at).bind(made.took_ms).bind(made.result.as_str()).bind(made.said)
                .execute(&mut *tx).await?;
            sqlx::query(
                "delete from alert_try where alert_id = $1 and number <= \
                 (select max(number) from alert_try where alert_id = $1) - $2")
                .bind(alert.alert_id.0).bind(TRIES_KEPT).execute(&mut *tx).await?;
            if alert.event == AlertEvent::Summary && changed == 1 && made.after == AfterTry::Dead {
                // What it told of is not told.
                sqlx::query("update alert set state = 'dead', said = $2 where folded_into = $1 and state = 'folded'")
                    .bind(alert.alert_id.0).bind("It was told in a summary, which was given up.")
                    .execute(&mut *tx).await?;
            }
            tx.commit().await?;
            changed == 1
        }))
    }

    /// Ends an alert that is not sent: its incident or channel is gone, or there is nothing left to say.
    ///
    /// # Errors
    /// The database is away.
    pub async fn end_alert(&self, alert: AlertId, is_dead: bool, said: &str, now: UtcMs) -> Result<(), StoreError> {
        write!(self, pool => sqlx::query(
            "update alert set state = $2, ended_at = $3, claimed_until = null, said = $4 \
             where alert_id = $1 and state = 'waiting'")
            .bind(alert.0).bind(if is_dead { "dead" } else { "cancelled" }).bind(now).bind(said)
            .execute(pool).await?.rows_affected());
        Ok(())
    }

    /// Writes a test that this hub is about to send itself. Of a channel's tests the last 20 are kept.
    ///
    /// # Errors
    /// The database is away.
    pub async fn add_test(&self, new: &NewAlert, now: UtcMs) -> Result<ClaimedAlert, StoreError> {
        let claimed_until = now + LEASE_MS;
        write!(self, pool => {
            let mut tx = pool.begin().await?;
            sqlx::query(
                "insert into alert (alert_id, account_id, channel_id, channel_name, event, number, state, created_at, \
                 due_at, claimed_until, payload) values ($1, $2, $3, $4, 'test', 0, 'waiting', $5, $5, $6, $7)")
                .bind(new.alert_id.0).bind(new.account_id.0).bind(new.channel_id.0).bind(&new.channel_name).bind(now)
                .bind(claimed_until).bind(&new.payload).execute(&mut *tx).await?;
            sqlx::query(
                "delete from alert where channel_id = $1 and event = 'test' and state <> 'waiting' and alert_id not in \
                 (select alert_id from alert where channel_id = $1 and event = 'test' \
                 order by created_at desc, alert_id desc limit $2)")
                .bind(new.channel_id.0).bind(TESTS_KEPT).execute(&mut *tx).await?;
            tx.commit().await?;
        });
        Ok(ClaimedAlert {
            alert_id: new.alert_id,
            account_id: new.account_id,
            channel_id: new.channel_id,
            incident_id: None,
            event: AlertEvent::Test,
            number: 0,
            tries: 0,
            first_try_at: None,
            payload: Some(new.payload.clone()),
            claimed_until,
        })
    }

    /// Writes reminders of incidents that go on, are not muted and that nobody has taken on, for channels that want them.
    /// A certificate has its steps. Returns how many.
    ///
    /// # Errors
    /// The database is away.
    pub async fn remind(&self, now: UtcMs) -> Result<u64, StoreError> {
        let mut written = 0;
        write!(self, pool => {
            // From what is open, alert by alert: SQLite would look through all alerts there ever were, every few seconds.
            // One that was cancelled (its channel was off for a while) has had its number all the same.
            let due: Vec<(Uuid, Uuid, String, Uuid, i64)> = sqlx::query_as(
                "select c.channel_id, c.account_id, c.name, i.incident_id, \
                 (select coalesce(max(a.number), 0) + 1 from alert a where a.incident_id = i.incident_id \
                 and a.channel_id = c.channel_id and a.event = 'reminder') as number from channel c \
                 join incident i on i.account_id = c.account_id and i.closed_at is null and i.acknowledged_at is null \
                 and i.muted_by is null and i.kind <> 'certificate' where c.is_on and c.reminds_ms is not null \
                 and exists (select 1 from alert a where a.incident_id = i.incident_id and a.channel_id = c.channel_id \
                 and a.event = 'opened' and a.state <> 'cancelled') \
                 and not exists (select 1 from alert a where a.incident_id = i.incident_id \
                 and a.channel_id = c.channel_id and a.event in ('opened', 'reminder') \
                 and (a.state = 'waiting' or coalesce(a.ended_at, a.created_at) + c.reminds_ms > $1)) limit 500")
                .bind(now).fetch_all(pool).await?;
            for (channel, account, name, incident, number) in due {
                let id = AlertId::of(IncidentId(incident), AlertEvent::Reminder, number, ChannelId(channel));
                written += sqlx::query(
                    "insert into alert (alert_id, account_id, channel_id, channel_name, incident_id, event, number, \
                     state, created_at, due_at) values ($1, $2, $3, $4, $5, 'reminder', $6, 'waiting', $7, $7) \
                     on conflict do nothing")
                    .bind(id.0).bind(account).bind(channel).bind(name).bind(incident).bind(number).bind(now)
                    .execute(pool).await?.rows_affected();
            }
        });
        if written > 0 {
            self.ring();
        }
        Ok(written)
    }
}
