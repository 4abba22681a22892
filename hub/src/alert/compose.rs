//! What an alert says, when it is sent for the first time.

use super::Alerts;
use crate::model::message::{Links, Message};
use crate::model::{AboutIncident, AlertEvent, AlertId, Channel, HeldBack, IncidentEventKind as Kind, UtcMs};
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
    // Of one that goes on, what was seen of a website that is well again says nothing.
    let is_over = incident.closed_at.is_some();
    let of_it = events.iter().rev().filter(|event| is_over || event.kind != Kind::Left);
    let evidence = of_it.map(|event| &event.evidence).find(|seen| !seen.is_empty());
    AboutIncident {
        evidence: evidence.cloned().unwrap_or_default(),
        said: events.iter().rev().find(|event| is_news(event.kind)).map(|event| event.said.clone()).unwrap_or_default(),
        incident,
        websites,
        website_count: count,
    }
}

/// Whether a line of the timeline is what became of the websites. What people wrote down is theirs, and leaves the hub in no
/// message; that somebody is on it, and that nobody is told, are said elsewhere.
fn is_news(kind: Kind) -> bool {
    match kind {
        Kind::Opened | Kind::Joined | Kind::Left | Kind::Changed | Kind::Closed => true,
        Kind::Muted | Kind::Acknowledged | Kind::Note => false,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AccountId, Incident, IncidentEvent, IncidentId, IncidentKind};

    #[test]
    fn a_message_says_what_became_of_the_websites_and_no_note() {
        let event = |at, kind, said: &str| IncidentEvent {
            at,
            kind,
            website_id: None,
            said: said.to_owned(),
            said_by: None,
            evidence: Vec::new(),
        };
        let incident = Incident {
            incident_id: IncidentId(uuid::Uuid::nil()),
            account_id: AccountId(uuid::Uuid::nil()),
            kind: IncidentKind::Outage,
            cause_key: String::new(),
            cause: String::new(),
            began_at: 0,
            opened_at: 0,
            ended_at: None,
            closed_at: None,
            closed_as: None,
            acknowledged_at: None,
            acknowledged_by: None,
            muted_by: None,
        };
        let events = vec![
            event(1, Kind::Opened, "a.example is down."),
            event(2, Kind::Joined, "b.example is down."),
            event(3, Kind::Note, "Bob pulled the wrong cable."),
            event(4, Kind::Acknowledged, "Taken on."),
        ];
        let story = IncidentStory { incident, websites: Vec::new(), count: 2, failing: 2, events };
        assert_eq!(about(story).said, "b.example is down.");
    }
}
