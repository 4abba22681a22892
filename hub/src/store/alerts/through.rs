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
            let dead: Option<(Option<Uuid>, String, i64)> = sqlx::query_as(
                "update alert set state = 'cancelled', ended_at = $3, said = $4 \
                 where account_id = $1 and alert_id = $2 and state = 'dead' returning incident_id, event, number")
                .bind(account.0).bind(id.0).bind(now).bind(format!("It was sent through the channel \"{name}\" instead."))
                .fetch_optional(&mut *tx).await?;
            // What is not committed did not happen.
            let Some((incident, event, number)) = dead else { break 'done AlertReplay::NotDead };
            let Some(incident) = incident else { break 'done AlertReplay::OwnForm };
            let Ok(event) = event.parse::<AlertEvent>() else { break 'done AlertReplay::OwnForm };
            let alert = AlertId::of(IncidentId(incident), event, number, channel);
            let written = sqlx::query(
                "insert into alert (alert_id, account_id, channel_id, channel_name, incident_id, event, number, state, \
                 created_at, due_at) values ($1, $2, $3, $4, $5, $6, $7, 'waiting', $8, $8) on conflict do nothing")
                .bind(alert.0).bind(account.0).bind(channel.0).bind(&name).bind(incident).bind(event.as_str())
                .bind(number).bind(now).execute(&mut *tx).await?.rows_affected();
            if written == 0 {
                break 'done AlertReplay::HasIt;
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
