//! A channel as people and programs type it, and back. What is typed wrong is named field by field, and never repeated
//! where it may be a secret; a secret that is left empty stays as it is.

use ::url::Url;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use lettre::Address;
use lettre::message::Mailbox;

use super::{
    Channel, ChannelDraft, ChannelId, ChannelKind, ChannelSettings, FieldError, FieldErrors, MailSecurity, SecretText,
    TargetRules, url,
};

/// Most mail addresses of one channel.
const MAX_TO: usize = 20;
/// Longest name, in characters.
const MAX_NAME: usize = 80;
/// Most messages an hour that may be asked for.
const MAX_CAP: i64 = 1_000;
/// Messages an hour when nothing else is said.
const DEFAULT_CAP: i64 = 60;
/// Longest wait and longest time between two reminders.
const WEEK_MINUTES: i64 = 7 * 24 * 60;
/// Ports of mail servers, where strangers may name one.
const MAIL_PORTS: [u16; 4] = [25, 465, 587, 2525];

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
    /// Mail: a name of [`MailSecurity`].
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
    /// The texts for a channel there is; secrets are left out.
    #[must_use]
    pub fn of(channel: &Channel) -> Self {
        let minutes = |ms: i64| (ms / 60_000).to_string();
        let mut input = Self {
            name: channel.name.clone(),
            kind: channel.settings.kind().to_string(),
            tells_regional: channel.tells_regional,
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

    fn mail(
        &self,
        stored: Option<&ChannelSettings>,
        rules: &TargetRules,
        errors: &mut FieldErrors,
    ) -> Option<ChannelSettings> {
        let security = match self.security.trim() {
            "" => MailSecurity::Starttls,
            text => text.parse().unwrap_or_else(|_| {
                errors.push(FieldError::new("security", text, "Choose one of the list."));
                MailSecurity::Starttls
            }),
        };
        let default = match security {
            MailSecurity::Tls => 465,
            MailSecurity::Starttls => 587,
            MailSecurity::None => 25,
        };
        let remedy = "Give a port from 1 to 65535, or nothing for the usual one.";
        let port = number("port", &self.port, 1, 65_535, remedy, errors).unwrap_or(default);
        let port = u16::try_from(port).unwrap_or_default();
        if rules.is_shared && !MAIL_PORTS.contains(&port) {
            errors.push(FieldError::new("port", &port.to_string(), "Mail servers listen on 25, 465, 587 or 2525."));
        }
        let server = mail_server(&self.server, rules, errors);
        let (from, to) = (self.from(errors), self.to(errors));
        let username = self.username.trim().to_owned();
        // Only to the place it was given for: who took over a session could have it sent to himself.
        let kept = match stored {
            Some(ChannelSettings::Email { server: s, port: p, security: y, username: u, password, .. })
                if Some(s) == server.as_ref() && *p == port && *y == security && *u == username =>
            {
                Some(password)
            }
            _ => None,
        };
        let password = match kept {
            Some(kept) if self.password.expose().is_empty() => kept.clone(),
            Some(_) | None => self.password.clone(),
        };
        if username.chars().any(is_unprintable) || username.len() > 255 {
            errors.push(FieldError::new("username", &username, "Give the name on one line."));
        }
        if password.expose().chars().any(char::is_control) || password.expose().len() > 1_000 {
            errors.push(FieldError::new("password", "", "A password has no line breaks, and 1000 bytes at most."));
        }
        match (username.is_empty(), password.expose().is_empty()) {
            (false, true) => {
                let remedy = match stored {
                    None => "Give the password of this user name.",
                    Some(_) => "Type the password again: server or user name are others now, or none was kept.",
                };
                errors.push(FieldError::new("password", "", remedy));
            }
            (true, false) => errors.push(FieldError::new("username", "", "Give the user name of this password.")),
            (true, true) | (false, false) => {}
        }
        if security == MailSecurity::None && !username.is_empty() {
            let remedy =
                "A password does not go over an unprotected connection: choose TLS or STARTTLS, or no user name.";
            errors.push(FieldError::new("security", security.as_str(), remedy));
        }
        Some(ChannelSettings::Email { server: server?, port, security, username, password, from: from?, to: to? })
    }

    fn from(&self, errors: &mut FieldErrors) -> Option<String> {
        let typed = self.from.trim();
        let mailbox = Some(typed).filter(|typed| !typed.chars().any(is_unprintable) && typed.len() <= 320);
        let mailbox = mailbox.and_then(|typed| typed.parse::<Mailbox>().ok());
        if mailbox.is_none() {
            let remedy = "Give the address it is sent from: alerts@example.com, or Alerts <alerts@example.com>.";
            errors.push(FieldError::new("from", typed, remedy));
        }
        Some(mailbox?.to_string())
    }

    fn to(&self, errors: &mut FieldErrors) -> Option<Vec<String>> {
        let typed: Vec<&str> = self.to.split([',', ';', '\n', '\r']).map(str::trim).filter(|t| !t.is_empty()).collect();
        if typed.is_empty() || typed.len() > MAX_TO {
            let found = if typed.is_empty() { String::new() } else { format!("{} addresses", typed.len()) };
            errors.push(FieldError::new("to", &found, format!("Give 1 to {MAX_TO} mail addresses, by commas.")));
            return None;
        }
        let mut to: Vec<String> = Vec::with_capacity(typed.len());
        for one in typed {
            let address = Some(one).filter(|one| !one.chars().any(is_unprintable) && one.len() <= 254);
            match address.and_then(|one| one.parse::<Address>().ok()) {
                Some(address) if to.contains(&address.to_string()) => {}
                Some(address) => to.push(address.to_string()),
                None => errors.push(FieldError::new("to", one, "Give it as name@example.com.")),
            }
        }
        Some(to)
    }

    fn telegram(
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

    fn ntfy(
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
        let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        let is_topic = |topic: &str| (1..=64).contains(&topic.len()) && topic.chars().all(is_word);
        let remedy = "Give the topic: 1 to 64 letters, digits, _ and -.";
        let topic = kept_or("topic", &self.topic, kept_topic, is_topic, remedy, errors);
        let typed = self.token.expose().trim();
        let token = match typed {
            _ if self.drop_token => None,
            "" => kept_token,
            typed if typed.len() <= 200 && typed.chars().all(|c| c.is_ascii_graphic()) => Some(SecretText::new(typed)),
            _ => {
                errors.push(FieldError::new("token", "", "Give the access token as ntfy shows it, or nothing."));
                None
            }
        };
        Some(ChannelSettings::Ntfy { server, topic: topic?, token })
    }

    fn pagerduty(
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

/// What the address of a receiver has to be.
struct UrlRule<'a> {
    /// One of these, over https; empty: any.
    hosts: &'a [&'a str],
    /// Its path begins so.
    path: &'a str,
    rules: &'a TargetRules,
}

impl UrlRule<'_> {
    fn remedy(&self) -> String {
        match self.hosts.first() {
            Some(host) => format!("Give the webhook's address: https://{host}{}…", self.path),
            None => "Give the receiver's address, for example https://alerts.example.com/hook.".to_owned(),
        }
    }
}

/// The normal form of a receiver's address. Nothing of it is repeated in an error but scheme and host.
fn receiver(field: &'static str, typed: &str, rule: &UrlRule<'_>, errors: &mut FieldErrors) -> Option<String> {
    let url = match url::normalise(typed) {
        Ok(url) => url,
        Err(error) => {
            let remedy = if error.remedy.contains("password") {
                "Leave name and password out of the address.".to_owned()
            } else if error.remedy.contains("to watch") {
                rule.remedy()
            } else {
                error.remedy
            };
            errors.push(FieldError::new(field, "", remedy));
            return None;
        }
    };
    let parsed = Url::parse(&url).ok()?;
    let host = parsed.host_str().unwrap_or_default();
    let mut wrong = |remedy: String| {
        errors.push(FieldError::new(field, &format!("{}://{host}/…", parsed.scheme()), remedy));
        None
    };
    if !rule.hosts.is_empty() {
        let is_theirs = rule.hosts.contains(&host)
            && parsed.scheme() == "https"
            && parsed.port().is_none()
            && parsed.path().starts_with(rule.path);
        if !is_theirs {
            return wrong(rule.remedy());
        }
    }
    if rule.rules.refuse(&url) || is_inside(&parsed, rule.rules) {
        return wrong("This leads into our own network; give a public address.".to_owned());
    }
    Some(url)
}

/// Whether it is an address, not a name, where strangers may not send anything. Names are judged when they are resolved.
fn is_inside(url: &Url, rules: &TargetRules) -> bool {
    use probe::engine::{AddressKind, AddressPolicy};
    let address = match url.host() {
        Some(::url::Host::Ipv4(address)) => std::net::IpAddr::V4(address),
        Some(::url::Host::Ipv6(address)) => std::net::IpAddr::V6(address),
        Some(::url::Host::Domain(_)) | None => return false,
    };
    // Metadata and link-local addresses are nobody's.
    let policy = if rules.is_shared { AddressPolicy::public_only() } else { AddressPolicy::owner() };
    AddressKind::of(address) == AddressKind::Never || !policy.allows(address)
}

/// Name or address of a mail server, lower case.
fn mail_server(typed: &str, rules: &TargetRules, errors: &mut FieldErrors) -> Option<String> {
    let typed = typed.trim();
    let url = Url::parse(&format!("smtp://{typed}")).ok();
    // A scheme that is none of the web's leaves names as they are: they are read once more as a website's.
    let url = url.filter(|_| !typed.contains(['/', '@', '?', '#', ' ', '\\']) && typed.len() <= 255);
    let url = url.and_then(|_| Url::parse(&format!("http://{typed}/")).ok()).filter(|url| url.port().is_none());
    let host = url.as_ref().and_then(Url::host_str).map(|host| host.trim_end_matches('.').to_owned());
    let found = url.zip(host).filter(|(_, host)| !host.is_empty() && !typed.ends_with(':'));
    let Some((url, host)): Option<(Url, String)> = found else {
        errors.push(FieldError::new(
            "server",
            typed,
            "Give the name of the mail server, for example smtp.example.com.",
        ));
        return None;
    };
    if rules.refuse(url.as_str()) || is_inside(&url, rules) {
        errors.push(FieldError::new("server", &host, "This leads into our own network; give a public mail server."));
        return None;
    }
    Some(host)
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
