//! Reports that are sent: whose time has come is put into the outbox, which sends it like all else. A hub that was away
//! sends the latest window when it is back; of two hubs one writes it.

use std::time::Duration;

use tokio::sync::watch;

use super::{Alerts, Sender};
use crate::clock;
use crate::model::message::{Links, Message};
use crate::model::report::{Schedule, Window};
use crate::model::{AlertEvent, AlertId, Channel, Scope, UtcMs};
use crate::store::{NewAlert, Reported, Store, StoreError};

/// Between two looks for reports whose time has come; and while there are more.
const EVERY: Duration = Duration::from_secs(30);
const WHILE_MORE: Duration = Duration::from_millis(200);
/// A report that cannot be made now, for a reason that does not pass by itself, is tried again so much later.
const AGAIN_MS: i64 = 3_600_000;
/// The same where it may pass: reading took too long, or the database did not answer.
const SOON_MS: i64 = 600_000;

impl Sender {
    /// Puts the reports whose time has come into the outbox. Returns how many.
    ///
    /// # Errors
    /// The database is away; what is left is done the next time.
    pub async fn reports(&self, now: UtcMs) -> Result<usize, StoreError> {
        let mut written = 0;
        for schedule in self.store.due_reports(now).await? {
            match self.alerts.hand_over(&self.store, &schedule, now).await {
                Ok(done) => written += usize::from(done),
                Err(error) => {
                    // One that cannot be read, or not in the time a statement has, must not keep the others back. A
                    // database that is away cannot put it off either.
                    let again_ms = if error.is_passing() { SOON_MS } else { AGAIN_MS };
                    self.store.put_off_report(schedule.schedule_id, now.saturating_add(again_ms)).await?;
                    tracing::error!(report.id = %schedule.schedule_id, %error, "A report cannot be made yet.");
                }
            }
        }
        Ok(written)
    }
}

/// Looks for reports until told to stop. Apart from [`super::run`]: reading for one may take seconds, and many are due at
/// once; no alert waits for them.
///
/// # Errors
/// Never by itself: trouble is logged and tried again.
pub async fn run(store: Store, alerts: Alerts, mut stopping: watch::Receiver<bool>) -> anyhow::Result<()> {
    let sender = Sender::new(store, alerts);
    while !*stopping.borrow() {
        let wait = match sender.reports(clock::now()).await {
            // Others tell of a database that is away.
            Ok(0) | Err(_) => EVERY,
            Ok(_) => WHILE_MORE,
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = stopping.changed() => {}
        }
    }
    Ok(())
}

impl Alerts {
    async fn hand_over(&self, store: &Store, schedule: &Schedule, now: UtcMs) -> Result<bool, StoreError> {
        let (id, account) = (schedule.schedule_id, schedule.account_id);
        let next_at = schedule.rhythm.next_at(now).unwrap_or(now.saturating_add(AGAIN_MS));
        let Some(due) = schedule.due(now) else { return store.put_off_report(id, next_at).await.map(|()| false) };
        // Deleted meanwhile: so is this.
        let Some(channel) = store.channel(account, schedule.channel_id).await? else { return Ok(false) };
        let until = due.window.ends_at;
        let alert_id = AlertId::of_report(id, until);
        let links = Links { page: self.report_page(&schedule.scope, &due.window), acknowledge: None };
        let message = match store.report(account, &schedule.scope, &due.window, None, now).await? {
            Some(Reported::Report(report)) => Message::report(alert_id, &report, links, now),
            Some(Reported::Refused(refused)) => {
                let remedy = refused.0.first().map(|error| error.remedy.clone()).unwrap_or_default();
                Message::no_report(alert_id, &due.window.to_string(), &remedy, links, now)
            }
            None => return Ok(false),
        };
        match self.of_report(&message, &channel) {
            Ok(alert) => store.hand_over_report(id, &alert, until, next_at, now).await,
            Err(why) => {
                tracing::warn!(report.id = %id, why, "The mail of a report cannot be made.");
                store.put_off_report(id, next_at).await.map(|()| false)
            }
        }
    }

    fn of_report(&self, message: &Message, channel: &Channel) -> Result<NewAlert, String> {
        Ok(NewAlert {
            alert_id: message.alert_id,
            account_id: channel.account_id,
            channel_id: channel.channel_id,
            channel_name: channel.name.clone(),
            event: AlertEvent::Report,
            payload: message.render(&channel.settings, &self.0.head)?,
        })
    }

    fn report_page(&self, scope: &Scope, window: &Window) -> Option<String> {
        let base = self.0.public_url.as_ref()?;
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(window.query());
        let path = match scope {
            Scope::All => "/reports".to_owned(),
            Scope::Tag(tag) => {
                query.append_pair("tag", tag.as_str());
                "/reports".to_owned()
            }
            Scope::Website(id) => format!("/reports/websites/{id}"),
        };
        Some(format!("{base}{path}?{}", query.finish()))
    }
}
