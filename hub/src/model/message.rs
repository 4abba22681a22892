//! What people are told: from an incident and what is known of it, a neutral message in plain words; then the form that
//! each kind of channel takes. Everything from outside (addresses, names, causes) is data in every form.

mod certificate;
mod chat;
mod machine;
mod mail;
mod report;
mod told;
pub mod words;

pub use mail::MailHead;

use super::operator::page_of;
use super::{
    AlertEvent, AlertId, Channel, ChannelSettings, Evidence, Incident, IncidentId, IncidentKind, IncidentWebsite, UtcMs,
};

/// What a message about an incident says: how things are at its first try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AboutIncident {
    /// The incident.
    pub incident: Incident,
    /// The first of its websites (10), those that still fail before the others.
    pub websites: Vec<IncidentWebsite>,
    /// All of them.
    pub website_count: i64,
    /// What each region had seen when it was last decided.
    pub evidence: Vec<Evidence>,
    /// What the last line of its timeline says.
    pub said: String,
}

/// An incident in a summary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldIncident {
    /// Which.
    pub incident_id: IncidentId,
    /// Its cause in plain words.
    pub cause: String,
    /// When it began.
    pub began_at: UtcMs,
    /// One of its websites.
    pub url: String,
    /// How many it has.
    pub website_count: i64,
}

/// What a summary tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldBack {
    /// Alerts that were held back.
    pub alerts: u64,
    /// The first incidents that go on (10), oldest first.
    pub open: Vec<HeldIncident>,
    /// All that go on.
    pub open_count: i64,
    /// Those that are over.
    pub closed_count: i64,
}

/// Where a reader can go.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Links {
    /// To the page about it.
    pub page: Option<String>,
    /// Whoever follows it can acknowledge the incident.
    pub acknowledge: Option<String>,
}

/// How it sounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Something is down.
    Bad,
    /// Something is not well.
    Warning,
    /// It is well again.
    Good,
    /// For your information.
    Note,
}

/// A message before it has the form of a channel.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// Which alert it is.
    pub alert_id: AlertId,
    /// What it tells.
    pub event: AlertEvent,
    /// When it was written.
    pub at: UtcMs,
    /// How it sounds.
    pub tone: Tone,
    /// In a few words, on one line.
    pub title: String,
    /// In a sentence or two.
    pub said: String,
    /// Name and value, each on one line.
    pub facts: Vec<(&'static str, String)>,
    /// A line for each website (10 at most).
    pub list: Vec<String>,
    /// How many more there are.
    pub more: i64,
    /// Where to go.
    pub links: Links,
    /// What it is about, for machines.
    pub about: Option<AboutIncident>,
    /// What it sums up, for machines.
    pub held: Option<HeldBack>,
}

impl Message {
    /// About an incident.
    #[must_use]
    pub fn of_incident(alert_id: AlertId, event: AlertEvent, about: AboutIncident, links: Links, now: UtcMs) -> Self {
        let (tone, title, said) = told::of_incident(event, &about, now);
        // Services refuse a message with an empty text in it.
        let said = if said.is_empty() { title.clone() } else { said };
        let list: Vec<String> = match about.website_count {
            ..=1 => Vec::new(),
            2.. => about.websites.iter().map(|website| of_list(website, now)).collect(),
        };
        let more = about.website_count - i64::try_from(about.websites.len()).unwrap_or(0);
        let more = if list.is_empty() { 0 } else { more.max(0) };
        let mut facts = told::facts(event, &about, now);
        if let Some(path) = page_of(&about.incident.cause_key).filter(|_| about.incident.kind == IncidentKind::Operator)
        {
            let base = links.page.as_deref().and_then(|page| page.split_once("/incidents/")).map(|(base, _)| base);
            facts.push(("Look at", format!("{}{path}", base.unwrap_or_default())));
        }
        let links = match about.incident {
            Incident { closed_at: None, acknowledged_at: None, .. } => links,
            _ => Links { acknowledge: None, ..links },
        };
        Self { alert_id, event, at: now, tone, title, said, facts, list, more, links, about: Some(about), held: None }
    }

    /// Somebody tries the channel.
    #[must_use]
    pub fn test(alert_id: AlertId, channel: &Channel, links: Links, now: UtcMs) -> Self {
        Self {
            alert_id,
            event: AlertEvent::Test,
            at: now,
            tone: Tone::Note,
            title: "Test from BetterUptime".to_owned(),
            said: format!("Messages arrive here through the channel \"{}\".", words::line(&channel.name, 80)),
            facts: vec![("Sent", words::instant(now))],
            list: Vec::new(),
            more: 0,
            links,
            about: None,
            held: None,
        }
    }

    /// Another channel was given up.
    #[must_use]
    pub fn channel_broken(alert_id: AlertId, broken: &Channel, reason: &str, links: Links, now: UtcMs) -> Self {
        let name = words::line(&broken.name, 80);
        let mut facts = vec![("Channel", name.clone()), ("Leads to", words::line(&broken.settings.place(), 200))];
        facts.push(("Why", words::sentence(reason)));
        if let Some(since) = broken.failing_since_at {
            facts.push(("No message arrived since", words::instant(since)));
        }
        facts.retain(|(_, value)| !value.is_empty());
        Self {
            alert_id,
            event: AlertEvent::ChannelBroken,
            at: now,
            tone: Tone::Warning,
            title: format!("The channel \"{name}\" does not work any more"),
            said:
                "It was switched off, and what it could not tell is kept: look at its settings, try it, and switch it \
                   on again."
                    .to_owned(),
            facts,
            list: Vec::new(),
            more: 0,
            links,
            about: None,
            held: None,
        }
    }

    /// What was held back.
    #[must_use]
    pub fn summary(alert_id: AlertId, held: HeldBack, links: Links, now: UtcMs) -> Self {
        let were = if held.alerts == 1 { "1 alert was".to_owned() } else { format!("{} alerts were", held.alerts) };
        let said = match (held.open_count, held.closed_count) {
            (0, 1) => "The incident they are about is over.".to_owned(),
            (0, over) => format!("All {over} incidents they are about are over."),
            (1, 0) => "The incident they are about goes on.".to_owned(),
            (open, 0) => format!("{open} incidents go on."),
            (1, over) => format!("1 incident goes on, {over} {} over.", if over == 1 { "is" } else { "are" }),
            (open, over) => format!("{open} incidents go on, {over} {} over.", if over == 1 { "is" } else { "are" }),
        };
        let list: Vec<String> = held.open.iter().map(|one| of_summary(one, now)).collect();
        let more = (held.open_count - i64::try_from(list.len()).unwrap_or(0)).max(0);
        Self {
            alert_id,
            event: AlertEvent::Summary,
            at: now,
            tone: if held.open_count > 0 { Tone::Bad } else { Tone::Good },
            title: format!("{were} held back"),
            said: format!("This channel had reached its messages an hour. {said}"),
            facts: Vec::new(),
            list,
            more,
            links,
            about: None,
            held: Some(held),
        }
    }

    /// What is kept and sent, in the form of this channel. What only the channel knows (keys, topics) is added when it is
    /// sent, so that it is not kept twice.
    ///
    /// # Errors
    /// A mail that cannot be made of these addresses.
    pub fn render(&self, settings: &ChannelSettings, head: &MailHead) -> Result<String, String> {
        let json = match settings {
            ChannelSettings::Email { from, to, .. } => return mail::render(self, from, to, head),
            ChannelSettings::Webhook { .. } => machine::webhook(self),
            ChannelSettings::Slack { .. } => chat::slack(self),
            ChannelSettings::Discord { .. } => chat::discord(self),
            ChannelSettings::Telegram { .. } => chat::telegram(self),
            ChannelSettings::Ntfy { .. } => chat::ntfy(self),
            ChannelSettings::Pagerduty { .. } => machine::pagerduty(self),
            ChannelSettings::Alertmanager { .. } => machine::alertmanager(self),
        };
        Ok(json.to_string())
    }

    /// What ends at the service what a test began there, in the form of [`Message::render`]: nothing else would, and
    /// somebody would be called out. `None`: nothing was begun, or it ends by itself.
    #[must_use]
    pub fn end_of_test(&self, settings: &ChannelSettings) -> Option<String> {
        match settings {
            ChannelSettings::Pagerduty { .. } => Some(machine::pagerduty_end(self).to_string()),
            ChannelSettings::Email { .. }
            | ChannelSettings::Webhook { .. }
            | ChannelSettings::Slack { .. }
            | ChannelSettings::Discord { .. }
            | ChannelSettings::Telegram { .. }
            | ChannelSettings::Ntfy { .. }
            | ChannelSettings::Alertmanager { .. } => None,
        }
    }

    /// "and 490 more", where there are more than are listed.
    fn more_words(&self) -> Option<String> {
        (self.more > 0).then(|| format!("and {} more", self.more))
    }

    /// All of it as plain text: the sentence, facts, list and links, a line each.
    fn text(&self) -> String {
        let mut lines = vec![self.said.clone()];
        if !self.facts.is_empty() {
            lines.push(String::new());
            lines.extend(self.facts.iter().map(|(name, value)| format!("{name}: {value}")));
        }
        if !self.list.is_empty() {
            lines.push(String::new());
            lines.extend(self.list.iter().map(|one| format!("- {one}")));
            lines.extend(self.more_words());
        }
        let links = [("Details", &self.links.page), ("Acknowledge", &self.links.acknowledge)];
        for (n, (name, link)) in links.iter().filter_map(|(name, l)| l.as_ref().map(|l| (name, l))).enumerate() {
            if n == 0 {
                lines.push(String::new());
            }
            lines.push(format!("{name}: {link}"));
        }
        lines.join("\n")
    }
}

fn of_list(website: &IncidentWebsite, now: UtcMs) -> String {
    let name = words::name(&website.url);
    match website.ended_at {
        None => format!("{name}, for {}", words::lasting(now - website.began_at)),
        Some(ended) => format!("{name}, well again after {}", words::lasting(ended - website.began_at)),
    }
}

fn of_summary(one: &HeldIncident, now: UtcMs) -> String {
    if one.url.is_empty() {
        return format!("{} (for {})", words::line(&one.cause, 120), words::lasting(now - one.began_at));
    }
    let name = words::name(&one.url);
    let name = if one.website_count > 1 { format!("{name} and {} more", one.website_count - 1) } else { name };
    format!("{name}: {} (for {})", words::line(&one.cause, 120), words::lasting(now - one.began_at))
}

#[cfg(test)]
mod tests;
