//! Services that have forms of their own: Telegram, ntfy, PagerDuty.

use super::super::{ChannelSettings, FieldError, FieldErrors, SecretText, TargetRules};
use super::receiver::{UrlRule, receiver};
use super::{ChannelInput, kept_or};

impl ChannelInput {
    pub(super) fn telegram(
        &self,
        stored: Option<&ChannelSettings>,
        rules: &TargetRules,
        errors: &mut FieldErrors,
    ) -> Option<ChannelSettings> {
        let server = self.server_url(rules, errors);
        let kept = match stored {
            Some(ChannelSettings::Telegram { token, server: s, .. }) if *s == server => Some(token),
            _ => None,
        };
        let is_token = |token: &str| {
            let Some((bot, key)) = token.split_once(':') else { return false };
            let is_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
            (1..=20).contains(&bot.len())
                && bot.chars().all(|c| c.is_ascii_digit())
                && (20..=100).contains(&key.len())
                && key.chars().all(is_key)
        };
        let token =
            kept_or("token", &self.token, kept, is_token, "Give the bot's token, as BotFather told it.", errors);
        let chat = self.chat.trim();
        let number = chat.strip_prefix('-').unwrap_or(chat);
        let is_number = (1..=20).contains(&number.len()) && number.chars().all(|c| c.is_ascii_digit());
        let is_name = chat.strip_prefix('@').is_some_and(|name| {
            (3..=64).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        });
        if !is_number && !is_name {
            let remedy = "Give the chat's number (groups begin with -), or @name of a public channel.";
            errors.push(FieldError::new("chat", chat, remedy));
        }
        Some(ChannelSettings::Telegram { token: token?, chat: chat.to_owned(), server })
    }

    pub(super) fn ntfy(
        &self,
        stored: Option<&ChannelSettings>,
        rules: &TargetRules,
        errors: &mut FieldErrors,
    ) -> Option<ChannelSettings> {
        let server =
            if self.server.trim().is_empty() { "https://ntfy.sh".to_owned() } else { self.server_url(rules, errors)? };
        let (kept_topic, kept_token) = match stored {
            Some(ChannelSettings::Ntfy { server: s, topic, token }) if *s == server => (Some(topic), token.clone()),
            _ => (None, None),
        };
        let has_token = matches!(stored, Some(ChannelSettings::Ntfy { token: Some(_), .. }));
        let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        let is_topic = |topic: &str| (1..=64).contains(&topic.len()) && topic.chars().all(is_word);
        let remedy = "Give the topic: 1 to 64 letters, digits, _ and -.";
        let topic = kept_or("topic", &self.topic, kept_topic, is_topic, remedy, errors);
        let typed = self.token.expose().trim();
        let token = match typed {
            _ if self.drop_token => None,
            // Silence would send without it from now on.
            "" if kept_token.is_none() && has_token => {
                let remedy = "Type the token again, since the server is another now; or go on without one.";
                errors.push(FieldError::new("token", "", remedy));
                None
            }
            "" => kept_token,
            typed if typed.len() <= 200 && typed.chars().all(|c| c.is_ascii_graphic()) => Some(SecretText::new(typed)),
            _ => {
                errors.push(FieldError::new("token", "", "Give the access token as ntfy shows it, or nothing."));
                None
            }
        };
        Some(ChannelSettings::Ntfy { server, topic: topic?, token })
    }

    pub(super) fn pagerduty(
        &self,
        stored: Option<&ChannelSettings>,
        rules: &TargetRules,
        errors: &mut FieldErrors,
    ) -> Option<ChannelSettings> {
        let server = self.server_url(rules, errors);
        let kept = match stored {
            Some(ChannelSettings::Pagerduty { routing_key, server: s }) if *s == server => Some(routing_key),
            _ => None,
        };
        let is_key = |key: &str| key.len() == 32 && key.chars().all(|c| c.is_ascii_alphanumeric());
        let remedy = "Give the integration key of the service (Events API v2): 32 letters and digits.";
        let routing_key = kept_or("routing_key", &self.routing_key, kept, is_key, remedy, errors)?;
        Some(ChannelSettings::Pagerduty { routing_key, server })
    }

    /// Where a service is when it is not in its usual place, without a slash at its end.
    fn server_url(&self, rules: &TargetRules, errors: &mut FieldErrors) -> Option<String> {
        let typed = self.server.trim();
        if typed.is_empty() {
            return None;
        }
        // PagerDuty's are known by their names.
        let whole = if typed.contains("://") { typed.to_owned() } else { format!("https://{typed}") };
        let url = receiver("server", &whole, &UrlRule { hosts: &[], path: "/", rules }, errors)?;
        if url.contains('?') {
            errors.push(FieldError::new("server", "", "Give the server's address without a question mark in it."));
            return None;
        }
        Some(url.trim_end_matches('/').to_owned())
    }
}
