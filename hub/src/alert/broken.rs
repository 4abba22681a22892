//! A channel that reaches nobody any more is given up, and somebody else is told.

use uuid::Uuid;

use super::Alerts;
use crate::model::alert_retry::{Answer, BROKEN_AFTER_MS, BROKEN_AFTER_TRIES, HOUR_MS};
use crate::model::{AlertId, Channel, UtcMs};
use crate::store::{Store, StoreError};

/// A day with an alert that is tried every hour has a try this near to its begin.
const ABOUT_MS: i64 = 2 * HOUR_MS;

/// Gives the channel up if this answer was the last straw.
pub(super) async fn judge(
    store: &Store,
    alerts: &Alerts,
    channel: &Channel,
    answer: Answer,
    said: &str,
    now: UtcMs,
) -> Result<(), StoreError> {
    let reason = match answer {
        Answer::Taken => return Ok(()),
        Answer::Gone => said.to_owned(),
        Answer::Refused | Answer::Later { .. } => {
            // As it is after this try.
            let Some(now_is) = store.channel(channel.account_id, channel.channel_id).await? else { return Ok(()) };
            if now_is.failing_since_at.is_none_or(|since| now - since < BROKEN_AFTER_MS) {
                return Ok(());
            }
            // Of the day that ends now. What failed once, long ago, and was not needed since begins anew.
            let (id, begun) = (channel.channel_id, now - BROKEN_AFTER_MS);
            let first = store.tries_between(id, begun - ABOUT_MS, begun + ABOUT_MS, 1).await?;
            let all = store.tries_between(id, begun - ABOUT_MS, now, BROKEN_AFTER_TRIES).await?;
            if first == 0 || all < BROKEN_AFTER_TRIES {
                return Ok(());
            }
            format!("Nothing arrived for a day. Last: {said}")
        }
    };
    give_up(store, alerts, channel, &reason, answer == Answer::Gone, now).await
}

async fn give_up(
    store: &Store,
    alerts: &Alerts,
    channel: &Channel,
    reason: &str,
    is_gone: bool,
    now: UtcMs,
) -> Result<(), StoreError> {
    let channels = store.channels(channel.account_id).await?;
    let Some(broken) = channels.iter().find(|one| one.channel_id == channel.channel_id) else { return Ok(()) };
    let others: Vec<&Channel> =
        channels.iter().filter(|one| one.takes_messages() && one.channel_id != broken.channel_id).collect();
    let second = others.iter().find(|one| Some(one.channel_id) == broken.second_channel_id).copied();
    let told = second.map_or(others, |second| vec![second]);
    let mut notices = Vec::with_capacity(told.len());
    for other in told {
        // Of the channel, the moment and the receiver, so that two hubs that give it up write one.
        let name = format!("{} {now} {}", broken.channel_id, other.channel_id);
        let id = AlertId(Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()));
        match alerts.notice(id, broken, reason, other, now) {
            Ok(notice) => notices.push(notice),
            Err(why) => tracing::warn!(channel.id = %other.channel_id, why, "A channel cannot be told of another."),
        }
    }
    if store.break_channel(broken, reason, is_gone, second, &notices, now).await? {
        tracing::warn!(
            channel.id = %broken.channel_id, kind = %broken.settings.kind(), told = notices.len(),
            "A channel was given up and switched off: messages do not arrive there."
        );
    }
    Ok(())
}
