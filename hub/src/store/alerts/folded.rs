//! What is held back while a channel has had as many messages as it takes in an hour, and told in one.

use uuid::Uuid;

use super::super::{Store, StoreError, write};
use super::outbox::{ClaimedAlert, LEASE_MS};
use crate::model::alert_retry::HOUR_MS;
use crate::model::{AlertEvent, AlertId, Channel, ChannelId, HeldBack, HeldIncident, IncidentId, UtcMs};
use crate::new_id;

/// Incidents that a summary names.
const NAMED: i64 = 10;
/// An alert may have been tried for so long before it was delivered.
const TRIED_FOR_MS: i64 = 30 * 3_600_000;

impl Store {
    /// When a channel's messages in the two hours after `since` were delivered, the last first, at most `limit`. Tests do not
    /// count, nor what was delivered while the clock was ahead by more.
    ///
    /// # Errors
    /// The database is away.
    pub async fn delivered_since(
        &self,
        channel: ChannelId,
        since: UtcMs,
        limit: i64,
    ) -> Result<Vec<UtcMs>, StoreError> {
        Ok(write!(self, pool => sqlx::query_scalar(
            "select ended_at from alert where channel_id = $1 and created_at > $2 and state = 'delivered' \
             and ended_at > $3 and ended_at <= $5 and event <> 'test' order by ended_at desc limit $4")
            .bind(channel.0).bind(since - TRIED_FOR_MS).bind(since).bind(limit).bind(since + 2 * HOUR_MS)
            .fetch_all(pool).await?))
    }

    /// How many of a channel's alerts could be told in a summary now; no more than `limit` are counted.
    ///
    /// # Errors
    /// The database is away.
    pub async fn count_foldable(&self, channel: ChannelId, now: UtcMs, limit: i64) -> Result<i64, StoreError> {
        Ok(write!(self, pool => sqlx::query_scalar(
            "select count(*) from (select 1 from alert where channel_id = $1 and state = 'waiting' and due_at <= $2 \
             and incident_id is not null limit $3) as counted")
            .bind(channel.0).bind(now).bind(limit).fetch_one(pool).await?))
    }

    /// Lets a channel's due alerts wait until its hour lets another message through; not its tests, which may be under way.
    ///
    /// # Errors
    /// The database is away.
    pub async fn hold_back(&self, channel: ChannelId, until: UtcMs, now: UtcMs) -> Result<(), StoreError> {
        write!(self, pool => sqlx::query(
            "update alert set due_at = $2, claimed_until = null \
             where channel_id = $1 and state = 'waiting' and due_at <= $3 and event <> 'test'")
            .bind(channel.0).bind(until).bind(now).execute(pool).await?.rows_affected());
        Ok(())
    }

    /// Makes one message of all that is due to a channel, claimed by this hub; and of what was tried in vain and is due again
    /// later: alone, it would say that something began after the summary had said that it is over. `None`: there is nothing
    /// to fold any more.
    ///
    /// # Errors
    /// The database is away.
    pub async fn fold(
        &self,
        channel: &Channel,
        now: UtcMs,
        compose: impl FnOnce(AlertId, &HeldBack) -> String + Send,
    ) -> Result<Option<ClaimedAlert>, StoreError> {
        let id = AlertId(new_id::ordered());
        let claimed_until = now + LEASE_MS;
        let payload = write!(self, pool => 'done: {
            let mut tx = pool.begin().await?;
            let alerts = sqlx::query(
                "update alert set state = 'folded', folded_into = $2, ended_at = $3, claimed_until = null, said = $4 \
                 where channel_id = $1 and state = 'waiting' and (due_at <= $3 or tries > 0) and incident_id is not null")
                .bind(channel.channel_id.0).bind(id.0).bind(now)
                .bind("Told in a summary, since the channel had reached its messages an hour.")
                .execute(&mut *tx).await?.rows_affected();
            if alerts == 0 {
                tx.rollback().await?;
                break 'done None;
            }
            let open: Vec<(Uuid, String, i64, Option<String>, i64)> = sqlx::query_as(
                "select i.incident_id, i.cause, i.began_at, \
                 (select min(w.url) from incident_website w where w.incident_id = i.incident_id), i.websites \
                 from incident i where i.closed_at is null and i.incident_id in \
                 (select a.incident_id from alert a where a.channel_id = $1 and a.folded_into = $2) \
                 order by i.began_at, i.incident_id limit $3")
                .bind(channel.channel_id.0).bind(id.0).bind(NAMED).fetch_all(&mut *tx).await?;
            let (open_count, closed_count): (i64, i64) = sqlx::query_as(
                "select count(*) - count(i.closed_at), count(i.closed_at) from incident i where i.incident_id in \
                 (select a.incident_id from alert a where a.channel_id = $1 and a.folded_into = $2)")
                .bind(channel.channel_id.0).bind(id.0).fetch_one(&mut *tx).await?;
            let open = open.into_iter().map(|(incident, cause, began_at, url, website_count)| HeldIncident {
                incident_id: IncidentId(incident), cause, began_at, url: url.unwrap_or_default(), website_count,
            }).collect();
            let payload = compose(id, &HeldBack { alerts, open, open_count, closed_count });
            sqlx::query(
                "insert into alert (alert_id, account_id, channel_id, channel_name, event, number, state, created_at, \
                 due_at, claimed_until, payload) values ($1, $2, $3, $4, 'summary', 0, 'waiting', $5, $5, $6, $7)")
                .bind(id.0).bind(channel.account_id.0).bind(channel.channel_id.0).bind(&channel.name).bind(now)
                .bind(claimed_until).bind(&payload).execute(&mut *tx).await?;
            tx.commit().await?;
            Some(payload)
        });
        let Some(payload) = payload else { return Ok(None) };
        Ok(Some(ClaimedAlert {
            alert_id: id,
            account_id: channel.account_id,
            channel_id: channel.channel_id,
            incident_id: None,
            event: AlertEvent::Summary,
            number: 0,
            tries: 0,
            first_try_at: None,
            payload: Some(payload),
            claimed_until,
        }))
    }
}
