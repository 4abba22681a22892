//! A channel that was given up: it is switched off, its alerts die where everybody can see them, and whoever is told in its
//! place gets them.

use uuid::Uuid;

use super::super::{Store, StoreError, write};
use super::outbox::NewAlert;
use crate::model::{AlertEvent, AlertId, Channel, ChannelId, IncidentId, UtcMs};

/// Alerts handed over to a second channel at most; its own cap folds them.
const HANDED_OVER: i64 = 1_000;

/// What is tried was written so long ago at most (a channel waits a week, a receiver a day): older ones are not looked at.
const OLDEST_MS: i64 = 9 * 86_400_000;

impl Store {
    /// How many tries of a channel's alerts were made from `since` to `until`; no more than `limit` are counted.
    ///
    /// # Errors
    /// The database is away.
    pub async fn tries_between(
        &self,
        channel: ChannelId,
        since: UtcMs,
        until: UtcMs,
        limit: i64,
    ) -> Result<i64, StoreError> {
        Ok(write!(self, pool => sqlx::query_scalar(
            "select count(*) from (select 1 from alert_try t join alert a on a.alert_id = t.alert_id \
             where a.channel_id = $1 and a.created_at >= $4 and t.at between $2 and $5 and a.event <> 'test' limit $3) as counted")
            .bind(channel.0).bind(since).bind(limit).bind(since - OLDEST_MS).bind(until).fetch_one(pool).await?))
    }

    /// Gives a channel up, in one transaction: it is off and broken, what waits is dead, `second` (where it is on) gets
    /// what it did not tell since it began to fail, and `notices` say so to others. `false`: somebody else switched it off
    /// before; or it is the last one of the account that is on, and not `is_gone`: it may have been our own network that was
    /// away, and nobody would ever be told again.
    ///
    /// # Errors
    /// The database is away.
    pub async fn break_channel(
        &self,
        channel: &Channel,
        reason: &str,
        is_gone: bool,
        second: Option<&Channel>,
        notices: &[NewAlert],
        now: UtcMs,
    ) -> Result<bool, StoreError> {
        let id = channel.channel_id;
        let since = channel.failing_since_at.unwrap_or(now).min(now);
        let is_broken = write!(self, pool => {
            let mut tx = pool.begin().await?;
            // Two that fail at once take turns here, so that one stays.
            sqlx::query("update account set username = username where account_id = $1")
                .bind(channel.account_id.0).execute(&mut *tx).await?;
            let changed = sqlx::query(
                "update channel set is_on = false, broken_at = $2, broken_reason = $3, revision = revision + 1 \
                 where channel_id = $1 and is_on and ($4 or exists (select 1 from channel o \
                 where o.account_id = channel.account_id and o.is_on and o.channel_id <> $1))")
                .bind(id.0).bind(now).bind(reason).bind(is_gone).execute(&mut *tx).await?.rows_affected();
            if changed == 1 {
                sqlx::query(
                    "update alert set state = 'dead', ended_at = $2, claimed_until = null, said = $3 \
                     where channel_id = $1 and state = 'waiting'")
                    .bind(id.0).bind(now).bind(format!("The channel was given up: {reason}"))
                    .execute(&mut *tx).await?;
                sqlx::query(
                    "update alert set state = 'dead', said = $2 where channel_id = $1 and state = 'folded' \
                     and folded_into in (select alert_id from alert where channel_id = $1 and event = 'summary' \
                     and state = 'dead')")
                    .bind(id.0).bind("It was told in a summary, which was given up.").execute(&mut *tx).await?;
                if let Some(second) = second {
                    let untold: Vec<(Uuid, String, i64)> = sqlx::query_as(
                        "select incident_id, event, number from alert where channel_id = $1 and state = 'dead' \
                         and incident_id is not null and ended_at >= $2 order by created_at, alert_id limit $3")
                        .bind(id.0).bind(since).bind(HANDED_OVER).fetch_all(&mut *tx).await?;
                    for (incident, event, number) in untold {
                        let Ok(event) = event.parse::<AlertEvent>() else { continue };
                        let alert = AlertId::of(IncidentId(incident), event, number, second.channel_id);
                        sqlx::query(
                            "insert into alert (alert_id, account_id, channel_id, channel_name, incident_id, event, \
                             number, state, created_at, due_at) \
                             values ($1, $2, $3, $4, $5, $6, $7, 'waiting', $8, $8) on conflict do nothing")
                            .bind(alert.0).bind(channel.account_id.0).bind(second.channel_id.0).bind(&second.name)
                            .bind(incident).bind(event.as_str()).bind(number).bind(now).execute(&mut *tx).await?;
                    }
                }
                for notice in notices {
                    sqlx::query(
                        "insert into alert (alert_id, account_id, channel_id, channel_name, event, number, state, \
                         created_at, due_at, payload) values ($1, $2, $3, $4, $5, 0, 'waiting', $6, $6, $7) \
                         on conflict do nothing")
                        .bind(notice.alert_id.0).bind(notice.account_id.0).bind(notice.channel_id.0)
                        .bind(&notice.channel_name).bind(notice.event.as_str()).bind(now).bind(&notice.payload)
                        .execute(&mut *tx).await?;
                }
            }
            tx.commit().await?;
            changed == 1
        });
        if is_broken {
            self.ring();
        }
        Ok(is_broken)
    }
}
