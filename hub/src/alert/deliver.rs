//! Claims, and the task of one claimed alert: keep, send, record.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use uuid::Uuid;

use super::compose::Composed;
use super::{Alerts, Answered, broken};
use crate::model::alert_retry::{Answer, HOUR_MS, after_try};
use crate::model::{AlertEvent, Channel, ChannelKind, UtcMs};
use crate::store::{ClaimedAlert, Store, StoreError, TryRecord};

/// A try and this end before the alert's lease does (60 s).
const RECORDED_WITHIN: Duration = Duration::from_secs(25);
/// Between two attempts to record.
const RECORD_AGAIN: Duration = Duration::from_secs(1);
/// Why nothing is sent to a channel whose settings nobody here understands.
const UNREADABLE: &str = "A newer version of BetterUptime wrote the settings of the channel, and this one does not understand \
    them: nothing was sent.";
/// Messages in flight at once.
const FLYING: usize = 64;

/// Sends what is due. One per hub.
#[derive(Debug)]
pub struct Sender {
    pub(super) store: Store,
    pub(super) alerts: Alerts,
    flying: JoinSet<()>,
}

impl Sender {
    /// One that has nothing in flight.
    #[must_use]
    pub fn new(store: Store, alerts: Alerts) -> Self {
        Self { store, alerts, flying: JoinSet::new() }
    }

    /// Claims what is due at `now` and starts to send it. Returns how many.
    ///
    /// # Errors
    /// The database is away.
    pub async fn step(&mut self, now: UtcMs) -> Result<usize, StoreError> {
        while self.flying.try_join_next().is_some() {}
        let room = FLYING.saturating_sub(self.flying.len());
        if room == 0 {
            return Ok(0);
        }
        let claimed = self.store.claim_alerts(now, i64::try_from(room).unwrap_or(1)).await?;
        let count = claimed.len();
        for alert in claimed {
            let (store, alerts) = (self.store.clone(), self.alerts.clone());
            self.flying.spawn(fly(store, alerts, Arc::new(alert), now));
        }
        Ok(count)
    }

    /// Waits until one of those in flight has ended; for ever when there is none.
    pub async fn landed(&mut self) {
        if self.flying.join_next().await.is_none() {
            std::future::pending::<()>().await;
        }
    }

    /// Waits for all that is in flight: nothing is cut off between sending and recording.
    pub async fn finish(&mut self) {
        while self.flying.join_next().await.is_some() {}
    }
}

/// One alert, in a task of its own: what makes the hub fail costs that one a try (D29).
async fn fly(store: Store, alerts: Alerts, alert: Arc<ClaimedAlert>, now: UtcMs) {
    let task = tokio::spawn({
        let (store, alert) = (store.clone(), alert.clone());
        async move { deliver(&store, &alerts, &alert, now).await }
    });
    let done = match task.await {
        Ok(done) => done,
        Err(panic) => {
            tracing::error!(alert.id = %alert.alert_id, %panic, "Sending an alert made the hub fail.");
            let answer = Answer::Later { after_ms: None };
            let after = after_try(alert.tries, alert.first_try_at.unwrap_or(now), answer, now, 0.5);
            let said = "The hub failed while it sent this; its log has the cause.";
            store
                .record_try(&alert, TryRecord { at: now, took_ms: 0, result: after.result(), said, after })
                .await
                .map(|_| ())
        }
    };
    if let Err(error) = done {
        // Its lease ends by itself, and then it is sent again, as the same.
        tracing::warn!(alert.id = %alert.alert_id, %error, "An alert could not be recorded; it is sent again later.");
    }
}

async fn deliver(store: &Store, alerts: &Alerts, alert: &ClaimedAlert, now: UtcMs) -> Result<(), StoreError> {
    probe::fail_point!("alert.claimed");
    let channel = match store.channel(alert.account_id, alert.channel_id).await {
        Ok(Some(channel)) => channel,
        Ok(None) => return store.end_alert(alert.alert_id, false, "The channel was deleted.", now).await,
        Err(error) => return Err(error),
    };
    if !channel.is_on {
        // Written by somebody who had not seen yet that it was switched off.
        return match &channel.broken {
            Some((_, why)) => {
                store.end_alert(alert.alert_id, true, &format!("The channel was given up: {why}"), now).await
            }
            None => store.end_alert(alert.alert_id, false, "The channel is switched off.", now).await,
        };
    }
    if channel.unreadable.is_some() {
        // A hub of that version may run beside this one, or come back: it waits as for a receiver in trouble.
        let after =
            after_try(alert.tries, alert.first_try_at.unwrap_or(now), Answer::Later { after_ms: None }, now, chance());
        let made = TryRecord { at: now, took_ms: 0, result: after.result(), said: UNREADABLE, after };
        return record(store, alert, made).await;
    }
    match within_cap(store, alerts, alert, &channel, now).await? {
        Turn::Send => send(store, alerts, alert, &channel, now).await,
        Turn::Summary(summary) => send(store, alerts, &summary, &channel, now).await,
        Turn::Later => Ok(()),
    }
}

/// What the cap of a channel lets through.
enum Turn {
    Send,
    Summary(ClaimedAlert),
    Later,
}

/// The last message of an hour, when more than one would have it, is one that tells of all of them.
async fn within_cap(
    store: &Store,
    alerts: &Alerts,
    alert: &ClaimedAlert,
    channel: &Channel,
    now: UtcMs,
) -> Result<Turn, StoreError> {
    match channel.settings.kind() {
        // They group by themselves, and what opens there has to be closed there, one by one.
        ChannelKind::Pagerduty | ChannelKind::Alertmanager => return Ok(Turn::Send),
        ChannelKind::Email
        | ChannelKind::Webhook
        | ChannelKind::Slack
        | ChannelKind::Discord
        | ChannelKind::Telegram
        | ChannelKind::Ntfy => {}
    }
    if alert.event == AlertEvent::Test {
        return Ok(Turn::Send);
    }
    let cap = channel.cap_per_hour.max(1);
    let delivered = store.delivered_since(channel.channel_id, now - HOUR_MS, cap).await?;
    let left = cap - i64::try_from(delivered.len()).unwrap_or(cap);
    if left <= 0 {
        let until = delivered.last().map_or(now, |at| at + HOUR_MS) + 1;
        store.hold_back(channel.channel_id, until, now).await?;
        return Ok(Turn::Later);
    }
    if left == 1 && alert.incident_id.is_some() && store.count_foldable(channel.channel_id, now, 2).await? > 1 {
        let folded = store.fold(channel, now, |id, held| alerts.summary(id, held, channel, now)).await?;
        return Ok(folded.map_or(Turn::Later, Turn::Summary));
    }
    Ok(Turn::Send)
}

async fn send(
    store: &Store,
    alerts: &Alerts,
    alert: &ClaimedAlert,
    channel: &Channel,
    now: UtcMs,
) -> Result<(), StoreError> {
    let payload = match &alert.payload {
        Some(payload) => payload.clone(),
        None => match alerts.compose(store, alert, channel, now).await? {
            Composed::Send(payload) => payload,
            Composed::Nothing(why) => return store.end_alert(alert.alert_id, false, why, now).await,
            Composed::Impossible(why) => return store.end_alert(alert.alert_id, true, &why, now).await,
        },
    };
    let kept = store.keep_payload(alert.alert_id, &payload).await?;
    let Some(payload) = kept else { return Ok(()) };
    probe::fail_point!("alert.kept");
    let started = Instant::now();
    let Answered { answer, said } = alerts.send(channel, alert.alert_id, &payload, now).await;
    probe::fail_point!("alert.sent");
    let took_ms = i64::try_from(started.elapsed().as_millis()).unwrap_or(i64::MAX);
    let after = after_try(alert.tries, alert.first_try_at.unwrap_or(now), answer, now + took_ms, chance());
    let made = TryRecord { at: now, took_ms, result: after.result(), said: &said, after };
    record(store, alert, made).await?;
    probe::fail_point!("alert.recorded");
    tracing::debug!(alert.id = %alert.alert_id, event = %alert.event, result = %after.result(), took_ms, "An alert was tried.");
    broken::judge(store, alerts, channel, answer, &said, now + took_ms).await
}

/// Records a try, also on a database that is away for some seconds: what is not recorded is sent once more.
async fn record(store: &Store, alert: &ClaimedAlert, made: TryRecord<'_>) -> Result<(), StoreError> {
    let until = Instant::now() + RECORDED_WITHIN;
    loop {
        match store.record_try(alert, made).await {
            Err(error) if error.is_passing() && Instant::now() < until => tokio::time::sleep(RECORD_AGAIN).await,
            done => return done.map(|_| ()),
        }
    }
}

/// 0 to 1, different each time.
fn chance() -> f64 {
    f64::from(u16::from_be_bytes([Uuid::new_v4().as_bytes()[0], Uuid::new_v4().as_bytes()[1]])) / f64::from(u16::MAX)
}
