//! How channels are said on pages. No value that may be a secret: of an address that is one, its host.

use super::words::{Instant, instant, span};
use crate::model::{Channel, ChannelKind, ChannelSettings, MailSecurity, SecretText};

/// What a kind is called.
pub(in crate::http) fn kind(kind: ChannelKind) -> &'static str {
    match kind {
        ChannelKind::Email => "Mail",
        ChannelKind::Webhook => "Webhook",
        ChannelKind::Slack => "Slack",
        ChannelKind::Discord => "Discord",
        ChannelKind::Telegram => "Telegram",
        ChannelKind::Ntfy => "ntfy",
        ChannelKind::Pagerduty => "PagerDuty",
        ChannelKind::Alertmanager => "Alertmanager",
    }
}

/// What a kind is good for.
pub(super) fn about(kind: ChannelKind) -> &'static str {
    match kind {
        ChannelKind::Email => "Through a mail server of yours",
        ChannelKind::Webhook => "A signed HTTP request to a program of yours",
        ChannelKind::Slack => "Into a Slack channel",
        ChannelKind::Discord => "Into a Discord channel",
        ChannelKind::Telegram => "From a bot of yours into a chat",
        ChannelKind::Ntfy => "To phones, by ntfy.sh or a server of your own",
        ChannelKind::Pagerduty => "An event for an on-call rota",
        ChannelKind::Alertmanager => "To a Prometheus Alertmanager",
    }
}

/// How a channel stands.
#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) letter: &'static str,
    pub(super) class: &'static str,
    pub(super) word: &'static str,
    /// Since when, where that is worth saying.
    pub(super) since: Option<Instant>,
    pub(super) why: String,
}

/// Why a channel is not sent to whose settings nobody here understands.
pub(in crate::http) const UNREADABLE: &str = "A newer version of BetterUptime wrote its settings, and this one does not \
    understand them. Messages wait for a day, and are given up then. Update this hub; or delete the channel and add another.";

/// What its kind is called.
pub(super) fn kind_of(channel: &Channel) -> &str {
    channel.unreadable.as_deref().unwrap_or(kind(channel.settings.kind()))
}

/// How it stands: on, off, failing, or given up.
pub(super) fn state(channel: &Channel) -> State {
    let of = |letter, class, word, since: Option<i64>, why: &str| State {
        letter,
        class,
        word,
        since: since.map(instant),
        why: why.to_owned(),
    };
    if channel.is_on && channel.unreadable.is_some() {
        return of("n", "unknown", "Not understood", None, UNREADABLE);
    }
    match (channel.is_on, &channel.broken, channel.failing_since_at) {
        (true, _, None) => of("u", "up", "On", None, ""),
        (true, _, Some(at)) => of("g", "degraded", "Failing", Some(at), ""),
        (false, Some((at, why)), _) => of("d", "down", "Given up", Some(*at), why),
        (false, None, _) => of("p", "paused", "Off", None, ""),
    }
}

/// Where it leads, in a line.
pub(in crate::http) fn target(settings: &ChannelSettings) -> String {
    match settings {
        ChannelSettings::Email { to, server, .. } => match to.as_slice() {
            [] => format!("through {server}"),
            [one] => one.clone(),
            [first, others @ ..] => format!("{first} and {} more", others.len()),
        },
        ChannelSettings::Webhook { url, .. }
        | ChannelSettings::Slack { url }
        | ChannelSettings::Discord { url }
        | ChannelSettings::Alertmanager { url } => host(url),
        ChannelSettings::Telegram { chat, .. } => format!("chat {chat}"),
        ChannelSettings::Ntfy { server, .. } => bare(server),
        ChannelSettings::Pagerduty { server, .. } => server.as_deref().map_or("events.pagerduty.com".to_owned(), bare),
    }
}

/// Where a channel leads, in a line.
pub(in crate::http) fn target_of(channel: &Channel) -> String {
    match channel.unreadable {
        Some(_) => "written by a newer version".to_owned(),
        None => target(&channel.settings),
    }
}

/// Scheme aside, as people say it.
fn bare(server: &str) -> String {
    server.trim_start_matches("https://").trim_end_matches('/').to_owned()
}

/// The host of an address whose path is a secret.
fn host(url: &SecretText) -> String {
    let parsed = url::Url::parse(url.expose()).ok();
    let host = parsed.as_ref().and_then(|url| Some((url.scheme(), url.host_str()?, url.port())));
    match host {
        Some((scheme, host, port)) => {
            let scheme = if scheme == "https" { String::new() } else { format!("{scheme}://") };
            let port = port.map(|port| format!(":{port}")).unwrap_or_default();
            format!("{scheme}{host}{port}")
        }
        None => "an address".to_owned(),
    }
}

/// How a mail server is spoken to.
pub(super) fn security(security: MailSecurity) -> &'static str {
    match security {
        MailSecurity::Tls => "TLS from the start",
        MailSecurity::Starttls => "STARTTLS",
        MailSecurity::None => "not encrypted",
    }
}

/// What it is told of, and when.
pub(super) fn told_of(channel: &Channel) -> String {
    let mut parts = vec![
        if channel.tells_regional {
            "of outages, also regional ones, and certificates"
        } else {
            "of outages and certificates"
        }
        .to_owned(),
    ];
    if channel.waits_ms > 0 {
        parts.push(format!("after {} without anybody on it", span_of(channel.waits_ms)));
    }
    if let Some(ms) = channel.reminds_ms {
        parts.push(format!("again every {}", span(ms)));
    }
    parts.join(", ")
}

/// "1 minute" where "every minute" would be said.
fn span_of(ms: i64) -> String {
    let span = span(ms);
    if span.starts_with(|first: char| first.is_ascii_digit()) { span } else { format!("1 {span}") }
}

/// Its settings, without secrets.
pub(super) fn facts(channel: &Channel, second: Option<&str>) -> Vec<(&'static str, String)> {
    let set = |is_set: bool| if is_set { "set, not shown" } else { "none" }.to_owned();
    let mut facts = match &channel.settings {
        _ if channel.unreadable.is_some() => vec![("Settings", "written by a newer version".to_owned())],
        ChannelSettings::Email { server, port, security: how, username, from, to, .. } => vec![
            ("To", to.join(", ")),
            ("From", from.clone()),
            ("Mail server", format!("{server}, port {port}, {}", security(*how))),
            ("Signs in", if username.is_empty() { "no".to_owned() } else { format!("as {username}") }),
        ],
        ChannelSettings::Webhook { url, old_secret, .. } => {
            let mut facts = vec![("Address", format!("{}, the rest is not shown", host(url)))];
            let secret = if old_secret.is_some() { "two, while you change over; not shown" } else { "set, not shown" };
            facts.push(("Secret", secret.to_owned()));
            facts
        }
        ChannelSettings::Slack { url } | ChannelSettings::Discord { url } | ChannelSettings::Alertmanager { url } => {
            vec![("Address", format!("{}, the rest is not shown", host(url)))]
        }
        ChannelSettings::Telegram { chat, server, .. } => vec![
            ("Chat", chat.clone()),
            ("Bot's token", set(true)),
            ("Server", server.as_deref().map_or("api.telegram.org".to_owned(), bare)),
        ],
        ChannelSettings::Ntfy { server, token, .. } => {
            vec![("Server", bare(server)), ("Topic", set(true)), ("Token", set(token.is_some()))]
        }
        ChannelSettings::Pagerduty { .. } => {
            vec![("Server", target(&channel.settings)), ("Routing key", set(true))]
        }
    };
    facts.push(("Is told", told_of(channel)));
    facts.push(("At most", format!("{} messages an hour; more are folded into one", channel.cap_per_hour)));
    facts.push(("When it gives up", second.map_or("nobody else is told".to_owned(), |name| format!("{name} is told"))));
    facts.push(("Added", format!("{} UTC", instant(channel.created_at).words)));
    facts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_a_secret_is_said_by_its_host() {
        let url = |url: &str| ChannelSettings::Slack { url: SecretText::new(url) };
        assert_eq!(target(&url("https://hooks.slack.com/services/T0/B0/hunter2")), "hooks.slack.com");
        assert_eq!(target(&url("http://127.0.0.1:3000/hunter2")), "http://127.0.0.1:3000");
        assert_eq!(target(&url("hunter2")), "an address");
    }
}
