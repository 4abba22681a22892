//! What was given up, sent through another channel: its own may be gone for good.

use uuid::Uuid;

use super::super::{Store, StoreError, write};
use crate::model::{AccountId, AlertEvent, AlertId, AlertReplay, ChannelId, IncidentId, UtcMs};

impl Store {
    /// Sends what a dead alert was to tell through another of the account's channels, which is on: as an alert of that
    /// channel, composed anew in its form. The dead one ends cancelled, so that it is counted and sent no more.
    ///
    /// # Errors
    /// The database is away.
    pub async fn send_through(
        &self,
        account: AccountId,
        id: AlertId,
        channel: ChannelId,
        now: UtcMs,
    ) -> Result<AlertReplay, StoreError> {
        let done = write!(self, pool => 'done: {
            let mut tx = pool.begin().await?;
            let name: Option<String> = sqlx::query_scalar(
                "select name from channel where account_id = $1 and channel_id = $2 and is_on")
                .bind(account.0).bind(channel.0).fetch_optional(&mut *tx).await?;
            let Some(name) = name else { break 'done AlertReplay::ChannelOff };
            // The incident first, as whoever ends it locks them: its end is told to all who were told its begin by then.
            sqlx::query(
                "update incident set kind = kind where incident_id = (select incident_id from alert \
                 where account_id = $1 and alert_id = $2)")
                .bind(account.0).bind(id.0).execute(&mut *tx).await?;
            let dead: Option<(Option<Uuid>, String, i64)> = sqlx::query_as(
                "update alert set state = 'cancelled', ended_at = $3, said = $4 \
                 where account_id = $1 and alert_id = $2 and state = 'dead' returning incident_id, event, number")
                .bind(account.0).bind(id.0).bind(now).bind(format!("It was sent through the channel \"{name}\" instead."))
                .fetch_optional(&mut *tx).await?;
            // What is not committed did not happen.
            let Some((incident, event, number)) = dead else { break 'done AlertReplay::NotDead };
            let Some(incident) = incident else { break 'done AlertReplay::OwnForm };
            let Ok(event) = event.parse::<AlertEvent>() else { break 'done AlertReplay::OwnForm };
            // Whoever never heard that it began is told that first, as it is now: the end goes to those alone who were told the
            // begin, and a pager that heard nothing but news of it would ring for ever.
            let was_told: bool = sqlx::query_scalar(
                "select count(*) > 0 from alert where incident_id = $1 and channel_id = $2 and event = 'opened' \
                 and state <> 'cancelled'")
                .bind(incident).bind(channel.0).fetch_one(&mut *tx).await?;
            let (event, number) = match event {
                AlertEvent::Updated | AlertEvent::Acknowledged | AlertEvent::Reminder if !was_told => (AlertEvent::Opened, 0),
                _ => (event, number),
            };
            let alert = AlertId::of(IncidentId(incident), event, number, channel);
            let written = sqlx::query(
                "insert into alert (alert_id, account_id, channel_id, channel_name, incident_id, event, number, state, \
                 created_at, due_at) values ($1, $2, $3, $4, $5, $6, $7, 'waiting', $8, $8) \
                 on conflict (alert_id) do update set state = 'waiting', created_at = excluded.created_at, \
                 due_at = excluded.due_at, ended_at = null, said = '' \
                 where alert.event = 'opened' and alert.state = 'cancelled' and alert.tries = 0")
                .bind(alert.0).bind(account.0).bind(channel.0).bind(&name).bind(incident).bind(event.as_str())
                .bind(number).bind(now).execute(&mut *tx).await?.rows_affected();
            if written == 0 {
                break 'done AlertReplay::HasIt;
            }
            // What is over already has nobody who would tell it later.
            let is_over: bool = sqlx::query_scalar(
                "select count(*) > 0 from incident where incident_id = $1 and closed_at is not null")
                .bind(incident).fetch_one(&mut *tx).await?;
            if is_over && event == AlertEvent::Opened {
                let end = AlertId::of(IncidentId(incident), AlertEvent::Resolved, 0, channel);
                sqlx::query(
                    "insert into alert (alert_id, account_id, channel_id, channel_name, incident_id, event, number, state, \
                     created_at, due_at) values ($1, $2, $3, $4, $5, 'resolved', 0, 'waiting', $6, $7) on conflict do nothing")
                    .bind(end.0).bind(account.0).bind(channel.0).bind(&name).bind(incident).bind(now + 1).bind(now)
                    .execute(&mut *tx).await?;
            }
            tx.commit().await?;
            AlertReplay::Asked
        });
        if done == AlertReplay::Asked {
            self.ring();
        }
        Ok(done)
    }
}
