//! A channel as people and programs type it, and back. What is typed wrong is named field by field, and never repeated
//! where it may be a secret; a secret that is left empty stays as it is.

mod mail;
mod receiver;
mod services;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::{
    Channel, ChannelDraft, ChannelId, ChannelKind, ChannelSettings, FieldError, FieldErrors, SecretText, TargetRules,
};
use receiver::{UrlRule, receiver};

/// Longest name, in characters.
const MAX_NAME: usize = 80;
/// Most messages an hour that may be asked for.
const MAX_CAP: i64 = 1_000;
/// Messages an hour when nothing else is said.
const DEFAULT_CAP: i64 = 60;
/// Longest wait and longest time between two reminders.
const WEEK_MINUTES: i64 = 7 * 24 * 60;

/// A channel as texts; an empty text means the default, or what is stored where that is a secret.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChannelInput {
    /// What its owner calls it.
    pub name: String,
    /// A name of [`ChannelKind`].
    pub kind: String,
    /// Mail server; or where Telegram, ntfy or PagerDuty are, when not in their usual place.
    pub server: String,
    /// Mail: its port.
    pub port: String,
    /// Mail: a name of [`super::MailSecurity`].
    pub security: String,
    /// Mail: who signs in.
    pub username: String,
    /// Mail: with what; empty keeps the stored one.
    pub password: SecretText,
    /// Mail: who it is from.
    pub from: String,
    /// Mail: who gets it, by commas or lines.
    pub to: String,
    /// Webhook, Slack, Discord, Alertmanager: where to; empty keeps the stored one.
    pub url: SecretText,
    /// Webhook: the secret it is signed with; empty keeps the stored one, or makes one.
    pub secret: SecretText,
    /// Webhook: make a new secret, and sign with the old one too.
    pub new_secret: bool,
    /// Webhook: the old secret is no longer used.
    pub drop_old_secret: bool,
    /// Telegram, ntfy: empty keeps the stored one.
    pub token: SecretText,
    /// ntfy: no token any more.
    pub drop_token: bool,
    /// Telegram: which chat.
    pub chat: String,
    /// ntfy: empty keeps the stored one.
    pub topic: SecretText,
    /// PagerDuty: empty keeps the stored one.
    pub routing_key: SecretText,
    /// Told also of what only a minority of regions sees.
    pub tells_regional: bool,
    /// Told also of the installation itself; without effect where the account is no operator's.
    pub tells_operator: bool,
    /// Told only of what nobody acknowledged for so long; empty or 0: at once.
    pub waits_minutes: String,
    /// Told again so often; empty: never.
    pub reminds_minutes: String,
    /// Messages an hour.
    pub cap_per_hour: String,
    /// Told when this one gives up; empty: nobody in particular.
    pub second_channel_id: String,
}

/// What else decides whether a channel may be so.
#[derive(Debug, Clone, Copy)]
pub struct ChannelContext<'a> {
    /// What is stored, where it is an edit.
    pub stored: Option<&'a Channel>,
    /// All channels of the account.
    pub channels: &'a [Channel],
    /// Whether strangers may make accounts here.
    pub rules: &'a TargetRules,
    /// Of which a secret is made where one is wanted.
    pub random: [u8; 32],
}

impl ChannelInput {
    /// Of a channel that is to be added, before anything is said about it.
    #[must_use]
    pub fn fresh() -> Self {
        Self { tells_operator: true, ..Self::default() }
    }

    /// The texts for a channel there is; secrets are left out.
    #[must_use]
    pub fn of(channel: &Channel) -> Self {
        let minutes = |ms: i64| (ms / 60_000).to_string();
        let mut input = Self {
            name: channel.name.clone(),
            kind: channel.settings.kind().to_string(),
            tells_regional: channel.tells_regional,
            tells_operator: channel.tells_operator,
            waits_minutes: if channel.waits_ms == 0 { String::new() } else { minutes(channel.waits_ms) },
            reminds_minutes: channel.reminds_ms.map(minutes).unwrap_or_default(),
            cap_per_hour: channel.cap_per_hour.to_string(),
            second_channel_id: channel.second_channel_id.map(|id| id.to_string()).unwrap_or_default(),
            ..Self::default()
        };
        match &channel.settings {
            ChannelSettings::Email { server, port, security, username, from, to, .. } => {
                input.server.clone_from(server);
                input.port = port.to_string();
                input.security = security.to_string();
                input.username.clone_from(username);
                input.from.clone_from(from);
                input.to = to.join("\n");
            }
            ChannelSettings::Webhook { .. }
            | ChannelSettings::Slack { .. }
            | ChannelSettings::Discord { .. }
            | ChannelSettings::Alertmanager { .. } => {}
            ChannelSettings::Telegram { chat, server, .. } => {
                input.chat.clone_from(chat);
                input.server = server.clone().unwrap_or_default();
            }
            ChannelSettings::Ntfy { server, .. } => input.server.clone_from(server),
            ChannelSettings::Pagerduty { server, .. } => input.server = server.clone().unwrap_or_default(),
        }
        input
    }

    /// The same without what nobody should see again, to come back on a form that was refused; and whether something is
    /// to be typed again.
    #[must_use]
    pub fn without_secrets(&self) -> (Self, bool) {
        let secrets = [&self.password, &self.url, &self.secret, &self.token, &self.topic, &self.routing_key];
        let retype = secrets.iter().any(|secret| !secret.expose().is_empty());
        let none = SecretText::default;
        let shown = Self {
            password: none(),
            url: none(),
            secret: none(),
            token: none(),
            topic: none(),
            routing_key: none(),
            ..self.clone()
        };
        (shown, retype)
    }

    /// The channel that is meant.
    ///
    /// # Errors
    /// Every field that cannot be accepted.
    pub fn parse(&self, context: &ChannelContext<'_>) -> Result<ChannelDraft, FieldErrors> {
        let mut errors = FieldErrors::default();
        let name = self.name(&mut errors);
        let settings = self.settings(context, &mut errors);
        let (high, remedy) = (WEEK_MINUTES, "Give whole minutes, at most 10080 (a week), or nothing.");
        let waits = number("waits_minutes", &self.waits_minutes, 0, high, remedy, &mut errors).unwrap_or(0);
        let remedy = "Give whole minutes from 5 to 10080 (a week), or nothing: never.";
        let reminds = number("reminds_minutes", &self.reminds_minutes, 5, high, remedy, &mut errors);
        let remedy = "Give a number from 1 to 1000.";
        let cap = number("cap_per_hour", &self.cap_per_hour, 1, MAX_CAP, remedy, &mut errors).unwrap_or(DEFAULT_CAP);
        let second_channel_id = self.second(context, &mut errors);
        match settings {
            Some(settings) if errors.is_empty() => Ok(ChannelDraft {
                name,
                settings,
                tells_regional: self.tells_regional,
                tells_operator: self.tells_operator,
                waits_ms: waits * 60_000,
                reminds_ms: reminds.map(|minutes| minutes * 60_000),
                cap_per_hour: cap,
                second_channel_id,
            }),
            Some(_) | None => Err(errors),
        }
    }

    fn name(&self, errors: &mut FieldErrors) -> String {
        let name = self.name.trim();
        let is_fine = !name.is_empty() && name.chars().count() <= MAX_NAME && !name.chars().any(is_unprintable);
        if !is_fine {
            let remedy = format!("Give it a name of 1 to {MAX_NAME} characters, on one line.");
            errors.push(FieldError::new("name", name, remedy));
        }
        name.to_owned()
    }

    fn second(&self, context: &ChannelContext<'_>, errors: &mut FieldErrors) -> Option<ChannelId> {
        let text = self.second_channel_id.trim();
        if text.is_empty() {
            return None;
        }
        let id = text.parse::<ChannelId>().ok().filter(|id| context.channels.iter().any(|c| c.channel_id == *id));
        let itself = context.stored.map(|stored| stored.channel_id);
        if id.is_none() || id == itself {
            errors.push(FieldError::new("second_channel_id", text, "Choose another of your channels, or none."));
            return None;
        }
        id
    }

    fn settings(&self, context: &ChannelContext<'_>, errors: &mut FieldErrors) -> Option<ChannelSettings> {
        let Ok(kind) = self.kind.trim().parse::<ChannelKind>() else {
            errors.push(FieldError::new("kind", self.kind.trim(), "Choose one of the list."));
            return None;
        };
        let stored = context.stored.map(|channel| &channel.settings);
        if stored.is_some_and(|stored| stored.kind() != kind) {
            let remedy = "A channel stays of its kind; add another channel instead.";
            errors.push(FieldError::new("kind", kind.as_str(), remedy));
            return None;
        }
        match kind {
            ChannelKind::Email => self.mail(stored, context.rules, errors),
            ChannelKind::Webhook => self.webhook(stored, context, errors),
            ChannelKind::Slack => {
                let kept = match stored {
                    Some(ChannelSettings::Slack { url }) => Some(url),
                    _ => None,
                };
                let rule = UrlRule { hosts: &["hooks.slack.com"], path: "/", rules: context.rules };
                self.url(kept, &rule, errors).map(|url| ChannelSettings::Slack { url })
            }
            ChannelKind::Discord => {
                let kept = match stored {
                    Some(ChannelSettings::Discord { url }) => Some(url),
                    _ => None,
                };
                let hosts = &["discord.com", "discordapp.com", "ptb.discord.com", "canary.discord.com"];
                let rule = UrlRule { hosts, path: "/api/webhooks/", rules: context.rules };
                self.url(kept, &rule, errors).map(|url| ChannelSettings::Discord { url })
            }
            ChannelKind::Telegram => self.telegram(stored, context.rules, errors),
            ChannelKind::Ntfy => self.ntfy(stored, context.rules, errors),
            ChannelKind::Pagerduty => self.pagerduty(stored, context.rules, errors),
            ChannelKind::Alertmanager => {
                let kept = match stored {
                    Some(ChannelSettings::Alertmanager { url }) => Some(url),
                    _ => None,
                };
                let rule = UrlRule { hosts: &[], path: "/", rules: context.rules };
                let url = self.url(kept, &rule, errors)?;
                // People copy the whole of it.
                let base = url.expose().trim_end_matches('/').trim_end_matches("/api/v2/alerts").trim_end_matches('/');
                Some(ChannelSettings::Alertmanager { url: SecretText::new(base) })
            }
        }
    }

    /// The address of a receiver: typed, or kept.
    fn url(&self, kept: Option<&SecretText>, rule: &UrlRule<'_>, errors: &mut FieldErrors) -> Option<SecretText> {
        let typed = self.url.expose().trim();
        if typed.is_empty() {
            if kept.is_none() {
                errors.push(FieldError::new("url", "", rule.remedy()));
            }
            return kept.cloned();
        }
        receiver("url", typed, rule, errors).map(SecretText::new)
    }

    fn webhook(
        &self,
        stored: Option<&ChannelSettings>,
        context: &ChannelContext<'_>,
        errors: &mut FieldErrors,
    ) -> Option<ChannelSettings> {
        let (kept_url, kept_secret, kept_old) = match stored {
            Some(ChannelSettings::Webhook { url, secret, old_secret }) => (Some(url), Some(secret), old_secret.clone()),
            _ => (None, None, None),
        };
        let url = self.url(kept_url, &UrlRule { hosts: &[], path: "/", rules: context.rules }, errors);
        let typed = self.secret.expose().trim();
        let fresh = || SecretText::new(format!("whsec_{}", BASE64.encode(context.random)));
        let secret = match kept_secret {
            _ if !typed.is_empty() => webhook_secret(typed, errors)?,
            Some(kept) if !self.new_secret => kept.clone(),
            Some(_) | None => fresh(),
        };
        let old_secret = match kept_secret {
            _ if self.drop_old_secret => None,
            Some(kept) if *kept != secret => Some(kept.clone()),
            Some(_) | None => kept_old,
        };
        Some(ChannelSettings::Webhook { url: url?, secret, old_secret })
    }
}

/// A secret of Standard Webhooks in its normal form.
fn webhook_secret(typed: &str, errors: &mut FieldErrors) -> Option<SecretText> {
    let bytes = BASE64.decode(typed.strip_prefix("whsec_").unwrap_or(typed)).ok();
    let bytes = bytes.filter(|bytes| (24..=64).contains(&bytes.len()));
    if bytes.is_none() {
        let remedy = "Give whsec_ and base64 of 24 to 64 bytes, or nothing: then one is made.";
        errors.push(FieldError::new("secret", "", remedy));
    }
    Some(SecretText::new(format!("whsec_{}", BASE64.encode(bytes?))))
}

/// A secret that is typed and fits, or the one there is.
fn kept_or(
    field: &'static str,
    typed: &SecretText,
    kept: Option<&SecretText>,
    fits: impl Fn(&str) -> bool,
    remedy: &str,
    errors: &mut FieldErrors,
) -> Option<SecretText> {
    let text = typed.expose().trim();
    match kept {
        Some(kept) if text.is_empty() => return Some(kept.clone()),
        Some(_) | None => {}
    }
    if !fits(text) {
        errors.push(FieldError::new(field, "", remedy));
        return None;
    }
    Some(SecretText::new(text))
}

fn number(field: &'static str, text: &str, low: i64, high: i64, remedy: &str, errors: &mut FieldErrors) -> Option<i64> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    let parsed = text.parse::<i64>().ok().filter(|n| (low..=high).contains(n));
    if parsed.is_none() {
        errors.push(FieldError::new(field, text, remedy));
    }
    parsed
}

/// What ends a line, hides, or turns the order of what stands around it.
fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests;
