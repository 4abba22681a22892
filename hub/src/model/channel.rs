//! Where a person is told.

use probe::wire::SecretText;
use serde::{Deserialize, Serialize};

use super::id::id;
use super::{AccountId, UtcMs};

id! {
    /// Names a channel.
    ChannelId
}

probe::named! {
    /// How a channel reaches people.
    ChannelKind {
        /// Mail, through a server of theirs.
        Email = "email",
        /// An HTTP request, signed after Standard Webhooks.
        Webhook = "webhook",
        /// Slack's incoming webhook.
        Slack = "slack",
        /// Discord's webhook.
        Discord = "discord",
        /// Telegram's bot.
        Telegram = "telegram",
        /// ntfy, of ntfy.sh or one's own.
        Ntfy = "ntfy",
        /// PagerDuty, Events API v2.
        Pagerduty = "pagerduty",
        /// A Prometheus Alertmanager, or whatever takes its API v2.
        Alertmanager = "alertmanager",
    }
}

/// Where to, and with what proof. Stored as JSON; fields may be added, with a default. URLs of chat services are secrets:
/// whoever has one can write there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ChannelSettings {
    /// Mail.
    Email {
        /// Name of the mail server.
        server: String,
        /// Its port: 465 (TLS from the start), 587 (STARTTLS) or another.
        port: u16,
        /// How the connection is protected.
        security: MailSecurity,
        /// Who signs in there; empty: nobody.
        #[serde(default)]
        username: String,
        /// With what.
        #[serde(default)]
        password: SecretText,
        /// Who it is from.
        from: String,
        /// Who gets it, at most 20.
        to: Vec<String>,
    },
    /// A signed HTTP request.
    Webhook {
        /// Where to.
        url: SecretText,
        /// `whsec_` and base64 of 24 to 64 bytes.
        secret: SecretText,
        /// The secret before, while receivers change to the new one.
        #[serde(default)]
        old_secret: Option<SecretText>,
    },
    /// Slack.
    Slack {
        /// The incoming webhook.
        url: SecretText,
    },
    /// Discord.
    Discord {
        /// The webhook.
        url: SecretText,
    },
    /// Telegram.
    Telegram {
        /// The bot's token.
        token: SecretText,
        /// The chat's number, or `@name` of a public channel.
        chat: String,
        /// Another server than api.telegram.org.
        #[serde(default)]
        server: Option<String>,
    },
    /// ntfy.
    Ntfy {
        /// `https://ntfy.sh` or one's own.
        server: String,
        /// Whoever knows it can read and write.
        topic: SecretText,
        /// Access token.
        #[serde(default)]
        token: Option<SecretText>,
    },
    /// PagerDuty.
    Pagerduty {
        /// The integration's key, 32 characters.
        routing_key: SecretText,
        /// Another server than events.pagerduty.com (Europe: events.eu.pagerduty.com).
        #[serde(default)]
        server: Option<String>,
    },
    /// Alertmanager.
    Alertmanager {
        /// Up to and without `/api/v2/alerts`.
        url: SecretText,
    },
}

probe::named! {
    /// How a connection to a mail server is protected.
    MailSecurity {
        /// TLS from the start.
        Tls = "tls",
        /// STARTTLS, required.
        Starttls = "starttls",
        /// Not at all; for a server on the same machine.
        None = "none",
    }
}

impl ChannelSettings {
    /// Which kind they are of.
    #[must_use]
    pub fn kind(&self) -> ChannelKind {
        match self {
            Self::Email { .. } => ChannelKind::Email,
            Self::Webhook { .. } => ChannelKind::Webhook,
            Self::Slack { .. } => ChannelKind::Slack,
            Self::Discord { .. } => ChannelKind::Discord,
            Self::Telegram { .. } => ChannelKind::Telegram,
            Self::Ntfy { .. } => ChannelKind::Ntfy,
            Self::Pagerduty { .. } => ChannelKind::Pagerduty,
            Self::Alertmanager { .. } => ChannelKind::Alertmanager,
        }
    }
}

impl ChannelSettings {
    /// Where it leads to, for people; nothing of it is a secret.
    #[must_use]
    pub fn place(&self) -> String {
        let host = |url: &str| super::host_of(url).unwrap_or_default();
        match self {
            Self::Email { to, .. } => match to.as_slice() {
                [] => String::new(),
                [one] => one.clone(),
                [first, rest @ ..] => format!("{first} and {} more", rest.len()),
            },
            Self::Webhook { url, .. } | Self::Alertmanager { url } => host(url.expose()),
            Self::Slack { .. } => "hooks.slack.com".to_owned(),
            Self::Discord { .. } => "discord.com".to_owned(),
            Self::Telegram { chat, .. } => format!("chat {chat}"),
            Self::Ntfy { server, .. } => host(server),
            Self::Pagerduty { server, .. } => host(server.as_deref().unwrap_or("https://events.pagerduty.com")),
        }
    }
}

impl Channel {
    /// Whether messages can go there: it is on, and this version knows how.
    #[must_use]
    pub fn takes_messages(&self) -> bool {
        self.is_on && self.unreadable.is_none()
    }

    /// The name of its kind, also of one that this version does not know.
    #[must_use]
    pub fn kind_name(&self) -> &str {
        self.unreadable.as_deref().unwrap_or(self.settings.kind().as_str())
    }
}

/// Channels an account may have.
pub const MAX_CHANNELS: i64 = 50;

/// What its owner says of a channel; checked by [`super::ChannelInput`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelDraft {
    /// What its owner calls it.
    pub name: String,
    /// Where to.
    pub settings: ChannelSettings,
    /// Told also of what only a minority of regions sees.
    pub tells_regional: bool,
    /// Told also of the installation itself, where its owner is an operator.
    pub tells_operator: bool,
    /// Told only of what nobody acknowledged for so long; 0: at once.
    pub waits_ms: i64,
    /// Told again so often, while nobody acknowledges.
    pub reminds_ms: Option<i64>,
    /// Messages an hour; more are folded into one.
    pub cap_per_hour: i64,
    /// Told when this one gives up.
    pub second_channel_id: Option<ChannelId>,
}

/// A channel as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// Which.
    pub channel_id: ChannelId,
    /// Whose.
    pub account_id: AccountId,
    /// What its owner calls it.
    pub name: String,
    /// Where to.
    pub settings: ChannelSettings,
    /// A newer version wrote the settings, and this one does not understand them: the name of their kind, as stored.
    /// `settings` mean nothing then. It is not sent to and not edited; it can be switched off and deleted.
    pub unreadable: Option<String>,
    /// Switched on by its owner, and not given up since.
    pub is_on: bool,
    /// Told also of what only a minority of regions sees.
    pub tells_regional: bool,
    /// Told also of the installation itself, where its owner is an operator.
    pub tells_operator: bool,
    /// Told only of what nobody acknowledged for so long; 0: at once.
    pub waits_ms: i64,
    /// Told again so often, while nobody acknowledges.
    pub reminds_ms: Option<i64>,
    /// Messages an hour; more are folded into one.
    pub cap_per_hour: i64,
    /// Told when this one gives up.
    pub second_channel_id: Option<ChannelId>,
    /// When it was made.
    pub created_at: UtcMs,
    /// Grows with every edit.
    pub revision: i64,
    /// Since when no try has succeeded.
    pub failing_since_at: Option<UtcMs>,
    /// When it was given up, and why.
    pub broken: Option<(UtcMs, String)>,
}
