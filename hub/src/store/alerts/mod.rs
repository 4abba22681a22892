//! Alerts as their owners see them: what was told, what waits, each try; what was given up can be sent again.
//! [`outbox`] has what the sender does with them.

mod broken;
mod clock;
mod folded;
mod outbox;
mod through;

use sqlx::FromRow;
use uuid::Uuid;

use super::row::{narrow, parse};
use super::{Store, StoreError, read, write};
use crate::model::{
    AccountId, Alert, AlertCursor, AlertFilter, AlertId, AlertReplay, AlertTry, ChannelId, IncidentId, UtcMs,
};

pub use outbox::{ClaimedAlert, NewAlert, TryRecord};

const ALERT: &str = "alert_id, channel_id, channel_name, incident_id, event, number, state, created_at, due_at, tries, \
    ended_at, said";

#[derive(Debug, FromRow)]
struct AlertRow {
    alert_id: Uuid,
    channel_id: Uuid,
    channel_name: String,
    incident_id: Option<Uuid>,
    event: String,
    number: i64,
    state: String,
    created_at: i64,
    due_at: i64,
    tries: i64,
    ended_at: Option<i64>,
    said: String,
}

impl TryFrom<AlertRow> for Alert {
    type Error = StoreError;

    fn try_from(row: AlertRow) -> Result<Self, StoreError> {
        Ok(Self {
            alert_id: AlertId(row.alert_id),
            channel_id: ChannelId(row.channel_id),
            channel_name: row.channel_name,
            incident_id: row.incident_id.map(IncidentId),
            event: parse(&row.event)?,
            number: row.number,
            state: parse(&row.state)?,
            created_at: row.created_at,
            due_at: row.due_at,
            tries: narrow(row.tries)?,
            ended_at: row.ended_at,
            said: row.said,
        })
    }
}

#[derive(Debug, FromRow)]
struct TryRow {
    at: i64,
    took_ms: i64,
    result: String,
    said: String,
}

impl Store {
    /// Alerts of one of the account's channels, newest first, after `after`.
    ///
    /// # Errors
    /// The database is away.
    pub async fn alerts_of_channel(
        &self,
        account: AccountId,
        channel: ChannelId,
        after: Option<AlertCursor>,
        limit: i64,
    ) -> Result<Vec<Alert>, StoreError> {
        let after = after.unwrap_or(AlertCursor { created_at: i64::MAX, alert_id: AlertId(Uuid::max()) });
        let select = format!(
            "select {ALERT} from alert where account_id = $1 and channel_id = $2 and (created_at, alert_id) < ($3, $4) \
             order by created_at desc, alert_id desc limit $5"
        );
        let rows: Vec<AlertRow> = read!(self, pool => sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()))
            .bind(account.0).bind(channel.0).bind(after.created_at).bind(after.alert_id.0).bind(limit.clamp(1, 1_000))
            .fetch_all(pool).await?);
        rows.into_iter().map(Alert::try_from).collect()
    }

    /// Alerts about one of the account's incidents, oldest first: the last `limit`, at most 1,000.
    ///
    /// # Errors
    /// The database is away.
    pub async fn alerts_of_incident(
        &self,
        account: AccountId,
        incident: IncidentId,
        limit: i64,
    ) -> Result<Vec<Alert>, StoreError> {
        let select = format!(
            "select {ALERT} from alert where account_id = $1 and incident_id = $2 \
             order by created_at desc, alert_id desc limit $3"
        );
        let rows: Vec<AlertRow> = read!(self, pool => sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()))
            .bind(account.0).bind(incident.0).bind(limit.clamp(1, 1_000)).fetch_all(pool).await?);
        rows.into_iter().rev().map(Alert::try_from).collect()
    }

    /// What the account's channels were to tell and could not, newest first, after `after`.
    ///
    /// # Errors
    /// The database is away.
    pub async fn dead_alerts(
        &self,
        account: AccountId,
        after: Option<AlertCursor>,
        limit: i64,
    ) -> Result<Vec<Alert>, StoreError> {
        let after = after.unwrap_or(AlertCursor { created_at: i64::MAX, alert_id: AlertId(Uuid::max()) });
        let select = format!(
            "select {ALERT} from alert where account_id = $1 and state = 'dead' and (created_at, alert_id) < ($2, $3) \
             order by created_at desc, alert_id desc limit $4"
        );
        let rows: Vec<AlertRow> = read!(self, pool => sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()))
            .bind(account.0).bind(after.created_at).bind(after.alert_id.0).bind(limit.clamp(1, 1_000))
            .fetch_all(pool).await?);
        rows.into_iter().map(Alert::try_from).collect()
    }

    /// The account's alerts that fit, newest first, after `after`. To be asked for those of a channel or an incident, or those
    /// that are dead or wait: of all others there is no end.
    ///
    /// # Errors
    /// The database is away.
    pub async fn alerts_found(
        &self,
        account: AccountId,
        filter: &AlertFilter,
        after: Option<AlertCursor>,
        limit: i64,
    ) -> Result<Vec<Alert>, StoreError> {
        let after = after.unwrap_or(AlertCursor { created_at: i64::MAX, alert_id: AlertId(Uuid::max()) });
        // Only what is asked for is in the text, and words of ours as they are: that is how indexes are found.
        let mut fits = String::new();
        let (state, event) = (filter.state.map(|word| word.as_str()), filter.event.map(|word| word.as_str()));
        for (column, word) in [("state", state), ("event", event)] {
            if let Some(word) = word {
                fits += &format!(" and {column} = '{word}'");
            }
        }
        let (channel, incident) = (filter.channel_id.map(|id| id.0), filter.incident_id.map(|id| id.0));
        let mut ids: Vec<Uuid> = Vec::new();
        for (column, id) in [("channel_id", channel), ("incident_id", incident)] {
            if let Some(id) = id {
                ids.push(id);
                fits += &format!(" and {column} = ${}", ids.len() + 4);
            }
        }
        let select = format!(
            "select {ALERT} from alert where account_id = $1 and (created_at, alert_id) < ($2, $3){fits} \
             order by created_at desc, alert_id desc limit $4"
        );
        let rows: Vec<AlertRow> = read!(self, pool => {
            let query = sqlx::query_as(sqlx::AssertSqlSafe(select.as_str())).bind(account.0).bind(after.created_at)
                .bind(after.alert_id.0).bind(limit.clamp(1, 1_000));
            ids.iter().fold(query, |query, id| query.bind(*id)).fetch_all(pool).await?
        });
        rows.into_iter().map(Alert::try_from).collect()
    }

    /// How many of the account's alerts are dead; no more than `limit` are counted.
    ///
    /// # Errors
    /// The database is away.
    pub async fn count_dead_alerts(&self, account: AccountId, limit: i64) -> Result<i64, StoreError> {
        Ok(read!(self, pool => sqlx::query_scalar(
            "select count(*) from (select 1 from alert where account_id = $1 and state = 'dead' limit $2) as counted")
            .bind(account.0).bind(limit).fetch_one(pool).await?))
    }

    /// One of the account's alerts.
    ///
    /// # Errors
    /// The database is away.
    pub async fn alert(&self, account: AccountId, id: AlertId) -> Result<Option<Alert>, StoreError> {
        let select = format!("select {ALERT} from alert where account_id = $1 and alert_id = $2");
        let row: Option<AlertRow> = write!(self, pool => sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()))
            .bind(account.0).bind(id.0).fetch_optional(pool).await?);
        row.map(Alert::try_from).transpose()
    }

    /// The tries of one of the account's alerts, oldest first; of more than 50 the last.
    ///
    /// # Errors
    /// The database is away.
    pub async fn alert_tries(&self, account: AccountId, id: AlertId) -> Result<Vec<AlertTry>, StoreError> {
        let rows: Vec<TryRow> = write!(self, pool => sqlx::query_as(
            "select at, took_ms, result, said from alert_try where alert_id = $2 \
             and exists (select 1 from alert where alert_id = $2 and account_id = $1) order by number")
            .bind(account.0).bind(id.0).fetch_all(pool).await?);
        rows.into_iter()
            .map(|row| Ok(AlertTry { at: row.at, took_ms: row.took_ms, result: parse(&row.result)?, said: row.said }))
            .collect()
    }

    /// Sends a dead alert again, from the first try on, with the same id and the same bytes. What was folded into it is
    /// told in it again; one that was folded into another is told by itself.
    ///
    /// # Errors
    /// The database is away.
    pub async fn replay_alert(&self, account: AccountId, id: AlertId, now: UtcMs) -> Result<AlertReplay, StoreError> {
        let (is_dead, asked) = write!(self, pool => {
            let mut tx = pool.begin().await?;
            let asked = sqlx::query(
                "update alert set state = 'waiting', tries = 0, due_at = $3, claimed_until = null, ended_at = null, \
                 folded_into = null where account_id = $1 and alert_id = $2 and state = 'dead' and exists \
                 (select 1 from channel where channel.channel_id = alert.channel_id and channel.is_on)")
                .bind(account.0).bind(id.0).bind(now).execute(&mut *tx).await?.rows_affected();
            if asked == 1 {
                sqlx::query("update alert set state = 'folded' where folded_into = $1 and state = 'dead'")
                    .bind(id.0).execute(&mut *tx).await?;
            }
            let is_dead: bool = sqlx::query_scalar(
                "select exists (select 1 from alert where account_id = $1 and alert_id = $2 and state = 'dead')")
                .bind(account.0).bind(id.0).fetch_one(&mut *tx).await?;
            tx.commit().await?;
            (is_dead, asked)
        });
        if asked == 1 {
            self.ring();
            return Ok(AlertReplay::Asked);
        }
        Ok(if is_dead { AlertReplay::ChannelOff } else { AlertReplay::NotDead })
    }
}
