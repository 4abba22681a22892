//! What an alert says, when it is sent for the first time.

use super::Alerts;
use crate::model::message::{Links, Message};
use crate::model::{AboutIncident, AlertEvent, AlertId, Channel, HeldBack, UtcMs};
use crate::store::{ClaimedAlert, IncidentStory, NewAlert, Store, StoreError};

/// What is to be done with a claimed alert.
pub(super) enum Composed {
    /// Send this.
    Send(String),
    /// There is nothing to say any more: why.
    Nothing(&'static str),
    /// It cannot be said: why.
    Impossible(String),
}

/// Websites that a message names.
const NAMED: usize = 10;

fn about(story: IncidentStory) -> AboutIncident {
    let IncidentStory { incident, mut websites, count, events, .. } = story;
    websites.truncate(NAMED);
    let evidence = events.iter().rev().map(|event| &event.evidence).find(|seen| !seen.is_empty());
    AboutIncident {
        evidence: evidence.cloned().unwrap_or_default(),
        said: events.last().map(|event| event.said.clone()).unwrap_or_default(),
        incident,
        websites,
        website_count: count,
    }
}

impl Alerts {
    /// What an alert about an incident says now.
    pub(super) async fn compose(
        &self,
        store: &Store,
        alert: &ClaimedAlert,
        channel: &Channel,
        now: UtcMs,
    ) -> Result<Composed, StoreError> {
        let Some(incident) = alert.incident_id else {
            return Ok(Composed::Impossible("What it was to say was not kept.".to_owned()));
        };
        let about = match store.incident_for_alert(incident).await {
            Ok(Some(story)) => about(story),
            Ok(None) => return Ok(Composed::Nothing("The incident is gone.")),
            Err(error) if error.is_passing() => return Err(error),
            Err(error) => {
                tracing::error!(incident.id = %incident, %error, "An incident cannot be read, so nobody is told of it.");
                return Ok(Composed::Impossible(
                    "The incident could not be read; the hub's log has the cause.".to_owned(),
                ));
            }
        };
        let goes_on = about.incident.closed_at.is_none()
            && about.incident.acknowledged_at.is_none()
            && about.incident.muted_by.is_none();
        if alert.event == AlertEvent::Reminder && !goes_on {
            return Ok(Composed::Nothing("There was nothing to remind of any more."));
        }
        let links = self.links_of(incident, now);
        let message = Message::of_incident(alert.alert_id, alert.event, about, links, now);
        Ok(match message.render(&channel.settings, &self.0.head) {
            Ok(payload) => Composed::Send(payload),
            Err(why) => Composed::Impossible(why),
        })
    }

    /// What was held back. A mail that cannot be made of the channel's addresses is empty, and refused when it is sent.
    pub(super) fn summary(&self, id: AlertId, held: &HeldBack, channel: &Channel, now: UtcMs) -> String {
        let links = Links { page: self.incidents_page(), acknowledge: None };
        let message = Message::summary(id, held.clone(), links, now);
        message.render(&channel.settings, &self.0.head).unwrap_or_default()
    }

    /// Tells `channel` that another does not work any more.
    pub(super) fn notice(
        &self,
        id: AlertId,
        broken: &Channel,
        reason: &str,
        channel: &Channel,
        now: UtcMs,
    ) -> Result<NewAlert, String> {
        let links = Links { page: self.channel_page(broken.channel_id), acknowledge: None };
        let message = Message::channel_broken(id, broken, reason, links, now);
        Ok(NewAlert {
            alert_id: id,
            account_id: channel.account_id,
            channel_id: channel.channel_id,
            channel_name: channel.name.clone(),
            event: AlertEvent::ChannelBroken,
            payload: message.render(&channel.settings, &self.0.head)?,
        })
    }
}
